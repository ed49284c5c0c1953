#include "transports/matrix_inbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transports/matrix_devices.h"
#include "transports/matrix_megolm.h"
#include "transports/matrix_peer.h"
#include "transports/matrix_strangers.h"

/*
 * "in/<room>/<session>": {"u": user, "c": curve, "k": ed of the device it came from, "p": pickle,
 * "f": first index, "x": {index: event id}}; "ins/<room>": {session: ms it came}
 * "wait/<event>": {"r": room, "s": session, "e": event, "t": ms, "u": it was told}
 */
enum {
	SESSIONS_MAX = 60,
	STRANGE_MAX = 300,
	STRANGE_OF_ONE = 20,
	INDEXES_MAX = 1000,
	WAITING_MAX = 128,
	WITHHELD_MAX = 500
};
static const int64_t told_after_ms = 30 * 1000, kept_ms = 3600 * 1000, ask_again_ms = 60 * 1000;

struct envelope {
	const char *room, *id, *sender, *session, *body;
	json_t *event;
};

static void
in_name(char name[MATRIX_NAME], const char *room, const char *session)
{
	snprintf(name, MATRIX_NAME, "%s/%s", room, session);
}

/* ---- room keys ---- */

static void
oldest_drop(struct matrix_crypto *c, const char *room, json_t *all)
{
	const char *session, *oldest = NULL;
	char name[MATRIX_NAME];
	json_t *at;
	json_int_t least = 0;

	json_object_foreach(all, session, at)
		if (!oldest || json_integer_value(at) < least) {
			oldest = session;
			least = json_integer_value(at);
		}
	if (!oldest)
		return;
	in_name(name, room, oldest);
	matrix_state_drop_of(c->state, "in", name);
	json_object_del(all, oldest);
}

static bool
room_known(const struct matrix_crypto *c, const char *room)
{
	char name[MATRIX_NAME];

	snprintf(name, sizeof(name), "room/%s", room);
	return matrix_state_has(c->state, name);
}

static void
sessions_drop(struct matrix_crypto *c, const char *room)
{
	json_t *all = matrix_state_get_of(c->state, "ins", room), *entry;
	char name[MATRIX_NAME];
	const char *session;

	json_object_foreach(all, session, entry) {
		in_name(name, room, session);
		matrix_state_drop_of(c->state, "in", name);
	}
	json_decref(all);
	matrix_state_drop_of(c->state, "ins", room);
}

/* Rooms that have become known count no more; one of this user's, or else the eldest, makes way. */
static void
strange_fewer(struct matrix_crypto *c, const char *user)
{
	const char *room, *eldest = NULL;
	size_t theirs = 0;
	json_t *of;
	void *next;

	json_object_foreach_safe(c->strange, next, room, of)
		if (room_known(c, room))
			json_object_del(c->strange, room);
	json_object_foreach(c->strange, room, of)
		theirs += strcmp(json_string_value(of), user) == 0;
	if (theirs < STRANGE_OF_ONE && json_object_size(c->strange) < STRANGE_MAX)
		return;
	json_object_foreach(c->strange, room, of)
		if (!eldest &&
		    (theirs < STRANGE_OF_ONE || strcmp(json_string_value(of), user) == 0))
			eldest = room;
	sessions_drop(c, eldest);
	json_object_del(c->strange, eldest);
}

/* Keys for rooms that we do not know may come before the room does, but not without end: a flood
 * of them pushes out its own, and nobody who comes after it is refused. */
static void
strange_note(struct matrix_crypto *c, const char *room, const char *user)
{
	if (room_known(c, room) || json_object_get(c->strange, room))
		return;
	strange_fewer(c, user);
	json_object_set_new(c->strange, room, json_string(user));
}

static void
session_put(struct matrix_crypto *c, const char *room, const char *session, json_t *row)
{
	json_t *all = matrix_state_get_of(c->state, "ins", room);
	char name[MATRIX_NAME];

	strange_note(c, room, matrix_inner_text(row, "u"));
	if (!all)
		all = json_object();
	if (!json_object_get(all, session) && json_object_size(all) >= SESSIONS_MAX)
		oldest_drop(c, room, all);
	json_object_set_new(all, session, json_integer(c->now_ms));
	matrix_state_put_of(c->state, "ins", room, all);
	in_name(name, room, session);
	matrix_state_put_of(c->state, "in", name, row);
	c->look_again = true;
}

