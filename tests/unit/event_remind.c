/* Reminders: each once and at its wall time over a year of clocks, whatever becomes of the zones. */
#include "unit.h"

#include <time.h>

#include "event_world.h"

enum { A_WEEK, A_DAY, TWO_HOURS, REMINDERS, EVENTS_MOST = 200 };

struct planned {
	int64_t id, start;
	bool hebron;
	struct civil wall;
	char title[24];
	int told[REMINDERS];
	int moved;
};
static struct planned plan[EVENTS_MOST];
static int planned;

/* The same by another way than the program's: libc's own zone rules. */
static int64_t
libc_instant(const char *zone, const struct civil *c)
{
	struct tm tm = {.tm_year = (int)c->year - 1900,
	    .tm_mon = c->month - 1,
	    .tm_mday = c->day,
	    .tm_hour = c->hour,
	    .tm_min = c->minute,
	    .tm_isdst = -1};
	time_t at;

	setenv("TZ", zone, 1);
	tzset();
	at = mktime(&tm);
	unsetenv("TZ");
	tzset();
	return at;
}

static int
minute_in_jerusalem(int64_t at)
{
	struct tm tm;
	time_t when = at;

	setenv("TZ", "Asia/Jerusalem", 1);
	tzset();
	localtime_r(&when, &tm);
	unsetenv("TZ");
	tzset();
	return tm.tm_hour * 60 + tm.tm_min;
}

static bool
is_quiet(int64_t at)
{
	int minute = minute_in_jerusalem(at);

	return minute >= 21 * 60 || minute < 8 * 60;
}

/* From 15 June on the operator holds Hebron at two hours, whatever tzdata says. */
static const struct civil decree = {.year = 2027, .month = 6, .day = 15};

static int64_t
expected_instant(const struct planned *p, const struct civil *wall)
{
	if (p->hebron && civil_seconds(wall) >= civil_seconds(&decree))
		return civil_seconds(wall) - 2 * HOUR;
	return libc_instant(p->hebron ? "Asia/Hebron" : "Asia/Jerusalem", wall);
}

static int64_t
expected(const struct planned *p, int kind)
{
	struct civil wall = p->wall;
	int64_t start = expected_instant(p, &wall), due = start - 2 * HOUR;

	if (kind != TWO_HOURS) {
		wall = civil_from(civil_seconds(&wall) - (kind == A_WEEK ? 7 : 1) * DAY);
		due = expected_instant(p, &wall);
	}
	if (!is_quiet(due))
		return due;
	for (int64_t later = due; later <= start - HOUR / 2; later += 60)
		if (!is_quiet(later))
			return later;
	while (is_quiet(due))
		due -= 900;
	return due;
}

static struct planned *
plan_named(const char *text)
{
	const char *at = strstr(text, "Number ");
	int n = at ? (int)strtol(at + 7, NULL, 10) : -1;

	return n >= 0 && n < planned ? &plan[n] : NULL;
}

static void
look_at(struct world *w, const struct sent *s)
{
	static const char *const says[] = {"in a week", "Still coming?", "very soon"};
	struct planned *p = plan_named(s->text);

	if (!p || s->op != OP_SEND)
		return;
	if (strstr(s->text, "The clocks there change")) {
		p->moved++;
		return;
	}
	for (int k = 0; k < REMINDERS; k++) {
		int64_t now = w->now_ms / 1000, due;

		if (!strstr(s->text, says[k]))
			continue;
		due = expected(p, k);
		if (now != due)
			print_error(
			    "%s, kind %d: %lld s off\n", p->title, k, (long long)(now - due));
		assert_int_equal(now, due);
		assert_false(is_quiet(now));
		assert_non_null(strstr(s->text, "A reminder"));
		p->told[k]++;
	}
}

static void
look_at_all(struct world *w)
{
	for (int i = 0; i < w->count; i++)
		look_at(w, &w->sent[i]);
	world_forget_sent(w);
}

static int64_t
next_reminder(struct world *w)
{
	static struct sql due = {
	    "SELECT min(due) FROM job WHERE name = 'remind.due' AND due > ?1 AND ?2 = 0"};

	return ask(w, &due, w->now_ms / 1000, 0);
}

static void
decree_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	assert_null(zone_override(t->zones, "Asia/Hebron", &decree, 2 * HOUR));
}

/* Reads everything again, as SIGHUP does; what it says is about the change. */
static void
reload(struct world *w)
{
	assert_true(engine_turn(w->engine, decree_turn, NULL));
	engine_reload(w->engine, w->words, w->partners, w->conf);
	world_settle(w);
}

