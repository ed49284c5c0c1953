/* The organisers' side: counts and pseudonyms, a code at the door that needs no list, and
 * afterwards "did you come?" with one question whose answers are only counted. */
#include "occasion.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/drawing.h"
#include "core/people.h"
#include "store/seal.h"

static const char *const steps[] = {
    "CREATE TABLE door_in(event INTEGER NOT NULL REFERENCES event(id) ON DELETE CASCADE,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " said INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(event, person)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX door_in_person ON door_in(person);"
    "CREATE TABLE door_word(event INTEGER NOT NULL REFERENCES event(id) ON DELETE CASCADE,"
    " word INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(event, word)) STRICT, WITHOUT ROWID;",
    NULL,
};
#define RETENTION "[retention] event days after its end"
#define ATTENDANCE "[retention] attendance days after its end"
static const struct column columns[] = {
    {"door_in.event", "which event", ATTENDANCE, WITH_PERSON},
    {"door_in.person", "who came in", ATTENDANCE, WITH_PERSON},
    {"door_in.said", "that the question was answered, once", ATTENDANCE, WITH_PERSON},
    {"door_word.event", "which event", RETENTION, NOT_PERSONAL},
    {"door_word.word", "an answer to the one question", RETENTION, NOT_PERSONAL},
    {"door_word.n", "how many gave it", RETENTION, NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"door", steps, columns};

static struct sql code_get = {"SELECT door FROM hosted WHERE event = ?"};
static struct sql code_put = {"UPDATE hosted SET door = ? WHERE event = ?"};
static struct sql codes = {
    "SELECT e.id, h.door FROM rsvp r JOIN event e ON e.id = r.event JOIN hosted h ON h.event = e.id"
    " WHERE r.person = ?1 AND r.answer = 4 AND e.cancelled = 0 AND h.door IS NOT NULL"
    " AND e.start < ?2 + 10800 AND e.finish > ?2"};
static struct sql come_in = {"INSERT OR IGNORE INTO door_in(event, person) VALUES(?, ?)"};
static struct sql is_in = {"SELECT 1 FROM door_in WHERE event = ? AND person = ?"};
static struct sql inside = {"SELECT count(*) FROM door_in WHERE event = ?"};
static struct sql names = {"SELECT person FROM rsvp WHERE event = ? AND answer = 4"};
static struct sql said = {
    "UPDATE door_in SET said = 1 WHERE event = ? AND person = ? AND said = 0"};
static struct sql count_word = {
    "INSERT INTO door_word(event, word, n) VALUES(?, ?, 1) ON CONFLICT(event, word)"
    " DO UPDATE SET n = n + 1"};
static struct sql words_said = {"SELECT coalesce(sum(n), 0) FROM door_word WHERE event = ?"};
static struct sql word_said = {"SELECT n FROM door_word WHERE event = ? AND word = ?"};
static struct sql old = {
    "DELETE FROM door_in WHERE NOT EXISTS (SELECT 1 FROM rsvp r WHERE r.event = door_in.event)"};
static struct sql *const statements[] = {&code_get, &code_put, &codes, &come_in, &is_in, &inside,
    &names, &said, &count_word, &words_said, &word_said, &old, NULL};

enum { CODE_DIGITS = 6, NUMBER_S = 600, NAMES_MOST = 6000, WORDS = 3, COUNTED_LEAST = 10 };
#define DOOR "hosted.door"

/* ---- the code and the number ---- */

static const char *
code_open(struct turn *t, int64_t event, struct blob box)
{
	struct blob plain = {NULL, 0};

	if (box.length)
		plain = seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, event, DOOR, box);
	return plain.bytes ? arena_copy(t->arena, plain.bytes, plain.length) : "";
}

/* The same for the whole event: it may stand on paper. */
static const char *
code_of(struct turn *t, int64_t event)
{
	struct rows *q = db_query(t->db, &code_get, V(event));
	const char *code = "";
	uint32_t random;

	if (db_next(q)) {
		code = code_open(t, event, db_blob(q, 0));
		db_done(q);
	}
	if (*code)
		return code;
	seal_random(&random, sizeof(random));
	code = arena_print(t->arena, "%06u", random % 1000000);
	db_run(t->db, &code_put,
	    V(seal_box(t->seal, t->arena, (struct blob){NULL, 0}, event, DOOR,
		  (struct blob){code, CODE_DIGITS}),
		event));
	return code;
}

