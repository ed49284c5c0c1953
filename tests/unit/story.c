/* Stories before their jury: judges x organisations x stories, and withdrawal in every state. */
#include "unit.h"

#include "core/mine.h"
#include "core/turn.h"
#include "features/stories.h"

#include "world.h"
#include "every_feature.h"

static const struct feature *const *const world_features = features;

/* People 1 to AUTHORS write, one story each; the next JUDGES judge; behind them an admin, a reader.
 */
enum {
	ORGS = 4,
	AUTHORS = 12,
	JUDGES_N = 8,
	ADMIN = AUTHORS + JUDGES_N + 1,
	READER,
	PEOPLE = READER
};
static const char *const orgs[ORGS] = {"arava", "seeds-of-peace", "hands-of-peace", "tech2peace"};
static const char *const languages[] = {"en", "ar", "he"};

static const char *
who(int64_t person)
{
	static char names[8][24];
	static int next;
	char *name = names[next++ % 8];

	snprintf(name, sizeof(names[0]), "7134%06lld", (long long)person);
	return name;
}

static int64_t
number_of(int64_t author)
{
	/* No order of numbers may be an order of authors. */
	return 1000 + author * 577 % 8000;
}

static struct blob
sealed(struct turn *t, int64_t person, const char *purpose, const char *what)
{
	return seal_person(
	    t, person, purpose, arena_print(t->arena, "%s%05lldX", what, (long long)person));
}

static void
people_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t p = 1; p <= PEOPLE; p++) {
		people_set_language(t, p, languages[p % 3]);
		people_join(t, p, orgs[p % ORGS]);
		people_set_adult(t, p, true);
		people_set_pseudonym(t, p, arena_print(t->arena, "Member%05lldX", (long long)p));
		if (p > AUTHORS && p < ADMIN)
			people_grant(t, p, JUDGES, orgs[p % ORGS]);
	}
	people_grant(t, ADMIN, ADMINS, "");
}

static void
season_turn(struct turn *t, void *ctx)
{
	static struct sql add = {"INSERT INTO season(opened, closes, judged, stage)"
				 " VALUES(?, ?, ?, ?)"};

	db_run(
	    t->db, &add, V(t->now, t->now + 10 * STORY_DAY, t->now + 20 * STORY_DAY, *(int *)ctx));
}

static void
story_turn(struct turn *t, void *ctx)
{
	static struct sql add = {
	    "INSERT INTO story(season, person, number, state, org, language, title, pseudonym, "
	    "name,"
	    " body, changed) VALUES(1, ?1, ?2, ?3, ?4, 'en', ?5, ?6, ?7, ?8, ?9)"};
	static struct sql use = {"INSERT INTO story_use(story, what, expires)"
				 " VALUES((SELECT id FROM story WHERE person = ?), ?, ?)"};
	const int64_t *v = ctx;

	db_run(t->db, &add,
	    V(v[0], number_of(v[0]), v[1], orgs[v[0] % ORGS],
		sealed(t, v[0], "story.title", "Title"), sealed(t, v[0], "story.pseudonym", "Pen"),
		sealed(t, v[0], "story.name", "Name"), sealed(t, v[0], "story.body", "Body"),
		t->now));
	for (int i = 0; i < USE_COUNT; i++)
		db_run(t->db, &use, V(v[0], i, t->now + 100 * STORY_DAY));
}

static void
story_new(struct world *w, int64_t author, enum story_state state)
{
	engine_turn(w->engine, story_turn, (int64_t[]){author, state});
}

static struct world *
begin(int stage)
{
	struct world *w = world_new();

	for (int64_t p = 1; p <= PEOPLE; p++)
		world_says(w, who(p), "/start");
	assert_true(engine_turn(w->engine, people_turn, NULL));
	assert_true(engine_turn(w->engine, season_turn, &stage));
	world_settle(w);
	world_forget_sent(w);
	return w;
}

static bool
same_org(int64_t a, int64_t b)
{
	return a % ORGS == b % ORGS;
}

/* Everything that reached this judge: no author but by number, no text of their own organisation.
 */
