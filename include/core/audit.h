/*
 * The audit log: that something grave was done, never its content and never a name. Each entry's
 * chain value is a keyed hash over the one before it and the entry, so that a row changed or taken
 * out of the middle shows (the construction of hash-linked time-stamping: Haber and Stornetta,
 * 1991). A keyed hash stands for who did it: with the state key a suspicion can be checked ("was it
 * the same coordinator?"), without it nothing can be read. Times are whole hours.
 */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/turn.h"

/* `action` is a word of ours ("role.grant", "announce.approve", "report.ban"); subject the number
 * of the thing (post, ticket, approval), 0 for none: never a person's. By t->person or, in a job or
 * from the terminal, by nobody. */
void audit(struct turn *t, const char *action, int64_t subject);
/* The same by nobody, for what others must not find out who did: the same hash on another entry would
 * say so (a report, an author's own story, a page of the shelf). */
void audit_unnamed(struct turn *t, const char *action, int64_t subject);

struct audit_entry {
	int64_t id, hour; /* unix s, a whole hour */
	const char *action;
	int64_t subject;
	const char *actor; /* the first 8 hex digits of the keyed hash; "" for nobody */
};
/* The newest first, at most `most`. */
void audit_each(struct turn *t, int most,
    void (*each)(struct turn *t, const struct audit_entry *entry, void *ctx), void *ctx);
/* How many entries there are; *broken_at is the first that does not fit its chain, 0 when all do
 * and the newest is the one that was written last. */
int64_t audit_verify(struct turn *t, int64_t *broken_at);

#endif
