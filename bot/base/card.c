/* Cards: making, flattening, packing, splitting. */
#include "base/card.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/text.h"

enum { ISOLATE_SCALARS = 2, ADDRESS_SCALARS = 4096 };

struct card *
card_new(struct arena *arena)
{
	struct card *card = arena_alloc(arena, sizeof(*card));

	card->arena = arena;
	return card;
}

static void
add_piece(struct card *card, const char *text, size_t length, const char *link, unsigned style)
{
	struct span *s;

	if (!length)
		return;
	s = arena_alloc(card->arena, sizeof(*s));
	s->text = arena_copy(card->arena, text, length);
	s->link = arena_string(card->arena, link);
	s->style = style;
	if (card->last_span)
		card->last_span->next = s;
	else
		card->spans = s;
	card->last_span = s;
}

/* A line's end closes an isolate, so each line of a stranger's words is a span of its own. */
static void
add_span(struct card *card, const char *text, const char *link, unsigned style)
{
	size_t line;

	while (text && style & SPAN_NAME && text[line = strcspn(text, "\n")]) {
		add_piece(card, text, line, link, style);
		add_piece(card, "\n", 1, NULL, 0);
		text += line + 1;
	}
	if (text)
		add_piece(card, text, strlen(text), link, style);
}

void
card_text(struct card *card, const char *text, unsigned style)
{
	add_span(card, text, NULL, style);
}

void
card_name(struct card *card, const char *name)
{
	add_span(card, name, NULL, SPAN_NAME);
}

void
card_lines(struct card *card, const char *text)
{
	for (size_t n; *text; text += n) {
		n = strcspn(text, "\n");
		if (n)
			card_name(card, arena_copy(card->arena, text, n));
		for (; text[n] == '\n'; n++)
			card_text(card, "\n", 0);
	}
}

void
card_link(struct card *card, const char *text, const char *address)
{
	char *clean = text_clean(card->arena, address, strlen(address), ADDRESS_SCALARS);

	/* An address with control characters in it leads nowhere good. */
	if (strcmp(clean, address))
		card_name(card, text_clean(card->arena, text, strlen(text), ADDRESS_SCALARS));
	else
		add_span(card, text, address, 0);
}

static struct choice *
add_choice(struct card *card, const char *label)
{
	struct choice *c = arena_alloc(card->arena, sizeof(*c));

	c->label = arena_string(card->arena, label);
	if (card->last_choice)
		card->last_choice->next = c;
	else
		card->choices = c;
	card->last_choice = c;
	return c;
}

void
card_choice(struct card *card, const char *label, const char *action, const char *value)
{
	struct choice *c = add_choice(card, label);

	c->action = arena_string(card->arena, action);
	c->value = arena_string(card->arena, value ? value : "");
}

void
card_choice_link(struct card *card, const char *label, const char *address)
{
	add_choice(card, label)->link = arena_string(card->arena, address);
}

void
card_same_row(struct card *card)
{
	if (card->last_choice && card->last_choice != card->choices)
		card->last_choice->same_row = true;
}

void
card_file(struct card *card, const char *path, const char *name, const char *type, const char *key)
{
	struct file *f = arena_alloc(card->arena, sizeof(*f));

	f->path = arena_string(card->arena, path);
	f->name = arena_string(card->arena, name);
	f->type = arena_string(card->arena, type);
	f->key = arena_string(card->arena, key);
	card->file = f;
}

void
card_append(struct card *card, const struct card *more)
{
	for (const struct span *s = more->spans; s; s = s->next)
		add_span(card, s->text, s->link, s->style);
	for (const struct choice *c = more->choices; c; c = c->next) {
		struct choice *mine = add_choice(card, c->label);

		mine->action = arena_string(card->arena, c->action);
		mine->value = arena_string(card->arena, c->value);
		mine->link = arena_string(card->arena, c->link);
		mine->same_row = c->same_row;
	}
	if (more->file)
		card_file(
		    card, more->file->path, more->file->name, more->file->type, more->file->key);
	card->flags |= more->flags;
}

void
card_line(struct card *card, const struct card *more)
{
	if (card->spans)
		card_text(card, "\n", 0);
	card_append(card, more);
}

void
card_paragraph(struct card *card, const struct card *more)
{
	if (card->spans)
		card_text(card, "\n\n", 0);
	card_append(card, more);
}

