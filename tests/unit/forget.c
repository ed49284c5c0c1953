/*
 * Forgetting, over every table there is: rows are made from the schema's own declarations, so a new
 * table is tried from its first commit. And on a disk of its own: after /forgetme no block of the
 * device holds what was stored of the person.
 */
#include "unit.h"

#include "core/mine.h"
#include "core/turn.h"
#include "store/erased.h"

#define WORLD_FOLDER world_folder
static const char *world_folder = "build/forget-XXXXXX";
#include "world.h"
#include "every_feature.h"

static const struct feature *const *const world_features = features;

enum { TABLES = 200, COLUMNS = 40, BLOBS = 600 };
#define CANARY "canary-zq4417"

/* ---- rows out of declarations ---- */

struct made_row {
	char table[64];
	int64_t rowid; /* -1: none was made */
	bool personal;
};

struct maker {
	struct world *w;
	sqlite3 *db;
	struct arena *arena;
	int64_t person;
	struct blob slot;
	bool
	    plain; /* zeros, and nobody where nobody may stand: for tables with rules of their own */
	struct made_row rows[TABLES];
	int count, texts;
	char text[BLOBS][96]; /* every canary that was sealed or written */
	struct blob blobs[BLOBS];
	int blob_count;
};

static const struct column *
declared(const char *table, const char *column)
{
	char name[160];

	snprintf(name, sizeof(name), "%s.%s", table, column);
	for (const struct schema *const *s = engine_schemas(features); *s; s++)
		for (const struct column *c = (*s)->columns; c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

/* All rows of a query's first columns as texts; how many. */
static int
list(sqlite3 *db, const char *sql, const char *of, char rows[][3][64], int most)
{
	sqlite3_stmt *s;
	int n = 0;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	if (of)
		sqlite3_bind_text(s, 1, of, -1, SQLITE_TRANSIENT);
	for (; n < most && sqlite3_step(s) == SQLITE_ROW; n++)
		for (int i = 0; i < 3 && i < sqlite3_column_count(s); i++)
			snprintf(rows[n][i], 64, "%s", (const char *)sqlite3_column_text(s, i));
	sqlite3_finalize(s);
	return n;
}

static int64_t row_of(struct maker *m, const char *table);

/* What the column refers to, "" for none. */
static const char *
parent_of(struct maker *m, const char *table, const char *column)
{
	static char keys[16][3][64];
	int n = list(
	    m->db, "SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?)", table, keys, 16);

	for (int i = 0; i < n; i++)
		if (!strcmp(keys[i][0], column))
			return keys[i][1];
	return "";
}

static struct blob
sealed_canary(struct maker *m, const char *table, const char *column)
{
	char *text = m->text[m->texts++], purpose[160];
	struct blob box;

	snprintf(text, sizeof(m->text[0]), CANARY " %s.%s", table, column);
	snprintf(purpose, sizeof(purpose), "%s.%s", table, column);
	box = seal_box(
	    m->w->seal, m->arena, m->slot, m->person, purpose, (struct blob){text, strlen(text)});
	m->blobs[m->blob_count++] = box;
	return box;
}

static void
bind_value(struct maker *m, sqlite3_stmt *s, int at, const char *table, char column[3][64])
{
	const struct column *c = declared(table, column[0]);
	const char *parent = parent_of(m, table, column[0]);
	struct blob box;

	if (*parent && (!m->plain || strcmp(column[0], "approver"))) {
		sqlite3_bind_int64(s, at, row_of(m, parent));
	} else if (*parent) {
		sqlite3_bind_null(s, at);
	} else if (m->plain && !strcmp(column[1], "INTEGER") && !strcmp(column[2], "0")) {
		sqlite3_bind_int64(s, at, 0);
	} else if (!strcmp(column[1], "BLOB") && c && c->eraser == KEY_GONE) {
		box = sealed_canary(m, table, column[0]);
		sqlite3_bind_blob(s, at, box.bytes, (int)box.length, SQLITE_TRANSIENT);
	} else if (!strcmp(column[1], "BLOB")) {
		unsigned char *bytes = arena_alloc(m->arena, 24);

		seal_random(bytes, 24);
		/* An account's hash stays in the list of erasures, on purpose. */
		if (c && c->eraser == WITH_PERSON && strcmp(c->name, "account.hash"))
			m->blobs[m->blob_count++] = (struct blob){bytes, 24};
		sqlite3_bind_blob(s, at, bytes, 24, SQLITE_TRANSIENT);
	} else if (!strcmp(column[1], "TEXT")) {
		snprintf(m->text[m->texts], sizeof(m->text[0]), CANARY " %s.%s", table, column[0]);
		sqlite3_bind_text(s, at,
		    c && c->eraser == WITH_PERSON ? m->text[m->texts++] : "ours", -1,
		    SQLITE_TRANSIENT);
	} else if (strcmp(column[2], "1")) {
		sqlite3_bind_int64(s, at, 1);
	} else {
		sqlite3_bind_int64(s, at, 700000 + m->count);
	}
}

static bool
is_personal(const char *table)
{
	for (const struct schema *const *s = engine_schemas(features); *s; s++)
		for (const struct column *c = (*s)->columns; c->name; c++)
			if (!strncmp(c->name, table, strlen(table)) &&
			    c->name[strlen(table)] == '.' &&
			    (c->eraser == WITH_PERSON || c->eraser == KEY_GONE))
				return true;
	return false;
}

/* The one row of this table that belongs to the person, made when it is first asked for. */
static int64_t
row_of(struct maker *m, const char *table)
{
	char columns[COLUMNS][3][64], sql[1200] = "", marks[2 * COLUMNS + 1] = "", insert[1500];
	sqlite3_stmt *s;
	struct made_row *row;
	int n;

	if (!strcmp(table, "person"))
		return m->person;
	for (int i = 0; i < m->count; i++)
		if (!strcmp(m->rows[i].table, table))
			return m->rows[i].rowid;
	row = &m->rows[m->count++];
	snprintf(row->table, sizeof(row->table), "%s", table);
	row->personal = is_personal(table);
	n = list(m->db, "SELECT name, type, pk FROM pragma_table_info(?)", table, columns, COLUMNS);
	for (int i = 0; i < n; i++) {
		snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql), "%s\"%s\"", i ? "," : "",
		    columns[i][0]);
		snprintf(marks + strlen(marks), sizeof(marks) - strlen(marks), "%s?", i ? "," : "");
	}
	snprintf(insert, sizeof(insert), "INSERT INTO \"%s\"(%s) VALUES(%s)", table, sql, marks);
	assert_int_equal(sqlite3_prepare_v2(m->db, insert, -1, &s, NULL), SQLITE_OK);
	row->rowid = -1;
	for (m->plain = false; row->rowid < 0; m->plain = true) {
		for (int i = 0; i < n; i++)
			bind_value(m, s, i + 1, table, columns[i]);
		if (sqlite3_step(s) == SQLITE_DONE)
			row->rowid = sqlite3_last_insert_rowid(m->db);
		sqlite3_reset(s);
		if (m->plain)
			break;
	}
	m->plain = false;
	if (row->rowid < 0)
		printf("# %s: %s\n", table, sqlite3_errmsg(m->db));
	sqlite3_finalize(s);
	return row->rowid;
}

