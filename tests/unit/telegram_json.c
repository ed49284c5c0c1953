/* What Telegram says and what is said to it: golden cases, poison, fates. */
#include "unit.h"

#include <jansson.h>

#include "base/card.h"
#include "base/memory.h"
#include "transports/slice.h"
#include "transports/telegram_body.h"
#include "transports/telegram_json.h"

#include "in_arena.h"

static const struct telegram_me me = {.id = 42, .username = "alum_bot"};

static struct telegram_updates
read_all(const char *json)
{
	struct telegram_updates u;

	telegram_json_updates(arena, &me, slice_of(json, strlen(json)), &u);
	return u;
}

#define PERSON \
	"\"from\":{\"id\":7134,\"is_bot\":false,\"first_name\":\"N\",\"language_code\":\"he\"}"
#define PRIVATE "\"chat\":{\"id\":7134,\"type\":\"private\"}"
#define GROUP "\"chat\":{\"id\":-10055,\"type\":\"supergroup\",\"title\":\"T\"}"
#define MESSAGE(chat, rest) \
	"{\"update_id\":900,\"message\":{\"message_id\":5," PERSON "," chat \
	",\"date\":1700000000," rest "}}"

static const struct event *
read_one(const char *update)
{
	struct telegram_updates u = read_all(arena_print(arena, "[%s]", update));

	assert_int_equal(u.update_count, 1);
	assert_int_equal(u.event_count, 1);
	assert_int_equal(u.next, 901);
	return u.events;
}

static void
telegram_json_reads_a_message(void **state)
{
	const struct event *e =
	    read_one(MESSAGE(PRIVATE, "\"text\":\"\\u05e9\\ud83d\\ude00 \\\"x\\\"\\n\""));

	(void)state;
	assert_memory_equal(e->id, "42:900:", 7);
	assert_int_equal(e->kind, EVENT_MESSAGE);
	assert_string_equal(e->who, "7134");
	assert_string_equal(e->where, "7134");
	assert_string_equal(e->message, "5");
	assert_string_equal(e->language, "he");
	assert_string_equal(e->text, "\u05e9\U0001f600 \"x\"\n");
	assert_false(e->group);
	assert_int_equal(e->sent_s, 1700000000);
	assert_null(e->reply_to);
	assert_int_equal(e->media.kind, MEDIA_NONE);
	assert_non_null(e->raw);
}

/* Numbers that begin anew meet what they numbered before; what is sent again is the same. */
static void
telegram_json_tells_updates_with_the_same_number_apart(void **state)
{
	static const char *const updates[] = {
	    MESSAGE(PRIVATE, "\"text\":\"x\""),
	    "{\"update_id\":900,\"message\":{\"message_id\":6," PERSON "," PRIVATE
	    ",\"date\":1700000000,\"text\":\"x\"}}",
	    "{\"update_id\":900,\"edited_message\":{\"message_id\":5," PERSON "," PRIVATE
	    ",\"date\":1700000000,\"edit_date\":1700000009,\"text\":\"x\"}}",
	    "{\"update_id\":900,\"callback_query\":{\"id\":\"77\"," PERSON ",\"data\":\"abc.2\"}}",
	    "{\"update_id\":900,\"callback_query\":{\"id\":\"78\"," PERSON ",\"data\":\"abc.2\"}}",
	};

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_string_equal(read_one(updates[i])->id, read_one(updates[i])->id);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(read_one(updates[i])->id, read_one(updates[k])->id);
	}
}

static void
telegram_json_reads_a_press(void **state)
{
	const struct event *e =
	    read_one("{\"update_id\":900,\"callback_query\":{\"id\":\"77\"," PERSON
		     ",\"message\":{\"message_id\":9,\"date\":0," PRIVATE "},\"data\":\"abc.2\"}}");

	(void)state;
	assert_int_equal(e->kind, EVENT_PRESS);
	assert_string_equal(e->press, "77");
	assert_string_equal(e->token, "abc.2");
	assert_string_equal(e->message, "9");
	e = read_one(
	    "{\"update_id\":900,\"callback_query\":{\"id\":\"77\"," PERSON ",\"data\":\"a\"}}");
	assert_null(e->where);
	assert_null(e->message);
	assert_string_equal(e->who, "7134");
}

