/* /pause and /stop: nothing is pushed until a date, or until the person says so; it resumes by itself. */
#include "core/people.h"
#include "core/turn.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/zone.h"

enum { DAY = 86400 };

static void
pause_menu(struct turn *t)
{
	struct card *card =
	    words(t, t->person->paused_until > t->now ? "pause.now" : "pause.ask", NULL);

	choose(t, card, "pause.week", "pause.until", "7");
	choose(t, card, "pause.month", "pause.until", "30");
	card_same_row(card);
	choose(t, card, "pause.for_good", "pause.until", "0");
	if (t->person->paused_until > t->now)
		choose(t, card, "pause.resume", "pause.resume", "");
	say(t, card);
}

static void
until(struct turn *t)
{
	int64_t days = strtoll(t->value, NULL, 10);
	const struct zone *zone =
	    zone_find(t->zones, conf_list(t->conf, "bot", NULL, "time_zones")[0]);
	struct card *card;

	if (days <= 0 || days > 366 || !zone) {
		people_pause(t, t->person->id, PAUSED_FOR_GOOD);
		card = words(t, "pause.stopped", NULL);
	} else {
		people_pause(t, t->person->id, t->now + days * DAY);
		card = words(t, "pause.paused", "date",
		    clock_date(t->arena, t->language, zone, t->now + days * DAY), NULL);
	}
	choose(t, card, "pause.resume", "pause.resume", "");
	edit(t, card);
}

static void
stop(struct turn *t)
{
	struct card *card = words(t, "pause.stopped", NULL);

	people_pause(t, t->person->id, PAUSED_FOR_GOOD);
	choose(t, card, "pause.resume", "pause.resume", "");
	say(t, card);
}

static void
resume(struct turn *t)
{
	people_pause(t, t->person->id, 0);
	edit(t, words(t, "pause.resumed", NULL));
}

static const struct command commands[] = {
    {.name = "pause", .run = pause_menu, .however_late = true},
    {.name = "stop", .run = stop, .hidden = true, .however_late = true},
    {0},
};
static const struct action actions[] = {
    {"pause.until", ANYONE, until},
    {"pause.resume", ANYONE, resume},
    {0},
};

const struct feature feature_pause = {.name = "pause", .commands = commands, .actions = actions};
