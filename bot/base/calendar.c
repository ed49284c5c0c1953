#include "base/calendar.h"

#include <libical/ical.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicode/ucal.h>
#include <unicode/ustring.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/calendar_model.h"

enum {
	LINE = 65536,	     /* bytes of one unfolded line; what is behind is cut */
	COMPONENT = 1 << 20, /* bytes of one event */
	OWN_ZONES = 64,	     /* that a calendar may define; the others are unknown to it */
	STEPS = 1000,	     /* changes of a zone the calendar defines itself */
};

struct reader {
	struct calendar *calendar;
	const char *at, *end;
	char *line, *body;
	size_t length, line_room, body_length, body_room;
};

void
calendar_list_add(struct arena *arena, struct list *list, int64_t item)
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

int32_t
calendar_offset(const struct place *place, int64_t utc_s)
{
	int32_t offset_s = place->before_s;

	if (place->zone)
		return zone_offset(place->zone, utc_s);
	for (size_t i = 0; i < place->count && place->steps[i].utc <= utc_s; i++)
		offset_s = place->steps[i].offset_s;
	return offset_s;
}

int64_t
calendar_instant(const struct place *place, int64_t wall_s)
{
	if (place->zone) {
		struct civil wall = civil_from(wall_s);
		return zone_instant(place->zone, &wall);
	}
	int32_t before_s = calendar_offset(place, wall_s - DAY_S),
		after_s = calendar_offset(place, wall_s + DAY_S);
	int64_t first = wall_s - before_s, second = wall_s - after_s;
	if (calendar_offset(place, first) == before_s || calendar_offset(place, second) != after_s)
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
	m->utc_s = calendar_instant(m->place, m->wall_s);
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
		size_t room = r->line_room - 1 - r->length;
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

/* What read_property() reads; the rest costs libical more than all of it. */
static bool
line_is_read(const struct reader *r)
{
	static const char *const names[] = {"UID", "SUMMARY", "DESCRIPTION", "LOCATION", "URL",
	    "SEQUENCE", "STATUS", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RDATE",
	    "EXDATE"};
	size_t length = strcspn(r->line, ";:");

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == length && !strncasecmp(r->line, names[i], length))
			return true;
	return false;
}

static void
keep_line(struct reader *r)
{
	if (r->body_length + r->length + 2 > r->body_room - 32)
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
		else if (depth == 0 && !take_rule(r->calendar, e, r->line) && line_is_read(r))
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
		calendar_list_add(c->arena, &s->also, civil_seconds(&wall));
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

	r.line_room = length < LINE ? length + 1 : LINE;
	r.line = arena_alloc(c->arena, r.line_room);
	if (events) { /* a line end of one byte becomes two */
		r.body_room = length < COMPONENT / 2 - 64 ? length * 2 + 64 : COMPONENT;
		r.body = arena_alloc(c->arena, r.body_room);
	}
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
