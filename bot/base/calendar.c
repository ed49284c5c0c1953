#include "base/calendar.h"

#include <libical/ical.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicode/ucal.h>
#include <unicode/ustring.h>

#include "base/arena.h"
#include "base/recurrence.h"
#include "base/text.h"
#include "base/zone.h"

enum {
	DAY_S = 86400,
	LINE = 65536,	     /* bytes of one unfolded line; what is behind is cut */
	COMPONENT = 1 << 20, /* bytes of one event */
	OWN_ZONES = 64,	     /* that a calendar may define; the others are unknown to it */
	STEPS = 1000,	     /* changes of a zone the calendar defines itself */
	KEYS = 20000,	     /* instances of one event */
	INSTANCES = 20001, /* one more than events.c takes, which then looks less far ahead */
	WORK = 8000000, /* recurrence steps of one calendar_between */
};

struct list {
	int64_t *items;
	size_t count, room;
};

/* A clock: a system zone, one the calendar defines itself, or neither, which is UTC. */
struct place {
	struct place *next;
	const char *id;	  /* as the calendar calls it */
	const char *name; /* the system's name, or "" */
	const struct zone *zone;
	struct zone_step *steps;
	size_t count;
	int32_t before_s;
};

struct moment {
	const struct place *place;
	int64_t wall_s, utc_s;
	bool date, floating;
};

struct extra {
	struct extra *next;
	struct moment at;
	int64_t length_s; /* -1: as the event's own */
};

struct event {
	const char *uid, *summary, *description, *location, *url;
	int sequence, order, days;
	bool cancelled, once_only, moved, future, exact, used;
	struct moment start, rid, end;
	bool end_given;
	int64_t length_s;
	struct rule *rules, *exrules;
	struct extra *rdates, *exdates;
};

struct calendar {
	struct arena *arena;
	struct zones *zones;
	struct place utc, *floating, *places;
	struct event **events;
	size_t count, room;
	int problems;
	int64_t work;
	int own_zones;
};

struct reader {
	struct calendar *calendar;
	const char *at, *end;
	char *line, *body;
	size_t length, body_length;
};

static void
list_add(struct arena *arena, struct list *list, int64_t item)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		int64_t *items = arena_alloc(arena, room * sizeof *items);
		if (list->count)
			memcpy(items, list->items, list->count * sizeof *items);
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = item;
}

