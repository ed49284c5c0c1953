#include "telegram.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/loop.h"
#include "io/timer.h"
#include "transports/telegram_body.h"
#include "transports/telegram_json.h"

enum {
	POLL_S = 50,		/* the server's own maximum [1.3] */
	POLL_MARGIN_MS = 12000, /* what the network may add before a poll counts as deaf */
	POLL_LIMIT = 100,
	POLL_BYTES = 16 * 1024 * 1024,
	REPLY_BYTES = 1024 * 1024,
	REPLY_TIMEOUT_MS = 30000,
	UPLOAD_TIMEOUT_MS = 300000,
	RETRY_LEAST_MS = 500,
	RETRY_MOST_MS = 20000,
	REFUSED_AGAIN_MS = 600000,
	CONFLICT_LEAST_MS = 3000, /* the server holds a second conflict within 3 s back [0.8] */
	CONFLICT_JITTER_MS = 4000,
	CONFLICT_ALARM = 3,	 /* the first ones may be the end of our own last run */
	KEEPS_S = 24 * 3600,	 /* how long Telegram keeps updates */
	HEARD_EVERY_S = 3600,	 /* how fresh the remembered moment stays while there is traffic */
	HEARD_IDLE_S = 6 * 3600, /* and without */
	LIMITED_CHATS = 3,	 /* so many chats refused in a row: it is the whole network */
	LANGUAGES = 8,
	KEY_ROOM = 64,
	PARTS = 12,
};

/* What the poll lane does now; each phase follows the one before it. */
enum phase { PHASE_ME, PHASE_WEBHOOK, PHASE_POLL, PHASE_OVER };

/* Which request of a shipment is under way; most have only the first. */
enum stage {
	STAGE_ONLY,
	STAGE_TEXT, /* of a file whose text is too long for a caption; the file follows */
	STAGE_BY_ID,
	STAGE_UPLOAD,
	STAGE_COMMANDS,
	STAGE_DESCRIPTION,
	STAGE_SHORT,
	STAGE_PATH,
	STAGE_BYTES,
};

struct sending {
	struct telegram *tg;
	struct sending *next, *previous;
	int64_t id;
	enum op op;
	enum stage stage;
	bool cured;	/* a cure was tried: not a second time */
	bool text_sent; /* the text of a file went before it */
	uint64_t chat;	/* a hash, to tell chats that are limited apart */
	struct http_call *call;
	const char *method;
	size_t entities_length;
	struct buf json;
	/* Only where more than one request may be needed. */
	struct arena *arena;
	struct shipment kept;
	char *upload;
	/* Decided without a request; reported in the next round. */
	bool early;
	struct outcome outcome;
};

struct menu_memory {
	char language[8];
	uint64_t digest;
};

struct telegram {
	struct transport base;
	struct transport_up up;
	struct loop *loop;
	struct http_lane *poll_lane, *send_lane;
	struct arena *arena; /* forgotten after each answer */
	char *base_url;	     /* …/bot<token>/: never shown to anybody */
	char *file_url;
	size_t url_room;
	char *url;
	struct telegram_me me;
	uint64_t random;
	int poll_s;

	enum phase phase;
	struct http_call *poll;
	struct timer *poll_timer;
	bool held; /* no poll is out because the engine has enough */
	struct buf poll_body;
	int64_t offset; /* below 0: none yet */
	int64_t poll_started_ms, poll_timeout_ms;
	int failures, conflicts;
	bool single; /* the next poll asks for one update */
	bool quick;  /* the next poll does not wait, to learn soon that all is well */
	bool fresh;  /* the next request of the poll lane takes a new connection */
	int64_t heard_s, heard_kept_s;
	enum health health;
	bool health_said;

	struct sending *sendings, *spare;
	struct timer *early_timer;
	struct telegram_text text;
	int send_failures;
	uint64_t limited[LIMITED_CHATS];
	size_t limited_count;
	struct menu_memory menus[LANGUAGES];
	size_t menu_count;
	bool refused;
};

static const char *const json_headers[] = {"Content-Type: application/json", "Expect:", NULL};
static const char *const form_headers[] = {"Expect:", NULL};

/* ---- small things ---- */

static struct telegram *
of(struct transport *transport)
{
	return (struct telegram *)transport;
}

