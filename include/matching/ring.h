/*
 * Organisations that help each other: pairs (A helps B, B helps A) and rings of three (A helps B
 * helps C helps A). Pure; kidney exchange's cycle packing. Exact, and says so,
 * unless the effort runs out first: then the best found.
 */
#ifndef MATCHING_RING_H
#define MATCHING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_ORGS = 160 };

/* `from` can help `to` with what post `offer` offers and post `need` asks for. */
struct ring_help {
	uint16_t from, to; /* < RING_ORGS */
	int32_t points;	   /* 1..10000 */
	uint32_t offer, need;
};

/* Two organisations of which one refused the other; such a pair is in no ring. */
struct ring_refusal {
	uint16_t a, b;
};

struct ring {
	uint8_t size;	  /* 2 or 3 */
	uint16_t org[3];  /* org[i] helps org[(i + 1) % size] */
	uint32_t help[3]; /* index of the help given: the reason */
	int32_t points;
};

struct ring_options {
	bool pairs_only;
	uint64_t effort;	    /* nodes of the search; 0: some seconds' worth at the most */
	const volatile int *cancel; /* may be NULL */
};

/* Disjoint rings that place most organisations, then have most points. `ring` has room for
 * RING_ORGS / 2; returns how many were written, *exact (may be NULL) whether that is proven. */
size_t ring_find(const struct ring_help *help, size_t helps, const struct ring_refusal *refusal,
    size_t refusals, const struct ring_options *options, struct ring *ring, bool *exact);

#endif
