/*
 * Disjoint rings of two and three: branch and bound, each connected part for itself. The bound is
 * a dual solution of the packing's linear programme (a price for each organisation such that every
 * ring's prices add up to its worth), tightened in each node.
 */
#include "matching/ring.h"

#include <string.h>

#include "matching/pool.h"

enum {
	PLACED = 1 << 20, /* worth of placing one organisation: above all points of a ring */
	MOST_RINGS = 20000,
	EFFORT = 60000,
};

struct option {
	struct ring ring;
	int64_t worth;
};

struct search {
	struct option *option;
	uint32_t options, *of[RING_ORGS], ofs[RING_ORGS];
	bool taken[RING_ORGS]; /* in a ring, given up, or of another part */
	uint32_t chosen[RING_ORGS], depth, best[RING_ORGS], bests;
	int64_t worth, best_worth;
	uint64_t effort;
	const volatile int *cancel;
	bool gave_up;
};

static bool
is_open(const struct search *s, const struct option *o)
{
	for (int i = 0; i < o->ring.size; i++)
		if (s->taken[o->ring.org[i]])
			return false;
	return true;
}

/* The lowest price of `org` that still covers all its open rings. */
static int64_t
asked(const struct search *s, const int64_t *price, uint16_t org)
{
	int64_t most = 0;

	for (uint32_t i = 0; i < s->ofs[org]; i++) {
		const struct option *o = &s->option[s->of[org][i]];
		int64_t rest = o->worth + price[org];

		if (!is_open(s, o))
			continue;
		for (int k = 0; k < o->ring.size; k++)
			rest -= price[o->ring.org[k]];
		if (rest > most)
			most = rest;
	}
	return most;
}

static int64_t
share(const struct search *s, uint16_t org, uint32_t *open)
{
	int64_t most = 0;

	*open = 0;
	for (uint32_t i = 0; !s->taken[org] && i < s->ofs[org]; i++) {
		const struct option *o = &s->option[s->of[org][i]];

		if (!is_open(s, o))
			continue;
		++*open;
		if ((o->worth + o->ring.size - 1) / o->ring.size > most)
			most = (o->worth + o->ring.size - 1) / o->ring.size;
	}
	return most;
}

/* What the open rings can add at most; *next is the open organisation with fewest rings. */
static int64_t
bound(const struct search *s, uint16_t *next)
{
	uint32_t open[RING_ORGS], fewest = UINT32_MAX;
	int64_t start[RING_ORGS], low = INT64_MAX;

	*next = RING_ORGS;
	for (uint16_t v = 0; v < RING_ORGS; v++) {
		start[v] = share(s, v, &open[v]);
		if (open[v] && open[v] < fewest) {
			fewest = open[v];
			*next = v;
		}
	}
	/* Those with many rings are worth most: lower the others first; or the other way round. */
	for (int way = 0; way < 2; way++) {
		int64_t price[RING_ORGS], sum = 0;

		memcpy(price, start, sizeof(price));
		for (uint32_t few = fewest, more; few != UINT32_MAX; few = more) {
			more = UINT32_MAX;
			for (uint16_t i = 0; i < RING_ORGS; i++) {
				uint16_t v = way ? (uint16_t)(RING_ORGS - 1 - i) : i;

				if (open[v] == few)
					price[v] = asked(s, price, v);
				else if (open[v] > few && open[v] < more)
					more = open[v];
			}
		}
		for (int v = 0; v < RING_ORGS; v++)
			sum += price[v];
		low = sum < low ? sum : low;
	}
	return low;
}

static void
take(struct search *s, const struct option *o, bool on)
{
	for (int i = 0; i < o->ring.size; i++)
		s->taken[o->ring.org[i]] = on;
}

static void
descend(struct search *s)
{
	uint16_t v;
	int64_t more;

	if (s->worth > s->best_worth) {
		s->best_worth = s->worth;
		s->bests = s->depth;
		memcpy(s->best, s->chosen, s->depth * sizeof(*s->best));
	}
	more = bound(s, &v);
	if (v == RING_ORGS || s->worth + more <= s->best_worth)
		return;
	if (!s->effort || (s->cancel && *s->cancel)) {
		s->gave_up = true;
		return;
	}
	s->effort--;
	for (uint32_t i = 0; i < s->ofs[v]; i++) {
		const struct option *o = &s->option[s->of[v][i]];

		if (!is_open(s, o))
			continue;
		take(s, o, true);
		s->chosen[s->depth++] = s->of[v][i];
		s->worth += o->worth;
		descend(s);
		s->worth -= o->worth;
		s->depth--;
		take(s, o, false);
	}
	s->taken[v] = true;
	descend(s);
	s->taken[v] = false;
}

struct table {
	int32_t points[RING_ORGS][RING_ORGS];
	uint32_t help[RING_ORGS][RING_ORGS];
	bool refused[RING_ORGS][RING_ORGS];
};

