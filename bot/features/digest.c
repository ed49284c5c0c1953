/* /topics and the weekly digest: approved announcements that are in no hurry, gathered into one
 * message a week, each reader's own topics only. All who get the same get one post, so that it is
 * reported, limited and taken back as any other. It is put together in slices of people, so that the
 * loop never stands still. */
#include "announce.h"
#include "training.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/approval.h"
#include "core/people.h"

static const char *const steps[] = {
    "CREATE TABLE digest_set(week INTEGER NOT NULL, chunk INTEGER NOT NULL, mask INTEGER NOT NULL,"
    " post INTEGER NOT NULL, PRIMARY KEY(week, chunk, mask)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE digest_part(post INTEGER NOT NULL, announcement INTEGER NOT NULL,"
    " PRIMARY KEY(announcement, post)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX digest_part_post ON digest_part(post);"
    "CREATE TABLE digest_skip(announcement INTEGER NOT NULL, reason INTEGER NOT NULL,"
    " n INTEGER NOT NULL, PRIMARY KEY(announcement, reason)) STRICT, WITHOUT ROWID;",
    NULL,
};
#define REPORT "with its announcement"
static const struct column columns[] = {
    {"digest_set.week", "which digest is being put together", "until it goes out", NOT_PERSONAL},
    {"digest_set.chunk", "which of its messages", "until it goes out", NOT_PERSONAL},
    {"digest_set.mask", "with which announcements", "until it goes out", NOT_PERSONAL},
    {"digest_set.post", "its texts and deliveries", "until it goes out", NOT_PERSONAL},
    {"digest_part.post", "a message of a digest", REPORT, NOT_PERSONAL},
    {"digest_part.announcement", "what stands in it, or was taken out of it", REPORT, NOT_PERSONAL},
    {"digest_skip.announcement", "which announcement", REPORT, NOT_PERSONAL},
    {"digest_skip.reason", "why people of its audience did not get it", REPORT, NOT_PERSONAL},
    {"digest_skip.n", "how many", REPORT, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"digest", steps, columns};

static struct sql take = {
    "UPDATE announcement SET state = 4, due = ?1 WHERE id IN (SELECT a.id FROM announcement a"
    " JOIN approval p ON p.id = a.approval AND p.state = 1" /* void when two turned out to be one */
    " WHERE a.state = 1 AND a.digest = 1 AND a.due <= ?2 ORDER BY a.id LIMIT ?3)"};
static struct sql items = {
    "SELECT id FROM announcement WHERE state = 4 AND due = ? AND digest = 1 ORDER BY id LIMIT ?"};
static struct sql readers = {
    "SELECT p.id FROM person p JOIN consent c ON c.person = p.id AND c.what = 'announcements'"
    " WHERE p.id > ? AND p.joined > 0 ORDER BY p.id LIMIT ?"};
static struct sql set_get = {
    "SELECT post FROM digest_set WHERE week = ? AND chunk = ? AND mask = ?"};
static struct sql set_add = {"INSERT INTO digest_set(week, chunk, mask, post) VALUES(?, ?, ?, ?)"};
static struct sql set_all = {"SELECT post FROM digest_set WHERE week = ? ORDER BY post"};
static struct sql set_drop = {"DELETE FROM digest_set WHERE week = ?"};
static struct sql part_add = {"INSERT INTO digest_part(post, announcement) VALUES(?, ?)"};
static struct sql parts_of = {
    "SELECT post FROM digest_part WHERE announcement = ? ORDER BY post LIMIT ?"};
static struct sql parts_in = {
    "SELECT a.post FROM digest_part d JOIN announcement a ON a.id = d.announcement"
    " WHERE d.post = ? AND d.announcement <> ? AND NOT EXISTS (SELECT 1 FROM announcement b"
    " WHERE b.original = a.id AND b.state = 4) ORDER BY a.id LIMIT ?"};
static struct sql part_prune = {
    "DELETE FROM digest_part WHERE announcement NOT IN (SELECT id FROM announcement)"};
static struct sql skip_add = {"INSERT INTO digest_skip(announcement, reason, n) VALUES(?, ?, ?)"
			      " ON CONFLICT DO UPDATE SET n = n + excluded.n"};
static struct sql skips = {"SELECT reason, n FROM digest_skip WHERE announcement = ?"};
static struct sql skip_prune = {
    "DELETE FROM digest_skip WHERE announcement NOT IN (SELECT id FROM announcement)"};
static struct sql *const statements[] = {&take, &items, &readers, &set_get, &set_add, &set_all,
    &set_drop, &part_add, &parts_of, &parts_in, &part_prune, &skip_add, &skips, &skip_prune, NULL};

enum {
	TOPICS = 24,
	REGIONS = 8,
	ITEMS_MOST = 32,
	SETS_MOST = 512,
	SLICE = 50,
	LOOK_S = 6 * 3600,
	DAY = 86400,
	THURSDAY = 4
};

/* ---- topics ---- */

static const char *
region_name(struct turn *t)
{
	for (int i = 0; i < REGIONS; i++)
		if (audience_tagged(t, t->person->id, arena_print(t->arena, "region.%d", i)))
			return words_flat(t, arena_print(t->arena, "match.region.%d", i), NULL);
	return words_flat(t, "digest.region_none", NULL);
}

static void
topics(struct turn *t)
{
	struct card *card = words(t, "digest.topics", NULL);

	for (int i = 0; i < TOPICS; i++) {
		char *id = arena_print(t->arena, "%d", i);
		const char *label = words_flat(t, arena_print(t->arena, "match.topic.%d", i), NULL);

		if (audience_tagged(t, t->person->id, arena_print(t->arena, "topic.%d", i)))
			label = arena_print(t->arena, "✓ %s", label);
		choose_text(t, card, label, "digest.topic", id);
		if (i % 2)
			card_same_row(card);
	}
	choose_text(t, card, words_flat(t, "digest.region", "region", region_name(t), NULL),
	    "digest.regions", "");
	training_way_out(t, card);
	edit(t, card);
}

/* One region or none; it is asked for by itself, because that of the meetings is for meetings. */
static void
regions(struct turn *t)
{
	struct card *card = words(t, "digest.regions", NULL);

	for (int i = 0; i < REGIONS; i++) {
		choose(t, card, arena_print(t->arena, "match.region.%d", i), "digest.region",
		    arena_print(t->arena, "%d", i));
		if (i % 2)
			card_same_row(card);
	}
	choose(t, card, "digest.region_none", "digest.region", "none");
	edit(t, card);
}

static void
region(struct turn *t)
{
	for (int i = 0; i < REGIONS; i++) {
		const char *id = arena_print(t->arena, "%d", i);

		audience_tag(t, t->person->id, arena_print(t->arena, "region.%s", id),
		    !strcmp(t->value, id));
	}
	topics(t);
}

static void
topic(struct turn *t)
{
	int64_t i = strtoll(t->value, NULL, 10);
	const char *tag = arena_print(t->arena, "topic.%lld", (long long)i);

	if (i >= 0 && i < TOPICS)
		audience_tag(t, t->person->id, tag, !audience_tagged(t, t->person->id, tag));
	topics(t);
}

/* ---- the week ---- */

/* The last Thursday at that hour on the first configured clock: after work, before anybody's holy
 * day. */
static int64_t
hour_before(struct turn *t, int64_t at)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	const struct zone *zone = zone_find(t->zones, zones[0]);
	struct civil wall;
	int64_t day, when = 0;

	if (!zone)
		zone = zone_find(t->zones, "UTC");
	wall = zone_to_local(zone, at).civil;
	day = civil_days(wall.year, wall.month, wall.day);
	for (int i = 0; i <= 7; i++, day--) {
		if (civil_weekday(day) != THURSDAY)
			continue;
		wall = civil_date(day);
		wall.hour = (int)conf_number(t->conf, "digest", NULL, "hour");
		when = zone_instant(zone, &wall);
		if (when <= at)
			break;
	}
	return when;
}

