/*
 * The scan of all pairs. Attributes of 256 people are bit planes, and the score of one person with
 * all of them is added up in vertical counters of ten bits, in steps of five points rounded up: it
 * over-estimates slightly and never misses. What survives is scored exactly.
 * People are sorted so that neighbours share languages, region and wishes, and that part of the
 * score is worked out once for all of a kind.
 */
#include "matching/scan.h"

#include <string.h>

enum {
	LANES = 256,
	STEP = 5,
	BITS = 10,
	TOPIC_BITS = 6,
	NEW_BITS = 4,
	GOAL_BITS = 6,
	CHUNK = 2048,
	YEARS = 64
};

typedef uint64_t lanes __attribute__((vector_size(32)));

struct block {
	lanes begin[BITS], topic[MATCHING_TOPICS], slot[MATCHING_SLOTS];
	lanes speaks[MATCHING_LANGUAGES], fluent[MATCHING_LANGUAGES], region[POOL_REGIONS];
	lanes side[MATCHING_SIDE_UNTOLD + 1], online, in_person, woman, women_only, gladly, not_now;
	lanes goal_any[8], goal_two[8], goal[8][GOAL_BITS], seeks, offers, younger[YEARS + 1];
	lanes all;
};

struct hit {
	uint32_t row;
	uint64_t mask[4];
};

struct work {
	const struct matching *m;
	uint32_t *order; /* of people, alike ones together */
	int32_t *step;	 /* price of each in steps, rounded down */
	int32_t lowest;
	lanes value[MATCHING_TOPICS][TOPIC_BITS], rest[MATCHING_TOPICS][TOPIC_BITS];
	uint32_t heavy; /* topics with a rest */
	struct block block;
	lanes *org,
	    (*fresh)[NEW_BITS]; /* of each organisation: who is in it, points for being new */
	struct hit *hit;
	size_t hits;
};

/* What a kind of person and the block have in common. */
struct kind {
	lanes allowed, sum[BITS];
};

static inline void
set(lanes *plane, uint32_t lane)
{
	(*plane)[lane >> 6] |= 1ull << (lane & 63);
}

static inline __attribute__((always_inline)) bool
none(const lanes *x)
{
	return !((*x)[0] | (*x)[1] | (*x)[2] | (*x)[3]);
}

/* Adds `bits` planes at bit `at`; the carry runs to the top. */
static inline __attribute__((always_inline)) void
add(lanes *sum, int top, int at, const lanes *x, int bits, const lanes *mask)
{
	lanes carry = *mask ^ *mask;

	for (int i = 0; i < bits; i++) {
		lanes y = x[i] & *mask, half = sum[at + i] ^ y,
		      out = (sum[at + i] & y) | (half & carry);

		sum[at + i] = half ^ carry;
		carry = out;
	}
	for (int i = at + bits; i < top; i++) {
		lanes out = sum[i] & carry;

		sum[i] ^= carry;
		carry = out;
	}
}

static inline __attribute__((always_inline)) void
add_number(lanes *sum, unsigned number, const lanes *mask)
{
	for (int at = 0; at < BITS; at++) {
		lanes carry = *mask;

		if (!(number >> at & 1))
			continue;
		for (int i = at; i < BITS; i++) {
			lanes out = sum[i] & carry;

			sum[i] ^= carry;
			carry = out;
		}
	}
}

#define ADD_NUMBER(sum, number, which) \
	do { \
		lanes which_ = which; \
		add_number(sum, number, &which_); \
	} while (0)

static inline __attribute__((always_inline)) void
kind_language(struct kind *k, const struct block *b, const struct pool_row *a)
{
	lanes any = {0}, two = {0}, fluent = {0};

	for (int l = 0; l < MATCHING_LANGUAGES; l++) {
		if (!(a->speaks >> l & 1))
			continue;
		two |= any & b->speaks[l];
		any |= b->speaks[l];
		if (a->fluent >> l & 1)
			fluent |= b->fluent[l];
	}
	k->allowed &= any;
	ADD_NUMBER(k->sum, 50 / STEP, any);
	ADD_NUMBER(k->sum, 50 / STEP, fluent);
	ADD_NUMBER(k->sum, 30 / STEP, two);
}

