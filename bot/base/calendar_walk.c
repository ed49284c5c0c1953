/* When the events of a calendar are: rules, exceptions, and what was changed of single instances. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/calendar_model.h"

enum {
	KEYS = 20000,	   /* instances of one event */
	INSTANCES = 20001, /* one more than events.c takes, which then looks less far ahead */
	WORK = 8000000,	   /* recurrence steps of one calendar_between */
};

static int
compare_items(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
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
	return m->utc_s + calendar_offset(master->start.place, m->utc_s);
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
	int64_t start_s = calendar_instant(place, wall_s), end_s;

	if (length_s >= 0)
		end_s = start_s + length_s;
	else if (e->exact)
		end_s = start_s + e->length_s;
	else
		end_s = calendar_instant(place, wall_s + (int64_t)e->days * DAY_S) + e->length_s;
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
		    .end = civil_from(end_s + calendar_offset(place, end_s)),
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
			until_s += calendar_offset(m->start.place, until_s);
		recurrence_begin(
		    &walk, rules, &start, m->start.date, until_s < to ? until_s : to, from);
		while (keys->count < KEYS && recurrence_next(&walk, &wall_s))
			if (wall_s >= from)
				calendar_list_add(c->arena, keys, wall_s);
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
	calendar_list_add(s->calendar->arena, &keys, m->start.wall_s);
	walk_rules(s, m->rules, &keys, from, to);
	walk_rules(s, m->exrules, &except, from, to);
	for (const struct extra *x = m->rdates; x && keys.count < KEYS; x = x->next)
		calendar_list_add(s->calendar->arena, &keys, key_of(m, &x->at));
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
