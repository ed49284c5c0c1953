/* Announcements from the second person's yes to the report: the promised hour, the weekly digest, the
 * urgent class, a network that asks for silence, what is said before and after, and /check. */
#include "announce_world.h"

static bool
says(const struct sent *s, const char *what)
{
	if (!s || !strstr(s->text, what))
		printf("# expected %s in %s\n", what, s ? s->text : "nothing");
	return s && strstr(s->text, what);
}

static void
presses_what(struct world *w, const char *who, int k)
{
	struct sent on = *world_last(w, who);

	world_presses(w, who, &on, k);
}

/* ---- the promised hour ---- */

/* Wall time and the seconds from the noon at which the world begins. */
struct promise {
	const char *zone, *wall;
	int64_t after;
	int second; /* of an hour that comes twice; -1: it comes once */
};

/* Up to the question after the hour. */
static void
writes(struct world *w, const char *zone, const char *wall)
{
	TYPES(w, "cora", "/announce", "#10", "The bus", "#1", "#1", "#1", "#1", zone, wall);
}

static void
goes_out_at(const struct promise *p)
{
	struct world *w = coordinators_with("quiet_hours = 04:00-05:00\n");

	writes(w, p->zone, p->wall);
	if (p->second >= 0)
		TYPES(w, "cora", p->second ? "#2" : "#1");
	TYPES(w, "cora", "#1");
	world_presses(w, "dana", looks(w, "dana"), 1);
	w->now_ms += (p->after - 6 * 3600) * 1000;
	world_restart(w);
	world_pass(w, 6 * 3600 - 60);
	assert_int_equal(announced(w), 0);
	world_pass(w, 120);
	if (announced(w) != 1)
		fail_msg("%s %s went out %d times", p->zone, p->wall, announced(w));
	world_free(w);
}

