#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "address.h"
#include "http_call.h"

enum {
	URL_MAX = 16 * 1024,
	HEAD_MAX = 64 * 1024,
	BODY_MAX = 256 * 1024 * 1024,
	BODY_DEFAULT = 1024 * 1024,
	TIMEOUT_DEFAULT_MS = 60000,
	ROOM_KEPT = 64 * 1024, /* a call that held more gives it back */
};

static void
set(struct buf *buf, size_t maximum, const void *bytes, size_t length)
{
	buf_clear(buf);
	buf->maximum = maximum;
	buf_add(buf, bytes, length);
}

/* A newline in a header would be another header. */
static bool
header_add(struct buf *head, const char *name, const char *value)
{
	if (strpbrk(value, "\r\n"))
		return false;
	buf_string(head, name);
	buf_string(head, value);
	buf_add(head, "\n", 1);
	return !head->overflowed;
}

static bool
fill_head(struct http_call *call, const struct http_request *request)
{
	const char *const *h;
	bool typed = false, good = true;

	set(&call->head, HEAD_MAX, "", 0);
	for (h = request->headers; h && *h; h++) {
		typed = typed || strncasecmp(*h, "Content-Type:", 13) == 0;
		good = header_add(&call->head, *h, "") && !strpbrk(*h, "\r\n") && good;
	}
	if (request->token)
		good = header_add(&call->head, "Authorization: Bearer ", request->token) && good;
	if (call->has_body && !typed)
		good = header_add(&call->head, "Content-Type: application/json", "") && good;
	/* Waiting for 100 Continue costs a second where the server does not know it. */
	return header_add(&call->head, "Expect:", "") && good;
}

static char *
copy(const void *bytes, size_t length)
{
	char *p = memory_new(length + 1);

	if (length)
		memcpy(p, bytes, length);
	return p;
}

static void
fill_parts(struct http_call *call, const struct http_request *request)
{
	size_t i;

	call->part_count = request->part_count;
	call->parts = memory_new(request->part_count * sizeof(*call->parts));
	for (i = 0; i < request->part_count; i++) {
		const struct http_part *from = &request->parts[i];
		struct http_form_part *to = &call->parts[i];

		to->name = memory_string(from->name);
		to->file_name = from->file_name ? memory_string(from->file_name) : NULL;
		to->type = from->type ? memory_string(from->type) : NULL;
		to->data = copy(from->data, from->length);
		to->length = from->length;
		to->once = request->once;
	}
}

static void
fill_body(struct http_call *call, const struct http_request *request)
{
	const char *method = request->method;

	call->has_body = request->body && !request->part_count;
	if (!method)
		method = request->body || request->part_count ? "POST" : "GET";
	set(&call->method, 32, method, strlen(method));
	set(&call->body, BODY_MAX, request->body, call->has_body ? request->body_length : 0);
	if (request->part_count)
		fill_parts(call, request);
}

void
http_call_fill(struct http_call *call, const struct http_request *request)
{
	call->label = request->label ? request->label : "";
	call->fn = request->fn;
	call->ctx = request->ctx;
	call->once = request->once;
	call->fresh = request->fresh;
	call->priority = request->priority;
	call->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_DEFAULT_MS;
	call->body_max = request->body_max ? request->body_max : BODY_DEFAULT;
	call->token = request->token != NULL;
	set(&call->url, URL_MAX, request->url, strlen(request->url));
	fill_body(call, request);
	call->redirects =
	    !call->token && strcmp(call->method.bytes, "GET") == 0 ? request->redirects : 0;
	if (!fill_head(call, request))
		call->bad = "a header is not one line, or too long";
	else if (call->url.overflowed || call->method.overflowed || call->body.overflowed)
		call->bad = "the request is too big";
	else
		call->bad = http_call_check(call);
}

static bool
loopback_host(const char *host)
{
	char plain[64];
	size_t n = strlen(host);
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
		return address_loopback((struct sockaddr *)&in);
	if (host[0] != '[' || n < 3 || n - 2 >= sizeof(plain))
		return false;
	memcpy(plain, host + 1, n - 2);
	plain[n - 2] = 0;
	return inet_pton(AF_INET6, plain, &in6.sin6_addr) == 1 &&
	       address_loopback((struct sockaddr *)&in6);
}

static const char *
check_parts(struct http_call *call, const char *scheme, const char *host, const char *port)
{
	call->plain = strcmp(scheme, "http") == 0;
	if (!call->plain)
		return strcmp(scheme, "https") == 0 ? NULL : "only https is allowed";
	if (!loopback_host(host))
		return "http without TLS is for loopback only";
	set(&call->origin, URL_MAX, host, strlen(host));
	buf_string(&call->origin, " ");
	buf_string(&call->origin, port);
	return NULL;
}

const char *
http_call_check(struct http_call *call)
{
	CURLU *u;
	char *scheme = NULL, *host = NULL, *port = NULL;
	const char *bad = "the URL cannot be read";

	call->plain = false;
	/* libcurl reads it anyway and is told to speak nothing else. */
	if (strncasecmp(call->url.bytes, "https://", 8) == 0)
		return NULL;
	u = curl_url();
	/* Numeric spellings of an address (0x7f.1) come out normalised. */
	if (u &&
	    curl_url_set(u, CURLUPART_URL, call->url.bytes, CURLU_DISALLOW_USER) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		bad = check_parts(call, scheme, host, port);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return bad;
}

/* Plain http stays within the origin the operator wrote; everything else is https. */
const char *
http_call_redirect(struct http_call *call, const char *url, bool for_good)
{
	char *origin = call->plain ? memory_string(call->origin.bytes) : NULL;
	const char *bad;

	set(&call->url, URL_MAX, url, strlen(url));
	bad = call->url.overflowed ? "the redirect is too long" : http_call_check(call);
	if (!bad && call->plain && (!origin || strcmp(origin, call->origin.bytes) != 0))
		bad = "the redirect leads to loopback";
	free(origin);
	call->left = call->left || !for_good;
	if (!bad && !call->left)
		set(&call->moved, URL_MAX, url, strlen(url));
	call->hops++;
	call->redirects--;
	return bad;
}

static void
wipe(struct buf *buf)
{
	if (buf->room > ROOM_KEPT) {
		buf_free(buf);
		return;
	}
	if (buf->bytes)
		explicit_bzero(buf->bytes, buf->length);
	buf_clear(buf);
}

static void
free_parts(struct http_call *call)
{
	size_t i;

	for (i = 0; i < call->part_count; i++) {
		explicit_bzero(call->parts[i].data, call->parts[i].length);
		free(call->parts[i].data);
		free(call->parts[i].name);
		free(call->parts[i].file_name);
		free(call->parts[i].type);
	}
	free(call->parts);
}

void
http_call_clear(struct http_call *call)
{
	struct http_call kept = {
	    .url = call->url,
	    .method = call->method,
	    .body = call->body,
	    .head = call->head,
	    .origin = call->origin,
	    .moved = call->moved,
	};

	free_parts(call);
	*call = kept;
	wipe(&call->url);
	wipe(&call->method);
	wipe(&call->body);
	wipe(&call->head);
	wipe(&call->origin);
	wipe(&call->moved);
}

void
http_call_free(struct http_call *call)
{
	http_call_clear(call);
	buf_free(&call->url);
	buf_free(&call->method);
	buf_free(&call->body);
	buf_free(&call->head);
	buf_free(&call->origin);
	buf_free(&call->moved);
	free(call);
}
