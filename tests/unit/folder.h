/* A folder that a test made, and its end. */
#ifndef FOLDER_H
#define FOLDER_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>

static inline int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

/* With all that is in it; whether it is gone. */
static inline bool
remove_folder(const char *folder)
{
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0;
}

#endif
