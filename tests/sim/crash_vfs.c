#include "crash_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "crash_locks.h"

enum {
	SECTOR = 512,
	FILES = 64,
	NAME_BYTES = 256,
};

/* A sector as it was at the last sync, and which bytes of it were written since. */
struct saved {
	uint32_t sector;
	uint16_t from, to;
	unsigned char old[SECTOR];
};

struct disk_file {
	char name[NAME_BYTES];
	bool exists, was_synced; /* was_synced: its entry in the folder lasts */
	bool deleted;		 /* and the folder not synced: a cut may bring it back */
	int handles;
	unsigned char *bytes;
	size_t size, room, synced_size;
	uint32_t *dirty; /* for each sector, 1 + its index in saved; 0 when clean */
	size_t sectors;
	struct saved *saved;
	size_t saved_count, saved_room;
	struct crash_locks locks;
};

struct handle {
	sqlite3_file base;
	struct disk_file *file;
	bool delete_on_close;
	struct crash_locker locker;
};

struct crash_image {
	struct {
		char name[NAME_BYTES];
		unsigned char *bytes;
		size_t size;
	} files[FILES];
	int count;
};

static struct {
	struct disk_file *files[FILES];
	uint64_t random;
	int64_t operations, cut_at, fail_at, room;
	bool fail_for_ever, off, keep_freed;
	unsigned char *freed;
	size_t freed_size, freed_room;
} disk;

static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;

#define LOCKED(call) \
	do { \
		int result; \
		pthread_mutex_lock(&disk_lock); \
		result = (call); \
		pthread_mutex_unlock(&disk_lock); \
		return result; \
	} while (0)

static void *
grown(void *old, size_t bytes)
{
	void *p = realloc(old, bytes);

	if (!p)
		abort();
	return p;
}

static uint64_t
dice(void)
{
	disk.random ^= disk.random << 13;
	disk.random ^= disk.random >> 7;
	disk.random ^= disk.random << 17;
	return disk.random * 0x2545F4914F6CDD1DULL >> 11;
}

static void
dice_seed(uint64_t seed)
{
	disk.random = seed * 0x9E3779B97F4A7C15ULL + 0x1234567;
	if (!disk.random)
		disk.random = 1;
	dice();
}

/* ---- files ---- */

static struct disk_file *
file_find(const char *name)
{
	for (int i = 0; i < FILES; i++)
		if (disk.files[i] && !strcmp(disk.files[i]->name, name))
			return disk.files[i];
	return NULL;
}

static struct disk_file *
disk_file_new(const char *name)
{
	for (int i = 0; i < FILES; i++) {
		struct disk_file *f;

		if (disk.files[i])
			continue;
		f = calloc(1, sizeof(*f));
		if (!f || strlen(name) >= NAME_BYTES)
			abort();
		strncpy(f->name, name, NAME_BYTES - 1);
		return disk.files[i] = f;
	}
	abort();
}

static void
file_free(struct disk_file *f)
{
	crash_locks_free(&f->locks);
	free(f->bytes);
	free(f->dirty);
	free(f->saved);
	free(f);
}

static void
room_make(struct disk_file *f, size_t size)
{
	size_t room = f->room ? f->room : 8192, sectors;

	if (size <= f->room)
		return;
	while (room < size)
		room *= 2;
	sectors = room / SECTOR;
	f->bytes = grown(f->bytes, room);
	memset(f->bytes + f->room, 0, room - f->room);
	f->dirty = grown(f->dirty, sectors * sizeof(uint32_t));
	memset(f->dirty + f->sectors, 0, (sectors - f->sectors) * sizeof(uint32_t));
	f->room = room;
	f->sectors = sectors;
}

/* Remembers what these bytes were at the last sync. */
static void
save(struct disk_file *f, size_t from, size_t to)
{
	for (size_t s = from / SECTOR; s * SECTOR < to; s++) {
		size_t start = s * SECTOR, a = from > start ? from - start : 0;
		size_t b = to < start + SECTOR ? to - start : SECTOR;
		struct saved *o;

		if (!f->dirty[s]) {
			if (f->saved_count == f->saved_room) {
				f->saved_room = f->saved_room ? f->saved_room * 2 : 64;
				f->saved = grown(f->saved, f->saved_room * sizeof(*f->saved));
			}
			o = &f->saved[f->saved_count++];
			o->sector = (uint32_t)s;
			o->from = (uint16_t)a;
			o->to = (uint16_t)b;
			memcpy(o->old, f->bytes + start, SECTOR);
			f->dirty[s] = (uint32_t)f->saved_count;
			continue;
		}
		o = &f->saved[f->dirty[s] - 1];
		o->from = a < o->from ? (uint16_t)a : o->from;
		o->to = b > o->to ? (uint16_t)b : o->to;
	}
}

