/* /offers: what organisations offer each other and need, on a board for their coordinators. */
#include "offers.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/partners.h"
#include "base/text.h"
#include "base/zone.h"
#include "core/people.h"
#include "core/ticket.h"

static const char *const steps[] = {
    "CREATE TABLE offer(id INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL,"
    " person INTEGER REFERENCES person(id) ON DELETE SET NULL, need INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, text TEXT NOT NULL, place INTEGER NOT NULL, languages INTEGER NOT "
    "NULL,"
    " capacity INTEGER NOT NULL, starts INTEGER NOT NULL, until INTEGER NOT NULL,"
    " named INTEGER NOT NULL, opened INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX offer_board ON offer(closed, need, kind);",
    NULL,
};
#define RETENTION "[retention] event days after it is closed"
static const struct column columns[] = {
    {"offer.id", "number of an offer or a need", RETENTION, AFTER_RETENTION},
    {"offer.org", "whose it is", RETENTION, NOT_PERSONAL},
    {"offer.person", "the coordinator who put it there", RETENTION, AFTER_RETENTION},
    {"offer.need", "an offer or a need", RETENTION, NOT_PERSONAL},
    {"offer.kind", "of which kind", RETENTION, NOT_PERSONAL},
    {"offer.text", "what it is, in their words", RETENTION, AFTER_RETENTION},
    {"offer.place", "where, coarsely", RETENTION, NOT_PERSONAL},
    {"offer.languages", "in which languages", RETENTION, NOT_PERSONAL},
    {"offer.capacity", "for how many", RETENTION, NOT_PERSONAL},
    {"offer.starts", "from which day", RETENTION, NOT_PERSONAL},
    {"offer.until", "until which day", RETENTION, NOT_PERSONAL},
    {"offer.named", "whether the board names the organisation", RETENTION, NOT_PERSONAL},
    {"offer.opened", "when", RETENTION, NOT_PERSONAL},
    {"offer.closed", "when it was taken down", RETENTION, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"offers", steps, columns};

#define FIELDS "id, need, kind, place, languages, capacity, starts, until, org, text, named"
static struct sql add = {
    "INSERT INTO offer(org, person, need, kind, text, place, languages, capacity, starts, until,"
    " named, opened) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static struct sql get = {
    "SELECT " FIELDS
    " FROM offer WHERE id = ?1 AND closed = 0 AND (until = 0 OR until + 86400 > ?2)"};
static struct sql board = {
    "SELECT " FIELDS " FROM offer WHERE closed = 0 AND (until = 0 OR until + 86400 > ?1)"
    " AND need = ?2 AND (?3 < 0 OR kind = ?3) ORDER BY id DESC LIMIT ?4 OFFSET ?5"};
static struct sql kinds = {
    "SELECT kind, count(*) FROM offer WHERE closed = 0 AND (until = 0 OR until + 86400 > ?1)"
    " AND need = ?2 GROUP BY kind ORDER BY kind"};
static struct sql own = {
    "SELECT " FIELDS
    " FROM offer WHERE closed = 0 AND org IN (SELECT org FROM role WHERE person = ?1"
    " AND role = 2) ORDER BY id LIMIT 20"};
static struct sql close = {
    "UPDATE offer SET closed = ?1 WHERE id = ?2 AND closed = 0 AND org IN (SELECT org FROM role"
    " WHERE person = ?3 AND role = 2)"};
static struct sql org_of = {
    "SELECT org FROM role WHERE person = ? AND role = 2 AND org <> '' ORDER BY org LIMIT 1"};
static struct sql prune = {
    "DELETE FROM offer WHERE (closed > 0 AND closed < ?1) OR (until > 0 AND until < ?1)"};
static struct sql *const statements[] = {
    &add, &get, &board, &kinds, &own, &close, &org_of, &prune, NULL};

enum { DAY = 86400, PAGE = 5, TEXT_SCALARS = 500, CAPACITY_MOST = 10000, LANGUAGES = 6 };

static struct offer
row_of(struct rows *q)
{
	return (struct offer){.id = db_int(q, 0),
	    .need = db_int(q, 1),
	    .kind = db_int(q, 2),
	    .place = db_int(q, 3),
	    .languages = db_int(q, 4),
	    .capacity = db_int(q, 5),
	    .from = db_int(q, 6),
	    .until = db_int(q, 7),
	    .org = db_text(q, 8),
	    .text = db_text(q, 9),
	    .named = db_int(q, 10)};
}

bool
offers_get(struct turn *t, int64_t id, struct offer *offer)
{
	struct rows *q = db_query(t->db, &get, V(id, t->now));
	bool found = db_next(q);

	if (found)
		*offer = row_of(q);
	db_done(q);
	return found;
}

/* ---- words ---- */

static const char *
kind_in(struct turn *t, const char *language, int64_t kind)
{
	return words_flat_in(
	    t, language, arena_print(t->arena, "offers.kind.%lld", (long long)kind), NULL);
}

static const char *
day_in(struct turn *t, const char *language, int64_t day)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");

	return clock_date(t->arena, language, zone_find(t->zones, zones[0]), day + DAY / 2);
}

