/* The outbox: every fate in every class, expiry, quiet hours, pauses, silence the network asked
 * for, order within a chat, and what a crash leaves. */
#include "unit.h"

#include "core/turn.h"

#include "world.h"

enum { FOR_EVER = 1000, ME = 1, YOU = 2, MEETING_S = 1 };

/* The table of DESIGN.md §4, as it is promised: attempts when every answer is lost. */
static const struct promise {
	const char *name;
	int in_doubt;
	int64_t expires_s;
	bool waits_for_morning, stops_when_paused;
} promises[CLASS_COUNT] = {
    [CLASS_REPLY] = {"reply", 1, 600, false, false},
    [CLASS_SERVICE] = {"service", FOR_EVER, 86400, false, false},
    [CLASS_RELAY] = {"relay", 1, 86400, false, false},
    [CLASS_MATCH] = {"match", 2, 2 * 86400, true, true},
    [CLASS_EVENT_CHANGE] = {"event change", 2, 2 * 86400, false, false},
    [CLASS_REMINDER] = {"reminder", 2, 86400, true, true},
    [CLASS_ANNOUNCEMENT] = {"announcement", 1, 7 * 86400, true, true},
    [CLASS_URGENT] = {"urgent", 1, 86400, false, true},
    [CLASS_ALARM] = {"alarm", FOR_EVER, 86400, false, false},
};

static int fates_heard;
static int64_t fate_of;

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_DELIVERED) {
		fates_heard++;
		fate_of = t->delivery;
	}
}

static const struct feature feature_probe = {.name = "probe", .happened = happened};

#define MORE_FEATURES &feature_probe
#include "every_feature.h"
static const struct feature *const *const world_features = features;

/* ---- telling ---- */

struct telling {
	int64_t person, expires, id;
	enum class class;
	const char *text;
};

static void
telling_turn(struct turn *t, void *ctx)
{
	struct telling *x = ctx;
	struct card *card = card_new(t->arena);

	t->feature = &feature_probe;
	card_text(card, x->text, 0);
	x->id = tell(t, x->person, x->class, x->expires, card);
}

static int64_t
tells(struct world *w, int64_t person, enum class class, const char *text)
{
	struct telling x = {.person = person, .class = class, .text = text};

	assert_true(engine_turn(w->engine, telling_turn, &x));
	return x.id;
}

/* Two people the bot knows, and nothing under way. */
static struct world *
two_people(void)
{
	struct world *w = world_new();

	world_says(w, "me", "/help");
	world_says(w, "you", "/help");
	world_pass(w, MEETING_S); /* the fates of both answers are written */
	world_forget_sent(w);
	fates_heard = 0;
	return w;
}

static int64_t
column_of(struct world *w, const char *column, int64_t id)
{
	char sql[100];

	snprintf(
	    sql, sizeof(sql), "SELECT %s FROM delivery WHERE id = %lld", column, (long long)id);
	return world_number(w, sql);
}

enum { WAITING, TRYING, SENT, REFUSED, EXPIRED, UNCERTAIN };

static void
ends_as(struct world *w, int64_t id, int state)
{
	assert_int_equal(column_of(w, "state", id), state);
	assert_int_equal(column_of(w, "body IS NULL", id), 1);
	assert_int_equal(fates_heard, 1);
	assert_int_equal(fate_of, id);
}

/* ---- fates ---- */

static void
engine_sent_ends_every_class(void **state)
{
	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct world *w = two_people();
		int64_t id = tells(w, ME, (enum class) class, "hello");

		world_pass(w, 8 * 86400 / 2);
		assert_int_equal(w->count, 1);
		assert_string_equal(w->sent[0].text, "hello");
		assert_string_equal(w->sent[0].where, "me");
		assert_int_equal(w->sent[0].class, class);
		world_free(w);
		(void)id;
	}
}

static void
engine_sent_keeps_the_networks_number_and_no_text(void **state)
{
	struct world *w = two_people();
	int64_t id = tells(w, ME, CLASS_RELAY, "hello");

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	world_settle(w);
	assert_int_equal(column_of(w, "state", id), TRYING);
	assert_int_equal(column_of(w, "body IS NOT NULL", id), 1);
	world_land(w, (struct outcome){.fate = FATE_SENT, .message = "4711"});
	world_settle(w);
	ends_as(w, id, SENT);
	assert_int_equal(column_of(w, "message = '4711'", id), 1);
	world_free(w);
}

