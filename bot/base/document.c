/* Sources: ISO 32000-1 §7.5.2 (the header of PDF), PKWARE APPNOTE §4.3 (zip), OpenDocument 1.2 part
 * 3 §3.3 (its first entry is "mimetype", stored), ECMA-376 part 2 (Office Open XML). */
#include "base/document.h"

#include <stdbool.h>
#include <string.h>

enum { MIME_AT = 38, LOOK_FOR_TEXT = 1 << 20 };

static bool
holds(const void *bytes, size_t length, const char *what)
{
	return memmem(bytes, length, what, strlen(what));
}

static bool
starts(const char *at, size_t length, const char *with)
{
	return length >= strlen(with) && !memcmp(at, with, strlen(with));
}

/* Names of entries are not compressed; what could run by itself is refused. */
static struct document
office(const char *at, size_t length)
{
	static const struct {
		const char *entry;
		struct document is;
	} kinds[] = {
	    {"word/document.xml",
		{"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		    "docx"}},
	    {"xl/workbook.xml",
		{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"}},
	    {"ppt/presentation.xml",
		{"application/vnd.openxmlformats-officedocument.presentationml.presentation",
		    "pptx"}},
	};

	if (!holds(at, length, "[Content_Types].xml") || holds(at, length, "vbaProject") ||
	    holds(at, length, "activeX"))
		return (struct document){0};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (holds(at, length, kinds[i].entry))
			return kinds[i].is;
	return (struct document){0};
}

static struct document
open_document(const char *at, size_t length)
{
	static const struct document kinds[] = {
	    {"application/vnd.oasis.opendocument.text", "odt"},
	    {"application/vnd.oasis.opendocument.spreadsheet", "ods"},
	    {"application/vnd.oasis.opendocument.presentation", "odp"},
	};

	if (holds(at, length, "Basic/") || holds(at, length, "Scripts/"))
		return (struct document){0};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t n = strlen(kinds[i].type);

		/* Behind a longer name of the same beginning ("…text-template") stands no PK. */
		if (length > MIME_AT + n + 2 && starts(at + MIME_AT, n, kinds[i].type) &&
		    !memcmp(at + MIME_AT + n, "PK", 2))
			return kinds[i];
	}
	return (struct document){0};
}

/* Valid UTF-8 by its shape, no control characters but white space. */
static bool
is_text(const unsigned char *at, size_t length)
{
	size_t more = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = at[i];

		if (more) {
			if ((c & 0xc0) != 0x80)
				return false;
			more--;
		} else if (c >= 0x80) {
			more = c >= 0xf0 && c <= 0xf4 ? 3 : c >= 0xe0 && c < 0xf0 ? 2 : 1;
			if (more == 1 && (c < 0xc2 || c > 0xdf))
				return false;
		} else if (c == 0x7f || (c < 0x20 && c != '\n' && c != '\r' && c != '\t')) {
			return false;
		}
	}
	return length > 0 && !more;
}

struct document
document_of(const void *bytes, size_t length)
{
	const char *at = bytes;

	if (starts(at, length, "%PDF-"))
		return (struct document){"application/pdf", "pdf"};
	if (starts(at, length, "PK\x03\x04")) {
		if (length > MIME_AT && starts(at + 30, 8, "mimetype"))
			return open_document(at, length);
		return office(at, length);
	}
	if (length <= LOOK_FOR_TEXT && !starts(at, length, "#!") && is_text(bytes, length))
		return (struct document){"text/plain", "txt"};
	return (struct document){0};
}