static inline __attribute__((always_inline)) void
kind_region(struct kind *k, const struct block *b, const struct pool_row *a)
{
	lanes near = {0}, person = {0}, online = {0}, same, close;

	for (int r = 0; r < POOL_REGIONS; r++)
		if (pool_near[a->region] >> r & 1)
			near |= b->region[r];
	if (a->mode & MATCHING_IN_PERSON)
		person = b->in_person;
	if (a->mode & MATCHING_ONLINE)
		online = b->online;
	k->allowed &= online | (person & near);
	if (a->region == MATCHING_REGION_UNTOLD)
		return;
	same = b->region[a->region];
	close = near & ~same & ~b->region[MATCHING_REGION_UNTOLD];
	ADD_NUMBER(k->sum, 30 / STEP, same | (close & person));
	ADD_NUMBER(k->sum, 30 / STEP, same & person);
	ADD_NUMBER(k->sum, 15 / STEP, close & ~person);
}

static inline __attribute__((always_inline)) void
kind_wishes(struct kind *k, const struct block *b, const struct pool_row *a)
{
	lanes cross = {0};

	if (a->side == MATCHING_ISRAELI)
		cross = b->side[MATCHING_CITIZEN] | b->side[MATCHING_PALESTINIAN];
	else if (a->side == MATCHING_CITIZEN || a->side == MATCHING_PALESTINIAN)
		cross = b->side[MATCHING_ISRAELI];
	k->allowed &= ~(cross & (a->cross == MATCHING_NOT_NOW ? cross : b->not_now));
	if (a->women_only)
		k->allowed &= b->woman;
	if (!a->woman)
		k->allowed &= ~b->women_only;
	ADD_NUMBER(k->sum, a->cross == MATCHING_GLADLY ? 120 / STEP : 80 / STEP, cross);
	ADD_NUMBER(k->sum, 40 / STEP, cross & b->gladly);
}

/* Up to six common slots, two steps each. */
static inline __attribute__((always_inline)) void
row_slots(lanes *sum, lanes *allowed, const struct block *b, uint32_t slots)
{
	lanes c[3] = {{0}, {0}, {0}}, more = {0}, full;

	for (; slots; slots &= slots - 1) {
		lanes x = b->slot[__builtin_ctz(slots)], y = c[0] & x, z = c[1] & y;

		c[0] ^= x;
		c[1] ^= y;
		more |= c[2] & z;
		c[2] ^= z;
	}
	*allowed &= c[0] | c[1] | c[2] | more;
	full = more | (c[0] & c[1] & c[2]);
	c[0] &= ~full;
	c[1] |= full;
	c[2] |= full;
	add(sum, BITS, 1, c, 3, &b->all);
}

static inline __attribute__((always_inline)) void
row_goals(lanes *sum, lanes *allowed, const struct block *b, const struct pool_row *a)
{
	unsigned plain = a->goals & 7;
	lanes fit = {0}, two = b->goal_two[plain], goal[GOAL_BITS];

	if (a->goals & MATCHING_OFFERS_MENTORING)
		fit = b->seeks & b->younger[a->years < 2	   ? 0
					    : a->years - 2 > YEARS ? YEARS
								   : a->years - 2];
	if (a->goals & MATCHING_SEEKS_MENTOR)
		fit |= b->offers & ~b->younger[a->years + 3 > YEARS ? YEARS : a->years + 3];
	*allowed &= b->goal_any[plain] | fit;
	memcpy(goal, b->goal[plain], sizeof(goal));
	for (int i = 0; i < GOAL_BITS; i++)
		goal[i] = (goal[i] & ~(fit & two)) | (240 / STEP >> i & 1 ? fit & two : fit ^ fit);
	fit &= ~two;
	add(sum, BITS, 0, goal, GOAL_BITS, &b->all);
	add(sum, BITS, 2, (lanes[3]){fit, fit, fit}, 3, &b->all);
}

static inline __attribute__((always_inline)) void
row_topics(lanes *sum, const struct work *w, uint32_t topics)
{
	const struct block *b = &w->block;
	lanes t[9] = {{0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0}}, full = {0};
	uint32_t heavy = topics & w->heavy;

	for (; topics; topics &= topics - 1) {
		int i = __builtin_ctz(topics);

		add(t, 9, 0, w->value[i], TOPIC_BITS, &b->topic[i]);
		full |= t[8];
	}
	for (; heavy; heavy &= heavy - 1) {
		int i = __builtin_ctz(heavy);

		add(t, 9, 0, w->rest[i], TOPIC_BITS, &b->topic[i]);
		full |= t[8];
	}
	for (int i = 0; i < 8; i++)
		t[i] |= full;
	add(sum, BITS, 0, t, 8, &b->all);
}