static void
nothing_leaks(struct world *w, int64_t judge)
{
	static const char *const canaries[] = {"Title", "Pen", "Name", "Member", "7134", "arava",
	    "seeds-of-peace", "hands-of-peace", "tech2peace"};
	char own[40], number[40];

	for (int i = 0; i < w->count; i++) {
		const struct sent *s = &w->sent[i];

		if (strcmp(s->where, who(judge)))
			continue;
		for (size_t k = 0; k < sizeof(canaries) / sizeof(*canaries); k++)
			if (strstr(s->text, canaries[k]))
				fail_msg("%s in: %s", canaries[k], s->text);
		for (int64_t a = 1; a <= AUTHORS; a++) {
			if (!same_org(a, judge))
				continue;
			snprintf(own, sizeof(own), "Body%05lldX", (long long)a);
			snprintf(number, sizeof(number), "%lld", (long long)number_of(a));
			if (strstr(s->text, own) || strstr(s->text, number))
				fail_msg("of the own organisation: %s", s->text);
		}
	}
}

/* What /judge NUMBER answers; of nothing a judge may not see is it another answer. */
static void
asks_for(struct world *w, int64_t judge, int64_t number, bool sees)
{
	char text[40];
	int before = w->count;

	snprintf(text, sizeof(text), "/judge %lld", (long long)number);
	world_says(w, who(judge), text);
	if (sees) {
		assert_true(w->count - before == 2);
		world_says(w, who(judge), "/cancel");
		return;
	}
	assert_int_equal(w->count - before, 1);
	assert_true(world_is(w, &w->sent[before], languages[judge % 3], "judge.gone"));
	assert_int_equal(w->sent[before].choices, 0);
}

/* How many of the sent stories this judge was shown, and each voted on. */
static int
judges_all(struct world *w, int64_t judge)
{
	int n = 0;

	for (; n <= AUTHORS; n++) {
		world_says(w, who(judge), "/judge");
		if (!world_last(w, who(judge))->choices)
			break;
		world_says(w, who(judge), "#1");
		for (int k = 0; k < 4; k++)
			world_says(w, who(judge), k % 2 ? "4" : "5");
	}
	return n;
}

static void
story_judges_by_organisations_by_stories(void **state)
{
	struct world *w = begin(SEASON_OPEN);
	int pairs = 0;

	(void)state;
	for (int64_t a = 1; a <= AUTHORS; a++)
		story_new(w, a, STORY_LIVE);
	for (int64_t j = AUTHORS + 1; j < ADMIN; j++) {
		world_forget_sent(w);
		for (int64_t a = 1; a <= AUTHORS; a++, pairs++)
			asks_for(w, j, number_of(a), !same_org(a, j));
		asks_for(w, j, 999, false);
		assert_int_equal(judges_all(w, j), AUTHORS - AUTHORS / ORGS);
		nothing_leaks(w, j);
	}
	printf("# %d pairs of judge and story\n", pairs);
	assert_int_equal(world_number(w, "SELECT count(*) FROM story_vote v JOIN story s ON"
					 " s.id = v.story JOIN person p ON p.id = v.person"
					 " WHERE p.org = s.org"),
	    0);
	world_free(w);
}

static void
end_turn(struct turn *t, void *ctx)
{
	struct season s;

	(void)ctx;
	assert_true(season_now(t, &s));
	judge_end(t, &s);
}

/* All are level, so all go to the final; nobody is shown a finalist of their own organisation, and
 * three win. */
static void
story_final_of_three_without_ones_own(void **state)
{
	struct world *w = begin(SEASON_OPEN);

	(void)state;
	for (int64_t a = 1; a <= AUTHORS; a++)
		story_new(w, a, STORY_LIVE);
	for (int64_t j = AUTHORS + 1; j < ADMIN; j++)
		judges_all(w, j);
	assert_true(engine_turn(w->engine, end_turn, NULL));
	assert_int_equal(world_number(w, "SELECT stage FROM season"), SEASON_FINAL);
	for (int64_t j = AUTHORS + 1; j < ADMIN; j++) {
		world_forget_sent(w);
		world_says(w, who(j), "/judge");
		for (int k = 0; k < 4; k++)
			world_says(w, who(j), "#1");
		nothing_leaks(w, j);
	}
	assert_int_equal(world_number(w, "SELECT count(*) FROM story_final"), 3 * JUDGES_N);
	assert_true(engine_turn(w->engine, end_turn, NULL));
	assert_int_equal(world_number(w, "SELECT stage FROM season"), SEASON_WON);
	assert_int_equal(
	    world_number(w, "SELECT group_concat(rank, '') FROM (SELECT rank FROM story"
			    " WHERE rank > 0 ORDER BY rank)"),
	    123);
	world_free(w);
}

