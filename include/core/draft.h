/*
 * Drafts: what somebody writes over days (an event, an announcement, a story), field by field. A
 * draft survives /cancel, restarts and upgrades; each field is sealed under the person's own key;
 * it ends when the feature drops it or after `[retention] draft` days without a change.
 * A person has one draft of a kind at a time.
 */
#ifndef CORE_DRAFT_H
#define CORE_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/turn.h"

/* t->person's draft of this kind: sets a field; NULL or "" forgets it. */
void draft_set(struct turn *t, const char *kind, const char *field, const char *value);
/* "" when not set. Lives in the turn's arena. */
const char *draft_get(struct turn *t, const char *kind, const char *field);
bool draft_exists(struct turn *t, const char *kind);
/* Unix s of the last change; 0: no draft. */
int64_t draft_changed(struct turn *t, const char *kind);
/* Every field of it, by name. */
void draft_each(struct turn *t, const char *kind,
    void (*each)(struct turn *t, const char *field, const char *value, void *ctx), void *ctx);
/* It is done, or thrown away. */
void draft_drop(struct turn *t, const char *kind);
/* Everybody's of this kind: what they were writing for is over. */
void draft_drop_all(struct turn *t, const char *kind);

#endif
