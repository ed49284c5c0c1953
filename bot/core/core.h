/* What the files of core share with each other and with nobody else. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "base/conf.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/audience.h"
#include "core/engine.h"
#include "core/people.h"
#include "core/turn.h"
#include "store/seal.h"

enum { NETWORKS = 8, MESSAGE_SCALARS = 8000, LIMIT_PEOPLE = 4096, PACES = 1024 };
enum { PACE_WINDOW = 1024 };

enum delivery_state {
	STATE_WAITING,
	STATE_TRYING,
	STATE_SENT,
	STATE_REFUSED,
	STATE_EXPIRED,
	STATE_UNCERTAIN,
	/* Only of posts (core/post.h): */
	STATE_PLANNED, /* a recipient whose turn has not come */
	STATE_STOPPED,
	STATE_LEFT,
	STATE_SKIPPED, /* in counts only: there is no row */
};

/* Everything of an operation but its row: packed and sealed as delivery.body. */
struct parcel {
	const char *who, *where; /* set when the row has no account */
	const char *message;	 /* network's id to edit or delete, when known */
	const char *press;
	const char *media_handle;
	const char *language;
	const char *reply_to;
	const char *set;
	const char *key; /* of a fetch */
	const struct card *card;
	const struct menu_entry *menu;
	const char *description;
};

/* An operation that this turn asks for, before it becomes a row. */
struct wanted {
	struct wanted *next;
	struct network *network;
	int64_t id, person, account, chat, due, expires, post, target;
	enum op op;
	enum class class;
	struct parcel parcel;
	const char *feature;
	bool keep_message; /* its network id is looked up by replies */
};

/* What goes first; the classes' ranks are in outbox.c. */
enum rank { RANK_REPLY, RANK_PUSH, RANK_BULK, RANKS };

/* A row that is committed as trying, until its fate (ship.c). */
struct ship {
	struct ship *next;
	int64_t id, account, target, chat, queued_ms;
	enum op op;
	enum class class;
	bool repeated;
	bool paced;	     /* counts against the network's limit in a second */
	bool heard;	     /* a feature wants to know its fate */
	bool look_up;	     /* the address may have changed since */
	bool file;	     /* a file goes with it */
	const char *who;     /* of a post: to whom, as it was taken up, else NULL */
	const char *where;   /* the same, or where a room moved to, else NULL */
	const char *message; /* the network's id of what is edited, else NULL */
	size_t length;
	char bytes[]; /* the parcel, packed */
};

/* When something that nobody waits for was last sent to a chat. */
struct chat_pace {
	int64_t chat, last_ms;
};

/* Bulk messages of a network: a bucket that spreads them, and the last second's. */
struct pace {
	double bucket;
	int64_t bucket_ms;
	int64_t went_ms[PACE_WINDOW]; /* a ring of those handed over; 0: none yet */
	int next;
	int on_way; /* picked, and not yet handed over */
};

/* A network and what the engine remembers of it in memory. */
struct network {
	struct transport *transport;
	struct transport closed; /* what it was, once it is freed */
	struct engine *engine;
	int number; /* its number in the database: stable by name */
	enum health health;
	char detail[120];
	bool tried;
	struct ship *ships, **last_ship; /* committed, waiting for a slot: `queued` of them */
	int queued;
	struct ship **flights; /* handed over: `flying` of them */
	int flying;
	int64_t paused_until_ms; /* whole network, by 429 */
	struct pace pace;	 /* of bulk messages, everywhere together */
	struct chat_pace paces[PACES];
	int64_t due_ms[RANKS];		/* when the first row waiting in the database is due */
	int64_t silent_until_ms;	/* until then some chat may not be sent to */
	int64_t came_ms;		/* last successful batch or health */
	int64_t heard_s;		/* when events last came; 0: never, as far as is known */
	int64_t away_from_s, away_to_s; /* the last long time without: late.c */
	int64_t alarm_ms; /* when its health is worth an alarm, or its end; INT64_MAX: never */
	bool alarmed;
	bool lost; /* was away for so long that messages are lost: said once */
};

