/* Character references of XML and HTML, for the mender and for plain text. Pure, no memory. */
#ifndef BASE_FEED_ENTITY_H
#define BASE_FEED_ENTITY_H

#include <stddef.h>

/* The longest name looked at, in bytes. */
enum { FEED_ENTITY_MAX = 32 };

/* The code point of an HTML 4 name or "apos", without & and ;. 0 when there is none. */
unsigned feed_entity_named(const char *name, size_t length);
/* U+0080 to U+009F as windows-1252 meant them; 0 when it meant nothing. Others stay. */
unsigned feed_entity_mapped(unsigned point);
/*
 * The reference that begins at text[0] == '&'. Returns its length with the semicolon, 0 when this
 * is no reference but an ampersand. *point is 0 when nothing has that name, U+FFFD for a number
 * that is no character.
 */
size_t feed_entity_read(const char *text, size_t length, unsigned *point);

#endif
