#include "base/picture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"

extern char **environ;

enum { PATIENCE_MS = 5000 /* half of the watchdog */, LOOK_MS = 20, PICTURE_MOST = 4 << 20 };

/* Beside the program, or one folder up. */
static int
find_program(char path[1024])
{
	ssize_t n = readlink("/proc/self/exe", path, 1000);
	char *slash;

	for (int up = 0; n > 0 && up < 2; up++) {
		path[n] = 0;
		slash = strrchr(path, '/');
		if (!slash || slash - path > 980)
			return 0;
		snprintf(slash + 1, 20, "alumhub-picture");
		if (!access(path, X_OK))
			return 1;
		n = slash - path;
	}
	return 0;
}

static int
start(pid_t *pid, char *program, int in, int out)
{
	char *argv[] = {program, "bars", NULL};
	posix_spawn_file_actions_t actions;
	int failed;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	failed = posix_spawn(pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return !failed;
}

/* Whether it ended well and in time; it is gone afterwards in any case. */
static int
wait_for(pid_t pid)
{
	int status = 0;

	for (int ms = 0; ms < PATIENCE_MS; ms += LOOK_MS) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		poll(NULL, 0, LOOK_MS);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

static size_t
take(struct arena *arena, int fd, const void **png)
{
	off_t length = lseek(fd, 0, SEEK_END);
	char *bytes;

	if (length < 8 || length > PICTURE_MOST)
		return 0;
	bytes = arena_alloc(arena, (size_t)length);
	if (pread(fd, bytes, (size_t)length, 0) != length || memcmp(bytes, "\x89PNG", 4) != 0)
		return 0;
	*png = bytes;
	return (size_t)length;
}

/* A file without a name: neither side can wait for the other, as with pipes, and nothing can be run
 * from it, as from memory. */
static int
scratch(void)
{
	return open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

size_t
picture_bars(struct arena *arena, const char *lines, size_t length, const void **png)
{
	char program[1024];
	int in = scratch(), out = scratch();
	size_t taken = 0;
	pid_t pid;

	if (in >= 0 && out >= 0 && find_program(program) &&
	    write(in, lines, length) == (ssize_t)length && !lseek(in, 0, SEEK_SET) &&
	    start(&pid, program, in, out) && wait_for(pid))
		taken = take(arena, out, png);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return taken;
}
