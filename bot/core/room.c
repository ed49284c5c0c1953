/* Rooms from the configuration. Their addresses stand there alone: a row carries a keyed hash. */
#include "core/room.h"

#include "core.h"

#include <string.h>

/* "matrix:!abc:example.org" */
static bool
read_room(struct turn *t, const char *name, struct room *room)
{
	const char *address = conf_text(t->conf, "room", name, "address");
	const char *colon = address ? strchr(address, ':') : NULL;
	const char *title = conf_text(t->conf, "room", name, "title");
	const char *org = conf_text(t->conf, "room", name, "org");

	if (!colon)
		return false;
	*room = (struct room){
	    .name = name,
	    .title = title ? title : name,
	    .network = arena_copy(t->arena, address, (size_t)(colon - address)),
	    .where = colon + 1,
	    .org = org ? org : "",
	    .languages = conf_list(t->conf, "room", name, "languages"),
	};
	if (!room->languages || !room->languages[0])
		room->languages = conf_list(t->conf, "bot", NULL, "languages");
	return network_named(t->engine, room->network) != NULL;
}

bool
room_get(struct turn *t, int i, struct room *room)
{
	const char *name;

	for (int k = 0; (name = conf_name(t->conf, "room", k)); k++)
		if (read_room(t, name, room) && !i--)
			return true;
	return false;
}

bool
room_named(struct turn *t, const char *name, struct room *room)
{
	const char *known;

	for (int k = 0; (known = conf_name(t->conf, "room", k)); k++)
		if (!strcmp(known, name))
			return read_room(t, known, room);
	return false;
}

const char *
room_where(struct turn *t, const struct network *n, int64_t chat)
{
	struct room room;

	for (int i = 0; room_get(t, i, &room); i++)
		if (network_named(t->engine, room.network) == n && say_chat(t, room.where) == chat)
			return room.where;
	return NULL;
}

/* ---- who may bring us into one ---- */

static bool
named_so(const char *address, const char *network, const char *room)
{
	size_t n = strlen(network);

	return address && !strncmp(address, network, n) && address[n] == ':' &&
	       !strcmp(address + n + 1, room);
}

static bool
is_configured(const struct conf *conf, const char *network, const char *room)
{
	const char *name;

	if (named_so(conf_text(conf, "ops", NULL, "room"), network, room))
		return true;
	for (int i = 0; (name = conf_name(conf, "room", i)); i++)
		if (named_so(conf_text(conf, "room", name, "address"), network, room))
			return true;
	return false;
}

bool
transport_welcome(void *engine, struct transport *transport, const char *room, const char *who)
{
	struct engine *e = engine;
	struct ours ours;
	struct turn t;
	bool welcome;

	if (is_configured(e->o.conf, transport->name, room))
		return true;
	if (e->broken)
		return false;
	db_arena(e->db, e->arena);
	turn_begin(&t, e, &ours);
	welcome = people_access_at(&t, transport->name, who) & ~(unsigned)MEMBERS;
	arena_forget(e->arena);
	return welcome;
}
