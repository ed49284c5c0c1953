/* Any bytes as the English catalogue: refused with file and what was expected, or every sentence in
 * it can be said. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/text.h"
#include "base/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

static void
say_all(const struct words *words, struct arena *arena)
{
	static const char *const keys[] = {"a", "b", "hello", "count"};
	const struct hole holes[] = {
	    {"name", "\xe2\x80\xab<b>noor", NULL}, {"x", "{name}", NULL}, {0}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		for (int64_t n = 0; n < 4; n++) {
			struct card *card = words_card(words, arena, "en", keys[i], n, holes);

			demand(card != NULL);
			if (words_has(words, keys[i]))
				demand(words_text(words, arena, "en", keys[i], n, holes) != NULL);
		}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const languages[] = {"en", NULL};
	static struct arena *arena;
	static char folder[64], path[80];
	char *why = NULL;
	struct words *words;
	int fd;

	if (!arena) {
		arena = arena_new();
		snprintf(folder, sizeof(folder), "/dev/shm/words-%d", (int)getpid());
		mkdir(folder, 0700);
		snprintf(path, sizeof(path), "%s/en.json", folder);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	demand(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	words = words_load(folder, languages, &why);
	if (words)
		say_all(words, arena);
	else
		demand(why && strstr(why, "en.json") != NULL);
	words_free(words);
	free(why);
	arena_forget(arena);
	return 0;
}
