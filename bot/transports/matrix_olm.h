/*
 * libolm's account and its two-sided sessions, with sizes, errors and buffers dealt with once.
 * Sessions are pickles, sealed under the caller's 32-byte key. Every public point is looked at
 * before libolm sees it. Strings that are returned are the caller's to free.
 */
#ifndef TRANSPORTS_MATRIX_OLM_H
#define TRANSPORTS_MATRIX_OLM_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct matrix_olm; /* an account: a device's own keys */

/* A new account. */
struct matrix_olm *matrix_olm_new(void);
/* NULL when it does not open. */
struct matrix_olm *matrix_olm_open(const char *pickle, const unsigned char *key);
void matrix_olm_free(struct matrix_olm *olm);
char *matrix_olm_pickle(struct matrix_olm *olm, const unsigned char *key);

/* Its identity keys, base64; they live as long as it does. */
const char *matrix_olm_curve(const struct matrix_olm *olm);
const char *matrix_olm_ed(const struct matrix_olm *olm);
char *matrix_olm_sign(struct matrix_olm *olm, const char *text);

/* One-time keys: libolm holds 100 and forgets the oldest beyond that. */
void matrix_olm_make_keys(struct matrix_olm *olm, size_t count);
/* A new fallback key; the one before stays until it is forgotten. */
void matrix_olm_make_fallback(struct matrix_olm *olm);
void matrix_olm_forget_fallback(struct matrix_olm *olm);
/* {id: key}, those not yet published; a new reference. */
json_t *matrix_olm_keys(struct matrix_olm *olm);
json_t *matrix_olm_fallback(struct matrix_olm *olm);
void matrix_olm_published(struct matrix_olm *olm);

/* A session towards a device, as a pickle; NULL when a key is no good. */
char *matrix_olm_begin(struct matrix_olm *olm, const unsigned char *key, const char *their_curve,
    const char *their_one_time);
/* A session that a pre-key message opens, as a pickle, with the message's text; the one-time key
 * it used is gone from the account. NULL, and nothing changed, when it does not open. */
char *matrix_olm_answer(struct matrix_olm *olm, const unsigned char *key, const char *their_curve,
    const char *body, char **text);
/* Whether a pre-key message belongs to this session. */
bool matrix_olm_matches(
    const char *pickle, const unsigned char *key, const char *their_curve, const char *body);
/* The text, and *pickle replaced by what follows it; NULL, and nothing changed, when it does not
 * open. */
char *matrix_olm_decrypt(char **pickle, const unsigned char *key, int type, const char *body);
/* The message, its type, and *pickle replaced; NULL when the pickle does not open. */
char *matrix_olm_encrypt(char **pickle, const unsigned char *key, const char *text, int *type);

#endif
