#include "base/feed.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/feed_build.h"
#include "base/feed_encoding.h"
#include "base/feed_mend.h"
#include "base/feed_text.h"
#include "base/memory.h"

enum {
	PIECE_BYTES = 16 * 1024,
	XML_BYTES = 8 << 20,	/* what expat may have at once: it keeps every name it meets */
	FIELD_BYTES = 64 << 10, /* text of one element that is looked at */
};

/* ---- memory of expat ---- */

static _Thread_local size_t xml_used;

struct piece {
	size_t size;
	_Alignas(16) unsigned char bytes[];
};

static void *
xml_malloc(size_t size)
{
	struct piece *p;

	if (size > XML_BYTES || xml_used + size > XML_BYTES)
		return NULL;
	p = malloc(sizeof(*p) + size);
	if (!p)
		memory_exhausted();
	p->size = size;
	xml_used += size;
	return p->bytes;
}

static void
xml_free(void *bytes)
{
	struct piece *p;

	if (!bytes)
		return;
	p = (struct piece *)(void *)((unsigned char *)bytes - offsetof(struct piece, bytes));
	xml_used -= p->size;
	free(p);
}

static void *
xml_realloc(void *bytes, size_t size)
{
	struct piece *p;
	void *fresh;

	if (!bytes)
		return xml_malloc(size);
	p = (struct piece *)(void *)((unsigned char *)bytes - offsetof(struct piece, bytes));
	fresh = xml_malloc(size);
	if (fresh) {
		memcpy(fresh, bytes, size < p->size ? size : p->size);
		xml_free(bytes);
	}
	return fresh;
}

/* ---- the rest of what expat says ---- */

static void XMLCALL
on_doctype(void *context, const char *name, const char *system, const char *public, int internal)
{
	struct feed_build *r = context;

	(void)system;
	(void)public;
	r->fed_at_event = r->fed;
	if (strcasecmp(name, "html") == 0)
		feed_build_stop(r, FEED_NOT_A_FEED, "a web page instead of a feed");
	else if (internal)
		feed_build_stop(r, FEED_FORBIDDEN, "a DOCTYPE with declarations");
}

static void XMLCALL
on_entity(void *context, const char *name, int parameter, const char *value, int length,
    const char *base, const char *system, const char *public, const char *notation)
{
	(void)name, (void)parameter, (void)value, (void)length, (void)base, (void)system,
	    (void)public;
	(void)notation;
	feed_build_stop(context, FEED_FORBIDDEN, "a DOCTYPE with declarations");
}

static void XMLCALL
on_skipped(void *context, const char *name, int parameter)
{
	(void)name, (void)parameter;
	/* An entity of a DOCTYPE that is not read: the mender knows HTML's. */
	XML_StopParser(((struct feed_build *)context)->parser, XML_FALSE);
}

static void XMLCALL
on_comment(void *context, const char *text)
{
	(void)text;
	((struct feed_build *)context)->fed_at_event = ((struct feed_build *)context)->fed;
}

static void XMLCALL
on_instruction(void *context, const char *target, const char *text)
{
	(void)target;
	on_comment(context, text);
}

/* ---- the passes ---- */

static void
pass_begin(struct feed_build *r)
{
	static const XML_Memory_Handling_Suite suite = {xml_malloc, xml_realloc, xml_free};

	r->parser = XML_ParserCreate_MM("UTF-8", &suite, NULL);
	if (!r->parser)
		memory_exhausted();
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, feed_build_start, feed_build_end);
	XML_SetCharacterDataHandler(r->parser, feed_build_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	XML_SetEntityDeclHandler(r->parser, on_entity);
	XML_SetSkippedEntityHandler(r->parser, on_skipped);
	XML_SetCommentHandler(r->parser, on_comment);
	XML_SetProcessingInstructionHandler(r->parser, on_instruction);
	feed_encoding_rewind(r->encoding);
}

/* Everything learned so far is forgotten, but what the caller gave. */
static void
pass_end(struct feed_build *r)
{
	int i;

	XML_ParserFree(r->parser);
	r->parser = NULL;
	for (i = 0; i <= FEED_MAX_DEPTH; i++) {
		free(r->bases[i]);
		r->bases[i] = NULL;
	}
}

