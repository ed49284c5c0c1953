#include "transports/matrix_canonical.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { DEEPEST = 100, CANONICAL_MAX = 16 * 1024 * 1024 };

static const json_int_t largest = ((json_int_t)1 << 53) - 1;

static void
put_string(struct buf *out, const char *text, size_t length)
{
	static const char shorts[] = "btnvfr";

	buf_add(out, "\"", 1);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			buf_print(out, "\\%c", c);
		else if (c >= 8 && c <= 13 && c != 11)
			buf_print(out, "\\%c", shorts[c - 8]);
		else if (c < 0x20)
			buf_print(out, "\\u%04x", c);
		else
			buf_add(out, &text[i], 1);
	}
	buf_add(out, "\"", 1);
}

static int
by_code_point(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool put(struct buf *out, const json_t *value, int depth);

static bool
put_object(struct buf *out, const json_t *object, int depth)
{
	size_t count = 0;
	const char **keys = memory_new((json_object_size(object) + 1) * sizeof(*keys));
	const char *key;
	json_t *value;
	bool good = true;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), by_code_point);
	buf_add(out, "{", 1);
	for (size_t i = 0; i < count && good; i++) {
		if (i)
			buf_add(out, ",", 1);
		put_string(out, keys[i], strlen(keys[i]));
		buf_add(out, ":", 1);
		good = put(out, json_object_get(object, keys[i]), depth);
	}
	buf_add(out, "}", 1);
	free(keys);
	return good;
}

static bool
put_array(struct buf *out, const json_t *array, int depth)
{
	bool good = true;

	buf_add(out, "[", 1);
	for (size_t i = 0; i < json_array_size(array) && good; i++) {
		if (i)
			buf_add(out, ",", 1);
		good = put(out, json_array_get(array, i), depth);
	}
	buf_add(out, "]", 1);
	return good;
}

static bool
put(struct buf *out, const json_t *value, int depth)
{
	json_int_t n;

	if (depth > DEEPEST)
		return false;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_object(out, value, depth + 1);
	case JSON_ARRAY:
		return put_array(out, value, depth + 1);
	case JSON_STRING:
		put_string(out, json_string_value(value), json_string_length(value));
		return true;
	case JSON_INTEGER:
		n = json_integer_value(value);
		buf_print(out, "%" JSON_INTEGER_FORMAT, n);
		return n >= -largest && n <= largest;
	case JSON_TRUE:
		buf_string(out, "true");
		return true;
	case JSON_FALSE:
		buf_string(out, "false");
		return true;
	case JSON_NULL:
		buf_string(out, "null");
		return true;
	case JSON_REAL:
	default:
		return false;
	}
}

char *
matrix_canonical(const json_t *value)
{
	struct buf out = {.maximum = CANONICAL_MAX};

	if (!value || !put(&out, value, 0) || out.overflowed) {
		buf_free(&out);
		return NULL;
	}
	return out.bytes;
}

char *
matrix_canonical_signable(const json_t *object)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)object);
	char *text;

	if (!json_is_object(copy)) {
		json_decref(copy);
		return NULL;
	}
	json_object_del(copy, "signatures");
	json_object_del(copy, "unsigned");
	text = matrix_canonical(copy);
	json_decref(copy);
	return text;
}