static uint64_t
hash(uint64_t h, const char *text)
{
	for (h = h ? h : 14695981039346656037u; text && *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return h;
}

/* Enough for spreading attempts; nothing secret hangs on it. */
static int64_t
random_below(struct telegram *tg, int64_t limit)
{
	tg->random ^= tg->random << 13;
	tg->random ^= tg->random >> 7;
	tg->random ^= tg->random << 17;
	return (int64_t)(tg->random % (uint64_t)limit);
}

static void
say_health(struct telegram *tg, enum health health, const char *detail)
{
	if (tg->health_said && tg->health == health)
		return;
	tg->health = health;
	tg->health_said = true;
	tg->up.health(tg->up.engine, &tg->base, health, detail);
}

/* The address of a method; lives until the next call. */
static const char *
url_of(struct telegram *tg, const char *method)
{
	snprintf(tg->url, tg->url_room, "%s%s", tg->base_url, method);
	return tg->url;
}

static int64_t
back_off_ms(struct telegram *tg, int failures)
{
	int64_t wait = RETRY_LEAST_MS;

	while (--failures > 0 && wait < RETRY_MOST_MS)
		wait *= 2;
	wait = wait < RETRY_MOST_MS ? wait : RETRY_MOST_MS;
	return wait / 2 + random_below(tg, wait / 2 + 1);
}

/* ---- listening ---- */

static void poll_ask(void *ctx);
static void poll_came(void *ctx, const struct http_answer *http);

static void
poll_send(struct telegram *tg, const char *method, int64_t timeout_ms)
{
	char label[40];
	struct http_request request = {
	    .method = "POST",
	    .url = url_of(tg, method),
	    .headers = json_headers,
	    .body = tg->poll_body.bytes,
	    .body_length = tg->poll_body.length,
	    .fresh = tg->fresh,
	    .timeout_ms = timeout_ms,
	    .body_max = POLL_BYTES,
	    .fn = poll_came,
	    .ctx = tg,
	};

	snprintf(label, sizeof(label), "telegram %s", method);
	request.label = label;
	tg->poll_started_ms = loop_now_ms(tg->loop);
	tg->poll_timeout_ms = timeout_ms;
	tg->fresh = false;
	tg->poll = http_send(tg->poll_lane, &request);
}

/* Sends the request of the present phase. */
static void
poll_ask(void *ctx)
{
	struct telegram *tg = ctx;
	int wait_s = tg->quick ? 0 : tg->poll_s;

	buf_clear(&tg->poll_body);
	switch (tg->phase) {
	case PHASE_ME:
		buf_string(&tg->poll_body, "{}");
		poll_send(tg, "getMe", REPLY_TIMEOUT_MS);
		break;
	case PHASE_WEBHOOK:
		buf_string(&tg->poll_body, "{\"drop_pending_updates\":false}");
		poll_send(tg, "deleteWebhook", REPLY_TIMEOUT_MS);
		break;
	case PHASE_POLL:
		tg->held = tg->base.hold;
		if (tg->held)
			return;
		telegram_body_updates(
		    &tg->poll_body, tg->offset, tg->single ? 1 : POLL_LIMIT, wait_s);
		poll_send(tg, "getUpdates", wait_s * 1000 + POLL_MARGIN_MS);
		break;
	case PHASE_OVER:
		break;
	}
}

static void
poll_later(struct telegram *tg, int64_t wait_ms)
{
	timer_start(tg->poll_timer, wait_ms);
}

static void
poll_failed(struct telegram *tg, const char *why)
{
	tg->failures++;
	tg->quick = true;
	log_event(LOG_INFO, "telegram.poll_failed", "failures=%d why=%s", tg->failures, why);
	/* A single hitch while all goes well is not worth a word. */
	if (tg->failures > 1 || tg->phase != PHASE_POLL)
		say_health(tg, HEALTH_DOWN, why);
	poll_later(tg, back_off_ms(tg, tg->failures));
}

/* No whole reply. A kept connection that died is no outage: api.telegram.org closes them after
 * some 39 s, and a pause each time would leave the bot deaf for a tenth of its life. */
static void
poll_lost(struct telegram *tg, const struct http_answer *http)
{
	bool late = loop_now_ms(tg->loop) - tg->poll_started_ms >= tg->poll_timeout_ms - 500;

	tg->fresh = true;
	http_lane_renew(tg->poll_lane);
	if (late && tg->phase == PHASE_POLL && !tg->quick) {
		tg->quick = true;
		say_health(tg, HEALTH_DEAF, "a poll did not end; a new connection is made");
		poll_later(tg, 0);
	} else if (http->reused && !late) {
		tg->quick = false;
		poll_later(tg, 0);
	} else {
		poll_failed(tg, http->outcome == HTTP_NOT_SENT ? "no connection" : "no answer");
	}
}

static void
poll_refused(struct telegram *tg, int code)
{
	tg->phase = PHASE_ME;
	tg->refused = true;
	say_health(tg, HEALTH_REFUSED,
	    code == 404	  ? "no such bot (404)"
	    : code == 421 ? "not served here (421)"
			  : "token refused (401)");
	/* The engine ends when no network is left; else the token may be good again. */
	poll_later(tg, REFUSED_AGAIN_MS);
}

/* 409: somebody else polls, or a webhook was set behind our back. */
static void
poll_conflict(struct telegram *tg, const struct telegram_answer *answer)
{
	tg->conflicts++;
	tg->quick = true;
	if (tg->conflicts >= CONFLICT_ALARM)
		say_health(tg, HEALTH_CONFLICT, "somebody else polls with this token");
	if (strstr(answer->description, "webhook"))
		tg->phase = PHASE_WEBHOOK;
	poll_later(tg, CONFLICT_LEAST_MS + random_below(tg, CONFLICT_JITTER_MS));
}

static void
poll_no(struct telegram *tg, const struct http_answer *http, const struct telegram_answer *answer)
{
	int code = answer->whole && answer->code ? answer->code : http->status;
	int64_t after_s =
	    answer->retry_after_s >= 0 ? answer->retry_after_s : http_retry_after_s(http);

	if (code == 401 || code == 421 || (code == 404 && answer->whole && tg->phase == PHASE_ME)) {
		poll_refused(tg, code);
	} else if (code == 409) {
		poll_conflict(tg, answer);
	} else if (code == 429 && after_s > 0) {
		tg->quick = false;
		poll_later(tg, after_s * 1000);
	} else {
		poll_failed(tg, code >= 500 ? "the server has a fault" : "an answer that is none");
	}
}

/* Telegram forgets what is older than a day: said once when contact was away for longer. */
static void
poll_well(struct telegram *tg)
{
	int64_t now = loop_wall_s(tg->loop), away_s = tg->heard_s ? now - tg->heard_s : 0;
	char detail[120] = "";

	tg->failures = tg->conflicts = 0;
	tg->quick = false;
	tg->heard_s = now;
	if (away_s > KEEPS_S) {
		snprintf(detail, sizeof(detail),
		    "no contact for %lld h: what was written more than 24 h ago is lost",
		    (long long)(away_s / 3600));
		log_event(LOG_WARNING, "telegram.away", "hours=%lld", (long long)(away_s / 3600));
		tg->health_said = false;
	}
	say_health(tg, HEALTH_GOOD, detail);
}

static struct state_row
heard_row(struct telegram *tg)
{
	char *key = arena_print(tg->arena, "heard:%lld", (long long)tg->me.id);
	char *value = arena_print(tg->arena, "%lld", (long long)tg->heard_s);

	return (struct state_row){key, value, strlen(value)};
}

/* Hands the batch up. False: it is not durable and must be asked for again. */
static bool
poll_deliver(struct telegram *tg, const struct telegram_updates *updates)
{
	char cursor[KEY_ROOM];
	struct state_row row;
	struct batch batch = {.events = updates->events, .event_count = updates->event_count};

	if (updates->next >= 0) {
		snprintf(cursor, sizeof(cursor), "%lld:%lld", (long long)tg->me.id,
		    (long long)updates->next);
		batch.cursor = cursor;
	}
	if (tg->heard_s - tg->heard_kept_s >= HEARD_EVERY_S) {
		row = heard_row(tg);
		batch.state = &row;
		batch.state_count = 1;
	}
	if (!tg->up.came(tg->up.engine, &tg->base, &batch))
		return false;
	if (batch.state_count)
		tg->heard_kept_s = tg->heard_s;
	if (updates->next >= 0)
		tg->offset = updates->next;
	return true;
}

static void
poll_idle(struct telegram *tg)
{
	struct state_row row;

	if (tg->heard_s - tg->heard_kept_s < HEARD_IDLE_S)
		return;
	row = heard_row(tg);
	if (tg->up.keep(tg->up.engine, &tg->base, &row, 1))
		tg->heard_kept_s = tg->heard_s;
}

/* What the answer says of updates was cut or is no JSON: one at a time, and if that one is still
 * unreadable, it alone is set aside. */
static bool
poll_poisoned(struct telegram *tg, const struct http_answer *http, struct telegram_updates *updates)
{
	if (tg->single)
		telegram_json_salvage(tg->arena, &tg->me, http->body, http->length, updates);
	if (!tg->single || updates->next < 0) {
		tg->single = true;
		poll_failed(tg, "an answer that is none");
		return false;
	}
	log_event(LOG_WARNING, "telegram.poisoned", "bytes=%zu", http->length);
	return true;
}

static void
poll_updates(struct telegram *tg, const struct http_answer *http, struct slice result, bool whole)
{
	struct telegram_updates updates;

	telegram_json_updates(tg->arena, &tg->me, result, &updates);
	if ((!whole || updates.broken) && updates.next < 0 && !poll_poisoned(tg, http, &updates))
		return;
	poll_well(tg);
	if (!updates.update_count) {
		poll_idle(tg);
	} else if (!poll_deliver(tg, &updates)) {
		poll_later(tg, 1000);
		return;
	} else if (updates.next < 0 && tg->offset >= 0) {
		tg->offset++; /* nothing had an id: step over it */
	} else if (updates.next < 0) {
		poll_failed(tg, "updates without ids");
		return;
	}
	tg->single = updates.broken;
	poll_ask(tg);
}

static void
poll_met(struct telegram *tg, struct slice result)
{
	struct telegram_me me = tg->me;

	if (!telegram_json_me(result, &me)) {
		poll_failed(tg, "getMe says nothing");
		return;
	}
	if (me.id == tg->me.id)
		tg->me = me;
	if (tg->me.username[0])
		snprintf(tg->base.link_start, sizeof(tg->base.link_start),
		    "https://t.me/%s?start=", tg->me.username);
	tg->refused = false;
	tg->phase = PHASE_WEBHOOK;
	poll_ask(tg);
}

/* A poll that answers nothing readable while the status says it is well. */
static bool
poll_is_no(const struct http_answer *http, const struct telegram_answer *answer)
{
	return http->status != 200 || (answer->whole && !answer->ok);
}

static void
poll_answered(struct telegram *tg, const struct http_answer *http)
{
	struct telegram_answer answer;

	telegram_json_answer(http->body, http->length, &answer);
	if (poll_is_no(http, &answer)) {
		poll_no(tg, http, &answer);
	} else if (tg->phase == PHASE_POLL) {
		poll_updates(tg, http, answer.result, answer.whole);
	} else if (!answer.whole) {
		poll_failed(tg, "an answer that is none");
	} else if (tg->phase == PHASE_ME) {
		poll_met(tg, answer.result);
	} else {
		tg->phase = PHASE_POLL;
		if (!tg->conflicts)
			poll_well(tg);
		poll_ask(tg);
	}
}

static void
poll_came(void *ctx, const struct http_answer *http)
{
	struct telegram *tg = ctx;

	tg->poll = NULL;
	if (http->outcome == HTTP_REPLIED) {
		poll_answered(tg, http);
	} else if (http->outcome == HTTP_TOO_BIG) {
		tg->single = true;
		poll_failed(tg, "an answer too big");
	} else {
		poll_lost(tg, http);
	}
	arena_forget(tg->arena);
}

/* ---- sending ---- */

static struct sending *
sending_new(struct telegram *tg, const struct shipment *s)
{
	struct sending *g = tg->spare;

	if (g)
		tg->spare = g->next;
	else
		g = memory_new(sizeof(*g));
	g->tg = tg;
	g->id = s->id;
	g->op = s->op;
	g->stage = STAGE_ONLY;
	g->cured = g->text_sent = g->early = false;
	g->chat = hash(0, s->where ? s->where : s->who);
	g->json.maximum = TELEGRAM_BODY_BYTES;
	g->previous = NULL;
	g->next = tg->sendings;
	if (g->next)
		g->next->previous = g;
	tg->sendings = g;
	return g;
}

/* Words of members do not stay in spare memory. */
static void
sending_free(struct sending *g)
{
	struct telegram *tg = g->tg;

	*(g->previous ? &g->previous->next : &tg->sendings) = g->next;
	if (g->next)
		g->next->previous = g->previous;
	if (g->json.bytes)
		explicit_bzero(g->json.bytes, g->json.length);
	buf_clear(&g->json);
	g->json.overflowed = 0;
	if (g->arena)
		arena_free(g->arena);
	free(g->upload);
	g->upload = NULL;
	g->arena = NULL;
	g->call = NULL;
	g->previous = NULL;
	g->next = tg->spare;
	tg->spare = g;
}

static void
sending_gone(struct sending *g, const struct outcome *outcome)
{
	struct telegram *tg = g->tg;
	int64_t id = g->id;

	sending_free(g);
	tg->up.gone(tg->up.engine, &tg->base, id, outcome);
}

static void
early_came(void *ctx)
{
	struct telegram *tg = ctx;
	struct sending *g = tg->sendings;

	/* `gone` may not send from inside, so the list only shrinks here. */
	while (g) {
		struct sending *next = g->next;

		if (g->early)
			sending_gone(g, &(struct outcome){
					    .fate = g->outcome.fate,
					    .refusal = g->outcome.refusal,
					    .after_ms = g->outcome.after_ms,
					    .whole_network = g->outcome.whole_network,
					});
		g = next;
	}
}

/* Decided already; said in the next round, because send() never answers from inside. */
static void
sending_early(struct sending *g, enum fate fate, enum refusal refusal)
{
	g->early = true;
	g->outcome = (struct outcome){.fate = fate, .refusal = refusal};
	if (fate == FATE_LATER) {
		g->outcome.after_ms = REFUSED_AGAIN_MS;
		g->outcome.whole_network = true;
	}
	timer_start(g->tg->early_timer, 0);
}

static void sending_came(void *ctx, const struct http_answer *http);

static void
sending_request(struct sending *g, struct http_request *request)
{
	char label[48];

	snprintf(label, sizeof(label), "telegram %s", g->method);
	request->label = label;
	request->once = g->op == OP_SEND;
	request->fn = sending_came;
	request->ctx = g;
	g->call = http_send(g->tg->send_lane, request);
}

static void
sending_post(struct sending *g, const char *method)
{
	struct http_request request = {
	    .method = "POST",
	    .headers = json_headers,
	    .body = g->json.bytes,
	    .body_length = g->json.length,
	    .timeout_ms = REPLY_TIMEOUT_MS,
	    .body_max = REPLY_BYTES,
	};

	g->method = method;
	request.url = url_of(g->tg, method);
	sending_request(g, &request);
}

/* The fields of a body, each as a part of a form: strings without quotes, the rest as it is. */
static size_t
make_parts(struct arena *arena, const struct buf *json, struct http_part *parts, size_t room)
{
	struct slice_walk walk = slice_walk(slice_of(json->bytes, json->length));
	struct slice key, value;
	size_t n = 0;

	while (n < room && slice_next(&walk, &key, &value)) {
		char *text = *value.at == '"' ? slice_text(arena, value)
					      : arena_copy(arena, value.at, value.length);

		parts[n].name = arena_copy(arena, key.at, key.length);
		parts[n].data = text;
		parts[n++].length = strlen(text);
	}
	return n;
}

static char *
read_whole(struct arena *arena, const char *path, size_t *length)
{
	FILE *f = path ? fopen(path, "rbe") : NULL;
	char *bytes = NULL;
	long size;

	if (!f)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0 && size <= TELEGRAM_UPLOAD_BYTES) {
		rewind(f);
		bytes = arena_alloc(arena, (size_t)size + 1);
		*length = fread(bytes, 1, (size_t)size, f);
		if (*length != (size_t)size)
			bytes = NULL;
	}
	fclose(f);
	return bytes;
}