static void
file_synced(struct disk_file *f)
{
	for (size_t i = 0; i < f->saved_count; i++)
		f->dirty[f->saved[i].sector] = 0;
	f->saved_count = 0;
	f->synced_size = f->size;
	f->was_synced = true;
}

static void
freed_add(const void *bytes, size_t n)
{
	while (disk.freed_size + n > disk.freed_room) {
		disk.freed_room = disk.freed_room ? disk.freed_room * 2 : 65536;
		disk.freed = grown(disk.freed, disk.freed_room);
	}
	memcpy(disk.freed + disk.freed_size, bytes, n);
	disk.freed_size += n;
}

/* A device holds what was synced; what only stood in the cache never came to it. */
static void
freed_from(struct disk_file *f, size_t from)
{
	if (!disk.keep_freed)
		return;
	for (size_t at = from / SECTOR * SECTOR; at < f->synced_size; at += SECTOR) {
		uint32_t dirty = f->dirty[at / SECTOR];

		freed_add(dirty ? f->saved[dirty - 1].old : f->bytes + at, SECTOR);
	}
}

static void
file_shrink(struct disk_file *f, size_t size)
{
	freed_from(f, size);
	save(f, size, f->size);
	memset(f->bytes + size, 0, f->size - size);
	f->size = size;
}

/* ---- power ---- */

static void (*each)(void);

/* SQLITE_OK, or why this change to the disk does not happen; *cut: it is the last, half done. */
static int
operation(bool *cut)
{
	*cut = false;
	if (each && !disk.off)
		each();
	if (disk.off)
		return SQLITE_IOERR;
	disk.operations++;
	if (disk.fail_at && disk.operations >= disk.fail_at &&
	    (disk.fail_for_ever || disk.operations == disk.fail_at))
		return SQLITE_IOERR;
	*cut = disk.cut_at && disk.operations >= disk.cut_at;
	disk.off = *cut;
	return SQLITE_OK;
}

static void
sector_decide(struct disk_file *f, const struct saved *s)
{
	unsigned char *now = f->bytes + (size_t)s->sector * SECTOR;
	uint64_t fate = dice() % 16;

	if (fate < 6) /* it came to the disk */
		return;
	if (fate < 12) { /* it did not */
		memcpy(now, s->old, SECTOR);
	} else if (fate < 14) { /* the first half did */
		size_t torn = s->from + dice() % (size_t)(s->to - s->from + 1);

		memcpy(now + torn, s->old + torn, SECTOR - torn);
	} else {
		for (size_t i = s->from; i < s->to; i++)
			now[i] = (unsigned char)dice();
	}
}

/* True when the file is still there. */
static bool
file_decide(struct disk_file *f)
{
	bool all = dice() % 4 == 0, none = dice() % 4 == 0;

	if (f->deleted && (!f->was_synced || dice() % 2))
		return false;
	if (!f->deleted && !f->was_synced && dice() % 2)
		return false;
	for (size_t i = 0; i < f->saved_count; i++) {
		if (none)
			memcpy(f->bytes + (size_t)f->saved[i].sector * SECTOR, f->saved[i].old,
			    SECTOR);
		else if (!all)
			sector_decide(f, &f->saved[i]);
	}
	if (none || (!all && dice() % 2))
		f->size = f->synced_size;
	memset(f->bytes + f->size, 0, f->room - f->size);
	f->exists = true;
	f->deleted = false;
	file_synced(f);
	return true;
}

/* What is broken for ever outlives the process and the power. */
static void
faults_clear(void)
{
	disk.cut_at = disk.room = 0;
	disk.off = false;
	if (!disk.fail_for_ever)
		disk.fail_at = 0;
}

