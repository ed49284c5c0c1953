/*
 * A homeserver's answers with its odd rules (MATRIX.md), and the same ledger as Telegram's; its rooms
 * are those of sim_home.c. Positions are counted: `since` is "s<events>_<key changes>_<to-device>", a
 * page's end "p<event>".
 */
#include "sim_home.h"

enum {
	LINE = 50,
	PARTS = 9,
	PART = 300,
	TXN_MS = 24 * 3600 * 1000, /* how long a transaction id is known */
};

static json_t *txns; /* "device path": {"id", "t"} */
static char token[40], device[20];
static int tokens, devices;
static int64_t expires_ms, locked_until_ms, stuck_until_ms, box_base, logins_ms;
static char stuck_at[80]; /* a `since` */
static bool hard;	  /* an expired token takes its device with it */
static struct exchange *poller;
static char poller_since[80];
static int64_t poll_number;

/* ---- small things ---- */

static void
reply(struct exchange *x, int status, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	exchange_answer(x, status, text);
	free(text);
	json_decref(body);
}

static void
no(struct exchange *x, int status, const char *code)
{
	reply(x, status, json_pack("{s:s,s:s}", "errcode", code, "error", code));
}

static json_t *
box(void)
{
	return json_object_get(home.world.boxes, box_name(BOT, device));
}

static void
since_text(char *out, size_t room)
{
	snprintf(out, room, "s%lld_%zu_%lld", (long long)home.position,
	    json_array_size(home.world.changes),
	    (long long)(box_base + (int64_t)json_array_size(box())));
}

/* The bot's device, as matrix_world.h takes it. */
static struct client
us(void)
{
	struct client bot = {.world = &home.world};

	snprintf(bot.user, sizeof(bot.user), "%s", BOT);
	snprintf(bot.device, sizeof(bot.device), "%s", device);
	return bot;
}

/* ---- /sync ---- */

struct since {
	int64_t events, changes, box;
};

static bool
since_read(const char *text, struct since *s)
{
	return sscanf(text, "s%lld_%lld_%lld", (long long *)&s->events, (long long *)&s->changes,
		   (long long *)&s->box) == 3 &&
	       s->events <= home.position;
}

static json_t *
event_at(const struct room *r, size_t i)
{
	return json_array_get(home_line(r), i);
}

static json_t *
look_line(const struct room *r, int64_t after, int limit, bool fresh)
{
	size_t n = json_array_size(home_line(r)), first = n, shown;
	json_t *events = json_array(), *state = json_array();
	char before[30] = "p0";

	while (first && (fresh || r->at[first - 1] > after))
		first--;
	shown = n - first > (size_t)limit ? n - (size_t)limit : first;
	for (size_t i = first; i < shown; i++)
		if (json_object_get(event_at(r, i), "state_key"))
			json_array_append(state, event_at(r, i));
	for (size_t i = shown; i < n; i++)
		json_array_append(events, event_at(r, i));
	if (shown < n)
		snprintf(before, sizeof(before), "p%lld", (long long)r->at[shown]);
	return json_pack("{s:{s:o,s:b,s:s},s:{s:o}}", "timeline", "events", events, "limited",
	    shown > first || fresh, "prev_batch", before, "state", "events", state);
}

static json_t *
look_joined(const struct room *r, int64_t after, int limit, bool first)
{
	bool fresh = first || r->bot_at > after;
	const struct person *p = home_person(r->chat);
	size_t n = json_array_size(home_line(r));
	json_t *entry;

	if (!fresh && (!n || r->at[n - 1] <= after))
		return NULL;
	entry = look_line(r, after, limit, fresh);
	json_object_set_new(entry, "summary",
	    json_pack("{s:i,s:i,s:[s]}", "m.joined_member_count", 1 + r->human_in,
		"m.invited_member_count", 0, "m.heroes", p->user));
	return entry;
}

static json_t *
look_invited(const struct room *r)
{
	const struct person *p = home_person(r->chat);
	json_t *events = json_pack("[{s:s,s:s,s:s,s:{s:s,s:b}},{s:s,s:s,s:s,s:{s:s}}]", "type",
	    "m.room.member", "sender", p->user, "state_key", BOT, "content", "membership", "invite",
	    "is_direct", 1, "type", "m.room.create", "sender", p->user, "state_key", "", "content",
	    "room_version", "10");

	if (r->encrypted)
		json_array_append_new(events,
		    json_pack("{s:s,s:s,s:s,s:{s:s}}", "type", "m.room.encryption", "sender",
			p->user, "state_key", "", "content", "algorithm", "m.megolm.v1.aes-sha2"));
	return json_pack("{s:{s:o}}", "invite_state", "events", events);
}

