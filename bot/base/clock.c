#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unicode/ucal.h>
#include <unicode/udat.h>
#include <unicode/udatpg.h>
#include <unicode/ustring.h>

#include "base/arena.h"
#include "base/zone.h"

enum {
	CLOCKS = 4, /* shown side by side at most */
	LANGUAGES = 8,
	CITIES = 32,
	PATTERN = 64,
	WRITTEN = 160,
	DAY_S = 86400,
};

struct voice {
	char language[8];
	UDateFormat *date, *rest; /* rest: Arabic alone, the month's other name and the year */
};

struct city {
	char language[8], zone[48], name[WRITTEN];
};

/* Opening a formatter costs a thousand times what using one does, so each thread keeps its own. */
static _Thread_local struct voice voices[LANGUAGES];
static _Thread_local int voice_count;
static _Thread_local struct city cities[CITIES];
static _Thread_local int city_count;

static UDateFormat *
open_pattern(const char *locale, const char *zone, const char *pattern)
{
	UChar wide[PATTERN], id[PATTERN];
	UErrorCode error = U_ZERO_ERROR;

	u_strFromUTF8(wide, PATTERN, NULL, pattern, -1, &error);
	u_strFromUTF8(id, PATTERN, NULL, zone, -1, &error);
	if (U_FAILURE(error))
		return NULL;
	UDateFormat *made = udat_open(UDAT_PATTERN, UDAT_PATTERN, locale, id, -1, wide, -1, &error);
	if (U_FAILURE(error))
		return NULL;
	return made;
}

/* Any language ICU knows writes its own order of weekday, day, month and year. */
static UDateFormat *
open_other(const char *language)
{
	char locale[32], pattern[PATTERN];
	UChar skeleton[16], best[PATTERN];
	UErrorCode error = U_ZERO_ERROR;

	snprintf(locale, sizeof locale, "%s@numbers=latn", language);
	UDateTimePatternGenerator *generator = udatpg_open(locale, &error);
	u_uastrcpy(skeleton, "yMMMMEEEEd");
	udatpg_getBestPattern(generator, skeleton, -1, best, PATTERN - 1, &error);
	u_strToUTF8(pattern, PATTERN, NULL, best, -1, &error);
	udatpg_close(generator);
	return U_FAILURE(error) ? NULL : open_pattern(locale, "Etc/UTC", pattern);
}

static void
open_voice(struct voice *voice, const char *language)
{
	snprintf(voice->language, sizeof voice->language, "%s", language);
	if (strcmp(language, "ar") == 0) {
		voice->date = open_pattern("ar_PS@numbers=latn", "Etc/UTC", "EEEE، d MMMM");
		voice->rest = open_pattern("ar_EG@numbers=latn", "Etc/UTC", "MMMM y");
	} else if (strcmp(language, "he") == 0) {
		voice->date = open_pattern("he_IL@numbers=latn", "Etc/UTC", "EEEE, d בMMMM y");
	} else if (strcmp(language, "en") == 0) {
		voice->date = open_pattern("en_GB@numbers=latn", "Etc/UTC", "EEEE d MMMM y");
	} else {
		voice->date = open_other(language);
	}
}

static const struct voice *
voice_of(const char *language)
{
	for (int i = 0; i < voice_count; i++)
		if (strncmp(voices[i].language, language, sizeof voices[i].language - 1) == 0)
			return &voices[i];
	if (voice_count == LANGUAGES)
		return &voices[0];
	open_voice(&voices[voice_count], language);
	return &voices[voice_count++];
}

/* Writes what a clock shows, given as if it were UTC; false when ICU will not. */
static bool
write_with(const UDateFormat *format, int64_t wall_s, char *text)
{
	UChar wide[WRITTEN];
	UErrorCode error = U_ZERO_ERROR;

	if (!format)
		return false;
	udat_format(format, (UDate)wall_s * 1000, wide, WRITTEN, NULL, &error);
	u_strToUTF8(text, WRITTEN, NULL, wide, -1, &error);
	return !U_FAILURE(error) && error != U_STRING_NOT_TERMINATED_WARNING;
}

static char *
date_of(struct arena *arena, const char *language, int64_t wall_s)
{
	const struct voice *voice = voice_of(language);
	char date[WRITTEN], rest[WRITTEN];

	if (!write_with(voice->date, wall_s, date)) {
		struct civil c = civil_from(wall_s);
		return arena_print(arena, "%d/%d/%lld", c.day, c.month, (long long)c.year);
	}
	if (voice->rest && write_with(voice->rest, wall_s, rest))
		return arena_print(arena, "%s/%s", date, rest);
	return arena_string(arena, date);
}