static bool
sending_upload(struct sending *g)
{
	struct http_part parts[PARTS] = {0};
	const struct file *file = g->kept.card->file;
	struct telegram_file_way way = telegram_body_file_way(file->type);
	size_t count, length = 0;
	const char *path = g->kept.file_path ? g->kept.file_path : file->path;
	char *bytes = read_whole(g->arena, path, &length);
	struct http_request request = {
	    .method = "POST",
	    .headers = form_headers,
	    .parts = parts,
	    .timeout_ms = UPLOAD_TIMEOUT_MS,
	    .body_max = REPLY_BYTES,
	};

	g->kept.file_id = NULL;
	if (!bytes || !telegram_body_file(&g->json, &g->tg->text, &g->kept, !g->text_sent))
		return false;
	count = make_parts(g->arena, &g->json, parts, PARTS - 1);
	parts[count++] = (struct http_part){way.field, file->name ? file->name : "file",
	    file->type ? file->type : "application/octet-stream", bytes, length};
	request.part_count = count;
	g->stage = STAGE_UPLOAD;
	g->method = way.method;
	request.url = url_of(g->tg, way.method);
	sending_request(g, &request);
	return true;
}

/* The file itself, by its id when it has one. */
static bool
sending_file(struct sending *g)
{
	if (!g->kept.file_id)
		return sending_upload(g);
	if (!telegram_body_file(&g->json, &g->tg->text, &g->kept, !g->text_sent))
		return false;
	g->stage = STAGE_BY_ID;
	sending_post(g, telegram_body_file_way(g->kept.card->file->type).method);
	return true;
}