static int
compare_items(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int32_t
place_offset(const struct place *place, int64_t utc_s)
{
	int32_t offset_s = place->before_s;

	if (place->zone)
		return zone_offset(place->zone, utc_s);
	for (size_t i = 0; i < place->count && place->steps[i].utc <= utc_s; i++)
		offset_s = place->steps[i].offset_s;
	return offset_s;
}

/* As zone_instant reads it: of two the first, in a gap the offset before it. */
static int64_t
place_instant(const struct place *place, int64_t wall_s)
{
	if (place->zone) {
		struct civil wall = civil_from(wall_s);
		return zone_instant(place->zone, &wall);
	}
	int32_t before_s = place_offset(place, wall_s - DAY_S),
		after_s = place_offset(place, wall_s + DAY_S);
	int64_t first = wall_s - before_s, second = wall_s - after_s;
	if (place_offset(place, first) == before_s || place_offset(place, second) != after_s)
		return first;
	return second;
}

/* The system's zone behind a TZID: as it stands, a Windows name, or behind another program's
 * prefix. */
static const struct zone *
find_zone(struct zones *zones, const char *id)
{
	char name[128];
	UChar windows[128], system[128];
	UErrorCode error = U_ZERO_ERROR;
	const struct zone *zone = zone_find(zones, id);

	if (zone)
		return zone;
	u_strFromUTF8(windows, 128, NULL, id, -1, &error);
	int32_t length = ucal_getTimeZoneIDForWindowsID(windows, -1, "001", system, 128, &error);
	if (!U_FAILURE(error) && length > 0 && length < 128) {
		u_strToUTF8(name, sizeof name, NULL, system, length, &error);
		return U_FAILURE(error) ? NULL : zone_find(zones, name);
	}
	for (const char *slash = strchr(id, '/'); slash && !zone; slash = strchr(slash + 1, '/'))
		if (strchr(slash + 1, '/') || slash == id)
			zone = zone_find(zones, slash + 1);
	return zone;
}

static struct place *
add_place(struct calendar *c, const char *id, const struct zone *zone)
{
	struct place *place = arena_alloc(c->arena, sizeof *place);

	place->id = arena_string(c->arena, id);
	place->zone = zone;
	place->name = zone ? arena_string(c->arena, zone_name(zone)) : "";
	place->next = c->places;
	c->places = place;
	return place;
}

/* Never NULL: an unknown zone counts as a problem once and is read as the calendar's own. */
static const struct place *
place_of(struct calendar *c, const char *id)
{
	for (struct place *p = c->places; p; p = p->next)
		if (strcmp(p->id, id) == 0)
			return p;
	const struct zone *zone = find_zone(c->zones, id);
	if (!zone)
		c->problems++;
	return add_place(c, id, zone ? zone : c->floating->zone);
}

static bool
moment_from(struct calendar *c, struct icaltimetype t, const char *tzid, struct moment *m)
{
	struct civil wall = {.year = t.year, .month = t.month, .day = t.day};

	if (!t.is_date) {
		wall.hour = t.hour;
		wall.minute = t.minute;
		wall.second = t.second == 60 ? 59 : t.second;
	}
	if (!civil_valid(&wall))
		return false;
	m->date = t.is_date;
	m->floating = !m->date && !icaltime_is_utc(t) && !tzid;
	m->place = m->date || m->floating	 ? c->floating
		   : tzid && !icaltime_is_utc(t) ? place_of(c, tzid)
						 : &c->utc;
	m->wall_s = civil_seconds(&wall);
	m->utc_s = place_instant(m->place, m->wall_s);
	return true;
}

static const char *
tzid_of(icalproperty *property)
{
	icalparameter *parameter = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER);
	const char *id = parameter ? icalparameter_get_tzid(parameter) : NULL;

	return id && *id ? id : NULL;
}

static bool
moment_of(struct calendar *c, icalproperty *property, struct moment *m)
{
	icalvalue *value = icalproperty_get_value(property);
	icalvalue_kind kind = value ? icalvalue_isa(value) : ICAL_NO_VALUE;

	if (kind != ICAL_DATE_VALUE && kind != ICAL_DATETIME_VALUE &&
	    kind != ICAL_DATETIMEDATE_VALUE)
		return false;
	struct icaltimetype t =
	    kind == ICAL_DATE_VALUE ? icalvalue_get_date(value) : icalvalue_get_datetime(value);
	return !icaltime_is_null_time(t) && moment_from(c, t, tzid_of(property), m);
}

static char *
text_of(struct calendar *c, const char *text, size_t scalars)
{
	return text ? text_clean(c->arena, text, strlen(text), scalars)
		    : arena_string(c->arena, "");
}

static void
add_extra(struct calendar *c, struct event *e, icalproperty *property, bool is_rdate)
{
	struct extra extra = {.length_s = -1};
	icalvalue *value = icalproperty_get_value(property);
	bool good;

	if (is_rdate && value &&
	    (icalvalue_isa(value) == ICAL_PERIOD_VALUE ||
		icalvalue_isa(value) == ICAL_DATETIMEPERIOD_VALUE)) {
		struct icaldatetimeperiodtype both = icalproperty_get_rdate(property);
		bool is_period = !icaltime_is_null_time(both.period.start);
		good = moment_from(
		    c, is_period ? both.period.start : both.time, tzid_of(property), &extra.at);
		struct moment end;
		if (is_period && !icaltime_is_null_time(both.period.end)) {
			if (good && moment_from(c, both.period.end, tzid_of(property), &end))
				extra.length_s = end.utc_s - extra.at.utc_s;
		} else if (is_period) {
			extra.length_s = icaldurationtype_as_int(both.period.duration);
		}
	} else {
		good = moment_of(c, property, &extra.at);
	}
	if (!good) {
		c->problems++;
		return;
	}
	struct extra **into = is_rdate ? &e->rdates : &e->exdates;
	extra.next = *into;
	*into = arena_alloc(c->arena, sizeof extra);
	**into = extra;
}

