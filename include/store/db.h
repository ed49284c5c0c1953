/*
 * The database: the only door to SQLite. One connection on the loop's thread; long work opens a
 * read connection of its own (db_open_reader).
 *
 * Errors are sticky: after the first failure in a transaction every call answers "nothing" and
 * db_commit refuses; the engine looks once, with db_failed. So callers need no error ladders.
 * Texts and blobs that come out are copied into the arena given with db_arena and live as long;
 * without one, into an arena of the db's own that the next db_begin empties.
 * What was bound is read while the call runs; db_query copies it, so it may change afterwards.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct rows;

/* One statement: declare it `static struct sql x = {"SELECT ..."};` and put it into the feature's
 * list, so that `check` and the start prepare it. `slot` belongs to the store. */
struct sql {
	const char *text;
	int slot;
};

struct blob {
	const void *bytes;
	size_t length;
};

enum value_kind { VALUE_END, VALUE_NULL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT, VALUE_BLOB };

struct value {
	enum value_kind kind;
	int64_t integer;
	double real;
	struct blob blob; /* VALUE_TEXT too; NULL bytes bind NULL */
};

struct value value_integer(int64_t integer);
struct value value_real(double real);
struct value value_text(const char *text); /* NULL is SQL's NULL */
struct value value_blob(struct blob blob);
struct value value_same(struct value value);

#define VALUE_OF(x) \
	_Generic((x),                                                                              \
	    char *: value_text,                                                                    \
	    const char *: value_text,                                                              \
	    struct blob: value_blob,                                                               \
	    struct value: value_same,                                                              \
	    double: value_real,                                                                    \
	    default: value_integer)(x)
#define VALUES_1(a) VALUE_OF(a)
#define VALUES_2(a, ...) VALUE_OF(a), VALUES_1(__VA_ARGS__)
#define VALUES_3(a, ...) VALUE_OF(a), VALUES_2(__VA_ARGS__)
#define VALUES_4(a, ...) VALUE_OF(a), VALUES_3(__VA_ARGS__)
#define VALUES_5(a, ...) VALUE_OF(a), VALUES_4(__VA_ARGS__)
#define VALUES_6(a, ...) VALUE_OF(a), VALUES_5(__VA_ARGS__)
#define VALUES_7(a, ...) VALUE_OF(a), VALUES_6(__VA_ARGS__)
#define VALUES_8(a, ...) VALUE_OF(a), VALUES_7(__VA_ARGS__)
#define VALUES_9(a, ...) VALUE_OF(a), VALUES_8(__VA_ARGS__)
#define VALUES_10(a, ...) VALUE_OF(a), VALUES_9(__VA_ARGS__)
#define VALUES_11(a, ...) VALUE_OF(a), VALUES_10(__VA_ARGS__)
#define VALUES_12(a, ...) VALUE_OF(a), VALUES_11(__VA_ARGS__)
#define VALUES_13(a, ...) VALUE_OF(a), VALUES_12(__VA_ARGS__)
#define VALUES_14(a, ...) VALUE_OF(a), VALUES_13(__VA_ARGS__)
#define VALUES_15(a, ...) VALUE_OF(a), VALUES_14(__VA_ARGS__)
#define VALUES_16(a, ...) VALUE_OF(a), VALUES_15(__VA_ARGS__)
#define VALUES_17(a, ...) VALUE_OF(a), VALUES_16(__VA_ARGS__)
#define VALUES_18(a, ...) VALUE_OF(a), VALUES_17(__VA_ARGS__)
#define VALUES_19(a, ...) VALUE_OF(a), VALUES_18(__VA_ARGS__)
#define VALUES_20(a, ...) VALUE_OF(a), VALUES_19(__VA_ARGS__)
#define VALUES_21(a, ...) VALUE_OF(a), VALUES_20(__VA_ARGS__)
#define VALUES_22(a, ...) VALUE_OF(a), VALUES_21(__VA_ARGS__)
#define VALUES_23(a, ...) VALUE_OF(a), VALUES_22(__VA_ARGS__)
#define VALUES_24(a, ...) VALUE_OF(a), VALUES_23(__VA_ARGS__)
#define VALUES_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, \
    _18, _19, _20, _21, _22, _23, _24, name, ...) \
	name
