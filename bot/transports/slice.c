#include "slice.h"

#include <string.h>

#include "base/arena.h"

static const char *
space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* Behind the closing quote of a string that starts at p; NULL when there is none. */
static const char *
string_end(const char *p, const char *end)
{
	const char *start = ++p, *quote, *q;

	while (p < end && (quote = memchr(p, '"', (size_t)(end - p)))) {
		for (q = quote; q > start && q[-1] == '\\'; q--)
			;
		p = quote + 1;
		if ((quote - q) % 2 == 0)
			return p;
	}
	return NULL;
}

/* Behind the bracket that closes the one at p. Which bracket closes which is not looked at: a walk
 * into it will find out. */
static const char *
bracket_end(const char *p, const char *end)
{
	size_t depth = 0;

	while (p && p < end) {
		switch (*p) {
		case '"':
			p = string_end(p, end);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (!--depth)
				return p + 1;
			break;
		default:
			break;
		}
		p++;
	}
	return NULL;
}

static const char *
word_end(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && !strchr(" \n\r\t,:]}[{\"", *p))
		p++;
	return p > start ? p : NULL;
}

static const char *
value_end(const char *p, const char *end)
{
	if (p >= end)
		return NULL;
	if (*p == '"')
		return string_end(p, end);
	if (*p == '{' || *p == '[')
		return bracket_end(p, end);
	return word_end(p, end);
}

struct slice
slice_of(const void *bytes, size_t length)
{
	const char *end = (const char *)bytes + length, *p = space(bytes, end),
		   *last = value_end(p, end);

	if (!last || space(last, end) != end)
		return (struct slice){0};
	return (struct slice){p, (size_t)(last - p)};
}

struct slice
slice_whole(const void *bytes, size_t length)
{
	const char *p = bytes, *end = p + length;

	p = space(p, end);
	while (end > p && space(end - 1, end) == end)
		end--;
	return (struct slice){p, (size_t)(end - p)};
}

struct slice_walk
slice_walk(struct slice value)
{
	struct slice_walk walk = {0};

	if (value.length < 2 || (*value.at != '{' && *value.at != '['))
		return walk;
	walk.object = *value.at == '{';
	walk.at = value.at + 1;
	walk.end = value.at + value.length - 1;
	if (*walk.end != (walk.object ? '}' : ']'))
		walk.broken = true;
	return walk;
}

static bool
walk_broken(struct slice_walk *walk)
{
	walk->at = walk->end;
	walk->broken = true;
	return false;
}

/* Takes the key and its colon. */
static bool
walk_key(struct slice_walk *walk, struct slice *key)
{
	const char *p = walk->at, *end;

	if (*p != '"' || !(end = string_end(p, walk->end)))
		return false;
	if (key)
		*key = (struct slice){p + 1, (size_t)(end - p - 2)};
	p = space(end, walk->end);
	if (p == walk->end || *p != ':')
		return false;
	walk->at = space(p + 1, walk->end);
	return true;
}

bool
slice_next(struct slice_walk *walk, struct slice *key, struct slice *value)
{
	const char *end;

	if (key)
		*key = (struct slice){"", 0};
	if (!walk->at || (walk->at = space(walk->at, walk->end)) >= walk->end)
		return false;
	if (walk->object && !walk_key(walk, key))
		return walk_broken(walk);
	if (!(end = value_end(walk->at, walk->end)))
		return walk_broken(walk);
	*value = (struct slice){walk->at, (size_t)(end - walk->at)};
	walk->at = space(end, walk->end);
	if (walk->at == walk->end)
		return true;
	if (*walk->at != ',')
		walk->broken = true;
	walk->at = walk->broken ? walk->end : walk->at + 1;
	if (space(walk->at, walk->end) == walk->end)
		walk->broken = true;
	return true;
}

bool
slice_fields(
    struct slice object, const struct slice_name *names, size_t count, struct slice *values)
{
	struct slice_walk walk = slice_walk(object);
	struct slice key, value;

	memset(values, 0, count * sizeof(*values));
	if (!walk.at || !walk.object)
		return false;
	while (slice_next(&walk, &key, &value))
		for (size_t i = 0; i < count; i++)
			if (names[i].length == key.length && names[i].name[0] == key.at[0] &&
			    memcmp(names[i].name, key.at, key.length) == 0)
				values[i] = value;
	return !walk.broken;
}

