/* Posts: what the features see. The table counts for itself how its deliveries end, whatever code
 * ends them, so that a report adds up by construction. */
#include "core/post.h"

#include "core.h"

#include <string.h>

/* Of a delivery: waiting, trying or planned. */
#define OPEN(row) row ".state IN (0, 1, 6)"
#define COUNT_ONE(state) \
	"INSERT INTO post_count(post, network, language, state, reason, n)" \
	" VALUES(OLD.post, OLD.network, OLD.language, " state ", 1)" \
	" ON CONFLICT DO UPDATE SET n = n + 1;"

static const char *const post_steps[] = {
    "ALTER TABLE post ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE post ADD COLUMN op INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE post ADD COLUMN class INTEGER NOT NULL DEFAULT 6;"
    "ALTER TABLE post ADD COLUMN original INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE post ADD COLUMN audience TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE post ADD COLUMN place INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE post ADD COLUMN total INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE post ADD COLUMN due INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE post ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE post ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX post_open ON post(id) WHERE stage BETWEEN 1 AND 5;"
    "ALTER TABLE delivery ADD COLUMN language TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE post_text ADD COLUMN choices INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX delivery_planned ON delivery(post, network) WHERE state = 6;"
    "CREATE TABLE post_count(post INTEGER NOT NULL REFERENCES post(id) ON DELETE CASCADE,"
    " network INTEGER NOT NULL, language TEXT NOT NULL, state INTEGER NOT NULL,"
    " reason INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY(post, network, language, state, reason)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER post_fate AFTER UPDATE OF state ON delivery WHEN NEW.post IS NOT NULL"
    " AND NEW.state BETWEEN 2 AND 8 AND NEW.state <> 6 AND " OPEN("OLD") " BEGIN " COUNT_ONE(
	"NEW.state, NEW.refusal") " END;"
				  /* The person was erased: the row goes, the number stays. */
				  "CREATE TRIGGER post_erased AFTER DELETE ON delivery WHEN "
				  "OLD.post IS NOT NULL"
				  " AND EXISTS (SELECT 1 FROM post WHERE id = OLD.post) AND " OPEN(
				      "OLD") " BEGIN " COUNT_ONE("8, 0") " END;",
    "ALTER TABLE post ADD COLUMN rooms TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE post ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;",
    NULL,
};
#define REPORT "with its report"
static const struct column post_columns[] = {
    {"post.stage", "how far it is", REPORT, NOT_PERSONAL},
    {"post.op", "sends, replaces or deletes", REPORT, NOT_PERSONAL},
    {"post.class", "how its deliveries behave", REPORT, NOT_PERSONAL},
    {"post.original", "a recall: the post it takes back", REPORT, NOT_PERSONAL},
    {"post.audience", "chips that say who gets it", REPORT, NOT_PERSONAL},
    {"post.place", "how far freezing has come", REPORT, NOT_PERSONAL},
    {"post.total", "how many recipients were frozen", REPORT, NOT_PERSONAL},
    {"post.due", "not before", REPORT, NOT_PERSONAL},
    {"post.expires", "not after", REPORT, NOT_PERSONAL},
    {"post.ended", "when its last delivery ended", REPORT, NOT_PERSONAL},
    {"post.rooms", "rooms it is posted into", REPORT, NOT_PERSONAL},
    {"post.listed", "whether its recipients are listed one by one", REPORT, NOT_PERSONAL},
    {"delivery.language", "in which language, for the report", "with its post", AFTER_RETENTION},
    {"post_text.choices", "the choices under it", REPORT, NOT_PERSONAL},
    {"post_count.post", "which post", REPORT, NOT_PERSONAL},
    {"post_count.network", "on which network", REPORT, NOT_PERSONAL},
    {"post_count.language", "in which language", REPORT, NOT_PERSONAL},
    {"post_count.state", "how they ended", REPORT, NOT_PERSONAL},
    {"post_count.reason", "why", REPORT, NOT_PERSONAL},
    {"post_count.n", "how many", REPORT, NOT_PERSONAL},
    {0},
};
const struct schema post_schema = {"post", post_steps, post_columns};

static struct sql add = {"INSERT INTO post(feature, made, op, class, original, expires)"
			 " VALUES(?, ?, ?, ?, ?, ?)"};
static struct sql set_text = {
    "INSERT OR REPLACE INTO post_text(post, language, body, choices) VALUES(?, ?, ?, ?)"};
static struct sql last_choices = {"SELECT max(id) FROM choice_set"};
static struct sql has_text = {"SELECT 1 FROM post_text WHERE post = ?"};
static struct sql get_text = {"SELECT body FROM post_text WHERE post = ? AND language = ?"};
static struct sql set_audience = {"UPDATE post SET audience = ? WHERE id = ? AND stage = 0"};
static struct sql set_rooms = {"UPDATE post SET rooms = ? WHERE id = ? AND stage = 0"};
static struct sql listed = {
    "UPDATE post SET listed = 1, total = total + 1 WHERE id = ? AND stage = 0 RETURNING class"};
