/*
 * Matrix' end-to-end encryption, whole and pure: no network, no database, no clock of its own.
 * What came is put in, requests and readable events are taken out, and what must last is handed
 * out as state rows. On libolm; the rules are those of the Matrix specification v1.19,
 * client-server API, "End-to-end encryption".
 *
 * The order that loses nothing and sends nothing twice:
 *	1. matrix_crypto_sync with each /sync answer, then matrix_crypto_read for each encrypted
 *	   event of a timeline, then matrix_crypto_late until it answers false;
 *	2. matrix_crypto_rows along with `came`, matrix_crypto_kept when it answered true;
 *	3. as long as matrix_crypto_dirty: matrix_crypto_rows with `keep`, matrix_crypto_kept;
 *	4. matrix_crypto_next until it answers NULL, each to be sent as it is; its answer goes to
 *	   matrix_crypto_answered; then 3 again.
 *	   At matrix_crypto_due_ms: matrix_crypto_late, 3 and 4.
 *	5. Every outgoing event of a room goes through matrix_crypto_seal, whether the room is
 *	   encrypted or not; MATRIX_SEAL_WAIT is asked again after 3 and 4, or after any answer.
 * Nothing that depends on rows not yet kept ever leaves: next and seal hold it back by themselves.
 * So seal as many events as there are slots, then keep once for all of them.
 * When `came` or `keep` fail, the same rows come again with the next matrix_crypto_rows; the same
 * /sync may be put in twice. What matrix_crypto_late gave is given once: hold it until `came`
 * answered true.
 *
 * JSON that is put in is only read and may be anything at all; parse what a server sent with
 * matrix_parse (matrix_parse.h), which takes what jansson refuses.
 */
#ifndef TRANSPORTS_MATRIX_CRYPTO_H
#define TRANSPORTS_MATRIX_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "core/transport.h"

enum { MATRIX_CRYPTO_KEY_BYTES = 32, MATRIX_CRYPTO_FINGERPRINT = 56 };

struct matrix_crypto;

/* ---- life ---- */

struct matrix_crypto_options {
	const char *user, *device; /* as /account/whoami says; copied */
	const unsigned char *key; /* 32 bytes that seal the rows, the same at every start; copied */
	const struct state_row *rows; /* all that matrix_crypto_rows ever gave; live during the
					 call; rows of others among them are passed over */
	size_t count;
	int64_t now_ms;
};

/* Whether the device's state can be trusted. */
enum matrix_standing {
	MATRIX_STANDING_CHECKING, /* the server was not asked yet; nothing encrypted leaves */
	MATRIX_STANDING_GOOD,
	/* The server knows more of this device than we do: the state was lost, or is an old copy.
	 * Nothing encrypted is sent or asked any more. A new device is needed: log in with the
	 * password and without a device id, then matrix_crypto_renew. Without a password: exit 77.
	 */
	MATRIX_STANDING_ROLLED_BACK,
};

/* NULL when the rows were sealed under another key or are damaged: do not go on without them, say
 * so. Rows of another device than options->device are renewed as by matrix_crypto_renew. */
struct matrix_crypto *matrix_crypto_open(const struct matrix_crypto_options *options);
void matrix_crypto_free(struct matrix_crypto *crypto);
/* Another device id after a new login: keys and sessions are made anew; the identity
 * (cross-signing), what is known of other people and which rooms are encrypted stay. */
void matrix_crypto_renew(struct matrix_crypto *crypto, const char *device, int64_t now_ms);

/* Whether keys were made anew, by any start until it was noted: people must hear of it. */
bool matrix_crypto_renewed(const struct matrix_crypto *crypto);
void matrix_crypto_renewal_noted(struct matrix_crypto *crypto);

enum matrix_standing matrix_crypto_standing(const struct matrix_crypto *crypto);
/* Whether this device is signed by the bot's identity as far as the server said. */
bool matrix_crypto_signed(const struct matrix_crypto *crypto);
/* The public master key in groups of four, for `status` and for publication. */
void matrix_crypto_fingerprint(
    const struct matrix_crypto *crypto, char out[MATRIX_CRYPTO_FINGERPRINT]);

/* For status; since open. */
struct matrix_crypto_counts {
	int64_t read, late, unreadable, refused; /* events of rooms */
	int64_t olm_broken;			 /* to-device messages that did not open */
	int64_t unsigned_devices;		 /* not given a key at the last sharing */
	int64_t waiting;			 /* events kept for a key that may come, now */
	int64_t changed_identities;		 /* refused until they have lasted */
	const char *trouble; /* the last refusal by the server, fixed text, or NULL */
};
struct matrix_crypto_counts matrix_crypto_counts(const struct matrix_crypto *crypto);

/* ---- what must last ---- */

/* Whether there are rows that were not kept. */
bool matrix_crypto_dirty(const struct matrix_crypto *crypto);
/* Every change that is not kept yet: names and bytes tell nothing without the key; bytes NULL
 * deletes. They live until the next call of this or of matrix_crypto_free. */
size_t matrix_crypto_rows(struct matrix_crypto *crypto, const struct state_row **rows);
/* The rows of the last matrix_crypto_rows are durable. */
void matrix_crypto_kept(struct matrix_crypto *crypto);

/* ---- what comes in ---- */

/* A whole answer of /sync, at first. `initial`: it was asked without `since` (device lists and
 * members are then all asked again, and old room events are the caller's to pass over). Looks at
 * to_device, device_lists, the key counts, and in rooms.join and rooms.leave at the state and
 * timeline events m.room.encryption, m.room.member, m.room.history_visibility and at our own
 * echoes. */
void matrix_crypto_sync(
    struct matrix_crypto *crypto, const json_t *answer, bool initial, int64_t now_ms);
