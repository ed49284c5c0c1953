/* What the files of the Matrix transport share. Nobody else includes it. */
#ifndef TRANSPORTS_MATRIX_INSIDE_H
#define TRANSPORTS_MATRIX_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/memory.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/timer.h"
#include "transports/matrix.h"
#include "transports/matrix_crypto.h"
#include "transports/matrix_json.h"
#include "transports/matrix_state.h"

enum {
	MATRIX_REPLY_TIMEOUT_MS = 30000,
	MATRIX_FILE_TIMEOUT_MS = 300000,
	MATRIX_REPLY_BYTES = 4 * 1024 * 1024,
	MATRIX_FILE_BYTES = 20 * 1000 * 1000,
};

/* What the poll lane does now; each phase follows the one before it. */
enum matrix_phase {
	MATRIX_PHASE_LOGIN,
	MATRIX_PHASE_REFRESH,
	MATRIX_PHASE_WHOAMI,
	MATRIX_PHASE_FILTER,
	MATRIX_PHASE_SYNC,
	MATRIX_PHASE_OVER,
};

struct matrix_sending;
struct matrix_chore;

/* What one transaction brings the engine, gathered. */
struct matrix_batch {
	struct event *events;
	size_t count, room;
	json_t *held;	  /* the events' JSON, alive until the batch is done */
	json_t *receipts; /* room: event id, the last one read */
};

struct matrix {
	struct transport base;
	struct transport_up up;
	struct loop *loop;
	struct http_lane *poll_lane, *send_lane, *side_lane;
	struct arena *arena; /* forgotten after each answer */
	char *root;
	char user[MATRIX_JSON_ID], device[MATRIX_JSON_ID];
	char *token, *refresh;		      /* of the session; NULL: none */
	int token_number;		      /* how many there were */
	int64_t token_made_ms, token_dies_ms; /* on the wall; 0: not known, never */
	int64_t refresh_after_ms;	      /* a refresh failed while the token is good */
	char *file_token, *password;	      /* as configured; NULL: none */
	char *old_token;		      /* of a device that was replaced: to be logged out */
	char **servers, *reasons[MATRIX_REASONS];
	bool encryption;
	unsigned char key[MATRIX_KEY_BYTES];
	int poll_ms;
	uint64_t random;

	struct matrix_state *own;
	struct matrix_crypto *crypto; /* NULL: switched off, or not open yet */
	struct state_row *loaded;     /* rows of open, until the crypto is */
	size_t loaded_count;

	/* matrix_session.c and matrix_sync.c: the poll lane */
	enum matrix_phase phase;
	struct http_call *poll;
	struct timer *poll_timer;
	char *since;	/* NULL: the first sync */
	char *heard_to; /* how far all was heard, when a first sync is made again; else NULL */
	char *filter;
	int failures, stale;
	int idle;	  /* polls without news, in a row */
	int64_t look_ms;  /* when silence becomes doubtful, on the loop's clock; 0: not known yet */
	int64_t heard_ms; /* when the newest message heard in this run was sent; 0: none was */
	char last_room[MATRIX_JSON_ID], last_event[MATRIX_JSON_ID]; /* heard of; "": none yet */
	bool same_device;					    /* a login keeps the device */
	bool renewed; /* a new device was made in this run */
	bool quick;   /* the next poll does not wait, to learn soon that all is well */
	bool fresh;   /* the next request of the poll lane takes a new connection */
	bool filling; /* what is looked at lies before what was looked at already */
	bool small;   /* the last answer was too big: ask for short timelines */
	int64_t poll_started_ms, poll_timeout_ms;
	enum health health;
	bool health_said;
	char detail[120];

	/* matrix_send.c */
	struct matrix_sending *sendings;
	struct timer *early_timer;
	int send_failures;

	/* matrix_work.c */
	struct timer *work_timer, *due_timer;
	struct matrix_asked *asked; /* requests of the encryption under way */
	struct state_row *gathered;
	size_t gathered_room;

	/* matrix_chore.c */
	struct matrix_chore *chores;
	struct timer *chore_timer;
	int chores_out;
	double joins; /* that may go now */
	int64_t joins_ms;
	int64_t reject_ms; /* the next refused invitation is not told before */
	int64_t ignored_invites;
	json_t *late;	 /* matrix_sync.c: became readable, not yet committed */
	json_t *to_tell; /* matrix_renew.c: whose chat has new keys and who were not told */
	json_t *spoke; /* room: ms on the loop's clock when somebody last spoke to us in private */
};

