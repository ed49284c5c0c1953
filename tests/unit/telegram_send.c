/* What telegram.c sends, and the one fate that each shipment has. */
#include "unit.h"

#include <unistd.h>

#include "base/card.h"

#include "telegram_world.h"

static struct card *
card(const char *text)
{
	struct card *c = card_new(arena);

	card_text(c, text, 0);
	return c;
}

static void
send_text(int64_t id, const char *where, struct card *c)
{
	tg->ops->send(tg, &(struct shipment){.id = id, .op = OP_SEND, .where = where, .card = c});
}

static void
fate_is(int64_t id, enum fate fate)
{
	assert_int_equal(seen.gone, 1);
	assert_int_equal(seen.id, id);
	assert_int_equal(seen.outcome.fate, fate);
	seen.gone = 0;
}

static void
telegram_send_reports_each_fate_once(void **state)
{
	(void)state;
	start(NULL);
	send_text(1, "7", card("hello"));
	assert_int_equal(seen.gone, 0);
	assert_true(waiting("sendMessage")->once);
	reply("sendMessage", 200, "{\"ok\":true,\"result\":{\"message_id\":31}}");
	fate_is(1, FATE_SENT);
	assert_string_equal(seen.message, "31");
	send_text(2, "7", card("hello"));
	lose("sendMessage", HTTP_UNCERTAIN, true);
	fate_is(2, FATE_UNCERTAIN);
	pass(100000);
	assert_null(waiting("sendMessage"));
	send_text(3, "7", card("hello"));
	lose("sendMessage", HTTP_NOT_SENT, false);
	fate_is(3, FATE_LATER);
	assert_true(seen.outcome.whole_network);
	send_text(4, "no chat", card("hello"));
	assert_int_equal(seen.gone, 0);
	pass(0);
	fate_is(4, FATE_REFUSED);
	tg->ops->send(
	    tg, &(struct shipment){.id = 5, .op = OP_DELETE, .where = "7", .message = "31"});
	assert_false(waiting("deleteMessage")->once);
	lose("deleteMessage", HTTP_UNCERTAIN, false);
	fate_is(5, FATE_LATER);
}

#define LIMITED \
	"{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\",\"parameters\":{" \
	"\"retry_after\":3019}}"

static void
telegram_send_tells_limits_of_a_chat_from_all(void **state)
{
	(void)state;
	start(NULL);
	for (int i = 0; i < 4; i++) {
		send_text(i, "7", card("x"));
		reply("sendMessage", 429, LIMITED);
		fate_is(i, FATE_LATER);
		assert_int_equal(seen.outcome.after_ms, 3019000);
		assert_false(seen.outcome.whole_network);
	}
	send_text(8, "8", card("x"));
	reply("sendMessage", 429, LIMITED);
	fate_is(8, FATE_LATER);
	assert_false(seen.outcome.whole_network);
	for (int round = 0; round < 3; round++) {
		send_text(9, "9", card("x"));
		reply("sendMessage", 429, LIMITED);
		fate_is(9, FATE_LATER);
		assert_true(seen.outcome.whole_network);
		assert_int_equal(seen.outcome.after_ms, 3019000);
		/* Nobody waits for so long: a few look whether it is over. */
		assert_int_equal(seen.outcome.network_ms, 30000 << round);
		for (int i = 0; i < 2; i++) {
			send_text(i, i ? "7" : "8", card("x"));
			reply("sendMessage", 429, LIMITED);
			fate_is(i, FATE_LATER);
		}
	}
}

static void
telegram_send_keeps_limits_of_many_chats_apart(void **state)
{
	char body[160], chat[16];

	(void)state;
	start(NULL);
	for (int i = 0; i < 20; i++) {
		snprintf(chat, sizeof(chat), "%d", i + 7);
		snprintf(body, sizeof(body),
		    "{\"ok\":false,\"error_code\":429,\"description\":\"x\",\"parameters\":{"
		    "\"retry_after\":%d}}",
		    10072 - 500 * i);
		send_text(i, chat, card("x"));
		reply("sendMessage", 429, body);
		fate_is(i, FATE_LATER);
		assert_false(seen.outcome.whole_network);
	}
}

/* The seconds in the parameters, in words, in quotes, beyond all bounds, nowhere. */
static void
telegram_send_reads_limits_of_any_form(void **state)
{
	static const struct {
		const char *body;
		int64_t after_ms;
	} forms[] = {
	    {"{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after 17\"}",
		17000},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":\"10072\"}}",
		10072000},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":"
	     "999999999999999999999999}}",
		7 * 86400 * 1000LL},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":99999999999999999}}",
		7 * 86400 * 1000LL},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":-5}}", 0},
	    {"{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":0}}", 1000},
	    {"{\"ok\":false,\"error_code\":429,\"description\":\"x\"}", 0},
	    {"<html>429</html>", 0},
	};

	(void)state;
	start(NULL);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		send_text(1, "7", card("x"));
		reply("sendMessage", 429, forms[i].body);
		fate_is(1, FATE_LATER);
		assert_int_equal(seen.outcome.after_ms, forms[i].after_ms);
	}
}