/* 0 is any place, 1 to 8 the regions of the meeting profile, 9 online. */
static const char *
place_in(struct turn *t, const char *language, int64_t place)
{
	if (place == OFFERS_ONLINE)
		return words_flat_in(t, language, "match.mode.0", NULL);
	return place ? words_flat_in(t, language,
			   arena_print(t->arena, "match.region.%lld", (long long)place - 1), NULL)
		     : words_flat_in(t, language, "offers.any_place", NULL);
}

struct card *
offers_lines(struct turn *t, const char *language, const struct offer *o)
{
	struct card *card = words_in(t, language, o->need ? "offers.need" : "offers.offer", "kind",
	    kind_in(t, language, o->kind), "text", o->text, NULL);

	card_line(card,
	    words_in(t, language, "offers.where", "place", place_in(t, language, o->place), NULL));
	for (int i = 0; i < LANGUAGES; i++)
		if (o->languages >> i & 1)
			card_line(
			    card, words_in(t, language, "offers.language", "language",
				      words_flat_in(t, language,
					  arena_print(t->arena, "match.language.%d", i), NULL),
				      NULL));
	if (o->from || o->until)
		card_line(card, words_in(t, language, "offers.when", "from",
				    o->from ? day_in(t, language, o->from) : "…", "until",
				    o->until ? day_in(t, language, o->until) : "…", NULL));
	if (o->capacity)
		card_line(card, words_n_in(t, language, "offers.capacity", o->capacity, NULL));
	return card;
}

static const char *
org_name(struct turn *t, const char *id)
{
	const struct partner *p = partners_find(t->partners, id);

	return p ? partner_words(&p->name, t->language, NULL) : id;
}

/* ---- the board ---- */

static void
menu(struct turn *t)
{
	struct card *card = words(t, "offers.title", NULL);

	choose(t, card, "offers.see_offers", "offers.kinds", "0");
	choose(t, card, "offers.see_needs", "offers.kinds", "1");
	card_same_row(card);
	if (t->person->access & COORDINATORS) {
		choose(t, card, "offers.new_offer", "offers.new", "0");
		choose(t, card, "offers.new_need", "offers.new", "1");
		card_same_row(card);
		choose(t, card, "offers.own", "offers.own", "");
	}
	say(t, card);
}

/* Filters: offers or needs, then the kinds there are. */
static void
show_kinds(struct turn *t)
{
	int64_t need = strtoll(t->value, NULL, 10);
	struct rows *q = db_query(t->db, &kinds, V(t->now, need));
	struct card *card = words(t, need ? "offers.needs" : "offers.offers", NULL);
	int n = 0;

	for (; db_next(q); n++)
		choose_text(t, card,
		    words_flat(t, "offers.kind_count", "kind",
			kind_in(t, t->language, db_int(q, 0)), "n",
			arena_print(t->arena, "%lld", (long long)db_int(q, 1)), NULL),
		    "offers.list",
		    arena_print(t->arena, "%lld %lld 0", (long long)need, (long long)db_int(q, 0)));
	if (n > 1)
		choose(t, card, "offers.all", "offers.list",
		    arena_print(t->arena, "%lld -1 0", (long long)need));
	edit(t, n ? card : words(t, "offers.none", NULL));
}

