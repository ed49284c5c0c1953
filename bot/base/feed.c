#include "base/feed.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/feed_date.h"
#include "base/feed_encoding.h"
#include "base/feed_mend.h"
#include "base/feed_text.h"
#include "base/memory.h"

enum {
	PIECE_BYTES = 16 * 1024,
	XML_BYTES = 8 << 20,	/* what expat may have at once: it keeps every name it meets */
	FIELD_BYTES = 64 << 10, /* text of one element that is looked at */
	MAX_BINDINGS = 64,
	MAX_PREFIX = 23,
	WORD_POINTS = 100,
};

enum space {
	CORE, /* RSS, Atom, CDF: no prefix, or one of their many addresses */
	ATOM,
	ITUNES,
	MEDIA,
	DUBLIN,
	PODCAST,
	RDF,
	XML,
	OTHER,
};

enum place {
	NOWHERE, /* below something unknown */
	ROOT,
	CHANNEL,
	ITEM,
	IMAGE,	/* <image> of a channel or item */
	GROUP,	/* media:group, media:content */
	FIELD,	/* text is being gathered */
	INLINE, /* markup within a field */
	HIDDEN, /* script within a field */
};

enum what { NOTHING, TITLE, LINK, GUID, DATE, LANGUAGE, PICTURE, DURATION, SEASON, EPISODE, MOVED };

enum form { PLAIN, HTML, BASE64 };

struct binding {
	char prefix[MAX_PREFIX + 1];
	enum space space;
	int depth;
};

/* What a feed and an item have in common. A rank is 0 for nothing yet; the lower one wins. */
struct draft {
	const char *title, *link, *image, *language;
	int title_rank, link_rank, image_rank, language_rank;
	int date_rank, guid_rank, file_rank, duration_rank;
	struct feed_item item;
};

