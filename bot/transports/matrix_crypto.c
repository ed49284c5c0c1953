#include "transports/matrix_crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transports/matrix_account.h"
#include "transports/matrix_devices.h"
#include "transports/matrix_inbox.h"
#include "transports/matrix_inner.h"
#include "transports/matrix_peer.h"
#include "transports/matrix_room.h"
#include "transports/matrix_strangers.h"

enum { ASK_MAX = 200, TIMEOUT_MS = 10000 };
static const int64_t forgotten_ms = (int64_t)2 * 24 * 3600 * 1000;

/* ---- life ---- */

static void
objects_new(struct matrix_crypto *c)
{
	json_t **all[] = {&c->wanted, &c->failed, &c->doubted, &c->claims, &c->unclaimed,
	    &c->dummies, &c->broken, &c->greeted, &c->shut, &c->moved, &c->withheld, &c->strange,
	    &c->waiting};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		json_decref(*all[i]);
		*all[i] = json_object();
		if (!*all[i])
			memory_exhausted();
	}
}

/* What was sealed and never said to be sent, for longer than any transaction lives. */
static void
old_drop(void *ctx, const char *name)
{
	struct matrix_crypto *c = ctx;
	json_t *row = matrix_state_get(c->state, name);

	if (c->now_ms - json_integer_value(json_object_get(row, "t")) > forgotten_ms)
		matrix_state_drop(c->state, name);
	json_decref(row);
}

/* What comes in as plain text rather than JSON must be good for JSON too. */
static bool
text_good(const char *text)
{
	json_t *string = text && *text ? json_string(text) : NULL;

	json_decref(string);
	return string != NULL;
}

static bool
rows_load(struct matrix_crypto *c, const struct matrix_crypto_options *options)
{
	for (size_t i = 0; i < options->count; i++)
		if (!matrix_state_load(c->state, &options->rows[i]))
			return false;
	return true;
}

/* The rows are of another device of ours. */
static bool
other_device(const struct matrix_crypto *c)
{
	json_t *self = matrix_state_get(c->state, "self");
	bool other = self && !matrix_inner_says(self, "device", c->device);

	json_decref(self);
	return other;
}

struct matrix_crypto *
matrix_crypto_open(const struct matrix_crypto_options *options)
{
	struct matrix_crypto *c = memory_new(sizeof(*c));
	char device[MATRIX_ID];

	snprintf(c->user, sizeof(c->user), "%s", options->user);
	snprintf(c->device, sizeof(c->device), "%s", options->device);
	snprintf(device, sizeof(device), "%s", options->device);
	c->now_ms = options->now_ms;
	c->state = matrix_state_new(options->key);
	c->key = matrix_state_key(c->state);
	c->queue = matrix_queue_new();
	objects_new(c);
	if (!text_good(c->user) || !text_good(c->device) || !rows_load(c, options) ||
	    !matrix_account_open(c)) {
		matrix_crypto_free(c);
		return NULL;
	}
	if (other_device(c)) {
		matrix_crypto_renew(c, device, options->now_ms);
		return c;
	}
	matrix_state_each(c->state, "out/", old_drop, c);
	matrix_peer_open(c);
	matrix_inbox_open(c);
	matrix_account_step(c);
	return c;
}

void
matrix_crypto_free(struct matrix_crypto *c)
{
	json_t *all[] = {c->wanted, c->failed, c->doubted, c->claims, c->unclaimed, c->dummies,
	    c->broken, c->greeted, c->shut, c->moved, c->withheld, c->strange, c->waiting};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_decref(all[i]);
	matrix_queue_free(c->queue);
	matrix_olm_free(c->olm);
	matrix_state_free(c->state);
	free(c->sealed);
	sodium_memzero(c, sizeof(*c));
	free(c);
}

static void
drop_row(void *ctx, const char *name)
{
	matrix_state_drop(((struct matrix_crypto *)ctx)->state, name);
}

