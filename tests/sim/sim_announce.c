/*
 * One announcement to many, half of them on Telegram and half on Matrix, and kill -9 at every phase
 * of every delivery. At each such moment the whole world is copied (fork); in the copy the bot is
 * killed there and starts again, and when all is over nobody may have it twice, nobody may have
 * vanished, every uncertain one is in doubt, and the report is the servers' ledger.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/feature.h"
#include "core/people.h"
#include "core/post.h"
#include "core/transport.h"
#include "core/turn.h"
#include "crash_vfs.h"
#include "store/db.h"

enum { CORA, DANA, FIRST, SLOTS = 8, MINUTE_MS = 60000 };

static const char words_sent[] = "The bus leaves at eight from the north gate";

/* What befalls a copy: the process is killed, with what it had in the air, with the machine; the
 * disk is full for a while; the clock jumps into the night, or back. */
enum end { END_KILLED, END_CUT_OFF, END_POWER, END_FULL, END_AHEAD, END_BACK, END_COUNT };

static const char *const moment_names[] = {"disk", "committed", "in_air", "taken", "answered"};
static const char *const end_names[] = {"killed", "cut_off", "power", "full", "ahead", "back"};

/* What all copies add up. */
static struct sums {
	int64_t moments[MOMENT_COUNT], copies[MOMENT_COUNT], failed, doubt, arrived;
} * sums;

static struct {
	bool watching;
	int64_t number; /* of the next moment */
	int running;
	enum moment moment; /* a copy: where it was killed, */
	enum end end;	    /* how, */
	int64_t shipment;   /* and what had come that far */
	int got[SIM_PEOPLE_MOST];
	int64_t post;
} here;

static struct sql people_now = {"SELECT count(*) FROM person"};
static struct sql post_now = {"SELECT post FROM announcement"};
static struct sql rows_of = {
    "SELECT count(*), max(state) FROM delivery WHERE post = ? AND person = ?"};

/* ---- the moments ---- */

static void
wait_for_copies(int most)
{
	int status;

	while (here.running > most && wait(&status) > 0) {
		here.running--;
		sums->failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
}

static void
disk_has_room(void *ctx)
{
	(void)ctx;
	sim.disk_full = false;
	crash_vfs_room(0);
}

static void
befall(enum end end)
{
	enum {
		FULL_MS = 10 * MINUTE_MS,
		AHEAD_MS = 13 * 60 * MINUTE_MS,
		BACK_MS = 3 * 60 * MINUTE_MS
	};

	sim.jumped_ms = sim.now_ms;
	switch (end) {
	case END_FULL:
		sim.disk_full = true;
		crash_vfs_room(1);
		agenda_add(sim.now_ms + FULL_MS, false, disk_has_room, NULL, NULL);
		return;
	case END_AHEAD:
		sim.clock_off_ms = AHEAD_MS;
		return;
	case END_BACK:
		sim.clock_off_ms = -BACK_MS;
		return;
	case END_CUT_OFF:
		sim.cut_off_ms = sim.now_ms + 500;
		break;
	case END_KILLED:
	case END_POWER:
	case END_COUNT:
		break;
	}
	sim.dying = true;
	crash_vfs_cut();
}

/* True in the copy. */
static bool
copy(enum moment moment, int64_t shipment, enum end end)
{
	pid_t child;

	if (here.number++ % sim.o.every != (int64_t)sim.o.seed % sim.o.every)
		return false;
	sums->copies[moment]++;
	wait_for_copies(sim.o.jobs - 1);
	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("sim: fork");
		exit(2);
	}
	here.running++;
	if (child)
		return false;
	here.watching = false;
	here.moment = moment;
	here.shipment = shipment;
	here.end = end;
	crash_vfs_each(NULL);
	befall(end);
	return true;
}

void
announce_moment(enum moment moment, int64_t shipment)
{
	int class = moment == MOMENT_DISK ? CLASS_ANNOUNCEMENT : check_class(shipment);

	if (!here.watching || class != CLASS_ANNOUNCEMENT)
		return;
	sums->moments[moment]++;
	for (int end = 0; end < END_COUNT; end++)
		if (copy(moment, shipment, (enum end)end))
			return;
}

void
announce_arrived(int64_t shipment, int64_t chat)
{
	int64_t i = chat - SIM_FIRST_CHAT;

	if (check_class(shipment) == CLASS_ANNOUNCEMENT && i >= 0 && i < SIM_PEOPLE_MOST)
		here.got[i]++;
}

