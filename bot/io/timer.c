#include <stdlib.h>

#include "base/memory.h"
#include "io/timer.h"
#include "loop_uv.h"

struct timer {
	uv_timer_t uv;
	uv_idle_t
	    now; /* for 0 ms: libuv would call such a timer again in the same round, for ever */
	int handles;
	timer_fn *fn;
	void *ctx;
};

struct timer *
timer_new(struct loop *loop, timer_fn *fn, void *ctx)
{
	struct timer *timer = memory_new(sizeof(*timer));

	timer->fn = fn;
	timer->ctx = ctx;
	timer->handles = 2;
	uv_timer_init(&loop->uv, &timer->uv);
	uv_idle_init(&loop->uv, &timer->now);
	timer->uv.data = timer->now.data = timer;
	return timer;
}

static void
timer_came(uv_timer_t *uv)
{
	struct timer *timer = uv->data;

	timer->fn(timer->ctx);
}

static void
now_came(uv_idle_t *now)
{
	struct timer *timer = now->data;

	uv_idle_stop(now);
	timer->fn(timer->ctx);
}

void
timer_start(struct timer *timer, int64_t delay_ms)
{
	timer_stop(timer);
	if (delay_ms <= 0) {
		uv_idle_start(&timer->now, now_came);
		return;
	}
	/* libuv counts from the start of the round; a long turn must not shorten the delay. */
	uv_update_time(timer->uv.loop);
	uv_timer_start(&timer->uv, timer_came, (uint64_t)delay_ms, 0);
}

void
timer_stop(struct timer *timer)
{
	uv_timer_stop(&timer->uv);
	uv_idle_stop(&timer->now);
}

bool
timer_runs(const struct timer *timer)
{
	return uv_is_active((const uv_handle_t *)&timer->uv) ||
	       uv_is_active((const uv_handle_t *)&timer->now);
}

static void
timer_closed(uv_handle_t *handle)
{
	struct timer *timer = handle->data;

	if (--timer->handles == 0)
		free(timer);
}

void
timer_free(struct timer *timer)
{
	if (!timer)
		return;
	uv_close((uv_handle_t *)&timer->uv, timer_closed);
	uv_close((uv_handle_t *)&timer->now, timer_closed);
}
