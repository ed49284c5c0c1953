/*
 * Makes well-formed XML out of what is almost that, piece by piece, for expat to read: bare & and
 * <, HTML's entities, attributes without quotes or given twice, tags that do not match or were
 * never closed, what stands behind the root. Comments, instructions and a DOCTYPE without
 * declarations are left out, CDATA becomes text. Linear in the input; memory is bounded by
 * FEED_MAX_TAG.
 */
#ifndef BASE_FEED_MEND_H
#define BASE_FEED_MEND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/feed.h"

struct feed_mend;

/* Takes the mended XML; false stops it. */
typedef bool feed_mend_sink(void *context, const char *xml, size_t length);

struct feed_mend *feed_mend_new(feed_mend_sink *sink, void *context);
void feed_mend_free(struct feed_mend *m);
/* Valid UTF-8, cut anywhere. FEED_FINE, or why nothing more is taken. */
enum feed_problem feed_mend_add(struct feed_mend *m, const char *text, size_t length);
/* The end came: FEED_CUT when an element was open. */
enum feed_problem feed_mend_end(struct feed_mend *m);

#endif
