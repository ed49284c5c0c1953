/* /survey: questions one at a time; and the way an answer takes until nobody can know whose it is.
 *
 * While somebody answers, all of it is one sealed draft under their own key. Handed in, it lies in
 * a pool, sealed, under a random key, with no person and no time. When ten are there, five of them
 * drawn by chance are added to sums, so that five always stay to mix with the next; the sums are
 * one sealed blob of a fixed size. That somebody answered is a keyed hash, until the survey closes.
 * At the end the sums become what may be told (base/cells.h) and everything else is deleted. */
#include "survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "core/audience.h"
#include "core/draft.h"
#include "core/people.h"
#include "store/seal.h"

/* Without rowids: a row stands where its random or hashed key puts it, never in order of coming. */
static const char *const steps[] = {
    "CREATE TABLE survey(id INTEGER PRIMARY KEY AUTOINCREMENT, org TEXT NOT NULL,"
    " content TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0, days INTEGER NOT NULL DEFAULT 0,"
    " closes INTEGER NOT NULL DEFAULT 0, approval INTEGER NOT NULL DEFAULT 0,"
    " post INTEGER NOT NULL DEFAULT 0, made INTEGER NOT NULL) STRICT;"
    "CREATE TABLE survey_answered(survey INTEGER NOT NULL, token TEXT NOT NULL,"
    " PRIMARY KEY(survey, token)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE survey_pool(key BLOB PRIMARY KEY, survey INTEGER NOT NULL,"
    " content BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE survey_tally(survey INTEGER PRIMARY KEY, content BLOB NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE survey_text(key BLOB PRIMARY KEY, survey INTEGER NOT NULL,"
    " question INTEGER NOT NULL, content BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE survey_cell(survey INTEGER NOT NULL, question INTEGER NOT NULL,"
    " grp INTEGER NOT NULL, cells INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY(survey, question, grp, cells)) STRICT, WITHOUT ROWID;",
    "ALTER TABLE survey ADD COLUMN topics TEXT NOT NULL DEFAULT '';",
    NULL,
};
#define CLOSING "until the survey closes"
#define TICKET "[retention] ticket days after it closed"
#define RESULT "as a published result"
static const struct column columns[] = {
    {"survey.id", "number of a survey", RESULT, NOT_PERSONAL},
    {"survey.org", "whose survey it is; empty: the network's", RESULT, NOT_PERSONAL},
    {"survey.content", "its questions", RESULT, NOT_PERSONAL},
    {"survey.state", "new, open or closed", RESULT, NOT_PERSONAL},
    {"survey.days", "how long it is open", RESULT, NOT_PERSONAL},
    {"survey.closes", "when it closes", RESULT, NOT_PERSONAL},
    {"survey.approval", "the second person's yes", RESULT, NOT_PERSONAL},
    {"survey.post", "its invitation", RESULT, NOT_PERSONAL},
    {"survey.made", "the day, to forget what was never opened", RESULT, NOT_PERSONAL},
    {"survey.topics", "for those who chose one of these; empty: everybody", RESULT, NOT_PERSONAL},
    {"survey_answered.survey", "which survey was answered", CLOSING, NOT_PERSONAL},
    {"survey_answered.token", "keyed hash: nobody answers twice", CLOSING, KEYED_HASH},
    {"survey_pool.key", "random: the order of coming does not show", CLOSING, NOT_PERSONAL},
    {"survey_pool.survey", "of which survey", CLOSING, NOT_PERSONAL},
    {"survey_pool.content", "an answer that waits for others, sealed", CLOSING, WHEN_DONE},
    {"survey_tally.survey", "of which survey", CLOSING, NOT_PERSONAL},
    {"survey_tally.content", "sums over all answers, sealed", CLOSING, WHEN_DONE},
    {"survey_text.key", "random: the order of coming does not show", TICKET, NOT_PERSONAL},
    {"survey_text.survey", "of which survey", TICKET, NOT_PERSONAL},
    {"survey_text.question", "to which question", TICKET, NOT_PERSONAL},
    {"survey_text.content", "what was written, sealed", TICKET, AFTER_RETENTION},
    {"survey_cell.survey", "of which survey", RESULT, NOT_PERSONAL},
    {"survey_cell.question", "to which question", RESULT, NOT_PERSONAL},
    {"survey_cell.grp", "in which groups together; 0: everybody", RESULT, NOT_PERSONAL},
    {"survey_cell.cells", "which answers together", RESULT, NOT_PERSONAL},
    {"survey_cell.n", "how many people, five or more", RESULT, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"survey", steps, columns};

#define FIELDS "SELECT id, org, state, days, closes, approval, post, content, topics FROM survey "
static struct sql get = {FIELDS "WHERE id = ?"};
static struct sql open_ones = {
    "SELECT id FROM survey WHERE state = 1 AND org IN ('', ?) ORDER BY id LIMIT 10"};
static struct sql all_open = {"SELECT id FROM survey WHERE state = 1"};
static struct sql add = {"INSERT INTO survey(org, content, made) VALUES(?, ?, ?)"};
static struct sql set_topics = {
    "UPDATE survey SET topics = ? WHERE id = ? AND state = 0 AND approval = 0"};
static struct sql handed_in = {"UPDATE survey SET days = ?, approval = ? WHERE id = ?"};
static struct sql begin = {"UPDATE survey SET state = 1, closes = ?, post = ? WHERE id = ?"};
static struct sql end = {"UPDATE survey SET state = 2 WHERE id = ? AND state = 1"};
static struct sql forget_new = {"DELETE FROM survey WHERE state = 0 AND made < ?"};
static struct sql answered = {"SELECT 1 FROM survey_answered WHERE survey = ? AND token = ?"};
static struct sql set_answered = {
    "INSERT OR IGNORE INTO survey_answered(survey, token) VALUES(?, ?)"};
static struct sql drop_answered = {"DELETE FROM survey_answered WHERE survey = ?"};
static struct sql pool_add = {"INSERT INTO survey_pool(key, survey, content) VALUES(?, ?, ?)"};
static struct sql pool_count = {"SELECT count(*) FROM survey_pool WHERE survey = ?"};
static struct sql pool_draw = {
    "SELECT key, content FROM survey_pool WHERE survey = ? ORDER BY key LIMIT ?"};
static struct sql pool_drop = {"DELETE FROM survey_pool WHERE key = ?"};
static struct sql pool_clear = {"DELETE FROM survey_pool WHERE survey = ?"};
static struct sql tally_get = {"SELECT content FROM survey_tally WHERE survey = ?"};
static struct sql tally_set = {"INSERT OR REPLACE INTO survey_tally(survey, content) VALUES(?, ?)"};
static struct sql tally_drop = {"DELETE FROM survey_tally WHERE survey = ?"};
static struct sql text_add = {
    "INSERT INTO survey_text(key, survey, question, content) VALUES(?, ?, ?, ?)"};
static struct sql cell_add = {
    "INSERT INTO survey_cell(survey, question, grp, cells, n) VALUES(?, ?, ?, ?, ?)"};
static struct sql *const statements[] = {&get, &open_ones, &all_open, &add, &set_topics, &handed_in,
    &begin, &end, &forget_new, &answered, &set_answered, &drop_answered, &pool_add, &pool_count,
    &pool_draw, &pool_drop, &pool_clear, &tally_get, &tally_set, &tally_drop, &text_add, &cell_add,
    NULL};

enum { DAY = 86400, BATCH = CELLS_LEAST, KEY_BYTES = 16, PAD = 1024, NEW_DAYS = 30 };

/* ---- surveys ---- */

bool
survey_get(struct turn *t, int64_t id, struct survey *s)
{
	struct rows *q = db_query(t->db, &get, V(id));
	const char *why;

	if (!db_next(q))
		return false;
	*s = (struct survey){.id = db_int(q, 0),
	    .org = db_text(q, 1),
	    .state = (enum survey_state)db_int(q, 2),
	    .days = db_int(q, 3),
	    .closes = db_int(q, 4),
	    .approval = db_int(q, 5),
	    .post = db_int(q, 6),
	    .content = db_text(q, 7),
	    .topics = db_text(q, 8)};
	db_done(q);
	s->form = form_read(t->arena, s->content, strlen(s->content), &why);
	return s->form != NULL;
}

bool
survey_for(struct turn *t, const struct survey *s)
{
	bool chosen = !*s->topics;

	if (!t->person || !(t->person->access & MEMBERS) ||
	    (*s->org && strcmp(s->org, t->person->org) != 0))
		return false;
	for (const char *at = s->topics; *at && !chosen; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		chosen = audience_tagged(
		    t, t->person->id, arena_print(t->arena, "topic.%.*s", (int)n, at));
		at += n;
	}
	return chosen;
}

bool
survey_steers(struct turn *t, const struct survey *s)
{
	return t->person && (people_holds(t, t->person->id, ADMINS, "") ||
				(*s->org && people_holds(t, t->person->id, COORDINATORS, s->org)));
}

int64_t
survey_add(struct turn *t, const char *org, const char *content)
{
	return db_insert(t->db, &add, V(org, content, t->now / DAY * DAY));
}

void
survey_set_topics(struct turn *t, int64_t id, const char *topics)
{
	db_run(t->db, &set_topics, V(topics, id));
}

void
survey_hand_in(struct turn *t, int64_t id, int64_t days, int64_t approval)
{
	db_run(t->db, &handed_in, V(days, approval, id));
}

void
survey_begin(struct turn *t, int64_t id, int64_t closes, int64_t post)
{
	db_run(t->db, &begin, V(closes, post, id));
	job_at(t, "survey.close", arena_print(t->arena, "%lld", (long long)id), closes, "");
}

const char *
survey_words(struct turn *t, const char *language, const struct form_text *text, const char **fell)
{
	struct translated texts[FORM_LANGUAGES];
	const char *words;

	for (int i = 0; i < FORM_LANGUAGES; i++)
		texts[i] = (struct translated){form_languages[i], text->in[i]};
	words = translation(t, language, texts, FORM_LANGUAGES, fell);
	return words ? words : "";
}

const char *
survey_cell_name(struct turn *t, const char *language, const struct form_question *q, int cell)
{
	int edge = cell == 1 ? 0 : cell == FORM_SCALE ? 1 : -1;

	if (!cell)
		return words_flat_in(t, language, "survey.no_answer", NULL);
	if (q->kind != FORM_SCALE_KIND)
		return text_isolate(
		    t->arena, survey_words(t, language, &q->options[cell - 1], NULL));
	if (edge < 0 || !q->options_count)
		return arena_print(t->arena, "%d", cell);
	return arena_print(t->arena, "%d · %s", cell,
	    text_isolate(t->arena, survey_words(t, language, &q->options[edge], NULL)));
}

struct card *
survey_promise(struct turn *t, const char *language, const struct survey *s)
{
	const char *fell = NULL;
	struct card *card = words_in(t, language, "survey.named", "title",
	    survey_words(t, language, &s->form->title, &fell), NULL);

	if (fell)
		card_line(card, words_in(t, language, "engine.fallback_language", "language",
				    words_flat_in(t, fell, "language.name", NULL), NULL));
	card_line(card, words_n_in(t, language, "survey.length", s->form->count, "minutes",
			    arena_print(t->arena, "%lld", (long long)s->form->minutes), NULL));
	card_paragraph(card, words_in(t, language, "survey.who_sees", NULL));
	return card;
}

/* ---- a draft: one line a question; empty: not yet, "-": left out ---- */

#define LEFT_OUT "-"

struct answers {
	const char *of[CELLS_QUESTIONS];
};

static char *
kind_of(struct turn *t, int64_t survey)
{
	return arena_print(t->arena, "survey.%lld", (long long)survey);
}

static struct answers
unpack(struct arena *arena, const char *packed)
{
	struct answers a;
	char *at = arena_string(arena, packed), *line;

	for (int i = 0; i < CELLS_QUESTIONS; i++) {
		line = at ? strsep(&at, "\n") : NULL;
		a.of[i] = line ? line : "";
	}
	return a;
}

/* As long as others, so that its length says nothing. */
static char *
pack(struct arena *arena, const struct answers *a)
{
	struct buf b = {.maximum = (size_t)CELLS_QUESTIONS * 4 * FORM_TEXT_SCALARS + 2 * PAD};
	char *packed;

	for (int i = 0; i < CELLS_QUESTIONS; i++)
		buf_print(&b, "%s\n", a->of[i]);
	while (b.length % PAD)
		buf_string(&b, " ");
	packed = arena_string(arena, b.bytes);
	buf_free(&b);
	return packed;
}

static struct answers
drafted(struct turn *t, int64_t survey)
{
	return unpack(t->arena, draft_get(t, kind_of(t, survey), "answers"));
}

static void
keep_draft(struct turn *t, int64_t survey, const struct answers *a)
{
	draft_set(t, kind_of(t, survey), "answers", pack(t->arena, a));
}

static bool
given(const char *answer)
{
	return *answer && strcmp(answer, LEFT_OUT) != 0;
}

/* Bit o: option o. A single choice has one bit. */
static unsigned
options_of(const char *answer)
{
	return given(answer) ? (unsigned)strtoul(answer, NULL, 10) : 0;
}

/* Whether it is asked of them: branches, and no free text under 18. */
static bool
asked(const struct turn *t, const struct form *form, const struct answers *a, int i)
{
	const struct form_question *q = &form->questions[i];

	if (q->kind == FORM_TEXT && !t->person->adult)
		return false;
	return q->parent < 0 || (options_of(a->of[q->parent]) == 1u << q->parent_option &&
				    asked(t, form, a, q->parent));
}

static int
step_from(const struct turn *t, const struct form *form, const struct answers *a, int at, int by)
{
	for (at += by; at >= 0 && at < form->count; at += by)
		if (asked(t, form, a, at))
			return at;
	return at < 0 ? -1 : form->count;
}

/* ---- from an answer to the sums ---- */

static struct cells_record
record_of(const struct form *form, const struct answers *a)
{
	struct cells_record r = {{0}};

	for (int i = 0; i < form->count; i++) {
		unsigned bits = options_of(a->of[i]);

		if (form->questions[i].kind == FORM_MULTIPLE)
			r.answers[i] = (uint16_t)bits;
		else if (form->questions[i].kind != FORM_TEXT && bits)
			r.answers[i] = (uint16_t)__builtin_ctz(bits);
	}
	return r;
}

static struct blob
box(struct turn *t, int64_t survey, const char *purpose, const void *bytes, size_t length)
{
	return seal_box(t->seal, t->arena, (struct blob){NULL, 0}, survey, purpose,
	    (struct blob){bytes, length});
}

static struct blob
random_key(struct turn *t)
{
	void *bytes = arena_alloc(t->arena, KEY_BYTES);

	seal_random(bytes, KEY_BYTES);
	return (struct blob){bytes, KEY_BYTES};
}

static struct cells_tally *
read_tally(struct turn *t, int64_t survey)
{
	struct cells_tally *tally = arena_alloc(t->arena, sizeof(*tally));
	struct rows *q = db_query(t->db, &tally_get, V(survey));
	struct blob plain = {NULL, 0};

	if (db_next(q))
		plain = seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, survey,
		    "survey_tally.content", db_blob(q, 0));
	db_done(q);
	if (plain.bytes && plain.length <= sizeof(*tally))
		memcpy(tally, plain.bytes, plain.length);
	return tally;
}

