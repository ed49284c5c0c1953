/* What became of a survey: sums of five people or more as a message and as CSV, free texts for the
 * safety officer; and the published findings of the 2021 youth poll (COMMUNITY.md "Youth study").
 */
#include "survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/audit.h"
#include "core/drawing.h"
#include "core/people.h"
#include "store/seal.h"

static struct sql closed = {
    "SELECT id FROM survey WHERE state = 2 AND (org IN ('', ?1) OR EXISTS (SELECT 1 FROM role r"
    " WHERE r.person = ?2 AND r.role = 16)) ORDER BY closes DESC, id DESC LIMIT 5"};
/* Groups apart: in which rows of `grp`. */
static struct sql cells = {
    "SELECT question, grp, cells, n FROM survey_cell WHERE survey = ?1 AND (?2 = (grp > 0))"
    " ORDER BY question, grp, cells"};
static struct sql total = {
    "SELECT n FROM survey_cell WHERE survey = ? AND question = -1 AND grp = 0"};
static struct sql cell_of = {
    "SELECT n FROM survey_cell WHERE survey = ? AND question = ? AND grp = ? AND cells = ?"};
static struct sql row_sum = {
    "SELECT sum(n) FROM survey_cell WHERE survey = ?1 AND question = ?2 AND grp = 0"
    " AND (cells & ?3) = cells"};
static struct sql by_group = {"SELECT 1 FROM survey_cell WHERE survey = ? AND grp > 0"};
static struct sql with_texts = {
    "SELECT DISTINCT t.survey FROM survey_text t JOIN survey s ON s.id = t.survey"
    " WHERE s.state = 2 ORDER BY t.survey DESC LIMIT 5"};
static struct sql texts_of = {
    "SELECT t.question, t.content FROM survey_text t JOIN survey s ON s.id = t.survey"
    " WHERE t.survey = ?1 AND s.state = 2 ORDER BY t.question, t.key LIMIT ?2 OFFSET ?3"};
static struct sql forget_texts = {
    "DELETE FROM survey_text WHERE survey IN (SELECT id FROM survey WHERE state = 2 AND closes < "
    "?)"};
static struct sql *const statements[] = {&closed, &cells, &total, &cell_of, &row_sum, &by_group,
    &with_texts, &texts_of, &forget_texts, NULL};

enum { DAY = 86400, BAR = 10, TEXTS = 5, PICTURE_BARS = 60 };

/* ---- words ---- */

static char *
number_of(struct turn *t, int64_t n)
{
	return arena_print(t->arena, "%lld", (long long)n);
}

/* "Yes / no answer": the cells that are told as one sum. */
static const char *
names_of(struct turn *t, const struct form_question *q, int64_t mask)
{
	const char *names = "";

	for (int c = CELLS_OPTIONS; c >= 0; c--)
		if (mask >> c & 1)
			names = arena_print(t->arena, "%s%s%s",
			    survey_cell_name(t, t->language, q, c), *names ? " / " : "", names);
	return names;
}

static const struct form_question *
group_question(const struct form *form)
{
	struct cells_form shape;

	form_cells(form, &shape);
	return shape.group < 0 ? NULL : &form->questions[shape.group];
}

static const char *
group_names(struct turn *t, const struct form *form, int64_t rows)
{
	const struct form_question *q = group_question(form);

	return q ? names_of(t, q, rows) : "";
}

/* ---- numbers ---- */

/* How many were asked, which is told too: everybody, or the cell that the question divides. Of
 * groups: what their cells make together; 0 when that is not told. */
static int64_t
base_of(struct turn *t, const struct survey *s, const struct form_question *q, int64_t rows)
{
	struct cells_form shape;

	if (q->parent >= 0)
		return db_number(
		    t->db, &cell_of, V(s->id, q->parent, rows, 1 << q->parent_option), 0);
	if (!rows)
		return db_number(t->db, &total, V(s->id), 0);
	form_cells(s->form, &shape);
	return db_number(t->db, &row_sum, V(s->id, shape.group, rows), 0);
}

