/* The catalogue: plural forms, holes, isolation, and what is refused. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/text.h"
#include "base/words.h"

#define GOOD_EN \
	"{\n\"days\": {\"one\": \"{n} day\", \"other\": \"{n} days\"},\n" \
	"\"hello\": \"Hello {name}, <b>welcome</b>\"\n}\n"
#define GOOD_AR \
	"{\n\"days\": {\"zero\": \"بلا أيام\", \"one\": \"يوم\", \"two\": \"يومان\"," \
	" \"few\": \"{n} أيام\", \"many\": \"{n} يومًا\", \"other\": \"{n} يوم\"},\n" \
	"\"hello\": \"أهلًا {name}\"\n}\n"

static const char *const two[] = {"en", "ar", NULL};
static struct arena *arena;
static char folder[40];

static void
write_file(const char *name, const char *text)
{
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
begin(void **state)
{
	(void)state;
	arena = arena_new();
	snprintf(folder, sizeof(folder), "build/words-XXXXXX");
	assert_non_null(mkdtemp(folder));
	write_file("en.json", GOOD_EN);
	write_file("ar.json", GOOD_AR);
	return 0;
}

static int
end(void **state)
{
	char path[80];

	(void)state;
	arena_free(arena);
	snprintf(path, sizeof(path), "%s/en.json", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/ar.json", folder);
	unlink(path);
	rmdir(folder);
	return 0;
}

static void
words_pick_the_plural_form(void **state)
{
	static const struct {
		const char *language;
		int64_t n;
		const char *text;
	} cases[] = {
	    {"en", 1, "1 day"},
	    {"en", 0, "0 days"},
	    {"ar", 0, "بلا أيام"},
	    {"ar", 1, "يوم"},
	    {"ar", 2, "يومان"},
	    {"ar", 3, "3 أيام"},
	    {"ar", 11, "11 يومًا"},
	    {"ar", 100, "100 يوم"},
	    {"ar", 103, "103 أيام"},
	};
	struct hole none = {0};
	char *why = NULL;
	struct words *w = words_load(folder, two, &why);

	(void)state;
	assert_non_null(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(
		    words_text(w, arena, cases[i].language, "days", cases[i].n, &none),
		    cases[i].text);
	words_free(w);
}

static void
words_isolate_what_is_put_in(void **state)
{
	struct hole holes[] = {{"name", "<b>נור</b> {n}", NULL}, {0}};
	char *why = NULL;
	struct words *w = words_load(folder, two, &why);
	struct card *card;

	(void)state;
	assert_non_null(w);
	card = words_card(w, arena, "en", "hello", 0, holes);
	assert_string_equal(
	    card_plain(arena, card), "Hello " TEXT_FSI "<b>נור</b> {n}" TEXT_PDI ", welcome");
	assert_int_equal(card->spans->next->style, SPAN_NAME);
	assert_int_equal(card->last_span->style, SPAN_BOLD);
	assert_true(words_has(w, "hello") && !words_has(w, "goodbye"));
	assert_true(words_speaks(w, "ar") && !words_speaks(w, "he"));
	assert_string_equal(words_text(w, arena, "en", "goodbye", 0, holes), "goodbye");
	words_free(w);
}

static void
refuses(const char *file, const char *text, const char *where)
{
	char *why = NULL;

	write_file(file, text);
	assert_null(words_load(folder, two, &why));
	if (!strstr(why, file) || !strstr(why, where))
		fail_msg("for %s: %s", text, why);
	free(why);
	write_file("en.json", GOOD_EN);
	write_file("ar.json", GOOD_AR);
}

static void
words_refuse_what_is_broken(void **state)
{
	(void)state;
	refuses("en.json", "{", "en.json:");
	refuses("en.json", "{\n\"hello\": 7\n}", "en.json:");
	refuses("ar.json", "{\n\"hello\": \"أهلًا {name}\"\n}", "days");
	refuses("ar.json",
	    "{\n\"days\": {\"one\": \"يوم\", \"other\": \"{n} يوم\"},\n\"hello\": \"أهلًا "
	    "{name}\"\n}",
	    "days");
	refuses("en.json", "{\n\"days\": {\"one\": \"{n} day\"},\n\"hello\": \"Hello {name}\"\n}",
	    "days");
	refuses("en.json",
	    "{\n\"days\": {\"one\": \"a\", \"other\": \"b\"},\n\"hello\": \"Hello "
	    "\u2068{name}\"\n}",
	    "hello");
}

static void
words_refuse_other_holes_and_keys(void **state)
{
	char text[1000];
	const char *from = strstr(GOOD_AR, "أهلًا {name}");

	(void)state;
	snprintf(text, sizeof(text), "%.*sأهلًا {nome}\"\n}\n", (int)(from - GOOD_AR), GOOD_AR);
	refuses("ar.json", text, "hello");
	snprintf(text, sizeof(text), "%.*sأهلًا\"\n}\n", (int)(from - GOOD_AR), GOOD_AR);
	refuses("ar.json", text, "hello");
	snprintf(text, sizeof(text), "%.*s%s\",\n\"more\": \"x\"\n}\n", (int)(from - GOOD_AR),
	    GOOD_AR, "أهلًا {name}");
	refuses("ar.json", text, "more");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(words_pick_the_plural_form, begin, end),
    cmocka_unit_test_setup_teardown(words_isolate_what_is_put_in, begin, end),
    cmocka_unit_test_setup_teardown(words_refuse_what_is_broken, begin, end),
    cmocka_unit_test_setup_teardown(words_refuse_other_holes_and_keys, begin, end),
};

UNIT_RUN(tests)
