/* /link: one person on two networks. A code of ten minutes that works once; both sides confirm, and
 * what the bot sends then arrives where the person chose. */
#include "meeting.h"
#include "occasion.h"
#include "survey.h"

#include <string.h>

#include "core/audit.h"
#include "core/people.h"
#include "store/seal.h"

enum { LASTS_S = 600, CHARACTERS = 22 };

static const char *const schema_steps[] = {
    "CREATE TABLE link_code(person INTEGER PRIMARY KEY REFERENCES person(id) ON DELETE CASCADE,"
    " hash BLOB NOT NULL, expires INTEGER NOT NULL,"
    " other INTEGER REFERENCES person(id) ON DELETE CASCADE) STRICT;"
    "CREATE INDEX link_code_other ON link_code(other);",
    NULL,
};
static const struct column columns[] = {
    {"link_code.person", "who wants to add another account", "ten minutes", WITH_PERSON, true},
    {"link_code.hash", "keyed hash of a code: the code itself is never stored", "ten minutes",
	WITH_PERSON},
    {"link_code.expires", "until when", "ten minutes", WITH_PERSON},
    {"link_code.other", "the account that typed the code and waits for the yes", "ten minutes",
	WITH_PERSON, true},
    {0},
};
static const struct schema schema = {"link", schema_steps, columns};

static struct sql put = {"INSERT OR REPLACE INTO link_code(person, hash, expires) VALUES(?, ?, ?)"};
static struct sql find = {
    "SELECT c.person, p.joined FROM link_code c JOIN person p ON p.id = c.person"
    " WHERE c.hash = ? AND c.expires > ? AND c.other IS NULL"};
/* The code is spent with the first person who says yes to it. */
static struct sql spend = {"UPDATE link_code SET other = ?, hash = zeroblob(1), expires = ?"
			   " WHERE hash = ? AND expires > ? AND other IS NULL AND person <> ?1"};
static struct sql waits = {
    "SELECT other FROM link_code WHERE person = ? AND expires > ? AND other IS NOT NULL"};
static struct sql drop = {"DELETE FROM link_code WHERE person = ? OR expires <= ?"};
static struct sql *const statements[] = {&put, &find, &spend, &waits, &drop, NULL};

static struct blob
hash_of(struct turn *t, const char *code)
{
	unsigned char *hash = arena_alloc(t->arena, SEAL_HASH_BYTES);

	seal_hash(t->seal, "link", code, strlen(code), hash);
	return (struct blob){hash, SEAL_HASH_BYTES};
}

/* Where messages go, for who has several networks. */
static void
offer_networks(struct turn *t, struct card *card)
{
	char *all = arena_string(t->arena, people_networks(t, t->person->id)), *save = NULL;

	if (!strchr(all, ' '))
		return;
	card_line(card, words(t, "link.where", NULL));
	for (char *n = strtok_r(all, " ", &save); n; n = strtok_r(NULL, " ", &save))
		choose_text(t, card, words_flat(t, arena_print(t->arena, "network.%s", n), NULL),
		    "link.prefer", n);
}

/* The way to the other network. */
static void
choose_link(struct turn *t, struct card *card, const char *network, const char *payload)
{
	const char *link = link_to(t, network, payload);

	if (link && strcmp(t->person->network, network))
		card_choice_link(
		    card, words_flat(t, arena_join(t->arena, "network.", network), NULL), link);
}

/* The code itself, 132 bits; shown once and never stored. */
static void
make(struct turn *t)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char random[CHARACTERS];
	char code[CHARACTERS + 1] = "";
	struct card *card;

	seal_random(random, sizeof(random));
	for (int i = 0; i < CHARACTERS; i++)
		code[i] = alphabet[random[i] & 63];
	db_run(t->db, &put, V(t->person->id, hash_of(t, code), t->now + LASTS_S));
	card = words(t, "link.code", "code", arena_join(t->arena, "k_", code), NULL);
	choose_link(t, card, "telegram", arena_join(t->arena, "k_", code));
	choose_link(t, card, "matrix", arena_join(t->arena, "k_", code));
	card->flags |= CARD_PROTECT;
	say(t, card);
}

/* Before acting on a code the bot says what it will do, and asks. Nobody's membership may vanish
 * into a visitor's. */
