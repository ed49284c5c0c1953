#include "base/feed_build.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/feed_date.h"
#include "base/feed_text.h"

enum { WORD_POINTS = 100, LANGUAGE_POINTS = 35 };

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
base_here(const struct feed_build *r)
{
	int i;

	for (i = r->depth; i > 0; i--)
		if (r->bases[i])
			return r->bases[i];
	return r->origin->url;
}

static void
base_push(struct feed_build *r, const char **attributes)
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

void
feed_build_stop(struct feed_build *r, enum feed_problem problem, const char *why)
{
	if (r->feed->problem == FEED_FINE) {
		r->feed->problem = problem;
		r->feed->why = why;
	}
	XML_StopParser(r->parser, XML_FALSE);
}

static struct feed_draft *
here(struct feed_build *r)
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
keep(struct feed_build *r, const char *text)
{
	r->kept += text ? strlen(text) + 1 : 0;
	if (r->kept > FEED_MAX_KEPT)
		feed_build_stop(r, FEED_TOO_BIG, "more text than a feed may have");
	return text;
}

/* An address for one of the fields of a draft, if it is a better one. */
static void
address_set(
    struct feed_build *r, const char **field, int *old, int rank, const char *text, size_t length)
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
address_string(struct feed_build *r, const char **field, int *old, int rank, const char *text)
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

static void
file_set(struct feed_build *r, int rank, const char *url, const char *type, const char *bytes)
{
	struct feed_draft *d = &r->draft;
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

struct rule {
	enum feed_space space;
	const char *name;
	enum feed_what what;
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
rule_of(enum feed_space space, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].space == space && same(rules[i].name, name))
			return &rules[i];
	return NULL;
}

/* How the text of an Atom title is written (RFC 4287, 3.1.1; Atom 0.3 had a mode); RSS: HTML. */
static enum feed_form
form_of(const struct feed_build *r, enum feed_space space, const char **attributes)
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

static enum feed_place
field_begin(
    struct feed_build *r, const struct rule *rule, enum feed_space space, const char **attributes)
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
link_came(struct feed_build *r, enum feed_space space, const char **attributes)
{
	const char *href = attribute(attributes, "href"), *rel = attribute(attributes, "rel");
	const char *type = attribute(attributes, "type");
	struct feed_draft *d = here(r);
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
		file_set(r, feed_text_is_media(type, href) ? 1 : 3, href, type,
		    attribute(attributes, "length"));
	else if (same(rel, "self") && !r->in_item && !r->feed->self)
		r->feed->self = feed_text_url(r->arena, base_here(r), href, strlen(href));
	else if (same(rel, "image"))
		address_string(r, &d->image, &d->image_rank, 2, href);
}

