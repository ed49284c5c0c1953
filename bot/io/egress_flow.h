/* One connection through the egress proxy, for its two files only. */
#ifndef IO_EGRESS_FLOW_H
#define IO_EGRESS_FLOW_H

#include <netdb.h>
#include <stdbool.h>

#include "base/hosts.h"
#include "base/socks.h"
#include "io/egress.h"
#include "loop_uv.h"

enum { EGRESS_ROOM = 16 * 1024 };

struct egress_flow;

/* One direction. What stands in bytes was read and not yet written. */
struct egress_way {
	struct egress_flow *flow;
	uv_stream_t *from, *to;
	uv_write_t write;
	uv_shutdown_t shutdown;
	size_t begin, end;
	bool busy;  /* a write is under way, and nothing is read meanwhile */
	bool ended; /* `from` said its last byte */
	bool shut;  /* and `to` was told */
	char bytes[EGRESS_ROOM];
};

/* Lives until its handle is closed, also when the next address is tried already. */
struct egress_attempt {
	uv_tcp_t tcp;
	uv_connect_t connect;
	struct egress_flow *flow;
};

enum egress_step {
	EGRESS_GREETING,
	EGRESS_REQUEST,
	EGRESS_RESOLVING,
	EGRESS_CONNECTING,
	EGRESS_RELAY
};

struct egress_flow {
	struct egress *egress;
	struct egress_flow *next, *prev;
	enum egress_step step;
	bool closing;
	int held; /* handles and requests that still point here */
	uv_pipe_t client;
	uv_timer_t timer;
	uv_getaddrinfo_t resolve;
	struct egress_attempt *attempt;
	struct addrinfo *found, *at;
	struct socks_target target;
	struct host_rule rule;
	enum socks_reply why; /* what is said when no address is left */
	uint64_t deadline, touched;
	struct egress_way out, in;
};

/* Ends it at once, whatever it is doing; harmless when it is ending already. */
void egress_flow_end(struct egress_flow *flow);
/* From here on bytes go both ways; what the client said too early goes first. */
void egress_flow_relay(struct egress_flow *flow);

#endif
