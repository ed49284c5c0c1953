#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "http_lane.h"
#include "loop_uv.h"

static const char NO_MEMORY[] = "out of memory";
static const char SYSTEM_CERTIFICATES[] = "/etc/ssl/certs";
static const char SYSTEM_LIST[] = "/etc/ssl/certs/ca-certificates.crt";

enum {
	CONNECT_DEFAULT_MS = 10000,
	UNUSED_KEPT = 64,
};

static char *
copy(const char *string)
{
	return string ? memory_string(string) : NULL;
}

/* It stands in a URL, where only a whole path means a UNIX socket. */
static char *
whole_path(const char *path)
{
	char folder[4096];
	char *whole;
	size_t room;

	if (!path || path[0] == '/' || !getcwd(folder, sizeof(folder)))
		return copy(path);
	room = strlen(folder) + strlen(path) + 2;
	whole = memory_new(room);
	snprintf(whole, room, "%s/%s", folder, path);
	return whole;
}

static void *
openssl_bytes(size_t bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	return bytes ? memory_resize(NULL, bytes) : NULL;
}

static void *
openssl_resize(void *old, size_t bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	if (bytes)
		return memory_resize(old, bytes);
	free(old);
	return NULL;
}

static void
openssl_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

void
http_memory(void)
{
	/* Refused when a library's own start was earlier: then it is as it was. */
	(void)CRYPTO_set_mem_functions(openssl_bytes, openssl_resize, openssl_free);
}

const char *
http_library(void)
{
	return curl_version();
}

/* A file 0123abcd.0 is a certificate under its hash. */
static bool
has_hashes(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *e = NULL;

	while (folder && (e = readdir(folder)))
		if (strspn(e->d_name, "0123456789abcdef") == 8 && !strcmp(e->d_name + 8, ".0"))
			break;
	if (folder)
		closedir(folder);
	return e;
}

/* Both are made at once; whoever adds to the list by hand leaves the folder older than it. */
static bool
list_is_newer(void)
{
	struct stat folder, list;

	return stat(SYSTEM_CERTIFICATES, &folder) == 0 && stat(SYSTEM_LIST, &list) == 0 &&
	       list.st_mtime > folder.st_mtime;
}

struct http *
http_new(struct loop *loop, const struct http_options *options)
{
	struct http *http = memory_new(sizeof(*http));

	http_memory();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		memory_exhausted();
	http->loop = loop;
	if (options) {
		http->user_agent = copy(options->user_agent);
		http->proxy = whole_path(options->proxy);
		http->ca_folder = copy(options->ca_folder);
	}
	if (!http->ca_folder && has_hashes(SYSTEM_CERTIFICATES) && !list_is_newer())
		http->ca_folder = copy(SYSTEM_CERTIFICATES);
	return http;
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	assert(http->lanes == 0);
	free(http->user_agent);
	free(http->proxy);
	free(http->ca_folder);
	free(http);
	curl_global_cleanup();
}

struct http_lane *
http_lane_new(struct http *http, const struct http_lane_options *options)
{
	struct http_lane *lane = memory_new(sizeof(*lane));
	int i;

	http->lanes++;
	lane->http = http;
	lane->uv = &http->loop->uv;
	lane->public_only = options->public_only;
	lane->compressed = options->compressed;
	lane->family = options->family;
	lane->connect_timeout_ms =
	    options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_DEFAULT_MS;
	lane->slot_count = options->connections > 0 ? options->connections : 1;
	lane->slots = memory_new((size_t)lane->slot_count * sizeof(*lane->slots));
	http_lane_open_multi(lane);
	for (i = lane->slot_count - 1; i >= 0; i--) {
		http_slot_open(&lane->slots[i], lane);
		lane->slots[i].next_free = lane->free_slots;
		lane->free_slots = &lane->slots[i];
	}
	return lane;
}

static void
call_recycle(struct http_lane *lane, struct http_call *call)
{
	if (lane->unused_count >= UNUSED_KEPT) {
		http_call_free(call);
		return;
	}
	http_call_clear(call);
	call->next = lane->unused;
	lane->unused = call;
	lane->unused_count++;
}

static struct http_call *
call_take(struct http_lane *lane)
{
	struct http_call *call = lane->unused;

	if (!call)
		return memory_new(sizeof(*call));
	lane->unused = call->next;
	lane->unused_count--;
	call->next = NULL;
	return call;
}

static void
free_list(struct http_call *call)
{
	struct http_call *next;

	for (; call; call = next) {
		next = call->next;
		http_call_free(call);
	}
}

/* Back among the free; the warmest is used first. */
static void
slot_release(struct http_slot *slot)
{
	http_slot_clear(slot);
	slot->next_free = slot->lane->free_slots;
	slot->lane->free_slots = slot;
}

