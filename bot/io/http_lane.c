#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_lane.h"

static void poll_came(uv_poll_t *poll, int status, int events);

static void
let_go(struct http_lane *lane)
{
	if (--lane->handles > 0 || !lane->dead)
		return;
	free(lane->watches);
	free(lane);
}

static void
watch_closed(uv_handle_t *handle)
{
	struct http_watch *watch = handle->data;
	struct http_lane *lane = watch->lane;

	free(watch);
	let_go(lane);
}

static void
handle_closed(uv_handle_t *handle)
{
	struct http_lane *lane = handle->data;

	free(handle);
	let_go(lane);
}

static void
watch_close(struct http_watch *watch)
{
	watch->lane->watches[watch->fd] = NULL;
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, watch_closed);
}

static struct http_watch *
watch_find(const struct http_lane *lane, curl_socket_t fd)
{
	return fd >= 0 && fd < lane->watch_room ? lane->watches[fd] : NULL;
}

static struct http_watch *
watch_new(struct http_lane *lane, curl_socket_t fd, bool ours)
{
	struct http_watch *watch = memory_new(sizeof(*watch));
	int room = lane->watch_room;

	if (uv_poll_init(lane->uv, &watch->poll, fd) != 0) {
		free(watch);
		return NULL;
	}
	if (fd >= room) {
		lane->watch_room = fd + 16;
		lane->watches = memory_resize(
		    lane->watches, (size_t)lane->watch_room * sizeof(struct http_watch *));
		while (room < lane->watch_room)
			lane->watches[room++] = NULL;
	}
	lane->watches[fd] = watch;
	lane->handles++;
	watch->poll.data = watch;
	watch->lane = lane;
	watch->fd = fd;
	watch->ours = ours;
	return watch;
}

static void
watch_set(struct http_watch *watch, int events)
{
	/* A loop with nothing but idle connections has nothing to wait for. */
	uv_ref((uv_handle_t *)&watch->poll);
	if (watch->events == events)
		return;
	watch->events = events;
	uv_poll_start(&watch->poll, events, poll_came);
}

/*
 * libcurl forgets a socket after each request. Our own sockets stay in epoll until libcurl closes
 * them, which spares five system calls a request; any other (a resolver's) may be closed behind
 * our back, so its watch goes at once.
 */
static void
watch_drop(struct http_lane *lane, struct http_watch *watch)
{
	curl_multi_assign(lane->multi, watch->fd, NULL);
	if (watch->ours)
		uv_unref((uv_handle_t *)&watch->poll);
	else
		watch_close(watch);
}

static int
socket_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http_lane *lane = ctx;
	struct http_watch *watch = watch_find(lane, fd);

	(void)easy;
	(void)socket_ctx;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			watch_drop(lane, watch);
		return 0;
	}
	if (!watch)
		watch = watch_new(lane, fd, false);
	if (!watch)
		return -1;
	curl_multi_assign(lane->multi, fd, watch);
	watch_set(watch,
	    (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
	return 0;
}

curl_socket_t
http_lane_open_socket(struct http_lane *lane, const struct curl_sockaddr *address)
{
	curl_socket_t fd = socket(
	    address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
	struct http_watch *old = watch_find(lane, fd);

	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (old)
		watch_close(old);
	if (!watch_new(lane, fd, true)) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	uv_unref((uv_handle_t *)&lane->watches[fd]->poll);
	return fd;
}

int
http_lane_close_socket(void *ctx, curl_socket_t fd)
{
	struct http_watch *watch = watch_find(ctx, fd);

	if (watch)
		watch_close(watch);
	return close(fd);
}

/* Everything that ended; also after a timer, or transfers that end by a timeout are lost. */
static void
read_messages(struct http_lane *lane)
{
	CURLMsg *message;
	int left;

	while (!lane->dead && (message = curl_multi_info_read(lane->multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result;
		struct http_slot *slot = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
		http_lane_ended(slot, result);
	}
}

static void
act(struct http_lane *lane, curl_socket_t fd, int events)
{
	int running;

	lane->inside++;
	/* libcurl 7.88 divides by zero when it goes on after that: see its singlesocket(). */
	if (curl_multi_socket_action(lane->multi, fd, events, &running) == CURLM_OUT_OF_MEMORY)
		memory_exhausted();
	read_messages(lane);
	if (!lane->dead)
		http_lane_start(lane);
	lane->inside--;
	if (lane->dead && lane->inside == 0)
		http_lane_close_multi(lane);
}

/* After act() the watch may be gone. */
static void
poll_came(uv_poll_t *poll, int status, int events)
{
	struct http_watch *watch = poll->data;
	int flags = 0;

	if (!uv_has_ref((uv_handle_t *)poll)) {
		/* An idle connection spoke or ended; libcurl sees it before it uses it again. */
		watch->events = 0;
		uv_poll_stop(poll);
		return;
	}
	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	act(watch->lane, watch->fd, flags);
}

static void
timer_came(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* Never calls libcurl, which is in the middle of something. */
static int
timer_wanted(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_lane *lane = ctx;

	(void)multi;
	if (timeout_ms < 0) {
		uv_timer_stop(lane->timer);
		return 0;
	}
	uv_update_time(lane->uv);
	uv_timer_start(lane->timer, timer_came, (uint64_t)timeout_ms, 0);
	return 0;
}

void
http_lane_open_multi(struct http_lane *lane)
{
	lane->multi = curl_multi_init();
	if (!lane->multi)
		memory_exhausted();
	lane->timer = memory_new(sizeof(*lane->timer));
	lane->late = memory_new(sizeof(*lane->late));
	uv_timer_init(lane->uv, lane->timer);
	uv_idle_init(lane->uv, lane->late);
	lane->timer->data = lane->late->data = lane;
	lane->handles = 2;
	curl_multi_setopt(lane->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
	curl_multi_setopt(lane->multi, CURLMOPT_SOCKETDATA, lane);
	curl_multi_setopt(lane->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
	curl_multi_setopt(lane->multi, CURLMOPT_TIMERDATA, lane);
	/* Or libcurl quietly closes a connection that it needs a moment later. */
	curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)lane->slot_count * 2 + 4);
}

void
http_lane_close_multi(struct http_lane *lane)
{
	int i;

	for (i = 0; i < lane->slot_count; i++)
		http_slot_close(&lane->slots[i]);
	curl_multi_cleanup(lane->multi);
	lane->multi = NULL;
	free(lane->slots);
	uv_close((uv_handle_t *)lane->timer, handle_closed);
	uv_close((uv_handle_t *)lane->late, handle_closed);
	/* A socket libcurl did not close would keep the loop for ever. */
	for (i = 0; i < lane->watch_room; i++)
		if (lane->watches[i])
			watch_close(lane->watches[i]);
}
