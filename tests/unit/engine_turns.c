/* Turns: each event once, a failing turn costs only itself, conversations survive, floods cost the
 * flooder. */
#include "unit.h"

#include "core/turn.h"

#include "world.h"

/* ---- a feature for tests ---- */

static void
fail_turn(struct turn *t)
{
	struct card *card = card_new(t->arena);

	card_text(card, "this must not be said", 0);
	say(t, card);
	job_at(t, "probe.never", "", t->now, "");
	assert_true(work_start(t, "probe.work", t->person->pseudonym, (struct blob){"", 0}));
	people_set_language(t, t->person->id, "he");
	turn_fail(t, "the probe wanted it");
}

static void
ask_colour(struct turn *t)
{
	struct card *card = card_new(t->arena);

	card_text(card, "which colour?", 0);
	choose_answer_text(t, card, "red", "red");
	choose_answer_text(t, card, "blue", "blue");
	say(t, card);
}

static enum next
take_colour(struct turn *t)
{
	flow_set(t, "colour", t->chosen ? t->value : t->text);
	return NEXT;
}

static void
ask_number(struct turn *t)
{
	struct card *card = card_new(t->arena);

	card_text(card, "how many?", 0);
	choose_answer_text(t, card, "none", "none");
	say(t, card);
}

static enum next
take_number(struct turn *t)
{
	struct card *card = card_new(t->arena);

	if (!strcmp(t->text, "again"))
		return AGAIN;
	card_text(card, "done: ", 0);
	card_text(card, flow_get(t, "colour"), 0);
	card_text(card, " ", 0);
	card_text(card, t->chosen ? t->value : t->text, 0);
	say(t, card);
	return NEXT;
}

static int cancelled, ran, job_failures;
static int64_t job_moments[40];

static void
flow_cancelled(struct turn *t)
{
	cancelled += !strcmp(flow_get(t, "colour"), "red");
}

static const struct step probe_steps[] = {
    {.name = "colour", .ask = ask_colour, .answer = take_colour},
    {.name = "number", .ask = ask_number, .answer = take_number, .takes_numbers = true},
    {0},
};
static const struct flow probe_flow = {
    .name = "probe.flow", .steps = probe_steps, .cancelled = flow_cancelled};
static const struct flow *const probe_flows[] = {&probe_flow, NULL};

static void
begin_flow(struct turn *t)
{
	flow_begin(t, &probe_flow);
}

static void
job(struct turn *t)
{
	job_moments[ran++ % 40] = t->now;
	if (job_failures-- > 0) {
		people_set_language(t, 1, "he");
		turn_fail(t, "the job fails");
	}
}

static void
never(struct turn *t)
{
	(void)t;
	fail_msg("an order of a failed turn was kept");
}

static struct blob
never_work(const struct work_input *input)
{
	(void)input;
	fail_msg("work of a failed turn was begun");
	return (struct blob){NULL, 0};
}

static void
work_came(struct turn *t, struct blob result)
{
	(void)t;
	(void)result;
}

static const struct work probe_works[] = {
    {.name = "probe.work", .run = never_work, .came = work_came},
    {0},
};
static const struct command probe_commands[] = {
    {.name = "probefail", .run = fail_turn, .hidden = true},
    {.name = "probeflow", .run = begin_flow, .hidden = true},
    {0},
};
static const struct job probe_jobs[] = {
    {.name = "probe.job", .run = job},
    {.name = "probe.never", .run = never},
    {0},
};
static const struct feature feature_probe = {.name = "probe",
    .commands = probe_commands,
    .jobs = probe_jobs,
    .flows = probe_flows,
    .works = probe_works};

#define MORE_FEATURES &feature_probe
#include "every_feature.h"
static const struct feature *const *const world_features = features;

/* ---- once, by the exact id ---- */