/* Which lanes' sums are at least `least`. */
static inline __attribute__((always_inline)) void
keep_least(lanes *allowed, const lanes *sum, int32_t least)
{
	lanes ge = *allowed | ~*allowed;

	if (least <= 0)
		return;
	for (int i = 0; i < BITS; i++)
		ge = (least >> i & 1) ? sum[i] & ge : sum[i] | ge;
	*allowed &= ge;
}

static inline __attribute__((always_inline)) void
row_look(struct work *w, const struct kind *k, uint32_t row)
{
	uint32_t person = w->order[row];
	const struct pool_row *a = &w->m->row[person];
	int32_t least = w->lowest + 512 + w->step[person];
	lanes allowed = k->allowed, sum[BITS];

	if (least >= 1 << BITS)
		return;
	if (a->org != POOL_NO_ORG)
		allowed &= ~w->org[a->org];
	if (a->org2 != POOL_NO_ORG)
		allowed &= ~w->org[a->org2];
	if (none(&allowed))
		return;
	memcpy(sum, k->sum, sizeof(sum));
	row_slots(sum, &allowed, &w->block, a->slots);
	row_goals(sum, &allowed, &w->block, a);
	if (none(&allowed))
		return;
	if (a->org != POOL_NO_ORG)
		add(sum, BITS, 0, w->fresh[a->org], NEW_BITS, &w->block.all);
	else
		ADD_NUMBER(sum, 40 / STEP, w->block.all);
	row_topics(sum, w, a->topics);
	keep_least(&allowed, sum, least);
	if (none(&allowed))
		return;
	w->hit[w->hits].row = row;
	memcpy(w->hit[w->hits++].mask, &allowed, sizeof(allowed));
}

/* People of one kind differ only in what is looked at for each. */
static inline bool
alike(const struct pool_row *a, const struct pool_row *b)
{
	return a->speaks == b->speaks && a->fluent == b->fluent && a->region == b->region &&
	       a->mode == b->mode && a->side == b->side && a->cross == b->cross &&
	       a->woman == b->woman && a->women_only == b->women_only;
}

#if defined(__x86_64__) && defined(__gnu_linux__)
__attribute__((target_clones("avx2", "default")))
#endif
static void
look_at(struct work *w, uint32_t from, uint32_t to)
{
	const struct pool_row *before = NULL;
	struct kind k;

	w->hits = 0;
	for (uint32_t row = from; row < to; row++) {
		const struct pool_row *a = &w->m->row[w->order[row]];

		if (!before || !alike(a, before)) {
			k.allowed = w->block.all;
			memcpy(k.sum, w->block.begin, sizeof(k.sum));
			kind_language(&k, &w->block, a);
			if (!none(&k.allowed))
				kind_region(&k, &w->block, a);
			if (!none(&k.allowed))
				kind_wishes(&k, &w->block, a);
			before = a;
		}
		if (!none(&k.allowed))
			row_look(w, &k, row);
	}
}

static void
block_person(struct work *w, uint32_t lane, uint32_t person)
{
	struct block *b = &w->block;
	const struct pool_row *p = &w->m->row[person];
	int32_t begin = w->lowest + 511 - w->step[person];

	set(&b->all, lane);
	for (int i = 0; i < BITS; i++)
		if (begin > 0 && (begin >> i & 1))
			set(&b->begin[i], lane);
	for (uint32_t t = p->topics; t; t &= t - 1)
		set(&b->topic[__builtin_ctz(t)], lane);
	for (uint32_t s = p->slots; s; s &= s - 1)
		set(&b->slot[__builtin_ctz(s)], lane);
	for (int l = 0; l < MATCHING_LANGUAGES; l++) {
		if (p->speaks >> l & 1)
			set(&b->speaks[l], lane);
		if (p->fluent >> l & 1)
			set(&b->fluent[l], lane);
	}
	set(&b->region[p->region], lane);
	set(&b->side[p->side], lane);
	for (uint32_t y = p->years + 1u; y <= YEARS; y++)
		set(&b->younger[y], lane);
}