/* Two digits that change every ten minutes: who shows the number of the organisers' card is one of
 * those who come, and nobody needs a list for it. */
static const char *
number_now(struct turn *t, int64_t event)
{
	const char *text =
	    arena_print(t->arena, "%lld.%lld", (long long)event, (long long)(t->now / NUMBER_S));
	unsigned char hash[SEAL_HASH_BYTES];

	seal_hash(t->seal, "door.number", text, strlen(text), hash);
	return arena_print(t->arena, "%u", 10 + (hash[0] + 256u * hash[1]) % 90);
}

/* ---- for organisers ---- */

/* The event of the button, when it is one t->person runs. */
static bool
run_by(struct turn *t, struct occasion *o)
{
	if (occasion_get(t, strtoll(t->value, NULL, 10), o) && occasion_may(t, o))
		return true;
	occasion_gone(t);
	return false;
}

static void
count_line(struct turn *t, struct card *card, const char *key, int64_t n)
{
	card_line(card, words(t, key, "n", arena_print(t->arena, "%lld", (long long)n), NULL));
}

static void
add_words(struct turn *t, struct card *card, int64_t event)
{
	if (db_number(t->db, &words_said, V(event), 0) < COUNTED_LEAST)
		return;
	card_paragraph(card, words(t, "door.question", NULL));
	for (int w = 0; w < WORDS; w++)
		card_line(
		    card, words(t, "door.count_word", "word",
			      words_flat(t, arena_print(t->arena, "door.word_%d", w), NULL), "n",
			      arena_print(t->arena, "%lld",
				  (long long)db_number(t->db, &word_said, V(event, w), 0)),
			      NULL));
}

static struct card *
panel_card(struct turn *t, const struct occasion *o)
{
	struct card *card = words(t, "door.panel_title", "title", occasion_title(t, t->language, o),
	    "when", occasion_when(t, t->language, o), NULL);
	char *key = occasion_key(t, o->id);

	count_line(t, card, "door.coming", rsvp_count(t, o->id, RSVP_YES));
	if (o->capacity)
		count_line(t, card, "door.capacity", o->capacity);
	count_line(t, card, "door.maybe", rsvp_count(t, o->id, RSVP_MAYBE));
	count_line(t, card, "door.waiting",
	    rsvp_count(t, o->id, RSVP_WAITING) + rsvp_count(t, o->id, RSVP_OFFERED));
	count_line(t, card, "door.came", db_number(t->db, &inside, V(o->id), 0));
	add_words(t, card, o->id);
	if (o->cancelled || o->finish <= t->now)
		return card;
	choose(t, card, "door.names", "door.names", key);
	choose(t, card, "door.code", "door.code", key);
	choose(t, card, "door.message", "announce.attendees", key);
	choose(t, card, "newevent.edit", "newevent.edit", key);
	choose(t, card, "newevent.call_off", "newevent.call_off", key);
	card_same_row(card);
	return card;
}