static json_t *
look_rooms(const struct since *s, int limit, bool first)
{
	json_t *join = json_object(), *invite = json_object(), *leave = json_object(), *entry;

	for (size_t i = 0; i < home.room_count; i++) {
		const struct room *r = home.rooms[i];

		if (r->bot == JOINED && (entry = look_joined(r, s->events, limit, first)))
			json_object_set_new(join, r->id, entry);
		else if (r->bot == INVITED && (first || r->bot_at > s->events))
			json_object_set_new(invite, r->id, look_invited(r));
		else if (r->bot == GONE && !first && r->bot_at > s->events)
			json_object_set_new(leave, r->id, json_object());
	}
	return json_pack("{s:o,s:o,s:o}", "join", join, "invite", invite, "leave", leave);
}

static bool
any_rooms(const json_t *look)
{
	return json_object_size(json_object_get(look, "join")) ||
	       json_object_size(json_object_get(look, "invite")) ||
	       json_object_size(json_object_get(look, "leave"));
}

/* With it how many keys of the bot's are left. */
static json_t *
with_keys(json_t *answer)
{
	const struct client bot = us();
	json_t *unused = json_array();

	if (json_object_get(home.world.fresh, box_name(BOT, device)))
		json_array_append_new(unused, json_string("signed_curve25519"));
	json_object_set_new(answer, "device_one_time_keys_count", counts_of(&home.world, &bot));
	json_object_set_new(answer, "device_unused_fallback_key_types", unused);
	return answer;
}

/* NULL: nothing new since then. */
static json_t *
look(const struct since *s, bool first, int limit)
{
	json_t *found = look_rooms(s, limit, first), *changed = json_array(),
	       *events = json_array(), *boxed = box();
	char next[80];

	for (size_t i = (size_t)s->changes; !first && i < json_array_size(home.world.changes); i++)
		json_array_append(changed, json_array_get(home.world.changes, i));
	for (size_t i = 0; i < json_array_size(boxed); i++)
		json_array_append(events, json_array_get(boxed, i));
	if (!first && !any_rooms(found) && !json_array_size(changed) && !json_array_size(events)) {
		json_decref(found);
		json_decref(changed);
		json_decref(events);
		return NULL;
	}
	since_text(next, sizeof(next));
	return with_keys(json_pack("{s:s,s:o,s:{s:o},s:{s:o}}", "next_batch", next, "rooms", found,
	    "to_device", "events", events, "device_lists", "changed", changed));
}

/* An idle answer: `next_batch` stays. */
static void
nothing(struct exchange *x, const char *since)
{
	reply(x, 200, with_keys(json_pack("{s:s}", "next_batch", since)));
}

static bool
is_stuck(const char *since)
{
	return sim.now_ms < stuck_until_ms && !sim.calm && !strcmp(since, stuck_at);
}

void
matrix_poll_wakes(void)
{
	struct exchange *x = poller;
	struct since s;
	json_t *answer;

	if (!x || is_stuck(poller_since))
		return;
	since_read(poller_since, &s);
	answer = look(&s, false, chance(20000) && !sim.calm ? 2 : LINE);
	if (!answer)
		return;
	poller = NULL;
	reply(x, 200, answer);
	exchange_release(x);
}

static void
poll_ends(void *ctx)
{
	struct exchange *x = poller;

	if (!x || (int64_t)(intptr_t)ctx != poll_number)
		return;
	poller = NULL;
	nothing(x, poller_since);
	exchange_release(x);
}

/* All before it is confirmed: to-device messages are not told again. */
static void
confirm(const struct since *s)
{
	home_heard(s->events);
	for (; box_base < s->box && json_array_size(box()); box_base++)
		json_array_remove(box(), 0);
}

static void
hold_poll(struct exchange *x, const char *since, int64_t wait_ms)
{
	if (poller) {
		nothing(poller, poller_since);
		exchange_release(poller);
	}
	poller = x;
	exchange_keep(x);
	snprintf(poller_since, sizeof(poller_since), "%s", since);
	agenda_add(sim.now_ms + wait_ms, false, poll_ends, NULL, (void *)(intptr_t)++poll_number);
}

