/*
 * The list of who was erased, beside the database: a restore brings an older state back, and whoever
 * was erased since must go again. It holds keyed hashes, which tell nothing without the state key,
 * a serial number that only grows, and the day. The table `erasure` is the truth; this is its copy
 * that a lost or restored database leaves behind.
 */
#ifndef STORE_ERASED_H
#define STORE_ERASED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/seal.h"

struct erased {
	unsigned char hash[SEAL_HASH_BYTES];
	int64_t serial, day;
};

/* The highest serial in it; 0: none, -1: there is no list. */
int64_t erased_last(const char *path);
/* Appends and syncs; false and errno when that fails. */
bool erased_add(const char *path, const struct erased *entries, size_t count);
/* Calls back with each whose serial is higher. False: there is no list. */
bool erased_each(const char *path, int64_t after,
    void (*each)(void *ctx, const struct erased *entry), void *ctx);
/* What is older than that day leaves the list; the highest serial stays known. */
void erased_prune(const char *path, int64_t before_day);

#endif