/* A second key for a session counts only from the same device and when it reads more. */
static bool
key_better(json_t *old, const char *user, const char *curve, const char *ed, uint32_t first)
{
	return !old || (matrix_inner_says(old, "u", user) && matrix_inner_says(old, "c", curve) &&
			   matrix_inner_says(old, "k", ed) &&
			   (json_int_t)first < json_integer_value(json_object_get(old, "f")));
}

static void
room_key(struct matrix_crypto *c, const char *curve, json_t *plain)
{
	json_t *content = json_object_get(plain, "content"), *old, *row;
	const char *user = matrix_inner_text(plain, "sender");
	const char *ed = matrix_inner_text(json_object_get(plain, "keys"), "ed25519");
	const char *room = matrix_inner_text(content, "room_id");
	const char *shared = matrix_inner_text(content, "session_key");
	char id[MATRIX_SESSION_TEXT], name[MATRIX_NAME], *pickle;
	uint32_t first = 0;

	if (!matrix_inner_id(room) || !shared ||
	    !matrix_inner_says(content, "algorithm", MATRIX_MEGOLM_ALGORITHM))
		return;
	pickle = matrix_megolm_take(shared, c->key, id, &first);
	if (!pickle || !matrix_inner_says(content, "session_id", id)) {
		free(pickle);
		c->counts.refused++;
		return;
	}
	in_name(name, room, id);
	old = matrix_state_get_of(c->state, "in", name);
	if (key_better(old, user, curve, ed, first)) {
		row = json_pack("{s:s,s:s,s:s,s:s,s:I}", "u", user, "c", curve, "k", ed, "p",
		    pickle, "f", (json_int_t)first);
		if (old && json_object_get(old, "x"))
			json_object_set(row, "x", json_object_get(old, "x"));
		session_put(c, room, id, row);
	}
	json_decref(old);
	free(pickle);
}

/* ---- messages to our device ---- */

static void
withheld(struct matrix_crypto *c, json_t *event)
{
	json_t *content = json_object_get(event, "content");
	const char *session = matrix_inner_text(content, "session_id");
	const char *sender = matrix_inner_text(event, "sender");
	const char *curve = matrix_inner_text(content, "sender_key");

	if (matrix_inner_says(content, "code", "m.no_olm") && matrix_inner_id(sender) && curve) {
		matrix_peer_mend(c, sender, curve);
		return;
	}
	if (!matrix_inner_id(session))
		return;
	if (json_object_size(c->withheld) >= WITHHELD_MAX)
		json_object_clear(c->withheld);
	json_object_set_new(c->withheld, session, json_true());
	c->look_again = true;
}

/* A bot compares no emoji: whoever asks is told so at once. */
static void
verification(struct matrix_crypto *c, json_t *event)
{
	json_t *content = json_object_get(event, "content"), *messages = json_object();
	const char *sender = matrix_inner_text(event, "sender");
	const char *device = matrix_inner_text(content, "from_device");
	const char *transaction = matrix_inner_text(content, "transaction_id");

	if (matrix_inner_id(sender) && matrix_inner_id(device) && matrix_inner_id(transaction))
		matrix_peer_put(messages, sender, device,
		    json_pack("{s:s,s:s,s:s}", "transaction_id", transaction, "code", "m.user",
			"reason", "a bot cannot compare emoji; its key is published"));
	matrix_peer_send(c, "m.key.verification.cancel", NULL, messages);
}

static void
encrypted(struct matrix_crypto *c, json_t *event)
{
	json_t *plain;
	char *curve;

	if (!matrix_inner_says(
		json_object_get(event, "content"), "algorithm", MATRIX_OLM_ALGORITHM))
		return;
	plain = matrix_peer_open_message(c, event);
	if (!plain)
		return;
	curve = memory_string(matrix_inner_text(json_object_get(event, "content"), "sender_key"));
	if (matrix_inner_says(plain, "type", "m.room_key"))
		room_key(c, curve, plain);
	free(curve);
	json_decref(plain);
}

