/* Which command, choice or conversation a message is for. */
#include "core.h"
#include "core/help.h"

#include <stdlib.h>
#include <string.h>

/* The order in menus and in /help; what is not here stands behind, in the order of the features. */
static const char *const menu_order[] = {"start", "help", "language", "events", "partners",
    "podcast", "match", "chats", "offers", "stories", "survey", "forum", "profile", "pause",
    "privacy", "safety", "cancel", "announce", "approve", "queue", "newevent", "round", "invite",
    "stats", "tickets", "train", "judge", "reports", "role", "audit", NULL};

struct word {
	char *folded;
	const struct command *command;
};

struct command_index {
	struct word *words;
	size_t count, room;
	const struct command *listed[96];
	const struct feature *owners[96];
	size_t commands;
};

static void cancel(struct turn *t);
static const struct command engine_commands[] = {
    {.name = "cancel", .run = cancel, .however_late = true},
    {0},
};

static int
by_folded(const void *a, const void *b)
{
	return strcmp(((const struct word *)a)->folded, ((const struct word *)b)->folded);
}

static void
add_word(struct engine *e, const char *word, const struct command *command)
{
	struct command_index *x = e->commands;

	if (x->count == x->room) {
		x->room = x->room ? x->room * 2 : 256;
		x->words = memory_resize(x->words, x->room * sizeof(*x->words));
	}
	x->words[x->count++] = (struct word){memory_string(text_fold(e->arena, word)), command};
}

static void
add_command(struct engine *e, const struct command *command, const struct feature *feature)
{
	struct command_index *x = e->commands;
	char *key = arena_print(e->arena, "command.%s", command->name);

	if (x->commands == sizeof(x->listed) / sizeof(*x->listed))
		abort();
	x->owners[x->commands] = feature;
	x->listed[x->commands++] = command;
	add_word(e, command->name, command);
	for (int i = 0; i < words_count(e->o.words); i++) {
		const char *raw = words_raw(e->o.words, words_language(e->o.words, i), key);
		char *copy = arena_string(e->arena, raw ? raw : ""), *save = NULL;

		for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
			add_word(e, w, command);
	}
}

static int
rank(const struct command *c)
{
	int i = 0;

	while (menu_order[i] && strcmp(menu_order[i], c->name))
		i++;
	return i;
}

void
route_build(struct engine *e)
{
	struct command_index *x = e->commands = memory_new(sizeof(*x));

	for (const struct command *c = engine_commands; c->name; c++)
		add_command(e, c, NULL);
	for (const struct feature *const *f = e->o.features; *f; f++)
		for (const struct command *c = (*f)->commands; c && c->name; c++)
			add_command(e, c, *f);
	qsort(x->words, x->count, sizeof(*x->words), by_folded);
	/* Insertion sort by menu order: few, and once. */
	for (size_t i = 1; i < x->commands; i++)
		for (size_t k = i; k > 0 && rank(x->listed[k - 1]) > rank(x->listed[k]); k--) {
			const struct command *c = x->listed[k];
			const struct feature *f = x->owners[k];

			x->listed[k] = x->listed[k - 1];
			x->owners[k] = x->owners[k - 1];
			x->listed[k - 1] = c;
			x->owners[k - 1] = f;
		}
	arena_forget(e->arena);
}

void
route_free(struct engine *e)
{
	struct command_index *x = e->commands;

	for (size_t i = 0; i < x->count; i++)
		free(x->words[i].folded);
	free(x->words);
	free(x);
	e->commands = NULL;
}

const struct command *
route_command(struct engine *e, const char *name)
{
	for (size_t i = 0; i < e->commands->commands; i++)
		if (!strcmp(e->commands->listed[i]->name, name))
			return e->commands->listed[i];
	return NULL;
}

const struct command *
route_listed(struct engine *e, size_t i)
{
	return i < e->commands->commands ? e->commands->listed[i] : NULL;
}

const struct action *
route_action(struct engine *e, const char *name, const struct feature **feature)
{
	for (const struct feature *const *f = e->o.features; *f; f++)
		for (const struct action *a = (*f)->actions; a && a->name; a++)
			if (!strcmp(a->name, name)) {
				*feature = *f;
				return a;
			}
	return NULL;
}

bool
route_allowed(const struct turn *t, unsigned access)
{
	return !access || (t->person && t->person->access & access);
}

static const struct command *
by_word(struct turn *t, const char *word)
{
	struct command_index *x = t->engine->commands;
	struct word key = {text_fold(t->arena, word), NULL}, *found;

	found = bsearch(&key, x->words, x->count, sizeof(*x->words), by_folded);
	return found ? found->command : NULL;
}