/* One row in each table that keeps something of a person. */
static void
rows_make(struct maker *m, struct world *w, int64_t person)
{
	static char tables[TABLES][3][64];
	char *slot;
	sqlite3_stmt *s;
	int n;

	*m = (struct maker){.w = w, .arena = arena_new(), .person = person};
	assert_int_equal(
	    sqlite3_open_v2(w->path, &m->db, SQLITE_OPEN_READWRITE, "scrub"), SQLITE_OK);
	sqlite3_exec(m->db, "PRAGMA secure_delete = ON", NULL, NULL, NULL);
	assert_int_equal(
	    sqlite3_prepare_v2(m->db, "SELECT slot FROM person WHERE id = ?", -1, &s, NULL),
	    SQLITE_OK);
	sqlite3_bind_int64(s, 1, person);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	slot = arena_copy(m->arena, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
	m->slot = (struct blob){slot, (size_t)sqlite3_column_bytes(s, 0)};
	sqlite3_finalize(s);
	m->blobs[m->blob_count++] = m->slot;
	n = list(m->db,
	    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
	    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'schema_version'"
	    " AND name <> 'person' ORDER BY name",
	    NULL, tables, TABLES);
	for (int i = 0; i < n; i++)
		if (is_personal(tables[i][0]))
			assert_true(row_of(m, tables[i][0]) >= 0);
	sqlite3_close(m->db);
	m->db = NULL;
}

static void
forget_person(struct turn *t, void *ctx)
{
	people_erase(t, *(int64_t *)ctx);
}

/* By the canary, "canary table.column". */
static bool
of_others(const char *canary)
{
	const char *name = canary + strlen(CANARY) + 1, *dot = strchr(name, '.');
	char table[64];

	snprintf(table, sizeof(table), "%.*s", (int)(dot - name), name);
	return declared(table, dot + 1)->another;
}

static void
export_turn(struct turn *t, void *ctx)
{
	struct maker *m = ctx;
	struct blob json = mine_json(t, m->person);
	char name[80];
	int missing = 0;

	for (int i = 0; i < m->count; i++) {
		snprintf(name, sizeof(name), "\"%s", m->rows[i].table);
		if (m->rows[i].personal && !memmem(json.bytes, json.length, name, strlen(name)) &&
		    strcmp(m->rows[i].table, "choice_set")) {
			printf("# not exported: %s\n", m->rows[i].table);
			missing++;
		}
	}
	/* All that is theirs, and none of what would tell them of others. */
	for (int i = 0; i < m->texts; i++)
		if (!memmem(json.bytes, json.length, m->text[i], strlen(m->text[i])) !=
		    of_others(m->text[i])) {
			printf("# not exported, or wrongly: %s\n", m->text[i]);
			missing++;
		}
	assert_int_equal(missing, 0);
}

/* How often these bytes stand in the files of the state. */
static int
in_files(struct world *w, const void *what, size_t length)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".erased"};
	int n = 0;

	for (size_t i = 0; i < 4; i++) {
		char path[200], *bytes, *at;
		size_t size;

		snprintf(path, sizeof(path), "%s%s", w->path, ends[i]);
		bytes = unit_read(path, &size);
		for (at = bytes; at && (at = memmem(at, size - (size_t)(at - bytes), what, length));
		     at++)
			n++;
		free(bytes);
	}
	return n;
}

