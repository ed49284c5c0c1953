#include "base/recurrence.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	DAY_S = 86400,
	LAST_YEAR = 9999,
	/* Periods without a day after which a rule has ended: the 28-year cycle and, for a skipped
	   leap year, once more. */
	EMPTY_YEARS = 60,
	EMPTY_MONTHS = 12 * 60,
	EMPTY_WEEKS = 53 * 60,
	EMPTY_DAYS = 366 * 60,
};

static const char weekday_names[7][3] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};

static bool
in_set(const uint64_t *set, int64_t n)
{
	return n >= 0 && n < 384 && (set[n / 64] >> (n % 64) & 1);
}

/* One signed number of a list, |n| from `least` to `most`; moves on behind the comma. */
static bool
take_number(const char **list, int least, int most, int *number)
{
	char *end;
	long n = strtol(*list, &end, 10);

	if (end == *list || (*end && *end != ',') || labs(n) < least || labs(n) > most)
		return false;
	*number = (int)n;
	*list = *end ? end + 1 : end;
	return true;
}

static bool
read_set(const char *list, int least, int most, uint64_t *set, uint64_t *back)
{
	int n;

	if (!*list)
		return false;
	while (*list) {
		if (!take_number(&list, least, most, &n) || (n < 0 && !back))
			return false;
		uint64_t *into = n < 0 ? back : set;
		n = abs(n);
		into[n / 64] |= (uint64_t)1 << (n % 64);
	}
	return true;
}

static int
weekday_of(const char *name)
{
	for (int i = 0; i < 7; i++)
		if (strncasecmp(name, weekday_names[i], 2) == 0)
			return i;
	return -1;
}

static bool
read_weekdays(struct rule *rule, const char *list)
{
	if (!*list)
		return false;
	while (*list) {
		char *end;
		long n = strtol(list, &end, 10);
		int day = weekday_of(end);
		if (day < 0 || labs(n) > 53 || (end != list && n == 0) || (end[2] && end[2] != ','))
			return false;
		if (n == 0)
			rule->weekdays |= (uint8_t)(1 << day);
		else if (n > 0)
			rule->nth[day] |= (uint64_t)1 << n;
		else
			rule->nth_back[day] |= (uint64_t)1 << -n;
		rule->nth_given = rule->nth_given || n != 0;
		list = end[2] ? end + 3 : end + 2;
	}
	return true;
}

/* 19971224, 19971224T000000 or with a Z. */
static bool
read_until(struct rule *rule, const char *text)
{
	size_t figures = strspn(text, "0123456789");
	long long date = strtoll(text, NULL, 10), time = 0;

	if (figures != 8)
		return false;
	rule->until_date = text[8] == 0;
	if (!rule->until_date) {
		if ((text[8] != 'T' && text[8] != 't') || strspn(text + 9, "0123456789") != 6)
			return false;
		time = strtoll(text + 9, NULL, 10);
		rule->until_utc = text[15] == 'Z' || text[15] == 'z';
	}
	rule->until = (struct civil){.year = date / 10000,
	    .month = (int)(date / 100 % 100),
	    .day = (int)(date % 100),
	    .hour = (int)(time / 10000),
	    .minute = (int)(time / 100 % 100),
	    .second = (int)(time % 100)};
	rule->until_given = true;
	return civil_valid(&rule->until);
}

static bool
read_frequency(struct rule *rule, const char *value)
{
	static const char *const names[] = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"};

	for (int i = 0; i < 4; i++)
		if (strcasecmp(value, names[i]) == 0) {
			rule->frequency = (enum recurrence_frequency)i;
			return true;
		}
	rule->once_only = true;
	return strcasecmp(value, "HOURLY") == 0 || strcasecmp(value, "MINUTELY") == 0 ||
	       strcasecmp(value, "SECONDLY") == 0;
}

static bool
read_small(const char *list, int least, int most, uint64_t *set, uint64_t *back)
{
	uint64_t wide[6] = {0}, wide_back[6] = {0};

	if (!read_set(list, least, most, wide, back ? wide_back : NULL))
		return false;
	*set = wide[0];
	if (back)
		*back = wide_back[0];
	return true;
}

