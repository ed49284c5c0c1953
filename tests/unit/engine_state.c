/* What is kept: erased people leave no trace, a transport's rows come back, an unknown commit ends
 * everything; and pages that are polled. */
#include "unit.h"

#include "core/join.h"
#include "core/turn.h"
#include "store/seal.h"

#include "../sim/crash_locks.c"
#include "../sim/crash_vfs.c"
#include "world.h"

static char page_seen[200], page_from[200];
static int pages_seen;
static bool page_is_broken;

static void
page_came(struct turn *t, const struct page *page)
{
	pages_seen++;
	snprintf(page_seen, sizeof(page_seen), "%.*s", (int)page->length, page->bytes);
	snprintf(page_from, sizeof(page_from), "%s", page->url ? page->url : "");
	if (page_is_broken)
		page_broken(t, page, "expected something else");
	if (!strncmp(page->bytes, "fail", 4))
		turn_fail(t, "the probe wanted it");
}

static void
ask(struct turn *t)
{
	struct card *card = card_new(t->arena);

	card_text(card, "your secret?", 0);
	say(t, card);
}

static enum next
keep(struct turn *t)
{
	flow_set(t, "secret", t->text);
	return NEXT;
}

static const struct step steps[] = {
    {.name = "one", .ask = ask, .answer = keep},
    {.name = "two", .ask = ask, .answer = keep},
    {0},
};
static const struct flow flow = {.name = "probe.flow", .steps = steps};
static const struct flow *const flows[] = {&flow, NULL};

static void
begin(struct turn *t)
{
	flow_begin(t, &flow);
}

static void
echo(struct turn *t)
{
	struct card *card = card_new(t->arena);

	card_name(card, t->rest);
	say(t, card);
}

static void
fails(struct turn *t)
{
	turn_fail(t, "the probe wanted it");
}

static const struct command commands[] = {
    {.name = "probeflow", .run = begin, .hidden = true},
    {.name = "probeecho", .run = echo, .hidden = true},
    {.name = "probefail", .run = fails, .hidden = true},
    {0},
};
static const struct page_kind kinds[] = {{"probe", page_came}, {0}};
static const struct feature feature_probe = {
    .name = "probe", .commands = commands, .flows = flows, .pages = kinds};

#define MORE_FEATURES &feature_probe
#include "every_feature.h"
static const struct feature *const *const world_features = features;

/* ---- erasure ---- */

#define CANARY "canary-7134-zzyzx"

/* How often the bytes stand in the files of the state. */
static int
traces(struct world *w, const char *what)
{
	DIR *d = opendir(w->folder);
	int n = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		char path[400], *bytes, *at;
		size_t length;

		snprintf(path, sizeof(path), "%s/%s", w->folder, e->d_name);
		bytes = e->d_name[0] == '.' ? NULL : unit_read(path, &length);
		for (at = bytes;
		     at && (at = memmem(at, length - (size_t)(at - bytes), what, strlen(what)));
		     at++)
			n++;
		free(bytes);
	}
	closedir(d);
	return n;
}

static void
forget(struct turn *t, void *ctx)
{
	assert_true(people_erase_address(t, "recorder", ctx));
}

/* Everything a person can leave: an address, an open question's answer, messages that wait, were
 * sent, are under way or failed, a pseudonym. */
static void
leave_traces(struct world *w)
{
	world_says(w, CANARY, "/help");
	world_says(w, CANARY, "/probeecho " CANARY " was here");
	world_says(w, CANARY, "/probeflow");
	world_says(w, CANARY, CANARY " said this");
	world_says(w, CANARY, "/probefail " CANARY);
	w->fate = (struct outcome){.fate = FATE_LATER, .after_ms = 3600000};
	world_says(w, CANARY, "/probeecho waits " CANARY);
	w->fate.fate = (enum fate)HOLD;
	world_says(w, CANARY, "/probeecho flies " CANARY);
}

/* After what is still to be said and deleted in their chat had its time. */
static void
engine_a_network_that_remembers_is_told_to_forget(void **state)
{
	struct world *w = world_new();

	(void)state;
	w->transport.remembers = true;
	world_says(w, "noor", "/help");
	assert_true(engine_turn(w->engine, forget, "noor"));
	world_pass(w, 500);
	assert_int_equal(world_count(w, "noor", OP_LEAVE), 0);
	world_pass(w, 200);
	assert_int_equal(world_count(w, "noor", OP_LEAVE), 1);
	assert_string_equal(w->sent[w->count - 1].who, "noor");
	world_free(w);
}