static void
engine_later_comes_again_in_every_class(void **state)
{
	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct world *w = two_people();
		int64_t id = tells(w, ME, (enum class) class, "hello");

		w->fate = (struct outcome){.fate = FATE_LATER, .after_ms = 5000};
		world_settle(w);
		assert_int_equal(w->count, 1);
		world_pass(w, 4);
		assert_int_equal(w->count, 1);
		assert_int_equal(column_of(w, "state", id), WAITING);
		w->fate = (struct outcome){.fate = FATE_SENT};
		world_pass(w, 2);
		assert_int_equal(w->count, 2);
		assert_int_equal(w->sent[1].id, id);
		ends_as(w, id, SENT);
		world_free(w);
	}
}

static void
engine_refused_ends_every_class(void **state)
{
	static const enum refusal whys[] = {
	    REFUSAL_BLOCKED, REFUSAL_NEVER_MET, REFUSAL_BAD, REFUSAL_OTHER};

	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++)
		for (size_t i = 0; i < sizeof(whys) / sizeof(*whys); i++) {
			struct world *w = two_people();
			int64_t id = tells(w, ME, (enum class) class, "hello");
			bool away = whys[i] == REFUSAL_BLOCKED || whys[i] == REFUSAL_NEVER_MET;

			w->fate = (struct outcome){.fate = FATE_REFUSED, .refusal = whys[i]};
			world_pass(w, 3600);
			assert_int_equal(w->count, 1);
			ends_as(w, id, REFUSED);
			assert_int_equal(column_of(w, "refusal", id), whys[i]);
			/* Whoever cannot be reached is not written to, until they come back. */
			w->fate = (struct outcome){.fate = FATE_SENT};
			assert_int_equal(!tells(w, ME, CLASS_REMINDER, "again"), away);
			world_says(w, "me", "/help");
			assert_true(tells(w, ME, CLASS_REMINDER, "welcome back"));
			world_free(w);
		}
}

static void
engine_gone_for_good_is_erased(void **state)
{
	struct world *w = two_people();

	(void)state;
	tells(w, ME, CLASS_REMINDER, "hello");
	w->fate = (struct outcome){.fate = FATE_REFUSED, .refusal = REFUSAL_GONE};
	world_settle(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM person"), 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE person = 1"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM erasure"), 1);
	world_free(w);
}

static void
engine_moved_chat_is_written_to_there(void **state)
{
	struct world *w = two_people();
	int64_t id = tells(w, ME, CLASS_REMINDER, "hello");

	(void)state;
	w->fate = (struct outcome){
	    .fate = FATE_REFUSED, .refusal = REFUSAL_MOVED, .new_where = "new room"};
	engine_tick(w->engine);
	world_report(w);
	w->fate = (struct outcome){.fate = FATE_SENT};
	world_pass(w, 5);
	assert_int_equal(w->count, 2);
	assert_string_equal(w->sent[1].where, "new room");
	ends_as(w, id, SENT);
	world_free(w);
}

static void
engine_doubt_is_repeated_as_the_class_says(void **state)
{
	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct world *w = two_people();
		int64_t id = tells(w, ME, (enum class) class, "hello");

		w->fate = (struct outcome){.fate = FATE_UNCERTAIN};
		world_pass(w, 300);
		if (promises[class].in_doubt == FOR_EVER) {
			assert_in_range(w->count, 5, 60);
			w->fate = (struct outcome){.fate = FATE_SENT};
			world_pass(w, 600);
			ends_as(w, id, SENT);
		} else {
			assert_int_equal(w->count, promises[class].in_doubt);
			ends_as(w, id, UNCERTAIN);
		}
		for (int i = 0; i < w->count; i++) {
			assert_int_equal(w->sent[i].id, id);
			assert_int_equal(w->sent[i].repeated, i > 0);
		}
		world_free(w);
	}
}

static void
engine_doubt_is_always_repeated_where_it_is_one_message(void **state)
{
	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct world *w = two_people();
		int64_t id;

		w->transport.repeats_safely = true;
		id = tells(w, ME, (enum class) class, "hello");
		w->fate = (struct outcome){.fate = FATE_UNCERTAIN};
		world_pass(w, 30);
		assert_in_range(w->count, 2, 20);
		w->fate = (struct outcome){.fate = FATE_SENT};
		world_pass(w, 60);
		assert_int_equal(w->sent[w->count - 1].id, id);
		ends_as(w, id, SENT);
		world_free(w);
	}
}

