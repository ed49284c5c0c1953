/* Reminders a week, a day and two hours before, each switchable and once; and a word at once when
 * an event changes. Week and day are counted on the clock of the place: a change of clocks between
 * does not move them. */
#include "occasion.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/conf.h"
#include "base/zone.h"

static const char *const steps[] = {
    "CREATE TABLE remind_done(event INTEGER NOT NULL REFERENCES event(id) ON DELETE CASCADE,"
    " kind INTEGER NOT NULL, start INTEGER NOT NULL, PRIMARY KEY(event, kind)) STRICT,"
    " WITHOUT ROWID;"
    "CREATE TABLE remind_off(person INTEGER PRIMARY KEY REFERENCES person(id) ON DELETE CASCADE,"
    " kinds INTEGER NOT NULL) STRICT;",
    NULL,
};
#define RETENTION "[retention] event days after its end"
static const struct column columns[] = {
    {"remind_done.event", "which event", RETENTION, NOT_PERSONAL},
    {"remind_done.kind", "which reminder went out", RETENTION, NOT_PERSONAL},
    {"remind_done.start", "for which hour of the event", RETENTION, NOT_PERSONAL},
    {"remind_off.person", "who switched reminders off", "membership", WITH_PERSON},
    {"remind_off.kinds", "which of them", "membership", WITH_PERSON},
    {0},
};
static const struct schema schema = {"remind", steps, columns};

static struct sql done_for = {"SELECT start FROM remind_done WHERE event = ? AND kind = ?"};
static struct sql set_done = {
    "INSERT OR REPLACE INTO remind_done(event, kind, start) VALUES(?, ?, ?)"};
static struct sql off = {"SELECT kinds FROM remind_off WHERE person = ?"};
static struct sql set_off = {"INSERT OR REPLACE INTO remind_off(person, kinds) VALUES(?, ?)"};
static struct sql ahead = {"SELECT e.id FROM event e WHERE e.finish > ? AND e.cancelled = 0"
			   " AND EXISTS (SELECT 1 FROM rsvp r WHERE r.event = e.id)"};
static struct sql *const statements[] = {&done_for, &set_done, &off, &set_off, &ahead, NULL};

enum kind { WEEK, DAY_BEFORE, SOON, REMINDERS, GIVE = REMINDERS, TAKE, AFTER, KINDS };
enum { HOUR = 3600, SOON_S = 2 * HOUR, LEAST_S = 1800, STEP_S = 900 };

/* How long before, and how late it still makes sense. */
static const struct {
	int64_t lead_s, late_s;
	const char *key, *label;
} reminders[REMINDERS] = {
    [WEEK] = {7 * OCCASION_DAY, 2 * OCCASION_DAY, "remind.week", "remind.off_week"},
    [DAY_BEFORE] = {OCCASION_DAY, OCCASION_DAY / 2, "remind.day", "remind.off_day"},
    [SOON] = {SOON_S, SOON_S - LEAST_S, "remind.soon", "remind.off_soon"},
};

/* ---- when ---- */

/* So many days before on the wall of the place; an hour that its clock skips is the one after. */
static int64_t
days_before(struct turn *t, const struct occasion *o, int days)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	const struct zone *zone = zone_find(t->zones, o->zone[0] ? o->zone : zones[0]);
	struct civil wall;
	struct zone_utc utc;
	struct zone_change change;

	if (!zone)
		return o->start - days * OCCASION_DAY;
	wall = zone_to_local(zone, o->start).civil;
	wall = civil_from(civil_seconds(&wall) - days * OCCASION_DAY);
	utc = zone_to_utc(zone, &wall);
	if (utc.reading == ZONE_GAP && zone_next(zone, utc.utc[0] - OCCASION_DAY, &change))
		return change.utc;
	return utc.utc[0];
}

/* Outside quiet hours: later, or, where later is no use, before they begin. */
static int64_t
awake(struct turn *t, int64_t due, int64_t latest)
{
	int64_t later = after_quiet_hours(t, PERSON_NOBODY, due);

	if (later <= latest)
		return later;
	for (int64_t at = due; at > due - OCCASION_DAY; at -= STEP_S)
		if (after_quiet_hours(t, PERSON_NOBODY, at) == at)
			return at;
	return later;
}

static int64_t
due_of(struct turn *t, const struct occasion *o, enum kind kind)
{
	int64_t latest = o->start - LEAST_S, due;

	switch (kind) {
	case WEEK:
		return awake(t, days_before(t, o, 7), latest);
	case DAY_BEFORE:
		return awake(t, days_before(t, o, 1), latest);
	case SOON:
		return awake(t, o->start - SOON_S, latest);
	case GIVE:
		due = place_from(t, o);
		return after_quiet_hours(t, PERSON_NOBODY, due > t->now ? due : t->now);
	case TAKE:
		return place_until(o);
	case AFTER:
	case KINDS:
		break;
	}
	return after_quiet_hours(t, PERSON_NOBODY, o->finish + HOUR);
}

