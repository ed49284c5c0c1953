/* io/http.h on virtual time: what is sent arrives a while later or not at all, and so do answers.
 * Every phase of an exchange has its faults. */
#include "sim.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/http.h"
#include "io/loop.h"
#include "transports/telegram_inside.h"

struct http {
	int nothing;
};

struct http_lane {
	int connections, busy;
	struct http_call *first, **last; /* waiting */
};

struct http_call {
	struct http_call *next;
	struct http_lane *lane;
	http_fn *fn;
	void *ctx;
	struct exchange *exchange;
	int64_t timeout_ms;
	bool waits;
};

/* Lives until nothing in the agenda knows it any more. */
struct exchange {
	int users;
	struct http_call *call;		    /* NULL: nobody listens any more */
	char *method, *path, *token, *body; /* path: Matrix'; of Telegram's the method's name */
	size_t length;
	bool matrix;
	int64_t retry_after_s;
	int64_t shipment;
	bool answered;
	enum http_outcome outcome;
	int status;
	char *reply;
};

static int64_t exchanges;

static void
exchange_leave(void *ctx)
{
	struct exchange *x = ctx;

	if (--x->users)
		return;
	free(x->method);
	free(x->path);
	free(x->token);
	free(x->body);
	free(x->reply);
	free(x);
}

static void
exchange_at(struct exchange *x, int64_t after_ms, bool of_bot, void (*fn)(void *ctx))
{
	x->users++;
	agenda_add(sim.now_ms + after_ms, of_bot, fn, exchange_leave, x);
}

void
exchange_keep(struct exchange *x)
{
	x->users++;
}

void
exchange_release(struct exchange *x)
{
	exchange_leave(x);
}

int64_t
exchange_shipment(const struct exchange *x)
{
	return x->shipment;
}

void
exchange_retry_after(struct exchange *x, int64_t seconds)
{
	x->retry_after_s = seconds;
}

bool
exchange_lost(const struct exchange *x)
{
	return !x->call;
}

static int64_t
latency_ms(void)
{
	return 20 + dice_below(60) + (fault(5000) ? dice_below(20000) : 0);
}

/* ---- towards the bot ---- */

static void lane_poke(struct http_lane *lane);

static void
come(struct exchange *x, enum http_outcome outcome, const char *cause)
{
	struct http_call *call = x->call;
	struct http_answer answer = {
	    .outcome = outcome,
	    .status = outcome == HTTP_REPLIED ? x->status : 0,
	    .body = outcome == HTTP_REPLIED && x->reply ? x->reply : "",
	    .cause = cause,
	    .reused = chance(500000),
	    .inside = x,
	};

	if (!call)
		return;
	answer.length = strlen(answer.body);
	x->call = NULL;
	call->lane->busy--;
	sim.shipment = x->shipment;
	lane_poke(call->lane);
	call->fn(call->ctx, &answer);
	sim.shipment = 0;
	free(call);
}

static void
reply_comes(void *ctx)
{
	struct exchange *x = ctx;

	come(x, x->outcome, x->outcome == HTTP_REPLIED ? "" : "cut");
	exchange_leave(x);
}

static void
late(void *ctx)
{
	struct exchange *x = ctx;

	come(x, HTTP_UNCERTAIN, "no answer in time");
	exchange_leave(x);
}

static void
connection_fails(void *ctx)
{
	struct exchange *x = ctx;

	come(x, HTTP_NOT_SENT, "no connection");
	exchange_leave(x);
}

void
exchange_answer(struct exchange *x, int status, const char *body)
{
	if (x->answered)
		return;
	x->answered = true;
	x->status = status;
	x->outcome = body ? HTTP_REPLIED : HTTP_UNCERTAIN;
	x->reply = body ? memory_string(body) : NULL;
	if (fault(2000)) { /* it was done, and a proxy in between says that it was not */
		sim.counts.odd[ODD_GATEWAY]++;
		free(x->reply);
		x->reply = memory_string("<html><h1>502 Bad Gateway</h1></html>");
		x->status = 502;
	} else if (fault(3000)) {
		return; /* the answer is lost, and the bot waits for its time-out */
	} else if (fault(3000)) {
		x->outcome = HTTP_UNCERTAIN; /* the connection is cut in the middle of it */
	}
	exchange_at(x, latency_ms(), true, reply_comes);
}

/* ---- towards the server ---- */

static void
arrives(void *ctx)
{
	struct exchange *x = ctx;

	if (sim.now_ms < sim.cut_off_ms) {
		exchange_leave(x);
		return;
	}
	sim.counts.requests++;
	if (fault(3000)) {
		sim.counts.odd[ODD_GATEWAY]++;
		exchange_answer(x, 502, "<html><h1>502 Bad Gateway</h1></html>");
	} else if (fault(1000)) {
		sim.counts.odd[ODD_EMPTY]++;
		exchange_answer(x, 200, "");
	} else if (x->matrix) {
		matrix_serve(x, x->method, x->path, x->token, x->body, x->length);
	} else {
		telegram_serve(x, x->path, x->body, x->length);
	}
	announce_moment(MOMENT_TAKEN, x->shipment);
	exchange_leave(x);
}

int64_t
exchange_count(void)
{
	return exchanges;
}

void
exchange_begin(void)
{
	exchanges = 0;
}

static bool
is_nth(void)
{
	sweep_point(POINT_EXCHANGE, ++exchanges);
	return sim.o.nth_exchange && (sim.o.for_ever ? exchanges >= sim.o.nth_exchange && !sim.calm
						     : exchanges == sim.o.nth_exchange);
}