static void
telegram_json_reads_membership_and_moves(void **state)
{
	const struct event *e =
	    read_one("{\"update_id\":900,\"my_chat_member\":{" PRIVATE "," PERSON
		     ",\"date\":5,\"old_chat_member\":{\"status\":\"member\"},\"new_chat_member\":{"
		     "\"status\":\"kicked\"}}}");

	(void)state;
	assert_int_equal(e->kind, EVENT_BLOCKED);
	e = read_one("{\"update_id\":900,\"my_chat_member\":{" PRIVATE "," PERSON
		     ",\"date\":5,\"new_chat_member\":{\"status\":\"member\"}}}");
	assert_int_equal(e->kind, EVENT_REACHABLE);
	e = read_one(
	    MESSAGE("\"chat\":{\"id\":-66,\"type\":\"group\"}", "\"migrate_to_chat_id\":-10055"));
	assert_int_equal(e->kind, EVENT_MOVED);
	assert_string_equal(e->where, "-66");
	assert_string_equal(e->new_where, "-10055");
	e = read_one(MESSAGE(GROUP, "\"migrate_from_chat_id\":-66"));
	assert_string_equal(e->where, "-66");
	assert_string_equal(e->new_where, "-10055");
	e = read_one("{\"update_id\":900,\"edited_message\":{\"message_id\":5," PERSON "," PRIVATE
		     ",\"date\":1,\"edit_date\":3,\"text\":\"x\"}}");
	assert_int_equal(e->kind, EVENT_EDITED);
	assert_int_equal(e->sent_s, 3);
}