static struct sql list = {
    "INSERT INTO delivery(id, network, person, account, chat, op, class, rank, state, born, due,"
    " expires, post, target, language) VALUES(?1, ?2, ?3, ?4, ?4, 0, ?5, ?6, 6, ?7, 0, ?8, ?9, 0,"
    " ?10)"};
static struct sql backlog = {
    "SELECT count(*) FROM delivery WHERE state = 6 AND network = ?1 AND post IN"
    " (SELECT id FROM post WHERE stage BETWEEN 1 AND 3)"};
static struct sql start = {"UPDATE post SET stage = 1, due = ?2, place = 0,"
			   " expires = iif(expires = 0, ?3, expires) WHERE id = ?1 AND stage = 0"};
static struct sql pause = {"UPDATE post SET stage = 4 WHERE id = ? AND stage IN (2, 3)"};
static struct sql resume = {"UPDATE post SET stage = 2 WHERE id = ? AND stage = 4"};
static struct sql stop = {"UPDATE post SET stage = 5 WHERE id = ? AND stage IN (1, 2, 3, 4)"};
static struct sql drop = {"UPDATE post SET stage = 6, ended = ? WHERE id = ? AND stage = 0"};
static struct sql get = {"SELECT stage, original, due, expires, ended, total, class FROM post"
			 " WHERE id = ? AND feature = ?"};
static struct sql take_back = {
    "SELECT 1 FROM delivery WHERE post = ? AND op = 0 AND state IN (1, 2, 5)"};
static struct sql in_air = {"SELECT count(*) FROM delivery WHERE state = 1 AND post = ?"};
static struct sql counts = {
    "SELECT coalesce(w.name, ''), c.language, c.state, c.reason, c.n FROM post_count c"
    " LEFT JOIN network w ON w.number = c.network WHERE c.post = ? ORDER BY 1, 2, 3, 4"};
static struct sql feature_of = {"SELECT 1 FROM post WHERE id = ? AND feature = ?"};
struct sql *const post_statements[] = {&add, &set_text, &last_choices, &has_text, &get_text,
    &set_audience, &start, &pause, &resume, &stop, &drop, &get, &take_back, &in_air, &counts,
    &feature_of, &set_rooms, &listed, &list, &backlog, NULL};

static int64_t
make(struct turn *t, enum op op, enum class class, int64_t original, int64_t expires)
{
	return db_insert(
	    t->db, &add, V(t->feature->name, t->now, (int)op, (int)class, original, expires));
}

int64_t
post_new(struct turn *t, enum class class, int64_t expires)
{
	return make(t, OP_SEND, class, 0, expires);
}

void
post_say(struct turn *t, int64_t post, const char *language, struct card *card)
{
	struct parcel parcel = {.language = language, .card = card};

	int64_t choices = 0;

	say_mark(t, language, card);
	post_file_add(t, post, card);
	if (card->choices) {
		parcel.set = converse_offer(t, card, 0, 0);
		choices = db_number(t->db, &last_choices, NONE, 0);
	}
	outbox_forget_texts(t->engine);
	db_run(t->db, &set_text, V(post, language, outbox_post_body(t, post, &parcel), choices));
}

const struct card *
post_card(struct turn *t, int64_t post, const char *language)
{
	struct rows *q = db_query(t->db, &get_text, V(post, language));
	const struct card *card = NULL;

	if (db_next(q))
		card = outbox_post_card(t, post, db_blob(q, 0));
	db_done(q);
	return card;
}

bool
post_fits(struct turn *t, const struct card *card)
{
	size_t least = MESSAGE_SCALARS;

	for (int i = 0; i < t->engine->network_count; i++) {
		const struct transport *transport = t->engine->networks[i].transport;
		size_t most = card->file && transport->caption_scalars ? transport->caption_scalars
								       : transport->text_scalars;

		least = most < least ? most : least;
	}
	return card_split(t->arena, card, least)[1] == NULL;
}

void
post_audience(struct turn *t, int64_t post, const struct audience *audience)
{
	db_run(t->db, &set_audience, V(audience_pack(t, audience), post));
}

void
post_rooms(struct turn *t, int64_t post, const char *rooms)
{
	db_run(t->db, &set_rooms, V(rooms, post));
}

bool
post_add(struct turn *t, int64_t post, int64_t person)
{
	struct network *network = NULL;
	int64_t account = people_account(t, person, &network), class;

	if (!account)
		return false;
	class = db_number(t->db, &listed, V(post), -1);
	if (class < 0)
		return false;
	db_run(t->db, &list,
	    V(t->engine->next_delivery++, network->number, person, account, class,
		outbox_rank((enum class) class, false), t->now,
		t->now + outbox_expires_s((enum class) class), post, language_of(t, person)));
	return true;
}