static void
list(struct turn *t)
{
	char *end;
	int64_t need = strtoll(t->value, &end, 10), kind = strtoll(end, &end, 10);
	int64_t from = strtoll(end, NULL, 10);
	struct rows *q = db_query(t->db, &board, V(t->now, need, kind, PAGE + 1, from));
	struct card *card = words(t, need ? "offers.needs" : "offers.offers", NULL);
	int n = 0;

	for (; n < PAGE && db_next(q); n++) {
		struct offer o = row_of(q);

		card_paragraph(card, offers_lines(t, t->language, &o));
		card_line(card, o.named ? words(t, "offers.by", "org", org_name(t, o.org), NULL)
					: words(t, "offers.by_nobody", NULL));
		choose_text(t, card,
		    words_flat(t, "offers.ask", "number",
			arena_print(t->arena, "%lld", (long long)(from + n + 1)), NULL),
		    "offers.ask", arena_print(t->arena, "%lld", (long long)o.id));
	}
	if (db_next(q))
		choose(t, card, "engine.more", "offers.list",
		    arena_print(t->arena, "%lld %lld %lld", (long long)need, (long long)kind,
			(long long)(from + n)));
	db_done(q);
	say(t, n ? card : words(t, "offers.none", NULL));
}

static void
show_own(struct turn *t)
{
	struct rows *q = db_query(t->db, &own, V(t->person->id));
	struct card *card = words(t, "offers.own_title", NULL);
	int n = 0;

	for (; db_next(q); n++) {
		struct offer o = row_of(q);

		card_paragraph(card, offers_lines(t, t->language, &o));
		choose_text(t, card,
		    words_flat(
			t, "offers.close", "number", arena_print(t->arena, "%d", n + 1), NULL),
		    "offers.close", arena_print(t->arena, "%lld", (long long)o.id));
	}
	say(t, n ? card : words(t, "offers.none", NULL));
}

static void
close_one(struct turn *t)
{
	bool done = db_run(t->db, &close, V(t->now, strtoll(t->value, NULL, 10), t->person->id));

	edit(t, words(t, done ? "offers.closed" : "offers.gone", NULL));
}

/* ---- asking about one: role to role, like any question to a coordinator ---- */

static void
ask_question(struct turn *t)
{
	say(t, words(t, "offers.question", NULL));
}

static enum next
answer_question(struct turn *t)
{
	struct offer o;

	if (!t->text[0])
		return flow_again(t, "engine.again");
	if (!offers_get(t, strtoll(flow_get(t, "offer"), NULL, 10), &o)) {
		say(t, words(t, "offers.gone", NULL));
		return DONE;
	}
	ticket_open(t, COORDINATORS, o.org, "offers",
	    arena_print(t->arena, "%s: %s", kind_in(t, t->language, o.kind), t->text));
	say(t, words(t, "offers.asked", NULL));
	return DONE;
}

static const struct step question_steps[] = {
    {.name = "question", .ask = ask_question, .answer = answer_question, .takes_numbers = true},
    {0},
};
static const struct flow question_flow = {
    .name = "offers.question", .access = COORDINATORS | ADMINS, .steps = question_steps};

static void
ask_about(struct turn *t)
{
	flow_begin(t, &question_flow);
	flow_set(t, "offer", t->value);
}

/* ---- a new one, question by question ---- */

static void
ask_kind(struct turn *t)
{
	struct card *card = words(t, "offers.ask_kind", NULL);

	for (int i = 0; i < OFFERS_KINDS; i++) {
		choose_answer_text(
		    t, card, kind_in(t, t->language, i), arena_print(t->arena, "%d", i));
		if (i % 2)
			card_same_row(card);
	}
	say(t, card);
}