/* Two judges are not enough, however much they like it. */
static void
story_two_judges_are_not_enough(void **state)
{
	struct world *w = begin(SEASON_OPEN);

	(void)state;
	story_new(w, 1, STORY_LIVE);
	story_new(w, 2, STORY_LIVE);
	for (int64_t j = AUTHORS + 1; j < AUTHORS + 4; j++)
		judges_all(w, j);
	assert_true(engine_turn(w->engine, end_turn, NULL));
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM story WHERE rank > 0 AND (SELECT"
			    " count(*) FROM story_vote v WHERE v.story = story.id) < 3"),
	    0);
	world_free(w);
}

static void
story_only_a_judge_is_asked(void **state)
{
	struct world *w = begin(SEASON_OPEN);

	(void)state;
	story_new(w, 1, STORY_LIVE);
	world_says(w, who(READER), "/judge");
	assert_true(
	    world_is(w, world_last(w, who(READER)), languages[READER % 3], "engine.not_allowed"));
	world_free(w);
}

/* ---- withdrawal ---- */

static void
withdraw_turn(struct turn *t, void *ctx)
{
	struct story s;

	(void)ctx;
	assert_true(story_get(t, 1, &s));
	story_withdraw(t, &s);
	/* In the same transaction nothing finds it. */
	assert_false(story_get(t, 1, &s));
	assert_false(story_numbered(t, number_of(1), &s));
	assert_int_equal(judge_left(t, 1, AUTHORS + 2), 0);
}

static void
withdraw_turn_any(struct turn *t, void *ctx)
{
	struct story s;

	(void)ctx;
	assert_true(story_get(t, 1, &s));
	story_withdraw(t, &s);
}

static void
six_turn(struct turn *t, void *ctx)
{
	struct story s;

	(void)ctx;
	assert_true(story_get(t, 6, &s));
	story_withdraw(t, &s);
}

static void
leave_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_erase(t, 1);
}

static void
nothing_is_left(struct world *w)
{
	assert_int_equal(
	    world_number(w, "SELECT (SELECT count(*) FROM story) + (SELECT count(*) FROM"
			    " story_use) + (SELECT count(*) FROM story_media) + (SELECT"
			    " count(*) FROM story_vote) + (SELECT count(*) FROM story_final)"
			    " + (SELECT count(*) FROM story_copy)"),
	    0);
	world_forget_sent(w);
	world_says(w, who(READER), "/stories");
	world_says(w, who(AUTHORS + 2), "/judge");
	world_says(w, who(ADMIN), "/stories");
	world_says(w, who(ADMIN), "#2");
	world_says(w, who(ADMIN), "#3");
	for (int i = 0; i < w->count; i++)
		if (strstr(w->sent[i].text, "00001X"))
			fail_msg("still there: %s", w->sent[i].text);
}

/* Draft, waiting for either check, live, judged, in the final, won and read: by withdrawing and by
 * leaving. Copies that were delivered are deleted. */
