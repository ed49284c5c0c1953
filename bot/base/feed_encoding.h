/*
 * From the bytes of a feed to UTF-8, whatever they claim to be. In this order: a byte order mark;
 * the look of UTF-16 and UTF-32 without one; UTF-8 when the bytes are that and say more than ASCII;
 * the header's charset; the XML declaration; UTF-8. Bytes that are no UTF-8 in the main are the
 * windows code page of the feed's language. Labels mean what browsers take them for (WHATWG
 * Encoding: "iso-8859-1" is windows-1252).
 */
#ifndef BASE_FEED_ENCODING_H
#define BASE_FEED_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

struct feed_encoding;

/* `bytes` must outlive it; content_type may be NULL. feed_encoding_free() it. */
struct feed_encoding *feed_encoding_new(const void *bytes, size_t length, const char *content_type);
void feed_encoding_free(struct feed_encoding *e);
/* Begins again. */
void feed_encoding_rewind(struct feed_encoding *e);
/*
 * The next valid UTF-8, without control characters and leading white space, into `room` (at least
 * 16) bytes; 0 at the end.
 */
size_t feed_encoding_read(struct feed_encoding *e, char *out, size_t room);
const char *feed_encoding_name(const struct feed_encoding *e);
/* Something read so far was not what the encoding allows, or no character of XML. */
bool feed_encoding_damaged(const struct feed_encoding *e);

#endif
