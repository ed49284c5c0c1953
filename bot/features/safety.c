/* /safety, /reports: block, report, pause everything, leave now. Whoever reports is seen by nobody
 * whom it concerns; an officer never decides about themselves, and an appeal goes to another one.
 */
#include "meeting.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "core/audit.h"
#include "core/people.h"
#include "store/seal.h"

/* `about` and `decided` are no references: the export of a person's own data follows references,
 * and nobody may read there that they were reported, or by whom. */
static const char *const steps[] = {
    "CREATE TABLE report(id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL,"
    " about INTEGER,"
    " reporter INTEGER REFERENCES person(id) ON DELETE SET NULL,"
    " about_org TEXT NOT NULL, reporter_org TEXT NOT NULL, hashes BLOB NOT NULL,"
    " text BLOB, opened INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0,"
    " banned INTEGER NOT NULL DEFAULT 0,"
    " decided INTEGER) STRICT;"
    "CREATE INDEX report_about ON report(about, closed);",
    NULL,
};
#define RETENTION \
	"[retention] ticket days after it is closed; while it shut somebody out, longer, " \
	"without its text"
static const struct column columns[] = {
    {"report.id", "number of a report", RETENTION, AFTER_RETENTION, true},
    {"report.kind", "from a chat, an unsafe feeling, or an appeal", RETENTION, AFTER_RETENTION},
    {"report.about", "whom it concerns", RETENTION, AFTER_RETENTION, true},
    {"report.reporter", "who reported, to bring word back; shown to nobody", RETENTION,
	AFTER_RETENTION},
    {"report.about_org", "whose officers do not decide it", RETENTION, AFTER_RETENTION, true},
    {"report.reporter_org", "whose officers do not decide it", RETENTION, AFTER_RETENTION},
    {"report.hashes", "keyed hashes of the accounts it concerns: leaving is no way out", RETENTION,
	KEYED_HASH, true},
    {"report.text", "what was written, sealed", RETENTION, AFTER_RETENTION},
    {"report.opened", "when", RETENTION, AFTER_RETENTION},
    {"report.closed", "when decided", RETENTION, AFTER_RETENTION},
    {"report.banned", "whether it ended in shutting out", RETENTION, AFTER_RETENTION, true},
    {"report.decided", "who decided: an appeal goes to another", RETENTION, AFTER_RETENTION, true},
    {0},
};
static const struct schema schema = {"safety", steps, columns};

static struct sql add = {
    "INSERT INTO report(kind, about, reporter, about_org, reporter_org, hashes, text, opened)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?)"};
static struct sql set_text = {
    "UPDATE report SET text = ? WHERE id = ? AND reporter = ? AND closed = 0"};

/* Who may decide report r: an officer whom it does not concern and who did not decide before, best
 * of neither organisation; when there is none, an admin. ?1 is the officer. */
#define STRANGER(p) \
	p ".person IS NOT r.about AND " p \
	  ".person IS NOT r.reporter AND NOT (r.kind = 2 AND EXISTS" \
	  " (SELECT 1 FROM report was WHERE was.about = r.about AND was.banned = 1 AND " \
	  "was.decided = " p ".person))"
#define OUTSIDE(p) \
	"(SELECT org FROM person WHERE id = " p ".person) NOT IN (r.about_org, r.reporter_org)"
#define MAY_DECIDE(who) \
	" EXISTS (SELECT 1 FROM role o WHERE o.person = " who " AND " STRANGER( \
	    "o") " AND (" \
		 "(o.role = 8 AND (" OUTSIDE( \
		     "o") " OR NOT EXISTS (SELECT 1 FROM role x WHERE x.role = 8" \
			  " AND " STRANGER("x") " AND " OUTSIDE( \
			      "x") "))) OR (o.role = 16 AND NOT EXISTS" \
				   " (SELECT 1 FROM role y WHERE y.role = 8 AND " STRANGER( \
				       "y") "))))"

static struct sql open_ones = {
    "SELECT r.id, r.kind FROM report r WHERE r.closed = 0 AND" MAY_DECIDE(
	"?1") " ORDER BY r.id LIMIT 20"};
static struct sql one = {
    "SELECT r.kind, r.about, r.reporter, r.text, r.opened, r.hashes, (SELECT count(DISTINCT "
    "reporter)"
    " FROM report s WHERE s.about = r.about AND s.kind < 2) FROM report r WHERE r.id = ?2"
    " AND r.closed = 0 AND" MAY_DECIDE("?1")};
static struct sql deciders = {
    "SELECT DISTINCT z.person FROM role z JOIN report r ON r.id = ?1 WHERE z.role IN (8, 16) "
    "AND" MAY_DECIDE("z.person") " ORDER BY z.person LIMIT 20"};
