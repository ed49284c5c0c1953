/* /events: what is coming, from any number of calendars. A card has both clocks when they differ. */
#include "core/people.h"
#include "core/turn.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/partners.h"
#include "base/text.h"
#include "base/zone.h"

static const char *const steps[] = {
	"CREATE TABLE event(id INTEGER PRIMARY KEY AUTOINCREMENT, calendar TEXT NOT NULL, uid TEXT NOT NULL,"
	" recurrence TEXT NOT NULL, title TEXT NOT NULL, text TEXT, place TEXT, url TEXT,"
	" zone TEXT NOT NULL, wall TEXT NOT NULL, start INTEGER NOT NULL, finish INTEGER NOT NULL,"
	" all_day INTEGER NOT NULL, cancelled INTEGER NOT NULL, once_only INTEGER NOT NULL,"
	" sequence INTEGER NOT NULL, seen INTEGER NOT NULL, UNIQUE(calendar, uid, recurrence)) STRICT;"
	"CREATE INDEX event_start ON event(start);",
	NULL,
};
#define RETENTION "[retention] event days after its end"
static const struct column columns[] = {
	{"event.id", "number of an event", RETENTION, NOT_PERSONAL},
	{"event.calendar", "which calendar it came from", RETENTION, NOT_PERSONAL},
	{"event.uid", "the calendar's own name of it", RETENTION, NOT_PERSONAL},
	{"event.recurrence", "which instance", RETENTION, NOT_PERSONAL},
	{"event.title", "title", RETENTION, NOT_PERSONAL},
	{"event.text", "description", RETENTION, NOT_PERSONAL},
	{"event.place", "where, as its public calendar says", RETENTION, NOT_PERSONAL},
	{"event.url", "its page", RETENTION, NOT_PERSONAL},
	{"event.zone", "whose clock rules", RETENTION, NOT_PERSONAL},
	{"event.wall", "wall time: what was promised", RETENTION, NOT_PERSONAL},
	{"event.start", "the instant, computed from wall and zone", RETENTION, NOT_PERSONAL},
	{"event.finish", "its end", RETENTION, NOT_PERSONAL},
	{"event.all_day", "a day, not an hour", RETENTION, NOT_PERSONAL},
	{"event.cancelled", "called off", RETENTION, NOT_PERSONAL},
	{"event.once_only", "its rule is one this program does not repeat", RETENTION, NOT_PERSONAL},
	{"event.sequence", "the calendar's number of its change", RETENTION, NOT_PERSONAL},
	{"event.seen", "when it was last in its calendar", RETENTION, NOT_PERSONAL},
	{0},
};
static const struct schema schema = {"events", steps, columns};

static struct sql upcoming = {
    "SELECT id, title, zone, start, finish, all_day, cancelled FROM event WHERE finish > ?1"
    " AND cancelled = 0 ORDER BY start, id LIMIT ?3 OFFSET ?2"};
static struct sql one = {
    "SELECT id, title, zone, start, finish, all_day, cancelled, text, place, url, calendar, once_only"
    " FROM event WHERE id = ?"};
static struct sql put = {
    "INSERT INTO event(calendar, uid, recurrence, title, text, place, url, zone, wall, start, finish,"
    " all_day, cancelled, once_only, sequence, seen) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(calendar, uid, recurrence) DO UPDATE SET title = excluded.title,"
    " text = excluded.text, place = excluded.place, url = excluded.url, zone = excluded.zone,"
    " wall = excluded.wall, start = excluded.start, finish = excluded.finish,"
    " all_day = excluded.all_day, cancelled = excluded.cancelled, once_only = excluded.once_only,"
    " sequence = excluded.sequence, seen = excluded.seen"};
static struct sql gone = {"DELETE FROM event WHERE calendar = ? AND seen < ? AND finish > ?"};
static struct sql old = {"DELETE FROM event WHERE finish < ?"};
static struct sql zoned = {"SELECT id, zone, wall, start, finish FROM event WHERE all_day = 0 AND zone <> ''"
			   " AND start > ?"};
static struct sql moved = {"UPDATE event SET start = ?, finish = ? WHERE id = ?"};
static struct sql *const statements[] = {&upcoming, &one, &put, &gone, &old, &zoned, &moved, NULL};