static void
engine_late_expires_by_class(void **state)
{
	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct world *w = two_people();
		int64_t id = tells(w, ME, (enum class) class, "hello"), start = w->now_ms, last;

		w->fate = (struct outcome){
		    .fate = FATE_LATER, .after_ms = promises[class].expires_s * 20};
		world_pass(w, promises[class].expires_s - 1);
		assert_true(column_of(w, "state", id) <= TRYING);
		last = w->count;
		world_pass(w, 1 + promises[class].expires_s / 25);
		assert_int_equal(w->count, last);
		ends_as(w, id, EXPIRED);
		assert_int_equal(
		    column_of(w, "expires", id) - start / 1000, promises[class].expires_s);
		world_free(w);
	}
}

static void
engine_own_expiry_beats_the_class(void **state)
{
	struct world *w = two_people();
	struct telling x = {.person = ME, .class = CLASS_REMINDER, .text = "soon"};

	(void)state;
	x.expires = w->now_ms / 1000 + 30;
	w->fate = (struct outcome){.fate = FATE_LATER, .after_ms = 20000};
	assert_true(engine_turn(w->engine, telling_turn, &x));
	world_pass(w, 100);
	assert_int_equal(w->count, 2);
	ends_as(w, x.id, EXPIRED);
	world_free(w);
}

/* ---- quiet hours, pauses ---- */

static void
engine_quiet_hours_hold_back_by_class(void **state)
{
	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct world *w = two_people();

		/* 21:00 in Jerusalem is 18:00 UTC; the clocks go back on the 25th, not yet. */
		world_pass(w, 6 * 3600 - 1 - MEETING_S);
		tells(w, ME, (enum class) class, "just before");
		world_settle(w);
		assert_int_equal(w->count, 1);
		world_pass(w, 1);
		tells(w, ME, (enum class) class, "at night");
		world_settle(w);
		assert_int_equal(w->count, promises[class].waits_for_morning ? 1 : 2);
		world_pass(w, 11 * 3600 - 1);
		assert_int_equal(w->count, promises[class].waits_for_morning ? 1 : 2);
		world_pass(w, 1);
		assert_int_equal(w->count, 2);
		world_free(w);
	}
}

static void
pause_turn(struct turn *t, void *ctx)
{
	people_pause(t, ME, *(int64_t *)ctx);
}

static void
engine_pause_holds_back_by_class_and_ends_by_itself(void **state)
{
	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct world *w = two_people();
		int64_t until = w->now_ms / 1000 + 86400;
		bool stops = promises[class].stops_when_paused;

		assert_true(engine_turn(w->engine, pause_turn, &until));
		tells(w, ME, (enum class) class, "during");
		tells(w, YOU, (enum class) class, "somebody else");
		world_pass(w, 86401);
		assert_int_equal(world_count(w, "me", OP_SEND), stops ? 0 : 1);
		assert_int_equal(world_count(w, "you", OP_SEND), 1);
		tells(w, ME, (enum class) class, "after");
		world_settle(w);
		assert_string_equal(world_last(w, "me")->text, "after");
		until = PAUSED_FOR_GOOD;
		assert_true(engine_turn(w->engine, pause_turn, &until));
		world_crash(w);
		world_pass(w, 20 * 86400);
		w->now_ms -= w->now_ms % 86400000 - 12 * 3600000;
		assert_int_equal(!tells(w, ME, (enum class) class, "for good"), stops);
		world_free(w);
	}
}

static void
engine_pause_also_stops_what_waits_for_the_morning(void **state)
{
	struct world *w = two_people();
	int64_t until = PAUSED_FOR_GOOD, id, other;

	(void)state;
	world_pass(w, 8 * 3600);
	id = tells(w, ME, CLASS_ANNOUNCEMENT, "held for the morning");
	other = tells(w, YOU, CLASS_ANNOUNCEMENT, "held for the morning");
	assert_true(engine_turn(w->engine, pause_turn, &until));
	world_pass(w, 86400);
	assert_int_equal(world_count(w, "me", OP_SEND), 0);
	assert_int_equal(world_count(w, "you", OP_SEND), 1);
	assert_int_equal(column_of(w, "state", id), EXPIRED);
	assert_int_equal(column_of(w, "body IS NULL", id), 1);
	assert_int_equal(column_of(w, "state", other), SENT);
	assert_int_equal(fates_heard, 2);
	world_free(w);
}

