/* /help: made from the command table, for what this person may use. */
#include "base/memory.h"
#include "core/turn.h"

#include "core/help.h"

static void
help(struct turn *t)
{
	struct card *card = words(t, "help.title", NULL);
	const struct command *c;
	struct buf lines = {.maximum = 16384};

	for (int i = 0; (c = help_command(t, i)); i++) {
		if (c->hidden || !help_allowed(t, c))
			continue;
		buf_string(&lines, "\n/");
		buf_string(&lines, c->name);
		buf_string(&lines, " — ");
		buf_string(&lines, words_flat(t, arena_join(t->arena, "help.", c->name), NULL));
	}
	card_text(card, lines.bytes ? lines.bytes : "", 0);
	buf_free(&lines);
	choose_menu(t, card);
	say(t, card);
}

static const struct command commands[] = {
    {.name = "help", .run = help, .public_place = true},
    {0},
};

const struct feature feature_help = {.name = "help", .commands = commands};
