#include "telegram_body.h"

#include <stdlib.h>
#include <string.h>

#include "base/card.h"
#include "base/text.h"
#include "transports/slice.h"

enum { TEXT_BYTES = 64 * 1024, ENTITY_ROOM = 512 };

/* ---- strings ---- */

void
telegram_body_string(struct buf *json, const char *text, size_t length)
{
	const char *p = text, *end = text + length, *stop;

	buf_add(json, "\"", 1);
	while (p < end) {
		for (stop = p;
		     stop < end && (unsigned char)*stop >= 0x20 && *stop != '"' && *stop != '\\';
		     stop++)
			;
		buf_add(json, p, (size_t)(stop - p));
		if (stop == end)
			break;
		if (*stop == '"' || *stop == '\\') {
			buf_add(json, *stop == '"' ? "\\\"" : "\\\\", 2);
		} else if (*stop == '\n') {
			buf_add(json, "\\n", 2);
		} else {
			buf_print(json, "\\u%04x", (unsigned)(unsigned char)*stop);
		}
		p = stop + 1;
	}
	buf_add(json, "\"", 1);
}

static void
put(struct buf *json, const char *text)
{
	buf_add(json, text, strlen(text));
}

/* A whole number of ours, without the price of a format. */
static void
put_number(struct buf *json, size_t n)
{
	char digits[24], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(json, p, (size_t)(digits + sizeof(digits) - p));
}

/* An id as the network wrote it: digits, perhaps a sign. */
static bool
is_id(const char *id)
{
	size_t n;

	if (!id)
		return false;
	id += *id == '-';
	n = strspn(id, "0123456789");
	return n > 0 && n <= 16 && !id[n];
}

/* ---- text ---- */

/* Bytes of the character at p, 1 for a byte that begins none. */
static size_t
width(const unsigned char *p)
{
	size_t n = *p < 0x80   ? 1
		   : *p < 0xc2 ? 1
		   : *p < 0xe0 ? 2
		   : *p < 0xf0 ? 3
		   : *p < 0xf5 ? 4
			       : 1;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 1;
	return n;
}

