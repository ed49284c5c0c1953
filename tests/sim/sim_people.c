/* People who follow and break every flow, in three languages: commands, buttons old and new, forged
 * tokens, numbers, junk, blocking and coming back. Some hold roles. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feature.h"

enum { REMEMBERED = 24, TOKEN = 72 };

struct button {
	int64_t message;
	char data[TOKEN];
};

static struct human {
	int64_t chat, last_act_ms;
	const char *language;
	bool blocked, invited, asked_for_menu, said_something;
	unsigned role;
	const char *org;
	struct button buttons[REMEMBERED];
	int button_count, acts_left;
} humans[SIM_PEOPLE_MOST];

static int64_t oracles;

static const char *const words[] = {"/start", "/help", "/events", "/partners", "/podcast", "/match",
    "/chats", "/offers", "/stories", "/survey", "/forum", "/profile", "/pause", "/privacy",
    "/safety", "/cancel", "/language", "/mydata", "/stop", "/link", "/check 1", "/feedback",
    "/tickets", "/approve", "/announce", "/queue", "/newevent", "/round", "/stats", "/train",
    "/judge", "/reports", "/role", "/audit", "/oracle", "/podcas", "events", "פודקאסט", "אירועים",
    "بودكاست", "فعاليات", "ביטול", "إلغاء"};
static const char *const answers[] = {"1", "2", "3", "٣", "۱", "12", "yes", "no", "כן", "نعم",
    "Hello WordCanary there", "שלום WordCanary", "שלום לכולם", "مرحبا بالجميع", "2027-03-27 10:00",
    "a\u202eb\u2066c", "<b>x</b>", "0501234567 @someone https://example.org", "\xf0\x9f\x8c\xbf",
    "/", "."};

static const char *
pick(const char *const *list, size_t count)
{
	return list[(size_t)dice_below((int64_t)count)];
}
#define PICK(list) pick(list, sizeof(list) / sizeof(*(list)))

static struct human *
human_of(int64_t chat)
{
	int64_t i = chat - SIM_FIRST_CHAT;

	return i >= 0 && i < sim.o.people ? &humans[i] : NULL;
}

int64_t
people_last_act(int64_t chat)
{
	struct human *h = human_of(chat);

	return h ? h->last_act_ms : 0;
}

bool
people_blocked(int64_t chat)
{
	struct human *h = human_of(chat);

	return h && h->blocked;
}

void
people_received(int64_t chat, int64_t message, const char *text, const char *const *buttons,
    int button_count, bool was_edited)
{
	struct human *h = human_of(chat);

	(void)text;
	(void)was_edited;
	if (!h)
		return;
	h->said_something = false;
	if (button_count)
		h->asked_for_menu = false;
	for (int i = 0; i < button_count; i++) {
		int at =
		    h->button_count < REMEMBERED ? h->button_count++ : (int)dice_below(REMEMBERED);

		h->buttons[at].message = message;
		snprintf(h->buttons[at].data, TOKEN, "%s", buttons[i]);
	}
}

static void
press(struct human *h)
{
	struct button *b = &h->buttons[dice_below(h->button_count)];
	char forged[TOKEN];

	if (!chance(30000)) {
		telegram_press(h->chat, b->message, b->data);
		return;
	}
	/* Somebody else's, or one with a letter changed. */
	snprintf(forged, sizeof(forged), "%s",
	    humans[dice_below(sim.o.people)].button_count ? humans[0].buttons[0].data : b->data);
	if (forged[0])
		forged[dice_below((int64_t)strlen(forged))] ^= 1;
	telegram_press(h->chat, b->message, forged);
}

/* A deep link works in any state, so every one of these that was confirmed was heard exactly once.
 */
static void
ask_oracle(struct human *h)
{
	char text[60];

	snprintf(text, sizeof(text), "/start o_%lld", (long long)++oracles);
	telegram_say(h->chat, h->language, text);
}

