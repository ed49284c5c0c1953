/* Candidate pairs as adjacency lists, the auction that prices people, and the exact matcher.
 * Prices are whole: GRAPH_UNIT of them are a point, so that halves and tie-breaks stay whole. */
#ifndef MATCHING_GRAPH_H
#define MATCHING_GRAPH_H

#include "matching/pool.h"

enum { GRAPH_UNIT = 32 };

#define GRAPH_NONE UINT32_MAX

struct graph_arc {
	uint32_t to;
	int32_t weight;
};

struct graph {
	uint32_t n;
	uint32_t *first;       /* n + 1 */
	struct graph_arc *arc; /* of each person, heaviest first */
};

struct edges {
	struct matching_edge *edge;
	size_t count, room;
};

static inline void
edges_add(struct edges *e, uint32_t a, uint32_t b, int32_t weight)
{
	if (e->count == e->room) {
		e->room += e->room / 2 + 4096;
		e->edge = pool_grow(e->edge, e->room * sizeof(*e->edge));
	}
	e->edge[e->count++] = (struct matching_edge){a, b, weight};
}

/* Doubles (equal ones) and loops are left out. */
struct graph graph_new(uint32_t n, const struct matching_edge *edge, size_t edges);
void graph_free(struct graph *graph);

/* Everybody bids until nobody wants to; dual[n] becomes feasible: dual[u] + dual[v] >= UNIT *
 * weight. partner[u] is whom u's last bid won, or GRAPH_NONE. False when cancelled. */
bool auction_run(const struct graph *graph, int64_t step, uint64_t seed, int64_t *dual,
    uint32_t *partner, const volatile int *cancel);

/* Edmonds' algorithm from any feasible duals. Keeps its duals and blossoms between rounds. */
struct blossom;
struct blossom *blossom_new(uint32_t n);
void blossom_free(struct blossom *b);
/* Duals of people outside of any blossom structure, and whom they would like (a hint). */
void blossom_start(struct blossom *b, const int64_t *dual, const uint32_t *hint);
/* Maximum weight on `graph`; what it knows is kept where it still holds. `effort` is a number of
 * arcs to look at, in all: past it searches give up early. False when cancelled. */
bool blossom_solve(
    struct blossom *b, const struct graph *graph, uint64_t effort, const volatile int *cancel);
uint32_t blossom_mate(const struct blossom *b, uint32_t v);
int64_t blossom_dual(const struct blossom *b, uint32_t v);
/* What the blossoms that hold both add to their duals; perhaps more, if still below `enough`. */
int64_t blossom_common(const struct blossom *b, uint32_t u, uint32_t v, int64_t enough);
/* Sum of all duals: an upper bound, in units, of any matching whose edges are all covered. */
int64_t blossom_bound(const struct blossom *b);

#endif
