/* Announcements: no path lets the author approve, what was approved is what goes out, the code is
 * asked for again, and files, rooms and groups do what they say. */
#include "announce_world.h"

struct asked {
	int64_t person;
	enum approval_answer answer;
};

static void
give_turn(struct turn *t, void *ctx)
{
	struct asked *asked = ctx;

	t->person = arena_alloc(t->arena, sizeof(*t->person));
	t->person->id = asked->person;
	asked->answer = approval_refuse(t, 1);
}

static void
merge_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_merge(t, TWIN, CORA);
}

/* ---- who approves ---- */

static void
announce_goes_out_after_a_second_persons_yes(void **state)
{
	struct world *w = coordinators();

	(void)state;
	hands_in(w, "#2");
	world_pass(w, 3600);
	assert_int_equal(announced(w), 0);
	world_presses(w, "dana", looks(w, "dana"), 1);
	world_pass(w, 50);
	assert_int_equal(announced(w), 0);
	world_pass(w, 60);
	assert_int_equal(announced(w), 1);
	assert_int_equal(world_count(w, "reader", OP_SEND) > 0, 1);
	world_free(w);
}

static void
announce_author_can_never_approve(void **state)
{
	struct world *w = coordinators();
	struct asked asked = {.person = CORA};
	struct sent *dana;

	(void)state;
	hands_in(w, "#2");
	/* Not through the list, not with a second person's button, not past the conversation. */
	TYPES(w, "cora", "/approve", "#1");
	dana = looks(w, "dana");
	world_presses(w, "cora", dana, 1);
	world_presses(w, "cora", dana, 2);
	assert_true(engine_turn(w->engine, give_turn, &asked));
	assert_int_equal(asked.answer, APPROVAL_OWN);
	world_pass(w, 3600);
	assert_int_equal(announced(w), 0);
	assert_int_equal(world_number(w, "SELECT state FROM approval"), 0);
	world_free(w);
}

static void
announce_linked_account_of_the_author_is_no_second_person(void **state)
{
	(void)state;
	for (int when = 0; when < 3; when++) {
		struct world *w = coordinators();
		struct sent *twin;

		hands_in(w, "#2");
		if (when == 0) /* linked before: it is the author */
			assert_true(engine_turn(w->engine, merge_turn, NULL));
		twin = looks(w, "twin");
		world_presses(w, "twin", twin, 1);
		if (when == 1) /* linked in the minute of grace: the yes is void */
			assert_true(engine_turn(w->engine, merge_turn, NULL));
		world_pass(w, 3600);
		/* Not linked at all is another person as far as anybody can know. */
		assert_int_equal(announced(w), when == 2);
		world_free(w);
	}
}

/* The same while it waits for the weekly digest; what a second person approved goes out in it all the same. */
static void
announce_linked_account_is_no_second_person_for_the_digest(void **state)
{
	(void)state;
	for (int linked = 0; linked < 2; linked++) {
		struct world *w = coordinators();

		hands_in(w, "#1");
		world_presses(w, "twin", looks(w, "twin"), 1);
		hands_in(w, "#1");
		world_presses(w, "dana", looks(w, "dana"), 1);
		assert_int_equal(
		    world_number(w, "SELECT count(*) FROM announcement WHERE state = 1"), 2);
		if (linked)
			assert_true(engine_turn(w->engine, merge_turn, NULL));
		world_pass(w, 8 * DAY);
		assert_true(announced(w) > 0);
		assert_int_equal(
		    world_number(w, "SELECT state FROM announcement WHERE id = 1"), linked ? 1 : 4);
		assert_int_equal(world_number(w, "SELECT state FROM announcement WHERE id = 2"), 4);
		world_free(w);
	}
}

static void
late_turn(struct turn *t, void *ctx)
{
	int64_t late = *(int64_t *)ctx;

	people_join(t, late, "arava");
	people_grant(t, late, COORDINATORS, "arava");
	people_merge(t, late, CORA);
}

/* Another account of the author's that holds the role only after it was handed in. */
static void
announce_account_with_the_role_later_is_no_second_person(void **state)
{
	struct world *w = coordinators();
	int64_t late = READER + 1;
	struct sent *dana;

	(void)state;
	hands_in(w, "#2");
	world_says(w, "late", "/help");
	assert_true(engine_turn(w->engine, late_turn, &late));
	dana = looks(w, "dana");
	TYPES(w, "late", "/approve", "#1");
	world_presses(w, "late", world_last(w, "late"), 1);
	world_presses(w, "late", dana, 1);
	world_pass(w, 3600);
	assert_int_equal(announced(w), 0);
	assert_int_equal(world_number(w, "SELECT state FROM approval"), 0);
	world_free(w);
}

