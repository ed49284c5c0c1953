/*
 * sim [--seed N] [--runs N] [--seconds N] [--days N] [--people N] [--crowd N] [--cuts N]
 *     [--quiet-world] [--no-matrix] [--no-encryption] [--normal] [--nth-exchange N] [--nth-disk N]
 *     [--nth-kill N] [--nth-memory N] [--for-ever] [--verbose] [--pace DAYS] [--poll SECONDS]
 *     [--tempers] [--years N] [--checkpoint PAGES]
 * sim ... --sweep exchange|disk|kill|memory [--every N] [--jobs N]
 * sim --announce N [--every N] [--jobs N] [--no-encryption] [--seed N]
 * sim --power-cuts N [--normal] [--seed N]
 * Runs of so many days of bot and people, one seed after another; the last line counts them. Exit
 * status 1 as soon as something does not hold; the line says with which arguments it comes again.
 */
#include "sim.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "crash_vfs.h"

enum { DAY_MS = 86400000, CALM_DAYS = 3 };

static struct total {
	int64_t runs, days, updates, confirmed, shipments, sent, uncertain, refused, cuts, restarts,
	    faults, lines, rules_consent, rules_refusal, rules_first_line, rules_place,
	    groups_moved, groups_asked, groups_heard, odd[ODDS];
	int64_t flows[SIM_FLOWS];
	uint64_t trace;
} total;

/* A busy month has a year's faults in it; the others are what communities are like, and in them the
 * seasons pass: rounds, digests, clocks that change, all that is kept for a year and no longer. */
static const struct temper {
	const char *name;
	int days, pace_days, poll_s;
	int64_t cuts_a_year;
} tempers[] = {
    {"busy", 30, 1, 50, 300},
    {"ordinary", 365, 15, 3600, 24},
    {"quiet", 730, 60, 3600, 6},
    {"asleep", 1825, 400, 3600, 2},
};
enum { TEMPERS = sizeof(tempers) / sizeof(tempers[0]) };
static const int temper_of_seed[] = {0, 3, 1, 3, 0, 3, 2, 3};

static struct lived {
	int64_t runs, days, updates, shipments, cuts, restarts;
	double seconds;
} lived[TEMPERS];

static double seconds(void);

static void
cut_power(void *ctx)
{
	int64_t year_ms = 365 * (int64_t)DAY_MS;

	(void)ctx;
	if (sim.calm || sim.o.cuts_a_year <= 0)
		return;
	if (sim.alive) {
		if (chance(200000))
			bot_stop();
		else if (chance(300000))
			bot_die("killed", false);
		else if (chance(300000))
			bot_die("power", true);
		else
			crash_vfs_cut_after(1 + dice_below(200));
	}
	agenda_add(sim.now_ms + 1 + dice_below(2 * year_ms / sim.o.cuts_a_year), false, cut_power,
	    NULL, NULL);
}

static void
live_until(int64_t until_ms)
{
	while (!sim.failure[0] && agenda_step(until_ms))
		if (sim.alive && (sim.dying || crash_vfs_is_off()))
			bot_die("in the middle", chance(500000));
}

/* What a sweep may choose from: counted until the calm. */
static struct swept {
	int64_t exchanges, disk, memory;
} swept;

static void
become_calm(void)
{
	sim.calm = true;
	crash_vfs_cut_after(0);
	crash_vfs_fail_after(0, false);
	swept = (struct swept){exchange_count(), crash_vfs_operations(), memory_count()};
	memory_fail_after(0, false);
	trace("calm");
}

static void
begin(const struct sim_options *options)
{
	sim = (struct sim){.o = *options, .random = options->seed, .trace = 14695981039346656037u};
	/* Each seed begins in another week of the years 2026 to 2029. */
	sim.now_ms = sim.start_ms = (1767225600 + dice_below(200) * 7 * 86400) * 1000;
	sim.end_ms = sim.start_ms + (int64_t)options->days * DAY_MS;
	/* First, for from here on libsodium's keys come from the dice. */
	bot_begin();
	check_begin();
	exchange_begin();
	telegram_world_begin();
	groups_begin();
	matrix_world_begin();
}

static void
end(void)
{
	bot_end();
	agenda_clear();
	telegram_world_end();
	matrix_world_end();
	check_end();
}

/* One run; true when everything held. */
static bool
run(const struct sim_options *options)
{
	begin(options);
	people_begin();
	if (options->nth_disk)
		crash_vfs_fail_after(options->nth_disk, options->for_ever);
	if (options->nth_kill)
		crash_vfs_cut_after(options->nth_kill);
	memory_fail_after(options->nth_memory, options->for_ever);
	sweep_begin();
	bot_start();
	cut_power(NULL);
	live_until(sim.end_ms);
	become_calm();
	live_until(sim.end_ms + (int64_t)(CALM_DAYS - 1) * DAY_MS - DAY_MS / 2);
	people_say_something(false);
	live_until(sim.end_ms + (int64_t)(CALM_DAYS - 1) * DAY_MS - DAY_MS / 4);
	people_say_something(true);
	live_until(sim.end_ms + (int64_t)(CALM_DAYS - 1) * DAY_MS);
	people_all_heard();
	people_say_start();
	live_until(sim.end_ms + (int64_t)CALM_DAYS * DAY_MS);
	if (!sim.failure[0])
		check_settled();
	if (sim.alive)
		rules_flows(total.flows);
	end();
	return !sim.failure[0];
}

