/*
 * The simulated world: virtual time, one seed, and in it the real engine, features, Telegram
 * transport and SQLite on a disk that loses power. Same seed, same trace, byte for byte.
 *
 *   sim_time.c      clock, dice, agenda, trace; io/loop.h and io/timer.h a second time
 *   sim_http.c      io/http.h a second time: latency and faults at every phase of an exchange
 *   sim_telegram.c  a Bot API server with its odd rules, and the ledger of what each chat received
 *   sim_groups.c    its groups, which become supergroups with another id
 *   sim_matrix.c    a homeserver with its own, keys and gaps and transaction ids
 *   sim_home.c      its rooms, who is in them and what they say there
 *   sim_picture.c   base/picture.h a second time: no process is started for a picture
 *   sim_scripts.c   the flows they follow
 *   sim_people.c    people who follow and break every flow in three languages
 *   sim_bot.c       assembly of the bot, its deaths and restarts; feeds and calendars
 *   sim_folder.c    the folder of the bot's files
 *   sim_rules.c     PRODUCT.md's ground rules
 *   sim_checks.c    what must hold, always and once the faults have stopped
 *   sim_memory.c    SQLite's memory, which runs out
 *   sim_sweep.c     each point of a scenario fails in a copy of the world
 *   sim_announce.c  one announcement to many, and kill -9 at every phase of every delivery
 *   sim_cuts.c      power cuts by the million, without a bot
 *   sim.c           arguments, one run after another
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct engine;
struct http_request;
struct shipment;
struct outcome;

enum {
	SIM_PEOPLE_MOST = 256,
	SIM_LINE = 400,
	SIM_FIRST_CHAT = 70001,
	SIM_FIRST_GROUP = -501,
	SIM_POISON = 50
};

/* What a sweep goes through, as --nth-exchange and its like count it. */
enum point { POINT_NONE, POINT_EXCHANGE, POINT_DISK, POINT_KILL, POINT_MEMORY };

struct sim_options {
	uint64_t seed;
	int days, people;
	int crowd;   /* who says yes to meetings and sleeps: cards need a membership of thirty */
	bool matrix; /* some are on Matrix, */
	bool encryption;    /* and some of them encrypt */
	bool faults;	    /* network, disk and power; off: a quiet world */
	bool normal;	    /* the control: PRAGMA synchronous=NORMAL */
	bool verbose;	    /* the whole trace on standard output */
	int64_t power_cuts; /* only these, without a bot */
	int64_t seconds;    /* no new run begins after that; 0: all runs */
	int64_t cuts_a_year;
	int pace_days;	/* somebody comes by so often on average: 1 in a busy week */
	int checkpoint; /* pages of the WAL after which it is written back; 0: as the bot has it */
	int poll_s;	/* how long the servers hold an idle poll of Telegram's */
	bool tempers;	/* the seed decides how busy the world is, and for how long it goes on */
	int64_t years;	/* no new run begins after so many; 0: all runs */
	int64_t nth_exchange; /* that HTTP exchange fails (with `for_ever` all after it); 0: none */
	int64_t nth_disk;     /* that disk operation fails; 0: none */
	int64_t nth_kill;     /* the process is killed at that one */
	int announce;	      /* only one announcement, to so many */
	enum point sweep;     /* every point of that kind fails, in a copy each */
	int64_t every;	      /* the bot is killed at one moment in so many, or one point fails */
	int jobs;	      /* and so many copies run at a time */
	int64_t nth_memory;   /* SQLite's nth allocation fails */
	bool for_ever;
};

/* What the servers did that is odd; the closing line says how often. */
enum odd {
	ODD_EXPIRED, /* an update, after a day */
	ODD_IDS_ANEW,
	ODD_UNCONFIRMED, /* handed out again */
	ODD_CONFLICT,
	ODD_SLOW_DOWN, /* 429 */
	ODD_GATEWAY,   /* 502 before or after it was done */
	ODD_EMPTY,
	ODD_BLOCKED,
	ODD_GROUP_MOVED,
	ODD_SLOW_DOWN_MATRIX,
	ODD_TRANSACTION_AGAIN,
	ODD_TOKEN_UNKNOWN,
	ODD_TOKEN_STUCK,
	ODD_GAP,
	ODD_LOGIN_ENDED,
	ODD_LOCKED,
	ODD_ROOM_MOVED,
	ODDS
};

struct sim_counts {
	int64_t updates, confirmed, requests, shipments, sent, uncertain, refused, doubled, cuts,
	    restarts, presses, faults, pushes, invitations;
	/* Groups that got another id, what still went to the old one, what came to any. */
	int64_t groups_moved, groups_asked, groups_heard, odd[ODDS];
	/* How often each ground rule had something to look at. */
	int64_t rules_consent, rules_refusal, rules_first_line, rules_place;
};
enum { SIM_FLOWS = 15 };

