/*
 * A second person's yes (PRODUCT.md "Announcements", "First minute"). What is approved is bytes,
 * not a promise: the digest of what was shown is kept, and what differs from it is not approved.
 * That the author is never the one who approves is a constraint of the table, and linking two
 * accounts of one person voids what they approved for each other.
 *
 * A feature that asks for approvals has the kind's name as prefix of its words and actions:
 * action "KIND.approve" (value: the approval's number) shows what is to be approved with its
 * buttons, words "approval.KIND" name it in /approve.
 */
#ifndef CORE_APPROVAL_H
#define CORE_APPROVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/turn.h"

enum approval_state {
	APPROVAL_OPEN,
	APPROVAL_GIVEN,
	APPROVAL_REFUSED,
	APPROVAL_VOID, /* withdrawn, expired, or its two people turned out to be one */
};

struct approval {
	int64_t id, subject, author; /* author 0: erased meanwhile */
	const char *kind;
	unsigned access; /* enum access, or-ed: who may give it */
	const char *org; /* "": for the whole network */
	int64_t expires; /* unix s */
	enum approval_state state;
};

enum approval_answer {
	APPROVAL_DONE,
	APPROVAL_OWN,	       /* the author's own: never */
	APPROVAL_NOT_FOR_THEM, /* not the role, or not of this organisation */
	APPROVAL_CHANGED,      /* what is to be approved is no longer what was handed in */
	APPROVAL_GONE,	       /* decided, withdrawn, expired or unknown */
};

/* Asks for a yes to `content` by somebody other than t->person who holds one of the roles `access`
 * for `org`. The number of the approval. Everybody who could give it is told (at most 20). */
int64_t approval_open(struct turn *t, const char *kind, int64_t subject, unsigned access,
    const char *org, struct blob content, int64_t expires);
/* False: unknown. */
bool approval_get(struct turn *t, int64_t id, struct approval *approval);
/* t->person says yes; content is what it would be now. */
enum approval_answer approval_give(struct turn *t, int64_t id, struct blob content);
/* t->person says no. Whoever may approve may refuse; the author may not (approval_withdraw). */
enum approval_answer approval_refuse(struct turn *t, int64_t id);
/* The author takes it back; false: not theirs or decided. */
bool approval_withdraw(struct turn *t, int64_t id);
/* Whether it was given, and for exactly this content: to be asked again before acting. */
bool approval_holds(struct turn *t, int64_t id, struct blob content);
/* What waits for t->person's yes, oldest first, at most `most`. */
void approval_each(struct turn *t, int most,
    void (*each)(struct turn *t, const struct approval *approval, void *ctx), void *ctx);

#endif
