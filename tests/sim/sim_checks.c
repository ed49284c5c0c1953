/* What must hold: the server's ledger against the outbox's word, no identity in another's chat,
 * quiet nights, every confirmed update heard once, and peace once the faults have stopped. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/memory.h"
#include "core/transport.h"
#include "crash_vfs.h"
#include "store/db.h"

enum { HASH = 1 << 15 };

struct seen {
	struct seen *next;
	int64_t id;
	enum op op;
	enum class class;
	bool matrix, repeated;
	int life;	/* of the bot, when it was shipped last */
	int moved;	/* how often it was refused because its group has another id */
	enum fate fate; /* the newest */
	bool
	    farewell; /* to somebody who was erased: tied to nobody, not even to what comes later */
};

/* The newest reply of each chat: what was said later arrives later. */
static int64_t newest_reply[SIM_PEOPLE_MOST];

struct arrival {
	struct arrival *next;
	int64_t shipment;
	int count;
};

static struct seen *seen[HASH];
static struct arrival *arrivals[HASH];
static struct sql too_late = {"SELECT 1 FROM delivery WHERE id = ? AND expires < ?"};
/* It expired, or nobody knows whether it came. */
static struct sql gave_up = {"SELECT 1 FROM delivery WHERE id = ? AND state IN (4, 5)"};
static struct sql farewell = {"SELECT 1 FROM delivery WHERE id = ? AND person IS NULL"};

/* ---- the ledger: how often a shipment came to its chat ---- */

static struct arrival *
arrival_of(int64_t shipment)
{
	struct arrival **a = &arrivals[(uint64_t)shipment % HASH];

	while (*a && (*a)->shipment != shipment)
		a = &(*a)->next;
	if (!*a) {
		*a = memory_new(sizeof(**a));
		(*a)->shipment = shipment;
	}
	return *a;
}

static struct seen *
seen_of(int64_t id)
{
	struct seen *s = seen[(uint64_t)id % HASH];

	while (s && s->id != id)
		s = s->next;
	return s;
}

void
check_begin(void)
{
	memset(seen, 0, sizeof(seen));
	memset(newest_reply, 0, sizeof(newest_reply));
	rules_begin();
}

static void
check_order(const struct seen *s, int64_t chat)
{
	int64_t i = chat - SIM_FIRST_CHAT;

	/* What a dead process left in the air may come at any time. */
	if (s->class != CLASS_REPLY || s->farewell || s->life != sim.life || i < 0 ||
	    i >= SIM_PEOPLE_MOST)
		return;
	if (s->id < newest_reply[i])
		violated("reply %lld arrived behind reply %lld", (long long)s->id,
		    (long long)newest_reply[i]);
	newest_reply[i] = s->id;
}

void
check_end(void)
{
	for (int i = 0; i < HASH; i++)
		while (seen[i]) {
			struct seen *s = seen[i];

			seen[i] = s->next;
			free(s);
		}
	for (int i = 0; i < HASH; i++)
		while (arrivals[i]) {
			struct arrival *a = arrivals[i];

			arrivals[i] = a->next;
			free(a);
		}
}

int
check_class(int64_t shipment)
{
	const struct seen *s = seen_of(shipment);

	return s ? (int)s->class : -1;
}

void
check_shipped(int64_t id, const struct shipment *shipment, bool matrix)
{
	struct seen *s = seen_of(id);

	memory_look(true);
	sim.counts.shipments++;
	if (!s) {
		s = memory_new(sizeof(*s));
		s->id = id;
		s->op = shipment->op;
		s->matrix = matrix;
		s->farewell = db_exists(sim.db, &farewell, V(id));
		s->class = shipment->class;
		s->next = seen[(uint64_t)id % HASH];
		seen[(uint64_t)id % HASH] = s;
	} else if (s->op != shipment->op || s->class != shipment->class) {
		violated("shipment %lld stands for two things", (long long)id);
	}
	rules_shipped(id, shipment);
	s->repeated = s->repeated || shipment->repeated;
	s->life = sim.life;
	if (db_exists(sim.db, &too_late, V(id, wall_ms() / 1000 - 2)))
		violated("shipment %lld leaves after its time", (long long)id);
	trace(
	    "ship id=%lld op=%d class=%d", (long long)id, (int)shipment->op, (int)shipment->class);
	memory_look(false);
}

void
check_moved(int64_t shipment)
{
	struct seen *s = seen_of(shipment);

	/* Once, and once more when the bot died before it had written that down. */
	if (s && ++s->moved > 2)
		violated("shipment %lld went %d times to a group that has another id",
		    (long long)shipment, s->moved);
}

/* A message to a group that moved is not lost by that. */
static void
moved_came(void)
{
	for (int i = 0; i < HASH; i++)
		for (const struct seen *s = seen[i]; s; s = s->next)
			if (s->moved && s->op == OP_SEND && s->fate == FATE_REFUSED &&
			    !arrival_of(s->id)->count && !db_exists(sim.db, &gave_up, V(s->id)))
				violated("shipment %lld was for a group that moved and never came",
				    (long long)s->id);
}

