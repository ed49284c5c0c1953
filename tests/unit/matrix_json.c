/* What a homeserver says, read; what a card becomes; files that are encrypted. */
#include "unit.h"

#include <jansson.h>

#include "base/card.h"
#include "transports/matrix_body.h"
#include "transports/matrix_file.h"
#include "transports/matrix_json.h"
#include "transports/matrix_parse.h"

#include "in_arena.h"

#define US "@bot:h"

/* ---- events ---- */

static json_t *kept;

static bool
reads(const char *json, bool group, struct event *out)
{
	json_decref(kept);
	kept = matrix_parse(json, strlen(json));
	assert_non_null(kept);
	return matrix_json_event(arena, US, "!r:h", group, kept, out);
}

#define MESSAGE(content) \
	"{\"type\":\"m.room.message\",\"event_id\":\"$1\",\"sender\":\"@noor:h\"," \
	"\"origin_server_ts\":1790000000123,\"content\":" content "}"

static void
matrix_json_reads_a_message(void **state)
{
	struct event e;

	(void)state;
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"!help\"}"), false, &e));
	assert_int_equal(e.kind, EVENT_MESSAGE);
	assert_string_equal(e.id, "$1");
	assert_string_equal(e.who, "@noor:h");
	assert_string_equal(e.where, "!r:h");
	assert_string_equal(e.text, "!help");
	assert_int_equal(e.sent_s, 1790000000);
	assert_null(e.reply_to);
}

static void
matrix_json_passes_over_what_is_not_for_us(void **state)
{
	static const char *const none[] = {
	    MESSAGE("{\"msgtype\":\"m.notice\",\"body\":\"a machine\"}"),
	    MESSAGE("{\"msgtype\":\"m.key.verification.request\",\"body\":\"x\"}"),
	    MESSAGE("{\"body\":\"no type\"}"), MESSAGE("\"no object\""), MESSAGE("{}"),
	    "{\"type\":\"m.room.message\",\"event_id\":\"$1\",\"sender\":\"@bot:h\",\"content\":"
	    "{\"msgtype\":\"m.text\",\"body\":\"our own\"}}",
	    "{\"type\":\"m.reaction\",\"event_id\":\"$1\",\"sender\":\"@noor:h\",\"content\":{}}",
	    "{\"type\":\"m.room.message\",\"event_id\":7,\"sender\":\"@noor:h\",\"content\":"
	    "{\"msgtype\":\"m.text\",\"body\":\"x\"}}",
	    "{\"type\":\"m.room.message\",\"event_id\":\"$1\",\"sender\":\"@noor:h\",\"state_key\":"
	    "\"\",\"content\":{\"msgtype\":\"m.text\",\"body\":\"x\"}}",
	    "[]", "7", "{}"};
	struct event e;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(reads(none[i], false, &e));
}

static void
matrix_json_reads_an_edit_and_an_answer(void **state)
{
	struct event e;

	(void)state;
	assert_true(
	    reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"* new\",\"m.relates_to\":{"
			  "\"rel_type\":\"m.replace\",\"event_id\":\"$0\"},\"m.new_content\":{"
			  "\"msgtype\":\"m.text\",\"body\":\"new\"}}"),
		false, &e));
	assert_int_equal(e.kind, EVENT_EDITED);
	assert_string_equal(e.text, "new");
	assert_string_equal(e.message, "$0");
	assert_true(
	    reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"> <@bot:h> asked\\n> more\\n\\nyes\","
			  "\"m.relates_to\":{\"m.in_reply_to\":{\"event_id\":\"$b\"}}}"),
		false, &e));
	assert_string_equal(e.text, "yes");
	assert_string_equal(e.reply_to, "$b");
	/* In a thread the answer to the last message is only for older clients. */
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"x\",\"m.relates_to\":{"
				  "\"rel_type\":\"m.thread\",\"event_id\":\"$t\","
				  "\"is_falling_back\":true,\"m.in_reply_to\":{\"event_id\":"
				  "\"$b\"}}}"),
	    false, &e));
	assert_null(e.reply_to);
	assert_string_equal(e.thread, "$t\n$1");
	/* What is no id opens no thread. */
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"x\",\"m.relates_to\":{"
				  "\"rel_type\":\"m.thread\",\"event_id\":\"$t\\n$u\"}}"),
	    false, &e));
	assert_null(e.thread);
}

