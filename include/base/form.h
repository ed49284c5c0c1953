/*
 * A questionnaire: questions in up to three languages, as JSON in a file and in the database, as a
 * plain struct in the program.
 *
 *   {"title": {"en": "…", "ar": "…", "he": "…"}, "minutes": 4, "questions": [
 *     {"id": "side", "kind": "single", "group": true, "text": {…}, "options": [{…}, {…}]},
 *     {"id": "how", "kind": "scale", "text": {…}, "options": [{…}, {…}]},
 *     {"id": "why", "kind": "text", "text": {…}, "if": {"question": "side", "option": 1}}]}
 *
 * kind: single, multiple, scale (1 to 5; its two options are the names of the ends, or it has
 * none), text (short). "group" marks the one single-choice question, asked of everybody, by which
 * results may be told apart. "if": asked only of those who chose that option (from 1) of that
 * earlier single-choice question.
 */
#ifndef BASE_FORM_H
#define BASE_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cells.h"

struct arena;

enum {
	FORM_LANGUAGES = 3, /* en, ar, he */
	FORM_SCALE = 5,
	FORM_TEXT_SCALARS = 500,
	FORM_LABEL_SCALARS = 100,
	FORM_BYTES = 64 * 1024,
};
enum form_kind { FORM_SINGLE, FORM_MULTIPLE, FORM_SCALE_KIND, FORM_TEXT };

extern const char *const form_languages[FORM_LANGUAGES];

/* One sentence in the languages of form_languages; NULL where it is missing. */
struct form_text {
	const char *in[FORM_LANGUAGES];
};
struct form_question {
	const char *id;
	enum form_kind kind;
	struct form_text text;
	struct form_text options[CELLS_OPTIONS];
	int options_count;
	bool group;
	int parent; /* -1: asked of everybody */
	int parent_option;
};
struct form {
	struct form_text title;
	int64_t minutes; /* how long it takes, said before the first question */
	struct form_question questions[CELLS_QUESTIONS];
	int count;
};

/* In the arena; perhaps not finished (form_problem). NULL: *why says where and what was expected
 * (in the arena too). */
struct form *form_read(struct arena *arena, const char *bytes, size_t length, const char **why);
/* What form_read reads. */
char *form_write(struct arena *arena, const struct form *form);
/* NULL when it can be asked, else what is wrong. */
const char *form_problem(struct arena *arena, const struct form *form);
/* Whether anything at all is missing in this language. */
bool form_lacks(const struct form *form, int language);
/* Its shape for base/cells.h: a scale has FORM_SCALE options. */
void form_cells(const struct form *form, struct cells_form *cells);

#endif