static const char *
bar(struct turn *t, int64_t percent)
{
	struct buf b = {.maximum = 8 * BAR};
	const char *out;

	for (int64_t i = 0; i < BAR; i++)
		buf_string(&b, i < (percent + 5) / BAR ? "▰" : "▱");
	out = arena_string(t->arena, b.bytes);
	buf_free(&b);
	return out;
}

static void
cell_line(struct turn *t, struct card *card, const struct form_question *q, int64_t mask, int64_t n,
    int64_t base)
{
	int64_t percent = base > 0 ? (200 * n + base) / (2 * base) : 0;

	card_text(card, "\n", 0);
	card_text(card, names_of(t, q, mask), 0);
	card_text(card, "\n", 0);
	card_text(card, bar(t, percent), 0);
	card_text(card, " ", 0);
	card_append(card, words(t, "results.number", "percent", number_of(t, percent), "n",
			      number_of(t, n), NULL));
}

static struct card *
table(struct turn *t, const struct survey *s, bool groups)
{
	struct rows *q = db_query(t->db, &cells, V(s->id, groups));
	struct card *card = words(t, groups ? "results.by_group" : "results.title", "title",
	    survey_words(t, t->language, &s->form->title, NULL), NULL);
	int64_t last = -1, last_rows = -1, n = db_number(t->db, &total, V(s->id), 0);

	card_line(card, n ? words_n(t, "results.people", n, NULL) : words(t, "results.few", NULL));
	while (db_next(q)) {
		const struct form_question *x;
		int64_t question = db_int(q, 0), rows = db_int(q, 1);

		if (question < 0)
			continue;
		x = &s->form->questions[question];
		if (question != last) {
			card_text(card, "\n\n", 0);
			card_text(card, survey_words(t, t->language, &x->text, NULL),
			    SPAN_BOLD | SPAN_NAME);
		}
		if (groups && (question != last || rows != last_rows)) {
			card_text(card, "\n", 0);
			card_text(card, group_names(t, s->form, rows), SPAN_ITALIC);
		}
		last = question;
		last_rows = rows;
		cell_line(t, card, x, db_int(q, 2), db_int(q, 3), base_of(t, s, x, rows));
	}
	card_paragraph(card, words(t, "results.rule", NULL));
	return card;
}

/* ---- showing ---- */

static bool
get(struct turn *t, struct survey *s)
{
	if (survey_get(t, strtoll(t->value, NULL, 10), s) && s->state == SURVEY_CLOSED &&
	    (survey_for(t, s) || survey_steers(t, s)))
		return true;
	say(t, words(t, "survey.over", NULL));
	return false;
}

static void
show(struct turn *t)
{
	struct survey s;
	struct card *card;

	if (!get(t, &s))
		return;
	card = table(t, &s, false);
	if (db_exists(t->db, &by_group, V(s.id)))
		choose(t, card, "results.groups", "results.groups", number_of(t, s.id));
	choose(t, card, "results.picture", "results.picture", number_of(t, s.id));
	if (survey_steers(t, &s))
		choose(t, card, "results.csv", "results.csv", number_of(t, s.id));
	say(t, card);
}

static void
show_groups(struct turn *t)
{
	struct survey s;

	struct card *card;

	if (!get(t, &s))
		return;
	card = table(t, &s, true);
	/* A second word beside the number: the picture of the groups. */
	choose(t, card, "results.picture", "results.picture",
	    arena_print(t->arena, "%lld groups", (long long)s.id));
	say(t, card);
}

/* ---- as a picture: drawn by the small program, off the loop's thread, from the same sums ---- */

static void
picture_bar(struct turn *t, struct buf *b, const struct form_question *q, int64_t mask, int64_t n,
    int64_t base)
{
	int64_t percent = base > 0 ? (200 * n + base) / (2 * base) : 0;

	buf_print(b, "bar %lld %s · %s\n", (long long)percent, names_of(t, q, mask),
	    words_flat(
		t, "results.number", "percent", number_of(t, percent), "n", number_of(t, n), NULL));
}

