/*
 * Our own session in a room: when it ends, which devices have its key, which are told that they do
 * not get it. Rows "mine/<room>" and "ours/<room>". Rules: MATRIX.md §3, 5 and 6; Matrix
 * specification, "m.room_key.withheld" and the rotation in "m.room.encryption".
 */
#ifndef TRANSPORTS_MATRIX_SHARE_H
#define TRANSPORTS_MATRIX_SHARE_H

#include "transports/matrix_inner.h"

/* READY: everybody who may read has, or cannot have, the key of the session in use. `room_row` has
 * the members. WAIT: something was asked or is on its way. NOBODY: no device may read. */
enum matrix_sealing matrix_share_ready(struct matrix_crypto *c, const char *room, json_t *room_row);
/* The next message of the session in use: m.room.encrypted content, a new reference. */
json_t *matrix_share_encrypt(struct matrix_crypto *c, const char *room, const char *text);
/* The session in use is not used again. */
void matrix_share_discard(struct matrix_crypto *c, const char *room);
/* Whether we can have made this message. */
bool matrix_share_knows(
    struct matrix_crypto *c, const char *room, const char *session, const char *body);

#endif
