/* The poll and the fates of telegram.c on a scripted network and a clock that stands still. This
 * file is io/http, io/timer and io/loop itself: what it defines is not taken from the library. */
#include "unit.h"

#include <stdbool.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/card.h"
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

static bool
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

/* ---- the poll ---- */

static void
telegram_poll_starts_in_order(void **state)
{
	(void)state;
	open_with(NULL, NULL, 0);
	assert_int_equal(seen.health, HEALTH_STARTING);
	assert_string_equal(waiting("getMe")->url, "http://127.0.0.1:1/bot42:canary-x_1/getMe");
	assert_null(waiting("getUpdates"));
	reply("getMe", 200, ME);
	assert_string_equal(tg->link_start, "https://t.me/alum_bot?start=");
	assert_non_null(strstr(waiting("deleteWebhook")->body, "\"drop_pending_updates\":false"));
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_int_equal(seen.health, HEALTH_GOOD);
	assert_false(poll_says("offset"));
	assert_true(poll_says("\"timeout\":50"));
	assert_true(waiting("getUpdates")->timeout_ms > 50000);
	assert_false(waiting("getUpdates")->once);
}

static void
telegram_poll_goes_on_after_the_commit(void **state)
{
	(void)state;
	start("42:900");
	assert_true(poll_says("\"offset\":900,"));
	reply("getUpdates", 200, UPDATES(UPDATE(900, "a") "," UPDATE(901, "b")));
	assert_int_equal(seen.events, 2);
	assert_string_equal(seen.cursor, "42:902");
	assert_true(poll_says("\"offset\":902,"));
	/* The ids start again somewhere: followed, not compared. */
	reply("getUpdates", 200, UPDATES(UPDATE(12, "c")));
	assert_string_equal(seen.cursor, "42:13");
	assert_true(poll_says("\"offset\":13,"));
}

static void
telegram_poll_asks_again_when_nothing_was_committed(void **state)
{
	(void)state;
	start("42:900");
	seen.refuse = true;
	reply("getUpdates", 200, UPDATES(UPDATE(900, "a")));
	assert_null(waiting("getUpdates"));
	seen.refuse = false;
	pass(999);
	assert_null(waiting("getUpdates"));
	pass(1);
	assert_true(poll_says("\"offset\":900,"));
}

static void
telegram_poll_forgets_the_cursor_of_another_bot(void **state)
{
	(void)state;
	start("43:900");
	assert_false(poll_says("offset"));
}

static void
telegram_poll_retries_a_dead_kept_connection_at_once(void **state)
{
	(void)state;
	start(NULL);
	pass(20000);
	lose("getUpdates", HTTP_UNCERTAIN, true);
	pass(0);
	assert_true(waiting("getUpdates")->fresh);
	assert_int_equal(seen.health, HEALTH_GOOD);
	/* The fresh one dies too: now it is an outage, with a pause. */
	lose("getUpdates", HTTP_NOT_SENT, false);
	pass(0);
	assert_null(waiting("getUpdates"));
	pass(500);
	lose("getUpdates", HTTP_NOT_SENT, false);
	assert_int_equal(seen.health, HEALTH_DOWN);
	pass(20000);
	assert_true(poll_says("\"timeout\":0"));
	reply("getUpdates", 200, NOTHING);
	assert_int_equal(seen.health, HEALTH_GOOD);
	assert_true(poll_says("\"timeout\":50"));
}

static void
telegram_poll_that_hangs_is_deaf(void **state)
{
	(void)state;
	start(NULL);
	pass(waiting("getUpdates")->timeout_ms);
	lose("getUpdates", HTTP_UNCERTAIN, true);
	assert_int_equal(seen.health, HEALTH_DEAF);
	assert_int_equal(renewed, 1);
	pass(0);
	assert_true(waiting("getUpdates")->fresh);
	reply("getUpdates", 200, UPDATES(UPDATE(1, "x")));
	assert_int_equal(seen.health, HEALTH_GOOD);
}

#define CONFLICT \
	"{\"ok\":false,\"error_code\":409,\"description\":\"Conflict: terminated by other " \
	"getUpdates " \
	"request\"}"

