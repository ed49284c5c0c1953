/* Making a survey: step by step in chat or from a JSON file, previewed, approved by a second
 * person, opened with an invitation to those who asked to be invited, closed by the clock. */
#include "announce.h"
#include "survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/text.h"
#include "base/words.h"
#include "core/approval.h"
#include "core/audit.h"
#include "core/draft.h"
#include "core/people.h"
#include "core/warn.h"
#include "core/post.h"

static struct sql org_of = {
    "SELECT org FROM role WHERE person = ? AND role = 2 AND org <> '' ORDER BY org LIMIT 1"};
static struct sql own = {
    "SELECT id FROM survey WHERE state = 1 AND (org IN (SELECT org FROM role WHERE person = ?1"
    " AND role = 2) OR EXISTS (SELECT 1 FROM role r WHERE r.person = ?1 AND r.role = 16))"
    " ORDER BY id DESC LIMIT 10"};
static struct sql *const statements[] = {&org_of, &own, NULL};

#define DRAFT "survey.new"
enum { DAY = 86400, APPROVE_S = 7 * DAY, FILE_SCALARS = 8000, TOPICS = 24 };

static char *
number_of(struct turn *t, int64_t n)
{
	return arena_print(t->arena, "%lld", (long long)n);
}

/* "" for an admin who coordinates nobody: a survey of the whole network. */
static const char *
org_of_person(struct turn *t, int64_t person)
{
	const char *org = db_string(t->db, &org_of, V(person));

	return org ? org : "";
}

static const char *
own_org(struct turn *t)
{
	return org_of_person(t, t->person->id);
}

static bool
topic_chosen(const struct survey *s, int topic)
{
	for (const char *at = s->topics; *at; at += strspn(at, " ")) {
		if (strtol(at, NULL, 10) == topic)
			return true;
		at += strcspn(at, " ");
	}
	return false;
}

/* ---- preview ---- */

static void
preview_question(struct turn *t, struct card *card, const struct form *form, int i)
{
	const struct form_question *q = &form->questions[i];

	card_text(card, arena_print(t->arena, "\n\n%d. ", i + 1), 0);
	card_text(card, survey_words(t, t->language, &q->text, NULL), SPAN_BOLD | SPAN_NAME);
	card_line(card, words(t, arena_print(t->arena, "surveys.kind.%d", (int)q->kind), NULL));
	if (q->group)
		card_line(card, words(t, "surveys.makes_groups", NULL));
	if (q->parent >= 0)
		card_line(card,
		    words(t, "surveys.only_if", "number", number_of(t, q->parent + 1), "option",
			survey_words(t, t->language,
			    &form->questions[q->parent].options[q->parent_option - 1], NULL),
			NULL));
	for (int o = 0; o < q->options_count; o++) {
		card_text(card, "\n• ", 0);
		card_name(card, survey_words(t, t->language, &q->options[o], NULL));
	}
}

static struct card *
preview(struct turn *t, const struct survey *s)
{
	struct card *card = survey_promise(t, t->language, s);

	for (int i = 0; i < s->form->count; i++)
		preview_question(t, card, s->form, i);
	for (int l = 0; l < FORM_LANGUAGES; l++)
		if (words_speaks(t->words, form_languages[l]) && form_lacks(s->form, l))
			card_paragraph(card,
			    words(t, "surveys.missing", "language",
				words_flat_in(t, form_languages[l], "language.name", NULL), NULL));
	if (*s->topics) {
		struct card *names = words(t, "surveys.for_topics", NULL);

		for (int i = 0; i < TOPICS; i++)
			if (topic_chosen(s, i))
				card_line(names,
				    words(t, arena_print(t->arena, "match.topic.%d", i), NULL));
		card_paragraph(card, names);
	}
	return card;
}

/* What a second person says yes to. */
static struct blob
content_of(struct turn *t, const struct survey *s, int64_t days)
{
	char *all = arena_print(t->arena, "%s\n%lld days\n%s%s%s", s->org, (long long)days,
	    s->topics, *s->topics ? "\n" : "", s->content);

	return (struct blob){all, strlen(all)};
}

