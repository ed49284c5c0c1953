/*
 * A homeserver's key distribution in memory, and people with encryption on it, for tests. The
 * server believes everything; what it answers can be changed on the way (world.twist).
 */
#ifndef MATRIX_WORLD_H
#define MATRIX_WORLD_H

#include <inttypes.h>
#include <stdbool.h>

#include <jansson.h>
#include <sodium.h>

#include "transports/matrix_crypto.h"
#include "transports/matrix_parse.h"
#include "unit.h"

struct world {
	json_t *keys;	  /* user: {device: device_keys} */
	json_t *one_time; /* "user device": {id: key} */
	json_t *fallback; /* "user device": {id: key} */
	json_t *fresh;	  /* "user device": true; its fallback key is unused */
	json_t *identity; /* user: {master_key, self_signing_key, user_signing_key} */
	json_t *rooms;	  /* room: {"e": bool, "m": {user: membership}, "t": [events]} */
	json_t *boxes;	  /* "user device": [to-device events] */
	json_t *txns;	  /* path: true */
	json_t *changes;  /* [user]: lists that changed, in order */
	int requests, events;
	const struct client *victim; /* who counts and dies */
	int die_after; /* answers after which a client dies before it hears the next; -1 never */
	bool lost;     /* what it asks last never reaches the server */
	bool dead;
	const char *down; /* requests whose path holds this get 502 */
	json_t *(*twist)(struct world *world, const char *path, json_t *answer);
	int64_t now_ms;
};

struct client {
	struct world *world;
	struct matrix_crypto *crypto;
	char user[64], device[64];
	json_t *disk; /* row: base64 */
	json_t *got;  /* events in clear, in order */
	json_t *why;  /* what was not readable */
	size_t seen_changes;
	json_t *seen_events; /* room: how many */
	json_t *asked;	     /* paths, for looking at */
	int unreadable;
};

static const unsigned char client_key[MATRIX_CRYPTO_KEY_BYTES] = "a key of thirty-two bytes, fixed";

/* ---- the server ---- */

static inline json_t *
at(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!value) {
		value = json_object();
		json_object_set_new(object, key, value);
	}
	return value;
}

static inline const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline const char *
box_name(const char *user, const char *device)
{
	static char name[256];

	snprintf(name, sizeof(name), "%s %s", user, device);
	return name;
}

static inline void
world_open(struct world *w)
{
	json_t **all[] = {&w->keys, &w->one_time, &w->fallback, &w->fresh, &w->identity, &w->rooms,
	    &w->boxes, &w->txns};

	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		*all[i] = json_object();
	w->changes = json_array();
	w->die_after = -1;
	w->now_ms = 1790000000000;
}

static inline void
world_close(struct world *w)
{
	json_t *all[] = {w->keys, w->one_time, w->fallback, w->fresh, w->identity, w->rooms,
	    w->boxes, w->txns, w->changes};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_decref(all[i]);
}

static inline void
world_changed(struct world *w, const char *user)
{
	json_array_append_new(w->changes, json_string(user));
}

static inline json_t *
counts_of(struct world *w, const struct client *from)
{
	return json_pack("{s:i}", "signed_curve25519",
	    (int)json_object_size(
		json_object_get(w->one_time, box_name(from->user, from->device))));
}

static inline int
serve_upload(struct world *w, const struct client *from, json_t *body, json_t **answer)
{
	json_t *keys = json_object_get(body, "device_keys"), *key;
	json_t *pool = at(w->one_time, box_name(from->user, from->device));
	const char *id;

	if (keys) {
		json_object_set_new(at(w->keys, from->user), from->device, json_deep_copy(keys));
		world_changed(w, from->user);
	}
	json_object_foreach(json_object_get(body, "one_time_keys"), id, key) {
		json_t *old = json_object_get(pool, id);

		if (old && !json_equal(old, key)) {
			*answer = json_pack("{s:s,s:s}", "errcode", "M_UNKNOWN", "error",
			    "One time key signed_curve25519:X already exists. Old key: …");
			return 400;
		}
		json_object_set(pool, id, key);
	}
	if (json_object_get(body, "fallback_keys")) {
		json_object_set(w->fallback, box_name(from->user, from->device),
		    json_object_get(body, "fallback_keys"));
		json_object_set_new(w->fresh, box_name(from->user, from->device), json_true());
	}
	*answer = json_pack("{s:o}", "one_time_key_counts", counts_of(w, from));
	return 200;
}

