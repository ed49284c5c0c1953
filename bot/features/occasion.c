/* One event: what is stored of those written in chat, and the public card of any. */
#include "occasion.h"

#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/text.h"
#include "base/words.h"
#include "core/people.h"

static const char *const steps[] = {
    "CREATE TABLE hosted(event INTEGER PRIMARY KEY REFERENCES event(id) ON DELETE CASCADE,"
    " author INTEGER REFERENCES person(id) ON DELETE SET NULL, org TEXT NOT NULL,"
    " kind INTEGER NOT NULL, capacity INTEGER NOT NULL, hours INTEGER NOT NULL,"
    " audience INTEGER NOT NULL, languages TEXT NOT NULL, interpretation INTEGER NOT NULL,"
    " access TEXT NOT NULL, exact BLOB, link BLOB, door BLOB) STRICT;"
    "CREATE INDEX hosted_author ON hosted(author);"
    "CREATE TABLE hosted_text(event INTEGER NOT NULL REFERENCES event(id) ON DELETE CASCADE,"
    " language TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY(event, language)) STRICT, WITHOUT ROWID;",
    NULL,
};
#define RETENTION "[retention] event days after its end"
#define UNTIL_OVER "until the event is over or called off"
static const struct column columns[] = {
    {"hosted.event", "which event was written in chat", RETENTION, NOT_PERSONAL},
    {"hosted.author", "who wrote it and may change it", RETENTION, WITH_PERSON},
    {"hosted.org", "which organisation invites", RETENTION, NOT_PERSONAL},
    {"hosted.kind", "joint or uni-national, as its author says", RETENTION, NOT_PERSONAL},
    {"hosted.capacity", "how many fit", RETENTION, NOT_PERSONAL},
    {"hosted.hours", "how long before the place is given out", RETENTION, NOT_PERSONAL},
    {"hosted.audience", "who may see it", RETENTION, NOT_PERSONAL},
    {"hosted.languages", "languages spoken there", RETENTION, NOT_PERSONAL},
    {"hosted.interpretation", "whether somebody interprets", RETENTION, NOT_PERSONAL},
    {"hosted.access", "notes on getting there and in", RETENTION, NOT_PERSONAL},
    {"hosted.exact", "the exact place, sealed, for those who come", UNTIL_OVER, WHEN_DONE},
    {"hosted.link", "the online link, sealed, for those who come", UNTIL_OVER, WHEN_DONE},
    {"hosted.door", "the code of the door, sealed", UNTIL_OVER, WHEN_DONE},
    {"hosted_text.event", "which event", RETENTION, NOT_PERSONAL},
    {"hosted_text.language", "language of title and text", RETENTION, NOT_PERSONAL},
    {"hosted_text.title", "title", RETENTION, NOT_PERSONAL},
    {"hosted_text.text", "description", RETENTION, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"occasion", steps, columns};

static struct sql get = {
    "SELECT e.start, e.finish, e.sequence, h.author, h.capacity, h.hours, h.kind, h.audience,"
    " e.cancelled, e.all_day, e.once_only, h.event IS NOT NULL, h.interpretation,"
    " h.exact IS NOT NULL, h.link IS NOT NULL, e.calendar, e.uid, e.recurrence, e.zone, e.wall,"
    " e.url, h.org, e.title, e.text, e.place, h.languages, h.access"
    " FROM event e LEFT JOIN hosted h ON h.event = e.id WHERE e.id = ?"};
static struct sql texts = {"SELECT language, title, text FROM hosted_text WHERE event = ?"};
static struct sql *const statements[] = {&get, &texts, NULL};

enum { TEXT_MOST = 1500, LANGUAGES_MOST = 8 };

static const char *
text_at(struct rows *q, int column)
{
	const char *text = db_text(q, column);

	return text ? text : "";
}

bool
occasion_get(struct turn *t, int64_t id, struct occasion *o)
{
	struct rows *q = db_query(t->db, &get, V(id));
	const char *org;

	*o = (struct occasion){.id = id};
	if (!db_next(q))
		return false;
	o->start = db_int(q, 0);
	o->finish = db_int(q, 1);
	o->sequence = db_int(q, 2);
	o->author = db_int(q, 3);
	o->capacity = db_int(q, 4);
	o->hours = db_int(q, 5);
	o->kind = (enum occasion_kind)db_int(q, 6);
	o->audience = (unsigned)db_int(q, 7);
	o->cancelled = db_int(q, 8);
	o->all_day = db_int(q, 9);
	o->once_only = db_int(q, 10);
	o->hosted = db_int(q, 11);
	o->interpretation = db_int(q, 12);
	o->has_exact = db_int(q, 13);
	o->has_link = db_int(q, 14);
	o->calendar = text_at(q, 15);
	o->uid = text_at(q, 16);
	o->recurrence = text_at(q, 17);
	o->zone = text_at(q, 18);
	o->wall = text_at(q, 19);
	o->url = text_at(q, 20);
	o->org = text_at(q, 21);
	o->title = text_at(q, 22);
	o->text = text_at(q, 23);
	o->place = text_at(q, 24);
	o->languages = text_at(q, 25);
	o->access = text_at(q, 26);
	db_done(q);
	org = o->hosted ? o->org : conf_text(t->conf, "calendar", o->calendar, "org");
	o->org = org ? org : "";
	return true;
}

bool
occasion_visible(const struct occasion *o, unsigned access)
{
	return o->audience == ANYONE || (o->audience & access);
}

unsigned
occasion_access(const struct turn *t)
{
	return t->group || !t->person ? ANYONE : t->person->access;
}

/* The title (or the text) for a reader of that language. */
static const char *
translated(
    struct turn *t, const char *language, const struct occasion *o, bool title, const char **fell)
{
	struct translated all[LANGUAGES_MOST];
	size_t n = 0;
	struct rows *q;
	const char *best;

	if (fell)
		*fell = NULL;
	if (!o->hosted)
		return title ? o->title : o->text;
	q = db_query(t->db, &texts, V(o->id));
	while (n < LANGUAGES_MOST && db_next(q)) {
		all[n].language = db_text(q, 0);
		all[n++].text = db_text(q, title ? 1 : 2);
	}
	db_done(q);
	best = translation(t, language, all, n, fell);
	return best ? best : title ? o->title : o->text;
}

const char *
occasion_title(struct turn *t, const char *language, const struct occasion *o)
{
	return translated(t, language, o, true, NULL);
}

const char *
occasion_text(struct turn *t, const char *language, const struct occasion *o, const char **fell)
{
	return translated(t, language, o, false, fell);
}

char *
occasion_when(struct turn *t, const char *language, const struct occasion *o)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");

	return clock_when(t->arena, language, t->zones, zones, o->zone[0] ? o->zone : zones[0],
	    o->start, o->finish, o->all_day);
}

