/* People and their accounts, roles, consents; joining, merging, erasing. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/text.h"
#include "base/words.h"

static const char *const people_steps[] = {
    "CREATE TABLE person(id INTEGER PRIMARY KEY AUTOINCREMENT, slot BLOB NOT NULL,"
    " language TEXT NOT NULL DEFAULT '', org TEXT NOT NULL DEFAULT '', pseudonym BLOB,"
    " access INTEGER NOT NULL DEFAULT 0, joined INTEGER NOT NULL DEFAULT 0,"
    " seen INTEGER NOT NULL DEFAULT 0, confirmed INTEGER NOT NULL DEFAULT 0,"
    " paused_until INTEGER NOT NULL DEFAULT 0, adult INTEGER NOT NULL DEFAULT 0,"
    " prefer TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE TABLE account(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE, network TEXT NOT NULL,"
    " hash BLOB NOT NULL UNIQUE, address BLOB NOT NULL, reachable INTEGER NOT NULL DEFAULT 1) "
    "STRICT;"
    "CREATE INDEX account_person ON account(person);"
    "CREATE TABLE role(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " role INTEGER NOT NULL, org TEXT NOT NULL, granted INTEGER NOT NULL,"
    " PRIMARY KEY(person, role, org)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX role_role ON role(role, org);"
    "CREATE TABLE consent(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " what TEXT NOT NULL, given INTEGER NOT NULL, PRIMARY KEY(person, what)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX consent_what ON consent(what);"
    "CREATE TABLE erasure(hash BLOB PRIMARY KEY, erased INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE ban(hash BLOB PRIMARY KEY, banned INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    "ALTER TABLE person ADD COLUMN role_code BLOB;",
    "ALTER TABLE erasure ADD COLUMN serial INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE account ADD COLUMN late INTEGER NOT NULL DEFAULT 0;",
    NULL,
};
static const struct column people_columns[] = {
    {"person.id", "number of a person", "membership", WITH_PERSON},
    {"person.slot", "the person's own key, wrapped by the state key", "membership", WITH_PERSON},
    {"person.language", "which language to speak", "membership", WITH_PERSON},
    {"person.org", "which organisation somebody joined by", "membership", WITH_PERSON},
    {"person.pseudonym", "the name others may see, sealed", "membership", KEY_GONE},
    {"person.access", "what somebody may do", "membership", WITH_PERSON},
    {"person.joined", "the day of joining", "membership", WITH_PERSON},
    {"person.seen", "the day of the last message, to end unused profiles", "membership",
	WITH_PERSON},
    {"person.confirmed", "the day of the last typed confirmation of a role", "membership",
	WITH_PERSON},
    {"person.role_code", "keyed hash of the code a role came by, to be typed again", "membership",
	KEYED_HASH},
    {"person.paused_until", "until when nothing is pushed", "membership", WITH_PERSON},
    {"person.adult", "declared to be 18 or older", "membership", WITH_PERSON},
    {"person.prefer", "the network messages go to", "membership", WITH_PERSON},
    {"account.id", "number of an account", "membership", WITH_PERSON},
    {"account.person", "whose account it is", "membership", WITH_PERSON},
    {"account.network", "on which network", "membership", WITH_PERSON},
    {"account.hash", "keyed hash of the network's id, to find it again", "membership", WITH_PERSON},
    {"account.address", "where to send to, sealed", "membership", KEY_GONE},
    {"account.reachable", "whether the bot may write", "membership", WITH_PERSON},
    {"account.late", "after which outage an old command was answered, to do so once", "membership",
	WITH_PERSON},
    {"role.person", "who holds a role", "until revoked", WITH_PERSON},
    {"role.role", "which role", "until revoked", WITH_PERSON},
    {"role.org", "for which organisation", "until revoked", WITH_PERSON},
    {"role.granted", "the day it was granted", "until revoked", WITH_PERSON},
    {"consent.person", "who consented", "until withdrawn", WITH_PERSON},
    {"consent.what", "to what", "until withdrawn", WITH_PERSON},
    {"consent.given", "the day of consent", "until withdrawn", WITH_PERSON},
    {"erasure.hash", "keyed hash of an erased account, so that a restore erases again",
	"[retention] backup days", KEYED_HASH},
    {"erasure.erased", "when, for the retention", "[retention] backup days", AFTER_RETENTION},
    {"erasure.serial", "which came first, to know what a backup already holds",
	"[retention] backup days", AFTER_RETENTION},
    {"ban.hash", "keyed hash of an account that was shut out", "until lifted", KEYED_HASH},
    {"ban.banned", "the day", "until lifted", NOT_PERSONAL},
    {0},
};
const struct schema people_schema = {"people", people_steps, people_columns};

static struct sql find = {"SELECT a.id, a.reachable, p.id, p.language, p.access, p.org, p.joined, "
			  "p.paused_until, p.adult,"
			  " p.slot, p.pseudonym, p.seen FROM account a JOIN person p ON p.id = "
			  "a.person WHERE a.hash = ?"};
static struct sql add_person = {"INSERT INTO person(slot, seen) VALUES(x'', ?)"};
static struct sql set_slot = {"UPDATE person SET slot = ? WHERE id = ?"};
static struct sql add_account = {
    "INSERT INTO account(person, network, hash, address) VALUES(?, ?, ?, ?)"};
static struct sql set_seen = {"UPDATE person SET seen = ? WHERE id = ?"};
static struct sql set_reachable = {"UPDATE account SET reachable = ? WHERE id = ?"};
static struct sql set_address = {"UPDATE account SET address = ? WHERE id = ?"};
static struct sql get_address = {"SELECT a.address, p.slot, p.id FROM account a JOIN person p ON "
				 "p.id = a.person WHERE a.id = ?"};
static struct sql get_slot = {"SELECT slot FROM person WHERE id = ?"};
static struct sql push_account = {
    "SELECT a.id, a.network FROM account a JOIN person p ON p.id = a.person"
    " WHERE a.person = ? AND a.reachable = 1 ORDER BY a.network = p.prefer DESC, a.id LIMIT 1"};
static struct sql set_language = {"UPDATE person SET language = ? WHERE id = ?"};
static struct sql get_language = {"SELECT language FROM person WHERE id = ?"};
static struct sql set_pause = {"UPDATE person SET paused_until = ? WHERE id = ?"};
static struct sql set_adult = {"UPDATE person SET adult = ? WHERE id = ?"};
static struct sql set_pseudonym = {"UPDATE person SET pseudonym = ? WHERE id = ?"};
static struct sql get_pseudonym = {"SELECT pseudonym FROM person WHERE id = ?"};
static struct sql get_org = {"SELECT org FROM person WHERE id = ?"};
static struct sql get_access = {"SELECT access FROM person WHERE id = ?"};
static struct sql set_access = {
    "UPDATE person SET access = (joined > 0) + coalesce((SELECT sum(DISTINCT role) FROM role"
    " WHERE person = person.id AND role > 1), 0) WHERE id = ?"};
static struct sql join = {"UPDATE person SET org = ?, joined = ? WHERE id = ?"};
static struct sql grant = {
    "INSERT OR IGNORE INTO role(person, role, org, granted) VALUES(?, ?, ?, ?)"};
static struct sql revoke = {
    "DELETE FROM role WHERE person = ? AND role = ? AND (org = ? OR ? IS NULL)"};
static struct sql holds = {
    "SELECT 1 FROM role WHERE person = ? AND role = ? AND (org = ? OR org = '')"};
static struct sql each_role = {
    "SELECT DISTINCT person FROM role WHERE role = ?"
    " AND (?2 IS NULL OR org = ?2 OR org = '') ORDER BY person LIMIT ?3"};
static struct sql get_seen = {"SELECT seen FROM person WHERE id = ?"};
static struct sql set_confirmed = {"UPDATE person SET confirmed = ? WHERE id = ?"};
static struct sql must_confirm = {"SELECT confirmed < 0 FROM person WHERE id = ?"};
static struct sql set_code = {"UPDATE person SET role_code = ? WHERE id = ?"};
static struct sql is_code = {"SELECT 1 FROM person WHERE id = ? AND role_code = ?"};
static struct sql any_reachable = {"SELECT 1 FROM account WHERE person = ? AND reachable = 1"};
/* Under a new number, so that a person's first account, by which they are marked, stays the first. */
static struct sql drop_account = {"DELETE FROM account WHERE id = ?"};
static struct sql move_account = {
    "INSERT INTO account(person, network, hash, address, reachable) VALUES(?, ?, ?, ?, 1)"};
