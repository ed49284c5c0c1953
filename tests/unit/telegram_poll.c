/* The poll of telegram.c: in order, after the commit, through conflicts, limits and cut replies. */
#include "unit.h"

#include "telegram_world.h"

static void
telegram_takes_only_a_token(void **state)
{
	static const char *const bad[] = {
	    "", "42", "42:", ":x", "x:y", "42:a/b", "42:a b", "42:a\nb"};
	struct telegram_options o = {.api_root = "http://127.0.0.1:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.token = bad[i];
		o.token_length = strlen(bad[i]);
		assert_null(telegram_new(&o));
	}
	start(NULL);
}

static void
telegram_poll_starts_in_order(void **state)
{
	(void)state;
	open_with(NULL, NULL, 0);
	assert_int_equal(seen.health, HEALTH_STARTING);
	assert_string_equal(waiting("getMe")->url, "http://127.0.0.1:1/bot42:canary-x_1/getMe");
	assert_null(waiting("getUpdates"));
	reply("getMe", 200, ME);
	assert_string_equal(tg->link_start, "https://t.me/alum_bot?start=");
	assert_non_null(strstr(waiting("deleteWebhook")->body, "\"drop_pending_updates\":false"));
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_int_equal(seen.health, HEALTH_GOOD);
	assert_false(poll_says("offset"));
	assert_true(poll_says("\"timeout\":50"));
	assert_true(waiting("getUpdates")->timeout_ms > 50000);
	assert_false(waiting("getUpdates")->once);
}

static void
telegram_poll_goes_on_after_the_commit(void **state)
{
	(void)state;
	start("42:900");
	assert_true(poll_says("\"offset\":900,"));
	reply("getUpdates", 200, UPDATES(UPDATE(900, "a") "," UPDATE(901, "b")));
	assert_int_equal(seen.events, 2);
	assert_string_equal(seen.cursor, "42:902");
	assert_true(poll_says("\"offset\":902,"));
	/* The ids start again somewhere: followed, not compared. */
	reply("getUpdates", 200, UPDATES(UPDATE(12, "c")));
	assert_string_equal(seen.cursor, "42:13");
	assert_true(poll_says("\"offset\":13,"));
}

static void
telegram_poll_asks_again_when_nothing_was_committed(void **state)
{
	(void)state;
	start("42:900");
	seen.refuse = true;
	reply("getUpdates", 200, UPDATES(UPDATE(900, "a")));
	assert_null(waiting("getUpdates"));
	seen.refuse = false;
	pass(999);
	assert_null(waiting("getUpdates"));
	pass(1);
	assert_true(poll_says("\"offset\":900,"));
}

static void
telegram_poll_forgets_the_cursor_of_another_bot(void **state)
{
	(void)state;
	start("43:900");
	assert_false(poll_says("offset"));
}

static void
telegram_poll_retries_a_dead_kept_connection_at_once(void **state)
{
	(void)state;
	start(NULL);
	pass(20000);
	lose("getUpdates", HTTP_UNCERTAIN, true);
	pass(0);
	assert_true(waiting("getUpdates")->fresh);
	assert_int_equal(seen.health, HEALTH_GOOD);
	/* The fresh one dies too: now it is an outage, with a pause. */
	lose("getUpdates", HTTP_NOT_SENT, false);
	pass(0);
	assert_null(waiting("getUpdates"));
	pass(500);
	lose("getUpdates", HTTP_NOT_SENT, false);
	assert_int_equal(seen.health, HEALTH_DOWN);
	pass(20000);
	assert_true(poll_says("\"timeout\":0"));
	reply("getUpdates", 200, NOTHING);
	assert_int_equal(seen.health, HEALTH_GOOD);
	assert_true(poll_says("\"timeout\":50"));
}

static void
telegram_poll_that_hangs_is_deaf(void **state)
{
	(void)state;
	start(NULL);
	pass(waiting("getUpdates")->timeout_ms);
	lose("getUpdates", HTTP_UNCERTAIN, true);
	assert_int_equal(seen.health, HEALTH_DEAF);
	assert_int_equal(renewed, 1);
	pass(0);
	assert_true(waiting("getUpdates")->fresh);
	reply("getUpdates", 200, UPDATES(UPDATE(1, "x")));
	assert_int_equal(seen.health, HEALTH_GOOD);
}

