/* PRODUCT.md's ground rules, looked at with every shipment and every text that somebody reads. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/card.h"
#include "core/feature.h"
#include "core/transport.h"
#include "store/db.h"

enum { SLACK_S = 900, RESULTS = 64 };

static struct sql consented = {"SELECT 1 FROM delivery d JOIN consent c ON c.person = d.person"
			       " WHERE d.id = ?1 AND c.what IN (?2, ?3)"};
static struct sql has_person = {"SELECT 1 FROM delivery WHERE id = ? AND person IS NOT NULL"};
static struct sql asked_for = {"SELECT 1 FROM delivery d JOIN post p ON p.id = d.post"
			       " WHERE d.id = ? AND p.feature NOT IN ('announce', 'surveys',"
			       " 'season')"};
static struct sql paused = {"SELECT 1 FROM delivery d JOIN person p ON p.id = d.person"
			    " WHERE d.id = ? AND p.paused_until > ?"};
/* rsvp.answer: maybe, waiting, offered, yes (rsvp.c). */
/* What somebody types into a chat with another (class 2) is theirs to tell. */
static struct sql may_know = {
    "SELECT 1 FROM delivery d JOIN person p ON p.id = d.person WHERE d.id = ?1 AND (d.class = 2 OR"
    " EXISTS (SELECT 1 FROM hosted h WHERE h.author = p.id) OR (p.access & ?4) <> 0 OR"
    " EXISTS (SELECT 1 FROM rsvp r JOIN hosted h ON h.event = r.event JOIN event e"
    " ON e.id = h.event WHERE r.person = p.id AND r.answer = (SELECT max(answer) FROM rsvp)"
    " AND ?2 + ?3 >= e.start - h.hours * 3600 AND ?2 - ?3 <= e.finish + 3600))"};
/* Whoever has used up their own cards reads "the next round" instead of "the next pass": that hangs
 * on themselves alone. */
static struct sql is_done = {"SELECT m.state FROM delivery d JOIN round_member m ON m.person ="
			     " d.person WHERE d.id = ? ORDER BY m.round DESC LIMIT 1"};
static struct sql in_public = {
    "SELECT 1 FROM event WHERE title LIKE '%PlaceCanary%' OR place LIKE '%PlaceCanary%' OR text LIKE"
    " '%PlaceCanary%' UNION ALL SELECT 1 FROM hosted_text WHERE title LIKE '%PlaceCanary%' OR"
    " text LIKE '%PlaceCanary%' UNION ALL SELECT 1 FROM hosted WHERE access LIKE '%PlaceCanary%'"};
static struct sql small_cell = {"SELECT 1 FROM survey_cell WHERE n BETWEEN 1 AND 4"};
static struct sql joined = {"SELECT count(*) FROM person WHERE org <> '' OR access <> 0"};

/* The results of passes: who was not introduced, by language. */
static struct result {
	int64_t at_ms;
	char language[4];
	int64_t done;
	uint64_t text;
} results[RESULTS];
static size_t result_count;

void
rules_begin(void)
{
	result_count = 0;
}

static bool is_push(enum class class)
{
	return class == CLASS_MATCH || class == CLASS_REMINDER || class == CLASS_ANNOUNCEMENT ||
	       class == CLASS_URGENT;
}

/* 1 and 7: nothing is pushed that was not said yes to, nor in a pause. */
static void
look_consent(int64_t id, const struct shipment *s)
{
	const char *first = s->class == CLASS_MATCH ? "matching" : "announcements";

	if (s->op != OP_SEND || !is_push(s->class) || !db_exists(sim.db, &has_person, V(id)))
		return;
	sim.counts.rules_consent++;
	if (db_exists(sim.db, &paused, V(id, sim.now_ms / 1000)))
		violated("class %d is pushed to somebody who pauses", (int)s->class);
	/* Reminders are of what somebody signed up for. */
	if (s->class == CLASS_REMINDER || db_exists(sim.db, &asked_for, V(id)))
		return;
	if (!db_exists(sim.db, &consented, V(id, first, "surveys")))
		violated("class %d is pushed without consent: shipment %lld", (int)s->class,
		    (long long)id);
}

/* 4: whatever the reason, the same bytes at the same minute. */
static void
look_result(int64_t id, const struct shipment *s)
{
	struct arena *arena;
	const char *text;
	struct result new = {
	    sim.now_ms, "", db_number(sim.db, &is_done, V(id), -1), 14695981039346656037u};

	if (s->op != OP_SEND || s->class != CLASS_MATCH || s->set || s->repeated || !s->card ||
	    s->card->choices)
		return;
	arena = arena_new();
	text = card_plain(arena, s->card);
	for (const char *p = text; *p; p++)
		new.text = (new.text ^ (unsigned char)*p) * 1099511628211u;
	snprintf(new.language, sizeof(new.language), "%s", s->language ? s->language : "");
	sim.counts.rules_refusal++;
	for (size_t i = 0; i < result_count && i < RESULTS; i++) {
		const struct result *r = &results[i];

		/* Passes are days apart. */
		if (new.at_ms - r->at_ms > 12 * 3600 * 1000)
			continue;
		if (!strcmp(r->language, new.language) && r->done == new.done &&
		    r->text != new.text)
			violated("two who were not introduced read different things (%s): %s",
			    new.language, text);
		if (!troubled() && new.at_ms - r->at_ms > 60000)
			violated("the results of a pass come at two different minutes");
	}
	arena_free(arena);
	results[result_count++ % RESULTS] = new;
}

