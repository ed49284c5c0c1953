/* Meeting people: what an observer can see, what crosses a chat, who may do what. */
#include "unit.h"

#include "base/neutral.h"
#include "base/text.h"
#include "core/turn.h"
#include "features/meeting.h"

#include "world.h"

#define FEATURE(name) extern const struct feature feature_##name;
#include "feature_list.h"
#undef FEATURE
#define FEATURE(name) &feature_##name,
static const struct feature *const features[] = {
#include "feature_list.h"
    NULL,
};
static const struct feature *const *const world_features = features;

enum { CROWD = 36, OBSERVER = CROWD + 1, PARTNER, OTHER, HOUR = 3600 };
static const char *const orgs[] = {"arava", "seeds-of-peace", "hands-of-peace", "tech2peace"};
static const char *const languages[] = {"en", "ar", "he"};

/* ---- people ---- */

static const char *
who(int64_t person)
{
	static char names[8][24];
	static int next;
	char *name = names[next++ % 8];

	/* A canary: nothing of it may ever be seen by anybody else. */
	snprintf(name, sizeof(names[0]), "7134%06lld", (long long)person);
	return name;
}

static void
join_turn(struct turn *t, void *ctx)
{
	int64_t last = *(int64_t *)ctx;

	for (int64_t person = 1; person <= last; person++) {
		people_set_language(t, person, languages[person % 3]);
		people_join(t, person, orgs[person % 4]);
		people_set_adult(t, person, true);
		consent_set(t, person, CONSENT_MATCHING, true);
		match_ensure(t, person);
	}
}

/* Everybody speaks English besides their own language. */
static void
speak_turn(struct turn *t, void *ctx)
{
	static struct sql set = {"UPDATE meeting SET profile = ? WHERE person = ?"};
	int64_t last = *(int64_t *)ctx;
	struct meeting m = {.level = {3, 0, 0}};

	for (int64_t person = 1; person <= last; person++)
		db_run(t->db, &set,
		    V(seal_person(t, person, "meeting.profile", match_text(t->arena, &m)), person));
}

/* Persons 1 to `count`; joined long ago. */
static struct world *
peopled(int64_t count)
{
	struct world *w = world_new();

	for (int64_t i = 1; i <= count; i++)
		world_event(
		    w, (struct event){.kind = EVENT_MESSAGE, .who = who(i), .text = "/help"});
	world_settle(w);
	assert_true(engine_turn(w->engine, join_turn, &count));
	assert_true(engine_turn(w->engine, speak_turn, &count));
	world_pass(w, 40 * 86400);
	world_forget_sent(w);
	return w;
}

static void
number_turn(struct turn *t, void *ctx)
{
	struct {
		const char *sql;
		int64_t number;
	} *x = ctx;
	struct sql sql = {x->sql};

	x->number = db_number(t->db, &sql, NONE, -1);
}

static int64_t
number(struct world *w, const char *sql)
{
	struct {
		const char *sql;
		int64_t number;
	} x = {sql, -1};

	assert_true(engine_turn(w->engine, number_turn, &x));
	return x.number;
}

/* ---- what an observer sees ---- */

enum refusal_kind {
	KIND_NO,
	KIND_NEVER,
	KIND_SILENCE,
	KIND_AVOID,
	KIND_PAUSE,
	KIND_STOP,
	KIND_CONSENT,
	KIND_FORGETME,
	KIND_LEAVE_NOW,
	KIND_UNREACHABLE,
	KIND_GONE,
	KIND_EXPELLED,
	KIND_CHANGED_MIND,
	KINDS,
	KIND_NOBODY, /* no candidate at all: the result must still be the same */
};
static const char *const kind_names[] = {"no", "never", "silence", "avoid", "pause", "stop",
    "consent", "forgetme", "leave now", "unreachable", "account gone", "expelled", "changed mind"};

static void
wish_turn(struct turn *t, void *ctx)
{
	round_wish(t, *(int64_t *)ctx);
}

static void
consent_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	consent_set(t, PARTNER, CONSENT_MATCHING, false);
}

static void
expel_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_ban(t, PARTNER);
	people_expel(t, PARTNER);
}

static void
avoid_turn(struct turn *t, void *ctx)
{
	static struct sql avoid = {"INSERT INTO meeting_avoid(person, org) VALUES(?, ?)"};

	(void)ctx;
	db_run(t->db, &avoid, V(PARTNER, orgs[OBSERVER % 4]));
}

static struct sent *
card_of(struct world *w, int64_t person)
{
	for (int i = w->count - 1; i >= 0; i--)
		if (!strcmp(w->sent[i].where, who(person)) && w->sent[i].class == CLASS_MATCH &&
		    w->sent[i].choices == 3)
			return &w->sent[i];
	return NULL;
}

