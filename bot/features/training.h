/* Training groups: made by coordinators, joined by a link. */
#ifndef FEATURES_TRAINING_H
#define FEATURES_TRAINING_H

#include "core/turn.h"

/* Makes t->person's own group, or a new link to it, and says it. */
void training_link(struct turn *t);
/* A choice to leave, for somebody who is in one. */
void training_way_out(struct turn *t, struct card *card);

#endif
