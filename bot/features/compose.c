/* /announce: an audience of chips, a text in up to three languages, a preview of each, and to a
 * second person. /train is the same with nothing behind it: it has no way to send. */
#include "announce.h"

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

enum { TOPICS = 24, REGIONS = 8, TEXT_MOST = 3000, LANGUAGES_MOST = 8, LIST_MOST = 40 };

static const struct flow flow_compose, flow_train;

/* ---- the draft ---- */

static const char *
kind(struct turn *t)
{
	return strcmp(flow_get(t, "kind"), "train") ? "announce" : "train";
}

static const char *
drafted(struct turn *t, const char *field)
{
	return draft_get(t, kind(t), field);
}

static void
keep(struct turn *t, const char *field, const char *value)
{
	draft_set(t, kind(t), field, value);
}

static const char *
text_field(struct turn *t, int language)
{
	return arena_print(t->arena, "text.%s", words_language(t->words, language));
}

static bool
in_list(const char *list, const char *id)
{
	size_t n = strlen(id);

	for (const char *at = list; (at = strstr(at, id)); at += n)
		if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
			return true;
	return false;
}

static const char *
toggled(struct turn *t, const char *list, const char *id)
{
	const char *out = "";

	if (!in_list(list, id))
		return arena_print(t->arena, "%s%s%s", list, *list ? " " : "", id);
	while (*list) {
		size_t n = strcspn(list, " ");
		const char *one = arena_copy(t->arena, list, n);

		if (strcmp(one, id))
			out = arena_print(t->arena, "%s%s%s", out, *out ? " " : "", one);
		list += n;
		list += strspn(list, " ");
	}
	return out;
}

static bool
is_wide(struct turn *t)
{
	return drafted(t, "wide")[0] || !(t->person->access & COORDINATORS);
}

static struct audience
audience_of(struct turn *t)
{
	return (struct audience){
	    .orgs = is_wide(t) ? drafted(t, "orgs") : "",
	    .languages = drafted(t, "languages"),
	    .regions = drafted(t, "regions"),
	    .topics = drafted(t, "topics"),
	    .events = drafted(t, "events"),
	    .groups = drafted(t, "groups"),
	    .roles = (unsigned)strtoul(drafted(t, "roles"), NULL, 10),
	    .consent = CONSENT_ANNOUNCEMENTS,
	    .within = is_wide(t) ? 0 : t->person->id,
	};
}

/* ---- counts ---- */

struct tally {
	struct card *card;
	int64_t people, skipped[SKIP_COUNT];
	struct {
		const char *name;
		int64_t n;
	} languages[LANGUAGES_MOST], orgs[LIST_MOST];
	int language_count, org_count;
	int64_t seconds;
};

static void
tally_one(struct turn *t, const struct audience_count *count, void *ctx)
{
	struct tally *tally = ctx;
	int i = 0;

	(void)t;
	if (count->skip != SKIP_NONE) {
		tally->skipped[count->skip] += count->n;
		return;
	}
	tally->people += count->n;
	for (i = 0; i < tally->language_count; i++)
		if (!strcmp(tally->languages[i].name, count->language))
			break;
	if (i < LANGUAGES_MOST) {
		tally->languages[i].name = count->language;
		tally->languages[i].n += count->n;
		tally->language_count += i == tally->language_count;
	}
	for (i = 0; i < tally->org_count; i++)
		if (!strcmp(tally->orgs[i].name, count->org))
			break;
	if (i < LIST_MOST) {
		tally->orgs[i].name = count->org;
		tally->orgs[i].n += count->n;
		tally->org_count += i == tally->org_count;
	}
}

static void
tally_network(struct turn *t, const char *network, int64_t n, void *ctx)
{
	struct tally *tally = ctx;
	int64_t seconds = network ? post_seconds(t, n, network) : 0;

	if (seconds > tally->seconds)
		tally->seconds = seconds;
}

static void
count_line(struct turn *t, struct card *card, const char *name, int64_t n)
{
	card_line(card, words(t, "announce.count", "name", name, "n", announce_count(t, n), NULL));
}

