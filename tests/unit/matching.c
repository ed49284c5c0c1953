#include <math.h>

#include "matching/blind.h"
#include "matching/matching.h"
#include "matching/ring.h"
#include "matching/scan.h"
#include "matching/trio.h"

#include "unit.h"

/* Draws for populations; the matcher's own generator is not what is tested here. */
static uint64_t state;

/* Of the pairs of match_same_seed_same_pairs: the same with AVX2 and without. */
#define GOLDEN_HASH 0x98027184c9c8c491u

static uint32_t
below(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((state >> 33) % n);
}

static uint32_t
bits_of(uint32_t n, uint32_t percent)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < n; i++)
		bits |= (uint32_t)(below(100) < percent) << i;
	return bits;
}

/* Somebody of a made-up community; `hard`: one language, little time, one goal. */
static struct matching_person
somebody(uint32_t orgs, bool hard)
{
	/* One draw a statement: the order within an initializer is the compiler's. */
	struct matching_person p = {.org2 = MATCHING_NOBODY};
	uint32_t org = below(orgs), mother = below(2);

	p.org = (int32_t)(org * below(orgs) / orgs);
	if (!below(8))
		p.org2 = (int32_t)below(orgs);
	p.topics = bits_of(24, 17);
	p.slots = bits_of(21, 30);
	p.slots |= 1u << below(21);
	p.side = (uint8_t)(mother ? 1 + below(2) : 0);
	if (!below(10))
		p.side = (uint8_t)(3 + below(2));
	p.region = (uint8_t)below(9);
	p.goals = (uint8_t)bits_of(5, 40);
	p.goals |= (uint8_t)(1u << below(3));
	p.mode = (uint8_t)(1 + 2 * below(2));
	if (!below(10))
		p.mode = MATCHING_IN_PERSON;
	p.cross = (uint8_t)(below(4) ? 0 : 2);
	if (below(100) < 55)
		p.cross = 1;
	p.woman = (uint8_t)below(2);
	p.years = (uint8_t)below(25);
	p.trio = (uint8_t)below(2);
	p.women_only = p.woman && !below(8);
	p.level[mother] = 3;
	p.level[1 - mother] = (uint8_t)below(4);
	p.level[2] = (uint8_t)below(2);
	if (below(4))
		p.level[2] = (uint8_t)(p.level[2] + 2);
	if (hard) {
		p.level[1 - mother] = p.level[2] = 1;
		p.slots = 1u << below(21);
		p.slots |= 1u << below(21);
		p.goals &= (uint8_t)-p.goals;
	}
	return p;
}

static struct matching_person *
people_new(uint32_t n, uint32_t orgs, uint32_t hard_percent)
{
	struct matching_person *p = calloc(n, sizeof(*p));

	for (uint32_t i = 0; i < n; i++)
		p[i] = somebody(orgs, below(100) < hard_percent);
	return p;
}

static bool
crosses(const struct matching_person *a, const struct matching_person *b)
{
	return (a->side == 0 && (b->side == 1 || b->side == 2)) ||
	       (b->side == 0 && (a->side == 1 || a->side == 2));
}

/* The hard rules once more, in the words of the specification. */
static bool
forbidden(const struct matching_person *a, const struct matching_person *b)
{
	bool language = false;

	for (int l = 0; l < MATCHING_LANGUAGES; l++)
		language |= a->level[l] >= 2 && b->level[l] >= 2;
	if (!language || !(a->slots & b->slots) || !(a->mode & b->mode))
		return true;
	if (a->org == b->org || a->org == b->org2 || a->org2 == b->org ||
	    (a->org2 >= 0 && a->org2 == b->org2))
		return true;
	if ((a->women_only && !b->woman) || (b->women_only && !a->woman))
		return true;
	return crosses(a, b) && (a->cross == MATCHING_NOT_NOW || b->cross == MATCHING_NOT_NOW);
}

static bool
listed(const struct matching_pair *list, size_t n, uint32_t a, uint32_t b)
{
	for (size_t i = 0; i < n; i++)
		if ((list[i].a == a && list[i].b == b) || (list[i].a == b && list[i].b == a))
			return true;
	return false;
}

