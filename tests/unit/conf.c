/* The configuration's reader: kinds, defaults, paths, and complaints with their line. */
#include "unit.h"

#include "base/conf.h"

static const struct conf_key keys[] = {
    {.section = "bot", .key = "database", .kind = CONF_PATH, .required = true},
    {.section = "bot", .key = "languages", .kind = CONF_WORDS, .otherwise = "en ar"},
    {.section = "bot", .key = "override", .kind = CONF_TEXT, .repeat = true},
    {.section = "bot",
	.key = "days",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 30,
	.otherwise = "14"},
    {.section = "bot", .key = "loud", .kind = CONF_SWITCH, .otherwise = "off"},
    {.section = "bot",
	.key = "family",
	.kind = CONF_ONE_OF,
	.choices = "auto 4 6",
	.otherwise = "auto"},
    {.section = "bot", .key = "quiet", .kind = CONF_HOURS, .otherwise = "21:00-08:00"},
    {.section = "bot", .key = "room", .kind = CONF_PLACE},
    {.section = "show",
	.key = "feed",
	.kind = CONF_ADDRESS,
	.least = 1,
	.named = true,
	.required = true},
    {.section = "show", .key = "title", .kind = CONF_TEXT, .named = true},
    {0},
};

static struct conf *
parsed(const char *text)
{
	char *why = NULL;
	struct conf *conf = conf_parse("/etc/x/bot.ini", text, keys, &why);

	if (!conf)
		fail_msg("%s", why);
	return conf;
}

static void
refused(const char *text, const char *where, const char *word)
{
	char *why = NULL;

	assert_null(conf_parse("bot.ini", text, keys, &why));
	if (strncmp(why, where, strlen(where)) || !strstr(why, word) || !strstr(why, "expected"))
		fail_msg("for %s: %s", text, why);
	free(why);
}

static void
conf_reads_every_kind(void **state)
{
	struct conf *c = parsed("; a comment\n[bot] # another\ndatabase = state/x.db ; here too\n"
				"languages =  he\ten \noverride = one; two\noverride = three\n"
				"days = 30\nloud = yes\nfamily = 6\r\n\n"
				"[show a]\nfeed = https://a.org/#x\ntitle = It's = fine\n"
				"[show b]\nfeed = file:///tmp/b.xml\n");

	(void)state;
	assert_string_equal(conf_text(c, "bot", NULL, "database"), "/etc/x/state/x.db");
	assert_string_equal(conf_list(c, "bot", NULL, "languages")[0], "he");
	assert_string_equal(conf_list(c, "bot", NULL, "languages")[1], "en");
	assert_null(conf_list(c, "bot", NULL, "languages")[2]);
	assert_string_equal(conf_each(c, "bot", "override", 0), "one; two");
	assert_string_equal(conf_each(c, "bot", "override", 1), "three");
	assert_null(conf_each(c, "bot", "override", 2));
	assert_int_equal(conf_number(c, "bot", NULL, "days"), 30);
	assert_true(conf_switch(c, "bot", NULL, "loud"));
	assert_string_equal(conf_name(c, "show", 1), "b");
	assert_null(conf_name(c, "show", 2));
	assert_string_equal(conf_text(c, "show", "a", "feed"), "https://a.org/#x");
	assert_string_equal(conf_text(c, "show", "a", "title"), "It's = fine");
	assert_null(conf_text(c, "show", "b", "title"));
	assert_true(conf_has(c, "show"));
	conf_free(c);
}

static void
conf_has_defaults(void **state)
{
	struct conf *c = parsed("[bot]\ndatabase = /x.db\n");

	(void)state;
	assert_string_equal(conf_text(c, "bot", NULL, "database"), "/x.db");
	assert_string_equal(conf_list(c, "bot", NULL, "languages")[1], "ar");
	assert_int_equal(conf_number(c, "bot", NULL, "days"), 14);
	assert_false(conf_switch(c, "bot", NULL, "loud"));
	assert_false(conf_has(c, "show"));
	conf_free(c);
}

static void
conf_expands_two_variables_only(void **state)
{
	struct conf *c;

	(void)state;
	setenv("STATE_DIRECTORY", "/var/lib/x", 1);
	c = parsed("[bot]\ndatabase = ${STATE_DIRECTORY}/a.db\n");
	assert_string_equal(conf_text(c, "bot", NULL, "database"), "/var/lib/x/a.db");
	conf_free(c);
	unsetenv("STATE_DIRECTORY");
	refused("[bot]\ndatabase = ${HOME}/a.db\n", "bot.ini:2: database", "${STATE_DIRECTORY}");
	refused("[bot]\ndatabase = a/${STATE_DIRECTORY}\n", "bot.ini:2", "beginning");
}

