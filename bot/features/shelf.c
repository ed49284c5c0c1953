/* What organisations share with each other: kept, shown, found, taken away. */
#include "shelf.h"

#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/link.h"
#include "base/partners.h"
#include "base/search.h"
#include "base/text.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/attach.h"
#include "core/audit.h"
#include "occasion.h"

/* The words of shelf_words are folded already, so its tokenizer only splits them. */
static const char *const steps[] = {
    "CREATE TABLE shelf(id INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL,"
    " kind INTEGER NOT NULL, topic INTEGER NOT NULL, language TEXT NOT NULL, title TEXT NOT NULL,"
    " about TEXT NOT NULL, body TEXT NOT NULL, attachment INTEGER NOT NULL,"
    " event INTEGER REFERENCES event(id) ON DELETE SET NULL, shared INTEGER NOT NULL,"
    " told INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX shelf_topic ON shelf(topic, id);"
    "CREATE INDEX shelf_event ON shelf(event) WHERE event IS NOT NULL;"
    "CREATE VIRTUAL TABLE shelf_words USING fts5(title, rest,"
    " tokenize = 'unicode61 remove_diacritics 0');",
    NULL,
};
#define KEPT "until its organisation or an admin removes it"
static const struct column columns[] = {
    {"shelf.id", "number of a resource", KEPT, NOT_PERSONAL},
    {"shelf.org", "which organisation shares it; empty: the network", KEPT, NOT_PERSONAL},
    {"shelf.kind", "link, file or text", KEPT, NOT_PERSONAL},
    {"shelf.topic", "about what", KEPT, NOT_PERSONAL},
    {"shelf.language", "in which language", KEPT, NOT_PERSONAL},
    {"shelf.title", "its title", KEPT, WHEN_DONE},
    {"shelf.about", "what it is good for", KEPT, WHEN_DONE},
    {"shelf.body", "the address, or the text", KEPT, WHEN_DONE},
    {"shelf.attachment", "number of its file", KEPT, NOT_PERSONAL},
    {"shelf.event", "the session it is material of", KEPT, NOT_PERSONAL},
    {"shelf.shared", "when", KEPT, NOT_PERSONAL},
    {"shelf.told", "whether who follows its topic has heard of it", KEPT, NOT_PERSONAL},
    {"shelf_words.title", "words of the title, folded, to be found by", KEPT, WHEN_DONE},
    {"shelf_words.rest", "the other words, folded, to be found by", KEPT, WHEN_DONE},
    {0},
};
static const struct schema schema = {"shelf", steps, columns};

#define FIELDS \
	"SELECT s.id, s.kind, s.topic, s.attachment, coalesce(s.event, 0), s.shared, s.org," \
	" s.language, s.title, s.about, s.body FROM "
#define PAGED " LIMIT ? OFFSET ?"
static struct sql get = {FIELDS "shelf s WHERE s.id = ?"};
static struct sql newest = {FIELDS "shelf s ORDER BY s.id DESC" PAGED};
static struct sql by_topic = {
    FIELDS "shelf s WHERE s.topic = ? ORDER BY s.language = ? DESC, s.id DESC" PAGED};
static struct sql by_language = {FIELDS "shelf s WHERE s.language = ? ORDER BY s.id DESC" PAGED};
static struct sql by_org = {
    FIELDS "shelf s WHERE EXISTS (SELECT 1 FROM role r WHERE r.person = ? AND"
	   " ((r.role = 2 AND r.org = s.org AND s.org <> '') OR (r.role = 16 AND s.org = '')))"
	   " ORDER BY s.id DESC" PAGED};
static struct sql by_event = {FIELDS "shelf s WHERE s.event = ? ORDER BY s.id" PAGED};
static struct sql by_words = {
    FIELDS "shelf_words JOIN shelf s ON s.id = shelf_words.rowid WHERE shelf_words MATCH ?"
	   " ORDER BY bm25(shelf_words, 4.0, 1.0), s.id DESC" PAGED};
