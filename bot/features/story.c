/* A story and its author: kept sealed, read back, uses given and taken one by one, withdrawn for
 * good. */
#include "announce.h"
#include "stories.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/zone.h"
#include "core/audit.h"
#include "core/people.h"

static const char *const steps[] = {
    "CREATE TABLE story(id INTEGER PRIMARY KEY AUTOINCREMENT, season INTEGER NOT NULL,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " number INTEGER NOT NULL UNIQUE, state INTEGER NOT NULL DEFAULT 0, org TEXT NOT NULL,"
    " language TEXT NOT NULL, title BLOB, pseudonym BLOB, name BLOB, body BLOB, redacted BLOB,"
    " translation BLOB, translated TEXT NOT NULL DEFAULT '', rank INTEGER NOT NULL DEFAULT 0,"
    " finalist INTEGER NOT NULL DEFAULT 0, told_out INTEGER NOT NULL DEFAULT 0,"
    " changed INTEGER NOT NULL, UNIQUE(season, person)) STRICT;"
    "CREATE TABLE story_use(story INTEGER NOT NULL REFERENCES story(id) ON DELETE CASCADE,"
    " what INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY(story, what))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE story_media(id INTEGER PRIMARY KEY, story INTEGER NOT NULL REFERENCES story(id)"
    " ON DELETE CASCADE, ending TEXT NOT NULL, type TEXT NOT NULL, content BLOB NOT NULL) STRICT;"
    "CREATE INDEX story_media_of ON story_media(story);"
    "CREATE TABLE story_copy(delivery INTEGER PRIMARY KEY, story INTEGER NOT NULL REFERENCES"
    " story(id) ON DELETE CASCADE, at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX story_copy_of ON story_copy(story);",
    "CREATE TABLE story_told(story INTEGER NOT NULL REFERENCES story(id) ON DELETE CASCADE,"
    " announcement INTEGER NOT NULL, PRIMARY KEY(story, announcement)) STRICT, WITHOUT ROWID;",
    NULL,
};
#define KEPT "until withdrawn"
static const struct column columns[] = {
    {"story.id", "number of a row", KEPT, WITH_PERSON},
    {"story.season", "of which season", KEPT, WITH_PERSON},
    {"story.person", "who wrote it; shown to nobody", KEPT, WITH_PERSON},
    {"story.number", "a random number that others know it by", KEPT, WITH_PERSON},
    {"story.state", "draft, waiting for a check, or live", KEPT, WITH_PERSON},
    {"story.org", "whose judges may not see it", KEPT, WITH_PERSON},
    {"story.language", "which language it is in", KEPT, WITH_PERSON},
    {"story.title", "its title, sealed", KEPT, KEY_GONE},
    {"story.pseudonym", "the name chosen for it, sealed", KEPT, KEY_GONE},
    {"story.name", "a name to be shown, where wished, sealed", KEPT, KEY_GONE},
    {"story.body", "what was written, sealed", KEPT, KEY_GONE},
    {"story.redacted", "as others may read it, sealed", KEPT, KEY_GONE},
    {"story.translation", "in a second language, sealed", KEPT, KEY_GONE},
    {"story.translated", "which one", KEPT, WITH_PERSON},
    {"story.rank", "first, second or third", KEPT, WITH_PERSON},
    {"story.finalist", "whether it is in the final", KEPT, WITH_PERSON},
    {"story.told_out", "whether it stands outside of the bot", KEPT, WITH_PERSON},
    {"story.changed", "when last, to end forgotten drafts", KEPT, WITH_PERSON},
    {"story_use.story", "of which story", KEPT, WITH_PERSON},
    {"story_use.what", "which use was given", "until revoked", WITH_PERSON},
    {"story_use.expires", "until when", "until revoked", WITH_PERSON},
    {"story_media.id", "order of pictures and voices", KEPT, WITH_PERSON},
    {"story_media.story", "of which story", KEPT, WITH_PERSON},
    {"story_media.ending", "what kind of file", KEPT, WITH_PERSON},
    {"story_media.type", "what kind of file", KEPT, WITH_PERSON},
    {"story_media.content", "picture or voice without metadata, sealed", KEPT, KEY_GONE},
    {"story_copy.delivery", "a message that shows it, to be taken back", "3 days", AFTER_RETENTION,
	true},
    {"story_copy.story", "of which story", "3 days", AFTER_RETENTION},
    {"story_copy.at", "when, as networks delete only what is young", "3 days", AFTER_RETENTION},
    {"story_told.story", "which story an announcement names", KEPT, WITH_PERSON},
    {"story_told.announcement", "that is called back with it", KEPT, WITH_PERSON},
    {0},
};
static const struct schema schema = {"story", steps, columns};

