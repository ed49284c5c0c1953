/* /tickets: questions that wait for an answer, role to role. */
#include "core/people.h"
#include "core/turn.h"

#include <stdio.h>
#include <stdlib.h>

static struct sql open_ones = {
    "SELECT t.id, t.person, t.text FROM ticket t WHERE t.closed = 0 AND EXISTS (SELECT 1 FROM role r"
    " WHERE r.person = ?1 AND ((r.role = t.role AND (r.org = t.org OR r.org = '')) OR"
    " (r.role = 16 AND NOT EXISTS (SELECT 1 FROM role x WHERE x.role = t.role AND x.org = t.org))))"
    " ORDER BY t.id LIMIT 10"};
static struct sql one = {
    "SELECT t.person, t.org FROM ticket t WHERE t.id = ?2 AND t.closed = 0 AND EXISTS (SELECT 1"
    " FROM role r WHERE r.person = ?1 AND ((r.role = t.role AND (r.org = t.org OR r.org = '')) OR"
    " r.role = 16))"};
static struct sql close = {"UPDATE ticket SET closed = ?, text = NULL WHERE id = ?"};
static struct sql *const statements[] = {&open_ones, &one, &close, NULL};

static void
tickets(struct turn *t)
{
	struct rows *q = db_query(t->db, &open_ones, V(t->person->id));
	struct card *card = words(t, "tickets.title", NULL);
	int n = 0;

	for (; db_next(q); n++) {
		const char *text = unseal_person(t, db_int(q, 1), "ticket.text", db_blob(q, 2));
		char *number = arena_print(t->arena, "%lld", (long long)db_int(q, 0));

		card_line(card,
		    words(t, "tickets.line", "number", number, "text", text ? text : "", NULL));
		choose_text(t, card, words_flat(t, "tickets.answer", "number", number, NULL),
		    "tickets.answer", number);
	}
	say(t, n ? card : words(t, "tickets.none", NULL));
}

static void
ask_answer(struct turn *t)
{
	say(t, words(t, "tickets.ask", NULL));
}

static enum next
answer(struct turn *t)
{
	int64_t id = strtoll(flow_get(t, "ticket"), NULL, 10), person;
	struct rows *q;

	if (!t->text[0])
		return flow_again(t, "engine.again");
	q = db_query(t->db, &one, V(t->person->id, id));
	if (!db_next(q)) {
		say(t, words(t, "tickets.gone", NULL));
		return DONE;
	}
	person = db_int(q, 0);
	db_done(q);
	tell(t, person, CLASS_EVENT_CHANGE, t->now + 7 * 86400,
	    words_in(t, language_of(t, person), "tickets.reply", "text", t->text, NULL));
	db_run(t->db, &close, V(t->now, id));
	say(t, words(t, "tickets.sent", NULL));
	return NEXT;
}

static const struct step steps[] = {
    {.name = "answer", .ask = ask_answer, .answer = answer, .takes_numbers = true},
    {0},
};
static const struct flow answer_flow = {
    .name = "tickets.answer", .access = COORDINATORS | SAFETY | ADMINS, .steps = steps};

static void
begin(struct turn *t)
{
	flow_begin(t, &answer_flow);
	flow_set(t, "ticket", t->value);
}

static const struct command commands[] = {
    {.name = "tickets", .access = COORDINATORS | SAFETY | ADMINS, .run = tickets},
    {0},
};
static const struct action actions[] = {
    {"tickets.answer", COORDINATORS | SAFETY | ADMINS, begin},
    {0},
};
static const struct flow *const flows[] = {&answer_flow, NULL};

const struct feature feature_tickets = {
    .name = "tickets",
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
};