/* ---- matrix.c ---- */

/* One request with the session's token. `path` begins with /_matrix. */
struct matrix_ask {
	struct http_lane *lane;
	const char *label, *method, *path;
	const void *body; /* NULL: none */
	size_t length;
	const char *type;  /* of the body; NULL: JSON */
	const char *token; /* NULL: the session's */
	bool no_token;
	bool fresh;
	int priority;	    /* as in http_request */
	int64_t timeout_ms; /* 0: MATRIX_REPLY_TIMEOUT_MS */
	size_t body_max;    /* 0: MATRIX_REPLY_BYTES */
	http_fn *fn;
	void *ctx;
};
struct http_call *matrix_ask(struct matrix *m, const struct matrix_ask *ask);
/* A path with its holes (each %s) escaped; in the arena. */
char *matrix_path(
    struct matrix *m, const char *format, const char *a, const char *b, const char *c);
/* The answer as JSON, NULL when it is none. */
json_t *matrix_answer(const struct http_answer *http);
void matrix_health(struct matrix *m, enum health health, const char *detail);
/* All is well, with what is worth knowing. */
void matrix_health_good(struct matrix *m);
int64_t matrix_back_off_ms(struct matrix *m, int failures);
int64_t matrix_random(struct matrix *m, int64_t limit);
void matrix_forget_secret(char **secret);

/* ---- matrix_session.c ---- */

void matrix_session_begin(struct matrix *m);
/* A request was answered 401: whoami will tell what it means. */
void matrix_session_doubt(struct matrix *m);
/* The device's state cannot be trusted any more. */
void matrix_session_lost_device(struct matrix *m);
/* The poll lane's answer of any phase but sync. */
void matrix_session_answered(struct matrix *m, const struct http_answer *http);
/* Asks again for the present phase. */
void matrix_session_ask(struct matrix *m);
/* The token is past half of its life and can be refreshed: now, rather than when it fails. */
bool matrix_session_ages(const struct matrix *m);
/* The phase could not be gone through for now. */
void matrix_session_postpone(struct matrix *m);

/* ---- matrix_sync.c ---- */

/* Sends the request of the present phase; a timer's function. */
void matrix_poll_ask(void *ctx);
void matrix_poll_later(struct matrix *m, int64_t wait_ms);
void matrix_poll_failed(struct matrix *m, const char *why);
void matrix_poll_send(struct matrix *m, struct matrix_ask *ask);
/* One event of a room's timeline, readable or encrypted. */
void matrix_sync_event(
    struct matrix *m, struct matrix_batch *batch, const char *room, json_t *event);
/* Events that became readable. */
void matrix_sync_late(struct matrix *m);
/* Hands the batch up with all rows; frees it. `cursor` may be NULL. */
bool matrix_sync_deliver(struct matrix *m, struct matrix_batch *batch, const char *cursor);
/* Something is there that /sync does not tell: everything is read anew. */
void matrix_sync_stuck(struct matrix *m);
/* The path of a second /sync that shows the newest of all rooms; and what it showed while `since`
 * brought nothing. */
char *matrix_sync_look(struct matrix *m);
void matrix_sync_looked(struct matrix *m, const char *since, const json_t *answer);
struct event *matrix_sync_add(struct matrix_batch *batch);

/* ---- matrix_rooms.c ---- */

/* An entry of rooms.join, before its timeline. */
void matrix_rooms_joined(
    struct matrix *m, struct matrix_batch *batch, const char *room, json_t *entry, bool initial);
/* An event of a room's state or timeline: who comes and goes, encryption, upgrades. */
void matrix_rooms_event(
    struct matrix *m, struct matrix_batch *batch, const char *room, json_t *event, bool state);
