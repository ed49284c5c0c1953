/*
 * Posts on their way: the audience is frozen into planned rows a slice at a time, and planned rows
 * are given to the outbox a window at a time. So the loop never stands still for a big audience,
 * stopping and pausing touch a window only, and memory does not grow with the audience.
 */
#include "core/post.h"
#include "core/room.h"

#include "core.h"

#include <string.h>

/* A slice is bounded by people looked at, not found, so that a narrow audience does not stand
 * still either. */
enum {
	SLICE_PEOPLE = 500,
	SLICE_ROWS = 1500,
	WINDOW = 512,
	KEEP_S = 3 * 86400,
	RETRY_MS = 60000,
	OPEN_MOST = 64
};

#define FIELDS \
	"SELECT id, feature, stage, op, class, original, audience, place, total, due, expires," \
	" rooms, listed"
static struct sql open_posts = {
    FIELDS " FROM post WHERE stage BETWEEN 1 AND 5 ORDER BY stage <> 5, id"};
static struct sql set_stage = {"UPDATE post SET stage = ?, ended = ? WHERE id = ?"};
static struct sql set_place = {"UPDATE post SET place = ?, total = ? WHERE id = ?"};
static struct sql last_person = {"SELECT max(id) FROM person"};
static struct sql slice = {
    "SELECT p.id, " AUDIENCE_LANGUAGE ", a.id, w.number, " AUDIENCE_SKIP " FROM person p"
    " LEFT JOIN account a ON a.id = (SELECT x.id FROM account x JOIN person o ON o.id = x.person"
    " WHERE x.person = p.id AND x.reachable = 1 ORDER BY x.network = o.prefer DESC, x.id LIMIT 1)"
    " LEFT JOIN network w ON w.name = a.network"
    " WHERE p.id > ?13 AND p.id <= ?14 AND " AUDIENCE_HOLDS " ORDER BY p.id"};
static struct sql copies = {
    "SELECT id, network, person, account, chat, language FROM delivery WHERE post = ? AND id > ?"
    " AND op = 0 AND state IN (1, 2, 5) ORDER BY id LIMIT ?"};
static struct sql plan = {
    "INSERT INTO delivery(id, network, person, account, chat, op, class, rank, state, born, due,"
    " expires, post, target, language) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 6, ?, 0, ?, ?, ?, ?)"};
static struct sql skipped = {
    "INSERT INTO post_count(post, network, language, state, reason, n) VALUES(?, 0, ?, 9, ?, 1)"
    " ON CONFLICT DO UPDATE SET n = n + 1"};
static struct sql waits = {"SELECT count(*) FROM delivery WHERE state = 0 AND network = ?"
			   " AND rank = ? AND due <= ?"};
/* ?1 post, ?2 network, ?3 how many, ?4 now in ms, ?5 consent or "", ?6 pauses count */
static struct sql feed = {
    "UPDATE delivery SET state = CASE WHEN account = 0 OR EXISTS (SELECT 1 FROM person p JOIN account a"
    " ON a.person = p.id WHERE p.id = delivery.person AND a.id = delivery.account"
    " AND a.reachable = 1 AND (?6 = 0 OR p.paused_until <= ?4 / 1000) AND (?5 = '' OR EXISTS"
    " (SELECT 1 FROM consent c WHERE c.person = p.id AND c.what = ?5))) THEN 0 ELSE 8 END,"
    " due = CASE WHEN ?6 AND EXISTS (SELECT 1 FROM conversation v WHERE v.person = delivery.person"
    " AND v.updated > ?4 / 1000 - 600) THEN ?4 + 600000 ELSE ?4 END"
    " WHERE id IN (SELECT id FROM delivery WHERE state = 6 AND post = ?1 AND network = ?2"
    " ORDER BY id LIMIT ?3)"};
