/* The course of a round: candidates, prices, all pairs, exact matching, proof. */
#include "matching/look.h"
#include "matching/scan.h"

#include <string.h>

enum {
	SMALL = 600,	  /* people of whom every pair is a candidate */
	PASSES = 2,	  /* scans of all pairs that only improve prices */
	EXACT_PASSES = 4, /* the same when the optimum is to be proven */
	ROUNDS = 12,	  /* scans after an exact matching, until nothing is missing */
	NEAR = 24,	  /* points: edges further from being used are dropped */
	EFFORT_EDGES =
	    400000000, /* arcs that the exact matcher looks at before it settles for less */
};

struct round {
	const struct matching *m; /* NULL for a plain list of edges */
	const struct matching_options *options;
	uint32_t n;
	struct edges edges;
	int64_t *dual;
	uint32_t *hint;
	struct blossom *blossom;
	struct scan scan;
	int64_t bound; /* units */
};

static void
progress(const struct round *r, int percent)
{
	if (r->options->progress)
		r->options->progress(r->options->arg, percent);
}

static void
set_bonus(const struct matching *m, const struct matching_options *o)
{
	for (uint32_t i = 0; i < m->count; i++) {
		struct pool_row *row = &m->row[i];
		int rounds =
		    row->waiting > MATCHING_WAITING_ROUNDS ? MATCHING_WAITING_ROUNDS : row->waiting;

		row->bonus = (o->boost ? rounds * MATCHING_WAITING_POINTS : 0) +
			     (o->coverage_first ? MATCHING_COVERAGE_POINTS / 2 : 0);
	}
}

/* Forgets edges that the prices make unlikely, and doubles. */
static void
prune(struct round *r, const struct graph *g, int64_t points)
{
	r->edges.count = 0;
	for (uint32_t u = 0; u < g->n; u++)
		for (uint32_t i = g->first[u]; i < g->first[u + 1]; i++) {
			const struct graph_arc *arc = &g->arc[i];

			if (arc->to > u &&
			    r->dual[u] + r->dual[arc->to] - (int64_t)arc->weight * GRAPH_UNIT <=
				points * GRAPH_UNIT)
				edges_add(&r->edges, u, arc->to, arc->weight);
		}
}

static void
add_found(struct round *r)
{
	const struct scan *s = &r->scan;

	for (uint32_t a = 0; a < r->n; a++)
		for (uint32_t i = 0; i < s->count[a]; i++) {
			const struct scan_found *f = &s->found[a][i];

			edges_add(&r->edges, a, f->other,
			    f->points + r->m->row[a].bonus + r->m->row[f->other].bonus);
		}
}

/* Prices from an auction over the candidates; what is far from being used is dropped. */
static bool
price(struct round *r, int64_t step, int64_t points)
{
	struct graph g = graph_new(r->n, r->edges.edge, r->edges.count);
	bool ended = auction_run(&g, step, r->options->seed, r->dual, r->hint, r->options->cancel);

	if (ended)
		prune(r, &g, points);
	graph_free(&g);
	return ended;
}

static bool
price_passes(struct round *r)
{
	/* Quarters of a point: finer when prices are nearly right. */
	static const int step[EXACT_PASSES] = {16, 8, 2, 1};
	int passes = r->options->exact ? EXACT_PASSES : PASSES;

	if (!look_first(r->m, r->options->seed, &r->edges, r->options->cancel))
		return false;
	progress(r, 10);
	for (int pass = 0; pass < passes; pass++) {
		if (!price(r, step[pass] * GRAPH_UNIT / 4, 4 * NEAR))
			return false;
		if (!scan_run(
			&r->scan, r->m, r->dual, NULL, r->options, 15 + 20 * pass, 30 + 20 * pass))
			return false;
		add_found(r);
	}
	return true;
}

static bool
solve(struct round *r)
{
	struct graph g = graph_new(r->n, r->edges.edge, r->edges.count);
	bool ended = blossom_solve(r->blossom, &g, EFFORT_EDGES, r->options->cancel);

	graph_free(&g);
	return ended;
}

/*
 * How much the duals must rise to cover all pairs that the scan found, in all. A pair that nobody's
 * full list kept is worth no more than the last of both lists, so halves of those cover it; for
 * the others the person who is in more of them rises: mostly few have too low a price.
 */
static int64_t
missing(const struct scan *s)
{
	uint32_t *degree = pool_room(s->n, sizeof(*degree));
	int64_t *lift = pool_room(s->n, sizeof(*lift)), sum = 0;

	for (uint32_t a = 0; a < s->n; a++) {
		if (s->count[a] == SCAN_KEEP)
			lift[a] = (s->found[a][SCAN_KEEP - 1].gain + 1) / 2;
		for (uint32_t i = 0; i < s->count[a]; i++)
			degree[s->found[a][i].other]++;
	}
	for (uint32_t a = 0; a < s->n; a++)
		for (uint32_t i = 0; i < s->count[a]; i++) {
			uint32_t b = s->found[a][i].other;
			int64_t rest = s->found[a][i].gain - lift[a] - lift[b];

			if (rest > 0)
				lift[degree[a] > degree[b] ? a : b] += rest;
		}
	for (uint32_t v = 0; v < s->n; v++)
		sum += lift[v];
	free(degree);
	free(lift);
	return sum;
}

