/*
 * What a blind card may say: the most telling facts that two people share and that still fit at
 * least so many others of the whole membership. Never organisation, side, region or wishes.
 */
#ifndef MATCHING_BLIND_H
#define MATCHING_BLIND_H

#include "matching/matching.h"

enum blind_kind { BLIND_LANGUAGE, BLIND_TOPIC, BLIND_SLOT, BLIND_GOAL, BLIND_MODE };

enum { BLIND_FACTS = 12, BLIND_FITS = 10 };

/* A fact about the partner, true of the reader too but for the goals of mentoring: there the
 * reader seeks and the partner offers, or the other way round. */
struct blind_fact {
	enum blind_kind kind;
	uint8_t what; /* number of the language, topic, slot; bit of the goal or mode */
};

/* Bitsets over the whole membership; free it with blind_free. */
struct blind;

struct blind *blind_new(const struct matching_person *person, uint32_t count);
void blind_free(struct blind *blind);

/* How many of the membership, the reader not counted, all the facts are true of. */
uint32_t blind_fits(
    const struct blind *blind, uint32_t reader, const struct blind_fact *fact, size_t facts);

/*
 * The card that `reader` gets about `partner` (its mirror image is what the partner gets): at most
 * `most` (<= BLIND_FACTS) facts, most telling first, each of both cards fitting at least `fits`
 * people besides its reader. Symmetric: both cards say the same facts. Returns how many.
 */
size_t blind_card(const struct blind *blind, uint32_t reader, uint32_t partner, uint32_t fits,
    size_t most, struct blind_fact *fact);

#endif
