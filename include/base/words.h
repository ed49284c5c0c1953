/*
 * The catalogue: every sentence the bot says, in every language it speaks. words/LANG.json, flat keys; the
 * English file is the reference. A value is a string with {holes}, or one string for each CLDR plural category
 * over {n}. <b>…</b> and <i>…</i> are the only markup, and only in the catalogue.
 */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct card;
struct words;

/* Languages are two-letter codes in the configured order; the first is the last resort. */
enum { WORDS_LANGUAGES = 8 };

/* Loads FOLDER/LANG.json for each; NULL and *why (free() it: file, line, expected) when a file is broken,
 * a key, plural form or hole is missing or too many, an isolate is unbalanced. */
struct words *words_load(const char *folder, const char *const *languages, char **why);
void words_free(struct words *words);
/* Everything wrong at once, for `check` and the tests: calls back with "file:line: what was expected". Also: an
 * imperative from the lists of FOLDER/imperatives.json where there is one. How many there were. */
int words_check(const char *folder, const char *const *languages,
    void (*problem)(void *ctx, const char *what), void *ctx);

bool words_has(const struct words *words, const char *key);
bool words_speaks(const struct words *words, const char *language);
int words_count(const struct words *words);
const char *words_language(const struct words *words, int index);

/* A pair of a hole's name and its value; the array ends with a NULL name. Values become NAME spans (isolated). */
struct hole {
	const char *name;
	const char *value;
	const struct card *rich; /* instead of value: spans put in as they are */
};
/* The sentence as a card. A missing hole shows as {name} and is a bug that the tests catch. An unknown key shows as
 * the key itself. `n` picks the plural form and fills {n}; ignored by plain strings. */
struct card *words_card(const struct words *words, struct arena *arena, const char *language,
    const char *key, int64_t n, const struct hole *holes);
/* As flat text with isolates: for labels, file names, menus. */
char *words_text(const struct words *words, struct arena *arena, const char *language,
    const char *key, int64_t n, const struct hole *holes);
/* The raw string of a key without holes ("command.podcast"), or NULL. */
const char *words_raw(const struct words *words, const char *language, const char *key);

#endif
