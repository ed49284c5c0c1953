#include "matching/graph.h"

static int
heavier(const void *x, const void *y)
{
	const struct graph_arc *a = x, *b = y;

	if (a->weight != b->weight)
		return a->weight < b->weight ? 1 : -1;
	return (a->to > b->to) - (a->to < b->to);
}

static void
sort_arcs(struct graph_arc *arc, uint32_t n)
{
	if (n > 24) {
		qsort(arc, n, sizeof(*arc), heavier);
		return;
	}
	for (uint32_t i = 1; i < n; i++) {
		struct graph_arc x = arc[i];
		uint32_t j = i;

		for (; j > 0 && heavier(&arc[j - 1], &x) > 0; j--)
			arc[j] = arc[j - 1];
		arc[j] = x;
	}
}

/* Sorts each list, drops doubles and closes the gaps they leave. */
static void
tidy(struct graph *g)
{
	uint32_t out = 0, begin = 0;

	for (uint32_t u = 0; u < g->n; u++) {
		uint32_t end = g->first[u + 1], start = out;

		sort_arcs(g->arc + begin, end - begin);
		for (uint32_t i = begin; i < end; i++)
			if (out == start || g->arc[i].to != g->arc[out - 1].to ||
			    g->arc[i].weight != g->arc[out - 1].weight)
				g->arc[out++] = g->arc[i];
		begin = end;
		g->first[u + 1] = out;
	}
}

struct graph
graph_new(uint32_t n, const struct matching_edge *edge, size_t edges)
{
	struct graph g = {.n = n};
	uint32_t *at = pool_room((size_t)n + 1, sizeof(*at));

	g.first = pool_room((size_t)n + 1, sizeof(*g.first));
	g.arc = pool_room(2 * edges, sizeof(*g.arc));
	for (size_t i = 0; i < edges; i++)
		if (edge[i].a != edge[i].b) {
			g.first[edge[i].a + 1]++;
			g.first[edge[i].b + 1]++;
		}
	for (uint32_t u = 0; u < n; u++)
		at[u + 1] = g.first[u + 1] += g.first[u];
	for (size_t i = 0; i < edges; i++)
		if (edge[i].a != edge[i].b) {
			g.arc[at[edge[i].a]++] = (struct graph_arc){edge[i].b, edge[i].weight};
			g.arc[at[edge[i].b]++] = (struct graph_arc){edge[i].a, edge[i].weight};
		}
	free(at);
	tidy(&g);
	return g;
}

void
graph_free(struct graph *g)
{
	free(g->first);
	free(g->arc);
	*g = (struct graph){0};
}
