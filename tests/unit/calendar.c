#include "unit.h"

#include <jansson.h>
#include <time.h>

#include "base/arena.h"
#include "base/calendar.h"
#include "base/memory.h"
#include "base/recurrence.h"
#include "base/zone.h"

enum { DAY_S = 86400 };

static struct civil
compact(const char *text)
{
	struct civil c = {0};
	int year = 0;

	sscanf(text, "%4d%2d%2dT%2d%2d%2d", &year, &c.month, &c.day, &c.hour, &c.minute, &c.second);
	c.year = year;
	return c;
}

static bool
rule_holds(const char *text, const char *start_text, const json_t *instances)
{
	struct rule rule;
	struct recurrence *walk = memory_new(sizeof *walk);
	struct civil start = compact(start_text);
	int64_t wall_s;
	size_t i = 0, count = json_array_size(instances);
	bool same = recurrence_read(&rule, text);

	if (same)
		recurrence_begin(walk, &rule, &start, strlen(start_text) == 8,
		    rule.until_given ? civil_seconds(&rule.until) : INT64_MAX, INT64_MIN);
	while (same && i < count && recurrence_next(walk, &wall_s)) {
		struct civil want = compact(json_string_value(json_array_get(instances, i++)));
		same = civil_seconds(&want) == wall_s;
	}
	same = same && i == count &&
	       (!rule.count && !rule.until_given ? true : !recurrence_next(walk, &wall_s));
	free(walk);
	return same;
}

static void
calendar_rules_agree_with_the_shared_table(void **state)
{
	const char *path = unit_shared("ics/rrule.jsonl");
	int good = 0, all = 0;

	(void)state;
	if (!path)
		skip();
	char *bytes = unit_read(path, NULL), *rest = bytes;
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		json_t *row = json_loads(line, 0, NULL);
		const char *rule = json_string_value(json_object_get(row, "rrule"));
		bool firm = json_is_true(json_object_get(row, "dateutil_agrees")) &&
			    !strstr(rule, "RSCALE") && !strstr(rule, "HOURLY") &&
			    !strstr(rule, "MINUTELY") && !strstr(rule, "SECONDLY");
		if (firm) {
			bool holds =
			    rule_holds(rule, json_string_value(json_object_get(row, "dtstart")),
				json_object_get(row, "instances"));
			all++;
			good += holds;
			if (!holds)
				printf("# differs: %s\n", rule);
		}
		json_decref(row);
	}
	free(bytes);
	printf("# rules: %d of %d\n", good, all);
	assert_int_equal(good, all);
}

/* One end of a query: an absolute instant, or a day on the event's own clock. */
struct bound {
	bool absolute;
	int64_t utc_s, wall_s, next_s; /* next_s: where a span of that precision ends */
};

static int64_t
days_after(int parts, struct civil c)
{
	if (parts == 1)
		return civil_days(c.year + 1, 1, 1) * DAY_S;
	if (parts == 2)
		return civil_days(c.year, c.month, 1) * DAY_S +
		       civil_month_days(c.year, c.month) * (int64_t)DAY_S;
	static const int widths[] = {DAY_S, 3600, 60, 1};
	return civil_seconds(&c) + widths[parts > 6 ? 3 : parts - 3];
}

