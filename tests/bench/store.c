/*
 * What the store costs: microseconds for each simple statement inside a transaction, and durable
 * commits a second. build/bench-store [FOLDER [PAGES]]; FOLDER should lie on a real disk (default:
 * build), PAGES are those between two checkpoints.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "store/db.h"
#include "store/seal.h"

enum {
	PEOPLE = 50000,
	STATEMENTS = 200000,
	COMMITS = 2000,
	BATCH = 50,
	BOXES = 100000,
	TURN = 64, /* statements between two arena_forget */
};

static const char *const steps[] = {
    "CREATE TABLE person (id INTEGER PRIMARY KEY, hash BLOB NOT NULL, name TEXT, points INTEGER)"
    " STRICT; CREATE UNIQUE INDEX person_hash ON person (hash);"
    "CREATE TABLE note (id INTEGER PRIMARY KEY, person INTEGER, body BLOB) STRICT;",
    NULL,
};
static const struct schema schema = {"bench", steps, NULL};
static const struct schema *const schemas[] = {&schema, NULL};

static struct sql person_new = {
    "INSERT INTO person (id, hash, name, points) VALUES (?, ?, ?, 0)", 0};
static struct sql points = {"SELECT points FROM person WHERE id = ?", 0};
static struct sql by_hash = {"SELECT id FROM person WHERE hash = ?", 0};
static struct sql name_of = {"SELECT name FROM person WHERE id = ?", 0};
static struct sql row_of = {"SELECT name, points FROM person WHERE id = ?", 0};
static struct sql more_points = {"UPDATE person SET points = points + 1 WHERE id = ?", 0};
static struct sql note_new = {"INSERT INTO note (person, body) VALUES (?, ?)", 0};
static struct sql note_end = {"DELETE FROM note WHERE id = ?", 0};

static struct db *db;
static struct arena *arena;
static int64_t checksum;

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct blob
hash_of(int64_t id)
{
	static unsigned char hash[16];
	uint64_t x = (uint64_t)id * 0x9E3779B97F4A7C15ULL;

	memcpy(hash, &x, 8);
	x ^= x >> 29;
	memcpy(hash + 8, &x, 8);
	return (struct blob){hash, sizeof(hash)};
}

static void
ask_number(int64_t id)
{
	checksum += db_number(db, &points, V(id), 0);
}

static void
ask_hash(int64_t id)
{
	checksum += db_number(db, &by_hash, V(hash_of(id)), 0);
}

static void
ask_text(int64_t id)
{
	checksum += db_string(db, &name_of, V(id))[0];
}

static void
ask_rows(int64_t id)
{
	struct rows *r = db_query(db, &row_of, V(id));

	while (db_next(r))
		checksum += db_text(r, 0)[0] + db_int(r, 1);
}

static void
update(int64_t id)
{
	checksum += db_run(db, &more_points, V(id));
}

static void
insert_note(int64_t id)
{
	static const char body[200];

	checksum += db_insert(db, &note_new, V(id, ((struct blob){body, sizeof(body)})));
}

static void
insert_delete(int64_t id)
{
	int64_t note = db_insert(db, &note_new, V(id, ((struct blob){"text", 4})));

	db_run(db, &note_end, V(note));
}

