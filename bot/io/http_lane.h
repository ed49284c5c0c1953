/*
 * A lane: a libcurl multi of its own, its watches in the loop, its slots and its queue.
 * http.c decides what happens to a call; http_lane.c is libcurl's way into libuv; http_slot.c is
 * what libcurl is told about one request.
 */
#ifndef IO_HTTP_LANE_H
#define IO_HTTP_LANE_H

#include <curl/curl.h>
#include <uv.h>

#include "http_call.h"

/* A transfer: an easy handle that stays configured from request to request. */
struct http_slot {
	struct http_lane *lane;
	struct http_slot *next_free;
	CURL *easy;
	struct http_call *call; /* NULL: nothing runs */
	struct buf body;	/* of the reply */
	struct buf head;	/* what `headers` was made from */
	struct curl_slist *headers;
	curl_mime *form;
	size_t sent;	 /* of the call's body */
	int requests;	 /* how often libcurl was about to send */
	bool whole_head; /* the empty line behind the headers came */
	bool too_big;
	bool refused;	   /* an address was refused */
	bool unset;	   /* an option could not be set */
	uint64_t deadline; /* in the loop's ms */
	char cause[128];
	/* What the handle is set to now. */
	int64_t timeout_ms;
	bool plain, fresh;
};

/* What libcurl wants to know of a socket. */
struct http_watch {
	uv_poll_t poll;
	struct http_lane *lane;
	curl_socket_t fd;
	bool ours; /* made by http_slot's open function: lives until libcurl closes the socket */
	int events;
};

struct http_lane {
	struct http *http;
	uv_loop_t *uv;
	CURLM *multi;
	uv_timer_t *timer;	     /* libcurl's only one */
	uv_idle_t *late;	     /* tells bad requests in the next round */
	struct http_watch **watches; /* by descriptor */
	int watch_room;
	int handles; /* timers and watches that are not closed yet */
	int inside;  /* libcurl or a callback is running: freeing waits for its end */
	bool dead;
	bool public_only, compressed, renewed;
	enum http_family family;
	int64_t connect_timeout_ms;
	uint64_t renewed_at;
	struct http_slot *slots, *free_slots;
	int slot_count;
	size_t busy, waiting;
	struct http_call *first, *last; /* the queue, by priority */
	struct http_call *late_calls;
	struct http_call *unused;
	int unused_count;
};

struct http {
	struct loop *loop;
	char *user_agent, *proxy, *ca_folder;
	int lanes;
};

/* http_lane.c */
void http_lane_open_multi(struct http_lane *lane);
/* Removes what is left from the loop; the lane is freed once libuv let go of everything. */
void http_lane_close_multi(struct http_lane *lane);
curl_socket_t http_lane_open_socket(struct http_lane *lane, const struct curl_sockaddr *address);
int http_lane_close_socket(void *ctx, curl_socket_t fd);
/* http.c */
void http_lane_ended(struct http_slot *slot, CURLcode result);
void http_lane_start(struct http_lane *lane);
/* http_slot.c */
void http_slot_open(struct http_slot *slot, struct http_lane *lane);
void http_slot_close(struct http_slot *slot);
/* Tells libcurl about slot->call; the transfer may be added after it. False: it had no memory. */
bool http_slot_set(struct http_slot *slot);
/* Forgets what belonged to the request. */
void http_slot_clear(struct http_slot *slot);

#endif