struct reading {
	struct arena *arena;
	struct arena *scratch; /* for what is not kept */
	struct feed *feed;
	const struct feed_origin *origin;
	XML_Parser parser;
	struct feed_encoding *encoding;
	enum place places[FEED_MAX_DEPTH + 1];
	char *bases[FEED_MAX_DEPTH + 1]; /* xml:base, resolved; NULL: as the element above */
	int depth;
	struct binding bindings[MAX_BINDINGS];
	int n_bindings;
	bool atom, closed;
	enum what what;
	int rank;
	enum form form;
	bool permalink;
	struct buf text;
	struct draft channel, draft;
	bool in_item;
	struct feed_item *items;
	size_t count, room, kept;
	size_t fed,
	    fed_at_event; /* bytes given to expat, and how many when it last said something */
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

/* ---- names ---- */

static enum space
space_of_address(const char *uri)
{
	static const struct {
		const char *begins;
		enum space space;
	} known[] = {
	    {"http://www.w3.org/2005/atom", ATOM},
	    {"https://www.w3.org/2005/atom", ATOM},
	    {"http://purl.org/atom/", ATOM},
	    {"http://purl.org/pie", ATOM},
	    {"http://example.com/newformat", ATOM},
	    {"http://www.itunes.com/dtds/", ITUNES},
	    {"https://www.itunes.com/dtds/", ITUNES},
	    {"http://itunes.com/", ITUNES},
	    {"http://www.google.com/schemas/play-podcasts", ITUNES},
	    {"http://search.yahoo.com/mrss", MEDIA},
	    {"https://search.yahoo.com/mrss", MEDIA},
	    {"http://www.rssboard.org/media-rss", MEDIA},
	    {"http://purl.org/dc/", DUBLIN},
	    {"https://podcastindex.org/namespace/", PODCAST},
	    {"https://github.com/podcastindex-org/", PODCAST},
	    {"http://www.w3.org/1999/02/22-rdf-syntax-ns", RDF},
	    {"http://www.w3.org/1999/xhtml", OTHER},
	    {"http://purl.org/rss/1.0/modules/", OTHER},
	    {"http://purl.org/rss/", CORE},
	    {"http://purl.org/net/rss", CORE},
	    {"http://my.netscape.com/", CORE},
	    {"http://channel.netscape.com/", CORE},
	    {"http://backend.userland.com/", CORE},
	    {"http://blogs.law.harvard.edu/", CORE},
	    {"http://cyber.law.harvard.edu/", CORE},
	    {"http://cyber.harvard.edu/", CORE},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strncasecmp(uri, known[i].begins, strlen(known[i].begins)) == 0)
			return known[i].space;
	return *uri ? OTHER : CORE;
}

/* What a prefix means that nobody declared, as many feeds do. */
static enum space
space_of_custom(const char *prefix)
{
	static const struct {
		const char *prefix;
		enum space space;
	} known[] = {
	    {"", CORE},
	    {"rss", CORE},
	    {"xml", XML},
	    {"atom", ATOM},
	    {"atom10", ATOM},
	    {"a10", ATOM},
	    {"itunes", ITUNES},
	    {"googleplay", ITUNES},
	    {"media", MEDIA},
	    {"dc", DUBLIN},
	    {"dcterms", DUBLIN},
	    {"podcast", PODCAST},
	    {"rdf", RDF},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcasecmp(prefix, known[i].prefix) == 0)
			return known[i].space;
	return OTHER;
}

/* Parts "prefix:local" and says what the prefix means here. */
static enum space
name_split(struct reading *r, const char *name, const char **local)
{
	const char *colon = strchr(name, ':');
	char prefix[MAX_PREFIX + 1] = "";
	int i;

	*local = colon ? colon + 1 : name;
	if (colon && colon - name > MAX_PREFIX)
		return OTHER;
	if (colon)
		memcpy(prefix, name, (size_t)(colon - name));
	for (i = r->n_bindings; i > 0; i--)
		if (strcmp(r->bindings[i - 1].prefix, prefix) == 0)
			return r->bindings[i - 1].space;
	return space_of_custom(prefix);
}

static void
bindings_push(struct reading *r, const char **attributes)
{
	for (; *attributes; attributes += 2) {
		const char *prefix = "";
		struct binding *b;

		if (strncmp(*attributes, "xmlns:", 6) == 0)
			prefix = *attributes + 6;
		else if (strcmp(*attributes, "xmlns") != 0)
			continue;
		if (r->n_bindings == MAX_BINDINGS || strlen(prefix) > MAX_PREFIX)
			continue;
		b = &r->bindings[r->n_bindings++];
		memset(b, 0, sizeof(*b));
		memcpy(b->prefix, prefix, strlen(prefix));
		b->space = space_of_address(attributes[1]);
		b->depth = r->depth;
		/* A root of an unknown family is still a feed when it looks like one. */
		if (b->space == OTHER && r->depth == 1 && !*prefix)
			b->space = CORE;
		/* A wrong address under a well-known prefix is a slip of the pen. */
		if (b->space == OTHER && r->depth <= 2 && *prefix)
			b->space = space_of_custom(prefix);
	}
}

static bool
same(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

static const char *
attribute(const char **attributes, const char *name)
{
	for (; *attributes; attributes += 2)
		if (same(*attributes, name))
			return attributes[1];
	return NULL;
}

static const char *
base_here(const struct reading *r)
{
	int i;

	for (i = r->depth; i > 0; i--)
		if (r->bases[i])
			return r->bases[i];
	return r->origin->url;
}

static void
base_push(struct reading *r, const char **attributes)
{
	const char *own = attribute(attributes, "xml:base");
	const char *whole;

	/* Deep inside nothing is linked that we show. */
	if (!own || r->depth > 8)
		return;
	if (!r->scratch)
		r->scratch = arena_new();
	whole = feed_text_url(r->scratch, base_here(r), own, strlen(own));
	r->bases[r->depth] = whole ? memory_string(whole) : NULL;
	arena_forget(r->scratch);
}

/* ---- what is kept ---- */

static void
stop(struct reading *r, enum feed_problem problem, const char *why)
{
	if (r->feed->problem == FEED_FINE) {
		r->feed->problem = problem;
		r->feed->why = why;
	}
	XML_StopParser(r->parser, XML_FALSE);
}

static struct draft *
here(struct reading *r)
{
	return r->in_item ? &r->draft : &r->channel;
}

/* Whether something of this rank is wanted still. */
static bool
better(int rank, int old)
{
	return old == 0 || rank < old;
}

static const char *
keep(struct reading *r, const char *text)
{
	r->kept += text ? strlen(text) + 1 : 0;
	if (r->kept > FEED_MAX_KEPT)
		stop(r, FEED_TOO_BIG, "more text than a feed may have");
	return text;
}

/* An address for one of the fields of a draft, if it is a better one. */
static void
address_set(
    struct reading *r, const char **field, int *old, int rank, const char *text, size_t length)
{
	const char *url;

	if (!text || !better(rank, *old))
		return;
	url = feed_text_url(r->arena, base_here(r), text, length);
	if (!url)
		return;
	*field = keep(r, url);
	*old = rank;
}

static void
address_string(struct reading *r, const char **field, int *old, int rank, const char *text)
{
	address_set(r, field, old, rank, text, text ? strlen(text) : 0);
}

static int64_t
whole_number(const char *text, size_t length)
{
	int64_t n = 0;
	size_t i = 0, digits = 0;

	while (i < length && strchr(" \t\r\n", text[i]) && text[i])
		i++;
	for (; i < length && text[i] >= '0' && text[i] <= '9' && digits < 15; i++, digits++)
		n = n * 10 + (text[i] - '0');
	while (i < length && strchr(" \t\r\n", text[i]) && text[i])
		i++;
	return digits && i == length ? n : FEED_NONE;
}

/* Sound or moving pictures, by its type or else by its name. */
static bool
is_episode_file(const char *type, const char *url)
{
	static const char *const ends[] = {".mp3", ".m4a", ".mp4", ".m4v", ".ogg", ".opus", ".aac",
	    ".wav", ".flac", ".mov", ".webm"};
	size_t i, n = strcspn(url, "?#");

	if (type && (strncasecmp(type, "audio/", 6) == 0 || strncasecmp(type, "video/", 6) == 0))
		return true;
	if (type && strncasecmp(type, "image/", 6) == 0)
		return false;
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (n > strlen(ends[i]) &&
		    strncasecmp(url + n - strlen(ends[i]), ends[i], strlen(ends[i])) == 0)
			return true;
	return false;
}

static void
file_set(struct reading *r, int rank, const char *url, const char *type, const char *bytes)
{
	struct draft *d = &r->draft;
	int old = d->file_rank;

	if (!url || !r->in_item)
		return;
	address_string(r, &d->item.enclosure_url, &d->file_rank, rank, url);
	if (d->file_rank == old)
		return;
	d->item.enclosure_type =
	    type ? keep(r, feed_text_plain(r->arena, type, strlen(type), false, WORD_POINTS))
		 : NULL;
	d->item.enclosure_bytes = bytes ? whole_number(bytes, strlen(bytes)) : FEED_NONE;
}

/* ---- elements ---- */

struct rule {
	enum space space;
	const char *name;
	enum what what;
	int rank;
};

/* Which text is what; the lower rank wins, and of one rank the first. */
static const struct rule rules[] = {
    {CORE, "title", TITLE, 1},
    {ATOM, "title", TITLE, 2},
    {ITUNES, "title", TITLE, 3},
    {DUBLIN, "title", TITLE, 4},
    {MEDIA, "title", TITLE, 5},
    {CORE, "link", LINK, 1},
    {CORE, "guid", GUID, 1},
    {CORE, "id", GUID, 1},
    {ATOM, "id", GUID, 2},
    {DUBLIN, "identifier", GUID, 4},
    {CORE, "pubdate", DATE, 1},
    {CORE, "published", DATE, 1},
    {ATOM, "published", DATE, 2},
    {CORE, "issued", DATE, 1},
    {ATOM, "issued", DATE, 2},
    {DUBLIN, "issued", DATE, 3},
    {DUBLIN, "date", DATE, 4},
    {CORE, "created", DATE, 5},
    {ATOM, "created", DATE, 5},
    {DUBLIN, "created", DATE, 5},
    {CORE, "updated", DATE, 6},
    {ATOM, "updated", DATE, 6},
    {CORE, "modified", DATE, 6},
    {ATOM, "modified", DATE, 6},
    {DUBLIN, "modified", DATE, 6},
    {CORE, "date", DATE, 6},
    {CORE, "language", LANGUAGE, 1},
    {DUBLIN, "language", LANGUAGE, 2},
    {CORE, "logo", PICTURE, 4},
    {ATOM, "logo", PICTURE, 4},
    {CORE, "icon", PICTURE, 5},
    {ATOM, "icon", PICTURE, 5},
    {ITUNES, "duration", DURATION, 1},
    {CORE, "duration", DURATION, 2},
    {ITUNES, "season", SEASON, 1},
    {PODCAST, "season", SEASON, 2},
    {ITUNES, "episode", EPISODE, 1},
    {PODCAST, "episode", EPISODE, 2},
    {ITUNES, "new-feed-url", MOVED, 1},
    {CORE, "newlocation", MOVED, 1},
};

static const struct rule *
rule_of(enum space space, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].space == space && same(rules[i].name, name))
			return &rules[i];
	return NULL;
}