/* What falls on the day it opens or closes, when that were today. */
static void
add_hint(struct turn *t, struct card *card, const int *days, size_t count)
{
	struct warn_time times[4] = {{t->now, t->now}};

	for (size_t i = 0; i < count && i < 3; i++)
		times[i + 1] = (struct warn_time){
		    t->now + days[i] * (int64_t)DAY, t->now + days[i] * (int64_t)DAY};
	warn_add(t, card, times, count + 1);
}

/* What it will be, and the choices that hand it in. */
static struct card *
last_look(struct turn *t, const struct survey *s)
{
	static const int days[] = {7, 14, 30};
	struct card *card = preview(t, s);

	card_paragraph(card, words(t, "surveys.how_long", NULL));
	add_hint(t, card, days, 3);
	for (int i = 0; i < 3; i++)
		choose_text(t, card,
		    words_flat(t, arena_print(t->arena, "surveys.days.%d", days[i]), NULL),
		    "surveys.hand_in", arena_print(t->arena, "%lld %d", (long long)s->id, days[i]));
	choose(t, card, "surveys.topics", "surveys.topics", number_of(t, s->id));
	return card;
}

/* What its maker is told: the last look, or what is wrong. */
static struct card *
made_card(struct turn *t, int64_t maker, const struct form *form)
{
	const char *problem = form_problem(t->arena, form);
	struct survey s;

	if (!problem &&
	    survey_get(t, survey_add(t, org_of_person(t, maker), form_write(t->arena, form)), &s))
		return last_look(t, &s);
	return words(t, "surveys.wrong", "why", problem ? problem : "", NULL);
}

static void
made(struct turn *t, const struct form *form)
{
	if (!form_problem(t->arena, form))
		draft_drop(t, DRAFT);
	say(t, made_card(t, t->person->id, form));
}

/* ---- for whom ---- */

/* The value is "SURVEY", or "SURVEY TOPIC" of one that changes sides. */
static void
topics(struct turn *t)
{
	char *end;
	int64_t id = strtoll(t->value, &end, 10), topic = *end ? strtoll(end, NULL, 10) : -1;
	struct survey s;
	const char *list = "";
	struct card *card = words(t, "surveys.which_topics", NULL);

	if (!survey_get(t, id, &s) || s.state != SURVEY_NEW || s.approval ||
	    strcmp(s.org, own_org(t)) != 0) {
		say(t, words(t, "approval.gone", NULL));
		return;
	}
	for (int i = 0; i < TOPICS; i++) {
		bool on = topic_chosen(&s, i) != (i == topic);
		const char *name = words_flat(t, arena_print(t->arena, "match.topic.%d", i), NULL);

		if (on)
			list = arena_print(t->arena, "%s%s%d", list, *list ? " " : "", i);
		choose_text(t, card, on ? arena_print(t->arena, "✓ %s", name) : name,
		    "surveys.topics", arena_print(t->arena, "%lld %d", (long long)id, i));
		if (i % 2)
			card_same_row(card);
	}
	survey_set_topics(t, id, list);
	choose(t, card, "surveys.topics_done", "surveys.look", number_of(t, id));
	edit(t, card);
}

static void
look(struct turn *t)
{
	struct survey s;

	if (survey_get(t, strtoll(t->value, NULL, 10), &s) && s.state == SURVEY_NEW &&
	    !s.approval && !strcmp(s.org, own_org(t)))
		edit(t, last_look(t, &s));
	else
		say(t, words(t, "approval.gone", NULL));
}

static void
hand_in(struct turn *t)
{
	char *end;
	int64_t id = strtoll(t->value, &end, 10), days = strtoll(end, NULL, 10), approval;
	struct survey s;

	if (!survey_get(t, id, &s) || s.state != SURVEY_NEW || s.approval ||
	    strcmp(s.org, own_org(t)) != 0 || days < 1 || days > 60) {
		say(t, words(t, "approval.gone", NULL));
		return;
	}
	approval = approval_open(t, "survey", id, *s.org ? COORDINATORS | ADMINS : ADMINS, s.org,
	    content_of(t, &s, days), t->now + APPROVE_S);
	survey_hand_in(t, id, days, approval);
	audit(t, "survey.hand_in", id);
	edit(t, words(t, "surveys.handed_in", NULL));
}

/* ---- the second person ---- */

