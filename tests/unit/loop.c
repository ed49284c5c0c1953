/* The loop and its timers: what comes, when, and that nothing is left over. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/notify.h"
#include "io/timer.h"

struct world {
	struct loop *loop;
	struct timer *timer;
	struct loop_watch *watch;
	int fd, came, signal_number, again;
	int64_t when_ms;
	pthread_t thread;
	char seen[64];
};

static void
came(void *ctx)
{
	struct world *w = ctx;

	w->came++;
	w->when_ms = loop_now_ms(w->loop);
	if (w->again-- > 0)
		timer_start(w->timer, 5);
}

static void
loop_timer_comes_once_and_in_time(void **state)
{
	struct world w = {.loop = loop_new()};
	int64_t start = loop_now_ms(w.loop);

	(void)state;
	w.timer = timer_new(w.loop, came, &w);
	assert_false(timer_runs(w.timer));
	timer_start(w.timer, 500);
	timer_start(w.timer, 40);
	assert_true(timer_runs(w.timer));
	assert_int_equal(w.came, 0);
	loop_run(w.loop);
	assert_int_equal(w.came, 1);
	assert_in_range(w.when_ms - start, 40, 400);
	timer_start(w.timer, 1);
	timer_stop(w.timer);
	loop_run(w.loop);
	assert_int_equal(w.came, 1);
	w.again = 3;
	timer_start(w.timer, -5);
	loop_run(w.loop);
	assert_int_equal(w.came, 5);
	timer_free(w.timer);
	timer_free(NULL);
	loop_free(w.loop);
}

static void
frees_itself(void *ctx)
{
	struct world *w = ctx;

	w->came++;
	timer_free(w->timer);
}

static void
loop_timer_may_free_itself(void **state)
{
	struct world w = {.loop = loop_new()};

	(void)state;
	w.timer = timer_new(w.loop, frees_itself, &w);
	timer_start(w.timer, 0);
	loop_run(w.loop);
	assert_int_equal(w.came, 1);
	loop_free(w.loop);
}

static void
soon_again(void *ctx)
{
	struct world *w = ctx;

	if (++w->came < 20)
		loop_soon(w->loop, soon_again, w);
}

static void
loop_soon_comes_in_the_next_round(void **state)
{
	struct world w = {.loop = loop_new()};

	(void)state;
	loop_soon(w.loop, soon_again, &w);
	loop_soon(w.loop, came, &w);
	assert_int_equal(w.came, 0);
	loop_step(w.loop);
	assert_int_equal(w.came, 2);
	loop_step(w.loop);
	assert_int_equal(w.came, 3);
	/* What is owed is still called. */
	loop_free(w.loop);
	assert_int_equal(w.came, 20);
}

static void
work_run(void *ctx)
{
	struct world *w = ctx;

	w->thread = pthread_self();
	w->came = 1;
}

static void
work_done(void *ctx)
{
	struct world *w = ctx;

	assert_int_equal(w->came, 1);
	assert_false(pthread_equal(w->thread, pthread_self()));
	w->came = 2;
}

static void
loop_work_is_on_another_thread(void **state)
{
	struct world w = {.loop = loop_new()};

	(void)state;
	loop_work(w.loop, work_run, work_done, &w);
	assert_int_not_equal(w.came, 2);
	loop_free(w.loop);
	assert_int_equal(w.came, 2);
}

static void
signalled(void *ctx, int number)
{
	struct world *w = ctx;

	w->signal_number = number;
	loop_stop(w->loop);
}

static void
loop_signal_comes_from_the_loop(void **state)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	struct world w = {.loop = loop_new()};
	size_t i;

	(void)state;
	w.timer = timer_new(w.loop, came, &w);
	for (i = 0; i < 3; i++)
		loop_signal(w.loop, numbers[i], signalled, &w);
	/* Signals alone do not keep it. */
	loop_run(w.loop);
	for (i = 0; i < 3; i++) {
		timer_start(w.timer, 5000);
		assert_int_equal(raise(numbers[i]), 0);
		loop_run(w.loop);
		assert_int_equal(w.signal_number, numbers[i]);
	}
	assert_int_equal(w.came, 0);
	loop_signal(w.loop, SIGHUP, NULL, NULL);
	timer_free(w.timer);
	loop_free(w.loop);
}

static void
readable(void *ctx)
{
	struct world *w = ctx;
	size_t length = strlen(w->seen);
	ssize_t n = read(w->fd, w->seen + length, sizeof(w->seen) - 1 - length);

	w->came++;
	if (n > 0)
		return;
	loop_unwatch(w->watch);
	w->watch = NULL;
}

static void
loop_watches_a_pipe_to_its_end(void **state)
{
	struct world w = {.loop = loop_new()};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	w.fd = ends[0];
	w.watch = loop_watch(w.loop, w.fd, readable, &w);
	assert_non_null(w.watch);
	assert_int_equal(write(ends[1], "one", 3), 3);
	loop_step(w.loop);
	assert_string_equal(w.seen, "one");
	assert_int_equal(write(ends[1], "two", 3), 3);
	close(ends[1]);
	loop_run(w.loop);
	assert_string_equal(w.seen, "onetwo");
	close(ends[0]);
	loop_unwatch(NULL);
	loop_free(w.loop);
}

static void
loop_watches_a_regular_file(void **state)
{
	struct world w = {.loop = loop_new()};
	char path[] = "/tmp/alumhub-loop-XXXXXX";

	(void)state;
	w.fd = mkstemp(path);
	assert_int_equal(write(w.fd, "a file", 6), 6);
	lseek(w.fd, 0, SEEK_SET);
	w.watch = loop_watch(w.loop, w.fd, readable, &w);
	assert_non_null(w.watch);
	loop_run(w.loop);
	assert_string_equal(w.seen, "a file");
	assert_int_equal(w.came, 2);
	close(w.fd);
	unlink(path);
	assert_null(loop_watch(w.loop, 999, readable, &w));
	loop_free(w.loop);
}

static void
loop_free_names_what_is_left_over(void **state)
{
	struct loop *loop;
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		fclose(stderr);
		signal(SIGABRT, SIG_DFL);
		loop = loop_new();
		timer_new(loop, came, NULL);
		loop_free(loop);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
notify_does_nothing_outside_a_unit(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("JOURNAL_STREAM");
	notify_ready();
	notify_status("%d networks", 2);
	notify_alive();
	assert_int_equal(notify_watchdog_ms(), 0);
	assert_false(notify_journal());
	setenv("WATCHDOG_USEC", "15000000", 1);
	assert_int_equal(notify_watchdog_ms(), 15000);
	unsetenv("WATCHDOG_USEC");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(loop_timer_comes_once_and_in_time),
    cmocka_unit_test(loop_timer_may_free_itself),
    cmocka_unit_test(loop_soon_comes_in_the_next_round),
    cmocka_unit_test(loop_work_is_on_another_thread),
    cmocka_unit_test(loop_signal_comes_from_the_loop),
    cmocka_unit_test(loop_watches_a_pipe_to_its_end),
    cmocka_unit_test(loop_watches_a_regular_file),
    cmocka_unit_test(loop_free_names_what_is_left_over),
    cmocka_unit_test(notify_does_nothing_outside_a_unit),
};

UNIT_RUN(tests)
