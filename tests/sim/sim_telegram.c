/* A Bot API server with its odd rules (TELEGRAM.md), and the ledger of what each chat received. */
#include "sim.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { KEEP_MS = 24 * 3600 * 1000, BUTTONS_MOST = 40, BEYOND_MOST = 10 };

struct update {
	struct update *next;
	int64_t id, at_ms, press;
	char *json, *text;
};

/* A text that was confirmed: the bot owes it exactly one turn. */
struct owed {
	struct owed *next;
	char *text;
	int64_t update, press;
};

static struct update *updates, **last_update = &updates;
static struct owed *owed;
static int64_t next_update, last_update_ms, next_message, next_callback;
static struct exchange *poller;
static int64_t poller_limit, poll_number;
/* Of each press: whether its answer came. */
static bool *answered;
static int64_t answered_room;

void
telegram_world_begin(void)
{
	next_update = 1000 + dice_below(1000000);
	next_message = 1;
	next_callback = 1;
	answered_room = 0;
	last_update = &updates;
	last_update_ms = sim.now_ms;
}

static void
update_free(struct update *u)
{
	free(u->json);
	free(u->text);
	free(u);
}

void
telegram_world_end(void)
{
	while (updates) {
		struct update *u = updates;

		updates = u->next;
		update_free(u);
	}
	while (owed) {
		struct owed *o = owed;

		owed = o->next;
		free(o->text);
		free(o);
	}
	if (poller)
		exchange_release(poller);
	poller = NULL;
	free(answered);
	answered = NULL;
}

/* ---- updates ---- */

static void
answer_updates(struct exchange *x, int64_t limit)
{
	size_t room = 64;
	char *text;
	FILE *f;
	int64_t n = 0;

	/* Most polls bring nothing. */
	if (!updates) {
		exchange_answer(x, 200, "{\"ok\":true,\"result\":[]}");
		return;
	}
	f = open_memstream(&text, &room);
	fputs("{\"ok\":true,\"result\":[", f);
	for (struct update *u = updates; u && n < limit; u = u->next)
		fprintf(f, "%s%s", n++ ? "," : "", u->json);
	fputs("]}", f);
	fclose(f);
	exchange_answer(x, 200, text);
	free(text);
}

static void
poll_wakes(void)
{
	struct exchange *x = poller;

	poller = NULL;
	if (!x)
		return;
	answer_updates(x, poller_limit);
	exchange_release(x);
}

static void
poll_ends(void *ctx)
{
	if ((int64_t)(intptr_t)ctx == poll_number)
		poll_wakes();
}

static void
forget_old(void)
{
	while (updates && sim.now_ms - updates->at_ms > KEEP_MS) {
		struct update *u = updates;

		updates = u->next;
		sim.counts.odd[ODD_EXPIRED]++;
		trace("expired update=%lld", (long long)u->id);
		update_free(u);
	}
	if (!updates)
		last_update = &updates;
}

/* Everything before the one with that id is confirmed and gone; an unknown id confirms what is
 * smaller, and one far above the newest nothing at all: ids began anew. */
static void
confirm(int64_t offset)
{
	if (offset > next_update - 1 + BEYOND_MOST)
		return;
	while (updates && updates->id < offset) {
		struct update *u = updates;
		struct owed *o = memory_new(sizeof(*o));

		updates = u->next;
		sim.counts.confirmed++;
		groups_confirmed(u->id);
		o->text = u->text;
		o->update = u->id;
		o->press = u->press;
		o->next = owed;
		owed = o;
		u->text = NULL;
		update_free(u);
	}
	if (!updates)
		last_update = &updates;
}

static void
get_updates(struct exchange *x, json_t *body)
{
	int64_t offset = json_integer_value(json_object_get(body, "offset"));
	int64_t wait_s = json_integer_value(json_object_get(body, "timeout"));
	int64_t limit = json_integer_value(json_object_get(body, "limit"));

	forget_old();
	/* A server that lost the confirmation hands out again what was handed out already. */
	if (!fault(10000))
		confirm(offset);
	else if (updates && updates->id < offset)
		sim.counts.odd[ODD_UNCONFIRMED]++;
	if (poller) {
		sim.counts.odd[ODD_CONFLICT]++;
		exchange_answer(poller, 409,
		    "{\"ok\":false,\"error_code\":409,\"description\":\"Conflict: terminated by "
		    "other getUpdates request\"}");
		exchange_release(poller);
	}
	poller = x;
	exchange_keep(x);
	poller_limit = limit ? limit : 100;
	poll_number++;
	if (updates || !wait_s)
		poll_wakes();
	else
		agenda_add(sim.now_ms + wait_s * 1000, false, poll_ends, NULL,
		    (void *)(intptr_t)poll_number);
}

