/*
 * The bot and one person in an encrypted room of a world (matrix_world.h), who have met.
 */
#ifndef MATRIX_PAIR_H
#define MATRIX_PAIR_H

#include "matrix_world.h"

#define BOT "@bot:h"
#define NOOR "@noor:h"
#define EVE "@eve:h"
#define DAN "@dan:h"
#define ROOM "!a:h"

/* Seals what the test itself keeps. */
static const unsigned char eve_key[32] = "eve";

struct pair {
	struct world w;
	struct client bot, noor;
};

static inline struct pair *
pair_open(void)
{
	struct pair *p = calloc(1, sizeof(*p));

	world_open(&p->w);
	client_open(&p->bot, &p->w, BOT, "BOTDEV");
	client_open(&p->noor, &p->w, NOOR, "NOORDEV");
	world_room(&p->w, ROOM, true);
	world_member(&p->w, ROOM, BOT, "join");
	world_member(&p->w, ROOM, NOOR, "join");
	client_run(&p->bot);
	client_run(&p->noor);
	client_sync(&p->bot);
	client_sync(&p->noor);
	return p;
}

static inline void
pair_close(struct pair *p)
{
	client_close(&p->bot);
	client_close(&p->noor);
	world_close(&p->w);
	free(p);
}

/* Everybody hears everything that lies ready. */
static inline void
settle(struct pair *p)
{
	for (int i = 0; i < 3; i++) {
		if (p->bot.crypto)
			client_sync(&p->bot);
		if (p->noor.crypto)
			client_sync(&p->noor);
	}
}

static inline json_t *
last_event(struct pair *p)
{
	json_t *events = json_object_get(json_object_get(p->w.rooms, ROOM), "t");

	return json_array_get(events, json_array_size(events) - 1);
}

static inline enum matrix_reading
bot_reads(struct pair *p, json_t *event)
{
	struct matrix_read read;

	matrix_crypto_read(p->bot.crypto, ROOM, event, p->w.now_ms, &read);
	json_decref(read.event);
	return read.how;
}

#endif
