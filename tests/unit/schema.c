/* Every column of the schema says why it is there; every statement can be prepared. */
#include "unit.h"

#include <unistd.h>

#include "core/engine.h"
#include "store/db.h"
#include "every_feature.h"

static int missing, columns, statements;

static void
column_seen(void *ctx, const char *table, const char *column)
{
	char name[200];

	(void)ctx;
	columns++;
	snprintf(name, sizeof(name), "%s.%s", table, column);
	for (const struct schema *const *s = engine_schemas(features); *s; s++)
		for (const struct column *c = (*s)->columns; c->name; c++)
			if (!strcmp(c->name, name) && c->purpose[0] && c->retention[0])
				return;
	printf("# not declared: %s\n", name);
	missing++;
}

static void
statement_seen(void *ctx, struct sql *sql)
{
	const char *why = db_check(ctx, sql);

	statements++;
	if (why)
		printf("# %s: %s\n", why, sql->text);
	assert_null(why);
}

static void
schema_declares_every_column(void **state)
{
	struct db_options options = {
	    .path = "build/schema-test.db", .schemas = engine_schemas(features)};
	struct db *db;
	char *why = NULL;

	(void)state;
	remove(options.path);
	assert_int_equal(db_open(&db, &options, &why), DB_OK);
	db_columns(db, column_seen, NULL);
	engine_statements(features, statement_seen, db);
	printf("# %d columns, %d statements\n", columns, statements);
	assert_true(columns > 50 && statements > 50);
	assert_int_equal(missing, 0);
	db_close(db);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(schema_declares_every_column),
};

UNIT_RUN(tests)