static void
refuse(struct world *w, enum refusal_kind kind)
{
	struct sent *card = card_of(w, PARTNER);

	assert_non_null(card);
	if (kind == KIND_NO || kind == KIND_NEVER) {
		world_presses(w, who(PARTNER), card, kind == KIND_NO ? 2 : 3);
	} else if (kind == KIND_CHANGED_MIND) {
		world_presses(w, who(PARTNER), card, 1);
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 1);
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 2);
	} else if (kind != KIND_SILENCE) {
		world_presses(w, who(PARTNER), card, 1);
	}
	world_pass(w, 3 * HOUR);
	if (kind == KIND_PAUSE || kind == KIND_FORGETME) {
		world_says(w, who(PARTNER), kind == KIND_PAUSE ? "/pause" : "/forgetme");
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 1);
	} else if (kind == KIND_STOP) {
		world_says(w, who(PARTNER), "/stop");
	} else if (kind == KIND_LEAVE_NOW) {
		world_says(w, who(PARTNER), "/safety");
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 2);
	} else if (kind == KIND_UNREACHABLE || kind == KIND_GONE) {
		world_event(
		    w, (struct event){.kind = kind == KIND_GONE ? EVENT_GONE : EVENT_BLOCKED,
			   .who = who(PARTNER)});
	} else if (kind == KIND_CONSENT) {
		assert_true(engine_turn(w->engine, consent_turn, NULL));
	} else if (kind == KIND_EXPELLED) {
		assert_true(engine_turn(w->engine, expel_turn, NULL));
	} else if (kind == KIND_AVOID) {
		/* Too late for this card, which they left without an answer. */
		assert_true(engine_turn(w->engine, avoid_turn, NULL));
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 1);
		world_presses(w, who(PARTNER), world_last(w, who(PARTNER)), 2);
	}
	world_settle(w);
}

/* Everything somebody was sent, with its minute, as one text. */
struct seen {
	int64_t person;
	struct buf text;
};

static void
look(struct world *w, struct seen *seen, int64_t began)
{
	for (int i = 0; i < w->count; i++)
		if (!strcmp(w->sent[i].where, who(seen->person)))
			buf_print(&seen->text, "%lld op %d class %d choices %d %s\n",
			    (long long)((w->now_ms / 1000 - began) / 60), (int)w->sent[i].op,
			    (int)w->sent[i].class, w->sent[i].choices, w->sent[i].text);
	world_forget_sent(w);
}

/* Minute by minute, so that each line has its own. */
static void
watch(struct world *w, struct seen *seen, int64_t began, int64_t minutes)
{
	look(w, seen, began);
	for (; minutes > 0; minutes--) {
		world_pass(w, 60);
		look(w, seen, began);
	}
}

/* A round in which observer and partner are in; the observer says yes. */
static char *
transcript(enum refusal_kind kind)
{
	struct world *w = peopled(OTHER);
	struct seen seen = {OBSERVER, {.maximum = 1 << 20}};
	int64_t observer = OBSERVER, partner = PARTNER, began;
	struct sent *card;

	assert_true(engine_turn(w->engine, wish_turn, &observer));
	if (kind != KIND_NOBODY)
		assert_true(engine_turn(w->engine, wish_turn, &partner));
	/* The calendar's round begins now; noon is outside quiet hours. */
	w->now_ms = (w->now_ms / 86400000 * 86400 + 10 * HOUR) * 1000LL + 86400000;
	while (number(w, "SELECT max(id) FROM meeting_round WHERE state = 3") < 0 ||
	       (kind != KIND_NOBODY && !card_of(w, PARTNER))) {
		if (card_of(w, OBSERVER) && card_of(w, PARTNER))
			break;
		world_pass(w, 600);
	}
	began = number(w, "SELECT ends - 172800 FROM meeting_round WHERE state = 3");
	card = card_of(w, OBSERVER);
	if (kind != KIND_NOBODY) {
		assert_non_null(card);
		world_presses(w, who(OBSERVER), card, 1);
		refuse(w, kind);
	}
	/* To the same minute in every world, then to the end of the pass, then minute by minute. */
	world_pass(w, began + 47 * HOUR - w->now_ms / 1000);
	look(w, &seen, w->now_ms / 1000);
	buf_clear(&seen.text);
	watch(w, &seen, began, 150);
	world_free(w);
	return seen.text.bytes;
}

static void
match_refusals_cannot_be_told_apart(void **state)
{
	char *first = transcript(KIND_NO), *nobody = transcript(KIND_NOBODY);

	(void)state;
	printf("# the observer reads: %s", first);
	assert_non_null(strstr(first, "\n"));
	assert_string_equal(first, nobody);
	for (int kind = KIND_NEVER; kind < KINDS; kind++) {
		char *other = transcript((enum refusal_kind)kind);

		if (strcmp(first, other))
			printf("# %s differs\n", kind_names[kind]);
		assert_string_equal(first, other);
		free(other);
	}
	free(first);
	free(nobody);
}

/* ---- kill -9 ---- */

/* Killed again and again on the way, a round still goes on, and nobody gets a second card or
 * result. */
