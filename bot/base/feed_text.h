/* Strangers' text made plain, and their addresses made whole. Pure; results live in the arena. */
#ifndef BASE_FEED_TEXT_H
#define BASE_FEED_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/*
 * UTF-8 as feed.h promises its texts; with `html` tags are dropped and entities undone first. At
 * most `points` code points, the last one an ellipsis when more was there. NULL when nothing is
 * left. Linear in `length`.
 */
const char *feed_text_plain(
    struct arena *arena, const char *text, size_t length, bool html, size_t points);
/* The decoded bytes of base64, spaces ignored; *decoded is their number. NULL when it is none. */
char *feed_text_base64(struct arena *arena, const char *text, size_t length, size_t *decoded);
/*
 * An http or https address, resolved against `base` (RFC 3986, 5.3) when relative; without a base
 * it stays relative. NULL when empty, too long, or of another scheme.
 */
const char *feed_text_url(struct arena *arena, const char *base, const char *text, size_t length);
/* Sound or moving pictures, by the type (may be NULL) or else by the end of the address. */
bool feed_text_is_media(const char *type, const char *url);
/* One code point of valid UTF-8 appended; returns its bytes (1 to 4). */
size_t feed_text_put(char *out, unsigned point);

#endif
