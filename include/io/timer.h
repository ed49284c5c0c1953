/*
 * One-shot timers on the loop: there is no periodic one, so that an idle program sleeps.
 * tests/sim implements this header a second time, on virtual time.
 */
#ifndef IO_TIMER_H
#define IO_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct timer;
typedef void timer_fn(void *ctx);

/* Never NULL. The timer does not run yet. Every timer is freed before its loop. */
struct timer *timer_new(struct loop *loop, timer_fn *fn, void *ctx);
/* fn comes once, after at least delay_ms (below 0 is 0) and never from inside this call; a timer
 * that runs already starts again. */
void timer_start(struct timer *timer, int64_t delay_ms);
/* fn does not come. Harmless when the timer does not run. */
void timer_stop(struct timer *timer);
bool timer_runs(const struct timer *timer);
/* Stops it too; may be called from inside fn. NULL is ignored. */
void timer_free(struct timer *timer);

#endif
