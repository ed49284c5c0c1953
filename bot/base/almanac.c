/* Which days are whose: a table of rules, each a date in its own calendar. */
#include "base/almanac.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/ucal.h>

#include "base/arena.h"
#include "base/civil.h"
#include "base/sun.h"
#include "base/zone.h"

const struct almanac_city almanac_cities[] = {
    {"jerusalem", "Asia/Jerusalem", 31.778, 35.235},
    {"haifa", "Asia/Jerusalem", 32.794, 34.990},
    {"hebron", "Asia/Hebron", 31.530, 35.095},
    {"gaza", "Asia/Gaza", 31.502, 34.466},
    {0},
};

enum {
	DAY_S = 86400,
	LONGEST = 31, /* days of one occasion */
	NEAR = 20,    /* days by which an override moves */
	MOST = 100,   /* days looked at */
	NOON_BEFORE_S = 1800,
	NOON_AFTER_S = 4500,
	IFTAR_BEFORE_S = 1800,
	IFTAR_AFTER_S = 3600,
};

/* ---- the rules ---- */

enum reckoning { GREGORIAN, JULIAN, HEBREW, HIJRI, EASTER_WEST, EASTER_EAST };
enum hebrew {
	TISHRI,
	HESHVAN,
	KISLEV,
	TEVET,
	SHEVAT,
	ADAR_I,
	ADAR,
	NISAN,
	IYAR,
	SIVAN,
	TAMMUZ,
	AV
};
enum hijri {
	MUHARRAM,
	SAFAR,
	RABI_I,
	RABI_II,
	JUMADA_I,
	JUMADA_II,
	RAJAB,
	SHABAN,
	RAMADAN,
	SHAWWAL,
	DHU_QADA,
	DHU_HIJJA
};

/* By how many days it is moved when its date falls on Sunday, Monday, … Saturday. Fasts make way
 * for Shabbat; the days of remembrance keep Shabbat free of their preparation (laws of 1959 and
 * 1963 as amended in 1997 and 2004). */
static const int8_t never[7],
    fast[7] = {[6] = 1}, esther[7] = {[6] = -2}, shoah[7] = {[0] = 1, [5] = -1},
    zikaron[7] = {[0] = 1, [4] = -1, [5] = -2}, atzmaut[7] = {[1] = 1, [5] = -1, [6] = -2},
    rabin[7] = {[5] = -1};

struct rule {
	const char *id;
	enum reckoning reckoning;
	int month, day; /* months from 1, of ICU's calendars from 0; for Easter days after it */
	int length;	/* 0: its month */
	enum almanac_span span;
	const int8_t *shift;
};

