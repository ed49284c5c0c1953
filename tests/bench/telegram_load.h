/* The Bot API server that the benchmarks run the real program against: one process, one epoll. */
#ifndef BENCH_TELEGRAM_LOAD_H
#define BENCH_TELEGRAM_LOAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOKEN "424242:bench_token"
enum {
	CLIENTS = 256,
	IN_ROOM = 256 * 1024,
	OUT_ROOM = 128 * 1024,
	FIRST_USER = 7000,
	BATCH = 100,
	EVENTS = 64,
};

struct client {
	int fd;
	char *in, *out;
	size_t in_length, out_length, out_sent;
	bool polls; /* a getUpdates waits here */
	double due; /* when `out` may leave */
};

static struct client clients[CLIENTS];
static int epoll, listener, port;
static int users = 1000;
static const char *typed = "/help", *bot_path = "build/alumhub-bot", *wrap = "";
static const char *root; /* what the bot is told instead of this server's address; NULL: that */
static long total, made, served, confirmed, replies, polls, last_message = 1000;
static int connections = 8, limit_per_second = 100000; /* what the bot is told the limit is */
static void (*heard)(const char *body);		       /* each message the bot sends; may be NULL */
static double rtt_s, *born, *latency;
static long *queue_head; /* updates of a user that wait for their reply, in order */
static pid_t bot;
static double first_poll;
static char folder[PATH_MAX];

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

_Noreturn static void
die(const char *what)
{
	fprintf(stderr, "bench-telegram: %s: %s\n", what, strerror(errno));
	if (bot > 0)
		kill(bot, SIGKILL);
	exit(1);
}

/* ---- the server ---- */

static void
answer(struct client *c, const char *body, size_t length)
{
	int head = snprintf(c->out, OUT_ROOM,
	    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    length);

	if ((size_t)head + length > OUT_ROOM)
		die("an answer too long");
	memcpy(c->out + head, body, length);
	c->out_length = (size_t)head + length;
	c->out_sent = 0;
	c->due = rtt_s > 0 ? now() + rtt_s : 0;
}

static void
flush(struct client *c)
{
	ssize_t n;

	if (!c->out_length || (c->due > 0 && now() < c->due))
		return;
	n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent, MSG_NOSIGNAL);
	if (n > 0)
		c->out_sent += (size_t)n;
	if (c->out_sent == c->out_length)
		c->out_length = 0;
}

static void
give_updates(struct client *c)
{
	static char body[OUT_ROOM - 256];
	size_t length = (size_t)snprintf(body, sizeof(body), "{\"ok\":true,\"result\":[");
	long end = served + BATCH < made ? served + BATCH : made;

	for (long i = served; i < end; i++)
		length += (size_t)snprintf(body + length, sizeof(body) - length,
		    "%s{\"update_id\":%ld,\"message\":{\"message_id\":%ld,\"from\":{\"id\":%ld,"
		    "\"is_bot\":"
		    "false,\"first_name\":\"Somebody\",\"username\":\"somebody%ld\",\"language_"
		    "code\":\"en\""
		    "},\"chat\":{\"id\":%ld,\"first_name\":\"Somebody\",\"type\":\"private\"},"
		    "\"date\":%ld,"
		    "\"text\":\"%s\",\"entities\":[{\"offset\":0,\"length\":%zu,\"type\":\"bot_"
		    "command\"}]}"
		    "}",
		    i > served ? "," : "", 500000001 + i, 100 + i, FIRST_USER + i % users,
		    i % users, FIRST_USER + i % users, (long)time(NULL), typed,
		    strcspn(typed, " "));
	length += (size_t)snprintf(body + length, sizeof(body) - length, "]}");
	c->polls = false;
	answer(c, body, length);
}

static long
number_after(const char *body, const char *key)
{
	const char *p = strstr(body, key);

	return p ? strtol(p + strlen(key), NULL, 10) : -1;
}

static void
took_poll(struct client *c, const char *body)
{
	long offset = number_after(body, "\"offset\":");

	if (!polls++)
		first_poll = now();
	/* An offset before the queue's head confirms nothing, as with the real server. */
	if (offset > 500000001)
		confirmed = served = offset - 500000001;
	c->polls = true;
	if (served < made)
		give_updates(c);
}