static void
read_recurrence_id(struct calendar *c, struct event *e, icalproperty *property)
{
	icalparameter *range = icalproperty_get_first_parameter(property, ICAL_RANGE_PARAMETER);

	e->moved = moment_of(c, property, &e->rid);
	e->future = range && icalparameter_get_range(range) == ICAL_RANGE_THISANDFUTURE;
}

static void
read_duration(struct event *e, icalproperty *property)
{
	struct icaldurationtype d = icalproperty_get_duration(property);

	if (d.is_neg)
		return;
	e->days = (int)(d.weeks * 7 + d.days) % 36600;
	e->length_s = (int64_t)d.hours * 3600 + (int64_t)d.minutes * 60 + d.seconds;
}

static void
read_property(struct calendar *c, struct event *e, icalproperty *p, bool *start)
{
	switch ((int)icalproperty_isa(p)) {
	case ICAL_UID_PROPERTY:
		e->uid = text_of(c, icalproperty_get_uid(p), 300);
		break;
	case ICAL_SUMMARY_PROPERTY:
		e->summary = text_of(c, icalproperty_get_summary(p), 300);
		break;
	case ICAL_DESCRIPTION_PROPERTY:
		e->description = text_of(c, icalproperty_get_description(p), 4000);
		break;
	case ICAL_LOCATION_PROPERTY:
		e->location = text_of(c, icalproperty_get_location(p), 500);
		break;
	case ICAL_URL_PROPERTY:
		e->url = text_of(c, icalproperty_get_url(p), 2000);
		break;
	case ICAL_SEQUENCE_PROPERTY:
		e->sequence = icalproperty_get_sequence(p);
		break;
	case ICAL_STATUS_PROPERTY:
		e->cancelled = icalproperty_get_status(p) == ICAL_STATUS_CANCELLED;
		break;
	case ICAL_DTSTART_PROPERTY:
		*start = moment_of(c, p, &e->start);
		break;
	case ICAL_DTEND_PROPERTY:
		e->end_given = moment_of(c, p, &e->end);
		break;
	case ICAL_DURATION_PROPERTY:
		read_duration(e, p);
		break;
	case ICAL_RECURRENCEID_PROPERTY:
		read_recurrence_id(c, e, p);
		break;
	case ICAL_RDATE_PROPERTY:
	case ICAL_EXDATE_PROPERTY:
		add_extra(c, e, p, icalproperty_isa(p) == ICAL_RDATE_PROPERTY);
		break;
	default:
		break;
	}
}

static void
settle_length(struct event *e)
{
	if (e->end_given && e->start.date) {
		e->days = (int)civil_floor(e->end.wall_s - e->start.wall_s, DAY_S);
		e->length_s = 0;
	} else if (e->end_given) {
		e->exact = true;
		e->days = 0;
		e->length_s = e->end.utc_s - e->start.utc_s;
	}
	if (e->start.date) {
		e->length_s = 0;
		e->days = e->days < 1 ? 1 : e->days;
	}
	e->length_s = e->length_s < 0 ? 0 : e->length_s;
}

static void
add_event(struct calendar *c, struct event *e)
{
	if (c->count == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		struct event **events = arena_alloc(c->arena, room * sizeof(struct event *));
		if (c->count)
			memcpy(events, c->events, c->count * sizeof(struct event *));
		c->events = events;
		c->room = room;
	}
	e->order = (int)c->count;
	c->events[c->count++] = e;
}

/* Rules are kept from libical: its reader has fixed sizes, and what it rejects would be lost
 * silently. */