void
crash_vfs_power_on(uint64_t seed)
{
	dice_seed(seed);
	faults_clear();
	for (int i = 0; i < FILES; i++) {
		struct disk_file *f = disk.files[i];

		if (!f)
			continue;
		if (f->handles)
			abort();
		if (!file_decide(f)) {
			file_free(f);
			disk.files[i] = NULL;
		} else {
			crash_locks_free(&f->locks);
		}
	}
}

void
crash_vfs_killed(void)
{
	faults_clear();
	for (int i = 0; i < FILES; i++)
		if (disk.files[i]) {
			if (disk.files[i]->handles)
				abort();
			crash_locks_free(&disk.files[i]->locks);
		}
}

void
crash_vfs_new(uint64_t seed)
{
	for (int i = 0; i < FILES; i++) {
		if (disk.files[i] && disk.files[i]->handles)
			abort();
		if (disk.files[i])
			file_free(disk.files[i]);
		disk.files[i] = NULL;
	}
	free(disk.freed);
	disk.freed = NULL;
	disk.freed_size = disk.freed_room = 0;
	disk.keep_freed = false;
	disk.operations = 0;
	disk.fail_for_ever = false;
	faults_clear();
	dice_seed(seed);
	/* A torn frame of the WAL can be whole by accident: the salts must not come from the machine. */
	sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(uint32_t)(seed * 2 + 1), NULL);
}

void
crash_vfs_each(void (*fn)(void))
{
	each = fn;
}

int64_t
crash_vfs_operations(void)
{
	return disk.operations;
}

void
crash_vfs_cut_after(int64_t operations)
{
	disk.cut_at = operations ? disk.operations + operations : 0;
}

void
crash_vfs_cut(void)
{
	disk.off = true;
}

bool
crash_vfs_is_off(void)
{
	return disk.off;
}

void
crash_vfs_fail_after(int64_t operations, bool for_ever)
{
	disk.fail_at = operations ? disk.operations + operations : 0;
	disk.fail_for_ever = for_ever;
}

void
crash_vfs_room(int64_t bytes)
{
	disk.room = bytes;
}

void
crash_vfs_keep_freed(void)
{
	disk.keep_freed = true;
}

/* ---- images and looking ---- */

struct crash_image *
crash_vfs_image(void)
{
	struct crash_image *image = calloc(1, sizeof(*image));

	if (!image)
		abort();
	for (int i = 0; i < FILES; i++) {
		struct disk_file *f = disk.files[i];
		int n = image->count;

		if (!f || !f->exists)
			continue;
		memcpy(image->files[n].name, f->name, NAME_BYTES);
		image->files[n].bytes = grown(NULL, f->size + 1);
		if (f->size)
			memcpy(image->files[n].bytes, f->bytes, f->size);
		image->files[n].size = f->size;
		image->count++;
	}
	return image;
}

void
crash_vfs_from(const struct crash_image *image, uint64_t seed)
{
	crash_vfs_new(seed);
	for (int i = 0; i < image->count; i++) {
		struct disk_file *f = disk_file_new(image->files[i].name);

		room_make(f, image->files[i].size + 1);
		memcpy(f->bytes, image->files[i].bytes, image->files[i].size);
		f->size = image->files[i].size;
		f->exists = true;
		file_synced(f);
	}
}

void
crash_vfs_image_free(struct crash_image *image)
{
	for (int i = 0; i < image->count; i++)
		free(image->files[i].bytes);
	free(image);
}

static int
count_in(const unsigned char *p, size_t size, const void *bytes, size_t length)
{
	const unsigned char *end = p + size, *hit;
	int n = 0;

	while (p && (hit = memmem(p, (size_t)(end - p), bytes, length))) {
		n++;
		p = hit + 1;
	}
	return n;
}

int
crash_vfs_count(const void *bytes, size_t length)
{
	int n = count_in(disk.freed, disk.freed_size, bytes, length);

	for (int i = 0; i < FILES; i++)
		if (disk.files[i])
			n += count_in(disk.files[i]->bytes, disk.files[i]->size, bytes, length);
	return n;
}

/* ---- the methods of a file ---- */

static struct disk_file *
file_of(sqlite3_file *file)
{
	return ((struct handle *)file)->file;
}

static struct crash_locks *
locks_of(sqlite3_file *file)
{
	return &file_of(file)->locks;
}

