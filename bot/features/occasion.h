/*
 * An event as the features see it, whether a calendar or a coordinator brought it.
 *
 * events.c lists them and reads calendars; occasion.c reads one and draws its public card;
 * newevent.c writes one in chat; rsvp.c knows who comes and who waits; remind.c says when it is
 * near and what changed; place.c gives out what is private, to those who come, for a while;
 * door.c is the organisers' side and what happens at the door and afterwards.
 *
 * The exact place and the link are sealed in columns that place.c alone opens (and newevent.c, for
 * an organiser who edits): no card made by anybody else can hold them.
 */
#ifndef FEATURES_OCCASION_H
#define FEATURES_OCCASION_H

#include "core/turn.h"

enum occasion_kind { OCCASION_UNSAID, OCCASION_JOINT, OCCASION_UNINATIONAL };

struct occasion {
	int64_t id, start, finish; /* unix s */
	int64_t sequence;	   /* of its .ics: grows with each change */
	int64_t author;		   /* 0: from a calendar, or erased meanwhile */
	int64_t capacity;	   /* 0: no limit */
	int64_t hours;		   /* what is private is given out so long before */
	enum occasion_kind kind;
	unsigned audience; /* enum access, or-ed: who may see it; ANYONE */
	bool cancelled, all_day, once_only;
	bool hosted; /* written in chat */
	bool interpretation, has_exact, has_link;
	const char *calendar; /* "" when written in chat */
	const char *uid, *recurrence, *zone, *wall, *url, *org;
	const char *title, *text; /* as its calendar has them, or the first language there is */
	const char *place;	  /* what everybody may know of it */
	const char *languages;	  /* codes separated by spaces */
	const char *access;	  /* notes on getting there and in */
};

/* No pointer is NULL. False: there is none. */
bool occasion_get(struct turn *t, int64_t id, struct occasion *o);
/* Whether somebody with this access may see it; nobody's access is ANYONE. */
bool occasion_visible(const struct occasion *o, unsigned access);
/* The access t->person brings to the place they are in: in a group nothing. */
unsigned occasion_access(const struct turn *t);
/* In the reader's language or what there is; *fell (may be NULL) as translation() sets it. */
const char *occasion_title(struct turn *t, const char *language, const struct occasion *o);
const char *occasion_text(
    struct turn *t, const char *language, const struct occasion *o, const char **fell);
char *occasion_when(struct turn *t, const char *language, const struct occasion *o);
/* Everything public, without choices. */
struct card *occasion_card(struct turn *t, const char *language, const struct occasion *o);
/* Lines that only those written in chat have: joint or not, online, languages, getting there. */
void occasion_details(
    struct turn *t, struct card *card, const char *language, const struct occasion *o);
/* Whether t->person runs it: its author, a coordinator of its organisation, an administrator. */
bool occasion_may(struct turn *t, const struct occasion *o);
/* "12" as a value of choices and a key of jobs. */
char *occasion_key(struct turn *t, int64_t id);
/* A title in the place of a number that leads nowhere any more. */
void occasion_gone(struct turn *t);

/* ---- events.c ---- */
/* The card with what t->person can do about it. */
struct card *events_card(struct turn *t, const struct occasion *o);

/* ---- rsvp.c ---- */
enum rsvp { RSVP_NONE, RSVP_MAYBE, RSVP_WAITING, RSVP_OFFERED, RSVP_YES };
enum rsvp rsvp_of(struct turn *t, int64_t event, int64_t person);
/* Adds t->person's own answer and the buttons to answer with. */
void rsvp_add(struct turn *t, struct card *card, const struct occasion *o);
/* Calls back with everybody of that answer. */
void rsvp_each(struct turn *t, int64_t event, enum rsvp answer,
    void (*each)(struct turn *t, int64_t person, void *ctx), void *ctx);
int64_t rsvp_count(struct turn *t, int64_t event, enum rsvp answer);
/* Two accounts become one person: what `from` answered is the answer of `to`, where that one gave
 * none. To be called before people_merge. */
void rsvp_move(struct turn *t, int64_t from, int64_t to);
/* Offers what is free to those who wait, in their order. */
void rsvp_offer(struct turn *t, int64_t event);

/* ---- remind.c ---- */
/* What is due about it, ordered anew: after an answer, a change, a zone that moved. */
void remind_plan(struct turn *t, const struct occasion *o);
/* It is no longer what `was` said: everybody concerned hears what changed. */
void remind_changed(struct turn *t, const struct occasion *was, const struct occasion *now);

/* ---- place.c ---- */
/* Seals them into the event; NULL or "" takes them away. True: something is different. */
bool place_set(struct turn *t, int64_t event, const char *exact, const char *link);
/* As t->person wrote them, for who may edit it; "" when there is none. */
const char *place_exact(struct turn *t, const struct occasion *o);
const char *place_link(struct turn *t, const struct occasion *o);
/* From when on it is given out, and until when; unix s. */
int64_t place_from(struct turn *t, const struct occasion *o);
int64_t place_until(const struct occasion *o);
/* They have just become one of those who come: now, when its hour has come. */
void place_confirmed(struct turn *t, const struct occasion *o, int64_t person);
/* They do not come: what they were told is taken back. */
void place_left(struct turn *t, int64_t event, int64_t person);
/* Two accounts became one person: what one was told is taken back from the other. */
void place_move(struct turn *t, int64_t from, int64_t to);
/* Other words, or none any more: what was told is taken back and told anew. */
void place_changed(struct turn *t, const struct occasion *o);
/* Its hour has come; its time is over. */
void place_give(struct turn *t, const struct occasion *o);
void place_take(struct turn *t, int64_t event);
/* The button, for who comes and while it is given out. */
void place_choose(struct turn *t, struct card *card, const char *language, const struct occasion *o,
    int64_t person);

/* ---- door.c ---- */
/* Afterwards: did you come. */
void door_after(struct turn *t, const struct occasion *o);

#define OCCASION_DAY ((int64_t)86400)

#endif