enum { A_PAGE = 5, DAY = 86400, AHEAD_DAYS = 400, TEXT_MOST = 1500,
	INSTANCES_MOST = 20000 };

static const char *
when(struct turn *t, struct rows *q)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	const char *zone = db_text(q, 2);

	return clock_when(t->arena, t->language, t->zones, zones, zone[0] ? zone : zones[0], db_int(q, 3),
	    db_int(q, 4), db_int(q, 5));
}

static void
list(struct turn *t, int64_t from)
{
	struct rows *q = db_query(t->db, &upcoming, V(t->now, from, A_PAGE + 1));
	struct card *card = words(t, "events.title", NULL);
	int n = 0;

	for (; n < A_PAGE && db_next(q); n++) {
		const char *title = db_text(q, 1);

		card_text(card, "\n\n", 0);
		card_text(card, title, SPAN_BOLD | SPAN_NAME);
		card_text(card, "\n", 0);
		card_text(card, when(t, q), 0);
		choose_text(t, card, text_isolate(t->arena, arena_copy(t->arena, title, text_cut(title, 40))),
		    "events.card", arena_print(t->arena, "%lld", (long long)db_int(q, 0)));
	}
	if (!n) {
		say(t, words(t, from ? "events.no_more" : "events.none", NULL));
		return;
	}
	if (db_next(q))
		choose(t, card, "engine.more", "events.list",
		    arena_print(t->arena, "%lld", (long long)(from + n)));
	db_done(q);
	say(t, card);
}

static void
events(struct turn *t)
{
	list(t, 0);
}

static void
more(struct turn *t)
{
	list(t, strtoll(t->value, NULL, 10));
}

static void
card_of(struct turn *t)
{
	struct rows *q = db_query(t->db, &one, V(strtoll(t->value, NULL, 10)));
	struct card *card;
	const char *org, *text;
	const struct partner *p;

	if (!db_next(q)) {
		card = words(t, "events.gone", NULL);
		choose_command(t, card, "events");
		say(t, card);
		return;
	}
	card = card_new(t->arena);
	if (!strcmp(t->language, "ar") || !strcmp(t->language, "he"))
		card->flags |= CARD_RTL;
	card_text(card, db_text(q, 1), SPAN_BOLD | SPAN_NAME);
	if (db_int(q, 6))
		card_line(card, words(t, "events.cancelled", NULL));
	card_text(card, "\n", 0);
	card_text(card, when(t, q), 0);
	if (db_text(q, 8))
		card_line(card, words(t, "events.place", "place", db_text(q, 8), NULL));
	org = conf_text(t->conf, "calendar", db_text(q, 10), "org");
	p = org ? partners_find(t->partners, org) : NULL;
	if (p)
		card_line(card, words(t, "events.org", "org", partner_words(&p->name, t->language, NULL), NULL));
	text = db_text(q, 7);
	if (text) {
		card_text(card, "\n\n", 0);
		card_name(card, arena_copy(t->arena, text, text_cut(text, TEXT_MOST)));
	}
	if (db_int(q, 11))
		card_paragraph(card, words(t, "events.once_only", NULL));
	if (db_text(q, 9)) {
		card_text(card, "\n", 0);
		card_link(card, db_text(q, 9), db_text(q, 9));
	}
	db_done(q);
	choose(t, card, "share.picture", "share.picture", t->value);
	choose(t, card, "share.file", "share.file", t->value);
	choose(t, card, "events.all", "events.list", "0");
	say(t, card);
}

/* ?start=e_NUMBER, from the code on a shared picture */
static void
linked(struct turn *t)
{
	if (!t->person->language[0])
		people_set_language(t, t->person->id, t->language);
	card_of(t);
}

/* ---- calendars ---- */

static void
take(struct turn *t, const char *calendar, const struct instance *i)
{
	char wall[CIVIL_TEXT];

	db_run(t->db, &put,
	    V(calendar, i->uid, i->recurrence, i->summary && *i->summary ? i->summary : "—",
		i->description && *i->description ? i->description : NULL,
		i->location && *i->location ? i->location : NULL, i->url && *i->url ? i->url : NULL, i->zone,
		(const char *)civil_write(&i->start, wall), i->start_s,
		i->end_s > i->start_s ? i->end_s : i->start_s + 1, i->all_day, i->cancelled, i->once_only,
		i->sequence, t->now));
}