void matrix_rooms_invited(struct matrix *m, const char *room, json_t *entry);
/* We are in: `how` is what MATRIX_CHORE_JOIN was asked with. */
void matrix_rooms_entered(struct matrix *m, const char *room, const char *how);
void matrix_rooms_left(struct matrix *m, struct matrix_batch *batch, const char *room);
/* After an entry's events: whether we stay. */
void matrix_rooms_settle(struct matrix *m, struct matrix_batch *batch, const char *room);
bool matrix_rooms_group(struct matrix *m, const char *room);
/* It is a private chat, and of this person: not of somebody whose word a server puts into it. */
bool matrix_rooms_private(struct matrix *m, const char *room, const char *who);
bool matrix_rooms_known(struct matrix *m, const char *room);
/* In every room all since heard_to is asked for. */
void matrix_rooms_catch_up(struct matrix *m);
/* Somebody spoke in private: this is where they are answered. */
void matrix_rooms_spoke(struct matrix *m, const char *room, const char *who);
/* Nothing of this person stays; unless they have spoken again meanwhile: false. */
bool matrix_rooms_forget(struct matrix *m, const char *room, const char *who);
/* Where a person's private chat is, in the arena; NULL: nowhere. */
const char *matrix_rooms_of(struct matrix *m, const char *who);
/* The room that replaces this one, in the arena; NULL: none that we are in. */
const char *matrix_rooms_moved(struct matrix *m, const char *room);
size_t matrix_rooms_count(struct matrix *m);

/* ---- matrix_chore.c ---- */

enum matrix_chore_kind {
	/* `what`: "dUSER" who wants a private chat, "iUSER" who brings us into a room, "nUSER" into the
	 * one that replaces another, "vSERVER" that knows such a one, to which nobody invited us yet */
	MATRIX_CHORE_JOIN,
	MATRIX_CHORE_LEAVE,   /* `what` is the reason given, or "" */
	MATRIX_CHORE_DIRECT,  /* `what`: with whom; the room is entered in m.direct */
	MATRIX_CHORE_GAP,     /* `what`: "PREV_BATCH\nSINCE" */
	MATRIX_CHORE_REJECT,  /* an invitation; `what` as for LEAVE */
	MATRIX_CHORE_RECEIPT, /* `what`: the event */
	MATRIX_CHORE_VERIFY,  /* `what`: the request, which is answered by a cancel */
	MATRIX_CHORE_LOGOUT,
	MATRIX_CHORE_TYPING,
	MATRIX_CHORE_CHECK, /* `what`: the last event we heard of in the room */
	MATRIX_CHORE_LOOK, /* at all rooms, and no room is named; `what`: the `since` of the silence */
};
/* The first five are rows too, and survive a restart. */
void matrix_chore_add(
    struct matrix *m, enum matrix_chore_kind kind, const char *room, const char *what);
/* Invitations that wait to be taken, in all and of this person, and those that wait to be refused. */
struct matrix_invites {
	int all, theirs, refused;
};
struct matrix_invites matrix_chore_count(struct matrix *m, const char *inviter);
/* Whether we try to join that room, to which nobody invited us. */
bool matrix_chore_tries(struct matrix *m, const char *room);
/* No more tries to join a room to which nobody invited us. */
void matrix_chore_untry(struct matrix *m, const char *room);
bool matrix_chore_has(struct matrix *m, enum matrix_chore_kind kind, const char *room);
/* Takes up what a former run left. */
void matrix_chore_open(struct matrix *m);
void matrix_chore_poke(void *ctx);
void matrix_chore_close(struct matrix *m);
/* A withdrawn invitation, a room that was left. */
void matrix_chore_drop(struct matrix *m, enum matrix_chore_kind kind, const char *room);

/* ---- matrix_work.c ---- */

/* Something changed: in the next round rows are kept, keys asked for, what waits is sealed. */
void matrix_work_poke(struct matrix *m);
void matrix_work(void *ctx);
/* Every change of state as rows for the engine; they live until the next call. */
size_t matrix_work_rows(struct matrix *m, const struct state_row **rows);
void matrix_work_kept(struct matrix *m);
bool matrix_work_keep(struct matrix *m);
void matrix_work_close(struct matrix *m);

/* ---- matrix_renew.c ---- */

/* Some of those who must hear that our keys are new. */
void matrix_renew_step(struct matrix *m);

/* ---- matrix_send.c ---- */

void matrix_send(struct transport *transport, const struct shipment *s);
/* Seals and posts what is held; true when something was posted. */
bool matrix_send_held(struct matrix *m);
/* Something is held. */
bool matrix_send_holds(const struct matrix *m);
/* An event of the transport's own, through the same door; `content` is stolen. Nobody hears of its
 * fate. */
void matrix_send_own(
    struct matrix *m, const char *room, const char *txn, const char *type, json_t *content);
void matrix_send_early(void *ctx);
void matrix_send_close(struct matrix *m);

#endif
