/*
 * The data of a button, as it may come from a changed client: any bytes, and one of ours with some
 * of its bytes changed ("~" in front: what follows is laid over it). It is answered, and no turn
 * fails.
 */
#include "fuzz_world.h"

enum { EACH_WORLD = 3000, TOKEN = 200 };

static struct world *w;

static void
pressed(const char *token)
{
	int before = w->count;

	world_event(w,
	    (struct event){
		.kind = EVENT_PRESS, .who = "noor", .token = token, .press = "q", .message = "m1"});
	world_pass(w, 10);
	if (w->count == before || engine_counts(w->engine).failed_turns) {
		fprintf(stderr, "not answered: %s\n", token);
		abort();
	}
}

/* One of ours, with the input laid over it. */
static void
lay_over(const struct sent *last, const char *text, char token[TOKEN])
{
	size_t n, at = 0;

	n = (size_t)snprintf(token, TOKEN, "%s.1", last->set);
	for (; *text && at + 1 < TOKEN; text++, at++) {
		if (*text != '?')
			token[at] = *text;
		if (at >= n)
			token[at + 1] = 0;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int runs;
	char text[TOKEN], token[TOKEN];
	const struct sent *last;

	if (w && ++runs % EACH_WORLD == 0) {
		world_free(w);
		w = NULL;
	}
	if (!w)
		w = world_new();
	size = size < sizeof(text) ? size : sizeof(text) - 1;
	memcpy(text, data, size);
	text[size] = 0;
	world_event(w, (struct event){.kind = EVENT_MESSAGE, .who = "noor", .text = "/start"});
	last = world_last(w, "noor");
	if (*text == '~' && last && last->set[0])
		lay_over(last, text + 1, token);
	else
		snprintf(token, sizeof(token), "%s", text);
	pressed(token);
	world_settle(w);
	world_forget_sent(w);
	return 0;
}