static struct bound
bound_of(const json_t *arg)
{
	struct bound b = {0};
	struct civil c = {.month = 1, .day = 1};
	int parts = 3;

	if (json_is_string(arg)) {
		const char *text = json_string_value(arg);
		size_t length = strlen(text);
		c = compact(text);
		c.month = c.month ? c.month : 1;
		c.day = c.day ? c.day : 1;
		parts = length == 4 ? 1 : length == 6 ? 2 : length == 8 ? 3 : 6;
		b.absolute = text[length - 1] == 'Z';
		b.utc_s = civil_seconds(&c);
	} else if (json_is_integer(arg)) {
		c.year = json_integer_value(arg);
		parts = 1;
	} else if (json_is_array(arg)) {
		int v[6] = {0, 1, 1};
		for (size_t i = 0; i < json_array_size(arg) && i < 6; i++)
			v[i] = (int)json_integer_value(json_array_get(arg, i));
		c = (struct civil){.year = v[0],
		    .month = v[1],
		    .day = v[2],
		    .hour = v[3],
		    .minute = v[4],
		    .second = v[5]};
		parts = (int)json_array_size(arg);
	} else {
		const char *text = json_string_value(json_object_get(arg, "dt"));
		const json_t *unix_s = json_object_get(arg, "unix");
		char wall[20];
		snprintf(wall, sizeof wall, "%.19s",
		    text ? text : json_string_value(json_object_get(arg, "date")));
		civil_read(wall, &c);
		parts = text ? 6 : 3;
		b.absolute = json_is_integer(unix_s);
		b.utc_s = json_integer_value(unix_s);
	}
	b.wall_s = civil_seconds(&c);
	b.next_s = days_after(parts, c);
	return b;
}

static bool
touches(const struct instance *i, const struct bound *from, const struct bound *to)
{
	bool wall = i->all_day || !from->absolute;
	int64_t start = wall ? civil_seconds(&i->start) : i->start_s,
		end = wall ? civil_seconds(&i->end) : i->end_s;
	int64_t least = wall ? from->wall_s : from->utc_s, most = wall ? to->wall_s : to->utc_s;

	return start < most && (end > least || (start == end && start >= least));
}

static bool
is_expected(const struct instance *i, json_t *expect)
{
	for (size_t k = 0; k < json_array_size(expect); k++) {
		json_t *e = json_array_get(expect, k), *start = json_object_get(e, "start");
		const char *date = json_string_value(json_object_get(start, "date"));
		json_t *unix_s = json_object_get(start, "unix");
		char mine[CIVIL_TEXT];
		civil_write(&i->start, mine);
		bool same;
		if (date)
			same = i->all_day && strncmp(mine, date, 10) == 0;
		else if (json_is_integer(unix_s))
			same = json_integer_value(unix_s) == i->start_s;
		else
			same =
			    strncmp(mine, json_string_value(json_object_get(start, "dt")), 19) == 0;
		if (same && strcmp(json_string_value(json_object_get(e, "uid")), i->uid) == 0) {
			json_array_remove(expect, k);
			return true;
		}
	}
	return false;
}

static bool
query_holds(struct arena *arena, struct zones *zones, json_t *row)
{
	char name[256];
	const char *path;
	size_t length, count;
	struct instance *found;
	json_t *args = json_object_get(row, "args"), *expect = json_object_get(row, "expect");
	bool good = true;

	snprintf(name, sizeof name, "ics/%s", json_string_value(json_object_get(row, "calendar")));
	path = unit_shared(name);
	char *bytes = unit_read(path, &length);
	struct calendar *c = calendar_parse(arena, bytes, length, zones, "UTC");
	free(bytes);
	struct bound from = bound_of(json_array_get(args, 0)), to = from;
	to.wall_s = to.utc_s = from.next_s;
	json_t *second = json_array_get(args, 1),
	       *delta = second ? json_object_get(second, "delta") : NULL;
	if (delta)
		to.wall_s = to.utc_s = from.wall_s + json_integer_value(delta);
	else if (second)
		to = bound_of(second);
	count = calendar_between(c, from.wall_s - 2 * DAY_S, to.wall_s + 2 * DAY_S, &found);
	for (size_t i = 0; i < count; i++)
		if (touches(&found[i], &from, &to) && !is_expected(&found[i], expect)) {
			char text[CIVIL_TEXT];
			printf("# %s: too many: %s\n", name, civil_write(&found[i].start, text));
			good = false;
		}
	for (size_t k = 0; k < json_array_size(expect); k++) {
		char *missing = json_dumps(json_object_get(json_array_get(expect, k), "start"), 0);
		printf("# %s: missing: %s\n", name, missing);
		free(missing);
		good = false;
	}
	return good;
}

