/* The forum of the organisations: who sees and changes what, what is found, who is told, and what
 * is left when somebody or something goes. */
#include "unit.h"

#include "base/document.h"
#include "base/link.h"
#include "base/search.h"
#include "core/attach.h"
#include "core/audience.h"
#include "core/draft.h"
#include "core/mine.h"
#include "core/turn.h"
#include "features/shelf.h"

#include "world.h"
#include "every_feature.h"

static const struct feature *const *const world_features = features;

/* Everybody who can be: ROLES roles in each of ORGS organisations, then an admin and a visitor. */
enum { ORGS = 3, ROLES = 4, ADMIN = ORGS * ROLES + 1, VISITOR, PEOPLE = VISITOR };
enum { MEMBER, COORDINATOR, JUDGE, OFFICER };
static const char *const orgs[ORGS] = {"arava", "seeds-of-peace", "hands-of-peace"};

static int64_t
person_of(int role, int org)
{
	return 1 + org * ROLES + role;
}

static const char *
who(int64_t person)
{
	static char names[8][24];
	static int next;
	char *name = names[next++ % 8];

	snprintf(name, sizeof(names[0]), "7134%06lld", (long long)person);
	return name;
}

static void
people_turn(struct turn *t, void *ctx)
{
	static const enum access roles[] = {MEMBERS, COORDINATORS, JUDGES, SAFETY};

	(void)ctx;
	for (int64_t p = 1; p <= PEOPLE; p++)
		people_set_language(t, p, "en");
	for (int64_t p = 1; p <= ADMIN; p++) {
		people_join(t, p, p == ADMIN ? "allmep" : orgs[(p - 1) / ROLES]);
		people_set_pseudonym(t, p, arena_print(t->arena, "Member%05lldX", (long long)p));
		if (p < ADMIN && (p - 1) % ROLES)
			people_grant(t, p, roles[(p - 1) % ROLES], orgs[(p - 1) / ROLES]);
	}
	people_grant(t, ADMIN, ADMINS, "");
}

static struct world *
begin(void)
{
	struct world *w = world_new();

	for (int64_t p = 1; p <= PEOPLE; p++)
		world_says(w, who(p), "/start");
	assert_true(engine_turn(w->engine, people_turn, NULL));
	world_settle(w);
	world_forget_sent(w);
	return w;
}

static void
put_turn(struct turn *t, void *ctx)
{
	struct resource *r = ctx;

	shelf_put(t, r);
}

/* A text of that organisation; its number. */
static int64_t
share(struct world *w, const char *org, int64_t topic, const char *language, const char *title,
    const char *body)
{
	struct resource r = {.kind = SHELF_TEXT,
	    .topic = topic,
	    .org = org,
	    .language = language,
	    .title = title,
	    .about = "",
	    .body = body};

	assert_true(engine_turn(w->engine, put_turn, &r));
	return r.id;
}

static bool
heard(struct world *w, int64_t person, const char *what)
{
	for (int i = 0; i < w->count; i++)
		if (!strcmp(w->sent[i].where, who(person)) && strstr(w->sent[i].text, what))
			return true;
	return false;
}

/* ---- who ---- */

/* Every way to a resource, for everybody there can be. */
static void
forum_rights_by_role_and_organisation(void **state)
{
	static const char *const ways[] = {
	    "/forum", "/forum canary", "/start r_1", "/start forum", "forum", "/events"};
	struct world *w = begin();
	int tried = 0, sees = 0;

	(void)state;
	share(w, orgs[0], 3, "en", "Canarytitle", "canary words");
	for (int64_t p = 1; p <= PEOPLE; p++) {
		bool may = p == ADMIN || (p < ADMIN && (p - 1) % ROLES == COORDINATOR);

		world_forget_sent(w);
		for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++, tried++) {
			world_says(w, who(p), ways[i]);
			/* And each button under the answer. */
			for (int k = 1, n = world_last(w, who(p))->choices; k <= n; k++, tried++) {
				world_says(w, who(p), ways[i]);
				world_presses(w, who(p), world_last(w, who(p)), k);
				world_says(w, who(p), "/cancel");
			}
		}
		assert_int_equal(heard(w, p, "Canarytitle"), may);
		sees += may;
	}
	printf(
	    "# %d ways tried by %d people, %d of them see the shelf\n", tried, (int)PEOPLE, sees);
	assert_int_equal(sees, ORGS + 1);
	world_free(w);
}