static void
telegram_json_knows_when_a_group_means_us(void **state)
{
	static const struct {
		const char *rest, *text;
		bool to_us;
	} cases[] = {
	    {"\"text\":\"hello\"", "hello", false},
	    {"\"text\":\"/"
	     "help\",\"entities\":[{\"type\":\"bot_command\",\"offset\":0,\"length\":5}]",
		"/help", true},
	    {"\"text\":\"/help@Alum_Bot me\",\"entities\":[{\"type\":\"bot_command\",\"offset\":0,"
	     "\"length\":14}]",
		"/help me", true},
	    {"\"text\":\"/help@other_bot\",\"entities\":[{\"type\":\"bot_command\",\"offset\":0,"
	     "\"length\":15}]",
		"/help@other_bot", false},
	    {"\"text\":\"@alum_bot "
	     "podcast\",\"entities\":[{\"type\":\"mention\",\"offset\":0,\"length\":"
	     "9}]",
		"podcast", true},
	    {"\"text\":\"\\ud83d\\ude00 "
	     "@alum_bot\",\"entities\":[{\"type\":\"mention\",\"offset\":3,"
	     "\"length\":9}]",
		"\U0001f600 @alum_bot", true},
	    {"\"text\":\"yes\",\"reply_to_message\":{\"message_id\":3,\"from\":{\"id\":42,\"is_"
	     "bot\":true}}",
		"yes", true},
	    {"\"text\":\"you\",\"entities\":[{\"type\":\"text_mention\",\"offset\":0,\"length\":3,"
	     "\"user\":{\"id\":42}}]",
		"you", true},
	    {"\"text\":\"x\",\"entities\":[{\"type\":\"mention\",\"offset\":99999,\"length\":99999}"
	     "]",
		"x", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct event *e = read_one(arena_print(arena,
		    "{\"update_id\":900,\"message\":{\"message_id\":5," PERSON "," GROUP
		    ",\"date\":1,%s}}",
		    cases[i].rest));

		assert_true(e->group);
		assert_string_equal(e->text, cases[i].text);
		assert_int_equal(e->to_us, cases[i].to_us);
	}
}

static void
telegram_json_reads_media(void **state)
{
	const struct event *e =
	    read_one(MESSAGE(PRIVATE, "\"caption\":\"c\",\"voice\":{\"file_id\":\"V1\","
				      "\"duration\":3,\"mime_type\":\"audio/ogg\","
				      "\"file_size\":99}"));

	(void)state;
	assert_int_equal(e->media.kind, MEDIA_VOICE);
	assert_string_equal(e->media.handle, "V1");
	assert_int_equal(e->media.duration_s, 3);
	assert_int_equal(e->media.bytes, 99);
	assert_string_equal(e->text, "c");
	e = read_one(MESSAGE(PRIVATE, "\"photo\":[{\"file_id\":\"small\"},{\"file_id\":\"big\"}]"));
	assert_int_equal(e->media.kind, MEDIA_PICTURE);
	assert_string_equal(e->media.handle, "big");
	e = read_one(
	    MESSAGE(PRIVATE, "\"animation\":{\"file_id\":\"g\"},\"document\":{\"file_id\":\"g\"}"));
	assert_int_equal(e->media.kind, MEDIA_OTHER);
	assert_null(e->media.handle);
	e = read_one(MESSAGE(PRIVATE, "\"document\":{\"file_id\":\"d\",\"file_name\":\"a.txt\"}"));
	assert_int_equal(e->media.kind, MEDIA_FILE);
	assert_string_equal(e->media.name, "a.txt");
	e = read_one(MESSAGE(PRIVATE, "\"contact\":{\"phone_number\":\"1\",\"first_name\":\"x\"}"));
	assert_int_equal(e->media.kind, MEDIA_OTHER);
}

static void
telegram_json_passes_over_what_is_not_for_it(void **state)
{
	struct telegram_updates u = read_all(
	    "[{\"update_id\":3,\"channel_post\":{}},{\"update_id\":4,\"message\":{\"message_id\":"
	    "1," PERSON "," GROUP
	    ",\"date\":1,\"new_chat_title\":\"x\"}},{\"update_id\":5,\"message\":{\"message_id\":1,"
	    "\"from\":{\"id\":9,\"is_bot\":true},\"text\":\"x\"," GROUP ",\"date\":1}}]");

	(void)state;
	assert_int_equal(u.update_count, 3);
	assert_int_equal(u.event_count, 0);
	assert_int_equal(u.next, 6);
	u = read_all("[]");
	assert_int_equal(u.update_count, 0);
	assert_int_equal(u.next, -1);
	assert_false(u.broken);
	/* The last one counts, not the greatest: ids start again (TELEGRAM.md 0.4). */
	u = read_all("[{\"update_id\":900000},{\"update_id\":12}]");
	assert_int_equal(u.next, 13);
}

static void
telegram_json_isolates_poison(void **state)
{
	static const char *const poison[] = {
	    "\"text\":\"\\ud800\"",
	    "\"text\":\"\\u0000x\"",
	    "\"text\":\"x\",\"odd\":1e999",
	    "\"text\":\"x\",\"odd\":99999999999999999999999",
	    "\"text\":\"\xff\xfe\"",
	    "\"text\":\"x\",\"text\":\"y\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(poison) / sizeof(poison[0]); i++) {
		char *json = arena_print(arena,
		    "[" MESSAGE(PRIVATE,
			"\"text\":\"a\"") ",{\"update_id\":901,\"message\":{\"message_id\":"
					  "6," PERSON "," PRIVATE ",\"date\":1,%s}},%s]",
		    poison[i],
		    "{\"update_id\":902,\"message\":{\"message_id\":7," PERSON "," PRIVATE
		    ",\"date\":1,\"text\":\"b\"}}");
		struct telegram_updates u = read_all(json);

		assert_int_equal(u.event_count, 3);
		assert_int_equal(u.next, 903);
		assert_int_equal(u.events[1].kind, EVENT_MESSAGE);
		assert_string_equal(u.events[2].text, "b");
	}
	assert_string_equal(read_one(MESSAGE(PRIVATE, "\"text\":\"a\\ud800b\""))->text, "a\ufffd"
											"b");
	assert_int_equal(
	    read_one("{\"update_id\":900,\"message\":{\"chat\":{}}}")->kind, EVENT_UNREADABLE);
	assert_int_equal(read_one("{\"update_id\":900,\"message\":7}")->kind, EVENT_UNREADABLE);
}

static void
telegram_json_survives_depth(void **state)
{
	size_t deep = 200000;
	char *json = malloc(2 * deep + 100);
	struct telegram_updates u;
	int n = snprintf(json, 100, "[{\"update_id\":1,\"message\":");

	(void)state;
	memset(json + n, '[', deep);
	memset(json + n + deep, ']', deep);
	memcpy(json + (size_t)n + 2 * deep, "},{\"update_id\":2}]", 19);
	u = read_all(json);
	assert_int_equal(u.event_count, 1);
	assert_int_equal(u.events[0].kind, EVENT_UNREADABLE);
	assert_int_equal(u.next, 3);
	free(json);
}

static void
telegram_json_salvages_a_cut_answer(void **state)
{
	static const char cut[] = "{\"ok\":true,\"result\":[{\"update_id\":555,\"message\":{\"te";
	struct telegram_answer a;
	struct telegram_updates u;

	(void)state;
	telegram_json_answer(cut, sizeof(cut) - 1, &a);
	assert_false(a.whole);
	telegram_json_salvage(arena, &me, cut, sizeof(cut) - 1, &u);
	assert_int_equal(u.event_count, 1);
	assert_int_equal(u.next, 556);
	assert_int_equal(u.events[0].kind, EVENT_UNREADABLE);
	telegram_json_salvage(arena, &me, "<html>", 6, &u);
	assert_int_equal(u.next, -1);
}

/* ---- fates ---- */

static struct outcome
fate_of(
    enum op op, enum http_outcome outcome, int status, const char *body, enum telegram_cure *cure)
{
	struct http_answer http = {.outcome = outcome,
	    .status = status,
	    .body = body,
	    .length = strlen(body),
	    .cause = ""};
	struct telegram_answer a;
	struct outcome out;
	enum telegram_cure c;

	telegram_json_answer(body, strlen(body), &a);
	c = telegram_json_fate(arena, op, &http, -1, &a, &out);
	if (cure)
		*cure = c;
	return out;
}

#define NO(code, words) "{\"ok\":false,\"error_code\":" #code ",\"description\":\"" words "\"}"

static void
telegram_json_tells_fates(void **state)
{
	static const struct {
		enum op op;
		enum http_outcome http;
		int status;
		const char *body;
		enum fate fate;
		enum refusal refusal;
	} cases[] = {
	    {OP_SEND, HTTP_NOT_SENT, 0, "", FATE_LATER, 0},
	    {OP_SEND, HTTP_UNCERTAIN, 0, "", FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_TOO_BIG, 200, "", FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_REPLIED, 200, "", FATE_UNCERTAIN, 0},
	    {OP_SEND, HTTP_REPLIED, 500, NO(500, "Internal Server Error: restart"), FATE_UNCERTAIN,
		0},
	    {OP_SEND, HTTP_REPLIED, 502, "<html>", FATE_UNCERTAIN, 0},
	    {OP_EDIT, HTTP_REPLIED, 502, "<html>", FATE_LATER, 0},
	    {OP_DELETE, HTTP_UNCERTAIN, 0, "", FATE_LATER, 0},
	    {OP_SEND, HTTP_REPLIED, 413, "", FATE_REFUSED, REFUSAL_BAD},
	    {OP_SEND, HTTP_REPLIED, 403, "<html>", FATE_LATER, 0},
	    {OP_SEND, HTTP_REPLIED, 401, NO(401, "Unauthorized"), FATE_LATER, 0},
	    {OP_SEND, HTTP_REPLIED, 403, NO(403, "Forbidden: bot was blocked by the user"),
		FATE_REFUSED, REFUSAL_BLOCKED},
	    {OP_SEND, HTTP_REPLIED, 403, NO(403, "Forbidden: user is deactivated"), FATE_REFUSED,
		REFUSAL_GONE},
	    {OP_SEND, HTTP_REPLIED, 403,
		NO(403, "Forbidden: bot can't initiate conversation with a user"), FATE_REFUSED,
		REFUSAL_NEVER_MET},
	    {OP_SEND, HTTP_REPLIED, 400, NO(400, "Bad Request: chat not found"), FATE_REFUSED,
		REFUSAL_NEVER_MET},
	    {OP_SEND, HTTP_REPLIED, 400, NO(400, "Bad Request: message is too long"), FATE_REFUSED,
		REFUSAL_BAD},
	    {OP_EDIT, HTTP_REPLIED, 400, NO(400, "Bad Request: message is not modified: x"),
		FATE_SENT, 0},
	    {OP_EDIT, HTTP_REPLIED, 400, NO(400, "Bad Request: message to edit not found"),
		FATE_REFUSED, REFUSAL_OTHER},
	    {OP_DELETE, HTTP_REPLIED, 400, NO(400, "Bad Request: message to delete not found"),
		FATE_SENT, 0},
	    {OP_ANSWER, HTTP_REPLIED, 400, NO(400, "Bad Request: query is too old and x"),
		FATE_SENT, 0},
	    {OP_EDIT, HTTP_REPLIED, 200, "{\"ok\":true,\"result\":true}", FATE_SENT, 0},
	};
	struct outcome out;
	enum telegram_cure cure;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out = fate_of(cases[i].op, cases[i].http, cases[i].status, cases[i].body, NULL);
		assert_int_equal(out.fate, cases[i].fate);
		assert_int_equal(out.refusal, cases[i].refusal);
	}
	out = fate_of(OP_SEND, HTTP_REPLIED, 429,
	    "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after "
	    "10072\","
	    "\"parameters\":{\"retry_after\":10072}}",
	    NULL);
	assert_int_equal(out.fate, FATE_LATER);
	assert_int_equal(out.after_ms, 10072000);
	out = fate_of(OP_SEND, HTTP_REPLIED, 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"x\",\"parameters\":{\"migrate_to_"
	    "chat_id\":"
	    "-1001}}",
	    NULL);
	assert_int_equal(out.refusal, REFUSAL_MOVED);
	assert_string_equal(out.new_where, "-1001");
	fate_of(OP_SEND, HTTP_REPLIED, 400, NO(400, "Bad Request: can't parse entities: x"), &cure);
	assert_int_equal(cure, CURE_PLAIN);
	fate_of(OP_SEND, HTTP_REPLIED, 400, NO(400, "Bad Request: wrong file identifier"), &cure);
	assert_int_equal(cure, CURE_UPLOAD);
	out = fate_of(OP_SEND, HTTP_REPLIED, 200,
	    "{\"ok\":true,\"result\":{\"message_id\":31,\"document\":{\"file_id\":\"F\"}}}", NULL);
	assert_string_equal(out.message, "31");
	assert_string_equal(out.file_id, "F");
}

