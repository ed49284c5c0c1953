/* /role: roles are given by a one-time code that a second administrator confirmed, and taken away
 * at once; taking an administrator's needs the second one too, so that none can be left alone. */
#include "core/approval.h"
#include "core/audit.h"
#include "core/join.h"
#include "core/people.h"
#include "core/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/partners.h"
#include "base/text.h"

enum { DAY = 86400, CODE_DAYS = 7, SHOWN = 20, ORG_ROOM = 64 };

static const char *const schema_steps[] = {
    "CREATE TABLE role_plan(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " person INTEGER REFERENCES person(id) ON DELETE CASCADE, role INTEGER NOT NULL,"
    " org TEXT NOT NULL, made INTEGER NOT NULL) STRICT;"
    "CREATE INDEX role_plan_person ON role_plan(person);",
    NULL,
};
static const struct column columns[] = {
    {"role_plan.id", "number of a change of roles that waits", "a week", NOT_PERSONAL},
    {"role_plan.person", "whose role is to be taken; none for a code", "a week", WITH_PERSON},
    {"role_plan.role", "which role", "a week", NOT_PERSONAL},
    {"role_plan.org", "for which organisation", "a week", NOT_PERSONAL},
    {"role_plan.made", "when, for the retention", "a week", AFTER_RETENTION},
    {0},
};
static const struct schema schema = {"role", schema_steps, columns};

static struct sql plan_add = {"INSERT INTO role_plan(person, role, org, made) VALUES(?, ?, ?, ?)"};
static struct sql plan_get = {"SELECT person, role, org FROM role_plan WHERE id = ?"};
static struct sql plan_drop = {"DELETE FROM role_plan WHERE id = ? OR made < ?"};
static struct sql holders = {"SELECT person, role, org, granted FROM role WHERE ?1 = '' OR org = ?1"
			     " ORDER BY role DESC, org, person LIMIT ?2"};
static struct sql holds = {"SELECT 1 FROM role WHERE person = ? AND role = ? AND org = ?"};
static struct sql *const statements[] = {&plan_add, &plan_get, &plan_drop, &holders, &holds, NULL};

/* A code to be made (nobody's), or a role to be taken from somebody. */
struct plan {
	int64_t person;
	enum access role;
	const char *org;
};

static const char *
role_name(struct turn *t, const char *language, enum access role)
{
	return words_flat_in(
	    t, language, arena_print(t->arena, "role.%s", people_role_name(role)), NULL);
}

static const char *
org_name(struct turn *t, const char *language, const char *id)
{
	const struct partner *p = partners_find(t->partners, id);

	if (!*id)
		return words_flat_in(t, language, "join.every_org", NULL);
	return p ? partner_words(&p->name, language, NULL) : id;
}

static bool
has_org(enum access role)
{
	return role == COORDINATORS || role == JUDGES;
}

/* "PERSON ROLE ORG", as a button carries it. */
static char *
plan_write(struct turn *t, const struct plan *p)
{
	return arena_print(t->arena, "%lld %d %s", (long long)p->person, (int)p->role, p->org);
}

static bool
plan_read(struct turn *t, const char *text, struct plan *p)
{
	char *end;

	p->person = strtoll(text, &end, 10);
	p->role = (enum access)strtol(end, &end, 10);
	p->org = arena_string(t->arena, *end == ' ' ? end + 1 : "");
	return has_org(p->role) || p->role == SAFETY || p->role == ADMINS;
}

static struct blob
content_of(struct turn *t, const struct plan *p)
{
	char *text = plan_write(t, p);

	return (struct blob){text, strlen(text)};
}

static struct card *
describe(struct turn *t, const struct plan *p, const char *key)
{
	return words(t, key, "role", role_name(t, t->language, p->role), "org",
	    org_name(t, t->language, p->org), "name",
	    p->person ? people_pseudonym(t, p->person) : "", NULL);
}

/* ---- giving ---- */

static void
give(struct turn *t)
{
	static const enum access roles[] = {COORDINATORS, JUDGES, SAFETY, ADMINS};
	struct card *card = words(t, "role.which", NULL);

	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
		choose_text(t, card, role_name(t, t->language, roles[i]), "role.org",
		    people_role_name(roles[i]));
	edit(t, card);
}

static void
ask_sure(struct turn *t, enum access role, const char *org)
{
	struct plan p = {0, role, org};
	struct card *card = describe(t, &p, "role.sure_code");

	choose(t, card, "role.hand_in", "role.hand_in", plan_write(t, &p));
	choose(t, card, "role.no", "role.no", "");
	card_same_row(card);
	say(t, card);
}

static void
ask_org(struct turn *t)
{
	say(t, words(t, "role.ask_org", NULL));
}

