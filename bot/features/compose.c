/* /announce: an audience of chips, a text in up to three languages, a preview of each, and to a
 * second person. /train is the same with nothing behind it: it has no way to send. */
#include "compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/partners.h"
#include "base/text.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/draft.h"
#include "core/people.h"
#include "core/warn.h"

enum { TEXT_MOST = 3000, LANGUAGES_MOST = 8 };

static const struct flow flow_compose, flow_train;

/* ---- the draft ---- */

const char *
compose_kind(struct turn *t)
{
	return strcmp(flow_get(t, "kind"), "train") ? "announce" : "train";
}

const char *
compose_get(struct turn *t, const char *field)
{
	return draft_get(t, compose_kind(t), field);
}

void
compose_set(struct turn *t, const char *field, const char *value)
{
	draft_set(t, compose_kind(t), field, value);
}

static const char *
text_field(struct turn *t, int language)
{
	return arena_print(t->arena, "text.%s", words_language(t->words, language));
}

bool
compose_wide(struct turn *t)
{
	return compose_get(t, "wide")[0] || !(t->person->access & COORDINATORS);
}

/* A question that does not arise is passed over, in the direction one is going. */
static void
pass_over(struct turn *t, const char *ahead, const char *back)
{
	flow_goto(t, flow_get(t, "ahead")[0] ? ahead : back);
}

/* ---- texts ---- */

static int
at_language(struct turn *t)
{
	return (int)strtol(flow_get(t, "at"), NULL, 10);
}

static void
ask_text(struct turn *t)
{
	const char *language = words_language(t->words, at_language(t));
	struct card *card = words(t, "announce.text", "language",
	    words_flat_in(t, language, "language.name", NULL), NULL);
	const char *was = compose_get(t, text_field(t, at_language(t)));

	flow_set(t, "ahead", NULL);
	if (*was) {
		card_paragraph(card, words(t, "announce.text_was", "text", was, NULL));
		choose_answer(t, card, "announce.text_keep", "keep");
	}
	choose_answer(t, card, "announce.text_none", "none");
	say(t, card);
}

/* The first line shows on a locked screen: it names nothing that could endanger (ground rule 8).
 * A word of the list with * in front is a greeting too, where it stands first. */
static bool
is_discreet(struct turn *t, const char *text)
{
	const char *line = arena_copy(t->arena, text, strcspn(text, "\n"));
	const char *folded = text_fold(t->arena, line);
	const char *greeted = folded + strcspn(folded, " ");

	for (int i = 0; i < words_count(t->words); i++) {
		const char *list =
		    words_flat_in(t, words_language(t->words, i), "announce.not_first", NULL);

		for (; *list; list += strspn(list, " ")) {
			size_t n = strcspn(list, " ");
			bool greets = *list == '*';
			const char *word = arena_copy(t->arena, list + greets, n - greets);

			if (strstr(greets ? greeted : folded, text_fold(t->arena, word)))
				return false;
			list += n;
		}
	}
	return true;
}

static int
texts(struct turn *t)
{
	int n = 0;

	for (int i = 0; i < words_count(t->words); i++)
		n += compose_get(t, text_field(t, i))[0] != 0;
	return n;
}

static enum next
answer_text(struct turn *t)
{
	const char *field = text_field(t, at_language(t));

	/* A picture with a caption: both are meant. */
	if (t->media)
		enclose_take(t);
	if (t->media && !t->text[0])
		return AGAIN;
	if (t->chosen) {
		if (strcmp(t->value, "keep"))
			compose_set(t, field, NULL);
	} else if (!t->text[0] || text_scalars(t->text) > TEXT_MOST) {
		say(t, words_n(t, "announce.text_long", TEXT_MOST, NULL));
		return AGAIN;
	} else if (!is_discreet(t, t->text)) {
		say(t, words(t, "announce.indiscreet", NULL));
		return AGAIN;
	} else {
		compose_set(t, field, t->text);
	}
	if (at_language(t) + 1 < words_count(t->words)) {
		flow_set(t, "at", arena_print(t->arena, "%d", at_language(t) + 1));
		return AGAIN;
	}
	flow_set(t, "at", "0");
	flow_set(t, "ahead", "1");
	if (texts(t))
		return NEXT;
	say(t, words(t, "announce.no_text", NULL));
	return AGAIN;
}

