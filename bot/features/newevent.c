/* /newevent: a coordinator writes an event, over days if need be; later changes take the same way,
 * from its preview. */
#include "occasion.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/text.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/audit.h"
#include "core/draft.h"
#include "core/people.h"
#include "core/warn.h"
#include "store/seal.h"

static struct sql add = {
    "INSERT INTO event(calendar, uid, recurrence, title, text, place, zone, wall, start, finish,"
    " all_day, cancelled, once_only, sequence, seen)"
    " VALUES('', ?, '', ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?)"};
static struct sql change = {
    "UPDATE event SET title = ?, text = ?, place = ?, zone = ?, wall = ?, start = ?, finish = ?,"
    " sequence = sequence + 1 WHERE id = ?"};
static struct sql host = {
    "INSERT INTO hosted(event, author, org, kind, capacity, hours, audience, languages,"
    " interpretation, access) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(event) DO UPDATE SET kind = excluded.kind, capacity = excluded.capacity,"
    " hours = excluded.hours, audience = excluded.audience, languages = excluded.languages,"
    " interpretation = excluded.interpretation, access = excluded.access"};
static struct sql text_put = {
    "INSERT INTO hosted_text(event, language, title, text) VALUES(?, ?, ?, ?)"};
static struct sql text_drop = {"DELETE FROM hosted_text WHERE event = ?"};
static struct sql texts = {"SELECT language, title, text FROM hosted_text WHERE event = ?"};
static struct sql call_off = {
    "UPDATE event SET cancelled = 1, sequence = sequence + 1 WHERE id = ? AND cancelled = 0"};
static struct sql *const statements[] = {
    &add, &change, &host, &text_put, &text_drop, &texts, &call_off, NULL};

enum {
	TITLE_MOST = 120,
	TEXT_MOST = 1500,
	SHORT_MOST = 300,
	MINUTES_LEAST = 10,
	MINUTES_GUESSED = 60,
	MINUTES_MOST = 3 * 24 * 60,
	CAPACITY_MOST = 100000,
	UID_BYTES = 12,
	WALL_SHOWN = sizeof("2027-03-26 19:00") - 1
};
#define KIND "event"

static const struct flow flow_event;

/* ---- the draft ---- */

static const char *
drafted(struct turn *t, const char *field)
{
	return draft_get(t, KIND, field);
}

static int64_t
drafted_number(struct turn *t, const char *field)
{
	return strtoll(drafted(t, field), NULL, 10);
}

static void
keep(struct turn *t, const char *field, const char *value)
{
	draft_set(t, KIND, field, value);
}

static void
keep_number(struct turn *t, const char *field, int64_t n)
{
	keep(t, field, arena_print(t->arena, "%lld", (long long)n));
}

/* What was there stands in the question and can be kept. */
static void
add_was(struct turn *t, struct card *card, const char *field)
{
	const char *was = drafted(t, field);

	if (!*was)
		return;
	card_paragraph(card, words(t, "announce.text_was", "text", was, NULL));
	choose_answer(t, card, "announce.text_keep", "keep");
}

/* ---- begin ---- */

static void
ask_begin(struct turn *t)
{
	struct card *card;

	if (!drafted(t, "begun")[0]) {
		keep(t, "begun", "1");
		flow_goto(t, "text");
		return;
	}
	card = words(t, "newevent.draft", NULL);
	choose_answer(t, card, "newevent.go_on", "on");
	choose_answer(t, card, "newevent.anew", "anew");
	card_same_row(card);
	say(t, card);
}

static enum next
answer_begin(struct turn *t)
{
	const char *at;

	if (!t->chosen)
		return flow_again(t, "relay.tap");
	if (!strcmp(t->value, "anew"))
		draft_drop(t, KIND);
	at = arena_string(t->arena, drafted(t, "at"));
	keep(t, "begun", "1");
	flow_goto(t, *at ? at : "text");
	return JUMPED;
}

/* ---- title and text ---- */

static int
at_language(struct turn *t)
{
	return (int)strtol(flow_get(t, "language"), NULL, 10);
}

static const char *
text_field(struct turn *t, int language)
{
	return arena_print(t->arena, "text.%s", words_language(t->words, language));
}

static void
ask_text(struct turn *t)
{
	const char *language = words_language(t->words, at_language(t));
	struct card *card = words(t, "newevent.text", "language",
	    words_flat_in(t, language, "language.name", NULL), NULL);

	draft_at(t, KIND, "text");
	add_was(t, card, text_field(t, at_language(t)));
	choose_answer(t, card, "announce.text_none", "none");
	say(t, card);
}

