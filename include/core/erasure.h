/*
 * What an erasure needs beyond its rows: it is remembered by keyed hash, in the database and beside
 * it (store/erased.h), the WAL is emptied within moments, files made for the person go, and a
 * restored state erases again who was erased since.
 */
#ifndef CORE_ERASURE_H
#define CORE_ERASURE_H

#include <stdint.h>

#include "core/turn.h"

/* The moment of a backup goes into the state itself before it is copied, so that a restore knows its
 * age. One that fails is none: the alarm waits on since the last that was made, or the first tried. */
void erasure_backup_begins(struct turn *t);
void erasure_backup_made(struct turn *t);

struct restored {
	const char *list; /* in: the list of erasures beside the database */
	int64_t made;	  /* when the backup was made, unix s; 0: unknown */
	bool listed;	  /* there was a list */
	int erased;	  /* people who were erased again */
	int64_t doubt;	  /* messages that waited then, and are in doubt now */
};
/* In a state that was just restored: erases again, and ends what waited then, because it may have
 * been sent since. */
void erasure_restored(struct turn *t, struct restored *restored);

#endif