static void
match_hard_rules_hold_in_100000_instances(void **unused)
{
	(void)unused;
	state = 1;
	for (int t = 0; t < 100000; t++) {
		uint32_t n = 2 + below(7);
		struct matching_person p[8];
		struct matching_pair met[4], never[4];
		struct matching_avoid avoid = {below(n), (int32_t)below(4)};
		struct matching_people in = {p, n, met, below(5), never, below(5), &avoid, 1, NULL};
		struct matching_options o = {.seed = 1, .boost = t & 1, .coverage_first = t & 2};
		struct matching_result r;
		struct matching *m;

		for (uint32_t i = 0; i < n; i++)
			p[i] = somebody(4, t % 3 == 0);
		for (int i = 0; i < 4; i++) {
			met[i] = (struct matching_pair){below(n), below(n)};
			never[i] = (struct matching_pair){below(n), below(n)};
		}
		m = matching_new(&in);
		r = matching_run(m, &o);
		assert_true(r.exact);
		for (uint32_t a = 0; a < n; a++) {
			uint32_t b = (uint32_t)r.partner[a];

			if (r.partner[a] == MATCHING_NOBODY)
				continue;
			assert_true(b < n && b != a && r.partner[b] == (int32_t)a);
			assert_false(forbidden(&p[a], &p[b]));
			assert_false(listed(met, in.mets, a, b) || listed(never, in.nevers, a, b));
			assert_false(
			    avoid.person == a && (avoid.org == p[b].org || avoid.org == p[b].org2));
		}
		free(r.partner);
		matching_free(m);
	}
}

static int64_t
best_of(uint32_t n, int32_t (*weight)[10], uint32_t used)
{
	uint32_t a = 0;
	int64_t best;

	while (a < n && (used >> a & 1))
		a++;
	if (a >= n)
		return 0;
	best = best_of(n, weight, used | 1u << a);
	for (uint32_t b = a + 1; b < n; b++)
		if (!(used >> b & 1) && weight[a][b]) {
			int64_t with = weight[a][b] + best_of(n, weight, used | 1u << a | 1u << b);

			best = with > best ? with : best;
		}
	return best;
}

static void
match_is_optimal_by_brute_force(void **unused)
{
	(void)unused;
	state = 2;
	for (int t = 0; t < 8000; t++) {
		uint32_t n = 2 + below(9), density = 1 + below(10),
			 heavy = t % 3 ? 100 : 1 + below(4);
		int32_t weight[10][10] = {0};
		struct matching_edge edge[45];
		struct matching_options o = {.seed = (uint64_t)t};
		struct matching_result r;
		size_t edges = 0;
		int64_t sum = 0;

		for (uint32_t a = 0; a < n; a++)
			for (uint32_t b = a + 1; b < n; b++)
				if (below(10) < density) {
					weight[a][b] = (int32_t)(1 + below(heavy));
					edge[edges++] = (struct matching_edge){b, a, weight[a][b]};
				}
		r = matching_edges(n, edge, edges, &o);
		for (uint32_t a = 0; a < n; a++)
			sum += r.partner[a] > (int32_t)a ? weight[a][r.partner[a]] : 0;
		assert_int_equal(r.weight, best_of(n, weight, 0));
		assert_int_equal(r.weight, sum);
		assert_int_equal(r.bound, r.weight);
		free(r.partner);
	}
}

/* Bound and weight come from different sides: when they meet, both are right. */
static void
match_proves_itself_on_larger_graphs(void **unused)
{
	(void)unused;
	state = 3;
	for (int t = 0; t < 400; t++) {
		uint32_t n = 10 + below(120), density = 1 + below(12);
		struct matching_edge *edge = calloc((size_t)n * n, sizeof(*edge));
		struct matching_options o = {.seed = 1};
		struct matching_result r;
		size_t edges = 0;

		for (uint32_t a = 0; a < n; a++)
			for (uint32_t b = a + 1; b < n; b++)
				if (below(100) < density)
					edge[edges++] = (struct matching_edge){
					    a, b, (int32_t)(1 + below(t & 1 ? 5 : 500))};
		r = matching_edges(n, edge, edges, &o);
		assert_true(r.exact);
		free(r.partner);
		free(edge);
	}
}

