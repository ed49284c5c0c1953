/* Who is trusted over TLS: certificates under their hashes, against OpenSSL's own server. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/http.h"
#include "io/loop.h"

enum { TRIES = 500, TRY_US = 10000 };

struct heard {
	struct loop *loop;
	enum http_outcome outcome;
	int status;
	char cause[200];
};

static char folder[64];
static int port;
static pid_t server;

static void
shell(const char *format)
{
	char command[1024];

	snprintf(command, sizeof(command), "cd %s && (%s) >/dev/null 2>&1", folder, format);
	assert_int_equal(system(command), 0);
}

/* A port that is free now. */
static int
free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &length), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static bool
listens(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool good = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return good;
}

/* Two certificates for localhost; the server shows the first. */
static int
set_up(void **state)
{
	char where[32];

	(void)state;
	snprintf(folder, sizeof(folder), "build/http-tls-XXXXXX");
	assert_non_null(mkdtemp(folder));
	shell("for k in shown other; do mkdir $k; openssl req -x509 -newkey ec"
	      " -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$k"
	      " -addext subjectAltName=DNS:localhost -keyout $k.key -out $k/a.pem;"
	      " openssl rehash $k; done");
	port = free_port();
	snprintf(where, sizeof(where), "127.0.0.1:%d", port);
	server = fork();
	if (server == 0) {
		if (chdir(folder) || !freopen("/dev/null", "w", stdout) ||
		    !freopen("/dev/null", "w", stderr))
			_exit(126);
		execlp("openssl", "openssl", "s_server", "-accept", where, "-cert", "shown/a.pem",
		    "-key", "shown.key", "-www", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < TRIES && !listens(); i++)
		usleep(TRY_US);
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void
came(void *ctx, const struct http_answer *answer)
{
	struct heard *heard = ctx;

	heard->outcome = answer->outcome;
	heard->status = answer->status;
	snprintf(heard->cause, sizeof(heard->cause), "%s", answer->cause);
	loop_stop(heard->loop);
}

/* With the certificates of that folder below ours; NULL: the system's. */
static struct heard
ask(const char *trusted, const char *host)
{
	struct heard heard = {.loop = loop_new()};
	char path[128], url[64];
	struct http_options options = {.ca_folder = trusted ? path : NULL};
	struct http *http;
	struct http_lane *lane;

	snprintf(path, sizeof(path), "%s/%s", folder, trusted ? trusted : "");
	snprintf(url, sizeof(url), "https://%s:%d/", host, port);
	http = http_new(heard.loop, &options);
	lane = http_lane_new(http, &(struct http_lane_options){.name = "tls"});
	http_send(
	    lane, &(struct http_request){
		      .label = "test", .url = url, .body_max = 65536, .fn = came, .ctx = &heard});
	loop_run(heard.loop);
	http_lane_free(lane);
	http_free(http);
	loop_free(heard.loop);
	return heard;
}

static void
http_tls_trusts_what_lies_under_its_hash(void **state)
{
	struct heard heard = ask("shown", "localhost");

	(void)state;
	assert_int_equal(heard.outcome, HTTP_REPLIED);
	assert_int_equal(heard.status, 200);
}

static void
http_tls_sends_nothing_to_whom_it_does_not_trust(void **state)
{
	static const char *const trusted[] = {"other", NULL};
	struct heard heard;

	(void)state;
	for (size_t i = 0; i < sizeof(trusted) / sizeof(*trusted); i++) {
		heard = ask(trusted[i], "localhost");
		assert_int_equal(heard.outcome, HTTP_NOT_SENT);
		assert_non_null(strstr(heard.cause, "certificate"));
	}
	/* Trusted, and for another name. */
	heard = ask("shown", "127.0.0.1");
	assert_int_equal(heard.outcome, HTTP_NOT_SENT);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    TEST(http_tls_trusts_what_lies_under_its_hash),
    TEST(http_tls_sends_nothing_to_whom_it_does_not_trust),
};

UNIT_RUN(tests)
