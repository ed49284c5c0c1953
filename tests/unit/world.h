/*
 * A world for tests of the engine: the real engine on a real database with a clock that only the
 * test moves, and one network that records what it is given and answers with the fate the test
 * wants. Included by one test program each; everything is static.
 */
#ifndef WORLD_H
#define WORLD_H

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/partners.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/engine.h"
#include "core/people.h"
#include "store/manifest.h"
#include "store/seal.h"

#include "folder.h"

#define WORLD_UNUSED __attribute__((unused))

#ifndef WORLD_FOLDER
#define WORLD_FOLDER "build/world-XXXXXX"
#endif

enum { SENT_MOST = 4000, HOLD = -1, MONDAY_NOON_S = 1792411200 }; /* 2026-10-19 12:00 UTC */

/* A folder of zone files instead of the system's; NULL: the system's. */
WORLD_UNUSED static const char *world_zones;

/* What the network was given, in order. */
struct sent {
	int64_t id;
	enum op op;
	enum class class;
	char who[64], where[64], message[40], press[40], set[48], language[4];
	char *text; /* the card as plain text; "" without one */
	int choices;
	bool repeated, held;
};

struct world {
	struct transport transport; /* first: the engine's pointer is ours */
	struct transport_up up;
	char folder[64], path[96];
	struct db *db;
	struct seal *seal;
	struct words *words;
	struct zones *zones;
	struct partners *partners;
	struct conf *conf;
	struct engine *engine;
	int64_t now_ms;
	struct sent sent[SENT_MOST];
	int count;		   /* of sent */
	int reported;		   /* of those, told a fate */
	struct manifest *manifest; /* outlives a killed process */
	bool power_lost;
	int next_event;
	struct outcome fate; /* what every shipment gets; .fate HOLD: nothing, until world_land */
	char cursor[64];     /* as it was at open */
	int state_rows;	     /* likewise */
	char state_key[64], state_bytes[64];
	char broken[160]; /* why, when the engine gave up */
	/* the last page asked for */
	struct engine_fetch fetch;
	char fetch_url[300], fetch_etag[100], fetch_modified[100];
	int fetches;
};

/* The test program's own list, NULL-terminated. */
static const struct feature *const *const world_features;

/* ---- the network ---- */

static void
world_copy(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", from ? from : "");
}

static void
recorder_open(struct transport *t, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	struct world *w = (struct world *)t;

	w->up = *up;
	world_copy(w->cursor, sizeof(w->cursor), cursor);
	w->state_rows = (int)count;
	if (count) {
		world_copy(w->state_key, sizeof(w->state_key), state[0].key);
		snprintf(w->state_bytes, sizeof(w->state_bytes), "%.*s", (int)state[0].length,
		    (const char *)state[0].bytes);
	}
}

static void
recorder_poll(struct transport *t)
{
	struct world *w = (struct world *)t;

	w->up.health(w->up.engine, t, HEALTH_GOOD, "");
}

static void
recorder_send(struct transport *t, const struct shipment *s)
{
	struct world *w = (struct world *)t;
	struct sent *r = &w->sent[w->count++];
	struct arena *arena = arena_new();

	assert_true(w->count < SENT_MOST);
	*r = (struct sent){.id = s->id, .op = s->op, .class = s->class, .repeated = s->repeated};
	world_copy(r->who, sizeof(r->who), s->who);
	world_copy(r->where, sizeof(r->where), s->where);
	world_copy(r->message, sizeof(r->message), s->message);
	world_copy(r->press, sizeof(r->press), s->press);
	world_copy(r->set, sizeof(r->set), s->set);
	world_copy(r->language, sizeof(r->language), s->language);
	r->text = memory_string(s->card ? card_plain(arena, s->card) : "");
	for (const struct choice *c = s->card ? s->card->choices : NULL; c; c = c->next)
		r->choices++;
	arena_free(arena);
}

static void
recorder_close(struct transport *t)
{
	(void)t;
}

static const struct transport_ops recorder_ops = {
    .open = recorder_open,
    .poll = recorder_poll,
    .send = recorder_send,
    .close = recorder_close,
};

/* ---- the ports ---- */

static int64_t
world_now(void *ctx)
{
	return ((struct world *)ctx)->now_ms;
}

static void
world_wake(void *ctx, int64_t at_ms)
{
	(void)ctx;
	(void)at_ms;
}

static void
world_work(void *ctx, void (*run)(void *), void (*done)(void *), void *arg)
{
	(void)ctx;
	run(arg);
	done(arg);
}

static void
world_fetch(void *ctx, const struct engine_fetch *f)
{
	struct world *w = ctx;

	w->fetch = *f;
	w->fetches++;
	world_copy(w->fetch_url, sizeof(w->fetch_url), f->url);
	world_copy(w->fetch_etag, sizeof(w->fetch_etag), f->etag);
	world_copy(w->fetch_modified, sizeof(w->fetch_modified), f->modified);
}