static void
telegram_poll_bears_a_conflict(void **state)
{
	(void)state;
	start(NULL);
	for (int i = 0; i < 3; i++) {
		reply("getUpdates", 409, CONFLICT);
		assert_null(waiting("getUpdates"));
		pass(2999);
		assert_null(waiting("getUpdates"));
		pass(4001);
		assert_non_null(waiting("getUpdates"));
	}
	assert_int_equal(seen.health, HEALTH_CONFLICT);
	reply("getUpdates", 200, NOTHING);
	assert_int_equal(seen.health, HEALTH_GOOD);
	reply("getUpdates", 409,
	    "{\"ok\":false,\"error_code\":409,\"description\":\"Conflict: can't use getUpdates "
	    "method "
	    "while webhook is active\"}");
	pass(7000);
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_non_null(waiting("getUpdates"));
}

static void
telegram_poll_sets_one_poisoned_update_aside(void **state)
{
	(void)state;
	start("42:5");
	reply("getUpdates", 200, "{\"ok\":true,\"result\":[{\"update_id\":5,\"message\":{\"te");
	pass(1000);
	for (int tries = 0; tries < 3; tries++) {
		assert_true(poll_says("\"limit\":1,"));
		assert_int_equal(seen.batches, 0);
		reply("getUpdates", 200,
		    "{\"ok\":true,\"result\":[{\"update_id\":5,\"message\":{\"te");
		if (tries < 2)
			pass(4000);
	}
	assert_int_equal(seen.kind, EVENT_UNREADABLE);
	assert_string_equal(seen.cursor, "42:6");
	assert_true(poll_says("\"offset\":6,"));
	assert_true(poll_says("\"limit\":100,"));
}

static void
telegram_poll_bears_html_empty_and_limits(void **state)
{
	static const struct {
		int status;
		const char *body;
	} bad[] = {{502, "<html>"}, {200, ""},
	    {500, "{\"ok\":false,\"error_code\":500,\"description\":\"x\"}"}, {413, ""}, {302, ""}};

	(void)state;
	start("42:5");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reply("getUpdates", bad[i].status, bad[i].body);
		assert_null(waiting("getUpdates"));
		pass(20000);
		assert_true(poll_says("\"offset\":5,"));
		reply("getUpdates", 200, NOTHING);
		assert_int_equal(seen.health, HEALTH_GOOD);
	}
	reply("getUpdates", 429,
	    "{\"ok\":false,\"error_code\":429,\"description\":\"x\",\"parameters\":{\"retry_"
	    "after\":9}}");
	pass(8999);
	assert_null(waiting("getUpdates"));
	pass(1);
	assert_non_null(waiting("getUpdates"));
}

/* A short reply may be cut twice by chance; the update in it is not lost for that. */
static void
telegram_poll_loses_nothing_to_a_reply_that_was_cut(void **state)
{
	(void)state;
	start("42:5");
	for (int i = 0; i < 2; i++) {
		reply("getUpdates", 200,
		    "{\"ok\":true,\"result\":[{\"update_id\":5,\"message\":{\"te");
		pass(20000);
	}
	reply("getUpdates", 200, UPDATES(UPDATE(5, "whole")));
	assert_int_equal(seen.kind, EVENT_MESSAGE);
	assert_string_equal(seen.text, "whole");
	/* What has no number is not stepped over: the next one would get the number that was skipped. */
	reply("getUpdates", 200, UPDATES("{},7"));
	pass(20000);
	assert_true(poll_says("\"offset\":6,"));
}

static void
telegram_poll_does_not_run_in_a_circle(void **state)
{
	int asked = 0;

	(void)state;
	start("42:5");
	/* A server that does not wait, and one that tells the same for ever. */
	for (int64_t end = now_ms + 60000; now_ms < end; pass(10))
		while (waiting("getUpdates")) {
			asked++;
			reply("getUpdates", 200, asked % 2 ? NOTHING : UPDATES(UPDATE(4, "again")));
		}
	assert_in_range(asked, 10, 100);
	pass(4000);
	reply("getUpdates", 200, UPDATES(UPDATE(5, "new")));
	assert_true(poll_says("\"offset\":6,"));
}

static void
telegram_poll_keeps_a_long_limit_over_a_restart(void **state)
{
	char key[64], value[64];
	struct state_row row = {key, value, 0};

	(void)state;
	start("42:5");
	reply("getUpdates", 429,
	    "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after "
	    "10072\"}");
	assert_int_equal(seen.health, HEALTH_DOWN);
	assert_string_equal(seen.kept_key, "silent:42");
	memcpy(key, seen.kept_key, sizeof(key));
	memcpy(value, seen.kept_value, sizeof(value));
	row.length = strlen(value);
	tg->ops->close(tg);
	wall_s += 72;
	open_with("42:5", &row, 1);
	assert_int_equal(seen.health, HEALTH_DOWN);
	pass(9999999);
	assert_null(calls);
	pass(1000);
	assert_non_null(waiting("getMe"));
	wall_s -= 72;
}