/* Telegram drops U+2028-202E itself, and a NAME must not close its isolate: U+2066-2069. */
static bool
is_dropped(const unsigned char *p, size_t bytes, bool name)
{
	if (bytes != 3 || p[0] != 0xe2)
		return false;
	if (p[1] == 0x80)
		return p[2] >= 0xa8 && p[2] <= 0xae;
	return name && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

static void
put_scalar(struct telegram_text *t, const char *bytes, size_t count)
{
	buf_add(&t->text, bytes, count);
	t->scalars++;
	t->utf16 += count == 4 ? 2 : 1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\n';
}

/* The characters that count one each, as a run. */
static size_t
plain_run(const char *text, size_t most)
{
	size_t n = 0;

	while (n < most && (unsigned char)text[n] >= 0x20 && (unsigned char)text[n] < 0x7f)
		n++;
	return n;
}

static void
put_words(struct telegram_text *t, const char *text, bool name, size_t limit)
{
	size_t n;

	while (*text && t->scalars < limit) {
		if (!t->text.length)
			text += strspn(text, " \n\r\t");
		n = plain_run(text, limit - t->scalars);
		if (n) {
			buf_add(&t->text, text, n);
			t->scalars += n;
			t->utf16 += n;
			text += n;
			continue;
		}
		if (!*text)
			break;
		n = width((const unsigned char *)text);
		if (n == 1 && (unsigned char)*text >= 0x80)
			put_scalar(t, "\xef\xbf\xbd", 3);
		else if (n == 1 && *text == '\n')
			put_scalar(t, "\n", 1);
		else if (n == 1 && *text != '\r')
			put_scalar(t, " ", 1);
		else if (n > 1 && !is_dropped((const unsigned char *)text, n, name))
			put_scalar(t, text, n);
		text += n;
	}
}

/* Only addresses Telegram takes; anything else would turn into plain text without a word. */
static bool
is_address(const char *link)
{
	return link && (strncmp(link, "https://", 8) == 0 || strncmp(link, "http://", 7) == 0 ||
			   strncmp(link, "tg://", 5) == 0);
}

static void
put_entity(struct telegram_text *t, const char *type, size_t from, size_t length, const char *link)
{
	struct buf *e = &t->entities;

	if (t->entity_count == TELEGRAM_ENTITIES ||
	    e->length + (link ? strlen(link) : 0) + 80 > TELEGRAM_ENTITY_BYTES)
		return;
	put(e, t->entity_count++ ? ",{\"type\":\"" : "[{\"type\":\"");
	put(e, type);
	put(e, "\",\"offset\":");
	put_number(e, from);
	put(e, ",\"length\":");
	put_number(e, length);
	if (link) {
		put(e, ",\"url\":");
		telegram_body_string(e, link, strlen(link));
	}
	put(e, "}");
}

static void
put_styles(struct telegram_text *t, const struct span *span, size_t from)
{
	size_t length = t->utf16 - from;

	/* The server trims the end of the text, and no entity may reach behind it. */
	for (size_t i = t->text.length; length && is_blank(t->text.bytes[i - 1]); i--)
		length--;
	if (!length)
		return;
	if (span->style & SPAN_CODE) {
		put_entity(t, "code", from, length, NULL);
		return; /* nothing may stand inside code [1.5] */
	}
	if (is_address(span->link))
		put_entity(t, "text_link", from, length, span->link);
	if (span->style & SPAN_BOLD)
		put_entity(t, "bold", from, length, NULL);
	if (span->style & SPAN_ITALIC)
		put_entity(t, "italic", from, length, NULL);
}

static void
trim_end(struct telegram_text *t)
{
	while (t->text.length && is_blank(t->text.bytes[t->text.length - 1])) {
		t->text.bytes[--t->text.length] = 0;
		t->scalars--;
		t->utf16--;
	}
}

void
telegram_text_clear(struct telegram_text *text)
{
	if (!text->text.maximum)
		text->text.maximum = TEXT_BYTES;
	if (!text->entities.maximum)
		text->entities.maximum = TELEGRAM_ENTITY_BYTES + ENTITY_ROOM;
	buf_clear(&text->text);
	buf_clear(&text->entities);
	text->scalars = text->utf16 = text->entity_count = 0;
}

static void
put_span(struct telegram_text *t, const struct span *span, size_t limit)
{
	bool name = span->style & SPAN_NAME;
	size_t from;

	if (name && t->scalars + 2 > limit)
		return;
	if (name)
		put_scalar(t, TEXT_FSI, 3);
	from = t->utf16;
	put_words(t, span->text, name, name ? limit - 1 : limit);
	if (t->utf16 > from)
		put_styles(t, span, from);
	if (name)
		put_scalar(t, TEXT_PDI, 3);
}

void
telegram_text_make(struct telegram_text *text, const struct card *card, size_t limit)
{
	telegram_text_clear(text);
	for (const struct span *s = card ? card->spans : NULL; s; s = s->next)
		put_span(text, s, limit);
	trim_end(text);
	if (text->entity_count)
		put(&text->entities, "]");
}

void
telegram_text_free(struct telegram_text *text)
{
	buf_free(&text->text);
	buf_free(&text->entities);
}

/* ---- choices ---- */

/* Whether a label can stand as it is, which is nearly always. */
static bool
is_clean(const char *label)
{
	const unsigned char *p = (const unsigned char *)label;
	bool visible = false;
	size_t n;

	for (; *p; p += n) {
		n = width(p);
		if (*p < 0x20 || (n == 1 && *p >= 0x80) || is_dropped(p, n, false))
			return false;
		visible = visible || (*p != ' ' && !(n == 3 && p[0] == 0xe2 && p[1] <= 0x81));
	}
	return visible;
}

/* One bad byte in a label would have the whole message refused, and an empty one too. */
static void
put_label(struct buf *json, const char *label)
{
	struct telegram_text t = {.text.maximum = TEXT_BYTES};

	if (is_clean(label)) {
		telegram_body_string(json, label, strlen(label));
		return;
	}
	put_words(&t, label, false, TELEGRAM_TOAST_SCALARS);
	for (size_t i = 0; i < t.text.length; i++)
		if (t.text.bytes[i] == '\n')
			t.text.bytes[i] = ' ';
	if (t.text.length && is_clean(t.text.bytes))
		telegram_body_string(json, t.text.bytes, t.text.length);
	else
		put(json, "\"…\"");
	buf_free(&t.text);
}

static void
put_button(struct buf *json, const struct choice *choice, const char *set, size_t number)
{
	put(json, "{\"text\":");
	put_label(json, choice->label);
	if (choice->link) {
		put(json, ",\"url\":");
		telegram_body_string(json, choice->link, strlen(choice->link));
	} else {
		put(json, ",\"callback_data\":\"");
		put(json, set);
		put(json, ".");
		put_number(json, number);
		put(json, "\"");
	}
	put(json, "}");
}

struct row {
	const struct choice *buttons[TELEGRAM_ROW];
	size_t numbers[TELEGRAM_ROW];
	size_t count;
};

/* Telegram does not mirror rows for right-to-left readers [0.6], so we do. */
static void
put_row(struct buf *json, const struct row *row, const char *set, bool rtl)
{
	put(json, "[");
	for (size_t i = 0; i < row->count; i++) {
		size_t k = rtl ? row->count - 1 - i : i;

		if (i)
			put(json, ",");
		put_button(json, row->buttons[k], set, row->numbers[k]);
	}
	put(json, "]");
}

static bool
is_button(const struct choice *choice, const char *set)
{
	if (!choice->label || !*choice->label)
		return false;
	return choice->link ? is_address(choice->link) : set && *set;
}

/* Where the markup would become too long nothing more is added: every row is whole. */
struct rows {
	struct buf *json;
	const char *set;
	size_t begin, count;
	bool rtl, full;
};

static void
end_row(struct rows *rows, struct row *row)
{
	struct buf *json = rows->json;
	size_t before = json->length;

	if (!row->count || rows->full)
		return;
	put(json, rows->count ? "," : "{\"inline_keyboard\":[");
	put_row(json, row, rows->set, rows->rtl);
	row->count = 0;
	rows->full = json->length - rows->begin > TELEGRAM_MARKUP_BYTES;
	if (rows->full && json->bytes)
		json->bytes[json->length = before] = 0;
	else
		rows->count++;
}

void
telegram_body_keyboard(struct buf *json, const struct card *card, const char *set)
{
	struct rows rows = {json, set, json->length, 0, card && card->flags & CARD_RTL, false};
	struct row row = {.count = 0};
	size_t number = 0, buttons = 0;

	if (set && (strlen(set) > TELEGRAM_DATA_BYTES - 4 || strpbrk(set, "\"\\")))
		return;
	for (const struct choice *c = card ? card->choices : NULL; c; c = c->next) {
		number++;
		if (!is_button(c, set) || buttons++ >= TELEGRAM_BUTTONS)
			continue;
		if (!c->same_row || row.count == TELEGRAM_ROW)
			end_row(&rows, &row);
		row.buttons[row.count] = c;
		row.numbers[row.count++] = number;
		if (rows.full)
			break;
	}
	end_row(&rows, &row);
	if (rows.count)
		put(json, "]}");
}

/* ---- bodies ---- */

static bool
begin_chat(struct buf *json, const struct shipment *s)
{
	const char *where = s->where ? s->where : s->who;

	buf_clear(json);
	if (!is_id(where))
		return false;
	put(json, "{\"chat_id\":");
	put(json, where);
	return true;
}

static void
put_text(struct buf *json, const struct telegram_text *text, const char *key, const char *entities)
{
	put(json, ",\"");
	put(json, key);
	put(json, "\":");
	telegram_body_string(json, text->text.bytes ? text->text.bytes : "", text->text.length);
	if (!text->entity_count)
		return;
	put(json, ",\"");
	put(json, entities);
	put(json, "\":");
	buf_add(json, text->entities.bytes, text->entities.length);
}

static void
put_preview(struct buf *json, const struct card *card)
{
	if (!(card->flags & CARD_PREVIEW))
		put(json, ",\"link_preview_options\":{\"is_disabled\":true}");
}

static void
put_keyboard(struct buf *json, const struct shipment *s)
{
	static const char key[] = ",\"reply_markup\":";
	size_t before = json->length;

	if (!s->card->choices)
		return;
	buf_add(json, key, sizeof(key) - 1);
	telegram_body_keyboard(json, s->card, s->set);
	if (json->length == before + sizeof(key) - 1) {
		json->length = before;
		json->bytes[before] = 0;
	}
}

static void
put_manner(struct buf *json, const struct shipment *s)
{
	if (s->card->flags & CARD_PROTECT)
		put(json, ",\"protect_content\":true");
	if (!s->notify || s->card->flags & CARD_QUIET)
		put(json, ",\"disable_notification\":true");
	if (is_id(s->reply_to) && s->reply_to[0] != '-') {
		put(json, ",\"reply_parameters\":{\"message_id\":");
		put(json, s->reply_to);
		put(json, ",\"allow_sending_without_reply\":true}");
	}
}

static bool
end(struct buf *json)
{
	put(json, "}");
	return !json->overflowed;
}

static void
put_slice(struct buf *json, struct slice value)
{
	buf_add(json, value.at, value.length);
}

static const char *
piece_text(const struct telegram_text *text)
{
	return text->text.bytes ? text->text.bytes : "";
}

bool
telegram_body_send(struct buf *json, struct telegram_text *text, const struct shipment *s)
{
	telegram_text_make(text, s->card, TELEGRAM_TEXT_SCALARS);
	if (!text->text.length || !begin_chat(json, s))
		return false;
	put_text(json, text, "text", "entities");
	put_preview(json, s->card);
	put_keyboard(json, s);
	put_manner(json, s);
	return end(json);
}

static bool
begin_message(struct buf *json, const struct shipment *s)
{
	if (!is_id(s->message) || !begin_chat(json, s))
		return false;
	put(json, ",\"message_id\":");
	put(json, s->message);
	return true;
}

bool
telegram_body_edit(struct buf *json, struct telegram_text *text, const struct shipment *s)
{
	telegram_text_make(text, s->card, TELEGRAM_TEXT_SCALARS);
	if (!text->text.length || !begin_message(json, s))
		return false;
	put_text(json, text, "text", "entities");
	put_preview(json, s->card);
	put_keyboard(json, s);
	return end(json);
}

bool
telegram_body_caption(struct buf *json, struct telegram_text *text, const struct shipment *s)
{
	telegram_text_make(text, s->card, TELEGRAM_CAPTION_SCALARS);
	if (!begin_message(json, s))
		return false;
	put_text(json, text, "caption", "caption_entities");
	put_keyboard(json, s);
	return end(json);
}

void
telegram_body_as_caption(struct arena *arena, struct buf *json, struct telegram_text *text)
{
	struct slice whole = slice_of(json->bytes, json->length);
	struct slice markup = slice_get(whole, "reply_markup");
	char *said = slice_text(arena, slice_get(whole, "text"));
	struct card *card = card_new(arena), *piece;
	struct buf made = {.maximum = json->maximum};

	card_text(card, said ? said : "", 0);
	piece = card_split(arena, card, TELEGRAM_CAPTION_SCALARS)[0];
	telegram_text_make(text, piece, TELEGRAM_CAPTION_SCALARS);
	put(&made, "{\"chat_id\":");
	put_slice(&made, slice_get(whole, "chat_id"));
	put(&made, ",\"message_id\":");
	put_slice(&made, slice_get(whole, "message_id"));
	put_text(&made, text, "caption", "caption_entities");
	if (!strcmp(piece_text(text), said ? said : "") && slice_get(whole, "entities").at) {
		put(&made, ",\"caption_entities\":");
		put_slice(&made, slice_get(whole, "entities"));
	}
	if (markup.at) {
		put(&made, ",\"reply_markup\":");
		put_slice(&made, markup);
	}
	put(&made, "}");
	buf_free(json);
	*json = made;
}

bool
telegram_body_delete(struct buf *json, const struct shipment *s)
{
	return begin_message(json, s) && end(json);
}

bool
telegram_body_answer(struct buf *json, struct telegram_text *text, const struct shipment *s)
{
	buf_clear(json);
	if (!s->press || !*s->press)
		return false;
	put(json, "{\"callback_query_id\":");
	telegram_body_string(json, s->press, strlen(s->press));
	telegram_text_make(text, s->card, TELEGRAM_TOAST_SCALARS);
	if (text->text.length) {
		put(json, ",\"text\":");
		telegram_body_string(json, text->text.bytes, text->text.length);
	}
	return end(json);
}

bool
telegram_body_leave(struct buf *json, const struct shipment *s)
{
	return begin_chat(json, s) && end(json);
}

bool
telegram_body_typing(struct buf *json, const struct shipment *s)
{
	if (!begin_chat(json, s))
		return false;
	put(json, ",\"action\":\"typing\"");
	return end(json);
}

/* Two letters, or nothing at all [1.7]. */
static bool
is_language(const char *language)
{
	return language && language[0] >= 'a' && language[0] <= 'z' && language[1] >= 'a' &&
	       language[1] <= 'z' && !language[2];
}

static void
put_shortened(struct buf *json, const char *text, size_t scalars)
{
	telegram_body_string(
	    json, text, text_scalars(text) > scalars ? text_cut(text, scalars) : strlen(text));
}

static void
put_commands(struct buf *json, const struct menu_entry *menu)
{
	put(json, ",\"commands\":[");
	for (size_t i = 0; menu[i].command && i < TELEGRAM_COMMANDS; i++) {
		put(json, i ? ",{\"command\":" : "{\"command\":");
		telegram_body_string(json, menu[i].command, strlen(menu[i].command));
		put(json, ",\"description\":");
		put_shortened(json, menu[i].description, 256);
		put(json, "}");
	}
	put(json, "]");
}

/* A chat's own menu says no language: it stands before those of all chats, whatever theirs. */
bool
telegram_body_menu(struct buf *json, const struct shipment *s)
{
	buf_clear(json);
	if (s->where && !is_id(s->where))
		return false;
	if (s->where) {
		put(json, "{\"scope\":{\"type\":\"chat\",\"chat_id\":");
		put(json, s->where);
		put(json, "}");
	} else {
		put(json, "{\"scope\":{\"type\":\"default\"}");
		if (is_language(s->language)) {
			put(json, ",\"language_code\":\"");
			put(json, s->language);
			put(json, "\"");
		}
	}
	if (s->menu && s->menu[0].command)
		put_commands(json, s->menu);
	return end(json);
}

bool
telegram_body_describe(struct buf *json, const struct shipment *s, const char *key, size_t scalars)
{
	buf_clear(json);
	put(json, "{\"");
	put(json, key);
	put(json, "\":");
	put_shortened(json, s->description, scalars);
	if (is_language(s->language)) {
		put(json, ",\"language_code\":\"");
		put(json, s->language);
		put(json, "\"");
	}
	return end(json);
}

void
telegram_body_get_file(struct buf *json, const char *file_id)
{
	buf_clear(json);
	put(json, "{\"file_id\":");
	telegram_body_string(json, file_id, strlen(file_id));
	put(json, "}");
}

void
telegram_body_updates(struct buf *json, int64_t offset, int limit, int timeout_s)
{
	buf_clear(json);
	put(json, "{");
	if (offset >= 0) {
		put(json, "\"offset\":");
		put_number(json, (size_t)offset);
		put(json, ",");
	}
	put(json, "\"limit\":");
	put_number(json, (size_t)limit);
	put(json, ",\"timeout\":");
	put_number(json, (size_t)timeout_s);
	put(json, ",\"allowed_updates\":[\"message\",\"edited_message\",\"callback_query\","
		  "\"my_chat_member\"]}");
}

struct telegram_file_way
telegram_body_file_way(const char *type)
{
	if (type && (strcmp(type, "image/png") == 0 || strcmp(type, "image/jpeg") == 0))
		return (struct telegram_file_way){"sendPhoto", "photo"};
	if (type && (strcmp(type, "audio/mpeg") == 0 || strcmp(type, "audio/mp4") == 0))
		return (struct telegram_file_way){"sendAudio", "audio"};
	if (type && strcmp(type, "audio/ogg") == 0)
		return (struct telegram_file_way){"sendVoice", "voice"};
	return (struct telegram_file_way){"sendDocument", "document"};
}

bool
telegram_body_file(struct buf *json, struct telegram_text *text, const struct shipment *s)
{
	telegram_text_make(text, s->card, TELEGRAM_CAPTION_SCALARS);
	if (!begin_chat(json, s))
		return false;
	if (s->file_id) {
		put(json, ",\"");
		put(json, telegram_body_file_way(s->card->file->type).field);
		put(json, "\":");
		telegram_body_string(json, s->file_id, strlen(s->file_id));
	}
	if (text->text.length)
		put_text(json, text, "caption", "caption_entities");
	put_keyboard(json, s);
	put_manner(json, s);
	return end(json);
}
