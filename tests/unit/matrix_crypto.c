/* Encryption of Matrix: people who talk through a key server in memory, and what must be refused.
 */
#include "matrix_pair.h"

static void
matrix_crypto_both_ways(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	assert_int_equal(matrix_crypto_standing(p->bot.crypto), MATRIX_STANDING_GOOD);
	assert_true(matrix_crypto_signed(p->bot.crypto));
	assert_true(matrix_crypto_encrypted(p->bot.crypto, ROOM));
	assert_int_equal(client_say(&p->noor, ROOM, "!start"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->bot), "!start");
	assert_int_equal(client_say(&p->bot, ROOM, "welcome \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"),
	    MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "welcome \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
	for (int i = 0; i < 5; i++) {
		client_say(&p->noor, ROOM, "more");
		client_say(&p->bot, ROOM, "yes");
		settle(p);
	}
	assert_int_equal(json_array_size(p->bot.got), 6);
	assert_int_equal(json_array_size(p->noor.got), 6);
	pair_close(p);
}

static void
matrix_crypto_survives_restarts(void **state)
{
	struct pair *p = pair_open();
	char before[MATRIX_CRYPTO_FINGERPRINT], after[MATRIX_CRYPTO_FINGERPRINT];
	(void)state;

	matrix_crypto_fingerprint(p->bot.crypto, before);
	assert_int_equal(strlen(before), 43 + 10);
	for (int i = 0; i < 3; i++) {
		client_say(&p->noor, ROOM, "again");
		client_stop(&p->bot);
		client_start(&p->bot);
		client_run(&p->bot);
		settle(p);
		assert_string_equal(client_heard(&p->bot), "again");
		assert_int_equal(client_say(&p->bot, ROOM, "still here"), MATRIX_SEAL_READY);
		settle(p);
		assert_int_equal(json_array_size(p->noor.got), i + 1);
	}
	matrix_crypto_fingerprint(p->bot.crypto, after);
	assert_string_equal(before, after);
	assert_int_equal(json_array_size(p->bot.got), 3);
	pair_close(p);
}

/* ---- crash safety ---- */

static void
revive(struct pair *p)
{
	struct client *m = &p->bot;

	if (!p->w.dead)
		return;
	client_stop(m);
	p->w.dead = false;
	client_start(m);
}

/* A first talk both ways from nothing; the bot dies once, where die_after says. */
static void
talk_with_death(struct pair *p, bool bot_first)
{
	for (int i = 0; i < 4; i++) {
		client_run(&p->bot);
		revive(p);
		client_sync(&p->bot);
		revive(p);
		client_run(&p->noor);
		client_sync(&p->noor);
	}
	for (int i = 0; i < 3; i++) {
		client_say(bot_first ? &p->bot : &p->noor, ROOM, "hello");
		revive(p);
		settle(p);
		revive(p);
		client_say(bot_first ? &p->noor : &p->bot, ROOM, "hello yourself");
		revive(p);
		settle(p);
		revive(p);
	}
}

static int
death_after(int answers, bool bot_first, bool lost)
{
	struct pair *p = calloc(1, sizeof(*p));
	int requests;

	world_open(&p->w);
	world_room(&p->w, ROOM, true);
	world_member(&p->w, ROOM, BOT, "join");
	world_member(&p->w, ROOM, NOOR, "join");
	client_open(&p->noor, &p->w, NOOR, "NOORDEV");
	client_open(&p->bot, &p->w, BOT, "BOTDEV");
	client_run(&p->noor);
	p->w.victim = &p->bot;
	p->w.die_after = answers;
	p->w.lost = lost;
	talk_with_death(p, bot_first);
	requests = p->w.requests;
	assert_int_equal(p->w.die_after, -1);
	p->w.now_ms += 3700 * 1000;
	settle(p);
	assert_int_equal(client_say(&p->noor, ROOM, "last word"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->bot), "last word");
	assert_int_equal(client_say(&p->bot, ROOM, "the very last"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "the very last");
	assert_int_equal(matrix_crypto_standing(p->bot.crypto), MATRIX_STANDING_GOOD);
	assert_true(matrix_crypto_signed(p->bot.crypto));
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).olm_broken, 0);
	assert_int_equal(matrix_crypto_counts(p->noor.crypto).olm_broken, 0);
	pair_close(p);
	return requests;
}

