/* The outbox: every operation is a row before it is sent, and ends in exactly one fate (DESIGN.md
 * §4). */
#include "core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

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
    NULL,
};
#define RETENTION "3 days after its end; with its post"
static const struct column outbox_columns[] = {
    {"delivery.id", "number of an operation; Matrix' transaction id", RETENTION, AFTER_RETENTION},
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
    {"delivery.target", "the delivery that is edited or deleted", RETENTION, AFTER_RETENTION},
    {"delivery.body", "what is said, sealed", "until delivered", WHEN_DONE},
    {"delivery.message", "the network's number of the message, for edits and recall", RETENTION,
	WITH_PERSON},
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
    {"uploaded.file_id", "the network's own number of it", "90 days unused", NOT_PERSONAL},
    {"uploaded.used", "when last", "90 days unused", NOT_PERSONAL},
    {0},
};
const struct schema outbox_schema = {"outbox", outbox_steps, outbox_columns};

static struct sql add = {
    "INSERT INTO delivery(id, network, person, account, chat, op, class, rank, state, born, due,"
    " expires, attempts, post, target, body, feature, fetch_key)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static struct sql pick = {
    "SELECT id, person, account, chat, op, class, expires, attempts, post, target, body"
    " FROM delivery WHERE state = 0 AND network = ? AND rank = ? AND due <= ? ORDER BY due, id "
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
			      " AND state = 0 AND (class IN (6, 7) OR (?4 AND class IN (3, 5)))"};
static struct sql withdraw_post = {"UPDATE delivery SET state = 8 WHERE person = ?1 AND state = 0"
				   " AND post IS NOT NULL AND op = 0"
				   " AND (class IN (6, 7) OR (?2 AND class IN (3, 5)))"};
static struct sql pause_network = {"UPDATE network SET paused_until = ? WHERE number = ?"};
static struct sql get_row = {
    "SELECT class, attempts, person, account, feature, chat, post FROM delivery WHERE id = ?"};
static struct sql get_body = {
    "SELECT id, person, account, chat, op, class, expires, attempts, post, target, body"
    " FROM delivery WHERE id = ?"};
static struct sql get_target = {"SELECT state, message FROM delivery WHERE id = ?"};
static struct sql trying = {"SELECT id FROM delivery WHERE state = 1 AND network = ?"};
static struct sql unreachable = {"UPDATE account SET reachable = 0 WHERE id = ?"};
static struct sql prune = {
    "DELETE FROM delivery WHERE state >= 2 AND post IS NULL AND max(born, due / 1000) < ?"};
static struct sql highest = {"SELECT max(id) FROM delivery"};
static struct sql uploaded_get = {"SELECT file_id FROM uploaded WHERE network = ? AND key = ?"};
static struct sql uploaded_set = {
    "INSERT OR REPLACE INTO uploaded(network, key, file_id, used) VALUES(?, ?, ?, ?)"};
static struct sql post_get = {
    "SELECT body FROM post_text WHERE post = ? ORDER BY language = ? DESC LIMIT 1"};
static struct sql replied = {
    "SELECT id FROM delivery WHERE class = 2 AND chat = ? AND message = ?"};

struct sql *const outbox_statements[] = {&add, &pick, &next_due, &try_it, &set_state, &set_sent,
    &set_later, &chat_later, &silent_until, &withdraw, &withdraw_post, &pause_network, &get_row, &get_body,
    &get_target, &trying, &unreachable, &prune, &highest, &uploaded_get, &uploaded_set, &post_get,
    &replied, NULL};

enum { RANK_REPLY, RANK_PUSH, RANK_BULK, RANKS };
enum doubt { DOUBT_END, DOUBT_REPEAT, DOUBT_REPEAT_ONCE };

