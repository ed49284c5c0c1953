/* The first look: some hundred likely partners for everybody, from an inverted index. */
#ifndef MATCHING_LOOK_H
#define MATCHING_LOOK_H

#include "matching/graph.h"

/* Adds the best few of those looked at; False when cancelled. */
bool look_first(
    const struct matching *m, uint64_t seed, struct edges *edges, const volatile int *cancel);
/* Adds every permitted pair; for small pools. */
void look_all(const struct matching *m, struct edges *edges);

#endif
