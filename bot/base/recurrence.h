/*
 * Recurrence rules (RFC 5545 3.3.10): reading one and walking through what it yields, as wall
 * times. Ours, because libical's own iterator spins for seconds on a crafted rule. Days are tested
 * one by one against the rule's sets, and a rule that yields nothing for a whole cycle of the
 * calendar has ended.
 */
#ifndef BASE_RECURRENCE_H
#define BASE_RECURRENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/civil.h"

enum recurrence_frequency { EVERY_DAY, EVERY_WEEK, EVERY_MONTH, EVERY_YEAR };

enum {
	RECURRENCE_TIMES = 1440,   /* of one day; a rule with more is shown once */
	RECURRENCE_STEPS = 800000, /* days and times looked at: a few hundredths of a second */
};

/* Sets are bits; `_back` counts from the end. */
struct rule {
	struct rule *next;
	enum recurrence_frequency frequency;
	int interval, weekstart;
	int64_t count; /* 0: no end */
	bool until_given, until_utc, until_date;
	struct civil until;
	bool once_only; /* sub-daily or of another calendar: not expanded */
	bool setpos_given, nth_given;
	uint8_t weekdays;
	uint16_t months;
	uint32_t monthdays, monthdays_back, hours;
	uint64_t weeks, weeks_back, minutes, seconds;
	uint64_t nth[7], nth_back[7];
	uint64_t yeardays[6], yeardays_back[6], setpos[6], setpos_back[6];
};

struct recurrence {
	struct rule rule; /* with the start's own day filled in */
	int64_t start_s, until_s, period, given;
	int64_t days[372];
	int day_count, time_count, empty;
	int64_t at; /* place within days times times */
	int32_t times[RECURRENCE_TIMES];
	int64_t steps;
	bool exhausted; /* ended by the work cap, not by itself */
};

/* False when the text is no rule. */
bool recurrence_read(struct rule *rule, const char *text);
/*
 * `until_s` is the last wall time allowed, INT64_MAX for none; a rule without COUNT may begin at
 * the period of `from_s` instead of at its start. Wall times are civil_seconds.
 */
void recurrence_begin(struct recurrence *r, const struct rule *rule, const struct civil *start,
    bool all_day, int64_t until_s, int64_t from_s);
/* The next wall time in ascending order, never before the start; false at the end. */
bool recurrence_next(struct recurrence *r, int64_t *wall_s);

#endif
