/*
 * build/bench-feed FILE…: CPU milliseconds a MB and peak memory of reading each feed (ten times),
 * and of the bombs. The limits are 100 ms a MB and 32 MB. With --check it ends with 1 above them.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/feed.h"

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long
peak_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* In a process of its own, so that its peak is its own. True when within the limits. */
static bool
measure(const char *name, const char *bytes, size_t length)
{
	int status = 1, i, times = length > (4 << 20) ? 2 : 10;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		struct arena *arena = arena_new();
		long before = peak_kb();
		double start = cpu_ms(), ms;
		struct feed *f = NULL;

		for (i = 0; i < times; i++) {
			arena_forget(arena);
			f = feed_parse(arena, bytes, length, NULL);
		}
		ms = (cpu_ms() - start) / times / ((double)length / 1e6);
		printf("%-34s %7.2f MB %6.1f ms/MB %6.1f MB memory  %s, %zu items\n", name,
		    (double)length / 1e6, ms, (double)(peak_kb() - before) / 1024,
		    feed_problem_name(f->problem), f->count);
		fflush(stdout);
		_exit((ms > 100 && length > 10000) || peak_kb() - before > 32 * 1024);
	}
	waitpid(child, &status, 0);
	return status == 0;
}

static bool
measure_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *bytes = malloc(FEED_MAX_BYTES);
	size_t length;
	bool ok;

	if (!f || !bytes) {
		perror(path);
		exit(1);
	}
	length = fread(bytes, 1, FEED_MAX_BYTES, f);
	fclose(f);
	ok = measure(strrchr(path, '/') ? strrchr(path, '/') + 1 : path, bytes, length);
	free(bytes);
	return ok;
}

#define OPEN "<rss><channel>"

int
main(int argc, char **argv)
{
	static const struct {
		const char *name, *head, *piece;
	} bombs[] = {
	    {"bomb: attribute", OPEN "<a b='", "xxxxxxxx"},
	    {"bomb: attribute, ill-formed", OPEN "&<a b='", "xxxxxxxx"},
	    {"bomb: CDATA", OPEN "<item><title><![CDATA[", "]]xxxxxx"},
	    {"bomb: depth", OPEN, "<a>"},
	    {"bomb: <", OPEN "<title>", "<"},
	    {"bomb: &", OPEN "<title>", "&"},
	    {"bomb: quotes", OPEN, "<br b=\">"},
	    {"bomb: references", OPEN "<title>", "&eacute;"},
	    {"bomb: bases", OPEN, "<a xml:base='http://x/yyyyyy'/>"},
	    {"bomb: items", OPEN, "<item/>"},
	    {"bomb: items, ill-formed", OPEN "&", "<item><title>x</title></item>"},
	    {"bomb: titles", OPEN,
		"<item><title>0123456789012345678901234567890123456</title></item>"},
	    {"bomb: script in titles", OPEN, "<title>&lt;script&lt;!--&lt;style </title>"},
	};
	bool check = argc > 1 && strcmp(argv[1], "--check") == 0, ok = true;
	size_t i, k;
	int a;

	for (a = 1 + check; a < argc; a++)
		ok &= measure_file(argv[a]);
	for (i = 0; i < sizeof(bombs) / sizeof(*bombs); i++) {
		size_t head = strlen(bombs[i].head), piece = strlen(bombs[i].piece);
		size_t n = ((15 << 20) - head) / piece;
		char *bytes = malloc(head + n * piece);

		if (!bytes)
			return 1;
		memcpy(bytes, bombs[i].head, head);
		for (k = 0; k < n; k++)
			memcpy(bytes + head + k * piece, bombs[i].piece, piece);
		ok &= measure(bombs[i].name, bytes, head + n * piece);
		free(bytes);
	}
	return check && !ok;
}