extern struct sim {
	struct sim_options o;
	struct sim_counts counts;
	int64_t now_ms; /* wall clock and monotonic in one: unix ms */
	int64_t start_ms, end_ms;
	uint64_t random;
	uint64_t trace; /* hash of every line so far */
	int64_t lines;
	int vain_starts; /* the state did not open so often, one after another */
	int life;	 /* which start of the bot: callbacks of an older one never come */
	bool alive;	 /* the bot's process runs */
	bool dying;	 /* it must end when the present callback returns */
	bool calm;	 /* no faults any more: all must settle */
	struct db *db;
	struct engine *engine;
	int64_t clock_off_ms, jumped_ms; /* the machine's clock is so wrong, since then */
	bool disk_full;
	int64_t cut_off_ms; /* until then nothing that is in the air arrives */
	int64_t shipment;   /* whose request is being made or answered now; 0: none */
	char failure[SIM_LINE];
} sim;

/* ---- sim_time.c ---- */

uint64_t dice(void);
int64_t dice_below(int64_t limit);
/* True so often in a million; never in a calm or faultless world. */
bool fault(int64_t per_million);
bool chance(int64_t per_million);
/* fn at that moment; `of_bot`: only if the bot has not died until then, else drop(ctx) (may be
 * NULL). */
void agenda_add(
    int64_t at_ms, bool of_bot, void (*fn)(void *ctx), void (*drop)(void *ctx), void *ctx);
