/* Alarms for what did not happen: each once, kept over a restart, with its recovery; to the ops room
 * where one is configured, else to the admins. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/log.h"

static const char *const alarm_steps[] = {
    "CREATE TABLE alarm(name TEXT PRIMARY KEY, raised INTEGER NOT NULL, detail TEXT NOT NULL)"
    " STRICT, WITHOUT ROWID;",
    NULL,
};
static const struct column alarm_columns[] = {
    {"alarm.name", "what needs a look", "until it is over", NOT_PERSONAL},
    {"alarm.raised", "since when", "until it is over", NOT_PERSONAL},
    {"alarm.detail", "fixed words of ours, with numbers", "until it is over", NOT_PERSONAL},
    {0},
};
const struct schema alarm_schema = {"alarm", alarm_steps, alarm_columns};

static struct sql add = {"INSERT OR IGNORE INTO alarm(name, raised, detail) VALUES(?, ?, ?)"};
static struct sql drop = {"DELETE FROM alarm WHERE name = ?"};
static struct sql there = {"SELECT 1 FROM alarm WHERE name = ?"};
static struct sql all = {"SELECT name, raised, detail FROM alarm ORDER BY name"};
static struct sql oldest = {"SELECT min(due) FROM delivery WHERE state = 0"};
static struct sql failing = {
    "SELECT name, failures FROM job WHERE failures >= ? ORDER BY failures DESC, name LIMIT 1"};
static struct sql last_backup = {"SELECT content FROM meta WHERE name = 'backup.made'"};
struct sql *const alarm_statements[] = {
    &add, &drop, &there, &all, &oldest, &last_backup, &failing, NULL};

enum { DAY = 86400, LOOK_MS = 60000, CALM_MS = 3600000, JOB_FAILURES = 5 };

struct alarm_to {
	struct card *(*card)(struct turn *t, const char *language);
	const char *key, *name, *detail;
};

static void
alarm_one(struct turn *t, int64_t person, void *ctx)
{
	struct alarm_to *a = ctx;

	tell(t, person, CLASS_ALARM, 0,
	    words_in(
		t, language_of(t, person), a->key, "name", a->name, "detail", a->detail, NULL));
}

/* To the ops room where one is configured and reached, else to the admins. */
static void
alarm_tell(struct turn *t, struct alarm_to *to)
{
	const char *room = conf_text(t->conf, "ops", NULL, "room");
	const char *colon = room ? strchr(room, ':') : NULL;
	struct network *n = NULL;

	if (colon)
		n = network_named(t->engine, arena_copy(t->arena, room, (size_t)(colon - room)));
	if (n)
		say_room(t, n, colon + 1,
		    words_in(t, words_language(t->words, 0), to->key, "name", to->name, "detail",
			to->detail, NULL));
	else
		people_each(t, ADMINS, NULL, 20, alarm_one, to);
}

void
alarm_raise(struct turn *t, const char *name, const char *detail)
{
	struct alarm_to to = {.key = "engine.alarm", .name = name, .detail = detail};

	if (!db_run(t->db, &add, V(name, t->now, detail)))
		return;
	log_event(LOG_WARNING, "alarm.raised", "name=%s", name);
	alarm_tell(t, &to);
}

void
alarm_over(struct turn *t, const char *name)
{
	struct alarm_to to = {.key = "engine.alarm_over", .name = name, .detail = ""};

	if (!db_run(t->db, &drop, V(name)))
		return;
	log_event(LOG_NOTICE, "alarm.over", "name=%s", name);
	alarm_tell(t, &to);
}

void
alarm_when(struct turn *t, bool bad, const char *name, const char *detail)
{
	if (bad)
		alarm_raise(t, name, detail);
	else
		alarm_over(t, name);
}

void
alarm_each(struct turn *t, void (*each)(void *ctx, const char *name, int64_t raised), void *ctx)
{
	struct rows *q = db_query(t->db, &all, NONE);

	while (db_next(q))
		each(ctx, db_text(q, 0), db_int(q, 1));
}

void
alarm_status(struct turn *t)
{
	struct rows *q = db_query(t->db, &all, NONE);

	while (db_next(q))
		status_line(t, arena_print(t->arena, "alarm.%s", db_text(q, 0)),
		    arena_print(t->arena, "raised %lld min ago: %s",
			(long long)(t->now - db_int(q, 1)) / 60, db_text(q, 2)),
		    false);
}

