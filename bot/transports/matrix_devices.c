#include "transports/matrix_devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transports/matrix_point.h"
#include "transports/matrix_sign.h"
#include "transports/matrix_state.h"

/*
 * {"s": 0 current, 1 stale, 2 asked, 3 not followed, "m": pinned master, "c": candidate,
 *  "t": ms since it is one, "k": words were exchanged, "d": {id: {"c": curve, "e": ed, "o": 1 signed by the owner}}}
 */
enum { CURRENT, STALE, ASKED, LEFT };

enum { DEVICES_MAX = 200 };
static const int64_t hold_ms = (int64_t)7 * 24 * 3600 * 1000;

static json_t *
row_get(const struct matrix_state *state, const char *user)
{
	return matrix_state_get_of(state, "user", user);
}

static void
row_put(struct matrix_state *state, const char *user, json_t *row)
{
	matrix_state_put_of(state, "user", user, row);
}

static int
standing(const json_t *row)
{
	return row ? (int)json_integer_value(json_object_get(row, "s")) : LEFT;
}

static void
stand(struct matrix_state *state, const char *user, json_t *row, int how)
{
	json_object_set_new(row, "s", json_integer(how));
	row_put(state, user, row);
}

bool
matrix_devices_track(struct matrix_state *state, const char *user)
{
	json_t *row = row_get(state, user);
	int how = standing(row);

	if (how == LEFT) {
		if (!row)
			row = json_object();
		stand(state, user, row, STALE);
		return true;
	}
	json_decref(row);
	return how != CURRENT;
}

bool
matrix_devices_tracked(const struct matrix_state *state, const char *user)
{
	json_t *row = row_get(state, user);
	int how = standing(row);

	json_decref(row);
	return how != LEFT;
}

static void
set_standing(struct matrix_state *state, const char *user, int how)
{
	json_t *row = row_get(state, user);

	if (standing(row) == LEFT)
		json_decref(row);
	else
		stand(state, user, row, how);
}

void
matrix_devices_changed(struct matrix_state *state, const char *user)
{
	set_standing(state, user, STALE);
}

void
matrix_devices_left(struct matrix_state *state, const char *user)
{
	set_standing(state, user, LEFT);
}

bool
matrix_devices_settled(const struct matrix_state *state, const char *user)
{
	json_t *row = row_get(state, user);
	bool settled = json_is_true(json_object_get(row, "k"));

	json_decref(row);
	return settled;
}

void
matrix_devices_settle(struct matrix_state *state, const char *user, bool settled)
{
	json_t *row = row_get(state, user);

	if (!row)
		return;
	if (settled)
		json_object_set_new(row, "k", json_true());
	else
		json_object_del(row, "k");
	row_put(state, user, row);
}

bool
matrix_devices_fresh(const struct matrix_state *state, const char *user)
{
	json_t *row = row_get(state, user);
	bool fresh = row && standing(row) == CURRENT;

	json_decref(row);
	return fresh;
}

static void
stale_row(void *ctx, const char *name)
{
	matrix_devices_changed(ctx, name + strlen("user/"));
}

void
matrix_devices_all_changed(struct matrix_state *state)
{
	matrix_state_each(state, "user/", stale_row, state);
}

struct asking {
	struct matrix_state *state;
	json_t *keys;
};

static void
ask(struct asking *asking, const char *user)
{
	json_t *row = row_get(asking->state, user);
	int how = standing(row);

	if (how == CURRENT || how == LEFT) {
		json_decref(row);
		return;
	}
	stand(asking->state, user, row, ASKED);
	json_object_set_new(asking->keys, user, json_array());
}

static void
ask_row(void *ctx, const char *name)
{
	ask(ctx, name + strlen("user/"));
}

json_t *
matrix_devices_query(struct matrix_state *state, const json_t *users)
{
	struct asking asking = {.state = state, .keys = json_object()};

	if (!users)
		matrix_state_each(state, "user/", ask_row, &asking);
	for (size_t i = 0; i < json_array_size(users); i++)
		if (json_is_string(json_array_get(users, i)))
			ask(&asking, json_string_value(json_array_get(users, i)));
	if (!json_object_size(asking.keys)) {
		json_decref(asking.keys);
		return NULL;
	}
	return json_pack("{s:o}", "device_keys", asking.keys);
}

static bool
names(const json_t *list, const char *word)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *is = json_string_value(json_array_get(list, i));

		if (is && strcmp(is, word) == 0)
			return true;
	}
	return false;
}

