/* Chats through the bot, under names made for one chat: text only, each message sealed until it is
 * delivered and kept nowhere after; nothing of who somebody is goes across. */
#include "meeting.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/neutral.h"
#include "base/text.h"
#include "core/people.h"
#include "store/seal.h"

static const char *const steps[] = {
    "CREATE TABLE relay(id INTEGER PRIMARY KEY AUTOINCREMENT, opened INTEGER NOT NULL,"
    " last INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0, prompt INTEGER NOT NULL DEFAULT 0,"
    " followed INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE relay_person(relay INTEGER NOT NULL REFERENCES relay(id) ON DELETE CASCADE,"
    " person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE, nick INTEGER NOT NULL,"
    " picked INTEGER NOT NULL DEFAULT 0, contact BLOB, outcome BLOB,"
    " PRIMARY KEY(relay, person)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX relay_person_person ON relay_person(person);"
    "CREATE TABLE relay_sent(delivery INTEGER PRIMARY KEY, relay INTEGER NOT NULL REFERENCES "
    "relay(id)"
    " ON DELETE CASCADE, writer INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE) STRICT;"
    "CREATE INDEX relay_sent_relay ON relay_sent(relay);",
    NULL,
};
#define AFTER_END "30 days after its end"
static const struct column columns[] = {
    {"relay.id", "number of a chat", AFTER_END, AFTER_RETENTION},
    {"relay.opened", "when", AFTER_END, AFTER_RETENTION},
    {"relay.last", "the day of the last message: it ends after 14 quiet ones", AFTER_END,
	AFTER_RETENTION},
    {"relay.ended", "when it ended", AFTER_END, AFTER_RETENTION},
    {"relay.prompt", "which question comes next", AFTER_END, AFTER_RETENTION},
    {"relay.followed", "whether the two were asked how it went", AFTER_END, AFTER_RETENTION},
    {"relay_person.relay", "which chat", AFTER_END, WITH_PERSON, true},
    {"relay_person.person", "who is in it", AFTER_END, WITH_PERSON},
    {"relay_person.nick", "the name made for this chat", AFTER_END, WITH_PERSON},
    {"relay_person.picked", "where to write when several are open", AFTER_END, WITH_PERSON},
    {"relay_person.contact", "what somebody would share if the other does too, sealed",
	"until shared or ended", KEY_GONE},
    {"relay_person.outcome", "met, and more or less like this, sealed", AFTER_END, KEY_GONE},
    {"relay_sent.delivery", "which message: to route an answer and to tell of a doubt", "3 days",
	AFTER_RETENTION, true},
    {"relay_sent.relay", "of which chat", "3 days", AFTER_RETENTION, true},
    {"relay_sent.writer", "whom to tell of a doubt", "3 days", WITH_PERSON},
    {0},
};
static const struct schema schema = {"relay", steps, columns};

static struct sql add = {"INSERT INTO relay(opened, last) VALUES(?, ?)"};
static struct sql add_person = {"INSERT INTO relay_person(relay, person, nick) VALUES(?, ?, ?)"};
static struct sql nick_taken = {
    "SELECT 1 FROM relay_person mine JOIN relay r ON r.id = mine.relay AND r.ended = 0"
    " JOIN relay_person other ON other.relay = mine.relay WHERE mine.person = ?1 AND other.nick = "
    "?2"
    " UNION SELECT 1 FROM relay_person WHERE relay = ?3 AND nick = ?2"};
static struct sql open_ones = {
    "SELECT r.id FROM relay_person p JOIN relay r ON r.id = p.relay WHERE p.person = ?"
    " AND r.ended = 0 AND r.opened <= ? ORDER BY p.picked DESC, r.id DESC"};
static struct sql all_of = {
    "SELECT r.id FROM relay_person p JOIN relay r ON r.id = p.relay WHERE p.person = ?"
    " AND r.ended = 0"};
static struct sql is_in = {
    "SELECT 1 FROM relay_person p JOIN relay r ON r.id = p.relay WHERE p.relay = ?1"
    " AND p.person = ?2 AND (?3 OR (r.ended = 0 AND r.opened <= ?4))"};
static struct sql others = {
    "SELECT person, nick FROM relay_person WHERE relay = ? AND person <> ? ORDER BY nick"};
