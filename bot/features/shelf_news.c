/* Who follows a topic of the shelf hears once a week what is new there, in one message, in the hour
 * of the weekly digest; nobody who did not ask. */
#include "shelf.h"

#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "base/text.h"
#include "core/audience.h"
#include "core/people.h"

/* What was shared before the hour goes out with it, however late we wake. */
static struct sql fresh = {"SELECT id FROM shelf WHERE told = 0 AND shared <= ? ORDER BY id"};
static struct sql told = {"UPDATE shelf SET told = 1 WHERE told = 0 AND shared <= ?"};
static struct sql any = {"SELECT 1 FROM shelf WHERE told = 0 AND shared <= ?"};
static struct sql readers = {
    "SELECT DISTINCT r.person FROM role r WHERE r.role IN (2, 16) ORDER BY r.person"};
static struct sql speaks_for = {"SELECT 1 FROM role WHERE person = ? AND role = 2 AND org = ?"};
static struct sql *const statements[] = {&fresh, &told, &any, &readers, &speaks_for, NULL};

enum { FRESH_MOST = 200, NAMED_MOST = 5, HOUR = 3600, WAITS_DAYS = 6 };

static char *
tag(struct turn *t, int64_t topic)
{
	return arena_print(t->arena, "shelf.%lld", (long long)topic);
}

/* ---- following ---- */

static void
topics(struct turn *t)
{
	struct card *card = words(t, "shelf.follow", NULL);

	for (int i = 0; i < SHELF_TOPICS; i++) {
		const char *name = shelf_topic(t, t->language, i);

		choose_text(t, card,
		    audience_tagged(t, t->person->id, tag(t, i))
			? arena_print(t->arena, "✓ %s", name)
			: name,
		    "shelf.follow", shelf_key(t, i));
		if (i % 2)
			card_same_row(card);
	}
	choose_command(t, card, "forum");
	edit(t, card);
}

static void
follow(struct turn *t)
{
	int64_t i = strtoll(t->value, NULL, 10);

	if (i >= 0 && i < SHELF_TOPICS)
		audience_tag(
		    t, t->person->id, tag(t, i), !audience_tagged(t, t->person->id, tag(t, i)));
	topics(t);
}

void
shelf_choose_topics(struct turn *t, struct card *card)
{
	choose(t, card, "shelf.follow_topics", "shelf.follows", "");
}

/* ---- once a week ---- */

/* Their own organisation knows. */
static bool
concerns(struct turn *t, int64_t person, const struct resource *r)
{
	return audience_tagged(t, person, tag(t, r->topic)) &&
	       !db_exists(t->db, &speaks_for, V(person, r->org));
}

static void
tell_reader(struct turn *t, int64_t person, const struct resource *list, int count)
{
	const char *language = language_of(t, person);
	struct card *card = words_in(t, language, "shelf.news", NULL);
	int n = 0;

	for (int i = 0; i < count; i++) {
		if (!concerns(t, person, &list[i]) || n++ >= NAMED_MOST)
			continue;
		card_paragraph(card, shelf_line(t, language, &list[i]));
		choose_text(t, card,
		    text_isolate(
			t->arena, arena_copy(t->arena, list[i].title, text_cut(list[i].title, 40))),
		    "shelf.card", shelf_key(t, list[i].id));
	}
	if (!n)
		return;
	if (n > NAMED_MOST)
		card_paragraph(
		    card, words_n_in(t, language, "shelf.news_more", n - NAMED_MOST, NULL));
	choose_text(
	    t, card, words_flat_in(t, language, "shelf.follow_topics", NULL), "shelf.follows", "");
	tell(t, person, CLASS_ANNOUNCEMENT, t->now + WAITS_DAYS * (int64_t)SHELF_DAY, card);
}

static void
week(struct turn *t)
{
	int64_t until = digest_hour(t), ids[FRESH_MOST];
	struct resource list[FRESH_MOST];
	struct rows *q;
	int n = 0, count = 0;

	if (!db_exists(t->db, &any, V(until)))
		return;
	q = db_query(t->db, &fresh, V(until));
	while (n < FRESH_MOST && db_next(q))
		ids[n++] = db_int(q, 0);
	db_done(q);
	for (int i = 0; i < n; i++)
		count += shelf_get(t, ids[i], &list[count]);
	db_run(t->db, &told, V(until));
	q = db_query(t->db, &readers, NONE);
	while (db_next(q))
		tell_reader(t, db_int(q, 0), list, count);
}

static const struct action actions[] = {
    {"shelf.follows", SHELF_FOR, topics},
    {"shelf.follow", SHELF_FOR, follow},
    {0},
};
static const struct job jobs[] = {
    {.name = "shelf.week", .every_s = HOUR, .run = week},
    {0},
};

const struct feature feature_shelf_news = {
    .name = "shelf_news",
    .statements = statements,
    .actions = actions,
    .jobs = jobs,
};
