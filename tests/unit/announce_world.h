/* Two coordinators of one organisation, a second account of one of them, and a reader; and what they
 * type to hand an announcement in, look at it and approve it. Included by one test program each. */
#ifndef ANNOUNCE_WORLD_H
#define ANNOUNCE_WORLD_H

#include "unit.h"

#include "core/approval.h"
#include "core/join.h"
#include "core/post.h"
#include "core/turn.h"

#include "world.h"
#include "every_feature.h"

static const struct feature *const *const world_features = features;

enum { CORA = 1, DANA, TWIN, READER, DAY = 86400 };
static char code[40];

static void
people_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t id = CORA; id <= READER; id++) {
		people_set_language(t, id, "en");
		if (id != CORA)
			people_join(t, id, "arava");
		if (id != CORA && id < READER)
			people_grant(t, id, COORDINATORS, "arava");
	}
	consent_set(t, READER, CONSENT_ANNOUNCEMENTS, true);
	snprintf(code, sizeof(code), "%s", join_make(t, COORDINATORS, "arava", 1, 100));
}

/* Cora, a second coordinator, a second account of Cora's that nobody knows to be hers, a reader. */
static struct world *
coordinators_with(const char *more)
{
	struct world *w = world_new_with(more);
	char start[60];

	world_says(w, "cora", "/help");
	world_says(w, "dana", "/help");
	world_says(w, "twin", "/help");
	world_says(w, "reader", "/help");
	assert_true(engine_turn(w->engine, people_turn, NULL));
	snprintf(start, sizeof(start), "/start j_%s", code);
	world_says(w, "cora", start);
	world_says(w, "cora", "#1");
	return w;
}

WORLD_UNUSED static struct world *
coordinators(void)
{
	return coordinators_with("");
}

static void
types(struct world *w, const char *who, const char *const *lines)
{
	for (; *lines; lines++)
		world_says(w, who, *lines);
}

#define TYPES(w, who, ...) types(w, who, (const char *const[]){__VA_ARGS__, NULL})

/* `when` is what is pressed or typed at that question. */
WORLD_UNUSED static void
hands_in(struct world *w, const char *when)
{
	TYPES(w, "cora", "/announce", "#10", "The *bus* leaves at 8", "#1", "#1", "#1", "#1", when,
	    "#1");
}

WORLD_UNUSED static int
announced(struct world *w)
{
	int n = 0;

	for (int i = 0; i < w->count; i++)
		n += w->sent[i].class == CLASS_ANNOUNCEMENT && w->sent[i].op == OP_SEND;
	return n;
}

/* Opens what waits; the card with the buttons. */
WORLD_UNUSED static struct sent *
looks(struct world *w, const char *who)
{
	TYPES(w, who, "/approve", "#1");
	return world_last(w, who);
}

#endif
