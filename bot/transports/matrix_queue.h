/* The requests that encryption wants made: each is given out, answered, and perhaps made again. */
#ifndef TRANSPORTS_MATRIX_QUEUE_H
#define TRANSPORTS_MATRIX_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "transports/matrix_crypto.h"

enum matrix_kind {
	MATRIX_KIND_OWN,	/* what the server has of ourselves */
	MATRIX_KIND_UPLOAD,	/* our keys */
	MATRIX_KIND_IDENTITY,	/* our cross-signing keys */
	MATRIX_KIND_SIGNATURES, /* our device and master key, signed */
	MATRIX_KIND_QUERY,	/* other people's devices */
	MATRIX_KIND_CLAIM,	/* their one-time keys */
	MATRIX_KIND_ROOM,	/* whether `subject`, a room, is encrypted */
	MATRIX_KIND_MEMBERS,	/* who is in `subject`, a room */
	MATRIX_KIND_TO_DEVICE,	/* `note` is the name of the row that repeats it */
};

struct matrix_queue;

struct matrix_job {
	struct matrix_request request;
	enum matrix_kind kind;
	char *subject; /* or NULL */
	json_t *note;  /* what it was about, or NULL */
	int tries;
	int64_t not_before_ms;
	bool out;
	struct matrix_job *next;
};

struct matrix_queue *matrix_queue_new(void);
void matrix_queue_free(struct matrix_queue *queue);
void matrix_queue_clear(struct matrix_queue *queue);

/* Steals body and note; path is copied. */
void matrix_queue_add(struct matrix_queue *queue, enum matrix_kind kind, const char *method,
    const char *path, json_t *body, const char *subject, json_t *note);
/* One of this kind, and of this subject unless NULL. */
bool matrix_queue_has(const struct matrix_queue *queue, enum matrix_kind kind, const char *subject);
/* The next to make now, marked as out; NULL: none, or enough are out. */
const struct matrix_request *matrix_queue_next(struct matrix_queue *queue, int64_t now_ms);
/* The one that is out under this cookie, taken from the queue, or NULL: the caller either gives it
 * back to be made again, after a growing pause but not before after_ms, or ends it. */
struct matrix_job *matrix_queue_take(struct matrix_queue *queue, int64_t cookie);
void matrix_queue_again(
    struct matrix_queue *queue, struct matrix_job *job, int64_t after_ms, int64_t now_ms);
void matrix_queue_end(struct matrix_job *job);
/* When the next one that is not out may be made; INT64_MAX: none. */
int64_t matrix_queue_due_ms(const struct matrix_queue *queue);

/* A path or its part for a URL; free() it. */
char *matrix_queue_escape(const char *text);

#endif