/* ---- networks ---- */

static const char *const health_names[] = {
    [HEALTH_STARTING] = "starting",
    [HEALTH_GOOD] = "good",
    [HEALTH_DOWN] = "down",
    [HEALTH_DEAF] = "deaf",
    [HEALTH_CONFLICT] = "conflict",
    [HEALTH_REFUSED] = "refused",
    [HEALTH_NEW_DEVICE] = "new device",
};

const char *
alarm_health(enum health health)
{
	return health_names[health];
}

/* curl's words for a certificate that is not believed; no waiting mends that. */
static bool
is_certificate(const char *why)
{
	return strstr(why, "certificate") != NULL;
}

static bool
is_bad(enum health health)
{
	return health == HEALTH_DOWN || health == HEALTH_DEAF || health == HEALTH_CONFLICT ||
	       health == HEALTH_REFUSED;
}

void
alarm_network(struct network *n)
{
	int64_t now = engine_now_ms(n->engine);
	/* A network comes back from most hitches by itself. */
	int64_t wait = 60000 * conf_number(n->engine->o.conf, "ops", NULL, "network_minutes");
	bool waits = n->health == HEALTH_DOWN && !is_certificate(n->detail);
	int64_t at = waits ? now + wait : now;

	if (is_bad(n->health) && !n->alarmed)
		n->alarm_ms = at < n->alarm_ms ? at : n->alarm_ms;
	else if (n->health == HEALTH_GOOD)
		n->alarm_ms = n->alarmed || n->lost ? now : INT64_MAX;
}

int64_t
alarm_next_ms(const struct engine *e)
{
	int64_t next = INT64_MAX;

	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].alarm_ms < next)
			next = e->networks[i].alarm_ms;
	return next;
}

static void
network_alarm(struct turn *t, void *ctx)
{
	struct network *n = ctx;
	const char *name = arena_print(t->arena, "network.%s", n->transport->name);
	struct alarm_to lost = {.key = "engine.alarm", .name = name, .detail = n->detail};

	if (n->lost)
		alarm_tell(t, &lost);
	if (is_bad(n->health))
		alarm_raise(
		    t, name, arena_print(t->arena, "%s: %s", health_names[n->health], n->detail));
	else
		alarm_over(t, name);
}

void
alarm_networks(struct engine *e)
{
	struct turn t;
	struct ours ours;

	for (int i = 0; i < e->network_count; i++) {
		struct network *n = &e->networks[i];

		if (n->alarm_ms > engine_now_ms(e))
			continue;
		n->alarm_ms = INT64_MAX;
		turn_begin(&t, e, &ours);
		turn_run(e, &t, network_alarm, n);
		n->alarmed = is_bad(n->health);
		n->lost = false;
	}
}

/* A network's alarm may be from before the start. */
void
alarm_start(struct network *n)
{
	n->alarmed = db_exists(n->engine->db, &there,
	    V((const char *)arena_print(n->engine->arena, "network.%s", n->transport->name)));
}

/* ---- feeds and calendars ---- */

void
alarm_page(struct turn *t, const char *name, const char *key, int64_t failures, const char *why)
{
	int64_t most = conf_number(t->conf, "ops", NULL, "feed_failures");

	if (!failures)
		alarm_over(t, arena_print(t->arena, "%s.%s", name, key));
	else if (failures >= most || is_certificate(why))
		alarm_raise(t, arena_print(t->arena, "%s.%s", name, key),
		    arena_print(t->arena, "%lld polls: %s", (long long)failures, why));
}

/* ---- what nobody reports ---- */

static void
look_queue(struct turn *t)
{
	int64_t now_ms = engine_now_ms(t->engine), due = db_number(t->db, &oldest, NONE, now_ms);
	int64_t minutes = (now_ms - due) / 60000;

	alarm_when(t, minutes >= conf_number(t->conf, "ops", NULL, "queue_minutes"), "queue",
	    arena_print(t->arena, "the oldest message waits for %lld min", (long long)minutes));
}

