/* Sending: one shipment is one or a few requests, and exactly one fate. */
#include "telegram_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"

enum {
	LIMIT_AGREES_MS = 3000, /* limits that end within so much of each other are one */
	LIMIT_PAUSE_MS = 30000, /* so long at first nobody is sent to; then one looks again */
	TOKEN_PAUSE_MS = 60000, /* the token is refused: the poll finds out too */
};

static const char *const json_headers[] = {"Content-Type: application/json", "Expect:", NULL};

static void sending_came(void *ctx, const struct http_answer *http);

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
	g->cured = g->early = false;
	g->file = 0;
	g->entities_length = 0;
	g->chat = telegram_hash(0, s->where ? s->where : s->who);
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
	g->arena = NULL;
	g->call = NULL;
	g->previous = NULL;
	g->next = tg->spare;
	tg->spare = g;
}

void
telegram_send_gone(struct sending *g, const struct outcome *outcome)
{
	struct telegram *tg = g->tg;
	int64_t id = g->id;

	sending_free(g);
	tg->up.gone(tg->up.engine, &tg->base, id, outcome);
}

void
telegram_send_early(void *ctx)
{
	struct telegram *tg = ctx;
	struct sending *g = tg->sendings;

	/* `gone` may not send from inside, so the list only shrinks here. */
	while (g) {
		struct sending *next = g->next;

		if (g->early)
			telegram_send_gone(g, &(struct outcome){
						  .fate = g->outcome.fate,
						  .refusal = g->outcome.refusal,
						  .after_ms = g->outcome.after_ms,
						  .whole_network = g->outcome.whole_network,
					      });
		g = next;
	}
}

void
telegram_send_decided(struct sending *g, enum fate fate, enum refusal refusal)
{
	g->early = true;
	g->outcome = (struct outcome){.fate = fate, .refusal = refusal};
	if (fate == FATE_LATER) {
		g->outcome.after_ms = TELEGRAM_REFUSED_AGAIN_MS;
		g->outcome.whole_network = true;
	}
	timer_start(g->tg->early_timer, 0);
}

void
telegram_send_request(struct sending *g, struct http_request *request)
{
	char label[48];

	snprintf(label, sizeof(label), "telegram %s", g->method);
	request->label = label;
	request->once = g->op == OP_SEND;
	request->fn = sending_came;
	request->ctx = g;
	g->call = http_send(g->tg->send_lane, request);
}

void
telegram_send_post(struct sending *g, const char *method)
{
	struct http_request request = {
	    .method = "POST",
	    .headers = json_headers,
	    .body = g->json.bytes,
	    .body_length = g->json.length,
	    .timeout_ms = TELEGRAM_REPLY_MS,
	    .body_max = TELEGRAM_REPLY_BYTES,
	};

	g->method = method;
	request.url = telegram_url(g->tg, method);
	telegram_send_request(g, &request);
}

void
telegram_send_keep(struct sending *g, const struct shipment *s)
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

static bool
cure(struct sending *g, enum telegram_cure cure)
{
	if (g->cured)
		return false;
	g->cured = true;
	if (cure == CURE_UPLOAD && g->stage == STAGE_BY_ID)
		return telegram_file_upload(g);
	if (cure == CURE_CAPTION) {
		telegram_body_as_caption(g->tg->arena, &g->json, &g->tg->text);
		telegram_send_post(g, "editMessageCaption");
		return true;
	}
	if (cure == CURE_PLAIN && g->entities_length && g->stage != STAGE_UPLOAD) {
		cut_entities(&g->json, g->entities_length);
		telegram_send_post(g, g->method);
		return true;
	}
	return false;
}

static bool
limits_agree(const struct telegram *tg)
{
	int64_t least = INT64_MAX, most = 0;

	for (size_t i = 0; i < tg->limited_count; i++) {
		least = tg->limited[i].until_ms < least ? tg->limited[i].until_ms : least;
		most = tg->limited[i].until_ms > most ? tg->limited[i].until_ms : most;
	}
	return tg->limited_count == TELEGRAM_LIMITED && most - least <= LIMIT_AGREES_MS;
}