static void
take_one(struct turn *t, const struct survey *s, struct cells_tally *tally, struct blob sealed)
{
	struct blob plain = seal_unbox(
	    t->seal, t->arena, (struct blob){NULL, 0}, s->id, "survey_pool.content", sealed);
	struct cells_form shape;
	struct cells_record record;
	struct answers a;

	if (!plain.bytes)
		return;
	a = unpack(t->arena, arena_copy(t->arena, plain.bytes, plain.length));
	record = record_of(s->form, &a);
	form_cells(s->form, &shape);
	cells_add(&shape, tally, &record);
	for (int i = 0; i < s->form->count; i++)
		if (s->form->questions[i].kind == FORM_TEXT && given(a.of[i]))
			db_run(t->db, &text_add,
			    V(random_key(t), s->id, i,
				box(t, s->id, "survey_text.content", a.of[i], strlen(a.of[i]))));
}

/* `count` of the pool, drawn by their random keys, five or more. */
static void
draw(struct turn *t, const struct survey *s, int64_t count)
{
	struct cells_tally *tally = read_tally(t, s->id);
	struct rows *q = db_query(t->db, &pool_draw, V(s->id, count));

	while (db_next(q)) {
		struct blob key = db_blob(q, 0);

		take_one(t, s, tally, db_blob(q, 1));
		db_run(t->db, &pool_drop, V(key));
	}
	db_run(t->db, &tally_set,
	    V(s->id, box(t, s->id, "survey_tally.content", tally,
			 sizeof(tally->n[0]) * (size_t)s->form->count)));
}

