/*
 * The bot's identity: master, self-signing and user-signing key, from three seeds of 32 bytes.
 * Rules: Matrix specification, "Cross-signing".
 */
#ifndef TRANSPORTS_MATRIX_IDENTITY_H
#define TRANSPORTS_MATRIX_IDENTITY_H

#include <stdbool.h>

#include <jansson.h>
#include <sodium.h>

#include "transports/matrix_point.h"

enum matrix_use { MATRIX_USE_MASTER, MATRIX_USE_SELF, MATRIX_USE_USER, MATRIX_USES };

struct matrix_identity {
	unsigned char secret[MATRIX_USES][crypto_sign_SECRETKEYBYTES];
	char public[MATRIX_USES][MATRIX_KEY_TEXT];
};

/* Three new seeds, as base64 strings to be kept; a new reference. */
json_t *matrix_identity_new(void);
/* From what matrix_identity_new made; false when it is no such thing. */
bool matrix_identity_open(struct matrix_identity *identity, json_t *seeds);

/* Signs object for user with one of the keys; false when it has no canonical form. */
bool matrix_identity_sign(
    const struct matrix_identity *identity, enum matrix_use use, json_t *object, const char *user);
/* The key object to publish, signed by the master key unless it is that. A new reference. */
json_t *matrix_identity_key(
    const struct matrix_identity *identity, enum matrix_use use, const char *user);

#endif