static struct sql topics = {"SELECT topic, count(*) FROM shelf GROUP BY topic ORDER BY topic"};
static struct sql languages = {
    "SELECT language, count(*) FROM shelf GROUP BY language ORDER BY language = ? DESC, 2 DESC"};
static struct sql count_all = {"SELECT count(*) FROM shelf"};
static struct sql owns = {
    "SELECT 1 FROM role WHERE person = ?1 AND ((role = 2 AND org = ?2 AND org <> '')"
    " OR (role = 16 AND ?2 = ''))"};
static struct sql org_of = {
    "SELECT CASE role WHEN 2 THEN org ELSE '' END FROM role WHERE person = ?1"
    " AND ((role = 2 AND org <> '') OR role = 16) ORDER BY role, org = ?2 DESC, org LIMIT 1"};
static struct sql add = {
    "INSERT INTO shelf(org, kind, topic, language, title, about, body, attachment, event, shared)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static struct sql change = {
    "UPDATE shelf SET kind = ?, topic = ?, language = ?, title = ?, about = ?, body = ?,"
    " attachment = ? WHERE id = ?"};
static struct sql drop = {"DELETE FROM shelf WHERE id = ?"};
static struct sql words_add = {"INSERT INTO shelf_words(rowid, title, rest) VALUES(?, ?, ?)"};
static struct sql words_drop = {"DELETE FROM shelf_words WHERE rowid = ?"};
/* A deletion alone leaves the words in older segments of the index; this makes it anew from what is
 * still there, and the pages it leaves are zeroed by secure_delete. */
static struct sql words_anew = {"INSERT INTO shelf_words(shelf_words) VALUES('rebuild')"};
static struct sql *const statements[] = {&get, &newest, &by_topic, &by_language, &by_org, &by_event,
    &by_words, &topics, &languages, &count_all, &owns, &org_of, &add, &change, &drop, &words_add,
    &words_drop, &words_anew, NULL};

enum { PAGE = 5, QUERY_SCALARS = 40 };

/* ---- rows ---- */

static struct resource
row_of(struct rows *q)
{
	return (struct resource){.id = db_int(q, 0),
	    .kind = (enum shelf_kind)db_int(q, 1),
	    .topic = db_int(q, 2),
	    .attachment = db_int(q, 3),
	    .event = db_int(q, 4),
	    .shared = db_int(q, 5),
	    .org = db_text(q, 6),
	    .language = db_text(q, 7),
	    .title = db_text(q, 8),
	    .about = db_text(q, 9),
	    .body = db_text(q, 10)};
}

bool
shelf_get(struct turn *t, int64_t id, struct resource *r)
{
	struct rows *q = db_query(t->db, &get, V(id));
	bool found = db_next(q);

	if (found)
		*r = row_of(q);
	db_done(q);
	return found;
}

bool
shelf_owns(struct turn *t, const struct resource *r)
{
	return db_exists(t->db, &owns, V(t->person->id, r->org));
}

const char *
shelf_org(struct turn *t)
{
	return db_string(t->db, &org_of, V(t->person->id, t->person->org));
}

/* The organisation's name in every language, so that it is found by that as well. */
static void
put_words(struct turn *t, const struct resource *r)
{
	const struct partner *p = partners_find(t->partners, r->org);
	const char *rest = arena_print(t->arena, "%s\n%s\n%s", r->about, r->body, r->org);

	for (int i = 0; p && i < words_count(t->words); i++)
		rest = arena_print(t->arena, "%s\n%s", rest,
		    partner_words(&p->name, words_language(t->words, i), NULL));
	db_run(t->db, &words_add,
	    V(r->id, (const char *)search_index(t->arena, r->title),
		(const char *)search_index(t->arena, rest)));
}

static void
drop_words(struct turn *t, int64_t id)
{
	db_run(t->db, &words_drop, V(id));
	db_run(t->db, &words_anew, NONE);
}

