#include "base/form.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/text.h"

const char *const form_languages[FORM_LANGUAGES] = {"en", "ar", "he"};
static const char *const kinds[] = {"single", "multiple", "scale", "text", NULL};

struct reader {
	struct arena *arena;
	const char *why; /* the first thing that is wrong; NULL: none */
};

static void
wrong(struct reader *r, const char *where, const char *expected)
{
	if (!r->why)
		r->why = arena_print(r->arena, "%s: expected %s", where, expected);
}

/* ---- reading ---- */

static void
only_keys(struct reader *r, const json_t *object, const char *where, const char *const *known)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		int i = 0;

		while (known[i] && strcmp(known[i], key))
			i++;
		if (!known[i] && key[0] != '_')
			wrong(r, where, "no other keys than those of the description");
	}
}

static struct form_text
read_text(struct reader *r, const json_t *object, const char *where, size_t scalars)
{
	static const char *const known[] = {"en", "ar", "he", NULL};
	struct form_text text = {{NULL}};
	bool any = false;

	if (!json_is_object(object)) {
		wrong(r, where, "an object with en, ar, he");
		return text;
	}
	only_keys(r, object, where, known);
	for (int i = 0; i < FORM_LANGUAGES; i++) {
		const char *s = json_string_value(json_object_get(object, form_languages[i]));

		if (s && text_scalars(s) > scalars)
			wrong(r, where, "a shorter text");
		if (s && *s)
			text.in[i] = text_clean(r->arena, s, strlen(s), scalars);
		any = any || text.in[i];
	}
	if (!any)
		wrong(r, where, "a text in one language at least");
	return text;
}

static int
question_named(const struct form *form, const char *id)
{
	for (int i = 0; id && i < form->count; i++)
		if (!strcmp(form->questions[i].id, id))
			return i;
	return -1;
}

static void
read_condition(struct reader *r, const struct form *form, const json_t *o, struct form_question *q)
{
	static const char *const known[] = {"question", "option", NULL};

	q->parent = -1;
	if (!o)
		return;
	only_keys(r, o, q->id, known);
	q->parent = question_named(form, json_string_value(json_object_get(o, "question")));
	q->parent_option = (int)json_integer_value(json_object_get(o, "option"));
	if (q->parent < 0)
		wrong(r, q->id, "\"if\" to name a question before it");
}

static void
read_options(struct reader *r, const json_t *list, struct form_question *q)
{
	const json_t *option;
	size_t i;

	if (json_array_size(list) > CELLS_OPTIONS) {
		wrong(r, q->id, "at most 12 options");
		return;
	}
	json_array_foreach((json_t *)(uintptr_t)list, i, option)
		q->options[q->options_count++] = read_text(r, option, q->id, FORM_LABEL_SCALARS);
}

static void
read_question(struct reader *r, struct form *form, const json_t *o)
{
	static const char *const known[] = {"id", "kind", "text", "options", "group", "if", NULL};
	struct form_question *q = &form->questions[form->count];
	const char *id = json_string_value(json_object_get(o, "id"));
	const char *kind = json_string_value(json_object_get(o, "kind"));
	int k = 0;

	q->id = id && strlen(id) <= 40 && text_is_words(id)
		    ? arena_string(r->arena, id)
		    : arena_print(r->arena, "%d", form->count + 1);
	if (question_named(form, q->id) >= 0)
		wrong(r, q->id, "an id that stands once");
	only_keys(r, o, q->id, known);
	while (kind && kinds[k] && strcmp(kinds[k], kind))
		k++;
	if (!kind || !kinds[k])
		wrong(r, q->id, "a kind: single, multiple, scale or text");
	q->kind = (enum form_kind)(k & 3);
	q->text = read_text(r, json_object_get(o, "text"), q->id, FORM_TEXT_SCALARS);
	q->group = json_is_true(json_object_get(o, "group"));
	read_options(r, json_object_get(o, "options"), q);
	read_condition(r, form, json_object_get(o, "if"), q);
	form->count++;
}

static void
read_form(struct reader *r, struct form *form, const json_t *root)
{
	static const char *const known[] = {"title", "minutes", "questions", NULL};
	const json_t *list = json_object_get(root, "questions"), *question;
	size_t i;

	only_keys(r, root, "the survey", known);
	form->title = read_text(r, json_object_get(root, "title"), "title", FORM_LABEL_SCALARS);
	form->minutes = json_integer_value(json_object_get(root, "minutes"));
	if (json_array_size(list) > CELLS_QUESTIONS)
		wrong(r, "questions", "at most 40 questions");
	else
		json_array_foreach((json_t *)(uintptr_t)list, i, question)
			read_question(r, form, question);
}

