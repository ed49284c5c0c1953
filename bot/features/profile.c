/* /profile: what is kept about a person, and the three consents, all off until tapped. */
#include "core/people.h"
#include "core/turn.h"

#include <string.h>

#include "base/partners.h"

static const char *const kinds[] = {CONSENT_ANNOUNCEMENTS, CONSENT_MATCHING, CONSENT_SURVEYS, NULL};

static struct card *
profile_card(struct turn *t)
{
	const struct partner *p = partners_find(t->partners, t->person->org);
	struct card *card = words(t, "profile.title", NULL);

	card_line(card, words(t, "profile.language", "language", words_flat(t, "language.name", NULL), NULL));
	if (!(t->person->access & MEMBERS)) {
		card_line(card, words(t, "profile.visitor", NULL));
		choose(t, card, "start.join", "start.join", "");
		return card;
	}
	card_line(card, words(t, "profile.org", "org",
			    p ? partner_words(&p->name, t->language, NULL) : t->person->org, NULL));
	card_line(card, words(t, t->person->adult ? "profile.adult" : "profile.not_adult", NULL));
	for (const char *const *k = kinds; *k; k++) {
		bool on = consents(t, t->person->id, *k);
		const char *name = words_flat(t, arena_print(t->arena, "consent.%s", *k), NULL);

		card_line(card, words(t, on ? "profile.consent_on" : "profile.consent_off", "what", name, NULL));
		choose_text(t, card,
		    words_flat(t, on ? "profile.switch_off" : "profile.switch_on", "what", name, NULL),
		    "profile.consent", arena_print(t->arena, "%s %s", on ? "off" : "on", *k));
	}
	if (!t->person->adult)
		choose(t, card, "profile.declare_adult", "profile.adult", "");
	return card;
}

static void
profile(struct turn *t)
{
	say(t, profile_card(t));
}

static void
consent(struct turn *t)
{
	bool on = !strncmp(t->value, "on ", 3);
	const char *what = t->value + (on ? 3 : 4);

	for (const char *const *k = kinds; *k; k++) {
		if (strcmp(*k, what))
			continue;
		if (on && !strcmp(what, CONSENT_MATCHING) && !t->person->adult) {
			struct card *card = words(t, "profile.adults_only", NULL);

			choose(t, card, "profile.declare_adult", "profile.adult", "");
			say(t, card);
			return;
		}
		consent_set(t, t->person->id, what, on);
	}
	edit(t, profile_card(t));
}

static void
declare_adult(struct turn *t)
{
	people_set_adult(t, t->person->id, true);
	edit(t, profile_card(t));
}

static const struct command commands[] = {
    {.name = "profile", .run = profile},
    {0},
};
static const struct action actions[] = {
    {"profile.open", ANYONE, profile},
    {"profile.consent", MEMBERS, consent},
    {"profile.adult", MEMBERS, declare_adult},
    {0},
};

const struct feature feature_profile = {.name = "profile", .commands = commands, .actions = actions};