/* Who gets it, by language and organisation, who does not and why, and how long it takes. */
static void
add_counts(struct turn *t, struct card *card, bool all)
{
	static const char *const reasons[SKIP_COUNT] = {
	    NULL, "announce.skip_consent", "announce.skip_blocked", "announce.skip_paused"};
	struct audience a = audience_of(t);
	struct tally tally = {0};

	audience_each(t, &a, t->now, tally_one, &tally);
	card_paragraph(card, words(t, "announce.gets", "n", announce_count(t, tally.people), NULL));
	if (!all)
		return;
	for (int i = 0; i < tally.language_count; i++)
		count_line(t, card,
		    words_flat_in(t, tally.languages[i].name, "language.name", NULL),
		    tally.languages[i].n);
	for (int i = 0; i < tally.org_count; i++)
		count_line(
		    t, card, announce_org(t, t->language, tally.orgs[i].name), tally.orgs[i].n);
	for (int i = 1; i < SKIP_COUNT; i++)
		if (tally.skipped[i])
			count_line(t, card, words_flat(t, reasons[i], NULL), tally.skipped[i]);
	audience_networks(t, &a, t->now, tally_network, &tally);
	card_line(card, words_n(t, "announce.minutes", tally.seconds / 60 + 1, NULL));
	if (tally.seconds >= 3600)
		card_line(card, words(t, "announce.slow", NULL));
}

/* ---- audience ---- */

static void
chip(struct turn *t, struct card *card, bool on, const char *label, const char *value)
{
	choose_answer_text(t, card, on ? arena_print(t->arena, "✓ %s", label) : label, value);
}

/* The lists that stand in screens of their own. */
static const struct list {
	const char *field, *prefix, *title;
} lists[] = {
    {"topics", "topic", "announce.topics"},
    {"regions", "region", "announce.regions"},
    {"orgs", "org", "announce.orgs"},
    {"events", "event", "announce.events"},
    {"groups", "group", "announce.groups"},
};
enum { LISTS = sizeof(lists) / sizeof(*lists) };

static const struct list *
list_named(const char *name)
{
	for (size_t i = 0; i < LISTS; i++)
		if (!strcmp(lists[i].prefix, name))
			return &lists[i];
	return NULL;
}

static void
list_numbered(struct turn *t, struct card *card, const struct list *l, int count)
{
	for (int i = 0; i < count; i++) {
		char *id = arena_print(t->arena, "%d", i);

		chip(t, card, in_list(drafted(t, l->field), id),
		    words_flat(t, arena_print(t->arena, "match.%s.%d", l->prefix, i), NULL),
		    arena_print(t->arena, "%s:%s", l->prefix, id));
		if (i % 2)
			card_same_row(card);
	}
}

static struct sql orgs = {"SELECT org FROM person WHERE org <> '' AND joined > 0 GROUP BY org"
			  " ORDER BY org LIMIT ?"};
static struct sql events = {
    "SELECT e.id, e.title FROM event e WHERE e.finish > ? AND EXISTS (SELECT 1 FROM tag g"
    " WHERE g.tag = 'event.' || e.id) ORDER BY e.start LIMIT ?"};
static struct sql groups = {
    "SELECT DISTINCT substr(g.tag, 7) FROM tag g JOIN tag me ON me.tag = g.tag"
    " WHERE me.person = ? AND g.tag >= 'group.' AND g.tag < 'group/' ORDER BY 1 LIMIT ?"};
static struct sql *const statements[] = {&orgs, &events, &groups, NULL};

static void
list_rows(struct turn *t, struct card *card, const struct list *l, struct rows *q)
{
	while (db_next(q)) {
		const char *id = db_text(q, 0), *label = id;

		if (!strcmp(l->prefix, "org"))
			label = announce_org(t, t->language, id);
		if (!strcmp(l->prefix, "event"))
			label = text_isolate(t->arena, db_text(q, 1));
		chip(t, card, in_list(drafted(t, l->field), id), label,
		    arena_print(t->arena, "%s:%s", l->prefix, id));
	}
}

