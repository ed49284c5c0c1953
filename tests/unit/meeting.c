/* Meeting people: what an observer can see of a round, and who may do what. */
#include "unit.h"

#include "core/audit.h"
#include "core/mine.h"

#include "meeting_world.h"

/* ---- what an observer sees ---- */

enum refusal_kind {
	KIND_NO,
	KIND_NEVER,
	KIND_SILENCE,
	KIND_AVOID,
	KIND_PAUSE,
	KIND_STOP,
	KIND_CONSENT,
	KIND_FORGETME,
	KIND_LEAVE_NOW,
	KIND_UNREACHABLE,
	KIND_GONE,
	KIND_EXPELLED,
	KIND_CHANGED_MIND,
	KIND_LEFT_LAST,	  /* both said yes, and it was counted; leaves in the minute before */
	KIND_BLOCKS_LAST, /* all hear of it */
	KINDS,
	KIND_NOBODY, /* no candidate at all: the result must still be the same */
};
static const char *const kind_names[] = {"no", "never", "silence", "avoid", "pause", "stop",
    "consent", "forgetme", "leave now", "unreachable", "account gone", "expelled", "changed mind",
    "leaves in the last minute", "blocks in the last minute"};

static void
wish_turn(struct turn *t, void *ctx)
{
	round_wish(t, *(int64_t *)ctx);
}

static void
consent_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	consent_set(t, PARTNER, CONSENT_MATCHING, false);
}

static void
expel_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_ban(t, PARTNER);
	people_expel(t, PARTNER);
}

static void
avoid_turn(struct turn *t, void *ctx)
{
	static struct sql avoid = {"INSERT INTO meeting_avoid(person, org) VALUES(?, ?)"};

	(void)ctx;
	db_run(t->db, &avoid, V(PARTNER, orgs[OBSERVER % 4]));
}

static struct sent *
card_of(struct world *w, int64_t person)
{
	for (int i = w->count - 1; i >= 0; i--)
		if (!strcmp(w->sent[i].where, who(person)) && w->sent[i].class == CLASS_MATCH &&
		    w->sent[i].choices == 3)
			return &w->sent[i];
	return NULL;
}

static void
refuse(struct world *w, enum refusal_kind kind)
{
	struct sent *card = card_of(w, PARTNER);

	assert_non_null(card);
	if (kind == KIND_NO || kind == KIND_NEVER) {
		world_presses(w, who(PARTNER), card, kind == KIND_NO ? 2 : 3);
	} else if (kind == KIND_CHANGED_MIND) {
		world_presses(w, who(PARTNER), card, 1);
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 1);
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 2);
	} else if (kind != KIND_SILENCE) {
		world_presses(w, who(PARTNER), card, 1);
	}
	if (kind == KIND_LEFT_LAST || kind == KIND_BLOCKS_LAST)
		return;
	world_pass(w, 3 * HOUR);
	if (kind == KIND_PAUSE || kind == KIND_FORGETME) {
		world_says(w, who(PARTNER), kind == KIND_PAUSE ? "/pause" : "/forgetme");
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 1);
	} else if (kind == KIND_STOP) {
		world_says(w, who(PARTNER), "/stop");
	} else if (kind == KIND_LEAVE_NOW) {
		world_says(w, who(PARTNER), "/safety");
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 2);
	} else if (kind == KIND_UNREACHABLE || kind == KIND_GONE) {
		world_event(
		    w, (struct event){.kind = kind == KIND_GONE ? EVENT_GONE : EVENT_BLOCKED,
			   .who = who(PARTNER)});
	} else if (kind == KIND_CONSENT) {
		assert_true(engine_turn(w->engine, consent_turn, NULL));
	} else if (kind == KIND_EXPELLED) {
		assert_true(engine_turn(w->engine, expel_turn, NULL));
	} else if (kind == KIND_AVOID) {
		/* Too late for this card, which they left without an answer. */
		assert_true(engine_turn(w->engine, avoid_turn, NULL));
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 1);
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 2);
	}
	world_settle(w);
}

