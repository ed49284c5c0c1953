/*
 * How much is kept of people's devices. Whoever may write to our device may make us keep a session,
 * and a server can invent people and keys without end: of one person the sessions of OF_ONE devices
 * stay beside those of the devices they have now, and of people with whom no readable word was
 * exchanged in a room the newest MATRIX_STRANGERS. Rows "olmof/<user>", "strangers".
 */
#ifndef TRANSPORTS_MATRIX_STRANGERS_H
#define TRANSPORTS_MATRIX_STRANGERS_H

#include "transports/matrix_inner.h"

enum { MATRIX_STRANGERS = 500, MATRIX_STRANGERS_OF_ONE = 30 };

/* A session or a mark of this device is kept from now on; the oldest of what is too much goes. */
void matrix_strangers_device(struct matrix_crypto *c, const char *user, const char *curve);
/* Something is kept of them. */
void matrix_strangers_met(struct matrix_crypto *c, const char *user);
/* They speak with us in a room: they are never pushed out, until they share none with us any more. */
void matrix_strangers_settled(struct matrix_crypto *c, const char *user);
void matrix_strangers_left(struct matrix_crypto *c, const char *user);
/* All sessions with this person go. */
void matrix_strangers_forget(struct matrix_crypto *c, const char *user);

#endif
