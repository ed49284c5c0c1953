/* /language: chosen at any time, kept until changed. */
#include "core/people.h"
#include "core/turn.h"

#include "base/words.h"

static void
language(struct turn *t)
{
	struct card *card = words(t, "language.ask", NULL);

	for (int i = 0; i < words_count(t->words); i++) {
		const char *code = words_language(t->words, i);

		choose_text(
		    t, card, words_flat_in(t, code, "language.name", NULL), "language.set", code);
		if (i)
			card_same_row(card);
	}
	say(t, card);
}

static void
set(struct turn *t)
{
	struct card *card;

	if (!words_speaks(t->words, t->value)) {
		language(t);
		return;
	}
	people_set_language(t, t->person->id, t->value);
	card = words(t, "language.set", NULL);
	choose_menu(t, card);
	edit(t, card);
}

static const struct command commands[] = {
    {.name = "language", .run = language},
    {0},
};
static const struct action actions[] = {
    {"language.set", ANYONE, set},
    {0},
};

const struct feature feature_language = {
    .name = "language", .commands = commands, .actions = actions};
