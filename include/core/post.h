/*
 * A post: content once per language, one delivery row for each recipient, and a report that always
 * adds up. Announcements, event notices, season calls and surveys go out through it.
 *
 *   post = post_new(t, CLASS_ANNOUNCEMENT, expires);
 *   post_say(t, post, "en", card); … for each configured language
 *   post_audience(t, post, &audience);
 *   post_start(t, post, due);
 *
 * It is frozen at once, in slices beside everything else; goes out from `due` on as fast as the
 * networks allow and behind every reply; HAPPENED_POST (t->post) tells the feature of each stage.
 * Who was in the audience when it was frozen gets it; who left, paused, blocked us or took the
 * consent back before their turn does not (counted as left); who came later does not either.
 */
#ifndef CORE_POST_H
#define CORE_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/audience.h"
#include "core/turn.h"

enum post_stage {
	POST_NEW,      /* being put together */
	POST_FREEZING, /* the audience becomes rows */
	POST_READY,    /* waits for its moment */
	POST_SENDING,
	POST_PAUSED,   /* post_resume goes on where it stood */
	POST_STOPPING, /* nothing more goes out; what is in the air comes to its end */
	POST_STOPPED,  /* as DONE, but not for everybody */
	POST_DONE,
};

/* How a delivery ended: the numbers of delivery.state. */
enum post_fate {
	POST_DELIVERED = 2,
	POST_REFUSED,
	POST_EXPIRED,
	POST_DOUBT,
	POST_STOPPED_BEFORE = 7, /* its turn had not come when the post was stopped */
	POST_LEFT,    /* left, paused, blocked or took the consent back before its turn */
	POST_SKIPPED, /* in the audience, but got no row: enum skip */
};

/* The number of the new post of t->feature. expires: unix s, 0: the class's own after `due`. */
int64_t post_new(struct turn *t, enum class class, int64_t expires);
/* What readers of this language get: everyone of them a text, so say each configured language. Its
 * choices are actions and commands, the same for everybody, and never questions of a flow. */
void post_say(struct turn *t, int64_t post, const char *language, struct card *card);
/* What was said for this language; NULL: nothing, or it is gone (3 days after the end). */
const struct card *post_card(struct turn *t, int64_t post, const char *language);
/* Whether it is one message on every network that is open. */
bool post_fits(struct turn *t, const struct card *card);
void post_audience(struct turn *t, int64_t post, const struct audience *audience);
/* A file that goes with every text said afterwards. It is kept sealed, and goes up to each network
 * once: everybody else gets it by the network's own number. */
void post_file(struct turn *t, int64_t post, const char *name, const char *type, struct blob bytes);
/* So that a card of it can be shown before it goes out. */
void post_file_lay(struct turn *t, int64_t post);
/* The file of another post too, if it has one. */
void post_file_copy(struct turn *t, int64_t from, int64_t to);
/* The keyed hash of its bytes, name and type; none: it has no file. */
struct blob post_file_hash(struct turn *t, int64_t post);
/* Posts it into these rooms too (names of core/room.h, separated by spaces), in each of their
 * languages: with the text said for "room.LANGUAGE". */
void post_rooms(struct turn *t, int64_t post, const char *rooms);
/* Instead of an audience: this person gets it. False: not reachable, or left. */
bool post_add(struct turn *t, int64_t post, int64_t person);
/* Freezes it now; goes out from `due` (unix s) on. */
void post_start(struct turn *t, int64_t post, int64_t due);
/* Nothing more is begun, at once. False: it is not going out. */
bool post_pause(struct turn *t, int64_t post);
bool post_resume(struct turn *t, int64_t post);
/* For good: only what is in the air still arrives. False: it has ended already. */
bool post_stop(struct turn *t, int64_t post);

/* Put together but never to be started: its texts go. */
void post_drop(struct turn *t, int64_t post);

/* A post that takes back every copy of `of` that arrived or may yet: deletes them or, with texts
 * from post_say, replaces them. Stops `of` first. Give it texts, then post_start. 0: there is
 * nothing left to take back. Its own report says how far the networks let us. */
int64_t post_recall(struct turn *t, int64_t of, bool replace);

struct post_report {
	enum post_stage stage;
	int64_t of;		     /* a recall: the post it takes back; else 0 */
	int64_t due, expires, ended; /* unix s; ended 0: not yet */
	int64_t audience;	     /* all: the sum of everything below */
	int64_t delivered, refused, expired, doubt, stopped, left;
	int64_t skipped[SKIP_COUNT];
	int64_t waiting; /* not begun */
	int64_t in_air;	 /* under way at this moment */
};
/* False: no such post of this feature. */
bool post_report(struct turn *t, int64_t post, struct post_report *report);

struct post_count {
	const char *network, *language; /* network "" when it has none (skipped) */
	enum post_fate fate;
	int reason; /* enum refusal, or enum skip */
	int64_t n;
};
/* The final ones, by network, language, fate and reason. */
void post_each(struct turn *t, int64_t post,
    void (*each)(struct turn *t, const struct post_count *count, void *ctx), void *ctx);
/* Seconds that so many more will take there, behind what waits already, by the network's limit; 0:
 * no limit known. */
int64_t post_seconds(struct turn *t, int64_t recipients, const char *network);
/* When that many seconds of sending will be over, begun at `from`: a class that waits for the
 * morning stands still at night. Unix s, to a quarter of an hour. */
int64_t post_over(struct turn *t, enum class class, int64_t from, int64_t seconds);

#endif
