#include "transports/matrix_file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>

enum { KEY = 32, IV = 16, HASH = 32, TEXT = 64 };

static bool
crypt_in_place(
    unsigned char *bytes, size_t length, const unsigned char key[KEY], const unsigned char iv[IV])
{
	EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new();
	int done = 0;
	bool good = aes && length <= INT_MAX &&
		    EVP_EncryptInit_ex(aes, EVP_aes_256_ctr(), NULL, key, iv) == 1 &&
		    EVP_EncryptUpdate(aes, bytes, &done, bytes, (int)length) == 1 &&
		    (size_t)done == length;

	EVP_CIPHER_CTX_free(aes);
	return good;
}

static void
text_of(const void *bytes, size_t length, int variant, char out[TEXT])
{
	sodium_bin2base64(out, TEXT, bytes, length, variant);
}

json_t *
matrix_file_seal(unsigned char *bytes, size_t length)
{
	unsigned char key[KEY], iv[IV] = {0}, hash[HASH];
	char key_text[TEXT], iv_text[TEXT], hash_text[TEXT];
	json_t *file;

	randombytes_buf(key, sizeof(key));
	/* The counter's half begins at zero, so that it never wraps within a file. */
	randombytes_buf(iv, IV / 2);
	if (!crypt_in_place(bytes, length, key, iv))
		return NULL;
	crypto_hash_sha256(hash, bytes, length);
	text_of(key, sizeof(key), sodium_base64_VARIANT_URLSAFE_NO_PADDING, key_text);
	text_of(iv, sizeof(iv), sodium_base64_VARIANT_ORIGINAL_NO_PADDING, iv_text);
	text_of(hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL_NO_PADDING, hash_text);
	file = json_pack("{s:s,s:s,s:{s:s},s:{s:s,s:s,s:s,s:b,s:[s,s]}}", "v", "v2", "iv", iv_text,
	    "hashes", "sha256", hash_text, "key", "alg", "A256CTR", "kty", "oct", "k", key_text,
	    "ext", 1, "key_ops", "encrypt", "decrypt");
	sodium_memzero(key, sizeof(key));
	sodium_memzero(key_text, sizeof(key_text));
	return file;
}

char *
matrix_file_number(const json_t *file, const char *url, size_t length)
{
	const char *key, *iv, *hash;
	char *number = NULL;

	if (json_unpack((json_t *)file, "{s:{s:s},s:s,s:{s:s}}", "key", "k", &key, "iv", &iv,
		"hashes", "sha256", &hash) ||
	    asprintf(&number, "%s %zu %s %s %s", url, length, key, iv, hash) < 0)
		return NULL;
	return number;
}

json_t *
matrix_file_numbered(const char *number, size_t *length)
{
	char url[160], key[TEXT], iv[TEXT], hash[TEXT];

	if (sscanf(number, "%159s %zu %47s %47s %47s", url, length, key, iv, hash) != 5)
		return NULL;
	return json_pack("{s:s,s:s,s:s,s:{s:s},s:{s:s,s:s,s:s,s:b,s:[s,s]}}", "url", url, "v", "v2",
	    "iv", iv, "hashes", "sha256", hash, "key", "alg", "A256CTR", "kty", "oct", "k", key,
	    "ext", 1, "key_ops", "encrypt", "decrypt");
}

/* Either alphabet, with or without the padding: clients differ. */
static bool
bytes_of(const char *text, unsigned char *out, size_t length)
{
	static const int variants[] = {sodium_base64_VARIANT_URLSAFE_NO_PADDING,
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE,
	    sodium_base64_VARIANT_ORIGINAL};
	size_t got;

	for (size_t i = 0; text && i < sizeof(variants) / sizeof(variants[0]); i++)
		if (sodium_base642bin(
			out, length, text, strlen(text), NULL, &got, NULL, variants[i]) == 0 &&
		    got == length)
			return true;
	return false;
}

bool
matrix_file_open(
    unsigned char *bytes, size_t length, const char *key, const char *iv, const char *hash)
{
	unsigned char k[KEY], v[IV], said[HASH], is[HASH];
	bool good = bytes_of(key, k, KEY) && bytes_of(iv, v, IV) && bytes_of(hash, said, HASH);

	if (good) {
		crypto_hash_sha256(is, bytes, length);
		good = sodium_memcmp(is, said, HASH) == 0 && crypt_in_place(bytes, length, k, v);
	}
	sodium_memzero(k, sizeof(k));
	return good;
}