void
http_lane_free(struct http_lane *lane)
{
	int i;

	if (!lane)
		return;
	assert(!lane->dead);
	lane->dead = true;
	lane->http->lanes--;
	for (i = 0; i < lane->slot_count; i++) {
		struct http_slot *slot = &lane->slots[i];

		if (!slot->call)
			continue;
		curl_multi_remove_handle(lane->multi, slot->easy);
		http_slot_clear(slot);
		http_call_free(slot->call);
		slot->call = NULL;
	}
	free_list(lane->first);
	free_list(lane->late_calls);
	free_list(lane->unused);
	lane->first = lane->last = lane->late_calls = lane->unused = NULL;
	lane->unused_count = UNUSED_KEPT; /* what a callback still holds is freed, not kept */
	if (lane->inside == 0)
		http_lane_close_multi(lane);
}

size_t
http_lane_busy(const struct http_lane *lane)
{
	return lane->busy;
}

size_t
http_lane_waiting(const struct http_lane *lane)
{
	return lane->waiting;
}

void
http_lane_renew(struct http_lane *lane)
{
	lane->renewed = true;
	lane->renewed_at = uv_now(lane->uv);
}

static void
queue_add(struct http_lane *lane, struct http_call *call)
{
	struct http_call **at = &lane->first;

	lane->waiting++;
	if (lane->last && lane->last->priority <= call->priority)
		at = &lane->last->next;
	else
		while (*at && (*at)->priority <= call->priority)
			at = &(*at)->next;
	call->next = *at;
	*at = call;
	if (!call->next)
		lane->last = call;
}

/* Takes it out of a list; false when it is not in it. */
static bool
list_remove(struct http_call **list, struct http_call **last, struct http_call *call)
{
	struct http_call *before = NULL, *c;

	for (c = *list; c && c != call; c = c->next)
		before = c;
	if (!c)
		return false;
	if (before)
		before->next = c->next;
	else
		*list = c->next;
	if (last && *last == c)
		*last = before;
	return true;
}

/* False: there was no memory for it. */
static bool
slot_run(struct http_slot *slot)
{
	CURLMcode code;

	if (!http_slot_set(slot))
		return false;
	code = curl_multi_add_handle(slot->lane->multi, slot->easy);
	if (code != CURLM_OK && code != CURLM_OUT_OF_MEMORY)
		abort();
	return code == CURLM_OK;
}

static void call_is_bad(struct http_lane *lane, struct http_call *call);

/* Nothing left, and its fn hears so in the next round. */
static void
slot_fails(struct http_slot *slot)
{
	struct http_call *call = slot->call;

	slot->call = NULL;
	call->slot = NULL;
	call->bad = NO_MEMORY;
	slot->lane->busy--;
	slot_release(slot);
	call_is_bad(slot->lane, call);
}

void
http_lane_start(struct http_lane *lane)
{
	while (lane->first && lane->free_slots) {
		struct http_slot *slot = lane->free_slots;
		struct http_call *call = lane->first;

		lane->free_slots = slot->next_free;
		lane->first = call->next;
		if (!lane->first)
			lane->last = NULL;
		lane->waiting--;
		lane->busy++;
		call->next = NULL;
		call->slot = slot;
		slot->call = call;
		if (!slot_run(slot))
			slot_fails(slot);
	}
}

static void
late_came(uv_idle_t *idle)
{
	struct http_lane *lane = idle->data;
	struct http_call *call;

	lane->inside++;
	/* What the callbacks ask for comes in the next round. */
	call = lane->late_calls;
	if (call) {
		struct http_answer answer = {
		    .outcome = HTTP_NOT_SENT,
		    .body = "",
		    .cause = call->bad,
		};

		lane->late_calls = call->next;
		call->fn(call->ctx, &answer);
		call_recycle(lane, call);
	}
	if (!lane->dead && !lane->late_calls)
		uv_idle_stop(idle);
	lane->inside--;
	if (lane->dead && lane->inside == 0)
		http_lane_close_multi(lane);
}

static void
call_is_bad(struct http_lane *lane, struct http_call *call)
{
	struct http_call **at = &lane->late_calls;

	call->late = true;
	while (*at)
		at = &(*at)->next;
	*at = call;
	uv_idle_start(lane->late, late_came);
}

struct http_call *
http_send(struct http_lane *lane, const struct http_request *request)
{
	struct http_call *call = call_take(lane);

	assert(!lane->dead);
	call->lane = lane;
	http_call_fill(call, request);
	if (call->bad) {
		call_is_bad(lane, call);
		return call;
	}
	queue_add(lane, call);
	http_lane_start(lane);
	return call;
}

