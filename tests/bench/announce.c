/*
 * An announcement to many: how long the loop pauses while its audience is frozen, how fast it goes
 * out through the real program, whether a limit is kept and used, what replies feel of it, and what
 * it costs in memory and on the disk. The server is the benchmarks' own, on loopback.
 *
 *   bench-announce PEOPLE | limit PEOPLE PER_SECOND
 */
#include "telegram_load.h"

#include "base/conf.h"
#include "base/log.h"
#include "base/partners.h"
#include "base/words.h"
#include "base/zone.h"
#include "core/engine.h"
#include "core/people.h"
#include "core/post.h"
#include "store/seal.h"
#include "../unit/every_feature.h"

enum {
	JOINED = 1700000000,
	DAY = 86400,
	FRESH_USERS = 64,
	STAMPS = 1000000,
	IDLE_S = 6,
	TYPED_PER_SECOND = 50 /* unless TYPED says otherwise */
};
#define MARK "The bus leaves"

/* ---- the state, made by the engine itself ---- */

struct stub {
	struct transport transport;
	struct transport_up up;
};

static struct {
	struct db *db;
	struct engine *engine;
	struct stub *stub;
	struct conf *conf;
	struct words *words;
	struct seal *seal;
	struct zones *zones;
	struct partners *partners;
	int64_t ahead_ms; /* the clock is so far ahead */
} here;

static int64_t
now_ms(void *ctx)
{
	struct timespec t;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000 + here.ahead_ms;
}

static void
wake(void *ctx, int64_t at_ms)
{
	(void)ctx;
	(void)at_ms;
}

static void
fetch(void *ctx, const struct engine_fetch *f)
{
	(void)ctx;
	(void)f;
}

static void
work(void *ctx, void (*run)(void *), void (*done)(void *), void *arg)
{
	(void)ctx;
	run(arg);
	done(arg);
}

static void
broken(void *ctx, const char *why)
{
	(void)ctx;
	fprintf(stderr, "bench-announce: %s\n", why);
	exit(1);
}

static void
stub_open(struct transport *t, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	(void)cursor;
	(void)state;
	(void)count;
	((struct stub *)t)->up = *up;
}

static void
stub_poll(struct transport *t)
{
	(void)t;
}

static void
stub_send(struct transport *t, const struct shipment *s)
{
	(void)t;
	(void)s;
}

static const struct transport_ops stub_ops = {
    .open = stub_open, .poll = stub_poll, .send = stub_send, .close = stub_poll};

static void
state_open(void)
{
	static const char *const languages[] = {"en", "ar", "he", NULL};
	char path[PATH_MAX + 16], text[PATH_MAX + 64], *why = NULL;
	struct db_options at = {.path = path, .schemas = engine_schemas(features)};

	snprintf(path, sizeof(path), "%s/bot.db", folder);
	snprintf(text, sizeof(text), "[bot]\ndatabase = %s\n", path);
	log_limit(LOG_ERROR);
	if (!here.words) {
		here.words = words_load("config/words", languages, &why);
		here.partners = partners_load("config/partners.json", &why);
		here.conf = conf_parse("bench", text, engine_settings(features), &why);
		here.zones = zones_open(NULL);
		here.seal = seal_from((const unsigned char *)"0123456789abcdef0123456789abcdef");
	}
	if (!here.conf || db_open(&here.db, &at, &why) != DB_OK)
		die(why ? why : "the state cannot be opened");
	here.engine =
	    engine_new(&(struct engine_options){.ports = {NULL, now_ms, wake, work, fetch, broken},
		.features = features,
		.db = here.db,
		.seal = here.seal,
		.words = here.words,
		.zones = here.zones,
		.partners = here.partners,
		.conf = here.conf,
		.state_folder = folder});
	here.stub = calloc(1, sizeof(*here.stub));
	here.stub->transport = (struct transport){.name = "telegram",
	    .ops = &stub_ops,
	    .slots = 8,
	    .text_scalars = 4096,
	    .buttons = true};
	engine_add(here.engine, &here.stub->transport);
}

