/* A pass computed on a thread: profiles are read and unsealed there, matched, and come back as
 * groups with the facts of their cards. */
#include "round.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "core/people.h"
#include "store/seal.h"

static struct sql members = {
    "SELECT p.id, p.org, p.slot, m.profile, m.waiting, m.mark, m.episode,"
    " coalesce(r.state = 1 AND r.since <= ?2 AND p.paused_until <= ?3"
    " AND r.cards < CASE WHEN p.joined > ?4 THEN 1 ELSE 3 END"
    " AND (SELECT count(DISTINCT reporter) FROM report x WHERE x.about = "
    "p.id AND x.closed = 0) < 3"
    " AND EXISTS (SELECT 1 FROM account a WHERE a.person = p.id AND a.reachable = 1),"
    " 0) FROM meeting m JOIN person p ON p.id = m.person"
    " JOIN consent c ON c.person = p.id AND c.what = 'matching'"
    " LEFT JOIN round_member r ON r.round = ?1 AND r.person = p.id"
    " WHERE p.adult = 1 AND p.joined > 0 ORDER BY p.id"};
static struct sql past = {"SELECT a, b FROM meeting_past WHERE until > ?"};
static struct sql avoid = {"SELECT person, org FROM meeting_avoid"};
static struct sql *const statements[] = {&members, &past, &avoid, NULL};

struct member {
	int64_t id, episode;
	const char *mark;
};

/* Everything the pass reads, in the work's arena but for what grows. */
struct reading {
	const struct work_input *in;
	struct round_order order;
	struct matching_person *person, *said;
	struct member *member;
	uint32_t *taking;
	uint32_t count, room, takings;
	const char **org;
	int32_t orgs;
	struct matching_pair *past;
	size_t pasts, past_room;
	struct matching_avoid *avoid;
	size_t avoids, avoid_room;
	const struct member **by_mark; /* sorted */
	int64_t episode[MATCH_EPISODES];
	volatile int cancel;
};

static void *
grown(void *old, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return old;
	*room = *room ? *room * 2 : 1024;
	old = realloc(old, *room * size);
	if (!old)
		abort();
	return old;
}

static int32_t
org_number(struct reading *r, const char *org)
{
	int32_t i = 0;

	while (i < r->orgs && strcmp(r->org[i], org))
		i++;
	if (i < r->orgs || i == MATCHING_ORGS)
		return i < MATCHING_ORGS ? i : MATCHING_ORGS - 1;
	r->org[r->orgs++] = arena_string(r->in->arena, org);
	return i;
}

/* Under its own arena, so that fifty thousand rows do not stay in memory as texts. */
static void
read_member(struct reading *r, struct rows *q, struct arena *arena)
{
	int64_t id = db_int(q, 0);
	struct blob profile = db_blob(q, 3);
	struct matching_person *p;
	struct meeting m;

	if (profile.bytes)
		profile =
		    seal_unbox(r->in->seal, arena, db_blob(q, 2), id, "meeting.profile", profile);
	m = match_read(profile.bytes ? arena_copy(arena, profile.bytes, profile.length) : "");
	p = &r->person[r->count];
	*p = match_person(&m);
	p->org = org_number(r, db_text(q, 1));
	p->waiting = (uint8_t)db_int(q, 4);
	r->said[r->count] = *p;
	r->said[r->count].slots &= m.slots;
	r->said[r->count].mode &= (uint8_t)m.modes;
	r->said[r->count].goals &= (uint8_t)m.goals;
	r->member[r->count] =
	    (struct member){id, db_int(q, 6), arena_string(r->in->arena, db_text(q, 5))};
	if (db_int(q, 7))
		r->taking[r->takings++] = r->count;
	r->count++;
}

static void
read_members(struct reading *r)
{
	struct arena *arena = arena_new(), *was = r->in->arena;
	struct rows *q;

	db_arena(r->in->db, arena);
	q = db_query(r->in->db, &members,
	    V(r->order.round, r->order.pass, r->order.now, r->order.now - ROUND_NEW_DAYS * 86400));
	while (db_next(q) && !*r->in->stop) {
		if (r->count == r->room) {
			size_t people = r->room, said = r->room, memb = r->room, takes = r->room;

			r->person = grown(r->person, r->count, &people, sizeof(*r->person));
			r->said = grown(r->said, r->count, &said, sizeof(*r->said));
			r->member = grown(r->member, r->count, &memb, sizeof(*r->member));
			r->taking = grown(r->taking, r->count, &takes, sizeof(*r->taking));
			r->room = (uint32_t)people;
		}
		read_member(r, q, arena);
		arena_forget(arena);
	}
	db_done(q);
	db_arena(r->in->db, was);
	arena_free(arena);
}

static int
by_mark(const void *a, const void *b)
{
	return strcmp(
	    (*(const struct member *const *)a)->mark, (*(const struct member *const *)b)->mark);
}

