/* Writing a story: over days, by text, voice or picture, until it is handed in under a pseudonym.
 */
#include "stories.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/strip.h"
#include "base/text.h"
#include "core/audit.h"
#include "core/people.h"
#include "store/seal.h"

static struct sql by_person = {"SELECT id FROM story WHERE season = ? AND person = ?"};
static struct sql taken = {"SELECT 1 FROM story WHERE number = ?"};
static struct sql add = {"INSERT INTO story(season, person, number, org, language, changed)"
			 " VALUES(?, ?, ?, ?, ?, ?)"};
static struct sql set_body = {"UPDATE story SET body = ?, changed = ? WHERE id = ?"};
static struct sql set_front = {
    "UPDATE story SET title = ?, pseudonym = ?, name = ?, changed = ? WHERE id = ?"};
static struct sql media_add = {
    "INSERT INTO story_media(story, ending, type, content) VALUES(?, ?, ?, ?)"};
static struct sql media_count = {"SELECT count(*) FROM story_media WHERE story = ?"};
static struct sql use_set = {
    "INSERT OR REPLACE INTO story_use(story, what, expires) VALUES(?, ?, ?)"};
static struct sql *const statements[] = {
    &by_person, &taken, &add, &set_body, &set_front, &media_add, &media_count, &use_set, NULL};

enum {
	NUMBERS = 9000,
	FIRST_NUMBER = 1000,
	TEXT_SCALARS = 12000,
	TITLE_SCALARS = 80,
	NAME_SCALARS = 40,
	MEDIA_MOST = 3,
};

/* ---- writing, over days ---- */

static int64_t
free_number(struct turn *t)
{
	uint32_t random;
	int64_t number;

	for (int i = 0; i < 1000; i++) {
		seal_random(&random, sizeof(random));
		number = FIRST_NUMBER + random % NUMBERS;
		if (!db_exists(t->db, &taken, V(number)))
			return number;
	}
	turn_fail(t, "no free number for a story");
	return 0;
}

/* Theirs of this season, made when it is not there; false: nothing can be written now. */
static bool
draft(struct turn *t, struct story *s)
{
	struct season season;
	int64_t id;

	if (!t->person->adult || !season_now(t, &season) || season.stage != SEASON_OPEN ||
	    t->now >= season.closes)
		return false;
	id = db_number(t->db, &by_person, V(season.id, t->person->id), 0);
	if (!id)
		id = db_insert(t->db, &add,
		    V(season.id, t->person->id, free_number(t), t->person->org, t->language,
			t->now));
	return story_get(t, id, s) && s->state == STORY_DRAFT;
}

static void
ask_more(struct turn *t)
{
	struct story s;
	struct card *card;

	if (!draft(t, &s)) {
		say(t, words(t, "story.closed", NULL));
		flow_end(t);
		return;
	}
	card = s.own[0] ? words_n(t, "story.so_far", (int64_t)text_scalars(s.own), NULL)
			: words(t, "story.begin", NULL);
	choose_answer(t, card, "story.read_back", "read");
	choose_answer(t, card, "story.later", "later");
	card_same_row(card);
	if (s.own[0])
		choose_answer(t, card, "story.hand_in", "submit");
	say(t, card);
}

static const struct flow write_flow, submit_flow;

static enum next
writing_chosen(struct turn *t, const struct story *s)
{
	if (!strcmp(t->value, "submit")) {
		flow_end(t);
		flow_begin(t, &submit_flow);
		return JUMPED;
	}
	if (!strcmp(t->value, "later")) {
		say(t, words(t, "story.kept", NULL));
		return DONE;
	}
	t->value = arena_print(t->arena, "%lld", (long long)s->id);
	story_show_media(t, s);
	if (s->own[0]) {
		struct card *card = card_new(t->arena);

		card_lines(card, s->own);
		story_show(t, s, card);
	}
	return AGAIN;
}

/* Fetched through the network; what comes is looked at in its own turn. */
static bool
take_media(struct turn *t, const struct story *s)
{
	int64_t most = 1024 * conf_number(t->conf, "stories", NULL, "media_kb");

	if (!t->media)
		return true;
	if (t->media->kind == MEDIA_OTHER || !t->media->handle || t->media->bytes > most ||
	    db_number(t->db, &media_count, V(s->id), 0) >= MEDIA_MOST) {
		say(t, words(t, "story.media_bad", NULL));
		return false;
	}
	media_fetch(t, t->media->handle, arena_print(t->arena, "story %lld", (long long)s->id));
	say(t, words(t, "story.media_comes", NULL));
	return true;
}

