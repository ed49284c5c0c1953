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

/* In the language of the turn; NULL when nothing falls on these times. */
struct card *warn_card(struct turn *t, const struct warn_time *times, size_t count);
/* The same as a paragraph of a card; false: nothing was added. */
bool warn_add(struct turn *t, struct card *card, const struct warn_time *times, size_t count);

#endif