static void
picture_lines(struct turn *t, const struct survey *s, bool groups, struct buf *b)
{
	struct rows *q = db_query(t->db, &cells, V(s->id, groups));
	int64_t last = -1, last_rows = -1;
	int bars = 0;

	if (!strcmp(t->language, "ar") || !strcmp(t->language, "he"))
		buf_string(b, "rtl\n");
	buf_print(b, "title %s\n", survey_words(t, t->language, &s->form->title, NULL));
	while (db_next(q)) {
		const struct form_question *x;
		int64_t question = db_int(q, 0), rows = db_int(q, 1);

		if (question < 0 && groups)
			continue;
		if (++bars > PICTURE_BARS) {
			buf_print(b, "note %s\n", words_flat(t, "results.picture_part", NULL));
			db_done(q);
			return;
		}
		if (question < 0) {
			struct card *people = words_n(t, "results.people", db_int(q, 3), NULL);

			buf_print(b, "note %s\n", card_plain(t->arena, people));
			continue;
		}
		x = &s->form->questions[question];
		if (question != last)
			buf_print(b, "head %s\n", survey_words(t, t->language, &x->text, NULL));
		if (groups && (question != last || rows != last_rows))
			buf_print(b, "note %s\n", group_names(t, s->form, rows));
		last = question;
		last_rows = rows;
		picture_bar(t, b, x, db_int(q, 2), db_int(q, 3), base_of(t, s, x, rows));
	}
}

static void
picture(struct turn *t)
{
	struct survey s;
	struct buf b = {.maximum = 1 << 18};
	bool groups;
	char *key;

	if (!get(t, &s))
		return;
	groups = strchr(t->value, ' ') != NULL;
	picture_lines(t, &s, groups, &b);
	key = arena_print(
	    t->arena, "%lld %lld %d", (long long)t->person->id, (long long)s.id, groups);
	work_start(t, "results.picture", key, (struct blob){b.bytes, b.length});
	buf_free(&b);
}

static void
drawn(struct turn *t, struct blob png)
{
	char *survey;
	int64_t person = strtoll(t->key, &survey, 10);
	const char *language = language_of(t, person);
	struct card *card =
	    words_in(t, language, png.length ? "results.picture_here" : "results.no_picture", NULL);
	struct survey s;

	if (png.length && survey_get(t, strtoll(survey, NULL, 10), &s)) {
		card_text(card, "\n", 0);
		card_name(card, survey_words(t, language, &s.form->title, NULL));
	}
	drawing_tell(t, person, card, "results.png", png);
}

static const struct work works[] = {
    {.name = "results.picture", .run = drawing_run, .came = drawn},
    {0},
};

/* ---- CSV ---- */

/* A text that a spreadsheet would take for a formula is led by an apostrophe; isolates are for
 * screens. */