static void
add_ring(struct search *s, const struct table *t, const uint16_t *org, uint8_t size)
{
	struct option o = {.ring = {.size = size}};

	for (int i = 0; i < size; i++) {
		uint16_t a = org[i], b = org[(i + 1) % size];

		if (!t->points[a][b] || t->refused[a][b])
			return;
		o.ring.org[i] = a;
		o.ring.help[i] = t->help[a][b];
		o.ring.points += t->points[a][b];
	}
	if (s->options == MOST_RINGS) {
		s->gave_up = true;
		return;
	}
	o.worth = (int64_t)size * PLACED + o.ring.points;
	s->option[s->options++] = o;
}

/* Pairs first, so that they are there when there are too many rings. */
static void
list_rings(struct search *s, const struct table *t, bool pairs_only)
{
	for (uint16_t a = 0; a < RING_ORGS; a++)
		for (uint16_t b = (uint16_t)(a + 1); b < RING_ORGS; b++)
			add_ring(s, t, (const uint16_t[]){a, b}, 2);
	for (uint16_t a = 0; a < RING_ORGS && !pairs_only; a++)
		for (uint16_t b = (uint16_t)(a + 1); b < RING_ORGS; b++)
			for (uint16_t c = (uint16_t)(a + 1); t->points[a][b] && c < RING_ORGS; c++)
				if (c != b)
					add_ring(s, t, (const uint16_t[]){a, b, c}, 3);
}

static int
by_worth(const void *x, const void *y)
{
	const struct option *a = x, *b = y;

	if (a->worth != b->worth)
		return a->worth < b->worth ? 1 : -1;
	return memcmp(a->ring.org, b->ring.org, sizeof(a->ring.org));
}

/* Organisations that no chain of rings connects do not matter to each other. */
static void
find_parts(struct search *s, uint16_t *part)
{
	bool changed = true;

	for (uint16_t v = 0; v < RING_ORGS; v++)
		part[v] = v;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < s->options; i++) {
			const struct ring *r = &s->option[i].ring;

			for (int k = 0; k < r->size; k++) {
				uint16_t *a = &part[r->org[k]],
					 *b = &part[r->org[(k + 1) % r->size]];

				if (*a == *b)
					continue;
				*a = *b = *a < *b ? *a : *b;
				changed = true;
			}
		}
	}
}

static void
index_rings(struct search *s)
{
	qsort(s->option, s->options, sizeof(*s->option), by_worth);
	for (uint32_t i = 0; i < s->options; i++)
		for (int k = 0; k < s->option[i].ring.size; k++)
			s->ofs[s->option[i].ring.org[k]]++;
	for (int v = 0; v < RING_ORGS; v++) {
		s->of[v] = pool_room(s->ofs[v], sizeof(**s->of));
		s->ofs[v] = 0;
	}
	for (uint32_t i = 0; i < s->options; i++)
		for (int k = 0; k < s->option[i].ring.size; k++) {
			uint16_t v = s->option[i].ring.org[k];

			s->of[v][s->ofs[v]++] = i;
		}
}

static struct table *
table_new(
    const struct ring_help *help, size_t helps, const struct ring_refusal *refusal, size_t refusals)
{
	struct table *t = pool_room(1, sizeof(*t));

	for (size_t i = 0; i < helps; i++)
		if (help[i].points > t->points[help[i].from][help[i].to]) {
			t->points[help[i].from][help[i].to] = help[i].points;
			t->help[help[i].from][help[i].to] = (uint32_t)i;
		}
	/* Refused in either direction; a ring of three has all three pairs in it. */
	for (size_t i = 0; i < refusals; i++)
		t->refused[refusal[i].a][refusal[i].b] = t->refused[refusal[i].b][refusal[i].a] =
		    true;
	return t;
}

size_t
ring_find(const struct ring_help *help, size_t helps, const struct ring_refusal *refusal,
    size_t refusals, const struct ring_options *options, struct ring *ring, bool *exact)
{
	struct search *s = pool_room(1, sizeof(*s));
	struct table *t = table_new(help, helps, refusal, refusals);
	uint16_t part[RING_ORGS];
	size_t count = 0;
	bool proven;

	s->option = pool_room(MOST_RINGS, sizeof(*s->option));
	s->cancel = options->cancel;
	list_rings(s, t, options->pairs_only);
	index_rings(s);
	find_parts(s, part);
	for (uint16_t p = 0; p < RING_ORGS; p++) {
		for (uint16_t v = 0; v < RING_ORGS; v++)
			s->taken[v] = part[v] != p;
		s->worth = s->best_worth = 0;
		s->depth = s->bests = 0;
		s->effort = options->effort ? options->effort : EFFORT;
		descend(s);
		for (uint32_t i = 0; i < s->bests; i++)
			ring[count++] = s->option[s->best[i]].ring;
	}
	proven = !s->gave_up;
	for (int v = 0; v < RING_ORGS; v++)
		free(s->of[v]);
	free(s->option);
	free(s);
	free(t);
	if (exact)
		*exact = proven;
	return count;
}
