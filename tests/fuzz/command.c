/*
 * Anything that people type or press, a line each, by two people: no turn fails, everybody is
 * answered, every press is answered. A line that begins with = is a press: "=2" of the last choices
 * shown, "=TEXT" with that token; "@" speaks as the other one.
 */
#include "fuzz_world.h"

enum { LINES = 12, EACH_WORLD = 3000 };

static void
press(struct world *w, const char *who, const char *what)
{
	const struct sent *last = world_last(w, who);
	char token[200];

	if (last && last->set[0] && what[0] >= '1' && what[0] <= '9' && !what[1])
		snprintf(token, sizeof(token), "%s.%s", last->set, what);
	else
		snprintf(token, sizeof(token), "%s", what);
	world_event(
	    w, (struct event){
		   .kind = EVENT_PRESS, .who = who, .token = token, .press = "q", .message = "m1"});
}

static void
one_line(struct world *w, const char *line)
{
	const char *who = *line == '@' ? "dana" : "noor";
	int before = w->count, answers;

	line += *line == '@';
	if (*line == '=')
		press(w, who, line + 1);
	else
		world_event(w, (struct event){.kind = EVENT_MESSAGE, .who = who, .text = line});
	/* The next one comes ten seconds later: nobody floods. */
	world_pass(w, 10);
	answers = w->count - before;
	if (!answers || engine_counts(w->engine).failed_turns) {
		fprintf(stderr, "%s: %s\n", answers ? "failed" : "not answered", line);
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world *w;
	static int runs;
	char text[2000], *line, *rest = text;

	if (w && ++runs % EACH_WORLD == 0) {
		world_free(w);
		w = NULL;
	}
	if (!w)
		w = world_new();
	size = size < sizeof(text) ? size : sizeof(text) - 1;
	memcpy(text, data, size);
	text[size] = 0;
	for (int i = 0; i < LINES && (line = strsep(&rest, "\n")); i++)
		one_line(w, line);
	world_event(w, (struct event){.kind = EVENT_MESSAGE, .who = "noor", .text = "/cancel"});
	world_event(w, (struct event){.kind = EVENT_MESSAGE, .who = "dana", .text = "/cancel"});
	world_settle(w);
	world_forget_sent(w);
	return 0;
}