static void
world_broken(void *ctx, const char *why)
{
	struct world *w = ctx;

	world_copy(w->broken, sizeof(w->broken), why);
}

/* ---- life ---- */

static const unsigned char world_key[SEAL_KEY_BYTES] = "a key for tests, and for nothing";

static void
world_begin(struct world *w, const char *vfs)
{
	struct db_options o = {
	    .path = w->path, .schemas = engine_schemas(world_features), .vfs = vfs};
	struct engine_options e = {.features = world_features, .state_folder = w->folder};
	char *why = NULL;

	assert_int_equal(db_open(&w->db, &o, &why), DB_OK);
	w->transport = (struct transport){.name = "recorder",
	    .ops = &recorder_ops,
	    .slots = 8,
	    .text_scalars = 4096,
	    .buttons = true,
	    .command_sign = '/'};
	e.ports =
	    (struct engine_ports){w, world_now, world_wake, world_work, world_fetch, world_broken};
	e.db = w->db;
	e.seal = w->seal;
	e.words = w->words;
	e.zones = w->zones;
	e.partners = w->partners;
	e.conf = w->conf;
	if (!w->manifest)
		w->manifest = manifest_memory(true);
	e.manifest = w->manifest;
	w->engine = engine_new(&e);
	engine_add(w->engine, &w->transport);
	engine_start(w->engine);
}

static void
world_end(struct world *w)
{
	engine_free(w->engine);
	db_close(w->db);
	w->engine = NULL;
}

/* With `more` behind the smallest configuration. */
WORLD_UNUSED static struct world *
world_new_with(const char *more)
{
	struct world *w = memory_new(sizeof(*w));
	char *text = NULL, *why = NULL;

	snprintf(w->folder, sizeof(w->folder), "%s", WORLD_FOLDER);
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/alumhub.db", w->folder);
	assert_true(asprintf(&text, "[bot]\ndatabase = %s/alumhub.db\n%s", w->folder, more) > 0);
	w->conf = conf_parse("test.ini", text, engine_settings(world_features), &why);
	free(text);
	if (!w->conf)
		fail_msg("%s", why);
	w->words = words_load("config/words", conf_list(w->conf, "bot", NULL, "languages"), &why);
	assert_non_null(w->words);
	w->partners = partners_load("config/partners.json", &why);
	assert_non_null(w->partners);
	log_limit(LOG_ERROR);
	w->zones = zones_open(world_zones);
	w->seal = seal_from(world_key);
	w->now_ms = MONDAY_NOON_S * 1000LL;
	w->fate = (struct outcome){.fate = FATE_SENT};
	world_begin(w, NULL);
	return w;
}

WORLD_UNUSED static struct world *
world_new(void)
{
	return world_new_with("");
}

static void
world_forget_sent(struct world *w)
{
	for (int i = 0; i < w->count; i++)
		free(w->sent[i].text);
	w->count = w->reported = 0;
}

WORLD_UNUSED static void
world_free(struct world *w)
{
	if (w->engine)
		world_end(w);
	world_forget_sent(w);
	manifest_close(w->manifest);
	seal_close(w->seal);
	zones_close(w->zones);
	partners_free(w->partners);
	words_free(w->words);
	conf_free(w->conf);
	remove_folder(w->folder);
	free(w);
}

/* A clean stop and a new start. */
WORLD_UNUSED static void
world_restart(struct world *w)
{
	world_end(w);
	world_forget_sent(w);
	world_begin(w, NULL);
}

static void
copy_file(const char *from, const char *to)
{
	size_t length;
	char *bytes = unit_read(from, &length);
	FILE *f;

	if (!bytes)
		return;
	f = fopen(to, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, length, f), length);
	fclose(f);
	free(bytes);
}

/* kill -9 and a new start: the files as they are at this moment are what the next one finds. */
WORLD_UNUSED static void
world_crash(struct world *w)
{
	char folder[64], from[200], to[200];

	snprintf(folder, sizeof(folder), "%s", WORLD_FOLDER);
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < 2; i++) {
		snprintf(from, sizeof(from), "%s/alumhub.db%s", w->folder, i ? "-wal" : "");
		snprintf(to, sizeof(to), "%s/alumhub.db%s", folder, i ? "-wal" : "");
		copy_file(from, to);
	}
	world_end(w);
	if (w->power_lost) {
		manifest_close(w->manifest);
		w->manifest = manifest_memory(false);
	}
	world_forget_sent(w);
	remove_folder(w->folder);
	memcpy(w->folder, folder, sizeof(folder));
	snprintf(w->path, sizeof(w->path), "%s/alumhub.db", w->folder);
	world_begin(w, NULL);
}

/* The same, but the machine started again too. */
WORLD_UNUSED static void
world_lose_power(struct world *w)
{
	w->power_lost = true;
	world_crash(w);
	w->power_lost = false;
}

/* ---- what happens ---- */

