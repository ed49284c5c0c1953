/* Events: never over capacity and the waiting list in its order; each reminder once and at its wall
 * time over a year of clocks; the exact place by no path; calendars that change. */
#include "unit.h"

#include <glob.h>
#include <time.h>

#include "base/civil.h"
#include "core/turn.h"
#include "features/occasion.h"

#include "world.h"

static const struct feature feature_probe;

#define FEATURE(name) extern const struct feature feature_##name;
#include "feature_list.h"
#undef FEATURE
#define FEATURE(name) &feature_##name,
static const struct feature *const features[] = {
#include "feature_list.h"
    &feature_probe,
    NULL,
};
static const struct feature *const *const world_features = features;

enum { HOUR = 3600, DAY = 86400 };
#define CANARY "Canary street 7"
#define CANARY_LINK "https://canary.example.org/room"

/* ---- a command that offers any action: "/probe ACTION VALUE" ---- */

static void
probe(struct turn *t)
{
	struct card *card = card_new(t->arena);
	const char *space = strchr(t->rest, ' ');
	size_t n = space ? (size_t)(space - t->rest) : strlen(t->rest);

	card_text(card, "probe", 0);
	choose_text(t, card, "probe", arena_copy(t->arena, t->rest, n), space ? space + 1 : "");
	say(t, card);
}

static const struct command probe_commands[] = {
    {.name = "probe", .run = probe, .hidden = true},
    {0},
};
static const struct feature feature_probe = {.name = "probe", .commands = probe_commands};

/* ---- events and people ---- */

struct made {
	const char *zone, *wall, *title;
	int64_t minutes, capacity, hours, audience;
	bool secret;
	int64_t id;
};

static void
make_turn(struct turn *t, void *ctx)
{
	static struct sql event = {
	    "INSERT INTO event(calendar, uid, recurrence, title, text, place, zone, wall, start, "
	    "finish,"
	    " all_day, cancelled, once_only, sequence, seen)"
	    " VALUES('', ?, '', ?, '', 'Beit Jala', ?, ?, ?, ?, 0, 0, 0, 0, 0)"};
	static struct sql host = {
	    "INSERT INTO hosted(event, org, kind, capacity, hours, audience, languages,"
	    " interpretation, access) VALUES(?, 'arava', 1, ?, ?, ?, 'en', 0, '')"};
	static struct sql text = {
	    "INSERT INTO hosted_text(event, language, title, text) VALUES(?, 'en', ?, '')"};
	static int serial;
	struct made *m = ctx;
	struct civil wall;
	struct occasion o;
	int64_t start;

	assert_true(civil_read(m->wall, &wall));
	start = zone_instant(zone_find(t->zones, m->zone), &wall);
	m->id = db_insert(t->db, &event,
	    V(arena_print(t->arena, "u%d", ++serial), m->title ? m->title : "Evening", m->zone,
		m->wall, start, start + 60 * m->minutes));
	db_run(t->db, &host, V(m->id, m->capacity, m->hours, m->audience));
	db_run(t->db, &text, V(m->id, m->title ? m->title : "Evening"));
	if (m->secret)
		place_set(t, m->id, CANARY, CANARY_LINK);
	assert_true(occasion_get(t, m->id, &o));
	remind_plan(t, &o);
}

static int64_t
make(struct world *w, struct made m)
{
	if (!m.minutes)
		m.minutes = 120;
	if (!m.hours)
		m.hours = 6;
	assert_true(engine_turn(w->engine, make_turn, &m));
	return m.id;
}

struct joining {
	int64_t first, last;
	const char *org;
	unsigned role;
};

static void
join_turn(struct turn *t, void *ctx)
{
	const struct joining *j = ctx;

	for (int64_t id = j->first; id <= j->last; id++) {
		people_set_language(t, id, "en");
		if (j->org)
			people_join(t, id, j->org);
		if (j->role)
			people_grant(t, id, j->role, j->role == COORDINATORS ? j->org : "");
	}
}

static const char *
who(int64_t person)
{
	static char names[4][24];
	static int next;
	char *name = names[next++ % 4];

	snprintf(name, sizeof(names[0]), "p%lld", (long long)person);
	return name;
}

/* Persons 1 to n; settled once. */
static struct world *
peopled(const char *more, int64_t n)
{
	struct world *w = world_new_with(more);

	for (int64_t i = 1; i <= n; i++)
		world_event(
		    w, (struct event){.kind = EVENT_MESSAGE, .who = who(i), .text = "/help"});
	world_settle(w);
	assert_true(engine_turn(w->engine, join_turn, &(struct joining){1, n, "tech2peace", 0}));
	world_forget_sent(w);
	return w;
}

