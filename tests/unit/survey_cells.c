/* What is told of a survey isolates nobody: attackers against every small survey and ten thousand
 * random ones. Each attacker is first let loose on a careless publisher, whom it must convict. */
#include "unit.h"

#include "base/cells.h"

typedef void (*publisher)(const struct cells_form *form, const struct cells_tally *tally,
    int64_t least, int64_t row_least, struct cells_publication *out);

static struct cells_publication publication;

/* Withholds small cells and nothing else: what many programs do. */
static void
careless(const struct cells_form *form, const struct cells_tally *tally, int64_t least,
    int64_t row_least, struct cells_publication *out)
{
	(void)row_least;
	cells_publish(form, tally, 1, 1, out);
	for (int i = 0; i < out->count; i++)
		if (out->cells[i].n < least)
			out->cells[i--] = out->cells[--out->count];
}

/* ---- every survey of a shape, and a reader who knows the rule ---- */

enum { TYPES = 16, GUESSES = 128, CLASSES = 1 << 19 };

struct guess {
	int row, question, cell; /* row -1: all */
};
struct class
{
	uint64_t hash;
	uint8_t most[GUESSES];
};
struct shape {
	struct cells_form form;
	struct cells_record types[TYPES];
	bool fits[TYPES][GUESSES];
	int type_count, guess_count;
	int64_t least, row_least;
	publisher publish;
	struct class *classes;
	uint32_t histogram[TYPES];
	int64_t surveys, told_by_group;
};

static uint64_t
hash_of(const struct cells_publication *p)
{
	uint64_t h = 1469598103934665603u;

	for (int i = 0; i < p->count; i++) {
		const struct cells_published *c = &p->cells[i];
		uint64_t parts[] = {(uint64_t)c->question, c->rows, c->cells, (uint64_t)c->n};

		for (int k = 0; k < 4; k++)
			h = (h ^ parts[k]) * 0x9e3779b97f4a7c15u ^ h >> 29;
	}
	return h ? h : 1;
}

static void
guess_at(struct shape *s, int row, int question, int cell)
{
	const struct cells_form *f = &s->form;
	bool any = false;

	for (int t = 0; t < s->type_count; t++) {
		const struct cells_record *r = &s->types[t];
		bool in = f->questions[question].multiple ? r->answers[question] >> cell & 1
							  : r->answers[question] == cell;
		bool fits =
		    in && cells_asked(f, r, question) && (row < 0 || r->answers[f->group] == row);

		s->fits[t][s->guess_count] = fits;
		any = any || fits;
	}
	if (any) {
		assert_true(s->guess_count + 1 < GUESSES);
		s->guess_count++;
	}
}

static void
types_from(struct shape *s, struct cells_record record, int question)
{
	const struct cells_question *q = &s->form.questions[question];
	int most = q->multiple ? 2 << q->options : q->options + 1;

	if (question == s->form.count) {
		assert_true(s->type_count < TYPES);
		s->types[s->type_count++] = record;
		return;
	}
	for (int a = 0; a < most; a++) {
		record.answers[question] = (uint16_t)a;
		if ((q->multiple && a & 1) || (a && !cells_asked(&s->form, &record, question)))
			continue;
		types_from(s, record, question + 1);
	}
}

static void
shape_begin(struct shape *s)
{
	s->type_count = s->guess_count = 0;
	s->surveys = s->told_by_group = 0;
	types_from(s, (struct cells_record){{0}}, 0);
	for (int q = 0; q < s->form.count; q++)
		for (int c = s->form.questions[q].multiple; c <= s->form.questions[q].options; c++)
			for (int r = -1;
			     r <
			     (s->form.group < 0 ? 0 : s->form.questions[s->form.group].options + 1);
			     r++)
				guess_at(s, r, q, c);
	s->classes = calloc(CLASSES, sizeof(*s->classes));
	assert_non_null(s->classes);
}

static void
note_survey(struct shape *s)
{
	static struct cells_tally tally;
	struct class *class;
	uint64_t h;

	memset(&tally, 0, sizeof(tally));
	for (int t = 0; t < s->type_count; t++)
		for (uint32_t k = 0; k < s->histogram[t]; k++)
			cells_add(&s->form, &tally, &s->types[t]);
	s->publish(&s->form, &tally, s->least, s->row_least, &publication);
	s->told_by_group += publication.count && publication.cells[publication.count - 1].rows;
	s->surveys++;
	h = hash_of(&publication);
	class = &s->classes[h % CLASSES];
	while (class->hash && class->hash != h)
		class = class + 1 < s->classes + CLASSES ? class + 1 : s->classes;
	class->hash = h;
	for (int g = 0; g < s->guess_count; g++) {
		uint32_t n = 0;

		for (int t = 0; t < s->type_count; t++)
			n += s->fits[t][g] ? s->histogram[t] : 0;
		if (n > class->most[g])
			class->most[g] = (uint8_t)n;
	}
}