static bool
read_days(struct rule *rule, const char *name, const char *value)
{
	uint64_t set = 0, back = 0;

	if (strcasecmp(name, "BYDAY") == 0)
		return read_weekdays(rule, value);
	if (strcasecmp(name, "BYYEARDAY") == 0)
		return read_set(value, 1, 366, rule->yeardays, rule->yeardays_back);
	if (strcasecmp(name, "BYWEEKNO") == 0)
		return read_small(value, 1, 53, &rule->weeks, &rule->weeks_back);
	if (strcasecmp(name, "BYMONTHDAY") == 0) {
		if (!read_small(value, 1, 31, &set, &back))
			return false;
		rule->monthdays = (uint32_t)set;
		rule->monthdays_back = (uint32_t)back;
		return true;
	}
	if (strcasecmp(name, "BYMONTH") == 0) {
		bool good = read_small(value, 1, 12, &set, NULL);
		rule->months = (uint16_t)set;
		return good;
	}
	return true; /* parts nobody has defined yet change nothing */
}

static bool
read_times(struct rule *rule, const char *name, const char *value, bool *known)
{
	uint64_t set = 0;

	*known = true;
	if (strcasecmp(name, "BYHOUR") == 0) {
		bool good = read_small(value, 0, 23, &set, NULL);
		rule->hours = (uint32_t)set;
		return good;
	}
	if (strcasecmp(name, "BYMINUTE") == 0)
		return read_small(value, 0, 59, &rule->minutes, NULL);
	if (strcasecmp(name, "BYSECOND") == 0) {
		bool good = read_small(value, 0, 60, &rule->seconds, NULL);
		if (rule->seconds >> 60 & 1)
			rule->seconds = (rule->seconds & ~((uint64_t)1 << 60)) | (uint64_t)1 << 59;
		return good;
	}
	*known = false;
	return true;
}

static bool
read_part(struct rule *rule, const char *name, const char *value)
{
	bool known;
	bool good = read_times(rule, name, value, &known);

	if (known)
		return good;
	if (strcasecmp(name, "FREQ") == 0)
		return read_frequency(rule, value);
	if (strcasecmp(name, "INTERVAL") == 0) {
		long n = strtol(value, NULL, 10);
		rule->interval = n < 1 ? 1 : n > 100000 ? 100000 : (int)n;
		return true;
	}
	if (strcasecmp(name, "COUNT") == 0) {
		rule->count = strtoll(value, NULL, 10);
		return rule->count > 0;
	}
	if (strcasecmp(name, "UNTIL") == 0)
		return read_until(rule, value);
	if (strcasecmp(name, "WKST") == 0) {
		rule->weekstart = weekday_of(value);
		return rule->weekstart >= 0;
	}
	if (strcasecmp(name, "BYSETPOS") == 0) {
		rule->setpos_given = true;
		return read_set(value, 1, 366, rule->setpos, rule->setpos_back);
	}
	if (strcasecmp(name, "RSCALE") == 0)
		rule->once_only = true;
	return read_days(rule, name, value);
}

bool
recurrence_read(struct rule *rule, const char *text)
{
	char part[4096];
	bool frequency = false;

	*rule = (struct rule){.interval = 1, .weekstart = 1};
	while (*text) {
		size_t length = strcspn(text, ";");
		if (length >= sizeof part)
			return false;
		size_t kept = 0;
		for (size_t i = 0; i < length; i++) /* Some programs write "MO, TU". */
			if (text[i] != ' ' && text[i] != '\t')
				part[kept++] = text[i];
		part[kept] = 0;
		text += length + (text[length] == ';');
		char *equals = strchr(part, '=');
		if (!equals && length > 0)
			return false;
		if (!equals)
			continue;
		*equals = 0;
		frequency = frequency || strcasecmp(part, "FREQ") == 0;
		/* What another calendar's rule says is not for us to judge. */
		if (!read_part(rule, part, equals + 1) && !rule->once_only)
			return false;
	}
	return frequency;
}

static bool
any(const uint64_t set[6])
{
	for (int i = 0; i < 6; i++)
		if (set[i])
			return true;
	return false;
}

static bool
any_yearday(const struct rule *rule)
{
	return any(rule->yeardays) || any(rule->yeardays_back);
}