static void
ask_list(struct turn *t, const struct list *l)
{
	struct card *card = words(t, l->title, NULL);

	if (!strcmp(l->prefix, "topic"))
		list_numbered(t, card, l, TOPICS);
	else if (!strcmp(l->prefix, "region"))
		list_numbered(t, card, l, REGIONS);
	else if (!strcmp(l->prefix, "org"))
		list_rows(t, card, l, db_query(t->db, &orgs, V(LIST_MOST)));
	else if (!strcmp(l->prefix, "event"))
		list_rows(t, card, l, db_query(t->db, &events, V(t->now, LIST_MOST)));
	else
		list_rows(t, card, l, db_query(t->db, &groups, V(t->person->id, LIST_MOST)));
	add_counts(t, card, false);
	choose_answer(t, card, "announce.list_done", "list:");
	say(t, card);
}

static void
ask_audience(struct turn *t)
{
	const struct list *open = list_named(flow_get(t, "list"));
	struct card *card;

	if (open) {
		ask_list(t, open);
		return;
	}
	card = words(t, strcmp(kind(t), "train") ? "announce.audience" : "train.audience", NULL);
	for (int i = 0; i < words_count(t->words); i++) {
		const char *language = words_language(t->words, i);

		chip(t, card, in_list(drafted(t, "languages"), language),
		    words_flat_in(t, language, "language.name", NULL),
		    arena_print(t->arena, "language:%s", language));
		if (i)
			card_same_row(card);
	}
	chip(t, card, drafted(t, "roles")[0] != 0, words_flat(t, "announce.coordinators", NULL),
	    "role:2");
	if (t->person->access & COORDINATORS)
		chip(t, card, is_wide(t), words_flat(t, "announce.wide", NULL), "wide:");
	for (size_t i = 0; i < LISTS; i++)
		if (strcmp(lists[i].prefix, "org") || is_wide(t))
			chip(t, card, drafted(t, lists[i].field)[0] != 0,
			    words_flat(t, lists[i].title, NULL),
			    arena_print(t->arena, "list:%s", lists[i].prefix));
	add_counts(t, card, false);
	choose_answer(t, card, "announce.audience_done", "done:");
	say(t, card);
}

static enum next
answer_audience(struct turn *t)
{
	const char *colon = strchr(t->value, ':'), *id;
	const struct list *l;
	char *what;

	if (!t->chosen || !colon) {
		say(t, words(t, "relay.tap", NULL));
		return AGAIN;
	}
	what = arena_copy(t->arena, t->value, (size_t)(colon - t->value));
	id = colon + 1;
	l = list_named(what);
	if (!strcmp(what, "done"))
		return NEXT;
	if (!strcmp(what, "list"))
		flow_set(t, "list", *id ? id : NULL);
	else if (!strcmp(what, "language"))
		keep(t, "languages", toggled(t, drafted(t, "languages"), id));
	else if (!strcmp(what, "wide"))
		keep(t, "wide", drafted(t, "wide")[0] ? NULL : "1");
	else if (!strcmp(what, "role"))
		keep(t, "roles", drafted(t, "roles")[0] ? NULL : id);
	else if (l)
		keep(t, l->field, toggled(t, drafted(t, l->field), id));
	return AGAIN;
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
	const char *was = drafted(t, text_field(t, at_language(t)));

	if (*was) {
		card_paragraph(card, words(t, "announce.text_was", "text", was, NULL));
		choose_answer(t, card, "announce.text_keep", "keep");
	}
	choose_answer(t, card, "announce.text_none", "none");
	say(t, card);
}

