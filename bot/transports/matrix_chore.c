/*
 * What is neither listening nor sending: joins (slowly: servers allow ten at once, then one in ten
 * seconds), leaving, receipts, m.direct, gaps of a timeline. Rows "chore/KIND/ROOM": {"w": what,
 * "n": attempts}, so that a restart forgets none that matters.
 */
#include "transports/matrix_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
	OUT_MOST = 3,
	RECEIPTS_MOST = 200,
	TRIES_MOST = 8,
	JOIN_BURST = 10,
	JOIN_EVERY_MS = 10000,
	REJECT_EVERY_MS = 100,
	GAP_PAGE = 50,
	GAP_PAGES = 40,
	TYPING_MS = 10000,
};

struct matrix_chore {
	struct matrix *m;
	struct matrix_chore *next;
	enum matrix_chore_kind kind;
	char *room, *what;
	struct http_call *call;
	int tries, pages;
	int64_t not_before_ms; /* on the loop's clock */
	bool second;	       /* the second of two requests */
	char *from;	       /* a gap's next page */
	json_t *events;	       /* of a gap, the newest first */
};

/* After a refusal that may pass: a federated invitation is not known everywhere at once. */
static const int64_t again_ms[] = {5000, 15000, 60000, 300000, 900000, 3600000, 3600000, 3600000};

static const char *const names[] = {
    [MATRIX_CHORE_JOIN] = "join",
    [MATRIX_CHORE_LEAVE] = "leave",
    [MATRIX_CHORE_DIRECT] = "direct",
    [MATRIX_CHORE_GAP] = "gap",
    [MATRIX_CHORE_REJECT] = "reject",
};
#define LASTING ((int)(sizeof(names) / sizeof(names[0])))

static void
row_name(const struct matrix_chore *c, char out[40 + MATRIX_JSON_ID])
{
	snprintf(out, 40 + MATRIX_JSON_ID, "chore/%s/%s", names[c->kind], c->room);
}

static bool
lasts(const struct matrix_chore *c)
{
	return (int)c->kind < LASTING;
}

static void
row_put(struct matrix_chore *c)
{
	char name[40 + MATRIX_JSON_ID];

	if (!lasts(c))
		return;
	row_name(c, name);
	matrix_state_put(c->m->own, name,
	    json_pack(
		"{s:i,s:s,s:s,s:i}", "k", (int)c->kind, "r", c->room, "w", c->what, "n", c->tries));
}

/* ---- the list ---- */

static struct matrix_chore *
find(struct matrix *m, enum matrix_chore_kind kind, const char *room)
{
	for (struct matrix_chore *c = m->chores; c; c = c->next)
		if (c->kind == kind && strcmp(c->room, room) == 0)
			return c;
	return NULL;
}

/* The newest invitation goes first: a storm of them stands before nobody who comes after it. */
static struct matrix_chore *
chore_new(struct matrix *m, enum matrix_chore_kind kind, const char *room, const char *what)
{
	struct matrix_chore *c = memory_new(sizeof(*c)), **end = &m->chores;

	while (*end && kind != MATRIX_CHORE_JOIN)
		end = &(*end)->next;
	c->next = *end;
	*end = c;
	c->m = m;
	c->kind = kind;
	c->room = memory_string(room);
	c->what = memory_string(what);
	return c;
}

static void
chore_free(struct matrix_chore *c)
{
	struct matrix_chore **at = &c->m->chores;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->call) {
		http_cancel(c->call);
		c->m->chores_out--;
	}
	free(c->room);
	matrix_forget_secret(&c->what); /* of a logout it is a token */
	free(c->from);
	json_decref(c->events);
	free(c);
}

static void
chore_end(struct matrix_chore *c)
{
	char name[40 + MATRIX_JSON_ID];

	if (lasts(c)) {
		row_name(c, name);
		matrix_state_drop(c->m->own, name);
	}
	chore_free(c);
}

/* A second gap before the first is filled: from the newer end back to the older `since`. What lies
 * between is asked again, and known by its ids. */
static void
widen_gap(struct matrix_chore *c, const char *what)
{
	const char *newer = strchr(what, '\n'), *older = strchr(c->what, '\n');
	char *both = arena_print(
	    c->m->arena, "%.*s%s", (int)(newer ? newer - what : 0), what, older ? older : "");

	if (c->call) {
		http_cancel(c->call);
		c->call = NULL;
		c->m->chores_out--;
	}
	free(c->what);
	c->what = memory_string(both);
	free(c->from);
	c->from = NULL;
	json_decref(c->events);
	c->events = NULL;
	c->pages = 0;
	row_put(c);
	timer_start(c->m->chore_timer, 0);
}

