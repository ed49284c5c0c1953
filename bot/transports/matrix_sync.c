/*
 * Listening: one /sync after another. What an answer brings, the encryption's rows and the next
 * `since` are one transaction; the same answer again is known by its events' ids.
 */
#include "transports/matrix_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
	POLL_MARGIN_MS = 20000, /* what the network may add before a poll counts as deaf */
	POLL_BYTES = 64 * 1024 * 1024,
	STALE_MS = 1000, /* an idle poll that ends sooner than it was asked to */
	STALE_ALARM = 3,
	STALE_CHECK = 5,
	IDLE_CHECK = 30,
	LOOK_MS = 6 * 3600 * 1000, /* of silence, until all rooms are looked at otherwise */
};

static const char small_filter[] =
    "{\"presence\":{\"types\":[]},\"account_data\":{\"types\":[]},\"room\":{\"ephemeral\":{"
    "\"types\":[]},\"account_data\":{\"types\":[]},\"timeline\":{\"limit\":1},\"state\":{"
    "\"types\":[\"m.room.create\",\"m.room.member\",\"m.room.encryption\",\"m.room.tombstone\"],"
    "\"lazy_load_members\":true}}}";

/* ---- the poll lane ---- */

static void poll_came(void *ctx, const struct http_answer *http);

void
matrix_poll_send(struct matrix *m, struct matrix_ask *ask)
{
	ask->lane = m->poll_lane;
	ask->fresh = m->fresh;
	ask->fn = poll_came;
	ask->ctx = m;
	m->poll_started_ms = loop_now_ms(m->loop);
	m->poll_timeout_ms = ask->timeout_ms ? ask->timeout_ms : MATRIX_REPLY_TIMEOUT_MS;
	m->fresh = false;
	m->poll = matrix_ask(m, ask);
}

void
matrix_poll_later(struct matrix *m, int64_t wait_ms)
{
	timer_start(m->poll_timer, wait_ms);
}

void
matrix_poll_failed(struct matrix *m, const char *why)
{
	m->failures++;
	m->quick = true;
	log_event(LOG_INFO, "matrix.poll_failed", "failures=%d why=%s", m->failures, why);
	/* A single hitch while all goes well is not worth a word. */
	if (m->failures > 1 || m->phase != MATRIX_PHASE_SYNC)
		matrix_health(m, HEALTH_DOWN, why);
	matrix_session_postpone(m);
	matrix_poll_later(m, matrix_back_off_ms(m, m->failures));
}

static void
ask_sync(struct matrix *m)
{
	int64_t wait_ms = m->quick || !m->since ? 0 : m->poll_ms,
		life_ms = m->token_dies_ms - m->token_made_ms;
	char *path = matrix_path(m, "/_matrix/client/v3/sync?filter=%s&since=%s",
	    m->small ? small_filter : m->filter, m->since, NULL);
	struct matrix_ask ask = {.label = "matrix sync", .method = "GET", .body_max = POLL_BYTES};

	if (!m->since)
		path = matrix_path(m, "/_matrix/client/v3/sync?filter=%s",
		    m->small ? small_filter : m->filter, NULL, NULL);
	/* Never so long that the token dies meanwhile. */
	if (life_ms > 0 && wait_ms > life_ms / 4)
		wait_ms = life_ms / 4;
	ask.path = arena_print(m->arena, "%s&timeout=%lld", path, (long long)wait_ms);
	ask.timeout_ms = wait_ms + POLL_MARGIN_MS;
	/* The first one may be large, and slow to be made. */
	if (!m->since)
		ask.timeout_ms = MATRIX_FILE_TIMEOUT_MS;
	matrix_poll_send(m, &ask);
}

void
matrix_poll_ask(void *ctx)
{
	struct matrix *m = ctx;

	if (m->poll || m->phase == MATRIX_PHASE_OVER)
		return;
	if (m->phase == MATRIX_PHASE_SYNC && matrix_session_ages(m))
		m->phase = MATRIX_PHASE_REFRESH;
	if (m->phase == MATRIX_PHASE_SYNC)
		ask_sync(m);
	else
		matrix_session_ask(m);
	arena_forget(m->arena);
}

