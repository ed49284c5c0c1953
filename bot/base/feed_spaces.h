/*
 * XML namespaces as feeds use them: many addresses for one vocabulary, wrong ones, or none
 * declared. That is why expat's own handling is not used: it refuses a prefix without a
 * declaration.
 */
#ifndef BASE_FEED_SPACES_H
#define BASE_FEED_SPACES_H

enum feed_space {
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

enum { FEED_BINDINGS = 64, FEED_PREFIX = 23 };

struct feed_binding {
	char prefix[FEED_PREFIX + 1];
	enum feed_space space;
	int depth;
};

/* What prefixes mean here; zero it to begin. Above FEED_BINDINGS at once, the rest is not seen. */
struct feed_spaces {
	struct feed_binding bindings[FEED_BINDINGS];
	int count;
};

/* The declarations among an element's attributes (name, value, …, NULL), at depth 1 and more. */
void feed_spaces_push(struct feed_spaces *s, int depth, const char **attributes);
/* Forgets those of this depth. */
void feed_spaces_pop(struct feed_spaces *s, int depth);
/* Parts "prefix:local" and says what the prefix means here. */
enum feed_space feed_spaces_split(
    const struct feed_spaces *s, const char *name, const char **local);

#endif
