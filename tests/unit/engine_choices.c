/* Choices: a token is good for one account, one question and one role; everything else is answered
 * by a word and a fresh menu. */
#include "unit.h"

#include "core/people.h"
#include "core/turn.h"

#include "world.h"

enum { NOOR = 1 };

static int pressed;
static char value_seen[200];

static void
noted(struct turn *t)
{
	struct card *card = card_new(t->arena);

	pressed++;
	snprintf(value_seen, sizeof(value_seen), "%s", t->value);
	card_text(card, "noted", 0);
	say(t, card);
}

static void
offer(struct turn *t)
{
	struct card *card = card_new(t->arena);

	card_text(card, "offer", 0);
	choose_text(t, card, "anyone", "probe.anyone", "v1");
	choose_text(t, card, "admins", "probe.admins", "v2");
	choose_text(t, card, "nobody knows", "probe.unknown", "v3");
	say(t, card);
}

static void
fails(struct turn *t)
{
	turn_fail(t, "the probe wanted it");
}

static void
offer_failure(struct turn *t)
{
	struct card *card = card_new(t->arena);

	card_text(card, "offer", 0);
	choose_text(t, card, "fails", "probe.fails", "");
	say(t, card);
}

static void
shut_out(struct turn *t, void *ctx)
{
	(void)ctx;
	people_ban(t, NOOR);
	people_erase(t, NOOR);
}

static void
ask(struct turn *t)
{
	struct card *card = card_new(t->arena);

	card_text(card, "yes or no?", 0);
	choose_answer_text(t, card, "yes", "yes");
	choose_answer_text(t, card, "no", "no");
	say(t, card);
}

static enum next
answer(struct turn *t)
{
	noted(t);
	return NEXT;
}

static const struct step steps[] = {
    {.name = "one", .ask = ask, .answer = answer},
    {.name = "two", .ask = ask, .answer = answer},
    {0},
};
static const struct flow flow = {.name = "probe.flow", .steps = steps};
static const struct flow guarded = {.name = "probe.guarded", .access = ADMINS, .steps = steps};
static const struct flow *const flows[] = {&flow, &guarded, NULL};

static void
begin(struct turn *t)
{
	flow_begin(t, &flow);
}

static void
begin_guarded(struct turn *t)
{
	flow_begin(t, &guarded);
}

static const struct command commands[] = {
    {.name = "probeoffer", .run = offer, .hidden = true, .public_place = true},
    {.name = "probefailure", .run = offer_failure, .hidden = true},
    {.name = "probeflow", .run = begin, .hidden = true},
    {.name = "probeguarded", .access = ADMINS, .run = begin_guarded, .hidden = true},
    {0},
};
static const struct action actions[] = {
    {"probe.anyone", ANYONE, noted},
    {"probe.admins", ADMINS, noted},
    {"probe.fails", ANYONE, fails},
    {0},
};
static const struct feature feature_probe = {
    .name = "probe", .commands = commands, .actions = actions, .flows = flows};

#define MORE_FEATURES &feature_probe
#include "every_feature.h"
static const struct feature *const *const world_features = features;

static struct world *
one_offer(struct sent *offered)
{
	struct world *w = world_new();

	pressed = 0;
	world_says(w, "noor", "/help");
	world_says(w, "dana", "/help");
	world_says(w, "noor", "/probeoffer");
	*offered = *world_last(w, "noor");
	assert_int_equal(offered->choices, 3);
	return w;
}

static void
presses_token(struct world *w, const char *who, const char *token)
{
	world_event(
	    w, (struct event){
		   .kind = EVENT_PRESS, .who = who, .token = token, .press = "q", .message = "m1"});
	world_settle(w);
}

/* The word for a stale button, a menu to go on with, and the press is answered. */
static void
is_stale(struct world *w, const char *who)
{
	const struct sent *last = world_last(w, who);

	assert_int_equal(pressed, 0);
	assert_true(world_is(w, last, "en", "engine.stale"));
	assert_true(last->choices >= 4);
	assert_int_equal(world_count(w, who, OP_ANSWER), 1);
	world_forget_sent(w);
}

static void
engine_choice_acts_once_pressed_typed_or_numbered(void **state)
{
	static const char *const typed[] = {"1", "١", "۱", "#1", "anyone", "Anyone"};
	struct sent offered;
	struct world *w = one_offer(&offered);

	(void)state;
	world_presses(w, "noor", &offered, 1);
	assert_int_equal(pressed, 1);
	assert_string_equal(value_seen, "v1");
	for (size_t i = 0; i < sizeof(typed) / sizeof(*typed); i++) {
		pressed = 0;
		world_says(w, "noor", typed[i]);
		if (pressed != 1)
			printf("# typed: %s\n", typed[i]);
		assert_int_equal(pressed, 1);
	}
	world_crash(w);
	pressed = 0;
	world_presses(w, "noor", &offered, 1);
	assert_int_equal(pressed, 1);
	world_free(w);
}

