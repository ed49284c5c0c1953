#include "transports/matrix_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transports/matrix_account.h"
#include "transports/matrix_canonical.h"
#include "transports/matrix_share.h"

/*
 * "room/<id>": {"e": 1 encrypted, 0 known not to be, 2 in a way we do not know; "ms", "n": the
 * room's own rotation; "v": who sees history; "m": {user: 1 joined, 2 invited} when it is known}
 * "out/<txn>": {"r": room, "b": the sealed content, "t": ms}
 */

enum { TEXT_MAX = 45000, MEMBERS_MAX = 20000, SHUT_MS = 60 * 1000 };

static const char history[] = "m.room.history_visibility";

static json_t *
row_get(const struct matrix_crypto *c, const char *room)
{
	return matrix_state_get_of(c->state, "room", room);
}

static void
row_put(struct matrix_crypto *c, const char *room, json_t *row)
{
	matrix_state_put_of(c->state, "room", room, row);
}

static int
encryption(const json_t *row)
{
	const json_t *e = json_object_get(row, "e");

	return e ? (int)json_integer_value(e) : -1;
}

bool
matrix_room_encrypted(const struct matrix_crypto *c, const char *room)
{
	json_t *row = row_get(c, room);
	int e = encryption(row);

	json_decref(row);
	return e > 0;
}

/* ---- what is seen of a room ---- */

/* Once encrypted it stays so, whatever a later event says; only the rotation may change. */
static void
encryption_came(struct matrix_crypto *c, const char *room, json_t *content)
{
	json_t *row = row_get(c, room), *value;
	bool ours = matrix_inner_says(content, "algorithm", MATRIX_MEGOLM_ALGORITHM);

	if (!row)
		row = json_object();
	if (encryption(row) != 1)
		json_object_set_new(row, "e", json_integer(ours ? 1 : 2));
	value = json_object_get(content, "rotation_period_ms");
	if (ours && json_is_integer(value))
		json_object_set(row, "ms", value);
	value = json_object_get(content, "rotation_period_msgs");
	if (ours && json_is_integer(value))
		json_object_set(row, "n", value);
	row_put(c, room, row);
	c->look_again = true;
}

static void
member_came(struct matrix_crypto *c, const char *room, json_t *event)
{
	json_t *row = row_get(c, room), *members = json_object_get(row, "m");
	const char *user = matrix_inner_text(event, "state_key");
	json_t *content = json_object_get(event, "content");

	json_object_set_new(c->moved, room, json_true());
	if (!members || !matrix_inner_id(user)) {
		json_decref(row);
		return;
	}
	if (matrix_inner_says(content, "membership", "join"))
		json_object_set_new(members, user, json_integer(1));
	else if (matrix_inner_says(content, "membership", "invite"))
		json_object_set_new(members, user, json_integer(2));
	else
		json_object_del(members, user);
	row_put(c, room, row);
}

/* Whoever went read along until now; should they come back, it is under another key. */
static void
member_went(struct matrix_crypto *c, const char *room, json_t *content)
{
	if (!matrix_inner_says(content, "membership", "join") &&
	    !matrix_inner_says(content, "membership", "invite"))
		matrix_share_discard(c, room);
}

static void
history_came(struct matrix_crypto *c, const char *room, json_t *content)
{
	json_t *row = row_get(c, room);
	json_t *who = json_object_get(content, "history_visibility");
	const json_t *before = json_object_get(row, "v");

	if (!row || !json_is_string(who)) {
		json_decref(row);
		return;
	}
	/* What was shared under another rule is not continued. */
	if (before && !json_equal(before, who))
		matrix_share_discard(c, room);
	json_object_set(row, "v", who);
	row_put(c, room, row);
}

/* An event of this very device that we cannot have made: we are an old copy of ourselves. */
static void
echo_came(struct matrix_crypto *c, const char *room, json_t *event)
{
	json_t *content = json_object_get(event, "content");
	const char *session = matrix_inner_text(content, "session_id");
	const char *body = matrix_inner_text(content, "ciphertext");

	if (!matrix_inner_says(event, "sender", c->user) ||
	    !matrix_inner_says(content, "device_id", c->device) ||
	    !matrix_inner_says(content, "sender_key", matrix_olm_curve(c->olm)) || !session ||
	    !body || matrix_share_knows(c, room, session, body))
		return;
	matrix_account_rolled_back(c, "events of this device are there that are not in the state");
}