static void
match_scan_never_misses(void **unused)
{
	const uint32_t n = 900;

	(void)unused;
	state = 4;
	for (int t = 0; t < 6; t++) {
		struct matching_person *p = people_new(n, 12, 25);
		struct matching_people in = {.person = p, .count = n};
		struct matching *m = matching_new(&in);
		struct matching_options o = {0};
		struct scan s = scan_new(n);
		int64_t *dual = calloc(n, sizeof(*dual));
		uint32_t seen = 0;

		for (uint32_t i = 0; i < n; i++) {
			dual[i] =
			    (int64_t)below(t < 3 ? 420 : 900) * GRAPH_UNIT + (int64_t)below(32);
			m->row[i].bonus = t & 1 ? (int32_t)below(1100) : 0;
		}
		assert_true(scan_run(&s, m, dual, NULL, &o, 0, 100));
		for (uint32_t a = 0; a < n; a++)
			for (uint32_t b = a + 1; b < n; b++) {
				int points = matching_score(m, a, b);
				int64_t gain =
				    (int64_t)(points + m->row[a].bonus + m->row[b].bonus) *
					GRAPH_UNIT -
				    dual[a] - dual[b];
				bool kept = !points || gain <= 0;

				seen += !kept;
				for (uint32_t i = 0; !kept && i < s.count[a]; i++)
					kept =
					    s.found[a][i].other == b && s.found[a][i].gain == gain;
				for (uint32_t i = 0; !kept && i < s.count[b]; i++)
					kept =
					    s.found[b][i].other == a && s.found[b][i].gain == gain;
				if (!kept)
					kept = s.count[a] == SCAN_KEEP && s.count[b] == SCAN_KEEP &&
					       s.found[a][SCAN_KEEP - 1].gain >= gain &&
					       s.found[b][SCAN_KEEP - 1].gain >= gain;
				assert_true(kept);
			}
		assert_true(seen > 100);
		free(dual);
		scan_free(&s);
		matching_free(m);
		free(p);
	}
}

static struct matching_result
run_people(struct matching_person *p, uint32_t n, const struct matching_options *o)
{
	struct matching_people in = {.person = p, .count = n};
	struct matching *m = matching_new(&in);
	struct matching_result r = matching_run(m, o);

	matching_free(m);
	return r;
}

static void
match_same_seed_same_pairs(void **unused)
{
	const uint32_t n = 1500;
	struct matching_options o = {.seed = 7};
	struct matching_person *p;
	struct matching_result a, b, exact;
	uint64_t hash = 14695981039346656037u;

	(void)unused;
	state = 5;
	p = people_new(n, 30, 10);
	a = run_people(p, n, &o);
	b = run_people(p, n, &o);
	o.exact = true;
	exact = run_people(p, n, &o);
	assert_memory_equal(a.partner, b.partner, n * sizeof(*a.partner));
	for (uint32_t i = 0; i < n; i++)
		hash = (hash ^ (uint64_t)(uint32_t)a.partner[i]) * 1099511628211u;
	print_message("# pairs %u, weight %lld, bound %lld, optimum %lld, hash %016llx\n", a.pairs,
	    (long long)a.weight, (long long)a.bound, (long long)exact.weight,
	    (unsigned long long)hash);
	assert_true(exact.exact && exact.weight == exact.bound);
	assert_true(a.weight <= exact.weight && a.bound >= exact.weight);
	assert_true(a.weight * 1000 >= exact.weight * 998);
	assert_true(a.bound * 1000 <= exact.weight * 1010);
	assert_true(hash == GOLDEN_HASH);
	free(a.partner);
	free(b.partner);
	free(exact.partner);
	free(p);
}