/* ---- bodies ---- */

static struct span *
span(const char *text, unsigned style, const char *link, struct span *next)
{
	struct span *s = arena_alloc(arena, sizeof(*s));

	*s = (struct span){next, text, link, style};
	return s;
}

static struct choice *
choice(const char *label, const char *link, bool same_row, struct choice *next)
{
	struct choice *c = arena_alloc(arena, sizeof(*c));

	*c = (struct choice){.next = next,
	    .label = label,
	    .action = "a.b",
	    .value = "",
	    .link = link,
	    .same_row = same_row};
	return c;
}

/* The body as jansson reads it, so that it is JSON at all. */
static json_t *
body_of(const struct shipment *s)
{
	struct buf json = {.maximum = TELEGRAM_BODY_BYTES};
	struct telegram_text text = {0};
	json_t *root;

	assert_true(telegram_body_send(&json, &text, s));
	root = json_loadb(json.bytes, json.length, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	buf_free(&json);
	telegram_text_free(&text);
	return root;
}

static void
entity_is(json_t *body, size_t i, const char *type, int offset, int length)
{
	json_t *e = json_array_get(json_object_get(body, "entities"), i);

	assert_string_equal(json_string_value(json_object_get(e, "type")), type);
	assert_int_equal(json_integer_value(json_object_get(e, "offset")), offset);
	assert_int_equal(json_integer_value(json_object_get(e, "length")), length);
}

static void
telegram_body_counts_entities_in_utf16(void **state)
{
	struct card card = {
	    .spans = span("  \U0001f600 ", 0, NULL,
		span("bold ", SPAN_BOLD, NULL,
		    span("a\u2068b\u202e<b>\"", SPAN_NAME, NULL,
			span("here\n\n", SPAN_ITALIC, "https://a.example/", NULL))))};
	struct shipment s = {.op = OP_SEND, .where = "7134", .card = &card, .notify = true};
	json_t *body = body_of(&s);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(body, "text")),
	    "\U0001f600 bold \u2068"
	    "ab<b>\"\u2069here");
	assert_int_equal(json_array_size(json_object_get(body, "entities")), 3);
	entity_is(body, 0, "bold", 3, 4);
	entity_is(body, 1, "text_link", 16, 4);
	entity_is(body, 2, "italic", 16, 4);
	assert_int_equal(json_integer_value(json_object_get(body, "chat_id")), 7134);
	assert_null(json_object_get(body, "disable_notification"));
	assert_null(json_object_get(body, "parse_mode"));
	json_decref(body);
}

