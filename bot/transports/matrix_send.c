/*
 * Sending. Every event of a room goes through the encryption, whether the room is encrypted or not;
 * what waits for keys is held here. The transaction id is made of the shipment's id and content, so
 * that a retry is the same event and a restored database does not find its new words swallowed.
 */
#include "transports/matrix_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/card.h"
#include "base/log.h"
#include "transports/matrix_body.h"
#include "transports/matrix_file.h"

enum {
	NOBODY_AGAIN_MS = 60000, /* no device of theirs may read: they may sign it any time */
	WORK_SHOWN_MS = 1000,
	HELD_MOST_MS = 60000, /* waiting for keys; then the engine's clock decides */
	REFUSED_AGAIN_MS = 3600000,
	TOO_EARLY_MS = 500,
	STALE_TOKEN_MS = 100, /* it was refreshed meanwhile */
	UPLOAD_MOST = 50 * 1000 * 1000,
};

enum stage { HELD, OUT, UPLOADING, FETCHING, EARLY };

struct matrix_sending {
	struct matrix *m;
	struct matrix_sending *next, *previous;
	int64_t id; /* 0: our own, nobody hears of it */
	enum op op;
	enum stage stage;
	char *room, *type;
	char txn[96];
	json_t *content;
	int64_t since_ms;
	int token_number; /* of the token it was posted with */
	bool shown;	  /* as typing */
	struct http_call *call;
	struct outcome outcome; /* EARLY */
	/* Files. */
	struct arena *arena;
	struct shipment kept;
	json_t *file;
	size_t bytes;
	char *url;
	char *number; /* of an encrypted file, to send it once more */
	bool known;   /* it was uploaded before */
};

static struct matrix_sending *
sending_new(struct matrix *m, int64_t id, enum op op, const char *room)
{
	struct matrix_sending *g = memory_new(sizeof(*g));

	g->m = m;
	g->id = id;
	g->op = op;
	g->room = memory_string(room ? room : "");
	g->since_ms = loop_now_ms(m->loop);
	g->next = m->sendings;
	if (g->next)
		g->next->previous = g;
	m->sendings = g;
	return g;
}

static void
sending_free(struct matrix_sending *g)
{
	*(g->previous ? &g->previous->next : &g->m->sendings) = g->next;
	if (g->next)
		g->next->previous = g->previous;
	if (g->arena)
		arena_free(g->arena);
	json_decref(g->content);
	json_decref(g->file);
	free(g->room);
	free(g->type);
	free(g->url);
	free(g->number);
	free(g);
}

static void
sending_gone(struct matrix_sending *g, const struct outcome *outcome)
{
	struct matrix *m = g->m;
	struct outcome out = *outcome;
	int64_t id = g->id;

	if (out.fate == FATE_SENT && g->url && !g->known)
		out.file_id = g->number ? g->number : g->url;
	if (id)
		m->up.gone(m->up.engine, &m->base, id, &out);
	sending_free(g);
}

/* Decided already; said in the next round, because send() never answers from inside. */
static void
sending_early(struct matrix_sending *g, const struct outcome *outcome)
{
	g->stage = EARLY;
	g->outcome = *outcome;
	timer_start(g->m->early_timer, 0);
}

static void
sending_refused(struct matrix_sending *g, enum refusal why)
{
	sending_early(g, &(struct outcome){.fate = FATE_REFUSED, .refusal = why});
}

void
matrix_send_early(void *ctx)
{
	struct matrix *m = ctx;
	struct matrix_sending *g = m->sendings, *next;

	for (; g; g = next) {
		next = g->next;
		if (g->stage == EARLY) {
			struct outcome out = g->outcome;

			sending_gone(g, &out);
		}
	}
}

/* ---- posting ---- */

static void sending_came(void *ctx, const struct http_answer *http);

static void
post(struct matrix_sending *g, const char *label, const char *method, const char *path,
    const char *body)
{
	g->stage = OUT;
	g->token_number = g->m->token_number;
	g->call = matrix_ask(g->m, &(struct matrix_ask){
				       .lane = g->m->send_lane,
				       .label = label,
				       .method = method,
				       .path = path,
				       .body = body,
				       .length = body ? strlen(body) : 0,
				       .fn = sending_came,
				       .ctx = g,
				   });
}

