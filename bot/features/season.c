/* A season of stories: opened by an admin with its texts in three languages and its dates, judged,
 * ended, its winners made known through an announcement. */
#include "announce.h"
#include "stories.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/text.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/audit.h"
#include "core/people.h"

static const char *const steps[] = {
    "CREATE TABLE season(id INTEGER PRIMARY KEY AUTOINCREMENT, opened INTEGER NOT NULL,"
    " closes INTEGER NOT NULL, judged INTEGER NOT NULL, final INTEGER NOT NULL DEFAULT 0,"
    " stage INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE season_text(season INTEGER NOT NULL REFERENCES season(id) ON DELETE CASCADE,"
    " which INTEGER NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY(season, which, language)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE season_event(season INTEGER NOT NULL REFERENCES season(id) ON DELETE CASCADE,"
    " event INTEGER NOT NULL, PRIMARY KEY(season, event)) STRICT, WITHOUT ROWID;",
    NULL,
};
#define KEPT "for ever"
static const struct column columns[] = {
    {"season.id", "number of a season", KEPT, NOT_PERSONAL},
    {"season.opened", "when", KEPT, NOT_PERSONAL},
    {"season.closes", "until when stories may be handed in", KEPT, NOT_PERSONAL},
    {"season.judged", "until when judges read", KEPT, NOT_PERSONAL},
    {"season.final", "until when ties are ranked", KEPT, NOT_PERSONAL},
    {"season.stage", "open, in the final, or decided", KEPT, NOT_PERSONAL},
    {"season_text.season", "of which season", KEPT, NOT_PERSONAL},
    {"season_text.which", "prompt, prize, consent or rubric", KEPT, NOT_PERSONAL},
    {"season_text.language", "in which language", KEPT, NOT_PERSONAL},
    {"season_text.text", "what an admin wrote for everybody", KEPT, NOT_PERSONAL},
    {"season_event.season", "whose stories it shows", KEPT, NOT_PERSONAL},
    {"season_event.event", "an event that is an exhibition", KEPT, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"season", steps, columns};

#define FIELDS "SELECT id, closes, judged, final, stage FROM season "
static struct sql newest = {FIELDS "ORDER BY id DESC LIMIT 1"};
static struct sql by_id = {FIELDS "WHERE id = ?"};
static struct sql add = {"INSERT INTO season(opened, closes, judged) VALUES(?, ?, ?)"};
static struct sql add_text = {
    "INSERT INTO season_text(season, which, language, text) VALUES(?, ?, ?, ?)"};
static struct sql drop_text = {
    "DELETE FROM season_text WHERE season = ? AND which = ? AND language = ?"};
/* Under this consent text somebody has handed in; by this rubric somebody has judged. */
static struct sql consented = {"SELECT 1 FROM story WHERE season = ? AND state > 0"};
static struct sql judged_by = {
    "SELECT 1 FROM story_vote v JOIN story s ON s.id = v.story WHERE s.season = ?"};
static struct sql texts = {"SELECT language, text FROM season_text WHERE season = ? AND which = ?"};
static struct sql counts = {
    "SELECT count(*) FILTER (WHERE state IN (1, 2)), count(*) FILTER (WHERE state = 3) FROM story"
    " WHERE season = ?"};
static struct sql winners = {
    "SELECT id FROM story WHERE season = ? AND rank > 0 AND state = 3 ORDER BY rank"};
static struct sql add_event = {"INSERT OR IGNORE INTO season_event(season, event) VALUES(?, ?)"};
static struct sql events_ahead = {
    "SELECT id, title FROM event WHERE finish > ? AND cancelled = 0 AND NOT EXISTS (SELECT 1"
    " FROM hosted h WHERE h.event = event.id AND h.audience <> 0) ORDER BY start LIMIT 8"};
static struct sql *const statements[] = {&newest, &by_id, &add, &add_text, &drop_text, &consented,
    &judged_by, &texts, &counts, &winners, &add_event, &events_ahead, NULL};

enum { FINAL_DAYS = 14, TEXT_SCALARS = 1500, CRITERIA = 4, LANGUAGES = 16 };

/* ---- what the others ask ---- */

static bool
read_row(struct rows *q, struct season *s)
{
	bool found = db_next(q);

	if (found)
		*s = (struct season){.id = db_int(q, 0),
		    .closes = db_int(q, 1),
		    .judged = db_int(q, 2),
		    .final = db_int(q, 3),
		    .stage = (enum season_stage)db_int(q, 4)};
	db_done(q);
	return found;
}

bool
season_now(struct turn *t, struct season *season)
{
	return read_row(db_query(t->db, &newest, NONE), season);
}

bool
season_get(struct turn *t, int64_t id, struct season *season)
{
	return read_row(db_query(t->db, &by_id, V(id)), season);
}

static const char *
text_in(struct turn *t, const char *language, int64_t season, enum season_text which)
{
	struct translated found[8];
	size_t n = 0;
	struct rows *q = db_query(t->db, &texts, V(season, (int)which));
	const char *text;

	while (db_next(q) && n < 8) {
		found[n++] = (struct translated){db_text(q, 0), db_text(q, 1)};
		if (n == 8)
			db_done(q);
	}
	text = translation(t, language, found, n, NULL);
	if (text)
		return text;
	return which == SEASON_CONSENT ? words_flat_in(t, language, "season.consent", NULL) : "";
}

const char *
season_text(struct turn *t, int64_t season, enum season_text which)
{
	return text_in(t, t->language, season, which);
}

/* Line by line of the admin's rubric, else the usual four. */
const char *
season_criterion(struct turn *t, int64_t season, int which)
{
	const char *line = season_text(t, season, SEASON_RUBRIC);

	for (int i = 0; i < which && line; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (line && *line)
		return arena_copy(t->arena, line, strcspn(line, "\n"));
	return words_flat(t, arena_print(t->arena, "season.criterion.%d", which), NULL);
}

/* ---- the admin's card ---- */

static const char *
day_in(struct turn *t, const char *language, int64_t at)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");

	return clock_date(t->arena, language, zone_find(t->zones, zones[0]), at - 1);
}

static const char *
day(struct turn *t, int64_t at)
{
	return day_in(t, t->language, at);
}

static const char *
digits(struct turn *t, int64_t n)
{
	return arena_print(t->arena, "%lld", (long long)n);
}

static void
menu(struct turn *t)
{
	struct season s;
	struct card *card;
	struct rows *q;

	if (!season_now(t, &s)) {
		card = words(t, "season.none", NULL);
		choose(t, card, "season.new", "season.new", "");
		say(t, card);
		return;
	}
	q = db_query(t->db, &counts, V(s.id));
	db_next(q);
	card = words(t, arena_print(t->arena, "season.stage.%d", (int)s.stage), "closes",
	    day(t, s.closes), "judged", day(t, s.stage == SEASON_FINAL ? s.final : s.judged), NULL);
	card_line(
	    card, words(t, "season.counts", "waiting", digits(t, db_int(q, 0)), "live",
		      digits(t, db_int(q, 1)), "enough", digits(t, judge_enough(t, s.id)), NULL));
	db_done(q);
	if (s.stage == SEASON_OPEN && t->now < s.closes)
		choose(t, card, "season.call", "season.call", digits(t, s.id));
	if (s.stage != SEASON_WON)
		choose(t, card, "season.texts", "season.texts", digits(t, s.id));
	if (s.stage == SEASON_OPEN)
		choose(t, card, "season.end_judging", "season.end_ask", digits(t, s.id));
	if (s.stage == SEASON_FINAL)
		choose(t, card, "season.end_final", "season.end_ask", digits(t, s.id));
	if (s.stage == SEASON_WON) {
		choose(t, card, "season.announce", "season.announce", digits(t, s.id));
		choose(t, card, "season.new", "season.new", "");
	}
	choose(t, card, "season.exhibition", "season.events", digits(t, s.id));
	choose(t, card, "season.export", "stories.export", "");
	say(t, card);
}

static void
end_ask(struct turn *t)
{
	struct card *card = words(t, "season.end_ask", NULL);

	choose(t, card, "engine.yes", "season.end", t->value);
	choose(t, card, "engine.no", "season.menu", "");
	card_same_row(card);
	edit(t, card);
}

/* To each winner, before anybody else. */
static void
tell_winners(struct turn *t, int64_t season)
{
	struct rows *q = db_query(t->db, &winners, V(season));
	struct story s;

	while (db_next(q))
		if (story_get(t, db_int(q, 0), &s))
			tell(t, s.person, CLASS_REMINDER, t->now + 30 * STORY_DAY,
			    words_in(t, language_of(t, s.person), "season.you_won", "number",
				digits(t, s.number), NULL));
}

static void
order_reminders(struct turn *t, int64_t season, int64_t until)
{
	static const int before[] = {7, 3, 1, 0};

	for (int i = 0; i < 4; i++)
		if (until - before[i] * STORY_DAY > t->now)
			job_at(t, "season.clock",
			    arena_print(t->arena, "%lld %d", (long long)season, before[i]),
			    until - before[i] * STORY_DAY, digits(t, season));
}

static void
end_stage(struct turn *t, struct season *s)
{
	judge_end(t, s);
	if (season_get(t, s->id, s) && s->stage == SEASON_WON)
		tell_winners(t, s->id);
	else
		order_reminders(t, s->id, s->final);
	audit(t, "season.end", s->id);
}

static void
end(struct turn *t)
{
	struct season s;

	if (season_get(t, strtoll(t->value, NULL, 10), &s) && s.stage != SEASON_WON)
		end_stage(t, &s);
	menu(t);
}

/* A winner that may be named outside. */
static bool
may_be_named(const struct story *s)
{
	return s->until[USE_WEBSITE] || s->until[USE_SOCIAL];
}

/* Only what the winner lets the world see; a place without a name is a place all the same. */
static const char *
winners_text(struct turn *t, const char *language, int64_t season)
{
	const char *text = words_flat_in(t, language, "season.winners", NULL);
	struct rows *q = db_query(t->db, &winners, V(season));
	struct story s;

	while (db_next(q)) {
		const char *line = words_flat_in(t, language, "season.unseen", NULL);

		if (!story_get(t, db_int(q, 0), &s))
			continue;
		if (may_be_named(&s)) {
			const char *by = s.until[USE_NAME] && s.name[0] ? s.name : s.pseudonym;

			line = arena_print(t->arena, "%s · %s", text_isolate(t->arena, s.title),
			    text_isolate(t->arena, by));
		}
		text = arena_print(t->arena, "%s\n%lld. %s", text, (long long)s.rank, line);
	}
	return text;
}

/* Handed in like any other announcement: a second admin reads and approves it. Its number. */
static int64_t
hand_in(struct turn *t, const char *const *text)
{
	struct audience audience = {.consent = CONSENT_ANNOUNCEMENTS};
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	struct announce a = {.author = t->person->id,
	    .org = "",
	    .wide = true,
	    .class = CLASS_ANNOUNCEMENT,
	    .wall = "",
	    .rooms = "",
	    .zone = zones[0],
	    .audience = audience_pack(t, &audience)};
	int64_t id = announce_hand_in(t, &a, text, words_language(t->words, 0));

	say(t, words(t, "season.announced", "number", digits(t, id), NULL));
	return id;
}

static void
winners_told(struct turn *t, int64_t season, int64_t announcement)
{
	struct rows *q = db_query(t->db, &winners, V(season));
	struct story s;

	while (db_next(q))
		if (story_get(t, db_int(q, 0), &s) && may_be_named(&s))
			story_told_in(t, &s, announcement);
}

static void
announce(struct turn *t)
{
	struct season s;
	const char *text[LANGUAGES] = {0};

	if (!season_get(t, strtoll(t->value, NULL, 10), &s) || s.stage != SEASON_WON ||
	    announce_must_confirm(t, "season.announce", t->value))
		return;
	for (int i = 0; i < words_count(t->words) && i < LANGUAGES; i++)
		text[i] = winners_text(t, words_language(t->words, i), s.id);
	winners_told(t, s.id, hand_in(t, text));
}

/* Everybody who asked for announcements hears that a season is open. */
static void
call(struct turn *t)
{
	struct season s;
	const char *text[LANGUAGES] = {0};

	if (!season_get(t, strtoll(t->value, NULL, 10), &s) || s.stage != SEASON_OPEN ||
	    t->now >= s.closes) {
		menu(t);
		return;
	}
	if (announce_must_confirm(t, "season.call", t->value))
		return;
	for (int i = 0; i < words_count(t->words) && i < LANGUAGES; i++) {
		const char *language = words_language(t->words, i);

		text[i] = arena_print(t->arena, "%s\n\n%s",
		    words_flat_in(t, language, "season.call_text", "date",
			day_in(t, language, s.closes), NULL),
		    text_in(t, language, s.id, SEASON_PROMPT));
	}
	hand_in(t, text);
}

/* ---- exhibitions ---- */

static void
choose_event(struct turn *t)
{
	int64_t season = strtoll(t->value, NULL, 10);
	struct rows *q = db_query(t->db, &events_ahead, V(t->now));
	struct card *card = words(t, "season.which_event", NULL);
	int n = 0;

	for (; db_next(q); n++)
		choose_text(t, card, text_isolate(t->arena, db_text(q, 1)), "season.exhibit",
		    arena_print(t->arena, "%lld %lld", (long long)season, (long long)db_int(q, 0)));
	say(t, n ? card : words(t, "season.no_event", NULL));
}

static void
exhibit(struct turn *t)
{
	char *at;
	int64_t season = strtoll(t->value, &at, 10);
	struct season s;

	if (season_get(t, season, &s))
		db_run(t->db, &add_event, V(season, strtoll(at, NULL, 10)));
	edit(t, words(t, "season.exhibits", NULL));
}

/* ---- a new season ---- */

static int
place(struct turn *t)
{
	return (int)strtol(flow_get(t, "at"), NULL, 10);
}

static char *
field(struct turn *t, int at)
{
	return arena_print(t->arena, "text%d", at);
}

/* Four texts in each language, one after another. */
static void
ask_texts(struct turn *t)
{
	int at = place(t), languages = words_count(t->words);
	const char *language = words_language(t->words, at % languages);
	struct card *card = words(t, arena_print(t->arena, "season.ask.%d", at / languages),
	    "language", words_flat_in(t, language, "language.name", NULL), NULL);

	if (at)
		choose_answer(t, card, "engine.back", "back");
	if (at / languages > SEASON_PRIZE)
		choose_answer(t, card, "season.usual", "none");
	else if (at)
		choose_answer(t, card, "season.without", "none");
	say(t, card);
}

static enum next
answer_texts(struct turn *t)
{
	int at = place(t), last = SEASON_TEXTS * words_count(t->words);

	if (t->chosen) {
		at += !strcmp(t->value, "back") ? -1 : 1;
		if (at > place(t))
			flow_set(t, field(t, place(t)), NULL);
	} else if (t->text[0] && text_scalars(t->text) <= TEXT_SCALARS) {
		flow_set(t, field(t, at), t->text);
		at++;
	} else {
		say(t, words_n(t, "story.too_long", TEXT_SCALARS, NULL));
	}
	flow_set(t, "at", digits(t, at < last ? at : last - 1));
	return at < last ? AGAIN : NEXT;
}

static void
ask_closes(struct turn *t)
{
	say(t, words(t, "season.ask_closes", NULL));
}

static void
ask_judged(struct turn *t)
{
	say(t, words(t, "season.ask_judged", NULL));
}

/* The end of that day on the first clock. */
static enum next
take_day(struct turn *t, const char *name, int64_t after)
{
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	struct civil civil;
	int64_t at;

	if (!clock_parse(t->text, &civil))
		return flow_again(t, "offers.bad_day");
	civil = civil_date(civil_days(civil.year, civil.month, civil.day) + 1);
	at = zone_instant(zone_find(t->zones, zones[0]), &civil);
	if (at <= after)
		return flow_again(t, "offers.past_day");
	flow_set(t, name, digits(t, at));
	return NEXT;
}

static enum next
answer_closes(struct turn *t)
{
	return take_day(t, "closes", t->now);
}

static enum next
answer_judged(struct turn *t)
{
	return take_day(t, "judged", strtoll(flow_get(t, "closes"), NULL, 10));
}

static void
ask_open(struct turn *t)
{
	struct card *card =
	    words(t, "season.ask_open", "closes", day(t, strtoll(flow_get(t, "closes"), NULL, 10)),
		"judged", day(t, strtoll(flow_get(t, "judged"), NULL, 10)), NULL);

	choose_answer(t, card, "season.open", "yes");
	say(t, card);
}

static enum next
answer_open(struct turn *t)
{
	int64_t closes = strtoll(flow_get(t, "closes"), NULL, 10);
	int64_t judged = strtoll(flow_get(t, "judged"), NULL, 10), id;
	int languages = words_count(t->words);

	if (!t->chosen)
		return flow_again(t, "relay.tap");
	id = db_insert(t->db, &add, V(t->now, closes, judged));
	for (int i = 0; i < SEASON_TEXTS * languages; i++) {
		const char *text = flow_get(t, field(t, i));

		if (text[0])
			db_run(t->db, &add_text,
			    V(id, i / languages, words_language(t->words, i % languages), text));
	}
	order_reminders(t, id, judged);
	audit(t, "season.open", id);
	say(t, words(t, "season.opened", NULL));
	return DONE;
}

static const struct step new_steps[] = {
    {.name = "texts", .ask = ask_texts, .answer = answer_texts, .takes_numbers = true},
    {.name = "closes", .ask = ask_closes, .answer = answer_closes, .takes_numbers = true},
    {.name = "judged", .ask = ask_judged, .answer = answer_judged, .takes_numbers = true},
    {.name = "open", .ask = ask_open, .answer = answer_open},
    {0},
};
static const struct flow new_flow = {.name = "season.new", .access = ADMINS, .steps = new_steps};

static void
begin_new(struct turn *t)
{
	struct season s;

	if (season_now(t, &s) && s.stage != SEASON_WON)
		menu(t);
	else
		flow_begin(t, &new_flow);
}

/* ---- its texts, changed later ---- */

/* What authors and judges have relied on stays as it was. */
static bool
frozen(struct turn *t, int64_t season, int which)
{
	return (which == SEASON_CONSENT && db_exists(t->db, &consented, V(season))) ||
	       (which == SEASON_RUBRIC && db_exists(t->db, &judged_by, V(season)));
}

static const char *
text_name(struct turn *t, int which, const char *language)
{
	return arena_print(t->arena, "%s · %s",
	    words_flat(t, arena_print(t->arena, "season.text.%d", which), NULL),
	    words_flat_in(t, language, "language.name", NULL));
}

static void
choose_change(struct turn *t)
{
	int64_t season = strtoll(t->value, NULL, 10);
	struct card *card = words(t, "season.which_text", NULL);

	for (int which = 0; which < SEASON_TEXTS; which++)
		for (int i = 0; i < words_count(t->words) && !frozen(t, season, which); i++) {
			choose_text(t, card, text_name(t, which, words_language(t->words, i)),
			    "season.change",
			    arena_print(t->arena, "%lld %d %d", (long long)season, which, i));
			if (i)
				card_same_row(card);
		}
	say(t, card);
}

/* "SEASON WHICH LANGUAGE" of a button or of the flow; false: not now, or no such text. */
static bool
text_at(struct turn *t, const char *value, struct season *s, int *which, const char **language)
{
	char *at;
	int64_t season = strtoll(value, &at, 10);
	long l;

	*which = (int)strtol(at, &at, 10);
	l = strtol(at, NULL, 10);
	if (*which < 0 || *which >= SEASON_TEXTS || l < 0 || l >= words_count(t->words) ||
	    !season_get(t, season, s) || s->stage == SEASON_WON || frozen(t, season, *which))
		return false;
	*language = words_language(t->words, (int)l);
	return true;
}

static void
ask_change(struct turn *t)
{
	struct season s;
	const char *language;
	int which;
	struct card *card;

	if (!text_at(t, flow_get(t, "text"), &s, &which, &language)) {
		say(t, words(t, "season.frozen", NULL));
		flow_end(t);
		return;
	}
	card = words(t, "season.ask_change", "what", text_name(t, which, language), NULL);
	card_text(card, "\n\n", 0);
	card_lines(card, text_in(t, language, s.id, (enum season_text)which));
	if (which != SEASON_PROMPT)
		choose_answer(
		    t, card, which > SEASON_PRIZE ? "season.usual" : "season.without", "none");
	say(t, card);
}

static enum next
answer_change(struct turn *t)
{
	struct season s;
	const char *language;
	int which;
	struct card *card;

	if (!text_at(t, flow_get(t, "text"), &s, &which, &language)) {
		say(t, words(t, "season.frozen", NULL));
		return DONE;
	}
	if (!t->chosen && (!t->text[0] || text_scalars(t->text) > TEXT_SCALARS)) {
		say(t, words_n(t, "story.too_long", TEXT_SCALARS, NULL));
		return AGAIN;
	}
	db_run(t->db, &drop_text, V(s.id, which, language));
	if (!t->chosen)
		db_run(t->db, &add_text, V(s.id, which, language, t->text));
	audit(t, "season.text", s.id);
	card = words(t, "season.changed", NULL);
	choose(t, card, "stories.season_menu", "season.menu", "");
	say(t, card);
	return DONE;
}

static const struct step change_steps[] = {
    {.name = "text", .ask = ask_change, .answer = answer_change, .takes_numbers = true},
    {0},
};
static const struct flow change_flow = {
    .name = "season.change", .access = ADMINS, .steps = change_steps};

static void
begin_change(struct turn *t)
{
	const char *value = t->value;

	flow_begin(t, &change_flow);
	flow_set(t, "text", value);
}

/* ---- the clock ---- */

struct remind {
	struct season *season;
};

static void
remind(struct turn *t, int64_t person, void *ctx)
{
	struct remind *r = ctx;
	int64_t left = judge_left(t, r->season->id, person);
	const char *language = language_of(t, person);
	struct card *card;

	if (!left)
		return;
	card = words_n_in(t, language, "season.remind", left, NULL);
	choose_text(t, card, words_flat_in(t, language, "judge.go", NULL), "judge.next", "");
	tell(t, person, CLASS_REMINDER, t->now + STORY_DAY, card);
}

/* Reminders to judges who have something left, and the end. */
static void
clock_job(struct turn *t)
{
	struct season s;
	int64_t until;

	if (!season_get(t, strtoll(t->value, NULL, 10), &s) || s.stage == SEASON_WON)
		return;
	until = s.stage == SEASON_FINAL ? s.final : s.judged;
	if (t->now < until) {
		people_each(t, JUDGES, NULL, 1000, remind, &(struct remind){&s});
		return;
	}
	end_stage(t, &s);
}

static const struct action actions[] = {
    {"season.menu", ADMINS, menu},
    {"season.new", ADMINS, begin_new},
    {"season.end_ask", ADMINS, end_ask},
    {"season.end", ADMINS, end},
    {"season.announce", ADMINS, announce},
    {"season.call", ADMINS, call},
    {"season.texts", ADMINS, choose_change},
    {"season.change", ADMINS, begin_change},
    {"season.events", ADMINS, choose_event},
    {"season.exhibit", ADMINS, exhibit},
    {0},
};
static const struct flow *const flows[] = {&new_flow, &change_flow, NULL};
static const struct job jobs[] = {
    {.name = "season.clock", .run = clock_job},
    {0},
};

const struct feature feature_season = {
    .name = "season",
    .schema = &schema,
    .statements = statements,
    .actions = actions,
    .flows = flows,
    .jobs = jobs,
};
