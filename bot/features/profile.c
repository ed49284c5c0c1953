/* /profile: what is kept about a person, the name others may see, and the three consents, all off
 * until tapped. */
#include "meeting.h"

#include "core/people.h"
#include "core/turn.h"

#include <string.h>

#include "base/partners.h"
#include "store/seal.h"

static const char *const kinds[] = {CONSENT_ANNOUNCEMENTS, CONSENT_MATCHING, CONSENT_SURVEYS, NULL};

enum { NAMES = 48 }; /* nick.0 … in the words */

/* Two words that say nothing about anybody, another pair than now. */
static void
name_newly(struct turn *t)
{
	const char *now = t->person->pseudonym, *name;
	unsigned char random;

	do {
		seal_random(&random, sizeof(random));
		name = words_flat(t, arena_print(t->arena, "nick.%d", random % NAMES), NULL);
	} while (!strcmp(name, now));
	people_set_pseudonym(t, t->person->id, name);
}

/* What the person may do beside being a member. */
static void
roles(struct turn *t, struct card *card)
{
	const char *names = "";

	for (unsigned role = COORDINATORS; role <= ADMINS; role <<= 1)
		if (t->person->access & role)
			names = arena_print(t->arena, "%s%s%s", names, *names ? ", " : "",
			    words_flat(t,
				arena_print(
				    t->arena, "role.%s", people_role_name((enum access)role)),
				NULL));
	if (*names)
		card_line(card, words(t, "profile.roles", "roles", names, NULL));
}

static struct card *
profile_card(struct turn *t)
{
	const struct partner *p = partners_find(t->partners, t->person->org);
	struct card *card = words(t, "profile.title", NULL);

	card_line(card,
	    words(t, "profile.language", "language", words_flat(t, "language.name", NULL), NULL));
	if (!(t->person->access & MEMBERS)) {
		card_line(card, words(t, "profile.visitor", NULL));
		choose(t, card, "start.join", "start.join", "");
		return card;
	}
	if (!t->person->pseudonym[0])
		name_newly(t);
	card_line(card, words(t, "profile.name", "name", t->person->pseudonym, NULL));
	card_line(card, words(t, "profile.org", "org",
			    p ? partner_words(&p->name, t->language, NULL) : t->person->org, NULL));
	roles(t, card);
	card_line(card, words(t, t->person->adult ? "profile.adult" : "profile.not_adult", NULL));
	for (const char *const *k = kinds; *k; k++) {
		bool on = consents(t, t->person->id, *k);
		const char *name = words_flat(t, arena_print(t->arena, "consent.%s", *k), NULL);

		card_line(card, words(t, on ? "profile.consent_on" : "profile.consent_off", "what",
				    name, NULL));
		choose_text(t, card,
		    words_flat(
			t, on ? "profile.switch_off" : "profile.switch_on", "what", name, NULL),
		    "profile.consent", arena_print(t->arena, "%s %s", on ? "off" : "on", *k));
	}
	if (!t->person->adult)
		choose(t, card, "profile.declare_adult", "profile.adult", "");
	choose(t, card, "profile.other_name", "profile.name", "");
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
		if (!on && !strcmp(what, CONSENT_MATCHING))
			match_stop(t, t->person->id);
		else
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

static void
rename_pressed(struct turn *t)
{
	name_newly(t);
	edit(t, profile_card(t));
}

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_JOINED && t->person && !t->person->pseudonym[0])
		name_newly(t);
}

static void
demo(struct turn *t, uint64_t number)
{
	if (t->subject)
		people_set_pseudonym(t, t->subject,
		    words_flat_in(t, language_of(t, t->subject),
			arena_print(t->arena, "nick.%d", (int)(number >> 24 & 0xffff) % NAMES),
			NULL));
}

static const struct command commands[] = {
    {.name = "profile", .run = profile},
    {0},
};
static const struct action actions[] = {
    {"profile.open", ANYONE, profile},
    {"profile.consent", MEMBERS, consent},
    {"profile.adult", MEMBERS, declare_adult},
    {"profile.name", MEMBERS, rename_pressed},
    {0},
};

const struct feature feature_profile = {.name = "profile",
    .commands = commands,
    .actions = actions,
    .happened = happened,
    .demo = demo};
