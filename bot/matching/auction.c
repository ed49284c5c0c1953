/* Bertsekas' auction on the bipartite double cover: everybody is a bidder and an object. */
#include "matching/graph.h"

struct auction {
	const struct graph *g;
	int64_t *price;
	uint32_t *owner, *partner, *queue;
	size_t head, waiting;
};

struct bid {
	uint32_t to;
	int64_t best, second; /* gains after price; being alone gains 0 */
};

static struct bid
best_of(const struct graph *g, const int64_t *price, uint32_t u)
{
	struct bid bid = {GRAPH_NONE, 0, 0};

	for (uint32_t i = g->first[u]; i < g->first[u + 1]; i++) {
		int64_t worth = (int64_t)g->arc[i].weight * GRAPH_UNIT, gain;

		if (worth <= bid.second)
			break;
		gain = worth - price[g->arc[i].to];
		if (gain > bid.best) {
			bid.second = bid.best;
			bid.best = gain;
			bid.to = g->arc[i].to;
		} else if (gain > bid.second) {
			bid.second = gain;
		}
	}
	return bid;
}

static void
put(struct auction *a, uint32_t u)
{
	a->queue[(a->head + a->waiting++) % a->g->n] = u;
}

static void
offer(struct auction *a, uint32_t u, int64_t step)
{
	struct bid bid = best_of(a->g, a->price, u);
	uint32_t old;

	a->partner[u] = bid.to;
	if (bid.to == GRAPH_NONE)
		return;
	a->price[bid.to] += bid.best - bid.second + step;
	old = a->owner[bid.to];
	a->owner[bid.to] = u;
	if (old != GRAPH_NONE) {
		a->partner[old] = GRAPH_NONE;
		put(a, old);
	}
}

static void
fill_queue(struct auction *a, uint64_t seed)
{
	uint32_t n = a->g->n;

	for (uint32_t i = 0; i < n; i++) {
		a->owner[i] = a->partner[i] = GRAPH_NONE;
		a->queue[i] = i;
	}
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = pool_below(&seed, i), t = a->queue[i - 1];

		a->queue[i - 1] = a->queue[j];
		a->queue[j] = t;
	}
	a->waiting = n;
}

bool
auction_run(const struct graph *g, int64_t step, uint64_t seed, int64_t *dual, uint32_t *partner,
    const volatile int *cancel)
{
	struct auction a = {.g = g, .partner = partner};
	bool ended = true;

	a.price = pool_room(g->n, sizeof(*a.price));
	a.owner = pool_room(g->n, sizeof(*a.owner));
	a.queue = pool_room(g->n, sizeof(*a.queue));
	fill_queue(&a, seed);
	for (uint32_t bids = 0; a.waiting; bids++) {
		uint32_t u = a.queue[a.head];

		a.head = (a.head + 1) % g->n;
		a.waiting--;
		offer(&a, u, step);
		if (!(bids & 0xfff) && cancel && *cancel) {
			ended = false;
			break;
		}
	}
	for (uint32_t u = 0; u < g->n; u++)
		dual[u] = (best_of(g, a.price, u).best + a.price[u] + 1) / 2;
	free(a.price);
	free(a.owner);
	free(a.queue);
	return ended;
}