static struct sql accounts_of = {
    "SELECT id, network, address, hash FROM account WHERE person = ? ORDER BY id"};
static struct sql set_prefer = {"UPDATE person SET prefer = ? WHERE id = ?"};
static struct sql networks_of = {
    "SELECT group_concat(network, ' ') FROM (SELECT DISTINCT network FROM account WHERE person = ?"
    " ORDER BY network)"};
static struct sql wipe_slot = {"UPDATE person SET slot = zeroblob(length(slot)) WHERE id = ?"};
static struct sql delete_person = {"DELETE FROM person WHERE id = ?"};
static struct sql by_hash = {"SELECT person FROM account WHERE hash = ?"};
static struct sql ban = {"INSERT OR IGNORE INTO ban(hash, banned) VALUES(?, ?)"};
static struct sql banned = {"SELECT 1 FROM ban WHERE hash = ?"};
static struct sql unban = {"DELETE FROM ban WHERE hash = ?"};
static struct sql expel = {"UPDATE person SET org = '', joined = 0 WHERE id = ?"};
static struct sql expel_roles = {"DELETE FROM role WHERE person = ?"};
static struct sql expel_consents = {"DELETE FROM consent WHERE person = ?"};
static struct sql consent_get = {"SELECT 1 FROM consent WHERE person = ? AND what = ?"};
static struct sql consent_add = {
    "INSERT OR IGNORE INTO consent(person, what, given) VALUES(?, ?, ?)"};
