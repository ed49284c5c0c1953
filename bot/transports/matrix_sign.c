#include "transports/matrix_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "transports/matrix_canonical.h"
#include "transports/matrix_point.h"

bool
matrix_sign_verify(const json_t *object, const char *user, const char *key_id, const char *key)
{
	unsigned char public[MATRIX_KEY_BYTES], signature[crypto_sign_BYTES];
	char name[300];
	const json_t *all = json_object_get(json_object_get(object, "signatures"), user);
	const char *text;
	char *signable;
	bool good;

	if (snprintf(name, sizeof(name), "ed25519:%s", key_id) >= (int)sizeof(name))
		return false;
	text = json_string_value(json_object_get(all, name));
	if (!text || !matrix_point_decode(text, signature, sizeof(signature)) ||
	    !matrix_point_decode(key, public, sizeof(public)))
		return false;
	signable = matrix_canonical_signable(object);
	if (!signable)
		return false;
	good = crypto_sign_verify_detached(
		   signature, (const unsigned char *)signable, strlen(signable), public) == 0;
	free(signable);
	return good;
}

void
matrix_sign_attach(json_t *object, const char *user, const char *key_id, const char *signature)
{
	char name[300];
	json_t *all = json_object_get(object, "signatures"), *of_user;

	snprintf(name, sizeof(name), "ed25519:%s", key_id);
	if (!all) {
		all = json_object();
		json_object_set_new(object, "signatures", all);
	}
	of_user = json_object_get(all, user);
	if (!of_user) {
		of_user = json_object();
		json_object_set_new(all, user, of_user);
	}
	json_object_set_new(of_user, name, json_string(signature));
}
