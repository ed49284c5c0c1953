/* What Matrix' encryption must refuse: forged, replayed, swapped and malformed keys and messages.
 */
#include "matrix_pair.h"

#include "transports/matrix_canonical.h"
#include "transports/matrix_identity.h"
#include "transports/matrix_megolm.h"
#include "transports/matrix_olm.h"
#include "transports/matrix_sign.h"

/* ---- events of rooms ---- */

static void
matrix_refuse_replayed(void **state)
{
	struct pair *p = pair_open();
	json_t *event;
	(void)state;

	client_say(&p->noor, ROOM, "transfer once");
	event = json_deep_copy(last_event(p));
	settle(p);
	assert_int_equal(json_array_size(p->bot.got), 1);
	/* The same event again, after a failed commit, is the same. */
	assert_int_equal(bot_reads(p, event), MATRIX_READ_GOOD);
	json_object_set_new(event, "event_id", json_string("$other"));
	assert_int_equal(bot_reads(p, event), MATRIX_READ_REFUSED);
	/* Remembered across a restart. */
	client_run(&p->bot);
	client_stop(&p->bot);
	client_start(&p->bot);
	assert_int_equal(bot_reads(p, event), MATRIX_READ_REFUSED);
	json_decref(event);
	pair_close(p);
}

static void
matrix_refuse_forged_sender(void **state)
{
	struct pair *p = pair_open();
	json_t *event;
	(void)state;

	client_say(&p->noor, ROOM, "me");
	settle(p);
	client_say(&p->noor, ROOM, "me again");
	event = json_deep_copy(last_event(p));
	json_object_set_new(event, "event_id", json_string("$forged"));
	json_object_set_new(event, "sender", json_string(EVE));
	assert_int_equal(bot_reads(p, event), MATRIX_READ_REFUSED);
	json_object_set_new(event, "sender", json_string(BOT));
	assert_int_equal(bot_reads(p, event), MATRIX_READ_REFUSED);
	json_decref(event);
	pair_close(p);
}

static void
matrix_refuse_another_room(void **state)
{
	struct pair *p = pair_open();
	struct matrix_read read;
	json_t *event;
	(void)state;

	client_say(&p->noor, ROOM, "here");
	event = json_deep_copy(last_event(p));
	settle(p);
	/* The session belongs to its room: elsewhere there is no key for it. */
	matrix_crypto_read(p->bot.crypto, "!other:h", event, p->w.now_ms, &read);
	assert_int_equal(read.how, MATRIX_READ_WAIT);
	assert_null(read.event);
	json_decref(event);
	pair_close(p);
}

static void
matrix_refuse_changed_ciphertext(void **state)
{
	struct pair *p = pair_open();
	json_t *event, *content;
	char *body;
	(void)state;

	client_say(&p->noor, ROOM, "x");
	event = json_deep_copy(last_event(p));
	settle(p);
	content = json_object_get(event, "content");
	body = strdup(text_of(content, "ciphertext"));
	body[60] = body[60] == 'A' ? 'B' : 'A';
	json_object_set_new(content, "ciphertext", json_string(body));
	json_object_set_new(event, "event_id", json_string("$changed"));
	assert_int_not_equal(bot_reads(p, event), MATRIX_READ_GOOD);
	free(body);
	json_decref(event);
	pair_close(p);
}

/* ---- devices ---- */

/* Somebody with libolm who plays by no rules: a device of `user`. */
struct eve {
	struct matrix_olm *olm;
	char device[16];
};

static json_t *
eve_device(struct eve *e, const char *user)
{
	char curve[64], ed[64], *signable, *signature;
	json_t *keys;

	snprintf(curve, sizeof(curve), "curve25519:%s", e->device);
	snprintf(ed, sizeof(ed), "ed25519:%s", e->device);
	keys = json_pack("{s:s,s:s,s:[s,s],s:{s:s,s:s}}", "user_id", user, "device_id", e->device,
	    "algorithms", "m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2", "keys", curve,
	    matrix_olm_curve(e->olm), ed, matrix_olm_ed(e->olm));
	signable = matrix_canonical_signable(keys);
	signature = matrix_olm_sign(e->olm, signable);
	matrix_sign_attach(keys, user, e->device, signature);
	free(signable);
	free(signature);
	return keys;
}

