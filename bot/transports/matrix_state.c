#include "transports/matrix_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/memory.h"

enum {
	HASH_BYTES = 16,
	PREFIX = 2, /* "c/" stands before each of our rows */
	ROW_TEXT = PREFIX + 2 * HASH_BYTES + 1,
	NONCE = crypto_secretbox_NONCEBYTES,
	MAC = crypto_secretbox_MACBYTES,
	LAST = 4,
};

struct matrix_state {
	unsigned char key[MATRIX_STATE_KEY_BYTES];
	json_t *values;	 /* name: the value as compact JSON in a string, which is small */
	json_t *changed; /* name: true; since the last matrix_state_rows */
	json_t *given;	 /* name: true; given out and not kept yet */
	struct {
		json_t *text, *value;
	} * last; /* LAST values that were read of late: some are asked for at every step */
	size_t *oldest;
	struct state_row *rows;
	size_t row_count;
};

static json_t *
object_new(void)
{
	json_t *object = json_object();

	if (!object)
		memory_exhausted();
	return object;
}

struct matrix_state *
matrix_state_new(const unsigned char key[MATRIX_STATE_KEY_BYTES])
{
	struct matrix_state *state = memory_new(sizeof(*state));

	if (sodium_init() < 0)
		abort();
	memcpy(state->key, key, MATRIX_STATE_KEY_BYTES);
	state->values = object_new();
	state->changed = object_new();
	state->given = object_new();
	state->last = memory_new(LAST * sizeof(*state->last));
	state->oldest = memory_new(sizeof(*state->oldest));
	return state;
}

static void
rows_free(struct matrix_state *state)
{
	for (size_t i = 0; i < state->row_count; i++) {
		free((void *)(uintptr_t)state->rows[i].key);
		free((void *)(uintptr_t)state->rows[i].bytes);
	}
	free(state->rows);
	state->rows = NULL;
	state->row_count = 0;
}

void
matrix_state_free(struct matrix_state *state)
{
	if (!state)
		return;
	rows_free(state);
	for (size_t i = 0; i < LAST; i++) {
		json_decref(state->last[i].text);
		json_decref(state->last[i].value);
	}
	free(state->last);
	free(state->oldest);
	json_decref(state->values);
	json_decref(state->changed);
	json_decref(state->given);
	sodium_memzero(state, sizeof(*state));
	free(state);
}

static void
set(struct matrix_state *state, const char *name, const char *text, size_t length)
{
	json_t *value = json_stringn_nocheck(text, length);

	if (!value || json_object_set_new_nocheck(state->values, name, value) != 0)
		memory_exhausted();
}

static void
row_name(const struct matrix_state *state, const char *name, char out[ROW_TEXT])
{
	unsigned char hash[HASH_BYTES];

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)name, strlen(name),
	    state->key, sizeof(state->key));
	memcpy(out, "c/", PREFIX);
	sodium_bin2hex(out + PREFIX, ROW_TEXT - PREFIX, hash, sizeof(hash));
}

/* A box holds the name, a NUL and the value. */
static bool
opened(struct matrix_state *state, const char *row, char *plain, size_t size)
{
	char *value = memchr(plain, 0, size), expected[ROW_TEXT];

	if (!value)
		return false;
	row_name(state, plain, expected);
	if (strcmp(expected, row) != 0)
		return false;
	value++;
	set(state, plain, value, size - (size_t)(value - plain));
	return true;
}

bool
matrix_state_load(struct matrix_state *state, const struct state_row *row)
{
	const unsigned char *box = row->bytes;
	char *plain;
	size_t size;
	bool good;

	if (strncmp(row->key, "c/", PREFIX) != 0)
		return true;
	if (!box || row->length < NONCE + MAC)
		return false;
	size = row->length - NONCE - MAC;
	plain = memory_new(size + 1);
	good = crypto_secretbox_open_easy((unsigned char *)plain, box + NONCE, row->length - NONCE,
		   box, state->key) == 0 &&
	       opened(state, row->key, plain, size);
	sodium_memzero(plain, size);
	free(plain);
	return good;
}

