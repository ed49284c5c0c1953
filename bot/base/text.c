#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utext.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include "base/arena.h"
#include "base/memory.h"

enum {
	/* UAX #15 "stream-safe": more marks on one letter only hurt, and ICU sorts them in n². */
	MARKS_MOST = 30,
	DISTANCE_MOST = 64,
	BYTES_MOST = 64 * 1024 * 1024,
};

/* UTF-16 on the heap, as ICU likes it. */
struct wide {
	UChar *units;
	int32_t length;
};

/* Works eight bytes at a time because every message passes here. */
static bool
is_ascii(const unsigned char *s, size_t n)
{
	uint64_t word;

	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&word, s, 8);
		if (word & 0x8080808080808080u)
			return false;
	}
	for (; n; s++, n--)
		if (*s & 0x80)
			return false;
	return true;
}

/* ICU's macros convert more freely than our warnings allow. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
/* The scalar at *i, which moves behind it; negative for a bad byte. */
static UChar32
next8(const char *s, int32_t *i, int32_t n)
{
	UChar32 c;

	U8_NEXT(s, *i, n, c);
	return c;
}

static UChar32
next16(const UChar *s, int32_t *i, int32_t n)
{
	UChar32 c;

	U16_NEXT(s, *i, n, c);
	return c;
}
#pragma GCC diagnostic pop

static bool
is_ascii_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_space(UChar32 c)
{
	return u_isUWhiteSpace(c);
}

static bool
is_isolate(UChar32 c)
{
	return c >= 0x2066 && c <= 0x2069;
}

static bool
is_embedding(UChar32 c)
{
	return c >= 0x202a && c <= 0x202e;
}

static struct wide
wide_from(const void *bytes, size_t length)
{
	struct wide w;
	UErrorCode error = U_ZERO_ERROR;

	if (length > BYTES_MOST)
		length = BYTES_MOST;
	w.units = memory_new((length + 1) * sizeof(UChar));
	u_strFromUTF8WithSub(
	    w.units, (int32_t)length + 1, &w.length, bytes, (int32_t)length, 0xfffd, NULL, &error);
	assert(U_SUCCESS(error));
	return w;
}

static char *
wide_to(struct arena *arena, const UChar *units, int32_t length)
{
	size_t room = (size_t)length * 3 + 1;
	char *s = memory_new(room), *copy;
	int32_t n;
	UErrorCode error = U_ZERO_ERROR;

	u_strToUTF8WithSub(s, (int32_t)room, &n, units, length, 0xfffd, NULL, &error);
	assert(U_SUCCESS(error));
	copy = arena_copy(arena, s, (size_t)n);
	free(s);
	return copy;
}

/* What a control character becomes: itself, a newline, or nothing (-1). */
static UChar32
clean_scalar(UChar32 c)
{
	if (c == '\n' || c == '\t')
		return c;
	if (c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029)
		return '\n';
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || is_isolate(c) || is_embedding(c))
		return -1;
	if (c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb))
		return -1;
	return c;
}

/* Takes out, in place, what clean_scalar refuses and marks beyond MARKS_MOST. */
static void
wide_filter(struct wide *w)
{
	int32_t from = 0, to = 0, marks = 0;

	while (from < w->length) {
		UChar32 c = next16(w->units, &from, w->length);

		if (c == '\r' && from < w->length && w->units[from] == '\n')
			continue;
		c = clean_scalar(c);
		if (c < 0)
			continue;
		marks = c >= 0x300 && u_getCombiningClass(c) ? marks + 1 : 0;
		if (marks > MARKS_MOST)
			continue;
		U16_APPEND_UNSAFE(w->units, to, c);
	}
	w->length = to;
}

static void
wide_normal(struct wide *w, const UNormalizer2 *form)
{
	UErrorCode error = U_ZERO_ERROR;
	int32_t room, n;
	UChar *units;

	if (unorm2_quickCheck(form, w->units, w->length, &error) == UNORM_YES && U_SUCCESS(error))
		return;
	/* One scalar becomes at most 18 under any form; most texts hardly grow. */
	for (room = w->length * 2 + 64;; room = n + 1) {
		error = U_ZERO_ERROR;
		units = memory_new((size_t)room * sizeof(UChar));
		n = unorm2_normalize(form, w->units, w->length, units, room, &error);
		if (error != U_BUFFER_OVERFLOW_ERROR)
			break;
		free(units);
	}
	assert(U_SUCCESS(error));
	free(w->units);
	w->units = units;
	w->length = n;
}