/* Rows about nobody may stay; nothing that came with the person may. */
static void
forget_export_delete_rescan_is_nothing(void **state)
{
	struct world *w = world_new();
	struct maker *m = calloc(1, sizeof(*m));
	int personal = 0, left = 0;

	(void)state;
	world_says(w, "somebody else", "/help");
	world_says(w, "noor " CANARY, "/help");
	rows_make(m, w, 2);
	for (int i = 0; i < m->count; i++)
		personal += m->rows[i].personal;
	assert_true(engine_turn(w->engine, export_turn, m));
	for (int i = 0; i < m->blob_count; i++)
		assert_true(in_files(w, m->blobs[i].bytes, m->blobs[i].length) > 0);
	assert_true(engine_turn(w->engine, forget_person, &m->person));
	world_settle(w);
	for (int i = 0; i < m->blob_count; i++)
		if (in_files(w, m->blobs[i].bytes, m->blobs[i].length)) {
			printf(
			    "# a blob of the person is left, number %d of %d\n", i, m->blob_count);
			left++;
		}
	if (in_files(w, CANARY, strlen(CANARY)))
		printf("# %d words of the person are left\n", in_files(w, CANARY, strlen(CANARY)));
	left += in_files(w, CANARY, strlen(CANARY));
	printf(
	    "# %d tables keep something of a person; %d texts and %d blobs were there, %d are left\n",
	    personal, m->texts, m->blob_count, left);
	assert_true(personal > 25 && m->blob_count > 10);
	assert_int_equal(left, 0);
	arena_free(m->arena);
	free(m);
	world_free(w);
}

