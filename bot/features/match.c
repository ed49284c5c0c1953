/* /match: the profile for meeting by taps, consent, what others can ever see, whom to avoid, and
 * the wish to be in the next pass. */
#include "meeting.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/partners.h"
#include "base/text.h"
#include "core/people.h"
#include "matching/blind.h"

static const char *const steps[] = {
    "CREATE TABLE meeting(person INTEGER PRIMARY KEY REFERENCES person(id) ON DELETE CASCADE,"
    " profile BLOB, mark TEXT NOT NULL, often INTEGER NOT NULL DEFAULT 0,"
    " waiting INTEGER NOT NULL DEFAULT 2, episode INTEGER NOT NULL DEFAULT 0,"
    " wished INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX meeting_mark ON meeting(mark);"
    "CREATE TABLE meeting_avoid(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " org TEXT NOT NULL, PRIMARY KEY(person, org)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE meeting_past(a TEXT NOT NULL, b TEXT NOT NULL, until INTEGER NOT NULL,"
    " PRIMARY KEY(a, b)) STRICT, WITHOUT ROWID;",
    "ALTER TABLE meeting ADD COLUMN widen INTEGER;",
    NULL,
};
static const struct column columns[] = {
    {"meeting.person", "who may be introduced", "while consented", WITH_PERSON},
    {"meeting.profile", "topics, languages, times and wishes for meeting, sealed",
	"while consented", KEY_GONE},
    {"meeting.mark", "keyed hash of the person, to find their past pairs", "while consented",
	WITH_PERSON},
    {"meeting.often", "how often to be asked", "while consented", WITH_PERSON},
    {"meeting.waiting", "rounds missed in a row: who waited comes first", "while consented",
	WITH_PERSON, true},
    {"meeting.episode", "the episode they would like to talk over", "until the round ends",
	WITH_PERSON},
    {"meeting.wished", "asked to be in the next pass", "until the next pass", WITH_PERSON},
    {"meeting.widen", "which answer would open more, told before a round", "until the next round",
	WITH_PERSON},
    {"meeting.changed", "the day of the last change", "while consented", WITH_PERSON},
    {"meeting_avoid.person", "who avoids", "until taken back", WITH_PERSON},
    {"meeting_avoid.org", "an organisation they would rather not meet", "until taken back",
	WITH_PERSON},
    {"meeting_past.a", "keyed hash of one of two who were suggested to each other",
	"12 months, for ever when never again", KEYED_HASH},
    {"meeting_past.b", "keyed hash of the other", "12 months, for ever when never again",
	KEYED_HASH},
    {"meeting_past.until", "not again before", "12 months, for ever when never again",
	AFTER_RETENTION},
    {0},
};
static const struct schema schema = {"meeting", steps, columns};

static struct sql get = {"SELECT profile FROM meeting WHERE person = ?"};
static struct sql ensure = {
    "INSERT OR IGNORE INTO meeting(person, mark, profile, changed) VALUES(?, ?, ?, ?)"};
static struct sql known = {"SELECT 1 FROM meeting WHERE person = ?"};
static struct sql set = {"UPDATE meeting SET profile = ?, often = ?, changed = ? WHERE person = ?"};
static struct sql set_episode = {"UPDATE meeting SET episode = ? WHERE person = ?"};
static struct sql mark_of = {"SELECT mark FROM meeting WHERE person = ?"};
static struct sql drop = {"DELETE FROM meeting WHERE person = ?"};
static struct sql drop_unwanted = {"DELETE FROM meeting WHERE person NOT IN"
				   " (SELECT person FROM consent WHERE what = 'matching')"};
static struct sql avoids = {"SELECT 1 FROM meeting_avoid WHERE person = ? AND org = ?"};
static struct sql avoid_add = {"INSERT OR IGNORE INTO meeting_avoid(person, org) VALUES(?, ?)"};
static struct sql avoid_drop = {"DELETE FROM meeting_avoid WHERE person = ? AND org = ?"};
static struct sql past_add = {
    "INSERT INTO meeting_past(a, b, until) VALUES(?, ?, ?)"
    " ON CONFLICT(a, b) DO UPDATE SET until = max(until, excluded.until)"};
static struct sql past_prune = {"DELETE FROM meeting_past WHERE until < ?"};
static struct sql past_move = {
    "INSERT INTO meeting_past(a, b, until) SELECT min(other, ?2), max(other, ?2), until"
    " FROM (SELECT iif(a = ?1, b, a) AS other, until FROM meeting_past WHERE a = ?1 OR b = ?1)"
    " WHERE other <> ?2 ON CONFLICT(a, b) DO UPDATE SET until = max(until, excluded.until)"};
static struct sql past_drop = {"DELETE FROM meeting_past WHERE a = ?1 OR b = ?1"};
static struct sql avoid_move = {
    "INSERT OR IGNORE INTO meeting_avoid(person, org) SELECT ?2, org FROM meeting_avoid"
    " WHERE person = ?1"};
static struct sql may = {
    "SELECT 1 FROM person p JOIN consent c ON c.person = p.id AND c.what = 'matching'"
    " WHERE p.id = ?1 AND p.adult = 1 AND p.joined > 0 AND p.paused_until <= ?2"
    " AND (SELECT count(DISTINCT reporter) FROM report WHERE about = ?1 AND closed = 0) < 3"};
static struct sql *const statements[] = {&get, &ensure, &known, &set, &set_episode, &mark_of, &drop,
    &drop_unwanted, &avoids, &avoid_add, &avoid_drop, &past_add, &past_prune, &past_move,
    &past_drop, &avoid_move, &may, NULL};

enum { DAY = 86400, AVOID_PAGE = 12 };

/* ---- the profile ---- */

enum screen_kind { SCREEN_BITS, SCREEN_ONE, SCREEN_LEVELS };

static const struct screen {
	const char *name;
	enum screen_kind kind;
	size_t at;
	uint32_t count, row; /* choices in a row */
} screens[] = {
    {"language", SCREEN_LEVELS, offsetof(struct meeting, level), MATCH_LANGUAGES, 2},
    {"topic", SCREEN_BITS, offsetof(struct meeting, topics), MATCH_TOPICS, 2},
    {"goal", SCREEN_BITS, offsetof(struct meeting, goals), 5, 1},
    {"slot", SCREEN_BITS, offsetof(struct meeting, slots), MATCHING_SLOTS, 3},
    {"mode", SCREEN_BITS, offsetof(struct meeting, modes), 2, 2},
    {"region", SCREEN_ONE, offsetof(struct meeting, region), 8, 2},
    {"cross", SCREEN_ONE, offsetof(struct meeting, cross), 3, 1},
    {"side", SCREEN_ONE, offsetof(struct meeting, side), 4, 1},
    {"women", SCREEN_BITS, offsetof(struct meeting, women), 2, 1},
    {"years", SCREEN_ONE, offsetof(struct meeting, years), 4, 2},
    {"trio", SCREEN_BITS, offsetof(struct meeting, trio), 1, 1},
    {"often", SCREEN_ONE, offsetof(struct meeting, often), 4, 2},
};
enum { SCREENS = sizeof(screens) / sizeof(*screens) };
/* Years of experience behind each answer: what the matcher's "three years more" compares. */
static const uint8_t years_of[] = {0, 1, 4, 8, 15};

static uint32_t *
field(struct meeting *m, const struct screen *s)
{
	return (uint32_t *)(void *)((char *)m + s->at);
}

static bool
is_on(struct meeting *m, const struct screen *s, uint32_t i)
{
	const uint32_t *f = field(m, s);

	if (s->kind == SCREEN_LEVELS)
		return f[i] > 0;
	return s->kind == SCREEN_ONE ? *f == i + 1 : *f >> i & 1;
}

static void
toggle(struct meeting *m, const struct screen *s, uint32_t i)
{
	uint32_t *f = field(m, s);

	if (s->kind == SCREEN_LEVELS)
		f[i] = f[i] == 0 ? 2 : f[i] == 2 ? 3 : 0;
	else if (s->kind == SCREEN_ONE)
		*f = *f == i + 1 ? 0 : i + 1;
	else
		*f ^= 1u << i;
}

const char *
match_text(struct arena *arena, const struct meeting *m)
{
	struct meeting copy = *m;
	const char *text = "";

	for (size_t k = 0; k < SCREENS; k++) {
		const uint32_t *f = field(&copy, &screens[k]);

		if (screens[k].kind == SCREEN_LEVELS)
			for (uint32_t i = 0; i < screens[k].count; i++)
				text = arena_print(
				    arena, "%s%s%u=%u ", text, screens[k].name, i, f[i]);
		else
			text = arena_print(arena, "%s%s=%u ", text, screens[k].name, *f);
	}
	return text;
}

/* The number behind "NAME=" in the text, 0 when it is not there. */
static uint32_t
number_of(const char *text, const char *name, size_t length)
{
	for (const char *p = text; p && *p; p = strchr(p, ' '), p = p ? p + 1 : NULL)
		if (!strncmp(p, name, length) && p[length] == '=')
			return (uint32_t)strtoul(p + length + 1, NULL, 10);
	return 0;
}

struct meeting
match_read(const char *text)
{
	struct meeting m = {0};
	char name[24];

	for (size_t k = 0; k < SCREENS; k++) {
		uint32_t *f = field(&m, &screens[k]);

		if (screens[k].kind == SCREEN_LEVELS) {
			for (uint32_t i = 0; i < screens[k].count; i++) {
				int n = snprintf(name, sizeof(name), "%s%u", screens[k].name, i);

				f[i] = number_of(text ? text : "", name, (size_t)n);
			}
			continue;
		}
		*f = number_of(text ? text : "", screens[k].name, strlen(screens[k].name));
		if (screens[k].kind == SCREEN_ONE && *f > screens[k].count)
			*f = 0;
	}
	return m;
}

struct matching_person
match_person(const struct meeting *m)
{
	static const uint8_t cross[] = {
	    MATCHING_EITHER_WAY, MATCHING_GLADLY, MATCHING_EITHER_WAY, MATCHING_NOT_NOW};
	struct matching_person p = {
	    .org = MATCHING_NOBODY,
	    .org2 = MATCHING_NOBODY,
	    .topics = m->topics & ((1u << MATCH_TOPICS) - 1),
	    .slots =
		m->slots ? m->slots & ((1u << MATCHING_SLOTS) - 1) : (1u << MATCHING_SLOTS) - 1,
	    .side = m->side ? (uint8_t)(m->side - 1) : MATCHING_SIDE_UNTOLD,
	    .region = m->region ? (uint8_t)(m->region - 1) : MATCHING_REGION_UNTOLD,
	    .mode = m->modes ? (uint8_t)(m->modes & 3) : MATCHING_ONLINE | MATCHING_IN_PERSON,
	    .cross = cross[m->cross & 3],
	    .woman = m->women & 1,
	    .women_only = m->women >> 1 & 1,
	    .years = years_of[m->years <= 4 ? m->years : 0],
	    .trio = m->trio & 1,
	};

	/* Mentoring is never assumed of anybody who did not say so. */
	p.goals = m->goals ? (uint8_t)(m->goals & 31)
			   : MATCHING_DIALOGUE | MATCHING_PROJECT | MATCHING_ACTION;
	for (int i = 0; i < MATCH_LANGUAGES; i++)
		p.level[i] = (uint8_t)(m->level[i] <= 3 ? m->level[i] : 0);
	return p;
}

static struct meeting
mine(struct turn *t)
{
	struct rows *q = db_query(t->db, &get, V(t->person->id));
	const char *text = NULL;

	if (db_next(q))
		text = unseal_person(t, t->person->id, "meeting.profile", db_blob(q, 0));
	db_done(q);
	return match_read(text);
}

static void
keep(struct turn *t, const struct meeting *m)
{
	db_run(t->db, &set,
	    V(seal_person(t, t->person->id, "meeting.profile", match_text(t->arena, m)),
		(int64_t)m->often, t->now / DAY * DAY, t->person->id));
}

void
match_ensure(struct turn *t, int64_t person)
{
	static const char *const languages[] = {"en", "ar", "he"};
	struct meeting m = {0};

	if (db_exists(t->db, &known, V(person)))
		return;
	/* The language they speak with us is one they speak. */
	for (int i = 0; i < 3; i++)
		m.level[i] = strcmp(language_of(t, person), languages[i]) ? 0 : 3;
	db_run(t->db, &ensure,
	    V(person, people_mark(t, person, "meeting"),
		seal_person(t, person, "meeting.profile", match_text(t->arena, &m)),
		t->now / DAY * DAY));
}

/* A profile as somebody taps it, and for every third a pair that met within the year. */
static void
demo(struct turn *t, uint64_t number)
{
	struct meeting m = {
	    .topics = 1u << number % MATCH_TOPICS | 1u << (number >> 5) % MATCH_TOPICS,
	    .slots = 1u << (number >> 10) % MATCHING_SLOTS | 1u << (number >> 15) % MATCHING_SLOTS,
	    .goals = 1u << (number >> 20) % 5,
	    .region = (uint32_t)(number >> 25) % 8 + 1,
	    .trio = (number >> 30) % 3 == 0};

	if (!t->subject || !consents(t, t->subject, CONSENT_MATCHING))
		return;
	match_ensure(t, t->subject);
	m.level[0] = (number >> 35) % 3 ? 2 : 0;
	m.level[!strcmp(language_of(t, t->subject), "ar")   ? 1
		: !strcmp(language_of(t, t->subject), "he") ? 2
							    : 0] = 3;
	db_run(t->db, &set,
	    V(seal_person(t, t->subject, "meeting.profile", match_text(t->arena, &m)), 0,
		t->now / DAY * DAY, t->subject));
	if ((number >> 40) % 3 == 0 && t->subject > 1 && people_exists(t, t->subject - 1))
		match_past(t, t->subject, t->subject - 1, t->now + 180 * DAY);
}

bool
match_may(struct turn *t, int64_t person)
{
	return db_exists(t->db, &may, V(person, t->now)) && people_reachable(t, person);
}

const char *
match_screen_name(struct turn *t, const char *language, int64_t screen)
{
	size_t k = screen >= 0 && screen < (int64_t)SCREENS ? (size_t)screen : 0;

	return words_flat_in(
	    t, language, arena_print(t->arena, "match.name.%s", screens[k].name), NULL);
}

const char *
match_mark(struct turn *t, int64_t person)
{
	const char *mark = db_string(t->db, &mark_of, V(person));

	if (mark)
		return mark;
	return people_exists(t, person) ? people_mark(t, person, "meeting") : "";
}

void
match_past(struct turn *t, int64_t a, int64_t b, int64_t until)
{
	const char *x = match_mark(t, a), *y = match_mark(t, b);

	if (!*x || !*y || !strcmp(x, y))
		return;
	db_run(t->db, &past_add, strcmp(x, y) < 0 ? V(x, y, until) : V(y, x, until));
}

void
match_move(struct turn *t, int64_t from, int64_t to)
{
	const char *was = match_mark(t, from), *is = match_mark(t, to);

	db_run(t->db, &avoid_move, V(from, to));
	if (!*was || !*is || !strcmp(was, is))
		return;
	db_run(t->db, &past_move, V(was, is));
	db_run(t->db, &past_drop, V(was));
}

/* ---- words ---- */

static const char *
option(struct turn *t, const char *language, const struct screen *s, uint32_t i)
{
	if (!strcmp(s->name, "slot"))
		return words_flat_in(t, language, "match.slot_of", "day",
		    words_flat_in(t, language, arena_print(t->arena, "match.day.%u", i / 3), NULL),
		    "part",
		    words_flat_in(t, language, arena_print(t->arena, "match.part.%u", i % 3), NULL),
		    NULL);
	return words_flat_in(t, language, arena_print(t->arena, "match.%s.%u", s->name, i), NULL);
}

struct card *
match_fact(struct turn *t, const char *language, int kind, int what)
{
	static const struct {
		const char *key;
		int screen;
	} said[] = {
	    [BLIND_LANGUAGE] = {"match.both_speak", 0},
	    [BLIND_TOPIC] = {"match.both_care", 1},
	    [BLIND_SLOT] = {"match.both_free", 3},
	    [BLIND_GOAL] = {"match.both_want", 2},
	    [BLIND_MODE] = {"match.both_meet", 4},
	};
	uint32_t i = (uint32_t)what;

	if (kind == BLIND_TOPIC && what >= MATCH_TOPICS)
		return words_in(t, language, "match.both_episode", NULL);
	if (kind == BLIND_GOAL || kind == BLIND_MODE)
		i = (uint32_t)__builtin_ctz((unsigned)what | 1u << 7);
	if (kind == BLIND_GOAL && i >= 3)
		return words_in(
		    t, language, i == 3 ? "match.they_seek" : "match.they_mentor", NULL);
	return words_in(t, language, said[kind].key, "what",
	    option(t, language, &screens[said[kind].screen], i), NULL);
}

const char *
match_comma(const char *language)
{
	return strcmp(language, "ar") ? ", " : "، ";
}

/* What is on, one line for each question that was answered. */
static void
list_answers(struct turn *t, struct card *card, struct meeting *m, bool shown_to_others)
{
	for (size_t k = 0; k < SCREENS; k++) {
		const struct screen *s = &screens[k];
		const char *list = "";

		/* Region, side, wishes, experience and frequency are nobody else's to see. */
		if (shown_to_others != (k < 5))
			continue;
		for (uint32_t i = 0; i < s->count; i++)
			if (is_on(m, s, i))
				list = arena_print(t->arena, "%s%s%s", list,
				    *list ? match_comma(t->language) : "",
				    option(t, t->language, s, i));
		if (*list)
			card_line(
			    card, words(t, "match.answer", "question",
				      words_flat(
					  t, arena_print(t->arena, "match.name.%s", s->name), NULL),
				      "list", list, NULL));
	}
}

static struct card *
screen_card(struct turn *t, size_t k)
{
	const struct screen *s = &screens[k];
	struct meeting m = mine(t);
	struct card *card = words(t, arena_print(t->arena, "match.ask.%s", s->name), NULL);

	for (uint32_t i = 0; i < s->count; i++) {
		const char *mark = is_on(&m, s, i) ? "✓ " : "";

		if (s->kind == SCREEN_LEVELS && m.level[i] == 3)
			mark = "✓✓ ";
		choose_text(t, card,
		    arena_print(t->arena, "%s%s", mark, option(t, t->language, s, i)), "match.set",
		    arena_print(t->arena, "%zu %u", k, i));
		if (i % s->row)
			card_same_row(card);
	}
	choose(t, card, k + 1 < SCREENS ? "match.next" : "match.done",
	    k + 1 < SCREENS ? "match.screen" : "match.overview",
	    arena_print(t->arena, "%zu", k + 1));
	if (k + 1 < SCREENS) {
		choose(t, card, "match.done", "match.overview", "");
		card_same_row(card);
	}
	return card;
}

static bool
is_in(struct turn *t)
{
	return t->person->adult && consents(t, t->person->id, CONSENT_MATCHING);
}

static struct card *
welcome(struct turn *t)
{
	struct card *card = words(t, "match.what", NULL);

	choose(t, card, "match.on", "match.on", "");
	choose(t, card, "match.not_on", "engine.command", "help");
	return card;
}

static struct card *
overview(struct turn *t)
{
	struct card *card = words(t, "match.title", NULL), *line = round_line(t);

	if (t->person->paused_until > t->now)
		line = words(t, "match.pausing", NULL);
	if (line)
		card_line(card, line);
	choose(t, card, "match.wish", "match.wish", "");
	choose(t, card, "match.edit", "match.screen", "0");
	choose(t, card, "match.look", "match.look", "");
	card_same_row(card);
	choose(t, card, "match.avoid", "match.avoid", "0");
	choose(t, card, "match.pause", "engine.command", "pause");
	card_same_row(card);
	choose(t, card, "match.off", "match.off", "");
	return card;
}

static void
match(struct turn *t)
{
	say(t, is_in(t) ? overview(t) : welcome(t));
}

/* One tap says two things, and the button says both: 18 or older, and yes to meetings. */
static void
switch_on(struct turn *t)
{
	struct card *card = words(t, "match.is_on", NULL);

	people_set_adult(t, t->person->id, true);
	consent_set(t, t->person->id, CONSENT_MATCHING, true);
	match_ensure(t, t->person->id);
	choose(t, card, "match.edit", "match.screen", "0");
	choose(t, card, "match.later", "match.overview", "");
	card_same_row(card);
	edit(t, card);
}

void
match_stop(struct turn *t, int64_t person)
{
	consent_set(t, person, CONSENT_MATCHING, false);
	db_run(t->db, &drop, V(person));
}

static void
switch_off(struct turn *t)
{
	match_stop(t, t->person->id);
	edit(t, words(t, "match.is_off", NULL));
}

/* Buttons may be older than the consent they needed. */
static bool
let_in(struct turn *t)
{
	if (!is_in(t)) {
		edit(t, welcome(t));
		return false;
	}
	match_ensure(t, t->person->id);
	return true;
}

static void
show_overview(struct turn *t)
{
	if (let_in(t))
		edit(t, overview(t));
}

static void
show_screen(struct turn *t)
{
	size_t k = strtoul(t->value, NULL, 10);

	if (let_in(t))
		edit(t, k < SCREENS ? screen_card(t, k) : overview(t));
}

static void
set_answer(struct turn *t)
{
	char *end;
	size_t k = strtoul(t->value, &end, 10);
	uint32_t i = (uint32_t)strtoul(end, NULL, 10);
	struct meeting m;

	if (!let_in(t))
		return;
	if (k >= SCREENS || i >= screens[k].count) {
		edit(t, overview(t));
		return;
	}
	m = mine(t);
	toggle(&m, &screens[k], i);
	keep(t, &m);
	edit(t, screen_card(t, k));
}

/* "This is all others can ever see." */
static void
look(struct turn *t)
{
	struct meeting m;
	struct card *card;

	if (!let_in(t))
		return;
	m = mine(t);
	card = words(t, "match.shown", NULL);
	list_answers(t, card, &m, true);
	card_paragraph(card, words(t, "match.not_shown", NULL));
	list_answers(t, card, &m, false);
	choose(t, card, "match.edit", "match.screen", "0");
	choose(t, card, "match.back", "match.overview", "");
	card_same_row(card);
	edit(t, card);
}

static void
wish(struct turn *t)
{
	struct card *card;

	if (!let_in(t))
		return;
	round_wish(t, t->person->id);
	card = words(t, "match.wished", NULL);
	choose(t, card, "match.back", "match.overview", "");
	edit(t, card);
}

/* From the podcast: into the next pass, with the episode as something both would talk about. */
static void
talk(struct turn *t)
{
	struct card *card;

	if (!is_in(t)) {
		say(t, welcome(t));
		return;
	}
	match_ensure(t, t->person->id);
	db_run(t->db, &set_episode, V(strtoll(t->value, NULL, 10), t->person->id));
	round_wish(t, t->person->id);
	card = words(t, "match.talk_wished", NULL);
	choose(t, card, "match.back", "match.overview", "");
	say(t, card);
}

/* ---- whom to avoid ---- */

static void
avoid(struct turn *t)
{
	char *end;
	size_t from = strtoul(t->value, &end, 10), n = 0, i = from;
	struct card *card;

	if (!let_in(t))
		return;
	card = words(t, "match.avoid_ask", NULL);
	for (; i < partners_count(t->partners) && n < AVOID_PAGE; i++) {
		const struct partner *p = partners_at(t->partners, i);

		if (!strcmp(p->id, t->person->org) || !strcmp(p->kind, "partner"))
			continue;
		choose_text(t, card,
		    arena_print(t->arena, "%s%s",
			db_exists(t->db, &avoids, V(t->person->id, p->id)) ? "✓ " : "",
			text_isolate(t->arena, partner_words(&p->name, t->language, NULL))),
		    "match.avoid_org", arena_print(t->arena, "%zu %s", from, p->id));
		n++;
	}
	if (i < partners_count(t->partners))
		choose(t, card, "engine.more", "match.avoid", arena_print(t->arena, "%zu", i));
	choose(t, card, "match.done", "match.overview", "");
	edit(t, card);
}

static void
avoid_org(struct turn *t)
{
	const char *space = strchr(t->value, ' '), *org = space ? space + 1 : "";

	if (!let_in(t))
		return;
	if (partners_find(t->partners, org) && !db_run(t->db, &avoid_drop, V(t->person->id, org)))
		db_run(t->db, &avoid_add, V(t->person->id, org));
	avoid(t);
}

static void
prune(struct turn *t)
{
	db_run(t->db, &past_prune, V(t->now));
	/* Who was shut out consents to nothing any more. */
	db_run(t->db, &drop_unwanted, NONE);
}

static const struct command commands[] = {
    {.name = "match", .access = MEMBERS, .run = match},
    {0},
};
static const struct action actions[] = {
    {"match.on", MEMBERS, switch_on},
    {"match.off", MEMBERS, switch_off},
    {"match.overview", MEMBERS, show_overview},
    {"match.screen", MEMBERS, show_screen},
    {"match.set", MEMBERS, set_answer},
    {"match.look", MEMBERS, look},
    {"match.wish", MEMBERS, wish},
    {"match.talk", MEMBERS, talk},
    {"match.avoid", MEMBERS, avoid},
    {"match.avoid_org", MEMBERS, avoid_org},
    {0},
};
static const struct job jobs[] = {
    {.name = "match.prune", .every_s = DAY, .run = prune},
    {0},
};

const struct feature feature_match = {
    .name = "match",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .jobs = jobs,
    .demo = demo,
};