static int64_t
index_of_mark(const struct reading *r, const char *mark)
{
	struct member key = {.mark = mark};
	const struct member *k = &key, *const * found;

	found = bsearch(&k, r->by_mark, r->count, sizeof(*r->by_mark), by_mark);
	return found ? *found - r->member : -1;
}

static void
read_past(struct reading *r)
{
	struct rows *q = db_query(r->in->db, &past, V(r->order.now));

	while (db_next(q)) {
		int64_t a = index_of_mark(r, db_text(q, 0)), b = index_of_mark(r, db_text(q, 1));

		if (a < 0 || b < 0)
			continue;
		r->past = grown(r->past, r->pasts, &r->past_room, sizeof(*r->past));
		r->past[r->pasts++] = (struct matching_pair){(uint32_t)a, (uint32_t)b};
	}
	db_done(q);
}

static int
by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = ((const struct member *)b)->id;

	return x < y ? -1 : x > y;
}

static void
read_avoid(struct reading *r)
{
	struct rows *q = db_query(r->in->db, &avoid, NONE);

	while (db_next(q)) {
		int64_t id = db_int(q, 0);
		const struct member *m = bsearch(&id, r->member, r->count, sizeof(*m), by_id);

		if (!m)
			continue;
		r->avoid = grown(r->avoid, r->avoids, &r->avoid_room, sizeof(*r->avoid));
		r->avoid[r->avoids++] = (struct matching_avoid){
		    (uint32_t)(m - r->member), org_number(r, db_text(q, 1))};
	}
	db_done(q);
}

/* The episodes wished for become topics, the first few of them. */
static void
read_episodes(struct reading *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		int64_t episode = r->member[i].episode;
		int k = 0;

		if (!episode)
			continue;
		while (k < MATCH_EPISODES && r->episode[k] && r->episode[k] != episode)
			k++;
		if (k == MATCH_EPISODES)
			continue;
		r->episode[k] = episode;
		r->person[i].topics |= 1u << (MATCH_TOPICS + k);
		r->said[i].topics = r->person[i].topics;
	}
}

