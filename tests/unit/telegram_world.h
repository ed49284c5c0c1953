/* telegram.c on a scripted network and a clock that stands still, the engine played. What includes
 * this is io/http, io/timer and io/loop itself: what is defined here is not taken from the library.
 * Included by one test program each. */
#ifndef TELEGRAM_WORLD_H
#define TELEGRAM_WORLD_H

#include "unit.h"

#include <stdbool.h>

#include "base/arena.h"
#include "base/memory.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/timer.h"
#include "transports/telegram.h"

/* ---- the scripted network ---- */

struct http_call {
	struct http_call *next;
	char label[48], *url, *body;
	bool once, fresh, poll, dead;
	size_t parts;
	char part_names[200];
	int64_t timeout_ms;
	http_fn *fn;
	void *ctx;
};
struct http_lane {
	bool poll;
};
struct timer {
	timer_fn *fn;
	void *ctx;
	int64_t due;
	struct timer *next;
};
static struct http_call *calls;
static struct timer *timers;
static int64_t now_ms, wall_s = 1800000000;
static int renewed;

struct http_lane *
http_lane_new(struct http *http, const struct http_lane_options *options)
{
	struct http_lane *lane = memory_new(sizeof(*lane));

	(void)http;
	lane->poll = strstr(options->name, "poll");
	return lane;
}
void
http_lane_free(struct http_lane *lane)
{
	free(lane);
}
void
http_lane_renew(struct http_lane *lane)
{
	(void)lane;
	renewed++;
}
struct http_call *
http_send(struct http_lane *lane, const struct http_request *r)
{
	struct http_call *c = memory_new(sizeof(*c)), **last = &calls;

	snprintf(c->label, sizeof(c->label), "%s", r->label);
	assert_null(strstr(r->label, "canary"));
	c->url = memory_string(r->url);
	c->body = memory_new(r->body_length + 1);
	if (r->body)
		memcpy(c->body, r->body, r->body_length);
	for (size_t i = 0; i < r->part_count; i++) {
		strncat(c->part_names, r->parts[i].name, 40);
		strncat(c->part_names, " ", 2);
	}
	c->parts = r->part_count;
	c->once = r->once;
	c->fresh = r->fresh;
	c->poll = lane->poll;
	c->timeout_ms = r->timeout_ms;
	c->fn = r->fn;
	c->ctx = r->ctx;
	while (*last)
		last = &(*last)->next;
	return *last = c;
}
static void
call_free(struct http_call *c)
{
	struct http_call **p = &calls;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	free(c->url);
	free(c->body);
	free(c);
}
void
http_cancel(struct http_call *call)
{
	if (call)
		call_free(call);
}
const char *
http_header(const struct http_answer *answer, const char *name)
{
	(void)answer;
	(void)name;
	return NULL;
}
int64_t
http_retry_after_s(const struct http_answer *answer)
{
	(void)answer;
	return -1;
}
struct timer *
timer_new(struct loop *loop, timer_fn *fn, void *ctx)
{
	struct timer *t = memory_new(sizeof(*t));

	(void)loop;
	*t = (struct timer){fn, ctx, -1, timers};
	return timers = t;
}
void
timer_start(struct timer *timer, int64_t delay_ms)
{
	timer->due = now_ms + delay_ms;
}
void
timer_stop(struct timer *timer)
{
	timer->due = -1;
}
void
timer_free(struct timer *timer)
{
	struct timer **p = &timers;

	while (*p != timer)
		p = &(*p)->next;
	*p = timer->next;
	free(timer);
}
int64_t
loop_now_ms(const struct loop *loop)
{
	(void)loop;
	return now_ms;
}
int64_t
loop_wall_s(const struct loop *loop)
{
	(void)loop;
	return wall_s;
}

/* Lets time pass; timers fire when they are due. */
static void
pass(int64_t ms)
{
	int64_t end = now_ms + ms;

	for (;;) {
		struct timer *first = NULL;

		for (struct timer *t = timers; t; t = t->next)
			if (t->due >= 0 && (!first || t->due < first->due))
				first = t;
		if (!first || first->due > end)
			break;
		now_ms = first->due > now_ms ? first->due : now_ms;
		first->due = -1;
		first->fn(first->ctx);
	}
	now_ms = end;
}

static void
answer_with(struct http_call *c, struct http_answer answer)
{
	http_fn *fn = c->fn;
	void *ctx = c->ctx;

	call_free(c);
	answer.body = answer.body ? answer.body : "";
	answer.length = strlen(answer.body);
	answer.cause = "";
	fn(ctx, &answer);
}

