/*
 * What a network is to the engine (DESIGN.md §4). A transport polls and sends; it has no database
 * and no memory of its own: what must last travels as state rows and comes back at open. Networks:
 * "telegram", "matrix", "local".
 *
 * All calls are made on the loop's thread. `came`, `keep` and `gone` return when the engine is
 * done; `came` and `keep` have committed durably when they answer true. A transport is never called
 * back from inside its own upward call, except that `send` may follow in a later round of the loop.
 */
#ifndef CORE_TRANSPORT_H
#define CORE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct card;

/* ---- what comes in ---- */

enum event_kind {
	EVENT_MESSAGE,	 /* somebody wrote, or sent media with a caption */
	EVENT_PRESS,	 /* a button was pressed: `token` */
	EVENT_EDITED,	 /* a message was changed after it was sent; answered only in relays, with a
			    word */
	EVENT_REACHABLE, /* may be written to again: unblocked, joined */
	EVENT_BLOCKED,	 /* may not be written to: blocked, kicked, left, room gone */
	EVENT_GONE,	 /* the account does not exist any more: erase */
	EVENT_MOVED,	 /* the chat `where` is now `new_where` (migration, room upgrade) */
	EVENT_FETCHED,	 /* the bytes of a media handle that was asked for (or `media.failed`) */
	EVENT_RENEWED,	 /* Matrix: our keys had to be made anew, and what was written lately may be
			    lost: one clear sentence is due */
	EVENT_UNREADABLE, /* something came that could not be decrypted or understood: one clear
			     sentence is due */
};

enum media_kind { MEDIA_NONE, MEDIA_VOICE, MEDIA_PICTURE, MEDIA_AUDIO, MEDIA_FILE, MEDIA_OTHER };

struct media {
	enum media_kind kind;
	const char *handle; /* opaque; give it to media_fetch */
	const char *name, *type;
	int64_t bytes;	     /* size as claimed; -1 unknown */
	int64_t duration_s;  /* -1 unknown */
	const void *content; /* EVENT_FETCHED only: `bytes` of it */
	bool failed;	     /* EVENT_FETCHED: could not be had, or too big */
	int64_t asked_by;    /* EVENT_FETCHED: the id of the shipment that asked */
};

struct event {
	const char *id; /* the network's own, unique for this bot for ever or for long: duplicates
			   are known by it */
	enum event_kind kind;
	const char *who;   /* the person's id on the network: "7134", "@noor:example.org", "me" */
	const char *where; /* the chat: "7134", "-100…", "!room" ; may be NULL when it is `who`'s
			      private chat */
	bool group;	   /* others read along */
	bool to_us;	   /* in a group: addressed to the bot (command, mention, reply to it) */
	const char *text;  /* as typed; may be anything; NULL: none */
	const char *token; /* EVENT_PRESS: the data of the button, as it came (may be forged) */
	const char *press; /* EVENT_PRESS: what an answer must quote, or NULL */
	const char
	    *message; /* the network's id of this message, or of the one that carried the button */
	const char *reply_to; /* the network's id of the message this one answers, or NULL */
	const char *thread; /* what answers in this chat must quote as `reply_to` to stand where it
			 was written, or NULL */
	const char *language; /* a hint from the network ("he", "ar-PS"), or NULL */
	const char *new_where;
	int64_t sent_s; /* when, as the network says; 0 unknown */
	struct media media;
	const void *raw; /* the update's own bytes, kept sealed if its turn fails; may be NULL */
	size_t raw_length;
};

/* One thing a transport must remember: bytes NULL deletes it. Keys are the transport's own. */
struct state_row {
	const char *key;
	const void *bytes;
	size_t length;
};

struct batch {
	const char
	    *cursor; /* where the next poll goes on, stored with the batch; NULL: unchanged */
	const struct event *events;
	size_t event_count;
	const struct state_row *state;
	size_t state_count;
};

/* ---- what goes out ---- */

enum op {
	OP_SEND,
	OP_EDIT,   /* replaces the text and choices of `message` */
	OP_DELETE, /* deletes `message` */
	OP_ANSWER, /* answers a press; the card, if any, is a short toast */
	OP_MENU,   /* the command menu and description for one chat, or for all when `where` is NULL
		    */
	OP_FETCH, /* asks for the bytes of `media_handle`; answered by EVENT_FETCHED, and by gone */
	OP_LEAVE, /* leaves the chat, and forgets `who` when it is given */
	OP_TYPING, /* shows for some seconds that work goes on */
};

/* How a message behaves in doubt, when it is late and in quiet hours: the table of DESIGN.md §4. */
enum class {
	CLASS_REPLY,	    /* answers and cards on request */
	CLASS_SERVICE,	    /* edit, delete, answer, menu, fetch: idempotent, repeated for a day */
	CLASS_RELAY,	    /* somebody's words to somebody */
	CLASS_MATCH,	    /* match card, result of a pass: all at the same minute */
	CLASS_EVENT_CHANGE, /* place, change, cancellation */
	CLASS_REMINDER,
	CLASS_ANNOUNCEMENT,
	CLASS_URGENT, /* an announcement that passes quiet hours */
	CLASS_ALARM,  /* to the ops room */
	CLASS_COUNT,
};

struct menu_entry {
	const char *command;	 /* a-z, 0-9, _ */
	const char *description; /* 1-256 scalars */
};

/* One operation. Everything in it lives until `send` returns; a transport copies what it needs
 * longer. */