static struct sql close = {
    "UPDATE report SET closed = ?, text = NULL, banned = ?, decided = ? WHERE id = ?"};
static struct sql appeal_of = {"SELECT 1 FROM report WHERE about = ? AND kind = 2 AND closed = 0"};
static struct sql left_about = {"UPDATE report SET about = NULL WHERE about = ?"};
static struct sql left_decided = {"UPDATE report SET decided = NULL WHERE decided = ?"};
static struct sql move_about = {"UPDATE report SET about = ?2 WHERE about = ?1"};
static struct sql move_reporter = {"UPDATE report SET reporter = ?2 WHERE reporter = ?1"};
static struct sql prune = {"DELETE FROM report WHERE closed > 0 AND closed < ? AND banned = 0"};
static struct sql *const statements[] = {&add, &set_text, &open_ones, &one, &deciders, &close,
    &appeal_of, &left_about, &left_decided, &prune, &move_about, &move_reporter, NULL};

enum { DAY = 86400, HOURS_48 = 2 * 86400 };

/* ---- reporting ---- */

static struct blob
sealed(struct turn *t, int64_t id, const char *text)
{
	/* Under the state key: it outlives a reporter who had to leave at once. */
	return seal_box(t->seal, t->arena, (struct blob){NULL, 0}, id, "report.text",
	    (struct blob){text, strlen(text)});
}

static void
tell_deciders(struct turn *t, int64_t id)
{
	struct rows *q = db_query(t->db, &deciders, V(id));

	while (db_next(q)) {
		const char *language = language_of(t, db_int(q, 0));
		struct card *card = words_in(t, language, "reports.new", "number",
		    arena_print(t->arena, "%lld", (long long)id), NULL);

		choose_text(t, card, words_flat_in(t, language, "reports.look", NULL),
		    "safety.look", arena_print(t->arena, "%lld", (long long)id));
		tell(t, db_int(q, 0), CLASS_EVENT_CHANGE, t->now + 7 * DAY, card);
	}
}

int64_t
safety_report(struct turn *t, int64_t about, int64_t chat, enum report_kind kind, const char *text)
{
	struct person *by = t->person;
	int64_t id;

	(void)chat;
	id = db_insert(t->db, &add,
	    V((int)kind, about, by->id, people_org(t, about), by->org, people_hashes(t, about),
		VNULL, t->now));
	if (text[0])
		db_run(t->db, &set_text, V(sealed(t, id, text), id, by->id));
	audit_unnamed(t, kind == REPORT_APPEAL ? "report.appeal" : "report.open", id);
	tell_deciders(t, id);
	return id;
}

static void
ask_text(struct turn *t)
{
	struct card *card = words(t, flow_get(t, "appeal")[0] ? "safety.why" : "safety.what", NULL);

	choose_answer(t, card, "safety.nothing_more", "");
	say(t, card);
}

static enum next
answer_text(struct turn *t)
{
	int64_t id = strtoll(flow_get(t, "report"), NULL, 10);

	if (!t->chosen && t->text[0])
		db_run(t->db, &set_text, V(sealed(t, id, t->text), id, t->person->id));
	say(t, words(t, "safety.reported", NULL));
	return DONE;
}

static const struct step text_steps[] = {
    {.name = "what", .ask = ask_text, .answer = answer_text, .takes_numbers = true},
    {0},
};
static const struct flow text_flow = {.name = "safety.text", .steps = text_steps};

/* One tap: the report exists and the chat is over before anything is asked. */
static void
report_chat(struct turn *t)
{
	int64_t chat = strtoll(t->value, NULL, 10), person[4], id = 0;
	int n = relay_others(t, chat, person, 4);

	for (int i = 0; i < n; i++)
		id = safety_report(t, person[i], chat, REPORT_CHAT, "");
	if (!n) {
		edit(t, words(t, "relay.gone", NULL));
		return;
	}
	relay_leave(t, chat, true);
	flow_begin(t, &text_flow);
	flow_set(t, "report", arena_print(t->arena, "%lld", (long long)id));
}

/* ---- /safety ---- */

static void
safety(struct turn *t)
{
	struct card *card = words(t, "safety.title", NULL);

	if (t->person->access & MEMBERS) {
		relay_choices(t, card, "safety.report_chat", "safety.report");
		relay_choices(t, card, "safety.block_chat", "relay.block");
	}
	choose(t, card, "safety.pause", "safety.pause", "");
	choose(t, card, "safety.leave", "safety.leave", "");
	card_same_row(card);
	if (people_is_banned(t, t->person->id))
		choose(t, card, "safety.appeal", "safety.appeal", "");
	say(t, card);
}