static void
telegram_poll_tries_a_refused_token_rarely(void **state)
{
	(void)state;
	open_with(NULL, NULL, 0);
	reply("getMe", 401, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}");
	assert_int_equal(seen.health, HEALTH_REFUSED);
	pass(599000);
	assert_null(calls);
	pass(2000);
	reply("getMe", 200, ME);
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_int_equal(seen.health, HEALTH_GOOD);
	/* A token that was good is asked about once more; and a page in front of the server says
	 * nothing of it. */
	reply("getUpdates", 401, "{\"ok\":false,\"error_code\":401,\"description\":\"x\"}");
	assert_int_equal(seen.health, HEALTH_GOOD);
	pass(1000);
	reply("getMe", 401, "<html>");
	assert_int_equal(seen.health, HEALTH_DOWN);
	pass(20000);
	reply("getMe", 401, "{\"ok\":false,\"error_code\":401,\"description\":\"x\"}");
	assert_int_equal(seen.health, HEALTH_REFUSED);
}

static void
telegram_poll_says_when_a_day_is_lost(void **state)
{
	char heard[24];
	struct state_row row = {"heard:42", heard, 0};

	(void)state;
	row.length =
	    (size_t)snprintf(heard, sizeof(heard), "%lld", (long long)(wall_s - 26 * 3600));
	open_with(NULL, &row, 1);
	reply("getMe", 200, ME);
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_int_equal(seen.health, HEALTH_GOOD);
	assert_non_null(strstr(seen.detail, "26 h"));
	reply("getUpdates", 200, NOTHING);
	assert_string_equal(seen.kept_key, "heard:42");
}

/* ---- sending ---- */

static struct card *
card(const char *text)
{
	struct card *c = card_new(arena);

	card_text(c, text, 0);
	return c;
}

static void
send_text(int64_t id, const char *where, struct card *c)
{
	tg->ops->send(tg, &(struct shipment){.id = id, .op = OP_SEND, .where = where, .card = c});
}

static void
fate_is(int64_t id, enum fate fate)
{
	assert_int_equal(seen.gone, 1);
	assert_int_equal(seen.id, id);
	assert_int_equal(seen.outcome.fate, fate);
	seen.gone = 0;
}

static void
telegram_send_reports_each_fate_once(void **state)
{
	(void)state;
	start(NULL);
	send_text(1, "7", card("hello"));
	assert_int_equal(seen.gone, 0);
	assert_true(waiting("sendMessage")->once);
	reply("sendMessage", 200, "{\"ok\":true,\"result\":{\"message_id\":31}}");
	fate_is(1, FATE_SENT);
	assert_string_equal(seen.message, "31");
	send_text(2, "7", card("hello"));
	lose("sendMessage", HTTP_UNCERTAIN, true);
	fate_is(2, FATE_UNCERTAIN);
	pass(100000);
	assert_null(waiting("sendMessage"));
	send_text(3, "7", card("hello"));
	lose("sendMessage", HTTP_NOT_SENT, false);
	fate_is(3, FATE_LATER);
	assert_true(seen.outcome.whole_network);
	send_text(4, "no chat", card("hello"));
	assert_int_equal(seen.gone, 0);
	pass(0);
	fate_is(4, FATE_REFUSED);
	tg->ops->send(
	    tg, &(struct shipment){.id = 5, .op = OP_DELETE, .where = "7", .message = "31"});
	assert_false(waiting("deleteMessage")->once);
	lose("deleteMessage", HTTP_UNCERTAIN, false);
	fate_is(5, FATE_LATER);
}

#define LIMITED \
	"{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\",\"parameters\":{" \
	"\"retry_after\":3019}}"

static void
telegram_send_tells_limits_of_a_chat_from_all(void **state)
{
	(void)state;
	start(NULL);
	for (int i = 0; i < 4; i++) {
		send_text(i, "7", card("x"));
		reply("sendMessage", 429, LIMITED);
		fate_is(i, FATE_LATER);
		assert_int_equal(seen.outcome.after_ms, 3019000);
		assert_false(seen.outcome.whole_network);
	}
	send_text(8, "8", card("x"));
	reply("sendMessage", 429, LIMITED);
	fate_is(8, FATE_LATER);
	assert_false(seen.outcome.whole_network);
	for (int round = 0; round < 3; round++) {
		send_text(9, "9", card("x"));
		reply("sendMessage", 429, LIMITED);
		fate_is(9, FATE_LATER);
		assert_true(seen.outcome.whole_network);
		assert_int_equal(seen.outcome.after_ms, 3019000);
		/* Nobody waits for so long: a few look whether it is over. */
		assert_int_equal(seen.outcome.network_ms, 30000 << round);
		for (int i = 0; i < 2; i++) {
			send_text(i, i ? "7" : "8", card("x"));
			reply("sendMessage", 429, LIMITED);
			fate_is(i, FATE_LATER);
		}
	}
}