static int64_t
wall_of(const struct zone *zone, int64_t utc_s)
{
	return utc_s + (zone ? zone_offset(zone, utc_s) : 0);
}

char *
clock_date(struct arena *arena, const char *language, const struct zone *zone, int64_t utc_s)
{
	return date_of(arena, language, wall_of(zone, utc_s));
}

/* ICU's name of a zone's city; for one it does not know, the end of the zone's own name. */
static void
find_city(struct city *city)
{
	char locale[32];

	/* CLDR transliterates the English name here; nobody in the city calls it that. */
	if (strcmp(city->language, "ar") == 0 && strcmp(city->zone, "Asia/Hebron") == 0) {
		snprintf(city->name, sizeof city->name, "الخليل");
		return;
	}
	snprintf(locale, sizeof locale, "%s@numbers=latn", city->language);
	UDateFormat *format = open_pattern(locale, city->zone, "VVV");
	bool found = write_with(format, 0, city->name);
	if (format) {
		UChar id[PATTERN], system[PATTERN];
		UErrorCode error = U_ZERO_ERROR;
		u_uastrncpy(id, city->zone, PATTERN);
		ucal_getCanonicalTimeZoneID(id, -1, system, PATTERN, NULL, &error);
		found = found && !U_FAILURE(error);
		udat_close(format);
	}
	if (found)
		return;
	const char *slash = strrchr(city->zone, '/');
	snprintf(city->name, sizeof city->name, "%s", slash ? slash + 1 : city->zone);
	for (char *c = city->name; *c; c++)
		if (*c == '_')
			*c = ' ';
}

static const char *
city_of(const char *language, const char *zone)
{
	for (int i = 0; i < city_count; i++)
		if (strcmp(cities[i].zone, zone) == 0 &&
		    strncmp(cities[i].language, language, sizeof cities[i].language - 1) == 0)
			return cities[i].name;
	if (city_count == CITIES)
		city_count = 0;
	struct city *city = &cities[city_count++];
	snprintf(city->language, sizeof city->language, "%s", language);
	snprintf(city->zone, sizeof city->zone, "%s", zone);
	find_city(city);
	return city->name;
}

/* Adds the zone unless one that shows the same time is there already. */
static int
add_clock(
    const struct zone **clocks, int count, struct zones *zones, const char *name, int64_t utc_s)
{
	const struct zone *zone = name && *name ? zone_find(zones, name) : NULL;

	if (!zone || count == CLOCKS)
		return count;
	for (int i = 0; i < count; i++)
		if (zone_offset(clocks[i], utc_s) == zone_offset(zone, utc_s))
			return count;
	clocks[count] = zone;
	return count + 1;
}

static char *
time_of(struct arena *arena, int64_t wall_s)
{
	struct civil c = civil_from(wall_s);

	return arena_print(arena, "%02d:%02d", c.hour, c.minute);
}

/* "19:00", "19:00–21:00" or, over midnight, the whole date again. `day` is the date already
 * written. */
static char *
span_of(struct arena *arena, const char *language, const struct zone *zone, int64_t day,
    int64_t start_s, int64_t end_s)
{
	int64_t from = wall_of(zone, start_s), to = wall_of(zone, end_s);
	int64_t end_day = civil_floor(to, DAY_S);
	const char *comma = strcmp(language, "ar") == 0 ? "،" : ",";
	char *text = time_of(arena, from);

	if (civil_floor(from, DAY_S) != day)
		text = arena_print(arena, "%s%s %s", date_of(arena, language, from), comma, text);
	if (end_s <= start_s)
		return text;
	/* A night that ends before six in the morning needs no second date. */
	if (end_day == civil_floor(from, DAY_S) ||
	    (end_s - start_s < DAY_S / 2 && to - end_day * DAY_S < DAY_S / 4))
		return arena_print(arena, "%s–%s", text, time_of(arena, to));
	return arena_print(
	    arena, "%s – %s%s %s", text, date_of(arena, language, to), comma, time_of(arena, to));
}

/* Noon tells the day, whichever zone's midnight the event was read at. */
static char *
days_of(struct arena *arena, const char *language, const struct zone *zone, int64_t start_s,
    int64_t end_s)
{
	int64_t first = wall_of(zone, start_s + DAY_S / 2), last = wall_of(zone, end_s - DAY_S / 2);
	char *text = date_of(arena, language, first);

	if (end_s <= start_s || civil_floor(last, DAY_S) <= civil_floor(first, DAY_S))
		return text;
	return arena_print(arena, "%s – %s", text, date_of(arena, language, last));
}

