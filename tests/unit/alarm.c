/* Alarms: each thing that did not happen is told once, kept over a restart, and its end is told too;
 * the metrics file is whole and sleeps when nothing happens. */
#include "unit.h"

#include "core/turn.h"

#include "world.h"

static bool broken;

static void
came(struct turn *t, const struct page *page)
{
	if (broken)
		page_broken(t, page, "no calendar in it");
}

static const struct page_kind kinds[] = {{"agenda", came}, {0}};
static const struct feature feature_probe = {.name = "probe", .pages = kinds};

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

static int64_t steady;

static int64_t
steady_now(void *ctx)
{
	(void)ctx;
	return steady;
}

static void
make_admin(struct turn *t, void *ctx)
{
	(void)ctx;
	people_grant(t, 1, ADMINS, "");
}

static void
want(struct turn *t, void *ctx)
{
	page_want(t, "agenda", "probe", ctx, 3600);
}

/* An admin who hears; with a calendar. */
static struct world *
watched(const char *more)
{
	struct world *w = world_new_with(more);

	broken = false;
	world_says(w, "admin", "/help");
	assert_true(engine_turn(w->engine, make_admin, NULL));
	assert_true(engine_turn(w->engine, want, (void *)(uintptr_t) "https://example.org/c.ics"));
	world_settle(w);
	world_forget_sent(w);
	return w;
}

/* How often the admin heard words with this in them; then it starts anew. */
static int
heard(struct world *w, const char *what)
{
	int n = 0;

	world_settle(w);
	for (int i = 0; i < w->count; i++)
		n += !strcmp(w->sent[i].where, "admin") && strstr(w->sent[i].text, what) != NULL;
	world_forget_sent(w);
	return n;
}

static void
poll(struct world *w, enum fetched how, const char *cause)
{
	engine_fetched(w->engine, w->fetch.ticket, how, "x", 1, NULL, NULL, NULL, NULL, cause);
	world_settle(w);
}

