/* What the files of announcements share: compose.c writes them, announce.c has them approved, sent
 * and taken back, queue.c, check.c, feedback.c and digest.c read. */
#ifndef FEATURES_ANNOUNCE_H
#define FEATURES_ANNOUNCE_H

#include "core/audience.h"
#include "core/post.h"
#include "core/turn.h"

extern const struct feature feature_announce, feature_digest;

enum announce_state {
	ANNOUNCE_WAITING, /* for a second person's yes */
	ANNOUNCE_PLANNED, /* approved; for its hour, or for the weekly digest */
	ANNOUNCE_GOING,	  /* its post was started */
	ANNOUNCE_REFUSED, /* or withdrawn, or expired unapproved */
	ANNOUNCE_DIGESTED,
};

struct announce {
	int64_t id;	/* the number in its footer */
	int64_t author; /* 0: erased meanwhile */
	int64_t approval, post, due, made;
	int64_t original; /* a replacement: of this number; else 0 */
	int64_t panel;	  /* the author's card that is edited as it goes; 0: none */
	const char *org;  /* "": the network itself */
	const char *wall; /* wall time it was promised for; "": none */
	const char *zone;
	const char *audience; /* audience_pack */
	const char *rooms;    /* names of rooms it is posted into */
	enum class class;
	enum announce_state state;
	bool wide, digest;
	bool later;		     /* of an hour that comes twice, the second */
	const struct enclosed *file; /* handing in only: what goes with it, or NULL */
};
struct enclosed;

bool announce_get(struct turn *t, int64_t id, struct announce *a);
/* Whether t->person may steer it: its author, a coordinator of its organisation, an admin. */
bool announce_may(struct turn *t, const struct announce *a);
/* Written and previewed: waits for a second person. `text` is in the order of the configured
 * languages, "" where there is none; `fallback` says which stands in. Its number. */
int64_t announce_hand_in(
    struct turn *t, const struct announce *like, const char *const *text, const char *fallback);
/* A text as a reader of that language gets it. */
struct card *announce_card(struct turn *t, const char *language, const char *text,
    const char *written_in, const char *org, int64_t number);
/* The name of an organisation as the reader knows it; "" is the network. */
const char *announce_org(struct turn *t, const char *language, const char *org);
/* Whether it stands still until the morning. */
bool announce_at_night(struct turn *t, const struct announce *a);
/* How it stands, with what can be done about it. */
struct card *announce_panel(struct turn *t, const char *language, const struct announce *a);
/* Whether a picture or file went with it. */
bool announce_has_file(struct turn *t, const struct announce *a);
/* A network as the reader calls it. */
const char *announce_network(struct turn *t, const char *language, const char *network);
/* Counts, at least 10 or none: fewer could tell who. */
const char *announce_count(struct turn *t, const char *language, int64_t n);
/* How an announcement that went out with a digest did: the sums of all messages it stands in. */
void digest_report(struct turn *t, int64_t announcement, struct post_report *sum);
void digest_each(struct turn *t, int64_t announcement,
    void (*each)(struct turn *t, const struct post_count *count, void *ctx), void *ctx);
/* Takes it out of every message it stands in, as announcement `back`; false: nobody has it. */
bool digest_recall(struct turn *t, int64_t announcement, int64_t back);
/* Its hour has come, or will. */
void announce_start(struct turn *t, int64_t id, int64_t due);
/* Asks for the code of the role again where that is due; then `action` is run with `value`. True:
 * asked, so nothing more is to be done now. */
bool announce_must_confirm(struct turn *t, const char *what, const char *value);

/* What it says may be said no longer: never sent, or every copy deleted as far as networks allow.
 * Whoever asks; for a feature whose words it holds. */
void announce_take_back(struct turn *t, int64_t id);
/* digest.c: the last hour of the weekly digest that has come, unix s. */
int64_t digest_hour(struct turn *t);

#endif