static void
pause_all(struct turn *t)
{
	struct card *card = words(t, "pause.stopped", NULL);

	people_pause(t, t->person->id, PAUSED_FOR_GOOD);
	choose(t, card, "pause.resume", "pause.resume", "");
	edit(t, card);
}

/* Somebody may be looking over a shoulder: no question, and one word. */
static void
leave_now(struct turn *t)
{
	struct card *card = words(t, "safety.done", NULL);

	flow_end(t);
	delete_said(t, t->person->id, t->now - HOURS_48);
	people_erase(t, t->person->id);
	say_erased(t, card);
}

static void
appeal(struct turn *t)
{
	if (!people_is_banned(t, t->person->id) || db_exists(t->db, &appeal_of, V(t->person->id))) {
		say(t, words(t, "safety.appealed", NULL));
		return;
	}
	flow_begin(t, &text_flow);
	flow_set(t, "appeal", "1");
	flow_set(t, "report",
	    arena_print(t->arena, "%lld",
		(long long)safety_report(t, t->person->id, 0, REPORT_APPEAL, "")));
}

/* ---- /reports ---- */

static void
reports(struct turn *t)
{
	struct rows *q = db_query(t->db, &open_ones, V(t->person->id));
	struct card *card = words(t, "reports.title", NULL);
	int n = 0;

	for (; db_next(q); n++) {
		char *number = arena_print(t->arena, "%lld", (long long)db_int(q, 0));

		choose_text(t, card,
		    words_flat(t,
			arena_print(t->arena, "reports.kind.%lld", (long long)db_int(q, 1)),
			"number", number, NULL),
		    "safety.look", number);
	}
	say(t, n ? card : words(t, "reports.none", NULL));
}

/* Looked at anew at every press: the rule who may decide stands in the statement. */
struct report {
	int64_t id, about, reporter, opened, reports;
	enum report_kind kind;
	const char *text;
	struct blob hashes;
};

static bool
get(struct turn *t, struct report *r)
{
	char *end;
	int64_t id = strtoll(t->value, &end, 10);
	struct rows *q = db_query(t->db, &one, V(t->person->id, id));
	struct blob plain;

	if (!db_next(q)) {
		edit(t, words(t, "reports.gone", NULL));
		return false;
	}
	plain =
	    seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, id, "report.text", db_blob(q, 3));
	*r = (struct report){.id = id,
	    .kind = (enum report_kind)db_int(q, 0),
	    .about = db_int(q, 1),
	    .reporter = db_int(q, 2),
	    .text = plain.bytes ? arena_copy(t->arena, plain.bytes, plain.length) : NULL,
	    .opened = db_int(q, 4),
	    .hashes = db_blob(q, 5),
	    .reports = db_int(q, 6)};
	db_done(q);
	return true;
}

static void
look(struct turn *t)
{
	struct report r;
	struct card *card;
	char *number;

	if (!get(t, &r))
		return;
	number = arena_print(t->arena, "%lld", (long long)r.id);
	card =
	    words(t, arena_print(t->arena, "reports.kind.%d", (int)r.kind), "number", number, NULL);
	card_line(card, r.text ? words(t, "reports.text", "text", r.text, NULL)
			       : words(t, "reports.no_text", NULL));
	if (r.kind != REPORT_APPEAL)
		card_line(card, words_n(t, "reports.count", r.reports, NULL));
	choose(t, card, "reports.write", "safety.write", number);
	if (r.kind == REPORT_APPEAL) {
		choose(t, card, "reports.back_in", "safety.back_in", number);
		choose(t, card, "reports.stay_out", "safety.close", number);
	} else {
		choose(t, card, "reports.close", "safety.close", number);
		choose(t, card, "reports.ban", "safety.ban_ask", number);
	}
	edit(t, card);
}

static void
ask_answer(struct turn *t)
{
	say(t, words(t, "reports.write_ask", NULL));
}

/* To the one who reported or appealed, role to person, no names. */
static enum next
answer_write(struct turn *t)
{
	struct report r;

	t->value = flow_get(t, "report");
	if (!t->text[0])
		return flow_again(t, "engine.again");
	if (!get(t, &r))
		return DONE;
	tell(t, r.reporter, CLASS_EVENT_CHANGE, t->now + 7 * DAY,
	    words_in(t, language_of(t, r.reporter), "reports.letter", "text", t->text, NULL));
	say(t, words(t, "reports.written", NULL));
	return DONE;
}

