/*
 * Whose devices may read: the people tracked, their identities pinned at first sight, their
 * devices checked. Rows "user/<id>" of the state. Rules: Matrix specification, "Tracking the
 * device list for a user", "Cross-signing", and its advice on devices that are not cross-signed.
 *
 * A pinned master key that changes is not followed: nobody is trusted under the new one until
 * the server has shown it unchanged for seven days, so that a person who had to start again is
 * not locked out for ever and a quick swap gains nothing.
 */
#ifndef TRANSPORTS_MATRIX_DEVICES_H
#define TRANSPORTS_MATRIX_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct matrix_state;

struct matrix_device {
	const char *user, *id;	/* live as long as the row they came from */
	const char *curve, *ed; /* checked: well-formed, no low-order point, self-signed */
	bool owned;		/* signed by its owner's pinned identity */
};

/* Begins to follow somebody's devices. True when the list must be asked for. */
bool matrix_devices_track(struct matrix_state *state, const char *user);
bool matrix_devices_tracked(const struct matrix_state *state, const char *user);
/* The server says that the list changed. Ignored for people who are not followed. */
void matrix_devices_changed(struct matrix_state *state, const char *user);
/* What was missed is not known: every list may have changed. */
void matrix_devices_all_changed(struct matrix_state *state);
/* Nothing is shared with this person any more: the list is not kept in sync, the pin stays. */
void matrix_devices_left(struct matrix_state *state, const char *user);
/* Readable words were exchanged with this person, and a room is shared. */
bool matrix_devices_settled(const struct matrix_state *state, const char *user);
void matrix_devices_settle(struct matrix_state *state, const char *user, bool settled);
bool matrix_devices_fresh(const struct matrix_state *state, const char *user);

/* Body of /keys/query for everybody of `users` (NULL: all followed) whose list is not known to
 * be current; NULL when there is none. */
json_t *matrix_devices_query(struct matrix_state *state, const json_t *users);
/* Takes the answer; fn comes for each person whose devices are not as they were. */
void matrix_devices_answered(struct matrix_state *state, const json_t *query, const json_t *answer,
    int64_t now_ms, void (*fn)(void *ctx, const char *user), void *ctx);

/* fn until it answers false; devices in the row's order. */
void matrix_devices_each(const struct matrix_state *state, const char *user,
    bool (*fn)(void *ctx, const struct matrix_device *device), void *ctx);

enum matrix_owner {
	MATRIX_OWNER_UNKNOWN,  /* the list is not current: ask, then look again */
	MATRIX_OWNER_NOBODY,   /* no device of this person has that key */
	MATRIX_OWNER_UNSIGNED, /* a device that its owner has not signed */
	MATRIX_OWNER_GOOD,
};
/* Whether curve and ed together are one device of the person's. */
enum matrix_owner matrix_devices_owner(
    const struct matrix_state *state, const char *user, const char *curve, const char *ed);
/* The device id that has this curve key, or NULL; free() it. */
char *matrix_devices_by_curve(
    const struct matrix_state *state, const char *user, const char *curve);
/* How many people came back with another identity than the pinned one, which is not believed yet.
 */
int64_t matrix_devices_changed_identities(struct matrix_state *state);
/* Whether this person has at least one device signed by a pinned identity. */
bool matrix_devices_reachable(const struct matrix_state *state, const char *user);

#endif