int64_t
digest_hour(struct turn *t)
{
	return hour_before(t, t->now);
}

struct item {
	int64_t id, post;
	struct audience audience;
	int chunk;
};

struct week {
	int64_t of;
	struct item items[ITEMS_MOST];
	int count;
};

/* What stands in one message, in one language; `mask`: which of the items. */
static struct card *
message(struct turn *t, const char *language, const struct week *w, uint64_t mask)
{
	struct card *card = words_in(t, language, "digest.title", NULL);

	for (int i = 0; i < w->count; i++) {
		const struct card *text;

		if (!(mask >> i & 1) || !(text = post_card(t, w->items[i].post, language)))
			continue;
		if (text->file) {
			/* Its words alone: a picture's may be fewer. */
			card = card_new(t->arena);
			card_append(card, text);
			card->choices = card->last_choice = NULL;
			return card;
		}
		card_paragraph(card, text);
		card->choices = card->last_choice = NULL;
	}
	card_paragraph(card, words_in(t, language, "digest.why", NULL));
	choose_text(
	    t, card, words_flat_in(t, language, "digest.choose", NULL), "digest.topics", "");
	return card;
}

static bool
fits(struct turn *t, const struct week *w, uint64_t mask)
{
	for (int i = 0; i < words_count(t->words); i++)
		if (!post_fits(t, message(t, words_language(t->words, i), w, mask)))
			return false;
	return true;
}

