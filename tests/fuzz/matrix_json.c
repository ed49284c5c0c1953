/* Whatever a server or the people behind it send: read without a fault; what was said comes out as
 * text that can be sent again; nobody's words become markup. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/text.h"
#include "transports/matrix_body.h"
#include "transports/matrix_json.h"
#include "transports/matrix_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arena *arena;

/* Said back as a name, as a relay would: no tag and no open isolate comes of it. */
static void
say_back(const struct event *event)
{
	const char *words = text_clean(arena, event->text, strlen(event->text), 4000), *html;
	struct card *card = card_new(arena);
	json_t *content;

	card_text(card, "b", SPAN_BOLD);
	card_name(card, words);
	content = matrix_body_message(card, true, event->reply_to);
	assert(json_is_string(json_object_get(content, "body")));
	html = json_string_value(json_object_get(content, "formatted_body"));
	assert(html && strncmp(html, "<strong>b</strong>", 18) == 0);
	for (html += 18; (html = strchr(html, '<')); html++)
		assert(strncmp(html, "<br>", 4) == 0);
	assert(text_balanced(json_string_value(json_object_get(content, "body"))));
	json_decref(content);
}

static void
read_event(const json_t *value, bool group)
{
	struct matrix_media media;
	struct event event;
	json_t *handle;

	if (!matrix_json_event(arena, "@bot:h", "!r:h", group, value, &event))
		return;
	assert(matrix_json_id(event.who) && matrix_json_id(event.id));
	if (event.text)
		say_back(&event);
	if (event.media.handle && matrix_json_media(arena, event.media.handle, &media, &handle)) {
		assert(*media.server && *media.id);
		json_decref(handle);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *value = matrix_parse(data, size);
	struct http_answer http = {.outcome = HTTP_REPLIED, .status = 429};
	struct outcome out;

	if (!arena)
		arena = arena_new();
	read_event(value, false);
	read_event(value, true);
	for (http.status = 200; http.status <= 500; http.status += 100)
		matrix_json_fate(OP_SEND, &http, value, &out);
	json_decref(value);
	arena_forget(arena);
	return 0;
}
