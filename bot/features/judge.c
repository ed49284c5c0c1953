/* /judge: the jury. A number and a text, nothing else; never a story of one's own organisation;
 * others' points only behind one's own vote. */
#include "stories.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "core/people.h"
#include "store/seal.h"

static const char *const steps[] = {
    "CREATE TABLE story_vote(story INTEGER NOT NULL REFERENCES story(id) ON DELETE CASCADE,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE, total INTEGER NOT NULL,"
    " points TEXT NOT NULL, PRIMARY KEY(story, person)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX story_vote_person ON story_vote(person);"
    "CREATE TABLE story_final(story INTEGER NOT NULL REFERENCES story(id) ON DELETE CASCADE,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE, place INTEGER NOT NULL,"
    " PRIMARY KEY(story, person)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX story_final_person ON story_final(person);",
    NULL,
};
#define KEPT "until the story or the judge leaves"
static const struct column columns[] = {
    {"story_vote.story", "which story", KEPT, WITH_PERSON},
    {"story_vote.person", "who judged it", KEPT, WITH_PERSON},
    {"story_vote.total", "the sum of four criteria", KEPT, WITH_PERSON},
    {"story_vote.points", "1 to 5 for each", KEPT, WITH_PERSON},
    {"story_final.story", "which finalist", KEPT, WITH_PERSON},
    {"story_final.person", "who ranked it", KEPT, WITH_PERSON},
    {"story_final.place", "first, second or third", KEPT, WITH_PERSON},
    {0},
};
static const struct schema schema = {"judge", steps, columns};

/* What judge ?1 may see at ?2: live, given to the judges, of another author and of no organisation
 * that is theirs in any role. Every statement here that leads to a story holds it. */
#define STRANGER(judge) \
	" s.person <> " judge " AND s.org NOT IN (SELECT org FROM role WHERE person = " judge \
	" UNION SELECT org FROM person WHERE id = " judge ")"
#define GIVEN(now) \
	" s.state = 3 AND EXISTS (SELECT 1 FROM story_use u WHERE u.story = s.id AND u.what = 0" \
	" AND u.expires > " now ")"
#define MAY_SEE STRANGER("?1") " AND" GIVEN("?2")
#define UNJUDGED " NOT EXISTS (SELECT 1 FROM story_vote v WHERE v.story = s.id AND v.person = ?1)"
static struct sql may = {
    "SELECT s.id FROM story s JOIN season e ON e.id = s.season WHERE s.number = ?3 AND" MAY_SEE
    " AND (e.stage = 0 OR (e.stage = 1 AND s.finalist = 1))"};
/* Those that fewest have read come first. */
static struct sql next_one = {
    "SELECT s.number FROM story s WHERE s.season = ?3 AND" MAY_SEE " AND" UNJUDGED
    " ORDER BY (SELECT count(*) FROM story_vote v WHERE v.story = s.id), s.number LIMIT 1"};
static struct sql left = {
    "SELECT count(*) FROM story s WHERE s.season = ?3 AND" MAY_SEE " AND" UNJUDGED};
static struct sql finalists = {
    "SELECT s.number, s.id FROM story s WHERE s.season = ?3 AND s.finalist = 1 AND" MAY_SEE
    " ORDER BY s.number"};
static struct sql ranked = {
    "SELECT 1 FROM story_final f JOIN story s ON s.id = f.story WHERE f.person = ?1"
    " AND s.season = ?2"};
static struct sql unrank = {"DELETE FROM story_final WHERE person = ?1 AND story IN (SELECT id "
			    "FROM story WHERE season = ?2)"};
static struct sql rank = {"INSERT INTO story_final(story, person, place) VALUES(?, ?, ?)"};
static struct sql vote = {
    "INSERT OR REPLACE INTO story_vote(story, person, total, points) VALUES(?, ?, ?, ?)"};
static struct sql own = {"SELECT total FROM story_vote WHERE story = ? AND person = ?"};
static struct sql totals = {"SELECT total FROM story_vote WHERE story = ? ORDER BY total"};
static struct sql enough = {
    "SELECT count(*) FROM story s WHERE s.season = ? AND (SELECT count(*) FROM story_vote v"
    " WHERE v.story = s.id) >= 3"};