/* Who takes part this round, as rows of their own; `who` maps back. */
static uint32_t
take_part(const struct matching_person *all, uint32_t n, struct matching_person *now, uint32_t *who,
    uint32_t *row)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++) {
		row[i] = UINT32_MAX;
		if (below(100) >= 20 + i % 75)
			continue;
		row[i] = count;
		who[count] = i;
		now[count++] = all[i];
	}
	return count;
}

static void
match_ten_rounds_leave_nobody_behind(void **unused)
{
	enum { N = 1000, ROUNDS = 10 };
	struct matching_person *all, *now = calloc(N, sizeof(*now));
	struct matching_pair *met = calloc(N * ROUNDS, sizeof(*met)),
			     *here = calloc(N * ROUNDS, sizeof(*here));
	uint32_t *who = calloc(N, sizeof(*who)), *row = calloc(N, sizeof(*row)), missed[N] = {0};
	uint32_t twice = 0, in_a_row = 0, served = 0, asked = 0;
	size_t mets = 0;

	(void)unused;
	state = 6;
	all = people_new(N, 60, 25);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t n = take_part(all, N, now, who, row);
		struct matching_people in = {.person = now, .count = n, .met = here};
		struct matching_options o = {.seed = (uint64_t)round, .boost = true};
		struct matching_result r;
		struct matching *m;

		for (size_t i = 0; i < mets; i++)
			if (row[met[i].a] != UINT32_MAX && row[met[i].b] != UINT32_MAX)
				here[in.mets++] =
				    (struct matching_pair){row[met[i].a], row[met[i].b]};
		m = matching_new(&in);
		r = matching_run(m, &o);
		for (uint32_t i = 0; i < n; i++) {
			struct matching_person *p = &all[who[i]];

			asked++;
			if (r.partner[i] == MATCHING_NOBODY) {
				in_a_row += p->waiting > 0;
				p->waiting++;
				missed[who[i]]++;
				continue;
			}
			served++;
			p->waiting = 0;
			if (r.partner[i] > (int32_t)i) {
				assert_false(listed(met, mets, who[i], who[r.partner[i]]));
				met[mets++] = (struct matching_pair){who[i], who[r.partner[i]]};
			}
		}
		free(r.partner);
		matching_free(m);
	}
	for (int i = 0; i < N; i++)
		twice += missed[i] > 1;
	print_message(
	    "# ten rounds of %d people, 25 %% hard to match: %.2f %% served, %.2f %% left out "
	    "twice, %u twice in a row\n",
	    N, 100.0 * served / asked, 100.0 * twice / N, in_a_row);
	assert_true(twice * 200 <= N);
	assert_int_equal(in_a_row, 0);
	free(all);
	free(now);
	free(met);
	free(here);
	free(who);
	free(row);
}

static void
at_least(uint32_t n, const struct matching_edge *edge, size_t edges, int64_t optimum)
{
	struct matching_options o = {.seed = 1};
	struct matching_result r = matching_edges(n, edge, edges, &o);

	assert_true(r.weight * 100 >= optimum * 99);
	assert_true(r.weight <= optimum && r.bound >= optimum);
	free(r.partner);
}

static void
match_adversarial_graphs_do_not_blow_up(void **unused)
{
	enum { N = 6000 };
	struct matching_edge *edge = calloc(8 * N, sizeof(*edge));
	size_t edges = 0;

	(void)unused;
	state = 8;
	/* Most want the same few, who are all the same to them. */
	for (uint32_t i = 0; i < N * 4 / 5; i++)
		for (int k = 0; k < 6; k++)
			edge[edges++] = (struct matching_edge){i, N * 4 / 5 + below(N / 5), 500};
	at_least(N, edge, edges, 500 * (N / 5));
	/* Heavy triangles, of each of which one is left over, and light edges between them. */
	edges = 0;
	for (uint32_t i = 0; i < N; i += 3)
		for (uint32_t k = 0; k < 3; k++)
			edge[edges++] = (struct matching_edge){i + k, i + (k + 1) % 3, 1000};
	at_least(N, edge, edges, 1000 * (N / 3));
	for (uint32_t i = 0; i < N; i += 3)
		edge[edges++] = (struct matching_edge){i, (i + 3) % N, 10};
	at_least(N, edge, edges, 1000 * (N / 3) + 10 * (N / 6));
	/* One long ring of equal edges. */
	edges = 0;
	for (uint32_t i = 0; i < N - 1; i++)
		edge[edges++] = (struct matching_edge){i, (i + 1) % (N - 1), 7};
	at_least(N, edge, edges, 7 * (N / 2 - 1));
	free(edge);
}

