#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "http_lane.h"

enum {
	BODY_ROOM_KEPT = 256 * 1024,
};

/* An option that libcurl had no memory for is not set, and the request must not go without it. */
#define SET(slot, option, value) \
	((slot)->unset = curl_easy_setopt((slot)->easy, option, value) != CURLE_OK || (slot)->unset)

static size_t
body_came(char *bytes, size_t size, size_t count, void *ctx)
{
	struct http_slot *slot = ctx;
	size_t length = size * count;

	/* MAXFILESIZE stops neither a chunked nor a compressed body. */
	if (length > slot->call->body_max - slot->body.length) {
		slot->too_big = true;
		return 0;
	}
	buf_add(&slot->body, bytes, length);
	return length;
}

static size_t
header_came(char *bytes, size_t size, size_t count, void *ctx)
{
	struct http_slot *slot = ctx;
	size_t length = size * count;

	if (length <= 2)
		slot->whole_head = true;
	else if (length > 5 && memcmp(bytes, "HTTP/", 5) == 0)
		slot->whole_head = false;
	return length;
}

static size_t
body_wanted(char *room, size_t size, size_t count, void *ctx)
{
	struct http_slot *slot = ctx;
	size_t n = size * count, left = slot->call->body.length - slot->sent;

	if (n > left)
		n = left;
	if (n > 0)
		memcpy(room, slot->call->body.bytes + slot->sent, n);
	slot->sent += n;
	return n;
}

/* A body that must not be sent twice cannot be rewound: libcurl then gives up, instead of sending
 * it again after a kept-alive connection died. */
