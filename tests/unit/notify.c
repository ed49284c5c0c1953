/* What is said to systemd: its words, both kinds of address, and a reader who does not read. */
#include "unit.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/notify.h"

/* A socket at `path` ('@' first: an abstract one) that NOTIFY_SOCKET names. */
static int
reader(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, path, strlen(path));
	if (*path == '@')
		at.sun_path[0] = 0;
	else
		unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
	    0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void
expect_heard(int fd, const char *wanted)
{
	char heard[600] = "";

	assert_true(recv(fd, heard, sizeof(heard) - 1, 0) >= 0);
	assert_string_equal(heard, wanted);
}

static void
notify_says_what_systemd_reads(void **state)
{
	char address[64];
	int fd;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_ready(); /* outside a unit */
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_ready();
	snprintf(address, sizeof(address), "@alumhub-notify-%d", (int)getpid());
	fd = reader(address);
	notify_ready();
	notify_status("%d of\n%s", 3, "four");
	notify_reloading();
	notify_alive();
	notify_stopping();
	expect_heard(fd, "READY=1");
	expect_heard(fd, "STATUS=3 of four");
	expect_heard(fd, "RELOADING=1");
	expect_heard(fd, "WATCHDOG=1");
	expect_heard(fd, "STOPPING=1");
	close(fd);
	unsetenv("NOTIFY_SOCKET");
}

/* A service that waits here is deaf, and its stop never comes. */
static void
notify_waits_for_no_reader(void **state)
{
	char folder[] = "/tmp/alumhub-notify-XXXXXX", path[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	fd = reader(path);
	alarm(20);
	for (int i = 0; i < 2000; i++) {
		notify_status("%d", i);
		notify_alive();
	}
	notify_stopping();
	alarm(0);
	expect_heard(fd, "STATUS=0");
	close(fd);
	notify_ready(); /* nobody is there any more */
	unlink(path);
	rmdir(folder);
	unsetenv("NOTIFY_SOCKET");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(notify_says_what_systemd_reads),
    cmocka_unit_test(notify_waits_for_no_reader),
};

UNIT_RUN(tests)
