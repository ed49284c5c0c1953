/* A pass: the matching over those who take part, trios for the odd ones, cards against everybody.
 */
#include "matching/plan.h"

#include <stdlib.h>
#include <string.h>

#include "matching/trio.h"

/* Those who take part as an array of their own, and the way there. */
struct pool {
	struct matching_person *person;
	uint32_t *at; /* of each member, or count */
	struct matching_pair *past;
	struct matching_avoid *avoid;
	size_t pasts, avoids;
};

static void *
room(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p)
		abort();
	return p;
}

static struct pool
pool_of(const struct plan_input *in)
{
	struct pool p = {.person = room(in->ins, sizeof(*p.person)),
	    .at = room(in->count, sizeof(*p.at)),
	    .past = room(in->pasts, sizeof(*p.past)),
	    .avoid = room(in->avoids, sizeof(*p.avoid))};

	for (uint32_t i = 0; i < in->count; i++)
		p.at[i] = in->ins;
	for (uint32_t k = 0; k < in->ins; k++) {
		p.person[k] = in->person[in->in[k]];
		p.at[in->in[k]] = k;
	}
	for (size_t i = 0; i < in->pasts; i++) {
		uint32_t a = p.at[in->past[i].a], b = p.at[in->past[i].b];

		if (a < in->ins && b < in->ins && a != b)
			p.past[p.pasts++] = (struct matching_pair){a, b};
	}
	for (size_t i = 0; i < in->avoids; i++)
		if (p.at[in->avoid[i].person] < in->ins)
			p.avoid[p.avoids++] =
			    (struct matching_avoid){p.at[in->avoid[i].person], in->avoid[i].org};
	return p;
}

static void
pool_drop(struct pool *p)
{
	free(p->person);
	free(p->at);
	free(p->past);
	free(p->avoid);
}

/* Keeps of `fact` what the other card about the same reader says too. */
static uint8_t
common(struct blind_fact *fact, uint8_t facts, const struct blind_fact *other, size_t others)
{
	uint8_t kept = 0;

	for (uint8_t i = 0; i < facts; i++)
		for (size_t k = 0; k < others; k++)
			if (fact[i].kind == other[k].kind && fact[i].what == other[k].what) {
				fact[kept++] = fact[i];
				break;
			}
	return kept;
}

/* A list of hours says little: two are enough. Fewer facts fit more people. */
static uint8_t
few_times(struct blind_fact *fact, uint8_t facts)
{
	uint8_t kept = 0, times = 0;

	for (uint8_t i = 0; i < facts; i++)
		if (fact[i].kind != BLIND_SLOT || times++ < PLAN_TIMES)
			fact[kept++] = fact[i];
	return kept;
}

/* Of three each reads what is true of both others: fewer facts fit more people, never fewer. */
static void
write_cards(const struct blind *blind, struct plan_group *g)
{
	struct blind_fact more[PLAN_FACTS];

	for (int i = 0; i < g->size; i++) {
		uint32_t reader = g->person[i], next = g->person[(i + 1) % g->size];

		g->facts[i] =
		    (uint8_t)blind_card(blind, reader, next, BLIND_FITS, PLAN_FACTS, g->fact[i]);
		if (g->size == 3) {
			size_t n = blind_card(
			    blind, reader, g->person[(i + 2) % 3], BLIND_FITS, PLAN_FACTS, more);

			g->facts[i] = common(g->fact[i], g->facts[i], more, n);
		}
		g->facts[i] = few_times(g->fact[i], g->facts[i]);
	}
}

static void
take_groups(struct plan *plan, const struct plan_input *in, const struct matching_result *result,
    const struct trio *trio, size_t trios)
{
	uint32_t *odd = room(in->ins, sizeof(*odd));

	/* Who joins a pair, from 1, kept at the pair's lower number. */
	for (size_t i = 0; i < trios; i++)
		odd[trio[i].a < trio[i].b ? trio[i].a : trio[i].b] = trio[i].odd + 1;
	for (uint32_t k = 0; k < in->ins; k++) {
		struct plan_group *g = &plan->group[plan->groups];
		int32_t other = result->partner[k];

		if (other == MATCHING_NOBODY || (uint32_t)other < k)
			continue;
		*g = (struct plan_group){.person = {in->in[k], in->in[other]}, .size = 2};
		if (odd[k]) {
			g->person[2] = in->in[odd[k] - 1];
			g->size = 3;
		}
		plan->groups++;
	}
	free(odd);
}

struct plan
plan_pass(const struct plan_input *in)
{
	struct plan plan = {.group = room(in->ins / 2 + 1, sizeof(*plan.group))};
	struct matching_options options = {.seed = in->seed,
	    .boost = true,
	    .coverage_first = in->ins < PLAN_COVERAGE,
	    .progress = in->progress,
	    .arg = in->arg,
	    .cancel = in->cancel};
	struct pool pool;
	struct matching *matching;
	struct matching_result result;
	struct trio *trio;
	struct blind *blind;

	if (in->count < PLAN_MEMBERS || in->ins < 2)
		return plan;
	pool = pool_of(in);
	matching = matching_new(&(struct matching_people){.person = pool.person,
	    .count = in->ins,
	    .met = pool.past,
	    .mets = pool.pasts,
	    .avoid = pool.avoid,
	    .avoids = pool.avoids});
	result = matching_run(matching, &options);
	trio = room(in->ins, sizeof(*trio));
	plan.weight = result.weight;
	plan.boosted = result.boosted;
	plan.bound = result.bound;
	plan.cancelled = result.cancelled;
	if (!result.cancelled) {
		take_groups(
		    &plan, in, &result, trio, trio_find(matching, result.partner, trio, in->ins));
		blind = blind_new(in->said, in->count);
		for (uint32_t i = 0; i < plan.groups; i++)
			write_cards(blind, &plan.group[i]);
		blind_free(blind);
	}
	free(trio);
	free(result.partner);
	matching_free(matching);
	pool_drop(&pool);
	return plan;
}