/* At every hour of the day that matters, in both zones, twice around each change of the clocks. */
static void
plan_year(struct world *w)
{
	static const struct {
		int hour, minute;
	} hours[] = {{19, 0}, {9, 0}, {6, 30}, {23, 30}, {0, 30}, {2, 30}, {17, 45}};

	for (int day = 12; day < 360 && planned + 2 < EVENTS_MOST; day += 5)
		for (int hebron = 0; hebron < 2; hebron++) {
			struct planned *p = &plan[planned];
			char wall[CIVIL_TEXT];

			*p = (struct planned){
			    .hebron = hebron, .wall = civil_date(civil_days(2027, 1, day))};
			p->wall.hour = hours[planned % 7].hour;
			p->wall.minute = hours[planned % 7].minute;
			snprintf(p->title, sizeof(p->title), "Number %d.", planned++);
			civil_write(&p->wall, wall);
			p->id =
			    make(w, (struct made){.zone = hebron ? "Asia/Hebron" : "Asia/Jerusalem",
					.wall = wall,
					.title = p->title});
			answers(w, 1, p->id, COMING);
		}
}

static void
event_year_of_reminders(void **state)
{
	struct world *w;
	int64_t at;
	int steps = 0, moved = 0;
	bool decreed = false;

	(void)state;
	w = peopled("", 1);
	w->now_ms =
	    civil_seconds(&(struct civil){.year = 2027, .month = 1, .day = 1, .hour = 10}) * 1000;
	world_settle(w);
	plan_year(w);
	world_forget_sent(w);
	while ((at = next_reminder(w)) != 0) {
		/* The tzdata of April: known ten weeks before. */
		if (!decreed && at > civil_seconds(&decree) - 70 * DAY) {
			w->now_ms = (civil_seconds(&decree) - 70 * DAY + 10 * HOUR) * 1000;
			world_settle(w);
			look_at_all(w);
			reload(w);
			look_at_all(w);
			reload(w);
			look_at_all(w);
			decreed = true;
			continue;
		}
		w->now_ms = at * 1000;
		world_settle(w);
		look_at_all(w);
		steps++;
	}
	for (int i = 0; i < planned; i++) {
		bool is_moved = plan[i].hebron &&
				civil_seconds(&plan[i].wall) >= civil_seconds(&decree) &&
				civil_seconds(&plan[i].wall) - 2 * HOUR !=
				    libc_instant("Asia/Hebron", &plan[i].wall);

		for (int k = 0; k < REMINDERS; k++)
			assert_int_equal(plan[i].told[k], 1);
		assert_int_equal(plan[i].moved, is_moved);
		moved += is_moved;
	}
	assert_true(moved > 10);
	printf("# %d events, %d reminders each once, %d told that the clock moved, %d steps\n",
	    planned, planned * REMINDERS, moved, steps);
	world_free(w);
}

static void
put_zone(const char *folder, const char *name, const char *from)
{
	char path[200], source[100];

	snprintf(path, sizeof(path), "%s/Asia", folder);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/Asia/%s", folder, name);
	snprintf(source, sizeof(source), "/usr/share/zoneinfo/%s", from);
	unlink(path);
	copy_file(source, path);
}

/* An update of the system's zone files while the bot runs: seen within the hour, told once. */
static void
event_tzdata_arrives(void **state)
{
	char folder[] = "build/zones-XXXXXX";
	struct world *w;
	int64_t event;
	int n = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	put_zone(folder, "Jerusalem", "Asia/Jerusalem");
	put_zone(folder, "Hebron", "Asia/Hebron");
	world_zones = folder;
	w = peopled("", 2);
	world_zones = NULL;
	event = make(w, (struct made){.zone = "Asia/Hebron", .wall = "2027-06-10T19:00:00"});
	answers(w, 1, event, COMING);
	world_forget_sent(w);
	world_pass(w, 2 * HOUR);
	assert_int_equal(w->count, 0);
	put_zone(folder, "Hebron", "Etc/GMT-2");
	world_pass(w, 3 * HOUR);
	for (int i = 0; i < w->count; i++)
		n += strstr(w->sent[i].text, "The clocks there change") != NULL;
	assert_int_equal(n, 1);
	assert_int_equal(world_number(w, "SELECT start FROM event"), 1812646800);
	assert_int_equal(world_number(w, "SELECT sequence FROM event"), 1);
	world_free(w);
	remove_folder(folder);
}

/* Switched off is off; a start that moves far is reminded of again, one that moves little is not.
 */
static void
event_reminders_switch_and_move(void **state)
{
	struct world *w = peopled("", 2);
	int64_t event =
	    make(w, (struct made){.zone = "Asia/Jerusalem", .wall = "2026-10-29T19:00:00"});

	(void)state;
	answers(w, 1, event, COMING);
	answers(w, 2, event, COMING);
	world_says(w, who(2), "/probe remind.toggle 1");
	world_presses(w, who(2), last_card(w, 2), 1);
	world_forget_sent(w);
	world_pass(w, 10 * DAY - 13 * HOUR);
	assert_int_equal(world_count(w, who(1), OP_SEND), 2);
	assert_int_equal(world_count(w, who(2), OP_SEND), 1);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(event_year_of_reminders),
    cmocka_unit_test(event_tzdata_arrives),
    cmocka_unit_test(event_reminders_switch_and_move),
};
UNIT_RUN(tests)
