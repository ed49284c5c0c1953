/*
 * A layer over the system's VFS that overwrites with zeros whatever is about to be cut off or
 * unlinked, and syncs the zeros: a file system drops dirty pages of freed blocks, and secure_delete
 * alone left 1,396 copies on a raw device where this leaves none (RELIABILITY.md §0.7).
 *
 * It also gathers what is appended to the WAL: SQLite writes the head and the page of each frame by
 * themselves, some two hundred system calls for a batch that one or two can carry. Nothing stays
 * gathered behind a frame that commits, a sync, or a look at the file.
 *
 * And it syncs nothing twice: a checkpoint begins with a sync of the WAL, which each commit has
 * synced already, and on a slow disk everybody waits for it.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

#include "base/memory.h"

enum {
	ZEROS_BYTES = 64 * 1024,
	HEADER_BYTES = 512,
	GATHER_BYTES = 64 * 1024,
	FRAME_HEAD_BYTES = 24, /* sqlite.org/fileformat.html §4.1 */
};

struct scrub_file {
	sqlite3_file base;
	bool delete_on_close;
	bool synced; /* by us, and nothing was written since; what others left before is not */
	/* Of a WAL only. */
	unsigned char *gather;
	int gathered;
	sqlite3_int64 end; /* behind the byte written last: where an append goes on */
	bool commits;	   /* the last frame head said that its page ends a transaction */
	_Alignas(8) unsigned char real[]; /* the system's own file */
};

static sqlite3_vfs *
system_vfs(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static sqlite3_file *
real_of(sqlite3_file *file)
{
	return (sqlite3_file *)((struct scrub_file *)file)->real;
}

static int
zero_range(sqlite3_file *real, sqlite3_int64 from, sqlite3_int64 to)
{
	static const unsigned char zeros[ZEROS_BYTES];
	int rc = SQLITE_OK;

	for (; rc == SQLITE_OK && from < to; from += ZEROS_BYTES) {
		int n = to - from < ZEROS_BYTES ? (int)(to - from) : ZEROS_BYTES;

		rc = real->pMethods->xWrite(real, zeros, n, from);
	}
	return rc == SQLITE_OK ? real->pMethods->xSync(real, SQLITE_SYNC_NORMAL) : rc;
}

/* Zeros from `from` to the end, on the disk before it returns. */
static int
zero_tail(sqlite3_file *real, sqlite3_int64 from)
{
	sqlite3_int64 size = 0;
	int rc = real->pMethods->xFileSize(real, &size);

	if (rc != SQLITE_OK || from >= size)
		return rc;
	/* The header first: a journal half empty after a power cut must not be played back. */
	if (from == 0 && size > HEADER_BYTES) {
		rc = zero_range(real, 0, HEADER_BYTES);
		from = HEADER_BYTES;
	}
	return rc == SQLITE_OK ? zero_range(real, from, size) : rc;
}

/* ---- gathering ---- */

static int
gather_flush(sqlite3_file *file)
{
	struct scrub_file *f = (struct scrub_file *)file;
	sqlite3_file *real = real_of(file);
	int n = f->gathered;

	if (!n)
		return SQLITE_OK;
	f->gathered = 0;
	return real->pMethods->xWrite(real, f->gather, n, f->end - n);
}

/* The size of the database after this frame's transaction; 0 in a frame that ends none. */
static bool
ends_transaction(const unsigned char *head)
{
	return head[4] | head[5] | head[6] | head[7];
}

/* An append; whatever else is written goes straight through. */
static int
gather(sqlite3_file *file, const void *bytes, int n)
{
	struct scrub_file *f = (struct scrub_file *)file;
	int rc = f->gathered + n > GATHER_BYTES ? gather_flush(file) : SQLITE_OK;

	if (rc != SQLITE_OK)
		return rc;
	f->synced = false;
	memcpy(f->gather + f->gathered, bytes, (size_t)n);
	f->gathered += n;
	f->end += n;
	if (n == FRAME_HEAD_BYTES) {
		f->commits = ends_transaction(bytes);
		return SQLITE_OK;
	}
	/* Other connections read a transaction as soon as it is whole. */
	return f->commits ? gather_flush(file) : SQLITE_OK;
}

static int
scrub_close(sqlite3_file *file)
{
	struct scrub_file *f = (struct scrub_file *)file;
	sqlite3_file *real = real_of(file);
	int rc = gather_flush(file), closed;

	if (f->gather)
		explicit_bzero(f->gather, GATHER_BYTES);
	free(f->gather);
	if (f->delete_on_close)
		zero_tail(real, 0);
	closed = real->pMethods->xClose(real);
	return rc == SQLITE_OK ? closed : rc;
}

static int
scrub_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
	sqlite3_file *real = real_of(file);
	int rc = gather_flush(file);

	return rc == SQLITE_OK ? real->pMethods->xRead(real, bytes, n, at) : rc;
}

static int
scrub_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	struct scrub_file *f = (struct scrub_file *)file;
	sqlite3_file *real = real_of(file);
	int rc;

	if (f->gather && at == f->end && n <= GATHER_BYTES)
		return gather(file, bytes, n);
	rc = gather_flush(file);
	f->synced = false;
	f->end = at + n;
	return rc == SQLITE_OK ? real->pMethods->xWrite(real, bytes, n, at) : rc;
}