#define FIELDS \
	"SELECT id, season, person, number, state, org, language, title, pseudonym, name, body," \
	" redacted, translation, translated, rank, told_out FROM story "
static struct sql by_id = {FIELDS "WHERE id = ?"};
static struct sql by_number = {FIELDS "WHERE number = ?"};
static struct sql by_person = {"SELECT id FROM story WHERE season = ? AND person = ?"};
static struct sql all_of = {"SELECT id FROM story WHERE person = ? ORDER BY season DESC"};
static struct sql set_state = {"UPDATE story SET state = ?, changed = ? WHERE id = ?"};
static struct sql set_redacted = {"UPDATE story SET redacted = ? WHERE id = ?"};
static struct sql set_translation = {
    "UPDATE story SET translation = ?, translated = ? WHERE id = ?"};
static struct sql set_out = {"UPDATE story SET told_out = 1 WHERE id = ?"};
static struct sql drop = {"DELETE FROM story WHERE id = ?"};
static struct sql old_drafts = {"SELECT id FROM story WHERE state = 0 AND changed < ?"};
static struct sql uses = {"SELECT what, expires FROM story_use WHERE story = ? AND expires > ?"};
static struct sql use_set = {
    "INSERT OR REPLACE INTO story_use(story, what, expires) VALUES(?, ?, ?)"};
static struct sql use_drop = {"DELETE FROM story_use WHERE story = ? AND what = ?"};
static struct sql use_over = {"SELECT DISTINCT story FROM story_use WHERE expires <= ?"};
static struct sql use_prune = {"DELETE FROM story_use WHERE expires <= ?"};
static struct sql media_all = {
    "SELECT ending, type, content FROM story_media WHERE story = ? ORDER BY id"};
static struct sql copy_add = {
    "INSERT OR REPLACE INTO story_copy(delivery, story, at) VALUES(?, ?, ?)"};
static struct sql copies = {"SELECT delivery, at FROM story_copy WHERE story = ?"};
static struct sql copies_drop = {"DELETE FROM story_copy WHERE story = ?"};
static struct sql copies_prune = {"DELETE FROM story_copy WHERE at < ?"};
static struct sql told_add = {"INSERT OR IGNORE INTO story_told(story, announcement) VALUES(?, ?)"};
static struct sql told = {"SELECT announcement FROM story_told WHERE story = ?"};
static struct sql told_drop = {"DELETE FROM story_told WHERE story = ?"};
static struct sql *const statements[] = {&told_add, &told, &told_drop, &by_id, &by_number,
    &by_person, &all_of, &set_state, &set_redacted, &set_translation, &set_out, &drop, &old_drafts,
    &uses, &use_set, &use_drop, &use_over, &use_prune, &media_all, &copy_add, &copies, &copies_drop,
    &copies_prune, NULL};

enum {
	DELETABLE_S = 47 * 3600, /* Telegram deletes for 48 h: an hour for the way */
	KEPT_DAYS = 3,
};

/* ---- rows ---- */

static const char *
opened(struct turn *t, struct rows *q, int column, const char *purpose)
{
	const char *text = unseal_person(t, db_int(q, 2), purpose, db_blob(q, column));

	return text ? text : "";
}

static void
read_uses(struct turn *t, struct story *s)
{
	struct rows *q = db_query(t->db, &uses, V(s->id, t->now));

	while (db_next(q))
		if (db_int(q, 0) >= 0 && db_int(q, 0) < USE_COUNT)
			s->until[db_int(q, 0)] = db_int(q, 1);
}

static bool
read_row(struct turn *t, struct rows *q, struct story *s)
{
	bool found = db_next(q);

	if (found) {
		*s = (struct story){.id = db_int(q, 0),
		    .season = db_int(q, 1),
		    .person = db_int(q, 2),
		    .number = db_int(q, 3),
		    .state = (enum story_state)db_int(q, 4),
		    .org = db_text(q, 5),
		    .language = db_text(q, 6),
		    .title = opened(t, q, 7, "story.title"),
		    .pseudonym = opened(t, q, 8, "story.pseudonym"),
		    .name = opened(t, q, 9, "story.name"),
		    .own = opened(t, q, 10, "story.body"),
		    .text = opened(t, q, 11, "story.redacted"),
		    .translation = opened(t, q, 12, "story.translation"),
		    .translated = db_text(q, 13),
		    .rank = db_int(q, 14),
		    .told_out = db_int(q, 15)};
		if (!s->text[0])
			s->text = s->own;
	}
	db_done(q);
	if (found)
		read_uses(t, s);
	return found;
}

