#include "base/feed_encoding.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_err.h>
#include <unicode/utf16.h>

#include "base/feed_text.h"
#include "base/memory.h"

enum { HEAD_BYTES = 1024, UNITS = 2048 };

struct feed_encoding {
	const char *bytes, *end, *at;
	UConverter *converter;
	char name[64];
	UChar units[UNITS];
	int32_t unit, n_units;
	bool flushed, begun, damaged;
};

/* What a label means in practice; every other one is ICU's matter. */
static const struct {
	const char *label, *means;
} labels[] = {
    {"iso-8859-1", "windows-1252"},
    {"latin1", "windows-1252"},
    {"latin-1", "windows-1252"},
    {"us-ascii", "windows-1252"},
    {"ascii", "windows-1252"},
    {"iso8859-1", "windows-1252"},
    {"iso-8859-9", "windows-1254"},
    {"iso-8859-11", "windows-874"},
    {"tis-620", "windows-874"},
    {"iso-8859-8-i", "iso-8859-8"},
    {"iso-8859-8-e", "iso-8859-8"},
    {"logical", "iso-8859-8"},
    {"visual", "iso-8859-8"},
    {"gb2312", "gb18030"},
    {"gbk", "gb18030"},
    {"x-gbk", "gb18030"},
    {"shift_jis", "ibm-943_P15A-2003"},
    {"x-sjis", "ibm-943_P15A-2003"},
    {"euc-kr", "windows-949"},
    {"ks_c_5601-1987", "windows-949"},
    {"big5", "windows-950"},
    {"x-mac-roman", "macintosh"},
    {"utf8", "UTF-8"},
    {"unicode-1-1-utf-8", "UTF-8"},
};

/* Encodings that hide ASCII, or are none for documents: attacks rather than feeds. */
static bool
name_refused(const char *name)
{
	static const char *const refused[] = {
	    "UTF-7",
	    "IMAP",
	    "SCSU",
	    "BOCU",
	    "CESU",
	    "HZ",
	    "UTF-16",
	    "UTF-32",
	    "UTF16",
	    "UTF32",
	    "ISO-10646",
	    "UCS",
	    "unicode",
	    "ebcdic",
	    "ibm-37",
	    "ibm-1047",
	    "cp037",
	    "LMBCS",
	    "ISCII",
	};
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (strncasecmp(name, refused[i], strlen(refused[i])) == 0)
			return true;
	return false;
}

static UConverter *
converter_open(const char *label)
{
	UErrorCode error = U_ZERO_ERROR;
	UConverter *c;
	size_t i;

	for (i = 0; i < sizeof(labels) / sizeof(*labels); i++)
		if (strcasecmp(label, labels[i].label) == 0)
			label = labels[i].means;
	c = ucnv_open(label, &error);
	return U_SUCCESS(error) ? c : NULL;
}

/* A piece of ASCII from `from` into `label`: what may stand in the name of an encoding. */
static void
label_copy(char *label, size_t room, const char *from, const char *end)
{
	size_t n = 0;

	while (from < end && strchr(" \t\r\n\"'", *from) && *from)
		from++;
	while (from < end && n + 1 < room && *from > ' ' && *from < 127 && !strchr("\"';?>", *from))
		label[n++] = *from++;
	label[n] = 0;
}

static const char *
find(const char *from, const char *end, const char *what)
{
	size_t n = strlen(what);

	for (; from < end && (size_t)(end - from) >= n; from++)
		if (strncasecmp(from, what, n) == 0)
			return from;
	return NULL;
}

static void
declared_label(const char *bytes, const char *end, char *label, size_t room)
{
	const char *stop = end - bytes > HEAD_BYTES ? bytes + HEAD_BYTES : end, *p;

	*label = 0;
	p = find(bytes, stop, "<?xml");
	stop = p ? find(p, stop, "?>") : NULL;
	p = stop ? find(p, stop, "encoding") : NULL;
	p = p ? memchr(p, '=', (size_t)(stop - p)) : NULL;
	if (p)
		label_copy(label, room, p + 1, stop);
}

