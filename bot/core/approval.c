/* Approvals by a second person; the table itself refuses the author. */
#include "core/approval.h"

#include "core.h"

#include <string.h>

static const char *const approval_steps[] = {
    "CREATE TABLE approval(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " subject INTEGER NOT NULL, author INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " access INTEGER NOT NULL, org TEXT NOT NULL, digest BLOB NOT NULL, opened INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0,"
    " approver INTEGER REFERENCES person(id) ON DELETE SET NULL,"
    " CHECK (approver IS NULL OR approver <> author),"
    " CHECK (approver IS NULL OR state IN (1, 2))) STRICT;"
    "CREATE INDEX approval_author ON approval(author);"
    "CREATE INDEX approval_approver ON approval(approver);"
    /* Whatever path leads there: a yes needs somebody at that moment, and what was handed in
       cannot be exchanged under it. */
    "CREATE TRIGGER approval_yes BEFORE UPDATE OF state ON approval WHEN NEW.state = 1 AND"
    " (NEW.approver IS NULL OR OLD.state <> 0) BEGIN SELECT raise(ABORT, 'no second person'); END;"
    "CREATE TRIGGER approval_new BEFORE INSERT ON approval WHEN NEW.state <> 0 BEGIN"
    " SELECT raise(ABORT, 'an approval begins open'); END;"
    "CREATE TRIGGER approval_fixed BEFORE UPDATE OF kind, subject, digest, access, org ON approval"
    " BEGIN SELECT raise(ABORT, 'what is approved is fixed'); END;",
    NULL,
};
static const struct column approval_columns[] = {
    {"approval.id", "number of an approval", "[retention] audit days", AFTER_RETENTION},
    {"approval.kind", "what kind of thing waits for a second person", "[retention] audit days",
	AFTER_RETENTION},
    {"approval.subject", "the number of that thing", "[retention] audit days", AFTER_RETENTION},
    {"approval.author", "who asked, so that they cannot approve it", "[retention] audit days",
	WITH_PERSON, true},
    {"approval.access", "which roles may approve", "[retention] audit days", NOT_PERSONAL},
    {"approval.org", "for which organisation", "[retention] audit days", NOT_PERSONAL},
    {"approval.digest", "keyed hash of what was shown", "[retention] audit days", KEYED_HASH},
    {"approval.opened", "when", "[retention] audit days", AFTER_RETENTION},
    {"approval.expires", "until when it may be given", "[retention] audit days", AFTER_RETENTION},
    {"approval.state", "open, given, refused or void", "[retention] audit days", AFTER_RETENTION},
    {"approval.approver", "who decided", "[retention] audit days", WITH_PERSON, true},
    {0},
};
const struct schema approval_schema = {"approval", approval_steps, approval_columns};

#define FIELDS "SELECT id, subject, author, kind, access, org, expires, state FROM approval a "
/* Holding one of the roles asked for, in that organisation or in all. */
#define MAY_DECIDE \
	" EXISTS (SELECT 1 FROM role r WHERE r.person = ?1 AND (r.role & a.access) <> 0" \
	" AND (r.org = a.org OR r.org = ''))"

static struct sql add = {"INSERT INTO approval(kind, subject, author, access, org, digest, opened,"
			 " expires) VALUES(?, ?, ?, ?, ?, ?, ?, ?)"};
static struct sql get = {FIELDS "WHERE id = ?"};
static struct sql may = {"SELECT 1 FROM approval a WHERE id = ?2 AND" MAY_DECIDE};
static struct sql same = {"SELECT 1 FROM approval WHERE id = ? AND digest = ?"};
static struct sql decide = {
    "UPDATE approval AS a SET state = ?3, approver = ?1 WHERE id = ?2 AND state = 0"
    " AND author <> ?1 AND expires > ?4 AND" MAY_DECIDE};
static struct sql withdraw = {
    "UPDATE approval SET state = 3 WHERE id = ? AND author = ? AND state = 0"};
static struct sql holds = {"SELECT 1 FROM approval WHERE id = ? AND state = 1 AND digest = ?"};
static struct sql waiting = {FIELDS
    "WHERE state = 0 AND author <> ?1 AND expires > ?2 AND" MAY_DECIDE " ORDER BY id LIMIT ?3"};
static struct sql merge_void = {
    "UPDATE approval SET state = 3, approver = NULL WHERE (author = ?1 AND approver = ?2)"
    " OR (author = ?2 AND approver = ?1)"};
static struct sql merge_author = {"UPDATE approval SET author = ?2 WHERE author = ?1"};
static struct sql merge_approver = {"UPDATE approval SET approver = ?2 WHERE approver = ?1"};
static struct sql prune = {"DELETE FROM approval WHERE opened < ? AND expires < ?"};
struct sql *const approval_statements[] = {&add, &get, &may, &same, &decide, &withdraw, &holds,
    &waiting, &merge_void, &merge_author, &merge_approver, &prune, NULL};

