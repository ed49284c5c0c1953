#include "store/erased.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"

#include "store/place.h"
#include "store/scrub.h"

_Static_assert(sizeof(struct erased) == 32, "an entry has no holes");

/* A torn entry at the end, from a loss of power, is none. */
static FILE *
list_open(const char *path)
{
	return fopen(path, "rbe");
}

int64_t
erased_last(const char *path)
{
	FILE *f = list_open(path);
	struct erased e;
	int64_t last = 0;

	if (!f)
		return -1;
	while (fread(&e, sizeof(e), 1, f) == 1)
		if (e.serial > last)
			last = e.serial;
	fclose(f);
	return last;
}

bool
erased_add(const char *path, const struct erased *entries, size_t count)
{
	int fd = place_open(path);
	size_t bytes = count * sizeof(*entries);
	off_t end;
	bool good;

	if (fd < 0)
		return false;
	end = lseek(fd, 0, SEEK_END);
	end -= end % (off_t)sizeof(*entries);
	good = pwrite(fd, entries, bytes, end) == (ssize_t)bytes && !fsync(fd);
	close(fd);
	if (!end)
		place_sync(path);
	return good;
}

bool
erased_each(
    const char *path, int64_t after, void (*each)(void *ctx, const struct erased *entry), void *ctx)
{
	FILE *f = list_open(path);
	struct erased e;

	if (!f)
		return false;
	while (fread(&e, sizeof(e), 1, f) == 1)
		if (e.serial > after)
			each(ctx, &e);
	fclose(f);
	return true;
}

struct pruning {
	FILE *out;
	int64_t before_day, last;
	size_t kept, gone;
};

static void
keep_young(void *ctx, const struct erased *e)
{
	struct pruning *p = ctx;

	if (e->day < p->before_day && e->serial < p->last) {
		p->gone++;
		return;
	}
	p->kept += fwrite(e, sizeof(*e), 1, p->out);
}

void
erased_prune(const char *path, int64_t before_day)
{
	struct pruning p = {.before_day = before_day, .last = erased_last(path)};
	char *part = parts_say("%s.part", path);
	int fd = -1;
	bool good;

	scrub_unlink(part);
	if (p.last > 0)
		fd = place_new(part);
	p.out = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (p.out) {
		erased_each(path, 0, keep_young, &p);
		good = !fflush(p.out) && !ferror(p.out) && !fsync(fd) && p.gone;
		fclose(p.out);
		if (!good || rename(part, path))
			scrub_unlink(part);
		else
			place_sync(path);
	}
	free(part);
}
