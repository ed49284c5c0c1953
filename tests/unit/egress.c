/* The way out of the split service: who may be reached, and what a client can do to it. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hosts.h"
#include "base/log.h"
#include "base/socks.h"
#include "io/address.h"
#include "io/egress.h"
#include "io/loop.h"

enum { PATIENCE_MS = 5000 };

/* ---- the list ---- */

static bool
goes(const struct hosts *hosts, const char *host, int port, enum host_reach reach)
{
	struct host_rule rule;

	return hosts_find(hosts, host, (uint16_t)port, &rule) && rule.reach == reach;
}

static void
egress_list_holds_what_it_names(void **state)
{
	struct hosts *h = hosts_new();
	struct host_rule rule;

	(void)state;
	assert_null(hosts_allow_url(h, "https://API.telegram.org", 4));
	assert_null(hosts_allow_url(h, "https://matrix.example.org:8448/x", 0));
	assert_null(hosts_allow_url(h, "http://127.0.0.1:8080/feed.xml", 0));
	assert_null(hosts_allow_url(h, "https://[2001:DB8::1]:444", 0));
	assert_null(hosts_allow_url(h, "file:///etc/passwd", 0));
	assert_null(hosts_allow(h, "*.cdn.example.net:8443", false, 0));
	assert_null(hosts_allow(h, "home.example.org", true, 0));
	assert_null(hosts_allow(h, "10.1.2.3:443", false, 0));
	assert_int_equal(hosts_count(h), 7);
	assert_true(goes(h, "api.telegram.org", 443, HOST_PUBLIC));
	assert_true(hosts_find(h, "api.telegram.org", 443, &rule) && rule.family == 4);
	assert_false(hosts_find(h, "api.telegram.org", 80, &rule));
	assert_false(hosts_find(h, "xapi.telegram.org", 443, &rule));
	assert_false(hosts_find(h, "telegram.org", 443, &rule));
	assert_true(goes(h, "matrix.example.org", 8448, HOST_PUBLIC));
	assert_true(goes(h, "127.0.0.1", 8080, HOST_LOOPBACK));
	assert_true(goes(h, "2001:db8::1", 444, HOST_LITERAL));
	assert_true(goes(h, "a.b.cdn.example.net", 8443, HOST_PUBLIC));
	assert_false(hosts_find(h, "cdn.example.net", 8443, &rule));
	assert_false(hosts_find(h, "evilcdn.example.net", 8443, &rule));
	assert_true(goes(h, "home.example.org", 443, HOST_PRIVATE));
	assert_true(goes(h, "10.1.2.3", 443, HOST_LITERAL));
	hosts_free(h);
}

static void
egress_list_refuses_what_is_no_host(void **state)
{
	static const char *const wrong[] = {"", ":443", "a b", "*", "*.", "*.127.0.0.1", "a:0",
	    "a:65536", "a:1x", "a:-1", "a:", "[::1", "[a]:1", "::1", "a/b", "https://a",
	    "*.localhost", "u@a", ".a", "a\n"};
	struct hosts *h = hosts_new();

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (!hosts_allow(h, wrong[i], false, 0))
			fail_msg("\"%s\" was taken", wrong[i]);
	assert_non_null(hosts_allow_url(h, "https://user:pass@a.org/", 0));
	assert_non_null(hosts_allow_url(h, "https://*.org/", 0));
	assert_int_equal(hosts_count(h), 0);
	hosts_free(h);
}