static void
matrix_crypto_killed_after_each_request(void **state)
{
	(void)state;

	for (int first = 0; first < 2; first++) {
		int requests = death_after(-1, first, false);

		assert_true(requests >= 7);
		for (int i = 0; i < requests; i++) {
			death_after(i, first, false);
			death_after(i, first, true);
		}
		printf("# killed at each of %d requests\n", requests);
	}
}

/* What was not kept must not have left. */
static void
matrix_crypto_nothing_leaves_before_it_is_kept(void **state)
{
	struct pair *p = pair_open();
	const char *sealed;
	json_t *content = message("secret");
	(void)state;

	client_say(&p->noor, ROOM, "hi");
	settle(p);
	client_say(&p->bot, ROOM, "hi");
	settle(p);
	/* An account that is not kept is not published. */
	struct client dan;
	client_open(&dan, &p->w, "@dan:h", "DANDEV");
	assert_true(matrix_crypto_dirty(dan.crypto));
	assert_null(matrix_crypto_next(dan.crypto, p->w.now_ms));
	client_keep(&dan);
	assert_non_null(matrix_crypto_next(dan.crypto, p->w.now_ms));
	client_close(&dan);
	assert_false(matrix_crypto_dirty(p->bot.crypto));
	assert_int_equal(matrix_crypto_seal(p->bot.crypto, ROOM, "x", "m.room.message", content,
			     p->w.now_ms, &sealed),
	    MATRIX_SEAL_WAIT);
	assert_true(matrix_crypto_dirty(p->bot.crypto));
	assert_int_equal(matrix_crypto_seal(p->bot.crypto, ROOM, "x", "m.room.message", content,
			     p->w.now_ms, &sealed),
	    MATRIX_SEAL_WAIT);
	assert_null(sealed);
	assert_null(matrix_crypto_next(p->bot.crypto, p->w.now_ms));
	client_keep(&p->bot);
	assert_int_equal(matrix_crypto_seal(p->bot.crypto, ROOM, "x", "m.room.message", content,
			     p->w.now_ms, &sealed),
	    MATRIX_SEAL_READY);
	json_decref(content);
	pair_close(p);
}

static void
matrix_crypto_same_transaction_same_bytes(void **state)
{
	struct pair *p = pair_open();
	const char *sealed;
	char *first;
	(void)state;

	assert_int_equal(
	    client_seal(&p->bot, ROOM, "ship7", message("once"), &sealed), MATRIX_SEAL_READY);
	first = strdup(sealed);
	assert_int_equal(
	    client_seal(&p->bot, ROOM, "ship7", message("other"), &sealed), MATRIX_SEAL_READY);
	assert_string_equal(sealed, first);
	client_stop(&p->bot);
	client_start(&p->bot);
	client_run(&p->bot);
	assert_int_equal(
	    client_seal(&p->bot, ROOM, "ship7", message("third"), &sealed), MATRIX_SEAL_READY);
	assert_string_equal(sealed, first);
	matrix_crypto_sent(p->bot.crypto, "ship7");
	client_run(&p->bot);
	settle(p);
	assert_int_equal(
	    client_seal(&p->bot, ROOM, "ship7", message("new"), &sealed), MATRIX_SEAL_READY);
	assert_string_not_equal(sealed, first);
	free(first);
	pair_close(p);
}