void
shelf_put(struct turn *t, struct resource *r)
{
	struct resource was;

	if (!r->id) {
		r->id = db_insert(t->db, &add,
		    V(r->org, (int)r->kind, r->topic, r->language, r->title, r->about, r->body,
			r->attachment, r->event ? value_integer(r->event) : VNULL, t->now));
	} else if (shelf_get(t, r->id, &was)) {
		db_run(t->db, &change,
		    V((int)r->kind, r->topic, r->language, r->title, r->about, r->body,
			r->attachment, r->id));
		if (was.attachment && was.attachment != r->attachment)
			attach_drop(t, was.attachment);
		drop_words(t, r->id);
	}
	put_words(t, r);
}

/* ---- words ---- */

const char *
shelf_topic(struct turn *t, const char *language, int64_t topic)
{
	return words_flat_in(
	    t, language, arena_print(t->arena, "shelf.topic.%lld", (long long)topic), NULL);
}

const char *
shelf_language(struct turn *t, const char *code)
{
	return words_speaks(t->words, code) ? words_flat_in(t, code, "language.name", NULL)
					    : words_flat(t, "shelf.language_other", NULL);
}

const char *
shelf_kind_name(struct turn *t, enum shelf_kind kind)
{
	return words_flat(t, arena_print(t->arena, "shelf.kind.%d", (int)kind), NULL);
}

char *
shelf_key(struct turn *t, int64_t id)
{
	return arena_print(t->arena, "%lld", (long long)id);
}

struct card *
shelf_line(struct turn *t, const char *language, const struct resource *r)
{
	return words_in(t, language, "shelf.line", "title", r->title, "topic",
	    shelf_topic(t, language, r->topic), "org", announce_org(t, language, r->org), NULL);
}

struct card *
shelf_content(struct turn *t, const struct resource *r)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	struct card *card = shelf_line(t, t->language, r);
	struct occasion o;

	card_line(card, words(t, "shelf.from", "kind", shelf_kind_name(t, r->kind), "language",
			    shelf_language(t, r->language), "date",
			    clock_date(t->arena, t->language, zone_find(t->zones, zones[0]),
				r->shared ? r->shared : t->now),
			    NULL));
	if (r->event && occasion_get(t, r->event, &o))
		card_line(card, words(t, "shelf.of_session", "title",
				    occasion_title(t, t->language, &o), NULL));
	if (r->about[0]) {
		card_text(card, "\n\n", 0);
		card_lines(card, r->about);
	}
	if (r->kind == SHELF_TEXT) {
		card_text(card, "\n\n", 0);
		card_lines(card, r->body);
	} else if (r->kind == SHELF_LINK) {
		card_paragraph(card, words(t, "shelf.link", "host",
					 (const char *)link_host(t->arena, r->body), NULL));
		card_text(card, "\n" TEXT_FSI, 0);
		card_link(card, r->body, r->body);
		card_text(card, TEXT_PDI, 0);
	}
	return card;
}

void
shelf_show(struct turn *t, const struct resource *r)
{
	struct card *card = shelf_content(t, r);
	char *key = shelf_key(t, r->id);

	if (r->kind == SHELF_FILE &&
	    !attach_add(t, card, r->attachment, arena_print(t->arena, "shelf-%s", key)))
		card_paragraph(card, words(t, "shelf.no_file", NULL));
	if (shelf_owns(t, r)) {
		choose(t, card, "shelf.edit", "shelf.edit", key);
		choose(t, card, "shelf.remove", "shelf.remove_ask", key);
		card_same_row(card);
	} else if (t->person->access & ADMINS) {
		choose(t, card, "shelf.remove", "shelf.remove_ask", key);
	}
	choose_command(t, card, "forum");
	say(t, card);
}

static void
gone(struct turn *t)
{
	struct card *card = words(t, "shelf.gone", NULL);

	choose_command(t, card, "forum");
	say(t, card);
}

static void
show(struct turn *t)
{
	struct resource r;

	if (shelf_get(t, strtoll(t->value, NULL, 10), &r))
		shelf_show(t, &r);
	else
		gone(t);
}

/* ---- lists ---- where one stands is in the button: "t 3 5", topic 3 from the sixth on. */