/* Which of those there are stands in for those that are missing. */
static void
ask_fallback(struct turn *t)
{
	int count = words_count(t->words), n = 0;
	const char *missing = "";
	struct card *card;

	for (int i = 0; i < count; i++) {
		const char *language = words_language(t->words, i);

		if (compose_get(t, text_field(t, i))[0])
			continue;
		missing =
		    chips_listed(t, missing, words_flat_in(t, language, "language.name", NULL));
	}
	card = words(t, "announce.missing", "languages", missing, NULL);
	for (int i = 0; i < count; i++) {
		const char *language = words_language(t->words, i);

		if (compose_get(t, text_field(t, i))[0]) {
			choose_answer_text(
			    t, card, words_flat_in(t, language, "language.name", NULL), language);
			if (n++)
				card_same_row(card);
		}
	}
	if (!*missing) {
		compose_set(t, "fallback", words_language(t->words, 0));
		pass_over(t, "file", "text");
		return;
	}
	flow_set(t, "ahead", NULL);
	say(t, card);
}

static enum next
answer_fallback(struct turn *t)
{
	if (!t->chosen || !words_speaks(t->words, t->value) ||
	    !compose_get(t, arena_print(t->arena, "text.%s", t->value))[0]) {
		say(t, words(t, "relay.tap", NULL));
		return AGAIN;
	}
	compose_set(t, "fallback", t->value);
	flow_set(t, "ahead", "1");
	return NEXT;
}

/* A replacement keeps what it came with. */
static void
ask_file(struct turn *t)
{
	if (flow_get(t, "of")[0]) {
		pass_over(t, "when", "fallback");
		return;
	}
	flow_set(t, "ahead", NULL);
	enclose_ask(t);
}

/* ---- when ---- */

/* Whose clock: the one chosen, else the first configured. */
static const char *
zone_chosen(struct turn *t)
{
	const char *zone = compose_get(t, "zone");

	return *zone ? zone : conf_list(t->conf, "bot", NULL, "time_zones")[0];
}

/* The night the clocks go back has this hour twice. */
static void
ask_which(struct turn *t)
{
	const char *wall = flow_get(t, "twice"), *hour = strchr(wall, 'T');
	struct card *card = words(t, "announce.twice", "time",
	    hour ? (const char *)arena_print(t->arena, "%.5s", hour + 1) : wall, NULL);

	choose_answer(t, card, "announce.twice_first", "which:0");
	choose_answer(t, card, "announce.twice_second", "which:1");
	card_same_row(card);
	say(t, card);
}

static void
ask_when(struct turn *t)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	struct card *card;

	flow_set(t, "ahead", NULL);
	if (flow_get(t, "twice")[0]) {
		ask_which(t);
		return;
	}
	card = words(t, "announce.when", "zone", zone_chosen(t), NULL);
	if (!flow_get(t, "of")[0])
		choose_answer(t, card, "announce.when_digest", "digest");
	choose_answer(t, card, "announce.when_now", "now");
	choose_answer(t, card, "announce.when_urgent", "urgent");
	for (int i = 0; zones[i]; i++)
		if (strcmp(zones[i], zone_chosen(t)))
			choose_answer_text(t, card,
			    words_flat(t, "announce.clock", "zone", zones[i], NULL),
			    arena_print(t->arena, "zone:%s", zones[i]));
	say(t, card);
}

static void
keep_wall(struct turn *t, const char *wall, bool later, int64_t due)
{
	compose_set(t, "when", "wall");
	compose_set(t, "wall", wall);
	compose_set(t, "later", later ? "1" : NULL);
	if (after_quiet_hours(t, t->person->id, due) > due)
		say(t, words(t, "announce.quiet", NULL));
}

static enum next
take_wall(struct turn *t, const struct civil *wall, int which)
{
	struct zone_utc utc = zone_to_utc(zone_find(t->zones, zone_chosen(t)), wall);
	char text[CIVIL_TEXT];

	civil_write(wall, text);
	if (utc.reading == ZONE_GAP) {
		say(t, words(t, "announce.no_such_time", NULL));
		return AGAIN;
	}
	if (utc.utc[which > 0] < t->now + 60) {
		say(t, words(t, "announce.past", NULL));
		return AGAIN;
	}
	if (utc.reading == ZONE_AMBIGUOUS && which < 0) {
		flow_set(t, "twice", text);
		return AGAIN;
	}
	keep_wall(t, text, which > 0, utc.utc[which > 0]);
	return NEXT;
}

static enum next
when_chosen(struct turn *t)
{
	const char *twice = flow_get(t, "twice");
	struct civil wall;

	if (!strncmp(t->value, "zone:", 5)) {
		compose_set(t, "zone", t->value + 5);
		return AGAIN;
	}
	if (!strncmp(t->value, "which:", 6)) {
		if (!civil_read(twice, &wall))
			return AGAIN;
		flow_set(t, "twice", NULL);
		return take_wall(t, &wall, t->value[6] == '1');
	}
	compose_set(t, "when", t->value);
	compose_set(t, "wall", NULL);
	return NEXT;
}

