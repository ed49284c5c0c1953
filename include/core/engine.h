/*
 * The engine: turns what networks bring into turns, keeps what is said in the outbox, sends it, and
 * wakes for jobs. Everything outside is a port, so that the same engine runs in the service, in the
 * terminal and in the simulator.
 */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/feature.h"
#include "core/transport.h"

struct conf;
struct db;
struct engine;
struct manifest;
struct partners;
struct seal;
struct words;
struct zones;

/* A page to fetch. `done` of engine_fetched is to be called once, later, never from inside. */
struct engine_fetch {
	const char *url;
	const char *etag, *modified; /* of the stored copy; NULL: none */
	size_t body_max;
	int64_t ticket; /* quoted in engine_fetched */
};
enum fetched {
	FETCHED_NEW,
	FETCHED_SAME, /* 304 */
	FETCHED_FAILED,
};

struct engine_ports {
	void *ctx;
	int64_t (*now_ms)(void *ctx); /* wall clock, UTC */
	/* engine_tick is wanted: in the next round (at_ms <= now), or at that moment; the last
	 * order counts. */
	void (*wake)(void *ctx, int64_t at_ms);
	/* Runs `run` (perhaps on a thread) and then `done` on the loop's thread; may be at once. */
	void (*work)(void *ctx, void (*run)(void *), void (*done)(void *), void *arg);
	void (*fetch)(void *ctx, const struct engine_fetch *fetch);
	/* The state cannot be trusted any more (a commit whose result is unknown): end now, start
	 * again. */
	void (*broken)(void *ctx, const char *why);
	/* A clock that nobody can set, ms; NULL: there is no machine to look after (disk, clock, tzdata). */
	int64_t (*steady_ms)(void *ctx);
};

struct engine_options {
	struct engine_ports ports;
	const struct feature *const *features; /* NULL-terminated */
	struct db *db;
	const struct seal *seal;
	struct words *words;
	struct zones *zones;
	struct partners *partners;
	struct conf *conf;
	const char *state_folder; /* for files */
	const char *erased_file;  /* the list of erasures (store/erased.h); NULL: none is kept */
	struct manifest
	    *manifest;	     /* what was handed over; NULL: answers are sent one slot at a time */
	const char *sandbox; /* what confines the process, for status; may change, may be "" */
	bool training;	     /* no limits per person: the terminal */
};

/* Every schema of core and of the features, NULL-terminated, for db_open; static memory. */
const struct schema *const *engine_schemas(const struct feature *const *features);
/* Every statement, for `check`; calls back with each. */
void engine_statements(
    const struct feature *const *features, void (*each)(void *ctx, struct sql *sql), void *ctx);
/* Every known configuration key, core's and the features'; static memory, ended by a NULL section.
 */
const struct conf_key *engine_settings(const struct feature *const *features);

/* Never NULL. The engine owns nothing of the options but uses them until engine_free. */
struct engine *engine_new(const struct engine_options *options);
/* Tells the transports to close, commits what is known, frees. */
void engine_free(struct engine *engine);

/* A network joins: its cursor and state are read and it is opened. */
void engine_add(struct engine *engine, struct transport *transport);
/* Whether this state has never been started. */
bool engine_is_new(struct engine *engine);
/* Everybody begins to listen; what a crash left "trying" becomes uncertain or, where repeating is
 * safe, waits. */
void engine_start(struct engine *engine);
/* Does all that is due: fates, jobs, pages, sending. */
void engine_tick(struct engine *engine);
/* Ticks until nothing is due now: for the terminal and the tests. */
void engine_settle(struct engine *engine);
/* The next moment something is due, unix ms; INT64_MAX: nothing. */
int64_t engine_next_ms(struct engine *engine);
void engine_fetched(struct engine *engine, int64_t ticket, enum fetched how, const void *bytes,
    size_t length, const char *content_type, const char *etag, const char *modified,
    const char *moved_to, const char *cause);
/* For played conversations: what the next poll of a page brings. False: no such page. */
bool engine_page(struct engine *engine, const char *name_or_key, const void *bytes, size_t length);
/* Words, partners, zones and configuration were read again. */
void engine_reload(
    struct engine *engine, struct words *words, struct partners *partners, struct conf *conf);
/* One turn of the operator's (control socket, command line): `run` in a transaction of its own.
 * False: it failed. */
bool engine_turn(struct engine *engine, void (*run)(struct turn *t, void *ctx), void *ctx);

/* What `status` prints: text lines, or JSON. free() it. */
char *engine_status(struct engine *engine, bool json);
/* Shipments under way or about to be: a clean stop waits some seconds for their fates. */
int engine_flying(const struct engine *engine);
/* READY: every network was tried once. */
bool engine_tried(const struct engine *engine);
/* All networks refused us (bad token): exit 77. */
bool engine_refused(const struct engine *engine);
/* Counters that only grow, for the metrics file and the watchdog. */
struct engine_counts {
	int64_t events, duplicates, turns, failed_turns, said, sent, refused, expired, uncertain,
	    commits;
};
struct engine_counts engine_counts(const struct engine *engine);

#endif
