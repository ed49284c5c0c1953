/*
 * From elements to a feed: the handlers that expat calls, and what they know between two calls. One
 * is made for each pass over the bytes; feed.c looks inside.
 */
#ifndef BASE_FEED_BUILD_H
#define BASE_FEED_BUILD_H

#include <expat.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/feed.h"
#include "base/feed_spaces.h"
#include "base/memory.h"

struct arena;
struct feed_encoding;

enum feed_place {
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

enum feed_what {
	NOTHING,
	TITLE,
	LINK,
	GUID,
	DATE,
	LANGUAGE,
	PICTURE,
	DURATION,
	SEASON,
	EPISODE,
	MOVED
};

enum feed_form { PLAIN, HTML, BASE64 };

/* What a feed and an item have in common. A rank is 0 for nothing yet; the lower one wins. */
struct feed_draft {
	const char *title, *link, *image, *language;
	int title_rank, link_rank, image_rank, language_rank;
	int date_rank, guid_rank, file_rank, duration_rank;
	struct feed_item item;
};

struct feed_build {
	struct arena *arena;
	struct arena *scratch; /* for what is not kept */
	struct feed *feed;
	const struct feed_origin *origin;
	XML_Parser parser;
	struct feed_encoding *encoding;
	enum feed_place places[FEED_MAX_DEPTH + 1];
	char *bases[FEED_MAX_DEPTH + 1]; /* xml:base, resolved; NULL: as the element above */
	int depth;
	struct feed_spaces spaces;
	bool second; /* this pass is over mended XML */
	bool atom, closed;
	enum feed_what what;
	int rank;
	enum feed_form form;
	bool permalink;
	struct buf text;
	struct feed_draft channel, draft;
	bool in_item;
	struct feed_item *items;
	size_t count, room, kept;
	size_t fed,
	    fed_at_event; /* bytes given to expat, and how many when it last said something */
};

/* The first problem counts; expat stops. */
void feed_build_stop(struct feed_build *r, enum feed_problem problem, const char *why);
void XMLCALL feed_build_start(void *context, const char *name, const char **attributes);
void XMLCALL feed_build_text(void *context, const char *text, int length);
void XMLCALL feed_build_end(void *context, const char *name);

#endif
