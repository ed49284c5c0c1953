/*
 * What may be told of a survey's counts. Pure: counts in, publishable sums out.
 *
 * Every question divides those whom it was asked into cells (its options, and "no answer"). When
 * each cell has `least` people or more, each is told. Otherwise all cells up to and including the
 * smallest that has enough are told as one sum; a cell of 0 is a small one too, for "nobody said
 * no" says what everybody said. So among the cells of that sum there is always one with enough,
 * nothing tells which, and not even a reader who knows this rule can be certain of any group that
 * it is smaller than `least`. By groups a question is told only where every cell of the whole
 * table has enough, its smallest options being joined until that holds, or not at all: there is
 * nothing to subtract. A question asked of those who chose one option divides that option's cell,
 * and is told only where that cell is.
 *
 * Threshold rule and complementary suppression: L. H. Cox, "Suppression methodology and statistical
 * disclosure control", JASA 75 (1980); Hundepool et al., "Statistical Disclosure Control" (2012),
 * chapter 5. That the rule itself must not betray: Wong et al., "Minimality attack in privacy
 * preserving data publishing", VLDB 2007.
 */
#ifndef BASE_CELLS_H
#define BASE_CELLS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CELLS_LEAST = 5,      /* people in whatever is told */
	CELLS_ROW_LEAST = 20, /* people in a group that is told apart from the others */
	CELLS_OPTIONS = 12,
	CELLS_GROUPS = 8, /* options of the question that makes the groups */
	CELLS_QUESTIONS = 40,
	CELLS_PUBLISHED = 2048,
};

struct cells_question {
	int options; /* 0: a question without cells (free text) */
	bool multiple;
	int parent; /* asked only of those who chose `parent_option` (from 1) there; -1: of
		       everybody */
	int parent_option;
};
struct cells_form {
	struct cells_question questions[CELLS_QUESTIONS]; /* a parent stands before its children */
	int count;
	int group; /* the single-choice question, asked of everybody, that makes the groups; -1:
		      none */
};

/* One person's answers: 0 none, an option from 1 or, of a multiple one, bit o for option o. */
struct cells_record {
	uint16_t answers[CELLS_QUESTIONS];
};
/* [question][group][cell]. Cell 0 is "asked, no answer"; of a multiple one "asked". */
struct cells_tally {
	uint32_t n[CELLS_QUESTIONS][CELLS_GROUPS + 1][CELLS_OPTIONS + 1];
};
/* Whether this question was asked of them. */
bool cells_asked(const struct cells_form *form, const struct cells_record *record, int question);
void cells_add(
    const struct cells_form *form, struct cells_tally *tally, const struct cells_record *record);

/* A sum that may be told. Bit c of `cells` is cell c, bit r of `rows` is group r; rows 0 is
 * everybody. Question -1 is how many took part. */
struct cells_published {
	int question;
	unsigned rows, cells;
	int64_t n;
};
struct cells_publication {
	int count;
	struct cells_published cells[CELLS_PUBLISHED];
};
void cells_publish(const struct cells_form *form, const struct cells_tally *tally, int64_t least,
    int64_t row_least, struct cells_publication *out);

/* The rule for one division into `count` cells: the cells to be told as one sum; 0: each is told.
 */
unsigned cells_join(const int64_t *counts, int count, int64_t least);

#endif
