/*
 * iCalendar (RFC 5545): what happens between two instants. libical reads components and properties;
 * recurrence is ours, bounded by the calendar's 28-year cycle and by work caps, so that no rule can
 * hold the loop.
 *
 * A bad event costs only itself and counts as a problem. Texts are valid UTF-8 without bidi or
 * control characters, and capped. Sub-daily and RSCALE rules are shown once, with `once_only`.
 * Everything lives in the arena the calendar was parsed into, the zones must outlive it. Instants
 * are seconds since 1970 UTC.
 */
#ifndef BASE_CALENDAR_H
#define BASE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/civil.h"

struct arena;
struct zones;
struct calendar;

/* One event on one day. No pointer is NULL; what is missing is "". */
struct instance {
	const char *uid;
	const char *recurrence; /* tells the instances of one uid apart, stable when it moves:
				   "20270326T190000", or "" */
	const char *summary, *description, *location;
	const char *url;
	const char *zone; /* a zone's name; "" for UTC, floating and all-day events */
	int sequence;
	bool cancelled, all_day;
	bool once_only; /* repeats by a rule that is not expanded */
	struct civil start,
	    end; /* on the event's own clock; an all-day end is the day after the last */
	int64_t start_s, end_s; /* all-day: midnights of the calendar's own or the default zone */
};

/* NULL when it is no calendar at all. `default_zone` reads floating times where the calendar names
 * no zone. */
struct calendar *calendar_parse(struct arena *arena, const void *bytes, size_t length,
    struct zones *zones, const char *default_zone);
/* How many events or properties could not be read. */
int calendar_problems(const struct calendar *calendar);
/* Instances that touch [from_s, to_s), sorted by start; cancelled ones are among them, marked. */
size_t calendar_between(
    struct calendar *calendar, int64_t from_s, int64_t to_s, struct instance **out);

/* One event for a person's own calendar. No pointer is NULL; what is missing is "". */
struct invitation {
	const char *uid, *summary, *description, *location, *url;
	int sequence;
	bool cancelled, all_day;
	struct civil start, end; /* of an all-day event; its end is the day after the last */
	int64_t start_s, end_s;	 /* of any other */
	int64_t stamp_s;	 /* when this was written */
};
/* The file's text in the arena: instants as UTC, METHOD:CANCEL when it is called off, lines folded
 * at 75 bytes without cutting a letter. */
const char *calendar_write(struct arena *arena, const struct invitation *invitation);

#endif