static void
match_coverage_first_serves_more(void **unused)
{
	/* 0-1-2-3 with a heavy middle: two pairs, or the one heavy one. */
	struct matching_person p[4];
	struct matching_options o = {.seed = 1};
	struct matching_result r;

	(void)unused;
	for (int i = 0; i < 4; i++)
		p[i] = (struct matching_person){.org = i,
		    .org2 = MATCHING_NOBODY,
		    .level = {3},
		    .goals = 1,
		    .mode = 1,
		    .side = MATCHING_SIDE_UNTOLD,
		    .region = 8};
	p[0].slots = 1;
	p[1].slots = 1 | 126;
	p[2].slots = 128 | 126;
	p[3].slots = 128;
	p[1].topics = p[2].topics = 0xffff;
	r = run_people(p, 4, &o);
	assert_int_equal(r.pairs, 1);
	free(r.partner);
	o.coverage_first = true;
	r = run_people(p, 4, &o);
	assert_int_equal(r.pairs, 2);
	free(r.partner);
}

static void
match_why_adds_up_heaviest_first(void **unused)
{
	struct matching_person *p;
	struct matching *m;
	uint32_t seen = 0;

	(void)unused;
	state = 9;
	p = people_new(120, 20, 0);
	m = matching_new(&(struct matching_people){.person = p, .count = 120});
	for (uint32_t a = 0; a < 120; a++)
		for (uint32_t b = 0; b < 120; b++) {
			struct matching_term term[MATCHING_TERMS];
			int points = matching_score(m, a, b), sum = 0;
			size_t n = matching_why(m, a, b, term);

			assert_int_equal(points, matching_score(m, b, a));
			assert_true(points ? n > 0 : n == 0);
			for (size_t i = 0; i < n; i++) {
				sum += term[i].points;
				assert_true(!i || term[i].points <= term[i - 1].points);
			}
			assert_true(sum >= points);
			seen += points > 0;
		}
	assert_true(seen > 100);
	matching_free(m);
	free(p);
}

static void
match_topic_points_are_the_logarithm(void **unused)
{
	(void)unused;
	state = 10;
	for (int t = 0; t < 100000; t++) {
		uint32_t people = 1 + below(200000), holders = 1 + below(people);
		long want = lround(20 * log2((double)people / holders));

		assert_int_equal(matching_topic_points(people, holders), want < 5 ? 5 : want);
	}
}

struct watch {
	int cancel, calls, last, after;
};

static void
watch(void *arg, int percent)
{
	struct watch *w = arg;

	assert_true(percent >= w->last && percent <= 100);
	w->last = percent;
	if (++w->calls == w->after)
		w->cancel = 1;
}

static void
match_tells_progress_and_can_be_cancelled(void **unused)
{
	struct watch w = {0};
	struct matching_options o = {.seed = 1, .progress = watch, .arg = &w, .cancel = &w.cancel};
	struct matching_person *p;
	struct matching_result r;

	(void)unused;
	state = 11;
	p = people_new(1200, 20, 0);
	r = run_people(p, 1200, &o);
	assert_true(w.last == 100 && w.calls > 10 && !r.cancelled);
	free(r.partner);
	w = (struct watch){.after = 5};
	r = run_people(p, 1200, &o);
	assert_true(r.cancelled && !r.pairs && r.partner[0] == MATCHING_NOBODY);
	free(r.partner);
	free(p);
}

