/* People who follow and break every flow, in three languages, on two networks: the flows of
 * sim_scripts.c, commands, buttons old and new, forged tokens, numbers, junk, blocking and coming
 * back. Some hold roles, one is a stranger with bad intentions, and a crowd says yes and sleeps. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feature.h"
#include "store/db.h"

#define GIBBERISH "qzx vwq j"

enum { REMEMBERED = 24, NEWEST = 30, TOKEN = 72, LINE = 2400, WAITS_MS = 120000 };

struct button {
	int64_t message;
	char data[TOKEN];
};

static struct human {
	int64_t chat, last_act_ms;
	const char *language;
	bool blocked, invited, asked_for_menu, said_something;
	bool matrix, encrypts, sleeper, hostile;
	struct human *twin; /* the same person's other telephone */
	char code[32];	    /* that links the two */
	unsigned role;
	const char *org;
	const char *const *script; /* the flow, and how far it has come */
	int step;
	struct button buttons[REMEMBERED], newest[NEWEST];
	int button_count, newest_count, acts_left;
} humans[SIM_PEOPLE_MOST];

static int64_t oracles;
static int count; /* with the crowd */

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
static const char *const attacks[] = {"/start j_AAAAAAAAAAAAAAAAAAAAAA", "/start j_", "/start r_1",
    "/link k_AAAAAAAAAAAAAAAAAAAAAA", "/check 999999999999999999999", "/check -1", "/role",
    "/start e_1", "/start o_", "\u202e\u202d\u2067\u2066 evil \u2069\u2069\u2069\u2069",
    "\u2069\u2069\u2069 out of the isolate", "<a href=\"tg://user?id=1\">x</a>", "{name} {n} %s%n",
    "' OR 1=1; DROP TABLE person; --", "../../etc/passwd",
    "\xf0\x9f\x8f\xb4\xe2\x80\x8d\xe2\x98\xa0", "/announce\n/announce", "/oracle", "/audit",
    "/start " SIM_CANARY};

static const char *const in_groups[] = {
    "/events@sim_bot", "/podcast@sim_bot", "/profile@sim_bot", "/start@sim_bot", "What a day"};
static const char *const joining[] = {"#1", NULL};
static const char *const sleeping[] = {"#1", "/match", "#1", NULL};
static const char *const linking[] = {"/link", "#1", NULL};
static const char *const linking_there[] = {"/link {code}", "#1", NULL};
static const char *const linking_back[] = {"#1", NULL};

static const char *
pick(const char *const *list, size_t length)
{
	return list[(size_t)dice_below((int64_t)length)];
}
#define PICK(list) pick(list, sizeof(list) / sizeof(*(list)))

