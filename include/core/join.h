/*
 * One-time codes (PRODUCT.md "First minute"): 128 bits, hashed at rest, with uses and an expiry. A code made at the
 * terminal counts as it is; one that an admin made in chat needs a second admin first (core/approval.h).
 */
#ifndef CORE_JOIN_H
#define CORE_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/turn.h"

enum { JOIN_CODE_CHARACTERS = 22 };

struct join_offer {
	enum access role;
	const char *org; /* "" for none */
	int64_t uses;	 /* left */
	int64_t expires; /* unix s */
};

/* The code itself, base64url; it is shown once and never stored. */
const char *join_make(
    struct turn *t, enum access role, const char *org, int64_t uses, int64_t days);
/* The code as a deep link of that network ("telegram"); NULL until the bot's own name there is
 * known, which is learnt when the network is first reached and kept. */
const char *join_link(struct turn *t, const char *network, const char *code);
/* What a code would do; false: unknown, used up or expired (they look the same). */
bool join_look(struct turn *t, const char *code, struct join_offer *offer);
/* Uses it for t->person. False as join_look. */
bool join_use(struct turn *t, const char *code);
/* t->person types the code of their role again (people_must_confirm): true when it is the one they
 * came by; from then on they need not again. */
bool join_again(struct turn *t, const char *code);

#endif