static void
telegram_body_keeps_the_limits(void **state)
{
	struct span *spans = NULL;
	char *label = arena_alloc(arena, 6000 * 4 + 1);
	struct card card = {0}, wide = {0};
	struct shipment s = {.op = OP_SEND, .where = "-100", .card = &card};
	json_t *body;

	(void)state;
	for (int i = 0; i < 150; i++)
		spans = span("b", SPAN_BOLD, NULL, span(".", 0, NULL, spans));
	card.spans = spans;
	body = body_of(&s);
	assert_int_equal(json_array_size(json_object_get(body, "entities")), TELEGRAM_ENTITIES);
	assert_true(json_is_true(json_object_get(body, "disable_notification")));
	json_decref(body);
	for (int i = 0; i < 6000; i++)
		memcpy(label + i * 4, "\U0001f600", 4);
	wide.spans = span(label, SPAN_NAME, NULL, NULL);
	s.card = &wide;
	body = body_of(&s);
	assert_int_equal(json_string_length(json_object_get(body, "text")), 4094 * 4 + 6);
	json_decref(body);
}

/* One bad label would have the whole message refused, and so would too many long ones. */
static void
telegram_body_has_buttons_that_are_taken(void **state)
{
	char *label = arena_alloc(arena, 301);
	struct card card = {.spans = span("x", 0, NULL, NULL)};
	struct choice *choices = NULL;
	struct shipment s = {.op = OP_SEND, .where = "7", .card = &card, .set = "k3"};
	json_t *body, *rows;

	(void)state;
	card.choices = choice("a\xff"
			      "b",
	    NULL, false,
	    choice("\u202e\u2066 \u2069", NULL, false, choice("two\nlines", NULL, false, NULL)));
	body = body_of(&s);
	rows = json_object_get(json_object_get(body, "reply_markup"), "inline_keyboard");
	assert_int_equal(json_array_size(rows), 3);
	for (size_t i = 0; i < 3; i++) {
		static const char *const labels[] = {"a\ufffd"
						     "b",
		    "…", "two lines"};

		assert_string_equal(json_string_value(json_object_get(
					json_array_get(json_array_get(rows, i), 0), "text")),
		    labels[i]);
	}
	json_decref(body);
	memset(label, 'x', 300);
	for (int i = 0; i < 99; i++)
		choices = choice(label, NULL, i % 3 != 0, choices);
	card.choices = choices;
	body = body_of(&s);
	rows = json_object_get(body, "reply_markup");
	label = json_dumps(rows, JSON_COMPACT);
	assert_in_range(strlen(label), 8000, 10240);
	assert_in_range(json_array_size(json_object_get(rows, "inline_keyboard")), 9, 12);
	free(label);
	json_decref(body);
}