static void
hand_over(struct turn *t, const struct survey *s, const struct answers *a)
{
	const char *packed = pack(t->arena, a);

	db_run(t->db, &pool_add,
	    V(random_key(t), s->id, box(t, s->id, "survey_pool.content", packed, strlen(packed))));
	if (db_number(t->db, &pool_count, V(s->id), 0) >= 2 * BATCH)
		draw(t, s, BATCH);
}

void
survey_close(struct turn *t, int64_t id)
{
	struct survey s;
	struct cells_form shape;
	struct cells_publication *p = arena_alloc(t->arena, sizeof(*p));

	/* Once: a second publication would tell the difference. */
	if (!survey_get(t, id, &s) || !db_run(t->db, &end, V(id)))
		return;
	if (db_number(t->db, &pool_count, V(id), 0) >= BATCH)
		draw(t, &s, 2 * BATCH);
	form_cells(s.form, &shape);
	cells_publish(&shape, read_tally(t, id), CELLS_LEAST, CELLS_ROW_LEAST, p);
	for (int i = 0; i < p->count; i++)
		db_run(t->db, &cell_add,
		    V(id, p->cells[i].question, p->cells[i].rows, p->cells[i].cells,
			p->cells[i].n));
	db_run(t->db, &pool_clear, V(id));
	db_run(t->db, &tally_drop, V(id));
	db_run(t->db, &drop_answered, V(id));
	draft_drop_all(t, kind_of(t, id));
}

