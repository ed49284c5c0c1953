/* Saying: words in the reader's language, to the chat of the turn, to other people, edits and
 * toasts. */
#include "core.h"
#include "store/place.h"
#include "store/scrub.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOLES = 16, FAREWELL_MS = 600000 };

static struct hole *
holes_of(struct turn *t, va_list list)
{
	struct hole *holes = arena_alloc(t->arena, (HOLES + 1) * sizeof(*holes));
	const char *name;

	for (int i = 0; i < HOLES && (name = va_arg(list, const char *)); i++) {
		holes[i].name = name;
		holes[i].value = va_arg(list, const char *);
		if (!holes[i].value)
			holes[i].value = "";
	}
	return holes;
}

static struct card *
made(struct turn *t, const char *language, const char *key, int64_t n, va_list list)
{
	struct card *card = words_card(t->words, t->arena, language, key, n, holes_of(t, list));

	if (!strcmp(language, "ar") || !strcmp(language, "he"))
		card->flags |= CARD_RTL;
	return card;
}

#define MADE(language, n, last) \
	va_list list; \
	struct card *card; \
	va_start(list, last); \
	card = made(t, language, key, n, list); \
	va_end(list); \
	return card

struct card *
words(struct turn *t, const char *key, ...)
{
	MADE(t->language, 0, key);
}

struct card *
words_n(struct turn *t, const char *key, int64_t n, ...)
{
	MADE(t->language, n, n);
}

struct card *
words_in(struct turn *t, const char *language, const char *key, ...)
{
	MADE(language, 0, key);
}

struct card *
words_n_in(struct turn *t, const char *language, const char *key, int64_t n, ...)
{
	MADE(language, n, n);
}

char *
words_flat(struct turn *t, const char *key, ...)
{
	va_list list;
	char *text;

	va_start(list, key);
	text = words_text(t->words, t->arena, t->language, key, 0, holes_of(t, list));
	va_end(list);
	return text;
}

char *
words_flat_in(struct turn *t, const char *language, const char *key, ...)
{
	va_list list;
	char *text;

	va_start(list, key);
	text = words_text(t->words, t->arena, language, key, 0, holes_of(t, list));
	va_end(list);
	return text;
}

const char *
translation(struct turn *t, const char *language, const struct translated *texts, size_t count,
    const char **fell)
{
	const struct translated *best = NULL;

	if (fell)
		*fell = NULL;
	for (int pass = -1; pass < words_count(t->words) && !best; pass++) {
		const char *want = pass < 0 ? language : words_language(t->words, pass);

		for (size_t i = 0; i < count; i++)
			if (!strcmp(texts[i].language, want) && texts[i].text && texts[i].text[0])
				best = &texts[i];
	}
	for (size_t i = 0; i < count && !best; i++)
		if (texts[i].text && texts[i].text[0])
			best = &texts[i];
	if (!best)
		return NULL;
	if (fell && strcmp(best->language, language))
		*fell = best->language;
	return best->text;
}

/* ---- to a chat ---- */

int64_t
say_chat(struct turn *t, const char *where)
{
	unsigned char hash[SEAL_HASH_BYTES];
	int64_t number;

	seal_hash(t->seal, "chat", where, strlen(where), hash);
	memcpy(&number, hash, sizeof(number));
	return number > 0 ? -number : number;
}

static struct wanted *
wanted(struct turn *t, struct network *n, enum op op, enum class class)
{
	struct wanted *w = arena_alloc(t->arena, sizeof(*w));

	w->network = n;
	w->op = op;
	w->class = class;
	w->parcel.language = t->language;
	return w;
}

static void
to_here(struct turn *t, struct wanted *w, bool private)
{
	if (t->group && !private) {
		w->parcel.where = t->event->where;
		w->parcel.reply_to = t->event->thread;
		w->chat = say_chat(t, t->event->where);
		return;
	}
	w->person = t->person->id;
	w->account = w->chat = t->person->account;
	if (!t->group && t->event && t->event->where) {
		w->parcel.who = t->event->who;
		w->parcel.where = t->event->where;
		w->parcel.reply_to = t->event->thread;
	}
}

static void
offer(struct turn *t, struct wanted *w, const struct card *card)
{
	if (card && card->choices)
		w->parcel.set = converse_offer(t, card, w->account, w->id);
}

