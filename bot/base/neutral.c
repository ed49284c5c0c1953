/* Word by word first, then runs of numbers, and when it still reveals something, all of it. */
#include "base/neutral.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/text.h"

enum { TEXT_MOST = 1 << 20 };

/* A piece that may be part of a number written with gaps: "050", "(02)", "-", "+972", "٠٥٠". */
static bool
is_numeric(const char *piece)
{
	bool digit = false;

	for (const unsigned char *p = (const unsigned char *)piece; *p; p++) {
		if (*p >= '0' && *p <= '9')
			digit = true;
		else if (*p >= 0x80)
			/* Arabic-Indic and Persian digits, U+0660-0669 and U+06F0-06F9. */
			digit = digit || (*p == 0xd9 && p[1] >= 0xa0 && p[1] <= 0xa9) ||
				(*p == 0xdb && p[1] >= 0xb0 && p[1] <= 0xb9);
		else if (!strchr("+-()./", *p))
			return false;
	}
	return digit;
}

/* `text` with each word for which `reveals` answers true replaced; white space stays as it is. */
static char *
replaced(
    struct arena *arena, const char *text, const char *word, bool (*reveals)(const char *piece))
{
	struct buf b = {.maximum = TEXT_MOST};
	char *out;

	while (*text) {
		size_t space = strspn(text, " \t\n"), n = strcspn(text + space, " \t\n");
		char *piece = arena_copy(arena, text + space, n);

		buf_add(&b, text, space);
		buf_string(&b, *piece && reveals(piece) ? word : piece);
		text += space + n;
	}
	out = arena_copy(arena, b.bytes ? (const char *)b.bytes : "", b.length);
	buf_free(&b);
	return out;
}

char *
neutral_text(struct arena *arena, const char *text, const char *word)
{
	char *out = replaced(arena, text, word, text_reveals);

	if (text_reveals(out))
		out = replaced(arena, out, word, is_numeric);
	return text_reveals(out) ? arena_string(arena, word) : out;
}
