/* The outbox: every operation is a row before it is sent, and ends in exactly one fate (DESIGN.md
 * §4). */
#include "core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/manifest.h"

static const char *const outbox_steps[] = {
    "CREATE TABLE delivery(id INTEGER PRIMARY KEY, network INTEGER NOT NULL,"
    " person INTEGER REFERENCES person(id) ON DELETE CASCADE, account INTEGER NOT NULL DEFAULT 0,"
    " chat INTEGER NOT NULL, op INTEGER NOT NULL, class INTEGER NOT NULL, rank INTEGER NOT NULL,"
    " state INTEGER NOT NULL, born INTEGER NOT NULL, due INTEGER NOT NULL, expires INTEGER NOT "
    "NULL,"
    " attempts INTEGER NOT NULL DEFAULT 0, refusal INTEGER NOT NULL DEFAULT 0,"
    " post INTEGER REFERENCES post(id) ON DELETE SET NULL, target INTEGER NOT NULL DEFAULT 0,"
    " body BLOB, message TEXT, feature TEXT, fetch_key TEXT) STRICT;"
    "CREATE INDEX delivery_waiting ON delivery(network, rank, due, id) WHERE state = 0;"
    "CREATE INDEX delivery_trying ON delivery(network) WHERE state = 1;"
    "CREATE INDEX delivery_replied ON delivery(chat, message) WHERE class = 2 AND message IS NOT "
    "NULL;"
    "CREATE INDEX delivery_post ON delivery(post) WHERE post IS NOT NULL;"
    "CREATE TABLE post(id INTEGER PRIMARY KEY, feature TEXT NOT NULL, made INTEGER NOT NULL) "
    "STRICT;"
    "CREATE TABLE post_text(post INTEGER NOT NULL REFERENCES post(id) ON DELETE CASCADE,"
    " language TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY(post, language)) STRICT, WITHOUT "
    "ROWID;"
    "CREATE TABLE uploaded(network INTEGER NOT NULL, key TEXT NOT NULL, file_id TEXT NOT NULL,"
    " used INTEGER NOT NULL, PRIMARY KEY(network, key)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX delivery_silent ON delivery(chat) WHERE state = 0 AND attempts > 0;",
    /* Sealed: the number of an encrypted file carries its key. What was known is uploaded again. */
    "DROP TABLE uploaded;"
    "CREATE TABLE uploaded(network INTEGER NOT NULL, key TEXT NOT NULL, file_id BLOB NOT NULL,"
    " used INTEGER NOT NULL, PRIMARY KEY(network, key)) STRICT, WITHOUT ROWID;",
    "CREATE INDEX delivery_target ON delivery(target) WHERE target <> 0 AND post IS NULL;",
    NULL,
};
#define RETENTION "3 days after its end; with its post"
static const struct column outbox_columns[] = {
    {"delivery.id", "number of an operation; Matrix' transaction id", RETENTION, AFTER_RETENTION,
	true},
    {"delivery.network", "where it goes", RETENTION, AFTER_RETENTION},
    {"delivery.person", "to whom", RETENTION, WITH_PERSON},
    {"delivery.account", "by which account", RETENTION, WITH_PERSON},
    {"delivery.chat", "keeps the order within a chat", RETENTION, WITH_PERSON},
    {"delivery.op", "what is done", RETENTION, AFTER_RETENTION},
    {"delivery.class", "how it behaves in doubt", RETENTION, AFTER_RETENTION},
    {"delivery.rank", "what goes first", RETENTION, AFTER_RETENTION},
    {"delivery.state", "its fate", RETENTION, AFTER_RETENTION},
    {"delivery.born", "when it was said", RETENTION, AFTER_RETENTION},
    {"delivery.due", "not before", RETENTION, AFTER_RETENTION},
    {"delivery.expires", "not after", RETENTION, AFTER_RETENTION},
    {"delivery.attempts", "how often it was tried", RETENTION, AFTER_RETENTION},
    {"delivery.refusal", "why it was refused", RETENTION, AFTER_RETENTION},
    {"delivery.post", "the content many share", RETENTION, AFTER_RETENTION},
    {"delivery.target", "the delivery that is edited or deleted", RETENTION, AFTER_RETENTION, true},
    {"delivery.body", "what is said, sealed", "until delivered", WHEN_DONE},
    {"delivery.message", "the network's number of the message, for edits and recall", RETENTION,
	WITH_PERSON, true},
    {"delivery.feature", "who hears of its fate", RETENTION, AFTER_RETENTION},
    {"delivery.fetch_key", "what a fetched file is for", RETENTION, AFTER_RETENTION},
    {"post.id", "number of a post", "with its report", NOT_PERSONAL},
    {"post.feature", "whose post it is", "with its report", NOT_PERSONAL},
    {"post.made", "when", "with its report", NOT_PERSONAL},
    {"post_text.post", "which post", "with its report", NOT_PERSONAL},
    {"post_text.language", "in which language", "with its report", NOT_PERSONAL},
    {"post_text.body", "content sent to many, sealed", "with its report", NOT_PERSONAL},
    {"uploaded.network", "which network", "90 days unused", NOT_PERSONAL},
    {"uploaded.key", "which file of ours", "90 days unused", NOT_PERSONAL},
    {"uploaded.file_id", "the network's own number of it, sealed", "90 days unused", NOT_PERSONAL},
    {"uploaded.used", "when last", "90 days unused", NOT_PERSONAL},
    {0},
};
const struct schema outbox_schema = {"outbox", outbox_steps, outbox_columns};