static void
eve_open(struct eve *e, struct pair *p, const char *user, const char *device)
{
	e->olm = matrix_olm_new();
	snprintf(e->device, sizeof(e->device), "%s", device);
	json_object_set_new(at(p->w.keys, user), device, eve_device(e, user));
	world_changed(&p->w, user);
}

static json_t *
eve_plain(struct eve *e, struct pair *p, const char *user, json_t *content)
{
	json_t *bot = json_object_get(json_object_get(p->w.keys, BOT), "BOTDEV");

	return json_pack("{s:s,s:o,s:s,s:s,s:{s:O},s:{s:s}}", "type", "m.room_key", "content",
	    content, "sender", user, "recipient", BOT, "recipient_keys", "ed25519",
	    json_object_get(json_object_get(bot, "keys"), "ed25519:BOTDEV"), "keys", "ed25519",
	    matrix_olm_ed(e->olm));
}

/* Puts an Olm message into the bot's box; steals plain. */
static void
eve_sends(struct eve *e, struct pair *p, const char *user, json_t *plain)
{
	json_t *bot = json_object_get(json_object_get(p->w.keys, BOT), "BOTDEV"), *claimed;
	const char *curve = text_of(json_object_get(bot, "keys"), "curve25519:BOTDEV");
	char *text = json_dumps(plain, JSON_COMPACT), *session, *body;
	int type;

	claimed = claim_one(&p->w, BOT, "BOTDEV");
	session = matrix_olm_begin(e->olm, eve_key, curve,
	    text_of(json_object_iter_value(json_object_iter(claimed)), "key"));
	assert_non_null(session);
	body = matrix_olm_encrypt(&session, eve_key, text, &type);
	json_object_set_new(p->w.boxes, box_name(BOT, "BOTDEV"),
	    json_pack("[{s:s,s:s,s:{s:s,s:s,s:{s:{s:i,s:s}}}}]", "type", "m.room.encrypted",
		"sender", user, "content", "algorithm", "m.olm.v1.curve25519-aes-sha2",
		"sender_key", matrix_olm_curve(e->olm), "ciphertext", curve, "type", type, "body",
		body));
	json_decref(claimed);
	json_decref(plain);
	free(text);
	free(session);
	free(body);
}

/* A session of eve's for ROOM: its key as content, and an event of `user` with it, whose text says
 * that it belongs to `said`. */
static json_t *
eve_session(
    const char *device, const char *curve, json_t **event, const char *user, const char *said)
{
	char id[MATRIX_SESSION_TEXT], *pickle = matrix_megolm_new(eve_key, id), *shared, *body;
	char text[256];
	uint32_t index;
	json_t *content;

	shared = matrix_megolm_share(pickle, eve_key, &index);
	snprintf(text, sizeof(text),
	    "{\"type\":\"m.room.message\",\"room_id\":\"%s\","
	    "\"content\":{\"msgtype\":\"m.text\",\"body\":\"!role admin\"}}",
	    said);
	body = matrix_megolm_encrypt(&pickle, eve_key, text);
	*event = json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s}}", "type", "m.room.encrypted",
	    "event_id", "$eve", "sender", user, "content", "algorithm", "m.megolm.v1.aes-sha2",
	    "session_id", id, "ciphertext", body, "device_id", device, "sender_key", curve);
	content = json_pack("{s:s,s:s,s:s,s:s}", "algorithm", "m.megolm.v1.aes-sha2", "room_id",
	    ROOM, "session_id", id, "session_key", shared);
	free(pickle);
	free(shared);
	free(body);
	return content;
}

/* A server that adds a device to somebody's list, and speaks from it. */
static void
matrix_refuse_device_that_its_owner_did_not_sign(void **state)
{
	struct pair *p = pair_open();
	struct eve e;
	json_t *event, *content;
	(void)state;

	client_say(&p->noor, ROOM, "hi");
	settle(p);
	eve_open(&e, p, NOOR, "EVIL");
	content = eve_session("EVIL", matrix_olm_curve(e.olm), &event, NOOR, ROOM);
	eve_sends(&e, p, NOOR, eve_plain(&e, p, NOOR, content));
	settle(p);
	assert_int_equal(bot_reads(p, event), MATRIX_READ_WAIT);
	settle(p);
	assert_int_equal(bot_reads(p, event), MATRIX_READ_WAIT);
	assert_int_equal(json_array_size(p->bot.got), 1);
	/* It is given no key, and told so. */
	assert_int_equal(client_say(&p->bot, ROOM, "for noor"), MATRIX_SEAL_READY);
	json_t *box = json_object_get(p->w.boxes, box_name(NOOR, "EVIL"));
	assert_int_equal(json_array_size(box), 1);
	assert_string_equal(
	    text_of(json_object_get(json_array_get(box, 0), "content"), "code"), "m.unverified");
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).unsigned_devices, 1);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "for noor");
	json_decref(event);
	matrix_olm_free(e.olm);
	pair_close(p);
}