static const UNormalizer2 *
nfc(void)
{
	UErrorCode error = U_ZERO_ERROR;

	return unorm2_getNFCInstance(&error);
}

static const UNormalizer2 *
nfd(void)
{
	UErrorCode error = U_ZERO_ERROR;

	return unorm2_getNFDInstance(&error);
}

static const UNormalizer2 *
nfkc_fold(void)
{
	UErrorCode error = U_ZERO_ERROR;

	return unorm2_getNFKCCasefoldInstance(&error);
}

static char *
ascii_clean(struct arena *arena, const unsigned char *s, size_t n, size_t scalars)
{
	char *out, *to;

	while (n && (is_ascii_space(*s) || *s < ' ' || *s == 0x7f))
		s++, n--;
	to = out = arena_alloc(arena, n + 1);
	for (; n; s++, n--) {
		if (*s == '\r' && n > 1 && s[1] == '\n')
			continue;
		if (*s == '\r')
			*to++ = '\n';
		else if ((*s >= ' ' && *s != 0x7f) || *s == '\n' || *s == '\t')
			*to++ = (char)*s;
	}
	if ((size_t)(to - out) > scalars)
		to = out + scalars;
	while (to > out && is_ascii_space((unsigned char)to[-1]))
		to--;
	*to = 0;
	return out;
}

/* Where a grapheme ends at or before `limit` units; `limit` itself when the first one is longer. */
static int32_t
grapheme_before(const UChar *units, int32_t length, int32_t limit)
{
	UErrorCode error = U_ZERO_ERROR;
	UBreakIterator *it;
	int32_t at;

	if (limit >= length)
		return length;
	it = ubrk_open(UBRK_CHARACTER, "", units, length, &error);
	assert(U_SUCCESS(error));
	at = ubrk_isBoundary(it, limit) ? limit : ubrk_preceding(it, limit);
	ubrk_close(it);
	return at > 0 ? at : limit;
}