/* How the text of an Atom title is written (RFC 4287, 3.1.1; Atom 0.3 had a mode); RSS: HTML. */
static enum form
form_of(const struct reading *r, enum space space, const char **attributes)
{
	const char *type = attribute(attributes, "type"), *mode = attribute(attributes, "mode");

	if (mode && same(mode, "base64"))
		return BASE64;
	if (mode && same(mode, "escaped"))
		return HTML;
	if (space != ATOM && !r->atom)
		return HTML;
	if (!type || same(type, "text") || same(type, "xhtml") || same(type, "text/plain"))
		return PLAIN;
	if (same(type, "html") || same(type, "text/html"))
		return mode ? PLAIN : HTML;
	return strncasecmp(type, "text/", 5) == 0 || strstr(type, "xml") ? PLAIN : BASE64;
}

static enum place
field_begin(struct reading *r, const struct rule *rule, enum space space, const char **attributes)
{
	const char *permalink = attribute(attributes, "isPermaLink");

	r->what = rule->what;
	r->rank = rule->rank;
	r->form = form_of(r, space, attributes);
	r->permalink =
	    !r->atom && same(rule->name, "guid") && (!permalink || !same(permalink, "false"));
	buf_clear(&r->text);
	r->text.overflowed = 0;
	return FIELD;
}