/* As many messages as are needed, so that each is one on every network; a picture has its own. */
static void
cut(struct turn *t, struct week *w)
{
	uint64_t mask = 0;
	int chunk = 0;

	for (int i = 0; i < w->count; i++) {
		bool file = post_file_hash(t, w->items[i].post).length > 0;

		if (mask && (file || !fits(t, w, mask | 1ULL << i))) {
			chunk++;
			mask = 0;
		}
		w->items[i].chunk = chunk;
		mask |= 1ULL << i;
		if (file) {
			chunk++;
			mask = 0;
		}
	}
}

static void
read_week(struct turn *t, int64_t of, struct week *w)
{
	struct rows *q = db_query(t->db, &items, V(of, ITEMS_MOST));
	int64_t ids[ITEMS_MOST];
	int n = 0;

	w->of = of;
	w->count = 0;
	while (n < ITEMS_MOST && db_next(q))
		ids[n++] = db_int(q, 0);
	db_done(q);
	for (int i = 0; i < n; i++) {
		struct announce a;
		struct approval yes;

		if (!announce_get(t, ids[i], &a) || !approval_get(t, a.approval, &yes) ||
		    yes.state != APPROVAL_GIVEN)
			continue;
		w->items[w->count++] = (struct item){
		    .id = a.id, .post = a.post, .audience = audience_unpack(t, a.audience)};
	}
	cut(t, w);
}

static void
skip_one(struct turn *t, const struct audience_count *count, void *ctx)
{
	if (count->skip != SKIP_NONE)
		db_run(t->db, &skip_add, V(*(int64_t *)ctx, (int)count->skip, count->n));
}

/* What was approved before the hour goes out with it, however late we wake. */
static void
week(struct turn *t)
{
	int64_t next = hour_before(t, t->now + LOOK_S);
	struct week w;

	if (next > t->now)
		job_at(t, "digest.week", "", next, "");
	if (!db_run(t->db, &take, V(t->now, digest_hour(t), ITEMS_MOST)))
		return;
	read_week(t, t->now, &w);
	if (w.count == ITEMS_MOST)
		job_at(t, "digest.week", "", t->now + 900, "");
	for (int i = 0; i < w.count; i++)
		audience_each(t, &w.items[i].audience, t->now, skip_one, &w.items[i].id);
	job_at(t, "digest.slice", arena_print(t->arena, "%lld", (long long)t->now), t->now, "0");
}

/* The post of everybody who gets just these items in this message; made when it is first needed. */
static int64_t
post_of(struct turn *t, const struct week *w, int chunk, uint64_t mask)
{
	struct audience asked = {.consent = CONSENT_ANNOUNCEMENTS};
	int64_t post = db_number(t->db, &set_get, V(w->of, chunk, (int64_t)mask), 0);

	if (post)
		return post;
	post = post_new(t, CLASS_ANNOUNCEMENT, 0);
	for (int i = 0; i < w->count; i++) {
		if (!(mask >> i & 1))
			continue;
		db_run(t->db, &part_add, V(post, w->items[i].id));
		post_file_copy(t, w->items[i].post, post);
	}
	for (int i = 0; i < words_count(t->words); i++)
		post_say(t, post, words_language(t->words, i),
		    message(t, words_language(t->words, i), w, mask));
	post_audience(t, post, &asked);
	db_run(t->db, &set_add, V(w->of, chunk, (int64_t)mask, post));
	return post;
}

static void
add_reader(struct turn *t, int64_t person, const struct week *w)
{
	for (int i = 0; i < w->count;) {
		int chunk = w->items[i].chunk;
		uint64_t mask = 0;

		for (; i < w->count && w->items[i].chunk == chunk; i++)
			if (audience_has(t, &w->items[i].audience, t->now, person))
				mask |= 1ULL << i;
		if (mask)
			post_add(t, post_of(t, w, chunk, mask), person);
	}
}

static void
start_all(struct turn *t, const struct week *w)
{
	struct rows *q = db_query(t->db, &set_all, V(w->of));
	int64_t posts[SETS_MOST];
	int n = 0;

	while (n < SETS_MOST && db_next(q))
		posts[n++] = db_int(q, 0);
	db_done(q);
	for (int i = 0; i < n; i++)
		post_start(t, posts[i], t->now);
	db_run(t->db, &set_drop, V(w->of));
	for (int i = 0; i < w->count; i++)
		post_drop(t, w->items[i].post);
}

static void
slice(struct turn *t)
{
	struct rows *q = db_query(t->db, &readers, V(strtoll(t->value, NULL, 10), SLICE));
	int64_t ids[SLICE];
	struct week w;
	int n = 0;

	while (n < SLICE && db_next(q))
		ids[n++] = db_int(q, 0);
	db_done(q);
	read_week(t, strtoll(t->key, NULL, 10), &w);
	for (int i = 0; i < n; i++)
		add_reader(t, ids[i], &w);
	if (n == SLICE)
		job_at(t, "digest.slice", t->key, t->now + 1,
		    arena_print(t->arena, "%lld", (long long)ids[n - 1]));
	else
		start_all(t, &w);
}

