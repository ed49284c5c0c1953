/* An arena for each test: IN_ARENA(test) in the table. Included by one test program each; everything
 * is static. */
#ifndef IN_ARENA_H
#define IN_ARENA_H

#include "unit.h"

#include "base/arena.h"

static struct arena *arena;

static inline int
arena_begin(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static inline int
arena_end(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

#define IN_ARENA(test) cmocka_unit_test_setup_teardown(test, arena_begin, arena_end)

#endif