static struct sql add = {
    "INSERT INTO delivery(id, network, person, account, chat, op, class, rank, state, born, due,"
    " expires, attempts, post, target, body, feature, fetch_key)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static struct sql supersede = {
    "DELETE FROM delivery WHERE target = ? AND target <> 0 AND post IS NULL AND op = 1 AND state = 0"
    " AND attempts = 0"};
static struct sql pick = {
    "SELECT id, person, account, chat, op, class, expires, attempts, post, target, body, feature,"
    " language FROM delivery WHERE state = 0 AND network = ? AND rank = ? AND due <= ? ORDER BY due, id "
    "LIMIT ?"};
static struct sql next_due = {
    "SELECT min(due) FROM delivery WHERE state = 0 AND network = ? AND rank = ?"};
static struct sql try_it = {"UPDATE delivery SET state = 1, attempts = attempts + 1 WHERE id = ?"};
static struct sql set_state = {
    "UPDATE delivery SET state = ?, body = NULL, refusal = ? WHERE id = ?"};
static struct sql set_sent = {
    "UPDATE delivery SET state = 2, body = NULL, message = ? WHERE id = ?"};
static struct sql set_later = {"UPDATE delivery SET state = 0, due = ? WHERE id = ?"};
static struct sql chat_later = {
    "UPDATE delivery SET due = max(due, ?) WHERE state = 0 AND network = ? AND chat = ?"};
static struct sql silent_until = {
    "SELECT max(due) FROM delivery WHERE state = 0 AND attempts > 0 AND chat = ? AND network = ?"};
static struct sql withdraw = {"UPDATE delivery SET expires = ?1, due = ?2 WHERE person = ?3"
			      " AND state = 0 AND (?4 >> class & 1)"};
static struct sql withdraw_post = {"UPDATE delivery SET state = 8 WHERE person = ?1 AND state = 0"
				   " AND post IS NOT NULL AND op = 0 AND (?2 >> class & 1)"};
static struct sql silent_most = {
    "SELECT max(due) FROM delivery WHERE state = 0 AND attempts > 0 AND network = ?"};
static struct sql never_left = {
    "UPDATE delivery SET state = 0, attempts = max(attempts - 1, 0) WHERE id = ?"};
static struct sql pause_network = {"UPDATE network SET paused_until = ? WHERE number = ?"};
static struct sql get_row = {
    "SELECT class, attempts, person, account, feature, chat, post FROM delivery WHERE id = ?"};
static struct sql get_body = {
    "SELECT id, person, account, chat, op, class, expires, attempts, post, target, body, feature,"
    " language FROM delivery WHERE id = ?"};
static struct sql get_target = {"SELECT state, message, due FROM delivery WHERE id = ?"};
static struct sql trying = {"SELECT id FROM delivery WHERE state = 1 AND network = ?"};
static struct sql unreachable = {"UPDATE account SET reachable = 0 WHERE id = ?"};
/* Numbers rise with time: nothing behind the first young one is looked at. */
static struct sql prune = {
    "DELETE FROM delivery WHERE id < coalesce((SELECT id FROM delivery WHERE born BETWEEN ?1 AND ?2"
    " ORDER BY id LIMIT 1), 9223372036854775807) AND state >= 2 AND post IS NULL"
    " AND max(born, due / 1000) < ?1"};
