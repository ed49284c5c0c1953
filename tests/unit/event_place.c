/* The exact place: told at its hour to who comes, and by no command, button, link or file before. */
#include "unit.h"

#include <glob.h>

#include "event_world.h"

/* Nor in a file that was made for somebody. */
static void
no_canary_in_files(struct world *w)
{
	char pattern[100];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/files/*", w->folder);
	if (glob(pattern, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		size_t n;
		char *bytes = unit_read(found.gl_pathv[i], &n);

		assert_null(memmem(bytes, n, "anary", 5));
		free(bytes);
	}
	globfree(&found);
}

/* Whatever would change their own answer, erase them, or bring them in another way. */
static bool
is_left_out(const char *name)
{
	return !strncmp(name, "rsvp.", 5) || !strcmp(name, "privacy.forget") ||
	       !strncmp(name, "safety", 6) || !strncmp(name, "role", 4) || !strcmp(name, "probe") ||
	       !strncmp(name, "pause", 5) || !strcmp(name, "stop") || !strcmp(name, "forgetme") ||
	       !strcmp(name, "cancel");
}

/* Every command and every button there is, with the event's number behind it. */
static int
tries_everything(struct world *w, int64_t person, int64_t event)
{
	char text[60];
	int n = 0;

	for (const struct feature *const *f = features; *f; f++) {
		for (const struct command *c = (*f)->commands; c && c->name; c++) {
			if (is_left_out(c->name))
				continue;
			snprintf(text, sizeof(text), "/%s", c->name);
			world_says(w, who(person), text);
			snprintf(text, sizeof(text), "/%s %lld", c->name, (long long)event);
			world_says(w, who(person), text);
			world_says(w, who(person), "/cancel");
			no_canary(w, c->name);
			n += 2;
		}
		for (const struct action *a = (*f)->actions; a && a->name; a++) {
			if (is_left_out(a->name))
				continue;
			tries_action(w, person, a->name, event);
			world_says(w, who(person), "/cancel");
			n++;
		}
		world_forget_sent(w);
	}
	opens(w, person, event);
	world_says(w, who(person), "/start c_000000");
	no_canary(w, "link");
	no_canary_in_files(w);
	world_forget_sent(w);
	return n + 2;
}

enum { NONE_OF_IT = 1, PERHAPS, WAITS, COMES, RIVAL, VISITOR, PERSONS = VISITOR };

static void
roles_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_join(t, COMES, "arava");
	people_grant(t, RIVAL, COORDINATORS, "tech2peace");
	people_expel(t, VISITOR);
}

/* Some of what was tried pauses everything. */
static void
resume_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t person = 1; person <= PERSONS; person++)
		people_pause(t, person, 0);
}

static void
event_place_by_no_path(void **state)
{
	struct world *w = peopled("", PERSONS);
	int64_t event;
	int n = 0;

	(void)state;
	assert_true(engine_turn(w->engine, roles_turn, NULL));
	event = make(w, (struct made){.zone = "Asia/Jerusalem",
			    .wall = "2026-10-23T19:00:00",
			    .capacity = 1,
			    .secret = true});
	answers(w, COMES, event, COMING);
	answers(w, WAITS, event, COMING);
	answers(w, PERHAPS, event, MAYBE);
	/* Days before: not even the one who comes. */
	for (int64_t p = 1; p <= PERSONS; p++)
		n += tries_everything(w, p, event);
	assert_int_equal(ask(w, &answer_sql, event, COMES), RSVP_YES);
	assert_int_equal(ask(w, &answer_sql, event, WAITS), RSVP_WAITING);
	assert_true(engine_turn(w->engine, resume_turn, NULL));
	/* One minute before its hour, 13:00 in Jerusalem. */
	world_pass(w, (int64_t)MONDAY_NOON_S + 4 * DAY - 2 * HOUR - 60 - w->now_ms / 1000);
	world_forget_sent(w);
	tries_action(w, COMES, "place.show", event);
	world_forget_sent(w);
	world_pass(w, 120);
	told_only_to(w, COMES);
	world_forget_sent(w);
	for (int64_t p = 1; p <= PERSONS; p++)
		if (p != COMES)
			n += tries_everything(w, p, event);
	/* Whoever says no loses it, and the next one may have it only by a yes of their own. */
	answers(w, COMES, event, NOT_COMING);
	assert_int_equal(world_count(w, who(COMES), OP_DELETE), 1);
	assert_int_equal(ask(w, &answer_sql, event, WAITS), RSVP_OFFERED);
	no_canary(w, "offer");
	tries_action(w, WAITS, "place.show", event);
	tries_action(w, COMES, "place.show", event);
	world_forget_sent(w);
	answers(w, WAITS, event, COMING);
	told_only_to(w, WAITS);
	world_forget_sent(w);
	/* Over: taken back, and gone from the state itself. */
	world_pass(w, 10 * HOUR);
	assert_int_equal(world_count(w, who(WAITS), OP_DELETE), 1);
	for (int64_t p = 1; p <= PERSONS; p++)
		n += tries_everything(w, p, event);
	assert_int_equal(
	    world_number(
		w, "SELECT count(*) FROM hosted WHERE exact IS NOT NULL OR link IS NOT NULL"),
	    0);
	printf("# %d commands, buttons and links tried\n", n);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(event_place_by_no_path),
};
UNIT_RUN(tests)