/* Who may change or remove it is looked at on each press, not when the card was shown. */
static void
forum_changes_by_its_own_organisation(void **state)
{
	struct world *w = begin();
	int changes = 0, removes = 0, tried = 0;

	(void)state;
	for (int owner = 0; owner < ORGS; owner++) {
		for (int64_t p = 1; p <= PEOPLE; p++) {
			char text[80];
			bool own = p == person_of(COORDINATOR, owner);
			int64_t id = share(w, orgs[owner], 0, "en", "Thing", "words");
			const struct sent *card;

			snprintf(text, sizeof(text), "/start r_%lld", (long long)id);
			world_says(w, who(p), text);
			card = world_last(w, who(p));
			tried++;
			/* Change, Remove, Forum; Remove, Forum for an admin; Forum. */
			changes += card->choices == 3;
			removes += card->choices == 3 || (p == ADMIN && card->choices == 2);
			assert_int_equal(card->choices == 3, own);
			if (!own && p != ADMIN)
				continue;
			world_presses(w, who(p), card, own ? 2 : 1);
			world_presses(w, who(p), world_last(w, who(p)), 1);
			snprintf(text, sizeof(text), "SELECT count(*) FROM shelf WHERE id = %lld",
			    (long long)id);
			if (world_number(w, text))
				fail_msg("%lld could not remove it: %s", (long long)p,
				    world_last(w, who(p))->text);
			snprintf(text, sizeof(text), "/start r_%lld", (long long)id);
			world_says(w, who(p), text);
			assert_true(heard(w, p, "no longer on the shelf"));
			world_forget_sent(w);
		}
	}
	printf("# %d tries: %d may change, %d may remove\n", tried, changes, removes);
	assert_int_equal(changes, ORGS);
	assert_int_equal(removes, 2 * ORGS);
	world_free(w);
}

static void
revoke_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_revoke(t, person_of(COORDINATOR, 0), COORDINATORS, orgs[0]);
}

static void
forum_stale_button_of_a_former_coordinator(void **state)
{
	struct world *w = begin();
	int64_t p = person_of(COORDINATOR, 0), id = share(w, orgs[0], 0, "en", "Thing", "words");
	char text[80];
	struct sent card;

	(void)state;
	snprintf(text, sizeof(text), "/start r_%lld", (long long)id);
	world_says(w, who(p), text);
	card = *world_last(w, who(p));
	assert_true(engine_turn(w->engine, revoke_turn, NULL));
	for (int k = 1; k <= card.choices; k++)
		world_presses(w, who(p), &card, k);
	assert_int_equal(world_number(w, "SELECT count(*) FROM shelf"), 1);
	world_says(w, who(p), text);
	assert_true(heard(w, p, "opens with the role of a coordinator"));
	world_free(w);
}

/* ---- what is found ---- */

struct query {
	const char *words;
	int64_t id; /* 0: nothing */
};

static void
query_turn(struct turn *t, void *ctx)
{
	static struct sql find = {"SELECT rowid FROM shelf_words WHERE shelf_words MATCH ?"
				  " ORDER BY bm25(shelf_words, 4.0, 1.0) LIMIT 1"};
	struct query *q = ctx;
	const char *expression = search_query(t->arena, q->words);

	q->id = *expression ? db_number(t->db, &find, V(expression), 0) : 0;
}

