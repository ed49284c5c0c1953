#include "telegram_inside.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "io/loop.h"
#include "io/timer.h"

enum { RETRY_LEAST_MS = 500, RETRY_MOST_MS = 20000 };

/* ---- small things ---- */

uint64_t
telegram_hash(uint64_t h, const char *text)
{
	for (h = h ? h : 14695981039346656037u; text && *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return h;
}

int64_t
telegram_random(struct telegram *tg, int64_t limit)
{
	tg->random ^= tg->random << 13;
	tg->random ^= tg->random >> 7;
	tg->random ^= tg->random << 17;
	return (int64_t)(tg->random % (uint64_t)limit);
}

void
telegram_health(struct telegram *tg, enum health health, const char *detail)
{
	if (tg->health_said && tg->health == health)
		return;
	tg->health = health;
	tg->health_said = true;
	tg->up.health(tg->up.engine, &tg->base, health, detail);
}

const char *
telegram_url(struct telegram *tg, const char *method)
{
	snprintf(tg->url, tg->url_room, "%s%s", tg->base_url, method);
	return tg->url;
}

int64_t
telegram_back_off_ms(struct telegram *tg, int failures)
{
	int64_t wait = RETRY_LEAST_MS;

	while (--failures > 0 && wait < RETRY_MOST_MS)
		wait *= 2;
	wait = wait < RETRY_MOST_MS ? wait : RETRY_MOST_MS;
	return wait / 2 + telegram_random(tg, wait / 2 + 1);
}

/* ---- the four functions ---- */

static struct telegram *
of(struct transport *transport)
{
	return (struct telegram *)transport;
}

static bool
open_number(struct telegram *tg, const char *name, const char *key, const char *value, int64_t *n)
{
	char wanted[TELEGRAM_KEY_ROOM];

	snprintf(wanted, sizeof(wanted), "%s:%lld", name, (long long)tg->me.id);
	if (strcmp(key, wanted))
		return false;
	*n = strtoll(value, NULL, 10);
	return true;
}

static void
open_state(struct telegram *tg, const struct state_row *row)
{
	char prefix[TELEGRAM_KEY_ROOM], value[32];
	struct menu_memory *m;
	size_t n = row->length < sizeof(value) - 1 ? row->length : sizeof(value) - 1;

	memcpy(value, row->bytes, n);
	value[n] = 0;
	if (open_number(tg, "heard", row->key, value, &tg->heard_s)) {
		tg->heard_kept_s = tg->heard_s;
		return;
	}
	if (open_number(tg, "silent", row->key, value, &tg->silent_until_s))
		return;
	n = (size_t)snprintf(prefix, sizeof(prefix), "menu:%lld:", (long long)tg->me.id);
	if (strncmp(row->key, prefix, n) == 0 && (m = telegram_menu_memory(tg, row->key + n)))
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
	telegram_poll_begin(of(transport));
}

static void
telegram_resume(struct transport *transport)
{
	struct telegram *tg = of(transport);

	if (tg->held)
		telegram_poll_ask(tg);
}

static void
telegram_send(struct transport *transport, const struct shipment *s)
{
	telegram_send_shipment(of(transport), s);
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
	telegram_send_close(tg);
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
	    .name = "telegram poll", .connections = 1, .compressed = true, .family = o->family};

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
	    .caption_scalars = TELEGRAM_CAPTION_SCALARS,
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
	tg->poll_s = o->poll_s > 0 ? o->poll_s : TELEGRAM_POLL_S;
	tg->random = (uint64_t)loop_now_ms(o->loop) * 2654435761u ^ (uint64_t)bot ^ 1;
	tg->random = tg->random ? tg->random : 1;
	tg->poll_body.maximum = 4096;
	tg->arena = arena_new();
	make_urls(tg, o, token, (int)length);
	make_lanes(tg, o);
	tg->poll_timer = timer_new(o->loop, telegram_poll_ask, tg);
	tg->early_timer = timer_new(o->loop, telegram_send_early, tg);
	return &tg->base;
}