static void
state_close(void)
{
	engine_free(here.engine);
	db_close(here.db);
	free(here.stub);
}

static struct sql join_all = {
    "UPDATE person SET joined = ?, access = 1, org = CASE id % 4 WHEN 0 THEN 'arava' ELSE 'allmep'"
    " END, language = CASE id % 3 WHEN 0 THEN 'en' WHEN 1 THEN 'ar' ELSE 'he' END"};
static struct sql consent_all = {
    "INSERT INTO consent(person, what, given) SELECT id, 'announcements', ? FROM person"};

static void
join_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	db_run(t->db, &join_all, V(JOINED));
	db_run(t->db, &consent_all, V(JOINED));
}

static void
make_people(long people)
{
	static struct event events[1000];
	static char who[1000][24], id[1000][24];

	for (long done = 0; done < people;) {
		size_t n = 0;

		for (; n < 1000 && done < people; n++, done++) {
			snprintf(who[n], sizeof(who[n]), "%ld", FIRST_USER + FRESH_USERS + done);
			snprintf(id[n], sizeof(id[n]), "r%ld", done);
			events[n] = (struct event){
			    .id = id[n], .kind = EVENT_REACHABLE, .who = who[n], .where = who[n]};
		}
		here.stub->up.came(here.engine, &here.stub->transport,
		    &(struct batch){.events = events, .event_count = n});
	}
	engine_turn(here.engine, join_turn, NULL);
}

static int64_t post_number;

static void
post_turn(struct turn *t, void *ctx)
{
	static const char *const languages[] = {"en", "ar", "he"};
	struct audience all = {.consent = CONSENT_ANNOUNCEMENTS};

	t->feature = ctx;
	post_number = post_new(t, CLASS_URGENT, 0);
	for (int i = 0; i < 3; i++) {
		struct card *card = card_new(t->arena);

		card_text(card, MARK " earlier: 8:00 from the north gate. ", SPAN_BOLD);
		card_text(card, languages[i], 0);
		choose_text(t, card, "Feedback", "feedback.write", "1");
		post_say(t, post_number, languages[i], card);
	}
	post_audience(t, post_number, &all);
	post_start(t, post_number, t->now + IDLE_S);
}

static struct post_report report;

static void
report_turn(struct turn *t, void *ctx)
{
	t->feature = ctx;
	post_report(t, post_number, &report);
}

static const struct feature *
announcer(void)
{
	for (const struct feature *const *f = features; *f; f++)
		if (strcmp((*f)->name, "announce") == 0)
			return *f;
	return NULL;
}

static struct post_report
report_now(void)
{
	engine_turn(here.engine, report_turn, (void *)(uintptr_t)announcer());
	return report;
}

static struct sql page_count = {"SELECT page_count - freelist_count FROM pragma_page_count,"
				" pragma_freelist_count"};

static int64_t
bytes_used(void)
{
	return db_number(here.db, &page_count, NONE, 0) * 4096;
}

/* ---- freezing ---- */

static void
freeze(long people)
{
	double start, longest = 0, total_s = 0;
	int slices = 0;

	engine_start(here.engine);
	engine_settle(here.engine);
	engine_turn(here.engine, post_turn, (void *)(uintptr_t)announcer());
	do {
		start = now();
		engine_tick(here.engine);
		start = now() - start;
		longest = start > longest ? start : longest;
		total_s += start;
		slices++;
	} while (report_now().stage == POST_FREEZING);
	printf("frozen %ld seconds %.3f slices %d longest_pause_ms %.1f\n", people, total_s, slices,
	    longest * 1000);
}

/* ---- sending ---- */

static double *stamps;
static long sent;

static void
message_heard(const char *body)
{
	if (strstr(body, MARK) && sent < STAMPS)
		stamps[sent++] = now();
}