/* Every table that keeps something of a person hangs on the person, itself or by its parent. */
static void
forget_every_personal_table_hangs_on_the_person(void **state)
{
	struct world *w = world_new();
	char sql[900];

	(void)state;
	for (const struct schema *const *s = engine_schemas(features); *s; s++)
		for (const struct column *c = (*s)->columns; c->name; c++) {
			char table[64];

			snprintf(table, sizeof(table), "%.*s", (int)strcspn(c->name, "."), c->name);
			if (c->eraser != WITH_PERSON && c->eraser != KEY_GONE)
				continue;
			if (!strcmp(table, "person"))
				continue;
			snprintf(sql, sizeof(sql),
			    "SELECT count(*) FROM pragma_foreign_key_list('%s') f WHERE f.\"table\" ="
			    " 'person' OR EXISTS (SELECT 1 FROM pragma_foreign_key_list(f.\"table\") g"
			    " WHERE g.\"table\" = 'person' AND f.on_delete = 'CASCADE')",
			    table);
			if (world_number(w, sql) < 1)
				fail_msg("%s hangs on nobody", c->name);
		}
	world_free(w);
}

/* What may be exported to one of the two would else name the other to them. */
static void
forget_a_row_of_two_people_shows_each_only_their_own(void **state)
{
	static char pairs[TABLES][3][64];
	struct world *w = world_new();
	sqlite3 *db;
	char name[160];
	int n;

	(void)state;
	assert_int_equal(sqlite3_open_v2(w->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	n = list(db,
	    "SELECT m.name, f.\"from\" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f"
	    " WHERE m.type = 'table' AND f.\"table\" = 'person' AND (SELECT count(*) FROM"
	    " pragma_foreign_key_list(m.name) g WHERE g.\"table\" = 'person') > 1",
	    NULL, pairs, TABLES);
	sqlite3_close(db);
	assert_true(n >= 4);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s.%s", pairs[i][0], pairs[i][1]);
		if (!declared(pairs[i][0], pairs[i][1])->another)
			fail_msg("%s does not say that it tells of somebody else", name);
	}
	world_free(w);
}

/* ---- retention ---- */

static bool
ends_by_time(const char *table)
{
	for (const struct schema *const *s = engine_schemas(features); *s; s++)
		for (const struct column *c = (*s)->columns; c->name; c++)
			if (!strncmp(c->name, table, strlen(table)) &&
			    c->name[strlen(table)] == '.' && c->eraser == AFTER_RETENTION)
				return true;
	return false;
}

/* As the rows are made here: each is what its retention says has not ended. */
static bool
stays_for_a_reason(const char *table)
{
	static const char *const all[] = {
	    "delivery", /* with its post, which is open */
	    "introduction", "introduction_person", "round_member", /* until the next round */
	    "audit",	   /* the newest: the chain hangs on it */
	    "report",	   /* somebody is banned by it */
	    "survey_text", /* its survey is open */
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(all[i], table))
			return true;
	return false;
}

static void
member_turn(struct turn *t, void *ctx)
{
	people_join(t, *(int64_t *)ctx, "arava");
}

/* Rows of everything that a job deletes after a while, a member who stays, and two years. */
static void
forget_what_a_retention_ends_is_gone(void **state)
{
	static char tables[TABLES][3][64];
	struct world *w = world_new();
	struct maker *m = calloc(1, sizeof(*m));
	int n, tried = 0, left = 0;
	char sql[200];

	(void)state;
	world_says(w, "somebody else", "/help");
	world_says(w, "noor", "/help");
	m->person = 2;
	assert_true(engine_turn(w->engine, member_turn, &m->person));
	rows_make(m, w, 2);
	assert_int_equal(
	    sqlite3_open_v2(w->path, &m->db, SQLITE_OPEN_READWRITE, "scrub"), SQLITE_OK);
	n = list(m->db,
	    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
	    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'person' ORDER BY name",
	    NULL, tables, TABLES);
	for (int i = 0; i < n; i++)
		if (ends_by_time(tables[i][0]))
			row_of(m, tables[i][0]);
	sqlite3_close(m->db);
	for (int i = 0; i < 4; i++) {
		w->now_ms += 200 * 86400000LL;
		world_settle(w);
	}
	assert_int_equal(world_number(w, "SELECT count(*) FROM person WHERE id = 2"), 1);
	for (int i = 0; i < m->count; i++) {
		if (!ends_by_time(m->rows[i].table))
			continue;
		tried++;
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%s\"", m->rows[i].table);
		if (world_number(w, sql) && !stays_for_a_reason(m->rows[i].table)) {
			printf("# a retention did not end %s\n", m->rows[i].table);
			left++;
		}
	}
	printf("# %d tables end by time, %d did not\n", tried, left);
	assert_true(tried > 15);
	assert_int_equal(left, 0);
	arena_free(m->arena);
	free(m);
	world_free(w);
}