#define EVENING ALMANAC_EVENING
static const struct rule rules[] = {
    {"rosh_hashana", HEBREW, TISHRI, 1, 2, EVENING, never},
    {"gedalia", HEBREW, TISHRI, 3, 1, ALMANAC_FAST, fast},
    {"yom_kippur", HEBREW, TISHRI, 10, 1, EVENING, never},
    {"sukkot", HEBREW, TISHRI, 15, 7, EVENING, never},
    {"simchat_torah", HEBREW, TISHRI, 22, 1, EVENING, never},
    {"rabin", HEBREW, HESHVAN, 12, 1, EVENING, rabin},
    {"hanukkah", HEBREW, KISLEV, 25, 8, EVENING, never},
    {"tevet", HEBREW, TEVET, 10, 1, ALMANAC_FAST, never},
    {"esther", HEBREW, ADAR, 13, 1, ALMANAC_FAST, esther},
    {"purim", HEBREW, ADAR, 14, 2, EVENING, never},
    {"pesach", HEBREW, NISAN, 15, 7, EVENING, never},
    {"yom_hashoah", HEBREW, NISAN, 27, 1, EVENING, shoah},
    {"yom_hazikaron", HEBREW, IYAR, 4, 1, EVENING, zikaron},
    {"yom_haatzmaut", HEBREW, IYAR, 5, 1, EVENING, atzmaut},
    {"lag_baomer", HEBREW, IYAR, 18, 1, EVENING, never},
    {"jerusalem_day", HEBREW, IYAR, 28, 1, EVENING, never},
    {"shavuot", HEBREW, SIVAN, 6, 1, EVENING, never},
    {"tammuz", HEBREW, TAMMUZ, 17, 1, ALMANAC_FAST, fast},
    {"tisha_bav", HEBREW, AV, 9, 1, EVENING, fast},
    {"hijri_new_year", HIJRI, MUHARRAM, 1, 1, EVENING, never},
    {"ashura", HIJRI, MUHARRAM, 10, 1, EVENING, never},
    {"mawlid", HIJRI, RABI_I, 12, 1, EVENING, never},
    {"isra_miraj", HIJRI, RAJAB, 27, 1, EVENING, never},
    {"ramadan", HIJRI, RAMADAN, 1, 0, EVENING, never},
    {"laylat_al_qadr", HIJRI, RAMADAN, 27, 1, EVENING, never},
    {"eid_al_fitr", HIJRI, SHAWWAL, 1, 3, EVENING, never},
    {"arafa", HIJRI, DHU_HIJJA, 9, 1, EVENING, never},
    {"eid_al_adha", HIJRI, DHU_HIJJA, 10, 4, EVENING, never},
    {"epiphany_west", GREGORIAN, 1, 6, 1, ALMANAC_DAY, never},
    {"ash_wednesday", EASTER_WEST, 0, -46, 1, ALMANAC_DAY, never},
    {"palm_sunday_west", EASTER_WEST, 0, -7, 1, ALMANAC_DAY, never},
    {"holy_thursday_west", EASTER_WEST, 0, -3, 1, ALMANAC_DAY, never},
    {"good_friday_west", EASTER_WEST, 0, -2, 1, ALMANAC_DAY, never},
    {"holy_saturday_west", EASTER_WEST, 0, -1, 1, ALMANAC_DAY, never},
    {"easter_west", EASTER_WEST, 0, 0, 2, ALMANAC_DAY, never},
    {"ascension_west", EASTER_WEST, 0, 39, 1, ALMANAC_DAY, never},
    {"pentecost_west", EASTER_WEST, 0, 49, 1, ALMANAC_DAY, never},
    {"christmas_west", GREGORIAN, 12, 24, 2, ALMANAC_DAY, never},
    {"palm_sunday_east", EASTER_EAST, 0, -7, 1, ALMANAC_DAY, never},
    {"holy_thursday_east", EASTER_EAST, 0, -3, 1, ALMANAC_DAY, never},
    {"good_friday_east", EASTER_EAST, 0, -2, 1, ALMANAC_DAY, never},
    {"saturday_of_light", EASTER_EAST, 0, -1, 1, ALMANAC_DAY, never},
    {"easter_east", EASTER_EAST, 0, 0, 2, ALMANAC_DAY, never},
    {"ascension_east", EASTER_EAST, 0, 39, 1, ALMANAC_DAY, never},
    {"pentecost_east", EASTER_EAST, 0, 49, 1, ALMANAC_DAY, never},
    {"christmas_east", JULIAN, 12, 24, 2, ALMANAC_DAY, never},
    {"epiphany_east", JULIAN, 1, 6, 1, ALMANAC_DAY, never},
    {"christmas_armenian", JULIAN, 1, 5, 2, ALMANAC_DAY, never},
    {"al_khidr", GREGORIAN, 1, 25, 1, ALMANAC_DAY, never},
    {"nabi_shuayb", GREGORIAN, 4, 25, 4, ALMANAC_DAY, never},
    {"nabi_sabalan", GREGORIAN, 9, 10, 1, ALMANAC_DAY, never},
    {"land_day", GREGORIAN, 3, 30, 1, ALMANAC_DAY, never},
    {"prisoners_day", GREGORIAN, 4, 17, 1, ALMANAC_DAY, never},
    {"nakba_day", GREGORIAN, 5, 15, 1, ALMANAC_DAY, never},
    {"naksa_day", GREGORIAN, 6, 5, 1, ALMANAC_DAY, never},
    {"october_2000", GREGORIAN, 10, 1, 1, ALMANAC_DAY, never},
    {"october_7", GREGORIAN, 10, 7, 1, ALMANAC_DAY, never},
    {"kafr_qasim", GREGORIAN, 10, 29, 1, ALMANAC_DAY, never},
    {"arafat", GREGORIAN, 11, 11, 1, ALMANAC_DAY, never},
    {"declaration_1988", GREGORIAN, 11, 15, 1, ALMANAC_DAY, never},
    {"november_29", GREGORIAN, 11, 29, 1, ALMANAC_DAY, never},
};
enum { RULES = sizeof(rules) / sizeof(*rules) };