static struct sql highest = {"SELECT max(id) FROM delivery"};
static struct sql uploaded_set = {
    "INSERT OR REPLACE INTO uploaded(network, key, file_id, used) VALUES(?, ?, ?, ?)"};
static struct sql uploaded_get = {"SELECT file_id FROM uploaded WHERE network = ? AND key = ?"};
static struct sql post_get = {
    "SELECT body FROM post_text WHERE post = ? ORDER BY language = ? DESC LIMIT 1"};
static struct sql replied = {
    "SELECT id FROM delivery WHERE class = 2 AND chat = ? AND message = ?"};

struct sql *const outbox_statements[] = {&add, &pick, &next_due, &try_it, &set_state, &set_sent,
    &set_later, &chat_later, &silent_until, &silent_most, &never_left, &withdraw, &withdraw_post,
    &pause_network, &get_row, &get_body, &get_target, &trying, &unreachable, &prune, &highest,
    &uploaded_set, &uploaded_get, &post_get, &replied, &supersede, NULL};

enum doubt { DOUBT_END, DOUBT_REPEAT, DOUBT_REPEAT_ONCE };

/* The table of DESIGN.md §4. */
static const struct {
	enum rank rank;
	int64_t expires_s;
	enum doubt doubt;
	bool quiet; /* waits for the morning */
} classes[CLASS_COUNT] = {
    [CLASS_REPLY] = {RANK_REPLY, 600, DOUBT_END, false},
    [CLASS_SERVICE] = {RANK_REPLY, 86400, DOUBT_REPEAT, false},
    [CLASS_RELAY] = {RANK_REPLY, 86400, DOUBT_END, false},
    [CLASS_MATCH] = {RANK_PUSH, 2 * 86400, DOUBT_REPEAT_ONCE, true},
    [CLASS_EVENT_CHANGE] = {RANK_PUSH, 2 * 86400, DOUBT_REPEAT_ONCE, false},
    [CLASS_REMINDER] = {RANK_PUSH, 86400, DOUBT_REPEAT_ONCE, true},
    [CLASS_ANNOUNCEMENT] = {RANK_BULK, 7 * 86400, DOUBT_END, true},
    [CLASS_URGENT] = {RANK_PUSH, 86400, DOUBT_END, false},
    [CLASS_ALARM] = {RANK_REPLY, 86400, DOUBT_REPEAT, false},
};

/* ---- from wants to rows ---- */

void
outbox_want(struct turn *t, struct wanted *w)
{
	struct ours *ours = t->private;

	w->id = t->engine->next_delivery++;
	*ours->last = w;
	ours->last = &w->next;
}

void
outbox_waits(struct network *n, enum rank rank, int64_t due_ms)
{
	if (due_ms < n->due_ms[rank])
		n->due_ms[rank] = due_ms;
}

static void
all_wait(struct network *n)
{
	for (int rank = 0; rank < RANKS; rank++)
		n->due_ms[rank] = 0;
}

/* Whether an answer can be committed as trying at once: nothing of its kind waits before it. */
static bool
may_fly(struct network *n, const struct wanted *w, int64_t now_ms)
{
	return n->engine->started && n->due_ms[RANK_REPLY] > now_ms && ship_room(n, true) > 0 &&
	       (n->engine->o.manifest || !ship_busy(n, w->chat)) &&
	       classes[w->class].rank == RANK_REPLY && w->due <= now_ms && !w->target &&
	       n->silent_until_ms <= now_ms && n->paused_until_ms <= now_ms &&
	       n->health != HEALTH_REFUSED;
}

/* A chat in which the network asked for silence gets everything afterwards, in order. */
static int64_t
after_silence(struct turn *t, const struct wanted *w)
{
	int64_t until = db_number(t->db, &silent_until, V(w->chat, w->network->number), 0);

	return until > w->due ? until : w->due;
}

/* A newer edit of a message, or its end, takes the place of an edit that waits: it would come after
 * it. */
static void
take_the_place(struct turn *t, const struct wanted *w)
{
	if (w->target && !w->post)
		db_run(t->db, &supersede, V(w->target));
}