static void
engine_forged_tokens_do_nothing(void **state)
{
	static const char *const forged[] = {"", ".", ".1", "1", "AAAAAAAAAAAAAAAAAAAA.1",
	    "AAAAAAAAAAAAAAAAAAAA.99999999999999999999", "AAAAAAAAAAAAAAAAAAAA.-1",
	    "AAAAAAAAAAAAAAAAAAA.1", "AAAAAAAAAAAAAAAAAAAAA.1", "%s%n.1", "\xff\xfe.1", "=.1",
	    "probe.admins"};
	struct sent offered;
	struct world *w = one_offer(&offered);
	char token[64];

	(void)state;
	world_forget_sent(w);
	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++) {
		presses_token(w, "noor", forged[i]);
		is_stale(w, "noor");
	}
	/* A changed character anywhere, and choices that the set has not. */
	for (size_t i = 0; i < strlen(offered.set); i++) {
		snprintf(token, sizeof(token), "%s.1", offered.set);
		token[i] = token[i] == 'Q' ? 'R' : 'Q';
		presses_token(w, "noor", token);
		is_stale(w, "noor");
	}
	for (int k = -1; k < 300; k += 1 + 97 * (k > 4)) {
		if (k >= 1 && k <= 3)
			continue;
		snprintf(token, sizeof(token), "%s.%d", offered.set, k);
		presses_token(w, "noor", token);
		is_stale(w, "noor");
	}
	world_free(w);
}

static void
engine_foreign_tokens_do_nothing(void **state)
{
	struct sent offered;
	struct world *w = one_offer(&offered);
	char token[64];

	(void)state;
	world_forget_sent(w);
	snprintf(token, sizeof(token), "%s.1", offered.set);
	presses_token(w, "dana", token);
	is_stale(w, "dana");
	presses_token(w, "a stranger", token);
	is_stale(w, "a stranger");
	world_free(w);
}

static void
grant(struct turn *t, void *ctx)
{
	if (*(bool *)ctx)
		people_grant(t, NOOR, ADMINS, "");
	else
		people_revoke(t, NOOR, ADMINS, "");
}

static void
engine_role_is_looked_at_on_every_press_and_answer(void **state)
{
	struct sent offered, question;
	struct world *w = one_offer(&offered);
	bool yes = true, no = false;

	(void)state;
	world_forget_sent(w);
	world_presses(w, "noor", &offered, 2);
	is_stale(w, "noor");
	assert_true(engine_turn(w->engine, grant, &yes));
	world_presses(w, "noor", &offered, 2);
	assert_int_equal(pressed, 1);
	world_says(w, "noor", "/probeguarded");
	question = *world_last(w, "noor");
	assert_string_equal(question.text, "yes or no?");
	assert_true(engine_turn(w->engine, grant, &no));
	pressed = 0;
	world_forget_sent(w);
	world_presses(w, "noor", &offered, 2);
	is_stale(w, "noor");
	/* In the middle of a conversation that needed the role. */
	world_presses(w, "noor", &question, 1);
	assert_int_equal(pressed, 0);
	assert_true(world_is(w, world_last(w, "noor"), "en", "engine.not_allowed"));
	assert_int_equal(world_number(w, "SELECT count(*) FROM conversation"), 0);
	world_free(w);
}

static void
engine_choice_of_nothing_known_is_stale(void **state)
{
	struct sent offered;
	struct world *w = one_offer(&offered);

	(void)state;
	world_forget_sent(w);
	world_presses(w, "noor", &offered, 3);
	is_stale(w, "noor");
	world_free(w);
}

static void
engine_answer_belongs_to_its_own_question(void **state)
{
	struct world *w = world_new();
	struct sent first, second;

	(void)state;
	world_says(w, "noor", "/help");
	world_says(w, "noor", "/probeflow");
	first = *world_last(w, "noor");
	pressed = 0;
	world_presses(w, "noor", &first, 1);
	second = *world_last(w, "noor");
	assert_int_equal(pressed, 1);
	/* Pressed twice: the second press is not an answer to the next question. */
	world_forget_sent(w);
	pressed = 0;
	world_presses(w, "noor", &first, 1);
	is_stale(w, "noor");
	/* Asked anew, and the old question is stale, also after a crash. */
	world_says(w, "noor", "/probeflow");
	world_crash(w);
	world_presses(w, "noor", &second, 1);
	is_stale(w, "noor");
	world_says(w, "noor", "/cancel");
	world_forget_sent(w);
	world_presses(w, "noor", &second, 2);
	is_stale(w, "noor");
	world_free(w);
}

