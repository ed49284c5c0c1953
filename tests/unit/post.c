/* Posts: the audience frozen to rows, pause, stop, recall, and a report that equals what the
 * network was given, whoever leaves on the way. */
#include "unit.h"

#include <signal.h>
#include <sys/resource.h>

#include "core/post.h"
#include "core/turn.h"

#include "world.h"

/* Of eight slots a quarter is kept for replies. */
enum { PEOPLE = 60, AIR = 6 };

static int stages_heard;
static int64_t pressed_by;

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_POST && t->post)
		stages_heard++;
}

static void
press(struct turn *t)
{
	pressed_by = t->person->id;
}

static const struct action actions[] = {{"probe.press", ANYONE, press}, {0}};
static const struct feature feature_probe = {
    .name = "probe", .happened = happened, .actions = actions};
static const struct feature feature_other = {.name = "other"};
static const struct feature *const features[] = {&feature_probe, &feature_other, NULL};
static const struct feature *const *const world_features = features;

static const char *const languages[] = {"en", "ar", "he"};

/* ---- a world with members ---- */

static void
members_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t id = 1; id <= PEOPLE; id++) {
		people_set_language(t, id, languages[id % 3]);
		people_join(t, id, id % 2 ? "odd" : "even");
		consent_set(t, id, CONSENT_ANNOUNCEMENTS, true);
	}
}

static const char *
name_of(int64_t person)
{
	static char name[4][24];
	static int next;

	next = (next + 1) % 4;
	snprintf(name[next], sizeof(name[next]), "p%d", (int)person);
	return name[next];
}

static struct world *
members(void)
{
	struct world *w = world_new();

	for (int64_t id = 1; id <= PEOPLE; id++)
		world_says(w, name_of(id), "/help");
	assert_true(engine_turn(w->engine, members_turn, NULL));
	world_settle(w);
	world_forget_sent(w);
	stages_heard = 0;
	return w;
}

struct order {
	int64_t post, of, expires, due;
	enum class class;
	struct audience audience;
	bool replace, choice, yes;
	int64_t person;
	struct post_report report;
	const struct feature *feature;
};

static void
say_all(struct turn *t, struct order *o, const char *what)
{
	for (int i = 0; i < 3; i++) {
		struct card *card = card_new(t->arena);

		card_text(card, arena_print(t->arena, "%s %s", what, languages[i]), 0);
		if (o->choice)
			choose_text(t, card, "Press", "probe.press", "7");
		post_say(t, o->post, languages[i], card);
	}
}

static void
send_turn(struct turn *t, void *ctx)
{
	struct order *o = ctx;

	t->feature = &feature_probe;
	o->post = post_new(t, o->class, o->expires);
	say_all(t, o, "hello");
	post_audience(t, o->post, &o->audience);
	post_start(t, o->post, o->due);
}

/* To everybody who consented, from now on. */
static struct order
begins(struct world *w, struct order o)
{
	if (!o.class)
		o.class = CLASS_ANNOUNCEMENT;
	if (!o.audience.consent)
		o.audience.consent = CONSENT_ANNOUNCEMENTS;
	assert_true(engine_turn(w->engine, send_turn, &o));
	return o;
}

#define TURN(name, what) \
	static void name(struct turn *t, void *ctx) \
	{ \
		struct order *o = ctx; \
		t->feature = o->feature ? o->feature : &feature_probe; \
		what; \
	}
TURN(pause_turn, o->yes = post_pause(t, o->post))
TURN(resume_turn, o->yes = post_resume(t, o->post))
TURN(stop_turn, o->yes = post_stop(t, o->post))
TURN(report_turn, o->yes = post_report(t, o->post, &o->report))
TURN(erase_turn, people_erase(t, o->person))
TURN(away_turn, people_pause(t, o->person, t->now + 30 * 86400))
TURN(withdraw_turn, consent_set(t, o->person, CONSENT_ANNOUNCEMENTS, false))
TURN(join_turn, people_join(t, o->person, "even");
     consent_set(t, o->person, CONSENT_ANNOUNCEMENTS, true))
TURN(recall_turn, o->of = o->post; o->post = post_recall(t, o->of, o->replace);
     if (o->post && o->replace) say_all(t, o, "instead"); if (o->post) post_start(t, o->post, 0))

