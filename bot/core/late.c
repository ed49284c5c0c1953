/* After a long outage old commands are answered once, briefly: who asked five times and gave up hours
 * ago wants neither five cards nor silence. What was said (an answer, a story, a press) is taken as
 * always, however old it is. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONG_S = 3600 }; /* an outage that is long, and a command that is old */

static struct sql last_came = {"SELECT max(came) FROM inbox WHERE network = ?"};
static struct sql away_get = {"SELECT content FROM meta WHERE name = ?"};
static struct sql away_set = {"INSERT OR REPLACE INTO meta(name, content) VALUES(?, ?)"};
static struct sql tell_once = {"UPDATE account SET late = ?2 WHERE id = ?1 AND late <> ?2"};
struct sql *const late_statements[] = {&last_came, &away_get, &away_set, &tell_once, NULL};

static const char *
away_key(struct network *n)
{
	return arena_print(n->engine->arena, "away.%s", n->transport->name);
}

void
late_start(struct network *n)
{
	struct db *db = n->engine->db;
	const char *away = db_string(db, &away_get, V(away_key(n)));
	char *end = NULL;

	n->heard_s = db_number(db, &last_came, V(n->number), 0);
	if (!away)
		return;
	n->away_from_s = strtoll(away, &end, 10);
	n->away_to_s = strtoll(end, NULL, 10);
}

void
late_came(struct network *n)
{
	int64_t now = engine_now_ms(n->engine) / 1000, heard = n->heard_s;

	n->heard_s = now;
	if (!heard || now - heard < LONG_S)
		return;
	n->away_from_s = heard;
	n->away_to_s = now;
	db_run(n->engine->db, &away_set,
	    V(away_key(n), (const char *)arena_print(
			       n->engine->arena, "%lld %lld", (long long)heard, (long long)now)));
}

/* Written while we were away: a network whose clock says anything makes nothing old by that alone. */
static bool
is_late(const struct turn *t, const struct command *c)
{
	const struct network *n = ((struct ours *)t->private)->network;
	int64_t sent = t->event->sent_s;

	return !c->however_late && sent > n->away_from_s && sent <= n->away_to_s - LONG_S;
}

bool
late_answered(struct turn *t, const struct command *c, const char *rest)
{
	const struct network *n = ((struct ours *)t->private)->network;
	struct card *card;

	if (*rest || !is_late(t, c))
		return false;
	if (!db_run(t->db, &tell_once, V(t->person->account, n->away_to_s)))
		return true;
	card = words(t, "engine.late", NULL);
	if (!t->group && !c->hidden && route_allowed(t, c->access))
		choose_command(t, card, c->name);
	else if (!t->group)
		choose_menu(t, card);
	say(t, card);
	return true;
}
