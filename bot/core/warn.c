/* What base/almanac.h knows about a time, in words. */
#include "core/warn.h"

#include <stdlib.h>
#include <string.h>

#include "base/almanac.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/sun.h"
#include "base/words.h"
#include "base/zone.h"

enum { DAY = 86400, MIDDAY = 10 * 3600, OVERRIDES_MOST = 200, LINES_MOST = 12, FAR_AWAY_S = 7200 };

static const char *const *
overrides_of(struct turn *t)
{
	const char **list = arena_alloc(t->arena, (OVERRIDES_MOST + 1) * sizeof(*list));
	int n = 0;

	while (n < OVERRIDES_MOST && (list[n] = conf_each(t->conf, "bot", "day_override", n)))
		n++;
	list[n] = NULL;
	return list;
}

static char *
date(struct turn *t, int64_t day)
{
	return clock_date(
	    t->arena, t->language, zone_find(t->zones, almanac_cities[0].zone), day * DAY + MIDDAY);
}

enum sun { NOON, SUNSET, NIGHT };

/* "Jerusalem 16:55 · Haifa 16:53 · …", each on its own clock. */
static const char *
hours(struct turn *t, int64_t day, enum sun sun)
{
	const char *out = "";

	for (const struct almanac_city *c = almanac_cities; c->id; c++) {
		const struct zone *zone = zone_find(t->zones, c->zone);
		int64_t at = sun == NOON ? sun_noon(c->longitude, day)
					 : sun_evening(c->latitude, c->longitude, day,
					       sun == SUNSET ? SUN_SET : SUN_NIGHT);
		struct civil wall = civil_from(at + 30);

		if (zone)
			wall = zone_to_local(zone, at + 30).civil;
		out = arena_print(t->arena, "%s%s%s %02d:%02d", out, *out ? " · " : "",
		    words_flat(t, arena_print(t->arena, "almanac.city.%s", c->id), NULL), wall.hour,
		    wall.minute);
	}
	return out;
}

/* From the configuration, in the reader's language or the first. */
static const char *
own_words(struct turn *t, const char *text)
{
	const char *at = text;

	for (int i = 0; strcmp(words_language(t->words, i), t->language) != 0; i++) {
		at += strcspn(at, "|");
		if (!*at++ || i + 1 >= words_count(t->words))
			return arena_copy(t->arena, text, strcspn(text, "|"));
	}
	return arena_copy(t->arena, at, strcspn(at, "|"));
}

static struct card *
line_of(struct turn *t, const struct almanac_day *d, int64_t at)
{
	const char *name = d->id ? words_flat(t, arena_print(t->arena, "almanac.%s", d->id), NULL)
				 : own_words(t, d->text);

	switch (d->span) {
	case ALMANAC_DAY:
		break;
	case ALMANAC_EVENING:
		if (d->id && !strcmp(d->id, "ramadan"))
			return words(t, "warn.ramadan", "name", name, "from", date(t, d->first),
			    "to", date(t, d->last), "hours", hours(t, at, SUNSET), NULL);
		return words(t, "warn.evening", "name", name, "from", date(t, d->first - 1), "to",
		    date(t, d->last), NULL);
	case ALMANAC_FAST:
		return words(t, "warn.fast", "name", name, "date", date(t, d->first), NULL);
	case ALMANAC_SHABBAT:
		return words(t, "warn.shabbat", "name", name, "from", hours(t, d->first, SUNSET),
		    "to", hours(t, d->last, NIGHT), NULL);
	case ALMANAC_NOON:
		return words(t, "warn.noon", "name", name, "hours", hours(t, d->first, NOON), NULL);
	case ALMANAC_IFTAR:
		return words(t, "warn.iftar", "hours", hours(t, d->first, SUNSET), NULL);
	}
	return d->first == d->last
		   ? words(t, "warn.day", "name", name, "date", date(t, d->first), NULL)
		   : words(t, "warn.days", "name", name, "from", date(t, d->first), "to",
			 date(t, d->last), NULL);
}

/* ---- several times, each day once ---- */

struct lines {
	struct card *card;
	struct almanac_day seen[LINES_MOST];
	size_t count;
	bool moon;
};

static bool
is_new(const struct lines *l, const struct almanac_day *d)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->seen[i].first == d->first &&
		    !strcmp(
			l->seen[i].id ? l->seen[i].id : l->seen[i].text, d->id ? d->id : d->text))
			return false;
	return l->count < LINES_MOST;
}

static void
add_time(struct turn *t, struct lines *l, const struct warn_time *time)
{
	int64_t until = time->until > time->from ? time->until : time->from + 1;
	struct almanac_day *days;
	size_t n = almanac_between(t->arena, t->zones, overrides_of(t), time->from, until, &days);

	for (size_t i = 0; i < n; i++) {
		if (!is_new(l, &days[i]))
			continue;
		if (!l->count)
			l->card = words(t, "warn.title", NULL);
		l->seen[l->count++] = days[i];
		l->moon |= days[i].moon && days[i].span != ALMANAC_IFTAR;
		card_text(l->card, "\n• ", 0);
		card_append(l->card, line_of(t, &days[i], civil_floor(time->from, DAY)));
	}
}

size_t
warn_times(
    struct turn *t, const char *zone_name, int64_t start, int64_t finish, struct warn_time times[2])
{
	const struct zone *zone = zone_find(t->zones, zone_name);
	const struct zone *here = zone_find(t->zones, almanac_cities[0].zone);
	struct civil wall;
	int64_t as_here;

	times[0] = (struct warn_time){start, finish};
	if (!zone || !here)
		return 1;
	wall = zone_to_local(zone, start).civil;
	as_here = zone_instant(here, &wall);
	times[1] = (struct warn_time){as_here, as_here + finish - start};
	return llabs(as_here - start) < FAR_AWAY_S ? 1 : 2;
}

struct card *
warn_card(struct turn *t, const struct warn_time *times, size_t count)
{
	struct lines l = {0};

	for (size_t i = 0; i < count; i++)
		add_time(t, &l, &times[i]);
	if (!l.count)
		return NULL;
	if (l.moon)
		card_line(l.card, words(t, "warn.moon", NULL));
	card_line(l.card, words(t, "warn.hint", NULL));
	return l.card;
}

bool
warn_add(struct turn *t, struct card *card, const struct warn_time *times, size_t count)
{
	struct card *warning = warn_card(t, times, count);

	if (warning)
		card_paragraph(card, warning);
	return warning;
}