static bool
approved_one(struct turn *t, struct approval *approval, struct survey *s)
{
	if (approval_get(t, strtoll(t->value, NULL, 10), approval) &&
	    !strcmp(approval->kind, "survey") && survey_get(t, approval->subject, s) &&
	    s->approval == approval->id && s->state == SURVEY_NEW &&
	    people_holds(t, t->person->id,
		people_access(t, t->person->id) & ADMINS ? ADMINS : COORDINATORS, s->org))
		return true;
	say(t, words(t, "approval.gone", NULL));
	return false;
}

static void
approve(struct turn *t)
{
	struct approval approval;
	struct survey s;
	struct card *card;

	if (!approved_one(t, &approval, &s))
		return;
	card = preview(t, &s);
	card_paragraph(card, words_n(t, "surveys.open_for", s.days, NULL));
	add_hint(t, card, (const int[]){(int)s.days}, 1);
	choose(t, card, "surveys.yes", "surveys.yes", t->value);
	choose(t, card, "surveys.no", "surveys.no", t->value);
	card_same_row(card);
	say(t, card);
}

static void
answered(struct turn *t, enum approval_answer answer, const char *done)
{
	static const char *const keys[] = {[APPROVAL_OWN] = "approval.own",
	    [APPROVAL_NOT_FOR_THEM] = "approval.not_for_you",
	    [APPROVAL_CHANGED] = "approval.changed",
	    [APPROVAL_GONE] = "approval.gone"};

	edit(t, words(t, answer == APPROVAL_DONE ? done : keys[answer], NULL));
}

static int64_t
invite(struct turn *t, const struct survey *s, int64_t closes)
{
	struct audience audience = {
	    .orgs = s->org, .topics = s->topics, .consent = CONSENT_SURVEYS};
	int64_t post = post_new(t, CLASS_ANNOUNCEMENT, closes);

	for (int i = 0; i < words_count(t->words); i++) {
		const char *language = words_language(t->words, i);
		struct card *card = words_in(t, language, "surveys.invitation", NULL);

		card_paragraph(card, survey_promise(t, language, s));
		choose_text(t, card, words_flat_in(t, language, "survey.begin", NULL),
		    "survey.open", number_of(t, s->id));
		post_say(t, post, language, card);
	}
	post_audience(t, post, &audience);
	post_start(t, post, t->now);
	return post;
}

static void
yes(struct turn *t)
{
	struct approval approval;
	struct survey s;
	enum approval_answer answer;
	int64_t closes;

	if (!approved_one(t, &approval, &s))
		return;
	answer = approval_give(t, approval.id, content_of(t, &s, s.days));
	if (answer == APPROVAL_DONE) {
		closes = t->now + s.days * DAY;
		survey_begin(t, s.id, closes, invite(t, &s, closes));
		audit(t, "survey.open", s.id);
	}
	answered(t, answer, "surveys.opened");
}

static void
no(struct turn *t)
{
	struct approval approval;
	struct survey s;

	if (approved_one(t, &approval, &s))
		answered(t, approval_refuse(t, approval.id), "surveys.refused");
}

/* ---- from a file ---- */

static struct card *
from_json(struct turn *t, int64_t maker, const char *bytes, size_t length)
{
	const char *why;
	struct form *form = form_read(t->arena, bytes, length, &why);

	return form ? made_card(t, maker, form) : words(t, "surveys.wrong", "why", why, NULL);
}

static void
ask_file(struct turn *t)
{
	say(t, words(t, "surveys.ask_file", NULL));
}

static enum next
answer_file(struct turn *t)
{
	if (t->media && t->media->handle && t->media->bytes <= FORM_BYTES) {
		media_fetch(t, t->media->handle, "survey");
		say(t, words(t, "story.media_comes", NULL));
		return DONE;
	}
	if (t->text[0] != '{') {
		say(t, words(t, t->media ? "surveys.no_file" : "surveys.tap", NULL));
		return AGAIN;
	}
	say(t, from_json(t, t->person->id, t->text, strlen(t->text)));
	return DONE;
}

