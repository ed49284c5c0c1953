/* Files: uploaded once, sent by their id after that; and the bytes of what people sent. */
#include "telegram_inside.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/card.h"

enum { PARTS = 12 };

static const char *const form_headers[] = {"Expect:", NULL};

/* The fields of a body, each as a part of a form: strings without quotes, the rest as it is. */
static size_t
make_parts(struct arena *arena, const struct buf *json, struct http_part *parts, size_t room)
{
	struct slice_walk walk = slice_walk(slice_of(json->bytes, json->length));
	struct slice key, value;
	size_t n = 0;

	while (n < room && slice_next(&walk, &key, &value)) {
		char *text = *value.at == '"' ? slice_text(arena, value)
					      : arena_copy(arena, value.at, value.length);

		parts[n].name = arena_copy(arena, key.at, key.length);
		parts[n].data = text;
		parts[n++].length = strlen(text);
	}
	return n;
}

static char *
read_whole(struct arena *arena, const char *path, size_t *length)
{
	FILE *f = path ? fopen(path, "rbe") : NULL;
	char *bytes = NULL;
	long size;

	if (!f)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0 && size <= TELEGRAM_UPLOAD_BYTES) {
		rewind(f);
		bytes = arena_alloc(arena, (size_t)size + 1);
		*length = fread(bytes, 1, (size_t)size, f);
		if (*length != (size_t)size)
			bytes = NULL;
	}
	fclose(f);
	return bytes;
}

static struct uploaded *
upload_of(struct telegram *tg, uint64_t file)
{
	for (size_t i = 0; file && i < TELEGRAM_UPLOADS; i++)
		if (tg->uploads[i].file == file)
			return &tg->uploads[i];
	return NULL;
}

/* What we write is UTF-8, and a calendar's reader must know. */
static const char *
form_type(const struct file *file)
{
	if (!file->type)
		return "application/octet-stream";
	return strcmp(file->type, "text/calendar") ? file->type : "text/calendar; charset=utf-8";
}

bool
telegram_file_upload(struct sending *g)
{
	struct http_part parts[PARTS] = {0};
	const struct file *file = g->kept.card->file;
	struct telegram_file_way way = telegram_body_file_way(file->type);
	struct uploaded *stale = upload_of(g->tg, g->file);
	size_t count, length = 0;
	const char *path = g->kept.file_path ? g->kept.file_path : file->path;
	char *bytes = read_whole(g->arena, path, &length);
	struct http_request request = {
	    .method = "POST",
	    .headers = form_headers,
	    .parts = parts,
	    .timeout_ms = TELEGRAM_UPLOAD_MS,
	    .body_max = TELEGRAM_REPLY_BYTES,
	};

	if (stale)
		stale->file = 0;
	g->kept.file_id = NULL;
	if (!bytes || !telegram_body_file(&g->json, &g->tg->text, &g->kept))
		return false;
	count = make_parts(g->arena, &g->json, parts, PARTS - 1);
	parts[count++] = (struct http_part){
	    way.field, file->name ? file->name : "file", form_type(file), bytes, length};
	request.part_count = count;
	g->stage = STAGE_UPLOAD;
	g->method = way.method;
	request.url = telegram_url(g->tg, way.method);
	telegram_send_request(g, &request);
	return true;
}

static bool
by_id(struct sending *g)
{
	if (!telegram_body_file(&g->json, &g->tg->text, &g->kept))
		return false;
	g->entities_length = g->tg->text.entities.length;
	g->stage = STAGE_BY_ID;
	telegram_send_post(g, telegram_body_file_way(g->kept.card->file->type).method);
	return true;
}

static bool
is_uploading(const struct telegram *tg, uint64_t file)
{
	for (const struct sending *g = tg->sendings; file && g; g = g->next)
		if (g->file == file && g->stage == STAGE_UPLOAD)
			return true;
	return false;
}