/* No whole reply. A kept connection that died is no outage. */
static void
poll_lost(struct matrix *m, const struct http_answer *http)
{
	bool late = loop_now_ms(m->loop) - m->poll_started_ms >= m->poll_timeout_ms - 500;

	m->fresh = true;
	http_lane_renew(m->poll_lane);
	if (late && m->phase == MATRIX_PHASE_SYNC && !m->quick) {
		m->quick = true;
		matrix_health(m, HEALTH_DEAF, "a poll did not end; a new connection is made");
		matrix_poll_later(m, 0);
	} else if (http->reused && !late) {
		m->quick = false;
		matrix_poll_later(m, 0);
	} else {
		matrix_poll_failed(m, http->outcome == HTTP_NOT_SENT ? http->cause : "no answer");
	}
}

/* ---- batches ---- */

struct event *
matrix_sync_add(struct matrix_batch *batch)
{
	if (batch->count == batch->room) {
		batch->room = batch->room ? batch->room * 2 : 16;
		batch->events = memory_resize(batch->events, batch->room * sizeof(*batch->events));
	}
	batch->events[batch->count] = (struct event){0};
	return &batch->events[batch->count++];
}

static void
hold(struct matrix_batch *batch, json_t *event)
{
	if (!batch->held)
		batch->held = json_array();
	json_array_append_new(batch->held, event);
}

static void
send_receipts(struct matrix *m, struct matrix_batch *batch)
{
	const char *room;
	json_t *event;

	json_object_foreach(batch->receipts, room, event)
		matrix_chore_add(m, MATRIX_CHORE_RECEIPT, room, json_string_value(event));
}

bool
matrix_sync_deliver(struct matrix *m, struct matrix_batch *batch, const char *cursor)
{
	struct batch up = {.cursor = cursor, .events = batch->events, .event_count = batch->count};
	bool good;

	up.state_count = matrix_work_rows(m, &up.state);
	good = m->up.came(m->up.engine, &m->base, &up);
	if (good) {
		matrix_work_kept(m);
		send_receipts(m, batch);
	}
	json_decref(batch->held);
	json_decref(batch->receipts);
	free(batch->events);
	*batch = (struct matrix_batch){0};
	return good;
}

/* ---- events ---- */

/* Something readable of a room: `event` is stolen. */
static void
take_readable(struct matrix *m, struct matrix_batch *batch, const char *room, json_t *event)
{
	struct event made;

	bool group = !matrix_rooms_private(m, room, matrix_json_text(event, "sender"));

	if (!matrix_json_event(
		m->arena, m->user, arena_string(m->arena, room), group, event, &made)) {
		if (matrix_json_says(
			json_object_get(event, "content"), "msgtype", "m.key.verification.request"))
			matrix_chore_add(
			    m, MATRIX_CHORE_VERIFY, room, matrix_json_text(event, "event_id"));
		json_decref(event);
		return;
	}
	if (!made.group)
		matrix_rooms_spoke(m, room, made.who);
	*matrix_sync_add(batch) = made;
	if (!batch->receipts)
		batch->receipts = json_object();
	json_object_set_new(batch->receipts, room, json_string(made.id));
	hold(batch, event);
}

/* One clear sentence is due; the event itself may still be readable later, under its own id. */
static void
take_unreadable(struct matrix *m, struct matrix_batch *batch, const char *room, const json_t *event)
{
	const char *id = matrix_json_text(event, "event_id"),
		   *who = matrix_json_text(event, "sender");
	struct event *made;

	if (!matrix_json_id(id) || !matrix_json_id(who) || !matrix_rooms_private(m, room, who))
		return;
	made = matrix_sync_add(batch);
	made->id = arena_print(m->arena, "%s?", id);
	made->kind = EVENT_UNREADABLE;
	made->who = arena_string(m->arena, who);
	made->where = arena_string(m->arena, room);
	made->thread = matrix_json_thread(m->arena, event);
}

static void
take_read(struct matrix *m, struct matrix_batch *batch, const char *room, struct matrix_read *read)
{
	if (read->how == MATRIX_READ_GOOD) {
		take_readable(m, batch, room, read->event);
		return;
	}
	if (read->how == MATRIX_READ_UNREADABLE)
		take_unreadable(m, batch, room, read->event);
	if (read->how == MATRIX_READ_REFUSED)
		log_event(LOG_INFO, "matrix.refused", "why=%s", read->why);
	json_decref(read->event);
}