/* A room that was tried because it replaces another one; now somebody brings us in. */
static void
invited_too(struct matrix_chore *c, const char *what)
{
	free(c->what);
	c->what = memory_string(what);
	c->tries = 0;
	c->not_before_ms = 0;
	row_put(c);
	timer_start(c->m->chore_timer, 0);
}

void
matrix_chore_add(struct matrix *m, enum matrix_chore_kind kind, const char *room, const char *what)
{
	struct matrix_chore *c = find(m, kind, room);
	size_t receipts = 0;

	if (c && kind == MATRIX_CHORE_RECEIPT && !c->call) {
		free(c->what);
		c->what = memory_string(what);
		return;
	}
	if (c && kind == MATRIX_CHORE_GAP)
		widen_gap(c, what);
	if (c && kind == MATRIX_CHORE_JOIN && *c->what == 'v' && *what != 'v')
		invited_too(c, what);
	if (c && kind != MATRIX_CHORE_RECEIPT)
		return;
	for (c = m->chores; c && kind == MATRIX_CHORE_RECEIPT; c = c->next)
		receipts += c->kind == kind;
	if (receipts >= RECEIPTS_MOST)
		return;
	row_put(chore_new(m, kind, room, what));
	timer_start(m->chore_timer, 0);
}

void
matrix_chore_drop(struct matrix *m, enum matrix_chore_kind kind, const char *room)
{
	struct matrix_chore *c = find(m, kind, room);

	if (c && !(kind == MATRIX_CHORE_JOIN && c->call))
		chore_end(c);
}

bool
matrix_chore_has(struct matrix *m, enum matrix_chore_kind kind, const char *room)
{
	return find(m, kind, room) != NULL;
}

bool
matrix_chore_tries(struct matrix *m, const char *room)
{
	const struct matrix_chore *c = find(m, MATRIX_CHORE_JOIN, room);

	return c && *c->what == 'v';
}

void
matrix_chore_untry(struct matrix *m, const char *room)
{
	struct matrix_chore *c = find(m, MATRIX_CHORE_JOIN, room);

	if (c && *c->what == 'v' && !c->call)
		chore_end(c);
}

struct matrix_invites
matrix_chore_count(struct matrix *m, const char *inviter)
{
	struct matrix_invites n = {0};

	for (const struct matrix_chore *c = m->chores; c; c = c->next) {
		n.refused += c->kind == MATRIX_CHORE_REJECT;
		n.all += c->kind == MATRIX_CHORE_JOIN;
		n.theirs += c->kind == MATRIX_CHORE_JOIN && strcmp(c->what + 1, inviter) == 0;
	}
	return n;
}

static void
take_up(void *ctx, const char *name)
{
	struct matrix *m = ctx;
	json_t *row = matrix_state_get(m->own, name);
	int kind = (int)json_integer_value(json_object_get(row, "k"));
	const char *room = matrix_json_text(row, "r"), *what = matrix_json_text(row, "w");

	if (room && what && kind >= 0 && kind < LASTING &&
	    !find(m, (enum matrix_chore_kind)kind, room))
		chore_new(m, (enum matrix_chore_kind)kind, room, what)->tries =
		    (int)json_integer_value(json_object_get(row, "n"));
	json_decref(row);
}

void
matrix_chore_open(struct matrix *m)
{
	matrix_state_each(m->own, "chore/", take_up, m);
	timer_start(m->chore_timer, 0);
}

void
matrix_chore_close(struct matrix *m)
{
	while (m->chores)
		chore_free(m->chores);
}

/* ---- requests ---- */

static void chore_came(void *ctx, const struct http_answer *http);

static void
ask(struct matrix_chore *c, const char *label, const char *method, const char *path, json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	c->m->chores_out++;
	c->call = matrix_ask(c->m, &(struct matrix_ask){
				       .lane = c->m->side_lane,
				       .label = label,
				       .method = method,
				       .path = path,
				       .body = text,
				       .length = text ? strlen(text) : 0,
				       .token = c->kind == MATRIX_CHORE_LOGOUT ? c->what : NULL,
				       .priority = 1,
				       .body_max = 16 * 1024 * 1024,
				       .fn = chore_came,
				       .ctx = c,
				   });
	free(text);
}