const char *
almanac_id(size_t i)
{
	return i < RULES ? rules[i].id : NULL;
}

static const struct rule *
rule_named(const char *id)
{
	for (size_t i = 0; i < RULES; i++)
		if (!strcmp(rules[i].id, id))
			return &rules[i];
	return NULL;
}

/* ---- dates of a day ---- */

struct calendars {
	UCalendar *hebrew, *hijri;
};

static UCalendar *
calendar_of(const char *locale)
{
	static const UChar utc[] = {'U', 'T', 'C', 0};
	UErrorCode error = U_ZERO_ERROR;
	UCalendar *calendar = ucal_open(utc, 3, locale, UCAL_DEFAULT, &error);

	return U_SUCCESS(error) ? calendar : NULL;
}

/* What a day is called in each reckoning. */
struct dates {
	int64_t day;
	int month[EASTER_EAST + 1], date[EASTER_EAST + 1];
	int hijri_length; /* of its month, where it is the first of one */
};

static void
date_of(UCalendar *calendar, int64_t day, int *month, int *date, int *length)
{
	UErrorCode error = U_ZERO_ERROR;

	*month = *date = -1;
	if (!calendar)
		return;
	ucal_setMillis(calendar, (double)day * DAY_S * 1000.0, &error);
	*month = ucal_get(calendar, UCAL_MONTH, &error);
	*date = ucal_get(calendar, UCAL_DATE, &error);
	if (length && *date == 1)
		*length = ucal_getLimit(calendar, UCAL_DATE, UCAL_ACTUAL_MAXIMUM, &error);
	if (U_FAILURE(error))
		*month = *date = -1;
}

/* The Julian calendar is so many days behind. */
static int64_t
julian_behind(int64_t year)
{
	return year / 100 - year / 400 - 2;
}

/* Meeus, Astronomical Algorithms, chapter 8: of the Gregorian calendar (Butcher, 1876). */
static int64_t
easter_west(int64_t year)
{
	int64_t a = year % 19, b = year / 100, c = year % 100;
	int64_t d = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
	int64_t e = (32 + 2 * (b % 4) + 2 * (c / 4) - d - c % 4) % 7;
	int64_t f = d + e - 7 * ((a + 11 * d + 22 * e) / 451) + 114;

	return civil_days(year, (int)(f / 31), (int)(f % 31) + 1);
}

/* The same chapter, of the Julian calendar, which is then read as a Gregorian date. */
static int64_t
easter_east(int64_t year)
{
	int64_t d = (19 * (year % 19) + 15) % 30;
	int64_t e = (2 * (year % 4) + 4 * (year % 7) - d + 34) % 7;
	int64_t f = d + e + 114;

	return civil_days(year, (int)(f / 31), (int)(f % 31) + 1) + julian_behind(year);
}

/* No month of theirs is shorter than 29 days, and to ask ICU for each day costs milliseconds. */
static bool
follows(const struct dates *before, enum reckoning reckoning, int64_t day, struct dates *d)
{
	int date = before->date[reckoning];

	if (before->day + 1 != day || date < 1 || date >= 29)
		return false;
	d->month[reckoning] = before->month[reckoning];
	d->date[reckoning] = date + 1;
	return true;
}

static struct dates
dates_of(const struct calendars *calendars, const struct dates *before, int64_t day)
{
	struct civil civil = civil_date(day), julian = civil_date(day - julian_behind(civil.year));
	struct dates d = {.day = day};

	d.month[GREGORIAN] = civil.month;
	d.date[GREGORIAN] = civil.day;
	d.month[JULIAN] = julian.month;
	d.date[JULIAN] = julian.day;
	if (!follows(before, HEBREW, day, &d))
		date_of(calendars->hebrew, day, &d.month[HEBREW], &d.date[HEBREW], NULL);
	if (!follows(before, HIJRI, day, &d))
		date_of(calendars->hijri, day, &d.month[HIJRI], &d.date[HIJRI], &d.hijri_length);
	d.date[EASTER_WEST] = (int)(day - easter_west(civil.year));
	d.date[EASTER_EAST] = (int)(day - easter_east(civil.year));
	return d;
}

