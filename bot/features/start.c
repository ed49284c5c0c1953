/* /start: the first minute. Three languages first, then what this is, then look around or join with a code. */
#include "core/join.h"
#include "core/people.h"
#include "core/turn.h"

#include <string.h>

#include "base/partners.h"
#include "base/text.h"
#include "base/words.h"

static void
ask_language(struct turn *t)
{
	struct card *card = card_new(t->arena);

	for (int i = 0; i < words_count(t->words); i++)
		card_line(card, words_in(t, words_language(t->words, i), "start.hello", NULL));
	for (int i = 0; i < words_count(t->words); i++) {
		const char *code = words_language(t->words, i);

		choose_text(
		    t, card, words_flat_in(t, code, "language.name", NULL), "start.language", code);
		if (i)
			card_same_row(card);
	}
	say(t, card);
}

/* `first`: the language was chosen just now, and nothing else is stored so far. */
static void
introduce(struct turn *t, bool first)
{
	struct card *card = words(t, "start.what", NULL);

	card_line(card, words(t, "start.not", NULL));
	first = first && !(t->person->access & MEMBERS);
	card_line(card, words(t, first ? "start.stored" : "start.stored_where", NULL));
	if (t->person->access & MEMBERS) {
		choose_menu(t, card);
	} else {
		choose(t, card, "start.look", "start.look", "");
		choose(t, card, "start.join", "start.join", "");
		card_same_row(card);
	}
	say(t, card);
}

static void
start(struct turn *t)
{
	flow_end(t);
	if (!t->person->language[0])
		ask_language(t);
	else
		introduce(t, false);
}

static void
chose_language(struct turn *t)
{
	if (!words_speaks(t->words, t->value)) {
		ask_language(t);
		return;
	}
	people_set_language(t, t->person->id, t->value);
	introduce(t, true);
}

static void
look(struct turn *t)
{
	struct card *card = words(t, "start.looking", NULL);

	choose_menu(t, card);
	say(t, card);
}

/* ---- joining ---- */

static void
ask_code(struct turn *t)
{
	say(t, words(t, "join.ask", NULL));
}

static const char *
org_name(struct turn *t, const char *id)
{
	const struct partner *p = partners_find(t->partners, id);

	return p ? partner_words(&p->name, t->language, NULL) : id;
}

/* Before acting on a code the bot says what it will do, and asks. */
static bool
show_offer(struct turn *t, const char *code)
{
	struct join_offer offer;
	struct card *card;
	const char *role;

	if (strlen(code) != JOIN_CODE_CHARACTERS || !join_look(t, code, &offer))
		return false;
	role = words_flat(t, arena_print(t->arena, "role.%s", people_role_name(offer.role)), NULL);
	card = words(t, "join.offer", "role", role, "org",
	    offer.org[0] ? org_name(t, offer.org) : words_flat(t, "join.every_org", NULL), NULL);
	card_line(card, words(t, "join.stored", NULL));
	choose(t, card, "join.yes", "start.joined", code);
	choose(t, card, "join.no", "start.look", "");
	card_same_row(card);
	say(t, card);
	return true;
}

static enum next
code_typed(struct turn *t)
{
	const char *code = t->text;

	if (!strncmp(code, "j_", 2))
		code += 2;
	if (show_offer(t, code))
		return DONE;
	return flow_again(t, "join.bad");
}

static const struct step join_steps[] = {
    {.name = "code", .ask = ask_code, .answer = code_typed},
    {0},
};
static const struct flow join_flow = {.name = "start.join", .steps = join_steps};

static void
join(struct turn *t)
{
	flow_begin(t, &join_flow);
}

static void
joined(struct turn *t)
{
	struct card *card;

	if (!join_use(t, t->value)) {
		card = words(t, "join.bad", NULL);
		choose_menu(t, card);
		say(t, card);
		return;
	}
	flow_end(t);
	card = words(t, "join.done", NULL);
	card_line(card, words(t, "join.next", NULL));
	choose(t, card, "profile.open", "profile.open", "");
	choose_menu(t, card);
	say(t, card);
}

/* ?start=j_CODE */
static void
linked(struct turn *t)
{
	if (!t->person->language[0])
		people_set_language(t, t->person->id, t->language);
	if (!show_offer(t, t->value))
		say(t, words(t, "join.bad", NULL));
}

static const struct command commands[] = {
    {.name = "start", .run = start},
    {0},
};
static const struct action actions[] = {
    {"start.language", ANYONE, chose_language},
    {"start.look", ANYONE, look},
    {"start.join", ANYONE, join},
    {"start.joined", ANYONE, joined},
    {0},
};
static const struct flow *const flows[] = {&join_flow, NULL};

const struct feature feature_start = {
    .name = "start",
    .commands = commands,
    .actions = actions,
    .flows = flows,
    .link = "j",
    .linked = linked,
};
