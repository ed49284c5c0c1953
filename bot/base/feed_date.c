#include "base/feed_date.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { UNSET = -1 };

struct date {
	int year, month, day, hour, minute, second;
	int offset_min;
	bool has_time, has_zone;
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar (Hinnant's days_from_civil). */
static int64_t
days_of(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int
month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool
date_done(const struct date *d, int64_t *unix_s)
{
	if (d->year < 1 || d->year > 9999 || d->month < 1 || d->month > 12 || d->day < 1 ||
	    d->day > month_days(d->year, d->month))
		return false;
	if (d->hour > 24 || d->minute > 59 || d->second > 60 ||
	    (d->hour == 24 && (d->minute || d->second)))
		return false;
	if (d->offset_min > 24 * 60 || d->offset_min < -24 * 60)
		return false;
	*unix_s = days_of(d->year, d->month, d->day) * 86400 + d->hour * 3600 + d->minute * 60 +
		  d->second - d->offset_min * 60;
	return true;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads up to `most` digits; returns how many there were. */
static int
number(const char **at, int most, int *value)
{
	int n = 0;

	*value = 0;
	while (n < most && digit((*at)[n]))
		*value = *value * 10 + ((*at)[n++] - '0');
	*at += n;
	return n;
}

/* "+02:00", "-0500", "+3", "Z" to the end; empty is UTC. */
static bool
zone_number(const char *p, struct date *d)
{
	int sign = *p == '-' ? -1 : 1, hours, minutes = 0, n;

	if (*p != '+' && *p != '-')
		return false;
	p++;
	n = number(&p, 4, &hours);
	if (n == 0)
		return false;
	if (n > 2) {
		minutes = hours % 100;
		hours /= 100;
	} else if (*p == ':') {
		p++;
		if (number(&p, 2, &minutes) != 2)
			return false;
	}
	if (*p || minutes > 59 || hours > 23)
		return false;
	d->offset_min = sign * (hours * 60 + minutes);
	d->has_zone = true;
	return true;
}

/* RFC 822's names, and those that are commonly met. */
static bool
zone_name(const char *p, struct date *d)
{
	static const struct {
		const char *name;
		int minutes;
	} names[] = {
	    {"Z", 0},
	    {"GMT", 0},
	    {"UT", 0},
	    {"UTC", 0},
	    {"Etc/GMT", 0},
	    {"Etc/UTC", 0},
	    {"WET", 0},
	    {"EST", -300},
	    {"EDT", -240},
	    {"ET", -300},
	    {"CST", -360},
	    {"CDT", -300},
	    {"CT", -360},
	    {"MST", -420},
	    {"MDT", -360},
	    {"MT", -420},
	    {"PST", -480},
	    {"PDT", -420},
	    {"PT", -480},
	    {"AST", -240},
	    {"ADT", -180},
	    {"AT", -240},
	    {"AKST", -540},
	    {"AKDT", -480},
	    {"HST", -600},
	    {"BST", 60},
	    {"WEST", 60},
	    {"CET", 60},
	    {"CEST", 120},
	    {"MEZ", 60},
	    {"MESZ", 120},
	    {"EET", 120},
	    {"EEST", 180},
	    {"IST", 120},
	    {"IDT", 180},
	    {"MSK", 180},
	    {"JST", 540},
	    {"KST", 540},
	    {"AEST", 600},
	    {"AEDT", 660},
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(p, names[i].name) == 0) {
			d->offset_min = names[i].minutes;
			d->has_zone = true;
			return true;
		}
	if ((strncasecmp(p, "GMT", 3) == 0 || strncasecmp(p, "UTC", 3) == 0) &&
	    zone_number(p + 3, d))
		return true;
	return false;
}

/* "12:00", "12:00:01", "12:00:01.5", nothing behind. */
static bool
clock_time(const char *p, struct date *d)
{
	if (number(&p, 2, &d->hour) == 0 || *p++ != ':' || number(&p, 2, &d->minute) == 0)
		return false;
	if (*p == ':') {
		p++;
		if (number(&p, 2, &d->second) == 0)
			return false;
	}
	if (*p == '.' || *p == ',') {
		p++;
		if (!digit(*p))
			return false;
		while (digit(*p))
			p++;
	}
	if (d->hour > 24 || d->minute > 59 || d->second > 60)
		return false;
	d->has_time = true;
	return *p == 0;
}

/* The time and zone of ISO 8601 behind the date: "T18:14:55+08:00", " 23:56:58 -00:20", "". */
static bool
iso_time(const char *p, struct date *d)
{
	char part[24];
	size_t n;

	if (*p == 'T' || *p == 't')
		p++;
	while (*p == ' ')
		p++;
	if (!*p)
		return true;
	n = strspn(p, "0123456789:.,");
	if (n == 0 || n >= sizeof(part) || n > 20)
		return false;
	if (n >= 4 && !memchr(p, ':', n)) {
		snprintf(part, sizeof(part), "%.2s:%.2s%s%.*s", p, p + 2, n > 4 ? ":" : "",
		    n > 4 ? (int)(n - 4) : 0, p + 4);
	} else {
		snprintf(part, sizeof(part), "%.*s", (int)n, p);
	}
	if (!clock_time(part, d))
		return false;
	p += n;
	while (*p == ' ')
		p++;
	return !*p || zone_number(p, d) || zone_name(p, d);
}

/* The day of the year stands in d->month: counted from January, so a leap year needs no care. */
static bool
ordinal_date(const char *behind, struct date *d, int64_t *unix_s)
{
	int64_t first;
	int days = d->month;

	d->month = 1;
	if (days < 1 || days > 366 || !iso_time(behind, d) || !date_done(d, &first))
		return false;
	*unix_s = first + (int64_t)(days - 1) * 86400;
	return true;
}

/* "2003", "2003-12", "2003-12-31", "20031231", "2003-365", "-0312" (2003-12), "2003-012-31". */
static bool
iso_date(const char *p, int64_t *unix_s)
{
	struct date d = {.month = 1, .day = 1};
	int n;

	if (*p == '-') {
		p++;
		if (number(&p, 4, &n) != 4 || *p)
			return false;
		d.year = 2000 + n / 100;
		d.month = n % 100;
		return date_done(&d, unix_s);
	}
	if (number(&p, 4, &d.year) != 4)
		return false;
	if (digit(*p)) {
		if (number(&p, 2, &d.month) != 2 || number(&p, 2, &d.day) != 2)
			return false;
	} else if (*p == '-' || *p == '/') {
		char mark = *p++;
		n = number(&p, 3, &d.month);
		if (n == 0)
			return false;
		if (*p == mark) {
			p++;
			if (number(&p, 2, &d.day) == 0)
				return false;
		} else if (n == 3) {
			return ordinal_date(p, &d, unix_s);
		}
	}
	return (!digit(*p) && *p != '-') && iso_time(p, &d) && date_done(&d, unix_s);
}

/* By the first three letters; the Greek ones as RFC 822 would have them. */
static int
month_named(const char *word)
{
	static const struct {
		const char *begins;
		int month;
	} names[] = {
	    {"jan", 1},
	    {"feb", 2},
	    {"mar", 3},
	    {"apr", 4},
	    {"may", 5},
	    {"jun", 6},
	    {"jul", 7},
	    {"aug", 8},
	    {"sep", 9},
	    {"oct", 10},
	    {"nov", 11},
	    {"dec", 12},
	    {"mai", 5},
	    {"okt", 10},
	    {"dez", 12},
	    {"Ιαν", 1},
	    {"Φεβ", 2},
	    {"Μάρ", 3},
	    {"Μαρ", 3},
	    {"Απρ", 4},
	    {"Μάι", 5},
	    {"Μαϊ", 5},
	    {"Μαι", 5},
	    {"Ιούν", 6},
	    {"Ιον", 6},
	    {"Ιούλ", 7},
	    {"Ιολ", 7},
	    {"Αύγ", 8},
	    {"Αυγ", 8},
	    {"Σεπ", 9},
	    {"Οκτ", 10},
	    {"Νοέ", 11},
	    {"Νοε", 11},
	    {"Δεκ", 12},
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncasecmp(word, names[i].begins, strlen(names[i].begins)) == 0)
			return names[i].month;
	return 0;
}

static int
year_of(int value, int digits)
{
	if (digits == 2)
		return value < 50 ? 2000 + value : 1900 + value;
	return digits == 3 ? 1900 + value : value;
}

/* The day, then the year: "6", "6th", "2022", "22". */
static bool
number_came(const char *p, struct date *d)
{
	int value, n = number(&p, 5, &value);

	if (*p && strcasecmp(p, "st") && strcasecmp(p, "nd") && strcasecmp(p, "rd") &&
	    strcasecmp(p, "th"))
		return false;
	if (d->day == UNSET && n <= 2) {
		d->day = value;
		return true;
	}
	if (d->year != UNSET || n > 4 || n < 2)
		return false;
	d->year = year_of(value, n);
	return true;
}

/* One word of a date; false when it fits nowhere. A weekday's name, or any other, says nothing. */
static bool
word_came(const char *word, struct date *d)
{
	int n;

	if (strchr(word, ':') && digit(*word))
		return !d->has_time && clock_time(word, d);
	if (digit(*word))
		return number_came(word, d);
	if (*word == '+' || *word == '-')
		return d->has_zone || zone_number(word, d);
	if (d->month == UNSET && (n = month_named(word)) > 0) {
		d->month = n;
		return true;
	}
	if (d->has_time && !d->has_zone && zone_name(word, d))
		return true;
	if (strcasecmp(word, "PM") == 0 && d->has_time && d->hour < 12)
		d->hour += 12;
	return true;
}

/* "31-Dec-2002" becomes three words. */
static void
dashes_part(char *text)
{
	char *dash = strchr(text, '-');

	if (!dash || dash == text || !digit(dash[-1]) || digit(dash[1]))
		return;
	*dash = ' ';
	dash = strchr(dash, '-');
	if (dash)
		*dash = ' ';
}

/* RFC 822 and asctime, in any order of day, month, year, time and zone. */
static bool
word_date(char *text, int64_t *unix_s)
{
	struct date d = {.year = UNSET, .month = UNSET, .day = UNSET};
	char *word, *rest = text;

	dashes_part(text);
	while ((word = strsep(&rest, " \t\r\n,()")))
		if (*word && !word_came(word, &d))
			return false;
	return d.year != UNSET && d.month != UNSET && d.day != UNSET && date_done(&d, unix_s);
}

/* "2004-05-25 오후 11:23:17" and "2004년 05월 28일 01:31:15": numbers in order, Seoul's time. */
static bool
korean_date(const char *p, int64_t *unix_s)
{
	struct date d = {.offset_min = 540};
	int *const parts[] = {&d.year, &d.month, &d.day, &d.hour, &d.minute, &d.second};
	bool afternoon = strstr(p, "오후") != NULL;
	size_t i = 0;

	if (!strstr(p, "오") && !strstr(p, "년"))
		return false;
	for (; *p; p++) {
		if (!digit(*p))
			continue;
		if (i == 6 || number(&p, 4, parts[i++]) == 0)
			return false;
		p--;
	}
	if (afternoon && d.hour < 12)
		d.hour += 12;
	return i >= 3 && date_done(&d, unix_s);
}

bool
feed_date_parse(const char *text, size_t length, int64_t *unix_s)
{
	char copy[96];
	int64_t found;
	bool ok;

	while (length && strchr(" \t\r\n", *text))
		text++, length--;
	while (length && strchr(" \t\r\n", text[length - 1]))
		length--;
	if (length == 0 || length >= sizeof(copy) || memchr(text, 0, length))
		return false;
	snprintf(copy, sizeof(copy), "%.*s", (int)length, text);
	ok = korean_date(copy, &found) || iso_date(copy, &found) || word_date(copy, &found);
	if (ok)
		*unix_s = found;
	return ok;
}

/* "PT1H2M3S", of which days, hours, minutes and seconds count. */
static bool
iso_duration(const char *p, int64_t *seconds)
{
	int64_t sum = 0;
	int value;

	for (p++; *p; p++) {
		if (*p == 'T')
			continue;
		if (number(&p, 6, &value) == 0)
			return false;
		if (*p == '.')
			for (p++; digit(*p);)
				p++;
		sum += (int64_t)value * (*p == 'D' ? 86400 : *p == 'H' ? 3600 : *p == 'M' ? 60 : 1);
		if (!*p || !strchr("DHMS", *p))
			return false;
	}
	*seconds = sum;
	return true;
}

bool
feed_date_duration(const char *text, size_t length, int64_t *seconds)
{
	char copy[32];
	const char *p = copy;
	int64_t sum = 0;
	int value, parts = 0;

	while (length && strchr(" \t\r\n", *text))
		text++, length--;
	while (length && strchr(" \t\r\n", text[length - 1]))
		length--;
	if (length == 0 || length >= sizeof(copy) || memchr(text, 0, length))
		return false;
	snprintf(copy, sizeof(copy), "%.*s", (int)length, text);
	if (*p == 'P') {
		if (!iso_duration(p, &sum))
			return false;
	} else {
		for (;;) {
			if (number(&p, 7, &value) == 0 || ++parts > 3)
				return false;
			sum = sum * 60 + value;
			if (*p != ':')
				break;
			p++;
		}
		/* A fraction of a second is dropped. */
		if (*p && (*p != '.' || p[1 + strspn(p + 1, "0123456789")]))
			return false;
	}
	if (sum > 7 * 86400)
		return false;
	*seconds = sum;
	return true;
}
