/*
 * libolm's group sessions: one ratchet that its maker advances and everybody who was given its key
 * follows. Sessions are pickles, sealed under the caller's 32-byte key. Strings that are returned
 * are the caller's to free.
 */
#ifndef TRANSPORTS_MATRIX_MEGOLM_H
#define TRANSPORTS_MATRIX_MEGOLM_H

#include <stdbool.h>
#include <stdint.h>

enum { MATRIX_SESSION_TEXT = 44 /* a session's id and its NUL */ };

/* A new session of our own, as a pickle, and its id. */
char *matrix_megolm_new(const unsigned char *key, char id[MATRIX_SESSION_TEXT]);
/* What lets others read from the next message on, and that message's index; NULL: does not open. */
char *matrix_megolm_share(const char *pickle, const unsigned char *key, uint32_t *index);
/* The message, and *pickle replaced; NULL when the pickle does not open. */
char *matrix_megolm_encrypt(char **pickle, const unsigned char *key, const char *text);

/* Somebody's session from the key they shared, as a pickle, its id and the first index that it can
 * read. NULL when the key is none. */
char *matrix_megolm_take(
    const char *shared, const unsigned char *key, char id[MATRIX_SESSION_TEXT], uint32_t *first);
/* The text and its index, NUL behind it; NULL when it does not open. */
char *matrix_megolm_decrypt(
    const char *pickle, const unsigned char *key, const char *body, uint32_t *index);
/* The index that a message claims, without opening it. */
bool matrix_megolm_index(const char *body, uint32_t *index);

#endif