static bool
take_rule(struct calendar *c, struct event *e, const char *line)
{
	bool is_rule = strncasecmp(line, "RRULE", 5) == 0;
	size_t name = is_rule ? 5 : 6;

	if (!is_rule && strncasecmp(line, "EXRULE", 6) != 0)
		return false;
	if (line[name] != ':' && line[name] != ';')
		return false;
	const char *colon = strchr(line, ':');
	struct rule *rule = arena_alloc(c->arena, sizeof *rule);
	if (!colon || !recurrence_read(rule, colon + 1)) {
		c->problems++;
		return true;
	}
	struct rule **into = is_rule ? &e->rules : &e->exrules;
	if (rule->once_only) {
		e->once_only = e->once_only || is_rule;
		return true;
	}
	rule->next = *into;
	*into = rule;
	return true;
}

/* The next line, unfolded, without its end; false behind the last. */
static bool
next_line(struct reader *r)
{
	r->length = 0;
	if (r->at >= r->end)
		return false;
	for (;;) {
		const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
		const char *stop = newline ? newline : r->end;
		size_t length = (size_t)(stop - r->at);
		while (length > 0 && r->at[length - 1] == '\r')
			length--;
		size_t room = LINE - 1 - r->length;
		memcpy(r->line + r->length, r->at, length < room ? length : room);
		r->length += length < room ? length : room;
		r->at = newline ? newline + 1 : r->end;
		if (r->at >= r->end || (*r->at != ' ' && *r->at != '\t'))
			break;
		r->at++;
	}
	for (size_t i = 0; i < r->length; i++)
		if (r->line[i] == 0)
			r->line[i] = ' ';
	r->line[r->length] = 0;
	return true;
}

static bool
line_is(const struct reader *r, const char *what)
{
	size_t length = strlen(what);

	return strncasecmp(r->line, what, length) == 0 &&
	       strspn(r->line + length, " \t") == r->length - length;
}

static void
keep_line(struct reader *r)
{
	if (r->body_length + r->length + 2 > COMPONENT - 32)
		return;
	memcpy(r->body + r->body_length, r->line, r->length);
	r->body_length += r->length;
	memcpy(r->body + r->body_length, "\r\n", 3);
	r->body_length += 2;
}

static void
finish_event(struct reader *r, struct event *e)
{
	struct calendar *c = r->calendar;
	bool start = false;

	memcpy(r->body + r->body_length, "END:VEVENT\r\n", 13);
	icalcomponent *component = icalparser_parse_string(r->body);
	if (!component) {
		c->problems++;
		return;
	}
	e->uid = e->summary = e->description = e->location = e->url = "";
	for (icalproperty *p = icalcomponent_get_first_property(component, ICAL_ANY_PROPERTY); p;
	     p = icalcomponent_get_next_property(component, ICAL_ANY_PROPERTY))
		read_property(c, e, p, &start);
	icalcomponent_free(component);
	if (!start) {
		c->problems++;
		return;
	}
	settle_length(e);
	add_event(c, e);
}

/* Reads to END:VEVENT; what is nested in it (alarms) is left out. A file cut inside loses only this
 * event. */
static void
read_event(struct reader *r)
{
	struct event *e = arena_alloc(r->calendar->arena, sizeof *e);
	int depth = 0;

	r->body_length = 0;
	keep_line(r);
	while (next_line(r)) {
		if (line_is(r, "END:VEVENT")) {
			finish_event(r, e);
			return;
		}
		if (strncasecmp(r->line, "BEGIN:", 6) == 0)
			depth++;
		else if (strncasecmp(r->line, "END:", 4) == 0)
			depth -= depth > 0;
		else if (depth == 0 && !take_rule(r->calendar, e, r->line))
			keep_line(r);
	}
	r->calendar->problems++;
}

struct shift {
	bool started;
	struct civil start;
	int32_t from_s, to_s;
	struct rule rule;
	bool repeats;
	struct list also; /* wall times of RDATE */
};

static int32_t
read_offset(const char *text)
{
	long n = strtol(text, NULL, 10);
	long seconds = strspn(text + 1, "0123456789") >= 6 ? labs(n) % 100 : 0;
	long minutes = seconds || strspn(text + 1, "0123456789") >= 6 ? labs(n) / 100 : labs(n);
	long total = minutes / 100 % 100 * 3600 + minutes % 100 * 60 + seconds;

	return (int32_t)(*text == '-' ? -total : total);
}

