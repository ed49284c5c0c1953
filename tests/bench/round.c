/*
 * How long the loop pauses while a round is computed and shown: the real engine on a real database,
 * the plan on a thread of its own, somebody writing every few milliseconds.
 *
 *   bench-round PEOPLE
 * Prints the longest pauses before, while computing, taking the plan in and showing it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/partners.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/engine.h"
#include "core/people.h"
#include "features/meeting.h"
#include "store/seal.h"
#include "../unit/every_feature.h"

enum { BATCH = 100, SLOTS = 64 };

static struct {
	struct transport transport;
	struct transport_up up;
	struct engine *engine;
	int64_t now_ms;
	int64_t flying[SLOTS];
	int count, serial;
	pthread_t thread;
	void (*run)(void *), (*done)(void *);
	void *arg;
	bool working;
	atomic_bool ready;
} b;

static double
clock_of(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
seconds(void)
{
	return clock_of(CLOCK_MONOTONIC);
}

/* What one call from outside took: by the clock on the wall, which a busy machine and its disk
 * stretch, and by the processor. */
struct pause {
	double wall, cpu;
};

static struct pause
pause_from(struct pause from)
{
	return (struct pause){seconds() - from.wall, clock_of(CLOCK_THREAD_CPUTIME_ID) - from.cpu};
}

static struct pause
pause_now(void)
{
	return (struct pause){seconds(), clock_of(CLOCK_THREAD_CPUTIME_ID)};
}

static void
longer(struct pause *longest, struct pause took)
{
	longest->wall = took.wall > longest->wall ? took.wall : longest->wall;
	longest->cpu = took.cpu > longest->cpu ? took.cpu : longest->cpu;
}

/* ---- a network that takes everything ---- */

static void
null_open(struct transport *t, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	(void)t, (void)cursor, (void)state, (void)count;
	b.up = *up;
}

static void
null_poll(struct transport *t)
{
	b.up.health(b.up.engine, t, HEALTH_GOOD, "");
}

static void
null_send(struct transport *t, const struct shipment *s)
{
	(void)t;
	b.flying[b.count++] = s->id;
}

static void
null_close(struct transport *t)
{
	(void)t;
}

static const struct transport_ops null_ops = {
    .open = null_open, .poll = null_poll, .send = null_send, .close = null_close};

static void
land(void)
{
	int n = b.count;

	b.count = 0;
	for (int i = 0; i < n; i++)
		b.up.gone(b.up.engine, &b.transport, b.flying[i],
		    &(struct outcome){.fate = FATE_SENT, .message = "1"});
}

/* ---- the ports ---- */

static int64_t
now_ms(void *ctx)
{
	(void)ctx;
	return b.now_ms;
}

static void
wake(void *ctx, int64_t at_ms)
{
	(void)ctx, (void)at_ms;
}

static void *
thread(void *arg)
{
	b.run(b.arg);
	atomic_store(&b.ready, true);
	return arg;
}

static void
work(void *ctx, void (*run)(void *), void (*done)(void *), void *arg)
{
	(void)ctx;
	b.run = run;
	b.done = done;
	b.arg = arg;
	b.working = true;
	atomic_store(&b.ready, false);
	if (pthread_create(&b.thread, NULL, thread, NULL))
		abort();
}

static void
fetch(void *ctx, const struct engine_fetch *f)
{
	(void)ctx, (void)f;
}

static void
broken(void *ctx, const char *why)
{
	(void)ctx;
	fprintf(stderr, "bench-round: %s\n", why);
	exit(1);
}

/* ---- the loop: each call from outside is measured ---- */

static void
tick(struct pause *longest)
{
	for (int i = 0; i < 1000 && engine_next_ms(b.engine) <= b.now_ms; i++) {
		struct pause from = pause_now();

		engine_tick(b.engine);
		longer(longest, pause_from(from));
		land();
	}
}

static void
somebody_writes(const char *who, struct pause *longest)
{
	char id[24];
	struct event e = {
	    .id = id, .kind = EVENT_MESSAGE, .who = who, .where = who, .text = "/help"};
	struct batch batch = {.events = &e, .event_count = 1};
	struct pause from = pause_now();

	snprintf(id, sizeof(id), "s%d", b.serial++);
	b.up.came(b.up.engine, &b.transport, &batch);
	longer(longest, pause_from(from));
	tick(longest);
}

static void
people_come(int people)
{
	char ids[BATCH][16], names[BATCH][16];
	struct event e[BATCH];

	for (int from = 0; from < people; from += BATCH) {
		for (int i = 0; i < BATCH; i++) {
			snprintf(ids[i], sizeof(ids[i]), "p%d", from + i);
			snprintf(names[i], sizeof(names[i]), "%d", 1000000 + from + i);
			e[i] = (struct event){.id = ids[i],
			    .kind = EVENT_MESSAGE,
			    .who = names[i],
			    .where = names[i],
			    .text = "/help"};
		}
		b.up.came(
		    b.up.engine, &b.transport, &(struct batch){.events = e, .event_count = BATCH});
		tick(&(struct pause){0});
	}
}

static uint32_t
dice(uint32_t n)
{
	static uint64_t seed = 5;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % n);
}

static struct meeting
profile(void)
{
	struct meeting m = {.level = {dice(4) ? 3 : 0}, .region = dice(9), .cross = dice(3)};

	m.level[1 + dice(2)] = 3;
	for (int i = 0; i < 5; i++)
		m.topics |= 1u << dice(24);
	for (int i = 0; i < 6; i++)
		m.slots |= 1u << dice(21);
	m.goals = 1u << dice(3) | 1u << dice(3);
	m.side = dice(5);
	return m;
}