static void
look_disk(struct turn *t)
{
	struct statvfs fs;
	long long percent;

	if (!t->engine->o.state_folder || statvfs(t->engine->o.state_folder, &fs) || !fs.f_blocks)
		return;
	percent = (long long)(fs.f_bavail * 100 / fs.f_blocks);
	alarm_when(t, percent < conf_number(t->conf, "ops", NULL, "disk_percent"), "disk",
	    arena_print(t->arena, "%lld %% are free", percent));
}

static void
look_zones(struct turn *t)
{
	int64_t written = zones_written_s(t->zones), days = (t->now - written) / DAY;

	alarm_when(t, written && days > conf_number(t->conf, "ops", NULL, "tzdata_days"), "tzdata",
	    arena_print(t->arena, "its newest file is %lld days old", (long long)days));
}

/* Only where one was ever made: not everybody makes backups this way. */
static void
look_backup(struct turn *t)
{
	const char *made = db_string(t->db, &last_backup, NONE);
	int64_t days = made ? (t->now - strtoll(made, NULL, 10)) / DAY : 0;

	alarm_when(t, days > conf_number(t->conf, "ops", NULL, "backup_days"), "backup",
	    arena_print(t->arena, "the last one is %lld days old", (long long)days));
}

/* Its pauses grow: five failures are half an hour. */
static void
look_jobs(struct turn *t)
{
	struct rows *q = db_query(t->db, &failing, V(JOB_FAILURES));
	bool bad = db_next(q);
	const char *detail = bad ? arena_print(t->arena, "%s failed %lld times", db_text(q, 0),
				       (long long)db_int(q, 1))
				 : "";

	db_done(q);
	alarm_when(t, bad, "job", detail);
}

/* A clock that is set again and again is one alarm, over when nobody set it for an hour. */
static void
look_clock(struct turn *t)
{
	struct engine *e = t->engine;
	int64_t steady = e->o.ports.steady_ms(e->o.ports.ctx);

	if (!e->clock_calm_ms)
		e->clock_calm_ms = steady + CALM_MS;
	if (steady >= e->clock_calm_ms)
		alarm_over(t, "clock");
}

static void
look_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	look_queue(t);
	look_backup(t);
	look_jobs(t);
	if (!t->engine->o.ports.steady_ms)
		return; /* the terminal and the simulator have no machine to look after */
	look_disk(t);
	look_zones(t);
	look_clock(t);
}

static void
stepped_turn(struct turn *t, void *ctx)
{
	long long seconds = *(int64_t *)ctx;

	alarm_raise(t, "clock", arena_print(t->arena, "it was set by %+lld s", seconds));
}

/* How far the wall clock moved against one that nobody can set. */
static int64_t
clock_step_s(struct engine *e)
{
	int64_t apart, step, least;

	if (!e->o.ports.steady_ms)
		return 0;
	apart = engine_now_ms(e) - e->o.ports.steady_ms(e->o.ports.ctx);
	step = e->clock_apart_ms ? (apart - e->clock_apart_ms) / 1000 : 0;
	if (!step && e->clock_apart_ms)
		return 0;
	least = conf_number(e->o.conf, "ops", NULL, "clock_seconds");
	if (!e->clock_apart_ms || step >= least || -step >= least)
		e->clock_apart_ms = apart;
	return step >= least || -step >= least ? step : 0;
}

static bool
one_turn(struct engine *e, void (*run)(struct turn *t, void *ctx), void *ctx)
{
	struct turn t;
	struct ours ours;

	turn_begin(&t, e, &ours);
	return turn_run(e, &t, run, ctx);
}

void
alarm_look(struct engine *e)
{
	int64_t step = clock_step_s(e), now_ms = engine_now_ms(e);

	if (step) {
		log_event(LOG_WARNING, "clock.stepped", "seconds=%lld", (long long)step);
		one_turn(e, stepped_turn, &step);
		e->clock_calm_ms = e->o.ports.steady_ms(e->o.ports.ctx) + CALM_MS;
		e->look_ms = 0;
	}
	/* With what happens anyway, so that an idle bot sleeps; the hourly job looks too. */
	if (e->look_ms > now_ms)
		return;
	e->look_ms = now_ms + LOOK_MS;
	one_turn(e, look_turn, NULL);
}
