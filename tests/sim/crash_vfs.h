/*
 * A disk in memory that loses power: SQLite's VFS "crash". What was written since a file's last
 * sync may, after a cut, be there, be lost, be torn in the middle of a sector, or be garbage
 * (within the bytes that were being written, as SQLITE_IOCAP_POWERSAFE_OVERWRITE promises); a file
 * made or deleted and not synced may be there or not. Everything follows from the seed. One disk a
 * process.
 */
#ifndef SIM_CRASH_VFS_H
#define SIM_CRASH_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void crash_vfs_register(void);
/* An empty disk, power on, no faults. No file may be open. */
void crash_vfs_new(uint64_t seed);
/* Changes to the disk since crash_vfs_new: each write, sync, truncation, creation, deletion is one.
 */
int64_t crash_vfs_operations(void);
/* The power goes off in the middle of that operation from now (1: the next); 0: never. */
void crash_vfs_cut_after(int64_t operations);
/* The power goes off now. Everything fails until crash_vfs_power_on. */
void crash_vfs_cut(void);
bool crash_vfs_is_off(void);
/* Decides what the cut has left. Connections of before must have been closed. */
void crash_vfs_power_on(uint64_t seed);
/* Only the process ended: everything that was written is there, and what was not synced may still
 * be lost with the next cut. Connections of before must have been closed. */
void crash_vfs_killed(void);
/* That operation from now fails with an I/O error, once or, with `for_ever`, all after it too,
 * whatever ends and starts meanwhile, until this is called with 0. */
void crash_vfs_fail_after(int64_t operations, bool for_ever);
/* Called before every change to the disk; NULL: no more. */
void crash_vfs_each(void (*fn)(void));
/* The disk's size in bytes: beyond it SQLITE_FULL; 0: endless. */
void crash_vfs_room(int64_t bytes);
/* The disk as it is (all synced), to start again from; free with crash_vfs_image_free. */
struct crash_image;
struct crash_image *crash_vfs_image(void);
void crash_vfs_from(const struct crash_image *image, uint64_t seed);
void crash_vfs_image_free(struct crash_image *image);
/* From now on blocks that were cut off or deleted are kept, as a device keeps them. */
void crash_vfs_keep_freed(void);
/* How often these bytes stand on the device: in the files, and in the freed blocks. */
int crash_vfs_count(const void *bytes, size_t length);

#endif