static void
engine_nothing_personal_lies_open_in_the_files(void **state)
{
	struct world *w = world_new();

	(void)state;
	leave_traces(w);
	assert_int_equal(traces(w, CANARY), 0);
	world_free(w);
}

/* The last digits of a sealed address, read before the erasure, are looked for afterwards. */
static int
column_bytes(struct world *w, const char *sql, char *out, size_t room)
{
	sqlite3 *reader;
	sqlite3_stmt *s;
	int n = 0;

	assert_int_equal(sqlite3_open_v2(w->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(reader, sql, -1, &s, NULL), SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW) {
		n = sqlite3_column_bytes(s, 0);
		n = n < (int)room ? n : (int)room;
		memcpy(out, sqlite3_column_blob(s, 0), (size_t)n);
	}
	sqlite3_finalize(s);
	sqlite3_close(reader);
	return n;
}

static int
traces_of(struct world *w, const char *bytes, int length)
{
	int n = 0;

	for (int i = 0; i < 2; i++) {
		char path[200], *all, *at;
		size_t size;

		snprintf(path, sizeof(path), "%s%s", w->path, i ? "-wal" : "");
		all = unit_read(path, &size);
		for (at = all;
		     at && (at = memmem(at, size - (size_t)(at - all), bytes, (size_t)length));
		     at++)
			n++;
		free(all);
	}
	return n;
}

static void
engine_erased_people_leave_no_trace_in_the_files(void **state)
{
	static const char *const sealed[] = {"SELECT slot FROM person WHERE id = 2",
	    "SELECT address FROM account WHERE person = 2",
	    "SELECT hash FROM account WHERE person = 2",
	    "SELECT data FROM conversation WHERE person = 2",
	    "SELECT body FROM delivery WHERE person = 2 AND body IS NOT NULL"};
	struct world *w = world_new();
	char bytes[5][400];
	int lengths[5];

	(void)state;
	world_says(w, "somebody else", "/help");
	leave_traces(w);
	for (int i = 0; i < 5; i++) {
		lengths[i] = column_bytes(w, sealed[i], bytes[i], sizeof(bytes[i]));
		assert_in_range(lengths[i], 16, 400);
		assert_true(traces_of(w, bytes[i], lengths[i]) > 0);
	}
	assert_true(engine_turn(w->engine, forget, (void *)(uintptr_t)CANARY));
	assert_int_equal(world_number(w, "SELECT count(*) FROM person"), 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM account"), 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM conversation"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM choice_set WHERE account = 2"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE account = 2"), 0);
	/* What was under way comes back to nobody, and what waited is never sent. */
	world_land(w, (struct outcome){.fate = FATE_SENT});
	w->fate = (struct outcome){.fate = FATE_SENT};
	world_forget_sent(w);
	world_pass(w, 2 * 3600);
	assert_int_equal(w->count, 0);
	assert_true(db_checkpoint(w->db));
	for (int i = 0; i < 5; i++) {
		/* The keyed hash stays, in the list of erasures: a restore must erase again. */
		int n = traces_of(w, bytes[i], lengths[i]);

		if (n != (i == 2))
			printf("# %s: %d traces\n", sealed[i], n);
		assert_int_equal(n, i == 2);
	}
	assert_int_equal(traces(w, CANARY), 0);
	/* And whoever comes again is new. */
	world_says(w, CANARY, "/profile");
	assert_int_equal(world_number(w, "SELECT max(id) FROM person"), 3);
	world_free(w);
}

