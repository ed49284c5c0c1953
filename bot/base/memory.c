#include "base/memory.h"

#include <assert.h>
#include <link.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sys/mman.h>
#include <unicode/uclean.h>
#include <unistd.h>

enum { LEAVES_BYTES = 512 << 10 };

_Noreturn void
memory_exhausted(void)
{
	fputs("out of memory\n", stderr);
	_Exit(1);
}

void *
memory_new(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		memory_exhausted();
	return p;
}

void *
memory_resize(void *old, size_t bytes)
{
	void *p = realloc(old, bytes ? bytes : 1);

	if (!p)
		memory_exhausted();
	return p;
}

char *
memory_string(const char *string)
{
	size_t n = strlen(string) + 1;

	return memcpy(memory_new(n), string, n);
}

/* A call costs more than what a small library holds. */
static void
pages_leave(uintptr_t from, uintptr_t to)
{
	if (to - from >= LEAVES_BYTES)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

/* Only segments that nobody may write to, which stand side by side: whatever was relocated stays. */
static int
segments_leave(struct dl_phdr_info *object, size_t size, void *ctx)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = 0, to = 0;

	(void)size;
	(void)ctx;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		uintptr_t begin = (object->dlpi_addr + p->p_vaddr) & ~(page - 1);

		if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
			continue;
		if (begin != to) {
			pages_leave(from, to);
			from = begin;
		}
		to = (object->dlpi_addr + p->p_vaddr + p->p_memsz + page - 1) & ~(page - 1);
	}
	pages_leave(from, to);
	return 0;
}

void
memory_settle(void)
{
	malloc_trim(0);
	dl_iterate_phdr(segments_leave, NULL);
}

static void *
json_bytes(size_t bytes)
{
	return memory_resize(NULL, bytes);
}

const char *
memory_json_library(void)
{
	return jansson_version_str();
}

void
memory_for_json(void)
{
	json_set_alloc_funcs(json_bytes, free);
}

static void *
icu_bytes(const void *ctx, size_t bytes)
{
	(void)ctx;
	return memory_resize(NULL, bytes);
}

static void *
icu_resize(const void *ctx, void *old, size_t bytes)
{
	(void)ctx;
	return memory_resize(old, bytes);
}

static void
icu_free(const void *ctx, void *old)
{
	(void)ctx;
	free(old);
}

void
memory_for_icu(void)
{
	UErrorCode error = U_ZERO_ERROR;

	u_setMemoryFunctions(NULL, icu_bytes, icu_resize, icu_free, &error);
	assert(U_SUCCESS(error));
}

void
buf_add(struct buf *b, const void *bytes, size_t length)
{
	assert(b->maximum);
	if (length > b->maximum || b->length > b->maximum - length) {
		b->overflowed = 1;
		return;
	}
	if (b->room < b->length + length + 1) {
		size_t room = b->room ? b->room * 2 : 1024;

		while (room < b->length + length + 1)
			room *= 2;
		b->bytes = memory_resize(b->bytes, room);
		b->room = room;
	}
	if (length)
		memcpy(b->bytes + b->length, bytes, length);
	b->length += length;
	b->bytes[b->length] = 0;
}

void
buf_string(struct buf *b, const char *string)
{
	buf_add(b, string, strlen(string));
}

void
buf_print(struct buf *b, const char *format, ...)
{
	char small[512];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(small, sizeof(small), format, list);
	va_end(list);
	if (n < 0)
		memory_exhausted();
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
		return;
	}
	char *p = memory_new((size_t)n + 1);
	va_start(list, format);
	vsnprintf(p, (size_t)n + 1, format, list);
	va_end(list);
	buf_add(b, p, (size_t)n);
	free(p);
}

void
buf_clear(struct buf *b)
{
	b->length = 0;
	b->overflowed = 0;
	if (b->bytes)
		b->bytes[0] = 0;
}

void
buf_free(struct buf *b)
{
	if (b->bytes) {
		explicit_bzero(b->bytes, b->room);
		free(b->bytes);
	}
	b->bytes = NULL;
	b->length = b->room = 0;
	b->overflowed = 0;
}

void
buf_base64(struct buf *buf, const void *bytes, size_t length)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = bytes;

	for (size_t i = 0; i < length; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < length ? (unsigned)p[i + 1] << 8 : 0) |
			     (i + 2 < length ? p[i + 2] : 0);
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
		    i + 1 < length ? digits[v >> 6 & 63] : '=',
		    i + 2 < length ? digits[v & 63] : '='};

		buf_add(buf, four, 4);
	}
}