static void
ask_join(struct matrix_chore *c)
{
	struct matrix *m = c->m;
	const char *path;

	if (c->what[0] == 'v')
		path = matrix_path(m, "/_matrix/client/v3/join/%s?server_name=%s&via=%s", c->room,
		    c->what + 1, c->what + 1);
	else
		path = matrix_path(m, "/_matrix/client/v3/rooms/%s/join", c->room, NULL, NULL);
	m->joins -= 1;
	if (*c->what == 'd' && m->crypto) {
		matrix_crypto_greet(m->crypto, c->what + 1, loop_wall_ms(m->loop));
		matrix_work_poke(m);
	}
	ask(c, "matrix join", "POST", path, json_object());
}

static void
ask_leave(struct matrix_chore *c)
{
	json_t *body = json_object();
	const char *format =
	    c->second ? "/_matrix/client/v3/rooms/%s/forget" : "/_matrix/client/v3/rooms/%s/leave";

	if (*c->what && !c->second)
		json_object_set_new(body, "reason", json_string(c->what));
	ask(c, "matrix leave", "POST", matrix_path(c->m, format, c->room, NULL, NULL), body);
}

static const char *
direct_path(struct matrix *m)
{
	return matrix_path(
	    m, "/_matrix/client/v3/user/%s/account_data/m.direct", m->user, NULL, NULL);
}

static void
ask_gap(struct matrix_chore *c)
{
	struct matrix *m = c->m;
	const char *line = strchr(c->what, '\n'), *to = line ? line + 1 : "";
	char *from = arena_copy(m->arena, c->what, line ? (size_t)(line - c->what) : 0);
	char *path;

	/* Without `from` it begins at the newest. */
	if (c->from || *from)
		path = matrix_path(m, "/_matrix/client/v3/rooms/%s/messages?dir=b&from=%s&to=%s",
		    c->room, c->from ? c->from : from, to);
	else
		path = matrix_path(
		    m, "/_matrix/client/v3/rooms/%s/messages?dir=b&to=%s", c->room, to, NULL);

	ask(c, "matrix messages", "GET", arena_print(m->arena, "%s&limit=%d", path, GAP_PAGE),
	    NULL);
}

static void
cancel_verification(struct matrix_chore *c)
{
	char txn[80];

	snprintf(txn, sizeof(txn), "v%.64s", c->what + (*c->what == '$'));
	matrix_send_own(c->m, c->room, txn, "m.key.verification.cancel",
	    json_pack("{s:s,s:s,s:{s:s,s:s}}", "code", "m.user", "reason",
		"A bot cannot compare pictures.", "m.relates_to", "rel_type", "m.reference",
		"event_id", c->what));
	chore_end(c);
}

static void
ask_newest(struct matrix_chore *c)
{
	ask(c, "matrix messages", "GET",
	    matrix_path(c->m, "/_matrix/client/v3/rooms/%s/messages?dir=b&limit=1&filter=%s",
		c->room, "{\"types\":[\"m.room.message\",\"m.room.encrypted\"]}", NULL),
	    NULL);
}

/* False: it was done without a request. */
static bool
begin(struct matrix_chore *c)
{
	struct matrix *m = c->m;

	switch (c->kind) {
	case MATRIX_CHORE_JOIN:
		ask_join(c);
		break;
	case MATRIX_CHORE_REJECT:
		m->reject_ms = loop_now_ms(m->loop) + REJECT_EVERY_MS;
		ask_leave(c);
		break;
	case MATRIX_CHORE_LEAVE:
		ask_leave(c);
		break;
	case MATRIX_CHORE_DIRECT:
		ask(c, "matrix direct", "GET", direct_path(m), NULL);
		break;
	case MATRIX_CHORE_GAP:
		ask_gap(c);
		break;
	case MATRIX_CHORE_RECEIPT:
		ask(c, "matrix receipt", "POST",
		    matrix_path(
			m, "/_matrix/client/v3/rooms/%s/receipt/m.read/%s", c->room, c->what, NULL),
		    json_object());
		break;
	case MATRIX_CHORE_VERIFY:
		cancel_verification(c);
		return false;
	case MATRIX_CHORE_CHECK:
		ask_newest(c);
		break;
	case MATRIX_CHORE_LOOK:
		ask(c, "matrix look", "GET", matrix_sync_look(m), NULL);
		break;
	case MATRIX_CHORE_TYPING:
		ask(c, "matrix typing", "PUT",
		    matrix_path(m, "/_matrix/client/v3/rooms/%s/typing/%s", c->room, m->user, NULL),
		    json_pack("{s:b,s:i}", "typing", 1, "timeout", TYPING_MS));
		break;
	case MATRIX_CHORE_LOGOUT:
		ask(c, "matrix logout", "POST", "/_matrix/client/v3/logout", json_object());
		break;
	}
	return true;
}