static void
engine_poisoned_updates_are_forgotten_with_their_retention(void **state)
{
	struct world *w = world_new();

	(void)state;
	leave_traces(w);
	w->fate = (struct outcome){.fate = FATE_SENT};
	world_pass(w, 8 * 86400);
	assert_int_equal(world_number(w, "SELECT count(*) FROM poisoned"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM inbox"), 0);
	world_free(w);
}

/* ---- a transport's own memory ---- */

static void
engine_state_rows_come_back_at_open_and_are_sealed(void **state)
{
	struct world *w = world_new();
	struct state_row rows[] = {
	    {"olm", "a pickle " CANARY, 9 + sizeof(CANARY) - 1}, {"x", "y", 1}};
	struct state_row none = {"x", NULL, 0};
	struct batch batch = {.cursor = "s72_1", .state = rows, .state_count = 2};

	(void)state;
	assert_true(w->up.came(w->up.engine, &w->transport, &batch));
	assert_true(w->up.keep(w->up.engine, &w->transport, &none, 1));
	assert_int_equal(traces(w, CANARY), 0);
	world_crash(w);
	assert_string_equal(w->cursor, "s72_1");
	assert_int_equal(w->state_rows, 1);
	assert_string_equal(w->state_key, "olm");
	assert_string_equal(w->state_bytes, "a pickle " CANARY);
	rows[0] = (struct state_row){"olm", "another", 7};
	assert_true(w->up.keep(w->up.engine, &w->transport, rows, 1));
	world_crash(w);
	assert_string_equal(w->state_bytes, "another");
	world_free(w);
}

/* ---- the bot's own name ---- */

static void
link_of(struct turn *t, void *ctx)
{
	const char *link = join_link(t, "recorder", "CODE");

	snprintf(ctx, 100, "%s", link ? link : "unknown");
}

static void
engine_name_of_the_bot_is_kept_for_links(void **state)
{
	struct world *w = world_new();
	char link[100];

	(void)state;
	assert_true(engine_turn(w->engine, link_of, link));
	assert_string_equal(link, "unknown");
	snprintf(w->transport.link_start, sizeof(w->transport.link_start), "https://t.me/x?start=");
	w->up.health(w->up.engine, &w->transport, HEALTH_GOOD, "");
	world_crash(w); /* and the network is not reached again */
	assert_string_equal(w->transport.link_start, "");
	assert_true(engine_turn(w->engine, link_of, link));
	assert_string_equal(link, "https://t.me/x?start=j_CODE");
	world_free(w);
}

/* ---- an unknown commit ---- */

static void
engine_unknown_commit_stops_everything(void **state)
{
	struct world *w = world_new();
	char folder[64], path[96];
	int sent;

	(void)state;
	world_end(w);
	crash_vfs_register();
	crash_vfs_new(7);
	memcpy(folder, w->folder, sizeof(folder));
	memcpy(path, w->path, sizeof(path));
	snprintf(w->path, sizeof(w->path), "alumhub.db");
	world_begin(w, "crash");
	world_says(w, "noor", "/help");
	sent = w->count;
	assert_int_equal(sent, 1);
	assert_string_equal(w->broken, "");
	crash_vfs_fail_after(1, true);
	/* The answer to something that may not be durable is never sent. */
	assert_false(
	    world_event(w, (struct event){.kind = EVENT_MESSAGE, .who = "noor", .text = "/help"}));
	assert_string_not_equal(w->broken, "");
	engine_tick(w->engine);
	world_pass(w, 60);
	assert_int_equal(w->count, sent);
	crash_vfs_fail_after(0, false);
	world_pass(w, 3600);
	assert_int_equal(w->count, sent);
	world_end(w);
	memcpy(w->folder, folder, sizeof(folder));
	memcpy(w->path, path, sizeof(path));
	world_free(w);
}

/* ---- pages ---- */

static void
want(struct turn *t, void *ctx)
{
	page_want(t, "probe", "a", ctx, 600);
}

static struct world *
one_page(void)
{
	struct world *w = world_new();

	pages_seen = 0;
	page_is_broken = false;
	assert_true(engine_turn(w->engine, want, (void *)(uintptr_t) "https://example.org/feed"));
	world_settle(w);
	assert_int_equal(w->fetches, 1);
	return w;
}

static void
comes(struct world *w, enum fetched how, const char *body, const char *etag, const char *moved)
{
	engine_fetched(w->engine, w->fetch.ticket, how, body, strlen(body), "text/plain", etag,
	    etag ? "Mon, 19 Oct 2026 12:00:00 GMT" : NULL, moved, "nobody answered");
	world_settle(w);
}

static void
engine_page_is_asked_for_conditionally(void **state)
{
	struct world *w = one_page();

	(void)state;
	assert_string_equal(w->fetch_url, "https://example.org/feed");
	assert_string_equal(w->fetch_etag, "");
	comes(w, FETCHED_NEW, "one", "\"e1\"", NULL);
	assert_int_equal(pages_seen, 1);
	assert_string_equal(page_seen, "one");
	world_pass(w, 599);
	assert_int_equal(w->fetches, 1);
	world_pass(w, 1);
	assert_int_equal(w->fetches, 2);
	assert_string_equal(w->fetch_etag, "\"e1\"");
	assert_string_equal(w->fetch_modified, "Mon, 19 Oct 2026 12:00:00 GMT");
	comes(w, FETCHED_SAME, "", NULL, NULL);
	world_crash(w);
	world_pass(w, 600);
	assert_int_equal(w->fetches, 3);
	assert_string_equal(w->fetch_etag, "\"e1\"");
	/* The same bytes from a server that knows no 304. */
	comes(w, FETCHED_NEW, "one", NULL, NULL);
	assert_int_equal(pages_seen, 1);
	world_pass(w, 600);
	comes(w, FETCHED_NEW, "two", NULL, NULL);
	assert_int_equal(pages_seen, 2);
	world_free(w);
}

static void
engine_page_failure_is_tried_again_and_costs_only_itself(void **state)
{
	struct world *w = one_page();
	char *status;

	(void)state;
	comes(w, FETCHED_NEW, "one", "\"e1\"", NULL);
	world_pass(w, 600);
	comes(w, FETCHED_FAILED, "", NULL, NULL);
	assert_int_equal(pages_seen, 1);
	world_pass(w, 899);
	assert_int_equal(w->fetches, 2);
	world_pass(w, 1);
	assert_int_equal(w->fetches, 3);
	/* After a failure nothing is believed: the whole page is asked for. */
	assert_string_equal(w->fetch_etag, "");
	comes(w, FETCHED_NEW, "fail in the turn", NULL, NULL);
	assert_int_equal(pages_seen, 2);
	world_pass(w, 900);
	page_is_broken = true;
	comes(w, FETCHED_NEW, "not understood", "\"e2\"", NULL);
	status = engine_status(w->engine, false);
	assert_non_null(strstr(status, "failures 3"));
	assert_non_null(strstr(status, "expected something else"));
	free(status);
	world_pass(w, 900);
	assert_string_equal(w->fetch_etag, "");
	page_is_broken = false;
	comes(w, FETCHED_NEW, "not understood", "\"e2\"", NULL);
	assert_int_equal(pages_seen, 4);
	assert_int_equal(world_number(w, "SELECT failures FROM page WHERE name = 'probe'"), 0);
	world_free(w);
}

static void
engine_page_that_never_answers_is_asked_for_again(void **state)
{
	struct world *w = one_page();
	int64_t lost = w->fetch.ticket;

	(void)state;
	world_crash(w);
	world_pass(w, 601);
	assert_int_equal(w->fetches, 2);
	engine_fetched(w->engine, lost + 1000, FETCHED_NEW, "x", 1, NULL, NULL, NULL, NULL, NULL);
	assert_int_equal(pages_seen, 0);
	world_free(w);
}

static void
engine_page_that_moved_for_good_is_asked_for_there(void **state)
{
	struct world *w = one_page();

	(void)state;
	comes(w, FETCHED_NEW, "one", "\"e1\"", "https://new.example.org/feed");
	assert_string_equal(page_from, "https://new.example.org/feed");
	world_crash(w);
	world_pass(w, 600);
	assert_string_equal(w->fetch_url, "https://new.example.org/feed");
	/* It moves on, with nothing new to say. */
	comes(w, FETCHED_SAME, "", NULL, "https://third.example.org/feed");
	world_pass(w, 600);
	assert_string_equal(w->fetch_url, "https://third.example.org/feed");
	/* The new place fails: back to what ops wrote. */
	comes(w, FETCHED_FAILED, "", NULL, NULL);
	world_pass(w, 900);
	assert_string_equal(w->fetch_url, "https://example.org/feed");
	/* Ops write another address: what was learnt of the old one is forgotten. */
	comes(w, FETCHED_NEW, "one", "\"e1\"", "https://new.example.org/feed");
	assert_true(engine_turn(w->engine, want, (void *)(uintptr_t) "https://ops.example.org/"));
	world_pass(w, 1);
	assert_string_equal(w->fetch_url, "https://ops.example.org/");
	assert_string_equal(w->fetch_etag, "");
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(engine_nothing_personal_lies_open_in_the_files),
    cmocka_unit_test(engine_erased_people_leave_no_trace_in_the_files),
    cmocka_unit_test(engine_a_network_that_remembers_is_told_to_forget),
    cmocka_unit_test(engine_poisoned_updates_are_forgotten_with_their_retention),
    cmocka_unit_test(engine_state_rows_come_back_at_open_and_are_sealed),
    cmocka_unit_test(engine_name_of_the_bot_is_kept_for_links),
    cmocka_unit_test(engine_unknown_commit_stops_everything),
    cmocka_unit_test(engine_page_is_asked_for_conditionally),
    cmocka_unit_test(engine_page_failure_is_tried_again_and_costs_only_itself),
    cmocka_unit_test(engine_page_that_never_answers_is_asked_for_again),
    cmocka_unit_test(engine_page_that_moved_for_good_is_asked_for_there),
};

UNIT_RUN(tests)