/* To tell all of a chat, in an order that chance does not change. */
static struct sql members_of = {
    "SELECT person, nick FROM relay_person WHERE relay = ? AND person <> ? ORDER BY person"};
static struct sql own_nick = {"SELECT nick FROM relay_person WHERE relay = ? AND person = ?"};
static struct sql pick = {"UPDATE relay_person SET picked = ? WHERE relay = ? AND person = ?"};
static struct sql talked = {"UPDATE relay SET last = ? WHERE id = ?"};
static struct sql end = {"UPDATE relay SET ended = ? WHERE id = ? AND ended = 0"};
static struct sql opened_at = {"SELECT opened FROM relay WHERE id = ?"};
static struct sql opening = {
    "SELECT id FROM delivery WHERE person = ? AND class = 3 AND state = 0 AND due = ?"};
static struct sql drop = {"DELETE FROM relay WHERE id = ?"};
static struct sql wipe_contacts = {"UPDATE relay_person SET contact = NULL WHERE relay = ?"};
static struct sql next_prompt = {"UPDATE relay SET prompt = prompt + 1 WHERE id = ?"};
static struct sql prompt_of = {"SELECT prompt FROM relay WHERE id = ?"};
static struct sql quiet = {"SELECT id FROM relay WHERE ended = 0 AND last < ? LIMIT 200"};
static struct sql old = {"DELETE FROM relay WHERE ended > 0 AND ended < ?"};
static struct sql to_follow = {"SELECT id FROM relay WHERE followed = 0 AND (opened < ?1 OR (ended "
			       "> 0 AND ended < ?2)) LIMIT 200"};
static struct sql set_followed = {"UPDATE relay SET followed = 1 WHERE id = ?"};
static struct sql set_outcome = {
    "UPDATE relay_person SET outcome = ? WHERE relay = ? AND person = ?"};
static struct sql get_outcome = {"SELECT outcome FROM relay_person WHERE relay = ? AND person = ?"};
static struct sql set_contact = {
    "UPDATE relay_person SET contact = ? WHERE relay = ? AND person = ?"};
static struct sql without_contact = {
    "SELECT 1 FROM relay_person WHERE relay = ? AND contact IS NULL"};
static struct sql contacts = {"SELECT person, nick, contact FROM relay_person WHERE relay = ?"};
static struct sql sent_add = {
    "INSERT OR REPLACE INTO relay_sent(delivery, relay, writer) VALUES(?, ?, ?)"};
static struct sql sent_get = {"SELECT relay, writer FROM relay_sent WHERE delivery = ?"};
static struct sql sent_prune = {
    "DELETE FROM relay_sent WHERE delivery NOT IN (SELECT id FROM delivery WHERE class = 2)"};
static struct sql fate = {"SELECT state FROM delivery WHERE id = ?"};
static struct sql episode_title = {"SELECT title FROM episode WHERE id = ?"};
static struct sql *const statements[] = {&add, &add_person, &nick_taken, &open_ones, &all_of,
    &is_in, &others, &members_of, &own_nick, &pick, &talked, &end, &opened_at, &opening, &drop,
    &wipe_contacts, &next_prompt, &prompt_of, &quiet, &old, &to_follow, &set_followed, &set_outcome,
    &get_outcome, &set_contact, &without_contact, &contacts, &sent_add, &sent_get, &sent_prune,
    &fate, &episode_title, NULL};

enum {
	DAY = 86400,
	NICKS = 48,
	PROMPTS = 12,
	QUIET_DAYS = 14,
	FOLLOW_DAYS = 10,
	GONE_DAYS = 30,
	CHATS_MOST = 16,
	EXPIRED = 4,
	UNCERTAIN = 5,
	CONTACT_SCALARS = 300
};

static const char *
nick_in(struct turn *t, const char *language, int64_t nick)
{
	return words_flat_in(
	    t, language, arena_print(t->arena, "nick.%lld", (long long)(nick % NICKS)), NULL);
}

/* The other side of a chat in one line: "Olive Branch", "Morning Star, Blue Sea". */
static const char *
names_of(struct turn *t, const char *language, int64_t chat, int64_t person)
{
	struct rows *q = db_query(t->db, &others, V(chat, person));
	const char *list = "";

	while (db_next(q))
		list = arena_print(t->arena, "%s%s%s", list, *list ? match_comma(language) : "",
		    nick_in(t, language, db_int(q, 1)));
	return *list ? list : "—";
}