static void
add_up(void)
{
	total.runs++;
	total.days += sim.o.days + CALM_DAYS;
	total.updates += sim.counts.updates;
	total.confirmed += sim.counts.confirmed;
	total.shipments += sim.counts.shipments;
	total.sent += sim.counts.sent;
	total.uncertain += sim.counts.uncertain;
	total.refused += sim.counts.refused;
	total.cuts += sim.counts.cuts;
	total.restarts += sim.counts.restarts;
	total.faults += sim.counts.faults;
	total.lines += sim.lines;
	for (int i = 0; i < ODDS; i++)
		total.odd[i] += sim.counts.odd[i];
	total.groups_moved += sim.counts.groups_moved;
	total.groups_asked += sim.counts.groups_asked;
	total.groups_heard += sim.counts.groups_heard;
	total.rules_consent += sim.counts.rules_consent;
	total.rules_refusal += sim.counts.rules_refusal;
	total.rules_first_line += sim.counts.rules_first_line;
	total.rules_place += sim.counts.rules_place;
	total.trace = total.trace * 31 + sim.trace;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of one core, whoever else is on the machine. */
static double
cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static int64_t
number(int argc, char **argv, int *i)
{
	return *i + 1 < argc ? strtoll(argv[++*i], NULL, 10) : 0;
}

static int64_t
arguments(int argc, char **argv, struct sim_options *o)
{
	int64_t runs = 1;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed"))
			o->seed = (uint64_t)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--runs"))
			runs = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--days"))
			o->days = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--people"))
			o->people = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--power-cuts"))
			o->power_cuts = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--seconds"))
			o->seconds = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--announce"))
			o->announce = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--every"))
			o->every = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--jobs"))
			o->jobs = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--crowd"))
			o->crowd = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--no-matrix"))
			o->matrix = false;
		else if (!strcmp(argv[i], "--no-encryption"))
			o->encryption = false;
		else if (!strcmp(argv[i], "--tempers"))
			o->tempers = true;
		else if (!strcmp(argv[i], "--years"))
			o->years = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--pace"))
			o->pace_days = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--checkpoint"))
			o->checkpoint = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--poll"))
			o->poll_s = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--cuts"))
			o->cuts_a_year = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--nth-exchange"))
			o->nth_exchange = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--nth-disk"))
			o->nth_disk = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--nth-kill"))
			o->nth_kill = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--nth-memory"))
			o->nth_memory = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--sweep"))
			o->sweep = i + 1 < argc ? sweep_named(argv[++i]) : POINT_NONE;
		else if (!strcmp(argv[i], "--for-ever"))
			o->for_ever = true;
		else if (!strcmp(argv[i], "--quiet-world"))
			o->faults = false;
		else if (!strcmp(argv[i], "--normal"))
			o->normal = true;
		else if (!strcmp(argv[i], "--verbose"))
			o->verbose = true;
		else
			return 0;
	}
	if (o->announce) {
		o->faults = false;
		o->cuts_a_year = 0;
	}
	if (o->sweep)
		runs = 1;
	return o->people >= 1 && o->announce >= 0 && o->announce < SIM_PEOPLE_MOST - 2 &&
		       o->every >= 1 && o->pace_days >= 1 && o->jobs >= 1 && o->crowd >= 0 &&
		       o->people + o->crowd <= SIM_PEOPLE_MOST
		   ? runs
		   : 0;
}

/* Of the worlds of each temper how many years, and what they held. */
static void
print_lived(void)
{
	for (int i = 0; i < TEMPERS; i++) {
		const struct lived *l = &lived[i];

		if (l->runs)
			printf("temper: %s runs=%lld years=%.2f seconds=%.2f updates=%lld"
			       " shipments=%lld cuts=%lld restarts=%lld\n",
			    tempers[i].name, (long long)l->runs, (double)l->days / 365.25,
			    l->seconds, (long long)l->updates, (long long)l->shipments,
			    (long long)l->cuts, (long long)l->restarts);
	}
}

/* One run in the temper of its seed; true when everything held. */
static bool
run_temper(struct sim_options o)
{
	int which = temper_of_seed[o.seed % (sizeof(temper_of_seed) / sizeof(int))];
	const struct temper *t = &tempers[which];
	struct lived *l = &lived[which];
	double begun = seconds();
	bool good;

	o.days = t->days;
	o.pace_days = t->pace_days;
	o.poll_s = t->poll_s;
	o.cuts_a_year = t->cuts_a_year;
	good = run(&o);
	l->runs++;
	l->days += o.days + CALM_DAYS;
	l->updates += sim.counts.updates;
	l->shipments += sim.counts.shipments;
	l->cuts += sim.counts.cuts;
	l->restarts += sim.counts.restarts;
	l->seconds += seconds() - begun;
	return good;
}