const json_t *
matrix_state_look(const struct matrix_state *state, const char *name)
{
	json_t *text = json_object_get(state->values, name);
	size_t i = 0;

	if (!text)
		return NULL;
	while (i < LAST && state->last[i].text != text)
		i++;
	if (i == LAST) {
		i = (*state->oldest)++ % LAST;
		json_decref(state->last[i].text);
		json_decref(state->last[i].value);
		state->last[i].text = json_incref(text);
		state->last[i].value = json_loadb(json_string_value(text), json_string_length(text),
		    JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	}
	return state->last[i].value;
}

json_t *
matrix_state_get(const struct matrix_state *state, const char *name)
{
	return json_deep_copy(matrix_state_look(state, name));
}

bool
matrix_state_has(const struct matrix_state *state, const char *name)
{
	return json_object_get(state->values, name) != NULL;
}

static void
mark(struct matrix_state *state, const char *name)
{
	if (json_object_set_new_nocheck(state->changed, name, json_true()) != 0)
		memory_exhausted();
}

void
matrix_state_put(struct matrix_state *state, const char *name, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	const json_t *old = json_object_get(state->values, name);

	json_decref(value);
	if (!text)
		memory_exhausted();
	if (!old || strcmp(json_string_value(old), text) != 0) {
		set(state, name, text, strlen(text));
		mark(state, name);
	}
	free(text);
}

void
matrix_state_drop(struct matrix_state *state, const char *name)
{
	if (json_object_del(state->values, name) == 0)
		mark(state, name);
}

/* free() it. */
static char *
name_of(const char *kind, const char *id)
{
	size_t size = strlen(kind) + strlen(id) + 2;
	char *name = memory_new(size);

	snprintf(name, size, "%s/%s", kind, id);
	return name;
}

json_t *
matrix_state_get_of(const struct matrix_state *state, const char *kind, const char *id)
{
	char *name = name_of(kind, id);
	json_t *value = matrix_state_get(state, name);

	free(name);
	return value;
}

void
matrix_state_put_of(struct matrix_state *state, const char *kind, const char *id, json_t *value)
{
	char *name = name_of(kind, id);

	matrix_state_put(state, name, value);
	free(name);
}

void
matrix_state_drop_of(struct matrix_state *state, const char *kind, const char *id)
{
	char *name = name_of(kind, id);

	matrix_state_drop(state, name);
	free(name);
}

void
matrix_state_each(struct matrix_state *state, const char *prefix,
    void (*fn)(void *ctx, const char *name), void *ctx)
{
	size_t length = strlen(prefix), count = 0, room = json_object_size(state->values);
	char **names = memory_new((room + 1) * sizeof(*names));
	const char *name;
	json_t *value;

	json_object_foreach(state->values, name, value)
		if (strncmp(name, prefix, length) == 0)
			names[count++] = memory_string(name);
	for (size_t i = 0; i < count; i++) {
		fn(ctx, names[i]);
		free(names[i]);
	}
	free(names);
}

bool
matrix_state_dirty(const struct matrix_state *state)
{
	return json_object_size(state->changed) > 0 || json_object_size(state->given) > 0;
}

static unsigned char *
seal(const struct matrix_state *state, const char *name, const json_t *text, size_t *length)
{
	size_t head = strlen(name) + 1, size = head + json_string_length(text);
	unsigned char *plain = memory_new(size), *box = memory_new(NONCE + MAC + size);

	memcpy(plain, name, head);
	memcpy(plain + head, json_string_value(text), json_string_length(text));
	randombytes_buf(box, NONCE);
	crypto_secretbox_easy(box + NONCE, plain, size, box, state->key);
	sodium_memzero(plain, size);
	free(plain);
	*length = NONCE + MAC + size;
	return box;
}

static void
row_make(const struct matrix_state *state, const char *name, struct state_row *row)
{
	const json_t *text = json_object_get(state->values, name);
	char key[ROW_TEXT];

	row_name(state, name, key);
	row->key = memory_string(key);
	row->bytes = text ? seal(state, name, text, &row->length) : NULL;
}

size_t
matrix_state_rows(struct matrix_state *state, const struct state_row **rows)
{
	const char *name;
	json_t *mark_of;
	size_t i = 0;

	rows_free(state);
	if (json_object_update(state->given, state->changed) != 0)
		memory_exhausted();
	json_object_clear(state->changed);
	state->row_count = json_object_size(state->given);
	state->rows = memory_new((state->row_count + 1) * sizeof(*state->rows));
	json_object_foreach(state->given, name, mark_of)
		row_make(state, name, &state->rows[i++]);
	*rows = state->rows;
	return state->row_count;
}

void
matrix_state_kept(struct matrix_state *state)
{
	json_object_clear(state->given);
}

const unsigned char *
matrix_state_key(const struct matrix_state *state)
{
	return state->key;
}