static void
does(struct world *w, void (*turn)(struct turn *, void *), struct order *o)
{
	assert_true(engine_turn(w->engine, turn, o));
}

/* The report adds up, and what it says was delivered is what the network was given. */
static struct post_report
report(struct world *w, struct order *o)
{
	const struct post_report *r = &o->report;
	int64_t sum;

	does(w, report_turn, o);
	assert_true(o->yes);
	sum = r->delivered + r->refused + r->expired + r->doubt + r->stopped + r->left +
	      r->waiting + r->in_air;
	for (int i = 0; i < SKIP_COUNT; i++)
		sum += r->skipped[i];
	assert_int_equal(sum, r->audience);
	assert_true(r->waiting >= 0 && r->in_air >= 0);
	return *r;
}

static int
given(struct world *w, enum op op)
{
	int n = 0;

	for (int i = 0; i < w->count; i++)
		n += w->sent[i].op == op;
	return n;
}

/* Nobody was sent to twice. */
static void
once_each(struct world *w)
{
	for (int64_t id = 1; id <= PEOPLE; id++)
		assert_true(world_count(w, name_of(id), OP_SEND) <= 1);
}

/* ---- sending ---- */

static void
post_reaches_everybody_once_in_their_language(void **state)
{
	struct world *w = members();
	struct order o = begins(w, (struct order){0});
	struct post_report r;

	(void)state;
	world_pass(w, 10);
	r = report(w, &o);
	assert_int_equal(r.stage, POST_DONE);
	assert_int_equal(r.delivered, PEOPLE);
	assert_int_equal(r.audience, PEOPLE);
	assert_int_equal(given(w, OP_SEND), PEOPLE);
	for (int64_t id = 1; id <= PEOPLE; id++) {
		char text[20];

		snprintf(text, sizeof(text), "hello %s", languages[id % 3]);
		assert_int_equal(world_count(w, name_of(id), OP_SEND), 1);
		assert_string_equal(world_last(w, name_of(id))->text, text);
	}
	/* frozen, sending, done */
	assert_int_equal(stages_heard, 3);
	world_free(w);
}

static void
post_waits_for_its_moment_and_for_the_morning(void **state)
{
	struct world *w = members();
	/* 12:00 UTC is 15:00 in Jerusalem; at 20:00 UTC it is night. */
	struct order o = begins(w, (struct order){.due = MONDAY_NOON_S + 8 * 3600});
	struct order urgent =
	    begins(w, (struct order){.due = MONDAY_NOON_S + 8 * 3600, .class = CLASS_URGENT});

	(void)state;
	world_pass(w, 8 * 3600 - 10);
	assert_int_equal(w->count, 0);
	assert_int_equal(report(w, &o).stage, POST_READY);
	assert_int_equal(report(w, &o).waiting, PEOPLE);
	world_pass(w, 60);
	assert_int_equal(report(w, &o).delivered, 0);
	assert_int_equal(report(w, &urgent).delivered, PEOPLE);
	world_pass(w, 10 * 3600);
	assert_int_equal(report(w, &o).delivered, PEOPLE);
	world_free(w);
}

/* An evening's outage, or a clock put right: what was taken up is not sent in the night. */
static void
post_taken_up_before_the_night_waits_for_the_morning(void **state)
{
	(void)state;
	for (int killed = 0; killed < 2; killed++) {
		struct world *w = members();
		struct order o;

		w->fate.fate = (enum fate)HOLD;
		o = begins(w, (struct order){0});
		world_settle(w);
		assert_int_equal(w->count, AIR);
		w->now_ms += 11 * 3600 * 1000; /* two at night there */
		w->fate.fate = FATE_SENT;
		if (killed)
			world_crash(w);
		else
			world_land(w, w->fate);
		world_pass(w, 3600);
		assert_true(given(w, OP_SEND) <= AIR);
		assert_int_equal(report(w, &o).waiting, PEOPLE - AIR);
		world_pass(w, 8 * 3600);
		assert_int_equal(report(w, &o).stage, POST_DONE);
		assert_int_equal(report(w, &o).delivered + report(w, &o).doubt, PEOPLE);
		once_each(w);
		world_free(w);
	}
}

