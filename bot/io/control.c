#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/control.h"
#include "io/loop.h"
#include "io/timer.h"
#include "unix_socket.h"

enum {
	REQUEST_MS = 5000, /* for the line to come whole */
	REPLY_MS = 5000,   /* for the reply to be read */
};

struct control_client {
	struct control *control; /* NULL: it was closed while a reply was owed */
	struct control_client *next;
	int fd; /* -1: the other side went away while a reply was owed */
	struct loop_watch *watch;
	struct timer *timer;
	bool owed; /* fn has the client and has not replied yet */
	size_t length;
	char line[CONTROL_LINE_MAX + 1];
};

struct control {
	struct loop *loop;
	int fd;
	char *path;
	struct loop_watch *watch;
	control_fn *fn;
	void *ctx;
	struct control_client *clients;
	int count;
};

static void
client_leave(struct control_client *client)
{
	struct control_client **at;

	loop_unwatch(client->watch);
	client->watch = NULL;
	timer_free(client->timer);
	client->timer = NULL;
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	if (client->control) {
		for (at = &client->control->clients; *at != client;)
			at = &(*at)->next;
		*at = client->next;
		client->control->count--;
	}
	client->control = NULL;
	if (!client->owed)
		free(client);
}

static void
client_late(void *ctx)
{
	client_leave(ctx);
}

/* Before the whole line: its next piece. After it: only the end is of interest. */
static void
client_readable(void *ctx)
{
	struct control_client *client = ctx;
	char *room = client->line + client->length, *newline, waste[256];
	ssize_t n;

	if (client->owed) {
		n = read(client->fd, waste, sizeof(waste));
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			client_leave(client);
		return;
	}
	n = read(client->fd, room, sizeof(client->line) - client->length);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	newline = n > 0 ? memchr(room, '\n', (size_t)n) : NULL;
	client->length += n > 0 ? (size_t)n : 0;
	if (newline) {
		*newline = 0;
		timer_stop(client->timer);
		client->owed = true;
		client->control->fn(client->control->ctx, client, client->line);
	} else if (n <= 0 || client->length == sizeof(client->line)) {
		client_leave(client);
	}
}

static void
somebody_came(void *ctx)
{
	struct control *control = ctx;
	struct control_client *client;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (control->count >= CONTROL_CLIENTS_MAX) {
		close(fd);
		return;
	}
	client = memory_new(sizeof(*client));
	client->control = control;
	client->fd = fd;
	client->next = control->clients;
	control->clients = client;
	control->count++;
	client->timer = timer_new(control->loop, client_late, client);
	timer_start(client->timer, REQUEST_MS);
	client->watch = loop_watch(control->loop, fd, client_readable, client);
	if (!client->watch)
		client_leave(client);
}

struct control *
control_open(struct loop *loop, const char *path, control_fn *fn, void *ctx)
{
	struct control *control;
	int fd = unix_listen(path, 0600);

	if (fd < 0)
		return NULL;
	control = memory_new(sizeof(*control));
	control->loop = loop;
	control->fd = fd;
	control->path = memory_string(path);
	control->fn = fn;
	control->ctx = ctx;
	control->watch = loop_watch(loop, fd, somebody_came, control);
	return control;
}

void
control_close(struct control *control)
{
	if (!control)
		return;
	while (control->clients)
		client_leave(control->clients);
	loop_unwatch(control->watch);
	close(control->fd);
	unlink(control->path);
	free(control->path);
	free(control);
}

/* What of the bytes was written before the other side would have to read or was gone. */
static size_t
write_some(int fd, const char *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = send(fd, bytes + done, length - done, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* A reply that does not fit into the socket is written by a thread, so that the loop goes on. */
struct control_rest {
	int fd;
	size_t length, done;
	char bytes[];
};

static void
rest_run(void *ctx)
{
	struct control_rest *rest = ctx;
	struct pollfd p = {.fd = rest->fd, .events = POLLOUT};
	size_t n = 1;

	/* Nothing went although there was room: the other side is gone. */
	while (n > 0 && rest->done < rest->length && poll(&p, 1, REPLY_MS) > 0) {
		n = write_some(rest->fd, rest->bytes + rest->done, rest->length - rest->done);
		rest->done += n;
	}
}

static void
rest_done(void *ctx)
{
	struct control_rest *rest = ctx;

	if (rest->fd >= 0)
		close(rest->fd);
	explicit_bzero(rest->bytes, rest->length);
	free(rest);
}

void
control_reply(struct control_client *client, int status, const char *text, size_t length)
{
	struct control_rest *rest;
	int n;

	client->owed = false;
	if (!client->control) {
		free(client);
		return;
	}
	rest = memory_new(sizeof(*rest) + length + 32);
	n = snprintf(rest->bytes, 32, "%d %zu\n", status, length);
	if (length > 0)
		memcpy(rest->bytes + n, text, length);
	rest->length = (size_t)n + length;
	rest->fd = client->fd;
	rest->done = write_some(rest->fd, rest->bytes, rest->length);
	if (rest->done < rest->length) {
		client->fd = -1;
		loop_work(client->control->loop, rest_run, rest_done, rest);
	} else {
		rest->fd = -1;
		rest_done(rest);
	}
	client_leave(client);
}

/* The rest of timeout_ms. */
static int
left_ms(const struct timespec *start, int timeout_ms)
{
	struct timespec now;
	int64_t gone;

	clock_gettime(CLOCK_MONOTONIC, &now);
	gone =
	    (int64_t)(now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
	return gone < timeout_ms ? timeout_ms - (int)gone : 0;
}

static int
read_reply(int fd, int timeout_ms, struct buf *all)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec start;
	char room[4096];
	ssize_t n;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		if (poll(&p, 1, left_ms(&start, timeout_ms)) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		n = read(fd, room, sizeof(room));
		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		buf_add(all, room, (size_t)n);
	}
}

/* "STATUS LENGTH\n" and that many bytes, or it was cut. */
static int
take_reply(const struct buf *all, struct buf *reply)
{
	char *end;
	long status;
	unsigned long length;

	errno = EPROTO;
	if (!all->length || all->overflowed)
		return -1;
	status = strtol(all->bytes, &end, 10);
	if (end == all->bytes || *end != ' ' || status < 0 || status > 255)
		return -1;
	length = strtoul(end + 1, &end, 10);
	if (*end != '\n' || length != all->length - (size_t)(end + 1 - all->bytes))
		return -1;
	buf_add(reply, end + 1, length);
	return reply->overflowed ? -1 : (int)status;
}

int
control_ask(const char *path, const char *line, int timeout_ms, struct buf *reply)
{
	struct buf all = {.maximum = CONTROL_ASK_MAX + 32};
	int fd = unix_connect(path), status = -1, wrong;

	if (fd >= 0) {
		write_some(fd, line, strlen(line));
		write_some(fd, "\n", 1);
		if (read_reply(fd, timeout_ms, &all) == 0)
			status = take_reply(&all, reply);
	}
	wrong = errno;
	buf_free(&all);
	if (fd >= 0)
		close(fd);
	errno = wrong;
	return status;
}