static void
block_wishes(struct work *w, uint32_t lane, uint32_t person)
{
	struct block *b = &w->block;
	const struct pool_row *p = &w->m->row[person];
	const struct {
		lanes *plane;
		bool on;
	} flag[] = {
	    {&b->online, p->mode & MATCHING_ONLINE},
	    {&b->in_person, p->mode & MATCHING_IN_PERSON},
	    {&b->woman, p->woman},
	    {&b->women_only, p->women_only},
	    {&b->gladly, p->cross == MATCHING_GLADLY},
	    {&b->not_now, p->cross == MATCHING_NOT_NOW},
	    {&b->seeks, p->goals & MATCHING_SEEKS_MENTOR},
	    {&b->offers, p->goals & MATCHING_OFFERS_MENTORING},
	};

	for (size_t i = 0; i < sizeof(flag) / sizeof(*flag); i++)
		if (flag[i].on)
			set(flag[i].plane, lane);
	for (unsigned plain = 0; plain < 8; plain++) {
		static const uint8_t points[8] = {0, 60, 90, 150, 90, 150, 180, 240};
		unsigned common = p->goals & plain;

		if (common)
			set(&b->goal_any[plain], lane);
		if (common & (common - 1))
			set(&b->goal_two[plain], lane);
		for (int i = 0; i < GOAL_BITS; i++)
			if (points[common] / STEP >> i & 1)
				set(&b->goal[plain][i], lane);
	}
}

/* Who is in which organisation, and how new the block's people are to each organisation. */
static void
block_orgs(struct work *w, uint32_t from, uint32_t to)
{
	const struct matching *m = w->m;
	uint32_t seen[LANES];
	lanes main_org[LANES], loose = {0};
	uint32_t kinds = 0, k;

	memset(w->org, 0, m->orgs * sizeof(*w->org));
	memset(w->fresh, 0, m->orgs * sizeof(*w->fresh));
	for (uint32_t row = from; row < to; row++) {
		const struct pool_row *p = &m->row[w->order[row]];

		if (p->org2 != POOL_NO_ORG)
			set(&w->org[p->org2], row - from);
		if (p->org == POOL_NO_ORG) {
			set(&loose, row - from);
			continue;
		}
		set(&w->org[p->org], row - from);
		for (k = 0; k < kinds && seen[k] != p->org; k++)
			;
		if (k == kinds) {
			seen[kinds] = p->org;
			memset(&main_org[kinds++], 0, sizeof(*main_org));
		}
		set(&main_org[k], row - from);
	}
	for (uint32_t o = 0; o < m->orgs; o++) {
		w->fresh[o][3] |= loose;
		for (k = 0; k < kinds; k++)
			for (int i = 0; i < NEW_BITS; i++)
				if ((m->novelty[o * m->orgs + seen[k]] + STEP - 1) / STEP >> i & 1)
					w->fresh[o][i] |= main_org[k];
	}
}

static int
by_number(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	if (a[0] != b[0])
		return a[0] > b[0] ? 1 : -1;
	return (a[1] > b[1]) - (a[1] < b[1]);
}

static void
sort_people(struct work *w)
{
	const struct matching *m = w->m;
	uint64_t(*key)[2] = pool_room(m->count, sizeof(*key));

	for (uint32_t i = 0; i < m->count; i++) {
		const struct pool_row *p = &m->row[i];

		key[i][0] = (uint64_t)p->speaks << 40 | (uint64_t)p->side << 36 |
			    (uint64_t)p->region << 32 | (uint64_t)p->fluent << 24 |
			    (uint64_t)p->mode << 20 | (uint64_t)p->cross << 16 |
			    (uint64_t)p->woman << 8 | p->women_only;
		key[i][1] = i;
	}
	qsort(key, m->count, sizeof(*key), by_number);
	for (uint32_t i = 0; i < m->count; i++)
		w->order[i] = (uint32_t)key[i][1];
	free(key);
}

static void
weigh(struct work *w, const int64_t *dual)
{
	const struct matching *m = w->m;

	w->lowest = INT32_MAX;
	for (uint32_t i = 0; i < m->count; i++) {
		int64_t price = dual[i] - (int64_t)m->row[i].bonus * GRAPH_UNIT;
		int64_t unit = GRAPH_UNIT * STEP, step = price / unit - (price % unit < 0);

		w->step[i] = step > 1 << 20 ? 1 << 20 : (int32_t)step;
		if (w->step[i] < w->lowest)
			w->lowest = w->step[i];
	}
	for (unsigned t = 0; t < MATCHING_TOPICS; t++) {
		int steps = ((m->topic[t] > 400 ? 400 : m->topic[t]) + STEP - 1) / STEP;
		int low = steps > 63 ? 63 : steps;

		w->heavy |= (uint32_t)(steps > 63) << t;
		for (int i = 0; i < TOPIC_BITS; i++) {
			memset(&w->value[t][i], low >> i & 1 ? 0xff : 0, sizeof(lanes));
			memset(&w->rest[t][i], (steps - low) >> i & 1 ? 0xff : 0, sizeof(lanes));
		}
	}
}

