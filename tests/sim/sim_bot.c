/* The bot in the simulated world: assembled as in bot/run.c, on a disk that loses power. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/civil.h"
#include "base/conf.h"
#include "base/memory.h"
#include "base/partners.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/engine.h"
#include "core/join.h"
#include "core/turn.h"
#include "crash_vfs.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/timer.h"
#include "store/parts.h"
#include "store/manifest.h"
#include "store/seal.h"
#include "transports/matrix.h"
#include "transports/telegram.h"

/* An idle poll costs as much here as there, and a year has a million of them at half a minute: where
 * the world is not busy, servers hold polls for longer and feeds are read less often. */
enum { MATRIX_POLL_S = 20 * 60, POLL_SLOW_S = 3600 };
enum { VAIN_MOST = 9 /* then it is three quarters of an hour until the next start */ };

static const char configuration[] = "[bot]\n"
				    "database = sim.db\n"
				    "[telegram]\n"
				    "token_file = none\n"
				    "[matrix]\n"
				    "homeserver = http://127.0.0.1:1\n"
				    "user = @alumhub:h\n"
				    "password_file = none\n"
				    "[ops]\n"
				    "room = telegram:-501\n"
				    "[room south]\n"
				    "address = telegram:-502\n"
				    "org = pendulum\n"
				    "languages = en ar\n"
				    "[room north]\n"
				    "address = telegram:-503\n"
				    "org = pendulum\n"
				    "languages = he\n"
				    "[matching]\n"
				    "every_days = 7\n"
				    "[podcast groundwork]\n"
				    "title = Groundwork\n"
				    "feed = https://feeds.example.org/groundwork\n"
				    "every_minutes = %d\n"
				    "[calendar forum]\n"
				    "url = https://feeds.example.org/forum\n"
				    "org = allmep\n"
				    "every_minutes = %d\n";
static const char token[] = "424242:SimulatedTokenOfNobody";

/* ---- the oracle: hears numbers by a deep link and writes them down, once each ---- */

static const char *const oracle_steps[] = {
    "CREATE TABLE oracle(number INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;", NULL};
static const struct column oracle_columns[] = {
    {"oracle.number", "what was heard", "for ever", NOT_PERSONAL},
    {"oracle.count", "how often", "for ever", NOT_PERSONAL},
    {0},
};
static const struct schema oracle_schema = {"oracle", oracle_steps, oracle_columns};
static struct sql hear = {"INSERT INTO oracle(number, count) VALUES(?, 1)"
			  " ON CONFLICT(number) DO UPDATE SET count = count + 1"};
static struct sql *const oracle_statements[] = {&hear, NULL};

static void
oracle_linked(struct turn *t)
{
	struct card *card = card_new(t->arena);
	int64_t number = strtoll(t->value, NULL, 10);

	db_run(t->db, &hear, V(number));
	if (number % SIM_POISON == 0)
		turn_fail(t, "poison");
	card_text(card, arena_print(t->arena, "heard %s", t->value), 0);
	say_private(t, card);
}

/* What is for admins runs for nobody else. */
static void
oracle_admin(struct turn *t)
{
	if (!(t->person->access & ADMINS))
		violated("an admin's command ran for somebody else");
	say_private(t, words(t, "engine.unknown", NULL));
}

static const struct command oracle_commands[] = {
    {.name = "oracle", .access = ADMINS, .run = oracle_admin, .hidden = true},
    {0},
};

static const struct feature feature_oracle = {
    .name = "oracle",
    .schema = &oracle_schema,
    .statements = oracle_statements,
    .commands = oracle_commands,
    .link = "o",
    .linked = oracle_linked,
};

#define MORE_FEATURES &feature_oracle
#include "../unit/every_feature.h"

static struct bot {
	struct conf *conf;
	struct words *words;
	struct partners *partners;
	struct zones *zones;
	struct seal *seal;
	struct loop *loop;
	struct http *http;
	struct timer *timer;
	struct port {
		struct transport *transport;
		const struct transport_ops *inner;
		struct transport_ops outer;
	} ports[2]; /* Telegram, Matrix */
	bool soon;
	struct manifest *manifest; /* outlives a killed process, not the machine */
} bot;

/* ---- ports ---- */

static int64_t
now_ms(void *ctx)
{
	(void)ctx;
	return wall_ms();
}

static void
tick(void *ctx)
{
	(void)ctx;
	bot.soon = false;
	if (sim.alive && !sim.dying)
		engine_tick(sim.engine);
}