/* ---- the conversation ---- */

static bool
has_answered(struct turn *t, int64_t survey)
{
	return db_exists(
	    t->db, &answered, V(survey, people_mark(t, t->person->id, kind_of(t, survey))));
}

/* Looked at on every press: it may have closed, or they moved to another organisation. */
static bool
may_answer(struct turn *t, int64_t id, struct survey *s)
{
	if (survey_get(t, id, s) && s->state == SURVEY_OPEN && survey_for(t, s) &&
	    !has_answered(t, id))
		return true;
	say(t, words(t, "survey.over", NULL));
	return false;
}

void
survey_move(struct turn *t, int64_t from, int64_t to)
{
	struct rows *q = db_query(t->db, &all_open, NONE);

	while (db_next(q)) {
		int64_t id = db_int(q, 0);

		if (db_exists(t->db, &answered, V(id, people_mark(t, from, kind_of(t, id)))))
			db_run(t->db, &set_answered, V(id, people_mark(t, to, kind_of(t, id))));
	}
}

static void
show(struct turn *t, struct card *card)
{
	if (t->pressed)
		edit(t, card);
	else
		say(t, card);
}

/* What stands under each question; a card that is edited brings its own way out. */
static void
ways(struct turn *t, struct card *card, bool skip, bool back)
{
	if (skip)
		choose_answer(t, card, "survey.skip", "skip");
	if (back)
		choose_answer(t, card, "engine.back", "back");
	if (skip && back)
		card_same_row(card);
	choose(t, card, "survey.pause", "survey.pause", "");
	if (t->pressed)
		choose(t, card, "engine.cancel", "engine.command", "cancel");
	card_same_row(card);
	show(t, card);
}