static void
header_label(const char *content_type, char *label, size_t room)
{
	const char *end = content_type ? content_type + strlen(content_type) : NULL, *p;

	*label = 0;
	p = content_type ? find(content_type, end, "charset") : NULL;
	p = p ? strchr(p, '=') : NULL;
	if (p)
		label_copy(label, room, p + 1, end);
}

/* How many characters of several bytes are right, and how many bytes fit nowhere. */
static void
utf8_count(const char *p, const char *end, size_t *right, size_t *wrong)
{
	*right = *wrong = 0;
	while (p < end) {
		unsigned char c = (unsigned char)*p++;
		int more = c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 0, i;

		if (c < 0x80)
			continue;
		if (c >= 0xf5)
			more = 0;
		for (i = 0; i < more && p + i < end && ((unsigned char)p[i] & 0xc0) == 0x80; i++)
			;
		if (more && (i == more || p + i == end)) {
			++*right;
			p += i;
		} else {
			++*wrong;
		}
	}
}

/* The windows code page that a feed of this language was written in before UTF-8. */
static const char *
page_of_language(const char *bytes, const char *end)
{
	static const struct {
		const char *language, *page;
	} pages[] = {
	    {"he", "windows-1255"},
	    {"iw", "windows-1255"},
	    {"ar", "windows-1256"},
	    {"fa", "windows-1256"},
	    {"ur", "windows-1256"},
	    {"ru", "windows-1251"},
	    {"el", "windows-1253"},
	    {"tr", "windows-1254"},
	    {"pl", "windows-1250"},
	    {"cs", "windows-1250"},
	    {"hu", "windows-1250"},
	};
	const char *stop = end - bytes > 4 * HEAD_BYTES ? bytes + 4 * HEAD_BYTES : end, *p;
	char label[16];
	size_t i;

	p = find(bytes, stop, "<language>");
	p = p ? p + 10 : find(bytes, stop, "xml:lang=");
	if (!p)
		return "windows-1252";
	label_copy(label, sizeof(label), *p == 'x' ? p + 9 : p, stop);
	for (i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		if (strncasecmp(label, pages[i].language, 2) == 0)
			return pages[i].page;
	return "windows-1252";
}

/* By the mark or by where the zeros of "<?" stand; *mark is the length of the mark. */
static const char *
sniffed(const unsigned char *b, size_t n, size_t *mark)
{
	static const struct {
		unsigned char bytes[4];
		unsigned char length, mark;
		const char *name;
	} signs[] = {
	    {{0xef, 0xbb, 0xbf}, 3, 3, "UTF-8"},
	    {{0xff, 0xfe, 0, 0}, 4, 4, "UTF-32LE"},
	    {{0, 0, 0xfe, 0xff}, 4, 4, "UTF-32BE"},
	    {{0xff, 0xfe}, 2, 2, "UTF-16LE"},
	    {{0xfe, 0xff}, 2, 2, "UTF-16BE"},
	    {{'<', 0, 0, 0}, 4, 0, "UTF-32LE"},
	    {{0, 0, 0, '<'}, 4, 0, "UTF-32BE"},
	    {{'<', 0}, 2, 0, "UTF-16LE"},
	    {{0, '<'}, 2, 0, "UTF-16BE"},
	};
	size_t i;

	for (i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (n >= signs[i].length && memcmp(b, signs[i].bytes, signs[i].length) == 0) {
			*mark = signs[i].mark;
			return signs[i].name;
		}
	*mark = 0;
	return NULL;
}

static UConverter *
converter_choose(struct feed_encoding *e, const char *content_type)
{
	char header[64], declared[64];
	size_t right, wrong, mark;
	const char *name =
	    sniffed((const unsigned char *)e->bytes, (size_t)(e->end - e->bytes), &mark);
	UConverter *c = NULL;

	e->bytes += mark;
	if (name && strcmp(name, "UTF-8") != 0)
		return converter_open(name);
	utf8_count(e->bytes, e->end, &right, &wrong);
	if (name || (wrong == 0 && right > 0) || right > 8 * wrong)
		return converter_open("UTF-8");
	header_label(content_type, header, sizeof(header));
	declared_label(e->bytes, e->end, declared, sizeof(declared));
	if (*header && !name_refused(header))
		c = converter_open(header);
	if ((!c || strncasecmp(header, "utf", 3) == 0) && *declared && !name_refused(declared)) {
		if (c)
			ucnv_close(c);
		c = converter_open(declared);
	}
	if (c && wrong > right) {
		UErrorCode error = U_ZERO_ERROR;
		if (strcmp(ucnv_getName(c, &error), "UTF-8") == 0) {
			ucnv_close(c);
			c = NULL;
		}
	}
	return c ? c : converter_open(wrong > right ? page_of_language(e->bytes, e->end) : "UTF-8");
}

/* As ICU's own substitution, and remembers it. */
static void
replaced(const void *context, UConverterToUnicodeArgs *args, const char *units, int32_t length,
    UConverterCallbackReason reason, UErrorCode *error)
{
	struct feed_encoding *e = (struct feed_encoding *)(uintptr_t)context;

	if (reason > UCNV_IRREGULAR)
		return;
	e->damaged = true;
	UCNV_TO_U_CALLBACK_SUBSTITUTE(NULL, args, units, length, reason, error);
}

struct feed_encoding *
feed_encoding_new(const void *bytes, size_t length, const char *content_type)
{
	struct feed_encoding *e = memory_new(sizeof(*e));
	UErrorCode error = U_ZERO_ERROR;
	const char *name;

	e->bytes = bytes;
	e->end = e->bytes + length;
	e->converter = converter_choose(e, content_type);
	if (!e->converter)
		memory_exhausted();
	name = ucnv_getName(e->converter, &error);
	snprintf(e->name, sizeof(e->name), "%s", name ? name : "");
	ucnv_setToUCallBack(e->converter, replaced, e, NULL, NULL, &error);
	e->at = e->bytes;
	return e;
}

void
feed_encoding_free(struct feed_encoding *e)
{
	if (!e)
		return;
	ucnv_close(e->converter);
	free(e);
}

void
feed_encoding_rewind(struct feed_encoding *e)
{
	ucnv_resetToUnicode(e->converter);
	e->at = e->bytes;
	e->unit = e->n_units = 0;
	e->flushed = e->begun = e->damaged = false;
}

/* Converts the next units; false at the end. */
static bool
units_fill(struct feed_encoding *e)
{
	UChar *out = e->units;
	UErrorCode error = U_ZERO_ERROR;
	/* A surrogate pair that the last piece was cut in is joined again. */
	bool half = e->unit < e->n_units;

	if (e->flushed)
		return false;
	if (half)
		*out++ = e->units[e->unit];
	ucnv_toUnicode(e->converter, &out, e->units + UNITS, &e->at, e->end, NULL, true, &error);
	e->flushed = error != U_BUFFER_OVERFLOW_ERROR;
	e->unit = 0;
	e->n_units = (int32_t)(out - e->units);
	return e->n_units > 0;
}

/* What XML 1.0 (2.2) allows. */
static bool
is_xml(unsigned p)
{
	return p == '\t' || p == '\n' || p == '\r' || (p >= 0x20 && p < 0xd800) ||
	       (p >= 0xe000 && p < 0xfffe) || (p >= 0x10000 && p <= 0x10ffff);
}

size_t
feed_encoding_read(struct feed_encoding *e, char *out, size_t room)
{
	size_t n = 0;

	while (n + 4 <= room) {
		unsigned p;

		if ((e->unit >= e->n_units || (e->unit + 1 == e->n_units &&
						  U16_IS_LEAD(e->units[e->unit]) && !e->flushed)) &&
		    !units_fill(e))
			break;
		p = e->units[e->unit++];
		if (U16_IS_LEAD(p) && e->unit < e->n_units && U16_IS_TRAIL(e->units[e->unit]))
			p = 0x10000 + ((p & 0x3ff) << 10) + (e->units[e->unit++] & 0x3ffU);
		if (!is_xml(p)) {
			e->damaged = true;
			continue;
		}
		if (!e->begun && (p <= ' ' || p == 0xfeff)) {
			e->damaged |= p <= ' ';
			continue;
		}
		e->begun = true;
		n += feed_text_put(out + n, p);
	}
	return n;
}

const char *
feed_encoding_name(const struct feed_encoding *e)
{
	return e->name;
}

bool
feed_encoding_damaged(const struct feed_encoding *e)
{
	return e->damaged;
}
