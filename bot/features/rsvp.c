/* Who comes: yes, maybe, no on the card, a waiting list when it is full, /myevents. Whoever does
 * not come has no row. */
#include "occasion.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/text.h"
#include "base/zone.h"
#include "core/audience.h"
#include "core/people.h"

static const char *const steps[] = {
    "CREATE TABLE rsvp(event INTEGER NOT NULL REFERENCES event(id) ON DELETE CASCADE,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE, answer INTEGER NOT NULL,"
    " line INTEGER NOT NULL DEFAULT 0, until INTEGER NOT NULL DEFAULT 0,"
    " delivery INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(event, person)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX rsvp_person ON rsvp(person);"
    "CREATE INDEX rsvp_answer ON rsvp(event, answer, line);",
    NULL,
};
#define RETENTION "[retention] attendance days after its end"
static const struct column columns[] = {
    {"rsvp.event", "which event", RETENTION, WITH_PERSON},
    {"rsvp.person", "who answered", RETENTION, WITH_PERSON},
    {"rsvp.answer", "maybe, waiting, offered or yes", RETENTION, WITH_PERSON},
    {"rsvp.line", "the order of those who wait", RETENTION, WITH_PERSON, true},
    {"rsvp.until", "when an offered place goes on", RETENTION, WITH_PERSON},
    {"rsvp.delivery", "the offer's message, to change it then", RETENTION, WITH_PERSON, true},
    {0},
};
static const struct schema schema = {"rsvp", steps, columns};

static struct sql answer_of = {"SELECT answer FROM rsvp WHERE event = ? AND person = ?"};
static struct sql until_of = {"SELECT until FROM rsvp WHERE event = ? AND person = ?"};
/* Behind the last of the line, and with no offer. */
static struct sql put = {
    "INSERT INTO rsvp(event, person, answer, line) SELECT ?1, ?2, ?3, coalesce(max(line), 0) + 1"
    " FROM rsvp WHERE event = ?1 ON CONFLICT(event, person) DO UPDATE SET answer = ?3,"
    " line = excluded.line, until = 0, delivery = 0"};
static struct sql drop = {"DELETE FROM rsvp WHERE event = ? AND person = ?"};
static struct sql count = {"SELECT count(*) FROM rsvp WHERE event = ? AND answer = ?"};
static struct sql seated = {"SELECT count(*) FROM rsvp WHERE event = ? AND answer IN (3, 4)"};
static struct sql of_answer = {
    "SELECT person FROM rsvp WHERE event = ? AND answer = ? ORDER BY line"};
static struct sql offer = {
    "UPDATE rsvp SET answer = 3, until = ?, delivery = ? WHERE event = ? AND person = ?"};
static struct sql first_end = {"SELECT min(until) FROM rsvp WHERE event = ? AND answer = 3"};
static struct sql ended = {"SELECT person, delivery FROM rsvp WHERE event = ? AND answer = 3 AND "
			   "until <= ? ORDER BY line"};
static struct sql mine = {
    "SELECT r.event FROM rsvp r JOIN event e ON e.id = r.event WHERE r.person = ?"
    " AND e.finish > ? ORDER BY e.start, e.id LIMIT 20"};
static struct sql all_mine = {"SELECT event, answer FROM rsvp WHERE person = ?"};
static struct sql move = {"UPDATE OR IGNORE rsvp SET person = ? WHERE event = ? AND person = ?"};
static struct sql old = {"SELECT DISTINCT r.event FROM rsvp r JOIN event e ON e.id = r.event"
			 " WHERE e.finish < ?"};
static struct sql forget = {"DELETE FROM rsvp WHERE event = ?"};
static struct sql *const statements[] = {&answer_of, &until_of, &put, &drop, &count, &seated,
    &of_answer, &offer, &first_end, &ended, &mine, &all_mine, &move, &old, &forget, NULL};

enum { FAR_S = 12 * 3600, NEAR_S = 2 * 3600, LEAST_S = 1800 };

enum rsvp
rsvp_of(struct turn *t, int64_t event, int64_t person)
{
	return (enum rsvp)db_number(t->db, &answer_of, V(event, person), RSVP_NONE);
}

int64_t
rsvp_count(struct turn *t, int64_t event, enum rsvp answer)
{
	return db_number(t->db, &count, V(event, (int)answer), 0);
}