enum { TOLD_MOST = 20 };

static struct blob
digest(struct turn *t, struct blob content)
{
	unsigned char *hash = arena_alloc(t->arena, SEAL_HASH_BYTES);

	seal_hash(t->seal, "approval", content.bytes, content.length, hash);
	return (struct blob){hash, SEAL_HASH_BYTES};
}

struct asked {
	int64_t id, author, expires;
	const char *kind;
};

static void
tell_one(struct turn *t, int64_t person, void *ctx)
{
	const struct asked *asked = ctx;
	const char *language = language_of(t, person);
	char *key = arena_print(t->arena, "approval.%s", asked->kind);
	char *action = arena_print(t->arena, "%s.approve", asked->kind);
	char *number = arena_print(t->arena, "%lld", (long long)asked->id);
	struct card *card;

	if (person == asked->author)
		return;
	card = words_in(
	    t, language, "approval.wanted", "what", words_flat_in(t, language, key, NULL), NULL);
	choose_text(t, card, words_flat_in(t, language, "approval.look", NULL), action, number);
	tell(t, person, CLASS_EVENT_CHANGE, asked->expires, card);
}

int64_t
approval_open(struct turn *t, const char *kind, int64_t subject, unsigned access, const char *org,
    struct blob content, int64_t expires)
{
	struct asked asked = {.author = t->person->id, .expires = expires, .kind = kind};

	asked.id = db_insert(t->db, &add,
	    V(kind, subject, t->person->id, (int)access, org, digest(t, content), t->now, expires));
	for (unsigned role = COORDINATORS; role <= ADMINS; role <<= 1)
		if (access & role)
			people_each(t, (enum access)role, org, TOLD_MOST, tell_one, &asked);
	return asked.id;
}

static void
read_row(struct rows *q, struct approval *approval)
{
	*approval = (struct approval){
	    .id = db_int(q, 0),
	    .subject = db_int(q, 1),
	    .author = db_int(q, 2),
	    .kind = db_text(q, 3),
	    .access = (unsigned)db_int(q, 4),
	    .org = db_text(q, 5),
	    .expires = db_int(q, 6),
	    .state = (enum approval_state)db_int(q, 7),
	};
}

bool
approval_get(struct turn *t, int64_t id, struct approval *approval)
{
	struct rows *q = db_query(t->db, &get, V(id));

	if (!db_next(q))
		return false;
	read_row(q, approval);
	db_done(q);
	return true;
}

static enum approval_answer
decided(struct turn *t, int64_t id, enum approval_state state)
{
	struct approval approval;

	if (!approval_get(t, id, &approval) || approval.state != APPROVAL_OPEN ||
	    approval.expires <= t->now)
		return APPROVAL_GONE;
	if (approval.author == t->person->id)
		return APPROVAL_OWN;
	if (!db_exists(t->db, &may, V(t->person->id, id)))
		return APPROVAL_NOT_FOR_THEM;
	return db_run(t->db, &decide, V(t->person->id, id, (int)state, t->now)) ? APPROVAL_DONE
										: APPROVAL_GONE;
}

enum approval_answer
approval_give(struct turn *t, int64_t id, struct blob content)
{
	if (!db_exists(t->db, &same, V(id, digest(t, content)))) {
		struct approval approval;

		return approval_get(t, id, &approval) ? APPROVAL_CHANGED : APPROVAL_GONE;
	}
	return decided(t, id, APPROVAL_GIVEN);
}

enum approval_answer
approval_refuse(struct turn *t, int64_t id)
{
	return decided(t, id, APPROVAL_REFUSED);
}

bool
approval_withdraw(struct turn *t, int64_t id)
{
	return db_run(t->db, &withdraw, V(id, t->person->id)) > 0;
}

bool
approval_holds(struct turn *t, int64_t id, struct blob content)
{
	return db_exists(t->db, &holds, V(id, digest(t, content)));
}

void
approval_each(struct turn *t, int most,
    void (*each)(struct turn *t, const struct approval *approval, void *ctx), void *ctx)
{
	struct rows *q = db_query(t->db, &waiting, V(t->person->id, t->now, most));
	struct approval approval;

	while (db_next(q)) {
		read_row(q, &approval);
		each(t, &approval, ctx);
	}
}

void
approval_merge(struct turn *t, int64_t from, int64_t to)
{
	db_run(t->db, &merge_void, V(from, to));
	db_run(t->db, &merge_author, V(from, to));
	db_run(t->db, &merge_approver, V(from, to));
}

void
approval_prune(struct turn *t)
{
	db_run(t->db, &prune,
	    V(t->now - 86400 * conf_number(t->conf, "retention", NULL, "audit"), t->now));
}