static void
wake(void *ctx, int64_t at_ms)
{
	(void)ctx;
	if (at_ms > wall_ms()) {
		timer_start(bot.timer, at_ms - wall_ms());
	} else if (!bot.soon) {
		bot.soon = true;
		loop_soon(bot.loop, tick, NULL);
	}
}

static void
work(void *ctx, void (*run)(void *), void (*done)(void *), void *arg)
{
	(void)ctx;
	loop_work(bot.loop, run, done, arg);
}

/* In the service this ends the process. */
static void
broken(void *ctx, const char *why)
{
	(void)ctx;
	trace("broken %s", why);
	sim.dying = true;
}

/* ---- feeds: one more episode every nine days, one event in each of the next weeks ---- */

struct fetching {
	int64_t ticket;
	bool calendar, known;
};

static void
date_of(int64_t unix_s, const char *form, char *text, size_t room)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct civil c = civil_from(unix_s);

	if (form[0] == 'r')
		snprintf(text, room, "%s, %02d %s %lld %02d:%02d:00 +0000",
		    days[civil_weekday(civil_floor(unix_s, 86400))], c.day, months[c.month - 1],
		    (long long)c.year, c.hour, c.minute);
	else
		snprintf(text, room, "%04lld%02d%02dT180000", (long long)c.year, c.month, c.day);
}

static char *
make_feed(void)
{
	char *text, date[64];
	size_t room;
	FILE *f = open_memstream(&text, &room);
	int64_t period_s = 9 * 86400, newest = sim.now_ms / 1000 / period_s;

	fputs("<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>G</title>", f);
	for (int64_t n = newest; n > newest - 6; n--) {
		date_of(n * period_s, "rfc", date, sizeof(date));
		fprintf(f,
		    "<item><title>Episode %lld</title><guid>g%lld</guid><pubDate>%s</pubDate>"
		    "<link>https://pod.example.org/%lld</link></item>",
		    (long long)n, (long long)n, date, (long long)n);
	}
	fputs("</channel></rss>", f);
	fclose(f);
	return text;
}

static char *
make_calendar(void)
{
	char *text, date[64];
	size_t room;
	FILE *f = open_memstream(&text, &room);
	int64_t week_s = 7 * 86400, this_week = sim.now_ms / 1000 / week_s;

	fputs("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:sim\r\n", f);
	for (int64_t n = this_week; n < this_week + 6; n++) {
		date_of(n * week_s, "ics", date, sizeof(date));
		fprintf(f,
		    "BEGIN:VEVENT\r\nUID:e%lld\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Asia/"
		    "Jerusalem:%s\r\nSUMMARY:Meeting %lld\r\nEND:VEVENT\r\n",
		    (long long)n, date, (long long)n);
	}
	fputs("END:VCALENDAR\r\n", f);
	fclose(f);
	return text;
}

static void
fetched(void *ctx)
{
	struct fetching *f = ctx;
	char *text = f->calendar ? make_calendar() : make_feed();

	if (fault(20000))
		engine_fetched(sim.engine, f->ticket, FETCHED_FAILED, "", 0, NULL, NULL, NULL, NULL,
		    "no connection");
	else if (fault(10000))
		engine_fetched(sim.engine, f->ticket, FETCHED_NEW, text, strlen(text) / 2, NULL,
		    NULL, NULL, NULL, NULL);
	else
		engine_fetched(sim.engine, f->ticket, FETCHED_NEW, text, strlen(text), NULL, NULL,
		    NULL, NULL, NULL);
	free(text);
	free(f);
}

static void
fetch(void *ctx, const struct engine_fetch *order)
{
	struct fetching *f = memory_new(sizeof(*f));

	(void)ctx;
	f->ticket = order->ticket;
	f->calendar = strstr(order->url, "forum") != NULL;
	agenda_add(sim.now_ms + 100 + dice_below(3000), true, fetched, free, f);
}

/* ---- what passes between engine and transport is seen ---- */

static struct transport_up engine_up;

static struct port *
port_of(const struct transport *transport)
{
	return &bot.ports[bot.ports[1].transport == transport];
}

static bool
seen_came(void *engine, struct transport *transport, const struct batch *batch)
{
	return !sim.dying && engine_up.came(engine, transport, batch);
}

static bool
seen_keep(void *engine, struct transport *transport, const struct state_row *state, size_t count)
{
	return !sim.dying && engine_up.keep(engine, transport, state, count);
}

