#include "transports/matrix_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transports/matrix_canonical.h"
#include "transports/matrix_sign.h"

static const char *const uses[] = {"master", "self_signing", "user_signing"};

json_t *
matrix_identity_new(void)
{
	json_t *seeds = json_array();

	for (int i = 0; i < MATRIX_USES; i++) {
		unsigned char seed[crypto_sign_SEEDBYTES];
		char text[MATRIX_KEY_TEXT + 4];

		randombytes_buf(seed, sizeof(seed));
		matrix_point_encode(seed, sizeof(seed), text);
		json_array_append_new(seeds, json_string(text));
		sodium_memzero(seed, sizeof(seed));
		sodium_memzero(text, sizeof(text));
	}
	return seeds;
}

bool
matrix_identity_open(struct matrix_identity *identity, json_t *seeds)
{
	for (size_t i = 0; i < MATRIX_USES; i++) {
		unsigned char seed[crypto_sign_SEEDBYTES], public[crypto_sign_PUBLICKEYBYTES];
		char text[MATRIX_KEY_TEXT + 4];

		if (!matrix_point_decode(
			json_string_value(json_array_get(seeds, i)), seed, sizeof(seed)))
			return false;
		crypto_sign_seed_keypair(public, identity->secret[i], seed);
		matrix_point_encode(public, sizeof(public), text);
		memcpy(identity->public[i], text, MATRIX_KEY_TEXT);
		sodium_memzero(seed, sizeof(seed));
	}
	return true;
}

bool
matrix_identity_sign(
    const struct matrix_identity *identity, enum matrix_use use, json_t *object, const char *user)
{
	unsigned char signature[crypto_sign_BYTES];
	char text[crypto_sign_BYTES * 4 / 3 + 4];
	char *signable = matrix_canonical_signable(object);

	if (!signable)
		return false;
	crypto_sign_detached(signature, NULL, (const unsigned char *)signable, strlen(signable),
	    identity->secret[use]);
	free(signable);
	matrix_point_encode(signature, sizeof(signature), text);
	matrix_sign_attach(object, user, identity->public[use], text);
	return true;
}

json_t *
matrix_identity_key(const struct matrix_identity *identity, enum matrix_use use, const char *user)
{
	const char *public = identity->public[use];
	char name[MATRIX_KEY_TEXT + sizeof("ed25519:")];
	json_t *key;

	snprintf(name, sizeof(name), "ed25519:%s", public);
	key = json_pack(
	    "{s:s,s:[s],s:{s:s}}", "user_id", user, "usage", uses[use], "keys", name, public);
	if (!key)
		memory_exhausted();
	if (use != MATRIX_USE_MASTER)
		matrix_identity_sign(identity, MATRIX_USE_MASTER, key, user);
	return key;
}
