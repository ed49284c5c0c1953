#include "transports/matrix_share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transports/matrix_devices.h"
#include "transports/matrix_megolm.h"
#include "transports/matrix_peer.h"
#include "transports/matrix_strangers.h"

/*
 * "mine/<room>": {"p": pickle, "i": id, "t": ms of its birth, "n": messages, "d": {curve: how}}
 * "ours/<room>": [ids of our sessions, the newest last], so that their echoes are known
 */
enum { PLANNED, GIVEN, NO_OLM, UNSIGNED };

enum { OURS_MAX = 64, MESSAGES = 100, MESSAGES_MAX = 10000, BATCH = 50 };
static const int64_t week_ms = (int64_t)7 * 24 * 3600 * 1000, hour_ms = 3600 * 1000,
		     failed_ms = 300 * 1000;

/* Who may read and who may not: {curve: {"u": user, "d": device, "e": ed}} each. */
struct sharing {
	struct matrix_crypto *c;
	const char *room;
	json_t *session;
	json_t *owned, *unsigned_;
	json_t *messages, *refusals;
	char *key;    /* what the session shares */
	bool history; /* later comers may be given it */
	bool waiting;
};

static json_t *
mine_get(const struct matrix_crypto *c, const char *room)
{
	return matrix_state_get_of(c->state, "mine", room);
}

void
matrix_share_discard(struct matrix_crypto *c, const char *room)
{
	matrix_state_drop_of(c->state, "mine", room);
}

bool
matrix_share_knows(struct matrix_crypto *c, const char *room, const char *session, const char *body)
{
	json_t *ours = matrix_state_get_of(c->state, "ours", room), *mine, *id;
	bool known = false;
	uint32_t index = 0;
	size_t i;

	json_array_foreach(ours, i, id)
		known = known || strcmp(json_string_value(id), session) == 0;
	json_decref(ours);
	mine = mine_get(c, room);
	if (known && matrix_inner_says(mine, "i", session) && matrix_megolm_index(body, &index))
		known = (json_int_t)index < json_integer_value(json_object_get(mine, "n"));
	json_decref(mine);
	return known;
}

/* ---- who ---- */

static bool
take_device(void *ctx, const struct matrix_device *device)
{
	struct sharing *s = ctx;

	json_object_set_new(device->owned ? s->owned : s->unsigned_, device->curve,
	    json_pack("{s:s,s:s,s:s}", "u", device->user, "d", device->id, "e", device->ed));
	return true;
}

/* Whether the list of this person's devices can be relied on; else it is asked for. A server that
 * does not answer stops nobody: what was last known then counts for some minutes. */
static bool
list_good(struct matrix_crypto *c, const char *user)
{
	const json_t *failed;

	matrix_devices_track(c->state, user);
	if (matrix_devices_fresh(c->state, user))
		return true;
	failed = json_object_get(c->failed, user);
	if (failed && c->now_ms - json_integer_value(failed) < failed_ms)
		return true;
	json_object_set_new(c->wanted, user, json_true());
	return false;
}

static bool
collect(struct sharing *s, json_t *room_row)
{
	bool joined_only = matrix_inner_says(room_row, "v", "joined"), good = true;
	json_t *how;
	const char *user;

	json_object_foreach(json_object_get(room_row, "m"), user, how) {
		if (strcmp(user, s->c->user) == 0 || (joined_only && json_integer_value(how) != 1))
			continue;
		if (list_good(s->c, user))
			matrix_devices_each(s->c->state, user, take_device, s);
		else
			good = false;
	}
	return good;
}

/* ---- the session ---- */

static int64_t
limit(json_t *room_row, const char *key, int64_t normal, int64_t least, int64_t most)
{
	const json_t *own = json_object_get(room_row, key);
	int64_t n = own ? json_integer_value(own) : normal;

	return n < least ? least : n > most ? most : n;
}