static void
measure(const char *what, void (*ask)(int64_t id), int64_t spread)
{
	double start = now_s(), s;

	db_begin(db);
	for (int i = 0; i < STATEMENTS; i++) {
		ask(1 + (int64_t)((uint32_t)i * 2654435761u % (uint64_t)spread));
		if (i % TURN == 0)
			arena_forget(arena);
	}
	s = now_s() - start;
	if (!db_commit(db))
		abort();
	printf("%-44s %8.2f us\n", what, s * 1e6 / STATEMENTS);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
commits(int turns)
{
	static double each[COMMITS];
	double start = now_s(), s, t;

	for (int i = 0; i < COMMITS; i++) {
		t = now_s();
		db_begin(db);
		for (int j = 0; j < turns; j++) {
			db_savepoint(db);
			insert_note(1 + i);
			update(1 + (i * 31 + j) % PEOPLE);
			db_savepoint_keep(db);
		}
		arena_forget(arena);
		if (!db_commit(db))
			abort();
		each[i] = now_s() - t;
	}
	s = now_s() - start;
	qsort(each, COMMITS, sizeof(*each), by_size);
	printf("durable commits of %2d turns: %6.0f /s, %7.0f turns/s; p50 %.2f p99 %.2f max %.2f "
	       "ms\n",
	    turns, COMMITS / s, COMMITS * turns / s, each[COMMITS / 2] * 1e3,
	    each[COMMITS * 99 / 100] * 1e3, each[COMMITS - 1] * 1e3);
}

static void
boxes(void)
{
	struct seal *seal = seal_from((const unsigned char *)"thirty-two bytes for a benchmark");
	struct blob slot = seal_slot_new(seal, arena, 1), plain = {"twenty bytes of text", 20}, box;
	unsigned char hash[SEAL_HASH_BYTES], *kept = malloc(slot.length);
	double start = now_s();

	if (!kept)
		abort();
	slot.bytes = memcpy(kept, slot.bytes, slot.length);
	for (int i = 0; i < BOXES; i++) {
		box = seal_box(seal, arena, slot, 1, "bench", plain);
		checksum += (int64_t)seal_unbox(seal, arena, slot, 1, "bench", box).length;
		if (i % TURN == 0)
			arena_forget(arena);
	}
	printf("%-44s %8.2f us\n", "seal and open under a person's key",
	    (now_s() - start) * 1e6 / BOXES);
	start = now_s();
	for (int i = 0; i < BOXES; i++)
		seal_hash(seal, "bench", &i, sizeof(i), hash);
	printf("%-44s %8.2f us\n", "keyed hash", (now_s() - start) * 1e6 / BOXES);
	free(kept);
	seal_close(seal);
}

static void
people_make(void)
{
	double start = now_s();

	db_begin(db);
	for (int64_t id = 1; id <= PEOPLE; id++)
		db_run(db, &person_new, V(id, hash_of(id), "A name of usual length"));
	if (!db_commit(db))
		abort();
	db_checkpoint(db);
	printf("%-44s %8.2f us\n", "insert with two indexes, 50,000 people",
	    (now_s() - start) * 1e6 / PEOPLE);
}

int
main(int argc, char **argv)
{
	char folder[256], path[300], command[300], *why;
	struct rusage usage;
	double start;

	snprintf(folder, sizeof(folder), "%s/bench-store-XXXXXX", argc > 1 ? argv[1] : "build");
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/bot.db", folder);
	start = now_s();
	if (db_open(&db,
		&(struct db_options){.path = path,
		    .schemas = schemas,
		    .checkpoint_pages = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0},
		&why) != DB_OK) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	printf("%-44s %8.2f ms\n", "open a new state", (now_s() - start) * 1e3);
	db_arena(db, arena = arena_new());
	people_make();
	measure("number by id, 1,000 people in turn", ask_number, 1000);
	measure("number by id, 50,000 people at random", ask_number, PEOPLE);
	measure("number by keyed hash, 1,000 people", ask_hash, 1000);
	measure("number by keyed hash, 50,000 people", ask_hash, PEOPLE);
	measure("text by id", ask_text, 1000);
	measure("query, two columns", ask_rows, 1000);
	measure("update by id", update, 1000);
	measure("insert of 200 bytes", insert_note, PEOPLE);
	measure("insert and delete", insert_delete, PEOPLE);
	boxes();
	commits(1);
	commits(BATCH);
	getrusage(RUSAGE_SELF, &usage);
	printf("%-44s %8.1f MB\n", "resident at most", (double)usage.ru_maxrss / 1024);
	db_close(db);
	arena_free(arena);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) != 0 || checksum == 0;
}