static void
every_survey(struct shape *s, int type, uint32_t people)
{
	if (type == s->type_count - 1) {
		s->histogram[type] = people;
		note_survey(s);
		return;
	}
	for (uint32_t k = 0; k <= people; k++) {
		s->histogram[type] = k;
		every_survey(s, type + 1, people - k);
	}
}

/* How many (publication, group) pairs leave no doubt that the group is smaller than `least`. */
static int64_t
isolated(struct shape *s, uint32_t people)
{
	int64_t count = 0;

	shape_begin(s);
	every_survey(s, 0, people);
	for (int i = 0; i < CLASSES; i++)
		for (int g = 0; s->classes[i].hash && g < s->guess_count; g++)
			count += s->classes[i].most[g] < s->least;
	free(s->classes);
	return count;
}

static void
check_shape(const char *name, struct shape *s, uint32_t people, int64_t least, int64_t row_least)
{
	int64_t n, surveys, by_group;

	s->least = least;
	s->row_least = row_least;
	s->publish = cells_publish;
	n = isolated(s, people);
	surveys = s->surveys;
	by_group = s->told_by_group;
	s->publish = careless;
	printf("# %s, %u people, k %lld: %lld surveys, %lld told by group, %lld isolated; careless"
	       " publisher: %lld isolated\n",
	    name, people, (long long)least, (long long)surveys, (long long)by_group, (long long)n,
	    (long long)isolated(s, people));
	assert_int_equal(n, 0);
	assert_true(isolated(s, people) > 0);
}

static void
survey_cells_no_small_survey_betrays_anybody(void **state)
{
	static struct shape one = {.form = {{{.options = 4, .parent = -1}}, 1, -1}};
	static struct shape two = {
	    .form = {{{.options = 2, .parent = -1}, {.options = 2, .parent = -1}}, 2, 0}};
	static struct shape wide = {
	    .form = {{{.options = 1, .parent = -1}, {.options = 3, .parent = -1}}, 2, 0}};
	static struct shape many = {
	    .form = {{{.options = 1, .parent = -1}, {.options = 2, .multiple = true, .parent = -1}},
		2, 0}};
	static struct shape branch = {.form = {{{.options = 2, .parent = -1},
						   {.options = 3, .parent = 0, .parent_option = 1}},
					  2, -1}};
	static struct shape both = {
	    .form = {{{.options = 1, .parent = -1}, {.options = 2, .parent = -1},
			 {.options = 1, .parent = 1, .parent_option = 1}},
		3, 0}};

	(void)state;
	check_shape("one question", &one, 22, 5, 5);
	check_shape("one question", &one, 30, 5, 5);
	check_shape("groups", &two, 11, 2, 3);
	check_shape("groups", &two, 12, 2, 2);
	check_shape("many options by group", &wide, 12, 2, 4);
	check_shape("several answers by group", &many, 12, 2, 4);
	check_shape("a branch", &branch, 20, 3, 3);
	check_shape("a branch by group", &both, 13, 2, 3);
}

/* ---- ten thousand random ones, and a reader who adds and subtracts ---- */

enum { SURVEYS = 10000, SETS = 160 };

typedef unsigned __int128 set; /* bit 13 * row + cell */

static uint64_t seed = 88172645463325252u;

static int
below_n(int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int)(seed % (uint64_t)n);
}

static struct cells_form
random_form(void)
{
	struct cells_form f = {.count = 1 + below_n(7), .group = below_n(4) ? 0 : -1};

	for (int i = 0; i < f.count; i++) {
		struct cells_question *q = &f.questions[i];
		int parent = i ? below_n(i) : 0;

		q->options = 1 + below_n(i || f.group < 0 ? CELLS_OPTIONS : CELLS_GROUPS);
		q->multiple = i && !below_n(4);
		q->parent = -1;
		if (i && !below_n(3) && !f.questions[parent].multiple) {
			q->parent = parent;
			q->parent_option = 1 + below_n(f.questions[parent].options);
		}
	}
	return f;
}

static void
random_survey(const struct cells_form *f, struct cells_tally *tally)
{
	int people = 1 + below_n(below_n(3) ? 300 : 30), fashion[CELLS_QUESTIONS];

	for (int i = 0; i < f->count; i++)
		fashion[i] = below_n(f->questions[i].options + 1);
	memset(tally, 0, sizeof(*tally));
	for (; people > 0; people--) {
		struct cells_record r = {{0}};

		for (int i = 0; i < f->count; i++) {
			const struct cells_question *q = &f->questions[i];

			if (!cells_asked(f, &r, i))
				continue;
			if (q->multiple)
				r.answers[i] = (uint16_t)(below_n(2 << q->options) & ~1);
			else
				r.answers[i] =
				    (uint16_t)(below_n(3) ? below_n(q->options + 1) : fashion[i]);
		}
		cells_add(f, tally, &r);
	}
}

struct known {
	set sets[SETS];
	int64_t n[SETS];
	int count;
};

static bool
learn(struct known *k, set s, int64_t n)
{
	for (int i = 0; i < k->count; i++)
		if (k->sets[i] == s)
			return false;
	if (!s || k->count == SETS)
		return false;
	k->sets[k->count] = s;
	k->n[k->count++] = n;
	return true;
}