static const struct step write_steps[] = {
    {.name = "text", .ask = ask_answer, .answer = answer_write, .takes_numbers = true},
    {0},
};
static const struct flow write_flow = {
    .name = "safety.write", .access = SAFETY | ADMINS, .steps = write_steps};

static void
write_to(struct turn *t)
{
	struct report r;

	if (!get(t, &r))
		return;
	flow_begin(t, &write_flow);
	flow_set(t, "report", arena_print(t->arena, "%lld", (long long)r.id));
}

static void
decide(struct turn *t, const struct report *r, bool banned, const char *action)
{
	db_run(t->db, &close, V(t->now, banned, t->person->id, r->id));
	audit(t, action, r->id);
	if (r->kind != REPORT_APPEAL)
		tell(t, r->reporter, CLASS_EVENT_CHANGE, t->now + 7 * DAY,
		    words_in(t, language_of(t, r->reporter), "reports.looked_at", NULL));
	edit(t, words(t, "reports.decided", NULL));
}

static void
close_report(struct turn *t)
{
	struct report r;

	if (!get(t, &r))
		return;
	decide(t, &r, false, "report.close");
	if (r.kind == REPORT_APPEAL)
		tell(t, r.reporter, CLASS_EVENT_CHANGE, t->now + 7 * DAY,
		    words_in(t, language_of(t, r.reporter), "safety.stays_out", NULL));
}

static void
ban_ask(struct turn *t)
{
	struct report r;
	struct card *card;

	if (!get(t, &r))
		return;
	card = words(t, "reports.ban_ask", NULL);
	choose(t, card, "reports.ban", "safety.ban", t->value);
	choose(t, card, "reports.not_ban", "safety.look", t->value);
	card_same_row(card);
	edit(t, card);
}

/* By keyed hash, so that erasing oneself is no way back; the chats end with the usual sentence. */
static void
ban(struct turn *t)
{
	struct report r;

	if (!get(t, &r) || r.kind == REPORT_APPEAL)
		return;
	people_ban_hashes(t, r.hashes);
	if (r.about && people_exists(t, r.about)) {
		const char *language = language_of(t, r.about);
		struct card *card = words_in(t, language, "safety.out", NULL);

		relay_end_all(t, r.about);
		people_ban(t, r.about);
		people_expel(t, r.about);
		choose_text(t, card, words_flat_in(t, language, "safety.appeal", NULL),
		    "safety.appeal", "");
		tell(t, r.about, CLASS_EVENT_CHANGE, t->now + 7 * DAY, card);
	}
	decide(t, &r, true, "report.ban");
}

static void
back_in(struct turn *t)
{
	struct report r;

	if (!get(t, &r) || r.kind != REPORT_APPEAL)
		return;
	people_unban_hashes(t, r.hashes);
	decide(t, &r, false, "report.unban");
	tell(t, r.reporter, CLASS_EVENT_CHANGE, t->now + 7 * DAY,
	    words_in(t, language_of(t, r.reporter), "safety.may_come_back", NULL));
}

void
safety_move(struct turn *t, int64_t from, int64_t to)
{
	db_run(t->db, &move_about, V(from, to));
	db_run(t->db, &move_reporter, V(from, to));
}

static void
prune_reports(struct turn *t)
{
	db_run(t->db, &prune, V(t->now - DAY * conf_number(t->conf, "retention", NULL, "ticket")));
}

static void
happened(struct turn *t, enum happening what)
{
	if (what != HAPPENED_LEAVING)
		return;
	db_run(t->db, &left_about, V(t->subject));
	db_run(t->db, &left_decided, V(t->subject));
}

static const struct command commands[] = {
    {.name = "safety", .run = safety, .however_late = true},
    {.name = "reports", .access = SAFETY | ADMINS, .run = reports},
    {0},
};
static const struct action actions[] = {
    {"safety.report", MEMBERS, report_chat},
    {"safety.pause", ANYONE, pause_all},
    {"safety.leave", ANYONE, leave_now},
    {"safety.appeal", ANYONE, appeal},
    {"safety.look", SAFETY | ADMINS, look},
    {"safety.write", SAFETY | ADMINS, write_to},
    {"safety.close", SAFETY | ADMINS, close_report},
    {"safety.ban_ask", SAFETY | ADMINS, ban_ask},
    {"safety.ban", SAFETY | ADMINS, ban},
    {"safety.back_in", SAFETY | ADMINS, back_in},
    {0},
};
static const struct flow *const flows[] = {&text_flow, &write_flow, NULL};
static const struct job jobs[] = {
    {.name = "safety.prune", .every_s = DAY, .run = prune_reports},
    {0},
};

const struct feature feature_safety = {
    .name = "safety",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
    .jobs = jobs,
    .happened = happened,
};