static bool
says(const json_t *object, const char *key, const char *value)
{
	const char *is = json_string_value(json_object_get(object, key));

	return is && strcmp(is, value) == 0;
}

/* The public key of a cross-signing key object of this person and use, or NULL. */
static const char *
identity_key(const json_t *object, const char *user, const char *usage)
{
	const json_t *keys = json_object_get(object, "keys");
	unsigned char raw[MATRIX_KEY_BYTES];
	const char *name, *key;

	if (!says(object, "user_id", user) || !names(json_object_get(object, "usage"), usage) ||
	    json_object_size(keys) != 1)
		return NULL;
	name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)keys));
	key = json_string_value(json_object_get(keys, name));
	if (!key || strncmp(name, "ed25519:", 8) != 0 || strcmp(name + 8, key) != 0 ||
	    !matrix_point_decode(key, raw, sizeof(raw)))
		return NULL;
	return key;
}

/* Pins the first master key; says whether `master` is the one to trust. */
static bool
pinned(json_t *row, const char *master, int64_t now_ms)
{
	const char *pin = json_string_value(json_object_get(row, "m"));
	int64_t since;

	if (!master)
		return false;
	if (!pin || strcmp(pin, master) == 0) {
		if (!pin)
			json_object_set_new(row, "m", json_string(master));
		json_object_del(row, "c");
		json_object_del(row, "t");
		return true;
	}
	if (!says(row, "c", master)) {
		json_object_set_new(row, "c", json_string(master));
		json_object_set_new(row, "t", json_integer(now_ms));
		return false;
	}
	since = json_integer_value(json_object_get(row, "t"));
	if (now_ms - since < hold_ms)
		return false;
	json_object_set_new(row, "m", json_string(master));
	json_object_del(row, "c");
	json_object_del(row, "t");
	return true;
}

/* The self-signing key if the whole chain from the pinned master key holds, or NULL. */
static const char *
self_signing(json_t *row, const json_t *answer, const char *user, int64_t now_ms)
{
	const json_t *master_keys = json_object_get(answer, "master_keys");
	const json_t *self_keys = json_object_get(answer, "self_signing_keys");
	const json_t *self = json_object_get(self_keys, user);
	const char *master = identity_key(json_object_get(master_keys, user), user, "master");
	const char *key;

	if (!pinned(row, master, now_ms))
		return NULL;
	key = identity_key(self, user, "self_signing");
	return key && matrix_sign_verify(self, user, master, master) ? key : NULL;
}

static const char *
device_key(const json_t *device, const char *algorithm, const char *id)
{
	char name[300];

	if (snprintf(name, sizeof(name), "%s:%s", algorithm, id) >= (int)sizeof(name))
		return NULL;
	return json_string_value(json_object_get(json_object_get(device, "keys"), name));
}

/* A device as it is kept, or NULL when anything about it is wrong. */
static json_t *
checked(const json_t *device, const char *user, const char *id, const char *self)
{
	const char *curve = device_key(device, "curve25519", id);
	const char *ed = device_key(device, "ed25519", id);
	const json_t *algorithms = json_object_get(device, "algorithms");
	bool owned;

	if (!says(device, "user_id", user) || !says(device, "device_id", id) || !curve || !ed ||
	    !names(algorithms, "m.megolm.v1.aes-sha2") || !matrix_point_text_good(curve) ||
	    !matrix_sign_verify(device, user, id, ed))
		return NULL;
	owned = self && matrix_sign_verify(device, user, self, self);
	return json_pack("{s:s,s:s,s:i}", "c", curve, "e", ed, "o", owned);
}

static bool
same_keys(const json_t *a, const json_t *b)
{
	return json_equal(json_object_get(a, "c"), json_object_get(b, "c")) &&
	       json_equal(json_object_get(a, "e"), json_object_get(b, "e"));
}

static bool
curve_taken(const json_t *devices, const json_t *device)
{
	const char *id;
	json_t *other;

	json_object_foreach((json_t *)(uintptr_t)devices, id, other)
		if (json_equal(json_object_get(other, "c"), json_object_get(device, "c")))
			return true;
	return false;
}

/* The devices to keep. One that changed its keys under the same id is not taken: libolm's keys
 * never change, so somebody else speaks. */