static bool
read_wall(const char *text, struct civil *c)
{
	struct icaltimetype t = icaltime_from_string(text);

	*c = (struct civil){.year = t.year,
	    .month = t.month,
	    .day = t.day,
	    .hour = t.hour,
	    .minute = t.minute,
	    .second = t.second};
	return civil_valid(c);
}

static void
read_shift_line(struct calendar *c, struct shift *s, const char *line)
{
	const char *colon = strrchr(line, ':');
	struct civil wall;

	if (!colon)
		return;
	if (strncasecmp(line, "DTSTART", 7) == 0)
		s->started = read_wall(colon + 1, &s->start);
	else if (strncasecmp(line, "TZOFFSETFROM", 12) == 0)
		s->from_s = read_offset(colon + 1);
	else if (strncasecmp(line, "TZOFFSETTO", 10) == 0)
		s->to_s = read_offset(colon + 1);
	else if (strncasecmp(line, "RRULE", 5) == 0)
		s->repeats = recurrence_read(&s->rule, colon + 1) && !s->rule.once_only;
	else if (strncasecmp(line, "RDATE", 5) == 0 && read_wall(colon + 1, &wall))
		list_add(c->arena, &s->also, civil_seconds(&wall));
}

static void
add_step(struct place *place, int64_t wall_s, const struct shift *s)
{
	if (place->count == 0 || wall_s - s->from_s < place->steps[0].utc)
		place->before_s = place->count < STEPS ? s->from_s : place->before_s;
	if (place->count < STEPS)
		place->steps[place->count++] =
		    (struct zone_step){.utc = wall_s - s->from_s, .offset_s = s->to_s};
}

static int
compare_steps(const void *a, const void *b)
{
	const struct zone_step *x = a, *y = b;

	return (x->utc > y->utc) - (x->utc < y->utc);
}

static void
add_steps(struct calendar *c, struct place *place, const struct shift *s)
{
	struct recurrence *walk = arena_alloc(c->arena, sizeof *walk);
	int64_t wall_s, end_s = civil_days(2100, 1, 1) * DAY_S;

	if (!s->started)
		return;
	if (s->repeats && s->rule.until_given) {
		int64_t until_s =
		    civil_seconds(&s->rule.until) + (s->rule.until_utc ? s->from_s : 0);
		end_s = until_s < end_s ? until_s : end_s;
	}
	add_step(place, civil_seconds(&s->start), s);
	for (size_t i = 0; i < s->also.count; i++)
		add_step(place, s->also.items[i], s);
	if (!s->repeats)
		return;
	recurrence_begin(walk, &s->rule, &s->start, false, end_s, INT64_MIN);
	for (int i = 0; i < STEPS / 2 && recurrence_next(walk, &wall_s); i++)
		add_step(place, wall_s, s);
}

/* A zone the calendar defines itself is used only when the system knows none of that name: it is
 * fresher. */
static void
read_zone(struct reader *r)
{
	struct calendar *c = r->calendar;
	struct shift shift = {0};
	struct place *place;

	if (c->own_zones++ >= OWN_ZONES)
		return; /* its lines are then nobody's */
	place = arena_alloc(c->arena, sizeof *place);
	place->name = place->id = "";
	place->steps = arena_alloc(c->arena, STEPS * sizeof *place->steps);
	while (next_line(r) && !line_is(r, "END:VTIMEZONE")) {
		if (strncasecmp(r->line, "TZID:", 5) == 0)
			place->id = arena_string(c->arena, r->line + 5);
		else if (line_is(r, "BEGIN:STANDARD") || line_is(r, "BEGIN:DAYLIGHT"))
			shift = (struct shift){0};
		else if (line_is(r, "END:STANDARD") || line_is(r, "END:DAYLIGHT"))
			add_steps(c, place, &shift);
		else
			read_shift_line(c, &shift, r->line);
	}
	if (!*place->id || place->count == 0 || find_zone(c->zones, place->id))
		return;
	qsort(place->steps, place->count, sizeof *place->steps, compare_steps);
	place->next = c->places;
	c->places = place;
}

