/*
 * The shelf of practices and resources that organisations share, for their coordinators:
 * shelf.c keeps, shows and finds them, shelf_write.c is their writing, shelf_news.c tells who
 * follows a topic, forum.c is the way in and the sessions.
 *
 * A resource is an organisation's, never a person's: who wrote it is nowhere. Its words stand
 * folded in a full-text index too, and leave that together with the resource.
 */
#ifndef FEATURES_SHELF_H
#define FEATURES_SHELF_H

#include "core/turn.h"

enum shelf_kind { SHELF_LINK, SHELF_FILE, SHELF_TEXT, SHELF_KINDS };
enum { SHELF_TOPICS = 12, SHELF_DAY = 86400 };
#define SHELF_ATTACH "shelf" /* the kind of its files (core/attach.h) and of its drafts */

struct resource {
	int64_t id;
	enum shelf_kind kind;
	int64_t topic, attachment, event; /* event: the session it is material of; 0 */
	int64_t shared;			  /* unix s */
	const char *org;		  /* "": the network itself */
	const char *language;		  /* "": another one, or several */
	const char *title, *about;
	const char *body; /* the address, or the text */
};

/* False: there is none (any more). No pointer is NULL. */
bool shelf_get(struct turn *t, int64_t id, struct resource *r);
/* A new one (id 0: its number is set), or another version of it. */
void shelf_put(struct turn *t, struct resource *r);
/* Whether t->person speaks for its organisation: coordinators, or an admin for the network. */
bool shelf_owns(struct turn *t, const struct resource *r);
/* For which organisation t->person shares; NULL: for none. */
const char *shelf_org(struct turn *t);

const char *shelf_topic(struct turn *t, const char *language, int64_t topic);
const char *shelf_language(struct turn *t, const char *code);
const char *shelf_kind_name(struct turn *t, enum shelf_kind kind);
/* "Title", then topic and organisation. */
struct card *shelf_line(struct turn *t, const char *language, const struct resource *r);
/* All of it but its file, without choices. */
struct card *shelf_content(struct turn *t, const struct resource *r);
/* The card with its choices and its file. */
void shelf_show(struct turn *t, const struct resource *r);
/* "12" as a value of choices. */
char *shelf_key(struct turn *t, int64_t id);
/* What is found for these words. */
void shelf_find(struct turn *t, const char *query);
/* The choices to search and browse by; how many resources there are. */
int64_t shelf_choose(struct turn *t, struct card *card);

/* ---- shelf_write.c ---- */
/* The way to a new one (or on with the draft), when t->person may share; for the session, or 0. */
void shelf_choose_new(struct turn *t, struct card *card, int64_t event);

/* ---- shelf_news.c ---- */
void shelf_choose_topics(struct turn *t, struct card *card);

/* ---- forum.c ---- */
struct occasion;
/* The way from a session's card to its materials. */
void forum_choose(struct turn *t, struct card *card, const struct occasion *o);
/* Everything here is for them. */
#define SHELF_FOR (COORDINATORS | ADMINS)

#endif
