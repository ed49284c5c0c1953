/*
 * Rooms and groups of a network that announcements may be posted into, each a [room NAME] of the
 * configuration: one message there reaches all who read along, where a network lets the bot write to
 * few people an hour. Nothing personal is ever said in one.
 */
#ifndef CORE_ROOM_H
#define CORE_ROOM_H

#include <stdint.h>

#include "core/turn.h"

struct room {
	const char *name, *title;
	const char *network; /* one that is open now */
	const char *where;
	const char *org;	      /* "": the network itself */
	const char *const *languages; /* NULL-terminated; never empty */
};

/* The i-th that can be posted into, in the file's order; false behind the last. */
bool room_get(struct turn *t, int i, struct room *room);
/* By its name; false: there is none, or its network is closed. */
bool room_named(struct turn *t, const char *name, struct room *room);

#endif
