#include "transports/matrix_olm.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <olm/olm.h>
#include <sodium.h>

#include "base/memory.h"
#include "transports/matrix_point.h"

enum { KEY = 32, BODY_MAX = 512 * 1024 };

struct matrix_olm {
	OlmAccount *account;
	char curve[MATRIX_KEY_TEXT], ed[MATRIX_KEY_TEXT];
};

static unsigned char *
random_bytes(size_t length)
{
	unsigned char *bytes = memory_new(length);

	randombytes_buf(bytes, length);
	return bytes;
}

static void
wipe(void *bytes, size_t length)
{
	sodium_memzero(bytes, length);
	free(bytes);
}

static bool
identity_read(struct matrix_olm *olm)
{
	size_t length = olm_account_identity_keys_length(olm->account);
	char *text = memory_new(length + 1);
	json_t *keys = NULL;
	const char *curve, *ed;
	bool good = false;

	if (olm_account_identity_keys(olm->account, text, length) != olm_error())
		keys = json_loads(text, 0, NULL);
	curve = json_string_value(json_object_get(keys, "curve25519"));
	ed = json_string_value(json_object_get(keys, "ed25519"));
	if (curve && ed && strlen(curve) < MATRIX_KEY_TEXT && strlen(ed) < MATRIX_KEY_TEXT) {
		memcpy(olm->curve, curve, strlen(curve) + 1);
		memcpy(olm->ed, ed, strlen(ed) + 1);
		good = true;
	}
	json_decref(keys);
	free(text);
	return good;
}

static struct matrix_olm *
account_new(void)
{
	struct matrix_olm *olm = memory_new(sizeof(*olm));

	olm->account = olm_account(memory_new(olm_account_size()));
	return olm;
}

struct matrix_olm *
matrix_olm_new(void)
{
	struct matrix_olm *olm = account_new();
	size_t length = olm_create_account_random_length(olm->account);
	unsigned char *random = random_bytes(length);

	if (olm_create_account(olm->account, random, length) == olm_error() || !identity_read(olm))
		abort();
	wipe(random, length);
	return olm;
}

struct matrix_olm *
matrix_olm_open(const char *pickle, const unsigned char *key)
{
	struct matrix_olm *olm = account_new();
	char *copy = memory_string(pickle);

	if (olm_unpickle_account(olm->account, key, KEY, copy, strlen(copy)) == olm_error() ||
	    !identity_read(olm)) {
		matrix_olm_free(olm);
		olm = NULL;
	}
	free(copy);
	return olm;
}

void
matrix_olm_free(struct matrix_olm *olm)
{
	if (!olm)
		return;
	olm_clear_account(olm->account);
	free(olm->account);
	free(olm);
}

char *
matrix_olm_pickle(struct matrix_olm *olm, const unsigned char *key)
{
	size_t length = olm_pickle_account_length(olm->account);
	char *pickle = memory_new(length + 1);

	if (olm_pickle_account(olm->account, key, KEY, pickle, length) == olm_error())
		abort();
	return pickle;
}

const char *
matrix_olm_curve(const struct matrix_olm *olm)
{
	return olm->curve;
}

const char *
matrix_olm_ed(const struct matrix_olm *olm)
{
	return olm->ed;
}

char *
matrix_olm_sign(struct matrix_olm *olm, const char *text)
{
	size_t length = olm_account_signature_length(olm->account);
	char *signature = memory_new(length + 1);

	if (olm_account_sign(olm->account, text, strlen(text), signature, length) == olm_error())
		abort();
	return signature;
}

void
matrix_olm_make_keys(struct matrix_olm *olm, size_t count)
{
	size_t length = olm_account_generate_one_time_keys_random_length(olm->account, count);
	unsigned char *random = random_bytes(length);

	if (olm_account_generate_one_time_keys(olm->account, count, random, length) == olm_error())
		abort();
	wipe(random, length);
}

void
matrix_olm_make_fallback(struct matrix_olm *olm)
{
	size_t length = olm_account_generate_fallback_key_random_length(olm->account);
	unsigned char *random = random_bytes(length);

	if (olm_account_generate_fallback_key(olm->account, random, length) == olm_error())
		abort();
	wipe(random, length);
}

void
matrix_olm_forget_fallback(struct matrix_olm *olm)
{
	olm_account_forget_old_fallback_key(olm->account);
}

/* libolm's {"curve25519": {id: key}}, without its outside. */
static json_t *
inner(char *text, size_t length, size_t written)
{
	json_t *all = NULL, *keys;

	if (written != olm_error())
		all = json_loadb(text, strnlen(text, length), 0, NULL);
	keys = json_object_get(all, "curve25519");
	keys = json_is_object(keys) ? json_incref(keys) : json_object();
	json_decref(all);
	free(text);
	return keys;
}

json_t *
matrix_olm_keys(struct matrix_olm *olm)
{
	size_t length = olm_account_one_time_keys_length(olm->account);
	char *text = memory_new(length + 1);

	return inner(text, length, olm_account_one_time_keys(olm->account, text, length));
}

