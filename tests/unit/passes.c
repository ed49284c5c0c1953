/* Whole passes and a year of them: rules, cards, and who is left out. */
#include "unit.h"

#include "matching/blind.h"
#include "matching/plan.h"

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % n);
}

static uint32_t
bits(uint32_t n, uint32_t percent)
{
	uint32_t all = 0;

	for (uint32_t i = 0; i < n; i++)
		all |= (uint32_t)(below(100) < percent) << i;
	return all;
}

static struct matching_person
somebody(uint32_t orgs)
{
	struct matching_person p = {.org2 = MATCHING_NOBODY};
	uint32_t mother = below(2), org = below(orgs);

	p.org = (int32_t)(org * below(orgs) / orgs);
	p.level[1 + mother] = 3;
	p.level[0] = below(4) ? 2 + below(2) != 2 ? 3 : 2 : 0;
	p.level[2 - mother] = below(5) ? 0 : 2;
	p.topics = bits(24, 15);
	p.slots = bits(21, 30) | 1u << below(21);
	p.goals = (uint8_t)(1u << below(3) | bits(3, 50));
	if (!below(8))
		p.goals |= below(2) ? MATCHING_SEEKS_MENTOR : MATCHING_OFFERS_MENTORING;
	p.mode = below(8) ? 3 : (uint8_t)(1 + below(2));
	p.side = (uint8_t)(below(10) ? (mother ? 0 : 1 + below(2)) : 4);
	p.region = (uint8_t)below(9);
	p.cross = (uint8_t)(below(8) ? below(2) : MATCHING_NOT_NOW);
	p.woman = (uint8_t)below(2);
	p.women_only = p.woman && !below(8);
	p.years = (uint8_t)below(20);
	p.trio = (uint8_t)below(2);
	return p;
}

/* Mentoring and journeys apart, the hard rules in the words of the specification. */
static bool
forbidden(const struct matching_person *a, const struct matching_person *b)
{
	bool language = false;
	bool across = (a->side == 0 && (b->side == 1 || b->side == 2)) ||
		      (b->side == 0 && (a->side == 1 || a->side == 2));

	for (int l = 0; l < MATCHING_LANGUAGES; l++)
		language |= a->level[l] >= 2 && b->level[l] >= 2;
	return !language || a->org == b->org || !(a->slots & b->slots) || !(a->mode & b->mode) ||
	       (a->women_only && !b->woman) || (b->women_only && !a->woman) ||
	       (across && (a->cross == MATCHING_NOT_NOW || b->cross == MATCHING_NOT_NOW));
}

struct community {
	struct matching_person *person;
	uint32_t count, *in, ins;
	uint8_t *past; /* count x count: suggested before, 2: never again */
	int32_t *suggested;
	struct matching_pair *pair;
	size_t pairs, room;
};

static struct community
community_new(uint32_t count, uint32_t orgs)
{
	struct community c = {.person = calloc(count, sizeof(*c.person)), .count = count};

	c.in = calloc(count, sizeof(*c.in));
	c.past = calloc((size_t)count * count, 1);
	c.suggested = calloc((size_t)count * count, sizeof(*c.suggested));
	for (uint32_t i = 0; i < count; i++)
		c.person[i] = somebody(orgs);
	return c;
}

static void
community_free(struct community *c)
{
	free(c->person);
	free(c->in);
	free(c->past);
	free(c->suggested);
	free(c->pair);
}

static void
add_past(struct community *c, uint32_t a, uint32_t b)
{
	if (c->pairs == c->room) {
		c->room = c->room ? 2 * c->room : 1024;
		c->pair = realloc(c->pair, c->room * sizeof(*c->pair));
	}
	c->pair[c->pairs++] = (struct matching_pair){a, b};
	c->past[(size_t)a * c->count + b] = c->past[(size_t)b * c->count + a] = 1;
}

static struct plan
pass(const struct community *c)
{
	return plan_pass(&(struct plan_input){.person = c->person,
	    .said = c->person,
	    .count = c->count,
	    .in = c->in,
	    .ins = c->ins,
	    .past = c->pair,
	    .pasts = c->pairs,
	    .seed = 7});
}

static void
check_group(const struct community *c, const struct blind *blind, const struct plan_group *g)
{
	for (int i = 0; i < g->size; i++) {
		for (int k = 0; k < i; k++) {
			uint32_t a = g->person[i], b = g->person[k];

			assert_false(forbidden(&c->person[a], &c->person[b]));
			assert_int_equal(c->past[(size_t)a * c->count + b], 0);
		}
		assert_true(g->size == 2 || c->person[g->person[i]].trio);
		assert_true(blind_fits(blind, g->person[i], g->fact[i], g->facts[i]) >= BLIND_FITS);
	}
}

/* Rules, trios and cards in random memberships, most of them small and narrow. */
static void
match_passes_keep_the_rules_and_the_cards_fit(void **state)
{
	long instances = getenv("LONG") ? 100000 : 1500, groups = 0, trios = 0, facts = 0;

	(void)state;
	seed = 3;
	for (long n = 0; n < instances; n++) {
		struct community c = community_new(20 + below(50), 2 + below(8));
		struct blind *blind = blind_new(c.person, c.count);
		uint8_t seen[80] = {0};
		struct plan plan;

		for (uint32_t i = 0; i < c.count; i++)
			if (below(4))
				c.in[c.ins++] = i;
		for (uint32_t i = 0; i < c.count; i++)
			add_past(&c, i, (i + 1 + below(c.count - 1)) % c.count);
		plan = pass(&c);
		assert_true(c.count >= PLAN_MEMBERS || !plan.groups);
		for (uint32_t i = 0; i < plan.groups; i++) {
			const struct plan_group *g = &plan.group[i];

			check_group(&c, blind, g);
			for (int k = 0; k < g->size; k++) {
				assert_int_equal(seen[g->person[k]]++, 0);
				facts += g->facts[k];
			}
			trios += g->size == 3;
		}
		groups += plan.groups;
		free(plan.group);
		blind_free(blind);
		community_free(&c);
	}
	printf("# %ld instances, %ld groups (%ld of three), %.1f facts a card\n", instances, groups,
	    trios, (double)facts / (double)(2 * groups + trios));
	assert_true(trios > 0);
}