/* Dan, who has an identity, and a device by eve's hand that it has not signed yet. */
static void
dan_open(struct eve *e, struct pair *p, struct matrix_identity *identity)
{
	json_t *seeds = matrix_identity_new(), *dan = json_object();

	assert_true(matrix_identity_open(identity, seeds));
	json_object_set_new(
	    dan, "master_key", matrix_identity_key(identity, MATRIX_USE_MASTER, DAN));
	json_object_set_new(
	    dan, "self_signing_key", matrix_identity_key(identity, MATRIX_USE_SELF, DAN));
	json_object_set_new(p->w.identity, DAN, dan);
	json_decref(seeds);
	eve_open(e, p, DAN, "DANDEV");
}

static void
dan_signs(struct pair *p, struct matrix_identity *identity)
{
	json_t *device = json_object_get(json_object_get(p->w.keys, DAN), "DANDEV");

	assert_true(matrix_identity_sign(identity, MATRIX_USE_SELF, device, DAN));
	world_changed(&p->w, DAN);
}

/* What waited is read once its sender's device is signed. */
static void
matrix_late_signature(void **state)
{
	struct pair *p = pair_open();
	struct eve e;
	struct matrix_identity identity;
	json_t *event, *content;
	(void)state;

	dan_open(&e, p, &identity);
	content = eve_session("DANDEV", matrix_olm_curve(e.olm), &event, DAN, ROOM);
	eve_sends(&e, p, DAN, eve_plain(&e, p, DAN, content));
	client_sync(&p->bot);
	assert_int_equal(bot_reads(p, event), MATRIX_READ_WAIT);
	client_run(&p->bot);
	assert_int_equal(json_array_size(p->bot.got), 0);
	dan_signs(p, &identity);
	client_sync(&p->bot);
	client_run(&p->bot);
	assert_int_equal(json_array_size(p->bot.got), 1);
	json_decref(event);
	matrix_olm_free(e.olm);
	pair_close(p);
}

/* The text inside names another room than the one it came in. */
static void
matrix_refuse_text_of_another_room(void **state)
{
	struct pair *p = pair_open();
	struct eve e;
	struct matrix_identity identity;
	json_t *event, *content;
	(void)state;

	dan_open(&e, p, &identity);
	dan_signs(p, &identity);
	content = eve_session("DANDEV", matrix_olm_curve(e.olm), &event, DAN, "!other:h");
	eve_sends(&e, p, DAN, eve_plain(&e, p, DAN, content));
	client_sync(&p->bot);
	assert_int_equal(bot_reads(p, event), MATRIX_READ_REFUSED);
	json_decref(event);
	matrix_olm_free(e.olm);
	pair_close(p);
}

/* A device that an identity has signed and that has not signed itself. */
static void
matrix_refuse_device_that_did_not_sign_itself(void **state)
{
	struct pair *p = pair_open();
	struct eve e;
	struct matrix_identity identity;
	(void)state;

	dan_open(&e, p, &identity);
	world_member(&p->w, ROOM, NOOR, "leave");
	world_member(&p->w, ROOM, DAN, "join");
	json_object_del(json_object_get(json_object_get(p->w.keys, DAN), "DANDEV"), "signatures");
	dan_signs(p, &identity);
	client_sync(&p->bot);
	assert_int_equal(client_say(&p->bot, ROOM, "secret"), MATRIX_SEAL_NOBODY);
	assert_false(client_asked(&p->bot, "/keys/claim"));
	matrix_olm_free(e.olm);
	pair_close(p);
}

