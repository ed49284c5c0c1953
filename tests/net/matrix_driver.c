/*
 * matrix_driver: the bot's Matrix encryption on standard input and output, a JSON object a line, so
 * that programs in other languages can be its peers. {"do": …} of open, sync, next, answered, read,
 * late, seal, forget, greet; every change counts as kept at once. Answers are a line each.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transports/matrix_crypto.h"
#include "transports/matrix_parse.h"

static struct matrix_crypto *crypto;
static int64_t now_ms = 1790000000000;

static const char *
text(json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static json_t *
do_open(json_t *order)
{
	static const unsigned char key[MATRIX_CRYPTO_KEY_BYTES] = "driver";
	char fingerprint[MATRIX_CRYPTO_FINGERPRINT];

	crypto = matrix_crypto_open(&(struct matrix_crypto_options){
	    .user = text(order, "user"),
	    .device = text(order, "device"),
	    .key = key,
	    .now_ms = now_ms,
	});
	if (!crypto)
		return json_pack("{s:s}", "error", "does not open");
	matrix_crypto_fingerprint(crypto, fingerprint);
	return json_pack("{s:s}", "fingerprint", fingerprint);
}

static json_t *
do_next(json_t *order)
{
	const struct matrix_request *r = matrix_crypto_next(crypto, now_ms);

	(void)order;
	if (!r)
		return json_object();
	return json_pack("{s:I,s:s,s:s,s:s?}", "cookie", (json_int_t)r->cookie, "method", r->method,
	    "path", r->path, "body", r->body);
}

static json_t *
do_answered(json_t *order)
{
	matrix_crypto_answered(crypto, json_integer_value(json_object_get(order, "cookie")),
	    (int)json_integer_value(json_object_get(order, "status")),
	    json_object_get(order, "answer"), -1, now_ms);
	return json_object();
}

static json_t *
do_sync(json_t *order)
{
	matrix_crypto_sync(crypto, json_object_get(order, "answer"), false, now_ms);
	return json_pack("{s:i,s:b,s:I,s:I}", "standing", matrix_crypto_standing(crypto), "signed",
	    matrix_crypto_signed(crypto), "olm_broken",
	    (json_int_t)matrix_crypto_counts(crypto).olm_broken, "refused",
	    (json_int_t)matrix_crypto_counts(crypto).refused);
}

static json_t *
reading(struct matrix_read *read)
{
	json_t *out =
	    json_pack("{s:i,s:s,s:s?}", "how", read->how, "device", read->device, "why", read->why);

	if (read->event)
		json_object_set_new(out, "event", read->event);
	return out;
}

static json_t *
do_read(json_t *order)
{
	struct matrix_read read;

	matrix_crypto_read(
	    crypto, text(order, "room"), json_object_get(order, "event"), now_ms, &read);
	return reading(&read);
}

static json_t *
do_late(json_t *order)
{
	struct matrix_read read;

	(void)order;
	return matrix_crypto_late(crypto, now_ms, &read) ? reading(&read) : json_object();
}

static json_t *
do_seal(json_t *order)
{
	const char *sealed;
	enum matrix_sealing so = matrix_crypto_seal(crypto, text(order, "room"), text(order, "txn"),
	    text(order, "type"), json_object_get(order, "content"), now_ms, &sealed);

	return json_pack("{s:i,s:s?}", "how", so, "sealed", sealed);
}

static json_t *
do_forget(json_t *order)
{
	matrix_crypto_left(crypto, text(order, "room"));
	matrix_crypto_forget(crypto, text(order, "user"));
	return json_object();
}

static json_t *
do_greet(json_t *order)
{
	matrix_crypto_greet(crypto, text(order, "user"), now_ms);
	return json_object();
}

static const struct {
	const char *name;
	json_t *(*run)(json_t *order);
} orders[] = {
    {"open", do_open},
    {"next", do_next},
    {"answered", do_answered},
    {"sync", do_sync},
    {"read", do_read},
    {"late", do_late},
    {"seal", do_seal},
    {"forget", do_forget},
    {"greet", do_greet},
};

static void
keep(void)
{
	const struct state_row *rows;

	if (crypto && matrix_crypto_dirty(crypto)) {
		matrix_crypto_rows(crypto, &rows);
		matrix_crypto_kept(crypto);
	}
}

static void
obey(json_t *order)
{
	json_t *out = NULL, *at = json_object_get(order, "now");

	if (at)
		now_ms = json_integer_value(at);
	keep();
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (strcmp(orders[i].name, text(order, "do")) == 0)
			out = orders[i].run(order);
	json_dumpf(out ? out : json_null(), stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
	fflush(stdout);
	json_decref(out);
}

int
main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while ((length = getline(&line, &room, stdin)) > 0) {
		json_t *order = matrix_parse(line, (size_t)length);

		obey(order);
		json_decref(order);
	}
	free(line);
	if (crypto)
		matrix_crypto_free(crypto);
	return 0;
}
