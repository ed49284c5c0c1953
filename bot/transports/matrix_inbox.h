/*
 * What comes in encrypted: messages to our device, room keys, events of rooms, and those events
 * that wait for their key. Rows "in/<room>/<session>", "ins/<room>", "wait/<event>".
 * Rules: Matrix specification, "m.megolm.v1.aes-sha2"; MATRIX.md §3, 3 and 4.
 */
#ifndef TRANSPORTS_MATRIX_INBOX_H
#define TRANSPORTS_MATRIX_INBOX_H

#include "transports/matrix_inner.h"

void matrix_inbox_open(struct matrix_crypto *c);
/* One event of to_device. */
void matrix_inbox_to_device(struct matrix_crypto *c, json_t *event);

void matrix_inbox_read(
    struct matrix_crypto *c, const char *room, json_t *event, struct matrix_read *out);
bool matrix_inbox_late(struct matrix_crypto *c, struct matrix_read *out);
int64_t matrix_inbox_due_ms(const struct matrix_crypto *c);
/* Sessions and kept events of this room are dropped. */
void matrix_inbox_left(struct matrix_crypto *c, const char *room);

#endif