static void
depart(struct http_call *call)
{
	struct exchange *x = call->exchange;

	call->waits = false;
	call->lane->busy++;
	exchange_at(x, call->timeout_ms, true, late);
	if (fault(4000) || is_nth())
		exchange_at(x, latency_ms(), true, connection_fails);
	else if (fault(3000))
		; /* lost on the way there: the bot waits for its time-out */
	else
		exchange_at(x, latency_ms(), false, arrives);
	announce_moment(MOMENT_IN_AIR, x->shipment);
	exchange_leave(x); /* the queue's */
}

static void
lane_poke(struct http_lane *lane)
{
	while (lane->first && lane->busy < lane->connections) {
		struct http_call *call = lane->first;

		lane->first = call->next;
		if (!lane->first)
			lane->last = &lane->first;
		depart(call);
	}
}

/* ---- io/http.h ---- */

struct http *
http_new(struct loop *loop, const struct http_options *options)
{
	(void)loop;
	(void)options;
	return memory_new(sizeof(struct http));
}

void
http_free(struct http *http)
{
	free(http);
}

struct http_lane *
http_lane_new(struct http *http, const struct http_lane_options *options)
{
	struct http_lane *lane = memory_new(sizeof(*lane));

	(void)http;
	lane->connections = options->connections ? options->connections : 1;
	lane->last = &lane->first;
	return lane;
}

void
http_lane_free(struct http_lane *lane)
{
	struct http_call *call;

	while (lane && (call = lane->first)) {
		lane->first = call->next;
		exchange_leave(call->exchange);
		free(call);
	}
	free(lane);
}

size_t
http_lane_busy(const struct http_lane *lane)
{
	return (size_t)lane->busy;
}

size_t
http_lane_waiting(const struct http_lane *lane)
{
	size_t n = 0;

	for (const struct http_call *c = lane->first; c; c = c->next)
		n++;
	return n;
}

void
http_lane_renew(struct http_lane *lane)
{
	(void)lane;
}

/* A form as the JSON object it stands for. */
static char *
form_body(const struct http_request *request)
{
	json_t *object = json_object();
	char *text;

	for (size_t i = 0; i < request->part_count; i++) {
		const struct http_part *p = &request->parts[i];
		json_t *value =
		    p->file_name ? NULL : json_loadb(p->data, p->length, JSON_DECODE_ANY, NULL);

		if (!value)
			value =
			    p->file_name ? json_string("file") : json_stringn(p->data, p->length);
		json_object_set_new(object, p->name, value ? value : json_null());
	}
	text = json_dumps(object, 0);
	json_decref(object);
	return text;
}

static void
copy_body(struct exchange *x, const struct http_request *request)
{
	if (request->part_count) {
		x->body = form_body(request);
		x->length = strlen(x->body);
		return;
	}
	x->length = request->body_length;
	x->body = memory_new(x->length + 1);
	if (x->length)
		memcpy(x->body, request->body, x->length);
}

/* Telegram's addresses hold the token, Matrix' begin with /_matrix. */
static void
copy_address(struct exchange *x, const struct http_request *request)
{
	const char *path = strstr(request->url, "/_matrix/"), *slash = strrchr(request->url, '/');
	const char *method = request->method;

	x->matrix = path != NULL;
	if (!x->matrix)
		path = slash ? slash + 1 : "";
	if (!method)
		method = request->body || request->part_count ? "POST" : "GET";
	x->path = memory_string(path);
	x->method = memory_string(method);
	x->token = memory_string(request->token ? request->token : "");
}

/* Transaction ids begin with it. */
static int64_t
matrix_shipment(const char *path)
{
	return strstr(path, "/send/m.room.") ? strtoll(strrchr(path, '/') + 1, NULL, 10) : 0;
}

/* Those that wait for one file leave in the callback of the first of them, so a sending is asked
 * which it is. */
static int64_t
shipment_of(const struct exchange *x, const struct http_request *request)
{
	if (x->matrix)
		return matrix_shipment(x->path);
	if (request->label && !strncmp(request->label, "telegram send", strlen("telegram send")))
		return ((const struct sending *)request->ctx)->id;
	return sim.shipment;
}

struct http_call *
http_send(struct http_lane *lane, const struct http_request *request)
{
	struct http_call *call = memory_new(sizeof(*call));
	struct exchange *x = call->exchange = memory_new(sizeof(*x));

	call->lane = lane;
	call->fn = request->fn;
	call->ctx = request->ctx;
	call->timeout_ms = request->timeout_ms ? request->timeout_ms : 60000;
	call->waits = true;
	x->users = 1;
	x->call = call;
	copy_address(x, request);
	copy_body(x, request);
	x->shipment = shipment_of(x, request);
	*lane->last = call;
	lane->last = &call->next;
	lane_poke(lane);
	return call;
}

static void
unqueue(struct http_call *call)
{
	struct http_call **at = &call->lane->first;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at)
		*at = call->next;
	call->lane->last = &call->lane->first;
	while (*call->lane->last)
		call->lane->last = &(*call->lane->last)->next;
}

void
http_cancel(struct http_call *call)
{
	if (!call)
		return;
	call->exchange->call = NULL;
	if (call->waits) {
		unqueue(call);
		exchange_leave(call->exchange);
	} else {
		call->lane->busy--;
		lane_poke(call->lane);
	}
	free(call);
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
	const struct exchange *x = answer->inside;

	return x->retry_after_s ? x->retry_after_s : -1;
}