static void
media_came(struct feed_build *r, const char *name, const char **attributes)
{
	const char *url = attribute(attributes, "url"), *type = attribute(attributes, "type");
	const char *medium = attribute(attributes, "medium"), *length;
	struct feed_draft *d = here(r);
	int64_t seconds;

	if (!url)
		return;
	if (same(name, "thumbnail"))
		address_string(r, &d->image, &d->image_rank, 6, url);
	if (!same(name, "content") || !r->in_item)
		return;
	if (!feed_text_is_media(type, url) &&
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
attributes_came(
    struct feed_build *r, enum feed_space space, const char *name, const char **attributes)
{
	struct feed_draft *d = here(r);
	const char *url = attribute(attributes, "url");

	if (same(name, "link") && (space == CORE || space == ATOM || space == ITUNES))
		link_came(r, space, attributes);
	else if (space == CORE && same(name, "enclosure"))
		file_set(r,
		    feed_text_is_media(attribute(attributes, "type"), url ? url : "") ? 1 : 3, url,
		    attribute(attributes, "type"), attribute(attributes, "length"));
	else if (space == ITUNES && same(name, "image"))
		address_string(r, &d->image, &d->image_rank, 1, attribute(attributes, "href"));
	else if (space == MEDIA)
		media_came(r, name, attributes);
}

static void
item_begin(struct feed_build *r, const char **attributes)
{
	const char *about = attribute(attributes, "rdf:about"),
		   *href = attribute(attributes, "href");
	struct feed_draft *d = &r->draft;

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

static enum feed_place
root_begin(struct feed_build *r, enum feed_space space, const char *name, const char **attributes)
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
	/* Below what a broken server prints first there may still be a feed: the second pass looks.
	 */
	if (same(name, "html"))
		feed_build_stop(r, FEED_NOT_A_FEED, "a web page instead of a feed");
	else if (r->second)
		feed_build_stop(r, FEED_NOT_A_FEED, "not a feed");
	else
		XML_StopParser(r->parser, XML_FALSE);
	return NOWHERE;
}

/* Whether an element of the feed's own kind: in an Atom feed, Atom's; in RSS, RSS's. */
static enum feed_space
own(const struct feed_build *r, enum feed_space space)
{
	return r->atom && space == ATOM ? CORE : space;
}

static enum feed_place
inside(struct feed_build *r, enum feed_place above, enum feed_space space, const char *name,
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

static enum feed_place
place_of(struct feed_build *r, enum feed_place above, const char *full, const char **attributes)
{
	const char *name;
	enum feed_space space = feed_spaces_split(&r->spaces, full, &name);

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

void XMLCALL
feed_build_start(void *context, const char *name, const char **attributes)
{
	struct feed_build *r = context;
	const char *language;

	r->fed_at_event = r->fed;
	if (r->depth == FEED_MAX_DEPTH) {
		feed_build_stop(r, FEED_TOO_DEEP, "elements deeper than a feed has them");
		return;
	}
	r->depth++;
	feed_spaces_push(&r->spaces, r->depth, attributes);
	base_push(r, attributes);
	r->places[r->depth] = place_of(r, r->places[r->depth - 1], name, attributes);
	language = r->places[r->depth] == ROOT || r->places[r->depth] == CHANNEL
		       ? attribute(attributes, "xml:lang")
		       : NULL;
	if (language && *language && better(3, r->channel.language_rank)) {
		r->channel.language =
		    feed_text_plain(r->arena, language, strlen(language), false, LANGUAGE_POINTS);
		r->channel.language_rank = 3;
	}
}

void XMLCALL
feed_build_text(void *context, const char *text, int length)
{
	struct feed_build *r = context;
	enum feed_place place = r->places[r->depth];

	r->fed_at_event = r->fed;
	if ((place == FIELD || place == INLINE) && !r->text.overflowed)
		buf_add(&r->text, text, (size_t)length);
}

static void
title_done(struct feed_build *r, struct feed_draft *d)
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
guid_done(struct feed_build *r, struct feed_draft *d)
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
number_done(struct feed_build *r, int64_t *field)
{
	int64_t n = whole_number(r->text.bytes, r->text.length);

	if (*field == FEED_NONE && n != FEED_NONE)
		*field = n;
}

static void
language_done(struct feed_build *r, struct feed_draft *d)
{
	if (!better(r->rank, d->language_rank))
		return;
	d->language =
	    feed_text_plain(r->arena, r->text.bytes, r->text.length, false, LANGUAGE_POINTS);
	d->language_rank = d->language ? r->rank : d->language_rank;
}

static void
date_done(struct feed_build *r, struct feed_draft *d)
{
	int64_t s;

	if (better(r->rank, d->date_rank) && feed_date_parse(r->text.bytes, r->text.length, &s)) {
		d->item.published_s = s;
		d->date_rank = r->rank;
	}
}

static void
duration_done(struct feed_build *r, struct feed_draft *d)
{
	int64_t s;

	if (better(r->rank, d->duration_rank) &&
	    feed_date_duration(r->text.bytes, r->text.length, &s)) {
		d->item.duration_s = s;
		d->duration_rank = r->rank;
	}
}

static void
field_done(struct feed_build *r)
{
	struct feed_draft *d = here(r);
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
item_done(struct feed_build *r)
{
	struct feed_item *item = &r->draft.item;

	r->in_item = false;
	item->title = r->draft.title;
	item->link = r->draft.link;
	item->image = r->draft.image;
	if (r->count == FEED_MAX_ITEMS) {
		feed_build_stop(r, FEED_TOO_BIG, "more items than a feed may have");
		return;
	}
	if (r->count == r->room) {
		r->room = r->room ? r->room * 2 : 32;
		r->items = memory_resize(r->items, r->room * sizeof(*r->items));
	}
	r->items[r->count++] = *item;
}

void XMLCALL
feed_build_end(void *context, const char *name)
{
	struct feed_build *r = context;
	enum feed_place place = r->places[r->depth];

	(void)name;
	r->fed_at_event = r->fed;
	if (place == FIELD)
		field_done(r);
	else if (place == ITEM)
		item_done(r);
	free(r->bases[r->depth]);
	r->bases[r->depth] = NULL;
	feed_spaces_pop(&r->spaces, r->depth);
	r->depth--;
	if (r->depth == 0 || (r->depth == 1 && place == CHANNEL && r->places[1] == ROOT))
		r->closed = true;
}
