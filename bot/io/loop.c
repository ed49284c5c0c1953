#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "loop_uv.h"

struct loop_work {
	uv_work_t uv;
	loop_fn *run;
	loop_fn *done;
	void *ctx;
};

/* Either a poll watch or, for a regular file, which epoll refuses, a handle that comes each round.
 */
struct loop_watch {
	union {
		uv_handle_t handle;
		uv_poll_t poll;
		uv_idle_t always;
	};
	loop_fn *fn;
	void *ctx;
	bool dead;
};

static void
must(int rc, const char *what)
{
	if (rc == 0)
		return;
	if (rc == UV_ENOMEM)
		memory_exhausted();
	fprintf(stderr, "loop: %s: %s\n", what, uv_strerror(rc));
	abort();
}

const char *
loop_library(void)
{
	return uv_version_string();
}

struct loop *
loop_new(void)
{
	struct loop *loop = memory_new(sizeof(*loop));

	signal(SIGPIPE, SIG_IGN);
	must(uv_loop_init(&loop->uv), "init");
	must(uv_idle_init(&loop->uv, &loop->soon_idle), "idle");
	return loop;
}

static void
name_handle(uv_handle_t *handle, void *ctx)
{
	(void)ctx;
	fprintf(stderr, "loop: a handle was left over: %s%s\n", uv_handle_type_name(handle->type),
	    uv_is_closing(handle) ? " (closing)" : "");
}

void
loop_free(struct loop *loop)
{
	int i;

	if (!loop)
		return;
	for (i = 0; i < LOOP_SIGNALS; i++)
		if (loop->signals[i].used)
			uv_close((uv_handle_t *)&loop->signals[i].uv, NULL);
	/* Deferred calls may defer again, and work that ends may too. */
	do
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	while (loop->soon_count > 0);
	uv_close((uv_handle_t *)&loop->soon_idle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	if (uv_loop_close(&loop->uv) != 0) {
		uv_walk(&loop->uv, name_handle, NULL);
		abort();
	}
	free(loop->soon);
	free(loop);
}

void
loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void
loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

bool
loop_step(struct loop *loop)
{
	return uv_run(&loop->uv, UV_RUN_NOWAIT) != 0;
}

int64_t
loop_now_ms(const struct loop *loop)
{
	return (int64_t)uv_now(&loop->uv);
}

int64_t
loop_wall_ms(const struct loop *loop)
{
	struct timespec now;

	(void)loop;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
loop_wall_s(const struct loop *loop)
{
	struct timespec now;

	(void)loop;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

/* What is deferred from here on waits for the next round. */
static void
soon_came(uv_idle_t *idle)
{
	struct loop *loop = idle->data;
	struct loop_soon *list = loop->soon;
	size_t count = loop->soon_count, room = loop->soon_room, i;

	loop->soon = NULL;
	loop->soon_count = loop->soon_room = 0;
	uv_idle_stop(idle);
	for (i = 0; i < count; i++)
		list[i].fn(list[i].ctx);
	if (loop->soon) {
		free(list);
		return;
	}
	loop->soon = list;
	loop->soon_room = room;
}

void
loop_soon(struct loop *loop, loop_fn *fn, void *ctx)
{
	if (loop->soon_count == loop->soon_room) {
		loop->soon_room = loop->soon_room ? loop->soon_room * 2 : 8;
		loop->soon = memory_resize(loop->soon, loop->soon_room * sizeof(*loop->soon));
	}
	loop->soon[loop->soon_count++] = (struct loop_soon){fn, ctx};
	loop->soon_idle.data = loop;
	uv_idle_start(&loop->soon_idle, soon_came);
}

static void
work_run(uv_work_t *uv)
{
	struct loop_work *work = uv->data;

	work->run(work->ctx);
}

static void
work_done(uv_work_t *uv, int status)
{
	struct loop_work *work = uv->data;
	loop_fn *done = work->done;
	void *ctx = work->ctx;

	(void)status;
	free(work);
	done(ctx);
}

void
loop_work(struct loop *loop, loop_fn *run, loop_fn *done, void *ctx)
{
	struct loop_work *work = memory_new(sizeof(*work));

	work->run = run;
	work->done = done;
	work->ctx = ctx;
	work->uv.data = work;
	must(uv_queue_work(&loop->uv, &work->uv, work_run, work_done), "work");
}

static void
signal_came(uv_signal_t *uv, int number)
{
	struct loop_signal *entry = uv->data;

	entry->fn(entry->ctx, number);
}

static struct loop_signal *
signal_entry(struct loop *loop, int number)
{
	struct loop_signal *entry;

	for (entry = loop->signals; entry < loop->signals + LOOP_SIGNALS; entry++)
		if (!entry->used || entry->number == number)
			return entry;
	abort();
}

void
loop_signal(struct loop *loop, int signal_number, loop_signal_fn *fn, void *ctx)
{
	struct loop_signal *entry = signal_entry(loop, signal_number);

	if (!entry->used) {
		must(uv_signal_init(&loop->uv, &entry->uv), "signal");
		entry->uv.data = entry;
		entry->number = signal_number;
		entry->used = true;
	}
	entry->fn = fn;
	entry->ctx = ctx;
	if (!fn) {
		uv_signal_stop(&entry->uv);
		return;
	}
	must(uv_signal_start(&entry->uv, signal_came, signal_number), "signal");
	uv_unref((uv_handle_t *)&entry->uv);
}

static void
watch_came(uv_poll_t *poll, int status, int events)
{
	struct loop_watch *watch = poll->data;

	(void)status; /* an error shows when the caller reads */
	(void)events;
	watch->fn(watch->ctx);
}

static void
watch_always(uv_idle_t *always)
{
	struct loop_watch *watch = always->data;

	watch->fn(watch->ctx);
}

struct loop_watch *
loop_watch(struct loop *loop, int fd, loop_fn *fn, void *ctx)
{
	struct loop_watch *watch = memory_new(sizeof(*watch));
	int rc = uv_poll_init(&loop->uv, &watch->poll, fd);

	watch->fn = fn;
	watch->ctx = ctx;
	if (rc == 0) {
		watch->poll.data = watch;
		must(uv_poll_start(&watch->poll, UV_READABLE | UV_DISCONNECT, watch_came), "watch");
		return watch;
	}
	if (rc != UV_EPERM) {
		free(watch);
		errno = -rc;
		return NULL;
	}
	must(uv_idle_init(&loop->uv, &watch->always), "watch");
	watch->always.data = watch;
	uv_idle_start(&watch->always, watch_always);
	return watch;
}

static void
watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
loop_unwatch(struct loop_watch *watch)
{
	if (!watch || watch->dead)
		return;
	watch->dead = true;
	uv_close(&watch->handle, watch_closed);
}