void
http_cancel(struct http_call *call)
{
	struct http_lane *lane;
	struct http_slot *slot;

	if (!call)
		return;
	lane = call->lane;
	slot = call->slot;
	if (slot) {
		curl_multi_remove_handle(lane->multi, slot->easy);
		slot->call = NULL;
		lane->busy--;
		slot_release(slot);
	} else if (call->late) {
		list_remove(&lane->late_calls, NULL, call);
	} else if (list_remove(&lane->first, &lane->last, call)) {
		lane->waiting--;
	}
	call_recycle(lane, call);
	/* Within act() the queue is looked at when it ends. */
	if (slot && lane->inside == 0)
		http_lane_start(lane);
}

static bool
is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* What left, by libcurl's own count; also what left before it tried again, and earlier hops. */
static enum http_outcome
outcome_of(const struct http_slot *slot, CURLcode result)
{
	long sent = 0;

	if (slot->too_big)
		return HTTP_TOO_BIG;
	if (result == CURLE_OK && slot->whole_head)
		return HTTP_REPLIED;
	curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &sent);
	if (sent == 0 && slot->requests <= 1 && slot->call->hops == 0)
		return HTTP_NOT_SENT;
	return HTTP_UNCERTAIN;
}

/* Made of libcurl's and the system's fixed sentences, so that no address is ever in it. */
static const char *
cause_of(struct http_slot *slot, CURLcode result, enum http_outcome outcome)
{
	long number = 0;

	if (outcome == HTTP_REPLIED)
		return "";
	if (outcome == HTTP_TOO_BIG)
		return "the reply is too big";
	if (slot->refused && result == CURLE_COULDNT_CONNECT)
		return "the address is not allowed";
	if (result == CURLE_OK)
		return "the reply ended within its headers";
	curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &number);
	snprintf(slot->cause, sizeof(slot->cause), "%s%s%s", curl_easy_strerror(result),
	    number ? ": " : "", number ? strerrordesc_np((int)number) : "");
	return slot->cause;
}

/* True when the next hop is under way; *bad says why a redirect was not followed. */
static bool
follow(struct http_slot *slot, long status, const char **bad)
{
	struct http_call *call = slot->call;
	char *url = NULL;

	if (!is_redirect(status) || call->redirects <= 0)
		return false;
	curl_easy_getinfo(slot->easy, CURLINFO_REDIRECT_URL, &url);
	if (!url)
		return false;
	*bad = http_call_redirect(call, url, status == 301 || status == 308);
	if (*bad)
		return false;
	if (slot_run(slot))
		return true;
	*bad = NO_MEMORY;
	return false;
}

static void
answer_fill(struct http_slot *slot, CURLcode result, struct http_answer *answer)
{
	long status = 0, connects = 0;

	curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connects);
	answer->outcome = outcome_of(slot, result);
	answer->cause = cause_of(slot, result, answer->outcome);
	answer->status = (int)status;
	answer->reused = connects == 0 && answer->outcome != HTTP_NOT_SENT;
	answer->url = slot->call->hops > 0 ? slot->call->url.bytes : NULL;
	answer->moved = slot->call->moved.length > 0 ? slot->call->moved.bytes : NULL;
	answer->body = "";
	answer->inside = slot->easy;
	if (answer->outcome == HTTP_REPLIED && slot->body.length > 0) {
		answer->body = slot->body.bytes;
		answer->length = slot->body.length;
	}
}

void
http_lane_ended(struct http_slot *slot, CURLcode result)
{
	struct http_lane *lane = slot->lane;
	struct http_call *call = slot->call;
	struct http_answer answer = {0};
	const char *bad = NULL;

	answer_fill(slot, result, &answer);
	curl_multi_remove_handle(lane->multi, slot->easy);
	if (answer.outcome == HTTP_REPLIED && follow(slot, answer.status, &bad))
		return;
	if (bad) {
		answer.cause = bad;
		answer.url = NULL;
	}
	if (answer.outcome != HTTP_REPLIED)
		log_event(LOG_INFO, "http.failed", "label=\"%s\" cause=\"%s\"", call->label,
		    answer.cause);
	/* The slot is not free while the answer points into it. */
	slot->call = NULL;
	lane->busy--;
	call->fn(call->ctx, &answer);
	call_recycle(lane, call);
	if (!lane->dead)
		slot_release(slot);
	else
		http_slot_clear(slot);
}

const char *
http_header(const struct http_answer *answer, const char *name)
{
	struct curl_header *header;

	if (!answer->inside || curl_easy_header((CURL *)(uintptr_t)answer->inside, name, 0,
				   CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	/* Of several the last one counts. */
	if (header->amount > 1)
		curl_easy_header((CURL *)(uintptr_t)answer->inside, name, header->amount - 1,
		    CURLH_HEADER, -1, &header);
	return header->value;
}

int64_t
http_retry_after_s(const struct http_answer *answer)
{
	const char *text = http_header(answer, "Retry-After");
	char *end;
	long long seconds;

	if (!text || text[0] < '0' || text[0] > '9')
		return -1;
	seconds = strtoll(text, &end, 10);
	return *end == 0 ? (int64_t)seconds : -1;
}