/* The bytes come in a turn of nobody's: what is said goes to who asked for them. */
static void
happened(struct turn *t, enum happening what)
{
	if (what != HAPPENED_MEDIA || strcmp(t->key, "survey") != 0 ||
	    !(people_access(t, t->subject) & (COORDINATORS | ADMINS)))
		return;
	t->language = language_of(t, t->subject);
	if (t->media->failed || t->media->bytes < 0 || t->media->bytes > FORM_BYTES)
		tell(t, t->subject, CLASS_REPLY, 0, words(t, "surveys.no_file", NULL));
	else
		tell(t, t->subject, CLASS_REPLY, 0,
		    from_json(t, t->subject, t->media->content, (size_t)t->media->bytes));
}

static const struct step file_steps[] = {
    {.name = "file", .ask = ask_file, .answer = answer_file, .takes_numbers = true},
    {0},
};
static const struct flow file_flow = {
    .name = "surveys.file", .access = COORDINATORS | ADMINS, .steps = file_steps};

/* ---- step by step: the questionnaire so far is a draft, as JSON ---- */

static struct form *
so_far(struct turn *t)
{
	const char *json = draft_get(t, DRAFT, "form"), *why;
	struct form *form = *json ? form_read(t->arena, json, strlen(json), &why) : NULL;

	return form ? form : arena_alloc(t->arena, sizeof(*form));
}

static void
keep(struct turn *t, struct form *form)
{
	/* About a quarter of a minute a question, rounded up. */
	form->minutes = 1 + form->count / 4;
	draft_set(t, DRAFT, "form", form_write(t->arena, form));
}

/* Which of the languages it is, counted from the author's own. */
static int
turn_now(struct turn *t)
{
	return (int)strtol(flow_get(t, "language"), NULL, 10) % FORM_LANGUAGES;
}

/* The language that is asked for now: the author's own is first, the others may be left out. */
static int
language_now(struct turn *t)
{
	int first = 0;

	for (int i = 0; i < FORM_LANGUAGES; i++)
		if (!strcmp(form_languages[i], t->language))
			first = i;
	return (first + turn_now(t)) % FORM_LANGUAGES;
}

static void
ask_in_language(struct turn *t, const char *key)
{
	struct card *card = words(t, key, "language",
	    words_flat_in(t, form_languages[language_now(t)], "language.name", NULL), NULL);

	if (turn_now(t))
		choose_answer(t, card, "surveys.leave_out", "-");
	say(t, card);
}

/* Whether there is another language to ask for; the next one is set. */
static bool
next_language(struct turn *t)
{
	int next = turn_now(t) + 1;

	flow_set(t, "language", number_of(t, next % FORM_LANGUAGES));
	return next < FORM_LANGUAGES;
}

static enum next
take_text(struct turn *t, struct form *form, struct form_text *text, size_t scalars)
{
	bool first = !turn_now(t);

	if ((!t->text[0] || text_scalars(t->text) > scalars) && (first || !t->chosen))
		return flow_again(t, "surveys.tap");
	text->in[language_now(t)] = t->text[0] ? t->text : NULL;
	keep(t, form);
	return next_language(t) ? AGAIN : NEXT;
}

static void
ask_title(struct turn *t)
{
	ask_in_language(t, "surveys.ask_title");
}

static enum next
answer_title(struct turn *t)
{
	struct form *form = so_far(t);

	return take_text(t, form, &form->title, FORM_LABEL_SCALARS);
}

static void
ask_kind(struct turn *t)
{
	struct card *card = words(t, "surveys.ask_kind", NULL);

	for (int k = FORM_SINGLE; k <= FORM_TEXT; k++)
		choose_answer(
		    t, card, arena_print(t->arena, "surveys.kind.%d", k), number_of(t, k));
	if (so_far(t)->count)
		choose_answer(t, card, "surveys.finish", "finish");
	say(t, card);
}

static enum next
answer_kind(struct turn *t)
{
	struct form *form = so_far(t);
	int64_t kind;

	if (!strcmp(t->value, "finish") && form->count) {
		made(t, form);
		return DONE;
	}
	if (!t->chosen || !text_number(t->value, &kind) || kind < 0 || kind > FORM_TEXT ||
	    form->count == CELLS_QUESTIONS)
		return flow_again(t, "surveys.tap");
	flow_set(t, "kind", t->value);
	flow_set(t, "language", "0");
	return NEXT;
}

static void
ask_text(struct turn *t)
{
	ask_in_language(t, "surveys.ask_text");
}

