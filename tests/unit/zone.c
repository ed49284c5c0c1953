#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/zone.h"

static int64_t
seconds_of(const char *text)
{
	struct civil c;

	if (!civil_read(text, &c))
		fail_msg("not a date: %s", text);
	return civil_seconds(&c);
}

static struct civil
civil_of(const char *text)
{
	return civil_from(seconds_of(text));
}

static void
check_local(const struct zone *zone, const char *utc, const char *wall, const char *abbreviation)
{
	char text[CIVIL_TEXT];
	struct zone_local local = zone_to_local(zone, seconds_of(utc));

	assert_string_equal(civil_write(&local.civil, text), wall);
	assert_string_equal(local.abbreviation, abbreviation);
}

/* A folder for zone files, made new; its name stays valid until the next call. */
static const char *
folder(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/zone-test-XXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

static void
put(unsigned char **p, uint64_t value, int bytes)
{
	while (bytes-- > 0)
		*(*p)++ = (unsigned char)(value >> (8 * bytes));
}

/* A TZif file of version 2 with one type, no changes and this footer. */
static void
write_zone(const char *directory, const char *name, int32_t offset_s, const char *footer)
{
	unsigned char bytes[512] = {0}, *p = bytes;
	char path[256];
	FILE *f;

	for (int version = 0; version < 2; version++) {
		memcpy(p, "TZif2", 5);
		p += 20;
		for (int i = 0; i < 4; i++)
			put(&p, 0, 4);
		put(&p, 1, 4);
		put(&p, 4, 4);
		put(&p, (uint32_t)offset_s, 4);
		put(&p, 0, 2);
		memcpy(p, "XST", 4);
		p += 4;
	}
	p += snprintf((char *)p, 128, "\n%s\n", footer);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	fwrite(bytes, 1, (size_t)(p - bytes), f);
	fclose(f);
}

static void
remove_zone(const char *directory, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

static void
zone_counts_days(void **state)
{
	(void)state;
	assert_int_equal(civil_days(1970, 1, 1), 0);
	assert_int_equal(civil_days(2000, 3, 1), 11017);
	assert_int_equal(civil_weekday(civil_days(2027, 3, 26)), 5);
	assert_int_equal(civil_weekday(civil_days(1969, 12, 31)), 3);
	for (int64_t day = -800000; day < 800000; day += 37) {
		struct civil c = civil_date(day);

		assert_int_equal(civil_days(c.year, c.month, c.day), day);
	}
	assert_int_equal(civil_from(-1).second, 59);
	assert_int_equal(civil_from(-1).year, 1969);
}

static void
zone_reads_wall_times(void **state)
{
	static const char *const bad[] = {"", "2027", "2027-3-26", "2027-03-26T", "2027-02-29",
	    "2027-03-26T24:00", "2027-03-26T02:60", "2027-03-26T02", "2027-03-26T02:00 ",
	    "2027-03-26x", "0000-01-01", "2027-13-01", "2027-03-26T02:00:61"};
	struct civil c;

	(void)state;
	assert_true(civil_read("2027-03-26T02:05", &c));
	assert_int_equal(civil_seconds(&c), 1806026700);
	assert_true(civil_read("2027-03-26 02:05:07", &c));
	assert_int_equal(c.second, 7);
	assert_true(civil_read("2028-02-29", &c));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (civil_read(bad[i], &c))
			fail_msg("read: %s", bad[i]);
}

static void
zone_reads_footers(void **state)
{
	const char *directory = folder();
	struct zones *z;
	const struct zone *zone;

	(void)state;
	/* The 28th of March 2026 is the Saturday after the fourth Thursday: 50 hours. */
	write_zone(directory, "Fifty", 7200, "EET-2EEST,M3.4.4/50,M10.4.4/50");
	write_zone(directory, "Named", -10800, "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1:30:15");
	write_zone(directory, "Julian", 3600, "AAA-1BBB,J60/0,300/0");
	write_zone(directory, "Always", 3600, "AAA-1BBB,0/0,J365/25");
	write_zone(directory, "Half", 19800, "IST-5:30");
	write_zone(directory, "Broken", 3600, "AAA-1BBB,M13.1.0,M10.5.0");
	z = zones_open(directory);
	zone = zone_find(z, "Fifty");
	check_local(zone, "2026-03-27T23:59:59", "2026-03-28T01:59:59", "EET");
	check_local(zone, "2026-03-28T00:00", "2026-03-28T03:00:00", "EEST");
	check_local(zone, "2026-10-23T22:59:59", "2026-10-24T01:59:59", "EEST");
	check_local(zone, "2026-10-23T23:00", "2026-10-24T01:00:00", "EET");
	zone = zone_find(z, "Named");
	check_local(zone, "2023-03-26T00:59:59", "2023-03-25T21:59:59", "-03");
	check_local(zone, "2023-03-26T01:00", "2023-03-25T23:00:00", "-02");
	check_local(zone, "2023-10-29T00:29:45", "2023-10-28T21:29:45", "-03");
	zone = zone_find(z, "Julian");
	check_local(zone, "2024-02-29T23:00", "2024-03-01T01:00:00", "BBB");
	check_local(zone, "2024-02-29T22:59:59", "2024-02-29T23:59:59", "AAA");
	check_local(zone, "2023-10-27T21:59:59", "2023-10-27T23:59:59", "BBB");
	zone = zone_find(z, "Always");
	check_local(zone, "2030-12-31T23:30", "2031-01-01T01:30:00", "BBB");
	check_local(zone_find(z, "Half"), "2030-06-01T00:00", "2030-06-01T05:30:00", "IST");
	check_local(zone_find(z, "Broken"), "2030-06-01T00:00", "2030-06-01T01:00:00", "XST");
	zones_close(z);
	for (size_t i = 0; i < 6; i++)
		remove_zone(directory,
		    ((const char *[]){"Fifty", "Named", "Julian", "Always", "Half", "Broken"})[i]);
	rmdir(directory);
}

static void
zone_refuses_names_and_files(void **state)
{
	const char *directory = folder();
	struct zones *z = zones_open(directory), *system = zones_open(NULL);
	static const char *const bad[] = {"", "../etc/passwd", "/etc/passwd", "Asia/../Asia/Hebron",
	    ".", "Asia/", "Asia", "Nowhere/Land", "tzdata.zi", "zone.tab", "Asia/Hebron "};
	char path[128];
	FILE *f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (zone_find(system, bad[i]))
			fail_msg("found: %s", bad[i]);
	assert_null(zone_find(system, NULL));
	/* Every cut of a good file is refused or answers; none is read beyond its end. */
	for (size_t length = 0; length < 2000; length++) {
		size_t whole;
		char *bytes = unit_read("/usr/share/zoneinfo/Asia/Hebron", &whole);
		char name[16];

		if (!bytes)
			break;
		snprintf(name, sizeof(name), "C%zu", length);
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		f = fopen(path, "wb");
		fwrite(bytes, 1, length < whole ? length : whole, f);
		fclose(f);
		zone_find(z, name);
		unlink(path);
		free(bytes);
		if (length >= whole)
			break;
	}
	assert_non_null(zone_find(z, "UTC"));
	assert_int_equal(zone_offset(zone_find(z, "UTC"), 1800000000), 0);
	rmdir(directory);
	zones_close(z);
	zones_close(system);
}

static void
zone_reloads_what_changed(void **state)
{
	const char *directory = folder();
	struct zones *z = zones_open(directory);
	const struct zone *zone;

	(void)state;
	write_zone(directory, "Here", 7200, "EET-2");
	write_zone(directory, "There", 7200, "EET-2");
	zone = zone_find(z, "Here");
	zone_find(z, "There");
	assert_int_equal(zones_reload(z), 0);
	write_zone(directory, "Here", 10800, "EEST-3");
	assert_int_equal(zone_offset(zone, 0), 7200);
	assert_int_equal(zones_reload(z), 1);
	assert_int_equal(zone_offset(zone, 0), 10800);
	remove_zone(directory, "Here");
	assert_int_equal(zones_reload(z), 0);
	assert_int_equal(zone_offset(zone, 0), 10800);
	remove_zone(directory, "There");
	rmdir(directory);
	zones_close(z);
}

static void
zone_obeys_the_operator(void **state)
{
	const char *directory = folder();
	struct zones *z = zones_open(directory);
	const struct zone *zone;
	struct civil wall = civil_of("2027-03-27T02:00");
	struct zone_change change;

	(void)state;
	write_zone(directory, "Place", 7200, "EET-2EEST,M3.5.0/2,M10.5.0/2");
	zone = zone_find(z, "Place");
	assert_non_null(zone_override(z, "No/Where", &wall, 10800));
	assert_non_null(zone_override(z, "Place", &wall, 100000));
	/* A day earlier than the file, and back at an hour the file does not know. */
	assert_null(zone_override(z, "Place", &wall, 10800));
	check_local(zone, "2027-03-26T23:59:59", "2027-03-27T01:59:59", "EET");
	check_local(zone, "2027-03-27T00:00", "2027-03-27T03:00:00", "EEST");
	check_local(zone, "2027-12-01T00:00", "2027-12-01T03:00:00", "EEST");
	wall = civil_of("2027-10-23T02:00");
	assert_null(zone_override(z, "Place", &wall, 7200));
	check_local(zone, "2027-10-22T22:59:59", "2027-10-23T01:59:59", "EEST");
	check_local(zone, "2027-10-22T23:00", "2027-10-23T01:00:00", "EET");
	assert_int_equal(
	    zone_to_utc(zone, &(struct civil){2027, 10, 23, 1, 30, 0}).reading, ZONE_AMBIGUOUS);
	assert_true(zone_next(zone, seconds_of("2027-04-01"), &change));
	assert_int_equal(change.utc, seconds_of("2027-10-22T23:00"));
	assert_false(zone_next(zone, change.utc, &change));
	/* Given again, an offset that no kind of the file has. */
	assert_null(zone_override(z, "Place", &wall, 16200));
	check_local(zone, "2027-10-22T23:00", "2027-10-23T03:30:00", "+0430");
	assert_int_equal(zones_reload(z), 0);
	check_local(zone, "2027-10-22T23:00", "2027-10-23T03:30:00", "+0430");
	zone_override_clear(z);
	check_local(zone, "2027-03-27T00:00", "2027-03-27T02:00:00", "EET");
	/* The change of March 2027 called off two days before: 02:30 exists, in summer nothing
	 * moves. */
	wall = civil_of("2027-03-28T02:00");
	assert_null(zone_override(z, "Place", &wall, 7200));
	check_local(zone, "2027-03-28T00:30", "2027-03-28T02:30:00", "EET");
	remove_zone(directory, "Place");
	rmdir(directory);
	zones_close(z);
}

static void
zone_reads_wall_times_both_ways(void **state)
{
	struct zone_step steps[] = {{1000000, 3600}, {2000000, -3600}, {2000000, 7200}};
	struct zone *made = zone_made("Made", 0, steps, 3);
	struct zone_utc got;
	struct civil wall = civil_from(1000000 + 1800);

	(void)state;
	assert_string_equal(zone_name(made), "Made");
	got = zone_to_utc(made, &wall);
	assert_int_equal(got.reading, ZONE_GAP);
	assert_int_equal(got.utc[0], 1001800);
	assert_int_equal(got.utc[1], 998200);
	assert_int_equal(zone_instant(made, &wall), 1001800);
	wall = civil_from(2000000 + 3600);
	got = zone_to_utc(made, &wall);
	assert_int_equal(got.reading, ZONE_GAP);
	wall = civil_from(2000000 + 7200);
	got = zone_to_utc(made, &wall);
	assert_int_equal(got.reading, ZONE_UNIQUE);
	assert_int_equal(got.utc[0], 2000000);
	zone_free(made);
}

static void
zone_knows_its_data(void **state)
{
	struct zones *z = zones_open(NULL), *none = zones_open("/nonexistent");
	char version[16];

	(void)state;
	zones_version(z, version, sizeof(version));
	printf("# tzdata %s, written %lld\n", version, (long long)zones_written_s(z));
	assert_true(strlen(version) >= 5 && version[0] == '2');
	assert_true(zones_written_s(z) > 1500000000);
	zones_version(none, version, sizeof(version));
	assert_string_equal(version, "");
	assert_int_equal(zones_written_s(none), 0);
	zones_close(z);
	zones_close(none);
}

static int
check_row(struct zones *z, const json_t *row)
{
	const char *kind = json_string_value(json_object_get(row, "kind")), *name;
	const json_t *unix_s = json_object_get(row, "unix"), *value;
	int right = 0;

	if (!strcmp(kind, "utc_to_local")) {
		json_object_foreach(
		    (json_t *)(uintptr_t)json_object_get(row, "local"), name, value) {
			struct zone_local local =
			    zone_to_local(zone_find(z, name), json_integer_value(unix_s));
			char text[CIVIL_TEXT + 16];

			civil_write(&local.civil, text);
			snprintf(text + strlen(text), 16, "%+03d%02d", local.offset_s / 3600,
			    abs(local.offset_s) / 60 % 60);
			assert_string_equal(text, json_string_value(value));
			right++;
		}
	} else {
		static const char *const words[] = {"unique", "ambiguous", "gap"};
		struct civil wall = civil_of(json_string_value(json_object_get(row, "local")));
		struct zone_utc got = zone_to_utc(
		    zone_find(z, json_string_value(json_object_get(row, "zone"))), &wall);

		assert_string_equal(
		    words[got.reading], json_string_value(json_object_get(row, "status")));
		for (size_t i = 0; i < json_array_size(unix_s); i++)
			assert_int_equal(got.utc[i], json_integer_value(json_array_get(unix_s, i)));
	}
	return right;
}

static void
zone_agrees_with_the_oracle(void **state)
{
	const char *path = unit_shared("tz/cases.jsonl");
	struct zones *z;
	int rows = 0, conversions = 0;
	char *text, *line, *rest;

	(void)state;
	if (!path)
		skip();
	text = unit_read(path, NULL);
	z = zones_open(NULL);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), rows++) {
		json_t *row = json_loads(line, 0, NULL);

		conversions += check_row(z, row);
		json_decref(row);
	}
	printf("# %d rows, %d conversions from UTC\n", rows, conversions);
	assert_true(rows > 0);
	free(text);
	zones_close(z);
}