static struct card *
question_card(struct turn *t, const struct survey *s, const struct answers *a, int at)
{
	const struct form_question *q = &s->form->questions[at];
	const char *fell = NULL, *text = survey_words(t, t->language, &q->text, &fell);
	int before = 0, all = 0;
	struct card *card;

	for (int i = 0; i < s->form->count; i++) {
		before += i <= at && asked(t, s->form, a, i);
		all += i > at ? s->form->questions[i].kind != FORM_TEXT || t->person->adult
			      : asked(t, s->form, a, i);
	}
	card = words(t, "survey.progress", "n", arena_print(t->arena, "%d", before), "all",
	    arena_print(t->arena, "%d", all), NULL);
	card_text(card, "\n", 0);
	card_text(card, text, SPAN_NAME | SPAN_BOLD);
	if (fell)
		card_line(card, words(t, "engine.fallback_language", "language",
				    words_flat_in(t, fell, "language.name", NULL), NULL));
	return card;
}

static void
ask(struct turn *t)
{
	int64_t id = strtoll(flow_get(t, "survey"), NULL, 10);
	int at = (int)strtol(flow_get(t, "at"), NULL, 10), options;
	struct survey s;
	struct answers a;
	const struct form_question *q;
	struct card *card;

	if (!survey_get(t, id, &s))
		return;
	a = drafted(t, id);
	if (at >= s.form->count) {
		card = words(t, "survey.last", NULL);
		choose_answer(t, card, "survey.hand_in", "hand in");
		ways(t, card, false, true);
		return;
	}
	q = &s.form->questions[at];
	options = q->kind == FORM_SCALE_KIND ? FORM_SCALE : q->options_count;
	card = question_card(t, &s, &a, at);
	if (q->kind == FORM_TEXT)
		card_line(card, words(t, "survey.text_hint", NULL));
	for (int o = 1; o <= options; o++)
		choose_answer_text(t, card,
		    arena_print(t->arena, "%s%s", options_of(a.of[at]) >> o & 1 ? "✓ " : "",
			survey_cell_name(t, t->language, q, o)),
		    arena_print(t->arena, "%d", o));
	if (q->kind == FORM_MULTIPLE)
		choose_answer(t, card, "survey.next", "next");
	ways(t, card, true, step_from(t, s.form, &a, at, -1) >= 0);
}