/* The clock of the machine is put forward or back by hours while it goes out. */
static void
post_over_a_clock_that_jumps_reaches_everybody_once(void **state)
{
	(void)state;
	for (int hours = -6; hours <= 6; hours += 3) {
		struct world *w = members();
		struct order o;

		w->fate.fate = (enum fate)HOLD;
		o = begins(w, (struct order){0});
		world_settle(w);
		w->now_ms += hours * 3600 * 1000LL;
		w->fate.fate = FATE_SENT;
		world_land(w, w->fate);
		world_pass(w, 7 * 3600);
		w->now_ms -= 2 * hours * 3600 * 1000LL;
		world_pass(w, 24 * 3600);
		assert_int_equal(report(w, &o).stage, POST_DONE);
		assert_int_equal(report(w, &o).delivered, PEOPLE);
		assert_int_equal(given(w, OP_SEND), PEOPLE);
		once_each(w);
		world_free(w);
	}
}

static void
post_counts_who_is_skipped_and_why(void **state)
{
	struct world *w = members();
	struct order o = {.person = 1};
	struct post_report r;

	(void)state;
	does(w, withdraw_turn, &o);
	o.person = 2;
	does(w, away_turn, &o);
	world_event(w, (struct event){.kind = EVENT_BLOCKED, .who = "p3"});
	o = begins(w, (struct order){0});
	world_pass(w, 10);
	r = report(w, &o);
	assert_int_equal(r.audience, PEOPLE);
	assert_int_equal(r.delivered, PEOPLE - 3);
	assert_int_equal(r.skipped[SKIP_CONSENT], 1);
	assert_int_equal(r.skipped[SKIP_PAUSED], 1);
	assert_int_equal(r.skipped[SKIP_BLOCKED], 1);
	world_free(w);
}

static void
post_is_its_own_features(void **state)
{
	struct world *w = members();
	struct order o = begins(w, (struct order){0});

	(void)state;
	o.feature = &feature_other;
	does(w, report_turn, &o);
	assert_false(o.yes);
	world_free(w);
}

/* ---- pausing and stopping ---- */

static void
post_stop_lets_only_what_is_in_the_air_arrive(void **state)
{
	struct world *w = members();
	struct order o;
	struct post_report r;

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	o = begins(w, (struct order){0});
	world_settle(w);
	assert_int_equal(w->count, AIR);
	assert_int_equal(report(w, &o).in_air, AIR);
	does(w, stop_turn, &o);
	assert_true(o.yes);
	w->fate.fate = FATE_SENT;
	world_land(w, w->fate);
	world_pass(w, 60);
	r = report(w, &o);
	assert_int_equal(w->count, AIR);
	assert_int_equal(r.stage, POST_STOPPED);
	assert_int_equal(r.delivered, AIR);
	assert_int_equal(r.stopped, PEOPLE - AIR);
	does(w, stop_turn, &o);
	assert_false(o.yes);
	does(w, resume_turn, &o);
	assert_false(o.yes);
	world_free(w);
}

static void
post_stop_holds_for_what_the_network_gives_back(void **state)
{
	struct world *w = members();
	struct order o;

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	o = begins(w, (struct order){0});
	world_settle(w);
	does(w, stop_turn, &o);
	world_land(w, (struct outcome){.fate = FATE_LATER, .after_ms = 100});
	w->fate.fate = FATE_SENT;
	world_pass(w, 3600);
	assert_int_equal(w->count, AIR);
	assert_int_equal(report(w, &o).stopped, PEOPLE);
	assert_int_equal(report(w, &o).stage, POST_STOPPED);
	world_free(w);
}

static void
post_goes_on_after_a_pause_where_it_stood(void **state)
{
	struct world *w = members();
	struct order o;

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	o = begins(w, (struct order){0});
	world_settle(w);
	does(w, pause_turn, &o);
	assert_true(o.yes);
	w->fate.fate = FATE_SENT;
	world_land(w, w->fate);
	world_pass(w, 3600);
	assert_int_equal(w->count, AIR);
	assert_int_equal(report(w, &o).waiting, PEOPLE - AIR);
	world_crash(w);
	world_pass(w, 60);
	assert_int_equal(w->count, 0);
	does(w, resume_turn, &o);
	world_pass(w, 60);
	assert_int_equal(w->count, PEOPLE - AIR);
	assert_int_equal(report(w, &o).delivered, PEOPLE);
	once_each(w);
	world_free(w);
}

