/* /invite: a coordinator's codes by which people join as members of their own organisation. What
 * gives a role is made by /role, where a second administrator confirms. */
#include "core/audit.h"
#include "core/join.h"
#include "core/people.h"
#include "core/turn.h"

#include <stdlib.h>
#include <string.h>

#include "base/partners.h"

enum { DAYS = 14, MANY = 50, SHOWN = 12 };

static struct sql orgs = {
    "SELECT org FROM role WHERE person = ? AND role = 2 AND org <> '' ORDER BY org LIMIT ?"};
static struct sql *const statements[] = {&orgs, NULL};

static const char *
org_name(struct turn *t, const char *id)
{
	const struct partner *p = partners_find(t->partners, id);

	return p ? partner_words(&p->name, t->language, NULL) : id;
}

static void
invite(struct turn *t)
{
	struct card *card = words(t, "invite.title", NULL);
	struct rows *q = db_query(t->db, &orgs, V(t->person->id, SHOWN));
	int n = 0;

	for (; db_next(q); n++) {
		const char *org = db_text(q, 0), *name = org_name(t, org);

		choose_text(t, card, words_flat(t, "invite.one", "org", name, NULL), "invite.make",
		    arena_print(t->arena, "1 %s", org));
		choose_text(t, card, words_flat(t, "invite.many", "org", name, NULL), "invite.make",
		    arena_print(t->arena, "%d %s", MANY, org));
	}
	db_done(q);
	say(t, n ? card : words(t, "invite.none", NULL));
}

static void
make(struct turn *t)
{
	char *end;
	int64_t uses = strtoll(t->value, &end, 10);
	const char *org = *end == ' ' ? end + 1 : end, *payload;
	struct card *card;

	if ((uses != 1 && uses != MANY) || !*org ||
	    !people_holds(t, t->person->id, COORDINATORS, org)) {
		say(t, words(t, "engine.not_allowed", NULL));
		return;
	}
	payload = arena_join(t->arena, "j_", join_make(t, MEMBERS, org, uses, DAYS));
	card = words_n(t, "invite.code", uses, "org", org_name(t, org), "code", payload, NULL);
	link_add(t, t->language, card, payload);
	if (!link_to(t, "matrix", payload))
		card_line(card, words(t, "invite.matrix", "code", payload, NULL));
	audit(t, "invite.code", uses);
	say(t, card);
}

static const struct command commands[] = {
    {.name = "invite", .access = COORDINATORS, .run = invite},
    {0},
};
static const struct action actions[] = {
    {"invite.make", COORDINATORS, make},
    {0},
};

const struct feature feature_invite = {
    .name = "invite", .statements = statements, .commands = commands, .actions = actions};
