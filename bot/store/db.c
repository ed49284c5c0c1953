#include "store/db.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"

#include "base/arena.h"
#include "base/memory.h"

enum {
	CACHE_KIB = 1536, /* of the connection that writes */
	READER_CACHE_KIB = 384,
	CHECKPOINT_PAGES = 3000, /* 12 MB of WAL: rare enough not to show in the 99th percentile */
	WAL_KEPT_BYTES = 14000000, /* a longer WAL is cut back after its checkpoint */
	BUSY_MS = 2000,		   /* another process only looks, and shortly */
	REASON_BYTES = 256,
	SQL_SHOWN_BYTES = 80,
};

/* A prepared statement, and at the same time the rows it is giving. */
struct rows {
	struct db *db;
	sqlite3_stmt *stmt;
	struct sql *sql;
	struct rows *again;	    /* another instance of the same statement */
	struct rows *before, *next; /* among the open ones */
	int values;
	bool open, on_row, writes;
};

struct db {
	sqlite3 *handle;
	struct rows **slots; /* by sql->slot; each the first of its instances */
	int slot_count;
	struct rows *open;
	struct rows nothing; /* what a query gives once something failed */
	struct arena *arena, *own_arena;
	bool failed;
	bool lost; /* SQLite rolled the whole transaction back by itself */
	bool dead; /* a commit of unknown outcome: nothing goes any more */
	int depth, failed_depth;
	char reason[REASON_BYTES];
	bool read_only;
	int lock_fd;
	char *path, *vfs;
	const char *preparing;
	void (*seen)(void *ctx, const char *sql, const char *table, const char *column, bool write);
	void *seen_ctx;
};

static struct sql begin_writing = {"BEGIN IMMEDIATE", 0};
static struct sql begin_reading = {"BEGIN", 0};
static struct sql commit = {"COMMIT", 0};
static struct sql rollback = {"ROLLBACK", 0};
static struct sql savepoint = {"SAVEPOINT turn", 0};
static struct sql savepoint_release = {"RELEASE turn", 0};
static struct sql savepoint_back = {"ROLLBACK TO turn", 0};

struct value
value_integer(int64_t integer)
{
	return (struct value){.kind = VALUE_INTEGER, .integer = integer};
}

struct value
value_real(double real)
{
	return (struct value){.kind = VALUE_REAL, .real = real};
}

struct value
value_text(const char *text)
{
	return (struct value){
	    .kind = VALUE_TEXT,
	    .blob = {text, text ? strlen(text) : 0},
	};
}

struct value
value_blob(struct blob blob)
{
	return (struct value){.kind = VALUE_BLOB, .blob = blob};
}

struct value
value_same(struct value value)
{
	return value;
}

/* ---- failures ---- */

static void
failure_keep(struct db *db, const char *reason, const char *sql)
{
	if (db->failed)
		return;
	db->failed = true;
	db->failed_depth = db->depth;
	if (sql)
		snprintf(db->reason, sizeof(db->reason), "%.150s, in: %.*s", reason,
		    SQL_SHOWN_BYTES, sql);
	else
		snprintf(db->reason, sizeof(db->reason), "%s", reason);
}

static void
failure(struct db *db, const char *sql, int rc)
{
	failure_keep(db, parts_reason(db->handle, rc), sql);
}

static void
failure_clear(struct db *db)
{
	db->failed = db->lost = false;
	db->reason[0] = 0;
}

bool
db_failed(const struct db *db)
{
	return db->failed;
}

const char *
db_failure(const struct db *db)
{
	return db->failed ? db->reason : NULL;
}

void
db_fail(struct db *db, const char *reason)
{
	failure_keep(db, reason, NULL);
}

/* ---- statements ---- */

