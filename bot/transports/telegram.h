/*
 * Telegram: polls and sends through io/http. One lane of one connection polls, another one of
 * `connections` sends, so that a poll of 50 s never stands before a reply. Facts: TELEGRAM.md.
 *
 * State rows (all of them keyed by the bot's id): "heard:BOT" when the network was last heard of,
 * "menu:BOT:LANGUAGE" what menu it shows. The cursor is "BOT:OFFSET".
 */
#ifndef TRANSPORTS_TELEGRAM_H
#define TRANSPORTS_TELEGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "core/transport.h"
#include "io/http.h"

struct loop;

struct telegram_options {
	struct loop *loop;
	struct http *http;
	const char *api_root; /* "https://api.telegram.org"; copied */
	const char *token;   /* as in its file: white space at the ends is not part of it; copied */
	size_t token_length; /* bytes */
	double per_second;   /* for the engine */
	double per_chat_second; /* for the engine */
	int connections;	/* for sending; 0: 8 */
	enum http_family family;
	int poll_s; /* how long the server may hold a poll; 0: 50, which is its maximum */
};

/* NULL when the token does not look like one ("123456:ABC…"). Freed by its close(). */
struct transport *telegram_new(const struct telegram_options *options);

#endif
