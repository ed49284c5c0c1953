/*
 * People: one person, one to many accounts. The only place that knows who somebody is on a network:
 * the address is sealed under the person's key, and looked up by a keyed hash.
 */
#ifndef CORE_PEOPLE_H
#define CORE_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/turn.h"

/* Three separate consents, all off until tapped (PRODUCT.md ground rule 1). */
#define CONSENT_ANNOUNCEMENTS "announcements"
#define CONSENT_MATCHING "matching"
#define CONSENT_SURVEYS "surveys"

bool consents(struct turn *t, int64_t person, const char *what);
void consent_set(struct turn *t, int64_t person, const char *what, bool given);

void people_set_language(struct turn *t, int64_t person, const char *language);
void people_pause(struct turn *t, int64_t person, int64_t until); /* 0 resumes */
void people_set_adult(struct turn *t, int64_t person, bool adult);
void people_set_pseudonym(struct turn *t, int64_t person, const char *pseudonym);
const char *people_pseudonym(struct turn *t, int64_t person);
const char *people_org(struct turn *t, int64_t person); /* "" for a visitor or nobody */
unsigned people_access(struct turn *t, int64_t person);
/* The same by address; 0: a visitor, or nobody known there. */
unsigned people_access_at(struct turn *t, const char *network, const char *who);
bool people_exists(struct turn *t, int64_t person);

/* Makes the person a member of the organisation; access becomes MEMBERS. Happens: HAPPENED_JOINED.
 */
void people_join(struct turn *t, int64_t person, const char *org);
/* A role in an organisation ("" for admin, safety and judge of all). Happens: HAPPENED_ROLES. */
void people_grant(struct turn *t, int64_t person, enum access role, const char *org);
void people_revoke(struct turn *t, int64_t person, enum access role, const char *org);
/* Whether the person holds the role for this organisation (an admin's "" counts for every one). */
bool people_holds(struct turn *t, int64_t person, enum access role, const char *org);
/* "member", "coordinator", "judge", "safety", "admin"; 0 when it is none of them. */
enum access people_role(const char *name);
const char *people_role_name(enum access role);
/* Calls back with everybody who holds the role (org NULL: whichever). At most `most`. */
void people_each(struct turn *t, enum access role, const char *org, int most,
    void (*each)(struct turn *t, int64_t person, void *ctx), void *ctx);

/* Unix s of the last thing they did (rounded to the day), and of the last block or long silence
 * that ended. */
int64_t people_seen(struct turn *t, int64_t person);
bool people_reachable(struct turn *t, int64_t person);
/* Whether they must type a code again before something grave: silent for 30 days, or back after a
 * block. */
bool people_must_confirm(struct turn *t, int64_t person);
void people_confirmed(struct turn *t, int64_t person);
/* The keyed hash of the code a role came by (core/join.h makes it and asks for it again). */
void people_keep_code(struct turn *t, int64_t person, struct blob hash);
bool people_is_code(struct turn *t, int64_t person, struct blob hash);

/* Two accounts become one person: the account of `from` moves to `to`, which keeps its profile. */
void people_merge(struct turn *t, int64_t from, int64_t to);
/* Where messages go when there are several accounts: the network's name. */
void people_prefer(struct turn *t, int64_t person, const char *network);
/* Networks of the person, separated by spaces. */
const char *people_networks(struct turn *t, int64_t person);

/* Real erasure: the slot is overwritten first, then every row goes; a keyed hash remembers that it
 * was done, for a restore. Pending messages to them are dropped. Happens first: HAPPENED_LEAVING.
 */
void people_erase(struct turn *t, int64_t person);
/* By address, for `erase` on the command line; false: nobody known there. */
bool people_erase_address(struct turn *t, const char *network, const char *who);
/* By the keyed hash of an account, for a restore. */
bool people_erase_hash(struct turn *t, struct blob hash);

/* A ban outlives erasure: a keyed hash of every account of the person. */
void people_ban(struct turn *t, int64_t person);
bool people_banned(struct turn *t, const char *network, const char *who);
bool people_is_banned(struct turn *t, int64_t person);
/* The keyed hashes of all their accounts, one behind the other: to ban (or let back in) somebody who
 * has left meanwhile. */
struct blob people_hashes(struct turn *t, int64_t person);
void people_ban_hashes(struct turn *t, struct blob hashes);
void people_unban_hashes(struct turn *t, struct blob hashes);
/* No member any more: organisation, roles and consents are gone, public things stay open to them.
 * Who is banned cannot join again. */
void people_expel(struct turn *t, int64_t person);

/* A keyed hash (hex, 32 characters) of a person for purposes that must survive erasure without
 * naming them. */
const char *people_mark(struct turn *t, int64_t person, const char *purpose);

#endif