static bool
open_for(struct turn *t, int64_t chat)
{
	return db_exists(t->db, &is_in, V(chat, t->person->id, 0, t->now));
}

/* ---- opening and ending ---- */

static int64_t
new_nick(struct turn *t, int64_t chat, const int64_t *person, int count)
{
	unsigned char random[2];
	int64_t nick = 0;

	/* Nobody talks to two of the same name, as long as names last. */
	for (int tries = 0; tries < 64; tries++) {
		bool taken = false;

		seal_random(random, sizeof(random));
		nick = (random[0] << 8 | random[1]) % NICKS;
		for (int i = 0; i < count && !taken; i++)
			taken = db_exists(t->db, &nick_taken, V(person[i], nick, chat));
		if (!taken)
			break;
	}
	return nick;
}

static void
choose_chat(struct turn *t, struct card *card, const char *language, int64_t chat)
{
	static const struct {
		const char *key, *action;
		bool beside;
	} all[] = {
	    {"relay.prompt", "relay.prompt", false},
	    {"relay.share", "relay.share", true},
	    {"relay.leave", "relay.leave", false},
	    {"relay.block", "relay.block", true},
	    {"relay.report", "safety.report", true},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		choose_text(t, card, words_flat_in(t, language, all[i].key, NULL), all[i].action,
		    arena_print(t->arena, "%lld", (long long)chat));
		if (all[i].beside)
			card_same_row(card);
	}
}

void
relay_open(struct turn *t, const int64_t *person, int count, int64_t episode, int64_t when)
{
	int64_t chat = db_insert(t->db, &add, V(when, when));
	const char *title = episode ? db_string(t->db, &episode_title, V(episode)) : NULL;

	for (int i = 0; i < count; i++)
		db_run(t->db, &add_person, V(chat, person[i], new_nick(t, chat, person, count)));
	for (int i = 0; i < count; i++) {
		const char *language = language_of(t, person[i]);
		struct card *card = words_in(t, language, "relay.open", "name",
		    names_of(t, language, chat, person[i]), "mine",
		    nick_in(t, language, db_number(t->db, &own_nick, V(chat, person[i]), 0)), NULL);

		if (title)
			card_line(
			    card, words_in(t, language, "relay.episode", "title", title, NULL));
		card_paragraph(card, words_in(t, language, "relay.rules", NULL));
		choose_chat(t, card, language, chat);
		tell_at(t, person[i], CLASS_MATCH, when, when + 7 * DAY, card);
	}
}

/* Before its minute nobody has heard of the chat: whoever leaves now withdrew, and the others hear
 * then what all hear who were not introduced. */
static void
never_opened(struct turn *t, int64_t chat, int64_t by, int64_t when)
{
	struct rows *q = db_query(t->db, &members_of, V(chat, PERSON_NOBODY));

	while (db_next(q)) {
		int64_t person = db_int(q, 0);
		struct rows *card = db_query(t->db, &opening, V(person, when * 1000));

		while (db_next(card))
			delete_delivery(t, db_int(card, 0));
		if (person != by)
			round_not_introduced(t, person, when);
	}
	db_run(t->db, &drop, V(chat));
}

/* One sentence, whoever ended it and why. */
static void
end_chat(struct turn *t, int64_t chat, int64_t by)
{
	int64_t when = db_number(t->db, &opened_at, V(chat), 0);
	struct rows *q;

	if (when > t->now) {
		never_opened(t, chat, by, when);
		return;
	}
	if (!db_run(t->db, &end, V(t->now, chat)))
		return;
	db_run(t->db, &wipe_contacts, V(chat));
	q = db_query(t->db, &members_of, V(chat, by));
	while (db_next(q)) {
		int64_t person = db_int(q, 0);
		const char *language = language_of(t, person);

		tell(t, person, CLASS_RELAY, 0,
		    words_in(t, language, "relay.ended", "name",
			names_of(t, language, chat, person), NULL));
	}
}

void
relay_end_all(struct turn *t, int64_t person)
{
	struct rows *q = db_query(t->db, &all_of, V(person));

	while (db_next(q))
		end_chat(t, db_int(q, 0), person);
}

