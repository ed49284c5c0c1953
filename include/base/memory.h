/* Memory that outlives a turn. Out of memory ends the process: nothing here returns NULL. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Zeroed; free() it. */
void *memory_new(size_t bytes);
/* As realloc(); what is new is not zeroed. */
void *memory_resize(void *old, size_t bytes);
char *memory_string(const char *string);
/* Says so on standard error and ends the process with status 1. */
_Noreturn void memory_exhausted(void);
/* From now on for jansson too: a document that does not fit the memory must not look like one that
 * is malformed, or it would be set aside as poisoned. Before the first use of JSON. */
void memory_for_json(void);
/* And for ICU, which passes over much of what it cannot allocate: a holy day would be missing, a date be
 * another, a letter be read wrongly. Before the first use of text. */
void memory_for_icu(void);
/* The version of jansson. */
const char *memory_json_library(void);

/* Gives back what only the start needed: free pages of the heap, and code and constants of libraries,
 * which the kernel brings back by itself when they are used again. */
void memory_settle(void);

/* Bytes that grow up to a maximum given at birth. Zero it but for `maximum` to begin. */
struct buf {
	char *bytes; /* always NUL-terminated once something was added */
	size_t length;
	size_t room;
	size_t maximum; /* bytes; 0 is a mistake */
	int overflowed; /* set once something did not fit; that piece was left out whole */
};

void buf_add(struct buf *buf, const void *bytes, size_t length);
void buf_string(struct buf *buf, const char *string);
/* Base64 of the bytes, with its padding. */
void buf_base64(struct buf *buf, const void *bytes, size_t length);
void buf_print(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Empties it and keeps the room. */
void buf_clear(struct buf *buf);
/* Wipes and frees; the struct may be used again. */
void buf_free(struct buf *buf);

#endif
