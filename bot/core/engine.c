/* The engine's heart: turns and their transactions; a tick does all that is due, commits, then sends. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/manifest.h"

static const char *const engine_steps[] = {
    "CREATE TABLE inbox(network INTEGER NOT NULL, event TEXT NOT NULL, came INTEGER NOT NULL,"
    " PRIMARY KEY(network, event)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE poisoned(id INTEGER PRIMARY KEY, network INTEGER NOT NULL, raw BLOB,"
    " reason TEXT NOT NULL, came INTEGER NOT NULL) STRICT;"
    "CREATE TABLE network(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cursor TEXT,"
    " paused_until INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE network_state(network INTEGER NOT NULL, key TEXT NOT NULL, content BLOB NOT NULL,"
    " PRIMARY KEY(network, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE meta(name TEXT PRIMARY KEY, content TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    NULL,
};
static const struct column engine_columns[] = {
    {"inbox.network", "which network the update came from", "7 days", AFTER_RETENTION},
    {"inbox.event", "the network's own number of an update, to know a duplicate", "7 days",
	AFTER_RETENTION},
    {"inbox.came", "when, for the retention", "7 days", AFTER_RETENTION},
    {"poisoned.id", "row", "7 days", AFTER_RETENTION},
    {"poisoned.network", "where a failed update came from", "7 days", AFTER_RETENTION},
    {"poisoned.raw", "the failed update, sealed, for a repair", "7 days", AFTER_RETENTION},
    {"poisoned.reason", "what failed, without data", "7 days", AFTER_RETENTION},
    {"poisoned.came", "when, for the retention", "7 days", AFTER_RETENTION},
    {"network.number", "number of a network", "for ever", NOT_PERSONAL},
    {"network.name", "name of a network", "for ever", NOT_PERSONAL},
    {"network.cursor", "where the next poll goes on", "until the next poll", NOT_PERSONAL},
    {"network.paused_until", "until when the network asked for silence", "until then",
	NOT_PERSONAL},
    {"network_state.network", "which network", "while the network is used", NOT_PERSONAL},
    {"network_state.key", "the transport's own key", "while the network is used", NOT_PERSONAL},
    {"network_state.content",
	"what a transport must remember, sealed (Matrix: keys; of strangers those of the newest 500 people)",
	"while the network is used", NOT_PERSONAL},
    {"meta.name", "a setting of the state itself", "for ever", NOT_PERSONAL},
    {"meta.content", "its content", "for ever", NOT_PERSONAL},
    {0},
};
const struct schema engine_schema = {"engine", engine_steps, engine_columns};

static struct sql meta_get = {"SELECT content FROM meta WHERE name = ?"};
static struct sql meta_set = {"INSERT OR REPLACE INTO meta(name, content) VALUES(?, ?)"};

struct sql *const engine_statements_own[] = {&meta_get, &meta_set, NULL};

int64_t
engine_now_ms(struct engine *e)
{
	return e->o.ports.now_ms(e->o.ports.ctx);
}

const char *
meta_read(struct engine *e, const char *name)
{
	return db_string(e->db, &meta_get, V(name));
}

void
meta_write(struct engine *e, const char *name, const char *content)
{
	db_run(e->db, &meta_set, V(name, content));
}

const struct feature *
feature_named(struct engine *e, const char *name)
{
	for (const struct feature *const *f = e->o.features; *f; f++)
		if (!strcmp((*f)->name, name))
			return *f;
	return NULL;
}

/* ---- transactions and turns ---- */

void
engine_give_up(struct engine *e, const char *why)
{
	e->broken = true;
	ship_forget(e);
	e->o.ports.broken(e->o.ports.ctx, why);
}

bool
engine_commit(struct engine *e)
{
	e->in_transaction = false;
	if (e->broken)
		return false;
	e->counts.commits++;
	if (db_commit(e->db)) {
		ship_committed(e);
		return true;
	}
	log_event(LOG_ERROR, "store.commit", "result=unknown");
	engine_give_up(e, db_failure(e->db));
	return false;
}

