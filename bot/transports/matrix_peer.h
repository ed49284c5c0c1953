/*
 * Olm with other people's devices: sessions, one-time keys claimed, messages to devices made,
 * opened and sent until the server has them. Rows "olm/<curve>", "send/<txn>", "olmseen".
 * Rules: Matrix specification, "m.olm.v1.curve25519-aes-sha2".
 */
#ifndef TRANSPORTS_MATRIX_PEER_H
#define TRANSPORTS_MATRIX_PEER_H

#include "transports/matrix_devices.h"
#include "transports/matrix_inner.h"

/* What the last process could not send is queued again. */
void matrix_peer_open(struct matrix_crypto *c);

bool matrix_peer_ready(const struct matrix_crypto *c, const char *curve);
/* Wants a session with this device. False: there was no one-time key for it just now. */
bool matrix_peer_want(struct matrix_crypto *c, const struct matrix_device *device);
/* Asks for the one-time keys that are wanted. */
void matrix_peer_step(struct matrix_crypto *c);
/* True: to be asked again. */
bool matrix_peer_claimed(
    struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer);

/* The content of a message that only this device can open; steals content. NULL: no session. */
json_t *matrix_peer_seal(
    struct matrix_crypto *c, const struct matrix_device *device, const char *type, json_t *content);
/* Puts content for a device into messages, {user: {device: content}}; steals it. */
void matrix_peer_put(json_t *messages, const char *user, const char *device, json_t *content);
/* Sends messages of this type, durably; steals them. `room`: whose key it is, or NULL. */
void matrix_peer_send(
    struct matrix_crypto *c, const char *type, const char *room, json_t *messages);
void matrix_peer_sent(struct matrix_crypto *c, struct matrix_job *job);

/* Opens an Olm message and does every check: the plaintext, of which sender, recipient and keys are
 * right; a new reference. NULL: seen before, not for us, forged, or it did not open (then a new
 * session is begun, once in an hour). */
json_t *matrix_peer_open_message(struct matrix_crypto *c, json_t *event);
/* Which messages were opened becomes a row: after the last of an answer. */
void matrix_peer_seen_keep(struct matrix_crypto *c);
/* Begins a new session with whoever holds this key and says a word, once in an hour. */
void matrix_peer_mend(struct matrix_crypto *c, const char *user, const char *curve);
/* Who was forgotten still writes on the session that they remember: each of their devices without one
 * here gets a new one, once in an hour, before they write. */
void matrix_peer_greet(struct matrix_crypto *c, const char *user);
/* Lists of devices came: what waited for them is mended. */
void matrix_peer_listed(struct matrix_crypto *c);

#endif
