#include "telegram_json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

enum {
	ID_ROOM = 24,
	ID_BITS = 52, /* of users and chats [1.2] */
	EVENTS_FIRST = 16,
	RETRY_MOST_S = 7 * 86400,
};

/* ---- answers ---- */

/* Seconds, of any length; -1: none. */
static int64_t
seconds(const char *p, const char *end)
{
	int64_t n = -1;

	for (; p < end && isdigit((unsigned char)*p); p++)
		if (n <= RETRY_MOST_S)
			n = (n < 0 ? 0 : n * 10) + (*p - '0');
	return n;
}

/* A number as it should be, or one in quotes; else what the description says in words. */
static int64_t
retry_after(const struct telegram_answer *answer, struct slice value)
{
	static const char words[] = "retry after ";
	const char *said = strstr(answer->description, words);
	bool quoted = value.length && *value.at == '"';
	int64_t n = -1;

	if (value.length)
		n = seconds(value.at + quoted, value.at + value.length);
	if (n < 0 && said)
		n = seconds(said + sizeof(words) - 1, strchr(said, 0));
	return n;
}

int64_t
telegram_json_retry_s(const struct telegram_answer *answer, int64_t header_s)
{
	int64_t n = answer && answer->retry_after_s >= 0 ? answer->retry_after_s : header_s;

	return n < RETRY_MOST_S ? n : RETRY_MOST_S;
}

void
telegram_json_answer(const void *bytes, size_t length, struct telegram_answer *answer)
{
	static const struct slice_name names[] = {
	    SLICE_NAME("ok"),
	    SLICE_NAME("result"),
	    SLICE_NAME("error_code"),
	    SLICE_NAME("description"),
	    SLICE_NAME("parameters"),
	};
	struct slice v[5];
	int64_t code = 0;
	size_t n = 0;

	memset(answer, 0, sizeof(*answer));
	answer->retry_after_s = -1;
	if (!slice_fields(slice_whole(bytes, length), names, 5, v))
		return;
	answer->ok = slice_is(v[0], "true");
	answer->whole = answer->ok || slice_is(v[0], "false");
	answer->result = v[1];
	if (slice_number(v[2], &code) && code > 0 && code < 1000)
		answer->code = (int)code;
	if (v[3].length > 2)
		for (; n < v[3].length - 2 && n < sizeof(answer->description) - 1; n++)
			answer->description[n] = (char)tolower((unsigned char)v[3].at[n + 1]);
	answer->description[n] = 0;
	answer->retry_after_s = retry_after(answer, slice_get(v[4], "retry_after"));
	slice_number(slice_get(v[4], "migrate_to_chat_id"), &answer->migrate_to);
}

bool
telegram_json_me(struct slice result, struct telegram_me *me)
{
	struct slice name = slice_get(result, "username");
	int64_t id;

	if (!slice_number(slice_get(result, "id"), &id) || id <= 0)
		return false;
	me->id = id;
	me->username[0] = 0;
	if (name.length <= 2 || name.length - 2 >= sizeof(me->username))
		return true;
	for (size_t i = 1; i < name.length - 1; i++)
		if (!isalnum((unsigned char)name.at[i]) && name.at[i] != '_')
			return true;
	memcpy(me->username, name.at + 1, name.length - 2);
	me->username[name.length - 2] = 0;
	return true;
}

/* ---- updates ---- */

/* One update on its way to being an event. */
struct reading {
	struct arena *arena;
	const struct telegram_me *me;
	struct event *event;
};

/* A chat or user id as text, NULL when it is none. */
static const char *
id_text(struct arena *arena, struct slice value)
{
	int64_t id;

	if (!slice_number(value, &id) || !id || id >= 1LL << ID_BITS || id <= -(1LL << ID_BITS))
		return NULL;
	return arena_copy(arena, value.at, value.length);
}

enum { U_ID, U_BOT, U_LANGUAGE, U_COUNT };
static const struct slice_name user_names[U_COUNT] = {
    SLICE_NAME("id"),
    SLICE_NAME("is_bot"),
    SLICE_NAME("language_code"),
};

