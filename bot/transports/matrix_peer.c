#include "transports/matrix_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transports/matrix_account.h"
#include "transports/matrix_point.h"
#include "transports/matrix_sign.h"
#include "transports/matrix_strangers.h"

/* "olm/<curve>": {"s": [{"p": pickle, "t": ms of its last message in or of its birth}],
 * "w": ms of the last mending} */

enum { SESSIONS_MAX = 6, SEEN_MAX = 512, CLAIMS_MAX = 100, BROKEN_MAX = 200, GREETED_MAX = 50 };
static const int64_t mend_ms = 3600 * 1000, unclaimed_ms = 600 * 1000;

static json_t *
row_get(const struct matrix_crypto *c, const char *curve)
{
	return matrix_state_get_of(c->state, "olm", curve);
}

static void
row_put(struct matrix_crypto *c, const char *curve, json_t *row)
{
	matrix_state_put_of(c->state, "olm", curve, row);
}

static int64_t
number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* The one to send with: that which last brought something, or else was made last. */
static json_t *
newest(json_t *row)
{
	json_t *best = NULL, *session;
	size_t i;

	json_array_foreach(json_object_get(row, "s"), i, session)
		if (!best || number(session, "t") >= number(best, "t"))
			best = session;
	return best;
}

bool
matrix_peer_ready(const struct matrix_crypto *c, const char *curve)
{
	json_t *row = row_get(c, curve);
	bool ready = newest(row) != NULL;

	json_decref(row);
	return ready;
}

/* Steals the pickle; the session that was quiet longest goes. */
static void
session_add(struct matrix_crypto *c, const char *user, const char *curve, char *pickle)
{
	json_t *row = row_get(c, curve), *sessions, *session;
	size_t i, oldest = 0;

	if (!row)
		row = json_object();
	sessions = json_object_get(row, "s");
	if (!sessions) {
		sessions = json_array();
		json_object_set_new(row, "s", sessions);
	}
	json_array_foreach(sessions, i, session)
		if (number(session, "t") < number(json_array_get(sessions, oldest), "t"))
			oldest = i;
	if (json_array_size(sessions) >= SESSIONS_MAX)
		json_array_remove(sessions, oldest);
	json_array_append_new(sessions, json_pack("{s:s,s:I}", "p", pickle, "t", c->now_ms));
	row_put(c, curve, row);
	free(pickle);
	json_object_del(c->unclaimed, curve);
	matrix_strangers_device(c, user, curve);
}

/* ---- one-time keys ---- */

bool
matrix_peer_want(struct matrix_crypto *c, const struct matrix_device *device)
{
	const json_t *failed = json_object_get(c->unclaimed, device->curve);
	json_t *devices;

	if (failed && c->now_ms - json_integer_value(failed) < unclaimed_ms)
		return false;
	devices = json_object_get(c->claims, device->user);
	if (!devices) {
		devices = json_object();
		json_object_set_new(c->claims, device->user, devices);
	}
	json_object_set_new(
	    devices, device->id, json_pack("{s:s,s:s}", "c", device->curve, "e", device->ed));
	return true;
}

void
matrix_peer_step(struct matrix_crypto *c)
{
	json_t *asked = json_object(), *note = json_object(), *devices, *device;
	const char *user, *id;
	int count = 0;

	if (!matrix_queue_has(c->queue, MATRIX_KIND_CLAIM, NULL))
		json_object_foreach(c->claims, user, devices) {
			json_t *ids = json_object();

			if (count > CLAIMS_MAX)
				break;
			json_object_foreach(devices, id, device) {
				json_object_set_new(ids, id, json_string("signed_curve25519"));
				count++;
			}
			json_object_set_new(asked, user, ids);
			json_object_set(note, user, devices);
		}
	json_object_foreach(note, user, devices)
		json_object_del(c->claims, user);
	if (!count) {
		json_decref(asked);
		json_decref(note);
		return;
	}
	matrix_queue_add(c->queue, MATRIX_KIND_CLAIM, "POST", "/_matrix/client/v3/keys/claim",
	    json_pack("{s:o,s:i}", "one_time_keys", asked, "timeout", 10000), NULL, note);
}

/* The key of {"signed_curve25519:ID": {"key", "signatures"}} if its device signed it. */
static const char *
claimed_key(json_t *keys, const char *user, const char *id, const char *ed)
{
	const char *name, *text;
	json_t *key;

	json_object_foreach(keys, name, key) {
		if (strncmp(name, "signed_curve25519:", 18) != 0 ||
		    !matrix_sign_verify(key, user, id, ed))
			continue;
		text = matrix_inner_text(key, "key");
		if (matrix_point_text_good(text))
			return text;
	}
	return NULL;
}