/* Once; again only when the event moved away by more than what was said before it. */
static bool
is_done(struct turn *t, const struct occasion *o, enum kind kind)
{
	int64_t for_start = db_number(t->db, &done_for, V(o->id, (int)kind), 0);

	if (kind >= REMINDERS)
		return for_start != 0;
	return for_start && o->start - for_start < reminders[kind].lead_s;
}

static bool
is_wanted(struct turn *t, const struct occasion *o, enum kind kind, int64_t due)
{
	if (o->cancelled || (kind == SOON && o->all_day))
		return false;
	if (kind == TAKE)
		return o->has_exact || o->has_link;
	if (kind == GIVE)
		return due > t->now && due < o->finish && (o->has_exact || o->has_link);
	return due > t->now && !is_done(t, o, kind);
}

/* What is due already stays ordered, for a late start, unless the event itself is another now. */
static void
plan(struct turn *t, const struct occasion *o, bool changed)
{
	for (int kind = 0; kind < KINDS; kind++) {
		char *key = arena_print(t->arena, "%lld.%d", (long long)o->id, kind);
		int64_t due = due_of(t, o, (enum kind)kind);

		if (is_wanted(t, o, (enum kind)kind, due))
			job_at(t, "remind.due", key, due, "");
		else if (changed)
			job_cancel(t, "remind.due", key);
	}
}

void
remind_plan(struct turn *t, const struct occasion *o)
{
	plan(t, o, false);
}

/* A week before may lie on another side of a change of the clocks than the event. */
static void
plan_all(struct turn *t)
{
	struct rows *q = db_query(t->db, &ahead, V(t->now));
	struct occasion o;

	while (db_next(q))
		if (occasion_get(t, db_int(q, 0), &o))
			plan(t, &o, false);
}

/* ---- reminders ---- */

struct reminder {
	const struct occasion *o;
	enum kind kind;
};

/* The first line names nothing: it shows on a locked screen. */
static void
remind(struct turn *t, int64_t person, void *ctx)
{
	const struct reminder *r = ctx;
	const char *language = language_of(t, person);
	char *key = occasion_key(t, r->o->id);
	struct card *card;

	if (db_number(t->db, &off, V(person), 0) & (1 << r->kind))
		return;
	card = words_in(t, language, reminders[r->kind].key, "title",
	    occasion_title(t, language, r->o), "when", occasion_when(t, language, r->o), NULL);
	if (r->kind == DAY_BEFORE)
		card_choice(
		    card, words_flat_in(t, language, "remind.still", NULL), "rsvp.yes", key);
	card_choice(card, words_flat_in(t, language, "rsvp.no", NULL), "rsvp.no", key);
	if (r->kind == DAY_BEFORE)
		card_same_row(card);
	place_choose(t, card, language, r->o, person);
	card_choice(card, words_flat_in(t, language, "rsvp.see", NULL), "events.card", key);
	tell(t, person, CLASS_REMINDER, r->o->start, card);
}

static void
due_now(struct turn *t)
{
	char *dot;
	int64_t event = strtoll(t->key, &dot, 10);
	enum kind kind = (enum kind)(*dot == '.' ? strtol(dot + 1, NULL, 10) : KINDS);
	struct occasion o;
	struct reminder r = {&o, kind};

	if (!occasion_get(t, event, &o) || o.cancelled || kind >= KINDS)
		return;
	if (kind == GIVE) {
		place_give(t, &o);
		remind_plan(t, &o);
		return;
	}
	if (kind == TAKE) {
		place_take(t, event);
		return;
	}
	if (is_done(t, &o, kind))
		return;
	db_run(t->db, &set_done, V(event, (int)kind, o.start));
	if (kind == AFTER)
		door_after(t, &o);
	else if (t->now <= due_of(t, &o, kind) + reminders[kind].late_s)
		rsvp_each(t, event, RSVP_YES, remind, &r);
}

/* ---- changes ---- */

struct change {
	const struct occasion *was, *now;
	enum class class;
	bool clock; /* the same hour on the same wall, and yet another instant */
};

static bool
same_wall(const struct occasion *a, const struct occasion *b)
{
	return a->wall[0] && !strcmp(a->wall, b->wall) && !strcmp(a->zone, b->zone);
}

static bool
moved(const struct occasion *a, const struct occasion *b)
{
	return a->start != b->start || a->finish != b->finish || strcmp(a->zone, b->zone) != 0;
}

/* A permit takes weeks and a bus leaves: what is needed to come is news as the hour is. */
static bool
other_details(const struct occasion *a, const struct occasion *b)
{
	return strcmp(a->access, b->access) || strcmp(a->languages, b->languages) ||
	       a->interpretation != b->interpretation || a->kind != b->kind ||
	       a->has_link != b->has_link;
}

