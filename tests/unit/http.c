/* Requests against a server that misbehaves in every phase (tests/net/http_server.py). */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/address.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/timer.h"

enum {
	LANES = 4,
};

/* The newest answer, copied. */
struct heard {
	struct loop *loop;
	int answers;
	enum http_outcome outcome;
	int status;
	bool reused, in_send;
	size_t length;
	char body[4096], cause[200], etag[32], type[64], url[200], moved[200];
	int64_t retry_after_s;
	char order[64]; /* the last digit of the bodies, in the order they came */
};

static pid_t server_pid;
static int server_in, server_port;
static char socks_path[64];
static struct loop *loop;
static struct http *http;
static struct heard heard;
static struct http_lane *lanes[LANES + 1];

static void
server_start(void)
{
	int in[2], out[2];
	char text[16] = "";

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	snprintf(socks_path, sizeof(socks_path), "/tmp/alumhub-socks-%d", (int)getpid());
	server_pid = fork();
	if (server_pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execl("/usr/bin/python3", "python3", "tests/net/http_server.py", socks_path,
		    (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	server_in = in[1];
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	server_port = (int)strtol(text, NULL, 10);
	close(out[0]);
}

static int
set_up(void **state)
{
	static const struct http_options options = {.user_agent = "AlumHub-test"};

	(void)state;
	if (!server_pid)
		server_start();
	memset(&heard, 0, sizeof(heard));
	loop = heard.loop = loop_new();
	http = http_new(loop, &options);
	return 0;
}

/* Aborts by itself when a handle is left over. */
static int
tear_down(void **state)
{
	size_t i;

	(void)state;
	/* Left over when a test failed. */
	for (i = 0; i < LANES; i++) {
		http_lane_free(lanes[i]);
		lanes[i] = NULL;
	}
	http_free(http);
	loop_free(loop);
	return 0;
}

static const char *
text_of(const char *text)
{
	return text ? text : "";
}

static void
note(const struct http_answer *a)
{
	size_t n = strlen(heard.order);

	assert_false(heard.in_send);
	heard.answers++;
	heard.outcome = a->outcome;
	heard.status = a->status;
	heard.reused = a->reused;
	heard.length = a->length;
	assert_int_equal(a->body[a->length], 0);
	snprintf(heard.body, sizeof(heard.body), "%s", a->body);
	snprintf(heard.cause, sizeof(heard.cause), "%s", a->cause);
	snprintf(heard.url, sizeof(heard.url), "%s", text_of(a->url));
	snprintf(heard.moved, sizeof(heard.moved), "%s", text_of(a->moved));
	snprintf(heard.etag, sizeof(heard.etag), "%s", text_of(http_header(a, "etag")));
	snprintf(heard.type, sizeof(heard.type), "%s", text_of(http_header(a, "Content-Type")));
	heard.retry_after_s = http_retry_after_s(a);
	if (a->length == 1 && n + 1 < sizeof(heard.order))
		heard.order[n] = a->body[0];
	/* No cause ever says where it went. */
	assert_null(strstr(a->cause, "http:"));
	assert_null(strstr(a->cause, "SECRET"));
	assert_null(strstr(a->cause, "127.0.0.1"));
}

static void
came(void *ctx, const struct http_answer *answer)
{
	(void)ctx;
	note(answer);
	loop_stop(loop);
}

static const char *
url_of(const char *path)
{
	static char url[300];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s", server_port, path);
	return url;
}

static struct http_call *
begin(struct http_lane *lane, const char *path, struct http_request request)
{
	struct http_call *call;

	request.label = "test";
	if (!request.url)
		request.url = url_of(path);
	if (!request.timeout_ms)
		request.timeout_ms = 10000;
	if (!request.fn)
		request.fn = came;
	heard.in_send = true;
	call = http_send(lane, &request);
	heard.in_send = false;
	return call;
}

static void
ask(struct http_lane *lane, const char *path, struct http_request request)
{
	int before = heard.answers;

	begin(lane, path, request);
	loop_run(loop);
	assert_int_equal(heard.answers, before + 1);
}

static struct http_lane *
lane_new(const struct http_lane_options *options)
{
	size_t i = 0;

	while (lanes[i])
		i++;
	return lanes[i] = http_lane_new(http, options);
}

static void
drop(struct http_lane *lane)
{
	size_t i;

	for (i = 0; i < LANES; i++)
		if (lanes[i] == lane)
			lanes[i] = NULL;
	http_lane_free(lane);
}

static struct http_lane *
lane_of(int connections)
{
	struct http_lane_options o = {.name = "test", .connections = connections};

	return lane_new(&o);
}

static int
count_of(struct http_lane *lane, const char *key)
{
	char path[64];

	snprintf(path, sizeof(path), "count/%s", key);
	ask(lane, path, (struct http_request){0});
	return (int)strtol(heard.body, NULL, 10);
}

#define BODY(text) .body = (text), .body_length = sizeof(text) - 1

static void
http_replies(void **state)
{
	struct http_lane *lane = lane_of(2);
	static const char *const headers[] = {"X-Wanted: this", NULL};

	(void)state;
	ask(lane, "ok/a", (struct http_request){0});
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	assert_int_equal(heard.status, 200);
	assert_string_equal(heard.body, "ok");
	assert_false(heard.reused);
	assert_string_equal(heard.cause, "");
	ask(lane, "echo/a", (struct http_request){BODY("{\"a\":1}"), .once = true});
	assert_string_equal(heard.body, "{\"a\":1}");
	assert_true(heard.reused);
	ask(lane, "echo/a", (struct http_request){BODY("again"), .once = false});
	assert_string_equal(heard.body, "again");
	ask(lane, "echo/a", (struct http_request){BODY(""), .once = true});
	assert_string_equal(heard.body, "");
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	ask(lane, "method/a", (struct http_request){BODY("x"), .method = "PUT"});
	assert_string_equal(heard.body, "PUT");
	ask(lane, "method/a", (struct http_request){.method = "DELETE"});
	assert_string_equal(heard.body, "DELETE");
	ask(lane, "method/a", (struct http_request){0});
	assert_string_equal(heard.body, "GET");
	ask(lane, "header/a", (struct http_request){BODY("x"), .headers = headers, .token = "T"});
	assert_string_equal(heard.body, "this|Bearer T|application/json|-");
	ask(lane, "header/a", (struct http_request){0});
	assert_string_equal(heard.body, "-|-|-|-");
	drop(lane);
}

static void
http_headers_and_statuses(void **state)
{
	struct http_lane *lane = lane_of(1);

	(void)state;
	ask(lane, "cached/a", (struct http_request){0});
	assert_int_equal(heard.status, 304);
	assert_string_equal(heard.etag, "\"abc\"");
	assert_int_equal(heard.retry_after_s, -1);
	ask(lane, "later/a", (struct http_request){0});
	assert_int_equal(heard.status, 429);
	assert_int_equal(heard.retry_after_s, 7);
	assert_string_equal(heard.type, "application/json");
	assert_string_equal(heard.etag, "");
	ask(lane, "html/a", (struct http_request){0});
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	assert_int_equal(heard.status, 502);
	ask(lane, "empty/a", (struct http_request){0});
	assert_int_equal(heard.status, 413);
	assert_int_equal(heard.length, 0);
	ask(lane, "untilclose/a", (struct http_request){0});
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	assert_string_equal(heard.body, "to the end");
	drop(lane);
}

/* What was read by the server is uncertain, and told in time. */
static void
http_uncertain_when_no_whole_reply(void **state)
{
	static const char *const paths[] = {
	    "silent/SECRET",
	    "drip/SECRET",
	    "reset/SECRET",
	    "close/SECRET",
	    "halfhead/SECRET",
	    "headline/SECRET",
	    "halfbody/SECRET",
	    "halfchunk/SECRET",
	    "nonsense/SECRET",
	};
	struct http_lane *lane = lane_of(1);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int64_t start = loop_now_ms(loop);

		ask(lane, paths[i],
		    (struct http_request){BODY("x"), .once = true, .timeout_ms = 400});
		if (heard.outcome != HTTP_UNCERTAIN)
			print_message("# %s: outcome %d\n", paths[i], (int)heard.outcome);
		assert_int_equal(heard.outcome, HTTP_UNCERTAIN);
		assert_string_not_equal(heard.cause, "");
		assert_int_equal(heard.length, 0);
		assert_true(loop_now_ms(loop) - start < 3000);
	}
	drop(lane);
}

static void
http_not_sent_when_nothing_left(void **state)
{
	static const char *const urls[] = {
	    "http://127.0.0.1:1/SECRET",
	    "https://127.0.0.1:1/SECRET",
	    "http://example.org/SECRET",
	    "ftp://127.0.0.1/SECRET",
	    "file:///etc/hostname",
	    "https://user:SECRET@127.0.0.1:1/",
	    "no URL at all",
	    "https://name.invalid/SECRET",
	};
	struct http_lane *lane = lane_of(1);
	size_t i;
	char plain[100];

	(void)state;
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		ask(lane, "", (struct http_request){.url = urls[i], BODY("x"), .once = true});
		assert_int_equal(heard.outcome, HTTP_NOT_SENT);
		assert_string_not_equal(heard.cause, "");
	}
	/* TLS with a server that does not speak it. */
	snprintf(plain, sizeof(plain), "https://127.0.0.1:%d/SECRET", server_port);
	ask(lane, "", (struct http_request){.url = plain, BODY("x"), .timeout_ms = 1000});
	assert_int_equal(heard.outcome, HTTP_NOT_SENT);
	drop(lane);
}

static void
http_refuses_a_header_of_two_lines(void **state)
{
	static const char *const headers[] = {"X-Wanted: a\r\nX-Evil: b", NULL};
	struct http_lane *lane = lane_of(1);

	(void)state;
	ask(lane, "ok/a", (struct http_request){.headers = headers});
	assert_int_equal(heard.outcome, HTTP_NOT_SENT);
	ask(lane, "ok/a", (struct http_request){.token = "a\nb"});
	assert_int_equal(heard.outcome, HTTP_NOT_SENT);
	drop(lane);
}

/* The server reads the second request of a connection and dies: libcurl would send it again. */
static void
http_once_reaches_the_server_once(void **state)
{
	struct http_lane *lane = lane_of(1), *other = lane_of(1);
	static const struct http_part parts[] = {
	    {.name = "document", .file_name = "a.ics", .data = "BEGIN", .length = 5},
	};

	(void)state;
	ask(lane, "ok/a", (struct http_request){0});
	ask(lane, "die/body", (struct http_request){BODY("m"), .once = true});
	assert_int_equal(heard.outcome, HTTP_UNCERTAIN);
	assert_int_equal(count_of(other, "body"), 1);
	ask(lane, "ok/a", (struct http_request){0});
	ask(lane, "die/nobody", (struct http_request){BODY(""), .once = true});
	assert_int_equal(heard.outcome, HTTP_UNCERTAIN);
	assert_int_equal(count_of(other, "nobody"), 1);
	ask(lane, "ok/a", (struct http_request){0});
	ask(lane, "die/form", (struct http_request){.parts = parts, .part_count = 1, .once = true});
	assert_int_equal(heard.outcome, HTTP_UNCERTAIN);
	assert_int_equal(count_of(other, "form"), 1);
	ask(lane, "ok/a", (struct http_request){0});
	ask(lane, "die/get", (struct http_request){.once = true});
	assert_int_equal(heard.outcome, HTTP_UNCERTAIN);
	assert_int_equal(count_of(other, "get"), 1);
	drop(lane);
	drop(other);
}

static void
http_repeats_what_may_be_repeated(void **state)
{
	struct http_lane *lane = lane_of(1), *other = lane_of(1);

	(void)state;
	ask(lane, "ok/a", (struct http_request){0});
	ask(lane, "die/again", (struct http_request){BODY("m")});
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	assert_string_equal(heard.body, "fresh");
	assert_int_equal(count_of(other, "again"), 2);
	drop(lane);
	drop(other);
}

static void
http_fresh_is_a_new_connection(void **state)
{
	struct http_lane *lane = lane_of(1);

	(void)state;
	ask(lane, "ok/a", (struct http_request){0});
	ask(lane, "ok/a", (struct http_request){.fresh = true});
	assert_false(heard.reused);
	ask(lane, "ok/a", (struct http_request){0});
	assert_true(heard.reused);
	drop(lane);
}

static void
http_caps_the_body(void **state)
{
	struct http_lane_options o = {.name = "feeds", .compressed = true};
	struct http_lane *lane = lane_new(&o);

	(void)state;
	ask(lane, "flood/a", (struct http_request){.body_max = 100000});
	assert_int_equal(heard.outcome, HTTP_TOO_BIG);
	assert_int_equal(heard.status, 200);
	assert_int_equal(heard.length, 0);
	ask(lane, "bomb/a", (struct http_request){.body_max = 100000});
	assert_int_equal(heard.outcome, HTTP_TOO_BIG);
	ask(lane, "packed/a", (struct http_request){.body_max = 6});
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	assert_string_equal(heard.body, "packed");
	ask(lane, "packed/a", (struct http_request){.body_max = 5});
	assert_int_equal(heard.outcome, HTTP_TOO_BIG);
	drop(lane);
}

static void
http_sends_a_form(void **state)
{
	struct http_lane *lane = lane_of(1);
	static const struct http_part parts[] = {
	    {.name = "chat_id", .data = "7", .length = 1},
	    {.name = "document",
		.file_name = "a.ics",
		.type = "text/calendar",
		.data = "BEGIN",
		.length = 5},
	};
	struct http_request request = {.parts = parts, .part_count = 2, .once = true};

	(void)state;
	ask(lane, "form/a", request);
	assert_int_equal(heard.status, 200);
	assert_int_equal(heard.body[0], '2');
	assert_non_null(strstr(heard.body, "True"));
	request.once = false;
	ask(lane, "form/a", request);
	assert_int_equal(heard.body[0], '2');
	assert_true(heard.reused);
	drop(lane);
}

static void
http_follows_redirects_that_are_allowed(void **state)
{
	struct http_lane *lane = lane_of(1);

	(void)state;
	ask(lane, "redirect/3", (struct http_request){.redirects = 5});
	assert_int_equal(heard.status, 200);
	assert_string_equal(heard.url, url_of("ok"));
	ask(lane, "redirect/300", (struct http_request){.redirects = 5});
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	assert_int_equal(heard.status, 302);
	ask(lane, "redirect/3", (struct http_request){0});
	assert_int_equal(heard.status, 302);
	ask(lane, "redirect/3", (struct http_request){.redirects = 5, .token = "T"});
	assert_int_equal(heard.status, 302);
	ask(lane, "redirect/3", (struct http_request){.redirects = 5, BODY("x")});
	assert_int_equal(heard.status, 302);
	drop(lane);
}

/* What moved for good is remembered, up to the first redirect that is for now only. */
static void
http_says_where_a_page_moved_for_good(void **state)
{
	static const struct {
		const char *path, *moved;
	} cases[] = {
	    {"chain/301/a", "chain//a"},
	    {"chain/308/a", "chain//a"},
	    {"chain/301.308/a", "chain//a"},
	    {"chain/301.302/a", "chain/302/a"},
	    {"chain/301.307.301/a", "chain/307.301/a"},
	    {"chain/302/a", NULL},
	    {"chain/302.301/a", NULL},
	    {"chain/303.308/a", NULL},
	    {"ok", NULL},
	};
	struct http_lane *lane = lane_of(1);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ask(lane, cases[i].path, (struct http_request){.redirects = 5});
		assert_int_equal(heard.status, 200);
		assert_string_equal(heard.moved, cases[i].moved ? url_of(cases[i].moved) : "");
	}
	/* Not followed is not believed. */
	ask(lane, "chain/301/a", (struct http_request){0});
	assert_int_equal(heard.status, 301);
	assert_string_equal(heard.moved, "");
	drop(lane);
}

