/* A state belongs to one process at a time: the lock beside it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "parts.h"

#include "base/memory.h"
#include "store/place.h"

enum { LOCK_WAIT_MS = 1000, LOCK_STEP_MS = 20 };

enum db_open_error
lock_folder(const char *path, char **why)
{
	char *copy = memory_string(path);
	const char *folder = dirname(copy);
	struct stat st;
	enum db_open_error error = DB_OK;

	if (stat(folder, &st) || !S_ISDIR(st.st_mode)) {
		*why = parts_say(
		    "%s: the folder %s is missing; expected a folder to keep the state in", path,
		    folder);
		error = DB_MISSING_FOLDER;
	}
	free(copy);
	return error;
}

static enum db_open_error
file_refused(const char *file, int e, char **why)
{
	bool full = e == ENOSPC || e == EDQUOT || e == EFBIG;

	*why = parts_say("%s: cannot be written: %s; expected %s", file, strerror(e),
	    full ? "room on the disk" : "a file in a folder that this user may write to");
	return full ? DB_FULL : DB_UNREADABLE;
}

/* A command such as `status` holds the lock for a moment: a service that starts then is not refused. */
static bool
lock_wait(int fd)
{
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK || waited >= LOCK_WAIT_MS)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = LOCK_STEP_MS * 1000000L}, NULL);
	}
	return true;
}

static enum db_open_error
lock_file(const char *path, int *lock_fd, char **why)
{
	char *file = parts_say("%s.lock", path);
	enum db_open_error error = DB_OK;

	*lock_fd = place_open(file);
	if (*lock_fd < 0) {
		error = file_refused(file, errno, why);
	} else if (!lock_wait(*lock_fd)) {
		*why = parts_say(
		    "%s: another process holds this state (lock %s); expected to be alone", path,
		    file);
		error = DB_LOCKED;
	}
	free(file);
	return error;
}

enum db_open_error
lock_take(const char *path, int *lock_fd, char **why)
{
	enum db_open_error error = lock_file(path, lock_fd, why);
	/* It may be a link to where there is more room. */
	int fd = error == DB_OK ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (error == DB_OK && fd < 0 && errno == ENOENT)
		fd = place_new(path);
	if (error == DB_OK && fd < 0)
		error = file_refused(path, errno, why);
	if (fd >= 0)
		close(fd);
	return error;
}

int
db_lock(const char *path, char **why)
{
	int fd = -1;

	if (lock_folder(path, why) == DB_OK && lock_file(path, &fd, why) == DB_OK)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
db_is_free(const char *path)
{
	char *file = parts_say("%s.lock", path);
	int fd = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	bool is = fd < 0 || !flock(fd, LOCK_EX | LOCK_NB);

	if (fd >= 0)
		close(fd);
	free(file);
	return is;
}