static void
story_withdrawn_in_every_state(void **state)
{
	(void)state;
	for (int way = 0; way < 14; way++) {
		int at = way / 2, copies = 0;
		struct world *w = begin(at >= 6 ? SEASON_WON : SEASON_OPEN);

		story_new(w, 1, at < STORY_LIVE ? (enum story_state)at : STORY_LIVE);
		if (at == 4 || at == 5)
			for (int64_t j = AUTHORS + 2; j < AUTHORS + 5; j++)
				judges_all(w, j);
		if (at == 5)
			assert_true(engine_turn(w->engine, end_turn, NULL));
		if (at == 6) {
			world_says(w, who(READER), "/stories");
			world_says(w, who(READER), "#1");
			assert_non_null(strstr(world_last(w, who(READER))->text, "Body00001X"));
		}
		copies = (int)world_number(w, "SELECT count(*) FROM story_copy");
		assert_int_equal(copies, at == 6 ? 1 : at >= 4 ? 3 : 0);
		world_forget_sent(w);
		assert_true(engine_turn(w->engine, way % 2 ? leave_turn : withdraw_turn, NULL));
		world_settle(w);
		for (int i = 0; i < w->count; i++)
			copies -= w->sent[i].op == OP_DELETE;
		assert_int_equal(copies, 0);
		nothing_is_left(w);
		world_free(w);
	}
}

static void
winner_turn(struct turn *t, void *ctx)
{
	static struct sql rank = {"UPDATE story SET rank = 1"};

	(void)ctx;
	db_run(t->db, &rank, NONE);
	people_grant(t, READER, ADMINS, "");
	for (int64_t p = 1; p <= PEOPLE; p++)
		consent_set(t, p, CONSENT_ANNOUNCEMENTS, true);
}

/* By whom a title was seen in this stretch. */
static int
named_to(struct world *w)
{
	int n = 0;

	for (int i = 0; i < w->count; i++)
		n += w->sent[i].class == CLASS_ANNOUNCEMENT && w->sent[i].op == OP_SEND &&
		     strstr(w->sent[i].text, "Title00001X") != NULL;
	return n;
}

static void
announces_winners(struct world *w)
{
	static const char *const lines[] = {"/stories", NULL, "Announce the winners"};

	for (size_t i = 0; i < 3; i++)
		world_says(w, who(ADMIN),
		    lines[i] ? lines[i] : (const char *[]){"Season", "الدورة", "העונה"}[ADMIN % 3]);
}

/* The announcement of the winners, waiting for a second person, in its grace, or delivered: it is
 * called back with the story it names. */
static void
story_withdrawn_calls_its_announcement_back(void **state)
{
	(void)state;
	for (int at = 0; at < 6; at++) {
		struct world *w = begin(SEASON_WON);
		int deleted = 0, told;

		story_new(w, 1, STORY_LIVE);
		assert_true(engine_turn(w->engine, winner_turn, NULL));
		announces_winners(w);
		assert_int_equal(world_number(w, "SELECT count(*) FROM story_told"), 1);
		if (at / 2 >= 1) {
			world_says(w, who(READER), "/approve");
			world_says(w, who(READER), "#1");
			world_says(w, who(READER), "#1");
		}
		if (at / 2 == 2)
			world_pass(w, 600);
		told = named_to(w);
		assert_int_equal(told > 0, at / 2 == 2);
		world_forget_sent(w);
		assert_true(engine_turn(w->engine, at % 2 ? leave_turn : withdraw_turn, NULL));
		world_pass(w, 600);
		if (at / 2 == 0) {
			world_says(w, who(READER), "/approve");
			world_says(w, who(READER), "#1");
			world_says(w, who(READER), "#1");
		}
		world_pass(w, 3600);
		for (int i = 0; i < w->count; i++)
			deleted += w->sent[i].op == OP_DELETE;
		assert_int_equal(named_to(w), 0);
		/* Of who left with it, the copy goes by their leaving. */
		assert_true(deleted >= told - at % 2 && deleted <= told);
		printf("# %d told, %d copies deleted\n", told, deleted);
		nothing_is_left(w);
		world_free(w);
	}
}

/* What ran out is as what was revoked: judges and readers lose it at that moment. */
static void
story_uses_expire(void **state)
{
	struct world *w = begin(SEASON_WON);

	(void)state;
	story_new(w, 1, STORY_LIVE);
	world_says(w, who(READER), "/stories");
	world_says(w, who(READER), "#1");
	assert_non_null(strstr(world_last(w, who(READER))->text, "Body00001X"));
	world_pass(w, 100 * STORY_DAY + 1);
	world_says(w, who(READER), "/stories");
	world_says(w, who(READER), "#1");
	assert_null(strstr(world_last(w, who(READER))->text, "Body00001X"));
	world_free(w);
}