static void
forum_search_folds_three_scripts(void **state)
{
	static const struct query queries[] = {{"حوار", 1}, {"الحِوَار", 1}, {"والحوار", 1},
	    {"لقاءات", 1}, {"اللقاءات", 1}, {"إتفاق", 1}, {"اتفاقية", 0}, {"חינוך", 2},
	    {"בחינוך", 2}, {"חִנּוּךְ", 0}, {"חינ", 2}, {"ובחינוך", 2}, {"הורים", 2}, {"להורים", 2},
	    {"Facilitation", 3}, {"FACILITATION café", 3}, {"cafe", 3}, {"facil inter", 3},
	    {"facil חינוך", 0}, {"١٢", 3}, {"۱۲", 3}, {"12", 3}, {"arava", 3}, {"\"", 0},
	    {"* NOT", 0}, {"،", 0}, {"", 0}, {"a OR b", 0}, {"title:facilitation", 0},
	    {"facilitation،", 3}, {"  ", 0}, {"x", 0}};
	struct world *w = begin();
	int n = 0;

	(void)state;
	share(w, "seeds-of-peace", 0, "ar", "اتّفاق المجموعة في اللقاءات",
	    "ما يُقال يبقى، والحوارُ ليس مناظرة");
	share(w, "hands-of-peace", 3, "he", "דף מידע להורים", "על החינוך ביום הראשון");
	share(w, "arava", 0, "en", "Facilitation: inter-group café", "12 practices, and more");
	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++, n++) {
		struct query q = queries[i];

		assert_true(engine_turn(w->engine, query_turn, &q));
		if (q.id != queries[i].id)
			fail_msg("\"%s\" found %lld, not %lld", queries[i].words, (long long)q.id,
			    (long long)queries[i].id);
	}
	printf("# %d queries in three scripts\n", n);
	world_free(w);
}

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

/* Whatever is typed, the index understands it, and a text is found by each of its own words. */
static void
forum_search_takes_whatever_is_typed(void **state)
{
	static const char *const pieces[] = {"\"", "*", "(", ")", "AND", "NOT", "NEAR", "^", ":",
	    "-", "+", "{", "}", "'", "\\", "،", "؟", "״", "׳", "ש", "و", "ال", "a", "é", "١", " ",
	    "\n", "\u200f", "😀", "حوار", "שלום", "x1"};
	struct world *w = begin();
	unsigned seed = 7;
	int found = 0;

	(void)state;
	share(w, "arava", 0, "en", "Something", "else");
	for (int i = 0; i < 2000; i++) {
		char text[256] = "";
		struct query q = {text, 0};

		for (int k = 0; k < 8; k++)
			strncat(text,
			    pieces[next_random(&seed) % (sizeof(pieces) / sizeof(*pieces))],
			    sizeof(text) - strlen(text) - 1);
		assert_true(engine_turn(w->engine, query_turn, &q));
		found += q.id != 0;
	}
	printf("# 2000 queries, %d found something\n", found);
	world_free(w);
}

/* ---- who is told ---- */

static void
follow_turn(struct turn *t, void *ctx)
{
	const int64_t *v = ctx;

	audience_tag(t, v[0], arena_print(t->arena, "shelf.%lld", (long long)v[1]), v[2]);
}

static void
follows(struct world *w, int64_t person, int64_t topic, bool on)
{
	assert_true(engine_turn(w->engine, follow_turn, (int64_t[]){person, topic, on}));
}

static int
pushes(struct world *w, int64_t person)
{
	int n = 0;

	for (int i = 0; i < w->count; i++)
		n += !strcmp(w->sent[i].where, who(person)) &&
		     w->sent[i].class == CLASS_ANNOUNCEMENT;
	return n;
}

static void
forum_followers_hear_once_a_week(void **state)
{
	struct world *w = begin();
	int64_t follower = person_of(COORDINATOR, 1), own = person_of(COORDINATOR, 0);
	int64_t member = person_of(MEMBER, 1), other = person_of(COORDINATOR, 2);

	(void)state;
	follows(w, follower, 3, true);
	follows(w, own, 3, true);
	follows(w, member, 3, true);
	follows(w, other, 4, true);
	share(w, orgs[0], 3, "en", "First", "a");
	share(w, orgs[0], 3, "en", "Second", "b");
	for (int i = 0; i < 5; i++)
		share(w, orgs[0], 3, "en", "Another", "c");
	world_pass(w, 7 * 86400);
	/* One message, seven resources; nobody else, not the organisation itself, no member. */
	assert_int_equal(pushes(w, follower), 1);
	assert_true(heard(w, follower, "First") && heard(w, follower, "Second"));
	assert_true(
	    heard(w, follower, "And \u20682\u2069 more") || heard(w, follower, "And 2 more"));
	for (int64_t p = 1; p <= PEOPLE; p++)
		assert_int_equal(pushes(w, p), p == follower);
	/* Never again, not after a restart either. */
	world_restart(w);
	world_pass(w, 14 * 86400);
	assert_int_equal(pushes(w, follower), 0);
	/* What was removed before the hour is not told; nor who follows no more. */
	world_says(w, who(own), "/cancel");
	share(w, orgs[0], 4, "en", "Third", "d");
	follows(w, other, 4, false);
	share(w, orgs[0], 3, "en", "Fourth", "e");
	world_forget_sent(w);
	world_pass(w, 7 * 86400);
	assert_int_equal(pushes(w, follower), 1);
	assert_int_equal(pushes(w, other), 0);
	assert_false(heard(w, follower, "First"));
	world_free(w);
}