void
matrix_sync_event(struct matrix *m, struct matrix_batch *batch, const char *room, json_t *event)
{
	struct matrix_read read;

	if (!json_is_object(event))
		return;
	matrix_rooms_event(m, batch, room, event, false);
	if (matrix_json_says(event, "type", "m.room.encrypted") && m->crypto) {
		matrix_crypto_read(m->crypto, room, event, loop_wall_ms(m->loop), &read);
		take_read(m, batch, room, &read);
	} else if (matrix_json_says(event, "type", "m.room.message") &&
		   !(m->crypto && matrix_crypto_encrypted(m->crypto, room))) {
		/* What comes in clear in an encrypted room is nobody's. */
		take_readable(m, batch, room, json_incref(event));
	}
}

/* What became readable is given out once: it is held until a commit has taken it. */
static void
take_late(struct matrix *m, struct matrix_batch *batch)
{
	struct matrix_read read;
	json_t *late;
	size_t i;

	if (!m->late)
		m->late = json_array();
	while (matrix_crypto_late(m->crypto, loop_wall_ms(m->loop), &read))
		json_array_append_new(m->late, json_pack("{s:i,s:s,s:o*}", "h", (int)read.how, "r",
						   read.room, "e", read.event));
	json_array_foreach(m->late, i, late) {
		read = (struct matrix_read){
		    .how = (enum matrix_reading)json_integer_value(json_object_get(late, "h")),
		    .event = json_incref(json_object_get(late, "e")),
		};
		take_read(m, batch, arena_string(m->arena, matrix_json_text(late, "r")), &read);
	}
}

void
matrix_sync_late(struct matrix *m)
{
	struct matrix_batch batch = {0};

	take_late(m, &batch);
	if (!batch.count || matrix_sync_deliver(m, &batch, NULL))
		json_array_clear(m->late);
	json_decref(batch.held);
	json_decref(batch.receipts);
	free(batch.events);
}

/* ---- an answer ---- */

static bool
is_message(const json_t *event)
{
	return matrix_json_id(matrix_json_text(event, "event_id")) &&
	       (matrix_json_says(event, "type", "m.room.message") ||
		   matrix_json_says(event, "type", "m.room.encrypted"));
}

/* As its server says; 0 when that says the future, which would hide all that comes. */
static int64_t
sent_ms(struct matrix *m, const json_t *event)
{
	int64_t at = json_integer_value(json_object_get(event, "origin_server_ts"));

	return at <= loop_wall_ms(m->loop) ? at : 0;
}

static void
heard_of(struct matrix *m, const char *room, const json_t *event)
{
	const char *id = matrix_json_text(event, "event_id");

	if (!is_message(event))
		return;
	snprintf(m->last_room, sizeof(m->last_room), "%s", room);
	snprintf(m->last_event, sizeof(m->last_event), "%s", id);
	m->heard_ms = sent_ms(m, event) > m->heard_ms ? sent_ms(m, event) : m->heard_ms;
}

/* Everything of a room's timeline; on the first sync ever nothing in it is acted on. */
static void
timeline(struct matrix *m, struct matrix_batch *batch, const char *room, json_t *entry,
    bool initial, bool known)
{
	json_t *line = json_object_get(entry, "timeline"), *event;
	const char *before = matrix_json_text(line, "prev_batch");
	size_t i;

	/* On a first join what lies before is not for us. */
	if (json_is_true(json_object_get(line, "limited")) && known && before && m->since)
		matrix_chore_add(
		    m, MATRIX_CHORE_GAP, room, arena_print(m->arena, "%s\n%s", before, m->since));
	json_array_foreach(json_object_get(line, "events"), i, event) {
		heard_of(m, room, event);
		if (initial)
			matrix_rooms_event(m, batch, room, event, false);
		else
			matrix_sync_event(m, batch, room, event);
	}
}