/* ---- one's own data ---- */

static void
mine_turn(struct turn *t, void *ctx)
{
	static struct sql add = {
	    "INSERT INTO story_media(story, ending, type, content)"
	    " VALUES((SELECT id FROM story WHERE person = ?), 'jpg', 'image/jpeg', ?)"};
	struct blob json;

	(void)ctx;
	for (int64_t p = 1; p <= 2; p++)
		db_run(t->db, &add,
		    V(p, seal_person_bytes(t, p, "story_media.content",
			     (struct blob){p == 1 ? "\xff\x00one" : "\xff\x00two", 5})));
	json = mine_json(t, 1);
	assert_non_null(strstr(json.bytes, "Body00001X"));
	assert_non_null(strstr(json.bytes, "{\"story\": \"1\", \"what\": \"4\""));
	assert_null(strstr(json.bytes, "{\"story\": \"2\""));
	/* The picture itself, and nobody else's. */
	assert_non_null(strstr(json.bytes, "\"content\": \"base64:/wBvbmU=\""));
	assert_null(strstr(json.bytes, "/wB0d28="));
	assert_null(strstr(json.bytes, "\"story_vote\": [\n  {"));
}

static void
story_is_whole_in_ones_own_data(void **state)
{
	struct world *w = begin(SEASON_OPEN);

	(void)state;
	story_new(w, 1, STORY_LIVE);
	story_new(w, 2, STORY_LIVE);
	for (int64_t j = AUTHORS + 1; j < AUTHORS + 4; j++)
		judges_all(w, j);
	assert_true(engine_turn(w->engine, mine_turn, NULL));
	/* Which tables go out through rows of one's own: another one is to be thought about first.
	 */
	assert_int_equal(
	    world_number(w,
		"SELECT count(*) FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f"
		" JOIN pragma_foreign_key_list(f.\"table\") p WHERE m.type = 'table'"
		" AND p.\"table\" = 'person' AND p.\"from\" = 'person' AND NOT EXISTS"
		" (SELECT 1 FROM pragma_foreign_key_list(m.name) x WHERE x.\"table\" = 'person')"
		" AND m.name NOT IN ('choice_set', 'story_use', 'story_media', 'story_copy',"
		" 'story_told')"),
	    0);
	world_free(w);
}

/* ---- the season's texts ---- */

/* The choices that "Change a text" offers: four texts in three languages, less what is relied on.
 */
static int
texts_offered(struct world *w)
{
	world_says(w, who(ADMIN), "/stories");
	for (int i = world_last(w, who(ADMIN))->choices; i > 0; i--) {
		char text[16];

		world_says(w, who(ADMIN), "/stories");
		snprintf(text, sizeof(text), "#%d", i);
		world_says(w, who(ADMIN), text);
		if (!strstr(world_last(w, who(ADMIN))->text, "0"))
			continue;
		world_says(w, who(ADMIN), "#2");
		return world_last(w, who(ADMIN))->choices;
	}
	return -1;
}

static void
story_texts_relied_on_stay(void **state)
{
	struct world *w = begin(SEASON_OPEN);

	(void)state;
	story_new(w, 1, STORY_DRAFT);
	assert_int_equal(texts_offered(w), 12);
	story_new(w, 2, STORY_LIVE);
	assert_int_equal(texts_offered(w), 9);
	for (int64_t j = AUTHORS + 1; j < AUTHORS + 4; j++)
		judges_all(w, j);
	assert_int_equal(texts_offered(w), 6);
	world_free(w);
}

/* ---- the file for the website ---- */

static void
export_turn(struct turn *t, void *ctx)
{
	static struct sql no_website = {"DELETE FROM story_use WHERE story = 2 AND what <> 0"};
	static struct sql no_name = {"DELETE FROM story_use WHERE story = 4 AND what = 4"};
	static struct sql over = {"UPDATE story_use SET expires = ? WHERE story = 5"};

	(void)ctx;
	db_run(t->db, &no_website, NONE);
	db_run(t->db, &no_name, NONE);
	db_run(t->db, &over, V(t->now));
}