int
relay_others(struct turn *t, int64_t chat, int64_t *person, int most)
{
	struct rows *q;
	int n = 0;

	if (!db_exists(t->db, &is_in, V(chat, t->person->id, 1, t->now)))
		return 0;
	q = db_query(t->db, &members_of, V(chat, t->person->id));
	while (n < most && db_next(q))
		person[n++] = db_int(q, 0);
	db_done(q);
	return n;
}

bool
relay_leave(struct turn *t, int64_t chat, bool block)
{
	int64_t person[4];
	int n = relay_others(t, chat, person, 4);

	if (!open_for(t, chat))
		return false;
	for (int i = 0; i < n && block; i++)
		match_past(t, t->person->id, person[i], MATCH_NEVER);
	end_chat(t, chat, t->person->id);
	return true;
}

int
relay_choices(struct turn *t, struct card *card, const char *label_key, const char *action)
{
	struct rows *q = db_query(t->db, &open_ones, V(t->person->id, t->now));
	int n = 0;

	for (; n < CHATS_MOST && db_next(q); n++)
		choose_text(t, card,
		    words_flat(t, label_key, "name",
			names_of(t, t->language, db_int(q, 0), t->person->id), NULL),
		    action, arena_print(t->arena, "%lld", (long long)db_int(q, 0)));
	db_done(q);
	return n;
}

/* ---- writing ---- */

static void
carry(struct turn *t, int64_t chat, const char *text)
{
	struct rows *q = db_query(t->db, &members_of, V(chat, t->person->id));
	int64_t nick = db_number(t->db, &own_nick, V(chat, t->person->id), 0);

	while (db_next(q)) {
		int64_t person = db_int(q, 0), delivery;
		const char *language = language_of(t, person);

		choose_no_more(t, person);
		delivery = tell(t, person, CLASS_RELAY, 0,
		    words_in(t, language, "relay.says", "name", nick_in(t, language, nick), "text",
			text, NULL));
		if (delivery)
			db_run(t->db, &sent_add, V(delivery, chat, t->person->id));
	}
	choose_no_more(t, t->person->id);
	db_run(t->db, &talked, V(t->now / DAY * DAY, chat));
}

/* What goes across is said back only where it could have gone elsewhere. */
static void
carried(struct turn *t, int64_t chat, bool several)
{
	if (several)
		say(t, words(t, "relay.sent", "name", names_of(t, t->language, chat, t->person->id),
			   NULL));
}

/* Which chat a message is for: the one it answers, else the one picked, else the only one. 0: to be
 * asked. */
static int64_t
chat_for(struct turn *t, bool *several)
{
	struct rows *q = db_query(t->db, &open_ones, V(t->person->id, t->now));
	int64_t first = db_next(q) ? db_int(q, 0) : 0, chat = 0;

	*several = first && db_next(q);
	db_done(q);
	if (t->replied) {
		q = db_query(t->db, &sent_get, V(t->replied));
		if (db_next(q) && open_for(t, db_int(q, 0)))
			chat = db_int(q, 0);
		db_done(q);
		return chat ? chat : *several ? 0 : first;
	}
	/* An answer to something we cannot place must not land with somebody else. */
	if (*several && t->event && t->event->reply_to)
		return 0;
	return first;
}

static struct card *
chats_card(struct turn *t, const char *key)
{
	struct card *card = words(t, key, NULL);

	if (!relay_choices(t, card, "relay.to", "relay.pick")) {
		card = words(t, "relay.none", NULL);
		choose_command(t, card, "match");
	}
	return card;
}

/* "This would show who you are": the text waits, sealed, for one more tap. */
static void
ask_reveal(struct turn *t)
{
	struct card *card = words(t, "relay.reveals", "text",
	    neutral_text(t->arena, flow_get(t, "text"), words_flat(t, "relay.hidden", NULL)), NULL);

	choose_answer(t, card, "relay.without", "without");
	choose_answer(t, card, "relay.as_it_is", "as");
	say(t, card);
}