static struct sql entries = {"SELECT s.id FROM story s WHERE s.season = ?1 AND" GIVEN(
    "?2") " AND (?3 = 0 OR s.finalist = 1) ORDER BY s.number"};
/* In thousandths of a point for each judge who ranked and could have ranked this one. */
static struct sql points = {
    "SELECT coalesce(sum(4 - f.place), 0) * 1000 / max(1, (SELECT count(DISTINCT j.person)"
    " FROM story_final j JOIN story o ON o.id = j.story, story s WHERE s.id = ?1"
    " AND o.season = s.season AND" STRANGER("j.person") ")) FROM story_final f WHERE f.story = ?1"};
static struct sql set_finalist = {"UPDATE story SET finalist = 1 WHERE id = ?"};
static struct sql set_rank = {"UPDATE story SET rank = ? WHERE id = ?"};
static struct sql set_stage = {"UPDATE season SET stage = ?, final = ? WHERE id = ?"};
static struct sql *const statements[] = {&may, &next_one, &left, &finalists, &ranked, &unrank,
    &rank, &vote, &own, &totals, &enough, &entries, &points, &set_finalist, &set_rank, &set_stage,
    NULL};

enum { CRITERIA = 4, JUDGES_LEAST = 3, WINNERS = 3, VOTES_MOST = 500, ENTRIES_MOST = 2000 };
enum { FINAL_DAYS = 14 };

int64_t
judge_left(struct turn *t, int64_t season, int64_t judge)
{
	struct season s;

	if (!season_get(t, season, &s) || s.stage == SEASON_WON)
		return 0;
	if (s.stage == SEASON_OPEN)
		return db_number(t->db, &left, V(judge, t->now, season), 0);
	return db_exists(t->db, &finalists, V(judge, t->now, season)) &&
	       !db_exists(t->db, &ranked, V(judge, season));
}

int64_t
judge_enough(struct turn *t, int64_t season)
{
	return db_number(t->db, &enough, V(season), 0);
}

/* Twice the median, so that it is whole; 0: fewer than three judges. */
static int64_t
median2(struct turn *t, int64_t story)
{
	struct rows *q = db_query(t->db, &totals, V(story));
	int64_t found[VOTES_MOST];
	int n = 0;

	while (n < VOTES_MOST && db_next(q))
		found[n++] = db_int(q, 0);
	db_done(q);
	return n < JUDGES_LEAST ? 0 : found[(n - 1) / 2] + found[n / 2];
}

/* ---- reading ---- */

/* The same word for one's own organisation's, a withdrawn one, one that never was. */
static bool
get(struct turn *t, const char *number, struct story *s)
{
	int64_t n, id;

	if (text_number(number, &n) &&
	    (id = db_number(t->db, &may, V(t->person->id, t->now, n), 0)) && story_get(t, id, s))
		return true;
	say(t, words(t, "judge.gone", NULL));
	return false;
}

static void
show(struct turn *t, const struct story *s)
{
	struct card *card = words(
	    t, "judge.story", "number", arena_print(t->arena, "%lld", (long long)s->number), NULL);

	card_text(card, "\n\n", 0);
	card_lines(card, s->text);
	if (s->translation[0]) {
		card_paragraph(card, words(t, "story.translation", NULL));
		card_text(card, "\n", 0);
		card_lines(card, s->translation);
	}
	card->flags |= CARD_PROTECT;
	story_show(t, s, card);
}

/* ---- four criteria ---- */

static void
ask_points(struct turn *t)
{
	int at = (int)strlen(flow_get(t, "points"));
	int64_t season = strtoll(flow_get(t, "season"), NULL, 10);
	struct card *card = words(t, "judge.points", "at", arena_print(t->arena, "%d", at + 1),
	    "criterion", season_criterion(t, season, at), NULL);

	for (int i = 1; i <= 5; i++) {
		choose_answer_text(
		    t, card, arena_print(t->arena, "%d", i), arena_print(t->arena, "%d", i));
		if (i > 1)
			card_same_row(card);
	}
	say(t, card);
}

/* Others' points only now, and only once three have voted. */
static void
voted(struct turn *t, const struct story *s)
{
	int64_t total = db_number(t->db, &own, V(s->id, t->person->id), 0);
	int64_t twice = median2(t, s->id);
	struct card *card =
	    words(t, "judge.voted", "total", arena_print(t->arena, "%lld", (long long)total), NULL);

	if (twice)
		card_line(card, words(t, "judge.median", "median",
				    arena_print(t->arena, "%lld%s", (long long)twice / 2,
					twice % 2 ? ".5" : ""),
				    NULL));
	choose(t, card, "judge.go", "judge.next", "");
	say(t, card);
}

