#include "unit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/zone.h"

static const char *const both[] = {"Asia/Jerusalem", "Asia/Hebron", NULL};

static void
clock_reads_what_people_type(void **state)
{
	static const char *const same[] = {"2027-03-26 19:00", "2027-03-26T19:00",
	    "26/3/2027 19:00", "26.3.27 19:00", "26.03.2027, 19.00", " 26-3-2027  19:00:00 ",
	    "٢٦/٣/٢٠٢٧ ١٩:٠٠", "۲۶/۳/۲۰۲۷، ۱۹:۰۰"};
	static const char *const wrong[] = {"", "26/3", "3/26/2027 19:00", "2027-02-29",
	    "26/3/2027 25:00", "26/3.2027", "26/3/2027 19", "26/3/2027 19:00 x", "26/3/027",
	    "100000/3/2027", "26/3/2027 19:00 26/3/2027 19:00 26/3/2027 19:00 26/3/2027"};
	struct civil c;

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		char text[CIVIL_TEXT];
		assert_true(clock_parse(same[i], &c));
		assert_string_equal(civil_write(&c, text), "2027-03-26T19:00:00");
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(clock_parse(wrong[i], &c));
	assert_true(clock_parse("1/4/2027", &c));
	assert_int_equal(c.month, 4);
	assert_int_equal(c.hour, 0);
}

static void
clock_shows_both_when_they_differ(void **state)
{
	struct arena *arena = arena_new();
	struct zones *zones = zones_open(NULL);
	struct civil c = {2027, 3, 26, 19, 0, 0};
	int64_t at = zone_instant(zone_find(zones, both[0]), &c), week = 7 * 86400;

	(void)state;
	assert_string_equal(clock_when(arena, "en", zones, both, both[0], at, at + 7200, false),
	    "Friday 26 March 2027, 19:00–21:00 Jerusalem / 18:00–20:00 Hebron");
	assert_string_equal(clock_when(arena, "ar", zones, both, both[1], at, 0, false),
	    "الجمعة، 26 آذار/مارس 2027، 18:00 الخليل / 19:00 القدس");
	assert_string_equal(clock_when(arena, "he", zones, both, "", at, 0, false),
	    "יום שישי, 26 במרץ 2027, 19:00 ירושלים / 18:00 חברון");
	assert_string_equal(clock_when(arena, "en", zones, both, both[1], at + week, 0, false),
	    "Friday 2 April 2027, 19:00");
	zones_close(zones);
	arena_free(arena);
}

static void
clock_writes_whole_days_and_long_events(void **state)
{
	struct arena *arena = arena_new();
	struct zones *zones = zones_open(NULL);
	struct civil c = {2027, 5, 1, 0, 0, 0};
	int64_t at = zone_instant(zone_find(zones, both[0]), &c), day = 86400;

	(void)state;
	assert_string_equal(
	    clock_when(arena, "en", zones, both, NULL, at, at + day, true), "Saturday 1 May 2027");
	assert_string_equal(clock_when(arena, "en", zones, both, "", at, at + 2 * day, true),
	    "Saturday 1 May 2027 – Sunday 2 May 2027");
	assert_string_equal(clock_when(arena, "en", zones, both, "", at, at + 2 * day, false),
	    "Saturday 1 May 2027, 00:00 – Monday 3 May 2027, 00:00");
	assert_string_equal(
	    clock_date(arena, "ar", zone_find(zones, both[1]), at), "السبت، 1 أيار/مايو 2027");
	zones_close(zones);
	arena_free(arena);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(clock_reads_what_people_type),
    cmocka_unit_test(clock_shows_both_when_they_differ),
    cmocka_unit_test(clock_writes_whole_days_and_long_events),
};

UNIT_RUN(tests)
