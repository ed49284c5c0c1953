/* How an announcement reads: its words with what was marked in them, whose it is, and the footer by
 * which anybody can check it. */
#include "announce.h"

#include <string.h>

#include "base/partners.h"
#include "base/words.h"

const char *
announce_org(struct turn *t, const char *language, const char *org)
{
	const struct partner *p = *org ? partners_find(t->partners, org) : NULL;

	if (p)
		return partner_words(&p->name, language, NULL);
	return *org ? org : words_flat_in(t, language, "announce.network", NULL);
}

/* The end of an address: at white space, without the punctuation of the sentence around it. */
static size_t
address_length(const char *at)
{
	size_t n = strcspn(at, " \t\n<>\"");

	while (n && strchr(".,;:!?)*_", at[n - 1]))
		n--;
	return n;
}

/* *bold*, _italic_ and https addresses; everything else is as it was typed. */
static void
add_marked(struct turn *t, struct card *card, const char *text)
{
	while (*text) {
		const char *close = NULL;
		size_t n;

		if ((*text == '*' || *text == '_') && text[1] && !strchr(" \n*_", text[1]))
			close = strpbrk(text + 1, *text == '*' ? "*\n" : "_\n");
		if (close && *close == *text) {
			card_text(card, arena_copy(t->arena, text + 1, (size_t)(close - text - 1)),
			    *text == '*' ? SPAN_BOLD : SPAN_ITALIC);
			text = close + 1;
			continue;
		}
		if (!strncmp(text, "https://", 8) && (n = address_length(text)) > 8) {
			const char *address = arena_copy(t->arena, text, n);

			card_link(card, address, address);
			text += n;
			continue;
		}
		n = 1 + strcspn(text + 1, "*_h");
		card_text(card, arena_copy(t->arena, text, n), 0);
		text += n;
	}
}

struct card *
announce_card(struct turn *t, const char *language, const char *text, const char *written_in,
    const char *org, int64_t number)
{
	struct card *card = card_new(t->arena);
	char *shown = arena_print(t->arena, "%lld", (long long)number);

	if (!strcmp(language, "ar") || !strcmp(language, "he"))
		card->flags |= CARD_RTL;
	add_marked(t, card, text);
	if (strcmp(written_in, language))
		card_paragraph(
		    card, words_in(t, language, "engine.fallback_language", "language",
			      words_flat_in(t, written_in, "language.name", NULL), NULL));
	card_paragraph(
	    card, words_in(t, language, "announce.footer", "org", announce_org(t, language, org),
		      "number", number ? shown : "…", NULL));
	choose_text(
	    t, card, words_flat_in(t, language, "feedback.button", NULL), "feedback.write", shown);
	return card;
}

const struct feature feature_announce_text = {.name = "announce_text"};
