#include "unit.h"

#include "base/arena.h"
#include "base/memory.h"

static void
arena_gives_zeroed_memory_again_after_forgetting(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t n = 1; n < 100000; n = n * 3 + 1) {
			unsigned char *p = arena_alloc(a, n);

			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xa5, n);
		}
		assert_true(arena_used(a) > 100000);
		arena_forget(a);
		assert_int_equal(arena_used(a), 0);
	}
	assert_string_equal(arena_print(a, "%d %s", 7, "seven"), "7 seven");
	assert_null(arena_string(a, NULL));
	arena_free(a);
}

static void
arena_buf_leaves_out_what_does_not_fit(void **state)
{
	struct buf b = {.maximum = 10};

	(void)state;
	buf_string(&b, "12345");
	buf_string(&b, "1234567");
	assert_true(b.overflowed);
	buf_string(&b, "67890");
	assert_string_equal(b.bytes, "1234567890");
	buf_clear(&b);
	buf_print(&b, "%05d", 42);
	assert_string_equal(b.bytes, "00042");
	buf_free(&b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(arena_gives_zeroed_memory_again_after_forgetting),
	cmocka_unit_test(arena_buf_leaves_out_what_does_not_fit),
};

UNIT_RUN(tests)