static struct http_call *
waiting(const char *method)
{
	for (struct http_call *c = calls; c; c = c->next)
		if (strcmp(c->label + strlen("telegram "), method) == 0)
			return c;
	return NULL;
}

static void
reply(const char *method, int status, const char *body)
{
	struct http_call *c = waiting(method);

	assert_non_null(c);
	answer_with(
	    c, (struct http_answer){.outcome = HTTP_REPLIED, .status = status, .body = body});
}

static void
lose(const char *method, enum http_outcome outcome, bool reused)
{
	struct http_call *c = waiting(method);

	assert_non_null(c);
	answer_with(c, (struct http_answer){.outcome = outcome, .reused = reused});
}

/* ---- the engine, played ---- */

static struct {
	bool refuse;
	int batches, events, gone;
	char cursor[64], text[64], kept_key[64], kept_value[64];
	enum event_kind kind;
	enum health health;
	char detail[128];
	int64_t id;
	struct outcome outcome;
	char message[32], file_id[32];
} seen;

static bool
came(void *engine, struct transport *t, const struct batch *batch)
{
	(void)engine;
	(void)t;
	if (seen.refuse)
		return false;
	seen.batches++;
	seen.events += (int)batch->event_count;
	if (batch->cursor)
		snprintf(seen.cursor, sizeof(seen.cursor), "%s", batch->cursor);
	if (batch->event_count) {
		const struct event *e = &batch->events[batch->event_count - 1];

		seen.kind = e->kind;
		snprintf(seen.text, sizeof(seen.text), "%s", e->text ? e->text : "");
		if (e->kind == EVENT_FETCHED && e->media.content)
			snprintf(seen.text, sizeof(seen.text), "%.*s", (int)e->media.bytes,
			    (const char *)e->media.content);
	}
	return true;
}
static bool
keep(void *engine, struct transport *t, const struct state_row *state, size_t count)
{
	(void)engine;
	(void)t;
	assert_int_equal(count, 1);
	snprintf(seen.kept_key, sizeof(seen.kept_key), "%s", state->key);
	snprintf(seen.kept_value, sizeof(seen.kept_value), "%.*s", (int)state->length,
	    (const char *)state->bytes);
	return true;
}
static void
gone(void *engine, struct transport *t, int64_t id, const struct outcome *outcome)
{
	(void)engine;
	(void)t;
	seen.gone++;
	seen.id = id;
	seen.outcome = *outcome;
	snprintf(
	    seen.message, sizeof(seen.message), "%s", outcome->message ? outcome->message : "");
	snprintf(
	    seen.file_id, sizeof(seen.file_id), "%s", outcome->file_id ? outcome->file_id : "");
}
static void
health(void *engine, struct transport *t, enum health h, const char *detail)
{
	(void)engine;
	(void)t;
	seen.health = h;
	snprintf(seen.detail, sizeof(seen.detail), "%s", detail);
}

static const struct transport_up up = {NULL, came, keep, gone, health};
static struct transport *tg;
static struct arena *arena;

#define ME "{\"ok\":true,\"result\":{\"id\":42,\"is_bot\":true,\"username\":\"alum_bot\"}}"
#define DONE_TRUE "{\"ok\":true,\"result\":true}"
#define NOTHING "{\"ok\":true,\"result\":[]}"
#define UPDATE(id, text) \
	"{\"update_id\":" #id \
	",\"message\":{\"message_id\":5,\"from\":{\"id\":7,\"is_bot\":false}," \
	"\"chat\":{\"id\":7,\"type\":\"private\"},\"date\":1,\"text\":\"" text "\"}}"
#define UPDATES(list) "{\"ok\":true,\"result\":[" list "]}"

static void
open_with(const char *cursor, const struct state_row *state, size_t count)
{
	struct telegram_options o = {
	    .api_root = "http://127.0.0.1:1/", .token = " 42:canary-x_1\n", .token_length = 15};

	memset(&seen, 0, sizeof(seen));
	renewed = 0;
	tg = telegram_new(&o);
	assert_non_null(tg);
	tg->ops->open(tg, &up, cursor, state, count);
	tg->ops->poll(tg);
}

static void
start(const char *cursor)
{
	open_with(cursor, NULL, 0);
	reply("getMe", 200, ME);
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_non_null(waiting("getUpdates"));
}

static inline bool
poll_says(const char *words)
{
	return waiting("getUpdates") && strstr(waiting("getUpdates")->body, words);
}

static int
setup(void **state)
{
	(void)state;
	arena = arena_new();
	now_ms = 1000;
	return 0;
}
static int
teardown(void **state)
{
	(void)state;
	tg->ops->close(tg);
	arena_free(arena);
	assert_null(calls);
	assert_null(timers);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