/* The first language makes the question (anew after a way back), the others join it. */
static struct form_question *
question_now(struct turn *t, struct form *form)
{
	if (!turn_now(t)) {
		struct form_question *q;

		if (flow_get(t, "making")[0] && form->count)
			form->count--;
		flow_set(t, "making", "1");
		q = &form->questions[form->count++];

		*q = (struct form_question){.id = number_of(t, form->count),
		    .kind = (enum form_kind)(strtol(flow_get(t, "kind"), NULL, 10) & 3),
		    .parent = -1};
	}
	return &form->questions[form->count - 1];
}

static enum next
answer_text(struct turn *t)
{
	struct form *form = so_far(t);
	bool first = !turn_now(t);
	enum next next;

	if (first && (!t->text[0] || form->count == CELLS_QUESTIONS))
		return flow_again(t, "surveys.tap");
	next = take_text(t, form, &question_now(t, form)->text, FORM_TEXT_SCALARS);
	if (next == NEXT && form->questions[form->count - 1].kind >= FORM_SCALE_KIND) {
		flow_goto(t, "condition");
		return JUMPED;
	}
	return next;
}

/* The way back from the last step leads past it for kinds without options. */
static void
ask_options(struct turn *t)
{
	if (strtol(flow_get(t, "kind"), NULL, 10) >= FORM_SCALE_KIND) {
		flow_goto(t, "text");
		return;
	}
	ask_in_language(t, "surveys.ask_options");
}

/* One line, one option; in the other languages as many as in the first. */
static enum next
answer_options(struct turn *t)
{
	struct form *form = so_far(t);
	struct form_question *q = &form->questions[form->count - 1];
	char *at = arena_string(t->arena, t->text), *line;
	int language = language_now(t), n = 0;
	bool first = !turn_now(t);

	for (const char *p = t->text; *p; p++)
		n += *p == '\n' || *p == ';';
	n += t->text[0] != 0;
	if (!first ? n && n != q->options_count : n < 2 || n > CELLS_OPTIONS)
		return flow_again(t, "surveys.lines");
	if (first)
		q->options_count = n;
	for (int o = 0; n && (line = strsep(&at, "\n;")); o++) {
		line += strspn(line, " ");
		line[text_cut(line, FORM_LABEL_SCALARS)] = 0;
		q->options[o].in[language] = *line ? line : "…";
	}
	keep(t, form);
	return next_language(t) ? AGAIN : NEXT;
}

/* The latest single choice before the last question: what a branch can hang on. */
static int
branch_of(const struct form *form)
{
	int i = form->count - 2;

	while (i >= 0 && form->questions[i].kind != FORM_SINGLE)
		i--;
	return i;
}

static void
ask_condition(struct turn *t)
{
	struct form *form = so_far(t);
	int parent = branch_of(form);
	struct card *card = words(t, "surveys.ask_condition", NULL);

	choose_answer(t, card, "surveys.everybody", "0");
	for (int o = 0; parent >= 0 && o < form->questions[parent].options_count; o++)
		choose_answer_text(t, card,
		    words_flat(t, "surveys.only_if", "number", number_of(t, parent + 1), "option",
			survey_words(t, t->language, &form->questions[parent].options[o], NULL),
			NULL),
		    number_of(t, o + 1));
	if (form->count && form->questions[form->count - 1].kind == FORM_SINGLE)
		choose_answer(t, card, "surveys.makes_groups", "group");
	say(t, card);
}

static enum next
answer_condition(struct turn *t)
{
	struct form *form = so_far(t);
	struct form_question *q = &form->questions[form->count - 1];
	int64_t option = 0;

	if (!form->count || !t->chosen ||
	    (strcmp(t->value, "group") != 0 && !text_number(t->value, &option)))
		return flow_again(t, "surveys.tap");
	for (int i = 0; i < form->count && !option && !strcmp(t->value, "group"); i++)
		form->questions[i].group = false;
	q->group = !strcmp(t->value, "group");
	q->parent = option ? branch_of(form) : -1;
	q->parent_option = (int)option;
	keep(t, form);
	flow_set(t, "making", NULL);
	flow_goto(t, "kind");
	return JUMPED;
}

static void
build_cancelled(struct turn *t)
{
	draft_drop(t, DRAFT);
}

