/* Drafts that survive days, sealed field by field. */
#include "core/draft.h"

#include "core.h"

#include <string.h>

static const char *const draft_steps[] = {
    "CREATE TABLE draft(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " kind TEXT NOT NULL, field TEXT NOT NULL, content BLOB NOT NULL, changed INTEGER NOT NULL,"
    " PRIMARY KEY(person, kind, field)) STRICT, WITHOUT ROWID;",
    NULL,
};
static const struct column draft_columns[] = {
    {"draft.person", "who is writing", "[retention] draft days", WITH_PERSON},
    {"draft.kind", "what is being written", "[retention] draft days", WITH_PERSON},
    {"draft.field", "which part of it", "[retention] draft days", WITH_PERSON},
    {"draft.content", "what was written so far, sealed", "[retention] draft days", KEY_GONE},
    {"draft.changed", "when last, to end forgotten ones", "[retention] draft days", WITH_PERSON},
    {0},
};
const struct schema draft_schema = {"draft", draft_steps, draft_columns};

static struct sql set = {"INSERT OR REPLACE INTO draft(person, kind, field, content, changed)"
			 " VALUES(?, ?, ?, ?, ?)"};
static struct sql forget = {"DELETE FROM draft WHERE person = ? AND kind = ? AND field = ?"};
static struct sql get = {"SELECT content FROM draft WHERE person = ? AND kind = ? AND field = ?"};
static struct sql all = {
    "SELECT field, content FROM draft WHERE person = ? AND kind = ? ORDER BY field"};
static struct sql last = {"SELECT max(changed) FROM draft WHERE person = ? AND kind = ?"};
static struct sql drop = {"DELETE FROM draft WHERE person = ? AND kind = ?"};
static struct sql prune = {
    "DELETE FROM draft AS d WHERE changed < ?1 AND NOT EXISTS (SELECT 1 FROM draft n WHERE n.person"
    " = d.person AND n.kind = d.kind AND n.changed >= ?1)"};
static struct sql drop_all = {"DELETE FROM draft WHERE kind = ?"};
struct sql *const draft_statements[] = {
    &drop_all, &set, &forget, &get, &all, &last, &drop, &prune, NULL};

#define PURPOSE "draft.content"

void
draft_set(struct turn *t, const char *kind, const char *field, const char *value)
{
	if (value && *value)
		db_run(t->db, &set,
		    V(t->person->id, kind, field, seal_person(t, t->person->id, PURPOSE, value),
			t->now));
	else
		db_run(t->db, &forget, V(t->person->id, kind, field));
}

const char *
draft_get(struct turn *t, const char *kind, const char *field)
{
	struct rows *q = db_query(t->db, &get, V(t->person->id, kind, field));
	const char *value = NULL;

	if (db_next(q)) {
		value = unseal_person(t, t->person->id, PURPOSE, db_blob(q, 0));
		db_done(q);
	}
	return value ? value : "";
}

bool
draft_exists(struct turn *t, const char *kind)
{
	return draft_changed(t, kind) != 0;
}

int64_t
draft_changed(struct turn *t, const char *kind)
{
	return db_number(t->db, &last, V(t->person->id, kind), 0);
}

void
draft_each(struct turn *t, const char *kind,
    void (*each)(struct turn *t, const char *field, const char *value, void *ctx), void *ctx)
{
	struct rows *q = db_query(t->db, &all, V(t->person->id, kind));

	while (db_next(q)) {
		const char *field = db_text(q, 0);
		const char *value = unseal_person(t, t->person->id, PURPOSE, db_blob(q, 1));

		if (value)
			each(t, field, value, ctx);
	}
}

void
draft_drop(struct turn *t, const char *kind)
{
	db_run(t->db, &drop, V(t->person->id, kind));
}

void
draft_drop_all(struct turn *t, const char *kind)
{
	db_run(t->db, &drop_all, V(kind));
}

void
draft_prune(struct turn *t)
{
	db_run(t->db, &prune, V(t->now - 86400 * conf_number(t->conf, "retention", NULL, "draft")));
}

/* ---- a flow that writes one ---- */

void
draft_at(struct turn *t, const char *kind, const char *step)
{
	if (!flow_get(t, "only")[0])
		draft_set(t, kind, "at", step);
}

enum next
draft_onward(struct turn *t)
{
	if (!flow_get(t, "only")[0])
		return NEXT;
	flow_set(t, "only", NULL);
	flow_goto(t, "preview");
	return JUMPED;
}

void
draft_ask_change(
    struct turn *t, const char *question, const char *prefix, const char *const *fields)
{
	struct card *card = words(t, question, NULL);

	for (int i = 0; fields[i]; i++) {
		choose_answer(t, card, arena_join(t->arena, prefix, fields[i]), fields[i]);
		if (i % 2)
			card_same_row(card);
	}
	say(t, card);
}

enum next
draft_answer_change(struct turn *t, const char *const *fields)
{
	for (int i = 0; t->chosen && fields[i]; i++)
		if (!strcmp(fields[i], t->value)) {
			flow_set(t, "only", "1");
			flow_goto(t, fields[i]);
			return JUMPED;
		}
	return flow_again(t, "relay.tap");
}
