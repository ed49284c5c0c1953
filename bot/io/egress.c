#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "base/log.h"
#include "base/memory.h"
#include "egress_flow.h"
#include "unix_socket.h"

struct egress {
	uv_loop_t *uv;
	uv_pipe_t listener;
	const struct hosts *hosts;
	struct egress_limits limits;
	struct egress_counts counts;
	struct egress_flow *flows;
	uint64_t said_at; /* when a refusal was logged last; 0: never */
	int64_t unsaid;
	int held; /* the listener and the flows */
};

static void connect_next(struct egress_flow *flow);

static void
let_go(struct egress *egress)
{
	if (--egress->held == 0)
		free(egress);
}

static void
release(struct egress_flow *flow)
{
	struct egress *egress = flow->egress;

	if (--flow->held > 0)
		return;
	if (flow->found)
		uv_freeaddrinfo(flow->found);
	free(flow);
	let_go(egress);
}

static void
handle_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void
attempt_closed(uv_handle_t *handle)
{
	struct egress_flow *flow = handle->data;

	free(handle); /* the first member of its attempt */
	release(flow);
}

static void
attempt_drop(struct egress_flow *flow)
{
	if (flow->attempt)
		uv_close((uv_handle_t *)&flow->attempt->tcp, attempt_closed);
	flow->attempt = NULL;
}

void
egress_flow_end(struct egress_flow *flow)
{
	if (flow->closing)
		return;
	flow->closing = true;
	if (flow->next)
		flow->next->prev = flow->prev;
	if (flow->prev)
		flow->prev->next = flow->next;
	else
		flow->egress->flows = flow->next;
	flow->egress->counts.connections--;
	attempt_drop(flow);
	if (flow->step == EGRESS_RESOLVING)
		uv_cancel((uv_req_t *)&flow->resolve);
	uv_close((uv_handle_t *)&flow->timer, handle_closed);
	uv_close((uv_handle_t *)&flow->client, handle_closed);
}

/* A few bytes always fit into a socket that nothing was written to. */
static bool
tell(struct egress_flow *flow, const void *bytes, size_t length)
{
	uv_buf_t b = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length);

	return uv_try_write((uv_stream_t *)&flow->client, &b, 1) == (int)length;
}

static void
say_no(struct egress_flow *flow, enum socks_reply reply)
{
	uint8_t answer[SOCKS_REPLY_BYTES];

	socks_answer(answer, reply);
	tell(flow, answer, sizeof(answer));
	egress_flow_end(flow);
}

/* One line a second at the most, so that nobody can fill a journal with refusals. */
static void
refuse(struct egress_flow *flow, const char *why)
{
	struct egress *egress = flow->egress;
	uint64_t now = uv_now(egress->uv);

	egress->counts.refused++;
	if (egress->said_at && now - egress->said_at < 1000) {
		egress->unsaid++;
	} else {
		log_event(LOG_WARNING, "egress.refused", "host=%s port=%u why=%s unsaid=%lld",
		    flow->target.host, flow->target.port, why, (long long)egress->unsaid);
		egress->said_at = now ? now : 1;
		egress->unsaid = 0;
	}
	say_no(flow, SOCKS_NOT_ALLOWED);
}

/* ---- connecting ---- */

static bool
reachable(const struct host_rule *rule, const struct sockaddr *address)
{
	switch (rule->reach) {
	case HOST_LOOPBACK:
		return address_loopback(address);
	case HOST_LITERAL:
		return true;
	case HOST_PRIVATE:
		return address_public(address) || address_private(address);
	case HOST_PUBLIC:
		break;
	}
	return address_public(address);
}

static void
connected(uv_connect_t *request, int status)
{
	struct egress_attempt *attempt = request->data;
	struct egress_flow *flow = attempt->flow;
	uint64_t look_ms = (uint64_t)flow->egress->limits.half_ms / 4 + 1;
	uint8_t answer[SOCKS_REPLY_BYTES];

	/* Given up meanwhile: the next address is tried, or the flow ends. */
	if (attempt != flow->attempt)
		return;
	if (status < 0) {
		flow->why = status == UV_ECONNREFUSED ? SOCKS_REFUSED
			    : status == UV_ETIMEDOUT  ? SOCKS_LATE
						      : SOCKS_NO_NETWORK;
		connect_next(flow);
		return;
	}
	uv_freeaddrinfo(flow->found);
	flow->found = NULL;
	flow->step = EGRESS_RELAY;
	flow->egress->counts.opened++;
	flow->touched = uv_now(flow->egress->uv);
	uv_timer_start(&flow->timer, flow->timer.timer_cb, look_ms, look_ms);
	socks_answer(answer, SOCKS_GRANTED);
	if (tell(flow, answer, sizeof(answer)))
		egress_flow_relay(flow);
	else
		egress_flow_end(flow);
}