static void
telegram_send_cures_entities_and_captions(void **state)
{
	struct card *c = card("b");

	(void)state;
	card_text(c, "old", SPAN_BOLD);
	start(NULL);
	send_text(1, "7", c);
	assert_non_null(strstr(waiting("sendMessage")->body, "entities"));
	reply("sendMessage", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities: "
	    "x\"}");
	assert_int_equal(seen.gone, 0);
	assert_string_equal(waiting("sendMessage")->body,
	    "{\"chat_id\":7,\"text\":\"bold\",\"link_preview_options\":{\"is_disabled\":true},"
	    "\"disable_notification\":true}");
	reply("sendMessage", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: can't parse entities: "
	    "x\"}");
	fate_is(1, FATE_REFUSED);
	tg->ops->send(tg,
	    &(struct shipment){.id = 2, .op = OP_EDIT, .where = "7", .message = "31", .card = c});
	reply("editMessageText", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: there is no text in "
	    "the "
	    "message to edit\"}");
	assert_string_equal(waiting("editMessageCaption")->body,
	    "{\"chat_id\":7,\"message_id\":31,\"caption\":\"bold\",\"caption_entities\":[{\"type\":"
	    "\"bold\",\"offset\":1,\"length\":3}]}");
	reply("editMessageCaption", 200, DONE_TRUE);
	fate_is(2, FATE_SENT);
	/* Longer than a caption: what fits, and no entity behind it. */
	for (int i = 0; i < 60; i++)
		card_text(c, " twenty letters here", 0);
	tg->ops->send(tg,
	    &(struct shipment){.id = 3, .op = OP_EDIT, .where = "7", .message = "31", .card = c});
	reply("editMessageText", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: there is no text in "
	    "the message to edit\"}");
	assert_in_range(strlen(waiting("editMessageCaption")->body), 900, 1080);
	assert_null(strstr(waiting("editMessageCaption")->body, "entities"));
	reply("editMessageCaption", 200, DONE_TRUE);
	fate_is(3, FATE_SENT);
}

static void
telegram_send_uploads_once_and_by_id_after(void **state)
{
	char path[] = "/tmp/telegram-test-XXXXXX";
	int fd = mkstemp(path);
	struct card *c = card("see");
	struct shipment s = {.id = 1, .op = OP_SEND, .where = "7", .card = c, .file_path = path};

	(void)state;
	assert_int_equal(write(fd, "BEGIN", 5), 5);
	close(fd);
	card_file(c, path, "event.ics", "text/calendar", "k");
	start(NULL);
	tg->ops->send(tg, &s);
	assert_true(waiting("sendDocument")->once);
	assert_string_equal(
	    waiting("sendDocument")->part_names, "chat_id caption disable_notification document ");
	reply("sendDocument", 200,
	    "{\"ok\":true,\"result\":{\"message_id\":4,\"document\":{\"file_id\":\"F1\"}}}");
	fate_is(1, FATE_SENT);
	assert_string_equal(seen.file_id, "F1");
	s.id = 2;
	s.file_id = "F1";
	tg->ops->send(tg, &s);
	assert_int_equal(waiting("sendDocument")->parts, 0);
	assert_non_null(strstr(waiting("sendDocument")->body, "\"document\":\"F1\""));
	reply("sendDocument", 400,
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: wrong file "
	    "identifier\"}");
	assert_true(waiting("sendDocument")->parts > 0);
	reply("sendDocument", 200, "{\"ok\":true,\"result\":{\"message_id\":5}}");
	fate_is(2, FATE_SENT);
	unlink(path);
}

static size_t
count_waiting(const char *method)
{
	size_t n = 0;

	for (struct http_call *c = calls; c; c = c->next)
		n += strcmp(c->label + strlen("telegram "), method) == 0;
	return n;
}

/* Many recipients at once: one uploads, the others wait for the id; where it comes to nothing the
 * next one uploads. */
