/* Any bytes: feed.h's promises about text, numbers and items hold, and nothing is touched outside.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

/* Plain UTF-8: no control, no override, not empty. */
static void
plain(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	if (!text)
		return;
	demand(*p != 0);
	for (; *p; p++) {
		demand(*p >= ' ' && *p != 127);
		demand(!(p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae));
		demand(!(p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	struct feed_origin origin = {
	    "text/xml; charset=windows-1255", "he", "https://example.org/a/b"};
	struct feed *f;
	size_t i;

	if (!arena)
		arena = arena_new();
	if (size == 0)
		return 0;
	f = feed_parse(arena, data + 1, size - 1, data[0] & 1 ? &origin : NULL);
	plain(f->title);
	plain(f->link);
	plain(f->language);
	demand(f->problem != FEED_NOT_A_FEED || f->count == 0);
	demand((f->problem == FEED_FINE) == (f->why == NULL));
	for (i = 0; i < f->count; i++) {
		plain(f->items[i].title);
		plain(f->items[i].link);
		plain(f->items[i].guid);
		plain(f->items[i].enclosure_url);
		plain(f->items[i].enclosure_type);
		demand(feed_item_key(arena, &f->items[i]).key != NULL);
	}
	demand((feed_newest(f, 1700000000) != NULL) == (f->count > 0));
	arena_forget(arena);
	return 0;
}
