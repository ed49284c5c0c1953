/* A card as telling as it may be: bitsets of the membership for each fact, and a search over sets
 * of facts that stops where too few people are left. */
#include "matching/blind.h"

#include <string.h>

#include "matching/pool.h"

enum {
	TOPIC = MATCHING_LANGUAGES,
	SLOT = TOPIC + MATCHING_TOPICS,
	GOAL = SLOT + MATCHING_SLOTS,
	MODE = GOAL + 5,
	FACTS = MODE + 2,
	/* Candidates of one card: 4096 sets at the most. */
	MOST = BLIND_FACTS,
};

struct blind {
	uint32_t count, words;
	uint64_t *set;	       /* FACTS x words */
	uint32_t holds[FACTS]; /* people it is true of */
};

/* A fact as it reads on the two cards: what it says of the partner. */
struct shared {
	struct blind_fact fact;
	int mine, theirs; /* rows of the table */
	uint32_t rarity;  /* points for saying it */
};

struct choice {
	const struct blind *blind;
	struct shared shared[MOST];
	size_t facts, most;
	uint32_t fits, chosen, best;
	uint64_t points, best_points;
	uint64_t *stack; /* two sets a level */
	const uint32_t *readers;
};

static bool
has(const struct blind *b, int row, uint32_t person)
{
	return b->set[(size_t)row * b->words + person / 64] >> (person % 64) & 1;
}

static void
put(struct blind *b, int row, uint32_t person)
{
	b->set[(size_t)row * b->words + person / 64] |= 1ull << (person % 64);
	b->holds[row]++;
}

static void
put_bits(struct blind *b, int row, uint32_t bits, uint32_t person)
{
	for (; bits; bits &= bits - 1)
		put(b, row + __builtin_ctz(bits), person);
}

struct blind *
blind_new(const struct matching_person *person, uint32_t count)
{
	struct blind *b = pool_room(1, sizeof(*b));

	b->count = count;
	b->words = (count + 63) / 64;
	b->set = pool_room((size_t)FACTS * b->words, sizeof(*b->set));
	for (uint32_t i = 0; i < count; i++) {
		const struct matching_person *p = &person[i];

		for (int l = 0; l < MATCHING_LANGUAGES; l++)
			if (p->level[l] >= 2)
				put(b, l, i);
		put_bits(b, TOPIC, p->topics, i);
		put_bits(b, SLOT, p->slots & ((1u << MATCHING_SLOTS) - 1), i);
		put_bits(b, GOAL, p->goals & 31u, i);
		put_bits(b, MODE, p->mode & 3u, i);
	}
	return b;
}

void
blind_free(struct blind *b)
{
	if (!b)
		return;
	free(b->set);
	free(b);
}

static int
row_of(const struct blind_fact *f)
{
	switch (f->kind) {
	case BLIND_LANGUAGE:
		return f->what;
	case BLIND_TOPIC:
		return TOPIC + f->what;
	case BLIND_SLOT:
		return SLOT + f->what;
	case BLIND_GOAL:
		return GOAL + __builtin_ctz(f->what | 32u);
	case BLIND_MODE:
		return MODE + __builtin_ctz(f->what | 2u);
	}
	return 0;
}

uint32_t
blind_fits(const struct blind *b, uint32_t reader, const struct blind_fact *fact, size_t facts)
{
	uint32_t fits = 0;

	for (uint32_t w = 0; w < b->words; w++) {
		uint64_t all =
		    w == b->words - 1 && b->count % 64 ? (1ull << (b->count % 64)) - 1 : ~0ull;

		if (reader / 64 == w)
			all &= ~(1ull << (reader % 64));
		for (size_t i = 0; i < facts; i++)
			all &= b->set[(size_t)row_of(&fact[i]) * b->words + w];
		fits += (uint32_t)__builtin_popcountll(all);
	}
	return fits;
}

