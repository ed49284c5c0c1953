/* Announcements on their way: handed in, approved by a second person, a minute of grace, sending
 * with a card that shows how it goes, stop, pause, recall and the report. */
#include "compose.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/approval.h"
#include "core/audit.h"
#include "core/people.h"
#include "core/warn.h"

static const char *const steps[] = {
    "CREATE TABLE announcement(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " author INTEGER REFERENCES person(id) ON DELETE SET NULL, org TEXT NOT NULL,"
    " wide INTEGER NOT NULL, class INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0,"
    " digest INTEGER NOT NULL, approval INTEGER NOT NULL DEFAULT 0,"
    " post INTEGER NOT NULL DEFAULT 0, made INTEGER NOT NULL, due INTEGER NOT NULL,"
    " wall TEXT NOT NULL, zone TEXT NOT NULL, audience TEXT NOT NULL,"
    " original INTEGER NOT NULL DEFAULT 0, panel INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX announcement_author ON announcement(author);"
    "CREATE INDEX announcement_post ON announcement(post);",
    "ALTER TABLE announcement ADD COLUMN later INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE announcement ADD COLUMN rooms TEXT NOT NULL DEFAULT '';",
    /* Whatever path leads there: nothing is planned or goes out without a second person's yes; only
       taking back needs none. */
    "CREATE TRIGGER announcement_new BEFORE INSERT ON announcement WHEN NEW.state <> 0 BEGIN"
    " SELECT raise(ABORT, 'an announcement begins unapproved'); END;"
    "CREATE TRIGGER announcement_yes BEFORE UPDATE OF state ON announcement"
    " WHEN NEW.state IN (1, 2, 4) AND NEW.state <> OLD.state"
    " AND NOT (NEW.approval = 0 AND NEW.original <> 0)"
    " AND NOT EXISTS (SELECT 1 FROM approval p WHERE p.id = NEW.approval AND p.state = 1)"
    " BEGIN SELECT raise(ABORT, 'no second person'); END;",
    NULL,
};
#define RETENTION "[retention] audit days"
static const struct column columns[] = {
    {"announcement.id", "number of an announcement, in its footer", RETENTION, NOT_PERSONAL},
    {"announcement.author", "who hears of its progress and may not approve it", RETENTION,
	WITH_PERSON},
    {"announcement.org", "which organisation speaks", RETENTION, NOT_PERSONAL},
    {"announcement.wide", "whether it goes beyond that organisation", RETENTION, NOT_PERSONAL},
    {"announcement.class", "whether it is urgent", RETENTION, NOT_PERSONAL},
    {"announcement.state", "how far it is", RETENTION, NOT_PERSONAL},
    {"announcement.digest", "whether it waits for the weekly digest", RETENTION, NOT_PERSONAL},
    {"announcement.approval", "the second person's yes", RETENTION, NOT_PERSONAL},
    {"announcement.post", "its texts and deliveries", RETENTION, NOT_PERSONAL},
    {"announcement.made", "when it was handed in", RETENTION, NOT_PERSONAL},
    {"announcement.due", "the instant, computed from wall and zone", RETENTION, NOT_PERSONAL},
    {"announcement.wall", "wall time: what was promised", RETENTION, NOT_PERSONAL},
    {"announcement.later", "of an hour that comes twice, the second", RETENTION, NOT_PERSONAL},
    {"announcement.rooms", "rooms it is posted into", RETENTION, NOT_PERSONAL},
    {"announcement.zone", "whose clock rules", RETENTION, NOT_PERSONAL},
    {"announcement.audience", "chips that say who gets it", RETENTION, NOT_PERSONAL},
    {"announcement.original", "the number it takes back or replaces", RETENTION, NOT_PERSONAL},
    {"announcement.panel", "the card that shows how it goes", RETENTION, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"announce", steps, columns};

#define FIELDS \
	"SELECT id, coalesce(author, 0), org, wide, class, state, digest, approval, post, made," \
	" due, wall, zone, audience, original, panel, later, rooms FROM announcement "
static struct sql get = {FIELDS "WHERE id = ?"};
static struct sql by_approval = {FIELDS "WHERE approval = ?"};
static struct sql by_post = {FIELDS "WHERE post = ?"};
static struct sql add = {
    "INSERT INTO announcement(author, org, wide, class, digest, made, due, wall, zone, audience,"
    " original, later, rooms) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static struct sql undo = {"DELETE FROM announcement WHERE id = ?"};
static struct sql link_up = {"UPDATE announcement SET approval = ?, post = ? WHERE id = ?"};
static struct sql set_state = {"UPDATE announcement SET state = ?, due = ? WHERE id = ?"};
static struct sql set_panel = {"UPDATE announcement SET panel = ? WHERE id = ?"};
static struct sql timed = {FIELDS "WHERE state IN (0, 1) AND wall <> ''"};
static struct sql unapproved = {
    "SELECT id, post FROM announcement WHERE state = 0 AND made < ? LIMIT 50"};
static struct sql forget = {"DELETE FROM announcement WHERE made < ?"};
static struct sql *const statements[] = {&get, &by_approval, &by_post, &add, &undo, &link_up,
    &set_state, &set_panel, &timed, &unapproved, &forget, NULL};

enum { DAY = 86400, PROGRESS_S = 4, NIGHT_S = 600, APPROVE_S = 7 * DAY };

/* ---- rows ---- */

static bool
read_row(struct rows *q, struct announce *a)
{
	if (!db_next(q))
		return false;
	*a = (struct announce){
	    .id = db_int(q, 0),
	    .author = db_int(q, 1),
	    .org = db_text(q, 2),
	    .wide = db_int(q, 3),
	    .class = (enum class)db_int(q, 4),
	    .state = (enum announce_state)db_int(q, 5),
	    .digest = db_int(q, 6),
	    .approval = db_int(q, 7),
	    .post = db_int(q, 8),
	    .made = db_int(q, 9),
	    .due = db_int(q, 10),
	    .wall = db_text(q, 11),
	    .zone = db_text(q, 12),
	    .audience = db_text(q, 13),
	    .original = db_int(q, 14),
	    .panel = db_int(q, 15),
	    .later = db_int(q, 16),
	    .rooms = db_text(q, 17),
	};
	db_done(q);
	return true;
}

bool
announce_get(struct turn *t, int64_t id, struct announce *a)
{
	return read_row(db_query(t->db, &get, V(id)), a);
}

bool
announce_may(struct turn *t, const struct announce *a)
{
	return t->person && (t->person->id == a->author ||
				people_holds(t, t->person->id, COORDINATORS, a->org) ||
				people_holds(t, t->person->id, ADMINS, ""));
}

static char *
number_of(struct turn *t, int64_t n)
{
	return arena_print(t->arena, "%lld", (long long)n);
}

/* What the second person says yes to: every word of every language, who gets it, and when. */
static struct blob
content_of(struct turn *t, const struct announce *a)
{
	struct buf b = {.maximum = 1 << 20};
	struct blob out, file = post_file_hash(t, a->post);

	buf_print(&b, "%d\n%d\n%s\n%d\n%s\n%s\n%s\n%lld\n%zu\n", (int)a->class, a->digest, a->wall,
	    a->later, a->zone, a->audience, a->rooms, (long long)a->original, file.length);
	buf_add(&b, file.length ? file.bytes : "", file.length);
	for (int i = 0; i < words_count(t->words); i++) {
		const struct card *card =
		    a->post ? post_card(t, a->post, words_language(t->words, i)) : NULL;
		struct card_bytes bytes = {NULL, 0};

		if (card)
			bytes = card_pack(t->arena, card);
		buf_print(&b, "%zu\n", bytes.length);
		buf_add(&b, bytes.bytes ? (const void *)bytes.bytes : "", bytes.length);
	}
	out = (struct blob){arena_copy(t->arena, b.bytes, b.length), b.length};
	buf_free(&b);
	return out;
}

/* Between the second person's yes and the first delivery. */
static int64_t
grace_s(struct turn *t)
{
	return conf_number(t->conf, "announce", NULL, "grace_seconds");
}

/* ---- handing in ---- */

/* The instant of the wall time that was promised; 0: none was. */
static int64_t
due_of(struct turn *t, const struct announce *a)
{
	const struct zone *zone = zone_find(t->zones, a->zone);
	struct civil wall;

	if (!a->wall[0] || !zone || !civil_read(a->wall, &wall))
		return 0;
	return zone_to_utc(zone, &wall).utc[a->later];
}

/* In a room nobody in particular is asked for anything. */
static void
say_room_text(struct turn *t, const struct announce *a, const char *language, const char *text,
    const char *written_in)
{
	struct card *card =
	    announce_card(t, language, text, written_in, a->org, a->original ? a->original : a->id);

	card->choices = card->last_choice = NULL;
	post_say(t, a->post, arena_print(t->arena, "room.%s", language), card);
}

static void
say_texts(struct turn *t, const struct announce *a, const char *const *text, const char *fallback)
{
	const char *instead = "";

	for (int i = 0; i < words_count(t->words); i++)
		if (!strcmp(words_language(t->words, i), fallback))
			instead = text[i];
	for (int i = 0; i < words_count(t->words); i++) {
		const char *language = words_language(t->words, i);
		bool own = text[i][0] != 0;

		post_say(t, a->post, language,
		    announce_card(t, language, own ? text[i] : instead, own ? language : fallback,
			a->org, a->original ? a->original : a->id));
		if (a->rooms[0])
			say_room_text(
			    t, a, language, own ? text[i] : instead, own ? language : fallback);
	}
}

int64_t
announce_hand_in(
    struct turn *t, const struct announce *like, const char *const *text, const char *fallback)
{
	const struct feature *was = t->feature;
	struct announce a = *like, original;
	int64_t expires = t->now + APPROVE_S;

	t->feature = &feature_announce;
	a.rooms = a.rooms ? a.rooms : "";
	if (a.original) {
		if (!announce_get(t, a.original, &original) || !announce_may(t, &original))
			return 0;
		a.org = original.org;
		a.wide = original.wide;
		a.digest = false;
		a.audience = "";
		a.rooms = original.rooms;
	}
	a.due = due_of(t, &a);
	a.post = a.original ? post_recall(t, original.post, true) : post_new(t, a.class, 0);
	if (!a.post)
		return 0;
	a.id = db_insert(t->db, &add,
	    V(a.author, a.org, a.wide, (int)a.class, a.digest, t->now, a.due, a.wall, a.zone,
		a.audience, a.original, a.later, a.rooms));
	if (a.file)
		post_file(t, a.post, a.file->name, a.file->type, a.file->bytes);
	say_texts(t, &a, text, fallback);
	if (a.due && a.due < expires)
		expires = a.due;
	a.approval = approval_open(t, "announce", a.id, a.wide ? ADMINS : COORDINATORS | ADMINS,
	    a.wide ? "" : a.org, content_of(t, &a), expires);
	db_run(t->db, &link_up, V(a.approval, a.post, a.id));
	audit(t, "announce.hand_in", a.id);
	t->feature = was;
	return a.id;
}

/* ---- approving ---- */

static void
gone(struct turn *t)
{
	say(t, words(t, "announce.gone", NULL));
}

static void
add_named(struct turn *t, struct card *card, const char *title, const char *names)
{
	if (*names)
		card_line(card, words(t, "announce.count", "name", words_flat(t, title, NULL), "n",
				    names, NULL));
}

/* To whom and when: part of what is approved. */
static void
add_plan(struct turn *t, struct card *card, const struct announce *a)
{
	struct audience to = audience_unpack(t, a->audience);

	if (!a->original) {
		card_line(card,
		    words(t, "announce.to", "org",
			a->wide ? words_flat(t, "announce.wide", NULL)
				: announce_org(t, t->language, a->org),
			"n", announce_count(t, t->language, audience_size(t, &to, t->now)), NULL));
		add_named(t, card, "announce.orgs", chips_named(t, to.orgs, "org"));
		add_named(t, card, "announce.languages", chips_named(t, to.languages, "language"));
		add_named(t, card, "announce.topics", chips_named(t, to.topics, "topic"));
		add_named(t, card, "announce.regions", chips_named(t, to.regions, "region"));
		add_named(t, card, "announce.events", chips_named(t, to.events, "event"));
		add_named(t, card, "announce.groups", chips_named(t, to.groups, "group"));
		if (to.roles)
			card_line(card, words(t, "announce.coordinators", NULL));
		if (a->rooms[0])
			card_line(card, words(t, "announce.into_rooms", "rooms",
					    chips_named(t, a->rooms, "room"), NULL));
		add_named(t, card, "announce.instead_of", chips_named(t, to.instead, "network"));
	}
	if (a->wall[0])
		card_line(card, words(t, "announce.at", "time",
				    clock_when(t->arena, t->language, t->zones, NULL, a->zone,
					due_of(t, a), 0, false),
				    "zone", a->zone, NULL));
	else
		card_line(card, words(t,
				    a->digest		       ? "announce.when_digest"
				    : a->class == CLASS_URGENT ? "announce.when_urgent"
							       : "announce.when_now",
				    NULL));
	if (!a->original && !a->digest)
		chips_time(t, card, &to, a->class, a->due > t->now ? a->due : t->now);
}

/* What waits for a yes, in every language, as it will be read. */
static void
look(struct turn *t)
{
	int64_t approval = strtoll(t->value, NULL, 10), at;
	struct announce a;
	struct card *card;

	if (!read_row(db_query(t->db, &by_approval, V(approval)), &a) || !announce_may(t, &a)) {
		gone(t);
		return;
	}
	post_file_lay(t, a.post);
	for (int i = 0; i < words_count(t->words); i++) {
		const char *language = words_language(t->words, i);
		const struct card *text = post_card(t, a.post, language);
		struct card *shown = words(t, "announce.reads", "language",
		    words_flat_in(t, language, "language.name", NULL), NULL);

		if (!text)
			continue;
		card_paragraph(shown, text);
		shown->choices = shown->last_choice = NULL;
		say(t, shown);
	}
	card = announce_panel(t, t->language, &a);
	card->choices = card->last_choice = NULL;
	add_plan(t, card, &a);
	at = due_of(t, &a) > t->now ? due_of(t, &a) : t->now;
	if (!a.digest)
		warn_add(t, card, &(struct warn_time){at, at}, 1);
	if (t->person->id == a.author) {
		choose(t, card, "announce.withdraw", "announce.withdraw", number_of(t, a.id));
	} else if (a.state == ANNOUNCE_WAITING) {
		choose(t, card, "announce.yes", "announce.give", t->value);
		choose(t, card, "announce.no", "announce.refuse", t->value);
		card_same_row(card);
	}
	say(t, card);
}

static void
tell_author(struct turn *t, const struct announce *a, const char *key)
{
	if (a->author)
		tell(t, a->author, CLASS_EVENT_CHANGE, 0,
		    words_in(
			t, language_of(t, a->author), key, "number", number_of(t, a->id), NULL));
}

static void
answered(struct turn *t, enum approval_answer answer)
{
	static const char *const keys[] = {
	    [APPROVAL_OWN] = "approval.own",
	    [APPROVAL_NOT_FOR_THEM] = "approval.not_for_you",
	    [APPROVAL_CHANGED] = "approval.changed",
	    [APPROVAL_GONE] = "approval.gone",
	};

	say(t, words(t, keys[answer], NULL));
}

/* A minute in which it can still be stopped, or the wall time promised, whichever is later. */
static void
plan(struct turn *t, const struct announce *a)
{
	int64_t due = due_of(t, a);

	if (due < t->now + grace_s(t))
		due = t->now + grace_s(t);
	db_run(t->db, &set_state, V((int)ANNOUNCE_PLANNED, a->digest ? t->now : due, a->id));
	if (a->digest)
		return;
	if (due > t->now + grace_s(t))
		job_at(t, "announce.start", number_of(t, a->id), due - grace_s(t), "");
	else
		announce_start(t, a->id, due);
}

static void
give(struct turn *t)
{
	int64_t approval = strtoll(t->value, NULL, 10);
	enum approval_answer answer;
	struct announce a;

	if (!read_row(db_query(t->db, &by_approval, V(approval)), &a)) {
		gone(t);
		return;
	}
	if (announce_must_confirm(t, "announce.approve", t->value))
		return;
	answer = approval_give(t, approval, content_of(t, &a));
	if (answer != APPROVAL_DONE) {
		answered(t, answer);
		return;
	}
	audit(t, "announce.approve", a.id);
	plan(t, &a);
	edit(t, words(t, a.digest ? "announce.approved_digest" : "announce.approved", "number",
		    number_of(t, a.id), NULL));
	if (a.digest || due_of(t, &a) > t->now + grace_s(t))
		tell_author(t, &a, "announce.approved_later");
}

static void
never(struct turn *t, int64_t id, int64_t post)
{
	db_run(t->db, &set_state, V((int)ANNOUNCE_REFUSED, 0, id));
	post_drop(t, post);
}

static void
refuse(struct turn *t)
{
	int64_t approval = strtoll(t->value, NULL, 10);
	enum approval_answer answer = approval_refuse(t, approval);
	struct announce a;

	if (answer != APPROVAL_DONE) {
		answered(t, answer);
		return;
	}
	if (!read_row(db_query(t->db, &by_approval, V(approval)), &a))
		return;
	audit(t, "announce.refuse", a.id);
	never(t, a.id, a.post);
	edit(t, words(t, "announce.refused", "number", number_of(t, a.id), NULL));
	tell_author(t, &a, "announce.refused");
}

/* ---- on its way ---- */

/* Asked once more at the last moment: exactly these words, and a second person's yes to them. */
void
announce_start(struct turn *t, int64_t id, int64_t due)
{
	const struct feature *was = t->feature;
	struct audience audience;
	struct announce a;
	int64_t panel;

	t->feature = &feature_announce;
	if (!announce_get(t, id, &a) || a.state != ANNOUNCE_PLANNED ||
	    !approval_holds(t, a.approval, content_of(t, &a))) {
		t->feature = was;
		return;
	}
	if (!a.original) {
		audience = audience_unpack(t, a.audience);
		post_audience(t, a.post, &audience);
		post_rooms(t, a.post, a.rooms);
	}
	post_start(t, a.post, due);
	db_run(t->db, &set_state, V((int)ANNOUNCE_GOING, due, a.id));
	audit(t, "announce.start", a.id);
	a.state = ANNOUNCE_GOING;
	a.due = due;
	if (a.author) {
		panel = tell(t, a.author, CLASS_EVENT_CHANGE, 0,
		    announce_panel(t, language_of(t, a.author), &a));
		db_run(t->db, &set_panel, V(panel, a.id));
	}
	t->feature = was;
}

/* The promised wall time is what counts: when the rules of its zone changed, so did the instant. */
static void
start_job(struct turn *t)
{
	int64_t id = strtoll(t->key, NULL, 10), due;
	struct announce a;

	if (!announce_get(t, id, &a) || a.state != ANNOUNCE_PLANNED)
		return;
	due = due_of(t, &a);
	if (due > t->now + grace_s(t))
		job_at(t, "announce.start", t->key, due - grace_s(t), "");
	else
		announce_start(t, id, due > t->now ? due : t->now + grace_s(t));
}

static void
zones_changed(struct turn *t)
{
	struct rows *q = db_query(t->db, &timed, NONE);
	int64_t ids[64];
	int n = 0;

	while (n < 64 && db_next(q))
		ids[n++] = db_int(q, 0);
	db_done(q);
	for (int i = 0; i < n; i++) {
		struct announce a;
		int64_t due;

		if (!announce_get(t, ids[i], &a) || (due = due_of(t, &a)) == a.due || !due)
			continue;
		db_run(t->db, &set_state, V((int)a.state, due, a.id));
		if (a.state == ANNOUNCE_PLANNED)
			job_at(t, "announce.start", number_of(t, a.id), due - grace_s(t), "");
	}
}

/* ---- the card that shows how it goes ---- */

static void
refresh(struct turn *t, const struct announce *a)
{
	if (a->panel && a->author)
		edit_delivery(t, a->panel, announce_panel(t, language_of(t, a->author), a));
}

/* Every few seconds while it goes out, where something changed. */
static void
progress(struct turn *t)
{
	struct announce a;
	struct post_report r;

	int64_t ended;

	if (!announce_get(t, strtoll(t->key, NULL, 10), &a) || !post_report(t, a.post, &r))
		return;
	ended = r.audience - r.waiting - r.in_air;
	if (ended != strtoll(t->value, NULL, 10))
		refresh(t, &a);
	if (r.stage == POST_SENDING || r.stage == POST_STOPPING)
		job_at(t, "announce.progress", t->key,
		    t->now + (announce_at_night(t, &a) ? NIGHT_S : PROGRESS_S),
		    number_of(t, ended));
}

/* A new stage: at once on the card; at the end a message of its own, so that it is seen. */
static void
stage(struct turn *t)
{
	struct post_report r;
	struct announce a;

	if (!read_row(db_query(t->db, &by_post, V(t->post)), &a) || !post_report(t, t->post, &r))
		return;
	/* Two people who turned out to be one within the grace are no second person. */
	if (r.stage == POST_SENDING && a.approval &&
	    !approval_holds(t, a.approval, content_of(t, &a))) {
		post_stop(t, a.post);
		audit(t, "announce.void", a.id);
		return;
	}
	if (r.stage == POST_SENDING)
		job_at(t, "announce.progress", number_of(t, a.id), t->now + PROGRESS_S, "");
	if (r.stage < POST_STOPPED) {
		refresh(t, &a);
		return;
	}
	job_cancel(t, "announce.progress", number_of(t, a.id));
	refresh(t, &a);
	if (a.author)
		tell(t, a.author, CLASS_EVENT_CHANGE, 0,
		    announce_panel(t, language_of(t, a.author), &a));
}

/* ---- steering ---- */

static bool
chosen_one(struct turn *t, struct announce *a)
{
	if (announce_get(t, strtoll(t->value, NULL, 10), a) && announce_may(t, a))
		return true;
	gone(t);
	return false;
}

static void
show(struct turn *t, struct announce *a)
{
	announce_get(t, a->id, a);
	edit(t, announce_panel(t, t->language, a));
}

static void
stop(struct turn *t)
{
	struct announce a;

	if (!chosen_one(t, &a))
		return;
	if (post_stop(t, a.post))
		audit(t, "announce.stop", a.id);
	show(t, &a);
}

static void
pause(struct turn *t)
{
	struct announce a;

	if (!chosen_one(t, &a))
		return;
	if (post_pause(t, a.post))
		audit(t, "announce.pause", a.id);
	show(t, &a);
}

static void
go(struct turn *t)
{
	struct announce a;

	if (!chosen_one(t, &a))
		return;
	if (post_resume(t, a.post))
		audit(t, "announce.resume", a.id);
	show(t, &a);
}

static void
panel(struct turn *t)
{
	struct announce a;

	if (chosen_one(t, &a))
		say(t, announce_panel(t, t->language, &a));
}

/* Before it began: its approval is void and it never will. */
static void
withdraw(struct turn *t)
{
	struct announce a;

	if (!chosen_one(t, &a))
		return;
	if (a.state == ANNOUNCE_WAITING || a.state == ANNOUNCE_PLANNED) {
		approval_withdraw(t, a.approval);
		job_cancel(t, "announce.start", number_of(t, a.id));
		never(t, a.id, a.post);
		audit(t, "announce.withdraw", a.id);
	}
	show(t, &a);
}

/* The announcement that takes another one back; what the bot does by itself has no author. */
static int64_t
recall_new(struct turn *t, int64_t author, const struct announce *a)
{
	return db_insert(t->db, &add,
	    V(author ? value_integer(author) : VNULL, a->org, a->wide, (int)CLASS_ANNOUNCEMENT, 0,
		t->now, t->now, "", a->zone, "", a->id, 0, ""));
}

/* Out of every digest it stands in. */
static void
recall_digested(struct turn *t, const struct announce *a)
{
	struct announce back;
	int64_t id = recall_new(t, t->person->id, a);

	if (!digest_recall(t, a->id, id)) {
		db_run(t->db, &undo, V(id));
		say(t, words(t, "announce.nothing_left", NULL));
		return;
	}
	db_run(t->db, &set_state, V((int)ANNOUNCE_DIGESTED, t->now, id));
	audit(t, "announce.recall", a->id);
	if (announce_get(t, id, &back))
		say(t, announce_panel(t, t->language, &back));
}

/* Taking every copy back needs one person only: a wrong message must not wait for a second. */
static void
recall(struct turn *t)
{
	struct announce a, back;
	int64_t post;

	if (!chosen_one(t, &a))
		return;
	if (a.state == ANNOUNCE_DIGESTED) {
		recall_digested(t, &a);
		return;
	}
	post = post_recall(t, a.post, false);
	if (!post) {
		say(t, words(t, "announce.nothing_left", NULL));
		return;
	}
	back = (struct announce){.org = a.org, .wide = a.wide, .class = CLASS_ANNOUNCEMENT};
	back.id = recall_new(t, t->person->id, &a);
	db_run(t->db, &link_up, V(0, post, back.id));
	db_run(t->db, &set_state, V((int)ANNOUNCE_GOING, t->now, back.id));
	post_start(t, post, t->now);
	audit(t, "announce.recall", a.id);
	announce_get(t, back.id, &back);
	db_run(t->db, &set_panel,
	    V(tell(t, t->person->id, CLASS_EVENT_CHANGE, 0, announce_panel(t, t->language, &back)),
		back.id));
}

void
announce_take_back(struct turn *t, int64_t id)
{
	const struct feature *was = t->feature;
	struct announce a;
	int64_t post, back;

	if (!announce_get(t, id, &a))
		return;
	t->feature = &feature_announce;
	if (a.state == ANNOUNCE_WAITING || a.state == ANNOUNCE_PLANNED) {
		job_cancel(t, "announce.start", number_of(t, id));
		never(t, id, a.post);
	} else if (a.post && (post = post_recall(t, a.post, false))) {
		back = recall_new(t, PERSON_NOBODY, &a);
		db_run(t->db, &link_up, V(0, post, back));
		db_run(t->db, &set_state, V((int)ANNOUNCE_GOING, t->now, back));
		post_start(t, post, t->now);
	}
	audit(t, "announce.recall", id);
	t->feature = was;
}

static void
prune(struct turn *t)
{
	struct rows *q = db_query(t->db, &unapproved, V(t->now - APPROVE_S - DAY));

	while (db_next(q))
		never(t, db_int(q, 0), db_int(q, 1));
	db_run(t->db, &forget, V(t->now - DAY * conf_number(t->conf, "retention", NULL, "audit")));
}

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_POST)
		stage(t);
	if (what == HAPPENED_ZONES || what == HAPPENED_START)
		zones_changed(t);
}

static const struct conf_key settings[] = {
    {.section = "announce",
	.key = "grace_seconds",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 3600,
	.otherwise = "60"},
    {0},
};
static const struct action actions[] = {
    {"announce.approve", COORDINATORS | ADMINS, look},
    {"announce.give", COORDINATORS | ADMINS, give},
    {"announce.refuse", COORDINATORS | ADMINS, refuse},
    {"announce.panel", COORDINATORS | ADMINS, panel},
    {"announce.stop", COORDINATORS | ADMINS, stop},
    {"announce.pause", COORDINATORS | ADMINS, pause},
    {"announce.go", COORDINATORS | ADMINS, go},
    {"announce.withdraw", COORDINATORS | ADMINS, withdraw},
    {"announce.recall", COORDINATORS | ADMINS, recall},
    {0},
};
static const struct job jobs[] = {
    {.name = "announce.start", .run = start_job},
    {.name = "announce.progress", .run = progress},
    {.name = "announce.prune", .every_s = DAY, .run = prune},
    {0},
};

const struct feature feature_announce = {
    .name = "announce",
    .schema = &schema,
    .statements = statements,
    .settings = settings,
    .actions = actions,
    .jobs = jobs,
    .happened = happened,
};