static bool
attempt_start(struct egress_flow *flow, const struct sockaddr *address)
{
	struct egress_attempt *attempt = memory_new(sizeof(*attempt));

	attempt->flow = flow;
	attempt->tcp.data = flow;
	attempt->connect.data = attempt;
	if (uv_tcp_init(flow->egress->uv, &attempt->tcp) != 0) {
		free(attempt);
		return false;
	}
	flow->held++;
	flow->attempt = attempt;
	uv_tcp_nodelay(&attempt->tcp, 1);
	return uv_tcp_connect(&attempt->connect, &attempt->tcp, address, connected) == 0;
}

/* The next address that may be reached, one after another within connect_ms. */
static void
connect_next(struct egress_flow *flow)
{
	uint64_t now = uv_now(flow->egress->uv);
	bool forbidden = false;

	attempt_drop(flow);
	while (flow->at && now < flow->deadline) {
		struct addrinfo *at = flow->at;
		uint64_t left = flow->deadline - now;

		flow->at = at->ai_next;
		if (!reachable(&flow->rule, at->ai_addr)) {
			forbidden = true;
			continue;
		}
		if (attempt_start(flow, at->ai_addr)) {
			if (flow->at && left > (uint64_t)flow->egress->limits.attempt_ms)
				left = (uint64_t)flow->egress->limits.attempt_ms;
			uv_timer_start(&flow->timer, flow->timer.timer_cb, left, 0);
			return;
		}
		attempt_drop(flow);
		flow->why = SOCKS_NO_NETWORK;
	}
	if (forbidden && flow->why == SOCKS_NO_HOST)
		refuse(flow, "address");
	else
		say_no(flow, flow->why);
}

static void
resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct egress_flow *flow = request->data;

	flow->found = found;
	flow->at = found;
	if (!flow->closing) {
		flow->step = EGRESS_CONNECTING;
		flow->why = SOCKS_NO_HOST;
		if (status == 0)
			connect_next(flow);
		else
			say_no(flow, SOCKS_NO_HOST);
	}
	release(flow);
}

static void
resolve(struct egress_flow *flow)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV,
	    .ai_family = flow->rule.family == 4	  ? AF_INET
			 : flow->rule.family == 6 ? AF_INET6
						  : AF_UNSPEC};
	int64_t patience = flow->egress->limits.connect_ms;
	char port[8];

	snprintf(port, sizeof(port), "%u", flow->target.port);
	flow->deadline = uv_now(flow->egress->uv) + (uint64_t)patience;
	uv_timer_start(&flow->timer, flow->timer.timer_cb, (uint64_t)patience, 0);
	flow->resolve.data = flow;
	if (uv_getaddrinfo(
		flow->egress->uv, &flow->resolve, resolved, flow->target.host, port, &hints) != 0) {
		say_no(flow, SOCKS_FAILED);
		return;
	}
	flow->step = EGRESS_RESOLVING;
	flow->held++;
}

/* ---- the handshake ---- */

static void
take_request(struct egress_flow *flow)
{
	enum socks_reply reply;
	size_t used = 0;
	enum socks_step step = socks_request((const uint8_t *)flow->out.bytes + flow->out.begin,
	    flow->out.end - flow->out.begin, &used, &flow->target, &reply);

	if (step == SOCKS_MORE)
		return;
	if (step == SOCKS_WRONG) {
		say_no(flow, reply);
		return;
	}
	flow->out.begin += used;
	uv_read_stop((uv_stream_t *)&flow->client);
	if (hosts_find(flow->egress->hosts, flow->target.host, flow->target.port, &flow->rule))
		resolve(flow);
	else
		refuse(flow, "list");
}

static void
take_greeting(struct egress_flow *flow)
{
	size_t used = 0;
	bool open;
	enum socks_step step =
	    socks_greeting((const uint8_t *)flow->out.bytes, flow->out.end, &used, &open);

	if (step == SOCKS_MORE)
		return;
	if (step == SOCKS_WRONG || !tell(flow, open ? "\5\0" : "\5\377", 2) || !open) {
		egress_flow_end(flow);
		return;
	}
	flow->out.begin = used;
	flow->step = EGRESS_REQUEST;
	take_request(flow);
}