static struct sql feed_all = {
    "UPDATE delivery SET state = 0, due = ?4 WHERE id IN (SELECT id FROM delivery WHERE state = 6"
    " AND post = ?1 AND network = ?2 ORDER BY id LIMIT ?3)"};
/* Where numbers are typed instead of buttons pressed, each chat has its own set of choices. */
static struct sql offer = {
    "INSERT INTO choice_set(secret, account, delivery, serial, born, choices)"
    " SELECT randomblob(9), d.account, 0, 0, ?3 / 1000, s.choices FROM delivery d"
    " JOIN post_text x ON x.post = d.post AND x.language = d.language"
    " JOIN choice_set s ON s.id = x.choices WHERE d.state = 0 AND d.post = ?1 AND d.network = ?2"
    " AND d.rank IN (1, 2) AND d.account <> 0 AND d.due IN (?3, ?3 + 600000)"};
static struct sql under_way = {
    "SELECT 1 FROM delivery WHERE state = 1 AND network = ?2 AND post = ?1 UNION ALL"
    " SELECT 1 FROM delivery WHERE state = 0 AND network = ?2 AND rank = ?3 AND post = ?1"};
static struct sql give_back = {"UPDATE delivery SET state = ? WHERE state = 0 AND network = ?"
			       " AND rank IN (1, 2) AND post = ?"};
static struct sql end_planned = {
    "UPDATE delivery SET state = ?1 WHERE id IN (SELECT id FROM delivery"
    " WHERE state = 6 AND post = ?2 LIMIT ?3)"};
static struct sql ended = {
    "SELECT coalesce(sum(n), 0) FROM post_count WHERE post = ? AND state <> 9"};
static struct sql old_posts = {"SELECT id FROM post WHERE stage >= 6 AND ended < ?1 AND NOT EXISTS"
			       " (SELECT 1 FROM post r WHERE r.original = post.id AND r.stage < 6)"
			       " AND EXISTS (SELECT 1 FROM post_text x WHERE x.post = post.id)"};
static struct sql old_rows = {
    "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE post = ? LIMIT ?)"};
static struct sql old_texts = {"DELETE FROM post_text WHERE post = ?"};
static struct sql old_file = {"DELETE FROM post_file WHERE post = ?"};
struct sql *const post_feed_statements[] = {&open_posts, &set_stage, &set_place, &last_person,
    &slice, &copies, &plan, &skipped, &waits, &feed, &feed_all, &offer, &under_way, &give_back,
    &end_planned, &ended, &old_posts, &old_rows, &old_texts, &old_file, NULL};

struct feeding {
	int64_t id;
	const char *feature;
	enum post_stage stage;
	enum op op;
	enum class class;
	int64_t original, place, total, due, expires;
	const char *audience, *rooms;
	bool listed;	 /* its recipients are rows already */
	int64_t next_ms; /* when it wants to be looked at again */
	bool came_on;	 /* to another stage */
};

static void
read_post(struct rows *q, struct feeding *p)
{
	*p = (struct feeding){
	    .id = db_int(q, 0),
	    .feature = db_text(q, 1),
	    .stage = (enum post_stage)db_int(q, 2),
	    .op = (enum op)db_int(q, 3),
	    .class = (enum class)db_int(q, 4),
	    .original = db_int(q, 5),
	    .audience = db_text(q, 6),
	    .place = db_int(q, 7),
	    .total = db_int(q, 8),
	    .due = db_int(q, 9),
	    .expires = db_int(q, 10),
	    .rooms = db_text(q, 11),
	    .listed = db_int(q, 12),
	    .next_ms = INT64_MAX,
	};
}

static void
come_on(struct turn *t, struct feeding *p, enum post_stage stage)
{
	p->stage = stage;
	p->came_on = true;
	p->next_ms = 0;
	if (stage >= POST_STOPPED)
		post_file_lift(t, p->id);
	db_run(t->db, &set_stage, V((int)stage, stage >= POST_STOPPED ? t->now : 0, p->id));
}