/* Made-up buttons, another's button with a letter changed, and the code of the role typed. */
static void
announce_author_forges_no_yes(void **state)
{
	struct world *w = coordinators();
	struct sent *dana, made_up;
	char line[60];

	(void)state;
	hands_in(w, "#2");
	dana = looks(w, "dana");
	for (size_t i = 0; i < strlen(dana->set); i++) {
		made_up = *dana;
		made_up.set[i] = dana->set[i] == 'A' ? 'B' : 'A';
		world_presses(w, "cora", &made_up, 1);
	}
	for (const char *const *text = (const char *const[]){"announce.give.1", "announce.give 1",
		 "/announce.give 1", "/approve 1", "#1", "1", NULL};
	     *text; text++)
		world_says(w, "cora", *text);
	snprintf(line, sizeof(line), "/start %s", code);
	TYPES(w, "cora", line, "#1", "/approve", code, "#1");
	world_pass(w, 3600);
	assert_int_equal(announced(w), 0);
	assert_int_equal(world_number(w, "SELECT state FROM approval"), 0);
	world_free(w);
}

struct change {
	int64_t person;
	bool erase;
};

static void
second_goes_turn(struct turn *t, void *ctx)
{
	struct change *c = ctx;

	if (c->erase)
		people_erase(t, c->person);
	else
		people_revoke(t, c->person, COORDINATORS, "arava");
}

/* The second person leaves or loses the role: before the press it is no yes; a yes that was given
 * stays theirs, and the author gets nothing by it. */
static void
announce_second_person_who_goes_gives_the_author_nothing(void **state)
{
	(void)state;
	for (int erase = 0; erase < 2; erase++)
		for (int after = 0; after < 2; after++) {
			struct world *w = coordinators();
			struct change c = {DANA, erase};
			struct sent card;

			hands_in(w, "#2");
			card = *looks(w, "dana");
			if (after)
				world_presses(w, "dana", &card, 1);
			assert_true(engine_turn(w->engine, second_goes_turn, &c));
			if (!after) {
				world_presses(w, "dana", &card, 1);
				TYPES(w, "dana", "/approve", "#1");
			}
			world_presses(w, "cora", &card, 1);
			TYPES(w, "cora", "/approve", "#1");
			world_pass(w, 3600);
			assert_int_equal(announced(w), after);
			assert_int_equal(world_number(w, "SELECT state FROM approval"), after);
			world_free(w);
		}
}

static void
sql_turn(struct turn *t, void *ctx)
{
	db_run(t->db, ctx, NONE);
}

/* Past all code: the tables refuse. */
static void
announce_tables_refuse_what_no_second_person_approved(void **state)
{
	static struct sql cheats[] = {{"UPDATE approval SET state = 1, approver = author"},
	    {"UPDATE approval SET state = 1"}, {"UPDATE approval SET approver = author"},
	    {"INSERT INTO approval(kind, subject, author, access, org, digest, opened, expires,"
	     " state, approver) SELECT kind, subject, 2, access, org, digest, opened, expires, 1,"
	     " 1 FROM approval"},
	    {"UPDATE announcement SET state = 1"}, {"UPDATE announcement SET state = 2"},
	    {"UPDATE announcement SET state = 4"},
	    {"INSERT INTO announcement(org, wide, class, digest, made, due, wall, zone, audience,"
	     " state) SELECT org, wide, class, digest, made, due, wall, zone, audience, 2 FROM"
	     " announcement"}};
	struct world *w = coordinators();

	(void)state;
	hands_in(w, "#2");
	for (size_t i = 0; i < sizeof(cheats) / sizeof(*cheats); i++)
		if (engine_turn(w->engine, sql_turn, &cheats[i]))
			fail_msg("done: %s", cheats[i].text);
	world_pass(w, 3600);
	assert_int_equal(announced(w), 0);
	world_free(w);
}

/* ---- what is approved ---- */

static void
other_words_turn(struct turn *t, void *ctx)
{
	struct card *card = card_new(t->arena);

	(void)ctx;
	card_text(card, "Other words", 0);
	post_say(t, 1, "en", card);
}

static void
announce_of_other_words_does_not_go_out(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct world *w = coordinators();
		struct sent *card;

		hands_in(w, "#2");
		card = looks(w, "dana");
		if (!late)
			assert_true(engine_turn(w->engine, other_words_turn, NULL));
		world_presses(w, "dana", card, 1);
		if (late)
			assert_true(engine_turn(w->engine, other_words_turn, NULL));
		world_pass(w, 3600);
		assert_int_equal(announced(w), 0);
		world_free(w);
	}
}