/* A fate that came and is not yet committed. */
struct fated {
	int64_t id;
	struct network *network;
	struct outcome outcome;
	bool unheard; /* no feature waits for it */
	char message[160], file_id[320], new_where[160];
};

struct limit {
	int64_t account;
	int64_t window; /* number of the 10 s window */
	int count;
	bool told;
};

/* A text of a post in clear. */
struct post_plain {
	struct post_plain *next;
	int64_t post;
	const char *language;
	struct blob plain;
};

struct engine {
	struct engine_options o;
	struct db *db;
	struct arena *arena;	/* of the turn */
	struct arena *outgoing; /* of what is sent after the commit */
	struct network networks[NETWORKS];
	int network_count;
	bool started;
	bool in_transaction;
	bool broken; /* a commit of unknown outcome: nothing more is done */
	int64_t next_delivery;
	struct fated *fates;
	size_t fate_count, fate_room;
	size_t fates_kept; /* of those: written in the open transaction */
	int64_t fate_since_ms;
	bool ship_look; /* something may be handed over */
	struct limit limits[LIMIT_PEOPLE];
	int64_t limit_window;
	int limit_total;
	struct page_slot *pages;
	struct running *running;
	bool work_waits;
	int64_t look_ms;	/* when alarms are looked for again */
	int64_t clock_apart_ms; /* the wall clock less the steady one, as last seen */
	int64_t clock_calm_ms;	/* on the steady one: when a step is over; 0: not known yet */
	int64_t metrics_ms, metrics_seen; /* not before; the sum of what was counted then */
	int64_t started_s;
	int64_t demo; /* how many people are invented; 0: none, the state is real */
	const char *metrics_file;
	struct engine_counts counts;
	struct command_index *commands;
	int64_t next_page_s;	   /* when a page is to be read; INT64_MIN: to be looked up */
	int64_t next_job_s;	   /* the earliest due job; INT64_MAX none */
	int64_t wake_ms;	   /* what was ordered last */
	int64_t post_next_ms;	   /* when posts want a slice; INT64_MAX none */
	bool post_sending;	   /* some post goes out: fates make room for more */
	struct post_plain *plains; /* texts that go out now, opened once for all: in their arena */
	struct arena *plain_arena;
	bool post_old;			   /* some post's rows may go */
	int64_t erasures, erasures_listed; /* serial numbers: given, and in the list beside */
	int64_t folders_read; /* in which quarter of which day old files were looked for */
	int64_t wipe_ms;      /* when the WAL is to be emptied; INT64_MAX: nothing was erased */
	bool ticking;
	struct buf *status; /* while status lines are gathered */
	bool status_json, status_bad;
};

/* The engine's own part of a turn (t->private). */
struct ours {
	struct network *network;
	struct wanted *wanted, **last;
	bool answered;	 /* a toast was said for the press */
	bool from_group; /* a button in a group was pressed: the answer is private */
	/* conversation, as it stood at the start of the turn and as it is now */
	const struct flow *flow;
	int step;
	int64_t serial; /* of the question now open: older buttons are stale */
	struct variable *variables;
	bool exists;  /* a row is stored */
	bool changed; /* it must be stored again, or deleted */
	bool ask;     /* the step's question is due at the end of the turn */
	bool asking;  /* it is being asked now */
};

/* engine.c */
extern const struct schema engine_schema;
extern struct sql *const engine_statements_own[];
/* A setting of the state itself; NULL: never written. */
const char *meta_read(struct engine *e, const char *name);
void meta_write(struct engine *e, const char *name, const char *content);
void turn_begin(struct turn *t, struct engine *e, struct ours *ours);
/* The turn itself, whatever holds it; false when it failed. */
bool turn_do(struct engine *e, struct turn *t, void (*run)(struct turn *t, void *ctx), void *ctx);
/* Runs `run` as one turn inside the open transaction: savepoint, turn, outbox, savepoint end. */
bool turn_run(struct engine *e, struct turn *t, void (*run)(struct turn *t, void *ctx), void *ctx);
/* A savepoint, and what it holds besides rows. */
struct mark {
	int64_t first_delivery;
	const struct running *running;
};
struct mark mark_set(struct engine *e);
void mark_undo(struct engine *e, struct mark mark);
int64_t engine_now_ms(struct engine *e);
bool engine_commit(struct engine *e);
/* Nothing is said, sent or read any more: only a new start knows what the disk holds. */
void engine_give_up(struct engine *e, const char *why);
/* Deletes what the engine no longer needs, hourly. */
void engine_prune(struct turn *t);
/* Features hear of something. */
void happen(struct turn *t, enum happening what);
const struct feature *feature_named(struct engine *e, const char *name);

