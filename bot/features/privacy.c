/* /privacy, /mydata, /forgetme: honest words with the live numbers, a complete export, real deletion. */
#include "core/mine.h"
#include "core/people.h"
#include "core/turn.h"

#include <string.h>

#include "base/conf.h"

static void
privacy(struct turn *t)
{
	static const char *const periods[] = {
	    "visitor", "event", "attendance", "ticket", "draft", "audit", "backup", NULL};
	struct card *card = words(t, "privacy.text", NULL);

	for (const char *const *p = periods; *p; p++) {
		int64_t days = conf_number(t->conf, "retention", NULL, *p);

		card_line(
		    card, words_n(t, arena_print(t->arena, "privacy.keep_%s", *p), days, NULL));
	}
	choose(t, card, "privacy.mydata", "engine.command", "mydata");
	choose(t, card, "privacy.forgetme", "engine.command", "forgetme");
	card_same_row(card);
	say(t, card);
}

/* Everything, as a file: what is stored is what is shown. */
static void
mydata(struct turn *t)
{
	struct card *card = words(t, "mydata.title", NULL);
	struct blob json = mine_json(t, t->person->id);

	/* No key: it goes out once, and no number of it is kept. */
	card_file(card, file_new(t, "mydata.json", json.bytes, json.length), "mydata.json",
	    "application/json", NULL);
	card->flags |= CARD_PROTECT;
	say_private(t, card);
}

static void
forgetme(struct turn *t)
{
	struct card *card = words(t, "forgetme.ask", NULL);

	choose(t, card, "forgetme.yes", "privacy.forget", "");
	choose(t, card, "forgetme.no", "engine.command", "privacy");
	say(t, card);
}

/* The last word goes to a chat without a person: nothing is kept of it either. */
static void
forget(struct turn *t)
{
	struct card *card = words(t, "forgetme.done", NULL);

	flow_end(t);
	people_erase(t, t->person->id);
	say_erased(t, card);
}

static struct sql old = {
    "SELECT id FROM person WHERE joined = 0 AND access = 0 AND seen < ? LIMIT 500"};
static struct sql *const statements[] = {&old, NULL};

static void
prune_visitors(struct turn *t)
{
	struct rows *q = db_query(
	    t->db, &old, V(t->now - 86400 * conf_number(t->conf, "retention", NULL, "visitor")));

	while (db_next(q))
		people_erase(t, db_int(q, 0));
}

static const struct command commands[] = {
    {.name = "privacy", .run = privacy},
    {.name = "mydata", .run = mydata, .hidden = true},
    {.name = "forgetme", .run = forgetme, .hidden = true, .however_late = true},
    {0},
};
static const struct action actions[] = {
    {"privacy.forget", ANYONE, forget},
    {0},
};
static const struct job jobs[] = {
    {.name = "privacy.visitors", .every_s = 86400, .run = prune_visitors},
    {0},
};

const struct feature feature_privacy = {
    .name = "privacy",
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .jobs = jobs,
};
