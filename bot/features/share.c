/* What is public of an event, to take along: a picture with its QR code, and a file for a person's
 * own calendar. Nothing private is on either. */
#include "occasion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/civil.h"
#include "core/drawing.h"
#include "store/seal.h"

/* The event of the button; false, and said so, when it left its calendar or is not for them. */
static bool
shared(struct turn *t, struct occasion *o)
{
	if (occasion_get(t, strtoll(t->value, NULL, 10), o) &&
	    occasion_visible(o, occasion_access(t)))
		return true;
	occasion_gone(t);
	return false;
}

/* ---- as a picture ---- */

/* A line end in somebody's title would begin an order of its own. */
static const char *
one_line(struct turn *t, const char *text)
{
	char *copy = arena_string(t->arena, text);

	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	return copy;
}

static const char *
lines_of(struct turn *t, const struct occasion *o)
{
	bool rtl = !strcmp(t->language, "ar") || !strcmp(t->language, "he");
	const char *payload = arena_join(t->arena, "e_", occasion_key(t, o->id)), *code,
		   *link = link_to(t, t->person->network, payload),
		   *typed = link_by_hand(t, t->person->network, payload),
		   *cancelled =
		       o->cancelled ? card_plain(t->arena, words(t, "events.cancelled", NULL)) : "";

	if (!link)
		code = "";
	else
		code = arena_print(t->arena, "qr %s\nfoot %s\n", link,
		    typed ? words_flat(t, "engine.scan_typed", "code", typed, NULL)
			  : words_flat(t, "share.scan", NULL));
	return arena_print(t->arena, "%stitle %s\nnote %s\n%s%s%s%s", rtl ? "rtl\n" : "",
	    one_line(t, occasion_title(t, t->language, o)), occasion_when(t, t->language, o),
	    *cancelled ? "head " : "", cancelled, *cancelled ? "\n" : "", code);
}

static void
picture(struct turn *t)
{
	struct occasion o;
	const char *lines;

	if (!shared(t, &o))
		return;
	lines = lines_of(t, &o);
	work_start(t, "share.picture",
	    arena_print(t->arena, "%lld %lld", (long long)t->person->id, (long long)o.id),
	    (struct blob){lines, strlen(lines)});
}

/* With what is on it in words beside it, for whoever cannot see it. */
static void
drawn(struct turn *t, struct blob png)
{
	char *event;
	int64_t person = strtoll(t->key, &event, 10);
	const char *language = language_of(t, person);
	struct card *card =
	    words_in(t, language, png.length ? "share.picture_here" : "results.no_picture", NULL);
	struct occasion o;

	if (png.length && occasion_get(t, strtoll(event, NULL, 10), &o)) {
		card_text(card, "\n", 0);
		card_name(card, occasion_title(t, language, &o));
		card_text(card, "\n", 0);
		card_text(card, occasion_when(t, language, &o), 0);
	}
	drawing_tell(t, person, card, "event.png", png);
}

/* ---- for one's own calendar ---- */

/* The day after the last, as a date, counts from the first wall date. */
static void
days_of(struct invitation *v, const char *wall)
{
	int64_t days = (v->end_s - v->start_s + 43200) / 86400;

	if (!civil_read(wall, &v->start))
		v->all_day = false;
	else
		v->end = civil_from(civil_seconds(&v->start) + 86400 * (days < 1 ? 1 : days));
}

/* With a neutral title nothing but the hour is in it: a calendar is seen by others too. */
static const char *
ics_of(struct turn *t, const struct occasion *o, bool neutral, int64_t stamp_s)
{
	struct invitation v = {
	    .uid =
		o->recurrence[0] ? arena_print(t->arena, "%s/%s", o->uid, o->recurrence) : o->uid,
	    .summary = neutral ? words_flat(t, "share.neutral_title", NULL)
			       : occasion_title(t, t->language, o),
	    .description = neutral ? "" : occasion_text(t, t->language, o, NULL),
	    .location = neutral ? "" : o->place,
	    .url = neutral ? "" : o->url,
	    .sequence = (int)o->sequence,
	    .cancelled = o->cancelled,
	    .all_day = o->all_day,
	    .start_s = o->start,
	    .end_s = o->finish,
	    .stamp_s = stamp_s,
	};

	if (v.all_day)
		days_of(&v, o->wall);
	return calendar_write(t->arena, &v);
}

static void
give_file(struct turn *t, bool neutral)
{
	struct occasion o;
	struct card *card;
	const char *text, *always;

	if (!shared(t, &o))
		return;
	text = ics_of(t, &o, neutral, t->now);
	/* But for the second in which it was made it is the same for all. */
	always = ics_of(t, &o, neutral, 0);
	card = words(t, "share.file_here", NULL);
	card_file(card, file_new(t, "event.ics", text, strlen(text)), "event.ics", "text/calendar",
	    file_key(t, always, strlen(always)));
	if (!neutral)
		choose(t, card, "share.neutral", "share.neutral", occasion_key(t, o.id));
	say(t, card);
}

static void
file(struct turn *t)
{
	give_file(t, false);
}

static void
neutral_file(struct turn *t)
{
	give_file(t, true);
}

static const struct action actions[] = {
    {"share.picture", ANYONE, picture},
    {"share.file", ANYONE, file},
    {"share.neutral", ANYONE, neutral_file},
    {0},
};
static const struct work works[] = {
    {.name = "share.picture", .run = drawing_run, .came = drawn},
    {0},
};

const struct feature feature_share = {
    .name = "share",
    .actions = actions,
    .works = works,
};