static void
rooms(struct matrix *m, struct matrix_batch *batch, json_t *all, bool initial)
{
	json_t *entry;
	const char *room;

	json_object_foreach(json_object_get(all, "invite"), room, entry)
		if (matrix_json_id(room))
			matrix_rooms_invited(m, room, entry);
	json_object_foreach(json_object_get(all, "join"), room, entry) {
		bool known;

		if (!matrix_json_id(room))
			continue;
		known = matrix_rooms_known(m, room);
		matrix_rooms_joined(m, batch, room, entry, initial);
		timeline(m, batch, room, entry, initial, known);
		matrix_rooms_settle(m, batch, room);
	}
	json_object_foreach(json_object_get(all, "leave"), room, entry)
		if (matrix_json_id(room))
			matrix_rooms_left(m, batch, room);
}

/* False: it is not durable and must be asked for again. */
static bool
take(struct matrix *m, json_t *answer, const char *next)
{
	struct matrix_batch batch = {0};
	bool initial = !m->since;

	if (m->crypto)
		matrix_crypto_sync(m->crypto, answer, initial, loop_wall_ms(m->loop));
	rooms(m, &batch, json_object_get(answer, "rooms"), initial);
	if (m->crypto)
		take_late(m, &batch);
	if (!matrix_sync_deliver(m, &batch, arena_print(m->arena, "%s\n%s", m->user, next)))
		return false;
	json_array_clear(m->late);
	return true;
}

static bool
has_news(const json_t *answer)
{
	static const char *const lists[][2] = {
	    {"rooms", "join"},
	    {"rooms", "invite"},
	    {"rooms", "leave"},
	    {"to_device", "events"},
	    {"device_lists", "changed"},
	    {"account_data", "events"},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const json_t *list =
		    json_object_get(json_object_get(answer, lists[i][0]), lists[i][1]);

		if (json_object_size(list) || json_array_size(list))
			return true;
	}
	return false;
}

/* The same `since`, or nothing at all, at once although we asked for patience: not again and again
 * without a pause. */
static bool
is_stale(struct matrix *m, const char *next, bool news)
{
	int64_t took_ms = loop_now_ms(m->loop) - m->poll_started_ms;

	return m->since && (!news || strcmp(m->since, next) == 0) && !m->quick &&
	       took_ms < STALE_MS && took_ms < m->poll_ms / 2;
}

/* A server has been seen to answer the same for ever while people wrote (MATRIX.md §4): after a
 * long silence the newest event of a room is asked for otherwise, after a longer one that of all. */
static void
doubt_silence(struct matrix *m, bool news)
{
	int64_t now = loop_now_ms(m->loop);

	m->idle = news ? 0 : m->idle + 1;
	if (!news && (m->stale == STALE_CHECK || (m->look_ms && now >= m->look_ms)))
		matrix_chore_add(m, MATRIX_CHORE_LOOK, "", m->since);
	if (news || !m->look_ms || now >= m->look_ms)
		m->look_ms = now + LOOK_MS;
	if (*m->last_room && (m->stale == STALE_CHECK || m->idle % IDLE_CHECK == IDLE_CHECK - 1))
		matrix_chore_add(m, MATRIX_CHORE_CHECK, m->last_room, m->last_event);
}

static void
read_anew(struct matrix *m)
{
	http_cancel(m->poll);
	m->poll = NULL;
	free(m->heard_to);
	m->heard_to = m->since;
	m->since = NULL;
	*m->last_room = 0;
	matrix_poll_later(m, matrix_back_off_ms(m, 1));
}

void
matrix_sync_stuck(struct matrix *m)
{
	log_event(LOG_WARNING, "matrix.stuck", "%s", "events were not told; all is read anew");
	matrix_health(m, HEALTH_DEAF, "the server kept events back; all is read anew");
	read_anew(m);
}

char *
matrix_sync_look(struct matrix *m)
{
	return matrix_path(
	    m, "/_matrix/client/v3/sync?filter=%s&timeout=0", small_filter, NULL, NULL);
}

/* True when a room holds what was sent after all that was heard. */
static bool
keeps_back(struct matrix *m, const json_t *rooms)
{
	json_t *entry, *event;
	const char *room;
	size_t i;

	json_object_foreach(json_object_get(rooms, "join"), room, entry) {
		json_t *line = json_object_get(entry, "timeline");

		json_array_foreach(json_object_get(line, "events"), i, event)
			if (is_message(event) && sent_ms(m, event) > m->heard_ms)
				return true;
	}
	return false;
}