static void
matrix_json_in_a_group_only_what_is_said_to_us(void **state)
{
	struct event e;

	(void)state;
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"hello\"}"), true, &e));
	assert_false(e.to_us);
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"!events\"}"), true, &e));
	assert_true(e.to_us);
	assert_true(
	    reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"@bot:h: events\"}"), true, &e));
	assert_true(e.to_us);
	assert_string_equal(e.text, "events");
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"Bot, events\"}"), true, &e));
	assert_string_equal(e.text, "events");
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.text\",\"body\":\"you there\",\"m.mentions\":{"
				  "\"user_ids\":[7,\"@bot:h\"]}}"),
	    true, &e));
	assert_true(e.to_us);
}

static void
matrix_json_reads_media_in_clear_and_encrypted(void **state)
{
	struct event e;
	struct matrix_media media;
	json_t *json;

	(void)state;
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.audio\",\"body\":\"v.ogg\",\"url\":"
				  "\"mxc://h/abc\",\"org.matrix.msc3245.voice\":{},\"info\":{"
				  "\"size\":12,\"duration\":4500,\"mimetype\":\"audio/ogg\"}}"),
	    false, &e));
	assert_int_equal(e.media.kind, MEDIA_VOICE);
	assert_int_equal(e.media.bytes, 12);
	assert_int_equal(e.media.duration_s, 4);
	assert_null(e.text);
	assert_true(matrix_json_media(arena, e.media.handle, &media, &json));
	assert_string_equal(media.server, "h");
	assert_string_equal(media.id, "abc");
	assert_null(media.key);
	json_decref(json);
	assert_true(reads(MESSAGE("{\"msgtype\":\"m.image\",\"body\":\"us\",\"filename\":\"a.png\","
				  "\"file\":{\"url\":\"mxc://h/e\",\"key\":{\"k\":\"K\"},\"iv\":"
				  "\"I\",\"hashes\":{\"sha256\":\"H\"}}}"),
	    false, &e));
	assert_int_equal(e.media.kind, MEDIA_PICTURE);
	assert_string_equal(e.text, "us");
	assert_true(matrix_json_media(arena, e.media.handle, &media, &json));
	assert_string_equal(media.key, "K");
	assert_string_equal(media.hash, "H");
	json_decref(json);
	assert_false(matrix_json_media(arena, "{\"u\":\"mxc://h/a/b\"}", &media, &json));
	assert_false(matrix_json_media(arena, "{\"u\":\"https://h/a\"}", &media, &json));
	assert_false(matrix_json_media(arena, NULL, &media, &json));
}

/* ---- fates ---- */

static struct outcome
fate(enum op op, enum http_outcome how, int status, const char *body)
{
	struct http_answer http = {.outcome = how, .status = status};
	struct outcome out;

	json_decref(kept);
	kept = body ? matrix_parse(body, strlen(body)) : NULL;
	matrix_json_fate(op, &http, kept, &out);
	return out;
}