/* A copy of what later requests of this shipment need. */
static void
sending_keep(struct sending *g, const struct shipment *s)
{
	struct shipment *k = &g->kept;
	struct menu_entry *menu;
	struct card_bytes packed;
	size_t n = 0;

	g->arena = arena_new();
	*k = *s;
	k->who = arena_string(g->arena, s->who);
	k->where = arena_string(g->arena, s->where);
	k->set = arena_string(g->arena, s->set);
	k->language = arena_string(g->arena, s->language);
	k->reply_to = arena_string(g->arena, s->reply_to);
	k->file_id = arena_string(g->arena, s->file_id);
	k->file_path = arena_string(g->arena, s->file_path);
	k->media_handle = arena_string(g->arena, s->media_handle);
	k->description = arena_string(g->arena, s->description);
	if (s->card) {
		packed = card_pack(g->arena, s->card);
		k->card = card_unpack(g->arena, packed.bytes, packed.length);
	}
	if (!s->menu)
		return;
	while (s->menu[n].command)
		n++;
	k->menu = menu = arena_alloc(g->arena, (n + 1) * sizeof(*menu));
	for (size_t i = 0; i < n; i++) {
		menu[i].command = arena_string(g->arena, s->menu[i].command);
		menu[i].description = arena_string(g->arena, s->menu[i].description);
	}
}