static bool
other_event(const struct occasion *a, const struct occasion *b)
{
	return moved(a, b) || strcmp(a->place, b->place) || strcmp(a->title, b->title);
}

static void
add_changes(struct turn *t, struct card *card, const char *language, const struct change *c)
{
	const struct occasion *was = c->was, *now = c->now;

	if (c->clock)
		card_paragraph(card, words_in(t, language, "remind.clock", "when",
					 occasion_when(t, language, now), NULL));
	else if (moved(was, now))
		card_paragraph(card,
		    words_in(t, language, "remind.moved", "was", occasion_when(t, language, was),
			"now", occasion_when(t, language, now), NULL));
	if (strcmp(was->place, now->place))
		card_paragraph(card,
		    words_in(t, language, "remind.place", "was", was->place[0] ? was->place : "–",
			"now", now->place[0] ? now->place : "–", NULL));
	if (strcmp(was->title, now->title))
		card_paragraph(
		    card, words_in(t, language, "remind.renamed", "was", was->title, NULL));
	if (other_details(was, now)) {
		card_paragraph(card, words_in(t, language, "remind.details", NULL));
		occasion_details(t, card, language, now);
	}
}

static void
tell_change(struct turn *t, int64_t person, void *ctx)
{
	const struct change *c = ctx;
	const char *language = language_of(t, person), *key = "remind.changed";
	char *value = occasion_key(t, c->now->id);
	int64_t expires = c->now->start > t->now + HOUR ? c->now->start : t->now + OCCASION_DAY;
	struct card *card;

	if (c->now->cancelled)
		key = "remind.called_off";
	else if (c->was->cancelled)
		key = "remind.on_again";
	card = words_in(t, language, key, "title", occasion_title(t, language, c->now), "when",
	    occasion_when(t, language, c->now), NULL);
	if (!c->now->cancelled)
		add_changes(t, card, language, c);
	card_choice(card, words_flat_in(t, language, "rsvp.see", NULL), "events.card", value);
	card_choice(card, words_flat_in(t, language, "share.file", NULL), "share.file", value);
	card_same_row(card);
	tell(t, person, c->class, expires, card);
}

void
remind_changed(struct turn *t, const struct occasion *was, const struct occasion *now)
{
	struct change c = {was, now, CLASS_EVENT_CHANGE, same_wall(was, now) && moved(was, now)};
	bool other = was->cancelled != now->cancelled || (!now->cancelled && other_event(was, now));
	bool said = other || (!now->cancelled && other_details(was, now));

	if (said && (was->finish > t->now || now->finish > t->now)) {
		rsvp_each(t, now->id, RSVP_YES, tell_change, &c);
		rsvp_each(t, now->id, RSVP_OFFERED, tell_change, &c);
		rsvp_each(t, now->id, RSVP_WAITING, tell_change, &c);
		c.class = CLASS_REMINDER;
		rsvp_each(t, now->id, RSVP_MAYBE, tell_change, &c);
	}
	if (other)
		place_changed(t, now);
	plan(t, now, true);
	if (!now->cancelled)
		rsvp_offer(t, now->id);
}

/* ---- switches ---- */

static struct card *
settings_card(struct turn *t)
{
	struct card *card = words(t, "remind.title", NULL);
	int64_t kinds = db_number(t->db, &off, V(t->person->id), 0);

	for (int k = 0; k < REMINDERS; k++) {
		const char *label = words_flat(t, reminders[k].label, NULL);

		choose_text(t, card,
		    kinds & (1 << k) ? label : arena_print(t->arena, "✓ %s", label),
		    "remind.toggle", arena_print(t->arena, "%d", k));
	}
	choose_command(t, card, "myevents");
	return card;
}

static void
settings_show(struct turn *t)
{
	say_private(t, settings_card(t));
}

static void
toggle(struct turn *t)
{
	long k = strtol(t->value, NULL, 10);
	int64_t kinds = db_number(t->db, &off, V(t->person->id), 0);

	if (k >= 0 && k < REMINDERS)
		db_run(t->db, &set_off, V(t->person->id, kinds ^ (1 << k)));
	edit(t, settings_card(t));
}

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_ZONES)
		plan_all(t);
}

static const struct action actions[] = {
    {"remind.settings", MEMBERS, settings_show},
    {"remind.toggle", MEMBERS, toggle},
    {0},
};
static const struct job jobs[] = {
    {.name = "remind.due", .run = due_now},
    {0},
};

const struct feature feature_remind = {
    .name = "remind",
    .schema = &schema,
    .statements = statements,
    .actions = actions,
    .jobs = jobs,
    .happened = happened,
};