static void
http_public_lane_stays_outside(void **state)
{
	struct http_lane_options o = {.name = "feeds", .public_only = true};
	struct http_lane *lane = lane_new(&o);
	char plain[64], tls[64], odd[64], header[400];
	const char *to[] = {
	    plain,
	    tls,
	    odd,
	    "http://169.254.169.254/latest",
	    "https://169.254.169.254/latest",
	    "https://[::1]/",
	    "https://[::ffff:127.0.0.1]/",
	    "https://localhost/",
	    "https://2130706433/",
	    "https://10.0.0.1/",
	    "file:///etc/passwd",
	    "gopher://127.0.0.1/",
	};
	const char *headers[] = {header, NULL};
	size_t i;

	(void)state;
	snprintf(plain, sizeof(plain), "http://127.0.0.1:%d/ok", server_port + 1);
	snprintf(tls, sizeof(tls), "https://127.0.0.1:%d/ok", server_port);
	snprintf(odd, sizeof(odd), "https://0x7f.1:%d/ok", server_port);
	ask(lane, "redirect/1", (struct http_request){.redirects = 2});
	assert_int_equal(heard.status, 200);
	for (i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		snprintf(header, sizeof(header), "X-To: %s", to[i]);
		ask(lane, "elsewhere/a", (struct http_request){.redirects = 3, .headers = headers});
		assert_int_not_equal(heard.status, 200);
		assert_string_not_equal(heard.cause, "");
		if (to[i] == plain)
			assert_string_equal(heard.cause, "the redirect leads to loopback");
		if (strncmp(to[i], "https:", 6) == 0)
			assert_string_equal(heard.cause, "the address is not allowed");
	}
	ask(lane, "", (struct http_request){.url = tls});
	assert_int_equal(heard.outcome, HTTP_NOT_SENT);
	assert_string_equal(heard.cause, "the address is not allowed");
	drop(lane);
}