static struct rows *
rows_of_list(struct turn *t, char which, const char *what, int64_t from)
{
	switch (which) {
	case 't':
		return db_query(
		    t->db, &by_topic, V(strtoll(what, NULL, 10), t->language, PAGE + 1, from));
	case 'l':
		return db_query(t->db, &by_language, V(what, PAGE + 1, from));
	case 'o':
		return db_query(t->db, &by_org, V(t->person->id, PAGE + 1, from));
	case 'e':
		return db_query(t->db, &by_event, V(strtoll(what, NULL, 10), PAGE + 1, from));
	case 'w':
		return db_query(t->db, &by_words,
		    V((const char *)search_query(t->arena, what), PAGE + 1, from));
	default:
		return db_query(t->db, &newest, V(PAGE + 1, from));
	}
}

static struct card *
title_of_list(struct turn *t, char which, const char *what)
{
	switch (which) {
	case 't':
		return words(t, "shelf.of_topic", "topic",
		    shelf_topic(t, t->language, strtoll(what, NULL, 10)), NULL);
	case 'l':
		return words(t, "shelf.of_language", "language", shelf_language(t, what), NULL);
	case 'o':
		return words(t, "shelf.own_title", NULL);
	case 'e':
		return words(t, "forum.materials", NULL);
	case 'w':
		return words(t, "shelf.found", "search", what, NULL);
	default:
		return words(t, "shelf.newest_title", NULL);
	}
}

static char *
place(struct turn *t, char which, int64_t from, const char *what)
{
	return arena_print(t->arena, "%c %lld %s", which, (long long)from, what);
}

static void
list(struct turn *t, char which, int64_t from, const char *what)
{
	struct card *card = title_of_list(t, which, what);
	struct rows *q = which == 'w' && !*search_query(t->arena, what)
			     ? NULL
			     : rows_of_list(t, which, what, from);
	int n = 0;

	for (; q && n < PAGE && db_next(q); n++) {
		struct resource r = row_of(q);

		card_paragraph(card, shelf_line(t, t->language, &r));
		choose_text(t, card,
		    text_isolate(t->arena, arena_copy(t->arena, r.title, text_cut(r.title, 40))),
		    "shelf.card", shelf_key(t, r.id));
	}
	if (n == PAGE && db_next(q))
		choose(t, card, "engine.more", "shelf.list", place(t, which, from + n, what));
	if (q)
		db_done(q);
	if (!n)
		card_paragraph(
		    card, words(t, which == 'w' ? "shelf.not_found" : "shelf.nothing", NULL));
	if (which == 'e')
		shelf_choose_new(t, card, strtoll(what, NULL, 10));
	choose_command(t, card, "forum");
	say(t, card);
}

static void
list_pressed(struct turn *t)
{
	char *end;
	char which = t->value[0];
	int64_t from = which ? strtoll(t->value + 1, &end, 10) : 0;

	if (which)
		list(t, which, from, *end == ' ' ? end + 1 : "");
}

void
shelf_find(struct turn *t, const char *query)
{
	char *line = arena_copy(t->arena, query, text_cut(query, QUERY_SCALARS));

	for (char *c = line; *c; c++)
		if (*c == '\n')
			*c = ' ';
	list(t, 'w', 0, line);
}

static void
ask_words(struct turn *t)
{
	say(t, words(t, "shelf.ask_words", NULL));
}

static enum next
answer_words(struct turn *t)
{
	if (!t->text[0])
		return flow_again(t, "engine.again");
	shelf_find(t, t->text);
	return DONE;
}

static const struct step find_steps[] = {
    {.name = "words", .ask = ask_words, .answer = answer_words, .takes_numbers = true},
    {0},
};
static const struct flow find_flow = {
    .name = "shelf.find", .access = SHELF_FOR, .steps = find_steps};

static void
find_pressed(struct turn *t)
{
	flow_begin(t, &find_flow);
}