/* ---- freezing ---- */

/* Whether a pause holds this class back (core/turn.h, tell). */
static bool pauses(enum class class)
{
	return class == CLASS_ANNOUNCEMENT || class == CLASS_URGENT || class == CLASS_MATCH ||
	       class == CLASS_REMINDER;
}

static void
plan_row(struct turn *t, const struct feeding *p, struct rows *q, int64_t target)
{
	bool recall = p->op != OP_SEND;

	db_run(t->db, &plan,
	    V(t->engine->next_delivery++, db_int(q, 1),
		db_is_null(q, 2) ? VNULL : value_integer(db_int(q, 2)), db_int(q, 3), db_int(q, 4),
		(int)p->op, (int)p->class, outbox_rank(p->class, recall), t->now, p->expires, p->id,
		target, db_text(q, 5)));
}

static void
freeze_copies(struct turn *t, struct feeding *p)
{
	struct rows *q = db_query(t->db, &copies, V(p->original, p->place, SLICE_ROWS));
	int n = 0;

	for (; db_next(q); n++) {
		p->place = db_int(q, 0);
		plan_row(t, p, q, p->place);
		p->total++;
	}
	if (n < SLICE_ROWS)
		come_on(t, p, POST_READY);
}

static void
freeze_people(struct turn *t, struct feeding *p)
{
	struct audience audience = audience_unpack(t, p->audience);
	int64_t last = db_number(t->db, &last_person, NONE, 0), to = p->place + SLICE_PEOPLE;
	struct value values[AUDIENCE_VALUES + 3];
	struct rows *q;

	audience_values(t, &audience, pauses(p->class) ? p->due : PAUSED_FOR_GOOD, values);
	values[AUDIENCE_VALUES] = value_integer(p->place);
	values[AUDIENCE_VALUES + 1] = value_integer(to);
	values[AUDIENCE_VALUES + 2] = (struct value){.kind = VALUE_END};
	q = db_query(t->db, &slice, values);
	while (db_next(q)) {
		int64_t skip = db_int(q, 4);

		if (skip == SKIP_NONE && db_is_null(q, 3))
			skip = SKIP_BLOCKED;
		if (skip != SKIP_NONE) {
			db_run(t->db, &skipped, V(p->id, db_text(q, 1), skip));
			continue;
		}
		db_run(t->db, &plan,
		    V(t->engine->next_delivery++, db_int(q, 3), db_int(q, 0), db_int(q, 2),
			db_int(q, 2), (int)OP_SEND, (int)p->class, outbox_rank(p->class, false),
			t->now, p->expires, p->id, 0, db_text(q, 1)));
		p->total++;
	}
	p->place = to;
	if (to >= last)
		come_on(t, p, POST_READY);
}

/* One row for each room and language. */
static void
freeze_rooms(struct turn *t, struct feeding *p)
{
	for (const char *at = p->rooms; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");
		struct room room;

		if (room_named(t, arena_copy(t->arena, at, n), &room))
			for (const char *const *l = room.languages; *l; l++, p->total++)
				db_run(t->db, &plan,
				    V(t->engine->next_delivery++,
					network_named(t->engine, room.network)->number, VNULL, 0,
					say_chat(t, room.where), (int)OP_SEND, (int)p->class,
					outbox_rank(p->class, false), t->now, p->expires, p->id, 0,
					(const char *)arena_print(t->arena, "room.%s", *l)));
		at += n;
	}
}

static void
freeze(struct turn *t, struct feeding *p)
{
	p->next_ms = 0;
	if (p->op == OP_SEND && !p->place)
		freeze_rooms(t, p);
	if (p->listed)
		come_on(t, p, POST_READY);
	else if (p->op == OP_SEND)
		freeze_people(t, p);
	else
		freeze_copies(t, p);
	db_run(t->db, &set_place, V(p->place, p->total, p->id));
}

