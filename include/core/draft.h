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

#include "core/feature.h"
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

/* ---- a flow that writes one: begun, field by field, "preview"; there one field may be changed ---- */

/* The step to go on at after days; not while one field alone is changed. */
void draft_at(struct turn *t, const char *kind, const char *step);
/* A step is done: the next, or back to the preview when only this one was to be changed. */
enum next draft_onward(struct turn *t);
/* Which field is to be changed? A choice for each, named by `prefix` and the field's step. */
void draft_ask_change(
    struct turn *t, const char *question, const char *prefix, const char *const *fields);
enum next draft_answer_change(struct turn *t, const char *const *fields);

#endif