static void
consent_turn(struct turn *t, void *ctx)
{
	consent_set(t, ME, CONSENT_ANNOUNCEMENTS, *(bool *)ctx);
}

static void
consent_look(struct turn *t, void *ctx)
{
	int *given = ctx;

	*given = consents(t, ME, CONSENT_ANNOUNCEMENTS) + 2 * consents(t, ME, CONSENT_MATCHING) +
		 4 * consents(t, ME, CONSENT_SURVEYS);
}

static void
engine_consents_are_off_until_given_and_withdrawn_at_once(void **state)
{
	struct world *w = two_people();
	bool on = true, off = false;
	int given = -1;

	(void)state;
	assert_true(engine_turn(w->engine, consent_look, &given));
	assert_int_equal(given, 0);
	assert_true(engine_turn(w->engine, consent_turn, &on));
	world_crash(w);
	assert_true(engine_turn(w->engine, consent_look, &given));
	assert_int_equal(given, 1);
	world_pass(w, 8 * 3600);
	tells(w, ME, CLASS_ANNOUNCEMENT, "held for the morning");
	tells(w, ME, CLASS_REMINDER, "not an announcement");
	assert_true(engine_turn(w->engine, consent_turn, &off));
	world_pass(w, 86400);
	assert_int_equal(w->count, 1);
	assert_string_equal(w->sent[0].text, "not an announcement");
	assert_true(engine_turn(w->engine, consent_look, &given));
	assert_int_equal(given, 0);
	world_free(w);
}

/* ---- the network asks for silence ---- */

static void
engine_whole_network_silence_survives_a_crash(void **state)
{
	struct world *w = two_people();

	(void)state;
	w->fate = (struct outcome){.fate = FATE_LATER, .after_ms = 60000, .whole_network = true};
	world_says(w, "me", "/help");
	assert_int_equal(w->count, 1);
	w->fate = (struct outcome){.fate = FATE_SENT};
	world_says(w, "you", "/help");
	tells(w, YOU, CLASS_URGENT, "hello");
	world_settle(w);
	assert_int_equal(w->count, 1);
	world_crash(w);
	world_says(w, "you", "/help");
	world_pass(w, 58);
	assert_int_equal(w->count, 0);
	world_pass(w, 5);
	assert_int_equal(world_count(w, "me", OP_SEND), 1);
	assert_int_equal(world_count(w, "you", OP_SEND), 3);
	world_free(w);
}

static void
engine_silence_of_one_chat_costs_only_it(void **state)
{
	struct world *w = two_people();

	(void)state;
	w->fate = (struct outcome){.fate = FATE_LATER, .after_ms = 30000};
	world_says(w, "me", "/help");
	w->fate = (struct outcome){.fate = FATE_SENT};
	world_says(w, "me", "/language");
	world_says(w, "you", "/help");
	world_settle(w);
	assert_int_equal(world_count(w, "me", OP_SEND), 1);
	assert_int_equal(world_count(w, "you", OP_SEND), 1);
	world_pass(w, 40);
	/* And in the order in which it was said. */
	assert_int_equal(world_count(w, "me", OP_SEND), 3);
	assert_int_equal(w->sent[2].id, w->sent[0].id);
	assert_true(w->sent[3].id > w->sent[2].id);
	world_free(w);
}

static void
engine_chat_gets_one_at_a_time_in_order(void **state)
{
	struct world *w = two_people();

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	tells(w, ME, CLASS_REPLY, "one");
	tells(w, ME, CLASS_REPLY, "two");
	tells(w, YOU, CLASS_REPLY, "other");
	w->now_ms += 1000;
	world_settle(w);
	assert_int_equal(world_count(w, "me", OP_SEND), 1);
	assert_int_equal(world_count(w, "you", OP_SEND), 1);
	assert_int_equal(engine_flying(w->engine), 3);
	w->fate.fate = FATE_SENT;
	world_land(w, w->fate);
	world_pass(w, 2);
	assert_int_equal(world_count(w, "me", OP_SEND), 2);
	assert_string_equal(world_last(w, "me")->text, "two");
	world_free(w);
}

