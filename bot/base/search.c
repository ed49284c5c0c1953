#include "base/search.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/text.h"

enum { STEMS_MOST = 2, WORDS_MOST = 12, LETTERS_LEFT = 3, INDEX_BYTES = 1 << 18 };

/* The longest that fits is cut first; after "and" another may follow. */
static const char *const prefixes[] = {
    "وال", "بال", "كال", "فال", "لل", "ال", "و", "ש", "ו", "ה", "ב", "ל", "מ", "כ", NULL};

static bool
is_and(const char *prefix)
{
	return !strcmp(prefix, "و") || !strcmp(prefix, "ו") || !strcmp(prefix, "ש");
}

/* The word without the prefix; NULL when it has none or too little would be left. */
static const char *
without(const char *word, const char **prefix)
{
	for (const char *const *p = prefixes; *p; p++) {
		size_t n = strlen(*p);

		if (strncmp(word, *p, n) || text_scalars(word + n) < LETTERS_LEFT)
			continue;
		*prefix = *p;
		return word + n;
	}
	return NULL;
}

/* At most two shorter forms, each the end of `word`. */
static int
stems(const char *word, const char *out[STEMS_MOST])
{
	const char *prefix = NULL, *shorter = without(word, &prefix);
	int n = 0;

	if (!shorter)
		return 0;
	out[n++] = shorter;
	if (is_and(prefix) && (shorter = without(shorter, &prefix)))
		out[n++] = shorter;
	return n;
}

/* Letters, digits and their marks: what the index takes for a word too. */
static bool
in_word(UChar32 c)
{
	return c > 0 && (u_isalnum(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK));
}

static UChar32
letter(const uint8_t *s, int32_t *i, int32_t length)
{
	UChar32 c;

	U8_NEXT(s, *i, length, c);
	return c;
}

/* The next word of the folded text, NUL-terminated in place; NULL behind the last. */
static char *
next_word(char **at)
{
	const uint8_t *s = (const uint8_t *)*at;
	int32_t i = 0, begin = 0, length = (int32_t)strlen(*at);
	UChar32 c = 0;

	while (i < length) {
		begin = i;
		c = letter(s, &i, length);
		if (in_word(c))
			break;
	}
	if (!in_word(c))
		return NULL;
	while (i < length) {
		int32_t end = i;

		c = letter(s, &i, length);
		if (!in_word(c)) {
			(*at)[end] = 0;
			break;
		}
	}
	*at += i;
	return *at - i + begin;
}

char *
search_index(struct arena *arena, const char *text)
{
	char *at = text_fold(arena, text), *word, *out;
	const char *shorter[STEMS_MOST];
	struct buf b = {.maximum = INDEX_BYTES};

	while ((word = next_word(&at))) {
		int n = stems(word, shorter);

		buf_print(&b, "%s%s", b.length ? " " : "", word);
		for (int i = 0; i < n; i++)
			buf_print(&b, " %s", shorter[i]);
	}
	out = arena_copy(arena, b.length ? (const char *)b.bytes : "", b.length);
	buf_free(&b);
	return out;
}

char *
search_query(struct arena *arena, const char *query)
{
	char *at = text_fold(arena, query), *word, *out = "";
	const char *shorter[STEMS_MOST];

	for (int k = 0; k < WORDS_MOST && (word = next_word(&at)); k++) {
		int n = stems(word, shorter);

		out = arena_print(arena, "%s%s(\"%s\"*", out, k ? " AND " : "", word);
		for (int i = 0; i < n; i++)
			out = arena_print(arena, "%s OR \"%s\"*", out, shorter[i]);
		out = arena_print(arena, "%s)", out);
	}
	return out;
}
