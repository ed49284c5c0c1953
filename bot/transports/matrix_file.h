/*
 * Files in encrypted rooms: AES-256-CTR with a key of their own that travels inside the encrypted
 * event (Matrix specification v1.19, client-server API, "Sending encrypted attachments"). On
 * libcrypto: libsodium has no AES-CTR. Pure.
 */
#ifndef TRANSPORTS_MATRIX_FILE_H
#define TRANSPORTS_MATRIX_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* Encrypts in place under a new key; a new reference: EncryptedFile without its url. NULL when the
 * library refuses. */
json_t *matrix_file_seal(unsigned char *bytes, size_t length);
/* All that is needed to send it once more, as one line (NULL: not such a file); free() it. And back;
 * NULL: it is the number of a file that is not encrypted. */
char *matrix_file_number(const json_t *file, const char *url, size_t length);
json_t *matrix_file_numbered(const char *number, size_t *length);
/* Decrypts in place; the three as in EncryptedFile. False when they are malformed or the hash is
 * another: nothing of it may be used then. */
bool matrix_file_open(
    unsigned char *bytes, size_t length, const char *key, const char *iv, const char *hash);

#endif