/* By its id when it has one; else one shipment uploads and the others wait for the id. */
static bool
file_go(struct sending *g)
{
	const struct uploaded *known = upload_of(g->tg, g->file);

	if (!g->kept.file_id && known)
		g->kept.file_id = arena_string(g->arena, known->id);
	if (g->kept.file_id)
		return by_id(g);
	if (!is_uploading(g->tg, g->file))
		return telegram_file_upload(g);
	g->stage = STAGE_WAIT;
	return true;
}

bool
telegram_file_send(struct sending *g, const struct shipment *s)
{
	telegram_send_keep(g, s);
	if (!g->kept.card || !g->kept.card->file)
		return false;
	if (g->kept.card->file->key)
		g->file = telegram_hash(0, g->kept.card->file->key);
	return file_go(g);
}

void
telegram_file_came(struct sending *g, const struct outcome *out)
{
	struct telegram *tg = g->tg;
	struct uploaded *u = &tg->uploads[tg->upload_next];
	uint64_t file = g->file;

	g->file = 0;
	if (file && out->fate == FATE_SENT && out->file_id &&
	    strlen(out->file_id) < sizeof(u->id)) {
		u->file = file;
		snprintf(u->id, sizeof(u->id), "%s", out->file_id);
		tg->upload_next = (tg->upload_next + 1) % TELEGRAM_UPLOADS;
	}
	for (struct sending *w = tg->sendings; file && w; w = w->next)
		if (w->file == file && w->stage == STAGE_WAIT && !file_go(w))
			telegram_send_decided(w, FATE_REFUSED, REFUSAL_BAD);
}

/* ---- fetching ---- */

bool
telegram_file_fetch(struct sending *g, const struct shipment *s)
{
	if (!s->media_handle || !*s->media_handle)
		return false;
	telegram_send_keep(g, s);
	telegram_body_get_file(&g->json, s->media_handle);
	g->stage = STAGE_PATH;
	telegram_send_post(g, "getFile");
	return true;
}

void
telegram_file_deliver(struct sending *g, const void *content, size_t length)
{
	struct telegram *tg = g->tg;
	struct event event = {
	    .id = arena_print(tg->arena, "%lld:fetch:%lld", (long long)tg->me.id, (long long)g->id),
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
	struct batch batch = {.events = &event, .event_count = 1};
	bool kept = tg->up.came(tg->up.engine, &tg->base, &batch);

	telegram_send_gone(g, &(struct outcome){.fate = kept ? FATE_SENT : FATE_LATER});
}

void
telegram_file_path(struct sending *g, const struct telegram_answer *answer)
{
	struct telegram *tg = g->tg;
	int64_t bytes;
	char *path = telegram_json_file(tg->arena, answer->result, &bytes);
	struct http_request request = {
	    .method = "GET",
	    .timeout_ms = TELEGRAM_UPLOAD_MS,
	    .body_max = TELEGRAM_FETCH_BYTES,
	};
	char *url;

	if (!path || bytes > TELEGRAM_FETCH_BYTES) {
		telegram_file_deliver(g, NULL, 0);
		return;
	}
	url = arena_print(tg->arena, "%s%s", tg->file_url, path);
	request.url = url;
	g->stage = STAGE_BYTES;
	g->method = "file";
	telegram_send_request(g, &request);
}

void
telegram_file_bytes(struct sending *g, const struct http_answer *http)
{
	int64_t after_s = http->outcome == HTTP_REPLIED && http->status == 429
			      ? telegram_json_retry_s(NULL, http_retry_after_s(http))
			      : 0;
	struct outcome later = {.fate = FATE_LATER, .after_ms = after_s * 1000};

	if (http->outcome == HTTP_REPLIED && http->status == 200)
		telegram_file_deliver(g, http->body, http->length);
	else if (http->outcome == HTTP_TOO_BIG ||
		 (http->outcome == HTTP_REPLIED && http->status >= 400 && http->status < 500 &&
		     http->status != 429))
		telegram_file_deliver(g, NULL, 0);
	else
		telegram_send_gone(g, &later);
}
