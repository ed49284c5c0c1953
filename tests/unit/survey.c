/* The way of an answer, on the real engine: a sealed draft, a pool, sums; nothing of it leads back
 * to anybody, neither by a join nor by where a row stands. */
#include "unit.h"

#include <math.h>
#include <time.h>

#include "features/survey.h"

#include "world.h"
#include "every_feature.h"

static const struct feature *const *const world_features = features;

static const char form[] =
    "{\"title\":{\"en\":\"t\"},\"minutes\":1,\"questions\":["
    "{\"id\":\"side\",\"kind\":\"single\",\"group\":true,\"text\":{\"en\":\"side?\"},"
    "\"options\":[{\"en\":\"east\"},{\"en\":\"west\"}]},"
    "{\"id\":\"like\",\"kind\":\"single\",\"text\":{\"en\":\"like?\"},"
    "\"options\":[{\"en\":\"tea\"},{\"en\":\"coffee\"},{\"en\":\"neither\"}]},"
    "{\"id\":\"why\",\"kind\":\"text\",\"text\":{\"en\":\"why?\"}}]}";

static const char *
who(int64_t person)
{
	static char names[8][24];
	static int next;
	char *name = names[next++ % 8];

	snprintf(name, sizeof(names[0]), "7134%06lld", (long long)person);
	return name;
}

static void
open_turn(struct turn *t, void *ctx)
{
	int64_t last = *(int64_t *)ctx;

	for (int64_t person = 1; person <= last; person++) {
		people_set_language(t, person, "en");
		people_join(t, person, "arava");
		people_set_adult(t, person, true);
	}
	survey_begin(t, survey_add(t, "", form), t->now + 30 * 86400, 0);
}

/* Persons 1 to `count`, and survey 1 open to them. */
static struct world *
opened(int64_t count)
{
	struct world *w = world_new();

	for (int64_t i = 1; i <= count; i++) {
		w->now_ms += 50;
		world_says(w, who(i), "/help");
		world_forget_sent(w);
	}
	assert_true(engine_turn(w->engine, open_turn, &count));
	world_forget_sent(w);
	return w;
}

static void
says(struct world *w, int64_t person, const char *text)
{
	w->now_ms += 50;
	world_says(w, who(person), text);
	if (w->count > SENT_MOST / 2)
		world_forget_sent(w);
}

/* Three of five are of the east, two of three like tea; what they write names them. */
static const char *
line(int64_t person, int step)
{
	static char text[40];

	snprintf(text, sizeof(text), "canary%05lld%.*s", (long long)person, (int)(person % 20),
	    "abcdefghijklmnopqrst");
	switch (step) {
	case 0:
		return "/survey";
	case 1:
	case 2:
		return "#1";
	case 3:
		return person % 5 < 3 ? "#1" : "#2";
	case 4:
		return person / 5 % 3 ? "#1" : "#2";
	case 5:
		return text;
	default:
		return "#1";
	}
}
enum { LINES = 7 };

static void
everybody_answers(struct world *w, int64_t from, int64_t to)
{
	for (int step = 0; step < LINES; step++)
		for (int64_t i = from; i <= to; i++)
			says(w, i, line(i, step));
}

static void
close_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	survey_close(t, 1);
}

/* ---- the schema ---- */

static void
survey_answers_have_no_way_to_people(void **state)
{
	/* Every column of every table that an answer ever enters, beside its number of a survey or
	 * of a question: a random or hashed key, sealed bytes, sums. */
	static const char *const only[] = {
	    "SELECT count(*) FROM pragma_table_info('survey_pool') WHERE name NOT IN"
	    " ('key', 'survey', 'content')",
	    "SELECT count(*) FROM pragma_table_info('survey_tally') WHERE name NOT IN"
	    " ('survey', 'content')",
	    "SELECT count(*) FROM pragma_table_info('survey_text') WHERE name NOT IN"
	    " ('key', 'survey', 'question', 'content')",
	    "SELECT count(*) FROM pragma_table_info('survey_cell') WHERE name NOT IN"
	    " ('survey', 'question', 'grp', 'cells', 'n')",
	    "SELECT count(*) FROM pragma_table_info('survey_answered') WHERE name NOT IN"
	    " ('survey', 'token')",
	    /* No reference from or to any of them, however long the way. */
	    "SELECT count(*) FROM sqlite_schema s, pragma_foreign_key_list(s.name) f"
	    " WHERE s.type = 'table' AND (s.name LIKE 'survey%' OR f.\"table\" LIKE 'survey%')",
	    /* No trigger or index that could keep what a row does not say; no hidden row numbers.
	     */
	    "SELECT count(*) FROM sqlite_schema WHERE tbl_name LIKE 'survey%' AND (type IN "
	    "('trigger',"
	    " 'view') OR (type = 'index' AND sql IS NOT NULL))",
	    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE 'survey\\_%' "
	    "ESCAPE"
	    " '\\' AND sql NOT LIKE '%WITHOUT ROWID'",
	};
	struct world *w = opened(1);

	(void)state;
	for (size_t i = 0; i < sizeof(only) / sizeof(*only); i++)
		if (world_number(w, only[i]) != 0)
			fail_msg("%s", only[i]);
	world_free(w);
}

