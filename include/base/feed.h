/*
 * Podcast feeds: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, CDF, with the names of iTunes, Media RSS,
 * Podcasting 2.0 and Dublin Core. Pure: bytes in, a struct in the arena out; no network, no clock.
 *
 * A feed that is not well-formed is mended (bare &, HTML's entities, tags that do not match, bad
 * bytes, a wrong or missing encoding). What no feed needs is refused: a DOCTYPE with declarations
 * of its own (external entities, "billion laughs"), more than FEED_MAX_BYTES, elements deeper than
 * FEED_MAX_DEPTH, one tag of more than FEED_MAX_TAG bytes.
 *
 * Every text is plain UTF-8: entities undone, tags dropped, white space collapsed, control and
 * directional formatting characters (but LRM, RLM, ALM) removed, at most FEED_MAX_TITLE code
 * points. It is still a stranger's text: show it as a NAME span.
 */
#ifndef BASE_FEED_H
#define BASE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum {
	FEED_MAX_BYTES = 16 << 20,
	FEED_MAX_DEPTH = 64,
	FEED_MAX_TAG = 512 << 10,
	FEED_MAX_ITEMS = 10000,
	FEED_MAX_KEPT = 6 << 20, /* bytes of text of all items together */
	FEED_MAX_TITLE = 400,	 /* code points; a longer one ends in an ellipsis */
	FEED_MAX_URL = 4096,	 /* bytes; a longer one is left out, for half an address is none */
	FEED_MAX_GUID = 1024,	 /* bytes; a longer one is left out */
};

#define FEED_NONE INT64_MIN /* a number or a date that the feed does not give */

/* Where the bytes came from; any may be NULL. */
struct feed_origin {
	const char *content_type;     /* the header: its charset */
	const char *content_language; /* the header, when the feed names no language */
	const char *url; /* the address in the end: relative links are resolved against it */
};

enum feed_problem {
	FEED_FINE,
	FEED_CUT,	/* ends too early; the items are those that came whole */
	FEED_TOO_BIG,	/* bytes, a tag, items or text above their cap; the items before it are kept
			 */
	FEED_TOO_DEEP,	/* as above */
	FEED_FORBIDDEN, /* a DOCTYPE with declarations; no items */
	FEED_NOT_A_FEED, /* HTML (a sign-in page) or something else; no items */
	FEED_EMPTY,	 /* no bytes */
};

struct feed_item {
	const char *title; /* NULL when there is none, as every text here */
	const char *link;  /* http(s), or relative when the origin's url was not given */
	const char *guid;
	const char *enclosure_url;
	const char *enclosure_type;
	const char *image;
	int64_t published_s; /* unix time or FEED_NONE */
	int64_t enclosure_bytes;
	int64_t duration_s;
	int64_t season, episode;
	bool guid_shared; /* another item of this document has this guid */
	bool file_shared; /* ... this enclosure */
	bool link_shared; /* ... this link */
};

struct feed {
	const char *title;
	const char *link;
	const char *language; /* BCP 47 as written, '_' made '-' */
	const char *image;
	const char *self;	       /* atom:link rel=self */
	const char *new_url;	       /* itunes:new-feed-url: the feed has moved there */
	const char *encoding;	       /* the name ICU knows it by */
	const struct feed_item *items; /* in the order of the document */
	size_t count;
	enum feed_problem problem;
	const char *why; /* English, for the log; NULL when FINE */
	bool well_formed;
};

/*
 * Never NULL; everything lives in the arena. `origin` may be NULL. When `problem` is not FEED_FINE,
 * the caller keeps what it knew before, may take up the items, and never forgets any for being
 * absent.
 */
struct feed *feed_parse(
    struct arena *arena, const void *bytes, size_t length, const struct feed_origin *origin);

/*
 * The newest item by date, the first on a tie. A date more than two days after `now_s` is a mistake
 * and counts as none (unless now_s is 0). Without any date, the first. NULL when there is no item.
 */
const struct feed_item *feed_newest(const struct feed *feed, int64_t now_s);

/*
 * What an episode is known by. The rule for the caller: an item is new when its `key` was never
 * stored for this feed; then store `key` and, when not NULL, `also` (both, with "or ignore"), the
 * latter for items already known too. Titles and dates play no part while there is a guid, so a
 * rewritten title is no new episode, nor is a new file under the old guid.
 * - a guid of its own: key "g guid", also "f guid file"
 * - a guid that other items of the document have too: key "f guid file", also "g guid"; so a guid
 *   used for several episodes names each once, and one of them left alone later is still known
 * - no guid: the file's address, else the link, when no other item has them; the other is `also`
 * - nothing of these: the title
 * Addresses are compared without scheme, a leading "www." and, for a media file, the query.
 */
struct feed_key {
	const char *key;
	const char *also;
};

struct feed_key feed_item_key(struct arena *arena, const struct feed_item *item);

/* "fine", "cut", … */
const char *feed_problem_name(enum feed_problem problem);

#endif