/* The clocks go back on 25 October 2026 in Jerusalem and a day before in Hebron. */
static void
announce_keeps_the_wall_time_when_the_clocks_go_back(void **state)
{
	static const struct promise promises[] = {
	    {"Asia/Jerusalem", "24/10/2026 10:00", 4 * DAY + 19 * 3600, -1},
	    {"Asia/Jerusalem", "26/10/2026 10:00", 6 * DAY + 20 * 3600, -1},
	    {"Asia/Jerusalem", "25/10/2026 01:30", 5 * DAY + 10 * 3600 + 1800, 0},
	    {"Asia/Jerusalem", "25/10/2026 01:30", 5 * DAY + 11 * 3600 + 1800, 1},
	    {"Asia/Hebron", "23/10/2026 10:00", 3 * DAY + 19 * 3600, -1},
	    {"Asia/Hebron", "25/10/2026 10:00", 5 * DAY + 20 * 3600, -1},
	    {"Asia/Hebron", "24/10/2026 01:30", 4 * DAY + 10 * 3600 + 1800, 0},
	    {"Asia/Hebron", "24/10/2026 01:30", 4 * DAY + 11 * 3600 + 1800, 1},
	    /* Between the two the same wall time is another instant on the other clock. */
	    {"Asia/Jerusalem", "24/10/2026 20:00", 5 * DAY + 5 * 3600, -1},
	    {"Asia/Hebron", "24/10/2026 20:00", 5 * DAY + 6 * 3600, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(promises) / sizeof(*promises); i++)
		goes_out_at(&promises[i]);
}

/* On 26 March 2027 they go forward in Jerusalem, a day later in Hebron: promised in the autumn. */
static void
announce_keeps_the_wall_time_when_the_clocks_go_forward(void **state)
{
	static const struct promise promises[] = {
	    {"Asia/Jerusalem", "25/3/2027 10:00", 156 * DAY + 20 * 3600, -1},
	    {"Asia/Jerusalem", "27/3/2027 10:00", 158 * DAY + 19 * 3600, -1},
	    {"Asia/Hebron", "26/3/2027 10:00", 157 * DAY + 20 * 3600, -1},
	    {"Asia/Hebron", "28/3/2027 10:00", 159 * DAY + 19 * 3600, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(promises) / sizeof(*promises); i++)
		goes_out_at(&promises[i]);
}

static void
announce_of_an_hour_that_does_not_exist_is_asked_again(void **state)
{
	static const char *const hours[][2] = {
	    {"Asia/Jerusalem", "26/3/2027 02:30"}, {"Asia/Hebron", "27/3/2027 02:30"}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world *w = coordinators();
		bool told = false;

		writes(w, hours[i][0], hours[i][1]);
		for (int k = 0; k < w->count; k++)
			told = told || strstr(w->sent[k].text, "does not exist");
		assert_true(told);
		assert_int_equal(world_number(w, "SELECT count(*) FROM announcement"), 0);
		world_free(w);
	}
}

/* ---- the digest, the night, a wide audience ---- */

static void
announce_digest_goes_out_once(void **state)
{
	struct world *w = coordinators();
	int times = 0;

	(void)state;
	hands_in(w, "#1");
	world_presses(w, "dana", looks(w, "dana"), 1);
	for (int week = 0; week < 3; week++) {
		world_pass(w, 7 * DAY);
		times += announced(w);
		world_restart(w);
	}
	assert_int_equal(times, 1);
	world_free(w);
}

/* To the reader, in whatever class. */
static int
arrived(struct world *w)
{
	int n = 0;

	for (int i = 0; i < w->count; i++)
		n += !strcmp(w->sent[i].where, "reader") && strstr(w->sent[i].text, "leaves");
	return n;
}

static void
announce_urgent_goes_out_at_night_and_needs_two_people(void **state)
{
	(void)state;
	for (int urgent = 0; urgent < 2; urgent++) {
		struct world *w = coordinators();

		world_pass(w, 10 * 3600); /* one at night in Jerusalem */
		hands_in(w, urgent ? "#3" : "#2");
		world_pass(w, 600);
		assert_int_equal(arrived(w), 0);
		world_presses(w, "dana", looks(w, "dana"), 1);
		world_pass(w, 120);
		assert_int_equal(arrived(w), urgent);
		world_pass(w, 10 * 3600);
		assert_int_equal(arrived(w), 1);
		world_free(w);
	}
}

static void
head_turn(struct turn *t, void *ctx)
{
	snprintf(ctx, 40, "%s", join_make(t, ADMINS, "", 1, 100));
}

/* Neither a second coordinator nor one who was away for long: an admin, with the code once more. */
static void
announce_wide_wants_an_admin_and_the_code_again(void **state)
{
	struct world *w = coordinators();
	char head[40], start[60];

	(void)state;
	assert_true(engine_turn(w->engine, head_turn, head));
	snprintf(start, sizeof(start), "/start j_%s", head);
	TYPES(w, "head", "/help", start, "#1");
	world_pass(w, 35 * DAY);
	TYPES(w, "cora", "/announce", "#5", "#11", "The bus", "#1", "#1", "#1", "#1", "#2", "#1",
	    code, "#1", "#1");
	assert_int_equal(world_number(w, "SELECT wide FROM announcement"), 1);
	TYPES(w, "dana", "/approve");
	assert_int_equal(world_last(w, "dana")->choices, 0);
	TYPES(w, "head", "/approve", "#1");
	presses_what(w, "head", 1);
	assert_true(world_is(w, world_last(w, "head"), "en", "announce.code"));
	world_pass(w, 3600);
	assert_int_equal(announced(w), 0);
	TYPES(w, "head", "j_wrong");
	assert_int_equal(world_number(w, "SELECT state FROM approval"), 0);
	TYPES(w, "head", head, "#1");
	/* Shown once more before the yes. */
	assert_int_equal(world_number(w, "SELECT state FROM approval"), 0);
	presses_what(w, "head", 1);
	assert_int_equal(world_number(w, "SELECT state FROM approval"), 1);
	world_pass(w, 120);
	assert_int_equal(announced(w), 1);
	world_free(w);
}

/* ---- what is said before and after ---- */

static void
reasons_turn(struct turn *t, void *ctx)
{
	int64_t *ids = ctx;

	for (int i = 0; i < 3; i++) {
		people_set_language(t, ids[i], "en");
		people_join(t, ids[i], "arava");
		consent_set(t, ids[i], CONSENT_ANNOUNCEMENTS, i > 0);
	}
	people_pause(t, ids[1], t->now + 30 * DAY);
}

/* Before it is handed in: who will not get it and why, and how long it takes. */
static void
announce_says_who_is_left_out_and_the_time_before_approval(void **state)
{
	struct world *w = coordinators();
	int64_t ids[] = {READER + 1, READER + 2, READER + 3};

	(void)state;
	TYPES(w, "none", "/help");
	TYPES(w, "away", "/help");
	TYPES(w, "shut", "/help");
	assert_true(engine_turn(w->engine, reasons_turn, ids));
	world_event(w, (struct event){.kind = EVENT_BLOCKED, .who = "shut"});
	hands_in(w, "#2");
	for (int i = w->count - 1; i > 0; i--)
		if (strstr(w->sent[i].text, "Recipients now")) {
			assert_true(says(&w->sent[i], "no consent"));
			assert_true(says(&w->sent[i], "left out, paused"));
			assert_true(says(&w->sent[i], "left out, cannot be reached"));
			assert_true(says(&w->sent[i], "Time needed: about"));
			break;
		}
	world_presses(w, "dana", looks(w, "dana"), 1);
	world_pass(w, 120);
	assert_int_equal(announced(w), 1);
	/* cora, dana and twin said no word either; the report gives the same reasons */
	assert_int_equal(
	    world_number(w, "SELECT n FROM post_count WHERE state = 9 AND reason = 1"), 4);
	assert_int_equal(
	    world_number(w, "SELECT n FROM post_count WHERE state = 9 AND reason = 2"), 1);
	assert_int_equal(
	    world_number(w, "SELECT n FROM post_count WHERE state = 9 AND reason = 3"), 1);
	world_free(w);
}

/* The network deletes no more what is older: the copies that stay are counted, and it is said why. */
static void
announce_recall_after_the_networks_limit_says_what_stays(void **state)
{
	struct world *w = coordinators();

	(void)state;
	hands_in(w, "#2");
	world_presses(w, "dana", looks(w, "dana"), 1);
	world_pass(w, 120);
	assert_int_equal(announced(w), 1);
	world_pass(w, 49 * 3600);
	TYPES(w, "cora", "/queue", "#1");
	w->fate.fate = (enum fate)HOLD;
	TYPES(w, "cora", "#1");
	world_pass(w, 5);
	w->fate = (struct outcome){.fate = FATE_SENT};
	for (int i = 0; i < w->count; i++)
		if (w->sent[i].held && w->sent[i].op == OP_DELETE) {
			w->sent[i].held = false;
			w->up.gone(w->up.engine, &w->transport, w->sent[i].id,
			    &(struct outcome){.fate = FATE_REFUSED, .refusal = REFUSAL_BAD});
		}
	world_land(w, w->fate);
	world_pass(w, 60);
	assert_true(says(world_last(w, "cora"), "could not be taken back"));
	assert_true(says(world_last(w, "cora"), "48 hours"));
	assert_int_equal(
	    world_number(w, "SELECT sum(n) FROM post_count WHERE post = 2 AND state = 3"), 1);
	world_free(w);
}

/* Genuine is what really went out: not what waits, was refused, is planned or was never there. */
static void
announce_check_knows_only_what_went_out(void **state)
{
	struct world *w = coordinators();

	(void)state;
#define UNKNOWN(n) \
	do { \
		TYPES(w, "reader", "/check " #n); \
		assert_true(world_is(w, world_last(w, "reader"), "en", "check.unknown")); \
	} while (0)
	hands_in(w, "#2");
	UNKNOWN(1);
	looks(w, "dana");
	presses_what(w, "dana", 2);
	UNKNOWN(1);
	hands_in(w, "20/10/2026 10:00");
	world_presses(w, "dana", looks(w, "dana"), 1);
	UNKNOWN(2);
	world_pass(w, DAY);
	TYPES(w, "reader", "/check 2");
	assert_true(says(world_last(w, "reader"), "is genuine"));
	UNKNOWN(1);
	UNKNOWN(3);
	UNKNOWN(41);
	UNKNOWN(0);
	UNKNOWN(-2);
#undef UNKNOWN
	world_free(w);
}

/* ---- progress and silence ---- */

enum { MANY = 40 };

static void
many_turn(struct turn *t, void *ctx)
{
	int64_t first = *(int64_t *)ctx;

	for (int64_t id = first; id < first + MANY; id++) {
		people_set_language(t, id, "en");
		people_join(t, id, "arava");
		consent_set(t, id, CONSENT_ANNOUNCEMENTS, true);
	}
}

static struct world *
many(void)
{
	struct world *w = coordinators();
	int64_t first = READER + 1;
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		world_says(w, name, "/help");
	}
	assert_true(engine_turn(w->engine, many_turn, &first));
	hands_in(w, "#2");
	world_presses(w, "dana", looks(w, "dana"), 1);
	world_pass(w, 30);
	world_forget_sent(w);
	return w;
}

/* The author's card is edited in place every few seconds; no message is added until the end. */
static void
announce_progress_is_edited_in_place(void **state)
{
	struct world *w = many();
	int edits = 0, messages = 0;

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	for (int i = 0; i < 30; i++) {
		world_pass(w, 2);
		world_land(w, (struct outcome){.fate = FATE_SENT});
	}
	w->fate.fate = FATE_SENT;
	for (int i = 0; i < w->count; i++)
		if (!strcmp(w->sent[i].where, "cora")) {
			edits += w->sent[i].op == OP_EDIT;
			messages += w->sent[i].op == OP_SEND;
		}
	world_pass(w, 60);
	assert_in_range(edits, 3, 16);
	assert_in_range(messages, 0, 1);
	assert_true(says(world_last(w, "cora"), "Done"));
	assert_int_equal(announced(w), MANY + 1);
	world_free(w);
}

/* Hours of silence asked for by the network hold over a kill and a loss of power; then it goes on,
 * everybody once. */
static void
announce_obeys_a_networks_silence_over_restarts(void **state)
{
	enum { SILENCE_S = 4 * 3600 };
	struct world *w = many();
	int before;

	(void)state;
	w->fate.fate = (enum fate)HOLD;
	world_pass(w, 40);
	assert_true(announced(w) > 0 && announced(w) < MANY);
	world_land(
	    w, (struct outcome){
		   .fate = FATE_LATER, .after_ms = SILENCE_S * 1000LL, .whole_network = true});
	engine_tick(w->engine);
	before = w->count;
	w->fate.fate = FATE_SENT;
	world_pass(w, 60);
	assert_int_equal(w->count, before);
	world_crash(w);
	world_pass(w, SILENCE_S / 2);
	assert_int_equal(w->count, 0);
	world_lose_power(w);
	world_pass(w, SILENCE_S / 2 - 120);
	assert_int_equal(w->count, 0);
	world_pass(w, 600);
	assert_int_equal(announced(w), MANY + 1);
	for (int i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%d", i);
		assert_int_equal(world_count(w, name, OP_SEND), 1);
	}
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(announce_keeps_the_wall_time_when_the_clocks_go_back),
    cmocka_unit_test(announce_keeps_the_wall_time_when_the_clocks_go_forward),
    cmocka_unit_test(announce_of_an_hour_that_does_not_exist_is_asked_again),
    cmocka_unit_test(announce_digest_goes_out_once),
    cmocka_unit_test(announce_urgent_goes_out_at_night_and_needs_two_people),
    cmocka_unit_test(announce_wide_wants_an_admin_and_the_code_again),
    cmocka_unit_test(announce_says_who_is_left_out_and_the_time_before_approval),
    cmocka_unit_test(announce_recall_after_the_networks_limit_says_what_stays),
    cmocka_unit_test(announce_check_knows_only_what_went_out),
    cmocka_unit_test(announce_progress_is_edited_in_place),
    cmocka_unit_test(announce_obeys_a_networks_silence_over_restarts),
};

UNIT_RUN(tests)