json_t *
matrix_olm_fallback(struct matrix_olm *olm)
{
	size_t length = olm_account_unpublished_fallback_key_length(olm->account);
	char *text = memory_new(length + 1);

	return inner(
	    text, length, olm_account_unpublished_fallback_key(olm->account, text, length));
}

void
matrix_olm_published(struct matrix_olm *olm)
{
	olm_account_mark_keys_as_published(olm->account);
}

static OlmSession *
session_new(void)
{
	return olm_session(memory_new(olm_session_size()));
}

static void
session_free(OlmSession *session)
{
	olm_clear_session(session);
	free(session);
}

static OlmSession *
session_open(const char *pickle, const unsigned char *key)
{
	OlmSession *session = session_new();
	char *copy = memory_string(pickle);

	if (olm_unpickle_session(session, key, KEY, copy, strlen(copy)) == olm_error()) {
		session_free(session);
		session = NULL;
	}
	free(copy);
	return session;
}

static char *
session_pickle(OlmSession *session, const unsigned char *key)
{
	size_t length = olm_pickle_session_length(session);
	char *pickle = memory_new(length + 1);

	if (olm_pickle_session(session, key, KEY, pickle, length) == olm_error())
		abort();
	return pickle;
}

char *
matrix_olm_begin(struct matrix_olm *olm, const unsigned char *key, const char *their_curve,
    const char *their_one_time)
{
	OlmSession *session;
	size_t length;
	unsigned char *random;
	char *pickle = NULL;

	if (!matrix_point_text_good(their_curve) || !matrix_point_text_good(their_one_time))
		return NULL;
	session = session_new();
	length = olm_create_outbound_session_random_length(session);
	random = random_bytes(length);
	if (olm_create_outbound_session(session, olm->account, their_curve, strlen(their_curve),
		their_one_time, strlen(their_one_time), random, length) != olm_error())
		pickle = session_pickle(session, key);
	wipe(random, length);
	session_free(session);
	return pickle;
}

static bool
body_good(int type, const char *body)
{
	return (type == 0 || type == 1) && body && *body && strlen(body) <= BODY_MAX &&
	       matrix_point_olm_good(type, body);
}

/* libolm writes over what it reads, so each call has its own copy of the body. */
static char *
open_body(OlmSession *session, int type, const char *body)
{
	size_t kind = (size_t)type, length = strlen(body), most, got;
	char *copy = memory_string(body), *text;

	most = olm_decrypt_max_plaintext_length(session, kind, copy, length);
	free(copy);
	if (most == olm_error())
		return NULL;
	copy = memory_string(body);
	text = memory_new(most + 1);
	got = olm_decrypt(session, kind, copy, length, text, most);
	free(copy);
	if (got == olm_error()) {
		wipe(text, most);
		return NULL;
	}
	text[got] = 0;
	return text;
}

char *
matrix_olm_answer(struct matrix_olm *olm, const unsigned char *key, const char *their_curve,
    const char *body, char **text)
{
	OlmSession *session;
	char *copy, *pickle = NULL;

	if (!body_good(0, body) || !matrix_point_text_good(their_curve))
		return NULL;
	session = session_new();
	copy = memory_string(body);
	if (olm_create_inbound_session_from(session, olm->account, their_curve, strlen(their_curve),
		copy, strlen(copy)) != olm_error()) {
		*text = open_body(session, 0, body);
		if (*text) {
			olm_remove_one_time_keys(olm->account, session);
			pickle = session_pickle(session, key);
		}
	}
	free(copy);
	session_free(session);
	return pickle;
}

bool
matrix_olm_matches(
    const char *pickle, const unsigned char *key, const char *their_curve, const char *body)
{
	OlmSession *session;
	char *copy;
	bool matches;

	if (!body_good(0, body))
		return false;
	session = session_open(pickle, key);
	if (!session)
		return false;
	copy = memory_string(body);
	matches = olm_matches_inbound_session_from(
		      session, their_curve, strlen(their_curve), copy, strlen(copy)) == 1;
	free(copy);
	session_free(session);
	return matches;
}

char *
matrix_olm_decrypt(char **pickle, const unsigned char *key, int type, const char *body)
{
	OlmSession *session = body_good(type, body) ? session_open(*pickle, key) : NULL;
	char *text;

	if (!session)
		return NULL;
	text = open_body(session, type, body);
	if (text) {
		free(*pickle);
		*pickle = session_pickle(session, key);
	}
	session_free(session);
	return text;
}

char *
matrix_olm_encrypt(char **pickle, const unsigned char *key, const char *text, int *type)
{
	OlmSession *session = session_open(*pickle, key);
	size_t random_length, length;
	unsigned char *random;
	char *message;

	if (!session)
		return NULL;
	*type = (int)olm_encrypt_message_type(session);
	random_length = olm_encrypt_random_length(session);
	random = random_bytes(random_length);
	length = olm_encrypt_message_length(session, strlen(text));
	message = memory_new(length + 1);
	if (olm_encrypt(session, text, strlen(text), random, random_length, message, length) ==
	    olm_error())
		abort();
	wipe(random, random_length);
	free(*pickle);
	*pickle = session_pickle(session, key);
	session_free(session);
	return message;
}
