/* /round for coordinators: counts only, from ten upwards and rounded; and the calendar, which opens
 * rounds by itself. */
#include "round.h"

#include "base/conf.h"
#include "core/people.h"
#include "core/warn.h"

static struct sql last = {
    "SELECT id, took, introduced, opened FROM meeting_round ORDER BY id DESC LIMIT 1"};
static struct sql count_all = {"SELECT count(*) FROM consent c JOIN person p ON p.id = c.person"
			       " WHERE c.what = 'matching' AND p.adult = 1 AND p.joined > 0"};
/* As they were when the last round ended: what changes under somebody's eyes tells who it was. */
static struct sql counted = {
    "SELECT sum(willing), sum(took) FROM round_count WHERE ?1 = 0 OR org IN (SELECT org FROM role"
    " WHERE person = ?1 AND role = 2)"};
static struct sql any_counted = {"SELECT 1 FROM round_count"};
static struct sql run_prune = {"DELETE FROM round_run WHERE ran < ?"};
static struct sql last_opened = {"SELECT max(opened) FROM meeting_round"};
static struct sql *const statements[] = {
    &last, &last_opened, &count_all, &counted, &any_counted, &run_prune, NULL};

enum { DAY = 86400 };

/* ---- coordinators: counts only, from ten upwards, rounded ---- */

static const char *
rounded(struct turn *t, int64_t n)
{
	return n < 10 ? words_flat(t, "round.few", NULL)
		      : arena_print(t->arena, "%lld", (long long)((n + 2) / 5 * 5));
}

static void
counts_of(struct turn *t, int64_t person, int64_t *willing, int64_t *took)
{
	struct rows *q = db_query(t->db, &counted, V(person));

	db_next(q);
	*willing = db_int(q, 0);
	*took = db_int(q, 1);
	db_done(q);
}

static void
last_counts(struct turn *t, struct card *card)
{
	bool coordinates = t->person->access & COORDINATORS;
	int64_t all, own = 0, took;

	if (coordinates) {
		counts_of(t, t->person->id, &own, &took);
		card_line(card, words(t, "round.last_own", "own", rounded(t, took), NULL));
	}
	counts_of(t, PERSON_NOBODY, &all, &took);
	card_line(card, words(t, "round.all", "all", rounded(t, all), NULL));
	if (coordinates)
		card_line(card, words(t, "round.own", "own", rounded(t, own), NULL));
}

static void
last_round(struct turn *t, struct card *card)
{
	struct rows *q = db_query(t->db, &last, NONE);
	int64_t id = 0, took = 0, introduced = 0;

	if (db_next(q)) {
		id = db_int(q, 0);
		took = db_int(q, 1);
		introduced = db_int(q, 2);
	}
	db_done(q);
	if (!id)
		return;
	card_line(card, words(t, "round.last", "took", rounded(t, took), "introduced",
			    rounded(t, introduced), NULL));
	if (db_exists(t->db, &any_counted, NONE))
		last_counts(t, card);
}

/* ---- what falls on its days ---- */

enum { MOMENTS = ROUND_PASSES + 3 };

/* Cards at that moment, and the results of each pass with the cards of the next. */
static size_t
moments(struct turn *t, int64_t at, int64_t passes, struct warn_time *times)
{
	int64_t pass_s = 3600 * conf_number(t->conf, "matching", NULL, "pass_hours");
	size_t n = 0;

	for (; n <= (size_t)passes; n++, at += pass_s) {
		at = after_quiet_hours(t, PERSON_NOBODY, at);
		times[n] = (struct warn_time){at, at};
	}
	return n;
}

/* If it is opened now, and when the calendar will open one by itself. */
static void
hint_before(struct turn *t, struct card *card, int64_t opened)
{
	int64_t next = opened + DAY * conf_number(t->conf, "matching", NULL, "every_days");
	struct warn_time times[MOMENTS] = {{t->now, t->now}};
	size_t n = 1;

	if (opened && next > t->now)
		times[n++] = (struct warn_time){next, next};
	n += moments(t, t->now + 3600 * conf_number(t->conf, "matching", NULL, "ask_hours"),
	    ROUND_PASSES, times + n);
	warn_add(t, card, times, n);
}

