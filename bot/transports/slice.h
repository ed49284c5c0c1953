/*
 * JSON read where it lies: a value is a slice of the answer's bytes, found by walking, without a
 * tree. jansson refuses a whole document for one lone surrogate, one 1e999 or one deep nesting
 * somebody typed (RELIABILITY.md §0.4); here such a value spoils itself alone. It is also what
 * makes a reply cheap. What is well-formed reads exactly as jansson reads it (the fuzzer compares).
 * Nothing recurses, so depth costs nothing. Slices live as long as the bytes they lie in.
 */
#ifndef TRANSPORTS_SLICE_H
#define TRANSPORTS_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* One value with its quotes or brackets; `at` is NULL when there is none. */
struct slice {
	const char *at;
	size_t length;
};

/* A name to look for in an object. */
struct slice_name {
	const char *name;
	size_t length;
};
#define SLICE_NAME(text) \
	{ \
		text, sizeof(text) - 1 \
	}

/* An object's or an array's members, one after another. */
struct slice_walk {
	const char *at, *end;
	bool object;
	bool broken; /* it did not end as it should: the bytes were cut or are no JSON */
};

/* The whole document: one value with nothing but space around it; none when it is no such thing. */
struct slice slice_of(const void *bytes, size_t length);
/* The same without looking whether it is one: a walk through it will find out. */
struct slice slice_whole(const void *bytes, size_t length);
struct slice_walk slice_walk(struct slice value);
/* False at the end. `key` is between its quotes as written, empty in an array; it may be NULL. */
bool slice_next(struct slice_walk *walk, struct slice *key, struct slice *value);
/* The values of these names, the last one of each as jansson does; none where it is missing. False
 * when `object` is no object or breaks off. */
bool slice_fields(
    struct slice object, const struct slice_name *names, size_t count, struct slice *values);
struct slice slice_get(struct slice object, const char *name);
size_t slice_count(struct slice array);

bool slice_is(struct slice value, const char *written);
/* A whole number of at most 18 digits. False for anything else. */
bool slice_number(struct slice value, int64_t *number);
/* A string's text; what is no Unicode scalar in it (a lone surrogate, a NUL) becomes U+FFFD. NULL
 * when it is no string. Bad UTF-8 stays as it came. */
char *slice_text(struct arena *arena, struct slice value);

#endif
