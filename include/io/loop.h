/*
 * The loop everything waits in (libuv inside): one thread, callbacks one after another.
 * Timers are in io/timer.h, requests in io/http.h, the control socket in io/control.h.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_watch;
typedef void loop_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signal_number);

/* Never NULL. SIGPIPE is ignored from here on. */
struct loop *loop_new(void);
/* The version of the library below it. */
const char *loop_library(void);
/*
 * Call it after everything that was made on the loop was freed; waits for background work that
 * still runs (its `done` is called) and for deferred calls. A handle left over is a mistake of
 * ours: it is named on standard error and the process aborts.
 */
void loop_free(struct loop *loop);
/* Runs callbacks until loop_stop(), or until nothing is left that could call back. */
void loop_run(struct loop *loop);
/* loop_run() returns after the callbacks that are due now; it may be called again. */
void loop_stop(struct loop *loop);
/* Runs what is due now without waiting; true while something is left to wait for. */
bool loop_step(struct loop *loop);

/* Milliseconds that never go back, from an arbitrary start; as of the callback that runs now. */
int64_t loop_now_ms(const struct loop *loop);
/* Milliseconds and seconds since 1970, UTC; they jump when somebody sets the clock. */
int64_t loop_wall_ms(const struct loop *loop);
int64_t loop_wall_s(const struct loop *loop);

/* fn comes once, in the loop's next round and never from inside this call. It cannot be called
 * off: use timer_start(timer, 0) for that. */
void loop_soon(struct loop *loop, loop_fn *fn, void *ctx);

/*
 * `run` on another thread, then `done` on the loop's. `run` touches nothing but ctx, and nobody
 * else touches ctx meanwhile. There is no cancel: let `run` look at an atomic flag in ctx.
 */
void loop_work(struct loop *loop, loop_fn *run, loop_fn *done, void *ctx);

/* fn whenever the signal came, from the loop and not from a signal handler; replaces the fn of
 * that signal, NULL gives the signal back to the system. A watched signal alone does not keep
 * loop_run() running. */
void loop_signal(struct loop *loop, int signal_number, loop_signal_fn *fn, void *ctx);

/* fn in each round in which fd is readable or at its end (a regular file always is), until
 * loop_unwatch(). The fd stays the caller's, who closes it after loop_unwatch(). NULL and errno
 * when the system cannot watch it. */
struct loop_watch *loop_watch(struct loop *loop, int fd, loop_fn *fn, void *ctx);
/* May be called from inside fn. NULL is ignored. */
void loop_unwatch(struct loop_watch *watch);

#endif
