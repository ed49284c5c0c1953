/* /podcast: the newest episode by date, older ones by button, from feeds read every hour; a push names all new ones. */
#include "core/people.h"
#include "core/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/feed.h"
#include "base/words.h"
#include "base/zone.h"

static const char *const steps[] = {
    "CREATE TABLE episode(id INTEGER PRIMARY KEY, podcast TEXT NOT NULL, key TEXT NOT NULL,"
    " title TEXT NOT NULL, link TEXT, published INTEGER, duration INTEGER, season INTEGER,"
    " number INTEGER, seen INTEGER NOT NULL, announced INTEGER NOT NULL, position INTEGER NOT NULL,"
    " UNIQUE(podcast, key)) STRICT;"
    "CREATE INDEX episode_newest ON episode(podcast, published DESC);"
    "CREATE TABLE episode_key(podcast TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY(podcast, key))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE podcast_subscriber(person INTEGER PRIMARY KEY REFERENCES person(id)"
    " ON DELETE CASCADE, since INTEGER NOT NULL) STRICT;"
    "CREATE TABLE podcast_push(only_row INTEGER PRIMARY KEY, pushed INTEGER NOT NULL) STRICT;",
    NULL,
};
static const struct column columns[] = {
    {"episode.id", "number of an episode", "while in the feed", NOT_PERSONAL},
    {"episode.podcast", "of which podcast", "while configured", NOT_PERSONAL},
    {"episode.key", "what it is known by", "while configured", NOT_PERSONAL},
    {"episode.title", "its title", "while configured", NOT_PERSONAL},
    {"episode.link", "where to listen", "while configured", NOT_PERSONAL},
    {"episode.published", "its date", "while configured", NOT_PERSONAL},
    {"episode.duration", "its length", "while configured", NOT_PERSONAL},
    {"episode.season", "its season", "while configured", NOT_PERSONAL},
    {"episode.number", "its number", "while configured", NOT_PERSONAL},
    {"episode.seen", "when it was first read", "while configured", NOT_PERSONAL},
    {"episode.announced", "whether subscribers heard of it", "while configured", NOT_PERSONAL},
    {"episode.position", "its place in the feed, for feeds without dates", "while configured",
	NOT_PERSONAL},
    {"episode_key.podcast", "of which podcast", "while configured", NOT_PERSONAL},
    {"episode_key.key", "every name an episode was known by, so that it is announced once",
	"while configured", NOT_PERSONAL},
    {"podcast_subscriber.person", "who asked to hear of new episodes", "until switched off",
	WITH_PERSON},
    {"podcast_subscriber.since", "the day", "until switched off", WITH_PERSON},
    {"podcast_push.only_row", "there is one row", "for ever", NOT_PERSONAL},
    {"podcast_push.pushed", "when subscribers last heard: at most once a day", "for ever",
	NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"podcast", steps, columns};

/* A date in the far future is a mistake and counts as none. */
static struct sql newest = {
    "SELECT id, title, link, published, duration, season, number FROM episode WHERE podcast = ?1"
    " ORDER BY coalesce(CASE WHEN published < ?2 + 172800 THEN published END, 0) DESC, position"
    " LIMIT ?4 OFFSET ?3"};
static struct sql search = {
    "SELECT id, title, link, published, duration, season, number FROM episode"
    " WHERE podcast = ?1 AND title LIKE '%' || ?2 || '%' ORDER BY published DESC LIMIT 8"};
static struct sql known = {"SELECT 1 FROM episode_key WHERE podcast = ? AND key = ?"};
/* The newest date that counts, of those that were there before this page came. */
static struct sql newest_date = {
    "SELECT max(published) FROM episode WHERE podcast = ? AND published < ? + 172800"};
static struct sql any = {"SELECT 1 FROM episode WHERE podcast = ?"};
static struct sql remember = {"INSERT OR IGNORE INTO episode_key(podcast, key) VALUES(?, ?)"};
static struct sql add = {
    "INSERT INTO episode(podcast, key, title, link, published, duration, season, number, seen,"
    " announced, position) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(podcast, key) DO UPDATE SET title = excluded.title, link = excluded.link,"
    " published = excluded.published, duration = excluded.duration, position = excluded.position"};
static struct sql unheard = {
    "SELECT id, title, link, podcast FROM episode WHERE announced = 0 ORDER BY published, id LIMIT 50"};
static struct sql heard = {"UPDATE episode SET announced = 1 WHERE announced = 0"};
static struct sql subscribed = {"SELECT 1 FROM podcast_subscriber WHERE person = ?"};
static struct sql subscribe = {
    "INSERT OR IGNORE INTO podcast_subscriber(person, since) VALUES(?, ?)"};
static struct sql unsubscribe = {"DELETE FROM podcast_subscriber WHERE person = ?"};
static struct sql subscribers = {"SELECT person FROM podcast_subscriber ORDER BY person"};
static struct sql last = {"SELECT pushed FROM podcast_push"};
static struct sql set_last = {"INSERT OR REPLACE INTO podcast_push(only_row, pushed) VALUES(1, ?)"};
static struct sql *const statements[] = {&last, &set_last, &newest, &newest_date, &search, &known,
    &any, &remember, &add, &unheard, &heard, &subscribed, &subscribe, &unsubscribe, &subscribers,
    NULL};

enum { OLDER = 5, DAY = 86400, LATE_DAYS = 14 };

static void
episode_line(struct turn *t, struct card *card, struct rows *q)
{
	const struct zone *zone =
	    zone_find(t->zones, conf_list(t->conf, "bot", NULL, "time_zones")[0]);
	const char *link = db_text(q, 2);
	int64_t minutes = (db_int(q, 4) + 30) / 60;

	card_text(card, db_text(q, 1), SPAN_BOLD | SPAN_NAME);
	if (!db_is_null(q, 3) && zone) {
		card_text(card, "\n", 0);
		card_text(card, clock_date(t->arena, t->language, zone, db_int(q, 3)), 0);
	}
	if (!db_is_null(q, 4) && minutes > 0) {
		card_text(card, db_is_null(q, 3) ? "\n" : " · ", 0);
		card_append(card, words_n(t, "podcast.minutes", minutes, NULL));
	}
	if (link) {
		card_text(card, "\n", 0);
		card_link(card, link, link);
	}
}

static struct card *
page_of(struct turn *t, const char *podcast, int64_t from, int count)
{
	const char *disclaimer = conf_text(t->conf, "podcast", podcast, "disclaimer");
	struct rows *q = db_query(t->db, &newest, V(podcast, t->now, from, count + 1));
	struct card *card = card_new(t->arena);
	int n = 0;

	if (!strcmp(t->language, "ar") || !strcmp(t->language, "he"))
		card->flags |= CARD_RTL;
	for (; n < count && db_next(q); n++) {
		if (n)
			card_text(card, "\n\n", 0);
		episode_line(t, card, q);
	}
	if (!n)
		return NULL;
	if (disclaimer && words_has(t->words, disclaimer))
		card_paragraph(card, words(t, disclaimer, NULL));
	if (db_next(q))
		choose(t, card, "podcast.older", "podcast.older",
		    arena_print(t->arena, "%lld %s", (long long)(from + n), podcast));
	db_done(q);
	return card;
}

static void
others(struct turn *t, struct card *card, const char *podcast)
{
	const char *name;

	for (int i = 0; (name = conf_name(t->conf, "podcast", i)); i++)
		if (strcmp(name, podcast)) {
			const char *title = conf_text(t->conf, "podcast", name, "title");

			choose_text(t, card, title ? title : name, "podcast.newest", name);
		}
}

static void
show_newest(struct turn *t, const char *podcast)
{
	const char *title = conf_text(t->conf, "podcast", podcast, "title");
	struct card *body = page_of(t, podcast, 0, 1), *card;

	if (!body) {
		say(t, words(t, "podcast.none", NULL));
		return;
	}
	card = words(t, "podcast.title", "podcast", title ? title : podcast, NULL);
	card_line(card, body);
	others(t, card, podcast);
	if (!t->group && t->person && t->person->access & MEMBERS)
		choose(t, card, "podcast.talk", "match.talk",
		    arena_print(t->arena, "%lld",
			(long long)db_number(t->db, &newest, V(podcast, t->now, 0, 1), 0)));
	if (!t->group && t->person) {
		bool on = db_exists(t->db, &subscribed, V(t->person->id));

		choose(t, card, on ? "podcast.unsubscribe" : "podcast.subscribe",
		    "podcast.subscribe", on ? "off" : "on");
	}
	say(t, card);
}

static void
find(struct turn *t, const char *podcast)
{
	struct rows *q = db_query(t->db, &search, V(podcast, t->rest));
	struct card *card = words(t, "podcast.found", "search", t->rest, NULL);
	int n = 0;

	for (; db_next(q); n++) {
		card_text(card, "\n\n", 0);
		episode_line(t, card, q);
	}
	say(t, n ? card : words(t, "podcast.not_found", "search", t->rest, NULL));
}

static void
podcast(struct turn *t)
{
	const char *name = conf_name(t->conf, "podcast", 0);

	if (!name)
		say(t, words(t, "podcast.none", NULL));
	else if (t->rest[0])
		find(t, name);
	else
		show_newest(t, name);
}

static void
of_name(struct turn *t)
{
	if (conf_text(t->conf, "podcast", t->value, "feed"))
		show_newest(t, t->value);
	else
		podcast(t);
}

static void
older(struct turn *t)
{
	char *end;
	int64_t from = strtoll(t->value, &end, 10);
	const char *name = *end == ' ' ? end + 1 : "";
	struct card *card =
	    conf_text(t->conf, "podcast", name, "feed") ? page_of(t, name, from, OLDER) : NULL;

	say(t, card ? card : words(t, "podcast.no_older", NULL));
}

/* It does what its label says however often and late it is pressed; one of an older program, which
 * does not know what it said, brings a fresh card. */
static void
subscribe_pressed(struct turn *t)
{
	if (!strcmp(t->value, "off")) {
		db_run(t->db, &unsubscribe, V(t->person->id));
		say(t, words(t, "podcast.unsubscribed", NULL));
	} else if (!strcmp(t->value, "on")) {
		db_run(t->db, &subscribe, V(t->person->id, t->now / DAY * DAY));
		say(t, words(t, "podcast.subscribed", NULL));
	} else {
		podcast(t);
	}
}

/* ---- the feed ---- */

static bool
is_known(struct turn *t, const char *name, const struct feed_key *k)
{
	return db_exists(t->db, &known, V(name, k->key));
}

static void
take(struct turn *t, const char *name, const struct feed_item *item, size_t position, bool first,
    int64_t until)
{
	struct feed_key k = feed_item_key(t->arena, item);
	/* What turns up long behind the newest is an archive that was filled, not news; feeds do
	 * bring episodes some days late. */
	bool old = is_known(t, name, &k) || (item->published_s != FEED_NONE && until != INT64_MIN &&
						item->published_s < until - LATE_DAYS * DAY);
	const char *link = item->link ? item->link : item->enclosure_url;
	struct value none = VNULL;

	db_run(t->db, &remember, V(name, k.key));
	if (k.also)
		db_run(t->db, &remember, V(name, k.also));
	db_run(t->db, &add,
	    V(name, k.key, item->title ? item->title : "—", link,
		item->published_s == FEED_NONE ? none : value_integer(item->published_s),
		item->duration_s == FEED_NONE ? none : value_integer(item->duration_s),
		item->season == FEED_NONE ? none : value_integer(item->season),
		item->episode == FEED_NONE ? none : value_integer(item->episode), t->now,
		first || old ? 1 : 0, (int64_t)position));
}

static void
feed_came(struct turn *t, const struct page *page)
{
	struct feed_origin origin = {.content_type = page->content_type, .url = page->url};
	struct feed *feed = feed_parse(t->arena, page->bytes, page->length, &origin);
	bool first = !db_exists(t->db, &any, V(page->key));
	int64_t until = db_number(t->db, &newest_date, V(page->key, t->now), INT64_MIN);

	if (!feed->count) {
		page_broken(t, page, feed->why ? feed->why : "no episodes");
		return;
	}
	for (size_t i = 0; i < feed->count; i++)
		take(t, page->key, &feed->items[i], i, first, until);
	if (!first)
		job_at(t, "podcast.announce", "", t->now, "");
}

/* At most one push a day, which names all that are new. */
static void
announce(struct turn *t)
{
	int64_t since = db_number(t->db, &last, NONE, 0);
	struct rows *q, *people;

	if (!db_exists(t->db, &unheard, NONE))
		return;
	if (since && t->now - since < DAY) {
		job_at(t, "podcast.announce", "", since + DAY, "");
		return;
	}
	people = db_query(t->db, &subscribers, NONE);
	while (db_next(people)) {
		const char *language = language_of(t, db_int(people, 0));
		struct card *card = words_in(t, language, "podcast.new", NULL);

		q = db_query(t->db, &unheard, NONE);
		while (db_next(q)) {
			card_text(card, "\n• ", 0);
			card_name(card, db_text(q, 1));
			if (db_text(q, 2)) {
				card_text(card, "\n", 0);
				card_link(card, db_text(q, 2), db_text(q, 2));
			}
		}
		tell(t, db_int(people, 0), CLASS_REMINDER, t->now + 3 * DAY, card);
	}
	db_run(t->db, &heard, NONE);
	db_run(t->db, &set_last, V(t->now));
}

static void
happened(struct turn *t, enum happening what)
{
	const char *name;

	if (what != HAPPENED_START && what != HAPPENED_RELOAD)
		return;
	for (int i = 0; (name = conf_name(t->conf, "podcast", i)); i++)
		page_want(t, "podcast.feed", name, conf_text(t->conf, "podcast", name, "feed"),
		    60 * conf_number(t->conf, "podcast", name, "every_minutes"));
}

static const struct conf_key settings[] = {
    {.section = "podcast", .key = "title", .kind = CONF_TEXT, .named = true},
    {.section = "podcast",
	.key = "feed",
	.kind = CONF_ADDRESS,
	.least = 1,
	.named = true,
	.required = true},
    {.section = "podcast", .key = "disclaimer", .kind = CONF_TEXT, .named = true},
    {.section = "podcast",
	.key = "every_minutes",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 100000,
	.otherwise = "60",
	.named = true},
    {0},
};
/* ?start=p or ?start=p_NAME: the newest episode */
static void
linked(struct turn *t)
{
	if (!t->person->language[0])
		people_set_language(t, t->person->id, t->language);
	t->rest = "";
	of_name(t);
}

static const struct command commands[] = {
    {.name = "podcast", .run = podcast, .public_place = true},
    {0},
};
static const struct action actions[] = {
    {"podcast.newest", ANYONE, of_name},
    {"podcast.older", ANYONE, older},
    {"podcast.subscribe", ANYONE, subscribe_pressed},
    {0},
};
static const struct page_kind pages[] = {
    {"podcast.feed", feed_came},
    {0},
};
static const struct job jobs[] = {
    {.name = "podcast.announce", .run = announce},
    {0},
};

const struct feature feature_podcast = {
    .name = "podcast",
    .schema = &schema,
    .statements = statements,
    .settings = settings,
    .commands = commands,
    .actions = actions,
    .jobs = jobs,
    .pages = pages,
    .link = "p",
    .linked = linked,
    .happened = happened,
};
