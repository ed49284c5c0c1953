/* /topics and the weekly digest: approved announcements that are in no hurry, gathered into one
 * message a week, each reader's own topics only. It goes out in slices of people, so that the loop
 * never stands still. */
#include "announce.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/zone.h"
#include "core/approval.h"
#include "core/people.h"

static struct sql take = {
    "UPDATE announcement SET state = 4, due = ?1 WHERE state = 1 AND digest = 1 AND due <= ?2"};
static struct sql items = {
    "SELECT id FROM announcement WHERE state = 4 AND due = ? ORDER BY id LIMIT ?"};
static struct sql readers = {
    "SELECT p.id FROM person p JOIN consent c ON c.person = p.id AND c.what = 'announcements'"
    " WHERE p.id > ? AND p.joined > 0 ORDER BY p.id LIMIT ?"};
static struct sql *const statements[] = {&take, &items, &readers, NULL};

enum { TOPICS = 24, ITEMS_MOST = 10, SLICE = 100, DAY = 86400, THURSDAY = 4 };

/* ---- topics ---- */

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
	edit(t, card);
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
int64_t
digest_hour(struct turn *t)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	const struct zone *zone = zone_find(t->zones, zones[0]);
	struct civil wall;
	int64_t day, when = 0;

	if (!zone)
		zone = zone_find(t->zones, "UTC");
	wall = zone_to_local(zone, t->now).civil;
	day = civil_days(wall.year, wall.month, wall.day);
	for (int i = 0; i <= 7; i++, day--) {
		if (civil_weekday(day) != THURSDAY)
			continue;
		wall = civil_date(day);
		wall.hour = (int)conf_number(t->conf, "digest", NULL, "hour");
		when = zone_instant(zone, &wall);
		if (when <= t->now)
			break;
	}
	return when;
}

/* What was approved before the hour goes out with it, however late we wake. */
static void
week(struct turn *t)
{
	if (!db_run(t->db, &take, V(t->now, digest_hour(t))))
		return;
	job_at(t, "digest.slice", arena_print(t->arena, "%lld", (long long)t->now), t->now, "0");
}

struct item {
	struct audience audience;
	int64_t post;
};

static int
read_items(struct turn *t, int64_t week_of, struct item *list)
{
	struct rows *q = db_query(t->db, &items, V(week_of, ITEMS_MOST));
	int64_t ids[ITEMS_MOST];
	int n = 0, found = 0;

	while (n < ITEMS_MOST && db_next(q))
		ids[n++] = db_int(q, 0);
	db_done(q);
	for (int i = 0; i < n; i++) {
		struct announce a;
		struct approval yes;

		if (!announce_get(t, ids[i], &a) || !approval_get(t, a.approval, &yes) ||
		    yes.state != APPROVAL_GIVEN)
			continue;
		list[found].audience = audience_unpack(t, a.audience);
		list[found++].post = a.post;
	}
	return found;
}

static void
tell_reader(struct turn *t, int64_t person, const struct item *list, int count)
{
	const char *language = language_of(t, person);
	struct card *card = words_in(t, language, "digest.title", NULL);
	int n = 0;

	for (int i = 0; i < count; i++) {
		const struct card *text;

		if (!audience_has(t, &list[i].audience, t->now, person) ||
		    !(text = post_card(t, list[i].post, language)))
			continue;
		card_paragraph(card, text);
		card->choices = card->last_choice = NULL;
		n++;
	}
	if (!n)
		return;
	card_paragraph(card, words_in(t, language, "digest.why", NULL));
	choose_text(
	    t, card, words_flat_in(t, language, "digest.choose", NULL), "digest.topics", "");
	tell(t, person, CLASS_ANNOUNCEMENT, 0, card);
}

static void
slice(struct turn *t)
{
	int64_t week_of = strtoll(t->key, NULL, 10), ids[SLICE];
	struct rows *q = db_query(t->db, &readers, V(strtoll(t->value, NULL, 10), SLICE));
	struct item list[ITEMS_MOST];
	int n = 0, count;

	while (n < SLICE && db_next(q))
		ids[n++] = db_int(q, 0);
	db_done(q);
	count = read_items(t, week_of, list);
	for (int i = 0; i < n; i++)
		tell_reader(t, ids[i], list, count);
	if (n == SLICE) {
		job_at(t, "digest.slice", t->key, t->now + 1,
		    arena_print(t->arena, "%lld", (long long)ids[n - 1]));
		return;
	}
	for (int i = 0; i < count; i++)
		post_drop(t, list[i].post);
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
    {0},
};
static const struct job jobs[] = {
    {.name = "digest.week", .every_s = 900, .run = week},
    {.name = "digest.slice", .run = slice},
    {0},
};

const struct feature feature_digest = {
    .name = "digest",
    .statements = statements,
    .settings = settings,
    .commands = commands,
    .actions = actions,
    .jobs = jobs,
};