static void
match_a_round_survives_being_killed(void **state)
{
	struct world *w = peopled(OTHER);
	int64_t person[2] = {OBSERVER, PARTNER};
	int results = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_true(engine_turn(w->engine, wish_turn, &person[i]));
	w->now_ms = (w->now_ms / 86400000 * 86400 + 10 * HOUR) * 1000LL + 86400000;
	for (int hour = 0; hour < 12 * 24; hour++) {
		world_pass(w, HOUR);
		for (int i = 0; i < w->count; i++)
			if (!strcmp(w->sent[i].where, who(OBSERVER)) &&
			    w->sent[i].class == CLASS_MATCH) {
				results += w->sent[i].choices == 0;
			}
		world_crash(w);
		world_settle(w);
	}
	assert_int_equal(
	    number(w, "SELECT state FROM meeting_round WHERE id = (SELECT max(round) FROM"
		      " introduction)"),
	    6);
	assert_int_equal(number(w, "SELECT count(*) FROM introduction"), 1);
	assert_int_equal(number(w, "SELECT max(cards) FROM round_member"), 1);
	/* One result a pass, three passes. */
	assert_int_equal(results, 3);
	world_free(w);
}

/* ---- three who like trios, and an episode to talk over ---- */

static void
trio_turn(struct turn *t, void *ctx)
{
	static struct sql set = {"UPDATE meeting SET profile = ? WHERE person = ?"};
	static struct sql wish_all = {"UPDATE meeting SET episode = 1"};
	static struct sql episode = {
	    "INSERT INTO episode(id, podcast, key, title, seen, announced, position)"
	    " VALUES(1, 'groundwork', 'k', 'The Title', 0, 1, 0)"};
	struct meeting m = {.level = {3, 0, 0}, .trio = 1};

	(void)ctx;
	for (int64_t person = OBSERVER; person <= OTHER; person++) {
		db_run(t->db, &set,
		    V(seal_person(t, person, "meeting.profile", match_text(t->arena, &m)), person));
		round_wish(t, person);
	}
	db_run(t->db, &wish_all, NONE);
	db_run(t->db, &episode, NONE);
}

static void
match_three_meet_over_an_episode(void **state)
{
	struct world *w = peopled(OTHER);

	(void)state;
	assert_true(engine_turn(w->engine, trio_turn, NULL));
	w->now_ms = (w->now_ms / 86400000 * 86400 + 10 * HOUR) * 1000LL + 86400000;
	for (int i = 0; i < 1000 && !card_of(w, OTHER); i++)
		world_pass(w, 600);
	for (int64_t person = OBSERVER; person <= OTHER; person++) {
		struct sent *card = card_of(w, person);

		assert_non_null(card);
		if (person % 3 == 0)
			assert_non_null(strstr(card->text, "same podcast episode"));
		world_presses(w, who(person), card, 1);
	}
	world_forget_sent(w);
	world_pass(w, 50 * HOUR);
	assert_int_equal(number(w, "SELECT count(*) FROM relay"), 1);
	assert_int_equal(number(w, "SELECT count(DISTINCT nick) FROM relay_person"), 3);
	for (int64_t person = OBSERVER; person <= OTHER; person++) {
		bool title = false;

		for (int i = 0; i < w->count; i++)
			title = title || (!strcmp(w->sent[i].where, who(person)) &&
					     strstr(w->sent[i].text, "The Title"));
		assert_true(title);
	}
	world_free(w);
}

/* Two whom nobody else fits are told, by their own answers alone, before they are asked. */
static void
few_turn(struct turn *t, void *ctx)
{
	static struct sql set = {"UPDATE meeting SET profile = ? WHERE person = ?"};
	struct meeting m = {.level = {3, 0, 0}, .slots = 1};
	struct meeting others = {.level = {3, 0, 0}, .slots = 2};

	(void)ctx;
	for (int64_t person = 1; person <= OTHER; person++)
		db_run(t->db, &set,
		    V(seal_person(t, person, "meeting.profile",
			  match_text(t->arena, person == OBSERVER ? &m : &others)),
			person));
}

static void
match_who_has_few_hears_it_kindly(void **state)
{
	struct world *w = peopled(OTHER);
	int told = 0, asked = 0;

	(void)state;
	assert_true(engine_turn(w->engine, few_turn, NULL));
	world_pass(w, 20 * 86400);
	for (int i = 0; i < w->count; i++) {
		asked += w->sent[i].class == CLASS_MATCH && w->sent[i].choices >= 3;
		told += w->sent[i].class == CLASS_MATCH && w->sent[i].choices == 4;
		if (w->sent[i].class == CLASS_MATCH && w->sent[i].choices == 4)
			assert_string_equal(w->sent[i].where, who(OBSERVER));
	}
	assert_true(asked >= OTHER);
	assert_true(told > 0);
	world_free(w);
}

/* ---- chats, across two networks ---- */

/* A second network: people with even numbers are there. */
struct twin {
	struct transport transport;
	struct transport_up up;
	struct sent sent[SENT_MOST];
	int count, reported;
};
static struct twin twin;

static void
twin_open(struct transport *t, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	(void)t;
	(void)cursor;
	(void)state;
	(void)count;
	twin.up = *up;
}