/* inbox.c */
extern struct sql *const inbox_statements[];
bool transport_came(void *engine, struct transport *transport, const struct batch *batch);
bool transport_keep(
    void *engine, struct transport *transport, const struct state_row *state, size_t count);
void inbox_prune(struct turn *t);

/* network.c */
extern struct sql *const network_statements[];
struct network *network_of(struct engine *e, struct transport *transport);
struct network *network_named(struct engine *e, const char *name);
struct network *network_numbered(struct engine *e, int number);
/* The transport is freed, and what it was is still asked for when its last fates are written. */
void network_close(struct network *n);
/* A group that has another id now (migration): what waits for the old one goes there. NULL: not
 * moved. */
void engine_moved(struct engine *e, struct network *n, int64_t chat, const char *to);
const char *engine_moved_to(struct engine *e, struct network *n, int64_t chat);
/* What stands before a deep link's payload on that network, as it was last seen; NULL: never seen. */
const char *engine_link(struct engine *e, const char *network);

/* say.c */
/* To a room or group that is in the configuration. */
void say_room(struct turn *t, struct network *n, const char *where, struct card *card);
/* The number of a chat that is no person's: deliveries to it carry it. */
int64_t say_chat(struct turn *t, const char *where);

/* outbox.c */
void outbox_want(struct turn *t, struct wanted *w);
/* A network that remembers people leaves this one's chat and forgets them, when all that is still
 * to be said and deleted there had its time. */
void say_farewell(struct turn *t, struct network *n, const char *who, const char *where);
void outbox_keep(struct turn *t); /* the turn's wants become rows */
/* Rows of that rank wait for that moment. */
void outbox_waits(struct network *n, enum rank rank, int64_t due_ms);
bool outbox_pick(struct engine *e); /* rows that may go now become trying; inside a transaction */
void outbox_fates(struct engine *e);
bool outbox_due(struct engine *e);
void outbox_recover(struct engine *e, struct network *n);
void outbox_prune(struct turn *t);
bool outbox_waits_for_morning(enum class class);
int outbox_rank(enum class class, bool bulk);
int64_t outbox_expires_s(enum class class);
/* The card and its shared choices as post_text.body holds them. */
/* The network's own number of the file with that key; NULL: never uploaded. */
const char *outbox_file_id(struct turn *t, const struct network *n, const char *key);
struct blob outbox_post_body(struct turn *t, int64_t post, const struct parcel *parcel);
/* The opened texts of posts are forgotten: one changed, or nothing goes out any more. */
void outbox_forget_texts(struct engine *e);
/* Back again; NULL: it cannot be opened, or is a deletion. */
const struct card *outbox_post_card(struct turn *t, int64_t post, struct blob body);
/* Pushes that a person may take their yes back from: sets of classes, bit N for class N. */
enum {
	PUSHES_ANNOUNCED = 1 << CLASS_ANNOUNCEMENT | 1 << CLASS_URGENT,
	PUSHES_MATCHED = 1 << CLASS_MATCH,
	PUSHES_ALL = PUSHES_ANNOUNCED | PUSHES_MATCHED | 1 << CLASS_REMINDER,
};
/* What of these waits for this person ends unsent. */
void outbox_withdraw(struct turn *t, int64_t person, unsigned pushes);
/* Only what of posts already waits in the outbox: counted as left. */
void outbox_withdraw_posts(struct turn *t, int64_t person, unsigned pushes);
/* Our relayed delivery that a message answers, 0 when unknown. */
int64_t outbox_replied(struct turn *t, int64_t chat, const char *message);
int64_t outbox_next_ms(struct engine *e);
/* room.c */
bool transport_welcome(
    void *engine, struct transport *transport, const char *room, const char *who);