static inline int
serve_query(struct world *w, json_t *body, json_t **answer)
{
	json_t *devices = json_object(), *masters = json_object(), *selves = json_object(), *list;
	const char *user;

	json_object_foreach(json_object_get(body, "device_keys"), user, list) {
		json_t *identity = json_object_get(w->identity, user);
		json_t *known = json_object_get(w->keys, user);

		json_object_set_new(devices, user, known ? json_deep_copy(known) : json_object());
		if (json_object_get(identity, "master_key"))
			json_object_set(masters, user, json_object_get(identity, "master_key"));
		if (json_object_get(identity, "self_signing_key"))
			json_object_set(
			    selves, user, json_object_get(identity, "self_signing_key"));
	}
	*answer = json_pack("{s:o,s:o,s:o,s:{}}", "device_keys", devices, "master_keys", masters,
	    "self_signing_keys", selves, "failures");
	return 200;
}

static inline json_t *
claim_one(struct world *w, const char *user, const char *device)
{
	json_t *pool = json_object_get(w->one_time, box_name(user, device)), *key, *out;
	const char *id = json_object_iter_key(json_object_iter(pool));

	if (id) {
		char name[64];

		snprintf(name, sizeof(name), "%s", id);
		key = json_incref(json_object_get(pool, name));
		json_object_del(pool, name);
		out = json_object();
		json_object_set_new(out, name, key);
		return out;
	}
	json_object_del(w->fresh, box_name(user, device));
	out = json_object_get(w->fallback, box_name(user, device));
	return out ? json_deep_copy(out) : NULL;
}

static inline int
serve_claim(struct world *w, json_t *body, json_t **answer)
{
	json_t *all = json_object(), *devices, *value;
	const char *user, *device;

	json_object_foreach(json_object_get(body, "one_time_keys"), user, devices) {
		json_object_foreach(devices, device, value) {
			json_t *key = claim_one(w, user, device);

			if (key)
				json_object_set_new(at(all, user), device, key);
		}
	}
	*answer = json_pack("{s:o,s:{}}", "one_time_keys", all, "failures");
	return 200;
}

static inline int
serve_identity(struct world *w, const struct client *from, json_t *body, json_t **answer)
{
	json_t *old = json_object_get(w->identity, from->user);

	*answer = json_object();
	if (old && !json_equal(json_object_get(json_object_get(old, "master_key"), "keys"),
		       json_object_get(json_object_get(body, "master_key"), "keys"))) {
		json_object_set_new(*answer, "session", json_string("s"));
		json_object_set_new(*answer, "params", json_object());
		json_object_set_new(
		    *answer, "flows", json_pack("[{s:[s]}]", "stages", "m.login.password"));
		return 401;
	}
	json_object_set_new(w->identity, from->user, json_deep_copy(body));
	world_changed(w, from->user);
	return 200;
}

static inline void
merge_signatures(json_t *into, json_t *from)
{
	json_t *all = at(into, "signatures"), *keys, *key;
	const char *user, *id;

	json_object_foreach(json_object_get(from, "signatures"), user, keys) {
		json_object_foreach(keys, id, key)
			json_object_set(at(all, user), id, key);
	}
}

