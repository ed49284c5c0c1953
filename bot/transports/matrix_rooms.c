/*
 * The rooms we are in, as far as the transport must know them: who is there, whose private chat it
 * is, what replaces it. Rows: "room/ID": {"j", "i": how many joined and are invited; "p": the other
 * person of a private chat; "d": it was opened as one; "x": {others who came, until the server
 * counts again}; "g": that person is gone; "t": the room that
 * replaces it; "b": the room it says it replaces; "m": the chat moved away; "v": we came because
 * another room named it}, "dm/USER": {"r": room}, "next/ROOM": {"u": who named it as successor}.
 */
#include "transports/matrix_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
	PRIVATE = 2,
	MEMBERS_MOST = 1000,
	INVITES_OF_ONE = 3,
	INVITES_MOST = 500,
	REFUSED_MOST = 5000,
	ROOMS_MOST = 50000,
	OTHERS_MOST = 8,
	SPOKE_AGAIN_MS =
	    9 * 60 * 1000, /* less than the engine waits before it orders us to leave */
};

static json_t *
row_get(const struct matrix *m, const char *room)
{
	return matrix_state_get_of(m->own, "room", room);
}

/* Steals the row; a row that says the same is not written. */
static void
row_put(struct matrix *m, const char *room, json_t *row)
{
	json_t *was = row_get(m, room);

	if (json_equal(was, row))
		json_decref(row);
	else
		matrix_state_put_of(m->own, "room", room, row);
	json_decref(was);
}

static int64_t
number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

bool
matrix_rooms_known(struct matrix *m, const char *room)
{
	json_t *row = row_get(m, room);

	json_decref(row);
	return row != NULL;
}

/* Until the server has said how many there are, only a chat that was opened as private is one. */
static bool
is_group(const json_t *row)
{
	if (json_object_size(json_object_get(row, "x")))
		return true;
	if (!json_object_get(row, "j"))
		return !json_is_true(json_object_get(row, "d"));
	return number(row, "j") + number(row, "i") > PRIVATE;
}

bool
matrix_rooms_group(struct matrix *m, const char *room)
{
	json_t *row = row_get(m, room);
	bool group = is_group(row);

	json_decref(row);
	return group;
}

bool
matrix_rooms_private(struct matrix *m, const char *room, const char *who)
{
	json_t *row = row_get(m, room);
	const char *peer = matrix_json_text(row, "p");
	bool is = !is_group(row) && (!peer || !who || strcmp(peer, who) == 0);

	json_decref(row);
	return is;
}

static void
count_room(void *ctx, const char *name)
{
	(void)name;
	++*(size_t *)ctx;
}

static void
catch_up(void *ctx, const char *name)
{
	struct matrix *m = ctx;

	matrix_chore_add(m, MATRIX_CHORE_GAP, name + strlen("room/"),
	    arena_print(m->arena, "\n%s", m->heard_to));
}

void
matrix_rooms_catch_up(struct matrix *m)
{
	if (m->heard_to)
		matrix_state_each(m->own, "room/", catch_up, m);
	free(m->heard_to);
	m->heard_to = NULL;
}

size_t
matrix_rooms_count(struct matrix *m)
{
	size_t count = 0;

	matrix_state_each(m->own, "room/", count_room, &count);
	return count;
}

/* ---- private chats ---- */

const char *
matrix_rooms_of(struct matrix *m, const char *who)
{
	json_t *row = matrix_state_get_of(m->own, "dm", who);
	const char *room = arena_string(m->arena, matrix_json_text(row, "r"));

	json_decref(row);
	return room;
}

void
matrix_rooms_spoke(struct matrix *m, const char *room, const char *who)
{
	const char *was = matrix_rooms_of(m, who);

	if (!was || strcmp(was, room) != 0)
		matrix_state_put_of(m->own, "dm", who, json_pack("{s:s}", "r", room));
	if (!m->spoke)
		m->spoke = json_object();
	json_object_set_new(m->spoke, room, json_integer(loop_now_ms(m->loop)));
}

/* One successor a room: the one that was named before is not tried any more. */
static void
forget_next(struct matrix *m, const json_t *row)
{
	const char *next = matrix_json_text(row, "t");

	if (!next)
		return;
	matrix_state_drop_of(m->own, "next", next);
	matrix_chore_untry(m, next);
}

bool
matrix_rooms_forget(struct matrix *m, const char *room, const char *who)
{
	const json_t *last = room ? json_object_get(m->spoke, room) : NULL;

	if (last && loop_now_ms(m->loop) - json_integer_value(last) < SPOKE_AGAIN_MS)
		return false;
	matrix_state_drop_of(m->own, "dm", who);
	if (room) {
		json_t *row = row_get(m, room);

		forget_next(m, row);
		json_decref(row);
		matrix_state_drop_of(m->own, "room", room);
		json_object_del(m->spoke, room);
	}
	if (m->crypto)
		matrix_crypto_forget(m->crypto, who);
	return true;
}