/* What a year brought to each. */
struct year {
	uint32_t *left_out, *opted, *met;
	long cards, wanted, introduced, missed, missed_twice, avoidable;
};

/* Who has no card in the first pass, though somebody permitted has none either? */
static void
count_left_out(struct community *c, struct year *y, const uint8_t *served)
{
	for (uint32_t k = 0; k < c->ins; k++) {
		uint32_t a = c->in[k];
		bool twice;

		if (served[a]) {
			y->left_out[a] = 0;
			continue;
		}
		y->missed++;
		twice = y->left_out[a]++ > 0;
		y->missed_twice += twice;
		for (uint32_t l = 0; l < c->ins && twice; l++) {
			uint32_t b = c->in[l];

			if (b != a && !served[b] && !forbidden(&c->person[a], &c->person[b]) &&
			    !c->past[(size_t)a * c->count + b] &&
			    (c->person[a].goals & c->person[b].goals & 7) &&
			    (c->person[a].mode & c->person[b].mode & MATCHING_ONLINE)) {
				y->avoidable++;
				break;
			}
		}
	}
}

static bool
group_agrees(const struct plan_group *g)
{
	bool yes = true;

	for (int i = 0; i < g->size; i++)
		yes = below(100) < 58 && yes;
	return yes;
}

/* One pass: cards, answers, and those who are introduced leave the round. */
static void
play_pass(struct community *c, struct year *y, int round, uint8_t *served, uint8_t *done)
{
	struct plan plan = pass(c);
	uint32_t left = 0;

	for (uint32_t i = 0; i < plan.groups; i++) {
		const struct plan_group *g = &plan.group[i];
		bool yes = group_agrees(g);

		for (int k = 0; k < g->size; k++) {
			uint32_t a = g->person[k];

			served[a] = 1;
			y->cards++;
			for (int l = 0; l < k; l++) {
				int32_t *when = &c->suggested[(size_t)a * c->count + g->person[l]];

				/* No pair twice within the year. */
				assert_int_equal(*when, 0);
				*when = c->suggested[(size_t)g->person[l] * c->count + a] = round;
				add_past(c, a, g->person[l]);
			}
			if (yes) {
				done[a] = 1;
				y->introduced++;
				y->met[a]++;
			}
		}
	}
	free(plan.group);
	for (uint32_t k = 0; k < c->ins; k++)
		if (!done[c->in[k]])
			c->in[left++] = c->in[k];
	c->ins = left;
}

static void
play_round(struct community *c, struct year *y, int round)
{
	uint8_t *served = calloc(c->count, 1), *done = calloc(c->count, 1);
	uint32_t *in = calloc(c->count, sizeof(*in)), ins = 0;

	c->ins = 0;
	for (uint32_t i = 0; i < c->count; i++)
		if (below(100) < 50) {
			c->in[c->ins++] = in[ins++] = i;
			y->opted[i]++;
		}
	y->wanted += ins;
	for (int p = 0; p < 3; p++) {
		play_pass(c, y, round, served, done);
		if (p == 0) {
			uint32_t *rest = c->in, rests = c->ins;

			c->in = in;
			c->ins = ins;
			count_left_out(c, y, served);
			c->in = rest;
			c->ins = rests;
		}
	}
	for (uint32_t k = 0; k < ins; k++) {
		uint8_t *waiting = &c->person[in[k]].waiting;

		*waiting = done[in[k]] ? 0 : (uint8_t)(*waiting < 4 ? *waiting + 1 : 4);
	}
	free(served);
	free(done);
	free(in);
}

/* Weekly rounds of three passes; half of the people opt in each time, 58 % of answers are yes. */
static void
match_a_year_of_weekly_rounds(void **state)
{
	bool whole = getenv("LONG") != NULL;
	int rounds = 52;
	struct community c = community_new(whole ? 2000 : 400, whole ? 60 : 20);
	struct year y = {
	    .left_out = calloc(c.count, 4), .opted = calloc(c.count, 4), .met = calloc(c.count, 4)};
	uint32_t once = 0;

	(void)state;
	seed = 11;
	for (int round = 1; round <= rounds; round++)
		play_round(&c, &y, round);
	for (uint32_t i = 0; i < c.count; i++)
		once += y.met[i] > 0;
	printf("# %u people, %d rounds: %.1f %% of who opted in had a card in the first pass, %.1f "
	       "%% were"
	       " introduced in the round, %.1f %% of all met somebody in the year\n",
	    c.count, rounds, 100.0 - 100.0 * (double)y.missed / (double)y.wanted,
	    100.0 * (double)y.introduced / (double)y.wanted, 100.0 * once / c.count);
	printf(
	    "# left out twice in a row: %.2f %%, of these with a permitted person left out as well:"
	    " %ld\n",
	    100.0 * (double)y.missed_twice / (double)y.wanted, y.avoidable);
	assert_int_equal(y.avoidable, 0);
	free(y.left_out);
	free(y.opted);
	free(y.met);
	community_free(&c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(match_passes_keep_the_rules_and_the_cards_fit),
    cmocka_unit_test(match_a_year_of_weekly_rounds),
};

UNIT_RUN(tests)
