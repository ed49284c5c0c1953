/* Where exactly, and the link: sealed, told only to those who come, only in the hours before, and
 * taken back afterwards. No other file opens these columns. */
#include "occasion.h"

#include <stdlib.h>
#include <string.h>

#include "core/people.h"
#include "store/seal.h"

static const char *const steps[] = {
    "CREATE TABLE place_told(event INTEGER NOT NULL REFERENCES event(id) ON DELETE CASCADE,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE, delivery INTEGER NOT NULL,"
    " told INTEGER NOT NULL, PRIMARY KEY(event, person, delivery)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX place_told_person ON place_told(person);"
    "CREATE INDEX place_told_at ON place_told(told);",
    NULL,
};
#define UNTIL_TAKEN "until the message is taken back"
static const struct column columns[] = {
    {"place_told.event", "which event's place was told", UNTIL_TAKEN, WITH_PERSON},
    {"place_told.person", "to whom", UNTIL_TAKEN, WITH_PERSON},
    {"place_told.delivery", "in which message, to take it back", UNTIL_TAKEN, WITH_PERSON, true},
    {"place_told.told", "when: networks let us delete for 48 hours", UNTIL_TAKEN, WITH_PERSON},
    {0},
};
static const struct schema schema = {"place", steps, columns};

static struct sql get = {"SELECT exact, link FROM hosted WHERE event = ?"};
static struct sql put = {"UPDATE hosted SET exact = ?, link = ? WHERE event = ?"};
static struct sql keep = {
    "INSERT OR IGNORE INTO place_told(event, person, delivery, told) VALUES(?, ?, ?, ?)"};
static struct sql told = {
    "SELECT person, delivery FROM place_told WHERE event = ?1 AND (?2 = 0 OR person = ?2)"};
static struct sql taken = {"DELETE FROM place_told WHERE event = ?1 AND (?2 = 0 OR person = ?2)"};
static struct sql was_told = {"SELECT 1 FROM place_told WHERE event = ? AND person = ?"};
static struct sql long_ago = {"SELECT event, person, delivery FROM place_told WHERE told < ?"};
static struct sql long_taken = {"DELETE FROM place_told WHERE told < ?"};
static struct sql move = {"UPDATE OR IGNORE place_told SET person = ? WHERE person = ?"};
static struct sql *const statements[] = {
    &get, &put, &keep, &told, &taken, &was_told, &long_ago, &long_taken, &move, NULL};

enum { HOUR = 3600, AFTER_S = HOUR, DELETABLE_S = 46 * HOUR, PEOPLE_MOST = 10000 };

#define EXACT "hosted.exact"
#define LINK "hosted.link"

/* ---- what is sealed ---- */

static struct blob
sealed(struct turn *t, int64_t event, const char *purpose, const char *text)
{
	if (!text || !*text)
		return (struct blob){NULL, 0};
	return seal_box(t->seal, t->arena, (struct blob){NULL, 0}, event, purpose,
	    (struct blob){text, strlen(text)});
}

static const char *
opened(struct turn *t, int64_t event, const char *purpose, struct blob box)
{
	struct blob plain = {NULL, 0};

	if (box.length)
		plain = seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, event, purpose, box);
	return plain.bytes ? arena_copy(t->arena, plain.bytes, plain.length) : "";
}

static void
read_both(struct turn *t, int64_t event, const char **exact, const char **link)
{
	struct rows *q = db_query(t->db, &get, V(event));

	*exact = *link = "";
	if (!db_next(q))
		return;
	*exact = opened(t, event, EXACT, db_blob(q, 0));
	*link = opened(t, event, LINK, db_blob(q, 1));
	db_done(q);
}

bool
place_set(struct turn *t, int64_t event, const char *exact, const char *link)
{
	const char *old_exact, *old_link;

	read_both(t, event, &old_exact, &old_link);
	if (!strcmp(old_exact, exact ? exact : "") && !strcmp(old_link, link ? link : ""))
		return false;
	db_run(t->db, &put, V(sealed(t, event, EXACT, exact), sealed(t, event, LINK, link), event));
	return true;
}

const char *
place_exact(struct turn *t, const struct occasion *o)
{
	const char *exact = "", *link;

	if (occasion_may(t, o))
		read_both(t, o->id, &exact, &link);
	return exact;
}

const char *
place_link(struct turn *t, const struct occasion *o)
{
	const char *exact, *link = "";

	if (occasion_may(t, o))
		read_both(t, o->id, &exact, &link);
	return link;
}

/* ---- when and to whom ---- */

int64_t
place_from(struct turn *t, const struct occasion *o)
{
	(void)t;
	return o->start - o->hours * HOUR;
}

int64_t
place_until(const struct occasion *o)
{
	return o->finish + AFTER_S;
}

/* The only gate: everything that tells the place goes through here. */
static bool
may_know(struct turn *t, const struct occasion *o, int64_t person)
{
	return o->hosted && !o->cancelled && (o->has_exact || o->has_link) &&
	       t->now >= place_from(t, o) && t->now < place_until(o) &&
	       rsvp_of(t, o->id, person) == RSVP_YES && (people_access(t, person) & MEMBERS) &&
	       occasion_visible(o, people_access(t, person));
}

