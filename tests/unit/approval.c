/* Approvals by a second person, drafts, and the audit chain, on an engine without a network. */
#include "unit.h"

#include "base/conf.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/approval.h"
#include "core/audit.h"
#include "core/draft.h"
#include "core/engine.h"
#include "core/people.h"
#include "store/seal.h"

static const struct feature *const no_features[] = {NULL};
static const char *const languages[] = {"en", "ar", "he", NULL};

static struct world {
	struct conf *conf;
	struct words *words;
	struct zones *zones;
	struct seal *seal;
	struct db *db;
	struct engine *engine;
	int64_t now_s;
	int64_t author, second, stranger;
} world;

static int64_t
now_ms(void *ctx)
{
	(void)ctx;
	return world.now_s * 1000;
}

static void
wake(void *ctx, int64_t at_ms)
{
	(void)ctx;
	(void)at_ms;
}

static struct sql add_person = {"INSERT INTO person(slot, org, joined) VALUES(x'00', ?, 1)"};
static struct sql set_slot = {"UPDATE person SET slot = ? WHERE id = ?"};
static struct sql cheat = {"UPDATE approval SET state = 1, approver = author WHERE id = ?"};
static struct sql cheat_nobody = {"UPDATE approval SET state = 1 WHERE id = ?"};
static struct sql exchange = {"UPDATE approval SET digest = x'00' WHERE id = ?"};
static struct sql forge = {"UPDATE audit SET action = 'x' WHERE id = 2"};
static struct sql cut_end = {"DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)"};
static struct sql get_slot = {"SELECT slot FROM person WHERE id = ?"};
static struct sql drafts = {"SELECT group_concat(hex(content)) FROM draft"};

static int64_t
new_person(struct turn *t, const char *org, enum access role)
{
	int64_t id = db_insert(t->db, &add_person, V(org));

	db_run(t->db, &set_slot, V(seal_slot_new(t->seal, t->arena, id), id));
	if (role != MEMBERS)
		people_grant(t, id, role, org);
	return id;
}

static void
populate(struct turn *t, void *ctx)
{
	(void)ctx;
	world.author = new_person(t, "allmep", COORDINATORS);
	world.second = new_person(t, "allmep", COORDINATORS);
	world.stranger = new_person(t, "other", COORDINATORS);
}

static int
world_begin(void **state)
{
	unsigned char key[SEAL_KEY_BYTES] = {7};
	struct db_options at = {
	    .path = "build/approval-test.db", .schemas = engine_schemas(no_features)};
	char *why = NULL;

	(void)state;
	remove(at.path);
	world.now_s = 1800000000;
	world.conf =
	    conf_parse("test.ini", "[bot]\ndatabase = x\n", engine_settings(no_features), &why);
	world.words = words_load("config/words", languages, &why);
	world.zones = zones_open(NULL);
	world.seal = seal_from(key);
	if (!world.conf || !world.words || db_open(&world.db, &at, &why) != DB_OK)
		return printf("# %s\n", why ? why : "?");
	world.engine = engine_new(&(struct engine_options){
	    .ports = {.now_ms = now_ms, .wake = wake},
	    .features = no_features,
	    .db = world.db,
	    .seal = world.seal,
	    .words = world.words,
	    .zones = world.zones,
	    .conf = world.conf,
	    .state_folder = "build",
	});
	return !engine_turn(world.engine, populate, NULL);
}

static int
world_end(void **state)
{
	(void)state;
	engine_free(world.engine);
	db_close(world.db);
	seal_close(world.seal);
	zones_close(world.zones);
	words_free(world.words);
	conf_free(world.conf);
	return 0;
}

static void
act_as(struct turn *t, int64_t person)
{
	struct rows *q = db_query(t->db, &get_slot, V(person));

	t->person = arena_alloc(t->arena, sizeof(*t->person));
	*t->person = (struct person){.id = person, .language = "en"};
	if (db_next(q)) {
		t->person->slot = db_blob(q, 0);
		db_done(q);
	}
}

#define BYTES(s) ((struct blob){s, sizeof(s) - 1})

static int64_t
asked_by_author(struct turn *t)
{
	act_as(t, world.author);
	return approval_open(t, "thing", 5, COORDINATORS, "allmep", BYTES("text"), t->now + 3600);
}

static void
turn_gives(struct turn *t, void *ctx)
{
	int64_t id = asked_by_author(t);

	(void)ctx;
	assert_int_equal(approval_give(t, id, BYTES("text")), APPROVAL_OWN);
	act_as(t, world.stranger);
	assert_int_equal(approval_give(t, id, BYTES("text")), APPROVAL_NOT_FOR_THEM);
	act_as(t, world.second);
	assert_int_equal(approval_give(t, id, BYTES("other")), APPROVAL_CHANGED);
	assert_false(approval_holds(t, id, BYTES("text")));
	assert_int_equal(approval_give(t, id, BYTES("text")), APPROVAL_DONE);
	assert_true(approval_holds(t, id, BYTES("text")));
	assert_false(approval_holds(t, id, BYTES("texT")));
	assert_int_equal(approval_give(t, id, BYTES("text")), APPROVAL_GONE);
	assert_int_equal(approval_give(t, id + 1, BYTES("text")), APPROVAL_GONE);
}