/* One of `count` by button; anything typed is asked again. */
static enum next
take_choice(struct turn *t, const char *name, int64_t least, int64_t most)
{
	int64_t n;

	if (!t->chosen || !text_number(t->value, &n) || n < least || n > most)
		return flow_again(t, "relay.tap");
	flow_set(t, name, t->value);
	return NEXT;
}

static enum next
answer_kind(struct turn *t)
{
	return take_choice(t, "kind", 0, OFFERS_KINDS - 1);
}

static void
ask_text(struct turn *t)
{
	say(t, words(t, "offers.ask_text", NULL));
}

static enum next
answer_text(struct turn *t)
{
	if (!t->text[0])
		return flow_again(t, "engine.again");
	flow_set(t, "text", arena_copy(t->arena, t->text, text_cut(t->text, TEXT_SCALARS)));
	return NEXT;
}

static void
ask_day(struct turn *t, const char *key)
{
	struct card *card = words(t, key, NULL);

	choose_answer(t, card, "offers.any_day", "0");
	say(t, card);
}

static void
ask_from(struct turn *t)
{
	ask_day(t, "offers.ask_from");
}

static void
ask_until(struct turn *t)
{
	ask_day(t, "offers.ask_until");
}

static enum next
take_day(struct turn *t, const char *name)
{
	struct civil day;
	int64_t at = 0, from = strtoll(flow_get(t, "from"), NULL, 10);

	if (!t->chosen) {
		if (!clock_parse(t->text, &day))
			return flow_again(t, "offers.bad_day");
		day.hour = day.minute = day.second = 0;
		at = civil_seconds(&day);
		if (at < t->now - DAY || (!strcmp(name, "until") && at < from))
			return flow_again(t, "offers.past_day");
	}
	flow_set(t, name, arena_print(t->arena, "%lld", (long long)at));
	return NEXT;
}

static enum next
answer_from(struct turn *t)
{
	return take_day(t, "from");
}

static enum next
answer_until(struct turn *t)
{
	return take_day(t, "until");
}

static void
ask_place(struct turn *t)
{
	struct card *card = words(t, "offers.ask_place", NULL);

	for (int i = 0; i < OFFERS_PLACES; i++) {
		choose_answer_text(
		    t, card, place_in(t, t->language, i), arena_print(t->arena, "%d", i));
		if (i % 2)
			card_same_row(card);
	}
	say(t, card);
}

static enum next
answer_place(struct turn *t)
{
	return take_choice(t, "place", 0, OFFERS_PLACES - 1);
}

/* Several may be tapped one after another. */
static void
ask_languages(struct turn *t)
{
	int64_t bits = strtoll(flow_get(t, "languages"), NULL, 10);
	struct card *card = words(t, "offers.ask_languages", NULL);

	for (int i = 0; i < LANGUAGES; i++) {
		choose_answer_text(t, card,
		    arena_print(t->arena, "%s%s", bits >> i & 1 ? "✓ " : "",
			words_flat(t, arena_print(t->arena, "match.language.%d", i), NULL)),
		    arena_print(t->arena, "%d", i));
		if (i % 2)
			card_same_row(card);
	}
	choose_answer(t, card, bits ? "offers.next" : "offers.any_language", "6");
	say(t, card);
}

static enum next
answer_languages(struct turn *t)
{
	int64_t bits = strtoll(flow_get(t, "languages"), NULL, 10), i;
	enum next next = take_choice(t, "language", 0, LANGUAGES);

	if (next != NEXT || !text_number(t->value, &i) || i == LANGUAGES)
		return next;
	flow_set(t, "languages", arena_print(t->arena, "%lld", (long long)(bits ^ (1 << i))));
	return AGAIN;
}