/* Everything somebody was sent, with its minute, as one text. */
struct seen {
	int64_t person;
	struct buf text;
};

static void
look(struct world *w, struct seen *seen, int64_t began)
{
	for (int i = 0; i < w->count; i++)
		if (!strcmp(w->sent[i].where, who(seen->person)))
			buf_print(&seen->text, "%lld op %d class %d choices %d %s\n",
			    (long long)((w->now_ms / 1000 - began) / 60), (int)w->sent[i].op,
			    (int)w->sent[i].class, w->sent[i].choices, w->sent[i].text);
	world_forget_sent(w);
}

/* Minute by minute, so that each line has its own. */
static void
watch(struct world *w, struct seen *seen, int64_t began, int64_t minutes)
{
	look(w, seen, began);
	for (; minutes > 0; minutes--) {
		world_pass(w, 60);
		look(w, seen, began);
	}
}

/* The introduction is made, and its minute has not come. */
static void
refuse_last(struct world *w, enum refusal_kind kind, int64_t began)
{
	world_pass(w, began + 48 * HOUR + 20 - w->now_ms / 1000);
	assert_int_equal(number(w, "SELECT count(*) FROM relay"), 1);
	if (kind == KIND_BLOCKS_LAST) {
		world_event(w, (struct event){.kind = EVENT_BLOCKED, .who = who(PARTNER)});
	} else {
		world_says(w, who(PARTNER), "/forgetme");
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 1);
	}
	world_settle(w);
}

/* A round in which observer and partner are in; the observer says yes. */
static char *
transcript(enum refusal_kind kind)
{
	struct world *w = peopled(OTHER);
	struct seen seen = {OBSERVER, {.maximum = 1 << 20}};
	int64_t observer = OBSERVER, partner = PARTNER, began;
	struct sent *card;

	assert_true(engine_turn(w->engine, wish_turn, &observer));
	if (kind != KIND_NOBODY)
		assert_true(engine_turn(w->engine, wish_turn, &partner));
	/* The calendar's round begins now; noon is outside quiet hours. */
	w->now_ms = (w->now_ms / 86400000 * 86400 + 10 * HOUR) * 1000LL + 86400000;
	while (number(w, "SELECT max(id) FROM meeting_round WHERE state = 3") < 0 ||
	       (kind != KIND_NOBODY && !card_of(w, PARTNER))) {
		if (card_of(w, OBSERVER) && card_of(w, PARTNER))
			break;
		world_pass(w, 600);
	}
	began = number(w, "SELECT ends - 172800 FROM meeting_round WHERE state = 3");
	card = card_of(w, OBSERVER);
	if (kind != KIND_NOBODY) {
		assert_non_null(card);
		world_presses(w, who(OBSERVER), card, 1);
		refuse(w, kind);
	}
	/* To the same minute in every world, then to the end of the pass, then minute by minute. */
	world_pass(w, began + 47 * HOUR - w->now_ms / 1000);
	look(w, &seen, w->now_ms / 1000);
	buf_clear(&seen.text);
	if (kind == KIND_LEFT_LAST || kind == KIND_BLOCKS_LAST)
		refuse_last(w, kind, began);
	watch(w, &seen, began, 150);
	world_free(w);
	return seen.text.bytes;
}

static void
match_refusals_cannot_be_told_apart(void **state)
{
	char *first = transcript(KIND_NO), *nobody = transcript(KIND_NOBODY);

	(void)state;
	printf("# the observer reads: %s", first);
	assert_non_null(strstr(first, "\n"));
	assert_string_equal(first, nobody);
	for (int kind = KIND_NEVER; kind < KINDS; kind++) {
		char *other = transcript((enum refusal_kind)kind);

		if (strcmp(first, other))
			printf("# %s differs\n", kind_names[kind]);
		assert_string_equal(first, other);
		free(other);
	}
	free(first);
	free(nobody);
}

/* ---- kill -9 ---- */

/* Killed again and again on the way, a round still goes on, and nobody gets a second card or
 * result. */