void
matrix_crypto_renew(struct matrix_crypto *c, const char *device, int64_t now_ms)
{
	static const char *const gone[] = {
	    "olm/", "send/", "in/", "ins/", "wait/", "olmseen", "olmof/"};

	c->now_ms = now_ms;
	snprintf(c->device, sizeof(c->device), "%s", device);
	matrix_queue_clear(c->queue);
	objects_new(c);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		matrix_state_each(c->state, gone[i], drop_row, c);
	matrix_room_renew(c);
	matrix_account_renew(c);
	matrix_state_put(c->state, "renewed", json_true());
	matrix_account_step(c);
}

bool
matrix_crypto_renewed(const struct matrix_crypto *c)
{
	return matrix_state_has(c->state, "renewed");
}

void
matrix_crypto_renewal_noted(struct matrix_crypto *c)
{
	matrix_state_drop(c->state, "renewed");
}

enum matrix_standing
matrix_crypto_standing(const struct matrix_crypto *c)
{
	if (c->rolled_back)
		return MATRIX_STANDING_ROLLED_BACK;
	return c->checked && c->synced ? MATRIX_STANDING_GOOD : MATRIX_STANDING_CHECKING;
}

bool
matrix_crypto_signed(const struct matrix_crypto *c)
{
	return c->checked && matrix_account_signed(c);
}

void
matrix_crypto_fingerprint(const struct matrix_crypto *c, char out[MATRIX_CRYPTO_FINGERPRINT])
{
	const char *key = c->identity.public[MATRIX_USE_MASTER];
	size_t at = 0;

	for (size_t i = 0; key[i]; i++) {
		if (i && i % 4 == 0)
			out[at++] = ' ';
		out[at++] = key[i];
	}
	out[at] = 0;
}

struct matrix_crypto_counts
matrix_crypto_counts(const struct matrix_crypto *c)
{
	struct matrix_crypto_counts counts = c->counts;

	counts.waiting = (int64_t)json_object_size(c->waiting);
	counts.changed_identities = matrix_devices_changed_identities(c->state);
	return counts;
}

/* ---- what must last ---- */

bool
matrix_crypto_dirty(const struct matrix_crypto *c)
{
	return matrix_state_dirty(c->state);
}

size_t
matrix_crypto_rows(struct matrix_crypto *c, const struct state_row **rows)
{
	return matrix_state_rows(c->state, rows);
}

void
matrix_crypto_kept(struct matrix_crypto *c)
{
	matrix_state_kept(c->state);
}

/* ---- what is asked ---- */

static void
ask_devices(struct matrix_crypto *c)
{
	json_t *users = json_array(), *body, *value;
	const char *user;

	json_object_foreach(c->wanted, user, value)
		if (json_array_size(users) < ASK_MAX)
			json_array_append_new(users, json_string(user));
	body = matrix_devices_query(c->state, users);
	if (body) {
		json_object_set_new(body, "timeout", json_integer(TIMEOUT_MS));
		matrix_queue_add(c->queue, MATRIX_KIND_QUERY, "POST",
		    "/_matrix/client/v3/keys/query", json_incref(body), NULL, body);
	}
	for (size_t i = 0; i < json_array_size(users); i++)
		json_object_del(c->wanted, json_string_value(json_array_get(users, i)));
	json_decref(users);
}

static void
step(struct matrix_crypto *c)
{
	if (c->rolled_back)
		return;
	matrix_account_step(c);
	if (json_object_size(c->wanted) && !matrix_queue_has(c->queue, MATRIX_KIND_QUERY, NULL))
		ask_devices(c);
	matrix_peer_step(c);
}

const struct matrix_request *
matrix_crypto_next(struct matrix_crypto *c, int64_t now_ms)
{
	c->now_ms = now_ms;
	step(c);
	return matrix_state_dirty(c->state) ? NULL : matrix_queue_next(c->queue, now_ms);
}

