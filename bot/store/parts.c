#include "parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/place.h"

enum { PAGES_A_STEP = 128 };

char *
parts_say(const char *format, ...)
{
	va_list list;
	char *text;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		memory_exhausted();
	va_end(list);
	return text;
}

bool
parts_on_disk(const char *vfs)
{
	return !vfs || !strcmp(vfs, "scrub") || !strcmp(vfs, "unix");
}

static bool
disk_is_full(sqlite3 *handle, int rc)
{
	int e = handle ? sqlite3_system_errno(handle) : 0;

	if ((rc & 0xff) == SQLITE_FULL)
		return true;
	return (rc & 0xff) == SQLITE_IOERR && (e == ENOSPC || e == EDQUOT || e == EFBIG);
}

enum db_open_error
parts_meaning(sqlite3 *handle, int rc)
{
	if (rc == SQLITE_OK)
		return DB_OK;
	if (disk_is_full(handle, rc))
		return DB_FULL;
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return DB_LOCKED;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_NOTADB:
	case SQLITE_IOERR:
		return DB_UNREADABLE;
	default:
		return DB_BROKEN;
	}
}

const char *
parts_reason(sqlite3 *handle, int rc)
{
	/* The virtual tables' own messages quote what somebody typed; these do not. */
	if ((rc & 0xff) == SQLITE_CONSTRAINT && sqlite3_extended_errcode(handle) == rc)
		return sqlite3_errmsg(handle);
	return disk_is_full(handle, rc) ? "the disk is full" : sqlite3_errstr(rc);
}

static int
pages_copy(sqlite3 *from, sqlite3 *to, void (*step)(void *ctx, int done, int total), void *ctx)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	int rc;

	if (!b)
		return sqlite3_extended_errcode(to);
	do {
		rc = sqlite3_backup_step(b, PAGES_A_STEP);
		if (step) {
			int total = sqlite3_backup_pagecount(b);

			step(ctx, total - sqlite3_backup_remaining(b), total);
		}
	} while (rc == SQLITE_OK);
	sqlite3_backup_finish(b);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* SQLITE_OK when the one answer is "ok". */
static int
quick_check(sqlite3 *handle)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(handle, "PRAGMA quick_check(1)", -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const char *word = (const char *)sqlite3_column_text(stmt, 0);

		rc = word && !strcmp(word, "ok") ? SQLITE_OK : SQLITE_CORRUPT;
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int
copy_into(sqlite3 *from, sqlite3 *to, bool verify, void (*step)(void *ctx, int done, int total),
    void *ctx)
{
	/* A read transaction holds one state of the source, so that writers never restart the copy.
	 */
	bool held = sqlite3_get_autocommit(from) &&
		    sqlite3_exec(from, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL,
			NULL) == SQLITE_OK;
	int rc = sqlite3_exec(to,
	    "PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL; PRAGMA cache_size = -256;"
	    "PRAGMA temp_store = MEMORY",
	    NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = pages_copy(from, to, step, ctx);
	if (held)
		sqlite3_exec(from, "COMMIT", NULL, NULL, NULL);
	if (rc == SQLITE_OK && verify)
		rc = quick_check(to);
	/* One file, whole by itself: the copied header still says WAL. */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	return rc;
}

char *
parts_copy(sqlite3 *from, const char *path, const char *vfs, bool verify,
    void (*step)(void *ctx, int done, int total), void *ctx)
{
	sqlite3_vfs *disk = sqlite3_vfs_find(vfs ? vfs : "scrub");
	sqlite3 *to = NULL;
	char *why = NULL;
	int rc, fd = -1;

	disk->xDelete(disk, path, 0);
	if (parts_on_disk(vfs)) {
		fd = place_new(path);
		if (fd < 0)
			return parts_say("%s: cannot be written: %s", path, strerror(errno));
		close(fd);
	}
	rc = sqlite3_open_v2(path, &to,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, disk->zName);
	if (rc == SQLITE_OK)
		rc = copy_into(from, to, verify, step, ctx);
	if (rc != SQLITE_OK)
		why = parts_say("%s: the copy failed: %s", path, parts_reason(to, rc));
	sqlite3_close(to);
	if (why)
		disk->xDelete(disk, path, 1);
	return why;
}
