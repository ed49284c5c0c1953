/* What the tests of feeds share: a parser's call, the items that were named before, the time that was
 * spent. Included by one test program each; everything is static. */
#ifndef FEED_WORLD_H
#define FEED_WORLD_H

#include "unit.h"

#include <stdbool.h>
#include <time.h>

#include "base/feed.h"

#include "in_arena.h"

enum { NOW_S = 1795478400 }; /* 2026-11-24 */

#define RSS(inside) "<rss version='2.0'><channel><title>C</title>" inside "</channel></rss>"

static inline struct feed *
parse(const char *text)
{
	return feed_parse(arena, text, strlen(text), NULL);
}

static inline double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The rule of feed.h, with an array for the table. */
struct seen {
	char *keys[512];
	size_t count;
};

static inline bool
seen_has(const struct seen *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (strcmp(s->keys[i], key) == 0)
			return true;
	return false;
}

static inline void
seen_add(struct seen *s, const char *key)
{
	if (key && !seen_has(s, key) && s->count < 512)
		s->keys[s->count++] = strdup(key);
}

/* How many items are new; their guids, each with a space behind, into `names`. */
static inline size_t
seen_new(struct seen *s, const struct feed *f, char *names, size_t room)
{
	size_t i, n = 0, used = 0;

	*names = 0;
	for (i = 0; i < f->count; i++) {
		struct feed_key k = feed_item_key(arena, &f->items[i]);

		if (!seen_has(s, k.key)) {
			n++;
			used += (size_t)snprintf(names + used, room - used, "%s ",
			    f->items[i].guid ? f->items[i].guid : f->items[i].title);
			assert_true(used < room);
		}
		seen_add(s, k.key);
		seen_add(s, k.also);
	}
	return n;
}

static inline void
seen_free(struct seen *s)
{
	while (s->count)
		free(s->keys[--s->count]);
}

#endif