static void
seen_gone(void *engine, struct transport *transport, int64_t id, const struct outcome *outcome)
{
	if (sim.alive && !sim.dying)
		check_gone(id, outcome);
	announce_moment(MOMENT_ANSWERED, id);
	if (!sim.dying)
		engine_up.gone(engine, transport, id, outcome);
}

static void
seen_open(struct transport *transport, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	struct transport_up ours = *up;

	engine_up = *up;
	ours.came = seen_came;
	ours.keep = seen_keep;
	ours.gone = seen_gone;
	port_of(transport)->inner->open(transport, &ours, cursor, state, count);
}

static void
seen_send(struct transport *transport, const struct shipment *shipment)
{
	if (sim.dying)
		return; /* the process is no more */
	check_shipped(shipment->id, shipment, port_of(transport) == &bot.ports[1]);
	announce_moment(MOMENT_COMMITTED, shipment->id);
	if (sim.dying)
		return;
	sim.shipment = shipment->id;
	port_of(transport)->inner->send(transport, shipment);
	sim.shipment = 0;
}

/* ---- life ---- */

static void
fill(void *bytes, size_t length)
{
	unsigned char *p = bytes;

	while (length--)
		*p++ = (unsigned char)(dice() >> 24);
}

static uint32_t
random_number(void)
{
	return (uint32_t)(dice() >> 32);
}

static const char *
random_name(void)
{
	return "dice";
}

/* libsodium's own callers draw from the dice too: keys of encryption, codes, secrets. */
static struct randombytes_implementation random_dice = {
    .implementation_name = random_name, .random = random_number, .buf = fill};

void
bot_begin(void)
{
	static const char *const languages[] = {"en", "ar", "he", NULL};
	static const unsigned char key[SEAL_KEY_BYTES] = {1, 2, 3};
	int minutes = sim.o.poll_s < POLL_SLOW_S ? 180 : 720;
	char text[sizeof(configuration) + 16], *why = NULL;

	seal_random_from(fill);
	/* What it draws once a process is not drawn from the first world's dice. */
	if (sodium_init() < 0)
		exit(2);
	randombytes_set_implementation(&random_dice);
	crash_vfs_register();
	crash_vfs_new(sim.o.seed);
	scrub_vfs_register("scrub-crash", "crash");
	snprintf(text, sizeof(text), configuration, minutes, minutes);
	bot.conf = conf_parse("sim.ini", text, engine_settings(features), &why);
	bot.words = words_load("config/words", languages, &why);
	bot.partners = partners_load("config/partners.json", &why);
	if (!bot.conf || !bot.words || !bot.partners) {
		fprintf(stderr, "%s\n", why ? why : "?");
		exit(2);
	}
	folder_begin();
	bot.zones = zones_open(NULL);
	bot.seal = seal_from(key);
}

static bool
open_state(void)
{
	struct db_options options = {.path = "sim.db",
	    .vfs = "scrub-crash",
	    .synchronous_normal = sim.o.normal,
	    .checkpoint_pages = sim.o.checkpoint,
	    .schemas = engine_schemas(features)};
	char *why = NULL;
	enum db_open_error error = db_open(&sim.db, &options, &why);

	if (error != DB_OK) {
		if (!crash_vfs_is_off() && !sim.disk_full && !sim.o.nth_disk && !sim.o.nth_memory)
			violated("the state does not open: %s", why ? why : "?");
		sim.db = NULL;
	}
	free(why);
	return error == DB_OK;
}

static void
add(struct port *port, struct transport *transport)
{
	port->transport = transport;
	port->inner = transport->ops;
	port->outer = *port->inner;
	port->outer.open = seen_open;
	port->outer.send = seen_send;
	transport->ops = &port->outer;
	engine_add(sim.engine, transport);
}

static void
add_matrix(void)
{
	static const unsigned char key[MATRIX_KEY_BYTES] = {4, 5, 6};
	static const char *const everywhere[] = {"*", NULL};

	add(&bot.ports[1],
	    matrix_new(&(struct matrix_options){.loop = bot.loop,
		.http = bot.http,
		.homeserver = "http://127.0.0.1:1",
		.user = "@alumhub:h",
		.password = "secret",
		.key = key,
		.encryption = sim.o.encryption,
		.allow_servers = everywhere,
		.per_second = sim.o.announce ? 50 : 1,
		.connections = 8,
		.poll_ms = 1000 * (sim.o.poll_s > MATRIX_POLL_S ? sim.o.poll_s : MATRIX_POLL_S)}));
}

