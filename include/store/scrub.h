/*
 * Deleting a file so that its blocks hold zeros: for what is not SQLite's (the scrubbing VFS does
 * the same below the database). True for ext4 without copy on write; see DESIGN.md §5.
 */
#ifndef STORE_SCRUB_H
#define STORE_SCRUB_H

#include <stdint.h>

/* Overwritten, synced, unlinked; a file that is not there is fine. */
void scrub_unlink(const char *path);
/* The files of a folder whose names begin so and that changed before that moment (unix s); how many.
 */
int scrub_folder(const char *folder, const char *prefix, int64_t before);

#endif
