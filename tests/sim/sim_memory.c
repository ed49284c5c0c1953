/*
 * SQLite's memory, which runs out when it is told to: SQLite goes on and says SQLITE_NOMEM. All
 * other memory of the bot ends the process when it runs out (base/memory.h, and jansson's with it):
 * that is a kill at some point between two changes to the disk, and --nth-kill sweeps those.
 * libcurl's and libuv's is swept with the real ones: tests/unit/http_memory.c.
 */
#include "sim.h"

#include <sqlite3.h>
#include <string.h>

static sqlite3_mem_methods real;
static int64_t count, fail_at;
static bool fail_for_ever, looking;

static bool
fails(void)
{
	if (looking)
		return false;
	sweep_point(POINT_MEMORY, ++count);
	return fail_at && (fail_for_ever ? count >= fail_at : count == fail_at);
}

static void *
failing_malloc(int bytes)
{
	return fails() ? NULL : real.xMalloc(bytes);
}

static void *
failing_realloc(void *old, int bytes)
{
	return fails() ? NULL : real.xRealloc(old, bytes);
}

void
memory_hook(void)
{
	sqlite3_mem_methods ours;

	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
	ours = real;
	ours.xMalloc = failing_malloc;
	ours.xRealloc = failing_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}

void
memory_fail_at(int64_t allocation, bool for_ever)
{
	fail_at = allocation;
	fail_for_ever = for_ever;
}

void
memory_fail_after(int64_t allocations, bool for_ever)
{
	count = 0;
	memory_fail_at(allocations, for_ever);
}

void
memory_look(bool look)
{
	looking = look;
}

int64_t
memory_count(void)
{
	return count;
}