static enum next
answer_more(struct turn *t)
{
	struct story s;
	const char *whole;

	if (!draft(t, &s)) {
		say(t, words(t, "story.closed", NULL));
		return DONE;
	}
	if (t->chosen)
		return writing_chosen(t, &s);
	if (!take_media(t, &s) || !t->text[0])
		return AGAIN;
	whole = s.own[0] ? arena_print(t->arena, "%s\n\n%s", s.own, t->text) : t->text;
	if (text_scalars(whole) > TEXT_SCALARS) {
		say(t, words_n(t, "story.too_long", TEXT_SCALARS, NULL));
		return AGAIN;
	}
	db_run(
	    t->db, &set_body, V(seal_person(t, t->person->id, "story.body", whole), t->now, s.id));
	return AGAIN;
}

static const struct step write_steps[] = {
    {.name = "more", .ask = ask_more, .answer = answer_more, .takes_numbers = true},
    {0},
};
static const struct flow write_flow = {
    .name = "story.write", .access = MEMBERS, .steps = write_steps};

static void
begin_write(struct turn *t)
{
	struct season season;
	struct story s;
	struct card *card;

	if (!season_now(t, &season) || season.stage != SEASON_OPEN || t->now >= season.closes) {
		say(t, words(t, "story.closed", NULL));
		return;
	}
	if (!t->person->adult) {
		card = words(t, "story.adults", NULL);
		choose(t, card, "profile.declare_adult", "story.adult", "");
		say(t, card);
		return;
	}
	if (!draft(t, &s)) {
		story_mine(t);
		return;
	}
	flow_begin(t, &write_flow);
}

static void
adult(struct turn *t)
{
	people_set_adult(t, t->person->id, true);
	begin_write(t);
}

/* ---- media come ---- */

static void
media_came(struct turn *t)
{
	int64_t id, most = 1024 * conf_number(t->conf, "stories", NULL, "media_kb");
	struct story s;
	struct stripped clean = {0};
	const char *language = language_of(t, t->subject);

	if (!t->key || strncmp(t->key, "story ", 6))
		return;
	id = strtoll(t->key + 6, NULL, 10);
	/* Withdrawn, thrown away or handed in meanwhile: it is forgotten. */
	if (!story_get(t, id, &s) || s.person != t->subject || s.state != STORY_DRAFT)
		return;
	if (!t->media->failed && t->media->bytes <= most &&
	    db_number(t->db, &media_count, V(id), 0) < MEDIA_MOST)
		clean = strip_media(t->arena, t->media->content, (size_t)t->media->bytes);
	if (clean.kind != STRIP_NONE)
		db_run(t->db, &media_add,
		    V(id, clean.ending, clean.type,
			seal_person_bytes(t, s.person, "story_media.content",
			    (struct blob){clean.bytes, clean.length})));
	tell(t, t->subject, CLASS_REPLY, 0,
	    words_in(t, language, clean.kind == STRIP_NONE ? "story.media_bad" : "story.media_kept",
		NULL));
}

/* ---- handing in ---- */

static void
ask_title(struct turn *t)
{
	say(t, words(t, "story.ask_title", NULL));
}

static enum next
take_line(struct turn *t, const char *name, size_t most)
{
	if (!t->text[0] || strchr(t->text, '\n') || text_scalars(t->text) > most)
		return flow_again(t, "story.one_line");
	flow_set(t, name, t->text);
	return NEXT;
}

static enum next
answer_title(struct turn *t)
{
	return take_line(t, "title", TITLE_SCALARS);
}

static void
ask_pseudonym(struct turn *t)
{
	say(t, words(t, "story.ask_pseudonym", NULL));
}

/* Not the name they have in the bot: that would lead from one to the other. */
static enum next
answer_pseudonym(struct turn *t)
{
	if (!strcmp(text_fold(t->arena, t->text), text_fold(t->arena, t->person->pseudonym)) ||
	    text_reveals(t->text))
		return flow_again(t, "story.other_pseudonym");
	return take_line(t, "pseudonym", NAME_SCALARS);
}

static void
ask_uses(struct turn *t)
{
	int64_t bits = strtoll(flow_get(t, "uses"), NULL, 10);
	struct card *card =
	    words_n(t, "story.ask_uses", conf_number(t->conf, "stories", NULL, "use_days"), NULL);

	for (int i = 0; i < USE_NAME; i++)
		choose_answer_text(t, card,
		    arena_print(t->arena, "%s%s", bits >> i & 1 ? "✓ " : "",
			words_flat(t, arena_print(t->arena, "story.use.%d", i), NULL)),
		    arena_print(t->arena, "%d", i));
	choose_answer(t, card, "offers.next", "next");
	say(t, card);
}