static inline int
serve_signatures(struct world *w, json_t *body, json_t **answer)
{
	json_t *objects, *object;
	const char *user, *id;

	json_object_foreach(body, user, objects) {
		json_object_foreach(objects, id, object) {
			json_t *device = json_object_get(json_object_get(w->keys, user), id);
			json_t *master =
			    json_object_get(json_object_get(w->identity, user), "master_key");

			if (device || master)
				merge_signatures(device ? device : master, object);
		}
		world_changed(w, user);
	}
	*answer = json_pack("{s:{}}", "failures");
	return 200;
}

static inline int
serve_to_device(
    struct world *w, const struct client *from, const char *path, json_t *body, json_t **answer)
{
	const char *start = strstr(path, "sendToDevice/") + strlen("sendToDevice/");
	char type[64];
	json_t *devices, *content;
	const char *user, *device;

	*answer = json_object();
	if (json_object_get(w->txns, path))
		return 200;
	json_object_set_new(w->txns, path, json_true());
	snprintf(type, sizeof(type), "%.*s", (int)strcspn(start, "/"), start);
	json_object_foreach(json_object_get(body, "messages"), user, devices) {
		json_object_foreach(devices, device, content) {
			json_t *box = json_object_get(w->boxes, box_name(user, device));

			if (!box) {
				box = json_array();
				json_object_set_new(w->boxes, box_name(user, device), box);
			}
			json_array_append_new(box, json_pack("{s:s,s:s,s:O}", "type", type,
						       "sender", from->user, "content", content));
		}
	}
	return 200;
}

static inline int
serve_room(struct world *w, const char *path, json_t **answer)
{
	char id[64];
	const char *start = strstr(path, "/rooms/") + strlen("/rooms/"), *user;
	json_t *room, *list, *membership;

	/* "!" and ":" come escaped. */
	snprintf(id, sizeof(id), "!%.*s:h", (int)(strcspn(start, "/") - 7), start + 3);
	room = json_object_get(w->rooms, id);
	if (!room) {
		*answer = json_pack("{s:s,s:s}", "errcode", "M_FORBIDDEN", "error", "not in it");
		return 403;
	}
	if (strstr(path, "/state/")) {
		bool encrypted = json_is_true(json_object_get(room, "e"));

		*answer = encrypted
			      ? json_pack("{s:s}", "algorithm", "m.megolm.v1.aes-sha2")
			      : json_pack("{s:s,s:s}", "errcode", "M_NOT_FOUND", "error", "none");
		return encrypted ? 200 : 404;
	}
	list = json_array();
	json_object_foreach(json_object_get(room, "m"), user, membership)
		json_array_append_new(
		    list, json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:{s:O}}", "type", "m.room.member",
			      "room_id", id, "event_id", "$m", "sender", user, "state_key", user,
			      "origin_server_ts", 1, "content", "membership", membership));
	*answer = json_pack("{s:o}", "chunk", list);
	return 200;
}

static inline int
serve(struct world *w, const struct client *from, const char *path, json_t *body, json_t **answer)
{
	if (strstr(path, "/keys/upload"))
		return serve_upload(w, from, body, answer);
	if (strstr(path, "/keys/query"))
		return serve_query(w, body, answer);
	if (strstr(path, "/keys/claim"))
		return serve_claim(w, body, answer);
	if (strstr(path, "/keys/device_signing/upload"))
		return serve_identity(w, from, body, answer);
	if (strstr(path, "/keys/signatures/upload"))
		return serve_signatures(w, body, answer);
	if (strstr(path, "/sendToDevice/"))
		return serve_to_device(w, from, path, body, answer);
	return serve_room(w, path, answer);
}

/* What was asked and answered, for the specification's own schemas (MATRIX_TRAFFIC=FILE). */
static inline void
record(const struct matrix_request *r, json_t *body, int status, json_t *answer)
{
	const char *path = getenv("MATRIX_TRAFFIC");
	FILE *f = path && *path ? fopen(path, "a") : NULL;
	json_t *line;

