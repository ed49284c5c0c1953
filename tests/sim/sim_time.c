/* Virtual time: the agenda, the dice, the trace, and the loop and timers that stand on them. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/loop.h"
#include "io/timer.h"

struct sim sim;

/* ---- dice: splitmix64 (Steele, Lea, Flood 2014) ---- */

uint64_t
dice(void)
{
	uint64_t z = sim.random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

int64_t
dice_below(int64_t limit)
{
	return limit > 0 ? (int64_t)(dice() % (uint64_t)limit) : 0;
}

bool
chance(int64_t per_million)
{
	return dice_below(1000000) < per_million;
}

bool
fault(int64_t per_million)
{
	if (sim.calm || !sim.o.faults || !chance(per_million))
		return false;
	sim.counts.faults++;
	return true;
}

bool
troubled(void)
{
	return sim.o.faults || sim.o.cuts_a_year || sim.o.nth_exchange || sim.o.nth_disk ||
	       sim.o.nth_kill || sim.o.nth_memory || sim.o.sweep;
}

int64_t
wall_ms(void)
{
	return sim.now_ms + sim.clock_off_ms;
}

/* What the bot asks of the machine's clocks is the world's time too: a round writes down how long its
 * pairs took, and one world must be the same on a slow machine. */
int
clock_gettime(clockid_t clock, struct timespec *time)
{
	if (!sim.start_ms || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME))
		return (int)syscall(SYS_clock_gettime, clock, time);
	*time = (struct timespec){wall_ms() / 1000, wall_ms() % 1000 * 1000000};
	return 0;
}

/* ---- trace ---- */

void
trace(const char *format, ...)
{
	char line[2000];
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line), "%lld ", (long long)(sim.now_ms - sim.start_ms));
	va_start(ap, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap);
	va_end(ap);
	for (const char *p = line; *p; p++)
		sim.trace = (sim.trace ^ (unsigned char)*p) * 1099511628211u;
	sim.lines++;
	if (sim.o.verbose)
		puts(line);
}

void
violated(const char *format, ...)
{
	va_list ap;

	if (sim.failure[0])
		return;
	va_start(ap, format);
	vsnprintf(sim.failure, sizeof(sim.failure), format, ap);
	va_end(ap);
	for (char *p = sim.failure; *p; p++)
		if (*p == '\n')
			*p = ' '; /* one line, with how it comes again */
	trace("VIOLATED %s", sim.failure);
}

/* ---- agenda: a binary heap by time, and by order of entry at one time ---- */

struct entry {
	int64_t at_ms, order;
	int life; /* 0: the world's */
	void (*fn)(void *ctx);
	void (*drop)(void *ctx);
	void *ctx;
};

static struct entry *heap;
static size_t heap_count, heap_room;
static int64_t orders;

static bool
before(const struct entry *a, const struct entry *b)
{
	return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order);
}

void
agenda_add(int64_t at_ms, bool of_bot, void (*fn)(void *ctx), void (*drop)(void *ctx), void *ctx)
{
	size_t i = heap_count++;
	struct entry e = {at_ms < sim.now_ms ? sim.now_ms : at_ms, orders++, of_bot ? sim.life : 0,
	    fn, drop, ctx};

	if (heap_count > heap_room) {
		heap_room = heap_room ? heap_room * 2 : 256;
		heap = memory_resize(heap, heap_room * sizeof(*heap));
	}
	for (; i && before(&e, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = e;
}

static struct entry
agenda_take(void)
{
	struct entry first = heap[0], last = heap[--heap_count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < heap_count) {
		if (child + 1 < heap_count && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return first;
}

static void
entry_drop(const struct entry *e)
{
	if (e->drop)
		e->drop(e->ctx);
}

bool
agenda_step(int64_t until_ms)
{
	struct entry e;

	if (!heap_count || heap[0].at_ms > until_ms) {
		sim.now_ms = until_ms > sim.now_ms ? until_ms : sim.now_ms;
		return false;
	}
	e = agenda_take();
	sim.now_ms = e.at_ms;
	if (e.life && (e.life != sim.life || !sim.alive))
		entry_drop(&e);
	else
		e.fn(e.ctx);
	return true;
}

void
agenda_clear(void)
{
	while (heap_count) {
		struct entry e = agenda_take();

		entry_drop(&e);
	}
	free(heap);
	heap = NULL;
	heap_room = 0;
}

/* ---- io/loop.h ---- */

/* Work that ran on its thread and whose `done` has not come yet. */
struct background {
	struct background *next;
	struct loop *loop;
	loop_fn *done;
	void *ctx;
};

struct loop {
	struct background *works;
};

static void
background_done(struct background *work)
{
	struct background **at = &work->loop->works;

	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	work->done(work->ctx);
	free(work);
}

static void
background_came(void *ctx)
{
	background_done(ctx);
}

struct loop *
loop_new(void)
{
	return memory_new(sizeof(struct loop));
}

void
loop_free(struct loop *loop)
{
	while (loop->works)
		background_done(loop->works);
	free(loop);
}

int64_t
loop_now_ms(const struct loop *loop)
{
	(void)loop;
	return sim.now_ms;
}

int64_t
loop_wall_ms(const struct loop *loop)
{
	(void)loop;
	return wall_ms();
}

int64_t
loop_wall_s(const struct loop *loop)
{
	(void)loop;
	return wall_ms() / 1000;
}

void
loop_soon(struct loop *loop, loop_fn *fn, void *ctx)
{
	(void)loop;
	agenda_add(sim.now_ms, true, fn, NULL, ctx);
}

void
loop_work(struct loop *loop, loop_fn *run, loop_fn *done, void *ctx)
{
	struct background *work = memory_new(sizeof(*work));

	*work = (struct background){loop->works, loop, done, ctx};
	loop->works = work;
	run(ctx);
	/* Dropped when the bot dies: loop_free has called `done` by then. */
	agenda_add(sim.now_ms + 1 + dice_below(5000), true, background_came, NULL, work);
}

/* ---- io/timer.h: an entry that is no longer wanted finds another number in its timer ---- */

struct timer {
	timer_fn *fn;
	void *ctx;
	struct alarm *set;
};

struct alarm {
	struct timer *timer; /* NULL: stopped */
};

static void
alarm_rings(void *ctx)
{
	struct alarm *alarm = ctx;
	struct timer *timer = alarm->timer;

	free(alarm);
	if (!timer)
		return;
	timer->set = NULL;
	timer->fn(timer->ctx);
}

struct timer *
timer_new(struct loop *loop, timer_fn *fn, void *ctx)
{
	struct timer *timer = memory_new(sizeof(*timer));

	(void)loop;
	timer->fn = fn;
	timer->ctx = ctx;
	return timer;
}

void
timer_start(struct timer *timer, int64_t delay_ms)
{
	timer_stop(timer);
	timer->set = memory_new(sizeof(*timer->set));
	timer->set->timer = timer;
	agenda_add(sim.now_ms + (delay_ms > 0 ? delay_ms : 0), true, alarm_rings, free, timer->set);
}

void
timer_stop(struct timer *timer)
{
	if (timer->set)
		timer->set->timer = NULL;
	timer->set = NULL;
}

bool
timer_runs(const struct timer *timer)
{
	return timer->set != NULL;
}

void
timer_free(struct timer *timer)
{
	if (timer)
		timer_stop(timer);
	free(timer);
}