static void
panel(struct turn *t)
{
	struct occasion o;

	if (run_by(t, &o))
		say_private(t, panel_card(t, &o));
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Pseudonyms in the order of the alphabet: who answered first is nobody's business. */
static void
names_show(struct turn *t)
{
	struct occasion o;
	struct card *card;
	const char **list;
	struct rows *q;
	size_t n = 0;

	if (!run_by(t, &o))
		return;
	list = arena_alloc(t->arena, NAMES_MOST * sizeof(*list));
	q = db_query(t->db, &names, V(o.id));
	while (n < NAMES_MOST && db_next(q))
		list[n++] = people_pseudonym(t, db_int(q, 0));
	qsort(list, n, sizeof(*list), by_name);
	card = words(t, n ? "door.names_title" : "door.names_none", NULL);
	for (size_t i = 0; i < n; i++) {
		card_text(card, "\n", 0);
		card_name(card, list[i]);
	}
	choose(t, card, "door.panel", "door.panel", occasion_key(t, o.id));
	say_private(t, card);
}

static struct card *
code_card(struct turn *t, const struct occasion *o)
{
	struct card *card = words(
	    t, "door.code_here", "code", code_of(t, o->id), "number", number_now(t, o->id), NULL);
	char *key = occasion_key(t, o->id);

	choose(t, card, "door.again", "door.again", key);
	choose(t, card, "door.picture", "door.picture", key);
	card_same_row(card);
	choose(t, card, "door.panel", "door.panel", key);
	return card;
}

static void
code_show(struct turn *t)
{
	struct occasion o;

	if (run_by(t, &o))
		say_private(t, code_card(t, &o));
}

static void
code_again(struct turn *t)
{
	struct occasion o;

	if (run_by(t, &o))
		edit(t, code_card(t, &o));
}

/* ---- its picture ---- */

static void
picture(struct turn *t)
{
	struct occasion o;
	const char *payload, *link, *typed, *lines;

	if (!run_by(t, &o))
		return;
	payload = arena_join(t->arena, "c_", code_of(t, o.id));
	link = link_to(t, t->person->network, payload);
	typed = link_by_hand(t, t->person->network, payload);
	lines = arena_print(t->arena, "%stitle %s\n%s%s\n%s%s\n",
	    !strcmp(t->language, "en") ? "" : "rtl\n", code_of(t, o.id), link ? "qr " : "",
	    link ? link : "", typed ? "foot " : "",
	    typed ? words_flat(t, "engine.scan_typed", "code", typed, NULL) : "");
	work_start(t, "door.picture",
	    arena_print(t->arena, "%lld %s", (long long)t->person->id, payload),
	    (struct blob){lines, strlen(lines)});
}

/* With what is on it in words beside it, for whoever cannot see it. */
static void
drawn(struct turn *t, struct blob png)
{
	char *payload;
	int64_t person = strtoll(t->key, &payload, 10);
	const char *language = language_of(t, person);
	struct card *card =
	    words_in(t, language, png.length ? "door.picture_here" : "results.no_picture", NULL);

	if (png.length) {
		card_text(card, "\n", 0);
		card_text(card, strchr(payload, '_') + 1, SPAN_CODE);
		link_add(t, language, card, payload + 1);
	}
	drawing_tell(t, person, card, "door.png", png);
}

/* ---- at the door ---- */

static void
add_words_to_say(struct turn *t, struct card *card, const char *language, int64_t event)
{
	for (int w = 0; w < WORDS; w++) {
		card_choice(card,
		    words_flat_in(t, language, arena_print(t->arena, "door.word_%d", w), NULL),
		    "door.word", arena_print(t->arena, "%lld %d", (long long)event, w));
		if (w)
			card_same_row(card);
	}
}

/* Only among what this person said yes to and what is on now: the code alone says nothing. */
static bool
check_in(struct turn *t, const char *typed)
{
	struct rows *q = db_query(t->db, &codes, V(t->person->id, t->now));
	int64_t found = 0, number;
	bool is_number = text_number(typed, &number);

	while (!found && db_next(q)) {
		const char *code = code_open(t, db_int(q, 0), db_blob(q, 1));

		if (is_number && *code && strtoll(code, NULL, 10) == number)
			found = db_int(q, 0);
	}
	if (!found)
		return false;
	db_done(q);
	db_run(t->db, &come_in, V(found, t->person->id));
	say_private(t, words(t, "door.welcome", "number", number_now(t, found), NULL));
	return true;
}

static void
no_such_code(struct turn *t)
{
	struct card *card = words(t, "door.no_code", NULL);

	choose_command(t, card, "myevents");
	say_private(t, card);
}

static void
ask_code(struct turn *t)
{
	say(t, words(t, "door.ask", NULL));
}

static enum next
answer_code(struct turn *t)
{
	if (check_in(t, t->text))
		return DONE;
	return flow_again(t, "door.no_code");
}

static const struct step code_steps[] = {
    {.name = "code", .ask = ask_code, .answer = answer_code, .takes_numbers = true},
    {0},
};
static const struct flow code_flow = {.name = "door.here", .access = MEMBERS, .steps = code_steps};

static void
here(struct turn *t)
{
	flow_begin(t, &code_flow);
}

static void
checkin(struct turn *t)
{
	if (!t->rest[0])
		flow_begin(t, &code_flow);
	else if (!check_in(t, t->rest))
		no_such_code(t);
}

/* ?start=c_CODE */
static void
linked(struct turn *t)
{
	if (!(t->person->access & MEMBERS) || !check_in(t, t->value))
		no_such_code(t);
}

/* ---- afterwards ---- */

static struct card *
question(struct turn *t, const char *language, int64_t event)
{
	struct card *card = words_in(t, language, "door.question", NULL);

	add_words_to_say(t, card, language, event);
	return card;
}

static void
ask_after(struct turn *t, int64_t person, void *ctx)
{
	const struct occasion *o = ctx;
	const char *language = language_of(t, person);
	char *key = occasion_key(t, o->id);
	struct card *card =
	    words_in(t, language, "door.after", "title", occasion_title(t, language, o), NULL);

	if (db_exists(t->db, &is_in, V(o->id, person))) {
		card_paragraph(card, words_in(t, language, "door.question", NULL));
		add_words_to_say(t, card, language, o->id);
	} else {
		card_paragraph(card, words_in(t, language, "door.did_you", NULL));
		card_choice(card, words_flat_in(t, language, "door.did", NULL), "door.did", key);
		card_choice(
		    card, words_flat_in(t, language, "door.did_not", NULL), "door.did_not", key);
		card_same_row(card);
	}
	tell(t, person, CLASS_REMINDER, t->now + 2 * OCCASION_DAY, card);
}

void
door_after(struct turn *t, const struct occasion *o)
{
	rsvp_each(t, o->id, RSVP_YES, ask_after, (void *)(uintptr_t)o);
}

static void
did(struct turn *t)
{
	int64_t event = strtoll(t->value, NULL, 10);
	struct occasion o;

	if (!occasion_get(t, event, &o) || t->now < o.finish ||
	    rsvp_of(t, event, t->person->id) != RSVP_YES) {
		occasion_gone(t);
		return;
	}
	db_run(t->db, &come_in, V(event, t->person->id));
	edit(t, question(t, t->language, event));
}

static void
did_not(struct turn *t)
{
	edit(t, words(t, "door.thanks", NULL));
}

/* The answer joins a count and is nobody's; once for each who came. */
static void
word(struct turn *t)
{
	char *at;
	int64_t event = strtoll(t->value, &at, 10), w = strtoll(at, NULL, 10);

	if (w >= 0 && w < WORDS && db_run(t->db, &said, V(event, t->person->id)))
		db_run(t->db, &count_word, V(event, w));
	edit(t, words(t, "door.thanks", NULL));
}

static void
forget_old(struct turn *t)
{
	db_run(t->db, &old, NONE);
}

static const struct command commands[] = {
    {.name = "checkin", .access = MEMBERS, .run = checkin, .hidden = true},
    {0},
};
static const struct action actions[] = {
    {"door.panel", COORDINATORS | ADMINS, panel},
    {"door.names", COORDINATORS | ADMINS, names_show},
    {"door.code", COORDINATORS | ADMINS, code_show},
    {"door.again", COORDINATORS | ADMINS, code_again},
    {"door.picture", COORDINATORS | ADMINS, picture},
    {"door.here", MEMBERS, here},
    {"door.did", MEMBERS, did},
    {"door.did_not", MEMBERS, did_not},
    {"door.word", MEMBERS, word},
    {0},
};
static const struct flow *const flows[] = {&code_flow, NULL};
static const struct work works[] = {
    {.name = "door.picture", .run = drawing_run, .came = drawn},
    {0},
};
static const struct job jobs[] = {
    {.name = "door.prune", .every_s = OCCASION_DAY, .run = forget_old},
    {0},
};

const struct feature feature_door = {
    .name = "door",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
    .works = works,
    .jobs = jobs,
    .link = "c",
    .linked = linked,
};