static const struct feature *
owner(struct engine *e, const struct command *c)
{
	for (size_t i = 0; i < e->commands->commands; i++)
		if (e->commands->listed[i] == c)
			return e->commands->owners[i];
	return NULL;
}

/* Others read along: only a word, and the way to the private chat, where the link asks again. */
static void
in_private(struct turn *t, const struct command *c)
{
	const char *network = ((struct ours *)t->private)->network->transport->name,
		   *link = link_to(t, network, c->name), *typed = link_by_hand(t, network, c->name),
		   *key = arena_join(t->arena, "menu.", c->name);
	struct card *card = words(t, "engine.in_private", NULL);

	if (link && typed) {
		card_text(card, "\n", 0);
		card_link(card, link, link);
	} else if (link) {
		card_choice_link(card,
		    words_has(t->words, key) ? words_flat(t, key, NULL)
					     : arena_join(t->arena, "/", c->name),
		    link);
	}
	say(t, card);
}

void
route_run(struct turn *t, const struct command *c, const char *rest)
{
	/* Before the access: who is a member is nobody's business in a group. */
	if (t->group && !c->public_place) {
		in_private(t, c);
		return;
	}
	if (!route_allowed(t, c->access)) {
		say(t, words(t, c->access & MEMBERS ? "engine.members_only" : "engine.not_allowed",
			   NULL));
		return;
	}
	t->rest = rest;
	t->feature = owner(t->engine, c);
	c->run(t);
}

static void
cancel(struct turn *t)
{
	struct ours *ours = t->private;
	const struct flow *flow = ours->flow;
	struct card *card = words(t, flow ? "engine.cancelled" : "engine.nothing_to_cancel", NULL);

	if (flow && flow->cancelled)
		flow->cancelled(t);
	flow_end(t);
	choose_menu(t, card);
	say(t, card);
}

void
route_ways_out(struct turn *t, struct card *card, bool back)
{
	if (back)
		choose(t, card, "engine.back", "engine.back", "");
	choose(t, card, "engine.cancel", "engine.command", "cancel");
	if (back)
		card_same_row(card);
}

void
choose_command(struct turn *t, struct card *card, const char *command)
{
	card_choice(card, words_flat(t, arena_join(t->arena, "menu.", command), NULL),
	    "engine.command", command);
}

static void
choose_menu_but(struct turn *t, struct card *card, const char *not_this)
{
	static const char *const public_menu[] = {"events", "podcast", "partners", "help", NULL};
	static const char *const member_menu[] = {
	    "events", "match", "podcast", "partners", "profile", "help", NULL};
	bool member = t->person && t->person->access & MEMBERS;
	int n = 0;

	for (const char *const *c = member ? member_menu : public_menu; *c; c++)
		if (route_command(t->engine, *c) && (!not_this || strcmp(*c, not_this))) {
			choose_command(t, card, *c);
			if (n++ % 2)
				card_same_row(card);
		}
}

void
choose_menu(struct turn *t, struct card *card)
{
	choose_menu_but(t, card, NULL);
}

/* "start=events" is what a group's button leads to: the command, in private. */
static bool
linked_command(struct turn *t, const char *payload)
{
	const struct command *c = route_command(t->engine, payload);

	if (!c || c->hidden || !strcmp(c->name, "start"))
		return false;
	route_run(t, c, "");
	return true;
}

/* "/start j_abc", "!start j_abc", "start j_abc": a link's payload. */
static bool
deep_link(struct turn *t, const char *payload)
{
	const char *underline = strchr(payload, '_');
	size_t n = underline ? (size_t)(underline - payload) : strlen(payload);

	if (!*payload || strlen(payload) > 64)
		return false;
	for (const struct feature *const *f = t->engine->o.features; *f; f++)
		if ((*f)->link && (*f)->linked && strlen((*f)->link) == n &&
		    !strncmp((*f)->link, payload, n)) {
			t->value = arena_string(t->arena, underline ? underline + 1 : "");
			t->feature = *f;
			(*f)->linked(t);
			return true;
		}
	return linked_command(t, payload);
}

