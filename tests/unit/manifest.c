/* What a killed process leaves behind of what it had handed over. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "store/manifest.h"

enum { BOOT = 1000000, ROOM = 504 };

static char folder[] = "build/manifest-XXXXXX";
static char database[64], lock[64];

static int
begin(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "build/manifest-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(database, sizeof(database), "%s/x.db", folder);
	snprintf(lock, sizeof(lock), "%s/x.db.lock", folder);
	fclose(fopen(database, "w"));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	unlink(database);
	unlink(lock);
	return rmdir(folder);
}

/* A life of the bot that is killed with 7 under way and 8 landed. */
static void
a_life(int64_t boot_ms, bool settled)
{
	struct manifest *m = manifest_open(database, boot_ms);

	assert_non_null(m);
	if (settled)
		manifest_trust(m);
	assert_true(manifest_enter(m, 7));
	assert_true(manifest_enter(m, 8));
	manifest_leave(m, 8);
	manifest_close(m);
}

static void
manifest_remembers_after_a_kill(void **state)
{
	struct manifest *m;

	(void)state;
	a_life(BOOT, true);
	m = manifest_open(database, BOOT + 1500);
	assert_true(manifest_known(m));
	assert_true(manifest_has(m, 7));
	assert_false(manifest_has(m, 8));
	manifest_close(m);
}

static void
manifest_knows_nothing_of_another_life(void **state)
{
	static const int64_t other[] = {BOOT + 60000, BOOT - 60000};
	struct manifest *m;

	(void)state;
	for (int i = 0; i < 2; i++) {
		a_life(BOOT, true);
		m = manifest_open(database, other[i]);
		assert_false(manifest_known(m));
		assert_false(manifest_has(m, 7));
		manifest_close(m);
		unlink(lock);
	}
}

static void
manifest_knows_nothing_of_another_database(void **state)
{
	struct manifest *m;
	char other[80];

	(void)state;
	a_life(BOOT, true);
	snprintf(other, sizeof(other), "%s.new", database);
	fclose(fopen(other, "w"));
	assert_int_equal(rename(other, database), 0);
	m = manifest_open(database, BOOT);
	assert_false(manifest_known(m));
	manifest_close(m);
}

/* Killed again before what a loss of power left in doubt was settled. */
static void
manifest_is_not_believed_before_all_is_settled(void **state)
{
	struct manifest *m;

	(void)state;
	a_life(BOOT, false);
	m = manifest_open(database, BOOT);
	assert_false(manifest_known(m));
	manifest_close(m);
}

static void
manifest_says_when_it_is_full(void **state)
{
	struct manifest *m = manifest_open(database, BOOT);

	(void)state;
	for (int i = 1; i <= ROOM; i++)
		assert_true(manifest_enter(m, i));
	assert_false(manifest_enter(m, ROOM + 1));
	manifest_leave(m, 100);
	assert_true(manifest_enter(m, ROOM + 1));
	assert_true(manifest_has(m, ROOM + 1));
	assert_false(manifest_has(m, 100));
	manifest_close(m);
}

static void
manifest_of_nothing_is_none(void **state)
{
	(void)state;
	assert_null(manifest_open("build/no such folder/x.db", BOOT));
	assert_true(manifest_boot_ms() > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
static const struct CMUnitTest tests[] = {
    TEST(manifest_remembers_after_a_kill),
    TEST(manifest_knows_nothing_of_another_life),
    TEST(manifest_knows_nothing_of_another_database),
    TEST(manifest_is_not_believed_before_all_is_settled),
    TEST(manifest_says_when_it_is_full),
    TEST(manifest_of_nothing_is_none),
};

UNIT_RUN(tests)