void
say_mark(struct turn *t, const char *language, struct card *card)
{
	if (!t->engine->demo || !card || card->flags & CARD_MARKED)
		return;
	card->flags |= CARD_MARKED;
	card_line(card, words_in(t, language, "demo.mark", NULL));
}

/* A card as one or several messages; the choices go with the last. The id of the last. */
static int64_t
post_card(struct turn *t, const struct wanted *like, struct card *card)
{
	const struct transport *to = like->network->transport;
	struct card **pieces;
	int64_t id = 0;

	say_mark(t, like->parcel.language ? like->parcel.language : t->language, card);
	pieces = card_split_file(t->arena, card, to->text_scalars, to->caption_scalars);
	for (; *pieces; pieces++) {
		struct wanted *w = arena_alloc(t->arena, sizeof(*w));

		*w = *like;
		w->next = NULL;
		w->parcel.card = *pieces;
		outbox_want(t, w);
		offer(t, w, *pieces);
		id = w->id;
	}
	return id;
}

static int64_t
say_to(struct turn *t, struct card *card, bool private)
{
	struct ours *ours = t->private;
	struct wanted *w;

	if (!card || !t->person)
		return 0;
	if (ours->asking)
		route_ways_out(t, card, ours->step > 0);
	if (ours->flow && ours->flow->steps[ours->step].takes_numbers)
		card->flags |= CARD_SHARP;
	w = wanted(t, ours->network, OP_SEND, CLASS_REPLY);
	to_here(t, w, private);
	return post_card(t, w, card);
}

int64_t
say_kept(struct turn *t, struct card *card)
{
	return say_to(t, card, true);
}

void
say(struct turn *t, struct card *card)
{
	say_to(t, card, false);
}

void
say_private(struct turn *t, struct card *card)
{
	say_to(t, card, true);
}

void
say_erased(struct turn *t, struct card *card)
{
	struct ours *ours = t->private;
	struct wanted *w = wanted(t, ours->network, OP_SEND, CLASS_REPLY);

	w->parcel.who = t->event->who;
	w->parcel.where = t->event->where;
	w->chat = say_chat(t, t->event->where);
	say_mark(t, t->language, card);
	w->parcel.card = card;
	outbox_want(t, w);
}

void
say_farewell(struct turn *t, struct network *n, const char *who, const char *where)
{
	struct wanted *w;

	if (!n || !n->transport->remembers)
		return;
	w = wanted(t, n, OP_LEAVE, CLASS_SERVICE);
	w->parcel.who = who;
	w->parcel.where = where;
	w->chat = say_chat(t, where);
	w->due = engine_now_ms(t->engine) + FAREWELL_MS;
	outbox_want(t, w);
}

void
say_room(struct turn *t, struct network *n, const char *where, struct card *card)
{
	struct wanted *w = wanted(t, n, OP_SEND, CLASS_ALARM);

	w->parcel.where = where;
	w->chat = say_chat(t, where);
	post_card(t, w, card);
}

/* ---- to others ---- */

static int64_t
quiet_end(struct turn *t, int64_t when)
{
	const char *hours = conf_text(t->conf, "bot", NULL, "quiet_hours");
	const char *const *zones = conf_list(t->conf, "bot", NULL, "time_zones");
	const struct zone *zone = zone_find(t->zones, zones && zones[0] ? zones[0] : "UTC");
	struct zone_local local;
	int from_h, from_m, to_h, to_m, minute, from, to;

	if (!hours || !zone || sscanf(hours, "%d:%d-%d:%d", &from_h, &from_m, &to_h, &to_m) != 4)
		return when;
	local = zone_to_local(zone, when);
	minute = local.civil.hour * 60 + local.civil.minute;
	from = from_h * 60 + from_m;
	to = to_h * 60 + to_m;
	if (from <= to ? (minute < from || minute >= to) : (minute < from && minute >= to))
		return when;
	/* On the wall: a night in which the clocks change is an hour longer or shorter. */
	local.civil = civil_from(
	    civil_seconds(&local.civil) - local.civil.second + 60 * ((to - minute + 1440) % 1440));
	return zone_instant(zone, &local.civil);
}

int64_t
after_quiet_hours(struct turn *t, int64_t person, int64_t when)
{
	(void)person;
	return quiet_end(t, when);
}

