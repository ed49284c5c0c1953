/*
 * HTTP requests (libcurl inside). tests/sim implements this header a second time.
 *
 * What holds for every request:
 * - fn comes exactly once, never from inside http_send() or any other call of this header, unless
 *   http_cancel() or http_lane_free() came first: then it does not come at all.
 * - https only; plain http for a loopback host only.
 * - No URL, token or body is ever in a cause or a log; the label is what names a request.
 * - Everything in the request is copied by http_send(); without a Content-Type among its headers a
 *   body is application/json.
 */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct http;
struct http_lane;
struct http_call;
struct http_answer;

enum http_outcome {
	HTTP_REPLIED,	/* a whole reply came, whatever its status */
	HTTP_NOT_SENT,	/* provably nothing left: the name, connection or TLS failed, or bad URL */
	HTTP_UNCERTAIN, /* bytes may have left and no whole reply came */
	HTTP_TOO_BIG,	/* a reply came and its body passed body_max; the rest was not read */
};

enum http_family {
	HTTP_ANY_FAMILY,
	HTTP_IPV4,
	HTTP_IPV6,
};

struct http_options {
	const char *user_agent; /* NULL: none is sent */
	const char
	    *proxy; /* path of a UNIX socket that speaks SOCKS5 and resolves names; or NULL */
	/* Certificates that are trusted, each under its hash (`openssl rehash`), so that only the one
	 * that is needed is read: the list in one file takes 40 ms of each new connection. NULL: the
	 * system's, and its list in one file where it has no such folder or somebody added to it. */
	const char *ca_folder;
};

/* A lane has its own connections, shared with no other lane. */
struct http_lane_options {
	const char *name; /* for the log */
	int connections;  /* requests at once, each on a kept-alive connection; 0 is 1 */
	enum http_family family;
	int64_t connect_timeout_ms; /* name, connection and TLS together; 0: 10 s */
	bool public_only;	    /* addresses are checked after resolution, see below */
	bool compressed; /* replies may come compressed; body_max counts what comes out */
};

/* One part of a form. Only name and data are needed. */
struct http_part {
	const char *name;
	const char *file_name;
	const char *type;
	const void *data;
	size_t length;
};

typedef void http_fn(void *ctx, const struct http_answer *answer);

struct http_request {
	const char *label;  /* "telegram sendMessage" */
	const char *method; /* NULL: GET, or POST when there is a body or a form */
	const char *url;
	const char *const *headers; /* "Name: value"; NULL ends it, may be NULL */
	const char *token;	    /* sent as Authorization: Bearer; NULL: none */
	const void *body;	    /* NULL: none (an empty body is not NULL) */
	size_t body_length;
	const struct http_part *parts; /* multipart/form-data instead of a body */
	size_t part_count;
	bool once;     /* must not reach the server twice, whatever becomes of the connection */
	bool fresh;    /* on a new connection */
	int redirects; /* how many may be followed; GET without token only, otherwise none is */
	int priority;  /* among those that wait in the lane; smaller first, then as they came */
	int64_t timeout_ms; /* in total, from leaving the lane's queue; 0: 60 s */
	size_t body_max;    /* bytes of the reply's body, decoded; 0: 1 MiB */
	http_fn *fn;
	void *ctx;
};

/* Lives until fn returns, and so does all it points to. */
struct http_answer {
	enum http_outcome outcome;
	int status;	  /* 0 when no status line came */
	const char *body; /* a NUL stands behind it; "" unless REPLIED */
	size_t length;
	const char *cause; /* why not, for a log; "" when all is well */
	const char *url;   /* the last address asked, when a redirect was followed, else NULL */
	const char *moved; /* the address to ask from now on (301, 308), else NULL */
	bool reused;	   /* on a connection that had served before */
	const void *inside;
};

/* The versions of the library below it and of those that it uses, TLS among them. */
const char *http_library(void);
/* From now on OpenSSL without memory ends the process too: it crashes when it is refused some while it
 * sets itself up. http_new does it; it has no effect once OpenSSL was used. */
void http_memory(void);
/* options may be NULL. Never NULL; free it after its lanes and before the loop. */
struct http *http_new(struct loop *loop, const struct http_options *options);
void http_free(struct http *http);

/* Never NULL. */
struct http_lane *http_lane_new(struct http *http, const struct http_lane_options *options);
/* Cancels what is under way and what waits; closes the connections. NULL is ignored. */
void http_lane_free(struct http_lane *lane);
/* Requests under way, and waiting. */
size_t http_lane_busy(const struct http_lane *lane);
size_t http_lane_waiting(const struct http_lane *lane);
/* Connections that serve nobody now are not used again (after a change of network or a deaf poll).
 */
void http_lane_renew(struct http_lane *lane);

/* Never NULL; the call is dead once fn was called or http_cancel() was. */
struct http_call *http_send(struct http_lane *lane, const struct http_request *request);
/* Silent: fn does not come. The request may have been sent. NULL is ignored. */
void http_cancel(struct http_call *call);

/* The last value of a header of the reply, the name in any case; NULL when there is none. */
const char *http_header(const struct http_answer *answer, const char *name);
/* Seconds of a Retry-After header in seconds; -1 when there is none or it is something else. */
int64_t http_retry_after_s(const struct http_answer *answer);

/*
 * public_only: a connection is only made to an address of the public internet. Loopback, private,
 * shared, link-local, unique-local, multicast, reserved and IPv4 mapped, translated or tunnelled
 * in IPv6 are refused, whatever was written in the URL. One exception, for the operator's own
 * server: an http:// URL on a loopback host may be asked, and may redirect within its own origin.
 */

#endif
