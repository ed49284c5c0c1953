/*
 * What the files of the Telegram transport share with each other and with nobody else: telegram.c
 * makes it, telegram_poll.c listens, telegram_send.c sends, telegram_file.c moves files,
 * telegram_menu.c sets the menus.
 */
#ifndef TRANSPORTS_TELEGRAM_INSIDE_H
#define TRANSPORTS_TELEGRAM_INSIDE_H

#include "transports/telegram.h"

#include "base/memory.h"
#include "transports/telegram_body.h"
#include "transports/telegram_json.h"

struct timer;

enum {
	TELEGRAM_POLL_S = 50, /* the server's own maximum [1.3] */
	TELEGRAM_REPLY_BYTES = 1024 * 1024,
	TELEGRAM_REPLY_MS = 30000,
	TELEGRAM_UPLOAD_MS = 300000,
	TELEGRAM_REFUSED_AGAIN_MS = 600000,
	TELEGRAM_LIMITED = 3, /* so many chats refused in a row: it is the whole network */
	TELEGRAM_LANGUAGES = 8,
	TELEGRAM_UPLOADS = 8, /* files whose ids are known before they are durable */
	TELEGRAM_KEY_ROOM = 64,
};

/* What the poll lane does now; each phase follows the one before it. */
enum phase { PHASE_ME, PHASE_WEBHOOK, PHASE_POLL, PHASE_OVER };

/* Which request of a shipment is under way; most have only the first. */
enum stage {
	STAGE_ONLY,
	STAGE_BY_ID,
	STAGE_UPLOAD,
	STAGE_WAIT, /* for the upload of the same file, which another shipment makes */
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
	bool cured;    /* a cure was tried: not a second time */
	uint64_t chat; /* a hash, to tell chats that are limited apart */
	uint64_t file; /* a hash of the file's key; 0: none */
	struct http_call *call;
	const char *method;
	size_t entities_length;
	struct buf json;
	/* Only where more than one request may be needed. */
	struct arena *arena;
	struct shipment kept;
	/* Decided without a request; reported in the next round. */
	bool early;
	struct outcome outcome;
};

struct menu_memory {
	char language[8];
	uint64_t digest;
};

/* A chat that may not be written to, and until when. */
struct limited {
	uint64_t chat;
	int64_t until_ms;
};

/* A file that was just uploaded. */
struct uploaded {
	uint64_t file;
	char id[200];
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
	int failures, conflicts, poisoned, haste;
	bool single; /* the next poll asks for one update */
	bool quick;  /* the next poll does not wait, to learn soon that all is well */
	bool fresh;  /* the next request of the poll lane takes a new connection */
	int64_t heard_s, heard_kept_s;
	int64_t silent_until_s; /* the server asked for no poll before */
	enum health health;
	bool health_said;

	struct sending *sendings, *spare;
	struct timer *early_timer;
	struct telegram_text text;
	int send_failures;
	struct limited limited[TELEGRAM_LIMITED];
	size_t limited_count;
	int limit_rounds; /* how often in a row the whole network was silent */
	struct uploaded uploads[TELEGRAM_UPLOADS];
	size_t upload_next;
	struct menu_memory menus[TELEGRAM_LANGUAGES];
	size_t menu_count;
	bool refused;
};

/* telegram.c */
uint64_t telegram_hash(uint64_t h, const char *text);
/* Enough for spreading attempts; nothing secret hangs on it. */
int64_t telegram_random(struct telegram *tg, int64_t limit);
void telegram_health(struct telegram *tg, enum health health, const char *detail);
/* The address of a method; lives until the next call. */
const char *telegram_url(struct telegram *tg, const char *method);
int64_t telegram_back_off_ms(struct telegram *tg, int failures);

/* telegram_poll.c: sends the request of the present phase; the poll timer's function. */
void telegram_poll_ask(void *ctx);
void telegram_poll_begin(struct telegram *tg);

/* telegram_send.c */
void telegram_send_shipment(struct telegram *tg, const struct shipment *s);
void telegram_send_post(struct sending *g, const char *method);
void telegram_send_request(struct sending *g, struct http_request *request);
/* A copy of what later requests of this shipment need. */
void telegram_send_keep(struct sending *g, const struct shipment *s);
/* The fate is told and the sending is over. */
void telegram_send_gone(struct sending *g, const struct outcome *outcome);
/* Decided already; said in the next round, because send() never answers from inside. */
void telegram_send_decided(struct sending *g, enum fate fate, enum refusal refusal);
/* The early timer's function. */
void telegram_send_early(void *ctx);
/* What is under way is reported as it stands. */
void telegram_send_close(struct telegram *tg);

/* telegram_file.c */
bool telegram_file_send(struct sending *g, const struct shipment *s);
/* The bytes themselves, when the id is no good. */
bool telegram_file_upload(struct sending *g);
/* What became of an upload: others may wait for its id. */
void telegram_file_came(struct sending *g, const struct outcome *out);
bool telegram_file_fetch(struct sending *g, const struct shipment *s);
void telegram_file_path(struct sending *g, const struct telegram_answer *answer);
void telegram_file_bytes(struct sending *g, const struct http_answer *http);
/* Content NULL: it cannot be had. */
void telegram_file_deliver(struct sending *g, const void *content, size_t length);

/* telegram_menu.c */
bool telegram_menu_send(struct sending *g, const struct shipment *s);
/* The request after this one; false when it was the last, and the menu is remembered. */
bool telegram_menu_next(struct sending *g);
/* NULL when there are too many languages. */
struct menu_memory *telegram_menu_memory(struct telegram *tg, const char *language);

#endif
