/* load-demo: an invented community in an empty state, for trying, training and measuring. */
#include "app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "core/demo.h"

struct loading {
	int64_t from, people;
	bool empty;
};

static void
begin_turn(struct turn *t, void *ctx)
{
	struct loading *l = ctx;

	l->empty = demo_begin(t, l->people);
}

static void
people_turn(struct turn *t, void *ctx)
{
	struct loading *l = ctx;

	demo_people(t, l->from, l->people);
}

static void
progress(int64_t done, int64_t people)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%" PRId64 " of %" PRId64 " people", done, people);
	else if (done % 10000 == 0 || done == people)
		fprintf(stderr, "%" PRId64 " of %" PRId64 " people\n", done, people);
	if (isatty(STDERR_FILENO) && done == people)
		fputc('\n', stderr);
}

static int
load(struct app *app, struct loading *l)
{
	if (!engine_turn(app->engine, begin_turn, l))
		return EXIT_FAILED;
	if (!l->empty) {
		fprintf(stderr, "alumhub-bot: expected an empty state; somebody is in this one\n");
		return EXIT_FAILED;
	}
	for (; l->from <= l->people; l->from += DEMO_SLICE) {
		int64_t done = l->from + DEMO_SLICE - 1;

		if (!engine_turn(app->engine, people_turn, l))
			return EXIT_FAILED;
		progress(done < l->people ? done : l->people, l->people);
	}
	printf("%" PRId64
	       " invented people: demo1 and demo2 are admins, demo3 is a safety officer, demo4 a "
	       "judge, demo5 a coordinator\n"
	       "`chat --as demo1` speaks as one of them; everything said in this state is marked\n",
	    l->people);
	return EXIT_DONE;
}

int
demo_main(struct app *app)
{
	struct loading l = {.from = 1};
	struct buf reply = {.maximum = 4096};
	char *end;
	int status;

	l.people = strtoll(app->arguments->file, &end, 10);
	if (*end || l.people < 1 || l.people > DEMO_MOST) {
		fprintf(
		    stderr, "alumhub-bot: load-demo: expected a number from 1 to %d\n", DEMO_MOST);
		return EXIT_USAGE;
	}
	log_limit(LOG_ERROR);
	/* "invite": a state that is not there yet may be made. */
	status = admin_open(app, "invite ", &reply);
	buf_free(&reply);
	return status == EXIT_DONE ? load(app, &l) : status;
}