static void
egress_private_addresses_are_not_link_local(void **state)
{
	static const struct {
		const char *text;
		bool private;
	} all[] = {{"10.0.0.1", true}, {"172.16.0.1", true}, {"172.31.255.255", true},
	    {"172.32.0.1", false}, {"192.168.1.1", true}, {"169.254.169.254", false},
	    {"127.0.0.1", false}, {"8.8.8.8", false}, {"100.64.0.1", false}, {"0.0.0.0", false}};
	static const struct {
		const char *text;
		bool private;
	} six[] = {{"fd00::1", true}, {"fc00::1", true}, {"fe80::1", false}, {"::1", false},
	    {"::ffff:10.0.0.1", false}, {"2606:4700::1", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct sockaddr_in in = {.sin_family = AF_INET};

		inet_pton(AF_INET, all[i].text, &in.sin_addr);
		assert_int_equal(address_private((struct sockaddr *)&in), all[i].private);
	}
	for (size_t i = 0; i < sizeof(six) / sizeof(*six); i++) {
		struct sockaddr_in6 in = {.sin6_family = AF_INET6};

		inet_pton(AF_INET6, six[i].text, &in.sin6_addr);
		assert_int_equal(address_private((struct sockaddr *)&in), six[i].private);
	}
}

/* ---- the protocol ---- */

static void
egress_socks_speaks_connect_only(void **state)
{
	static const uint8_t bind[] = {5, 2, 0, 1, 127, 0, 0, 1, 0, 80};
	static const uint8_t odd[] = {5, 1, 0, 9, 127, 0, 0, 1, 0, 80};
	static const uint8_t four[] = {4, 1, 0, 80, 127, 0, 0, 1, 0};
	static const uint8_t nul[] = {5, 1, 0, 3, 3, 'a', 0, 'b', 0, 80};
	static const uint8_t name[] = {5, 1, 0, 3, 4, 'A', '.', 'b', '.', 1, 187};
	struct socks_target t;
	enum socks_reply reply;
	size_t used;
	bool open;

	(void)state;
	assert_int_equal(socks_request(bind, 10, &used, &t, &reply), SOCKS_WRONG);
	assert_int_equal(reply, SOCKS_NO_COMMAND);
	assert_int_equal(socks_request(odd, 10, &used, &t, &reply), SOCKS_WRONG);
	assert_int_equal(reply, SOCKS_NO_ADDRESS_TYPE);
	assert_int_equal(socks_request(four, 9, &used, &t, &reply), SOCKS_WRONG);
	assert_int_equal(socks_request(nul, 10, &used, &t, &reply), SOCKS_WRONG);
	assert_int_equal(reply, SOCKS_NOT_ALLOWED);
	for (size_t n = 0; n < sizeof(name); n++)
		assert_int_equal(socks_request(name, n, &used, &t, &reply), SOCKS_MORE);
	assert_int_equal(socks_request(name, sizeof(name), &used, &t, &reply), SOCKS_DONE);
	assert_int_equal(used, sizeof(name));
	assert_string_equal(t.host, "a.b");
	assert_int_equal(t.port, 443);
	assert_int_equal(socks_greeting((const uint8_t *)"\5\1\2", 3, &used, &open), SOCKS_DONE);
	assert_false(open);
	assert_int_equal(socks_greeting((const uint8_t *)"GET /", 5, &used, &open), SOCKS_WRONG);
}

/* ---- the proxy ---- */

struct world {
	struct loop *loop;
	struct hosts *hosts;
	struct egress *egress;
	char path[100];
	int server, port; /* listens on loopback and never accepts by itself */
	char logged[300];
};

static void
heard(void *ctx, enum log_level level, const char *text)
{
	struct world *w = ctx;

	(void)level;
	snprintf(w->logged, sizeof(w->logged), "%s", text);
}

static struct world *
world_new(const struct egress_limits *limits)
{
	static struct world w;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(in);
	char entry[40];

	memset(&w, 0, sizeof(w));
	snprintf(w.path, sizeof(w.path), "build/egress-%d.sock", getpid());
	w.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w.server, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(w.server, 16), 0);
	getsockname(w.server, (struct sockaddr *)&in, &length);
	w.port = ntohs(in.sin_port);
	w.loop = loop_new();
	w.hosts = hosts_new();
	snprintf(entry, sizeof(entry), "127.0.0.1:%d", w.port);
	assert_null(hosts_allow(w.hosts, entry, false, 0));
	w.egress = egress_open(w.loop, egress_listen(w.path), w.hosts, limits);
	assert_non_null(w.egress);
	log_to(heard, &w);
	return &w;
}

static void
world_end(struct world *w)
{
	log_to(NULL, NULL);
	egress_close(w->egress);
	loop_free(w->loop);
	hosts_free(w->hosts);
	close(w->server);
	unlink(w->path);
}

