/* Alarms: each thing that did not happen is told once, kept over a restart, and its end is told too;
 * the metrics file is whole and sleeps when nothing happens. */
#include "unit.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include "core/erasure.h"
#include "core/turn.h"

#include "world.h"

static bool broken;

static void
came(struct turn *t, const struct page *page)
{
	if (broken)
		page_broken(t, page, "no calendar in it");
}

static bool failing;

static void
work_that_fails(struct turn *t)
{
	if (failing)
		turn_fail(t, "probe: it fails");
}

static void
order(struct turn *t, void *ctx)
{
	(void)ctx;
	job_at(t, "probe.job", "", t->now, "");
}

static const struct page_kind kinds[] = {{"agenda", came}, {0}};
static const struct job jobs[] = {{.name = "probe.job", .run = work_that_fails}, {0}};
static const struct feature feature_probe = {.name = "probe", .pages = kinds, .jobs = jobs};

#define MORE_FEATURES &feature_probe
#include "every_feature.h"
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

/* Until the fates are written: with them alarms are looked at. */
static void
moment(struct world *w)
{
	world_settle(w);
	w->now_ms += 50;
	steady += 50;
	world_settle(w);
}

/* How often the admin heard words with this in them; then it starts anew. */
static int
heard(struct world *w, const char *what)
{
	int n = 0;

	moment(w);
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

/* Minute by minute, with somebody who says something. */
static void
tick_on(struct world *w, int minutes)
{
	for (int i = 0; i < minutes; i++) {
		w->now_ms += 60000;
		steady += 60000;
		world_says(w, "noor", "/help");
		moment(w);
	}
}

static void
alarm_of_a_clock_that_was_set(void **state)
{
	struct world *w = watched("[ops]\ntzdata_days = 3650\ndisk_percent = 0\n");
	char *text;

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
	assert_int_equal(heard(w, "it was set by -3600 s"), 1);
	/* Set again and again: said once, and it stands in the status for as long. */
	for (int i = 0; i < 5; i++) {
		w->now_ms += i % 2 ? 600000 : -600000;
		steady += 60000;
		world_says(w, "noor", "/help");
	}
	assert_int_equal(heard(w, "clock"), 0);
	text = engine_status(w->engine, true);
	assert_non_null(strstr(text, "\"alarm.clock\": {\"good\": false"));
	free(text);
	tick_on(w, 50);
	assert_int_equal(heard(w, "clock"), 0);
	tick_on(w, 12);
	assert_int_equal(heard(w, "All right again: \u2068clock"), 1);
	tick_on(w, 70);
	assert_int_equal(heard(w, "clock"), 0);
	world_free(w);
}

/* What the disk says: this file's own in the place of the C library's. */
static unsigned long disk_free = 50;

int
statvfs(const char *restrict path, struct statvfs *restrict fs)
{
	(void)path;
	*fs = (struct statvfs){.f_blocks = 100, .f_bavail = disk_free};
	return 0;
}

static void
alarm_of_a_disk_that_fills_up(void **state)
{
	struct world *w = watched("[ops]\ntzdata_days = 3650\ndisk_percent = 10\n");

	(void)state;
	steady = 5000;
	disk_free = 10;
	with_a_machine(w);
	tick_on(w, 2);
	assert_int_equal(heard(w, "disk"), 0);
	disk_free = 9;
	tick_on(w, 2);
	assert_int_equal(heard(w, "Needs a look: \u2068disk\u2069"), 1);
	disk_free = 3;
	tick_on(w, 5);
	assert_int_equal(heard(w, "disk"), 0);
	disk_free = 40;
	tick_on(w, 2);
	assert_int_equal(heard(w, "All right again: \u2068disk"), 1);
	tick_on(w, 2);
	assert_int_equal(heard(w, "disk"), 0);
	world_free(w);
}

/* tzdata of its own, written so many days before that moment. */
static void
zones_of(const char *file, int64_t now_s, int days)
{
	const struct timespec times[2] = {{now_s - days * 86400L, 0}, {now_s - days * 86400L, 0}};

	assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
}

static void
alarm_of_old_zones(void **state)
{
	char folder[] = "build/alarm-zones-XXXXXX", file[64], link[64];
	struct world *w;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/tzdata.zi", folder);
	snprintf(link, sizeof(link), "%s/Asia", folder);
	assert_int_equal(symlink("/usr/share/zoneinfo/Asia", link), 0);
	fclose(fopen(file, "w"));
	world_zones = folder;
	w = watched("[ops]\ntzdata_days = 30\n");
	disk_free = 50;
	steady = 5000;
	zones_of(file, w->now_ms / 1000, 30);
	with_a_machine(w);
	world_forget_sent(w);
	tick_on(w, 2);
	assert_int_equal(heard(w, "tzdata"), 0);
	zones_of(file, w->now_ms / 1000, 31);
	tick_on(w, 2);
	assert_int_equal(heard(w, "its newest file is 31 days old"), 1);
	tick_on(w, 100);
	assert_int_equal(heard(w, "tzdata"), 0);
	zones_of(file, w->now_ms / 1000, 1);
	tick_on(w, 2);
	assert_int_equal(heard(w, "All right again: \u2068tzdata"), 1);
	world_free(w);
	world_zones = NULL;
	unlink(file);
	unlink(link);
	rmdir(folder);
}

static void
made(struct turn *t, void *ctx)
{
	(void)ctx;
	erasure_backup_made(t);
}

static void
begun(struct turn *t, void *ctx)
{
	(void)ctx;
	erasure_backup_begins(t);
}

static void
alarm_of_a_backup_that_was_not_made(void **state)
{
	struct world *w = watched("[ops]\nbackup_days = 3\n");

	(void)state;
	world_pass(w, 5 * 86400);
	assert_int_equal(heard(w, "backup"), 0); /* never tried: nobody waits for one */
	assert_true(engine_turn(w->engine, made, NULL));
	world_pass(w, 3 * 86400);
	assert_int_equal(heard(w, "backup"), 0);
	/* Tried again and again, and never made: that is none. */
	for (int i = 0; i < 2; i++) {
		assert_true(engine_turn(w->engine, begun, NULL));
		world_pass(w, 86400);
	}
	assert_int_equal(heard(w, "Needs a look: \u2068backup"), 1);
	world_pass(w, 86400);
	assert_int_equal(heard(w, "backup"), 0);
	assert_true(engine_turn(w->engine, made, NULL));
	world_pass(w, 3700);
	assert_int_equal(heard(w, "All right again: \u2068backup"), 1);
	world_free(w);
}

static void
alarm_of_a_job_that_fails(void **state)
{
	struct world *w = watched("");

	(void)state;
	failing = true;
	assert_true(engine_turn(w->engine, order, NULL));
	for (int i = 0; i < 14; i++)
		world_pass(w, 60);
	assert_int_equal(heard(w, "probe.job"), 0);
	for (int i = 0; i < 120; i++)
		world_pass(w, 60);
	assert_int_equal(heard(w, "probe.job failed 5 times"), 1);
	failing = false;
	for (int i = 0; i < 120; i++)
		world_pass(w, 60);
	assert_int_equal(heard(w, "All right again: \u2068job"), 1);
	world_free(w);
}

/* A round whose step is not taken for two days. */
static void
stuck(struct turn *t, void *ctx)
{
	static struct sql put = {
	    "INSERT OR REPLACE INTO meeting_round(id, opened, state, pass, at, ends)"
	    " VALUES(1, ?1, ?2, 1, ?1, ?1)"};

	db_run(t->db, &put, V(t->now, *(int64_t *)ctx));
}

static void
alarm_of_a_round_that_was_missed(void **state)
{
	struct world *w = watched("");
	int64_t gathering = 1, over = 6;

	(void)state;
	assert_true(engine_turn(w->engine, stuck, &gathering));
	world_pass(w, 86400);
	assert_int_equal(heard(w, "matching.round"), 0);
	world_pass(w, 90000);
	assert_int_equal(heard(w, "pass 1, step 1 is late"), 1);
	world_pass(w, 90000);
	assert_int_equal(heard(w, "matching.round"), 0);
	assert_true(engine_turn(w->engine, stuck, &over));
	world_pass(w, 3700);
	assert_int_equal(heard(w, "All right again: \u2068matching.round"), 1);
	world_free(w);
}

/* ---- metrics ---- */

static void
want_quoted(struct turn *t, void *ctx)
{
	(void)ctx;
	page_want(t, "agenda", "a \"b\\c", "https://example.org/c.ics", 3600);
}

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
	assert_true(engine_turn(w->engine, want_quoted, NULL));
	world_pass(w, 20);
	text = unit_read(path, NULL);
	assert_non_null(text);
	assert_non_null(strstr(text, "\nalumhub_events_total 1\n"));
	assert_non_null(strstr(text, "\nalumhub_ended_total{fate=\"sent\"} 1\n"));
	assert_non_null(strstr(text, "\nalumhub_network_up{network=\"recorder\"} 1\n"));
	assert_non_null(strstr(text, "\nalumhub_page_failures{page=\"agenda.a \\\"b\\\\c\"} 0\n"));
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
    cmocka_unit_test(alarm_of_a_disk_that_fills_up),
    cmocka_unit_test(alarm_of_old_zones),
    cmocka_unit_test(alarm_of_a_backup_that_was_not_made),
    cmocka_unit_test(alarm_of_a_job_that_fails),
    cmocka_unit_test(alarm_of_a_round_that_was_missed),
    cmocka_unit_test(alarm_metrics_are_whole_and_sleep),
};

UNIT_RUN(tests)