static void
keep(struct scan *s, uint32_t a, uint32_t b, int points, int64_t gain)
{
	struct scan_found *f = s->found[a];
	uint32_t i = s->count[a];

	if (i == SCAN_KEEP) {
		if (f[--i].gain >= gain)
			return;
	} else {
		s->count[a]++;
	}
	for (; i > 0 && f[i - 1].gain < gain; i--)
		f[i] = f[i - 1];
	f[i] = (struct scan_found){b, points, gain};
}

/* One survivor, scored exactly. */
static void
judge(struct scan *s, const struct work *w, const int64_t *dual, const struct blossom *blossoms,
    uint32_t a, uint32_t b)
{
	const struct matching *m = w->m;
	int points = pool_points(m, &m->row[a], &m->row[b]);
	int64_t gain;

	s->survivors++;
	if (!points)
		return;
	gain =
	    (int64_t)(points + m->row[a].bonus + m->row[b].bonus) * GRAPH_UNIT - dual[a] - dual[b];
	if (gain <= 0 ||
	    (s->count[a] == SCAN_KEEP && s->count[b] == SCAN_KEEP &&
		gain <= s->found[a][SCAN_KEEP - 1].gain && gain <= s->found[b][SCAN_KEEP - 1].gain))
		return;
	if (blossoms)
		gain -= blossom_common(blossoms, a, b, gain);
	if (gain <= 0 || pool_never(m, a, b))
		return;
	s->pairs++;
	keep(s, a, b, points, gain);
	keep(s, b, a, points, gain);
}

static void
judge_hits(struct scan *s, const struct work *w, const int64_t *dual,
    const struct blossom *blossoms, uint32_t block)
{
	for (size_t h = 0; h < w->hits; h++)
		for (uint32_t word = 0; word < 4; word++)
			for (uint64_t bits = w->hit[h].mask[word]; bits; bits &= bits - 1) {
				uint32_t row = block + word * 64 + (uint32_t)__builtin_ctzll(bits);

				if (row > w->hit[h].row)
					judge(s, w, dual, blossoms, w->order[w->hit[h].row],
					    w->order[row]);
			}
}

static void *
aligned(size_t bytes)
{
	void *p = aligned_alloc(32, (bytes + 63) / 32 * 32);

	if (!p)
		exit(1);
	memset(p, 0, (bytes + 63) / 32 * 32);
	return p;
}

static bool
scan_blocks(struct scan *s, struct work *w, const int64_t *dual, const struct blossom *blossoms,
    const struct matching_options *options, int from, int to)
{
	uint32_t n = w->m->count;

	for (uint32_t block = 0; block < n; block += LANES) {
		uint32_t end = block + LANES < n ? block + LANES : n;

		if (options->cancel && *options->cancel)
			return false;
		if (options->progress)
			options->progress(options->arg,
			    from + (int)((int64_t)(to - from) * block / n * block / n));
		memset(&w->block, 0, sizeof(w->block));
		for (uint32_t row = block; row < end; row++) {
			block_person(w, row - block, w->order[row]);
			block_wishes(w, row - block, w->order[row]);
		}
		block_orgs(w, block, end);
		for (uint32_t row = 0; row < end; row += CHUNK) {
			look_at(w, row, row + CHUNK < end ? row + CHUNK : end);
			judge_hits(s, w, dual, blossoms, block);
		}
	}
	return true;
}

bool
scan_run(struct scan *s, const struct matching *m, const int64_t *dual,
    const struct blossom *blossoms, const struct matching_options *options, int from, int to)
{
	struct work *w = aligned(sizeof(*w));
	bool ended;

	memset(s->count, 0, s->n);
	s->pairs = s->survivors = 0;
	w->m = m;
	w->order = pool_room(m->count, sizeof(*w->order));
	w->step = pool_room(m->count, sizeof(*w->step));
	w->org = aligned((size_t)m->orgs * sizeof(*w->org));
	w->fresh = aligned((size_t)m->orgs * sizeof(*w->fresh));
	w->hit = pool_room(CHUNK, sizeof(*w->hit));
	sort_people(w);
	weigh(w, dual);
	ended = scan_blocks(s, w, dual, blossoms, options, from, to);
	free(w->order);
	free(w->step);
	free(w->org);
	free(w->fresh);
	free(w->hit);
	free(w);
	return ended;
}

struct scan
scan_new(uint32_t n)
{
	return (struct scan){.n = n,
	    .count = pool_room(n, 1),
	    .found = pool_room(n, sizeof(struct scan_found[SCAN_KEEP]))};
}

void
scan_free(struct scan *s)
{
	free(s->count);
	free(s->found);
}
