/* A text file for Prometheus' textfile collector: no port, no timer of its own. It is written when
 * something changed, at most every 15 seconds, and always whole. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sql queue = {"SELECT count(*), min(due) FROM delivery WHERE state = 0"};
static struct sql doubt = {"SELECT count(*) FROM delivery WHERE state = 5"};
static struct sql pages = {"SELECT name, key, came, failures FROM page ORDER BY name, key"};
static struct sql backup = {"SELECT content FROM meta WHERE name = 'backup.made'"};
struct sql *const metrics_statements[] = {&queue, &doubt, &pages, &backup, NULL};

enum { EVERY_MS = 15000 };

static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_print(b, "# HELP alumhub_%s %s\n# TYPE alumhub_%s %s\n", name, help, name, type);
}

static void
value(struct buf *b, const char *name, const char *type, const char *help, int64_t number)
{
	family(b, name, type, help);
	buf_print(b, "alumhub_%s %lld\n", name, (long long)number);
}

/* A name comes from the configuration and may hold anything. */
static void
labelled(struct buf *b, const char *name, const char *label, const char *text, int64_t number)
{
	buf_print(b, "alumhub_%s{%s=\"", name, label);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_string(b, "\\");
		buf_add(b, text, 1);
	}
	buf_print(b, "\"} %lld\n", (long long)number);
}

static void
counters(struct buf *b, const struct engine_counts *c)
{
	const struct {
		const char *name;
		int64_t n;
	} fates[] = {{"sent", c->sent}, {"refused", c->refused}, {"expired", c->expired},
	    {"in_doubt", c->uncertain}};

	value(b, "events_total", "counter", "Updates that came since the start.", c->events);
	value(b, "duplicates_total", "counter", "Updates that had come before.", c->duplicates);
	value(b, "turns_total", "counter", "Turns since the start.", c->turns);
	value(b, "failed_turns_total", "counter", "Turns that were rolled back.", c->failed_turns);
	value(b, "commits_total", "counter", "Durable commits.", c->commits);
	value(b, "said_total", "counter", "Messages that were queued.", c->said);
	family(b, "ended_total", "counter", "Messages by their fate.");
	for (size_t i = 0; i < sizeof(fates) / sizeof(*fates); i++)
		labelled(b, "ended_total", "fate", fates[i].name, fates[i].n);
}

static void
queues(struct turn *t, struct buf *b)
{
	struct rows *q = db_query(t->db, &queue, NONE);
	int64_t waiting = db_next(q) ? db_int(q, 0) : 0,
		due = waiting ? db_int(q, 1) / 1000 : t->now;
	const char *made;

	db_done(q);
	made = db_string(t->db, &backup, NONE);
	value(b, "queue_waiting", "gauge", "Messages that wait.", waiting);
	value(b, "queue_oldest_seconds", "gauge", "How long the oldest has been due.",
	    due < t->now ? t->now - due : 0);
	value(b, "in_doubt", "gauge", "Messages of which nobody knows whether they arrived.",
	    db_number(t->db, &doubt, NONE, 0));
	value(b, "start_time_seconds", "gauge", "When the service started.", t->engine->started_s);
	if (made)
		value(b, "backup_time_seconds", "gauge",
		    "When the last backup was made, or the first one tried.",
		    strtoll(made, NULL, 10));
}

static void
networks(struct engine *e, struct buf *b)
{
	family(b, "network_up", "gauge", "1 when the network is reached.");
	for (int i = 0; i < e->network_count; i++)
		labelled(b, "network_up", "network", e->networks[i].transport->name,
		    e->networks[i].health == HEALTH_GOOD);
}

static void
feeds(struct turn *t, struct buf *b)
{
	struct rows *q = db_query(t->db, &pages, NONE);

	family(b, "page_failures", "gauge", "Polls in a row that brought nothing usable.");
	while (db_next(q))
		labelled(b, "page_failures", "page",
		    arena_print(t->arena, "%s.%s", db_text(q, 0), db_text(q, 1)), db_int(q, 3));
	q = db_query(t->db, &pages, NONE);
	family(b, "page_time_seconds", "gauge", "When the feed or calendar last came.");
	while (db_next(q))
		labelled(b, "page_time_seconds", "page",
		    arena_print(t->arena, "%s.%s", db_text(q, 0), db_text(q, 1)), db_int(q, 2));
}

static void
one_alarm(void *ctx, const char *name, int64_t raised)
{
	labelled(ctx, "alarm", "name", name, raised);
}

/* Under its name only when it is whole; a file of yesterday is better than half a one. */
static void
put(const char *path, const struct buf *b)
{
	char part[1100];
	FILE *f;
	bool good;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return;
	f = fopen(part, "we");
	if (!f)
		return;
	/* The collector is another user, and there is nothing in it to hide. */
	fchmod(fileno(f), 0644);
	good = fwrite(b->bytes, 1, b->length, f) == b->length;
	good = !fclose(f) && good;
	if (!good || rename(part, path))
		unlink(part);
}

void
metrics_write(struct engine *e)
{
	const char *path = e->metrics_file;
	struct buf b = {.maximum = 1 << 20};
	struct turn t;
	struct ours ours;

	if (!path || e->broken)
		return;
	turn_begin(&t, e, &ours);
	counters(&b, &e->counts);
	queues(&t, &b);
	networks(e, &b);
	feeds(&t, &b);
	family(&b, "alarm", "gauge", "Since when an alarm is raised.");
	alarm_each(&t, one_alarm, &b);
	put(path, &b);
	buf_free(&b);
	arena_forget(e->arena);
}

/* What of the figures changed, as one number. */
static int64_t
seen(const struct engine *e)
{
	int64_t sum =
	    e->counts.events + e->counts.commits + e->counts.sent + e->counts.failed_turns;

	for (int i = 0; i < e->network_count; i++)
		sum += (int64_t)(e->networks[i].health + 1) << (40 + 3 * i);
	return sum;
}

static bool
is_wanted(const struct engine *e)
{
	return e->metrics_file && e->metrics_seen != seen(e);
}

void
metrics_tick(struct engine *e)
{
	if (!is_wanted(e) || e->metrics_ms > engine_now_ms(e))
		return;
	e->metrics_seen = seen(e);
	e->metrics_ms = engine_now_ms(e) + EVERY_MS;
	metrics_write(e);
}

int64_t
metrics_next_ms(const struct engine *e)
{
	return is_wanted(e) ? e->metrics_ms : INT64_MAX;
}