/* True when somebody invited us and we did not hear of it. */
static bool
invites_unheard(struct matrix *m, const json_t *rooms)
{
	json_t *entry;
	const char *room;

	json_object_foreach(json_object_get(rooms, "invite"), room, entry)
		if (matrix_json_id(room) && !matrix_chore_has(m, MATRIX_CHORE_JOIN, room) &&
		    !matrix_chore_has(m, MATRIX_CHORE_REJECT, room))
			return true;
	return false;
}

void
matrix_sync_looked(struct matrix *m, const char *since, const json_t *answer)
{
	const json_t *rooms = json_object_get(answer, "rooms");

	if (!m->since || strcmp(m->since, since) || !m->idle)
		return;
	/* After a start nobody knows how new what was heard is. */
	if (m->heard_ms && keeps_back(m, rooms))
		matrix_sync_stuck(m);
	else if ((!m->heard_ms && !m->stale) || invites_unheard(m, rooms))
		read_anew(m);
}

static void
next_poll(struct matrix *m, bool stale, bool news)
{
	m->stale = stale ? m->stale + 1 : 0;
	m->quick = false;
	doubt_silence(m, news);
	if (!m->stale) {
		matrix_poll_later(m, 0);
		return;
	}
	if (m->stale >= STALE_ALARM)
		matrix_health(m, HEALTH_DOWN, "the same answer again and again");
	matrix_poll_later(m, matrix_back_off_ms(m, m->stale));
}

static void
sync_came(struct matrix *m, json_t *answer)
{
	const char *next = matrix_json_text(answer, "next_batch");
	bool stale, news;

	if (!next || !*next || strlen(next) > 4096 || strchr(next, '\n')) {
		matrix_poll_failed(m, "an answer that is none");
		return;
	}
	news = has_news(answer);
	stale = is_stale(m, next, news);
	/* Idle polls change nothing and cost no write. */
	if (m->since && strcmp(m->since, next) == 0 && !news) {
		if (m->crypto)
			matrix_crypto_sync(m->crypto, answer, false, loop_wall_ms(m->loop));
	} else if (!take(m, answer, next)) {
		matrix_poll_later(m, 1000);
		return;
	}
	if (!m->since)
		matrix_rooms_catch_up(m);
	free(m->since);
	m->since = memory_string(next);
	m->failures = 0;
	m->small = false;
	if (!stale || m->stale < STALE_ALARM - 1)
		matrix_health_good(m);
	next_poll(m, stale, news);
	matrix_work_poke(m);
	matrix_chore_poke(m);
}

/* "Invalid stream token": it is asked anew from the start, and nothing old is acted on. */
static bool
bad_since(struct matrix *m, const struct http_answer *http)
{
	json_t *answer;
	bool bad;

	if (!m->since || http->status != 400)
		return false;
	answer = matrix_answer(http);
	bad = matrix_json_says(answer, "errcode", "M_UNKNOWN") ||
	      matrix_json_says(answer, "errcode", "M_INVALID_PARAM");
	json_decref(answer);
	if (!bad)
		return false;
	log_event(LOG_WARNING, "matrix.since", "%s", "refused by the server; a first sync is made");
	free(m->since);
	m->since = NULL;
	matrix_poll_failed(m, "the stored position was refused");
	return true;
}

static void
poll_answered(struct matrix *m, const struct http_answer *http)
{
	json_t *answer;

	if (m->phase == MATRIX_PHASE_SYNC && bad_since(m, http))
		return;
	if (m->phase != MATRIX_PHASE_SYNC || http->status != 200) {
		matrix_session_answered(m, http);
		return;
	}
	answer = matrix_answer(http);
	sync_came(m, answer);
	json_decref(answer);
}

static void
poll_came(void *ctx, const struct http_answer *http)
{
	struct matrix *m = ctx;

	m->poll = NULL;
	if (http->outcome == HTTP_REPLIED) {
		poll_answered(m, http);
	} else if (http->outcome == HTTP_TOO_BIG) {
		m->small = true;
		matrix_poll_failed(m, "an answer too big");
	} else {
		poll_lost(m, http);
	}
	arena_forget(m->arena);
}