static void
turn_away(struct human *h)
{
	h->blocked = !h->blocked;
	telegram_member(h->chat, h->blocked);
}

static void
join(struct human *h)
{
	char text[80];
	const char *code = sim.alive ? bot_invite(h->role, h->org) : NULL;

	if (!code)
		return;
	h->invited = true;
	snprintf(text, sizeof(text), "/start j_%s", code);
	telegram_say(h->chat, h->language, text);
}

static void
act_once(struct human *h)
{
	int64_t what = dice_below(1000);

	h->last_act_ms = sim.now_ms;
	if (h->blocked || what < 8)
		turn_away(h);
	else if (!h->invited || what < 12)
		join(h);
	else if (what < 100)
		ask_oracle(h);
	else if (what < 620 && h->button_count)
		press(h);
	else if (what < 850)
		telegram_say(h->chat, h->language, PICK(words));
	else if (what < 852)
		telegram_say(h->chat, h->language, "/forgetme");
	else
		telegram_say(h->chat, h->language, PICK(answers));
}

/* A sitting of some acts, then nothing for hours or days. */
static void
act(void *ctx)
{
	struct human *h = ctx;
	int64_t next_ms;

	if (sim.calm)
		return;
	act_once(h);
	if (h->acts_left-- > 0) {
		next_ms = 2000 + dice_below(60000);
	} else {
		h->acts_left = (int)dice_below(12);
		next_ms = dice_below(48 * 3600 * 1000);
	}
	agenda_add(sim.now_ms + next_ms, false, act, NULL, h);
}

void
people_begin(void)
{
	static const char *const languages[] = {"en", "ar", "he"};
	static const char *const orgs[] = {"allmep", "pendulum", "b8-of-hope"};
	static const unsigned roles[] = {
	    ADMINS, ADMINS, COORDINATORS, COORDINATORS, SAFETY, SAFETY, JUDGES, COORDINATORS};

	memset(humans, 0, sizeof(humans));
	oracles = 0;
	for (int i = 0; i < sim.o.people; i++) {
		humans[i].chat = SIM_FIRST_CHAT + i;
		humans[i].language = languages[i % 3];
		humans[i].role = i < 8 ? roles[i] : MEMBERS;
		humans[i].org = orgs[i % 3];
		agenda_add(sim.now_ms + dice_below(86400000), false, act, NULL, &humans[i]);
	}
}

/* Never silent: whatever is said, something comes back. */
void
people_all_heard(void)
{
	for (int i = 0; i < sim.o.people; i++)
		if (humans[i].said_something && !humans[i].blocked)
			violated("somebody said something and got no answer");
}

void
people_say_something(bool press)
{
	people_all_heard();
	for (int i = 0; i < sim.o.people; i++)
		if (!humans[i].blocked) {
			humans[i].said_something = true;
			if (press)
				telegram_press(humans[i].chat, 1, "AAAAAAAAAAAAAAAAAAAA.1");
			else
				telegram_say(humans[i].chat, humans[i].language, "qzx vwq jjj");
		}
}

/* Something that fails whoever reads it: all that comes behind it must be heard at once. */
static void
say_poison(void)
{
	char text[60];

	oracles += SIM_POISON - oracles % SIM_POISON;
	snprintf(text, sizeof(text), "/start o_%lld", (long long)oracles);
	telegram_say(humans[0].chat, humans[0].language, text);
}

/* Never stuck: from whatever state, one message with a menu. */
void
people_say_start(void)
{
	say_poison();
	for (int i = 0; i < sim.o.people; i++)
		if (!humans[i].blocked) {
			humans[i].asked_for_menu = true;
			telegram_say(humans[i].chat, humans[i].language, "/start");
		}
}

int
people_unanswered(void)
{
	int n = 0;

	for (int i = 0; i < sim.o.people; i++)
		n += humans[i].asked_for_menu && !humans[i].blocked;
	return n;
}