/* V(person, "text", 3): the values of a statement's ?, at most 24. NONE: no values. */
#define V(...) \
	((const struct value[]){ \
	    VALUES_PICK(__VA_ARGS__, VALUES_24, VALUES_23, VALUES_22, VALUES_21, VALUES_20, \
		VALUES_19, VALUES_18, VALUES_17, VALUES_16, VALUES_15, VALUES_14, VALUES_13, \
		VALUES_12, VALUES_11, VALUES_10, VALUES_9, VALUES_8, VALUES_7, VALUES_6, VALUES_5, \
		VALUES_4, VALUES_3, VALUES_2, VALUES_1)(__VA_ARGS__), \
	    {.kind = VALUE_END}})
#define NONE ((const struct value[]){{.kind = VALUE_END}})
#define VNULL ((struct value){.kind = VALUE_NULL})

/* How a column's content ends. */
enum eraser {
	NOT_PERSONAL, /* nothing about a person */
	WITH_PERSON,  /* the row goes with its person (ON DELETE CASCADE, or the feature's erase) */
	KEY_GONE,  /* sealed under the person's key: unreadable once the key slot is overwritten */
	WHEN_DONE, /* set to NULL or deleted as soon as the work is done */
	AFTER_RETENTION, /* a retention job deletes it */
	KEYED_HASH,	 /* only a keyed hash: outlives the person on purpose, tells nothing */
};

/* One declared column; a test fails on a column of the schema that nobody declares. */
struct column {
	const char *name;      /* "table.column" */
	const char *purpose;   /* why it is there, one plain English clause */
	const char *retention; /* "membership", "until delivered", "[retention] event days" ... */
	enum eraser eraser;
	bool another; /* would tell the one whose row it is of others: no export shows it */
};

/* A part of the schema that one file owns. `steps[i]` brings version i to i+1; several statements
 * with semicolons may stand in one step; STRICT tables only. Foreign keys are off while steps run
 * (tables may be rebuilt) and checked before the commit. Steps are never edited once released. */
struct schema {
	const char *name;
	const char *const *steps;     /* NULL-terminated */
	const struct column *columns; /* ended by a NULL name */
};

enum db_open_error {
	DB_OK,
	DB_MISSING_FOLDER,
	DB_UNREADABLE, /* no permission, read-only, not a database */
	DB_LOCKED,     /* another process holds the state */
	DB_NEWER,      /* written by a newer program */
	DB_BROKEN,     /* damaged, or a migration failed */
	DB_FULL,
};

struct db_options {
	const char *path;
	const char *vfs;	 /* NULL: the scrubbing one */
	bool read_only;		 /* for `status` and readers: takes no lock, migrates nothing */
	bool synchronous_normal; /* a control of the simulator only */
	int checkpoint_pages;	 /* 0: the default; the simulator wants many checkpoints */
	const struct schema *const *schemas; /* NULL-terminated; NULL: migrate nothing */
};

/* Opens, takes the lock (an flock on PATH.lock), migrates forward after writing a backup beside
 * the file (PATH.before-N, of the last migration only). On an error *why is a sentence that
 * names the file and what was expected; free() it. */
enum db_open_error db_open(struct db **db, const struct db_options *options, char **why);
/* False: another process holds the lock of that state. */
bool db_is_free(const char *path);
/* Holds a state that is not opened, until the descriptor is closed; -1 and *why when another does. */
int db_lock(const char *path, char **why);
/* The version of SQLite. */
const char *db_library(void);
/* A second, read-only connection for a thread; NULL when it cannot be had. */
struct db *db_open_reader(struct db *db);
void db_close(struct db *db);
/* Where texts and blobs of rows are copied; the engine sets it for each turn. */
void db_arena(struct db *db, struct arena *arena);
struct arena *db_arena_now(struct db *db);