char *
card_plain(struct arena *arena, const struct card *card)
{
	const struct span *s = card->spans;
	struct buf b = {.maximum = 4 << 20};
	char *out;

	if (s && !s->next && !s->link && !(s->style & SPAN_NAME))
		return arena_string(arena, s->text);
	for (; s; s = s->next) {
		buf_string(&b, s->style & SPAN_NAME ? text_isolate(arena, s->text) : s->text);
		if (s->link && strcmp(s->link, s->text)) {
			buf_string(&b, " (" TEXT_FSI);
			buf_string(&b, s->link);
			buf_string(&b, TEXT_PDI ")");
		}
	}
	out = arena_copy(arena, b.bytes ? b.bytes : "", b.length);
	buf_free(&b);
	return out;
}

/* ---- packed form: tagged, length-prefixed fields ---- */

enum tag { TAG_SPAN = 1, TAG_CHOICE, TAG_FILE, TAG_FLAGS };

static void
put_number(struct buf *b, uint32_t n)
{
	unsigned char raw[4] = {(unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16),
	    (unsigned char)(n >> 24)};

	buf_add(b, raw, 4);
}

static void
put_string(struct buf *b, const char *s)
{
	put_number(b, s ? (uint32_t)strlen(s) : UINT32_MAX);
	if (s)
		buf_string(b, s);
}

struct card_bytes
card_pack(struct arena *arena, const struct card *card)
{
	struct buf b = {.maximum = 4 << 20};
	struct card_bytes out;

	put_number(&b, TAG_FLAGS);
	put_number(&b, card->flags);
	for (const struct span *s = card->spans; s; s = s->next) {
		put_number(&b, TAG_SPAN);
		put_number(&b, s->style);
		put_string(&b, s->text);
		put_string(&b, s->link);
	}
	for (const struct choice *c = card->choices; c; c = c->next) {
		put_number(&b, TAG_CHOICE);
		put_number(&b, c->same_row);
		put_string(&b, c->label);
		put_string(&b, c->action);
		put_string(&b, c->value);
		put_string(&b, c->link);
	}
	if (card->file) {
		put_number(&b, TAG_FILE);
		put_string(&b, card->file->path);
		put_string(&b, card->file->name);
		put_string(&b, card->file->type);
		put_string(&b, card->file->key);
	}
	out.length = b.length;
	out.bytes = (unsigned char *)arena_copy(arena, b.bytes, b.length);
	buf_free(&b);
	return out;
}

struct reader {
	struct arena *arena;
	const unsigned char *at, *end;
	bool bad;
};

static uint32_t
get_number(struct reader *r)
{
	uint32_t n;

	if (r->end - r->at < 4) {
		r->bad = true;
		return 0;
	}
	n = r->at[0] | (uint32_t)r->at[1] << 8 | (uint32_t)r->at[2] << 16 |
	    (uint32_t)r->at[3] << 24;
	r->at += 4;
	return n;
}

static const char *
get_string(struct reader *r)
{
	uint32_t n = get_number(r);
	const char *s;

	if (n == UINT32_MAX || r->bad)
		return NULL;
	if (n > (size_t)(r->end - r->at)) {
		r->bad = true;
		return NULL;
	}
	s = arena_copy(r->arena, r->at, n);
	r->at += n;
	return s;
}

static void
get_choice(struct reader *r, struct card *card)
{
	bool same_row = get_number(r);
	const char *label = get_string(r);
	struct choice *c;

	if (!label) {
		r->bad = true;
		return;
	}
	c = add_choice(card, label);
	c->same_row = same_row;
	c->action = get_string(r);
	c->value = get_string(r);
	c->link = get_string(r);
}

struct card *
card_unpack(struct arena *arena, const void *bytes, size_t length)
{
	struct card *card = card_new(arena);
	struct reader r = {arena, bytes, (const unsigned char *)bytes + length, false};

	while (r.at < r.end && !r.bad) {
		switch ((enum tag)get_number(&r)) {
		case TAG_FLAGS:
			card->flags = get_number(&r);
			break;
		case TAG_SPAN: {
			unsigned style = get_number(&r);
			const char *text = get_string(&r), *link = get_string(&r);

			if (!r.bad)
				add_span(card, text, link, style);
			break;
		}
		case TAG_CHOICE:
			get_choice(&r, card);
			break;
		case TAG_FILE: {
			const char *path = get_string(&r), *name = get_string(&r);
			const char *type = get_string(&r), *key = get_string(&r);

			if (!path || !name || !type)
				r.bad = true;
			else
				card_file(card, path, name, type, key);
			break;
		}
		default:
			r.bad = true;
		}
	}
	return r.bad ? NULL : card;
}