void
rsvp_each(struct turn *t, int64_t event, enum rsvp answer,
    void (*each)(struct turn *t, int64_t person, void *ctx), void *ctx)
{
	struct rows *q = db_query(t->db, &of_answer, V(event, (int)answer));

	while (db_next(q))
		each(t, db_int(q, 0), ctx);
}

static bool
is_full(struct turn *t, const struct occasion *o)
{
	return o->capacity && db_number(t->db, &seated, V(o->id), 0) >= o->capacity;
}

static const char *
event_tag(struct turn *t, int64_t event)
{
	return arena_print(t->arena, "event.%lld", (long long)event);
}

/* What follows from not being one of those who come any more. */
static void
left(struct turn *t, int64_t event, int64_t person)
{
	audience_tag(t, person, event_tag(t, event), false);
	place_left(t, event, person);
}

static void
set(struct turn *t, const struct occasion *o, int64_t person, enum rsvp answer)
{
	enum rsvp was = rsvp_of(t, o->id, person);

	if (was == answer)
		return;
	if (answer == RSVP_NONE)
		db_run(t->db, &drop, V(o->id, person));
	else
		db_run(t->db, &put, V(o->id, person, (int)answer));
	if (was == RSVP_YES)
		left(t, o->id, person);
	if (answer == RSVP_YES) {
		audience_tag(t, person, event_tag(t, o->id), true);
		place_confirmed(t, o, person);
	}
	if (was == RSVP_YES || was == RSVP_OFFERED)
		rsvp_offer(t, o->id);
	remind_plan(t, o);
}

/* ---- the waiting list ---- */

static const char *
moment(struct turn *t, const char *language, const struct occasion *o, int64_t at)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");

	return clock_when(
	    t->arena, language, t->zones, zones, o->zone[0] ? o->zone : zones[0], at, 0, false);
}

/* Nobody is made one of those who come without a word of their own: a free place is offered, for a
 * shorter time in the last day. False: they cannot be asked now, the next in line is. */
static bool
offer_to(struct turn *t, const struct occasion *o, int64_t person, int64_t until)
{
	const char *language = language_of(t, person);
	struct card *card =
	    words_in(t, language, "rsvp.offer", "title", occasion_title(t, language, o), "when",
		occasion_when(t, language, o), "until", moment(t, language, o, until), NULL);
	char *key = occasion_key(t, o->id);
	int64_t delivery;

	card_choice(card, words_flat_in(t, language, "rsvp.take", NULL), "rsvp.yes", key);
	card_choice(card, words_flat_in(t, language, "rsvp.leave", NULL), "rsvp.no", key);
	card_same_row(card);
	delivery = tell(t, person, CLASS_REMINDER, until, card);
	if (!delivery)
		return false;
	db_run(t->db, &offer, V(until, delivery, o->id, person));
	return true;
}

static void
order_end(struct turn *t, int64_t event)
{
	int64_t end = db_number(t->db, &first_end, V(event), 0);

	if (end)
		job_at(t, "rsvp.offer", occasion_key(t, event), end, "");
	else
		job_cancel(t, "rsvp.offer", occasion_key(t, event));
}

/* Until when a place that came free now is theirs; 0: it is too late to ask anybody. */
static int64_t
offer_until(struct turn *t, const struct occasion *o)
{
	int64_t from = after_quiet_hours(t, PERSON_NOBODY, t->now);
	int64_t until = from + (o->start - from > OCCASION_DAY ? FAR_S : NEAR_S);
	int64_t awake = after_quiet_hours(t, PERSON_NOBODY, until - NEAR_S);

	/* Never a night alone: some hours of the day are among them. */
	if (awake > until - NEAR_S)
		until = awake + NEAR_S;
	if (until > o->start - LEAST_S)
		until = o->start - LEAST_S;
	return until >= from + LEAST_S ? until : 0;
}

void
rsvp_offer(struct turn *t, int64_t event)
{
	struct occasion o;
	int64_t free_places, until;
	struct rows *q;

	if (!occasion_get(t, event, &o) || o.cancelled || !(until = offer_until(t, &o))) {
		order_end(t, event);
		return;
	}
	free_places = o.capacity ? o.capacity - db_number(t->db, &seated, V(event), 0) : INT32_MAX;
	q = free_places > 0 ? db_query(t->db, &of_answer, V(event, (int)RSVP_WAITING)) : NULL;
	while (q && free_places > 0 && db_next(q))
		free_places -= offer_to(t, &o, db_int(q, 0), until);
	if (q && free_places <= 0)
		db_done(q);
	order_end(t, event);
}

