/*
 * The rooms of a homeserver, their people and what they say there. Keys and what is encrypted are
 * those of tests/unit/matrix_world.h, which the unit tests use too.
 */
#include "sim_home.h"

#include "base/memory.h"

/* A text that was said where the bot was: owed one turn. */
struct said {
	struct said *next;
	int64_t at;
	const struct room *room;
	char *text;
	bool forgiven;
};

struct home home;
static struct person people[SIM_PEOPLE_MOST];
static struct said *said;
static int64_t heard_to;

struct person *
home_person(int64_t chat)
{
	int64_t i = chat - SIM_FIRST_CHAT;

	return i >= 0 && i < SIM_PEOPLE_MOST ? &people[i] : NULL;
}

struct room *
home_room(const char *id)
{
	for (size_t i = 0; i < home.room_count; i++)
		if (!strcmp(home.rooms[i]->id, id))
			return home.rooms[i];
	return NULL;
}

json_t *
home_line(const struct room *r)
{
	return json_object_get(json_object_get(home.world.rooms, r->id), "t");
}

/* ---- events ---- */

const char *
home_happen(struct room *r, const char *type, const char *sender, const char *key, json_t *content)
{
	size_t n = json_array_size(home_line(r));

	home_now();
	world_event(&home.world, r->id, type, sender, key, content);
	if (n >= r->room) {
		r->room = r->room ? r->room * 2 : 32;
		r->at = memory_resize(r->at, r->room * sizeof(*r->at));
	}
	r->at[n] = ++home.position;
	matrix_poll_wakes();
	return text_of(json_array_get(home_line(r), n), "event_id");
}

static void
member(struct room *r, const char *user, const char *sender, const char *how)
{
	json_t *members = json_object_get(json_object_get(home.world.rooms, r->id), "m");
	json_t *content = json_pack("{s:s}", "membership", how);

	if (!strcmp(how, "leave"))
		json_object_del(members, user);
	else
		json_object_set_new(members, user, json_string(how));
	if (!strcmp(how, "invite"))
		json_object_set_new(content, "is_direct", json_true());
	home_happen(r, "m.room.member", sender, user, content);
}

/* Entered before the event happens: a poll that it wakes tells of both. */
void
home_bot_becomes(struct room *r, enum standing standing, const char *sender, const char *how)
{
	r->bot = standing;
	r->bot_at = home.position + 1;
	member(r, BOT, sender, how);
}

static struct room *
room_new(struct person *p, const char *before)
{
	struct room *r;
	json_t *create;

	if (home.room_count >= ROOMS_MOST)
		return p->room;
	r = home.rooms[home.room_count++] = memory_new(sizeof(*r));
	snprintf(r->id, sizeof(r->id), "!r%zu:h", home.room_count);
	snprintf(r->before, sizeof(r->before), "%s", before ? before : "");
	r->chat = p->chat;
	r->encrypted = p->encrypts;
	json_object_set_new(
	    home.world.rooms, r->id, json_pack("{s:b,s:{},s:[]}", "e", r->encrypted, "m", "t"));
	create = json_pack("{s:s,s:s}", "room_version", "10", "creator", p->user);
	if (before)
		json_object_set_new(create, "predecessor",
		    json_pack("{s:s,s:s}", "room_id", before, "event_id", "$x"));
	home_happen(r, "m.room.create", p->user, "", create);
	member(r, p->user, p->user, "join");
	r->human_in = true;
	if (r->encrypted)
		home_happen(r, "m.room.encryption", p->user, "",
		    json_pack("{s:s}", "algorithm", "m.megolm.v1.aes-sha2"));
	home_bot_becomes(r, INVITED, p->user, "invite");
	return p->room = r;
}

static void
forgive(const struct room *r, int64_t after)
{
	for (struct said *s = said; s; s = s->next)
		if ((!r || s->room == r) && s->at > after)
			s->forgiven = true;
}

void
home_forgive(const struct room *r)
{
	forgive(r, 0);
}

void
home_forgive_unheard(void)
{
	forgive(NULL, heard_to);
}

void
home_heard(int64_t to)
{
	for (struct said *s = said; s && s->at > heard_to; s = s->next)
		sim.counts.confirmed += s->at <= to;
	heard_to = to > heard_to ? to : heard_to;
}

/* ---- what the encrypted ones read ---- */

/* They do as the bot says when a key has not come: who was forgotten with all that belonged to them, and comes
 * again, has a telephone that still writes as before. */
static void
leave_for_another(void *ctx)
{
	struct person *p = ctx;

	if (!matrix_met(p->chat))
		return;
	matrix_leave(p->chat);
	matrix_meet(p->chat, p->encrypts);
}

void
home_read(struct person *p, int64_t shipment, json_t *content)
{
	static const char *const no_key[] = {
	    "its key has not arrived", "لم يصل مفتاحها", "המפתח שלה לא הגיע"};
	json_t *edit = json_object_get(content, "m.new_content");
	const char *text = text_of(edit ? edit : content, "body");

	for (int i = 0; i < 3; i++)
		if (strstr(text, no_key[i]))
			agenda_add(sim.now_ms + 1000, false, leave_for_another, NULL, p);
	check_text(edit ? 0 : shipment, p->chat, text);
	people_received(p->chat, 0, text, NULL, 0, edit != NULL);
}

