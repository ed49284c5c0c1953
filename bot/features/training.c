/* One's own training group: those who opened a coordinator's link and said yes. An announcement may
 * be for them alone, so that a real one is tried before it is meant for many. */
#include "training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "core/people.h"
#include "store/seal.h"

static const char *const steps[] = {
    "CREATE TABLE training(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " owner INTEGER NOT NULL UNIQUE REFERENCES person(id) ON DELETE CASCADE, org TEXT NOT NULL,"
    " secret BLOB NOT NULL, made INTEGER NOT NULL) STRICT;",
    NULL,
};
#define RETENTION "until the one who made it leaves"
static const struct column columns[] = {
    {"training.id", "number of a training group", RETENTION, WITH_PERSON},
    {"training.owner", "whose group it is", RETENTION, WITH_PERSON},
    {"training.org", "organisation that trains", RETENTION, WITH_PERSON},
    {"training.secret", "keyed hash of its link", RETENTION, KEYED_HASH},
    {"training.made", "since when the link holds", RETENTION, WITH_PERSON},
    {0},
};
static const struct schema schema = {"training", steps, columns};

static struct sql mine = {"SELECT id FROM training WHERE owner = ?"};
static struct sql add = {"INSERT INTO training(owner, org, secret, made) VALUES(?, ?, ?, ?)"};
static struct sql renew = {"UPDATE training SET secret = ?, org = ?, made = ? WHERE id = ?"};
static struct sql by_secret = {
    "SELECT id, org FROM training WHERE secret = ? AND made > ? AND owner <> ?"};
static struct sql joined = {
    "SELECT substr(tag, 7) FROM tag WHERE person = ? AND tag >= 'group.' AND tag < 'group/'"
    " AND NOT EXISTS (SELECT 1 FROM training g WHERE g.owner = person"
    " AND tag = 'group.' || g.id)"};
static struct sql *const statements[] = {&mine, &add, &renew, &by_secret, &joined, NULL};

enum { SECRET = 12, LINK_S = 30 * 86400 };

static const char *
tag_of(struct turn *t, int64_t id)
{
	return arena_print(t->arena, "group.%lld", (long long)id);
}

static struct blob
hash_of(struct turn *t, const char *token)
{
	unsigned char *hash = arena_alloc(t->arena, SEAL_HASH_BYTES);

	seal_hash(t->seal, "training.secret", token, strlen(token), hash);
	return (struct blob){hash, SEAL_HASH_BYTES};
}

/* A new link each time: only its hash is kept, so it cannot be shown again, and the old one ends. */
void
training_link(struct turn *t)
{
	unsigned char random[SECRET];
	char token[2 * SECRET + 1];
	int64_t id = db_number(t->db, &mine, V(t->person->id), 0);
	struct card *card;

	seal_random(random, sizeof(random));
	for (int i = 0; i < SECRET; i++)
		snprintf(token + 2 * i, 3, "%02x", random[i]);
	if (id)
		db_run(t->db, &renew, V(hash_of(t, token), t->person->org, t->now, id));
	else
		id = db_insert(
		    t->db, &add, V(t->person->id, t->person->org, hash_of(t, token), t->now));
	audience_tag(t, t->person->id, tag_of(t, id), true);
	card = words(t, "training.link", "number", arena_print(t->arena, "%lld", (long long)id),
	    "code", arena_print(t->arena, "g_%s", token), NULL);
	link_add(t, t->language, card, arena_join(t->arena, "g_", token));
	say(t, card);
}

static bool
find(struct turn *t, const char *token, int64_t *id, const char **org)
{
	struct rows *q =
	    db_query(t->db, &by_secret, V(hash_of(t, token), t->now - LINK_S, t->person->id));

	if (!db_next(q))
		return false;
	*id = db_int(q, 0);
	*org = db_text(q, 1);
	db_done(q);
	return true;
}

static void
linked(struct turn *t)
{
	const char *token = arena_string(t->arena, t->value), *org;
	struct card *card;
	int64_t id;

	if (!(t->person->access & MEMBERS) || !find(t, token, &id, &org)) {
		say(t, words(t, "training.gone", NULL));
		return;
	}
	card = words(t, "training.offer", "org", announce_org(t, t->language, org), NULL);
	choose(t, card, "training.join", "training.join", token);
	say(t, card);
}

static void
join(struct turn *t)
{
	const char *org;
	int64_t id;

	if (!find(t, t->value, &id, &org)) {
		say(t, words(t, "training.gone", NULL));
		return;
	}
	audience_tag(t, t->person->id, tag_of(t, id), true);
	edit(t, words(t,
		    consents(t, t->person->id, CONSENT_ANNOUNCEMENTS) ? "training.joined"
								      : "training.joined_off",
		    NULL));
}

/* Out of every group but one's own. */
static void
leave(struct turn *t)
{
	struct rows *q = db_query(t->db, &joined, V(t->person->id));
	int64_t ids[16];
	int n = 0;

	while (n < 16 && db_next(q))
		ids[n++] = strtoll(db_text(q, 0), NULL, 10);
	db_done(q);
	for (int i = 0; i < n; i++)
		audience_tag(t, t->person->id, tag_of(t, ids[i]), false);
	edit(t, words(t, "training.left", NULL));
}

void
training_way_out(struct turn *t, struct card *card)
{
	if (db_exists(t->db, &joined, V(t->person->id)))
		choose(t, card, "training.leave", "training.leave", "");
}

/* Its coordinator leaves: nobody is in a group of nobody's. */
static void
happened(struct turn *t, enum happening what)
{
	int64_t id;

	if (what == HAPPENED_LEAVING && (id = db_number(t->db, &mine, V(t->subject), 0)))
		audience_forget(t, tag_of(t, id));
}

static const struct action actions[] = {
    {"training.join", MEMBERS, join},
    {"training.leave", MEMBERS, leave},
    {0},
};

const struct feature feature_training = {
    .name = "training",
    .schema = &schema,
    .statements = statements,
    .actions = actions,
    .link = "g",
    .linked = linked,
    .happened = happened,
};
