/*
 * Text that strangers typed: made safe, folded for comparison, measured and cut.
 * All strings are NUL-terminated UTF-8. Source of the folding rules: COMMUNITY.md §3 "Names".
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define TEXT_FSI "\xe2\x81\xa8" /* U+2068 */
#define TEXT_PDI "\xe2\x81\xa9" /* U+2069 */

/* What was typed, made safe: valid UTF-8 (bad bytes become U+FFFD), NFC, bidi controls (U+202A-202E,
 * U+2066-2069) and control characters but newline and tab removed, CR LF to newline, trimmed, at most
 * `scalars` long (cut at a grapheme border), "" when nothing of it can be seen. Pure ASCII takes a
 * quick path. */
char *text_clean(struct arena *arena, const void *bytes, size_t length, size_t scalars);
/* For comparison and search: NFKC case folded, tashkeel and niqqud and tatweel off, alef, ya and ta
 * marbuta forms one, Hebrew final letters plain, Latin diacritics off, Arabic-Indic and Persian digits Latin,
 * hyphen, apostrophe and white space runs one space, a leading "al-", "abu-", "ben-" kept as a word. */
char *text_fold(struct arena *arena, const char *text);
/* FSI text PDI. */
char *text_isolate(struct arena *arena, const char *text);
/* Every FSI, LRI and RLI closed by its own PDI, no stray PDI, no embedding or override at all. */
bool text_balanced(const char *text);

/* Valid UTF-8 without control characters but newline and tab: words, not packed bytes. */
bool text_is_words(const char *text);

size_t text_scalars(const char *text);
size_t text_utf16(const char *text);
/* Bytes of the longest prefix of at most `scalars` scalars that ends at a good place: a paragraph, a line,
 * a sentence or a word border in the last quarter, else a grapheme border. Never 0 for a non-empty text. */
size_t text_cut(const char *text, size_t scalars);
/* A whole number in Latin, Arabic-Indic or Persian digits, nothing else but space around it. */
bool text_number(const char *text, int64_t *number);
/* Edits (insert, delete, replace, swap) between two folded strings, at most `limit`+1. */
int text_distance(const char *a, const char *b, int limit);
/* -1 right to left, 1 left to right, 0 neither: by the first strong character. */
int text_direction(const char *text);
/* Whether this looks like a telephone number, an e-mail address, a handle or a link (see relay). */
bool text_reveals(const char *text);

#endif
