/* Long work on a thread: its own read connection and arena; the result comes back as a turn. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct running {
	struct running *next;
	struct engine *engine;
	const struct work *work;
	const struct feature *feature;
	char *key;
	struct blob input, result;
	struct db *db;
	struct arena *arena;
	const struct seal *seal;
	volatile bool stop;
	volatile int percent;
	int64_t began_ms;
	bool launched; /* `done` will come */
	bool orphan;   /* the engine is gone: free only */
};

static void
note(void *ctx, int percent)
{
	((struct running *)ctx)->percent = percent;
}

static void
run(void *arg)
{
	struct running *r = arg;
	struct work_input in = {.db = r->db,
	    .seal = r->seal,
	    .arena = r->arena,
	    .input = r->input,
	    .progress = note,
	    .progress_ctx = r,
	    .stop = &r->stop};

	r->result = r->work->run(&in);
}

static void
running_free(struct running *r)
{
	if (r->db)
		db_close(r->db);
	arena_free(r->arena);
	free((void *)(uintptr_t)r->input.bytes);
	free(r->key);
	free(r);
}

/* By the engine's ports, as all time is: in a simulated world work takes no time. */
static int64_t
moment_ms(struct engine *e)
{
	return e->o.ports.steady_ms ? e->o.ports.steady_ms(e->o.ports.ctx) : engine_now_ms(e);
}

static void
came_turn(struct turn *t, void *ctx)
{
	struct running *r = ctx;

	t->feature = r->feature;
	t->key = r->key;
	t->took_ms = moment_ms(r->engine) - r->began_ms;
	r->work->came(t, r->result);
}

static void
done(void *arg)
{
	struct running *r = arg, **at;

	if (r->orphan) {
		running_free(r);
		return;
	}
	for (at = &r->engine->running; *at; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			break;
		}
	if (!r->stop)
		engine_turn(r->engine, came_turn, r);
	running_free(r);
}

bool
work_start(struct turn *t, const char *name, const char *key, struct blob input)
{
	struct engine *e = t->engine;
	struct running *r;
	void *copy;

	for (r = e->running; r; r = r->next)
		if (!strcmp(r->work->name, name) && !strcmp(r->key, key))
			return false;
	r = memory_new(sizeof(*r));
	for (const struct feature *const *f = e->o.features; *f && !r->work; f++)
		for (const struct work *w = (*f)->works; w && w->name; w++)
			if (!strcmp(w->name, name)) {
				r->work = w;
				r->feature = *f;
			}
	if (!r->work)
		abort();
	r->engine = e;
	r->key = memory_string(key);
	r->arena = arena_new();
	r->seal = e->o.seal;
	copy = memory_new(input.length);
	if (input.length)
		memcpy(copy, input.bytes, input.length);
	r->input = (struct blob){copy, input.length};
	r->next = e->running;
	e->running = r;
	e->work_waits = true;
	return true;
}

void
work_undo(struct engine *e, const struct running *before)
{
	while (e->running != before) {
		struct running *r = e->running;

		e->running = r->next;
		running_free(r);
	}
}

/* After the commit: what the turn wrote is what the work reads. */
void
work_launch(struct engine *e)
{
	if (!e->work_waits)
		return;
	e->work_waits = false;
	for (struct running **at = &e->running, *r; (r = *at);) {
		if (r->launched || (r->db = db_open_reader(e->db))) {
			at = &r->next;
			continue;
		}
		/* As if the process had ended meanwhile: whoever waits asks again. */
		log_event(LOG_ERROR, "work.lost", "work=%s", r->work->name);
		*at = r->next;
		running_free(r);
	}
	/* Work may be done at once, and then leaves the list. */
	for (struct running *r = e->running, *next; r; r = next) {
		next = r->next;
		if (r->launched)
			continue;
		r->launched = true;
		r->began_ms = moment_ms(e);
		db_arena(r->db, r->arena);
		e->o.ports.work(e->o.ports.ctx, run, done, r);
	}
}

void
work_stop(struct turn *t, const char *name, const char *key)
{
	for (struct running *r = t->engine->running; r; r = r->next)
		if (!strcmp(r->work->name, name) && !strcmp(r->key, key))
			r->stop = true;
}

int
work_percent(struct turn *t, const char *name, const char *key)
{
	for (const struct running *r = t->engine->running; r; r = r->next)
		if (!strcmp(r->work->name, name) && !strcmp(r->key, key))
			return r->percent;
	return -1;
}

void
work_free(struct engine *e)
{
	for (struct running *r = e->running, *next; r; r = next) {
		next = r->next;
		r->stop = true;
		r->orphan = true;
		if (!r->launched)
			running_free(r);
	}
	e->running = NULL;
}