/* Days the rule leaves open are the start's own. */
static void
fill_days(struct rule *rule, const struct civil *start)
{
	int weekday = civil_weekday(civil_days(start->year, start->month, start->day));
	bool by_day = rule->weekdays || rule->nth_given, by_week = rule->weeks || rule->weeks_back;

	if (by_day || any_yearday(rule) || rule->monthdays || rule->monthdays_back)
		return;
	if (by_week || rule->frequency == EVERY_WEEK) {
		rule->weekdays = (uint8_t)(1 << weekday);
	} else if (rule->frequency == EVERY_MONTH || rule->frequency == EVERY_YEAR) {
		rule->monthdays = (uint32_t)1 << start->day;
		if (rule->frequency == EVERY_YEAR && !rule->months)
			rule->months = (uint16_t)(1 << start->month);
	}
}

static void
fill_times(struct recurrence *r, const struct civil *start, bool all_day)
{
	uint64_t hours = r->rule.hours ? r->rule.hours : (uint64_t)1 << start->hour;
	uint64_t minutes = r->rule.minutes ? r->rule.minutes : (uint64_t)1 << start->minute;
	uint64_t seconds = r->rule.seconds ? r->rule.seconds : (uint64_t)1 << start->second;

	r->time_count = 0;
	if (all_day) {
		r->times[r->time_count++] = 0;
		return;
	}
	for (int h = 0; h < 24; h++)
		for (int m = 0; m < 60 && hours >> h & 1; m++)
			for (int s = 0; s < 60 && minutes >> m & 1; s++)
				if ((seconds >> s & 1) && r->time_count < RECURRENCE_TIMES)
					r->times[r->time_count++] = h * 3600 + m * 60 + s;
}

static int
year_days(int64_t year)
{
	return civil_leap(year) ? 366 : 365;
}

/* RFC 5545: week 1 is the first with four days in the year; a day counts in the year of its week's
 * fourth day. */
static bool
week_matches(const struct rule *rule, int64_t day)
{
	int into = (civil_weekday(day) - rule->weekstart + 7) % 7;
	int64_t fourth = day - into + 3;
	struct civil c = civil_date(fourth);
	int yearday = (int)(fourth - civil_days(c.year, 1, 1));
	int week = yearday / 7 + 1, weeks = (year_days(c.year) - 1 - yearday % 7) / 7 + 1;

	return (rule->weeks >> week & 1) || (rule->weeks_back >> (weeks + 1 - week) & 1);
}

/* `yearday` from 0. An ordinal counts in the month or the year, and means nothing in a week or a
 * day. */
static bool
weekday_matches(const struct rule *rule, const struct civil *c, int64_t day, int yearday)
{
	int weekday = civil_weekday(day);
	bool in_month = rule->frequency == EVERY_MONTH || rule->months;
	int place = in_month ? c->day - 1 : yearday;
	int last = (in_month ? civil_month_days(c->year, c->month) : year_days(c->year)) - 1;

	if (rule->weekdays >> weekday & 1)
		return true;
	if (!rule->nth_given)
		return false;
	if (rule->frequency == EVERY_DAY || rule->frequency == EVERY_WEEK || rule->weeks ||
	    rule->weeks_back)
		return rule->nth[weekday] || rule->nth_back[weekday];
	return (rule->nth[weekday] >> (place / 7 + 1) & 1) ||
	       (rule->nth_back[weekday] >> ((last - place) / 7 + 1) & 1);
}

static bool
day_matches(const struct rule *rule, int64_t day)
{
	struct civil c = civil_date(day);

	if (rule->months && !(rule->months >> c.month & 1))
		return false;
	if (rule->monthdays || rule->monthdays_back) {
		int back = civil_month_days(c.year, c.month) + 1 - c.day;
		if (!(rule->monthdays >> c.day & 1) && !(rule->monthdays_back >> back & 1))
			return false;
	}
	int yearday = (int)(day - civil_days(c.year, 1, 1));
	if (any_yearday(rule) && !in_set(rule->yeardays, yearday + 1) &&
	    !in_set(rule->yeardays_back, year_days(c.year) - yearday))
		return false;
	if ((rule->weeks || rule->weeks_back) && !week_matches(rule, day))
		return false;
	return (!rule->weekdays && !rule->nth_given) || weekday_matches(rule, &c, day, yearday);
}

