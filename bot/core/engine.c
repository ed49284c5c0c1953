/* The engine's heart: batches become turns, everything due is done in one transaction, then sent.
 */
#include "core.h"

#include <assert.h>
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
    {"network_state.content", "what a transport must remember, sealed", "while the network is used",
	NOT_PERSONAL},
    {"meta.name", "a setting of the state itself", "for ever", NOT_PERSONAL},
    {"meta.content", "its content", "for ever", NOT_PERSONAL},
    {0},
};
static const struct schema engine_schema = {"engine", engine_steps, engine_columns};

static struct sql inbox_add = {"INSERT OR IGNORE INTO inbox(network, event, came) VALUES(?, ?, ?)"};
static struct sql inbox_prune = {"DELETE FROM inbox WHERE came < ?"};
static struct sql poison_add = {
    "INSERT INTO poisoned(network, raw, reason, came) VALUES(?, ?, ?, ?)"};
static struct sql poison_prune = {"DELETE FROM poisoned WHERE came < ?"};
static struct sql cursor_set = {"UPDATE network SET cursor = ? WHERE number = ?"};
static struct sql network_add = {"INSERT OR IGNORE INTO network(name) VALUES(?)"};
static struct sql network_get = {"SELECT number, cursor, paused_until FROM network WHERE name = ?"};
static struct sql state_set = {
    "INSERT OR REPLACE INTO network_state(network, key, content) VALUES(?, ?, ?)"};
static struct sql state_delete = {"DELETE FROM network_state WHERE network = ? AND key = ?"};
static struct sql state_all = {"SELECT key, content FROM network_state WHERE network = ?"};
static struct sql meta_get = {"SELECT content FROM meta WHERE name = ?"};
static struct sql meta_set = {"INSERT OR REPLACE INTO meta(name, content) VALUES(?, ?)"};

static struct sql *const engine_own_statements[] = {&inbox_add, &inbox_prune, &poison_add,
    &poison_prune, &cursor_set, &network_add, &network_get, &state_set, &state_delete, &state_all,
    &meta_get, &meta_set, NULL};

static const struct schema *const core_schemas[] = {&engine_schema, &people_schema, &outbox_schema,
    &converse_schema, &job_schema, &page_schema, &join_schema, &ticket_schema, &approval_schema,
    &draft_schema, &audit_schema, &audience_schema, &post_schema, &attach_schema, &alarm_schema,
    &post_file_schema};
static struct sql *const *const core_statements[] = {engine_own_statements, people_statements,
    erasure_statements, outbox_statements, ship_statements, converse_statements, job_statements,
    page_statements, join_statements, ticket_statements, menu_statements, approval_statements,
    draft_statements, late_statements, audit_statements, audience_statements, post_statements, post_feed_statements,
    attach_statements, alarm_statements, metrics_statements, demo_statements,
    post_file_statements};

