/* Who could help whom: every week offers and needs are matched across organisations, in pairs and
 * in rings of three, and introduced when the coordinators of all of them agree. */
#include "offers.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/partners.h"
#include "base/text.h"
#include "core/audit.h"
#include "core/people.h"
#include "matching/ring.h"

static const char *const steps[] = {
    "CREATE TABLE ring(id INTEGER PRIMARY KEY AUTOINCREMENT, made INTEGER NOT NULL,"
    " until INTEGER NOT NULL, size INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE ring_part(ring INTEGER NOT NULL REFERENCES ring(id) ON DELETE CASCADE,"
    " place INTEGER NOT NULL, org TEXT NOT NULL, gives INTEGER NOT NULL, needs INTEGER NOT NULL,"
    " answer INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(ring, place)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE ring_refusal(a TEXT NOT NULL, b TEXT NOT NULL, until INTEGER NOT NULL,"
    " PRIMARY KEY(a, b)) STRICT, WITHOUT ROWID;",
    NULL,
};
#define RETENTION "180 days"
static const struct column columns[] = {
    {"ring.id", "number of a proposal", RETENTION, NOT_PERSONAL},
    {"ring.made", "when", RETENTION, NOT_PERSONAL},
    {"ring.until", "until when answers count", RETENTION, NOT_PERSONAL},
    {"ring.size", "two or three organisations", RETENTION, NOT_PERSONAL},
    {"ring.state", "open, agreed, or not", RETENTION, NOT_PERSONAL},
    {"ring_part.ring", "of which proposal", RETENTION, NOT_PERSONAL},
    {"ring_part.place", "who helps the next one", RETENTION, NOT_PERSONAL},
    {"ring_part.org", "which organisation", RETENTION, NOT_PERSONAL},
    {"ring_part.gives", "by which offer", RETENTION, NOT_PERSONAL},
    {"ring_part.needs", "for which need of the next one", RETENTION, NOT_PERSONAL},
    {"ring_part.answer", "what its coordinators said", RETENTION, NOT_PERSONAL},
    {"ring_refusal.a", "one of two organisations that are not proposed to each other", RETENTION,
	NOT_PERSONAL},
    {"ring_refusal.b", "the other", RETENTION, NOT_PERSONAL},
    {"ring_refusal.until", "not before", RETENTION, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"rings", steps, columns};

/* Not of organisations that are being asked, and not what was agreed already. */
static struct sql posts = {
    "SELECT id, org, need, kind, place, languages, starts, until, capacity FROM offer WHERE closed "
    "= 0"
    " AND (until = 0 OR until + 86400 > ?1) AND org NOT IN (SELECT p.org FROM ring_part p JOIN "
    "ring r"
    " ON r.id = p.ring WHERE r.state = 0) AND NOT EXISTS (SELECT 1 FROM ring_part p JOIN ring r"
    " ON r.id = p.ring WHERE r.state = 1 AND offer.id IN (p.gives, p.needs)) ORDER BY id"};
static struct sql refusals = {"SELECT a, b FROM ring_refusal WHERE until > ?"};
static struct sql add = {"INSERT INTO ring(made, until, size) VALUES(?, ?, ?)"};
static struct sql add_part = {
    "INSERT INTO ring_part(ring, place, org, gives, needs) VALUES(?, ?, ?, ?, ?)"};
static struct sql parts = {
    "SELECT p.place, p.org, p.gives, p.needs, p.answer, r.size, r.state FROM ring_part p"
    " JOIN ring r ON r.id = p.ring WHERE p.ring = ? ORDER BY p.place"};
static struct sql set_answer = {
    "UPDATE ring_part SET answer = ?1 WHERE ring = ?2 AND org IN (SELECT org FROM role"
    " WHERE person = ?3 AND role = 2) AND EXISTS (SELECT 1 FROM ring WHERE id = ?2 AND state = 0"
    " AND until > ?4)"};
static struct sql undecided = {"SELECT 1 FROM ring_part WHERE ring = ? AND answer <> 1"};
static struct sql set_state = {"UPDATE ring SET state = ? WHERE id = ? AND state = 0"};
static struct sql refuse = {
    "INSERT INTO ring_refusal(a, b, until) VALUES(?, ?, ?) ON CONFLICT(a, b) DO UPDATE SET"
    " until = excluded.until"};
static struct sql prune = {"DELETE FROM ring WHERE until < ?"};
static struct sql prune_refusals = {"DELETE FROM ring_refusal WHERE until < ?"};
static struct sql *const statements[] = {&posts, &refusals, &add, &add_part, &parts, &set_answer,
    &undecided, &set_state, &refuse, &prune, &prune_refusals, NULL};

enum {
	DAY = 86400,
	EVERY = 7 * DAY,
	ANSWER_DAYS = 7,
	REST_DAYS = 180,
	POSTS_MOST = 2000,
	YES = 1,
	NO = 2,
	AGREED = 1,
	NOT_AGREED = 2
};

/* ---- on a thread: who could help whom ---- */

struct post {
	int64_t id, need, kind, place, languages, starts, until, capacity;
	uint16_t org;
};

struct found {
	int64_t size, offer[3], need[3];
};

static bool
overlap(const struct post *a, const struct post *b)
{
	return (!a->until || !b->starts || b->starts <= a->until) &&
	       (!b->until || !a->starts || a->starts <= b->until);
}

/* 0: this offer does not serve that need. What was not said fits everything. */
static int32_t
points(const struct post *offer, const struct post *need)
{
	int32_t p = 100;

	if (offer->need || !need->need || offer->kind != need->kind || offer->org == need->org ||
	    !overlap(offer, need))
		return 0;
	if (offer->languages && need->languages) {
		if (!(offer->languages & need->languages))
			return 0;
		p += 40;
	}
	if (offer->place && need->place && offer->place != need->place &&
	    offer->place != OFFERS_ONLINE && need->place != OFFERS_ONLINE)
		return 0;
	p += offer->place && offer->place == need->place ? 40 : 0;
	if (offer->starts && need->starts)
		p += 20;
	if (offer->capacity && need->capacity && offer->capacity < need->capacity)
		p -= 60;
	return p;
}

static uint16_t
org_number(const struct work_input *in, const char **orgs, uint16_t *count, const char *org)
{
	uint16_t i = 0;

	while (i < *count && strcmp(orgs[i], org))
		i++;
	if (i == *count && *count < RING_ORGS)
		orgs[(*count)++] = arena_string(in->arena, org);
	return i;
}

/* The best help for each two organisations. */
static size_t
helps_of(const struct work_input *in, const struct post *post, size_t count, uint16_t orgs,
    struct ring_help **out)
{
	struct ring_help *best = arena_alloc(in->arena, (size_t)orgs * orgs * sizeof(*best) + 1);
	size_t n = 0;

	for (size_t o = 0; o < count; o++)
		for (size_t k = 0; k < count; k++) {
			struct ring_help *h = &best[(size_t)post[o].org * orgs + post[k].org];
			int32_t p = points(&post[o], &post[k]);

			if (p > h->points)
				*h = (struct ring_help){.from = post[o].org,
				    .to = post[k].org,
				    .points = p,
				    .offer = (uint32_t)o,
				    .need = (uint32_t)k};
		}
	for (size_t i = 0; i < (size_t)orgs * orgs; i++)
		if (best[i].points)
			best[n++] = best[i];
	*out = best;
	return n;
}

static size_t
read_posts(const struct work_input *in, int64_t now, const char **orgs, uint16_t *org_count,
    struct post *post)
{
	struct rows *q = db_query(in->db, &posts, V(now));
	size_t n = 0;

	while (n < POSTS_MOST && db_next(q)) {
		post[n] = (struct post){.id = db_int(q, 0),
		    .need = db_int(q, 2),
		    .kind = db_int(q, 3),
		    .place = db_int(q, 4),
		    .languages = db_int(q, 5),
		    .starts = db_int(q, 6),
		    .until = db_int(q, 7),
		    .capacity = db_int(q, 8),
		    .org = org_number(in, orgs, org_count, db_text(q, 1))};
		n += post[n].org < RING_ORGS;
	}
	db_done(q);
	return n;
}

static size_t
read_refusals(const struct work_input *in, int64_t now, const char **orgs, uint16_t org_count,
    struct ring_refusal *refusal, size_t room)
{
	struct rows *q = db_query(in->db, &refusals, V(now));
	size_t n = 0;

	while (n < room && db_next(q)) {
		uint16_t had = org_count;
		uint16_t a = org_number(in, orgs, &had, db_text(q, 0));
		uint16_t b = org_number(in, orgs, &had, db_text(q, 1));

		if (a < org_count && b < org_count)
			refusal[n++] = (struct ring_refusal){a, b};
	}
	db_done(q);
	return n;
}

static struct blob
look(const struct work_input *in)
{
	const char **orgs = arena_alloc(in->arena, (RING_ORGS + 1) * sizeof(*orgs));
	struct post *post = arena_alloc(in->arena, (POSTS_MOST + 1) * sizeof(*post));
	struct ring_refusal *refusal = arena_alloc(in->arena, POSTS_MOST * sizeof(*refusal));
	struct ring ring[RING_ORGS / 2];
	struct ring_help *help;
	struct found *found;
	uint16_t org_count = 0;
	size_t count, helps, rings;
	int64_t now;

	if (in->input.length != sizeof(now) || !in->db)
		return (struct blob){NULL, 0};
	memcpy(&now, in->input.bytes, sizeof(now));
	count = read_posts(in, now, orgs, &org_count, post);
	helps = helps_of(in, post, count, org_count, &help);
	rings = ring_find(help, helps, refusal,
	    read_refusals(in, now, orgs, org_count, refusal, POSTS_MOST),
	    &(struct ring_options){.effort = 0}, ring, NULL);
	found = arena_alloc(in->arena, (rings + 1) * sizeof(*found));
	for (size_t i = 0; i < rings; i++) {
		found[i].size = ring[i].size;
		for (int k = 0; k < ring[i].size; k++) {
			found[i].offer[k] = post[help[ring[i].help[k]].offer].id;
			found[i].need[k] = post[help[ring[i].help[k]].need].id;
		}
	}
	return (struct blob){found, rings * sizeof(*found)};
}

/* ---- proposing ---- */

struct part {
	const char *org;
	int64_t gives, needs, answer;
};

struct proposal {
	int64_t id, state;
	int size;
	struct part part[3];
	int at; /* whose coordinators are being told */
};

static bool
proposal_get(struct turn *t, int64_t id, struct proposal *p)
{
	struct rows *q = db_query(t->db, &parts, V(id));

	*p = (struct proposal){.id = id};
	for (; p->size < 3 && db_next(q); p->size++) {
		p->part[p->size] =
		    (struct part){db_text(q, 1), db_int(q, 2), db_int(q, 3), db_int(q, 4)};
		p->state = db_int(q, 6);
	}
	db_done(q);
	return p->size > 1;
}

/* What one organisation would give and what it would get, and why: the kinds fit each other. */
static void
propose_to(struct turn *t, int64_t person, void *ctx)
{
	const struct proposal *p = ctx;
	const struct part *mine = &p->part[p->at],
			  *before = &p->part[(p->at + p->size - 1) % p->size];
	const char *language = language_of(t, person);
	char *number = arena_print(t->arena, "%lld", (long long)p->id);
	struct card *card = words_in(t, language, p->size == 3 ? "rings.three" : "rings.two", NULL);
	struct offer o;

	card_paragraph(card, words_in(t, language, "rings.give", NULL));
	if (offers_get(t, mine->gives, &o))
		card_line(card, offers_lines(t, language, &o));
	if (offers_get(t, mine->needs, &o))
		card_line(card, offers_lines(t, language, &o));
	card_paragraph(card, words_in(t, language, "rings.get", NULL));
	if (offers_get(t, before->gives, &o))
		card_line(card, offers_lines(t, language, &o));
	if (offers_get(t, before->needs, &o))
		card_line(card, offers_lines(t, language, &o));
	card_paragraph(card, words_in(t, language, "rings.ask", NULL));
	choose_text(t, card, words_flat_in(t, language, "rings.yes", NULL), "rings.yes", number);
	choose_text(t, card, words_flat_in(t, language, "rings.no", NULL), "rings.no", number);
	card_same_row(card);
	tell(t, person, CLASS_EVENT_CHANGE, t->now + ANSWER_DAYS * DAY, card);
}

static void
tell_all(
    struct turn *t, struct proposal *p, void (*each)(struct turn *t, int64_t person, void *ctx))
{
	for (p->at = 0; p->at < p->size; p->at++)
		people_each(t, COORDINATORS, p->part[p->at].org, 20, each, p);
}

static void
propose(struct turn *t, const struct found *f)
{
	struct proposal p;
	struct offer offer[3];
	int64_t id;

	for (int i = 0; i < f->size; i++)
		if (!offers_get(t, f->offer[i], &offer[i]))
			return;
	id = db_insert(t->db, &add, V(t->now, t->now + ANSWER_DAYS * DAY, f->size));
	for (int i = 0; i < f->size; i++)
		db_run(t->db, &add_part, V(id, i, offer[i].org, f->offer[i], f->need[i]));
	if (proposal_get(t, id, &p))
		tell_all(t, &p, propose_to);
	job_at(t, "rings.end", arena_print(t->arena, "%lld", (long long)id),
	    t->now + ANSWER_DAYS * DAY, "");
}

static void
found_some(struct turn *t, struct blob result)
{
	struct found f;

	for (size_t at = 0; at + sizeof(f) <= result.length; at += sizeof(f)) {
		memcpy(&f, (const char *)result.bytes + at, sizeof(f));
		propose(t, &f);
	}
}

static void
weekly(struct turn *t)
{
	db_run(t->db, &prune, V(t->now - REST_DAYS * DAY));
	db_run(t->db, &prune_refusals, V(t->now));
	work_start(t, "rings.look", "", (struct blob){&t->now, sizeof(t->now)});
}

/* ---- answers ---- */

static void
introduce_to(struct turn *t, int64_t person, void *ctx)
{
	const struct proposal *p = ctx;
	const char *language = language_of(t, person);
	struct card *card = words_in(t, language, "rings.agreed", NULL);

	for (int i = 0; i < p->size; i++) {
		const struct partner *org = partners_find(t->partners, p->part[i].org);
		const char *name = org ? partner_words(&org->name, language, NULL) : p->part[i].org;

		if (i == p->at)
			continue;
		card_text(card, "\n• ", 0);
		card_name(card, name);
		if (org)
			choose_text(t, card,
			    words_flat_in(t, language, "rings.write", "org", name, NULL),
			    "partners.ask", p->part[i].org);
	}
	tell(t, person, CLASS_EVENT_CHANGE, t->now + ANSWER_DAYS * DAY, card);
}

/* The same sentence to all, whoever refused. */
static void
not_agreed(struct turn *t, int64_t person, void *ctx)
{
	(void)ctx;
	tell(t, person, CLASS_EVENT_CHANGE, t->now + ANSWER_DAYS * DAY,
	    words_in(t, language_of(t, person), "rings.not_agreed", NULL));
}

static void
remember_refusals(struct turn *t, const struct proposal *p)
{
	for (int i = 0; i < p->size; i++)
		for (int k = 0; k < p->size && p->part[i].answer != YES; k++) {
			const char *a = p->part[i].org, *b = p->part[k].org;
			int order = strcmp(a, b);

			if (order)
				db_run(t->db, &refuse,
				    V(order < 0 ? a : b, order < 0 ? b : a,
					t->now + REST_DAYS * DAY));
		}
}

static void
end(struct turn *t)
{
	struct proposal p;

	if (!proposal_get(t, strtoll(t->key, NULL, 10), &p) || p.state)
		return;
	db_run(t->db, &set_state, V(NOT_AGREED, p.id));
	remember_refusals(t, &p);
	tell_all(t, &p, not_agreed);
}

static void
answer(struct turn *t, int64_t said)
{
	int64_t id = strtoll(t->value, NULL, 10);
	struct proposal p;

	if (!db_run(t->db, &set_answer, V(said, id, t->person->id, t->now))) {
		edit(t, words(t, "rings.over", NULL));
		return;
	}
	edit(t, words(t, "rings.noted", NULL));
	if (db_exists(t->db, &undecided, V(id)) || !proposal_get(t, id, &p))
		return;
	db_run(t->db, &set_state, V(AGREED, id));
	job_cancel(t, "rings.end", arena_print(t->arena, "%lld", (long long)id));
	audit(t, "ring.agreed", id);
	tell_all(t, &p, introduce_to);
}

static void
yes(struct turn *t)
{
	answer(t, YES);
}

static void
no(struct turn *t)
{
	answer(t, NO);
}

static const struct action actions[] = {
    {"rings.yes", COORDINATORS, yes},
    {"rings.no", COORDINATORS, no},
    {0},
};
static const struct job jobs[] = {
    {.name = "rings.weekly", .every_s = EVERY, .run = weekly},
    {.name = "rings.end", .run = end},
    {0},
};
static const struct work works[] = {
    {.name = "rings.look", .run = look, .came = found_some},
    {0},
};

const struct feature feature_rings = {
    .name = "rings",
    .schema = &schema,
    .statements = statements,
    .actions = actions,
    .jobs = jobs,
    .works = works,
};
