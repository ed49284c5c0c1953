/*
 * An invented community in an empty state, for trying and training: people of every organisation in
 * the partners file, with languages, consents, profiles, events and history. They live on the network
 * of the terminal only ("demo1", "demo2", ...), so nothing is ever sent to a stranger, and everything
 * said in such a state is marked.
 */
#ifndef CORE_DEMO_H
#define CORE_DEMO_H

#include "core/turn.h"

enum { DEMO_MOST = 50000, DEMO_SLICE = 1000 };

/* False: the state is not empty. Marks it. */
bool demo_begin(struct turn *t, int64_t people);
/* The people from that number on, DEMO_SLICE at the most. */
void demo_people(struct turn *t, int64_t from, int64_t people);

#endif