/* Nobody is written to here any more, unless they have another private chat with us. */
static void
lost(struct matrix *m, struct matrix_batch *batch, const char *room, const char *who)
{
	const char *where = who ? matrix_rooms_of(m, who) : NULL;
	struct event *event;

	if (!where || strcmp(where, room) != 0)
		return;
	matrix_state_drop_of(m->own, "dm", who);
	event = matrix_sync_add(batch);
	event->kind = EVENT_BLOCKED;
	event->who = arena_string(m->arena, who);
	event->where = where;
}

/* ---- what happens in a room ---- */

/* A third person counts at once, whether or not the server says how many there are now. */
static void
other_came(json_t *row, const char *user, const char *how)
{
	json_t *others = json_object_get(row, "x");

	if (strcmp(how, "join") != 0 && strcmp(how, "invite") != 0) {
		json_object_del(others, user);
		return;
	}
	if (!others) {
		others = json_object();
		json_object_set_new(row, "x", others);
	}
	if (json_object_size(others) < OTHERS_MOST)
		json_object_set_new(others, user, json_true());
}

static void
member_came(
    struct matrix *m, struct matrix_batch *batch, const char *room, json_t *event, bool state)
{
	const char *user = matrix_json_text(event, "state_key"),
		   *how = matrix_json_text(json_object_get(event, "content"), "membership"), *peer;
	json_t *row;

	if (!matrix_json_id(user) || !how || strcmp(user, m->user) == 0)
		return;
	row = row_get(m, room);
	peer = matrix_json_text(row, "p");
	if (strcmp(how, "join") == 0 && (!peer || strcmp(peer, user) == 0)) {
		if (json_object_del(row, "g") == 0 && !state) {
			struct event *back = matrix_sync_add(batch);

			back->kind = EVENT_REACHABLE;
			back->who = arena_string(m->arena, user);
			back->where = arena_string(m->arena, room);
			matrix_rooms_spoke(m, room, user);
		}
		json_object_set_new(row, "p", json_string(user));
	} else if (peer && strcmp(peer, user) == 0 &&
		   (strcmp(how, "leave") == 0 || strcmp(how, "ban") == 0)) {
		json_object_set_new(row, "g", json_true());
		lost(m, batch, room, user);
	} else if (peer && strcmp(peer, user) != 0 && !state && !m->filling) {
		other_came(row, user, how);
	}
	row_put(m, room, row);
}

/* The room goes on elsewhere. Whoever may not say so cannot: the server checks. */
static void
tombstone_came(struct matrix *m, const char *room, json_t *event)
{
	const char *next = matrix_json_text(json_object_get(event, "content"), "replacement_room"),
		   *sender = matrix_json_text(event, "sender");
	json_t *row;

	if (!matrix_json_id(next) || !matrix_json_id(sender))
		return;
	row = row_get(m, room);
	if (!matrix_json_says(row, "t", next)) {
		forget_next(m, row);
		json_object_set_new(row, "t", json_string(next));
		if (!matrix_rooms_known(m, next)) {
			matrix_state_put_of(m->own, "next", next, json_pack("{s:s}", "u", sender));
			matrix_chore_add(m, MATRIX_CHORE_JOIN, next,
			    arena_print(m->arena, "v%s", matrix_json_server(sender)));
		}
	}
	row_put(m, room, row);
}

static void
create_came(struct matrix *m, const char *room, json_t *event)
{
	const json_t *before = json_object_get(json_object_get(event, "content"), "predecessor");
	const char *old = matrix_json_text(before, "room_id");
	json_t *row;

	if (!matrix_json_id(old))
		return;
	row = row_get(m, room);
	json_object_set_new(row, "b", json_string(old));
	row_put(m, room, row);
}

void
matrix_rooms_event(
    struct matrix *m, struct matrix_batch *batch, const char *room, json_t *event, bool state)
{
	const char *type = matrix_json_text(event, "type"),
		   *key = matrix_json_text(event, "state_key");