static void
match_a_round_survives_being_killed(void **state)
{
	struct world *w = peopled(OTHER);
	int64_t person[2] = {OBSERVER, PARTNER};
	int results = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_true(engine_turn(w->engine, wish_turn, &person[i]));
	w->now_ms = (w->now_ms / 86400000 * 86400 + 10 * HOUR) * 1000LL + 86400000;
	for (int hour = 0; hour < 12 * 24; hour++) {
		world_pass(w, HOUR);
		for (int i = 0; i < w->count; i++)
			if (!strcmp(w->sent[i].where, who(OBSERVER)) &&
			    w->sent[i].class == CLASS_MATCH) {
				results += w->sent[i].choices == 0;
			}
		world_crash(w);
		world_settle(w);
	}
	assert_int_equal(
	    number(w, "SELECT state FROM meeting_round WHERE id = (SELECT max(round) FROM"
		      " introduction)"),
	    6);
	assert_int_equal(number(w, "SELECT count(*) FROM introduction"), 1);
	assert_int_equal(number(w, "SELECT max(cards) FROM round_member"), 1);
	/* One result a pass, three passes. */
	assert_int_equal(results, 3);
	world_free(w);
}

/* ---- what coordinators count ---- */

static void
coordinate_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_grant(t, 1, COORDINATORS, orgs[1]);
}

static void
withdraw_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t person = 2; person <= 17; person++)
		consent_set(t, person, CONSENT_MATCHING, false);
}

/* Whoever watches the numbers while one person joins or leaves would learn what that one chose. */
static void
match_counts_stand_still_between_rounds(void **state)
{
	struct world *w = peopled(OTHER);
	static const char all[] = "\u206840\u2069";
	char *before;

	(void)state;
	assert_true(engine_turn(w->engine, coordinate_turn, NULL));
	while (number(w, "SELECT count(*) FROM meeting_round WHERE state < 6"))
		world_pass(w, HOUR);
	world_says(w, who(1), "/round");
	before = memory_string(world_last(w, who(1))->text);
	assert_non_null(strstr(before, all));
	assert_true(engine_turn(w->engine, withdraw_turn, NULL));
	world_says(w, who(1), "/round");
	/* Only that no round is opened below thirty people is said at once. */
	assert_memory_equal(before, world_last(w, who(1))->text,
	    (size_t)(strstr(before, all) - before) + sizeof(all) - 1);
	free(before);
	world_free(w);
}

/* Whichever button takes the consent back, and whoever is shut out: nothing of the answers stays. */
static void
match_answers_go_with_the_consent(void **state)
{
	static const char rows[] = "SELECT count(*) FROM meeting WHERE person IN (1, 38)";
	struct world *w = peopled(OTHER);

	(void)state;
	assert_int_equal(number(w, rows), 2);
	world_says(w, who(1), "/profile");
	world_presses(w, who(1), world_last(w, who(1)), 2);
	assert_int_equal(number(w, "SELECT count(*) FROM consent WHERE person = 1"), 0);
	assert_int_equal(number(w, rows), 1);
	assert_true(engine_turn(w->engine, expel_turn, NULL));
	world_pass(w, 25 * HOUR);
	assert_int_equal(number(w, rows), 0);
	world_free(w);
}

/* ---- three who like trios, and an episode to talk over ---- */

static void
trio_turn(struct turn *t, void *ctx)
{
	static struct sql set = {"UPDATE meeting SET profile = ? WHERE person = ?"};
	static struct sql wish_all = {"UPDATE meeting SET episode = 1"};
	static struct sql episode = {
	    "INSERT INTO episode(id, podcast, key, title, seen, announced, position)"
	    " VALUES(1, 'groundwork', 'k', 'The Title', 0, 1, 0)"};
	struct meeting m = {.level = {3, 0, 0}, .trio = 1};

	(void)ctx;
	for (int64_t person = OBSERVER; person <= OTHER; person++) {
		db_run(t->db, &set,
		    V(seal_person(t, person, "meeting.profile", match_text(t->arena, &m)), person));
		round_wish(t, person);
	}
	db_run(t->db, &wish_all, NONE);
	db_run(t->db, &episode, NONE);
}