	if (!f)
		return;
	line = json_pack("{s:s,s:s,s:O*,s:i,s:O}", "m", r->method, "path", r->path, "body", body,
	    "status", status, "resp", answer);
	json_dumpf(line, f, JSON_COMPACT);
	fputc('\n', f);
	json_decref(line);
	fclose(f);
}

/* ---- people ---- */

static inline void
client_keep(struct client *m)
{
	const struct state_row *rows;
	size_t count = matrix_crypto_rows(m->crypto, &rows);

	for (size_t i = 0; i < count; i++) {
		size_t size =
		    sodium_base64_encoded_len(rows[i].length, sodium_base64_VARIANT_ORIGINAL);
		char *text;

		if (!rows[i].bytes) {
			json_object_del(m->disk, rows[i].key);
			continue;
		}
		text = malloc(size);
		sodium_bin2base64(
		    text, size, rows[i].bytes, rows[i].length, sodium_base64_VARIANT_ORIGINAL);
		json_object_set_new(m->disk, rows[i].key, json_string(text));
		free(text);
	}
	matrix_crypto_kept(m->crypto);
}

static inline struct matrix_crypto *
client_load(struct client *m, const unsigned char *key, const char *device)
{
	size_t count = json_object_size(m->disk), i = 0;
	struct state_row *rows = calloc(count + 1, sizeof(*rows));
	struct matrix_crypto *crypto;
	const char *name;
	json_t *text;

	json_object_foreach(m->disk, name, text) {
		size_t length = json_string_length(text);
		unsigned char *bytes = malloc(length + 1);

		sodium_base642bin(bytes, length, json_string_value(text), length, NULL,
		    &rows[i].length, NULL, sodium_base64_VARIANT_ORIGINAL);
		rows[i].key = name;
		rows[i++].bytes = bytes;
	}
	crypto = matrix_crypto_open(&(struct matrix_crypto_options){
	    .user = m->user,
	    .device = device,
	    .key = key,
	    .rows = rows,
	    .count = count,
	    .now_ms = m->world->now_ms,
	});
	for (i = 0; i < count; i++)
		free((void *)(uintptr_t)rows[i].bytes);
	free(rows);
	return crypto;
}

static inline void
client_start(struct client *m)
{
	m->crypto = client_load(m, client_key, m->device);
	assert_non_null(m->crypto);
}

static inline void
client_open(struct client *m, struct world *w, const char *user, const char *device)
{
	memset(m, 0, sizeof(*m));
	m->world = w;
	snprintf(m->user, sizeof(m->user), "%s", user);
	snprintf(m->device, sizeof(m->device), "%s", device);
	m->disk = json_object();
	m->got = json_array();
	m->why = json_array();
	m->asked = json_array();
	m->seen_events = json_object();
	client_start(m);
}

static inline void
client_stop(struct client *m)
{
	if (m->crypto)
		matrix_crypto_free(m->crypto);
	m->crypto = NULL;
}

static inline void
client_close(struct client *m)
{
	client_stop(m);
	json_decref(m->disk);
	json_decref(m->got);
	json_decref(m->why);
	json_decref(m->asked);
	json_decref(m->seen_events);
}

static inline bool
client_ask(struct client *m, const struct matrix_request *r)
{
	struct world *w = m->world;
	json_t *body = r->body ? json_loads(r->body, 0, NULL) : NULL, *answer = NULL;
	int64_t cookie = r->cookie;
	int status = 502;

	assert_true(r->body == NULL || body != NULL);
	json_array_append_new(m->asked, json_string(r->path));
	if (m == w->victim)
		w->requests++;
	if (!(w->lost && m == w->victim && w->die_after == 0) &&
	    (!w->down || !strstr(r->path, w->down))) {
		status = serve(w, m, r->path, body, &answer);
		record(r, body, status, answer);
	}
	if (w->twist && answer)
		answer = w->twist(w, r->path, answer);
	if (m == w->victim && w->die_after >= 0 && w->die_after-- == 0)
		w->dead = true;
	else
		matrix_crypto_answered(m->crypto, cookie, status, answer, -1, w->now_ms);
	json_decref(answer);
	json_decref(body);
	return !w->dead;
}

