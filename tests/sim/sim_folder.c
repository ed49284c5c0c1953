/* Files that go out lie on the real disk, in a folder of this process, empty at the start: the
 * process stands in it, so that for the bot it has one name in every process. Paths stand in the
 * state, and one world must be the same whatever the number of its process. */
#include "sim.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char sim_folder[] = "/proc/self/cwd";

static char start[1024]; /* where the process began */

/* That disk loses no power here, so nobody waits for it. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

/* A file is as old as the world says, not the machine: from when the bot first looked at its age.
 */
int
lstat(const char *path, struct stat *st)
{
	struct timespec then[2] = {{.tv_sec = wall_ms() / 1000}, {.tv_sec = wall_ms() / 1000}};

	if (fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW))
		return -1;
	if (!S_ISREG(st->st_mode) || st->st_mode & S_IRGRP ||
	    strncmp(path, sim_folder, strlen(sim_folder)) != 0)
		return 0;
	if (utimensat(AT_FDCWD, path, then, 0) || chmod(path, 0640))
		return -1;
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

static void
each_file(void (*fn)(const char *name))
{
	struct dirent *entry;
	DIR *d = opendir("files");

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			fn(entry->d_name);
	if (d)
		closedir(d);
}

static char path[2000];

static void
remove_file(const char *name)
{
	snprintf(path, sizeof(path), "files/%s", name);
	unlink(path);
}

static void
make_own(void)
{
	snprintf(path, sizeof(path), "%s/build/sim-%d", start, (int)getpid());
	mkdir(path, 0700);
}

static void
stand_in_own(void)
{
	snprintf(path, sizeof(path), "%s/build/sim-%d", start, (int)getpid());
	if (chdir(path)) {
		perror(path);
		exit(2);
	}
}

void
folder_begin(void)
{
	if (!getcwd(start, sizeof(start)))
		exit(2);
	make_own();
	stand_in_own();
	each_file(remove_file);
}

/* Another name of the same file: none is written to once it is there. */
static void
share_file(const char *name)
{
	char old[400];

	snprintf(old, sizeof(old), "files/%s", name);
	snprintf(path, sizeof(path), "%s/build/sim-%d/files/%s", start, (int)getpid(), name);
	if (link(old, path))
		perror(path);
}

void
folder_copied(void)
{
	make_own();
	if (!access("files", F_OK)) {
		snprintf(path, sizeof(path), "%s/build/sim-%d/files", start, (int)getpid());
		mkdir(path, 0700);
		each_file(share_file);
	}
	stand_in_own();
}

void
folder_end(void)
{
	each_file(remove_file);
	rmdir("files");
	if (chdir(start))
		exit(2);
	snprintf(path, sizeof(path), "build/sim-%d", (int)getpid());
	rmdir(path);
}
