#include "base/cells.h"

#include <stddef.h>

struct job {
	const struct cells_form *form;
	const struct cells_tally *tally;
	int64_t least;
	struct cells_publication *out;
	unsigned joined_rows; /* groups that are told together */
	int rows;	      /* "not said" and the groups; 0: nothing is told by group */
	/* per question: */
	bool told[CELLS_QUESTIONS], crossed[CELLS_QUESTIONS];
	unsigned joined[CELLS_QUESTIONS], cross_joined[CELLS_QUESTIONS];
};

bool
cells_asked(const struct cells_form *form, const struct cells_record *record, int question)
{
	const struct cells_question *q = &form->questions[question];

	return q->parent < 0 || (record->answers[q->parent] == q->parent_option &&
				    cells_asked(form, record, q->parent));
}

void
cells_add(
    const struct cells_form *form, struct cells_tally *tally, const struct cells_record *record)
{
	int row = form->group < 0 ? 0 : record->answers[form->group];

	for (int i = 0; i < form->count; i++) {
		const struct cells_question *q = &form->questions[i];
		unsigned answer = record->answers[i];

		if (!cells_asked(form, record, i))
			continue;
		tally->n[i][row][q->multiple ? 0 : answer]++;
		for (int o = 1; q->multiple && o <= q->options; o++)
			tally->n[i][row][o] += answer >> o & 1;
	}
}

unsigned
cells_join(const int64_t *counts, int count, int64_t least)
{
	int64_t bound = INT64_MAX;
	unsigned joined = 0;
	bool small = false;

	for (int i = 0; i < count; i++) {
		if (counts[i] < least)
			small = true;
		else if (counts[i] < bound)
			bound = counts[i];
	}
	for (int i = 0; small && i < count; i++)
		if (counts[i] <= bound)
			joined |= 1u << i;
	return joined;
}

static unsigned
all_of(int count)
{
	return (1u << count) - 1;
}

/* Cells of a question in these groups; rows 0: in all. */
static int64_t
sum(const struct job *j, int question, unsigned rows, unsigned cells)
{
	int64_t n = 0;

	for (int r = 0; r <= CELLS_GROUPS; r++)
		for (int c = 0; c <= CELLS_OPTIONS; c++)
			if ((!rows || rows >> r & 1) && cells >> c & 1)
				n += j->tally->n[question][r][c];
	return n;
}

static void
tell(const struct job *j, int question, unsigned rows, unsigned cells, int64_t n)
{
	struct cells_publication *out = j->out;

	if (out->count < CELLS_PUBLISHED)
		out->cells[out->count++] = (struct cells_published){question, rows, cells, n};
}

/* The i-th block of a division: the joined cells first, then each other; 0 behind the last. */
static unsigned
block(unsigned joined, int count, int i)
{
	if (joined && i-- == 0)
		return joined;
	for (int c = 0; c < count; c++)
		if (!(joined >> c & 1) && i-- == 0)
			return 1u << c;
	return 0;
}

static bool
has_two(unsigned joined, int count)
{
	return block(joined, count, 1) != 0;
}

/* What it divides must be told itself, and by groups where it is told by groups. */
static bool
parent_told(const struct job *j, int question, bool by_group)
{
	const struct cells_question *q = &j->form->questions[question];
	unsigned joined;

	if (q->parent < 0)
		return true;
	joined = by_group ? j->cross_joined[q->parent] : j->joined[q->parent];
	return (by_group ? j->crossed[q->parent] : j->told[q->parent]) &&
	       !(joined >> q->parent_option & 1);
}

static void
tell_single(struct job *j, int question)
{
	int count = j->form->questions[question].options + 1;
	int64_t counts[CELLS_OPTIONS + 1] = {0};
	unsigned cells;

	for (int c = 0; c < count; c++)
		counts[c] = sum(j, question, 0, 1u << c);
	j->joined[question] = cells_join(counts, count, j->least);
	j->told[question] = parent_told(j, question, false) && has_two(j->joined[question], count);
	for (int i = 0; j->told[question] && (cells = block(j->joined[question], count, i)); i++)
		tell(j, question, 0, cells, sum(j, question, 0, cells));
}

/* ---- by groups ---- */

static bool
enough_everywhere(const struct job *j, int question, unsigned joined, int count)
{
	unsigned rows, cells;

	for (int r = 0; (rows = block(j->joined_rows, j->rows, r)); r++)
		for (int i = 0; (cells = block(joined, count, i)); i++)
			if (sum(j, question, rows, cells) < j->least)
				return false;
	return true;
}