static void
telegram_send_uploads_once_for_all_at_once(void **state)
{
	char path[] = "/tmp/telegram-test-XXXXXX";
	int fd = mkstemp(path);
	struct card *c = card("see");
	struct shipment s = {.op = OP_SEND, .card = c, .file_path = path};
	static const char *const chats[] = {"7", "8", "9", "10"};

	(void)state;
	assert_int_equal(write(fd, "BEGIN", 5), 5);
	close(fd);
	card_file(c, path, "event.ics", "text/calendar", "k");
	start(NULL);
	for (s.id = 0; s.id < 4; s.id++) {
		s.where = chats[s.id];
		tg->ops->send(tg, &s);
	}
	assert_int_equal(count_waiting("sendDocument"), 1);
	lose("sendDocument", HTTP_UNCERTAIN, false);
	fate_is(0, FATE_UNCERTAIN);
	assert_int_equal(count_waiting("sendDocument"), 1);
	assert_true(waiting("sendDocument")->parts > 0);
	reply("sendDocument", 200,
	    "{\"ok\":true,\"result\":{\"message_id\":4,\"document\":{\"file_id\":\"F1\"}}}");
	assert_int_equal(seen.outcome.fate, FATE_SENT);
	assert_int_equal(count_waiting("sendDocument"), 2);
	while (waiting("sendDocument")) {
		assert_non_null(strstr(waiting("sendDocument")->body, "\"document\":\"F1\""));
		reply("sendDocument", 200, "{\"ok\":true,\"result\":{\"message_id\":5}}");
	}
	assert_int_equal(seen.gone, 3);
	/* Those that still wait when all ends were not sent. */
	seen.gone = 0;
	c->file->key = "other";
	for (s.id = 5; s.id < 7; s.id++) {
		s.where = chats[s.id - 5];
		tg->ops->send(tg, &s);
	}
	assert_int_equal(count_waiting("sendDocument"), 1);
	tg->ops->close(tg);
	assert_int_equal(seen.gone, 2);
	assert_int_equal(seen.id, 5);
	assert_int_equal(seen.outcome.fate, FATE_UNCERTAIN);
	open_with(NULL, NULL, 0);
	unlink(path);
}

static void
telegram_menus_are_set_only_when_changed(void **state)
{
	static const struct menu_entry menu[] = {{"help", "Help"}, {NULL, NULL}};
	struct shipment s = {
	    .id = 1, .op = OP_MENU, .menu = menu, .description = "What", .language = "ar"};
	char key[64], value[64];
	struct state_row row = {key, value, 16};

	(void)state;
	start(NULL);
	tg->ops->send(tg, &s);
	assert_string_equal(waiting("setMyCommands")->body,
	    "{\"scope\":{\"type\":\"default\"},\"language_code\":\"ar\",\"commands\":[{\"command\":"
	    "\"help\",\"description\":\"Help\"}]}");
	reply("setMyCommands", 200, DONE_TRUE);
	reply("setMyDescription", 200, DONE_TRUE);
	reply("setMyShortDescription", 200, DONE_TRUE);
	fate_is(1, FATE_SENT);
	memcpy(key, seen.kept_key, sizeof(key));
	memcpy(value, seen.kept_value, sizeof(value));
	assert_string_equal(key, "menu:42:ar");
	tg->ops->close(tg);
	open_with(NULL, &row, 1);
	tg->ops->send(tg, &s);
	assert_null(waiting("setMyCommands"));
	pass(0);
	fate_is(1, FATE_SENT);
	s.where = "7";
	s.menu = &menu[1];
	tg->ops->send(tg, &s);
	assert_string_equal(
	    waiting("deleteMyCommands")->body, "{\"scope\":{\"type\":\"chat\",\"chat_id\":7}}");
	reply("deleteMyCommands", 200, DONE_TRUE);
	fate_is(1, FATE_SENT);
}

static void
telegram_fetches_bytes(void **state)
{
	struct shipment s = {.id = 6, .op = OP_FETCH, .who = "7", .media_handle = "V1"};

	(void)state;
	start(NULL);
	tg->ops->send(tg, &s);
	reply("getFile", 200,
	    "{\"ok\":true,\"result\":{\"file_id\":\"V1\",\"file_path\":\"voice/a.oga\"}}");
	assert_string_equal(
	    waiting("file")->url, "http://127.0.0.1:1/file/bot42:canary-x_1/voice/a.oga");
	reply("file", 200, "OggS");
	assert_int_equal(seen.kind, EVENT_FETCHED);
	assert_string_equal(seen.text, "OggS");
	fate_is(6, FATE_SENT);
	tg->ops->send(tg, &s);
	reply("getFile", 200,
	    "{\"ok\":true,\"result\":{\"file_id\":\"V1\",\"file_path\":\"../x?y\"}}");
	fate_is(6, FATE_SENT);
	assert_string_equal(seen.text, "");
}

static void
telegram_close_leaves_no_fate_open(void **state)
{
	(void)state;
	start(NULL);
	send_text(1, "7", card("x"));
	tg->ops->close(tg);
	fate_is(1, FATE_UNCERTAIN);
	start(NULL);
	tg->ops->send(tg, &(struct shipment){.id = 2, .op = OP_TYPING, .where = "7"});
	tg->ops->close(tg);
	fate_is(2, FATE_LATER);
	start(NULL);
}

static const struct CMUnitTest tests[] = {
    TEST(telegram_send_reports_each_fate_once),
    TEST(telegram_send_tells_limits_of_a_chat_from_all),
    TEST(telegram_send_keeps_limits_of_many_chats_apart),
    TEST(telegram_send_reads_limits_of_any_form),
    TEST(telegram_send_cures_entities_and_captions),
    TEST(telegram_send_uploads_once_and_by_id_after),
    TEST(telegram_send_uploads_once_for_all_at_once),
    TEST(telegram_menus_are_set_only_when_changed),
    TEST(telegram_fetches_bytes),
    TEST(telegram_close_leaves_no_fate_open),
};

UNIT_RUN(tests)