static enum next
answer_reveal(struct turn *t)
{
	int64_t chat = strtoll(flow_get(t, "chat"), NULL, 10);
	const char *text = flow_get(t, "text");

	if (!t->chosen)
		return flow_again(t, "relay.tap");
	if (!open_for(t, chat)) {
		say(t, words(t, "relay.gone", NULL));
		return DONE;
	}
	if (strcmp(t->value, "as") != 0)
		text = neutral_text(t->arena, text, words_flat(t, "relay.hidden", NULL));
	carry(t, chat, text);
	say(t, words(t, strcmp(t->value, "as") ? "relay.sent_without" : "relay.sent_as", NULL));
	return DONE;
}

static const struct step reveal_steps[] = {
    {.name = "how", .ask = ask_reveal, .answer = answer_reveal},
    {0},
};
static const struct flow reveal_flow = {
    .name = "relay.reveal", .access = MEMBERS, .steps = reveal_steps};

static bool
hears(struct turn *t)
{
	bool several;
	int64_t chat;

	if (!t->person || !(t->person->access & MEMBERS) ||
	    !db_exists(t->db, &open_ones, V(t->person->id, t->now)))
		return false;
	if (t->media || !t->text[0]) {
		say(t, words(t, "relay.text_only", NULL));
		return true;
	}
	chat = chat_for(t, &several);
	if (!chat) {
		say(t, chats_card(t, "relay.which"));
		return true;
	}
	if (text_reveals(t->text)) {
		flow_begin(t, &reveal_flow);
		flow_set(t, "text", t->text);
		flow_set(t, "chat", arena_print(t->arena, "%lld", (long long)chat));
		return true;
	}
	carry(t, chat, t->text);
	carried(t, chat, several);
	return true;
}

/* ---- a chat's card ---- */

static int64_t
chat_of(struct turn *t)
{
	int64_t chat = strtoll(t->value, NULL, 10);

	if (open_for(t, chat))
		return chat;
	edit(t, words(t, "relay.gone", NULL));
	return 0;
}

static struct card *
chat_card(struct turn *t, int64_t chat)
{
	struct card *card = words(t, "relay.card", "name",
	    names_of(t, t->language, chat, t->person->id), "mine",
	    nick_in(t, t->language, db_number(t->db, &own_nick, V(chat, t->person->id), 0)), NULL);

	choose_chat(t, card, t->language, chat);
	return card;
}

static void
chats(struct turn *t)
{
	struct rows *q = db_query(t->db, &open_ones, V(t->person->id, t->now));
	int64_t first = db_next(q) ? db_int(q, 0) : 0;
	bool several = first && db_next(q);

	db_done(q);
	say(t, first && !several ? chat_card(t, first) : chats_card(t, "relay.list"));
}

static void
picked(struct turn *t)
{
	int64_t chat = chat_of(t);

	if (!chat)
		return;
	db_run(t->db, &pick, V(t->now, chat, t->person->id));
	edit(t, chat_card(t, chat));
}

/* Light ones first, deeper ones later; each in its reader's language. */
static void
prompt(struct turn *t)
{
	int64_t chat = chat_of(t), number;
	struct rows *q;
	const char *key;

	if (!chat)
		return;
	number = db_number(t->db, &prompt_of, V(chat), 0) % PROMPTS;
	key = arena_print(t->arena, "relay.prompt.%lld", (long long)number);
	db_run(t->db, &next_prompt, V(chat));
	q = db_query(t->db, &members_of, V(chat, t->person->id));
	while (db_next(q)) {
		const char *language = language_of(t, db_int(q, 0));
		int64_t delivery = tell(t, db_int(q, 0), CLASS_RELAY, 0,
		    words_in(t, language, "relay.question", "name",
			nick_in(
			    t, language, db_number(t->db, &own_nick, V(chat, t->person->id), 0)),
			"question", words_flat_in(t, language, key, NULL), NULL));

		if (delivery)
			db_run(t->db, &sent_add, V(delivery, chat, t->person->id));
	}
	db_run(t->db, &talked, V(t->now / DAY * DAY, chat));
	choose_no_more(t, t->person->id);
	say(t, words(t, "relay.question_sent", "question", words_flat(t, key, NULL), NULL));
}

static void
left(struct turn *t, bool block)
{
	int64_t chat = strtoll(t->value, NULL, 10);

	if (relay_leave(t, chat, block))
		edit(t, words(t, block ? "relay.blocked" : "relay.left", NULL));
	else
		edit(t, words(t, "relay.gone", NULL));
}

