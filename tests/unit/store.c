/* The store: values, failures, transactions, the lock, migrations, sealing, scrubbing, power cuts.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "store/db.h"
#include "store/parts.h"
#include "store/seal.h"

#include "../sim/crash_vfs.c"

enum {
	CUTS = 2400,
	CONTROL_CUTS = 400,
	COMMITS_A_CUT = 12,
	SWEEP_LIMIT = 2000,
	NOT_HERE = 4, /* a status: nobody may not come into this folder, so nothing is shown */
};

#define STEP_ONE \
	"CREATE TABLE thing (id INTEGER PRIMARY KEY, number INTEGER, name TEXT, share REAL," \
	" bytes BLOB, parent INTEGER REFERENCES thing (id)) STRICT;" \
	"CREATE UNIQUE INDEX thing_name ON thing (name)"
#define STEP_TWO "ALTER TABLE thing ADD COLUMN colour TEXT; UPDATE thing SET colour = 'red'"

static const char *const steps_one[] = {STEP_ONE, NULL};
static const char *const steps_two[] = {STEP_ONE, STEP_TWO, NULL};
static const struct schema schema_one = {"things", steps_one, NULL};
static const struct schema schema_two = {"things", steps_two, NULL};
static const struct schema *const only_one[] = {&schema_one, NULL};
static const struct schema *const only_two[] = {&schema_two, NULL};

static struct sql insert = {
    "INSERT INTO thing (number, name, share, bytes) VALUES (?, ?, ?, ?)", 0};
static struct sql insert_name = {"INSERT INTO thing (name) VALUES (?)", 0};
static struct sql insert_number = {"INSERT INTO thing (number, bytes) VALUES (?, ?)", 0};
static struct sql by_id = {"SELECT number, name, share, bytes FROM thing WHERE id = ?", 0};
static struct sql all_names = {"SELECT name FROM thing ORDER BY id", 0};
static struct sql name_like = {"SELECT name FROM thing WHERE name > ? ORDER BY name", 0};
static struct sql how_many = {"SELECT count(*) FROM thing", 0};
static struct sql highest = {"SELECT max(number) FROM thing", 0};
static struct sql delete_all = {"DELETE FROM thing", 0};
static struct sql wrong = {"SELECT nothing FROM nowhere", 0};
static struct sql healthy = {"PRAGMA quick_check", 0};

struct place {
	char folder[64], path[96];
	struct arena *arena;
	struct db *db;
};

static struct db *
opened(struct place *p, const struct schema *const *schemas)
{
	struct db_options o = {.path = p->path, .schemas = schemas};
	char *why;

	assert_int_equal(db_open(&p->db, &o, &why), DB_OK);
	assert_null(why);
	db_arena(p->db, p->arena);
	return p->db;
}

static void
folder_begin(struct place *p)
{
	snprintf(p->folder, sizeof(p->folder), "build/store-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/bot.db", p->folder);
	p->arena = arena_new();
}

static int
place_begin(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	folder_begin(p);
	opened(p, only_one);
	*state = p;
	return 0;
}