static void
twin_send(struct transport *t, const struct shipment *s)
{
	struct sent *r = &twin.sent[twin.count++];
	struct arena *arena = arena_new();

	(void)t;
	assert_true(twin.count < SENT_MOST);
	*r = (struct sent){.id = s->id, .op = s->op, .class = s->class};
	world_copy(r->where, sizeof(r->where), s->where);
	world_copy(r->set, sizeof(r->set), s->set);
	r->text = memory_string(s->card ? card_plain(arena, s->card) : "");
	for (const struct choice *c = s->card ? s->card->choices : NULL; c; c = c->next)
		r->choices++;
	arena_free(arena);
}

static void
twin_poll(struct transport *t)
{
	twin.up.health(twin.up.engine, t, HEALTH_GOOD, "");
}

static void
twin_close(struct transport *t)
{
	(void)t;
}

static const struct transport_ops twin_ops = {
    .open = twin_open, .poll = twin_poll, .send = twin_send, .close = twin_close};

static bool
on_twin(int64_t person)
{
	return person % 2 == 0;
}

static const char *
address(int64_t person)
{
	static char names[8][40];
	static int next;
	char *name = names[next++ % 8];

	if (!on_twin(person))
		return who(person);
	snprintf(name, sizeof(names[0]), "@canary%05lld:example.org", (long long)person);
	return name;
}

static void
settle_both(struct world *w)
{
	bool more;

	do {
		world_settle(w);
		more = twin.reported < twin.count;
		while (twin.reported < twin.count) {
			char message[32];
			struct sent *s = &twin.sent[twin.reported++];

			snprintf(message, sizeof(message), "m%lld", (long long)s->id);
			twin.up.gone(twin.up.engine, &twin.transport, s->id,
			    &(struct outcome){.fate = FATE_SENT, .message = message});
		}
	} while (more);
}

static void
happens(struct world *w, struct event event)
{
	static int64_t serial;
	char id[24];
	struct batch batch = {.events = &event, .event_count = 1};
	bool there = event.who[0] == '@';

	snprintf(id, sizeof(id), "t%lld", (long long)++serial);
	event.id = id;
	event.where = event.who;
	if (there)
		twin.up.came(twin.up.engine, &twin.transport, &batch);
	else
		w->up.came(w->up.engine, &w->transport, &batch);
	settle_both(w);
}

static void
writes(struct world *w, int64_t person, const char *text, const char *reply_to)
{
	happens(w,
	    (struct event){
		.kind = EVENT_MESSAGE, .who = address(person), .text = text, .reply_to = reply_to});
}

/* The last card that person got, of those with choices when `choices`. */
static struct sent *
last_to(struct world *w, int64_t person, bool choices)
{
	struct sent *list = on_twin(person) ? twin.sent : w->sent;

	for (int i = (on_twin(person) ? twin.count : w->count) - 1; i >= 0; i--)
		if (!strcmp(list[i].where, address(person)) && list[i].text[0] &&
		    (!choices || list[i].choices))
			return &list[i];
	return NULL;
}

static void
presses(struct world *w, int64_t person, int k)
{
	struct sent *on = last_to(w, person, true);
	char token[64], message[32];

	assert_non_null(on);
	snprintf(token, sizeof(token), "%s.%d", on->set, k);
	snprintf(message, sizeof(message), "m%lld", (long long)on->id);
	happens(w, (struct event){.kind = EVENT_PRESS,
		       .who = address(person),
		       .token = token,
		       .press = "q",
		       .message = message});
}

static void
forget_both(struct world *w)
{
	world_forget_sent(w);
	for (int i = 0; i < twin.count; i++)
		free(twin.sent[i].text);
	twin.count = twin.reported = 0;
}

static void
names_turn(struct turn *t, void *ctx)
{
	int64_t last = *(int64_t *)ctx;

	for (int64_t person = 1; person <= last; person++)
		people_set_pseudonym(
		    t, person, arena_print(t->arena, "Pseudonym%05lldX", (long long)person));
}

static struct world *
two_networks(int64_t count)
{
	struct world *w = world_new();

	memset(&twin, 0, sizeof(twin));
	twin.transport = (struct transport){.name = "matrix",
	    .ops = &twin_ops,
	    .slots = 8,
	    .text_scalars = 4000,
	    .command_sign = '!'};
	engine_add(w->engine, &twin.transport);
	twin.transport.ops->poll(&twin.transport);
	for (int64_t i = 1; i <= count; i++)
		writes(w, i, "/help", NULL);
	assert_true(engine_turn(w->engine, join_turn, &count));
	assert_true(engine_turn(w->engine, names_turn, &count));
	forget_both(w);
	return w;
}

struct pair {
	int64_t person[3];
	int count;
};

static void
relay_turn(struct turn *t, void *ctx)
{
	struct pair *p = ctx;

	relay_open(t, p->person, p->count, 0, t->now);
}

static void
relay_open_now(struct world *w, int64_t a, int64_t b, int64_t c)
{
	struct pair p = {{a, b, c}, c ? 3 : 2};

	assert_true(engine_turn(w->engine, relay_turn, &p));
	settle_both(w);
}