static bool
send_file(struct sending *g, const struct shipment *s)
{
	struct telegram_text *text = &g->tg->text;

	sending_keep(g, s);
	if (!g->kept.card || !g->kept.card->file)
		return false;
	telegram_text_make(text, s->card, TELEGRAM_TEXT_SCALARS);
	if (text->scalars <= TELEGRAM_CAPTION_SCALARS)
		return sending_file(g);
	if (!telegram_body_send(&g->json, text, &g->kept))
		return false;
	g->entities_length = text->entities.length;
	g->stage = STAGE_TEXT;
	sending_post(g, "sendMessage");
	return true;
}

/* ---- menus ---- */

static uint64_t
menu_digest(const struct shipment *s)
{
	uint64_t h = hash(0, s->description);

	for (const struct menu_entry *m = s->menu; m && m->command; m++)
		h = hash(hash(hash(hash(h, "\n"), m->command), "\t"), m->description);
	return h;
}

static struct menu_memory *
menu_memory(struct telegram *tg, const char *language)
{
	struct menu_memory *m;

	for (size_t i = 0; i < tg->menu_count; i++)
		if (strcmp(tg->menus[i].language, language) == 0)
			return &tg->menus[i];
	if (tg->menu_count == LANGUAGES || strlen(language) >= sizeof(m->language))
		return NULL;
	m = &tg->menus[tg->menu_count++];
	snprintf(m->language, sizeof(m->language), "%s", language);
	m->digest = 0;
	return m;
}

/* The menu for everybody is shown as it should be: remembered, so that a restart sets nothing. */
static void
menu_done(struct sending *g)
{
	struct telegram *tg = g->tg;
	const char *language = g->kept.language ? g->kept.language : "";
	struct menu_memory *m = g->kept.where ? NULL : menu_memory(tg, language);
	char key[KEY_ROOM], value[24];
	struct state_row row = {key, value, 0};

	if (!m)
		return;
	m->digest = menu_digest(&g->kept);
	snprintf(key, sizeof(key), "menu:%lld:%s", (long long)tg->me.id, language);
	row.length =
	    (size_t)snprintf(value, sizeof(value), "%016llx", (unsigned long long)m->digest);
	tg->up.keep(tg->up.engine, &tg->base, &row, 1);
}

static bool
send_menu(struct sending *g, const struct shipment *s)
{
	struct menu_memory *m;
	bool any = s->menu && s->menu[0].command;

	sending_keep(g, s);
	m = s->where ? NULL : menu_memory(g->tg, s->language ? s->language : "");
	if (m && m->digest == menu_digest(s)) {
		sending_early(g, FATE_SENT, REFUSAL_NONE);
		return true;
	}
	if (!telegram_body_menu(&g->json, s))
		return false;
	g->stage = STAGE_COMMANDS;
	sending_post(g, any ? "setMyCommands" : "deleteMyCommands");
	return true;
}

