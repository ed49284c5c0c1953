#include "transports/matrix_parse.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { DEEPEST = 100, NUMBER_MAX = 64 };

static const char replaced[] = "\xef\xbf\xbd";

struct mending {
	const char *at, *end;
	char *out; /* three bytes of room for each byte left */
	int depth;
};

static void
put(struct mending *m, const char *bytes, size_t length)
{
	memcpy(m->out, bytes, length);
	m->out += length;
}

/* Bytes of the scalar at `at`, 0 when it is none. */
static size_t
scalar(const char *at, const char *end)
{
	unsigned char c = (unsigned char)at[0];
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
	unsigned char second;

	if (c < 0x80)
		return c >= 0x20;
	if (c < 0xc2 || c > 0xf4 || (size_t)(end - at) < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)at[i] & 0xc0) != 0x80)
			return 0;
	second = (unsigned char)at[1];
	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
	    (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
		return 0;
	return n;
}

/* The four digits behind \u; -1 when they are none. */
static int
unit(const char *at, const char *end)
{
	int value = 0;

	if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		const char *digits = "0123456789abcdef";
		const char *digit = at[i] ? strchr(digits, at[i] | 0x20) : NULL;

		if (!digit)
			return -1;
		value = value * 16 + (int)(digit - digits);
	}
	return value;
}

static void
escape(struct mending *m)
{
	int first = unit(m->at, m->end), second;

	if (first < 0) {
		/* Another escape: jansson says whether it is one. */
		size_t n = m->end - m->at > 1 && m->at[1] >= 0x20 && m->at[1] < 0x7f ? 2 : 1;

		put(m, m->at, n);
		m->at += n;
		return;
	}
	second = first >= 0xd800 && first < 0xdc00 ? unit(m->at + 6, m->end) : -1;
	if (second >= 0xdc00 && second < 0xe000) {
		put(m, m->at, 12);
		m->at += 12;
		return;
	}
	if (first == 0 || (first >= 0xd800 && first < 0xe000))
		put(m, replaced, 3);
	else
		put(m, m->at, 6);
	m->at += 6;
}

/* From behind the opening quote to behind the closing one. */
static void
string(struct mending *m)
{
	put(m, m->at++, 1);
	while (m->at < m->end) {
		size_t n;

		if (*m->at == '"') {
			put(m, m->at++, 1);
			return;
		}
		if (*m->at == '\\') {
			escape(m);
			continue;
		}
		n = scalar(m->at, m->end);
		put(m, n ? m->at : replaced, n ? n : 3);
		m->at += n ? n : 1;
	}
}

static bool
fits(const char *text)
{
	char *end;

	errno = 0;
	if (strpbrk(text, ".eE"))
		return isfinite(strtod(text, &end));
	(void)strtoll(text, &end, 10);
	return errno != ERANGE;
}

static void
number(struct mending *m)
{
	char text[NUMBER_MAX];
	const char *from = m->at;
	size_t length;

	while (m->at < m->end && strchr("0123456789+-.eE", *m->at) && *m->at)
		m->at++;
	length = (size_t)(m->at - from);
	if (length < sizeof(text)) {
		memcpy(text, from, length);
		text[length] = 0;
		if (fits(text)) {
			put(m, from, length);
			return;
		}
	}
	/* Longer than any number we use. */
	put(m, "null", 4);
}

/* What lies deeper than anything we read stands for nothing, and costs only itself. */
static void
pass_over(struct mending *m)
{
	char *out = m->out;
	int open = 0;

	do {
		char c = *m->at;

		if (c == '"') {
			string(m);
			m->out = out;
			continue;
		}
		open += (c == '{' || c == '[') - (c == '}' || c == ']');
		m->at++;
	} while (open > 0 && m->at < m->end);
	put(m, "null", 4);
}

static void
mend(struct mending *m)
{
	while (m->at < m->end) {
		char c = *m->at;

		if (c == '"') {
			string(m);
			continue;
		}
		if (c == '-' || (c >= '0' && c <= '9')) {
			number(m);
			continue;
		}
		if ((c == '{' || c == '[') && m->depth == DEEPEST) {
			pass_over(m);
			continue;
		}
		m->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
		put(m, m->at++, 1);
	}
}

json_t *
matrix_parse(const void *bytes, size_t length)
{
	struct mending m = {.at = bytes};
	char *mended;
	json_t *value;

	if (!bytes || !length || length > SIZE_MAX / 4)
		return NULL;
	m.end = m.at + length;
	mended = m.out = memory_new(length * 3 + 4);
	mend(&m);
	value = json_loadb(mended, (size_t)(m.out - mended), JSON_DECODE_ANY, NULL);
	explicit_bzero(mended, (size_t)(m.out - mended));
	free(mended);
	return value;
}
