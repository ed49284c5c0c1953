/* Keys of Matrix that come late, or not at all. */
#include "matrix_pair.h"

/* What brings the key, for later. */
static json_t *
said_before_its_key(struct pair *p)
{
	json_t *box;

	client_say(&p->noor, ROOM, "before its key");
	box = json_incref(json_object_get(p->w.boxes, box_name(BOT, "BOTDEV")));
	json_object_del(p->w.boxes, box_name(BOT, "BOTDEV"));
	return box;
}

static void
matrix_late_key(void **state)
{
	struct pair *p = pair_open();
	json_t *box;
	(void)state;

	box = said_before_its_key(p);
	client_sync(&p->bot);
	assert_int_equal(json_array_size(p->bot.got), 0);
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).waiting, 1);
	client_stop(&p->bot);
	client_start(&p->bot);
	client_run(&p->bot);
	assert_int_equal(p->bot.unreadable, 0);
	assert_true(matrix_crypto_due_ms(p->bot.crypto) <= p->w.now_ms + 30 * 1000);
	p->w.now_ms += 31 * 1000;
	client_run(&p->bot);
	assert_int_equal(p->bot.unreadable, 1);
	client_say(&p->noor, ROOM, "another without key");
	client_sync(&p->bot);
	p->w.now_ms += 5 * 1000;
	client_run(&p->bot);
	assert_int_equal(p->bot.unreadable, 1);
	json_object_set_new(p->w.boxes, box_name(BOT, "BOTDEV"), box);
	client_sync(&p->bot);
	assert_int_equal(json_array_size(p->bot.got), 2);
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).waiting, 0);
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).late, 2);
	pair_close(p);
}

/* Somebody who floods a room with what nobody can read pushes out nobody else's word that waits. */
static void
matrix_late_key_survives_a_flood(void **state)
{
	struct pair *p = pair_open();
	json_t *box;
	(void)state;

	box = said_before_its_key(p);
	client_sync(&p->bot);
	for (int i = 0; i < 300; i++) {
		struct matrix_read read;
		char id[16];
		json_t *event;

		snprintf(id, sizeof(id), "$f%d", i);
		event = json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:s}}", "type", "m.room.encrypted",
		    "event_id", id, "sender", EVE, "content", "algorithm", "m.megolm.v1.aes-sha2",
		    "session_id", id, "ciphertext", "AwgAEpABm6");
		matrix_crypto_read(p->bot.crypto, "!flood:h", event, p->w.now_ms, &read);
		assert_int_equal(read.how, MATRIX_READ_WAIT);
		json_decref(event);
	}
	assert_true(matrix_crypto_counts(p->bot.crypto).waiting <= 128);
	json_object_set_new(p->w.boxes, box_name(BOT, "BOTDEV"), box);
	client_sync(&p->bot);
	assert_int_equal(json_array_size(p->bot.got), 1);
	pair_close(p);
}

/* Keys often come before the room does. One person's for rooms without end push out their own; who
 * comes with the next is read. */
static void
matrix_late_rooms_do_not_use_up_their_keys(void **state)
{
	enum { MANY = 26 };
	struct pair *p = pair_open();
	char room[24];
	(void)state;

	for (int i = 0; i < MANY; i++) {
		snprintf(room, sizeof(room), "!late%d:h", i);
		world_room(&p->w, room, true);
		world_member(&p->w, room, NOOR, "join");
		world_member(&p->w, room, BOT, "invite");
		client_sync(&p->noor);
		assert_int_equal(client_say(&p->noor, room, "first"), MATRIX_SEAL_READY);
		client_sync(&p->bot);
	}
	json_array_clear(p->bot.got);
	for (int i = 0; i < MANY; i += MANY - 1) {
		snprintf(room, sizeof(room), "!late%d:h", i);
		world_member(&p->w, room, BOT, "join");
		client_say(&p->noor, room, "second");
	}
	client_sync(&p->bot);
	assert_int_equal(json_array_size(p->bot.got), 1);
	assert_string_equal(client_heard(&p->bot), "second");
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).waiting, 1);
	pair_close(p);
}

static void
matrix_late_key_that_never_comes(void **state)
{
	struct pair *p = pair_open();
	(void)state;

	client_say(&p->noor, ROOM, "lost");
	json_object_clear(p->w.boxes);
	client_sync(&p->bot);
	p->w.now_ms += 40 * 1000;
	client_run(&p->bot);
	assert_int_equal(p->bot.unreadable, 1);
	p->w.now_ms += 3600 * 1000;
	client_run(&p->bot);
	assert_int_equal(p->bot.unreadable, 1);
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).waiting, 0);
	pair_close(p);
}

static void
matrix_withheld_is_said_at_once(void **state)
{
	struct pair *p = pair_open();
	char *session;
	(void)state;

	client_say(&p->noor, ROOM, "not for you");
	json_object_clear(p->w.boxes);
	session = strdup(text_of(json_object_get(last_event(p), "content"), "session_id"));
	json_object_set_new(p->w.boxes, box_name(BOT, "BOTDEV"),
	    json_pack("[{s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s}}]", "type", "m.room_key.withheld",
		"sender", NOOR, "content", "algorithm", "m.megolm.v1.aes-sha2", "code",
		"m.unverified", "room_id", ROOM, "session_id", session, "sender_key", "x"));
	client_sync(&p->bot);
	assert_int_equal(p->bot.unreadable, 1);
	free(session);
	pair_close(p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(matrix_late_key),
    cmocka_unit_test(matrix_late_key_survives_a_flood),
    cmocka_unit_test(matrix_late_rooms_do_not_use_up_their_keys),
    cmocka_unit_test(matrix_late_key_that_never_comes),
    cmocka_unit_test(matrix_withheld_is_said_at_once),
};

UNIT_RUN(tests)
