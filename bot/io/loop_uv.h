/* The inside of struct loop, for the files of io only. */
#ifndef IO_LOOP_UV_H
#define IO_LOOP_UV_H

#include <uv.h>

#include "io/loop.h"

enum {
	LOOP_SIGNALS = 8,
};

struct loop_soon {
	loop_fn *fn;
	void *ctx;
};

struct loop_signal {
	uv_signal_t uv;
	loop_signal_fn *fn;
	void *ctx;
	int number;
	bool used;
};

struct loop {
	uv_loop_t uv;
	uv_idle_t soon_idle;	/* a timer of 0 ms would come again in the same round */
	struct loop_soon *soon; /* in the order they came */
	size_t soon_count, soon_room;
	struct loop_signal signals[LOOP_SIGNALS];
};

#endif
