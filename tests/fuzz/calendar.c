/* Any bytes: a calendar is read and asked without a crash, and what it answers keeps calendar.h's
 * word. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/calendar.h"
#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

/* No control but tab and newline, no bidi control. */
static void
plain(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	demand(p != NULL);
	for (; *p; p++) {
		demand((*p >= ' ' && *p != 127) || *p == '\n' || *p == '\t');
		demand(!(p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae));
		demand(!(p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
	}
}

static void
ask(struct calendar *calendar, int64_t from_s, int64_t to_s)
{
	struct instance *list;
	size_t count = calendar_between(calendar, from_s, to_s, &list);

	for (size_t i = 0; i < count; i++) {
		plain(list[i].summary);
		plain(list[i].description);
		plain(list[i].location);
		demand(list[i].uid && list[i].recurrence && list[i].url && list[i].zone);
		demand(list[i].start_s < to_s && list[i].end_s >= from_s);
		demand(list[i].end_s >= list[i].start_s);
		demand(!i || list[i - 1].start_s <= list[i].start_s);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	static struct zones *zones;
	struct calendar *calendar;

	if (!arena) {
		arena = arena_new();
		zones = zones_open(NULL);
	}
	calendar = calendar_parse(arena, data, size, zones, "Asia/Jerusalem");
	if (calendar) {
		demand(calendar_problems(calendar) >= 0);
		ask(calendar, 1800000000, 1800000000 + 90 * 86400);
		ask(calendar, 0, 4000000000);
	}
	arena_forget(arena);
	return 0;
}
