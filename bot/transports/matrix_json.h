/*
 * What a Matrix homeserver says, read: errors, fates, and what an event of a room means to the
 * engine. Pure: JSON in, structs out. Facts: MATRIX.md §2; the specification is v1.19. JSON comes
 * from matrix_parse (matrix_parse.h), so that one bad string spoils itself alone.
 */
#ifndef TRANSPORTS_MATRIX_JSON_H
#define TRANSPORTS_MATRIX_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "core/transport.h"
#include "io/http.h"

struct arena;

enum {
	MATRIX_JSON_ID = 256,	    /* ids are at most 255 bytes; what is longer is not looked at */
	MATRIX_JSON_WAIT_MS = 5000, /* a limit that says no time */
};

/* Text of a member, NULL when it is none. Lives as long as the object. */
const char *matrix_json_text(const json_t *object, const char *key);
bool matrix_json_says(const json_t *object, const char *key, const char *text);
/* A usable id: there, not empty, not too long, no line break. */
bool matrix_json_id(const char *id);
/* What stands behind the first colon of a user's id; "" when there is none. */
const char *matrix_json_server(const char *user);

/* What an answer that is no 200 says. */
struct matrix_error {
	const char *code; /* "M_FORBIDDEN", "" when none; lives as long as the answer */
	bool soft_logout;
	int64_t retry_after_ms; /* the larger of body and header; -1: none said */
};
void matrix_json_error(
    const struct http_answer *http, const json_t *answer, struct matrix_error *error);

/* What became of the request that carried out `op`. Strings of *out live as long as the answer. A
 * refused token is FATE_LATER for the whole network: the session is the poll's business. */
void matrix_json_fate(
    enum op op, const struct http_answer *http, const json_t *answer, struct outcome *out);

/* An event of a room as the engine's. False: it means nothing to us (our own, a notice, a
 * reaction, no message at all). `group`: others read along. Strings live in the arena or as long as
 * the event. */
bool matrix_json_event(struct arena *arena, const char *us, const char *room, bool group,
    const json_t *event, struct event *out);

/* "ROOT\nEVENT" of an event that was written in a thread, sealed or not, in the arena; else NULL. */
const char *matrix_json_thread(struct arena *arena, const json_t *event);

/* A media handle as matrix_json_event made it. False when it is none. Strings live as long as
 * *json, which is the caller's to decref. */
struct matrix_media {
	const char *server, *id;     /* of mxc://server/id, not yet escaped; in the arena */
	const char *key, *iv, *hash; /* of an encrypted file; NULL when it is not */
};
bool matrix_json_media(
    struct arena *arena, const char *handle, struct matrix_media *media, json_t **json);

#endif
