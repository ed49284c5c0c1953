/* Any bytes: cleaned text is valid, balanced and stays as it is; folding, cutting, measuring keep
 * text.h's word. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

/* The first byte of a scalar stands there, or the end. */
static int
border(const char *at)
{
	return ((unsigned char)*at & 0xc0) != 0x80;
}

static void
cut_all(const char *text, size_t most)
{
	int rounds = 0;

	while (*text) {
		size_t n = text_cut(text, most);

		demand(n > 0 && n <= strlen(text) && border(text + n));
		text += n;
		demand(++rounds < 100000);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	size_t most = size ? 1 + data[0] : 1, half;
	char *clean, *again, *fold, *other;
	int64_t number;

	if (!arena)
		arena = arena_new();
	clean = text_clean(arena, data, size, most);
	demand(text_scalars(clean) <= most && text_is_words(clean) && text_balanced(clean));
	demand(text_utf16(clean) >= text_scalars(clean));
	again = text_clean(arena, clean, strlen(clean), most);
	demand(!strcmp(clean, again));
	fold = text_fold(arena, clean);
	demand(text_is_words(fold) && !strcmp(fold, text_fold(arena, fold)));
	demand(text_balanced(text_isolate(arena, clean)));
	cut_all(clean, most / 4 + 1);
	half = text_scalars(fold) / 2 + 1;
	other = arena_copy(arena, fold, text_cut(fold, half));
	demand(text_distance(fold, other, 3) == text_distance(other, fold, 3));
	demand(text_distance(fold, fold, 3) == 0);
	text_number(clean, &number);
	text_direction(clean);
	text_reveals(clean);
	arena_forget(arena);
	return 0;
}