static void go(struct turn *t, const struct survey *s, int at);

static void
hand_in(struct turn *t, const struct survey *s, const struct answers *a)
{
	const char *token = people_mark(t, t->person->id, kind_of(t, s->id));

	flow_end(t);
	if (db_run(t->db, &set_answered, V(s->id, token)))
		hand_over(t, s, a);
	draft_drop(t, kind_of(t, s->id));
	show(t, words(t, "survey.thanks", NULL));
}

/* A button of a question. */
static enum next
pressed(struct turn *t, const struct survey *s, struct answers *a, int at)
{
	const struct form_question *q = &s->form->questions[at];
	int64_t option;

	if (!strcmp(t->value, "back")) {
		at = step_from(t, s->form, a, at, -1);
	} else if (at == s->form->count) {
		hand_in(t, s, a);
		return DONE;
	} else if (text_number(t->value, &option) && option >= 1 && option <= CELLS_OPTIONS) {
		unsigned bit = 1u << option, now = options_of(a->of[at]);

		bit = q->kind == FORM_MULTIPLE ? now ^ bit : bit;
		a->of[at] = bit ? arena_print(t->arena, "%u", bit) : "";
		if (q->kind != FORM_MULTIPLE)
			at = step_from(t, s->form, a, at, 1);
	} else {
		if (!strcmp(t->value, "skip") || !*a->of[at])
			a->of[at] = LEFT_OUT;
		at = step_from(t, s->form, a, at, 1);
	}
	keep_draft(t, s->id, a);
	go(t, s, at < 0 ? 0 : at);
	return JUMPED;
}

static enum next
answer(struct turn *t)
{
	int64_t id = strtoll(flow_get(t, "survey"), NULL, 10);
	int at = (int)strtol(flow_get(t, "at"), NULL, 10);
	struct survey s;
	struct answers a;

	if (!may_answer(t, id, &s))
		return DONE;
	a = drafted(t, id);
	if (t->chosen)
		return pressed(t, &s, &a, at);
	if (at >= s.form->count || s.form->questions[at].kind != FORM_TEXT || !t->text[0])
		return flow_again(t, "survey.tap");
	a.of[at] = arena_copy(t->arena, t->text, text_cut(t->text, FORM_TEXT_SCALARS));
	for (char *c = strchr(a.of[at], '\n'); c; c = strchr(c, '\n'))
		*c = ' ';
	keep_draft(t, id, &a);
	go(t, &s, step_from(t, s.form, &a, at, 1));
	return JUMPED;
}

static void
cancelled(struct turn *t)
{
	draft_drop(t, kind_of(t, strtoll(flow_get(t, "survey"), NULL, 10)));
}

/* Two of them, for a number that is typed means a choice in one and is the answer in the other. */
static const struct step choice_steps[] = {
    {.name = "question", .ask = ask, .answer = answer},
    {0},
};
static const struct step text_steps[] = {
    {.name = "text", .ask = ask, .answer = answer, .takes_numbers = true},
    {0},
};
static const struct flow choice_flow = {
    .name = "survey.question", .access = MEMBERS, .steps = choice_steps, .cancelled = cancelled};
static const struct flow text_flow = {
    .name = "survey.text", .access = MEMBERS, .steps = text_steps, .cancelled = cancelled};
static const struct flow *const flows[] = {&choice_flow, &text_flow, NULL};

