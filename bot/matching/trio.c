/* The odd ones join pairs: a matching between them and the pairs, solved exactly. */
#include "matching/trio.h"

#include "matching/graph.h"

enum { NEAREST = 64, SURE = 10000 /* points for joining at all: more than any two scores */ };

struct choice {
	uint32_t pair;
	int32_t points;
};

static int
points_of(const struct matching *m, uint32_t odd, uint32_t a, uint32_t b)
{
	int with_a = matching_score(m, odd, a), with_b = matching_score(m, odd, b);

	return with_a && with_b ? with_a + with_b : 0;
}

/* The best few pairs for one odd person. */
static uint32_t
nearest(const struct matching *m, uint32_t odd, const struct matching_pair *pair, uint32_t pairs,
    struct choice *best)
{
	uint32_t count = 0;

	for (uint32_t p = 0; p < pairs; p++) {
		int points = points_of(m, odd, pair[p].a, pair[p].b);
		uint32_t i;

		if (!points || (count == NEAREST && points <= best[NEAREST - 1].points))
			continue;
		i = count < NEAREST ? count++ : NEAREST - 1;
		for (; i > 0 && best[i - 1].points < points; i--)
			best[i] = best[i - 1];
		best[i] = (struct choice){p, points};
	}
	return count;
}

static uint32_t
willing_pairs(const struct matching *m, const int32_t *partner, struct matching_pair *pair)
{
	uint32_t pairs = 0;

	for (uint32_t v = 0; v < m->count; v++)
		if (partner[v] > (int32_t)v && m->row[v].trio && m->row[partner[v]].trio)
			pair[pairs++] = (struct matching_pair){v, (uint32_t)partner[v]};
	return pairs;
}

size_t
trio_find(const struct matching *m, const int32_t *partner, struct trio *trio, size_t room)
{
	struct matching_pair *pair = pool_room(m->count, sizeof(*pair));
	uint32_t *odd = pool_room(m->count, sizeof(*odd)), odds = 0;
	uint32_t pairs = willing_pairs(m, partner, pair);
	struct edges edges = {0};
	struct matching_result r;
	size_t count = 0;

	for (uint32_t v = 0; v < m->count; v++)
		if (partner[v] == MATCHING_NOBODY && m->row[v].trio)
			odd[odds++] = v;
	for (uint32_t o = 0; o < odds; o++) {
		struct choice best[NEAREST];
		uint32_t n = nearest(m, odd[o], pair, pairs, best);

		for (uint32_t i = 0; i < n; i++)
			edges_add(&edges, o, odds + best[i].pair, best[i].points + SURE);
	}
	r = matching_edges(
	    odds + pairs, edges.edge, edges.count, &(struct matching_options){.seed = 1});
	for (uint32_t o = 0; o < odds && count < room; o++)
		if (r.partner[o] != MATCHING_NOBODY) {
			const struct matching_pair *p = &pair[(uint32_t)r.partner[o] - odds];

			trio[count++] =
			    (struct trio){odd[o], p->a, p->b, points_of(m, odd[o], p->a, p->b)};
		}
	free(pair);
	free(odd);
	free(edges.edge);
	free(r.partner);
	return count;
}
