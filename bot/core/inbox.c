/* What comes in: a batch of a network's events becomes turns, and with what the network must remember
 * one transaction; an event is done once, and a broken one costs only itself. */
#include "core.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static struct sql inbox_add = {"INSERT OR IGNORE INTO inbox(network, event, came) VALUES(?, ?, ?)"};
static struct sql events_prune = {"DELETE FROM inbox WHERE came < ?"};
static struct sql poison_add = {
    "INSERT INTO poisoned(network, raw, reason, came) VALUES(?, ?, ?, ?)"};
static struct sql poison_prune = {"DELETE FROM poisoned WHERE came < ?"};
static struct sql cursor_set = {"UPDATE network SET cursor = ? WHERE number = ?"};
static struct sql state_set = {
    "INSERT OR REPLACE INTO network_state(network, key, content) VALUES(?, ?, ?)"};
static struct sql state_delete = {"DELETE FROM network_state WHERE network = ? AND key = ?"};

struct sql *const inbox_statements[] = {&inbox_add, &events_prune, &poison_add, &poison_prune,
    &cursor_set, &state_set, &state_delete, NULL};

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
		engine_give_up(e, "a batch could not be stored");
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

bool
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

void
inbox_prune(struct turn *t)
{
	db_run(t->db, &events_prune, V(t->now - 7 * 86400));
	db_run(t->db, &poison_prune, V(t->now - 7 * 86400));
}