static int
slot_of(struct sql *sql)
{
	static atomic_int given;
	int slot = __atomic_load_n(&sql->slot, __ATOMIC_ACQUIRE), none = 0;

	if (slot)
		return slot;
	slot = atomic_fetch_add(&given, 1) + 1;
	/* A reader's thread may have been faster. */
	if (!__atomic_compare_exchange_n(
		&sql->slot, &none, slot, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		slot = none;
	return slot;
}

static sqlite3_stmt *
prepare(struct db *db, const char *text, unsigned flags, const char **why)
{
	const char *rest = NULL;
	sqlite3_stmt *stmt = NULL;
	int rc;

	db->preparing = text;
	rc = sqlite3_prepare_v3(db->handle, text, -1, flags, &stmt, &rest);
	db->preparing = NULL;
	/* The texts of statements are constants, so this message holds no data. */
	*why = rc != SQLITE_OK ? sqlite3_errmsg(db->handle) : NULL;
	if (!*why && (!stmt || rest[strspn(rest, " \t\n;")])) {
		*why = "not exactly one statement";
		sqlite3_finalize(stmt);
		stmt = NULL;
	}
	return stmt;
}

static void
slots_grow(struct db *db, int slot)
{
	int room = slot + 64;

	db->slots = memory_resize(db->slots, (size_t)room * sizeof(struct rows *));
	memset(
	    db->slots + db->slot_count, 0, (size_t)(room - db->slot_count) * sizeof(struct rows *));
	db->slot_count = room;
}

static struct rows *
statement_new(struct db *db, struct sql *sql)
{
	int slot = slot_of(sql);
	const char *why;
	sqlite3_stmt *stmt = prepare(db, sql->text, SQLITE_PREPARE_PERSISTENT, &why);
	struct rows *r;

	if (!stmt) {
		failure_keep(db, why, sql->text);
		return NULL;
	}
	if (slot >= db->slot_count)
		slots_grow(db, slot);
	r = memory_new(sizeof(*r));
	*r = (struct rows){
	    .db = db,
	    .stmt = stmt,
	    .sql = sql,
	    .values = sqlite3_bind_parameter_count(stmt),
	    .writes = !sqlite3_stmt_readonly(stmt),
	    .again = db->slots[slot],
	};
	db->slots[slot] = r;
	return r;
}

/* An instance nobody is reading from. */
static inline struct rows *
statement(struct db *db, struct sql *sql)
{
	int slot = __atomic_load_n(&sql->slot, __ATOMIC_RELAXED);
	struct rows *r = slot < db->slot_count && slot ? db->slots[slot] : NULL;

	while (r && r->open)
		r = r->again;
	return r ? r : statement_new(db, sql);
}

static int
bind_one(struct rows *r, int i, const struct value *v)
{
	switch (v->kind) {
	case VALUE_INTEGER:
		return sqlite3_bind_int64(r->stmt, i, v->integer);
	case VALUE_REAL:
		return sqlite3_bind_double(r->stmt, i, v->real);
	case VALUE_TEXT:
		if (v->blob.bytes)
			return sqlite3_bind_text64(
			    r->stmt, i, v->blob.bytes, v->blob.length, SQLITE_STATIC, SQLITE_UTF8);
		return sqlite3_bind_null(r->stmt, i);
	case VALUE_BLOB:
		if (v->blob.bytes)
			return sqlite3_bind_blob64(
			    r->stmt, i, v->blob.bytes, v->blob.length, SQLITE_STATIC);
		return sqlite3_bind_null(r->stmt, i);
	case VALUE_NULL:
	case VALUE_END:
		break;
	}
	return sqlite3_bind_null(r->stmt, i);
}

/* Every ? gets its value, so nothing of an earlier use can stay. The bytes are not copied. */
static bool
bind_all(struct rows *r, const struct value *values)
{
	int n = 0, rc = SQLITE_OK;

	for (; values[n].kind != VALUE_END && rc == SQLITE_OK; n++)
		rc = n < r->values ? bind_one(r, n + 1, &values[n]) : SQLITE_RANGE;
	if (rc == SQLITE_OK && n == r->values)
		return true;
	if (rc == SQLITE_OK || rc == SQLITE_RANGE)
		failure_keep(r->db, "as many values as there are ? were expected", r->sql->text);
	else
		failure(r->db, r->sql->text, rc);
	return false;
}

static struct rows *
bound(struct db *db, struct sql *sql, const struct value *values)
{
	struct rows *r;

	if (db->failed)
		return NULL;
	r = statement(db, sql);
	return r && bind_all(r, values) ? r : NULL;
}

/* SQLITE_ROW, SQLITE_DONE, or 0 with the failure kept. */
static int
step(struct rows *r)
{
	int rc = sqlite3_step(r->stmt);

	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return rc;
	failure(r->db, r->sql->text, sqlite3_extended_errcode(r->db->handle));
	if (r->db->depth && sqlite3_get_autocommit(r->db->handle))
		r->db->lost = true;
	return 0;
}

static void
rows_end(struct rows *r)
{
	sqlite3_reset(r->stmt);
	r->on_row = false;
	if (!r->open)
		return;
	r->open = false;
	if (r->before)
		r->before->next = r->next;
	else
		r->db->open = r->next;
	if (r->next)
		r->next->before = r->before;
}

void
db_rows_end(struct db *db)
{
	while (db->open)
		rows_end(db->open);
}

/* ---- asking ---- */

static struct arena *
arena_of(struct db *db)
{
	if (db->arena)
		return db->arena;
	if (!db->own_arena)
		db->own_arena = arena_new();
	return db->own_arena;
}

/* The rows outlive the caller's block, so what they are bound to goes to the arena. */
static void
texts_keep(struct rows *r, const struct value *values)
{
	for (int i = 0; values[i].kind != VALUE_END; i++) {
		struct value v = values[i];

		if ((v.kind != VALUE_TEXT && v.kind != VALUE_BLOB) || !v.blob.bytes)
			continue;
		v.blob.bytes = arena_copy(arena_of(r->db), v.blob.bytes, v.blob.length);
		bind_one(r, i + 1, &v);
	}
}

struct rows *
db_query(struct db *db, struct sql *sql, const struct value *values)
{
	struct rows *r = bound(db, sql, values);

	if (!r)
		return &db->nothing;
	texts_keep(r, values);
	r->open = true;
	r->before = NULL;
	r->next = db->open;
	if (db->open)
		db->open->before = r;
	db->open = r;
	return r;
}

bool
db_next(struct rows *r)
{
	if (!r->open)
		return false;
	if (!r->db->failed && step(r) == SQLITE_ROW) {
		r->on_row = true;
		return true;
	}
	rows_end(r);
	return false;
}

void
db_done(struct rows *r)
{
	if (r->open)
		rows_end(r);
}

int64_t
db_int(struct rows *r, int column)
{
	return r->on_row ? sqlite3_column_int64(r->stmt, column) : 0;
}

double
db_real(struct rows *r, int column)
{
	return r->on_row ? sqlite3_column_double(r->stmt, column) : 0;
}

static const char *
column_text(struct rows *r, int column)
{
	const unsigned char *text = sqlite3_column_text(r->stmt, column);

	if (!text)
		return NULL;
	return arena_copy(arena_of(r->db), text, (size_t)sqlite3_column_bytes(r->stmt, column));
}

const char *
db_text(struct rows *r, int column)
{
	return r->on_row ? column_text(r, column) : NULL;
}

struct blob
db_blob(struct rows *r, int column)
{
	struct blob b = {NULL, 0};
	const void *bytes;

	if (!r->on_row || sqlite3_column_type(r->stmt, column) == SQLITE_NULL)
		return b;
	bytes = sqlite3_column_blob(r->stmt, column);
	b.length = (size_t)sqlite3_column_bytes(r->stmt, column);
	/* An empty blob is not NULL, though SQLite has no address for it. */
	b.bytes = arena_copy(arena_of(r->db), bytes, b.length);
	return b;
}

bool
db_is_null(struct rows *r, int column)
{
	return !r->on_row || sqlite3_column_type(r->stmt, column) == SQLITE_NULL;
}

int64_t
db_run(struct db *db, struct sql *sql, const struct value *values)
{
	struct rows *r = bound(db, sql, values);
	int64_t changes = 0;

	if (!r)
		return 0;
	if (step(r) && r->writes)
		changes = sqlite3_changes64(db->handle);
	sqlite3_reset(r->stmt);
	return changes;
}

int64_t
db_insert(struct db *db, struct sql *sql, const struct value *values)
{
	struct rows *r = bound(db, sql, values);
	int64_t id = 0;

	if (!r)
		return 0;
	if (step(r) && sqlite3_changes64(db->handle))
		id = sqlite3_last_insert_rowid(db->handle);
	sqlite3_reset(r->stmt);
	return id;
}

int64_t
db_number(struct db *db, struct sql *sql, const struct value *values, int64_t otherwise)
{
	struct rows *r = bound(db, sql, values);

	if (!r)
		return otherwise;
	if (step(r) == SQLITE_ROW && sqlite3_column_type(r->stmt, 0) != SQLITE_NULL)
		otherwise = sqlite3_column_int64(r->stmt, 0);
	sqlite3_reset(r->stmt);
	return otherwise;
}

const char *
db_string(struct db *db, struct sql *sql, const struct value *values)
{
	struct rows *r = bound(db, sql, values);
	const char *text = NULL;

	if (!r)
		return NULL;
	if (step(r) == SQLITE_ROW)
		text = column_text(r, 0);
	sqlite3_reset(r->stmt);
	return text;
}

bool
db_exists(struct db *db, struct sql *sql, const struct value *values)
{
	struct rows *r = bound(db, sql, values);
	bool exists;

	if (!r)
		return false;
	exists = step(r) == SQLITE_ROW;
	sqlite3_reset(r->stmt);
	return exists;
}

/* ---- transactions ---- */

/* Runs one of the store's own statements, whatever failed before; SQLite's result. */
static int
control(struct db *db, struct sql *sql)
{
	struct rows *r = statement(db, sql);
	int rc;

	if (!r)
		return SQLITE_NOMEM;
	rc = sqlite3_step(r->stmt);
	if (rc != SQLITE_DONE)
		rc = sqlite3_extended_errcode(db->handle);
	sqlite3_reset(r->stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void
db_arena(struct db *db, struct arena *arena)
{
	db->arena = arena;
}

struct arena *
db_arena_now(struct db *db)
{
	return arena_of(db);
}

void
db_begin(struct db *db)
{
	int rc;

	if (db->dead)
		return;
	db_rows_end(db);
	failure_clear(db);
	db->depth = 0;
	if (db->own_arena)
		arena_forget(db->own_arena);
	rc = control(db, db->read_only ? &begin_reading : &begin_writing);
	db->depth = 1;
	if (rc == SQLITE_OK)
		return;
	failure(db, "BEGIN", rc);
	db->lost = true;
}

void
db_rollback(struct db *db)
{
	db_rows_end(db);
	if (db->dead)
		return;
	if (!sqlite3_get_autocommit(db->handle))
		control(db, &rollback);
	failure_clear(db);
	db->depth = 0;
}

bool
db_commit(struct db *db)
{
	int rc;

	db_rows_end(db);
	if (db->failed) {
		db_rollback(db);
		return false;
	}
	rc = control(db, &commit);
	db->depth = 0;
	if (rc == SQLITE_OK)
		return true;
	failure(db, "COMMIT", rc);
	db->dead = true;
	/* What the WAL holds is for the next start to judge. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return false;
}

/* What failed outside of this savepoint: then there is none in the database either. */
static bool
failed_outside(const struct db *db)
{
	return db->failed && (db->lost || db->dead || db->failed_depth < db->depth);
}

void
db_savepoint(struct db *db)
{
	int rc;

	db_rows_end(db);
	if (!db->failed) {
		rc = control(db, &savepoint);
		if (rc != SQLITE_OK)
			failure(db, "SAVEPOINT", rc);
	}
	db->depth++;
}

static void
savepoint_away(struct db *db)
{
	int rc = control(db, &savepoint_back);

	if (rc == SQLITE_OK)
		rc = control(db, &savepoint_release);
	db->depth--;
	failure_clear(db);
	if (rc == SQLITE_OK)
		return;
	failure(db, "ROLLBACK TO", rc);
	db->lost = true;
}

void
db_savepoint_keep(struct db *db)
{
	char reason[REASON_BYTES];
	int rc;

	db_rows_end(db);
	if (failed_outside(db)) {
		db->depth--;
	} else if (db->failed) {
		/* Nobody looked: half a turn must not be kept, so the whole batch fails. */
		memcpy(reason, db->reason, sizeof(reason));
		savepoint_away(db);
		failure_keep(db, reason, NULL);
	} else {
		rc = control(db, &savepoint_release);
		db->depth--;
		if (rc != SQLITE_OK)
			failure(db, "RELEASE", rc);
	}
}

void
db_savepoint_undo(struct db *db)
{
	db_rows_end(db);
	if (failed_outside(db))
		db->depth--;
	else
		savepoint_away(db);
}

/* ---- opening ---- */

static void
library_start(void)
{
	/* Statistics of memory cost a mutex at every allocation. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
	sqlite3_initialize();
	scrub_vfs_register("scrub", "unix");
}

static int
settings(struct db *db, const struct db_options *o)
{
	char text[640];

	sqlite3_busy_timeout(db->handle, BUSY_MS);
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	snprintf(text, sizeof(text),
	    "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cache_size = -%d;"
	    "PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; PRAGMA synchronous = %s; %s",
	    o->read_only ? READER_CACHE_KIB : CACHE_KIB, o->synchronous_normal ? "NORMAL" : "FULL",
	    o->read_only ? "PRAGMA query_only = ON; SELECT 1 FROM sqlite_schema LIMIT 1" : "");
	return sqlite3_exec(db->handle, text, NULL, NULL, NULL);
}

static int
settings_of_writer(struct db *db, const struct db_options *o)
{
	char text[160];

	snprintf(text, sizeof(text),
	    "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = %d;"
	    "PRAGMA journal_size_limit = %d; SELECT 1 FROM sqlite_schema LIMIT 1",
	    o->checkpoint_pages ? o->checkpoint_pages : CHECKPOINT_PAGES, WAL_KEPT_BYTES);
	return sqlite3_exec(db->handle, text, NULL, NULL, NULL);
}

static enum db_open_error
handle_open(struct db *db, const struct db_options *o, char **why)
{
	int flags =
	    o->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	enum db_open_error error;
	int rc = sqlite3_open_v2(db->path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, db->vfs);

	if (rc == SQLITE_OK)
		rc = settings(db, o);
	if (rc == SQLITE_OK && !o->read_only)
		rc = settings_of_writer(db, o);
	if (rc == SQLITE_OK)
		return DB_OK;
	rc = sqlite3_extended_errcode(db->handle);
	error = parts_meaning(db->handle, rc);
	*why = parts_say("%s: cannot be opened: %s; expected %s", db->path,
	    parts_reason(db->handle, rc),
	    error == DB_FULL ? "room on the disk" : "a database of this program");
	return error;
}

static enum db_open_error
open_into(struct db *db, const struct db_options *o, char **why)
{
	enum db_open_error error = DB_OK;

	if (parts_on_disk(o->vfs)) {
		error = lock_folder(o->path, why);
		if (error == DB_OK && !o->read_only)
			error = lock_take(db->path, &db->lock_fd, why);
	}
	if (error == DB_OK)
		error = handle_open(db, o, why);
	if (error == DB_OK && o->schemas)
		error = migrate_forward(db->handle, o, why);
	/* From here on no statement may touch the schema's own pages. */
	if (error == DB_OK)
		sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return error;
}

enum db_open_error
db_open(struct db **out, const struct db_options *o, char **why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct db *db = memory_new(sizeof(*db));
	enum db_open_error error;
	char *ignored = NULL;

	pthread_once(&once, library_start);
	if (!why)
		why = &ignored;
	*why = NULL;
	db->lock_fd = -1;
	db->nothing.db = db;
	db->read_only = o->read_only;
	db->path = memory_string(o->path);
	db->vfs = memory_string(o->vfs ? o->vfs : "scrub");
	error = open_into(db, o, why);
	if (error != DB_OK) {
		db_close(db);
		db = NULL;
	}
	free(ignored);
	*out = db;
	return error;
}

sqlite3 *
parts_handle(struct db *db)
{
	return db->handle;
}

const char *
parts_path(const struct db *db)
{
	return db->path;
}

const char *
db_library(void)
{
	return sqlite3_libversion();
}

struct db *
db_open_reader(struct db *db)
{
	struct db_options o = {.path = db->path, .vfs = db->vfs, .read_only = true};
	struct db *reader;

	return db_open(&reader, &o, NULL) == DB_OK ? reader : NULL;
}

void
db_close(struct db *db)
{
	struct rows *r, *again;

	if (!db)
		return;
	for (int i = 0; i < db->slot_count; i++)
		for (r = db->slots[i]; r; r = again) {
			again = r->again;
			sqlite3_finalize(r->stmt);
			free(r);
		}
	sqlite3_close(db->handle);
	/* The lock goes last: whoever gets it finds everything in order. */
	if (db->lock_fd >= 0)
		close(db->lock_fd);
	arena_free(db->own_arena);
	free(db->slots);
	free(db->path);
	free(db->vfs);
	free(db);
}

/* ---- looking at it ---- */

const char *
db_check(struct db *db, struct sql *sql)
{
	const char *why;
	sqlite3_stmt *stmt = prepare(db, sql->text, 0, &why);

	slot_of(sql);
	if (!stmt)
		return arena_print(arena_of(db), "%s, in: %s", why, sql->text);
	sqlite3_finalize(stmt);
	return NULL;
}

static int
authorize(
    void *ctx, int action, const char *a, const char *b, const char *schema, const char *trigger)
{
	struct db *db = ctx;
	bool write = action == SQLITE_INSERT || action == SQLITE_UPDATE || action == SQLITE_DELETE;

	(void)schema;
	(void)trigger;
	if (db->seen && db->preparing && (write || action == SQLITE_READ))
		db->seen(db->seen_ctx, db->preparing, a ? a : "", b ? b : "", write);
	return SQLITE_OK;
}

void
db_watch(struct db *db,
    void (*seen)(void *ctx, const char *sql, const char *table, const char *column, bool write),
    void *ctx)
{
	db->seen = seen;
	db->seen_ctx = ctx;
	sqlite3_set_authorizer(db->handle, seen ? authorize : NULL, db);
}

void
db_columns(struct db *db, void (*each)(void *ctx, const char *table, const char *column), void *ctx)
{
	static struct sql columns = {
	    "SELECT t.name, c.name FROM pragma_table_list t, pragma_table_xinfo(t.name) c"
	    " WHERE t.schema = 'main' AND t.type IN ('table', 'virtual') AND c.hidden <> 1"
	    " AND t.name <> 'schema_version' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
	    " ORDER BY t.name, c.cid",
	    0,
	};
	struct rows *r = db_query(db, &columns, NONE);

	while (db_next(r))
		each(ctx, db_text(r, 0), db_text(r, 1));
}

int64_t
db_schema_version(struct db *db)
{
	static struct sql there = {"SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'", 0};
	static struct sql sum = {"SELECT sum(version) FROM schema_version", 0};

	return db_exists(db, &there, NONE) ? db_number(db, &sum, NONE, 0) : 0;
}

char *
db_copy_to(
    struct db *db, const char *path, void (*step_done)(void *ctx, int done, int total), void *ctx)
{
	return parts_copy(db->handle, path, db->vfs, true, step_done, ctx);
}

bool
db_checkpoint(struct db *db)
{
	int rc, log = 0, moved = 0;

	db_rows_end(db);
	if (db->dead || !sqlite3_get_autocommit(db->handle))
		return false;
	/* Whoever is reading is not waited for: the caller comes again later. */
	sqlite3_busy_timeout(db->handle, 0);
	rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, &log, &moved);
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	return rc == SQLITE_OK;
}