static const char *
title_in(struct turn *t, const char *both)
{
	size_t n = strcspn(both, "\n|");

	while (n && both[n - 1] == ' ')
		n--;
	return arena_copy(t->arena, both, n);
}

static const char *
text_in(const char *both)
{
	both += strcspn(both, "\n|");
	return both + strspn(both, "\n| ");
}

static enum next
answer_text(struct turn *t)
{
	const char *field = text_field(t, at_language(t));
	int n = 0;

	if (t->chosen) {
		if (strcmp(t->value, "keep"))
			keep(t, field, NULL);
	} else if (t->text[0] && !title_in(t, t->text)[0]) {
		return flow_again(t, "newevent.no_title");
	} else if (!t->text[0] || text_scalars(title_in(t, t->text)) > TITLE_MOST ||
		   text_scalars(t->text) > TEXT_MOST) {
		say(t, words_n(t, "newevent.text_long", TITLE_MOST, NULL));
		return AGAIN;
	} else {
		keep(t, field, t->text);
	}
	if (at_language(t) + 1 < words_count(t->words)) {
		flow_set(t, "language", arena_print(t->arena, "%d", at_language(t) + 1));
		return AGAIN;
	}
	flow_set(t, "language", "0");
	for (int i = 0; i < words_count(t->words); i++)
		n += drafted(t, text_field(t, i))[0] != 0;
	return n ? draft_onward(t) : flow_again(t, "announce.no_text");
}

/* ---- when ---- */

static void
ask_zone(struct turn *t)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	struct card *card = words(t, "newevent.zone", NULL);

	draft_at(t, KIND, "zone");
	for (int i = 0; zones[i]; i++)
		choose_answer_text(t, card, zones[i], zones[i]);
	say(t, card);
}

static enum next
answer_zone(struct turn *t)
{
	const char *name = t->chosen ? t->value : t->text;

	if (!strchr(name, '/') || !zone_find(t->zones, name))
		return flow_again(t, "newevent.no_zone");
	keep(t, "zone", name);
	/* Another clock makes another hour of the same wall time: asked together. */
	flow_goto(t, "when");
	return JUMPED;
}

static void
ask_when(struct turn *t)
{
	struct card *card = words(t, "newevent.when", "zone", drafted(t, "zone"), NULL);
	char *was = arena_string(t->arena, drafted(t, "wall"));

	draft_at(t, KIND, "when");
	if (strlen(was) >= WALL_SHOWN) {
		was[strcspn(was, "T")] = ' ';
		was[WALL_SHOWN] = 0;
		card_paragraph(card, words(t, "announce.text_was", "text", was, NULL));
		choose_answer(t, card, "announce.text_keep", "keep");
	}
	say(t, card);
}

/* What falls on that time, while another one can still be chosen. */
static void
hint(struct turn *t, int64_t start)
{
	int64_t minutes = drafted_number(t, "minutes");
	struct warn_time times[2];
	size_t n = warn_times(t, drafted(t, "zone"), start,
	    start + 60 * (minutes ? minutes : MINUTES_GUESSED), times);
	struct card *card = warn_card(t, times, n);

	if (card)
		say(t, card);
}

static enum next
answer_when(struct turn *t)
{
	const struct zone *zone = zone_find(t->zones, drafted(t, "zone"));
	const char *typed = t->chosen ? drafted(t, "wall") : t->text;
	struct civil wall;
	struct zone_utc utc;
	char text[CIVIL_TEXT];

	if (!zone || (t->chosen ? !civil_read(typed, &wall) : !clock_parse(typed, &wall)))
		return flow_again(t, "announce.bad_time");
	utc = zone_to_utc(zone, &wall);
	if (utc.reading == ZONE_GAP)
		return flow_again(t, "announce.no_such_time");
	if (utc.utc[0] <= t->now)
		return flow_again(t, "announce.past");
	if (utc.reading == ZONE_AMBIGUOUS)
		say(t, words(t, "newevent.twice", NULL));
	keep(t, "wall", civil_write(&wall, text));
	/* Of a change the preview says it. */
	if (!flow_get(t, "only")[0])
		hint(t, utc.utc[0]);
	return draft_onward(t);
}