static int
in_file(const char *file, const char *what, int64_t author)
{
	char text[40];

	snprintf(text, sizeof(text), "%s%05lldX", what, (long long)author);
	return strstr(file, text) != NULL;
}

/* Of six: one is given for everything, one for judges only, one is not checked yet, one comes
 * without its name, one's use ended, one was withdrawn. */
static void
story_export_holds_what_was_given(void **state)
{
	struct world *w = begin(SEASON_WON);
	int64_t last = 6;
	char *file;
	int held = 0;

	(void)state;
	for (int64_t a = 1; a <= last; a++)
		story_new(w, a, a == 3 ? STORY_AUTHOR : STORY_LIVE);
	assert_true(engine_turn(w->engine, export_turn, NULL));
	world_says(w, who(ADMIN), "/stories");
	world_says(w, who(ADMIN), "Season");
	assert_true(engine_turn(w->engine, six_turn, NULL));
	w->fate.fate = (enum fate)HOLD;
	world_says(w, who(ADMIN), "File for the website");
	file = world_file(w, "stories.json", NULL);
	assert_non_null(file);
	for (int64_t a = 1; a <= last; a++) {
		bool given = a == 1 || a == 4;

		held += in_file(file, "Body", a);
		assert_int_equal(in_file(file, "Body", a), given);
		assert_int_equal(in_file(file, "Title", a), given);
		assert_int_equal(in_file(file, "Name", a), a == 1);
		assert_int_equal(in_file(file, "Pen", a), a == 4);
		assert_int_equal(in_file(file, "Member", a), 0);
	}
	for (int i = 0; i < ORGS; i++)
		assert_null(strstr(file, orgs[i]));
	assert_null(strstr(file, "7134"));
	printf("# %d of %d stories in the file\n", held, (int)last);
	free(file);
	world_free(w);
}

/* ---- exhibitions ---- */

static void
exhibition_turn(struct turn *t, void *ctx)
{
	static struct sql event = {
	    "INSERT INTO event(calendar, uid, recurrence, title, zone, wall, start, finish, "
	    "all_day,"
	    " cancelled, once_only, sequence, seen) VALUES('c', 'u', '', 'Geneva',"
	    " 'Europe/Zurich', '20370301T190000', ?1, ?1 + 7200, 0, 0, 0, 0, ?1)"};
	static struct sql shows = {"INSERT INTO season_event(season, event) VALUES(1, 1)"};

	(void)ctx;
	db_insert(t->db, &event, V(t->now + 20 * STORY_DAY));
	db_run(t->db, &shows, NONE);
}

static void
story_exhibition_shows_its_stories(void **state)
{
	struct world *w = begin(SEASON_WON);
	int choices;

	(void)state;
	assert_true(engine_turn(w->engine, exhibition_turn, NULL));
	world_says(w, who(READER), "/start e_1");
	choices = world_last(w, who(READER))->choices;
	story_new(w, 1, STORY_LIVE);
	world_says(w, who(READER), "/start e_1");
	assert_int_equal(world_last(w, who(READER))->choices, choices + 1);
	for (int i = 1; i <= choices; i++) {
		world_says(w, who(READER), "/start e_1");
		world_presses(w, who(READER), world_last(w, who(READER)), i);
		if (strstr(world_last(w, who(READER))->text, "Body00001X"))
			break;
	}
	assert_non_null(strstr(world_last(w, who(READER))->text, "Body00001X"));
	/* Revoked or withdrawn, it is shown there no more. */
	assert_true(engine_turn(w->engine, withdraw_turn_any, NULL));
	world_says(w, who(READER), "/start e_1");
	assert_int_equal(world_last(w, who(READER))->choices, choices);
	world_free(w);
}

/* ---- media ---- */

static const unsigned char picture[] =
    "\xff\xd8\xff\xe1\x00\x12"
    "Exif\0\0Canary7134"
    "\xff\xdb\x00\x05\x00\x01\x02\xff\xda\x00\x04\x01\x00PIXELS\xff\xd9"
    "Canary7134";

