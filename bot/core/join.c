#include "core/join.h"

#include "core.h"
#include "core/audit.h"

#include <string.h>

static const char *const join_steps[] = {
    "CREATE TABLE join_code(hash BLOB PRIMARY KEY, role INTEGER NOT NULL, org TEXT NOT NULL,"
    " uses INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    NULL,
};
static const struct column join_columns[] = {
    {"join_code.hash", "keyed hash of a code: the code itself is never stored",
	"until used or expired", WHEN_DONE},
    {"join_code.role", "what the code grants", "until used or expired", NOT_PERSONAL},
    {"join_code.org", "for which organisation", "until used or expired", NOT_PERSONAL},
    {"join_code.uses", "how often it may still be used", "until used or expired", NOT_PERSONAL},
    {"join_code.expires", "until when", "until used or expired", NOT_PERSONAL},
    {0},
};
const struct schema join_schema = {"join", join_steps, join_columns};

static struct sql add = {
    "INSERT INTO join_code(hash, role, org, uses, expires) VALUES(?, ?, ?, ?, ?)"};
static struct sql get = {
    "SELECT role, org, uses, expires FROM join_code WHERE hash = ? AND uses > 0 AND expires > ?"};
static struct sql use = {"UPDATE join_code SET uses = uses - 1 WHERE hash = ? AND uses > 0"};
static struct sql prune = {"DELETE FROM join_code WHERE uses <= 0 OR expires <= ?"};
struct sql *const join_statements[] = {&add, &get, &use, &prune, NULL};

static struct blob
code_hash(struct turn *t, const char *code)
{
	unsigned char *hash = arena_alloc(t->arena, SEAL_HASH_BYTES);

	seal_hash(t->seal, "join", code, strlen(code), hash);
	return (struct blob){hash, SEAL_HASH_BYTES};
}

const char *
join_make(struct turn *t, enum access role, const char *org, int64_t uses, int64_t days)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char random[JOIN_CODE_CHARACTERS];
	char *code = arena_alloc(t->arena, JOIN_CODE_CHARACTERS + 1);

	/* 22 characters of 6 bits: 132 bits. */
	seal_random(random, sizeof(random));
	for (int i = 0; i < JOIN_CODE_CHARACTERS; i++)
		code[i] = alphabet[random[i] & 63];
	db_run(t->db, &prune, V(t->now));
	db_run(t->db, &add, V(code_hash(t, code), (int)role, org, uses, t->now + days * 86400));
	return code;
}

const char *
join_link(struct turn *t, const char *network, const char *code)
{
	return link_to(t, network, arena_join(t->arena, "j_", code));
}

bool
join_look(struct turn *t, const char *code, struct join_offer *offer)
{
	struct rows *q = db_query(t->db, &get, V(code_hash(t, code), t->now));

	if (!db_next(q))
		return false;
	offer->role = (enum access)db_int(q, 0);
	offer->org = db_text(q, 1);
	offer->uses = db_int(q, 2);
	offer->expires = db_int(q, 3);
	db_done(q);
	return true;
}

bool
join_use(struct turn *t, const char *code)
{
	struct join_offer offer;

	if (people_is_banned(t, t->person->id) || !join_look(t, code, &offer) ||
	    !db_run(t->db, &use, V(code_hash(t, code))))
		return false;
	if (!(t->person->access & MEMBERS))
		people_join(t, t->person->id, offer.org);
	if (offer.role != MEMBERS) {
		people_grant(t, t->person->id, offer.role,
		    offer.role == COORDINATORS || offer.role == JUDGES ? offer.org : "");
		people_keep_code(t, t->person->id, code_hash(t, code));
		people_confirmed(t, t->person->id);
		audit(t, "role.grant", offer.role);
	}
	return true;
}

bool
join_again(struct turn *t, const char *code)
{
	while (*code == ' ')
		code++;
	if (!strncmp(code, "j_", 2))
		code += 2;
	if (!people_is_code(t, t->person->id, code_hash(t, code)))
		return false;
	people_confirmed(t, t->person->id);
	return true;
}
