#include "base/feed_spaces.h"

#include <string.h>
#include <strings.h>

static enum feed_space
space_of_address(const char *uri)
{
	static const struct {
		const char *begins;
		enum feed_space space;
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
static enum feed_space
space_of_custom(const char *prefix)
{
	static const struct {
		const char *prefix;
		enum feed_space space;
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

enum feed_space
feed_spaces_split(const struct feed_spaces *s, const char *name, const char **local)
{
	const char *colon = strchr(name, ':');
	char prefix[FEED_PREFIX + 1] = "";
	int i;

	*local = colon ? colon + 1 : name;
	if (colon && colon - name > FEED_PREFIX)
		return OTHER;
	if (colon)
		memcpy(prefix, name, (size_t)(colon - name));
	for (i = s->count; i > 0; i--)
		if (strcmp(s->bindings[i - 1].prefix, prefix) == 0)
			return s->bindings[i - 1].space;
	return space_of_custom(prefix);
}

void
feed_spaces_push(struct feed_spaces *s, int depth, const char **attributes)
{
	for (; *attributes; attributes += 2) {
		const char *prefix = "";
		struct feed_binding *b;

		if (strncmp(*attributes, "xmlns:", 6) == 0)
			prefix = *attributes + 6;
		else if (strcmp(*attributes, "xmlns") != 0)
			continue;
		if (s->count == FEED_BINDINGS || strlen(prefix) > FEED_PREFIX)
			continue;
		b = &s->bindings[s->count++];
		memset(b, 0, sizeof(*b));
		memcpy(b->prefix, prefix, strlen(prefix));
		b->space = space_of_address(attributes[1]);
		b->depth = depth;
		/* A root of an unknown family is still a feed when it looks like one. */
		if (b->space == OTHER && depth == 1 && !*prefix)
			b->space = CORE;
		/* A wrong address under a well-known prefix is a slip of the pen. */
		if (b->space == OTHER && depth <= 2 && *prefix)
			b->space = space_of_custom(prefix);
	}
}

void
feed_spaces_pop(struct feed_spaces *s, int depth)
{
	while (s->count && s->bindings[s->count - 1].depth == depth)
		s->count--;
}