/* A code alone, as somebody sends it who came by a link that could not carry it ("c_483920"). */
static bool
bare_code(struct turn *t)
{
	size_t n = strcspn(t->text, "_"), length = strlen(t->text);

	return n && n < 3 && t->text[n] && t->text[n + 1] &&
	       strspn(t->text,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == length &&
	       deep_link(t, t->text);
}

/* Splits "/word@bot rest" and "!word rest"; a plain word counts when it is the whole message. */
static const struct command *
parse_command(struct turn *t, const char **rest, bool *meant)
{
	const char *p = t->text, *end;
	char *word, *at;
	const struct command *c;

	*meant = *p == '/' || *p == '!';
	*rest = "";
	if (!*meant) {
		if (strlen(p) > 40 || strchr(p, '\n'))
			return NULL;
		c = by_word(t, p);
		if (!c && !strncasecmp(p, "start ", 6)) {
			*rest = p + 6;
			c = route_command(t->engine, "start");
		}
		return c && route_allowed(t, c->access) ? c : NULL;
	}
	end = p + 1 + strcspn(p + 1, " \n\t");
	word = arena_copy(t->arena, p + 1, (size_t)(end - p - 1));
	at = strchr(word, '@');
	if (at)
		*at = 0;
	*rest = end + strspn(end, " \n\t");
	return by_word(t, word);
}

static const char *
nearest(struct turn *t)
{
	struct command_index *x = t->engine->commands;
	const char *text = t->text + strspn(t->text, "/!"), *best = NULL;
	char *folded = text_fold(t->arena, arena_copy(t->arena, text, strcspn(text, " \n")));
	size_t letters = text_scalars(folded);
	int least = 3;

	/* A sentence is no command with a mistake in it. */
	if (letters < 3 || letters > 20 ||
	    (*t->text != '/' && *t->text != '!' && strchr(text, ' ')))
		return NULL;
	for (size_t i = 0; i < x->count; i++) {
		const struct command *c = x->words[i].command;
		int d;

		if (c->hidden || !route_allowed(t, c->access) || strlen(x->words[i].folded) < 3)
			continue;
		d = text_distance(folded, x->words[i].folded, least - 1);
		if (d < least && (size_t)d * 3 <= letters) {
			least = d;
			best = c->name;
		}
	}
	return best;
}

static void
unknown(struct turn *t)
{
	const char *command = nearest(t);
	struct card *card;

	if (t->group)
		return;
	if (command) {
		card = words(t, "engine.did_you_mean", "command",
		    words_flat(t, arena_join(t->arena, "menu.", command), NULL), NULL);
		choose_command(t, card, command);
	} else {
		card = words(t, "engine.unknown", NULL);
	}
	choose_menu_but(t, card, command);
	say(t, card);
}

static bool
heard(struct turn *t)
{
	for (const struct feature *const *f = t->engine->o.features; *f; f++)
		if ((*f)->hears) {
			t->feature = *f;
			if ((*f)->hears(t))
				return true;
		}
	t->feature = NULL;
	return false;
}

void
route_message(struct turn *t)
{
	const char *rest;
	bool meant;
	const struct command *c = parse_command(t, &rest, &meant);
	bool first = t->person->fresh && !t->group;

	t->replied = outbox_replied(t, t->person->account, t->event->reply_to);
	if (c && !strcmp(c->name, "start") && *rest && !t->group && deep_link(t, rest))
		return;
	if (c && !first && late_answered(t, c, rest))
		return;
	if (c && !(first && c->access)) {
		route_run(t, c, rest);
		return;
	}
	if (first && !c && bare_code(t))
		return;
	if (first || (!c && !t->text[0] && !t->media)) {
		c = route_command(t->engine, first ? "start" : "help");
		if (c)
			route_run(t, c, "");
		return;
	}
	if (meant) {
		unknown(t);
		return;
	}
	/* A conversation belongs to the private chat: its next question must not be asked here. */
	if (t->group || converse_number(t) || converse_answer(t) || bare_code(t) || heard(t))
		return;
	unknown(t);
}

/* A press in a group is answered in private: who said yes is nobody's business. */
static void
press_in_group(struct turn *t)
{
	struct event *event = arena_alloc(t->arena, sizeof(*event));

	*event = *t->event;
	event->group = false;
	event->where = event->message = NULL;
	t->event = event;
	t->group = false;
	((struct ours *)t->private)->from_group = true;
}

void
route_press(struct turn *t)
{
	if (t->group)
		press_in_group(t);
	if (!converse_press(t, t->event->token))
		converse_stale(t);
	if (t->event->press && !((struct ours *)t->private)->answered)
		toast(t, NULL);
}

const struct command *
help_command(struct turn *t, int i)
{
	return route_listed(t->engine, (size_t)i);
}

bool
help_allowed(struct turn *t, const struct command *command)
{
	return route_allowed(t, command->access);
}