static void
csv_field(struct buf *b, const char *text, const char *end)
{
	buf_string(b, "\"");
	if (strchr("=+-@\t\r", *text) && *text)
		buf_string(b, "'");
	for (; *text; text++) {
		if (!strncmp(text, TEXT_FSI, 3) || !strncmp(text, TEXT_PDI, 3)) {
			text += 2;
			continue;
		}
		buf_add(b, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
	}
	buf_string(b, "\"");
	buf_string(b, end);
}

static void
csv_rows(struct turn *t, const struct survey *s, bool groups, struct buf *b)
{
	struct rows *q = db_query(t->db, &cells, V(s->id, groups));

	while (db_next(q)) {
		int64_t question = db_int(q, 0);
		const struct form_question *x = question < 0 ? NULL : &s->form->questions[question];

		csv_field(b, x ? survey_words(t, t->language, &x->text, NULL) : "", ",");
		csv_field(b, group_names(t, s->form, db_int(q, 1)), ",");
		csv_field(b, x ? names_of(t, x, db_int(q, 2)) : "", ",");
		buf_print(b, "%lld\r\n", (long long)db_int(q, 3));
	}
}

/* The same sums as in the message: there is no other source. */
static void
csv(struct turn *t)
{
	struct survey s;
	struct buf b = {.maximum = 1 << 20};
	struct card *card;

	if (!get(t, &s))
		return;
	if (!survey_steers(t, &s)) {
		say(t, words(t, "engine.not_allowed", NULL));
		return;
	}
	buf_string(&b, "\xef\xbb\xbfquestion,group,answer,people\r\n");
	csv_rows(t, &s, false, &b);
	csv_rows(t, &s, true, &b);
	card = words(t, "results.csv_here", NULL);
	card_file(card, file_new(t, "survey.csv", b.bytes, b.length), "survey.csv", "text/csv",
	    file_key(t, b.bytes, b.length));
	buf_free(&b);
	audit(t, "survey.export", s.id);
	say_private(t, card);
}

/* ---- free texts ---- */

static void
show_texts(struct turn *t)
{
	char *end;
	int64_t id = strtoll(t->value, &end, 10), from = strtoll(end, NULL, 10);
	struct rows *q = db_query(t->db, &texts_of, V(id, TEXTS + 1, from));
	struct card *card = words(t, "results.texts_title", NULL);
	struct survey s;
	int n = 0;

	if (!survey_get(t, id, &s))
		return;
	for (; db_next(q) && n < TEXTS; n++) {
		struct blob plain = seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, id,
		    "survey_text.content", db_blob(q, 1));

		card_text(card, "\n\n", 0);
		card_text(card,
		    survey_words(t, t->language, &s.form->questions[db_int(q, 0)].text, NULL),
		    SPAN_ITALIC | SPAN_NAME);
		card_text(card, "\n", 0);
		card_name(
		    card, plain.bytes ? arena_copy(t->arena, plain.bytes, plain.length) : "…");
	}
	if (n == TEXTS)
		choose(t, card, "engine.more", "results.texts",
		    arena_print(t->arena, "%lld %lld", (long long)id, (long long)from + TEXTS));
	card->flags |= CARD_PROTECT;
	say_private(t, card);
}

/* ---- the youth poll ---- */

static void
poll(struct turn *t)
{
	struct card *card = words(t, "results.poll", NULL);

	card_text(card, "\n", 0);
	card_text(card, bar(t, 90), 0);
	card_text(card, " 90 %", 0);
	card_paragraph(card, words(t, "results.poll_more", NULL));
	card_line(card, words(t, "results.poll_source", NULL));
	card_text(card, "\n", 0);
	card_link(card, "usip.org",
	    "https://usip.org/blog/2023/01/"
	    "how-do-israeli-and-palestinian-youth-view-prospects-peace");
	say(t, card);
}

void
survey_choose_results(struct turn *t, struct card *card)
{
	struct survey s;
	struct rows *q = db_query(t->db, &closed, V(t->person->org, t->person->id));

	while (db_next(q))
		if (survey_get(t, db_int(q, 0), &s) && (survey_for(t, &s) || survey_steers(t, &s)))
			choose_text(t, card,
			    words_flat(t, "results.of", "title",
				survey_words(t, t->language, &s.form->title, NULL), NULL),
			    "results.show", number_of(t, s.id));
	q = t->person->access & SAFETY ? db_query(t->db, &with_texts, NONE) : NULL;
	while (q && db_next(q))
		if (survey_get(t, db_int(q, 0), &s))
			choose_text(t, card,
			    words_flat(t, "results.texts", "title",
				survey_words(t, t->language, &s.form->title, NULL), NULL),
			    "results.texts", number_of(t, s.id));
	choose(t, card, "results.poll_2021", "results.poll", "");
}

static void
prune(struct turn *t)
{
	db_run(t->db, &forget_texts,
	    V(t->now - DAY * conf_number(t->conf, "retention", NULL, "ticket")));
}

static const struct action actions[] = {
    {"results.show", MEMBERS, show},
    {"results.groups", MEMBERS, show_groups},
    {"results.picture", MEMBERS, picture},
    {"results.csv", COORDINATORS | ADMINS, csv},
    {"results.texts", SAFETY, show_texts},
    {"results.poll", ANYONE, poll},
    {0},
};
static const struct job jobs[] = {
    {.name = "results.prune", .every_s = DAY, .run = prune},
    {0},
};

const struct feature feature_results = {
    .name = "results",
    .statements = statements,
    .actions = actions,
    .jobs = jobs,
    .works = works,
};