/* ---- what is kept beside the database ---- */

static void
forget_made_files_go_with_the_person(void **state)
{
	struct world *w = world_new();
	char folder[120];
	int64_t person = 1;
	DIR *d;
	int n = 0;

	(void)state;
	w->fate = (struct outcome){.fate = (enum fate)HOLD};
	world_says(w, "noor", "/mydata");
	snprintf(folder, sizeof(folder), "%s/files", w->folder);
	d = opendir(folder);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	assert_int_equal(n, 1);
	assert_true(engine_turn(w->engine, forget_person, &person));
	rewinddir(d);
	for (struct dirent *e; (e = readdir(d));)
		n -= e->d_name[0] != '.';
	closedir(d);
	assert_int_equal(n, 1);
	world_free(w);
}

static void
forget_a_sent_file_is_gone(void **state)
{
	struct world *w = world_new();
	char folder[120];
	DIR *d;
	int n = 0;

	(void)state;
	world_says(w, "noor", "/mydata");
	snprintf(folder, sizeof(folder), "%s/files", w->folder);
	d = opendir(folder);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	assert_int_equal(n, 0);
	world_free(w);
}

static void
count_entry(void *ctx, const struct erased *entry)
{
	assert_true(entry->serial > 0);
	(*(int *)ctx)++;
}

static void
forget_list_is_pruned_and_keeps_its_number(void **state)
{
	char path[] = "build/forget-list-XXXXXX";
	struct erased e[3] = {
	    {.serial = 5, .day = 100}, {.serial = 6, .day = 200}, {.serial = 7, .day = 50}};
	int fd = mkstemp(path), n = 0;

	(void)state;
	close(fd);
	assert_true(erased_add(path, e, 3));
	assert_int_equal(truncate(path, 90), 0); /* torn by a loss of power */
	assert_int_equal(erased_last(path), 6);
	assert_true(erased_add(path, e + 2, 1));
	assert_true(erased_each(path, 5, count_entry, &n));
	assert_int_equal(n, 2);
	erased_prune(path, 150);
	n = 0;
	erased_each(path, 0, count_entry, &n);
	assert_int_equal(n, 2); /* the young one, and the newest for its number */
	assert_int_equal(erased_last(path), 7);
	unlink(path);
	assert_int_equal(erased_last(path), -1);
}

static void
forget_remembered_hashes_end_with_the_backups(void **state)
{
	struct world *w = world_new();
	int64_t person = 1;

	(void)state;
	world_says(w, "noor", "/help");
	assert_true(engine_turn(w->engine, forget_person, &person));
	assert_int_equal(world_number(w, "SELECT count(*) FROM erasure"), 1);
	world_pass(w, 29 * 86400);
	assert_int_equal(world_number(w, "SELECT count(*) FROM erasure"), 1);
	world_pass(w, 3 * 86400);
	assert_int_equal(world_number(w, "SELECT count(*) FROM erasure"), 0);
	world_free(w);
}

/* ---- the raw device ---- */

static char image[80], mounted[80];

/* "$1" and "$2" in the words. */
static bool
shell(const char *words, const char *a, const char *b)
{
	char command[700];

	snprintf(command, sizeof(command), "set -- '%s' '%s'; %s", a, b, words);
	return system(command) == 0;
}