void
matrix_inbox_to_device(struct matrix_crypto *c, json_t *event)
{
	/* m.room_key counts only inside Olm, so a bare one is passed over. */
	if (matrix_inner_says(event, "type", "m.room.encrypted"))
		encrypted(c, event);
	else if (matrix_inner_says(event, "type", "m.room_key.withheld"))
		withheld(c, event);
	else if (matrix_inner_says(event, "type", "m.key.verification.request"))
		verification(c, event);
}

/* ---- events of rooms ---- */

static bool
envelope_read(const char *room, json_t *event, struct envelope *e)
{
	json_t *content = json_object_get(event, "content");

	*e = (struct envelope){
	    .room = room,
	    .event = event,
	    .id = matrix_inner_text(event, "event_id"),
	    .sender = matrix_inner_text(event, "sender"),
	    .session = matrix_inner_text(content, "session_id"),
	    .body = matrix_inner_text(content, "ciphertext"),
	};
	return matrix_inner_id(room) && matrix_inner_id(e->id) && matrix_inner_id(e->sender) &&
	       matrix_inner_id(e->session) && e->body &&
	       matrix_inner_says(content, "algorithm", MATRIX_MEGOLM_ALGORITHM);
}

/* The event as it came, with what was inside in its place. */
static json_t *
clear_event(json_t *event, json_t *plain)
{
	json_t *clear = json_copy(event);
	json_t *content = json_copy(json_object_get(plain, "content"));
	json_t *relates = json_object_get(json_object_get(event, "content"), "m.relates_to");

	if (relates)
		json_object_set(content, "m.relates_to", relates);
	json_object_set(clear, "type", json_object_get(plain, "type"));
	json_object_set_new(clear, "content", content);
	return clear;
}

/* An index is read once: the same event again is the same, another event is a replay. */
static bool
index_fresh(json_t *row, uint32_t index, const char *event)
{
	const json_t *before;
	char text[16];

	snprintf(text, sizeof(text), "%" PRIu32, index);
	before = json_object_get(json_object_get(row, "x"), text);
	if (before)
		return strcmp(json_string_value(before), event) == 0;
	return (json_int_t)index >= json_integer_value(json_object_get(row, "lo"));
}

static void
index_used(struct matrix_crypto *c, const struct envelope *e, json_t *row, uint32_t index)
{
	json_t *used = json_object_get(row, "x");
	char text[16], name[MATRIX_NAME];

	if (!used) {
		used = json_object();
		json_object_set_new(row, "x", used);
	}
	if (json_object_size(used) >= INDEXES_MAX) {
		/* What is older than what is remembered is refused from now on. */
		json_object_clear(used);
		json_object_set_new(row, "lo", json_integer(index));
	}
	snprintf(text, sizeof(text), "%" PRIu32, index);
	json_object_set_new(used, text, json_string(e->id));
	in_name(name, e->room, e->session);
	matrix_state_put_of(c->state, "in", name, json_incref(row));
}

static bool
device_named(void *ctx, const struct matrix_device *device)
{
	struct {
		const char *curve;
		char *out;
	} *find = ctx;

	if (strcmp(device->curve, find->curve) == 0)
		snprintf(find->out, MATRIX_ID, "%s", device->id);
	return true;
}

static void
ask_for(struct matrix_crypto *c, const char *user)
{
	const json_t *asked = json_object_get(c->doubted, user);

	/* The list may have changed without a word to us yet: it is asked once in a minute. */
	if (matrix_devices_fresh(c->state, user)) {
		if (asked && c->now_ms - json_integer_value(asked) < ask_again_ms)
			return;
		matrix_devices_changed(c->state, user);
		json_object_set_new(c->doubted, user, json_integer(c->now_ms));
	}
	matrix_devices_track(c->state, user);
	json_object_set_new(c->wanted, user, json_true());
}

static void
say_not(struct matrix_read *out, enum matrix_reading how, const char *why)
{
	out->how = how;
	out->why = why;
}

