/*
 * Schemas move forward only: each named schema counts its steps in schema_version. One transaction
 * takes all of them to their ends, so that a cut leaves the old state whole.
 */
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

#include "base/memory.h"

static int
number_of(sqlite3 *handle, const char *sql, const char *text, int64_t *number)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return rc;
	if (text)
		sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*number = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
steps_of(const struct schema *schema)
{
	int n = 0;

	while (schema->steps && schema->steps[n])
		n++;
	return n;
}

static const struct schema *
schema_named(const struct schema *const *schemas, const char *name)
{
	for (; *schemas; schemas++)
		if (!strcmp((*schemas)->name, name))
			return *schemas;
	return NULL;
}

static enum db_open_error
newer(const char *path, const char *name, int has, int known, char **why)
{
	*why = parts_say("%s: was written by a newer program (schema \"%s\" has version %d, this "
			 "program knows %d); expected this version or an older one",
	    path, name, has, known);
	return DB_NEWER;
}

/* Also counts what is there, and finds what a newer program left. */
static enum db_open_error
versions_read(sqlite3 *handle, const struct db_options *o, int64_t *sum, char **why)
{
	sqlite3_stmt *stmt;
	enum db_open_error error = DB_OK;
	int64_t there = 0;
	int rc;

	*sum = 0;
	rc = number_of(handle, "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'",
	    NULL, &there);
	if (rc != SQLITE_OK || !there)
		return parts_meaning(handle, rc);
	rc = sqlite3_prepare_v2(
	    handle, "SELECT schema, version FROM schema_version", -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return DB_BROKEN;
	while (error == DB_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		int has = sqlite3_column_int(stmt, 1);
		const struct schema *schema = schema_named(o->schemas, name ? name : "");
		int known = schema ? steps_of(schema) : 0;

		if (has > known)
			error = newer(o->path, name, has, known, why);
		*sum += has;
	}
	sqlite3_finalize(stmt);
	if (error == DB_OK && rc != SQLITE_DONE)
		error = parts_meaning(handle, rc);
	return error;
}

static int
version_of(sqlite3 *handle, const struct schema *schema, int64_t *version)
{
	*version = 0;
	return number_of(
	    handle, "SELECT version FROM schema_version WHERE schema = ?", schema->name, version);
}

static int
version_keep(sqlite3 *handle, const struct schema *schema, int version)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(handle,
	    "INSERT INTO schema_version (schema, version) VALUES (?, ?)"
	    " ON CONFLICT (schema) DO UPDATE SET version = excluded.version",
	    -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_text(stmt, 1, schema->name, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 2, version);
	sqlite3_step(stmt);
	return sqlite3_finalize(stmt);
}

static enum db_open_error
schema_forward(sqlite3 *handle, const struct db_options *o, const struct schema *schema, char **why)
{
	int64_t version;
	int rc = version_of(handle, schema, &version), steps = steps_of(schema);
	char *message = NULL;

	if (rc != SQLITE_OK)
		return parts_meaning(handle, rc);
	if (version == steps)
		return DB_OK;
	for (; version < steps; version++) {
		rc = sqlite3_exec(handle, schema->steps[version], NULL, NULL, &message);
		if (rc != SQLITE_OK) {
			*why = parts_say("%s: schema \"%s\", step %d failed: %s", o->path,
			    schema->name, (int)version + 1, message ? message : sqlite3_errstr(rc));
			sqlite3_free(message);
			rc = sqlite3_extended_errcode(handle);
			return parts_meaning(handle, rc) == DB_FULL ? DB_FULL : DB_BROKEN;
		}
	}
	rc = version_keep(handle, schema, steps);
	return parts_meaning(handle, rc);
}

/* What SQLite would let slip: tables that are not strict, rows whose parent is gone. */
static enum db_open_error
rules_hold(sqlite3 *handle, const char *path, char **why)
{
	int64_t loose = 0, orphans = 0;
	int rc = number_of(handle,
	    "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
	    " AND NOT strict AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
	    NULL, &loose);

	if (rc == SQLITE_OK)
		rc = number_of(
		    handle, "SELECT count(*) FROM pragma_foreign_key_check", NULL, &orphans);
	if (rc != SQLITE_OK)
		return parts_meaning(handle, rc);
	if (!loose && !orphans)
		return DB_OK;
	*why =
	    parts_say("%s: after the migration %d tables are not STRICT and %d rows point nowhere; "
		      "expected none of both",
		path, (int)loose, (int)orphans);
	return DB_BROKEN;
}

static enum db_open_error
forward_inside(sqlite3 *handle, const struct db_options *o, char **why)
{
	enum db_open_error error = DB_OK;
	int rc = sqlite3_exec(handle,
	    "CREATE TABLE IF NOT EXISTS schema_version (schema TEXT PRIMARY KEY,"
	    " version INTEGER NOT NULL) STRICT, WITHOUT ROWID",
	    NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return parts_meaning(handle, rc);
	for (int i = 0; error == DB_OK && o->schemas[i]; i++)
		error = schema_forward(handle, o, o->schemas[i], why);
	return error == DB_OK ? rules_hold(handle, o->path, why) : error;
}

static bool
is_behind(sqlite3 *handle, const struct db_options *o)
{
	int64_t version;

	for (int i = 0; o->schemas[i]; i++)
		if (version_of(handle, o->schemas[i], &version) != SQLITE_OK ||
		    version < steps_of(o->schemas[i]))
			return true;
	return false;
}

/* Earlier copies hold what people have erased since: only the newest stays. */
static void
old_backups_delete(const char *path, const char *keep)
{
	sqlite3_vfs *disk = sqlite3_vfs_find("scrub");
	char *folder_of = memory_string(path), *name_of = memory_string(path), full[PATH_MAX];
	const char *folder = dirname(folder_of), *name = basename(name_of);
	size_t length = strlen(name);
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (strncmp(e->d_name, name, length) || strncmp(e->d_name + length, ".before-", 8))
			continue;
		snprintf(full, sizeof(full), "%s/%s", folder, e->d_name);
		if (strcmp(e->d_name, strrchr(keep, '/') ? strrchr(keep, '/') + 1 : keep))
			disk->xDelete(disk, full, 1);
	}
	if (dir)
		closedir(dir);
	free(folder_of);
	free(name_of);
}

static enum db_open_error
backup_first(sqlite3 *handle, const struct db_options *o, int64_t sum, char **why)
{
	char *path = parts_say("%s.before-%lld", o->path, (long long)sum);

	*why = parts_copy(handle, path, o->vfs, false, NULL, NULL);
	if (!*why && parts_on_disk(o->vfs))
		old_backups_delete(o->path, path);
	free(path);
	return *why ? DB_BROKEN : DB_OK;
}

static enum db_open_error
forward(sqlite3 *handle, const struct db_options *o, char **why)
{
	enum db_open_error error;
	int rc;

	/* Off as SQLite advises for tables that are rebuilt; rules_hold looks at the end. */
	rc = sqlite3_exec(handle, "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return parts_meaning(handle, rc);
	error = forward_inside(handle, o, why);
	if (error == DB_OK) {
		rc = sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL);
		error = parts_meaning(handle, rc);
	}
	if (error != DB_OK && !*why)
		*why = parts_say("%s: the migration failed: %s", o->path,
		    parts_reason(handle, sqlite3_extended_errcode(handle)));
	if (error != DB_OK && !sqlite3_get_autocommit(handle))
		sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_exec(handle, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
	return error;
}

enum db_open_error
migrate_forward(sqlite3 *handle, const struct db_options *o, char **why)
{
	int64_t sum;
	enum db_open_error error = versions_read(handle, o, &sum, why);

	if (error != DB_OK) {
		if (!*why)
			*why = parts_say("%s: its versions cannot be read: %s", o->path,
			    parts_reason(handle, sqlite3_extended_errcode(handle)));
		return error;
	}
	if (!is_behind(handle, o))
		return DB_OK;
	if (o->read_only) {
		*why =
		    parts_say("%s: was written by an older program; expected that the service has "
			      "been started once since the upgrade",
			o->path);
		return DB_UNREADABLE;
	}
	if (sum)
		error = backup_first(handle, o, sum, why);
	return error == DB_OK ? forward(handle, o, why) : error;
}
