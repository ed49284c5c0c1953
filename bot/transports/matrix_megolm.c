#include "transports/matrix_megolm.h"

#include <stdlib.h>
#include <string.h>

#include <olm/olm.h>
#include <sodium.h>

#include "base/memory.h"

enum { KEY = 32, BODY_MAX = 512 * 1024, HEAD = 16 };

static OlmOutboundGroupSession *
out_new(void)
{
	return olm_outbound_group_session(memory_new(olm_outbound_group_session_size()));
}

static void
out_free(OlmOutboundGroupSession *session)
{
	olm_clear_outbound_group_session(session);
	free(session);
}

static OlmOutboundGroupSession *
out_open(const char *pickle, const unsigned char *key)
{
	OlmOutboundGroupSession *session = out_new();
	char *copy = memory_string(pickle);

	if (olm_unpickle_outbound_group_session(session, key, KEY, copy, strlen(copy)) ==
	    olm_error()) {
		out_free(session);
		session = NULL;
	}
	free(copy);
	return session;
}

static char *
out_pickle(OlmOutboundGroupSession *session, const unsigned char *key)
{
	size_t length = olm_pickle_outbound_group_session_length(session);
	char *pickle = memory_new(length + 1);

	if (olm_pickle_outbound_group_session(session, key, KEY, pickle, length) == olm_error())
		abort();
	return pickle;
}

char *
matrix_megolm_new(const unsigned char *key, char id[MATRIX_SESSION_TEXT])
{
	OlmOutboundGroupSession *session = out_new();
	size_t length = olm_init_outbound_group_session_random_length(session);
	unsigned char *random = memory_new(length);
	char *pickle;

	randombytes_buf(random, length);
	if (olm_init_outbound_group_session(session, random, length) == olm_error())
		abort();
	sodium_memzero(random, length);
	free(random);
	memset(id, 0, MATRIX_SESSION_TEXT);
	if (olm_outbound_group_session_id(session, (uint8_t *)id, MATRIX_SESSION_TEXT - 1) ==
	    olm_error())
		abort();
	pickle = out_pickle(session, key);
	out_free(session);
	return pickle;
}

char *
matrix_megolm_share(const char *pickle, const unsigned char *key, uint32_t *index)
{
	OlmOutboundGroupSession *session = out_open(pickle, key);
	size_t length;
	char *shared;

	if (!session)
		return NULL;
	*index = olm_outbound_group_session_message_index(session);
	length = olm_outbound_group_session_key_length(session);
	shared = memory_new(length + 1);
	if (olm_outbound_group_session_key(session, (uint8_t *)shared, length) == olm_error())
		abort();
	out_free(session);
	return shared;
}

char *
matrix_megolm_encrypt(char **pickle, const unsigned char *key, const char *text)
{
	OlmOutboundGroupSession *session = out_open(*pickle, key);
	size_t length;
	char *body;

	if (!session)
		return NULL;
	length = olm_group_encrypt_message_length(session, strlen(text));
	body = memory_new(length + 1);
	if (olm_group_encrypt(session, (const uint8_t *)text, strlen(text), (uint8_t *)body,
		length) == olm_error())
		abort();
	free(*pickle);
	*pickle = out_pickle(session, key);
	out_free(session);
	return body;
}

static OlmInboundGroupSession *
in_new(void)
{
	return olm_inbound_group_session(memory_new(olm_inbound_group_session_size()));
}

static void
in_free(OlmInboundGroupSession *session)
{
	olm_clear_inbound_group_session(session);
	free(session);
}

char *
matrix_megolm_take(
    const char *shared, const unsigned char *key, char id[MATRIX_SESSION_TEXT], uint32_t *first)
{
	OlmInboundGroupSession *session = in_new();
	char *pickle = NULL;
	size_t length;

	memset(id, 0, MATRIX_SESSION_TEXT);
	if (olm_init_inbound_group_session(session, (const uint8_t *)shared, strlen(shared)) !=
		olm_error() &&
	    olm_inbound_group_session_id(session, (uint8_t *)id, MATRIX_SESSION_TEXT - 1) !=
		olm_error()) {
		*first = olm_inbound_group_session_first_known_index(session);
		length = olm_pickle_inbound_group_session_length(session);
		pickle = memory_new(length + 1);
		if (olm_pickle_inbound_group_session(session, key, KEY, pickle, length) ==
		    olm_error())
			abort();
	}
	in_free(session);
	return pickle;
}

/* libolm writes over what it reads, so each call has its own copy of the body. */
static char *
open_body(OlmInboundGroupSession *session, const char *body, uint32_t *index)
{
	size_t length = strlen(body), most, got;
	char *copy = memory_string(body), *text;

	most = olm_group_decrypt_max_plaintext_length(session, (uint8_t *)copy, length);
	free(copy);
	if (most == olm_error())
		return NULL;
	copy = memory_string(body);
	text = memory_new(most + 1);
	got = olm_group_decrypt(session, (uint8_t *)copy, length, (uint8_t *)text, most, index);
	free(copy);
	if (got == olm_error()) {
		free(text);
		return NULL;
	}
	text[got] = 0;
	return text;
}

char *
matrix_megolm_decrypt(
    const char *pickle, const unsigned char *key, const char *body, uint32_t *index)
{
	OlmInboundGroupSession *session;
	char *copy, *text = NULL;

	if (strlen(body) > BODY_MAX)
		return NULL;
	session = in_new();
	copy = memory_string(pickle);
	if (olm_unpickle_inbound_group_session(session, key, KEY, copy, strlen(copy)) !=
	    olm_error())
		text = open_body(session, body, index);
	free(copy);
	in_free(session);
	return text;
}

/* A message is a version byte (3), then tag 0x08 and the index as a varint. */
bool
matrix_megolm_index(const char *body, uint32_t *index)
{
	unsigned char raw[HEAD];
	char head[HEAD / 3 * 4 + 1];
	size_t length = strnlen(body, HEAD / 3 * 4), got = 0;
	uint64_t n = 0;

	length -= length % 4;
	memcpy(head, body, length);
	head[length] = 0;
	if (sodium_base642bin(raw, sizeof(raw), head, length, NULL, &got, NULL,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
	    got < 3 || raw[0] != 3 || raw[1] != 8)
		return false;
	for (size_t i = 2; i < got && i < 7; i++) {
		n |= (uint64_t)(raw[i] & 0x7f) << (7 * (i - 2));
		if (!(raw[i] & 0x80)) {
			*index = (uint32_t)n;
			return n <= UINT32_MAX;
		}
	}
	return false;
}