/* A refusal by limit is of one chat; of everybody when several chats in a row hear it, until the
 * same moment. Then nobody is sent to for a while, and after that a few look whether it is over. */
static void
note_limit(struct telegram *tg, const struct sending *g, struct outcome *out)
{
	struct limited now = {g->chat, loop_now_ms(tg->loop) + out->after_ms};
	int64_t pause = LIMIT_PAUSE_MS;
	size_t i = 0;

	while (i < tg->limited_count && tg->limited[i].chat != g->chat)
		i++;
	if (i == TELEGRAM_LIMITED)
		memmove(tg->limited, tg->limited + 1, --i * sizeof(*tg->limited));
	tg->limited_count = i < tg->limited_count ? tg->limited_count : i + 1;
	tg->limited[i] = now;
	if (!limits_agree(tg))
		return;
	for (int n = 0; n < tg->limit_rounds && pause < out->after_ms; n++)
		pause *= 2;
	tg->limit_rounds++;
	tg->limited_count = 0;
	out->whole_network = true;
	out->network_ms = pause < out->after_ms ? pause : out->after_ms;
}

static void
note_outcome(struct telegram *tg, const struct sending *g, const struct http_answer *http,
    bool limited, struct outcome *out)
{
	if (http->outcome == HTTP_REPLIED)
		tg->send_failures = 0;
	if (out->fate == FATE_SENT) {
		tg->limited_count = 0;
		tg->limit_rounds = 0;
	}
	if (http->outcome == HTTP_NOT_SENT)
		out->after_ms = telegram_back_off_ms(tg, ++tg->send_failures);
	else if (limited)
		note_limit(tg, g, out);
	else if (out->whole_network)
		out->after_ms = TOKEN_PAUSE_MS;
}

/* The next request of this shipment when it has one. */
static bool
sending_goes_on(struct sending *g, const struct telegram_answer *answer)
{
	if (g->op == OP_MENU)
		return telegram_menu_next(g);
	if (g->stage == STAGE_PATH) {
		telegram_file_path(g, answer);
		return true;
	}
	return false;
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
		telegram_file_deliver(g, NULL, 0);
		return;
	}
	if (out.fate == FATE_REFUSED)
		log_event(LOG_INFO, "telegram.refused", "method=%s code=%d why=%d", g->method,
		    answer.code, out.refusal);
	if (g->stage == STAGE_UPLOAD)
		telegram_file_came(g, &out);
	if (g->stage == STAGE_BY_ID)
		out.file_id = NULL; /* it is known already */
	telegram_send_gone(g, &out);
}

static void
sending_came(void *ctx, const struct http_answer *http)
{
	struct sending *g = ctx;
	struct telegram *tg = g->tg;

	g->call = NULL;
	if (g->stage == STAGE_BYTES)
		telegram_file_bytes(g, http);
	else
		sending_read(g, http);
	arena_forget(tg->arena);
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
	telegram_send_post(g, method);
	return true;
}

void
telegram_send_shipment(struct telegram *tg, const struct shipment *s)
{
	struct sending *g = sending_new(tg, s);
	bool begun;

	if (tg->refused) {
		telegram_send_decided(g, FATE_LATER, REFUSAL_NONE);
		return;
	}
	if (s->op == OP_SEND && s->card && s->card->file)
		begun = telegram_file_send(g, s);
	else if (s->op == OP_MENU)
		begun = telegram_menu_send(g, s);
	else if (s->op == OP_FETCH)
		begun = telegram_file_fetch(g, s);
	else
		begun = send_simple(g, s);
	if (!begun)
		telegram_send_decided(g, FATE_REFUSED, REFUSAL_BAD);
}

void
telegram_send_close(struct telegram *tg)
{
	struct sending *g;
	struct outcome out;

	while ((g = tg->sendings)) {
		out = (struct outcome){
		    .fate = g->op == OP_SEND && g->call ? FATE_UNCERTAIN : FATE_LATER};
		if (g->early)
			out = g->outcome;
		http_cancel(g->call);
		telegram_send_gone(g, &out);
	}
	while ((g = tg->spare)) {
		tg->spare = g->next;
		buf_free(&g->json);
		free(g);
	}
}
