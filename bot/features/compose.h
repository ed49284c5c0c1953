/* What the files of writing an announcement share: compose.c asks, chips.c says for whom and how
 * long it takes, enclose.c keeps the file that goes with it. */
#ifndef FEATURES_COMPOSE_H
#define FEATURES_COMPOSE_H

#include "announce.h"

/* Which draft the flow is about: "announce" or "train". */
const char *compose_kind(struct turn *t);
const char *compose_get(struct turn *t, const char *field);
void compose_set(struct turn *t, const char *field, const char *value);
/* Beyond one's own organisation. */
bool compose_wide(struct turn *t);

/* Lists of ids, separated by spaces. */
bool chips_in(const char *list, const char *id);
const char *chips_toggled(struct turn *t, const char *list, const char *id);
/* The screens of the audience: ?list of the flow is the one that is open. */
void chips_ask(struct turn *t);
enum next chips_answer(struct turn *t);
struct audience chips_audience(struct turn *t);
/* The rooms chosen that this announcement may be posted into. */
const char *chips_rooms(struct turn *t);
bool chips_has_rooms(struct turn *t);
/* A list of names and one more, with the comma of the reader. */
const char *chips_listed(struct turn *t, const char *list, const char *name);
/* What a list of chips is called by the reader; "" for none. */
const char *chips_named(struct turn *t, const char *list, const char *prefix);

/* Who gets it by language and organisation, who does not and why. */
void chips_counts(struct turn *t, struct card *card);
/* How long it takes from then on (unix s), night and limits considered; true: hours. */
bool chips_time(struct turn *t, struct card *card, const struct audience *audience,
    enum class class, int64_t from);

struct enclosed {
	const char *name, *type;
	struct blob bytes;
};
/* The file of this draft; false: none. */
bool enclose_get(struct turn *t, const char *kind, struct enclosed *file);
/* Its name; "" for none. */
const char *enclose_name(struct turn *t, const char *kind);
/* Takes t->media, which is fetched and looked at in its own turn; says so. */
void enclose_take(struct turn *t);
void enclose_ask(struct turn *t);
enum next enclose_answer(struct turn *t);
void enclose_drop(struct turn *t, const char *kind);
/* On a card of the draft that is shown to its author. */
void enclose_show(struct turn *t, struct card *card);

#endif