/* Names and usernames are not even read. False: no person. */
static bool
read_user(struct reading *r, struct slice user)
{
	struct slice v[U_COUNT];

	if (!slice_fields(user, user_names, U_COUNT, v) || slice_is(v[U_BOT], "true"))
		return false;
	r->event->who = id_text(r->arena, v[U_ID]);
	r->event->language = slice_text(r->arena, v[U_LANGUAGE]);
	return r->event->who;
}

static bool
read_chat(struct reading *r, struct slice chat)
{
	static const struct slice_name names[] = {SLICE_NAME("id"), SLICE_NAME("type")};
	struct slice v[2];

	if (!slice_fields(chat, names, 2, v))
		return false;
	r->event->where = id_text(r->arena, v[0]);
	r->event->group = !slice_is(v[1], "\"private\"");
	return r->event->where;
}

enum {
	M_ID,
	M_FROM,
	M_CHAT,
	M_DATE,
	M_EDIT_DATE,
	M_TEXT,
	M_CAPTION,
	M_ENTITIES,
	M_CAPTION_ENTITIES,
	M_REPLY,
	M_MIGRATE_TO,
	M_MIGRATE_FROM,
	M_VOICE,
	M_PHOTO,
	M_AUDIO,
	M_DOCUMENT,
	M_OTHER, /* the first of the kinds we cannot use */
	M_COUNT = M_OTHER + 14,
};
static const struct slice_name message_names[M_COUNT] = {
    SLICE_NAME("message_id"),
    SLICE_NAME("from"),
    SLICE_NAME("chat"),
    SLICE_NAME("date"),
    SLICE_NAME("edit_date"),
    SLICE_NAME("text"),
    SLICE_NAME("caption"),
    SLICE_NAME("entities"),
    SLICE_NAME("caption_entities"),
    SLICE_NAME("reply_to_message"),
    SLICE_NAME("migrate_to_chat_id"),
    SLICE_NAME("migrate_from_chat_id"),
    SLICE_NAME("voice"),
    SLICE_NAME("photo"),
    SLICE_NAME("audio"),
    SLICE_NAME("document"),
    SLICE_NAME("animation"),
    SLICE_NAME("video"),
    SLICE_NAME("video_note"),
    SLICE_NAME("sticker"),
    SLICE_NAME("contact"),
    SLICE_NAME("location"),
    SLICE_NAME("venue"),
    SLICE_NAME("poll"),
    SLICE_NAME("dice"),
    SLICE_NAME("game"),
    SLICE_NAME("story"),
    SLICE_NAME("paid_media"),
    SLICE_NAME("checklist"),
    SLICE_NAME("live_photo"),
};

static void
read_file(struct reading *r, struct slice file, enum media_kind kind)
{
	static const struct slice_name names[] = {
	    SLICE_NAME("file_id"),
	    SLICE_NAME("file_name"),
	    SLICE_NAME("mime_type"),
	    SLICE_NAME("file_size"),
	    SLICE_NAME("duration"),
	};
	struct slice v[5];
	struct media *m = &r->event->media;

	m->kind = kind;
	if (!slice_fields(file, names, 5, v))
		return;
	m->handle = slice_text(r->arena, v[0]);
	m->name = slice_text(r->arena, v[1]);
	m->type = slice_text(r->arena, v[2]);
	if (!slice_number(v[3], &m->bytes))
		m->bytes = -1;
	if (!slice_number(v[4], &m->duration_s))
		m->duration_s = -1;
}

/* The biggest of a photo's sizes stands last. */
static struct slice
last_of(struct slice array)
{
	struct slice_walk walk = slice_walk(array);
	struct slice value, last = {0};

	while (slice_next(&walk, NULL, &value))
		last = value;
	return last;
}