/* Whose list could not be had: what was known of them counts for a while. */
static void
note_failures(struct matrix_crypto *c, json_t *query)
{
	json_t *value;
	const char *user;

	json_object_foreach(json_object_get(query, "device_keys"), user, value)
		if (matrix_devices_fresh(c->state, user))
			json_object_del(c->failed, user);
		else
			json_object_set_new(c->failed, user, json_integer(c->now_ms));
}

static bool
query_answered(struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer)
{
	if (status == 200 && json_is_object(answer))
		matrix_devices_answered(c->state, job->note, answer, c->now_ms, NULL, NULL);
	note_failures(c, job->note);
	matrix_peer_listed(c);
	c->look_again = true;
	return false;
}

static bool
answered(struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer)
{
	switch (job->kind) {
	case MATRIX_KIND_OWN:
	case MATRIX_KIND_UPLOAD:
	case MATRIX_KIND_IDENTITY:
	case MATRIX_KIND_SIGNATURES:
		return matrix_account_answered(c, job, status, answer);
	case MATRIX_KIND_QUERY:
		return query_answered(c, job, status, answer);
	case MATRIX_KIND_CLAIM:
		return matrix_peer_claimed(c, job, status, answer);
	case MATRIX_KIND_ROOM:
		return matrix_room_answered(c, job, status, answer);
	case MATRIX_KIND_MEMBERS:
		return matrix_room_members(c, job, status, answer);
	case MATRIX_KIND_TO_DEVICE:
		matrix_peer_sent(c, job);
		return false;
	}
	return false;
}

static bool
passing(int status)
{
	return status == 0 || status == 408 || status == 425 || status == 429 ||
	       (status >= 500 && status < 600);
}

void
matrix_crypto_answered(struct matrix_crypto *c, int64_t cookie, int status, const json_t *answer,
    int64_t retry_after_ms, int64_t now_ms)
{
	struct matrix_job *job = matrix_queue_take(c->queue, cookie);

	c->now_ms = now_ms;
	if (!job)
		return;
	if (passing(status) || answered(c, job, status, (json_t *)(uintptr_t)answer)) {
		if (c->rolled_back)
			matrix_queue_end(job);
		else
			matrix_queue_again(c->queue, job, retry_after_ms, now_ms);
	} else {
		matrix_queue_end(job);
	}
	step(c);
}

int64_t
matrix_crypto_due_ms(const struct matrix_crypto *c)
{
	int64_t due = matrix_inbox_due_ms(c), other = matrix_queue_due_ms(c->queue);

	if (other < due)
		due = other;
	other = matrix_account_due_ms(c);
	return other < due ? other : due;
}

/* ---- what comes in ---- */

static void
left(struct matrix_crypto *c, const char *user)
{
	matrix_devices_left(c->state, user);
	matrix_strangers_left(c, user);
}

static void
lists_changed(struct matrix_crypto *c, json_t *lists)
{
	json_t *user;
	size_t i;

	json_array_foreach(json_object_get(lists, "changed"), i, user)
		if (matrix_inner_id(json_string_value(user))) {
			matrix_devices_changed(c->state, json_string_value(user));
			json_object_del(c->failed, json_string_value(user));
			c->look_again = true;
		}
	json_array_foreach(json_object_get(lists, "left"), i, user)
		if (matrix_inner_id(json_string_value(user)))
			left(c, json_string_value(user));
}

static void
room_events(struct matrix_crypto *c, const char *room, json_t *list, bool echoes)
{
	json_t *event;
	size_t i;

	json_array_foreach(json_object_get(list, "events"), i, event)
		matrix_room_event(c, room, event, echoes);
}

static void
rooms(struct matrix_crypto *c, json_t *all, bool initial)
{
	json_t *room, *timeline;
	const char *id;

	json_object_foreach(json_object_get(all, "join"), id, room) {
		timeline = json_object_get(room, "timeline");
		if (json_is_true(json_object_get(timeline, "limited")))
			matrix_room_gap(c, id);
		room_events(c, id, json_object_get(room, "state"), false);
		room_events(c, id, timeline, !initial);
	}
	json_object_foreach(json_object_get(all, "leave"), id, room)
		matrix_crypto_left(c, id);
}

