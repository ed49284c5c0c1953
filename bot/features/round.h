/* A round's own pieces: round.c leads it through its days, passes.c computes a pass on a thread,
 * rounds.c opens it and tells coordinators. */
#ifndef FEATURES_ROUND_H
#define FEATURES_ROUND_H

#include "matching/plan.h"
#include "meeting.h"

enum round_state {
	ROUND_ASKING = 1,
	ROUND_COMPUTING,
	ROUND_SHOWING,
	ROUND_JUDGING,
	ROUND_TELLING,
	ROUND_OVER
};
enum taking { TAKING_ASKED, TAKING_IN, TAKING_OUT, TAKING_INTRODUCED, TAKING_DONE };
enum {
	ROUND_PASSES = 3,
	ROUND_NEW_DAYS = 30,
	ROUND_PART = 20,
	ROUND_FEW = 10,	   /* fewer that fit are few */
	ROUND_HINTS = 500, /* so many at most are told */
};

/* The round under way. */
struct round {
	int64_t id, pass, at, ends, opened, people;
	enum round_state state;
};

/* False: none is. */
bool round_now(struct turn *t, struct round *r);
/* Opens one: everybody who said yes to meetings is asked. False: one is under way, or too few. */
bool round_begin(struct turn *t);

/* What the thread is told. */
struct round_order {
	int64_t round, pass, now;
	uint64_t seed;
};

/* What it answers: this, and `groups` of the next behind it. */
struct round_plan {
	uint64_t seed, input, result; /* hashes, to show that the same input gives the same pairs */
	int64_t members, took, weight, boosted, bound;
	uint32_t groups;
};
struct round_group {
	int64_t person[PLAN_GROUP], episode;
	uint8_t size, facts[PLAN_GROUP];
	uint8_t kind[PLAN_GROUP][PLAN_FACTS], what[PLAN_GROUP][PLAN_FACTS];
	uint8_t spare[6]; /* no padding: it is hashed */
};

/* Somebody whom few fit, and the screen of answers whose widening helps most. */
struct round_few {
	int64_t person, screen;
};

/* Of everybody, by their own answers and by counts alone: never by history, blocks or who takes
 * part. */
struct blob passes_fits(const struct work_input *input);
struct blob passes_plan(const struct work_input *input);

#endif