/* The most within any second. */
static long
busiest_second(void)
{
	long most = 0, from = 0;

	for (long i = 0; i < sent; i++) {
		while (stamps[i] - stamps[from] >= 1)
			from++;
		if (i - from + 1 > most)
			most = i - from + 1;
	}
	return most;
}

/* People write all the while; their replies are timed. */
static void
write_now_and_then(double start, double rate)
{
	while (made < total && (double)made / rate <= now() - start)
		born[made++] = now();
}

/* The latencies so far, forgotten afterwards. */
static double
p99_so_far(void)
{
	double p99;

	qsort(latency, (size_t)replies, sizeof(*latency), by_size);
	p99 = percentile_ms(0.99);
	replies = 0;
	return p99;
}

static void
send_all(long people, bool limited)
{
	struct cost before, after;
	double typed_per_s = getenv("TYPED") ? strtod(getenv("TYPED"), NULL) : TYPED_PER_SECOND;
	double start, seconds, idle_p99 = 0, busy_p99, last;
	int status = 0;

	bot_start();
	until_ready();
	before = bot_cost();
	for (start = last = now(); now() - last < 20 && sent < people;) {
		long seen = sent;

		if (!sent)
			last = now();
		write_now_and_then(start, typed_per_s);
		turn(1);
		if (!seen && sent)
			idle_p99 = p99_so_far();
		if (sent != seen)
			last = now();
	}
	busy_p99 = p99_so_far();
	after = bot_cost();
	seconds = sent > 1 ? stamps[sent - 1] - stamps[0] : 1;
	printf("sent %ld of %ld seconds %.3f per_s %.0f cpu_us_each %.1f memory_grown_mb %.1f\n",
	    sent, people, seconds, (double)(sent - 1) / seconds,
	    (after.cpu_s - before.cpu_s) * 1e6 / (double)(sent ? sent : 1),
	    (double)(after.memory_kb - before.memory_kb) / 1024);
	if (limited)
		printf("limit_per_s %d busiest_second %ld used_percent %.1f\n", limit_per_second,
		    busiest_second(), 100 * (double)(sent - 1) / seconds / limit_per_second);
	printf("replies p99_ms idle %.2f while_sending %.2f\n", idle_p99, busy_p99);
	for (start = now(); now() - start < 1;)
		turn(10);
	bot_end(&status);
}

/* ---- what remains ---- */

static void
print_report(int64_t before, long people)
{
	struct post_report r;
	int64_t done;

	state_open();
	r = report_now();
	done = bytes_used() - before;
	printf("report audience %lld delivered %lld doubt %lld waiting %lld stage %d "
	       "bytes_each %.1f\n",
	    (long long)r.audience, (long long)r.delivered, (long long)r.doubt, (long long)r.waiting,
	    (int)r.stage, (double)done / (double)people);
	engine_start(here.engine);
	here.ahead_ms = 4LL * DAY * 1000;
	for (int i = 0; i < 1000; i++)
		engine_tick(here.engine);
	printf(
	    "bytes_each_after_three_days %.1f\n", (double)(bytes_used() - before) / (double)people);
	state_close();
}

static void
before_sending(long people, int64_t *bytes)
{
	users = FRESH_USERS;
	stamps = calloc(STAMPS, sizeof(*stamps));
	heard = message_heard;
	prepare_folder(100000);
	state_open();
	make_people(people);
	*bytes = bytes_used();
	freeze(people);
	state_close();
}

int
main(int argc, char **argv)
{
	bool limited = argc > 3 && strcmp(argv[1], "limit") == 0;
	long people = strtol(argc > 1 ? argv[limited ? 2 : 1] : "50000", NULL, 10);
	int64_t bytes;

	signal(SIGPIPE, SIG_IGN);
	connections = getenv("CONNECTIONS") ? (int)strtol(getenv("CONNECTIONS"), NULL, 10) : 32;
	if (limited)
		limit_per_second = (int)strtol(argv[3], NULL, 10);
	before_sending(people, &bytes);
	send_all(people, limited);
	print_report(bytes, people);
	remove_folder();
	return sent == people ? 0 : 1;
}