static void
announce_training_cannot_send(void **state)
{
	struct world *w = coordinators();

	(void)state;
	TYPES(w, "cora", "/train", "#10", "Hello", "#1", "#1", "#1", "#1", "#2", "#1");
	world_pass(w, 8 * DAY);
	assert_int_equal(announced(w), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM post"), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM approval"), 0);
	world_free(w);
}

/* ---- the code again, and the clock ---- */

static void
announce_after_a_long_silence_wants_the_code(void **state)
{
	struct world *w = coordinators();
	char typed[48];

	(void)state;
	world_pass(w, 40 * DAY);
	hands_in(w, "#2");
	assert_true(world_is(w, world_last(w, "cora"), "en", "announce.code"));
	world_says(w, "cora", "j_wrong");
	assert_int_equal(world_number(w, "SELECT count(*) FROM announcement"), 0);
	snprintf(typed, sizeof(typed), "%s", code);
	TYPES(w, "cora", typed, "#1", "#1");
	assert_int_equal(world_number(w, "SELECT count(*) FROM announcement"), 1);
	world_free(w);
}

/* In the grace, with a promised hour to come, or afterwards: once, and not before its time. */
static void
announce_over_a_clock_that_jumps_goes_out_once(void **state)
{
	(void)state;
	for (int hours = -5; hours <= 4; hours += 3)
		for (int promised = 0; promised < 2; promised++) {
			struct world *w = coordinators();
			int64_t due = MONDAY_NOON_S + 3 * 3600;

			hands_in(w, promised ? "19/10/2026 18:00" : "#2");
			world_presses(w, "dana", looks(w, "dana"), 1);
			world_pass(w, 20);
			w->now_ms += hours * 3600 * 1000LL;
			world_settle(w);
			world_pass(w, 30);
			if (promised && w->now_ms / 1000 < due)
				assert_int_equal(announced(w), 0);
			world_pass(w, 9 * 3600);
			assert_int_equal(announced(w), 1);
			/* Back over its moment: it is not sent a second time. */
			w->now_ms -= 10 * 3600 * 1000LL;
			world_restart(w);
			world_pass(w, DAY);
			assert_int_equal(announced(w), 0);
			world_free(w);
		}
}

/* ---- files ---- */

static void
all_consent_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t id = CORA; id <= READER; id++)
		consent_set(t, id, CONSENT_ANNOUNCEMENTS, true);
}

/* The file that was asked for comes. */
static void
fetched(struct world *w, const char *path)
{
	size_t length = 0;
	char *bytes = unit_read(path, &length);

	for (int i = w->count - 1; i >= 0; i--)
		if (w->sent[i].op == OP_FETCH) {
			world_event(w, (struct event){.kind = EVENT_FETCHED,
					   .where = "cora",
					   .media = {.kind = MEDIA_PICTURE,
					       .handle = "h",
					       .bytes = (int64_t)length,
					       .duration_s = -1,
					       .content = bytes,
					       .failed = !bytes,
					       .asked_by = w->sent[i].id}});
			break;
		}
	world_settle(w);
	free(bytes);
}

static void
sends_file(struct world *w, const char *path)
{
	world_event(w, (struct event){.kind = EVENT_MESSAGE,
			   .who = "cora",
			   .media = {.kind = MEDIA_PICTURE,
			       .handle = "h",
			       .name = "me_at_home.jpg",
			       .bytes = 900,
			       .duration_s = -1}});
	world_settle(w);
	fetched(w, path);
}

static void
announce_picture_goes_up_once_and_then_to_everybody(void **state)
{
	struct world *w = coordinators();
	struct sent *card;

	(void)state;
	assert_true(engine_turn(w->engine, all_consent_turn, NULL));
	TYPES(w, "cora", "/announce", "#10", "The bus", "#1", "#1", "#1");
	sends_file(w, "tests/fuzz/corpus/strip/small.jpg");
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM enclosed WHERE content IS NOT NULL"), 1);
	TYPES(w, "cora", "#1", "#3", "#1");
	assert_int_equal(world_number(w, "SELECT count(*) FROM enclosed"), 0);
	assert_int_equal(
	    world_number(w, "SELECT name = 'alumhub.jpg' FROM post_file WHERE post = 1"), 1);
	TYPES(w, "dana", "/approve", "#1");
	card = world_last(w, "dana");
	world_presses(w, "dana", card, 1);
	world_pass(w, 50);
	w->fate.fate = (enum fate)HOLD;
	world_pass(w, 15);
	/* All wait for the one that takes it up. */
	assert_int_equal(announced(w), 0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE post = 1 AND state"
					 " IN (0, 1, 2)"),
	    1);
	w->fate = (struct outcome){.fate = FATE_SENT, .file_id = "F1"};
	world_land(w, w->fate);
	world_pass(w, 60);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE post = 1 AND state"
					 " = 2"),
	    4);
	assert_int_equal(world_number(w, "SELECT count(*) FROM uploaded WHERE key = 'post.1'"), 1);
	world_free(w);
}

