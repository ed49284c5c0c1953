/* Any bytes as a picture or a sound: refused, or a copy that is not longer, of the same kind, and
 * stays the same when it is stripped once more. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/strip.h"

enum { LONGER = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct stripped once = strip_media(arena, data, size), twice;

	if (once.kind != STRIP_NONE) {
		demand(once.length <= size + LONGER);
		twice = strip_media(arena, once.bytes, once.length);
		demand(twice.kind == once.kind || once.kind == STRIP_MP3);
		if (twice.kind == once.kind && once.kind != STRIP_MP3) {
			demand(twice.length == once.length);
			demand(!memcmp(twice.bytes, once.bytes, once.length));
		}
	}
	arena_free(arena);
	return 0;
}