static void
match_trios_keep_the_rules(void **unused)
{
	uint32_t made = 0;

	(void)unused;
	state = 12;
	for (int t = 0; t < 300; t++) {
		uint32_t n = 3 + 2 * below(15);
		struct matching_person *p = people_new(n, 6, 10);
		bool used[40] = {false};
		struct matching_result r;
		struct trio trio[16];
		struct matching *m;
		size_t trios;

		for (uint32_t i = 0; t & 1 && i < n; i++)
			p[i].trio = 1;
		m = matching_new(&(struct matching_people){.person = p, .count = n});
		r = matching_run(m, &(struct matching_options){.seed = 1});
		trios = trio_find(m, r.partner, trio, 16);
		for (size_t i = 0; i < trios; i++) {
			const struct trio *x = &trio[i];

			assert_true(r.partner[x->odd] == MATCHING_NOBODY);
			assert_true(r.partner[x->a] == (int32_t)x->b);
			assert_true(p[x->odd].trio && p[x->a].trio && p[x->b].trio);
			assert_true(
			    matching_score(m, x->odd, x->a) && matching_score(m, x->odd, x->b));
			assert_false(used[x->odd] || used[x->a]);
			used[x->odd] = used[x->a] = true;
			made++;
		}
		free(r.partner);
		matching_free(m);
		free(p);
	}
	assert_true(made > 5);
}

static int64_t
best_rings(uint32_t n, int32_t (*help)[8], uint32_t used)
{
	int64_t best;
	uint32_t a = 0;

	while (a < n && (used >> a & 1))
		a++;
	if (a >= n)
		return 0;
	best = best_rings(n, help, used | 1u << a);
	for (uint32_t b = 0; b < n; b++)
		for (uint32_t c = 0; c < n; c++) {
			uint32_t mask = 1u << a | 1u << b | 1u << c;
			int64_t worth =
			    c == a ? help[a][b] + help[b][a] : help[a][b] + help[b][c] + help[c][a];

			if (b == a || b == c || (used & mask) || !help[a][b] || !help[b][c] ||
			    (c != a && !help[c][a]))
				continue;
			worth += (c == a ? 2 : 3) * 1000000 + best_rings(n, help, used | mask);
			best = worth > best ? worth : best;
		}
	return best;
}

static void
match_rings_are_optimal_by_brute_force(void **unused)
{
	(void)unused;
	state = 13;
	for (int t = 0; t < 2000; t++) {
		uint32_t n = 2 + below(7), density = 10 + below(50);
		int32_t help[8][8] = {0};
		struct ring_help list[64];
		struct ring ring[RING_ORGS / 2];
		size_t helps = 0, rings;
		int64_t worth = 0;
		bool exact = false, used[8] = {false};

		for (uint32_t a = 0; a < n; a++)
			for (uint32_t b = 0; b < n; b++)
				if (a != b && below(100) < density) {
					help[a][b] = (int32_t)(1 + below(50));
					list[helps++] = (struct ring_help){
					    (uint16_t)a, (uint16_t)b, help[a][b], a, b};
				}
		rings = ring_find(list, helps, NULL, 0, &(struct ring_options){0}, ring, &exact);
		for (size_t i = 0; i < rings; i++)
			for (int k = 0; k < ring[i].size; k++) {
				const struct ring_help *h = &list[ring[i].help[k]];

				assert_false(used[ring[i].org[k]]);
				used[ring[i].org[k]] = true;
				assert_int_equal(h->from, ring[i].org[k]);
				assert_int_equal(h->to, ring[i].org[(k + 1) % ring[i].size]);
				worth += 1000000 + h->points;
			}
		assert_true(exact);
		assert_int_equal(worth, best_rings(n, help, 0));
	}
}