static void
open_with(struct matrix_crypto *c, const struct envelope *e, json_t *row, struct matrix_read *out)
{
	const char *curve = matrix_inner_text(row, "c");
	uint32_t index = 0;
	char *text = matrix_megolm_decrypt(matrix_inner_text(row, "p"), c->key, e->body, &index);
	json_t *plain = text ? matrix_parse(text, strlen(text)) : NULL;
	struct {
		const char *curve;
		char *out;
	} find = {curve, out->device};

	if (!text)
		say_not(out, MATRIX_READ_WAIT, "the key does not reach back so far, or is another");
	else if (!matrix_inner_says(plain, "room_id", e->room) ||
		 !matrix_inner_text(plain, "type") ||
		 !json_is_object(json_object_get(plain, "content")))
		say_not(out, MATRIX_READ_REFUSED, "not meant for this room");
	else if (!index_fresh(row, index, e->id))
		say_not(out, MATRIX_READ_REFUSED, "replayed");
	else if (matrix_devices_owner(c->state, e->sender, curve, matrix_inner_text(row, "k")) !=
		 MATRIX_OWNER_GOOD) {
		ask_for(c, e->sender);
		say_not(out, MATRIX_READ_WAIT, "not from a device that its owner has signed");
	} else {
		say_not(out, MATRIX_READ_GOOD, NULL);
		index_used(c, e, row, index);
		matrix_strangers_settled(c, e->sender);
		matrix_devices_each(c->state, e->sender, device_named, &find);
		out->event = clear_event(e->event, plain);
	}
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	json_decref(plain);
}

static void
try(struct matrix_crypto *c, const struct envelope *e, struct matrix_read *out)
{
	char name[MATRIX_NAME];
	json_t *row;

	in_name(name, e->room, e->session);
	row = matrix_state_get_of(c->state, "in", name);
	if (!row)
		say_not(out, MATRIX_READ_WAIT, "no key for it");
	else if (!matrix_inner_says(row, "u", e->sender))
		say_not(out, MATRIX_READ_REFUSED, "with somebody else's key");
	else
		open_with(c, e, row, out);
	json_decref(row);
}

/* ---- events that wait ---- */

static void
drop_waiting(struct matrix_crypto *c, const char *id)
{
	matrix_state_drop_of(c->state, "wait", id);
	json_object_del(c->waiting, id);
}

static size_t
waiting_in(const struct matrix_crypto *c, const char *room)
{
	size_t count = 0;
	json_t *entry;
	const char *id;

	json_object_foreach(c->waiting, id, entry)
		count += matrix_inner_says(entry, "r", room);
	return count;
}

/* Of the room where most wait: a flood there pushes out its own. */
static void
make_way(struct matrix_crypto *c)
{
	size_t most = 0, count;
	const char *id, *chosen = NULL;
	json_t *entry;

	json_object_foreach(c->waiting, id, entry) {
		count = waiting_in(c, matrix_inner_text(entry, "r"));
		if (count > most) {
			most = count;
			chosen = id;
		}
	}
	if (chosen) {
		char *name = memory_string(chosen);

		drop_waiting(c, name);
		free(name);
	}
}

static void
wait_for_key(struct matrix_crypto *c, const struct envelope *e)
{
	json_t *entry;

	if (json_object_get(c->waiting, e->id))
		return;
	if (json_object_size(c->waiting) >= WAITING_MAX)
		make_way(c);
	entry = json_pack("{s:s,s:s,s:O,s:I}", "r", e->room, "s", e->session, "e", e->event, "t",
	    (json_int_t)c->now_ms);
	json_object_set(c->waiting, e->id, entry);
	matrix_state_put_of(c->state, "wait", e->id, entry);
	if (json_object_get(c->withheld, e->session))
		c->look_again = true;
}

void
matrix_inbox_read(struct matrix_crypto *c, const char *room, json_t *event, struct matrix_read *out)
{
	struct envelope e;

	*out = (struct matrix_read){.how = MATRIX_READ_REFUSED};
	if (!envelope_read(room, event, &e)) {
		out->why = "malformed";
		c->counts.refused++;
		return;
	}
	snprintf(out->room, sizeof(out->room), "%s", room);
	if (strcmp(e.sender, c->user) == 0) {
		out->why = "our own";
		return;
	}
	try(c, &e, out);
	if (out->how == MATRIX_READ_WAIT)
		wait_for_key(c, &e);
	else if (out->how == MATRIX_READ_GOOD)
		c->counts.read++;
	else
		c->counts.refused++;
}