#define CONFLICT \
	"{\"ok\":false,\"error_code\":409,\"description\":\"Conflict: terminated by other " \
	"getUpdates " \
	"request\"}"

static void
telegram_poll_bears_a_conflict(void **state)
{
	(void)state;
	start(NULL);
	for (int i = 0; i < 3; i++) {
		reply("getUpdates", 409, CONFLICT);
		assert_null(waiting("getUpdates"));
		pass(2999);
		assert_null(waiting("getUpdates"));
		pass(4001);
		assert_non_null(waiting("getUpdates"));
	}
	assert_int_equal(seen.health, HEALTH_CONFLICT);
	reply("getUpdates", 200, NOTHING);
	assert_int_equal(seen.health, HEALTH_GOOD);
	reply("getUpdates", 409,
	    "{\"ok\":false,\"error_code\":409,\"description\":\"Conflict: can't use getUpdates "
	    "method "
	    "while webhook is active\"}");
	pass(7000);
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_non_null(waiting("getUpdates"));
}

static void
telegram_poll_sets_one_poisoned_update_aside(void **state)
{
	(void)state;
	start("42:5");
	reply("getUpdates", 200, "{\"ok\":true,\"result\":[{\"update_id\":5,\"message\":{\"te");
	pass(1000);
	for (int tries = 0; tries < 3; tries++) {
		assert_true(poll_says("\"limit\":1,"));
		assert_int_equal(seen.batches, 0);
		reply("getUpdates", 200,
		    "{\"ok\":true,\"result\":[{\"update_id\":5,\"message\":{\"te");
		if (tries < 2)
			pass(4000);
	}
	assert_int_equal(seen.kind, EVENT_UNREADABLE);
	assert_string_equal(seen.cursor, "42:6");
	assert_true(poll_says("\"offset\":6,"));
	assert_true(poll_says("\"limit\":100,"));
}

static void
telegram_poll_bears_html_empty_and_limits(void **state)
{
	static const struct {
		int status;
		const char *body;
	} bad[] = {{502, "<html>"}, {200, ""},
	    {500, "{\"ok\":false,\"error_code\":500,\"description\":\"x\"}"}, {413, ""}, {302, ""}};

	(void)state;
	start("42:5");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reply("getUpdates", bad[i].status, bad[i].body);
		assert_null(waiting("getUpdates"));
		pass(20000);
		assert_true(poll_says("\"offset\":5,"));
		reply("getUpdates", 200, NOTHING);
		assert_int_equal(seen.health, HEALTH_GOOD);
	}
	reply("getUpdates", 429,
	    "{\"ok\":false,\"error_code\":429,\"description\":\"x\",\"parameters\":{\"retry_"
	    "after\":9}}");
	pass(8999);
	assert_null(waiting("getUpdates"));
	pass(1);
	assert_non_null(waiting("getUpdates"));
}

/* A short reply may be cut twice by chance; the update in it is not lost for that. */
static void
telegram_poll_loses_nothing_to_a_reply_that_was_cut(void **state)
{
	(void)state;
	start("42:5");
	for (int i = 0; i < 2; i++) {
		reply("getUpdates", 200,
		    "{\"ok\":true,\"result\":[{\"update_id\":5,\"message\":{\"te");
		pass(20000);
	}
	reply("getUpdates", 200, UPDATES(UPDATE(5, "whole")));
	assert_int_equal(seen.kind, EVENT_MESSAGE);
	assert_string_equal(seen.text, "whole");
	/* What has no number is not stepped over: the next one would get the number that was skipped. */
	reply("getUpdates", 200, UPDATES("{},7"));
	pass(20000);
	assert_true(poll_says("\"offset\":6,"));
}

