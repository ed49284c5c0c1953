/* All pairs looked at, 256 people at a time: which are worth more than the two people's prices? */
#ifndef MATCHING_SCAN_H
#define MATCHING_SCAN_H

#include "matching/graph.h"

enum { SCAN_KEEP = 8 };

struct scan_found {
	uint32_t other;
	int32_t points; /* of the pair, without boosts */
	int64_t gain;	/* units above both prices */
};

/* The best pairs of everybody, best first. */
struct scan {
	uint32_t n;
	uint8_t *count;
	struct scan_found (*found)[SCAN_KEEP];
	uint64_t pairs,
	    survivors; /* permitted pairs with a gain; lanes that were looked at exactly */
};

/* dual[n] in units; `blossoms` (may be NULL) say what pairs inside of one get on top. False when
 * cancelled. progress is called with 0..100 of this scan. */
bool scan_run(struct scan *scan, const struct matching *m, const int64_t *dual,
    const struct blossom *blossoms, const struct matching_options *options, int from, int to);
struct scan scan_new(uint32_t n);
void scan_free(struct scan *scan);

#endif
