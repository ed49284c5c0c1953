/*
 * Who we are to the server: a stored login or a token, checked by whoami; refreshed or made anew
 * when it expires. Never a login at every start: servers allow some five of them (MATRIX.md §2
 * "Auth"). Row "session": {"u": user, "d": device, "t": token, "r": refresh token, "m", "x": ms
 * when the token was made and when it dies, "f": hash of the configured token it stands in for}.
 */
#include "transports/matrix_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"

enum {
	LOCKED_AGAIN_MS = 60000,
	LIMITED_MS = 30000,
	FILTER_EVENTS = 50,
	FINGER_BYTES = 16,
	REFRESH_AGAIN_MS = 15000,
};

static void
put_secret(char **to, const char *text)
{
	matrix_forget_secret(to);
	*to = text ? memory_string(text) : NULL;
}

/* Which configured token a stored session was made beside: another one wins over it. */
static void
finger(const struct matrix *m, char out[2 * FINGER_BYTES + 1])
{
	unsigned char hash[FINGER_BYTES];
	const char *token = m->file_token ? m->file_token : "";

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)token, strlen(token), m->key,
	    sizeof(m->key));
	sodium_bin2hex(out, 2 * FINGER_BYTES + 1, hash, sizeof(hash));
}

static bool
stored_session(struct matrix *m)
{
	json_t *row = matrix_state_get(m->own, "session");
	char print[2 * FINGER_BYTES + 1];
	bool good;

	finger(m, print);
	good = matrix_json_says(row, "u", m->user) && matrix_json_says(row, "f", print) &&
	       matrix_json_text(row, "t");
	if (good) {
		put_secret(&m->token, matrix_json_text(row, "t"));
		put_secret(&m->refresh, matrix_json_text(row, "r"));
		m->token_made_ms = json_integer_value(json_object_get(row, "m"));
		m->token_dies_ms = json_integer_value(json_object_get(row, "x"));
		snprintf(m->device, sizeof(m->device), "%s",
		    matrix_json_text(row, "d") ? matrix_json_text(row, "d") : "");
	}
	json_decref(row);
	return good;
}

static bool
store_session(struct matrix *m)
{
	char print[2 * FINGER_BYTES + 1];

	finger(m, print);
	matrix_state_put(m->own, "session",
	    json_pack("{s:s,s:s,s:s,s:s,s:s*,s:I,s:I}", "u", m->user, "d", m->device, "f", print,
		"t", m->token, "r", m->refresh, "m", (json_int_t)m->token_made_ms, "x",
		(json_int_t)m->token_dies_ms));
	return matrix_work_keep(m);
}

/* What a login or a refresh gave. */
static void
take_tokens(struct matrix *m, const json_t *answer)
{
	const char *refresh = matrix_json_text(answer, "refresh_token");
	const json_t *life = json_object_get(answer, "expires_in_ms");

	put_secret(&m->token, matrix_json_text(answer, "access_token"));
	m->token_number++;
	if (refresh || m->phase == MATRIX_PHASE_LOGIN)
		put_secret(&m->refresh, refresh);
	m->token_made_ms = m->token_dies_ms = 0;
	if (!json_is_integer(life) || json_integer_value(life) <= 0)
		return;
	m->token_made_ms = loop_wall_ms(m->loop);
	m->token_dies_ms = m->token_made_ms + json_integer_value(life);
}

static bool
token_lives(const struct matrix *m)
{
	return m->token_dies_ms > loop_wall_ms(m->loop);
}

bool
matrix_session_ages(const struct matrix *m)
{
	int64_t now = loop_wall_ms(m->loop);

	return m->refresh && m->token_dies_ms && now >= m->refresh_after_ms &&
	       now > m->token_made_ms + (m->token_dies_ms - m->token_made_ms) / 2;
}

void
matrix_session_postpone(struct matrix *m)
{
	if (m->phase != MATRIX_PHASE_REFRESH || !token_lives(m) || !m->filter)
		return;
	m->refresh_after_ms = loop_wall_ms(m->loop) + REFRESH_AGAIN_MS;
	m->phase = MATRIX_PHASE_SYNC;
}

