/*
 * Pictures, drawn by the separate small program alumhub-picture, so that the service never loads
 * what shapes letters. It is started for one picture, reads what to draw on its standard input, and
 * ends; nothing of it is in an argument that other processes could read.
 */
#ifndef BASE_PICTURE_H
#define BASE_PICTURE_H

#include <stddef.h>

struct arena;

/*
 * Bars: lines of "title TEXT", "note TEXT", "head TEXT", "bar PERCENT TEXT", "qr TEXT" (a square
 * code in the middle: posters and events), "foot TEXT" (in the middle), at most 200, without line
 * ends inside; each text runs in its own direction, and "rtl" as a first line lays everything out
 * from the right. A PNG in the arena and its length; 0 when there is no such program or it could
 * not draw. Blocks for ten seconds at most: for long work, never on the loop's thread.
 */
size_t picture_bars(struct arena *arena, const char *lines, size_t length, const void **png);

#endif
