/* Feeds and calendars all the way through the engine: what subscribers hear, and what is shown. */
#include "unit.h"

#include <jansson.h>

#include "base/feed.h"
#include "core/turn.h"

#include "world.h"
#include "every_feature.h"

static const struct feature *const *const world_features = features;

#define FEED "[podcast show]\ntitle = Show\nfeed = https://example.org/feed\n"
#define CALENDAR "[calendar far]\nurl = https://example.org/calendar\n"

/* Answers what was asked for: with the bytes, or with 304 when their tag was quoted. */
static void
serves(struct world *w, const char *bytes, size_t length)
{
	bool same;

	while (!w->fetches)
		world_pass(w, 600);
	same = w->fetch_etag[0] != 0;
	engine_fetched(w->engine, w->fetch.ticket, same ? FETCHED_SAME : FETCHED_NEW, bytes,
	    same ? 0 : length, "application/xml", "\"e\"", NULL, NULL, NULL);
	w->fetches = 0;
	world_settle(w);
}

/* Another content, whatever was quoted. */
static void
serves_new(struct world *w, const char *bytes)
{
	while (!w->fetches)
		world_pass(w, 600);
	w->fetch_etag[0] = 0;
	serves(w, bytes, strlen(bytes));
}

/* Time goes by; the page stays what it is. */
static void
days(struct world *w, int count, const char *bytes)
{
	for (int i = 0; i < count * 24; i++) {
		world_pass(w, 3600);
		if (w->fetches)
			serves(w, bytes, strlen(bytes));
	}
}

static void
subscribe(struct turn *t, void *ctx)
{
	static struct sql add = {"INSERT INTO podcast_subscriber(person, since) VALUES(1, 0)"};

	(void)ctx;
	db_run(t->db, &add, NONE);
}

static int
count_of(const char *text, const char *what)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

/* How many episodes the pushes since the last look named; *pushes how many there were. */
static int
named(struct world *w, int *pushes)
{
	int n = 0;

	*pushes = 0;
	for (int i = 0; i < w->count; i++)
		if (w->sent[i].class == CLASS_REMINDER) {
			(*pushes)++;
			n += count_of(w->sent[i].text, "• ");
		}
	world_forget_sent(w);
	return n;
}

static char *
feed_of(const char *items)
{
	char *text = NULL;

	assert_true(asprintf(&text,
			"<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Show</title>"
			"%s</channel></rss>",
			items) > 0);
	return text;
}

#define ITEM(title, guid, date) \
	"<item><title>" title "</title><guid isPermaLink=\"false\">" guid "</guid>" \
	"<pubDate>" date "</pubDate><link>https://example.org/" guid "</link></item>"

static struct world *
subscribed(const char *items)
{
	struct world *w = world_new_with(FEED);
	char *text = feed_of(items);

	world_says(w, "noor", "/help");
	assert_true(engine_turn(w->engine, subscribe, NULL));
	world_forget_sent(w);
	serves(w, text, strlen(text));
	days(w, 3, text);
	free(text);
	return w;
}

static void
podcast_first_fetch_announces_nothing(void **state)
{
	struct world *w = subscribed(ITEM("One", "g1", "Mon, 05 Oct 2026 06:00:00 GMT")
		ITEM("Two", "g2", "Mon, 12 Oct 2026 06:00:00 GMT"));

	(void)state;
	assert_int_equal(w->count, 0);
	world_says(w, "noor", "/podcast");
	assert_non_null(strstr(world_last(w, "noor")->text, "Two"));
	world_free(w);
}

static void
comes(struct world *w, const char *items)
{
	char *text = feed_of(items);

	serves_new(w, text);
	days(w, 2, text);
	free(text);
}

static void
podcast_archive_that_is_filled_later_is_not_news(void **state)
{
	struct world *w = subscribed(ITEM("Two", "g2", "Mon, 12 Oct 2026 06:00:00 GMT"));
	int pushes;

	(void)state;
	comes(w, ITEM("Old", "g0", "Mon, 05 Oct 2020 06:00:00 GMT")
		     ITEM("Older", "g00", "Sun, 20 Sep 2026 06:00:00 GMT")
			 ITEM("Two", "g2", "Mon, 12 Oct 2026 06:00:00 GMT")
			     ITEM("Three", "g3", "Tue, 20 Oct 2026 06:00:00 GMT"));
	assert_int_equal(named(w, &pushes), 1);
	assert_int_equal(pushes, 1);
	/* They are there all the same. */
	assert_int_equal(world_number(w, "SELECT count(*) FROM episode"), 4);
	/* A mistaken date far ahead does not silence what follows. */
	comes(w, ITEM("Three", "g3", "Tue, 20 Oct 2026 06:00:00 GMT")
		     ITEM("Typo", "g9", "Tue, 20 Oct 2037 06:00:00 GMT"));
	named(w, &pushes);
	comes(w, ITEM("Typo", "g9", "Tue, 20 Oct 2037 06:00:00 GMT")
		     ITEM("Four", "g4", "Sun, 25 Oct 2026 06:00:00 GMT"));
	assert_int_equal(named(w, &pushes), 1);
	world_free(w);
}