/* The first line shows on a locked screen: it names nothing that could endanger (ground rule 8). */
static bool
is_discreet(struct turn *t, const char *text)
{
	const char *line = arena_copy(t->arena, text, strcspn(text, "\n"));
	const char *folded = text_fold(t->arena, line);

	for (int i = 0; i < words_count(t->words); i++) {
		const char *list =
		    words_flat_in(t, words_language(t->words, i), "announce.not_first", NULL);

		for (; *list; list += strspn(list, " ")) {
			size_t n = strcspn(list, " ");

			if (strstr(folded, text_fold(t->arena, arena_copy(t->arena, list, n))))
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
		n += drafted(t, text_field(t, i))[0] != 0;
	return n;
}

static enum next
answer_text(struct turn *t)
{
	const char *field = text_field(t, at_language(t));

	if (t->chosen) {
		if (strcmp(t->value, "keep"))
			keep(t, field, NULL);
	} else if (!t->text[0] || text_scalars(t->text) > TEXT_MOST) {
		say(t, words_n(t, "announce.text_long", TEXT_MOST, NULL));
		return AGAIN;
	} else if (!is_discreet(t, t->text)) {
		say(t, words(t, "announce.indiscreet", NULL));
		return AGAIN;
	} else {
		keep(t, field, t->text);
	}
	if (at_language(t) + 1 < words_count(t->words)) {
		flow_set(t, "at", arena_print(t->arena, "%d", at_language(t) + 1));
		return AGAIN;
	}
	flow_set(t, "at", "0");
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

		if (drafted(t, text_field(t, i))[0])
			continue;
		missing = arena_print(t->arena, "%s%s%s", missing, *missing ? ", " : "",
		    words_flat_in(t, language, "language.name", NULL));
	}
	card = words(t, "announce.missing", "languages", missing, NULL);
	for (int i = 0; i < count; i++) {
		const char *language = words_language(t->words, i);

		if (drafted(t, text_field(t, i))[0]) {
			choose_answer_text(
			    t, card, words_flat_in(t, language, "language.name", NULL), language);
			if (n++)
				card_same_row(card);
		}
	}
	if (!*missing) {
		keep(t, "fallback", words_language(t->words, 0));
		flow_goto(t, "when");
		return;
	}
	say(t, card);
}

static enum next
answer_fallback(struct turn *t)
{
	if (!t->chosen || !words_speaks(t->words, t->value) ||
	    !drafted(t, arena_print(t->arena, "text.%s", t->value))[0]) {
		say(t, words(t, "relay.tap", NULL));
		return AGAIN;
	}
	keep(t, "fallback", t->value);
	return NEXT;
}

/* ---- when ---- */

static const char *
zone_here(struct turn *t)
{
	return conf_list(t->conf, "bot", NULL, "time_zones")[0];
}

static void
ask_when(struct turn *t)
{
	struct card *card = words(t, "announce.when", "zone", zone_here(t), NULL);

	if (!flow_get(t, "of")[0])
		choose_answer(t, card, "announce.when_digest", "digest");
	choose_answer(t, card, "announce.when_now", "now");
	choose_answer(t, card, "announce.when_urgent", "urgent");
	say(t, card);
}

static enum next
answer_when(struct turn *t)
{
	const struct zone *zone = zone_find(t->zones, zone_here(t));
	struct civil wall;
	struct zone_utc utc;
	char text[CIVIL_TEXT];

	if (t->chosen) {
		keep(t, "when", t->value);
		keep(t, "wall", NULL);
		return NEXT;
	}
	if (!zone || !clock_parse(t->text, &wall)) {
		say(t, words(t, "announce.bad_time", NULL));
		return AGAIN;
	}
	utc = zone_to_utc(zone, &wall);
	if (utc.reading == ZONE_GAP) {
		say(t, words(t, "announce.no_such_time", NULL));
		return AGAIN;
	}
	if (utc.utc[0] < t->now + 60) {
		say(t, words(t, "announce.past", NULL));
		return AGAIN;
	}
	keep(t, "when", "wall");
	keep(t, "wall", civil_write(&wall, text));
	if (after_quiet_hours(t, t->person->id, utc.utc[0]) > utc.utc[0])
		say(t, words(t, "announce.quiet", NULL));
	return NEXT;
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
	const char *text = drafted(t, text_field(t, language));

	*written_in = words_language(t->words, language);
	if (*text)
		return text;
	*written_in = drafted(t, "fallback");
	return drafted(t, arena_print(t->arena, "text.%s", *written_in));
}

/* When it would go out, as far as that is known: a digest goes when each one's week is over. */
static void
add_hint(struct turn *t, struct card *card)
{
	const struct zone *zone = zone_find(t->zones, zone_here(t));
	const char *when = drafted(t, "when");
	int64_t at = t->now;
	struct civil wall;

	if (!strcmp(when, "wall") && zone && civil_read(drafted(t, "wall"), &wall))
		at = zone_instant(zone, &wall);
	if (strcmp(when, "digest") != 0)
		warn_add(t, card, &(struct warn_time){at, at}, 1);
}

static void
ask_send(struct turn *t)
{
	bool train = !strcmp(kind(t), "train");
	struct card *card;

	for (int i = 0; i < words_count(t->words); i++) {
		const char *in;
		const char *text = text_for(t, i, &in);
		struct card *shown =
		    announce_card(t, words_language(t->words, i), text, in, own_org(t), 0);

		shown->choices = NULL;
		tell(t, t->person->id, CLASS_REPLY, 0, shown);
	}
	card = words(t, train ? "train.end" : "announce.ready", NULL);
	if (!flow_get(t, "of")[0])
		add_counts(t, card, true);
	if (flow_get(t, "of")[0])
		card_paragraph(
		    card, words(t, "announce.replaces", "number", flow_get(t, "of"), NULL));
	else if (!train && is_wide(t))
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
	const char *text[LANGUAGES_MOST], *when = drafted(t, "when");
	struct audience audience = audience_of(t);
	struct announce a = {
	    .author = t->person->id,
	    .org = own_org(t),
	    .wide = is_wide(t),
	    .class = strcmp(when, "urgent") ? CLASS_ANNOUNCEMENT : CLASS_URGENT,
	    .digest = !strcmp(when, "digest"),
	    .wall = drafted(t, "wall"),
	    .zone = zone_here(t),
	    .audience = audience_pack(t, &audience),
	    .original = strtoll(flow_get(t, "of"), NULL, 10),
	};

	for (int i = 0; i < words_count(t->words); i++)
		text[i] = drafted(t, text_field(t, i));
	return announce_hand_in(t, &a, text, drafted(t, "fallback"));
}

static enum next
answer_send(struct turn *t)
{
	int64_t number;

	if (t->chosen && !strcmp(t->value, "change")) {
		flow_goto(t, "text");
		return JUMPED;
	}
	if (t->chosen && !strcmp(t->value, "discard")) {
		draft_drop(t, kind(t));
		say(t, words(t, "announce.discarded", NULL));
		return DONE;
	}
	if (!t->chosen || strcmp(t->value, "yes")) {
		say(t, words(t, "relay.tap", NULL));
		return AGAIN;
	}
	if (!strcmp(kind(t), "train")) {
		draft_drop(t, "train");
		say(t, words(t, "train.over", NULL));
		return DONE;
	}
	if (people_must_confirm(t, t->person->id)) {
		announce_must_confirm(t, "announce.resume", flow_get(t, "of"));
		return JUMPED;
	}
	number = hand_in(t);
	draft_drop(t, "announce");
	if (number)
		say(t, words(t, "announce.handed_in", "number",
			   arena_print(t->arena, "%lld", (long long)number), NULL));
	else
		say(t, words(t, "announce.nothing_left", NULL));
	return DONE;
}

static const struct step steps[] = {
    {.name = "audience", .ask = ask_audience, .answer = answer_audience},
    {.name = "text", .ask = ask_text, .answer = answer_text},
    {.name = "fallback", .ask = ask_fallback, .answer = answer_fallback},
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
	static const char *const chips[] = {
	    "languages", "regions", "topics", "orgs", "groups", "roles", "wide"};

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
	draft_drop(t, "announce");
	flow_begin(t, &flow_compose);
	flow_set(t, "kind", "announce");
	flow_set(t, "of", t->value);
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
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
};