bool
story_get(struct turn *t, int64_t id, struct story *story)
{
	return read_row(t, db_query(t->db, &by_id, V(id)), story);
}

bool
story_numbered(struct turn *t, int64_t number, struct story *story)
{
	return read_row(t, db_query(t->db, &by_number, V(number)), story);
}

void
story_set_state(struct turn *t, const struct story *story, enum story_state state)
{
	db_run(t->db, &set_state, V((int)state, t->now, story->id));
}

void
story_set_text(struct turn *t, const struct story *story, const char *text)
{
	db_run(t->db, &set_redacted,
	    V(seal_person(t, story->person, "story.redacted", text), story->id));
}

void
story_set_translation(
    struct turn *t, const struct story *story, const char *text, const char *language)
{
	db_run(t->db, &set_translation,
	    V(seal_person(t, story->person, "story.translation", text), language, story->id));
}

void
story_told_out(struct turn *t, const struct story *story)
{
	db_run(t->db, &set_out, V(story->id));
}

/* ---- showing, and taking back ---- */

void
story_show(struct turn *t, const struct story *story, struct card *card)
{
	int64_t delivery = say_kept(t, card);

	if (delivery)
		db_run(t->db, &copy_add, V(delivery, story->id, t->now));
}

void
story_show_media(struct turn *t, const struct story *story)
{
	struct rows *q = db_query(t->db, &media_all, V(story->id));

	while (db_next(q)) {
		struct blob plain =
		    unseal_person_bytes(t, story->person, "story_media.content", db_blob(q, 2));
		struct card *card = words(t, "story.attached", "number",
		    arena_print(t->arena, "%lld", (long long)story->number), NULL);
		char *name =
		    arena_print(t->arena, "%lld.%s", (long long)story->number, db_text(q, 0));

		if (!plain.bytes)
			continue;
		/* No key: what is withdrawn leaves no number by which a network would still give it. */
		card_file(
		    card, file_new(t, name, plain.bytes, plain.length), name, db_text(q, 1), NULL);
		story_show(t, story, card);
	}
}

struct card *
story_card(struct turn *t, const struct story *story)
{
	bool translated =
	    strcmp(story->language, t->language) && !strcmp(story->translated, t->language);
	const char *by = story->until[USE_NAME] && story->name[0] ? story->name : story->pseudonym;
	struct card *card = words(t, "story.front", "title", story->title, "name", by, NULL);

	card_text(card, "\n\n", 0);
	card_lines(card, translated ? story->translation : story->text);
	if (translated)
		card_paragraph(card, words(t, "story.is_translation", NULL));
	return card;
}

/* What is too old for the network to delete is written over. */
static void
take_back(struct turn *t, int64_t story)
{
	struct rows *q = db_query(t->db, &copies, V(story));

	while (db_next(q))
		if (db_int(q, 1) > t->now - DELETABLE_S)
			delete_delivery(t, db_int(q, 0));
		else
			edit_delivery(t, db_int(q, 0), words(t, "story.was_here", NULL));
	db_run(t->db, &copies_drop, V(story));
}

/* What stands outside, people have to take down; by number alone. */
static void
tell_admin(struct turn *t, int64_t person, void *ctx)
{
	tell(t, person, CLASS_EVENT_CHANGE, t->now + 7 * STORY_DAY,
	    words_in(t, language_of(t, person), "story.take_down", "number", ctx, NULL));
}

/* What stands outside: announcements are called back at once, of the website admins hear. */
static void
take_down(struct turn *t, const struct story *story)
{
	struct rows *q = db_query(t->db, &told, V(story->id));

	while (db_next(q))
		announce_take_back(t, db_int(q, 0));
	db_run(t->db, &told_drop, V(story->id));
	if (story->told_out)
		people_each(t, ADMINS, NULL, 20, tell_admin,
		    arena_print(t->arena, "%lld", (long long)story->number));
}

void
story_told_in(struct turn *t, const struct story *story, int64_t announcement)
{
	db_run(t->db, &told_add, V(story->id, announcement));
	story_told_out(t, story);
}