static void
podcast_names_all_that_are_new_once_a_day_at_most(void **state)
{
	struct world *w = subscribed(ITEM("One", "g1", "Mon, 05 Oct 2026 06:00:00 GMT"));
	struct buf items = {.maximum = 1 << 20};
	int pushes;

	(void)state;
	for (int i = 0; i < 40; i++)
		buf_print(&items,
		    "<item><title>Number %d</title><guid>n%d</guid>"
		    "<pubDate>Mon, 19 Oct 2026 %02d:00:00 GMT</pubDate></item>",
		    i, i, i % 24);
	comes(w, items.bytes);
	assert_int_equal(named(w, &pushes), 40);
	assert_int_equal(pushes, 1);
	buf_free(&items);
	world_free(w);
}

static void
podcast_real_series_names_each_once(void **state)
{
	const char *path = unit_shared("feeds/series-103fm/expect.jsonl");
	struct world *w;
	char *all, *line, *rest;
	int n = 0, pushes, expected = 0, total = 0, revisions = 0;

	(void)state;
	if (!path)
		skip();
	w = world_new_with(FEED);
	world_says(w, "noor", "/help");
	assert_true(engine_turn(w->engine, subscribe, NULL));
	world_forget_sent(w);
	all = rest = unit_read(path, NULL);
	while ((line = strsep(&rest, "\n")) && *line) {
		json_t *c = json_loads(line, 0, NULL);
		char file[256], *bytes;

		snprintf(file, sizeof(file), "../shared/data/feeds/%s",
		    json_string_value(json_object_get(c, "file")));
		bytes = unit_read(file, NULL);
		serves_new(w, bytes);
		world_says(w, "noor", "/help"); /* a silent visitor is forgotten */
		days(w, 3, bytes);
		n = named(w, &pushes);
		assert_true(pushes <= 1);
		total += n;
		if (revisions++)
			expected +=
			    (int)json_array_size(json_object_get(c, "new_guids_never_seen"));
		else
			assert_int_equal(n, 0);
		free(bytes);
		json_decref(c);
	}
	printf("# named to a subscriber: %d of %d new episodes\n", total, expected);
	assert_int_equal(total, expected);
	free(all);
	world_free(w);
}

/* ---- calendars ---- */

#define EVENT(uid, start, rule) \
	"BEGIN:VEVENT\r\nUID:" uid "\r\nDTSTAMP:20261001T000000Z\r\nDTSTART:" start \
	"\r\nDURATION:PT1H\r\n" rule "SUMMARY:" uid "\r\nEND:VEVENT\r\n"
#define ICS(events) \
	"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n" events "END:VCALENDAR\r\n"

static void
events_window_moves_although_the_calendar_is_the_same(void **state)
{
	static const char ics[] = ICS(EVENT("daily", "20261001T150000Z", "RRULE:FREQ=DAILY\r\n")
		EVENT("far", "20280101T150000Z", ""));
	struct world *w = world_new_with(CALENDAR);

	(void)state;
	serves(w, ics, strlen(ics));
	assert_in_range(world_number(w, "SELECT count(*) FROM event"), 398, 404);
	assert_int_equal(world_number(w, "SELECT count(*) FROM event WHERE title = 'far'"), 0);
	days(w, 60, ics);
	assert_int_equal(world_number(w, "SELECT count(*) FROM event WHERE title = 'far'"), 1);
	assert_in_range(
	    world_number(w, "SELECT count(*) FROM event WHERE start > unixepoch('2026-12-18')"),
	    385, 402);
	world_free(w);
}

static void
events_repeated_beyond_reason_stay_within_bounds(void **state)
{
	struct world *w = world_new_with(CALENDAR);
	struct buf ics = {.maximum = 8 << 20};
	int64_t rows;

	(void)state;
	buf_string(&ics, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n");
	for (int i = 0; i < 5000; i++)
		buf_print(&ics,
		    "BEGIN:VEVENT\r\nUID:e%d\r\nDTSTAMP:20261001T000000Z\r\nDTSTART:20261001T%02d%"
		    "02d00Z\r\n"
		    "DURATION:PT1H\r\nRRULE:FREQ=DAILY\r\nSUMMARY:Number %d\r\nEND:VEVENT\r\n",
		    i, i % 24, i % 60, i);
	buf_string(&ics, "END:VCALENDAR\r\n");
	serves(w, ics.bytes, ics.length);
	rows = world_number(w, "SELECT count(*) FROM event");
	printf("# 5,000 daily events: %lld rows\n", (long long)rows);
	assert_in_range(rows, 5000, 20000);
	/* None is missing on the first day. */
	assert_int_equal(world_number(w, "SELECT count(DISTINCT uid) FROM event"), 5000);
	buf_free(&ics);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(podcast_first_fetch_announces_nothing),
    cmocka_unit_test(podcast_archive_that_is_filled_later_is_not_news),
    cmocka_unit_test(podcast_names_all_that_are_new_once_a_day_at_most),
    cmocka_unit_test(podcast_real_series_names_each_once),
    cmocka_unit_test(events_window_moves_although_the_calendar_is_the_same),
    cmocka_unit_test(events_repeated_beyond_reason_stay_within_bounds),
};

UNIT_RUN(tests)
