/*
 * Dates and times as people read and write them. Weekday, day and month in the reader's language,
 * 24 hours, Latin digits, never mm/dd; Arabic writes the Levantine month and the other name after a
 * slash (COMMUNITY.md §3). ICU only writes; every conversion is done by base/zone.h, because ICU
 * brings stale zone data. Formatters are kept for each thread. Strings live in the arena.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/civil.h"

struct arena;
struct zone;
struct zones;

/*
 * "Friday 26 March 2027, 19:00–21:00". The venue's clock comes first; when another of `zone_names`
 * (NULL-terminated, may be NULL) shows another time at the start, each is named: "…, 19:00
 * Jerusalem / 18:00 Hebron". A zone that is unknown is left out; `venue_zone` may be NULL or "".
 * `end_s` 0 is none; an all-day end is the midnight after the last day. Instants are seconds since
 * 1970 UTC; for an all-day event the midnight of any zone nearby will do.
 */
char *clock_when(struct arena *arena, const char *language, struct zones *zones,
    const char *const *zone_names, const char *venue_zone, int64_t start_s, int64_t end_s,
    bool all_day);
/* "Friday 26 March 2027". */
char *clock_date(struct arena *arena, const char *language, const struct zone *zone, int64_t utc_s);
/*
 * What people type: 2027-03-26 19:00, 26/3/2027 19:00, 26.3.27 19:00, T or a comma between, seconds
 * or no time at all (00:00), Latin, Arabic-Indic or Persian digits; two figures of a year are 20xx.
 * Day before month, always. False, and *out untouched, when it is anything else or no such day.
 */
bool clock_parse(const char *text, struct civil *out);

#endif