/* Their time is over: the place goes to the next, and their message says so. */
static void
offers_end(struct turn *t)
{
	int64_t event = strtoll(t->key, NULL, 10);
	struct rows *q = db_query(t->db, &ended, V(event, t->now));
	struct occasion o;

	if (!occasion_get(t, event, &o) || o.cancelled) {
		db_done(q);
		return;
	}

	while (db_next(q)) {
		int64_t person = db_int(q, 0), delivery = db_int(q, 1);
		struct card *card = words_in(t, language_of(t, person), "rsvp.passed", NULL);

		card_choice(card, words_flat_in(t, language_of(t, person), "rsvp.see", NULL),
		    "events.card", occasion_key(t, event));
		edit_delivery(t, delivery, card);
		db_run(t->db, &drop, V(event, person));
	}
	rsvp_offer(t, event);
}

/* ---- on the card ---- */

static void
answer_button(struct turn *t, struct card *card, const char *key, const char *action,
    const struct occasion *o, bool on)
{
	const char *label = words_flat(t, key, NULL);

	choose_text(t, card, on ? arena_print(t->arena, "✓ %s", label) : label, action,
	    occasion_key(t, o->id));
}

static void
add_answer(struct turn *t, struct card *card, const struct occasion *o, enum rsvp answer)
{
	static const char *const keys[] = {
	    "rsvp.you_none", "rsvp.you_maybe", "rsvp.you_waiting", NULL, "rsvp.you_yes"};

	if (answer == RSVP_OFFERED)
		card_paragraph(
		    card, words(t, "rsvp.you_offered", "until",
			      moment(t, t->language, o,
				  db_number(t->db, &until_of, V(o->id, t->person->id), 0)),
			      NULL));
	else if (answer != RSVP_NONE)
		card_paragraph(card, words(t, keys[answer], NULL));
	else if (is_full(t, o))
		card_paragraph(card, words(t, "rsvp.full", NULL));
}

void
rsvp_add(struct turn *t, struct card *card, const struct occasion *o)
{
	enum rsvp answer = rsvp_of(t, o->id, t->person->id);
	const char *yes = "rsvp.yes";

	if (o->finish <= t->now || o->cancelled)
		return;
	add_answer(t, card, o, answer);
	if (answer == RSVP_OFFERED)
		yes = "rsvp.take";
	else if (answer != RSVP_YES && is_full(t, o))
		yes = "rsvp.wait";
	answer_button(t, card, yes, "rsvp.yes", o, answer == RSVP_YES || answer == RSVP_WAITING);
	answer_button(t, card, "rsvp.maybe", "rsvp.maybe", o, answer == RSVP_MAYBE);
	card_same_row(card);
	answer_button(t, card, "rsvp.no", "rsvp.no", o, false);
	card_same_row(card);
	place_choose(t, card, t->language, o, t->person->id);
}

/* The event of the button, when t->person may still answer. */
static bool
open_one(struct turn *t, struct occasion *o)
{
	if (occasion_get(t, strtoll(t->value, NULL, 10), o) &&
	    occasion_visible(o, t->person->access)) {
		if (o->finish > t->now && !o->cancelled)
			return true;
		edit(t, events_card(t, o));
		return false;
	}
	occasion_gone(t);
	return false;
}

static void
yes(struct turn *t)
{
	struct occasion o;
	enum rsvp was;

	if (!open_one(t, &o))
		return;
	was = rsvp_of(t, o.id, t->person->id);
	if (was == RSVP_OFFERED)
		set(t, &o, t->person->id, RSVP_YES);
	else if (was != RSVP_YES && was != RSVP_WAITING)
		set(t, &o, t->person->id, is_full(t, &o) ? RSVP_WAITING : RSVP_YES);
	order_end(t, o.id);
	edit(t, events_card(t, &o));
}

static void
maybe(struct turn *t)
{
	struct occasion o;

	if (!open_one(t, &o))
		return;
	set(t, &o, t->person->id, RSVP_MAYBE);
	edit(t, events_card(t, &o));
}

