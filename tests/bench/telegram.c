/*
 * How fast the bot serves Telegram: starts the real program against a Bot API server on loopback
 * that lives here, and counts. One process, one epoll; an update counts when its reply has arrived.
 *
 *   bench-telegram [--bot PATH] [--wrap COMMAND] backlog N | rate PER_SECOND SECONDS RTT_MS |
 *                  idle SECONDS | start [PEOPLE]
 * Prints one line of `name value` pairs. --text is what people write (/help); --port is where the
 * server listens (0: anywhere) and --root what the bot is told instead (a relay that speaks TLS).
 */
#include "telegram_load.h"

/* ---- what is measured ---- */

static void
prepare(long updates)
{
	prepare_folder(updates);
	bot_start();
}

static double
bot_stop(int *status)
{
	double seconds = bot_end(status);

	remove_folder();
	return seconds;
}

static int
backlog(long count)
{
	struct cost before, after;
	double start, seconds, alarm;
	int status = 0;

	prepare(count);
	until_ready();
	before = bot_cost();
	start = alarm = now();
	for (long i = 0; i < count; i++)
		born[i] = start;
	made = count;
	for (long seen = 0; replies < count && now() - alarm < 20; turn(100))
		if (replies != seen) {
			seen = replies;
			alarm = now();
		}
	seconds = now() - start;
	after = bot_cost();
	bot_stop(&status);
	printf("updates %ld replies %ld seconds %.3f replies_per_s %.0f cpu_us_per_reply %.1f "
	       "memory_mb %.1f exit %d\n",
	    count, replies, seconds, (double)replies / seconds,
	    (after.cpu_s - before.cpu_s) * 1e6 / (double)(replies ? replies : 1),
	    (double)after.memory_kb / 1024, WEXITSTATUS(status));
	return replies == count ? 0 : 1;
}

static int
rate(double per_second, double seconds, double rtt_ms)
{
	double start, last;
	int status = 0;

	prepare((long)(per_second * seconds));
	until_ready();
	turn(200);
	rtt_s = rtt_ms / 1000;
	start = now();
	while ((last = now() - start) < seconds + 5 && replies < total) {
		while (made < total && (double)made / per_second <= last)
			born[made++] = now();
		turn(1);
	}
	bot_stop(&status);
	qsort(latency, (size_t)replies, sizeof(*latency), by_size);
	printf(
	    "updates %ld replies %ld rate %.0f rtt_ms %.0f p50_ms %.2f p99_ms %.2f max_ms %.2f\n",
	    total, replies, per_second, rtt_ms, percentile_ms(0.5), percentile_ms(0.99),
	    percentile_ms(1));
	return replies == total ? 0 : 1;
}

static int
idle(double seconds)
{
	struct cost before, after;
	double start;
	int status = 0;

	prepare(1);
	until_ready();
	for (start = now(); now() - start < 2;)
		turn(100);
	before = bot_cost();
	for (start = now(); now() - start < seconds;)
		turn(1000);
	after = bot_cost();
	bot_stop(&status);
	printf("seconds %.0f wakeups_per_s %.3f cpu_ms_per_minute %.1f memory_mb %.1f\n", seconds,
	    (double)(after.switches - before.switches) / seconds,
	    (after.cpu_s - before.cpu_s) * 60000 / seconds, (double)after.memory_kb / 1024);
	return 0;
}

/* An invented community in the state first. */
static void
load_demo(const char *people)
{
	char command[2 * PATH_MAX];

	bot_files();
	snprintf(command, sizeof(command), "%s --config %s/bot.ini load-demo %s >/dev/null 2>&1",
	    bot_path, folder, people);
	if (system(command))
		die("load-demo");
}

/* A program that loads the same libraries and does nothing: no start can be quicker. */
static double
load_libraries(void)
{
	double best = 1e9;

	for (int i = 0; i < 5; i++) {
		double start = now(), took;
		pid_t child = fork();

		if (child == 0) {
			dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1);
			execl(bot_path, bot_path, "--help", (char *)NULL);
			_exit(127);
		}
		waitpid(child, NULL, 0);
		took = now() - start;
		best = took < best ? took : best;
	}
	return best;
}

static int
start_and_stop(const char *people)
{
	struct cost cost;
	double start, stop, libraries;
	int status = 0;

	prepare_folder(1);
	if (people)
		load_demo(people);
	libraries = load_libraries();
	start = now();
	bot_start();
	until_ready();
	start = first_poll - start;
	cost = bot_cost();
	for (double end = now() + 1; now() < end;)
		turn(10);
	stop = bot_stop(&status);
	printf(
	    "first_poll_ms %.1f libraries_ms %.1f cpu_ms %.1f stop_ms %.1f memory_mb %.1f exit %d\n",
	    start * 1000, libraries * 1000, cost.cpu_s * 1000, stop * 1000,
	    (double)cost.memory_kb / 1024, WEXITSTATUS(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int
main(int argc, char **argv)
{
	int i = 1;

	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--bot") == 0)
			bot_path = argv[i + 1];
		else if (strcmp(argv[i], "--wrap") == 0)
			wrap = argv[i + 1];
		else if (strcmp(argv[i], "--text") == 0)
			typed = argv[i + 1];
		else if (strcmp(argv[i], "--users") == 0)
			users = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--port") == 0)
			port = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--root") == 0)
			root = argv[i + 1];
	}
	signal(SIGPIPE, SIG_IGN);
	if (i + 1 < argc && strcmp(argv[i], "backlog") == 0)
		return backlog(strtol(argv[i + 1], NULL, 10));
	if (i + 3 < argc && strcmp(argv[i], "rate") == 0)
		return rate(strtod(argv[i + 1], NULL), strtod(argv[i + 2], NULL),
		    strtod(argv[i + 3], NULL));
	if (i + 1 < argc && strcmp(argv[i], "idle") == 0)
		return idle(strtod(argv[i + 1], NULL));
	if (i < argc && strcmp(argv[i], "start") == 0)
		return start_and_stop(i + 1 < argc ? argv[i + 1] : NULL);
	fprintf(stderr, "bench-telegram [--bot PATH] [--wrap COMMAND] [--text WORDS] [--users N] "
			"[--port N] [--root URL] "
			"backlog N | rate PER_SECOND SECONDS RTT_MS | idle SECONDS | "
			"start [PEOPLE]\n");
	return 64;
}
