/* The control socket: one line in, a status and a text out, whatever the other side does. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/control.h"
#include "io/loop.h"
#include "io/timer.h"

struct world {
	struct loop *loop;
	struct control *control;
	struct control_client *later;
	struct timer *timer;
	char folder[300], path[400], seen[64];
	int asked, status, wrong;
	bool defer;
	size_t big;
	struct buf reply;
	const char *line;
};

static void
request(void *ctx, struct control_client *client, const char *line)
{
	struct world *w = ctx;
	char *big;

	w->asked++;
	snprintf(w->seen, sizeof(w->seen), "%s", line);
	if (w->defer) {
		w->later = client;
		timer_start(w->timer, 50);
		return;
	}
	big = memset(malloc(w->big + 1), 'x', w->big + 1);
	control_reply(client, 3, big, w->big);
	free(big);
}

static void
now_reply(void *ctx)
{
	struct world *w = ctx;

	control_reply(w->later, 0, "late", 4);
}

static void
ask_run(void *ctx)
{
	struct world *w = ctx;

	w->status = control_ask(w->path, w->line, 3000, &w->reply);
	w->wrong = errno;
}

static void
ask_done(void *ctx)
{
	struct world *w = ctx;

	loop_stop(w->loop);
}

static void
world_open(struct world *w, bool deep)
{
	int i;

	memset(w, 0, sizeof(*w));
	snprintf(w->folder, sizeof(w->folder), "/tmp/alumhub-control-%d", (int)getpid());
	for (i = 0; deep && i < 3; i++) {
		mkdir(w->folder, 0700);
		snprintf(w->folder + strlen(w->folder), 60,
		    "/a-folder-whose-name-is-long-enough-for-this");
	}
	mkdir(w->folder, 0700);
	snprintf(w->path, sizeof(w->path), "%s/control", w->folder);
	w->reply.maximum = CONTROL_ASK_MAX;
	w->line = "status --json";
	w->loop = loop_new();
	w->timer = timer_new(w->loop, now_reply, w);
	w->control = control_open(w->loop, w->path, request, w);
	assert_non_null(w->control);
}

static void
world_close(struct world *w)
{
	control_close(w->control);
	timer_free(w->timer);
	loop_free(w->loop);
	buf_free(&w->reply);
	assert_int_not_equal(access(w->path, F_OK), 0);
	rmdir(w->folder);
}

static void
ask(struct world *w)
{
	loop_work(w->loop, ask_run, ask_done, w);
	loop_run(w->loop);
}

static void
control_answers_a_line(void **state)
{
	struct world w;
	struct stat st;

	(void)state;
	world_open(&w, false);
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	w.big = 5;
	ask(&w);
	assert_int_equal(w.status, 3);
	assert_string_equal(w.reply.bytes, "xxxxx");
	assert_string_equal(w.seen, "status --json");
	world_close(&w);
}

static void
control_answers_later_and_empty(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, true);
	w.defer = true;
	ask(&w);
	assert_int_equal(w.status, 0);
	assert_string_equal(w.reply.bytes, "late");
	buf_clear(&w.reply);
	w.defer = false;
	ask(&w);
	assert_int_equal(w.status, 3);
	assert_int_equal(w.reply.length, 0);
	world_close(&w);
}

static void
control_sends_a_long_reply(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, false);
	w.big = 900000;
	ask(&w);
	assert_int_equal(w.status, 3);
	assert_int_equal(w.reply.length, 900000);
	w.big = CONTROL_ASK_MAX + 100;
	ask(&w);
	assert_int_equal(w.status, -1);
	world_close(&w);
}

static int
dial(const struct world *w)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void
control_bears_bad_clients(void **state)
{
	static char noise[CONTROL_LINE_MAX + 100];
	struct world w;
	int silent, noisy, gone, i;
	char byte;

	(void)state;
	memset(noise, 'n', sizeof(noise));
	world_open(&w, false);
	silent = dial(&w);
	noisy = dial(&w);
	assert_true(send(noisy, noise, sizeof(noise), MSG_NOSIGNAL) > 0);
	gone = dial(&w);
	w.defer = true;
	assert_int_equal(write(gone, "x\n", 2), 2);
	for (i = 0; i < 50 && !w.later; i++)
		loop_step(w.loop);
	assert_non_null(w.later);
	close(gone);
	for (i = 0; i < 50; i++)
		loop_step(w.loop);
	timer_stop(w.timer);
	control_reply(w.later, 0, "nobody hears", 12);
	w.later = NULL;
	assert_int_equal(recv(noisy, &byte, 1, 0) > 0, 0);
	w.defer = false;
	w.big = 2;
	ask(&w);
	assert_int_equal(w.status, 3);
	assert_int_equal(w.asked, 2);
	close(silent);
	close(noisy);
	world_close(&w);
}

/* The end of the loop waits for what is being written: it would never come. */
static void
control_gives_up_on_who_asks_and_goes(void **state)
{
	struct world w;
	int fd, i;

	(void)state;
	world_open(&w, false);
	w.big = 900000;
	fd = dial(&w);
	assert_int_equal(write(fd, "x\n", 2), 2);
	for (i = 0; i < 50 && !w.asked; i++)
		loop_step(w.loop);
	assert_int_equal(w.asked, 1);
	close(fd);
	fd = dial(&w);
	assert_int_equal(write(fd, "y\n", 2), 2);
	close(fd);
	for (i = 0; i < 50 && w.asked < 2; i++)
		loop_step(w.loop);
	assert_int_equal(w.asked, 2);
	alarm(20);
	world_close(&w);
	alarm(0);
}

static void
control_closes_while_a_reply_is_owed(void **state)
{
	struct world w;
	int fd, i;

	(void)state;
	world_open(&w, false);
	w.defer = true;
	fd = dial(&w);
	assert_int_equal(write(fd, "x\n", 2), 2);
	for (i = 0; i < 50 && !w.later; i++)
		loop_step(w.loop);
	assert_non_null(w.later);
	control_close(w.control);
	w.control = NULL;
	control_reply(w.later, 0, "too late", 8);
	close(fd);
	world_close(&w);
}

static void
control_says_when_nobody_listens(void **state)
{
	struct buf reply = {.maximum = 10};

	(void)state;
	assert_int_equal(control_ask("/tmp/alumhub-no-such-control", "status", 100, &reply), -1);
	assert_int_equal(errno, ENOENT);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(control_answers_a_line),
    cmocka_unit_test(control_answers_later_and_empty),
    cmocka_unit_test(control_sends_a_long_reply),
    cmocka_unit_test(control_bears_bad_clients),
    cmocka_unit_test(control_gives_up_on_who_asks_and_goes),
    cmocka_unit_test(control_closes_while_a_reply_is_owed),
    cmocka_unit_test(control_says_when_nobody_listens),
};

UNIT_RUN(tests)