void db_begin(struct db *db);
/* Ask db_failed first: after a failure it refuses (false, rolled back, the failure cleared).
 * Otherwise false with db_failed still true: unknown whether it is durable; everything answers
 * nothing from then on, and the process must end and look again (RELIABILITY.md §1). */
bool db_commit(struct db *db);
void db_rollback(struct db *db);
/* A turn inside its batch; another level inside of that is allowed. */
void db_savepoint(struct db *db);
/* With a failure of the turn that nobody looked at: undoes the turn and fails the whole batch. */
void db_savepoint_keep(struct db *db);
/* Also clears a failure of the turn. db_failed is still true when the failure is older than the
 * turn, or so deep (disk full, I/O error) that SQLite gave the whole transaction up. */
void db_savepoint_undo(struct db *db);
bool db_failed(const struct db *db);
/* The failure in words, no data in it; NULL when there is none. */
const char *db_failure(const struct db *db);
/* Makes the rest of the transaction fail, for a caller that found something impossible. */
void db_fail(struct db *db, const char *reason);

/* A query's rows, not to be touched once ended; ended by db_next's false, by db_done, or by the end
 * of the turn (db_savepoint_*, db_commit, db_rollback). The same statement may be open several
 * times. */
struct rows *db_query(struct db *db, struct sql *sql, const struct value *values);
bool db_next(struct rows *rows);
void db_done(struct rows *rows);
/* All rows that are still open: the end of a turn that has no savepoint of its own. */
void db_rows_end(struct db *db);
int64_t db_int(struct rows *rows, int column);
double db_real(struct rows *rows, int column);
const char *db_text(struct rows *rows, int column); /* NULL for SQL's NULL */
struct blob db_blob(struct rows *rows, int column);
bool db_is_null(struct rows *rows, int column);

/* Runs a statement without rows; how many rows it changed. */
int64_t db_run(struct db *db, struct sql *sql, const struct value *values);
/* As db_run for an INSERT; the new rowid. */
int64_t db_insert(struct db *db, struct sql *sql, const struct value *values);
/* The first column of the first row, or `otherwise` (no row, or NULL). */
int64_t db_number(struct db *db, struct sql *sql, const struct value *values, int64_t otherwise);
const char *db_string(struct db *db, struct sql *sql, const struct value *values);
bool db_exists(struct db *db, struct sql *sql, const struct value *values);

/* Prepares it and throws it away; NULL when it is right, else the reason (arena of the db). */
const char *db_check(struct db *db, struct sql *sql);

/* For tests, the layer test above all: called at each prepare of a statement (so for a cached one
 * once only) for each column; "" for the column of INSERT, DELETE and count(*). */
void db_watch(struct db *db,
    void (*seen)(void *ctx, const char *sql, const char *table, const char *column, bool write),
    void *ctx);
/* Every table.column of the schema, for the test that each is declared; not SQLite's own and not
 * the store's schema_version. */
void db_columns(
    struct db *db, void (*each)(void *ctx, const char *table, const char *column), void *ctx);
/* The sum of all schema versions: what `version` prints. */
int64_t db_schema_version(struct db *db);

/* A consistent copy while the database is in use; calls step(ctx, done, total) between pages.
 * NULL, or why not (free() it). */
char *db_copy_to(
    struct db *db, const char *path, void (*step)(void *ctx, int done, int total), void *ctx);
/* The state held still for a backup, while the service goes on writing: a reader whose main file is
 * one consistent whole until db_close. NULL inside a transaction or while somebody reads an older
 * state: come again later. */
struct db *db_hold(struct db *db);
/* The bytes of its file, -1 on an error; and a piece of them. Usable on another thread. */
int64_t db_held_bytes(struct db *held);
bool db_held_read(struct db *held, void *bytes, size_t length, int64_t at);
/* NULL when it is whole, else what is wrong with it. */
const char *db_held_damage(struct db *held);

/* Empties the WAL into the main file (a TRUNCATE checkpoint), so that erased means erased. False
 * inside a transaction or while a reader has an older state open: come again later. */
bool db_checkpoint(struct db *db);

#endif