/* ---- the way of one answer ---- */

static bool
on_disk(struct world *w, const char *what)
{
	char path[200];
	bool found = false;

	for (int i = 0; i < 2; i++) {
		size_t length = 0;
		char *bytes;

		snprintf(path, sizeof(path), "%s%s", w->path, i ? "-wal" : "");
		bytes = unit_read(path, &length);
		found = found || (bytes && memmem(bytes, length, what, strlen(what)));
		free(bytes);
	}
	return found;
}

static void
survey_answers_wait_sealed_and_enter_by_five(void **state)
{
	struct world *w = opened(30);
	int64_t pool, entered = 0;

	(void)state;
	for (int64_t i = 1; i <= 30; i++) {
		for (int step = 0; step < LINES; step++) {
			says(w, i, line(i, step));
			assert_int_equal(world_number(w, "SELECT count(*) FROM draft"),
			    step >= 2 && step < LINES - 1);
		}
		pool = world_number(w, "SELECT count(*) FROM survey_pool");
		if (i < 10)
			assert_int_equal(pool, i);
		else
			assert_true(pool >= 5 && pool < 10);
		/* Whatever enters, enters by five. */
		assert_int_equal((i - pool) % 5, 0);
		assert_true(i - pool >= entered);
		entered = i - pool;
		assert_int_equal(world_number(w, "SELECT count(*) FROM survey_text"), entered);
	}
	assert_int_equal(world_number(w, "SELECT count(*) FROM survey_answered"), 30);
	assert_int_equal(
	    world_number(w, "SELECT count(DISTINCT length(content)) FROM survey_pool"), 1);
	for (int64_t i = 1; i <= 30; i++)
		assert_false(on_disk(w, line(i, 5)));
	/* Once only: neither by the list nor by an old button. */
	pool = world_number(w, "SELECT count(*) FROM survey_pool");
	everybody_answers(w, 1, 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM survey_pool"), pool);
	assert_int_equal(world_number(w, "SELECT count(*) FROM draft"), 0);
	world_free(w);
}

static void
survey_too_few_answers_tell_nothing(void **state)
{
	struct world *w = opened(4);

	(void)state;
	everybody_answers(w, 1, 4);
	assert_int_equal(world_number(w, "SELECT count(*) FROM survey_pool"), 4);
	assert_true(engine_turn(w->engine, close_turn, NULL));
	assert_int_equal(
	    world_number(w, "SELECT (SELECT count(*) FROM survey_cell) + (SELECT count(*)"
			    " FROM survey_text) + (SELECT count(*) FROM survey_pool)"),
	    0);
	world_free(w);
}

static void
survey_publishes_once_and_keeps_nothing_else(void **state)
{
	struct world *w = opened(60);
	int64_t before;

	(void)state;
	everybody_answers(w, 1, 50);
	says(w, 51, "/survey");
	says(w, 51, "#1");
	says(w, 51, "#1");
	world_pass(w, 31 * 86400); /* closes by its clock, somebody in the middle */
	before = world_number(w, "SELECT sum(n) FROM survey_cell");
	assert_int_equal(
	    world_number(w, "SELECT n FROM survey_cell WHERE question = -1 AND grp = 0"), 50);
	assert_int_equal(world_number(w, "SELECT min(n) >= 5 FROM survey_cell"), 1);
	assert_int_equal(world_number(w, "SELECT count(*) > 0 FROM survey_cell WHERE grp > 0"), 1);
	assert_int_equal(
	    world_number(w, "SELECT (SELECT count(*) FROM survey_pool) + (SELECT count(*)"
			    " FROM survey_tally) + (SELECT count(*) FROM survey_answered)"
			    " + (SELECT count(*) FROM draft)"),
	    0);
	for (int step = 3; step < LINES; step++)
		says(w, 51, line(51, step));
	assert_int_equal(world_number(w, "SELECT count(*) FROM draft"), 0);
	everybody_answers(w, 52, 60);
	assert_int_equal(world_number(w, "SELECT count(*) FROM survey_pool"), 0);
	assert_true(engine_turn(w->engine, close_turn, NULL));
	assert_int_equal(world_number(w, "SELECT sum(n) FROM survey_cell"), before);
	world_free(w);
}

/* Three of forty gave an answer: no number that is told is theirs. */
static void
survey_answer_of_three_people_is_not_told(void **state)
{
	struct world *w = opened(40);

	(void)state;
	for (int step = 0; step < LINES; step++)
		for (int64_t i = 1; i <= 40; i++)
			says(w, i, step != 4 ? line(i, step) : i <= 3 ? "#2" : "#1");
	assert_true(engine_turn(w->engine, close_turn, NULL));
	assert_int_equal(world_number(w, "SELECT max(n) FROM survey_cell"), 40);
	assert_int_equal(world_number(w, "SELECT min(n) >= 5 FROM survey_cell"), 1);
	world_free(w);
}

static void
minor_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_set_adult(t, 1, false);
}

