/*
 * A pass of a round, computed: who is suggested to whom and what each card says. Pure, arrays in
 * and out, for a worker thread. Hard rules, points and trios: matching.h and trio.h; what the cards
 * may say: blind.h, against the whole membership and not only those who take part (MATCHING.md §3).
 */
#ifndef MATCHING_PLAN_H
#define MATCHING_PLAN_H

#include "matching/blind.h"
#include "matching/matching.h"

enum {
	PLAN_MEMBERS = 30,   /* with fewer members cards would tell too much: nobody is suggested */
	PLAN_COVERAGE = 500, /* in smaller pools as many as possible come before the best pairs */
	PLAN_FACTS = 5,
	PLAN_TIMES = 2, /* of the facts at most */
	PLAN_GROUP = 3,
};

/* Indices are those of `person`, the whole membership. All arrays stay the caller's. */
struct plan_input {
	const struct matching_person *person;
	/* The same people as they said it: what was not answered is empty here. Cards come from
	 * these. */
	const struct matching_person *said;
	uint32_t count;
	const uint32_t *in; /* who takes part, ascending */
	uint32_t ins;
	const struct matching_pair *past; /* suggested, met or blocked before: not now */
	size_t pasts;
	const struct matching_avoid *avoid;
	size_t avoids;
	uint64_t seed;
	void (*progress)(void *arg, int percent);
	void *arg;
	const volatile int *cancel;
};

/* Two people, or three who all like trios. facts[i] is what person[i] reads about the others. */
struct plan_group {
	uint32_t person[PLAN_GROUP];
	uint8_t size, facts[PLAN_GROUP];
	struct blind_fact fact[PLAN_GROUP][PLAN_FACTS];
};

struct plan {
	struct plan_group *group; /* free() it */
	uint32_t groups;
	int64_t weight, boosted, bound;
	bool cancelled;
};

struct plan plan_pass(const struct plan_input *input);

#endif
