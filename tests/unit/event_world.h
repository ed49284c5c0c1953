/* Events that the test makes, and people who answer them, press what they are shown or what they are
 * not, and must not hear of the exact place. Included by one test program each; everything is
 * static. */
#ifndef EVENT_WORLD_H
#define EVENT_WORLD_H

#include "unit.h"

#include "base/civil.h"
#include "core/turn.h"
#include "features/occasion.h"

#include "world.h"

static const struct feature feature_probe;

#define MORE_FEATURES &feature_probe
#include "every_feature.h"
static const struct feature *const *const world_features = features;

enum { HOUR = 3600, DAY = 86400 };
#define CANARY "Canary street 7"
#define CANARY_LINK "https://canary.example.org/room"

/* ---- a command that offers any action: "/probe ACTION VALUE" ---- */

static void
probe(struct turn *t)
{
	struct card *card = card_new(t->arena);
	const char *space = strchr(t->rest, ' ');
	size_t n = space ? (size_t)(space - t->rest) : strlen(t->rest);

	card_text(card, "probe", 0);
	choose_text(t, card, "probe", arena_copy(t->arena, t->rest, n), space ? space + 1 : "");
	say(t, card);
}

static const struct command probe_commands[] = {
    {.name = "probe", .run = probe, .hidden = true},
    {0},
};
static const struct feature feature_probe = {.name = "probe", .commands = probe_commands};

/* ---- events and people ---- */

struct made {
	const char *zone, *wall, *title;
	int64_t minutes, capacity, hours, audience;
	bool secret;
	int64_t id;
};

static void
make_turn(struct turn *t, void *ctx)
{
	static struct sql event = {
	    "INSERT INTO event(calendar, uid, recurrence, title, text, place, zone, wall, start, "
	    "finish,"
	    " all_day, cancelled, once_only, sequence, seen)"
	    " VALUES('', ?, '', ?, '', 'Beit Jala', ?, ?, ?, ?, 0, 0, 0, 0, 0)"};
	static struct sql host = {
	    "INSERT INTO hosted(event, org, kind, capacity, hours, audience, languages,"
	    " interpretation, access) VALUES(?, 'arava', 1, ?, ?, ?, 'en', 0, '')"};
	static struct sql text = {
	    "INSERT INTO hosted_text(event, language, title, text) VALUES(?, 'en', ?, '')"};
	static int serial;
	struct made *m = ctx;
	struct civil wall;
	struct occasion o;
	int64_t start;

	assert_true(civil_read(m->wall, &wall));
	start = zone_instant(zone_find(t->zones, m->zone), &wall);
	m->id = db_insert(t->db, &event,
	    V(arena_print(t->arena, "u%d", ++serial), m->title ? m->title : "Evening", m->zone,
		m->wall, start, start + 60 * m->minutes));
	db_run(t->db, &host, V(m->id, m->capacity, m->hours, m->audience));
	db_run(t->db, &text, V(m->id, m->title ? m->title : "Evening"));
	if (m->secret)
		place_set(t, m->id, CANARY, CANARY_LINK);
	assert_true(occasion_get(t, m->id, &o));
	remind_plan(t, &o);
}

WORLD_UNUSED static int64_t
make(struct world *w, struct made m)
{
	if (!m.minutes)
		m.minutes = 120;
	if (!m.hours)
		m.hours = 6;
	assert_true(engine_turn(w->engine, make_turn, &m));
	return m.id;
}

struct joining {
	int64_t first, last;
	const char *org;
	unsigned role;
};

static void
join_turn(struct turn *t, void *ctx)
{
	const struct joining *j = ctx;

	for (int64_t id = j->first; id <= j->last; id++) {
		people_set_language(t, id, "en");
		if (j->org)
			people_join(t, id, j->org);
		if (j->role)
			people_grant(t, id, j->role, j->role == COORDINATORS ? j->org : "");
	}
}

static const char *
who(int64_t person)
{
	static char names[4][24];
	static int next;
	char *name = names[next++ % 4];

	snprintf(name, sizeof(names[0]), "p%lld", (long long)person);
	return name;
}

