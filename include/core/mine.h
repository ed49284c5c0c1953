/* Everything that is stored about a person, read from the schema itself, so that a new table cannot be forgotten. */
#ifndef CORE_MINE_H
#define CORE_MINE_H

#include "core/turn.h"

/* The person's rows of every table as one JSON object, unsealed where it is theirs; in the turn's arena. */
struct blob mine_json(struct turn *t, int64_t person);

#endif