static void
over(struct matrix *m, const char *why)
{
	m->phase = MATRIX_PHASE_OVER;
	timer_stop(m->poll_timer);
	matrix_health(m, HEALTH_REFUSED, why);
}

static void
enter(struct matrix *m, enum matrix_phase phase)
{
	m->phase = phase;
	matrix_poll_later(m, 0);
}

void
matrix_session_begin(struct matrix *m)
{
	m->phase = MATRIX_PHASE_WHOAMI;
	if (!stored_session(m) && m->file_token)
		put_secret(&m->token, m->file_token);
	else if (!m->token)
		m->phase = MATRIX_PHASE_LOGIN;
	matrix_poll_later(m, 0);
}

void
matrix_session_doubt(struct matrix *m)
{
	if (m->phase != MATRIX_PHASE_SYNC)
		return;
	http_cancel(m->poll);
	m->poll = NULL;
	enter(m, MATRIX_PHASE_WHOAMI);
}

void
matrix_session_lost_device(struct matrix *m)
{
	if (m->phase == MATRIX_PHASE_OVER || m->phase == MATRIX_PHASE_LOGIN)
		return;
	http_cancel(m->poll);
	m->poll = NULL;
	if (!m->password || m->renewed) {
		over(m, m->renewed ? "the device's keys were lost twice; is a second bot running?"
				   : "the state is older than the server knows: set password_file, "
				     "a new device is made then");
		return;
	}
	log_event(LOG_WARNING, "matrix.new_device", "%s",
	    "the stored keys are older than the server's: a new device is made");
	matrix_health(m, HEALTH_NEW_DEVICE, "the old state's keys cannot be used");
	put_secret(&m->old_token, m->token);
	m->same_device = false;
	enter(m, MATRIX_PHASE_LOGIN);
}

/* ---- asking ---- */

static void
ask_login(struct matrix *m)
{
	json_t *body = json_pack("{s:s,s:{s:s,s:s},s:s,s:s,s:b}", "type", "m.login.password",
	    "identifier", "type", "m.id.user", "user", m->user, "password", m->password,
	    "initial_device_display_name", "bot", "refresh_token", 1);
	struct matrix_ask ask = {.label = "matrix login",
	    .method = "POST",
	    .path = "/_matrix/client/v3/login",
	    .no_token = true};
	char *text;

	if (m->same_device && m->device[0])
		json_object_set_new(body, "device_id", json_string(m->device));
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	ask.body = text ? text : "{}";
	ask.length = strlen(ask.body);
	matrix_poll_send(m, &ask);
	matrix_forget_secret(&text);
}

static void
ask_refresh(struct matrix *m)
{
	json_t *body = json_pack("{s:s}", "refresh_token", m->refresh);
	char *text = json_dumps(body, JSON_COMPACT);
	struct matrix_ask ask = {.label = "matrix refresh",
	    .method = "POST",
	    .path = "/_matrix/client/v3/refresh",
	    .no_token = true,
	    .body = text,
	    .length = strlen(text)};

	json_decref(body);
	matrix_poll_send(m, &ask);
	matrix_forget_secret(&text);
}

static void
ask_filter(struct matrix *m)
{
	json_t *state =
		   json_pack("[s,s,s,s,s,s]", "m.room.create", "m.room.member", "m.room.encryption",
		       "m.room.tombstone", "m.room.history_visibility", "m.room.power_levels"),
	       *timeline = json_pack("[s,s,s,s,s,s,s,s]", "m.room.message", "m.room.encrypted",
		   "m.room.redaction", "m.room.create", "m.room.member", "m.room.tombstone",
		   "m.room.encryption", "m.room.history_visibility"),
	       *body = json_pack("{s:{s:[]},s:{s:[s]},s:{s:{s:[]},s:{s:[]},s:{s:i,s:o},s:{s:o,s:b}"
				 "}}",
		   "presence", "types", "account_data", "types", "m.direct", "room", "ephemeral",
		   "types", "account_data", "types", "timeline", "limit", FILTER_EVENTS, "types",
		   timeline, "state", "types", state, "lazy_load_members", 1);
	char *text = json_dumps(body, JSON_COMPACT);
	struct matrix_ask ask = {.label = "matrix filter",
	    .method = "POST",
	    .path = matrix_path(m, "/_matrix/client/v3/user/%s/filter", m->user, NULL, NULL),
	    .body = text,
	    .length = strlen(text)};

	json_decref(body);
	matrix_poll_send(m, &ask);
	free(text);
}

