/* What `status` says: a line for each thing, in words or as JSON (README.md names the keys). */
#include "core.h"

#include <stdlib.h>

static void
json_string(struct buf *b, const char *s)
{
	buf_string(b, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_print(b, "\\%c", c);
		else if (c < 0x20)
			buf_print(b, "\\u%04x", c);
		else
			buf_add(b, s, 1);
	}
	buf_string(b, "\"");
}

void
status_line(struct turn *t, const char *name, const char *value, bool good)
{
	struct engine *e = t->engine;

	if (!e->status)
		return;
	e->status_bad = e->status_bad || !good;
	if (!e->status_json) {
		buf_print(e->status, "%-28s %s%s\n", name, good ? "" : "! ", value);
		return;
	}
	buf_string(e->status, e->status->length > 1 ? ",\n" : "\n");
	json_string(e->status, name);
	buf_string(e->status, ": {\"good\": ");
	buf_string(e->status, good ? "true" : "false");
	buf_string(e->status, ", \"value\": ");
	json_string(e->status, value);
	buf_string(e->status, "}");
}

static struct sql queue = {"SELECT count(*), min(due) FROM delivery WHERE state = 0"};
static struct sql doubt = {"SELECT count(*) FROM delivery WHERE state = 5"};

static void
status_turn(struct turn *t, void *ctx)
{
	struct engine *e = t->engine;
	struct rows *q;

	(void)ctx;
	/* It runs with a network at least: this is the state that it left. */
	if (!e->network_count)
		status_line(t, "service", "not running", false);
	for (int i = 0; i < e->network_count; i++) {
		struct network *n = &e->networks[i];

		status_line(t, arena_print(t->arena, "network.%s", n->transport->name),
		    arena_print(t->arena, "%s %s", alarm_health(n->health), n->detail),
		    n->health == HEALTH_GOOD);
	}
	q = db_query(t->db, &queue, NONE);
	if (db_next(q)) {
		int64_t oldest = db_int(q, 1) ? t->now - db_int(q, 1) / 1000 : 0;

		status_line(t, "queue",
		    arena_print(t->arena, "%lld waiting, oldest due %lld s ago",
			(long long)db_int(q, 0), (long long)(oldest > 0 ? oldest : 0)),
		    oldest < 600);
	}
	db_done(q);
	status_line(t, "in_doubt",
	    arena_print(t->arena, "%lld", (long long)db_number(t->db, &doubt, NONE, 0)), true);
	status_line(t, "counts",
	    arena_print(t->arena, "events %lld, duplicates %lld, failed turns %lld, sent %lld",
		(long long)e->counts.events, (long long)e->counts.duplicates,
		(long long)e->counts.failed_turns, (long long)e->counts.sent),
	    e->counts.failed_turns == 0);
	if (e->o.sandbox && *e->o.sandbox)
		status_line(t, "sandbox", e->o.sandbox, true);
	page_status(t);
	for (const struct feature *const *f = e->o.features; *f; f++)
		if ((*f)->status) {
			t->feature = *f;
			(*f)->status(t);
		}
	demo_status(t);
	alarm_status(t);
}

char *
engine_status(struct engine *e, bool json)
{
	struct buf b = {.maximum = 1 << 20};

	e->status = &b;
	e->status_json = json;
	if (json)
		buf_string(&b, "{");
	e->status_bad = false;
	engine_turn(e, status_turn, NULL);
	if (json)
		buf_print(&b, ",\n\"good\": %s\n}\n", e->status_bad ? "false" : "true");
	e->status = NULL;
	return b.bytes;
}
