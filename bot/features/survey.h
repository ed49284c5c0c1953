/* What the files of surveys share: the survey itself, its questions in somebody's language, and the
 * moment at which its answers become a publication. */
#ifndef SURVEY_H
#define SURVEY_H

#include "base/form.h"
#include "core/turn.h"

enum survey_state { SURVEY_NEW, SURVEY_OPEN, SURVEY_CLOSED };

struct survey {
	int64_t id;
	const char *org; /* "": of the whole network */
	enum survey_state state;
	int64_t days;	/* how long it is open */
	int64_t closes; /* unix s; 0: not opened */
	int64_t approval, post;
	const char *topics;  /* numbers of topics: for those who chose one of them; "": everybody */
	const char *content; /* JSON, base/form.h */
	const struct form *form;
};

/* False: no such survey. */
bool survey_get(struct turn *t, int64_t id, struct survey *s);
/* Whether t->person is one of those it is for. */
bool survey_for(struct turn *t, const struct survey *s);
/* Whether t->person may steer it: a coordinator of its organisation, an admin. */
bool survey_steers(struct turn *t, const struct survey *s);
int64_t survey_add(struct turn *t, const char *org, const char *content);
/* While it is not handed in. */
void survey_set_topics(struct turn *t, int64_t id, const char *topics);
void survey_hand_in(struct turn *t, int64_t id, int64_t days, int64_t approval);
void survey_begin(struct turn *t, int64_t id, int64_t closes, int64_t post);
/* The answers become a publication, once and for good; what is not told is deleted. */
void survey_close(struct turn *t, int64_t id);

/* What `from` answered, `to` does not answer again. To be called before people_merge. */
void survey_move(struct turn *t, int64_t from, int64_t to);

/* In the reader's language or the next in order; *fell is set when it is another. */
const char *survey_words(
    struct turn *t, const char *language, const struct form_text *text, const char **fell);
/* The name of cell c of a question: an option, a step of a scale, or "no answer". */
const char *survey_cell_name(
    struct turn *t, const char *language, const struct form_question *q, int cell);
/* Who sees what, and how long it takes. */
struct card *survey_promise(struct turn *t, const char *language, const struct survey *s);

/* The lines of /survey that belong to other files. */
void survey_choose_results(struct turn *t, struct card *card);
void survey_choose_steering(struct turn *t, struct card *card);

#endif