/* The smallest cell outside of `joined`, by what everybody may know: the sum over all groups. */
static unsigned
smallest(const struct job *j, int question, unsigned joined, int count)
{
	int64_t bound = INT64_MAX;
	unsigned found = 0;

	for (int c = 0; c < count; c++) {
		int64_t n = sum(j, question, 0, 1u << c);

		if (!(joined >> c & 1) && n < bound) {
			bound = n;
			found = 1u << c;
		}
	}
	return found;
}

static void
cross_single(struct job *j, int question)
{
	int count = j->form->questions[question].options + 1;
	unsigned joined = j->joined[question], rows, cells;

	while (has_two(joined, count) && !enough_everywhere(j, question, joined, count)) {
		if (!joined)
			joined = smallest(j, question, 0, count);
		joined |= smallest(j, question, joined, count);
	}
	j->cross_joined[question] = joined;
	j->crossed[question] = has_two(joined, count);
	for (int r = 0; j->crossed[question] && (rows = block(j->joined_rows, j->rows, r)); r++)
		for (int i = 0; (cells = block(joined, count, i)); i++)
			tell(j, question, rows, cells, sum(j, question, rows, cells));
}

/* ---- several answers: each option divides by itself, chosen and not ---- */

static bool
divides(const struct job *j, int question, unsigned rows, int option)
{
	int64_t chosen = sum(j, question, rows, 1u << option);

	return chosen >= j->least && sum(j, question, rows, 1u) - chosen >= j->least;
}

static void
tell_multiple(struct job *j, int question)
{
	for (int o = 1; o <= j->form->questions[question].options; o++)
		if (parent_told(j, question, false) && divides(j, question, 0, o))
			tell(j, question, 0, 1u << o, sum(j, question, 0, 1u << o));
}

static void
cross_multiple(struct job *j, int question)
{
	unsigned rows;

	for (int o = 1; o <= j->form->questions[question].options; o++) {
		bool enough = divides(j, question, 0, o);

		for (int r = 0; (rows = block(j->joined_rows, j->rows, r)); r++)
			enough = enough && divides(j, question, rows, o);
		for (int r = 0; enough && (rows = block(j->joined_rows, j->rows, r)); r++)
			tell(j, question, rows, 1u << o, sum(j, question, rows, 1u << o));
	}
}

/* ---- the whole ---- */

static bool
below(const struct cells_form *form, int question, int ancestor)
{
	for (; question >= 0; question = form->questions[question].parent)
		if (question == ancestor)
			return true;
	return false;
}

static void
divide_rows(struct job *j, int64_t row_least)
{
	int group = j->form->group, rows;
	int64_t counts[CELLS_GROUPS + 1] = {0};

	if (group < 0 || !j->told[group])
		return;
	rows = j->form->questions[group].options + 1;
	for (int r = 0; r < rows; r++)
		counts[r] = sum(j, group, 0, 1u << r);
	j->joined_rows = cells_join(counts, rows, row_least);
	if (has_two(j->joined_rows, rows))
		j->rows = rows;
}

static int64_t
took_part(const struct job *j)
{
	for (int i = 0; i < j->form->count; i++) {
		const struct cells_question *q = &j->form->questions[i];

		if (q->parent < 0)
			return sum(j, i, 0, q->multiple ? 1u : all_of(q->options + 1));
	}
	return 0;
}

void
cells_publish(const struct cells_form *form, const struct cells_tally *tally, int64_t least,
    int64_t row_least, struct cells_publication *out)
{
	struct job j = {.form = form, .tally = tally, .least = least, .out = out};
	int64_t n = took_part(&j);

	out->count = 0;
	if (n < least)
		return;
	tell(&j, -1, 0, 0, n);
	for (int i = 0; i < form->count; i++)
		if (form->questions[i].options && form->questions[i].multiple)
			tell_multiple(&j, i);
		else if (form->questions[i].options)
			tell_single(&j, i);
	divide_rows(&j, row_least);
	for (int i = 0; j.rows && i < form->count; i++) {
		if (!form->questions[i].options || below(form, i, form->group) ||
		    !parent_told(&j, i, true))
			continue;
		if (form->questions[i].multiple)
			cross_multiple(&j, i);
		else if (j.told[i])
			cross_single(&j, i);
	}
}
