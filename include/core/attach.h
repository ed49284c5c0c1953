/*
 * Attachments: a file that somebody sent and that is kept with something (a resource of the shelf).
 * While it is being put together it is the person's: sealed under their key, in their data, gone
 * with them. Settled, it belongs to the thing alone: sealed under a key of its own, which is
 * overwritten first when it goes. Pictures and sounds lose their metadata (base/strip.h); a
 * document (base/document.h) stays as it is; anything else is refused.
 *
 *   attach_ask(t, "shelf", most)          they sent t->media: it is fetched
 *   attach_came(t, "shelf", most)         in HAPPENED_MEDIA: kept as what t->subject is writing
 *   id = attach_settle(t, "shelf")        it is published
 *   attach_add(t, card, id, "shelf-12")   uploaded to a network once, then sent by its number there
 *   attach_drop(t, id)
 */
#ifndef CORE_ATTACH_H
#define CORE_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strip.h"
#include "core/turn.h"

struct attachment {
	int64_t id, bytes;
	const char *ending, *type;
};

/* False: there is no file in this message, or it is of no use (unknown kind, too big as claimed).
 */
bool attach_ask(struct turn *t, const char *kind, int64_t most_bytes);
/* Whether what came was asked for as this kind. */
bool attach_asked(struct turn *t, const char *kind);
/* False: it could not be had, is too big, or is nothing we take. It replaces the one before. */
bool attach_came(struct turn *t, const char *kind, int64_t most_bytes);
/* What came in t->media without what tells about its maker, or a document as it is; .bytes NULL: it
 * could not be had or is too big; .type NULL: nothing we know. */
struct stripped attach_clean(struct turn *t, int64_t most_bytes);
/* What this person is putting together. */
bool attach_pending(
    struct turn *t, int64_t person, const char *kind, struct attachment *attachment);
void attach_forget(struct turn *t, int64_t person, const char *kind);
/* t->person's becomes the thing's; 0: there is none. */
int64_t attach_settle(struct turn *t, const char *kind);
bool attach_get(struct turn *t, int64_t id, struct attachment *attachment);
/* Puts it into the card as NAME.ending; false: it is gone. */
bool attach_add(struct turn *t, struct card *card, int64_t id, const char *name);
void attach_drop(struct turn *t, int64_t id);
/* Bytes of all that are settled of this kind. */
int64_t attach_total(struct turn *t, const char *kind);

#endif
