/*
 * Ed25519 signatures over JSON objects. Verification is libsodium's, which refuses malleated
 * signatures and keys of small order (libolm 3.2.13 accepts both). Rules: Matrix specification,
 * appendices, "Signing JSON".
 */
#ifndef TRANSPORTS_MATRIX_SIGN_H
#define TRANSPORTS_MATRIX_SIGN_H

#include <stdbool.h>

#include <jansson.h>

/* Whether object.signatures[user]["ed25519:"key_id] is `key`'s signature over the object. */
bool matrix_sign_verify(
    const json_t *object, const char *user, const char *key_id, const char *key);
/* Adds a signature to object.signatures. */
void matrix_sign_attach(
    json_t *object, const char *user, const char *key_id, const char *signature);

#endif