static const struct conf_key core_settings[] = {
    {.section = "bot", .key = "database", .kind = CONF_PATH, .required = true},
    {.section = "bot", .key = "key_file", .kind = CONF_PATH},
    {.section = "bot", .key = "languages", .kind = CONF_WORDS, .otherwise = "en ar he"},
    {.section = "bot",
	.key = "time_zones",
	.kind = CONF_WORDS,
	.otherwise = "Asia/Jerusalem Asia/Hebron"},
    {.section = "bot", .key = "zone_override", .kind = CONF_TEXT, .repeat = true},
    {.section = "bot", .key = "day_override", .kind = CONF_TEXT, .repeat = true},
    {.section = "bot", .key = "quiet_hours", .kind = CONF_TEXT, .otherwise = "21:00-08:00"},
    {.section = "content", .key = "words", .kind = CONF_PATH},
    {.section = "content", .key = "partners", .kind = CONF_PATH},
    {.section = "telegram", .key = "token_file", .kind = CONF_PATH, .required = true},
    {.section = "telegram",
	.key = "api_root",
	.kind = CONF_ADDRESS,
	.otherwise = "https://api.telegram.org"},
    {.section = "telegram",
	.key = "per_second",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 100000,
	.otherwise = "25"},
    {.section = "telegram",
	.key = "per_chat_second",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 1000,
	.otherwise = "1"},
    {.section = "telegram",
	.key = "connections",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 64,
	.otherwise = "8"},
    {.section = "telegram",
	.key = "ip_family",
	.kind = CONF_ONE_OF,
	.choices = "auto 4 6",
	.otherwise = "auto"},
    {.section = "matrix", .key = "homeserver", .kind = CONF_ADDRESS, .required = true},
    {.section = "matrix", .key = "user", .kind = CONF_TEXT, .required = true},
    {.section = "matrix", .key = "access_token_file", .kind = CONF_PATH},
    {.section = "matrix", .key = "password_file", .kind = CONF_PATH},
    {.section = "matrix", .key = "encryption", .kind = CONF_SWITCH, .otherwise = "on"},
    {.section = "matrix", .key = "allow_servers", .kind = CONF_WORDS, .otherwise = "*"},
    {.section = "matrix",
	.key = "per_minute",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 600000,
	.otherwise = "12"},
    {.section = "retention",
	.key = "visitor",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "30"},
    {.section = "retention",
	.key = "event",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "90"},
    {.section = "retention",
	.key = "ticket",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "90"},
    {.section = "retention",
	.key = "draft",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "90"},
    {.section = "retention",
	.key = "audit",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "730"},
    {.section = "retention",
	.key = "backup",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "30"},
    {.section = "egress",
	.key = "socket",
	.kind = CONF_PATH,
	.otherwise = "/run/alumhub-egress/socket"},
    {.section = "egress", .key = "allow", .kind = CONF_WORDS, .repeat = true},
    {.section = "egress", .key = "private", .kind = CONF_WORDS, .repeat = true},
    {.section = "room", .key = "address", .kind = CONF_TEXT, .named = true, .required = true},
    {.section = "room", .key = "title", .kind = CONF_TEXT, .named = true},
    {.section = "room", .key = "org", .kind = CONF_TEXT, .named = true},
    {.section = "room", .key = "languages", .kind = CONF_WORDS, .named = true},
    {.section = "ops", .key = "room", .kind = CONF_TEXT},
    {.section = "ops", .key = "metrics_file", .kind = CONF_PATH},
    {.section = "ops",
	.key = "feed_failures",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 1000,
	.otherwise = "3"},
    {.section = "ops",
	.key = "network_minutes",
	.kind = CONF_NUMBER,
	.least = 0,
	.most = 1440,
	.otherwise = "5"},
    {.section = "ops",
	.key = "queue_minutes",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 10080,
	.otherwise = "30"},
    {.section = "ops",
	.key = "disk_percent",
	.kind = CONF_NUMBER,
	.least = 0,
	.most = 90,
	.otherwise = "10"},
    {.section = "ops",
	.key = "tzdata_days",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "400"},
    {.section = "ops",
	.key = "clock_seconds",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 86400,
	.otherwise = "30"},
    {.section = "ops",
	.key = "backup_days",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "3"},
    {.section = "ops",
	.key = "backups",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 400,
	.otherwise = "30"},
    {.section = "matching",
	.key = "every_days",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 366,
	.otherwise = "14"},
};

enum { LIST_MOST = 160 };

const struct schema *const *
engine_schemas(const struct feature *const *features)
{
	static const struct schema *list[LIST_MOST];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(core_schemas) / sizeof(*core_schemas); i++)
		list[n++] = core_schemas[i];
	for (; *features; features++)
		if ((*features)->schema) {
			assert(n < LIST_MOST - 1);
			list[n++] = (*features)->schema;
		}
	list[n] = NULL;
	return list;
}

void
engine_statements(
    const struct feature *const *features, void (*each)(void *ctx, struct sql *sql), void *ctx)
{
	for (size_t i = 0; i < sizeof(core_statements) / sizeof(*core_statements); i++)
		for (struct sql *const *s = core_statements[i]; *s; s++)
			each(ctx, *s);
	for (; *features; features++)
		for (struct sql *const *s = (*features)->statements; s && *s; s++)
			each(ctx, *s);
}