char *
clock_when(struct arena *arena, const char *language, struct zones *zones,
    const char *const *zone_names, const char *venue_zone, int64_t start_s, int64_t end_s,
    bool all_day)
{
	const struct zone *clocks[CLOCKS] = {0};
	int count = add_clock(clocks, 0, zones, venue_zone, start_s);

	for (int i = 0; zone_names && zone_names[i]; i++)
		count = add_clock(clocks, count, zones, zone_names[i], start_s);
	if (all_day)
		return days_of(arena, language, clocks[0], start_s, end_s);
	int64_t wall = wall_of(clocks[0], start_s), day = civil_floor(wall, DAY_S);
	char *text = arena_print(arena, "%s%s %s", date_of(arena, language, wall),
	    strcmp(language, "ar") == 0 ? "،" : ",",
	    span_of(arena, language, clocks[0], day, start_s, end_s));
	if (count < 2)
		return text;
	text = arena_print(arena, "%s %s", text, city_of(language, zone_name(clocks[0])));
	for (int i = 1; i < count; i++)
		text = arena_print(arena, "%s / %s %s", text,
		    span_of(arena, language, clocks[i], day, start_s, end_s),
		    city_of(language, zone_name(clocks[i])));
	return text;
}

/* Copies with Latin digits; spaces, a comma or T between date and time become one space. False when
 * too long. */
static bool
plain_digits(const char *text, char *plain, size_t room)
{
	size_t n = 0;

	for (const unsigned char *c = (const unsigned char *)text; *c;) {
		char digit = (char)*c;
		int width = 1;
		if (c[0] == 0xd9 && c[1] >= 0xa0 && c[1] <= 0xa9) { /* U+0660 */
			digit = (char)('0' + c[1] - 0xa0);
			width = 2;
		} else if (c[0] == 0xdb && c[1] >= 0xb0 && c[1] <= 0xb9) { /* U+06F0 */
			digit = (char)('0' + c[1] - 0xb0);
			width = 2;
		} else if (c[0] == 0xd8 && c[1] == 0x8c) { /* the Arabic comma */
			digit = ' ';
			width = 2;
		} else if (strchr(",Tt\t\n", *c)) {
			digit = ' ';
		}
		c += width;
		if (digit == ' ' && (n == 0 || plain[n - 1] == ' '))
			continue;
		if (n + 1 >= room)
			return false;
		plain[n++] = digit;
	}
	while (n > 0 && plain[n - 1] == ' ')
		n--;
	plain[n] = 0;
	return true;
}

/* A number of at most `most` figures; how many there were. */
static int
take_number(const char **text, int most, int *number)
{
	int figures = 0;

	*number = 0;
	for (; **text >= '0' && **text <= '9' && figures < most; (*text)++, figures++)
		*number = *number * 10 + **text - '0';
	return figures;
}

static bool
take_date(const char **text, struct civil *c)
{
	int first, second, third;
	int figures = take_number(text, 4, &first);
	char mark = **text;

	if (figures == 0 || figures == 3 || !mark || !strchr("-/.", mark))
		return false;
	(*text)++;
	int month_figures = take_number(text, 2, &second);
	if (month_figures == 0 || **text != mark)
		return false;
	(*text)++;
	int last = take_number(text, 4, &third);
	c->month = second;
	if (figures == 4) {
		c->year = first;
		c->day = third;
		return last == 1 || last == 2;
	}
	c->day = first;
	c->year = last == 2 ? 2000 + third : third;
	return last == 2 || last == 4;
}

static bool
take_time(const char **text, struct civil *c)
{
	if (!take_number(text, 2, &c->hour) || (**text != ':' && **text != '.'))
		return false;
	(*text)++;
	if (take_number(text, 2, &c->minute) != 2)
		return false;
	if (**text != ':')
		return true;
	(*text)++;
	return take_number(text, 2, &c->second) == 2;
}

bool
clock_parse(const char *text, struct civil *out)
{
	char plain[48];
	struct civil c = {0};
	const char *rest = plain;

	if (!plain_digits(text, plain, sizeof plain) || !take_date(&rest, &c))
		return false;
	if (*rest == ' ') {
		rest++;
		if (!take_time(&rest, &c))
			return false;
	}
	if (*rest || !civil_valid(&c))
		return false;
	*out = c;
	return true;
}