static int
scrub_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	sqlite3_file *real = real_of(file);
	int rc = gather_flush(file);

	((struct scrub_file *)file)->synced = false;
	if (rc == SQLITE_OK)
		rc = zero_tail(real, size);
	return rc == SQLITE_OK ? real->pMethods->xTruncate(real, size) : rc;
}

static int
scrub_sync(sqlite3_file *file, int flags)
{
	struct scrub_file *f = (struct scrub_file *)file;
	sqlite3_file *real = real_of(file);
	int rc = gather_flush(file);

	if (rc != SQLITE_OK || f->synced)
		return rc;
	rc = real->pMethods->xSync(real, flags);
	f->synced = rc == SQLITE_OK;
	return rc;
}

static int
scrub_size(sqlite3_file *file, sqlite3_int64 *size)
{
	sqlite3_file *real = real_of(file);
	int rc = gather_flush(file);

	return rc == SQLITE_OK ? real->pMethods->xFileSize(real, size) : rc;
}

static int
scrub_lock(sqlite3_file *file, int level)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xLock(real, level);
}

static int
scrub_unlock(sqlite3_file *file, int level)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xUnlock(real, level);
}

static int
scrub_reserved(sqlite3_file *file, int *out)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xCheckReservedLock(real, out);
}

static int
scrub_control(sqlite3_file *file, int what, void *arg)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xFileControl(real, what, arg);
}

static int
scrub_sector(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xSectorSize(real);
}

static int
scrub_device(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xDeviceCharacteristics(real);
}

static int
scrub_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xShmMap(real, page, size, extend, out);
}

static int
scrub_shm_lock(sqlite3_file *file, int from, int n, int flags)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xShmLock(real, from, n, flags);
}

static void
scrub_shm_barrier(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	real->pMethods->xShmBarrier(real);
}

static int
scrub_shm_unmap(sqlite3_file *file, int delete)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xShmUnmap(real, delete);
}

/* Version 2: shared memory, but no mapped reading, which would go past this layer. */
static const sqlite3_io_methods scrub_methods = {
    .iVersion = 2,
    .xClose = scrub_close,
    .xRead = scrub_read,
    .xWrite = scrub_write,
    .xTruncate = scrub_truncate,
    .xSync = scrub_sync,
    .xFileSize = scrub_size,
    .xLock = scrub_lock,
    .xUnlock = scrub_unlock,
    .xCheckReservedLock = scrub_reserved,
    .xFileControl = scrub_control,
    .xSectorSize = scrub_sector,
    .xDeviceCharacteristics = scrub_device,
    .xShmMap = scrub_shm_map,
    .xShmLock = scrub_shm_lock,
    .xShmBarrier = scrub_shm_barrier,
    .xShmUnmap = scrub_shm_unmap,
};

static int
scrub_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
	struct scrub_file *f = (struct scrub_file *)file;
	sqlite3_vfs *system = system_vfs(vfs);
	int rc = system->xOpen(system, path, real_of(file), flags, out_flags);

	f->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
	f->gather = flags & SQLITE_OPEN_WAL && rc == SQLITE_OK ? memory_new(GATHER_BYTES) : NULL;
	f->synced = false;
	f->gathered = 0;
	f->end = 0;
	f->commits = false;
	/* SQLite calls xClose exactly when there are methods, also after a failed open. */
	f->base.pMethods = real_of(file)->pMethods ? &scrub_methods : NULL;
	return rc;
}

/* Through the system's own xOpen; the shared-memory file has no content and is deleted elsewhere.
 */
static int
zero_file(sqlite3_vfs *system, const char *path)
{
	/* xOpen of a journal looks for the database's mode by its name; a plain one does not. */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_TRANSIENT_DB, rc, there = 0;
	sqlite3_file *real;

	if (system->xAccess(system, path, SQLITE_ACCESS_EXISTS, &there) != SQLITE_OK || !there)
		return SQLITE_OK;
	real = calloc(1, (size_t)system->szOsFile);
	if (!real)
		return SQLITE_NOMEM;
	rc = system->xOpen(system, path, real, flags, NULL);
	if (rc == SQLITE_OK)
		rc = zero_tail(real, 0);
	if (real->pMethods)
		real->pMethods->xClose(real);
	free(real);
	return rc;
}

static int
scrub_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
	sqlite3_vfs *system = system_vfs(vfs);
	int rc = zero_file(system, path);

	return rc == SQLITE_OK ? system->xDelete(system, path, sync_folder) : rc;
}

void
scrub_vfs_register(const char *name, const char *under)
{
	sqlite3_vfs *system = sqlite3_vfs_find(under), *vfs;

	if (!system || sqlite3_vfs_find(name))
		return;
	/* Lives as long as the process. Paths, time and randomness are the system's own. */
	vfs = memory_new(sizeof(*vfs));
	*vfs = *system;
	vfs->zName = name;
	vfs->pNext = NULL;
	vfs->szOsFile = (int)sizeof(struct scrub_file) + system->szOsFile;
	vfs->pAppData = system;
	vfs->xOpen = scrub_open;
	vfs->xDelete = scrub_delete;
	sqlite3_vfs_register(vfs, 0);
}
