/* The store: values, failures, transactions, looking, opening and its refusals, migrations. */
#include "unit.h"

#include <fcntl.h>
#include <grp.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_world.h"

enum { NOT_HERE = 4 }; /* a status: nobody may not come into this folder, so nothing is shown */

static struct sql insert = {
    "INSERT INTO thing (number, name, share, bytes) VALUES (?, ?, ?, ?)", 0};
static struct sql by_id = {"SELECT number, name, share, bytes FROM thing WHERE id = ?", 0};
static struct sql all_names = {"SELECT name FROM thing ORDER BY id", 0};
static struct sql name_like = {"SELECT name FROM thing WHERE name > ? ORDER BY name", 0};
static struct sql wrong = {"SELECT nothing FROM nowhere", 0};

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
};

UNIT_RUN(tests)