void
sim_print_options(void)
{
	const struct sim_options *o = &sim.o;

	printf(
	    "again with build/sim --seed %llu --days %d --people %d --crowd %d --cuts %lld --pace %d"
	    " --poll %d --checkpoint %d%s%s%s%s",
	    (unsigned long long)o->seed, o->days, o->people, o->crowd, (long long)o->cuts_a_year,
	    o->pace_days, o->poll_s, o->checkpoint, o->faults ? "" : " --quiet-world",
	    o->normal ? " --normal" : "", o->matrix ? "" : " --no-matrix",
	    o->encryption ? "" : " --no-encryption");
}

static void
print_failure(void)
{
	const struct sim_options *o = &sim.o;

	printf("failed: %s; ", sim.failure);
	sim_print_options();
	printf(
	    " --nth-exchange %lld --nth-disk %lld --nth-kill %lld --nth-memory %lld%s, at line %lld"
	    " of the trace\n",
	    (long long)o->nth_exchange, (long long)o->nth_disk, (long long)o->nth_kill,
	    (long long)o->nth_memory, o->for_ever ? " --for-ever" : "", (long long)sim.lines);
}

static void
print_odd(void)
{
	static const char *const names[ODDS] = {"expired", "ids_anew", "unconfirmed", "conflict",
	    "slow_down", "gateway", "empty", "blocked", "group_moved", "slow_down_matrix",
	    "transaction_again", "token_unknown", "token_stuck", "gap", "login_ended", "locked",
	    "room_moved"};

	printf("odd:");
	for (int i = 0; i < ODDS; i++)
		printf(" %s=%lld", names[i], (long long)total.odd[i]);
	printf("\n");
}

static void
print_total(double took)
{
	double years = (double)total.days / 365.25;

	printf("flows:");
	for (int i = 0; i < SIM_FLOWS; i++)
		printf(" %s=%lld", rules_flow_name(i), (long long)total.flows[i]);
	printf("\nswept: exchanges=%lld disk=%lld memory=%lld", (long long)swept.exchanges,
	    (long long)swept.disk, (long long)swept.memory);
	printf("\nrules: consent=%lld refusal=%lld first_line=%lld place=%lld\n",
	    (long long)total.rules_consent, (long long)total.rules_refusal,
	    (long long)total.rules_first_line, (long long)total.rules_place);
	print_odd();
	printf("groups: moved=%lld asked_at_the_old=%lld heard=%lld\n",
	    (long long)total.groups_moved, (long long)total.groups_asked,
	    (long long)total.groups_heard);
	printf(
	    "runs=%lld years=%.2f seconds=%.2f cpu=%.2f a_minute=%.2f updates=%lld confirmed=%lld"
	    " shipments=%lld sent=%lld uncertain=%lld refused=%lld cuts=%lld restarts=%lld"
	    " faults=%lld trace=%016llx\n",
	    (long long)total.runs, years, took, cpu_seconds(), took > 0 ? years * 60 / took : 0,
	    (long long)total.updates, (long long)total.confirmed, (long long)total.shipments,
	    (long long)total.sent, (long long)total.uncertain, (long long)total.refused,
	    (long long)total.cuts, (long long)total.restarts, (long long)total.faults,
	    (unsigned long long)total.trace);
}

static void
log_nothing(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

static int
announced(const struct sim_options *o)
{
	int code;

	begin(o);
	code = announce_main(seconds);
	end();
	return code;
}

int
main(int argc, char **argv)
{
	struct sim_options o = {.seed = 1,
	    .days = 28,
	    .people = 12,
	    .crowd = 30,
	    .matrix = true,
	    .encryption = true,
	    .faults = true,
	    .every = 1,
	    .jobs = 1,
	    .cuts_a_year = 100,
	    .pace_days = 1,
	    .poll_s = 50};
	int64_t runs = arguments(argc, argv, &o);
	double begun = seconds();
	bool good = runs > 0;

	/* Memory that is given back to the kernel and asked for again costs a third of the time. */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TOP_PAD, 16 << 20);
	if (!good)
		fputs(
		    "sim: expected the arguments that the head of tests/sim/sim.c names\n", stderr);
	memory_hook();
	if (good && o.power_cuts)
		return cuts_main(o.power_cuts, o.normal, o.seed);
	if (!o.verbose)
		log_to(log_nothing, NULL);
	if (good && o.announce)
		return announced(&o);
	for (int64_t i = 0; i < runs && good; i++, o.seed++) {
		if (i && o.seconds && seconds() - begun > (double)o.seconds)
			break;
		if (o.years && (double)total.days >= 365.25 * (double)o.years)
			break;
		good = o.tempers ? run_temper(o) : run(&o);
		add_up();
		if (!good)
			print_failure();
	}
	if (o.sweep)
		return sweep_end(good);
	print_lived();
	print_total(seconds() - begun);
	return good ? 0 : 1;
}
