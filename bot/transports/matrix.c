#include "transports/matrix.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "transports/matrix_body.h"
#include "transports/matrix_inside.h"
#include "transports/matrix_parse.h"
#include "transports/matrix_queue.h"

enum {
	POLL_MS = 30000,
	RETRY_LEAST_MS = 500,
	RETRY_MOST_MS = 60000,
	SIDE_CONNECTIONS = 4,
	JOIN_BURST = 10,
};

/* ---- small things ---- */

int64_t
matrix_random(struct matrix *m, int64_t limit)
{
	/* Enough for spreading attempts; nothing secret hangs on it. */
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (int64_t)(m->random % (uint64_t)limit);
}

int64_t
matrix_back_off_ms(struct matrix *m, int failures)
{
	int64_t wait = RETRY_LEAST_MS;

	while (--failures > 0 && wait < RETRY_MOST_MS)
		wait *= 2;
	wait = wait < RETRY_MOST_MS ? wait : RETRY_MOST_MS;
	return wait / 2 + matrix_random(m, wait / 2 + 1);
}

void
matrix_forget_secret(char **secret)
{
	if (*secret)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void
matrix_health(struct matrix *m, enum health health, const char *detail)
{
	if (m->health_said && m->health == health && strcmp(m->detail, detail) == 0)
		return;
	m->health = health;
	m->health_said = true;
	snprintf(m->detail, sizeof(m->detail), "%s", detail);
	m->up.health(m->up.engine, &m->base, health, detail);
}

void
matrix_health_good(struct matrix *m)
{
	char print[MATRIX_CRYPTO_FINGERPRINT] = "", detail[240];
	struct matrix_crypto_counts counts;

	if (!m->crypto) {
		snprintf(detail, sizeof(detail), "not encrypted; rooms %zu", matrix_rooms_count(m));
	} else {
		counts = matrix_crypto_counts(m->crypto);
		matrix_crypto_fingerprint(m->crypto, print);
		snprintf(detail, sizeof(detail), "identity %s%s; unreadable %lld, refused %lld%s%s",
		    print, matrix_crypto_signed(m->crypto) ? "" : " (not yet signed)",
		    (long long)counts.unreadable, (long long)counts.refused,
		    m->renewed ? ", new device" : "", counts.trouble ? ", key trouble" : "");
	}
	matrix_health(m, HEALTH_GOOD, detail);
}

json_t *
matrix_answer(const struct http_answer *http)
{
	return http->outcome == HTTP_REPLIED ? matrix_parse(http->body, http->length) : NULL;
}

char *
matrix_path(struct matrix *m, const char *format, const char *a, const char *b, const char *c)
{
	const char *holes[3] = {a, b, c};
	char *escaped[3] = {NULL}, *path;

	for (int i = 0; i < 3; i++)
		escaped[i] = matrix_queue_escape(holes[i] ? holes[i] : "");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	path = arena_print(m->arena, format, escaped[0], escaped[1], escaped[2]);
#pragma GCC diagnostic pop
	for (int i = 0; i < 3; i++)
		free(escaped[i]);
	return path;
}

struct http_call *
matrix_ask(struct matrix *m, const struct matrix_ask *ask)
{
	const char *url = arena_print(m->arena, "%s%s", m->root, ask->path), *token = ask->token;
	const char *headers[3] = {"Expect:", NULL, NULL};

	if (!token && !ask->no_token)
		token = m->token;
	if (ask->body)
		headers[1] = arena_print(
		    m->arena, "Content-Type: %s", ask->type ? ask->type : "application/json");
	return http_send(ask->lane,
	    &(struct http_request){
		.label = ask->label,
		.method = ask->method,
		.url = url,
		.headers = headers,
		.token = token,
		.body = ask->body,
		.body_length = ask->length,
		.fresh = ask->fresh,
		.priority = ask->priority,
		.timeout_ms = ask->timeout_ms ? ask->timeout_ms : MATRIX_REPLY_TIMEOUT_MS,
		.body_max = ask->body_max ? ask->body_max : MATRIX_REPLY_BYTES,
		.fn = ask->fn,
		.ctx = ask->ctx,
	    });
}

/* ---- the four functions ---- */

/* Rows of the encryption wait for the device's id, which only the server knows for sure. */
static void
keep_loaded(struct matrix *m, const struct state_row *row)
{
	struct state_row *kept = &m->loaded[m->loaded_count++];
	void *bytes = memory_new(row->length + 1);

	memcpy(bytes, row->bytes, row->length);
	*kept = (struct state_row){memory_string(row->key), bytes, row->length};
}

static void
open_cursor(struct matrix *m, const char *cursor)
{
	size_t n = strlen(m->user);

	if (cursor && strncmp(cursor, m->user, n) == 0 && cursor[n] == '\n' && cursor[n + 1])
		m->since = memory_string(cursor + n + 1);
}

static void
matrix_open(struct transport *transport, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	struct matrix *m = (struct matrix *)transport;

	m->up = *up;
	open_cursor(m, cursor);
	m->loaded = memory_new((count + 1) * sizeof(*m->loaded));
	for (size_t i = 0; i < count; i++) {
		struct state_row row = state[i];

		if (!row.bytes)
			continue;
		if (row.key[0] != 'o') {
			keep_loaded(m, &row);
			continue;
		}
		row.key++;
		if (!matrix_state_load(m->own, &row))
			log_event(LOG_WARNING, "matrix.row", "%s", "a row does not open");
	}
}

static void
matrix_poll(struct transport *transport)
{
	struct matrix *m = (struct matrix *)transport;

	matrix_health(m, HEALTH_STARTING, "");
	matrix_session_begin(m);
}

static void
free_loaded(struct matrix *m)
{
	for (size_t i = 0; i < m->loaded_count; i++) {
		free((void *)(uintptr_t)m->loaded[i].key);
		free((void *)(uintptr_t)m->loaded[i].bytes);
	}
	free(m->loaded);
}

static void
free_strings(struct matrix *m)
{
	char **secrets[] = {&m->token, &m->refresh, &m->file_token, &m->password, &m->old_token};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		matrix_forget_secret(secrets[i]);
	for (char **s = m->servers; s && *s; s++)
		free(*s);
	for (int i = 0; i < MATRIX_REASONS; i++)
		free(m->reasons[i]);
	free(m->servers);
	free(m->root);
	free(m->since);
	free(m->heard_to);
	free(m->filter);
}

static void
matrix_close(struct transport *transport)
{
	struct matrix *m = (struct matrix *)transport;

	http_cancel(m->poll);
	matrix_send_close(m);
	matrix_work_close(m);
	matrix_chore_close(m);
	http_lane_free(m->poll_lane);
	http_lane_free(m->send_lane);
	http_lane_free(m->side_lane);
	timer_free(m->poll_timer);
	timer_free(m->early_timer);
	timer_free(m->work_timer);
	timer_free(m->due_timer);
	timer_free(m->chore_timer);
	if (m->crypto)
		matrix_crypto_free(m->crypto);
	matrix_state_free(m->own);
	json_decref(m->spoke);
	json_decref(m->to_tell);
	json_decref(m->late);
	free_loaded(m);
	free_strings(m);
	arena_free(m->arena);
	explicit_bzero(m->key, sizeof(m->key));
	free(m);
}

/* ---- making one ---- */

static const struct transport_ops ops = {
    .open = matrix_open,
    .poll = matrix_poll,
    .send = matrix_send,
    .close = matrix_close,
};

static char *
trimmed(const char *text)
{
	size_t n;
	char *copy;

	if (!text)
		return NULL;
	text += strspn(text, " \t\r\n");
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	if (!n)
		return NULL;
	copy = memory_new(n + 1);
	memcpy(copy, text, n);
	return copy;
}

bool
matrix_is_user(const char *user)
{
	return matrix_json_id(user) && *user == '@' && *matrix_json_server(user);
}

/* A header's value: printable ASCII without spaces. */
static bool
is_token(const char *token)
{
	for (; *token; token++)
		if (*token <= ' ' || *token > '~')
			return false;
	return true;
}

static void
make_lanes(struct matrix *m, const struct matrix_options *o)
{
	struct http_lane_options lane = {
	    .name = "matrix poll", .connections = 1, .compressed = true};

	m->poll_lane = http_lane_new(o->http, &lane);
	lane.name = "matrix send";
	lane.connections = m->base.slots;
	m->send_lane = http_lane_new(o->http, &lane);
	lane.name = "matrix side";
	lane.connections = SIDE_CONNECTIONS;
	m->side_lane = http_lane_new(o->http, &lane);
}

static void
make_strings(struct matrix *m, const struct matrix_options *o)
{
	size_t n = 0, root = strlen(o->homeserver);

	while (root && o->homeserver[root - 1] == '/')
		root--;
	m->root = memory_new(root + 1);
	memcpy(m->root, o->homeserver, root);
	snprintf(m->user, sizeof(m->user), "%s", o->user);
	while (o->allow_servers && o->allow_servers[n])
		n++;
	m->servers = memory_new((n + 1) * sizeof(*m->servers));
	for (size_t i = 0; i < n; i++)
		m->servers[i] = memory_string(o->allow_servers[i]);
	for (int i = 0; i < MATRIX_REASONS; i++)
		m->reasons[i] = memory_string(o->reasons ? o->reasons[i] : "");
	memcpy(m->key, o->key, sizeof(m->key));
}

static void
make_timers(struct matrix *m)
{
	m->poll_timer = timer_new(m->loop, matrix_poll_ask, m);
	m->early_timer = timer_new(m->loop, matrix_send_early, m);
	m->work_timer = timer_new(m->loop, matrix_work, m);
	m->due_timer = timer_new(m->loop, matrix_work, m);
	m->chore_timer = timer_new(m->loop, matrix_chore_poke, m);
}

/* Who taps or scans it is led to the bot; a Matrix link carries nothing to say there. */
static void
make_link(struct matrix *m)
{
	char *user = matrix_queue_escape(m->user);

	if (snprintf(m->base.link_start, sizeof(m->base.link_start), "https://matrix.to/#/%s",
		user) >= (int)sizeof(m->base.link_start))
		m->base.link_start[0] = 0;
	free(user);
}

struct transport *
matrix_new(const struct matrix_options *o)
{
	char *token = trimmed(o->access_token), *password = trimmed(o->password);
	struct matrix *m;

	if (!matrix_is_user(o->user) || (!token && !password) || (token && !is_token(token))) {
		matrix_forget_secret(&token);
		matrix_forget_secret(&password);
		return NULL;
	}
	m = memory_new(sizeof(*m));
	m->base = (struct transport){
	    .name = "matrix",
	    .ops = &ops,
	    .slots = o->connections > 0 ? o->connections : 8,
	    .text_scalars = MATRIX_BODY_SCALARS,
	    .remembers = true,
	    .repeats_safely = true,
	    .per_second = o->per_second,
	    .command_sign = '!',
	};
	m->loop = o->loop;
	m->file_token = token;
	m->password = password;
	m->encryption = o->encryption;
	m->poll_ms = o->poll_ms > 0 ? o->poll_ms : POLL_MS;
	m->phase = MATRIX_PHASE_OVER;
	m->random = (uint64_t)loop_now_ms(o->loop) * 2654435761u ^ 0x9e3779b97f4a7c15u;
	m->arena = arena_new();
	make_strings(m, o);
	make_link(m);
	m->own = matrix_state_new(m->key);
	m->joins = JOIN_BURST;
	m->joins_ms = loop_now_ms(o->loop);
	make_lanes(m, o);
	make_timers(m);
	return &m->base;
}
