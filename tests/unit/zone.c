#include "unit.h"

#include <jansson.h>
#include <stdbool.h>

#include "base/zone.h"

static bool
local_holds(struct zones *zones, const char *name, int64_t utc_s, const char *want)
{
	struct zone_local l = zone_to_local(zone_find(zones, name), utc_s);
	char text[CIVIL_TEXT], mine[48];
	int minutes = abs(l.offset_s) / 60;

	snprintf(mine, sizeof mine, "%s%c%02d%02d", civil_write(&l.civil, text),
	    l.offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
	return strcmp(mine, want) == 0;
}

static bool
wall_holds(struct zones *zones, const json_t *row)
{
	static const char *const names[] = {"unique", "ambiguous", "gap"};
	const json_t *want = json_object_get(row, "unix");
	struct civil wall;

	if (!civil_read(json_string_value(json_object_get(row, "local")), &wall))
		return false;
	struct zone_utc got =
	    zone_to_utc(zone_find(zones, json_string_value(json_object_get(row, "zone"))), &wall);
	int64_t first = json_integer_value(json_array_get(want, 0));
	int64_t second =
	    json_array_size(want) > 1 ? json_integer_value(json_array_get(want, 1)) : first;
	bool either = (got.utc[0] == first && got.utc[1] == second) ||
		      (got.reading == ZONE_GAP && got.utc[0] == second && got.utc[1] == first);
	return either &&
	       strcmp(names[got.reading], json_string_value(json_object_get(row, "status"))) == 0;
}

static void
zone_agrees_with_the_oracle(void **state)
{
	const char *path = unit_shared("tz/cases.jsonl");
	int good = 0, all = 0;

	(void)state;
	if (!path)
		skip();
	struct zones *zones = zones_open(NULL);
	char *bytes = unit_read(path, NULL), *rest = bytes;
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		json_t *row = json_loads(line, 0, NULL), *local = json_object_get(row, "local"),
		       *value;
		bool holds = true;
		const char *name;
		if (json_is_object(local)) {
			json_object_foreach(local, name, value) holds =
			    holds && local_holds(zones, name,
					 json_integer_value(json_object_get(row, "unix")),
					 json_string_value(value));
		} else {
			holds = wall_holds(zones, row);
		}
		if (!holds)
			printf("# differs: %s\n", line);
		all++;
		good += holds;
		json_decref(row);
	}
	printf("# zones: %d of %d\n", good, all);
	free(bytes);
	zones_close(zones);
	assert_int_equal(good, all);
}

static void
zone_takes_the_operators_word(void **state)
{
	struct zones *zones = zones_open(NULL);
	const struct zone *hebron = zone_find(zones, "Asia/Hebron");
	struct civil wall = {2027, 3, 27, 2, 0, 0}, later = {2027, 4, 1, 19, 0, 0};
	int64_t before = zone_instant(hebron, &later);

	(void)state;
	assert_null(zone_override(zones, "Asia/Hebron", &wall, 7200));
	assert_int_equal(zone_instant(hebron, &later) - before, 3600);
	assert_non_null(zone_override(zones, "No/Where", &wall, 7200));
	zone_override_clear(zones);
	assert_int_equal(zone_instant(hebron, &later), before);
	assert_null(zone_find(zones, "../passwd"));
	assert_non_null(zone_find(zones, "UTC"));
	zones_close(zones);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(zone_agrees_with_the_oracle),
    cmocka_unit_test(zone_takes_the_operators_word),
};

UNIT_RUN(tests)