static struct human *
human_of(int64_t chat)
{
	int64_t i = chat - SIM_FIRST_CHAT;

	return i >= 0 && i < count ? &humans[i] : NULL;
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

/* ---- saying ---- */

static bool
speak(struct human *h, const char *text)
{
	char line[LINE], *canary;

	snprintf(line, sizeof(line), "%s", text);
	/* What those with a role write may become a title, a text for all: that is not sealed. */
	if (h->role != MEMBERS && (canary = strstr(line, "WordCanary")))
		memcpy(canary, "WordSparro", 10);
	if (!h->matrix)
		return telegram_say(h->chat, h->language, line) != 0;
	if (line[0] == '/')
		line[0] = '!';
	return matrix_say(h->chat, line) != 0;
}

/* The nth choice of the newest message with choices. Its data ends with its number: where one reads
 * from the right the buttons of a row stand the other way round. */
static void
choose(struct human *h, int n)
{
	char number[16];

	snprintf(number, sizeof(number), ".%d", n);
	for (int i = 0; i < h->newest_count; i++) {
		const char *dot = strrchr(h->newest[i].data, '.');

		if (dot && !strcmp(dot, number)) {
			telegram_press(h->chat, h->newest[i].message, h->newest[i].data);
			return;
		}
	}
	speak(h, number + 1);
}

static void
press(struct human *h)
{
	struct button *b = &h->buttons[dice_below(h->button_count)];
	char forged[TOKEN];

	if (!h->hostile && !chance(30000)) {
		telegram_press(h->chat, b->message, b->data);
		return;
	}
	/* Somebody else's, or one with a letter changed. */
	snprintf(forged, sizeof(forged), "%s",
	    humans[dice_below(sim.o.people)].button_count ? humans[0].buttons[0].data : b->data);
	if (forged[0] && chance(700000))
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
	speak(h, text);
}

static void
turn_away(struct human *h)
{
	if (h->matrix && !h->blocked && chance(500000)) {
		matrix_upgrade(h->chat);
		return;
	}
	h->blocked = !h->blocked;
	if (h->matrix && h->blocked)
		matrix_leave(h->chat);
	else if (h->matrix)
		matrix_meet(h->chat, h->encrypts);
	else if (!h->blocked || !fault(500000)) /* else it is noticed when something is sent */
		telegram_member(h->chat, h->blocked);
}

static void
begin(struct human *h, const char *const *script)
{
	h->script = script;
	h->step = 0;
}

static void
join(struct human *h)
{
	char text[80];
	const char *code = sim.alive ? bot_invite(h->role, h->org) : NULL;

	if (!code)
		return;
	snprintf(text, sizeof(text), "/start j_%s", code);
	if (!speak(h, text))
		return;
	h->invited = true;
	begin(h, h->sleeper ? sleeping : joining);
}

/* A few thousand of them must not hold up the others. */
static void
attack(struct human *h)
{
	static char giant[4 * 4096 + 1];
	int64_t how = dice_below(10);

	if (!giant[0])
		for (int i = 0; i < 4096; i++)
			memcpy(giant + (ptrdiff_t)4 * i, "\xf0\x9f\x98\x80", 4);
	if (how == 0)
		telegram_say(h->chat, h->language, giant);
	else if (how == 1)
		for (int i = 0; i < 30; i++)
			telegram_say(h->chat, h->language, i % 2 ? "/start" : "spam");
	else if (how < 5 && h->button_count)
		press(h);
	else
		telegram_say(h->chat, h->language, PICK(attacks));
}

/* ---- following ---- */

static void follow(struct human *h);

/* The other telephone says its yes too, within the code's ten minutes. */
static void
say_yes(void *ctx)
{
	struct human *h = ctx;

	if (sim.calm || h->blocked)
		return;
	begin(h, linking_back);
	follow(h);
}

static void
script_over(struct human *h)
{
	if (h->script == linking_there && h->twin)
		agenda_add(sim.now_ms + 20000, false, say_yes, NULL, h->twin);
	h->script = NULL;
}

static void
follow(struct human *h)
{
	static char line[LINE];
	const char *step = h->script[h->step];

	script_line(step, h->twin ? h->twin->code : "", line, sizeof(line));
	if (line[0] == '#')
		choose(h, (int)strtol(line + 1, NULL, 10));
	else
		speak(h, line);
	if (!h->script[++h->step] || chance(30000))
		script_over(h);
}

/* Where nothing fails the menu comes within two minutes, from whatever state. */
static void
menu_is_due(void *ctx)
{
	struct human *h = ctx;

	if (h->asked_for_menu && !h->blocked && (!h->matrix || matrix_met(h->chat)) && !sim.calm)
		violated("%lld said /start and got no menu", (long long)h->chat);
}

static void
ask_menu(struct human *h)
{
	if (!speak(h, "/start") || troubled())
		return;
	h->asked_for_menu = true;
	agenda_add(sim.now_ms + 120000, false, menu_is_due, NULL, h);
}

static void
do_anything(struct human *h)
{
	int64_t what = dice_below(1000);

	if (what < 8)
		turn_away(h);
	else if (what < 100)
		ask_oracle(h);
	else if (what < 400 && h->button_count)
		press(h);
	else if (what < 550)
		speak(h, PICK(words));
	else if (what < 552)
		speak(h, "/forgetme");
	else if (what < 560 && !h->matrix)
		telegram_say_in(groups_any(), h->chat, h->language, PICK(in_groups));
	else if (what < 630)
		speak(h, PICK(answers));
	else if (what < 650)
		ask_menu(h);
	else
		begin(h, script_pick(h->role | MEMBERS));
}

static void
act_once(struct human *h)
{
	h->last_act_ms = sim.now_ms;
	if (h->blocked)
		turn_away(h);
	else if (h->matrix && !matrix_met(h->chat))
		matrix_meet(h->chat, h->encrypts);
	else if (h->hostile)
		attack(h);
	else if (h->script)
		follow(h);
	else if (h->twin && !h->matrix && h->invited && chance(100000))
		begin(h, linking);
	else if (!h->invited && !(h->twin && h->matrix))
		join(h);
	else if (!h->sleeper)
		do_anything(h);
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
	if (h->script || h->acts_left-- > 0) {
		next_ms = 2000 + dice_below(h->script ? 20000 : 60000);
	} else {
		h->acts_left = (int)dice_below(12);
		next_ms = dice_below(48 * 3600 * 1000 * (int64_t)sim.o.pace_days);
	}
	if (h->sleeper && h->invited && !h->script)
		return; /* only what comes wakes them */
	agenda_add(sim.now_ms + next_ms, false, act, NULL, h);
}

void
people_met(int64_t chat)
{
	struct human *h = human_of(chat);

	if (h && h->twin && h->matrix)
		speak(h, "/start");
}

/* ---- a survey that many take part in, so that there are sums to tell ---- */

static void
go_on(void *ctx)
{
	struct human *h = ctx;

	if (sim.calm || h->blocked || !h->script)
		return;
	follow(h);
	agenda_add(sim.now_ms + 2000 + dice_below(20000), false, go_on, NULL, h);
}

static void
take_part(void *ctx)
{
	struct human *h = ctx;

	if (sim.calm || h->script || h->blocked || !h->invited)
		return;
	begin(h, h == &humans[0]   ? script_survey_asked
		 : h == &humans[1] ? script_survey_agreed
				   : script_survey_told);
	go_on(h);
}

/* One admin makes it, the other agrees, and in the days after most of the others answer. */
static void
survey_season(void *ctx)
{
	(void)ctx;
	take_part(&humans[0]);
	agenda_add(sim.now_ms + 600000, false, take_part, NULL, &humans[1]);
	for (int i = 2; i < count; i++)
		if (chance(800000))
			agenda_add(sim.now_ms + 3600000 + dice_below(3 * 86400 * 1000), false,
			    take_part, NULL, &humans[i]);
}

/* ---- what comes ---- */

static void
answer_push(void *ctx)
{
	struct human *h = ctx;

	if (sim.calm || h->script || h->blocked)
		return;
	h->last_act_ms = sim.now_ms;
	if (h->sleeper && chance(200000)) {
		begin(h, script_pick(MEMBERS));
		agenda_add(sim.now_ms + 5000, false, act, NULL, h);
		return;
	}
	choose(h, chance(850000) || !h->newest_count ? 1 : 1 + (int)dice_below(h->newest_count));
}

static void
remember(struct human *h, int64_t message, const char *const *buttons, int button_count)
{
	h->newest_count = 0;
	for (int i = 0; i < button_count; i++) {
		int at =
		    h->button_count < REMEMBERED ? h->button_count++ : (int)dice_below(REMEMBERED);

		h->buttons[at].message = message;
		snprintf(h->buttons[at].data, TOKEN, "%s", buttons[i]);
		if (h->newest_count < NEWEST)
			h->newest[h->newest_count++] = h->buttons[at];
	}
}

static void
link_there(void *ctx)
{
	struct human *h = ctx;

	if (sim.calm || h->script != linking_there || h->blocked || !matrix_met(h->chat))
		return;
	follow(h);
	if (h->script == linking_there)
		agenda_add(sim.now_ms + 10000, false, link_there, NULL, h);
}

/* The code that links the two telephones is typed on the other. */
static void
see_code(struct human *h, const char *text)
{
	const char *code = h->twin && !h->matrix ? strstr(text, "k_") : NULL;

	if (!code || strlen(code) < 24)
		return;
	snprintf(h->code, sizeof(h->code), "%.24s", code);
	begin(h->twin, linking_there);
	agenda_add(sim.now_ms + 5000, false, link_there, NULL, h->twin);
}

/* Words in a chat with somebody have their answer when the other reads them. */
static void
hear_another(const char *text)
{
	const char *at = strstr(text, GIBBERISH);
	int i = at ? (at[sizeof(GIBBERISH) - 1] - 'a') * 26 + at[sizeof(GIBBERISH)] - 'a' : -1;

	if (i >= 0 && i < count)
		humans[i].said_something = false;
}

void
people_received(int64_t chat, int64_t message, const char *text, const char *const *buttons,
    int button_count, bool was_edited)
{
	struct human *h = human_of(chat);

	if (!h)
		return;
	h->said_something = false;
	hear_another(text);
	/* Where there are no buttons, choices are numbered in the text. */
	if (button_count || (h->matrix && strstr(text, "1")))
		h->asked_for_menu = false;
	if (button_count)
		remember(h, message, buttons, button_count);
	see_code(h, text);
	/* What nobody asked for is often answered, some hours later. */
	if (sim.now_ms - h->last_act_ms > WAITS_MS && !was_edited && !h->hostile && chance(700000))
		agenda_add(
		    sim.now_ms + 60000 + dice_below(5 * 3600 * 1000), false, answer_push, NULL, h);
}

/* ---- the world's beginning ---- */

static void
settle_in(struct human *h, int i)
{
	static const char *const languages[] = {"en", "ar", "he"};
	static const char *const orgs[] = {"allmep", "pendulum", "b8-of-hope"};
	static const unsigned roles[] = {
	    ADMINS, ADMINS, COORDINATORS, COORDINATORS, SAFETY, SAFETY, JUDGES, COORDINATORS};

	h->chat = SIM_FIRST_CHAT + i;
	h->language = languages[i % 3];
	h->role = i < 8 ? roles[i] : MEMBERS;
	h->org = i < 8 && h->role == COORDINATORS ? orgs[i / 2 % 2] : orgs[i % 3];
	h->sleeper = i >= sim.o.people;
	h->matrix = sim.o.matrix && !h->sleeper && (i % 5 == 3 || i % 5 == 4);
	h->encrypts = h->matrix && i % 5 == 4 && sim.o.encryption;
}

void
people_begin(void)
{
	int last = sim.o.people - 1;

	memset(humans, 0, sizeof(humans));
	oracles = 0;
	count = sim.o.people + sim.o.crowd;
	for (int i = 0; i < count; i++)
		settle_in(&humans[i], i);
	if (last >= 11) {
		humans[last].hostile = true;
		humans[last].matrix = humans[last].encrypts = false;
		if (sim.o.matrix) {
			humans[last - 1].matrix = true;
			humans[last - 2].matrix = humans[last - 2].encrypts = false;
			humans[last - 1].twin = &humans[last - 2];
			humans[last - 2].twin = &humans[last - 1];
		}
	}
	for (int i = 0; i < count; i++)
		agenda_add(sim.now_ms + dice_below(86400000), false, act, NULL, &humans[i]);
	agenda_add(sim.now_ms + 86400000 + dice_below((sim.end_ms - sim.now_ms) / 2 + 1), false,
	    survey_season, NULL, NULL);
}

/* ---- never silent, never stuck ---- */

static bool
reachable(const struct human *h)
{
	return !h->blocked && (!h->matrix || matrix_met(h->chat));
}

/* Of each person another, so that it is known again where it comes out. */
static const char *
gibberish(int i)
{
	static char text[] = GIBBERISH "aa";

	text[sizeof(GIBBERISH) - 1] = (char)('a' + i / 26);
	text[sizeof(GIBBERISH)] = (char)('a' + i % 26);
	return text;
}

/* Whoever was shut out and then forgotten hears nothing any more. */
static int64_t
shut_out(void)
{
	static struct sql bans = {"SELECT count(*) FROM ban"};

	return sim.db && sim.alive ? db_number(sim.db, &bans, NONE, 0) : 0;
}

/* Whatever is said, something comes back. */
void
people_all_heard(void)
{
	int64_t silent = shut_out();

	for (int i = 0; i < count; i++)
		if (humans[i].said_something && reachable(&humans[i]) && silent-- <= 0)
			violated(
			    "%lld said something and got no answer", (long long)humans[i].chat);
}

void
people_say_something(bool pressing)
{
	people_all_heard();
	for (int i = 0; i < count; i++) {
		struct human *h = &humans[i];

		if (!reachable(h) || (pressing && h->matrix))
			continue;
		h->said_something = true;
		if (pressing)
			telegram_press(h->chat, 1, "AAAAAAAAAAAAAAAAAAAA.1");
		else
			speak(h, gibberish(i));
	}
}

/* Something that fails whoever reads it: all that comes behind it must be heard at once. */
static void
say_poison(struct human *h)
{
	char text[60];

	oracles += SIM_POISON - oracles % SIM_POISON;
	snprintf(text, sizeof(text), "/start o_%lld", (long long)oracles);
	speak(h, text);
}

/* Never stuck: from whatever state, one message with a menu. */
void
people_say_start(void)
{
	say_poison(&humans[0]);
	if (sim.o.people > 3)
		say_poison(&humans[3]);
	for (int i = 0; i < count; i++)
		if (reachable(&humans[i])) {
			humans[i].asked_for_menu = true;
			speak(&humans[i], "/start");
		}
}

int
people_unanswered(void)
{
	int64_t silent = shut_out();
	int n = 0;

	for (int i = 0; i < count; i++)
		if (humans[i].asked_for_menu && reachable(&humans[i]) && silent-- <= 0) {
			trace("unanswered chat=%lld", (long long)humans[i].chat);
			n++;
		}
	return n;
}