const struct conf_key *
engine_settings(const struct feature *const *features)
{
	static struct conf_key list[LIST_MOST];
	size_t n = sizeof(core_settings) / sizeof(*core_settings);

	memcpy(list, core_settings, sizeof(core_settings));
	for (; *features; features++)
		for (const struct conf_key *k = (*features)->settings; k && k->section; k++) {
			assert(n < LIST_MOST - 1);
			list[n++] = *k;
		}
	list[n] = (struct conf_key){0};
	return list;
}

int64_t
engine_now_ms(struct engine *e)
{
	return e->o.ports.now_ms(e->o.ports.ctx);
}

struct network *
network_of(struct engine *e, struct transport *transport)
{
	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].transport == transport)
			return &e->networks[i];
	abort();
}

struct network *
network_named(struct engine *e, const char *name)
{
	for (int i = 0; i < e->network_count; i++)
		if (!strcmp(e->networks[i].transport->name, name))
			return &e->networks[i];
	return NULL;
}

struct network *
network_numbered(struct engine *e, int number)
{
	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].number == number)
			return &e->networks[i];
	return NULL;
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

/* Nothing is said, sent or read any more: only a new start knows what the disk holds. */
static void
give_up(struct engine *e, const char *why)
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
	give_up(e, db_failure(e->db));
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

/* The turn itself, whatever holds it; false when it failed. */
static bool
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

/* What a savepoint held besides rows. */
struct mark {
	int64_t first_delivery;
	const struct running *running;
};

static struct mark
mark_set(struct engine *e)
{
	db_savepoint(e->db);
	return (struct mark){e->next_delivery, e->running};
}

static void
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

/* ---- what comes in ---- */

static bool
too_fast(struct turn *t)
{
	struct engine *e = t->engine;
	int64_t window = engine_now_ms(e) / 10000;
	struct limit *l = &e->limits[(uint64_t)t->person->account % LIMIT_PEOPLE];

	if (e->o.training)
		return false;
	if (window != e->limit_window) {
		e->limit_window = window;
		e->limit_total = 0;
	}
	if (l->account != t->person->account || l->window != window)
		*l = (struct limit){.account = t->person->account, .window = window};
	e->limit_total++;
	/* A flood: hundreds of messages within ten seconds and a quarter of all that came. */
	if (++l->count <= 300 || l->count * 4 < e->limit_total)
		return false;
	if (!l->told) {
		l->told = true;
		say(t, words(t, "engine.too_fast", NULL));
	}
	return true;
}

static void
clean_event(struct turn *t, const struct event *event)
{
	t->event = event;
	t->group = event->group;
	t->media = event->media.kind ? &event->media : NULL;
	if (event->text)
		t->text = text_clean(t->arena, event->text, strlen(event->text), MESSAGE_SCALARS);
	t->rest = t->text;
}

static void
fetched_media(struct turn *t)
{
	static struct sql who = {"SELECT person, feature, fetch_key FROM delivery WHERE id = ?"};
	struct rows *q = db_query(t->db, &who, V(t->event->media.asked_by));
	const char *name;

	if (!db_next(q))
		return;
	t->subject = db_int(q, 0);
	name = db_text(q, 1);
	t->key = db_text(q, 2);
	db_done(q);
	t->feature = name ? feature_named(t->engine, name) : NULL;
	t->media = &t->event->media;
	if (t->feature && t->feature->happened)
		t->feature->happened(t, HAPPENED_MEDIA);
}

/* What was chosen, else what the network hints at ("he", "ar-PS", old "iw"), else the first
 * configured. */
static const char *
spoken(struct turn *t, const struct event *event)
{
	char hint[3] = "";

	if (t->person->language[0])
		return t->person->language;
	if (event->language)
		snprintf(hint, sizeof(hint), "%s", event->language);
	if (!strcmp(hint, "iw"))
		snprintf(hint, sizeof(hint), "he");
	return words_speaks(t->words, hint) ? arena_string(t->arena, hint) : t->language;
}

