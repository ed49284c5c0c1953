/* Events that change: in their calendars, by their organisers, before many. */
#include "unit.h"

#include <time.h>

#include "event_world.h"

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

/* ---- calendars that change between polls ---- */

enum { MANY = 5000 };
static const char forum[] = "[calendar forum]\nurl = http://127.0.0.1:1/forum.ics\norg = allmep\n";

struct ics {
	char *bytes;
	size_t length, room;
};

__attribute__((format(printf, 2, 3))) static void
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

/* ---- what organisers change ---- */

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
    cmocka_unit_test(event_calendar_changes),
    cmocka_unit_test(event_changes_are_told_at_once),
    cmocka_unit_test(event_changed_notes_are_told),
    cmocka_unit_test(event_called_off_before_many),
    cmocka_unit_test(event_calendar_of_five_thousand),
};
UNIT_RUN(tests)