static void
matrix_crypto_rows_come_again_until_kept(void **state)
{
	struct pair *p = pair_open();
	const struct state_row *rows;
	size_t once, twice;
	(void)state;

	client_say(&p->noor, ROOM, "hi");
	json_t *answer = sync_answer(&p->bot);
	matrix_crypto_sync(p->bot.crypto, answer, false, p->w.now_ms);
	once = matrix_crypto_rows(p->bot.crypto, &rows);
	assert_true(once > 0);
	for (size_t i = 0; i < once; i++)
		if (rows[i].bytes)
			assert_null(memmem(rows[i].bytes, rows[i].length, "noor", 4));
	/* It failed; the same /sync comes again and changes nothing more. */
	matrix_crypto_sync(p->bot.crypto, answer, false, p->w.now_ms);
	twice = matrix_crypto_rows(p->bot.crypto, &rows);
	assert_int_equal(once, twice);
	client_take(&p->bot, answer, false);
	client_run(&p->bot);
	assert_string_equal(client_heard(&p->bot), "hi");
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).olm_broken, 0);
	json_decref(answer);
	pair_close(p);
}

static void
matrix_crypto_wrong_key_does_not_open(void **state)
{
	struct pair *p = pair_open();
	unsigned char other[MATRIX_CRYPTO_KEY_BYTES] = {1};
	(void)state;

	client_stop(&p->bot);
	assert_null(client_load(&p->bot, other, "BOTDEV"));
	client_start(&p->bot);
	pair_close(p);
}

/* ---- old copies and lost state ---- */

static void
new_device(struct client *m, const char *device)
{
	assert_false(matrix_crypto_renewed(m->crypto));
	snprintf(m->device, sizeof(m->device), "%s", device);
	matrix_crypto_renew(m->crypto, device, m->world->now_ms);
	assert_true(matrix_crypto_renewed(m->crypto));
	client_stop(m);
	client_start(m);
	assert_true(matrix_crypto_renewed(m->crypto));
	matrix_crypto_renewal_noted(m->crypto);
}