/* One event of a room that came otherwise (a filled gap): the same look. Call it before reading. */
void matrix_crypto_noticed(
    struct matrix_crypto *crypto, const char *room, const json_t *event, int64_t now_ms);

enum matrix_reading {
	MATRIX_READ_GOOD,
	/* Its key is not here or its sender's devices are being asked for: it is kept, at most an
	 * hour, and comes out of matrix_crypto_late when it can be read. */
	MATRIX_READ_WAIT,
	/* Only from matrix_crypto_late: it has waited for half a minute, or its key was refused to
	 * us: one clear sentence is due (EVENT_UNREADABLE). It may still come as GOOD later on.
	 * Once for a room and a session. */
	MATRIX_READ_UNREADABLE,
	/* Never readable, and nothing to say about it: replayed, forged, malformed, not from a
	 * device that its owner has signed, or our own echo. `why` tells which, for the counters.
	 */
	MATRIX_READ_REFUSED,
};
struct matrix_read {
	enum matrix_reading how;
	char room[256], device[256]; /* device: the sender's, "" unless GOOD */
	/* GOOD: a new reference, json_decref it: the event as it came, with type and content of the
	 * plaintext and the m.relates_to of the wire. UNREADABLE: the event as it came. Else NULL.
	 */
	json_t *event;
	const char *why; /* static, fixed text; NULL when GOOD */
};
/* An event of type m.room.encrypted of a timeline. The same event again gives the same again.
 * Who may speak: only devices signed by the identity first seen for their owner; so what is GOOD is
 * its sender's, and a server cannot speak for anybody. What comes in clear in a room where
 * matrix_crypto_encrypted says true is nobody's: do not act on it. */
void matrix_crypto_read(struct matrix_crypto *crypto, const char *room, const json_t *event,
    int64_t now_ms, struct matrix_read *out);
/* The next kept event that became readable or has waited long enough. False: none now. */
bool matrix_crypto_late(struct matrix_crypto *crypto, int64_t now_ms, struct matrix_read *out);

/* Whether this room is known to be encrypted: once so, for ever. */
bool matrix_crypto_encrypted(const struct matrix_crypto *crypto, const char *room);
/* We are no longer in this room: its sessions and kept events are dropped. That it was encrypted
 * stays. Called by matrix_crypto_sync itself for rooms.leave. */
void matrix_crypto_left(struct matrix_crypto *crypto, const char *room);

/* This person opens a private chat with us: each of their devices with which there is no session here
 * (we forgot them, they did not forget us) gets one, so that their first words can be read. At most
 * once in an hour a device. */
void matrix_crypto_greet(struct matrix_crypto *crypto, const char *user, int64_t now_ms);

/* This person is erased: nothing of them stays, not even the identity they were first seen with. */
void matrix_crypto_forget(struct matrix_crypto *crypto, const char *user);

/* ---- what goes out ---- */

enum matrix_sealing {
	MATRIX_SEAL_READY, /* send *type with *content */
	MATRIX_SEAL_CLEAR, /* the room is not encrypted: send what you have */
	MATRIX_SEAL_WAIT,  /* keys or rows are under way: ask again after the next answer or keep */
	MATRIX_SEAL_NOBODY,  /* no device of anybody else may read: FATE_LATER; never send it in
				clear */
	MATRIX_SEAL_REFUSED, /* the content cannot be encrypted: it is no object, holds reals, or is
				too big; or the room's algorithm is unknown; or the state is rolled
				back */
};
/* `txn` names this event for good (the shipment's id): the same txn gives the same bytes again,
 * after a restart too, until matrix_crypto_sent. *sealed lives until the next call of any function
 * here; it is compact JSON of an m.room.encrypted content. m.relates_to stays outside the
 * ciphertext. Do not pass m.reaction and m.room.redaction through here: they are never encrypted;
 * ask matrix_crypto_encrypted whether to send them at all. */
enum matrix_sealing matrix_crypto_seal(struct matrix_crypto *crypto, const char *room,
    const char *txn, const char *type, const json_t *content, int64_t now_ms, const char **sealed);
/* This event was sent, or never will be: its bytes are forgotten with the next rows. */
void matrix_crypto_sent(struct matrix_crypto *crypto, const char *txn);

/* A request to make, with the access token. At most some are out at once; a kind is never out
 * twice. Lives until it is answered. */
struct matrix_request {
	int64_t cookie;
	const char *method; /* "GET", "POST", "PUT" */
	const char *path;   /* from /_matrix on, escaped, with its query */
	const char *body;   /* compact JSON, or NULL with GET */
	const char *label;  /* static, for the log */
	/* A 401 with `session` may be answered once by the same body with
	 * "auth":{"type":"m.login.password","identifier":…,"password":…,"session":…} added. What is
	 * then answered, or the 401 when there is no password, goes to matrix_crypto_answered. */
	bool password_helps;
};
/* The next request, or NULL: nothing to ask now, or rows must be kept first. */
const struct matrix_request *matrix_crypto_next(struct matrix_crypto *crypto, int64_t now_ms);
/* `status` 0: no answer (not sent, or lost: both are right, all requests may be repeated). With 0,
 * 408, 425, 429 and 5xx it is given out by matrix_crypto_next again, after the larger of
 * `retry_after_ms` (-1: none said) and a growing pause. `answer` may be NULL or anything.
 * A 401 M_UNKNOWN_TOKEN is the caller's own business first: pass it on as status 0 then. */
void matrix_crypto_answered(struct matrix_crypto *crypto, int64_t cookie, int status,
    const json_t *answer, int64_t retry_after_ms, int64_t now_ms);
/* When to call matrix_crypto_late and matrix_crypto_next though nothing came; INT64_MAX: never. */
int64_t matrix_crypto_due_ms(const struct matrix_crypto *crypto);

#endif
