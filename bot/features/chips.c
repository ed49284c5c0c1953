/* Who an announcement is for: chips of one kind widen it, kinds narrow each other; with live counts,
 * the rooms it is posted into, and an honest word about the time it takes. */
#include "compose.h"
#include "training.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/text.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/people.h"
#include "core/room.h"

enum { TOPICS = 24, REGIONS = 8, LANGUAGES_MOST = 8, LIST_MOST = 40, HOUR = 3600 };

/* ---- lists of ids ---- */

bool
chips_in(const char *list, const char *id)
{
	size_t n = strlen(id);

	for (const char *at = list; (at = strstr(at, id)); at += n)
		if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
			return true;
	return false;
}

const char *
chips_toggled(struct turn *t, const char *list, const char *id)
{
	const char *out = "";

	if (!chips_in(list, id))
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

/* ---- the audience ---- */

struct audience
chips_audience(struct turn *t)
{
	bool wide = compose_wide(t);

	return (struct audience){
	    .orgs = wide ? compose_get(t, "orgs") : "",
	    .languages = compose_get(t, "languages"),
	    .regions = compose_get(t, "regions"),
	    .topics = compose_get(t, "topics"),
	    .events = compose_get(t, "events"),
	    .groups = compose_get(t, "groups"),
	    .roles = (unsigned)strtoul(compose_get(t, "roles"), NULL, 10),
	    .consent = CONSENT_ANNOUNCEMENTS,
	    .within = wide ? 0 : t->person->id,
	    .instead = chips_rooms(t)[0] ? compose_get(t, "instead") : "",
	};
}

/* A room of an organisation is its own coordinators'; one of the network takes a wide announcement. */
static bool
may_post(struct turn *t, const struct room *room)
{
	if (compose_wide(t))
		return true;
	return room->org[0] && people_holds(t, t->person->id, COORDINATORS, room->org);
}

const char *
chips_rooms(struct turn *t)
{
	const char *chosen = compose_get(t, "rooms"), *out = "";
	struct room room;

	for (int i = 0; *chosen && room_get(t, i, &room); i++)
		if (chips_in(chosen, room.name) && may_post(t, &room))
			out = arena_print(t->arena, "%s%s%s", out, *out ? " " : "", room.name);
	return out;
}

bool
chips_has_rooms(struct turn *t)
{
	struct room room;

	for (int i = 0; room_get(t, i, &room); i++)
		if (may_post(t, &room))
			return true;
	return false;
}

static struct sql event_title = {"SELECT title FROM event WHERE id = ?"};

static const char *
name_of(struct turn *t, const char *prefix, const char *id)
{
	const char *key = arena_print(t->arena, "match.%s.%s", prefix, id), *title;
	struct room room;

	if (!strcmp(prefix, "language"))
		return words_flat_in(t, id, "language.name", NULL);
	if (!strcmp(prefix, "org"))
		return announce_org(t, t->language, id);
	if (!strcmp(prefix, "network"))
		return announce_network(t, t->language, id);
	if (!strcmp(prefix, "room") && room_named(t, id, &room))
		return room.title;
	if (!strcmp(prefix, "event") &&
	    (title = db_string(t->db, &event_title, V(strtoll(id, NULL, 10)))))
		return title;
	return words_has(t->words, key) ? words_flat(t, key, NULL) : id;
}

const char *
chips_listed(struct turn *t, const char *list, const char *name)
{
	return *list ? words_flat(t, "announce.list", "list", list, "name", name, NULL) : name;
}

const char *
chips_named(struct turn *t, const char *list, const char *prefix)
{
	const char *out = "";

	for (; list && *list; list += strspn(list, " ")) {
		size_t n = strcspn(list, " ");

		out = chips_listed(t, out, name_of(t, prefix, arena_copy(t->arena, list, n)));
		list += n;
	}
	return out;
}

/* ---- counts ---- */

struct tally {
	int64_t people, skipped[SKIP_COUNT];
	struct {
		const char *name;
		int64_t n;
	} languages[LANGUAGES_MOST], orgs[LIST_MOST];
	int language_count, org_count;
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
count_line(struct turn *t, struct card *card, const char *name, int64_t n)
{
	card_line(card,
	    words(t, "announce.count", "name", name, "n", announce_count(t, t->language, n), NULL));
}

static void
add_sum(struct turn *t, struct card *card)
{
	struct audience a = chips_audience(t);

	card_paragraph(
	    card, words(t, "announce.gets", "n",
		      announce_count(t, t->language, audience_size(t, &a, t->now)), NULL));
}

void
chips_counts(struct turn *t, struct card *card)
{
	static const char *const reasons[SKIP_COUNT] = {NULL, "announce.skip_consent",
	    "announce.skip_blocked", "announce.skip_paused", "announce.skip_room"};
	struct audience a = chips_audience(t);
	struct tally tally = {0};
	const char *rooms = chips_named(t, chips_rooms(t), "room");

	audience_each(t, &a, t->now, tally_one, &tally);
	card_paragraph(card,
	    words(t, "announce.gets", "n", announce_count(t, t->language, tally.people), NULL));
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
	if (*rooms)
		card_line(card, words(t, "announce.into_rooms", "rooms", rooms, NULL));
}

/* ---- the time it takes ---- */

struct slowest {
	int64_t seconds, people;
	const char *network;
};

static void
slower(struct turn *t, const char *network, int64_t n, void *ctx)
{
	struct slowest *s = ctx;
	int64_t seconds = network ? post_seconds(t, n, network) : 0;

	s->people += n;
	if (seconds <= s->seconds)
		return;
	s->seconds = seconds;
	s->network = network;
}

static const char *
moment(struct turn *t, int64_t when)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");

	return clock_when(t->arena, t->language, t->zones, zones, zones[0], when, 0, false);
}

bool
chips_time(struct turn *t, struct card *card, const struct audience *audience, enum class class,
    int64_t from)
{
	struct slowest s = {0};
	int64_t over, begins = post_over(t, class, from, 1) - 1;
	int64_t lasts = class == CLASS_URGENT ? 86400 : 7 * 86400;

	audience_networks(t, audience, from, slower, &s);
	if (begins > from)
		card_line(card,
		    words(t, "announce.quiet_wait", "n", announce_count(t, t->language, s.people),
			"time", moment(t, begins), NULL));
	if (s.seconds < HOUR) {
		card_line(card, words_n(t, "announce.minutes", s.seconds / 60 + 1, NULL));
		return false;
	}
	over = post_over(t, class, from, s.seconds);
	card_line(card, words_n(t, "announce.hours", (s.seconds + HOUR / 2) / HOUR, "network",
			    announce_network(t, t->language, s.network), NULL));
	card_line(card, words(t, "announce.over", "time", moment(t, over), NULL));
	if (over > from + lasts)
		card_line(card, words_n(t, "announce.too_slow", lasts / 86400, NULL));
	return true;
}

/* ---- the screens ---- */

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
    {"rooms", "room", "announce.rooms"},
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

		chip(t, card, chips_in(compose_get(t, l->field), id), name_of(t, l->prefix, id),
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
static struct sql *const statements[] = {&event_title, &orgs, &events, &groups, NULL};

static void
list_rows(struct turn *t, struct card *card, const struct list *l, struct rows *q)
{
	while (db_next(q)) {
		const char *id = db_text(q, 0), *label = id;

		if (!strcmp(l->prefix, "org"))
			label = announce_org(t, t->language, id);
		if (!strcmp(l->prefix, "event"))
			label = text_isolate(t->arena, db_text(q, 1));
		if (!strcmp(l->prefix, "group"))
			label = words_flat(t, "announce.group", "number", id, NULL);
		chip(t, card, chips_in(compose_get(t, l->field), id), label,
		    arena_print(t->arena, "%s:%s", l->prefix, id));
	}
}

/* Rooms too, and for each network whether they stand for its people. */
static void
list_rooms(struct turn *t, struct card *card)
{
	const char *chosen = chips_rooms(t), *networks = "";
	struct room room;

	for (int i = 0; room_get(t, i, &room); i++) {
		if (!may_post(t, &room))
			continue;
		chip(t, card, chips_in(chosen, room.name),
		    arena_print(t->arena, "%s · %s", room.title,
			announce_network(t, t->language, room.network)),
		    arena_print(t->arena, "room:%s", room.name));
		if (chips_in(chosen, room.name) && !chips_in(networks, room.network))
			networks = chips_toggled(t, networks, room.network);
	}
	while (*networks) {
		size_t n = strcspn(networks, " ");
		const char *network = arena_copy(t->arena, networks, n);

		chip(t, card, chips_in(compose_get(t, "instead"), network),
		    words_flat(t, "announce.instead", "network",
			announce_network(t, t->language, network), NULL),
		    arena_print(t->arena, "instead:%s", network));
		networks += n;
		networks += strspn(networks, " ");
	}
}

static void
ask_list(struct turn *t, const struct list *l)
{
	struct card *card = words(t, arena_print(t->arena, "%s_title", l->title), NULL);

	if (!strcmp(l->prefix, "topic"))
		list_numbered(t, card, l, TOPICS);
	else if (!strcmp(l->prefix, "region"))
		list_numbered(t, card, l, REGIONS);
	else if (!strcmp(l->prefix, "org"))
		list_rows(t, card, l, db_query(t->db, &orgs, V(LIST_MOST)));
	else if (!strcmp(l->prefix, "event"))
		list_rows(t, card, l, db_query(t->db, &events, V(t->now, LIST_MOST)));
	else if (!strcmp(l->prefix, "group"))
		list_rows(t, card, l, db_query(t->db, &groups, V(t->person->id, LIST_MOST)));
	else
		list_rooms(t, card);
	add_sum(t, card);
	if (!strcmp(l->prefix, "group"))
		choose_answer(t, card, "announce.group_link", "link:");
	choose_answer(t, card, "announce.list_done", "list:");
	say(t, card);
}

/* Whether this list has anything to choose from for this person. */
static bool
offered(struct turn *t, const struct list *l)
{
	if (!strcmp(l->prefix, "org"))
		return compose_wide(t);
	if (!strcmp(l->prefix, "room"))
		return chips_has_rooms(t);
	return true;
}

void
chips_ask(struct turn *t)
{
	const struct list *open = list_named(flow_get(t, "list"));
	struct card *card;

	if (open && offered(t, open)) {
		ask_list(t, open);
		return;
	}
	card = words(
	    t, strcmp(compose_kind(t), "train") ? "announce.audience" : "train.audience", NULL);
	for (int i = 0; i < words_count(t->words); i++) {
		const char *language = words_language(t->words, i);

		chip(t, card, chips_in(compose_get(t, "languages"), language),
		    words_flat_in(t, language, "language.name", NULL),
		    arena_print(t->arena, "language:%s", language));
		if (i)
			card_same_row(card);
	}
	chip(t, card, compose_get(t, "roles")[0] != 0, words_flat(t, "announce.coordinators", NULL),
	    "role:2");
	if (t->person->access & COORDINATORS)
		chip(t, card, compose_wide(t), words_flat(t, "announce.wide", NULL), "wide:");
	for (size_t i = 0; i < LISTS; i++)
		if (offered(t, &lists[i]))
			chip(t, card, compose_get(t, lists[i].field)[0] != 0,
			    words_flat(t, lists[i].title, NULL),
			    arena_print(t->arena, "list:%s", lists[i].prefix));
	add_sum(t, card);
	choose_answer(t, card, "announce.audience_done", "done:");
	say(t, card);
}

/* Somebody who came from the last screen for rooms alone goes back there. */
static enum next
close_list(struct turn *t)
{
	const char *from = flow_get(t, "from");

	flow_set(t, "list", NULL);
	if (!*from)
		return AGAIN;
	flow_set(t, "from", NULL);
	flow_goto(t, "send");
	return JUMPED;
}

enum next
chips_answer(struct turn *t)
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
	if (!strcmp(what, "list") && !*id)
		return close_list(t);
	if (!strcmp(what, "list"))
		flow_set(t, "list", id);
	else if (!strcmp(what, "link"))
		training_link(t);
	else if (!strcmp(what, "language") || !strcmp(what, "instead"))
		compose_set(t, *what == 'l' ? "languages" : "instead",
		    chips_toggled(t, compose_get(t, *what == 'l' ? "languages" : "instead"), id));
	else if (!strcmp(what, "wide"))
		compose_set(t, "wide", compose_get(t, "wide")[0] ? NULL : "1");
	else if (!strcmp(what, "role"))
		compose_set(t, "roles", compose_get(t, "roles")[0] ? NULL : id);
	else if (l)
		compose_set(t, l->field, chips_toggled(t, compose_get(t, l->field), id));
	return AGAIN;
}

const struct feature feature_chips = {.name = "chips", .statements = statements};
