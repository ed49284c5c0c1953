/* Conversations as rows: flows of questions, and choices known by server-side tokens. */
#include "core.h"

#include <stdio.h>
#include <string.h>

static const char *const converse_steps[] = {
    "CREATE TABLE conversation(person INTEGER PRIMARY KEY REFERENCES person(id) ON DELETE CASCADE,"
    " flow TEXT NOT NULL, step TEXT NOT NULL, serial INTEGER NOT NULL, data BLOB,"
    " updated INTEGER NOT NULL) STRICT;"
    "CREATE TABLE choice_set(id INTEGER PRIMARY KEY, secret BLOB NOT NULL,"
    " account INTEGER REFERENCES account(id) ON DELETE CASCADE, delivery INTEGER NOT NULL,"
    " serial INTEGER NOT NULL, born INTEGER NOT NULL, choices BLOB NOT NULL) STRICT;"
    "CREATE INDEX choice_set_account ON choice_set(account, id);",
    "ALTER TABLE choice_set ADD COLUMN typed INTEGER NOT NULL DEFAULT 1;",
    NULL,
};
static const struct column converse_columns[] = {
    {"conversation.person", "who is being asked", "until the conversation ends", WITH_PERSON},
    {"conversation.flow", "which conversation", "until it ends", WITH_PERSON},
    {"conversation.step", "at which question", "until it ends", WITH_PERSON},
    {"conversation.serial", "makes older buttons stale", "until it ends", WITH_PERSON},
    {"conversation.data", "answers so far, sealed", "until it ends", KEY_GONE},
    {"conversation.updated", "when last, to end forgotten ones", "until it ends", WITH_PERSON},
    {"choice_set.id", "number of a set of choices", "30 days", AFTER_RETENTION, true},
    {"choice_set.secret", "makes its token unguessable", "30 days", AFTER_RETENTION},
    {"choice_set.account", "who may press", "30 days", WITH_PERSON},
    {"choice_set.delivery", "the message that carries it", "30 days", AFTER_RETENTION, true},
    {"choice_set.serial", "the question it belongs to", "30 days", AFTER_RETENTION, true},
    {"choice_set.born", "when, for the retention", "30 days", AFTER_RETENTION},
    {"choice_set.typed", "whether a plain typed number still means it", "30 days", AFTER_RETENTION},
    {"choice_set.choices", "what each choice does, sealed", "30 days", AFTER_RETENTION},
    {0},
};
const struct schema converse_schema = {"converse", converse_steps, converse_columns};

static struct sql load = {"SELECT flow, step, serial, data FROM conversation WHERE person = ?"};
static struct sql keep = {
    "INSERT OR REPLACE INTO conversation(person, flow, step, serial, data, updated)"
    " VALUES(?, ?, ?, ?, ?, ?)"};
static struct sql drop = {"DELETE FROM conversation WHERE person = ?"};
static struct sql flow_name = {"SELECT flow FROM conversation WHERE person = ? AND updated > ?"};
static struct sql offer = {
    "INSERT INTO choice_set(secret, account, delivery, serial, born, choices)"
    " VALUES(?, ?, ?, ?, ?, ?)"};
static struct sql set_get = {
    "SELECT secret, account, delivery, serial, choices FROM choice_set WHERE id = ?"};
/* Of what was seen: not of what waits for its moment, or was refused or called off. */
static struct sql set_last = {
    "SELECT id FROM choice_set AS c WHERE account = ?1 AND (typed = 1 OR ?2)"
    " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.id = c.delivery"
    " AND (d.state IN (3, 4) OR (d.state = 0 AND d.due > ?3))) ORDER BY id DESC LIMIT 1"};
static struct sql set_not_typed = {"UPDATE choice_set SET typed = 0 WHERE typed = 1 AND account IN"
				   " (SELECT id FROM account WHERE person = ?)"};
/* Their numbers rise with time: nothing behind the first young one is looked at. What a clock that
 * ran ahead has marked counts as old. */
static struct sql prune_sets = {
    "DELETE FROM choice_set WHERE id < coalesce((SELECT id FROM choice_set WHERE born BETWEEN ?1"
    " AND ?2 ORDER BY id LIMIT 1), 9223372036854775807)"};
static struct sql prune_talks = {"DELETE FROM conversation WHERE updated < ?"};
struct sql *const converse_statements[] = {&load, &keep, &drop, &flow_name, &offer, &set_get,
    &set_last, &set_not_typed, &prune_sets, &prune_talks, NULL};

/* An answer in a flow: not an action of a feature. */
#define ANSWER "="

struct variable {
	struct variable *next;
	const char *name, *value;
};

enum { SECRET_BYTES = 9, QUIET_WHILE_ASKED_S = 600 };

/* ---- flows ---- */

