/*
 * Who meets whom: people as arrays in, pairs as arrays out. No database, no clock, no randomness
 * but the seed, whole numbers only: the same input gives the same pairs on every machine.
 * Everything may run on a worker thread. Out of memory ends the process, so nothing returns NULL.
 *
 * Rules and points: MATCHING.md, "The score". Method: auction on the bipartite double cover
 * (Bertsekas), candidates by price (column generation) from a scan of all pairs, then Edmonds'
 * blossoms from the auction's duals, until no pair is missing from the proof.
 */
#ifndef MATCHING_MATCHING_H
#define MATCHING_MATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MATCHING_LANGUAGES = 8,
	MATCHING_TOPICS = 32,
	MATCHING_SLOTS = 21, /* day * 3 + part of the day, day 0 is Sunday */
	MATCHING_ORGS = 4096,
	MATCHING_WAITING_POINTS = 150,	 /* for each missed round in a row */
	MATCHING_WAITING_ROUNDS = 4,	 /* more do not count */
	MATCHING_COVERAGE_POINTS = 1000, /* for being a pair at all, when coverage comes first */
	MATCHING_NOBODY = -1,
};

enum matching_side {
	MATCHING_ISRAELI,
	MATCHING_CITIZEN,
	MATCHING_PALESTINIAN,
	MATCHING_INTERNATIONAL,
	MATCHING_SIDE_UNTOLD
};

enum matching_region {
	MATCHING_NORTH,
	MATCHING_CENTRE,
	MATCHING_JERUSALEM,
	MATCHING_SOUTH,
	MATCHING_WEST_BANK,
	MATCHING_EAST_JERUSALEM,
	MATCHING_GAZA,
	MATCHING_ABROAD,
	MATCHING_REGION_UNTOLD
};

enum matching_goal {
	MATCHING_DIALOGUE = 1,
	MATCHING_PROJECT = 2,
	MATCHING_ACTION = 4,
	MATCHING_SEEKS_MENTOR = 8,
	MATCHING_OFFERS_MENTORING = 16
};

enum matching_mode { MATCHING_ONLINE = 1, MATCHING_IN_PERSON = 2 };

enum matching_cross { MATCHING_EITHER_WAY, MATCHING_GLADLY, MATCHING_NOT_NOW };

/* The caller turns "unanswered" into the widest reading: all slots, both modes, all goals. */
struct matching_person {
	int32_t org, org2;		   /* 0..MATCHING_ORGS-1, or MATCHING_NOBODY */
	uint32_t topics;		   /* a bit each */
	uint32_t slots;			   /* a bit each */
	uint8_t level[MATCHING_LANGUAGES]; /* 0 none .. 3 fluent; 2 can hold a conversation */
	uint8_t side;			   /* enum matching_side; untold: no points, no rule */
	uint8_t region;			   /* enum matching_region; untold: near all, no points */
	uint8_t goals, mode;		   /* bits */
	uint8_t cross;			   /* enum matching_cross */
	uint8_t woman, women_only;	   /* 0 or 1 */
	uint8_t years;			   /* of experience; more than 60 count as 60 */
	uint8_t waiting;		   /* rounds missed in a row */
	uint8_t trio;			   /* 1: a group of three is fine */
};

struct matching_pair {
	uint32_t a, b;
};

/* Somebody does not want to meet people of an organisation. */
struct matching_avoid {
	uint32_t person;
	int32_t org;
};

/* All arrays stay the caller's; they are only read while matching_new runs. */
struct matching_people {
	const struct matching_person *person;
	uint32_t count;
	const struct matching_pair *met; /* never again; also counted between organisations */
	size_t mets;
	const struct matching_pair *never; /* blocks and the like */
	size_t nevers;
	const struct matching_avoid *avoid;
	size_t avoids;
	const uint16_t *topic_points; /* MATCHING_TOPICS of them; NULL: from these people */
};

/* A copy in compact form; free it with matching_free. */
struct matching;

struct matching *matching_new(const struct matching_people *people);
void matching_free(struct matching *matching);

/* Points of a topic that `holders` of `people` care about: 20 * log2(people / holders), at least 5.
 */
int matching_topic_points(uint32_t people, uint32_t holders);

/* Points of a pair without boosts; 0: the two may not be paired. */
int matching_score(const struct matching *matching, uint32_t a, uint32_t b);

enum matching_kind {
	MATCHING_WHY_TOPIC,
	MATCHING_WHY_LANGUAGE,
	MATCHING_WHY_REGION,
	MATCHING_WHY_CROSS,
	MATCHING_WHY_SLOTS,
	MATCHING_WHY_GOAL,
	MATCHING_WHY_NEW
};

enum { MATCHING_TERMS = 48 };

/* One reason. CROSS, REGION and NEW (the organisations have rarely met) are never to be shown. */
struct matching_term {
	enum matching_kind kind;
	uint32_t
	    what; /* topic number; bits of languages, slots; one goal bit (seeks: a mentor fit) */
	int points;
};

/* The terms of a pair's score, heaviest first; their points add up to at least the score (two
 * terms are capped). Returns how many of `term[MATCHING_TERMS]` were written, 0 if not permitted.
 */
size_t matching_why(
    const struct matching *matching, uint32_t a, uint32_t b, struct matching_term *term);

struct matching_options {
	uint64_t seed;
	bool boost;	     /* whoever waited comes first */
	bool coverage_first; /* as many pairs as possible, then the best */
	/* Go on to the proven optimum (twice the time); pools up to 600 always do. */
	bool exact;
	void (*progress)(void *arg, int percent);
	void *arg;
	const volatile int *cancel; /* not 0: give up soon */
};

struct matching_result {
	int32_t *partner; /* of each, or MATCHING_NOBODY; free() it */
	uint32_t pairs;
	int64_t weight;	 /* points, without boosts */
	int64_t boosted; /* points with boosts and coverage: what was made as large as possible */
	int64_t bound;	 /* nobody can do better than this (compare with `boosted`) */
	bool exact;	 /* proven: boosted == bound */
	bool cancelled;	 /* then nobody has a partner */
};

/* Pairs of maximum weight over all permitted pairs. One run at a time on the same `matching`. */
struct matching_result matching_run(
    const struct matching *matching, const struct matching_options *options);

struct matching_edge {
	uint32_t a, b;
	int32_t weight; /* > 0 */
};

/* The same for a plain list of edges among `count` people; doubles and loops are left out. */
struct matching_result matching_edges(uint32_t count, const struct matching_edge *edge,
    size_t edges, const struct matching_options *options);

#endif