void
matrix_session_ask(struct matrix *m)
{
	switch (m->phase) {
	case MATRIX_PHASE_LOGIN:
		ask_login(m);
		break;
	case MATRIX_PHASE_REFRESH:
		ask_refresh(m);
		break;
	case MATRIX_PHASE_WHOAMI:
		matrix_poll_send(m, &(struct matrix_ask){.label = "matrix whoami",
					.method = "GET",
					.path = "/_matrix/client/v3/account/whoami"});
		break;
	case MATRIX_PHASE_FILTER:
		ask_filter(m);
		break;
	case MATRIX_PHASE_SYNC:
	case MATRIX_PHASE_OVER:
		break;
	}
}

/* ---- answers ---- */

/* The encryption is opened for this device, or made anew when it is another one. */
static bool
open_crypto(struct matrix *m)
{
	int64_t now = loop_wall_ms(m->loop);

	if (!m->encryption)
		return true;
	if (m->crypto)
		return true;
	m->crypto = matrix_crypto_open(&(struct matrix_crypto_options){
	    .user = m->user,
	    .device = m->device,
	    .key = m->key,
	    .rows = m->loaded,
	    .count = m->loaded_count,
	    .now_ms = now,
	});
	if (!m->crypto)
		over(m, "the stored encryption keys are damaged: restore a backup");
	return m->crypto != NULL;
}

static void
device_is(struct matrix *m, const char *device)
{
	bool other = m->device[0] && strcmp(m->device, device) != 0;

	snprintf(m->device, sizeof(m->device), "%s", device);
	if (m->crypto && other)
		matrix_crypto_renew(m->crypto, m->device, loop_wall_ms(m->loop));
}

static void
came_login(struct matrix *m, const json_t *answer)
{
	const char *token = matrix_json_text(answer, "access_token"),
		   *device = matrix_json_text(answer, "device_id");

	if (!matrix_json_says(answer, "user_id", m->user)) {
		over(m, "the password belongs to another account than [matrix] user");
		return;
	}
	if (!token || !matrix_json_id(device)) {
		matrix_poll_failed(m, "a login without token or device");
		return;
	}
	m->renewed = m->renewed || m->old_token;
	take_tokens(m, answer);
	device_is(m, device);
	if (!store_session(m))
		return; /* the engine gave up */
	if (m->old_token)
		matrix_chore_add(m, MATRIX_CHORE_LOGOUT, "", m->old_token);
	matrix_forget_secret(&m->old_token);
	enter(m, MATRIX_PHASE_WHOAMI);
}

/* Durable before it is used: the old refresh token dies with the first use of the new one. */
static void
came_refresh(struct matrix *m, const json_t *answer)
{
	if (!matrix_json_text(answer, "access_token")) {
		matrix_poll_failed(m, "a refresh without token");
		return;
	}
	take_tokens(m, answer);
	if (!store_session(m))
		return;
	enter(m, m->filter ? MATRIX_PHASE_SYNC : MATRIX_PHASE_WHOAMI);
}

static void
came_whoami(struct matrix *m, const json_t *answer)
{
	const char *device = matrix_json_text(answer, "device_id");

	if (!matrix_json_text(answer, "user_id")) {
		matrix_poll_failed(m, "whoami says nothing");
		return;
	}
	if (!matrix_json_says(answer, "user_id", m->user)) {
		over(m, "the token belongs to another account than [matrix] user");
		return;
	}
	if (m->encryption && !matrix_json_id(device)) {
		over(m, "the token has no device: encryption needs one");
		return;
	}
	if (device)
		device_is(m, device);
	if (!open_crypto(m))
		return;
	enter(m, MATRIX_PHASE_FILTER);
}

