/*
 * Memory that lives as long as a turn: allocate freely, forget everything at once.
 * Out of memory ends the process (the database is in order at every instant), so nothing here
 * returns NULL. Under ASan forgotten memory is poisoned, and a turn that keeps a pointer is caught.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);
/* Gives everything back; every pointer taken from it is dead. Keeps one block for the next turn. */
void arena_forget(struct arena *arena);
/* Zeroed, aligned for anything. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* A copy of `length` bytes with a NUL behind them. */
char *arena_copy(struct arena *arena, const void *bytes, size_t length);
/* A copy of a string; NULL stays NULL. */
char *arena_string(struct arena *arena, const char *string);
/* Two strings as one. */
char *arena_join(struct arena *arena, const char *first, const char *second);
char *arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Bytes handed out since the last arena_forget. */
size_t arena_used(const struct arena *arena);

#endif
