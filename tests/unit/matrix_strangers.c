/* What strangers make the bot remember on Matrix has bounds. */
#include "matrix_pair.h"

#include "transports/matrix_olm.h"
#include "transports/matrix_strangers.h"

static void
count_name(void *ctx, const char *name)
{
	(void)name;
	++*(size_t *)ctx;
}

static size_t
sessions_kept(struct pair *p)
{
	size_t count = 0;

	matrix_state_each(p->bot.crypto->state, "olm/", count_name, &count);
	return count;
}

/* Whoever may write to our device cannot make it remember without end; who talks with us stays. */
static void
matrix_strangers_are_bounded(void **state)
{
	struct pair *p = pair_open();
	size_t before;
	char user[40], curve[40];
	(void)state;

	client_say(&p->noor, ROOM, "hi");
	settle(p);
	assert_string_equal(client_heard(&p->bot), "hi");
	before = sessions_kept(p);
	for (int i = 0; i < MATRIX_STRANGERS + 100; i++) {
		snprintf(user, sizeof(user), "@s%d:evil", i);
		snprintf(curve, sizeof(curve), "curve %d", i);
		matrix_state_put_of(p->bot.crypto->state, "olm", curve, json_pack("{s:[]}", "s"));
		p->bot.crypto->now_ms++;
		matrix_strangers_device(p->bot.crypto, user, curve);
	}
	assert_int_equal(sessions_kept(p), before + MATRIX_STRANGERS);
	assert_true(matrix_state_has(p->bot.crypto->state, "olm/curve 599"));
	assert_false(matrix_state_has(p->bot.crypto->state, "olm/curve 0"));
	settle(p);
	client_say(&p->noor, ROOM, "still here");
	client_say(&p->bot, ROOM, "and so are we");
	settle(p);
	assert_string_equal(client_heard(&p->bot), "still here");
	assert_string_equal(client_heard(&p->noor), "and so are we");
	pair_close(p);
}

/* Pre-key messages of one person, each of another key. */
static void
write_as_new_device(struct pair *p, const char *user)
{
	struct matrix_olm *olm = matrix_olm_new();
	json_t *bot = json_object_get(json_object_get(p->w.keys, BOT), "BOTDEV"), *one;
	json_t *pool = json_object_get(p->w.fallback, box_name(BOT, "BOTDEV"));
	const char *ours = text_of(json_object_get(bot, "keys"), "curve25519:BOTDEV");
	char *session, *body;
	int type;

	one = json_object_iter_value(json_object_iter(pool));
	session = matrix_olm_begin(olm, eve_key, ours, text_of(one, "key"));
	body = matrix_olm_encrypt(&session, eve_key, "{}", &type);
	json_object_set_new(p->w.boxes, box_name(BOT, "BOTDEV"),
	    json_pack("[{s:s,s:s,s:{s:s,s:s,s:{s:{s:i,s:s}}}}]", "type", "m.room.encrypted",
		"sender", user, "content", "algorithm", "m.olm.v1.curve25519-aes-sha2",
		"sender_key", matrix_olm_curve(olm), "ciphertext", ours, "type", type, "body",
		body));
	client_sync(&p->bot);
	free(session);
	free(body);
	matrix_olm_free(olm);
}

static void
matrix_stranger_with_ever_new_keys_is_bounded(void **state)
{
	struct pair *p = pair_open();
	size_t before;
	(void)state;

	client_say(&p->noor, ROOM, "hi");
	settle(p);
	before = sessions_kept(p);
	write_as_new_device(p, EVE);
	assert_int_equal(sessions_kept(p), before + 1);
	for (int i = 0; i < 2 * MATRIX_STRANGERS_OF_ONE; i++) {
		write_as_new_device(p, EVE);
		write_as_new_device(p, NOOR);
	}
	/* Her own device is beside what somebody wrote in her name. */
	assert_int_equal(sessions_kept(p), before - 1 + 2 * MATRIX_STRANGERS_OF_ONE);
	client_say(&p->noor, ROOM, "still here");
	settle(p);
	client_say(&p->bot, ROOM, "and so are we");
	settle(p);
	assert_string_equal(client_heard(&p->noor), "and so are we");
	matrix_crypto_forget(p->bot.crypto, EVE);
	assert_int_equal(sessions_kept(p), before - 1 + MATRIX_STRANGERS_OF_ONE);
	pair_close(p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(matrix_strangers_are_bounded),
    cmocka_unit_test(matrix_stranger_with_ever_new_keys_is_bounded),
};

UNIT_RUN(tests)
