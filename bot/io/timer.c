#include <stdlib.h>

#include "base/memory.h"
#include "io/timer.h"
#include "loop_uv.h"

struct timer {
	uv_timer_t uv;
	timer_fn *fn;
	void *ctx;
};

struct timer *
timer_new(struct loop *loop, timer_fn *fn, void *ctx)
{
	struct timer *timer = memory_new(sizeof(*timer));

	timer->fn = fn;
	timer->ctx = ctx;
	if (uv_timer_init(&loop->uv, &timer->uv) != 0)
		abort();
	timer->uv.data = timer;
	return timer;
}

static void
timer_came(uv_timer_t *uv)
{
	struct timer *timer = uv->data;

	timer->fn(timer->ctx);
}

void
timer_start(struct timer *timer, int64_t delay_ms)
{
	/* libuv counts from the start of the round; a long turn must not shorten the delay. */
	uv_update_time(timer->uv.loop);
	if (uv_timer_start(&timer->uv, timer_came, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0) != 0)
		abort();
}

void
timer_stop(struct timer *timer)
{
	uv_timer_stop(&timer->uv);
}

bool
timer_runs(const struct timer *timer)
{
	return uv_is_active((const uv_handle_t *)&timer->uv);
}

static void
timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
timer_free(struct timer *timer)
{
	if (timer)
		uv_close((uv_handle_t *)&timer->uv, timer_closed);
}