static bool
paused(struct turn *t, int64_t person, enum class class, int64_t due)
{
	static struct sql until = {"SELECT paused_until FROM person WHERE id = ?"};

	if (class != CLASS_MATCH && class != CLASS_ANNOUNCEMENT && class != CLASS_URGENT &&
	    class != CLASS_REMINDER)
		return false;
	return db_number(t->db, &until, V(person), 0) > due;
}

int64_t
tell_at(struct turn *t, int64_t person, enum class class, int64_t not_before, int64_t expires,
    struct card *card)
{
	struct network *n = NULL;
	int64_t account, due = not_before > t->now ? not_before : t->now;
	struct wanted *w;

	if (paused(t, person, class, due))
		return 0;
	account = people_account(t, person, &n);
	if (!account || !card)
		return 0;
	if (outbox_waits_for_morning(class)) {
		due = quiet_end(t, due);
		if (due < t->now + 600 && class != CLASS_MATCH && flow_of(t, person)[0])
			due = t->now + 600;
	}
	w = wanted(t, n, OP_SEND, class);
	w->person = person;
	w->account = w->chat = account;
	w->due = due > t->now ? due * 1000 : 0;
	w->expires = expires;
	w->feature = t->feature ? t->feature->name : NULL;
	w->parcel.language = language_of(t, person);
	return post_card(t, w, card);
}

int64_t
tell(struct turn *t, int64_t person, enum class class, int64_t expires, struct card *card)
{
	return tell_at(t, person, class, 0, expires, card);
}

/* ---- edits ---- */

static struct sql delivery_get = {
    "SELECT person, account, chat, network FROM delivery WHERE id = ?"};

static struct wanted *
about(struct turn *t, int64_t delivery, enum op op)
{
	struct rows *q = db_query(t->db, &delivery_get, V(delivery));
	struct wanted *w = NULL;
	struct network *n;

	if (db_next(q) && (n = network_numbered(t->engine, (int)db_int(q, 3)))) {
		w = wanted(t, n, op, CLASS_SERVICE);
		w->person = db_int(q, 0);
		w->account = db_int(q, 1);
		w->chat = db_int(q, 2);
		w->target = delivery;
		w->parcel.language = language_of(t, w->person);
	}
	db_done(q);
	return w && w->account ? w : NULL;
}

static bool
edit_known(struct turn *t, int64_t delivery, struct card *card)
{
	struct wanted *w = about(t, delivery, OP_EDIT);

	if (!w)
		return false;
	say_mark(t, w->parcel.language, card);
	w->parcel.card = card_split(t->arena, card, w->network->transport->text_scalars)[0];
	outbox_want(t, w);
	offer(t, w, w->parcel.card);
	return true;
}

void
edit_delivery(struct turn *t, int64_t delivery, struct card *card)
{
	edit_known(t, delivery, card);
}

/* What was not yet said is never said. */
static struct sql unsay = {"UPDATE delivery SET expires = ? WHERE id = ? AND state = 0 AND op = 0"
			   " AND attempts = 0"};

void
delete_delivery(struct turn *t, int64_t delivery)
{
	struct wanted *w;

	if (db_run(t->db, &unsay, V(t->now, delivery)))
		return;
	w = about(t, delivery, OP_DELETE);
	if (w)
		outbox_want(t, w);
}

static struct sql said_since = {
    "SELECT account, network, message FROM delivery WHERE person = ? AND born >= ? AND op = 0"
    " AND state = 2 AND message IS NOT NULL ORDER BY id DESC LIMIT 500"};

void
delete_said(struct turn *t, int64_t person, int64_t since)
{
	struct rows *q = db_query(t->db, &said_since, V(person, since));

	while (db_next(q)) {
		struct network *n = network_numbered(t->engine, (int)db_int(q, 1));
		struct wanted *w;
		const char *who, *where;

		if (!n || !people_address(t, db_int(q, 0), &who, &where))
			continue;
		w = wanted(t, n, OP_DELETE, CLASS_SERVICE);
		w->parcel.who = who;
		w->parcel.where = where;
		w->parcel.message = db_text(q, 2);
		w->chat = say_chat(t, where);
		outbox_want(t, w);
	}
}

