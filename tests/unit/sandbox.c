/* Landlock: what is not named is refused, in a child that stays confined; what is named works. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/sandbox.h"

extern char **environ;

static char folder[64], inside[100], outside[100], other[100];
static uint16_t open_port, closed_port;

static int
listener(uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&in, &length);
	*port = ntohs(in.sin_port);
	return fd;
}

static bool
can_connect(uint16_t port)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0;

	close(fd);
	return good;
}

static bool
can_listen(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0;

	close(fd);
	return good;
}

static bool
can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool
can_run(const char *program)
{
	char *argv[] = {(char *)(uintptr_t)program, NULL};
	pid_t pid;
	int status;

	return posix_spawn(&pid, program, NULL, NULL, argv, environ) == 0 &&
	       waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool
can_rename(const char *from, const char *to)
{
	return rename(from, to) == 0;
}

static bool
can_link(const char *path)
{
	return symlink("/etc/passwd", path) == 0;
}

static bool
can_make_fifo(const char *path)
{
	return mkfifo(path, 0600) == 0;
}

static void
make_places(void)
{
	snprintf(folder, sizeof(folder), "build/sandbox-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(inside, sizeof(inside), "%s/state", folder);
	snprintf(outside, sizeof(outside), "%s/outside", folder);
	snprintf(other, sizeof(other), "%s/state/x", folder);
	assert_int_equal(mkdir(inside, 0700), 0);
	assert_true(can_open(outside, O_CREAT | O_WRONLY));
}

static void
remove_places(void)
{
	char path[120];

	snprintf(path, sizeof(path), "%s/y", inside);
	unlink(path);
	unlink(other);
	unlink(outside);
	rmdir(inside);
	rmdir(folder);
}

/* Runs `fn` in a confined child; the number of what went wrong, 0 when all is as it must be. */
static int
confined(bool files, int (*fn)(int abi))
{
	const char *read[] = {"/usr", "/lib", "/lib64", "/etc/hostname", "/does/not/exist", NULL};
	const char *write[] = {inside, NULL}, *run[] = {"/bin/true", "/usr/bin/true", NULL};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int abi = sandbox_enter(&(struct sandbox){.files = files,
		    .read = read,
		    .write = write,
		    .run = run,
		    .ports = &open_port,
		    .port_count = 1});

		_exit(abi == sandbox_abi() ? fn(abi) : 99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

#define MUST(number, holds) \
	do { \
		if (!(holds)) \
			return number; \
	} while (0)

static int
files(int abi)
{
	char path[120];

	MUST(1, can_open(other, O_CREAT | O_RDWR));
	snprintf(path, sizeof(path), "%s/y", inside);
	MUST(2, can_rename(other, path));
	MUST(3, can_open("/usr/bin/true", O_RDONLY));
	MUST(4, can_open("/etc/hostname", O_RDONLY));
	MUST(10, !can_open("/etc/passwd", O_RDONLY));
	MUST(11, !can_open("/", O_RDONLY | O_DIRECTORY));
	MUST(12, !can_open(outside, O_RDONLY));
	MUST(13, !can_open(outside, O_WRONLY));
	MUST(14, !can_open("/usr/x", O_CREAT | O_WRONLY));
	MUST(15, !can_open("/tmp/alumhub-sandbox", O_CREAT | O_WRONLY));
	MUST(16, unlink(outside) != 0);
	MUST(17, !can_link(other));
	MUST(18, !can_make_fifo(other));
	MUST(19, abi < 2 || !can_rename(path, outside));
	MUST(20, abi < 3 || truncate(outside, 0) != 0);
	MUST(21, !can_open("/root", O_RDONLY | O_DIRECTORY));
	MUST(22, !can_open("/dev/mem", O_RDONLY));
	MUST(23, mkdir("/var/alumhub-sandbox", 0700) != 0);
	return 0;
}

static int
programs(int abi)
{
	(void)abi;
	MUST(1, can_run("/bin/true"));
	MUST(2, !can_run("/bin/false") && errno != 0);
	MUST(3, !can_run("/bin/sh"));
	MUST(4, can_open("/etc/passwd", O_RDONLY)); /* files are not confined here */
	return 0;
}

static int
network(int abi)
{
	MUST(1, can_connect(open_port));
	MUST(2, abi < 4 || !can_connect(closed_port));
	MUST(3, abi < 4 || !can_listen());
	MUST(4, abi < 6 || kill(getppid(), 0) != 0);
	return 0;
}

static bool
skipped(const char *what, int abi)
{
	if (sandbox_abi() >= abi)
		return false;
	printf("# skipped: %s: the kernel has version %d of Landlock\n", what, sandbox_abi());
	return true;
}

static void
sandbox_holds_files(void **state)
{
	(void)state;
	if (skipped("files", 1))
		skip();
	make_places();
	assert_int_equal(confined(true, files), 0);
	remove_places();
}

static void
sandbox_starts_named_programs_only(void **state)
{
	(void)state;
	if (skipped("programs", 1))
		skip();
	make_places();
	assert_int_equal(confined(false, programs), 0);
	remove_places();
}

static void
sandbox_connects_to_named_ports_only(void **state)
{
	int a = listener(&open_port), b = listener(&closed_port);

	(void)state;
	if (skipped("ports", 4))
		skip();
	make_places();
	assert_true(can_connect(closed_port));
	assert_int_equal(confined(false, network), 0);
	remove_places();
	close(a);
	close(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sandbox_holds_files),
    cmocka_unit_test(sandbox_starts_named_programs_only),
    cmocka_unit_test(sandbox_connects_to_named_ports_only),
};

UNIT_RUN(tests)
