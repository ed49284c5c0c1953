#include "transports/matrix_strangers.h"

#include <stdlib.h>

#include "base/memory.h"
#include "transports/matrix_devices.h"

/* "olmof/<user>": {curve: ms it was first kept}; "strangers": {user: ms they were met} */

static const char strangers[] = "strangers";

/* The name with the smallest number that may go, free() it; NULL: none may. */
static char *
oldest(json_t *all, bool (*stays)(void *ctx, const char *name), void *ctx)
{
	const char *name, *least = NULL;
	json_int_t at = 0;
	json_t *ms;

	json_object_foreach(all, name, ms) {
		if ((!least || json_integer_value(ms) < at) && !(stays && stays(ctx, name))) {
			least = name;
			at = json_integer_value(ms);
		}
	}
	return least ? memory_string(least) : NULL;
}

static void
drop_session(struct matrix_crypto *c, const char *curve)
{
	matrix_state_drop_of(c->state, "olm", curve);
	json_object_del(c->unclaimed, curve);
	json_object_del(c->dummies, curve);
	json_object_del(c->broken, curve);
}

/* ---- devices of one person ---- */

struct owner {
	struct matrix_crypto *c;
	const char *user, *kept;
};

static bool
is_theirs(void *ctx, const char *curve)
{
	struct owner *o = ctx;
	char *id;

	if (strcmp(curve, o->kept) == 0)
		return true;
	id = matrix_devices_by_curve(o->c->state, o->user, curve);
	free(id);
	return id != NULL;
}

void
matrix_strangers_device(struct matrix_crypto *c, const char *user, const char *curve)
{
	json_t *all = matrix_state_get_of(c->state, "olmof", user);
	struct owner owner = {c, user, curve};
	char *old;

	matrix_strangers_met(c, user);
	if (!all)
		all = json_object();
	if (!json_object_get(all, curve))
		json_object_set_new(all, curve, json_integer(c->now_ms));
	if (json_object_size(all) > MATRIX_STRANGERS_OF_ONE &&
	    (old = oldest(all, is_theirs, &owner))) {
		drop_session(c, old);
		json_object_del(all, old);
		free(old);
	}
	matrix_state_put_of(c->state, "olmof", user, all);
}

static void
unlist(struct matrix_crypto *c, const char *user)
{
	json_t *all;

	if (!json_object_get(matrix_state_look(c->state, strangers), user))
		return;
	all = matrix_state_get(c->state, strangers);
	json_object_del(all, user);
	matrix_state_put(c->state, strangers, all);
}

void
matrix_strangers_forget(struct matrix_crypto *c, const char *user)
{
	json_t *all = matrix_state_get_of(c->state, "olmof", user), *ms;
	const char *curve;

	json_object_foreach(all, curve, ms)
		drop_session(c, curve);
	json_decref(all);
	matrix_state_drop_of(c->state, "olmof", user);
	unlist(c, user);
}

/* ---- people ---- */

void
matrix_strangers_settled(struct matrix_crypto *c, const char *user)
{
	if (!matrix_devices_settled(c->state, user)) {
		matrix_devices_settle(c->state, user, true);
		unlist(c, user);
	}
}

void
matrix_strangers_left(struct matrix_crypto *c, const char *user)
{
	if (matrix_devices_settled(c->state, user)) {
		matrix_devices_settle(c->state, user, false);
		matrix_strangers_met(c, user);
	}
}

void
matrix_strangers_met(struct matrix_crypto *c, const char *user)
{
	json_t *all;
	char *old = NULL;

	if (json_object_get(matrix_state_look(c->state, strangers), user) ||
	    matrix_devices_settled(c->state, user))
		return;
	all = matrix_state_get(c->state, strangers);
	if (!all)
		all = json_object();
	json_object_set_new(all, user, json_integer(c->now_ms));
	if (json_object_size(all) > MATRIX_STRANGERS && (old = oldest(all, NULL, NULL)))
		json_object_del(all, old);
	matrix_state_put(c->state, strangers, all);
	if (old)
		matrix_crypto_forget(c, old);
	free(old);
}
