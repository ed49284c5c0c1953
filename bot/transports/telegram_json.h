/*
 * What Telegram's server says, read: answers, updates, and what an answer means for a shipment.
 * Pure: bytes in, structs out. Facts: TELEGRAM.md; the letters in brackets below are its sections.
 */
#ifndef TRANSPORTS_TELEGRAM_JSON_H
#define TRANSPORTS_TELEGRAM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/transport.h"
#include "io/http.h"
#include "transports/slice.h"

struct arena;

/* Who the bot is. */
struct telegram_me {
	int64_t id;
	char username[40];
};

/* An answer of any method [1.2, 1.9]. */
struct telegram_answer {
	bool whole; /* a JSON object with "ok" */
	bool ok;
	int code;	       /* error_code; 0 */
	int64_t retry_after_s; /* of the parameters or the description; -1: none */
	int64_t migrate_to;    /* 0: none */
	struct slice result;
	char description[160]; /* lower case; only to be matched, never logged */
};
void telegram_json_answer(const void *bytes, size_t length, struct telegram_answer *answer);
/* How long a limit (429) holds, by the answer (NULL: none) or else by its header (-1: none): a
 * week at the most; -1 when neither says. */
int64_t telegram_json_retry_s(const struct telegram_answer *answer, int64_t header_s);

/* The result of getMe; false when it is none. */
bool telegram_json_me(struct slice result, struct telegram_me *me);

/* The result of getUpdates. Everything lives in the arena or in the answer's bytes. */
struct telegram_updates {
	struct event *events;
	size_t event_count;
	size_t update_count; /* also those that mean nothing to us */
	int64_t next;	     /* the last one's id + 1: never a maximum [0.3]; -1: none had an id */
	bool broken;	     /* the array was cut: ask again, one at a time */
};
void telegram_json_updates(struct arena *arena, const struct telegram_me *me, struct slice result,
    struct telegram_updates *updates);
/* An answer that cannot be read although it should hold one update: an event of kind
 * EVENT_UNREADABLE with the bytes, when an update_id can be made out; else nothing. */
void telegram_json_salvage(struct arena *arena, const struct telegram_me *me, const void *bytes,
    size_t length, struct telegram_updates *updates);

/* What may be tried once more at once, because this refusal has a cure. */
enum telegram_cure {
	CURE_NONE,
	CURE_PLAIN,   /* the same without entities */
	CURE_CAPTION, /* the message has a caption and no text */
	CURE_UPLOAD,  /* the file id is no good: send the bytes */
};
/* What became of a request that carried out `op` [1.9, 1.11]. `http` is the request's outcome,
 * `retry_after_s` that of the header (-1). Strings of *out live in the arena. `out->whole_network`
 * is set when nobody can be reached. */
enum telegram_cure telegram_json_fate(struct arena *arena, enum op op,
    const struct http_answer *http, int64_t retry_after_s, const struct telegram_answer *answer,
    struct outcome *out);

/* The path of a getFile result, or NULL; *bytes is its size or -1. */
char *telegram_json_file(struct arena *arena, struct slice result, int64_t *bytes);

#endif
