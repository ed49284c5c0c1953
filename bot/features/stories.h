/*
 * What the files of stories share: season.c opens and ends seasons, story.c holds the stories and
 * is their author's side, story_write.c their writing, redact.c the check before anybody reads,
 * judge.c the jury, stories.c the readers, exhibitions and the export.
 *
 * Everything of a story is sealed under its author's key, and withdrawing deletes its row: whatever
 * looks for it in the same transaction finds nothing.
 */
#ifndef FEATURES_STORIES_H
#define FEATURES_STORIES_H

#include "core/turn.h"

enum story_state {
	STORY_DRAFT,
	STORY_CHECK,  /* waits for a coordinator */
	STORY_AUTHOR, /* the coordinator has looked; waits for the author's word on it as it is now
		       */
	STORY_LIVE,
};

enum story_use {
	USE_JUDGES,
	USE_WEBSITE, /* the website and reading in the bot */
	USE_EXHIBITION,
	USE_SOCIAL,
	USE_NAME,
	USE_COUNT,
};

struct story {
	int64_t id, season, person;
	int64_t number; /* what others know it by: random, so it tells no order */
	int64_t rank;	/* 1 to 3: a winner; 0 */
	enum story_state state;
	const char *org, *language;	      /* of its author */
	const char *title, *pseudonym, *name; /* "" when not given */
	const char *own;		      /* as the author wrote it */
	const char *text;		      /* as others read it: redacted where it was */
	const char *translation, *translated; /* a second text and its language, or "" */
	int64_t until[USE_COUNT];	      /* unix s; 0: not granted, or expired */
	bool told_out; /* exported or announced: it stands outside of the bot */
};

/* By row; every text is unsealed. False: there is none (or it was withdrawn). */
bool story_get(struct turn *t, int64_t id, struct story *story);
bool story_numbered(struct turn *t, int64_t number, struct story *story);
/* Says a card that holds something of the story: its copy is taken back when the story goes. */
void story_show(struct turn *t, const struct story *story, struct card *card);
/* Its pictures and voices, each a message of its own. */
void story_show_media(struct turn *t, const struct story *story);
/* Title, byline and text for readers; in `language` where there is a translation. */
struct card *story_card(struct turn *t, const struct story *story);
/* Gone, now: the row, its uses, media and votes; delivered copies as far as networks allow. */
void story_withdraw(struct turn *t, const struct story *story);
void story_set_state(struct turn *t, const struct story *story, enum story_state state);
/* What a coordinator made of it; the author is asked again. */
void story_set_text(struct turn *t, const struct story *story, const char *text);
void story_set_translation(
    struct turn *t, const struct story *story, const char *text, const char *language);
void story_told_out(struct turn *t, const struct story *story);
/* This announcement names it: it is called back when the story goes. */
void story_told_in(struct turn *t, const struct story *story, int64_t announcement);
/* Says t->person their own story, and what can be done with it. */
void story_mine(struct turn *t);
/* The choice that leads the author to it, under a card told in that language. */
void story_choose_mine(struct turn *t, struct card *card, const char *language);

enum season_stage { SEASON_OPEN, SEASON_FINAL, SEASON_WON };

struct season {
	int64_t id, closes, judged, final; /* unix s: ends of writing, judging, the final */
	enum season_stage stage;
};
/* The newest one. */
bool season_now(struct turn *t, struct season *season);
bool season_get(struct turn *t, int64_t id, struct season *season);
enum season_text { SEASON_PROMPT, SEASON_PRIZE, SEASON_CONSENT, SEASON_RUBRIC, SEASON_TEXTS };
/* In the reader's language, or what there is. */
const char *season_text(struct turn *t, int64_t season, enum season_text which);
/* One of its four criteria, from 0. */
const char *season_criterion(struct turn *t, int64_t season, int which);

/* The way from an event's card to the stories it shows, when it is an exhibition with any. */
void stories_choose(struct turn *t, struct card *card, int64_t event);

/* How many stories t->person has still to judge in the season; of those they may see. */
int64_t judge_left(struct turn *t, int64_t season, int64_t judge);
/* Ends judging (or the final): sets the three ranks, or marks who goes to the final. */
void judge_end(struct turn *t, const struct season *season);
/* Stories that at least three have judged. */
int64_t judge_enough(struct turn *t, int64_t season);

#define STORY_DAY ((int64_t)86400)

#endif