static void
post_event(struct matrix_sending *g, const char *type, const char *body)
{
	post(g, "matrix send", "PUT",
	    matrix_path(g->m, "/_matrix/client/v3/rooms/%s/send/%s/%s", g->room, type, g->txn),
	    body);
}

static void
post_clear(struct matrix_sending *g)
{
	char *body = json_dumps(g->content, JSON_COMPACT);

	if (!body) {
		sending_refused(g, REFUSAL_BAD);
		return;
	}
	post_event(g, g->type, body);
	explicit_bzero(body, strlen(body));
	free(body);
}

/* Keys are being fetched: whoever waits longer than a second sees that something happens. */
static void
show_work(struct matrix_sending *g)
{
	if (g->id && !g->shown && loop_now_ms(g->m->loop) - g->since_ms >= WORK_SHOWN_MS) {
		g->shown = true;
		matrix_chore_add(g->m, MATRIX_CHORE_TYPING, g->room, "");
	}
}

/* True when it was posted. */
static bool
post_held(struct matrix_sending *g)
{
	struct matrix *m = g->m;
	const char *sealed = NULL;
	/* Before whoami has answered nobody knows what is encrypted. */
	enum matrix_sealing so = m->encryption ? MATRIX_SEAL_WAIT : MATRIX_SEAL_CLEAR;

	if (m->crypto)
		so = matrix_crypto_seal(m->crypto, g->room, g->txn, g->type, g->content,
		    loop_wall_ms(m->loop), &sealed);
	switch (so) {
	case MATRIX_SEAL_READY:
		post_event(g, "m.room.encrypted", sealed);
		return true;
	case MATRIX_SEAL_CLEAR:
		post_clear(g);
		return true;
	case MATRIX_SEAL_WAIT:
		show_work(g);
		if (loop_now_ms(m->loop) - g->since_ms > HELD_MOST_MS)
			sending_early(g, &(struct outcome){.fate = FATE_LATER, .after_ms = 5000});
		return false;
	case MATRIX_SEAL_NOBODY:
		sending_early(
		    g, &(struct outcome){.fate = FATE_LATER, .after_ms = NOBODY_AGAIN_MS});
		return false;
	case MATRIX_SEAL_REFUSED:
		if (matrix_crypto_standing(m->crypto) == MATRIX_STANDING_ROLLED_BACK)
			sending_early(
			    g, &(struct outcome){.fate = FATE_LATER, .whole_network = true});
		else
			sending_refused(g, REFUSAL_BAD);
		return false;
	}
	return false;
}

bool
matrix_send_holds(const struct matrix *m)
{
	for (const struct matrix_sending *g = m->sendings; g; g = g->next)
		if (g->stage == HELD)
			return true;
	return false;
}

bool
matrix_send_held(struct matrix *m)
{
	struct matrix_sending *g, *next;
	bool any = false;

	if (m->phase != MATRIX_PHASE_SYNC)
		return false;
	for (g = m->sendings; g; g = next) {
		next = g->next;
		if (g->stage == HELD)
			any = post_held(g) || any;
	}
	return any;
}

/* ---- what goes out ---- */

static uint64_t
digest(uint64_t h, const void *bytes, size_t length)
{
	const unsigned char *p = bytes;

	for (h = h ? h : 14695981039346656037u; length; length--)
		h = (h ^ *p++) * 1099511628211u;
	return h;
}

static void
name_it(struct matrix_sending *g, const struct shipment *s)
{
	uint64_t h = digest(0, g->room, strlen(g->room));
	struct card_bytes packed;

	if (s->message)
		h = digest(h, s->message, strlen(s->message));
	if (s->card) {
		packed = card_pack(g->m->arena, s->card);
		h = digest(h, packed.bytes, packed.length);
	}
	snprintf(g->txn, sizeof(g->txn), "%lld.%d.%016llx", (long long)s->id, (int)s->op,
	    (unsigned long long)h);
}

static void
hold(struct matrix_sending *g, const char *type, json_t *content)
{
	g->stage = HELD;
	g->type = memory_string(type);
	g->content = content;
	matrix_work_poke(g->m);
}

void
matrix_send_own(
    struct matrix *m, const char *room, const char *txn, const char *type, json_t *content)
{
	struct matrix_sending *g = sending_new(m, 0, OP_SEND, room);

	snprintf(g->txn, sizeof(g->txn), "%s", txn);
	hold(g, type, content);
}

