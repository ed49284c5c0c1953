/* The events of an invented community (load-demo), and who said what to them. */
#include "core/people.h"
#include "core/turn.h"
#include "occasion.h"

#include "base/partners.h"
#include "base/words.h"
#include "base/zone.h"

static struct sql event_add = {
    "INSERT INTO event(calendar, uid, recurrence, title, text, place, zone, wall, start, finish,"
    " all_day, cancelled, once_only, sequence, seen)"
    " VALUES('', ?1, '', ?2, ?3, '', ?4, ?5, ?6, ?7, 0, 0, 0, 0, ?8)"};
static struct sql host = {
    "INSERT INTO hosted(event, author, org, kind, capacity, hours, audience, languages,"
    " interpretation, access) VALUES(?, NULL, ?, ?, ?, 24, 0, 'ar he en', 1, '')"};
static struct sql text_add = {
    "INSERT INTO hosted_text(event, language, title, text) VALUES(?, ?, ?, ?)"};
static struct sql come = {"INSERT INTO rsvp(event, person, answer, line) VALUES(?, ?, ?, ?)"};
static struct sql *const statements[] = {&event_add, &host, &text_add, &come, NULL};

enum { EVENTS = 12, DAY = 86400, HOURS_2 = 7200 };

static void
one_event(struct turn *t, int64_t i)
{
	const struct zone *zone = zone_find(t->zones, "Asia/Jerusalem");
	/* A past one, then one every five days in the evening. */
	int64_t start = (t->now / DAY + 5 * i - 3) * DAY + 16 * 3600, event;
	const char *n = arena_print(t->arena, "%lld", (long long)i + 1);
	char wall[CIVIL_TEXT];
	struct civil at;

	if (!zone)
		return;
	at = zone_to_local(zone, start).civil;
	event = db_insert(t->db, &event_add,
	    V((const char *)arena_print(t->arena, "demo-%s", n),
		words_flat(t, "demo.event_title", "n", n, NULL),
		words_flat(t, "demo.event_text", NULL), "Asia/Jerusalem",
		(const char *)civil_write(&at, wall), start, start + HOURS_2, t->now));
	db_run(t->db, &host,
	    V(event, partners_at(t->partners, (size_t)i % partners_count(t->partners))->id, i % 3,
		i % 4 ? 0 : 40));
	for (int k = 0; k < words_count(t->words); k++) {
		const char *language = words_language(t->words, k);

		db_run(t->db, &text_add,
		    V(event, language, words_flat_in(t, language, "demo.event_title", "n", n, NULL),
			words_flat_in(t, language, "demo.event_text", NULL)));
	}
}

/* Everybody answers to one of four events, most of them with yes. */
static void
demo(struct turn *t, uint64_t number)
{
	for (int64_t i = 0; !t->subject && i < EVENTS; i++)
		one_event(t, i);
	if (t->subject && number % 4 == 0)
		db_run(t->db, &come,
		    V((int64_t)(number >> 8) % EVENTS + 1, t->subject,
			(int)((number >> 16) % 5 ? RSVP_YES : RSVP_MAYBE), t->subject));
}

const struct feature feature_demo = {
    .name = "demo",
    .statements = statements,
    .demo = demo,
};