static void
no(struct turn *t)
{
	struct occasion o;
	struct card *card;

	if (!open_one(t, &o))
		return;
	set(t, &o, t->person->id, RSVP_NONE);
	card = events_card(t, &o);
	card_paragraph(card, words(t, "rsvp.you_none", NULL));
	edit(t, card);
}

/* ---- /myevents ---- */

static void
mine_line(struct turn *t, struct card *card, const struct occasion *o)
{
	static const char *const keys[] = {
	    "rsvp.no", "rsvp.maybe", "rsvp.wait", "rsvp.take", "rsvp.yes"};
	const char *title = occasion_title(t, t->language, o);

	card_text(card, "\n\n", 0);
	card_text(card, title, SPAN_BOLD | SPAN_NAME);
	if (o->cancelled)
		card_line(card, words(t, "events.cancelled", NULL));
	card_text(card, "\n", 0);
	card_text(card, occasion_when(t, t->language, o), 0);
	card_line(card, words(t, keys[rsvp_of(t, o->id, t->person->id)], NULL));
	choose_text(t, card,
	    text_isolate(t->arena, arena_copy(t->arena, title, text_cut(title, 40))), "events.card",
	    occasion_key(t, o->id));
}

static void
myevents(struct turn *t)
{
	struct rows *q = db_query(t->db, &mine, V(t->person->id, t->now));
	struct card *card = words(t, "rsvp.mine", NULL);
	struct occasion o;
	int n = 0;

	for (; db_next(q); n++)
		if (occasion_get(t, db_int(q, 0), &o))
			mine_line(t, card, &o);
	if (!n)
		card = words(t, "rsvp.mine_none", NULL);
	choose(t, card, "remind.settings", "remind.settings", "");
	choose_command(t, card, "events");
	say_private(t, card);
}

/* ---- leaving ---- */

/* Erased, or no member any more: nothing of theirs is held, and their places are offered. */
static void
withdraw(struct turn *t, int64_t person)
{
	struct rows *q = db_query(t->db, &all_mine, V(person));

	while (db_next(q)) {
		int64_t event = db_int(q, 0);
		enum rsvp was = (enum rsvp)db_int(q, 1);

		db_run(t->db, &drop, V(event, person));
		if (was == RSVP_YES)
			left(t, event, person);
		if (was == RSVP_YES || was == RSVP_OFFERED)
			rsvp_offer(t, event);
	}
}

void
rsvp_move(struct turn *t, int64_t from, int64_t to)
{
	struct rows *q = db_query(t->db, &all_mine, V(from));

	while (db_next(q)) {
		int64_t event = db_int(q, 0);

		if (!db_run(t->db, &move, V(to, event, from)) || db_int(q, 1) != RSVP_YES)
			continue;
		audience_tag(t, from, event_tag(t, event), false);
		audience_tag(t, to, event_tag(t, event), true);
	}
	place_move(t, from, to);
}

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_LEAVING ||
	    (what == HAPPENED_ROLES && !(people_access(t, t->subject) & MEMBERS)))
		withdraw(t, t->subject);
}

static void
forget_old(struct turn *t)
{
	struct rows *q = db_query(t->db, &old,
	    V(t->now - OCCASION_DAY * conf_number(t->conf, "retention", NULL, "attendance")));

	while (db_next(q)) {
		audience_forget(t, event_tag(t, db_int(q, 0)));
		db_run(t->db, &forget, V(db_int(q, 0)));
	}
}

static const struct conf_key settings[] = {
    {.section = "retention",
	.key = "attendance",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "14"},
    {0},
};
static const struct command commands[] = {
    {.name = "myevents", .access = MEMBERS, .run = myevents, .hidden = true},
    {0},
};
static const struct action actions[] = {
    {"rsvp.yes", MEMBERS, yes},
    {"rsvp.maybe", MEMBERS, maybe},
    {"rsvp.no", MEMBERS, no},
    {0},
};
static const struct job jobs[] = {
    {.name = "rsvp.offer", .run = offers_end},
    {.name = "rsvp.prune", .every_s = OCCASION_DAY, .run = forget_old},
    {0},
};

const struct feature feature_rsvp = {
    .name = "rsvp",
    .schema = &schema,
    .statements = statements,
    .settings = settings,
    .commands = commands,
    .actions = actions,
    .jobs = jobs,
    .happened = happened,
};