/* By its short name, or by its name in any language. */
static const char *
org_typed(struct turn *t, const char *text)
{
	const char *folded = text_fold(t->arena, text);

	for (size_t i = 0; i < partners_count(t->partners); i++) {
		const struct partner *p = partners_at(t->partners, i);
		static const char *const languages[] = {"en", "ar", "he"};

		if (!strcmp(text_fold(t->arena, p->id), folded))
			return p->id;
		for (int l = 0; l < 3; l++)
			if (!strcmp(
				text_fold(t->arena, partner_words(&p->name, languages[l], NULL)),
				folded))
				return p->id;
	}
	return NULL;
}

static enum next
org_answered(struct turn *t)
{
	const char *org = org_typed(t, t->text);

	if (!org)
		return flow_again(t, "role.no_org");
	ask_sure(t, people_role(flow_get(t, "role")), org);
	return DONE;
}

static const struct step steps[] = {
    {.name = "org", .ask = ask_org, .answer = org_answered, .takes_numbers = true},
    {0},
};
static const struct flow org_flow = {.name = "role.org", .access = ADMINS, .steps = steps};

static void
chose_role(struct turn *t)
{
	enum access role = people_role(t->value);

	if (!has_org(role)) {
		ask_sure(t, role, "");
		return;
	}
	flow_begin(t, &org_flow);
	flow_set(t, "role", t->value);
}

/* A second administrator decides. */
static void
propose(struct turn *t, const struct plan *p)
{
	struct value person = p->person ? value_integer(p->person) : VNULL;
	int64_t id;

	id = db_insert(t->db, &plan_add, V(person, (int)p->role, p->org, t->now));
	approval_open(t, "role", id, ADMINS, "", content_of(t, p), t->now + 7 * DAY);
	edit(t, words(t, "role.handed_in", NULL));
}

static void
hand_in(struct turn *t)
{
	struct plan p;

	if (plan_read(t, t->value, &p) && !p.person)
		propose(t, &p);
}

static void
no(struct turn *t)
{
	edit(t, words(t, "role.nothing", NULL));
}

/* ---- taking away ---- */

static void
list(struct turn *t, const char *org)
{
	struct card *card = words(t, "role.holders", NULL);
	struct rows *q = db_query(t->db, &holders, V(org, SHOWN + 1));
	int n = 0;

	for (; n < SHOWN && db_next(q); n++) {
		struct plan p = {db_int(q, 0), (enum access)db_int(q, 1), db_text(q, 2)};
		char *number = arena_print(t->arena, "%d", n + 1);

		card_line(card,
		    words(t, "role.holder", "number", number, "role",
			role_name(t, t->language, p.role), "org", org_name(t, t->language, p.org),
			"name", people_pseudonym(t, p.person), NULL));
		choose_text(t, card, words_flat(t, "role.take_number", "number", number, NULL),
		    "role.take", plan_write(t, &p));
		if (n % 2)
			card_same_row(card);
	}
	if (n == SHOWN && db_next(q))
		card_line(card, words(t, "role.more", NULL));
	db_done(q);
	say(t, n ? card : words(t, "role.nobody", NULL));
}

static void
list_all(struct turn *t)
{
	list(t, "");
}

static bool
still_holds(struct turn *t, struct plan *p)
{
	return plan_read(t, t->value, p) &&
	       db_exists(t->db, &holds, V(p->person, (int)p->role, p->org));
}

static void
take(struct turn *t)
{
	struct plan p;
	struct card *card;

	if (!still_holds(t, &p)) {
		say(t, words(t, "role.gone", NULL));
		return;
	}
	card = describe(t, &p, "role.sure_take");
	if (p.role == ADMINS)
		card_line(card, words(t, "role.needs_second", NULL));
	choose(t, card, "role.take", "role.taken", plan_write(t, &p));
	choose(t, card, "role.no", "role.no", "");
	card_same_row(card);
	say(t, card);
}

static void
revoke(struct turn *t, const struct plan *p)
{
	const char *language = language_of(t, p->person);

	people_revoke(t, p->person, p->role, p->org);
	audit(t, "role.revoke", p->role);
	if (p->person != t->person->id)
		tell(t, p->person, CLASS_EVENT_CHANGE, 0,
		    words_in(t, language, "role.was_taken", "role", role_name(t, language, p->role),
			"org", org_name(t, language, p->org), NULL));
}

static void
taken(struct turn *t)
{
	struct plan p;

	if (!still_holds(t, &p)) {
		edit(t, words(t, "role.gone", NULL));
	} else if (p.role == ADMINS) {
		propose(t, &p);
	} else {
		edit(t, describe(t, &p, "role.done_take"));
		revoke(t, &p);
	}
}

/* ---- the second administrator ---- */

