#include "transports/matrix_body.h"

#include <stdio.h>
#include <string.h>

#include "base/card.h"
#include "base/memory.h"
#include "base/text.h"

/* Both forms of one text, made side by side. */
struct bodies {
	struct buf plain, html;
	bool markup; /* the HTML says more than the plain text */
	struct arena *arena;
};

static void
put_escaped(struct buf *html, const char *text, size_t length)
{
	static const struct {
		char c;
		const char *as;
	} named[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"},
	    {'\n', "<br>"}};
	size_t from = 0;

	for (size_t i = 0; i < length; i++)
		for (size_t k = 0; k < sizeof(named) / sizeof(named[0]); k++)
			if (text[i] == named[k].c) {
				buf_add(html, text + from, i - from);
				buf_string(html, named[k].as);
				from = i + 1;
			}
	buf_add(html, text + from, length - from);
}

static void
put_both(struct bodies *b, const char *text, size_t length)
{
	buf_add(&b->plain, text, length);
	put_escaped(&b->html, text, length);
}

/* Behind a space, an opening, or the mark that keeps a command in its direction. */
static bool
begins_word(const char *text, size_t at, char before)
{
	return before == 0 || strchr(" \n([\"", before) != NULL ||
	       (at >= 3 && memcmp(text + at - 3, "\xe2\x80\x8e", 3) == 0);
}

/* Our own words: where they name a command it is written as people type it here, because Element
 * keeps the slash for itself. */
static void
put_ours(struct bodies *b, const char *text)
{
	size_t from = 0;

	for (size_t i = 0; text[i]; i++) {
		char before = i			? text[i - 1]
			      : b->plain.length ? b->plain.bytes[b->plain.length - 1]
						: 0;

		if (text[i] != '/' || text[i + 1] < 'a' || text[i + 1] > 'z' ||
		    !begins_word(text, i, before))
			continue;
		put_both(b, text + from, i - from);
		put_both(b, "!", 1);
		from = i + 1;
	}
	put_both(b, text + from, strlen(text + from));
}

static bool
is_address(const char *link)
{
	return link && (strncmp(link, "https://", 8) == 0 || strncmp(link, "http://", 7) == 0);
}

static const struct {
	unsigned style;
	const char *begin, *end;
} tags[] = {
    {SPAN_BOLD, "<strong>", "</strong>"},
    {SPAN_ITALIC, "<em>", "</em>"},
    {SPAN_CODE, "<code>", "</code>"},
};
enum { TAGS = sizeof(tags) / sizeof(tags[0]) };

static void
open_tags(struct bodies *b, const struct span *span)
{
	if (is_address(span->link)) {
		buf_string(&b->html, "<a href=\"");
		put_escaped(&b->html, span->link, strlen(span->link));
		buf_string(&b->html, "\">");
		b->markup = true;
	}
	for (size_t i = 0; i < TAGS; i++)
		if (span->style & tags[i].style) {
			buf_string(&b->html, tags[i].begin);
			b->markup = true;
		}
}

static void
close_tags(struct bodies *b, const struct span *span)
{
	for (size_t i = TAGS; i-- > 0;)
		if (span->style & tags[i].style)
			buf_string(&b->html, tags[i].end);
	if (!is_address(span->link))
		return;
	buf_string(&b->html, "</a>");
	if (strcmp(span->link, span->text) != 0) {
		buf_string(&b->plain, " (");
		buf_string(&b->plain, text_isolate(b->arena, span->link));
		buf_string(&b->plain, ")");
	}
}

static void
put_span(struct bodies *b, const struct span *span)
{
	const char *theirs;

	open_tags(b, span);
	if (span->style & SPAN_NAME) {
		/* Each line of a stranger's words in an isolate of its own. */
		theirs = text_isolate(b->arena, span->text);
		put_both(b, theirs, strlen(theirs));
	} else {
		put_ours(b, span->text);
	}
	close_tags(b, span);
}

static void
put_choice(struct bodies *b, int number, bool sharp, const struct choice *choice)
{
	char mark[16];

	if (b->plain.length)
		put_both(b, "\n", 1);
	put_both(b, mark, (size_t)snprintf(mark, sizeof(mark), sharp ? "[#%d] " : "[%d] ", number));
	if (is_address(choice->link)) {
		struct span link = {.text = choice->label, .link = choice->link};

		open_tags(b, &link);
		put_both(b, choice->label, strlen(choice->label));
		buf_string(&b->html, "</a>");
		buf_string(&b->plain, " ");
		buf_string(&b->plain, choice->link);
	} else {
		put_both(b, choice->label, strlen(choice->label));
	}
}

