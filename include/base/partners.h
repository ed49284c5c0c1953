/* The directory of partners and member organisations: partners.json, read whole (INTERFACE.md "Content files"). */
#ifndef BASE_PARTNERS_H
#define BASE_PARTNERS_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct partners;

/* Text in several languages; NULL where there is none. */
struct partner_text {
	const char *en, *ar, *he;
};

struct partner {
	const char *id;	  /* a-z, 0-9, - */
	const char *kind; /* network, partner, member */
	struct partner_text name, text;
	const char *site;      /* https, or NULL */
	const char *languages; /* codes separated by spaces, or "" */
	struct partner_programme {
		struct partner_text name, text;
	} * programmes;
	size_t programme_count;
	bool alumni_programme;
};

/* NULL and *why (free() it: file, line, expected) when it is broken. */
struct partners *partners_load(const char *path, char **why);
void partners_free(struct partners *partners);
size_t partners_count(const struct partners *partners);
const struct partner *partners_at(const struct partners *partners, size_t i);
const struct partner *partners_find(const struct partners *partners, const char *id);
/* The text in this language, else in English, Arabic or Hebrew, whichever there is. *fell: the language when another. */
const char *partner_words(const struct partner_text *text, const char *language, const char **fell);
/* Whether a folded search fits its names, texts or programmes. */
bool partner_fits(struct arena *arena, const struct partner *partner, const char *folded);

#endif