	if (!type || !key || !matrix_rooms_known(m, room))
		return;
	if (strcmp(type, "m.room.member") == 0)
		member_came(m, batch, room, event, state);
	else if (*key)
		return;
	else if (strcmp(type, "m.room.tombstone") == 0)
		tombstone_came(m, room, event);
	else if (strcmp(type, "m.room.create") == 0)
		create_came(m, room, event);
	else if (strcmp(type, "m.room.encryption") == 0 && !m->encryption)
		/* Said in the clear where everybody sees it, and nothing else in clear. */
		matrix_chore_add(
		    m, MATRIX_CHORE_LEAVE, room, m->reasons[MATRIX_REASON_SWITCHED_OFF]);
	else if (strcmp(type, "m.room.encryption") == 0 &&
		 !matrix_json_says(
		     json_object_get(event, "content"), "algorithm", "m.megolm.v1.aes-sha2"))
		matrix_chore_add(m, MATRIX_CHORE_LEAVE, room, m->reasons[MATRIX_REASON_UNKNOWN]);
}

/* ---- rooms.join ---- */

static void
take_summary(struct matrix *m, json_t *row, const json_t *summary)
{
	const json_t *joined = json_object_get(summary, "m.joined_member_count"),
		     *invited = json_object_get(summary, "m.invited_member_count"),
		     *heroes = json_object_get(summary, "m.heroes");
	const char *hero = json_string_value(json_array_get(heroes, 0));

	if (json_is_integer(joined))
		json_object_set_new(row, "j", json_integer(json_integer_value(joined)));
	if (json_is_integer(invited))
		json_object_set_new(row, "i", json_integer(json_integer_value(invited)));
	if (json_is_integer(joined))
		json_object_del(row, "x");
	if (matrix_json_id(hero) && strcmp(hero, m->user) != 0 && !is_group(row) &&
	    !json_object_get(row, "p"))
		json_object_set_new(row, "p", json_string(hero));
}

void
matrix_rooms_joined(
    struct matrix *m, struct matrix_batch *batch, const char *room, json_t *entry, bool initial)
{
	json_t *row = row_get(m, room), *event;
	size_t i;

	(void)initial;
	/* What is told of a room may overtake the answer to our entering it. */
	if (!row)
		row = matrix_chore_tries(m, room) ? json_pack("{s:b}", "v", 1) : json_object();
	take_summary(m, row, json_object_get(entry, "summary"));
	row_put(m, room, row);
	matrix_chore_drop(m, MATRIX_CHORE_JOIN, room);
	json_array_foreach(json_object_get(json_object_get(entry, "state"), "events"), i, event)
		matrix_rooms_event(m, batch, room, event, true);
}

/* The new room says which one it replaces, and that one said the same: the chat has moved. */
static void
follow(struct matrix *m, struct matrix_batch *batch, const char *room, json_t *row)
{
	const char *old = matrix_json_text(row, "b"), *peer = matrix_json_text(row, "p");
	json_t *before = old ? row_get(m, old) : NULL;
	struct event *event;

	if (before && peer && !is_group(row) && matrix_json_says(before, "t", room) &&
	    matrix_json_says(before, "p", peer) && !json_object_get(before, "m")) {
		event = matrix_sync_add(batch);
		event->kind = EVENT_MOVED;
		event->who = arena_string(m->arena, peer);
		event->where = arena_string(m->arena, old);
		event->new_where = arena_string(m->arena, room);
		matrix_rooms_spoke(m, room, peer);
		json_object_set_new(before, "m", json_true());
		row_put(m, old, json_incref(before));
		matrix_chore_add(m, MATRIX_CHORE_LEAVE, old, "");
	}
	json_decref(before);
}

/* It says itself that it goes on for the room that named it. */
static bool
replaces(struct matrix *m, const char *room, const json_t *row)
{
	const char *old = matrix_json_text(row, "b");
	json_t *before = old ? row_get(m, old) : NULL;
	bool does = matrix_json_says(before, "t", room);

	json_decref(before);
	return does;
}

void
matrix_rooms_entered(struct matrix *m, const char *room, const char *how)
{
	matrix_state_drop_of(m->own, "next", room);
	if (*how == 'd')
		matrix_chore_add(m, MATRIX_CHORE_DIRECT, room, how + 1);
	/* Known before its first sync, which may hold the first words. */
	if (*how == 'i' || matrix_rooms_known(m, room))
		return;
	matrix_state_put_of(m->own, "room", room,
	    *how == 'd' ? json_pack("{s:b,s:s}", "d", 1, "p", how + 1)
			: json_pack("{s:b}", "v", 1));
}

void
matrix_rooms_settle(struct matrix *m, struct matrix_batch *batch, const char *room)
{
	json_t *row = row_get(m, room);
	int64_t joined = number(row, "j");

	follow(m, batch, room, row);
	if (is_group(row) && json_object_get(row, "j"))
		lost(m, batch, room, matrix_json_text(row, "p"));
	if (json_object_get(row, "j") && joined <= 1 && number(row, "i") == 0)
		matrix_chore_add(m, MATRIX_CHORE_LEAVE, room, "");
	else if (joined > MEMBERS_MOST)
		matrix_chore_add(m, MATRIX_CHORE_LEAVE, room, m->reasons[MATRIX_REASON_TOO_LARGE]);
	else if (json_object_get(row, "v") && !replaces(m, room, row))
		matrix_chore_add(m, MATRIX_CHORE_LEAVE, room, "");
	json_decref(row);
}

