/* The networks of an engine: their rows, their health, where their links and moved groups lead. */
#include "core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static struct sql network_add = {"INSERT OR IGNORE INTO network(name) VALUES(?)"};
static struct sql network_get = {"SELECT number, cursor, paused_until FROM network WHERE name = ?"};
static struct sql state_all = {"SELECT key, content FROM network_state WHERE network = ?"};

struct sql *const network_statements[] = {&network_add, &network_get, &state_all, NULL};

struct network *
network_of(struct engine *e, struct transport *transport)
{
	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].transport == transport)
			return &e->networks[i];
	abort();
}

struct network *
network_named(struct engine *e, const char *name)
{
	for (int i = 0; i < e->network_count; i++)
		if (!strcmp(e->networks[i].transport->name, name))
			return &e->networks[i];
	return NULL;
}

struct network *
network_numbered(struct engine *e, int number)
{
	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].number == number)
			return &e->networks[i];
	return NULL;
}

const char *
engine_link(struct engine *e, const char *network)
{
	const char *start = meta_read(e, arena_print(e->arena, "link.%s", network));

	return start && *start ? start : NULL;
}

static const char *
moved_key(struct engine *e, struct network *n, int64_t chat)
{
	return arena_print(e->arena, "moved.%s.%lld", n->transport->name, (long long)chat);
}

void
engine_moved(struct engine *e, struct network *n, int64_t chat, const char *to)
{
	meta_write(e, moved_key(e, n, chat), to);
}

const char *
engine_moved_to(struct engine *e, struct network *n, int64_t chat)
{
	return meta_read(e, moved_key(e, n, chat));
}

/* The command line makes links too, when no network is open. */
static void
remember_link(struct engine *e, const struct transport *transport)
{
	const char *key, *known;

	if (!transport->link_start[0] || e->in_transaction || e->broken)
		return;
	db_begin(e->db);
	db_arena(e->db, e->arena);
	key = arena_print(e->arena, "link.%s", transport->name);
	known = meta_read(e, key);
	if (!known || strcmp(known, transport->link_start))
		meta_write(e, key, transport->link_start);
	engine_commit(e);
	arena_forget(e->arena);
}

static void
transport_health(void *engine, struct transport *transport, enum health health, const char *detail)
{
	struct engine *e = engine;
	struct network *n = network_of(e, transport);

	if (health == HEALTH_LOST) {
		n->lost = true;
		return;
	}
	if (n->health != health)
		log_event(health == HEALTH_GOOD ? LOG_NOTICE : LOG_WARNING, "network.health",
		    "network=%s health=%d %s", transport->name, (int)health, detail ? detail : "");
	n->health = health;
	snprintf(n->detail, sizeof(n->detail), "%s", detail ? detail : "");
	if (health != HEALTH_STARTING)
		n->tried = true;
	alarm_network(n);
	if (health == HEALTH_GOOD) {
		n->came_ms = engine_now_ms(e);
		remember_link(e, transport);
	}
	e->o.ports.wake(e->o.ports.ctx, 0);
}

void
engine_add(struct engine *e, struct transport *transport)
{
	struct network *n = &e->networks[e->network_count++];
	struct transport_up up = {
	    e, transport_came, transport_keep, outbox_gone, transport_health, transport_welcome};
	struct state_row *state = NULL;
	size_t count = 0, room = 0;
	const char *cursor = NULL;
	struct rows *q;

	assert(e->network_count <= NETWORKS);
	*n = (struct network){.transport = transport, .engine = e, .alarm_ms = INT64_MAX};
	n->last_ship = &n->ships;
	n->flights = memory_new(sizeof(struct ship *) * (size_t)transport->slots);
	db_arena(e->db, e->arena);
	db_begin(e->db);
	db_run(e->db, &network_add, V(transport->name));
	q = db_query(e->db, &network_get, V(transport->name));
	if (db_next(q)) {
		n->number = (int)db_int(q, 0);
		cursor = db_text(q, 1);
		n->paused_until_ms = db_int(q, 2);
	}
	db_done(q);
	alarm_start(n);
	late_start(n);
	outbox_recover(e, n);
	q = db_query(e->db, &state_all, V(n->number));
	while (db_next(q)) {
		struct blob content = seal_unbox(e->o.seal, e->arena, (struct blob){NULL, 0},
		    n->number, "network_state.content", db_blob(q, 1));
		if (count == room) {
			room = room ? room * 2 : 64;
			state = memory_resize(state, room * sizeof(*state));
		}
		state[count++] = (struct state_row){db_text(q, 0), content.bytes, content.length};
	}
	engine_commit(e);
	transport->ops->open(transport, &up, cursor, state, count);
	free(state);
	arena_forget(e->arena);
}

void
network_close(struct network *n)
{
	n->closed = *n->transport;
	n->transport->ops->close(n->transport);
	n->transport = &n->closed;
}

int
engine_flying(const struct engine *e)
{
	int flying = 0;

	for (int i = 0; i < e->network_count; i++)
		flying += e->networks[i].flying + e->networks[i].queued;
	return flying;
}

bool
engine_tried(const struct engine *e)
{
	for (int i = 0; i < e->network_count; i++)
		if (!e->networks[i].tried)
			return false;
	return true;
}

bool
engine_refused(const struct engine *e)
{
	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].health != HEALTH_REFUSED)
			return false;
	return e->network_count > 0;
}