static void
came_filter(struct matrix *m, const json_t *answer)
{
	if (!matrix_json_text(answer, "filter_id")) {
		matrix_poll_failed(m, "no filter");
		return;
	}
	free(m->filter);
	m->filter = memory_string(matrix_json_text(answer, "filter_id"));
	m->failures = 0;
	m->quick = true;
	m->phase = MATRIX_PHASE_SYNC;
	matrix_chore_open(m);
	matrix_poll_later(m, 0);
	matrix_work_poke(m);
}

/* The token is no good: what can make another one? */
static void
token_gone(struct matrix *m, const struct matrix_error *error)
{
	int64_t wait_ms = m->failures ? matrix_back_off_ms(m, m->failures) : 0;

	/* Softly: the device lives. Otherwise the server deleted it, with its keys. */
	if (m->phase == MATRIX_PHASE_REFRESH)
		matrix_forget_secret(&m->refresh);
	else
		m->same_device = error->soft_logout;
	m->failures++;
	if (m->phase == MATRIX_PHASE_REFRESH && token_lives(m) && m->filter) {
		enter(m, MATRIX_PHASE_SYNC);
	} else if (m->refresh) {
		m->phase = MATRIX_PHASE_REFRESH;
		matrix_poll_later(m, wait_ms);
	} else if (m->password) {
		m->phase = MATRIX_PHASE_LOGIN;
		matrix_poll_later(m, wait_ms);
	} else if (m->same_device) {
		matrix_poll_failed(m, "the token expired, and there is no password_file");
	} else {
		over(m, "token refused (401)");
	}
}

static void
came_no(struct matrix *m, const struct http_answer *http, const json_t *answer)
{
	struct matrix_error error;

	matrix_json_error(http, answer, &error);
	if (http->status == 429) {
		m->failures++;
		matrix_health(m, HEALTH_DOWN, "the server asks us to wait");
		matrix_poll_later(m, error.retry_after_ms > 0 ? error.retry_after_ms : LIMITED_MS);
	} else if (strcmp(error.code, "M_USER_LOCKED") == 0) {
		matrix_health(m, HEALTH_DOWN, "the account is locked by the server's admin");
		matrix_poll_later(m, LOCKED_AGAIN_MS);
	} else if (http->status == 401 && strcmp(error.code, "M_UNKNOWN_TOKEN") == 0) {
		token_gone(m, &error);
	} else if (m->phase == MATRIX_PHASE_LOGIN && http->status == 403 && *error.code) {
		over(m, "password refused (403)");
	} else if (m->phase == MATRIX_PHASE_REFRESH && http->status >= 400 && http->status < 500) {
		token_gone(m, &error);
	} else if (strcmp(error.code, "M_USER_DEACTIVATED") == 0) {
		over(m, "the account is deactivated");
	} else {
		matrix_poll_failed(
		    m, http->status >= 500 ? "the server has a fault" : "an answer that is none");
	}
}

void
matrix_session_answered(struct matrix *m, const struct http_answer *http)
{
	json_t *answer = matrix_answer(http);

	if (http->status != 200) {
		came_no(m, http, answer);
	} else if (!json_is_object(answer)) {
		matrix_poll_failed(m, "an answer that is none");
	} else if (m->phase == MATRIX_PHASE_LOGIN) {
		came_login(m, answer);
	} else if (m->phase == MATRIX_PHASE_REFRESH) {
		came_refresh(m, answer);
	} else if (m->phase == MATRIX_PHASE_WHOAMI) {
		came_whoami(m, answer);
	} else if (m->phase == MATRIX_PHASE_FILTER) {
		came_filter(m, answer);
	} else {
		/* A sync that was refused. */
		matrix_poll_failed(m, "an answer that is none");
	}
	json_decref(answer);
}