struct slice
slice_get(struct slice object, const char *name)
{
	struct slice_name one = {name, strlen(name)};
	struct slice value;

	slice_fields(object, &one, 1, &value);
	return value;
}

size_t
slice_count(struct slice array)
{
	struct slice_walk walk = slice_walk(array);
	struct slice value;
	size_t n = 0;

	while (slice_next(&walk, NULL, &value))
		n++;
	return n;
}

bool
slice_is(struct slice value, const char *written)
{
	return value.at && strlen(written) == value.length &&
	       memcmp(value.at, written, value.length) == 0;
}

bool
slice_number(struct slice value, int64_t *number)
{
	const char *p = value.at, *end;
	bool negative;
	int64_t n = 0;

	if (!value.length)
		return false;
	end = p + value.length;
	negative = *p == '-';
	p += negative;
	if (p == end || end - p > 18)
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (*p - '0');
	}
	*number = negative ? -n : n;
	return true;
}

/* The four hexadecimal digits at p, or -1. */
static int
hex4(const char *p, const char *end)
{
	int n = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit < 0)
			return -1;
		n = n * 16 + digit;
	}
	return n;
}

static char *
put_utf8(char *out, int scalar)
{
	if (scalar < 0x80) {
		*out++ = (char)scalar;
	} else if (scalar < 0x800) {
		*out++ = (char)(0xc0 | scalar >> 6);
		*out++ = (char)(0x80 | (scalar & 63));
	} else if (scalar < 0x10000) {
		*out++ = (char)(0xe0 | scalar >> 12);
		*out++ = (char)(0x80 | (scalar >> 6 & 63));
		*out++ = (char)(0x80 | (scalar & 63));
	} else {
		*out++ = (char)(0xf0 | scalar >> 18);
		*out++ = (char)(0x80 | (scalar >> 12 & 63));
		*out++ = (char)(0x80 | (scalar >> 6 & 63));
		*out++ = (char)(0x80 | (scalar & 63));
	}
	return out;
}

/* What stands behind \u, with the second half of a pair; the scalar goes to *scalar. */
static const char *
take_u(const char *p, const char *end, int *scalar)
{
	int high = hex4(p, end), low;

	*scalar = 0xfffd;
	if (high < 0)
		return p;
	p += 4;
	if (high >= 0xd800 && high < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		low = hex4(p + 2, end);
		if (low >= 0xdc00 && low < 0xe000) {
			*scalar = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
			return p + 6;
		}
	}
	if (high && (high < 0xd800 || high >= 0xe000))
		*scalar = high;
	return p;
}

/* One escape, p behind the backslash. */
static const char *
take_escape(const char *p, const char *end, char **out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *known;
	int scalar;

	if (*p == 'u') {
		p = take_u(p + 1, end, &scalar);
		*out = put_utf8(*out, scalar);
		return p;
	}
	known = strchr(from, *p);
	*(*out)++ = known && *p ? to[known - from] : *p;
	return p + 1;
}

char *
slice_text(struct arena *arena, struct slice value)
{
	const char *p, *end, *stop;
	char *text, *out;

	if (value.length < 2 || *value.at != '"')
		return NULL;
	p = value.at + 1;
	end = p + value.length - 2;
	/* An escape is never shorter than what it stands for, but for a NUL: one byte, then three.
	 */
	if (!memchr(p, '\\', (size_t)(end - p)) && !memchr(p, 0, (size_t)(end - p)))
		return arena_copy(arena, p, (size_t)(end - p));
	text = out = arena_alloc(arena, (size_t)(end - p) * 3 + 1);
	while (p < end) {
		for (stop = p; stop < end && *stop != '\\' && *stop; stop++)
			;
		memcpy(out, p, (size_t)(stop - p));
		out += stop - p;
		p = stop;
		if (p == end)
			break;
		if (!*p || p + 1 == end || !p[1]) {
			out = put_utf8(out, 0xfffd);
			p++;
		} else {
			p = take_escape(p + 1, end, &out);
		}
	}
	*out = 0;
	return text;
}