static void
engine_event_counts_once_by_its_exact_id(void **state)
{
	struct world *w = world_new();
	struct event e = {.id = "900", .kind = EVENT_MESSAGE, .who = "noor", .text = "/help"};

	(void)state;
	world_event(w, e);
	world_settle(w);
	assert_int_equal(world_count(w, "noor", OP_SEND), 1);
	world_event(w, e);
	world_settle(w);
	assert_int_equal(world_count(w, "noor", OP_SEND), 1);
	assert_int_equal(engine_counts(w->engine).duplicates, 1);
	world_crash(w);
	world_event(w, e);
	world_settle(w);
	assert_int_equal(w->count, 0);
	/* Telegram may begin again at a lower number: never "greater than the last". */
	e.id = "17";
	world_event(w, e);
	e.id = "09";
	world_event(w, e);
	e.id = "9";
	world_event(w, e);
	world_settle(w);
	assert_int_equal(world_count(w, "noor", OP_SEND), 3);
	world_free(w);
}

static void
engine_batch_with_doubles_is_one_commit(void **state)
{
	struct world *w = world_new();
	struct event events[6];
	struct batch batch = {.cursor = "6", .events = events, .event_count = 6};
	int64_t commits;

	(void)state;
	for (int i = 0; i < 6; i++)
		events[i] = (struct event){.id = i % 2 ? "b" : "a",
		    .kind = EVENT_MESSAGE,
		    .who = "noor",
		    .where = "noor",
		    .text = "/help"};
	commits = engine_counts(w->engine).commits;
	assert_true(w->up.came(w->up.engine, &w->transport, &batch));
	assert_int_equal(engine_counts(w->engine).commits, commits + 1);
	world_settle(w);
	assert_int_equal(world_count(w, "noor", OP_SEND), 2);
	world_crash(w);
	assert_string_equal(w->cursor, "6");
	world_free(w);
}

/* ---- a failing turn ---- */

static void
engine_failing_turn_costs_only_itself(void **state)
{
	struct world *w = world_new();
	const char *texts[3] = {"/help", "/probefail", "/events"};
	struct event events[3];
	struct batch batch = {.cursor = "c", .events = events, .event_count = 3};

	(void)state;
	world_says(w, "noor", "/help");
	world_forget_sent(w);
	for (int i = 0; i < 3; i++)
		events[i] = (struct event){.id = texts[i],
		    .kind = EVENT_MESSAGE,
		    .who = i == 1 ? "noor"
			   : i	  ? "dana"
				  : "amal",
		    .where = i == 1 ? "noor"
			     : i    ? "dana"
				    : "amal",
		    .text = texts[i]};
	assert_true(w->up.came(w->up.engine, &w->transport, &batch));
	world_pass(w, 3600);
	assert_int_equal(world_count(w, "amal", OP_SEND), 1);
	assert_int_equal(world_count(w, "dana", OP_SEND), 1);
	assert_int_equal(world_count(w, "noor", OP_SEND), 1);
	assert_true(world_is(w, world_last(w, "noor"), "en", "engine.failed"));
	assert_int_equal(engine_counts(w->engine).failed_turns, 1);
	/* What went well was run twice and is counted once. */
	assert_int_equal(engine_counts(w->engine).events, 4);
	assert_int_equal(world_number(w, "SELECT count(*) FROM person WHERE language = 'he'"), 0);
	/* Set aside, sealed, for a repair; and erased after its retention. */
	assert_int_equal(world_number(w, "SELECT count(*) FROM poisoned"), 1);
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM poisoned WHERE instr(raw, 'probefail')"), 0);
	world_pass(w, 8 * 86400);
	assert_int_equal(world_number(w, "SELECT count(*) FROM poisoned"), 0);
	world_free(w);
}