static enum next
answer_points(struct turn *t)
{
	const char *sofar = flow_get(t, "points");
	struct story s;
	int64_t total = 0, n;

	if (!get(t, flow_get(t, "number"), &s))
		return DONE;
	if (!text_number(t->chosen ? t->value : t->text, &n) || n < 1 || n > 5)
		return flow_again(t, "judge.one_to_five");
	sofar = arena_print(t->arena, "%s%lld", sofar, (long long)n);
	flow_set(t, "points", sofar);
	if (strlen(sofar) < CRITERIA)
		return AGAIN;
	for (int i = 0; i < CRITERIA; i++)
		total += sofar[i] - '0';
	db_run(t->db, &vote, V(s.id, t->person->id, total, sofar));
	voted(t, &s);
	return DONE;
}

static const struct step vote_steps[] = {
    {.name = "points", .ask = ask_points, .answer = answer_points, .takes_numbers = true},
    {0},
};
static const struct flow vote_flow = {.name = "judge.vote", .access = JUDGES, .steps = vote_steps};

static void
begin_vote(struct turn *t, const char *number)
{
	struct season season;
	struct story s;

	if (!get(t, number, &s) || !season_get(t, s.season, &season))
		return;
	show(t, &s);
	if (season.stage != SEASON_OPEN)
		return;
	flow_begin(t, &vote_flow);
	flow_set(t, "number", arena_print(t->arena, "%lld", (long long)s.number));
	flow_set(t, "season", arena_print(t->arena, "%lld", (long long)s.season));
}

/* ---- the final ---- */

static void
ask_place(struct turn *t)
{
	const char *chosen = flow_get(t, "places");
	int64_t season = strtoll(flow_get(t, "season"), NULL, 10);
	int place = 1;
	struct rows *q = db_query(t->db, &finalists, V(t->person->id, t->now, season));
	struct card *card;

	for (const char *p = chosen; *p; p++)
		place += *p == ' ';
	card = words(t, arena_print(t->arena, "judge.place.%d", place), NULL);
	while (db_next(q)) {
		char *number = arena_print(t->arena, "%lld", (long long)db_int(q, 0));

		if (!strstr(chosen, arena_print(t->arena, "%s ", number)))
			choose_answer_text(
			    t, card, words_flat(t, "story.number", "number", number, NULL), number);
	}
	say(t, card);
}

static void
keep_places(struct turn *t, int64_t season, const char *chosen)
{
	int place = 1;
	char *end;
	struct story s;

	db_run(t->db, &unrank, V(t->person->id, season));
	for (int64_t n = strtoll(chosen, &end, 10); end != chosen; n = strtoll(chosen, &end, 10)) {
		chosen = end;
		if (story_numbered(t, n, &s))
			db_run(t->db, &rank, V(s.id, t->person->id, place++));
	}
}

static int
finalists_seen(struct turn *t, int64_t season)
{
	struct rows *q = db_query(t->db, &finalists, V(t->person->id, t->now, season));
	int n = 0;

	while (db_next(q))
		n++;
	return n;
}

static enum next
answer_place(struct turn *t)
{
	int64_t season = strtoll(flow_get(t, "season"), NULL, 10);
	const char *chosen = flow_get(t, "places");
	struct story s;
	int n = 1;

	if (!t->chosen)
		return flow_again(t, "relay.tap");
	if (!get(t, t->value, &s))
		return DONE;
	chosen = arena_print(t->arena, "%s%lld ", chosen, (long long)s.number);
	flow_set(t, "places", chosen);
	for (const char *p = chosen; *p; p++)
		n += *p == ' ';
	if (n <= WINNERS && n <= finalists_seen(t, season))
		return AGAIN;
	keep_places(t, season, chosen);
	say(t, words(t, "judge.ranked", NULL));
	return DONE;
}

static const struct step final_steps[] = {
    {.name = "place", .ask = ask_place, .answer = answer_place},
    {0},
};
static const struct flow final_flow = {
    .name = "judge.final", .access = JUDGES, .steps = final_steps};

