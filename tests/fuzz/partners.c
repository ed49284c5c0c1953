/* Any bytes as partners.json: read, or refused with the file's name; what was read can be shown and
 * searched in every language. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/partners.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

static void
show(struct arena *arena, const struct partners *all)
{
	static const char *const languages[] = {"en", "ar", "he"};

	for (size_t i = 0; i < partners_count(all); i++) {
		const struct partner *p = partners_at(all, i);
		const char *fell;

		demand(p->id && *p->id && partners_find(all, p->id) != NULL);
		demand(!p->site || !strncmp(p->site, "https://", 8));
		for (int l = 0; l < 3; l++)
			demand(partner_words(&p->name, languages[l], &fell) != NULL);
		partner_fits(arena, p, "arava");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	static char path[40];
	static int fd = -1;
	struct partners *all;
	char *why = NULL;

	if (!arena) {
		arena = arena_new();
		fd = memfd_create("partners", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	demand(fd >= 0 && ftruncate(fd, 0) == 0);
	demand(pwrite(fd, data, size, 0) == (ssize_t)size);
	all = partners_load(path, &why);
	demand(all ? why == NULL : why != NULL && strstr(why, path) != NULL);
	if (all)
		show(arena, all);
	free(why);
	partners_free(all);
	arena_forget(arena);
	return 0;
}
