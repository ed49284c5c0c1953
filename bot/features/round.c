/* Rounds: people are asked, passes are computed on a thread, cards go out to all at one minute,
 * results come back to all at one minute, and no refusal can be told from another. */
#include "round.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/zone.h"
#include "core/audit.h"
#include "core/people.h"
#include "store/seal.h"

static const char *const steps[] = {
    "CREATE TABLE meeting_round(id INTEGER PRIMARY KEY AUTOINCREMENT, opened INTEGER NOT NULL,"
    " state INTEGER NOT NULL, pass INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL,"
    " ends INTEGER NOT NULL, people INTEGER NOT NULL DEFAULT 0, took INTEGER NOT NULL DEFAULT 0,"
    " introduced INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE round_member(round INTEGER NOT NULL REFERENCES meeting_round(id) ON DELETE "
    "CASCADE,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE, state INTEGER NOT NULL,"
    " since INTEGER NOT NULL DEFAULT 1, cards INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(round, person)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX round_member_person ON round_member(person);"
    "CREATE TABLE introduction(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " round INTEGER NOT NULL REFERENCES meeting_round(id) ON DELETE CASCADE, pass INTEGER NOT NULL,"
    " size INTEGER NOT NULL, episode INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX introduction_pass ON introduction(round, pass, state);"
    "CREATE TABLE introduction_person(introduction INTEGER NOT NULL REFERENCES introduction(id)"
    " ON DELETE CASCADE, person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " answer INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(introduction, person)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX introduction_person_person ON introduction_person(person);"
    "CREATE TABLE round_part(part INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;"
    "CREATE TABLE round_run(id INTEGER PRIMARY KEY AUTOINCREMENT, round INTEGER NOT NULL,"
    " pass INTEGER NOT NULL, ran INTEGER NOT NULL, seed INTEGER NOT NULL, input INTEGER NOT NULL,"
    " result INTEGER NOT NULL, groups INTEGER NOT NULL, weight INTEGER NOT NULL,"
    " bound INTEGER NOT NULL, ms INTEGER NOT NULL) STRICT;",
    "CREATE TABLE round_count(org TEXT PRIMARY KEY, willing INTEGER NOT NULL,"
    " took INTEGER NOT NULL) STRICT;",
    NULL,
};
#define UNTIL_NEXT "until the next round"
static const struct column columns[] = {
    {"meeting_round.id", "number of a round", "for ever", NOT_PERSONAL},
    {"meeting_round.opened", "when it was opened", "for ever", NOT_PERSONAL},
    {"meeting_round.state", "how far it is", "for ever", NOT_PERSONAL},
    {"meeting_round.pass", "which pass is on", "for ever", NOT_PERSONAL},
    {"meeting_round.at", "the minute at which all hear", "for ever", NOT_PERSONAL},
    {"meeting_round.ends", "until when answers count", "for ever", NOT_PERSONAL},
    {"meeting_round.people", "how many the pass began with", "for ever", NOT_PERSONAL},
    {"meeting_round.took", "how many took part", "for ever", NOT_PERSONAL},
    {"meeting_round.introduced", "how many were introduced", "for ever", NOT_PERSONAL},
    {"round_member.round", "which round", UNTIL_NEXT, AFTER_RETENTION},
    {"round_member.person", "who was asked", UNTIL_NEXT, WITH_PERSON},
    {"round_member.state", "whether they take part", UNTIL_NEXT, WITH_PERSON},
    {"round_member.since", "from which pass on", UNTIL_NEXT, WITH_PERSON},
    {"round_member.cards", "cards seen: three at most", UNTIL_NEXT, WITH_PERSON},
    {"introduction.id", "number of a suggestion", UNTIL_NEXT, AFTER_RETENTION},
    {"introduction.round", "of which round", UNTIL_NEXT, AFTER_RETENTION},
    {"introduction.pass", "of which pass", UNTIL_NEXT, AFTER_RETENTION},
    {"introduction.size", "two or three people: somebody who left is missed", UNTIL_NEXT,
	AFTER_RETENTION},
    {"introduction.episode", "the episode they share, 0 for none", UNTIL_NEXT, AFTER_RETENTION},
    {"introduction.state", "open, both yes, or not", UNTIL_NEXT, AFTER_RETENTION},
    {"introduction_person.introduction", "which suggestion", UNTIL_NEXT, AFTER_RETENTION, true},
    {"introduction_person.person", "to whom", UNTIL_NEXT, WITH_PERSON},
    {"introduction_person.answer", "yes, not this time, never", UNTIL_NEXT, WITH_PERSON},
    {"round_part.part", "part of a computed pass", "until shown", WHEN_DONE},
    {"round_part.content", "who is suggested to whom", "until shown", WHEN_DONE},
    {"round_run.id", "number of a computation", "[retention] audit days", NOT_PERSONAL},
    {"round_run.round", "of which round", "[retention] audit days", NOT_PERSONAL},
    {"round_run.pass", "of which pass", "[retention] audit days", NOT_PERSONAL},
    {"round_run.ran", "when", "[retention] audit days", NOT_PERSONAL},
    {"round_run.seed", "its seed", "[retention] audit days", NOT_PERSONAL},
    {"round_run.input", "a hash of what went in", "[retention] audit days", NOT_PERSONAL},
    {"round_run.result", "a hash of what came out", "[retention] audit days", NOT_PERSONAL},
    {"round_run.groups", "how many suggestions", "[retention] audit days", NOT_PERSONAL},
    {"round_run.weight", "their points", "[retention] audit days", NOT_PERSONAL},
    {"round_run.bound", "the most that is possible", "[retention] audit days", NOT_PERSONAL},
    {"round_run.ms", "how long it took", "[retention] audit days", NOT_PERSONAL},
    {"round_count.org", "which organisation", UNTIL_NEXT, NOT_PERSONAL},
    {"round_count.willing", "how many of it said yes to meetings when the last round ended",
	UNTIL_NEXT, NOT_PERSONAL},
    {"round_count.took", "how many of them took part", UNTIL_NEXT, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"round", steps, columns};

static struct sql now_on = {"SELECT id, state, pass, at, ends, opened FROM meeting_round WHERE "
			    "state < 6 ORDER BY id DESC LIMIT 1"};
static struct sql add = {"INSERT INTO meeting_round(opened, state, at, ends) VALUES(?, 1, ?, ?)"};
static struct sql set_state = {
    "UPDATE meeting_round SET state = ?, pass = ?, at = ?, ends = ?, people = ? WHERE id = ?"};
static struct sql close = {
    "UPDATE meeting_round SET state = 6, took = (SELECT count(*) FROM round_member WHERE round = ?1"
    " AND state IN (1, 3, 4)), introduced = (SELECT count(*) FROM round_member WHERE round = ?1"
    " AND state = 3) WHERE id = ?1"};
static struct sql count_drop = {"DELETE FROM round_count"};
static struct sql count_add = {
    "INSERT INTO round_count(org, willing, took) SELECT p.org, count(*), count(m.person)"
    " FROM consent c JOIN person p ON p.id = c.person LEFT JOIN round_member m"
    " ON m.person = p.id AND m.round = ? AND m.state IN (1, 3, 4)"
    " WHERE c.what = 'matching' AND p.adult = 1 AND p.joined > 0 GROUP BY p.org"};
static struct sql forget_members = {"DELETE FROM round_member WHERE round <> ?"};
static struct sql forget_introductions = {"DELETE FROM introduction WHERE round <> ?"};
static struct sql to_ask = {
    "SELECT p.id, coalesce(m.often, 0), coalesce(m.wished, 0), m.widen FROM person p"
    " JOIN consent c ON c.person = p.id AND c.what = 'matching'"
    " LEFT JOIN meeting m ON m.person = p.id WHERE p.id > ?1 AND p.adult = 1 AND p.joined > 0"
    " AND p.paused_until <= ?2 ORDER BY p.id LIMIT ?3"};
static struct sql member_add = {
    "INSERT OR IGNORE INTO round_member(round, person, state) VALUES(?, ?, ?)"};
static struct sql member_set = {
    "UPDATE round_member SET state = ?3 WHERE round = ?1 AND person = ?2 AND state IN (0, 1, 2)"};
static struct sql member_wish = {
    "INSERT INTO round_member(round, person, state, since) VALUES(?1, ?2, 1, ?3)"
    " ON CONFLICT(round, person) DO UPDATE SET since = ?3, state = 1 WHERE state IN (0, 2, 3)"};
static struct sql member_get = {
    "SELECT state, cards FROM round_member WHERE round = ? AND person = ?"};
static struct sql member_card = {
    "UPDATE round_member SET cards = cards + 1 WHERE round = ? AND person = ?"};
static struct sql member_state = {
    "UPDATE round_member SET state = ? WHERE round = ? AND person = ?"};
static struct sql wished = {"UPDATE meeting SET wished = ? WHERE person = ?"};
static struct sql has_wished = {"SELECT wished FROM meeting WHERE person = ?"};
static struct sql waited = {
    "UPDATE meeting SET waiting = CASE ?1 WHEN 0 THEN 0 ELSE min(waiting + 1, 4) END, episode = 0"
    " WHERE person = ?2"};
static struct sql widen_none = {"UPDATE meeting SET widen = NULL WHERE widen IS NOT NULL"};
static struct sql widen_one = {"UPDATE meeting SET widen = ? WHERE person = ?"};
static struct sql part_add = {"INSERT OR REPLACE INTO round_part(part, content) VALUES(?, ?)"};
static struct sql part_get = {"SELECT content FROM round_part WHERE part = ?"};
static struct sql part_drop = {"DELETE FROM round_part WHERE part = ?"};
static struct sql parts_drop = {"DELETE FROM round_part"};
static struct sql run_add = {
    "INSERT INTO round_run(round, pass, ran, seed, input, result, groups, weight, bound, ms)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static struct sql past_now = {"SELECT 1 FROM meeting_past WHERE a = ? AND b = ? AND until > ?"};
static struct sql intro_add = {
    "INSERT INTO introduction(round, pass, size, episode) VALUES(?, ?, ?, ?)"};
static struct sql intro_person = {
    "INSERT INTO introduction_person(introduction, person) VALUES(?, ?)"};
static struct sql intro_get = {
    "SELECT i.id, p.answer FROM introduction i JOIN introduction_person p ON p.introduction = i.id"
    " JOIN meeting_round r ON r.id = i.round WHERE i.id = ?1 AND p.person = ?2 AND i.state = 0"
    " AND r.state = 3 AND r.pass = i.pass AND r.ends > ?3"};
static struct sql intro_answer = {
    "UPDATE introduction_person SET answer = ? WHERE introduction = ? AND person = ?"};
static struct sql intro_open = {
    "SELECT id, size, episode FROM introduction WHERE round = ? AND pass = ? AND state = 0"
    " ORDER BY id LIMIT ?"};
static struct sql intro_people = {
    "SELECT person, answer FROM introduction_person WHERE introduction = ? ORDER BY person"};
static struct sql intro_state = {"UPDATE introduction SET state = ? WHERE id = ?"};
static struct sql to_tell = {
    "SELECT m.person, m.cards, p.joined FROM round_member m JOIN person p ON p.id = m.person"
    " JOIN consent c ON c.person = p.id AND c.what = 'matching'"
    " WHERE m.round = ?1 AND m.person > ?2 AND m.state = 1 AND m.since <= ?3"
    " ORDER BY m.person LIMIT ?4"};
static struct sql one_to_tell = {
    "SELECT m.cards, p.joined FROM round_member m JOIN person p ON p.id = m.person"
    " WHERE m.round = ? AND m.person = ?"};
static struct sql said_no = {
    "SELECT 1 FROM introduction i JOIN introduction_person p ON p.introduction = i.id"
    " WHERE i.round = ? AND p.person = ? AND p.answer <> 1"};
static struct sql count_all = {"SELECT count(*) FROM consent c JOIN person p ON p.id = c.person"
			       " WHERE c.what = 'matching' AND p.adult = 1 AND p.joined > 0"};
static struct sql *const statements[] = {&now_on, &add, &set_state, &close, &count_drop, &count_add,
    &forget_members, &forget_introductions, &to_ask, &member_add, &member_set, &member_wish,
    &member_get, &member_card, &member_state, &wished, &has_wished, &waited, &widen_none,
    &widen_one, &part_add, &part_get, &part_drop, &parts_drop, &run_add, &past_now, &intro_add,
    &intro_person, &intro_get, &intro_answer, &intro_open, &intro_people, &intro_state, &to_tell,
    &one_to_tell, &said_no, &count_all, NULL};

enum { DAY = 86400, CHUNK = 40, ANSWER_YES = 1, ANSWER_NO, ANSWER_NEVER, MET = 1, NOT_MET };

bool
round_now(struct turn *t, struct round *r)
{
	struct rows *q = db_query(t->db, &now_on, NONE);
	bool on = db_next(q);

	if (on)
		*r = (struct round){.id = db_int(q, 0),
		    .state = (enum round_state)db_int(q, 1),
		    .pass = db_int(q, 2),
		    .at = db_int(q, 3),
		    .ends = db_int(q, 4),
		    .opened = db_int(q, 5),
		    .people = db_int(q, 6)};
	db_done(q);
	return on;
}

static void
round_set(struct turn *t, struct round *r, enum round_state state)
{
	r->state = state;
	db_run(t->db, &set_state, V((int)state, r->pass, r->at, r->ends, r->people, r->id));
}

/* The next step is taken at this moment; `at` says where in the step we are. */
static void
go_on(struct turn *t, int64_t when, int64_t at)
{
	job_at(t, "round.step", "", when, arena_print(t->arena, "%lld", (long long)at));
}

/* The minute at which all of `people` can hear: when their messages lie ready, and not at night. */
static int64_t
minute_for(struct turn *t, int64_t people)
{
	int64_t when = t->now + 60 + 2 * (people / CHUNK);

	when = after_quiet_hours(t, PERSON_NOBODY, when);
	return (when + 59) / 60 * 60;
}

static const char *
date_of(struct turn *t, const char *language, int64_t when)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");

	return clock_when(t->arena, language, t->zones, zones, zones[0], when, 0, false);
}

/* ---- opening and asking ---- */

static int64_t
hours(struct turn *t, const char *key)
{
	return 3600 * conf_number(t->conf, "matching", NULL, key);
}

/* Asking begins when it is known whom few fit; or soon, when the looking is lost to a restart. */
static void
look_who_has_few(struct turn *t, int64_t id)
{
	struct round_order order = {.round = id, .now = t->now};

	db_run(t->db, &widen_none, NONE);
	work_start(t, "round.fits", "", (struct blob){&order, sizeof(order)});
	go_on(t, t->now + 600, 0);
}

static void
fits_came(struct turn *t, struct blob result)
{
	struct round r;
	struct round_few few;

	for (size_t at = 0; at + sizeof(few) <= result.length; at += sizeof(few)) {
		memcpy(&few, (const char *)result.bytes + at, sizeof(few));
		db_run(t->db, &widen_one, V(few.screen, few.person));
	}
	if (round_now(t, &r) && r.state == ROUND_ASKING)
		go_on(t, t->now, 0);
}

bool
round_begin(struct turn *t)
{
	int64_t id;

	if (db_exists(t->db, &now_on, NONE) || db_number(t->db, &count_all, NONE, 0) < PLAN_MEMBERS)
		return false;
	id = db_insert(t->db, &add, V(t->now, t->now, t->now + hours(t, "ask_hours")));
	db_run(t->db, &forget_members, V(id));
	db_run(t->db, &forget_introductions, V(id));
	db_run(t->db, &parts_drop, NONE);
	audit(t, "round.open", id);
	look_who_has_few(t, id);
	return true;
}

static void
ask_one(struct turn *t, const struct round *r, int64_t person, int64_t widen)
{
	const char *language = language_of(t, person);
	char *number = arena_print(t->arena, "%lld", (long long)r->id);
	struct card *card =
	    words_in(t, language, "round.ask", "until", date_of(t, language, r->ends), NULL);

	choose_text(t, card, words_flat_in(t, language, "round.yes", NULL), "round.in", number);
	choose_text(t, card, words_flat_in(t, language, "round.no", NULL), "round.out", number);
	card_same_row(card);
	choose_text(
	    t, card, words_flat_in(t, language, "round.month", NULL), "round.pause", number);
	if (widen >= 0) {
		const char *name = match_screen_name(t, language, widen);

		card_paragraph(card, words_in(t, language, "round.few_fit", "what", name, NULL));
		choose_text(t, card, words_flat_in(t, language, "round.widen", "what", name, NULL),
		    "match.screen", arena_print(t->arena, "%lld", (long long)widen));
	}
	tell(t, person, CLASS_MATCH, r->ends, card);
}

/* Participation is asked each time, and silence means no; who asked to be in is in. */
static void
ask(struct turn *t, const struct round *r, int64_t from)
{
	struct rows *q = db_query(t->db, &to_ask, V(from, t->now, CHUNK));
	int n = 0;

	for (; db_next(q); n++) {
		int64_t person = db_int(q, 0), often = db_int(q, 1);
		bool wish = db_int(q, 2);
		bool turn = often <= OFTEN_EACH ||
			    (often != OFTEN_ON_REQUEST && (r->id + person) % often == 0);

		from = person;
		match_ensure(t, person);
		if (!wish && !turn)
			continue;
		db_run(t->db, &member_add, V(r->id, person, wish ? TAKING_IN : TAKING_ASKED));
		db_run(t->db, &wished, V(0, person));
		if (!wish)
			ask_one(t, r, person, db_is_null(q, 3) ? -1 : db_int(q, 3));
	}
	if (n == CHUNK)
		go_on(t, t->now + 1, from);
	else
		go_on(t, r->ends, INT64_MAX);
}

static void
plan(struct turn *t, struct round *r)
{
	struct round_order order = {.round = r->id, .pass = r->pass, .now = t->now};

	seal_random(&order.seed, sizeof(order.seed));
	work_start(t, "round.plan", "", (struct blob){&order, sizeof(order)});
}

static void
begin_pass(struct turn *t, struct round *r)
{
	r->pass++;
	round_set(t, r, ROUND_COMPUTING);
	plan(t, r);
}

/* ---- the plan comes back, and is shown ---- */

static void
plan_came(struct turn *t, struct blob result)
{
	struct round r;
	struct round_plan p;
	const char *group = (const char *)result.bytes + sizeof(p);
	uint32_t parts = 0;

	if (!round_now(t, &r) || r.state != ROUND_COMPUTING)
		return;
	if (result.length < sizeof(p)) {
		go_on(t, t->now + 60, 0);
		return;
	}
	memcpy(&p, result.bytes, sizeof(p));
	db_run(t->db, &run_add,
	    V(r.id, r.pass, t->now, (int64_t)p.seed, (int64_t)p.input, (int64_t)p.result, p.groups,
		p.weight, p.bound, t->took_ms));
	for (uint32_t from = 0; from < p.groups; from += ROUND_PART, parts++) {
		uint32_t n = p.groups - from < ROUND_PART ? p.groups - from : ROUND_PART;

		db_run(t->db, &part_add,
		    V(parts, ((struct blob){group + from * sizeof(struct round_group),
				 n * sizeof(struct round_group)})));
	}
	r.people = p.took;
	r.at = minute_for(t, p.took);
	r.ends = r.at + hours(t, "pass_hours");
	round_set(t, &r, ROUND_SHOWING);
	go_on(t, t->now, 0);
}

static bool
past_between(struct turn *t, int64_t a, int64_t b)
{
	const char *x = match_mark(t, a), *y = match_mark(t, b);

	return strcmp(x, y) < 0 ? db_exists(t->db, &past_now, V(x, y, t->now))
				: db_exists(t->db, &past_now, V(y, x, t->now));
}

/* Between the computing and the showing somebody may have left, paused or blocked. */
static bool
still_fits(struct turn *t, const struct round *r, const struct round_group *g)
{
	for (int i = 0; i < g->size; i++) {
		struct rows *q = db_query(t->db, &member_get, V(r->id, g->person[i]));
		bool in = db_next(q) && db_int(q, 0) == TAKING_IN && db_int(q, 1) < ROUND_PASSES;

		db_done(q);
		if (!in || !match_may(t, g->person[i]) ||
		    past_between(t, g->person[i], g->person[(i + 1) % g->size]))
			return false;
	}
	return true;
}

static void
choose_answers(struct turn *t, struct card *card, const char *language, int64_t introduction)
{
	static const char *const keys[] = {"round.introduce", "round.not_now", "round.never"};

	for (int i = 0; i < 3; i++)
		choose_text(t, card, words_flat_in(t, language, keys[i], NULL), "round.answer",
		    arena_print(t->arena, "%lld %d", (long long)introduction, i + 1));
}

static void
show_card(struct turn *t, const struct round *r, const struct round_group *g, int i, int64_t id)
{
	const char *language = language_of(t, g->person[i]);
	struct card *card =
	    words_in(t, language, g->size == 3 ? "round.card_trio" : "round.card", NULL);

	for (int k = 0; k < g->facts[i]; k++)
		card_line(card, match_fact(t, language, g->kind[i][k], g->what[i][k]));
	card_paragraph(card,
	    words_in(t, language, "round.until", "until", date_of(t, language, r->ends), NULL));
	choose_answers(t, card, language, id);
	card->flags |= CARD_PROTECT;
	tell_at(t, g->person[i], CLASS_MATCH, r->at, r->ends, card);
}

static void
show_group(struct turn *t, const struct round *r, const struct round_group *g)
{
	int64_t id;

	if (g->size < 2 || g->size > PLAN_GROUP || !still_fits(t, r, g))
		return;
	id = db_insert(t->db, &intro_add, V(r->id, r->pass, g->size, g->episode));
	for (int i = 0; i < g->size; i++) {
		db_run(t->db, &intro_person, V(id, g->person[i]));
		db_run(t->db, &member_card, V(r->id, g->person[i]));
		for (int k = 0; k < i; k++)
			match_past(t, g->person[i], g->person[k], t->now + 365 * (int64_t)DAY);
		show_card(t, r, g, i, id);
	}
}

static void
show(struct turn *t, const struct round *r, int64_t part)
{
	struct rows *q = db_query(t->db, &part_get, V(part));
	struct round_group g;
	struct blob content;

	if (!db_next(q)) {
		go_on(t, r->ends, INT64_MAX);
		return;
	}
	content = db_blob(q, 0);
	db_done(q);
	for (size_t at = 0; at + sizeof(g) <= content.length; at += sizeof(g)) {
		memcpy(&g, (const char *)content.bytes + at, sizeof(g));
		show_group(t, r, &g);
	}
	db_run(t->db, &part_drop, V(part));
	go_on(t, t->now + 1, part + 1);
}

/* ---- answers ---- */

static void
noted(struct turn *t, int64_t id, const struct round *r)
{
	struct card *card =
	    words(t, "round.noted", "until", date_of(t, t->language, r->ends), NULL);

	choose(
	    t, card, "round.change", "round.change", arena_print(t->arena, "%lld", (long long)id));
	edit(t, card);
}

/* The same sentence for each answer, and the same way back. */
static void
answer(struct turn *t)
{
	char *end;
	int64_t id = strtoll(t->value, &end, 10), said = strtoll(end, NULL, 10);
	struct round r;
	struct rows *q = db_query(t->db, &intro_get, V(id, t->person->id, t->now));
	bool open = db_next(q);

	db_done(q);
	if (!open || !round_now(t, &r) || said < ANSWER_YES || said > ANSWER_NEVER) {
		edit(t, words(t, "round.too_late", NULL));
		return;
	}
	db_run(t->db, &intro_answer, V(said, id, t->person->id));
	noted(t, id, &r);
}

static void
change(struct turn *t)
{
	int64_t id = strtoll(t->value, NULL, 10);
	struct rows *q = db_query(t->db, &intro_get, V(id, t->person->id, t->now));
	bool open = db_next(q);
	struct card *card = words(t, open ? "round.which" : "round.too_late", NULL);

	db_done(q);
	if (open)
		choose_answers(t, card, t->language, id);
	edit(t, card);
}

static void
take_part(struct turn *t, enum taking state)
{
	struct round r;
	int64_t id = strtoll(t->value, NULL, 10);

	if (!round_now(t, &r) || r.id != id || r.state != ROUND_ASKING) {
		struct card *card = words(t, "round.began", NULL);

		choose(t, card, "match.wish", "match.wish", "");
		edit(t, card);
		return;
	}
	db_run(t->db, &member_add, V(r.id, t->person->id, (int)state));
	db_run(t->db, &member_set, V(r.id, t->person->id, (int)state));
	edit(t, words(t, state == TAKING_IN ? "round.is_in" : "round.is_out", NULL));
}

static void
in(struct turn *t)
{
	take_part(t, TAKING_IN);
}

static void
out(struct turn *t)
{
	take_part(t, TAKING_OUT);
}

static void
out_for_a_month(struct turn *t)
{
	people_pause(t, t->person->id, t->now + 30 * (int64_t)DAY);
	take_part(t, TAKING_OUT);
}

/* ---- the end of a pass ---- */

struct intro {
	int64_t id, size, episode, person[PLAN_GROUP], answer[PLAN_GROUP];
	int count;
};

static bool
both_yes(struct turn *t, const struct intro *i)
{
	bool yes = i->count == i->size;

	for (int k = 0; k < i->count && yes; k++)
		yes = i->answer[k] == ANSWER_YES && match_may(t, i->person[k]);
	return yes;
}

static void
judge_one(struct turn *t, const struct round *r, struct intro *i)
{
	struct rows *q = db_query(t->db, &intro_people, V(i->id));
	bool met;

	for (; db_next(q) && i->count < PLAN_GROUP; i->count++) {
		i->person[i->count] = db_int(q, 0);
		i->answer[i->count] = db_int(q, 1);
	}
	db_done(q);
	met = both_yes(t, i);
	for (int k = 0; k < i->count; k++)
		for (int l = 0; l < k; l++)
			if (met || i->answer[k] == ANSWER_NEVER || i->answer[l] == ANSWER_NEVER)
				match_past(t, i->person[k], i->person[l], MATCH_NEVER);
	db_run(t->db, &intro_state, V(met ? MET : NOT_MET, i->id));
	if (!met)
		return;
	for (int k = 0; k < i->count; k++) {
		db_run(t->db, &member_state, V((int)TAKING_INTRODUCED, r->id, i->person[k]));
		db_run(t->db, &waited, V(0, i->person[k]));
	}
	relay_open(t, i->person, i->count, i->episode, r->at);
}

static void
judge(struct turn *t, struct round *r)
{
	struct rows *q = db_query(t->db, &intro_open, V(r->id, r->pass, CHUNK));
	int n = 0;

	for (; db_next(q); n++) {
		struct intro i = {
		    .id = db_int(q, 0), .size = db_int(q, 1), .episode = db_int(q, 2)};

		judge_one(t, r, &i);
	}
	if (n == CHUNK) {
		go_on(t, t->now + 1, 0);
		return;
	}
	round_set(t, r, ROUND_TELLING);
	go_on(t, t->now, 0);
}

/* One sentence for whoever was not introduced, whatever the reason. Whoever waited comes first the
 * next time, unless they said no themselves. */
static void
tell_one(struct turn *t, const struct round *r, int64_t person, bool last_pass)
{
	tell_at(t, person, CLASS_MATCH, r->at, r->at + 2 * DAY,
	    words_in(
		t, language_of(t, person), last_pass ? "round.none_over" : "round.none", NULL));
	if (last_pass && !db_exists(t->db, &said_no, V(r->id, person)))
		db_run(t->db, &waited, V(1, person));
}

static void
end_pass(struct turn *t, struct round *r)
{
	if (r->pass < ROUND_PASSES) {
		r->ends = r->at;
		round_set(t, r, ROUND_TELLING);
		go_on(t, r->at, INT64_MAX);
		return;
	}
	db_run(t->db, &close, V(r->id));
	/* What coordinators are told stands still until the next round ends. */
	db_run(t->db, &count_drop, NONE);
	db_run(t->db, &count_add, V(r->id));
}

static bool
is_done(struct turn *t, const struct round *r, int64_t cards, int64_t joined)
{
	int limit = joined > t->now - ROUND_NEW_DAYS * (int64_t)DAY ? 1 : ROUND_PASSES;

	return r->pass == ROUND_PASSES || cards >= limit;
}

void
round_not_introduced(struct turn *t, int64_t person, int64_t when)
{
	struct round r;
	struct rows *q;
	bool done = true;

	if (!round_now(t, &r)) {
		tell_at(t, person, CLASS_MATCH, when, when + 2 * DAY,
		    words_in(t, language_of(t, person), "round.none_over", NULL));
		return;
	}
	q = db_query(t->db, &one_to_tell, V(r.id, person));
	if (db_next(q))
		done = is_done(t, &r, db_int(q, 0), db_int(q, 1));
	db_done(q);
	tell_one(t, &r, person, done);
	/* From the next pass on: in this one they are told already. */
	if (done)
		db_run(t->db, &member_state, V((int)TAKING_DONE, r.id, person));
	else
		db_run(t->db, &member_wish, V(r.id, person, r.pass + 1));
}

static void
tell_all(struct turn *t, struct round *r, int64_t from)
{
	struct rows *q = db_query(t->db, &to_tell, V(r->id, from, r->pass, CHUNK));
	int n = 0;

	for (; db_next(q); n++) {
		int64_t person = db_int(q, 0);
		bool done = is_done(t, r, db_int(q, 1), db_int(q, 2));

		from = person;
		tell_one(t, r, person, done);
		if (done)
			db_run(t->db, &member_state, V((int)TAKING_DONE, r->id, person));
	}
	if (n == CHUNK)
		go_on(t, t->now + 1, from);
	else
		end_pass(t, r);
}

static void
step(struct turn *t)
{
	struct round r;
	int64_t at = strtoll(t->value, NULL, 10);

	if (!round_now(t, &r))
		return;
	switch (r.state) {
	case ROUND_ASKING:
		if (at != INT64_MAX)
			ask(t, &r, at);
		else
			begin_pass(t, &r);
		break;
	case ROUND_COMPUTING:
		if (work_percent(t, "round.plan", "") < 0)
			plan(t, &r);
		break;
	case ROUND_SHOWING:
		if (at != INT64_MAX) {
			show(t, &r, at);
			break;
		}
		/* As many as it began with: who left meanwhile must not move the minute. */
		r.at = minute_for(t, r.people);
		round_set(t, &r, ROUND_JUDGING);
		judge(t, &r);
		break;
	case ROUND_JUDGING:
		judge(t, &r);
		break;
	case ROUND_TELLING:
		if (at != INT64_MAX)
			tell_all(t, &r, at);
		else
			begin_pass(t, &r);
		break;
	case ROUND_OVER:
		break;
	}
}

/* ---- on request, and what is seen of it ---- */

void
round_wish(struct turn *t, int64_t person)
{
	struct round r;
	int64_t next;

	if (!round_now(t, &r) || (r.pass == ROUND_PASSES)) {
		db_run(t->db, &wished, V(1, person));
		return;
	}
	next = r.pass + 1;
	db_run(t->db, &member_wish, V(r.id, person, next));
}

struct card *
round_line(struct turn *t)
{
	struct round r;
	struct rows *q;
	int state = -1;

	if (db_number(t->db, &has_wished, V(t->person->id), 0))
		return words(t, "round.line_wished", NULL);
	if (!round_now(t, &r))
		return words(t, "round.line_none", NULL);
	q = db_query(t->db, &member_get, V(r.id, t->person->id));
	if (db_next(q))
		state = (int)db_int(q, 0);
	db_done(q);
	return words(t, state == TAKING_IN ? "round.line_in" : "round.line_on", NULL);
}

/* ---- what happens elsewhere ---- */

static void
happened(struct turn *t, enum happening what)
{
	struct round r;

	/* What was being computed when the program ended is computed again. */
	if (what == HAPPENED_START && round_now(t, &r) && r.state == ROUND_COMPUTING)
		go_on(t, t->now, 0);
}

static const struct action actions[] = {
    {"round.in", MEMBERS, in},
    {"round.out", MEMBERS, out},
    {"round.pause", MEMBERS, out_for_a_month},
    {"round.answer", MEMBERS, answer},
    {"round.change", MEMBERS, change},
    {0},
};
static const struct job jobs[] = {
    {.name = "round.step", .run = step},
    {0},
};
static const struct work works[] = {
    {.name = "round.plan", .run = passes_plan, .came = plan_came},
    {.name = "round.fits", .run = passes_fits, .came = fits_came},
    {0},
};

const struct feature feature_round = {
    .name = "round",
    .schema = &schema,
    .statements = statements,
    .actions = actions,
    .jobs = jobs,
    .works = works,
    .happened = happened,
};