static void
ask_length(struct turn *t)
{
	static const int minutes[] = {60, 90, 120, 180, 300, 480};
	struct card *card = words(t, "newevent.length", NULL);

	draft_at(t, KIND, "length");
	for (size_t i = 0; i < sizeof(minutes) / sizeof(*minutes); i++) {
		char *n = arena_print(t->arena, "%d", minutes[i]);

		choose_answer_text(
		    t, card, arena_print(t->arena, "%d:%02d", minutes[i] / 60, minutes[i] % 60), n);
		if (i % 3)
			card_same_row(card);
	}
	say(t, card);
}

static enum next
answer_length(struct turn *t)
{
	int64_t n;

	if (!text_number(t->chosen ? t->value : t->text, &n) || n < MINUTES_LEAST ||
	    n > MINUTES_MOST)
		return flow_again(t, "newevent.bad_number");
	keep_number(t, "minutes", n);
	return draft_onward(t);
}

/* ---- what and where ---- */

static void
ask_kind(struct turn *t)
{
	struct card *card = words(t, "newevent.kind", NULL);

	draft_at(t, KIND, "kind");
	choose_answer(t, card, "newevent.joint", "1");
	choose_answer(t, card, "newevent.uninational", "2");
	card_same_row(card);
	choose_answer(t, card, "newevent.unsaid", "0");
	say(t, card);
}

static enum next
answer_kind(struct turn *t)
{
	if (!t->chosen)
		return flow_again(t, "relay.tap");
	keep(t, "kind", t->value);
	return draft_onward(t);
}

static void
ask_short(struct turn *t, const char *key, const char *field)
{
	struct card *card = words(t, key, NULL);

	draft_at(t, KIND, field);
	add_was(t, card, field);
	choose_answer(t, card, "newevent.nothing", "none");
	say(t, card);
}

static enum next
answer_short(struct turn *t, const char *field)
{
	if (t->chosen && !strcmp(t->value, "keep"))
		return draft_onward(t);
	if (!t->chosen && (!t->text[0] || text_scalars(t->text) > SHORT_MOST)) {
		say(t, words_n(t, "newevent.short_long", SHORT_MOST, NULL));
		return AGAIN;
	}
	keep(t, field, t->chosen ? NULL : t->text);
	return draft_onward(t);
}

static void
ask_place(struct turn *t)
{
	ask_short(t, "newevent.place", "place");
}

static enum next
answer_place(struct turn *t)
{
	return answer_short(t, "place");
}

static void
ask_exact(struct turn *t)
{
	ask_short(t, "newevent.exact", "exact");
}

static enum next
answer_exact(struct turn *t)
{
	return answer_short(t, "exact");
}

static void
ask_link(struct turn *t)
{
	ask_short(t, "newevent.link", "link");
}

static enum next
answer_link(struct turn *t)
{
	if (!t->chosen && (strncmp(t->text, "https://", 8) != 0 || strpbrk(t->text, " \n\"<>")))
		return flow_again(t, "newevent.bad_link");
	return answer_short(t, "link");
}

static void
ask_hours(struct turn *t)
{
	static const char *const hours[] = {"2", "6", "12", "24"};
	struct card *card = words(t, "newevent.hours", NULL);

	draft_at(t, KIND, "hours");
	for (int i = 0; i < 4; i++) {
		choose_answer_text(t, card, hours[i], hours[i]);
		if (i)
			card_same_row(card);
	}
	say(t, card);
}

static enum next
answer_hours(struct turn *t)
{
	int64_t n;

	if (!text_number(t->chosen ? t->value : t->text, &n) || n < 1 || n > 24)
		return flow_again(t, "newevent.bad_number");
	keep_number(t, "hours", n);
	return draft_onward(t);
}

/* ---- for whom ---- */

static void
ask_capacity(struct turn *t)
{
	struct card *card = words(t, "newevent.capacity", NULL);

	draft_at(t, KIND, "capacity");
	choose_answer(t, card, "newevent.no_limit", "0");
	say(t, card);
}

static enum next
answer_capacity(struct turn *t)
{
	int64_t n;

	if (!text_number(t->chosen ? t->value : t->text, &n) || n < 0 || n > CAPACITY_MOST)
		return flow_again(t, "newevent.bad_number");
	keep_number(t, "capacity", n);
	return draft_onward(t);
}

static bool
speaks(const char *list, const char *code)
{
	const char *at = strstr(list, code);

	return at && (at == list || at[-1] == ' ');
}