static inline void
client_took(struct client *m, struct matrix_read *read)
{
	if (read->how == MATRIX_READ_GOOD)
		json_array_append_new(m->got, read->event);
	else if (read->how != MATRIX_READ_WAIT)
		json_array_append_new(m->why, json_string(read->why ? read->why : ""));
	if (read->how == MATRIX_READ_UNREADABLE) {
		m->unreadable++;
		json_decref(read->event);
	}
}

/* Keeps and asks until there is nothing to do; false: it died on the way. */
static inline bool
client_run(struct client *m)
{
	const struct matrix_request *r;
	struct matrix_read read;

	for (int rounds = 0; rounds < 500; rounds++) {
		while (matrix_crypto_late(m->crypto, m->world->now_ms, &read))
			client_took(m, &read);
		if (matrix_crypto_dirty(m->crypto))
			client_keep(m);
		r = matrix_crypto_next(m->crypto, m->world->now_ms);
		if (!r && !matrix_crypto_dirty(m->crypto))
			return true;
		if (r && !client_ask(m, r))
			return false;
	}
	fail_msg("it never comes to rest");
	return false;
}

static inline json_t *
sync_rooms(struct client *m)
{
	json_t *joined = json_object(), *left = json_object(), *room;
	const char *id;

	json_object_foreach(m->world->rooms, id, room) {
		json_t *events = json_object_get(room, "t"), *news = json_array();
		size_t from = (size_t)json_integer_value(json_object_get(m->seen_events, id));
		const char *how = text_of(json_object_get(room, "m"), m->user);

		for (size_t i = from; i < json_array_size(events); i++)
			json_array_append(news, json_array_get(events, i));
		json_object_set_new(
		    m->seen_events, id, json_integer((json_int_t)json_array_size(events)));
		if (json_array_size(news) && strcmp(how, "join") == 0)
			json_object_set_new(joined, id,
			    json_pack("{s:{s:O,s:b,s:s}}", "timeline", "events", news, "limited", 0,
				"prev_batch", "p"));
		else if (json_array_size(news))
			json_object_set_new(left, id, json_object());
		json_decref(news);
	}
	return json_pack("{s:o,s:o}", "join", joined, "leave", left);
}

static inline json_t *
sync_answer(struct client *m)
{
	struct world *w = m->world;
	json_t *changed = json_array(), *unused = json_array(), *box;

	for (; m->seen_changes < json_array_size(w->changes); m->seen_changes++)
		json_array_append(changed, json_array_get(w->changes, m->seen_changes));
	if (json_object_get(w->fresh, box_name(m->user, m->device)))
		json_array_append_new(unused, json_string("signed_curve25519"));
	box = json_incref(json_object_get(w->boxes, box_name(m->user, m->device)));
	json_object_del(w->boxes, box_name(m->user, m->device));
	return json_pack("{s:s,s:{s:o?},s:{s:o},s:o,s:o,s:o}", "next_batch", "n", "to_device",
	    "events", box, "device_lists", "changed", changed, "device_one_time_keys_count",
	    counts_of(w, m), "device_unused_fallback_key_types", unused, "rooms", sync_rooms(m));
}

static inline void
client_take(struct client *m, json_t *answer, bool initial)
{
	json_t *joined, *room, *event;
	struct matrix_read read;
	const char *id;
	size_t i;

	matrix_crypto_sync(m->crypto, answer, initial, m->world->now_ms);
	joined = json_object_get(json_object_get(answer, "rooms"), "join");
	json_object_foreach(joined, id, room) {
		json_array_foreach(
		    json_object_get(json_object_get(room, "timeline"), "events"), i, event) {
			if (strcmp(text_of(event, "type"), "m.room.encrypted") != 0)
				continue;
			matrix_crypto_read(m->crypto, id, event, m->world->now_ms, &read);
			client_took(m, &read);
		}
	}
}