static void
calendar_queries_agree_with_two_others(void **state)
{
	const char *path = unit_shared("ics/queries.jsonl");
	int good = 0, all = 0;

	(void)state;
	if (!path)
		skip();
	char *bytes = unit_read(path, NULL), *rest = bytes;
	struct zones *zones = zones_open(NULL);
	struct arena *arena = arena_new();
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		json_t *row = json_loads(line, 0, NULL);
		if (json_is_true(json_object_get(row, "second_opinion"))) {
			all++;
			good += query_holds(arena, zones, row);
			arena_forget(arena);
		}
		json_decref(row);
	}
	printf("# queries: %d of %d\n", good, all);
	arena_free(arena);
	zones_close(zones);
	free(bytes);
	assert_int_equal(good, all);
}

static double
milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static size_t
count_of(struct arena *arena, struct zones *zones, const char *events, const char *from,
    const char *to, struct instance **out)
{
	char *text = arena_print(arena, "BEGIN:VCALENDAR\r\n%sEND:VCALENDAR\r\n", events);
	struct civil a = compact(from), b = compact(to);
	struct calendar *c = calendar_parse(arena, text, strlen(text), zones, "Asia/Jerusalem");

	return calendar_between(c, civil_seconds(&a), civil_seconds(&b), out);
}

static void
calendar_crafted_rules_end_soon(void **state)
{
	static const char *const rules[] = {"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
	    "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
	    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
	    "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
	    "FREQ=YEARLY;BYWEEKNO=1;BYMONTH=7", "FREQ=YEARLY;BYYEARDAY=1;BYMONTH=12;COUNT=99",
	    "FREQ=DAILY;BYDAY=MO;BYSETPOS=300;COUNT=1000000"};
	struct zones *zones = zones_open(NULL);
	struct arena *arena = arena_new();
	struct instance *found;
	double worst = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		char *event = arena_print(arena,
		    "BEGIN:VEVENT\r\nUID:x\r\nDTSTART:20000101T100000Z\r\nRRULE:%s\r\nEND:"
		    "VEVENT\r\n",
		    rules[i]);
		double before = milliseconds();
		assert_int_equal(count_of(arena, zones, event, "19990101", "99990101", &found), 1);
		double took = milliseconds() - before;
		worst = took > worst ? took : worst;
		arena_forget(arena);
	}
	printf("# crafted rules: at most %.1f ms under sanitizers\n", worst);
	assert_true(worst < 1000);
	arena_free(arena);
	zones_close(zones);
}

static void
calendar_keeps_what_is_good(void **state)
{
	struct zones *zones = zones_open(NULL);
	struct arena *arena = arena_new();
	struct instance *found;

	struct rule rule;

	(void)state;
	assert_true(recurrence_read(&rule, "FREQ=WEEKLY;BYDAY=MO, TU;WKST=SU"));
	assert_int_equal(rule.weekdays, 6);
	assert_false(recurrence_read(&rule, "FREQ=WEEKLY;BYDAY=XX"));
	assert_null(calendar_parse(arena, "<html>", 6, zones, "UTC"));
	size_t n = count_of(arena, zones,
	    "BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:nonsense\r\nEND:VEVENT\r\n"
	    "BEGIN:VEVENT\r\nUID:a\r\nSUMMARY:Ev\xe2\x80\xaeil\\, "
	    "yes\r\nDTSTART;TZID=Asia/Hebron:20270326T180000\r\n"
	    "DURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEXDATE;TZID=Asia/"
	    "Hebron:20270327T180000\r\nEND:VEVENT\r\n"
	    "BEGIN:VEVENT\r\nUID:a\r\nRECURRENCE-ID;TZID=Asia/"
	    "Hebron:20270328T180000\r\nSTATUS:CANCELLED\r\n"
	    "DTSTART;TZID=Asia/Hebron:20270329T200000\r\nEND:VEVENT\r\n"
	    "BEGIN:VEVENT\r\nUID:h\r\nDTSTART:20270401T100000\r\nRRULE:FREQ=HOURLY\r\nEND:"
	    "VEVENT\r\n",
	    "20270301", "20270501", &found);
	assert_int_equal(n, 3);
	assert_string_equal(found[0].summary, "Evil, yes");
	assert_string_equal(found[0].zone, "Asia/Hebron");
	assert_string_equal(found[0].recurrence, "20270326T180000");
	assert_int_equal(found[0].end_s - found[0].start_s, 3600);
	assert_true(found[1].cancelled);
	assert_string_equal(found[1].recurrence, "20270328T180000");
	assert_int_equal(found[1].start.day, 29);
	assert_true(found[2].once_only);
	arena_free(arena);
	zones_close(zones);
}