void
turn_begin(struct turn *t, struct engine *e, struct ours *ours)
{
	*ours = (struct ours){.last = &ours->wanted};
	*t = (struct turn){
	    .engine = e,
	    .db = e->db,
	    .arena = e->arena,
	    .seal = e->o.seal,
	    .words = e->o.words,
	    .conf = e->o.conf,
	    .zones = e->o.zones,
	    .partners = e->o.partners,
	    .now = engine_now_ms(e) / 1000,
	    .language = words_language(e->o.words, 0),
	    .text = "",
	    .rest = "",
	    .value = "",
	    .key = "",
	    .private = ours,
	};
	/* After the wait: a turn forgets only what it allocated itself. */
	ours->last = &ours->wanted;
	db_arena(e->db, e->arena);
}

bool
turn_do(struct engine *e, struct turn *t, void (*run)(struct turn *, void *), void *ctx)
{
	run(t, ctx);
	if (!db_failed(e->db)) {
		converse_keep(t);
		outbox_keep(t);
	}
	db_rows_end(e->db);
	e->counts.turns++;
	return !db_failed(e->db);
}

struct mark
mark_set(struct engine *e)
{
	db_savepoint(e->db);
	return (struct mark){e->next_delivery, e->running};
}

void
mark_undo(struct engine *e, struct mark mark)
{
	db_savepoint_undo(e->db);
	ship_undo(e, mark.first_delivery);
	work_undo(e, mark.running);
}

bool
turn_run(struct engine *e, struct turn *t, void (*run)(struct turn *, void *), void *ctx)
{
	struct mark mark = mark_set(e);

	if (turn_do(e, t, run, ctx)) {
		db_savepoint_keep(e->db);
		return !db_failed(e->db);
	}
	log_event(LOG_ERROR, "turn.failed", "feature=%s reason=%s",
	    t->feature ? t->feature->name : "engine", db_failure(e->db));
	e->counts.failed_turns++;
	mark_undo(e, mark);
	return false;
}

void
happen(struct turn *t, enum happening what)
{
	const struct feature *was = t->feature;

	for (const struct feature *const *f = t->engine->o.features; *f; f++)
		if ((*f)->happened) {
			t->feature = *f;
			(*f)->happened(t, what);
		}
	t->feature = was;
	menu_happened(t, what);
}

void
turn_fail(struct turn *t, const char *reason)
{
	db_fail(t->db, reason);
}

/* ---- life ---- */

static void
check_key(struct engine *e)
{
	unsigned char print[SEAL_HASH_BYTES];
	char hex[2 * SEAL_HASH_BYTES + 1];
	const char *stored;

	seal_fingerprint(e->o.seal, print);
	for (size_t i = 0; i < sizeof(print); i++)
		snprintf(hex + 2 * i, 3, "%02x", print[i]);
	db_arena(e->db, e->arena);
	stored = meta_read(e, "key");
	if (!stored)
		meta_write(e, "key", hex);
	else if (strcmp(stored, hex))
		engine_give_up(e, "wrong key");
}

struct engine *
engine_new(const struct engine_options *options)
{
	struct engine *e = memory_new(sizeof(*e));
	const char *high;

	e->o = *options;
	e->db = options->db;
	e->plain_arena = arena_new();
	e->arena = arena_new();
	e->outgoing = arena_new();
	e->next_job_s = INT64_MAX;
	route_build(e);
	db_begin(e->db);
	check_key(e);
	high = meta_read(e, "delivery");
	e->next_delivery = high ? strtoll(high, NULL, 10) : 1;
	erasure_start(e);
	demo_start(e);
	engine_commit(e);
	return e;
}

static void
start_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	happen(t, HAPPENED_START);
}

static void
reload_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	happen(t, HAPPENED_ZONES);
	happen(t, HAPPENED_RELOAD);
}

bool
engine_turn(struct engine *e, void (*run)(struct turn *t, void *ctx), void *ctx)
{
	struct turn t;
	struct ours ours;
	bool good;

	db_begin(e->db);
	e->in_transaction = true;
	db_arena(e->db, e->arena);
	outbox_fates(e);
	turn_begin(&t, e, &ours);
	good = turn_run(e, &t, run, ctx);
	outbox_pick(e);
	good = engine_commit(e) && good;
	arena_forget(e->arena);
	e->o.ports.wake(e->o.ports.ctx, 0);
	return good;
}

void
engine_start(struct engine *e)
{
	job_start(e);
	engine_turn(e, start_turn, NULL);
	page_start(e);
	if (e->o.manifest && !e->broken)
		manifest_trust(e->o.manifest);
	e->started = true;
	e->metrics_file = conf_text(e->o.conf, "ops", NULL, "metrics_file");
	e->started_s = engine_now_ms(e) / 1000;
	for (int i = 0; i < e->network_count; i++)
		e->networks[i].transport->ops->poll(e->networks[i].transport);
}

