/* Whatever a server or the people behind it send: read without a fault, and what jansson takes too
 * is read as jansson reads it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "transports/slice.h"
#include "transports/telegram_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arena *arena;

/* Slices compare keys as written: an object with an escape in a key is left out. */
static bool
keys_are_plain(struct slice object)
{
	struct slice_walk walk = slice_walk(object);
	struct slice key, value;

	while (slice_next(&walk, &key, &value))
		if (memchr(key.at, '\\', key.length))
			return false;
	return true;
}

static void
compare(struct slice value, const json_t *with)
{
	int64_t number;

	if (json_is_string(with)) {
		char *text = slice_text(arena, value);

		assert(text && strcmp(text, json_string_value(with)) == 0);
	} else if (json_is_integer(with) && slice_number(value, &number)) {
		assert(number == json_integer_value(with));
	} else if (json_is_array(with)) {
		assert(slice_count(value) == json_array_size(with));
		struct slice_walk walk = slice_walk(value);
		struct slice item;

		for (size_t i = 0; slice_next(&walk, NULL, &item); i++)
			compare(item, json_array_get(with, i));
		assert(!walk.broken);
	} else if (json_is_object(with) && keys_are_plain(value)) {
		const char *key;
		json_t *item;

		json_object_foreach((json_t *)(uintptr_t)with, key, item)
			if (slice_get(value, key).at)
				compare(slice_get(value, key), item);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct telegram_me me = {.id = 42, .username = "alum_bot"};
	struct http_answer http = {.outcome = HTTP_REPLIED, .cause = ""};
	struct telegram_answer answer;
	struct telegram_updates updates;
	struct telegram_me other = me;
	struct outcome out;
	int64_t bytes;
	json_t *root;

	if (!arena)
		arena = arena_new();
	telegram_json_answer(data, size, &answer);
	telegram_json_me(answer.result, &other);
	telegram_json_file(arena, answer.result, &bytes);
	telegram_json_updates(arena, &me, answer.result, &updates);
	assert(updates.event_count <= updates.update_count);
	telegram_json_updates(arena, &me, slice_of(data, size), &updates);
	telegram_json_salvage(arena, &me, data, size, &updates);
	http.status = size ? data[0] * 4 : 200;
	for (enum op op = OP_SEND; op <= OP_TYPING; op++)
		telegram_json_fate(arena, op, &http, -1, &answer, &out);
	root = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
	/* A NUL is read on purpose as U+FFFD. */
	if (root && !memmem(data, size, "\\u0000", 6))
		compare(slice_of(data, size), root);
	json_decref(root);
	arena_forget(arena);
	return 0;
}
