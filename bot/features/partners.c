/* /partners: the directory, a front door that needs no account. Asking a coordinator opens a ticket. */
#include "core/people.h"
#include "core/ticket.h"
#include "core/turn.h"

#include <stdlib.h>
#include <string.h>

#include "base/partners.h"
#include "base/text.h"
#include "base/words.h"

enum { A_PAGE = 8 };

static void
list(struct turn *t, const char *search, size_t from)
{
	const char *folded = text_fold(t->arena, search);
	struct card *card = search[0] ? words(t, "partners.found", "search", search, NULL)
				      : words(t, "partners.title", NULL);
	size_t seen = 0, shown = 0;
	bool more = false;

	for (size_t i = 0; i < partners_count(t->partners); i++) {
		const struct partner *p = partners_at(t->partners, i);

		if (!partner_fits(t->arena, p, folded) || seen++ < from)
			continue;
		if (shown == A_PAGE) {
			more = true;
			break;
		}
		shown++;
		choose_text(t, card,
		    text_isolate(t->arena, partner_words(&p->name, t->language, NULL)),
		    "partners.card", p->id);
	}
	if (!shown) {
		card = words(t, "partners.none", "search", search, NULL);
		choose(t, card, "partners.all", "partners.list", "0 ");
	}
	if (more)
		choose(t, card, "engine.more", "partners.list",
		    arena_print(t->arena, "%zu %.100s", from + shown, search));
	say(t, card);
}

static void
partners(struct turn *t)
{
	list(t, t->rest, 0);
}

static void
more(struct turn *t)
{
	char *end;
	size_t from = strtoul(t->value, &end, 10);

	list(t, *end == ' ' ? end + 1 : "", from);
}

static void
fallback_note(struct turn *t, struct card *card, const char *fell)
{
	if (fell)
		card_line(card, words(t, "engine.fallback_language", "language",
				    words_flat_in(t, fell, "language.name", NULL), NULL));
}

static void
spoken(struct turn *t, struct card *card, const struct partner *p)
{
	char *copy = arena_string(t->arena, p->languages), *save = NULL;
	const char *names = "";

	for (char *code = strtok_r(copy, " ", &save); code; code = strtok_r(NULL, " ", &save))
		if (words_speaks(t->words, code))
			names = arena_print(t->arena, "%s%s%s", names, *names ? ", " : "",
			    words_flat_in(t, code, "language.name", NULL));
	if (*names)
		card_line(card, words(t, "partners.languages", "languages", names, NULL));
}

static void
show(struct turn *t)
{
	const struct partner *p = partners_find(t->partners, t->value);
	struct card *card;
	const char *fell = NULL, *text;

	if (!p) {
		list(t, "", 0);
		return;
	}
	card = card_new(t->arena);
	if (!strcmp(t->language, "ar") || !strcmp(t->language, "he"))
		card->flags |= CARD_RTL;
	card_text(card, partner_words(&p->name, t->language, NULL), SPAN_BOLD | SPAN_NAME);
	text = partner_words(&p->text, t->language, &fell);
	if (text) {
		card_text(card, "\n", 0);
		card_name(card, text);
		fallback_note(t, card, fell);
	}
	for (size_t i = 0; i < p->programme_count; i++) {
		card_text(card, "\n• ", 0);
		card_name(card, partner_words(&p->programmes[i].name, t->language, NULL));
		text = partner_words(&p->programmes[i].text, t->language, NULL);
		if (text) {
			card_text(card, " — ", 0);
			card_name(card, text);
		}
	}
	spoken(t, card, p);
	if (p->alumni_programme)
		card_line(card, words(t, "partners.alumni", NULL));
	if (p->site) {
		card_text(card, "\n", 0);
		card_link(card, p->site, p->site);
	}
	choose(t, card, "partners.ask", "partners.ask", p->id);
	choose(t, card, "partners.all", "partners.list", "0 ");
	say(t, card);
}

/* ---- asking the coordinator: role to role, both sides unnamed ---- */

static void
ask_question(struct turn *t)
{
	say(t, words(t, "partners.question", NULL));
}

static enum next
question(struct turn *t)
{
	const char *org = flow_get(t, "org");

	if (!t->text[0])
		return flow_again(t, "engine.again");
	ticket_open(t, COORDINATORS, org, "partners", t->text);
	say(t, words(t, "partners.asked", NULL));
	return NEXT;
}

static const struct step ask_steps[] = {
    {.name = "question", .ask = ask_question, .answer = question, .takes_numbers = true},
    {0},
};
static const struct flow ask_flow = {.name = "partners.ask", .steps = ask_steps};

static void
ask(struct turn *t)
{
	if (!partners_find(t->partners, t->value)) {
		list(t, "", 0);
		return;
	}
	flow_begin(t, &ask_flow);
	flow_set(t, "org", t->value);
}

static const struct command commands[] = {
    {.name = "partners", .run = partners, .public_place = true},
    {0},
};
static const struct action actions[] = {
    {"partners.card", ANYONE, show},
    {"partners.list", ANYONE, more},
    {"partners.ask", ANYONE, ask},
    {0},
};
static const struct flow *const flows[] = {&ask_flow, NULL};

const struct feature feature_partners = {
    .name = "partners",
    .commands = commands,
    .actions = actions,
    .flows = flows,
};
