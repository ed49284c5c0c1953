/* Bytes both ways between a client and the host it was allowed to reach. */
#include "egress_flow.h"

static void pump(struct egress_way *way);

static void
shut_down(uv_shutdown_t *request, int status)
{
	struct egress_way *way = request->data;

	(void)status;
	way->shut = true;
	if (way->flow->out.shut && way->flow->in.shut)
		egress_flow_end(way->flow);
}

static void
written(uv_write_t *request, int status)
{
	struct egress_way *way = request->data;

	way->busy = false;
	if (status < 0) {
		egress_flow_end(way->flow);
		return;
	}
	way->begin = way->end = 0;
	way->flow->touched = uv_now(way->flow->timer.loop);
	pump(way);
}

static void
give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
	struct egress_flow *flow = handle->data;
	struct egress_way *way = handle == (uv_handle_t *)&flow->client ? &flow->out : &flow->in;

	(void)wanted;
	*room = uv_buf_init(way->bytes, sizeof(way->bytes));
}

static void
came(uv_stream_t *from, ssize_t n, const uv_buf_t *room)
{
	struct egress_flow *flow = from->data;
	struct egress_way *way = from == (uv_stream_t *)&flow->client ? &flow->out : &flow->in;

	(void)room;
	if (n == 0)
		return;
	flow->touched = uv_now(flow->timer.loop);
	if (n > 0) {
		way->begin = 0;
		way->end = (size_t)n;
	} else if (n == UV_EOF) {
		way->ended = true;
	} else {
		egress_flow_end(flow);
		return;
	}
	pump(way);
}

/* What the socket takes is written at once; for the rest, reading waits. */
static void
pump(struct egress_way *way)
{
	uv_buf_t rest;
	int n;

	if (way->flow->closing || way->busy)
		return;
	rest = uv_buf_init(way->bytes + way->begin, (unsigned)(way->end - way->begin));
	if (rest.len > 0) {
		n = uv_try_write(way->to, &rest, 1);
		if (n < 0 && n != UV_EAGAIN) {
			egress_flow_end(way->flow);
			return;
		}
		way->begin += n > 0 ? (size_t)n : 0;
		rest = uv_buf_init(way->bytes + way->begin, (unsigned)(way->end - way->begin));
	}
	if (rest.len > 0 || way->ended)
		uv_read_stop(way->from);
	if (rest.len > 0) {
		way->busy = true;
		if (uv_write(&way->write, way->to, &rest, 1, written) != 0)
			egress_flow_end(way->flow);
		return;
	}
	if (!way->ended)
		uv_read_start(way->from, give_room, came);
	else if (uv_shutdown(&way->shutdown, way->to, shut_down) != 0)
		egress_flow_end(way->flow);
}

void
egress_flow_relay(struct egress_flow *flow)
{
	uv_stream_t *client = (uv_stream_t *)&flow->client;
	uv_stream_t *server = (uv_stream_t *)&flow->attempt->tcp;

	flow->out.from = flow->in.to = client;
	flow->out.to = flow->in.from = server;
	flow->out.flow = flow->in.flow = flow;
	flow->out.write.data = flow->out.shutdown.data = &flow->out;
	flow->in.write.data = flow->in.shutdown.data = &flow->in;
	flow->in.begin = flow->in.end = 0;
	pump(&flow->out);
	pump(&flow->in);
}
