/*
 * What is said to Telegram's server, written: request bodies with entities instead of markup, so
 * that nobody's words can become markup. Pure. Only parameters the documentation knows are sent.
 * Limits and offsets: TELEGRAM.md §0.5-6, §1.5-1.7.
 */
#ifndef TRANSPORTS_TELEGRAM_BODY_H
#define TRANSPORTS_TELEGRAM_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "core/transport.h"

struct arena;

enum {
	TELEGRAM_TEXT_SCALARS = 4096,
	TELEGRAM_CAPTION_SCALARS = 1024,
	TELEGRAM_TOAST_SCALARS = 200,
	TELEGRAM_ENTITIES = 100,
	TELEGRAM_ENTITY_BYTES =
	    9000, /* of their JSON: 9,500 is where the server has been seen to refuse */
	TELEGRAM_DATA_BYTES = 64, /* of a button */
	TELEGRAM_ROW = 8,	  /* buttons in a row */
	TELEGRAM_BUTTONS = 100,
	TELEGRAM_MARKUP_BYTES = 9500, /* of all buttons: above 10 KiB the server refuses */
	TELEGRAM_COMMANDS = 100,
	TELEGRAM_UPLOAD_BYTES = 50 * 1000 * 1000,
	TELEGRAM_FETCH_BYTES = 20 * 1000 * 1000,
	TELEGRAM_BODY_BYTES = 1024 * 1024,
};

/* A card as Telegram shows it: the text, and its entities as a JSON array ("" when none). */
struct telegram_text {
	struct buf text; /* UTF-8 as it is */
	struct buf entities;
	size_t scalars, utf16;
	size_t entity_count;
};
/* Trimmed at both ends, NAME spans isolated, what Telegram would drop left out. Gives the bufs
 * their maxima when they have none; telegram_text_free() at the end. `limit`: what is longer is
 * cut there. */
void telegram_text_make(struct telegram_text *text, const struct card *card, size_t limit);
void telegram_text_clear(struct telegram_text *text);
void telegram_text_free(struct telegram_text *text);

/* A JSON string with its quotes. */
void telegram_body_string(struct buf *json, const char *text, size_t length);
/* reply_markup for the card's choices, nothing when there are none; button k carries "SET.k". */
void telegram_body_keyboard(struct buf *json, const struct card *card, const char *set);

/* Bodies; each replaces what is in `json`. False when a chat or message id is none. */
bool telegram_body_send(struct buf *json, struct telegram_text *text, const struct shipment *s);
bool telegram_body_edit(struct buf *json, struct telegram_text *text, const struct shipment *s);
/* The same for a message that is a file with a caption. */
bool telegram_body_caption(struct buf *json, struct telegram_text *text, const struct shipment *s);
/* Makes what telegram_body_edit made a caption's: shorter where it must be, and then plain. */
void telegram_body_as_caption(struct arena *arena, struct buf *json, struct telegram_text *text);
bool telegram_body_delete(struct buf *json, const struct shipment *s);
bool telegram_body_answer(struct buf *json, struct telegram_text *text, const struct shipment *s);
bool telegram_body_leave(struct buf *json, const struct shipment *s);
bool telegram_body_typing(struct buf *json, const struct shipment *s);
/* setMyCommands, or deleteMyCommands when the menu has no entry (the same body without them). */
bool telegram_body_menu(struct buf *json, const struct shipment *s);
/* setMyDescription and setMyShortDescription: `key` is the parameter's name. */
bool telegram_body_describe(
    struct buf *json, const struct shipment *s, const char *key, size_t scalars);
void telegram_body_get_file(struct buf *json, const char *file_id);
/* `offset` below 0: none. */
void telegram_body_updates(struct buf *json, int64_t offset, int limit, int timeout_s);

/* How a file travels: the method and the name of its parameter. */
struct telegram_file_way {
	const char *method, *field;
};
struct telegram_file_way telegram_body_file_way(const char *type);
/* By its id when it has one, else everything but the file itself. */
bool telegram_body_file(struct buf *json, struct telegram_text *text, const struct shipment *s);

#endif