static void
leave(struct turn *t)
{
	left(t, false);
}

static void
block(struct turn *t)
{
	left(t, true);
}

/* ---- sharing a name: counts only when all did ---- */

static void
ask_share(struct turn *t)
{
	say(t, words(t, "relay.share_ask", NULL));
}

static void
reveal_all(struct turn *t, int64_t chat)
{
	struct rows *q = db_query(t->db, &contacts, V(chat));

	while (db_next(q)) {
		int64_t owner = db_int(q, 0);
		const char *text = unseal_person(t, owner, "relay_person.contact", db_blob(q, 2));
		struct rows *to = db_query(t->db, &members_of, V(chat, owner));

		while (db_next(to)) {
			const char *language = language_of(t, db_int(to, 0));

			tell(t, db_int(to, 0), CLASS_RELAY, 0,
			    words_in(t, language, "relay.shared", "name",
				nick_in(t, language, db_int(q, 1)), "text", text ? text : "",
				NULL));
		}
	}
	db_run(t->db, &wipe_contacts, V(chat));
}

static enum next
answer_share(struct turn *t)
{
	int64_t chat = strtoll(flow_get(t, "chat"), NULL, 10);
	const char *text;

	if (!open_for(t, chat)) {
		say(t, words(t, "relay.gone", NULL));
		return DONE;
	}
	if (!t->text[0])
		return flow_again(t, "engine.again");
	text = arena_copy(t->arena, t->text, text_cut(t->text, CONTACT_SCALARS));
	db_run(t->db, &set_contact,
	    V(seal_person(t, t->person->id, "relay_person.contact", text), chat, t->person->id));
	if (db_exists(t->db, &without_contact, V(chat)))
		say(t, words(t, "relay.share_waits", NULL));
	else
		reveal_all(t, chat);
	return DONE;
}

static const struct step share_steps[] = {
    {.name = "what", .ask = ask_share, .answer = answer_share, .takes_numbers = true},
    {0},
};
static const struct flow share_flow = {
    .name = "relay.share", .access = MEMBERS, .steps = share_steps};

static void
share(struct turn *t)
{
	int64_t chat = chat_of(t);

	if (!chat)
		return;
	flow_begin(t, &share_flow);
	flow_set(t, "chat", arena_print(t->arena, "%lld", (long long)chat));
}

/* ---- afterwards ---- */

static void
choose_three(struct turn *t, struct card *card, const char *language, const char *question,
    const char *action, int64_t chat, int count)
{
	for (int i = 0; i < count; i++) {
		choose_text(t, card,
		    words_flat_in(
			t, language, arena_print(t->arena, "relay.%s.%d", question, i), NULL),
		    action, arena_print(t->arena, "%lld %d", (long long)chat, i));
		if (i)
			card_same_row(card);
	}
}

/* Both are asked at the same hour, whoever ended the chat. */
static void
follow_one(struct turn *t, int64_t chat)
{
	struct rows *q = db_query(t->db, &members_of, V(chat, PERSON_NOBODY));

	while (db_next(q)) {
		int64_t person = db_int(q, 0);
		const char *language = language_of(t, person);
		struct card *card = words_in(
		    t, language, "relay.follow", "name", names_of(t, language, chat, person), NULL);

		choose_three(t, card, language, "met", "relay.met", chat, 3);
		tell(t, person, CLASS_REMINDER, t->now + 3 * DAY, card);
	}
	db_run(t->db, &set_followed, V(chat));
}

/* "met 0", later "met 0 liked 1". */
static void
outcome_add(struct turn *t, int64_t chat, const char *what)
{
	struct rows *q = db_query(t->db, &get_outcome, V(chat, t->person->id));
	const char *was = NULL;

	if (db_next(q))
		was = unseal_person(t, t->person->id, "relay_person.outcome", db_blob(q, 0));
	db_done(q);
	db_run(t->db, &set_outcome,
	    V(seal_person(t, t->person->id, "relay_person.outcome",
		  arena_print(t->arena, "%s%s%s", was ? was : "", was ? " " : "", what)),
		chat, t->person->id));
}

