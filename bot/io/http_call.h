/* A request that was asked for, from http_send() to its callback. */
#ifndef IO_HTTP_CALL_H
#define IO_HTTP_CALL_H

#include "base/memory.h"
#include "io/http.h"

struct http_form_part {
	char *name, *file_name, *type;
	char *data;
	size_t length;
	size_t read; /* how much libcurl took */
	bool once;
};

struct http_call {
	struct http_call *next; /* in the lane's queue or its store of unused calls */
	struct http_lane *lane;
	struct http_slot *slot; /* NULL while it waits */
	bool late;		/* a bad request, told in the next round */
	const char *bad;	/* what is wrong with it */
	const char *label;
	http_fn *fn;
	void *ctx;
	struct buf url, method, body, head; /* head: a header a line */
	struct buf origin;		    /* of a loopback URL: scheme, host and port */
	struct buf moved;		    /* where the redirects led while all were for good */
	bool left;			    /* a redirect that was not for good was followed */
	bool has_body, once, fresh, plain, token;
	int redirects, priority;
	int hops; /* redirects followed */
	int64_t timeout_ms;
	size_t body_max;
	struct http_form_part *parts;
	size_t part_count;
};

/* Copies the request; what is wrong with it is in ->bad. */
void http_call_fill(struct http_call *call, const struct http_request *request);
/* Wipes what it held and keeps some room for the next request. */
void http_call_clear(struct http_call *call);
void http_call_free(struct http_call *call);
/* Checks ->url: https, or http on a loopback host, which sets ->plain and ->origin. What is wrong,
 * or NULL. */
const char *http_call_check(struct http_call *call);
/* The next address of a redirect: takes it, or says what is wrong with it. `for_good`: the server
 * says that this is the address from now on. */
const char *http_call_redirect(struct http_call *call, const char *url, bool for_good);

#endif