struct form *
form_read(struct arena *arena, const char *bytes, size_t length, const char **why)
{
	struct reader r = {.arena = arena};
	struct form *form = arena_alloc(arena, sizeof(*form));
	json_error_t error;
	json_t *root =
	    length > FORM_BYTES ? NULL : json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);

	if (length > FORM_BYTES)
		wrong(&r, "the file", "at most 64 KB");
	else if (!json_is_object(root))
		wrong(&r, arena_print(arena, "line %d", root ? 1 : error.line),
		    "a JSON object with title and questions");
	else
		read_form(&r, form, root);
	json_decref(root);
	*why = r.why;
	return *why ? NULL : form;
}

/* ---- what can be asked ---- */

static const char *
options_problem(const struct form_question *q)
{
	if (q->kind == FORM_TEXT)
		return q->options_count ? "no options under a free text" : NULL;
	if (q->kind == FORM_SCALE_KIND)
		return q->options_count && q->options_count != 2
			   ? "two options, the names of both ends, or none"
			   : NULL;
	if (q->options_count < 2)
		return "two options at least";
	return NULL;
}

static const char *
question_problem(const struct form *form, const struct form_question *q)
{
	const struct form_question *parent = q->parent < 0 ? NULL : &form->questions[q->parent];
	const char *what = options_problem(q);

	if (what)
		return what;
	if (q->group && (q->kind != FORM_SINGLE || parent || q->options_count > CELLS_GROUPS))
		return "groups by a single-choice question asked of everybody, at most 8 options";
	if (parent && (parent >= q || parent->kind != FORM_SINGLE || q->parent_option < 1 ||
			  q->parent_option > parent->options_count))
		return "\"if\" to name an option of a single-choice question before it";
	return NULL;
}

const char *
form_problem(struct arena *arena, const struct form *form)
{
	int groups = 0;

	if (!form->count)
		return "questions: expected one at least";
	if (form->minutes < 1 || form->minutes > 120)
		return "minutes: expected a number from 1 to 120";
	for (int i = 0; i < form->count; i++) {
		const struct form_question *q = &form->questions[i];
		const char *what = question_problem(form, q);

		if (what)
			return arena_print(arena, "%s: expected %s", q->id, what);
		groups += q->group;
	}
	return groups > 1 ? "group: expected at one question only" : NULL;
}

static bool
lacks(const struct form_text *text, int language)
{
	return !text->in[language];
}

bool
form_lacks(const struct form *form, int language)
{
	bool missing = lacks(&form->title, language);

	for (int i = 0; i < form->count; i++) {
		missing = missing || lacks(&form->questions[i].text, language);
		for (int o = 0; o < form->questions[i].options_count; o++)
			missing = missing || lacks(&form->questions[i].options[o], language);
	}
	return missing;
}

void
form_cells(const struct form *form, struct cells_form *cells)
{
	*cells = (struct cells_form){.count = form->count, .group = -1};
	for (int i = 0; i < form->count; i++) {
		const struct form_question *q = &form->questions[i];

		cells->questions[i] = (struct cells_question){
		    .options = q->kind == FORM_TEXT	    ? 0
			       : q->kind == FORM_SCALE_KIND ? FORM_SCALE
							    : q->options_count,
		    .multiple = q->kind == FORM_MULTIPLE,
		    .parent = q->parent,
		    .parent_option = q->parent_option};
		if (q->group)
			cells->group = i;
	}
}

/* ---- writing ---- */

static json_t *
text_json(const struct form_text *text)
{
	json_t *o = json_object();

	for (int i = 0; i < FORM_LANGUAGES; i++)
		if (text->in[i])
			json_object_set_new(o, form_languages[i], json_string(text->in[i]));
	return o;
}

static json_t *
question_json(const struct form *form, const struct form_question *q)
{
	json_t *o = json_object(), *list = json_array();

	json_object_set_new(o, "id", json_string(q->id));
	json_object_set_new(o, "kind", json_string(kinds[q->kind]));
	json_object_set_new(o, "text", text_json(&q->text));
	for (int i = 0; i < q->options_count; i++)
		json_array_append_new(list, text_json(&q->options[i]));
	json_object_set_new(o, "options", list);
	if (q->group)
		json_object_set_new(o, "group", json_true());
	if (q->parent >= 0)
		json_object_set_new(o, "if",
		    json_pack("{s:s, s:i}", "question", form->questions[q->parent].id, "option",
			q->parent_option));
	return o;
}

char *
form_write(struct arena *arena, const struct form *form)
{
	json_t *root = json_object(), *list = json_array();
	char *text, *copy;

	json_object_set_new(root, "title", text_json(&form->title));
	json_object_set_new(root, "minutes", json_integer(form->minutes));
	for (int i = 0; i < form->count; i++)
		json_array_append_new(list, question_json(form, &form->questions[i]));
	json_object_set_new(root, "questions", list);
	text = json_dumps(root, JSON_COMPACT);
	copy = arena_string(arena, text ? text : "{}");
	json_decref(root);
	free(text);
	return copy;
}
