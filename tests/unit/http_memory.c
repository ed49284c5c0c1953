/*
 * The nth allocation of libcurl, or of libuv, fails, once and from then on, while requests are made
 * of the real io/http and io/loop. Each point is a process of its own, which may end with "out of
 * memory" as the bot does; what the server got must be what was asked, never twice where it must
 * not be, and never what the bot was told had not been sent. A sample; LONG=1 takes every point.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/memory.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/timer.h"

enum {
	POINTS = 15, /* of each sweep, unless LONG=1, and all of the first request */
	TIMEOUT_MS = 400,
	SECONDS = 10, /* a point that takes longer hangs */
	ASKS_MOST = 16,
	LINE = 600,
	SANITIZER = 99, /* what the sanitizers end with, which is not what the bot ends with */
};

const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "exitcode=99";
}

const char *__lsan_default_options(void);
const char *
__lsan_default_options(void)
{
	return "exitcode=99";
}

/* ---- memory that runs out ---- */

enum kind { CURL_MEMORY, UV_MEMORY, NO_MEMORY };

static enum kind failing;
static int64_t counts[NO_MEMORY], fail_at;
static bool for_ever;

static bool
fails(enum kind kind)
{
	int64_t n = ++counts[kind];

	return kind == failing && fail_at && (for_ever ? n >= fail_at : n == fail_at);
}

static void *
curl_malloc(size_t size)
{
	return fails(CURL_MEMORY) ? NULL : malloc(size);
}

static void *
curl_realloc(void *old, size_t size)
{
	return fails(CURL_MEMORY) ? NULL : realloc(old, size);
}

static void *
curl_calloc(size_t count, size_t size)
{
	return fails(CURL_MEMORY) ? NULL : calloc(count, size);
}

static char *
curl_strdup(const char *text)
{
	return fails(CURL_MEMORY) ? NULL : strdup(text);
}

static void *
loop_malloc(size_t size)
{
	return fails(UV_MEMORY) ? NULL : malloc(size);
}

static void *
loop_realloc(void *old, size_t size)
{
	return fails(UV_MEMORY) ? NULL : realloc(old, size);
}

static void *
loop_calloc(size_t count, size_t size)
{
	return fails(UV_MEMORY) ? NULL : calloc(count, size);
}

/* ---- the server ---- */

static int server_port;
static char socks_path[64];

