/* A state of one small table in a folder of its own, for the tests of the store. Included by one test
 * program each; everything is static. */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H

#include "unit.h"

#include "base/arena.h"
#include "store/db.h"

#include "folder.h"

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

static struct sql insert_name = {"INSERT INTO thing (name) VALUES (?)", 0};
static struct sql insert_number = {"INSERT INTO thing (number, bytes) VALUES (?, ?)", 0};
static struct sql how_many = {"SELECT count(*) FROM thing", 0};
static struct sql highest = {"SELECT max(number) FROM thing", 0};
static struct sql delete_all = {"DELETE FROM thing", 0};

struct place {
	char folder[64], path[96];
	struct arena *arena;
	struct db *db;
};

static inline struct db *
opened(struct place *p, const struct schema *const *schemas)
{
	struct db_options o = {.path = p->path, .schemas = schemas};
	char *why;

	assert_int_equal(db_open(&p->db, &o, &why), DB_OK);
	assert_null(why);
	db_arena(p->db, p->arena);
	return p->db;
}

static inline void
folder_begin(struct place *p)
{
	snprintf(p->folder, sizeof(p->folder), "build/store-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/bot.db", p->folder);
	p->arena = arena_new();
}

static inline int
place_begin(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	folder_begin(p);
	opened(p, only_one);
	*state = p;
	return 0;
}

static inline int
place_end(void **state)
{
	struct place *p = *state;

	db_close(p->db);
	arena_free(p->arena);
	assert_true(remove_folder(p->folder));
	free(p);
	return 0;
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_begin, place_end)

#endif