void
story_withdraw(struct turn *t, const struct story *story)
{
	take_back(t, story->id);
	take_down(t, story);
	db_run(t->db, &drop, V(story->id));
	audit_unnamed(t, "story.withdraw", 0);
}

/* ---- my story ---- */

static bool
mine_now(struct turn *t, struct story *s)
{
	struct season season;
	int64_t id = 0;

	if (season_now(t, &season))
		id = db_number(t->db, &by_person, V(season.id, t->person->id), 0);
	if (!id)
		id = db_number(t->db, &all_of, V(t->person->id), 0);
	return id && story_get(t, id, s);
}

/* The story of a button, theirs or none. */
static bool
mine(struct turn *t, struct story *s)
{
	if (story_get(t, strtoll(t->value, NULL, 10), s) && s->person == t->person->id)
		return true;
	say(t, words(t, "story.gone", NULL));
	return false;
}

static char *
id_of(struct turn *t, const struct story *s)
{
	return arena_print(t->arena, "%lld", (long long)s->id);
}

void
story_choose_mine(struct turn *t, struct card *card, const char *language)
{
	choose_text(t, card, words_flat_in(t, language, "story.mine", NULL), "story.mine", "");
}

static bool
writing_open(struct turn *t, const struct story *s)
{
	struct season season;

	return season_get(t, s->season, &season) && season.stage == SEASON_OPEN &&
	       t->now < season.closes;
}

static void
use_choices(struct turn *t, struct card *card, const struct story *s)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	const struct zone *zone = zone_find(t->zones, zones[0]);

	for (int i = 0; i < USE_COUNT; i++) {
		const char *use = words_flat(t, arena_print(t->arena, "story.use.%d", i), NULL);

		if (i == USE_NAME && !s->name[0])
			continue;
		choose_text(t, card,
		    s->until[i] ? words_flat(t, "story.use_on", "use", use, "date",
				      clock_date(t->arena, t->language, zone, s->until[i]), NULL)
				: words_flat(t, "story.use_off", "use", use, NULL),
		    "story.use", arena_print(t->arena, "%lld %d", (long long)s->id, i));
	}
}

static struct card *
mine_card(struct turn *t, const struct story *s)
{
	struct card *card = words(t, arena_print(t->arena, "story.state.%d", (int)s->state),
	    "number", arena_print(t->arena, "%lld", (long long)s->number), NULL);

	if (s->state == STORY_DRAFT && writing_open(t, s)) {
		choose(t, card, "story.go_on", "story.write", "");
		if (s->own[0])
			choose(t, card, "story.hand_in", "story.submit", "");
	}
	if (s->state == STORY_AUTHOR)
		choose(t, card, "story.agree", "story.agree", id_of(t, s));
	if (s->state != STORY_DRAFT)
		use_choices(t, card, s);
	choose(t, card, "story.read_back", "story.read", id_of(t, s));
	choose(t, card, s->state == STORY_DRAFT ? "story.discard" : "story.withdraw",
	    "story.withdraw_ask", id_of(t, s));
	card_same_row(card);
	return card;
}

void
story_mine(struct turn *t)
{
	struct story s;

	if (!mine_now(t, &s))
		say(t, words(t, "story.none_mine", NULL));
	else
		say(t, mine_card(t, &s));
}

/* All of it: nothing is agreed to that was not shown. */
static void
show_all(struct turn *t, const struct story *s)
{
	struct card *card;

	if (s->title[0]) {
		story_show(t, s, story_card(t, s));
	} else {
		card = card_new(t->arena);
		card_lines(card, s->text[0] ? s->text : "…");
		story_show(t, s, card);
	}
	if (s->translation[0]) {
		card = words(t, "story.translation", NULL);
		card_text(card, "\n", 0);
		card_lines(card, s->translation);
		story_show(t, s, card);
	}
	story_show_media(t, s);
}

static void
read_mine(struct turn *t)
{
	struct story s;

	if (!mine(t, &s))
		return;
	show_all(t, &s);
	say(t, mine_card(t, &s));
}

/* An announcement stays as long as it may: it says a title and a name. */
static void
use_ended(struct turn *t, const struct story *was, enum story_use use)
{
	struct story s;

	if (!story_get(t, was->id, &s))
		return;
	if (use == USE_NAME || (!s.until[USE_WEBSITE] && !s.until[USE_SOCIAL]))
		take_down(t, &s);
	else if (s.told_out)
		people_each(t, ADMINS, NULL, 20, tell_admin,
		    arena_print(t->arena, "%lld", (long long)s.number));
}