extern const struct schema outbox_schema;
extern struct sql *const outbox_statements[];

/* parcel.c */
struct blob parcel_pack(struct arena *arena, const struct parcel *parcel);
struct parcel parcel_unpack(struct arena *arena, struct blob packed);

/* ship.c */
extern struct sql *const ship_statements[];
/* Queues a row that the open transaction commits as trying; copies everything. */
void ship_add(struct network *n, const struct ship *from, struct blob plain);
/* How many more may be committed as trying: answers, or what nobody waits for. */
int ship_room(const struct network *n, bool reply);
/* Whether something for this chat is on its way. */
bool ship_busy(const struct network *n, int64_t chat);
/* Whether answers that wait in the database should be taken out. */
bool ship_wants(const struct network *n);
/* Hands over what slots and chats allow; after the commit. */
void outbox_ship(struct engine *e);
/* Enough was asked for: the network is not polled until most of it is answered. */
void ship_hold(struct network *n);
void outbox_gone(
    void *engine, struct transport *transport, int64_t id, const struct outcome *outcome);
/* When fates should be written, or what could not go for long be taken back; INT64_MAX: never. */
int64_t ship_next_ms(struct engine *e);
/* The turn that queued the deliveries from that number on was undone. */
void ship_undo(struct engine *e, int64_t first);
/* The fates that outbox_fates wrote are durable. */
void ship_committed(struct engine *e);
/* What was not handed over waits in the database again: that chat's, 0: all of the network's. */
void ship_back(struct engine *e, struct network *n, int64_t chat);
void ship_recall_stale(struct engine *e);
/* Somebody was erased or moved: addresses that were known are looked up again. */
void ship_look_up(struct engine *e);
/* Nothing more is sent. */
void ship_forget(struct engine *e);

/* pace.c: how long this chat must be left alone; 0: now, which counts. */
int64_t pace_wait(struct network *n, int64_t chat, bool group, int64_t now_ms);
/* Of so many bulk messages, how many may go now. Each is told when it is picked, and when it leaves
 * or goes back (left_ms 0): what a slow commit held up counts from when it really left. */
int pace_room(struct network *n, int most, int64_t now_ms);
void pace_picked(struct network *n);
void pace_left(struct network *n, int64_t left_ms);
/* When the next one may go; now_ms: at once. */
int64_t pace_until(const struct network *n, int64_t now_ms);

/* people.c */
extern const struct schema people_schema;
extern struct sql *const people_statements[];
/* Finds or makes the person behind an event; fills t->person. False: banned. */
bool people_find(struct turn *t, const struct event *event);
void people_left(struct turn *t, const struct event *event, bool gone);
void people_back(struct turn *t);
void people_moved(struct turn *t, const struct event *event);
struct blob people_slot(struct turn *t, int64_t person);
/* The address of an account; false when it cannot be opened any more. */
bool people_address(struct turn *t, int64_t account, const char **who, const char **where);
/* The account that pushes go to: id 0 when nobody can be reached. */
int64_t people_account(struct turn *t, int64_t person, struct network **network);

/* converse.c */
extern const struct schema converse_schema;
extern struct sql *const converse_statements[];
void converse_load(struct turn *t);
void converse_keep(struct turn *t);
/* A choice pressed or numbered: runs it. False: no such choice. */
bool converse_press(struct turn *t, const char *token);
bool converse_number(struct turn *t);
bool converse_answer(struct turn *t);
void converse_stale(struct turn *t);
/* Gives the choices of a card a row; the set's token, or NULL when it has none. */
const char *converse_offer(
    struct turn *t, const struct card *card, int64_t account, int64_t delivery);
void converse_prune(struct turn *t);

/* late.c */
extern struct sql *const late_statements[];
void late_start(struct network *n);
/* A batch came; inside its transaction. */
void late_came(struct network *n);
/* A command from a time when we were away: one short word, to each person once. True: that was it. */
bool late_answered(struct turn *t, const struct command *command, const char *rest);