static void
serve_sync(struct exchange *x, const char *path)
{
	const char *at = strstr(path, "since="), *wait = strstr(path, "timeout=");
	int limit = strstr(path, "limit%22%3A1") ? 1 : LINE;
	char since[80] = "";
	struct since s = {0, 0, 0};
	json_t *answer;

	if (at)
		snprintf(since, sizeof(since), "%.*s", (int)strcspn(at + 6, "&"), at + 6);
	if (at && (!since_read(since, &s) || fault(30))) {
		sim.counts.odd[ODD_TOKEN_UNKNOWN]++;
		home_forgive_unheard();
		no(x, 400, "M_UNKNOWN");
		return;
	}
	if (at)
		confirm(&s);
	/* A server that answers one position with the same for ever. */
	if (at && fault(20) && ++sim.counts.odd[ODD_TOKEN_STUCK]) {
		stuck_until_ms = sim.now_ms + 40 * (int64_t)86400000;
		snprintf(stuck_at, sizeof(stuck_at), "%s", since);
	}
	answer = at && is_stuck(since)
		     ? NULL
		     : look(&s, !at, fault(20000) && ++sim.counts.odd[ODD_GAP] ? 2 : limit);
	if (answer)
		reply(x, 200, answer);
	else
		hold_poll(x, since, wait ? strtoll(wait + 8, NULL, 10) : 0);
}

/* ---- sending ---- */

static json_t *
txn_known(const char *path)
{
	char key[PART * 3];
	json_t *t;

	snprintf(key, sizeof(key), "%s %.600s", device, path);
	t = json_object_get(txns, key);
	if (t && sim.now_ms - json_integer_value(json_object_get(t, "t")) > TXN_MS)
		return NULL;
	return t;
}

static void
txn_enter(const char *path, const char *event)
{
	char key[PART * 3];

	snprintf(key, sizeof(key), "%s %.600s", device, path);
	json_object_set_new(
	    txns, key, json_pack("{s:s,s:I}", "id", event, "t", (json_int_t)sim.now_ms));
}

static void
arrive(struct room *r, int64_t shipment, const char *type, json_t *content)
{
	struct person *p = home_person(r->chat);
	json_t *edit = json_object_get(content, "m.new_content");
	const json_t *relates = json_object_get(content, "m.relates_to");

	if (r->encrypted && strcmp(type, "m.room.encrypted") != 0 &&
	    strcmp(type, "m.reaction") != 0)
		violated("%s in clear in an encrypted room", type);
	if (!edit && strcmp(text_of(relates, "rel_type"), "m.replace") != 0)
		ledger_arrived(shipment, r->chat);
	if (strcmp(type, "m.room.encrypted") == 0) {
		home_clients_wake();
		return;
	}
	home_read(p, shipment, content);
}

static void
serve_send(
    struct exchange *x, struct room *r, char part[PARTS][PART], const char *path, json_t *body)
{
	json_t *known = txn_known(path);
	const char *event;

	if (known) {
		sim.counts.odd[ODD_TRANSACTION_AGAIN]++;
		reply(x, 200, json_pack("{s:s}", "event_id", text_of(known, "id")));
		return;
	}
	if (r->bot != JOINED || r->dead) {
		no(x, 403, "M_FORBIDDEN");
		return;
	}
	if (json_dumpb(body, NULL, 0, JSON_COMPACT) > 65000) {
		no(x, 413, "M_TOO_LARGE");
		return;
	}
	event = home_happen(r, part[3], BOT, NULL, json_incref(body));
	txn_enter(path, event);
	trace("arrived shipment=%lld chat=%lld room=%s", strtoll(part[4], NULL, 10),
	    (long long)r->chat, r->id);
	arrive(r, strtoll(part[4], NULL, 10), part[3], body);
	reply(x, 200, json_pack("{s:s}", "event_id", event));
}

/* ---- rooms ---- */

static void
serve_join(struct exchange *x, struct room *r)
{
	if (!r || (r->bot != INVITED && r->bot != JOINED) || fault(20000)) {
		no(x, 403, "M_FORBIDDEN");
		return;
	}
	if (r->bot == INVITED) {
		home_bot_becomes(r, JOINED, BOT, "join");
		people_met(r->chat);
	}
	reply(x, 200, json_pack("{s:s}", "room_id", r->id));
}

static void
serve_leave(struct exchange *x, struct room *r)
{
	if (r && (r->bot == JOINED || r->bot == INVITED)) {
		trace("bot leaves %s", r->id);
		home_bot_becomes(r, GONE, BOT, "leave");
		home_forgive(r);
	}
	reply(x, 200, json_object());
}