static void
go(struct turn *t, const struct survey *s, int at)
{
	bool text = at < s->form->count && s->form->questions[at].kind == FORM_TEXT;

	flow_begin(t, text ? &text_flow : &choice_flow);
	flow_set(t, "survey", arena_print(t->arena, "%lld", (long long)s->id));
	flow_set(t, "at", arena_print(t->arena, "%d", at));
}

/* ---- buttons outside of a question ---- */

static void
open_one(struct turn *t)
{
	struct survey s;
	struct card *card;
	bool begun;

	if (!may_answer(t, strtoll(t->value, NULL, 10), &s))
		return;
	begun = draft_exists(t, kind_of(t, s.id));
	card = survey_promise(t, t->language, &s);
	if (!t->person->adult)
		card_paragraph(card, words(t, "survey.no_text", NULL));
	choose_text(t, card, words_flat(t, begun ? "survey.go_on" : "survey.begin", NULL),
	    "survey.begin", arena_print(t->arena, "%lld", (long long)s.id));
	say(t, card);
}

/* At the first question without an answer. */
static void
begin_or_go_on(struct turn *t)
{
	struct survey s;
	struct answers a;
	int at;

	if (!may_answer(t, strtoll(t->value, NULL, 10), &s))
		return;
	a = drafted(t, s.id);
	at = step_from(t, s.form, &a, -1, 1);
	while (at < s.form->count && *a.of[at])
		at = step_from(t, s.form, &a, at, 1);
	keep_draft(t, s.id, &a);
	go(t, &s, at);
}

static void
pause_pressed(struct turn *t)
{
	flow_end(t);
	show(
	    t, words_n(t, "survey.paused", conf_number(t->conf, "retention", NULL, "draft"), NULL));
}

static void
consent(struct turn *t)
{
	bool on = !strcmp(t->value, "on");

	consent_set(t, t->person->id, CONSENT_SURVEYS, on);
	edit(t, words(t, on ? "survey.invited" : "survey.not_invited", NULL));
}

static int
choose_open(struct turn *t, struct card *card)
{
	struct rows *q = db_query(t->db, &open_ones, V(t->person->org));
	struct survey s;
	int n = 0;

	while (db_next(q)) {
		if (!survey_get(t, db_int(q, 0), &s) || !survey_for(t, &s) || has_answered(t, s.id))
			continue;
		n++;
		choose_text(t, card,
		    text_isolate(t->arena, survey_words(t, t->language, &s.form->title, NULL)),
		    "survey.open", arena_print(t->arena, "%lld", (long long)s.id));
	}
	return n;
}

static void
survey(struct turn *t)
{
	struct card *card = words(t, "survey.title", NULL);
	bool on;
	int open;

	if (!(t->person->access & MEMBERS)) {
		card_line(card, words(t, "survey.members", NULL));
	} else {
		open = choose_open(t, card);
		card_line(card,
		    open ? words_n(t, "survey.open", open, NULL) : words(t, "surveys.none", NULL));
		on = consents(t, t->person->id, CONSENT_SURVEYS);
		choose(t, card, on ? "survey.switch_off" : "survey.switch_on", "survey.consent",
		    on ? "off" : "on");
	}
	survey_choose_results(t, card);
	survey_choose_steering(t, card);
	say(t, card);
}

static void
close_due(struct turn *t)
{
	survey_close(t, strtoll(t->key, NULL, 10));
}

static void
prune(struct turn *t)
{
	db_run(t->db, &forget_new, V(t->now - NEW_DAYS * DAY));
}

/* ?start=s_NUMBER */
static void
linked(struct turn *t)
{
	if (!t->person->language[0])
		people_set_language(t, t->person->id, t->language);
	if (t->person->access & MEMBERS)
		open_one(t);
	else
		survey(t);
}

static const struct command commands[] = {
    {.name = "survey", .run = survey},
    {0},
};
static const struct action actions[] = {
    {"survey.open", MEMBERS, open_one},
    {"survey.begin", MEMBERS, begin_or_go_on},
    {"survey.pause", MEMBERS, pause_pressed},
    {"survey.consent", MEMBERS, consent},
    {0},
};
static const struct job jobs[] = {
    {.name = "survey.close", .run = close_due},
    {.name = "survey.prune", .every_s = DAY, .run = prune},
    {0},
};

const struct feature feature_survey = {
    .name = "survey",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
    .jobs = jobs,
    .link = "s",
    .linked = linked,
};