/* route.c */
void route_message(struct turn *t);
void route_press(struct turn *t);
void route_build(struct engine *e);
void route_free(struct engine *e);
const struct command *route_command(struct engine *e, const char *name);
/* The i-th command in menu order, NULL behind the last. */
const struct command *route_listed(struct engine *e, size_t i);
void route_run(struct turn *t, const struct command *command, const char *rest);
bool route_allowed(const struct turn *t, unsigned access);
/* What a question needs: a way back and a way out. */
void route_ways_out(struct turn *t, struct card *card, bool back);
/* The feature's action of that name, NULL when there is none. */
const struct action *route_action(
    struct engine *e, const char *name, const struct feature **feature);

/* menu.c */
extern struct sql *const menu_statements[];
void menu_happened(struct turn *t, enum happening what);
/* Sets the menu in the person's private chats, or takes it away. */
void menu_person(struct turn *t, int64_t person, bool leaving);

/* job.c */
extern const struct schema job_schema;
extern struct sql *const job_statements[];
void job_start(struct engine *e);
bool job_due(struct engine *e);
void job_run(struct engine *e);

/* page.c */
extern const struct schema page_schema;
extern struct sql *const page_statements[];
void page_start(struct engine *e);
int64_t page_next_s(struct engine *e);
void page_poll(struct engine *e);
void page_free(struct engine *e);
void page_status(struct turn *t);

/* join.c */
extern const struct schema join_schema;
extern struct sql *const join_statements[];

/* ticket.c */
extern const struct schema ticket_schema;
extern struct sql *const ticket_statements[];
void ticket_prune(struct turn *t);

/* approval.c */
extern const struct schema approval_schema;
extern struct sql *const approval_statements[];
/* Two people turned out to be one: what one gave the other is void. */
void approval_merge(struct turn *t, int64_t from, int64_t to);
void approval_prune(struct turn *t);

/* draft.c */
extern const struct schema draft_schema;
extern struct sql *const draft_statements[];
void draft_prune(struct turn *t);

/* attach.c */
extern const struct schema attach_schema;
extern struct sql *const attach_statements[];
void attach_prune(struct turn *t);

/* audit.c */
extern const struct schema audit_schema;
extern struct sql *const audit_statements[];
void audit_prune(struct turn *t);

/* audience.c: the condition of an audience over `person p`, its values being ?1 to ?12. */
#define AUDIENCE_TAGGED(kind, hole) \
	" AND (" hole " = '[]' OR EXISTS (SELECT 1 FROM tag g WHERE g.person = p.id AND g.tag IN" \
	" (SELECT '" kind ".' || value FROM json_each(" hole "))))"
#define AUDIENCE_HOLDS \
	"p.joined > 0 AND (?1 = '[]' OR p.org IN (SELECT value FROM json_each(?1)))" \
	" AND (?2 = '[]' OR " AUDIENCE_LANGUAGE \
	" IN (SELECT value FROM json_each(?2)))" AUDIENCE_TAGGED("region", "?3") AUDIENCE_TAGGED( \
	    "topic", "?4") AUDIENCE_TAGGED("event", "?5") AUDIENCE_TAGGED("group", \
	    "?6") " AND (?7 = 0 OR (p.access & ?7) <> 0)" \
		  " AND (?9 = 0 OR p.org IN (SELECT org FROM role WHERE person = ?9 AND role = 2))"
#define AUDIENCE_LANGUAGE "iif(p.language = '', ?11, p.language)"
#define AUDIENCE_SKIP \
	"CASE WHEN ?8 <> '' AND NOT EXISTS (SELECT 1 FROM consent c WHERE c.person = p.id" \
	" AND c.what = ?8) THEN 1 WHEN NOT EXISTS (SELECT 1 FROM account x WHERE x.person = p.id" \
	" AND x.reachable = 1) THEN 2 WHEN p.paused_until > ?10 THEN 3" \
	" WHEN ?12 <> '[]' AND " AUDIENCE_NETWORK " IN (SELECT value FROM json_each(?12)) THEN 4" \
	" ELSE 0 END"
