#include "transports/matrix_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "transports/matrix_parse.h"

enum { MENTIONS_MOST = 100, FILE_SCALARS = 200, OURS_AGAIN_MS = 600000 };

const char *
matrix_json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool
matrix_json_says(const json_t *object, const char *key, const char *text)
{
	const char *is = matrix_json_text(object, key);

	return is && strcmp(is, text) == 0;
}

bool
matrix_json_id(const char *id)
{
	return id && *id && strnlen(id, MATRIX_JSON_ID) < MATRIX_JSON_ID && !strpbrk(id, "\r\n");
}

const char *
matrix_json_server(const char *user)
{
	const char *colon = strchr(user, ':');

	return colon ? colon + 1 : "";
}

/* ---- errors and fates ---- */

void
matrix_json_error(const struct http_answer *http, const json_t *answer, struct matrix_error *error)
{
	const json_t *after = json_object_get(answer, "retry_after_ms");
	int64_t header_s = http_retry_after_s(http), body_ms = -1;

	if (json_is_integer(after) && json_integer_value(after) >= 0)
		body_ms = json_integer_value(after);
	if (header_s > 86400)
		header_s = 86400;
	if (body_ms > 86400000)
		body_ms = 86400000;
	error->code = matrix_json_text(answer, "errcode");
	if (!error->code)
		error->code = "";
	error->soft_logout = json_is_true(json_object_get(answer, "soft_logout"));
	error->retry_after_ms = header_s * 1000 > body_ms ? header_s * 1000 : body_ms;
	if (header_s < 0 && body_ms < 0)
		error->retry_after_ms = -1;
}

/* About our account or the whole server, not about this room: nobody is to be called unreachable.
 */