static int
body_rewound(void *ctx, curl_off_t offset, int origin)
{
	struct http_slot *slot = ctx;

	if (slot->call->once || origin != SEEK_SET || offset < 0 ||
	    (size_t)offset > slot->call->body.length)
		return CURL_SEEKFUNC_FAIL;
	slot->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t
part_wanted(char *room, size_t size, size_t count, void *ctx)
{
	struct http_form_part *part = ctx;
	size_t n = size * count, left = part->length - part->read;

	if (n > left)
		n = left;
	if (n > 0)
		memcpy(room, part->data + part->read, n);
	part->read += n;
	return n;
}

static int
part_rewound(void *ctx, curl_off_t offset, int origin)
{
	struct http_form_part *part = ctx;

	/* To where it is already: libcurl does so before the first byte. */
	if (origin == SEEK_SET && offset == 0 && part->read == 0)
		return CURL_SEEKFUNC_OK;
	if (part->once || origin != SEEK_SET || offset < 0 || (size_t)offset > part->length)
		return CURL_SEEKFUNC_FAIL;
	part->read = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* The second lock against sending twice: it holds for a request without a body too. */
static int
about_to_send(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct http_slot *slot = ctx;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	return slot->requests++ > 0 && slot->call->once ? CURL_PREREQFUNC_ABORT
							: CURL_PREREQFUNC_OK;
}

/* What was resolved is checked, never what was written. Connections are not shared between lanes,
 * so none that was allowed elsewhere is used here. */
static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_slot *slot = ctx;
	struct http_lane *lane = slot->lane;
	bool allowed = true;

	(void)purpose;
	if (address->family != AF_UNIX) {
		if (slot->plain)
			allowed = address_loopback(&address->addr);
		else if (lane->public_only)
			allowed = address_public(&address->addr);
	}
	if (!allowed) {
		slot->refused = true;
		return CURL_SOCKET_BAD;
	}
	return http_lane_open_socket(lane, address);
}

static void
set_network(struct http_slot *slot)
{
	const struct http_lane *lane = slot->lane;
	static const long resolve[] = {
	    [HTTP_ANY_FAMILY] = CURL_IPRESOLVE_WHATEVER,
	    [HTTP_IPV4] = CURL_IPRESOLVE_V4,
	    [HTTP_IPV6] = CURL_IPRESOLVE_V6,
	};
	char proxy[512];

	SET(slot, CURLOPT_IPRESOLVE, resolve[lane->family]);
	SET(slot, CURLOPT_CONNECTTIMEOUT_MS, (long)lane->connect_timeout_ms);
	SET(slot, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(slot, CURLOPT_TCP_KEEPIDLE, 30L);
	SET(slot, CURLOPT_TCP_KEEPINTVL, 10L);
	/* "": not even the one the environment names. */
	snprintf(proxy, sizeof(proxy), "%s%s", lane->http->proxy ? "socks5h://localhost" : "",
	    lane->http->proxy ? lane->http->proxy : "");
	SET(slot, CURLOPT_PROXY, proxy);
	SET(slot, CURLOPT_NOPROXY, "");
	SET(slot, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* One of the two only: with both libcurl reads the whole list for each connection. */
	if (lane->http->ca_folder)
		SET(slot, CURLOPT_CAINFO, NULL);
	SET(slot, CURLOPT_CAPATH, lane->http->ca_folder);
}

static void
set_functions(struct http_slot *slot)
{
	SET(slot, CURLOPT_PRIVATE, slot);
	SET(slot, CURLOPT_WRITEFUNCTION, body_came);
	SET(slot, CURLOPT_WRITEDATA, slot);
	SET(slot, CURLOPT_HEADERFUNCTION, header_came);
	SET(slot, CURLOPT_HEADERDATA, slot);
	SET(slot, CURLOPT_READFUNCTION, body_wanted);
	SET(slot, CURLOPT_READDATA, slot);
	SET(slot, CURLOPT_SEEKFUNCTION, body_rewound);
	SET(slot, CURLOPT_SEEKDATA, slot);
	SET(slot, CURLOPT_PREREQFUNCTION, about_to_send);
	SET(slot, CURLOPT_PREREQDATA, slot);
	SET(slot, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(slot, CURLOPT_OPENSOCKETDATA, slot);
	SET(slot, CURLOPT_CLOSESOCKETFUNCTION, http_lane_close_socket);
	SET(slot, CURLOPT_CLOSESOCKETDATA, slot->lane);
}

void
http_slot_open(struct http_slot *slot, struct http_lane *lane)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		memory_exhausted();
	slot->lane = lane;
	slot->easy = easy;
	set_functions(slot);
	set_network(slot);
	SET(slot, CURLOPT_NOSIGNAL, 1L);
	/* Or a dead name server stops the loop when the transfer is given up. */
	SET(slot, CURLOPT_QUICK_EXIT, 1L);
	SET(slot, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(slot, CURLOPT_PROTOCOLS_STR, "https");
	SET(slot, CURLOPT_FOLLOWLOCATION, 0L);
	SET(slot, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	if (lane->compressed)
		SET(slot, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	if (lane->http->user_agent)
		SET(slot, CURLOPT_USERAGENT, lane->http->user_agent);
	if (slot->unset)
		memory_exhausted();
}

static void
free_headers(struct http_slot *slot)
{
	struct curl_slist *line;

	/* One of them may be a token. */
	for (line = slot->headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(slot->headers);
	slot->headers = NULL;
}

void
http_slot_close(struct http_slot *slot)
{
	curl_easy_cleanup(slot->easy);
	free_headers(slot);
	buf_free(&slot->head);
	buf_free(&slot->body);
}

/* The list stays while requests have the same headers, which is nearly always. */
static void
set_headers(struct http_slot *slot)
{
	const struct buf *head = &slot->call->head;
	char *line, *rest, *copy;

	if (slot->headers && head->length == slot->head.length &&
	    memcmp(head->bytes, slot->head.bytes, head->length) == 0)
		return;
	free_headers(slot);
	buf_free(&slot->head);
	slot->head.maximum = head->length + 1;
	buf_add(&slot->head, head->bytes, head->length);
	copy = memory_string(head->bytes);
	for (line = copy; (rest = strchr(line, '\n')); line = rest + 1) {
		struct curl_slist *more;

		*rest = 0;
		more = curl_slist_append(slot->headers, line);
		if (!more)
			break;
		slot->headers = more;
	}
	explicit_bzero(copy, head->length);
	free(copy);
	if (rest) {
		free_headers(slot);
		slot->unset = true;
	}
	SET(slot, CURLOPT_HTTPHEADER, slot->headers);
}

static bool
set_part(curl_mimepart *to, struct http_form_part *from)
{
	from->read = 0;
	return to && curl_mime_name(to, from->name) == CURLE_OK &&
	       curl_mime_filename(to, from->file_name) == CURLE_OK &&
	       curl_mime_type(to, from->type) == CURLE_OK &&
	       curl_mime_data_cb(to, (curl_off_t)from->length, part_wanted,
		   from->once ? NULL : part_rewound, NULL, from) == CURLE_OK;
}

static void
set_form(struct http_slot *slot)
{
	struct http_call *call = slot->call;
	size_t i;

	slot->form = curl_mime_init(slot->easy);
	for (i = 0; slot->form && i < call->part_count; i++)
		if (!set_part(curl_mime_addpart(slot->form), &call->parts[i]))
			break;
	if (!slot->form || i < call->part_count)
		slot->unset = true;
	SET(slot, CURLOPT_MIMEPOST, slot->form);
}

static void
set_method(struct http_slot *slot)
{
	struct http_call *call = slot->call;
	const char *usual = "GET", *method = call->method.bytes;

	if (call->part_count) {
		set_form(slot);
		usual = "POST";
	} else if (call->has_body) {
		SET(slot, CURLOPT_POST, 1L);
		SET(slot, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.length);
		usual = "POST";
	} else {
		SET(slot, CURLOPT_HTTPGET, 1L);
	}
	SET(slot, CURLOPT_CUSTOMREQUEST, strcmp(method, usual) == 0 ? NULL : method);
}

static void
set_timeout(struct http_slot *slot)
{
	uint64_t now = uv_now(slot->lane->uv);
	int64_t left_ms = slot->call->timeout_ms;

	if (slot->call->hops == 0)
		slot->deadline = now + (uint64_t)left_ms;
	else
		left_ms = slot->deadline > now ? (int64_t)(slot->deadline - now) : 1;
	if (left_ms == slot->timeout_ms)
		return;
	slot->timeout_ms = left_ms;
	SET(slot, CURLOPT_TIMEOUT_MS, (long)left_ms);
}

bool
http_slot_set(struct http_slot *slot)
{
	struct http_call *call = slot->call;

	slot->sent = 0;
	slot->requests = 0;
	slot->whole_head = slot->too_big = slot->refused = slot->unset = false;
	slot->body.maximum = call->body_max;
	buf_clear(&slot->body);
	SET(slot, CURLOPT_URL, call->url.bytes);
	set_method(slot);
	set_headers(slot);
	set_timeout(slot);
	if (slot->plain != call->plain)
		SET(slot, CURLOPT_PROTOCOLS_STR, call->plain ? "http" : "https");
	slot->plain = call->plain;
	if (slot->fresh != call->fresh)
		SET(slot, CURLOPT_FRESH_CONNECT, call->fresh ? 1L : 0L);
	slot->fresh = call->fresh;
	if (slot->lane->renewed)
		SET(slot, CURLOPT_MAXLIFETIME_CONN,
		    (long)((uv_now(slot->lane->uv) - slot->lane->renewed_at) / 1000 + 1));
	return !slot->unset;
}

void
http_slot_clear(struct http_slot *slot)
{
	if (slot->form) {
		SET(slot, CURLOPT_MIMEPOST, NULL);
		curl_mime_free(slot->form);
		slot->form = NULL;
	}
	if (slot->body.room > BODY_ROOM_KEPT)
		buf_free(&slot->body);
	else if (slot->body.bytes)
		explicit_bzero(slot->body.bytes, slot->body.length);
	buf_clear(&slot->body);
}