/* What is spoken there, in words. */
static const char *
spoken(struct turn *t, const char *language, const char *codes)
{
	const char *out = "";

	while (*codes) {
		size_t n = strcspn(codes, " ");
		const char *code = arena_copy(t->arena, codes, n);

		if (words_speaks(t->words, code))
			out = arena_print(t->arena, "%s%s%s", out, *out ? ", " : "",
			    words_flat_in(t, code, "language.name", NULL));
		codes += n + (codes[n] == ' ');
	}
	(void)language;
	return out;
}

void
occasion_details(struct turn *t, struct card *card, const char *language, const struct occasion *o)
{
	static const char *const kinds[] = {
	    NULL, "newevent.joint_line", "newevent.uninational_line"};

	if (o->kind != OCCASION_UNSAID)
		card_line(card, words_in(t, language, kinds[o->kind], NULL));
	if (o->has_link)
		card_line(card, words_in(t, language, "events.online", NULL));
	if (o->has_exact || o->has_link)
		card_line(card, words_n_in(t, language, "events.exact_later", o->hours, NULL));
	if (o->languages[0])
		card_line(card, words_in(t, language, "events.languages", "languages",
				    spoken(t, language, o->languages), NULL));
	if (o->interpretation)
		card_line(card, words_in(t, language, "events.interpretation", NULL));
	if (o->access[0])
		card_line(card, words_in(t, language, "events.access", "text", o->access, NULL));
}

struct card *
occasion_card(struct turn *t, const char *language, const struct occasion *o)
{
	struct card *card = card_new(t->arena);
	const char *fell, *text = occasion_text(t, language, o, &fell);

	if (!strcmp(language, "ar") || !strcmp(language, "he"))
		card->flags |= CARD_RTL;
	card_text(card, occasion_title(t, language, o), SPAN_BOLD | SPAN_NAME);
	if (o->cancelled)
		card_line(card, words_in(t, language, "events.cancelled", NULL));
	card_text(card, "\n", 0);
	card_text(card, occasion_when(t, language, o), 0);
	if (o->place[0])
		card_line(card, words_in(t, language, "events.place", "place", o->place, NULL));
	if (o->org[0])
		card_line(card, words_in(t, language, "events.org", "org",
				    announce_org(t, language, o->org), NULL));
	occasion_details(t, card, language, o);
	if (text[0]) {
		card_text(card, "\n\n", 0);
		card_name(card, arena_copy(t->arena, text, text_cut(text, TEXT_MOST)));
		if (fell)
			card_line(
			    card, words_in(t, language, "engine.fallback_language", "language",
				      words_flat_in(t, fell, "language.name", NULL), NULL));
	}
	if (o->once_only)
		card_paragraph(card, words_in(t, language, "events.once_only", NULL));
	if (o->url[0]) {
		card_text(card, "\n", 0);
		card_link(card, o->url, o->url);
	}
	return card;
}

bool
occasion_may(struct turn *t, const struct occasion *o)
{
	if (!o->hosted || !t->person)
		return false;
	return people_holds(t, t->person->id, COORDINATORS, o->org) || (t->person->access & ADMINS);
}

char *
occasion_key(struct turn *t, int64_t id)
{
	return arena_print(t->arena, "%lld", (long long)id);
}

void
occasion_gone(struct turn *t)
{
	struct card *card = words(t, "events.gone", NULL);

	choose_command(t, card, "events");
	say(t, card);
}

const struct feature feature_occasion = {
    .name = "occasion",
    .schema = &schema,
    .statements = statements,
};