static bool
read_plan(struct turn *t, struct approval *a, struct plan *p)
{
	struct rows *q;

	if (!approval_get(t, strtoll(t->value, NULL, 10), a) || strcmp(a->kind, "role"))
		return false;
	q = db_query(t->db, &plan_get, V(a->subject));
	if (!db_next(q))
		return false;
	*p = (struct plan){db_int(q, 0), (enum access)db_int(q, 1), db_text(q, 2)};
	db_done(q);
	return true;
}

static void
show(struct turn *t)
{
	struct approval a;
	struct plan p;
	struct card *card;

	if (!read_plan(t, &a, &p) || a.state != APPROVAL_OPEN) {
		say(t, words(t, "approval.gone", NULL));
		return;
	}
	card = describe(t, &p, p.person ? "role.asks_take" : "role.asks_code");
	choose(t, card, "role.yes", "role.approved", t->value);
	choose(t, card, "role.no", "role.refused", t->value);
	card_same_row(card);
	say(t, card);
}

static void
answered(struct turn *t, enum approval_answer answer)
{
	static const char *const keys[] = {
	    [APPROVAL_OWN] = "approval.own",
	    [APPROVAL_NOT_FOR_THEM] = "approval.not_for_you",
	    [APPROVAL_CHANGED] = "approval.changed",
	    [APPROVAL_GONE] = "approval.gone",
	};

	edit(t, words(t, keys[answer], NULL));
}

/* The code goes to the administrator who asked for it, and to nobody else. */
static void
hand_out(struct turn *t, int64_t author, const struct plan *p)
{
	const char *code = arena_join(t->arena, "j_", join_make(t, p->role, p->org, 1, CODE_DAYS));
	const char *language = language_of(t, author);
	struct card *card =
	    words_in(t, language, "role.code", "role", role_name(t, language, p->role), "org",
		org_name(t, language, p->org), "code", code, NULL);

	link_add(t, language, card, code);
	card->flags |= CARD_PROTECT;
	tell(t, author, CLASS_EVENT_CHANGE, 0, card);
	audit(t, "role.code", p->role);
}

static void
approved(struct turn *t)
{
	struct approval a;
	struct plan p;
	enum approval_answer answer;

	if (!read_plan(t, &a, &p)) {
		answered(t, APPROVAL_GONE);
		return;
	}
	answer = approval_give(t, a.id, content_of(t, &p));
	if (answer != APPROVAL_DONE) {
		answered(t, answer);
		return;
	}
	edit(t, words(t, "role.approved", NULL));
	db_run(t->db, &plan_drop, V(a.subject, 0));
	if (p.person)
		revoke(t, &p);
	else if (a.author)
		hand_out(t, a.author, &p);
}

static void
refused(struct turn *t)
{
	struct approval a;
	struct plan p;
	enum approval_answer answer;

	if (!read_plan(t, &a, &p)) {
		answered(t, APPROVAL_GONE);
		return;
	}
	answer = approval_refuse(t, a.id);
	if (answer != APPROVAL_DONE) {
		answered(t, answer);
		return;
	}
	db_run(t->db, &plan_drop, V(a.subject, 0));
	edit(t, words(t, "role.refused", NULL));
	if (a.author)
		tell(t, a.author, CLASS_EVENT_CHANGE, 0,
		    words_in(t, language_of(t, a.author), "role.refused", NULL));
}

/* /role, or /role ORGANISATION for who holds one there. */
static void
role(struct turn *t)
{
	const char *org = *t->rest ? org_typed(t, t->rest) : NULL;
	struct card *card;

	if (org) {
		list(t, org);
		return;
	}
	card = words(t, *t->rest ? "role.no_org" : "role.title", NULL);
	choose(t, card, "role.give", "role.give", "");
	choose(t, card, "role.list", "role.list", "");
	card_same_row(card);
	say(t, card);
}

static const struct command commands[] = {
    {.name = "role", .access = ADMINS, .run = role},
    {0},
};
static const struct action actions[] = {
    {"role.give", ADMINS, give},
    {"role.org", ADMINS, chose_role},
    {"role.hand_in", ADMINS, hand_in},
    {"role.no", ADMINS, no},
    {"role.list", ADMINS, list_all},
    {"role.take", ADMINS, take},
    {"role.taken", ADMINS, taken},
    {"role.approve", ADMINS, show},
    {"role.approved", ADMINS, approved},
    {"role.refused", ADMINS, refused},
    {0},
};
static const struct flow *const flows[] = {&org_flow, NULL};

/* A day longer than its approval is open. */
static void
prune(struct turn *t)
{
	db_run(t->db, &plan_drop, V(0, t->now - 8 * DAY));
}

static const struct job jobs[] = {
    {.name = "role.prune", .every_s = DAY, .run = prune},
    {0},
};

const struct feature feature_role = {
    .name = "role",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
    .jobs = jobs,
};