static bool
device_begin(void)
{
	static int number;

	snprintf(image, sizeof(image), "build/forget-%d-%d.img", (int)getpid(), number);
	snprintf(mounted, sizeof(mounted), "build/forget-%d-%d.mount", (int)getpid(), number++);
	if (getuid() || !shell("truncate -s 24M $1 && mkfs.ext4 -q $1 2>/dev/null", image, ""))
		return false;
	mkdir(mounted, 0700);
	return shell("mount -o loop $1 $2 2>/dev/null", image, mounted);
}

static void
device_end(void)
{
	shell("umount $1 2>/dev/null; rm -f $2", mounted, image);
	rmdir(mounted);
}

/* Also after a test that failed in the middle. */
static int
device_away(void **state)
{
	(void)state;
	device_end();
	return 0;
}

/* The blocks as they lie on the device, once everything was written back. */
static int
on_device(const struct blob *blobs, int count)
{
	char *bytes;
	size_t size;
	int n = 0;

	assert_true(shell("sync -f $1 && sync $2", mounted, image));
	bytes = unit_read(image, &size);
	assert_non_null(bytes);
	for (int i = 0; i < count; i++)
		for (char *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), blobs[i].bytes,
					    blobs[i].length));
		     at++)
			n++;
	free(bytes);
	return n;
}

/* A short life in which pages are written again and again, then /forgetme as people do it. How many
 * copies of what was stored of the person the device holds before and after. */
static int
life_on_a_device(const char *vfs, int *before, int *blobs)
{
	static char folder[120];
	struct maker *m = calloc(1, sizeof(*m));
	struct world *w;
	int after;

	snprintf(folder, sizeof(folder), "%s/state-XXXXXX", mounted);
	world_folder = folder;
	w = world_new();
	world_end(w);
	world_begin(w, vfs);
	world_says(w, "noor", "/help");
	rows_make(m, w, 1);
	for (int i = 0; i < 60; i++) {
		char who[16];

		snprintf(who, sizeof(who), "p%d", i);
		world_says(w, who, "/help");
		world_says(w, "noor", i % 2 ? "/profile" : "/events");
	}
	*before = on_device(m->blobs, m->blob_count);
	*blobs = m->blob_count;
	world_says(w, "noor", "/forgetme");
	assert_true(world_last(w, "noor")->choices == 2);
	world_says(w, "noor", "1");
	assert_int_equal(world_number(w, "SELECT count(*) FROM person WHERE id = 1"), 0);
	/* Some of what was freed is used again, as on any disk; a clean stop unlinks the WAL. */
	world_end(w);
	after = on_device(m->blobs, m->blob_count);
	world_begin(w, vfs);
	arena_free(m->arena);
	free(m);
	world_free(w);
	world_folder = "build/forget-XXXXXX";
	return after;
}

static void
forget_leaves_no_copy_on_the_raw_device(void **state)
{
	int before, blobs, with, without;

	(void)state;
	if (!device_begin()) {
		device_end();
		printf("# skipped: no root, no mkfs.ext4 or no loop device here\n");
		skip();
	}
	with = life_on_a_device(NULL, &before, &blobs);
	device_end();
	assert_true(before > blobs);
	assert_true(device_begin());
	without = life_on_a_device("unix", &before, &blobs);
	device_end();
	printf(
	    "# raw ext4 device, %d secrets of one person: %d copies after /forgetme; the control without "
	    "the scrubbing layer %d\n",
	    blobs, with, without);
	assert_int_equal(with, 0);
	assert_true(without > 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(forget_export_delete_rescan_is_nothing),
    cmocka_unit_test(forget_every_personal_table_hangs_on_the_person),
    cmocka_unit_test(forget_a_row_of_two_people_shows_each_only_their_own),
    cmocka_unit_test(forget_what_a_retention_ends_is_gone),
    cmocka_unit_test(forget_made_files_go_with_the_person),
    cmocka_unit_test(forget_a_sent_file_is_gone),
    cmocka_unit_test(forget_list_is_pruned_and_keeps_its_number),
    cmocka_unit_test(forget_remembered_hashes_end_with_the_backups),
    cmocka_unit_test_teardown(forget_leaves_no_copy_on_the_raw_device, device_away),
};

UNIT_RUN(tests)
