#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

static int
folder_open(const char *path)
{
	char *copy = memory_string(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(copy);
	return fd;
}

/* `fd` was made by us right now: what others put there never changes hands. */
static void
give(int fd, const char *path)
{
	int folder = geteuid() == 0 ? folder_open(path) : -1;
	struct stat owner;

	if (folder < 0)
		return;
	if (!fstat(folder, &owner) && owner.st_uid != 0 && fchown(fd, owner.st_uid, owner.st_gid))
		errno = 0; /* the file is root's then, and whoever cannot open it says so */
	close(folder);
}

int
place_new(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		give(fd, path);
	return fd;
}

int
place_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 && errno == ENOENT ? place_new(path) : fd;
}

void
place_folder(const char *path)
{
	int fd;

	if (mkdir(path, 0700))
		return;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	give(fd, path);
	close(fd);
}

void
place_sync(const char *path)
{
	int fd = folder_open(path);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}
