/*
 * What Matrix must remember beyond the process: named JSON values, all in memory, their changes
 * gathered until the caller says that they are durable. Outside the process a row is a keyed hash
 * and a sealed box (libsodium), so that the state folder alone names no person and no room.
 */
#ifndef TRANSPORTS_MATRIX_STATE_H
#define TRANSPORTS_MATRIX_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "core/transport.h"

enum { MATRIX_STATE_KEY_BYTES = 32 };

struct matrix_state;

/* Never NULL. The key is copied. */
struct matrix_state *matrix_state_new(const unsigned char key[MATRIX_STATE_KEY_BYTES]);
void matrix_state_free(struct matrix_state *state);

/* Takes a row as matrix_state_rows gave it; a row of anybody else is passed over. False when it
 * does not open under this key or under this name. */
bool matrix_state_load(struct matrix_state *state, const struct state_row *row);

/* A new reference, or NULL; changing it changes nothing until it is put. */
json_t *matrix_state_get(const struct matrix_state *state, const char *name);
/* Only to be read, and only until the next call of these. */
const json_t *matrix_state_look(const struct matrix_state *state, const char *name);
/* Steals the reference. */
void matrix_state_put(struct matrix_state *state, const char *name, json_t *value);
void matrix_state_drop(struct matrix_state *state, const char *name);
bool matrix_state_has(const struct matrix_state *state, const char *name);
/* The same for the name "KIND/ID". */
json_t *matrix_state_get_of(const struct matrix_state *state, const char *kind, const char *id);
void matrix_state_put_of(
    struct matrix_state *state, const char *kind, const char *id, json_t *value);
void matrix_state_drop_of(struct matrix_state *state, const char *kind, const char *id);
/* Names that begin so; fn may put and drop. */
void matrix_state_each(struct matrix_state *state, const char *prefix,
    void (*fn)(void *ctx, const char *name), void *ctx);

/* Whether there is a change that was not kept. */
bool matrix_state_dirty(const struct matrix_state *state);
/* Every change that was not kept, as rows; they live until the next call of this. */
size_t matrix_state_rows(struct matrix_state *state, const struct state_row **rows);
/* The rows of the last matrix_state_rows are durable. */
void matrix_state_kept(struct matrix_state *state);
/* For pickles, which are sealed twice. */
const unsigned char *matrix_state_key(const struct matrix_state *state);

#endif
