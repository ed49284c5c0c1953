/*
 * The state as it stands, held still for a backup. With an empty WAL a reader takes everything from
 * the main file, and no checkpoint may write there while it reads (SQLite's WAL format, §2.3.1): so
 * the file is one consistent whole for as long, and the service goes on writing into the WAL.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "parts.h"

static bool
wal_is_empty(const char *path)
{
	char *wal = parts_say("%s-wal", path);
	struct stat st;
	bool empty = stat(wal, &st) || st.st_size == 0;

	free(wal);
	return empty;
}

struct db *
db_hold(struct db *db)
{
	static struct sql look = {"SELECT count(*) FROM sqlite_schema", 0};
	struct db *held;

	if (!db_checkpoint(db))
		return NULL;
	held = db_open_reader(db);
	if (!held)
		return NULL;
	db_begin(held);
	db_number(held, &look, NONE, 0);
	if (!db_failed(held) && wal_is_empty(parts_path(db)))
		return held;
	db_close(held);
	return NULL;
}

/* Through SQLite's own descriptor: closing another one would take its locks away. */
static sqlite3_file *
file_of(struct db *held)
{
	sqlite3_file *file = NULL;

	sqlite3_file_control(parts_handle(held), "main", SQLITE_FCNTL_FILE_POINTER, &file);
	return file;
}

int64_t
db_held_bytes(struct db *held)
{
	sqlite3_file *file = file_of(held);
	sqlite3_int64 size = 0;

	if (!file || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		return -1;
	return size;
}

bool
db_held_read(struct db *held, void *bytes, size_t length, int64_t at)
{
	sqlite3_file *file = file_of(held);

	return file && file->pMethods->xRead(file, bytes, (int)length, at) == SQLITE_OK;
}

const char *
db_held_damage(struct db *held)
{
	static struct sql quick = {"PRAGMA quick_check(1)", 0};
	static struct sql orphans = {"SELECT count(*) FROM pragma_foreign_key_check", 0};
	const char *word = db_string(held, &quick, NONE);

	if (!word || strcmp(word, "ok"))
		return "the database in it is damaged";
	return db_number(held, &orphans, NONE, 1) ? "rows point nowhere" : NULL;
}
