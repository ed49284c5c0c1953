/*
 * What the files of meeting people share: the profile (match.c), the rounds (round.c), the chats
 * (relay.c) and the safety around them (safety.c).
 */
#ifndef FEATURES_MEETING_H
#define FEATURES_MEETING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/turn.h"
#include "matching/matching.h"

struct card;

/* A profile for meeting as its owner tapped it. 0 is always "unanswered": the widest reading, but
 * for the wishes. Where one of several is chosen the number is its place from 1. */
struct meeting {
	uint32_t topics, slots, goals, modes; /* bits */
	uint32_t level[MATCHING_LANGUAGES];   /* 0 to 3 */
	uint32_t region, side, cross, years, often;
	uint32_t women; /* bits: is a woman, wishes for women only */
	uint32_t trio;	/* bit: a group of three is fine */
};
enum { MATCH_LANGUAGES = 6, MATCH_TOPICS = 24, MATCH_EPISODES = MATCHING_TOPICS - MATCH_TOPICS };
enum match_often { OFTEN_EACH = 1, OFTEN_SECOND, OFTEN_THIRD, OFTEN_ON_REQUEST };

/* ---- match.c ---- */

/* To and from its stored form, a line of names and numbers; sealed as meeting.profile. */
const char *match_text(struct arena *arena, const struct meeting *meeting);
struct meeting match_read(const char *text);
/* As the matcher takes it. `org` stays the caller's. */
struct matching_person match_person(const struct meeting *meeting);
/* A row for somebody who consents, so that rounds know them. */
void match_ensure(struct turn *t, int64_t person);
/* The consent is taken back, and the profile goes at once; the keyed hashes of past pairs stay, so that
 * nobody meets twice. */
void match_stop(struct turn *t, int64_t person);
/* Adults with consent, members, not pausing, not out of reach, not waiting for a look of the safety
 * officers. */
bool match_may(struct turn *t, int64_t person);
/* A keyed hash in place of the person, for what must outlive them ("" for nobody). */
const char *match_mark(struct turn *t, int64_t person);
/* The two are not suggested to each other before `until` (MATCH_NEVER: never); the later counts. */
#define MATCH_NEVER INT64_MAX
void match_past(struct turn *t, int64_t a, int64_t b, int64_t until);
/* Whom `from` met, blocked or avoids counts for `to` as well. To be called before people_merge. */
void match_move(struct turn *t, int64_t from, int64_t to);
/* The words of what a card may say: one line. `mentor` facts are told from the reader's side. */
struct card *match_fact(struct turn *t, const char *language, int kind, int what);

/* The name of a screen of answers; action "match.screen" with its number opens it. */
const char *match_screen_name(struct turn *t, const char *language, int64_t screen);
/* What stands between the items of a list. */
const char *match_comma(const char *language);

/* ---- round.c ---- */

/* On request: into the next pass, of the round under way or of the next one. */
void round_wish(struct turn *t, int64_t person);
/* An introduction that was to be told at `when` came to nothing before: this person hears at that
 * minute what all others hear, and goes on with them. */
void round_not_introduced(struct turn *t, int64_t person, int64_t when);
/* What somebody sees of the round under way, NULL when there is nothing to say. */
struct card *round_line(struct turn *t);

/* ---- relay.c ---- */

/* A chat of these two or three opens at `when`, under new pseudonyms. `episode` 0: none. */
void relay_open(struct turn *t, const int64_t *person, int count, int64_t episode, int64_t when);
/* Every chat of the person ends; the others hear the one neutral sentence. */
void relay_end_all(struct turn *t, int64_t person);
/* The chat ends for all. False: t->person is not in it. */
bool relay_leave(struct turn *t, int64_t chat, bool block);
/* The other people of a chat that t->person is or was in, at most `most`. */
int relay_others(struct turn *t, int64_t chat, int64_t *person, int most);
/* Lists t->person's chats under the card as choices of this action, labels by words key. */
int relay_choices(struct turn *t, struct card *card, const char *label_key, const char *action);

/* ---- safety.c ---- */

enum report_kind { REPORT_CHAT, REPORT_UNSAFE, REPORT_APPEAL };

/* A report by t->person about somebody, to a safety officer whom it does not concern. */
int64_t safety_report(
    struct turn *t, int64_t about, int64_t chat, enum report_kind kind, const char *text);
/* Reports by and about `from` are by and about `to`. To be called before people_merge. */
void safety_move(struct turn *t, int64_t from, int64_t to);

#endif