static bool
outcome(struct turn *t, const char *what, int64_t *chat)
{
	char *space;

	*chat = strtoll(t->value, &space, 10);
	if (!db_exists(t->db, &is_in, V(*chat, t->person->id, 1, t->now))) {
		edit(t, words(t, "relay.gone", NULL));
		return false;
	}
	if (what)
		outcome_add(t, *chat, arena_print(t->arena, "%s%s", what, space));
	return true;
}

static void
met(struct turn *t)
{
	int64_t chat;
	struct card *card;

	if (!outcome(t, "met", &chat))
		return;
	card = words(t, "relay.like", NULL);
	choose_three(t, card, t->language, "liked", "relay.liked", chat, 3);
	edit(t, card);
}

static void
liked(struct turn *t)
{
	int64_t chat;
	struct card *card;

	if (!outcome(t, "liked", &chat))
		return;
	card = words(t, "relay.safe", NULL);
	choose_three(t, card, t->language, "felt", "relay.felt", chat, 2);
	edit(t, card);
}

/* A no goes to the safety officers, and to nobody else. */
static void
felt(struct turn *t)
{
	int64_t chat, person[4];
	int n;
	const char *space = strchr(t->value, ' ');

	if (!outcome(t, NULL, &chat))
		return;
	if (space && space[1] == '1') {
		n = relay_others(t, chat, person, 4);
		for (int i = 0; i < n; i++)
			safety_report(t, person[i], chat, REPORT_UNSAFE, "");
		edit(t, words(t, "relay.unsafe", NULL));
		return;
	}
	edit(t, words(t, "relay.thanks", NULL));
}

static void
daily(struct turn *t)
{
	struct rows *q = db_query(t->db, &quiet, V(t->now - QUIET_DAYS * (int64_t)DAY));

	while (db_next(q))
		end_chat(t, db_int(q, 0), PERSON_NOBODY);
	q = db_query(t->db, &to_follow, V(t->now - FOLLOW_DAYS * (int64_t)DAY, t->now - DAY));
	while (db_next(q))
		follow_one(t, db_int(q, 0));
	db_run(t->db, &old, V(t->now - GONE_DAYS * (int64_t)DAY));
	db_run(t->db, &sent_prune, NONE);
}

/* ---- what happens elsewhere ---- */

static void
delivered(struct turn *t)
{
	struct rows *q = db_query(t->db, &sent_get, V(t->delivery));
	int64_t chat = 0, writer = 0, state = db_number(t->db, &fate, V(t->delivery), 0);

	if (db_next(q)) {
		chat = db_int(q, 0);
		writer = db_int(q, 1);
	}
	db_done(q);
	if (!chat || (state != UNCERTAIN && state != EXPIRED))
		return;
	tell(t, writer, CLASS_REPLY, 0,
	    words_in(t, language_of(t, writer), "relay.uncertain", "name",
		names_of(t, language_of(t, writer), chat, writer), NULL));
}

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_LEAVING || what == HAPPENED_UNREACHABLE)
		relay_end_all(t, t->subject);
	else if (what == HAPPENED_DELIVERED)
		delivered(t);
	else if (what == HAPPENED_EDITED && db_exists(t->db, &open_ones, V(t->person->id, t->now)))
		say(t, words(t, "relay.edited", NULL));
}

static const struct command commands[] = {
    {.name = "chats", .access = MEMBERS, .run = chats},
    {0},
};
static const struct action actions[] = {
    {"relay.pick", MEMBERS, picked},
    {"relay.prompt", MEMBERS, prompt},
    {"relay.share", MEMBERS, share},
    {"relay.leave", MEMBERS, leave},
    {"relay.block", MEMBERS, block},
    {"relay.met", MEMBERS, met},
    {"relay.liked", MEMBERS, liked},
    {"relay.felt", MEMBERS, felt},
    {0},
};
static const struct flow *const flows[] = {&reveal_flow, &share_flow, NULL};
static const struct job jobs[] = {
    {.name = "relay.daily", .every_s = DAY / 4, .run = daily},
    {0},
};

const struct feature feature_relay = {
    .name = "relay",
    .schema = &schema,
    .statements = statements,
    .commands = commands,
    .actions = actions,
    .flows = flows,
    .jobs = jobs,
    .hears = hears,
    .happened = happened,
};