static void
hint_during(struct turn *t, struct card *card, const struct round *r)
{
	struct warn_time times[MOMENTS];

	warn_add(t, card, times,
	    moments(t, r->ends > t->now ? r->ends : t->now,
		r->pass < ROUND_PASSES ? ROUND_PASSES - r->pass : 0, times));
}

static void
round_command(struct turn *t)
{
	struct round r;
	struct card *card = words(t, "round.title", NULL);
	int64_t all = db_number(t->db, &count_all, NONE, 0);
	int percent = work_percent(t, "round.plan", "");

	if (round_now(t, &r)) {
		card_line(card,
		    words(t, arena_print(t->arena, "round.state.%d", (int)r.state), "pass",
			arena_print(t->arena, "%lld", (long long)(r.pass ? r.pass : 1)), "percent",
			arena_print(t->arena, "%d", percent < 0 ? 0 : percent), NULL));
		hint_during(t, card, &r);
	} else {
		last_round(t, card);
		if (all < PLAN_MEMBERS)
			card_line(card, words(t, "round.too_few", NULL));
		else {
			hint_before(t, card, db_number(t->db, &last_opened, NONE, 0));
			choose(t, card, "round.open", "round.open", "");
		}
	}
	say(t, card);
}

static void
open_pressed(struct turn *t)
{
	edit(t, words(t, round_begin(t) ? "round.opened" : "round.not_opened", NULL));
}

/* ---- the calendar opens rounds too ---- */

/* A step that should have been taken two days ago and was not is something to look at. */
static void
watch(struct turn *t)
{
	struct round r;
	bool late = round_now(t, &r) && r.at + 2 * DAY < t->now && r.ends + 2 * DAY < t->now;

	if (late)
		alarm_raise(t, "matching.round",
		    arena_print(
			t->arena, "pass %lld, step %d is late", (long long)r.pass, (int)r.state));
	else
		alarm_over(t, "matching.round");
}

static void
calendar(struct turn *t)
{
	struct rows *q = db_query(t->db, &last, NONE);
	int64_t opened = db_next(q) ? db_int(q, 3) : 0;
	int64_t every = DAY * conf_number(t->conf, "matching", NULL, "every_days");

	db_done(q);
	db_run(
	    t->db, &run_prune, V(t->now - DAY * conf_number(t->conf, "retention", NULL, "audit")));
	if (t->now - opened >= every)
		round_begin(t);
	watch(t);
}

static void
status(struct turn *t)
{
	struct round r;
	struct rows *q = db_query(t->db, &last, NONE);
	int64_t opened = db_next(q) ? db_int(q, 3) : 0;
	int64_t every = DAY * conf_number(t->conf, "matching", NULL, "every_days");
	bool on = round_now(t, &r);
	int percent = work_percent(t, "round.plan", "");

	db_done(q);
	status_line(t, "matching.round",
	    on ? arena_print(t->arena, "pass %lld, step %d%s", (long long)r.pass, (int)r.state,
		     percent < 0 ? "" : arena_print(t->arena, ", %d %%", percent))
	       : "none under way",
	    on || !opened || t->now - opened < every + 2 * DAY ||
		db_number(t->db, &count_all, NONE, 0) < PLAN_MEMBERS);
}

static const struct conf_key settings[] = {
    {.section = "matching",
	.key = "ask_hours",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 240,
	.otherwise = "48"},
    {.section = "matching",
	.key = "pass_hours",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 240,
	.otherwise = "48"},
    {0},
};
static const struct command commands[] = {
    {.name = "round", .access = COORDINATORS | ADMINS, .run = round_command},
    {0},
};
static const struct action actions[] = {
    {"round.open", COORDINATORS | ADMINS, open_pressed},
    {0},
};
static const struct job jobs[] = {
    {.name = "round.calendar", .every_s = 3600, .run = calendar},
    {0},
};

const struct feature feature_rounds = {
    .name = "rounds",
    .statements = statements,
    .settings = settings,
    .commands = commands,
    .actions = actions,
    .jobs = jobs,
    .status = status,
};
