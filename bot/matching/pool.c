/* People in compact form and the score: MATCHING.md, "The score". */
#include "matching/pool.h"

#include <string.h>

#define R(region) (1u << MATCHING_##region)
#define FAR (1u << MATCHING_REGION_UNTOLD)

/* Between which regions meeting in person is realistic for both; untold is near all. */
const uint16_t pool_near[POOL_REGIONS] = {
    [MATCHING_NORTH] = R(NORTH) | R(CENTRE) | FAR,
    [MATCHING_CENTRE] = R(NORTH) | R(CENTRE) | R(JERUSALEM) | R(SOUTH) | R(EAST_JERUSALEM) | FAR,
    [MATCHING_JERUSALEM] = R(CENTRE) | R(JERUSALEM) | R(EAST_JERUSALEM) | FAR,
    [MATCHING_SOUTH] = R(CENTRE) | R(SOUTH) | FAR,
    [MATCHING_WEST_BANK] = R(WEST_BANK) | R(EAST_JERUSALEM) | FAR,
    [MATCHING_EAST_JERUSALEM] = R(CENTRE) | R(JERUSALEM) | R(EAST_JERUSALEM) | R(WEST_BANK) | FAR,
    [MATCHING_GAZA] = R(GAZA) | FAR,
    [MATCHING_ABROAD] = R(ABROAD) | FAR,
    [MATCHING_REGION_UNTOLD] = 0x1ff,
};

/* log2 by squaring in fixed point: libm's last digit differs between machines. */
int
matching_topic_points(uint32_t people, uint32_t holders)
{
	uint64_t x, bits = 0;
	int64_t points;
	int whole = 0;

	if (!holders || holders >= people)
		return 5;
	while (((uint64_t)holders << (whole + 1)) <= people)
		whole++;
	x = ((uint64_t)people << 31) / ((uint64_t)holders << whole);
	for (int i = 0; i < 30; i++) {
		x = (x * x) >> 31;
		bits = bits << 1 | (x >> 32);
		x >>= x >> 32;
	}
	points = (int64_t)((((uint64_t)whole << 30 | bits) * 20 + (1u << 29)) >> 30);
	return points < 5 ? 5 : (int)points;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void
pool_sort(uint32_t *value, size_t count)
{
	if (count > 1)
		qsort(value, count, sizeof(*value), by_value);
}

static struct pool_row
row_of(const struct matching_person *p)
{
	struct pool_row row = {.topics = p->topics,
	    .slots = p->slots & ((1u << MATCHING_SLOTS) - 1),
	    .org = p->org < 0 ? POOL_NO_ORG : (uint16_t)p->org,
	    .org2 = p->org2 < 0 || p->org2 == p->org ? POOL_NO_ORG : (uint16_t)p->org2,
	    .side = p->side > MATCHING_SIDE_UNTOLD ? MATCHING_SIDE_UNTOLD : p->side,
	    .region = p->region > MATCHING_REGION_UNTOLD ? MATCHING_REGION_UNTOLD : p->region,
	    .goals = p->goals & 31,
	    .mode = p->mode & 3,
	    .cross = p->cross,
	    .woman = !!p->woman,
	    .women_only = !!p->women_only,
	    .years = p->years > 60 ? 60 : p->years,
	    .waiting = p->waiting,
	    .trio = !!p->trio};

	for (int l = 0; l < MATCHING_LANGUAGES; l++) {
		row.speaks |= (uint8_t)((p->level[l] >= 2) << l);
		row.fluent |= (uint8_t)((p->level[l] >= 3) << l);
	}
	return row;
}

static void
weigh_topics(struct matching *m, const uint16_t *given)
{
	uint32_t holders[MATCHING_TOPICS] = {0};

	for (uint32_t i = 0; i < m->count; i++)
		for (uint32_t t = m->row[i].topics; t; t &= t - 1)
			holders[__builtin_ctz(t)]++;
	for (int t = 0; t < MATCHING_TOPICS; t++)
		m->topic[t] =
		    given ? given[t] : (uint16_t)matching_topic_points(m->count, holders[t]);
	for (unsigned byte = 0; byte < 4; byte++)
		for (unsigned v = 1; v < 256; v++)
			m->topic_sum[byte][v] =
			    (uint16_t)(m->topic_sum[byte][v & (v - 1)] +
				       m->topic[byte * 8 + (unsigned)__builtin_ctz(v)]);
}

/* 40 points for organisations that never met, less with every past pair. */
static void
weigh_novelty(struct matching *m, const struct matching_pair *met, size_t mets)
{
	uint8_t *count = m->novelty;

	for (size_t i = 0; i < mets; i++) {
		uint32_t a = m->row[met[i].a].org, b = m->row[met[i].b].org;

		if (a == POOL_NO_ORG || b == POOL_NO_ORG)
			continue;
		if (count[a * m->orgs + b] < 255)
			count[a * m->orgs + b]++;
		if (a != b && count[b * m->orgs + a] < 255)
			count[b * m->orgs + a]++;
	}
	for (size_t i = 0; i < (size_t)m->orgs * m->orgs; i++)
		count[i] = (uint8_t)(40 / (1 + count[i]));
}

static void
count_list(uint32_t *first, const struct matching_pair *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		first[list[i].a + 2]++;
		first[list[i].b + 2]++;
	}
}