static void
telegram_poll_does_not_run_in_a_circle(void **state)
{
	int asked = 0;

	(void)state;
	start("42:5");
	/* A server that does not wait, and one that tells the same for ever. */
	for (int64_t end = now_ms + 60000; now_ms < end; pass(10))
		while (waiting("getUpdates")) {
			asked++;
			reply("getUpdates", 200, asked % 2 ? NOTHING : UPDATES(UPDATE(4, "again")));
		}
	assert_in_range(asked, 10, 100);
	pass(4000);
	reply("getUpdates", 200, UPDATES(UPDATE(5, "new")));
	assert_true(poll_says("\"offset\":6,"));
}

static void
telegram_poll_keeps_a_long_limit_over_a_restart(void **state)
{
	char key[64], value[64];
	struct state_row row = {key, value, 0};

	(void)state;
	start("42:5");
	reply("getUpdates", 429,
	    "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after "
	    "10072\"}");
	assert_int_equal(seen.health, HEALTH_DOWN);
	assert_string_equal(seen.kept_key, "silent:42");
	memcpy(key, seen.kept_key, sizeof(key));
	memcpy(value, seen.kept_value, sizeof(value));
	row.length = strlen(value);
	tg->ops->close(tg);
	wall_s += 72;
	open_with("42:5", &row, 1);
	assert_int_equal(seen.health, HEALTH_DOWN);
	pass(9999999);
	assert_null(calls);
	pass(1000);
	assert_non_null(waiting("getMe"));
	wall_s -= 72;
}

static void
telegram_poll_tries_a_refused_token_rarely(void **state)
{
	(void)state;
	open_with(NULL, NULL, 0);
	reply("getMe", 401, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}");
	assert_int_equal(seen.health, HEALTH_REFUSED);
	pass(599000);
	assert_null(calls);
	pass(2000);
	reply("getMe", 200, ME);
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_int_equal(seen.health, HEALTH_GOOD);
	/* A token that was good is asked about once more; and a page in front of the server says
	 * nothing of it. */
	reply("getUpdates", 401, "{\"ok\":false,\"error_code\":401,\"description\":\"x\"}");
	assert_int_equal(seen.health, HEALTH_GOOD);
	pass(1000);
	reply("getMe", 401, "<html>");
	assert_int_equal(seen.health, HEALTH_DOWN);
	pass(20000);
	reply("getMe", 401, "{\"ok\":false,\"error_code\":401,\"description\":\"x\"}");
	assert_int_equal(seen.health, HEALTH_REFUSED);
}

static void
telegram_poll_says_when_a_day_is_lost(void **state)
{
	char heard[24];
	struct state_row row = {"heard:42", heard, 0};

	(void)state;
	row.length =
	    (size_t)snprintf(heard, sizeof(heard), "%lld", (long long)(wall_s - 26 * 3600));
	open_with(NULL, &row, 1);
	reply("getMe", 200, ME);
	reply("deleteWebhook", 200, DONE_TRUE);
	assert_int_equal(seen.health, HEALTH_GOOD);
	assert_non_null(strstr(seen.detail, "26 h"));
	reply("getUpdates", 200, NOTHING);
	assert_string_equal(seen.kept_key, "heard:42");
}

static const struct CMUnitTest tests[] = {
    TEST(telegram_poll_starts_in_order),
    TEST(telegram_poll_goes_on_after_the_commit),
    TEST(telegram_poll_asks_again_when_nothing_was_committed),
    TEST(telegram_poll_forgets_the_cursor_of_another_bot),
    TEST(telegram_poll_retries_a_dead_kept_connection_at_once),
    TEST(telegram_poll_that_hangs_is_deaf),
    TEST(telegram_poll_bears_a_conflict),
    TEST(telegram_poll_sets_one_poisoned_update_aside),
    TEST(telegram_poll_bears_html_empty_and_limits),
    TEST(telegram_poll_loses_nothing_to_a_reply_that_was_cut),
    TEST(telegram_poll_does_not_run_in_a_circle),
    TEST(telegram_poll_keeps_a_long_limit_over_a_restart),
    TEST(telegram_poll_tries_a_refused_token_rarely),
    TEST(telegram_poll_says_when_a_day_is_lost),
    TEST(telegram_takes_only_a_token),
};

UNIT_RUN(tests)