static void
send_text(struct matrix_sending *g, const struct shipment *s)
{
	if (!s->card || (s->op == OP_EDIT && !s->message)) {
		sending_refused(g, REFUSAL_BAD);
		return;
	}
	hold(g, "m.room.message",
	    s->op == OP_EDIT ? matrix_body_edit(s->card, s->notify, s->message)
			     : matrix_body_message(s->card, s->notify, s->reply_to));
}

static void
send_simple(struct matrix_sending *g, const struct shipment *s)
{
	struct matrix *m = g->m;

	if (s->op == OP_DELETE && s->message)
		post(g, "matrix redact", "PUT",
		    matrix_path(
			m, "/_matrix/client/v3/rooms/%s/redact/%s/%s", g->room, s->message, g->txn),
		    "{}");
	else if (s->op == OP_LEAVE)
		post(g, "matrix leave", "POST",
		    matrix_path(m, "/_matrix/client/v3/rooms/%s/leave", g->room, NULL, NULL), "{}");
	else if (s->op == OP_TYPING)
		post(g, "matrix typing", "PUT",
		    matrix_path(m, "/_matrix/client/v3/rooms/%s/typing/%s", g->room, m->user, NULL),
		    "{\"typing\":true,\"timeout\":10000}");
	else
		sending_refused(g, REFUSAL_BAD);
}

/* ---- files ---- */

static void
keep(struct matrix_sending *g, const struct shipment *s)
{
	struct shipment *k = &g->kept;
	struct card_bytes packed;

	g->arena = arena_new();
	k->notify = s->notify;
	k->who = arena_string(g->arena, s->who);
	k->where = arena_string(g->arena, s->where);
	k->reply_to = arena_string(g->arena, s->reply_to);
	k->media_handle = arena_string(g->arena, s->media_handle);
	if (s->card) {
		packed = card_pack(g->arena, s->card);
		k->card = card_unpack(g->arena, packed.bytes, packed.length);
	}
}

static unsigned char *
read_whole(struct arena *arena, const char *path, size_t *length)
{
	FILE *f = path ? fopen(path, "rbe") : NULL;
	unsigned char *bytes = NULL;
	long size;

	if (!f)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0 && size <= UPLOAD_MOST) {
		rewind(f);
		bytes = arena_alloc(arena, (size_t)size + 1);
		*length = fread(bytes, 1, (size_t)size, f);
		if (*length != (size_t)size)
			bytes = NULL;
	}
	fclose(f);
	return bytes;
}

static void
hold_file(struct matrix_sending *g, const char *url)
{
	json_t *file = json_incref(g->file);

	if (file)
		json_object_set_new(file, "url", json_string(url));
	if (file && !g->known)
		g->number = matrix_file_number(file, url, g->bytes);
	hold(g, "m.room.message",
	    matrix_body_file(g->kept.card, url, file, g->bytes, g->kept.notify, g->kept.reply_to));
}

static void
upload_came(void *ctx, const struct http_answer *http)
{
	struct matrix_sending *g = ctx;
	struct matrix *m = g->m;
	json_t *answer = matrix_answer(http);
	const char *url = matrix_json_text(answer, "content_uri");
	struct outcome out;

	g->call = NULL;
	if (http->outcome == HTTP_REPLIED && http->status == 200 && url &&
	    strncmp(url, "mxc://", 6) == 0) {
		g->url = memory_string(url);
		hold_file(g, url);
	} else {
		matrix_json_fate(OP_SEND, http, answer, &out);
		if (http->status == 413)
			out = (struct outcome){.fate = FATE_REFUSED, .refusal = REFUSAL_BAD};
		if (out.fate == FATE_SENT || out.fate == FATE_UNCERTAIN)
			out = (struct outcome){.fate = FATE_LATER};
		out.message = NULL;
		sending_gone(g, &out);
	}
	json_decref(answer);
	arena_forget(m->arena);
}

