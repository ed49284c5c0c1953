#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { BLOCK_BYTES = 64 * 1024, ALIGN = 16 };

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(ALIGN) unsigned char bytes[];
};

struct arena {
	struct block *blocks; /* the newest first */
	size_t used;
};

static struct block *
block_new(size_t size)
{
	struct block *b = memory_new(sizeof(*b) + size);

	b->size = size;
	POISON(b->bytes, size);
	return b;
}

static void
block_free(struct block *b)
{
	UNPOISON(b->bytes, b->size);
	free(b);
}

struct arena *
arena_new(void)
{
	struct arena *a = memory_new(sizeof(*a));

	a->blocks = block_new(BLOCK_BYTES);
	return a;
}

void
arena_free(struct arena *a)
{
	struct block *b, *next;

	if (!a)
		return;
	for (b = a->blocks; b; b = next) {
		next = b->next;
		block_free(b);
	}
	free(a);
}

void
arena_forget(struct arena *a)
{
	struct block *b, *next, *keep = NULL;

	for (b = a->blocks; b; b = next) {
		next = b->next;
		if (!keep && b->size == BLOCK_BYTES) {
			/* Zeroed now, so that no text outlives its turn and arena_alloc need not. */
			UNPOISON(b->bytes, b->size);
			memset(b->bytes, 0, b->used);
			POISON(b->bytes, b->size);
			b->used = 0;
			b->next = NULL;
			keep = b;
		} else {
			UNPOISON(b->bytes, b->size);
			explicit_bzero(b->bytes, b->used);
			block_free(b);
		}
	}
	a->blocks = keep ? keep : block_new(BLOCK_BYTES);
	a->used = 0;
}

void *
arena_alloc(struct arena *a, size_t bytes)
{
	size_t room = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	struct block *b = a->blocks;
	void *p;

	if (room < bytes)
		memory_exhausted();
	if (room == 0)
		room = ALIGN;
	if (b->size - b->used < room) {
		b = block_new(room > BLOCK_BYTES / 4 ? room : BLOCK_BYTES);
		if (room > BLOCK_BYTES / 4 && a->blocks) {
			/* A big one stands behind the current block, whose rest stays usable. */
			b->next = a->blocks->next;
			a->blocks->next = b;
		} else {
			b->next = a->blocks;
			a->blocks = b;
		}
	}
	p = b->bytes + b->used;
	b->used += room;
	a->used += room;
	UNPOISON(p, bytes);
	return p;
}

char *
arena_copy(struct arena *a, const void *bytes, size_t length)
{
	char *p = arena_alloc(a, length + 1);

	if (length)
		memcpy(p, bytes, length);
	p[length] = 0;
	return p;
}

char *
arena_string(struct arena *a, const char *string)
{
	return string ? arena_copy(a, string, strlen(string)) : NULL;
}

char *
arena_join(struct arena *a, const char *first, const char *second)
{
	size_t n = strlen(first), m = strlen(second);
	char *p = arena_alloc(a, n + m + 1);

	memcpy(p, first, n);
	memcpy(p + n, second, m);
	p[n + m] = 0;
	return p;
}

char *
arena_print(struct arena *a, const char *format, ...)
{
	char small[256], *p;
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(small, sizeof(small), format, list);
	va_end(list);
	if (n < 0)
		memory_exhausted();
	if ((size_t)n < sizeof(small))
		return arena_copy(a, small, (size_t)n);
	p = arena_alloc(a, (size_t)n + 1);
	va_start(list, format);
	vsnprintf(p, (size_t)n + 1, format, list);
	va_end(list);
	return p;
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}