/* Where somebody's pushes go: the network they prefer, else the one they came by first. */
#define AUDIENCE_NETWORK \
	"(SELECT x.network FROM account x JOIN person o ON o.id = x.person WHERE x.person = p.id" \
	" AND x.reachable = 1 ORDER BY x.network = o.prefer DESC, x.id LIMIT 1)"
enum { AUDIENCE_VALUES = 12 };
/* Fills AUDIENCE_VALUES values and the end behind them. */
void audience_values(
    struct turn *t, const struct audience *audience, int64_t at, struct value *values);
extern const struct schema audience_schema;
extern struct sql *const audience_statements[];

/* post.c */
extern const struct schema post_schema;
extern struct sql *const post_statements[];
void post_prune(struct turn *t);

/* post_feed.c: from audience to rows, and from rows to the outbox, a slice at a time. */
extern struct sql *const post_feed_statements[];
bool post_feed_due(struct engine *e);
void post_feed_run(struct engine *e);
/* Some post changed: look at all of them with the next tick. */
void post_feed_poke(struct engine *e);
/* Takes what waits in the outbox back: planned again, or ended in that state. */
void post_feed_take_back(struct turn *t, int64_t post, enum delivery_state state);

/* erasure.c */
extern struct sql *const erasure_statements[];
void erasure_start(struct engine *e);
void erasure_remember(struct turn *t, struct blob hash);
/* The WAL is to be emptied: something was erased. */
void erasure_wipe(struct engine *e);
/* Outside of a transaction: lists what was erased beside the database, and empties the WAL. */
void erasure_finish(struct engine *e);
/* The files that were made for this person go. */
void erasure_files(struct turn *t, int64_t person);
void erasure_prune(struct turn *t);
/* post_file.c: a post's file lies sealed in the database, and below the state folder only while it is
 * needed to upload it. */
extern const struct schema post_file_schema;
extern struct sql *const post_file_statements[];
bool post_has_file(struct turn *t, int64_t post);
/* A transport need not read it any more. */
void post_file_lift(struct turn *t, int64_t post);
/* Whether this network has it already. */
bool post_file_uploaded(struct turn *t, int64_t post, const struct network *n);
/* On the card of a post that has one. */
void post_file_add(struct turn *t, int64_t post, struct card *card);

/* room.c: the address of a chat that is a room of the configuration; NULL: none. */
const char *room_where(struct turn *t, const struct network *n, int64_t chat);

/* work.c */
void work_launch(struct engine *e);
/* Forgets what was begun since `before` headed the list: its turn was taken back. */
void work_undo(struct engine *e, const struct running *before);
void work_free(struct engine *e);

/* alarm.c */
extern const struct schema alarm_schema;
extern struct sql *const alarm_statements[];
/* A network joined: its alarm may be from before the start. */
void alarm_start(struct network *n);
/* A network's health is in `n`: an alarm or its end may be due, at once or when it lasts. */
void alarm_network(struct network *n);
int64_t alarm_next_ms(const struct engine *e);
/* Raises and ends what is due; inside a transaction. */
void alarm_networks(struct engine *e);
/* Looks at the queue, the disk, the clock, tzdata, backups: once a minute at the most; inside a
 * transaction. */
void alarm_look(struct engine *e);
void alarm_page(
    struct turn *t, const char *name, const char *key, int64_t failures, const char *why);
void alarm_when(struct turn *t, bool bad, const char *name, const char *detail);
void alarm_each(
    struct turn *t, void (*each)(void *ctx, const char *name, int64_t raised), void *ctx);
void alarm_status(struct turn *t);
const char *alarm_health(enum health health);

/* demo.c */
extern struct sql *const demo_statements[];
void demo_start(struct engine *e);
void demo_status(struct turn *t);
/* people.c: somebody who never was. */
int64_t people_invent(struct turn *t, const char *name, int64_t seen);
/* say.c: in a state of invented people every card says so. */
void say_mark(struct turn *t, const char *language, struct card *card);

/* metrics.c */
extern struct sql *const metrics_statements[];
/* Writes the file when something changed since, at most every 15 s. */
void metrics_tick(struct engine *e);
int64_t metrics_next_ms(const struct engine *e);
void metrics_write(struct engine *e);

#endif