/* In an encrypted room a file goes up encrypted, without its name and type. */
static void
send_file(struct matrix_sending *g, const struct shipment *s)
{
	struct matrix *m = g->m;
	const struct file *file = s->card->file;
	bool encrypted = m->crypto && matrix_crypto_encrypted(m->crypto, g->room);
	unsigned char *bytes;
	const char *path = "/_matrix/media/v3/upload";

	keep(g, s);
	if (m->encryption && !m->crypto) {
		sending_early(g, &(struct outcome){.fate = FATE_LATER, .after_ms = TOO_EARLY_MS});
		return;
	}
	if (s->file_id && g->kept.card) {
		g->file = matrix_file_numbered(s->file_id, &g->bytes);
		if (encrypted == (g->file != NULL)) {
			g->known = true;
			g->url =
			    memory_string(g->file ? matrix_json_text(g->file, "url") : s->file_id);
			hold_file(g, g->url);
			return;
		}
		json_decref(g->file);
		g->file = NULL;
	}
	bytes = read_whole(g->arena, s->file_path ? s->file_path : file->path, &g->bytes);
	if (bytes && encrypted)
		g->file = matrix_file_seal(bytes, g->bytes);
	if (!bytes || !g->kept.card || (encrypted && !g->file)) {
		sending_refused(g, REFUSAL_BAD);
		return;
	}
	if (!encrypted && file->name)
		path =
		    matrix_path(m, "/_matrix/media/v3/upload?filename=%s", file->name, NULL, NULL);
	g->stage = UPLOADING;
	g->call = matrix_ask(
	    m, &(struct matrix_ask){
		   .lane = m->send_lane,
		   .label = "matrix upload",
		   .method = "POST",
		   .path = path,
		   .body = bytes,
		   .length = g->bytes,
		   .type = !encrypted && file->type ? file->type : "application/octet-stream",
		   .timeout_ms = MATRIX_FILE_TIMEOUT_MS,
		   .fn = upload_came,
		   .ctx = g,
	       });
}

/* ---- fetching ---- */

static void
fetch_deliver(struct matrix_sending *g, const void *content, size_t length)
{
	struct matrix *m = g->m;
	struct matrix_batch batch = {0};
	struct event *event = matrix_sync_add(&batch);

	*event = (struct event){
	    .id = arena_print(m->arena, "%s:fetch:%lld", m->user, (long long)g->id),
	    .kind = EVENT_FETCHED,
	    .who = g->kept.who,
	    .where = g->kept.where,
	    .media = {.handle = g->kept.media_handle,
		.bytes = (int64_t)length,
		.duration_s = -1,
		.content = content,
		.failed = !content,
		.asked_by = g->id},
	};
	sending_gone(g, &(struct outcome){
			    .fate = matrix_sync_deliver(m, &batch, NULL) ? FATE_SENT : FATE_LATER});
}

static void
fetch_read(struct matrix_sending *g, const struct http_answer *http)
{
	struct matrix_media media;
	json_t *handle;
	unsigned char *bytes = arena_alloc(g->arena, http->length + 1);
	bool good = matrix_json_media(g->arena, g->kept.media_handle, &media, &handle);

	memcpy(bytes, http->body, http->length);
	if (good && media.key)
		good = matrix_file_open(bytes, http->length, media.key, media.iv, media.hash);
	json_decref(handle);
	fetch_deliver(g, good ? bytes : NULL, good ? http->length : 0);
}

static void
fetch_came(void *ctx, const struct http_answer *http)
{
	struct matrix_sending *g = ctx;
	struct matrix *m = g->m;
	json_t *answer = NULL;
	struct outcome out;

	g->call = NULL;
	if (http->outcome == HTTP_REPLIED && http->status == 200) {
		fetch_read(g, http);
	} else if (http->outcome == HTTP_TOO_BIG) {
		fetch_deliver(g, NULL, 0);
	} else {
		answer = matrix_answer(http);
		matrix_json_fate(OP_FETCH, http, answer, &out);
		if (out.fate == FATE_REFUSED) {
			fetch_deliver(g, NULL, 0);
		} else {
			out.fate = FATE_LATER;
			sending_gone(g, &out);
		}
	}
	json_decref(answer);
	arena_forget(m->arena);
}

static void
send_fetch(struct matrix_sending *g, const struct shipment *s)
{
	struct matrix *m = g->m;
	struct matrix_media media;
	json_t *handle;

	keep(g, s);
	if (!matrix_json_media(m->arena, s->media_handle, &media, &handle)) {
		sending_refused(g, REFUSAL_BAD);
		return;
	}
	g->stage = FETCHING;
	g->call =
	    matrix_ask(m, &(struct matrix_ask){
			      .lane = m->send_lane,
			      .label = "matrix media",
			      .method = "GET",
			      .path = matrix_path(m, "/_matrix/client/v1/media/download/%s/%s",
				  media.server, media.id, NULL),
			      .timeout_ms = MATRIX_FILE_TIMEOUT_MS,
			      .body_max = MATRIX_FILE_BYTES,
			      .fn = fetch_came,
			      .ctx = g,
			  });
	json_decref(handle);
}

