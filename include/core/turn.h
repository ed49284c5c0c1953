/*
 * A turn: one thing happens, one synchronous function answers, one transaction (or savepoint) holds
 * it all. This is everything a feature may say and ask. All strings live in the turn's arena and
 * are dead after the turn.
 */
#ifndef CORE_TURN_H
#define CORE_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/card.h"
#include "core/feature.h"
#include "core/transport.h"
#include "store/db.h"

struct conf;
struct engine;
struct partners;
struct seal;
struct words;
struct zones;

/* Who acts. A visitor has chosen a language and nothing else; a member joined by a code. */
struct person {
	int64_t id;
	int64_t account;       /* the account this turn came through */
	const char *network;   /* of that account */
	const char *language;  /* "" until chosen */
	unsigned access;       /* enum access, or-ed: MEMBERS and the roles */
	const char *org;       /* organisation id; "" for a visitor */
	const char *pseudonym; /* made at joining, changeable; two words; "" for a visitor */
	int64_t joined;	       /* unix s; 0: visitor */
	int64_t paused_until;  /* unix s; 0: not; PAUSED_FOR_GOOD */
	bool adult;	       /* 18+ declared */
	bool fresh;	       /* this is their first message ever */
	struct blob slot;      /* the key slot: for seal_person */
};
enum { PERSON_NOBODY = 0 };
#define PAUSED_FOR_GOOD INT64_MAX

struct turn {
	struct engine *engine;
	struct db *db;
	struct arena *arena;
	const struct seal *seal;
	const struct words *words;
	const struct conf *conf;
	struct zones *zones;
	const struct partners *partners;
	int64_t now;	       /* unix s, UTC: the only clock */
	struct person *person; /* NULL in a job */
	const char *language;  /* what this turn speaks: the person's, or the first configured */
	bool group;	       /* others read along: say nothing personal */
	const char *text;      /* what was typed, cleaned; "" when nothing */
	const char *rest;      /* behind the command, trimmed; "" when nothing */
	const char *value;     /* of the choice, of the job, of the link; "" when nothing */
	const char *key;       /* of the job, page or work */
	int64_t took_ms;       /* how long the work that came took, and waited for a thread */
	bool chosen;	       /* a choice was pressed or its number typed */
	const struct media *media; /* NULL: none */
	int64_t replied;	   /* our delivery that this message answers; 0: none or unknown */
	int64_t pressed;	   /* our delivery that carried the button; 0: none */
	int64_t subject;	   /* HAPPENED_…: the person it is about */
	int64_t delivery;	   /* HAPPENED_DELIVERED */
	int64_t post;		   /* HAPPENED_POST */
	/* The rest is the engine's. */
	const struct event *event;
	const struct feature *feature;
	void *private;
};

/* ---- words ---- holes are pairs of name and string, ended by NULL; strings are isolated by
 * construction. */

struct card *words(struct turn *t, const char *key, ... /* hole, value, …, NULL */)
    __attribute__((sentinel));
/* The plural form for n; {n} is filled. */
struct card *words_n(struct turn *t, const char *key, int64_t n, ...) __attribute__((sentinel));
/* In another language than the turn's: for what goes to other people. */
struct card *words_in(struct turn *t, const char *language, const char *key, ...)
    __attribute__((sentinel));
struct card *words_n_in(struct turn *t, const char *language, const char *key, int64_t n, ...)
    __attribute__((sentinel));
/* As flat text, for labels and as a hole of other words. */
char *words_flat(struct turn *t, const char *key, ...) __attribute__((sentinel));
char *words_flat_in(struct turn *t, const char *language, const char *key, ...)
    __attribute__((sentinel));

/* The best of up to three translations in the reader's own order of languages; *fell is set when it
 * is not theirs. NULL and "" are missing. */
struct translated {
	const char *language;
	const char *text;
};
const char *translation(struct turn *t, const char *language, const struct translated *texts,
    size_t count, const char **fell);

/* ---- saying ---- */

/* To the chat the turn came from. In a group only public things; personal ones: say_private. */
void say(struct turn *t, struct card *card);
/* To the person's private chat even when they wrote in a group. */
void say_private(struct turn *t, struct card *card);
/* As say_private; the number of the delivery (of its last piece), for what may have to be taken back
 * later. 0: nobody to say it to. */
int64_t say_kept(struct turn *t, struct card *card);
/* To the chat of somebody who was erased in this turn: nothing of it is tied to a person. */
void say_erased(struct turn *t, struct card *card);
/* To somebody else (or from a job), in the class given; held back for quiet hours and pause by
 * class. Whether they consented is for the caller to look at (people.h); what waits when somebody
 * pauses or withdraws the consent to announcements ends unsent. `expires` unix s, 0: the class's
 * own. The id of the delivery, 0 when they cannot be reached. */
int64_t tell(struct turn *t, int64_t person, enum class class, int64_t expires, struct card *card);
/* The same, not before this moment (a pass's results at the same minute). */
int64_t tell_at(struct turn *t, int64_t person, enum class class, int64_t not_before,
    int64_t expires, struct card *card);
/* Replaces what the pressed button stands on; where that cannot be, a new message. */
void edit(struct turn *t, struct card *card);
void edit_delivery(struct turn *t, int64_t delivery, struct card *card);
void delete_delivery(struct turn *t, int64_t delivery);
/* A short toast for a press; without it the press is answered silently. */
void toast(struct turn *t, struct card *card);
/* Deletes what was said to this person since then, on every network, as far as it lets us; it is
 * ordered under no name, so that it still happens when they are erased in the same turn. */