void
matrix_room_event(struct matrix_crypto *c, const char *room, json_t *event, bool echoes)
{
	json_t *content = json_object_get(event, "content");
	const char *type = matrix_inner_text(event, "type");

	if (!matrix_inner_id(room) || !type || !json_is_object(content))
		return;
	if (strcmp(type, "m.room.encrypted") == 0 && echoes)
		echo_came(c, room, event);
	if (!json_is_string(json_object_get(event, "state_key")))
		return;
	if (strcmp(type, "m.room.member") == 0) {
		member_came(c, room, event);
		member_went(c, room, content);
	} else if (strcmp(type, "m.room.encryption") == 0 &&
		   matrix_inner_says(event, "state_key", ""))
		encryption_came(c, room, content);
	else if (strcmp(type, history) == 0 && matrix_inner_says(event, "state_key", ""))
		history_came(c, room, content);
}

void
matrix_room_gap(struct matrix_crypto *c, const char *room)
{
	json_t *row = row_get(c, room);

	json_object_set_new(c->moved, room, json_true());
	/* Somebody may have gone and come back. */
	matrix_share_discard(c, room);
	if (json_object_get(row, "m")) {
		json_object_del(row, "m");
		row_put(c, room, row);
	} else {
		json_decref(row);
	}
}

static void
gap_row(void *ctx, const char *name)
{
	matrix_room_gap(ctx, name + strlen("room/"));
}

void
matrix_room_gap_all(struct matrix_crypto *c)
{
	matrix_state_each(c->state, "room/", gap_row, c);
}

void
matrix_room_left(struct matrix_crypto *c, const char *room)
{
	matrix_room_gap(c, room);
}

/* ---- what is asked of a room ---- */

static bool
shut(struct matrix_crypto *c, const char *room)
{
	const json_t *at = json_object_get(c->shut, room);

	return at && c->now_ms - json_integer_value(at) < SHUT_MS;
}

static void
ask(struct matrix_crypto *c, enum matrix_kind kind, const char *room, const char *what)
{
	char *escaped, path[4 * MATRIX_ID];

	if (matrix_queue_has(c->queue, kind, room))
		return;
	escaped = matrix_queue_escape(room);
	snprintf(path, sizeof(path), "/_matrix/client/v3/rooms/%s/%s", escaped, what);
	free(escaped);
	json_object_del(c->moved, room);
	matrix_queue_add(c->queue, kind, "GET", path, NULL, room, NULL);
}

bool
matrix_room_answered(struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer)
{
	json_t *row;

	if (status == 200) {
		encryption_came(c, job->subject, answer);
		return false;
	}
	if (status != 404) {
		json_object_set_new(c->shut, job->subject, json_integer(c->now_ms));
		return false;
	}
	row = row_get(c, job->subject);
	if (!row)
		row = json_object();
	if (encryption(row) < 0)
		json_object_set_new(row, "e", json_integer(0));
	row_put(c, job->subject, row);
	return false;
}

static json_t *
members_of(json_t *answer)
{
	json_t *members = json_object(), *event;
	size_t i;

	json_array_foreach(json_object_get(answer, "chunk"), i, event) {
		const char *user = matrix_inner_text(event, "state_key");
		json_t *content = json_object_get(event, "content");

		if (!matrix_inner_id(user) || json_object_size(members) >= MEMBERS_MAX)
			continue;
		if (matrix_inner_says(content, "membership", "join"))
			json_object_set_new(members, user, json_integer(1));
		else if (matrix_inner_says(content, "membership", "invite"))
			json_object_set_new(members, user, json_integer(2));
	}
	return members;
}

bool
matrix_room_members(struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer)
{
	json_t *row;

	if (status != 200 || !json_is_array(json_object_get(answer, "chunk"))) {
		json_object_set_new(c->shut, job->subject, json_integer(c->now_ms));
		return false;
	}
	/* Somebody came or went meanwhile: what was answered may be older than that. */
	if (json_object_get(c->moved, job->subject))
		return false;
	row = row_get(c, job->subject);
	if (!row)
		row = json_object();
	json_object_set_new(row, "m", members_of(answer));
	row_put(c, job->subject, row);
	return false;
}

/* ---- what goes out ---- */