/* ---- feeding ---- */

/* How many may go out together: all wait until one has taken the file up. */
static int
window(struct turn *t, struct feeding *p, struct network *n, int rank)
{
	if (p->op != OP_SEND || !post_has_file(t, p->id) || post_file_uploaded(t, p->id, n))
		return WINDOW;
	if (db_exists(t->db, &under_way, V(p->id, n->number, rank)))
		return 0;
	post_file_lay(t, p->id);
	return 1;
}

/* One window for one network. */
static void
feed_network(struct turn *t, struct feeding *p, struct network *n, int64_t now_ms)
{
	int rank = outbox_rank(p->class, p->op != OP_SEND), most;
	int64_t waiting = db_number(t->db, &waits, V(n->number, rank, now_ms + 1000), 0), fed;
	const char *consent = audience_unpack(t, p->audience).consent;

	if (waiting > WINDOW / 2)
		return;
	most = window(t, p, n, rank);
	if (p->op == OP_SEND)
		fed = db_run(
		    t->db, &feed, V(p->id, n->number, most, now_ms, consent, pauses(p->class)));
	else
		fed = db_run(t->db, &feed_all, V(p->id, n->number, WINDOW, now_ms));
	if (!fed)
		return;
	if (p->op == OP_SEND && !n->transport->buttons)
		db_run(t->db, &offer, V(p->id, n->number, now_ms));
	outbox_waits(n, (enum rank)rank, now_ms);
}

static void
feed_networks(struct turn *t, struct feeding *p, int64_t now_ms)
{
	struct engine *e = t->engine;
	int64_t open_s = p->due;

	if (p->op == OP_SEND && outbox_waits_for_morning(p->class))
		open_s = after_quiet_hours(t, PERSON_NOBODY, p->due > t->now ? p->due : t->now);
	if (open_s > t->now) {
		p->next_ms = open_s * 1000;
		return;
	}
	for (int i = 0; i < e->network_count; i++)
		feed_network(t, p, &e->networks[i], now_ms);
}

/* ---- stages ---- */

/* What must not go out any more: a slice of the planned, and what came back from the air. */
static void
end_rows(struct turn *t, struct feeding *p, enum delivery_state state)
{
	post_feed_take_back(t, p->id, state);
	if (db_run(t->db, &end_planned, V((int)state, p->id, SLICE_ROWS)) > 0)
		p->next_ms = 0;
}

static bool
all_ended(struct turn *t, const struct feeding *p)
{
	return db_number(t->db, &ended, V(p->id), 0) >= p->total;
}

static void
send_or_end(struct turn *t, struct feeding *p, int64_t now_ms)
{
	if (p->expires <= t->now)
		end_rows(t, p, STATE_EXPIRED);
	else
		feed_networks(t, p, now_ms);
	if (p->next_ms && all_ended(t, p))
		come_on(t, p, POST_DONE);
	else if (p->next_ms == INT64_MAX)
		p->next_ms = now_ms + 1000;
}

static void
step(struct turn *t, struct feeding *p, int64_t now_ms)
{
	switch (p->stage) {
	case POST_FREEZING:
		freeze(t, p);
		break;
	case POST_READY:
		if (p->due <= t->now)
			come_on(t, p, POST_SENDING);
		else
			p->next_ms = p->due * 1000;
		break;
	case POST_SENDING:
		send_or_end(t, p, now_ms);
		break;
	case POST_PAUSED:
		post_feed_take_back(t, p->id, STATE_PLANNED);
		if (p->expires <= t->now)
			come_on(t, p, POST_SENDING);
		else
			p->next_ms = p->expires * 1000;
		break;
	case POST_STOPPING:
		end_rows(t, p, STATE_STOPPED);
		if (p->next_ms && all_ended(t, p))
			come_on(t, p, POST_STOPPED);
		else if (p->next_ms)
			p->next_ms = now_ms + 1000;
		break;
	case POST_NEW:
	case POST_STOPPED:
	case POST_DONE:
		break;
	}
}