static void
disk_moment(void)
{
	announce_moment(MOMENT_DISK, 0);
}

/* ---- the world before ---- */

static void
live(int64_t ms)
{
	int64_t until_ms = sim.now_ms + ms;

	while (!sim.failure[0] && agenda_step(until_ms))
		if (sim.alive && (sim.dying || crash_vfs_is_off()))
			bot_die(end_names[here.end], here.end == END_POWER);
}

static bool
on_matrix(int i)
{
	return i % 2;
}

static void
says(int i, const char *text)
{
	char line[200];

	snprintf(line, sizeof(line), "%s%s", text[0] == '/' && on_matrix(i) ? "!" : "",
	    text + (text[0] == '/' && on_matrix(i)));
	if (!(on_matrix(i) ? matrix_say(SIM_FIRST_CHAT + i, line)
			   : telegram_say(SIM_FIRST_CHAT + i, "en", line)))
		violated("%d cannot say %s", i, line);
	live(3000);
}

static void
join_turn(struct turn *t, void *ctx)
{
	static const char *const languages[] = {"en", "ar", "he"};

	(void)ctx;
	for (int i = 0; i < sim.o.people; i++) {
		people_set_language(t, i + 1, i < FIRST ? "en" : languages[i % 3]);
		people_join(t, i + 1, "arava");
		if (i < FIRST)
			people_grant(t, i + 1, COORDINATORS, "arava");
		else
			consent_set(t, i + 1, CONSENT_ANNOUNCEMENTS, true);
	}
}

/* One after another, so that the nth person is the nth chat. */
static void
people_come(void)
{
	for (int i = 1; i < sim.o.people; i += 2)
		matrix_meet(SIM_FIRST_CHAT + i, sim.o.encryption && i % 8 == 7);
	for (int i = 1; i < sim.o.people; i += 2)
		for (int tries = 0; !matrix_met(SIM_FIRST_CHAT + i) && tries < 100; tries++)
			live(MINUTE_MS);
	for (int i = 0; i < sim.o.people && !sim.failure[0]; i++) {
		says(i, "/help");
		for (int tries = 0; tries < 60; tries++)
			if (db_number(sim.db, &people_now, NONE, 0) <= i)
				live(1000);
		if (db_number(sim.db, &people_now, NONE, 0) != i + 1)
			violated("person %d is not known after their first word", i + 1);
	}
	if (!sim.failure[0] && !engine_turn(sim.engine, join_turn, NULL))
		violated("they cannot join");
}

/* Handed in by one, looked at by another: the next thing said is the yes. */
static void
hand_in(void)
{
	static const char *const typed[] = {
	    "/announce", "10", words_sent, "1", "1", "1", "1", "2", "#1"};

	for (size_t i = 0; i < sizeof(typed) / sizeof(*typed); i++)
		says(CORA, typed[i]);
	says(DANA, "/approve");
	says(DANA, "#1");
	live(MINUTE_MS);
	here.post = db_number(sim.db, &post_now, NONE, 0);
	if (!here.post)
		violated("nothing was handed in");
}

/* ---- the end ---- */

static void
report_turn(struct turn *t, void *ctx)
{
	extern const struct feature feature_announce;

	t->feature = &feature_announce;
	if (!post_report(t, here.post, ctx))
		violated("the announcement has no report");
}

static struct post_report
report_now(void)
{
	struct post_report r = {0};

	if (sim.alive && !sim.dying)
		engine_turn(sim.engine, report_turn, &r);
	return r;
}

/* What the state says of somebody against what came to their chat. */
static void
look_at(int i, struct post_report *counted)
{
	struct rows *q = db_query(sim.db, &rows_of, V(here.post, i + 1));
	int64_t rows = 0, state = 0;
	int got = here.got[i];

	if (db_next(q)) {
		rows = db_int(q, 0);
		state = db_int(q, 1);
	}
	db_done(q);
	counted->delivered += state == POST_DELIVERED;
	counted->doubt += state == POST_DOUBT;
	sums->arrived += got;
	sums->doubt += state == POST_DOUBT;
	if (got > 1)
		violated("recipient %d got it %d times", i, got);
	if (rows != 1)
		violated("recipient %d has %lld rows", i, (long long)rows);
	if (state == POST_DELIVERED && got != 1)
		violated("recipient %d is called delivered and got it %d times", i, got);
	if (state != POST_DELIVERED && (state != POST_DOUBT || on_matrix(i)))
		violated("recipient %d ended as %lld", i, (long long)state);
}

