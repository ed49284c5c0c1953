/* An address that somebody typed, before it is shown to others as something to tap. Pure. */
#ifndef BASE_LINK_H
#define BASE_LINK_H

struct arena;

enum { LINK_BYTES = 500 };

/* As it may be shown: http or https, a host of plain letters (others are written in punycode, so
 * that nothing looks like what it is not), no name or password in it, everything else
 * percent-encoded. NULL: it is none. */
char *link_clean(struct arena *arena, const char *text);
/* The host of what link_clean gave. */
char *link_host(struct arena *arena, const char *link);

#endif
