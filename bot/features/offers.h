/* Offers and needs of organisations: offers.c keeps the board, rings.c finds who could help whom.
 */
#ifndef FEATURES_OFFERS_H
#define FEATURES_OFFERS_H

#include <stdint.h>

#include "core/turn.h"

struct card;

enum { OFFERS_KINDS = 18, OFFERS_PLACES = 10, OFFERS_ONLINE = 9 };

struct offer {
	int64_t id, need, kind, place, languages, capacity, from,
	    until; /* days as unix s; 0: any */
	const char *org, *text;
	bool named;
};

/* Reads one; false when it is closed or over. */
bool offers_get(struct turn *t, int64_t id, struct offer *offer);
/* Kind, text, place, dates, languages and capacity in a few lines, without the organisation. */
struct card *offers_lines(struct turn *t, const char *language, const struct offer *offer);

#endif
