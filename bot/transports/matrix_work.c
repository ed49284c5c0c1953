/* Rows, keys and what waits for them: poked whenever something changed. */
#include "transports/matrix_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { ROUNDS = 20, KEEP_AGAIN_MS = 1000, HELD_AGAIN_MS = 1000 };

/* A request of the encryption that is out. */
struct matrix_asked {
	struct matrix *m;
	struct matrix_asked *next;
	int64_t cookie;
	struct http_call *call;
	char *method, *path, *body, *label;
	bool password_helps;
};

/* ---- rows ---- */

static void
gathered_add(struct matrix *m, size_t at, struct state_row row)
{
	if (at == m->gathered_room) {
		m->gathered_room = m->gathered_room ? m->gathered_room * 2 : 64;
		m->gathered = memory_resize(m->gathered, m->gathered_room * sizeof(*m->gathered));
	}
	m->gathered[at] = row;
}

size_t
matrix_work_rows(struct matrix *m, const struct state_row **rows)
{
	const struct state_row *some;
	size_t n = 0, count = matrix_state_rows(m->own, &some);

	for (size_t i = 0; i < count; i++) {
		struct state_row row = some[i];

		row.key = arena_print(m->arena, "o%s", row.key);
		gathered_add(m, n++, row);
	}
	count = m->crypto ? matrix_crypto_rows(m->crypto, &some) : 0;
	for (size_t i = 0; i < count; i++)
		gathered_add(m, n++, some[i]);
	*rows = m->gathered;
	return n;
}

void
matrix_work_kept(struct matrix *m)
{
	matrix_state_kept(m->own);
	if (m->crypto)
		matrix_crypto_kept(m->crypto);
}

static bool
dirty(const struct matrix *m)
{
	return matrix_state_dirty(m->own) || (m->crypto && matrix_crypto_dirty(m->crypto));
}

bool
matrix_work_keep(struct matrix *m)
{
	const struct state_row *rows;
	size_t count = matrix_work_rows(m, &rows);

	if (count && !m->up.keep(m->up.engine, &m->base, rows, count))
		return false;
	matrix_work_kept(m);
	return true;
}

/* ---- requests of the encryption ---- */

static void asked_came(void *ctx, const struct http_answer *http);

static void
asked_send(struct matrix_asked *a, const char *body)
{
	a->call = matrix_ask(a->m, &(struct matrix_ask){
				       .lane = a->m->side_lane,
				       .label = a->label,
				       .method = a->method,
				       .path = a->path,
				       .body = body,
				       .length = body ? strlen(body) : 0,
				       .body_max = 16 * 1024 * 1024,
				       .fn = asked_came,
				       .ctx = a,
				   });
}

static void
asked_new(struct matrix *m, const struct matrix_request *r)
{
	struct matrix_asked *a = memory_new(sizeof(*a));

	a->m = m;
	a->next = m->asked;
	m->asked = a;
	a->cookie = r->cookie;
	a->method = memory_string(r->method);
	a->path = memory_string(r->path);
	a->body = r->body ? memory_string(r->body) : NULL;
	a->label = memory_string(r->label);
	a->password_helps = r->password_helps && m->password;
	asked_send(a, a->body);
}

static void
asked_free(struct matrix_asked *a)
{
	struct matrix_asked **at = &a->m->asked;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	free(a->method);
	free(a->path);
	free(a->body);
	free(a->label);
	free(a);
}

/* The server wants to see the password once before it takes another identity. */
static bool
with_password(struct matrix_asked *a, const json_t *answer)
{
	const char *session = matrix_json_text(answer, "session");
	json_t *body;
	char *text;

	if (!a->password_helps || !session || !a->body)
		return false;
	a->password_helps = false;
	body = json_loads(a->body, 0, NULL);
	json_object_set_new(body, "auth",
	    json_pack("{s:s,s:{s:s,s:s},s:s,s:s}", "type", "m.login.password", "identifier", "type",
		"m.id.user", "user", a->m->user, "password", a->m->password, "session", session));
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!text)
		return false;
	asked_send(a, text);
	matrix_forget_secret(&text);
	return true;
}

static void
asked_came(void *ctx, const struct http_answer *http)
{
	struct matrix_asked *a = ctx;
	struct matrix *m = a->m;
	json_t *answer = matrix_answer(http);
	int status = http->outcome == HTTP_REPLIED ? http->status : 0;
	struct matrix_error error;
	int64_t cookie = a->cookie;

	a->call = NULL;
	matrix_json_error(http, answer, &error);
	if (status == 401 && with_password(a, answer)) {
		json_decref(answer);
		return;
	}
	if (status == 401 && (strcmp(error.code, "M_UNKNOWN_TOKEN") == 0 ||
				 strcmp(error.code, "M_USER_LOCKED") == 0)) {
		status = 0;
		matrix_session_doubt(m);
	}
	/* A 200 that is no JSON is no answer. */
	if (status == 200 && !json_is_object(answer))
		status = 0;
	asked_free(a);
	if (m->crypto)
		matrix_crypto_answered(
		    m->crypto, cookie, status, answer, error.retry_after_ms, loop_wall_ms(m->loop));
	/* What status says of our keys is true now, not at the end of the poll. */
	if (m->health == HEALTH_GOOD && m->phase == MATRIX_PHASE_SYNC)
		matrix_health_good(m);
	json_decref(answer);
	arena_forget(m->arena);
	matrix_work_poke(m);
}

static bool
ask_all(struct matrix *m)
{
	const struct matrix_request *r;
	bool any = false;

	if (!m->crypto || m->phase != MATRIX_PHASE_SYNC)
		return false;
	while ((r = matrix_crypto_next(m->crypto, loop_wall_ms(m->loop)))) {
		asked_new(m, r);
		any = true;
	}
	return any;
}

/* ---- all together ---- */

static void
wake_when_due(struct matrix *m)
{
	int64_t due = m->crypto ? matrix_crypto_due_ms(m->crypto) : INT64_MAX;
	int64_t now = loop_wall_ms(m->loop);

	/* What is held is looked at again, though nothing else comes. */
	if (matrix_send_holds(m) && due > now + HELD_AGAIN_MS)
		due = now + HELD_AGAIN_MS;
	if (due == INT64_MAX)
		timer_stop(m->due_timer);
	else
		timer_start(m->due_timer, due - now < 50 ? 50 : due - now);
}

void
matrix_work(void *ctx)
{
	struct matrix *m = ctx;
	bool more = true;

	if (m->crypto && m->phase == MATRIX_PHASE_SYNC) {
		if (matrix_crypto_standing(m->crypto) == MATRIX_STANDING_ROLLED_BACK) {
			matrix_session_lost_device(m);
			return;
		}
		matrix_sync_late(m);
		matrix_renew_step(m);
	}
	for (int i = 0; more && i < ROUNDS; i++) {
		more = matrix_send_held(m);
		if (dirty(m)) {
			if (!matrix_work_keep(m)) {
				timer_start(m->work_timer, KEEP_AGAIN_MS);
				return;
			}
			more = true;
		}
		more = ask_all(m) || more;
	}
	arena_forget(m->arena);
	wake_when_due(m);
}

void
matrix_work_poke(struct matrix *m)
{
	timer_start(m->work_timer, 0);
}

void
matrix_work_close(struct matrix *m)
{
	while (m->asked) {
		http_cancel(m->asked->call);
		asked_free(m->asked);
	}
	free(m->gathered);
}