static void
use_pressed(struct turn *t)
{
	struct story s;
	const char *space = strchr(t->value, ' ');
	int64_t use = space ? strtoll(space, NULL, 10) : -1;

	if (!mine(t, &s) || use < 0 || use >= USE_COUNT)
		return;
	if (s.until[use]) {
		db_run(t->db, &use_drop, V(s.id, use));
		/* Who may still see it is not worth telling apart: every copy goes. */
		take_back(t, s.id);
		use_ended(t, &s, (enum story_use)use);
	} else {
		db_run(t->db, &use_set,
		    V(s.id, use,
			t->now + STORY_DAY * conf_number(t->conf, "stories", NULL, "use_days")));
	}
	if (story_get(t, s.id, &s))
		edit(t, mine_card(t, &s));
}

static void
withdraw_ask(struct turn *t)
{
	struct story s;
	struct card *card;

	if (!mine(t, &s))
		return;
	card = words(t, "story.withdraw_ask", NULL);
	choose(t, card, "engine.yes", "story.withdraw", t->value);
	choose(t, card, "engine.no", "story.mine", "");
	card_same_row(card);
	edit(t, card);
}

static void
withdraw(struct turn *t)
{
	struct story s;

	if (!mine(t, &s))
		return;
	flow_end(t);
	story_withdraw(t, &s);
	edit(t, words(t, "story.withdrawn", NULL));
}

/* The author's own look at the risk, at the text as others will read it. */
static void
agree(struct turn *t)
{
	struct story s;
	struct card *card;

	if (!mine(t, &s) || s.state != STORY_AUTHOR)
		return;
	show_all(t, &s);
	card = words(t, "story.risk", NULL);
	choose(t, card, "story.agree_now", "story.agree_now", id_of(t, &s));
	choose(t, card, "story.withdraw", "story.withdraw_ask", id_of(t, &s));
	say(t, card);
}

static void
agree_now(struct turn *t)
{
	struct story s;

	if (!mine(t, &s))
		return;
	if (s.state == STORY_AUTHOR) {
		story_set_state(t, &s, STORY_LIVE);
		audit_unnamed(t, "story.live", s.number);
		s.state = STORY_LIVE;
	}
	edit(t, mine_card(t, &s));
}

/* ---- time, and leaving ---- */

/* A use that ran out ends as one that was revoked; forgotten drafts go. */
static void
daily(struct turn *t)
{
	struct rows *q = db_query(t->db, &use_over, V(t->now));
	struct story s;

	while (db_next(q))
		take_back(t, db_int(q, 0));
	db_run(t->db, &use_prune, V(t->now));
	q = db_query(t->db, &old_drafts,
	    V(t->now - STORY_DAY * conf_number(t->conf, "retention", NULL, "draft")));
	while (db_next(q))
		if (story_get(t, db_int(q, 0), &s))
			story_withdraw(t, &s);
	db_run(t->db, &copies_prune, V(t->now - KEPT_DAYS * STORY_DAY));
}

static void
happened(struct turn *t, enum happening what)
{
	struct rows *q;
	struct story s;

	if (what != HAPPENED_LEAVING)
		return;
	q = db_query(t->db, &all_of, V(t->subject));
	while (db_next(q))
		if (story_get(t, db_int(q, 0), &s))
			story_withdraw(t, &s);
}

static const struct conf_key settings[] = {
    {.section = "stories",
	.key = "use_days",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3650,
	.otherwise = "365"},
    {.section = "stories",
	.key = "media_kb",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 16384,
	.otherwise = "2048"},
    {0},
};
static const struct action actions[] = {
    {"story.mine", MEMBERS, story_mine},
    {"story.read", MEMBERS, read_mine},
    {"story.use", MEMBERS, use_pressed},
    {"story.withdraw_ask", MEMBERS, withdraw_ask},
    {"story.withdraw", MEMBERS, withdraw},
    {"story.agree", MEMBERS, agree},
    {"story.agree_now", MEMBERS, agree_now},
    {0},
};
static const struct job jobs[] = {
    {.name = "story.daily", .every_s = STORY_DAY, .run = daily},
    {0},
};

const struct feature feature_story = {
    .name = "story",
    .schema = &schema,
    .statements = statements,
    .settings = settings,
    .actions = actions,
    .jobs = jobs,
    .happened = happened,
};