/* Marks of direction, joiners and their like alone are nothing that somebody can read. */
static bool
is_blank(const UChar *units, int32_t length)
{
	for (int32_t i = 0; i < length;) {
		UChar32 c = next16(units, &i, length);

		if (!u_isUWhiteSpace(c) &&
		    !u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
			return false;
	}
	return true;
}

char *
text_clean(struct arena *arena, const void *bytes, size_t length, size_t scalars)
{
	struct wide w;
	int32_t start = 0, end, before;
	char *s;

	if (is_ascii(bytes, length))
		return ascii_clean(arena, bytes, length, scalars);
	w = wide_from(bytes, length);
	wide_filter(&w);
	wide_normal(&w, nfc());
	while (start < w.length && is_space(w.units[start]))
		start++;
	end = w.length;
	if (scalars < (size_t)(end - start)) {
		before = start;
		U16_FWD_N(w.units, before, w.length, (int32_t)scalars);
		end = start + grapheme_before(w.units + start, end - start, before - start);
	}
	while (end > start && is_space(w.units[end - 1]))
		end--;
	if (is_blank(w.units + start, end - start))
		end = start;
	s = wide_to(arena, w.units + start, end - start);
	free(w.units);
	return s;
}

/* Hyphens, apostrophes and their look-alikes: people type any of them, or none. */
static bool
is_joint(UChar32 c)
{
	switch (c) {
	case '\'':
	case '"':
	case '`':
	case 0xb4:
	case 0x2b9:
	case 0x2bb:
	case 0x2bc:
	case 0x2bd:
	case 0x2be:
	case 0x2bf:
	case 0x2c8:
	case 0x5f3:
	case 0x5f4:
	case 0x2018:
	case 0x2019:
	case 0x201b:
	case 0x201c:
	case 0x201d:
	case 0x201e:
	case 0x2032:
	case 0x2033:
	case 0x2212:
		return true;
	default:
		return is_space(c) || u_charType(c) == U_DASH_PUNCTUATION;
	}
}

static bool
is_stripped_mark(UChar32 c)
{
	if (c == 0x640)
		return true;
	if (c < 0x300 || u_charType(c) != U_NON_SPACING_MARK)
		return false;
	return c <= 0x36f || (c >= 0x483 && c <= 0x487) || (c >= 0x591 && c <= 0x5c7) ||
	       (c >= 0x610 && c <= 0x6ed) || (c >= 0x898 && c <= 0x8ff) ||
	       (c >= 0x1ab0 && c <= 0x1aff) || (c >= 0x1dc0 && c <= 0x1dff) ||
	       (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe20 && c <= 0xfe2f) || c == 0xfb1e;
}

/* COMMUNITY.md §3: letters that are one and the same to somebody who searches. */
static UChar32
fold_letter(UChar32 c)
{
	static const struct {
		uint16_t from, to;
	} same[] = {
	    {0x5da, 0x5db}, /* Hebrew finals */
	    {0x5dd, 0x5de},
	    {0x5df, 0x5e0},
	    {0x5e3, 0x5e4},
	    {0x5e5, 0x5e6},
	    {0x629, 0x647}, /* ta marbuta */
	    {0x649, 0x64a}, /* alef maqsura */
	    {0x671, 0x627}, /* alef wasla */
	    {0x672, 0x627},
	    {0x673, 0x627},
	    {0x6a9, 0x643}, /* Persian kaf, heh, yeh from other keyboards */
	    {0x6c1, 0x647},
	    {0x6cc, 0x64a},
	    {0x6d5, 0x647},
	    {0xf8, 'o'},
	    {0x111, 'd'},
	    {0x127, 'h'},
	    {0x131, 'i'},
	    {0x142, 'l'},
	};
	int digit;

	if (c < 0x80)
		return c;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (c == same[i].from)
			return same[i].to;
	digit = u_charDigitValue(c);
	return digit >= 0 ? '0' + digit : c;
}

static void
wide_fold(struct wide *w)
{
	int32_t from = 0, to = 0;
	bool gap = false;

	while (from < w->length) {
		UChar32 c = next16(w->units, &from, w->length);

		if (is_stripped_mark(c))
			continue;
		if (is_joint(c)) {
			gap = to > 0;
			continue;
		}
		if (gap)
			w->units[to++] = ' ';
		gap = false;
		c = fold_letter(c);
		U16_APPEND_UNSAFE(w->units, to, c);
	}
	w->length = to;
}

static char *
ascii_fold(struct arena *arena, const char *text, size_t n)
{
	char *out = arena_alloc(arena, n + 1), *to = out;
	bool gap = false;

	for (; n; text++, n--) {
		char c = *text;

		if (is_ascii_space((unsigned char)c) || c == '-' || c == '\'' || c == '"' ||
		    c == '`') {
			gap = to > out;
			continue;
		}
		if (c < ' ' || c == 0x7f)
			continue;
		if (gap)
			*to++ = ' ';
		gap = false;
		*to++ = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	*to = 0;
	return out;
}

char *
text_fold(struct arena *arena, const char *text)
{
	size_t n = strlen(text);
	struct wide w;
	char *s;

	if (is_ascii((const unsigned char *)text, n))
		return ascii_fold(arena, text, n);
	w = wide_from(text, n);
	wide_filter(&w);
	wide_normal(&w, nfkc_fold());
	wide_normal(&w, nfd());
	wide_fold(&w);
	wide_normal(&w, nfc());
	s = wide_to(arena, w.units, w.length);
	free(w.units);
	return s;
}

/* Whether a scalar ends a bidi paragraph, and every isolate with it. */
static bool
is_paragraph_end(UChar32 c)
{
	return c == '\n' || c == '\r' || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2029;
}

bool
text_is_words(const char *text)
{
	int32_t n = (int32_t)strlen(text);

	for (int32_t i = 0; i < n;) {
		UChar32 c = next8(text, &i, n);

		if (c < 0x20 && c != '\n' && c != '\t')
			return false;
	}
	return true;
}

bool
text_balanced(const char *text)
{
	int32_t i = 0, n = (int32_t)strlen(text), depth = 0;

	/* Each of the characters that count begins with this byte; a paragraph's end counts only
	 * between them. */
	if (!strchr(text, 0xe2))
		return true;
	while (i < n) {
		UChar32 c = next8(text, &i, n);

		if (is_embedding(c) || (is_paragraph_end(c) && depth))
			return false;
		if (c == 0x2069 && --depth < 0)
			return false;
		if (c >= 0x2066 && c <= 0x2068)
			depth++;
	}
	return depth == 0;
}

/* Each line in an isolate of its own, because a line's end closes isolates by itself. */
char *
text_isolate(struct arena *arena, const char *text)
{
	struct buf b = {.maximum = BYTES_MOST};
	int32_t i = 0, n = (int32_t)strlen(text);
	bool safe = text_balanced(text), open = false;
	char *s;

	while (i < n) {
		int32_t start = i;
		UChar32 c = next8(text, &i, n);

		if (!safe && (is_isolate(c) || is_embedding(c)))
			continue;
		if (is_paragraph_end(c)) {
			buf_string(&b, open ? TEXT_PDI "\n" : "\n");
			open = false;
			continue;
		}
		if (!open)
			buf_string(&b, TEXT_FSI);
		open = true;
		if (c < 0)
			buf_string(&b, "\xef\xbf\xbd");
		else
			buf_add(&b, text + start, (size_t)(i - start));
	}
	if (open)
		buf_string(&b, TEXT_PDI);
	s = arena_copy(arena, b.bytes ? b.bytes : "", b.length);
	buf_free(&b);
	return s;
}

size_t
text_scalars(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

size_t
text_utf16(const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		n += (*text & 0xc0) != 0x80;
		n += (*text & 0xf8) == 0xf0;
	}
	return n;
}

/* The byte behind the first `scalars` scalars, or the end. */
static size_t
bytes_of(const char *text, size_t scalars)
{
	const char *p = text;

	for (; *p; p++)
		if ((*p & 0xc0) != 0x80 && scalars-- == 0)
			break;
	return (size_t)(p - text);
}

/* How good a place to cut lies between text[at-1] and text[at]: 4 paragraph, 3 line, 2 sentence, 1
 * word. */
static int
cut_grade(const char *text, size_t at)
{
	char before = text[at - 1];

	if (before == '\n')
		return at > 1 && text[at - 2] == '\n' && text[at] != '\n' ? 4 : 3;
	if (before != ' ' || at < 2)
		return 0;
	if (strchr(".!?:", text[at - 2]) || (at > 2 && !memcmp(text + at - 3, "\xd8\x9f", 2)) ||
	    (at > 3 && !memcmp(text + at - 4, "\xe2\x80\xa6", 3)))
		return 2;
	return 1;
}

size_t
text_cut(const char *text, size_t scalars)
{
	size_t limit = bytes_of(text, scalars ? scalars : 1), floor, at, best = 0;
	UErrorCode error = U_ZERO_ERROR;
	UText ut = UTEXT_INITIALIZER;
	UBreakIterator *it;
	int grade = 0;

	if (!text[limit])
		return limit;
	utext_openUTF8(&ut, text, (int64_t)strlen(text), &error);
	it = ubrk_open(UBRK_CHARACTER, "", NULL, 0, &error);
	ubrk_setUText(it, &ut, &error);
	assert(U_SUCCESS(error));
	floor = bytes_of(text, scalars - scalars / 4);
	for (at = limit; at > floor && at > 0 && grade < 4; at--) {
		int g = cut_grade(text, at);

		if (g > grade && ubrk_isBoundary(it, (int32_t)at)) {
			best = at;
			grade = g;
		}
	}
	if (!best) {
		int32_t back = ubrk_isBoundary(it, (int32_t)limit)
				   ? (int32_t)limit
				   : ubrk_preceding(it, (int32_t)limit);
		best = back > 0 ? (size_t)back : limit;
	}
	ubrk_close(it);
	utext_close(&ut);
	return best;
}

/* The value of a Latin, Arabic-Indic or Persian digit, else -1. */
static int
digit_of(UChar32 c)
{
	if (c >= '0' && c <= '9')
		return (int)c - '0';
	if (c >= 0x660 && c <= 0x669)
		return (int)c - 0x660;
	if (c >= 0x6f0 && c <= 0x6f9)
		return (int)c - 0x6f0;
	return -1;
}

/* White space and the invisible direction marks that phones put around numbers. */
static bool
is_filler(UChar32 c)
{
	return c >= 0 && (is_space(c) || c == 0x200e || c == 0x200f || c == 0x61c || is_isolate(c));
}

bool
text_number(const char *text, int64_t *number)
{
	int32_t i = 0, n = (int32_t)strlen(text);
	bool negative = false, any = false, ended = false;
	int64_t value = 0;

	while (i < n) {
		UChar32 c = next8(text, &i, n);
		int digit;

		digit = digit_of(c);
		if (is_filler(c)) {
			ended = any || negative;
			continue;
		}
		if (ended || (digit < 0 && (c != '-' || any || negative)))
			return false;
		if (digit < 0) {
			negative = true;
			continue;
		}
		any = true;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, digit, &value))
			return false;
	}
	if (!any || (!negative && value == INT64_MIN))
		return false;
	*number = negative ? value : -value;
	return true;
}