/* What has no handle cannot be asked for: a place, a contact and the like are never taken. */
static void
read_media(struct reading *r, const struct slice *v)
{
	struct media *m = &r->event->media;

	m->bytes = m->duration_s = -1;
	if (v[M_VOICE].at) {
		read_file(r, v[M_VOICE], MEDIA_VOICE);
	} else if (v[M_PHOTO].at) {
		read_file(r, last_of(v[M_PHOTO]), MEDIA_PICTURE);
		m->type = "image/jpeg";
	} else if (v[M_AUDIO].at) {
		read_file(r, v[M_AUDIO], MEDIA_AUDIO);
	} else {
		for (size_t i = M_OTHER; i < M_COUNT && m->kind == MEDIA_NONE; i++)
			if (v[i].at)
				m->kind = MEDIA_OTHER;
		if (m->kind == MEDIA_NONE && v[M_DOCUMENT].at)
			read_file(r, v[M_DOCUMENT], MEDIA_FILE);
	}
}

/* Bytes of text before this UTF-16 offset; the text's length when it is shorter. */
static size_t
utf16_at(const char *text, int64_t units)
{
	size_t i = 0;

	while (text[i] && units > 0) {
		unsigned char c = (unsigned char)text[i];
		size_t bytes = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		units -= bytes == 4 ? 2 : 1;
		while (bytes-- && text[i])
			i++;
	}
	return i;
}

enum { E_TYPE, E_OFFSET, E_LENGTH, E_USER, E_COUNT };
static const struct slice_name entity_names[E_COUNT] = {
    SLICE_NAME("type"),
    SLICE_NAME("offset"),
    SLICE_NAME("length"),
    SLICE_NAME("user"),
};

static bool
is_my_name(const struct reading *r, const char *name, size_t length)
{
	return r->me->username[0] && strlen(r->me->username) == length &&
	       strncasecmp(name, r->me->username, length) == 0;
}

static void
cut_out(char *text, size_t from, size_t to)
{
	memmove(text + from, text + to, strlen(text + to) + 1);
}

/* "/word" is for everybody here, "/word@us" for us (our name is taken off), "/word@them" not. */
static bool
command_to_us(struct reading *r, char *text, size_t from, size_t to)
{
	char *at = memchr(text + from, '@', to - from);
	size_t name = at ? (size_t)(at + 1 - text) : 0;

	if (!at)
		return true;
	if (!is_my_name(r, at + 1, to - name))
		return false;
	cut_out(text, name - 1, to);
	return true;
}

/* Whether this entity calls us; a mention or command that begins the text loses our name. */
static bool
entity_to_us(struct reading *r, char *text, struct slice entity)
{
	struct slice v[E_COUNT];
	int64_t offset, length, id;
	size_t from, to;

	if (!slice_fields(entity, entity_names, E_COUNT, v) ||
	    !slice_number(v[E_OFFSET], &offset) || !slice_number(v[E_LENGTH], &length) ||
	    offset < 0 || length <= 0)
		return false;
	if (slice_is(v[E_TYPE], "\"text_mention\""))
		return slice_number(slice_get(v[E_USER], "id"), &id) && id == r->me->id;
	from = utf16_at(text, offset);
	to = from + utf16_at(text + from, length);
	if (slice_is(v[E_TYPE], "\"bot_command\"") && from == 0)
		return command_to_us(r, text, from, to);
	if (!slice_is(v[E_TYPE], "\"mention\"") || to <= from ||
	    !is_my_name(r, text + from + 1, to - from - 1))
		return false;
	if (from == 0)
		cut_out(text, from, to + (text[to] == ' '));
	return true;
}

static void
read_address(struct reading *r, char *text, struct slice entities, struct slice reply)
{
	struct slice_walk walk = slice_walk(entities);
	struct slice entity;
	int64_t id;

	/* The first one that calls us may shorten the text, so the offsets behind it are stale. */
	while (text && !r->event->to_us && slice_next(&walk, NULL, &entity))
		r->event->to_us = entity_to_us(r, text, entity);
	if (slice_number(slice_get(slice_get(reply, "from"), "id"), &id) && id == r->me->id)
		r->event->to_us = true;
}

static bool
is_empty(const struct slice *v)
{
	for (size_t i = M_VOICE; i < M_COUNT; i++)
		if (v[i].at)
			return false;
	return !v[M_TEXT].at && !v[M_CAPTION].at;
}

