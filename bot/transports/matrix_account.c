#include "transports/matrix_account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transports/matrix_canonical.h"
#include "transports/matrix_sign.h"

/* "self": {"device", "account": pickle, "up": device keys are published, "id": the identity is,
 * "sig": the signatures are, "fb": ms when the fallback key before may be forgotten} */

enum { ONE_TIME_KEYS = 50 };
static const int64_t forget_fallback_ms = 3600 * 1000, refused_pause_ms = 600 * 1000,
		     short_pause_ms = 5 * 1000, young_ms = 300 * 1000;

static json_t *
self_get(const struct matrix_crypto *c)
{
	json_t *self = matrix_state_get(c->state, "self");

	return self ? self : json_object();
}

static bool
self_is(const struct matrix_crypto *c, const char *what)
{
	return json_is_true(json_object_get(matrix_state_look(c->state, "self"), what));
}

static int64_t
self_number(const struct matrix_crypto *c, const char *what)
{
	return json_integer_value(json_object_get(matrix_state_look(c->state, "self"), what));
}

static void
self_set(struct matrix_crypto *c, const char *what, json_t *value)
{
	json_t *self = self_get(c);

	json_object_set_new(self, what, value);
	matrix_state_put(c->state, "self", self);
}

void
matrix_account_keep(struct matrix_crypto *c)
{
	char *pickle = matrix_olm_pickle(c->olm, c->key);

	self_set(c, "account", json_string(pickle));
	free(pickle);
}

void
matrix_account_renew(struct matrix_crypto *c)
{
	matrix_olm_free(c->olm);
	c->olm = matrix_olm_new();
	matrix_state_drop(c->state, "self");
	self_set(c, "device", json_string(c->device));
	matrix_account_keep(c);
	c->checked = c->synced = c->rolled_back = c->identity_refused = c->fallback_used = false;
	c->one_time_count = -1;
	c->counts_to_pass_over = 0;
	c->upload_after_ms = 0;
}

static bool
identity_open(struct matrix_crypto *c)
{
	json_t *seeds = matrix_state_get(c->state, "identity");
	bool good;

	if (!seeds) {
		seeds = matrix_identity_new();
		matrix_state_put(c->state, "identity", json_incref(seeds));
	}
	good = matrix_identity_open(&c->identity, seeds);
	json_decref(seeds);
	return good;
}

bool
matrix_account_open(struct matrix_crypto *c)
{
	json_t *self = self_get(c);
	const char *pickle = matrix_inner_text(self, "account");
	bool good = true;

	c->one_time_count = -1;
	if (pickle) {
		c->olm = matrix_olm_open(pickle, c->key);
		c->rolled_back = json_is_true(json_object_get(self, "old"));
		good = c->olm != NULL;
	} else {
		matrix_account_renew(c);
	}
	json_decref(self);
	return good && identity_open(c);
}

bool
matrix_account_signed(const struct matrix_crypto *c)
{
	return self_is(c, "sig");
}

void
matrix_account_rolled_back(struct matrix_crypto *c, const char *why)
{
	c->rolled_back = true;
	/* Remembered, for what gave it away comes only once. */
	self_set(c, "old", json_true());
	matrix_queue_clear(c->queue);
	matrix_inner_trouble(c, why);
}

/* ---- what is published ---- */

static void
sign(struct matrix_crypto *c, json_t *object)
{
	char *signable = matrix_canonical_signable(object), *signature;

	if (!signable)
		abort();
	signature = matrix_olm_sign(c->olm, signable);
	matrix_sign_attach(object, c->user, c->device, signature);
	free(signable);
	free(signature);
}

json_t *
matrix_account_device_keys(struct matrix_crypto *c)
{
	char curve[MATRIX_ID + 16], ed[MATRIX_ID + 16];
	json_t *keys;

	snprintf(curve, sizeof(curve), "curve25519:%s", c->device);
	snprintf(ed, sizeof(ed), "ed25519:%s", c->device);
	keys = json_pack("{s:s,s:s,s:[s,s],s:{s:s,s:s}}", "user_id", c->user, "device_id",
	    c->device, "algorithms", MATRIX_OLM_ALGORITHM, MATRIX_MEGOLM_ALGORITHM, "keys", curve,
	    matrix_olm_curve(c->olm), ed, matrix_olm_ed(c->olm));
	if (!keys)
		memory_exhausted();
	sign(c, keys);
	matrix_identity_sign(&c->identity, MATRIX_USE_SELF, keys, c->user);
	return keys;
}

static json_t *
signed_keys(struct matrix_crypto *c, json_t *keys, bool fallback)
{
	json_t *all = json_object(), *key;
	const char *id;

	json_object_foreach(keys, id, key) {
		char name[64];
		json_t *one = json_pack("{s:O}", "key", key);

		if (fallback)
			json_object_set_new(one, "fallback", json_true());
		sign(c, one);
		snprintf(name, sizeof(name), "signed_curve25519:%s", id);
		json_object_set_new(all, name, one);
	}
	json_decref(keys);
	return all;
}

