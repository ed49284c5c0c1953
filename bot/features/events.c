/* /events: what is coming, from any number of calendars and from coordinators. A card has both
 * clocks when they differ. */
#include "occasion.h"
#include "shelf.h"
#include "stories.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/conf.h"
#include "base/text.h"
#include "base/zone.h"
#include "core/people.h"

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
    {"event.calendar", "which calendar it came from, none when written here", RETENTION,
	NOT_PERSONAL},
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
    "SELECT e.id FROM event e LEFT JOIN hosted h ON h.event = e.id WHERE e.finish > ?1"
    " AND e.cancelled = 0 AND (coalesce(h.audience, 0) = 0 OR (h.audience & ?4) <> 0)"
    " ORDER BY e.start, e.id LIMIT ?3 OFFSET ?2"};
static struct sql put = {
    "INSERT INTO event(calendar, uid, recurrence, title, text, place, url, zone, wall, start, finish,"
    " all_day, cancelled, once_only, sequence, seen) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(calendar, uid, recurrence) DO UPDATE SET title = excluded.title,"
    " text = excluded.text, place = excluded.place, url = excluded.url, zone = excluded.zone,"
    " wall = excluded.wall, start = excluded.start, finish = excluded.finish,"
    " all_day = excluded.all_day, cancelled = excluded.cancelled, once_only = excluded.once_only,"
    " sequence = excluded.sequence, seen = excluded.seen"};
#define ATTENDED " EXISTS (SELECT 1 FROM rsvp r WHERE r.event = event.id)"
static struct sql attended = {
    "SELECT id FROM event WHERE calendar = ? AND uid = ? AND recurrence = ? AND" ATTENDED};
static struct sql rename_it = {
    "UPDATE event SET uid = uid || '#' || id, cancelled = 1, sequence = sequence + 1 WHERE id = ?"};
static struct sql lost = {"SELECT id FROM event WHERE calendar = ? AND seen < ? AND finish > ?"
			  " AND cancelled = 0 AND" ATTENDED};
static struct sql call_off = {
    "UPDATE event SET cancelled = 1, sequence = sequence + 1 WHERE id = ?"};
static struct sql gone = {
    "DELETE FROM event WHERE calendar = ? AND seen < ? AND finish > ? AND NOT" ATTENDED};
static struct sql old = {"DELETE FROM event WHERE finish < ?"};
static struct sql zoned = {
    "SELECT id, zone, wall, start, finish FROM event WHERE all_day = 0 AND zone <> ''"
    " AND start > ?"};
static struct sql moved = {"UPDATE event SET start = ?, finish = ?,"
			   " sequence = sequence + (calendar = '') WHERE id = ?"};
static struct sql *const statements[] = {
    &upcoming, &put, &attended, &rename_it, &lost, &call_off, &gone, &old, &zoned, &moved, NULL};

enum { A_PAGE = 5, DAY = 86400, AHEAD_DAYS = 400, INSTANCES_MOST = 20000 };

static void
add_line(struct turn *t, struct card *card, const struct occasion *o)
{
	const char *title = occasion_title(t, t->language, o);

	card_text(card, "\n\n", 0);
	card_text(card, title, SPAN_BOLD | SPAN_NAME);
	card_text(card, "\n", 0);
	card_text(card, occasion_when(t, t->language, o), 0);
	choose_text(t, card,
	    text_isolate(t->arena, arena_copy(t->arena, title, text_cut(title, 40))), "events.card",
	    occasion_key(t, o->id));
}

