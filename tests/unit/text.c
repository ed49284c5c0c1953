/* Text that strangers typed: made safe, folded, measured, cut. */
#include "unit.h"

#include "base/text.h"

#include "in_arena.h"

#define RLO "\xe2\x80\xae"
#define RLI "\xe2\x81\xa7"

static void
text_clean_makes_it_safe(void **state)
{
	static const struct {
		const char *typed, *clean;
		size_t most;
	} cases[] = {
	    {"  hello\r\nworld \t\n", "hello\nworld", 100},
	    {"e\xcc\x81", "\xc3\xa9", 100},
	    {"a" RLO "b" TEXT_FSI "c" TEXT_PDI RLI "d", "abcd", 100},
	    {"a\x01\x02\x7f"
	     "b",
		"ab", 100},
	    {"a\xff\xc0"
	     "b",
		"a\xef\xbf\xbd\xef\xbf\xbd"
		"b",
		100},
	    {"x\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", "x", 3}, /* no half family */
	    {"abcdef", "abc", 3},
	    {"", "", 10},
	    {"\xe2\x80\x8f \xe2\x80\x8b\xef\xbb\xbf", "", 10},
	    {"\xe2\x80\x8f"
	     "a",
		"\xe2\x80\x8f"
		"a",
		10},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(
		    text_clean(arena, cases[i].typed, strlen(cases[i].typed), cases[i].most),
		    cases[i].clean);
}

static void
text_fold_makes_spellings_one(void **state)
{
	static const char *const same[][2] = {
	    {"CAFÉ", "cafe"},
	    {"أحمد", "احمد"},
	    {"مدرسة", "مدرسه"},
	    {"مُحَمَّد", "محمد"},
	    {"مـــحمد", "محمد"},
	    {"على", "علي"},
	    {"שָׁלוֹם", "שלום"},
	    {"שלום", "שלומ"},
	    {"٢٠٢٦", "2026"},
	    {"۲۰۲۶", "2026"},
	    {"Beit-Sahour", "beit sahour"},
	    {"O'Neil", "o neil"},
	    {TEXT_FSI "noor" TEXT_PDI, "noor"},
	    {"ﬁ", "fi"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_string_equal(text_fold(arena, same[i][0]), text_fold(arena, same[i][1]));
	assert_string_not_equal(text_fold(arena, "سلام"), text_fold(arena, "كلام"));
}

static void
text_numbers_in_three_scripts(void **state)
{
	static const struct {
		const char *text;
		bool is;
		int64_t number;
	} cases[] = {
	    {"7", true, 7},
	    {" ٤٢ ", true, 42},
	    {"۱۰", true, 10},
	    {"7 days", false, 0},
	    {"", false, 0},
	    {"1.5", false, 0},
	    {"99999999999999999999", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t n = 0;

		assert_int_equal(text_number(cases[i].text, &n), cases[i].is);
		if (cases[i].is)
			assert_int_equal(n, cases[i].number);
	}
}

static void
text_distance_counts_edits_up_to_a_limit(void **state)
{
	(void)state;
	assert_int_equal(text_distance("events", "events", 3), 0);
	assert_int_equal(text_distance("evnts", "events", 3), 1);
	assert_int_equal(text_distance("eventss", "events", 3), 1);
	assert_int_equal(text_distance("evetns", "events", 3), 1);
	assert_int_equal(text_distance("איורעים", "אירועים", 3), 1);
	assert_int_equal(text_distance("podcast", "events", 2), 3);
}

static void
text_cut_ends_at_a_good_place(void **state)
{
	const char *text = "One sentence here. Another one follows it.";

	(void)state;
	assert_int_equal(text_cut(text, 100), strlen(text));
	assert_int_equal(text[text_cut(text, 22) - 1], ' ');
	assert_true(text_cut("aaaaaaaaaaaaaaaaaaaa", 5) == 5);
	/* A letter and its mark stay together. */
	assert_int_equal(text_cut("ae\xcc\x81", 2), 1);
}

static void
text_balance_and_direction(void **state)
{
	(void)state;
	assert_true(text_balanced("a" TEXT_FSI "b" TEXT_PDI));
	assert_false(text_balanced("a" TEXT_FSI "b"));
	assert_false(text_balanced("a" TEXT_PDI));
	assert_false(text_balanced("a" RLO));
	assert_int_equal(text_direction("1. שלום"), -1);
	assert_int_equal(text_direction("(مرحبا)"), -1);
	assert_int_equal(text_direction("hello שלום"), 1);
	assert_int_equal(text_direction("123 !"), 0);
	assert_true(text_is_words("a\tb\nשלום"));
	assert_false(text_is_words("a\x01"));
	assert_false(text_is_words("\xff\xff"));
}

static void
text_reveals_what_would_find_somebody(void **state)
{
	static const char *const reveals[] = {"call +972-54-123-4567", "٠٥٩٩١٢٣٤٥٦",
	    "me@example.org", "@noor_h", "https://example.org/me", "t.me/noor",
	    "my site is example.com"};
	static const char *const harmless[] = {"see you on Tuesday at 19:30", "in 2026 we were 12",
	    "שלום, מה שלומך?", "السلام عليكم", "it costs 250 or 300"};

	(void)state;
	for (size_t i = 0; i < sizeof(reveals) / sizeof(*reveals); i++)
		if (!text_reveals(reveals[i]))
			fail_msg("not seen: %s", reveals[i]);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		if (text_reveals(harmless[i]))
			fail_msg("taken for an address: %s", harmless[i]);
}

static const struct CMUnitTest tests[] = {
    IN_ARENA(text_clean_makes_it_safe),
    IN_ARENA(text_fold_makes_spellings_one),
    IN_ARENA(text_numbers_in_three_scripts),
    IN_ARENA(text_distance_counts_edits_up_to_a_limit),
    IN_ARENA(text_cut_ends_at_a_good_place),
    IN_ARENA(text_balance_and_direction),
    IN_ARENA(text_reveals_what_would_find_somebody),
};

UNIT_RUN(tests)
