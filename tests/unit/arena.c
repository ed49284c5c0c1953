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

/* Resident kilobytes of files that are mapped. */
static long
resident_files_kb(void)
{
	char line[128];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "RssFile: %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

static void
arena_memory_settles_and_everything_works_on(void **state)
{
	struct arena *arena = arena_new();
	char *kept = arena_string(arena, "kept");
	long before = resident_files_kb();

	(void)state;
	memory_settle();
	assert_true(resident_files_kb() < before);
	assert_string_equal(kept, "kept");
	assert_string_equal(arena_print(arena, "%s %d", "again", 7), "again 7");
	assert_string_equal(arena_join(arena, "to", "gether"), "together");
	arena_free(arena);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(arena_gives_zeroed_memory_again_after_forgetting),
    cmocka_unit_test(arena_buf_leaves_out_what_does_not_fit),
    cmocka_unit_test(arena_memory_settles_and_everything_works_on),
};

UNIT_RUN(tests)
