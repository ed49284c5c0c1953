/* What sim_matrix.c answers from: rooms, who is in them, what happened there. */
#ifndef SIM_HOME_H
#define SIM_HOME_H

#define UNIT_H /* its checks become ours */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define assert_true(so) ((so) ? (void)0 : violated("an encrypted peer: %s", #so))
#define assert_non_null(p) assert_true((p) != NULL)
#define fail_msg(...) violated(__VA_ARGS__)
#include "../unit/matrix_world.h"

#define BOT "@alumhub:h"

enum { ID = 64, ROOMS_MOST = 4000 };

enum standing { STRANGER, INVITED, JOINED, GONE };

struct room {
	char id[ID], before[ID]; /* before: the room this one replaces */
	int64_t chat;		 /* whose */
	bool encrypted, human_in, dead;
	enum standing bot;
	int64_t bot_at; /* position of the bot's last change */
	int64_t *at;	/* position of each event of its line */
	size_t room;
};

struct person {
	int64_t chat;
	char user[ID];
	struct room *room; /* where they talk now */
	bool encrypts, busy;
	struct client client;
};

extern struct home {
	struct world world;
	struct room *rooms[ROOMS_MOST];
	size_t room_count;
	int64_t position; /* of the last event */
} home;

void home_begin(void);
void home_end(void);

static inline int64_t
home_now(void)
{
	return home.world.now_ms = sim.now_ms;
}

struct person *home_person(int64_t chat);
struct room *home_room(const char *id);
/* Its events. */
json_t *home_line(const struct room *r);
/* The id of the event; takes `content`. `key`: of a state event, else NULL. */
const char *home_happen(
    struct room *r, const char *type, const char *sender, const char *key, json_t *content);
void home_bot_becomes(struct room *r, enum standing standing, const char *sender, const char *how);
/* What was said there, or not heard yet anywhere, is owed no turn any more. */
void home_forgive(const struct room *r);
void home_forgive_unheard(void);
/* The bot has taken in all up to that position. */
void home_heard(int64_t to);
/* Somebody reads what the bot sent; shipment 0: unknown. */
void home_read(struct person *p, int64_t shipment, json_t *content);
/* Those who encrypt look soon. */
void home_clients_wake(void);

/* ---- sim_matrix.c ---- */

/* Something has happened: a poll that is held may have an answer. */
void matrix_poll_wakes(void);

#endif