static void
server_start(void)
{
	int in[2], out[2];
	char text[16] = "";

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	snprintf(socks_path, sizeof(socks_path), "/tmp/alumhub-memory-%d", (int)getpid());
	if (fork() == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execl("/usr/bin/python3", "python3", "tests/net/http_server.py", socks_path,
		    (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	server_port = (int)strtol(text, NULL, 10);
	close(out[0]);
}

/* What the server got in that run, a line each. */
static void
server_got(int run, char *text, size_t room)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server_port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t length = 0;
	ssize_t n;
	char *body;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	dprintf(fd, "GET /what/%d HTTP/1.1\r\nHost: x\r\n\r\n", run);
	shutdown(fd, SHUT_WR);
	while ((n = read(fd, text + length, room - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = 0;
	body = strstr(text, "\r\n\r\n");
	assert_non_null(body);
	memmove(text, body + 4, strlen(body + 4) + 1);
}

/* ---- what is asked ---- */

static const struct http_part parts[] = {
    {.name = "chat_id", .data = "77", .length = 2},
    {.name = "caption", .data = "word", .length = 4},
    {.name = "document",
	.file_name = "event.ics",
	.type = "text/calendar",
	.data = "BEGIN",
	.length = 5},
};

#define BODY(text) .body = (text), .body_length = sizeof(text) - 1

static const struct {
	const char *path;
	bool proxied, fails; /* the server dies without an answer */
	struct http_request request;
} asks[] = {
    {"kept", false, false, {BODY("put"), .once = true, .method = "PUT", .token = "T"}},
    {"kept", false, false, {0}},
    {"kept", false, false, {BODY("{\"text\":1}"), .once = true}},
    {"kept", false, false, {BODY("{\"text\":2}"), .once = true}},
    {"kept", false, false, {.parts = parts, .part_count = 3, .once = true}},
    {"hop", false, false, {.redirects = 2}},
    {"last", false, true, {BODY("{\"text\":3}"), .once = true}},
    {"kept", false, false, {BODY("{\"text\":4}"), .once = true, .fresh = true}},
    {"kept", true, false, {BODY("{\"text\":5}"), .once = true}},
    {"kept", true, false, {BODY("{\"text\":6}"), .once = true}},
};

enum { ASKS = sizeof(asks) / sizeof(asks[0]) };

/* What a process heard, for the one that looks at it. */
static struct heard {
	bool asked[ASKS_MOST], heard[ASKS_MOST];
	enum http_outcome outcomes[ASKS_MOST];
	int status[ASKS_MOST];
	bool lived; /* once there was memory again a request went through */
	int64_t counts[NO_MEMORY], first[2]; /* before and after the first request */
} * heard;

static struct loop *loop;
static int now_asked;

static void
came(void *ctx, const struct http_answer *answer)
{
	int i = *(int *)ctx;

	heard->outcomes[i] = answer->outcome;
	heard->status[i] = answer->status;
	if (heard->heard[i])
		abort();
	heard->heard[i] = true;
	loop_stop(loop);
}

static void
ask(struct http_lane *lane, int run, int i, const char *path, struct http_request request)
{
	char url[200];

	now_asked = i;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s/%d.%d", server_port, path, run, i);
	request.url = url;
	request.label = "test";
	request.timeout_ms = TIMEOUT_MS;
	request.fn = came;
	request.ctx = &now_asked;
	heard->asked[i] = true;
	http_send(lane, &request);
	while (!heard->heard[i])
		loop_run(loop);
}

static void
nothing(void *ctx)
{
	(void)ctx;
}

static void
no_signal(void *ctx, int number)
{
	(void)ctx;
	(void)number;
}

static void
worked(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

/* The rest of the loop: a signal, work on another thread, a watch. */
static void
loop_rest(void)
{
	int ends[2];
	struct loop_watch *watch;

	if (pipe(ends))
		abort();
	loop_signal(loop, SIGUSR1, no_signal, NULL);
	watch = loop_watch(loop, ends[0], nothing, NULL);
	loop_work(loop, nothing, worked, NULL);
	loop_run(loop);
	loop_unwatch(watch);
	close(ends[0]);
	close(ends[1]);
}

static void
scenario(int run)
{
	struct http_options plain = {.user_agent = "A"}, proxied = plain;
	struct http_lane_options options = {.name = "test", .connections = 2};
	struct http *http[2];
	struct http_lane *lanes[2];
	int i;

	proxied.proxy = socks_path;
	loop = loop_new();
	http[0] = http_new(loop, &plain);
	http[1] = http_new(loop, &proxied);
	lanes[0] = http_lane_new(http[0], &options);
	lanes[1] = http_lane_new(http[1], &options);
	for (i = 0; i < ASKS; i++) {
		if (i < 2)
			heard->first[i] = counts[failing];
		ask(lanes[asks[i].proxied], run, i, asks[i].path, asks[i].request);
	}
	loop_rest();
	memcpy(heard->counts, counts, sizeof(counts));
	fail_at = 0;
	ask(lanes[0], run, ASKS, "kept", (struct http_request){0});
	ask(lanes[1], run, ASKS + 1, "kept", (struct http_request){0});
	heard->lived = heard->status[ASKS] == 200 && heard->status[ASKS + 1] == 200;
	for (i = 0; i < 2; i++) {
		http_lane_free(lanes[i]);
		http_free(http[i]);
	}
	loop_free(loop);
}

/* ---- what must hold ---- */

static char expected[ASKS_MOST][LINE];
static int run_number;

static void
child(int run, enum kind kind, int64_t n)
{
	static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

	/* Not cmocka's: a process that crashes must not go on with the tests. */
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		signal(deadly[i], SIG_DFL);
	alarm(SECONDS);
	failing = kind;
	fail_at = n;
	counts[0] = counts[1] = 0;
	scenario(run);

	exit(0);
}

/* What came, against what was asked and what was said of it. */
static const char *
look(int run, bool ended)
{
	static char text[65536], why[LINE + 100];
	int came_count[ASKS_MOST] = {0}, i;
	char *line, *rest;

	server_got(run, text, sizeof(text));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		i = (int)strtol(line, NULL, 10);
		came_count[i]++;
		if (expected[i][0] && strcmp(line, expected[i]) != 0) {
			snprintf(why, sizeof(why), "came otherwise: %.500s", line);
			return why;
		}
		snprintf(expected[i], LINE, "%s", line);
	}
	for (i = 0; i < ASKS; i++) {
		bool once = asks[i].request.once;

		snprintf(why, sizeof(why), "ask %d came %d times, heard %d, outcome %d, status %d",
		    i, came_count[i], heard->heard[i], (int)heard->outcomes[i], heard->status[i]);
		if (came_count[i] > (once ? 1 : 2) || (!ended && !heard->heard[i]))
			return why;
		if (heard->heard[i] && heard->outcomes[i] == HTTP_NOT_SENT && came_count[i] > 0)
			return why;
		if (heard->heard[i] && heard->status[i] == 200 && !came_count[i])
			return why;
	}
	return ended || heard->lived ? NULL : "no request went through when there was memory again";
}

/* NULL, or what did not hold at that point. *ended: the process ended as it does without memory. */
static const char *
point(enum kind kind, int64_t n, bool *ended)
{
	static char why[80];
	int status, run = run_number++;
	pid_t pid;

	memset(heard, 0, sizeof(*heard));
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(run, kind, n);
	waitpid(pid, &status, 0);
	*ended = (WIFEXITED(status) && WEXITSTATUS(status) == 1) ||
		 (kind == UV_MEMORY && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	if (!*ended && status != 0) {
		snprintf(why, sizeof(why), "ended with %d, signal %d",
		    WIFEXITED(status) ? WEXITSTATUS(status) : 0,
		    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		return why;
	}
	return look(run, *ended);
}

static void
sweep(enum kind kind, const char *what)
{
	const char *const how[] = {"once", "for ever"}, *why;
	int64_t total, step, n, first[2];
	bool ended, all = getenv("LONG") && !strcmp(getenv("LONG"), "1");
	int bad = 0;

	why = point(kind, 0, &ended);
	if (why || ended)
		fail_msg("without a fault: %s", why ? why : "it ended");
	total = heard->counts[kind];
	memcpy(first, heard->first, sizeof(first));
	assert_true(total > 0);
	step = all || total < POINTS ? 1 : total / POINTS;
	for (int e = 0; e < 2; e++) {
		int points = 0, ends = 0;

		for_ever = e;
		for (n = 1; n <= total; n++) {
			if (n % step != 1 % step && (e || n < first[0] || n > first[1]))
				continue;
			points++;
			why = point(kind, n, &ended);
			ends += ended;
			if (why)
				printf("# %s %s, allocation %lld: %s\n", what, how[e], (long long)n,
				    why);
			bad += why != NULL;
		}
		printf("# %s %s: %d of %lld allocations failed, %d times the process ended\n", what,
		    how[e], points, (long long)total, ends);
	}
	assert_int_equal(bad, 0);
}

static void
http_memory_of_curl_runs_out(void **state)
{
	(void)state;
	sweep(CURL_MEMORY, "libcurl");
}

static void
http_memory_of_uv_runs_out(void **state)
{
	(void)state;
	sweep(UV_MEMORY, "libuv");
}

static int
begin(void **state)
{
	(void)state;
	if (heard)
		return 0;
	uv_replace_allocator(loop_malloc, loop_realloc, loop_calloc, free);
	assert_int_equal(curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, free, curl_realloc,
			     curl_strdup, curl_calloc),
	    0);
	heard =
	    mmap(NULL, sizeof(*heard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(heard != MAP_FAILED);
	server_start();
	return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(http_memory_of_curl_runs_out, begin),
    cmocka_unit_test_setup(http_memory_of_uv_runs_out, begin),
};

UNIT_RUN(tests)
