/* What every unit test file needs: cmocka, TAP output for tests/run, and the filter ONLY=word. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The last line of a test file, over its table of cmocka_unit_test(feature_what_holds). */
#define UNIT_RUN(tests) \
	int main(void) \
	{ \
		char pattern[128]; \
		const char *only = getenv("ONLY"); \
		cmocka_set_message_output(CM_OUTPUT_TAP); \
		if (only && *only) { \
			snprintf(pattern, sizeof(pattern), "*%s*", only); \
			cmocka_set_test_filter(pattern); \
		} \
		return cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL); \
	}

/* ../shared/data/NAME when it is there, else NULL: the caller then skip()s and says so. */
static inline const char *
unit_shared(const char *name)
{
	static char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "../shared/data/%s", name);
	f = fopen(path, "rb");
	if (!f) {
		printf("# skipped: ../shared/data/%s is not there\n", name);
		return NULL;
	}
	fclose(f);
	return path;
}

/* The whole file, NUL behind it; free() it. *length may be NULL. NULL when it cannot be read. */
static inline char *
unit_read(const char *path, size_t *length)
{
	FILE *f = fopen(path, "rb");
	long n;
	char *p;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	p = malloc((size_t)n + 1);
	if (!p || fread(p, 1, (size_t)n, f) != (size_t)n)
		abort();
	p[n] = 0;
	if (length)
		*length = (size_t)n;
	fclose(f);
	return p;
}

#endif
