/*
 * The locks of SQLite's file format and of its shared memory, for a file of crash_vfs.c. Nothing is
 * locked for another process: there is one.
 */
#ifndef SIM_CRASH_LOCKS_H
#define SIM_CRASH_LOCKS_H

#include <sqlite3.h>
#include <stdbool.h>

enum { CRASH_REGIONS = 64 };

/* One opening of a file. */
struct crash_locker {
	int level;
	bool shm;
	unsigned shm_shared;
};

/* Of one file. */
struct crash_locks {
	int shared, shm_handles;
	const struct crash_locker *writer; /* has RESERVED or more */
	bool exclusive;
	void *regions[CRASH_REGIONS];
	int shm_shared[SQLITE_SHM_NLOCK];
	const struct crash_locker *shm_exclusive[SQLITE_SHM_NLOCK];
};

/* Each answers with SQLite's code, as the VFS's method of that name does. */
int crash_locks_take(struct crash_locks *l, struct crash_locker *h, int level);
int crash_locks_leave(struct crash_locks *l, struct crash_locker *h, int level);
int crash_locks_map(struct crash_locks *l, struct crash_locker *h, int region, int size,
    bool extend, void volatile **out);
int crash_locks_shm(struct crash_locks *l, struct crash_locker *h, int from, int n, int flags);
int crash_locks_unmap(struct crash_locks *l, struct crash_locker *h, bool delete);
/* The shared memory is gone, as with the process. */
void crash_locks_free(struct crash_locks *l);

#endif