/* The hour of the digest is none of the quiet ones; who pauses hears nothing. */
static void
forum_followers_are_left_in_peace(void **state)
{
	struct world *w = begin();
	int64_t follower = person_of(COORDINATOR, 1);
	int sent_at = -1;

	(void)state;
	follows(w, follower, 3, true);
	world_says(w, who(follower), "/pause");
	world_says(w, who(follower), "#1");
	share(w, orgs[0], 3, "en", "First", "a");
	for (int hour = 0; hour < 7 * 24; hour++) {
		world_pass(w, 3600);
		if (pushes(w, follower) && sent_at < 0)
			sent_at = (int)((w->now_ms / 3600000) % 24);
	}
	assert_true(sent_at < 0 || (sent_at >= 6 && sent_at < 19));
	world_free(w);
}

/* ---- what is left ---- */

static int
copies_in(const char *path, const char *what)
{
	size_t length = 0, n = strlen(what);
	char *bytes = unit_read(path, &length), *at = bytes;
	int count = 0;

	for (; bytes && (at = memmem(at, length - (size_t)(at - bytes), what, n)); at += n)
		count++;
	free(bytes);
	return count;
}

static int
copies(struct world *w, const char *what)
{
	char wal[120];

	snprintf(wal, sizeof(wal), "%s-wal", w->path);
	return copies_in(w->path, what) + copies_in(wal, what);
}

/* As FTS5 leaves it when a row is only deleted: what this test would find without the rebuild. */
static int
control_copies(const char *what, const char *text)
{
	char path[] = "build/forum-control-XXXXXX";
	int fd = mkstemp(path), n;
	sqlite3 *db;
	char *sql;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sql =
	    sqlite3_mprintf("PRAGMA secure_delete = ON; CREATE VIRTUAL TABLE w USING fts5(a);"
			    "INSERT INTO w(rowid, a) VALUES(1, %Q); DELETE FROM w WHERE rowid = 1;",
		text);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_free(sql);
	sqlite3_close(db);
	n = copies_in(path, what);
	unlink(path);
	return n;
}

