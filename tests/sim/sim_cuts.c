/*
 * Power cuts by the million, below the engine: store/db on the disk of crash_vfs.h. Each life
 * enters what came and what is to be said in one transaction, as the engine does, and marks what
 * was sent; then the power goes in the middle of a write, and sometimes again while the next start
 * repairs. What a commit had acknowledged must be there, whole.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "crash_vfs.h"
#include "store/db.h"
#include "store/parts.h"

enum { COMMITS = 14, JOBS_MOST = 16 };

static const char *const steps[] = {
    "CREATE TABLE came(number INTEGER PRIMARY KEY, body BLOB) STRICT;"
    "CREATE TABLE said(number INTEGER PRIMARY KEY, state INTEGER NOT NULL, body BLOB) STRICT;",
    NULL};
static const struct column columns[] = {
    {"came.number", "what came", "a test", NOT_PERSONAL},
    {"came.body", "its bytes", "a test", NOT_PERSONAL},
    {"said.number", "what is to be said", "a test", NOT_PERSONAL},
    {"said.state", "whether it was sent", "a test", NOT_PERSONAL},
    {"said.body", "its bytes", "a test", NOT_PERSONAL},
    {0},
};
static const struct schema schema = {"cuts", steps, columns};
static const struct schema *const schemas[] = {&schema, NULL};

static struct sql come = {"INSERT INTO came(number, body) VALUES(?, ?)"};
static struct sql say = {"INSERT INTO said(number, state, body) VALUES(?, 0, ?)"};
static struct sql sent = {"UPDATE said SET state = 1, body = NULL WHERE number = ?"};
static struct sql count_came = {"SELECT count(*) FROM came"};
static struct sql count_said = {"SELECT count(*) FROM said"};
static struct sql count_sent = {"SELECT count(*) FROM said WHERE state = 1"};
static struct sql newest = {"SELECT coalesce(max(number), 0) FROM came"};
static struct sql integrity = {"PRAGMA integrity_check"};

struct tally {
	int64_t cuts, lost, broken, again, worst;
};

static bool normal;

static struct db *
open_it(void)
{
	struct db_options o = {.path = "cuts.db",
	    .vfs = "scrub-crash",
	    .schemas = schemas,
	    .synchronous_normal = normal,
	    .checkpoint_pages = 40};
	struct db *db = NULL;
	char *why = NULL;

	if (db_open(&db, &o, &why) != DB_OK)
		db = NULL;
	free(why);
	return db;
}

/* What was acknowledged: so many came and were said, so many of these sent. */
static void
live(struct db *db, int64_t *acknowledged, int64_t *acknowledged_sent)
{
	char bytes[900];
	size_t length = dice() % sizeof(bytes);

	memset(bytes, 'a' + (int)(dice() % 26), sizeof(bytes));
	for (int i = 0; i < COMMITS && !crash_vfs_is_off(); i++) {
		int64_t number = *acknowledged + 1;
		bool both = number > 2 && dice() % 2;

		db_begin(db);
		db_run(db, &come, V(number, ((struct blob){bytes, length})));
		db_run(db, &say, V(number, ((struct blob){bytes, length / 2})));
		if (both)
			db_run(db, &sent, V(*acknowledged_sent + 1));
		if (!db_commit(db))
			return;
		*acknowledged = number;
		*acknowledged_sent += both;
		if (dice() % 16 == 0)
			db_checkpoint(db);
	}
}

static void
look(struct db *db, int64_t acknowledged, int64_t acknowledged_sent, struct tally *tally)
{
	int64_t came, said;
	const char *word;

	if (!db) {
		tally->broken++;
		return;
	}
	db_arena(db, NULL);
	word = db_string(db, &integrity, NONE);
	came = db_number(db, &count_came, NONE, -1);
	said = db_number(db, &count_said, NONE, -1);
	if (!word || strcmp(word, "ok") != 0 || came != said ||
	    came != db_number(db, &newest, NONE, -1))
		tally->broken++;
	else if (came < acknowledged || db_number(db, &count_sent, NONE, -1) < acknowledged_sent)
		tally->lost++;
	if (acknowledged - came > tally->worst)
		tally->worst = acknowledged - came;
}