/* ---- send ---- */

/* Where it goes. A person's own words never go where others read along, wherever their chat was. */
static const char *
room_of(struct matrix *m, const struct shipment *s)
{
	const char *room = s->where;

	if (room && *room == '@')
		room = matrix_rooms_of(m, room);
	if (room && s->who && *s->who == '@' && matrix_rooms_known(m, room) &&
	    matrix_rooms_group(m, room))
		return NULL;
	return room;
}

static void
begin(struct matrix_sending *g, const struct shipment *s)
{
	name_it(g, s);
	if (s->op == OP_SEND && s->card && s->card->file)
		send_file(g, s);
	else if (s->op == OP_SEND || s->op == OP_EDIT)
		send_text(g, s);
	else
		send_simple(g, s);
}

/* Somebody was erased. False: there is nothing to leave, or they have spoken again. */
static bool
forgotten(struct matrix *m, const struct shipment *s, const char *room)
{
	bool gone = matrix_rooms_forget(m, room, s->who);

	matrix_work_poke(m);
	return gone && room;
}

void
matrix_send(struct transport *transport, const struct shipment *s)
{
	struct matrix *m = (struct matrix *)transport;
	const char *room = s->op == OP_FETCH ? s->where : room_of(m, s);
	struct matrix_sending *g = sending_new(m, s->id, s->op, room);

	if (s->op == OP_ANSWER || s->op == OP_MENU)
		sending_early(g, &(struct outcome){.fate = FATE_SENT});
	else if (s->op == OP_LEAVE && s->who && !forgotten(m, s, room))
		sending_early(g, &(struct outcome){.fate = FATE_SENT});
	else if (m->phase == MATRIX_PHASE_OVER)
		sending_early(g,
		    &(struct outcome){
			.fate = FATE_LATER, .after_ms = REFUSED_AGAIN_MS, .whole_network = true});
	else if (s->op == OP_FETCH)
		send_fetch(g, s);
	else if (!room)
		sending_refused(g, REFUSAL_NEVER_MET);
	else
		begin(g, s);
	arena_forget(m->arena);
}

/* ---- what came back ---- */

/* Sent, or never to be: its sealed bytes are forgotten. Otherwise the same bytes go again. */
static void
note(struct matrix_sending *g, const struct http_answer *http, struct outcome *out)
{
	struct matrix *m = g->m;

	if (m->crypto && (out->fate == FATE_SENT || out->fate == FATE_REFUSED))
		matrix_crypto_sent(m->crypto, g->txn);
	if (http->outcome == HTTP_REPLIED)
		m->send_failures = 0;
	if (http->outcome == HTTP_NOT_SENT)
		out->after_ms = matrix_back_off_ms(m, ++m->send_failures);
	if (http->status == 401 && g->token_number != m->token_number)
		*out = (struct outcome){.fate = FATE_LATER, .after_ms = STALE_TOKEN_MS};
	else if (http->status == 401)
		matrix_session_doubt(m);
	if (out->fate == FATE_REFUSED && out->refusal == REFUSAL_BLOCKED &&
	    (out->new_where = matrix_rooms_moved(m, g->room)))
		out->refusal = REFUSAL_MOVED;
	if (out->fate == FATE_REFUSED)
		log_event(LOG_INFO, "matrix.refused", "op=%d status=%d why=%d", (int)g->op,
		    http->status, (int)out->refusal);
}

static void
sending_came(void *ctx, const struct http_answer *http)
{
	struct matrix_sending *g = ctx;
	struct matrix *m = g->m;
	json_t *answer = matrix_answer(http);
	struct outcome out;

	g->call = NULL;
	matrix_json_fate(g->op, http, answer, &out);
	note(g, http, &out);
	sending_gone(g, &out);
	json_decref(answer);
	arena_forget(m->arena);
	matrix_work_poke(m);
}

void
matrix_send_close(struct matrix *m)
{
	while (m->sendings) {
		struct matrix_sending *g = m->sendings;
		struct outcome out = {.fate = g->call ? FATE_UNCERTAIN : FATE_LATER};

		if (g->stage == EARLY)
			out = g->outcome;
		http_cancel(g->call);
		sending_gone(g, &out);
	}
}