static void
forum_removed_words_leave_the_index(void **state)
{
	struct world *w = begin();
	int64_t own = person_of(COORDINATOR, 0);
	int before, control = control_copies("xjzwcanary", "qxjzwcanary vkhpcanary");

	(void)state;
	share(w, orgs[0], 0, "en", "qxjzwcanary", "vkhpcanary and others");
	share(w, orgs[0], 0, "en", "Stays", "what is left");
	assert_true(db_checkpoint(w->db));
	before = copies(w, "xjzwcanary") + copies(w, "khpcanary");
	world_says(w, who(own), "/start r_1");
	world_presses(w, who(own), world_last(w, who(own)), 2);
	world_presses(w, who(own), world_last(w, who(own)), 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM shelf"), 1);
	/* The question "remove it?" waits in no table; the choices under it are sealed. */
	world_pass(w, 60);
	assert_true(db_checkpoint(w->db));
	printf("# copies of two canaries: %d before, %d after; %d where rows are only deleted\n",
	    before, copies(w, "xjzwcanary") + copies(w, "khpcanary"), control);
	assert_true(before >= 4 && control > 0);
	assert_int_equal(copies(w, "xjzwcanary") + copies(w, "khpcanary"), 0);
	assert_true(copies(w, "Stays") > 0);
	world_free(w);
}

/* Changed words are gone like removed ones. */
static void
forum_changed_words_leave_the_index(void **state)
{
	struct world *w = begin();
	int64_t id = share(w, orgs[0], 0, "en", "qxjzwcanary", "vkhpcanary");
	struct resource r = {.id = id,
	    .kind = SHELF_TEXT,
	    .org = orgs[0],
	    .language = "en",
	    .title = "Other",
	    .about = "",
	    .body = "words"};
	struct query old = {"qxjzwcanary", 0}, new = {"other", 0};

	(void)state;
	assert_true(engine_turn(w->engine, put_turn, &r));
	assert_true(engine_turn(w->engine, query_turn, &old));
	assert_true(engine_turn(w->engine, query_turn, &new));
	assert_int_equal(old.id, 0);
	assert_int_equal(new.id, id);
	assert_true(db_checkpoint(w->db));
	assert_int_equal(copies(w, "xjzwcanary") + copies(w, "khpcanary"), 0);
	world_free(w);
}

/* ---- files ---- */

static const char pdf[] = "%PDF-1.4\n% canary7134 of a file\n%%EOF\n";

/* Shares a file in chat, up to the question of the file; the fetch that was ordered. */
static int64_t
sends_file(struct world *w, int64_t person, int64_t bytes)
{
	world_says(w, who(person), "/forum");
	for (int k = 1;
	     k <= 12 && strcmp(world_last(w, who(person))->text, "What is to be shared?"); k++) {
		world_says(w, who(person), "Share something");
		break;
	}
	world_says(w, who(person), "#2");
	world_says(w, who(person), "Minutes");
	world_event(w, (struct event){.kind = EVENT_MESSAGE,
			   .who = who(person),
			   .media = {.kind = MEDIA_FILE, .handle = "h1", .bytes = bytes}});
	world_settle(w);
	for (int i = w->count - 1; i >= 0; i--)
		if (w->sent[i].op == OP_FETCH)
			return w->sent[i].id;
	return 0;
}

static void
file_comes(struct world *w, int64_t person, int64_t fetch, const void *bytes, size_t length)
{
	world_event(w, (struct event){.kind = EVENT_FETCHED,
			   .who = who(person),
			   .media = {.handle = "h1",
			       .bytes = (int64_t)length,
			       .content = bytes,
			       .failed = !bytes,
			       .asked_by = fetch}});
	world_settle(w);
}

static void
mine_turn(struct turn *t, void *ctx)
{
	int64_t person = *(int64_t *)ctx;
	struct blob json = mine_json(t, person);

	/* The draft and its file, while they are theirs. */
	assert_non_null(memmem(json.bytes, json.length, "Minutes", 7));
	assert_non_null(strstr(json.bytes, "\"shelf.3\""));
	assert_non_null(memmem(json.bytes, json.length, "canary7134", 10));
}

static void
not_mine_turn(struct turn *t, void *ctx)
{
	struct blob json = mine_json(t, *(int64_t *)ctx);

	assert_null(memmem(json.bytes, json.length, "Minutes", 7));
	assert_null(memmem(json.bytes, json.length, "canary7134", 10));
}

static void
content_turn(struct turn *t, void *ctx)
{
	struct card *card = card_new(t->arena);
	size_t length = 0;
	char *bytes;

	(void)ctx;
	assert_true(attach_add(t, card, 1, "shelf-1"));
	assert_string_equal(card->file->name, "shelf-1.pdf");
	assert_string_equal(card->file->key, "attach.1");
	bytes = unit_read(card->file->path, &length);
	assert_int_equal(length, sizeof(pdf) - 1);
	assert_memory_equal(bytes, pdf, length);
	free(bytes);
	unlink(card->file->path);
}

static void
erase_turn(struct turn *t, void *ctx)
{
	people_erase(t, *(int64_t *)ctx);
}

/* In the order of its life: sealed and theirs while a draft; sealed under its own key and nobody's
 * on the shelf, which the sharer's erasure leaves; gone with the resource. */
static void
forum_file_lives_with_its_resource(void **state)
{
	struct world *w = begin();
	int64_t p = person_of(COORDINATOR, 0), fetch;

	(void)state;
	follows(w, p, 3, true);
	fetch = sends_file(w, p, sizeof(pdf) - 1);
	assert_true(fetch > 0);
	file_comes(w, p, fetch, pdf, sizeof(pdf) - 1);
	assert_int_equal(copies(w, "canary7134"), 0);
	assert_true(engine_turn(w->engine, mine_turn, &p));
	/* On from the card that said so: no description, topic, language, share. */
	world_says(w, who(p), "#1");
	world_says(w, who(p), "#1");
	world_says(w, who(p), "#4");
	world_says(w, who(p), "#1");
	world_says(w, who(p), "#1");
	assert_int_equal(world_number(w, "SELECT count(*) FROM shelf WHERE attachment = 1"), 1);
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM attachment WHERE person IS NULL"), 1);
	assert_true(engine_turn(w->engine, content_turn, NULL));
	assert_true(engine_turn(w->engine, not_mine_turn, &p));
	assert_int_equal(copies(w, "canary7134"), 0);
	assert_true(engine_turn(w->engine, erase_turn, &p));
	world_settle(w);
	assert_true(engine_turn(w->engine, content_turn, NULL));
	assert_int_equal(world_number(w, "SELECT count(*) FROM shelf WHERE org = 'arava'"), 1);
	/* Removed by an admin: key, bytes and row are gone. */
	world_says(w, who(ADMIN), "/start r_1");
	world_presses(w, who(ADMIN), world_last(w, who(ADMIN)), 1);
	world_presses(w, who(ADMIN), world_last(w, who(ADMIN)), 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM shelf"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM attachment"), 0);
	world_free(w);
}