static void
conf_takes_lines_of_four_kilobytes(void **state)
{
	char *text = malloc(6000);
	struct conf *c;

	(void)state;
	snprintf(text, 6000, "[bot]\ndatabase = /x\noverride = %03000d\n", 7);
	c = parsed(text);
	assert_int_equal(strlen(conf_each(c, "bot", "override", 0)), 3000);
	conf_free(c);
	snprintf(text, 6000, "[bot]\ndatabase = /x\noverride = %05000d\n", 7);
	refused(text, "bot.ini:3", "4096");
	free(text);
}

static void
conf_names_line_and_expectation(void **state)
{
	(void)state;
	refused(
	    "[bot]\ndatabase = /x\ncolour = red\n", "bot.ini:3: unknown key colour", "languages");
	refused("\n\n[bots]\n", "bot.ini:3: unknown section bots", "bot show");
	refused("[bot]\ndatabase = /x\n[extra]\n", "bot.ini:3", "extra"); /* though it is empty */
	refused("[bot]\ndatabase = /x\n[show]\n", "bot.ini:3", "NAME");
	refused("[bot x]\n", "bot.ini:1", "without a name");
	refused("[bot]\ndatabase = /x\n[bot]\n", "bot.ini:3", "once");
	refused("[bot]\ndatabase = /x\ndatabase = /y\n", "bot.ini:3", "once");
	refused("[bot]\ndatabase = /x\ndays = 31\n", "bot.ini:3: days", "1 to 30");
	refused("[bot]\ndatabase = /x\ndays = 1x\n", "bot.ini:3: days", "1 to 30");
	refused("[bot]\ndatabase = /x\nloud =\n", "bot.ini:3: loud", "on or off");
	refused("[bot]\ndatabase = /x\nloud = maybe\n", "bot.ini:3: loud", "on or off");
	refused("[bot]\ndatabase = /x\nfamily = 4 6\n", "bot.ini:3: family", "auto 4 6");
	refused(
	    "[bot]\ndatabase = /x\n[show a]\nfeed = http://a.org\n", "bot.ini:4: feed", "https://");
	refused("[bot]\ndatabase = /x\n[show a]\ntitle = A\n[show b]\nfeed = https://a.org\n",
	    "bot.ini:3: ", "feed");
	refused("[bot]\nlanguages = en\n", "bot.ini", "database");
	refused("", "bot.ini", "database");
	refused("database = /x\n", "bot.ini:1", "[section]");
	refused("[bot\n", "bot.ini:1", "]");
}

static void
conf_hours_and_places_are_whole(void **state)
{
	static const char *const hours[] = {"25:00-08:00", "21:00", "21:00-08:60", "21-8",
	    "21:00-08:00x", "-1:00-08:00", "21:0 -08:00", "21: 5-08:00", "21:000-08:00",
	    "+1:00-08:00", "", "night"};
	static const char *const places[] = {
	    "telegram", "telegram:", ":5", "Telegram:5", "telegram: 5"};
	struct conf *c;
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof(hours) / sizeof(*hours); i++) {
		snprintf(text, sizeof(text), "[bot]\ndatabase = /x\nquiet = %s\n", hours[i]);
		refused(text, "bot.ini:3: quiet", "21:00-08:00");
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(text, sizeof(text), "[bot]\ndatabase = /x\nroom = %s\n", places[i]);
		refused(text, "bot.ini:3: room", "NETWORK:ID");
	}
	c = parsed("[bot]\ndatabase = /x\nquiet = 0:00-23:59\nroom = matrix:!a:example.org\n");
	assert_string_equal(conf_text(c, "bot", NULL, "quiet"), "0:00-23:59");
	conf_free(c);
}

static void
conf_takes_what_editors_write(void **state)
{
	struct conf *c = parsed("\xef\xbb\xbf[bot]\r\ndatabase = /x\r\nloud = on\r\n");
	char *why = NULL;

	(void)state;
	assert_true(conf_switch(c, "bot", NULL, "loud"));
	conf_free(c);
	assert_null(conf_load("build", keys, &why));
	assert_string_equal(why, "build: cannot be read; expected the configuration file");
	free(why);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(conf_reads_every_kind),
    cmocka_unit_test(conf_has_defaults),
    cmocka_unit_test(conf_expands_two_variables_only),
    cmocka_unit_test(conf_takes_lines_of_four_kilobytes),
    cmocka_unit_test(conf_names_line_and_expectation),
    cmocka_unit_test(conf_hours_and_places_are_whole),
    cmocka_unit_test(conf_takes_what_editors_write),
};

UNIT_RUN(tests)
