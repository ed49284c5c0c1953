/*
 * Which operations were handed to a network and are not known to have ended: a small mapped file
 * beside the database that outlives a killed process. A row that was committed as trying and is not
 * in the manifest was provably never sent, so it may be sent after a crash of the process. After a
 * loss of power, or beside another database, the manifest knows nothing (`manifest_known`), and
 * whatever was trying is in doubt.
 *
 * It holds numbers of operations and nothing else.
 */
#ifndef STORE_MANIFEST_H
#define STORE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

struct manifest;

/* Maps it for that database file; it lies in the file of the lock, which whoever calls this holds.
 * `boot_ms` is when the machine started, unix ms: what was written in another life of the machine,
 * or for another file, is emptied. NULL when it cannot be had: then everything goes without. */
struct manifest *manifest_open(const char *database, int64_t boot_ms);
/* The same in memory, for tests; `known` as if it were opened after a kill. */
struct manifest *manifest_memory(bool known);
/* As if that one were opened again after a kill. */
void manifest_again(struct manifest *manifest);
/* Frees it; what stands in the file stays. */
void manifest_close(struct manifest *manifest);
/* Whether what stands in it is the whole truth about the time before it was opened. */
bool manifest_known(const struct manifest *manifest);
/* Everything that was in doubt before is settled and committed: from now on what stands in it
 * counts after a crash. */
void manifest_trust(struct manifest *manifest);
bool manifest_has(const struct manifest *manifest, int64_t id);
/* False: full. */
bool manifest_enter(struct manifest *manifest, int64_t id);
void manifest_leave(struct manifest *manifest, int64_t id);
/* When the machine started, unix ms. */
int64_t manifest_boot_ms(void);

#endif