static void
answer(struct turn *t, const struct event *event)
{
	if (event->kind == EVENT_UNREADABLE)
		/* What came without its bytes was encrypted, with a key that did not come. */
		say(t, words(t, event->raw ? "engine.unreadable" : "engine.unreadable_key", NULL));
	else if (event->kind == EVENT_RENEWED)
		say(t, words(t, "engine.renewed", NULL));
	else if (event->kind == EVENT_EDITED && !event->group)
		happen(t, HAPPENED_EDITED);
	else if (event->kind == EVENT_PRESS)
		route_press(t);
	else if (event->kind == EVENT_MESSAGE)
		route_message(t);
}

/* A button that nobody answers turns for a minute, whoever pressed it and whatever came of it. */
static void
answer_press(struct turn *t)
{
	if (t->event->kind == EVENT_PRESS && !((struct ours *)t->private)->answered)
		toast(t, NULL);
}

/* One event as a turn. */
static void
event_turn(struct turn *t, void *ctx)
{
	const struct event *event = ctx;

	clean_event(t, event);
	if (event->kind == EVENT_MOVED) {
		people_moved(t, event);
		if (!event->who && event->where && event->new_where)
			engine_moved(t->engine, ((struct ours *)t->private)->network,
			    say_chat(t, event->where), event->new_where);
		return;
	}
	if (event->kind == EVENT_FETCHED) {
		fetched_media(t);
		return;
	}
	if (event->kind == EVENT_BLOCKED || event->kind == EVENT_GONE) {
		people_left(t, event, event->kind == EVENT_GONE);
		return;
	}
	if (event->group && !event->to_us && event->kind != EVENT_PRESS)
		return;
	if (!event->who)
		return;
	if (!people_find(t, event)) {
		answer_press(t);
		return;
	}
	t->language = spoken(t, event);
	converse_load(t);
	people_back(t);
	if (event->kind == EVENT_REACHABLE || too_fast(t)) {
		answer_press(t);
		return;
	}
	answer(t, event);
}

static void
say_failed(struct turn *t, void *ctx)
{
	const struct event *event = ctx;

	clean_event(t, event);
	answer_press(t);
	if (!people_find(t, event))
		return;
	t->language = t->person->language[0] ? t->person->language : t->language;
	say(t, words(t, "engine.failed", NULL));
}

static void
set_aside(struct engine *e, struct network *n, const struct event *event, const char *reason)
{
	struct blob raw = {event->raw, event->raw_length};
	struct turn t;
	struct ours ours;

	if (!raw.bytes && event->text)
		raw = (struct blob){event->text, strlen(event->text)};
	raw = seal_box(e->o.seal, e->arena, (struct blob){NULL, 0}, 0, "poisoned.raw", raw);
	db_run(e->db, &poison_add, V(n->number, raw, reason, engine_now_ms(e) / 1000));
	if (event->kind != EVENT_MESSAGE && event->kind != EVENT_PRESS)
		return;
	turn_begin(&t, e, &ours);
	ours.network = n;
	turn_run(e, &t, say_failed, (void *)(uintptr_t)event);
}

/* False: its turn failed, and nothing of it is kept (`alone`), or the caller takes all back. */
static bool
event_came(struct engine *e, struct network *n, const struct event *event, bool alone)
{
	struct turn t;
	struct ours ours;
	bool good;

	e->counts.events++;
	if (event->id &&
	    !db_run(e->db, &inbox_add, V(n->number, event->id, engine_now_ms(e) / 1000))) {
		e->counts.duplicates++;
		return !db_failed(e->db);
	}
	if (event->kind == EVENT_UNREADABLE && event->raw)
		set_aside(e, n, event, "unreadable");
	turn_begin(&t, e, &ours);
	ours.network = n;
	if (alone) {
		good = turn_run(e, &t, event_turn, (void *)(uintptr_t)event);
		if (!good)
			set_aside(e, n, event, "turn failed");
	} else {
		good = turn_do(e, &t, event_turn, (void *)(uintptr_t)event);
	}
	arena_forget(e->arena);
	return good;
}

/* A savepoint copies every page that is written under it, so all turns of a batch share one. When a
 * turn fails all are taken back and run again, each in a savepoint of its own: the broken one costs
 * only itself. */