/* Begins a story, sends a picture; the fetch that was ordered. */
static int64_t
sends_picture(struct world *w, int64_t bytes)
{
	world_says(w, who(1), "/stories");
	world_says(w, who(1), "#1");
	world_says(w, who(1), "some words");
	world_event(w, (struct event){.kind = EVENT_MESSAGE,
			   .who = who(1),
			   .media = {.kind = MEDIA_PICTURE, .handle = "h1", .bytes = bytes}});
	world_settle(w);
	for (int i = w->count - 1; i >= 0; i--)
		if (w->sent[i].op == OP_FETCH)
			return w->sent[i].id;
	return 0;
}

static void
picture_comes(struct world *w, int64_t fetch, const void *bytes, size_t length)
{
	world_event(w, (struct event){.kind = EVENT_FETCHED,
			   .who = who(1),
			   .media = {.handle = "h1",
			       .bytes = (int64_t)length,
			       .content = bytes,
			       .failed = !bytes,
			       .asked_by = fetch}});
	world_settle(w);
}

static void
stored_turn(struct turn *t, void *ctx)
{
	static struct sql get = {"SELECT content FROM story_media"};
	struct rows *q = db_query(t->db, &get, NONE);
	struct blob sealed_bytes, plain;

	(void)ctx;
	assert_true(db_next(q));
	sealed_bytes = db_blob(q, 0);
	db_done(q);
	plain = unseal_person_bytes(t, 1, "story_media.content", sealed_bytes);
	assert_non_null(memmem(plain.bytes, plain.length, "PIXELS", 6));
	assert_null(memmem(plain.bytes, plain.length, "Canary", 6));
	assert_null(memmem(sealed_bytes.bytes, sealed_bytes.length, "PIXELS", 6));
}

static void
story_media_is_fetched_stripped_and_sealed(void **state)
{
	struct world *w = begin(SEASON_OPEN);
	int64_t fetch = sends_picture(w, 1000);
	const struct sent *last;

	(void)state;
	assert_true(fetch > 0);
	picture_comes(w, fetch, picture, sizeof(picture) - 1);
	last = world_last(w, who(1));
	assert_true(world_is(w, last, languages[1], "story.media_kept"));
	assert_true(engine_turn(w->engine, stored_turn, NULL));
	world_free(w);
}

/* Too big as claimed, too big as it comes, of no kind we know, not to be had, or no longer wanted:
 * nothing is kept. */
static void
story_media_that_cannot_be_is_refused(void **state)
{
	static char big[3 << 20] = "\xff\xd8\xff";
	struct world *w = begin(SEASON_OPEN);
	int64_t fetch;

	(void)state;
	assert_int_equal(sends_picture(w, 3 << 20), 0);
	fetch = sends_picture(w, -1);
	picture_comes(w, fetch, big, sizeof(big));
	assert_true(world_is(w, world_last(w, who(1)), languages[1], "story.media_bad"));
	fetch = sends_picture(w, 10);
	picture_comes(w, fetch, "GIF89a....", 10);
	fetch = sends_picture(w, 10);
	picture_comes(w, fetch, NULL, 0);
	fetch = sends_picture(w, 1000);
	engine_turn(w->engine, withdraw_turn_any, NULL);
	picture_comes(w, fetch, picture, sizeof(picture) - 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM story_media"), 0);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(story_media_is_fetched_stripped_and_sealed),
    cmocka_unit_test(story_media_that_cannot_be_is_refused),
    cmocka_unit_test(story_judges_by_organisations_by_stories),
    cmocka_unit_test(story_final_of_three_without_ones_own),
    cmocka_unit_test(story_two_judges_are_not_enough),
    cmocka_unit_test(story_only_a_judge_is_asked),
    cmocka_unit_test(story_withdrawn_in_every_state),
    cmocka_unit_test(story_withdrawn_calls_its_announcement_back),
    cmocka_unit_test(story_is_whole_in_ones_own_data),
    cmocka_unit_test(story_texts_relied_on_stay),
    cmocka_unit_test(story_exhibition_shows_its_stories),
    cmocka_unit_test(story_export_holds_what_was_given),
    cmocka_unit_test(story_uses_expire),
};

UNIT_RUN(tests)