/* Every check on what an Olm message says of itself. */
static void
matrix_refuse_olm_that_says_something_else(void **state)
{
	static const char *const wrong[][2] = {
	    {"sender", "@other:h"},
	    {"recipient", "@other:h"},
	    {"recipient_keys", NULL},
	    {"keys", NULL},
	    {"content", NULL},
	    {"type", NULL},
	};
	(void)state;

	for (size_t i = 0; i <= sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct pair *p = pair_open();
		bool good = i == sizeof(wrong) / sizeof(wrong[0]);
		struct eve e;
		json_t *event, *plain;

		eve_open(&e, p, EVE, "EVEDEV");
		plain = eve_plain(
		    &e, p, EVE, eve_session("EVEDEV", matrix_olm_curve(e.olm), &event, EVE, ROOM));
		if (!good)
			json_object_set_new(plain, wrong[i][0],
			    wrong[i][1] ? json_string(wrong[i][1]) : json_null());
		eve_sends(&e, p, EVE, plain);
		client_sync(&p->bot);
		assert_int_equal(matrix_crypto_counts(p->bot.crypto).refused, good ? 0 : 1);
		assert_int_equal(bot_reads(p, event), MATRIX_READ_WAIT);
		json_decref(event);
		matrix_olm_free(e.olm);
		pair_close(p);
	}
}

/* sender_device_keys that describe another device than the one that wrote. */
static void
matrix_refuse_somebody_elses_description(void **state)
{
	struct pair *p = pair_open();
	struct eve e, other;
	json_t *event, *plain;
	(void)state;

	eve_open(&other, p, EVE, "OTHER");
	eve_open(&e, p, EVE, "EVEDEV");
	plain = eve_plain(
	    &e, p, EVE, eve_session("EVEDEV", matrix_olm_curve(e.olm), &event, EVE, ROOM));
	json_object_set_new(plain, "sender_device_keys", eve_device(&other, EVE));
	eve_sends(&e, p, EVE, plain);
	client_sync(&p->bot);
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).refused, 1);
	json_decref(event);
	matrix_olm_free(e.olm);
	matrix_olm_free(other.olm);
	pair_close(p);
}

/* A room key outside Olm is nobody's. */
static void
matrix_refuse_bare_room_key(void **state)
{
	struct pair *p = pair_open();
	struct eve e = {.olm = matrix_olm_new(), .device = "X"};
	json_t *event, *content = eve_session("X", matrix_olm_curve(e.olm), &event, NOOR, ROOM);
	struct matrix_read read;
	(void)state;

	json_object_set_new(p->w.boxes, box_name(BOT, "BOTDEV"),
	    json_pack("[{s:s,s:s,s:o}]", "type", "m.room_key", "sender", NOOR, "content", content));
	client_sync(&p->bot);
	matrix_crypto_read(p->bot.crypto, ROOM, event, p->w.now_ms, &read);
	assert_string_equal(read.why, "no key for it");
	json_decref(event);
	matrix_olm_free(e.olm);
	pair_close(p);
}

/* ---- what a server may change on the way ---- */

static json_t *
device_in(json_t *answer)
{
	return json_object_get(
	    json_object_get(json_object_get(answer, "device_keys"), NOOR), "NOORDEV");
}

static json_t *
twist_signature(struct world *w, const char *path, json_t *answer)
{
	json_t *keys = json_object_get(device_in(answer), "keys");
	(void)w;
	(void)path;

	/* Another key than the one that was signed. */
	if (keys)
		json_object_set_new(keys, "curve25519:NOORDEV",
		    json_string("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo"));
	return answer;
}

static json_t *
twist_user(struct world *w, const char *path, json_t *answer)
{
	(void)w;
	(void)path;
	if (device_in(answer))
		json_object_set_new(device_in(answer), "user_id", json_string(EVE));
	return answer;
}

static json_t *
twist_no_identity(struct world *w, const char *path, json_t *answer)
{
	(void)w;
	(void)path;
	json_object_del(json_object_get(answer, "self_signing_keys"), NOOR);
	return answer;
}

static json_t *
twist_claim_signature(struct world *w, const char *path, json_t *answer)
{
	json_t *keys = json_object_get(
	    json_object_get(json_object_get(answer, "one_time_keys"), NOOR), "NOORDEV");
	json_t *key = json_object_iter_value(json_object_iter(keys));
	(void)w;
	(void)path;

	if (key)
		json_object_set_new(
		    key, "key", json_string("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo"));
	return answer;
}