static void
fill_list(struct matching *m, const struct matching_pair *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		m->never[m->never_first[list[i].a + 1]++] = list[i].b;
		m->never[m->never_first[list[i].b + 1]++] = list[i].a;
	}
}

static void
list_never(struct matching *m, const struct matching_people *p)
{
	m->never_first = pool_room((size_t)m->count + 2, sizeof(uint32_t));
	m->never = pool_room(2 * (p->mets + p->nevers), sizeof(uint32_t));
	count_list(m->never_first, p->met, p->mets);
	count_list(m->never_first, p->never, p->nevers);
	for (uint32_t i = 2; i < m->count + 2; i++)
		m->never_first[i] += m->never_first[i - 1];
	fill_list(m, p->met, p->mets);
	fill_list(m, p->never, p->nevers);
	for (uint32_t i = 0; i < m->count; i++)
		pool_sort(m->never + m->never_first[i], m->never_first[i + 1] - m->never_first[i]);
}

static void
list_avoided(struct matching *m, const struct matching_people *p)
{
	m->avoid_first = pool_room((size_t)m->count + 2, sizeof(uint32_t));
	m->avoid = pool_room(p->avoids, sizeof(uint16_t));
	for (size_t i = 0; i < p->avoids; i++)
		m->avoid_first[p->avoid[i].person + 2]++;
	for (uint32_t i = 2; i < m->count + 2; i++)
		m->avoid_first[i] += m->avoid_first[i - 1];
	for (size_t i = 0; i < p->avoids; i++) {
		m->avoid[m->avoid_first[p->avoid[i].person + 1]++] = (uint16_t)p->avoid[i].org;
		m->row[p->avoid[i].person].avoids = 1;
	}
}

struct matching *
matching_new(const struct matching_people *people)
{
	struct matching *m = pool_room(1, sizeof(*m));

	m->count = people->count;
	m->row = pool_room(m->count, sizeof(*m->row));
	for (uint32_t i = 0; i < m->count; i++) {
		const struct matching_person *p = &people->person[i];

		m->row[i] = row_of(p);
		if (p->org >= (int32_t)m->orgs)
			m->orgs = (uint32_t)p->org + 1;
		if (p->org2 >= (int32_t)m->orgs)
			m->orgs = (uint32_t)p->org2 + 1;
	}
	m->topic = pool_room(MATCHING_TOPICS, sizeof(*m->topic));
	m->topic_sum = pool_room(4, sizeof(*m->topic_sum));
	m->novelty = pool_room((size_t)m->orgs * m->orgs, 1);
	weigh_topics(m, people->topic_points);
	weigh_novelty(m, people->met, people->mets);
	list_never(m, people);
	list_avoided(m, people);
	return m;
}

void
matching_free(struct matching *m)
{
	if (!m)
		return;
	free(m->row);
	free(m->topic);
	free(m->topic_sum);
	free(m->novelty);
	free(m->never_first);
	free(m->never);
	free(m->avoid_first);
	free(m->avoid);
	free(m);
}

static bool
avoids(const struct matching *m, uint32_t a, uint32_t b)
{
	const struct pool_row *row = &m->row[b];

	if (!m->row[a].avoids)
		return false;
	for (uint32_t i = m->avoid_first[a]; i < m->avoid_first[a + 1]; i++)
		if (m->avoid[i] == row->org || m->avoid[i] == row->org2)
			return true;
	return false;
}

bool
pool_never(const struct matching *m, uint32_t a, uint32_t b)
{
	uint32_t low, high, end;

	if (m->never_first[b + 1] - m->never_first[b] < m->never_first[a + 1] - m->never_first[a]) {
		uint32_t t = a;

		a = b;
		b = t;
	}
	low = m->never_first[a];
	end = high = m->never_first[a + 1];
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (m->never[mid] < b)
			low = mid + 1;
		else
			high = mid;
	}
	return (low < end && m->never[low] == b) || avoids(m, a, b) || avoids(m, b, a);
}

static bool
crosses(const struct pool_row *a, const struct pool_row *b)
{
	enum { OTHERS = 1 << MATCHING_CITIZEN | 1 << MATCHING_PALESTINIAN };

	return (a->side == MATCHING_ISRAELI && (OTHERS >> b->side & 1)) ||
	       (b->side == MATCHING_ISRAELI && (OTHERS >> a->side & 1));
}

static bool
same_org(const struct pool_row *a, const struct pool_row *b)
{
	if (a->org != POOL_NO_ORG && (a->org == b->org || a->org == b->org2))
		return true;
	return a->org2 != POOL_NO_ORG && (a->org2 == b->org || a->org2 == b->org2);
}

static bool
mentors(const struct pool_row *a, const struct pool_row *b)
{
	return (a->goals & MATCHING_OFFERS_MENTORING) && (b->goals & MATCHING_SEEKS_MENTOR) &&
	       a->years >= b->years + 3;
}