static void
bodies_make(struct bodies *b, const struct card *card)
{
	int number = 0;

	*b = (struct bodies){.plain.maximum = MATRIX_BODY_BYTES,
	    .html.maximum = MATRIX_BODY_BYTES,
	    .arena = card->arena};
	buf_string(&b->plain, "");
	buf_string(&b->html, "");
	for (const struct span *s = card->spans; s; s = s->next)
		put_span(b, s);
	if (card->choices && b->plain.length)
		put_both(b, "\n", 1);
	for (const struct choice *c = card->choices; c; c = c->next)
		put_choice(b, ++number, card->flags & CARD_SHARP, c);
}

static void
bodies_free(struct bodies *b)
{
	buf_free(&b->plain);
	buf_free(&b->html);
}

/* Bytes that are no UTF-8 cannot be there (texts are cleaned on their way in); if they are, the
 * message is not sent with half of it missing. */
static json_t *
string_of(const struct buf *text)
{
	return json_stringn(text->bytes ? text->bytes : "", text->length);
}

static void
put_texts(json_t *content, const struct bodies *b, const char *before)
{
	json_t *plain = string_of(&b->plain), *html = string_of(&b->html);

	if (*before && plain) {
		json_t *longer = json_sprintf("%s%s", before, json_string_value(plain));

		json_decref(plain);
		plain = longer;
	}
	json_object_set_new(content, "body", plain);
	if (b->markup) {
		json_object_set_new(content, "format", json_string("org.matrix.custom.html"));
		json_object_set_new(content, "formatted_body", html);
		html = NULL;
	}
	json_decref(html);
}

static json_t *
content_new(const struct card *card, bool notify, const char *before)
{
	bool quiet = !notify || card->flags & CARD_QUIET;
	json_t *content =
	    json_pack("{s:s,s:{}}", "msgtype", quiet ? "m.notice" : "m.text", "m.mentions");
	struct bodies b;

	bodies_make(&b, card);
	put_texts(content, &b, before);
	bodies_free(&b);
	return content;
}

/* In the thread, also for clients that know none. */
static void
put_thread(json_t *content, const char *thread)
{
	const char *end = thread ? strchr(thread, '\n') : NULL;

	if (end)
		json_object_set_new(content, "m.relates_to",
		    json_pack("{s:s,s:s%,s:b,s:{s:s}}", "rel_type", "m.thread", "event_id", thread,
			(size_t)(end - thread), "is_falling_back", 1, "m.in_reply_to", "event_id",
			end + 1));
}

json_t *
matrix_body_message(const struct card *card, bool notify, const char *thread)
{
	json_t *content = content_new(card, notify, "");

	put_thread(content, thread);
	return content;
}

json_t *
matrix_body_edit(const struct card *card, bool notify, const char *message)
{
	json_t *content = content_new(card, notify, "* ");

	json_object_set_new(content, "m.new_content", content_new(card, notify, ""));
	json_object_set_new(content, "m.relates_to",
	    json_pack("{s:s,s:s}", "rel_type", "m.replace", "event_id", message));
	return content;
}

json_t *
matrix_body_file(const struct card *card, const char *url, json_t *file, size_t bytes, bool notify,
    const char *thread)
{
	const char *type = card->file->type ? card->file->type : "application/octet-stream";
	const char *name = card->file->name ? card->file->name : "file";
	json_t *content = content_new(card, notify, "");

	json_object_set_new(content, "msgtype",
	    json_string(strncmp(type, "image/", 6) == 0	  ? "m.image"
			: strncmp(type, "audio/", 6) == 0 ? "m.audio"
							  : "m.file"));
	json_object_set_new(content, "filename", json_string(name));
	if (!json_string_length(json_object_get(content, "body")))
		json_object_set_new(content, "body", json_string(name));
	json_object_set_new(
	    content, "info", json_pack("{s:s,s:I}", "mimetype", type, "size", (json_int_t)bytes));
	if (file)
		json_object_set_new(content, "file", file);
	else
		json_object_set_new(content, "url", json_string(url));
	put_thread(content, thread);
	return content;
}