/* Everybody who was planned for is still there, and nobody is new. */
static bool
same_people(json_t *session, json_t *owned)
{
	json_t *devices = json_object_get(session, "d"), *how;
	const char *curve;
	size_t count = 0;

	json_object_foreach(devices, curve, how) {
		if (json_integer_value(how) == UNSIGNED)
			continue;
		if (!json_object_get(owned, curve))
			return false;
		count++;
	}
	return count == json_object_size(owned);
}

static bool
still_good(struct sharing *s, json_t *room_row)
{
	int64_t messages = json_integer_value(json_object_get(s->session, "n"));
	int64_t age = s->c->now_ms - json_integer_value(json_object_get(s->session, "t"));

	return matrix_inner_text(s->session, "p") && same_people(s->session, s->owned) &&
	       messages < limit(room_row, "n", MESSAGES, 1, MESSAGES_MAX) &&
	       age < limit(room_row, "ms", week_ms, hour_ms, 4 * week_ms) && age >= 0;
}

static void
remember(struct matrix_crypto *c, const char *room, const char *id)
{
	json_t *ours = matrix_state_get_of(c->state, "ours", room);

	if (!ours)
		ours = json_array();
	if (json_array_size(ours) >= OURS_MAX)
		json_array_remove(ours, 0);
	json_array_append_new(ours, json_string(id));
	matrix_state_put_of(c->state, "ours", room, ours);
}

static void
session_new(struct sharing *s)
{
	char id[MATRIX_SESSION_TEXT], *pickle = matrix_megolm_new(s->c->key, id);
	json_t *devices = json_object(), *device;
	const char *curve;

	json_object_foreach(s->owned, curve, device)
		json_object_set_new(devices, curve, json_integer(PLANNED));
	json_decref(s->session);
	s->session = json_pack("{s:s,s:s,s:I,s:i,s:o}", "p", pickle, "i", id, "t",
	    (json_int_t)s->c->now_ms, "n", 0, "d", devices);
	if (!s->session)
		memory_exhausted();
	free(pickle);
	remember(s->c, s->room, id);
}

/* ---- giving ---- */

static json_t *
room_key(const struct sharing *s)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:b}", "algorithm", MATRIX_MEGOLM_ALGORITHM, "room_id",
	    s->room, "session_id", matrix_inner_text(s->session, "i"), "session_key", s->key,
	    "shared_history", s->history);
}

static void
refuse(struct sharing *s, const struct matrix_device *device, const char *code, const char *reason)
{
	json_t *content = json_pack("{s:s,s:s,s:s,s:s}", "algorithm", MATRIX_MEGOLM_ALGORITHM,
	    "sender_key", matrix_olm_curve(s->c->olm), "code", code, "reason", reason);

	/* Without Olm no room is meant: one such word is enough [m.room_key.withheld]. */
	if (strcmp(code, "m.no_olm") != 0) {
		json_object_set_new(content, "room_id", json_string(s->room));
		json_object_set(content, "session_id", json_object_get(s->session, "i"));
	}
	matrix_peer_put(s->refusals, device->user, device->id, content);
}

static struct matrix_device
device_of(const char *curve, json_t *device)
{
	return (struct matrix_device){
	    .user = matrix_inner_text(device, "u"),
	    .id = matrix_inner_text(device, "d"),
	    .curve = curve,
	    .ed = matrix_inner_text(device, "e"),
	    .owned = true,
	};
}

static void
flush(struct sharing *s)
{
	matrix_peer_send(s->c, "m.room.encrypted", s->room, s->messages);
	s->messages = json_object();
}

static void
give(struct sharing *s, const struct matrix_device *device, size_t *batch)
{
	json_t *devices = json_object_get(s->session, "d");
	int how = (int)json_integer_value(json_object_get(devices, device->curve));

	if (how == GIVEN)
		return;
	if (matrix_peer_ready(s->c, device->curve)) {
		matrix_strangers_settled(s->c, device->user);
		matrix_peer_put(s->messages, device->user, device->id,
		    matrix_peer_seal(s->c, device, "m.room_key", room_key(s)));
		json_object_set_new(devices, device->curve, json_integer(GIVEN));
		if (++*batch % BATCH == 0)
			flush(s);
	} else if (matrix_peer_want(s->c, device)) {
		s->waiting = true;
	} else if (how != NO_OLM) {
		json_object_set_new(devices, device->curve, json_integer(NO_OLM));
		refuse(s, device, "m.no_olm", "no one-time key of your device was left");
	}
}