static void
approval_needs_a_second_person(void **state)
{
	(void)state;
	assert_true(engine_turn(world.engine, turn_gives, NULL));
}

static void
turn_ends(struct turn *t, void *ctx)
{
	int64_t id = asked_by_author(t);

	(void)ctx;
	assert_true(approval_withdraw(t, id));
	assert_false(approval_withdraw(t, id));
	act_as(t, world.second);
	assert_int_equal(approval_give(t, id, BYTES("text")), APPROVAL_GONE);
	id = asked_by_author(t);
	act_as(t, world.second);
	t->now += 3600;
	assert_int_equal(approval_give(t, id, BYTES("text")), APPROVAL_GONE);
	t->now -= 3600;
	assert_int_equal(approval_refuse(t, id), APPROVAL_DONE);
	assert_false(approval_holds(t, id, BYTES("text")));
	/* A revoked role is no role. */
	id = asked_by_author(t);
	people_revoke(t, world.second, COORDINATORS, "allmep");
	act_as(t, world.second);
	assert_int_equal(approval_give(t, id, BYTES("text")), APPROVAL_NOT_FOR_THEM);
	people_grant(t, world.second, COORDINATORS, "allmep");
}

static void
approval_ends_once(void **state)
{
	(void)state;
	assert_true(engine_turn(world.engine, turn_ends, NULL));
}

static void
turn_cheats(struct turn *t, void *ctx)
{
	db_run(t->db, ctx, V(asked_by_author(t)));
}

/* Not only the code refuses: the table does. */
static void
approval_is_enforced_by_the_table(void **state)
{
	(void)state;
	assert_false(engine_turn(world.engine, turn_cheats, &cheat));
	assert_false(engine_turn(world.engine, turn_cheats, &cheat_nobody));
	assert_false(engine_turn(world.engine, turn_cheats, &exchange));
}

static void
turn_links(struct turn *t, void *ctx)
{
	int64_t other = new_person(t, "allmep", COORDINATORS), given = asked_by_author(t), open;

	(void)ctx;
	act_as(t, other);
	assert_int_equal(approval_give(t, given, BYTES("text")), APPROVAL_DONE);
	open = approval_open(t, "thing", 6, COORDINATORS, "allmep", BYTES("text"), t->now + 3600);
	people_merge(t, other, world.author);
	assert_false(approval_holds(t, given, BYTES("text")));
	act_as(t, world.author);
	assert_int_equal(approval_give(t, open, BYTES("text")), APPROVAL_OWN);
}

static void
approval_ends_when_two_accounts_are_one_person(void **state)
{
	(void)state;
	assert_true(engine_turn(world.engine, turn_links, NULL));
}

static void
turn_drafts(struct turn *t, void *ctx)
{
	(void)ctx;
	act_as(t, world.author);
	draft_set(t, "story", "text", "SECRETWORD");
	draft_set(t, "story", "title", "a title");
	assert_string_equal(draft_get(t, "story", "text"), "SECRETWORD");
	assert_null(strstr(db_string(t->db, &drafts, NONE), "5345435245"));
	act_as(t, world.second);
	assert_string_equal(draft_get(t, "story", "text"), "");
	assert_false(draft_exists(t, "story"));
	act_as(t, world.author);
	draft_set(t, "story", "title", NULL);
	assert_string_equal(draft_get(t, "story", "title"), "");
	draft_drop(t, "story");
	assert_false(draft_exists(t, "story"));
}

static void
draft_is_its_authors_alone(void **state)
{
	(void)state;
	assert_true(engine_turn(world.engine, turn_drafts, NULL));
}

static void
turn_audits(struct turn *t, void *ctx)
{
	int64_t broken_at;

	(void)ctx;
	for (int i = 1; i <= 5; i++)
		audit(t, "test.done", i);
	assert_int_equal(audit_verify(t, &broken_at), 5);
	assert_int_equal(broken_at, 0);
	db_savepoint(t->db);
	db_run(t->db, &forge, NONE);
	audit_verify(t, &broken_at);
	assert_int_equal(broken_at, 2);
	db_savepoint_undo(t->db);
	db_savepoint(t->db);
	db_run(t->db, &cut_end, NONE);
	audit_verify(t, &broken_at);
	assert_int_equal(broken_at, 5);
	db_savepoint_undo(t->db);
}

static void
audit_shows_what_was_changed(void **state)
{
	(void)state;
	assert_true(engine_turn(world.engine, turn_audits, NULL));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(approval_needs_a_second_person),
    cmocka_unit_test(approval_ends_once),
    cmocka_unit_test(approval_is_enforced_by_the_table),
    cmocka_unit_test(approval_ends_when_two_accounts_are_one_person),
    cmocka_unit_test(draft_is_its_authors_alone),
    cmocka_unit_test(audit_shows_what_was_changed),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("approval", tests, world_begin, world_end);
}