static void
look_at_all(void)
{
	struct post_report r, counted = {0};
	int most = sim.o.people - FIRST;

	for (int tries = 0; tries < 24 * 60 && (r = report_now()).stage < POST_STOPPED; tries++)
		live(MINUTE_MS);
	if (r.stage != POST_DONE)
		violated("it does not come to its end: stage %d", (int)r.stage);
	for (int i = FIRST; i < sim.o.people && !sim.failure[0]; i++)
		look_at(i, &counted);
	if (sim.failure[0])
		return;
	if (r.audience != most + FIRST || r.skipped[SKIP_CONSENT] != FIRST || r.waiting || r.in_air)
		violated("the audience does not add up: %lld, skipped %lld", (long long)r.audience,
		    (long long)r.skipped[SKIP_CONSENT]);
	if (r.delivered != counted.delivered || r.doubt != counted.doubt ||
	    r.delivered + r.doubt != most)
		violated("the report says delivered %lld, in doubt %lld; rows say %lld and %lld",
		    (long long)r.delivered, (long long)r.doubt, (long long)counted.delivered,
		    (long long)counted.doubt);
	/* Only what was in the air at that moment, and nothing when nobody was killed. */
	if (r.doubt > (here.watching ? 0 : SLOTS))
		violated("%lld are in doubt", (long long)r.doubt);
}

static void
print_failure(void)
{
	printf(
	    "failed: %s; %s at %s of %lld, moment %lld; again with build/sim --announce %d --seed"
	    " %llu --every %lld\n",
	    sim.failure, here.watching ? "nobody was killed" : end_names[here.end],
	    moment_names[here.moment], (long long)here.shipment, (long long)here.number - 1,
	    sim.o.announce, (unsigned long long)sim.o.seed, (long long)sim.o.every);
}

/* A copy of the world does not go on to the next moment. */
static void
end_if_copy(void)
{
	if (here.watching)
		return;
	look_at_all();
	if (sim.failure[0])
		print_failure();
	fflush(stdout);
	_exit(sim.failure[0] != 0);
}

static void
send_it(void)
{
	here.watching = true;
	crash_vfs_each(disk_moment);
	says(DANA, "#1");
	for (int i = 0; i < 200 && !sim.failure[0]; i++) {
		end_if_copy();
		if (report_now().stage >= POST_STOPPED)
			break;
		live(3000);
	}
	end_if_copy();
	crash_vfs_each(NULL);
	wait_for_copies(0);
	look_at_all();
}

static void
print_sums(double seconds)
{
	int64_t copies = 0;

	for (int i = 0; i < MOMENT_COUNT; i++)
		copies += sums->copies[i];
	printf("moments:");
	for (int i = 0; i < MOMENT_COUNT; i++)
		printf(" %s=%lld/%lld", moment_names[i], (long long)sums->copies[i],
		    (long long)sums->moments[i] * END_COUNT);
	printf("\nrecipients=%d kills=%lld failed=%lld in_doubt=%lld arrived=%lld seconds=%.1f\n",
	    sim.o.people - FIRST, (long long)copies, (long long)sums->failed,
	    (long long)sums->doubt, (long long)sums->arrived, seconds);
}

int
announce_main(double (*seconds)(void))
{
	double begun = seconds();
	bool good;

	sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sums == MAP_FAILED)
		return 2;
	sim.o.people = sim.o.announce + FIRST;
	sim.now_ms = sim.start_ms + 9 * 3600000LL; /* noon there, or an hour before */
	bot_start();
	people_come();
	if (!sim.failure[0])
		hand_in();
	if (!sim.failure[0])
		send_it();
	if (sim.failure[0])
		print_failure();
	good = !sim.failure[0] && !sums->failed;
	for (int i = MOMENT_COMMITTED; i < MOMENT_COUNT; i++)
		if (good && sums->moments[i] != sim.o.announce) {
			printf("failed: %lld deliveries were seen %s\n",
			    (long long)sums->moments[i], moment_names[i]);
			good = false;
		}
	print_sums(seconds() - begun);
	munmap(sums, sizeof(*sums));
	return good ? 0 : 1;
}