static enum next
answer_when(struct turn *t)
{
	struct civil wall;

	if (t->chosen)
		return when_chosen(t);
	flow_set(t, "twice", NULL);
	if (strchr(t->text, '/') && zone_find(t->zones, t->text)) {
		compose_set(t, "zone", t->text);
		return AGAIN;
	}
	if (!clock_parse(t->text, &wall)) {
		say(t, words(t, "announce.bad_time", NULL));
		return AGAIN;
	}
	return take_wall(t, &wall, -1);
}

/* ---- preview and handing in ---- */

static const char *
own_org(struct turn *t)
{
	return t->person->access & COORDINATORS ? t->person->org : "";
}

static const char *
text_for(struct turn *t, int language, const char **written_in)
{
	const char *text = compose_get(t, text_field(t, language));

	*written_in = words_language(t->words, language);
	if (*text)
		return text;
	*written_in = compose_get(t, "fallback");
	return compose_get(t, arena_print(t->arena, "text.%s", *written_in));
}

/* When its hour is, if it has one; else now. */
static int64_t
due_drafted(struct turn *t)
{
	const struct zone *zone = zone_find(t->zones, zone_chosen(t));
	struct civil wall;
	int64_t due = 0;

	if (zone && civil_read(compose_get(t, "wall"), &wall))
		due = zone_to_utc(zone, &wall).utc[compose_get(t, "later")[0] != 0];
	return due > t->now ? due : t->now;
}

/* To how many, and how long it takes; rooms are offered where that is hours. */
static void
add_plan(struct turn *t, struct card *card, bool train)
{
	struct audience audience = chips_audience(t);
	const char *when = compose_get(t, "when");
	bool slow;

	chips_counts(t, card);
	if (!strcmp(when, "digest"))
		return;
	slow = chips_time(t, card, &audience,
	    strcmp(when, "urgent") ? CLASS_ANNOUNCEMENT : CLASS_URGENT, due_drafted(t));
	if (!slow || train)
		return;
	card_line(
	    card, words(t, chips_has_rooms(t) ? "announce.slow" : "announce.slow_no_room", NULL));
	if (chips_has_rooms(t))
		choose_answer(t, card, "announce.rooms_offer", "rooms");
}

/* When it would go out, as far as that is known: a digest goes when each one's week is over. */
static void
add_hint(struct turn *t, struct card *card)
{
	int64_t at = due_drafted(t);

	if (strcmp(compose_get(t, "when"), "digest") != 0)
		warn_add(t, card, &(struct warn_time){at, at}, 1);
}

static void
ask_send(struct turn *t)
{
	bool train = !strcmp(compose_kind(t), "train");
	struct card *card;

	for (int i = 0; i < words_count(t->words); i++) {
		const char *in;
		const char *text = text_for(t, i, &in);
		struct card *shown =
		    announce_card(t, words_language(t->words, i), text, in, own_org(t), 0);

		shown->choices = shown->last_choice = NULL;
		if (!flow_get(t, "of")[0])
			enclose_show(t, shown);
		tell(t, t->person->id, CLASS_REPLY, 0, shown);
	}
	card = words(t, train ? "train.end" : "announce.ready", NULL);
	if (!flow_get(t, "of")[0])
		add_plan(t, card, train);
	if (flow_get(t, "of")[0])
		card_paragraph(
		    card, words(t, "announce.replaces", "number", flow_get(t, "of"), NULL));
	else if (!train && compose_wide(t))
		card_paragraph(card, words(t, "announce.needs_admin", NULL));
	add_hint(t, card);
	choose_answer(t, card, train ? "train.done" : "announce.hand_in", "yes");
	choose_answer(t, card, "announce.change", "change");
	choose_answer(t, card, "announce.discard", "discard");
	say(t, card);
}

static int64_t
hand_in(struct turn *t)
{
	const char *text[LANGUAGES_MOST], *when = compose_get(t, "when");
	struct enclosed file;
	struct audience audience = chips_audience(t);
	struct announce a = {
	    .author = t->person->id,
	    .org = own_org(t),
	    .wide = compose_wide(t),
	    .class = strcmp(when, "urgent") ? CLASS_ANNOUNCEMENT : CLASS_URGENT,
	    .digest = !strcmp(when, "digest"),
	    .wall = compose_get(t, "wall"),
	    .zone = zone_chosen(t),
	    .later = compose_get(t, "later")[0] != 0,
	    .audience = audience_pack(t, &audience),
	    .rooms = chips_rooms(t),
	    .original = strtoll(flow_get(t, "of"), NULL, 10),
	};

	for (int i = 0; i < words_count(t->words); i++)
		text[i] = compose_get(t, text_field(t, i));
	if (!a.original && enclose_get(t, compose_kind(t), &file))
		a.file = &file;
	return announce_hand_in(t, &a, text, compose_get(t, "fallback"));
}