/* ---- answers ---- */

static void
again(struct matrix_chore *c, int64_t wait_ms)
{
	if (c->kind == MATRIX_CHORE_RECEIPT || c->kind == MATRIX_CHORE_TYPING ||
	    c->kind == MATRIX_CHORE_CHECK || c->kind == MATRIX_CHORE_LOOK ||
	    ++c->tries > TRIES_MOST) {
		chore_end(c);
		return;
	}
	c->second = false;
	if (wait_ms <= 0)
		wait_ms = again_ms[c->tries - 1];
	c->not_before_ms = loop_now_ms(c->m->loop) + wait_ms;
	row_put(c);
}

static void
came_direct(struct matrix_chore *c, const json_t *answer, int status)
{
	json_t *all, *list;

	if (c->second) {
		chore_end(c);
		return;
	}
	all = status == 200 && json_is_object(answer) ? json_deep_copy(answer) : json_object();
	list = json_object_get(all, c->what);
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(all, c->what, list);
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_is_string(json_array_get(list, i)) &&
		    strcmp(json_string_value(json_array_get(list, i)), c->room) == 0) {
			json_decref(all);
			chore_end(c);
			return;
		}
	json_array_append_new(list, json_string(c->room));
	c->second = true;
	ask(c, "matrix direct", "PUT", direct_path(c->m), all);
}

static void
gap_done(struct matrix_chore *c)
{
	struct matrix *m = c->m;
	struct matrix_batch batch = {0};
	json_t *events = json_incref(c->events);
	char *room = arena_string(m->arena, c->room);

	chore_end(c);
	m->filling = true;
	for (size_t i = json_array_size(events); i-- > 0;) {
		json_t *event = json_array_get(events, i);

		if (m->crypto)
			matrix_crypto_noticed(m->crypto, room, event, loop_wall_ms(m->loop));
		matrix_sync_event(m, &batch, room, event);
	}
	m->filling = false;
	matrix_sync_deliver(m, &batch, NULL);
	json_decref(events);
}

static void
came_gap(struct matrix_chore *c, const json_t *answer)
{
	json_t *chunk = json_object_get(answer, "chunk");
	const char *end = matrix_json_text(answer, "end");

	if (!c->events)
		c->events = json_array();
	json_array_extend(c->events, chunk);
	c->pages++;
	if (!end || !json_array_size(chunk) || c->pages >= GAP_PAGES ||
	    (c->from && strcmp(c->from, end) == 0)) {
		gap_done(c);
		return;
	}
	free(c->from);
	c->from = memory_string(end);
	ask_gap(c);
}

/* Another than we heard of, although we have heard of nothing since we asked. */
static void
came_newest(struct matrix_chore *c, const json_t *answer)
{
	struct matrix *m = c->m;
	const char *newest =
	    matrix_json_text(json_array_get(json_object_get(answer, "chunk"), 0), "event_id");
	bool stuck = newest && strcmp(newest, c->what) != 0 &&
		     strcmp(m->last_event, c->what) == 0 && strcmp(m->last_room, c->room) == 0;

	chore_end(c);
	if (stuck)
		matrix_sync_stuck(m);
}

static void
came_look(struct matrix_chore *c, const json_t *answer)
{
	struct matrix *m = c->m;
	const char *since = arena_string(m->arena, c->what);

	chore_end(c);
	matrix_sync_looked(m, since, answer);
}