void
outbox_keep(struct turn *t)
{
	struct ours *ours = t->private;
	struct engine *e = t->engine;
	int64_t now_ms = engine_now_ms(e);

	for (struct wanted *w = ours->wanted; w; w = w->next) {
		struct blob plain = parcel_pack(t->arena, &w->parcel), body = plain;
		struct blob slot = {NULL, 0};
		bool flying = may_fly(w->network, w, now_ms);
		const char *moved = w->account ? NULL : engine_moved_to(e, w->network, w->chat);

		if (w->person)
			slot = people_slot(t, w->person);
		if (w->person && !slot.length)
			continue; /* erased in this very turn */
		if (w->due < now_ms)
			w->due = now_ms;
		if (!flying && w->due == now_ms)
			w->due = after_silence(t, w);
		take_the_place(t, w);
		if (!w->expires)
			w->expires = t->now + classes[w->class].expires_s;
		body = w->post
			   ? (struct blob){NULL, 0}
			   : seal_box(t->seal, t->arena, slot, w->person, "delivery.body", plain);
		db_run(t->db, &add,
		    V(w->id, w->network->number, w->person ? value_integer(w->person) : VNULL,
			w->account, w->chat, (int)w->op, (int)w->class, (int)classes[w->class].rank,
			flying ? STATE_TRYING : STATE_WAITING, t->now, w->due, w->expires, flying,
			w->post ? value_integer(w->post) : VNULL, w->target, body, w->feature,
			w->parcel.key));
		e->counts.said++;
		if (flying)
			ship_add(w->network,
			    &(struct ship){.id = w->id,
				.account = w->account,
				.chat = w->chat,
				.op = w->op,
				.class = w->class,
				.heard = w->feature != NULL,
				.where = moved},
			    plain);
		else
			outbox_waits(w->network, classes[w->class].rank, w->due);
	}
	ours->wanted = NULL;
	ours->last = &ours->wanted;
}

/* ---- picking what waits ---- */

/* The network's id of the message to edit or delete: 1 known, 0 not yet and not before `due`, -1
 * never. */
static int
target_message(struct engine *e, int64_t target, const char **message, int64_t *due)
{
	struct rows *q = db_query(e->db, &get_target, V(target));
	int64_t state = STATE_REFUSED;

	if (db_next(q)) {
		state = db_int(q, 0);
		*message = db_text(q, 1);
		*due = state == STATE_WAITING ? db_int(q, 2) : 0;
	}
	db_done(q);
	if (state == STATE_SENT && *message)
		return 1;
	return state == STATE_WAITING || state == STATE_TRYING ? 0 : -1;
}

void
outbox_forget_texts(struct engine *e)
{
	e->plains = NULL;
	arena_forget(e->plain_arena);
}

static struct blob
post_text(struct engine *e, int64_t post, const char *language)
{
	struct arena *arena = e->plain_arena;
	struct post_plain *p;
	struct rows *q;

	for (p = e->plains; p; p = p->next)
		if (p->post == post && !strcmp(p->language, language))
			return p->plain;
	p = arena_alloc(arena, sizeof(*p));
	*p = (struct post_plain){e->plains, post, arena_string(arena, language), {NULL, 0}};
	q = db_query(e->db, &post_get, V(post, language));
	if (db_next(q))
		p->plain = seal_unbox(e->o.seal, arena, (struct blob){NULL, 0}, post,
		    "post_text.body", db_blob(q, 0));
	db_done(q);
	if (p->plain.bytes)
		e->plains = p;
	return p->plain;
}

static bool
row_plain(struct engine *e, struct rows *q, struct blob *plain)
{
	struct turn t;
	struct ours ours;
	int64_t person = db_int(q, 1), post = db_int(q, 8);
	struct blob slot = {NULL, 0};

	if (post) {
		*plain = post_text(e, post, db_text(q, 12));
		return plain->bytes != NULL;
	}
	turn_begin(&t, e, &ours);
	if (person)
		slot = people_slot(&t, person);
	*plain = seal_unbox(e->o.seal, e->arena, slot, person, "delivery.body", db_blob(q, 10));
	return plain->bytes != NULL;
}

static void
finish(struct engine *e, int64_t id, enum delivery_state state, enum refusal refusal)
{
	db_run(e->db, &set_state, V((int)state, (int)refusal, id));
	e->counts.expired += state == STATE_EXPIRED;
	e->counts.refused += state == STATE_REFUSED;
	e->counts.uncertain += state == STATE_UNCERTAIN;
}

/* What ended without being sent, and whose feature must hear of it. */
struct ended {
	struct ended *next;
	int64_t id;
};