static const struct flow *
flow_named(struct engine *e, const char *name, const struct feature **feature)
{
	for (const struct feature *const *f = e->o.features; *f; f++)
		for (const struct flow *const *flow = (*f)->flows; flow && *flow; flow++)
			if (!strcmp((*flow)->name, name)) {
				if (feature)
					*feature = *f;
				return *flow;
			}
	return NULL;
}

static int
step_named(const struct flow *flow, const char *name)
{
	for (int i = 0; flow->steps[i].name; i++)
		if (!strcmp(flow->steps[i].name, name))
			return i;
	return -1;
}

static void
load_variables(struct turn *t, const char *data)
{
	struct ours *ours = t->private;

	/* name NUL value NUL …, ended by an empty name. */
	while (data && *data) {
		struct variable *v = arena_alloc(t->arena, sizeof(*v));

		v->name = data;
		v->value = data + strlen(data) + 1;
		v->next = ours->variables;
		ours->variables = v;
		data = v->value + strlen(v->value) + 1;
	}
}

void
converse_load(struct turn *t)
{
	struct ours *ours = t->private;
	struct rows *q = db_query(t->db, &load, V(t->person->id));
	struct blob data;

	if (!db_next(q))
		return;
	ours->exists = true;
	ours->flow = flow_named(t->engine, db_text(q, 0), NULL);
	ours->step = ours->flow ? step_named(ours->flow, db_text(q, 1)) : -1;
	ours->serial = db_int(q, 2);
	data = db_blob(q, 3);
	if (ours->step < 0) {
		/* A flow that an upgrade took away. */
		ours->flow = NULL;
		ours->changed = true;
	} else if (data.bytes) {
		data = seal_unbox(
		    t->seal, t->arena, t->person->slot, t->person->id, "conversation.data", data);
		if (data.bytes) {
			char *copy = arena_alloc(t->arena, data.length + 2);

			memcpy(copy, data.bytes, data.length);
			load_variables(t, copy);
		}
	}
	db_done(q);
}

static void
ask(struct turn *t)
{
	struct ours *ours = t->private;
	const struct feature *was = t->feature;

	for (int i = 0; ours->ask && ours->flow && i < 50; i++) {
		ours->ask = false;
		ours->changed = true;
		ours->serial = t->engine->next_delivery++;
		ours->asking = true;
		flow_named(t->engine, ours->flow->name, &t->feature);
		ours->flow->steps[ours->step].ask(t);
		ours->asking = false;
	}
	t->feature = was;
}

static struct blob
pack_variables(struct turn *t)
{
	struct ours *ours = t->private;
	struct buf b = {.maximum = 256 * 1024};
	struct blob out = {NULL, 0};

	for (struct variable *v = ours->variables; v; v = v->next) {
		buf_add(&b, v->name, strlen(v->name) + 1);
		buf_add(&b, v->value, strlen(v->value) + 1);
	}
	if (b.length)
		out = seal_box(t->seal, t->arena, t->person->slot, t->person->id,
		    "conversation.data", (struct blob){b.bytes, b.length});
	buf_free(&b);
	return out;
}

void
converse_keep(struct turn *t)
{
	struct ours *ours = t->private;

	if (!t->person)
		return;
	ask(t);
	if (!ours->changed)
		return;
	if (!ours->flow) {
		if (ours->exists)
			db_run(t->db, &drop, V(t->person->id));
		return;
	}
	if (!people_exists(t, t->person->id))
		return;
	db_run(t->db, &keep,
	    V(t->person->id, ours->flow->name, ours->flow->steps[ours->step].name, ours->serial,
		pack_variables(t), t->now));
}

void
flow_begin(struct turn *t, const struct flow *flow)
{
	struct ours *ours = t->private;

	if (ours->flow && ours->flow != flow)
		ours->variables = NULL;
	ours->flow = flow;
	ours->step = 0;
	ours->ask = true;
	ours->changed = true;
}

enum next
flow_again(struct turn *t, const char *key)
{
	say(t, words(t, key, NULL));
	return AGAIN;
}

void
flow_goto(struct turn *t, const char *step)
{
	struct ours *ours = t->private;
	int i = ours->flow ? step_named(ours->flow, step) : -1;

	if (i < 0) {
		turn_fail(t, "no such step");
		return;
	}
	ours->step = i;
	ours->ask = true;
}

void
flow_end(struct turn *t)
{
	struct ours *ours = t->private;

	ours->flow = NULL;
	ours->variables = NULL;
	ours->ask = false;
	ours->changed = true;
}