static void
events_came(struct engine *e, struct network *n, const struct batch *batch)
{
	struct engine_counts counts = e->counts;
	bool good = batch->event_count > 1;
	struct mark mark;

	if (good) {
		mark = mark_set(e);
		for (size_t i = 0; i < batch->event_count && good; i++)
			good = event_came(e, n, &batch->events[i], false);
		if (good) {
			db_savepoint_keep(e->db);
			return;
		}
		mark_undo(e, mark);
		e->counts = counts;
		arena_forget(e->arena);
	}
	for (size_t i = 0; i < batch->event_count; i++)
		event_came(e, n, &batch->events[i], true);
}

static void
state_keep(struct engine *e, struct network *n, const struct state_row *state, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct blob content = {state[i].bytes, state[i].length};

		if (!content.bytes) {
			db_run(e->db, &state_delete, V(n->number, state[i].key));
			continue;
		}
		content = seal_box(e->o.seal, e->arena, (struct blob){NULL, 0}, n->number,
		    "network_state.content", content);
		db_run(e->db, &state_set, V(n->number, state[i].key, content));
	}
}

bool
transport_came(void *engine, struct transport *transport, const struct batch *batch)
{
	struct engine *e = engine;
	struct network *n = network_of(e, transport);

	if (e->broken)
		return false;
	db_begin(e->db);
	e->in_transaction = true;
	outbox_fates(e);
	db_arena(e->db, e->arena);
	if (batch->event_count)
		late_came(n);
	events_came(e, n, batch);
	db_arena(e->db, e->arena);
	state_keep(e, n, batch->state, batch->state_count);
	if (batch->cursor)
		db_run(e->db, &cursor_set, V(batch->cursor, n->number));
	if (db_failed(e->db)) {
		log_event(LOG_ERROR, "batch.failed", "reason=%s", db_failure(e->db));
		db_rollback(e->db);
		e->in_transaction = false;
		give_up(e, "a batch could not be stored");
		return false;
	}
	outbox_pick(e);
	if (!engine_commit(e))
		return false;
	arena_forget(e->arena);
	n->came_ms = engine_now_ms(e);
	ship_hold(n);
	e->o.ports.wake(e->o.ports.ctx, 0);
	return true;
}

static bool
transport_keep(
    void *engine, struct transport *transport, const struct state_row *state, size_t count)
{
	struct engine *e = engine;
	bool outer = e->in_transaction;

	if (e->broken)
		return false;
	if (!outer)
		db_begin(e->db);
	db_arena(e->db, e->arena);
	state_keep(e, network_of(e, transport), state, count);
	if (outer)
		return !db_failed(e->db);
	if (db_failed(e->db)) {
		db_rollback(e->db);
		return false;
	}
	return engine_commit(e);
}

const char *
engine_link(struct engine *e, const char *network)
{
	const char *start =
	    db_string(e->db, &meta_get, V((const char *)arena_print(e->arena, "link.%s", network)));

	return start && *start ? start : NULL;
}

static const char *
moved_key(struct engine *e, struct network *n, int64_t chat)
{
	return arena_print(e->arena, "moved.%s.%lld", n->transport->name, (long long)chat);
}

void
engine_moved(struct engine *e, struct network *n, int64_t chat, const char *to)
{
	db_run(e->db, &meta_set, V(moved_key(e, n, chat), to));
}

const char *
engine_moved_to(struct engine *e, struct network *n, int64_t chat)
{
	return db_string(e->db, &meta_get, V(moved_key(e, n, chat)));
}

/* The command line makes links too, when no network is open. */
static void
remember_link(struct engine *e, const struct transport *transport)
{
	const char *key, *known;

	if (!transport->link_start[0] || e->in_transaction || e->broken)
		return;
	db_begin(e->db);
	db_arena(e->db, e->arena);
	key = arena_print(e->arena, "link.%s", transport->name);
	known = db_string(e->db, &meta_get, V(key));
	if (!known || strcmp(known, transport->link_start))
		db_run(e->db, &meta_set, V(key, (const char *)transport->link_start));
	engine_commit(e);
	arena_forget(e->arena);
}