static bool
xml_add(void *context, const char *xml, size_t length)
{
	struct feed_build *r = context;

	r->fed += length;
	if (XML_Parse(r->parser, xml, (int)length, XML_FALSE) != XML_STATUS_OK) {
		if (XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY &&
		    r->feed->problem == FEED_FINE) {
			r->feed->problem = FEED_TOO_BIG;
			r->feed->why = "more names than a feed may have";
		}
		return false;
	}
	if (r->fed - r->fed_at_event > FEED_MAX_TAG) {
		feed_build_stop(r, FEED_TOO_BIG, "a tag longer than any feed has");
		return false;
	}
	return true;
}

/* As it stands. True when it was well-formed to the end. */
static bool
pass_strict(struct feed_build *r)
{
	char piece[PIECE_BYTES];
	size_t n;
	bool ok = true;

	while (ok && (n = feed_encoding_read(r->encoding, piece, sizeof(piece))) > 0)
		ok = xml_add(r, piece, n);
	return ok && XML_Parse(r->parser, "", 0, XML_TRUE) == XML_STATUS_OK;
}

static const char *
why_of(enum feed_problem problem)
{
	switch (problem) {
	case FEED_CUT:
		return "ends too early";
	case FEED_TOO_BIG:
		return "a tag longer than any feed has";
	case FEED_TOO_DEEP:
		return "elements deeper than a feed has them";
	case FEED_FORBIDDEN:
		return "a DOCTYPE with declarations";
	case FEED_NOT_A_FEED:
		return "not a feed";
	case FEED_EMPTY:
		return "empty";
	case FEED_FINE:
		break;
	}
	return NULL;
}

static void
pass_mended(struct feed_build *r)
{
	struct feed_mend *m = feed_mend_new(xml_add, r);
	enum feed_problem problem = FEED_FINE;
	char piece[PIECE_BYTES];
	size_t n;

	while (
	    problem == FEED_FINE && (n = feed_encoding_read(r->encoding, piece, sizeof(piece))) > 0)
		problem = feed_mend_add(m, piece, n);
	problem = feed_mend_end(m);
	if (problem == FEED_NOT_A_FEED && r->depth > 0)
		problem = FEED_CUT;
	/* What expat's handlers found comes first: they see more than the mender. */
	if (r->feed->problem == FEED_FINE && !(problem == FEED_CUT && r->closed)) {
		r->feed->problem = problem;
		r->feed->why = why_of(problem);
	}
	feed_mend_free(m);
}

static void
reading_again(struct feed_build *r)
{
	struct feed_build old = *r;

	memset(r, 0, sizeof(*r));
	r->arena = old.arena;
	r->scratch = old.scratch;
	r->feed = old.feed;
	r->origin = old.origin;
	r->encoding = old.encoding;
	r->text = old.text;
	r->items = old.items;
	r->room = old.room;
	r->kept = old.kept;
	r->second = true;
}

/* ---- together ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct same_text {
	const char *text;
	size_t index;
};

/* Marks the items whose text at `offset` another one has; sorting keeps it from being quadratic. */
static void
shared_mark(struct feed_item *items, size_t count, size_t text_at, size_t mark_at)
{
	struct same_text *all = memory_new((count ? count : 1) * sizeof(*all));
	size_t i, n = 0;

	for (i = 0; i < count; i++) {
		memcpy(&all[n].text, (const char *)&items[i] + text_at, sizeof(all[n].text));
		all[n].index = i;
		n += all[n].text != NULL;
	}
	qsort(all, n, sizeof(*all), by_text);
	for (i = 0; i < n; i++)
		if ((i && strcmp(all[i].text, all[i - 1].text) == 0) ||
		    (i + 1 < n && strcmp(all[i].text, all[i + 1].text) == 0))
			*(bool *)((char *)&items[all[i].index] + mark_at) = true;
	free(all);
}

static void
feed_fill(struct feed *feed, struct feed_build *r)
{
	const char *language = r->origin->content_language;
	char *under;

	feed->title = r->channel.title;
	feed->link = r->channel.link;
	feed->image = r->channel.image;
	feed->language = r->channel.language;
	if (!feed->language && language)
		feed->language =
		    feed_text_plain(r->arena, language, strcspn(language, ", ;"), false, 35);
	if (feed->language && strchr(feed->language, '_')) {
		feed->language = under = arena_string(r->arena, feed->language);
		while ((under = strchr(under, '_')))
			*under = '-';
	}
	if (feed->problem == FEED_NOT_A_FEED || feed->problem == FEED_FORBIDDEN)
		return;
	shared_mark(r->items, r->count, offsetof(struct feed_item, guid),
	    offsetof(struct feed_item, guid_shared));
	shared_mark(r->items, r->count, offsetof(struct feed_item, enclosure_url),
	    offsetof(struct feed_item, file_shared));
	shared_mark(r->items, r->count, offsetof(struct feed_item, link),
	    offsetof(struct feed_item, link_shared));
	feed->count = r->count;
	if (r->count)
		feed->items = (const struct feed_item *)(void *)arena_copy(
		    r->arena, r->items, r->count * sizeof(*r->items));
}