const char *
matrix_rooms_moved(struct matrix *m, const char *room)
{
	json_t *row = row_get(m, room);
	const char *next = matrix_json_text(row, "t");

	next = next && matrix_rooms_known(m, next) ? arena_string(m->arena, next) : NULL;
	json_decref(row);
	return next;
}

/* ---- rooms.leave, rooms.invite ---- */

void
matrix_rooms_left(struct matrix *m, struct matrix_batch *batch, const char *room)
{
	json_t *row = row_get(m, room);

	matrix_chore_drop(m, MATRIX_CHORE_JOIN, room);
	matrix_chore_drop(m, MATRIX_CHORE_LEAVE, room);
	matrix_chore_drop(m, MATRIX_CHORE_GAP, room);
	matrix_chore_drop(m, MATRIX_CHORE_REJECT, room);
	if (row) {
		lost(m, batch, room, matrix_json_text(row, "p"));
		matrix_state_drop_of(m->own, "room", room);
	}
	json_decref(row);
}

static bool
server_allowed(const struct matrix *m, const char *user)
{
	for (char **s = m->servers; *s; s++)
		if (strcmp(*s, "*") == 0 || strcmp(*s, matrix_json_server(user)) == 0)
			return true;
	return false;
}

/* Storms of invitations: a few of each person, some hundreds in all. */
static bool
too_many(struct matrix *m, const char *inviter)
{
	struct matrix_invites n = matrix_chore_count(m, inviter);

	return n.theirs >= INVITES_OF_ONE || n.all >= INVITES_MOST ||
	       matrix_rooms_count(m) >= ROOMS_MOST;
}

static void
refuse(struct matrix *m, const char *room, const char *inviter, const char *why)
{
	if (matrix_chore_count(m, inviter).refused < REFUSED_MOST)
		matrix_chore_add(m, MATRIX_CHORE_REJECT, room, why);
	else if (m->ignored_invites++ % 100 == 0)
		log_event(
		    LOG_WARNING, "matrix.invites", "ignored=%lld", (long long)m->ignored_invites);
}

/* Private chats are for everybody; where several read along we come when a room of ours goes on
 * there, says who said so, or when whoever asks may ask. 0: we do not. */
static char
welcome(struct matrix *m, const char *room, const char *inviter, bool direct)
{
	json_t *named = matrix_state_get_of(m->own, "next", room);
	char how = direct ? 'd' : matrix_json_says(named, "u", inviter) ? 'n' : 0;

	json_decref(named);
	if (!how && m->up.welcome && m->up.welcome(m->up.engine, &m->base, room, inviter))
		how = 'i';
	return how;
}

/* Our own membership among the stripped state; *encrypted: so is the room. */
static json_t *
invitation(const struct matrix *m, const json_t *entry, bool *encrypted)
{
	json_t *event, *ours = NULL;
	size_t i;

	json_array_foreach(
	    json_object_get(json_object_get(entry, "invite_state"), "events"), i, event) {
		if (matrix_json_says(event, "type", "m.room.member") &&
		    matrix_json_says(event, "state_key", m->user))
			ours = event;
		*encrypted = *encrypted || matrix_json_says(event, "type", "m.room.encryption");
	}
	return ours;
}

void
matrix_rooms_invited(struct matrix *m, const char *room, json_t *entry)
{
	bool encrypted = false, direct;
	char how = 0;
	json_t *ours = invitation(m, entry, &encrypted);
	const char *inviter = matrix_json_text(ours, "sender");

	if (!matrix_json_id(inviter) || matrix_chore_has(m, MATRIX_CHORE_REJECT, room))
		return;
	direct = json_is_true(json_object_get(json_object_get(ours, "content"), "is_direct"));
	if (!server_allowed(m, inviter))
		refuse(m, room, inviter, "");
	else if (encrypted && !m->encryption)
		refuse(m, room, inviter, m->reasons[MATRIX_REASON_SWITCHED_OFF]);
	else if (!(how = welcome(m, room, inviter, direct)))
		refuse(m, room, inviter, m->reasons[MATRIX_REASON_PRIVATE]);
	else if (!matrix_chore_has(m, MATRIX_CHORE_JOIN, room) && too_many(m, inviter))
		refuse(m, room, inviter, "");
	else
		matrix_chore_add(
		    m, MATRIX_CHORE_JOIN, room, arena_print(m->arena, "%c%s", how, inviter));
}
