/* Questionnaires: what is written is what is read; what cannot be asked is refused with a reason.
 */
#include "unit.h"

#include "base/arena.h"
#include "base/form.h"

static void
survey_form_round_trip(void **state)
{
	struct arena *arena = arena_new();
	size_t length;
	char *bytes = unit_read("tests/chat/data/survey.json", &length);
	const char *why = NULL;
	struct form *form;
	char *once, *twice;

	(void)state;
	assert_non_null(bytes);
	form = form_read(arena, bytes, length, &why);
	assert_non_null(form);
	assert_null(form_problem(arena, form));
	assert_int_equal(form->count, 5);
	assert_int_equal(form->questions[2].parent, 1);
	for (int l = 0; l < FORM_LANGUAGES; l++)
		assert_false(form_lacks(form, l));
	once = form_write(arena, form);
	form = form_read(arena, once, strlen(once), &why);
	assert_non_null(form);
	twice = form_write(arena, form);
	assert_string_equal(once, twice);
	free(bytes);
	arena_free(arena);
}

#define ONE "{\"title\":{\"en\":\"t\"},\"minutes\":1,\"questions\":["
#define YES_NO "\"options\":[{\"en\":\"yes\"},{\"en\":\"no\"}]"

static void
survey_form_refuses_what_cannot_be_asked(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "[]",
	    "{",
	    "{\"title\":{\"en\":\"t\"},\"minutes\":1}",
	    ONE "]}",
	    ONE "7]}",
	    ONE "{\"kind\":\"single\",\"text\":{\"en\":\"?\"}}]}",
	    ONE "{\"kind\":\"essay\",\"text\":{\"en\":\"?\"}}]}",
	    ONE "{\"kind\":\"text\",\"text\":{}}]}",
	    ONE "{\"kind\":\"text\",\"text\":{\"fr\":\"?\"}}]}",
	    ONE "{\"kind\":\"text\",\"text\":{\"en\":\"?\"}," YES_NO "}]}",
	    ONE "{\"kind\":\"text\",\"group\":true,\"text\":{\"en\":\"?\"}}]}",
	    ONE "{\"kind\":\"text\",\"text\":{\"en\":\"?\"},\"tracker\":1}]}",
	    /* A branch that hangs on itself, on a later question, on an option that is not there.
	     */
	    ONE "{\"id\":\"a\",\"kind\":\"single\",\"text\":{\"en\":\"?\"}," YES_NO
		",\"if\":{\"question\":\"a\",\"option\":1}}]}",
	    ONE
	    "{\"id\":\"a\",\"kind\":\"text\",\"text\":{\"en\":\"?\"},\"if\":{\"question\":\"b\","
	    "\"option\":1}},{\"id\":\"b\",\"kind\":\"single\",\"text\":{\"en\":\"?\"}," YES_NO
	    "}]}",
	    ONE
	    "{\"id\":\"a\",\"kind\":\"single\",\"text\":{\"en\":\"?\"}," YES_NO
	    "},{\"id\":\"b\",\"kind\":\"text\",\"text\":{\"en\":\"?\"},\"if\":{\"question\":\"a\","
	    "\"option\":3}}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct arena *arena = arena_new();
		const char *why = NULL;
		struct form *form = form_read(arena, wrong[i], strlen(wrong[i]), &why);

		if (form)
			why = form_problem(arena, form);
		if (!why)
			fail_msg("taken: %s", wrong[i]);
		arena_free(arena);
	}
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(survey_form_round_trip),
    cmocka_unit_test(survey_form_refuses_what_cannot_be_asked),
};

UNIT_RUN(tests)
