/* The world of the unit tests (tests/unit/world.h) for a fuzzer: what does not hold ends it. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define assert_true(x) ((x) ? (void)0 : abort())
#define assert_false(x) assert_true(!(x))
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_string_equal(a, b) assert_true(!strcmp(a, b))
#define fail_msg(...) abort()

static char *
unit_read(const char *path, size_t *length)
{
	(void)path;
	(void)length;
	return NULL;
}

#define WORLD_FOLDER "/dev/shm/world-XXXXXX"
#include "../unit/world.h"
#include "../unit/every_feature.h"

static const struct feature *const *const world_features = features;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