/* <link rel= href=>, Atom's and CDF's. In RSS, Atom's alternate comes after RSS's own link. */
static void
link_came(struct reading *r, enum space space, const char **attributes)
{
	const char *href = attribute(attributes, "href"), *rel = attribute(attributes, "rel");
	const char *type = attribute(attributes, "type");
	struct draft *d = here(r);
	int html = !type || strstr(type, "html") ? 0 : 1;

	if (!href)
		return;
	if (!r->atom && space == CORE && !rel && d->link_rank == 1)
		d->link_rank = 2;
	if (!rel || !*rel || same(rel, "alternate") ||
	    same(rel, "http://www.iana.org/assignments/relation/alternate"))
		address_string(
		    r, &d->link, &d->link_rank, (space == ATOM && !r->atom ? 3 : 1) + html, href);
	else if (same(rel, "enclosure"))
		file_set(r, is_episode_file(type, href) ? 1 : 3, href, type,
		    attribute(attributes, "length"));
	else if (same(rel, "self") && !r->in_item && !r->feed->self)
		r->feed->self = feed_text_url(r->arena, base_here(r), href, strlen(href));
	else if (same(rel, "image"))
		address_string(r, &d->image, &d->image_rank, 2, href);
}

static void
media_came(struct reading *r, const char *name, const char **attributes)
{
	const char *url = attribute(attributes, "url"), *type = attribute(attributes, "type");
	const char *medium = attribute(attributes, "medium"), *length;
	struct draft *d = here(r);
	int64_t seconds;

	if (!url)
		return;
	if (same(name, "thumbnail"))
		address_string(r, &d->image, &d->image_rank, 6, url);
	if (!same(name, "content") || !r->in_item)
		return;
	if (!is_episode_file(type, url) &&
	    !(medium && (same(medium, "audio") || same(medium, "video"))))
		return;
	file_set(r, 2, url, type, attribute(attributes, "fileSize"));
	length = attribute(attributes, "duration");
	if (length && d->duration_rank == 0 &&
	    feed_date_duration(length, strlen(length), &seconds)) {
		d->item.duration_s = seconds;
		d->duration_rank = 3;
	}
}