static void
opens(struct world *w, int64_t person, int64_t event)
{
	char text[40];

	snprintf(text, sizeof(text), "/start e_%lld", (long long)event);
	world_says(w, who(person), text);
}

static struct sent *
last_card(struct world *w, int64_t person)
{
	for (int i = w->count - 1; i >= 0; i--)
		if (!strcmp(w->sent[i].where, who(person)) && w->sent[i].choices)
			return &w->sent[i];
	return NULL;
}

enum { COMING = 1, MAYBE, NOT_COMING };

static void
answers(struct world *w, int64_t person, int64_t event, int k)
{
	if (w->count > SENT_MOST - 200)
		world_forget_sent(w);
	opens(w, person, event);
	world_presses(w, who(person), last_card(w, person), k);
}

static struct sql seated_sql = {"SELECT count(*) FROM rsvp WHERE event = ? AND answer IN (3, 4)"};
static struct sql count_sql = {"SELECT count(*) FROM rsvp WHERE event = ? AND answer = ?"};
static struct sql answer_sql = {"SELECT answer FROM rsvp WHERE event = ? AND person = ?"};

struct asking {
	struct sql *sql;
	int64_t a, b, n;
};

static void
ask_turn(struct turn *t, void *ctx)
{
	struct asking *x = ctx;

	x->n = db_number(t->db, x->sql, x->sql == &seated_sql ? V(x->a) : V(x->a, x->b), 0);
}

static int64_t
ask(struct world *w, struct sql *sql, int64_t a, int64_t b)
{
	struct asking x = {sql, a, b, 0};

	assert_true(engine_turn(w->engine, ask_turn, &x));
	return x.n;
}

/* ---- 500 people, 50 places ---- */

enum { RACERS = 500, PLACES = 50, LEAVERS = 40 };

static void
event_race_for_places(void **state)
{
	struct world *w = peopled("", RACERS);
	int64_t event = make(
	    w, (struct made){
		   .zone = "Asia/Jerusalem", .wall = "2026-11-20T19:00:00", .capacity = PLACES});
	int64_t next = PLACES + 1, took = 0;

	(void)state;
	for (int64_t p = 1; p <= RACERS; p++) {
		answers(w, p, event, COMING);
		assert_true(ask(w, &seated_sql, event, 0) <= PLACES);
	}
	assert_int_equal(ask(w, &count_sql, event, RSVP_YES), PLACES);
	assert_int_equal(ask(w, &count_sql, event, RSVP_WAITING), RACERS - PLACES);
	for (int64_t p = 1; p <= LEAVERS; p++) {
		/* Who leaves frees one place, and the first in line is asked, nobody else. */
		answers(w, p, event, NOT_COMING);
		assert_int_equal(ask(w, &seated_sql, event, 0), PLACES);
		assert_int_equal(ask(w, &answer_sql, event, next), RSVP_OFFERED);
		assert_int_equal(ask(w, &answer_sql, event, next + 1), RSVP_WAITING);
		/* The one who left is behind everybody now, not in before them. */
		answers(w, p, event, COMING);
		assert_int_equal(ask(w, &answer_sql, event, p), RSVP_WAITING);
		if (p % 3 == 0) {
			world_pass(w, 24 * HOUR);
			assert_int_equal(ask(w, &answer_sql, event, next), RSVP_NONE);
			/* The next one was asked in their place, and takes it. */
			next++;
			assert_int_equal(ask(w, &answer_sql, event, next), RSVP_OFFERED);
		}
		answers(w, next, event, p % 5 == 0 ? NOT_COMING : COMING);
		if (p % 5 == 0)
			answers(w, ++next, event, COMING);
		assert_int_equal(ask(w, &answer_sql, event, next), RSVP_YES);
		took++;
		next++;
		assert_int_equal(ask(w, &seated_sql, event, 0), PLACES);
		assert_int_equal(ask(w, &count_sql, event, RSVP_OFFERED), 0);
	}
	printf(
	    "# %d people, %d places, %lld left and came back, %lld took an offer, line at %lld\n",
	    RACERS, PLACES, (long long)LEAVERS, (long long)took, (long long)next);
	world_free(w);
}

enum { A_BATCH = 100 };