static void
end_unsent(struct engine *e, int64_t id, enum delivery_state state, enum refusal refusal,
    struct ended **ended)
{
	struct ended *x = arena_alloc(e->arena, sizeof(*x));

	finish(e, id, state, refusal);
	x->id = id;
	x->next = *ended;
	*ended = x;
}

/* After an outage or a long silence of the network, what was due in the evening would go out in the
 * night: it waits for the morning once more. */
static bool
waits_again(struct engine *e, int64_t id, enum class class, int64_t now_ms)
{
	struct turn t;
	struct ours ours;
	int64_t morning;

	if (!classes[class].quiet)
		return false;
	turn_begin(&t, e, &ours);
	morning = after_quiet_hours(&t, PERSON_NOBODY, now_ms / 1000);
	if (morning * 1000 <= now_ms)
		return false;
	db_run(e->db, &set_later, V(morning * 1000, id));
	return true;
}

/* Where a chat that is nobody's is now; NULL: as it was said. */
static const char *
room_of(struct engine *e, struct network *n, int64_t chat, int64_t post)
{
	const char *moved = engine_moved_to(e, n, chat);
	struct turn t;
	struct ours ours;

	if (moved || !post)
		return moved;
	turn_begin(&t, e, &ours);
	return room_where(&t, n, chat);
}

/* Read in the transaction that is open anyway, and not by itself when it is handed over. */
static void
address_of(struct engine *e, struct ship *s)
{
	struct turn t;
	struct ours ours;

	turn_begin(&t, e, &ours);
	people_address(&t, s->account, &s->who, &s->where);
}

/* What changes a message that waits for the morning waits with it, and wakes nobody until then. */
static bool
target_known(struct engine *e, struct ship *s, int64_t now_ms, struct ended **ended)
{
	int64_t due = 0;
	int known = target_message(e, s->target, &s->message, &due);

	if (known < 0)
		end_unsent(e, s->id, STATE_REFUSED, REFUSAL_OTHER, ended);
	if (known == 0)
		db_run(e->db, &set_later, V(due > now_ms + 500 ? due : now_ms + 500, s->id));
	return known > 0;
}

/* One waiting row: trying, ended, or left where it is. True when it took a slot. */
static bool
pick_row(struct engine *e, struct network *n, struct rows *q, int64_t now_ms, bool paced,
    struct ended **ended)
{
	struct ship s = {.id = db_int(q, 0),
	    .account = db_int(q, 2),
	    .chat = db_int(q, 3),
	    .op = (enum op)db_int(q, 4),
	    .class = (enum class)db_int(q, 5),
	    .repeated = db_int(q, 7) > 0,
	    .heard = db_text(q, 11) != NULL,
	    .paced = paced,
	    .target = db_int(q, 9)};
	bool ahead = e->o.manifest && classes[s.class].rank == RANK_REPLY;
	struct blob plain;

	if (db_int(q, 6) * 1000 <= now_ms) {
		end_unsent(e, s.id, STATE_EXPIRED, REFUSAL_NONE, ended);
		return false;
	}
	if ((!ahead && ship_busy(n, s.chat)) || waits_again(e, s.id, s.class, now_ms))
		return false;
	if (classes[s.class].rank > RANK_REPLY && s.op == OP_SEND) {
		int64_t wait_ms = pace_wait(n, s.chat, !s.account, now_ms);

		if (wait_ms)
			db_run(e->db, &set_later, V(now_ms + wait_ms, s.id));
		if (wait_ms)
			return false;
	}
	if (s.target && !target_known(e, &s, now_ms, ended))
		return false;
	if (!row_plain(e, q, &plain)) {
		end_unsent(e, s.id, STATE_REFUSED, REFUSAL_GONE, ended);
		return false;
	}
	db_run(e->db, &try_it, V(s.id));
	if (!s.account)
		s.where = room_of(e, n, s.chat, db_int(q, 8));
	else if (db_int(q, 8))
		address_of(e, &s);
	ship_add(n, &s, plain);
	return true;
}