/* Every shipment that was not told yet gets this fate. True: there was one. */
WORLD_UNUSED static bool
world_land(struct world *w, struct outcome outcome)
{
	bool any = false;

	for (int i = 0, end = w->count; i < end; i++) {
		struct sent *s = &w->sent[i];
		char message[32];
		struct outcome own = outcome;

		if (i >= w->reported || s->held) {
			snprintf(message, sizeof(message), "m%lld", (long long)s->id);
			if (own.fate == FATE_SENT && !own.message)
				own.message = message;
			s->held = false;
			any = true;
			if (i >= w->reported)
				w->reported = i + 1;
			w->up.gone(w->up.engine, &w->transport, s->id, &own);
		}
	}
	return any;
}

static bool
world_report(struct world *w)
{
	if ((int)w->fate.fate == HOLD) {
		for (; w->reported < w->count; w->reported++)
			w->sent[w->reported].held = true;
		return false;
	}
	if (w->reported == w->count)
		return false;
	return world_land(w, w->fate);
}

WORLD_UNUSED static void
world_settle(struct world *w)
{
	do
		engine_settle(w->engine);
	while (world_report(w));
}

/* Everything due on the way happens at its own moment. */
WORLD_UNUSED static void
world_pass(struct world *w, int64_t seconds)
{
	int64_t target = w->now_ms + seconds * 1000;

	world_settle(w);
	for (int i = 0; i < 100000; i++) {
		int64_t next = engine_next_ms(w->engine);

		if (next > target)
			break;
		if (next > w->now_ms)
			w->now_ms = next;
		world_settle(w);
	}
	w->now_ms = target;
	world_settle(w);
}

WORLD_UNUSED static bool
world_event(struct world *w, struct event event)
{
	char id[24];
	struct batch batch = {.events = &event, .event_count = 1};

	if (!event.id) {
		snprintf(id, sizeof(id), "e%d", ++w->next_event);
		event.id = id;
	}
	if (!event.where)
		event.where = event.who;
	return w->up.came(w->up.engine, &w->transport, &batch);
}

/* Somebody writes in private; all that follows is done. */
WORLD_UNUSED static void
world_says(struct world *w, const char *who, const char *text)
{
	world_event(w, (struct event){.kind = EVENT_MESSAGE, .who = who, .text = text});
	world_settle(w);
}

/* Presses button k of that message. */
WORLD_UNUSED static void
world_presses(struct world *w, const char *who, const struct sent *on, int k)
{
	char token[64], message[32];

	snprintf(token, sizeof(token), "%s.%d", on->set, k);
	snprintf(message, sizeof(message), "m%lld", (long long)on->id);
	world_event(w, (struct event){.kind = EVENT_PRESS,
			   .who = who,
			   .token = token,
			   .press = "q1",
			   .message = message});
	world_settle(w);
}

/* The last thing sent to that chat with text or choices; NULL: nothing. */
WORLD_UNUSED static struct sent *
world_last(struct world *w, const char *where)
{
	for (int i = w->count - 1; i >= 0; i--)
		if (!strcmp(w->sent[i].where, where) &&
		    (w->sent[i].op == OP_SEND || w->sent[i].op == OP_EDIT))
			return &w->sent[i];
	return NULL;
}

WORLD_UNUSED static int
world_count(struct world *w, const char *where, enum op op)
{
	int n = 0;

	for (int i = 0; i < w->count; i++)
		n += !strcmp(w->sent[i].where, where) && w->sent[i].op == op;
	return n;
}

/* What the catalogue says, as it would be sent. */
WORLD_UNUSED static bool
world_is(struct world *w, const struct sent *s, const char *language, const char *key)
{
	struct arena *arena = arena_new();
	const char *text = words_text(w->words, arena, language, key, 0, &(struct hole){0});
	bool same = s && !strcmp(s->text, text);

	if (!same)
		printf("# expected %s, got %s\n", text, s ? s->text : "nothing");
	arena_free(arena);
	return same;
}

/* The bytes of the file of that name that waits to be sent; free() it. NULL: there is none. Hold
 * what is sent (fate HOLD), for a file goes when it has arrived. */
WORLD_UNUSED static char *
world_file(struct world *w, const char *name, size_t *length)
{
	char folder[120], path[400] = "";
	DIR *d;

	snprintf(folder, sizeof(folder), "%s/files", w->folder);
	d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));)
		if (strlen(e->d_name) > strlen(name) &&
		    !strcmp(e->d_name + strlen(e->d_name) - strlen(name), name))
			snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
	if (d)
		closedir(d);
	return *path ? unit_read(path, length) : NULL;
}

/* One number from the database as it lies on the disk. */
WORLD_UNUSED static int64_t
world_number(struct world *w, const char *sql)
{
	sqlite3 *reader;
	sqlite3_stmt *s;
	int64_t n = -1;

	assert_int_equal(sqlite3_open_v2(w->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(reader, sql, -1, &s, NULL), SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(reader);
	return n;
}

#endif