static void
choose_counted(struct turn *t, struct card *card, const char *name, int64_t n, char *value)
{
	choose_text(t, card,
	    words_flat(t, "shelf.counted", "name", name, "n",
		arena_print(t->arena, "%lld", (long long)n), NULL),
	    "shelf.list", value);
}

static void
show_topics(struct turn *t)
{
	struct rows *q = db_query(t->db, &topics, NONE);
	struct card *card = words(t, "shelf.which_topic", NULL);

	while (db_next(q)) {
		int64_t topic = db_int(q, 0);

		choose_counted(t, card, shelf_topic(t, t->language, topic), db_int(q, 1),
		    place(t, 't', 0, shelf_key(t, topic)));
	}
	say(t, card);
}

static void
show_languages(struct turn *t)
{
	struct rows *q = db_query(t->db, &languages, V(t->language));
	struct card *card = words(t, "shelf.which_language", NULL);

	while (db_next(q))
		choose_counted(t, card, shelf_language(t, db_text(q, 0)), db_int(q, 1),
		    place(t, 'l', 0, db_text(q, 0)));
	say(t, card);
}

int64_t
shelf_choose(struct turn *t, struct card *card)
{
	int64_t n = db_number(t->db, &count_all, NONE, 0);

	if (!n)
		return 0;
	choose(t, card, "shelf.find", "shelf.find", "");
	choose(t, card, "shelf.newest", "shelf.list", "n 0 ");
	card_same_row(card);
	choose(t, card, "shelf.by_topic", "shelf.topics", "");
	choose(t, card, "shelf.by_language", "shelf.languages", "");
	card_same_row(card);
	if (db_exists(t->db, &by_org, V(t->person->id, 1, 0)))
		choose(t, card, "shelf.own", "shelf.list", "o 0 ");
	return n;
}

/* ---- taking away ---- */

/* Looked at on every press: whose it is, and whether they still speak for it. */
static bool
removable(struct turn *t, struct resource *r)
{
	if (shelf_get(t, strtoll(t->value, NULL, 10), r) &&
	    (shelf_owns(t, r) || t->person->access & ADMINS))
		return true;
	gone(t);
	return false;
}

static void
remove_ask(struct turn *t)
{
	struct resource r;
	struct card *card;

	if (!removable(t, &r))
		return;
	card = words(t, "shelf.remove_sure", "title", r.title, NULL);
	choose(t, card, "engine.yes", "shelf.remove", t->value);
	choose(t, card, "engine.no", "shelf.card", t->value);
	card_same_row(card);
	say(t, card);
}

static void
remove_now(struct turn *t)
{
	struct resource r;
	struct card *card;

	if (!removable(t, &r))
		return;
	if (r.attachment)
		attach_drop(t, r.attachment);
	db_run(t->db, &drop, V(r.id));
	drop_words(t, r.id);
	audit(t, "shelf.remove", r.id);
	card = words(t, "shelf.removed", NULL);
	choose_command(t, card, "forum");
	edit(t, card);
}

/* ?start=r_NUMBER, from one coordinator to another; anybody else is told what the forum is. */
static void
linked(struct turn *t)
{
	struct resource r;

	if (!(t->person->access & SHELF_FOR))
		say(t, words(t, "forum.for_coordinators", NULL));
	else if (shelf_get(t, strtoll(t->value, NULL, 10), &r))
		shelf_show(t, &r);
	else
		gone(t);
}

static const struct action actions[] = {
    {"shelf.card", SHELF_FOR, show},
    {"shelf.list", SHELF_FOR, list_pressed},
    {"shelf.find", SHELF_FOR, find_pressed},
    {"shelf.topics", SHELF_FOR, show_topics},
    {"shelf.languages", SHELF_FOR, show_languages},
    {"shelf.remove_ask", SHELF_FOR, remove_ask},
    {"shelf.remove", SHELF_FOR, remove_now},
    {0},
};
static const struct flow *const flows[] = {&find_flow, NULL};

const struct feature feature_shelf = {
    .name = "shelf",
    .schema = &schema,
    .statements = statements,
    .actions = actions,
    .flows = flows,
    .link = "r",
    .linked = linked,
};