/* ---- splitting ---- */

enum { PIECES = 256 };

struct splitter {
	struct arena *arena;
	const struct card *whole;
	struct card **pieces;
	size_t count, used, most;
	size_t later; /* what pieces behind the first may hold */
};

static struct card *
piece(struct splitter *s)
{
	return s->pieces[s->count - 1];
}

static void
new_piece(struct splitter *s)
{
	if (s->count == PIECES)
		return;
	s->pieces[s->count] = card_new(s->arena);
	s->pieces[s->count++]->flags = s->whole->flags;
	s->used = 0;
	if (s->count > 1)
		s->most = s->later;
}

/* Isolates that the first `bytes` leave open: how many, and where the outermost begins. */
static size_t
left_open(const char *text, size_t bytes, size_t *from)
{
	size_t depth = 0;

	*from = 0;
	for (size_t i = 0; i + 2 < bytes; i++) {
		if (memcmp(text + i, "\xe2\x81", 2))
			continue;
		if (!memcmp(text + i, TEXT_PDI, 3))
			depth -= depth > 0;
		else if ((unsigned char)text[i + 2] >= 0xa6 && (unsigned char)text[i + 2] <= 0xa8 &&
			 !depth++)
			*from = i;
	}
	return depth;
}

/* Takes up to `room` scalars from *text for a piece. A piece ends before an isolate begins; one
 * that is longer than a piece is closed there and opened again in the next. */
static char *
take_part(struct splitter *s, const char **text, size_t room)
{
	size_t bytes = text_cut(*text, room), from, open = left_open(*text, bytes, &from);
	struct buf part = {.maximum = 1 << 20}, rest = {.maximum = 1 << 20};
	char *out;

	if (open && from)
		bytes = from;
	else if (open && open < room / 4)
		bytes = text_cut(*text, room - open);
	open = from ? 0 : left_open(*text, bytes, &from);
	/* What was only begun makes no piece of its own. */
	if (open * 3 >= bytes)
		open = 0;
	buf_add(&part, *text, bytes);
	*text += bytes;
	*text += strspn(*text, "\n ");
	for (size_t i = 0; i < open; i++) {
		buf_string(&part, TEXT_PDI);
		buf_string(&rest, TEXT_FSI);
	}
	if (open) {
		buf_string(&rest, *text);
		*text = arena_copy(s->arena, rest.bytes, rest.length);
	}
	out = arena_copy(s->arena, part.bytes, part.length);
	buf_free(&part);
	buf_free(&rest);
	return out;
}

static void
split_span(struct splitter *s, const struct span *span)
{
	const char *text = span->text;
	size_t extra = span->style & SPAN_NAME ? ISOLATE_SCALARS : 0;

	while (*text) {
		size_t left = text_scalars(text), room = s->most - s->used;

		if (left + extra <= room) {
			add_span(piece(s), text, span->link, span->style);
			s->used += left + extra;
			return;
		}
		/* A span that fits a message of its own is not cut for the sake of a few. */
		if ((left + extra <= s->most && left < s->most / 4) || room < extra + 16) {
			if (s->used) {
				new_piece(s);
				continue;
			}
		}
		add_span(piece(s), take_part(s, &text, room - extra), span->link, span->style);
		new_piece(s);
		if (s->count == PIECES)
			return;
	}
}

static struct splitter
split(struct arena *arena, const struct card *card, size_t first, size_t later)
{
	struct splitter s = {.arena = arena, .whole = card, .most = first, .later = later};
	struct card *last;

	s.pieces = arena_alloc(arena, (PIECES + 1) * sizeof(*s.pieces));
	new_piece(&s);
	for (const struct span *span = card->spans; span; span = span->next)
		split_span(&s, span);
	if (s.count > 1 && !piece(&s)->spans)
		s.pieces[--s.count] = NULL;
	last = piece(&s);
	last->choices = card->choices;
	last->last_choice = card->last_choice;
	return s;
}

struct card **
card_split(struct arena *arena, const struct card *card, size_t scalars)
{
	struct splitter s = split(arena, card, scalars, scalars);

	piece(&s)->file = card->file;
	return s.pieces;
}

struct card **
card_split_file(struct arena *arena, const struct card *card, size_t scalars, size_t caption)
{
	struct splitter s;

	if (!card->file || !caption)
		return card_split(arena, card, scalars);
	s = split(arena, card, caption, scalars);
	s.pieces[0]->file = card->file;
	return s.pieces;
}