static struct sql consent_drop = {"DELETE FROM consent WHERE person = ? AND what = ?"};

struct sql *const people_statements[] = {&find, &add_person, &set_slot, &add_account, &set_seen,
    &set_reachable, &set_address, &get_address, &get_slot, &push_account, &set_language,
    &get_language, &set_pause, &set_adult, &set_pseudonym, &get_pseudonym, &get_org, &get_access,
    &set_access, &join, &grant, &revoke, &holds, &each_role, &get_seen, &set_confirmed,
    &must_confirm, &set_code, &is_code, &any_reachable, &drop_account, &move_account, &accounts_of,
    &set_prefer, &networks_of, &wipe_slot, &delete_person, &by_hash, &ban, &banned, &unban, &expel,
    &expel_roles, &expel_consents, &consent_get, &consent_add, &consent_drop, NULL};

enum { DAY = 86400, SILENT_DAYS = 30, WRITE_SEEN_DAYS = 1, ACCOUNTS_MOST = 32 };

static struct blob
account_hash(struct turn *t, const char *network, const char *who)
{
	char *key = arena_print(t->arena, "%s:%s", network, who);
	unsigned char *hash = arena_alloc(t->arena, SEAL_HASH_BYTES);

	seal_hash(t->seal, "account", key, strlen(key), hash);
	return (struct blob){hash, SEAL_HASH_BYTES};
}

static struct blob
seal_address(struct turn *t, struct blob slot, int64_t person, const char *who, const char *where)
{
	char *both = arena_print(t->arena, "%s\n%s", who, where ? where : who);

	return seal_box(
	    t->seal, t->arena, slot, person, "account.address", (struct blob){both, strlen(both)});
}

static void
make_person(struct turn *t, const struct event *event, struct blob hash)
{
	struct person *p = t->person;

	p->id = db_insert(t->db, &add_person, V(t->now / DAY * DAY));
	p->slot = seal_slot_new(t->seal, t->arena, p->id);
	db_run(t->db, &set_slot, V(p->slot, p->id));
	p->account = db_insert(t->db, &add_account,
	    V(p->id, p->network, hash,
		seal_address(t, p->slot, p->id, event->who, event->group ? NULL : event->where)));
	p->language = p->org = p->pseudonym = "";
	p->fresh = true;
}

int64_t
people_invent(struct turn *t, const char *name, int64_t seen)
{
	struct person p = {.network = "local"}, *was = t->person;
	struct event event = {.who = name, .where = name};

	t->person = &p;
	make_person(t, &event, account_hash(t, p.network, name));
	db_run(t->db, &set_seen, V(seen / DAY * DAY, p.id));
	t->person = was;
	return p.id;
}

