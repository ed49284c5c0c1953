/*
 * What is on its way. A row is committed as trying, waits here for a slot and for its chat, is
 * entered in the manifest and handed to the transport; its fate ends it.
 *
 * With a manifest (store/manifest.h) many answers are committed as trying at once, with the batch
 * that asked for them: after a crash it tells those that were handed over from those that still
 * waited here, and only the former are in doubt. Without one no more is committed than can be
 * handed over at once.
 */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/manifest.h"
#include "store/scrub.h"

enum {
	AHEAD = 192,	 /* answers committed and not yet handed over, at most */
	AHEAD_LOW = 24,	 /* with so few left, more are taken from the database */
	HOLD_ABOVE = 64, /* with so many left no more is asked for */
	STALE_MS = 3000, /* what could not be handed over for so long goes back to the database */
};

static struct sql unship = {
    "UPDATE delivery SET state = 0, attempts = max(attempts - 1, 0) WHERE id = ?"};
struct sql *const ship_statements[] = {&unship, NULL};

static const char *
keep_string(char **at, const char *s)
{
	size_t n = s ? strlen(s) + 1 : 0;
	char *mine = *at;

	if (!s)
		return NULL;
	memcpy(mine, s, n);
	*at += n;
	return mine;
}

static size_t
string_bytes(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

void
ship_add(struct network *n, const struct ship *from, struct blob plain)
{
	size_t strings =
	    string_bytes(from->who) + string_bytes(from->where) + string_bytes(from->message);
	struct ship *s = memory_new(sizeof(*s) + plain.length + strings);
	char *at = s->bytes + plain.length;

	*s = *from;
	s->next = NULL;
	s->queued_ms = engine_now_ms(n->engine);
	s->length = plain.length;
	memcpy(s->bytes, plain.bytes, plain.length);
	s->who = keep_string(&at, from->who);
	s->where = keep_string(&at, from->where);
	s->message = keep_string(&at, from->message);
	*n->last_ship = s;
	n->last_ship = &s->next;
	n->queued++;
	if (s->paced)
		pace_picked(n);
	n->engine->ship_look = true;
}

static bool
flies(const struct network *n, int64_t chat)
{
	for (int i = 0; i < n->flying; i++)
		if (n->flights[i]->chat == chat)
			return true;
	return false;
}

bool
ship_busy(const struct network *n, int64_t chat)
{
	for (const struct ship *s = n->ships; s; s = s->next)
		if (s->chat == chat)
			return true;
	return flies(n, chat);
}

int
ship_room(const struct network *n, bool reply)
{
	if (reply && n->engine->o.manifest)
		return AHEAD - n->queued;
	return n->transport->slots - n->flying - n->queued;
}

bool
ship_wants(const struct network *n)
{
	return n->engine->o.manifest ? n->queued < AHEAD_LOW : n->flying < n->transport->slots;
}

/* Whom to and where: as it was said, or as the account stands now. */
static bool
address(struct turn *t, const struct ship *s, struct shipment *out)
{
	if (!s->account)
		return out->where || out->who || out->op > OP_DELETE;
	if (out->where && !s->look_up)
		return true;
	return people_address(t, s->account, &out->who, &out->where);
}

/* Files that stay lie below the state folder, wherever that is now. */
static const char *
below(struct turn *t, const char *path)
{
	if (!path || path[0] == '/')
		return path;
	return arena_print(t->engine->outgoing, "%s/%s", t->engine->o.state_folder, path);
}

static void
hand_over(struct turn *t, struct network *n, struct ship *s)
{
	struct parcel p = parcel_unpack(t->engine->outgoing, (struct blob){s->bytes, s->length});
	struct shipment out = {.id = s->id,
	    .op = s->op,
	    .class = s->class,
	    .who = p.who ? p.who : s->who,
	    .where = s->where && !p.who ? s->where : p.where,
	    .message = s->message ? s->message : p.message,
	    .press = p.press,
	    .media_handle = p.media_handle,
	    .card = p.card,
	    .set = p.set,
	    .language = p.language,
	    .reply_to = p.reply_to,
	    .menu = p.menu,
	    .description = p.description,
	    .notify = s->class != CLASS_REPLY && s->class != CLASS_SERVICE,
	    .repeated = s->repeated};

	if (!address(t, s, &out)) {
		outbox_gone(t->engine, n->transport, s->id,
		    &(struct outcome){.fate = FATE_REFUSED, .refusal = REFUSAL_GONE});
		return;
	}
	if (p.card && p.card->file) {
		out.file_path = below(t, p.card->file->path);
		s->file = true;
		if (p.card->file->key)
			out.file_id = outbox_file_id(t, n, p.card->file->key);
	}
	n->transport->ops->send(n->transport, &out);
}

static void
network_ship(struct turn *t, struct network *n)
{
	struct manifest *manifest = t->engine->o.manifest;
	struct ship **at = &n->ships, *s;

	while (n->flying < n->transport->slots && (s = *at)) {
		if (flies(n, s->chat)) {
			at = &s->next;
			continue;
		}
		if (manifest && !manifest_enter(manifest, s->id))
			return; /* full: fates are committed first */
		*at = s->next;
		if (!*at)
			n->last_ship = at;
		n->queued--;
		n->flights[n->flying++] = s;
		if (s->paced)
			pace_left(n, engine_now_ms(n->engine));
		hand_over(t, n, s);
	}
}

void
outbox_ship(struct engine *e)
{
	struct turn t;
	struct ours ours;

	if (!e->ship_look)
		return;
	e->ship_look = false;
	turn_begin(&t, e, &ours);
	for (int i = 0; i < e->network_count; i++) {
		struct network *n = &e->networks[i];

		if (n->ships && n->health != HEALTH_REFUSED)
			network_ship(&t, n);
		if (n->transport->hold && n->queued <= AHEAD_LOW) {
			n->transport->hold = false;
			n->transport->ops->resume(n->transport);
		}
	}
	arena_forget(e->outgoing);
	arena_forget(e->arena);
}

void
ship_hold(struct network *n)
{
	if (n->transport->ops->resume && n->queued > HOLD_ABOVE)
		n->transport->hold = true;
}

/* The flight that ended; NULL: none of ours. */
static struct ship *
landed(struct network *n, int64_t id)
{
	for (int i = 0; i < n->flying; i++)
		if (n->flights[i]->id == id) {
			struct ship *s = n->flights[i];

			n->flights[i] = n->flights[--n->flying];
			return s;
		}
	return NULL;
}

/* What was written for one message lies on the disk no longer than it must. */
static void
file_done(struct network *n, struct ship *s, const struct outcome *outcome)
{
	struct parcel p;

	if (!s || !s->file || outcome->fate != FATE_SENT || n->transport->keeps_files)
		return;
	p = parcel_unpack(n->engine->outgoing, (struct blob){s->bytes, s->length});
	/* That of a post stays until its end. */
	if (p.card && p.card->file && strncmp(p.card->file->path, "files/", 6) != 0)
		scrub_unlink(p.card->file->path);
}

void
outbox_gone(void *engine, struct transport *transport, int64_t id, const struct outcome *outcome)
{
	struct engine *e = engine;
	struct network *n = network_of(e, transport);
	struct ship *s = landed(n, id);
	struct fated *f;

	if (e->fate_count == e->fate_room) {
		e->fate_room = e->fate_room ? e->fate_room * 2 : 64;
		e->fates = memory_resize(e->fates, e->fate_room * sizeof(*e->fates));
	}
	if (!e->fate_count)
		e->fate_since_ms = engine_now_ms(e);
	/* A feature is told, and what did not go well may hold back others. */
	if (outcome->fate != FATE_SENT || !s || s->heard)
		e->fate_since_ms = 0;
	f = &e->fates[e->fate_count++];
	f->id = id;
	f->network = n;
	f->unheard = s && !s->heard;
	f->outcome = *outcome;
	file_done(n, s, outcome);
	free(s);
	snprintf(f->message, sizeof(f->message), "%s", outcome->message ? outcome->message : "");
	snprintf(f->file_id, sizeof(f->file_id), "%s", outcome->file_id ? outcome->file_id : "");
	snprintf(
	    f->new_where, sizeof(f->new_where), "%s", outcome->new_where ? outcome->new_where : "");
	e->ship_look = true;
	e->o.ports.wake(e->o.ports.ctx, 0);
}

/* Fates that bring nothing wait a moment for the next batch, whose commit takes them along; until
 * then they stand in the manifest. While posts go out they wait for each other, and make room. */
static int64_t
fates_ms(struct engine *e)
{
	enum { MANY = 128, WAIT_MS = 30, POST_MS = 5 };

	if (!e->fate_count)
		return INT64_MAX;
	if (e->fate_since_ms > engine_now_ms(e))
		return 0; /* the clock was set back */
	for (int i = 0; i < e->network_count && e->post_sending; i++)
		if (e->networks[i].flying > e->networks[i].transport->slots / 2)
			return e->fate_since_ms + POST_MS;
	if (e->post_sending || !e->o.manifest || e->fate_count >= MANY)
		return 0;
	return e->fate_since_ms + WAIT_MS;
}

int64_t
ship_next_ms(struct engine *e)
{
	int64_t next = fates_ms(e);

	for (int i = 0; i < e->network_count; i++) {
		const struct ship *s = e->networks[i].ships;

		if (s && s->queued_ms + STALE_MS < next)
			next = s->queued_ms + STALE_MS;
	}
	return next;
}

void
ship_committed(struct engine *e)
{
	if (!e->fates_kept)
		return;
	for (size_t i = 0; i < e->fates_kept && e->o.manifest; i++)
		manifest_leave(e->o.manifest, e->fates[i].id);
	e->fate_count -= e->fates_kept;
	memmove(e->fates, e->fates + e->fates_kept, e->fate_count * sizeof(*e->fates));
	e->fates_kept = 0;
	e->ship_look = true;
}

static void
take_out(struct network *n, struct ship **at)
{
	struct ship *s = *at;

	*at = s->next;
	if (n->last_ship == &s->next)
		n->last_ship = at;
	n->queued--;
	if (s->paced)
		pace_left(n, 0);
	n->engine->ship_look = true;
	free(s);
}

void
ship_back(struct engine *e, struct network *n, int64_t chat)
{
	for (struct ship **at = &n->ships; *at;) {
		if (chat && (*at)->chat != chat) {
			at = &(*at)->next;
			continue;
		}
		db_run(e->db, &unship, V((*at)->id));
		take_out(n, at);
	}
}

void
ship_undo(struct engine *e, int64_t first)
{
	for (int i = 0; i < e->network_count; i++)
		for (struct ship **at = &e->networks[i].ships; *at;) {
			if ((*at)->id >= first)
				take_out(&e->networks[i], at);
			else
				at = &(*at)->next;
		}
}

void
ship_recall_stale(struct engine *e)
{
	int64_t now_ms = engine_now_ms(e);

	for (int i = 0; i < e->network_count; i++) {
		struct network *n = &e->networks[i];

		if (!n->ships || n->ships->queued_ms + STALE_MS > now_ms)
			continue;
		ship_back(e, n, 0);
		outbox_waits(n, 0, now_ms);
	}
}

void
ship_look_up(struct engine *e)
{
	for (int i = 0; i < e->network_count; i++)
		for (struct ship *s = e->networks[i].ships; s; s = s->next)
			s->look_up = true;
}

void
ship_forget(struct engine *e)
{
	for (int i = 0; i < e->network_count; i++) {
		struct network *n = &e->networks[i];

		while (n->ships)
			take_out(n, &n->ships);
	}
}