static void
ask_languages(struct turn *t)
{
	struct card *card = words(t, "newevent.languages", NULL);
	const char *list = drafted(t, "languages");
	const char *label = words_flat(t, "newevent.interpretation", NULL);

	draft_at(t, KIND, "languages");
	for (int i = 0; i < words_count(t->words); i++) {
		const char *code = words_language(t->words, i);
		const char *name = words_flat_in(t, code, "language.name", NULL);

		choose_answer_text(
		    t, card, speaks(list, code) ? arena_print(t->arena, "✓ %s", name) : name, code);
		if (i)
			card_same_row(card);
	}
	choose_answer_text(t, card,
	    drafted(t, "interpretation")[0] ? arena_print(t->arena, "✓ %s", label) : label,
	    "interpretation");
	choose_answer(t, card, "newevent.list_done", "done");
	say(t, card);
}

static enum next
answer_languages(struct turn *t)
{
	const char *list = drafted(t, "languages"), *out = "";

	if (!t->chosen)
		return flow_again(t, "relay.tap");
	if (!strcmp(t->value, "done"))
		return draft_onward(t);
	if (!strcmp(t->value, "interpretation")) {
		keep(t, "interpretation", drafted(t, "interpretation")[0] ? NULL : "1");
		return AGAIN;
	}
	for (int i = 0; i < words_count(t->words); i++) {
		const char *code = words_language(t->words, i);

		if (speaks(list, code) != !strcmp(t->value, code))
			out = arena_print(t->arena, "%s%s%s", out, *out ? " " : "", code);
	}
	keep(t, "languages", out);
	return AGAIN;
}

static void
ask_access(struct turn *t)
{
	ask_short(t, "newevent.access", "access");
}

static enum next
answer_access(struct turn *t)
{
	return answer_short(t, "access");
}

static void
ask_audience(struct turn *t)
{
	struct card *card = words(t, "newevent.audience", NULL);

	draft_at(t, KIND, "audience");
	choose_answer(t, card, "newevent.for_all", "0");
	choose_answer(t, card, "newevent.for_members", "1");
	choose_answer(t, card, "newevent.for_coordinators", "18");
	say(t, card);
}

static enum next
answer_audience(struct turn *t)
{
	if (!t->chosen)
		return flow_again(t, "relay.tap");
	keep(t, "audience", t->value);
	return draft_onward(t);
}

/* ---- preview ---- */

/* What the draft makes, with the texts of that language or the first there is; false: something
 * that must be there is not. */
static bool
drafted_as(struct turn *t, int language, struct occasion *o)
{
	const struct zone *zone = zone_find(t->zones, drafted(t, "zone"));
	const char *both = drafted(t, text_field(t, language));
	struct civil wall;

	for (int i = 0; !*both && i < words_count(t->words); i++)
		both = drafted(t, text_field(t, i));
	*o = (struct occasion){
	    .id = drafted_number(t, "id"), .hosted = true, .calendar = "", .uid = ""};
	o->title = title_in(t, both);
	o->text = text_in(both);
	o->zone = drafted(t, "zone");
	o->wall = drafted(t, "wall");
	o->place = drafted(t, "place");
	o->languages = drafted(t, "languages");
	o->access = drafted(t, "access");
	o->url = o->recurrence = "";
	o->org = t->person->access & COORDINATORS ? t->person->org : "";
	o->kind = (enum occasion_kind)drafted_number(t, "kind");
	o->capacity = drafted_number(t, "capacity");
	o->hours = drafted_number(t, "hours") ? drafted_number(t, "hours") : 24;
	o->audience = (unsigned)drafted_number(t, "audience");
	o->interpretation = drafted(t, "interpretation")[0];
	o->has_exact = drafted(t, "exact")[0];
	o->has_link = drafted(t, "link")[0];
	if (!zone || !civil_read(o->wall, &wall) || !o->title[0])
		return false;
	o->start = zone_instant(zone, &wall);
	o->finish = o->start + 60 * drafted_number(t, "minutes");
	return o->finish > o->start;
}

static const char *const fields[] = {"text", "zone", "length", "kind", "place", "exact", "link",
    "hours", "capacity", "languages", "access", "audience", NULL};