/* The first day of the period and how many it has. */
static int64_t
period_days(const struct recurrence *r, int *length)
{
	struct civil start = civil_from(r->start_s);
	int64_t day = civil_floor(r->start_s, DAY_S), steps = r->period * r->rule.interval;

	if (r->rule.frequency == EVERY_DAY) {
		*length = 1;
		return day + steps;
	}
	if (r->rule.frequency == EVERY_WEEK) {
		*length = 7;
		return day - (civil_weekday(day) - r->rule.weekstart + 7) % 7 + 7 * steps;
	}
	if (r->rule.frequency == EVERY_YEAR) {
		*length = year_days(start.year + steps);
		return civil_days(start.year + steps, 1, 1);
	}
	int64_t months = start.year * 12 + start.month - 1 + steps;
	int month = (int)(months % 12) + 1;
	*length = civil_month_days(months / 12, month);
	return civil_days(months / 12, month, 1);
}

/* Fills in the next period that has days; false at the end of the calendar, the cycle or the work
 * allowed. */
static bool
load_period(struct recurrence *r)
{
	static const int empty[] = {EMPTY_DAYS, EMPTY_WEEKS, EMPTY_MONTHS, EMPTY_YEARS};
	int64_t last = civil_days(LAST_YEAR, 12, 31);

	for (; r->empty <= empty[r->rule.frequency]; r->empty++) {
		int length;
		int64_t first = period_days(r, &length);
		if (first > last || first > civil_floor(r->until_s, DAY_S))
			return false;
		r->period++;
		r->at = 0;
		r->day_count = 0;
		for (int i = 0; i < length; i++)
			if (day_matches(&r->rule, first + i))
				r->days[r->day_count++] = first + i;
		r->steps += length;
		if (r->steps > RECURRENCE_STEPS) {
			r->exhausted = true;
			return false;
		}
		if (r->day_count > 0) {
			r->empty++;
			return true;
		}
	}
	return false;
}

static void
skip_to(struct recurrence *r, int64_t from_s)
{
	struct civil start = civil_from(r->start_s), from = civil_from(from_s);
	int64_t days = civil_floor(from_s - r->start_s, DAY_S), periods = 0;

	if (r->rule.frequency == EVERY_DAY)
		periods = days;
	else if (r->rule.frequency == EVERY_WEEK)
		periods = days / 7;
	else if (r->rule.frequency == EVERY_MONTH)
		periods = (from.year - start.year) * 12 + from.month - start.month;
	else
		periods = from.year - start.year;
	periods = periods / r->rule.interval - 1;
	if (periods > 0)
		r->period = periods;
}

void
recurrence_begin(struct recurrence *r, const struct rule *rule, const struct civil *start,
    bool all_day, int64_t until_s, int64_t from_s)
{
	memset(r, 0, sizeof *r);
	r->rule = *rule;
	r->start_s = civil_seconds(start);
	r->until_s = until_s;
	fill_days(&r->rule, start);
	fill_times(r, start, all_day);
	if (rule->count == 0 && from_s > r->start_s)
		skip_to(r, from_s);
}

/* Whether this place of the period's set is one of those asked for. */
static bool
position_matches(const struct recurrence *r, int64_t at)
{
	int64_t size = (int64_t)r->day_count * r->time_count;

	return !r->rule.setpos_given || in_set(r->rule.setpos, at + 1) ||
	       in_set(r->rule.setpos_back, size - at);
}

bool
recurrence_next(struct recurrence *r, int64_t *wall_s)
{
	if (r->rule.count && r->given >= r->rule.count)
		return false;
	for (;;) {
		int64_t size = (int64_t)r->day_count * r->time_count;
		while (r->at < size) {
			int64_t at = r->at++;
			r->steps++;
			if (!position_matches(r, at))
				continue;
			*wall_s =
			    r->days[at / r->time_count] * DAY_S + r->times[at % r->time_count];
			if (*wall_s > r->until_s)
				return false;
			if (*wall_s < r->start_s)
				continue;
			r->empty = 0;
			r->given++;
			return true;
		}
		if (!load_period(r))
			return false;
	}
}