static void
telegram_body_lays_out_buttons(void **state)
{
	struct card card = {.flags = CARD_RTL | CARD_PROTECT,
	    .spans = span("x", 0, NULL, NULL),
	    .choices = choice("one", NULL, false,
		choice("two", NULL, true,
		    choice("bad", "javascript:1", true,
			choice("site", "https://a.example", false, NULL))))};
	struct shipment s = {.op = OP_SEND,
	    .where = "7",
	    .card = &card,
	    .set = "k3",
	    .reply_to = "88",
	    .notify = true};
	json_t *body = body_of(&s);
	char *markup = json_dumps(json_object_get(body, "reply_markup"), JSON_COMPACT);

	(void)state;
	assert_string_equal(markup,
	    "{\"inline_keyboard\":[[{\"text\":\"two\",\"callback_data\":\"k3.2\"},{\"text\":"
	    "\"one\","
	    "\"callback_data\":\"k3.1\"}],[{\"text\":\"site\",\"url\":\"https://a.example\"}]]}");
	assert_true(json_is_true(json_object_get(body, "protect_content")));
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(body, "reply_parameters"), "message_id")),
	    88);
	free(markup);
	json_decref(body);
	s.set = NULL;
	card.choices->next = NULL;
	body = body_of(&s);
	assert_null(json_object_get(body, "reply_markup"));
	json_decref(body);
}