/* The chat became a supergroup; both chats say so, either is enough. */
static bool
read_move(struct reading *r, const struct slice *v)
{
	struct event *e = r->event;

	e->kind = EVENT_MOVED;
	e->who = NULL;
	if (v[M_MIGRATE_TO].at) {
		e->new_where = id_text(r->arena, v[M_MIGRATE_TO]);
	} else {
		e->new_where = e->where;
		e->where = id_text(r->arena, v[M_MIGRATE_FROM]);
	}
	return e->new_where && e->where;
}

static const char *
number_text(struct reading *r, struct slice value)
{
	int64_t n;

	return slice_number(value, &n) ? arena_copy(r->arena, value.at, value.length) : NULL;
}

enum reading_end { READ_EVENT, READ_NOTHING, READ_BROKEN };

static enum reading_end
read_message(struct reading *r, struct slice message, enum event_kind kind)
{
	struct slice v[M_COUNT];
	struct event *e = r->event;
	struct slice reply;
	char *text;

	if (!slice_fields(message, message_names, M_COUNT, v) || !read_chat(r, v[M_CHAT]))
		return READ_BROKEN;
	if (v[M_MIGRATE_TO].at || v[M_MIGRATE_FROM].at)
		return read_move(r, v) ? READ_EVENT : READ_BROKEN;
	if (!v[M_FROM].at || !read_user(r, v[M_FROM]))
		return slice_is(slice_get(v[M_FROM], "is_bot"), "true") || !v[M_FROM].at
			   ? READ_NOTHING
			   : READ_BROKEN;
	if (is_empty(v))
		return READ_NOTHING; /* somebody joined, a title changed */
	e->kind = kind;
	text = slice_text(r->arena, v[M_TEXT].at ? v[M_TEXT] : v[M_CAPTION]);
	e->text = text;
	e->message = number_text(r, v[M_ID]);
	reply = v[M_REPLY];
	if (reply.at)
		e->reply_to = number_text(r, slice_get(reply, "message_id"));
	if (!slice_number(
		v[kind == EVENT_EDITED && v[M_EDIT_DATE].at ? M_EDIT_DATE : M_DATE], &e->sent_s))
		e->sent_s = 0;
	read_address(r, text, v[v[M_TEXT].at ? M_ENTITIES : M_CAPTION_ENTITIES], reply);
	read_media(r, v);
	return READ_EVENT;
}

static enum reading_end
read_press(struct reading *r, struct slice query)
{
	static const struct slice_name names[] = {
	    SLICE_NAME("id"),
	    SLICE_NAME("from"),
	    SLICE_NAME("message"),
	    SLICE_NAME("data"),
	};
	struct slice v[4];
	struct event *e = r->event;

	if (!slice_fields(query, names, 4, v) || !read_user(r, v[1]))
		return READ_BROKEN;
	e->kind = EVENT_PRESS;
	e->press = slice_text(r->arena, v[0]);
	e->token = slice_text(r->arena, v[3]);
	e->to_us = true;
	/* The message may be missing, or too old to be seen [1.6]. */
	if (v[2].at && read_chat(r, slice_get(v[2], "chat")))
		e->message = number_text(r, slice_get(v[2], "message_id"));
	if (!e->token)
		e->token = "";
	return e->press ? READ_EVENT : READ_BROKEN;
}

static enum reading_end
read_membership(struct reading *r, struct slice change)
{
	static const struct slice_name names[] = {
	    SLICE_NAME("chat"),
	    SLICE_NAME("from"),
	    SLICE_NAME("date"),
	    SLICE_NAME("new_chat_member"),
	};
	struct slice v[4], status;

	if (!slice_fields(change, names, 4, v) || !read_chat(r, v[0]))
		return READ_BROKEN;
	if (!read_user(r, v[1]) && !r->event->group)
		return READ_BROKEN;
	if (!slice_number(v[2], &r->event->sent_s))
		r->event->sent_s = 0;
	/* Who added or removed us in a group says nothing about that person. */
	if (r->event->group)
		r->event->who = NULL;
	status = slice_get(v[3], "status");
	if (slice_is(status, "\"kicked\"") || slice_is(status, "\"left\"") ||
	    (slice_is(status, "\"restricted\"") && !slice_is(slice_get(v[3], "is_member"), "true")))
		r->event->kind = EVENT_BLOCKED;
	else
		r->event->kind = EVENT_REACHABLE;
	return status.at ? READ_EVENT : READ_BROKEN;
}