static void
dummy_send(struct matrix_crypto *c, const struct matrix_device *device)
{
	json_t *messages = json_object();

	matrix_peer_put(messages, device->user, device->id,
	    matrix_peer_seal(c, device, "m.dummy", json_object()));
	matrix_peer_send(c, "m.room.encrypted", NULL, messages);
}

static void
claim_take(struct matrix_crypto *c, const struct matrix_device *device, json_t *keys)
{
	const char *key = claimed_key(keys, device->user, device->id, device->ed);
	char *pickle = key ? matrix_olm_begin(c->olm, c->key, device->curve, key) : NULL;

	if (!pickle) {
		json_object_set_new(c->unclaimed, device->curve, json_integer(c->now_ms));
		return;
	}
	session_add(c, device->user, device->curve, pickle);
	if (json_object_del(c->dummies, device->curve) == 0)
		dummy_send(c, device);
}

bool
matrix_peer_claimed(struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer)
{
	json_t *all = status == 200 ? json_object_get(answer, "one_time_keys") : NULL;
	json_t *devices, *device;
	const char *user, *id;

	json_object_foreach(job->note, user, devices) {
		json_t *given = json_object_get(all, user);

		json_object_foreach(devices, id, device) {
			struct matrix_device one = {
			    .user = user,
			    .id = id,
			    .curve = matrix_inner_text(device, "c"),
			    .ed = matrix_inner_text(device, "e"),
			};

			claim_take(c, &one, json_object_get(given, id));
		}
	}
	return false;
}

/* ---- out ---- */

static json_t *
plaintext(
    struct matrix_crypto *c, const struct matrix_device *device, const char *type, json_t *content)
{
	return json_pack("{s:s,s:o,s:s,s:s,s:s,s:{s:s},s:{s:s},s:o}", "type", type, "content",
	    content, "sender", c->user, "sender_device", c->device, "recipient", device->user,
	    "recipient_keys", "ed25519", device->ed, "keys", "ed25519", matrix_olm_ed(c->olm),
	    "sender_device_keys", matrix_account_device_keys(c));
}

json_t *
matrix_peer_seal(
    struct matrix_crypto *c, const struct matrix_device *device, const char *type, json_t *content)
{
	json_t *row = row_get(c, device->curve), *session = newest(row), *plain, *sealed = NULL;
	char *pickle, *text, *body;
	int kind = 0;

	if (!matrix_inner_text(session, "p")) {
		json_decref(row);
		json_decref(content);
		return NULL;
	}
	plain = plaintext(c, device, type, content);
	text = json_dumps(plain, JSON_COMPACT);
	json_decref(plain);
	if (!text)
		memory_exhausted();
	pickle = memory_string(matrix_inner_text(session, "p"));
	body = matrix_olm_encrypt(&pickle, c->key, text, &kind);
	if (body) {
		json_object_set_new(session, "p", json_string(pickle));
		row_put(c, device->curve, json_incref(row));
		sealed = json_pack("{s:s,s:s,s:{s:{s:i,s:s}}}", "algorithm", MATRIX_OLM_ALGORITHM,
		    "sender_key", matrix_olm_curve(c->olm), "ciphertext", device->curve, "type",
		    kind, "body", body);
	}
	json_decref(row);
	explicit_bzero(text, strlen(text));
	free(text);
	free(pickle);
	free(body);
	return sealed;
}

void
matrix_peer_put(json_t *messages, const char *user, const char *device, json_t *content)
{
	json_t *devices = json_object_get(messages, user);

	if (!content)
		return;
	if (!devices) {
		devices = json_object();
		json_object_set_new(messages, user, devices);
	}
	json_object_set_new(devices, device, content);
}

static void
queue_row(struct matrix_crypto *c, const char *name, json_t *row)
{
	const char *type = matrix_inner_text(row, "t"), *room = matrix_inner_text(row, "r");
	char *escaped, path[2 * MATRIX_NAME];

	if (!type)
		return;
	escaped = matrix_queue_escape(type);
	snprintf(path, sizeof(path), "/_matrix/client/v3/sendToDevice/%s/%s", escaped,
	    name + strlen("send/"));
	free(escaped);
	matrix_queue_add(c->queue, MATRIX_KIND_TO_DEVICE, "PUT", path,
	    json_pack("{s:O}", "messages", json_object_get(row, "m")), room, json_string(name));
}

