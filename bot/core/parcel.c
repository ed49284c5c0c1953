/* An operation without its row as bytes, for delivery.body, post_text.body and the way out. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

static void
put(struct buf *b, const char *s)
{
	uint32_t n = s ? (uint32_t)strlen(s) : UINT32_MAX;

	buf_add(b, &n, sizeof(n));
	if (s)
		buf_add(b, s, n);
}

/* The card as networks show it: what its choices do is kept with their set. */
static const struct card *
shown(struct arena *arena, const struct parcel *p)
{
	struct card *card = card_new(arena);
	struct choice **last = &card->choices;

	*card = *p->card;
	for (const struct choice *c = p->card->choices; c; c = c->next) {
		struct choice *mine = arena_alloc(arena, sizeof(*mine));

		*mine = *c;
		mine->action = mine->value = NULL;
		*last = mine;
		last = &mine->next;
	}
	return card;
}

struct blob
parcel_pack(struct arena *arena, const struct parcel *p)
{
	struct buf b = {.maximum = 1 << 20};
	struct card_bytes card = {NULL, 0};
	struct blob out;
	uint32_t n;

	put(&b, p->who);
	put(&b, p->where);
	put(&b, p->message);
	put(&b, p->press);
	put(&b, p->media_handle);
	put(&b, p->language);
	put(&b, p->reply_to);
	put(&b, p->set);
	put(&b, p->description);
	n = UINT32_MAX;
	if (p->menu)
		for (n = 0; p->menu[n].command;)
			n++;
	buf_add(&b, &n, sizeof(n));
	for (uint32_t i = 0; p->menu && i < n; i++) {
		put(&b, p->menu[i].command);
		put(&b, p->menu[i].description);
	}
	if (p->card)
		card = card_pack(arena, p->set ? shown(arena, p) : p->card);
	buf_add(&b, card.bytes ? (const void *)card.bytes : "", card.length);
	out = (struct blob){arena_copy(arena, b.bytes, b.length), b.length};
	buf_free(&b);
	return out;
}

static const char *
get(struct arena *arena, const unsigned char **at, const unsigned char *end)
{
	uint32_t n;
	const char *s;

	if (end - *at < 4)
		return NULL;
	memcpy(&n, *at, 4);
	*at += 4;
	if (n == UINT32_MAX || n > (size_t)(end - *at))
		return NULL;
	s = arena_copy(arena, *at, n);
	*at += n;
	return s;
}

struct parcel
parcel_unpack(struct arena *arena, struct blob plain)
{
	struct parcel p = {0};
	const unsigned char *at = plain.bytes, *end = at + plain.length;
	uint32_t n = UINT32_MAX;

	p.who = get(arena, &at, end);
	p.where = get(arena, &at, end);
	p.message = get(arena, &at, end);
	p.press = get(arena, &at, end);
	p.media_handle = get(arena, &at, end);
	p.language = get(arena, &at, end);
	p.reply_to = get(arena, &at, end);
	p.set = get(arena, &at, end);
	p.description = get(arena, &at, end);
	if (end - at >= 4) {
		memcpy(&n, at, 4);
		at += 4;
	}
	if (n <= 100) {
		struct menu_entry *menu = arena_alloc(arena, (n + 1) * sizeof(*menu));

		for (uint32_t i = 0; i < n; i++) {
			menu[i].command = get(arena, &at, end);
			menu[i].description = get(arena, &at, end);
		}
		p.menu = menu;
	}
	if (end > at)
		p.card = card_unpack(arena, at, (size_t)(end - at));
	return p;
}
