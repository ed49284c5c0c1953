/* The content-free audit log and its chain. */
#include "core/audit.h"

#include "core.h"

#include <stdio.h>
#include <string.h>

static const char *const audit_steps[] = {
    "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, hour INTEGER NOT NULL,"
    " action TEXT NOT NULL, subject INTEGER NOT NULL, actor BLOB, chain BLOB NOT NULL) STRICT;"
    "CREATE TABLE audit_head(one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL,"
    " mark BLOB NOT NULL) STRICT;",
    NULL,
};
static const struct column audit_columns[] = {
    {"audit.id", "number of an entry", "[retention] audit days", AFTER_RETENTION},
    {"audit.hour", "in which hour", "[retention] audit days", AFTER_RETENTION},
    {"audit.action", "what kind of thing was done", "[retention] audit days", AFTER_RETENTION},
    {"audit.subject", "the number of a post, ticket or approval", "[retention] audit days",
	AFTER_RETENTION},
    {"audit.actor", "keyed hash of who did it", "[retention] audit days", KEYED_HASH},
    {"audit.chain", "keyed hash over the entry and the one before", "[retention] audit days",
	KEYED_HASH},
    {"audit_head.one", "the only row", "for ever", NOT_PERSONAL},
    {"audit_head.last", "the number of the newest entry", "for ever", NOT_PERSONAL},
    {"audit_head.mark", "keyed hash of the newest entry: a cut end shows", "for ever", KEYED_HASH},
    {0},
};
const struct schema audit_schema = {"audit", audit_steps, audit_columns};

static struct sql newest = {"SELECT chain FROM audit ORDER BY id DESC LIMIT 1"};
static struct sql add = {
    "INSERT INTO audit(hour, action, subject, actor, chain) VALUES(?, ?, ?, ?, x'')"};
static struct sql set_chain = {"UPDATE audit SET chain = ? WHERE id = ?"};
static struct sql set_head = {"INSERT OR REPLACE INTO audit_head(one, last, mark) VALUES(1, ?, ?)"};
static struct sql head = {"SELECT last, mark FROM audit_head"};
static struct sql last_ones = {
    "SELECT id, hour, action, subject, actor FROM audit ORDER BY id DESC LIMIT ?"};
static struct sql in_order = {
    "SELECT id, hour, action, subject, actor, chain FROM audit ORDER BY id"};
/* The newest entry stays, so that the chain always has something to hang on. */
static struct sql prune = {"DELETE FROM audit WHERE hour < ? AND id < (SELECT max(id) FROM audit)"};
struct sql *const audit_statements[] = {
    &newest, &add, &set_chain, &set_head, &head, &last_ones, &in_order, &prune, NULL};

enum { HOUR = 3600, ACTION_MOST = 40 };

static struct blob
keyed(struct turn *t, const char *purpose, const void *bytes, size_t length)
{
	unsigned char *hash = arena_alloc(t->arena, SEAL_HASH_BYTES);

	seal_hash(t->seal, purpose, bytes, length, hash);
	return (struct blob){hash, SEAL_HASH_BYTES};
}

static struct blob
chained(struct turn *t, struct blob before, const struct audit_entry *entry, struct blob actor)
{
	struct buf b = {.maximum = 512};
	struct blob chain;

	buf_add(&b, before.bytes, before.length);
	buf_print(&b, "\n%lld %lld %s %lld ", (long long)entry->id, (long long)entry->hour,
	    entry->action, (long long)entry->subject);
	buf_add(&b, actor.bytes, actor.length);
	chain = keyed(t, "audit.chain", b.bytes, b.length);
	buf_free(&b);
	return chain;
}

static struct blob
newest_chain(struct turn *t)
{
	struct rows *q = db_query(t->db, &newest, NONE);
	struct blob chain = {"", 0};

	if (db_next(q)) {
		chain = db_blob(q, 0);
		db_done(q);
	}
	return chain;
}

static void
append(struct turn *t, const char *action, int64_t subject, struct blob actor)
{
	struct audit_entry entry = {
	    .hour = t->now / HOUR * HOUR, .action = action, .subject = subject};
	struct blob before = newest_chain(t), chain;

	if (strlen(action) > ACTION_MOST)
		turn_fail(t, "audit: a long action");
	entry.id = db_insert(t->db, &add, V(entry.hour, action, subject, actor));
	chain = chained(t, before, &entry, actor);
	db_run(t->db, &set_chain, V(chain, entry.id));
	db_run(t->db, &set_head, V(entry.id, keyed(t, "audit.head", chain.bytes, chain.length)));
}

void
audit(struct turn *t, const char *action, int64_t subject)
{
	struct blob actor = {0};

	if (t->person)
		actor = keyed(t, "audit.actor", &t->person->id, sizeof(t->person->id));
	append(t, action, subject, actor);
}

void
audit_unnamed(struct turn *t, const char *action, int64_t subject)
{
	append(t, action, subject, (struct blob){0});
}

static const char *
short_hash(struct turn *t, struct blob actor)
{
	const unsigned char *b = actor.bytes;

	return actor.length < 4 ? ""
				: arena_print(t->arena, "%02x%02x%02x%02x", b[0], b[1], b[2], b[3]);
}

void
audit_each(struct turn *t, int most,
    void (*each)(struct turn *t, const struct audit_entry *entry, void *ctx), void *ctx)
{
	struct rows *q = db_query(t->db, &last_ones, V(most));

	while (db_next(q)) {
		struct audit_entry entry = {db_int(q, 0), db_int(q, 1), db_text(q, 2), db_int(q, 3),
		    short_hash(t, db_blob(q, 4))};

		each(t, &entry, ctx);
	}
}

/* Whether `chain` is the one that was written last. */
static bool
is_head(struct turn *t, int64_t id, struct blob chain)
{
	struct rows *q = db_query(t->db, &head, NONE);
	struct blob mark, want = keyed(t, "audit.head", chain.bytes, chain.length);
	bool same;

	if (!db_next(q))
		return id == 0;
	mark = db_blob(q, 1);
	same = db_int(q, 0) == id && mark.length == want.length &&
	       !memcmp(mark.bytes, want.bytes, want.length);
	db_done(q);
	return same;
}

int64_t
audit_verify(struct turn *t, int64_t *broken_at)
{
	struct rows *q = db_query(t->db, &in_order, NONE);
	struct blob before = {0};
	int64_t count = 0, id = 0;

	*broken_at = 0;
	for (; db_next(q); count++) {
		struct audit_entry entry = {.id = db_int(q, 0),
		    .hour = db_int(q, 1),
		    .action = db_text(q, 2),
		    .subject = db_int(q, 3)};
		struct blob actor = db_blob(q, 4), chain = db_blob(q, 5), want;

		/* What stood before the oldest entry is gone by its retention. */
		if (count > 0 || entry.id == 1) {
			want = chained(t, before, &entry, actor);
			if (!*broken_at && (want.length != chain.length ||
					       memcmp(want.bytes, chain.bytes, chain.length)))
				*broken_at = entry.id;
		}
		before = chain;
		id = entry.id;
	}
	if (!*broken_at && !is_head(t, id, before))
		*broken_at = id + 1;
	return count;
}

void
audit_prune(struct turn *t)
{
	db_run(t->db, &prune, V(t->now - 86400 * conf_number(t->conf, "retention", NULL, "audit")));
}