/* Rows of one rank that are due; the next moment one of them will be. */
static void
pick_rank(struct engine *e, struct network *n, enum rank rank, int64_t now_ms, struct ended **ended)
{
	int room = ship_room(n, rank == RANK_REPLY);
	bool free = rank == RANK_REPLY;
	int64_t due;

	/* A quarter of the slots is kept for answers to people. */
	if (!free)
		room -= n->transport->slots / 4;
	if (!free && room > 0)
		room = pace_room(n, room, now_ms);
	if (room > 0 && n->paused_until_ms <= now_ms) {
		struct rows *q =
		    db_query(e->db, &pick, V(n->number, (int)rank, now_ms, room + 2 * n->flying));

		while (room > 0 && db_next(q))
			if (pick_row(e, n, q, now_ms, !free, ended))
				room--;
		db_done(q);
	}
	due = db_number(e->db, &next_due, V(n->number, (int)rank), INT64_MAX);
	if (due != INT64_MAX && !free && due <= now_ms)
		due = pace_until(n, now_ms);
	if (due < n->paused_until_ms)
		due = n->paused_until_ms;
	n->due_ms[rank] = due;
}

static void
pick_network(struct engine *e, struct network *n, int64_t now_ms, struct ended **ended)
{
	for (enum rank rank = 0; rank < RANKS; rank++)
		if (n->due_ms[rank] <= now_ms)
			pick_rank(e, n, rank, now_ms, ended);
}

static void hear_ended(struct engine *e, struct network *n, int64_t id);

bool
outbox_pick(struct engine *e)
{
	int64_t now_ms = engine_now_ms(e);

	if (!e->started)
		return false;
	for (int i = 0; i < e->network_count; i++) {
		struct network *n = &e->networks[i];
		struct ended *ended = NULL;

		if (n->health != HEALTH_REFUSED)
			pick_network(e, n, now_ms, &ended);
		for (; ended; ended = ended->next)
			hear_ended(e, n, ended->id);
	}
	return e->ship_look;
}

bool
outbox_due(struct engine *e)
{
	return outbox_next_ms(e) <= engine_now_ms(e);
}

/* When rows of that network should be picked. With every slot taken the next fate wakes us. */
static int64_t
network_next_ms(const struct network *n, int64_t now_ms)
{
	int64_t reply = ship_wants(n) ? n->due_ms[RANK_REPLY] : INT64_MAX, push = INT64_MAX;

	if (n->health == HEALTH_REFUSED)
		return INT64_MAX;
	if (n->flying + n->queued < n->transport->slots)
		for (enum rank rank = RANK_PUSH; rank < RANKS; rank++)
			if (n->due_ms[rank] < push)
				push = n->due_ms[rank];
	/* What could not be picked waits for a chat or a slot, and their fates look again. */
	if (n->flying && !n->engine->o.manifest && reply <= now_ms)
		reply = now_ms + 20;
	if (n->flying && push <= now_ms)
		push = now_ms + 20;
	return reply < push ? reply : push;
}

int64_t
outbox_next_ms(struct engine *e)
{
	int64_t next = INT64_MAX, now_ms = engine_now_ms(e);

	for (int i = 0; e->started && i < e->network_count; i++) {
		int64_t mine = network_next_ms(&e->networks[i], now_ms);

		if (mine < next)
			next = mine;
	}
	return next;
}

/* ---- fates ---- */

struct fate_row {
	enum class class;
	int64_t attempts, person, account, chat, post;
	const char *feature;
};

static void
fate_turn(struct turn *t, void *ctx)
{
	struct fated *f = ctx;

	t->delivery = f->id;
	if (t->feature && t->feature->happened)
		t->feature->happened(t, HAPPENED_DELIVERED);
}

static void
tell_feature(struct engine *e, struct fated *f, const struct fate_row *row)
{
	struct turn t;
	struct ours ours;

	if (!row->feature)
		return;
	turn_begin(&t, e, &ours);
	ours.network = f->network;
	t.feature = feature_named(e, row->feature);
	turn_run(e, &t, fate_turn, f);
}

static void
hear_ended(struct engine *e, struct network *n, int64_t id)
{
	struct rows *q = db_query(e->db, &get_row, V(id));
	struct fated f = {.id = id, .network = n};
	struct fate_row row = {0};

	if (db_next(q))
		row.feature = db_text(q, 4);
	db_done(q);
	tell_feature(e, &f, &row);
}

static void
unreachable_turn(struct turn *t, void *ctx)
{
	struct fate_row *row = ctx;

	db_run(t->db, &unreachable, V(row->account));
	t->subject = row->person;
	if (!people_reachable(t, row->person))
		happen(t, HAPPENED_UNREACHABLE);
}

static void
erase_turn(struct turn *t, void *ctx)
{
	people_erase(t, ((struct fate_row *)ctx)->person);
}