static void
match_three_meet_over_an_episode(void **state)
{
	struct world *w = peopled(OTHER);

	(void)state;
	assert_true(engine_turn(w->engine, trio_turn, NULL));
	w->now_ms = (w->now_ms / 86400000 * 86400 + 10 * HOUR) * 1000LL + 86400000;
	for (int i = 0; i < 1000 && !card_of(w, OTHER); i++)
		world_pass(w, 600);
	for (int64_t person = OBSERVER; person <= OTHER; person++) {
		struct sent *card = card_of(w, person);

		assert_non_null(card);
		if (person % 3 == 0)
			assert_non_null(strstr(card->text, "same podcast episode"));
		world_presses(w, who(person), card, 1);
	}
	world_forget_sent(w);
	world_pass(w, 50 * HOUR);
	assert_int_equal(number(w, "SELECT count(*) FROM relay"), 1);
	assert_int_equal(number(w, "SELECT count(DISTINCT nick) FROM relay_person"), 3);
	for (int64_t person = OBSERVER; person <= OTHER; person++) {
		bool title = false;

		for (int i = 0; i < w->count; i++)
			title = title || (!strcmp(w->sent[i].where, who(person)) &&
					     strstr(w->sent[i].text, "The Title"));
		assert_true(title);
	}
	world_free(w);
}

/* Two whom nobody else fits are told, by their own answers alone, before they are asked. */
static void
few_turn(struct turn *t, void *ctx)
{
	static struct sql set = {"UPDATE meeting SET profile = ? WHERE person = ?"};
	struct meeting m = {.level = {3, 0, 0}, .slots = 1};
	struct meeting others = {.level = {3, 0, 0}, .slots = 2};

	(void)ctx;
	for (int64_t person = 1; person <= OTHER; person++)
		db_run(t->db, &set,
		    V(seal_person(t, person, "meeting.profile",
			  match_text(t->arena, person == OBSERVER ? &m : &others)),
			person));
}

static void
match_who_has_few_hears_it_kindly(void **state)
{
	struct world *w = peopled(OTHER);
	int told = 0, asked = 0;

	(void)state;
	assert_true(engine_turn(w->engine, few_turn, NULL));
	world_pass(w, 20 * 86400);
	for (int i = 0; i < w->count; i++) {
		asked += w->sent[i].class == CLASS_MATCH && w->sent[i].choices >= 3;
		told += w->sent[i].class == CLASS_MATCH && w->sent[i].choices == 4;
		if (w->sent[i].class == CLASS_MATCH && w->sent[i].choices == 4)
			assert_string_equal(w->sent[i].where, who(OBSERVER));
	}
	assert_true(asked >= OTHER);
	assert_true(told > 0);
	world_free(w);
}

/* ---- who may do what ---- */

enum role_row {
	VISITOR = 1,
	UNCONSENTED,
	CONSENTED,
	CORA,
	SAMIR,
	JUDGE,
	OFFICER,
	ADMIN,
	ROLE_ROWS
};

static void
roles_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t person = VISITOR; person < ROLE_ROWS; person++) {
		people_set_language(t, person, "en");
		if (person != VISITOR)
			people_join(t, person, orgs[person == SAMIR]);
	}
	people_set_adult(t, CONSENTED, true);
	consent_set(t, CONSENTED, CONSENT_MATCHING, true);
	people_grant(t, CORA, COORDINATORS, orgs[0]);
	people_grant(t, SAMIR, COORDINATORS, orgs[1]);
	people_grant(t, JUDGE, JUDGES, orgs[0]);
	people_grant(t, OFFICER, SAFETY, "");
	people_grant(t, ADMIN, ADMINS, "");
}

