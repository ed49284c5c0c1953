/*
 * Sealing: libsodium's XChaCha20-Poly1305 under a per-person key, which is itself wrapped by the
 * state key in a slot that is overwritten in place: erasing a person is erasing the slot first.
 * Keyed hashes (BLAKE2b) stand for network ids in look-ups.
 */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/db.h"

struct arena;
struct seal; /* holds the state key; wiped when closed */

enum { SEAL_KEY_BYTES = 32, SEAL_HASH_BYTES = 16 };

/* Reads the 32 bytes of the key file; makes one (0600) when it is missing, the folder is
 * writable and `may_make`. NULL: *why says what was expected; free() it. */
struct seal *seal_open(const char *key_file, bool may_make, char **why);
/* From 32 bytes; for tests and the simulator. */
struct seal *seal_from(const unsigned char key[SEAL_KEY_BYTES]);
void seal_close(struct seal *seal);

/* A keyed hash of (purpose, bytes): the same input gives the same 16 bytes under one state key. */
void seal_hash(const struct seal *seal, const char *purpose, const void *bytes, size_t length,
    unsigned char out[SEAL_HASH_BYTES]);
/* A check value kept in the database, so that a wrong key file is found at once. */
void seal_fingerprint(const struct seal *seal, unsigned char out[SEAL_HASH_BYTES]);

/* A new random key for a person, wrapped: the slot's content. */
struct blob seal_slot_new(const struct seal *seal, struct arena *arena, int64_t person);
/* Seals under a person's key (its slot) or, with an empty slot, under the state key. `purpose` is
 * bound in: what was sealed for one column never opens as another; at most 64 bytes. NULL bytes for
 * NULL bytes, and when the slot does not open (overwritten). So erase a slot by overwriting it with
 * as many zeros, never with NULL, which would stand for the state key. */
struct blob seal_box(const struct seal *seal, struct arena *arena, struct blob slot, int64_t person,
    const char *purpose, struct blob plain);
/* NULL bytes when it does not open: wrong key, another purpose, slot overwritten, damaged. */
struct blob seal_unbox(const struct seal *seal, struct arena *arena, struct blob slot,
    int64_t person, const char *purpose, struct blob sealed);

/* Bytes that lie somewhere and hold still meanwhile. */
struct seal_source {
	const char *name; /* for complaints */
	int64_t length;
	void *ctx;
	bool (*read)(void *ctx, void *bytes, size_t length, int64_t at);
};
/* A file under the state key, in chunks, with a mark at its end (backups): nothing plain is written
 * anywhere. NULL, or why not (free() it). */
char *seal_pour(const struct seal *seal, const struct seal_source *from, const char *to);
/* Reads it back to its end, byte for byte against the source, and writes nothing. */
char *seal_compare(const struct seal *seal, const char *sealed, const struct seal_source *with);
/* A sealed file to another disk: read back there before the first one goes. */
char *seal_carry(const char *from, const char *to);
/* Opened again; nothing is left at `to` when it is damaged or of another key. */
char *seal_unfile(const struct seal *seal, const char *from, const char *to);

/* Random bytes: libsodium's, or from where seal_random_from said (the simulator's seed). */
void seal_random(void *bytes, size_t length);
void seal_random_from(void (*fill)(void *bytes, size_t length));

#endif