/* The table of DESIGN.md §4. */
static const struct {
	int rank;
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

/* A row on its way out, after the commit. */
struct ship {
	struct ship *next;
	struct network *network;
	int64_t id, account, target, chat;
	enum op op;
	enum class class;
	struct parcel parcel;
	bool repeated;
};

/* ---- packing ---- */

static void
put(struct buf *b, const char *s)
{
	uint32_t n = s ? (uint32_t)strlen(s) : UINT32_MAX;

	buf_add(b, &n, sizeof(n));
	if (s)
		buf_add(b, s, n);
}

static struct blob
pack(struct arena *arena, const struct parcel *p)
{
	struct buf b = {.maximum = 1 << 20};
	struct card_bytes card = {NULL, 0};
	struct blob out;
	uint32_t n;

	put(&b, p->who);
	put(&b, p->where);
	put(&b, p->message);
	put(&b, p->press);
	put(&b, p->media_handle);
	put(&b, p->language);
	put(&b, p->reply_to);
	put(&b, p->set);
	put(&b, p->description);
	n = UINT32_MAX;
	if (p->menu)
		for (n = 0; p->menu[n].command;)
			n++;
	buf_add(&b, &n, sizeof(n));
	for (uint32_t i = 0; p->menu && i < n; i++) {
		put(&b, p->menu[i].command);
		put(&b, p->menu[i].description);
	}
	if (p->card)
		card = card_pack(arena, p->card);
	buf_add(&b, card.bytes ? (const void *)card.bytes : "", card.length);
	out = (struct blob){arena_copy(arena, b.bytes, b.length), b.length};
	buf_free(&b);
	return out;
}

static const char *
get(struct arena *arena, const unsigned char **at, const unsigned char *end)
{
	uint32_t n;
	const char *s;

	if (end - *at < 4)
		return NULL;
	memcpy(&n, *at, 4);
	*at += 4;
	if (n == UINT32_MAX || n > (size_t)(end - *at))
		return NULL;
	s = arena_copy(arena, *at, n);
	*at += n;
	return s;
}

static struct parcel
unpack(struct arena *arena, struct blob plain)
{
	struct parcel p = {0};
	const unsigned char *at = plain.bytes, *end = at + plain.length;
	uint32_t n = UINT32_MAX;

	p.who = get(arena, &at, end);
	p.where = get(arena, &at, end);
	p.message = get(arena, &at, end);
	p.press = get(arena, &at, end);
	p.media_handle = get(arena, &at, end);
	p.language = get(arena, &at, end);
	p.reply_to = get(arena, &at, end);
	p.set = get(arena, &at, end);
	p.description = get(arena, &at, end);
	if (end - at >= 4) {
		memcpy(&n, at, 4);
		at += 4;
	}
	if (n <= 100) {
		struct menu_entry *menu = arena_alloc(arena, (n + 1) * sizeof(*menu));

		for (uint32_t i = 0; i < n; i++) {
			menu[i].command = get(arena, &at, end);
			menu[i].description = get(arena, &at, end);
		}
		p.menu = menu;
	}
	if (end > at)
		p.card = card_unpack(arena, at, (size_t)(end - at));
	return p;
}

/* ---- from wants to rows ---- */

void
outbox_want(struct turn *t, struct wanted *w)
{
	struct ours *ours = t->private;

	w->id = t->engine->next_delivery++;
	*ours->last = w;
	ours->last = &w->next;
}

static bool
flies(const struct network *n, int64_t chat)
{
	for (int i = 0; i < n->flying; i++)
		if (n->flying_chats[i] == chat)
			return true;
	return false;
}

static bool
may_fly(struct network *n, const struct wanted *w, int64_t now_ms)
{
	return n->engine->started && !n->waiting && n->flying < n->transport->slots &&
	       classes[w->class].rank == RANK_REPLY && w->due <= now_ms && !w->target &&
	       n->paused_until_ms <= now_ms && n->health != HEALTH_REFUSED && !flies(n, w->chat);
}

static struct ship *
ship_later(struct engine *e, struct network *n, const struct ship *from, struct blob plain)
{
	struct ship *s = arena_alloc(e->outgoing, sizeof(*s));

	*s = *from;
	s->next = NULL;
	s->network = n;
	s->parcel = unpack(e->outgoing, plain);
	*e->last_ship = s;
	e->last_ship = &s->next;
	n->flying_chats[n->flying] = s->chat;
	n->flying_ids[n->flying++] = s->id;
	return s;
}

/* A chat in which the network asked for silence gets everything afterwards, in order. */
static int64_t
after_silence(struct turn *t, const struct wanted *w)
{
	int64_t until = db_number(t->db, &silent_until, V(w->chat, w->network->number), 0);

	return until > w->due ? until : w->due;
}

void
outbox_keep(struct turn *t)
{
	struct ours *ours = t->private;
	struct engine *e = t->engine;
	int64_t now_ms = engine_now_ms(e);

	for (struct wanted *w = ours->wanted; w; w = w->next) {
		struct blob plain = pack(t->arena, &w->parcel), body = plain;
		struct blob slot = {NULL, 0};
		bool flying = may_fly(w->network, w, now_ms);

		if (w->person)
			slot = people_slot(t, w->person);
		if (w->person && !slot.length)
			continue; /* erased in this very turn */
		if (w->due < now_ms)
			w->due = now_ms;
		if (!flying && w->due == now_ms)
			w->due = after_silence(t, w);
		if (!w->expires)
			w->expires = t->now + classes[w->class].expires_s;
		body = w->post
			   ? (struct blob){NULL, 0}
			   : seal_box(t->seal, t->arena, slot, w->person, "delivery.body", plain);
		db_run(t->db, &add,
		    V(w->id, w->network->number, w->person ? value_integer(w->person) : VNULL,
			w->account, w->chat, (int)w->op, (int)w->class, classes[w->class].rank,
			flying ? STATE_TRYING : STATE_WAITING, t->now, w->due, w->expires, flying,
			w->post ? value_integer(w->post) : VNULL, w->target, body, w->feature,
			w->parcel.key));
		e->counts.said++;
		if (!flying) {
			w->network->waiting = true;
			if (w->due < w->network->next_due_ms)
				w->network->next_due_ms = w->due;
			continue;
		}
		ship_later(e, w->network,
		    &(struct ship){.id = w->id,
			.account = w->account,
			.chat = w->chat,
			.op = w->op,
			.class = w->class},
		    plain);
	}
	ours->wanted = NULL;
	ours->last = &ours->wanted;
}

/* ---- picking what waits ---- */

static void
refill(struct network *n, int64_t now_ms)
{
	double rate = n->transport->per_second, most = rate / 50 < 1 ? 1 : rate / 50;

	if (rate <= 0) {
		n->bucket = 1e9;
		return;
	}
	n->bucket += rate * (double)(now_ms - n->bucket_ms) / 1000.0;
	if (n->bucket > most)
		n->bucket = most;
	n->bucket_ms = now_ms;
}

/* The network's id of the message to edit or delete: 1 known, 0 not yet, -1 never. */
static int
target_message(struct engine *e, int64_t target, const char **message)
{
	struct rows *q = db_query(e->db, &get_target, V(target));
	int64_t state = STATE_REFUSED;

	if (db_next(q)) {
		state = db_int(q, 0);
		*message = db_text(q, 1);
	}
	db_done(q);
	if (state == STATE_SENT && *message)
		return 1;
	return state == STATE_WAITING || state == STATE_TRYING ? 0 : -1;
}

static bool
row_plain(struct engine *e, struct rows *q, struct blob *plain)
{
	struct turn t;
	struct ours ours;
	int64_t person = db_int(q, 1), post = db_int(q, 8);
	struct blob slot = {NULL, 0};

	turn_begin(&t, e, &ours);
	if (post) {
		struct rows *p = db_query(e->db, &post_get, V(post, language_of(&t, person)));

		*plain = (struct blob){NULL, 0};
		if (db_next(p))
			*plain = seal_unbox(
			    e->o.seal, e->arena, slot, post, "post_text.body", db_blob(p, 0));
		db_done(p);
		return plain->bytes != NULL;
	}
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

/* One waiting row: trying, ended, or left where it is. True when it took a slot. */
static bool
pick_row(struct engine *e, struct network *n, struct rows *q, int64_t now_ms, struct ended **ended)
{
	struct ship s = {.id = db_int(q, 0),
	    .account = db_int(q, 2),
	    .chat = db_int(q, 3),
	    .op = (enum op)db_int(q, 4),
	    .class = (enum class)db_int(q, 5),
	    .repeated = db_int(q, 7) > 0,
	    .target = db_int(q, 9)};
	const char *message = NULL;
	struct ship *shipped;
	struct blob plain;

	if (db_int(q, 6) * 1000 <= now_ms) {
		end_unsent(e, s.id, STATE_EXPIRED, REFUSAL_NONE, ended);
		return false;
	}
	if (flies(n, s.chat) || waits_again(e, s.id, s.class, now_ms))
		return false;
	if (classes[s.class].rank > RANK_REPLY && s.op == OP_SEND) {
		int64_t wait_ms = pace_wait(n, s.chat, !s.account, now_ms);

		if (wait_ms)
			db_run(e->db, &set_later, V(now_ms + wait_ms, s.id));
		if (wait_ms)
			return false;
	}
	if (s.target) {
		int known = target_message(e, s.target, &message);

		if (known < 0)
			end_unsent(e, s.id, STATE_REFUSED, REFUSAL_OTHER, ended);
		if (known == 0)
			db_run(e->db, &set_later, V(now_ms + 500, s.id));
		if (known < 1)
			return false;
	}
	if (!row_plain(e, q, &plain)) {
		end_unsent(e, s.id, STATE_REFUSED, REFUSAL_GONE, ended);
		return false;
	}
	db_run(e->db, &try_it, V(s.id));
	shipped = ship_later(e, n, &s, plain);
	if (message)
		shipped->parcel.message = arena_string(e->outgoing, message);
	if (!s.account && !shipped->parcel.who) {
		const char *moved = engine_moved_to(e, n, s.chat);

		if (moved)
			shipped->parcel.where = arena_string(e->outgoing, moved);
	}
	return true;
}

static void
pick_network(struct engine *e, struct network *n, int64_t now_ms, struct ended **ended)
{
	n->next_due_ms = INT64_MAX;
	refill(n, now_ms);
	for (int rank = 0; rank < RANKS; rank++) {
		int room = n->transport->slots - n->flying;
		int64_t due;
		struct rows *q;

		/* A quarter of the slots is kept for answers to people. */
		if (rank > RANK_REPLY)
			room -= n->transport->slots / 4;
		if (rank > RANK_REPLY && n->bucket < room)
			room = (int)n->bucket;
		if (room > 0 && n->paused_until_ms <= now_ms) {
			q = db_query(
			    e->db, &pick, V(n->number, rank, now_ms, room + 2 * n->flying));
			while (room > 0 && db_next(q))
				if (pick_row(e, n, q, now_ms, ended)) {
					room--;
					n->bucket -= rank > RANK_REPLY;
				}
			db_done(q);
		}
		due = db_number(e->db, &next_due, V(n->number, rank), INT64_MAX);
		if (due == INT64_MAX)
			continue;
		if (rank > RANK_REPLY && due <= now_ms && n->bucket < 1)
			due = now_ms + 1 +
			      (int64_t)((1 - n->bucket) * 1000 / n->transport->per_second);
		if (due < n->paused_until_ms)
			due = n->paused_until_ms;
		if (due < n->next_due_ms)
			n->next_due_ms = due;
	}
	n->waiting = n->next_due_ms != INT64_MAX;
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

		if (n->waiting && n->health != HEALTH_REFUSED)
			pick_network(e, n, now_ms, &ended);
		for (; ended; ended = ended->next)
			hear_ended(e, n, ended->id);
	}
	return e->ships != NULL;
}

bool
outbox_due(struct engine *e)
{
	return outbox_next_ms(e) <= engine_now_ms(e);
}

int64_t
outbox_next_ms(struct engine *e)
{
	int64_t next = INT64_MAX;

	for (int i = 0; e->started && i < e->network_count; i++) {
		struct network *n = &e->networks[i];

		/* With every slot taken the next fate wakes us. */
		if (n->waiting && n->flying < n->transport->slots && n->health != HEALTH_REFUSED) {
			int64_t due = n->next_due_ms;

			if (n->flying && due <= engine_now_ms(e))
				due = engine_now_ms(e) + 20;
			if (due < next)
				next = due;
		}
	}
	return next;
}

void
outbox_ship(struct engine *e)
{
	struct ship *s = e->ships;
	struct turn t;
	struct ours ours;

	if (!s)
		return;
	e->ships = NULL;
	e->last_ship = &e->ships;
	turn_begin(&t, e, &ours);
	for (; s; s = s->next) {
		struct parcel *p = &s->parcel;
		struct shipment out = {.id = s->id,
		    .op = s->op,
		    .class = s->class,
		    .who = p->who,
		    .where = p->where,
		    .message = p->message,
		    .press = p->press,
		    .media_handle = p->media_handle,
		    .card = p->card,
		    .set = p->set,
		    .language = p->language,
		    .reply_to = p->reply_to,
		    .menu = p->menu,
		    .description = p->description,
		    .repeated = s->repeated};

		out.notify = s->class != CLASS_REPLY && s->class != CLASS_SERVICE;
		if (s->account && !p->where &&
		    !people_address(&t, s->account, &out.who, &out.where)) {
			outbox_gone(e, s->network->transport, s->id,
			    &(struct outcome){.fate = FATE_REFUSED, .refusal = REFUSAL_GONE});
			continue;
		}
		if (p->card && p->card->file) {
			out.file_path = p->card->file->path;
			if (p->card->file->key)
				out.file_id = db_string(e->db, &uploaded_get,
				    V(s->network->number, p->card->file->key));
		}
		s->network->transport->ops->send(s->network->transport, &out);
	}
	arena_forget(e->outgoing);
	arena_forget(e->arena);
}

/* ---- fates ---- */

void
outbox_gone(void *engine, struct transport *transport, int64_t id, const struct outcome *outcome)
{
	struct engine *e = engine;
	struct network *n = network_of(e, transport);
	struct fated *f;

	if (e->fate_count == e->fate_room) {
		e->fate_room = e->fate_room ? e->fate_room * 2 : 64;
		e->fates = memory_resize(e->fates, e->fate_room * sizeof(*e->fates));
	}
	f = &e->fates[e->fate_count++];
	f->id = id;
	f->network = n;
	f->outcome = *outcome;
	snprintf(f->message, sizeof(f->message), "%s", outcome->message ? outcome->message : "");
	snprintf(f->file_id, sizeof(f->file_id), "%s", outcome->file_id ? outcome->file_id : "");
	snprintf(
	    f->new_where, sizeof(f->new_where), "%s", outcome->new_where ? outcome->new_where : "");
	for (int i = 0; i < n->flying; i++)
		if (n->flying_ids[i] == id) {
			n->flying_ids[i] = n->flying_ids[--n->flying];
			n->flying_chats[i] = n->flying_chats[n->flying];
			break;
		}
	if (e->fate_count == 1)
		e->o.ports.wake(e->o.ports.ctx, 0);
}

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
		f->network->paused_until_ms = due;
		db_run(e->db, &pause_network, V(due, f->network->number));
	}
	/* What was said later in this chat may not overtake it. */
	db_run(e->db, &chat_later, V(due, f->network->number, row->chat));
	f->network->waiting = true;
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
		const struct card *card = unpack(e->arena, plain).card;

		if (card && card->file && card->file->key)
			db_run(e->db, &uploaded_set,
			    V(f->network->number, card->file->key, (const char *)f->file_id,
				engine_now_ms(e) / 1000));
	}
	db_done(q);
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
	struct rows *q = db_query(e->db, &get_row, V(f->id));
	struct fate_row row = {0};
	struct turn t;
	struct ours ours;

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
		if (f->outcome.refusal == REFUSAL_MOVED && f->new_where[0] && row.attempts < 3) {
			turn_begin(&t, e, &ours);
			ours.network = f->network;
			turn_run(e, &t, moved_turn, f);
			later(e, f, &row, 1);
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
	e->fate_count = 0;
	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].waiting && e->networks[i].next_due_ms == INT64_MAX)
			e->networks[i].next_due_ms = 0;
}