static void
survey_asks_no_free_text_under_18(void **state)
{
	struct world *w = opened(1);

	(void)state;
	assert_true(engine_turn(w->engine, minor_turn, NULL));
	for (int step = 0; step < 5; step++)
		says(w, 1, line(1, step));
	assert_null(strstr(world_last(w, who(1))->text, "why?"));
	assert_non_null(strstr(world_last(w, who(1))->text, "last question"));
	world_free(w);
}

/* Back, skip, another command in between, a restart days later: it goes on where it was. */
static void
survey_goes_on_after_days(void **state)
{
	struct world *w = opened(1);

	(void)state;
	for (int step = 0; step < 4; step++)
		says(w, 1, line(1, step));
	assert_non_null(strstr(world_last(w, who(1))->text, "like?"));
	says(w, 1, "/podcast");
	world_restart(w);
	world_pass(w, 5 * 86400);
	for (int step = 0; step < 3; step++)
		says(w, 1, line(1, step));
	assert_non_null(strstr(world_last(w, who(1))->text, "like?"));
	says(w, 1, "#5"); /* back */
	assert_non_null(strstr(world_last(w, who(1))->text, "side?"));
	says(w, 1, "#3"); /* skip */
	assert_non_null(strstr(world_last(w, who(1))->text, "like?"));
	world_free(w);
}

/* ---- order ---- */

enum { MANY = 300 };

struct placed {
	double place[MANY + 1]; /* of person i */
	int64_t n;
};

static void
place_turn(struct turn *t, void *ctx)
{
	static struct sql rows = {"SELECT content FROM survey_text"};
	struct placed *p = ctx;
	struct rows *q = db_query(t->db, &rows, NONE);

	while (db_next(q)) {
		struct blob plain = seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, 1,
		    "survey_text.content", db_blob(q, 0));
		char *text = arena_copy(t->arena, plain.bytes, plain.length);

		p->place[strtol(text + strlen("canary"), NULL, 10)] = (double)p->n++;
	}
}

/* Of the order of answering and the place: 0 none, 1 the same order. */
static double
correlation(const struct placed *p)
{
	double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0, n = (double)p->n;

	for (int64_t i = 1; i <= MANY; i++) {
		if (p->place[i] < 0)
			continue;
		sx += (double)i;
		sy += p->place[i];
		sxx += (double)(i * i);
		syy += p->place[i] * p->place[i];
		sxy += (double)i * p->place[i];
	}
	return (n * sxy - sx * sy) / sqrt((n * sxx - sx * sx) * (n * syy - sy * sy));
}