/* The next thing happens; false: nothing is left before `until_ms`, and it is that time. */
bool agenda_step(int64_t until_ms);
void agenda_clear(void);
/* Something fails on purpose in this world. */
bool troubled(void);
/* What the machine's clock says. */
int64_t wall_ms(void);
/* A line of the trace. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Something does not hold: said with seed and moment; the run ends. */
void violated(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- sim_http.c ---- */

/* What the world answers: called when the request arrives at the server; `answer` may be called at
 * once or later, exactly once, with NULL for a connection that is cut. */
struct exchange;
void telegram_serve(struct exchange *exchange, const char *method, const char *body, size_t length);
void matrix_serve(struct exchange *exchange, const char *method, const char *path,
    const char *token, const char *body, size_t length);
/* A Retry-After header for the answer that comes. */
void exchange_retry_after(struct exchange *exchange, int64_t seconds);
void exchange_answer(struct exchange *exchange, int status, const char *body);
/* Who answers later keeps it until then. */
void exchange_keep(struct exchange *exchange);
void exchange_release(struct exchange *exchange);
int64_t exchange_shipment(const struct exchange *exchange);
/* How many there were in this world. */
void exchange_begin(void);
int64_t exchange_count(void);
/* The bot is gone: its end of every connection is. */
bool exchange_lost(const struct exchange *exchange);

/* ---- sim_telegram.c ---- */

void telegram_world_begin(void);
void telegram_world_end(void);
/* Somebody writes or presses; the id of the update. */
int64_t telegram_say(int64_t chat, const char *language, const char *text);
int64_t telegram_press(int64_t chat, int64_t message, const char *data);
/* Somebody writes to us in a group. */
int64_t telegram_say_in(int64_t group, int64_t chat, const char *language, const char *text);
/* That chat says that it moved, or where it came from. */
int64_t telegram_group_moved(int64_t group, const char *field, int64_t other);
void telegram_member(int64_t chat, bool blocked);
bool telegram_all_confirmed(void);
/* Presses that were handed out and never answered, whatever the answer. */
int telegram_presses_unanswered(void);
void telegram_confirmed_texts(void (*each)(int64_t update, const char *text));
#define SIM_CANARY "NameCanary"
#define SIM_NAME "Zq%lld" SIM_CANARY

/* ---- sim_groups.c ---- */

void groups_begin(void);
/* One of them, by the id that it has now. */
int64_t groups_any(void);
/* The bot took that update in. */
void groups_confirmed(int64_t update);
/* A refusal that names the new id came to the bot. */
void groups_refused(const char *new_where);
void groups_bot_died(void);
/* Where a group is now that this is the old id of; 0: nothing is to be said. */
int64_t groups_moved_to(int64_t chat, int64_t shipment);

/* ---- sim_matrix.c ---- */

void matrix_world_begin(void);
void matrix_world_end(void);

/* ---- sim_home.c ---- */

/* Somebody opens a private chat with the bot, a new one when they left the last. */
void matrix_meet(int64_t chat, bool encrypts);
/* The bot is there and so are they. */
bool matrix_met(int64_t chat);
/* Position of the event; 0: nothing could be said. */
int64_t matrix_say(int64_t chat, const char *text);
void matrix_leave(int64_t chat);
void matrix_upgrade(int64_t chat);
bool matrix_all_confirmed(void);
void matrix_confirmed_texts(void (*each)(int64_t update, const char *text));

/* ---- sim_scripts.c ---- */

/* A survey is made, agreed to by another admin, answered: ended by NULL. */
extern const char *const script_survey_asked[], *const script_survey_agreed[],
						    *const script_survey_told[];
/* The steps of a flow for somebody of these roles. */
const char *const *script_pick(unsigned roles);
/* What is typed for a step, or "#N". */
void script_line(const char *step, const char *code, char *out, size_t room);

/* ---- sim_people.c ---- */

/* The bot joined this person's private chat. */
void people_met(int64_t chat);

void people_begin(void);
/* A message came to a chat: text, and the data of its buttons. */
void people_received(int64_t chat, int64_t message, const char *text, const char *const *buttons,
    int button_count, bool edited);
/* Unix ms of the last thing this person did. */
int64_t people_last_act(int64_t chat);
bool people_blocked(int64_t chat);
/* Everybody who can be reached says /start; how many got no message with buttons since. */
void people_say_start(void);
int people_unanswered(void);
/* Everybody says a word that means nothing, or presses a button that is no more; what was said
 * before must have had an answer. */
void people_say_something(bool press);
void people_all_heard(void);

/* ---- sim_memory.c ---- */

/* Before anything of SQLite runs. */
void memory_hook(void);
/* SQLite's nth allocation from now fails, with `for_ever` all after it too; 0: none. */
void memory_fail_after(int64_t allocations, bool for_ever);
/* The allocation of that number fails, the count going on. */
void memory_fail_at(int64_t allocation, bool for_ever);
/* Between true and false a check looks into the state: what it needs is always there. */
void memory_look(bool look);
int64_t memory_count(void);

/* ---- sim_sweep.c ---- */

/* The kind of that name; POINT_NONE: there is none. */
enum point sweep_named(const char *name);
/* Before the bot starts. */
void sweep_begin(void);
/* This point is next: in a copy of the process it will fail. */
void sweep_point(enum point point, int64_t number);
/* This process is one. */
bool sweep_is_copy(void);
/* When the world is over: the exit status, in the copies and in the process itself. */
int sweep_end(bool good);

/* ---- sim.c ---- */

/* How this world comes again, without the end of the line. */
void sim_print_options(void);

/* ---- sim_announce.c ---- */

enum moment {
	MOMENT_DISK,	  /* a change to the disk is being made */
	MOMENT_COMMITTED, /* a delivery is taken up and not handed over */
	MOMENT_IN_AIR,
	MOMENT_TAKEN,	 /* the server has it, the bot no answer */
	MOMENT_ANSWERED, /* the answer is there and not committed */
	MOMENT_COUNT
};
/* A delivery has come that far: here the bot may be killed. */
void announce_moment(enum moment moment, int64_t shipment);
void announce_arrived(int64_t shipment, int64_t chat);
/* The announcement of sim.o; 1 when something did not hold. The world has begun. */
int announce_main(double (*seconds)(void));

/* ---- sim_cuts.c ---- */

/* So many power cuts below the engine; prints the figures; 1 when something was lost. */
int cuts_main(int64_t cuts, bool normal, uint64_t seed);

/* ---- sim_bot.c ---- */

void bot_begin(void);
void bot_start(void);
/* The process ends: power cut (what was not synced may be gone), or kill -9. */
/* `power`: the machine too, with what the disk had not synced. */
void bot_die(const char *how, bool power);
void bot_stop(void);
void bot_end(void);
/* A join code, as ops make it at the terminal. */
const char *bot_invite(unsigned role, const char *org);

/* ---- sim_folder.c ---- */

/* The folder of the bot's files, in which the process stands between these two. */
extern const char sim_folder[];
void folder_begin(void);
void folder_end(void);
/* This process is a copy from now on, and has a folder of its own with the same files in it. */
void folder_copied(void);

/* ---- sim_checks.c ---- */

void check_shipped(int64_t id, const struct shipment *shipment, bool matrix);
void check_gone(int64_t id, const struct outcome *outcome);
/* The server has it: the ledger against which the outbox's word is held. */
void ledger_arrived(int64_t shipment, int64_t chat);
/* It was refused because the group has another id. */
void check_moved(int64_t shipment);
/* What somebody reads; shipment 0: unknown. */
void check_text(int64_t shipment, int64_t chat, const char *text);
/* Everything that must hold once the faults have stopped and all has settled. */
/* Nobody can be read on the disk, at whatever moment it is taken away. */
void check_disk(void);
void check_settled(void);
void check_begin(void);
void check_end(void);
/* ---- sim_rules.c ---- */

void rules_begin(void);
void rules_shipped(int64_t id, const struct shipment *shipment);
void rules_read(int64_t shipment, const char *text);
/* What must hold in the database at any time. */
void rules_state(void);
/* How far the flows went, for the last line. */
void rules_flows(int64_t sums[SIM_FLOWS]);
const char *rules_flow_name(int i);

/* ---- sim_checks.c ---- */

/* The class (enum class) a shipment was made in; -1: never shipped. */
int check_class(int64_t shipment);

#endif