static void
telegram_send_keeps_limits_of_many_chats_apart(void **state)
{
	char body[160], chat[16];

	(void)state;
	start(NULL);
	for (int i = 0; i < 20; i++) {
		snprintf(chat, sizeof(chat), "%d", i + 7);
		snprintf(body, sizeof(body),
		    "{\"ok\":false,\"error_code\":429,\"description\":\"x\",\"parameters\":{"
		    "\"retry_after\":%d}}",
		    10072 - 500 * i);
		send_text(i, chat, card("x"));
		reply("sendMessage", 429, body);
		fate_is(i, FATE_LATER);
		assert_false(seen.outcome.whole_network);
	}
}

/* The seconds in the parameters, in words, in quotes, beyond all bounds, nowhere. */
static void
telegram_send_reads_limits_of_any_form(void **state)
{
	static const struct {
		const char *body;
		int64_t after_ms;
	} forms[] = {
	    {"{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after 17\"}",
		17000},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":\"10072\"}}",
		10072000},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":"
	     "999999999999999999999999}}",
		7 * 86400 * 1000LL},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":99999999999999999}}",
		7 * 86400 * 1000LL},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":-5}}", 0},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":0}}", 1000},
	    {"{\"ok\":false,\"error_code\":429,\"description\":\"x\"}", 0},
	    {"<html>429</html>", 0},
	};

	(void)state;
	start(NULL);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		send_text(1, "7", card("x"));
		reply("sendMessage", 429, forms[i].body);
		fate_is(1, FATE_LATER);
		assert_int_equal(seen.outcome.after_ms, forms[i].after_ms);
	}
}

static void
telegram_send_cures_entities_and_captions(void **state)
{
	struct card *c = card("b");

	(void)state;
	card_text(c, "old", SPAN_BOLD);
	start(NULL);
	send_text(1, "7", c);
	assert_non_null(strstr(waiting("sendMessage")->body, "entities"));
	reply("sendMessage", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities: "
	    "x\"}");
	assert_int_equal(seen.gone, 0);
	assert_string_equal(waiting("sendMessage")->body,
	    "{\"chat_id\":7,\"text\":\"bold\",\"link_preview_options\":{\"is_disabled\":true},"
	    "\"disable_notification\":true}");
	reply("sendMessage", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities: "
	    "x\"}");
	fate_is(1, FATE_REFUSED);
	tg->ops->send(tg,
	    &(struct shipment){.id = 2, .op = OP_EDIT, .where = "7", .message = "31", .card = c});
	reply("editMessageText", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: there is no text in "
	    "the "
	    "message to edit\"}");
	assert_string_equal(waiting("editMessageCaption")->body,
	    "{\"chat_id\":7,\"message_id\":31,\"caption\":\"bold\",\"caption_entities\":[{\"type\":"
	    "\"bold\",\"offset\":1,\"length\":3}]}");
	reply("editMessageCaption", 200, DONE_TRUE);
	fate_is(2, FATE_SENT);
	/* Longer than a caption: what fits, and no entity behind it. */
	for (int i = 0; i < 60; i++)
		card_text(c, " twenty letters here", 0);
	tg->ops->send(tg,
	    &(struct shipment){.id = 3, .op = OP_EDIT, .where = "7", .message = "31", .card = c});
	reply("editMessageText", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: there is no text in "
	    "the message to edit\"}");
	assert_in_range(strlen(waiting("editMessageCaption")->body), 900, 1080);
	assert_null(strstr(waiting("editMessageCaption")->body, "entities"));
	reply("editMessageCaption", 200, DONE_TRUE);
	fate_is(3, FATE_SENT);
}