static int64_t
push(const char *kind, json_t *body, const char *text, int64_t press)
{
	struct update *u = memory_new(sizeof(*u));
	json_t *update = json_object();

	/* Ids begin anew when nothing came for a week. */
	if (sim.now_ms - last_update_ms > 7 * (int64_t)KEEP_MS || (!updates && fault(2000))) {
		next_update = 1000 + dice_below(100000000);
		sim.counts.odd[ODD_IDS_ANEW]++;
	}
	last_update_ms = sim.now_ms;
	u->id = next_update++;
	u->at_ms = sim.now_ms;
	u->press = press;
	u->text = memory_string(text ? text : "");
	json_object_set_new(update, "update_id", json_integer(u->id));
	json_object_set_new(update, kind, body);
	u->json = json_dumps(update, JSON_COMPACT);
	json_decref(update);
	*last_update = u;
	last_update = &u->next;
	sim.counts.updates++;
	trace("update id=%lld %s %s", (long long)u->id, kind, u->text);
	if (poller)
		poll_wakes();
	return u->id;
}

static json_t *
user(int64_t chat, const char *language)
{
	char name[40];

	snprintf(name, sizeof(name), SIM_NAME, (long long)chat);
	return json_pack("{s:I,s:b,s:s,s:s,s:s}", "id", (json_int_t)chat, "is_bot", 0, "first_name",
	    name, "username", name, "language_code", language);
}

static json_t *
private_chat(int64_t chat)
{
	return json_pack("{s:I,s:s}", "id", (json_int_t)chat, "type", "private");
}

static json_t *
group_chat(int64_t group)
{
	return json_pack("{s:I,s:s,s:s}", "id", (json_int_t)group, "type",
	    group > SIM_FIRST_GROUP - 100 ? "group" : "supergroup", "title", "G");
}

static json_t *
message_of(int64_t who, const char *language, json_t *chat)
{
	return json_pack("{s:I,s:o,s:o,s:I}", "message_id", (json_int_t)next_message++, "from",
	    user(who, language), "chat", chat, "date", (json_int_t)(sim.now_ms / 1000));
}

int64_t
telegram_group_moved(int64_t group, const char *field, int64_t other)
{
	json_t *message = message_of(SIM_FIRST_CHAT, "en", group_chat(group));

	json_object_set_new(message, field, json_integer(other));
	return push("message", message, field, 0);
}

static int64_t
say_in(json_t *chat, int64_t who, const char *language, const char *text)
{
	json_t *message = message_of(who, language, chat);

	json_object_set_new(message, "text", json_string(text));

	if (text[0] == '/')
		json_object_set_new(message, "entities",
		    json_pack("[{s:s,s:i,s:i}]", "type", "bot_command", "offset", 0, "length",
			(int)strcspn(text, " ")));
	return push("message", message, text, 0);
}

int64_t
telegram_say(int64_t chat, const char *language, const char *text)
{
	return say_in(private_chat(chat), chat, language, text);
}

int64_t
telegram_say_in(int64_t group, int64_t chat, const char *language, const char *text)
{
	return say_in(group_chat(group), chat, language, text);
}

int64_t
telegram_press(int64_t chat, int64_t message, const char *data)
{
	char id[24];

	sim.counts.presses++;
	snprintf(id, sizeof(id), "%lld", (long long)next_callback++);
	return push("callback_query",
	    json_pack("{s:s,s:o,s:s,s:s,s:{s:I,s:I,s:o}}", "id", id, "from", user(chat, "en"),
		"chat_instance", "1", "data", data, "message", "message_id", (json_int_t)message,
		"date", (json_int_t)1, "chat", private_chat(chat)),
	    "press", next_callback - 1);
}

void
telegram_member(int64_t chat, bool blocked)
{
	push("my_chat_member",
	    json_pack("{s:o,s:o,s:I,s:{s:s},s:{s:s}}", "chat", private_chat(chat), "from",
		user(chat, "en"), "date", (json_int_t)(sim.now_ms / 1000), "old_chat_member",
		"status", blocked ? "member" : "kicked", "new_chat_member", "status",
		blocked ? "kicked" : "member"),
	    "member", 0);
}

static bool *
answer_of(int64_t press)
{
	if (press >= answered_room) {
		int64_t room = press * 2 + 1024;

		answered = memory_resize(answered, (size_t)room);
		memset(answered + answered_room, 0, (size_t)(room - answered_room));
		answered_room = room;
	}
	return &answered[press];
}

int
telegram_presses_unanswered(void)
{
	int n = 0;

	for (struct owed *o = owed; o; o = o->next)
		if (o->press && !*answer_of(o->press)) {
			trace("unanswered press=%lld update=%lld", (long long)o->press,
			    (long long)o->update);
			n++;
		}
	return n;
}

bool
telegram_all_confirmed(void)
{
	forget_old();
	return !updates;
}

void
telegram_confirmed_texts(void (*each)(int64_t update, const char *text))
{
	for (struct owed *o = owed; o; o = o->next)
		each(o->update, o->text);
}

/* ---- messages ---- */

static void
refuse(struct exchange *x, int code, const char *description)
{
	char body[300];

	snprintf(body, sizeof(body), "{\"ok\":false,\"error_code\":%d,\"description\":\"%s\"}",
	    code, description);
	exchange_answer(x, code, body);
}

