#include "core/demo.h"

#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/partners.h"

static struct sql anybody = {"SELECT 1 FROM person LIMIT 1"};
static struct sql anything = {"SELECT 1 FROM delivery LIMIT 1"};
static struct sql meta_get = {"SELECT content FROM meta WHERE name = 'demo'"};
static struct sql meta_set = {"INSERT INTO meta(name, content) VALUES('demo', ?)"};
struct sql *const demo_statements[] = {&anybody, &anything, &meta_get, &meta_set, NULL};

enum { ROLES = 5 };

/* Numbers that look random and are the same each time. */
static uint64_t
mixed(uint64_t n)
{
	n += 0x9e3779b97f4a7c15;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
	n = (n ^ n >> 27) * 0x94d049bb133111eb;
	return n ^ n >> 31;
}

void
demo_start(struct engine *e)
{
	const char *people = db_string(e->db, &meta_get, NONE);

	e->demo = people ? strtoll(people, NULL, 10) : 0;
}

void
demo_status(struct turn *t)
{
	if (t->engine->demo)
		status_line(t, "demo",
		    arena_print(t->arena, "%lld invented people; nothing here is real",
			(long long)t->engine->demo),
		    true);
}

static void
tell_features(struct turn *t, int64_t person, uint64_t number)
{
	for (const struct feature *const *f = t->engine->o.features; *f; f++)
		if ((*f)->demo) {
			t->feature = *f;
			t->subject = person;
			(*f)->demo(t, number);
		}
	t->feature = NULL;
}

bool
demo_begin(struct turn *t, int64_t people)
{
	if (db_exists(t->db, &anybody, NONE) || db_exists(t->db, &anything, NONE))
		return false;
	db_run(t->db, &meta_set, V((const char *)arena_print(t->arena, "%lld", (long long)people)));
	t->engine->demo = people;
	tell_features(t, PERSON_NOBODY, mixed(0));
	return true;
}

/* Six of ten speak Arabic or Hebrew with the bot first, in equal parts; some organisations are
 * large. */
static void
one_person(struct turn *t, int64_t i)
{
	static const enum access first[ROLES] = {ADMINS, ADMINS, SAFETY, JUDGES, COORDINATORS};
	static const char *const languages[] = {"ar", "he", "en", "ar", "he"};
	uint64_t n = mixed((uint64_t)i);
	size_t orgs = partners_count(t->partners);
	const struct partner *org =
	    partners_at(t->partners, (n >> 8) % 3 ? (n >> 16) % orgs : (n >> 16) % (orgs / 4 + 1));
	const char *language = languages[n % 5];
	int64_t person = people_invent(t, arena_print(t->arena, "demo%lld", (long long)i),
	    t->now - (int64_t)(n >> 32) % 5184000);

	people_set_language(
	    t, person, words_speaks(t->words, language) ? language : words_language(t->words, 0));
	people_join(t, person, org->id);
	if (i <= ROLES)
		people_grant(t, person, first[i - 1], first[i - 1] == COORDINATORS ? org->id : "");
	people_set_adult(t, person, true);
	/* Seven of ten consent to announcements, six to meetings, a third to surveys. */
	consent_set(t, person, CONSENT_ANNOUNCEMENTS, n % 10 < 7);
	consent_set(t, person, CONSENT_MATCHING, (n >> 4) % 10 < 6);
	consent_set(t, person, CONSENT_SURVEYS, (n >> 8) % 10 < 3);
	tell_features(t, person, n);
}

void
demo_people(struct turn *t, int64_t from, int64_t people)
{
	for (int64_t i = from; i < from + DEMO_SLICE && i <= people; i++)
		one_person(t, i);
}
