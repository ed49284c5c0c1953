/*
 * Who a post is for. An audience is chips: chips of one kind widen it (Arabic or English), kinds
 * narrow each other (Arabic, and of this organisation). It is looked at twice: to count while
 * somebody chooses, and once more when the post is frozen into one row a person.
 *
 * Tags are what a person chose or took part in, set by the feature that knows: "topic.climate",
 * "region.haifa", "event.12" (attends it), "group.3" (trains together).
 */
#ifndef CORE_AUDIENCE_H
#define CORE_AUDIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/turn.h"

/* Each list is ids separated by spaces; NULL or "" is everybody. */
struct audience {
	const char *orgs, *languages, *regions, *topics, *events, *groups;
	unsigned roles;	     /* enum access, or-ed; 0: whatever they are */
	const char *consent; /* the consent it needs; NULL or "": none (they asked for it) */
	int64_t within;	     /* only organisations this person coordinates; 0: all of them */
	const char *instead; /* networks on which rooms are posted into instead of each person */
};

/* Why somebody of the audience gets nothing. */
enum skip {
	SKIP_NONE,
	SKIP_CONSENT, /* never said yes to announcements */
	SKIP_BLOCKED, /* cannot be reached on any network */
	SKIP_PAUSED,
	SKIP_ROOM, /* a room is posted into instead */
	SKIP_COUNT,
};

struct audience_count {
	const char *language, *org;
	enum skip skip;
	int64_t n;
};
/* How many there are now, by language, organisation and reason, in this order; pauses as they will
 * be at `at` (unix s). */
void audience_each(struct turn *t, const struct audience *audience, int64_t at,
    void (*each)(struct turn *t, const struct audience_count *count, void *ctx), void *ctx);
/* Those who would get it, by the network it goes to. */
void audience_networks(struct turn *t, const struct audience *audience, int64_t at,
    void (*each)(struct turn *t, const char *network, int64_t n, void *ctx), void *ctx);
/* Only the sum of those who would get it. */
int64_t audience_size(struct turn *t, const struct audience *audience, int64_t at);

/* Whether this person is in it and would get it. */
bool audience_has(struct turn *t, const struct audience *audience, int64_t at, int64_t person);

/* As one line of text, and back; the same audience is the same bytes. */
const char *audience_pack(struct turn *t, const struct audience *audience);
struct audience audience_unpack(struct turn *t, const char *packed);

void audience_tag(struct turn *t, int64_t person, const char *tag, bool on);
bool audience_tagged(struct turn *t, int64_t person, const char *tag);
/* Nobody has it any more: the event is over, the group is dissolved. */
void audience_forget(struct turn *t, const char *tag);

#endif