static json_t *
devices_of(const json_t *row, const json_t *given, const char *user, const char *self)
{
	const json_t *old = json_object_get(row, "d");
	json_t *kept = json_object(), *device;
	const char *id;

	json_object_foreach((json_t *)(uintptr_t)given, id, device) {
		json_t *good = checked(device, user, id, self), *before;

		if (!good || json_object_size(kept) >= DEVICES_MAX) {
			json_decref(good);
			continue;
		}
		before = json_object_get(old, id);
		if ((before && !same_keys(before, good)) || curve_taken(kept, good))
			json_decref(good);
		else
			json_object_set_new(kept, id, good);
	}
	return kept;
}

static const char *
server_of(const char *user)
{
	const char *colon = strchr(user, ':');

	return colon ? colon + 1 : "";
}

/* True when the devices are not as they were. */
static bool
take(struct matrix_state *state, const char *user, const json_t *answer, int64_t now_ms)
{
	const json_t *given = json_object_get(json_object_get(answer, "device_keys"), user);
	json_t *row = row_get(state, user), *devices;
	const char *self;
	bool different;

	if (standing(row) == LEFT) {
		json_decref(row);
		return false;
	}
	if (!given && json_object_get(json_object_get(answer, "failures"), server_of(user))) {
		stand(state, user, row, STALE);
		return false;
	}
	self = self_signing(row, answer, user, now_ms);
	devices = devices_of(row, given, user, self);
	different = !json_equal(devices, json_object_get(row, "d"));
	json_object_set_new(row, "d", devices);
	/* What was said to have changed while the question was under way is asked again. */
	stand(state, user, row, standing(row) == ASKED ? CURRENT : standing(row));
	return different;
}

void
matrix_devices_answered(struct matrix_state *state, const json_t *query, const json_t *answer,
    int64_t now_ms, void (*fn)(void *ctx, const char *user), void *ctx)
{
	json_t *asked = json_object_get(query, "device_keys"), *value;
	const char *user;

	json_object_foreach(asked, user, value)
		if (take(state, user, answer, now_ms) && fn)
			fn(ctx, user);
}

void
matrix_devices_each(const struct matrix_state *state, const char *user,
    bool (*fn)(void *ctx, const struct matrix_device *device), void *ctx)
{
	json_t *row = row_get(state, user), *device;
	const char *id;

	json_object_foreach(json_object_get(row, "d"), id, device) {
		struct matrix_device one = {
		    .user = user,
		    .id = id,
		    .curve = json_string_value(json_object_get(device, "c")),
		    .ed = json_string_value(json_object_get(device, "e")),
		    .owned = json_integer_value(json_object_get(device, "o")) != 0,
		};

		if (one.curve && one.ed && !fn(ctx, &one))
			break;
	}
	json_decref(row);
}

struct finding {
	const char *curve;
	const char *ed;
	char *id;
	bool owned, found, reachable;
};

static bool
find(void *ctx, const struct matrix_device *device)
{
	struct finding *f = ctx;

	if (device->owned)
		f->reachable = true;
	if (!f->curve || strcmp(device->curve, f->curve) != 0 ||
	    (f->ed && strcmp(device->ed, f->ed) != 0))
		return true;
	f->found = true;
	f->owned = device->owned;
	f->id = memory_string(device->id);
	return false;
}

enum matrix_owner
matrix_devices_owner(
    const struct matrix_state *state, const char *user, const char *curve, const char *ed)
{
	struct finding f = {.curve = curve, .ed = ed};

	matrix_devices_each(state, user, find, &f);
	free(f.id);
	if (f.found && f.owned)
		return MATRIX_OWNER_GOOD;
	if (!matrix_devices_fresh(state, user))
		return MATRIX_OWNER_UNKNOWN;
	return f.found ? MATRIX_OWNER_UNSIGNED : MATRIX_OWNER_NOBODY;
}

char *
matrix_devices_by_curve(const struct matrix_state *state, const char *user, const char *curve)
{
	struct finding f = {.curve = curve};

	matrix_devices_each(state, user, find, &f);
	return f.id;
}

bool
matrix_devices_reachable(const struct matrix_state *state, const char *user)
{
	struct finding f = {.curve = NULL};

	matrix_devices_each(state, user, find, &f);
	return f.reachable;
}

struct counting {
	struct matrix_state *state;
	int64_t count;
};

static void
count_row(void *ctx, const char *name)
{
	struct counting *counting = ctx;
	json_t *row = matrix_state_get(counting->state, name);

	if (json_object_get(row, "c"))
		counting->count++;
	json_decref(row);
}

int64_t
matrix_devices_changed_identities(struct matrix_state *state)
{
	struct counting counting = {state, 0};

	matrix_state_each(state, "user/", count_row, &counting);
	return counting.count;
}