static struct crash_locker *
locker_of(sqlite3_file *file)
{
	return &((struct handle *)file)->locker;
}

static int
read_it(struct disk_file *f, void *bytes, size_t n, size_t at)
{
	size_t there = at < f->size ? f->size - at : 0;

	if (disk.off)
		return SQLITE_IOERR_READ;
	if (there > n)
		there = n;
	if (there)
		memcpy(bytes, f->bytes + at, there);
	memset((char *)bytes + there, 0, n - there);
	return there == n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int
crash_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
	LOCKED(read_it(file_of(file), bytes, (size_t)n, (size_t)at));
}

static size_t
disk_used(void)
{
	size_t used = 0;

	for (int i = 0; i < FILES; i++)
		used += disk.files[i] ? disk.files[i]->size : 0;
	return used;
}

static int
write_it(struct disk_file *f, const void *bytes, size_t n, size_t at)
{
	bool cut;
	int rc = operation(&cut);

	if (rc != SQLITE_OK)
		return SQLITE_IOERR_WRITE;
	if (disk.room && at + n > f->size && disk_used() + at + n - f->size > (size_t)disk.room)
		return SQLITE_FULL;
	room_make(f, at + n);
	save(f, at, at + n);
	memcpy(f->bytes + at, bytes, n);
	if (at + n > f->size)
		f->size = at + n;
	return cut ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int
crash_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	LOCKED(write_it(file_of(file), bytes, (size_t)n, (size_t)at));
}

static int
truncate_it(struct disk_file *f, size_t size)
{
	bool cut;

	if (operation(&cut) != SQLITE_OK)
		return SQLITE_IOERR_TRUNCATE;
	if (size < f->size) {
		file_shrink(f, size);
	} else if (size > f->size) {
		room_make(f, size);
		f->size = size;
	}
	return cut ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int
crash_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	LOCKED(truncate_it(file_of(file), (size_t)size));
}

static int
sync_it(struct disk_file *f)
{
	bool cut;

	if (operation(&cut) != SQLITE_OK || cut)
		return SQLITE_IOERR_FSYNC;
	file_synced(f);
	return SQLITE_OK;
}

static int
crash_sync(sqlite3_file *file, int flags)
{
	(void)flags;
	LOCKED(sync_it(file_of(file)));
}

static int
crash_size(sqlite3_file *file, sqlite3_int64 *size)
{
	*size = (sqlite3_int64)file_of(file)->size;
	return SQLITE_OK;
}

static int
crash_lock(sqlite3_file *file, int level)
{
	LOCKED(crash_locks_take(locks_of(file), locker_of(file), level));
}

static int
crash_unlock(sqlite3_file *file, int level)
{
	LOCKED(crash_locks_leave(locks_of(file), locker_of(file), level));
}

static int
crash_reserved(sqlite3_file *file, int *out)
{
	*out = locks_of(file)->writer != NULL;
	return SQLITE_OK;
}