struct shipment {
	int64_t id; /* the outbox row: Matrix' transaction id; quoted in gone */
	enum op op;
	enum class class;
	const char *who;     /* may be NULL for a group or a room */
	const char *where;   /* the chat */
	const char *message; /* OP_EDIT, OP_DELETE: the network's id of the message */
	const char *press;   /* OP_ANSWER */
	const char *media_handle;
	const struct card *card; /* at most the network's length already; never longer */
	const char *
	    set; /* the card's choices: button k (from 1) carries "SET.k" as its data; NULL: none */
	const char *language; /* of the card: "ar", "he", "en" */
	const char *reply_to; /* `thread` of the event that it answers, or NULL */
	const char *
	    file_id; /* the network's own id of the card's file, when it has been uploaded before */
	const char *file_path; /* where the card's file lies now, or NULL */
	const struct menu_entry
	    *menu; /* OP_MENU; ended by a NULL command; no entry: take the menu away */
	const char
	    *description; /* OP_MENU with where NULL: what the bot says of itself, else NULL */
	bool notify;	  /* should raise a notification where the network distinguishes */
	bool repeated;	  /* a second attempt after doubt, in a class that allows it */
};

enum fate {
	FATE_SENT,
	FATE_LATER,	/* provably not sent: try again after after_ms */
	FATE_REFUSED,	/* the network said no for good: `refusal` */
	FATE_UNCERTAIN, /* nobody knows */
};

enum refusal {
	REFUSAL_NONE,
	REFUSAL_BLOCKED,   /* by the person */
	REFUSAL_GONE,	   /* the account or the chat is no more */
	REFUSAL_NEVER_MET, /* the person never started the bot */
	REFUSAL_MOVED,	   /* the chat is now new_where: the engine sends again there */
	REFUSAL_BAD,	   /* our mistake: malformed, too long */
	REFUSAL_OTHER,
};

struct outcome {
	enum fate fate;
	enum refusal refusal;
	int64_t after_ms;    /* FATE_LATER: at least so long; 0: the engine's own back-off */
	bool whole_network;  /* FATE_LATER: nobody else may be sent to meanwhile either */
	int64_t network_ms;  /* then: how long nobody; 0: after_ms */
	const char *message; /* FATE_SENT: the network's id, or NULL */
	const char *file_id; /* FATE_SENT with a file: the network's own id for it, or NULL */
	const char *new_where;
};

/* ---- how it goes ---- */

enum health {
	HEALTH_STARTING,
	HEALTH_GOOD,
	HEALTH_DOWN,	   /* cannot be reached, is tried again */
	HEALTH_DEAF,	   /* polls that should have ended did not */
	HEALTH_CONFLICT,   /* somebody else polls with our token */
	HEALTH_REFUSED,	   /* bad token: tried again now and then */
	HEALTH_NEW_DEVICE, /* Matrix: keys had to be made anew; people are told */
	HEALTH_LOST,	   /* before HEALTH_GOOD: it was away so long that messages are lost */
};

struct transport;

/* What a transport may say. `engine` is passed back as it was given at open. */
struct transport_up {
	void *engine;
	/* Everything of the batch in one transaction. False: nothing was committed, poll the same
	 * again later. */
	bool (*came)(void *engine, struct transport *transport, const struct batch *batch);
	/* State that must be durable before something is uploaded or sent. */
	bool (*keep)(
	    void *engine, struct transport *transport, const struct state_row *state, size_t count);
	/* What became of a shipment; exactly once for each. */
	void (*gone)(
	    void *engine, struct transport *transport, int64_t id, const struct outcome *outcome);
	/* `detail` is fixed text of ours with numbers, never data. */
	void (*health)(
	    void *engine, struct transport *transport, enum health health, const char *detail);
	/* Whether `who` may bring us into `room`, where several read along: it stands in the
	 * configuration, or they hold a role. NULL: nobody may. */
	bool (*welcome)(
	    void *engine, struct transport *transport, const char *room, const char *who);
};

struct transport_ops {
	/* Once, before anything else: the stored cursor (NULL: none) and state rows, which live
	 * during the call only. */
	void (*open)(struct transport *transport, const struct transport_up *up, const char *cursor,
	    const struct state_row *state, size_t count);
	/* Begin to listen, now and for good. */
	void (*poll)(struct transport *transport);
	/* `hold` was taken back: poll again if that is why no poll is out. NULL: the transport knows
	 * no `hold`. */
	void (*resume)(struct transport *transport);
	/* At most `slots` are under way at once. Answered by `gone`, never from inside this call.
	 */
	void (*send)(struct transport *transport, const struct shipment *shipment);
	/* Stop polling and sending, and free it. What was under way and provably not sent is
	 * reported LATER before it returns, what may have been sent UNCERTAIN. No callback
	 * afterwards. */
	void (*close)(struct transport *transport);
};

/* The first member of each transport's own struct. */
struct transport {
	const char *name;
	const struct transport_ops *ops;
	int slots;		/* shipments under way at once */
	size_t text_scalars;	/* the longest message */
	size_t caption_scalars; /* the longest text beside a file; 0: as any text */
	bool buttons;		/* choices are buttons; else the renderer numbers them */
	bool keeps_files;	/* a file sent is a file on this machine: it stays for a day */
	bool menus;		/* shows a menu of commands: takes OP_MENU */
	bool remembers;		/* keeps something of people it talks with: takes OP_LEAVE, with
				   `who`, for a person who was erased */
	bool repeats_safely;	/* the same id twice is one message (Matrix): doubt is repeated */
	double per_second;	/* bulk messages; 0: no limit known */
	double per_chat_second; /* bulk messages in one chat */
	bool hold;		/* the engine's: enough came that is not yet answered, poll no more
				   until `resume` */
	char link_start[128]; /* what stands before a deep link's payload ("https://t.me/x?start=");
				 without '=' at its end it leads to the bot alone, and the payload is
				 typed there; "": no links */
	char command_sign;    /* '/' or '!' */
};

#endif