static void
post_ends_what_is_too_late(void **state)
{
	struct world *w = members();
	struct order o;

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	o = begins(w, (struct order){.expires = MONDAY_NOON_S + 600});
	world_settle(w);
	world_pass(w, 900);
	w->fate.fate = FATE_SENT;
	world_land(w, w->fate);
	world_pass(w, 60);
	assert_int_equal(w->count, AIR);
	assert_int_equal(report(w, &o).delivered, AIR);
	assert_int_equal(report(w, &o).expired, PEOPLE - AIR);
	assert_int_equal(report(w, &o).stage, POST_DONE);
	world_free(w);
}

/* ---- who leaves and who comes ---- */

static void
post_goes_to_who_was_there_when_frozen_minus_who_left(void **state)
{
	struct world *w = members();
	struct order o, who = {.person = 40};
	struct post_report r;

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	o = begins(w, (struct order){0});
	world_settle(w);
	does(w, erase_turn, &who);
	who.person = 2; /* in the air at this moment */
	does(w, erase_turn, &who);
	who.person = 41;
	does(w, away_turn, &who);
	who.person = 42;
	does(w, withdraw_turn, &who);
	world_event(w, (struct event){.kind = EVENT_BLOCKED, .who = "p43"});
	world_event(w, (struct event){.kind = EVENT_MESSAGE, .who = "new", .text = "/help"});
	who.person = PEOPLE + 1;
	does(w, join_turn, &who);
	w->fate.fate = FATE_SENT;
	world_land(w, w->fate);
	world_pass(w, 60);
	r = report(w, &o);
	assert_int_equal(r.audience, PEOPLE);
	assert_int_equal(r.left, 5);
	assert_int_equal(r.delivered, PEOPLE - 5);
	for (int64_t id = 40; id <= 43; id++)
		assert_int_equal(world_count(w, name_of(id), OP_SEND), 0);
	for (int i = 0; i < w->count; i++)
		if (!strcmp(w->sent[i].where, "new"))
			assert_int_not_equal(w->sent[i].class, CLASS_ANNOUNCEMENT);
	once_each(w);
	world_free(w);
}

static void
post_report_stands_when_those_delivered_leave(void **state)
{
	struct world *w = members();
	struct order o = begins(w, (struct order){0}), who = {0};

	(void)state;
	world_pass(w, 60);
	for (who.person = 1; who.person <= 30; who.person++)
		does(w, erase_turn, &who);
	assert_int_equal(report(w, &o).delivered, PEOPLE);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE post > 0"), 30);
	/* Three days later only the numbers are left. */
	world_pass(w, 4 * 86400);
	assert_int_equal(report(w, &o).delivered, PEOPLE);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE post > 0"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM post_text"), 0);
	world_free(w);
}

/* ---- in doubt ---- */

static void
post_killed_in_the_middle_loses_and_repeats_nobody(void **state)
{
	(void)state;
	for (int landed = 0; landed <= AIR; landed += 3) {
		struct world *w = members();
		struct order o;
		struct post_report r;
		int before;

		w->fate.fate = (enum fate)HOLD;
		o = begins(w, (struct order){0});
		world_settle(w);
		before = w->count;
		for (int i = 0; i < landed; i++) {
			char message[24];

			snprintf(message, sizeof(message), "m%lld", (long long)w->sent[i].id);
			w->sent[i].held = false;
			w->up.gone(w->up.engine, &w->transport, w->sent[i].id,
			    &(struct outcome){.fate = FATE_SENT, .message = message});
		}
		engine_tick(w->engine);
		before = w->count;
		world_crash(w);
		w->fate.fate = FATE_SENT;
		world_pass(w, 60);
		r = report(w, &o);
		assert_int_equal(r.delivered, PEOPLE - AIR);
		assert_int_equal(r.doubt, AIR);
		assert_int_equal(before + w->count, PEOPLE);
		once_each(w);
		world_free(w);
	}
}

static void
post_freezing_goes_on_after_a_crash(void **state)
{
	struct world *w = members();
	struct order o = begins(w, (struct order){0});

	(void)state;
	world_crash(w);
	world_pass(w, 60);
	assert_int_equal(report(w, &o).delivered, PEOPLE);
	once_each(w);
	world_free(w);
}