void
matrix_peer_send(struct matrix_crypto *c, const char *type, const char *room, json_t *messages)
{
	unsigned char random[16];
	char name[5 + 2 * sizeof(random) + 1] = "send/";
	json_t *row;

	if (json_object_size(messages) == 0) {
		json_decref(messages);
		return;
	}
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(name + 5, sizeof(name) - 5, random, sizeof(random));
	row = json_pack("{s:s,s:o}", "t", type, "m", messages);
	if (room)
		json_object_set_new(row, "r", json_string(room));
	queue_row(c, name, row);
	matrix_state_put(c->state, name, row);
}

void
matrix_peer_sent(struct matrix_crypto *c, struct matrix_job *job)
{
	matrix_state_drop(c->state, json_string_value(job->note));
}

static void
requeue(void *ctx, const char *name)
{
	struct matrix_crypto *c = ctx;
	json_t *row = matrix_state_get(c->state, name);

	queue_row(c, name, row);
	json_decref(row);
}

void
matrix_peer_open(struct matrix_crypto *c)
{
	matrix_state_each(c->state, "send/", requeue, c);
}

/* ---- in ---- */

/* Whether these bytes came before; remembers them. The server gives a message again until a newer
 * /sync token was used, and a message that was read once does not open again. */
static bool
seen(struct matrix_crypto *c, const char *body)
{
	unsigned char hash[12];
	char text[2 * sizeof(hash) + 1];
	json_t *one;
	size_t i;

	crypto_generichash(hash, 12, (const unsigned char *)body, strlen(body), NULL, 0);
	sodium_bin2hex(text, sizeof(text), hash, sizeof(hash));
	if (!c->seen)
		c->seen = matrix_state_get(c->state, "olmseen");
	if (!c->seen)
		c->seen = json_array();
	json_array_foreach(c->seen, i, one)
		if (strcmp(json_string_value(one), text) == 0)
			return true;
	if (json_array_size(c->seen) >= SEEN_MAX)
		json_array_remove(c->seen, 0);
	json_array_append_new(c->seen, json_string(text));
	return false;
}

void
matrix_peer_seen_keep(struct matrix_crypto *c)
{
	if (c->seen)
		matrix_state_put(c->state, "olmseen", c->seen);
	c->seen = NULL;
}

/* The text, by one of the sessions there are; *known: a pre-key message belongs to one of them. */
static char *
open_with(struct matrix_crypto *c, const char *curve, int type, const char *body, bool *known)
{
	json_t *row = row_get(c, curve), *session;
	char *text = NULL;
	size_t i;

	json_array_foreach(json_object_get(row, "s"), i, session) {
		char *pickle = memory_string(matrix_inner_text(session, "p"));

		if (type == 1 || matrix_olm_matches(pickle, c->key, curve, body)) {
			*known = *known || type == 0;
			text = matrix_olm_decrypt(&pickle, c->key, type, body);
		}
		if (text) {
			json_object_set_new(session, "p", json_string(pickle));
			json_object_set_new(session, "t", json_integer(c->now_ms));
			row_put(c, curve, json_incref(row));
		}
		free(pickle);
		if (text)
			break;
	}
	json_decref(row);
	return text;
}

static char *
open_any(struct matrix_crypto *c, const char *user, const char *curve, int type, const char *body)
{
	bool known = false;
	char *text = open_with(c, curve, type, body, &known), *pickle;

	if (text || type != 0 || known)
		return text;
	pickle = matrix_olm_answer(c->olm, c->key, curve, body, &text);
	if (!pickle)
		return NULL;
	session_add(c, user, curve, pickle);
	matrix_account_keep(c);
	return text;
}

/* The sender's own description of its device agrees with what the message proves [v1.15]. */
static bool
description_good(json_t *plain, const char *sender, const char *curve, const char *ed)
{
	json_t *device = json_object_get(plain, "sender_device_keys");
	const char *id = matrix_inner_text(device, "device_id");
	json_t *keys = json_object_get(device, "keys");
	char name[MATRIX_ID + 16];

	if (!device)
		return true;
	if (!matrix_inner_id(id) || !matrix_inner_says(device, "user_id", sender))
		return false;
	snprintf(name, sizeof(name), "curve25519:%s", id);
	if (!matrix_inner_says(keys, name, curve))
		return false;
	snprintf(name, sizeof(name), "ed25519:%s", id);
	return matrix_inner_says(keys, name, ed) && matrix_sign_verify(device, sender, id, ed);
}