static void
client_reads(void *ctx)
{
	struct person *p = ctx;
	json_t *event, *got;
	size_t i;

	p->busy = false;
	home_now();
	client_sync(&p->client);
	got = p->client.got;
	p->client.got = json_array();
	json_array_clear(p->client.asked);
	json_array_clear(p->client.why);
	json_array_foreach(got, i, event)
		if (!strcmp(text_of(event, "sender"), BOT))
			home_read(p, 0, json_object_get(event, "content"));
	json_decref(got);
}

void
home_clients_wake(void)
{
	for (int i = 0; i < sim.o.people; i++)
		if (people[i].encrypts && !people[i].busy) {
			people[i].busy = true;
			agenda_add(sim.now_ms + 300, false, client_reads, NULL, &people[i]);
		}
}

/* ---- what people do ---- */

void
matrix_meet(int64_t chat, bool encrypts)
{
	struct person *p = home_person(chat);

	if (!p->chat) {
		p->chat = chat;
		snprintf(p->user, sizeof(p->user), "@" SIM_NAME ":h", (long long)chat);
		p->encrypts = encrypts;
		home_now();
		if (encrypts) {
			client_open(&p->client, &home.world, p->user, "PHONE");
			client_run(&p->client);
		}
	}
	if (!p->room || !p->room->human_in || p->room->bot == GONE)
		room_new(p, NULL);
	trace("meets chat=%lld room=%s", (long long)chat, p->room->id);
}

bool
matrix_met(int64_t chat)
{
	struct person *p = home_person(chat);

	return p && p->room && p->room->bot == JOINED && p->room->human_in;
}

static bool
client_posts(struct person *p, const char *text)
{
	json_t *line = home_line(p->room);
	size_t before = json_array_size(line);
	json_t *event;

	home_now();
	client_sync(&p->client);
	if (client_say(&p->client, p->room->id, text) != MATRIX_SEAL_READY)
		return false;
	/* It was put into the world's line; here it gets its position as any other. */
	event = json_incref(json_array_get(line, before));
	json_array_remove(line, before);
	home.world.events--;
	home_happen(p->room, "m.room.encrypted", p->user, NULL,
	    json_incref(json_object_get(event, "content")));
	json_decref(event);
	return true;
}

int64_t
matrix_say(int64_t chat, const char *text)
{
	struct person *p = home_person(chat);
	struct said *s;

	if (!matrix_met(chat))
		return 0;
	sim.counts.updates++;
	trace("says chat=%lld %.200s", (long long)chat, text);
	if (p->encrypts) {
		if (!client_posts(p, text))
			return 0;
	} else {
		home_happen(p->room, "m.room.message", p->user, NULL, message(text));
	}
	s = memory_new(sizeof(*s));
	*s = (struct said){said, home.position, p->room, memory_string(text), false};
	said = s;
	return home.position;
}

void
matrix_leave(int64_t chat)
{
	struct person *p = home_person(chat);

	if (!p->room || !p->room->human_in)
		return;
	trace("leaves chat=%lld", (long long)chat);
	member(p->room, p->user, p->user, "leave");
	p->room->human_in = false;
	forgive(p->room, 0);
}

/* The room is upgraded: a new one that says which it replaces, and a tombstone. */
void
matrix_upgrade(int64_t chat)
{
	struct person *p = home_person(chat);
	struct room *old = p->room;

	if (!matrix_met(chat))
		return;
	room_new(p, old->id);
	sim.counts.odd[ODD_ROOM_MOVED]++;
	trace("upgrades chat=%lld %s to %s", (long long)chat, old->id, p->room->id);
	home_happen(old, "m.room.tombstone", p->user, "",
	    json_pack("{s:s,s:s}", "body", "moved", "replacement_room", p->room->id));
	old->dead = true;
	forgive(old, 0);
}

bool
matrix_all_confirmed(void)
{
	for (struct said *s = said; s; s = s->next)
		if (!s->forgiven && s->at > heard_to)
			return false;
	return true;
}

void
matrix_confirmed_texts(void (*each)(int64_t update, const char *text))
{
	for (struct said *s = said; s; s = s->next)
		if (!s->forgiven && s->at <= heard_to)
			each(s->at, s->text);
}

/* ---- life ---- */

void
home_begin(void)
{
	world_open(&home.world);
	memset(people, 0, sizeof(people));
	home.position = heard_to = 0;
	home.room_count = 0;
}

void
home_end(void)
{
	for (int i = 0; i < SIM_PEOPLE_MOST; i++)
		if (people[i].encrypts)
			client_close(&people[i].client);
	while (said) {
		struct said *s = said;

		said = s->next;
		free(s->text);
		free(s);
	}
	for (size_t i = 0; i < home.room_count; i++) {
		free(home.rooms[i]->at);
		free(home.rooms[i]);
	}
	world_close(&home.world);
}