/* The request after this one; false when it was the last. */
static bool
menu_next(struct sending *g)
{
	static const struct {
		const char *method, *key;
		size_t scalars;
	} texts[] = {
	    {"setMyDescription", "description", 512},
	    {"setMyShortDescription", "short_description", 120},
	};
	size_t i = g->stage == STAGE_COMMANDS ? 0 : 1;

	if (g->stage == STAGE_SHORT || g->kept.where || !g->kept.description)
		return false;
	if (!telegram_body_describe(&g->json, &g->kept, texts[i].key, texts[i].scalars))
		return false;
	g->stage = i ? STAGE_SHORT : STAGE_DESCRIPTION;
	sending_post(g, texts[i].method);
	return true;
}

/* ---- fetching ---- */

static bool
send_fetch(struct sending *g, const struct shipment *s)
{
	if (!s->media_handle || !*s->media_handle)
		return false;
	sending_keep(g, s);
	telegram_body_get_file(&g->json, s->media_handle);
	g->stage = STAGE_PATH;
	sending_post(g, "getFile");
	return true;
}

static void
fetch_deliver(struct sending *g, const void *content, size_t length)
{
	struct telegram *tg = g->tg;
	struct event event = {
	    .id = arena_print(tg->arena, "%lld:fetch:%lld", (long long)tg->me.id, (long long)g->id),
	    .kind = EVENT_FETCHED,
	    .who = g->kept.who,
	    .where = g->kept.where,
	    .media = {.handle = g->kept.media_handle,
		.bytes = (int64_t)length,
		.duration_s = -1,
		.content = content,
		.failed = !content,
		.asked_by = g->id},
	};
	struct batch batch = {.events = &event, .event_count = 1};
	bool kept = tg->up.came(tg->up.engine, &tg->base, &batch);

	sending_gone(g, &(struct outcome){.fate = kept ? FATE_SENT : FATE_LATER});
}

static void
fetch_path(struct sending *g, const struct telegram_answer *answer)
{
	struct telegram *tg = g->tg;
	int64_t bytes;
	char *path = telegram_json_file(tg->arena, answer->result, &bytes);
	struct http_request request = {
	    .method = "GET",
	    .timeout_ms = UPLOAD_TIMEOUT_MS,
	    .body_max = TELEGRAM_FETCH_BYTES,
	};
	char *url;

	if (!path || bytes > TELEGRAM_FETCH_BYTES) {
		fetch_deliver(g, NULL, 0);
		return;
	}
	url = arena_print(tg->arena, "%s%s", tg->file_url, path);
	request.url = url;
	g->stage = STAGE_BYTES;
	g->method = "file";
	sending_request(g, &request);
}

/* ---- what came back ---- */

/* The body without its entities: our words arrive, only plain. */
static void
cut_entities(struct buf *json, size_t length)
{
	static const char *const keys[] = {",\"entities\":", ",\"caption_entities\":"};
	char *at;
	size_t all;

	/* Quotes inside a text are escaped, so the key is found only where it is one. */
	for (size_t i = 0; i < 2; i++) {
		at = memmem(json->bytes, json->length, keys[i], strlen(keys[i]));
		if (!at)
			continue;
		all = strlen(keys[i]) + length;
		memmove(at, at + all, json->length - (size_t)(at - json->bytes) - all + 1);
		json->length -= all;
	}
}

static void
replace(struct buf *json, const char *from, const char *to)
{
	char *at = memmem(json->bytes, json->length, from, strlen(from));
	struct buf made = {.maximum = json->maximum};

	if (!at)
		return;
	buf_add(&made, json->bytes, (size_t)(at - json->bytes));
	buf_string(&made, to);
	at += strlen(from);
	buf_add(&made, at, json->length - (size_t)(at - json->bytes));
	buf_free(json);
	*json = made;
}

static bool
cure(struct sending *g, enum telegram_cure cure)
{
	if (g->cured)
		return false;
	g->cured = true;
	if (cure == CURE_UPLOAD && g->stage == STAGE_BY_ID)
		return sending_upload(g);
	if (cure == CURE_CAPTION) {
		replace(&g->json, ",\"text\":", ",\"caption\":");
		replace(&g->json, ",\"entities\":", ",\"caption_entities\":");
		replace(&g->json, ",\"link_preview_options\":{\"is_disabled\":true}", "");
		sending_post(g, "editMessageCaption");
		return true;
	}
	if (cure == CURE_PLAIN && g->entities_length && g->stage != STAGE_UPLOAD) {
		cut_entities(&g->json, g->entities_length);
		sending_post(g, g->method);
		return true;
	}
	return false;
}

/* Refusals by limit: of one chat at first; of everybody when several chats in a row hear it. */
static void
note_limit(struct telegram *tg, const struct sending *g, struct outcome *out)
{
	for (size_t i = 0; i < tg->limited_count; i++)
		if (tg->limited[i] == g->chat)
			return;
	if (tg->limited_count < LIMITED_CHATS)
		tg->limited[tg->limited_count++] = g->chat;
	out->whole_network = tg->limited_count == LIMITED_CHATS;
	if (out->whole_network)
		tg->limited_count = 0;
}

static void
note_outcome(struct telegram *tg, const struct sending *g, const struct http_answer *http,
    bool limited, struct outcome *out)
{
	if (http->outcome == HTTP_REPLIED)
		tg->send_failures = 0;
	if (out->fate == FATE_SENT)
		tg->limited_count = 0;
	if (http->outcome == HTTP_NOT_SENT)
		out->after_ms = back_off_ms(tg, ++tg->send_failures);
	else if (limited)
		note_limit(tg, g, out);
	else if (out->whole_network)
		out->after_ms = 60000; /* the token is refused: the poll finds out too */
}