static void
refused(struct engine *e, struct fated *f, struct fate_row *row)
{
	struct turn t;
	struct ours ours;
	enum refusal why = f->outcome.refusal;

	finish(e, f->id, STATE_REFUSED, why);
	tell_feature(e, f, row);
	if (!row->account || why == REFUSAL_BAD || why == REFUSAL_OTHER || why == REFUSAL_NONE)
		return;
	turn_begin(&t, e, &ours);
	ours.network = f->network;
	turn_run(e, &t, why == REFUSAL_GONE && row->person ? erase_turn : unreachable_turn, row);
}

static void
later(struct engine *e, struct fated *f, const struct fate_row *row, int64_t after_ms)
{
	int64_t now_ms = engine_now_ms(e), due;
	int shift = row->attempts > 6 ? 6 : (int)row->attempts;

	if (after_ms <= 0)
		after_ms = 500LL << shift;
	due = now_ms + after_ms;
	db_run(e->db, &set_later, V(due, f->id));
	if (f->outcome.whole_network) {
		int64_t nobody =
		    now_ms + (f->outcome.network_ms ? f->outcome.network_ms : after_ms);

		f->network->paused_until_ms = nobody;
		ship_back(e, f->network, 0);
		db_run(e->db, &pause_network, V(nobody, f->network->number));
	}
	/* What was said later in this chat may not overtake it. */
	ship_back(e, f->network, row->chat);
	db_run(e->db, &chat_later, V(due, f->network->number, row->chat));
	if (due > f->network->silent_until_ms)
		f->network->silent_until_ms = due;
	all_wait(f->network);
}

static void
uncertain(struct engine *e, struct fated *f, const struct fate_row *row)
{
	enum doubt doubt = classes[row->class].doubt;

	if (f->network->transport->repeats_safely || doubt == DOUBT_REPEAT ||
	    (doubt == DOUBT_REPEAT_ONCE && row->attempts < 2)) {
		later(e, f, row, 0);
		return;
	}
	finish(e, f->id, STATE_UNCERTAIN, REFUSAL_NONE);
	tell_feature(e, f, row);
}

/* The network's own id of a file, so that the next recipient needs no upload. */
static void
remember_upload(struct engine *e, struct fated *f)
{
	struct rows *q = db_query(e->db, &get_body, V(f->id));
	struct blob plain;

	if (db_next(q) && row_plain(e, q, &plain)) {
		const struct card *card = parcel_unpack(e->arena, plain).card;

		if (card && card->file && card->file->key)
			db_run(e->db, &uploaded_set,
			    V(f->network->number, card->file->key,
				seal_box(e->o.seal, e->arena, (struct blob){NULL, 0},
				    f->network->number, "uploaded.file_id",
				    (struct blob){f->file_id, strlen(f->file_id)}),
				engine_now_ms(e) / 1000));
	}
	db_done(q);
}

const char *
outbox_file_id(struct turn *t, const struct network *n, const char *key)
{
	struct rows *q = db_query(t->db, &uploaded_get, V(n->number, key));
	struct blob plain = {NULL, 0};

	if (!db_next(q))
		return NULL;
	plain = seal_unbox(t->seal, t->engine->outgoing, (struct blob){NULL, 0}, n->number,
	    "uploaded.file_id", db_blob(q, 0));
	db_done(q);
	return plain.bytes ? arena_copy(t->engine->outgoing, plain.bytes, plain.length) : NULL;
}

static void
sent(struct engine *e, struct fated *f, const struct fate_row *row)
{
	const char *message = f->message[0] ? f->message : NULL;

	if (f->file_id[0])
		remember_upload(e, f);
	db_run(e->db, &set_sent, V(message, f->id));
	e->counts.sent++;
	tell_feature(e, f, row);
}

static void
moved_turn(struct turn *t, void *ctx)
{
	struct fated *f = ctx;
	const char *who, *where;
	struct event event = {.new_where = f->new_where};
	struct rows *q = db_query(t->db, &get_row, V(f->id));
	bool found = db_next(q);
	int64_t account = found ? db_int(q, 3) : 0, chat = found ? db_int(q, 5) : 0;

	db_done(q);
	if (!account)
		engine_moved(t->engine, f->network, chat, f->new_where);
	if (account && people_address(t, account, &who, &where)) {
		event.who = who;
		people_moved(t, &event);
	}
}