void
flow_set(struct turn *t, const char *name, const char *value)
{
	struct ours *ours = t->private;
	struct variable **at = &ours->variables, *v;

	ours->changed = true;
	for (; *at; at = &(*at)->next)
		if (!strcmp((*at)->name, name)) {
			*at = (*at)->next;
			break;
		}
	if (!value)
		return;
	v = arena_alloc(t->arena, sizeof(*v));
	v->name = arena_string(t->arena, name);
	v->value = arena_string(t->arena, value);
	v->next = ours->variables;
	ours->variables = v;
}

const char *
flow_get(struct turn *t, const char *name)
{
	struct ours *ours = t->private;

	for (struct variable *v = ours->variables; v; v = v->next)
		if (!strcmp(v->name, name))
			return v->value;
	return "";
}

const char *
flow_of(struct turn *t, int64_t person)
{
	const char *name = db_string(t->db, &flow_name, V(person, t->now - QUIET_WHILE_ASKED_S));

	return name ? name : "";
}

/* Gives the open question its answer. False: no question is open. */
bool
converse_answer(struct turn *t)
{
	struct ours *ours = t->private;
	const struct flow *flow = ours->flow;
	enum next next;

	if (!flow)
		return false;
	if (!route_allowed(t, flow->access)) {
		flow_end(t);
		say(t, words(t, "engine.not_allowed", NULL));
		return true;
	}
	flow_named(t->engine, flow->name, &t->feature);
	next = flow->steps[ours->step].answer(t);
	if (ours->flow != flow)
		return true;
	ours->changed = true;
	switch (next) {
	case NEXT:
		if (flow->steps[ours->step + 1].name) {
			ours->step++;
			ours->ask = true;
		} else {
			flow_end(t);
		}
		break;
	case AGAIN:
		ours->ask = true;
		break;
	case DONE:
		flow_end(t);
		break;
	case JUMPED:
		break;
	}
	return true;
}

/* ---- choices ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *
encode(struct arena *arena, const unsigned char *bytes, size_t n)
{
	char *out = arena_alloc(arena, n * 4 / 3 + 4), *p = out;

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)bytes[i] << 16 |
			     (i + 1 < n ? (unsigned)bytes[i + 1] << 8 : 0) |
			     (i + 2 < n ? bytes[i + 2] : 0u);

		for (int k = 18; k >= 0; k -= 6)
			*p++ = alphabet[v >> k & 63];
	}
	*p = 0;
	return out;
}

static bool
decode(const char *text, unsigned char *out, size_t n)
{
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = 0;

		for (int k = 0; k < 4; k++) {
			const char *c = *text ? strchr(alphabet, *text++) : NULL;

			if (!c)
				return false;
			v = v << 6 | (unsigned)(c - alphabet);
		}
		out[i] = (unsigned char)(v >> 16);
		out[i + 1] = (unsigned char)(v >> 8);
		out[i + 2] = (unsigned char)v;
	}
	return *text == '.';
}

const char *
converse_offer(struct turn *t, const struct card *card, int64_t account, int64_t delivery)
{
	struct ours *ours = t->private;
	unsigned char token[6 + SECRET_BYTES];
	struct buf b = {.maximum = 64 * 1024};
	int64_t id, serial = 0;
	struct blob sealed;

	for (const struct choice *c = card->choices; c; c = c->next) {
		const char *action = c->action ? c->action : "";

		if (!strcmp(action, ANSWER))
			serial = ours->serial;
		buf_add(&b, action, strlen(action) + 1);
		buf_add(&b, c->value ? c->value : "", strlen(c->value ? c->value : "") + 1);
		buf_add(&b, c->label, strlen(c->label) + 1);
	}
	if (!b.length)
		return NULL;
	seal_random(token + 6, SECRET_BYTES);
	sealed = seal_box(t->seal, t->arena, (struct blob){NULL, 0}, delivery, "choice_set.choices",
	    (struct blob){b.bytes, b.length});
	buf_free(&b);
	id = db_insert(t->db, &offer,
	    V(((struct blob){token + 6, SECRET_BYTES}), account ? value_integer(account) : VNULL,
		delivery, serial, t->now, sealed));
	for (int i = 0; i < 6; i++)
		token[i] = (unsigned char)(id >> (40 - 8 * i));
	return encode(t->arena, token, sizeof(token));
}

struct chosen {
	const char *action, *value, *label;
	int64_t delivery, serial;
};

/* The k-th choice (from 1) of a set; with text, the choice of that label or number. */
static bool
choice_of(struct turn *t, struct rows *q, int64_t k, const char *typed, struct chosen *chosen)
{
	struct blob plain = seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, db_int(q, 2),
	    "choice_set.choices", db_blob(q, 4));
	const char *at = plain.bytes, *end = at + plain.length;
	char *folded = typed ? text_fold(t->arena, typed) : NULL;

	chosen->delivery = db_int(q, 2);
	chosen->serial = db_int(q, 3);
	for (int64_t i = 1; at && at < end; i++) {
		chosen->action = at;
		at += strlen(at) + 1;
		chosen->value = at;
		at += strlen(at) + 1;
		chosen->label = at;
		at += strlen(at) + 1;
		if (typed ? !strcmp(text_fold(t->arena, chosen->label), folded) : i == k)
			return chosen->action[0] != 0;
	}
	return false;
}

