/*
 * A word to whoever plans something: what falls on that time for somebody of the region
 * (base/almanac.h). It is a hint and never a prohibition, the same for every day and everybody's
 * days.
 */
#ifndef CORE_WARN_H
#define CORE_WARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/turn.h"

struct card;

struct warn_time {
	int64_t from, until; /* unix s; the same: a moment */
};

/* The times to look at for something on the clock of that zone: itself; far away also the same
 * hours on the wall here, because whoever comes there keeps the days by that place's sun. How many.
 */
size_t warn_times(struct turn *t, const char *zone_name, int64_t start, int64_t finish,
    struct warn_time times[2]);
/* In the language of the turn; NULL when nothing falls on these times. */
struct card *warn_card(struct turn *t, const struct warn_time *times, size_t count);
/* The same as a paragraph of a card; false: nothing was added. */
bool warn_add(struct turn *t, struct card *card, const struct warn_time *times, size_t count);

#endif