/* One more look at all pairs with the auction's prices, which leave a margin everywhere. */
static bool
bound_all(struct round *r)
{
	int64_t sum = 0;

	for (uint32_t v = 0; v < r->n; v++)
		sum += r->dual[v];
	if (!scan_run(&r->scan, r->m, r->dual, NULL, r->options, 60, 95))
		return false;
	r->bound = sum + missing(&r->scan);
	return true;
}

/* Exact on the candidates; then all pairs are held against the duals, until none is missing. */
static bool
prove(struct round *r)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (!solve(r))
			return false;
		progress(r, 60 + 3 * i);
		r->bound = blossom_bound(r->blossom);
		if (!r->m || r->n <= SMALL)
			return true;
		if (!r->options->exact)
			return bound_all(r);
		for (uint32_t v = 0; v < r->n; v++)
			r->dual[v] = blossom_dual(r->blossom, v);
		if (!scan_run(
			&r->scan, r->m, r->dual, r->blossom, r->options, 60 + 3 * i, 63 + 3 * i))
			return false;
		r->bound += missing(&r->scan);
		if (!r->scan.pairs)
			return true;
		add_found(r);
	}
	return true;
}

static bool
course(struct round *r)
{
	int64_t heaviest = 0, step;

	if (r->m && r->n <= SMALL)
		look_all(r->m, &r->edges);
	else if (r->m && !price_passes(r))
		return false;
	for (size_t i = 0; i < r->edges.count; i++)
		if (r->edges.edge[i].weight > heaviest)
			heaviest = r->edges.edge[i].weight;
	step = r->m ? GRAPH_UNIT / 2 : heaviest * GRAPH_UNIT / 1000 + 1;
	if (!price(r, step, r->m && r->n > SMALL ? NEAR : heaviest * 2 + 1))
		return false;
	progress(r, 55);
	blossom_start(r->blossom, r->dual, r->hint);
	return prove(r);
}

/* People left over although somebody permitted is too: only when a search was given up. */
static void
complete(struct round *r, int32_t *partner)
{
	for (size_t i = 0; i < r->edges.count; i++) {
		const struct matching_edge *e = &r->edges.edge[i];

		if (e->a != e->b && partner[e->a] == MATCHING_NOBODY &&
		    partner[e->b] == MATCHING_NOBODY) {
			partner[e->a] = (int32_t)e->b;
			partner[e->b] = (int32_t)e->a;
		}
	}
}

static void
weigh_edges(const struct round *r, struct matching_result *result)
{
	int32_t *best = pool_room(r->n, sizeof(*best));

	for (size_t i = 0; i < r->edges.count; i++) {
		const struct matching_edge *e = &r->edges.edge[i];

		if (result->partner[e->a] == (int32_t)e->b && e->weight > best[e->a])
			best[e->a] = best[e->b] = e->weight;
	}
	for (uint32_t v = 0; v < r->n; v++)
		if (result->partner[v] > (int32_t)v)
			result->weight += best[v];
	result->boosted = result->weight;
	free(best);
}

static void
weigh_people(const struct round *r, struct matching_result *result)
{
	for (uint32_t v = 0; v < r->n; v++) {
		int32_t u = result->partner[v];
		int points;

		if (u <= (int32_t)v)
			continue;
		points = matching_score(r->m, v, (uint32_t)u);
		result->weight += points;
		result->boosted += points + r->m->row[v].bonus + r->m->row[u].bonus;
	}
}

static struct matching_result
finish(struct round *r, bool ended)
{
	struct matching_result result = {
	    .partner = pool_room(r->n, sizeof(*result.partner)), .cancelled = !ended};

	for (uint32_t v = 0; v < r->n; v++) {
		uint32_t u = ended ? blossom_mate(r->blossom, v) : GRAPH_NONE;

		result.partner[v] = u == GRAPH_NONE ? MATCHING_NOBODY : (int32_t)u;
	}
	if (ended) {
		complete(r, result.partner);
		for (uint32_t v = 0; v < r->n; v++)
			result.pairs += result.partner[v] > (int32_t)v;
		if (r->m)
			weigh_people(r, &result);
		else
			weigh_edges(r, &result);
		result.bound = r->bound / GRAPH_UNIT;
		result.exact = result.bound == result.boosted;
		progress(r, 100);
	}
	free(r->edges.edge);
	free(r->dual);
	free(r->hint);
	blossom_free(r->blossom);
	if (r->m)
		scan_free(&r->scan);
	return result;
}

static struct matching_result
run(struct round *r)
{
	r->dual = pool_room(r->n, sizeof(*r->dual));
	r->hint = pool_room(r->n, sizeof(*r->hint));
	r->blossom = blossom_new(r->n);
	return finish(r, !r->n || course(r));
}

struct matching_result
matching_run(const struct matching *m, const struct matching_options *options)
{
	struct round r = {.m = m, .options = options, .n = m->count};

	set_bonus(m, options);
	r.scan = scan_new(r.n);
	return run(&r);
}

struct matching_result
matching_edges(uint32_t count, const struct matching_edge *edge, size_t edges,
    const struct matching_options *options)
{
	struct round r = {.options = options, .n = count};

	for (size_t i = 0; i < edges; i++)
		if (edge[i].a != edge[i].b && edge[i].weight > 0)
			edges_add(&r.edges, edge[i].a, edge[i].b, edge[i].weight);
	return run(&r);
}