static inline bool
client_sync(struct client *m)
{
	json_t *answer = sync_answer(m);

	client_take(m, answer, false);
	json_decref(answer);
	return client_run(m);
}

static inline void
world_event(struct world *w, const char *room, const char *type, const char *sender,
    const char *state_key, json_t *content)
{
	char id[32];
	json_t *event;

	snprintf(id, sizeof(id), "$e%d", ++w->events);
	event = json_pack("{s:s,s:s,s:s,s:s*,s:I,s:o}", "type", type, "event_id", id, "sender",
	    sender, "state_key", state_key, "origin_server_ts", (json_int_t)w->now_ms, "content",
	    content);
	json_array_append_new(json_object_get(json_object_get(w->rooms, room), "t"), event);
}

static inline void
world_member(struct world *w, const char *room, const char *user, const char *membership)
{
	json_t *members = json_object_get(json_object_get(w->rooms, room), "m");

	if (strcmp(membership, "leave") == 0)
		json_object_del(members, user);
	else
		json_object_set_new(members, user, json_string(membership));
	world_event(
	    w, room, "m.room.member", user, user, json_pack("{s:s}", "membership", membership));
}

/* Ids of rooms look like "!a:h". */
static inline void
world_room(struct world *w, const char *room, bool encrypted)
{
	json_object_set_new(w->rooms, room, json_pack("{s:b,s:{},s:[]}", "e", encrypted, "m", "t"));
	if (encrypted)
		world_event(w, room, "m.room.encryption", "@noor:h", "",
		    json_pack("{s:s}", "algorithm", "m.megolm.v1.aes-sha2"));
}

static inline json_t *
message(const char *text)
{
	return json_pack("{s:s,s:s}", "msgtype", "m.text", "body", text);
}

/* Seals until it is decided; *sealed may be NULL. */
static inline enum matrix_sealing
client_seal(
    struct client *m, const char *room, const char *txn, json_t *content, const char **sealed)
{
	const char *bytes = NULL;
	enum matrix_sealing so = MATRIX_SEAL_WAIT;

	for (int i = 0; i < 30 && so == MATRIX_SEAL_WAIT; i++) {
		so = matrix_crypto_seal(
		    m->crypto, room, txn, "m.room.message", content, m->world->now_ms, &bytes);
		if (so == MATRIX_SEAL_WAIT && !client_run(m))
			break;
	}
	if (sealed)
		*sealed = bytes;
	json_decref(content);
	return so;
}

static inline enum matrix_sealing
client_say(struct client *m, const char *room, const char *text)
{
	static int txn;
	char name[32];
	const char *sealed;
	enum matrix_sealing so;

	snprintf(name, sizeof(name), "t%d", ++txn);
	so = client_seal(m, room, name, message(text), &sealed);
	if (so == MATRIX_SEAL_READY) {
		world_event(
		    m->world, room, "m.room.encrypted", m->user, NULL, json_loads(sealed, 0, NULL));
		matrix_crypto_sent(m->crypto, name);
	}
	return so;
}

/* The text of the last event that could be read, or "". */
static inline const char *
client_heard(const struct client *m)
{
	const json_t *last =
	    json_array_get(m->got, json_array_size(m->got) ? json_array_size(m->got) - 1 : 0);

	return text_of(json_object_get(last, "content"), "body");
}

static inline bool
client_asked(const struct client *m, const char *part)
{
	const json_t *path;
	size_t i;

	json_array_foreach(m->asked, i, path)
		if (strstr(json_string_value(path), part))
			return true;
	return false;
}

#endif
