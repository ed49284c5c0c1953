/* /stories: what authors let everybody read, one at a time, the reader's language first; the way to
 * one's own; exhibitions; and the file for the website. */
#include "announce.h"
#include "stories.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/zone.h"
#include "core/audit.h"
#include "core/people.h"

/* Nothing is read by others before the jury is done: a judge who found a text here would learn its
 * byline. */
#define DECIDED " s.state = 3 AND (SELECT stage FROM season WHERE id = s.season) = 2"
/* ?1 the language, ?2 now, ?3 the use, ?4 a season or 0. */
#define GIVEN \
	DECIDED " AND (?4 = 0 OR s.season = ?4) AND EXISTS (SELECT 1 FROM story_use u" \
		" WHERE u.story = s.id AND u.what = ?3 AND u.expires > ?2)"
#define NEAR "CASE WHEN s.language = ?1 THEN 0 WHEN s.translated = ?1 THEN 1 ELSE 2 END"
static struct sql next_one = {"SELECT s.id, " NEAR ", s.number FROM story s WHERE" GIVEN
			      " AND (" NEAR ", s.number) > (?5, ?6) ORDER BY 2, 3 LIMIT 2"};
static struct sql outside = {
    "SELECT s.id FROM story s WHERE" DECIDED " AND EXISTS (SELECT 1 FROM"
    " story_use u WHERE u.story = s.id AND u.what IN (1, 3) AND u.expires > ?) ORDER BY s.number"};
static struct sql media = {
    "SELECT ending, type, content FROM story_media WHERE story = ? ORDER BY id"};
static struct sql exhibitions = {
    "SELECT x.season, e.id, e.title FROM season_event x JOIN event e ON e.id = x.event"
    " WHERE e.finish > ? AND e.cancelled = 0 ORDER BY e.start LIMIT 5"};
static struct sql shown_at = {
    "SELECT season FROM season_event WHERE event = ? ORDER BY season DESC"};
static struct sql *const statements[] = {
    &next_one, &outside, &media, &exhibitions, &shown_at, NULL};

enum { EXPORT_MOST = 64 << 20 };

/* ---- reading ---- */

static char *
place(struct turn *t, int64_t use, int64_t season, int64_t near, int64_t number)
{
	return arena_print(t->arena, "%lld %lld %lld %lld", (long long)use, (long long)season,
	    (long long)near, (long long)number);
}

/* The value is where the reader is, not what was read: nothing of it is stored. */
static void
read_next(struct turn *t)
{
	char *at;
	int64_t use = strtoll(t->value, &at, 10), season = strtoll(at, &at, 10);
	int64_t near = strtoll(at, &at, 10), number = strtoll(at, NULL, 10);
	struct rows *q;
	struct story s;
	struct card *card;

	if (use != USE_WEBSITE && use != USE_EXHIBITION)
		return;
	q = db_query(t->db, &next_one, V(t->language, t->now, use, season, near, number));
	if (!db_next(q) || !story_get(t, db_int(q, 0), &s)) {
		say(t, words(t, "stories.none", NULL));
		return;
	}
	near = db_int(q, 1);
	card = story_card(t, &s);
	if (near == 2)
		card_paragraph(
		    card, words(t, "engine.fallback_language", "language",
			      words_flat_in(t, s.language, "language.name", NULL), NULL));
	if (db_next(q))
		choose(
		    t, card, "stories.next", "stories.read", place(t, use, season, near, s.number));
	db_done(q);
	story_show_media(t, &s);
	story_show(t, &s, card);
}

/* ---- /stories ---- */

static void
writing(struct turn *t, struct card *card)
{
	struct season s;
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	const char *prompt, *prize;

	if (!season_now(t, &s) || s.stage != SEASON_OPEN || t->now >= s.closes)
		return;
	prompt = season_text(t, s.id, SEASON_PROMPT);
	prize = season_text(t, s.id, SEASON_PRIZE);
	card_paragraph(card,
	    words(t, "stories.season", "date",
		clock_date(t->arena, t->language, zone_find(t->zones, zones[0]), s.closes - 1),
		NULL));
	card_text(card, "\n", 0);
	card_lines(card, prompt);
	if (prize[0]) {
		card_text(card, "\n", 0);
		card_lines(card, prize);
	}
	if (!t->group && t->person->access & MEMBERS)
		choose(t, card, "stories.write", "story.write", "");
}

static void
shown(struct turn *t, struct card *card)
{
	struct rows *q = db_query(t->db, &exhibitions, V(t->now));

	while (db_next(q)) {
		choose_text(t, card,
		    words_flat(t, "stories.exhibition", "title", db_text(q, 2), NULL),
		    "events.card", arena_print(t->arena, "%lld", (long long)db_int(q, 1)));
		choose(t, card, "stories.there", "stories.read",
		    place(t, USE_EXHIBITION, db_int(q, 0), -1, 0));
		card_same_row(card);
	}
}