static int
place_end(void **state)
{
	struct place *p = *state;
	char command[128];

	db_close(p->db);
	arena_free(p->arena);
	snprintf(command, sizeof(command), "rm -rf '%s'", p->folder);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

/* ---- values and failures ---- */

static void
store_every_kind_of_value_comes_back(void **state)
{
	struct db *db = ((struct place *)*state)->db;
	struct rows *r;
	int64_t id, none;

	db_begin(db);
	id = db_insert(db, &insert,
	    V(INT64_MIN, "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", 0.1, ((struct blob){"a\0b", 3})));
	none =
	    db_insert(db, &insert, V(VNULL, (const char *)NULL, VNULL, ((struct blob){NULL, 0})));
	assert_true(db_commit(db));
	r = db_query(db, &by_id, V(id));
	assert_true(db_next(r));
	assert_true(db_int(r, 0) == INT64_MIN);
	assert_string_equal(db_text(r, 1), "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
	assert_true(fabs(db_real(r, 2) - 0.1) < 1e-12);
	assert_int_equal(db_blob(r, 3).length, 3);
	assert_memory_equal(db_blob(r, 3).bytes, "a\0b", 3);
	assert_false(db_next(r));
	r = db_query(db, &by_id, V(none));
	assert_true(db_next(r));
	for (int i = 0; i < 4; i++)
		assert_true(db_is_null(r, i));
	assert_null(db_text(r, 1));
	assert_null(db_blob(r, 3).bytes);
	db_done(r);
	assert_false(db_failed(db));
}

static void
store_an_empty_text_is_not_null(void **state)
{
	struct db *db = ((struct place *)*state)->db;
	struct rows *r;
	int64_t id;

	db_begin(db);
	id = db_insert(db, &insert, V(1, "", 1.0, ((struct blob){"", 0})));
	r = db_query(db, &by_id, V(id));
	assert_true(db_next(r));
	assert_string_equal(db_text(r, 1), "");
	assert_false(db_is_null(r, 3));
	assert_non_null(db_blob(r, 3).bytes);
	assert_true(db_commit(db));
}

static void
store_the_short_questions_answer(void **state)
{
	static struct sql one_name = {"SELECT name FROM thing WHERE number = ?", 0};
	struct db *db = ((struct place *)*state)->db;

	db_begin(db);
	assert_int_equal(db_run(db, &insert, V(7, "seven", 0.0, VNULL)), 1);
	assert_int_equal(db_run(db, &insert, V(7, "seven too", 0.0, VNULL)), 1);
	assert_int_equal(db_number(db, &how_many, NONE, -1), 2);
	assert_int_equal(db_number(db, &one_name, V(8), -1), -1);
	assert_string_equal(db_string(db, &one_name, V(7)), "seven");
	assert_null(db_string(db, &one_name, V(8)));
	assert_true(db_exists(db, &one_name, V(7)));
	assert_false(db_exists(db, &one_name, V(8)));
	assert_int_equal(db_run(db, &delete_all, NONE), 2);
	assert_int_equal(db_number(db, &highest, NONE, -5), -5);
	assert_true(db_commit(db));
}

static void
store_one_statement_is_open_several_times(void **state)
{
	struct db *db = ((struct place *)*state)->db;
	struct rows *a, *b;
	char from[8] = "a";
	int pairs = 0;

	db_begin(db);
	db_run(db, &insert_name, V("b"));
	db_run(db, &insert_name, V("c"));
	db_run(db, &insert_name, V("d"));
	a = db_query(db, &name_like, V(from));
	from[0] = 'z'; /* what was bound is not looked at again */
	while (db_next(a)) {
		b = db_query(db, &name_like, V(db_text(a, 0)));
		for (; db_next(b); pairs++)
			assert_true(strcmp(db_text(a, 0), db_text(b, 0)) < 0);
	}
	assert_int_equal(pairs, 3);
	assert_true(db_commit(db));
}

static void
store_a_failure_sticks_and_tells_no_data(void **state)
{
	struct db *db = ((struct place *)*state)->db;

	db_begin(db);
	db_run(db, &insert_name, V("secret-canary"));
	assert_int_equal(db_run(db, &insert_name, V("secret-canary")), 0);
	assert_true(db_failed(db));
	assert_non_null(strstr(db_failure(db), "UNIQUE"));
	assert_null(strstr(db_failure(db), "canary"));
	assert_int_equal(db_insert(db, &insert_name, V("other")), 0);
	assert_int_equal(db_number(db, &how_many, NONE, -1), -1);
	assert_false(db_next(db_query(db, &all_names, NONE)));
	assert_false(db_commit(db));
	db_begin(db);
	assert_int_equal(db_number(db, &how_many, NONE, -1), 0);
	assert_true(db_commit(db));
}

static void
store_wrong_statements_and_counts_fail(void **state)
{
	static struct sql two = {"SELECT 1; SELECT 2", 0}, quoted = {"SELECT \"word\"", 0};
	static struct sql fine = {"SELECT 1;\n", 0};
	struct db *db = ((struct place *)*state)->db;

	assert_null(db_check(db, &by_id));
	assert_null(db_check(db, &fine));
	assert_non_null(strstr(db_check(db, &wrong), "nowhere"));
	assert_non_null(db_check(db, &two));
	assert_non_null(db_check(db, &quoted));
	for (int i = 0; i < 3; i++) {
		db_begin(db);
		if (i == 0)
			db_run(db, &insert_name, V("a", "b"));
		else if (i == 1)
			db_run(db, &insert_name, NONE);
		else
			db_run(db, &wrong, NONE);
		assert_true(db_failed(db));
		db_rollback(db);
		assert_false(db_failed(db));
	}
	db_begin(db);
	db_fail(db, "impossible");
	assert_string_equal(db_failure(db), "impossible");
	db_rollback(db);
}

static void
store_types_and_parents_are_checked(void **state)
{
	static struct sql child = {"INSERT INTO thing (parent) VALUES (?)", 0};
	struct place *p = *state;
	struct db *db;

	db_close(p->db); /* the first opening migrated, and turned them on for that reason too */
	db = opened(p, only_one);
	db_begin(db);
	db_run(db, &insert_number, V("canary", VNULL));
	assert_true(db_failed(db));
	assert_null(strstr(db_failure(db), "canary"));
	db_rollback(db);
	db_begin(db);
	db_run(db, &child, V(12345));
	assert_true(db_failed(db));
	db_rollback(db);
}

/* ---- transactions ---- */

static void
store_undo_costs_one_turn_only(void **state)
{
	struct db *db = ((struct place *)*state)->db;
	struct rows *r;

	db_begin(db);
	db_savepoint(db);
	db_run(db, &insert_name, V("first"));
	db_savepoint_keep(db);
	db_savepoint(db);
	db_run(db, &insert_name, V("second"));
	db_run(db, &insert_name, V("second"));
	assert_true(db_failed(db));
	db_savepoint_undo(db);
	assert_false(db_failed(db));
	db_savepoint(db);
	db_run(db, &insert_name, V("third"));
	db_savepoint_keep(db);
	assert_true(db_commit(db));
	r = db_query(db, &all_names, NONE);
	assert_true(db_next(r));
	assert_string_equal(db_text(r, 0), "first");
	assert_true(db_next(r));
	assert_string_equal(db_text(r, 0), "third");
	assert_false(db_next(r));
}

static void
store_savepoints_nest_and_remember_who_failed(void **state)
{
	struct db *db = ((struct place *)*state)->db;

	db_begin(db);
	db_savepoint(db);
	db_run(db, &insert_name, V("outer"));
	db_savepoint(db);
	db_fail(db, "inner");
	db_savepoint_undo(db);
	assert_false(db_failed(db));
	db_savepoint_keep(db);
	assert_int_equal(db_number(db, &how_many, NONE, -1), 1);
	db_fail(db, "batch"); /* older than the turns that follow: none of them may clear it */
	db_savepoint(db);
	db_savepoint_undo(db);
	assert_string_equal(db_failure(db), "batch");
	db_savepoint(db);
	db_savepoint_keep(db);
	assert_true(db_failed(db));
	db_rollback(db);
	db_begin(db);
	db_savepoint(db);
	db_run(db, &insert_name, V("half"));
	db_fail(db, "nobody looked");
	db_savepoint_keep(db);
	assert_true(db_failed(db));
	assert_false(db_commit(db));
	assert_int_equal(db_number(db, &how_many, NONE, -1), 0);
}

static void
store_the_end_of_a_turn_ends_its_rows(void **state)
{
	struct db *db = ((struct place *)*state)->db;
	struct rows *r;

	db_begin(db);
	for (int i = 0; i < 5; i++)
		db_run(db, &insert_number, V(i, VNULL));
	for (int i = 0; i < 3; i++) {
		db_savepoint(db);
		r = db_query(db, &all_names, NONE);
		assert_true(db_next(r));
		if (i == 0)
			db_savepoint_keep(db);
		else if (i == 1)
			db_savepoint_undo(db);
		else
			assert_true(db_commit(db));
		assert_false(db_next(r));
	}
	assert_true(db_checkpoint(db));
}

static void
store_a_reader_sees_what_is_committed(void **state)
{
	struct db *db = ((struct place *)*state)->db, *reader = db_open_reader(db);

	assert_non_null(reader);
	db_begin(db);
	db_run(db, &insert_name, V("a"));
	assert_int_equal(db_number(reader, &how_many, NONE, -1), 0);
	assert_true(db_commit(db));
	assert_int_equal(db_number(reader, &how_many, NONE, -1), 1);
	db_begin(reader);
	assert_int_equal(db_number(reader, &how_many, NONE, -1), 1);
	db_begin(db);
	db_run(db, &insert_name, V("b"));
	assert_true(db_commit(db));
	assert_int_equal(db_number(reader, &how_many, NONE, -1), 1);
	assert_false(db_checkpoint(db)); /* an older state is being read */
	assert_true(db_commit(reader));
	assert_int_equal(db_number(reader, &how_many, NONE, -1), 2);
	db_run(reader, &insert_name, V("c"));
	assert_true(db_failed(reader));
	db_close(reader);
	assert_true(db_checkpoint(db));
}

static void *
read_much(void *arg)
{
	struct db *reader = arg;
	int64_t last = 0;

	for (int i = 0; i < 2000; i++) {
		int64_t now = db_number(reader, &how_many, NONE, -1);

		if (now < last || now % 3)
			return (void *)"a half transaction was seen";
		last = now;
	}
	return NULL;
}

static void
store_a_reader_on_a_thread_is_never_torn(void **state)
{
	struct db *db = ((struct place *)*state)->db, *reader = db_open_reader(db);
	pthread_t thread;
	void *wrong_word = NULL;

	pthread_create(&thread, NULL, read_much, reader);
	for (int i = 0; i < 100; i++) {
		db_begin(db);
		for (int j = 0; j < 3; j++)
			db_run(db, &insert_number, V(i, VNULL));
		assert_true(db_commit(db));
	}
	pthread_join(thread, &wrong_word);
	assert_null(wrong_word);
	db_close(reader);
}

/* ---- looking ---- */

struct seen {
	int reads, writes;
};

static void
note_column(void *ctx, const char *sql, const char *table, const char *column, bool write)
{
	struct seen *seen = ctx;

	assert_non_null(sql);
	if (!strcmp(table, "thing") && !strcmp(column, "name") && !write)
		seen->reads++;
	if (!strcmp(table, "thing") && write)
		seen->writes++;
}

static void
store_watch_tells_each_column(void **state)
{
	struct db *db = ((struct place *)*state)->db;
	struct seen seen = {0, 0};

	db_watch(db, note_column, &seen);
	assert_null(db_check(db, &all_names));
	assert_null(db_check(db, &delete_all));
	db_watch(db, NULL, NULL);
	assert_null(db_check(db, &all_names));
	assert_int_equal(seen.reads, 1);
	assert_int_equal(seen.writes, 1);
}

static void
count_column(void *ctx, const char *table, const char *column)
{
	assert_string_equal(table, "thing");
	assert_non_null(column);
	++*(int *)ctx;
}

static void
store_columns_lists_the_schema(void **state)
{
	int n = 0;

	db_columns(((struct place *)*state)->db, count_column, &n);
	assert_int_equal(n, 6);
}

static void
count_step(void *ctx, int done, int total)
{
	assert_true(done <= total);
	++*(int *)ctx;
}

static void
store_a_copy_is_whole_and_opens(void **state)
{
	struct place *p = *state;
	struct db *db = p->db, *copy, *reader = db_open_reader(db);
	char path[128], *why;
	int steps = 0;
	struct stat st;

	snprintf(path, sizeof(path), "%s/copy.db", p->folder);
	db_begin(db);
	db_run(db, &insert_name, V("kept"));
	assert_true(db_commit(db));
	assert_null(db_copy_to(reader, path, count_step, &steps));
	assert_null(db_copy_to(reader, path, NULL, NULL)); /* over an older one too */
	assert_true(steps > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(
	    db_open(&copy, &(struct db_options){.path = path, .schemas = only_one}, &why), DB_OK);
	assert_int_equal(db_number(copy, &how_many, NONE, -1), 1);
	db_close(copy);
	why = db_copy_to(reader, "build/no/such/folder/x", NULL, NULL);
	assert_non_null(why);
	free(why);
	db_close(reader);
}

/* ---- opening ---- */

static void
refuses(const struct db_options *o, enum db_open_error error, const char *word)
{
	struct db *db;
	char *why;

	assert_int_equal(db_open(&db, o, &why), error);
	assert_null(db);
	assert_non_null(why);
	if (!strstr(why, o->path) || !strstr(why, word))
		fail_msg("unclear: %s", why);
	free(why);
}

static void
store_a_second_opener_is_refused(void **state)
{
	struct place *p = *state;
	struct db_options o = {.path = p->path, .schemas = only_one};
	struct db *db;
	char *why;

	refuses(&o, DB_LOCKED, "another process");
	o.read_only = true; /* `status` may look */
	assert_int_equal(db_open(&db, &o, &why), DB_OK);
	db_close(db);
	db_close(p->db);
	opened(p, only_one);
}

static void
store_a_missing_folder_is_named(void **state)
{
	(void)state;
	refuses(&(struct db_options){.path = "build/no-such-folder/bot.db"}, DB_MISSING_FOLDER,
	    "build/no-such-folder is missing");
}

static void
store_a_file_of_another_kind_is_refused(void **state)
{
	struct place *p = *state;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/other.db", p->folder);
	f = fopen(path, "w");
	for (int i = 0; i < 500; i++)
		fputs("not a database at all\n", f);
	fclose(f);
	refuses(&(struct db_options){.path = path}, DB_UNREADABLE, "expected a database");
}

/* In a process of its own, since it gives up rights or room; 0 when the answer was the one. */
static int
open_in_child(const char *path, enum db_open_error error, const char *word, bool full)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct db *db;
		char *why = NULL;
		struct rlimit none = {0, 0};
		int bad;

		signal(SIGXFSZ, SIG_IGN);
		if (full)
			setrlimit(RLIMIT_FSIZE, &none);
		else if (geteuid() == 0 && (setgroups(0, NULL) || setegid(65534) || seteuid(65534)))
			_exit(3);
		if (faccessat(AT_FDCWD, "build", X_OK, AT_EACCESS))
			_exit(NOT_HERE);
		bad = db_open(&db, &(struct db_options){.path = path, .schemas = only_one}, &why) !=
		      error;
		_exit(bad ? 1 : !why || !strstr(why, path) || !strstr(why, word) ? 2 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

static void
store_a_read_only_folder_is_named(void **state)
{
	struct place *p = *state;
	char path[128];
	int result;

	assert_int_equal(chmod(p->folder, 0555), 0);
	snprintf(path, sizeof(path), "%s/new.db", p->folder);
	result = open_in_child(path, DB_UNREADABLE, "may write", false);
	assert_int_equal(chmod(p->folder, 0755), 0);
	if (result == NOT_HERE)
		skip();
	assert_int_equal(result, 0);
}

static void
store_a_full_disk_is_named(void **state)
{
	struct place *p = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/new.db", p->folder);
	assert_int_equal(open_in_child(path, DB_FULL, "room on the disk", true), 0);
}

/* ---- migrations ---- */

static void
store_migrations_go_forward_with_a_backup(void **state)
{
	static struct sql colour = {"SELECT colour FROM thing", 0};
	struct place *p = *state;
	char backup[128];
	struct db *old;
	char *why;

	db_begin(p->db);
	db_run(p->db, &insert_name, V("old"));
	assert_true(db_commit(p->db));
	assert_int_equal(db_schema_version(p->db), 1);
	db_close(p->db);
	opened(p, only_two);
	assert_int_equal(db_schema_version(p->db), 2);
	assert_string_equal(db_string(p->db, &colour, NONE), "red");
	snprintf(backup, sizeof(backup), "%s.before-1", p->path);
	assert_int_equal(
	    db_open(&old, &(struct db_options){.path = backup, .read_only = true}, &why), DB_OK);
	assert_int_equal(db_schema_version(old), 1);
	assert_int_equal(db_number(old, &how_many, NONE, -1), 1);
	db_close(old);
	db_close(p->db);
	opened(p, only_two); /* nothing to do: no further backup */
	snprintf(backup, sizeof(backup), "%s.before-2", p->path);
	assert_int_equal(access(backup, F_OK), -1);
}

static void
store_only_the_last_backup_stays(void **state)
{
	static const char *const more[] = {
	    STEP_ONE, STEP_TWO, "CREATE TABLE x (y TEXT) STRICT", NULL};
	static const struct schema schema_three = {"things", more, NULL};
	static const struct schema *const only_three[] = {&schema_three, NULL};
	struct place *p = *state;
	char backup[128];

	db_close(p->db);
	opened(p, only_two);
	db_close(p->db);
	opened(p, only_three);
	snprintf(backup, sizeof(backup), "%s.before-1", p->path);
	assert_int_equal(access(backup, F_OK), -1);
	snprintf(backup, sizeof(backup), "%s.before-2", p->path);
	assert_int_equal(access(backup, F_OK), 0);
}

static void
store_a_newer_state_is_refused(void **state)
{
	static const struct schema *const nothing[] = {NULL};
	struct place *p = *state;
	struct db_options o = {.path = p->path, .schemas = only_one};

	db_close(p->db);
	opened(p, only_two);
	db_close(p->db);
	p->db = NULL;
	refuses(&o, DB_NEWER, "newer program");
	o.schemas = nothing; /* a schema this program has never heard of */
	refuses(&o, DB_NEWER, "newer program");
	o.schemas = only_two;
	opened(p, only_two);
}

static void
store_a_failed_migration_changes_nothing(void **state)
{
	static const char *const bad_sql[] = {
	    STEP_ONE, "CREATE TABLE b (x TEXT) STRICT", "CREATE TABLE a (x WHATEVER) STRICT", NULL};
	static const char *const loose[] = {STEP_ONE, "CREATE TABLE a (x)", NULL};
	static const char *const orphan[] = {
	    STEP_ONE, "INSERT INTO thing (parent) VALUES (99)", NULL};
	const char *const *bad[] = {bad_sql, loose, orphan};
	const char *words[] = {"step 3", "STRICT", "nowhere"};
	struct place *p = *state;

	db_close(p->db);
	for (int i = 0; i < 3; i++) {
		struct schema schema = {"things", bad[i], NULL};
		const struct schema *const schemas[] = {&schema, NULL};

		refuses(
		    &(struct db_options){.path = p->path, .schemas = schemas}, DB_BROKEN, words[i]);
	}
	opened(p, only_one);
	assert_int_equal(db_schema_version(p->db), 1);
	assert_int_equal(db_number(p->db, &how_many, NONE, -1), 0);
}

/* ---- sealing ---- */

struct safe {
	struct seal *seal;
	struct arena *arena;
	char folder[64];
};

static int
safe_begin(void **state)
{
	struct safe *s = calloc(1, sizeof(*s));
	unsigned char key[SEAL_KEY_BYTES] = "a key for the tests only";

	snprintf(s->folder, sizeof(s->folder), "build/seal-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	s->seal = seal_from(key);
	s->arena = arena_new();
	*state = s;
	return 0;
}

static int
safe_end(void **state)
{
	struct safe *s = *state;
	char command[128];

	seal_close(s->seal);
	arena_free(s->arena);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->folder);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

static void
store_sealed_opens_only_as_what_it_was(void **state)
{
	struct safe *s = *state;
	struct blob slot = seal_slot_new(s->seal, s->arena, 7), plain = {"a word", 6}, box, out;
	struct blob other = seal_slot_new(s->seal, s->arena, 7);

	box = seal_box(s->seal, s->arena, slot, 7, "inbox.body", plain);
	assert_null(memmem(box.bytes, box.length, plain.bytes, plain.length));
	out = seal_unbox(s->seal, s->arena, slot, 7, "inbox.body", box);
	assert_int_equal(out.length, 6);
	assert_string_equal(out.bytes, "a word");
	assert_null(seal_unbox(s->seal, s->arena, slot, 7, "outbox.body", box).bytes);
	assert_null(seal_unbox(s->seal, s->arena, slot, 8, "inbox.body", box).bytes);
	assert_null(seal_unbox(s->seal, s->arena, other, 7, "inbox.body", box).bytes);
	assert_null(
	    seal_unbox(s->seal, s->arena, (struct blob){NULL, 0}, 7, "inbox.body", box).bytes);
	assert_null(seal_box(s->seal, s->arena, slot, 7, "x", (struct blob){NULL, 0}).bytes);
	box = seal_box(s->seal, s->arena, (struct blob){NULL, 0}, 0, "state", (struct blob){"", 0});
	out = seal_unbox(s->seal, s->arena, (struct blob){NULL, 0}, 0, "state", box);
	assert_non_null(out.bytes);
	assert_int_equal(out.length, 0);
}

static void
store_an_overwritten_slot_ends_everything(void **state)
{
	struct safe *s = *state;
	struct blob slot = seal_slot_new(s->seal, s->arena, 7), plain = {"a word", 6};
	struct blob box = seal_box(s->seal, s->arena, slot, 7, "p", plain);
	struct blob zeros = {arena_alloc(s->arena, slot.length), slot.length};

	assert_null(seal_unbox(s->seal, s->arena, zeros, 7, "p", box).bytes);
	assert_null(seal_box(s->seal, s->arena, zeros, 7, "p", plain).bytes);
}

static void
store_a_damaged_box_does_not_open(void **state)
{
	struct safe *s = *state;
	struct blob slot = seal_slot_new(s->seal, s->arena, 7), plain = {"a word", 6};
	struct blob box = seal_box(s->seal, s->arena, slot, 7, "p", plain);

	for (size_t i = 0; i < box.length * 8; i++) {
		char *bad = arena_copy(s->arena, box.bytes, box.length);

		bad[i / 8] ^= (char)(1 << i % 8);
		assert_null(
		    seal_unbox(s->seal, s->arena, slot, 7, "p", (struct blob){bad, box.length})
			.bytes);
	}
	for (size_t n = 0; n < box.length; n++)
		assert_null(
		    seal_unbox(s->seal, s->arena, slot, 7, "p", (struct blob){box.bytes, n}).bytes);
}

static void
store_hashes_are_the_same_under_one_key_only(void **state)
{
	struct safe *s = *state;
	unsigned char a[SEAL_HASH_BYTES], b[SEAL_HASH_BYTES];
	struct seal *other = seal_from((const unsigned char *)"another key of thirty-two bytes.");

	seal_hash(s->seal, "telegram", "12345", 5, a);
	seal_hash(s->seal, "telegram", "12345", 5, b);
	assert_memory_equal(a, b, sizeof(a));
	seal_hash(s->seal, "matrix", "12345", 5, b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_hash(s->seal, "telegram1", "2345", 4, b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_hash(other, "telegram", "12345", 5, b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_fingerprint(s->seal, a);
	seal_fingerprint(other, b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_close(other);
}

static void
store_the_key_file_is_made_once_and_checked(void **state)
{
	struct safe *s = *state;
	unsigned char a[SEAL_HASH_BYTES], b[SEAL_HASH_BYTES];
	char path[128], *why;
	struct seal *seal;
	struct stat st;

	snprintf(path, sizeof(path), "%s/key", s->folder);
	assert_null(seal_open(path, false, &why));
	assert_non_null(strstr(why, path));
	free(why);
	seal = seal_open(path, true, &why);
	assert_non_null(seal);
	seal_fingerprint(seal, a);
	seal_close(seal);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, SEAL_KEY_BYTES);
	seal = seal_open(path, true, &why);
	seal_fingerprint(seal, b);
	seal_close(seal);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(truncate(path, 31), 0);
	assert_null(seal_open(path, true, &why));
	assert_non_null(strstr(why, "32 random bytes"));
	free(why);
	snprintf(path, sizeof(path), "%s/no/key", s->folder);
	assert_null(seal_open(path, true, &why));
	free(why);
}

static void
file_write(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void
must_fail(char *why)
{
	assert_non_null(why);
	free(why);
}

static bool
read_bytes(void *ctx, void *bytes, size_t length, int64_t at)
{
	memcpy(bytes, (const char *)ctx + at, length);
	return true;
}

/* Every sealed file of this size comes back, and no damaged one does. */
static void
file_round(struct safe *s, size_t size)
{
	char sealed[96], back[96], *bytes = malloc(size + 1), *now;
	struct seal_source from = {"the bytes", (int64_t)size, bytes, read_bytes};
	size_t n = 0, whole;

	snprintf(sealed, sizeof(sealed), "%s/sealed", s->folder);
	snprintf(back, sizeof(back), "%s/back", s->folder);
	memset(bytes, 'x', size);
	assert_null(seal_pour(s->seal, &from, sealed));
	assert_null(seal_compare(s->seal, sealed, &from));
	bytes[size] = 'y';
	from.length++;
	must_fail(seal_compare(s->seal, sealed, &from));
	if (size) {
		from.length--;
		bytes[size / 2] ^= 1;
		must_fail(seal_compare(s->seal, sealed, &from));
		bytes[size / 2] ^= 1;
	}
	assert_null(seal_unfile(s->seal, sealed, back));
	now = unit_read(back, &n);
	assert_int_equal(n, size);
	assert_memory_equal(now, bytes, size);
	free(now);
	now = unit_read(sealed, &whole);
	unlink(back);
	for (size_t cut = 0; cut < whole; cut += 1 + whole / 7) {
		file_write(sealed, now, cut);
		must_fail(seal_unfile(s->seal, sealed, back));
		now[cut] ^= 4;
		file_write(sealed, now, whole);
		now[cut] ^= 4;
		must_fail(seal_unfile(s->seal, sealed, back));
	}
	now[whole] = 'y';
	file_write(sealed, now, whole + 1);
	must_fail(seal_unfile(s->seal, sealed, back));
	assert_int_equal(access(back, F_OK), -1); /* nothing unverified under its name */
	free(now);
	free(bytes);
}

static void
store_sealed_files_come_back_or_say_why(void **state)
{
	const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		file_round(*state, sizes[i]);
}

static unsigned char next_byte;

static void
bytes_in_a_row(void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((unsigned char *)bytes)[i] = next_byte++;
}

static void
store_randomness_may_come_from_a_seed(void **state)
{
	struct safe *s = *state;
	struct blob a, b;

	seal_random_from(bytes_in_a_row);
	next_byte = 3;
	a = seal_slot_new(s->seal, s->arena, 1);
	next_byte = 3;
	b = seal_slot_new(s->seal, s->arena, 1);
	seal_random_from(NULL);
	assert_int_equal(a.length, b.length);
	assert_memory_equal(a.bytes, b.bytes, a.length);
	b = seal_slot_new(s->seal, s->arena, 1);
	assert_memory_not_equal(a.bytes, b.bytes, a.length);
}

/* ---- scrubbing ---- */

static const char canary[] = "canary-7f3a91";

static int
copies_in(const char *path)
{
	size_t n;
	char *bytes = unit_read(path, &n);
	int copies = bytes ? count_in((unsigned char *)bytes, n, canary, strlen(canary)) : 0;

	free(bytes);
	return copies;
}

static void
canaries_come_and_go(struct db *db)
{
	static struct sql grow = {"UPDATE thing SET name = name || ?", 0};
	char name[64];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%s %d", canary, i);
		db_begin(db);
		db_run(db, &insert_name, V(name));
		if (i % 10 == 9)
			db_run(db, &grow, V("."));
		assert_true(db_commit(db));
	}
	db_begin(db);
	assert_int_equal(db_run(db, &delete_all, NONE), 40);
	assert_true(db_commit(db));
}

static void
store_deleted_is_gone_from_all_files(void **state)
{
	struct place *p = *state;
	char wal[128];

	snprintf(wal, sizeof(wal), "%s-wal", p->path);
	canaries_come_and_go(p->db);
	assert_true(copies_in(wal) > 0);
	assert_true(db_checkpoint(p->db));
	assert_int_equal(copies_in(p->path) + copies_in(wal), 0);
}

/* The disk in memory keeps freed blocks, as a device does. */
static int
copies_on_device(const char *vfs)
{
	struct db_options o = {.path = "bot.db", .vfs = vfs, .schemas = only_one};
	struct db *db;
	char *why;

	crash_vfs_register();
	crash_vfs_new(1);
	crash_vfs_keep_freed();
	assert_int_equal(db_open(&db, &o, &why), DB_OK);
	canaries_come_and_go(db);
	assert_true(db_checkpoint(db));
	canaries_come_and_go(db);
	db_close(db); /* unlinks the WAL */
	return crash_vfs_count(canary, strlen(canary));
}

static void
store_deleted_is_gone_from_freed_blocks(void **state)
{
	int without, with;

	(void)state;
	without = copies_on_device("crash");
	scrub_vfs_register("scrub-crash", "crash");
	with = copies_on_device("scrub-crash");
	printf("# copies on the device: %d without the scrubbing VFS, %d with it\n", without, with);
	assert_true(without > 1000);
	assert_int_equal(with, 0);
	crash_vfs_new(1);
}

/* ---- power cuts, I/O errors, full disk ---- */

static const char *crash_disk = "crash";

static struct db *
crash_open_db(bool normal)
{
	struct db_options o = {
	    .path = "bot.db",
	    .vfs = crash_disk,
	    .schemas = only_one,
	    .synchronous_normal = normal,
	    .checkpoint_pages = 24,
	};
	struct db *db;
	char *why;

	/* On an error that is the cut, or a fault; whoever cares looks whether it was neither. */
	if (db_open(&db, &o, &why) != DB_OK && !crash_vfs_is_off())
		fail_msg("%s", why);
	free(why);
	return db;
}

/* Commits numbers until the power goes or enough is done; the highest acknowledged one. */
static int64_t
commit_until_cut(struct db *db, uint64_t seed, int64_t from)
{
	char bytes[3000];
	int64_t acknowledged = from;

	memset(bytes, (int)('a' + seed % 26), sizeof(bytes));
	for (int i = 0; i < COMMITS_A_CUT && !crash_vfs_is_off(); i++) {
		db_begin(db);
		for (uint64_t j = 0; j < 1 + (seed + (uint64_t)i) % 3; j++) {
			db_savepoint(db);
			db_run(db, &insert_number,
			    V(acknowledged + 1,
				((struct blob){bytes, (seed * 37 + (uint64_t)i * 711) % 3000})));
			db_savepoint_keep(db);
		}
		if (!db_commit(db))
			break;
		acknowledged++;
		if ((seed + (uint64_t)i) % 9 == 0)
			db_checkpoint(db);
	}
	return acknowledged;
}

/* What a restart finds: the highest number, -1 when the database is not whole. */
static int64_t
found_after(struct db *db)
{
	static struct sql distinct = {"SELECT count(DISTINCT number) FROM thing", 0};
	const char *word;
	int64_t high;

	if (!db)
		return -1;
	db_arena(db, NULL);
	word = db_string(db, &healthy, NONE);
	high = db_number(db, &highest, NONE, 0);
	if (!word || strcmp(word, "ok") || db_number(db, &distinct, NONE, -1) != high)
		return -1;
	return high;
}

struct cuts {
	int lost, broken, recovered;
	int64_t worst;
};

static void
one_cut(const struct crash_image *image, uint64_t seed, bool normal, struct cuts *cuts)
{
	struct db *db;
	int64_t acknowledged = 0, found;

	crash_vfs_from(image, seed);
	crash_vfs_cut_after((int64_t)(1 + dice() % 100));
	db = crash_open_db(normal);
	if (db)
		acknowledged = commit_until_cut(db, seed, 0);
	crash_vfs_cut();
	db_close(db);
	crash_vfs_power_on(seed ^ 0xabcdef);
	/* Now and then the power goes again while the start is repairing. */
	while (dice() % 3 == 0) {
		crash_vfs_cut_after((int64_t)(1 + dice() % 6));
		db = crash_open_db(normal);
		crash_vfs_cut();
		db_close(db);
		crash_vfs_power_on(seed ^ dice());
	}
	db = crash_open_db(normal);
	found = found_after(db);
	db_close(db);
	if (found < 0)
		cuts->broken++;
	else if (found < acknowledged)
		cuts->lost++;
	else
		cuts->recovered++;
	if (found >= 0 && acknowledged - found > cuts->worst)
		cuts->worst = acknowledged - found;
}

static struct cuts
many_cuts(int count, bool normal)
{
	struct cuts cuts = {0, 0, 0, 0};
	struct crash_image *image;

	crash_vfs_register();
	crash_vfs_new(1);
	db_close(crash_open_db(normal));
	image = crash_vfs_image();
	for (int i = 0; i < count; i++)
		one_cut(image, (uint64_t)i + 1, normal, &cuts);
	crash_vfs_image_free(image);
	crash_vfs_new(1);
	printf("# %s: %d power cuts, %d lost acknowledged commits (at most %d each), %d broken\n",
	    normal ? "NORMAL" : "FULL", count, cuts.lost, (int)cuts.worst, cuts.broken);
	return cuts;
}

static void
store_power_cuts_lose_nothing_acknowledged(void **state)
{
	struct cuts cuts = many_cuts(CUTS, false);

	(void)state;
	assert_int_equal(cuts.lost, 0);
	assert_int_equal(cuts.broken, 0);
	assert_int_equal(cuts.recovered, CUTS);
}

static void
store_power_cuts_catch_the_normal_control(void **state)
{
	struct cuts cuts = many_cuts(CONTROL_CUTS, true);

	(void)state;
	assert_true(cuts.lost > CONTROL_CUTS / 4);
}

/* Zeros on their way to the disk must never be taken for the state. */
static void
store_power_cuts_may_fall_into_scrubbing(void **state)
{
	struct cuts cuts;

	(void)state;
	crash_vfs_register();
	scrub_vfs_register("scrub-crash", "crash");
	crash_disk = "scrub-crash";
	cuts = many_cuts(CONTROL_CUTS, false);
	crash_disk = "crash";
	assert_int_equal(cuts.recovered, CONTROL_CUTS);
}

/* What was synced and not written since is not synced again; everything else is. */
static void
store_nothing_is_synced_twice(void **state)
{
	sqlite3_vfs *vfs;
	sqlite3_file *file;
	const sqlite3_io_methods *does;
	int64_t before;

	(void)state;
	crash_vfs_register();
	scrub_vfs_register("scrub-crash", "crash");
	crash_vfs_new(1);
	vfs = sqlite3_vfs_find("scrub-crash");
	file = calloc(1, (size_t)vfs->szOsFile);
	for (int kind = 0; kind < 2; kind++) {
		int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    (kind ? SQLITE_OPEN_WAL : SQLITE_OPEN_MAIN_DB);

		/* The second opening finds what a killed process has left unsynced. */
		for (int life = 0; life < 2; life++) {
			assert_int_equal(
			    vfs->xOpen(vfs, kind ? "a-wal" : "a", file, flags, NULL), SQLITE_OK);
			does = file->pMethods;
			assert_int_equal(does->xWrite(file, "left", 4, 0), SQLITE_OK);
			if (!life)
				assert_int_equal(does->xClose(file), SQLITE_OK);
		}
		for (int round = 0; round < 4; round++) {
			if (round == 1)
				assert_int_equal(does->xWrite(file, "here", 4, 4), SQLITE_OK);
			if (round == 2)
				assert_int_equal(does->xTruncate(file, 2), SQLITE_OK);
			if (round == 3) {
				assert_int_equal(does->xWrite(file, "more", 4, 2), SQLITE_OK);
				crash_vfs_fail_after(1, false);
				assert_int_not_equal(
				    does->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
			}
			before = crash_vfs_operations();
			assert_int_equal(does->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
			assert_true(crash_vfs_operations() > before);
			before = crash_vfs_operations();
			assert_int_equal(does->xSync(file, SQLITE_SYNC_NORMAL), SQLITE_OK);
			assert_int_equal(crash_vfs_operations(), before);
		}
		assert_int_equal(does->xClose(file), SQLITE_OK);
	}
	free(file);
	crash_vfs_new(1);
}

static void
store_power_cuts_repeat_by_seed(void **state)
{
	struct crash_image *image, *a, *b;

	(void)state;
	crash_vfs_register();
	crash_vfs_new(1);
	db_close(crash_open_db(false));
	image = crash_vfs_image();
	for (int i = 0; i < 2; i++) {
		struct cuts cuts = {0, 0, 0, 0};

		for (uint64_t seed = 1; seed < 20; seed++)
			one_cut(image, seed, false, &cuts);
		*(i ? &b : &a) = crash_vfs_image();
	}
	assert_int_equal(a->count, b->count);
	for (int i = 0; i < a->count; i++) {
		assert_int_equal(a->files[i].size, b->files[i].size);
		assert_memory_equal(a->files[i].bytes, b->files[i].bytes, a->files[i].size);
	}
	crash_vfs_image_free(a);
	crash_vfs_image_free(b);
	crash_vfs_image_free(image);
	crash_vfs_new(1);
}

/* Each I/O call once and then for ever: no crash, no leak, nothing acknowledged missing. */
static int
io_sweep(const struct crash_image *image, bool for_ever)
{
	int n;

	for (n = 1; n < SWEEP_LIMIT; n++) {
		struct db_options o = {
		    .path = "bot.db", .vfs = "crash", .schemas = only_one, .checkpoint_pages = 24};
		struct db *db;
		char *why;
		int64_t acknowledged = 0;
		bool reached;

		crash_vfs_from(image, 5);
		crash_vfs_fail_after(n, for_ever);
		if (db_open(&db, &o, &why) == DB_OK)
			acknowledged = commit_until_cut(db, 5, 0);
		else
			assert_non_null(strstr(why, "bot.db"));
		free(why);
		db_close(db);
		reached = crash_vfs_operations() >= n;
		crash_vfs_fail_after(0, false);
		db = crash_open_db(false);
		assert_true(found_after(db) >= acknowledged);
		db_close(db);
		if (!reached)
			break;
	}
	return n;
}

static void
store_io_errors_lose_nothing_acknowledged(void **state)
{
	struct crash_image *image;
	int once, ever;

	(void)state;
	crash_vfs_register();
	crash_vfs_new(1);
	db_close(crash_open_db(false));
	image = crash_vfs_image();
	once = io_sweep(image, false);
	ever = io_sweep(image, true);
	printf("# I/O errors: %d once, %d for ever\n", once, ever);
	assert_in_range(once, 50, SWEEP_LIMIT - 1);
	assert_in_range(ever, 50, SWEEP_LIMIT - 1);
	crash_vfs_image_free(image);
	crash_vfs_new(1);
}

static void
store_a_disk_that_fills_up_keeps_what_was_acknowledged(void **state)
{
	struct db *db;
	int64_t acknowledged, found;

	(void)state;
	crash_vfs_register();
	crash_vfs_new(1);
	db = crash_open_db(false);
	crash_vfs_room(100000);
	acknowledged = commit_until_cut(db, 3, 0);
	acknowledged = commit_until_cut(db, 4, acknowledged);
	acknowledged = commit_until_cut(db, 5, acknowledged);
	assert_true(db_failed(db));
	assert_non_null(strstr(db_failure(db), "full"));
	db_begin(db); /* of unknown outcome: nothing goes any more */
	assert_int_equal(db_number(db, &how_many, NONE, -1), -1);
	assert_false(db_commit(db));
	db_close(db);
	crash_vfs_room(0);
	db = crash_open_db(false);
	found = found_after(db);
	assert_true(acknowledged > 3);
	assert_in_range(found, acknowledged, acknowledged + 1);
	db_close(db);
}

/* More than the page cache holds, so that the disk is full before the commit. */
static void
store_a_transaction_given_up_by_sqlite_stays_failed(void **state)
{
	static char large[60000];
	struct db *db;

	(void)state;
	crash_vfs_register();
	crash_vfs_new(1);
	db = crash_open_db(false);
	crash_vfs_room(200000);
	db_begin(db);
	db_savepoint(db);
	for (int i = 0; i < 100; i++)
		db_run(db, &insert_number, V(i, ((struct blob){large, sizeof(large)})));
	assert_true(db_failed(db));
	db_savepoint_undo(db);
	assert_non_null(strstr(db_failure(db), "full, in: INSERT"));
	db_savepoint(db);
	db_savepoint_keep(db);
	assert_int_equal(db_number(db, &how_many, NONE, -1), -1);
	db_rollback(db);
	assert_false(db_failed(db));
	crash_vfs_room(0);
	db_begin(db);
	assert_int_equal(db_number(db, &how_many, NONE, -1), 0);
	db_run(db, &insert_number, V(1, VNULL));
	assert_true(db_commit(db));
	assert_int_equal(found_after(db), 1);
	db_close(db);
	crash_vfs_new(1);
}

static void
store_a_migration_cut_short_is_made_whole(void **state)
{
	struct db_options o = {.path = "bot.db", .vfs = "crash", .schemas = only_one};
	struct crash_image *image;
	struct db *db;
	char *why;
	bool cut = true;

	(void)state;
	crash_vfs_register();
	crash_vfs_new(1);
	db = crash_open_db(false);
	assert_int_equal(commit_until_cut(db, 2, 0), COMMITS_A_CUT);
	db_close(db);
	image = crash_vfs_image();
	o.schemas = only_two;
	for (int n = 1; cut; n++) {
		crash_vfs_from(image, (uint64_t)n);
		crash_vfs_cut_after(n);
		db_open(&db, &o, &why);
		free(why);
		cut = crash_vfs_is_off();
		crash_vfs_cut();
		db_close(db);
		crash_vfs_power_on((uint64_t)n);
		assert_int_equal(db_open(&db, &o, &why), DB_OK);
		assert_int_equal(db_schema_version(db), 2);
		assert_int_equal(found_after(db), COMMITS_A_CUT);
		db_close(db);
		assert_true(n < SWEEP_LIMIT);
	}
	crash_vfs_image_free(image);
	crash_vfs_new(1);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_begin, place_end)
#define IN_SAFE(test) cmocka_unit_test_setup_teardown(test, safe_begin, safe_end)

static const struct CMUnitTest tests[] = {
    IN_PLACE(store_every_kind_of_value_comes_back),
    IN_PLACE(store_an_empty_text_is_not_null),
    IN_PLACE(store_the_short_questions_answer),
    IN_PLACE(store_one_statement_is_open_several_times),
    IN_PLACE(store_a_failure_sticks_and_tells_no_data),
    IN_PLACE(store_wrong_statements_and_counts_fail),
    IN_PLACE(store_types_and_parents_are_checked),
    IN_PLACE(store_undo_costs_one_turn_only),
    IN_PLACE(store_savepoints_nest_and_remember_who_failed),
    IN_PLACE(store_the_end_of_a_turn_ends_its_rows),
    IN_PLACE(store_a_reader_sees_what_is_committed),
    IN_PLACE(store_a_reader_on_a_thread_is_never_torn),
    IN_PLACE(store_watch_tells_each_column),
    IN_PLACE(store_columns_lists_the_schema),
    IN_PLACE(store_a_copy_is_whole_and_opens),
    IN_PLACE(store_a_second_opener_is_refused),
    cmocka_unit_test(store_a_missing_folder_is_named),
    IN_PLACE(store_a_file_of_another_kind_is_refused),
    IN_PLACE(store_a_read_only_folder_is_named),
    IN_PLACE(store_a_full_disk_is_named),
    IN_PLACE(store_migrations_go_forward_with_a_backup),
    IN_PLACE(store_only_the_last_backup_stays),
    IN_PLACE(store_a_newer_state_is_refused),
    IN_PLACE(store_a_failed_migration_changes_nothing),
    IN_SAFE(store_sealed_opens_only_as_what_it_was),
    IN_SAFE(store_an_overwritten_slot_ends_everything),
    IN_SAFE(store_a_damaged_box_does_not_open),
    IN_SAFE(store_hashes_are_the_same_under_one_key_only),
    IN_SAFE(store_the_key_file_is_made_once_and_checked),
    IN_SAFE(store_sealed_files_come_back_or_say_why),
    IN_SAFE(store_randomness_may_come_from_a_seed),
    IN_PLACE(store_deleted_is_gone_from_all_files),
    cmocka_unit_test(store_deleted_is_gone_from_freed_blocks),
    cmocka_unit_test(store_power_cuts_lose_nothing_acknowledged),
    cmocka_unit_test(store_power_cuts_catch_the_normal_control),
    cmocka_unit_test(store_power_cuts_may_fall_into_scrubbing),
    cmocka_unit_test(store_nothing_is_synced_twice),
    cmocka_unit_test(store_power_cuts_repeat_by_seed),
    cmocka_unit_test(store_io_errors_lose_nothing_acknowledged),
    cmocka_unit_test(store_a_disk_that_fills_up_keeps_what_was_acknowledged),
    cmocka_unit_test(store_a_transaction_given_up_by_sqlite_stays_failed),
    cmocka_unit_test(store_a_migration_cut_short_is_made_whole),
};

UNIT_RUN(tests)
