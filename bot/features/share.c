/* What is public of an event, to take along: a picture with its QR code, and a file for a person's
 * own calendar. Nothing private is on either. */
#include "core/people.h"
#include "core/turn.h"

#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/memory.h"
#include "base/picture.h"

static struct sql get = {
    "SELECT title, zone, start, finish, all_day, cancelled, text, place, url, uid, recurrence,"
    " sequence, wall FROM event WHERE id = ?"};
static struct sql *const statements[] = {&get, NULL};

/* NULL, and said so, when it left its calendar. */
static struct rows *
event(struct turn *t)
{
	struct rows *q = db_query(t->db, &get, V(strtoll(t->value, NULL, 10)));
	struct card *card;

	if (db_next(q))
		return q;
	card = words(t, "events.gone", NULL);
	choose_command(t, card, "events");
	say(t, card);
	return NULL;
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
lines_of(struct turn *t, struct rows *q)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	const char *zone = db_text(q, 1)[0] ? db_text(q, 1) : zones[0];
	bool rtl = !strcmp(t->language, "ar") || !strcmp(t->language, "he");
	const char *link =
	    link_to(t, t->person->network, arena_print(t->arena, "e_%s", one_line(t, t->value)));
	const char *cancelled =
	    db_int(q, 5) ? card_plain(t->arena, words(t, "events.cancelled", NULL)) : "";

	return arena_print(t->arena, "%stitle %s\nnote %s\nnote %s\n%s%s\n", rtl ? "rtl\n" : "",
	    one_line(t, db_text(q, 0)),
	    clock_when(t->arena, t->language, t->zones, zones, zone, db_int(q, 2), db_int(q, 3),
		db_int(q, 4)),
	    cancelled, link ? "qr " : "", link ? link : "");
}

static void
picture(struct turn *t)
{
	struct rows *q = event(t);
	const char *lines;

	if (!q)
		return;
	lines = lines_of(t, q);
	db_done(q);
	work_start(t, "share.picture", arena_print(t->arena, "%lld", (long long)t->person->id),
	    (struct blob){lines, strlen(lines)});
}

static struct blob
draw(const struct work_input *input)
{
	struct blob png = {NULL, 0};

	png.length =
	    picture_bars(input->arena, input->input.bytes, input->input.length, &png.bytes);
	return png;
}

static void
drawn(struct turn *t, struct blob png)
{
	int64_t person = strtoll(t->key, NULL, 10);
	struct card *card = words_in(t, language_of(t, person),
	    png.length ? "share.picture_here" : "results.no_picture", NULL);

	if (png.length)
		card_file(card, file_new(t, "event.png", png.bytes, png.length), "event.png",
		    "image/png", NULL);
	tell(t, person, CLASS_REPLY, 0, card);
}

/* ---- for one's own calendar ---- */

static const char *
or_nothing(const char *text)
{
	return text ? text : "";
}

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

static void
file(struct turn *t)
{
	struct rows *q = event(t);
	struct invitation v;
	struct card *card;
	const char *text;

	if (!q)
		return;
	v = (struct invitation){
	    .uid = db_text(q, 10)[0] ? arena_print(t->arena, "%s/%s", db_text(q, 9), db_text(q, 10))
				     : db_text(q, 9),
	    .summary = db_text(q, 0),
	    .description = or_nothing(db_text(q, 6)),
	    .location = or_nothing(db_text(q, 7)),
	    .url = or_nothing(db_text(q, 8)),
	    .sequence = (int)db_int(q, 11),
	    .cancelled = db_int(q, 5),
	    .all_day = db_int(q, 4),
	    .start_s = db_int(q, 2),
	    .end_s = db_int(q, 3),
	    .stamp_s = t->now,
	};
	if (v.all_day)
		days_of(&v, db_text(q, 12));
	text = calendar_write(t->arena, &v);
	db_done(q);
	card = words(t, "share.file_here", NULL);
	card_file(
	    card, file_new(t, "event.ics", text, strlen(text)), "event.ics", "text/calendar", NULL);
	say(t, card);
}

static const struct action actions[] = {
    {"share.picture", ANYONE, picture},
    {"share.file", ANYONE, file},
    {0},
};
static const struct work works[] = {
    {.name = "share.picture", .run = draw, .came = drawn},
    {0},
};

const struct feature feature_share = {
    .name = "share",
    .statements = statements,
    .actions = actions,
    .works = works,
};