static void
survey_rows_and_pages_do_not_follow_the_order(void **state)
{
	static struct placed rows, file;
	struct world *w = opened(MANY);
	sqlite3 *db;
	sqlite3_stmt *s;
	size_t length;
	char *bytes;
	int pools = 0;

	(void)state;
	memset(&rows, 0, sizeof(rows));
	for (int64_t i = 0; i <= MANY; i++)
		rows.place[i] = -1;
	everybody_answers(w, 1, MANY);
	assert_true(engine_turn(w->engine, place_turn, &rows));
	file = rows;
	world_end(w);
	/* Where in the file each row lies: by its key, from the first page to the last. */
	bytes = unit_read(w->path, &length);
	assert_int_equal(sqlite3_open_v2(w->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_prepare_v2(db, "SELECT key FROM survey_text", -1, &s, NULL);
	for (int64_t row = 0; sqlite3_step(s) == SQLITE_ROW; row++) {
		char *at = memmem(bytes, length, sqlite3_column_blob(s, 0), 16);

		assert_non_null(at);
		for (int64_t i = 1; i <= MANY; i++)
			if (rows.place[i] == (double)row)
				file.place[i] = (double)(at - bytes);
	}
	sqlite3_finalize(s);
	sqlite3_prepare_v2(db, "SELECT count(*) FROM survey_pool", -1, &s, NULL);
	sqlite3_step(s);
	pools = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	free(bytes);
	printf("# %lld texts: correlation with the order of answering %.3f by row, %.3f by place "
	       "in the"
	       " file; %d wait\n",
	    (long long)rows.n, correlation(&rows), correlation(&file), pools);
	assert_true(rows.n >= MANY - 10);
	/* Four times the standard error of no correlation at all. */
	assert_true(fabs(correlation(&rows)) < 4 / sqrt((double)rows.n));
	assert_true(fabs(correlation(&file)) < 4 / sqrt((double)rows.n));
	world_begin(w, NULL);
	world_free(w);
}

/* A key that lay in the pool once is nowhere in the file when its answer has entered. */
static void
survey_what_entered_is_wiped_from_the_pool(void **state)
{
	struct world *w = opened(10);
	static unsigned char keys[10][16];
	sqlite3 *db;
	sqlite3_stmt *s;
	size_t length;
	char *bytes;
	int n = 0;

	(void)state;
	everybody_answers(w, 1, 9);
	assert_int_equal(sqlite3_open_v2(w->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_prepare_v2(db, "SELECT key FROM survey_pool", -1, &s, NULL);
	for (; sqlite3_step(s) == SQLITE_ROW; n++)
		memcpy(keys[n], sqlite3_column_blob(s, 0), 16);
	sqlite3_finalize(s);
	sqlite3_close(db);
	assert_int_equal(n, 9);
	everybody_answers(w, 10, 10);
	assert_true(engine_turn(w->engine, close_turn, NULL));
	world_end(w);
	bytes = unit_read(w->path, &length);
	for (int i = 0; i < n; i++)
		assert_null(memmem(bytes, length, keys[i], 16));
	free(bytes);
	world_begin(w, NULL);
	world_free(w);
}

/* ---- many at once ---- */

static void
survey_two_thousand_answer_at_once(void **state)
{
	struct timespec from, to;
	struct world *w = opened(2000);
	double seconds;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &from);
	everybody_answers(w, 1, 2000);
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	assert_int_equal(world_number(w, "SELECT count(*) FROM survey_answered"), 2000);
	assert_true(engine_turn(w->engine, close_turn, NULL));
	printf(
	    "# 2000 people, %d messages in %.1f s (under the sanitizers)\n", 2000 * LINES, seconds);
	assert_int_equal(
	    world_number(w, "SELECT n FROM survey_cell WHERE question = -1 AND grp = 0"), 2000);
	assert_int_equal(
	    world_number(w, "SELECT n FROM survey_cell WHERE question = 0 AND grp = 0 AND"
			    " cells & 2 > 0"),
	    1200);
	assert_int_equal(
	    world_number(
		w, "SELECT n FROM survey_cell WHERE question = 1 AND grp = 0 AND cells = 2"),
	    1331);
	assert_int_equal(world_number(w, "SELECT count(*) FROM survey_text"), 2000);
	world_free(w);
}

/* ---- what is handed out ---- */

static void
admin_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_grant(t, 1, ADMINS, "");
}

/* The table holds the sums that the message shows, in its order, and nothing else. */
static void
survey_table_tells_the_same_sums(void **state)
{
	struct world *w = opened(60);
	char *file, *line, *at, got[2000] = "", want[2000] = "";

	(void)state;
	everybody_answers(w, 1, 60);
	assert_true(engine_turn(w->engine, close_turn, NULL));
	assert_true(engine_turn(w->engine, admin_turn, NULL));
	world_settle(w);
	says(w, 1, "/survey");
	says(w, 1, "#2");
	w->fate.fate = (enum fate)HOLD;
	says(w, 1, "As a table (CSV)");
	file = at = world_file(w, "survey.csv", NULL);
	assert_non_null(file);
	line = strsep(&at, "\n");
	assert_string_equal(line, "\xef\xbb\xbfquestion,group,answer,people\r");
	while ((line = strsep(&at, "\n")) && *line)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%ld ",
		    strtol(strrchr(line, ',') + 1, NULL, 10));
	for (int i = 0;; i++) {
		char sql[200];
		int64_t n;

		snprintf(sql, sizeof(sql),
		    "SELECT n FROM survey_cell WHERE survey = 1 ORDER BY"
		    " grp > 0, question, grp, cells LIMIT 1 OFFSET %d",
		    i);
		n = world_number(w, sql);
		if (n < 0)
			break;
		assert_true(n >= CELLS_LEAST);
		snprintf(want + strlen(want), sizeof(want) - strlen(want), "%lld ", (long long)n);
	}
	printf("# %s\n", got);
	assert_string_equal(got, want);
	assert_null(strstr(file, "canary"));
	free(file);
	world_free(w);
}

/* ---- while somebody answers ---- */

static void
push_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	tell(t, 1, CLASS_ANNOUNCEMENT, 0, words(t, "engine.unknown", NULL));
	tell(t, 1, CLASS_REMINDER, 0, words(t, "engine.unknown", NULL));
	tell(t, 2, CLASS_ANNOUNCEMENT, 0, words(t, "engine.unknown", NULL));
}