/* One letter a row of the enum: y may, n may not, - not at all without being a member. */
static const struct {
	const char *command, *may;
} rights[] = {
    {"/match", "-yyyyyyy"},
    {"/chats", "-yyyyyyy"},
    {"/safety", "yyyyyyyy"},
    {"/round", "nnnyynny"},
    {"/offers", "nnnyynny"},
    {"/reports", "nnnnnnyy"},
};

static void
match_each_command_for_each_role(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (int64_t i = VISITOR; i < ROLE_ROWS; i++)
		world_says(w, who(i), "/help");
	assert_true(engine_turn(w->engine, roles_turn, NULL));
	for (size_t c = 0; c < sizeof(rights) / sizeof(*rights); c++)
		for (int64_t i = VISITOR; i < ROLE_ROWS; i++) {
			char may = rights[c].may[i - 1];
			struct sent *answer;

			world_forget_sent(w);
			world_says(w, who(i), rights[c].command);
			answer = world_last(w, who(i));
			assert_non_null(answer);
			if (may == 'n')
				assert_true(world_is(w, answer, "en", "engine.not_allowed"));
			else if (may == '-')
				assert_true(world_is(w, answer, "en", "engine.members_only"));
			else if (strstr(answer->text, "needs a role") ||
				 strstr(answer->text, "for members"))
				fail_msg("%s refused to %d: %s", rights[c].command, (int)i,
				    answer->text);
		}
	/* Consent decides what /match shows. */
	world_says(w, who(CONSENTED), "/match");
	assert_int_equal(world_last(w, who(CONSENTED))->choices, 6);
	world_says(w, who(UNCONSENTED), "/match");
	assert_int_equal(world_last(w, who(UNCONSENTED))->choices, 2);
	world_free(w);
}

static void
revoke_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_revoke(t, CORA, COORDINATORS, orgs[0]);
}