/* ---- how it went, and taking one of them back ---- */

static void
add_report(struct post_report *sum, const struct post_report *r)
{
	sum->audience += r->audience;
	sum->delivered += r->delivered;
	sum->refused += r->refused;
	sum->expired += r->expired;
	sum->doubt += r->doubt;
	sum->stopped += r->stopped;
	sum->left += r->left;
	sum->waiting += r->waiting;
	sum->in_air += r->in_air;
	if (r->stage < sum->stage)
		sum->stage = r->stage;
}

static int
parts(struct turn *t, int64_t announcement, int64_t *posts)
{
	struct rows *q = db_query(t->db, &parts_of, V(announcement, SETS_MOST));
	int n = 0;

	while (n < SETS_MOST && db_next(q))
		posts[n++] = db_int(q, 0);
	db_done(q);
	return n;
}

void
digest_report(struct turn *t, int64_t announcement, struct post_report *sum)
{
	const struct feature *was = t->feature;
	struct rows *q = db_query(t->db, &skips, V(announcement));
	int64_t posts[SETS_MOST];
	int n;

	*sum = (struct post_report){.stage = POST_DONE};
	while (db_next(q)) {
		int64_t reason = db_int(q, 0);

		if (reason > 0 && reason < SKIP_COUNT)
			sum->skipped[reason] = db_int(q, 1);
		sum->audience += db_int(q, 1);
	}
	t->feature = &feature_digest;
	n = parts(t, announcement, posts);
	for (int i = 0; i < n; i++) {
		struct post_report r;

		if (post_report(t, posts[i], &r))
			add_report(sum, &r);
	}
	t->feature = was;
}

void
digest_each(struct turn *t, int64_t announcement,
    void (*each)(struct turn *t, const struct post_count *count, void *ctx), void *ctx)
{
	int64_t posts[SETS_MOST];
	int n = parts(t, announcement, posts);

	for (int i = 0; i < n; i++)
		post_each(t, posts[i], each, ctx);
}

/* What stays in that message when this one is taken out of it. */
static void
read_others(struct turn *t, int64_t of, int64_t announcement, struct week *w)
{
	struct rows *q = db_query(t->db, &parts_in, V(of, announcement, ITEMS_MOST));

	w->count = 0;
	while (w->count < ITEMS_MOST && db_next(q))
		w->items[w->count++].post = db_int(q, 0);
	db_done(q);
}

bool
digest_recall(struct turn *t, int64_t announcement, int64_t back)
{
	const struct feature *was = t->feature;
	int64_t posts[SETS_MOST];
	int n = parts(t, announcement, posts), taken = 0;

	t->feature = &feature_digest;
	for (int i = 0; i < n; i++) {
		struct week others;
		int64_t post;

		read_others(t, posts[i], announcement, &others);
		post = post_recall(t, posts[i], others.count > 0);
		if (!post)
			continue;
		for (int k = 0; others.count && k < words_count(t->words); k++)
			post_say(t, post, words_language(t->words, k),
			    message(t, words_language(t->words, k), &others, UINT64_MAX));
		db_run(t->db, &part_add, V(post, back));
		post_start(t, post, t->now);
		taken++;
	}
	t->feature = was;
	return taken > 0;
}

static void
prune(struct turn *t)
{
	db_run(t->db, &part_prune, NONE);
	db_run(t->db, &skip_prune, NONE);
}

static const struct conf_key settings[] = {
    {.section = "digest",
	.key = "hour",
	.kind = CONF_NUMBER,
	.least = 8,
	.most = 20,
	.otherwise = "17"},
    {0},
};
static const struct command commands[] = {
    {.name = "topics", .access = MEMBERS, .run = topics, .hidden = true},
    {0},
};
static const struct action actions[] = {
    {"digest.topic", MEMBERS, topic},
    {"digest.topics", MEMBERS, topics},
    {"digest.region", MEMBERS, region},
    {"digest.regions", MEMBERS, regions},
    {0},
};
static const struct job jobs[] = {
    {.name = "digest.week", .every_s = LOOK_S, .run = week},
    {.name = "digest.slice", .run = slice},
    {.name = "digest.prune", .every_s = DAY, .run = prune},
    {0},
};

const struct feature feature_digest = {
    .name = "digest",
    .schema = &schema,
    .statements = statements,
    .settings = settings,
    .commands = commands,
    .actions = actions,
    .jobs = jobs,
};
