#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "unix_socket.h"

enum { BACKLOG = 16 };

/* A path longer than sun_path goes through its folder's descriptor, which *folder gets. */
static int
address(const char *path, struct sockaddr_un *un, int *folder)
{
	const char *slash = strrchr(path, '/');
	char *parent;
	int n;

	*folder = -1;
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	n = snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
	if (n >= 0 && (size_t)n < sizeof(un->sun_path))
		return 0;
	if (!slash) {
		errno = ENAMETOOLONG;
		return -1;
	}
	parent = memory_string(path);
	parent[slash - path] = 0;
	*folder = open(slash == path ? "/" : parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (*folder < 0)
		return -1;
	n = snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d%s", *folder, slash);
	if (n >= 0 && (size_t)n < sizeof(un->sun_path))
		return 0;
	close(*folder);
	*folder = -1;
	errno = ENAMETOOLONG;
	return -1;
}

/* Closes both and keeps errno. */
static int
give_up(int fd, int folder)
{
	int wrong = errno;

	if (fd >= 0)
		close(fd);
	if (folder >= 0)
		close(folder);
	errno = wrong;
	return -1;
}

int
unix_listen(const char *path, mode_t mode)
{
	struct sockaddr_un un;
	int folder, fd;

	if (address(path, &un, &folder) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	/* Nobody can connect between bind and listen, so the mode is in time. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 || chmod(path, mode) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return give_up(fd, folder);
	if (folder >= 0)
		close(folder);
	return fd;
}

int
unix_connect(const char *path)
{
	struct sockaddr_un un;
	int folder, fd;

	if (address(path, &un, &folder) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		return give_up(fd, folder);
	if (folder >= 0)
		close(folder);
	return fd;
}
