/*
 * Our own device: its keys, its one-time and fallback keys, the identity that signs it, and whether
 * the server knows more of it than we do. Rows "self" (goes with the device) and "identity"
 * (stays).
 */
#ifndef TRANSPORTS_MATRIX_ACCOUNT_H
#define TRANSPORTS_MATRIX_ACCOUNT_H

#include "transports/matrix_inner.h"

/* From the rows, or made new; false when they are damaged. */
bool matrix_account_open(struct matrix_crypto *c);
/* A new device: new keys. */
void matrix_account_renew(struct matrix_crypto *c);
/* The account changed: its pickle is to be kept. */
void matrix_account_keep(struct matrix_crypto *c);
/* Our device keys as they are published, signed by the device and the identity; a new reference. */
json_t *matrix_account_device_keys(struct matrix_crypto *c);
bool matrix_account_signed(const struct matrix_crypto *c);

/* What /sync says of our keys. */
void matrix_account_sync(struct matrix_crypto *c, json_t *answer);
/* Asks for what is missing. */
void matrix_account_step(struct matrix_crypto *c);
/* The answer of a job of the first four kinds; true: it is to be made again. */
bool matrix_account_answered(
    struct matrix_crypto *c, struct matrix_job *job, int status, json_t *answer);
int64_t matrix_account_due_ms(const struct matrix_crypto *c);
/* Stop: somebody else has been this device, or we are an old copy. */
void matrix_account_rolled_back(struct matrix_crypto *c, const char *why);

#endif