static int64_t first_person;

static void
join_turn(struct turn *t, void *ctx)
{
	static struct sql set = {"UPDATE meeting SET profile = ? WHERE person = ?"};

	(void)ctx;
	for (int64_t person = first_person; person < first_person + 500; person++) {
		size_t i = dice(dice((uint32_t)partners_count(t->partners)) + 1);
		struct meeting m = profile();

		if (!people_exists(t, person))
			return;
		people_set_language(t, person, "en");
		people_join(t, person, partners_at(t->partners, i)->id);
		people_set_adult(t, person, true);
		consent_set(t, person, CONSENT_MATCHING, true);
		match_ensure(t, person);
		db_run(t->db, &set,
		    V(seal_person(t, person, "meeting.profile", match_text(t->arena, &m)), person));
	}
}

static void
round_turn(struct turn *t, void *ctx)
{
	static struct sql old = {"UPDATE person SET joined = 1"};
	static struct sql add = {
	    "INSERT INTO meeting_round(opened, state, at, ends) VALUES(?, 1, ?, ?)"};
	static struct sql in = {
	    "INSERT INTO round_member(round, person, state) SELECT 1, person, 1 FROM meeting"};

	(void)ctx;
	db_run(t->db, &old, NONE);
	db_run(t->db, &add, V(t->now, t->now, t->now));
	db_run(t->db, &in, NONE);
	job_at(t, "round.step", "", t->now, "9223372036854775807");
}

static void
count_turn(struct turn *t, void *ctx)
{
	static struct sql groups = {"SELECT groups FROM round_run"},
			  left = {"SELECT count(*) FROM round_part"};
	int64_t *n = ctx;

	n[0] = db_number(t->db, &groups, NONE, -1);
	n[1] = db_number(t->db, &left, NONE, 0);
}

static void
engine_begin(const char *folder)
{
	char path[200], text[300];
	char *why = NULL;
	struct engine_options o = {.features = features, .state_folder = folder, .training = true};
	struct db_options d = {.path = path, .schemas = engine_schemas(features)};
	static const unsigned char key[SEAL_KEY_BYTES] = "for figures, and for nothing els";

	snprintf(path, sizeof(path), "%s/alumhub.db", folder);
	snprintf(text, sizeof(text), "[bot]\ndatabase = %s\n", path);
	o.conf = conf_parse("bench.ini", text, engine_settings(features), &why);
	o.words =
	    o.conf ? words_load("config/words", conf_list(o.conf, "bot", NULL, "languages"), &why)
		   : NULL;
	o.partners = partners_load("config/partners.json", &why);
	if (!o.words || !o.partners || db_open(&o.db, &d, &why) != DB_OK) {
		fprintf(stderr, "bench-round: %s\n", why);
		exit(1);
	}
	o.zones = zones_open(NULL);
	o.seal = seal_from(key);
	o.ports = (struct engine_ports){NULL, now_ms, wake, work, fetch, broken};
	log_limit(LOG_ERROR);
	b.now_ms = 1792411200000;
	b.transport = (struct transport){.name = "local",
	    .ops = &null_ops,
	    .slots = SLOTS,
	    .text_scalars = 4096,
	    .command_sign = '/'};
	b.engine = engine_new(&o);
	engine_add(b.engine, &b.transport);
	engine_start(b.engine);
	tick(&(struct pause){0});
}

int
main(int argc, char **argv)
{
	int people = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 50000;
	char folder[] = "build/bench-round-XXXXXX", path[200];
	double began, came;
	struct pause before = {0}, computing = {0}, taking, showing = {0};
	int64_t n[2] = {-1, 0};

	if (!mkdtemp(folder))
		return 1;
	engine_begin(folder);
	people_come(people);
	for (first_person = 1; first_person <= people; first_person += 500)
		engine_turn(b.engine, join_turn, NULL);
	tick(&before);
	before = (struct pause){0};
	for (int i = 0; i < 2000; i++, b.now_ms += 20)
		somebody_writes("1000001", &before);
	engine_turn(b.engine, round_turn, NULL);
	began = seconds();
	tick(&computing);
	for (; b.working && !atomic_load(&b.ready); b.now_ms += 20) {
		somebody_writes("1000001", &computing);
		usleep(2000);
	}
	pthread_join(b.thread, NULL);
	came = seconds();
	taking = pause_now();
	b.done(b.arg);
	taking = pause_from(taking);
	for (int i = 0; i < 100000; i++, b.now_ms += 1000) {
		tick(&showing);
		engine_turn(b.engine, count_turn, n);
		if (!n[1])
			break;
	}
	printf("people %d groups %lld plan_s %.2f longest pause_ms wall/cpu: before %.1f/%.1f, "
	       "computing "
	       "%.1f/%.1f, taking it in %.1f/%.1f, showing %.1f/%.1f\n",
	    people, (long long)n[0], came - began, before.wall * 1000, before.cpu * 1000,
	    computing.wall * 1000, computing.cpu * 1000, taking.wall * 1000, taking.cpu * 1000,
	    showing.wall * 1000, showing.cpu * 1000);
	snprintf(path, sizeof(path), "rm -rf '%s'", folder);
	return system(path) != 0;
}
