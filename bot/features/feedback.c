/* /feedback: what a reader has to say about an announcement, to its organisation, as a question
 * that is answered role to role. */
#include "announce.h"

#include <stdlib.h>

#include "base/text.h"
#include "core/ticket.h"

enum { TEXT_MOST = 1000 };

static bool
sent_one(struct turn *t, int64_t number, struct announce *a)
{
	return announce_get(t, number, a) &&
	       (a->state == ANNOUNCE_GOING || a->state == ANNOUNCE_DIGESTED);
}

static void
ask_number(struct turn *t)
{
	say(t, words(t, "feedback.number", NULL));
}

static enum next
answer_number(struct turn *t)
{
	struct announce a;
	int64_t number;

	if (!text_number(t->text, &number) || !sent_one(t, number, &a))
		return flow_again(t, "check.unknown");
	flow_set(t, "number", arena_print(t->arena, "%lld", (long long)number));
	return NEXT;
}

static void
ask_text(struct turn *t)
{
	struct announce a;

	if (!announce_get(t, strtoll(flow_get(t, "number"), NULL, 10), &a))
		a.org = "";
	say(t, words(t, "feedback.text", "number", flow_get(t, "number"), "org",
		   announce_org(t, t->language, a.org), NULL));
}

static enum next
answer_text(struct turn *t)
{
	struct announce a;

	if (!t->text[0])
		return flow_again(t, "engine.again");
	if (!sent_one(t, strtoll(flow_get(t, "number"), NULL, 10), &a)) {
		say(t, words(t, "check.unknown", NULL));
		return DONE;
	}
	ticket_open(t, a.org[0] ? COORDINATORS : ADMINS, a.org, "feedback",
	    arena_print(t->arena, "%s: %s", flow_get(t, "number"),
		arena_copy(t->arena, t->text, text_cut(t->text, TEXT_MOST))));
	say(t, words(t, "feedback.thanks", NULL));
	return DONE;
}

static const struct step steps[] = {
    {.name = "number", .ask = ask_number, .answer = answer_number, .takes_numbers = true},
    {.name = "text", .ask = ask_text, .answer = answer_text, .takes_numbers = true},
    {0},
};
static const struct flow flow_feedback = {
    .name = "feedback.write", .access = MEMBERS, .steps = steps};
static const struct flow *const flows[] = {&flow_feedback, NULL};

static void
begin(struct turn *t, const char *typed)
{
	struct announce a;
	int64_t number;

	flow_begin(t, &flow_feedback);
	if (!text_number(typed, &number) || !sent_one(t, number, &a))
		return;
	flow_set(t, "number", arena_print(t->arena, "%lld", (long long)number));
	flow_goto(t, "text");
}

static void
feedback(struct turn *t)
{
	begin(t, t->rest);
}

static void
write_about(struct turn *t)
{
	begin(t, t->value);
}

static const struct command commands[] = {
    {.name = "feedback", .access = MEMBERS, .run = feedback, .hidden = true},
    {0},
};
static const struct action actions[] = {
    {"feedback.write", MEMBERS, write_about},
    {0},
};

const struct feature feature_feedback = {
    .name = "feedback", .commands = commands, .actions = actions, .flows = flows};