void
rules_shipped(int64_t id, const struct shipment *s)
{
	look_consent(id, s);
	look_result(id, s);
}

/* ---- what is read ---- */

/* 8: the first line of what is pushed shows on a locked screen. */
static void
look_first_line(int64_t shipment, const char *text)
{
	static const char *const never[] = {"peace", "Peace", "Israel", "Palestin", "إسرائيل",
	    "فلسطين", "سلام", "ישראל", "פלסטינ", "שלום"};
	int class = check_class(shipment);
	size_t length = strcspn(text, "\n");
	char line[400];
	const char *read = line;

	if (class < 0 || class == CLASS_REPLY || class == CLASS_SERVICE || class == CLASS_RELAY)
		return;
	sim.counts.rules_first_line++;
	snprintf(line, sizeof(line), "%.*s", (int)(length < 399 ? length : 399), text);
	/* What somebody wrote for many may begin as every letter does: with "hello". */
	if (class == CLASS_ANNOUNCEMENT && !strncmp(line, "שלום ", sizeof("שלום ") - 1))
		read = line + sizeof("שלום ") - 1;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strstr(read, never[i]))
			violated(
			    "the first line of class %d says %s: %.80s", class, never[i], line);
}

/* 10: what is inserted is isolated, every isolate ends, no hole of a sentence stays open, and no
 * mark that Telegram deletes is used. */
static void
look_marks(const char *text)
{
	int depth = 0;

	for (const char *p = text; *p; p++) {
		if (!strncmp(p, "\u2066", 3) || !strncmp(p, "\u2067", 3) ||
		    !strncmp(p, "\u2068", 3))
			depth++;
		else if (!strncmp(p, "\u2069", 3) && --depth < 0)
			violated("an isolate ends that never began: %.60s", text);
		else if (!strncmp(p, "\u202a", 3) || !strncmp(p, "\u202b", 3) ||
			 !strncmp(p, "\u202d", 3) || !strncmp(p, "\u202e", 3))
			violated("an embedding or an override is sent: %.60s", text);
		else if (!depth && *p == '{' && p[1] >= 'a' && p[1] <= 'z' && strchr(p, '}'))
			violated("a hole stays open: %.60s", p);
	}
	if (depth)
		violated("an isolate does not end: %.60s", text);
}

/* 3: the exact place only to those who come, from the hours before until an hour after; and to who
 * wrote it. */
static void
look_place(int64_t shipment, const char *text)
{
	/* A flow that went astray has made it a title. */
	if (!strstr(text, "PlaceCanary") || !shipment || db_exists(sim.db, &in_public, NONE))
		return;
	sim.counts.rules_place++;
	if (!db_exists(sim.db, &may_know,
		V(shipment, sim.now_ms / 1000, SLACK_S, (int64_t)(COORDINATORS | ADMINS))))
		violated("the exact place is told to somebody who may not know it: %.200s", text);
}

void
rules_read(int64_t shipment, const char *text)
{
	if (!sim.alive || sim.dying || !sim.db)
		return; /* what a dead process left in the air */
	memory_look(true);
	look_first_line(shipment, text);
	look_marks(text);
	look_place(shipment, text);
	memory_look(false);
}

/* ---- now and then ---- */

void
rules_state(void)
{
	if (db_exists(sim.db, &small_cell, NONE))
		violated("a published result stands for fewer than five people");
	if (db_number(sim.db, &joined, NONE, 0) > sim.counts.invitations)
		violated("more people are in than were invited");
}

static struct {
	const char *name;
	struct sql sql;
} flows[] = {
    {"announced", {"SELECT count(*) FROM post WHERE feature = 'announce'"}},
    {"hosted", {"SELECT count(*) FROM hosted"}},
    {"confirmed", {"SELECT count(*) FROM rsvp WHERE answer > 0"}},
    {"rounds", {"SELECT count(*) FROM meeting_round"}},
    {"cards", {"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'introduction'"}},
    {"relays", {"SELECT coalesce(max(id), 0) FROM relay"}},
    {"surveys", {"SELECT count(*) FROM survey WHERE state > 0"}},
    {"answered", {"SELECT count(*) FROM survey_answered"}},
    {"told", {"SELECT count(*) FROM survey_cell"}},
    {"seasons", {"SELECT count(*) FROM season"}},
    {"stories", {"SELECT count(*) FROM story"}},
    {"tickets", {"SELECT count(*) FROM ticket"}},
    {"reports", {"SELECT count(*) FROM report"}},
    {"offers", {"SELECT count(*) FROM offer"}},
    {"linked", {"SELECT count(*) FROM (SELECT 1 FROM account GROUP BY person"
		" HAVING count(*) > 1)"}},
};

/* How far the flows went, added up over all worlds. */
void
rules_flows(int64_t sums[SIM_FLOWS])
{
	_Static_assert(sizeof(flows) / sizeof(flows[0]) == SIM_FLOWS, "one sum for each");
	for (int i = 0; i < SIM_FLOWS; i++)
		sums[i] += db_number(sim.db, &flows[i].sql, NONE, 0);
}

const char *
rules_flow_name(int i)
{
	return flows[i].name;
}
