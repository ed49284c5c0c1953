/* What the files behind matrix_crypto.h share. Nobody else includes it. */
#ifndef TRANSPORTS_MATRIX_INNER_H
#define TRANSPORTS_MATRIX_INNER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "transports/matrix_crypto.h"
#include "transports/matrix_identity.h"
#include "transports/matrix_olm.h"
#include "transports/matrix_parse.h"
#include "transports/matrix_queue.h"
#include "transports/matrix_state.h"

/* Ids are at most 255 bytes (Matrix specification, appendices); what is longer is not looked at. */
enum { MATRIX_ID = 256, MATRIX_NAME = 3 * MATRIX_ID };

#define MATRIX_OLM_ALGORITHM "m.olm.v1.curve25519-aes-sha2"
#define MATRIX_MEGOLM_ALGORITHM "m.megolm.v1.aes-sha2"

struct matrix_crypto {
	char user[MATRIX_ID], device[MATRIX_ID];
	struct matrix_state *state;
	const unsigned char *key; /* the state's */
	struct matrix_olm *olm;
	struct matrix_identity identity;
	struct matrix_queue *queue;
	int64_t now_ms; /* of the call under way */
	struct matrix_crypto_counts counts;

	/* Our own account, since open. */
	bool checked; /* the server was asked what it has of us */
	bool synced;
	bool rolled_back;
	bool identity_refused;
	int64_t one_time_count;	 /* at the server; -1 unknown */
	bool fallback_used;	 /* the server says so */
	int counts_to_pass_over; /* syncs that may tell counts from before the last upload */
	int64_t upload_after_ms; /* after a refusal */

	/* Who and what is to be asked. Keys of these objects are the people and devices. */
	json_t *wanted;	   /* user: true; their devices */
	json_t *failed;	   /* user: ms when their server could not be asked */
	json_t *doubted;   /* user: ms when we last asked without being told to */
	json_t *claims;	   /* user: {device: curve}; one-time keys */
	json_t *unclaimed; /* curve: ms when there was no one-time key */
	json_t *dummies;   /* curve: true; a word to say once there is a session */
	json_t *broken;	   /* curve: user; to be mended once their devices are known */
	json_t *greeted;   /* user: true; to be greeted once their devices are known */
	json_t *shut;	   /* room: ms when the server would not tell us of it */
	json_t *moved;	   /* room: true; members came or went while they were being asked */
	json_t *withheld;  /* session: code; keys that were refused to us */
	json_t *seen;	   /* hashes of Olm messages, while an answer's are read; else NULL */
	json_t *strange;   /* room: user; keys came for it although it is not known */

	/* Kept events. */
	json_t *waiting; /* event id: {"r": room, "s": session, "e": event, "t": ms, "u": told} */
	bool look_again; /* a key or a list of devices came since they were last tried */

	char *sealed; /* the last answer of matrix_crypto_seal */
};

/* The server refused something it should not have: fixed text. */
static inline void
matrix_inner_trouble(struct matrix_crypto *c, const char *what)
{
	c->counts.trouble = what;
}

static inline const char *
matrix_inner_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static inline bool
matrix_inner_says(const json_t *object, const char *key, const char *text)
{
	const char *is = matrix_inner_text(object, key);

	return is && strcmp(is, text) == 0;
}

/* An id that may be used: there, not empty, not too long. */
static inline bool
matrix_inner_id(const char *id)
{
	return id && *id && strnlen(id, MATRIX_ID) < MATRIX_ID;
}

#endif