static void
one_cut(const struct crash_image *image, uint64_t seed, struct tally *tally)
{
	int64_t acknowledged = 0, acknowledged_sent = 0;
	struct db *db;

	sim.random = seed * 0x9e3779b97f4a7c15u;
	crash_vfs_from(image, seed);
	crash_vfs_cut_after(1 + dice_below(120));
	db = open_it();
	if (db)
		live(db, &acknowledged, &acknowledged_sent);
	crash_vfs_cut();
	db_close(db);
	crash_vfs_power_on(dice());
	tally->cuts++;
	while (dice() % 4 == 0) {
		crash_vfs_cut_after(1 + dice_below(6));
		db = open_it();
		crash_vfs_cut();
		db_close(db);
		crash_vfs_power_on(dice());
		tally->cuts++;
		tally->again++;
	}
	db = open_it();
	look(db, acknowledged, acknowledged_sent, tally);
	db_close(db);
}

/* Every `jobs`th life from `first` on. */
static struct tally
lives(int64_t first, int64_t cuts, int jobs)
{
	struct tally tally = {0};
	struct crash_image *image;
	bool was = normal;

	crash_vfs_register();
	scrub_vfs_register("scrub-crash", "crash");
	crash_vfs_new(1);
	normal = false;
	db_close(open_it());
	normal = was;
	image = crash_vfs_image();
	for (uint64_t seed = (uint64_t)first; tally.cuts < cuts; seed += (uint64_t)jobs)
		one_cut(image, seed, &tally);
	crash_vfs_image_free(image);
	crash_vfs_new(1);
	return tally;
}

static void
add(struct tally *to, const struct tally *t)
{
	to->cuts += t->cuts;
	to->lost += t->lost;
	to->broken += t->broken;
	to->again += t->again;
	to->worst = t->worst > to->worst ? t->worst : to->worst;
}

/* True when a child went wrong. */
static bool
share(int64_t first, int64_t cuts, int jobs, struct tally *all)
{
	int pipes[JOBS_MOST][2], status;
	bool bad = false;

	for (int i = 0; i < jobs; i++) {
		if (pipe(pipes[i]))
			return true;
		if (fork() == 0) {
			struct tally t = lives(first + i, (cuts + jobs - 1) / jobs, jobs);
			ssize_t n = write(pipes[i][1], &t, sizeof(t));

			_exit(n != sizeof(t));
		}
		close(pipes[i][1]);
	}
	for (int i = 0; i < jobs; i++) {
		struct tally t;

		if (read(pipes[i][0], &t, sizeof(t)) == sizeof(t))
			add(all, &t);
		else
			bad = true;
		close(pipes[i][0]);
		bad = wait(&status) < 0 || status || bad;
	}
	return bad;
}

int
cuts_main(int64_t cuts, bool with_normal, uint64_t seed)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int jobs = cores > JOBS_MOST ? JOBS_MOST : (int)cores;
	struct tally all = {0};
	struct timespec from, to;
	double seconds;
	bool bad;

	normal = with_normal;
	log_limit(LOG_ERROR);
	clock_gettime(CLOCK_MONOTONIC, &from);
	bad = share((int64_t)seed, cuts, jobs, &all);
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("synchronous=%s cuts=%lld while_repairing=%lld lives_that_lost=%lld worst=%lld"
	       " broken=%lld lost_percent=%.1f seconds=%.1f a_second=%.0f jobs=%d\n",
	    normal ? "NORMAL" : "FULL", (long long)all.cuts, (long long)all.again,
	    (long long)all.lost, (long long)all.worst, (long long)all.broken,
	    100 * (double)all.lost / (double)(all.cuts - all.again), seconds,
	    (double)all.cuts / seconds, jobs);
	return bad || (!normal && (all.lost || all.broken));
}