void delete_said(struct turn *t, int64_t person, int64_t since);
/* The language a person reads. */
const char *language_of(struct turn *t, int64_t person);

/* ---- choosing ---- */

/* Puts a choice under the card: its label from the words, what it does, and with what value (<= 200
 * bytes). */
void choose(struct turn *t, struct card *card, const char *label_key, const char *action,
    const char *value);
/* The label as it stands (somebody's words inside must be isolated by the caller: text_isolate). */
void choose_text(
    struct turn *t, struct card *card, const char *label, const char *action, const char *value);
/* What leads to this bot on that network with a payload ("k_…"); NULL where there is no such link, or
 * while the bot's own name there is not known yet. */
const char *link_to(struct turn *t, const char *network, const char *payload);
/* What is to be typed in the chat to which that link leads, because the network's links carry no payload
 * ("!start k_…"); NULL: nothing. */
const char *link_by_hand(struct turn *t, const char *network, const char *payload);
/* The links of every network under the card, in its reader's language, with what is to be typed there. */
void link_add(struct turn *t, const char *language, struct card *card, const char *payload);
/* In a flow: the answer is `value`. */
void choose_answer(struct turn *t, struct card *card, const char *label_key, const char *value);
void choose_answer_text(struct turn *t, struct card *card, const char *label, const char *value);
/* A choice that sends a command: "podcast". */
void choose_command(struct turn *t, struct card *card, const char *command);
/* Plain numbers and words that they type no longer press a button of an older card (buttons and
 * "#2" still do): what is typed next is meant for another person. */
void choose_no_more(struct turn *t, int64_t person);
/* The public menu of this person as choices. */
void choose_menu(struct turn *t, struct card *card);

/* ---- conversations ---- */

void flow_begin(struct turn *t, const struct flow *flow);
void flow_goto(struct turn *t, const char *step); /* then return JUMPED */
void flow_end(struct turn *t);
/* What the flow remembers between turns; sealed under the person's key. NULL value forgets. */
void flow_set(struct turn *t, const char *name, const char *value);
const char *flow_get(struct turn *t, const char *name); /* "" when not set */
/* The flow a person is in ("" none): to hold pushes back. */
const char *flow_of(struct turn *t, int64_t person);

/* ---- clock ---- */

/* Orders (or moves) the job (name, key); the same key again replaces it. */
void job_at(struct turn *t, const char *name, const char *key, int64_t due, const char *value);
void job_cancel(struct turn *t, const char *name, const char *key);
/* The first moment from `when` on outside this person's quiet hours. */
int64_t after_quiet_hours(struct turn *t, int64_t person, int64_t when);

/* ---- pages, work, media ---- */

struct page {
	const char *name, *key; /* "podcast.feed", "groundwork" */
	const char *bytes;
	size_t length;
	const char *content_type; /* or NULL */
	const char *url;	  /* where it really came from */
};
/* Poll this address every so often; the same (name, key) again changes it. PAGE_NEVER removes it.
 */
void page_want(struct turn *t, const char *name, const char *key, const char *url, int64_t every_s);
void page_forget(struct turn *t, const char *name, const char *key);
/* Read it whole at the next opportunity, and hand it over even if it has not changed. */
void page_refresh(struct turn *t, const char *name, const char *key);
/* Tells the page module that the content could not be used: counted, shown by status, alarmed after
 * some. */
void page_broken(struct turn *t, const struct page *page, const char *reason);

/* `input` is copied. The same (name, key) still running: false. */
bool work_start(struct turn *t, const char *name, const char *key, struct blob input);
void work_stop(struct turn *t, const char *name, const char *key);
/* How far it says it is, 0 to 100; -1: not running. */
int work_percent(struct turn *t, const char *name, const char *key);

/* Asks for the bytes of t->media; they come as HAPPENED_MEDIA with t->key = key to this feature. */
void media_fetch(struct turn *t, const char *handle, const char *key);
/* A new file below the state folder for what this turn makes; removed by itself when sent or after
 * a day. */
char *file_new(struct turn *t, const char *name, const void *bytes, size_t length);
/* The card_file key of what several people may ask for: the same bytes go up to a network once, whoever
 * asks. Not for what is one person's own (an export, a story's picture): nothing of it is remembered. */
char *file_key(struct turn *t, const void *bytes, size_t length);

/* ---- people (core/people.h has the rest) ---- */

/* Seals and unseals under a person's key; purpose is "table.column". */
struct blob seal_person(struct turn *t, int64_t person, const char *purpose, const char *text);
const char *unseal_person(struct turn *t, int64_t person, const char *purpose, struct blob sealed);

/* The same for bytes (a picture, a voice); none when it does not open. */
struct blob seal_person_bytes(
    struct turn *t, int64_t person, const char *purpose, struct blob plain);
struct blob unseal_person_bytes(
    struct turn *t, int64_t person, const char *purpose, struct blob sealed);

/* ---- others ---- */

/* Makes the whole turn fail and roll back; the person hears engine.failed. For what cannot be. */
void turn_fail(struct turn *t, const char *reason);
/* One line of `status`; alarm when it is not good. */
void status_line(struct turn *t, const char *name, const char *value, bool good);
/* An alarm to the ops room or the admins: once until alarm_over. Words: key and holes as words().
 */
void alarm_raise(struct turn *t, const char *name, const char *detail);
void alarm_over(struct turn *t, const char *name);

#endif