/* ---- edits ---- */

struct editing {
	int64_t delivery;
	bool deletes;
	const char *text; /* NULL: changed */
};

static void
edit_turn(struct turn *t, void *ctx)
{
	struct editing *x = ctx;
	struct card *card = card_new(t->arena);

	card_text(card, x->text ? x->text : "changed", 0);
	if (x->deletes)
		delete_delivery(t, x->delivery);
	else
		edit_delivery(t, x->delivery, card);
}

static void
engine_edit_waits_for_the_message_it_edits(void **state)
{
	(void)state;
	for (int deletes = 0; deletes < 2; deletes++) {
		struct world *w = two_people();
		struct editing x = {tells(w, ME, CLASS_REMINDER, "first"), deletes};

		w->fate.fate = (enum fate)HOLD;
		world_settle(w);
		assert_true(engine_turn(w->engine, edit_turn, &x));
		world_pass(w, 3);
		assert_int_equal(w->count, 1);
		w->fate.fate = FATE_SENT;
		world_land(w, (struct outcome){.fate = FATE_SENT, .message = "m77"});
		world_pass(w, 3);
		assert_int_equal(w->count, 2);
		assert_int_equal(w->sent[1].op, deletes ? OP_DELETE : OP_EDIT);
		assert_string_equal(w->sent[1].message, "m77");
		world_free(w);
	}
}

/* What waits for the morning is not asked every moment of the night whether it went. */
static void
engine_edit_of_what_waits_for_the_morning_wakes_nobody(void **state)
{
	struct world *w = two_people();
	struct editing x = {0};

	(void)state;
	world_pass(w, 6 * 3600 - MEETING_S);
	x.delivery = tells(w, ME, CLASS_REMINDER, "at night");
	world_settle(w);
	assert_true(engine_turn(w->engine, edit_turn, &x));
	world_pass(w, 5);
	assert_true(engine_next_ms(w->engine) > w->now_ms + 600000);
	world_pass(w, 11 * 3600 - 6);
	assert_int_equal(w->count, 0);
	world_pass(w, 10);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->sent[1].op, OP_EDIT);
	world_free(w);
}

/* Held back while the message was on its way, the older one would come after the newer. */
static void
engine_edit_takes_the_place_of_an_older_one(void **state)
{
	(void)state;
	for (int deletes = 0; deletes < 2; deletes++) {
		struct world *w = two_people();
		struct editing x = {tells(w, ME, CLASS_REMINDER, "first"), false, "older"};

		w->fate.fate = (enum fate)HOLD;
		world_settle(w);
		assert_true(engine_turn(w->engine, edit_turn, &x));
		world_settle(w);
		w->fate.fate = FATE_SENT;
		world_land(w, (struct outcome){.fate = FATE_SENT, .message = "m77"});
		x = (struct editing){x.delivery, deletes, "newer"};
		assert_true(engine_turn(w->engine, edit_turn, &x));
		world_pass(w, 3);
		assert_int_equal(w->count, 2);
		assert_int_equal(w->sent[1].op, deletes ? OP_DELETE : OP_EDIT);
		assert_string_equal(w->sent[1].text, deletes ? "" : "newer");
		world_free(w);
	}
}