static void
alarm_of_a_calendar_is_told_once_and_its_end(void **state)
{
	struct world *w = watched("");

	(void)state;
	for (int i = 0; i < 2; i++) {
		poll(w, FETCHED_FAILED, "the server answered 404");
		assert_int_equal(heard(w, "agenda.probe"), 0);
		world_pass(w, 901);
	}
	poll(w, FETCHED_FAILED, "the server answered 404");
	assert_int_equal(heard(w, "agenda.probe"), 1);
	for (int i = 0; i < 3; i++) {
		world_pass(w, 901);
		poll(w, FETCHED_FAILED, "the server answered 404");
	}
	world_restart(w);
	assert_int_equal(heard(w, "agenda.probe"), 0); /* once, also over a restart */
	world_pass(w, 901);
	poll(w, FETCHED_NEW, NULL);
	assert_int_equal(heard(w, "All right again: \u2068agenda.probe"), 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM alarm"), 0);
	world_free(w);
}

static void
alarm_of_a_certificate_waits_for_nothing(void **state)
{
	struct world *w = watched("");

	(void)state;
	poll(w, FETCHED_FAILED, "SSL peer certificate or SSH remote key was not OK");
	assert_int_equal(heard(w, "certificate"), 1);
	w->up.health(w->up.engine, &w->transport, HEALTH_DOWN, "SSL peer certificate was not OK");
	assert_int_equal(heard(w, "network.recorder"), 1);
	w->up.health(w->up.engine, &w->transport, HEALTH_GOOD, "");
	assert_int_equal(heard(w, "All right again"), 1);
	world_free(w);
}

static void
alarm_of_what_is_no_calendar(void **state)
{
	struct world *w = watched("[ops]\nfeed_failures = 1\n");

	(void)state;
	broken = true;
	poll(w, FETCHED_NEW, NULL);
	assert_int_equal(heard(w, "no calendar in it"), 1);
	world_free(w);
}

static void
alarm_of_a_network_that_is_down_waits(void **state)
{
	struct world *w = watched("[ops]\nnetwork_minutes = 2\n");

	(void)state;
	w->up.health(w->up.engine, &w->transport, HEALTH_DOWN, "no answer");
	world_pass(w, 119);
	assert_int_equal(heard(w, "network.recorder"), 0);
	world_pass(w, 2);
	assert_int_equal(heard(w, "network.recorder"), 1);
	world_restart(w);
	w->up.health(w->up.engine, &w->transport, HEALTH_GOOD, "");
	assert_int_equal(heard(w, "All right again: \u2068network.recorder"), 1);
	w->up.health(w->up.engine, &w->transport, HEALTH_DEAF, "a poll did not end");
	assert_int_equal(heard(w, "a poll did not end"), 1); /* deaf: at once */
	/* Longer away than the network keeps messages: said once, though all is well. */
	w->up.health(w->up.engine, &w->transport, HEALTH_LOST, "no contact for 30 h");
	w->up.health(w->up.engine, &w->transport, HEALTH_GOOD, "no contact for 30 h");
	assert_int_equal(heard(w, "no contact for 30 h"), 1);
	/* What a network that is well says of itself needs no look. */
	w->up.health(w->up.engine, &w->transport, HEALTH_GOOD, "identity NuoN");
	assert_int_equal(heard(w, "Needs a look"), 0);
	w->up.health(w->up.engine, &w->transport, HEALTH_DEAF, "a poll did not end");
	assert_int_equal(heard(w, "Needs a look"), 1);
	w->up.health(w->up.engine, &w->transport, HEALTH_GOOD, "identity NuoN");
	assert_int_equal(heard(w, "Needs a look"), 0);
	world_free(w);
}

static void
alarm_of_a_queue_that_does_not_drain(void **state)
{
	struct world *w = watched("[ops]\nqueue_minutes = 5\n");

	(void)state;
	w->fate = (struct outcome){.fate = (enum fate)HOLD};
	for (int i = 0; i < 40; i++) {
		char who[16];

		snprintf(who, sizeof(who), "p%d", i);
		world_says(w, who, "/help");
	}
	world_pass(w, 240);
	assert_int_equal(world_number(w, "SELECT count(*) FROM alarm"), 0);
	world_pass(w, 70);
	world_says(w, "p1", "/help");
	world_pass(w, 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM alarm WHERE name = 'queue'"), 1);
	w->fate = (struct outcome){.fate = FATE_SENT};
	while (world_land(w, (struct outcome){.fate = FATE_SENT}))
		world_settle(w);
	world_pass(w, 3700);
	assert_int_equal(world_number(w, "SELECT count(*) FROM alarm WHERE name = 'queue'"), 0);
	world_free(w);
}

/* The same world with a machine under it. */
static void
with_a_machine(struct world *w)
{
	struct db_options o = {.path = w->path, .schemas = engine_schemas(features)};
	struct engine_options e = {.features = features,
	    .state_folder = w->folder,
	    .seal = w->seal,
	    .words = w->words,
	    .zones = w->zones,
	    .partners = w->partners,
	    .conf = w->conf,
	    .manifest = w->manifest,
	    .ports = {.ctx = w,
		.now_ms = world_now,
		.wake = world_wake,
		.work = world_work,
		.fetch = world_fetch,
		.broken = world_broken,
		.steady_ms = steady_now}};
	char *why;

	world_end(w);
	assert_int_equal(db_open(&w->db, &o, &why), DB_OK);
	e.db = w->db;
	w->engine = engine_new(&e);
	engine_add(w->engine, &w->transport);
	engine_start(w->engine);
	world_settle(w);
}

static void
alarm_of_a_clock_that_was_set(void **state)
{
	struct world *w = watched("[ops]\ntzdata_days = 3650\ndisk_percent = 0\n");

	(void)state;
	steady = 5000;
	with_a_machine(w);
	world_forget_sent(w);
	for (int i = 0; i < 3; i++) {
		w->now_ms += 60000;
		steady += 60000;
		world_says(w, "noor", "/help");
	}
	assert_int_equal(heard(w, "clock"), 0);
	w->now_ms -= 3600000;
	world_says(w, "noor", "/help");
	world_pass(w, 1);
	assert_int_equal(heard(w, "it was set by -3600 s"), 1);
	world_says(w, "noor", "/help");
	world_pass(w, 61);
	assert_int_equal(heard(w, "clock"), 0);
	world_free(w);
}

static void
alarm_of_the_disk_and_of_old_zones(void **state)
{
	struct world *w = watched("[ops]\ntzdata_days = 1\ndisk_percent = 90\n");

	(void)state;
	steady = 5000;
	with_a_machine(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM alarm WHERE name = 'tzdata'"), 1);
	printf("# disk: %d\n", (int)world_number(w, "SELECT count(*) FROM alarm WHERE name = 'disk'"));
	world_free(w);
}

/* ---- metrics ---- */

static void
alarm_metrics_are_whole_and_sleep(void **state)
{
	struct world *w;
	char *text, *again;
	const char *path = "build/alarm-metrics.prom";

	(void)state;
	/* A path is relative to the file that names it. */
	w = world_new_with("[ops]\nmetrics_file = build/alarm-metrics.prom\n");
	world_says(w, "noor", "/help");
	world_pass(w, 20);
	text = unit_read(path, NULL);
	assert_non_null(text);
	assert_non_null(strstr(text, "\nalumhub_events_total 1\n"));
	assert_non_null(strstr(text, "\nalumhub_ended_total{fate=\"sent\"} 1\n"));
	assert_non_null(strstr(text, "\nalumhub_network_up{network=\"recorder\"} 1\n"));
	assert_null(strstr(text, "noor"));
	/* Asleep: nothing wakes it for the file alone. */
	unlink(path);
	world_pass(w, 60);
	again = unit_read(path, NULL);
	assert_null(again);
	for (int i = 0; i < 50; i++)
		world_says(w, "noor", "/help");
	world_pass(w, 16);
	again = unit_read(path, NULL);
	assert_non_null(again);
	assert_non_null(strstr(again, "\nalumhub_events_total 51\n"));
	free(again);
	free(text);
	unlink(path);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(alarm_of_a_calendar_is_told_once_and_its_end),
    cmocka_unit_test(alarm_of_a_certificate_waits_for_nothing),
    cmocka_unit_test(alarm_of_what_is_no_calendar),
    cmocka_unit_test(alarm_of_a_network_that_is_down_waits),
    cmocka_unit_test(alarm_of_a_queue_that_does_not_drain),
    cmocka_unit_test(alarm_of_a_clock_that_was_set),
    cmocka_unit_test(alarm_of_the_disk_and_of_old_zones),
    cmocka_unit_test(alarm_metrics_are_whole_and_sleep),
};

UNIT_RUN(tests)