/* Persons 1 to n; settled once. */
static struct world *
peopled(const char *more, int64_t n)
{
	struct world *w = world_new_with(more);

	for (int64_t i = 1; i <= n; i++)
		world_event(
		    w, (struct event){.kind = EVENT_MESSAGE, .who = who(i), .text = "/help"});
	world_settle(w);
	assert_true(engine_turn(w->engine, join_turn, &(struct joining){1, n, "tech2peace", 0}));
	world_forget_sent(w);
	return w;
}

WORLD_UNUSED static void
opens(struct world *w, int64_t person, int64_t event)
{
	char text[40];

	snprintf(text, sizeof(text), "/start e_%lld", (long long)event);
	world_says(w, who(person), text);
}

WORLD_UNUSED static struct sent *
last_card(struct world *w, int64_t person)
{
	for (int i = w->count - 1; i >= 0; i--)
		if (!strcmp(w->sent[i].where, who(person)) && w->sent[i].choices)
			return &w->sent[i];
	return NULL;
}

enum { COMING = 1, MAYBE, NOT_COMING };

WORLD_UNUSED static void
answers(struct world *w, int64_t person, int64_t event, int k)
{
	if (w->count > SENT_MOST - 200)
		world_forget_sent(w);
	opens(w, person, event);
	world_presses(w, who(person), last_card(w, person), k);
}

WORLD_UNUSED static struct sql seated_sql = {
    "SELECT count(*) FROM rsvp WHERE event = ? AND answer IN (3, 4)"};
WORLD_UNUSED static struct sql count_sql = {
    "SELECT count(*) FROM rsvp WHERE event = ? AND answer = ?"};
WORLD_UNUSED static struct sql answer_sql = {
    "SELECT answer FROM rsvp WHERE event = ? AND person = ?"};

struct asking {
	struct sql *sql;
	int64_t a, b, n;
};

static void
ask_turn(struct turn *t, void *ctx)
{
	struct asking *x = ctx;

	x->n = db_number(t->db, x->sql, x->sql == &seated_sql ? V(x->a) : V(x->a, x->b), 0);
}

WORLD_UNUSED static int64_t
ask(struct world *w, struct sql *sql, int64_t a, int64_t b)
{
	struct asking x = {sql, a, b, 0};

	assert_true(engine_turn(w->engine, ask_turn, &x));
	return x.n;
}

WORLD_UNUSED static void
no_canary(struct world *w, const char *why)
{
	for (int i = 0; i < w->count; i++)
		if (strstr(w->sent[i].text, "Canary") ||
		    strstr(w->sent[i].text, "canary.example")) {
			print_error("%s told %s: %s\n", why, w->sent[i].where, w->sent[i].text);
			fail();
		}
}

WORLD_UNUSED static void
tries_action(struct world *w, int64_t person, const char *action, int64_t event)
{
	char text[100];
	struct sent *card;

	snprintf(text, sizeof(text), "/probe %s %lld", action, (long long)event);
	world_says(w, who(person), text);
	card = last_card(w, person);
	if (card)
		world_presses(w, who(person), card, 1);
	no_canary(w, action);
}

/* Told once to that person, and to nobody else. */
WORLD_UNUSED static void
told_only_to(struct world *w, int64_t person)
{
	int told = 0;

	for (int i = 0; i < w->count; i++) {
		bool holds = strstr(w->sent[i].text, CANARY) != NULL;

		assert_true(!holds || !strcmp(w->sent[i].where, who(person)));
		told += holds;
	}
	assert_int_equal(told, 1);
}

WORLD_UNUSED static void
organiser_turn(struct turn *t, void *ctx)
{
	int64_t person = *(int64_t *)ctx;

	people_join(t, person, "arava");
	people_grant(t, person, COORDINATORS, "arava");
}

WORLD_UNUSED static void
presses_action(struct world *w, int64_t person, const char *action, int64_t event)
{
	char text[100];

	snprintf(text, sizeof(text), "/probe %s %lld", action, (long long)event);
	world_says(w, who(person), text);
	world_presses(w, who(person), last_card(w, person), 1);
}

#endif