bool
people_find(struct turn *t, const struct event *event)
{
	struct ours *ours = t->private;
	const char *network = ours->network->transport->name;
	struct blob hash = account_hash(t, network, event->who), name;
	struct person *p = arena_alloc(t->arena, sizeof(*p));
	int64_t seen;
	struct rows *q;
	bool reachable;

	t->person = p;
	p->network = network;
	q = db_query(t->db, &find, V(hash));
	if (!db_next(q)) {
		if (db_exists(t->db, &banned, V(hash)))
			return false;
		make_person(t, event, hash);
		return !db_failed(t->db);
	}
	p->account = db_int(q, 0);
	reachable = db_int(q, 1);
	p->id = db_int(q, 2);
	p->language = db_text(q, 3);
	p->access = (unsigned)db_int(q, 4);
	p->org = db_text(q, 5);
	p->joined = db_int(q, 6);
	p->paused_until = db_int(q, 7);
	p->adult = db_int(q, 8);
	p->slot = db_blob(q, 9);
	name = db_blob(q, 10);
	seen = db_int(q, 11);
	db_done(q);
	p->pseudonym = "";
	if (name.bytes) {
		name = seal_unbox(t->seal, t->arena, p->slot, p->id, "person.pseudonym", name);
		p->pseudonym = name.bytes ? arena_copy(t->arena, name.bytes, name.length) : "";
	}
	if (!reachable) {
		db_run(t->db, &set_reachable, V(1, p->account));
		if (p->access & ~(unsigned)MEMBERS)
			db_run(t->db, &set_confirmed, V(-1, p->id));
	}
	if (!event->group && event->where && strcmp(event->where, event->who)) {
		const char *who, *where;

		if (people_address(t, p->account, &who, &where) && strcmp(where, event->where))
			db_run(t->db, &set_address,
			    V(seal_address(t, p->slot, p->id, event->who, event->where),
				p->account));
	}
	if (t->now - seen >= WRITE_SEEN_DAYS * DAY) {
		db_run(t->db, &set_seen, V(t->now / DAY * DAY, p->id));
		if (t->now - seen > SILENT_DAYS * DAY && p->access & ~(unsigned)MEMBERS)
			db_run(t->db, &set_confirmed, V(-1, p->id));
	}
	return true;
}

/* A pause until a date ends by itself. */
void
people_back(struct turn *t)
{
	struct person *p = t->person;

	if (p->paused_until && p->paused_until != PAUSED_FOR_GOOD && p->paused_until <= t->now) {
		db_run(t->db, &set_pause, V(0, p->id));
		p->paused_until = 0;
	}
}

void
people_left(struct turn *t, const struct event *event, bool gone)
{
	struct ours *ours = t->private;
	struct blob hash =
	    account_hash(t, ours->network->transport->name, event->who ? event->who : "");
	struct rows *q = db_query(t->db, &find, V(hash));
	int64_t account, person;

	if (!db_next(q))
		return;
	account = db_int(q, 0);
	person = db_int(q, 2);
	db_done(q);
	if (gone) {
		people_erase(t, person);
		return;
	}
	db_run(t->db, &set_reachable, V(0, account));
	t->subject = person;
	outbox_withdraw_posts(t, person, PUSHES_ALL);
	if (!people_reachable(t, person))
		happen(t, HAPPENED_UNREACHABLE);
}

void
people_moved(struct turn *t, const struct event *event)
{
	struct blob hash;
	struct rows *q;
	struct ours *ours = t->private;

	if (!event->who || !event->new_where)
		return;
	hash = account_hash(t, ours->network->transport->name, event->who);
	q = db_query(t->db, &find, V(hash));
	if (!db_next(q))
		return;
	db_run(t->db, &set_address,
	    V(seal_address(t, db_blob(q, 9), db_int(q, 2), event->who, event->new_where),
		db_int(q, 0)));
	db_done(q);
	ship_look_up(t->engine);
}

struct blob
people_slot(struct turn *t, int64_t person)
{
	struct rows *q;
	struct blob slot = {NULL, 0};

	if (t->person && t->person->id == person)
		return t->person->slot;
	q = db_query(t->db, &get_slot, V(person));
	if (db_next(q))
		slot = db_blob(q, 0);
	db_done(q);
	return slot;
}

bool
people_address(struct turn *t, int64_t account, const char **who, const char **where)
{
	struct rows *q = db_query(t->db, &get_address, V(account));
	struct blob plain = {NULL, 0};
	char *both, *cut;

	if (db_next(q))
		plain = seal_unbox(t->seal, t->arena, db_blob(q, 1), db_int(q, 2),
		    "account.address", db_blob(q, 0));
	db_done(q);
	if (!plain.bytes)
		return false;
	both = arena_copy(t->arena, plain.bytes, plain.length);
	cut = strchr(both, '\n');
	if (cut)
		*cut = 0;
	*who = both;
	*where = cut ? cut + 1 : both;
	return true;
}