static void
matrix_crypto_state_of_ten_minutes_ago(void **state)
{
	struct pair *p = pair_open();
	json_t *disk, *seen;
	char before[MATRIX_CRYPTO_FINGERPRINT], after[MATRIX_CRYPTO_FINGERPRINT];
	size_t changes;
	(void)state;

	client_say(&p->noor, ROOM, "one");
	settle(p);
	client_say(&p->bot, ROOM, "one too");
	settle(p);
	matrix_crypto_fingerprint(p->bot.crypto, before);
	disk = json_deep_copy(p->bot.disk);
	seen = json_deep_copy(p->bot.seen_events);
	changes = p->bot.seen_changes;
	p->w.now_ms += 600 * 1000;
	client_say(&p->bot, ROOM, "two");
	client_say(&p->noor, ROOM, "two too");
	settle(p);
	client_stop(&p->bot);
	json_decref(p->bot.disk);
	json_decref(p->bot.seen_events);
	p->bot.disk = disk;
	p->bot.seen_events = seen;
	p->bot.seen_changes = changes;
	client_start(&p->bot);
	/* Nothing is encrypted before the server has been heard. */
	client_run(&p->bot);
	assert_int_equal(client_say(&p->bot, ROOM, "too early"), MATRIX_SEAL_WAIT);
	client_sync(&p->bot);
	assert_int_equal(matrix_crypto_standing(p->bot.crypto), MATRIX_STANDING_ROLLED_BACK);
	assert_int_equal(client_say(&p->bot, ROOM, "no"), MATRIX_SEAL_REFUSED);
	/* Also after a restart, when the echo does not come again. */
	client_stop(&p->bot);
	client_start(&p->bot);
	client_run(&p->bot);
	settle(p);
	assert_int_equal(matrix_crypto_standing(p->bot.crypto), MATRIX_STANDING_ROLLED_BACK);
	new_device(&p->bot, "BOTDEV2");
	client_run(&p->bot);
	settle(p);
	matrix_crypto_fingerprint(p->bot.crypto, after);
	assert_string_equal(before, after);
	assert_int_equal(client_say(&p->bot, ROOM, "a new device"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "a new device");
	assert_int_equal(client_say(&p->noor, ROOM, "I see"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->bot), "I see");
	pair_close(p);
}

static void
matrix_crypto_lost_state_is_noticed(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	client_stop(&p->bot);
	json_object_clear(p->bot.disk);
	client_start(&p->bot);
	client_run(&p->bot);
	client_sync(&p->bot);
	assert_int_equal(matrix_crypto_standing(p->bot.crypto), MATRIX_STANDING_ROLLED_BACK);
	/* The identity is lost too: the server wants a password for another. */
	new_device(&p->bot, "BOTDEV3");
	client_run(&p->bot);
	settle(p);
	assert_int_equal(matrix_crypto_standing(p->bot.crypto), MATRIX_STANDING_GOOD);
	assert_false(matrix_crypto_signed(p->bot.crypto));
	assert_non_null(matrix_crypto_counts(p->bot.crypto).trouble);
	pair_close(p);
}

static void
matrix_crypto_one_time_key_clash_is_an_old_copy(void **state)
{
	struct pair *p = pair_open();
	json_t *disk = json_deep_copy(p->bot.disk), *pool;
	const char *id;
	json_t *key;
	void *next;
	(void)state;

	/* Others take half of the keys; new ones are made; the old copy makes others of the same
	 * id. */
	pool = json_object_get(p->w.one_time, box_name(BOT, "BOTDEV"));
	json_object_foreach_safe(pool, next, id, key) {
		if (json_object_size(pool) > 20)
			json_object_del(pool, id);
	}
	settle(p);
	settle(p);
	assert_int_equal(
	    json_object_size(json_object_get(p->w.one_time, box_name(BOT, "BOTDEV"))), 50);
	client_stop(&p->bot);
	json_decref(p->bot.disk);
	p->bot.disk = disk;
	pool = json_object_get(p->w.one_time, box_name(BOT, "BOTDEV"));
	json_object_foreach_safe(pool, next, id, key) {
		if (json_object_size(pool) > 40)
			json_object_del(pool, id);
	}
	client_start(&p->bot);
	client_run(&p->bot);
	p->w.now_ms += 10 * 1000;
	settle(p);
	assert_int_equal(matrix_crypto_standing(p->bot.crypto), MATRIX_STANDING_ROLLED_BACK);
	pair_close(p);
}

/* ---- our own keys ---- */

static void
matrix_crypto_one_time_keys_run_out(void **state)
{
	struct pair *p = pair_open();
	json_t *before;
	(void)state;

	json_object_clear(json_object_get(p->w.one_time, box_name(BOT, "BOTDEV")));
	before = json_deep_copy(json_object_get(p->w.fallback, box_name(BOT, "BOTDEV")));
	assert_int_equal(client_say(&p->noor, ROOM, "by the fallback key"), MATRIX_SEAL_READY);
	p->w.now_ms += 400 * 1000;
	settle(p);
	assert_string_equal(client_heard(&p->bot), "by the fallback key");
	/* Both are made anew. */
	assert_int_equal(
	    json_object_size(json_object_get(p->w.one_time, box_name(BOT, "BOTDEV"))), 50);
	assert_false(json_equal(before, json_object_get(p->w.fallback, box_name(BOT, "BOTDEV"))));
	json_decref(before);
	pair_close(p);
}

static void
matrix_crypto_nobody_without_one_time_key(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	json_object_clear(json_object_get(p->w.one_time, box_name(NOOR, "NOORDEV")));
	json_object_clear(p->w.fallback);
	assert_int_equal(client_say(&p->bot, ROOM, "nobody"), MATRIX_SEAL_NOBODY);
	client_run(&p->bot);
	assert_true(client_asked(&p->bot, "m.room_key.withheld"));
	/* Her client comes back and uploads keys; the next try finds them. */
	settle(p);
	p->w.now_ms += 700 * 1000;
	assert_int_equal(client_say(&p->bot, ROOM, "now"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "now");
	pair_close(p);
}

/* ---- sessions end ---- */

static char *
session_used(struct pair *p, const char *txn)
{
	const char *sealed;
	json_t *content;
	char *id;

	assert_int_equal(client_seal(&p->bot, ROOM, txn, message("x"), &sealed), MATRIX_SEAL_READY);
	content = json_loads(sealed, 0, NULL);
	id = strdup(text_of(content, "session_id"));
	json_decref(content);
	return id;
}

static void
matrix_crypto_rotates(void **state)
{
	struct pair *p = pair_open();
	char *first = session_used(p, "a0"), *next, name[16];
	(void)state;

	for (int i = 1; i < 100; i++) {
		snprintf(name, sizeof(name), "a%d", i);
		next = session_used(p, name);
		assert_string_equal(first, next);
		free(next);
	}
	next = session_used(p, "b");
	assert_string_not_equal(first, next);
	free(first);
	first = session_used(p, "c");
	assert_string_equal(first, next);
	free(next);
	p->w.now_ms += (int64_t)8 * 24 * 3600 * 1000;
	next = session_used(p, "d");
	assert_string_not_equal(first, next);
	free(first);
	free(next);
	pair_close(p);
}

static void
matrix_crypto_rotates_as_the_room_says(void **state)
{
	struct pair *p = pair_open();
	char *first, *next;
	(void)state;

	world_event(&p->w, ROOM, "m.room.encryption", NOOR, "",
	    json_pack("{s:s,s:i}", "algorithm", "m.megolm.v1.aes-sha2", "rotation_period_msgs", 2));
	settle(p);
	first = session_used(p, "a");
	next = session_used(p, "b");
	assert_string_equal(first, next);
	free(next);
	next = session_used(p, "c");
	assert_string_not_equal(first, next);
	free(first);
	free(next);
	pair_close(p);
}

static void
matrix_crypto_who_left_reads_no_more(void **state)
{
	struct pair *p = pair_open();
	struct client dan;
	char *first, *next;
	(void)state;

	client_open(&dan, &p->w, "@dan:h", "DANDEV");
	client_run(&dan);
	world_member(&p->w, ROOM, "@dan:h", "join");
	settle(p);
	client_sync(&dan);
	client_say(&p->bot, ROOM, "all three");
	client_sync(&dan);
	assert_string_equal(client_heard(&dan), "all three");
	first = session_used(p, "with dan");
	world_member(&p->w, ROOM, "@dan:h", "leave");
	settle(p);
	next = session_used(p, "without dan");
	assert_string_not_equal(first, next);
	client_say(&p->bot, ROOM, "two of us");
	settle(p);
	assert_string_equal(client_heard(&p->noor), "two of us");
	json_t *box = json_object_get(p->w.boxes, box_name("@dan:h", "DANDEV"));
	assert_int_equal(json_array_size(box), 0);
	free(first);
	free(next);
	client_close(&dan);
	pair_close(p);
}

/* Somebody leaves while the server is being asked who is there. */
static json_t *
twist_members(struct world *w, const char *path, json_t *answer)
{
	struct pair *p = (struct pair *)w;
	json_t *sync;

	if (!strstr(path, "/members"))
		return answer;
	w->twist = NULL;
	world_member(w, ROOM, "@dan:h", "leave");
	sync = sync_answer(&p->bot);
	client_take(&p->bot, sync, false);
	json_decref(sync);
	return answer;
}

static void
matrix_crypto_left_while_being_asked(void **state)
{
	struct pair *p = pair_open();
	struct client dan;
	(void)state;

	client_open(&dan, &p->w, "@dan:h", "DANDEV");
	client_run(&dan);
	world_member(&p->w, ROOM, "@dan:h", "join");
	settle(p);
	p->w.twist = twist_members;
	assert_int_equal(client_say(&p->bot, ROOM, "not for dan"), MATRIX_SEAL_READY);
	assert_null(p->w.twist);
	assert_int_equal(
	    json_array_size(json_object_get(p->w.boxes, box_name("@dan:h", "DANDEV"))), 0);
	client_close(&dan);
	pair_close(p);
}

static void
matrix_crypto_device_added_and_gone(void **state)
{
	struct pair *p = pair_open();
	char *first = session_used(p, "a"), *next;
	json_t *identity;
	(void)state;

	/* A second device of hers: it has her identity's rows, so it is signed. */
	struct client phone;
	memset(&phone, 0, sizeof(phone));
	client_stop(&p->noor);
	phone.world = &p->w;
	snprintf(phone.user, sizeof(phone.user), "%s", NOOR);
	snprintf(phone.device, sizeof(phone.device), "%s", "PHONE");
	phone.disk = json_deep_copy(p->noor.disk);
	phone.got = json_array();
	phone.why = json_array();
	phone.asked = json_array();
	phone.seen_events = json_deep_copy(p->noor.seen_events);
	client_start(&phone);
	client_start(&p->noor);
	client_run(&p->noor);
	client_run(&phone);
	settle(p);
	client_sync(&phone);
	next = session_used(p, "b");
	assert_string_not_equal(first, next);
	client_say(&p->bot, ROOM, "to both");
	settle(p);
	client_sync(&phone);
	assert_string_equal(client_heard(&phone), "to both");
	assert_string_equal(client_heard(&p->noor), "to both");
	free(first);
	first = next;
	json_object_del(json_object_get(p->w.keys, NOOR), "PHONE");
	world_changed(&p->w, NOOR);
	settle(p);
	next = session_used(p, "c");
	assert_string_not_equal(first, next);
	identity = json_object_get(p->w.boxes, box_name(NOOR, "PHONE"));
	assert_int_equal(json_array_size(identity), 0);
	free(first);
	free(next);
	client_close(&phone);
	pair_close(p);
}

/* ---- rooms ---- */

static void
matrix_crypto_never_unencrypts(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	world_event(&p->w, ROOM, "m.room.encryption", "@evil:h", "", json_object());
	json_object_set_new(json_object_get(p->w.rooms, ROOM), "e", json_false());
	settle(p);
	assert_true(matrix_crypto_encrypted(p->bot.crypto, ROOM));
	client_stop(&p->bot);
	client_start(&p->bot);
	assert_true(matrix_crypto_encrypted(p->bot.crypto, ROOM));
	client_run(&p->bot);
	matrix_crypto_left(p->bot.crypto, ROOM);
	assert_true(matrix_crypto_encrypted(p->bot.crypto, ROOM));
	settle(p);
	assert_int_equal(client_say(&p->bot, ROOM, "still"), MATRIX_SEAL_READY);
	pair_close(p);
}

static void
matrix_crypto_clear_until_told_otherwise(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	world_room(&p->w, "!b:h", false);
	world_member(&p->w, "!b:h", BOT, "join");
	world_member(&p->w, "!b:h", NOOR, "join");
	assert_int_equal(client_say(&p->bot, "!b:h", "clear"), MATRIX_SEAL_CLEAR);
	assert_true(client_asked(&p->bot, "state/m.room.encryption"));
	settle(p);
	assert_int_equal(client_say(&p->bot, "!b:h", "clear"), MATRIX_SEAL_CLEAR);
	world_event(&p->w, "!b:h", "m.room.encryption", NOOR, "",
	    json_pack("{s:s}", "algorithm", "m.megolm.v1.aes-sha2"));
	settle(p);
	assert_int_equal(client_say(&p->bot, "!b:h", "sealed"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "sealed");
	/* A room that we are not in. */
	assert_int_equal(client_say(&p->bot, "!c:h", "x"), MATRIX_SEAL_REFUSED);
	/* An algorithm that we do not know. */
	world_room(&p->w, "!d:h", false);
	world_member(&p->w, "!d:h", BOT, "join");
	world_event(&p->w, "!d:h", "m.room.encryption", NOOR, "",
	    json_pack("{s:s}", "algorithm", "m.other"));
	settle(p);
	assert_int_equal(client_say(&p->bot, "!d:h", "x"), MATRIX_SEAL_REFUSED);
	pair_close(p);
}

static void
matrix_crypto_relations_stay_outside(void **state)
{
	struct pair *p = pair_open();
	const char *sealed;
	json_t *content, *wire;
	(void)state;

	content = message("edited");
	json_object_set_new(content, "m.relates_to",
	    json_pack("{s:s,s:s}", "rel_type", "m.replace", "event_id", "$1"));
	assert_int_equal(client_seal(&p->bot, ROOM, "r", content, &sealed), MATRIX_SEAL_READY);
	wire = json_loads(sealed, 0, NULL);
	assert_non_null(json_object_get(wire, "m.relates_to"));
	world_event(&p->w, ROOM, "m.room.encrypted", BOT, NULL, wire);
	settle(p);
	content = json_object_get(json_array_get(p->noor.got, 0), "content");
	assert_string_equal(
	    text_of(json_object_get(content, "m.relates_to"), "rel_type"), "m.replace");
	pair_close(p);
}

static void
matrix_crypto_invited_only_where_history_says(void **state)
{
	struct pair *p = pair_open();
	struct client dan;
	(void)state;

	client_open(&dan, &p->w, "@dan:h", "DANDEV");
	client_run(&dan);
	world_event(&p->w, ROOM, "m.room.history_visibility", NOOR, "",
	    json_pack("{s:s}", "history_visibility", "joined"));
	world_member(&p->w, ROOM, "@dan:h", "invite");
	settle(p);
	client_say(&p->bot, ROOM, "not for guests");
	assert_int_equal(
	    json_array_size(json_object_get(p->w.boxes, box_name("@dan:h", "DANDEV"))), 0);
	world_event(&p->w, ROOM, "m.room.history_visibility", NOOR, "",
	    json_pack("{s:s}", "history_visibility", "invited"));
	settle(p);
	client_say(&p->bot, ROOM, "for guests");
	assert_int_equal(
	    json_array_size(json_object_get(p->w.boxes, box_name("@dan:h", "DANDEV"))), 1);
	client_close(&dan);
	pair_close(p);
}

/* Whether anything on the disk speaks of her, as far as the key opens it. */
static size_t
rows_about(struct client *m, const char *what)
{
	size_t count = 0;
	const char *name;
	json_t *text;

	json_object_foreach(m->disk, name, text) {
		unsigned char box[65536], plain[65536];
		size_t length;

		sodium_base642bin(box, sizeof(box), json_string_value(text),
		    json_string_length(text), NULL, &length, NULL, sodium_base64_VARIANT_ORIGINAL);
		assert_int_equal(
		    crypto_secretbox_open_easy(plain, box + 24, length - 24, box, client_key), 0);
		count += memmem(plain, length - 40, what, strlen(what)) != NULL;
	}
	return count;
}

static void
matrix_crypto_forgets_who_is_erased(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	client_say(&p->noor, ROOM, "hi");
	settle(p);
	client_say(&p->bot, ROOM, "hi");
	settle(p);
	assert_true(rows_about(&p->bot, NOOR) >= 3);
	matrix_crypto_left(p->bot.crypto, ROOM);
	matrix_crypto_forget(p->bot.crypto, NOOR);
	client_keep(&p->bot);
	assert_int_equal(rows_about(&p->bot, NOOR), 0);
	/* She may come again. */
	world_member(&p->w, ROOM, NOOR, "join");
	settle(p);
	assert_int_equal(client_say(&p->bot, ROOM, "welcome back"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "welcome back");
	pair_close(p);
}

/* She comes back with the device that remembers what we forgot. */
static void
matrix_crypto_greets_who_was_forgotten(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	client_say(&p->noor, ROOM, "hi");
	settle(p);
	client_say(&p->bot, ROOM, "hi");
	settle(p);
	client_heard(&p->bot);
	matrix_crypto_left(p->bot.crypto, ROOM);
	matrix_crypto_forget(p->bot.crypto, NOOR);
	client_keep(&p->bot);
	world_room(&p->w, "!again:h", true);
	world_member(&p->w, "!again:h", NOOR, "join");
	world_member(&p->w, "!again:h", BOT, "join");
	p->bot.asked = (json_decref(p->bot.asked), json_array());
	matrix_crypto_greet(p->bot.crypto, NOOR, p->w.now_ms);
	client_run(&p->bot);
	settle(p);
	/* Once is enough. */
	matrix_crypto_greet(p->bot.crypto, NOOR, p->w.now_ms);
	client_run(&p->bot);
	assert_int_equal(client_say(&p->noor, "!again:h", "back"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->bot), "back");
	pair_close(p);
}

static void
matrix_crypto_content_that_cannot_be_sent(void **state)
{
	struct pair *p = pair_open();
	json_t *big = json_object();
	char *text = malloc(60001);
	(void)state;

	memset(text, 'a', 60000);
	text[60000] = 0;
	json_object_set_new(big, "body", json_string(text));
	free(text);
	settle(p);
	assert_int_equal(client_seal(&p->bot, ROOM, "1", big, NULL), MATRIX_SEAL_REFUSED);
	assert_int_equal(client_seal(&p->bot, ROOM, "2", json_pack("{s:f}", "x", 1.5), NULL),
	    MATRIX_SEAL_REFUSED);
	assert_int_equal(
	    client_seal(&p->bot, ROOM, "3", json_string("x"), NULL), MATRIX_SEAL_REFUSED);
	assert_int_equal(client_seal(&p->bot, "", "4", message("x"), NULL), MATRIX_SEAL_REFUSED);
	assert_int_equal(
	    client_seal(&p->bot, "!\xff:h", "5", message("x"), NULL), MATRIX_SEAL_REFUSED);
	pair_close(p);
}

static void
matrix_crypto_server_down_for_a_while(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	p->w.down = "sendToDevice";
	assert_int_equal(client_say(&p->bot, ROOM, "later"), MATRIX_SEAL_WAIT);
	assert_true(matrix_crypto_due_ms(p->bot.crypto) > p->w.now_ms);
	p->w.down = NULL;
	p->w.now_ms += 400 * 1000;
	assert_int_equal(client_say(&p->bot, ROOM, "now"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "now");
	pair_close(p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(matrix_crypto_both_ways),
    cmocka_unit_test(matrix_crypto_survives_restarts),
    cmocka_unit_test(matrix_crypto_killed_after_each_request),
    cmocka_unit_test(matrix_crypto_nothing_leaves_before_it_is_kept),
    cmocka_unit_test(matrix_crypto_same_transaction_same_bytes),
    cmocka_unit_test(matrix_crypto_rows_come_again_until_kept),
    cmocka_unit_test(matrix_crypto_wrong_key_does_not_open),
    cmocka_unit_test(matrix_crypto_state_of_ten_minutes_ago),
    cmocka_unit_test(matrix_crypto_lost_state_is_noticed),
    cmocka_unit_test(matrix_crypto_one_time_key_clash_is_an_old_copy),
    cmocka_unit_test(matrix_crypto_one_time_keys_run_out),
    cmocka_unit_test(matrix_crypto_nobody_without_one_time_key),
    cmocka_unit_test(matrix_crypto_rotates),
    cmocka_unit_test(matrix_crypto_rotates_as_the_room_says),
    cmocka_unit_test(matrix_crypto_who_left_reads_no_more),
    cmocka_unit_test(matrix_crypto_left_while_being_asked),
    cmocka_unit_test(matrix_crypto_device_added_and_gone),
    cmocka_unit_test(matrix_crypto_never_unencrypts),
    cmocka_unit_test(matrix_crypto_clear_until_told_otherwise),
    cmocka_unit_test(matrix_crypto_relations_stay_outside),
    cmocka_unit_test(matrix_crypto_invited_only_where_history_says),
    cmocka_unit_test(matrix_crypto_forgets_who_is_erased),
    cmocka_unit_test(matrix_crypto_greets_who_was_forgotten),
    cmocka_unit_test(matrix_crypto_content_that_cannot_be_sent),
    cmocka_unit_test(matrix_crypto_server_down_for_a_while),
};

UNIT_RUN(tests)