static void
fate(struct engine *e, struct fated *f)
{
	struct fate_row row = {0};
	struct turn t;
	struct ours ours;
	struct rows *q;

	if (f->unheard && f->outcome.fate == FATE_SENT) {
		sent(e, f, &row);
		return;
	}
	q = db_query(e->db, &get_row, V(f->id));
	if (!db_next(q))
		return; /* its person was erased meanwhile */
	row = (struct fate_row){(enum class)db_int(q, 0), db_int(q, 1), db_int(q, 2), db_int(q, 3),
	    db_int(q, 5), db_int(q, 6), db_text(q, 4)};
	db_done(q);
	switch (f->outcome.fate) {
	case FATE_SENT:
		sent(e, f, &row);
		break;
	case FATE_LATER:
		later(e, f, &row, f->outcome.after_ms);
		break;
	case FATE_REFUSED:
		if (f->outcome.refusal == REFUSAL_MOVED && f->new_where[0]) {
			turn_begin(&t, e, &ours);
			ours.network = f->network;
			turn_run(e, &t, moved_turn, f);
			/* Groups that name each other are asked once a minute, until its time is over. */
			later(e, f, &row, row.attempts < 3 ? 1 : 60000);
		} else {
			refused(e, f, &row);
		}
		break;
	case FATE_UNCERTAIN:
		uncertain(e, f, &row);
		break;
	}
}

void
outbox_fates(struct engine *e)
{
	/* A fate's turn may bring another one (a transport never calls back from inside send). */
	for (size_t i = 0; i < e->fate_count; i++)
		fate(e, &e->fates[i]);
	if (e->fate_count && e->post_sending)
		e->post_next_ms = 0;
	e->fates_kept = e->fate_count;
}

/* What a crash left trying: nobody knows whether it arrived, unless the manifest says that it never
 * left. */
void
outbox_recover(struct engine *e, struct network *n)
{
	struct rows *q = db_query(e->db, &trying, V(n->number));
	int64_t high = db_number(e->db, &highest, NONE, 0);
	const struct manifest *manifest = e->o.manifest;

	if (high >= e->next_delivery)
		e->next_delivery = high + 1;
	while (db_next(q)) {
		int64_t id = db_int(q, 0);

		if (manifest && manifest_known(manifest) && !manifest_has(manifest, id))
			db_run(e->db, &never_left, V(id));
		else
			outbox_gone(e, n->transport, id, &(struct outcome){.fate = FATE_UNCERTAIN});
	}
	outbox_fates(e);
	n->silent_until_ms = db_number(e->db, &silent_most, V(n->number), 0);
	all_wait(n);
}

void
outbox_prune(struct turn *t)
{
	db_run(t->db, &prune, V(t->now - 3 * 86400, t->now));
}

void
outbox_withdraw_posts(struct turn *t, int64_t person, unsigned pushes)
{
	db_run(t->db, &withdraw_post, V(person, (int64_t)pushes));
}

/* What waits for this person and is not wanted any more ends now, as late. */
void
outbox_withdraw(struct turn *t, int64_t person, unsigned pushes)
{
	struct engine *e = t->engine;

	outbox_withdraw_posts(t, person, pushes);
	if (!db_run(t->db, &withdraw, V(t->now, engine_now_ms(e), person, (int64_t)pushes)))
		return;
	for (int i = 0; i < e->network_count; i++) {
		all_wait(&e->networks[i]);
	}
}

bool outbox_waits_for_morning(enum class class)
{
	return classes[class].quiet;
}

int
outbox_rank(enum class class, bool bulk)
{
	return (int)(bulk ? RANK_BULK : classes[class].rank);
}

int64_t outbox_expires_s(enum class class)
{
	return classes[class].expires_s;
}

const struct card *
outbox_post_card(struct turn *t, int64_t post, struct blob body)
{
	struct blob plain =
	    seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, post, "post_text.body", body);

	return plain.bytes ? parcel_unpack(t->arena, plain).card : NULL;
}

struct blob
outbox_post_body(struct turn *t, int64_t post, const struct parcel *parcel)
{
	return seal_box(t->seal, t->arena, (struct blob){NULL, 0}, post, "post_text.body",
	    parcel_pack(t->arena, parcel));
}

int64_t
outbox_replied(struct turn *t, int64_t chat, const char *message)
{
	return message ? db_number(t->db, &replied, V(chat, message), 0) : 0;
}
