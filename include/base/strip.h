/*
 * Media without what it tells about its maker: everything that is not picture or sound is left out
 * (EXIF, XMP, IPTC, colour profiles, thumbnails, comments, tags, names, what lies behind the end).
 * What is kept is listed, what is not listed goes. Sources: ITU-T T.81 (JPEG), W3C PNG 3rd edition,
 * RFC 3533 and RFC 7845 (Ogg Opus), ISO 11172-3 and id3.org (MP3).
 */
#ifndef BASE_STRIP_H
#define BASE_STRIP_H

#include <stddef.h>

struct arena;

enum strip_kind { STRIP_NONE, STRIP_JPEG, STRIP_PNG, STRIP_OPUS, STRIP_MP3 };

struct stripped {
	enum strip_kind kind; /* STRIP_NONE: not one of them, or damaged */
	const void *bytes;    /* in the arena */
	size_t length;
	const char *type, *ending; /* "image/jpeg", "jpg" */
};

/* Any bytes may come in (it is fuzzed). A copy without metadata, never longer than the original
 * but for 64 bytes. A JPEG that was to be turned by its EXIF stays as it lies. */
struct stripped strip_media(struct arena *arena, const void *bytes, size_t length);

#endif