/* What a crash left trying: nobody knows whether it arrived. */
void
outbox_recover(struct engine *e, struct network *n)
{
	struct rows *q = db_query(e->db, &trying, V(n->number));
	int64_t high = db_number(e->db, &highest, NONE, 0);

	if (high >= e->next_delivery)
		e->next_delivery = high + 1;
	while (db_next(q)) {
		struct fated f = {
		    .id = db_int(q, 0), .network = n, .outcome = {.fate = FATE_UNCERTAIN}};

		fate(e, &f);
	}
	n->next_due_ms = 0;
}

void
outbox_prune(struct turn *t)
{
	db_run(t->db, &prune, V(t->now - 3 * 86400));
}

void
outbox_withdraw_posts(struct turn *t, int64_t person, bool all_pushes)
{
	db_run(t->db, &withdraw_post, V(person, all_pushes));
}

/* What waits for this person and is not wanted any more ends now, as late. */
void
outbox_withdraw(struct turn *t, int64_t person, bool all_pushes)
{
	struct engine *e = t->engine;

	outbox_withdraw_posts(t, person, all_pushes);
	if (!db_run(t->db, &withdraw, V(t->now, engine_now_ms(e), person, all_pushes)))
		return;
	for (int i = 0; i < e->network_count; i++) {
		e->networks[i].waiting = true;
		e->networks[i].next_due_ms = 0;
	}
}

bool outbox_waits_for_morning(enum class class)
{
	return classes[class].quiet;
}

int
outbox_rank(enum class class, bool bulk)
{
	return bulk ? RANK_BULK : classes[class].rank;
}

int64_t
outbox_expires_s(enum class class)
{
	return classes[class].expires_s;
}

const struct card *
outbox_post_card(struct turn *t, int64_t post, struct blob body)
{
	struct blob plain = seal_unbox(
	    t->seal, t->arena, (struct blob){NULL, 0}, post, "post_text.body", body);

	return plain.bytes ? unpack(t->arena, plain).card : NULL;
}

struct blob
outbox_post_body(struct turn *t, int64_t post, const struct parcel *parcel)
{
	return seal_box(t->seal, t->arena, (struct blob){NULL, 0}, post, "post_text.body",
	    pack(t->arena, parcel));
}

int64_t
outbox_replied(struct turn *t, int64_t chat, const char *message)
{
	return message ? db_number(t->db, &replied, V(chat, message), 0) : 0;
}