static void
telegram_body_refuses_what_is_no_chat(void **state)
{
	struct card card = {.spans = span("x", 0, NULL, NULL)},
		    empty = {.spans = span(" \n", 0, NULL, NULL)};
	struct shipment s = {.op = OP_SEND, .where = "7,\"x\":1", .card = &card};
	struct buf json = {.maximum = TELEGRAM_BODY_BYTES};
	struct telegram_text text = {0};

	(void)state;
	assert_false(telegram_body_send(&json, &text, &s));
	s.where = "7";
	s.card = &empty;
	assert_false(telegram_body_send(&json, &text, &s));
	s.card = &card;
	assert_false(telegram_body_edit(&json, &text, &s));
	assert_false(telegram_body_answer(&json, &text, &s));
	buf_free(&json);
	telegram_text_free(&text);
}

static void
telegram_body_escapes_every_byte(void **state)
{
	char bytes[256];
	struct buf json = {.maximum = 4096};
	json_t *back;

	(void)state;
	for (int i = 1; i < 128; i++)
		bytes[i - 1] = (char)i;
	telegram_body_string(&json, bytes, 127);
	back = json_loadb(json.bytes, json.length, JSON_DECODE_ANY, NULL);
	assert_non_null(back);
	assert_int_equal(json_string_length(back), 127);
	assert_memory_equal(json_string_value(back), bytes, 127);
	json_decref(back);
	buf_free(&json);
}

static const struct CMUnitTest tests[] = {
    IN_ARENA(telegram_json_reads_a_message),
    IN_ARENA(telegram_json_tells_updates_with_the_same_number_apart),
    IN_ARENA(telegram_json_reads_a_press),
    IN_ARENA(telegram_json_reads_membership_and_moves),
    IN_ARENA(telegram_json_knows_when_a_group_means_us),
    IN_ARENA(telegram_json_reads_media),
    IN_ARENA(telegram_json_passes_over_what_is_not_for_it),
    IN_ARENA(telegram_json_isolates_poison),
    IN_ARENA(telegram_json_survives_depth),
    IN_ARENA(telegram_json_salvages_a_cut_answer),
    IN_ARENA(telegram_json_tells_fates),
    IN_ARENA(telegram_body_counts_entities_in_utf16),
    IN_ARENA(telegram_body_keeps_the_limits),
    IN_ARENA(telegram_body_has_buttons_that_are_taken),
    IN_ARENA(telegram_body_lays_out_buttons),
    IN_ARENA(telegram_body_refuses_what_is_no_chat),
    IN_ARENA(telegram_body_escapes_every_byte),
};

UNIT_RUN(tests)