/* libolm keeps one fallback key besides the newest, so they do not change faster than this even if
 * the server says so with every answer. */
static bool
fallback_young(struct matrix_crypto *c)
{
	int64_t forget_at = self_number(c, "fb");

	return forget_at - forget_fallback_ms + young_ms > c->now_ms;
}

static void
make_keys(struct matrix_crypto *c, bool first)
{
	json_t *unpublished = matrix_olm_keys(c->olm), *fallback = matrix_olm_fallback(c->olm);
	int64_t have = first ? 0 : c->one_time_count;
	bool changed = false;

	if (!json_object_size(unpublished) && have >= 0 && have < ONE_TIME_KEYS) {
		matrix_olm_make_keys(c->olm, (size_t)(ONE_TIME_KEYS - have));
		changed = true;
	}
	if (!json_object_size(fallback) && (first || (c->fallback_used && !fallback_young(c)))) {
		matrix_olm_make_fallback(c->olm);
		self_set(c, "fb", json_integer(c->now_ms + forget_fallback_ms));
		changed = true;
	}
	json_decref(unpublished);
	json_decref(fallback);
	if (changed)
		matrix_account_keep(c);
}

static void
upload(struct matrix_crypto *c)
{
	bool first = !self_is(c, "up");
	json_t *body = json_object(), *keys, *fallback;

	make_keys(c, first);
	keys = signed_keys(c, matrix_olm_keys(c->olm), false);
	fallback = signed_keys(c, matrix_olm_fallback(c->olm), true);
	if (first)
		json_object_set_new(body, "device_keys", matrix_account_device_keys(c));
	if (json_object_size(keys))
		json_object_set(body, "one_time_keys", keys);
	if (json_object_size(fallback))
		json_object_set(body, "fallback_keys", fallback);
	json_decref(keys);
	json_decref(fallback);
	/* An empty body asks for the counts alone. */
	if (json_object_size(body) || c->one_time_count < 0)
		matrix_queue_add(c->queue, MATRIX_KIND_UPLOAD, "POST",
		    "/_matrix/client/v3/keys/upload", body, NULL, NULL);
	else
		json_decref(body);
}

static void
publish_identity(struct matrix_crypto *c)
{
	json_t *body = json_pack("{s:o,s:o,s:o}", "master_key",
	    matrix_identity_key(&c->identity, MATRIX_USE_MASTER, c->user), "self_signing_key",
	    matrix_identity_key(&c->identity, MATRIX_USE_SELF, c->user), "user_signing_key",
	    matrix_identity_key(&c->identity, MATRIX_USE_USER, c->user));

	matrix_queue_add(c->queue, MATRIX_KIND_IDENTITY, "POST",
	    "/_matrix/client/v3/keys/device_signing/upload", body, NULL, NULL);
}

static void
publish_signatures(struct matrix_crypto *c)
{
	json_t *master = matrix_identity_key(&c->identity, MATRIX_USE_MASTER, c->user), *body;

	sign(c, master);
	body = json_pack("{s:{s:o,s:o}}", c->user, c->device, matrix_account_device_keys(c),
	    c->identity.public[MATRIX_USE_MASTER], master);
	matrix_queue_add(c->queue, MATRIX_KIND_SIGNATURES, "POST",
	    "/_matrix/client/v3/keys/signatures/upload", body, NULL, NULL);
}

static bool
under_way(const struct matrix_crypto *c)
{
	return matrix_queue_has(c->queue, MATRIX_KIND_OWN, NULL) ||
	       matrix_queue_has(c->queue, MATRIX_KIND_UPLOAD, NULL) ||
	       matrix_queue_has(c->queue, MATRIX_KIND_IDENTITY, NULL) ||
	       matrix_queue_has(c->queue, MATRIX_KIND_SIGNATURES, NULL);
}

static bool
keys_wanted(struct matrix_crypto *c)
{
	json_t *unpublished = matrix_olm_keys(c->olm);
	bool wanted = json_object_size(unpublished) > 0 || !self_is(c, "up") ||
		      c->one_time_count < ONE_TIME_KEYS || c->fallback_used;

	json_decref(unpublished);
	return wanted;
}

static void
forget_fallback(struct matrix_crypto *c)
{
	int64_t at = self_number(c, "fb");

	if (at == 0 || at > c->now_ms)
		return;
	matrix_olm_forget_fallback(c->olm);
	self_set(c, "fb", json_integer(0));
	matrix_account_keep(c);
}

void
matrix_account_step(struct matrix_crypto *c)
{
	if (c->rolled_back || under_way(c))
		return;
	if (!c->checked) {
		matrix_queue_add(c->queue, MATRIX_KIND_OWN, "POST", "/_matrix/client/v3/keys/query",
		    json_pack("{s:{s:[]},s:i}", "device_keys", c->user, "timeout", 10000), NULL,
		    NULL);
		return;
	}
	forget_fallback(c);
	if (c->upload_after_ms > c->now_ms)
		return;
	if (keys_wanted(c))
		upload(c);
	else if (!self_is(c, "id") && !c->identity_refused)
		publish_identity(c);
	else if (!self_is(c, "sig") && !c->identity_refused)
		publish_signatures(c);
}