static bool
is_ours(const char *code)
{
	static const char *const codes[] = {"M_CONSENT_NOT_GIVEN", "M_RESOURCE_LIMIT_EXCEEDED",
	    "M_USER_SUSPENDED", "M_USER_LOCKED", "M_USER_DEACTIVATED", "M_EXPIRED_ACCOUNT"};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

/* A refusal that will not change by asking again. */
static void
refused(enum op op, int status, const struct matrix_error *error, struct outcome *out)
{
	out->fate = FATE_REFUSED;
	out->refusal = REFUSAL_OTHER;
	if (status == 403 || status == 404)
		out->refusal = REFUSAL_BLOCKED;
	if (status == 400 || status == 413)
		out->refusal = REFUSAL_BAD;
	/* Gone already is as good as gone. */
	if ((op == OP_DELETE || op == OP_LEAVE) && (status == 403 || status == 404))
		*out = (struct outcome){.fate = FATE_SENT};
	if (is_ours(error->code))
		*out = (struct outcome){
		    .fate = FATE_LATER, .after_ms = OURS_AGAIN_MS, .whole_network = true};
	/* Something stands between us and the homeserver. */
	if (strcmp(error->code, "M_UNRECOGNIZED") == 0)
		*out = (struct outcome){.fate = FATE_UNCERTAIN};
}

void
matrix_json_fate(
    enum op op, const struct http_answer *http, const json_t *answer, struct outcome *out)
{
	struct matrix_error error;

	*out = (struct outcome){.fate = FATE_UNCERTAIN};
	if (http->outcome != HTTP_REPLIED) {
		if (http->outcome == HTTP_NOT_SENT)
			out->fate = FATE_LATER;
		return;
	}
	matrix_json_error(http, answer, &error);
	if (http->status == 200) {
		out->message = matrix_json_text(answer, "event_id");
		if (out->message || (op != OP_SEND && op != OP_EDIT && json_is_object(answer)))
			out->fate = FATE_SENT;
	} else if (http->status == 429) {
		out->fate = FATE_LATER;
		out->whole_network = true;
		out->after_ms =
		    error.retry_after_ms > 0 ? error.retry_after_ms : MATRIX_JSON_WAIT_MS;
	} else if (http->status == 401) {
		out->fate = FATE_LATER;
		out->whole_network = true;
		out->after_ms = 2000;
	} else if (http->status >= 400 && http->status < 500 && json_is_object(answer)) {
		refused(op, http->status, &error, out);
	}
}

/* ---- events ---- */

/* Older clients put what is answered before the answer, as lines that begin with "> ". */
static const char *
without_quote(const char *body)
{
	const char *at = body;

	while (at[0] == '>' && (at[1] == ' ' || at[1] == '\n')) {
		at = strchr(at, '\n');
		if (!at)
			return body;
		at++;
	}
	return at == body ? body : at + (*at == '\n');
}

/* "@bot:h: help", "bot: help": whom it is said to is no part of what is said. */
static const char *
without_address(const char *us, const char *body)
{
	size_t whole = strlen(us), local = strcspn(us, ":") - (*us == '@');
	const char *name = us + (*us == '@'), *at = body;

	if (strncasecmp(body, us, whole) == 0)
		at = body + whole;
	else if (local && strncasecmp(body, name, local) == 0)
		at = body + local;
	if (at == body || (*at != ':' && *at != ','))
		return body;
	at++;
	return at + strspn(at, " ");
}

static bool
mentions(const char *us, const json_t *content)
{
	json_t *ids = json_object_get(json_object_get(content, "m.mentions"), "user_ids"), *id;
	size_t i;

	json_array_foreach(ids, i, id) {
		if (i >= MENTIONS_MOST)
			break;
		if (json_is_string(id) && strcmp(json_string_value(id), us) == 0)
			return true;
	}
	return false;
}

static enum media_kind
kind_of(const char *type, const json_t *content)
{
	if (strcmp(type, "m.image") == 0 || strcmp(type, "m.sticker") == 0)
		return MEDIA_PICTURE;
	if (strcmp(type, "m.audio") == 0)
		return json_object_get(content, "org.matrix.msc3245.voice") ||
			       json_object_get(content, "m.voice")
			   ? MEDIA_VOICE
			   : MEDIA_AUDIO;
	if (strcmp(type, "m.file") == 0)
		return MEDIA_FILE;
	if (strcmp(type, "m.video") == 0 || strcmp(type, "m.location") == 0)
		return MEDIA_OTHER;
	return MEDIA_NONE;
}

static int64_t
whole(const json_t *object, const char *key)
{
	const json_t *n = json_object_get(object, key);

	return json_is_integer(n) && json_integer_value(n) >= 0 ? json_integer_value(n) : -1;
}

/* {"u": mxc} and, for an encrypted file, {"k": key, "i": iv, "h": sha256}. */
static const char *
handle_of(struct arena *arena, const json_t *content)
{
	const json_t *file = json_object_get(content, "file");
	const char *url = matrix_json_text(file ? file : content, "url"), *handle;
	const json_t *key = json_object_get(file, "key");
	char *text;
	json_t *out;

	if (!url || strncmp(url, "mxc://", 6) != 0 || strlen(url) > 512)
		return NULL;
	out = json_pack("{s:s}", "u", url);
	if (file) {
		json_object_set(out, "k", json_object_get(key, "k"));
		json_object_set(out, "i", json_object_get(file, "iv"));
		json_object_set(
		    out, "h", json_object_get(json_object_get(file, "hashes"), "sha256"));
	}
	text = json_dumps(out, JSON_COMPACT | JSON_SORT_KEYS);
	handle = arena_string(arena, text);
	free(text);
	json_decref(out);
	return handle;
}

static void
take_media(struct arena *arena, enum media_kind kind, const json_t *content, struct event *out)
{
	const json_t *info = json_object_get(content, "info");
	const char *name = matrix_json_text(content, "filename"),
		   *body = matrix_json_text(content, "body");
	int64_t ms = whole(info, "duration");

	/* With a file name beside it the body is a caption; alone it is the name. */
	out->text = name && body && strcmp(name, body) != 0 ? body : NULL;
	name = name ? name : body;
	out->media = (struct media){
	    .kind = kind,
	    .handle = handle_of(arena, content),
	    .name = name ? text_clean(arena, name, strlen(name), FILE_SCALARS) : NULL,
	    .type = matrix_json_text(info, "mimetype"),
	    .bytes = whole(info, "size"),
	    .duration_s = ms < 0 ? -1 : ms / 1000,
	};
	if (!out->media.handle)
		out->media.kind = MEDIA_OTHER;
}

const char *
matrix_json_thread(struct arena *arena, const json_t *event)
{
	const json_t *relation = json_object_get(json_object_get(event, "content"), "m.relates_to");
	const char *root = matrix_json_text(relation, "event_id"),
		   *id = matrix_json_text(event, "event_id");

	if (!matrix_json_says(relation, "rel_type", "m.thread") || !matrix_json_id(root) ||
	    !matrix_json_id(id))
		return NULL;
	return arena_print(arena, "%s\n%s", root, id);
}

static void
take_relation(const json_t *content, struct event *out)
{
	const json_t *relation = json_object_get(content, "m.relates_to");

	if (!json_is_true(json_object_get(relation, "is_falling_back")))
		out->reply_to =
		    matrix_json_text(json_object_get(relation, "m.in_reply_to"), "event_id");
	if (out->reply_to && !matrix_json_id(out->reply_to))
		out->reply_to = NULL;
}

static bool
take_content(struct arena *arena, const char *us, const json_t *content, struct event *out)
{
	const char *type = matrix_json_text(content, "msgtype"),
		   *body = matrix_json_text(content, "body");
	enum media_kind kind;

	/* The specification: a notice is never answered by a machine. */
	if (!type || strcmp(type, "m.notice") == 0 || strncmp(type, "m.key.verification.", 19) == 0)
		return false;
	kind = kind_of(type, content);
	if (kind)
		take_media(arena, kind, content, out);
	else
		out->text = body ? body : "";
	take_relation(content, out);
	if (out->text && out->reply_to)
		out->text = without_quote(out->text);
	if (out->group) {
		const char *text = out->text ? out->text : "", *rest = without_address(us, text);

		out->to_us = *rest == '!' || rest != text || mentions(us, content);
		out->text = out->text ? rest : NULL;
	}
	return true;
}

bool
matrix_json_event(struct arena *arena, const char *us, const char *room, bool group,
    const json_t *event, struct event *out)
{
	const json_t *content = json_object_get(event, "content");
	const json_t *relation = json_object_get(content, "m.relates_to"), *at;
	const char *sender = matrix_json_text(event, "sender");
	bool edit = matrix_json_says(relation, "rel_type", "m.replace");

	*out = (struct event){.kind = EVENT_MESSAGE, .group = group};
	out->id = matrix_json_text(event, "event_id");
	if (!matrix_json_id(sender) || !matrix_json_id(out->id) || strcmp(sender, us) == 0 ||
	    json_object_get(event, "state_key"))
		return false;
	if (!matrix_json_says(event, "type", "m.room.message") || !json_is_object(content))
		return false;
	out->who = sender;
	out->where = room;
	out->message = out->id;
	out->thread = matrix_json_thread(arena, event);
	at = json_object_get(event, "origin_server_ts");
	out->sent_s = json_is_integer(at) ? json_integer_value(at) / 1000 : 0;
	if (edit) {
		out->kind = EVENT_EDITED;
		out->message = matrix_json_text(relation, "event_id");
		content = json_object_get(content, "m.new_content");
	}
	return json_is_object(content) && take_content(arena, us, content, out);
}

/* ---- media ---- */

bool
matrix_json_media(
    struct arena *arena, const char *handle, struct matrix_media *media, json_t **json)
{
	const char *url, *slash;

	*media = (struct matrix_media){0};
	*json = handle ? matrix_parse(handle, strlen(handle)) : NULL;
	url = matrix_json_text(*json, "u");
	if (!url || strncmp(url, "mxc://", 6) != 0 || !(slash = strchr(url + 6, '/')) ||
	    slash == url + 6 || !slash[1] || strchr(slash + 1, '/')) {
		json_decref(*json);
		*json = NULL;
		return false;
	}
	media->server = arena_copy(arena, url + 6, (size_t)(slash - url - 6));
	media->id = arena_string(arena, slash + 1);
	media->key = matrix_json_text(*json, "k");
	media->iv = matrix_json_text(*json, "i");
	media->hash = matrix_json_text(*json, "h");
	return true;
}
