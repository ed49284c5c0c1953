/*
 * Where files of the state come to lie: mode 0600, or 0700 for a folder. What root makes belongs to
 * whom its folder belongs, because at a terminal root works on a state that is the service's.
 */
#ifndef STORE_PLACE_H
#define STORE_PLACE_H

/* A new file, open for reading and writing; -1 and errno, also when one is there. */
int place_new(const char *path);
/* The one that is there, else a new one. */
int place_open(const char *path);
/* A folder; one that is there is fine. */
void place_folder(const char *path);
/* The names in the folder of `path` are on the disk when it returns. */
void place_sync(const char *path);

#endif