void
engine_reload(struct engine *e, struct words *words, struct partners *partners, struct conf *conf)
{
	e->o.words = words;
	e->o.partners = partners;
	e->o.conf = conf;
	e->metrics_file = conf_text(conf, "ops", NULL, "metrics_file");
	route_free(e);
	route_build(e);
	engine_turn(e, reload_turn, NULL);
	page_start(e);
}

void
engine_tick(struct engine *e)
{
	if (e->ticking || e->broken)
		return;
	e->ticking = true;
	e->wake_ms = INT64_MAX;
	page_poll(e);
	if (ship_next_ms(e) <= engine_now_ms(e) || job_due(e) || outbox_due(e) ||
	    post_feed_due(e) || alarm_next_ms(e) <= engine_now_ms(e)) {
		db_begin(e->db);
		e->in_transaction = true;
		db_arena(e->db, e->arena);
		outbox_fates(e);
		ship_recall_stale(e);
		job_run(e);
		post_feed_run(e);
		alarm_networks(e);
		alarm_look(e);
		outbox_pick(e);
		engine_commit(e);
		arena_forget(e->arena);
	}
	erasure_finish(e);
	outbox_ship(e);
	work_launch(e);
	metrics_tick(e);
	e->ticking = false;
	int64_t next = engine_next_ms(e);
	if (next < e->wake_ms) {
		e->wake_ms = next;
		if (next != INT64_MAX)
			e->o.ports.wake(e->o.ports.ctx, next);
	}
}

int64_t
engine_next_ms(struct engine *e)
{
	int64_t next, page;

	if (e->broken)
		return INT64_MAX;
	next = outbox_next_ms(e);
	if (alarm_next_ms(e) < next)
		next = alarm_next_ms(e);
	page = page_next_s(e);
	if (e->started && e->post_next_ms < next)
		next = e->post_next_ms;
	if (ship_next_ms(e) < next)
		next = ship_next_ms(e);
	if (metrics_next_ms(e) < next)
		next = metrics_next_ms(e);
	if (e->wipe_ms < next)
		next = e->wipe_ms;
	if (e->ship_look || e->work_waits)
		return 0;
	if (e->next_job_s != INT64_MAX && e->next_job_s * 1000 < next)
		next = e->next_job_s * 1000;
	if (page != INT64_MAX && page * 1000 < next)
		next = page * 1000;
	return next;
}

void
engine_settle(struct engine *e)
{
	for (int i = 0; i < 100000 && engine_next_ms(e) <= engine_now_ms(e); i++)
		engine_tick(e);
}

void
engine_free(struct engine *e)
{
	char high[24];

	if (!e)
		return;
	for (int i = 0; i < e->network_count; i++)
		network_close(&e->networks[i]);
	db_begin(e->db);
	db_arena(e->db, e->arena);
	for (int i = 0; i < e->network_count; i++)
		ship_back(e, &e->networks[i], 0);
	outbox_fates(e);
	snprintf(high, sizeof(high), "%lld", (long long)e->next_delivery);
	meta_write(e, "delivery", high);
	engine_commit(e);
	for (int i = 0; i < e->network_count; i++) {
		while (e->networks[i].flying)
			free(e->networks[i].flights[--e->networks[i].flying]);
		free(e->networks[i].flights);
	}
	work_free(e);
	page_free(e);
	route_free(e);
	free(e->fates);
	arena_free(e->plain_arena);
	arena_free(e->arena);
	arena_free(e->outgoing);
	free(e);
}

struct engine_counts
engine_counts(const struct engine *e)
{
	return e->counts;
}

/* The hourly clean-up of what only the engine keeps; called by its job. */
void
engine_prune(struct turn *t)
{
	char high[24];

	snprintf(high, sizeof(high), "%lld", (long long)t->engine->next_delivery);
	meta_write(t->engine, "delivery", high);
	inbox_prune(t);
	/* tzdata comes by the system's own updates, at any time. */
	if (zones_reload(t->zones))
		happen(t, HAPPENED_ZONES);
	erasure_prune(t);
	outbox_prune(t);
	ticket_prune(t);
	approval_prune(t);
	draft_prune(t);
	attach_prune(t);
	audit_prune(t);
	post_prune(t);
}