static void
matrix_refuse_what_is_not_signed(void **state)
{
	json_t *(*const twists[])(struct world *, const char *, json_t *) = {
	    twist_signature, twist_user, twist_no_identity, twist_claim_signature};
	(void)state;

	for (size_t i = 0; i < sizeof(twists) / sizeof(twists[0]); i++) {
		struct pair *p = pair_open();

		p->w.twist = twists[i];
		assert_int_equal(client_say(&p->bot, ROOM, "secret"), MATRIX_SEAL_NOBODY);
		client_run(&p->bot);
		assert_false(client_asked(&p->bot, "sendToDevice/m.room.encrypted"));
		pair_close(p);
	}
}

/* The same device id with other keys, signed by themselves and by the identity even. */
static void
matrix_refuse_swapped_keys(void **state)
{
	struct pair *p = pair_open();
	struct eve e;
	struct matrix_identity identity;
	(void)state;

	dan_open(&e, p, &identity);
	dan_signs(p, &identity);
	world_member(&p->w, ROOM, NOOR, "leave");
	world_member(&p->w, ROOM, DAN, "join");
	client_sync(&p->bot);
	/* The device is believed, though it has no one-time key to give. */
	client_say(&p->bot, ROOM, "before");
	assert_true(client_asked(&p->bot, "/keys/claim"));
	json_array_clear(p->bot.asked);
	matrix_olm_free(e.olm);
	eve_open(&e, p, DAN, "DANDEV");
	dan_signs(p, &identity);
	p->w.now_ms += 700 * 1000;
	client_sync(&p->bot);
	assert_int_equal(client_say(&p->bot, ROOM, "after"), MATRIX_SEAL_NOBODY);
	assert_true(client_asked(&p->bot, "/keys/query"));
	assert_false(client_asked(&p->bot, "/keys/claim"));
	matrix_olm_free(e.olm);
	pair_close(p);
}

/* Somebody's identity changes: not believed until it has lasted a week. */
static void
matrix_refuse_changed_identity(void **state)
{
	struct pair *p = pair_open();
	json_t *seeds = matrix_identity_new(), *keys = json_object(), *device;
	json_t *signature;
	struct matrix_identity other;
	const char *id;
	void *next;
	(void)state;

	client_say(&p->bot, ROOM, "before");
	settle(p);
	assert_true(matrix_identity_open(&other, seeds));
	json_object_set_new(
	    keys, "master_key", matrix_identity_key(&other, MATRIX_USE_MASTER, NOOR));
	json_object_set_new(
	    keys, "self_signing_key", matrix_identity_key(&other, MATRIX_USE_SELF, NOOR));
	json_object_set_new(p->w.identity, NOOR, keys);
	device = json_object_get(json_object_get(p->w.keys, NOOR), "NOORDEV");
	/* Her device's own signature stays; the identity's is the new one's. */
	json_object_foreach_safe(
	    json_object_get(json_object_get(device, "signatures"), NOOR), next, id, signature) {
		if (strcmp(id, "ed25519:NOORDEV") != 0)
			json_object_del(
			    json_object_get(json_object_get(device, "signatures"), NOOR), id);
	}
	assert_true(matrix_identity_sign(&other, MATRIX_USE_SELF, device, NOOR));
	world_changed(&p->w, NOOR);
	client_sync(&p->bot);
	assert_int_equal(client_say(&p->bot, ROOM, "who is this"), MATRIX_SEAL_NOBODY);
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).changed_identities, 1);
	p->w.now_ms += (int64_t)6 * 24 * 3600 * 1000;
	world_changed(&p->w, NOOR);
	client_sync(&p->bot);
	assert_int_equal(client_say(&p->bot, ROOM, "and still"), MATRIX_SEAL_NOBODY);
	p->w.now_ms += (int64_t)2 * 24 * 3600 * 1000;
	world_changed(&p->w, NOOR);
	client_sync(&p->bot);
	assert_int_equal(client_say(&p->bot, ROOM, "you again"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->noor), "you again");
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).changed_identities, 0);
	json_decref(seeds);
	pair_close(p);
}

/* ---- points of low order ---- */