/* A small generator of its own, so that a failure can be played again. */
static uint64_t seed = 1;

static unsigned
dice(unsigned sides)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % sides;
}

/* Nothing that tells who `of` is was sent to anybody else. */
static void
no_canary(const struct sent *list, int count, int64_t of, bool shared)
{
	char canary[4][48];

	snprintf(canary[0], sizeof(canary[0]), "%s", address(of));
	snprintf(canary[1], sizeof(canary[1]), "Pseudonym%05lldX", (long long)of);
	snprintf(canary[2], sizeof(canary[2]), "052%07lld", (long long)of);
	snprintf(canary[3], sizeof(canary[3]), "Contact%05lldX", (long long)of);
	for (int i = 0; i < count; i++) {
		if (!strcmp(list[i].where, address(of)))
			continue;
		for (int k = 0; k < (shared ? 3 : 4); k++)
			if (strstr(list[i].text, canary[k]))
				fail_msg(
				    "%s reached %s: %s", canary[k], list[i].where, list[i].text);
		for (int k = 0; k < 4; k++)
			assert_null(strstr(list[i].text, orgs[k]));
	}
}

static void
say_something(struct world *w, int64_t person, int64_t other)
{
	char text[200];
	const struct sent *said = last_to(w, other, false);

	switch (dice(7)) {
	case 0:
		snprintf(text, sizeof(text), "call 052%07lld or +972 52-000%04lld tonight",
		    (long long)person, (long long)person);
		writes(w, person, text, NULL);
		presses(w, person, 1);
		break;
	case 1:
		snprintf(text, sizeof(text), "I am %s, mail canary@example.org, t.me/%s",
		    address(person), address(person));
		writes(w, person, text, NULL);
		presses(w, person, 1);
		break;
	case 2:
		happens(w,
		    (struct event){.kind = EVENT_MESSAGE,
			.who = address(person),
			.text = "a caption",
			.media = {.kind = MEDIA_PICTURE, .handle = "h", .name = address(person)}});
		break;
	case 3:
		happens(
		    w, (struct event){
			   .kind = EVENT_EDITED, .who = address(person), .text = address(person)});
		break;
	case 4:
		writes(w, person, "/chats", NULL);
		presses(w, person, 1);
		break;
	case 5:
		writes(w, person, "an answer <b>here</b> 2", said ? "m1" : NULL);
		break;
	default:
		writes(w, person, dice(2) ? "on 2 May" : "שלום وأهلًا, hello", NULL);
	}
}

static void
share_contact(struct world *w, int64_t person)
{
	char text[40];

	writes(w, person, "/chats", NULL);
	presses(w, person, 2);
	snprintf(text, sizeof(text), "Contact%05lldX", (long long)person);
	writes(w, person, text, NULL);
}

static void
one_conversation(struct world *w, int64_t people)
{
	int64_t a = 1 + dice((unsigned)people), b = 1 + dice((unsigned)people - 1);
	bool both = dice(4) == 0, one = both || dice(2);

	b += b >= a;
	relay_open_now(w, a, b, 0);
	for (unsigned i = 2 + dice(5); i > 0; i--)
		say_something(w, i % 2 ? a : b, i % 2 ? b : a);
	if (one)
		share_contact(w, a);
	if (both)
		share_contact(w, b);
	writes(w, dice(2) ? a : b, "/chats", NULL);
	for (int64_t of = 1; of <= people; of++) {
		no_canary(w->sent, w->count, of, both);
		no_canary(twin.sent, twin.count, of, both);
	}
	writes(w, a, "/chats", NULL);
	presses(w, a, 3 + (int)dice(3));
	writes(w, a, "/cancel", NULL);
	assert_int_equal(number(w, "SELECT count(*) FROM relay WHERE ended = 0"), 0);
	forget_both(w);
}

static void
relay_nothing_of_an_identity_crosses(void **state)
{
	int64_t people = 12, conversations = getenv("LONG") ? 10000 : 60;
	struct world *w = two_networks(people);

	(void)state;
	for (int64_t i = 0; i < conversations; i++) {
		one_conversation(w, people);
		if (i % 20 == 19)
			world_pass(w, 3600);
	}
	printf("# %lld conversations on two networks\n", (long long)conversations);
	world_free(w);
}

/* ---- how a chat ends for the other side ---- */

static void
leave_now(struct world *w, int64_t person)
{
	writes(w, person, "/safety", NULL);
	presses(w, person, 4);
}

/* The chat's name taken out: it is made anew each time. */
static char *
without_name(const char *text)
{
	char *out = memory_string(text), *from = strstr(out, "\u2068"), *to;

	to = from ? strstr(from, "\u2069") : NULL;
	if (to)
		memmove(from, to, strlen(to) + 1);
	return out;
}