/* The next request of this shipment when it has one. */
static bool
sending_goes_on(struct sending *g, const struct telegram_answer *answer)
{
	if (g->stage == STAGE_TEXT) {
		g->text_sent = true;
		return sending_file(g);
	}
	if (g->op == OP_MENU) {
		if (menu_next(g))
			return true;
		menu_done(g);
	}
	if (g->stage == STAGE_PATH) {
		fetch_path(g, answer);
		return true;
	}
	return false;
}

static void
fetch_bytes(struct sending *g, const struct http_answer *http)
{
	struct outcome later = {.fate = FATE_LATER};

	if (http->outcome == HTTP_REPLIED && http->status == 200)
		fetch_deliver(g, http->body, http->length);
	else if (http->outcome == HTTP_TOO_BIG ||
		 (http->outcome == HTTP_REPLIED && http->status >= 400 && http->status < 500))
		fetch_deliver(g, NULL, 0);
	else
		sending_gone(g, &later);
}

static void
sending_read(struct sending *g, const struct http_answer *http)
{
	struct telegram *tg = g->tg;
	struct telegram_answer answer;
	struct outcome out;
	enum telegram_cure remedy;

	telegram_json_answer(http->body, http->length, &answer);
	remedy =
	    telegram_json_fate(tg->arena, g->op, http, http_retry_after_s(http), &answer, &out);
	if (remedy && cure(g, remedy))
		return;
	note_outcome(tg, g, http, out.fate == FATE_LATER && out.after_ms > 0, &out);
	if (out.fate == FATE_SENT && sending_goes_on(g, &answer))
		return;
	if (g->op == OP_FETCH && out.fate == FATE_REFUSED) {
		fetch_deliver(g, NULL, 0);
		return;
	}
	/* Half of it arrived: a repetition would double the text. */
	if (g->text_sent && out.fate == FATE_LATER)
		out.fate = FATE_UNCERTAIN;
	if (out.fate == FATE_REFUSED)
		log_event(LOG_INFO, "telegram.refused", "method=%s code=%d why=%d", g->method,
		    answer.code, out.refusal);
	sending_gone(g, &out);
}

static void
sending_came(void *ctx, const struct http_answer *http)
{
	struct sending *g = ctx;
	struct telegram *tg = g->tg;

	g->call = NULL;
	if (g->stage == STAGE_BYTES)
		fetch_bytes(g, http);
	else
		sending_read(g, http);
	arena_forget(tg->arena);
}

/* ---- the four functions ---- */

static void
open_state(struct telegram *tg, const struct state_row *row)
{
	char prefix[KEY_ROOM], value[32];
	struct menu_memory *m;
	size_t n = row->length < sizeof(value) - 1 ? row->length : sizeof(value) - 1;

	memcpy(value, row->bytes, n);
	value[n] = 0;
	snprintf(prefix, sizeof(prefix), "heard:%lld", (long long)tg->me.id);
	if (strcmp(row->key, prefix) == 0)
		tg->heard_s = tg->heard_kept_s = strtoll(value, NULL, 10);
	n = (size_t)snprintf(prefix, sizeof(prefix), "menu:%lld:", (long long)tg->me.id);
	if (strncmp(row->key, prefix, n) == 0 && (m = menu_memory(tg, row->key + n)))
		m->digest = strtoull(value, NULL, 16);
}

/* A cursor of another bot says nothing about this one's updates [0.4]. */
static void
open_cursor(struct telegram *tg, const char *cursor)
{
	char *end;
	long long bot, offset;

	tg->offset = -1;
	if (!cursor)
		return;
	bot = strtoll(cursor, &end, 10);
	if (*end != ':' || bot != tg->me.id)
		return;
	offset = strtoll(end + 1, &end, 10);
	if (!*end && offset >= 0)
		tg->offset = offset;
}

static void
telegram_open(struct transport *transport, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	struct telegram *tg = of(transport);

	tg->up = *up;
	open_cursor(tg, cursor);
	for (size_t i = 0; i < count; i++)
		if (state[i].bytes)
			open_state(tg, &state[i]);
}

static void
telegram_poll(struct transport *transport)
{
	struct telegram *tg = of(transport);

	say_health(tg, HEALTH_STARTING, "");
	tg->phase = PHASE_ME;
	poll_ask(tg);
}

static void
telegram_resume(struct transport *transport)
{
	struct telegram *tg = of(transport);

	if (tg->held)
		poll_ask(tg);
}

static bool
send_simple(struct sending *g, const struct shipment *s)
{
	struct telegram_text *text = &g->tg->text;
	const char *method = NULL;
	bool made = false;

	telegram_text_clear(text);
	switch (s->op) {
	case OP_SEND:
		method = "sendMessage";
		made = s->card && telegram_body_send(&g->json, text, s);
		break;
	case OP_EDIT:
		method = s->card && s->card->file ? "editMessageCaption" : "editMessageText";
		made = s->card && (s->card->file ? telegram_body_caption(&g->json, text, s)
						 : telegram_body_edit(&g->json, text, s));
		break;
	case OP_DELETE:
		method = "deleteMessage";
		made = telegram_body_delete(&g->json, s);
		break;
	case OP_ANSWER:
		method = "answerCallbackQuery";
		made = telegram_body_answer(&g->json, text, s);
		break;
	case OP_LEAVE:
		method = "leaveChat";
		made = telegram_body_leave(&g->json, s);
		break;
	case OP_TYPING:
		method = "sendChatAction";
		made = telegram_body_typing(&g->json, s);
		break;
	case OP_MENU:
	case OP_FETCH:
		break;
	}
	if (!made)
		return false;
	g->entities_length = text->entities.length;
	sending_post(g, method);
	return true;
}