static void
serve_messages(struct exchange *x, const struct room *r, const char *path)
{
	const char *from = strstr(path, "from="), *to = strstr(path, "to="),
		   *limit = strstr(path, "limit=");
	int64_t start = from ? strtoll(from + 6, NULL, 10) : home.position + 1;
	int64_t end = to ? strtoll(to + 4, NULL, 10) : 0, most = limit ? atoll(limit + 6) : 10;
	bool words_only = strstr(path, "filter=") != NULL;
	json_t *chunk = json_array(), *answer;
	size_t i = json_array_size(home_line(r));

	for (; i > 0 && (int64_t)json_array_size(chunk) < most; i--) {
		json_t *event = event_at(r, i - 1);

		if (r->at[i - 1] <= end)
			break;
		if (r->at[i - 1] < start && (!words_only || !json_object_get(event, "state_key")))
			json_array_append(chunk, event);
	}
	answer = json_pack("{s:s,s:o}", "start", "p", "chunk", chunk);
	if (i > 0 && r->at[i - 1] > end)
		json_object_set_new(answer, "end", json_sprintf("p%lld", (long long)r->at[i]));
	reply(x, 200, answer);
}

static void
serve_room_path(
    struct exchange *x, const char *method, char part[PARTS][PART], const char *path, json_t *body)
{
	struct room *r = home_room(part[1]);
	const char *what = part[2];

	if (!strcmp(what, "join"))
		serve_join(x, r);
	else if (!strcmp(what, "leave"))
		serve_leave(x, r);
	else if (!strcmp(what, "forget"))
		reply(x, 200, json_object());
	else if (!r || r->bot != JOINED)
		no(x, 403, "M_FORBIDDEN");
	else if (!strcmp(method, "PUT") && !strcmp(what, "send"))
		serve_send(x, r, part, path, body);
	else if (!strcmp(what, "redact"))
		reply(x, 200, json_pack("{s:s}", "event_id", "$redaction"));
	else if (!strcmp(what, "messages"))
		serve_messages(x, r, path);
	else if (!strcmp(what, "members") || !strcmp(what, "state")) {
		json_t *answer = NULL;
		int status = serve_room(&home.world, path, &answer);

		reply(x, status, answer);
	} else
		reply(x, 200, json_object());
}

/* ---- sessions ---- */

static void
token_new(void)
{
	snprintf(token, sizeof(token), "syt_sim_%d", ++tokens);
	expires_ms = sim.o.faults ? sim.now_ms + dice_below(40 * (int64_t)86400000) : INT64_MAX;
	hard = chance(200000);
}

static void
serve_login(struct exchange *x, const json_t *body)
{
	const char *same = json_string_value(json_object_get(body, "device_id"));

	/* Servers allow some five in a row, then one in minutes. */
	logins_ms = logins_ms < sim.now_ms - 5 * 300000 ? sim.now_ms - 5 * 300000 : logins_ms;
	logins_ms += 300000;
	if (logins_ms > sim.now_ms) {
		logins_ms -= 300000;
		exchange_retry_after(x, 300);
		reply(x, 429,
		    json_pack(
			"{s:s,s:i}", "errcode", "M_LIMIT_EXCEEDED", "retry_after_ms", 300000));
		return;
	}
	if (!same) {
		box_base += (int64_t)json_array_size(box());
		snprintf(device, sizeof(device), "BOT%d", ++devices);
	}
	token_new();
	trace("login device=%s", device);
	reply(x, 200,
	    json_pack("{s:s,s:s,s:s}", "user_id", BOT, "access_token", token, "device_id", device));
}

static void
device_dies(void)
{
	const char *name = box_name(BOT, device);

	json_object_del(json_object_get(home.world.keys, BOT), device);
	json_object_del(home.world.one_time, name);
	json_object_del(home.world.fallback, name);
	json_object_del(home.world.fresh, name);
	box_base += (int64_t)json_array_size(box());
	json_object_del(home.world.boxes, name);
	world_changed(&home.world, BOT);
}

/* False: it was answered. */
static bool
allowed(struct exchange *x, const char *shown)
{
	if (fault(30) && ++sim.counts.odd[ODD_LOCKED])
		locked_until_ms = sim.now_ms + dice_below(7200000);
	if (sim.now_ms < locked_until_ms) {
		reply(x, 401, json_pack("{s:s,s:b}", "errcode", "M_USER_LOCKED", "soft_logout", 1));
		return false;
	}
	if (sim.now_ms >= expires_ms && !sim.calm && token[0]) {
		sim.counts.odd[ODD_LOGIN_ENDED]++;
		trace("token ends hard=%d", hard);
		token[0] = 0;
		if (hard)
			device_dies();
	}
	if (token[0] && !strcmp(shown, token))
		return true;
	reply(x, 401, json_pack("{s:s,s:b}", "errcode", "M_UNKNOWN_TOKEN", "soft_logout", !hard));
	return false;
}