/* A card pressed by somebody else, or after the role or the consent is gone, does nothing. */
static void
match_cards_of_others_and_of_yesterday(void **state)
{
	struct world *w = world_new();
	struct sent card;

	(void)state;
	for (int64_t i = VISITOR; i < ROLE_ROWS; i++)
		world_says(w, who(i), "/help");
	assert_true(engine_turn(w->engine, roles_turn, NULL));
	world_says(w, who(CONSENTED), "/match");
	card = *world_last(w, who(CONSENTED));
	world_presses(w, who(UNCONSENTED), &card, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM meeting WHERE wished = 1"), 0);
	world_presses(w, who(CONSENTED), &card, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM meeting WHERE wished = 1"), 1);
	world_presses(w, who(CONSENTED), &card, 6);
	assert_int_equal(number(w, "SELECT count(*) FROM meeting"), 0);
	world_presses(w, who(CONSENTED), &card, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM meeting"), 0);
	world_says(w, who(CORA), "/offers");
	card = *world_last(w, who(CORA));
	assert_true(engine_turn(w->engine, revoke_turn, NULL));
	world_presses(w, who(CORA), &card, 3);
	assert_int_equal(number(w, "SELECT count(*) FROM conversation"), 0);
	world_free(w);
}

static void
post_turn(struct turn *t, void *ctx)
{
	static struct sql add = {"INSERT INTO offer(org, need, kind, text, place, languages, "
				 "capacity, starts, until, named,"
				 " opened) VALUES(?, 0, 3, ?, 0, 0, 0, 0, 0, 0, 1)"};

	(void)ctx;
	db_run(t->db, &add, V(orgs[0], "a room of the first"));
	db_run(t->db, &add, V(orgs[1], "a room of the second"));
}

/* Coordinators see and take down what is their own organisation's, and nobody else's. */
static void
offers_belong_to_their_organisation(void **state)
{
	struct world *w = world_new();
	struct sent own;

	(void)state;
	for (int64_t i = VISITOR; i < ROLE_ROWS; i++)
		world_says(w, who(i), "/help");
	assert_true(engine_turn(w->engine, roles_turn, NULL));
	assert_true(engine_turn(w->engine, post_turn, NULL));
	world_says(w, who(CORA), "/offers");
	world_presses(w, who(CORA), world_last(w, who(CORA)), 5);
	own = *world_last(w, who(CORA));
	assert_non_null(strstr(own.text, "of the first"));
	assert_null(strstr(own.text, "of the second"));
	world_presses(w, who(SAMIR), &own, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM offer WHERE closed > 0"), 0);
	world_presses(w, who(CORA), &own, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM offer WHERE closed > 0"), 1);
	/* Whose it is stays unsaid where that was wished. */
	world_says(w, who(CORA), "/offers");
	world_presses(w, who(CORA), world_last(w, who(CORA)), 1);
	world_presses(w, who(CORA), world_last(w, who(CORA)), 1);
	assert_non_null(strstr(world_last(w, who(CORA))->text, "of the second"));
	assert_null(strstr(world_last(w, who(CORA))->text, "Seeds"));
	world_free(w);
}

/* ---- reports ---- */

static void
officers_turn(struct turn *t, void *ctx)
{
	int64_t last = *(int64_t *)ctx;

	for (int64_t person = 1; person <= last; person++) {
		people_set_language(t, person, "en");
		people_join(t, person, orgs[person % 4]);
	}
	people_grant(t, 2, SAFETY, "");
	people_grant(t, 3, SAFETY, "");
	people_grant(t, 4, ADMINS, "");
}

static bool
sees_reports(struct world *w, int64_t person)
{
	world_says(w, who(person), "/reports");
	return world_last(w, who(person))->choices > 0;
}

/* A report about an officer is seen by another one, and by nobody it concerns. */
static void
safety_nobody_decides_about_themselves(void **state)
{
	struct world *w = world_new();
	struct pair p = {{1, 2, 0}, 2};
	int64_t last = 4;

	(void)state;
	for (int64_t i = 1; i <= last; i++)
		world_says(w, who(i), "/help");
	assert_true(engine_turn(w->engine, officers_turn, &last));
	assert_true(engine_turn(w->engine, relay_turn, &p));
	world_settle(w);
	world_says(w, who(1), "/safety");
	world_presses(w, who(1), world_last(w, who(1)), 1);
	world_says(w, who(1), "something happened");
	assert_false(sees_reports(w, 2));
	assert_true(sees_reports(w, 3));
	assert_false(sees_reports(w, 4));
	/* The reported one finds nothing of it in what is stored about them. */
	assert_int_equal(
	    number(w, "SELECT count(*) FROM report WHERE about = 2 AND reporter = 1"), 1);
	world_says(w, who(2), "/mydata");
	assert_int_equal(number(w, "SELECT count(*) FROM pragma_foreign_key_list('report')"
				   " WHERE \"from\" IN ('about', 'decided')"),
	    0);
	/* Erasing oneself is no way out: the hashes are still there. */
	world_says(w, who(2), "/forgetme");
	world_presses(w, who(2), world_last(w, who(2)), 1);
	world_says(w, who(3), "/reports");
	world_presses(w, who(3), world_last(w, who(3)), 1);
	world_presses(w, who(3), world_last(w, who(3)), 3);
	world_presses(w, who(3), world_last(w, who(3)), 1);
	assert_int_equal(number(w, "SELECT count(*) FROM ban"), 1);
	world_forget_sent(w);
	world_says(w, who(2), "/start");
	assert_null(world_last(w, who(2)));
	world_free(w);
}

struct exported {
	int64_t person;
	char *json;
};

static void
export_turn(struct turn *t, void *ctx)
{
	struct exported *e = ctx;
	struct blob json = mine_json(t, e->person);

	e->json = strndup(json.bytes, json.length);
}

/* What person 1's export says when person 2, whose turn lies between, chose or did not. */
static char *
export_beside(bool consents)
{
	struct world *w = two_networks(3);
	struct exported e = {1, NULL};

	for (int i = 0; i < 2; i++) {
		writes(w, 1, "/match", NULL);
		if (consents)
			writes(w, 2, "/help", NULL);
	}
	assert_true(engine_turn(w->engine, export_turn, &e));
	forget_both(w);
	world_free(w);
	return e.json;
}

/* Numbers that count what all are sent would tell two who joined around somebody what that one was
 * sent, and so what they chose. */
static void
safety_export_is_the_same_whatever_others_do(void **state)
{
	char *one = export_beside(false), *other = export_beside(true);

	(void)state;
	assert_string_equal(one, other);
	free(one);
	free(other);
}

/* "report by reporter" as that person's export has it; free() it. */
static char *
own_report(struct world *w, int64_t person)
{
	struct exported e = {person, NULL};
	char *at;

	assert_true(engine_turn(w->engine, export_turn, &e));
	at = strstr(e.json, "\"report by reporter\"");
	assert_non_null(at);
	at = strndup(at, strcspn(at, "]"));
	free(e.json);
	return at;
}

/* The other one's organisation, number, accounts and fate are not the reporter's to read. */
static void
safety_export_of_a_reporter_tells_nothing_of_the_other(void **state)
{
	struct world *w = two_networks(8);
	char *open, *gone;

	(void)state;
	relay_open_now(w, 1, 6, 0);
	writes(w, 1, "/safety", NULL);
	presses(w, 1, 1);
	open = own_report(w, 1);
	assert_non_null(strstr(open, "\"opened\": \""));
	assert_null(strstr(open, orgs[6 % 4]));
	assert_null(strstr(open, "\"6\""));
	writes(w, 6, "/forgetme", NULL);
	presses(w, 6, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM person WHERE id = 6"), 0);
	gone = own_report(w, 1);
	assert_string_equal(open, gone);
	free(open);
	free(gone);
	forget_both(w);
	world_free(w);
}

static void
actor_of_report(struct turn *t, const struct audit_entry *entry, void *ctx)
{
	const char **actor = ctx;

	(void)t;
	if (!strcmp(entry->action, "report.open"))
		actor[0] = memory_string(entry->actor);
	if (!strcmp(entry->action, "report.close"))
		actor[1] = memory_string(entry->actor);
}

static void
audit_turn(struct turn *t, void *ctx)
{
	audit_each(t, 20, actor_of_report, ctx);
}

/* An admin who was reported reads /audit, and knows whose hash stands on other entries. */
static void
safety_audit_does_not_name_a_reporter(void **state)
{
	struct world *w = two_networks(8);
	char *actor[2] = {NULL, NULL};
	int64_t last = 4;

	(void)state;
	assert_true(engine_turn(w->engine, officers_turn, &last));
	relay_open_now(w, 1, 2, 0);
	writes(w, 1, "/safety", NULL);
	presses(w, 1, 1);
	writes(w, 3, "/reports", NULL);
	presses(w, 3, 1);
	presses(w, 3, 2);
	assert_true(engine_turn(w->engine, audit_turn, actor));
	assert_string_equal(actor[0], "");
	/* Who decided is there, to be asked about it. */
	assert_int_equal(strlen(actor[1]), 8);
	free(actor[0]);
	free(actor[1]);
	forget_both(w);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(match_refusals_cannot_be_told_apart),
    cmocka_unit_test(match_a_round_survives_being_killed),
    cmocka_unit_test(match_counts_stand_still_between_rounds),
    cmocka_unit_test(match_answers_go_with_the_consent),
    cmocka_unit_test(match_three_meet_over_an_episode),
    cmocka_unit_test(match_who_has_few_hears_it_kindly),
    cmocka_unit_test(match_each_command_for_each_role),
    cmocka_unit_test(match_cards_of_others_and_of_yesterday),
    cmocka_unit_test(offers_belong_to_their_organisation),
    cmocka_unit_test(safety_nobody_decides_about_themselves),
    cmocka_unit_test(safety_export_of_a_reporter_tells_nothing_of_the_other),
    cmocka_unit_test(safety_export_is_the_same_whatever_others_do),
    cmocka_unit_test(safety_audit_does_not_name_a_reporter),
};

UNIT_RUN(tests)