static void
relay_every_end_reads_the_same(void **state)
{
	char *first = NULL;

	(void)state;
	for (int how = 0; how < 7; how++) {
		struct world *w = two_networks(2);
		struct sent *end;
		char *text;

		relay_open_now(w, 1, 2, 0);
		forget_both(w);
		if (how == 0)
			leave_now(w, 1);
		if (how >= 1 && how <= 3) {
			writes(w, 1, "/chats", NULL);
			presses(w, 1, 2 + how); /* leave, block, report */
		}
		if (how == 4) {
			writes(w, 1, "/forgetme", NULL);
			presses(w, 1, 1);
		}
		if (how == 5)
			happens(w, (struct event){.kind = EVENT_GONE, .who = address(1)});
		if (how == 6)
			for (int day = 0; day < 16; day++) {
				world_pass(w, 86400);
				settle_both(w);
			}
		end = NULL;
		for (int i = 0; i < twin.count; i++)
			if (twin.sent[i].class == CLASS_RELAY)
				end = &twin.sent[i];
		assert_non_null(end);
		assert_int_equal(end->choices, 0);
		text = without_name(end->text);
		if (how == 0)
			printf("# the other side reads: %s\n", text);
		if (first)
			assert_string_equal(first, text);
		/* What is written afterwards goes nowhere. */
		forget_both(w);
		writes(w, 2, "still there?", NULL);
		assert_int_equal(w->count, 0);
		if (first)
			free(text);
		else
			first = text;
		forget_both(w);
		world_free(w);
	}
	free(first);
}

/* ---- several chats at once ---- */

static int
texts_to(struct world *w, int64_t person, const char *part)
{
	struct sent *list = on_twin(person) ? twin.sent : w->sent;
	int n = 0;

	for (int i = 0; i < (on_twin(person) ? twin.count : w->count); i++)
		n += !strcmp(list[i].where, address(person)) && strstr(list[i].text, part);
	return n;
}

static void
relay_an_answer_goes_to_its_chat(void **state)
{
	struct world *w = two_networks(8);
	char message[32];

	(void)state;
	relay_open_now(w, 1, 2, 0);
	relay_open_now(w, 1, 3, 0);
	relay_open_now(w, 1, 4, 5);
	writes(w, 2, "from two", NULL);
	snprintf(message, sizeof(message), "m%lld", (long long)last_to(w, 1, false)->id);
	writes(w, 3, "from three", NULL);
	writes(w, 1, "to two", message);
	assert_int_equal(texts_to(w, 2, "to two"), 1);
	assert_int_equal(texts_to(w, 3, "to two") + texts_to(w, 4, "to two"), 0);
	/* An answer to something unknown asks, and goes nowhere. */
	writes(w, 1, "to whom", "m999999");
	for (int64_t other = 2; other <= 5; other++)
		assert_int_equal(texts_to(w, other, "to whom"), 0);
	presses(w, 1, 1);
	writes(w, 1, "to all of three", NULL);
	assert_int_equal(texts_to(w, 4, "to all of three") + texts_to(w, 5, "to all of three"), 2);
	assert_int_equal(texts_to(w, 2, "to all of three") + texts_to(w, 3, "to all of three"), 0);
	/* A number is a word to the other, not a button of the card. */
	writes(w, 4, "2", NULL);
	assert_int_equal(texts_to(w, 1, "\u20682\u2069") >= 1, 1);
	forget_both(w);
	world_free(w);
}

/* Nobody knows whether it arrived: its writer is told, and it is not sent twice. */
static void
relay_doubt_is_told_to_the_writer(void **state)
{
	struct world *w = two_networks(4);

	(void)state;
	relay_open_now(w, 1, 3, 0);
	forget_both(w);
	w->fate = (struct outcome){.fate = FATE_UNCERTAIN};
	writes(w, 1, "did this arrive?", NULL);
	w->fate = (struct outcome){.fate = FATE_SENT};
	settle_both(w);
	assert_int_equal(texts_to(w, 3, "did this arrive?"), 1);
	assert_int_equal(texts_to(w, 1, "ربما"), 1);
	forget_both(w);
	world_free(w);
}

/* What would tell who somebody is gives way, and plain words stay as they are. */
static void
relay_neutral_words(void **state)
{
	static const char *const plain[] = {
	    "hello", "on 2 May at 17:30", "שלום, מה נשמע?", "أهلًا وسهلًا", "a\nb  c", ""};
	static const char *const telling[] = {"call 052-123-4567", "call 052 123 45 67 now",
	    "+972 (52) 123 4567", "٠٥٢ ١٢٣ ٤٥٦٧", "noor@example.org", "@noor_h", "t.me/noor",
	    "https://example.org/noor", "www.example.org", "see instagram.com/noor tonight"};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		assert_string_equal(neutral_text(arena, plain[i], "[x]"), plain[i]);
	for (size_t i = 0; i < sizeof(telling) / sizeof(*telling); i++) {
		const char *out = neutral_text(arena, telling[i], "[x]");

		assert_true(text_reveals(telling[i]));
		assert_false(text_reveals(out));
		assert_non_null(strstr(out, "[x]"));
		assert_null(strstr(out, "noor"));
		assert_null(strstr(out, "4567"));
	}
	arena_free(arena);
}

