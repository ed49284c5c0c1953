#include "core/ticket.h"

#include "core.h"

#include <stdio.h>

static const char *const ticket_steps[] = {
    "CREATE TABLE ticket(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " person INTEGER REFERENCES person(id) ON DELETE CASCADE, role INTEGER NOT NULL,"
    " org TEXT NOT NULL, topic TEXT NOT NULL, text BLOB, opened INTEGER NOT NULL,"
    " closed INTEGER NOT NULL DEFAULT 0) STRICT;",
    NULL,
};
static const struct column ticket_columns[] = {
    {"ticket.id", "number of a question", "[retention] ticket days", AFTER_RETENTION, true},
    {"ticket.person", "who asked, to bring the answer back", "[retention] ticket days",
	WITH_PERSON},
    {"ticket.role", "which role is asked", "[retention] ticket days", AFTER_RETENTION},
    {"ticket.org", "of which organisation", "[retention] ticket days", AFTER_RETENTION},
    {"ticket.topic", "which feature opened it", "[retention] ticket days", AFTER_RETENTION},
    {"ticket.text", "the question, sealed", "[retention] ticket days", KEY_GONE},
    {"ticket.opened", "when", "[retention] ticket days", AFTER_RETENTION},
    {"ticket.closed", "when answered", "[retention] ticket days", AFTER_RETENTION},
    {0},
};
const struct schema ticket_schema = {"ticket", ticket_steps, ticket_columns};

static struct sql add = {
    "INSERT INTO ticket(person, role, org, topic, text, opened) VALUES(?, ?, ?, ?, ?, ?)"};
static struct sql prune = {"DELETE FROM ticket WHERE opened < ?"};
struct sql *const ticket_statements[] = {&add, &prune, NULL};

struct note {
	int64_t ticket;
	const char *text;
	int told;
};

static void
tell_one(struct turn *t, int64_t person, void *ctx)
{
	struct note *note = ctx;
	char number[24];
	struct card *card;

	snprintf(number, sizeof(number), "%lld", (long long)note->ticket);
	card = words_in(t, language_of(t, person), "ticket.new", "number", (const char *)number,
	    "text", note->text, NULL);
	choose_text(t, card, words_flat_in(t, language_of(t, person), "ticket.answer", NULL),
	    "tickets.answer", number);
	note->told += tell(t, person, CLASS_EVENT_CHANGE, t->now + 7 * 86400, card) != 0;
}

int64_t
ticket_open(struct turn *t, enum access role, const char *org, const char *topic, const char *text)
{
	struct note note = {.text = text};

	note.ticket = db_insert(t->db, &add,
	    V(t->person->id, (int)role, org, topic,
		seal_person(t, t->person->id, "ticket.text", text), t->now));
	people_each(t, role, org, 20, tell_one, &note);
	if (!note.told)
		people_each(t, ADMINS, NULL, 20, tell_one, &note);
	return note.ticket;
}

void
ticket_prune(struct turn *t)
{
	db_run(
	    t->db, &prune, V(t->now - 86400 * conf_number(t->conf, "retention", NULL, "ticket")));
}
