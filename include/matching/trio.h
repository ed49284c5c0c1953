/* The odd ones after a round. */
#ifndef MATCHING_TRIO_H
#define MATCHING_TRIO_H

#include "matching/matching.h"

/* Odd ones join pairs: everybody of the three likes trios and all are permitted together. */
struct trio {
	uint32_t odd, a, b;
	int points; /* of the odd one with both */
};

/* The set of trios of most odd ones, then most points. `partner` as in the result. Writes at most
 * `room`, returns how many. */
size_t trio_find(
    const struct matching *matching, const int32_t *partner, struct trio *trio, size_t room);

#endif