void
converse_stale(struct turn *t)
{
	struct card *card = words(t, "engine.stale", NULL);

	choose_menu(t, card);
	say(t, card);
}

/* Authorised on every press: buttons can be forged, stale, and roles revoked. */
static void
run_choice(struct turn *t, const struct chosen *chosen)
{
	struct ours *ours = t->private;
	const struct feature *feature = NULL;
	const struct action *action;

	t->chosen = true;
	t->value = chosen->value;
	t->pressed = chosen->delivery;
	t->text = t->rest = "";
	if (!strcmp(chosen->action, ANSWER)) {
		if (!ours->flow || chosen->serial != ours->serial)
			converse_stale(t);
		else
			converse_answer(t);
		return;
	}
	if (!strcmp(chosen->action, "engine.command")) {
		const struct command *c = route_command(t->engine, chosen->value);

		if (c)
			route_run(t, c, "");
		else
			converse_stale(t);
		return;
	}
	if (!strcmp(chosen->action, "engine.back")) {
		if (!ours->flow || ours->step == 0) {
			converse_stale(t);
			return;
		}
		ours->step--;
		ours->ask = true;
		return;
	}
	action = route_action(t->engine, chosen->action, &feature);
	if (!action || !route_allowed(t, action->access)) {
		converse_stale(t);
		return;
	}
	t->feature = feature;
	action->run(t);
}

bool
converse_press(struct turn *t, const char *token)
{
	unsigned char raw[6 + SECRET_BYTES + 3] = {0};
	struct chosen chosen;
	const char *dot = token ? strchr(token, '.') : NULL;
	int64_t id = 0, k;
	struct rows *q;
	struct blob secret;
	bool ours = false;

	if (!dot || !decode(token, raw, 6 + SECRET_BYTES) || !text_number(dot + 1, &k))
		return false;
	for (int i = 0; i < 6; i++)
		id = id << 8 | raw[i];
	q = db_query(t->db, &set_get, V(id));
	if (db_next(q)) {
		secret = db_blob(q, 0);
		ours = secret.length == SECRET_BYTES &&
		       !memcmp(secret.bytes, raw + 6, SECRET_BYTES) &&
		       (db_is_null(q, 1) || db_int(q, 1) == t->person->account) &&
		       choice_of(t, q, k, NULL, &chosen);
	}
	db_done(q);
	if (ours)
		run_choice(t, &chosen);
	return ours;
}

/* "2", "#2" or the words of a choice of the last message that had choices. */
bool
converse_number(struct turn *t)
{
	struct ours *ours = t->private;
	const char *text = t->text;
	bool sharp = *text == '#', known;
	int64_t k = 0, id;
	struct chosen chosen;
	struct rows *q;
	bool number = text_number(text + sharp, &k);

	if ((sharp && !number) || strlen(text) > 120 || t->group)
		return false;
	if (number && !sharp && ours->flow && ours->flow->steps[ours->step].takes_numbers)
		return false;
	id = db_number(t->db, &set_last, V(t->person->account, sharp, engine_now_ms(t->engine)), 0);
	if (!id)
		return false;
	q = db_query(t->db, &set_get, V(id));
	known = db_next(q) && choice_of(t, q, k, number ? NULL : text, &chosen);
	db_done(q);
	if (known)
		run_choice(t, &chosen);
	return known;
}

void
choose_no_more(struct turn *t, int64_t person)
{
	db_run(t->db, &set_not_typed, V(person));
}

void
choose(
    struct turn *t, struct card *card, const char *label_key, const char *action, const char *value)
{
	card_choice(card, words_flat(t, label_key, NULL), action, value);
}

void
choose_text(
    struct turn *t, struct card *card, const char *label, const char *action, const char *value)
{
	(void)t;
	card_choice(card, label, action, value);
}

void
choose_answer(struct turn *t, struct card *card, const char *label_key, const char *value)
{
	card_choice(card, words_flat(t, label_key, NULL), ANSWER, value);
}

void
choose_answer_text(struct turn *t, struct card *card, const char *label, const char *value)
{
	(void)t;
	card_choice(card, label, ANSWER, value);
}

void
converse_prune(struct turn *t)
{
	db_run(t->db, &prune_sets, V(t->now - 30 * 86400, t->now));
	db_run(t->db, &prune_talks, V(t->now - 90 * 86400));
}
