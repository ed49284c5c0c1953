/*
 * Days and hours that matter to people of the region: Shabbat, the noon of Friday, Ramadan and its
 * iftar, holy days and fasts of Jews, Muslims, Christians of the western, eastern and Armenian
 * churches and Druze, days of remembrance of Palestinians and Israelis. Computed: Hebrew and Hijri
 * dates (umm al-qura) with ICU's calendars, Easter after Meeus, sunset by base/sun.h. What is
 * announced otherwise is overridden by the configuration.
 */
#ifndef BASE_ALMANAC_H
#define BASE_ALMANAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct zones;

enum almanac_span {
	ALMANAC_DAY,	 /* whole days */
	ALMANAC_EVENING, /* from the sunset before the first day to the night of the last */
	ALMANAC_FAST,	 /* the day until night */
	ALMANAC_SHABBAT,
	ALMANAC_NOON, /* of Friday */
	ALMANAC_IFTAR,
};

struct almanac_day {
	const char *id;	  /* the words "almanac.ID"; NULL: only `text` */
	const char *text; /* from the configuration, one for each language: "one|two|three" */
	enum almanac_span span;
	bool moon;	     /* computed from the moon: what is announced may differ by a day */
	int64_t first, last; /* day numbers of base/civil.h */
	int64_t from, until; /* unix s: from the first city that sees it to the last */
};

/* Where the sun is looked at. */
struct almanac_city {
	const char *id; /* the words "almanac.city.ID" */
	const char *zone;
	double latitude, longitude;
};
/* Ended by a NULL id. */
extern const struct almanac_city almanac_cities[];

/*
 * What touches from..until (unix s), in order of its beginning; the number. `overrides`
 * (NULL-terminated, may be NULL) are lines as almanac_wrong reads them; wrong ones are passed over.
 * Longer than a hundred days is cut.
 */
size_t almanac_between(struct arena *arena, struct zones *zones, const char *const *overrides,
    int64_t from, int64_t until, struct almanac_day **out);
/*
 * "2027-03-09 eid_al_fitr": it begins on that day; "2027-03-09 -purim": the one near that day is
 * not kept; `2027-03-09 "one|two|three"`: another day, in words of one's own. What is wrong with a
 * line as a sentence that stays valid; NULL: nothing.
 */
const char *almanac_wrong(const char *line);
/* The i-th id that an override may name; NULL behind the last. */
const char *almanac_id(size_t i);

#endif