static void
matrix_json_fates(void **state)
{
	static const struct {
		enum op op;
		enum http_outcome how;
		int status;
		const char *body;
		enum fate fate;
		enum refusal refusal;
	} rows[] = {
	    {OP_SEND, HTTP_REPLIED, 200, "{\"event_id\":\"$1\"}", FATE_SENT, 0},
	    {OP_SEND, HTTP_REPLIED, 200, "{}", FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_REPLIED, 200, NULL, FATE_UNCERTAIN, 0},
	    {OP_TYPING, HTTP_REPLIED, 200, "{}", FATE_SENT, 0},
	    {OP_SEND, HTTP_NOT_SENT, 0, NULL, FATE_LATER, 0},
	    {OP_SEND, HTTP_UNCERTAIN, 0, NULL, FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_REPLIED, 500, "{\"errcode\":\"M_UNKNOWN\"}", FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_REPLIED, 502, NULL, FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_REPLIED, 403, "{\"errcode\":\"M_FORBIDDEN\"}", FATE_REFUSED,
		REFUSAL_BLOCKED},
	    {OP_SEND, HTTP_REPLIED, 413, "{\"errcode\":\"M_TOO_LARGE\"}", FATE_REFUSED,
		REFUSAL_BAD},
	    {OP_SEND, HTTP_REPLIED, 403, NULL, FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_REPLIED, 403, "{\"errcode\":\"M_USER_SUSPENDED\"}", FATE_LATER, 0},
	    {OP_SEND, HTTP_REPLIED, 404, "{\"errcode\":\"M_UNRECOGNIZED\"}", FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_REPLIED, 401, "{\"errcode\":\"M_UNKNOWN_TOKEN\"}", FATE_LATER, 0},
	    {OP_DELETE, HTTP_REPLIED, 404, "{\"errcode\":\"M_NOT_FOUND\"}", FATE_SENT, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome out = fate(rows[i].op, rows[i].how, rows[i].status, rows[i].body);

		assert_int_equal(out.fate, rows[i].fate);
		assert_int_equal(out.refusal, rows[i].refusal);
	}
}

static void
matrix_json_waits_as_long_as_asked(void **state)
{
	struct outcome out = fate(OP_SEND, HTTP_REPLIED, 429, "{\"retry_after_ms\":4127}");

	(void)state;
	assert_int_equal(out.fate, FATE_LATER);
	assert_true(out.whole_network);
	assert_int_equal(out.after_ms, 4127);
	out = fate(OP_SEND, HTTP_REPLIED, 429, NULL);
	assert_int_equal(out.after_ms, MATRIX_JSON_WAIT_MS);
	out = fate(OP_SEND, HTTP_REPLIED, 429, "{\"retry_after_ms\":99999999999999999999}");
	assert_int_equal(out.after_ms, MATRIX_JSON_WAIT_MS);
	out = fate(OP_SEND, HTTP_REPLIED, 429, "{\"retry_after_ms\":-4}");
	assert_int_equal(out.after_ms, MATRIX_JSON_WAIT_MS);
}

/* ---- cards ---- */

static const char *
text(json_t *content, const char *key)
{
	const char *is = json_string_value(json_object_get(content, key));

	return is ? is : "";
}

static void
matrix_body_of_a_plain_card_has_no_html(void **state)
{
	struct card *card = card_new(arena);
	json_t *content, *thread;

	(void)state;
	card_text(card, "Two & <three>", 0);
	content = matrix_body_message(card, true, NULL);
	assert_string_equal(text(content, "msgtype"), "m.text");
	assert_string_equal(text(content, "body"), "Two & <three>");
	assert_null(json_object_get(content, "formatted_body"));
	json_decref(content);
	content = matrix_body_message(card, false, "$t\n$q");
	assert_string_equal(text(content, "msgtype"), "m.notice");
	thread = json_object_get(content, "m.relates_to");
	assert_string_equal(text(thread, "rel_type"), "m.thread");
	assert_string_equal(text(thread, "event_id"), "$t");
	assert_true(json_is_true(json_object_get(thread, "is_falling_back")));
	assert_string_equal(text(json_object_get(thread, "m.in_reply_to"), "event_id"), "$q");
	json_decref(content);
}

static void
matrix_body_has_allowed_tags_only_and_is_whole_without(void **state)
{
	struct card *card = card_new(arena);
	json_t *content;

	(void)state;
	card_text(card, "A <b>\n", SPAN_BOLD);
	card_name(card, "Eve\xe2\x81\xa9 <script>\"");
	card_link(card, "here", "https://example.org/?a=1&b=\"");
	card_choice(card, "Yes", "x.y", "1");
	card_choice_link(card, "Site", "https://example.org");
	content = matrix_body_message(card, true, NULL);
	assert_string_equal(text(content, "body"),
	    "A <b>\n\xe2\x81\xa8"
	    "Eve <script>\"\xe2\x81\xa9here (\xe2\x81\xa8https://example.org/?a=1&b=\"\xe2\x81\xa9)"
	    "\n\n[1] Yes\n[2] Site https://example.org");
	assert_string_equal(text(content, "format"), "org.matrix.custom.html");
	assert_string_equal(text(content, "formatted_body"),
	    "<strong>A &lt;b&gt;<br></strong>\xe2\x81\xa8"
	    "Eve &lt;script&gt;&quot;\xe2\x81\xa9"
	    "<a href=\"https://example.org/?a=1&amp;b=&quot;\">here</a><br><br>[1] Yes<br>[2] "
	    "<a href=\"https://example.org\">Site</a>");
	json_decref(content);
}

/* Element keeps the slash for itself; what a stranger wrote stays as it is. */
static void
matrix_body_writes_commands_as_they_are_typed(void **state)
{
	struct card *card = card_new(arena);
	json_t *content;

	(void)state;
	card_text(card, "/help, and/or (/events)\n", 0);
	card_text(card, "/check 5", SPAN_CODE);
	card_text(card, " ", 0);
	card_name(card, "/start");
	card_text(card, " /5 https://h/path: \xe2\x80\x8e/queue", 0);
	content = matrix_body_message(card, true, NULL);
	assert_string_equal(text(content, "body"),
	    "!help, and/or (!events)\n!check 5 \xe2\x81\xa8/start\xe2\x81\xa9 /5 https://h/path: "
	    "\xe2\x80\x8e!queue");
	assert_string_equal(text(content, "formatted_body"),
	    "!help, and/or (!events)<br><code>!check 5</code> "
	    "\xe2\x81\xa8/start\xe2\x81\xa9 /5 https://h/path: \xe2\x80\x8e!queue");
	json_decref(content);
}

static void
matrix_body_says_when_a_number_would_be_an_answer(void **state)
{
	struct card *card = card_new(arena);
	json_t *content;

	(void)state;
	card_text(card, "How many?", 0);
	card_choice(card, "Cancel", "x.y", "1");
	card->flags |= CARD_SHARP;
	content = matrix_body_message(card, true, NULL);
	assert_string_equal(text(content, "body"), "How many?\n\n[#1] Cancel");
	json_decref(content);
}

static void
matrix_body_links_only_to_the_web(void **state)
{
	struct card *card = card_new(arena);
	json_t *content;

	(void)state;
	card_link(card, "press", "javascript:alert(1)");
	content = matrix_body_message(card, true, NULL);
	assert_string_equal(text(content, "body"), "press");
	assert_null(json_object_get(content, "formatted_body"));
	json_decref(content);
}

static void
matrix_body_of_an_edit_holds_both(void **state)
{
	struct card *card = card_new(arena);
	json_t *content;

	(void)state;
	card_text(card, "now", SPAN_BOLD);
	content = matrix_body_edit(card, false, "$1");
	assert_string_equal(text(content, "body"), "* now");
	assert_string_equal(text(json_object_get(content, "m.new_content"), "body"), "now");
	assert_string_equal(
	    text(json_object_get(content, "m.relates_to"), "rel_type"), "m.replace");
	json_decref(content);
}

/* ---- files ---- */

static void
matrix_file_opens_what_was_sealed(void **state)
{
	unsigned char bytes[] = "BEGIN:VCALENDAR with a place nobody should read";
	unsigned char was[sizeof(bytes)];
	json_t *file, *again;
	const char *k, *iv, *hash;

	(void)state;
	memcpy(was, bytes, sizeof(bytes));
	file = matrix_file_seal(bytes, sizeof(bytes));
	assert_non_null(file);
	assert_memory_not_equal(bytes, was, sizeof(bytes));
	k = text(json_object_get(file, "key"), "k");
	iv = text(file, "iv");
	hash = text(json_object_get(file, "hashes"), "sha256");
	bytes[3] ^= 1;
	assert_false(matrix_file_open(bytes, sizeof(bytes), k, iv, hash));
	bytes[3] ^= 1;
	assert_false(matrix_file_open(bytes, sizeof(bytes), "short", iv, hash));
	assert_false(matrix_file_open(bytes, sizeof(bytes), NULL, iv, hash));
	assert_true(matrix_file_open(bytes, sizeof(bytes), k, iv, hash));
	assert_memory_equal(bytes, was, sizeof(bytes));
	again = matrix_file_seal(bytes, sizeof(bytes));
	assert_string_not_equal(k, text(json_object_get(again, "key"), "k"));
	json_decref(again);
	json_decref(file);
	json_decref(kept);
	kept = NULL;
}

static const struct CMUnitTest tests[] = {
    IN_ARENA(matrix_json_reads_a_message),
    IN_ARENA(matrix_json_passes_over_what_is_not_for_us),
    IN_ARENA(matrix_json_reads_an_edit_and_an_answer),
    IN_ARENA(matrix_json_in_a_group_only_what_is_said_to_us),
    IN_ARENA(matrix_json_reads_media_in_clear_and_encrypted),
    IN_ARENA(matrix_json_fates),
    IN_ARENA(matrix_json_waits_as_long_as_asked),
    IN_ARENA(matrix_body_of_a_plain_card_has_no_html),
    IN_ARENA(matrix_body_has_allowed_tags_only_and_is_whole_without),
    IN_ARENA(matrix_body_writes_commands_as_they_are_typed),
    IN_ARENA(matrix_body_says_when_a_number_would_be_an_answer),
    IN_ARENA(matrix_body_links_only_to_the_web),
    IN_ARENA(matrix_body_of_an_edit_holds_both),
    IN_ARENA(matrix_file_opens_what_was_sealed),
};

UNIT_RUN(tests)