/* `degree` organisations are helped by each, on average. */
static size_t
placed(uint32_t n, uint32_t degree, bool pairs_only, bool *exact)
{
	struct ring_help *list = calloc((size_t)n * n, sizeof(*list));
	struct ring ring[RING_ORGS / 2];
	struct ring_refusal refusal = {0, 1};
	size_t helps = 0, rings, sum = 0;

	state = 14 + n;
	for (uint32_t a = 0; a < n; a++)
		for (uint32_t b = 0; b < n; b++)
			if (a != b && below(n) < degree)
				list[helps++] = (struct ring_help){
				    (uint16_t)a, (uint16_t)b, (int32_t)(1 + below(50)), 0, 0};
	rings = ring_find(list, helps, &refusal, 1,
	    &(struct ring_options){.pairs_only = pairs_only, .effort = 3000}, ring, exact);
	for (size_t i = 0; i < rings; i++) {
		sum += ring[i].size;
		for (int k = 0; k < ring[i].size; k++)
			assert_false(
			    ring[i].org[k] == 0 && ring[i].org[(k + 1) % ring[i].size] == 1);
	}
	free(list);
	return sum;
}

static void
match_rings_place_more_than_pairs(void **unused)
{
	(void)unused;
	for (uint32_t n = 40; n <= RING_ORGS; n *= 2) {
		bool exact_pairs, exact;
		size_t pairs = placed(n, 4, true, &exact_pairs),
		       rings = placed(n, 4, false, &exact);

		print_message("# %u organisations: %zu placed in pairs%s, %zu with rings%s\n", n,
		    pairs, exact_pairs ? " (proven)" : "", rings, exact ? " (proven)" : "");
		assert_true(rings > pairs);
	}
}

static bool
true_of(const struct matching_person *p, const struct blind_fact *f)
{
	switch (f->kind) {
	case BLIND_LANGUAGE:
		return p->level[f->what] >= 2;
	case BLIND_TOPIC:
		return p->topics >> f->what & 1;
	case BLIND_SLOT:
		return p->slots >> f->what & 1;
	case BLIND_GOAL:
		return p->goals & f->what;
	case BLIND_MODE:
		return p->mode & f->what;
	}
	return false;
}

static void
match_blind_card_fits_ten_people(void **unused)
{
	uint32_t facts = 0, cards = 0;

	(void)unused;
	state = 15;
	for (int t = 0; t < 40; t++) {
		uint32_t n = 12 + below(400);
		struct matching_person *p = people_new(n, 12, 20);
		struct blind *b = blind_new(p, n);

		for (int k = 0; k < 25; k++) {
			uint32_t reader = below(n), partner = below(n);
			struct blind_fact fact[5];
			size_t says = blind_card(b, reader, partner, BLIND_FITS, 5, fact);
			uint32_t fits = 0;

			if (reader == partner)
				continue;
			for (uint32_t i = 0; i < n; i++) {
				bool all = i != reader;

				for (size_t f = 0; f < says; f++)
					all &= true_of(&p[i], &fact[f]);
				fits += all;
				assert_true(all || i != partner);
			}
			assert_true(fits >= BLIND_FITS);
			assert_int_equal(fits, blind_fits(b, reader, fact, says));
			facts += (uint32_t)says;
			cards++;
		}
		blind_free(b);
		free(p);
	}
	print_message(
	    "# a card that fits ten people says %.1f of 5 facts\n", (double)facts / cards);
	assert_true(facts > 2 * cards);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(match_is_optimal_by_brute_force),
    cmocka_unit_test(match_proves_itself_on_larger_graphs),
    cmocka_unit_test(match_hard_rules_hold_in_100000_instances),
    cmocka_unit_test(match_scan_never_misses),
    cmocka_unit_test(match_same_seed_same_pairs),
    cmocka_unit_test(match_ten_rounds_leave_nobody_behind),
    cmocka_unit_test(match_adversarial_graphs_do_not_blow_up),
    cmocka_unit_test(match_coverage_first_serves_more),
    cmocka_unit_test(match_why_adds_up_heaviest_first),
    cmocka_unit_test(match_topic_points_are_the_logarithm),
    cmocka_unit_test(match_tells_progress_and_can_be_cancelled),
    cmocka_unit_test(match_trios_keep_the_rules),
    cmocka_unit_test(match_rings_are_optimal_by_brute_force),
    cmocka_unit_test(match_rings_place_more_than_pairs),
    cmocka_unit_test(match_blind_card_fits_ten_people),
};

UNIT_RUN(tests)