static void
give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
	struct egress_way *out = &((struct egress_flow *)handle->data)->out;

	(void)wanted;
	*room = uv_buf_init(out->bytes + out->end, (unsigned)(sizeof(out->bytes) - out->end));
}

static void
came(uv_stream_t *client, ssize_t n, const uv_buf_t *room)
{
	struct egress_flow *flow = client->data;

	(void)room;
	if (n < 0) {
		egress_flow_end(flow);
		return;
	}
	flow->out.end += (size_t)n;
	if (flow->step == EGRESS_GREETING)
		take_greeting(flow);
	else
		take_request(flow);
}

/* ---- time ---- */

static void
timer_came(uv_timer_t *timer)
{
	struct egress_flow *flow = timer->data;
	const struct egress_limits *limits = &flow->egress->limits;
	int64_t quiet = (int64_t)(uv_now(timer->loop) - flow->touched);

	switch (flow->step) {
	case EGRESS_GREETING:
	case EGRESS_REQUEST:
		egress_flow_end(flow);
		break;
	case EGRESS_RESOLVING:
		say_no(flow, SOCKS_LATE);
		break;
	case EGRESS_CONNECTING:
		flow->why = SOCKS_LATE;
		connect_next(flow);
		break;
	case EGRESS_RELAY:
		if (quiet >=
		    (flow->out.ended || flow->in.ended ? limits->half_ms : limits->idle_ms))
			egress_flow_end(flow);
		break;
	}
}

/* ---- those who come ---- */

static void
flow_new(struct egress *egress)
{
	struct egress_flow *flow = memory_new(sizeof(*flow));

	flow->egress = egress;
	flow->client.data = flow->timer.data = flow;
	uv_pipe_init(egress->uv, &flow->client, 0);
	uv_timer_init(egress->uv, &flow->timer);
	flow->held = 2;
	egress->held++;
	egress->counts.connections++;
	flow->next = egress->flows;
	if (flow->next)
		flow->next->prev = flow;
	egress->flows = flow;
	uv_timer_start(&flow->timer, timer_came, (uint64_t)egress->limits.handshake_ms, 0);
	if (uv_accept((uv_stream_t *)&egress->listener, (uv_stream_t *)&flow->client) != 0) {
		egress_flow_end(flow);
		return;
	}
	if (egress->counts.connections > egress->limits.connections) {
		egress->counts.turned_away++;
		egress_flow_end(flow);
		return;
	}
	uv_read_start((uv_stream_t *)&flow->client, give_room, came);
}

static void
somebody_came(uv_stream_t *listener, int status)
{
	if (status == 0)
		flow_new(listener->data);
}

static int64_t
or_else(int64_t value, int64_t otherwise)
{
	return value > 0 ? value : otherwise;
}

struct egress *
egress_open(
    struct loop *loop, int fd, const struct hosts *hosts, const struct egress_limits *limits)
{
	struct egress *egress = memory_new(sizeof(*egress));
	struct egress_limits l = {0};

	if (limits)
		l = *limits;
	egress->limits.connections = (int)or_else(l.connections, 96);
	egress->limits.handshake_ms = or_else(l.handshake_ms, 5000);
	egress->limits.connect_ms = or_else(l.connect_ms, 9000);
	egress->limits.attempt_ms = or_else(l.attempt_ms, 3000);
	egress->limits.idle_ms = or_else(l.idle_ms, 180000);
	egress->limits.half_ms = or_else(l.half_ms, 20000);
	egress->uv = &loop->uv;
	egress->hosts = hosts;
	egress->held = 1;
	uv_pipe_init(egress->uv, &egress->listener, 0);
	egress->listener.data = egress;
	if (uv_pipe_open(&egress->listener, fd) != 0 ||
	    uv_listen((uv_stream_t *)&egress->listener, 64, somebody_came) != 0) {
		egress_close(egress);
		return NULL;
	}
	return egress;
}

int
egress_listen(const char *path)
{
	return unix_listen(path, 0660);
}

void
egress_allow(struct egress *egress, const struct hosts *hosts)
{
	egress->hosts = hosts;
}

struct egress_counts
egress_count(const struct egress *egress)
{
	return egress->counts;
}

static void
listener_closed(uv_handle_t *handle)
{
	let_go(handle->data);
}

void
egress_close(struct egress *egress)
{
	if (!egress)
		return;
	while (egress->flows)
		egress_flow_end(egress->flows);
	uv_close((uv_handle_t *)&egress->listener, listener_closed);
}
