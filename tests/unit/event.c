/* Events: never over capacity, the waiting list in its order, who leaves frees a place, the door. */
#include "unit.h"

#include "event_world.h"

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

/* ---- leaving, the door ---- */

static void
expel_turn(struct turn *t, void *ctx)
{
	people_expel(t, *(int64_t *)ctx);
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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(event_race_for_places),
    cmocka_unit_test(event_race_in_one_breath),
    cmocka_unit_test(event_last_day_asks),
    cmocka_unit_test(event_who_leaves_frees_a_place),
    cmocka_unit_test(event_linked_accounts_keep_the_place),
    cmocka_unit_test(event_door_without_a_list),
};
UNIT_RUN(tests)