/* The oldest update of this user has its reply now. */
static void
took_message(struct client *c, const char *body)
{
	char reply[512];
	long chat = number_after(body, "\"chat_id\":"), user = chat - FIRST_USER, i;
	int n;

	if (heard)
		heard(body);
	if (user >= 0 && user < users && (i = queue_head[user]) >= 0 && i < made) {
		latency[replies++] = now() - born[i];
		queue_head[user] = i + users < total ? i + users : LONG_MAX;
	}
	n = snprintf(reply, sizeof(reply),
	    "{\"ok\":true,\"result\":{\"message_id\":%ld,\"from\":{\"id\":424242,\"is_bot\":true,"
	    "\"first_name\":\"Alum\",\"username\":\"alum_bot\"},\"chat\":{\"id\":%ld,\"first_"
	    "name\":"
	    "\"Somebody\",\"type\":\"private\"},\"date\":%ld,\"text\":\"…\"}}",
	    ++last_message, chat, (long)time(NULL));
	answer(c, reply, (size_t)n);
}

static void
took_request(struct client *c, const char *path, const char *body)
{
	static const char me[] =
	    "{\"ok\":true,\"result\":{\"id\":424242,\"is_bot\":true,\"first_name\":"
	    "\"Alum\",\"username\":\"alum_bot\"}}",
			  yes[] = "{\"ok\":true,\"result\":true}";

	if (strstr(path, "/getUpdates"))
		took_poll(c, body);
	else if (strstr(path, "/send"))
		took_message(c, body);
	else if (strstr(path, "/getMe"))
		answer(c, me, sizeof(me) - 1);
	else
		answer(c, yes, sizeof(yes) - 1);
}

/* Takes one whole request off the input; false when there is none. */
static bool
take_request(struct client *c)
{
	char *end = memmem(c->in, c->in_length, "\r\n\r\n", 4), *length_at, saved;
	size_t head, body = 0;

	if (!end)
		return false;
	*end = 0;
	length_at = strcasestr(c->in, "content-length:");
	if (length_at)
		body = strtoul(length_at + 15, NULL, 10);
	head = (size_t)(end - c->in) + 4;
	*end = '\r';
	if (c->in_length < head + body)
		return false;
	saved = c->in[head + body];
	c->in[head + body] = 0;
	*strchr(c->in, '\r') = 0;
	took_request(c, c->in, c->in + head);
	c->in[head + body] = saved;
	memmove(c->in, c->in + head + body, c->in_length - head - body);
	c->in_length -= head + body;
	return true;
}

static void
client_end(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->in_length = c->out_length = 0;
	c->polls = false;
}

static void
client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_length, IN_ROOM - c->in_length - 1, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		client_end(c);
		return;
	}
	if (n > 0)
		c->in_length += (size_t)n;
	while (!c->out_length && c->fd >= 0 && take_request(c))
		flush(c);
}

static void
client_new(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1, i = 0;

	if (fd < 0)
		return;
	while (i < CLIENTS && clients[i].fd >= 0)
		i++;
	if (i == CLIENTS)
		die("too many connections");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	clients[i].fd = fd;
	if (!clients[i].in) {
		clients[i].in = malloc(IN_ROOM);
		clients[i].out = malloc(OUT_ROOM);
	}
	event.data.u32 = (uint32_t)i;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void
listen_here(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(a);
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = CLIENTS};

	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = -1;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, CLIENTS) ||
	    getsockname(listener, (struct sockaddr *)&a, &length))
		die("listen");
	port = ntohs(a.sin_port);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
}