void
edit(struct turn *t, struct card *card)
{
	struct ours *ours = t->private;
	struct wanted *w;

	if (ours->from_group) {
		say(t, card);
		return;
	}
	if (!t->event || t->event->kind != EVENT_PRESS || !t->event->message || t->group) {
		/* Of a message that is no longer known nothing can be edited. */
		if (!t->pressed || t->group || !t->chosen || !edit_known(t, t->pressed, card))
			say(t, card);
		return;
	}
	w = wanted(t, ours->network, OP_EDIT, CLASS_SERVICE);
	to_here(t, w, false);
	w->parcel.message = t->event->message;
	say_mark(t, t->language, card);
	w->parcel.card = card_split(t->arena, card, ours->network->transport->text_scalars)[0];
	outbox_want(t, w);
	offer(t, w, w->parcel.card);
}

void
toast(struct turn *t, struct card *card)
{
	struct ours *ours = t->private;
	struct wanted *w;

	if (!t->event || !t->event->press) {
		if (card)
			say(t, card);
		return;
	}
	ours->answered = true;
	w = wanted(t, ours->network, OP_ANSWER, CLASS_SERVICE);
	/* A chat of its own, and nobody's: it waits for no message before it, and an erasure does not silence it. */
	w->parcel.where = t->event->where ? t->event->where : t->event->who;
	w->chat = say_chat(t, t->event->press);
	w->expires = t->now + 30;
	w->parcel.press = t->event->press;
	w->parcel.card = card;
	outbox_want(t, w);
}

void
media_fetch(struct turn *t, const char *handle, const char *key)
{
	struct ours *ours = t->private;
	struct wanted *w = wanted(t, ours->network, OP_FETCH, CLASS_SERVICE);

	to_here(t, w, true);
	w->feature = t->feature ? t->feature->name : NULL;
	w->parcel.media_handle = handle;
	w->parcel.key = key;
	outbox_want(t, w);
}

char *
file_new(struct turn *t, const char *name, const void *bytes, size_t length)
{
	unsigned char random[9];
	char *folder = arena_print(t->arena, "%s/files", t->engine->o.state_folder), *path;
	char absolute[PATH_MAX];
	bool whole;
	int fd;

	seal_random(random, sizeof(random));
	place_folder(folder);
	/* Absolute, because a path below the state folder means a file that stays (ship.c). */
	if (folder[0] != '/' && realpath(folder, absolute))
		folder = absolute;
	/* By its owner's number, so that an erasure finds it. */
	path = arena_print(t->arena, "%s/%lld-%02x%02x%02x%02x%02x%02x-%s", folder,
	    t->person ? (long long)t->person->id : 0LL, random[0], random[1], random[2], random[3],
	    random[4], random[5], name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	whole = fd >= 0 && write(fd, bytes, length) == (ssize_t)length;
	if (fd >= 0)
		close(fd);
	if (!whole) {
		scrub_unlink(path);
		turn_fail(t, "a file could not be written below the state folder");
	}
	return path;
}

char *
file_key(struct turn *t, const void *bytes, size_t length)
{
	unsigned char hash[SEAL_HASH_BYTES];
	char *key = arena_print(t->arena, "made:%032d", 0);

	seal_hash(t->seal, "file_key", bytes, length, hash);
	for (size_t i = 0; i < 16; i++)
		snprintf(key + 5 + 2 * i, 3, "%02x", hash[i]);
	return key;
}

/* "https://t.me/x?start=", not what leads to the bot alone. */
static bool
takes_payload(const char *start)
{
	return *start && start[strlen(start) - 1] == '=';
}

const char *
link_to(struct turn *t, const char *network, const char *payload)
{
	const char *start = engine_link(t->engine, network);

	return start ? arena_print(t->arena, "%s%s", start, takes_payload(start) ? payload : "")
		     : NULL;
}

const char *
link_by_hand(struct turn *t, const char *network, const char *payload)
{
	const char *start = engine_link(t->engine, network);

	return start && !takes_payload(start) ? arena_join(t->arena, "!start ", payload) : NULL;
}

void
link_add(struct turn *t, const char *language, struct card *card, const char *payload)
{
	static const char *const networks[] = {"telegram", "matrix"};

	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		const char *link = link_to(t, networks[i], payload),
			   *typed = link_by_hand(t, networks[i], payload);

		if (!link)
			continue;
		card_text(card, "\n", 0);
		card_link(card, link, link);
		if (typed)
			card_line(
			    card, words_in(t, language, "engine.link_typed", "code", typed, NULL));
	}
}