static void
transport_health(void *engine, struct transport *transport, enum health health, const char *detail)
{
	struct engine *e = engine;
	struct network *n = network_of(e, transport);

	if (n->health != health)
		log_event(health == HEALTH_GOOD ? LOG_NOTICE : LOG_WARNING, "network.health",
		    "network=%s health=%d %s", transport->name, (int)health, detail ? detail : "");
	n->health = health;
	snprintf(n->detail, sizeof(n->detail), "%s", detail ? detail : "");
	if (health != HEALTH_STARTING)
		n->tried = true;
	alarm_network(n);
	if (health == HEALTH_GOOD) {
		n->came_ms = engine_now_ms(e);
		remember_link(e, transport);
	}
	e->o.ports.wake(e->o.ports.ctx, 0);
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
	stored = db_string(e->db, &meta_get, V("key"));
	if (!stored)
		db_run(e->db, &meta_set, V("key", (const char *)hex));
	else if (strcmp(stored, hex))
		give_up(e, "wrong key");
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
	high = db_string(e->db, &meta_get, V("delivery"));
	e->next_delivery = high ? strtoll(high, NULL, 10) : 1;
	erasure_start(e);
	demo_start(e);
	engine_commit(e);
	return e;
}

void
engine_add(struct engine *e, struct transport *transport)
{
	struct network *n = &e->networks[e->network_count++];
	struct transport_up up = {e, transport_came, transport_keep, outbox_gone, transport_health,
	    transport_welcome};
	struct state_row *state = NULL;
	size_t count = 0, room = 0;
	const char *cursor = NULL;
	struct rows *q;

	assert(e->network_count <= NETWORKS);
	*n = (struct network){.transport = transport, .engine = e, .alarm_ms = INT64_MAX};
	n->last_ship = &n->ships;
	n->flights = memory_new(sizeof(struct ship *) * (size_t)transport->slots);
	db_arena(e->db, e->arena);
	db_begin(e->db);
	db_run(e->db, &network_add, V(transport->name));
	q = db_query(e->db, &network_get, V(transport->name));
	if (db_next(q)) {
		n->number = (int)db_int(q, 0);
		cursor = db_text(q, 1);
		n->paused_until_ms = db_int(q, 2);
	}
	db_done(q);
	alarm_start(n);
	late_start(n);
	outbox_recover(e, n);
	q = db_query(e->db, &state_all, V(n->number));
	while (db_next(q)) {
		struct blob content = seal_unbox(e->o.seal, e->arena, (struct blob){NULL, 0},
		    n->number, "network_state.content", db_blob(q, 1));
		if (count == room) {
			room = room ? room * 2 : 64;
			state = memory_resize(state, room * sizeof(*state));
		}
		state[count++] = (struct state_row){db_text(q, 0), content.bytes, content.length};
	}
	engine_commit(e);
	transport->ops->open(transport, &up, cursor, state, count);
	free(state);
	arena_forget(e->arena);
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

/* The transport is freed, and what it was is still asked for when its last fates are written. */
static void
network_close(struct network *n)
{
	n->closed = *n->transport;
	n->transport->ops->close(n->transport);
	n->transport = &n->closed;
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
	db_run(e->db, &meta_set, V("delivery", (const char *)high));
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

int
engine_flying(const struct engine *e)
{
	int flying = 0;

	for (int i = 0; i < e->network_count; i++)
		flying += e->networks[i].flying + e->networks[i].queued;
	return flying;
}

bool
engine_tried(const struct engine *e)
{
	for (int i = 0; i < e->network_count; i++)
		if (!e->networks[i].tried)
			return false;
	return true;
}

bool
engine_refused(const struct engine *e)
{
	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].health != HEALTH_REFUSED)
			return false;
	return e->network_count > 0;
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
	db_run(t->db, &meta_set, V("delivery", (const char *)high));
	db_run(t->db, &inbox_prune, V(t->now - 7 * 86400));
	db_run(t->db, &poison_prune, V(t->now - 7 * 86400));
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
