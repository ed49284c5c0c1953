/*
 * Time zones, read from the system's TZif files (RFC 8536, with the extended hours of a POSIX
 * footer), corrected by the operator's overrides. No TZ, no setenv, no global state.
 *
 * Any thread may convert and find at any time. A zone lives until zones_close; zones_reload
 * changes what it answers, in one step. Instants are seconds since 1970 UTC, offsets are seconds
 * east of UTC.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/civil.h"

struct zones;
struct zone;

enum zone_reading {
	ZONE_UNIQUE,	/* utc[0] == utc[1] */
	ZONE_AMBIGUOUS, /* the clock shows it twice: the earlier, the later */
	ZONE_GAP, /* the clock never shows it: read with the offset before, with the offset after */
};

struct zone_local {
	struct civil civil;
	int32_t offset_s;
	char abbreviation[12]; /* "EEST", "+03" */
};

struct zone_utc {
	enum zone_reading reading;
	int64_t utc[2];
};

struct zone_change {
	int64_t utc;
	int32_t before_s, after_s; /* offsets */
};

/* One change of a zone made by hand: from this instant on, this offset. */
struct zone_step {
	int64_t utc;
	int32_t offset_s;
};

/* `directory` is copied; NULL is the system's. Never NULL: a missing folder just finds nothing. */
struct zones *zones_open(const char *directory);
void zones_close(struct zones *zones);
/* Looks at every zone file in use; returns how many zones now answer differently. */
int zones_reload(struct zones *zones);
/* "2026f", or "" when the folder does not say; cut to `room`. */
void zones_version(struct zones *zones, char *version, size_t room);
/* When the folder's data was last written, seconds since 1970; 0 when unknown. */
int64_t zones_written_s(struct zones *zones);

/* NULL when there is no such zone. "UTC" is always there. Finding again is cheap. */
const struct zone *zone_find(struct zones *zones, const char *name);
/*
 * The operator's word: from this wall time on, this offset, until the next override of the same
 * zone. The wall time is read on the clock as it ran just before. Repeatable, in any order; the
 * same wall time again replaces. Returns NULL, or what is wrong as a sentence that stays valid.
 */
const char *zone_override(
    struct zones *zones, const char *name, const struct civil *wall, int32_t offset_s);
/* Forgets every override: for reading the configuration again. */
void zone_override_clear(struct zones *zones);
/*
 * A zone of steps given by the caller, sorted by instant: what a calendar defines for itself.
 * It belongs to the caller, who frees it with zone_free. `before_s` holds until the first step.
 */
struct zone *zone_made(
    const char *name, int32_t before_s, const struct zone_step *steps, size_t count);
void zone_free(struct zone *made);

const char *zone_name(const struct zone *zone);
struct zone_local zone_to_local(const struct zone *zone, int64_t utc_s);
int32_t zone_offset(const struct zone *zone, int64_t utc_s);
struct zone_utc zone_to_utc(const struct zone *zone, const struct civil *wall);
/*
 * One instant for a wall time, as RFC 5545 3.3.5 reads it: of two the first, in a gap the offset
 * before it, so that 02:30 becomes 03:30.
 */
int64_t zone_instant(const struct zone *zone, const struct civil *wall);
/* The first change of offset after `utc_s`; 0 when there is none within 100 years. */
int zone_next(const struct zone *zone, int64_t utc_s, struct zone_change *change);

#endif
