#include "base/civil.h"

#include <stdio.h>

int64_t
civil_floor(int64_t a, int64_t b)
{
	return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}

int64_t
civil_days(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = civil_floor(y, 400);
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct civil
civil_date(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = civil_floor(z, 146097);
	int64_t day = z - era * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100);
	int month = (int)((5 * of_year + 2) / 153);
	struct civil c = {0};

	c.day = (int)(of_year - (153 * month + 2) / 5 + 1);
	c.month = month < 10 ? month + 3 : month - 9;
	c.year = year + era * 400 + (c.month <= 2);
	return c;
}

int64_t
civil_seconds(const struct civil *c)
{
	return civil_days(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 +
	       c->second;
}

struct civil
civil_from(int64_t seconds)
{
	int64_t days = civil_floor(seconds, 86400);
	int rest = (int)(seconds - days * 86400);
	struct civil c = civil_date(days);

	c.hour = rest / 3600;
	c.minute = rest / 60 % 60;
	c.second = rest % 60;
	return c;
}

int
civil_weekday(int64_t days)
{
	return (int)(((days + 4) % 7 + 7) % 7);
}

int
civil_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int
civil_month_days(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && civil_leap(year));
}

int
civil_valid(const struct civil *c)
{
	return c->year >= 1 && c->year <= 9999 && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
	       c->day <= civil_month_days(c->year, c->month) && c->hour >= 0 && c->hour <= 23 &&
	       c->minute >= 0 && c->minute <= 59 && c->second >= 0 && c->second <= 59;
}

/* Exactly `digits` digits at *at, which moves on; -1 when they are not there. */
static int
number(const char **at, int digits)
{
	int n = 0;

	for (; digits > 0; digits--, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		n = n * 10 + (**at - '0');
	}
	return n;
}

static int
after(const char **at, char sign, int digits)
{
	if (**at != sign)
		return -1;
	(*at)++;
	return number(at, digits);
}

int
civil_read(const char *text, struct civil *c)
{
	const char *at = text;
	struct civil got = {0};

	got.year = number(&at, 4);
	got.month = after(&at, '-', 2);
	got.day = after(&at, '-', 2);
	if (got.month >= 0 && got.day >= 0 && (*at == 'T' || *at == ' ')) {
		at++;
		got.hour = number(&at, 2);
		got.minute = after(&at, ':', 2);
		if (*at)
			got.second = after(&at, ':', 2);
	}
	if (got.month < 1 || *at || !civil_valid(&got))
		return 0;
	*c = got;
	return 1;
}

char *
civil_write(const struct civil *c, char text[CIVIL_TEXT])
{
	snprintf(text, CIVIL_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", (int)(c->year % 100000),
	    c->month, c->day, c->hour, c->minute, c->second);
	return text;
}