enum { K_ID, K_MESSAGE, K_EDITED, K_PRESS, K_MEMBER, K_COUNT };
static const struct slice_name update_names[K_COUNT] = {
    SLICE_NAME("update_id"),
    SLICE_NAME("message"),
    SLICE_NAME("edited_message"),
    SLICE_NAME("callback_query"),
    SLICE_NAME("my_chat_member"),
};

static enum reading_end
read_kind(struct reading *r, const struct slice *v)
{
	if (v[K_MESSAGE].at)
		return read_message(r, v[K_MESSAGE], EVENT_MESSAGE);
	if (v[K_EDITED].at)
		return read_message(r, v[K_EDITED], EVENT_EDITED);
	if (v[K_PRESS].at)
		return read_press(r, v[K_PRESS]);
	if (v[K_MEMBER].at)
		return read_membership(r, v[K_MEMBER]);
	return READ_NOTHING;
}

/* The update's number, and a mark of what it numbers: numbers begin anew, and then one that was
 * seen is another update, while the same update sent again is the same [0.4]. */
static const char *
event_id(struct arena *arena, const struct telegram_me *me, int64_t id, const struct event *e)
{
	const char *what = e->press ? e->press : e->message ? e->message : "";
	uint64_t mark = 14695981039346656037u ^ (uint64_t)e->sent_s;
	char *text = arena_alloc(arena, 3 * ID_ROOM);

	for (; *what; what++)
		mark = (mark ^ (unsigned char)*what) * 1099511628211u;
	snprintf(text, 3 * ID_ROOM, "%lld:%lld:%08x", (long long)me->id, (long long)id,
	    (unsigned)(mark ^ mark >> 32));
	return text;
}

/* An update that is there but not as it should be: kept as it came, and its sender hears a word. */
static void
make_unreadable(struct event *e, const char *id, struct slice raw)
{
	const char *who = e->who, *where = e->where, *language = e->language;
	bool group = e->group;

	memset(e, 0, sizeof(*e));
	e->id = id;
	e->kind = EVENT_UNREADABLE;
	e->who = who;
	e->where = where;
	e->group = group;
	e->language = language;
	e->raw = raw.at;
	e->raw_length = raw.length;
}

static void
read_update(struct arena *arena, const struct telegram_me *me, struct slice update,
    struct telegram_updates *updates)
{
	struct reading r = {arena, me, &updates->events[updates->event_count]};
	struct slice v[K_COUNT];
	enum reading_end end;
	int64_t id;

	updates->update_count++;
	slice_fields(update, update_names, K_COUNT, v);
	if (!slice_number(v[K_ID], &id) || id < 0)
		return;
	updates->next = id + 1;
	end = read_kind(&r, v);
	if (end == READ_NOTHING) {
		memset(r.event, 0, sizeof(*r.event));
		return;
	}
	if (end == READ_BROKEN) {
		make_unreadable(r.event, event_id(arena, me, id, r.event), update);
	} else {
		r.event->id = event_id(arena, me, id, r.event);
		r.event->raw = update.at;
		r.event->raw_length = update.length;
	}
	updates->event_count++;
}

static struct event *
more_room(struct arena *arena, const struct telegram_updates *updates, size_t *room)
{
	struct event *events;

	*room = *room ? *room * 2 : EVENTS_FIRST;
	events = arena_alloc(arena, *room * sizeof(*events));
	if (updates->event_count)
		memcpy(events, updates->events, updates->event_count * sizeof(*events));
	return events;
}

void
telegram_json_updates(struct arena *arena, const struct telegram_me *me, struct slice result,
    struct telegram_updates *updates)
{
	struct slice_walk walk = slice_walk(result);
	struct slice update;
	size_t room = 0;