static bool
plain_good(struct matrix_crypto *c, json_t *plain, const char *sender, const char *curve)
{
	const char *ed = matrix_inner_text(json_object_get(plain, "keys"), "ed25519");

	return ed && matrix_inner_says(plain, "sender", sender) &&
	       matrix_inner_says(plain, "recipient", c->user) &&
	       matrix_inner_says(
		   json_object_get(plain, "recipient_keys"), "ed25519", matrix_olm_ed(c->olm)) &&
	       matrix_inner_text(plain, "type") &&
	       json_is_object(json_object_get(plain, "content")) &&
	       description_good(plain, sender, curve, ed);
}

json_t *
matrix_peer_open_message(struct matrix_crypto *c, json_t *event)
{
	const char *sender = matrix_inner_text(event, "sender");
	json_t *content = json_object_get(event, "content"), *message, *plain;
	const char *curve = matrix_inner_text(content, "sender_key"), *body;
	char *text;
	int type;

	message = json_object_get(json_object_get(content, "ciphertext"), matrix_olm_curve(c->olm));
	body = matrix_inner_text(message, "body");
	type = (int)json_integer_value(json_object_get(message, "type"));
	if (!matrix_inner_id(sender) || !matrix_point_text_good(curve) || !body || type < 0 ||
	    type > 1 || !json_is_integer(json_object_get(message, "type")) || seen(c, body))
		return NULL;
	text = open_any(c, sender, curve, type, body);
	if (!text) {
		c->counts.olm_broken++;
		matrix_peer_mend(c, sender, curve);
		return NULL;
	}
	plain = matrix_parse(text, strlen(text));
	explicit_bzero(text, strlen(text));
	free(text);
	if (plain && !plain_good(c, plain, sender, curve)) {
		json_decref(plain);
		plain = NULL;
	}
	if (!plain)
		c->counts.refused++;
	return plain;
}

struct holder {
	struct matrix_crypto *c;
	const char *curve;
};

/* A new session and a word on it, once in an hour. */
static void
begin_anew(struct matrix_crypto *c, const struct matrix_device *device)
{
	json_t *row = row_get(c, device->curve);

	if (device->owned && (!row || c->now_ms - number(row, "w") >= mend_ms) &&
	    matrix_peer_want(c, device)) {
		if (!row)
			row = json_object();
		json_object_set_new(row, "w", json_integer(c->now_ms));
		row_put(c, device->curve, json_incref(row));
		json_object_set_new(c->dummies, device->curve, json_true());
		matrix_strangers_device(c, device->user, device->curve);
	}
	json_decref(row);
}

static bool
mend_holder(void *ctx, const struct matrix_device *device)
{
	struct holder *holder = ctx;

	if (strcmp(device->curve, holder->curve) != 0)
		return true;
	begin_anew(holder->c, device);
	return false;
}

static bool
greet_device(void *ctx, const struct matrix_device *device)
{
	struct matrix_crypto *c = ctx;

	if (!matrix_peer_ready(c, device->curve))
		begin_anew(c, device);
	return true;
}

void
matrix_peer_greet(struct matrix_crypto *c, const char *user)
{
	matrix_strangers_met(c, user);
	if (matrix_devices_fresh(c->state, user)) {
		matrix_devices_each(c->state, user, greet_device, c);
	} else if (json_object_size(c->greeted) < GREETED_MAX) {
		matrix_devices_track(c->state, user);
		json_object_set_new(c->wanted, user, json_true());
		json_object_set_new(c->greeted, user, json_true());
	}
}

void
matrix_peer_mend(struct matrix_crypto *c, const char *user, const char *curve)
{
	struct holder holder = {c, curve};
	json_t *row = row_get(c, curve);
	bool lately = row && c->now_ms - number(row, "w") < mend_ms;

	json_decref(row);
	if (lately)
		return;
	if (matrix_devices_fresh(c->state, user)) {
		matrix_devices_each(c->state, user, mend_holder, &holder);
	} else if (json_object_size(c->broken) < BROKEN_MAX) {
		matrix_strangers_met(c, user);
		matrix_devices_track(c->state, user);
		json_object_set_new(c->wanted, user, json_true());
		json_object_set_new(c->broken, curve, json_string(user));
	}
}

void
matrix_peer_listed(struct matrix_crypto *c)
{
	json_t *broken = c->broken, *greeted = c->greeted, *user;
	const char *curve;

	c->broken = json_object();
	c->greeted = json_object();
	json_object_foreach(greeted, curve, user)
		if (matrix_devices_fresh(c->state, curve))
			matrix_peer_greet(c, curve);
	json_decref(greeted);
	json_object_foreach(broken, curve, user)
		matrix_peer_mend(c, json_string_value(user), curve);
	json_decref(broken);
}