static void
survey_is_not_interrupted_by_pushes(void **state)
{
	struct world *w = opened(2);

	(void)state;
	for (int step = 0; step < 3; step++)
		says(w, 1, line(1, step));
	world_forget_sent(w);
	assert_true(engine_turn(w->engine, push_turn, NULL));
	world_pass(w, 300);
	assert_int_equal(world_count(w, who(1), OP_SEND), 0);
	assert_int_equal(world_count(w, who(2), OP_SEND), 1);
	/* It waited for them, and comes. */
	world_pass(w, 1200);
	assert_int_equal(world_count(w, who(1), OP_SEND), 2);
	world_free(w);
}

/* ---- a file, as networks bring it: its bytes come later, in a turn of nobody's ---- */

static void
coordinator_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_grant(t, 1, COORDINATORS, "arava");
	people_set_language(t, 1, "ar");
}

static int64_t
sends_file(struct world *w, int64_t bytes)
{
	says(w, 1, "/survey");
	says(w, 1, "من ملف");
	world_event(w, (struct event){.kind = EVENT_MESSAGE,
			   .who = who(1),
			   .media = {.kind = MEDIA_FILE, .handle = "h1", .bytes = bytes}});
	world_settle(w);
	for (int i = w->count - 1; i >= 0; i--)
		if (w->sent[i].op == OP_FETCH)
			return w->sent[i].id;
	return 0;
}

static void
file_comes(struct world *w, int64_t fetch, const char *bytes)
{
	world_event(w, (struct event){.kind = EVENT_FETCHED,
			   .who = who(1),
			   .media = {.handle = "h1",
			       .bytes = bytes ? (int64_t)strlen(bytes) : -1,
			       .content = bytes,
			       .failed = !bytes,
			       .asked_by = fetch}});
	world_settle(w);
}

static void
survey_comes_as_a_file(void **state)
{
	struct world *w = opened(1);
	int64_t fetch;

	(void)state;
	assert_true(engine_turn(w->engine, coordinator_turn, NULL));
	fetch = sends_file(w, sizeof(form) - 1);
	assert_true(fetch > 0);
	file_comes(w, fetch, form);
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM survey WHERE org = 'arava' AND state = 0"), 1);
	assert_non_null(strstr(world_last(w, who(1))->text, "coffee"));
	assert_true(world_last(w, who(1))->choices >= 3);
	/* What cannot be read, or cannot be had, is said; what is too big is not fetched. */
	file_comes(w, fetch, "{\"title\": 1}");
	file_comes(w, fetch, NULL);
	assert_true(world_is(w, world_last(w, who(1)), "ar", "surveys.no_file"));
	assert_int_equal(world_number(w, "SELECT count(*) FROM survey"), 2);
	world_forget_sent(w);
	assert_int_equal(sends_file(w, 1 << 20), 0);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(survey_answers_have_no_way_to_people),
    cmocka_unit_test(survey_answers_wait_sealed_and_enter_by_five),
    cmocka_unit_test(survey_too_few_answers_tell_nothing),
    cmocka_unit_test(survey_publishes_once_and_keeps_nothing_else),
    cmocka_unit_test(survey_answer_of_three_people_is_not_told),
    cmocka_unit_test(survey_asks_no_free_text_under_18),
    cmocka_unit_test(survey_goes_on_after_days),
    cmocka_unit_test(survey_rows_and_pages_do_not_follow_the_order),
    cmocka_unit_test(survey_what_entered_is_wiped_from_the_pool),
    cmocka_unit_test(survey_table_tells_the_same_sums),
    cmocka_unit_test(survey_is_not_interrupted_by_pushes),
    cmocka_unit_test(survey_comes_as_a_file),
    cmocka_unit_test(survey_two_thousand_answer_at_once),
};

UNIT_RUN(tests)