static void
begin_final(struct turn *t, const struct season *season)
{
	struct rows *q = db_query(t->db, &finalists, V(t->person->id, t->now, season->id));
	struct story s;
	int n = 0;

	while (db_next(q))
		if (story_get(t, db_int(q, 1), &s)) {
			show(t, &s);
			n++;
		}
	if (!n) {
		say(t, words(t, "judge.none", NULL));
		return;
	}
	flow_begin(t, &final_flow);
	flow_set(t, "season", arena_print(t->arena, "%lld", (long long)season->id));
}

/* ---- /judge ---- */

static void
next_story(struct turn *t)
{
	struct season season;
	int64_t number = 0;

	if (!season_now(t, &season) || season.stage == SEASON_WON) {
		say(t, words(t, "judge.none", NULL));
		return;
	}
	if (season.stage == SEASON_FINAL) {
		begin_final(t, &season);
		return;
	}
	number = db_number(t->db, &next_one, V(t->person->id, t->now, season.id), 0);
	if (number)
		begin_vote(t, arena_print(t->arena, "%lld", (long long)number));
	else
		say(t, words(t, "judge.none", NULL));
}

static void
judge(struct turn *t)
{
	struct season season;
	struct card *card;
	int64_t n;

	if (t->rest[0]) {
		begin_vote(t, t->rest);
		return;
	}
	if (!season_now(t, &season) || !(n = judge_left(t, season.id, t->person->id))) {
		say(t, words(t, "judge.none", NULL));
		return;
	}
	card = season.stage == SEASON_FINAL ? words(t, "judge.final", NULL)
					    : words_n(t, "judge.left", n, NULL);
	choose(t, card, "judge.go", "judge.next", "");
	say(t, card);
}

/* ---- the end ---- */

struct entry {
	int64_t id, median, points;
	uint32_t lot; /* the last resort */
};

static int
better(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->median != y->median)
		return x->median < y->median ? 1 : -1;
	if (x->points != y->points)
		return x->points < y->points ? 1 : -1;
	return (x->lot < y->lot) - (x->lot > y->lot);
}

static int
gather(struct turn *t, const struct season *season, struct entry *list)
{
	bool final = season->stage == SEASON_FINAL;
	struct rows *q = db_query(t->db, &entries, V(season->id, t->now, final));
	int n = 0;

	while (n < ENTRIES_MOST && db_next(q)) {
		struct entry e = {.id = db_int(q, 0)};

		e.median = median2(t, e.id);
		if (!e.median)
			continue;
		if (final)
			e.points = db_number(t->db, &points, V(e.id), 0);
		seal_random(&e.lot, sizeof(e.lot));
		list[n++] = e;
	}
	db_done(q);
	qsort(list, (size_t)n, sizeof(*list), better);
	return n;
}

/* Equal medians among the first three, or at the border, are for the judges to rank. */
static int
to_the_final(const struct entry *list, int n)
{
	int in = n < WINNERS ? n : WINNERS, ties = 0;

	while (in < n && list[in].median == list[in - 1].median)
		in++;
	for (int i = 1; i < in; i++)
		ties += list[i].median == list[i - 1].median;
	return ties ? in : 0;
}

void
judge_end(struct turn *t, const struct season *season)
{
	struct entry *list = arena_alloc(t->arena, ENTRIES_MOST * sizeof(*list));
	int n = gather(t, season, list);
	int in = season->stage == SEASON_OPEN ? to_the_final(list, n) : 0;

	for (int i = 0; i < in; i++)
		db_run(t->db, &set_finalist, V(list[i].id));
	if (in) {
		db_run(t->db, &set_stage,
		    V((int)SEASON_FINAL, t->now + FINAL_DAYS * STORY_DAY, season->id));
		return;
	}
	for (int i = 0; i < n && i < WINNERS; i++)
		db_run(t->db, &set_rank, V(i + 1, list[i].id));
	db_run(t->db, &set_stage, V((int)SEASON_WON, season->final, season->id));
}

static const struct command commands[] = {
    {.name = "judge", .access = JUDGES, .run = judge},
    {0},
};
static const struct action actions[] = {
    {"judge.next", JUDGES, next_story},
    {0},
};
static const struct flow *const flows[] = {&vote_flow, &final_flow, NULL};

const struct feature feature_judge = {
    .name = "judge",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
};
