/* What the files of the store share; nobody else includes this. */
#ifndef STORE_PARTS_H
#define STORE_PARTS_H

#include <sqlite3.h>
#include <stdbool.h>

#include "store/db.h"

/* A sentence of its own memory; free() it. */
char *parts_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What an error of SQLite means for somebody who opens a database. */
enum db_open_error parts_meaning(sqlite3 *handle, int rc);
/* Why, in words that hold no data: SQLite quotes only names of the schema in these. */
const char *parts_reason(sqlite3 *handle, int rc);
/* True when PATH stands on the real disk: then there is a lock, a mode, a folder to look at. */
bool parts_on_disk(const char *vfs);

/* Of an open database: SQLite's handle, and where it lies. */
sqlite3 *parts_handle(struct db *db);
const char *parts_path(const struct db *db);

/* The folder that shall hold the state is there. */
enum db_open_error lock_folder(const char *path, char **why);
/* Takes the lock of the state at `path` into *lock_fd (close() gives it back), and makes the file so that only this
 * user may ever read it. A service holds a lock for good, a command such as `status` for a moment, which is waited. */
enum db_open_error lock_take(const char *path, int *lock_fd, char **why);

/* Copies all of `from` into a new file, its pages synced before it returns; what stood at `path`
 * is gone, scrubbed. With `verify` the copy is read back. NULL, or why not (free() it). */
char *parts_copy(sqlite3 *from, const char *path, const char *vfs, bool verify,
    void (*step)(void *ctx, int done, int total), void *ctx);

/* Brings every schema to its last version in one transaction, or leaves all as it was. */
enum db_open_error migrate_forward(sqlite3 *handle, const struct db_options *options, char **why);

/* Registers a scrubbing VFS ("scrub") over another one ("unix"); again is harmless. */
void scrub_vfs_register(const char *name, const char *under);

#endif
