#include "matching/look.h"

#include <string.h>

enum { LISTS = MATCHING_TOPICS * MATCHING_LANGUAGES, LOOKS = 240, STRANGERS = 40, BEST = 10 };

struct index {
	uint32_t first[LISTS + 1];
	uint32_t *person, *seen;
};

struct best {
	uint32_t count, other[BEST];
	int32_t points[BEST];
};

static void
each_list(const struct pool_row *p, uint32_t *list, uint32_t *count)
{
	*count = 0;
	for (uint32_t t = p->topics; t; t &= t - 1)
		for (unsigned s = p->speaks; s; s &= s - 1)
			list[(*count)++] =
			    (uint32_t)(__builtin_ctz(t) * MATCHING_LANGUAGES + __builtin_ctz(s));
}

static void
index_fill(struct index *x, const struct matching *m, uint64_t *seed)
{
	uint32_t list[LISTS], lists, at[LISTS];
	uint32_t *order = pool_room(m->count, sizeof(*order));

	for (uint32_t i = 0; i < m->count; i++) {
		uint32_t j = pool_below(seed, i + 1);

		order[i] = order[j];
		order[j] = i;
		each_list(&m->row[i], list, &lists);
		while (lists)
			x->first[list[--lists] + 1]++;
	}
	for (int k = 0; k < LISTS; k++)
		x->first[k + 1] += x->first[k];
	memcpy(at, x->first, sizeof(at));
	x->person = pool_room(x->first[LISTS], sizeof(*x->person));
	x->seen = pool_room(m->count, sizeof(*x->seen));
	for (uint32_t i = 0; i < m->count; i++) {
		each_list(&m->row[order[i]], list, &lists);
		while (lists)
			x->person[at[list[--lists]]++] = order[i];
	}
	free(order);
}

static void
look_at(const struct matching *m, struct index *x, struct best *best, uint32_t a, uint32_t b)
{
	int points;
	uint32_t i;

	if (x->seen[b] == a + 1 || a == b)
		return;
	x->seen[b] = a + 1;
	points = pool_points(m, &m->row[a], &m->row[b]);
	if (!points)
		return;
	points += m->row[b].bonus;
	if (best->count == BEST && points <= best->points[BEST - 1])
		return;
	if (pool_never(m, a, b))
		return;
	i = best->count < BEST ? best->count++ : BEST - 1;
	for (; i > 0 && best->points[i - 1] < points; i--) {
		best->points[i] = best->points[i - 1];
		best->other[i] = best->other[i - 1];
	}
	best->points[i] = points;
	best->other[i] = b;
}

/* The rarest topics first: whoever shares them is worth most. */
static void
sort_lists(const struct index *x, uint32_t *list, uint32_t lists)
{
	for (uint32_t i = 1; i < lists; i++) {
		uint32_t k = list[i], j = i;

		for (; j > 0 && x->first[list[j - 1] + 1] - x->first[list[j - 1]] >
				    x->first[k + 1] - x->first[k];
		     j--)
			list[j] = list[j - 1];
		list[j] = k;
	}
}

static void
look_person(
    const struct matching *m, struct index *x, struct best *best, uint32_t a, uint64_t *seed)
{
	uint32_t list[LISTS], lists, left = LOOKS;

	each_list(&m->row[a], list, &lists);
	sort_lists(x, list, lists);
	for (uint32_t i = 0; i < lists && left; i++) {
		uint32_t size = x->first[list[i] + 1] - x->first[list[i]];
		uint32_t quota = left / (lists - i) + 1, at;

		quota = quota > size ? size : quota;
		quota = quota > left ? left : quota;
		at = size > quota ? pool_below(seed, size) : 0;
		left -= quota;
		for (; quota; quota--, at = at + 1 == size ? 0 : at + 1)
			look_at(m, x, best, a, x->person[x->first[list[i]] + at]);
	}
	for (left += STRANGERS; left; left--)
		look_at(m, x, best, a, pool_below(seed, m->count));
}

bool
look_first(const struct matching *m, uint64_t seed, struct edges *edges, const volatile int *cancel)
{
	struct index x = {.person = NULL};

	index_fill(&x, m, &seed);
	for (uint32_t a = 0; a < m->count && !(cancel && *cancel); a++) {
		struct best best = {0};

		look_person(m, &x, &best, a, &seed);
		for (uint32_t i = 0; i < best.count; i++)
			edges_add(edges, a, best.other[i], best.points[i] + m->row[a].bonus);
	}
	free(x.person);
	free(x.seen);
	return !(cancel && *cancel);
}

void
look_all(const struct matching *m, struct edges *edges)
{
	for (uint32_t a = 0; a < m->count; a++)
		for (uint32_t b = a + 1; b < m->count; b++) {
			int points = pool_points(m, &m->row[a], &m->row[b]);

			if (points && !pool_never(m, a, b))
				edges_add(edges, a, b, points + m->row[a].bonus + m->row[b].bonus);
		}
}