/* ---- a request ---- */

static int
unhex(char c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static int
split(const char *path, char part[PARTS][PART])
{
	static const char *const starts[] = {
	    "/_matrix/client/v3/", "/_matrix/client/v1/", "/_matrix/media/v3/"};
	int n = 0, at = 0;

	memset(part, 0, PARTS * sizeof(part[0]));
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (!strncmp(path, starts[i], strlen(starts[i]))) {
			path += strlen(starts[i]);
			break;
		}
	for (; *path && *path != '?' && n < PARTS; path++) {
		if (*path == '/') {
			n++;
			at = 0;
		} else if (at < PART - 1) {
			char c = *path;

			if (c == '%' && path[1] && path[2]) {
				c = (char)(unhex(path[1]) * 16 + unhex(path[2]));
				path += 2;
			}
			part[n][at++] = c;
		}
	}
	return n + 1;
}

static void
slow_down(struct exchange *x)
{
	static const int lengths[] = {1, 4, 60, 900, 7200};
	int after_s = lengths[dice() % 5];

	if (chance(500000))
		exchange_retry_after(x, after_s);
	reply(x, 429,
	    json_pack(
		"{s:s,s:i}", "errcode", "M_LIMIT_EXCEEDED", "retry_after_ms", after_s * 1000));
}

static void
serve_keys(struct exchange *x, const char *path, json_t *body)
{
	struct client bot = us();
	json_t *answer = NULL;
	int status;

	/* The password was shown: another identity may be made. */
	if (strstr(path, "/device_signing/upload") && json_object_get(body, "auth")) {
		json_object_del(body, "auth");
		json_object_del(home.world.identity, BOT);
	}
	status = serve(&home.world, &bot, path, body, &answer);
	home_clients_wake();
	matrix_poll_wakes();
	reply(x, status, answer);
}

static void
serve_rest(
    struct exchange *x, const char *method, char part[PARTS][PART], const char *path, json_t *body)
{
	if (!strcmp(part[0], "sync"))
		serve_sync(x, path);
	else if (!strcmp(part[0], "account"))
		reply(x, 200, json_pack("{s:s,s:s}", "user_id", BOT, "device_id", device));
	else if (!strcmp(part[0], "keys") || !strcmp(part[0], "sendToDevice"))
		serve_keys(x, path, body);
	else if (fault(5000) && ++sim.counts.odd[ODD_SLOW_DOWN_MATRIX])
		slow_down(x);
	else if (!strcmp(part[0], "rooms"))
		serve_room_path(x, method, part, path, body);
	else if (!strcmp(part[0], "join"))
		serve_join(x, home_room(part[1]));
	else if (!strcmp(part[0], "upload"))
		reply(x, 200, json_pack("{s:s}", "content_uri", "mxc://h/file"));
	else if (!strcmp(part[0], "user") && !strcmp(part[2], "filter"))
		reply(x, 200, json_pack("{s:s}", "filter_id", "0"));
	else if (!strcmp(part[0], "user") && !strcmp(method, "GET"))
		no(x, 404, "M_NOT_FOUND");
	else
		reply(x, 200, json_object());
}

void
matrix_serve(struct exchange *x, const char *method, const char *path, const char *shown,
    const char *text, size_t length)
{
	static char part[PARTS][PART];
	json_t *body = length ? json_loadb(text, length, 0, NULL) : NULL;

	home_now();
	split(path, part);
	if (strstr(path, "access_token"))
		violated("a token in an address");
	if (!strcmp(part[0], "upload")) {
		json_decref(body); /* the bytes of a file */
		body = NULL;
	}
	if (length && !body && strcmp(part[0], "upload") != 0) {
		violated("a body for %s that is no JSON", part[0]);
		no(x, 400, "M_NOT_JSON");
	} else if (!strcmp(part[0], "login")) {
		serve_login(x, body);
	} else if (allowed(x, shown)) {
		serve_rest(x, method, part, path, body);
	}
	json_decref(body);
}

/* ---- life ---- */

void
matrix_world_begin(void)
{
	home_begin();
	txns = json_object();
	tokens = devices = 0;
	token[0] = 0;
	snprintf(device, sizeof(device), "BOT0");
	expires_ms = locked_until_ms = stuck_until_ms = box_base = logins_ms = poll_number = 0;
	hard = false;
}

void
matrix_world_end(void)
{
	if (poller)
		exchange_release(poller);
	poller = NULL;
	json_decref(txns);
	home_end();
}
