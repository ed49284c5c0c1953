/* Any bytes as a packed card: refused, or a card that packs to itself, shows balanced text and is
 * cut into pieces that fit and lose nothing but space. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

static int
one_line(const char *text)
{
	return !strchr(text, '\n') && !strstr(text, "\xc2\x85") && !strstr(text, "\xe2\x80\xa9");
}

/* Cards are made of cleaned text only: anything else is a bug elsewhere. A line's end also ends
 * what it isolates, so names of several lines are left out here. */
static int
is_clean(const struct card *card)
{
	for (const struct span *s = card->spans; s; s = s->next) {
		if (!text_is_words(s->text) || !text_balanced(s->text))
			return 0;
		if (s->style & SPAN_NAME && !one_line(s->text))
			return 0;
		if (s->link &&
		    (!text_is_words(s->link) || !text_balanced(s->link) || !one_line(s->link)))
			return 0;
	}
	return 1;
}

/* Isolates that a cut closes and opens again are no letters. */
static size_t
letters(const struct card *card)
{
	size_t n = 0;

	for (const struct span *s = card->spans; s; s = s->next)
		for (const char *p = s->text; *p; p++)
			if (!strncmp(p, "\xe2\x81", 2) && (unsigned char)p[2] >= 0xa6 &&
			    (unsigned char)p[2] <= 0xa9)
				p += 2;
			else
				n += *p != ' ' && *p != '\n';
	return n;
}

static size_t
length(const struct card *card)
{
	size_t n = 0;

	for (const struct span *s = card->spans; s; s = s->next)
		n += text_scalars(s->text) + (s->style & SPAN_NAME ? 2 : 0);
	return n;
}

static void
cut(struct arena *arena, const struct card *card, size_t most)
{
	struct card **pieces = card_split(arena, card, most);
	size_t all = 0, count = 0;

	for (; pieces[count]; count++) {
		demand(length(pieces[count]) <= most);
		demand(text_balanced(card_plain(arena, pieces[count])));
		all += letters(pieces[count]);
		demand(!pieces[count + 1] || (!pieces[count]->choices && !pieces[count]->file));
	}
	demand(count > 0);
	/* Beyond so many pieces the rest is dropped. */
	demand(all == letters(card) || count >= 256);
	demand(pieces[count - 1]->choices == card->choices);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	struct card *card;
	struct card_bytes packed, again;

	if (!arena)
		arena = arena_new();
	card = size ? card_unpack(arena, data + 1, size - 1) : NULL;
	if (card) {
		packed = card_pack(arena, card);
		card = card_unpack(arena, packed.bytes, packed.length);
		demand(card != NULL);
		again = card_pack(arena, card);
		demand(again.length == packed.length &&
		       !memcmp(again.bytes, packed.bytes, again.length));
		if (is_clean(card)) {
			demand(text_balanced(card_plain(arena, card)));
			cut(arena, card, 64 + data[0]);
		}
	}
	arena_forget(arena);
	return 0;
}
