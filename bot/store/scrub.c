#include "store/scrub.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
zero(int fd, off_t left)
{
	static const char zeros[64 * 1024];

	for (; left > 0; left -= (off_t)sizeof(zeros)) {
		size_t n = left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros);

		if (write(fd, zeros, n) != (ssize_t)n)
			break;
	}
	fsync(fd);
}

void
scrub_unlink(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	/* Another name of the same file keeps its content. */
	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1)
		zero(fd, st.st_size);
	if (fd >= 0)
		close(fd);
	unlink(path);
}

int
scrub_folder(const char *folder, const char *prefix, int64_t before)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	char path[PATH_MAX];
	struct stat st;
	int n = 0;

	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || strncmp(e->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (lstat(path, &st) || !S_ISREG(st.st_mode) || st.st_mtime >= before)
			continue;
		scrub_unlink(path);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}