static uint64_t
hash(uint64_t h, const void *bytes, size_t length)
{
	const unsigned char *p = bytes;

	/* FNV-1a: to compare, not to protect. */
	for (size_t i = 0; i < length; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h;
}

static void
progress(void *ctx, int percent)
{
	struct reading *r = ctx;

	r->cancel = *r->in->stop;
	r->in->progress(r->in->progress_ctx, 20 + percent * 8 / 10);
}

static struct round_group
group_of(const struct reading *r, const struct plan_group *g)
{
	struct round_group out = {.size = g->size};

	out.episode = r->member[g->person[0]].episode;
	for (int i = 0; i < g->size; i++) {
		out.person[i] = r->member[g->person[i]].id;
		if (r->member[g->person[i]].episode != out.episode)
			out.episode = 0;
		out.facts[i] = g->facts[i];
		for (int k = 0; k < g->facts[i]; k++) {
			out.kind[i][k] = (uint8_t)g->fact[i][k].kind;
			out.what[i][k] = g->fact[i][k].what;
		}
	}
	return out;
}

static struct blob
packed(struct reading *r, const struct plan *plan, uint64_t input)
{
	size_t length = sizeof(struct round_plan) + plan->groups * sizeof(struct round_group);
	struct round_plan *out = arena_alloc(r->in->arena, length);
	struct round_group *group = (struct round_group *)(void *)(out + 1);

	for (uint32_t i = 0; i < plan->groups; i++)
		group[i] = group_of(r, &plan->group[i]);
	*out = (struct round_plan){.seed = r->order.seed,
	    .input = input,
	    .result = hash(0xcbf29ce484222325ull, group, plan->groups * sizeof(*group)),
	    .members = r->count,
	    .took = r->takings,
	    .weight = plan->weight,
	    .boosted = plan->boosted,
	    .bound = plan->bound,
	    .groups = plan->groups};
	return (struct blob){out, length};
}

static struct blob
compute(struct reading *r)
{
	uint64_t input = hash(0xcbf29ce484222325ull, r->person, r->count * sizeof(*r->person));
	struct plan plan;
	struct blob out;

	input = hash(input, r->taking, r->takings * sizeof(*r->taking));
	input = hash(input, r->past, r->pasts * sizeof(*r->past));
	plan = plan_pass(&(struct plan_input){.person = r->person,
	    .said = r->said,
	    .count = r->count,
	    .in = r->taking,
	    .ins = r->takings,
	    .past = r->past,
	    .pasts = r->pasts,
	    .avoid = r->avoid,
	    .avoids = r->avoids,
	    .seed = r->order.seed,
	    .progress = progress,
	    .arg = r,
	    .cancel = &r->cancel});
	out = packed(r, &plan, input);
	free(plan.group);
	return out;
}

struct blob
passes_plan(const struct work_input *in)
{
	struct reading r = {.in = in};
	struct blob out = {NULL, 0};

	if (in->input.length != sizeof(r.order) || !in->db)
		return out;
	memcpy(&r.order, in->input.bytes, sizeof(r.order));
	r.org = arena_alloc(in->arena, (MATCHING_ORGS + 1) * sizeof(*r.org));
	read_members(&r);
	in->progress(in->progress_ctx, 20);
	r.by_mark = arena_alloc(in->arena, (r.count + 1) * sizeof(*r.by_mark));
	for (uint32_t i = 0; i < r.count; i++)
		r.by_mark[i] = &r.member[i];
	qsort(r.by_mark, r.count, sizeof(*r.by_mark), by_mark);
	read_past(&r);
	read_avoid(&r);
	read_episodes(&r);
	if (!*in->stop)
		out = compute(&r);
	free(r.person);
	free(r.said);
	free(r.member);
	free(r.taking);
	free(r.past);
	free(r.avoid);
	return out;
}

/* ---- who has few to meet, by their own answers alone ---- */

/* Side, wishes, times: what the two said, and nothing of who met or avoids whom. */
static bool
fit(const struct matching_person *a, const struct matching_person *b)
{
	bool language = false, mentor;
	bool across = (a->side == 0 && (b->side == 1 || b->side == 2)) ||
		      (b->side == 0 && (a->side == 1 || a->side == 2));

	for (int i = 0; i < MATCHING_LANGUAGES; i++)
		language |= a->level[i] >= 2 && b->level[i] >= 2;
	mentor = (a->goals & MATCHING_SEEKS_MENTOR && b->goals & MATCHING_OFFERS_MENTORING) ||
		 (b->goals & MATCHING_SEEKS_MENTOR && a->goals & MATCHING_OFFERS_MENTORING);
	return language && a->org != b->org && a->slots & b->slots && a->mode & b->mode &&
	       (mentor || a->goals & b->goals & 7) && (!a->women_only || b->woman) &&
	       (!b->women_only || a->woman) &&
	       !(across && (a->cross == MATCHING_NOT_NOW || b->cross == MATCHING_NOT_NOW));
}

/* Counts no further than is needed: almost everybody has enough after a few looks. */
static int
fitting(const struct reading *r, uint32_t who, const struct matching_person *as)
{
	int n = 0;

	for (uint32_t i = 0; i < r->count && n < ROUND_FEW; i++)
		n += i != who && fit(as, &r->person[i]);
	return n;
}

/* The one answer whose widening helps most, as the number of its screen; -1: nobody needs it, or
 * nothing helps. Screens are numbered in match.c: languages, goals, times, mode, other side, women.
 */
static int
widening(const struct reading *r, uint32_t who)
{
	const struct matching_person *p = &r->person[who];
	struct matching_person wider[6];
	static const int screen[6] = {3, 4, 2, 6, 8, 0};
	int best = -1, most = fitting(r, who, p);

	if (most >= ROUND_FEW)
		return -1;
	for (int i = 0; i < 6; i++)
		wider[i] = *p;
	wider[0].slots = (1u << MATCHING_SLOTS) - 1;
	wider[1].mode = MATCHING_ONLINE | MATCHING_IN_PERSON;
	wider[2].goals |= MATCHING_DIALOGUE | MATCHING_PROJECT | MATCHING_ACTION;
	wider[3].cross = MATCHING_EITHER_WAY;
	wider[4].women_only = 0;
	wider[5].level[0] = 2;
	for (int i = 0; i < 6; i++) {
		int n = fitting(r, who, &wider[i]);

		if (n > most) {
			most = n;
			best = screen[i];
		}
	}
	return most >= ROUND_FEW ? best : -1;
}

struct blob
passes_fits(const struct work_input *in)
{
	struct reading r = {.in = in};
	struct round_few *few;
	uint32_t count = 0;

	if (in->input.length != sizeof(r.order) || !in->db)
		return (struct blob){NULL, 0};
	memcpy(&r.order, in->input.bytes, sizeof(r.order));
	r.org = arena_alloc(in->arena, (MATCHING_ORGS + 1) * sizeof(*r.org));
	read_members(&r);
	few = arena_alloc(in->arena, ROUND_HINTS * sizeof(*few));
	for (uint32_t i = 0; i < r.count && count < ROUND_HINTS && !*in->stop; i++) {
		int screen = widening(&r, i);

		if (screen >= 0)
			few[count++] = (struct round_few){r.member[i].id, screen};
	}
	free(r.person);
	free(r.said);
	free(r.member);
	free(r.taking);
	return (struct blob){few, count * sizeof(*few)};
}

const struct feature feature_passes = {
    .name = "passes",
    .statements = statements,
};
