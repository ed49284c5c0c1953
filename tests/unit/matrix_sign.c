/* JSON as strangers send it, its canonical form, and signatures over it. */
#include <sodium.h>

#include "transports/matrix_canonical.h"
#include "transports/matrix_identity.h"
#include "transports/matrix_parse.h"
#include "transports/matrix_sign.h"
#include "unit.h"

static void
same(const char *in, const char *out)
{
	json_t *value = matrix_parse(in, strlen(in));
	char *text = matrix_canonical(value);

	if (out)
		assert_string_equal(text, out);
	else
		assert_null(text);
	free(text);
	json_decref(value);
}

/* The examples of the specification's appendix, and the edges between them. */
static void
matrix_canonical_form(void **state)
{
	(void)state;
	same("{}", "{}");
	same("{\"one\": 1, \"two\": \"Two\"}", "{\"one\":1,\"two\":\"Two\"}");
	same("{\"b\": \"2\", \"a\": \"1\"}", "{\"a\":\"1\",\"b\":\"2\"}");
	same("{\"auth\":{\"success\":true,\"mxid\":\"@john.doe:example.com\",\"profile\":"
	     "{\"display_name\":\"John Doe\",\"three_pids\":[{\"medium\":\"email\",\"address\":"
	     "\"john.doe@example.org\"},{\"medium\":\"msisdn\",\"address\":\"123456789\"}]}}}",
	    "{\"auth\":{\"mxid\":\"@john.doe:example.com\",\"profile\":{\"display_name\":"
	    "\"John Doe\",\"three_pids\":[{\"address\":\"john.doe@example.org\",\"medium\":"
	    "\"email\"},{\"address\":\"123456789\",\"medium\":\"msisdn\"}]},\"success\":true}}");
	same("{\"a\": \"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\"}",
	    "{\"a\":\"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\"}");
	same("{\"\xe6\x9c\xac\": 2, \"\xe6\x97\xa5\": 1}",
	    "{\"\xe6\x97\xa5\":1,\"\xe6\x9c\xac\":2}");
	same("{\"a\": \"\\u65E5\"}", "{\"a\":\"\xe6\x97\xa5\"}");
	same("{\"a\": null}", "{\"a\":null}");
	same("{\"a\": -0}", "{\"a\":0}");
	/* By code point, not by UTF-16 unit: U+FB33 before U+1F600. */
	same("{\"\xf0\x9f\x98\x80\":1,\"\xef\xac\xb3\":2}",
	    "{\"\xef\xac\xb3\":2,\"\xf0\x9f\x98\x80\":1}");
	same("\"\\u0001\\b\\t\\n\\f\\r\\u001f\\u007f\\\"\\\\\\/\"",
	    "\"\\u0001\\b\\t\\n\\f\\r\\u001f\x7f\\\"\\\\/\"");
	same("9007199254740991", "9007199254740991");
	same("9007199254740992", NULL);
	same("-9007199254740992", NULL);
	same("{\"a\":1.0}", NULL);
	same("{\"a\":1e3}", NULL);
}

static void
matrix_parse_takes_what_jansson_refuses(void **state)
{
	char deep[400];
	(void)state;

	same("\"\\ud800\"", "\"\xef\xbf\xbd\"");
	same("\"\\udc00x\"", "\"\xef\xbf\xbdx\"");
	same("\"\\ud800\\ud800\\udc00\"", "\"\xef\xbf\xbd\xf0\x90\x80\x80\"");
	same("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"");
	same("\"a\\u0000b\"", "\"a\xef\xbf\xbd"
			      "b\"");
	same("\"\xff\xc0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	same("\"\xed\xa0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	same("{\"n\":12345678901234567890}", "{\"n\":null}");
	same("{\"n\":-99999999999999999999999999999999999999999999999999999999999999999999999}",
	    "{\"n\":null}");
	same("{\"n\":1e999,\"m\":2}", "{\"m\":2,\"n\":null}");
	same("{\"a\":1}x", NULL);
	same("{\"a\":", NULL);
	same("\"\\", NULL);
	same("\"\\u12", NULL);
	memset(deep, '[', 200);
	memset(deep + 200, ']', 199);
	deep[399] = 0;
	same(deep, NULL);
	assert_null(matrix_parse("", 0));
	assert_null(matrix_parse(NULL, 5));
}

/* One event of a stranger costs only itself, and not the whole answer that brings it. */
static void
matrix_parse_passes_over_what_is_too_deep(void **state)
{
	char text[4100], *at = text;
	json_t *value;
	(void)state;

	at += snprintf(at, 40, "{\"b\":[1,");
	memset(at, '[', 1000);
	at += 1000;
	at += snprintf(at, 40, "\"]\\\"]\",{\"x\":[]}");
	memset(at, ']', 1000);
	at += 1000;
	snprintf(at, 40, ",2],\"c\":\"good\"}");
	value = matrix_parse(text, strlen(text));
	assert_string_equal(json_string_value(json_object_get(value, "c")), "good");
	assert_int_equal(json_array_size(json_object_get(value, "b")), 3);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(value, "b"), 2)), 2);
	json_decref(value);
	text[strlen(text) - 1] = 0;
	assert_null(matrix_parse(text, strlen(text)));
}