	memset(updates, 0, sizeof(*updates));
	updates->next = -1;
	updates->broken = !walk.at || walk.object;
	if (updates->broken)
		return;
	while (slice_next(&walk, NULL, &update)) {
		if (updates->event_count == room)
			updates->events = more_room(arena, updates, &room);
		read_update(arena, me, update, updates);
	}
	updates->broken = walk.broken;
}

void
telegram_json_salvage(struct arena *arena, const struct telegram_me *me, const void *bytes,
    size_t length, struct telegram_updates *updates)
{
	static const char key[] = "\"update_id\":";
	const char *p = memmem(bytes, length, key, sizeof(key) - 1), *end;
	struct slice number;
	int64_t id;

	memset(updates, 0, sizeof(*updates));
	updates->next = -1;
	if (!p)
		return;
	p += sizeof(key) - 1;
	end = (const char *)bytes + length;
	number.at = p;
	while (p < end && isdigit((unsigned char)*p))
		p++;
	number.length = (size_t)(p - number.at);
	if (!slice_number(number, &id))
		return;
	updates->events = arena_alloc(arena, sizeof(struct event));
	updates->event_count = updates->update_count = 1;
	updates->next = id + 1;
	make_unreadable(updates->events, event_id(arena, me, id, updates->events),
	    (struct slice){.at = bytes, .length = length});
}

/* ---- fates ---- */

static bool
says(const struct telegram_answer *answer, const char *words)
{
	return strstr(answer->description, words);
}

/* What may be done twice with the same end [1.11]. */
static bool
is_idempotent(enum op op)
{
	return op != OP_SEND;
}

static void
refuse(struct outcome *out, enum refusal why)
{
	out->fate = FATE_REFUSED;
	out->refusal = why;
}

/* Already as it should be: done. */
static bool
is_done(enum op op, const struct telegram_answer *a)
{
	switch (op) {
	case OP_EDIT:
		return says(a, "message is not modified");
	case OP_DELETE:
		return says(a, "message to delete not found");
	case OP_ANSWER:
		return says(a, "query is too old") || says(a, "query id is invalid");
	case OP_LEAVE:
		return says(a, "not a member") || says(a, "chat not found") || says(a, "kicked");
	case OP_SEND:
	case OP_MENU:
	case OP_FETCH:
	case OP_TYPING:
		return false;
	}
	return false;
}

static enum telegram_cure
cure_of(enum op op, const struct telegram_answer *a)
{
	if (op != OP_SEND && op != OP_EDIT)
		return CURE_NONE;
	if (says(a, "entit"))
		return CURE_PLAIN;
	if (op == OP_EDIT && says(a, "there is no text in the message"))
		return CURE_CAPTION;
	if (op == OP_SEND && (says(a, "file identifier") || says(a, "file_id") ||
				 says(a, "file reference") || says(a, "remote file")))
		return CURE_UPLOAD;
	return CURE_NONE;
}

/* 400 and 403: the text is only a hint, and what no hint names is refused for this chat. */
static void
read_refusal(struct arena *arena, const struct telegram_answer *a, struct outcome *out)
{
	static const struct {
		const char *words;
		enum refusal why;
	} hints[] = {
	    {"user is deactivated", REFUSAL_GONE},
	    {"group chat was deleted", REFUSAL_GONE},
	    {"blocked by the user", REFUSAL_BLOCKED},
	    {"bot was kicked", REFUSAL_BLOCKED},
	    {"not a member of", REFUSAL_BLOCKED},
	    {"no rights", REFUSAL_BLOCKED},
	    {"not enough rights", REFUSAL_BLOCKED},
	    {"can't initiate", REFUSAL_NEVER_MET},
	    {"chat not found", REFUSAL_NEVER_MET},
	    {"peer_id_invalid", REFUSAL_NEVER_MET},
	    {"can't parse", REFUSAL_BAD},
	    {"too long", REFUSAL_BAD},
	    {"is empty", REFUSAL_BAD},
	    {"non-empty", REFUSAL_BAD},
	    {"button_", REFUSAL_BAD},
	    {"utf-8", REFUSAL_BAD},
	};

	refuse(out, REFUSAL_OTHER);
	if (a->migrate_to) {
		char *where = arena_alloc(arena, ID_ROOM);

		snprintf(where, ID_ROOM, "%lld", (long long)a->migrate_to);
		out->refusal = REFUSAL_MOVED;
		out->new_where = where;
		return;
	}
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (says(a, hints[i].words)) {
			out->refusal = hints[i].why;
			return;
		}
}