/* At most DISTANCE_MOST scalars; -1 when there are more. */
static int
scalars_of(const char *text, UChar32 *out)
{
	int32_t i = 0, n = (int32_t)strlen(text);
	int count = 0;

	while (i < n) {
		if (count == DISTANCE_MOST)
			return -1;
		out[count] = next8(text, &i, n);
		count++;
	}
	return count;
}

static int
least(int a, int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment (Damerau 1964), three rows; longer words than DISTANCE_MOST are equal or
 * far. */
int
text_distance(const char *a, const char *b, int limit)
{
	UChar32 x[DISTANCE_MOST], y[DISTANCE_MOST];
	int rows[3][DISTANCE_MOST + 1];
	int *two = rows[0], *one = rows[1], *now = rows[2];
	int nx = scalars_of(a, x), ny = scalars_of(b, y);

	if (nx < 0 || ny < 0)
		return strcmp(a, b) ? limit + 1 : 0;
	if (abs(nx - ny) > limit)
		return limit + 1;
	for (int j = 0; j <= ny; j++)
		one[j] = j;
	for (int i = 1; i <= nx; i++) {
		int lowest = now[0] = i;

		for (int j = 1; j <= ny; j++) {
			int d = one[j - 1] + (x[i - 1] != y[j - 1]);

			d = least(d, least(one[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1])
				d = least(d, two[j - 2] + 1);
			now[j] = d;
			lowest = least(lowest, d);
		}
		if (lowest > limit)
			return limit + 1;
		int *spare = two;
		two = one;
		one = now;
		now = spare;
	}
	return least(one[ny], limit + 1);
}

/* Rule P2 of UAX #9: what stands in an isolate does not decide. */
int
text_direction(const char *text)
{
	int32_t i = 0, n = (int32_t)strlen(text), depth = 0;

	while (i < n) {
		UChar32 c = next8(text, &i, n);
		UCharDirection d;

		if (c >= 0x2066 && c <= 0x2068)
			depth++;
		else if (c == 0x2069 && depth)
			depth--;
		if (depth)
			continue;
		d = c < 0 ? U_OTHER_NEUTRAL : u_charDirection(c);
		if (d == U_LEFT_TO_RIGHT)
			return 1;
		if (d == U_RIGHT_TO_LEFT || d == U_RIGHT_TO_LEFT_ARABIC)
			return -1;
	}
	return 0;
}

static bool
is_word_unit(UChar c)
{
	return c == '_' || u_isalnum(c) || U16_IS_SURROGATE(c);
}

static int32_t
digits_at(const struct wide *w, int32_t i)
{
	int32_t n = 0;

	while (i + n < w->length && w->units[i + n] >= '0' && w->units[i + n] <= '9')
		n++;
	return n;
}

/* The length of a date such as 24.11.2026, 2026-11-24 or 24/11/26 at `i`, else 0: no telephone
 * number. */
static int32_t
date_at(const struct wide *w, int32_t i)
{
	int32_t a = digits_at(w, i), b, c;
	UChar mark;

	if (a == 0 || a == 3 || a > 4 || i + a >= w->length)
		return 0;
	mark = w->units[i + a];
	if (mark != '.' && mark != '-' && mark != '/')
		return 0;
	b = digits_at(w, i + a + 1);
	if (b < 1 || b > 2 || i + a + 1 + b >= w->length || w->units[i + a + 1 + b] != mark)
		return 0;
	c = digits_at(w, i + a + b + 2);
	if ((a == 4 && c >= 1 && c <= 2) || (a <= 2 && (c == 2 || c == 4)))
		return a + b + c + 2;
	return 0;
}

static bool
is_phone_mark(UChar c)
{
	return c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/' ||
	       c == 0x2010 || c == 0x2011 || c == 0x2013;
}

/* Nine digits with marks between them, seven in a row, or seven behind a plus. */
static bool
has_phone(const struct wide *w)
{
	int32_t i = 0;

	while (i < w->length) {
		int32_t date = date_at(w, i), total = 0, gap = 0;
		bool plus = i > 0 && w->units[i - 1] == '+';

		if (date) {
			i += date;
			continue;
		}
		if (!digits_at(w, i)) {
			i++;
			continue;
		}
		for (; i < w->length && gap <= 2; i++) {
			int32_t run = digits_at(w, i);

			if (run) {
				total += run;
				if (run >= 7 || total >= 9 || (plus && total >= 7))
					return true;
				i += run - 1;
				gap = 0;
			} else if (!is_phone_mark(w->units[i]) || date_at(w, i + 1)) {
				break;
			} else {
				gap++;
			}
		}
	}
	return false;
}

static bool
has_handle(const struct wide *w)
{
	for (int32_t i = 0; i < w->length; i++) {
		int32_t n = 0;

		if (w->units[i] != '@')
			continue;
		while (i + 1 + n < w->length && is_word_unit(w->units[i + 1 + n]))
			n++;
		if (n >= 3 || (n >= 1 && i > 0 && is_word_unit(w->units[i - 1])))
			return true;
	}
	return false;
}

/* Whether the word that begins at `i` is, whole, one of those that end addresses. */
static bool
is_top_domain(const struct wide *w, int32_t i)
{
	static const char *const tops[] = {"com", "org", "net", "il", "ps", "me", "io", "info",
	    "edu", "gov", "co", "app", "dev", "ly", "be", "tv", "gg", "chat", "link", "xyz", "de",
	    "ch", "uk", "us", "jo", "eg", "eu", "fr", "page", "site", "online", "club", "to", "im",
	    "cc", "gl", "bio", "social", NULL};

	for (const char *const *top = tops; *top; top++) {
		int32_t n = (int32_t)strlen(*top), k = 0;

		while (k < n && i + k < w->length && w->units[i + k] == (UChar)(*top)[k])
			k++;
		if (k == n && (i + n == w->length || !is_word_unit(w->units[i + n])))
			return true;
	}
	return false;
}

static bool
has_link(const struct wide *w)
{
	for (int32_t i = 1; i + 1 < w->length; i++) {
		UChar before = w->units[i - 1];

		if (w->units[i] == ':' && w->units[i + 1] == '/' && i + 2 < w->length &&
		    w->units[i + 2] == '/')
			return true;
		if (w->units[i] != '.' || !is_word_unit(before))
			continue;
		if (is_top_domain(w, i + 1))
			return true;
		if (i >= 3 && before == 'w' && w->units[i - 2] == 'w' && w->units[i - 3] == 'w')
			return true;
	}
	return false;
}

bool
text_reveals(const char *text)
{
	struct wide w = wide_from(text, strlen(text));
	bool found;

	wide_filter(&w);
	wide_normal(&w, nfkc_fold());
	for (int32_t i = 0; i < w.length; i++) {
		int digit = U16_IS_SURROGATE(w.units[i]) ? -1 : u_charDigitValue(w.units[i]);

		if (digit >= 0)
			w.units[i] = (UChar)('0' + digit);
	}
	found = has_phone(&w) || has_handle(&w) || has_link(&w);
	free(w.units);
	return found;
}