static int
client(struct world *w)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void
say(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

/* Bytes that came within the time: n of them, or fewer when the end came; -1 when neither did. */
static ssize_t
hear(struct world *w, int fd, char *to, size_t n, int ms)
{
	size_t got = 0;

	for (int i = 0; i < ms; i++) {
		ssize_t one = recv(fd, to + got, n - got, MSG_DONTWAIT);

		if (one == 0 || (one < 0 && errno != EAGAIN))
			return (ssize_t)got;
		got += one > 0 ? (size_t)one : 0;
		if (got == n)
			return (ssize_t)got;
		loop_step(w->loop);
		usleep(1000);
	}
	return -1;
}

static bool
ended(struct world *w, int fd, int ms)
{
	char waste[64];

	return hear(w, fd, waste, sizeof(waste), ms) >= 0;
}

/* Asks for an IPv4 address; the answer's code. */
static int
connect_to(struct world *w, int fd, const char *address, int port)
{
	uint8_t ask[13] = {5, 1, 0, 5, 1, 0, 1};
	char answer[12];

	inet_pton(AF_INET, address, ask + 7);
	ask[11] = (uint8_t)(port >> 8);
	ask[12] = (uint8_t)port;
	say(fd, ask, sizeof(ask));
	return hear(w, fd, answer, 12, PATIENCE_MS) == 12 && answer[0] == 5 && answer[1] == 0
		   ? answer[3]
		   : -1;
}

static void
egress_carries_bytes_both_ways(void **state)
{
	struct world *w = world_new(NULL);
	int fd = client(w), server;
	char b[8];

	(void)state;
	assert_int_equal(connect_to(w, fd, "127.0.0.1", w->port), SOCKS_GRANTED);
	server = accept4(w->server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	say(fd, "ping", 4);
	assert_int_equal(hear(w, server, b, 4, PATIENCE_MS), 4);
	say(server, "pong", 4);
	assert_int_equal(hear(w, fd, b, 4, PATIENCE_MS), 4);
	assert_memory_equal(b, "pong", 4);
	/* Half of it ends, and the other half still carries. */
	shutdown(fd, SHUT_WR);
	assert_int_equal(hear(w, server, b, 1, PATIENCE_MS), 0);
	say(server, "last", 4);
	assert_int_equal(hear(w, fd, b, 4, PATIENCE_MS), 4);
	close(server);
	assert_true(ended(w, fd, PATIENCE_MS));
	close(fd);
	assert_int_equal(egress_count(w->egress).connections, 0);
	world_end(w);
}

static void
egress_refuses_what_is_not_on_the_list(void **state)
{
	struct world *w = world_new(NULL);
	int fd;
	static const char *const others[] = {"127.0.0.2", "10.0.0.1", "169.254.169.254", "8.8.8.8"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		fd = client(w);
		assert_int_equal(connect_to(w, fd, others[i], w->port), SOCKS_NOT_ALLOWED);
		assert_true(ended(w, fd, PATIENCE_MS));
		close(fd);
	}
	fd = client(w);
	assert_int_equal(connect_to(w, fd, "127.0.0.1", w->port + 1), SOCKS_NOT_ALLOWED);
	close(fd);
	assert_int_equal(egress_count(w->egress).refused, 5);
	assert_non_null(strstr(w->logged, "egress.refused host=127.0.0.2"));
	world_end(w);
}

/* A name on the list whose addresses are not on the internet: what was resolved is looked at. */
static void
egress_refuses_a_name_that_resolves_inside(void **state)
{
	struct world *w = world_new(NULL);
	uint8_t odd[64];
	char b[12];
	int fd = client(w);

	(void)state;
	/* "2130706433" and "0x7f.1" are 127.0.0.1 for getaddrinfo(), and no address in a list. */
	assert_null(hosts_allow(w->hosts, "2130706433:80", false, 0));
	memcpy(odd,
	    "\5\1\0\5\1\0\3\12"
	    "2130706433\0\120",
	    20);
	say(fd, odd, 20);
	assert_int_equal(hear(w, fd, b, 12, PATIENCE_MS), 12);
	assert_int_equal(b[3], SOCKS_NOT_ALLOWED);
	assert_non_null(strstr(w->logged, "why=address"));
	close(fd);
	world_end(w);
}

static void
egress_survives_any_bytes(void **state)
{
	struct world *w = world_new(NULL);
	unsigned seed = 7;

	(void)state;
	for (int i = 0; i < 400; i++) {
		uint8_t bytes[300];
		int fd = client(w);
		size_t n = (size_t)rand_r(&seed) % sizeof(bytes);

		for (size_t k = 0; k < n; k++)
			bytes[k] = (uint8_t)rand_r(&seed);
		if (i % 2 && n > 7)
			memcpy(bytes, "\5\1\0\5\1\0\3", 7);
		say(fd, bytes, n);
		loop_step(w->loop);
		loop_step(w->loop);
		close(fd);
	}
	for (int i = 0; i < 200 && egress_count(w->egress).connections; i++) {
		loop_step(w->loop);
		usleep(1000);
	}
	assert_int_equal(egress_count(w->egress).connections, 0);
	assert_int_equal(egress_count(w->egress).opened, 0);
	world_end(w);
}

static void
egress_slow_and_silent_clients_are_ended(void **state)
{
	struct world *w =
	    world_new(&(struct egress_limits){.handshake_ms = 60, .idle_ms = 150, .half_ms = 60});
	int silent = client(w), slow = client(w), idle = client(w), half = client(w), server;
	char b[4];

	(void)state;
	say(slow, "\5\1", 2);
	assert_int_equal(connect_to(w, idle, "127.0.0.1", w->port), SOCKS_GRANTED);
	assert_true(ended(w, silent, PATIENCE_MS));
	assert_true(ended(w, slow, PATIENCE_MS));
	assert_int_equal(hear(w, idle, b, 1, 60), -1);
	assert_true(ended(w, idle, PATIENCE_MS));
	close(half);
	half = client(w);
	assert_int_equal(connect_to(w, half, "127.0.0.1", w->port), SOCKS_GRANTED);
	server = accept4(w->server, NULL, NULL, SOCK_CLOEXEC);
	close(server);
	server = accept4(w->server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	shutdown(half, SHUT_WR);
	assert_int_equal(hear(w, server, b, 1, 100), 0);
	assert_true(ended(w, half, PATIENCE_MS));
	close(silent);
	close(slow);
	close(idle);
	close(half);
	close(server);
	assert_int_equal(egress_count(w->egress).connections, 0);
	world_end(w);
}

static void
egress_connections_are_bounded(void **state)
{
	struct world *w = world_new(&(struct egress_limits){.connections = 5});
	int fds[9], away = 0;

	(void)state;
	for (int i = 0; i < 9; i++) {
		fds[i] = client(w);
		loop_step(w->loop);
		loop_step(w->loop);
	}
	for (int i = 0; i < 9; i++)
		away += ended(w, fds[i], 20);
	assert_int_equal(away, 4);
	assert_int_equal(egress_count(w->egress).turned_away, 4);
	assert_int_equal(egress_count(w->egress).connections, 5);
	for (int i = 0; i < 9; i++)
		close(fds[i]);
	world_end(w);
}

/* A reader that does not read makes the writer wait: nothing piles up in between. */
static void
egress_holds_no_more_than_its_room(void **state)
{
	struct world *w = world_new(NULL);
	int fd = client(w), server;
	static char block[65536];
	size_t sent = 0, taken = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(connect_to(w, fd, "127.0.0.1", w->port), SOCKS_GRANTED);
	server = accept4(w->server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	for (int quiet = 0; quiet < 200 && sent < 64u << 20; quiet++) {
		n = send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			sent += (size_t)n;
			quiet = 0;
		}
		loop_step(w->loop);
		usleep(500);
	}
	assert_true(sent < 64u << 20);
	for (int quiet = 0; quiet < 500 && taken < sent; quiet++) {
		n = recv(server, block, sizeof(block), MSG_DONTWAIT);
		if (n > 0) {
			taken += (size_t)n;
			quiet = 0;
		}
		loop_step(w->loop);
		usleep(100);
	}
	assert_int_equal(taken, sent);
	close(fd);
	close(server);
	world_end(w);
}

static void
egress_socket_is_for_user_and_group(void **state)
{
	struct world *w = world_new(NULL);
	struct stat st;

	(void)state;
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	world_end(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(egress_list_holds_what_it_names),
    cmocka_unit_test(egress_list_refuses_what_is_no_host),
    cmocka_unit_test(egress_private_addresses_are_not_link_local),
    cmocka_unit_test(egress_socks_speaks_connect_only),
    cmocka_unit_test(egress_carries_bytes_both_ways),
    cmocka_unit_test(egress_refuses_what_is_not_on_the_list),
    cmocka_unit_test(egress_refuses_a_name_that_resolves_inside),
    cmocka_unit_test(egress_survives_any_bytes),
    cmocka_unit_test(egress_slow_and_silent_clients_are_ended),
    cmocka_unit_test(egress_connections_are_bounded),
    cmocka_unit_test(egress_holds_no_more_than_its_room),
    cmocka_unit_test(egress_socket_is_for_user_and_group),
};

UNIT_RUN(tests)