/* READY when the room's state lets us go on, with its row. */
static enum matrix_sealing
look(struct matrix_crypto *c, const char *room, json_t **row)
{
	enum matrix_sealing so = MATRIX_SEAL_WAIT;
	int e;

	*row = row_get(c, room);
	e = encryption(*row);
	if (e == 0)
		so = MATRIX_SEAL_CLEAR;
	else if (e == 2 || c->rolled_back || shut(c, room))
		so = MATRIX_SEAL_REFUSED;
	else if (e < 0)
		ask(c, MATRIX_KIND_ROOM, room, "state/m.room.encryption");
	else if (!json_object_get(*row, "m"))
		ask(c, MATRIX_KIND_MEMBERS, room, "members?not_membership=leave");
	else if (c->checked && c->synced && (matrix_account_signed(c) || c->identity_refused))
		so = MATRIX_SEAL_READY;
	return so;
}

/* What was sealed under this name before: the same bytes again. */
static bool
sealed_before(struct matrix_crypto *c, const char *txn)
{
	json_t *row = matrix_state_get_of(c->state, "out", txn);
	const char *bytes = matrix_inner_text(row, "b");

	free(c->sealed);
	c->sealed = bytes ? memory_string(bytes) : NULL;
	json_decref(row);
	return bytes != NULL;
}

/* The text that is encrypted; m.relates_to stays outside. NULL: it cannot be sent. free() it. */
static char *
plaintext(const char *room, const char *type, json_t *content)
{
	json_t *inner = json_copy(content), *plain;
	char *text;

	json_object_del(inner, "m.relates_to");
	plain = json_pack("{s:s,s:o,s:s}", "type", type, "content", inner, "room_id", room);
	/* Servers refuse what has no canonical form. */
	text = plain ? matrix_canonical(plain) : NULL;
	json_decref(plain);
	if (text && strlen(text) > TEXT_MAX) {
		free(text);
		text = NULL;
	}
	return text;
}

static enum matrix_sealing
seal(struct matrix_crypto *c, const char *room, const char *txn, const char *text, json_t *relates)
{
	json_t *sealed = matrix_share_encrypt(c, room, text);
	char *bytes;

	if (!sealed)
		return MATRIX_SEAL_REFUSED;
	if (relates)
		json_object_set(sealed, "m.relates_to", relates);
	bytes = json_dumps(sealed, JSON_COMPACT);
	json_decref(sealed);
	if (!bytes)
		return MATRIX_SEAL_REFUSED;
	matrix_state_put_of(c->state, "out", txn,
	    json_pack("{s:s,s:s,s:I}", "r", room, "b", bytes, "t", (json_int_t)c->now_ms));
	free(bytes);
	/* It leaves when the ratchet's step is durable. */
	return MATRIX_SEAL_WAIT;
}

enum matrix_sealing
matrix_room_seal(
    struct matrix_crypto *c, const char *room, const char *txn, const char *type, json_t *content)
{
	enum matrix_sealing so;
	json_t *row;
	char *text;

	if (!matrix_inner_id(room) || !matrix_inner_id(txn) || !type || !json_is_object(content))
		return MATRIX_SEAL_REFUSED;
	if (!c->rolled_back && sealed_before(c, txn))
		return matrix_state_dirty(c->state) ? MATRIX_SEAL_WAIT : MATRIX_SEAL_READY;
	so = look(c, room, &row);
	if (so == MATRIX_SEAL_READY) {
		text = plaintext(room, type, content);
		so = text ? matrix_share_ready(c, room, row) : MATRIX_SEAL_REFUSED;
		if (so == MATRIX_SEAL_READY)
			so = seal(c, room, txn, text, json_object_get(content, "m.relates_to"));
		if (text)
			explicit_bzero(text, strlen(text));
		free(text);
	}
	json_decref(row);
	return so;
}

void
matrix_room_sent(struct matrix_crypto *c, const char *txn)
{
	matrix_state_drop_of(c->state, "out", txn);
}

static void
drop_row(void *ctx, const char *name)
{
	struct matrix_crypto *c = ctx;

	matrix_state_drop(c->state, name);
}

void
matrix_room_renew(struct matrix_crypto *c)
{
	matrix_state_each(c->state, "out/", drop_row, c);
	matrix_state_each(c->state, "mine/", drop_row, c);
}
