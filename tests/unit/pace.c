/* The limit of a network: never more in any second, hardly less, whatever holds the loop up. */
#include "unit.h"

#include "core/core.h"

enum { LIMIT = 30, MESSAGES = 3000 };

static int64_t left_ms[MESSAGES];

/* Sends MESSAGES, the loop late by up to `late_ms` and the commit slow by up to `slow_ms`. */
static double
send_all(struct network *n, int late_ms, int slow_ms)
{
	int64_t now_ms = 1000000, begin_ms = now_ms;
	unsigned seed = 5;

	for (int sent = 0; sent < MESSAGES;) {
		int room = pace_room(n, 8, now_ms);

		for (int i = 0; i < room; i++)
			pace_picked(n);
		if (room)
			now_ms += slow_ms ? rand_r(&seed) % slow_ms : 0;
		for (int i = 0; i < room; i++, sent++) {
			pace_left(n, now_ms);
			if (sent < MESSAGES)
				left_ms[sent] = now_ms;
		}
		if (pace_until(n, now_ms) > now_ms)
			now_ms = pace_until(n, now_ms);
		now_ms += late_ms ? rand_r(&seed) % late_ms : 0;
	}
	return MESSAGES * 1000.0 / (double)(now_ms - begin_ms);
}

static int
busiest_second(void)
{
	int most = 0;

	for (int i = 0, from = 0; i < MESSAGES; i++) {
		while (left_ms[i] - left_ms[from] >= 1000)
			from++;
		if (i - from + 1 > most)
			most = i - from + 1;
	}
	return most;
}

static void
pace_is_never_above_the_limit_and_hardly_below(void **state)
{
	static const struct {
		int late_ms, slow_ms;
	} loops[] = {{0, 0}, {4, 0}, {10, 10}, {30, 10}, {10, 120}, {200, 200}};

	(void)state;
	for (size_t i = 0; i < sizeof(loops) / sizeof(*loops); i++) {
		struct transport t = {.per_second = LIMIT};
		struct network *n = calloc(1, sizeof(*n));
		double rate;

		n->transport = &t;
		rate = send_all(n, loops[i].late_ms, loops[i].slow_ms);
		printf("# late %d ms, slow %d ms: %.1f %% used, busiest second %d\n",
		    loops[i].late_ms, loops[i].slow_ms, 100 * rate / LIMIT, busiest_second());
		assert_true(busiest_second() <= LIMIT);
		assert_true(loops[i].late_ms > 10 || loops[i].slow_ms > 10 || rate >= 0.97 * LIMIT);
		free(n);
	}
}

static void
pace_gives_back_what_did_not_leave(void **state)
{
	struct transport t = {.per_second = 1};
	struct network *n = calloc(1, sizeof(*n));

	(void)state;
	n->transport = &t;
	assert_int_equal(pace_room(n, 8, 1000000), 1);
	pace_picked(n);
	assert_int_equal(pace_room(n, 8, 1001500), 0);
	pace_left(n, 0);
	assert_int_equal(pace_room(n, 8, 1001500), 1);
	pace_picked(n);
	pace_left(n, 1001500);
	assert_int_equal(pace_room(n, 8, 1002000), 0);
	/* A clock that was set back holds nobody up. */
	assert_int_equal(pace_room(n, 8, 500000), 1);
	t.per_second = 0;
	assert_int_equal(pace_room(n, 8, 1002000), 8);
	free(n);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(pace_is_never_above_the_limit_and_hardly_below),
    cmocka_unit_test(pace_gives_back_what_did_not_leave),
};

UNIT_RUN(tests)