/* Deleting needs no words, but the outbox wants a body for each operation. */
static void
say_nothing(struct turn *t, int64_t post)
{
	struct parcel parcel = {0};

	if (!db_exists(t->db, &has_text, V(post)))
		db_run(t->db, &set_text, V(post, "", outbox_post_body(t, post, &parcel), 0));
}

void
post_start(struct turn *t, int64_t post, int64_t due)
{
	struct post_report report;
	int64_t from = due > t->now ? due : t->now, lasts = outbox_expires_s(CLASS_ANNOUNCEMENT);

	if (!post_report(t, post, &report)) {
		turn_fail(t, "post: a post of another feature is started");
		return;
	}
	say_nothing(t, post);
	db_run(t->db, &start, V(post, due, from + lasts));
	post_feed_poke(t->engine);
}

bool
post_pause(struct turn *t, int64_t post)
{
	if (!db_run(t->db, &pause, V(post)))
		return false;
	post_feed_take_back(t, post, STATE_PLANNED);
	post_feed_poke(t->engine);
	return true;
}

bool
post_resume(struct turn *t, int64_t post)
{
	if (!db_run(t->db, &resume, V(post)))
		return false;
	post_feed_poke(t->engine);
	return true;
}

bool
post_stop(struct turn *t, int64_t post)
{
	if (!db_run(t->db, &stop, V(post)))
		return false;
	post_feed_take_back(t, post, STATE_STOPPED);
	post_feed_poke(t->engine);
	return true;
}

void
post_drop(struct turn *t, int64_t post)
{
	db_run(t->db, &drop, V(t->now, post));
	post_file_lift(t, post);
}

int64_t
post_recall(struct turn *t, int64_t of, bool replace)
{
	if (!db_exists(t->db, &feature_of, V(of, t->feature->name)))
		return 0;
	post_stop(t, of);
	if (!db_exists(t->db, &take_back, V(of)))
		return 0;
	return make(t, replace ? OP_EDIT : OP_DELETE, CLASS_SERVICE, of, 0);
}

static void
add_count(struct turn *t, const struct post_count *count, void *ctx)
{
	struct post_report *r = ctx;

	(void)t;
	switch (count->fate) {
	case POST_DELIVERED:
		r->delivered += count->n;
		break;
	case POST_REFUSED:
		r->refused += count->n;
		break;
	case POST_EXPIRED:
		r->expired += count->n;
		break;
	case POST_DOUBT:
		r->doubt += count->n;
		break;
	case POST_STOPPED_BEFORE:
		r->stopped += count->n;
		break;
	case POST_LEFT:
		r->left += count->n;
		break;
	case POST_SKIPPED:
		if (count->reason > 0 && count->reason < SKIP_COUNT)
			r->skipped[count->reason] += count->n;
		break;
	}
}

bool
post_report(struct turn *t, int64_t post, struct post_report *report)
{
	struct rows *q = db_query(t->db, &get, V(post, t->feature->name));
	int64_t total, ended;

	if (!db_next(q))
		return false;
	*report = (struct post_report){
	    .stage = (enum post_stage)db_int(q, 0),
	    .of = db_int(q, 1),
	    .due = db_int(q, 2),
	    .expires = db_int(q, 3),
	    .ended = db_int(q, 4),
	};
	total = db_int(q, 5);
	db_done(q);
	post_each(t, post, add_count, report);
	ended = report->delivered + report->refused + report->expired + report->doubt +
		report->stopped + report->left;
	if (ended < total)
		report->in_air = db_number(t->db, &in_air, V(post), 0);
	report->waiting = total - ended - report->in_air;
	report->audience = total;
	for (int i = 0; i < SKIP_COUNT; i++)
		report->audience += report->skipped[i];
	return true;
}

void
post_each(struct turn *t, int64_t post,
    void (*each)(struct turn *t, const struct post_count *count, void *ctx), void *ctx)
{
	struct rows *q = db_query(t->db, &counts, V(post));

	while (db_next(q)) {
		struct post_count count = {db_text(q, 0), db_text(q, 1),
		    (enum post_fate)db_int(q, 2), (int)db_int(q, 3), db_int(q, 4)};

		each(t, &count, ctx);
	}
}

int64_t
post_seconds(struct turn *t, int64_t recipients, const char *network)
{
	struct network *n = network_named(t->engine, network);
	double rate = n ? n->transport->per_second : 0;

	if (rate <= 0)
		return 0;
	recipients += db_number(t->db, &backlog, V(n->number), 0);
	return (int64_t)((double)recipients / rate);
}

int64_t
post_over(struct turn *t, enum class class, int64_t from, int64_t seconds)
{
	enum { STEP_S = 900, STEPS_MOST = 8000 };

	for (int i = 0; i < STEPS_MOST && seconds > 0; i++) {
		int64_t open = outbox_waits_for_morning(class)
				   ? after_quiet_hours(t, PERSON_NOBODY, from)
				   : from;
		int64_t step = seconds < STEP_S ? seconds : STEP_S;

		if (open > from) {
			from = open;
			continue;
		}
		from += step;
		seconds -= step;
	}
	return from;
}