/* One round of the server: at most wait_ms. */
static void
turn(int wait_ms)
{
	struct epoll_event events[EVENTS];
	int n;

	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];

		if (c->fd < 0)
			continue;
		if (c->polls && served < made)
			give_updates(c);
		flush(c);
		if (c->out_length && c->due > 0 && wait_ms > 1)
			wait_ms = 1;
		while (!c->out_length && c->fd >= 0 && take_request(c))
			flush(c);
	}
	n = epoll_wait(epoll, events, EVENTS, wait_ms);
	for (int i = 0; i < n; i++) {
		if (events[i].data.u32 == CLIENTS)
			client_new();
		else if (clients[events[i].data.u32].fd >= 0)
			client_read(&clients[events[i].data.u32]);
	}
}

/* ---- the bot ---- */

__attribute__((format(printf, 2, 3))) static void
write_file(const char *name, const char *format, ...)
{
	char path[PATH_MAX + 32];
	va_list args;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	if (!f)
		die(path);
	fchmod(fileno(f), 0600);
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	fclose(f);
}

static void
bot_files(void)
{
	char here[64];

	snprintf(here, sizeof(here), "http://127.0.0.1:%d", port);
	write_file("token", "%s\n", TOKEN);
	write_file("key", "0123456789abcdef0123456789abcdef");
	write_file("bot.ini",
	    "[bot]\ndatabase = bot.db\nkey_file = key\n[telegram]\ntoken_file = token\n"
	    "api_root = %s\nper_second = %d\nper_chat_second = 1000\n"
	    "connections = %d\n",
	    root ? root : here, limit_per_second, connections);
}

static void
bot_start(void)
{
	char command[4 * PATH_MAX], conf[PATH_MAX + 16];

	bot_files();
	snprintf(conf, sizeof(conf), "%s/bot.ini", folder);
	snprintf(command, sizeof(command), "exec %s %s --config %s run", wrap, bot_path, conf);
	bot = fork();
	if (bot < 0)
		die("fork");
	if (bot == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, 1);
		if (!*wrap)
			execl(bot_path, bot_path, "--config", conf, "run", (char *)NULL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
}

/* Processor seconds, peak of memory in KiB and voluntary context switches of the bot so far. */
struct cost {
	double cpu_s;
	long memory_kb, switches;
};

static struct cost
bot_cost(void)
{
	struct cost cost = {0};
	char path[64], line[1024], *p;
	unsigned long user = 0, system = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)bot);
	f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f) && (p = strrchr(line, ')')))
		sscanf(
		    p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
	if (f)
		fclose(f);
	cost.cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)bot);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "VmHWM: %ld", &cost.memory_kb);
		sscanf(line, "voluntary_ctxt_switches: %ld", &cost.switches);
	}
	if (f)
		fclose(f);
	return cost;
}

/* Seconds from SIGTERM to the end; its state stays. */
static double
bot_end(int *status)
{
	double start = now();

	kill(bot, SIGTERM);
	while (waitpid(bot, status, WNOHANG) == 0) {
		if (now() - start > 10)
			kill(bot, SIGKILL);
		turn(1);
	}
	bot = 0;
	return now() - start;
}

static void
remove_folder(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command))
		fprintf(stderr, "cannot remove %s\n", folder);
}

/* A folder for its state, and the server; `updates` messages will be written. */
static void
prepare_folder(long updates)
{
	const char *base = getenv("TMPDIR");

	char made_here[PATH_MAX];

	snprintf(made_here, sizeof(made_here), "%s/bench-telegram-XXXXXX", base ? base : "build");
	if (!mkdtemp(made_here) || !realpath(made_here, folder))
		die("mkdtemp");
	total = updates;
	born = calloc((size_t)updates + 1, sizeof(*born));
	latency = calloc((size_t)updates + 1, sizeof(*latency));
	queue_head = calloc((size_t)users, sizeof(*queue_head));
	for (int i = 0; i < users; i++)
		queue_head[i] = i;
	listen_here();
}

static void
until_ready(void)
{
	double start = now();
	int status;

	while (!polls) {
		turn(10);
		if (now() - start > 20 || waitpid(bot, &status, WNOHANG) == bot) {
			bot = 0;
			errno = 0;
			die("the bot did not poll");
		}
	}
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
percentile_ms(double part)
{
	long i = (long)((double)replies * part);

	return replies ? latency[i < replies ? i : replies - 1] * 1000 : 0;
}

#endif