int64_t
matrix_account_due_ms(const struct matrix_crypto *c)
{
	int64_t at = self_number(c, "fb");

	if (c->upload_after_ms > c->now_ms && (at == 0 || c->upload_after_ms < at))
		at = c->upload_after_ms;
	return at ? at : INT64_MAX;
}

/* ---- what the server says ---- */

void
matrix_account_sync(struct matrix_crypto *c, json_t *answer)
{
	json_t *counts = json_object_get(answer, "device_one_time_keys_count");
	json_t *unused = json_object_get(answer, "device_unused_fallback_key_types"), *type;
	size_t i;

	c->synced = true;
	if (c->counts_to_pass_over > 0) {
		c->counts_to_pass_over--;
		return;
	}
	if (json_is_object(counts))
		c->one_time_count =
		    json_integer_value(json_object_get(counts, "signed_curve25519"));
	if (!json_is_array(unused))
		return;
	c->fallback_used = true;
	json_array_foreach(unused, i, type)
		if (json_is_string(type) &&
		    strcmp(json_string_value(type), "signed_curve25519") == 0)
			c->fallback_used = false;
}

static bool
key_is(json_t *device, const char *algorithm, const char *id, const char *key)
{
	char name[MATRIX_ID + 16];

	snprintf(name, sizeof(name), "%s:%s", algorithm, id);
	return matrix_inner_says(json_object_get(device, "keys"), name, key);
}

static void
own_answered(struct matrix_crypto *c, json_t *answer)
{
	json_t *devices = json_object_get(json_object_get(answer, "device_keys"), c->user);
	json_t *device = json_object_get(devices, c->device);
	json_t *master = json_object_get(json_object_get(answer, "master_keys"), c->user);
	json_t *self = json_object_get(json_object_get(answer, "self_signing_keys"), c->user);
	const char *self_key = c->identity.public[MATRIX_USE_SELF];

	c->checked = true;
	if (device && (!key_is(device, "curve25519", c->device, matrix_olm_curve(c->olm)) ||
			  !key_is(device, "ed25519", c->device, matrix_olm_ed(c->olm)))) {
		matrix_account_rolled_back(c, "the server has other keys of this device");
		return;
	}
	self_set(c, "up", json_boolean(device != NULL));
	self_set(c, "id",
	    json_boolean(key_is(master, "ed25519", c->identity.public[MATRIX_USE_MASTER],
			     c -> identity.public[MATRIX_USE_MASTER]) &&
			 key_is(self, "ed25519", self_key, self_key)));
	self_set(c, "sig", json_boolean(matrix_sign_verify(device, c->user, self_key, self_key)));
}

static bool
upload_answered(struct matrix_crypto *c, int status, json_t *answer)
{
	json_t *counts = json_object_get(answer, "one_time_key_counts");
	const char *error = matrix_inner_text(answer, "error");

	if (status == 200) {
		matrix_olm_published(c->olm);
		matrix_account_keep(c);
		self_set(c, "up", json_true());
		c->one_time_count =
		    json_is_object(counts)
			? json_integer_value(json_object_get(counts, "signed_curve25519"))
			: ONE_TIME_KEYS;
		c->fallback_used = false;
		c->counts_to_pass_over = 1;
		/* A server that loses them at once is not given more in a loop. */
		if (c->one_time_count < ONE_TIME_KEYS)
			c->upload_after_ms = c->now_ms + short_pause_ms;
	} else if (status == 400 && error && strstr(error, "already exists")) {
		/* Keys of ours are there that we do not know: this state is an old copy. */
		matrix_account_rolled_back(c, "one-time keys exist that are not in the state");
	} else {
		matrix_inner_trouble(c, "the server refused our keys");
		c->upload_after_ms = c->now_ms + refused_pause_ms;
	}
	return false;
}

static void
signatures_answered(struct matrix_crypto *c, int status, json_t *answer)
{
	if (status == 200 && json_object_size(json_object_get(answer, "failures")) == 0) {
		self_set(c, "sig", json_true());
		return;
	}
	matrix_inner_trouble(c, "the server refused the device's signature");
	c->upload_after_ms = c->now_ms + refused_pause_ms;
}

bool
matrix_account_answered(struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer)
{
	if (job->kind == MATRIX_KIND_OWN) {
		if (status != 200 || !json_is_object(answer))
			return true;
		own_answered(c, answer);
	} else if (job->kind == MATRIX_KIND_UPLOAD) {
		return upload_answered(c, status, answer);
	} else if (job->kind == MATRIX_KIND_SIGNATURES) {
		signatures_answered(c, status, answer);
	} else if (status == 200) {
		self_set(c, "id", json_true());
		self_set(c, "sig", json_false());
	} else {
		c->identity_refused = true;
		matrix_inner_trouble(c, "the account has another identity; a password is needed");
	}
	return false;
}