/* What was written lies in the database only until it is delivered. */
static void
relay_nothing_is_kept(void **state)
{
	struct world *w = two_networks(2);

	(void)state;
	relay_open_now(w, 1, 2, 0);
	writes(w, 1, "a secret sentence", NULL);
	assert_int_equal(number(w, "SELECT count(*) FROM delivery WHERE body IS NOT NULL"), 0);
	assert_int_equal(number(w, "SELECT count(*) FROM relay_sent"), 1);
	forget_both(w);
	world_free(w);
}

/* ---- who may do what ---- */

enum role_row {
	VISITOR = 1,
	UNCONSENTED,
	CONSENTED,
	CORA,
	SAMIR,
	JUDGE,
	OFFICER,
	ADMIN,
	ROLE_ROWS
};

static void
roles_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	for (int64_t person = VISITOR; person < ROLE_ROWS; person++) {
		people_set_language(t, person, "en");
		if (person != VISITOR)
			people_join(t, person, orgs[person == SAMIR]);
	}
	people_set_adult(t, CONSENTED, true);
	consent_set(t, CONSENTED, CONSENT_MATCHING, true);
	people_grant(t, CORA, COORDINATORS, orgs[0]);
	people_grant(t, SAMIR, COORDINATORS, orgs[1]);
	people_grant(t, JUDGE, JUDGES, orgs[0]);
	people_grant(t, OFFICER, SAFETY, "");
	people_grant(t, ADMIN, ADMINS, "");
}

/* One letter a row of the enum: y may, n may not, - not at all without being a member. */
static const struct {
	const char *command, *may;
} rights[] = {
    {"/match", "-yyyyyyy"},
    {"/chats", "-yyyyyyy"},
    {"/safety", "yyyyyyyy"},
    {"/round", "nnnyynny"},
    {"/offers", "nnnyynny"},
    {"/reports", "nnnnnnyy"},
};

static void
match_each_command_for_each_role(void **state)
{
	struct world *w = world_new();

	(void)state;
	for (int64_t i = VISITOR; i < ROLE_ROWS; i++)
		world_says(w, who(i), "/help");
	assert_true(engine_turn(w->engine, roles_turn, NULL));
	for (size_t c = 0; c < sizeof(rights) / sizeof(*rights); c++)
		for (int64_t i = VISITOR; i < ROLE_ROWS; i++) {
			char may = rights[c].may[i - 1];
			struct sent *answer;

			world_forget_sent(w);
			world_says(w, who(i), rights[c].command);
			answer = world_last(w, who(i));
			assert_non_null(answer);
			if (may == 'n')
				assert_true(world_is(w, answer, "en", "engine.not_allowed"));
			else if (may == '-')
				assert_true(world_is(w, answer, "en", "engine.members_only"));
			else if (strstr(answer->text, "needs a role") ||
				 strstr(answer->text, "for members"))
				fail_msg("%s refused to %d: %s", rights[c].command, (int)i,
				    answer->text);
		}
	/* Consent decides what /match shows. */
	world_says(w, who(CONSENTED), "/match");
	assert_int_equal(world_last(w, who(CONSENTED))->choices, 6);
	world_says(w, who(UNCONSENTED), "/match");
	assert_int_equal(world_last(w, who(UNCONSENTED))->choices, 2);
	world_free(w);
}

static void
revoke_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	people_revoke(t, CORA, COORDINATORS, orgs[0]);
}