static void
post_reports_refusals_and_doubt(void **state)
{
	struct world *w = members();
	struct order o;

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	o = begins(w, (struct order){0});
	world_settle(w);
	world_land(w, (struct outcome){.fate = FATE_UNCERTAIN});
	world_settle(w);
	world_land(w, (struct outcome){.fate = FATE_REFUSED, .refusal = REFUSAL_BLOCKED});
	w->fate.fate = FATE_SENT;
	world_pass(w, 60);
	assert_int_equal(report(w, &o).doubt, AIR);
	assert_int_equal(report(w, &o).refused, AIR);
	assert_int_equal(report(w, &o).delivered, PEOPLE - 2 * AIR);
	once_each(w);
	world_free(w);
}

/* ---- a full disk ---- */

static void
disk_full(struct world *w, bool full)
{
	struct rlimit limit;
	struct stat wal;
	char path[120];

	snprintf(path, sizeof(path), "%s-wal", w->path);
	getrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(stat(path, &wal), 0);
	limit.rlim_cur = full ? (rlim_t)wal.st_size + 4096 : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
post_survives_a_full_disk_in_the_middle(void **state)
{
	struct world *w = members();
	struct order o = {0};
	struct post_report r;
	int before;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	w->fate.fate = (enum fate)HOLD;
	o = begins(w, (struct order){0});
	world_settle(w);
	world_land(w, (struct outcome){.fate = FATE_SENT});
	engine_tick(w->engine);
	w->fate.fate = FATE_SENT;
	disk_full(w, true);
	world_pass(w, 60);
	assert_true(w->broken[0] || w->count < PEOPLE);
	before = w->count;
	disk_full(w, false);
	world_crash(w);
	world_pass(w, 3600);
	r = report(w, &o);
	assert_int_equal(r.stage, POST_DONE);
	assert_int_equal(r.delivered + r.doubt, PEOPLE);
	assert_true(r.doubt <= 2 * AIR);
	/* Nobody twice: what was given before and after is each of them once. */
	assert_int_equal(before + w->count, PEOPLE);
	once_each(w);
	world_free(w);
}

/* ---- recall ---- */

static void
post_recall_takes_back_every_copy(void **state)
{
	(void)state;
	for (int replace = 0; replace < 2; replace++) {
		struct world *w = members();
		struct order o;
		struct post_report r;

		w->fate.fate = (enum fate)HOLD;
		o = begins(w, (struct order){0});
		world_settle(w);
		world_land(w, (struct outcome){.fate = FATE_UNCERTAIN});
		world_settle(w);
		world_land(w, (struct outcome){.fate = FATE_SENT});
		world_settle(w); /* in doubt, delivered, in the air: each AIR */
		o.replace = replace;
		does(w, recall_turn, &o);
		assert_true(o.post > 0);
		w->fate.fate = FATE_SENT;
		world_land(w, w->fate);
		world_pass(w, 60);
		r = report(w, &o);
		assert_int_equal(given(w, OP_SEND), 3 * AIR);
		assert_int_equal(given(w, replace ? OP_EDIT : OP_DELETE), 2 * AIR);
		assert_int_equal(r.delivered, 2 * AIR);
		assert_int_equal(r.refused, AIR);
		assert_int_equal(r.stage, POST_DONE);
		for (int i = 0; replace && i < w->count; i++)
			if (w->sent[i].op == OP_EDIT)
				assert_memory_equal(w->sent[i].text, "instead", 7);
		o.post = o.of;
		r = report(w, &o);
		assert_int_equal(r.stage, POST_STOPPED);
		assert_int_equal(r.stopped, PEOPLE - 3 * AIR);
		world_free(w);
	}
}

static void
post_recall_of_what_nobody_got_is_none(void **state)
{
	struct world *w = members();
	struct order o = begins(w, (struct order){.due = MONDAY_NOON_S + 3600});

	(void)state;
	world_pass(w, 10);
	does(w, recall_turn, &o);
	assert_int_equal(o.post, 0);
	o.post = o.of;
	world_pass(w, 7200);
	assert_int_equal(w->count, 0);
	assert_int_equal(report(w, &o).stopped, PEOPLE);
	world_free(w);
}

/* ---- audiences and choices ---- */

static void
tags_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	audience_tag(t, 1, "topic.climate", true);
	audience_tag(t, 2, "topic.climate", true);
	audience_tag(t, 3, "topic.food", true);
	audience_tag(t, 2, "event.12", true);
	people_grant(t, 5, COORDINATORS, "odd");
}