/* What an element says by its attributes alone. */
static void
attributes_came(struct reading *r, enum space space, const char *name, const char **attributes)
{
	struct draft *d = here(r);
	const char *url = attribute(attributes, "url");

	if (same(name, "link") && (space == CORE || space == ATOM || space == ITUNES))
		link_came(r, space, attributes);
	else if (space == CORE && same(name, "enclosure"))
		file_set(r, is_episode_file(attribute(attributes, "type"), url ? url : "") ? 1 : 3,
		    url, attribute(attributes, "type"), attribute(attributes, "length"));
	else if (space == ITUNES && same(name, "image"))
		address_string(r, &d->image, &d->image_rank, 1, attribute(attributes, "href"));
	else if (space == MEDIA)
		media_came(r, name, attributes);
}

static void
item_begin(struct reading *r, const char **attributes)
{
	const char *about = attribute(attributes, "rdf:about"),
		   *href = attribute(attributes, "href");
	struct draft *d = &r->draft;

	memset(d, 0, sizeof(*d));
	d->item.published_s = d->item.enclosure_bytes = d->item.duration_s = FEED_NONE;
	d->item.season = d->item.episode = FEED_NONE;
	r->in_item = true;
	address_string(r, &d->link, &d->link_rank, 1, href);
	if (about && *about) {
		d->item.guid =
		    feed_text_plain(r->arena, about, strlen(about), false, FEED_MAX_GUID);
		d->guid_rank = 3;
	}
}

static enum place
root_begin(struct reading *r, enum space space, const char *name, const char **attributes)
{
	r->atom = same(name, "feed") && (space == CORE || space == ATOM);
	if (r->atom)
		return CHANNEL;
	if (space == CORE && same(name, "channel")) {
		address_string(
		    r, &r->channel.link, &r->channel.link_rank, 1, attribute(attributes, "href"));
		return CHANNEL;
	}
	if ((same(name, "rss") && space != OTHER) || same(name, "rdf"))
		return ROOT;
	stop(
	    r, FEED_NOT_A_FEED, same(name, "html") ? "a web page instead of a feed" : "not a feed");
	return NOWHERE;
}

/* Whether an element of the feed's own kind: in an Atom feed, Atom's; in RSS, RSS's. */
static enum space
own(const struct reading *r, enum space space)
{
	return r->atom && space == ATOM ? CORE : space;
}

static enum place
inside(struct reading *r, enum place above, enum space space, const char *name,
    const char **attributes)
{
	const struct rule *rule;

	if (space == CORE && above != IMAGE && above != GROUP && !r->in_item) {
		if (same(name, "channel") && above == ROOT)
			return CHANNEL;
		if (same(name, "item") || same(name, "entry")) {
			item_begin(r, attributes);
			return ITEM;
		}
	}
	if (space == CORE && same(name, "image") && above != GROUP)
		return IMAGE;
	if (above == ROOT)
		return NOWHERE;
	if (above == IMAGE) {
		static const struct rule picture = {CORE, "url", PICTURE, 3};
		return space == CORE && same(name, "url")
			   ? field_begin(r, &picture, space, attributes)
			   : NOWHERE;
	}
	attributes_came(r, space, name, attributes);
	if (space == MEDIA && (same(name, "group") || same(name, "content")))
		return GROUP;
	rule = rule_of(space, name);
	if (!rule || (above == GROUP && rule->what != TITLE) ||
	    (rule->what == LINK && attribute(attributes, "href")))
		return NOWHERE;
	return field_begin(r, rule, space, attributes);
}

static enum place
place_of(struct reading *r, enum place above, const char *full, const char **attributes)
{
	const char *name;
	enum space space = name_split(r, full, &name);

	if (r->depth == 1)
		return root_begin(r, space, name, attributes);
	switch (above) {
	case FIELD:
	case INLINE:
		if (same(name, "script") || same(name, "style") || r->what != TITLE)
			return HIDDEN;
		if (same(name, "br") || same(name, "p") || same(name, "div"))
			buf_string(&r->text, " ");
		return INLINE;
	case HIDDEN:
		return HIDDEN;
	case NOWHERE:
		return NOWHERE;
	case ROOT:
	case CHANNEL:
	case ITEM:
	case IMAGE:
	case GROUP:
		break;
	}
	return inside(r, above, own(r, space), name, attributes);
}