/* All of them press "yes" in the same poll: one transaction. */
static void
press_together(struct world *w, int64_t first, int64_t event)
{
	static struct {
		char who[24], token[64], message[32], id[32];
	} texts[A_BATCH];
	struct event events[A_BATCH] = {0};
	struct batch batch = {.events = events, .event_count = A_BATCH};

	for (int i = 0; i < A_BATCH; i++) {
		const struct sent *card;

		opens(w, first + i, event);
		card = last_card(w, first + i);
		snprintf(texts[i].who, sizeof(texts[i].who), "p%lld", (long long)(first + i));
		snprintf(texts[i].token, sizeof(texts[i].token), "%s.%d", card->set, COMING);
		snprintf(texts[i].message, sizeof(texts[i].message), "m%lld", (long long)card->id);
		snprintf(texts[i].id, sizeof(texts[i].id), "e%d", ++w->next_event);
		events[i] = (struct event){.kind = EVENT_PRESS,
		    .id = texts[i].id,
		    .who = texts[i].who,
		    .where = texts[i].who,
		    .token = texts[i].token,
		    .press = "q1",
		    .message = texts[i].message};
	}
	assert_true(w->up.came(w->up.engine, &w->transport, &batch));
	world_settle(w);
	world_forget_sent(w);
}

/* The last batch that fits begins a place too late for all but one of it; the line is that of the
 * presses. */
static void
event_race_in_one_breath(void **state)
{
	struct world *w = peopled("", 3 * A_BATCH);
	int64_t event = make(w,
	    (struct made){
		.zone = "Asia/Jerusalem", .wall = "2026-11-20T19:00:00", .capacity = A_BATCH + 1});

	(void)state;
	for (int64_t first = 1; first < 3 * A_BATCH; first += A_BATCH)
		press_together(w, first, event);
	assert_int_equal(ask(w, &count_sql, event, RSVP_YES), A_BATCH + 1);
	assert_int_equal(ask(w, &count_sql, event, RSVP_WAITING), 2 * A_BATCH - 1);
	assert_int_equal(
	    world_number(w, "SELECT max(person) FROM rsvp WHERE answer = 4"), A_BATCH + 1);
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM rsvp a JOIN rsvp b ON a.answer = 2"
			    " AND b.answer = 2 AND a.person < b.person AND a.line >= b.line"),
	    0);
	world_free(w);
}

/* In the last day somebody is asked, never put in; and nobody is when there is no time to answer.
 */
static void
event_last_day_asks(void **state)
{
	struct world *w = peopled("", 4);
	int64_t event = make(w,
	    (struct made){.zone = "Asia/Jerusalem", .wall = "2026-10-20T19:00:00", .capacity = 1});

	(void)state;
	answers(w, 1, event, COMING);
	answers(w, 2, event, COMING);
	answers(w, 3, event, COMING);
	/* 20 October, 12:00 in Jerusalem: seven hours before. */
	world_pass(w, 21 * HOUR);
	world_forget_sent(w);
	answers(w, 1, event, NOT_COMING);
	assert_int_equal(ask(w, &answer_sql, event, 2), RSVP_OFFERED);
	assert_non_null(strstr(world_last(w, who(2))->text, "14:00"));
	world_pass(w, 2 * HOUR + 60);
	assert_int_equal(ask(w, &answer_sql, event, 2), RSVP_NONE);
	assert_int_equal(ask(w, &answer_sql, event, 3), RSVP_OFFERED);
	answers(w, 3, event, NOT_COMING);
	assert_int_equal(ask(w, &seated_sql, event, 0), 0);
	answers(w, 4, event, COMING);
	answers(w, 1, event, COMING);
	world_pass(w, 4 * HOUR + HOUR / 2);
	answers(w, 4, event, NOT_COMING);
	assert_int_equal(ask(w, &answer_sql, event, 1), RSVP_WAITING);
	world_free(w);
}

/* ---- a year of reminders ---- */

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

/* ---- the exact place ---- */

static void
no_canary(struct world *w, const char *why)
{
	for (int i = 0; i < w->count; i++)
		if (strstr(w->sent[i].text, "Canary") ||
		    strstr(w->sent[i].text, "canary.example")) {
			print_error("%s told %s: %s\n", why, w->sent[i].where, w->sent[i].text);
			fail();
		}
}