int64_t
people_account(struct turn *t, int64_t person, struct network **network)
{
	struct rows *q = db_query(t->db, &push_account, V(person));
	int64_t account = 0;

	if (db_next(q)) {
		*network = network_named(t->engine, db_text(q, 1));
		account = *network ? db_int(q, 0) : 0;
	}
	db_done(q);
	return account;
}

struct blob
seal_person_bytes(struct turn *t, int64_t person, const char *purpose, struct blob plain)
{
	struct blob slot = people_slot(t, person);

	if (!plain.bytes)
		return (struct blob){NULL, 0};
	if (!slot.length) {
		db_fail(t->db, "sealing for nobody");
		return (struct blob){NULL, 0};
	}
	return seal_box(t->seal, t->arena, slot, person, purpose, plain);
}

struct blob
unseal_person_bytes(struct turn *t, int64_t person, const char *purpose, struct blob sealed)
{
	struct blob slot = people_slot(t, person);

	if (!sealed.bytes || !slot.length)
		return (struct blob){NULL, 0};
	return seal_unbox(t->seal, t->arena, slot, person, purpose, sealed);
}

struct blob
seal_person(struct turn *t, int64_t person, const char *purpose, const char *text)
{
	return seal_person_bytes(t, person, purpose, (struct blob){text, text ? strlen(text) : 0});
}

const char *
unseal_person(struct turn *t, int64_t person, const char *purpose, struct blob sealed)
{
	struct blob plain = unseal_person_bytes(t, person, purpose, sealed);

	return plain.bytes ? arena_copy(t->arena, plain.bytes, plain.length) : NULL;
}

bool
consents(struct turn *t, int64_t person, const char *what)
{
	return db_exists(t->db, &consent_get, V(person, what));
}

void
consent_set(struct turn *t, int64_t person, const char *what, bool given)
{
	if (given)
		db_run(t->db, &consent_add, V(person, what, t->now / DAY * DAY));
	else
		db_run(t->db, &consent_drop, V(person, what));
	if (!given && !strcmp(what, CONSENT_ANNOUNCEMENTS))
		outbox_withdraw(t, person, PUSHES_ANNOUNCED);
	if (!given && !strcmp(what, CONSENT_MATCHING))
		outbox_withdraw(t, person, PUSHES_MATCHED);
}

void
people_set_language(struct turn *t, int64_t person, const char *language)
{
	db_run(t->db, &set_language, V(language, person));
	if (t->person && t->person->id == person) {
		t->person->language = arena_string(t->arena, language);
		t->language = t->person->language;
	}
	if (people_access(t, person) & ~(unsigned)MEMBERS)
		menu_person(t, person, false);
}

const char *
language_of(struct turn *t, int64_t person)
{
	const char *language;

	if (t->person && t->person->id == person)
		return t->language;
	language = db_string(t->db, &get_language, V(person));
	return language && language[0] ? language : words_language(t->words, 0);
}

void
people_pause(struct turn *t, int64_t person, int64_t until)
{
	db_run(t->db, &set_pause, V(until, person));
	if (t->person && t->person->id == person)
		t->person->paused_until = until;
	t->subject = person;
	if (!until)
		return;
	outbox_withdraw(t, person, PUSHES_ALL);
	happen(t, HAPPENED_PAUSED);
}

void
people_set_adult(struct turn *t, int64_t person, bool adult)
{
	db_run(t->db, &set_adult, V(adult, person));
	if (t->person && t->person->id == person)
		t->person->adult = adult;
}

void
people_set_pseudonym(struct turn *t, int64_t person, const char *pseudonym)
{
	db_run(t->db, &set_pseudonym,
	    V(seal_person(t, person, "person.pseudonym", pseudonym), person));
	if (t->person && t->person->id == person)
		t->person->pseudonym = arena_string(t->arena, pseudonym);
}

const char *
people_pseudonym(struct turn *t, int64_t person)
{
	struct rows *q = db_query(t->db, &get_pseudonym, V(person));
	const char *name = NULL;

	if (db_next(q))
		name = unseal_person(t, person, "person.pseudonym", db_blob(q, 0));
	db_done(q);
	return name ? name : "";
}

const char *
people_org(struct turn *t, int64_t person)
{
	const char *org = db_string(t->db, &get_org, V(person));

	return org ? org : "";
}

