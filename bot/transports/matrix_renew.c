/*
 * After our keys were made anew everybody with an encrypted private chat hears so once, some people
 * a round. Rows "dm/USER" carry "n" until they did.
 */
#include "transports/matrix_inside.h"

#include <sodium.h>
#include <string.h>

enum { AT_ONCE = 20 };

static void
mark(void *ctx, const char *name)
{
	struct matrix *m = ctx;
	json_t *row = matrix_state_get(m->own, name);

	json_object_set_new(row, "n", json_true());
	matrix_state_put(m->own, name, row);
}

static void
gather(void *ctx, const char *name)
{
	struct matrix *m = ctx;
	json_t *row = matrix_state_get(m->own, name);

	if (json_object_get(row, "n"))
		json_array_append_new(m->to_tell, json_string(name + strlen("dm/")));
	json_decref(row);
}

/* The same for the same person and device; ids are stored as they are, so it names nobody. */
static const char *
told_id(struct matrix *m, const char *room, const char *who)
{
	const char *of = arena_print(m->arena, "%s %s %s", m->device, room, who);
	unsigned char hash[crypto_generichash_BYTES_MIN];
	char hex[2 * sizeof(hash) + 1];

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)of, strlen(of), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	return arena_print(m->arena, "renewed %s", hex);
}

static void
tell(struct matrix *m, struct matrix_batch *batch, const char *who)
{
	json_t *row = matrix_state_get_of(m->own, "dm", who);
	const char *room = matrix_json_text(row, "r");
	struct event *event;

	if (room && matrix_crypto_encrypted(m->crypto, room) && !matrix_rooms_group(m, room)) {
		event = matrix_sync_add(batch);
		event->id = told_id(m, room, who);
		event->kind = EVENT_RENEWED;
		event->who = arena_string(m->arena, who);
		event->where = arena_string(m->arena, room);
	}
	if (json_object_del(row, "n") == 0)
		matrix_state_put_of(m->own, "dm", who, json_incref(row));
	json_decref(row);
}

static void
tell_some(struct matrix *m)
{
	struct matrix_batch batch = {0};
	size_t left = json_array_size(m->to_tell), some = left < AT_ONCE ? left : AT_ONCE;

	for (size_t i = 0; i < some; i++)
		tell(m, &batch, json_string_value(json_array_get(m->to_tell, left - 1 - i)));
	matrix_sync_deliver(m, &batch, NULL);
	while (some--)
		json_array_remove(m->to_tell, --left);
}

void
matrix_renew_step(struct matrix *m)
{
	if (!m->crypto || !matrix_crypto_signed(m->crypto) ||
	    matrix_crypto_standing(m->crypto) != MATRIX_STANDING_GOOD)
		return;
	if (matrix_crypto_renewed(m->crypto)) {
		matrix_state_each(m->own, "dm/", mark, m);
		matrix_crypto_renewal_noted(m->crypto);
		json_decref(m->to_tell);
		m->to_tell = NULL;
	}
	if (!m->to_tell) {
		m->to_tell = json_array();
		matrix_state_each(m->own, "dm/", gather, m);
	}
	if (!json_array_size(m->to_tell))
		return;
	tell_some(m);
	matrix_work_poke(m);
}