/* Nor in a file that was made for somebody. */
static void
no_canary_in_files(struct world *w)
{
	char pattern[100];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/files/*", w->folder);
	if (glob(pattern, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		size_t n;
		char *bytes = unit_read(found.gl_pathv[i], &n);

		assert_null(memmem(bytes, n, "anary", 5));
		free(bytes);
	}
	globfree(&found);
}

static void
tries_action(struct world *w, int64_t person, const char *action, int64_t event)
{
	char text[100];
	struct sent *card;

	snprintf(text, sizeof(text), "/probe %s %lld", action, (long long)event);
	world_says(w, who(person), text);
	card = last_card(w, person);
	if (card)
		world_presses(w, who(person), card, 1);
	no_canary(w, action);
}

/* Whatever would change their own answer, erase them, or bring them in another way. */
static bool
is_left_out(const char *name)
{
	return !strncmp(name, "rsvp.", 5) || !strcmp(name, "privacy.forget") ||
	       !strncmp(name, "safety", 6) || !strncmp(name, "role", 4) || !strcmp(name, "probe") ||
	       !strncmp(name, "pause", 5) || !strcmp(name, "stop") || !strcmp(name, "forgetme") ||
	       !strcmp(name, "cancel");
}

/* Every command and every button there is, with the event's number behind it. */
static int
tries_everything(struct world *w, int64_t person, int64_t event)
{
	char text[60];
	int n = 0;

	for (const struct feature *const *f = features; *f; f++) {
		for (const struct command *c = (*f)->commands; c && c->name; c++) {
			if (is_left_out(c->name))
				continue;
			snprintf(text, sizeof(text), "/%s", c->name);
			world_says(w, who(person), text);
			snprintf(text, sizeof(text), "/%s %lld", c->name, (long long)event);
			world_says(w, who(person), text);
			world_says(w, who(person), "/cancel");
			no_canary(w, c->name);
			n += 2;
		}
		for (const struct action *a = (*f)->actions; a && a->name; a++) {
			if (is_left_out(a->name))
				continue;
			tries_action(w, person, a->name, event);
			world_says(w, who(person), "/cancel");
			n++;
		}
		world_forget_sent(w);
	}
	opens(w, person, event);
	world_says(w, who(person), "/start c_000000");
	no_canary(w, "link");
	no_canary_in_files(w);
	world_forget_sent(w);
	return n + 2;
}

enum { NONE_OF_IT = 1, PERHAPS, WAITS, COMES, RIVAL, VISITOR, PERSONS = VISITOR };

static void
roles_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_join(t, COMES, "arava");
	people_grant(t, RIVAL, COORDINATORS, "tech2peace");
	people_expel(t, VISITOR);
}

/* Some of what was tried pauses everything. */
static void
resume_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t person = 1; person <= PERSONS; person++)
		people_pause(t, person, 0);
}

/* Told once to that person, and to nobody else. */
static void
told_only_to(struct world *w, int64_t person)
{
	int told = 0;

	for (int i = 0; i < w->count; i++) {
		bool holds = strstr(w->sent[i].text, CANARY) != NULL;

		assert_true(!holds || !strcmp(w->sent[i].where, who(person)));
		told += holds;
	}
	assert_int_equal(told, 1);
}

static void
event_place_by_no_path(void **state)
{
	struct world *w = peopled("", PERSONS);
	int64_t event;
	int n = 0;

	(void)state;
	assert_true(engine_turn(w->engine, roles_turn, NULL));
	event = make(w, (struct made){.zone = "Asia/Jerusalem",
			    .wall = "2026-10-23T19:00:00",
			    .capacity = 1,
			    .secret = true});
	answers(w, COMES, event, COMING);
	answers(w, WAITS, event, COMING);
	answers(w, PERHAPS, event, MAYBE);
	/* Days before: not even the one who comes. */
	for (int64_t p = 1; p <= PERSONS; p++)
		n += tries_everything(w, p, event);
	assert_int_equal(ask(w, &answer_sql, event, COMES), RSVP_YES);
	assert_int_equal(ask(w, &answer_sql, event, WAITS), RSVP_WAITING);
	assert_true(engine_turn(w->engine, resume_turn, NULL));
	/* One minute before its hour, 13:00 in Jerusalem. */
	world_pass(w, (int64_t)MONDAY_NOON_S + 4 * DAY - 2 * HOUR - 60 - w->now_ms / 1000);
	world_forget_sent(w);
	tries_action(w, COMES, "place.show", event);
	world_forget_sent(w);
	world_pass(w, 120);
	told_only_to(w, COMES);
	world_forget_sent(w);
	for (int64_t p = 1; p <= PERSONS; p++)
		if (p != COMES)
			n += tries_everything(w, p, event);
	/* Whoever says no loses it, and the next one may have it only by a yes of their own. */
	answers(w, COMES, event, NOT_COMING);
	assert_int_equal(world_count(w, who(COMES), OP_DELETE), 1);
	assert_int_equal(ask(w, &answer_sql, event, WAITS), RSVP_OFFERED);
	no_canary(w, "offer");
	tries_action(w, WAITS, "place.show", event);
	tries_action(w, COMES, "place.show", event);
	world_forget_sent(w);
	answers(w, WAITS, event, COMING);
	told_only_to(w, WAITS);
	world_forget_sent(w);
	/* Over: taken back, and gone from the state itself. */
	world_pass(w, 10 * HOUR);
	assert_int_equal(world_count(w, who(WAITS), OP_DELETE), 1);
	for (int64_t p = 1; p <= PERSONS; p++)
		n += tries_everything(w, p, event);
	assert_int_equal(
	    world_number(
		w, "SELECT count(*) FROM hosted WHERE exact IS NOT NULL OR link IS NOT NULL"),
	    0);
	printf("# %d commands, buttons and links tried\n", n);
	world_free(w);
}

