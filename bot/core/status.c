/* What `status` says, and alarms for what did not happen: each once, with its recovery. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct alarm_slot {
	struct alarm_slot *next;
	char *name;
};

static const char *const health_names[] = {
    [HEALTH_STARTING] = "starting",
    [HEALTH_GOOD] = "good",
    [HEALTH_DOWN] = "down",
    [HEALTH_DEAF] = "deaf",
    [HEALTH_CONFLICT] = "conflict",
    [HEALTH_REFUSED] = "refused",
    [HEALTH_NEW_DEVICE] = "new device",
};

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
	for (int i = 0; i < e->network_count; i++) {
		struct network *n = &e->networks[i];

		status_line(t, arena_print(t->arena, "network.%s", n->transport->name),
		    arena_print(t->arena, "%s %s", health_names[n->health], n->detail),
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
	for (struct alarm_slot *a = e->alarms; a; a = a->next)
		status_line(t, arena_print(t->arena, "alarm.%s", a->name), "raised", false);
}

char *
engine_status(struct engine *e, bool json)
{
	struct buf b = {.maximum = 1 << 20};

	e->status = &b;
	e->status_json = json;
	if (json)
		buf_string(&b, "{");
	engine_turn(e, status_turn, NULL);
	if (json)
		buf_string(&b, "\n}\n");
	e->status = NULL;
	return b.bytes;
}

struct alarm_to {
	struct card *(*card)(struct turn *t, const char *language);
	const char *key, *name, *detail;
};

static void
alarm_one(struct turn *t, int64_t person, void *ctx)
{
	struct alarm_to *a = ctx;

	tell(t, person, CLASS_ALARM, 0,
	    words_in(
		t, language_of(t, person), a->key, "name", a->name, "detail", a->detail, NULL));
}

/* To the ops room where one is configured and reached, else to the admins. */
static void
alarm_tell(struct turn *t, struct alarm_to *to)
{
	const char *room = conf_text(t->conf, "ops", NULL, "room");
	const char *colon = room ? strchr(room, ':') : NULL;
	struct network *n = NULL;

	if (colon)
		n = network_named(t->engine, arena_copy(t->arena, room, (size_t)(colon - room)));
	if (n)
		say_room(t, n, colon + 1,
		    words_in(t, words_language(t->words, 0), to->key, "name", to->name, "detail",
			to->detail, NULL));
	else
		people_each(t, ADMINS, NULL, 20, alarm_one, to);
}

void
alarm_raise(struct turn *t, const char *name, const char *detail)
{
	struct alarm_slot *a;
	struct alarm_to to = {.key = "engine.alarm", .name = name, .detail = detail};

	for (a = t->engine->alarms; a; a = a->next)
		if (!strcmp(a->name, name))
			return;
	a = memory_new(sizeof(*a));
	a->name = memory_string(name);
	a->next = t->engine->alarms;
	t->engine->alarms = a;
	log_event(LOG_WARNING, "alarm.raised", "name=%s", name);
	alarm_tell(t, &to);
}

void
alarm_over(struct turn *t, const char *name)
{
	struct alarm_to to = {.key = "engine.alarm_over", .name = name, .detail = ""};

	for (struct alarm_slot **at = &t->engine->alarms; *at; at = &(*at)->next)
		if (!strcmp((*at)->name, name)) {
			struct alarm_slot *a = *at;

			*at = a->next;
			free(a->name);
			free(a);
			log_event(LOG_NOTICE, "alarm.over", "name=%s", name);
			alarm_tell(t, &to);
			return;
		}
}

/* ---- networks ---- */

enum { DOWN_FOR_MS = 300000 }; /* a network comes back from most hitches by itself */

static bool
is_bad(enum health health)
{
	return health == HEALTH_DOWN || health == HEALTH_DEAF || health == HEALTH_CONFLICT ||
	       health == HEALTH_REFUSED;
}

void
status_health(struct network *n)
{
	int64_t now = engine_now_ms(n->engine);
	int64_t at = n->health == HEALTH_DOWN ? now + DOWN_FOR_MS : now;

	if (n->health == HEALTH_GOOD && n->detail[0])
		n->lost = true;
	if (is_bad(n->health) && !n->alarmed)
		n->alarm_ms = at < n->alarm_ms ? at : n->alarm_ms;
	else if (n->health == HEALTH_GOOD)
		n->alarm_ms = n->alarmed || n->lost ? now : INT64_MAX;
}

int64_t
status_next_ms(const struct engine *e)
{
	int64_t next = INT64_MAX;

	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].alarm_ms < next)
			next = e->networks[i].alarm_ms;
	return next;
}

static void
network_alarm(struct turn *t, void *ctx)
{
	struct network *n = ctx;
	const char *name = arena_print(t->arena, "network.%s", n->transport->name);
	struct alarm_to lost = {.key = "engine.alarm", .name = name, .detail = n->detail};

	if (n->lost)
		alarm_tell(t, &lost);
	if (is_bad(n->health))
		alarm_raise(
		    t, name, arena_print(t->arena, "%s: %s", health_names[n->health], n->detail));
	else
		alarm_over(t, name);
}

void
status_alarms(struct engine *e)
{
	struct turn t;
	struct ours ours;

	for (int i = 0; i < e->network_count; i++) {
		struct network *n = &e->networks[i];

		if (n->alarm_ms > engine_now_ms(e))
			continue;
		n->alarm_ms = INT64_MAX;
		turn_begin(&t, e, &ours);
		turn_run(e, &t, network_alarm, n);
		n->alarmed = is_bad(n->health);
		n->lost = false;
	}
}

void
status_free(struct engine *e)
{
	struct alarm_slot *a, *next;

	for (a = e->alarms; a; a = next) {
		next = a->next;
		free(a->name);
		free(a);
	}
	e->alarms = NULL;
}