/* Nobody knows whether it was done. */
static void
doubt(enum op op, struct outcome *out)
{
	out->fate = is_idempotent(op) ? FATE_LATER : FATE_UNCERTAIN;
}

static void
sent(struct arena *arena, struct slice result, struct outcome *out)
{
	static const struct slice_name names[] = {
	    SLICE_NAME("message_id"),
	    SLICE_NAME("document"),
	    SLICE_NAME("photo"),
	    SLICE_NAME("audio"),
	    SLICE_NAME("voice"),
	    SLICE_NAME("animation"),
	};
	struct slice v[6], file;
	int64_t id;

	out->fate = FATE_SENT;
	if (!slice_fields(result, names, 6, v))
		return;
	/* 0: it was scheduled and has no id yet [1.2]. */
	if (slice_number(v[0], &id) && id > 0)
		out->message = arena_copy(arena, v[0].at, v[0].length);
	file = v[2].at ? last_of(v[2]) : v[1].at ? v[1] : v[3].at ? v[3] : v[4].at ? v[4] : v[5];
	if (file.at)
		out->file_id = slice_text(arena, slice_get(file, "file_id"));
}

/* Where the server said no with a status; `code` is error_code, or the status of a front end. */
static enum telegram_cure
read_no(struct arena *arena, enum op op, int code, int64_t retry_after_s,
    const struct telegram_answer *a, struct outcome *out)
{
	if (code == 429) {
		out->fate = FATE_LATER;
		/* 0: nobody says how long, and the engine waits longer each time. */
		out->after_ms = retry_after_s < 0 ? 0 : retry_after_s ? retry_after_s * 1000 : 1000;
	} else if (code == 401 || code == 421) {
		out->fate = FATE_LATER;
		out->whole_network = true;
	} else if (code == 408 || code < 400 || code >= 500) {
		doubt(op, out);
	} else if (!a->whole && (code == 403 || code == 404)) {
		out->fate = FATE_LATER; /* something in front of the server */
	} else if (code == 400 && is_done(op, a)) {
		out->fate = FATE_SENT;
	} else if (code == 400 && cure_of(op, a)) {
		refuse(out, REFUSAL_BAD);
		return cure_of(op, a);
	} else if (code == 400 || code == 403) {
		read_refusal(arena, a, out);
	} else {
		refuse(out, REFUSAL_BAD);
	}
	return CURE_NONE;
}

enum telegram_cure
telegram_json_fate(struct arena *arena, enum op op, const struct http_answer *http,
    int64_t retry_after_s, const struct telegram_answer *a, struct outcome *out)
{
	memset(out, 0, sizeof(*out));
	if (http->outcome == HTTP_NOT_SENT) {
		out->fate = FATE_LATER;
		out->whole_network = true;
		return CURE_NONE;
	}
	if (http->outcome != HTTP_REPLIED || (http->status == 200 && !a->whole)) {
		doubt(op, out);
		return CURE_NONE;
	}
	if (a->whole && a->ok) {
		sent(arena, a->result, out);
		return CURE_NONE;
	}
	return read_no(arena, op, a->whole && a->code ? a->code : http->status,
	    telegram_json_retry_s(a, retry_after_s), a, out);
}

char *
telegram_json_file(struct arena *arena, struct slice result, int64_t *bytes)
{
	char *path = slice_text(arena, slice_get(result, "file_path"));

	if (!slice_number(slice_get(result, "file_size"), bytes))
		*bytes = -1;
	if (!path || !*path || *path == '/' || strstr(path, ".."))
		return NULL;
	for (const char *p = path; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-./", *p))
			return NULL;
	return path;
}