/* ---- a list that grows ---- */

struct list {
	struct arena *arena;
	struct almanac_day *days;
	size_t count, room;
};

static struct almanac_day *
add(struct list *list, struct almanac_day day)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct almanac_day *more = arena_alloc(list->arena, room * sizeof(*more));

		if (list->count)
			memcpy(more, list->days, list->count * sizeof(*more));
		list->days = more;
		list->room = room;
	}
	list->days[list->count] = day;
	return &list->days[list->count++];
}

static void
drop(struct list *list, size_t i)
{
	memmove(&list->days[i], &list->days[i + 1], (--list->count - i) * sizeof(*list->days));
}

static void
add_rule(struct list *list, const struct rule *rule, int64_t first, int length)
{
	add(list, (struct almanac_day){.id = rule->id,
		      .span = rule->span,
		      .moon = rule->reckoning == HIJRI,
		      .first = first,
		      .last = first + length - 1});
}

static void
add_rules(struct list *list, const struct dates *d)
{
	int weekday = civil_weekday(d->day);

	for (const struct rule *r = rules; r < rules + RULES; r++)
		if (d->month[r->reckoning] == r->month && d->date[r->reckoning] == r->day)
			add_rule(list, r, d->day + r->shift[weekday],
			    r->length ? r->length : d->hijri_length);
}

/* ---- what the configuration says ---- */

/* The day of a line, and what stands behind it; NULL: no date. */
static const char *
line_day(const char *line, int64_t *day)
{
	char date[11];
	struct civil civil;

	line += strspn(line, " \t");
	if (strlen(line) < sizeof(date))
		return NULL;
	memcpy(date, line, 10);
	date[10] = 0;
	line += 10;
	if (!civil_read(date, &civil) || !strspn(line, " \t"))
		return NULL;
	*day = civil_days(civil.year, civil.month, civil.day);
	return line + strspn(line, " \t");
}

const char *
almanac_wrong(const char *line)
{
	int64_t day;
	const char *what = line_day(line, &day);
	size_t n = what ? strlen(what) : 0;

	if (!what)
		return "expected YYYY-MM-DD and what";
	if (*what == '"')
		return n > 2 && what[n - 1] == '"' ? NULL : "expected a closing quote";
	if (!rule_named(what + (*what == '-')))
		return "expected a day the almanac knows, or words in quotes";
	return NULL;
}

static void
override(struct list *list, const char *line)
{
	int64_t day;
	const char *what = line_day(line, &day);
	const struct rule *rule = rule_named(what + (*what == '-'));
	int64_t length = rule && rule->length ? rule->length : 30;

	if (*what == '"') {
		add(list, (struct almanac_day){
			      .text = arena_copy(list->arena, what + 1, strlen(what) - 2),
			      .span = ALMANAC_DAY,
			      .first = day,
			      .last = day});
		return;
	}
	for (size_t i = list->count; i-- > 0;)
		if (list->days[i].id == rule->id && llabs(list->days[i].first - day) <= NEAR) {
			length = list->days[i].last - list->days[i].first + 1;
			drop(list, i);
		}
	if (*what != '-') {
		add_rule(list, rule, day, (int)length);
		list->days[list->count - 1].moon = false;
	}
}

/* Ramadan lasts until its feast, whatever was announced of either. */
static void
end_ramadan(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		for (size_t k = 0; k < list->count; k++) {
			struct almanac_day *r = &list->days[i], *eid = &list->days[k];

			if (r->id && eid->id && !strcmp(r->id, "ramadan") &&
			    !strcmp(eid->id, "eid_al_fitr") && eid->first > r->first &&
			    eid->first - r->last <= NEAR)
				r->last = eid->first - 1;
		}
}

/* ---- hours ---- */

/* The first (or last) moment at which the sun stands so in one of the cities. */
static int64_t
evening(int64_t day, double degrees, bool last)
{
	int64_t best = 0;

	for (const struct almanac_city *c = almanac_cities; c->id; c++) {
		int64_t at = sun_evening(c->latitude, c->longitude, day, degrees);

		if (!best || (at > best) == last)
			best = at;
	}
	return best;
}