static void
add_telegram(void)
{
	struct telegram_options o = {.loop = bot.loop,
	    .http = bot.http,
	    .api_root = "http://127.0.0.1:1",
	    .token = token,
	    .token_length = sizeof(token) - 1,
	    .per_second = sim.o.announce ? 100 : 25,
	    .per_chat_second = 1,
	    .connections = 8,
	    .poll_s = sim.o.poll_s};

	add(&bot.ports[0], telegram_new(&o));
}

static void
lose_power(void)
{
	manifest_close(bot.manifest);
	bot.manifest = NULL;
	crash_vfs_power_on(dice());
}

static void
start_again(void *ctx)
{
	(void)ctx;
	if (!sim.alive)
		bot_start();
}

void
bot_start(void)
{
	struct engine_options o = {.ports = {NULL, now_ms, wake, work, fetch, broken},
	    .features = features,
	    .seal = bot.seal,
	    .words = bot.words,
	    .zones = bot.zones,
	    .partners = bot.partners,
	    .conf = bot.conf,
	    .state_folder = sim_folder};

	if (bot.manifest)
		manifest_again(bot.manifest);
	else
		bot.manifest = manifest_memory(false);
	o.manifest = bot.manifest;
	sim.life++;
	sim.alive = true;
	sim.dying = false;
	bot.soon = false;
	sim.counts.restarts++;
	trace("start life=%d", sim.life);
	if (fault(100000))
		crash_vfs_cut_after(1 + dice_below(60));
	if (!open_state()) {
		sim.alive = false;
		lose_power();
		agenda_add(
		    sim.now_ms + (5000LL << sim.vain_starts), false, start_again, NULL, NULL);
		sim.vain_starts += sim.vain_starts < VAIN_MOST;
		return;
	}
	sim.vain_starts = 0;
	bot.loop = loop_new();
	bot.http = http_new(bot.loop, NULL);
	bot.timer = timer_new(bot.loop, tick, NULL);
	o.db = sim.db;
	sim.engine = engine_new(&o);
	add_telegram();
	if (sim.o.matrix)
		add_matrix();
	engine_start(sim.engine);
	wake(NULL, 0);
}

/* Memory is given back as at a clean end, but on a disk that is off: nothing of it arrives. */
static void
tear_down(void)
{
	engine_free(sim.engine);
	sim.engine = NULL;
	timer_free(bot.timer);
	http_free(bot.http);
	loop_free(bot.loop);
	db_close(sim.db);
	sim.db = NULL;
	/* The next life's Telegram may stand where this one's Matrix stood. */
	memset(bot.ports, 0, sizeof(bot.ports));
	sim.life++;
}

void
bot_die(const char *how, bool power)
{
	int64_t late_ms = 0;

	if (!sim.alive)
		return;
	trace("die %s", how);
	sim.counts.cuts++;
	groups_bot_died();
	sim.dying = true;
	sim.alive = false;
	crash_vfs_cut();
	tear_down();
	check_disk();
	sim.dying = false;
	if (power)
		lose_power();
	else
		crash_vfs_killed();
	if (!sim.o.announce && chance(50000))
		late_ms = dice_below(40 * 3600 * 1000);
	agenda_add(sim.now_ms + 1000 + late_ms, false, start_again, NULL, NULL);
}

void
bot_stop(void)
{
	if (!sim.alive)
		return;
	trace("stop");
	tear_down();
	sim.alive = false;
	agenda_add(sim.now_ms + 2000, false, start_again, NULL, NULL);
}

void
bot_end(void)
{
	if (sim.alive)
		tear_down();
	sim.alive = false;
	manifest_close(bot.manifest);
	bot.manifest = NULL;
	folder_end();
	/* What was there before the copy cannot have leaked in it, and its pages are not its own. */
	if (sweep_is_copy())
		return;
	seal_random_from(NULL);
	seal_close(bot.seal);
	zones_close(bot.zones);
	partners_free(bot.partners);
	words_free(bot.words);
	conf_free(bot.conf);
	crash_vfs_new(1);
}

struct invitation {
	unsigned role;
	const char *org;
	char code[64];
};

static void
invite(struct turn *t, void *ctx)
{
	struct invitation *i = ctx;

	snprintf(i->code, sizeof(i->code), "%s", join_make(t, (enum access)i->role, i->org, 1, 30));
}

const char *
bot_invite(unsigned role, const char *org)
{
	static struct invitation i;

	i = (struct invitation){.role = role, .org = role == ADMINS || role == SAFETY ? "" : org};
	if (sim.dying || !engine_turn(sim.engine, invite, &i))
		return NULL;
	sim.counts.invitations++;
	return i.code;
}