static void
forum_draft_goes_with_its_author(void **state)
{
	struct world *w = begin();
	int64_t p = person_of(COORDINATOR, 0), fetch = sends_file(w, p, sizeof(pdf) - 1);

	(void)state;
	file_comes(w, p, fetch, pdf, sizeof(pdf) - 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM attachment"), 1);
	assert_true(engine_turn(w->engine, erase_turn, &p));
	assert_int_equal(world_number(w, "SELECT count(*) FROM attachment"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM draft"), 0);
	/* What comes after they left is nobody's. */
	file_comes(w, p, fetch, pdf, sizeof(pdf) - 1);
	assert_int_equal(world_number(w, "SELECT count(*) FROM attachment"), 0);
	world_free(w);
}

/* Forgotten ones end by themselves. */
static void
forum_draft_ends_after_its_days(void **state)
{
	struct world *w = begin();
	int64_t p = person_of(COORDINATOR, 0), fetch = sends_file(w, p, sizeof(pdf) - 1);

	(void)state;
	file_comes(w, p, fetch, pdf, sizeof(pdf) - 1);
	world_pass(w, 100 * 86400);
	assert_int_equal(world_number(w, "SELECT count(*) FROM attachment"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM draft"), 0);
	world_free(w);
}

static void
forum_files_that_are_none_are_refused(void **state)
{
	static char big[6 << 20] = "%PDF-";
	struct world *w = begin();
	int64_t p = person_of(COORDINATOR, 0), fetch;

	(void)state;
	assert_int_equal(sends_file(w, p, 6 << 20), 0);
	world_says(w, who(p), "/cancel");
	world_event(w, (struct event){.kind = EVENT_MESSAGE, .who = who(p), .text = "/forum"});
	world_settle(w);
	world_says(w, who(p), "Go on with the draft");
	world_event(w, (struct event){.kind = EVENT_MESSAGE,
			   .who = who(p),
			   .media = {.kind = MEDIA_FILE, .handle = "h1", .bytes = -1}});
	world_settle(w);
	fetch = 0;
	for (int i = 0; i < w->count; i++)
		if (w->sent[i].op == OP_FETCH)
			fetch = w->sent[i].id;
	assert_true(fetch > 0);
	file_comes(w, p, fetch, big, sizeof(big));
	file_comes(w, p, fetch, "MZ\x90\0\3", 5);
	file_comes(w, p, fetch, NULL, 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM attachment"), 0);
	assert_true(heard(w, p, "could not be taken"));
	world_free(w);
}

static void
is_document(const char *bytes, size_t length, const char *ending)
{
	struct document d = document_of(bytes, length);

	if (ending ? !d.ending || strcmp(d.ending, ending) : d.ending != NULL)
		fail_msg("%.20s is %s, not %s", bytes, d.ending ? d.ending : "none",
		    ending ? ending : "none");
}
#define IS_DOCUMENT(bytes, ending) is_document(bytes, sizeof(bytes) - 1, ending)
#define ZIP "PK\x03\x04 [Content_Types].xml "
#define ODF "PK\x03\x04 12345678901234567890123456mimetypeapplication/vnd.oasis.opendocument."

static void
forum_document_is_what_is_in_it(void **state)
{
	(void)state;
	IS_DOCUMENT("%PDF-1.7 \0 x", "pdf");
	IS_DOCUMENT(ZIP "word/document.xml", "docx");
	IS_DOCUMENT(ZIP "xl/workbook.xml", "xlsx");
	IS_DOCUMENT(ZIP "ppt/presentation.xml", "pptx");
	IS_DOCUMENT(ZIP "word/document.xml word/vbaProject.bin", NULL);
	IS_DOCUMENT("PK\x03\x04 word/document.xml", NULL);
	IS_DOCUMENT("PK\x03\x04 setup.exe", NULL);
	IS_DOCUMENT("plain words\n", "txt");
	IS_DOCUMENT("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "txt");
	IS_DOCUMENT("\xd7", NULL);
	IS_DOCUMENT("\xff\xfe", NULL);
	IS_DOCUMENT("#!/bin/sh\n", NULL);
	IS_DOCUMENT("MZ\x90", NULL);
	IS_DOCUMENT("\x7f"
		    "ELF",
	    NULL);
	IS_DOCUMENT("a\0b", NULL);
	IS_DOCUMENT("", NULL);
}

static void
forum_link_is_shown_as_it_leads(void **state)
{
	static const char *const links[][2] = {
	    {"https://example.org", "https://example.org"},
	    {"HTTPS://Example.org/a?b=c#d", "https://Example.org/a?b=c#d"},
	    {"http://example.org:8080/", "http://example.org:8080/"},
	    {"https://example.org/حوار", "https://example.org/%D8%AD%D9%88%D8%A7%D8%B1"},
	    {"https://xn--4dbrk0ce.example/", "https://xn--4dbrk0ce.example/"},
	    {"https://example.org/a\"<b>", "https://example.org/a%22%3Cb%3E"},
	    {"https://user@example.org/", NULL},
	    {"https://user:secret@example.org/", NULL},
	    {"https://еxample.org/", NULL}, /* a Cyrillic letter */
	    {"https://example.org:", NULL},
	    {"https://example.org:port/", NULL},
	    {"https://localhost/", NULL},
	    {"https://127.0.0.1/", NULL},
	    {"https://[::1]/", NULL},
	    {"https://.org/", NULL},
	    {"https://example..org/", NULL},
	    {"https://example.org/a b", NULL},
	    {"https://example.org/\nb", NULL},
	    {"javascript:alert(1)", NULL},
	    {"data:text/html,x", NULL},
	    {"tg://resolve?domain=x", NULL},
	    {"file:///etc/passwd", NULL},
	    {"ftp://example.org/", NULL},
	    {"//example.org/", NULL},
	    {"example.org", NULL},
	    {"https://", NULL},
	    {"", NULL},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		const char *got = link_clean(arena, links[i][0]);

		if (got != links[i][1] && (!got || !links[i][1] || strcmp(got, links[i][1])))
			fail_msg("%s became %s", links[i][0], got ? got : "nothing");
	}
	assert_string_equal(link_host(arena, "https://example.org:8080/a/b"), "example.org:8080");
	arena_free(arena);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(forum_rights_by_role_and_organisation),
    cmocka_unit_test(forum_changes_by_its_own_organisation),
    cmocka_unit_test(forum_stale_button_of_a_former_coordinator),
    cmocka_unit_test(forum_search_folds_three_scripts),
    cmocka_unit_test(forum_search_takes_whatever_is_typed),
    cmocka_unit_test(forum_followers_hear_once_a_week),
    cmocka_unit_test(forum_followers_are_left_in_peace),
    cmocka_unit_test(forum_removed_words_leave_the_index),
    cmocka_unit_test(forum_changed_words_leave_the_index),
    cmocka_unit_test(forum_file_lives_with_its_resource),
    cmocka_unit_test(forum_draft_goes_with_its_author),
    cmocka_unit_test(forum_draft_ends_after_its_days),
    cmocka_unit_test(forum_files_that_are_none_are_refused),
    cmocka_unit_test(forum_document_is_what_is_in_it),
    cmocka_unit_test(forum_link_is_shown_as_it_leads),
};

UNIT_RUN(tests)