static void
slow_down(struct exchange *x)
{
	static const int lengths[] = {1, 3, 30, 900, 7200};
	int after_s = lengths[dice() % 5];
	char body[200];

	sim.counts.odd[ODD_SLOW_DOWN]++;

	snprintf(body, sizeof(body),
	    "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after "
	    "%d\","
	    "\"parameters\":{\"retry_after\":%d}}",
	    after_s, after_s);
	exchange_answer(x, 429, body);
}

static void
refuse_moved(struct exchange *x, int64_t to)
{
	char body[300];

	snprintf(body, sizeof(body),
	    "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: group chat was upgraded to "
	    "a supergroup chat\",\"parameters\":{\"migrate_to_chat_id\":%lld}}",
	    (long long)to);
	exchange_answer(x, 400, body);
}

static int
read_buttons(json_t *body, const char **buttons)
{
	json_t *rows = json_object_get(json_object_get(body, "reply_markup"), "inline_keyboard");
	json_t *row, *button;
	size_t i, j;
	int n = 0;

	json_array_foreach(rows, i, row) {
		json_array_foreach(row, j, button) {
			const char *data =
			    json_string_value(json_object_get(button, "callback_data"));

			if (data && strlen(data) > 64)
				violated("a button carries more than 64 bytes");
			if (data && n < BUTTONS_MOST)
				buttons[n++] = data;
		}
	}
	return n;
}

static const char *
text_of(json_t *body)
{
	const char *text = json_string_value(json_object_get(body, "text"));

	return text ? text : json_string_value(json_object_get(body, "caption"));
}

static void
sent(struct exchange *x, json_t *body, int64_t chat)
{
	const char *buttons[BUTTONS_MOST], *text = text_of(body);
	int64_t message = next_message++;
	int n = read_buttons(body, buttons);
	char reply[300];

	trace("arrived shipment=%lld chat=%lld message=%lld buttons=%d %.60s",
	    (long long)exchange_shipment(x), (long long)chat, (long long)message, n,
	    text ? text : "");
	sim.counts.groups_heard += chat < 0;
	ledger_arrived(exchange_shipment(x), chat);
	check_text(exchange_shipment(x), chat, text ? text : "");
	people_received(chat, message, text ? text : "", buttons, n, false);
	snprintf(reply, sizeof(reply),
	    "{\"ok\":true,\"result\":{\"message_id\":%lld,\"date\":%lld,\"chat\":{\"id\":%lld,"
	    "\"type\":\"private\"}}}",
	    (long long)message, (long long)(sim.now_ms / 1000), (long long)chat);
	exchange_answer(x, 200, reply);
}

static void
edited(struct exchange *x, json_t *body, int64_t chat)
{
	const char *buttons[BUTTONS_MOST], *text = text_of(body);
	int64_t message = json_integer_value(json_object_get(body, "message_id"));
	int n = read_buttons(body, buttons);

	if (message <= 0 || message >= next_message) {
		refuse(x, 400, "Bad Request: message to edit not found");
		return;
	}
	if (text)
		check_text(0, chat, text);
	people_received(chat, message, text ? text : "", buttons, n, true);
	exchange_answer(x, 200, "{\"ok\":true,\"result\":true}");
}

static bool
starts(const char *method, const char *with)
{
	return !strncmp(method, with, strlen(with));
}

static void
answer_press(const json_t *id)
{
	int64_t press = json_is_string(id) ? strtoll(json_string_value(id), NULL, 10) : 0;

	if (press > 0 && press < next_callback)
		*answer_of(press) = true;
}

void
telegram_serve(struct exchange *x, const char *method, const char *text, size_t length)
{
	json_t *body = json_loadb(text, length, 0, NULL);
	int64_t chat = json_integer_value(json_object_get(body, "chat_id")), to;

	if (!body) {
		violated("the body of %s is no JSON", method);
		refuse(x, 400, "Bad Request: can't parse JSON");
	} else if (starts(method, "getMe")) {
		exchange_answer(x, 200,
		    "{\"ok\":true,\"result\":{\"id\":424242,\"is_bot\":true,\"first_name\":\"A\","
		    "\"username\":\"sim_bot\"}}");
	} else if (starts(method, "getUpdates")) {
		get_updates(x, body);
	} else if (fault(3000)) {
		slow_down(x);
	} else if ((to = groups_moved_to(chat, exchange_shipment(x)))) {
		sim.counts.odd[ODD_GROUP_MOVED]++;
		refuse_moved(x, to);
	} else if (chat && people_blocked(chat)) {
		sim.counts.odd[ODD_BLOCKED]++;
		refuse(x, 403, "Forbidden: bot was blocked by the user");
	} else if (starts(method, "send") && !starts(method, "sendChatAction")) {
		sent(x, body, chat);
	} else if (starts(method, "edit")) {
		edited(x, body, chat);
	} else {
		if (starts(method, "answerCallbackQuery"))
			answer_press(json_object_get(body, "callback_query_id"));
		exchange_answer(x, 200, "{\"ok\":true,\"result\":true}");
	}
	json_decref(body);
}