static void
list(struct turn *t, int64_t from)
{
	struct rows *q =
	    db_query(t->db, &upcoming, V(t->now, from, A_PAGE + 1, (int64_t)occasion_access(t)));
	struct card *card = words(t, "events.title", NULL);
	struct occasion o;
	int n = 0;

	for (; n < A_PAGE && db_next(q); n++)
		if (occasion_get(t, db_int(q, 0), &o))
			add_line(t, card, &o);
	if (n && db_next(q))
		choose(t, card, "engine.more", "events.list",
		    arena_print(t->arena, "%lld", (long long)(from + n)));
	db_done(q);
	if (!n)
		card = words(t, from ? "events.no_more" : "events.none", NULL);
	if (occasion_access(t) & MEMBERS)
		choose_command(t, card, "myevents");
	if (occasion_access(t) & (COORDINATORS | ADMINS)) {
		choose_command(t, card, "newevent");
		card_same_row(card);
	}
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

struct card *
events_card(struct turn *t, const struct occasion *o)
{
	struct card *card = occasion_card(t, t->language, o);
	char *key = occasion_key(t, o->id);

	if (occasion_access(t) & MEMBERS)
		rsvp_add(t, card, o);
	choose(t, card, "share.picture", "share.picture", key);
	choose(t, card, "share.file", "share.file", key);
	stories_choose(t, card, o->id);
	forum_choose(t, card, o);
	if (!t->group && occasion_may(t, o))
		choose(t, card, "door.panel", "door.panel", key);
	choose(t, card, "events.all", "events.list", "0");
	return card;
}

static void
card_of(struct turn *t)
{
	struct occasion o;

	if (occasion_get(t, strtoll(t->value, NULL, 10), &o) &&
	    occasion_visible(&o, occasion_access(t)))
		say(t, events_card(t, &o));
	else
		occasion_gone(t);
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
put_row(struct turn *t, const char *calendar, const struct instance *i)
{
	char wall[CIVIL_TEXT];

	db_run(t->db, &put,
	    V(calendar, i->uid, i->recurrence, i->summary && *i->summary ? i->summary : "—",
		i->description && *i->description ? i->description : NULL,
		i->location && *i->location ? i->location : NULL, i->url && *i->url ? i->url : NULL,
		i->zone, (const char *)civil_write(&i->start, wall), i->start_s,
		i->end_s > i->start_s ? i->end_s : i->start_s + 1, i->all_day, i->cancelled,
		i->once_only, i->sequence, t->now));
}

/* A name that now stands for another event altogether: another title, another day, and nothing that
 * says it is a change. A yes to the one is no yes to the other. */
static bool
is_another(const struct occasion *was, const struct instance *i)
{
	int64_t by = i->start_s > was->start ? i->start_s - was->start : was->start - i->start_s;

	return strcmp(was->title, i->summary) && by >= DAY && i->sequence <= was->sequence;
}

static void
take(struct turn *t, const char *calendar, const struct instance *i)
{
	struct occasion was, now;
	int64_t id = db_number(t->db, &attended, V(calendar, i->uid, i->recurrence), 0);

	if (!id || !occasion_get(t, id, &was)) {
		put_row(t, calendar, i);
		return;
	}
	if (is_another(&was, i))
		db_run(t->db, &rename_it, V(id));
	put_row(t, calendar, i);
	if (occasion_get(t, id, &now))
		remind_changed(t, &was, &now);
}

/* Who wanted to come hears that it left its calendar; the row stays until its retention. */
static void
leave(struct turn *t, const char *calendar)
{
	struct rows *q = db_query(t->db, &lost, V(calendar, t->now, t->now));
	struct occasion was, now;

	while (db_next(q)) {
		int64_t id = db_int(q, 0);

		if (!occasion_get(t, id, &was))
			continue;
		db_run(t->db, &call_off, V(id));
		if (occasion_get(t, id, &now))
			remind_changed(t, &was, &now);
	}
	db_run(t->db, &gone, V(calendar, t->now, t->now));
}

/* What is ahead; of a calendar that repeats beyond reason only the nearer part. */
static size_t
ahead(struct turn *t, struct calendar *calendar, struct instance **instances)
{
	size_t n = 0;

	for (int days = AHEAD_DAYS; days > 0; days /= 4) {
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
	struct calendar *calendar =
	    calendar_parse(t->arena, page->bytes, page->length, t->zones, zone);
	struct instance *instances;
	size_t n;

	if (!calendar) {
		page_broken(t, page, "expected an iCalendar");
		return;
	}
	n = ahead(t, calendar, &instances);
	/* An export that failed looks like this: better an old date than everybody told it is off. */
	if (!n && db_exists(t->db, &lost, V(page->key, t->now, t->now))) {
		page_broken(t, page, "expected the events people said yes to, found none");
		return;
	}
	for (size_t i = 0; i < n; i++)
		take(t, page->key, &instances[i]);
	leave(t, page->key);
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
		struct occasion was, now;

		if (!zone || !civil_read(db_text(q, 2), &wall))
			continue;
		start = zone_instant(zone, &wall);
		if (start == db_int(q, 3) || !occasion_get(t, db_int(q, 0), &was))
			continue;
		db_run(t->db, &moved, V(start, start + length, was.id));
		if (occasion_get(t, was.id, &now))
			remind_changed(t, &was, &now);
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
    {.section = "calendar",
	.key = "url",
	.kind = CONF_ADDRESS,
	.least = 1,
	.named = true,
	.required = true},
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