static void
show(struct turn *t, const char *code)
{
	struct rows *q;
	struct card *card;
	int64_t person, joined;

	if (!strncmp(code, "k_", 2))
		code += 2;
	q = db_query(t->db, &find, V(hash_of(t, code), t->now));
	if (!db_next(q)) {
		say(t, words(t, "link.bad", NULL));
		return;
	}
	person = db_int(q, 0);
	joined = db_int(q, 1);
	db_done(q);
	/* Who was shut out does not come back by another account's door. */
	if (people_is_banned(t, person) || people_is_banned(t, t->person->id)) {
		say(t, words(t, "link.bad", NULL));
		return;
	}
	if (person == t->person->id || (!joined && t->person->joined)) {
		say(t, words(t, person == t->person->id ? "link.same" : "link.other_way", NULL));
		return;
	}
	card = words(t, "link.offer", NULL);
	if (t->person->joined)
		card_line(card, words(t, "link.offer_member", NULL));
	choose(t, card, "link.yes", "link.join", code);
	choose(t, card, "link.no", "link.no", "");
	card_same_row(card);
	say(t, card);
}

static void
link_typed(struct turn *t)
{
	struct card *card;

	if (*t->rest) {
		show(t, t->rest);
		return;
	}
	card = words(t, "link.title", NULL);
	offer_networks(t, card);
	choose(t, card, "link.make", "link.make", "");
	say(t, card);
}

/* ?start=k_CODE */
static void
linked(struct turn *t)
{
	if (!t->person->language[0])
		people_set_language(t, t->person->id, t->language);
	show(t, t->value);
}

/* The account that typed the code says yes; the one that made it is asked. */
static void
join(struct turn *t)
{
	struct blob hash = hash_of(t, t->value);
	struct rows *q = db_query(t->db, &find, V(hash, t->now));
	int64_t person = db_next(q) ? db_int(q, 0) : 0;
	const char *language, *network;
	struct card *card;

	db_done(q);
	if (!person || !db_run(t->db, &spend, V(t->person->id, t->now + LASTS_S, hash, t->now))) {
		say(t, words(t, "link.bad", NULL));
		return;
	}
	language = language_of(t, person);
	network = words_flat_in(
	    t, language, arena_print(t->arena, "network.%s", t->person->network), NULL);
	card = words_in(t, language, "link.asked", "network", network, NULL);
	choose_text(t, card, words_flat_in(t, language, "link.yes", NULL), "link.confirm", "");
	choose_text(t, card, words_flat_in(t, language, "link.no", NULL), "link.refuse", "");
	card_same_row(card);
	tell(t, person, CLASS_REPLY, t->now + LASTS_S, card);
	edit(t, words(t, "link.waits", NULL));
}

static void
no(struct turn *t)
{
	edit(t, words(t, "link.left", NULL));
}

/* The maker's side: the other account, 0 when there is none (any more). */
static int64_t
waiting(struct turn *t)
{
	struct rows *q = db_query(t->db, &waits, V(t->person->id, t->now));
	int64_t other = db_next(q) ? db_int(q, 0) : 0;

	db_done(q);
	return other;
}

static void
confirm(struct turn *t)
{
	int64_t other = waiting(t);
	struct card *card;

	db_run(t->db, &drop, V(t->person->id, t->now));
	if (!other) {
		edit(t, words(t, "link.bad", NULL));
		return;
	}
	if (people_is_banned(t, other) || people_is_banned(t, t->person->id)) {
		edit(t, words(t, "link.bad", NULL));
		return;
	}
	rsvp_move(t, other, t->person->id);
	match_move(t, other, t->person->id);
	safety_move(t, other, t->person->id);
	survey_move(t, other, t->person->id);
	people_merge(t, other, t->person->id);
	audit(t, "account.link", 0);
	card = words(t, "link.done", NULL);
	offer_networks(t, card);
	edit(t, card);
}

static void
refuse(struct turn *t)
{
	int64_t other = waiting(t);

	db_run(t->db, &drop, V(t->person->id, t->now));
	if (other)
		tell(t, other, CLASS_REPLY, t->now + LASTS_S,
		    words_in(t, language_of(t, other), "link.refused", NULL));
	edit(t, words(t, "link.left", NULL));
}

static void
prefer(struct turn *t)
{
	char *all = arena_string(t->arena, people_networks(t, t->person->id)), *save = NULL;

	for (char *n = strtok_r(all, " ", &save); n; n = strtok_r(NULL, " ", &save)) {
		if (strcmp(n, t->value))
			continue;
		people_prefer(t, t->person->id, n);
		edit(t, words(t, "link.preferred", "network",
			    words_flat(t, arena_print(t->arena, "network.%s", n), NULL), NULL));
		return;
	}
}

static const struct command commands[] = {
    {.name = "link", .run = link_typed, .hidden = true},
    {0},
};
static const struct action actions[] = {
    {"link.make", ANYONE, make},
    {"link.join", ANYONE, join},
    {"link.no", ANYONE, no},
    {"link.confirm", ANYONE, confirm},
    {"link.refuse", ANYONE, refuse},
    {"link.prefer", ANYONE, prefer},
    {0},
};

const struct feature feature_link = {
    .name = "link",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .link = "k",
    .linked = linked,
};