static void
telegram_send(struct transport *transport, const struct shipment *s)
{
	struct telegram *tg = of(transport);
	struct sending *g = sending_new(tg, s);
	bool begun;

	if (tg->refused) {
		sending_early(g, FATE_LATER, REFUSAL_NONE);
		return;
	}
	if (s->op == OP_SEND && s->card && s->card->file)
		begun = send_file(g, s);
	else if (s->op == OP_MENU)
		begun = send_menu(g, s);
	else if (s->op == OP_FETCH)
		begun = send_fetch(g, s);
	else
		begun = send_simple(g, s);
	if (!begun)
		sending_early(g, FATE_REFUSED, REFUSAL_BAD);
}

static void
close_sendings(struct telegram *tg)
{
	struct sending *g;
	struct outcome out;

	while ((g = tg->sendings)) {
		out = g->early ? g->outcome
			       : (struct outcome){
				     .fate = g->op == OP_SEND ? FATE_UNCERTAIN : FATE_LATER};
		http_cancel(g->call);
		sending_gone(g, &out);
	}
	while ((g = tg->spare)) {
		tg->spare = g->next;
		buf_free(&g->json);
		free(g);
	}
}

static void
forget(char *secret)
{
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void
telegram_close(struct transport *transport)
{
	struct telegram *tg = of(transport);

	http_cancel(tg->poll);
	close_sendings(tg);
	http_lane_free(tg->poll_lane);
	http_lane_free(tg->send_lane);
	timer_free(tg->poll_timer);
	timer_free(tg->early_timer);
	telegram_text_free(&tg->text);
	buf_free(&tg->poll_body);
	arena_free(tg->arena);
	forget(tg->base_url);
	forget(tg->file_url);
	explicit_bzero(tg->url, tg->url_room);
	free(tg->url);
	free(tg);
}

/* ---- making one ---- */

static bool
is_token(const char *token, size_t length, int64_t *bot)
{
	size_t i = 0;

	*bot = 0;
	while (i < length && i < 16 && isdigit((unsigned char)token[i]))
		*bot = *bot * 10 + (token[i++] - '0');
	if (!*bot || i == length || token[i] != ':' || i + 1 == length)
		return false;
	for (i++; i < length; i++)
		if (!isalnum((unsigned char)token[i]) && token[i] != '_' && token[i] != '-')
			return false;
	return true;
}

static void
make_urls(struct telegram *tg, const struct telegram_options *o, const char *token, int length)
{
	size_t root = strlen(o->api_root), room = root + (size_t)length + 32;

	while (root && o->api_root[root - 1] == '/')
		root--;
	tg->base_url = memory_new(room);
	tg->file_url = memory_new(room);
	snprintf(tg->base_url, room, "%.*s/bot%.*s/", (int)root, o->api_root, length, token);
	snprintf(tg->file_url, room, "%.*s/file/bot%.*s/", (int)root, o->api_root, length, token);
	tg->url_room = room + 64;
	tg->url = memory_new(tg->url_room);
}

static void
make_lanes(struct telegram *tg, const struct telegram_options *o)
{
	struct http_lane_options lane = {
	    .name = "telegram poll", .connections = 1, .family = o->family};

	tg->poll_lane = http_lane_new(o->http, &lane);
	lane.name = "telegram send";
	lane.connections = tg->base.slots;
	tg->send_lane = http_lane_new(o->http, &lane);
}

static const struct transport_ops ops = {
    .open = telegram_open,
    .poll = telegram_poll,
    .resume = telegram_resume,
    .send = telegram_send,
    .close = telegram_close,
};

struct transport *
telegram_new(const struct telegram_options *o)
{
	struct telegram *tg;
	const char *token = o->token;
	size_t length = o->token_length;
	int64_t bot;

	while (length && isspace((unsigned char)*token))
		token++, length--;
	while (length && isspace((unsigned char)token[length - 1]))
		length--;
	if (length > 256 || !is_token(token, length, &bot))
		return NULL;
	tg = memory_new(sizeof(*tg));
	tg->base = (struct transport){
	    .name = "telegram",
	    .ops = &ops,
	    .slots = o->connections > 0 ? o->connections : 8,
	    .text_scalars = TELEGRAM_TEXT_SCALARS,
	    .buttons = true,
	    .menus = true,
	    .per_second = o->per_second,
	    .per_chat_second = o->per_chat_second,
	    .command_sign = '/',
	};
	tg->loop = o->loop;
	tg->me.id = bot;
	tg->offset = -1;
	tg->phase = PHASE_OVER;
	tg->poll_s = o->poll_s > 0 && o->poll_s < POLL_S ? o->poll_s : POLL_S;
	tg->random = (uint64_t)loop_now_ms(o->loop) * 2654435761u ^ (uint64_t)bot ^ 1;
	tg->random = tg->random ? tg->random : 1;
	tg->poll_body.maximum = 4096;
	tg->arena = arena_new();
	make_urls(tg, o, token, (int)length);
	make_lanes(tg, o);
	tg->poll_timer = timer_new(o->loop, poll_ask, tg);
	tg->early_timer = timer_new(o->loop, early_came, tg);
	return &tg->base;
}