/* The appendix' own signatures; its seed ends in a 1, whose two spare bits are not zero. */
static void
matrix_sign_vectors(void **state)
{
	unsigned char seed[32], secret[64], public[32], signature[64];
	char text[100], key[100];
	static const char *const examples[][2] = {
	    {"{}", "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/"
		   "7Xg4ahLwYGYZzuHGZKM5ZAQ"},
	    {"{\"one\":1,\"two\":\"Two\"}", "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/"
					    "fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"},
	};
	(void)state;

	assert_true(sodium_init() >= 0);
	assert_true(matrix_point_decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0", seed, 32));
	crypto_sign_seed_keypair(public, secret, seed);
	matrix_point_encode(public, 32, key);
	for (int i = 0; i < 2; i++) {
		json_t *object = matrix_parse(examples[i][0], strlen(examples[i][0]));
		char *signable = matrix_canonical_signable(object);

		crypto_sign_detached(
		    signature, NULL, (unsigned char *)signable, strlen(signable), secret);
		matrix_point_encode(signature, 64, text);
		assert_string_equal(text, examples[i][1]);
		matrix_sign_attach(object, "domain", "1", text);
		json_object_set_new(object, "unsigned", json_pack("{s:i}", "age", 5));
		assert_true(matrix_sign_verify(object, "domain", "1", key));
		assert_false(matrix_sign_verify(object, "domain", "2", key));
		assert_false(matrix_sign_verify(object, "other", "1", key));
		json_object_set_new(object, "more", json_true());
		assert_false(matrix_sign_verify(object, "domain", "1", key));
		free(signable);
		json_decref(object);
	}
}

/* libolm 3.2.13 takes a signature whose S has the group's order added; here it is refused. */
static void
matrix_sign_malleated(void **state)
{
	static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
	    0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	struct matrix_identity identity;
	json_t *seeds = matrix_identity_new(), *object = json_pack("{s:i}", "a", 1);
	unsigned char signature[64];
	char text[100], name[64];
	int carry = 0;
	(void)state;

	assert_true(matrix_identity_open(&identity, seeds));
	assert_true(matrix_identity_sign(&identity, MATRIX_USE_SELF, object, "@a:h"));
	snprintf(name, sizeof(name), "ed25519:%s", identity.public[MATRIX_USE_SELF]);
	assert_true(matrix_sign_verify(
	    object, "@a:h", identity.public[MATRIX_USE_SELF], identity.public[MATRIX_USE_SELF]));
	assert_true(matrix_point_decode(
	    json_string_value(json_object_get(
		json_object_get(json_object_get(object, "signatures"), "@a:h"), name)),
	    signature, 64));
	for (int i = 0; i < 32; i++) {
		carry += signature[32 + i] + order[i];
		signature[32 + i] = (unsigned char)carry;
		carry >>= 8;
	}
	matrix_point_encode(signature, 64, text);
	matrix_sign_attach(object, "@a:h", identity.public[MATRIX_USE_SELF], text);
	assert_false(matrix_sign_verify(
	    object, "@a:h", identity.public[MATRIX_USE_SELF], identity.public[MATRIX_USE_SELF]));
	json_decref(object);
	json_decref(seeds);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(matrix_canonical_form),
    cmocka_unit_test(matrix_parse_takes_what_jansson_refuses),
    cmocka_unit_test(matrix_parse_passes_over_what_is_too_deep),
    cmocka_unit_test(matrix_sign_vectors),
    cmocka_unit_test(matrix_sign_malleated),
};

UNIT_RUN(tests)