static void
came_good(struct matrix_chore *c, const json_t *answer, int status)
{
	struct matrix *m = c->m;

	switch (c->kind) {
	case MATRIX_CHORE_JOIN:
		matrix_rooms_entered(m, c->room, c->what);
		chore_end(c);
		break;
	case MATRIX_CHORE_LEAVE:
		if (c->second) {
			chore_end(c);
		} else {
			c->second = true;
			ask_leave(c);
		}
		break;
	case MATRIX_CHORE_DIRECT:
		came_direct(c, answer, status);
		break;
	case MATRIX_CHORE_GAP:
		came_gap(c, answer);
		break;
	case MATRIX_CHORE_CHECK:
		came_newest(c, answer);
		break;
	case MATRIX_CHORE_LOOK:
		came_look(c, answer);
		break;
	case MATRIX_CHORE_REJECT:
	case MATRIX_CHORE_RECEIPT:
	case MATRIX_CHORE_VERIFY:
	case MATRIX_CHORE_LOGOUT:
	case MATRIX_CHORE_TYPING:
		chore_end(c);
		break;
	}
}

/* A refusal: not invited (yet), not there any more, not allowed. */
static void
came_no(struct matrix_chore *c, const struct http_answer *http, const json_t *answer)
{
	struct matrix_error error;

	matrix_json_error(http, answer, &error);
	if (http->status == 429) {
		c->tries--;
		again(c, error.retry_after_ms > 0 ? error.retry_after_ms : MATRIX_JSON_WAIT_MS);
	} else if (http->status == 401 && c->kind != MATRIX_CHORE_LOGOUT) {
		matrix_session_doubt(c->m);
		again(c, 0);
	} else if (c->kind == MATRIX_CHORE_DIRECT && http->status == 404 && !c->second) {
		came_direct(c, NULL, 404);
	} else if (http->status >= 500 ||
		   (c->kind == MATRIX_CHORE_JOIN && (http->status == 403 || http->status == 404))) {
		again(c, 0);
	} else {
		log_event(
		    LOG_INFO, "matrix.chore", "kind=%d status=%d", (int)c->kind, http->status);
		chore_end(c);
	}
}

static void
chore_came(void *ctx, const struct http_answer *http)
{
	struct matrix_chore *c = ctx;
	struct matrix *m = c->m;
	json_t *answer = matrix_answer(http);

	c->call = NULL;
	m->chores_out--;
	if (http->outcome != HTTP_REPLIED)
		again(c, 0);
	else if (http->status == 200 && json_is_object(answer))
		came_good(c, answer, 200);
	else if (http->status == 200)
		again(c, 0);
	else
		came_no(c, http, answer);
	json_decref(answer);
	arena_forget(m->arena);
	matrix_work_poke(m);
	timer_start(m->chore_timer, 0);
}

/* ---- which goes next ---- */

static void
refill_joins(struct matrix *m)
{
	int64_t now = loop_now_ms(m->loop);

	m->joins += (double)(now - m->joins_ms) / JOIN_EVERY_MS;
	m->joins_ms = now;
	if (m->joins > JOIN_BURST)
		m->joins = JOIN_BURST;
}

/* Joins and refusals have a pace of their own. */
static int64_t
due_ms(const struct matrix *m, const struct matrix_chore *c, int64_t now)
{
	int64_t at = c->not_before_ms;

	if (c->kind == MATRIX_CHORE_JOIN && m->joins < 1 && at < now + JOIN_EVERY_MS)
		at = now + (int64_t)((1 - m->joins) * JOIN_EVERY_MS) + 1;
	if (c->kind == MATRIX_CHORE_REJECT && at < m->reject_ms)
		at = m->reject_ms;
	return at;
}

/* m.direct is read, changed and written whole: two at once would lose one another's room. */
static bool
out(const struct matrix *m, enum matrix_chore_kind kind)
{
	const struct matrix_chore *c = m->chores;

	while (c && !(c->kind == kind && c->call))
		c = c->next;
	return c != NULL;
}

void
matrix_chore_poke(void *ctx)
{
	struct matrix *m = ctx;
	struct matrix_chore *c = m->chores, *next;
	int64_t now = loop_now_ms(m->loop), due = INT64_MAX;

	if (m->phase != MATRIX_PHASE_SYNC)
		return;
	refill_joins(m);
	for (; c && m->chores_out < OUT_MOST; c = next) {
		int64_t when = due_ms(m, c, now);

		next = c->next;
		if (c->call || (c->kind == MATRIX_CHORE_DIRECT && out(m, c->kind)))
			continue;
		if (when <= now)
			begin(c);
		else if (when < due)
			due = when;
	}
	if (due != INT64_MAX)
		timer_start(m->chore_timer, due - now);
	arena_forget(m->arena);
}