static enum next
answer_uses(struct turn *t)
{
	int64_t bits = strtoll(flow_get(t, "uses"), NULL, 10), i;

	if (t->chosen && !strcmp(t->value, "next"))
		return NEXT;
	if (!t->chosen || !text_number(t->value, &i) || i < 0 || i >= USE_NAME)
		say(t, words(t, "relay.tap", NULL));
	else
		flow_set(t, "uses", arena_print(t->arena, "%lld", (long long)(bits ^ (1 << i))));
	return AGAIN;
}

static void
ask_name(struct turn *t)
{
	struct card *card = words(t, "story.ask_name", NULL);

	choose_answer(t, card, "story.no_name", "");
	say(t, card);
}

static enum next
answer_name(struct turn *t)
{
	if (!t->chosen)
		return take_line(t, "name", NAME_SCALARS);
	flow_set(t, "name", NULL);
	return NEXT;
}

static void
ask_consent(struct turn *t)
{
	struct season season;
	struct card *card;

	if (!season_now(t, &season))
		return;
	card = words(t, "story.ask_consent", NULL);
	card_paragraph(card, card_new(t->arena));
	card_lines(card, season_text(t, season.id, SEASON_CONSENT));
	choose_answer(t, card, "story.submit_now", "yes");
	say(t, card);
}

static void
tell_checker(struct turn *t, int64_t person, void *ctx)
{
	const char *language = language_of(t, person);
	struct card *card;

	(void)ctx;
	if (person == t->person->id)
		return;
	card = words_in(t, language, "story.to_check", NULL);
	choose_text(t, card, words_flat_in(t, language, "story.checks", NULL), "redact.list", "");
	tell(t, person, CLASS_REMINDER, t->now + 7 * STORY_DAY, card);
}

static void
handed_in(struct turn *t, const struct story *s)
{
	int64_t bits = strtoll(flow_get(t, "uses"), NULL, 10), person = t->person->id;
	int64_t expires = t->now + STORY_DAY * conf_number(t->conf, "stories", NULL, "use_days");
	const char *name = flow_get(t, "name");

	db_run(t->db, &set_front,
	    V(seal_person(t, person, "story.title", flow_get(t, "title")),
		seal_person(t, person, "story.pseudonym", flow_get(t, "pseudonym")),
		seal_person(t, person, "story.name", name), t->now, s->id));
	if (name[0])
		bits |= 1 << USE_NAME;
	for (int i = 0; i < USE_COUNT; i++)
		if (bits >> i & 1)
			db_run(t->db, &use_set, V(s->id, i, expires));
	story_set_state(t, s, STORY_CHECK);
	audit_unnamed(t, "story.submit", s->number);
	people_each(t, COORDINATORS, s->org, 20, tell_checker, NULL);
}

static enum next
answer_consent(struct turn *t)
{
	struct story s;
	struct card *card;

	if (!t->chosen)
		return flow_again(t, "relay.tap");
	if (!draft(t, &s) || !s.own[0]) {
		say(t, words(t, "story.closed", NULL));
		return DONE;
	}
	handed_in(t, &s);
	card = words(t, "story.submitted", "number",
	    arena_print(t->arena, "%lld", (long long)s.number), NULL);
	story_choose_mine(t, card, t->language);
	say(t, card);
	return DONE;
}

static const struct step submit_steps[] = {
    {.name = "title", .ask = ask_title, .answer = answer_title, .takes_numbers = true},
    {.name = "pseudonym", .ask = ask_pseudonym, .answer = answer_pseudonym, .takes_numbers = true},
    {.name = "uses", .ask = ask_uses, .answer = answer_uses},
    {.name = "name", .ask = ask_name, .answer = answer_name},
    {.name = "consent", .ask = ask_consent, .answer = answer_consent},
    {0},
};
static const struct flow submit_flow = {
    .name = "story.submit", .access = MEMBERS, .steps = submit_steps};

static void
begin_submit(struct turn *t)
{
	struct story s;

	if (!draft(t, &s) || !s.own[0])
		story_mine(t);
	else
		flow_begin(t, &submit_flow);
}

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_MEDIA)
		media_came(t);
}

static const struct action actions[] = {
    {"story.write", MEMBERS, begin_write},
    {"story.adult", MEMBERS, adult},
    {"story.submit", MEMBERS, begin_submit},
    {0},
};
static const struct flow *const flows[] = {&write_flow, &submit_flow, NULL};

const struct feature feature_story_write = {
    .name = "story_write",
    .statements = statements,
    .actions = actions,
    .flows = flows,
    .happened = happened,
};