static void
load(void *ctx, const char *name)
{
	struct matrix_crypto *c = ctx;

	json_object_set_new(c->waiting, name + strlen("wait/"), matrix_state_get(c->state, name));
}

static void
load_strange(void *ctx, const char *name)
{
	struct matrix_crypto *c = ctx;
	const char *room = name + strlen("ins/");

	if (!room_known(c, room))
		json_object_set_new(c->strange, room, json_string(""));
}

void
matrix_inbox_open(struct matrix_crypto *c)
{
	matrix_state_each(c->state, "ins/", load_strange, c);
	matrix_state_each(c->state, "wait/", load, c);
	c->look_again = true;
}

/* Everybody who waits for this session was told by this one word. */
static void
told(struct matrix_crypto *c, const char *room, const char *session)
{
	json_t *entry;
	const char *id;

	json_object_foreach(c->waiting, id, entry)
		if (matrix_inner_says(entry, "r", room) && matrix_inner_says(entry, "s", session)) {
			json_object_set_new(entry, "u", json_true());
			matrix_state_put_of(c->state, "wait", id, json_incref(entry));
		}
}

/* What to say of a kept event now. WAIT: nothing. */
static void
look(struct matrix_crypto *c, json_t *entry, struct matrix_read *out)
{
	int64_t age = c->now_ms - json_integer_value(json_object_get(entry, "t"));
	const char *room = matrix_inner_text(entry, "r");
	struct envelope e;

	*out = (struct matrix_read){.how = MATRIX_READ_REFUSED, .why = "malformed"};
	if (!envelope_read(room, json_object_get(entry, "e"), &e))
		return;
	snprintf(out->room, sizeof(out->room), "%s", room);
	try(c, &e, out);
	if (out->how != MATRIX_READ_WAIT)
		return;
	if (age >= kept_ms) {
		out->how = MATRIX_READ_REFUSED;
	} else if (!json_is_true(json_object_get(entry, "u")) &&
		   (age >= told_after_ms || json_object_get(c->withheld, e.session))) {
		out->how = MATRIX_READ_UNREADABLE;
		out->event = json_incref(e.event);
		if (json_object_get(c->withheld, e.session))
			out->why = "its key was refused to us";
	}
}

/* The first kept event that there is something to say of; false: none. */
static bool
find_late(struct matrix_crypto *c, struct matrix_read *out, char id[MATRIX_ID])
{
	json_t *entry;
	const char *name;

	json_object_foreach(c->waiting, name, entry) {
		look(c, entry, out);
		if (out->how != MATRIX_READ_WAIT) {
			snprintf(id, MATRIX_ID, "%s", name);
			return true;
		}
	}
	return false;
}

bool
matrix_inbox_late(struct matrix_crypto *c, struct matrix_read *out)
{
	char id[MATRIX_ID];

	while (c->look_again || matrix_inbox_due_ms(c) <= c->now_ms) {
		if (!find_late(c, out, id)) {
			c->look_again = false;
			return false;
		}
		if (out->how == MATRIX_READ_UNREADABLE) {
			json_t *entry = json_object_get(c->waiting, id);
			char session[MATRIX_ID];

			snprintf(session, sizeof(session), "%s", matrix_inner_text(entry, "s"));
			told(c, out->room, session);
			c->counts.unreadable++;
			return true;
		}
		drop_waiting(c, id);
		if (out->how == MATRIX_READ_GOOD) {
			c->counts.late++;
			return true;
		}
		c->counts.refused++;
	}
	return false;
}

int64_t
matrix_inbox_due_ms(const struct matrix_crypto *c)
{
	int64_t due = c->look_again && json_object_size(c->waiting) ? 0 : INT64_MAX;
	json_t *entry;
	const char *id;

	json_object_foreach(c->waiting, id, entry) {
		int64_t at = json_integer_value(json_object_get(entry, "t"));

		at += json_is_true(json_object_get(entry, "u")) ? kept_ms : told_after_ms;
		if (at < due)
			due = at;
	}
	return due;
}

void
matrix_inbox_left(struct matrix_crypto *c, const char *room)
{
	json_t *entry;
	const char *id;
	void *next;

	sessions_drop(c, room);
	json_object_foreach_safe(c->waiting, next, id, entry)
		if (matrix_inner_says(entry, "r", room))
			drop_waiting(c, id);
}