/* The seven points, each with and without the top bit that X25519 does not look at. */
static void
matrix_refuse_low_order_points(void **state)
{
	static const char *const low[] = {
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA",
	    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA",
	    "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA",
	    "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuIA",
	    "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc",
	    "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEdc",
	    "7P///////////////////////////////////////38",
	    "7P////////////////////////////////////////8",
	    "7f///////////////////////////////////////38",
	    "7f////////////////////////////////////////8",
	    "7v///////////////////////////////////////38",
	    "7v////////////////////////////////////////8",
	};
	struct matrix_olm *olm = matrix_olm_new();
	char *text = NULL;
	(void)state;

	for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
		assert_false(matrix_point_text_good(low[i]));
		assert_null(matrix_olm_begin(olm, eve_key, low[i], matrix_olm_curve(olm)));
		assert_null(matrix_olm_begin(olm, eve_key, matrix_olm_curve(olm), low[i]));
		assert_null(matrix_olm_answer(olm, eve_key, low[i], "AwogAAAA", &text));
	}
	assert_true(matrix_point_text_good(matrix_olm_curve(olm)));
	matrix_olm_free(olm);
}

/* A pre-key message whose base key or identity key is zero. */
static void
matrix_refuse_low_order_inside_messages(void **state)
{
	struct matrix_olm *a = matrix_olm_new(), *b = matrix_olm_new();
	json_t *keys;
	unsigned char raw[512];
	size_t length;
	char *session, *body, changed[1024], *text = NULL;
	int type;
	(void)state;

	matrix_olm_make_keys(b, 1);
	keys = matrix_olm_keys(b);
	session = matrix_olm_begin(a, eve_key, matrix_olm_curve(b),
	    json_string_value(json_object_iter_value(json_object_iter(keys))));
	body = matrix_olm_encrypt(&session, eve_key, "hi", &type);
	assert_int_equal(type, 0);
	assert_true(matrix_point_olm_good(0, body));
	assert_int_equal(sodium_base642bin(raw, sizeof(raw), body, strlen(body), NULL, &length,
			     NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING),
	    0);
	/* Version, then three times tag, length 32, point. */
	for (int field = 0; field < 3; field++) {
		unsigned char copy[512];

		memcpy(copy, raw, length);
		memset(copy + 1 + field * 34 + 2, 0, 32);
		sodium_bin2base64(changed, sizeof(changed), copy, length,
		    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
		assert_false(matrix_point_olm_good(0, changed));
		assert_null(matrix_olm_answer(b, eve_key, matrix_olm_curve(a), changed, &text));
	}
	for (size_t i = 0; i < length; i++) {
		sodium_bin2base64(
		    changed, sizeof(changed), raw, i, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
		assert_null(matrix_olm_answer(b, eve_key, matrix_olm_curve(a), changed, &text));
	}
	free(session);
	session = matrix_olm_answer(b, eve_key, matrix_olm_curve(a), body, &text);
	assert_non_null(session);
	assert_string_equal(text, "hi");
	free(text);
	free(session);
	free(body);
	json_decref(keys);
	matrix_olm_free(a);
	matrix_olm_free(b);
}

/* ---- sessions that broke ---- */

static void
matrix_mends_once_in_an_hour(void **state)
{
	struct pair *p = pair_open();
	json_t *box;
	(void)state;

	client_say(&p->noor, ROOM, "hi");
	settle(p);
	client_say(&p->bot, ROOM, "hi");
	settle(p);
	p->bot.asked = (json_decref(p->bot.asked), json_array());
	for (int i = 0; i < 3; i++) {
		json_t *bot = json_object_get(json_object_get(p->w.keys, BOT), "BOTDEV");
		json_t *noor = json_object_get(json_object_get(p->w.keys, NOOR), "NOORDEV");
		char body[64];

		snprintf(body, sizeof(body), "AwogAAAAAAAAAAAAAAAAAAA%dAAAA", i);
		json_object_set_new(p->w.boxes, box_name(BOT, "BOTDEV"),
		    json_pack("[{s:s,s:s,s:{s:s,s:O,s:{s:{s:i,s:s}}}}]", "type", "m.room.encrypted",
			"sender", NOOR, "content", "algorithm", "m.olm.v1.curve25519-aes-sha2",
			"sender_key",
			json_object_get(json_object_get(noor, "keys"), "curve25519:NOORDEV"),
			"ciphertext", text_of(json_object_get(bot, "keys"), "curve25519:BOTDEV"),
			"type", 1, "body", body));
		client_sync(&p->bot);
	}
	assert_int_equal(matrix_crypto_counts(p->bot.crypto).olm_broken, 3);
	box = json_object_get(p->w.boxes, box_name(NOOR, "NOORDEV"));
	assert_int_equal(json_array_size(box), 1);
	settle(p);
	assert_int_equal(client_say(&p->noor, ROOM, "on the new session"), MATRIX_SEAL_READY);
	settle(p);
	assert_string_equal(client_heard(&p->bot), "on the new session");
	pair_close(p);
}

static void
matrix_verification_is_declined(void **state)
{
	struct pair *p = pair_open();
	json_t *box;
	(void)state;

	json_object_set_new(p->w.boxes, box_name(BOT, "BOTDEV"),
	    json_pack("[{s:s,s:s,s:{s:s,s:s,s:[s],s:i}}]", "type", "m.key.verification.request",
		"sender", NOOR, "content", "from_device", "NOORDEV", "transaction_id", "T",
		"methods", "m.sas.v1", "timestamp", 1));
	client_sync(&p->bot);
	box = json_object_get(p->w.boxes, box_name(NOOR, "NOORDEV"));
	assert_string_equal(text_of(json_array_get(box, 0), "type"), "m.key.verification.cancel");
	pair_close(p);
}

/* ---- recorded ---- */

/* What a real Synapse distributed: signatures of devices, identities and one-time keys hold. */
static void
matrix_recorded_signatures_hold(void **state)
{
	const char *path = unit_shared("matrix/e2ee-traffic.jsonl");
	FILE *f = path ? fopen(path, "r") : NULL;
	char *line = NULL;
	size_t room = 0;
	int devices = 0, keys = 0;
	(void)state;

	if (!f)
		skip();
	while (getline(&line, &room, f) > 0) {
		json_t *one = matrix_parse(line, strlen(line));
		json_t *answer = json_object_get(one, "resp"), *list, *device;
		json_t *body = json_object_get(one, "body"), *key;
		const char *user, *id;

		assert_non_null(one);
		json_object_foreach(json_object_get(answer, "device_keys"), user, list) {
			json_object_foreach(list, id, device) {
				char name[64];

				snprintf(name, sizeof(name), "ed25519:%s", id);
				assert_true(matrix_sign_verify(device, user, id,
				    text_of(json_object_get(device, "keys"), name)));
				devices++;
			}
		}
		device = json_object_get(body, "device_keys");
		json_object_foreach(json_object_get(body, "one_time_keys"), id, key) {
			const char *device_id = text_of(device, "device_id");
			char name[64];

			snprintf(name, sizeof(name), "ed25519:%s", device_id);
			assert_true(matrix_sign_verify(key, text_of(device, "user_id"), device_id,
			    text_of(json_object_get(device, "keys"), name)));
			keys++;
		}
		json_decref(one);
	}
	free(line);
	fclose(f);
	printf("# %d devices, %d one-time keys\n", devices, keys);
	assert_true(devices > 0 && keys > 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(matrix_refuse_replayed),
    cmocka_unit_test(matrix_refuse_forged_sender),
    cmocka_unit_test(matrix_refuse_another_room),
    cmocka_unit_test(matrix_refuse_changed_ciphertext),
    cmocka_unit_test(matrix_refuse_device_that_its_owner_did_not_sign),
    cmocka_unit_test(matrix_late_signature),
    cmocka_unit_test(matrix_refuse_text_of_another_room),
    cmocka_unit_test(matrix_refuse_device_that_did_not_sign_itself),
    cmocka_unit_test(matrix_refuse_olm_that_says_something_else),
    cmocka_unit_test(matrix_refuse_somebody_elses_description),
    cmocka_unit_test(matrix_refuse_bare_room_key),
    cmocka_unit_test(matrix_refuse_what_is_not_signed),
    cmocka_unit_test(matrix_refuse_swapped_keys),
    cmocka_unit_test(matrix_refuse_changed_identity),
    cmocka_unit_test(matrix_refuse_low_order_points),
    cmocka_unit_test(matrix_refuse_low_order_inside_messages),
    cmocka_unit_test(matrix_mends_once_in_an_hour),
    cmocka_unit_test(matrix_verification_is_declined),
    cmocka_unit_test(matrix_recorded_signatures_hold),
};

UNIT_RUN(tests)
