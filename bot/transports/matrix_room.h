/*
 * Rooms: which are encrypted (once so, for ever), who is in them, and our own session in each,
 * given to the devices that their owners have signed. Rows "room/<id>", "mine/<id>", "out/<txn>".
 * Rules: Matrix specification, "m.megolm.v1.aes-sha2", and MATRIX.md §3, 5 and 6.
 */
#ifndef TRANSPORTS_MATRIX_ROOM_H
#define TRANSPORTS_MATRIX_ROOM_H

#include "transports/matrix_inner.h"

/* A state event or an echo of ours; anything else is passed over. */
void matrix_room_event(struct matrix_crypto *c, const char *room, json_t *event, bool echoes);
/* Events were left out: who is in it is asked again. */
void matrix_room_gap(struct matrix_crypto *c, const char *room);
void matrix_room_gap_all(struct matrix_crypto *c);
bool matrix_room_encrypted(const struct matrix_crypto *c, const char *room);
void matrix_room_left(struct matrix_crypto *c, const char *room);

/* Answers of MATRIX_KIND_ROOM and MATRIX_KIND_MEMBERS; true: to be asked again. */
bool matrix_room_answered(
    struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer);
bool matrix_room_members(
    struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer);

enum matrix_sealing matrix_room_seal(
    struct matrix_crypto *c, const char *room, const char *txn, const char *type, json_t *content);
void matrix_room_sent(struct matrix_crypto *c, const char *txn);
/* A new device starts with no sessions and nothing half sent. */
void matrix_room_renew(struct matrix_crypto *c);

#endif