static void XMLCALL
on_start(void *context, const char *name, const char **attributes)
{
	struct reading *r = context;
	const char *language;

	r->fed_at_event = r->fed;
	if (r->depth == FEED_MAX_DEPTH) {
		stop(r, FEED_TOO_DEEP, "elements deeper than a feed has them");
		return;
	}
	r->depth++;
	bindings_push(r, attributes);
	base_push(r, attributes);
	r->places[r->depth] = place_of(r, r->places[r->depth - 1], name, attributes);
	language = r->places[r->depth] == ROOT || r->places[r->depth] == CHANNEL
		       ? attribute(attributes, "xml:lang")
		       : NULL;
	if (language && *language && better(3, r->channel.language_rank)) {
		r->channel.language =
		    feed_text_plain(r->arena, language, strlen(language), false, 35);
		r->channel.language_rank = 3;
	}
}

static void XMLCALL
on_text(void *context, const char *text, int length)
{
	struct reading *r = context;
	enum place place = r->places[r->depth];

	r->fed_at_event = r->fed;
	if ((place == FIELD || place == INLINE) && !r->text.overflowed)
		buf_add(&r->text, text, (size_t)length);
}

/* ---- ends ---- */

static void
title_done(struct reading *r, struct draft *d)
{
	const char *text = r->text.bytes;
	size_t length = r->text.length;
	const char *plain;

	if (!better(r->rank, d->title_rank))
		return;
	if (r->form == BASE64) {
		text = feed_text_base64(r->arena, text, length, &length);
		if (!text) {
			text = r->text.bytes;
			length = r->text.length;
		}
	}
	plain = feed_text_plain(r->arena, text, length, r->form != PLAIN, FEED_MAX_TITLE);
	if (plain) {
		d->title = keep(r, plain);
		d->title_rank = r->rank;
	}
}

static void
guid_done(struct reading *r, struct draft *d)
{
	const char *plain;

	if (r->text.length > FEED_MAX_GUID || !better(r->rank, d->guid_rank))
		return;
	plain = feed_text_plain(r->arena, r->text.bytes, r->text.length, false, FEED_MAX_GUID);
	if (!plain)
		return;
	d->item.guid = keep(r, plain);
	d->guid_rank = r->rank;
	/* RSS 2.0: a guid is the address of the item unless it says not to be. */
	if (r->permalink &&
	    (strncmp(plain, "http://", 7) == 0 || strncmp(plain, "https://", 8) == 0))
		address_string(r, &d->link, &d->link_rank, 5, plain);
}

static void
number_done(struct reading *r, int64_t *field)
{
	int64_t n = whole_number(r->text.bytes, r->text.length);

	if (*field == FEED_NONE && n != FEED_NONE)
		*field = n;
}

static void
language_done(struct reading *r, struct draft *d)
{
	if (!better(r->rank, d->language_rank))
		return;
	d->language = feed_text_plain(r->arena, r->text.bytes, r->text.length, false, 35);
	d->language_rank = d->language ? r->rank : d->language_rank;
}

static void
date_done(struct reading *r, struct draft *d)
{
	int64_t s;

	if (better(r->rank, d->date_rank) && feed_date_parse(r->text.bytes, r->text.length, &s)) {
		d->item.published_s = s;
		d->date_rank = r->rank;
	}
}

static void
duration_done(struct reading *r, struct draft *d)
{
	int64_t s;

	if (better(r->rank, d->duration_rank) &&
	    feed_date_duration(r->text.bytes, r->text.length, &s)) {
		d->item.duration_s = s;
		d->duration_rank = r->rank;
	}
}

static void
field_done(struct reading *r)
{
	struct draft *d = here(r);
	int moved = 0;

	if (!r->text.length)
		return;
	switch (r->what) {
	case TITLE:
		title_done(r, d);
		break;
	case LINK:
		/* Of several links in RSS the last is the page itself, as other readers have it. */
		if (!r->atom && d->link_rank == r->rank)
			d->link_rank = r->rank + 1;
		address_set(r, &d->link, &d->link_rank, r->rank, r->text.bytes, r->text.length);
		break;
	case GUID:
		guid_done(r, d);
		break;
	case DATE:
		date_done(r, d);
		break;
	case LANGUAGE:
		language_done(r, d);
		break;
	case PICTURE:
		address_set(r, &d->image, &d->image_rank, r->rank, r->text.bytes, r->text.length);
		break;
	case DURATION:
		duration_done(r, d);
		break;
	case SEASON:
		number_done(r, &d->item.season);
		break;
	case EPISODE:
		number_done(r, &d->item.episode);
		break;
	case MOVED:
		if (!r->in_item)
			address_set(r, &r->feed->new_url, &moved, 1, r->text.bytes, r->text.length);
		break;
	case NOTHING:
		break;
	}
}