static int
goal_points(const struct pool_row *a, const struct pool_row *b)
{
	static const uint8_t plain[8] = {0, 60, 90, 150, 90, 150, 180, 240};
	int points = plain[a->goals & b->goals & 7];

	if (mentors(a, b) || mentors(b, a))
		points += 140;
	return points > 240 ? 240 : points;
}

static bool
may_meet(const struct pool_row *a, const struct pool_row *b)
{
	int mode = a->mode & b->mode;

	if (same_org(a, b) || !(a->speaks & b->speaks) || !(a->slots & b->slots))
		return false;
	if ((a->women_only && !b->woman) || (b->women_only && !a->woman))
		return false;
	if ((a->cross == MATCHING_NOT_NOW || b->cross == MATCHING_NOT_NOW) && crosses(a, b))
		return false;
	return (mode & MATCHING_ONLINE) ||
	       ((mode & MATCHING_IN_PERSON) && (pool_near[a->region] >> b->region & 1));
}

static int
topic_points(const struct matching *m, uint32_t topics)
{
	int points = m->topic_sum[0][topics & 255] + m->topic_sum[1][topics >> 8 & 255] +
		     m->topic_sum[2][topics >> 16 & 255] + m->topic_sum[3][topics >> 24];

	return points > 400 ? 400 : points;
}

static int
language_points(const struct pool_row *a, const struct pool_row *b)
{
	int both = a->speaks & b->speaks;

	return ((a->fluent & b->fluent) ? 100 : 50) + ((both & (both - 1)) ? 30 : 0);
}

static int
region_points(const struct pool_row *a, const struct pool_row *b)
{
	int points;

	if (a->region == MATCHING_REGION_UNTOLD || b->region == MATCHING_REGION_UNTOLD)
		return 0;
	points = a->region == b->region ? 60 : (pool_near[a->region] >> b->region & 1) ? 30 : 0;
	return (a->mode & b->mode & MATCHING_IN_PERSON) ? points : points / 2;
}

static int
cross_points(const struct pool_row *a, const struct pool_row *b)
{
	if (!crosses(a, b))
		return 0;
	return 80 + 40 * ((a->cross == MATCHING_GLADLY) + (b->cross == MATCHING_GLADLY));
}

static int
slot_points(const struct pool_row *a, const struct pool_row *b)
{
	int slots = __builtin_popcount(a->slots & b->slots);

	return 10 * (slots > 6 ? 6 : slots);
}

static int
novelty_points(const struct matching *m, const struct pool_row *a, const struct pool_row *b)
{
	if (a->org == POOL_NO_ORG || b->org == POOL_NO_ORG)
		return 40;
	return m->novelty[a->org * m->orgs + b->org];
}

int
pool_points(const struct matching *m, const struct pool_row *a, const struct pool_row *b)
{
	int goal;

	if (!may_meet(a, b))
		return 0;
	goal = goal_points(a, b);
	if (!goal)
		return 0;
	return topic_points(m, a->topics & b->topics) + language_points(a, b) +
	       region_points(a, b) + cross_points(a, b) + slot_points(a, b) + goal +
	       novelty_points(m, a, b);
}

int
matching_score(const struct matching *m, uint32_t a, uint32_t b)
{
	int points = a == b ? 0 : pool_points(m, &m->row[a], &m->row[b]);

	return points && !pool_never(m, a, b) ? points : 0;
}

static void
add_term(struct matching_term *term, size_t *n, enum matching_kind kind, uint32_t what, int points)
{
	size_t i = *n;

	if (points <= 0)
		return;
	for (; i > 0 && term[i - 1].points < points; i--)
		term[i] = term[i - 1];
	term[i] = (struct matching_term){kind, what, points};
	++*n;
}

size_t
matching_why(const struct matching *m, uint32_t a, uint32_t b, struct matching_term *term)
{
	static const int goal[3] = {60, 90, 90};
	const struct pool_row *p = &m->row[a], *q = &m->row[b];
	size_t n = 0;

	if (!matching_score(m, a, b))
		return 0;
	for (uint32_t t = p->topics & q->topics; t; t &= t - 1)
		add_term(term, &n, MATCHING_WHY_TOPIC, (uint32_t)__builtin_ctz(t),
		    m->topic[__builtin_ctz(t)]);
	add_term(term, &n, MATCHING_WHY_LANGUAGE, p->speaks & q->speaks, language_points(p, q));
	add_term(term, &n, MATCHING_WHY_REGION, p->region, region_points(p, q));
	add_term(term, &n, MATCHING_WHY_CROSS, 0, cross_points(p, q));
	add_term(term, &n, MATCHING_WHY_SLOTS, p->slots & q->slots, slot_points(p, q));
	for (unsigned g = 0; g < 3; g++)
		if (p->goals & q->goals & (1u << g))
			add_term(term, &n, MATCHING_WHY_GOAL, 1u << g, goal[g]);
	if (mentors(p, q) || mentors(q, p))
		add_term(term, &n, MATCHING_WHY_GOAL, MATCHING_SEEKS_MENTOR, 140);
	add_term(term, &n, MATCHING_WHY_NEW, 0, novelty_points(m, p, q));
	return n;
}