/* Zones first: an event may stand before the zone it names. False when this is no calendar. */
static bool
read_all(struct calendar *c, const char *bytes, size_t length, bool events)
{
	struct reader r = {.calendar = c, .at = bytes, .end = bytes + length};
	bool seen = false;

	r.line = arena_alloc(c->arena, LINE);
	r.body = arena_alloc(c->arena, COMPONENT);
	if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		r.at += 3;
	while (next_line(&r)) {
		seen = seen || line_is(&r, "BEGIN:VCALENDAR") || line_is(&r, "BEGIN:VEVENT");
		if (events && line_is(&r, "BEGIN:VEVENT")) {
			read_event(&r);
		} else if (!events && line_is(&r, "BEGIN:VTIMEZONE")) {
			read_zone(&r);
		} else if (!events && strncasecmp(r.line, "X-WR-TIMEZONE:", 14) == 0) {
			const struct zone *zone = find_zone(c->zones, r.line + 14);
			if (zone)
				c->floating = add_place(c, r.line + 14, zone);
		}
	}
	return seen;
}

static int
compare_events(const void *a, const void *b)
{
	const struct event *x = *(struct event *const *)a, *y = *(struct event *const *)b;
	int by_uid = strcmp(x->uid, y->uid);

	return by_uid ? by_uid : x->order - y->order;
}

struct calendar *
calendar_parse(struct arena *arena, const void *bytes, size_t length, struct zones *zones,
    const char *default_zone)
{
	struct calendar *c = arena_alloc(arena, sizeof *c);
	const struct zone *zone =
	    default_zone && *default_zone ? find_zone(zones, default_zone) : NULL;

	icalerror_set_errors_are_fatal(0);
	c->arena = arena;
	c->zones = zones;
	c->utc.id = c->utc.name = "";
	c->floating = add_place(c, zone ? zone_name(zone) : "UTC", zone);
	if (!read_all(c, bytes, length, false))
		return NULL;
	read_all(c, bytes, length, true);
	if (c->count)
		qsort(c->events, c->count, sizeof(struct event *), compare_events);
	return c;
}

int
calendar_problems(const struct calendar *calendar)
{
	return calendar->problems;
}

/* The events of one uid: the series itself and what was changed of it. */
struct series {
	struct calendar *calendar;
	struct event *master;
	struct event **events;
	size_t count;
	int64_t from_s, to_s;
	struct instance *out;
	size_t *total, most;
};

/* Where a moment stands on the master's own clock. */
static int64_t
key_of(const struct event *master, const struct moment *m)
{
	if (master->start.date)
		return civil_floor(m->wall_s, DAY_S) * DAY_S;
	if (m->date || m->floating)
		return m->wall_s;
	return m->utc_s + place_offset(master->start.place, m->utc_s);
}

static bool
same_key(const struct event *master, const struct moment *m, int64_t key)
{
	if (m->date)
		return civil_floor(m->wall_s, DAY_S) == civil_floor(key, DAY_S);
	return key_of(master, m) == key;
}

static const char *
key_text(struct arena *arena, int64_t key, bool date)
{
	struct civil c = civil_from(key);

	if (date)
		return arena_print(arena, "%04d%02d%02d", (int)c.year, c.month, c.day);
	return arena_print(arena, "%04d%02d%02dT%02d%02d%02d", (int)c.year, c.month, c.day, c.hour,
	    c.minute, c.second);
}

/* One instance of `e` that starts at this wall time, if it touches the window. */
static void
emit(struct series *s, const struct event *e, int64_t wall_s, int64_t length_s,
    const char *recurrence)
{
	const struct place *place = e->start.place;
	int64_t start_s = place_instant(place, wall_s), end_s;

	if (length_s >= 0)
		end_s = start_s + length_s;
	else if (e->exact)
		end_s = start_s + e->length_s;
	else
		end_s = place_instant(place, wall_s + (int64_t)e->days * DAY_S) + e->length_s;
	bool touches =
	    start_s < s->to_s && (end_s > s->from_s || (end_s == start_s && start_s >= s->from_s));
	if (!touches || *s->total >= s->most)
		return;
	if (s->out)
		s->out[*s->total] = (struct instance){.uid = e->uid,
		    .recurrence = recurrence,
		    .summary = e->summary,
		    .description = e->description,
		    .location = e->location,
		    .url = e->url,
		    .zone = e->start.date || e->start.floating ? "" : place->name,
		    .sequence = e->sequence,
		    .cancelled = e->cancelled,
		    .all_day = e->start.date,
		    .once_only = e->once_only,
		    .start = civil_from(wall_s),
		    .end = civil_from(end_s + place_offset(place, end_s)),
		    .start_s = start_s,
		    .end_s = end_s};
	++*s->total;
}