static void
telegram_send_uploads_once_and_by_id_after(void **state)
{
	char path[] = "/tmp/telegram-test-XXXXXX";
	int fd = mkstemp(path);
	struct card *c = card("see");
	struct shipment s = {.id = 1, .op = OP_SEND, .where = "7", .card = c, .file_path = path};

	(void)state;
	assert_int_equal(write(fd, "BEGIN", 5), 5);
	close(fd);
	card_file(c, path, "event.ics", "text/calendar", "k");
	start(NULL);
	tg->ops->send(tg, &s);
	assert_true(waiting("sendDocument")->once);
	assert_string_equal(
	    waiting("sendDocument")->part_names, "chat_id caption disable_notification document ");
	reply("sendDocument", 200,
	    "{\"ok\":true,\"result\":{\"message_id\":4,\"document\":{\"file_id\":\"F1\"}}}");
	fate_is(1, FATE_SENT);
	assert_string_equal(seen.file_id, "F1");
	s.id = 2;
	s.file_id = "F1";
	tg->ops->send(tg, &s);
	assert_int_equal(waiting("sendDocument")->parts, 0);
	assert_non_null(strstr(waiting("sendDocument")->body, "\"document\":\"F1\""));
	reply("sendDocument", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: wrong file "
	    "identifier\"}");
	assert_true(waiting("sendDocument")->parts > 0);
	reply("sendDocument", 200, "{\"ok\":true,\"result\":{\"message_id\":5}}");
	fate_is(2, FATE_SENT);
	unlink(path);
}

static size_t
count_waiting(const char *method)
{
	size_t n = 0;

	for (struct http_call *c = calls; c; c = c->next)
		n += strcmp(c->label + strlen("telegram "), method) == 0;
	return n;
}

/* Many recipients at once: one uploads, the others wait for the id; where it comes to nothing the
 * next one uploads. */
static void
telegram_send_uploads_once_for_all_at_once(void **state)
{
	char path[] = "/tmp/telegram-test-XXXXXX";
	int fd = mkstemp(path);
	struct card *c = card("see");
	struct shipment s = {.op = OP_SEND, .card = c, .file_path = path};
	static const char *const chats[] = {"7", "8", "9", "10"};

	(void)state;
	assert_int_equal(write(fd, "BEGIN", 5), 5);
	close(fd);
	card_file(c, path, "event.ics", "text/calendar", "k");
	start(NULL);
	for (s.id = 0; s.id < 4; s.id++) {
		s.where = chats[s.id];
		tg->ops->send(tg, &s);
	}
	assert_int_equal(count_waiting("sendDocument"), 1);
	lose("sendDocument", HTTP_UNCERTAIN, false);
	fate_is(0, FATE_UNCERTAIN);
	assert_int_equal(count_waiting("sendDocument"), 1);
	assert_true(waiting("sendDocument")->parts > 0);
	reply("sendDocument", 200,
	    "{\"ok\":true,\"result\":{\"message_id\":4,\"document\":{\"file_id\":\"F1\"}}}");
	assert_int_equal(seen.outcome.fate, FATE_SENT);
	assert_int_equal(count_waiting("sendDocument"), 2);
	while (waiting("sendDocument")) {
		assert_non_null(strstr(waiting("sendDocument")->body, "\"document\":\"F1\""));
		reply("sendDocument", 200, "{\"ok\":true,\"result\":{\"message_id\":5}}");
	}
	assert_int_equal(seen.gone, 3);
	/* Those that still wait when all ends were not sent. */
	seen.gone = 0;
	c->file->key = "other";
	for (s.id = 5; s.id < 7; s.id++) {
		s.where = chats[s.id - 5];
		tg->ops->send(tg, &s);
	}
	assert_int_equal(count_waiting("sendDocument"), 1);
	tg->ops->close(tg);
	assert_int_equal(seen.gone, 2);
	assert_int_equal(seen.id, 5);
	assert_int_equal(seen.outcome.fate, FATE_UNCERTAIN);
	open_with(NULL, NULL, 0);
	unlink(path);
}

