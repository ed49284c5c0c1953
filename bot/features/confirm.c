/* The code of the role typed again, before an announcement or a yes to one, by an account that was
 * silent for long or came back. */
#include "announce.h"

#include "base/words.h"
#include "core/join.h"
#include "core/people.h"

static void
ask_code(struct turn *t)
{
	say(t, words(t, "announce.code", NULL));
}

static enum next
answer_code(struct turn *t)
{
	struct card *card;

	if (!t->text[0] || !join_again(t, t->text))
		return flow_again(t, "announce.code_wrong");
	card = words(t, "announce.code_right", NULL);
	choose(t, card, "announce.go_on", flow_get(t, "what"), flow_get(t, "value"));
	say(t, card);
	return DONE;
}

static const struct step code_steps[] = {
    {.name = "code", .ask = ask_code, .answer = answer_code, .takes_numbers = true},
    {0},
};
static const struct flow flow_code = {
    .name = "announce.code", .access = COORDINATORS | ADMINS, .steps = code_steps};

bool
announce_must_confirm(struct turn *t, const char *what, const char *value)
{
	const char *kept = arena_string(t->arena, value);

	if (!people_must_confirm(t, t->person->id))
		return false;
	flow_begin(t, &flow_code);
	flow_set(t, "what", what);
	flow_set(t, "value", kept);
	return true;
}

static const struct flow *const flows[] = {&flow_code, NULL};

const struct feature feature_confirm = {.name = "confirm", .flows = flows};
