/* People in compact form, the score of two rows, and what was never to be paired. Private. */
#ifndef MATCHING_POOL_H
#define MATCHING_POOL_H

#include <stdio.h>
#include <stdlib.h>

#include "matching/matching.h"

enum { POOL_NO_ORG = 0xffff, POOL_REGIONS = 9 };

struct pool_row {
	uint32_t topics, slots;
	uint16_t org, org2;
	uint8_t speaks, fluent; /* a bit a language: level 2 and up, level 3 */
	uint8_t side, region, goals, mode, cross, woman, women_only, years;
	uint8_t waiting, trio, avoids;
	int32_t bonus; /* points this person adds to each pair; set by pool_bonus */
};

struct matching {
	uint32_t count, orgs;
	struct pool_row *row;
	uint16_t *topic;	       /* points of each of MATCHING_TOPICS */
	uint16_t (*topic_sum)[256];    /* points of a byte of topics, one table a byte */
	uint8_t *novelty;	       /* orgs x orgs */
	uint32_t *never_first, *never; /* sorted lists of partners that may not be */
	uint32_t *avoid_first;
	uint16_t *avoid;
};

extern const uint16_t pool_near[POOL_REGIONS];

/* Zeroed; out of memory ends the process. */
static inline void *
pool_room(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p) {
		fputs("matching: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static inline void *
pool_grow(void *old, size_t bytes)
{
	void *p = realloc(old, bytes ? bytes : 1);

	if (!p) {
		fputs("matching: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

/* The rules but history, blocks and avoided organisations; 0: not permitted. */
int pool_points(const struct matching *m, const struct pool_row *a, const struct pool_row *b);
/* True when history, a block or an avoided organisation forbids the pair. */
bool pool_never(const struct matching *m, uint32_t a, uint32_t b);
/* Sorts u32s in place. */
void pool_sort(uint32_t *value, size_t count);

/* A small generator (splitmix64), so that a seed means the same everywhere. */
static inline uint64_t
pool_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint32_t
pool_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((pool_random(state) >> 32) * n) >> 32);
}

#endif
