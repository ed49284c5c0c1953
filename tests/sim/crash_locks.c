#include "crash_locks.h"

#include <sqlite3.h>
#include <stdlib.h>

/* PENDING is not kept apart: nobody starves in a simulation. */
int
crash_locks_take(struct crash_locks *l, struct crash_locker *h, int level)
{
	bool others = l->writer && l->writer != h;

	if (level <= h->level)
		return SQLITE_OK;
	if (l->exclusive && others)
		return SQLITE_BUSY;
	if (h->level == SQLITE_LOCK_NONE) {
		l->shared++;
		h->level = SQLITE_LOCK_SHARED;
	}
	if (level >= SQLITE_LOCK_RESERVED) {
		if (others)
			return SQLITE_BUSY;
		l->writer = h;
		h->level = SQLITE_LOCK_RESERVED;
	}
	if (level == SQLITE_LOCK_EXCLUSIVE) {
		if (l->shared > 1)
			return SQLITE_BUSY;
		l->exclusive = true;
		h->level = SQLITE_LOCK_EXCLUSIVE;
	}
	return SQLITE_OK;
}

int
crash_locks_leave(struct crash_locks *l, struct crash_locker *h, int level)
{
	if (h->level <= level)
		return SQLITE_OK;
	if (l->writer == h) {
		l->writer = NULL;
		l->exclusive = false;
	}
	if (level == SQLITE_LOCK_NONE)
		l->shared--;
	h->level = level;
	return SQLITE_OK;
}

int
crash_locks_map(struct crash_locks *l, struct crash_locker *h, int region, int size, bool extend,
    void volatile **out)
{
	*out = NULL;
	if (region >= CRASH_REGIONS)
		return SQLITE_IOERR_SHMMAP;
	if (!h->shm) {
		h->shm = true;
		l->shm_handles++;
	}
	if (!l->regions[region] && extend) {
		l->regions[region] = calloc(1, (size_t)size);
		if (!l->regions[region])
			abort();
	}
	*out = l->regions[region];
	return SQLITE_OK;
}

static int
shm_lock_one(struct crash_locks *l, struct crash_locker *h, int i, int flags)
{
	bool mine = h->shm_shared & 1U << i;

	if (flags & SQLITE_SHM_UNLOCK) {
		if (l->shm_exclusive[i] == h)
			l->shm_exclusive[i] = NULL;
		if (mine)
			l->shm_shared[i]--;
		h->shm_shared &= ~(1U << i);
		return SQLITE_OK;
	}
	if (l->shm_exclusive[i] && l->shm_exclusive[i] != h)
		return SQLITE_BUSY;
	if (flags & SQLITE_SHM_SHARED) {
		l->shm_shared[i] += !mine;
		h->shm_shared |= 1U << i;
		return SQLITE_OK;
	}
	if (l->shm_shared[i] > mine)
		return SQLITE_BUSY;
	l->shm_exclusive[i] = h;
	return SQLITE_OK;
}

int
crash_locks_shm(struct crash_locks *l, struct crash_locker *h, int from, int n, int flags)
{
	int rc = SQLITE_OK;

	/* All or none. */
	for (int i = from; i < from + n && !(flags & SQLITE_SHM_UNLOCK); i++)
		if ((l->shm_exclusive[i] && l->shm_exclusive[i] != h) ||
		    ((flags & SQLITE_SHM_EXCLUSIVE) &&
			l->shm_shared[i] > (int)(h->shm_shared >> i & 1)))
			return SQLITE_BUSY;
	for (int i = from; i < from + n && rc == SQLITE_OK; i++)
		rc = shm_lock_one(l, h, i, flags);
	return rc;
}

void
crash_locks_free(struct crash_locks *l)
{
	for (int i = 0; i < CRASH_REGIONS; i++) {
		free(l->regions[i]);
		l->regions[i] = NULL;
	}
}

int
crash_locks_unmap(struct crash_locks *l, struct crash_locker *h, bool delete)
{
	if (!h->shm)
		return SQLITE_OK;
	for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
		shm_lock_one(l, h, i, SQLITE_SHM_UNLOCK);
	h->shm = false;
	if (--l->shm_handles == 0 || delete)
		crash_locks_free(l);
	return SQLITE_OK;
}