void
matrix_crypto_sync(struct matrix_crypto *c, const json_t *constant, bool initial, int64_t now_ms)
{
	json_t *answer = (json_t *)(uintptr_t)constant, *event;
	size_t i;

	c->now_ms = now_ms;
	if (c->rolled_back || !json_is_object(answer))
		return;
	if (initial) {
		matrix_devices_all_changed(c->state);
		matrix_room_gap_all(c);
	}
	lists_changed(c, json_object_get(answer, "device_lists"));
	rooms(c, json_object_get(answer, "rooms"), initial);
	if (c->rolled_back)
		return;
	json_array_foreach(
	    json_object_get(json_object_get(answer, "to_device"), "events"), i, event)
		matrix_inbox_to_device(c, event);
	matrix_peer_seen_keep(c);
	matrix_account_sync(c, answer);
	step(c);
}

void
matrix_crypto_noticed(
    struct matrix_crypto *c, const char *room, const json_t *event, int64_t now_ms)
{
	c->now_ms = now_ms;
	if (!c->rolled_back && text_good(room))
		matrix_room_event(c, room, (json_t *)(uintptr_t)event, true);
}

void
matrix_crypto_read(struct matrix_crypto *c, const char *room, const json_t *event, int64_t now_ms,
    struct matrix_read *out)
{
	c->now_ms = now_ms;
	matrix_inbox_read(c, text_good(room) ? room : "", (json_t *)(uintptr_t)event, out);
	step(c);
}

bool
matrix_crypto_late(struct matrix_crypto *c, int64_t now_ms, struct matrix_read *out)
{
	bool some;

	c->now_ms = now_ms;
	some = matrix_inbox_late(c, out);
	step(c);
	return some;
}

bool
matrix_crypto_encrypted(const struct matrix_crypto *c, const char *room)
{
	return matrix_room_encrypted(c, room);
}

void
matrix_crypto_left(struct matrix_crypto *c, const char *room)
{
	matrix_room_left(c, room);
	matrix_inbox_left(c, room);
}

static bool
forget_device(void *ctx, const struct matrix_device *device)
{
	struct matrix_crypto *c = ctx;

	matrix_state_drop_of(c->state, "olm", device->curve);
	json_object_del(c->unclaimed, device->curve);
	json_object_del(c->dummies, device->curve);
	json_object_del(c->broken, device->curve);
	return true;
}

void
matrix_crypto_forget(struct matrix_crypto *c, const char *user)
{
	json_t *all[] = {c->wanted, c->failed, c->doubted, c->claims, c->greeted};

	matrix_devices_each(c->state, user, forget_device, c);
	matrix_strangers_forget(c, user);
	matrix_state_drop_of(c->state, "user", user);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_object_del(all[i], user);
}

void
matrix_crypto_greet(struct matrix_crypto *c, const char *user, int64_t now_ms)
{
	c->now_ms = now_ms;
	if (!c->rolled_back && text_good(user))
		matrix_peer_greet(c, user);
	step(c);
}

/* ---- what goes out ---- */

enum matrix_sealing
matrix_crypto_seal(struct matrix_crypto *c, const char *room, const char *txn, const char *type,
    const json_t *content, int64_t now_ms, const char **sealed)
{
	enum matrix_sealing so;

	c->now_ms = now_ms;
	*sealed = NULL;
	if (!text_good(room) || !text_good(txn) || !text_good(type))
		return MATRIX_SEAL_REFUSED;
	so = matrix_room_seal(c, room, txn, type, (json_t *)(uintptr_t)content);
	if (so == MATRIX_SEAL_READY)
		*sealed = c->sealed;
	step(c);
	return so;
}

void
matrix_crypto_sent(struct matrix_crypto *c, const char *txn)
{
	matrix_room_sent(c, txn);
}
