/*
 * Keys in unpadded base64, and the points of Curve25519 that libolm accepts and must not: with one
 * of low order everybody knows the secret.
 */
#ifndef TRANSPORTS_MATRIX_POINT_H
#define TRANSPORTS_MATRIX_POINT_H

#include <stdbool.h>
#include <stddef.h>

enum { MATRIX_KEY_BYTES = 32, MATRIX_KEY_TEXT = 44 /* unpadded base64 and its NUL */ };

/* Exactly `bytes` bytes of unpadded (or padded) base64. */
bool matrix_point_decode(const char *text, unsigned char *out, size_t bytes);
/* `out` holds bytes * 4 / 3 + 4. */
void matrix_point_encode(const unsigned char *in, size_t bytes, char *out);
bool matrix_point_good(const unsigned char point[MATRIX_KEY_BYTES]);
/* 32 bytes in unpadded base64 that are no point of low order. */
bool matrix_point_text_good(const char *text);
/* Whether every public point in an Olm message (type 0 pre-key, or 1) is good. */
bool matrix_point_olm_good(int type, const char *body);

#endif