static bool
is_public(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return address_public((struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return address_public((struct sockaddr *)&in6);
}

static void
http_knows_public_addresses(void **state)
{
	static const char *const yes[] = {"149.154.167.220", "8.8.8.8", "172.15.0.1", "172.32.0.1",
	    "100.63.0.1", "100.128.0.1", "223.255.255.255", "2001:67c:4e8:f004::9",
	    "2606:4700:4700::1111"};
	static const char *const no[] = {"0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1",
	    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.2.1",
	    "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:8.8.8.8",
	    "64:ff9b::808:808", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001::1",
	    "2002:7f00::1", "2001:db8::1", "fec0::1", "::127.0.0.1"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(is_public(yes[i]));
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(is_public(no[i]));
}

static void
ordered(void *ctx, const struct http_answer *answer)
{
	note(answer);
	if (heard.answers == *(int *)ctx)
		loop_stop(loop);
}

static void
http_queue_goes_by_priority(void **state)
{
	struct http_lane *lane = lane_of(1);
	static const int priority[] = {5, 5, 1, 5, 0, 1};
	struct http_call *calls[6];
	int want = 5, i;
	char path[32];

	(void)state;
	for (i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "slow/%d", i);
		calls[i] = begin(lane, path,
		    (struct http_request){.priority = priority[i], .fn = ordered, .ctx = &want});
	}
	assert_int_equal(http_lane_busy(lane), 1);
	assert_int_equal(http_lane_waiting(lane), 5);
	http_cancel(calls[3]);
	loop_run(loop);
	assert_string_equal(heard.order, "04251");
	assert_int_equal(http_lane_waiting(lane), 0);
	drop(lane);
}

static void
http_lanes_do_not_wait_for_each_other(void **state)
{
	struct http_lane *poll = lane_of(1), *sends = lane_of(4);
	struct http_call *call = begin(poll, "silent/a", (struct http_request){0});
	int want = 8, i;
	int64_t start = loop_now_ms(loop);

	(void)state;
	for (i = 0; i < 8; i++)
		begin(sends, "slow/1", (struct http_request){.fn = ordered, .ctx = &want});
	assert_int_equal(http_lane_busy(sends), 4);
	loop_run(loop);
	/* Two rounds of 150 ms. */
	assert_in_range(loop_now_ms(loop) - start, 290, 1500);
	http_cancel(call);
	drop(poll);
	drop(sends);
}

/* The split service: a SOCKS proxy on a UNIX socket that gets the name, not an address. */
static void
http_goes_through_a_proxy(void **state)
{
	struct http_options options = {.proxy = socks_path};
	struct http *through = http_new(loop, &options);
	struct http_lane_options o = {.name = "split"};
	struct http_lane *lane = http_lane_new(through, &o);

	(void)state;
	ask(lane, "", (struct http_request){.url = "http://localhost:1/proxied/a"});
	assert_string_equal(heard.body, "localhost:1");
	ask(lane, "", (struct http_request){.url = "http://localhost:1/proxied/a"});
	assert_true(heard.reused);
	http_lane_free(lane);
	http_free(through);
}

static void
stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void
http_cancel_is_silent(void **state)
{
	struct http_lane *lane = lane_of(2), *stopped = lane_of(2);
	struct timer *timer = timer_new(loop, stop, NULL);
	struct http_call *calls[4];

	(void)state;
	calls[0] = begin(lane, "silent/a", (struct http_request){0});
	calls[1] = begin(lane, "ok/a", (struct http_request){0});
	calls[2] = begin(lane, "ok/waits", (struct http_request){0});
	calls[3] = begin(lane, "", (struct http_request){.url = "bad"});
	begin(stopped, "silent/a", (struct http_request){0});
	begin(stopped, "drip/a", (struct http_request){0});
	begin(stopped, "ok/a", (struct http_request){0});
	begin(stopped, "", (struct http_request){.url = "bad"});
	http_cancel(calls[3]);
	http_cancel(calls[2]);
	http_cancel(calls[1]);
	timer_start(timer, 50);
	http_cancel(NULL);
	drop(stopped);
	loop_run(loop);
	http_cancel(calls[0]);
	timer_start(timer, 50);
	loop_run(loop);
	assert_int_equal(heard.answers, 0);
	assert_int_equal(http_lane_busy(lane), 0);
	timer_free(timer);
	drop(lane);
}

static void
frees_lane(void *ctx, const struct http_answer *answer)
{
	note(answer);
	drop(ctx);
	loop_stop(loop);
}

static void
http_lane_may_be_freed_in_its_callback(void **state)
{
	struct http_lane *lane = lane_of(2);

	(void)state;
	begin(lane, "silent/a", (struct http_request){0});
	begin(lane, "ok/a", (struct http_request){.fn = frees_lane, .ctx = lane});
	begin(lane, "ok/b", (struct http_request){0});
	loop_run(loop);
	lane = lane_of(1);
	begin(lane, "", (struct http_request){.url = "bad", .fn = frees_lane, .ctx = lane});
	loop_run(loop);
	assert_int_equal(heard.answers, 2);
}

static void
asks_again(void *ctx, const struct http_answer *answer)
{
	note(answer);
	if (heard.answers == 50)
		loop_stop(loop);
	else
		begin(ctx, "ok/a", (struct http_request){.fn = asks_again, .ctx = ctx});
}

/* An answered request asks the next one, from inside its callback, on the same connection. */
static void
http_asks_from_a_callback(void **state)
{
	struct http_lane *lane = lane_of(1);

	(void)state;
	begin(lane, "ok/a", (struct http_request){.fn = asks_again, .ctx = lane});
	loop_run(loop);
	assert_int_equal(heard.answers, 50);
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	assert_true(heard.reused);
	drop(lane);
}

static void
http_renew_leaves_old_connections(void **state)
{
	struct http_lane *lane = lane_of(1);
	struct timer *timer = timer_new(loop, stop, NULL);

	(void)state;
	ask(lane, "ok/a", (struct http_request){0});
	timer_start(timer, 2100);
	loop_run(loop);
	http_lane_renew(lane);
	ask(lane, "ok/a", (struct http_request){0});
	assert_false(heard.reused);
	ask(lane, "ok/a", (struct http_request){0});
	assert_true(heard.reused);
	timer_free(timer);
	drop(lane);
}

/* Idle connections alone do not keep the loop, and one that the server ended is not used. */
static void
http_idle_connections_let_the_loop_end(void **state)
{
	struct http_lane *lane = lane_of(2);

	(void)state;
	ask(lane, "ok/a", (struct http_request){0});
	loop_run(loop);
	ask(lane, "untilclose/a", (struct http_request){0});
	ask(lane, "ok/a", (struct http_request){0});
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	drop(lane);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    TEST(http_replies),
    TEST(http_headers_and_statuses),
    TEST(http_uncertain_when_no_whole_reply),
    TEST(http_not_sent_when_nothing_left),
    TEST(http_refuses_a_header_of_two_lines),
    TEST(http_once_reaches_the_server_once),
    TEST(http_repeats_what_may_be_repeated),
    TEST(http_fresh_is_a_new_connection),
    TEST(http_caps_the_body),
    TEST(http_sends_a_form),
    TEST(http_follows_redirects_that_are_allowed),
    TEST(http_says_where_a_page_moved_for_good),
    TEST(http_public_lane_stays_outside),
    TEST(http_knows_public_addresses),
    TEST(http_queue_goes_by_priority),
    TEST(http_lanes_do_not_wait_for_each_other),
    TEST(http_goes_through_a_proxy),
    TEST(http_cancel_is_silent),
    TEST(http_lane_may_be_freed_in_its_callback),
    TEST(http_asks_from_a_callback),
    TEST(http_renew_leaves_old_connections),
    TEST(http_idle_connections_let_the_loop_end),
};

UNIT_RUN(tests)