static void
item_done(struct reading *r)
{
	struct feed_item *item = &r->draft.item;

	r->in_item = false;
	item->title = r->draft.title;
	item->link = r->draft.link;
	item->image = r->draft.image;
	if (r->count == FEED_MAX_ITEMS) {
		stop(r, FEED_TOO_BIG, "more items than a feed may have");
		return;
	}
	if (r->count == r->room) {
		r->room = r->room ? r->room * 2 : 32;
		r->items = memory_resize(r->items, r->room * sizeof(*r->items));
	}
	r->items[r->count++] = *item;
}

static void XMLCALL
on_end(void *context, const char *name)
{
	struct reading *r = context;
	enum place place = r->places[r->depth];

	(void)name;
	r->fed_at_event = r->fed;
	if (place == FIELD)
		field_done(r);
	else if (place == ITEM)
		item_done(r);
	free(r->bases[r->depth]);
	r->bases[r->depth] = NULL;
	while (r->n_bindings && r->bindings[r->n_bindings - 1].depth == r->depth)
		r->n_bindings--;
	r->depth--;
	if (r->depth == 0 || (r->depth == 1 && place == CHANNEL && r->places[1] == ROOT))
		r->closed = true;
}

static void XMLCALL
on_doctype(void *context, const char *name, const char *system, const char *public, int internal)
{
	struct reading *r = context;

	(void)system;
	(void)public;
	r->fed_at_event = r->fed;
	if (same(name, "html"))
		stop(r, FEED_NOT_A_FEED, "a web page instead of a feed");
	else if (internal)
		stop(r, FEED_FORBIDDEN, "a DOCTYPE with declarations");
}

static void XMLCALL
on_entity(void *context, const char *name, int parameter, const char *value, int length,
    const char *base, const char *system, const char *public, const char *notation)
{
	(void)name, (void)parameter, (void)value, (void)length, (void)base, (void)system,
	    (void)public;
	(void)notation;
	stop(context, FEED_FORBIDDEN, "a DOCTYPE with declarations");
}

static void XMLCALL
on_skipped(void *context, const char *name, int parameter)
{
	(void)name, (void)parameter;
	/* An entity of a DOCTYPE that is not read: the mender knows HTML's. */
	XML_StopParser(((struct reading *)context)->parser, XML_FALSE);
}

static void XMLCALL
on_comment(void *context, const char *text)
{
	(void)text;
	((struct reading *)context)->fed_at_event = ((struct reading *)context)->fed;
}

static void XMLCALL
on_instruction(void *context, const char *target, const char *text)
{
	(void)target;
	on_comment(context, text);
}

/* ---- the passes ---- */

static void
pass_begin(struct reading *r)
{
	static const XML_Memory_Handling_Suite suite = {xml_malloc, xml_realloc, xml_free};

	r->parser = XML_ParserCreate_MM("UTF-8", &suite, NULL);
	if (!r->parser)
		memory_exhausted();
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetCharacterDataHandler(r->parser, on_text);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	XML_SetEntityDeclHandler(r->parser, on_entity);
	XML_SetSkippedEntityHandler(r->parser, on_skipped);
	XML_SetCommentHandler(r->parser, on_comment);
	XML_SetProcessingInstructionHandler(r->parser, on_instruction);
	feed_encoding_rewind(r->encoding);
}

/* Everything learned so far is forgotten, but what the caller gave. */
static void
pass_end(struct reading *r)
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
	struct reading *r = context;

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
		stop(r, FEED_TOO_BIG, "a tag longer than any feed has");
		return false;
	}
	return true;
}

/* As it stands. True when it was well-formed to the end. */
static bool
pass_strict(struct reading *r)
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
pass_mended(struct reading *r)
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
reading_again(struct reading *r)
{
	struct reading old = *r;

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
feed_fill(struct feed *feed, struct reading *r)
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
feed_read(struct reading *r)
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
	struct reading *r = memory_new(sizeof(*r));

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
	if (file && is_episode_file(NULL, at))
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