/* A card pressed by somebody else, or after the role or the consent is gone, does nothing. */
static void
match_cards_of_others_and_of_yesterday(void **state)
{
	struct world *w = world_new();
	struct sent card;

	(void)state;
	for (int64_t i = VISITOR; i < ROLE_ROWS; i++)
		world_says(w, who(i), "/help");
	assert_true(engine_turn(w->engine, roles_turn, NULL));
	world_says(w, who(CONSENTED), "/match");
	card = *world_last(w, who(CONSENTED));
	world_presses(w, who(UNCONSENTED), &card, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM meeting WHERE wished = 1"), 0);
	world_presses(w, who(CONSENTED), &card, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM meeting WHERE wished = 1"), 1);
	world_presses(w, who(CONSENTED), &card, 6);
	assert_int_equal(number(w, "SELECT count(*) FROM meeting"), 0);
	world_presses(w, who(CONSENTED), &card, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM meeting"), 0);
	world_says(w, who(CORA), "/offers");
	card = *world_last(w, who(CORA));
	assert_true(engine_turn(w->engine, revoke_turn, NULL));
	world_presses(w, who(CORA), &card, 3);
	assert_int_equal(number(w, "SELECT count(*) FROM conversation"), 0);
	world_free(w);
}

static void
post_turn(struct turn *t, void *ctx)
{
	static struct sql add = {"INSERT INTO offer(org, need, kind, text, place, languages, "
				 "capacity, starts, until, named,"
				 " opened) VALUES(?, 0, 3, ?, 0, 0, 0, 0, 0, 0, 1)"};

	(void)ctx;
	db_run(t->db, &add, V(orgs[0], "a room of the first"));
	db_run(t->db, &add, V(orgs[1], "a room of the second"));
}

/* Coordinators see and take down what is their own organisation's, and nobody else's. */
static void
offers_belong_to_their_organisation(void **state)
{
	struct world *w = world_new();
	struct sent own;

	(void)state;
	for (int64_t i = VISITOR; i < ROLE_ROWS; i++)
		world_says(w, who(i), "/help");
	assert_true(engine_turn(w->engine, roles_turn, NULL));
	assert_true(engine_turn(w->engine, post_turn, NULL));
	world_says(w, who(CORA), "/offers");
	world_presses(w, who(CORA), world_last(w, who(CORA)), 5);
	own = *world_last(w, who(CORA));
	assert_non_null(strstr(own.text, "of the first"));
	assert_null(strstr(own.text, "of the second"));
	world_presses(w, who(SAMIR), &own, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM offer WHERE closed > 0"), 0);
	world_presses(w, who(CORA), &own, 1);
	assert_int_equal(number(w, "SELECT count(*) FROM offer WHERE closed > 0"), 1);
	/* Whose it is stays unsaid where that was wished. */
	world_says(w, who(CORA), "/offers");
	world_presses(w, who(CORA), world_last(w, who(CORA)), 1);
	world_presses(w, who(CORA), world_last(w, who(CORA)), 1);
	assert_non_null(strstr(world_last(w, who(CORA))->text, "of the second"));
	assert_null(strstr(world_last(w, who(CORA))->text, "Seeds"));
	world_free(w);
}

/* ---- reports ---- */

static void
officers_turn(struct turn *t, void *ctx)
{
	int64_t last = *(int64_t *)ctx;

	for (int64_t person = 1; person <= last; person++) {
		people_set_language(t, person, "en");
		people_join(t, person, orgs[person % 4]);
	}
	people_grant(t, 2, SAFETY, "");
	people_grant(t, 3, SAFETY, "");
	people_grant(t, 4, ADMINS, "");
}

static bool
sees_reports(struct world *w, int64_t person)
{
	world_says(w, who(person), "/reports");
	return world_last(w, who(person))->choices > 0;
}

/* A report about an officer is seen by another one, and by nobody it concerns. */
static void
safety_nobody_decides_about_themselves(void **state)
{
	struct world *w = world_new();
	struct pair p = {{1, 2, 0}, 2};
	int64_t last = 4;

	(void)state;
	for (int64_t i = 1; i <= last; i++)
		world_says(w, who(i), "/help");
	assert_true(engine_turn(w->engine, officers_turn, &last));
	assert_true(engine_turn(w->engine, relay_turn, &p));
	world_settle(w);
	world_says(w, who(1), "/safety");
	world_presses(w, who(1), world_last(w, who(1)), 1);
	world_says(w, who(1), "something happened");
	assert_false(sees_reports(w, 2));
	assert_true(sees_reports(w, 3));
	assert_false(sees_reports(w, 4));
	/* The reported one finds nothing of it in what is stored about them. */
	assert_int_equal(
	    number(w, "SELECT count(*) FROM report WHERE about = 2 AND reporter = 1"), 1);
	world_says(w, who(2), "/mydata");
	assert_int_equal(number(w, "SELECT count(*) FROM pragma_foreign_key_list('report')"
				   " WHERE \"from\" IN ('about', 'decided')"),
	    0);
	/* Erasing oneself is no way out: the hashes are still there. */
	world_says(w, who(2), "/forgetme");
	world_presses(w, who(2), world_last(w, who(2)), 1);
	world_says(w, who(3), "/reports");
	world_presses(w, who(3), world_last(w, who(3)), 1);
	world_presses(w, who(3), world_last(w, who(3)), 3);
	world_presses(w, who(3), world_last(w, who(3)), 1);
	assert_int_equal(number(w, "SELECT count(*) FROM ban"), 1);
	world_forget_sent(w);
	world_says(w, who(2), "/start");
	assert_null(world_last(w, who(2)));
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(match_refusals_cannot_be_told_apart),
    cmocka_unit_test(match_a_round_survives_being_killed),
    cmocka_unit_test(match_three_meet_over_an_episode),
    cmocka_unit_test(match_who_has_few_hears_it_kindly),
    cmocka_unit_test(relay_nothing_of_an_identity_crosses),
    cmocka_unit_test(relay_every_end_reads_the_same),
    cmocka_unit_test(relay_an_answer_goes_to_its_chat),
    cmocka_unit_test(relay_nothing_is_kept),
    cmocka_unit_test(relay_doubt_is_told_to_the_writer),
    cmocka_unit_test(relay_neutral_words),
    cmocka_unit_test(match_each_command_for_each_role),
    cmocka_unit_test(match_cards_of_others_and_of_yesterday),
    cmocka_unit_test(offers_belong_to_their_organisation),
    cmocka_unit_test(safety_nobody_decides_about_themselves),
};

UNIT_RUN(tests)