static void
feed_read(struct feed_build *r)
{
	struct feed *feed = r->feed;

	pass_begin(r);
	feed->well_formed = pass_strict(r);
	pass_end(r);
	if (!feed->well_formed && feed->problem == FEED_FINE) {
		reading_again(r);
		feed->self = feed->new_url = NULL;
		pass_begin(r);
		pass_mended(r);
		pass_end(r);
	}
	feed->well_formed = feed->well_formed && !feed_encoding_damaged(r->encoding);
}

struct feed *
feed_parse(struct arena *arena, const void *bytes, size_t length, const struct feed_origin *origin)
{
	static const struct feed_origin nowhere;
	struct feed *feed = arena_alloc(arena, sizeof(*feed));
	struct feed_build *r = memory_new(sizeof(*r));

	r->arena = arena;
	r->feed = feed;
	r->origin = origin ? origin : &nowhere;
	r->text.maximum = FIELD_BYTES;
	if (length == 0 || length > FEED_MAX_BYTES) {
		feed->problem = length ? FEED_TOO_BIG : FEED_EMPTY;
		feed->why = length ? "more bytes than a feed may have" : "empty";
	} else {
		r->encoding = feed_encoding_new(bytes, length, r->origin->content_type);
		feed->encoding = arena_string(arena, feed_encoding_name(r->encoding));
		feed_read(r);
		feed_encoding_free(r->encoding);
		feed_fill(feed, r);
	}
	arena_free(r->scratch);
	buf_free(&r->text);
	free(r->items);
	free(r);
	return feed;
}

const struct feed_item *
feed_newest(const struct feed *feed, int64_t now_s)
{
	const struct feed_item *newest = NULL;
	size_t i;

	for (i = 0; i < feed->count; i++) {
		const struct feed_item *item = &feed->items[i];

		if (item->published_s == FEED_NONE ||
		    (now_s && item->published_s > now_s + (int64_t)2 * 86400))
			continue;
		if (!newest || item->published_s > newest->published_s)
			newest = item;
	}
	return newest ? newest : feed->count ? &feed->items[0] : NULL;
}

/* An address as it is compared; see feed.h. `file` leaves the query of a media file out. */
static const char *
address_key(struct arena *arena, const char *url, bool file)
{
	const char *at = strstr(url, "://");
	size_t n;

	at = at ? at + 3 : url;
	if (strncasecmp(at, "www.", 4) == 0)
		at += 4;
	n = strcspn(at, "#");
	if (file && feed_text_is_media(NULL, at))
		n = strcspn(at, "?#");
	return arena_copy(arena, at, n);
}

struct feed_key
feed_item_key(struct arena *arena, const struct feed_item *item)
{
	const char *file =
	    item->enclosure_url ? address_key(arena, item->enclosure_url, true) : NULL;
	const char *link = item->link ? address_key(arena, item->link, false) : NULL;
	struct feed_key k = {NULL, NULL};
	const char *own_guid;

	if (item->guid) {
		own_guid = arena_print(arena, "g %s", item->guid);
		if (!file)
			file = link;
		k.also = file ? arena_print(arena, "f %s %s", item->guid, file) : NULL;
		k.key = item->guid_shared && k.also ? k.also : own_guid;
		if (k.key == k.also)
			k.also = own_guid;
		return k;
	}
	if (file && !item->file_shared)
		k.key = arena_print(arena, "u %s", file);
	if (link && !item->link_shared)
		*(k.key ? &k.also : &k.key) = arena_print(arena, "l %s", link);
	if (!k.key)
		k.key = arena_print(arena, "t %s", item->title ? item->title : "");
	return k;
}

const char *
feed_problem_name(enum feed_problem problem)
{
	static const char *const names[] = {
	    "fine", "cut", "too big", "too deep", "forbidden", "not a feed", "empty"};

	return names[problem];
}
