/* A calendar as calendar.c read it, for calendar_walk.c, which says when its events are; nobody else includes this. */
#ifndef BASE_CALENDAR_MODEL_H
#define BASE_CALENDAR_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/calendar.h"
#include "base/recurrence.h"
#include "base/zone.h"

enum { DAY_S = 86400 };

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

void calendar_list_add(struct arena *arena, struct list *list, int64_t item);
/* The clock's offset at an instant; before its first known change, what stood before it. */
int32_t calendar_offset(const struct place *place, int64_t utc_s);
/* As zone_instant reads a wall time: of two the first, in a gap the offset before it. */
int64_t calendar_instant(const struct place *place, int64_t wall_s);

#endif