unsigned
people_access(struct turn *t, int64_t person)
{
	return (unsigned)db_number(t->db, &get_access, V(person), 0);
}

unsigned
people_access_at(struct turn *t, const char *network, const char *who)
{
	return people_access(t, db_number(t->db, &by_hash, V(account_hash(t, network, who)), 0));
}

bool
people_exists(struct turn *t, int64_t person)
{
	return db_number(t->db, &get_access, V(person), -1) >= 0;
}

static void
access_changed(struct turn *t, int64_t person)
{
	db_run(t->db, &set_access, V(person));
	if (t->person && t->person->id == person)
		t->person->access = people_access(t, person);
	t->subject = person;
	happen(t, HAPPENED_ROLES);
}

void
people_join(struct turn *t, int64_t person, const char *org)
{
	db_run(t->db, &join, V(org, t->now / DAY * DAY, person));
	if (t->person && t->person->id == person) {
		t->person->org = arena_string(t->arena, org);
		t->person->joined = t->now / DAY * DAY;
	}
	access_changed(t, person);
	t->subject = person;
	happen(t, HAPPENED_JOINED);
}

void
people_grant(struct turn *t, int64_t person, enum access role, const char *org)
{
	db_run(t->db, &grant, V(person, (int)role, org ? org : "", t->now / DAY * DAY));
	access_changed(t, person);
}

void
people_revoke(struct turn *t, int64_t person, enum access role, const char *org)
{
	db_run(t->db, &revoke, V(person, (int)role, org, org));
	access_changed(t, person);
}

bool
people_holds(struct turn *t, int64_t person, enum access role, const char *org)
{
	return db_exists(t->db, &holds, V(person, (int)role, org ? org : ""));
}

static const struct {
	const char *name;
	enum access role;
} role_names[] = {
    {"member", MEMBERS},
    {"coordinator", COORDINATORS},
    {"judge", JUDGES},
    {"safety", SAFETY},
    {"admin", ADMINS},
};

enum access
people_role(const char *name)
{
	for (size_t i = 0; i < sizeof(role_names) / sizeof(*role_names); i++)
		if (!strcmp(role_names[i].name, name))
			return role_names[i].role;
	return ANYONE;
}

const char *
people_role_name(enum access role)
{
	for (size_t i = 0; i < sizeof(role_names) / sizeof(*role_names); i++)
		if (role_names[i].role == role)
			return role_names[i].name;
	return "visitor";
}

void
people_each(struct turn *t, enum access role, const char *org, int most,
    void (*each)(struct turn *t, int64_t person, void *ctx), void *ctx)
{
	struct rows *q = db_query(t->db, &each_role, V((int)role, org, most));

	while (db_next(q))
		each(t, db_int(q, 0), ctx);
}

int64_t
people_seen(struct turn *t, int64_t person)
{
	return db_number(t->db, &get_seen, V(person), 0);
}

bool
people_reachable(struct turn *t, int64_t person)
{
	return db_exists(t->db, &any_reachable, V(person));
}

bool
people_must_confirm(struct turn *t, int64_t person)
{
	return db_number(t->db, &must_confirm, V(person), 1);
}

void
people_confirmed(struct turn *t, int64_t person)
{
	db_run(t->db, &set_confirmed, V(t->now / DAY * DAY, person));
}

void
people_keep_code(struct turn *t, int64_t person, struct blob hash)
{
	db_run(t->db, &set_code, V(hash, person));
}

bool
people_is_code(struct turn *t, int64_t person, struct blob hash)
{
	return db_exists(t->db, &is_code, V(person, hash));
}

void
people_merge(struct turn *t, int64_t from, int64_t to)
{
	struct rows *q = db_query(t->db, &accounts_of, V(from));
	struct blob slot = people_slot(t, to);
	unsigned roles = (people_access(t, from) | people_access(t, to)) & ~(unsigned)MEMBERS;

	while (db_next(q)) {
		int64_t account = db_int(q, 0);
		const char *network = db_text(q, 1), *who, *where;
		struct blob hash = db_blob(q, 3);

		if (!people_address(t, account, &who, &where))
			continue;
		db_run(t->db, &drop_account, V(account));
		db_run(t->db, &move_account,
		    V(to, network, hash, seal_address(t, slot, to, who, where)));
	}
	approval_merge(t, from, to);
	t->subject = from;
	happen(t, HAPPENED_LEAVING);
	/* Every chat of theirs shows what the one person may do. */
	if (roles)
		menu_person(t, to, false);
	db_run(t->db, &wipe_slot, V(from));
	db_run(t->db, &delete_person, V(from));
	erasure_files(t, from);
	erasure_wipe(t->engine);
}

