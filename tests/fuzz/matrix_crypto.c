/* Envelopes, key answers, /sync and our own contents made of anything at all: nothing falls,
 * nothing leaks, nothing that was not kept leaves, and what is canonical stays so. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "transports/matrix_canonical.h"
#include "transports/matrix_crypto.h"
#include "transports/matrix_megolm.h"
#include "transports/matrix_parse.h"
#include "transports/matrix_point.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char key[MATRIX_CRYPTO_KEY_BYTES] = "fuzz";
static struct state_row *disk;
static size_t disk_count;

static struct matrix_crypto *
open_crypto(void)
{
	return matrix_crypto_open(&(struct matrix_crypto_options){
	    .user = "@bot:h",
	    .device = "BOT",
	    .key = key,
	    .rows = disk,
	    .count = disk_count,
	    .now_ms = 1790000000000,
	});
}

/* An account is made once; every input begins with it. */
static void
prepare(void)
{
	struct matrix_crypto *c;
	const struct state_row *rows;

	assert(sodium_init() >= 0);
	c = open_crypto();
	disk_count = matrix_crypto_rows(c, &rows);
	disk = calloc(disk_count, sizeof(*disk));
	for (size_t i = 0; i < disk_count; i++) {
		void *bytes = malloc(rows[i].length);

		memcpy(bytes, rows[i].bytes, rows[i].length);
		disk[i] = (struct state_row){strdup(rows[i].key), bytes, rows[i].length};
	}
	matrix_crypto_free(c);
}

static void
keep(struct matrix_crypto *c)
{
	const struct state_row *rows;

	if (matrix_crypto_dirty(c)) {
		assert(!matrix_crypto_next(c, 1790000000000));
		matrix_crypto_rows(c, &rows);
		matrix_crypto_kept(c);
	}
}

/* Every request of the first rounds is answered by the same JSON. */
static void
ask(struct matrix_crypto *c, json_t *answer, int64_t now_ms)
{
	for (int i = 0; i < 12; i++) {
		const struct matrix_request *r;

		keep(c);
		r = matrix_crypto_next(c, now_ms);
		if (r)
			matrix_crypto_answered(
			    c, r->cookie, i % 4 == 3 ? 404 : 200, answer, -1, now_ms);
	}
}

static void
events(struct matrix_crypto *c, json_t *value, int64_t now_ms)
{
	json_t *rooms = json_object_get(json_object_get(value, "rooms"), "join"), *room, *event;
	struct matrix_read read;
	const char *id;
	size_t i;

	matrix_crypto_read(c, "!a:h", value, now_ms, &read);
	json_decref(read.event);
	matrix_crypto_noticed(c, "!a:h", value, now_ms);
	json_object_foreach(rooms, id, room) {
		json_array_foreach(
		    json_object_get(json_object_get(room, "timeline"), "events"), i, event) {
			matrix_crypto_read(c, id, event, now_ms, &read);
			json_decref(read.event);
		}
	}
	while (matrix_crypto_late(c, now_ms + 40000, &read))
		json_decref(read.event);
}

static void
seal(struct matrix_crypto *c, json_t *value, int64_t now_ms)
{
	const char *sealed;

	for (int i = 0; i < 4; i++) {
		enum matrix_sealing so =
		    matrix_crypto_seal(c, "!a:h", "t", "m.room.message", value, now_ms, &sealed);

		assert((so == MATRIX_SEAL_READY) == (sealed != NULL));
		ask(c, value, now_ms);
	}
}

static void
canonical(json_t *value)
{
	char *text = matrix_canonical(value), *again;
	json_t *back;

	if (!text)
		return;
	back = matrix_parse(text, strlen(text));
	again = matrix_canonical(back);
	assert(again && strcmp(text, again) == 0);
	json_decref(back);
	free(text);
	free(again);
}

static void
texts(const char *text)
{
	char id[MATRIX_SESSION_TEXT], *pickle;
	uint32_t index;

	matrix_point_text_good(text);
	matrix_point_olm_good(0, text);
	matrix_point_olm_good(1, text);
	matrix_megolm_index(text, &index);
	pickle = matrix_megolm_take(text, key, id, &index);
	if (pickle)
		free(matrix_megolm_decrypt(pickle, key, text, &index));
	free(pickle);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t now_ms = 1790000000000;
	struct matrix_crypto *c;
	json_t *value;
	char *text;

	if (!disk)
		prepare();
	text = calloc(1, size + 1);
	memcpy(text, data, size);
	texts(text);
	free(text);
	value = matrix_parse(data, size);
	if (!value)
		return 0;
	canonical(value);
	c = open_crypto();
	ask(c, value, now_ms);
	matrix_crypto_sync(c, value, false, now_ms);
	events(c, value, now_ms);
	ask(c, value, now_ms);
	seal(c, value, now_ms);
	matrix_crypto_sync(c, value, true, now_ms + 1000);
	ask(c, value, now_ms + 400000);
	matrix_crypto_free(c);
	json_decref(value);
	return 0;
}