static void
ask_preview(struct turn *t)
{
	struct warn_time times[2];
	struct occasion o;
	struct card *card = words(t, "newevent.ready", NULL);

	draft_at(t, KIND, "preview");
	for (int i = 0; i < words_count(t->words); i++) {
		if (!drafted_as(t, i, &o)) {
			flow_goto(t, "text");
			return;
		}
		/* Not its id: what is stored is not what is being written. */
		o.id = 0;
		if (drafted(t, text_field(t, i))[0])
			say(t, occasion_card(t, words_language(t->words, i), &o));
	}
	if (o.has_exact)
		card_paragraph(
		    card, words(t, "newevent.private_place", "place", drafted(t, "exact"), NULL));
	if (o.has_link)
		card_paragraph(
		    card, words(t, "newevent.private_link", "link", drafted(t, "link"), NULL));
	warn_add(t, card, times, warn_times(t, o.zone, o.start, o.finish, times));
	choose_answer(
	    t, card, drafted(t, "id")[0] ? "newevent.save" : "newevent.publish", "publish");
	choose_answer(t, card, "newevent.change", "change");
	choose_answer(t, card, "announce.discard", "discard");
	card_same_row(card);
	say(t, card);
}

static void
ask_change(struct turn *t)
{
	draft_ask_change(t, "newevent.what_change", "newevent.field_", fields);
}

static enum next
answer_change(struct turn *t)
{
	return draft_answer_change(t, fields);
}

/* ---- into the calendar ---- */

static const char *
new_uid(struct turn *t)
{
	unsigned char random[UID_BYTES];
	char *out = "";

	seal_random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		out = arena_print(t->arena, "%s%02x", out, random[i]);
	return arena_print(t->arena, "%s@alumhub", out);
}

static void
put_texts(struct turn *t, int64_t id)
{
	db_run(t->db, &text_drop, V(id));
	for (int i = 0; i < words_count(t->words); i++) {
		const char *both = drafted(t, text_field(t, i));

		if (*both)
			db_run(t->db, &text_put,
			    V(id, words_language(t->words, i), title_in(t, both), text_in(both)));
	}
}

static void
put_details(struct turn *t, const struct occasion *o)
{
	db_run(t->db, &host,
	    V(o->id, t->person->id, o->org, (int)o->kind, o->capacity, o->hours,
		(int64_t)o->audience, o->languages, (int)o->interpretation, o->access));
	put_texts(t, o->id);
}

static void
publish(struct turn *t, struct occasion *o)
{
	o->id = db_insert(t->db, &add,
	    V(new_uid(t), o->title, o->text, o->place, o->zone, o->wall, o->start, o->finish,
		t->now));
	put_details(t, o);
	place_set(t, o->id, drafted(t, "exact"), drafted(t, "link"));
	audit(t, "event.publish", o->id);
}

/* Everybody concerned hears what is different; whoever was told the place hears the new one. */
static void
save(struct turn *t, struct occasion *o, const struct occasion *was)
{
	struct occasion now;
	bool place;

	db_run(t->db, &change,
	    V(o->title, o->text, o->place, o->zone, o->wall, o->start, o->finish, o->id));
	put_details(t, o);
	place = place_set(t, o->id, drafted(t, "exact"), drafted(t, "link"));
	if (!occasion_get(t, o->id, &now))
		return;
	if (place)
		place_changed(t, &now);
	remind_changed(t, was, &now);
	audit(t, "event.change", o->id);
}

static enum next
put(struct turn *t)
{
	struct occasion o, was;
	bool is_new;

	if (!drafted_as(t, 0, &o) || o.start <= t->now)
		return flow_again(t, "announce.past");
	if (!o.id) {
		publish(t, &o);
	} else if (occasion_get(t, o.id, &was) && occasion_may(t, &was) && !was.cancelled) {
		save(t, &o, &was);
	} else {
		occasion_gone(t);
		return DONE;
	}
	is_new = !drafted(t, "id")[0];
	draft_drop(t, KIND);
	if (occasion_get(t, o.id, &o)) {
		remind_plan(t, &o);
		say(t, words(t, is_new ? "newevent.done" : "newevent.saved", NULL));
		say(t, events_card(t, &o));
	}
	return DONE;
}

static enum next
answer_preview(struct turn *t)
{
	if (!t->chosen)
		return flow_again(t, "relay.tap");
	if (!strcmp(t->value, "change"))
		return NEXT;
	if (!strcmp(t->value, "publish"))
		return put(t);
	draft_drop(t, KIND);
	say(t, words(t, "announce.discarded", NULL));
	return DONE;
}