void
stories_choose(struct turn *t, struct card *card, int64_t event)
{
	struct rows *q = db_query(t->db, &shown_at, V(event));

	while (db_next(q)) {
		int64_t season = db_int(q, 0);

		if (db_exists(t->db, &next_one,
			V(t->language, t->now, (int)USE_EXHIBITION, season, -1, 0)))
			choose(t, card, "stories.there", "stories.read",
			    place(t, USE_EXHIBITION, season, -1, 0));
	}
}

static void
stories(struct turn *t)
{
	struct card *card = words(t, "stories.title", NULL);

	writing(t, card);
	if (db_exists(t->db, &next_one, V(t->language, t->now, (int)USE_WEBSITE, 0, -1, 0)))
		choose(t, card, "stories.read", "stories.read", place(t, USE_WEBSITE, 0, -1, 0));
	else
		card_paragraph(card, words(t, "stories.none", NULL));
	shown(t, card);
	if (!t->group && t->person->access & MEMBERS)
		story_choose_mine(t, card, t->language);
	if (!t->group && t->person->access & (COORDINATORS | ADMINS))
		choose(t, card, "story.checks", "redact.list", "");
	if (!t->group && t->person->access & JUDGES)
		choose_command(t, card, "judge");
	if (!t->group && t->person->access & ADMINS)
		choose(t, card, "stories.season_menu", "season.menu", "");
	say(t, card);
}

/* ---- the file for the website ---- */

static void
json_text(struct buf *b, const char *name, const char *s)
{
	buf_print(b, ", \"%s\": \"", name);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_print(b, "\\%c", c);
		else if (c < 0x20)
			buf_print(b, "\\u%04x", c);
		else
			buf_add(b, s, 1);
	}
	buf_string(b, "\"");
}

static void
json_media(struct turn *t, struct buf *b, const struct story *s)
{
	struct rows *q = db_query(t->db, &media, V(s->id));
	int n = 0;

	buf_string(b, ", \"media\": [");
	while (db_next(q)) {
		struct blob plain =
		    unseal_person_bytes(t, s->person, "story_media.content", db_blob(q, 2));

		if (!plain.bytes)
			continue;
		buf_print(b, "%s{\"type\": \"%s\", \"base64\": \"", n++ ? ", " : "", db_text(q, 1));
		buf_base64(b, plain.bytes, plain.length);
		buf_string(b, "\"}");
	}
	buf_string(b, "]");
}

/* Nothing of the author but what was given for this: no organisation, no date but the end. */
static void
json_story(struct turn *t, struct buf *b, const struct story *s)
{
	buf_print(b,
	    "{\"number\": %lld, \"rank\": %lld, \"website_until\": %lld,"
	    " \"social_until\": %lld",
	    (long long)s->number, (long long)s->rank, (long long)s->until[USE_WEBSITE],
	    (long long)s->until[USE_SOCIAL]);
	json_text(b, "language", s->language);
	json_text(b, "title", s->title);
	json_text(b, "by", s->until[USE_NAME] && s->name[0] ? s->name : s->pseudonym);
	json_text(b, "text", s->text);
	if (s->translation[0]) {
		json_text(b, "translated", s->translated);
		json_text(b, "translation", s->translation);
	}
	json_media(t, b, s);
	buf_string(b, "}");
}

static void export(struct turn *t)
{
	struct buf b = {.maximum = EXPORT_MOST};
	struct rows *q;
	struct story s;
	struct card *card;
	int n = 0;

	if (announce_must_confirm(t, "stories.export", ""))
		return;
	buf_string(&b, "[");
	q = db_query(t->db, &outside, V(t->now));
	while (db_next(q))
		if (story_get(t, db_int(q, 0), &s)) {
			buf_string(&b, n++ ? ",\n" : "\n");
			json_story(t, &b, &s);
			story_told_out(t, &s);
		}
	buf_string(&b, "\n]\n");
	audit(t, "story.export", 0);
	card = words_n(t, "stories.exported", n, NULL);
	/* No key, as for pictures and voices: what is withdrawn leaves no number to fetch it by. */
	card_file(card, file_new(t, "stories.json", b.bytes, b.length), "stories.json",
	    "application/json", NULL);
	if (b.overflowed)
		turn_fail(t, "the export of stories is too big");
	buf_free(&b);
	say(t, card);
}

static const struct command commands[] = {
    {.name = "stories", .run = stories, .public_place = true},
    {0},
};
static const struct action actions[] = {
    {"stories.read", ANYONE, read_next},
    {"stories.export", ADMINS, export},
    {0},
};

const struct feature feature_stories = {
    .name = "stories",
    .statements = statements,
    .commands = commands,
    .actions = actions,
};
