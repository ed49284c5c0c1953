/* /help: made from the command table, for what this person may use. */
#include "core/turn.h"

#include "core/help.h"

static void
help(struct turn *t)
{
	struct card *card = words(t, "help.title", NULL);
	const struct command *c;

	for (int i = 0; (c = help_command(t, i)); i++) {
		if (c->hidden || !help_allowed(t, c))
			continue;
		card_text(card, "\n/", 0);
		card_text(card, c->name, 0);
		card_text(card, " — ", 0);
		card_append(card, words(t, arena_print(t->arena, "help.%s", c->name), NULL));
	}
	choose_menu(t, card);
	say(t, card);
}

static const struct command commands[] = {
    {.name = "help", .run = help, .public_place = true},
    {0},
};

const struct feature feature_help = {.name = "help", .commands = commands};