static void
announce_file_of_another_kind_is_refused(void **state)
{
	struct world *w = coordinators();

	(void)state;
	TYPES(w, "cora", "/announce", "#10", "The bus", "#1", "#1", "#1");
	sends_file(w, "tests/unit/announce.c");
	assert_int_equal(world_number(w, "SELECT count(*) FROM enclosed"), 0);
	world_free(w);
}

/* ---- rooms and time ---- */

static void
announce_says_the_hours_and_goes_into_rooms_instead(void **state)
{
	struct world *w = coordinators_with(
	    "[room garden]\naddress = recorder:garden\norg = arava\nlanguages = en he\n");

	(void)state;
	w->transport.per_second = 1 / 50000.0;
	TYPES(w, "cora", "/announce", "#11", "The bus", "#1", "#1", "#1", "#1", "#3");
	assert_non_null(strstr(world_last(w, "cora")->text, "14"));
	assert_non_null(strstr(world_last(w, "cora")->text, "hours"));
	/* The offer, the room, instead of each person there, and back. */
	TYPES(w, "cora", "#1", "#1", "#2", "#3");
	assert_null(strstr(world_last(w, "cora")->text, "hours"));
	w->transport.per_second = 0;
	TYPES(w, "cora", "#1");
	world_presses(w, "dana", looks(w, "dana"), 1);
	world_pass(w, 120);
	assert_int_equal(world_count(w, "garden", OP_SEND), 2);
	assert_int_equal(
	    world_number(w, "SELECT sum(n) FROM post_count WHERE state = 9 AND reason = 4"), 1);
	assert_int_equal(world_number(w, "SELECT sum(n) FROM post_count WHERE state = 2"), 2);
	world_free(w);
}

/* ---- one's own group ---- */

static void
announce_training_group_is_joined_by_a_link(void **state)
{
	struct world *w = coordinators();
	char start[60], *at;

	(void)state;
	TYPES(w, "cora", "/announce", "#9", "#1");
	at = NULL;
	for (int i = w->count - 1; i >= 0 && !at; i--)
		at = strstr(w->sent[i].text, "g_");
	assert_non_null(at);
	snprintf(start, sizeof(start), "/start %.26s", at);
	TYPES(w, "reader", start, "#1");
	assert_int_equal(world_number(w, "SELECT count(*) FROM tag WHERE tag = 'group.1'"), 2);
	TYPES(w, "reader", "/topics", "#26");
	assert_int_equal(world_number(w, "SELECT count(*) FROM tag WHERE tag = 'group.1'"), 1);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(announce_picture_goes_up_once_and_then_to_everybody),
    cmocka_unit_test(announce_file_of_another_kind_is_refused),
    cmocka_unit_test(announce_says_the_hours_and_goes_into_rooms_instead),
    cmocka_unit_test(announce_training_group_is_joined_by_a_link),
    cmocka_unit_test(announce_goes_out_after_a_second_persons_yes),
    cmocka_unit_test(announce_author_can_never_approve),
    cmocka_unit_test(announce_author_forges_no_yes),
    cmocka_unit_test(announce_account_with_the_role_later_is_no_second_person),
    cmocka_unit_test(announce_linked_account_is_no_second_person_for_the_digest),
    cmocka_unit_test(announce_second_person_who_goes_gives_the_author_nothing),
    cmocka_unit_test(announce_tables_refuse_what_no_second_person_approved),
    cmocka_unit_test(announce_linked_account_of_the_author_is_no_second_person),
    cmocka_unit_test(announce_of_other_words_does_not_go_out),
    cmocka_unit_test(announce_training_cannot_send),
    cmocka_unit_test(announce_after_a_long_silence_wants_the_code),
    cmocka_unit_test(announce_over_a_clock_that_jumps_goes_out_once),
};

UNIT_RUN(tests)