static int
crash_control(sqlite3_file *file, int what, void *arg)
{
	(void)file;
	(void)what;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int
crash_sector(sqlite3_file *file)
{
	(void)file;
	return SECTOR;
}

static int
crash_device(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- shared memory ---- */

static int
map_it(sqlite3_file *file, int region, int size, bool extend, void volatile **out)
{
	*out = NULL;
	if (disk.off)
		return SQLITE_IOERR_SHMMAP;
	return crash_locks_map(locks_of(file), locker_of(file), region, size, extend, out);
}

static int
crash_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
	LOCKED(map_it(file, region, size, extend, out));
}

static int
crash_shm_lock(sqlite3_file *file, int from, int n, int flags)
{
	LOCKED(crash_locks_shm(locks_of(file), locker_of(file), from, n, flags));
}

static void
crash_shm_barrier(sqlite3_file *file)
{
	(void)file;
	__sync_synchronize();
}

static int
crash_shm_unmap(sqlite3_file *file, int delete)
{
	LOCKED(crash_locks_unmap(locks_of(file), locker_of(file), delete));
}

/* ---- the disk ---- */

static int
delete_it(const char *name, bool sync_folder)
{
	struct disk_file *f = file_find(name);
	bool cut;

	if (!f || !f->exists)
		return SQLITE_IOERR_DELETE_NOENT;
	if (operation(&cut) != SQLITE_OK)
		return SQLITE_IOERR_DELETE;
	freed_from(f, 0);
	f->exists = false;
	f->deleted = true;
	if (sync_folder && !cut)
		f->was_synced = false; /* nothing of it comes back */
	return cut ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int
crash_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	(void)vfs;
	LOCKED(delete_it(name, sync_folder));
}

static int
close_it(struct handle *h)
{
	crash_locks_unmap(&h->file->locks, &h->locker, false);
	crash_locks_leave(&h->file->locks, &h->locker, SQLITE_LOCK_NONE);
	h->file->handles--;
	if (h->delete_on_close)
		delete_it(h->file->name, false);
	return SQLITE_OK;
}

static int
crash_close(sqlite3_file *file)
{
	LOCKED(close_it((struct handle *)file));
}

static const sqlite3_io_methods crash_methods = {
    .iVersion = 2,
    .xClose = crash_close,
    .xRead = crash_read,
    .xWrite = crash_write,
    .xTruncate = crash_truncate,
    .xSync = crash_sync,
    .xFileSize = crash_size,
    .xLock = crash_lock,
    .xUnlock = crash_unlock,
    .xCheckReservedLock = crash_reserved,
    .xFileControl = crash_control,
    .xSectorSize = crash_sector,
    .xDeviceCharacteristics = crash_device,
    .xShmMap = crash_shm_map,
    .xShmLock = crash_shm_lock,
    .xShmBarrier = crash_shm_barrier,
    .xShmUnmap = crash_shm_unmap,
};

/* A name that was deleted and not synced is taken over: then only the new file can be found. */
static struct disk_file *
file_create(struct disk_file *f, const char *name)
{
	bool cut;

	if (operation(&cut) != SQLITE_OK || cut)
		return NULL;
	if (!f)
		f = disk_file_new(name);
	room_make(f, 1);
	save(f, 0, f->size);
	memset(f->bytes, 0, f->size);
	f->size = 0;
	f->exists = true;
	f->deleted = false;
	return f;
}

static int
open_it(const char *name, struct handle *h, int flags, int *out_flags)
{
	static int unnamed;
	char temporary[32];
	struct disk_file *f;

	h->base.pMethods = NULL;
	if (!name) {
		sqlite3_snprintf((int)sizeof(temporary), temporary, "temporary-%d", unnamed++);
		name = temporary;
	}
	f = file_find(name);
	if (disk.off)
		return SQLITE_CANTOPEN;
	if (!f || !f->exists) {
		if (!(flags & SQLITE_OPEN_CREATE))
			return SQLITE_CANTOPEN;
		f = file_create(f, name);
		if (!f)
			return SQLITE_CANTOPEN;
	}
	*h = (struct handle){.base.pMethods = &crash_methods, .file = f};
	h->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
	f->handles++;
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int
crash_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	(void)vfs;
	LOCKED(open_it(name, (struct handle *)file, flags, out_flags));
}

static int
access_it(const char *name, int *out)
{
	struct disk_file *f = file_find(name);

	*out = f && f->exists;
	return SQLITE_OK;
}

static int
crash_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	(void)flags;
	LOCKED(access_it(name, out));
}

static int
crash_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	sqlite3_snprintf(size, out, "%s", name);
	return SQLITE_OK;
}

static int
crash_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	pthread_mutex_lock(&disk_lock);
	for (int i = 0; i < n; i++)
		out[i] = (char)dice();
	pthread_mutex_unlock(&disk_lock);
	return n;
}

static int
crash_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int
crash_time(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
	(void)vfs;
	*ms = 212000000000000;
	return SQLITE_OK;
}

static int
crash_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	(void)n;
	(void)out;
	return 0;
}

void
crash_vfs_register(void)
{
	static sqlite3_vfs vfs = {
	    .iVersion = 2,
	    .szOsFile = sizeof(struct handle),
	    .mxPathname = NAME_BYTES,
	    .zName = "crash",
	    .xOpen = crash_open,
	    .xDelete = crash_delete,
	    .xAccess = crash_access,
	    .xFullPathname = crash_path,
	    .xRandomness = crash_randomness,
	    .xSleep = crash_sleep,
	    .xCurrentTimeInt64 = crash_time,
	    .xGetLastError = crash_error,
	};

	sqlite3_vfs_register(&vfs, 0);
}