static void
ask_capacity(struct turn *t)
{
	struct card *card = words(t, "offers.ask_capacity", NULL);

	choose_answer(t, card, "offers.any_capacity", "0");
	say(t, card);
}

static enum next
answer_capacity(struct turn *t)
{
	int64_t n = 0;

	if (!t->chosen && (!text_number(t->text, &n) || n < 1 || n > CAPACITY_MOST))
		return flow_again(t, "offers.bad_capacity");
	flow_set(t, "capacity", arena_print(t->arena, "%lld", (long long)n));
	return NEXT;
}

static int64_t
number(struct turn *t, const char *name)
{
	return strtoll(flow_get(t, name), NULL, 10);
}

static struct offer
written(struct turn *t)
{
	return (struct offer){.need = number(t, "need"),
	    .kind = number(t, "kind"),
	    .place = number(t, "place"),
	    .languages = number(t, "languages"),
	    .capacity = number(t, "capacity"),
	    .from = number(t, "from"),
	    .until = number(t, "until"),
	    .text = flow_get(t, "text")};
}

static void
ask_name(struct turn *t)
{
	struct offer o = written(t);
	struct card *card = offers_lines(t, t->language, &o);

	card_paragraph(card, words(t, "offers.ask_name", NULL));
	choose_answer(t, card, "offers.with_name", "1");
	choose_answer(t, card, "offers.without_name", "0");
	say(t, card);
}

static enum next
answer_name(struct turn *t)
{
	struct offer o = written(t);
	const char *org = db_string(t->db, &org_of, V(t->person->id));
	enum next next = take_choice(t, "named", 0, 1);

	if (next != NEXT)
		return next;
	if (!org) {
		say(t, words(t, "engine.not_allowed", NULL));
		return DONE;
	}
	db_insert(t->db, &add,
	    V(org, t->person->id, o.need, o.kind, o.text, o.place, o.languages, o.capacity, o.from,
		o.until, number(t, "named"), t->now));
	say(t, words(t, "offers.added", NULL));
	return DONE;
}

static const struct step new_steps[] = {
    {.name = "kind", .ask = ask_kind, .answer = answer_kind},
    {.name = "text", .ask = ask_text, .answer = answer_text, .takes_numbers = true},
    {.name = "from", .ask = ask_from, .answer = answer_from, .takes_numbers = true},
    {.name = "until", .ask = ask_until, .answer = answer_until, .takes_numbers = true},
    {.name = "place", .ask = ask_place, .answer = answer_place},
    {.name = "languages", .ask = ask_languages, .answer = answer_languages},
    {.name = "capacity", .ask = ask_capacity, .answer = answer_capacity, .takes_numbers = true},
    {.name = "name", .ask = ask_name, .answer = answer_name},
    {0},
};
static const struct flow new_flow = {
    .name = "offers.new", .access = COORDINATORS, .steps = new_steps};

static void
begin_new(struct turn *t)
{
	flow_begin(t, &new_flow);
	flow_set(t, "need", t->value[0] == '1' ? "1" : "0");
}

static void
prune_offers(struct turn *t)
{
	db_run(t->db, &prune, V(t->now - DAY * conf_number(t->conf, "retention", NULL, "event")));
}

static const struct command commands[] = {
    {.name = "offers", .access = COORDINATORS | ADMINS, .run = menu},
    {0},
};
static const struct action actions[] = {
    {"offers.kinds", COORDINATORS | ADMINS, show_kinds},
    {"offers.list", COORDINATORS | ADMINS, list},
    {"offers.own", COORDINATORS, show_own},
    {"offers.close", COORDINATORS, close_one},
    {"offers.ask", COORDINATORS | ADMINS, ask_about},
    {"offers.new", COORDINATORS, begin_new},
    {0},
};
static const struct flow *const flows[] = {&question_flow, &new_flow, NULL};
static const struct job jobs[] = {
    {.name = "offers.prune", .every_s = DAY, .run = prune_offers},
    {0},
};

const struct feature feature_offers = {
    .name = "offers",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
    .jobs = jobs,
};