static void
throw_away(struct turn *t, const char *kind)
{
	enclose_drop(t, kind);
	draft_drop(t, kind);
}

static enum next
answer_send(struct turn *t)
{
	int64_t number;

	if (t->chosen && !strcmp(t->value, "change")) {
		flow_goto(t, "text");
		return JUMPED;
	}
	if (t->chosen && !strcmp(t->value, "rooms")) {
		flow_set(t, "from", "send");
		flow_set(t, "list", "room");
		flow_goto(t, "audience");
		return JUMPED;
	}
	if (t->chosen && !strcmp(t->value, "discard")) {
		throw_away(t, compose_kind(t));
		say(t, words(t, "announce.discarded", NULL));
		return DONE;
	}
	if (!t->chosen || strcmp(t->value, "yes")) {
		say(t, words(t, "relay.tap", NULL));
		return AGAIN;
	}
	if (!strcmp(compose_kind(t), "train")) {
		throw_away(t, "train");
		say(t, words(t, "train.over", NULL));
		return DONE;
	}
	if (people_must_confirm(t, t->person->id)) {
		announce_must_confirm(t, "announce.resume", flow_get(t, "of"));
		return JUMPED;
	}
	number = hand_in(t);
	throw_away(t, "announce");
	if (number)
		say(t, words(t, "announce.handed_in", "number",
			   arena_print(t->arena, "%lld", (long long)number), NULL));
	else
		say(t, words(t, "announce.nothing_left", NULL));
	return DONE;
}

static const struct step steps[] = {
    {.name = "audience", .ask = chips_ask, .answer = chips_answer},
    {.name = "text", .ask = ask_text, .answer = answer_text},
    {.name = "fallback", .ask = ask_fallback, .answer = answer_fallback},
    {.name = "file", .ask = ask_file, .answer = enclose_answer},
    {.name = "when", .ask = ask_when, .answer = answer_when},
    {.name = "send", .ask = ask_send, .answer = answer_send},
    {0},
};
static const struct flow flow_compose = {
    .name = "compose.announce", .access = COORDINATORS | ADMINS, .steps = steps};
static const struct flow flow_train = {
    .name = "compose.train", .access = COORDINATORS | ADMINS, .steps = steps};

static void
announce(struct turn *t)
{
	flow_begin(t, &flow_compose);
	flow_set(t, "kind", "announce");
}

static void
train(struct turn *t)
{
	flow_begin(t, &flow_train);
	flow_set(t, "kind", "train");
}

/* To those who come to an event; everything else is as for any announcement, and what was written
 * before is kept. */
static void
attendees(struct turn *t)
{
	static const char *const chips[] = {"languages", "regions", "topics", "orgs", "groups",
	    "roles", "wide", "rooms", "instead"};

	for (size_t i = 0; i < sizeof(chips) / sizeof(*chips); i++)
		draft_set(t, "announce", chips[i], NULL);
	flow_begin(t, &flow_compose);
	flow_set(t, "kind", "announce");
	draft_set(t, "announce", "events", t->value);
}

/* Other words in the place of an announcement that went out: everybody who has it gets them. */
static void
replace(struct turn *t)
{
	struct announce a;

	if (!announce_get(t, strtoll(t->value, NULL, 10), &a) || !announce_may(t, &a)) {
		say(t, words(t, "announce.gone", NULL));
		return;
	}
	throw_away(t, "announce");
	flow_begin(t, &flow_compose);
	flow_set(t, "kind", "announce");
	flow_set(t, "of", t->value);
	if (announce_has_file(t, &a))
		say(t, words(t, "announce.file_stays", NULL));
	flow_goto(t, "text");
}

/* After the code was typed again: the draft is still there. */
static void
resume(struct turn *t)
{
	flow_begin(t, &flow_compose);
	flow_set(t, "kind", "announce");
	if (t->value[0])
		flow_set(t, "of", t->value);
	flow_goto(t, "send");
}

static const struct command commands[] = {
    {.name = "announce", .access = COORDINATORS | ADMINS, .run = announce},
    {.name = "train", .access = COORDINATORS | ADMINS, .run = train},
    {0},
};
static const struct action actions[] = {
    {"announce.attendees", COORDINATORS | ADMINS, attendees},
    {"announce.replace", COORDINATORS | ADMINS, replace},
    {"announce.resume", COORDINATORS | ADMINS, resume},
    {0},
};
static const struct flow *const flows[] = {&flow_compose, &flow_train, NULL};

const struct feature feature_compose = {
    .name = "compose",
    .commands = commands,
    .actions = actions,
    .flows = flows,
};
