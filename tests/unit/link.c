/* Two accounts become one person: what protects people comes along, whatever the order of the
 * accounts. */
#include "unit.h"

#include "features/survey.h"

#include "meeting_world.h"

enum { KEPT = 1, LINKED, BLOCKED, MET };

static struct sql avoid = {"INSERT INTO meeting_avoid(person, org) VALUES(?, 'arava')"};
static struct sql survey_open = {
    "INSERT INTO survey(org, content, state, made) VALUES('', '{}', 1, 0)"};
static struct sql answered = {"INSERT INTO survey_answered(survey, token) VALUES(1, ?)"};
static struct sql has_answered = {"SELECT 1 FROM survey_answered WHERE survey = 1 AND token = ?"};
static struct sql until = {
    "SELECT until FROM meeting_past WHERE a = min(?1, ?2) AND b = max(?1, ?2)"};

static const char *marks[8];

static void
live_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	t->person = arena_alloc(t->arena, sizeof(*t->person));
	match_past(t, LINKED, BLOCKED, MATCH_NEVER);
	match_past(t, LINKED, MET, 100);
	match_past(t, KEPT, MET, 200);
	match_past(t, KEPT, LINKED, 300);
	db_run(t->db, &avoid, V(LINKED));
	*t->person = (struct person){.id = LINKED, .org = "arava"};
	safety_report(t, BLOCKED, 0, REPORT_CHAT, "");
	*t->person = (struct person){.id = BLOCKED, .org = "arava"};
	safety_report(t, LINKED, 0, REPORT_CHAT, "");
	t->person = NULL;
	db_run(t->db, &survey_open, NONE);
	db_run(t->db, &answered, V(people_mark(t, LINKED, "survey.1")));
	for (int64_t i = KEPT; i <= MET; i++)
		marks[i] = memory_string(match_mark(t, i));
}

struct two {
	int64_t from, to;
};

static void
merge_turn(struct turn *t, void *ctx)
{
	struct two *two = ctx;

	match_move(t, two->from, two->to);
	safety_move(t, two->from, two->to);
	survey_move(t, two->from, two->to);
	people_merge(t, two->from, two->to);
}

static void
look_turn(struct turn *t, void *ctx)
{
	int64_t to = *(int64_t *)ctx;
	const char *mark = match_mark(t, to);

	assert_string_equal(mark, marks[to]);
	assert_string_equal(people_mark(t, to, "meeting"), marks[to]);
	assert_int_equal(db_number(t->db, &until, V(mark, marks[BLOCKED]), 0), MATCH_NEVER);
	assert_int_equal(db_number(t->db, &until, V(mark, marks[MET]), 0), 200);
	assert_true(db_exists(t->db, &has_answered, V(people_mark(t, to, "survey.1"))));
}

static void
carries_over(int64_t from, int64_t to)
{
	struct world *w = two_networks(MET);
	struct two two = {from, to};

	assert_true(engine_turn(w->engine, live_turn, NULL));
	settle_both(w);
	assert_true(engine_turn(w->engine, merge_turn, &two));
	settle_both(w);
	assert_true(engine_turn(w->engine, look_turn, &to));
	assert_int_equal(number(w, "SELECT count(*) FROM meeting_past"), 2);
	assert_int_equal(number(w, "SELECT count(*) FROM account"), 4);
	assert_int_equal(number(w, "SELECT count(*) FROM person"), 3);
	if (from == LINKED) {
		assert_int_equal(number(w, "SELECT person FROM meeting_avoid"), KEPT);
		assert_int_equal(number(w, "SELECT about FROM report WHERE id = 2"), KEPT);
		assert_int_equal(number(w, "SELECT reporter FROM report WHERE id = 1"), KEPT);
	}
	/* The moved account speaks for the one person. */
	forget_both(w);
	writes(w, from, "/profile", NULL);
	assert_int_equal(number(w, "SELECT count(*) FROM person"), 3);
	for (int i = KEPT; i <= MET; i++)
		free((char *)(uintptr_t)marks[i]);
	forget_both(w);
	world_free(w);
}

static void
link_carries_blocks_avoidances_and_answers(void **state)
{
	(void)state;
	carries_over(LINKED, KEPT);
}

/* The account that moves is the older one: what marks a person stays what it was. */
static void
link_of_an_older_account_changes_no_mark(void **state)
{
	(void)state;
	carries_over(KEPT, LINKED);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(link_carries_blocks_avoidances_and_answers),
    cmocka_unit_test(link_of_an_older_account_changes_no_mark),
};

UNIT_RUN(tests)