static void
calendar_reads_five_thousand_events(void **state)
{
	struct buf buf = {.maximum = 8 << 20};
	struct zones *zones = zones_open(NULL);
	struct arena *arena = arena_new();
	struct instance *found;

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_print(&buf,
		    "BEGIN:VEVENT\r\nUID:e%d\r\nSUMMARY:Event "
		    "%d\r\nDTSTART;TZID=Asia/Jerusalem:20270101T%02d0000\r\n"
		    "DURATION:PT1H\r\n%sEND:VEVENT\r\n",
		    i, i, i % 24, i % 5 ? "" : "RRULE:FREQ=WEEKLY;BYDAY=MO\r\n");
	double before = milliseconds();
	size_t n = count_of(arena, zones, buf.bytes, "20261201", "20270201", &found);
	printf("# 5,000 events: %.0f ms under sanitizers, %zu instances\n", milliseconds() - before,
	    n);
	assert_true(n >= 5000 + 4 * 1000);
	buf_free(&buf);
	arena_free(arena);
	zones_close(zones);
}

/* Each zone of a calendar costs 16 KB; three thousand of them must not. */
static void
calendar_bounds_its_own_zones(void **state)
{
	static char text[600000];
	struct arena *arena = arena_new();
	struct zones *zones = zones_open(NULL);
	struct instance *list;
	struct calendar *calendar;
	size_t n = (size_t)snprintf(text, sizeof text, "BEGIN:VCALENDAR\n");

	(void)state;
	for (int i = 0; i < 3000; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "BEGIN:VTIMEZONE\nTZID:Z%d\nBEGIN:STANDARD\nDTSTART:19000101T000000\n"
		    "TZOFFSETFROM:+0500\nTZOFFSETTO:+0500\nRRULE:FREQ=DAILY\nEND:STANDARD\n"
		    "END:VTIMEZONE\n",
		    i);
	n += (size_t)snprintf(text + n, sizeof text - n,
	    "BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Z5:20270326T190000\nSUMMARY:a\nEND:VEVENT\n"
	    "END:VCALENDAR\n");
	assert_true(n < sizeof text - 1);
	calendar = calendar_parse(arena, text, n, zones, "UTC");
	assert_non_null(calendar);
	assert_int_equal(calendar_between(calendar, 1800000000, 1810000000, &list), 1);
	assert_int_equal(list[0].start_s, 1806087600 - 5 * 3600);
	assert_true(arena_used(arena) < 5000000);
	arena_free(arena);
	zones_close(zones);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(calendar_rules_agree_with_the_shared_table),
    cmocka_unit_test(calendar_queries_agree_with_two_others),
    cmocka_unit_test(calendar_crafted_rules_end_soon),
    cmocka_unit_test(calendar_keeps_what_is_good),
    cmocka_unit_test(calendar_reads_five_thousand_events),
    cmocka_unit_test(calendar_bounds_its_own_zones),
};

UNIT_RUN(tests)