static void
telegram_menus_are_set_only_when_changed(void **state)
{
	static const struct menu_entry menu[] = {{"help", "Help"}, {NULL, NULL}};
	struct shipment s = {
	    .id = 1, .op = OP_MENU, .menu = menu, .description = "What", .language = "ar"};
	char key[64], value[64];
	struct state_row row = {key, value, 16};

	(void)state;
	start(NULL);
	tg->ops->send(tg, &s);
	assert_string_equal(waiting("setMyCommands")->body,
	    "{\"scope\":{\"type\":\"default\"},\"language_code\":\"ar\",\"commands\":[{\"command\":"
	    "\"help\",\"description\":\"Help\"}]}");
	reply("setMyCommands", 200, DONE_TRUE);
	reply("setMyDescription", 200, DONE_TRUE);
	reply("setMyShortDescription", 200, DONE_TRUE);
	fate_is(1, FATE_SENT);
	memcpy(key, seen.kept_key, sizeof(key));
	memcpy(value, seen.kept_value, sizeof(value));
	assert_string_equal(key, "menu:42:ar");
	tg->ops->close(tg);
	open_with(NULL, &row, 1);
	tg->ops->send(tg, &s);
	assert_null(waiting("setMyCommands"));
	pass(0);
	fate_is(1, FATE_SENT);
	s.where = "7";
	s.menu = &menu[1];
	tg->ops->send(tg, &s);
	assert_string_equal(
	    waiting("deleteMyCommands")->body, "{\"scope\":{\"type\":\"chat\",\"chat_id\":7}}");
	reply("deleteMyCommands", 200, DONE_TRUE);
	fate_is(1, FATE_SENT);
}

static void
telegram_fetches_bytes(void **state)
{
	struct shipment s = {.id = 6, .op = OP_FETCH, .who = "7", .media_handle = "V1"};

	(void)state;
	start(NULL);
	tg->ops->send(tg, &s);
	reply("getFile", 200,
	    "{\"ok\":true,\"result\":{\"file_id\":\"V1\",\"file_path\":\"voice/a.oga\"}}");
	assert_string_equal(
	    waiting("file")->url, "http://127.0.0.1:1/file/bot42:canary-x_1/voice/a.oga");
	reply("file", 200, "OggS");
	assert_int_equal(seen.kind, EVENT_FETCHED);
	assert_string_equal(seen.text, "OggS");
	fate_is(6, FATE_SENT);
	tg->ops->send(tg, &s);
	reply("getFile", 200,
	    "{\"ok\":true,\"result\":{\"file_id\":\"V1\",\"file_path\":\"../x?y\"}}");
	fate_is(6, FATE_SENT);
	assert_string_equal(seen.text, "");
}

static void
telegram_close_leaves_no_fate_open(void **state)
{
	(void)state;
	start(NULL);
	send_text(1, "7", card("x"));
	tg->ops->close(tg);
	fate_is(1, FATE_UNCERTAIN);
	start(NULL);
	tg->ops->send(tg, &(struct shipment){.id = 2, .op = OP_TYPING, .where = "7"});
	tg->ops->close(tg);
	fate_is(2, FATE_LATER);
	start(NULL);
}

static void
telegram_takes_only_a_token(void **state)
{
	static const char *const bad[] = {
	    "", "42", "42:", ":x", "x:y", "42:a/b", "42:a b", "42:a\nb"};
	struct telegram_options o = {.api_root = "http://127.0.0.1:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.token = bad[i];
		o.token_length = strlen(bad[i]);
		assert_null(telegram_new(&o));
	}
	start(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
    TEST(telegram_poll_starts_in_order),
    TEST(telegram_poll_goes_on_after_the_commit),
    TEST(telegram_poll_asks_again_when_nothing_was_committed),
    TEST(telegram_poll_forgets_the_cursor_of_another_bot),
    TEST(telegram_poll_retries_a_dead_kept_connection_at_once),
    TEST(telegram_poll_that_hangs_is_deaf),
    TEST(telegram_poll_bears_a_conflict),
    TEST(telegram_poll_sets_one_poisoned_update_aside),
    TEST(telegram_poll_bears_html_empty_and_limits),
    TEST(telegram_poll_loses_nothing_to_a_reply_that_was_cut),
    TEST(telegram_poll_does_not_run_in_a_circle),
    TEST(telegram_poll_keeps_a_long_limit_over_a_restart),
    TEST(telegram_poll_tries_a_refused_token_rarely),
    TEST(telegram_poll_says_when_a_day_is_lost),
    TEST(telegram_send_reports_each_fate_once),
    TEST(telegram_send_tells_limits_of_a_chat_from_all),
    TEST(telegram_send_keeps_limits_of_many_chats_apart),
    TEST(telegram_send_reads_limits_of_any_form),
    TEST(telegram_send_cures_entities_and_captions),
    TEST(telegram_send_uploads_once_and_by_id_after),
    TEST(telegram_send_uploads_once_for_all_at_once),
    TEST(telegram_menus_are_set_only_when_changed),
    TEST(telegram_fetches_bytes),
    TEST(telegram_close_leaves_no_fate_open),
    TEST(telegram_takes_only_a_token),
};

UNIT_RUN(tests)