static void
sizes_turn(struct turn *t, void *ctx)
{
	static const struct {
		struct audience audience;
		int64_t size;
	} cases[] = {
	    {{0}, PEOPLE},
	    {{.orgs = "odd"}, PEOPLE / 2},
	    {{.orgs = "odd even nowhere"}, PEOPLE},
	    {{.languages = "ar"}, PEOPLE / 3},
	    {{.languages = "ar he", .orgs = "even"}, PEOPLE / 3},
	    {{.topics = "climate"}, 2},
	    {{.topics = "climate food"}, 3},
	    {{.topics = "climate", .events = "12"}, 1},
	    {{.events = "1"}, 0},
	    {{.roles = COORDINATORS}, 1},
	    {{.within = 5}, PEOPLE / 2},
	    {{.within = 5, .orgs = "even"}, 0},
	    {{.within = 6}, 0},
	    {{.consent = "surveys"}, 0},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct audience again = audience_unpack(t, audience_pack(t, &cases[i].audience));

		assert_int_equal(audience_size(t, &cases[i].audience, t->now), cases[i].size);
		assert_int_equal(audience_size(t, &again, t->now), cases[i].size);
	}
}

static void
post_audience_is_what_its_chips_say(void **state)
{
	struct world *w = members();
	struct order o;

	(void)state;
	assert_true(engine_turn(w->engine, tags_turn, NULL));
	assert_true(engine_turn(w->engine, sizes_turn, NULL));
	o = begins(w, (struct order){.audience = {.topics = "climate food", .within = 5}});
	world_pass(w, 60);
	assert_int_equal(report(w, &o).audience, 2);
	assert_int_equal(world_count(w, "p1", OP_SEND) + world_count(w, "p3", OP_SEND), 2);
	world_free(w);
}

static void
post_choices_are_pressed_and_typed_by_everybody(void **state)
{
	struct world *w = members();

	(void)state;
	for (int buttons = 0; buttons < 2; buttons++) {
		w->transport.buttons = buttons;
		begins(w, (struct order){.choice = true});
		world_pass(w, 60);
		for (int64_t id = 1; id <= PEOPLE; id += 7) {
			pressed_by = 0;
			if (buttons)
				world_presses(w, name_of(id), world_last(w, name_of(id)), 1);
			else
				world_says(w, name_of(id), "1");
			assert_int_equal(pressed_by, id);
		}
		world_forget_sent(w);
	}
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(post_reaches_everybody_once_in_their_language),
    cmocka_unit_test(post_waits_for_its_moment_and_for_the_morning),
    cmocka_unit_test(post_taken_up_before_the_night_waits_for_the_morning),
    cmocka_unit_test(post_over_a_clock_that_jumps_reaches_everybody_once),
    cmocka_unit_test(post_counts_who_is_skipped_and_why),
    cmocka_unit_test(post_is_its_own_features),
    cmocka_unit_test(post_stop_lets_only_what_is_in_the_air_arrive),
    cmocka_unit_test(post_stop_holds_for_what_the_network_gives_back),
    cmocka_unit_test(post_goes_on_after_a_pause_where_it_stood),
    cmocka_unit_test(post_ends_what_is_too_late),
    cmocka_unit_test(post_goes_to_who_was_there_when_frozen_minus_who_left),
    cmocka_unit_test(post_report_stands_when_those_delivered_leave),
    cmocka_unit_test(post_killed_in_the_middle_loses_and_repeats_nobody),
    cmocka_unit_test(post_freezing_goes_on_after_a_crash),
    cmocka_unit_test(post_reports_refusals_and_doubt),
    cmocka_unit_test(post_survives_a_full_disk_in_the_middle),
    cmocka_unit_test(post_recall_takes_back_every_copy),
    cmocka_unit_test(post_recall_of_what_nobody_got_is_none),
    cmocka_unit_test(post_audience_is_what_its_chips_say),
    cmocka_unit_test(post_choices_are_pressed_and_typed_by_everybody),
};

UNIT_RUN(tests)