void
people_prefer(struct turn *t, int64_t person, const char *network)
{
	db_run(t->db, &set_prefer, V(network, person));
}

const char *
people_networks(struct turn *t, int64_t person)
{
	const char *networks = db_string(t->db, &networks_of, V(person));

	return networks ? networks : "";
}

void
people_erase(struct turn *t, int64_t person)
{
	struct rows *q;

	t->subject = person;
	happen(t, HAPPENED_LEAVING);
	q = db_query(t->db, &accounts_of, V(person));
	while (db_next(q)) {
		const char *who, *where;

		erasure_remember(t, db_blob(q, 3));
		if (people_address(t, db_int(q, 0), &who, &where))
			say_farewell(t, network_named(t->engine, db_text(q, 1)), who, where);
	}
	db_run(t->db, &wipe_slot, V(person));
	db_run(t->db, &delete_person, V(person));
	erasure_files(t, person);
	ship_look_up(t->engine);
	if (t->person && t->person->id == person)
		t->person->slot.length = 0;
}

bool
people_erase_address(struct turn *t, const char *network, const char *who)
{
	return people_erase_hash(t, account_hash(t, network, who));
}

bool
people_erase_hash(struct turn *t, struct blob hash)
{
	int64_t person = db_number(t->db, &by_hash, V(hash), 0);

	if (person)
		people_erase(t, person);
	return person != 0;
}

void
people_ban(struct turn *t, int64_t person)
{
	struct rows *q = db_query(t->db, &accounts_of, V(person));

	while (db_next(q))
		db_run(t->db, &ban, V(db_blob(q, 3), t->now / DAY * DAY));
}

bool
people_banned(struct turn *t, const char *network, const char *who)
{
	return db_exists(t->db, &banned, V(account_hash(t, network, who)));
}

bool
people_is_banned(struct turn *t, int64_t person)
{
	struct rows *q = db_query(t->db, &accounts_of, V(person));
	bool is = false;

	while (db_next(q))
		is = is || db_exists(t->db, &banned, V(db_blob(q, 3)));
	return is;
}

struct blob
people_hashes(struct turn *t, int64_t person)
{
	struct rows *q = db_query(t->db, &accounts_of, V(person));
	unsigned char *all = arena_alloc(t->arena, ACCOUNTS_MOST * SEAL_HASH_BYTES);
	size_t n = 0;

	while (n < ACCOUNTS_MOST && db_next(q))
		memcpy(all + SEAL_HASH_BYTES * n++, db_blob(q, 3).bytes, SEAL_HASH_BYTES);
	db_done(q);
	return (struct blob){all, n * SEAL_HASH_BYTES};
}

static void
each_hash(struct turn *t, struct blob hashes, struct sql *sql, bool dated)
{
	const unsigned char *at = hashes.bytes;

	for (size_t n = 0; n + SEAL_HASH_BYTES <= hashes.length; n += SEAL_HASH_BYTES) {
		struct blob hash = {at + n, SEAL_HASH_BYTES};

		db_run(t->db, sql, dated ? V(hash, t->now / DAY * DAY) : V(hash));
	}
}

void
people_ban_hashes(struct turn *t, struct blob hashes)
{
	each_hash(t, hashes, &ban, true);
}

void
people_unban_hashes(struct turn *t, struct blob hashes)
{
	each_hash(t, hashes, &unban, false);
}

void
people_expel(struct turn *t, int64_t person)
{
	db_run(t->db, &expel_roles, V(person));
	db_run(t->db, &expel_consents, V(person));
	db_run(t->db, &expel, V(person));
	access_changed(t, person);
}

const char *
people_mark(struct turn *t, int64_t person, const char *purpose)
{
	unsigned char hash[SEAL_HASH_BYTES];
	char *hex = arena_alloc(t->arena, 2 * SEAL_HASH_BYTES + 1);
	struct rows *q = db_query(t->db, &accounts_of, V(person));
	struct blob first = {NULL, 0};

	if (db_next(q))
		first = db_blob(q, 3);
	db_done(q);
	seal_hash(t->seal, purpose, first.bytes ? first.bytes : "", first.length, hash);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	return hex;
}