static void
share(struct sharing *s)
{
	json_t *devices = json_object_get(s->session, "d"), *device;
	const char *curve;
	size_t batch = 0;

	json_object_foreach(s->owned, curve, device) {
		struct matrix_device one = device_of(curve, device);

		give(s, &one, &batch);
	}
	json_object_foreach(s->unsigned_, curve, device) {
		struct matrix_device one = device_of(curve, device);

		if (json_object_get(devices, curve))
			continue;
		json_object_set_new(devices, curve, json_integer(UNSIGNED));
		refuse(s, &one, "m.unverified", "your device is not verified");
	}
	s->c->counts.unsigned_devices = (int64_t)json_object_size(s->unsigned_);
	flush(s);
	matrix_peer_send(s->c, "m.room_key.withheld", NULL, s->refusals);
	s->refusals = NULL;
}

static bool
given_to_anybody(json_t *session)
{
	json_t *how;
	const char *curve;

	json_object_foreach(json_object_get(session, "d"), curve, how)
		if (json_integer_value(how) == GIVEN)
			return true;
	return false;
}

static enum matrix_sealing
bring_out(struct sharing *s, json_t *room_row)
{
	uint32_t index;

	if (!still_good(s, room_row))
		session_new(s);
	s->key = matrix_megolm_share(matrix_inner_text(s->session, "p"), s->c->key, &index);
	if (!s->key)
		return MATRIX_SEAL_REFUSED;
	share(s);
	matrix_state_put_of(s->c->state, "mine", s->room, json_incref(s->session));
	explicit_bzero(s->key, strlen(s->key));
	free(s->key);
	if (s->waiting || matrix_queue_has(s->c->queue, MATRIX_KIND_TO_DEVICE, s->room))
		return MATRIX_SEAL_WAIT;
	return given_to_anybody(s->session) ? MATRIX_SEAL_READY : MATRIX_SEAL_NOBODY;
}

enum matrix_sealing
matrix_share_ready(struct matrix_crypto *c, const char *room, json_t *room_row)
{
	const char *who = matrix_inner_text(room_row, "v");
	struct sharing s = {
	    .c = c,
	    .room = room,
	    .session = mine_get(c, room),
	    .owned = json_object(),
	    .unsigned_ = json_object(),
	    .messages = json_object(),
	    .refusals = json_object(),
	    .history = who && (strcmp(who, "shared") == 0 || strcmp(who, "world_readable") == 0),
	};
	enum matrix_sealing so = MATRIX_SEAL_WAIT;

	if (collect(&s, room_row))
		so = bring_out(&s, room_row);
	json_decref(s.session);
	json_decref(s.owned);
	json_decref(s.unsigned_);
	json_decref(s.messages);
	json_decref(s.refusals);
	return so;
}

json_t *
matrix_share_encrypt(struct matrix_crypto *c, const char *room, const char *text)
{
	json_t *session = mine_get(c, room), *sealed = NULL;
	const char *before = matrix_inner_text(session, "p");
	char *pickle, *body;

	if (!before) {
		json_decref(session);
		return NULL;
	}
	pickle = memory_string(before);
	body = matrix_megolm_encrypt(&pickle, c->key, text);
	if (body) {
		json_object_set_new(session, "p", json_string(pickle));
		json_object_set_new(session, "n",
		    json_integer(json_integer_value(json_object_get(session, "n")) + 1));
		sealed = json_pack("{s:s,s:s,s:s,s:s,s:s}", "algorithm", MATRIX_MEGOLM_ALGORITHM,
		    "sender_key", matrix_olm_curve(c->olm), "ciphertext", body, "session_id",
		    matrix_inner_text(session, "i"), "device_id", c->device);
		matrix_state_put_of(c->state, "mine", room, json_incref(session));
	}
	json_decref(session);
	free(pickle);
	free(body);
	return sealed;
}