static const struct step steps[] = {
    {.name = "begin", .ask = ask_begin, .answer = answer_begin},
    {.name = "text", .ask = ask_text, .answer = answer_text},
    {.name = "zone", .ask = ask_zone, .answer = answer_zone},
    {.name = "when", .ask = ask_when, .answer = answer_when, .takes_numbers = true},
    {.name = "length", .ask = ask_length, .answer = answer_length, .takes_numbers = true},
    {.name = "kind", .ask = ask_kind, .answer = answer_kind},
    {.name = "place", .ask = ask_place, .answer = answer_place},
    {.name = "exact", .ask = ask_exact, .answer = answer_exact},
    {.name = "link", .ask = ask_link, .answer = answer_link},
    {.name = "hours", .ask = ask_hours, .answer = answer_hours, .takes_numbers = true},
    {.name = "capacity", .ask = ask_capacity, .answer = answer_capacity, .takes_numbers = true},
    {.name = "languages", .ask = ask_languages, .answer = answer_languages},
    {.name = "access", .ask = ask_access, .answer = answer_access},
    {.name = "audience", .ask = ask_audience, .answer = answer_audience},
    {.name = "preview", .ask = ask_preview, .answer = answer_preview},
    {.name = "change", .ask = ask_change, .answer = answer_change},
    {0},
};
static void
kept(struct turn *t)
{
	say(t, words(t, "newevent.kept", NULL));
}

static const struct flow flow_event = {
    .name = "newevent.write", .access = COORDINATORS | ADMINS, .steps = steps, .cancelled = kept};

static void
newevent(struct turn *t)
{
	flow_begin(t, &flow_event);
}

/* ---- later ---- */

static void
load_texts(struct turn *t, int64_t id)
{
	struct rows *q = db_query(t->db, &texts, V(id));

	while (db_next(q))
		keep(t, arena_print(t->arena, "text.%s", db_text(q, 0)),
		    arena_print(t->arena, "%s\n%s", db_text(q, 1), db_text(q, 2)));
}

static void
load(struct turn *t, const struct occasion *o)
{
	draft_drop(t, KIND);
	keep(t, "begun", "1");
	keep(t, "at", "preview");
	keep_number(t, "id", o->id);
	keep(t, "zone", o->zone);
	keep(t, "wall", o->wall);
	keep_number(t, "minutes", (o->finish - o->start) / 60);
	keep_number(t, "kind", (int)o->kind);
	keep(t, "place", o->place);
	keep(t, "exact", place_exact(t, o));
	keep(t, "link", place_link(t, o));
	keep_number(t, "hours", o->hours);
	keep_number(t, "capacity", o->capacity);
	keep(t, "languages", o->languages);
	keep(t, "interpretation", o->interpretation ? "1" : NULL);
	keep(t, "access", o->access);
	keep_number(t, "audience", (int64_t)o->audience);
	load_texts(t, o->id);
}

/* The event of the button, when t->person runs it and it is still ahead. */
static bool
theirs(struct turn *t, struct occasion *o)
{
	if (occasion_get(t, strtoll(t->value, NULL, 10), o) && occasion_may(t, o) &&
	    !o->cancelled && o->start > t->now)
		return true;
	occasion_gone(t);
	return false;
}

static void
edit_later(struct turn *t)
{
	struct occasion o;

	if (!theirs(t, &o))
		return;
	load(t, &o);
	flow_begin(t, &flow_event);
	flow_goto(t, "preview");
}

static void
call_off_ask(struct turn *t)
{
	struct occasion o;
	struct card *card;

	if (!theirs(t, &o))
		return;
	card = words(t, "newevent.call_off_sure", "title", occasion_title(t, t->language, &o), "n",
	    arena_print(t->arena, "%lld", (long long)rsvp_count(t, o.id, RSVP_YES)), NULL);
	choose(t, card, "newevent.call_off_yes", "newevent.call_off_yes", t->value);
	choose(t, card, "newevent.call_off_no", "door.panel", t->value);
	card_same_row(card);
	say(t, card);
}

static void
call_off_now(struct turn *t)
{
	struct occasion was, now;

	if (!theirs(t, &was))
		return;
	db_run(t->db, &call_off, V(was.id));
	if (occasion_get(t, was.id, &now))
		remind_changed(t, &was, &now);
	audit(t, "event.call_off", was.id);
	edit(t, words(t, "newevent.called_off", NULL));
}

static const struct command commands[] = {
    {.name = "newevent", .access = COORDINATORS | ADMINS, .run = newevent},
    {0},
};
static const struct action actions[] = {
    {"newevent.edit", COORDINATORS | ADMINS, edit_later},
    {"newevent.call_off", COORDINATORS | ADMINS, call_off_ask},
    {"newevent.call_off_yes", COORDINATORS | ADMINS, call_off_now},
    {0},
};
static const struct flow *const flows[] = {&flow_event, NULL};

const struct feature feature_newevent = {
    .name = "newevent",
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
};