static void
engine_edit_of_what_was_refused_ends(void **state)
{
	struct world *w = two_people();
	struct editing x = {tells(w, ME, CLASS_REMINDER, "first"), false};

	(void)state;
	w->fate = (struct outcome){.fate = FATE_REFUSED, .refusal = REFUSAL_BAD};
	world_settle(w);
	w->fate = (struct outcome){.fate = FATE_SENT};
	assert_true(engine_turn(w->engine, edit_turn, &x));
	world_pass(w, 60);
	assert_int_equal(w->count, 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE state < 2"), 0);
	world_free(w);
}

/* ---- what a crash leaves ---- */

static void
engine_crash_while_sending_is_doubt(void **state)
{
	(void)state;
	for (int class = 0; class < CLASS_COUNT; class ++) {
		struct world *w = two_people();
		int64_t id;

		w->fate.fate = (enum fate)HOLD;
		id = tells(w, ME, (enum class) class, "hello");
		world_settle(w);
		assert_int_equal(w->count, 1);
		w->fate.fate = FATE_SENT;
		world_crash(w);
		world_pass(w, 60);
		assert_int_equal(w->count, promises[class].in_doubt > 1 ? 1 : 0);
		assert_int_equal(
		    column_of(w, "state", id), promises[class].in_doubt > 1 ? SENT : UNCERTAIN);
		if (w->count)
			assert_true(w->sent[0].repeated);
		world_free(w);
	}
}

static void
engine_crash_before_sending_loses_nothing(void **state)
{
	struct world *w = two_people();

	(void)state;
	w->transport.slots = 0; /* nothing goes before the crash */
	for (int class = 0; class < CLASS_COUNT; class ++)
		tells(w, ME, (enum class) class, "hello");
	world_settle(w);
	assert_int_equal(w->count, 0);
	world_crash(w);
	world_pass(w, 60);
	assert_int_equal(w->count, CLASS_COUNT);
	world_free(w);
}

/* Ten people ask in one batch, and a network with two slots never says what became of the answers. */
static struct world *
ten_answers(void)
{
	struct world *w = world_new();
	char who[10][16], id[10][16];
	struct event events[10];
	struct batch batch = {.events = events, .event_count = 10};

	w->transport.slots = 2;
	w->fate.fate = (enum fate)HOLD;
	for (int i = 0; i < 10; i++) {
		snprintf(who[i], sizeof(who[i]), "p%d", i);
		snprintf(id[i], sizeof(id[i]), "x%d", i);
		events[i] = (struct event){.kind = EVENT_MESSAGE,
		    .id = id[i],
		    .who = who[i],
		    .where = who[i],
		    .text = "/help"};
	}
	world_says(w, "first", "/help");
	world_land(w, (struct outcome){.fate = FATE_SENT});
	assert_true(w->up.came(w->up.engine, &w->transport, &batch));
	world_settle(w);
	assert_int_equal(w->count, 3);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE state = 1"), 10);
	w->fate.fate = FATE_SENT;
	return w;
}

/* An answer that arrived is written down with the next batch, or a moment later; what a feature
 * waits for, or what went wrong, at once. */
static void
engine_fates_of_answers_wait_for_the_next_batch(void **state)
{
	static const char trying[] = "SELECT count(*) FROM delivery WHERE state = 1";
	struct world *w = two_people();
	int64_t id;

	(void)state;
	world_says(w, "me", "/help");
	assert_int_equal(w->count, 1);
	assert_int_equal(world_number(w, trying), 1);
	world_says(w, "you", "/help");
	assert_int_equal(column_of(w, "state", w->sent[0].id), SENT);
	assert_int_equal(column_of(w, "state", w->sent[1].id), TRYING);
	assert_true(engine_next_ms(w->engine) - w->now_ms <= 50);
	world_pass(w, 1);
	assert_int_equal(world_number(w, trying), 0);
	world_says(w, "me", "/help");
	id = tells(w, YOU, CLASS_RELAY, "hello");
	world_settle(w);
	ends_as(w, id, SENT);
	assert_int_equal(world_number(w, trying), 0);
	world_says(w, "me", "/help");
	w->fate = (struct outcome){.fate = FATE_REFUSED, .refusal = REFUSAL_BAD};
	world_says(w, "you", "/help");
	assert_int_equal(world_number(w, trying), 0);
	world_free(w);
}

static void
engine_crash_is_doubt_only_for_what_was_handed_over(void **state)
{
	struct world *w = ten_answers();

	(void)state;
	world_crash(w);
	world_pass(w, 60);
	assert_int_equal(w->count, 8);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE state = 5"), 2);
	/* And a second crash finds nothing to say again. */
	world_crash(w);
	world_pass(w, 60);
	assert_int_equal(w->count, 0);
	world_free(w);
}

static void
engine_loss_of_power_is_doubt_for_all_that_was_trying(void **state)
{
	struct world *w = ten_answers();

	(void)state;
	world_lose_power(w);
	world_pass(w, 60);
	assert_int_equal(w->count, 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE state = 5"), 10);
	world_free(w);
}

static void
engine_stop_gives_back_what_was_not_handed_over(void **state)
{
	struct world *w = ten_answers();

	(void)state;
	world_restart(w);
	world_pass(w, 60);
	assert_int_equal(w->count, 8);
	world_free(w);
}

static void
engine_silence_gives_back_what_was_not_handed_over(void **state)
{
	struct world *w = ten_answers();

	(void)state;
	world_land(
	    w, (struct outcome){.fate = FATE_LATER, .after_ms = 3600000, .whole_network = true});
	world_settle(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE state = 0"), 10);
	world_crash(w);
	assert_int_equal(w->count, 0);
	/* Answers an hour late help nobody. */
	world_pass(w, 3700);
	assert_int_equal(w->count, 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE state = 4"), 10);
	world_free(w);
}

static void
engine_answer_to_somebody_erased_meanwhile_is_not_sent(void **state)
{
	struct world *w = ten_answers();

	(void)state;
	world_event(w, (struct event){.kind = EVENT_GONE, .who = "p9"});
	world_land(w, (struct outcome){.fate = FATE_SENT});
	world_settle(w);
	assert_int_equal(world_count(w, "p8", OP_SEND), 1);
	assert_int_equal(world_count(w, "p9", OP_SEND), 0);
	world_free(w);
}

static void
engine_answer_that_cannot_go_for_long_waits_in_the_database(void **state)
{
	struct world *w = ten_answers();

	(void)state;
	world_pass(w, 4);
	assert_true(world_number(w, "SELECT count(*) FROM delivery WHERE state IN (0, 1)") == 10);
	world_land(w, (struct outcome){.fate = FATE_SENT});
	world_pass(w, 4);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE state = 2"), 11);
	world_free(w);
}

static void
engine_numbers_never_come_twice(void **state)
{
	struct world *w = two_people();
	int64_t id = tells(w, ME, CLASS_REMINDER, "hello"), next;

	(void)state;
	world_settle(w);
	/* All deliveries are forgotten in time; their numbers are not given again (Matrix knows
	 * them). */
	world_pass(w, 5 * 86400);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 0);
	world_crash(w);
	next = tells(w, ME, CLASS_REMINDER, "hello");
	assert_true(next > id);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(engine_sent_ends_every_class),
    cmocka_unit_test(engine_sent_keeps_the_networks_number_and_no_text),
    cmocka_unit_test(engine_later_comes_again_in_every_class),
    cmocka_unit_test(engine_refused_ends_every_class),
    cmocka_unit_test(engine_gone_for_good_is_erased),
    cmocka_unit_test(engine_moved_chat_is_written_to_there),
    cmocka_unit_test(engine_doubt_is_repeated_as_the_class_says),
    cmocka_unit_test(engine_doubt_is_always_repeated_where_it_is_one_message),
    cmocka_unit_test(engine_late_expires_by_class),
    cmocka_unit_test(engine_own_expiry_beats_the_class),
    cmocka_unit_test(engine_quiet_hours_hold_back_by_class),
    cmocka_unit_test(engine_pause_holds_back_by_class_and_ends_by_itself),
    cmocka_unit_test(engine_pause_also_stops_what_waits_for_the_morning),
    cmocka_unit_test(engine_consents_are_off_until_given_and_withdrawn_at_once),
    cmocka_unit_test(engine_whole_network_silence_survives_a_crash),
    cmocka_unit_test(engine_silence_of_one_chat_costs_only_it),
    cmocka_unit_test(engine_chat_gets_one_at_a_time_in_order),
    cmocka_unit_test(engine_edit_waits_for_the_message_it_edits),
    cmocka_unit_test(engine_edit_of_what_waits_for_the_morning_wakes_nobody),
    cmocka_unit_test(engine_edit_takes_the_place_of_an_older_one),
    cmocka_unit_test(engine_edit_of_what_was_refused_ends),
    cmocka_unit_test(engine_crash_while_sending_is_doubt),
    cmocka_unit_test(engine_crash_before_sending_loses_nothing),
    cmocka_unit_test(engine_fates_of_answers_wait_for_the_next_batch),
    cmocka_unit_test(engine_crash_is_doubt_only_for_what_was_handed_over),
    cmocka_unit_test(engine_loss_of_power_is_doubt_for_all_that_was_trying),
    cmocka_unit_test(engine_stop_gives_back_what_was_not_handed_over),
    cmocka_unit_test(engine_silence_gives_back_what_was_not_handed_over),
    cmocka_unit_test(engine_answer_to_somebody_erased_meanwhile_is_not_sent),
    cmocka_unit_test(engine_answer_that_cannot_go_for_long_waits_in_the_database),
    cmocka_unit_test(engine_numbers_never_come_twice),
};

UNIT_RUN(tests)