/* What is ahead; of a calendar that repeats beyond reason only the nearer part. */
static size_t
ahead(struct turn *t, struct calendar *calendar, struct instance **instances)
{
	size_t n = 0;

	for (int days = AHEAD_DAYS; days > 1; days /= 4) {
		n = calendar_between(
		    calendar, t->now - DAY, t->now + (int64_t)days * DAY, instances);
		if (n <= INSTANCES_MOST)
			return n;
	}
	return INSTANCES_MOST;
}

static void
calendar_came(struct turn *t, const struct page *page)
{
	const char *zone = conf_list(t->conf, "bot", NULL, "time_zones")[0];
	struct calendar *calendar = calendar_parse(t->arena, page->bytes, page->length, t->zones, zone);
	struct instance *instances;
	size_t n;

	if (!calendar) {
		page_broken(t, page, "expected an iCalendar");
		return;
	}
	n = ahead(t, calendar, &instances);
	for (size_t i = 0; i < n; i++)
		take(t, page->key, &instances[i]);
	/* What is no longer in the calendar is no longer shown. */
	db_run(t->db, &gone, V(page->key, t->now, t->now));
}

/* The window moves on although the calendar stays the same: it is read as if it were new. */
static void
read_again(struct turn *t)
{
	const char *name;

	for (int i = 0; (name = conf_name(t->conf, "calendar", i)); i++)
		page_refresh(t, "calendar", name);
}

static void
forget_old(struct turn *t)
{
	db_run(t->db, &old, V(t->now - DAY * conf_number(t->conf, "retention", NULL, "event")));
}

/* Local wall time is what was promised: when the rules of a zone change, the instant does. */
static void
recompute(struct turn *t)
{
	struct rows *q = db_query(t->db, &zoned, V(t->now));

	while (db_next(q)) {
		const struct zone *zone = zone_find(t->zones, db_text(q, 1));
		struct civil wall;
		int64_t start, length = db_int(q, 4) - db_int(q, 3);

		if (!zone || !civil_read(db_text(q, 2), &wall))
			continue;
		start = zone_instant(zone, &wall);
		if (start != db_int(q, 3))
			db_run(t->db, &moved, V(start, start + length, db_int(q, 0)));
	}
}

static void
happened(struct turn *t, enum happening what)
{
	const char *name;

	if (what == HAPPENED_ZONES || what == HAPPENED_START)
		recompute(t);
	if (what != HAPPENED_START && what != HAPPENED_RELOAD)
		return;
	for (int i = 0; (name = conf_name(t->conf, "calendar", i)); i++)
		page_want(t, "calendar", name, conf_text(t->conf, "calendar", name, "url"),
		    60 * conf_number(t->conf, "calendar", name, "every_minutes"));
}

static const struct conf_key settings[] = {
    {.section = "calendar", .key = "url", .kind = CONF_ADDRESS, .least = 1, .named = true, .required = true},
    {.section = "calendar", .key = "org", .kind = CONF_TEXT, .named = true},
    {.section = "calendar",
	.key = "every_minutes",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 100000,
	.otherwise = "30",
	.named = true},
    {0},
};
static const struct command commands[] = {
    {.name = "events", .run = events, .public_place = true},
    {0},
};
static const struct action actions[] = {
    {"events.card", ANYONE, card_of},
    {"events.list", ANYONE, more},
    {0},
};
static const struct page_kind pages[] = {
    {"calendar", calendar_came},
    {0},
};
static const struct job jobs[] = {
    {.name = "events.prune", .every_s = DAY, .run = forget_old},
    {.name = "events.window", .every_s = 7 * DAY, .run = read_again},
    {0},
};

const struct feature feature_events = {
    .name = "events",
    .schema = &schema,
    .statements = statements,
    .settings = settings,
    .commands = commands,
    .actions = actions,
    .jobs = jobs,
    .pages = pages,
    .happened = happened,
    .link = "e",
    .linked = linked,
};
