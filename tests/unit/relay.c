/* Chats through the bot: what crosses, where it goes, and how a chat ends for the other side. */
#include "unit.h"

#include "base/neutral.h"
#include "base/text.h"

#include "meeting_world.h"

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

/* It shows on a locked screen, and what people write may say anything. */
static void
relay_first_line_names_nothing_in_each_language(void **state)
{
	static const char *const keys[] = {
	    "relay.says", "relay.shared", "role.code", "role.was_taken"};
	static const struct hole holes[] = {{"name", "Fig Leaf"}, {"text", "Palestinian"},
	    {"role", "judge"}, {"org", "Israeli"}, {"code", "j_1"}, {0}};
	struct world *w = world_new();
	struct arena *arena = arena_new();

	(void)state;
	for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
		for (int i = 0; i < words_count(w->words); i++) {
			char *text = words_text(
			    w->words, arena, words_language(w->words, i), keys[k], 0, holes);

			assert_non_null(strstr(text, k < 2 ? "Palestinian" : "Israeli"));
			text[strcspn(text, "\n")] = 0;
			assert_null(strstr(text, k < 2 ? "Palestinian" : "Israeli"));
		}
	arena_free(arena);
	world_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(relay_first_line_names_nothing_in_each_language),
    cmocka_unit_test(relay_nothing_of_an_identity_crosses),
    cmocka_unit_test(relay_every_end_reads_the_same),
    cmocka_unit_test(relay_an_answer_goes_to_its_chat),
    cmocka_unit_test(relay_nothing_is_kept),
    cmocka_unit_test(relay_doubt_is_told_to_the_writer),
    cmocka_unit_test(relay_neutral_words),
};

UNIT_RUN(tests)
