/* The check before anybody reads a story: a coordinator of the author's organisation looks for what
 * could endanger, takes it out, adds a translation, or sends it back with a word. The author is
 * never named, and has the last word on every change. */
#include "stories.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/words.h"
#include "core/audit.h"
#include "core/people.h"

/* Never one's own; admins where the organisation has no other coordinator. ?1 is who asks. */
#define MAY_CHECK \
	" s.state IN (1, 2) AND s.person <> ?1 AND EXISTS (SELECT 1 FROM role r WHERE r.person = " \
	"?1" \
	" AND ((r.role = 2 AND r.org = s.org) OR (r.role = 16 AND NOT EXISTS (SELECT 1 FROM role " \
	"x" \
	" WHERE x.role = 2 AND x.org = s.org AND x.person <> s.person))))"
static struct sql waiting = {"SELECT s.id, s.number FROM story s WHERE s.state = 1 AND" MAY_CHECK
			     " ORDER BY s.number LIMIT 20"};
static struct sql may = {"SELECT 1 FROM story s WHERE s.id = ?2 AND" MAY_CHECK};
static struct sql *const statements[] = {&waiting, &may, NULL};

enum { TEXT_SCALARS = 12000 };

static void
list(struct turn *t)
{
	struct rows *q = db_query(t->db, &waiting, V(t->person->id));
	struct card *card = words(t, "redact.title", NULL);
	int n = 0;

	for (; db_next(q); n++)
		choose_text(t, card,
		    words_flat(t, "story.number", "number",
			arena_print(t->arena, "%lld", (long long)db_int(q, 1)), NULL),
		    "redact.look", arena_print(t->arena, "%lld", (long long)db_int(q, 0)));
	say(t, n ? card : words(t, "redact.none", NULL));
}

/* Looked at anew on every press. */
static bool
get(struct turn *t, const char *value, struct story *s)
{
	int64_t id = strtoll(value, NULL, 10);

	if (db_exists(t->db, &may, V(t->person->id, id)) && story_get(t, id, s))
		return true;
	say(t, words(t, "story.gone", NULL));
	return false;
}

static void
look(struct turn *t)
{
	struct story s;
	struct card *card;

	if (!get(t, t->value, &s))
		return;
	card = story_card(t, &s);
	story_show(t, &s, card);
	if (s.translation[0]) {
		card = words(t, "story.translation", NULL);
		card_text(card, "\n", 0);
		card_lines(card, s.translation);
		story_show(t, &s, card);
	}
	story_show_media(t, &s);
	card = words(t, "redact.what", NULL);
	choose(t, card, "redact.pass", "redact.pass", t->value);
	choose(t, card, "redact.change", "redact.change", t->value);
	card_same_row(card);
	choose(t, card, "redact.translate", "redact.translate", t->value);
	choose(t, card, "redact.back", "redact.back", t->value);
	card_same_row(card);
	say(t, card);
}

/* To the author, role to person. */
static void
tell_author(struct turn *t, const struct story *s, const char *key, const char *text)
{
	const char *language = language_of(t, s->person);
	struct card *card = words_in(t, language, key, "text", text, NULL);

	story_choose_mine(t, card, language);
	tell(t, s->person, CLASS_REMINDER, t->now + 30 * STORY_DAY, card);
}

static void
pass(struct turn *t)
{
	struct story s;

	if (!get(t, t->value, &s))
		return;
	if (s.state == STORY_CHECK) {
		story_set_state(t, &s, STORY_AUTHOR);
		audit(t, "story.check", s.number);
		tell_author(t, &s, "redact.passed_author", "");
	}
	edit(t, words(t, "redact.passed", NULL));
}

/* ---- changing, translating, sending back: one text each ---- */

static void
ask_language(struct turn *t)
{
	struct card *card = words(t, "redact.ask_language", NULL);

	for (int i = 0; i < words_count(t->words); i++)
		choose_answer_text(t, card,
		    words_flat_in(t, words_language(t->words, i), "language.name", NULL),
		    words_language(t->words, i));
	say(t, card);
}

static enum next
answer_language(struct turn *t)
{
	if (!t->chosen || !words_speaks(t->words, t->value))
		return flow_again(t, "relay.tap");
	flow_set(t, "language", t->value);
	return NEXT;
}

static void
ask_text(struct turn *t)
{
	say(t, words(t, arena_print(t->arena, "redact.ask_%s", flow_get(t, "what")), NULL));
}

static enum next
answer_text(struct turn *t)
{
	const char *what = flow_get(t, "what");
	struct story s;

	if (!t->text[0])
		return flow_again(t, "engine.again");
	if (!get(t, flow_get(t, "story"), &s))
		return DONE;
	audit(t, arena_print(t->arena, "story.%s", what), s.number);
	if (!strcmp(what, "back")) {
		story_set_text(t, &s, NULL);
		story_set_translation(t, &s, NULL, "");
		story_set_state(t, &s, STORY_DRAFT);
		tell_author(t, &s, "redact.came_back", t->text);
		say(t, words(t, "redact.sent_back", NULL));
		return DONE;
	}
	if (!strcmp(what, "change"))
		story_set_text(t, &s, t->text);
	else
		story_set_translation(t, &s, t->text, flow_get(t, "language"));
	/* What the author has not seen is not agreed to. */
	story_set_state(t, &s, STORY_CHECK);
	say(t, words(t, "redact.changed", NULL));
	t->value = flow_get(t, "story");
	look(t);
	return DONE;
}

static const struct step steps[] = {
    {.name = "language", .ask = ask_language, .answer = answer_language},
    {.name = "text", .ask = ask_text, .answer = answer_text, .takes_numbers = true},
    {0},
};
static const struct flow text_flow = {
    .name = "redact.text", .access = COORDINATORS | ADMINS, .steps = steps};
static const struct step text_steps[] = {
    {.name = "text", .ask = ask_text, .answer = answer_text, .takes_numbers = true},
    {0},
};
static const struct flow plain_flow = {
    .name = "redact.plain", .access = COORDINATORS | ADMINS, .steps = text_steps};

static void
begin(struct turn *t, const char *what)
{
	const char *id = arena_string(t->arena, t->value);
	struct story s;

	if (!get(t, id, &s))
		return;
	flow_begin(t, strcmp(what, "translate") ? &plain_flow : &text_flow);
	flow_set(t, "what", what);
	flow_set(t, "story", id);
}

static void
change(struct turn *t)
{
	begin(t, "change");
}

static void
translate(struct turn *t)
{
	begin(t, "translate");
}

static void
back(struct turn *t)
{
	begin(t, "back");
}

static const struct action actions[] = {
    {"redact.list", COORDINATORS | ADMINS, list},
    {"redact.look", COORDINATORS | ADMINS, look},
    {"redact.pass", COORDINATORS | ADMINS, pass},
    {"redact.change", COORDINATORS | ADMINS, change},
    {"redact.translate", COORDINATORS | ADMINS, translate},
    {"redact.back", COORDINATORS | ADMINS, back},
    {0},
};
static const struct flow *const flows[] = {&text_flow, &plain_flow, NULL};

const struct feature feature_redact = {
    .name = "redact",
    .statements = statements,
    .actions = actions,
    .flows = flows,
};
