/*
 * Bare loopback requests: POSTs like sendMessage over 8 kept-alive connections to a tiny forked
 * server, nothing else. The yardstick for everything that is built on io/http.
 *
 * build/bench-http [REQUESTS [CONNECTIONS]]
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/http.h"
#include "io/loop.h"

struct bench {
	struct loop *loop;
	struct http_lane *lane;
	struct http_request request;
	long asked, answered, wanted, failed;
};

static double
seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Head and body come in two writes; a brace ends the body and nothing else that is read. */
static void
serve(int listener)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				    "Content-Length: 42\r\n\r\n"
				    "{\"ok\":true,\"result\":{\"message_id\":123456}}";
	struct epoll_event events[64], e = {.events = EPOLLIN, .data.fd = listener};
	int poll = epoll_create1(0), i, n;
	char room[4096];
	ssize_t got;

	epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		n = epoll_wait(poll, events, 64, -1);
		for (i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener) {
				e.data.fd = accept(listener, NULL, NULL);
				epoll_ctl(poll, EPOLL_CTL_ADD, e.data.fd, &e);
				continue;
			}
			got = read(fd, room, sizeof(room));
			if (got <= 0)
				close(fd);
			else if (room[got - 1] == '}' && write(fd, reply, sizeof(reply) - 1) < 0)
				close(fd);
		}
	}
}

static void
came(void *ctx, const struct http_answer *answer)
{
	struct bench *b = ctx;

	b->answered++;
	if (answer->outcome != HTTP_REPLIED || answer->status != 200)
		b->failed++;
	if (b->asked < b->wanted) {
		b->asked++;
		http_send(b->lane, &b->request);
	} else if (b->answered == b->wanted) {
		loop_stop(b->loop);
	}
}

static int
listen_here(char *url, size_t room)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&in, size) != 0 || listen(fd, 64) != 0)
		abort();
	getsockname(fd, (struct sockaddr *)&in, &size);
	snprintf(url, room, "http://127.0.0.1:%d/bot123:TEST/sendMessage", ntohs(in.sin_port));
	return fd;
}

static void
run(struct bench *b, int connections)
{
	double wall, cpu;
	int i;

	wall = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (i = 0; i < connections * 2 && b->asked < b->wanted; i++) {
		b->asked++;
		http_send(b->lane, &b->request);
	}
	loop_run(b->loop);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("requests %ld connections %d failed %ld seconds %.2f per_second %.0f us_cpu %.1f "
	       "per_core_second %.0f\n",
	    b->answered, connections, b->failed, wall, (double)b->answered / wall,
	    cpu * 1e6 / (double)b->answered, (double)b->answered / cpu);
}

int
main(int argc, char **argv)
{
	static const char body[] =
	    "{\"chat_id\":123456789,\"text\":\"Shalom, salam, hello: the next "
	    "event is on Thursday at 18:00.\",\"entities\":[]}";
	char url[128];
	int listener = listen_here(url, sizeof(url)),
	    connections = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 8;
	pid_t server = fork();
	struct bench b = {.wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 100000};
	struct http_lane_options lane = {.name = "bench", .connections = connections};
	struct http *http;

	if (server == 0)
		serve(listener);
	close(listener);
	b.loop = loop_new();
	http = http_new(b.loop, NULL);
	b.lane = http_lane_new(http, &lane);
	b.request = (struct http_request){
	    .label = "bench",
	    .url = url,
	    .body = body,
	    .body_length = sizeof(body) - 1,
	    .once = true,
	    .fn = came,
	    .ctx = &b,
	};
	run(&b, connections);
	http_lane_free(b.lane);
	http_free(http);
	loop_free(b.loop);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return b.failed != 0;
}
