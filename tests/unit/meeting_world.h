/* People who may meet, and a second network for some of them: for the tests of meeting. Included by
 * one test program each; everything is static. */
#ifndef MEETING_WORLD_H
#define MEETING_WORLD_H

#include "core/turn.h"
#include "features/meeting.h"

#include "world.h"
#include "every_feature.h"

static const struct feature *const *const world_features = features;

enum { CROWD = 36, OBSERVER = CROWD + 1, PARTNER, OTHER, HOUR = 3600 };
static const char *const orgs[] = {"arava", "seeds-of-peace", "hands-of-peace", "tech2peace"};
static const char *const languages[] = {"en", "ar", "he"};

/* ---- people ---- */

static const char *
who(int64_t person)
{
	static char names[8][24];
	static int next;
	char *name = names[next++ % 8];

	/* A canary: nothing of it may ever be seen by anybody else. */
	snprintf(name, sizeof(names[0]), "7134%06lld", (long long)person);
	return name;
}

WORLD_UNUSED static void
join_turn(struct turn *t, void *ctx)
{
	int64_t last = *(int64_t *)ctx;

	for (int64_t person = 1; person <= last; person++) {
		people_set_language(t, person, languages[person % 3]);
		people_join(t, person, orgs[person % 4]);
		people_set_adult(t, person, true);
		consent_set(t, person, CONSENT_MATCHING, true);
		match_ensure(t, person);
	}
}

/* Everybody speaks English besides their own language. */
WORLD_UNUSED static void
speak_turn(struct turn *t, void *ctx)
{
	static struct sql set = {"UPDATE meeting SET profile = ? WHERE person = ?"};
	int64_t last = *(int64_t *)ctx;
	struct meeting m = {.level = {3, 0, 0}};

	for (int64_t person = 1; person <= last; person++)
		db_run(t->db, &set,
		    V(seal_person(t, person, "meeting.profile", match_text(t->arena, &m)), person));
}

/* Persons 1 to `count`; joined long ago. */
WORLD_UNUSED static struct world *
peopled(int64_t count)
{
	struct world *w = world_new();

	for (int64_t i = 1; i <= count; i++)
		world_event(
		    w, (struct event){.kind = EVENT_MESSAGE, .who = who(i), .text = "/help"});
	world_settle(w);
	assert_true(engine_turn(w->engine, join_turn, &count));
	assert_true(engine_turn(w->engine, speak_turn, &count));
	world_pass(w, 40 * 86400);
	world_forget_sent(w);
	return w;
}

WORLD_UNUSED static void
number_turn(struct turn *t, void *ctx)
{
	struct {
		const char *sql;
		int64_t number;
	} *x = ctx;
	struct sql sql = {x->sql};

	x->number = db_number(t->db, &sql, NONE, -1);
}

WORLD_UNUSED static int64_t
number(struct world *w, const char *sql)
{
	struct {
		const char *sql;
		int64_t number;
	} x = {sql, -1};

	assert_true(engine_turn(w->engine, number_turn, &x));
	return x.number;
}

/* ---- chats, across two networks ---- */

/* A second network: people with even numbers are there. */
struct twin {
	struct transport transport;
	struct transport_up up;
	struct sent sent[SENT_MOST];
	int count, reported;
};
static struct twin twin;

WORLD_UNUSED static void
twin_open(struct transport *t, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	(void)t;
	(void)cursor;
	(void)state;
	(void)count;
	twin.up = *up;
}

WORLD_UNUSED static void
twin_send(struct transport *t, const struct shipment *s)
{
	struct sent *r = &twin.sent[twin.count++];
	struct arena *arena = arena_new();

	(void)t;
	assert_true(twin.count < SENT_MOST);
	*r = (struct sent){.id = s->id, .op = s->op, .class = s->class};
	world_copy(r->where, sizeof(r->where), s->where);
	world_copy(r->set, sizeof(r->set), s->set);
	r->text = memory_string(s->card ? card_plain(arena, s->card) : "");
	for (const struct choice *c = s->card ? s->card->choices : NULL; c; c = c->next)
		r->choices++;
	arena_free(arena);
}

WORLD_UNUSED static void
twin_poll(struct transport *t)
{
	twin.up.health(twin.up.engine, t, HEALTH_GOOD, "");
}

WORLD_UNUSED static void
twin_close(struct transport *t)
{
	(void)t;
}

static const struct transport_ops twin_ops = {
    .open = twin_open, .poll = twin_poll, .send = twin_send, .close = twin_close};