static void
engine_unreadable_update_is_set_aside_and_answered(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_says(w, "noor", "/help");
	world_forget_sent(w);
	world_event(w,
	    (struct event){
		.kind = EVENT_UNREADABLE, .who = "noor", .raw = "{\"poison\"}", .raw_length = 10});
	world_settle(w);
	assert_true(world_is(w, world_last(w, "noor"), "en", "engine.unreadable"));
	assert_int_equal(w->count, 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM poisoned"), 1);
	world_forget_sent(w);
	world_event(w, (struct event){.kind = EVENT_UNREADABLE, .who = "noor"});
	world_settle(w);
	assert_true(world_is(w, world_last(w, "noor"), "en", "engine.unreadable_key"));
	assert_int_equal(w->count, 1);
	/* One from nobody at all costs nothing but its row. */
	world_event(w, (struct event){.kind = EVENT_UNREADABLE, .raw = "?", .raw_length = 1});
	world_settle(w);
	assert_int_equal(w->count, 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM poisoned"), 2);
	world_free(w);
}

/* ---- conversations ---- */

static void
engine_flow_survives_a_crash_at_every_question(void **state)
{
	struct world *w = world_new();
	struct sent old;

	(void)state;
	world_says(w, "noor", "/language");
	world_says(w, "noor", "/probeflow");
	old = *world_last(w, "noor");
	assert_string_equal(old.text, "which colour?");
	world_crash(w);
	world_presses(w, "noor", &old, 2);
	assert_string_equal(world_last(w, "noor")->text, "how many?");
	world_crash(w);
	world_says(w, "noor", "again");
	assert_string_equal(world_last(w, "noor")->text, "how many?");
	world_restart(w);
	/* A number is the answer here, not a choice. */
	world_says(w, "noor", "1");
	assert_string_equal(world_last(w, "noor")->text, "done: blue 1");
	assert_int_equal(world_number(w, "SELECT count(*) FROM conversation"), 0);
	world_free(w);
}

static void
engine_cancel_ends_any_flow_at_any_question(void **state)
{
	static const char *const ways[] = {"/cancel", "!cancel", "cancel", "إلغاء", "ביטול"};
	struct world *w = world_new();

	(void)state;
	world_says(w, "noor", "/help");
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		for (int question = 0; question < 2; question++) {
			cancelled = 0;
			world_says(w, "noor", "/probeflow");
			if (question)
				world_says(w, "noor", "red");
			if (question == 1)
				world_crash(w);
			world_says(w, "noor", ways[i]);
			assert_true(world_is(w, world_last(w, "noor"), "en", "engine.cancelled"));
			assert_int_equal(world_number(w, "SELECT count(*) FROM conversation"), 0);
			assert_int_equal(cancelled, question);
		}
	world_says(w, "noor", "/cancel");
	assert_true(world_is(w, world_last(w, "noor"), "en", "engine.nothing_to_cancel"));
	world_free(w);
}

static void
engine_commands_work_inside_a_flow_and_it_stays(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_says(w, "noor", "/probeflow");
	world_says(w, "noor", "/help");
	assert_string_not_equal(world_last(w, "noor")->text, "which colour?");
	world_says(w, "noor", "red");
	assert_string_equal(world_last(w, "noor")->text, "how many?");
	world_says(w, "noor", "7");
	assert_string_equal(world_last(w, "noor")->text, "done: red 7");
	world_free(w);
}

/* ---- groups ---- */

static void
engine_group_hears_only_what_is_public(void **state)
{
	struct world *w = world_new();
	struct event e = {.kind = EVENT_MESSAGE,
	    .who = "noor",
	    .where = "room",
	    .group = true,
	    .to_us = true,
	    .text = "/help"};

	(void)state;
	world_says(w, "noor", "/help");
	world_forget_sent(w);
	world_event(w, e);
	e.text = "/profile";
	world_event(w, e);
	e.text = "/match";
	world_event(w, e);
	e.text = "hello everybody";
	e.to_us = false;
	world_event(w, e);
	e.to_us = true;
	e.text = "/probeflow";
	world_event(w, e);
	e.text = "red";
	world_event(w, e);
	world_settle(w);
	/* The public one, and three times the way to the private chat. */
	assert_int_equal(world_count(w, "noor", OP_SEND), 0);
	assert_int_equal(world_count(w, "room", OP_SEND), 4);
	for (int i = 1; i < w->count; i++)
		assert_true(world_is(w, &w->sent[i], "en", "engine.in_private"));
	assert_int_equal(world_number(w, "SELECT count(*) FROM conversation"), 0);
	world_free(w);
}

/* ---- floods ---- */

static void
engine_flood_costs_the_flooder_only(void **state)
{
	struct world *w = world_new();
	int flooder;

	(void)state;
	world_says(w, "noor", "/help");
	world_says(w, "dana", "/help");
	world_forget_sent(w);
	w->now_ms -= w->now_ms % 10000;
	for (int i = 0; i < 1000; i++) {
		world_event(
		    w, (struct event){.kind = EVENT_MESSAGE, .who = "noor", .text = "/language"});
		if (i % 100 == 99)
			world_says(w, "dana", "/language");
	}
	world_settle(w);
	flooder = world_count(w, "noor", OP_SEND);
	assert_int_equal(world_count(w, "dana", OP_SEND), 10);
	assert_in_range(flooder, 100, 301);
	assert_true(world_is(w, world_last(w, "noor"), "en", "engine.too_fast"));
	w->now_ms += 10000;
	world_says(w, "noor", "/language");
	assert_int_equal(world_count(w, "noor", OP_SEND), flooder + 1);
	world_free(w);
}

/* ---- jobs ---- */

static void
order(struct turn *t, void *ctx)
{
	int64_t *due = ctx;

	job_at(t, "probe.job", "a", *due, "x");
	job_at(t, "probe.job", "b", *due + 50, "x");
	job_at(t, "probe.job", "c", *due + 60, "x");
	job_at(t, "probe.job", "b", *due + 100, "moved");
	job_cancel(t, "probe.job", "c");
}

static void
engine_jobs_run_once_at_their_hour_across_a_crash(void **state)
{
	struct world *w = world_new();
	int64_t due = w->now_ms / 1000 + 1000;

	(void)state;
	ran = 0;
	assert_true(engine_turn(w->engine, order, &due));
	world_pass(w, 999);
	assert_int_equal(ran, 0);
	world_crash(w);
	world_pass(w, 2);
	assert_int_equal(ran, 1);
	assert_int_equal(job_moments[0], due);
	world_crash(w);
	world_pass(w, 1000);
	assert_int_equal(ran, 2);
	assert_int_equal(job_moments[1], due + 100);
	world_free(w);
}

static void
engine_failed_job_is_tried_again_with_growing_pauses(void **state)
{
	struct world *w = world_new();
	int64_t due = w->now_ms / 1000 + 10;

	(void)state;
	world_says(w, "noor", "/help");
	ran = 0;
	job_failures = 3;
	assert_true(engine_turn(w->engine, order, &due));
	world_pass(w, 50);
	assert_int_equal(ran, 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM person WHERE language = 'he'"), 0);
	world_restart(w);
	world_pass(w, 20);
	assert_int_equal(ran, 2);
	assert_int_equal(job_moments[1] - job_moments[0], 60);
	world_pass(w, 3600);
	/* The third, the other job's own, the fourth; then it is done. */
	assert_int_equal(ran, 5);
	assert_int_equal(world_number(w, "SELECT count(*) FROM job WHERE name = 'probe.job'"), 0);
	world_free(w);
}

/* ---- after a long outage ---- */

static void
came_late(struct world *w, const char *who, const char *text, int64_t ago_s)
{
	world_event(w, (struct event){.kind = EVENT_MESSAGE,
			   .who = who,
			   .text = text,
			   .sent_s = w->now_ms / 1000 - ago_s});
	world_settle(w);
}

static bool
heard_late(struct world *w, const char *who, int says)
{
	return world_count(w, who, OP_SEND) == says &&
	       world_is(w, world_last(w, who), "en", "engine.late");
}

static void
engine_old_commands_are_answered_once_and_briefly(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_says(w, "noor", "/help");
	world_says(w, "dana", "/language");
	world_pass(w, 6 * 3600);
	world_crash(w);
	came_late(w, "noor", "/events", 5 * 3600);
	assert_true(heard_late(w, "noor", 1));
	/* The one way on that it shows is what was asked for. */
	assert_int_equal(world_last(w, "noor")->choices, 1);
	came_late(w, "noor", "/podcast", 4 * 3600);
	came_late(w, "noor", "/events", 3 * 3600);
	assert_int_equal(world_count(w, "noor", OP_SEND), 1);
	world_crash(w);
	w->now_ms += 2000;
	came_late(w, "noor", "events", 2 * 3600);
	assert_int_equal(world_count(w, "noor", OP_SEND), 0);
	came_late(w, "dana", "/link", 2 * 3600);
	assert_true(heard_late(w, "dana", 1));
	/* Somebody new is greeted, however late. */
	came_late(w, "amal", "/start", 2 * 3600);
	assert_int_equal(world_last(w, "amal")->choices, 3);
	/* What was not asked long ago is answered; so is what came while we were there. */
	came_late(w, "noor", "/events", 60);
	assert_int_equal(world_count(w, "noor", OP_SEND), 1);
	came_late(w, "noor", "/events", 7 * 3600);
	assert_int_equal(world_count(w, "noor", OP_SEND), 2);
	came_late(w, "noor", "/events", 0);
	assert_int_equal(world_count(w, "noor", OP_SEND), 3);
	/* The next outage has its own word. */
	w->now_ms += 3 * 3600 * 1000;
	came_late(w, "noor", "/podcast", 2 * 3600);
	assert_true(heard_late(w, "noor", 4));
	world_free(w);
}

static void
engine_what_was_said_in_an_outage_is_taken(void **state)
{
	struct world *w = world_new();

	(void)state;
	world_says(w, "noor", "/help");
	world_says(w, "noor", "/probeflow");
	world_says(w, "dana", "/help");
	world_says(w, "dana", "/probeflow");
	w->now_ms += 6 * 3600 * 1000;
	world_forget_sent(w);
	came_late(w, "noor", "blue", 5 * 3600);
	came_late(w, "noor", "7", 5 * 3600);
	assert_string_equal(world_last(w, "noor")->text, "done: blue 7");
	/* What ends or protects is done; what carries something of its own too. */
	came_late(w, "dana", "/cancel", 4 * 3600);
	assert_true(world_is(w, world_last(w, "dana"), "en", "engine.cancelled"));
	came_late(w, "dana", "/stop", 4 * 3600);
	assert_int_equal(world_number(w, "SELECT count(*) FROM person WHERE paused_until > 0"), 1);
	came_late(w, "noor", "/partners b8", 4 * 3600);
	came_late(w, "noor", "/safety", 4 * 3600);
	assert_int_equal(world_count(w, "noor", OP_SEND), 4);
	assert_int_not_equal(world_last(w, "noor")->choices, 1);
	came_late(w, "noor", "/help", 4 * 3600);
	assert_true(heard_late(w, "noor", 5));
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(engine_event_counts_once_by_its_exact_id),
    cmocka_unit_test(engine_batch_with_doubles_is_one_commit),
    cmocka_unit_test(engine_failing_turn_costs_only_itself),
    cmocka_unit_test(engine_unreadable_update_is_set_aside_and_answered),
    cmocka_unit_test(engine_flow_survives_a_crash_at_every_question),
    cmocka_unit_test(engine_cancel_ends_any_flow_at_any_question),
    cmocka_unit_test(engine_commands_work_inside_a_flow_and_it_stays),
    cmocka_unit_test(engine_group_hears_only_what_is_public),
    cmocka_unit_test(engine_flood_costs_the_flooder_only),
    cmocka_unit_test(engine_jobs_run_once_at_their_hour_across_a_crash),
    cmocka_unit_test(engine_failed_job_is_tried_again_with_growing_pauses),
    cmocka_unit_test(engine_old_commands_are_answered_once_and_briefly),
    cmocka_unit_test(engine_what_was_said_in_an_outage_is_taken),
};

UNIT_RUN(tests)