static struct card *
place_card(struct turn *t, const char *language, const struct occasion *o)
{
	const char *exact, *link;
	struct card *card = words_in(t, language, "place.here", "title",
	    occasion_title(t, language, o), "when", occasion_when(t, language, o), NULL);

	read_both(t, o->id, &exact, &link);
	if (*exact)
		card_paragraph(card, words_in(t, language, "place.exact", "place", exact, NULL));
	if (*link) {
		card_text(card, "\n\n", 0);
		card_link(card, link, link);
	}
	card_paragraph(card, words_in(t, language, "place.goes", NULL));
	card_choice(card, words_flat_in(t, language, "door.here", NULL), "door.here",
	    occasion_key(t, o->id));
	card->flags |= CARD_PROTECT;
	return card;
}

static void
told_them(struct turn *t, const struct occasion *o, int64_t person, int64_t delivery)
{
	if (delivery)
		db_run(t->db, &keep, V(o->id, person, delivery, t->now));
}

struct giving {
	const struct occasion *o;
	enum class class;
};

static void
give_one(struct turn *t, int64_t person, void *ctx)
{
	const struct giving *g = ctx;

	if (may_know(t, g->o, person) && !db_exists(t->db, &was_told, V(g->o->id, person)))
		told_them(t, g->o, person,
		    tell(t, person, g->class, g->o->finish,
			place_card(t, language_of(t, person), g->o)));
}

/* In quiet hours it is behind its button; remind.c comes again in the morning. */
void
place_give(struct turn *t, const struct occasion *o)
{
	struct giving g = {o, CLASS_REMINDER};

	if (after_quiet_hours(t, PERSON_NOBODY, t->now) <= t->now)
		rsvp_each(t, o->id, RSVP_YES, give_one, &g);
}

static void
take_back(struct turn *t, int64_t event, int64_t person)
{
	struct rows *q = db_query(t->db, &told, V(event, person));

	while (db_next(q))
		delete_delivery(t, db_int(q, 1));
	db_run(t->db, &taken, V(event, person));
}

void
place_take(struct turn *t, int64_t event)
{
	take_back(t, event, 0);
	place_set(t, event, NULL, NULL);
}

void
place_confirmed(struct turn *t, const struct occasion *o, int64_t person)
{
	if (may_know(t, o, person))
		told_them(t, o, person, say_kept(t, place_card(t, language_of(t, person), o)));
}

void
place_left(struct turn *t, int64_t event, int64_t person)
{
	take_back(t, event, person);
}

void
place_move(struct turn *t, int64_t from, int64_t to)
{
	db_run(t->db, &move, V(to, from));
}

/* Whoever was told the old one hears the new one at once, at any hour. */
void
place_changed(struct turn *t, const struct occasion *o)
{
	struct giving g = {o, CLASS_EVENT_CHANGE};
	int64_t *people = arena_alloc(t->arena, PEOPLE_MOST * sizeof(*people));
	struct rows *q = db_query(t->db, &told, V(o->id, 0));
	int n = 0;

	while (db_next(q)) {
		delete_delivery(t, db_int(q, 1));
		if (n < PEOPLE_MOST)
			people[n++] = db_int(q, 0);
	}
	db_run(t->db, &taken, V(o->id, 0));
	if (o->cancelled)
		place_set(t, o->id, NULL, NULL);
	for (int i = 0; i < n; i++)
		give_one(t, people[i], &g);
	place_give(t, o);
}

/* ---- asking for it ---- */

void
place_choose(struct turn *t, struct card *card, const char *language, const struct occasion *o,
    int64_t person)
{
	if (may_know(t, o, person))
		card_choice(card, words_flat_in(t, language, "place.show", NULL), "place.show",
		    occasion_key(t, o->id));
}

static void
show(struct turn *t)
{
	struct occasion o;

	if (!occasion_get(t, strtoll(t->value, NULL, 10), &o) ||
	    !occasion_visible(&o, t->person->access)) {
		occasion_gone(t);
		return;
	}
	if (!may_know(t, &o, t->person->id)) {
		say_private(t, words(t, "place.not_now", NULL));
		return;
	}
	take_back(t, o.id, t->person->id);
	told_them(t, &o, t->person->id, say_kept(t, place_card(t, t->language, &o)));
}

/* A long event: what was told goes while the network still lets us; the button tells it again. */
static void
before_too_late(struct turn *t)
{
	struct rows *q = db_query(t->db, &long_ago, V(t->now - DELETABLE_S));

	while (db_next(q))
		delete_delivery(t, db_int(q, 2));
	db_run(t->db, &long_taken, V(t->now - DELETABLE_S));
}

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_START)
		before_too_late(t);
}

static const struct action actions[] = {
    {"place.show", MEMBERS, show},
    {0},
};
static const struct job jobs[] = {
    {.name = "place.old", .every_s = HOUR, .run = before_too_late},
    {0},
};

const struct feature feature_place = {
    .name = "place",
    .schema = &schema,
    .statements = statements,
    .actions = actions,
    .jobs = jobs,
    .happened = happened,
};