/* Of the groups that there are: bits of `row_mask`. */
static unsigned row_mask;

static set
rectangle(unsigned rows, unsigned cells)
{
	set s = 0;

	for (int r = 0; r <= CELLS_GROUPS; r++)
		for (int c = 0; c <= CELLS_OPTIONS; c++)
			if ((rows ? rows : row_mask) >> r & 1 && cells >> c & 1)
				s |= (set)1 << (13 * r + c);
	return s;
}

/* What is printed about this question: its table, the groups, and the cell that it divides. For one
 * option of several: `option` and its opposite. */
static void
read_tables(struct known *k, const struct cells_form *f, int question, int option)
{
	const struct cells_question *q = &f->questions[question];
	unsigned all = option ? 3 : (2u << q->options) - 1;

	row_mask = f->group < 0 ? 1 : (2u << f->questions[f->group].options) - 1;
	k->count = 0;
	for (int i = 0; i < publication.count; i++) {
		const struct cells_published *p = &publication.cells[i];

		if (p->question == question && !option)
			learn(k, rectangle(p->rows, p->cells), p->n);
		else if (p->question == question && p->cells == 1u << option)
			learn(k, rectangle(p->rows, 2), p->n);
		else if (q->parent >= 0 && p->question == q->parent &&
			 p->cells == 1u << q->parent_option)
			learn(k, rectangle(p->rows, all), p->n);
		else if (q->parent < 0 && p->question == -1)
			learn(k, rectangle(0, all), p->n);
		else if (q->parent < 0 && p->question == f->group && f->group != question)
			learn(k, rectangle(p->cells, all), p->n);
	}
}

/* Adds and subtracts whatever fits; how many sums of fewer than five come out. */
static int
attack(struct known *k)
{
	int found = 0;

	for (int i = 0; i < k->count; i++)
		for (int j = 0; j < i; j++) {
			set a = k->sets[i], b = k->sets[j];

			if ((a & b) == b)
				learn(k, a & ~b, k->n[i] - k->n[j]);
			else if ((a & b) == a)
				learn(k, b & ~a, k->n[j] - k->n[i]);
			else if (!(a & b) && k->count < SETS / 3)
				learn(k, a | b, k->n[i] + k->n[j]);
		}
	for (int i = 0; i < k->count; i++)
		found += k->n[i] < CELLS_LEAST;
	return found;
}

static int64_t
attack_survey(const struct cells_form *f, int64_t *sums)
{
	static struct known k;
	int64_t found = 0;

	for (int q = 0; q < f->count; q++)
		for (int o = f->questions[q].multiple;
		     o <= (f->questions[q].multiple ? f->questions[q].options : 0); o++) {
			read_tables(&k, f, q, o);
			found += attack(&k);
			*sums += k.count;
		}
	return found;
}

static void
survey_cells_ten_thousand_surveys_isolate_nobody(void **state)
{
	static struct cells_tally tally;
	int64_t found = 0, careless_found = 0, told = 0, by_group = 0, sums = 0, ignored = 0;

	(void)state;
	for (int i = 0; i < SURVEYS; i++) {
		struct cells_form f = random_form();

		random_survey(&f, &tally);
		cells_publish(&f, &tally, CELLS_LEAST, CELLS_ROW_LEAST, &publication);
		for (int c = 0; c < publication.count; c++) {
			assert_true(publication.cells[c].n >= CELLS_LEAST);
			by_group += publication.cells[c].rows != 0;
		}
		told += publication.count;
		found += attack_survey(&f, &sums);
		careless(&f, &tally, CELLS_LEAST, CELLS_ROW_LEAST, &publication);
		if (i % 100 == 0)
			careless_found += attack_survey(&f, &ignored);
	}
	printf("# %d surveys, %lld numbers told (%lld by group), %lld sums derived, %lld under 5;"
	       " a careless publisher, every hundredth: %lld under 5\n",
	    SURVEYS, (long long)told, (long long)by_group, (long long)sums, (long long)found,
	    (long long)careless_found);
	assert_int_equal(found, 0);
	assert_true(careless_found > 0);
	assert_true(told > 100000 && by_group > 10000);
}

/* ---- the rule itself ---- */

static void
survey_cells_smallest_enough_joins_the_small(void **state)
{
	(void)state;
	assert_int_equal(cells_join((int64_t[]){60, 38, 2}, 3, 5), 6);
	assert_int_equal(cells_join((int64_t[]){60, 38, 5}, 3, 5), 0);
	assert_int_equal(cells_join((int64_t[]){60, 38, 0, 38}, 4, 5), 14);
	assert_int_equal(cells_join((int64_t[]){4, 4, 4}, 3, 5), 7);
	assert_int_equal(cells_join((int64_t[]){100, 0}, 2, 5), 3);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(survey_cells_smallest_enough_joins_the_small),
    cmocka_unit_test(survey_cells_no_small_survey_betrays_anybody),
    cmocka_unit_test(survey_cells_ten_thousand_surveys_isolate_nobody),
};

UNIT_RUN(tests)