static void
step_turn(struct turn *t, void *ctx)
{
	step(t, ctx, engine_now_ms(t->engine));
}

static void
tell_turn(struct turn *t, void *ctx)
{
	t->post = ((const struct feeding *)ctx)->id;
	if (t->feature && t->feature->happened)
		t->feature->happened(t, HAPPENED_POST);
}

static void
step_post(struct engine *e, struct feeding *p)
{
	struct turn t;
	struct ours ours;

	turn_begin(&t, e, &ours);
	if (!turn_run(e, &t, step_turn, p)) {
		p->next_ms = engine_now_ms(e) + RETRY_MS;
		return;
	}
	if (!p->came_on)
		return;
	turn_begin(&t, e, &ours);
	t.feature = feature_named(e, p->feature);
	turn_run(e, &t, tell_turn, p);
}

static void
clear_turn(struct turn *t, void *ctx)
{
	int64_t post = db_number(t->db, &old_posts, V(t->now - KEEP_S), 0);

	(void)ctx;
	if (!post) {
		t->engine->post_old = false;
		return;
	}
	if (db_run(t->db, &old_rows, V(post, SLICE_ROWS)))
		return;
	db_run(t->db, &old_texts, V(post));
	db_run(t->db, &old_file, V(post));
}

/* True: there may be more to clear. */
static bool
clear_old(struct engine *e)
{
	struct turn t;
	struct ours ours;

	if (!e->post_old)
		return false;
	turn_begin(&t, e, &ours);
	if (!turn_run(e, &t, clear_turn, NULL))
		e->post_old = false;
	return e->post_old;
}

/* All that are open, at most `most`: their turns end the query. */
static int
read_posts(struct engine *e, struct feeding *posts, int most)
{
	struct rows *q = db_query(e->db, &open_posts, NONE);
	int n = 0;

	while (n < most && db_next(q))
		read_post(q, &posts[n++]);
	db_done(q);
	return n;
}

bool
post_feed_due(struct engine *e)
{
	return e->started && e->post_next_ms <= engine_now_ms(e);
}

void
post_feed_run(struct engine *e)
{
	struct feeding posts[OPEN_MOST];
	int64_t next;
	int n;
	bool sliced = false;

	if (!post_feed_due(e))
		return;
	/* A feature that hears of a stage may change a post: then it is looked at again. */
	e->post_next_ms = INT64_MAX;
	e->post_sending = false;
	next = clear_old(e) ? 0 : INT64_MAX;
	n = read_posts(e, posts, OPEN_MOST);
	for (struct feeding *p = posts; p < posts + n; p++) {
		bool slice_wanted = p->stage == POST_FREEZING;

		e->post_sending = e->post_sending || p->stage >= POST_SENDING;
		/* One slice of freezing a tick, however many posts there are. */
		if (!slice_wanted || !sliced)
			step_post(e, p);
		else
			p->next_ms = 0;
		sliced = sliced || slice_wanted;
		if (p->next_ms < next)
			next = p->next_ms;
	}
	if (!e->post_sending)
		outbox_forget_texts(e);
	if (next < e->post_next_ms)
		e->post_next_ms = next;
}

void
post_feed_poke(struct engine *e)
{
	e->post_next_ms = 0;
	e->o.ports.wake(e->o.ports.ctx, 0);
}

void
post_feed_take_back(struct turn *t, int64_t post, enum delivery_state state)
{
	struct engine *e = t->engine;

	for (int i = 0; i < e->network_count; i++)
		db_run(t->db, &give_back, V((int)state, e->networks[i].number, post));
}

/* A report stays; what it was counted from goes when nothing can be taken back any more. */
void
post_prune(struct turn *t)
{
	t->engine->post_old = true;
	post_feed_poke(t->engine);
}