/* Midnight on the clocks of the region: of the first, or of the last. */
static int64_t
midnight(struct zones *zones, int64_t day, bool last)
{
	struct civil wall = civil_date(day);
	int64_t best = 0;

	for (const struct almanac_city *c = almanac_cities; c->id; c++) {
		const struct zone *zone = zone_find(zones, c->zone);
		int64_t at = zone ? zone_instant(zone, &wall) : day * DAY_S - 2 * 3600;

		if (!best || (at > best) == last)
			best = at;
	}
	return best;
}

static void
set_hours(struct zones *zones, struct almanac_day *d)
{
	switch (d->span) {
	case ALMANAC_DAY:
		d->from = midnight(zones, d->first, false);
		d->until = midnight(zones, d->last + 1, true);
		return;
	case ALMANAC_EVENING:
		d->from = evening(d->first - 1, SUN_SET, false);
		break;
	case ALMANAC_FAST:
		d->from = midnight(zones, d->first, false);
		break;
	case ALMANAC_SHABBAT:
		d->from = evening(d->first, SUN_SET, false);
		break;
	case ALMANAC_NOON:
		d->from = sun_noon(almanac_cities[0].longitude, d->first) - NOON_BEFORE_S;
		d->until = d->from + NOON_BEFORE_S + NOON_AFTER_S;
		return;
	case ALMANAC_IFTAR:
		d->from = evening(d->first, SUN_SET, false) - IFTAR_BEFORE_S;
		d->until = evening(d->first, SUN_SET, true) + IFTAR_AFTER_S;
		return;
	}
	d->until = evening(d->last, SUN_NIGHT, true);
}

/* What comes every week, and every evening of Ramadan. */
static void
add_hours(struct list *list, int64_t day)
{
	size_t found = list->count;

	if (civil_weekday(day) == 5) {
		add(list,
		    (struct almanac_day){
			.id = "friday_noon", .span = ALMANAC_NOON, .first = day, .last = day});
		add(list,
		    (struct almanac_day){
			.id = "shabbat", .span = ALMANAC_SHABBAT, .first = day, .last = day + 1});
	}
	for (size_t i = 0; i < found; i++)
		if (list->days[i].id && !strcmp(list->days[i].id, "ramadan") &&
		    list->days[i].first <= day && day <= list->days[i].last)
			add(list, (struct almanac_day){.id = "iftar",
				      .span = ALMANAC_IFTAR,
				      .moon = list->days[i].moon,
				      .first = day,
				      .last = day});
}

static int
by_hour(const void *a, const void *b)
{
	const struct almanac_day *x = a, *y = b;

	return x->from != y->from ? (x->from > y->from) - (x->from < y->from)
				  : (x->until > y->until) - (x->until < y->until);
}

size_t
almanac_between(struct arena *arena, struct zones *zones, const char *const *overrides,
    int64_t from, int64_t until, struct almanac_day **out)
{
	int64_t low = civil_floor(from, DAY_S) - 1, high = civil_floor(until, DAY_S) + 1;
	struct calendars calendars = {
	    calendar_of("en@calendar=hebrew"), calendar_of("en@calendar=islamic-umalqura")};
	struct list list = {.arena = arena};
	struct dates dates = {0};
	size_t n = 0;

	if (high > low + MOST)
		high = low + MOST;
	for (int64_t day = low - LONGEST - NEAR; day <= high + LONGEST + NEAR; day++) {
		dates = dates_of(&calendars, &dates, day);
		add_rules(&list, &dates);
	}
	ucal_close(calendars.hebrew);
	ucal_close(calendars.hijri);
	for (; overrides && *overrides; overrides++)
		if (!almanac_wrong(*overrides))
			override(&list, *overrides);
	end_ramadan(&list);
	for (int64_t day = low; day <= high; day++)
		add_hours(&list, day);
	for (size_t i = 0; i < list.count; i++) {
		set_hours(zones, &list.days[i]);
		if (list.days[i].from < until && from < list.days[i].until)
			list.days[n++] = list.days[i];
	}
	if (n)
		qsort(list.days, n, sizeof(*list.days), by_hour);
	*out = list.days;
	return n;
}