static void
walk_rules(struct series *s, const struct rule *rules, struct list *keys, int64_t from, int64_t to)
{
	struct calendar *c = s->calendar;
	const struct event *m = s->master;
	static _Thread_local struct recurrence walk;
	struct civil start = civil_from(m->start.wall_s);
	int64_t wall_s;

	for (; rules && c->work < WORK; rules = rules->next) {
		int64_t until_s = rules->until_given ? civil_seconds(&rules->until) : INT64_MAX;
		if (rules->until_given && rules->until_date)
			until_s += DAY_S - 1;
		else if (rules->until_utc && !m->start.date)
			until_s += place_offset(m->start.place, until_s);
		recurrence_begin(
		    &walk, rules, &start, m->start.date, until_s < to ? until_s : to, from);
		while (keys->count < KEYS && recurrence_next(&walk, &wall_s))
			if (wall_s >= from)
				list_add(c->arena, keys, wall_s);
		c->work += walk.steps;
		c->problems += walk.exhausted;
	}
}

static bool
excluded(const struct series *s, const struct list *except, int64_t key)
{
	if (except->count && bsearch(&key, except->items, except->count, sizeof key, compare_items))
		return true;
	for (const struct extra *x = s->master->exdates; x; x = x->next)
		if (same_key(s->master, &x->at, key))
			return true;
	return false;
}

/* The newest exact override of this instance; *range is the last THISANDFUTURE one at or before it.
 */
static struct event *
override_of(const struct series *s, int64_t key, struct event **range)
{
	struct event *found = NULL;

	*range = NULL;
	for (size_t i = 0; i < s->count; i++) {
		struct event *e = s->events[i];
		if (!e->moved)
			continue;
		if (same_key(s->master, &e->rid, key) && (!found || e->sequence >= found->sequence))
			found = e;
		if (e->future && key_of(s->master, &e->rid) <= key &&
		    (!*range || key_of(s->master, &(*range)->rid) <= key_of(s->master, &e->rid)))
			*range = e;
	}
	return found;
}

static void
emit_key(struct series *s, int64_t key, int64_t length_s)
{
	struct event *m = s->master, *range;
	bool repeats = m->rules || m->rdates || m->once_only || s->count > 1;
	const char *text =
	    repeats && s->out ? key_text(s->calendar->arena, key, m->start.date) : "";

	if (override_of(s, key, &range))
		return;
	if (range)
		emit(s, range, key + range->start.wall_s - key_of(m, &range->rid), -1, text);
	else
		emit(s, m, key, length_s, text);
}

/* How far a change of the series may carry an instance out of its place. */
static int64_t
margin_of(const struct series *s)
{
	int64_t most = 3 * DAY_S;

	for (size_t i = 0; i < s->count; i++) {
		const struct event *e = s->events[i];
		int64_t length = (int64_t)e->days * DAY_S + e->length_s + 3 * DAY_S;
		if (e->moved && e->future)
			length += llabs(e->start.wall_s - e->rid.wall_s);
		most = length > most ? length : most;
	}
	for (const struct extra *x = s->master->rdates; x; x = x->next)
		most = x->length_s + 3 * DAY_S > most ? x->length_s + 3 * DAY_S : most;
	return most;
}

static int64_t
length_at(const struct event *m, int64_t key)
{
	for (const struct extra *x = m->rdates; x; x = x->next)
		if (x->length_s >= 0 && key_of(m, &x->at) == key)
			return x->length_s;
	return -1;
}

