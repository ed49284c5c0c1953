/* What happens by the clock: rows with a due moment; a failed job is tried again with a growing
 * pause. */
#include "core.h"

#include <string.h>

#include "base/log.h"

static const char *const job_steps[] = {
    "CREATE TABLE job(name TEXT NOT NULL, key TEXT NOT NULL, due INTEGER NOT NULL,"
    " value TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(name, key))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX job_due ON job(due);",
    NULL,
};
static const struct column job_columns[] = {
    {"job.name", "what is to be done", "until done", NOT_PERSONAL},
    {"job.key", "for which row; a number of ours", "until done", WHEN_DONE},
    {"job.due", "when", "until done", NOT_PERSONAL},
    {"job.value", "with what; numbers of ours", "until done", WHEN_DONE},
    {"job.failures", "how often it failed", "until done", NOT_PERSONAL},
    {0},
};
const struct schema job_schema = {"job", job_steps, job_columns};

static struct sql add = {"INSERT OR REPLACE INTO job(name, key, due, value) VALUES(?, ?, ?, ?)"};
static struct sql start = {"INSERT OR IGNORE INTO job(name, key, due, value) VALUES(?, '', ?, '')"};
/* What a clock that ran ahead and was set right left far away. */
static struct sql nearer = {
    "UPDATE job SET due = ?2 WHERE name = ?1 AND key = '' AND due > ?2 + ?3"};
static struct sql drop = {"DELETE FROM job WHERE name = ? AND key = ?"};
static struct sql first = {"SELECT name, key, due, value, failures FROM job ORDER BY due LIMIT 1"};
static struct sql again = {"UPDATE job SET due = ?, failures = ? WHERE name = ? AND key = ?"};
static struct sql soonest = {"SELECT min(due) FROM job"};
struct sql *const job_statements[] = {&add, &start, &nearer, &drop, &first, &again, &soonest, NULL};

enum { PRUNE_EVERY_S = 3600, JOBS_A_TICK = 200 };

void
job_at(struct turn *t, const char *name, const char *key, int64_t due, const char *value)
{
	db_run(t->db, &add, V(name, key ? key : "", due, value ? value : ""));
	if (due < t->engine->next_job_s) {
		t->engine->next_job_s = due;
		t->engine->o.ports.wake(t->engine->o.ports.ctx, due * 1000);
	}
}

void
job_cancel(struct turn *t, const char *name, const char *key)
{
	db_run(t->db, &drop, V(name, key ? key : ""));
}

static const struct job *
job_named(struct engine *e, const char *name, const struct feature **feature)
{
	for (const struct feature *const *f = e->o.features; *f; f++)
		for (const struct job *j = (*f)->jobs; j && j->name; j++)
			if (!strcmp(j->name, name)) {
				*feature = *f;
				return j;
			}
	return NULL;
}

static void
start_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	db_run(t->db, &start, V("engine.prune", t->now + PRUNE_EVERY_S));
	for (const struct feature *const *f = t->engine->o.features; *f; f++)
		for (const struct job *j = (*f)->jobs; j && j->name; j++)
			if (j->every_s) {
				db_run(t->db, &start, V(j->name, t->now));
				db_run(t->db, &nearer, V(j->name, t->now, j->every_s));
			}
}

bool
engine_is_new(struct engine *e)
{
	return db_number(e->db, &soonest, NONE, 0) == 0;
}

void
job_start(struct engine *e)
{
	engine_turn(e, start_turn, NULL);
	e->next_job_s = 0;
}

bool
job_due(struct engine *e)
{
	return e->started && e->next_job_s <= engine_now_ms(e) / 1000;
}

static void
prune_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	engine_prune(t);
	converse_prune(t);
}

static void
run_turn(struct turn *t, void *ctx)
{
	((const struct job *)ctx)->run(t);
}

static void
run_one(struct engine *e, struct rows *q)
{
	const char *name = db_text(q, 0), *key = db_text(q, 1), *value = db_text(q, 3);
	int64_t failures = db_int(q, 4), every = PRUNE_EVERY_S, pause;
	const struct feature *feature = NULL;
	const struct job *job = job_named(e, name, &feature);
	struct turn t;
	struct ours ours;
	bool prunes = !strcmp(name, "engine.prune"), good;

	db_done(q);
	if (!job && !prunes) {
		db_run(e->db, &drop, V(name, key));
		return;
	}
	if (job)
		every = job->every_s;
	turn_begin(&t, e, &ours);
	/* Out of the way first, so that the job may order itself again. */
	if (every)
		db_run(e->db, &again, V(t.now + every, 0, name, key));
	else
		db_run(e->db, &drop, V(name, key));
	t.feature = feature;
	t.key = key;
	t.value = value;
	good = turn_run(e, &t, prunes ? prune_turn : run_turn, (void *)(uintptr_t)job);
	if (good)
		return;
	pause = 60LL << (failures > 6 ? 6 : failures);
	db_run(e->db, &add, V(name, key, t.now + pause, value));
	db_run(e->db, &again, V(t.now + pause, failures + 1, name, key));
}

void
job_run(struct engine *e)
{
	int64_t now = engine_now_ms(e) / 1000;

	for (int i = 0; e->started && i < JOBS_A_TICK; i++) {
		struct rows *q = db_query(e->db, &first, NONE);

		if (!db_next(q) || db_int(q, 2) > now) {
			db_done(q);
			break;
		}
		run_one(e, q);
	}
	e->next_job_s = db_number(e->db, &soonest, NONE, INT64_MAX);
}