static const struct step build_steps[] = {
    {.name = "title", .ask = ask_title, .answer = answer_title, .takes_numbers = true},
    {.name = "kind", .ask = ask_kind, .answer = answer_kind},
    {.name = "text", .ask = ask_text, .answer = answer_text, .takes_numbers = true},
    {.name = "options", .ask = ask_options, .answer = answer_options, .takes_numbers = true},
    {.name = "condition", .ask = ask_condition, .answer = answer_condition},
    {0},
};
static const struct flow build_flow = {.name = "surveys.build",
    .access = COORDINATORS | ADMINS,
    .steps = build_steps,
    .cancelled = build_cancelled};
static const struct flow *const flows[] = {&file_flow, &build_flow, NULL};

/* ---- buttons ---- */

static void
build_pressed(struct turn *t)
{
	draft_drop(t, DRAFT);
	flow_begin(t, &build_flow);
	flow_set(t, "language", "0");
}

static void
file_pressed(struct turn *t)
{
	flow_begin(t, &file_flow);
}

/* How the invitation fared; how many answered is not told before the end, and then in sums. */
static void
own_pressed(struct turn *t)
{
	struct rows *q = db_query(t->db, &own, V(t->person->id));
	struct card *card = words(t, "surveys.own_title", NULL);
	struct post_report report;
	struct survey s;
	int n = 0;

	while (db_next(q)) {
		if (!survey_get(t, db_int(q, 0), &s))
			continue;
		n++;
		card_paragraph(card, words(t, "survey.named", "title",
					 survey_words(t, t->language, &s.form->title, NULL), NULL));
		if (post_report(t, s.post, &report))
			card_line(card, words(t, "surveys.delivered", "n",
					    announce_count(t, t->language,
						report.delivered > 0 ? report.delivered : 1),
					    NULL));
		link_add(t, t->language, card, arena_join(t->arena, "s_", number_of(t, s.id)));
		choose_text(t, card,
		    words_flat(t, "surveys.close", "title",
			survey_words(t, t->language, &s.form->title, NULL), NULL),
		    "surveys.close_ask", number_of(t, s.id));
	}
	say(t, n ? card : words(t, "surveys.none", NULL));
}

static void
close_ask(struct turn *t)
{
	struct card *card = words(t, "surveys.close_ask", NULL);

	choose(t, card, "surveys.close_yes", "surveys.close", t->value);
	say(t, card);
}

static void
close_pressed(struct turn *t)
{
	struct survey s;

	if (!survey_get(t, strtoll(t->value, NULL, 10), &s) || s.state != SURVEY_OPEN ||
	    !survey_steers(t, &s)) {
		say(t, words(t, "approval.gone", NULL));
		return;
	}
	post_stop(t, s.post);
	job_cancel(t, "survey.close", number_of(t, s.id));
	survey_close(t, s.id);
	audit(t, "survey.close", s.id);
	edit(t, words(t, "surveys.closed", NULL));
}

void
survey_choose_steering(struct turn *t, struct card *card)
{
	if (!(t->person->access & (COORDINATORS | ADMINS)))
		return;
	choose(t, card, "surveys.build", "surveys.build", "");
	choose(t, card, "surveys.file", "surveys.file", "");
	card_same_row(card);
	choose(t, card, "surveys.own", "surveys.own", "");
}

static const struct action actions[] = {
    {"surveys.build", COORDINATORS | ADMINS, build_pressed},
    {"surveys.file", COORDINATORS | ADMINS, file_pressed},
    {"surveys.hand_in", COORDINATORS | ADMINS, hand_in},
    {"surveys.topics", COORDINATORS | ADMINS, topics},
    {"surveys.look", COORDINATORS | ADMINS, look},
    {"survey.approve", COORDINATORS | ADMINS, approve},
    {"surveys.yes", COORDINATORS | ADMINS, yes},
    {"surveys.no", COORDINATORS | ADMINS, no},
    {"surveys.own", COORDINATORS | ADMINS, own_pressed},
    {"surveys.close_ask", COORDINATORS | ADMINS, close_ask},
    {"surveys.close", COORDINATORS | ADMINS, close_pressed},
    {0},
};

const struct feature feature_surveys = {
    .name = "surveys",
    .statements = statements,
    .actions = actions,
    .flows = flows,
    .happened = happened,
};