WORLD_UNUSED static bool
on_twin(int64_t person)
{
	return person % 2 == 0;
}

static const char *
address(int64_t person)
{
	static char names[8][40];
	static int next;
	char *name = names[next++ % 8];

	if (!on_twin(person))
		return who(person);
	snprintf(name, sizeof(names[0]), "@canary%05lld:example.org", (long long)person);
	return name;
}

WORLD_UNUSED static void
settle_both(struct world *w)
{
	bool more;

	do {
		world_settle(w);
		more = twin.reported < twin.count;
		while (twin.reported < twin.count) {
			char message[32];
			struct sent *s = &twin.sent[twin.reported++];

			snprintf(message, sizeof(message), "m%lld", (long long)s->id);
			twin.up.gone(twin.up.engine, &twin.transport, s->id,
			    &(struct outcome){.fate = FATE_SENT, .message = message});
		}
	} while (more);
}

WORLD_UNUSED static void
happens(struct world *w, struct event event)
{
	static int64_t serial;
	char id[24];
	struct batch batch = {.events = &event, .event_count = 1};
	bool there = event.who[0] == '@';

	snprintf(id, sizeof(id), "t%lld", (long long)++serial);
	event.id = id;
	event.where = event.who;
	if (there)
		twin.up.came(twin.up.engine, &twin.transport, &batch);
	else
		w->up.came(w->up.engine, &w->transport, &batch);
	settle_both(w);
}

WORLD_UNUSED static void
writes(struct world *w, int64_t person, const char *text, const char *reply_to)
{
	happens(w,
	    (struct event){
		.kind = EVENT_MESSAGE, .who = address(person), .text = text, .reply_to = reply_to});
}

/* The last card that person got, of those with choices when `choices`. */
WORLD_UNUSED static struct sent *
last_to(struct world *w, int64_t person, bool choices)
{
	struct sent *list = on_twin(person) ? twin.sent : w->sent;

	for (int i = (on_twin(person) ? twin.count : w->count) - 1; i >= 0; i--)
		if (!strcmp(list[i].where, address(person)) && list[i].text[0] &&
		    (!choices || list[i].choices))
			return &list[i];
	return NULL;
}

WORLD_UNUSED static void
presses(struct world *w, int64_t person, int k)
{
	struct sent *on = last_to(w, person, true);
	char token[64], message[32];

	assert_non_null(on);
	snprintf(token, sizeof(token), "%s.%d", on->set, k);
	snprintf(message, sizeof(message), "m%lld", (long long)on->id);
	happens(w, (struct event){.kind = EVENT_PRESS,
		       .who = address(person),
		       .token = token,
		       .press = "q",
		       .message = message});
}

WORLD_UNUSED static void
forget_both(struct world *w)
{
	world_forget_sent(w);
	for (int i = 0; i < twin.count; i++)
		free(twin.sent[i].text);
	twin.count = twin.reported = 0;
}

WORLD_UNUSED static void
names_turn(struct turn *t, void *ctx)
{
	int64_t last = *(int64_t *)ctx;

	for (int64_t person = 1; person <= last; person++)
		people_set_pseudonym(
		    t, person, arena_print(t->arena, "Pseudonym%05lldX", (long long)person));
}

WORLD_UNUSED static struct world *
two_networks(int64_t count)
{
	struct world *w = world_new();

	memset(&twin, 0, sizeof(twin));
	twin.transport = (struct transport){.name = "matrix",
	    .ops = &twin_ops,
	    .slots = 8,
	    .text_scalars = 4000,
	    .command_sign = '!'};
	engine_add(w->engine, &twin.transport);
	twin.transport.ops->poll(&twin.transport);
	for (int64_t i = 1; i <= count; i++)
		writes(w, i, "/help", NULL);
	assert_true(engine_turn(w->engine, join_turn, &count));
	assert_true(engine_turn(w->engine, names_turn, &count));
	forget_both(w);
	return w;
}

struct pair {
	int64_t person[3];
	int count;
};

WORLD_UNUSED static void
relay_turn(struct turn *t, void *ctx)
{
	struct pair *p = ctx;

	relay_open(t, p->person, p->count, 0, t->now);
}

WORLD_UNUSED static void
relay_open_now(struct world *w, int64_t a, int64_t b, int64_t c)
{
	struct pair p = {{a, b, c}, c ? 3 : 2};

	assert_true(engine_turn(w->engine, relay_turn, &p));
	settle_both(w);
}

#endif