void
check_gone(int64_t id, const struct outcome *outcome)
{
	struct seen *s = seen_of(id);
	int count = arrival_of(id)->count;

	trace("gone id=%lld fate=%d", (long long)id, (int)outcome->fate);
	sim.counts.sent += outcome->fate == FATE_SENT;
	sim.counts.uncertain += outcome->fate == FATE_UNCERTAIN;
	sim.counts.refused += outcome->fate == FATE_REFUSED;
	if (s)
		s->fate = outcome->fate;
	if (outcome->refusal == REFUSAL_MOVED && outcome->new_where)
		groups_refused(outcome->new_where);
	if (!s)
		violated("a fate for shipment %lld, which never left", (long long)id);
	else if (s->op == OP_SEND && outcome->fate == FATE_SENT && count < 1)
		violated("shipment %lld is called sent and never arrived", (long long)id);
	else if (s->op == OP_SEND && outcome->fate == FATE_REFUSED && count > 0 && !s->repeated)
		violated("shipment %lld is called refused and arrived", (long long)id);
	else if (s->op == OP_SEND && outcome->fate == FATE_LATER && count > 0 && !s->repeated &&
		 !s->matrix) /* there the same again is nothing new */
		violated("shipment %lld will be sent again and arrived already", (long long)id);
}

/* Jerusalem's hour, near enough for a night that ends at eight: +02:00, in summer +03:00. */
static bool
night(void)
{
	struct civil c = civil_from(wall_ms() / 1000 + 2 * 3600);
	bool certain = c.hour >= 21 || c.hour < 7;

	return certain && !(c.hour == 21 || c.hour == 6 || c.hour == 7);
}

static bool
waits_for_morning(int class)
{
	return class == CLASS_MATCH || class == CLASS_REMINDER || class == CLASS_ANNOUNCEMENT;
}

/* DESIGN.md §4: what may come a second time when an answer was lost. */
static int
arrivals_most(const struct seen *s)
{
	bool once_more =
	    s->class == CLASS_MATCH || s->class == CLASS_EVENT_CHANGE || s->class == CLASS_REMINDER;

	if (s->class == CLASS_ALARM || s->class == CLASS_SERVICE)
		return INT32_MAX;
	return once_more && s->repeated ? 2 : 1;
}

void
check_text(int64_t shipment, int64_t chat, const char *text)
{
	const char *canary = strstr(text, "NameCanary");
	char own[40];

	snprintf(own, sizeof(own), SIM_NAME, (long long)chat);
	if (canary && !strstr(text, own))
		violated("the name of one person stands in the chat of another");
	rules_read(shipment, text);
}

void
ledger_arrived(int64_t shipment, int64_t chat)
{
	const struct seen *s = seen_of(shipment);

	arrival_of(shipment)->count++;
	announce_arrived(shipment, chat);
	if (!s)
		return;
	if (arrival_of(shipment)->count > arrivals_most(s)) {
		sim.counts.doubled++;
		violated("shipment %lld arrived twice", (long long)shipment);
	}
	check_order(s, chat);
	if (waits_for_morning(s->class)) {
		sim.counts.pushes++;
		/* What was on its way before the night may end in it: the network has its delays.
		 */
		if (night() && sim.now_ms - sim.jumped_ms > 1000)
			violated("class %d in the middle of the night", (int)s->class);
	}
}

/* ---- at peace ---- */

static struct sql heard = {"SELECT count FROM oracle WHERE number = ?"};
static struct sql unsettled = {
    "SELECT count(*) FROM delivery WHERE state IN (0, 1) AND due < ? AND class <> 6"};
static struct sql integrity = {"PRAGMA integrity_check"};
static struct sql foreign = {"PRAGMA foreign_key_check"};

static void
owed_once(int64_t update, const char *text)
{
	int64_t number, count;

	if (sscanf(text, "%*1[/!]start o_%lld", (long long *)&number) != 1)
		return;
	count = db_number(sim.db, &heard, V(number), 0);
	if (count != (number % SIM_POISON ? 1 : 0))
		violated("update %lld was confirmed and heard %lld times: %s", (long long)update,
		    (long long)count, text);
}

void
check_disk(void)
{
	if (crash_vfs_count("NameCanary", 10) || crash_vfs_count("WordCanary", 10))
		violated("a name or a word can be read on the disk");
}

void
check_settled(void)
{
	const char *whole;

	if (!sim.alive) {
		violated("the bot does not come up again");
		return;
	}
	if (!telegram_all_confirmed() || !matrix_all_confirmed())
		violated("updates wait although all is well");
	telegram_confirmed_texts(owed_once);
	matrix_confirmed_texts(owed_once);
	if (db_number(sim.db, &unsettled, V(sim.now_ms - 86400000), -1) != 0)
		violated("deliveries wait although all is well");
	rules_state();
	moved_came();
	whole = db_string(sim.db, &integrity, NONE);
	if (!whole || strcmp(whole, "ok"))
		violated("the database is damaged: %s", whole ? whole : "?");
	if (people_unanswered())
		violated("somebody said /start at the end and got no menu");
	/* An answer that is later than half a minute is of no use, so faults may cost it. */
	if (!troubled() && telegram_presses_unanswered())
		violated("%d presses were never answered", telegram_presses_unanswered());
	check_disk();
	if (db_exists(sim.db, &foreign, NONE))
		violated("a row points nowhere");
}