/* Saying that it is so is worth a little, and more the fewer people it is true of. */
static void
offer(struct choice *c, struct blind_fact fact, int mine, int theirs)
{
	const struct blind *b = c->blind;
	uint32_t holds = b->holds[theirs] < b->holds[mine] ? b->holds[theirs] : b->holds[mine];
	struct shared s = {
	    fact, mine, theirs, 20 + (uint32_t)matching_topic_points(b->count, holds)};
	size_t i;

	if (fact.kind == BLIND_TOPIC || fact.kind == BLIND_LANGUAGE)
		s.rarity += 20;
	if (c->facts == MOST) {
		if (c->shared[MOST - 1].rarity >= s.rarity)
			return;
		c->facts--;
	}
	for (i = c->facts++; i > 0 && c->shared[i - 1].rarity < s.rarity; i--)
		c->shared[i] = c->shared[i - 1];
	c->shared[i] = s;
}

static void
offer_all(struct choice *c, uint32_t reader, uint32_t partner)
{
	static const uint8_t kinds[] = {
	    BLIND_LANGUAGE, BLIND_TOPIC, BLIND_SLOT, BLIND_GOAL, BLIND_MODE};
	static const int begins[] = {0, TOPIC, SLOT, GOAL, MODE, FACTS};
	const struct blind *b = c->blind;
	const int seek = GOAL + 3, give = GOAL + 4;

	for (int k = 0; k < 5; k++)
		for (int row = begins[k]; row < begins[k + 1]; row++) {
			int what = row - begins[k];

			if (row == seek || row == give || !has(b, row, reader) ||
			    !has(b, row, partner))
				continue;
			offer(c,
			    (struct blind_fact){kinds[k], (uint8_t)(k >= 3 ? 1 << what : what)},
			    row, row);
		}
	if (has(b, seek, reader) && has(b, give, partner))
		offer(c, (struct blind_fact){BLIND_GOAL, MATCHING_OFFERS_MENTORING}, seek, give);
	else if (has(b, give, reader) && has(b, seek, partner))
		offer(c, (struct blind_fact){BLIND_GOAL, MATCHING_SEEKS_MENTOR}, give, seek);
}

/* to = from and the fact; how many that leaves, the reader not counted. */
static uint32_t
narrow(const struct blind *b, uint64_t *to, const uint64_t *from, int row, uint32_t reader)
{
	uint32_t fits = 0;

	for (uint32_t w = 0; w < b->words; w++) {
		to[w] = from[w] & b->set[(size_t)row * b->words + w];
		fits += (uint32_t)__builtin_popcountll(to[w]);
	}
	return fits - (uint32_t)(to[reader / 64] >> (reader % 64) & 1);
}

/* All sets of the facts from `next` on that still fit, depth first. */
static void
choose(struct choice *c, size_t next, size_t depth)
{
	const uint64_t *from = c->stack + 2 * depth * c->blind->words;
	uint64_t *to = c->stack + 2 * (depth + 1) * c->blind->words, rest = 0;

	if (c->points > c->best_points) {
		c->best_points = c->points;
		c->best = c->chosen;
	}
	for (size_t i = next; i < c->facts; i++)
		rest += c->shared[i].rarity;
	if (depth == c->most || c->points + rest <= c->best_points)
		return;
	for (size_t i = next; i < c->facts; i++) {
		const struct shared *s = &c->shared[i];

		if (narrow(c->blind, to, from, s->theirs, c->readers[0]) < c->fits ||
		    narrow(c->blind, to + c->blind->words, from + c->blind->words, s->mine,
			c->readers[1]) < c->fits)
			continue;
		c->points += s->rarity;
		c->chosen |= 1u << i;
		choose(c, i + 1, depth + 1);
		c->chosen &= ~(1u << i);
		c->points -= s->rarity;
	}
}

size_t
blind_card(const struct blind *b, uint32_t reader, uint32_t partner, uint32_t fits, size_t most,
    struct blind_fact *fact)
{
	struct choice c = {.blind = b,
	    .most = most > MOST ? MOST : most,
	    .fits = fits,
	    .readers = (const uint32_t[]){reader, partner}};
	size_t n = 0;

	if (b->count < fits + 1)
		return 0;
	c.stack = pool_room(2 * (size_t)(MOST + 2) * b->words, sizeof(*c.stack));
	memset(c.stack, 0xff, 2 * (size_t)b->words * sizeof(*c.stack));
	offer_all(&c, reader, partner);
	choose(&c, 0, 0);
	for (size_t i = 0; i < c.facts; i++)
		if (c.best >> i & 1)
			fact[n++] = c.shared[i].fact;
	free(c.stack);
	return n;
}