static void
zone_agrees_on_every_change(void **state)
{
	const char *path = unit_shared("tz/transitions-2023-2041.json"), *name;
	struct zones *z;
	json_t *all, *list;
	size_t changes = 0;

	(void)state;
	if (!path)
		skip();
	z = zones_open(NULL);
	all = json_load_file(path, 0, NULL);
	assert_non_null(all);
	json_object_foreach(all, name, list) {
		char full[64];
		const struct zone *zone;
		int64_t at = seconds_of("2023-01-01");

		snprintf(full, sizeof(full), "%s%s", strchr(name, '/') ? "" : "Asia/", name);
		zone = zone_find(z, full);
		assert_non_null(zone);
		for (size_t i = 0; i < json_array_size(list); i++, changes++) {
			json_t *row = json_array_get(list, i);
			char utc[32];
			struct zone_change change;

			snprintf(
			    utc, sizeof(utc), "%s", json_string_value(json_object_get(row, "utc")));
			utc[strcspn(utc, "Z")] = 0;
			assert_true(zone_next(zone, at, &change));
			assert_int_equal(change.utc, seconds_of(utc));
			assert_int_equal(
			    change.before_s, json_integer_value(json_object_get(row, "from")));
			assert_int_equal(
			    change.after_s, json_integer_value(json_object_get(row, "to")));
			at = change.utc;
		}
	}
	printf("# %zu changes\n", changes);
	assert_true(changes > 0);
	json_decref(all);
	zones_close(z);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(zone_counts_days),
    cmocka_unit_test(zone_reads_wall_times),
    cmocka_unit_test(zone_reads_footers),
    cmocka_unit_test(zone_refuses_names_and_files),
    cmocka_unit_test(zone_reloads_what_changed),
    cmocka_unit_test(zone_obeys_the_operator),
    cmocka_unit_test(zone_reads_wall_times_both_ways),
    cmocka_unit_test(zone_knows_its_data),
    cmocka_unit_test(zone_agrees_with_the_oracle),
    cmocka_unit_test(zone_agrees_on_every_change),
};

UNIT_RUN(tests)