static void
engine_press_in_a_group_is_answered_in_private(void **state)
{
	struct sent offered;
	struct world *w = one_offer(&offered);
	char token[64];

	(void)state;
	world_event(w, (struct event){.kind = EVENT_MESSAGE,
			   .who = "noor",
			   .where = "room",
			   .group = true,
			   .to_us = true,
			   .text = "/probeoffer"});
	world_settle(w);
	offered = *world_last(w, "room");
	world_forget_sent(w);
	snprintf(token, sizeof(token), "%s.1", offered.set);
	world_event(w, (struct event){.kind = EVENT_PRESS,
			   .who = "dana",
			   .where = "room",
			   .group = true,
			   .token = token,
			   .press = "q2",
			   .message = "m9"});
	world_settle(w);
	assert_int_equal(pressed, 1);
	assert_int_equal(world_count(w, "dana", OP_SEND), 1);
	assert_int_equal(world_count(w, "room", OP_SEND), 0);
	assert_int_equal(world_count(w, "room", OP_EDIT), 0);
	world_free(w);
}

/* Forged, stale, of a turn that fails, of somebody who floods, of somebody who was shut out. */
static void
engine_every_press_is_answered(void **state)
{
	struct sent offered;
	struct world *w = one_offer(&offered);
	char token[64];

	(void)state;
	presses_token(w, "noor", "");
	presses_token(w, "noor", "forged.1");
	world_says(w, "noor", "/probefailure");
	snprintf(token, sizeof(token), "%s.1", world_last(w, "noor")->set);
	world_forget_sent(w);
	presses_token(w, "noor", token);
	assert_int_equal(engine_counts(w->engine).failed_turns, 1);
	assert_int_equal(world_count(w, "noor", OP_ANSWER), 1);
	world_forget_sent(w);
	w->now_ms -= w->now_ms % 10000;
	for (int i = 0; i < 320; i++)
		presses_token(w, "noor", "forged.1");
	assert_true(world_is(w, world_last(w, "noor"), "en", "engine.too_fast") ||
		    world_last(w, "noor")->op == OP_ANSWER);
	assert_int_equal(world_count(w, "noor", OP_ANSWER), 320);
	world_forget_sent(w);
	engine_turn(w->engine, shut_out, NULL);
	world_settle(w);
	world_forget_sent(w);
	presses_token(w, "noor", token);
	assert_int_equal(world_count(w, "noor", OP_ANSWER), 1);
	assert_int_equal(world_count(w, "noor", OP_SEND), 0);
	world_free(w);
}

static void
tell_later(struct turn *t, void *ctx)
{
	struct card *card = card_new(t->arena);

	(void)ctx;
	card_text(card, "tomorrow", 0);
	choose_text(t, card, "yes", "probe.anyone", "unseen");
	tell_at(t, NOOR, CLASS_MATCH, t->now + 20 * 3600, 0, card);
}

static void
pause_all(struct turn *t, void *ctx)
{
	(void)ctx;
	people_pause(t, NOOR, PAUSED_FOR_GOOD);
}

/* What waits for the morning, or was called off, has been seen by nobody: a number is not for it. */
static void
engine_number_is_never_for_a_card_not_yet_seen(void **state)
{
	struct sent offered;
	struct world *w = one_offer(&offered);

	(void)state;
	assert_true(engine_turn(w->engine, tell_later, NULL));
	world_says(w, "noor", "1");
	assert_string_equal(value_seen, "v1");
	world_pass(w, 21 * 3600);
	assert_string_equal(world_last(w, "noor")->text, "tomorrow");
	world_says(w, "noor", "1");
	assert_string_equal(value_seen, "unseen");
	world_says(w, "noor", "/probeoffer");
	assert_true(engine_turn(w->engine, tell_later, NULL));
	assert_true(engine_turn(w->engine, pause_all, NULL));
	world_settle(w);
	world_says(w, "noor", "1");
	assert_string_equal(value_seen, "v1");
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(engine_every_press_is_answered),
    cmocka_unit_test(engine_choice_acts_once_pressed_typed_or_numbered),
    cmocka_unit_test(engine_number_is_never_for_a_card_not_yet_seen),
    cmocka_unit_test(engine_forged_tokens_do_nothing),
    cmocka_unit_test(engine_foreign_tokens_do_nothing),
    cmocka_unit_test(engine_role_is_looked_at_on_every_press_and_answer),
    cmocka_unit_test(engine_choice_of_nothing_known_is_stale),
    cmocka_unit_test(engine_answer_belongs_to_its_own_question),
    cmocka_unit_test(engine_press_in_a_group_is_answered_in_private),
};

UNIT_RUN(tests)
