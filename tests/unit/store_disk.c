/* What the store leaves on a disk: deleted is gone from every block, and power cuts, I/O errors and a
 * full disk lose nothing that was acknowledged. */
#include "unit.h"

#include <sqlite3.h>

#include "store/parts.h"

#include "../sim/crash_locks.c"
#include "../sim/crash_vfs.c"
#include "store_world.h"

enum {
	CUTS = 2400,
	CONTROL_CUTS = 400,
	COMMITS_A_CUT = 12,
	SWEEP_LIMIT = 2000,
};

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
	static struct sql healthy = {"PRAGMA quick_check", 0};
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

static const struct CMUnitTest tests[] = {
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