/* ---- calendars that change between polls ---- */

enum { MANY = 5000 };
static const char forum[] = "[calendar forum]\nurl = http://127.0.0.1:1/forum.ics\norg = allmep\n";

struct ics {
	char *bytes;
	size_t length, room;
};

static void
ics_add(struct ics *c, const char *format, ...)
{
	va_list list;

	if (c->room - c->length < 1000) {
		c->room = c->room ? 2 * c->room : 4000;
		c->bytes = realloc(c->bytes, c->room);
		assert_non_null(c->bytes);
	}
	va_start(list, format);
	c->length += (size_t)vsnprintf(c->bytes + c->length, c->room - c->length, format, list);
	va_end(list);
}

static void
ics_event(struct ics *c, int uid, int day, const char *title, int sequence, const char *more)
{
	struct civil at = civil_date(civil_days(2026, 10, 25) + day);

	if (!c->length)
		ics_add(c, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n");
	ics_add(c,
	    "BEGIN:VEVENT\r\nUID:e%d\r\nDTSTART;TZID=Asia/Jerusalem:%04d%02d%02dT190000\r\n"
	    "DURATION:PT2H\r\nSUMMARY:%s\r\nSEQUENCE:%d\r\n%sEND:VEVENT\r\n",
	    uid, (int)at.year, at.month, at.day, title, sequence, more);
}

/* The next poll brings it; seconds it took. */
static double
comes(struct world *w, struct ics *c)
{
	struct timespec a, b;

	ics_add(c, "END:VCALENDAR\r\n");
	w->now_ms += 30 * 60 * 1000;
	world_settle(w);
	world_forget_sent(w);
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_true(engine_page(w->engine, "forum", c->bytes, c->length));
	world_settle(w);
	clock_gettime(CLOCK_MONOTONIC, &b);
	free(c->bytes);
	*c = (struct ics){0};
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static struct sql by_uid = {
    "SELECT id FROM event WHERE calendar = 'forum' AND uid = 'e' || ?1 AND ?2 = 0"};

static bool
heard(struct world *w, int64_t person, const char *what)
{
	bool found = false;

	for (int i = 0; i < w->count; i++)
		found |= !strcmp(w->sent[i].where, who(person)) &&
			 w->sent[i].class == CLASS_EVENT_CHANGE && strstr(w->sent[i].text, what);
	return found;
}

static int
changes(struct world *w)
{
	int n = 0;

	for (int i = 0; i < w->count; i++)
		n += w->sent[i].class == CLASS_EVENT_CHANGE && w->sent[i].op == OP_SEND;
	return n;
}

/* e0 to e5 and a crowd of others; person n said yes to event n. */
static void
first_poll(struct world *w, int64_t *ids)
{
	struct ics c = {0};

	for (int i = 0; i < 6; i++)
		ics_event(&c, i, i, "Circle", 1, "");
	comes(w, &c);
	for (int i = 0; i < 6; i++) {
		ids[i] = ask(w, &by_uid, i, 0);
		answers(w, i + 1, ids[i], COMING);
	}
}

static void
event_calendar_changes(void **state)
{
	struct world *w = peopled(forum, 6);
	struct ics c = {0};
	int64_t ids[6];

	(void)state;
	first_poll(w, ids);
	/* The same again: nobody hears anything. */
	for (int i = 0; i < 6; i++)
		ics_event(&c, i, i, "Circle", 1, "");
	comes(w, &c);
	assert_int_equal(changes(w), 0);
	/* 0 stays, 1 moved, 2 called off, 3 not there any more, 4 is another event under its name,
	 * 5 has another place. */
	ics_event(&c, 0, 0, "Circle", 1, "");
	ics_event(&c, 1, 9, "Circle", 2, "");
	ics_event(&c, 2, 2, "Circle", 2, "STATUS:CANCELLED\r\n");
	ics_event(&c, 4, 40, "Film", 1, "");
	ics_event(&c, 5, 5, "Circle", 2, "LOCATION:Haifa\r\n");
	comes(w, &c);
	assert_int_equal(changes(w), 5);
	assert_true(heard(w, 2, "Now: "));
	assert_true(heard(w, 3, "Called off"));
	assert_true(heard(w, 4, "Called off"));
	assert_true(heard(w, 5, "Called off"));
	assert_true(heard(w, 6, "Haifa"));
	assert_int_equal(ask(w, &by_uid, 1, 0), ids[1]);
	assert_int_not_equal(ask(w, &by_uid, 4, 0), ids[4]);
	assert_int_equal(ask(w, &count_sql, ask(w, &by_uid, 4, 0), RSVP_YES), 0);
	/* What was lost comes back: it takes place after all. And an empty export says nothing. */
	for (int i = 0; i < 6; i++)
		ics_event(&c, i,
		    i == 4   ? 40
		    : i == 1 ? 9
			     : i,
		    i == 4 ? "Film" : "Circle", 3, i == 5 ? "LOCATION:Haifa\r\n" : "");
	comes(w, &c);
	assert_true(heard(w, 3, "after all"));
	assert_true(heard(w, 4, "after all"));
	assert_int_equal(changes(w), 2);
	ics_add(&c, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n");
	comes(w, &c);
	assert_int_equal(changes(w), 0);
	world_free(w);
}

static void
event_calendar_of_five_thousand(void **state)
{
	struct world *w = peopled(forum, 6);
	struct ics c = {0};
	int64_t ids[6];
	double first, second;

	(void)state;
	first_poll(w, ids);
	for (int i = 0; i < MANY; i++)
		ics_event(&c, i, i < 6 ? i : i % 300, "Circle", 1, "");
	first = comes(w, &c);
	assert_int_equal(changes(w), 0);
	for (int i = 0; i < MANY; i++)
		ics_event(&c, i, i < 6 ? i : (i + 1) % 300, i == 3 ? "Square" : "Circle", 2, "");
	second = comes(w, &c);
	assert_int_equal(changes(w), 1);
	assert_true(heard(w, 4, "Square"));
	printf("# %d events: first poll %.2f s, all moved %.2f s (under the sanitizers)\n", MANY,
	    first, second);
	world_free(w);
}

/* ---- leaving, changes at night, the door ---- */

static void
organiser_turn(struct turn *t, void *ctx)
{
	int64_t person = *(int64_t *)ctx;

	people_join(t, person, "arava");
	people_grant(t, person, COORDINATORS, "arava");
}

static void
expel_turn(struct turn *t, void *ctx)
{
	people_expel(t, *(int64_t *)ctx);
}

static void
presses_action(struct world *w, int64_t person, const char *action, int64_t event)
{
	char text[100];

	snprintf(text, sizeof(text), "/probe %s %lld", action, (long long)event);
	world_says(w, who(person), text);
	world_presses(w, who(person), last_card(w, person), 1);
}

static void
event_who_leaves_frees_a_place(void **state)
{
	struct world *w = peopled("", 3);
	int64_t event = make(w, (struct made){.zone = "Asia/Jerusalem",
				    .wall = "2026-10-19T19:00:00",
				    .capacity = 1,
				    .secret = true});
	int64_t second = 2;

	(void)state;
	/* 15:00 in Jerusalem: its hour has come. */
	answers(w, 1, event, COMING);
	answers(w, 2, event, COMING);
	answers(w, 3, event, COMING);
	told_only_to(w, 1);
	world_says(w, who(1), "/forgetme");
	world_presses(w, who(1), last_card(w, 1), 1);
	assert_int_equal(ask(w, &answer_sql, event, 2), RSVP_OFFERED);
	world_forget_sent(w);
	answers(w, 2, event, COMING);
	told_only_to(w, 2);
	assert_true(engine_turn(w->engine, expel_turn, &second));
	world_settle(w);
	assert_int_equal(world_count(w, who(2), OP_DELETE), 1);
	assert_int_equal(ask(w, &answer_sql, event, 2), RSVP_NONE);
	assert_int_equal(ask(w, &answer_sql, event, 3), RSVP_OFFERED);
	assert_int_equal(world_number(w, "SELECT count(*) FROM tag WHERE tag LIKE 'event.%'"), 0);
	world_free(w);
}

static void
merge_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	rsvp_move(t, 1, 3);
	people_merge(t, 1, 3);
}

/* Two accounts of one person: the place stays theirs, and nobody else is asked. */
static void
event_linked_accounts_keep_the_place(void **state)
{
	struct world *w = peopled("", 3);
	int64_t event = make(w,
	    (struct made){.zone = "Asia/Jerusalem", .wall = "2026-10-29T19:00:00", .capacity = 1});

	(void)state;
	answers(w, 1, event, COMING);
	answers(w, 2, event, COMING);
	assert_true(engine_turn(w->engine, merge_turn, NULL));
	world_settle(w);
	assert_int_equal(ask(w, &answer_sql, event, 3), RSVP_YES);
	assert_int_equal(ask(w, &answer_sql, event, 2), RSVP_WAITING);
	assert_int_equal(world_number(w, "SELECT person FROM tag WHERE tag LIKE 'event.%'"), 3);
	world_free(w);
}

static void
event_changes_are_told_at_once(void **state)
{
	struct world *w = peopled("", 4);
	int64_t organiser = 4;
	int64_t event = make(w, (struct made){.zone = "Asia/Jerusalem",
				    .wall = "2026-10-20T19:00:00",
				    .hours = 24,
				    .secret = true});

	(void)state;
	assert_true(engine_turn(w->engine, organiser_turn, &organiser));
	answers(w, 1, event, COMING);
	answers(w, 2, event, MAYBE);
	/* 23:00: in the night, and the place was told at 19:00. */
	world_pass(w, 8 * HOUR);
	told_only_to(w, 1);
	world_forget_sent(w);
	presses_action(w, organiser, "newevent.edit", event);
	world_says(w, who(organiser), "#2");
	world_says(w, who(organiser), "#2");
	world_says(w, who(organiser), "#1");
	world_says(w, who(organiser), "2026-10-21 18:30");
	assert_false(heard(w, 1, "changed"));
	world_forget_sent(w);
	world_says(w, who(organiser), "#1");
	assert_true(heard(w, 1, "Before: \u2068Tuesday 20 October 2026, 19:00"));
	assert_true(heard(w, 1, "Now: \u2068Wednesday 21 October 2026, 18:30"));
	assert_int_equal(world_count(w, who(1), OP_DELETE), 1);
	assert_int_equal(world_count(w, who(2), OP_SEND), 0);
	assert_int_equal(world_count(w, who(3), OP_SEND), 0);
	no_canary(w, "change");
	world_pass(w, 9 * HOUR);
	assert_int_equal(world_count(w, who(2), OP_SEND), 1);
	/* Told again when the new hour is so far. */
	world_forget_sent(w);
	world_pass(w, 11 * HOUR);
	told_only_to(w, 1);
	world_forget_sent(w);
	presses_action(w, organiser, "newevent.call_off", event);
	world_presses(w, who(organiser), last_card(w, organiser), 1);
	assert_true(heard(w, 1, "Called off"));
	assert_int_equal(world_count(w, who(1), OP_DELETE), 1);
	tries_action(w, 1, "place.show", event);
	world_free(w);
}

/* Notes on permits and buses are news too; a word of the text, or how many fit, is none. */
static void
event_changed_notes_are_told(void **state)
{
	struct world *w = peopled("", 3);
	int64_t organiser = 3;
	int64_t event =
	    make(w, (struct made){.zone = "Asia/Jerusalem", .wall = "2026-10-29T19:00:00"});

	(void)state;
	assert_true(engine_turn(w->engine, organiser_turn, &organiser));
	answers(w, 1, event, COMING);
	presses_action(w, organiser, "newevent.edit", event);
	world_says(w, who(organiser), "#2");
	world_says(w, who(organiser), "#11");
	world_says(w, who(organiser), "Permits take two weeks.");
	world_forget_sent(w);
	world_says(w, who(organiser), "#1");
	assert_true(heard(w, 1, "Something has changed."));
	assert_true(heard(w, 1, "Getting there: \u2068Permits take two weeks.\u2069"));
	assert_int_equal(changes(w), 1);
	world_forget_sent(w);
	presses_action(w, organiser, "newevent.edit", event);
	world_says(w, who(organiser), "#2");
	world_says(w, who(organiser), "#9");
	world_says(w, who(organiser), "7");
	world_says(w, who(organiser), "#1");
	assert_int_equal(changes(w), 0);
	assert_int_equal(world_number(w, "SELECT capacity FROM hosted"), 7);
	world_free(w);
}

static void
door_code(struct world *w, int64_t organiser, int64_t event, char *code)
{
	const char *at;

	presses_action(w, organiser, "door.code", event);
	at = strstr(world_last(w, who(organiser))->text, "door: \u2068");
	assert_non_null(at);
	snprintf(code, 24, "/start c_%.6s", at + strlen("door: \u2068"));
}

static void
event_door_without_a_list(void **state)
{
	struct world *w = peopled("", 4);
	int64_t organiser = 4;
	int64_t event =
	    make(w, (struct made){.zone = "Asia/Jerusalem", .wall = "2026-10-20T12:00:00"});
	char code[24];

	(void)state;
	assert_true(engine_turn(w->engine, organiser_turn, &organiser));
	answers(w, 1, event, COMING);
	answers(w, 2, event, COMING);
	door_code(w, organiser, event, code);
	world_says(w, who(1), code);
	assert_null(strstr(world_last(w, who(1))->text, "Welcome"));
	/* 10:00 on the day. */
	world_pass(w, 19 * HOUR);
	world_says(w, who(1), code);
	assert_non_null(strstr(world_last(w, who(1))->text, "Welcome"));
	world_says(w, who(1), code);
	world_says(w, who(3), code);
	assert_null(strstr(world_last(w, who(3))->text, "Welcome"));
	presses_action(w, 3, "door.did", event);
	assert_int_equal(world_number(w, "SELECT count(*) FROM door_in"), 1);
	/* Afterwards: one is asked the question, the other first whether; each answer counts once.
	 */
	world_forget_sent(w);
	world_pass(w, 6 * HOUR);
	assert_int_equal(last_card(w, 1)->choices, 3);
	assert_int_equal(last_card(w, 2)->choices, 2);
	world_presses(w, who(1), last_card(w, 1), 2);
	presses_action(w, 1, "door.word", event);
	world_presses(w, who(2), last_card(w, 2), 1);
	world_presses(w, who(2), last_card(w, 2), 2);
	presses_action(w, 3, "door.word", event);
	assert_int_equal(world_number(w, "SELECT n FROM door_word WHERE word = 1"), 2);
	assert_int_equal(world_number(w, "SELECT coalesce(sum(n), 0) FROM door_word"), 2);
	assert_int_equal(world_count(w, who(3), OP_SEND), 1); /* the probe: never asked */
	/* After [retention] attendance nothing says any more who came. */
	world_pass(w, 16 * DAY);
	assert_int_equal(
	    world_number(w, "SELECT (SELECT count(*) FROM rsvp) + (SELECT count(*) FROM"
			    " door_in) + (SELECT count(*) FROM tag)"),
	    0);
	world_free(w);
}

/* ---- many at once ---- */

enum { CROWD = 2000 };

static void
crowd_turn(struct turn *t, void *ctx)
{
	static struct sql all = {
	    "INSERT INTO rsvp(event, person, answer, line) SELECT ?, id, 4, id FROM person"};

	db_run(t->db, &all, V(*(int64_t *)ctx));
}

static void
call_off_turn(struct turn *t, void *ctx)
{
	static struct sql off = {"UPDATE event SET cancelled = 1 WHERE id = ?"};
	struct occasion was, now;
	int64_t event = *(int64_t *)ctx;

	assert_true(occasion_get(t, event, &was));
	db_run(t->db, &off, V(event));
	assert_true(occasion_get(t, event, &now));
	remind_changed(t, &was, &now);
}

static void
event_called_off_before_many(void **state)
{
	struct world *w = peopled("", CROWD);
	int64_t event = make(w,
	    (struct made){.zone = "Asia/Jerusalem", .wall = "2026-10-29T19:00:00", .secret = true});
	struct timespec a, b;

	(void)state;
	assert_true(engine_turn(w->engine, crowd_turn, &event));
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_true(engine_turn(w->engine, call_off_turn, &event));
	clock_gettime(CLOCK_MONOTONIC, &b);
	/* As fast as the network takes them: at most so many a second, a tick each here. */
	world_pass(w, 600);
	for (int64_t p = 1; p <= CROWD; p += 97)
		assert_true(heard(w, p, "Called off"));
	assert_int_equal(changes(w), CROWD);
	printf("# %d told that it is off: one turn of %.2f s (under the sanitizers)\n", CROWD,
	    (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(event_race_for_places),
    cmocka_unit_test(event_race_in_one_breath),
    cmocka_unit_test(event_last_day_asks),
    cmocka_unit_test(event_year_of_reminders),
    cmocka_unit_test(event_tzdata_arrives),
    cmocka_unit_test(event_reminders_switch_and_move),
    cmocka_unit_test(event_place_by_no_path),
    cmocka_unit_test(event_calendar_changes),
    cmocka_unit_test(event_who_leaves_frees_a_place),
    cmocka_unit_test(event_linked_accounts_keep_the_place),
    cmocka_unit_test(event_changes_are_told_at_once),
    cmocka_unit_test(event_changed_notes_are_told),
    cmocka_unit_test(event_door_without_a_list),
    cmocka_unit_test(event_called_off_before_many),
    cmocka_unit_test(event_calendar_of_five_thousand),
};
UNIT_RUN(tests)