/* Each instance is held against every change of its series: a crafted series may not make that
 * long. */
static bool
may_work(struct series *s)
{
	struct calendar *c = s->calendar;

	if (c->work >= WORK || *s->total >= s->most)
		return false;
	c->work += (int64_t)s->count;
	for (const struct extra *x = s->master ? s->master->exdates : NULL; x; x = x->next)
		c->work++;
	if (c->work >= WORK)
		c->problems++;
	return true;
}

static void
emit_series(struct series *s)
{
	struct event *m = s->master;
	struct list keys = {0}, except = {0};
	int64_t margin = margin_of(s), from = s->from_s - margin, to = s->to_s + margin;

	if (*s->total >= s->most)
		return; /* full: the rest would only cost */
	list_add(s->calendar->arena, &keys, m->start.wall_s);
	walk_rules(s, m->rules, &keys, from, to);
	walk_rules(s, m->exrules, &except, from, to);
	for (const struct extra *x = m->rdates; x && keys.count < KEYS; x = x->next)
		list_add(s->calendar->arena, &keys, key_of(m, &x->at));
	qsort(keys.items, keys.count, sizeof *keys.items, compare_items);
	if (except.count)
		qsort(except.items, except.count, sizeof *except.items, compare_items);
	for (size_t i = 0; i < keys.count && may_work(s); i++)
		if ((i == 0 || keys.items[i] != keys.items[i - 1]) &&
		    !excluded(s, &except, keys.items[i]))
			emit_key(s, keys.items[i], length_at(m, keys.items[i]));
}

/* Changed instances stand on their own, also those whose series is not in the file. */
static void
emit_overrides(struct series *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct event *e = s->events[i], *range, *best = e;
		if (!e->moved || !may_work(s))
			continue;
		int64_t key = s->master ? key_of(s->master, &e->rid) : e->rid.wall_s;
		if (s->master)
			best = override_of(s, key, &range);
		for (size_t k = 0; !s->master && k < s->count; k++)
			if (s->events[k]->moved && s->events[k]->rid.utc_s == e->rid.utc_s &&
			    s->events[k]->sequence >= best->sequence)
				best = s->events[k];
		if (best == e)
			emit(s, e, e->start.wall_s, -1,
			    key_text(s->calendar->arena, key,
				s->master ? s->master->start.date : e->rid.date));
	}
}

static int
compare_instances(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;

	if (x->start_s != y->start_s)
		return x->start_s < y->start_s ? -1 : 1;
	int by_uid = strcmp(x->uid, y->uid);
	return by_uid ? by_uid : strcmp(x->recurrence, y->recurrence);
}

static void
walk_calendar(struct series *s)
{
	struct calendar *c = s->calendar;

	for (size_t i = 0; i < c->count; i += s->count) {
		s->events = c->events + i;
		s->count = 1;
		while (*s->events[0]->uid && i + s->count < c->count &&
		       strcmp(s->events[s->count]->uid, s->events[0]->uid) == 0)
			s->count++;
		s->master = NULL;
		for (size_t k = 0; k < s->count; k++)
			if (!s->events[k]->moved &&
			    (!s->master || s->events[k]->sequence >= s->master->sequence))
				s->master = s->events[k];
		if (s->master)
			emit_series(s);
		emit_overrides(s);
	}
}

size_t
calendar_between(struct calendar *calendar, int64_t from_s, int64_t to_s, struct instance **out)
{
	size_t total = 0, counted;
	int problems = calendar->problems;
	struct series s = {.calendar = calendar,
	    .from_s = from_s,
	    .to_s = to_s,
	    .total = &total,
	    .most = INSTANCES};

	/* Counted first, so that the arena gives what is needed and not more. */
	calendar->work = 0;
	walk_calendar(&s);
	counted = total;
	calendar->problems = problems;
	calendar->work = 0;
	total = 0;
	s.most = counted;
	s.out = arena_alloc(calendar->arena, (counted + 1) * sizeof **out);
	walk_calendar(&s);
	qsort(s.out, total, sizeof *s.out, compare_instances);
	*out = s.out;
	return total;
}
