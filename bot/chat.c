/* alumhub-bot chat: the bot in the terminal, and played conversations from a pipe. */
#include "app.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/words.h"
#include "base/zone.h"
#include "transports/console.h"

enum { NAME_MOST = 40, DAYS_MOST = 36525 };

struct chat {
	struct app *app;
	struct transport *console;
	int64_t
	    frozen_ms; /* 0: the real clock; after the first `##` the clock stands still between moves */
};

static int64_t
now_ms(void *ctx)
{
	struct chat *c = ctx;
	struct timespec now;

	if (c->frozen_ms)
		return c->frozen_ms;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
wake(void *ctx, int64_t at_ms)
{
	(void)ctx;
	(void)at_ms;
}

/* In the terminal long work is done at once, so that a played conversation is always the same. */
static void
work(void *ctx, void (*run)(void *), void (*done)(void *), void *arg)
{
	(void)ctx;
	run(arg);
	done(arg);
}

static void
fetch(void *ctx, const struct engine_fetch *f)
{
	struct chat *c = ctx;

	if (!strncmp(f->url, "file://", 7))
		app_fetch_file(c->app, f);
	else
		engine_fetched(c->app->engine, f->ticket, FETCHED_FAILED, "", 0, NULL, NULL, NULL,
		    NULL, "the terminal has no network");
}

static void
settle(struct chat *c)
{
	do
		engine_settle(c->app->engine);
	while (console_report(c->console));
}

/* Everything due on the way happens at its own moment. */
static void
move_clock(struct chat *c, int64_t target_ms)
{
	settle(c);
	for (int i = 0; i < 1000000; i++) {
		int64_t next = engine_next_ms(c->app->engine);

		if (next > target_ms)
			break;
		if (next > c->frozen_ms)
			c->frozen_ms = next;
		settle(c);
	}
	c->frozen_ms = target_ms;
	settle(c);
}

/* "2027-03-26T01:59 Asia/Jerusalem" as unix ms. */
static bool
clock_named(const struct chat *c, const char *text, int64_t *ms)
{
	char wall[40], zone_name[64] = "UTC";
	struct civil civil;
	const struct zone *zone;

	if (sscanf(text, "%39s %63s", wall, zone_name) < 1 || !civil_read(wall, &civil))
		return false;
	zone = zone_find(c->app->zones, zone_name);
	if (zone)
		*ms = zone_instant(zone, &civil) * 1000;
	return zone;
}

/* "+48h", "+3d", "+30m", "+10s": a century at the most. */
static bool
clock_step(const char *text, int64_t *ms)
{
	char *end;
	int64_t n = strtoll(text, &end, 10), unit;

	unit = *end == 'd' ? 86400000 : *end == 'h' ? 3600000 : *end == 'm' ? 60000 : 1000;
	if (end == text || n < 0 || n > DAYS_MOST * INT64_C(86400000) / unit)
		return false;
	end += *end && strchr("dhms", *end);
	*ms = n * unit;
	return !end[strspn(end, " ")];
}

/* A step, or a wall time and its zone. */
static bool
clock_line(struct chat *c, const char *text)
{
	int64_t now = now_ms(c), n;

	text += strspn(text, " ");
	if (*text == '+' && clock_step(text + 1, &n))
		n += now;
	else if (!clock_named(c, text, &n))
		return false;
	if (!c->frozen_ms)
		c->frozen_ms = now;
	if (n < now)
		c->frozen_ms = n;
	move_clock(c, n);
	return true;
}

static bool
page_line(struct chat *c, const char *text)
{
	char name[128], file[1024], *bytes;
	struct stat st;
	FILE *f;
	bool known;

	if (sscanf(text, "%127s %1023s", name, file) != 2)
		return false;
	f = fopen(file, "rb");
	if (!f || fstat(fileno(f), &st)) {
		if (f)
			fclose(f);
		fprintf(stderr, "alumhub-bot: page: %s cannot be read\n", file);
		return true;
	}
	bytes = memory_new((size_t)st.st_size + 1);
	known = fread(bytes, 1, (size_t)st.st_size, f) == (size_t)st.st_size &&
		engine_page(c->app->engine, name, bytes, (size_t)st.st_size);
	fclose(f);
	free(bytes);
	if (!known)
		fprintf(stderr,
		    "alumhub-bot: page: expected the name of a configured feed or calendar, not %s\n",
		    name);
	settle(c);
	return true;
}

/* "file noor PATH some words" sends a file as noor. */
static bool
file_line(struct chat *c, const char *text)
{
	char name[NAME_MOST + 1], path[1024];
	int at = 0;

	if (sscanf(text, "%40[a-zA-Z0-9_-] %1023s%n", name, path, &at) != 2 || access(path, R_OK))
		return false;
	text += at;
	console_send_file(c->console, name, path, text + strspn(text, " "));
	settle(c);
	return true;
}

/* "noor: hello" speaks as noor. */
static const char *
speaker(const char *line, char *name)
{
	size_t n = 0;

	while (
	    n < NAME_MOST && (isalnum((unsigned char)line[n]) || line[n] == '_' || line[n] == '-'))
		n++;
	if (!n || line[n] != ':' || line[n + 1] != ' ')
		return line;
	memcpy(name, line, n);
	name[n] = 0;
	return line + n + 2;
}

static void
one_line(struct chat *c, char *line)
{
	char name[NAME_MOST + 1];
	const char *text;

	size_t n = strlen(line);

	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = 0;
	if (!strncmp(line, "## ", 3) && clock_line(c, line + 3))
		return;
	if (!strncmp(line, "page ", 5) && page_line(c, line + 5))
		return;
	if (!strncmp(line, "file ", 5) && file_line(c, line + 5))
		return;
	if (!line[0])
		return;
	snprintf(name, sizeof(name), "%s", c->app->arguments->as);
	text = speaker(line, name);
	console_line(c->console, name, text);
	settle(c);
}

/* One that stands whole before each answer: what is longer would be somebody else's too. */
static bool
is_name(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = name; *p; p++)
		if (iscntrl((unsigned char)*p))
			return false;
	return n >= 1 && n <= NAME_MOST;
}

/* How to talk here, in the language given or in each. */
static void
hint(const struct app *app)
{
	const char *wanted = app->arguments->language;

	for (int i = 0; i < words_count(app->words); i++) {
		const char *language = words_language(app->words, i);

		if (!wanted || !strcmp(wanted, language))
			puts(words_raw(app->words, language, "chat.hint"));
	}
}

/* A new state that begins with a clock has never known another: what repeats every week must not
 * fall on the weekday of today. */
static void
begin(struct chat *c, const char *line)
{
	if (!strncmp(line, "## ", 3) && engine_is_new(c->app->engine))
		clock_named(c, line + 3, &c->frozen_ms);
	engine_start(c->app->engine);
	settle(c);
}

int
chat_main(struct app *app)
{
	struct chat c = {.app = app};
	struct engine_ports ports = {
	    .ctx = &c, .now_ms = now_ms, .wake = wake, .work = work, .fetch = fetch};
	bool terminal = isatty(0) && isatty(1);
	char *line = NULL;
	size_t room = 0;
	int status;

	if (app->arguments->language && !words_speaks(app->words, app->arguments->language)) {
		fprintf(
		    stderr, "alumhub-bot: --language: expected one of the configured languages\n");
		return EXIT_USAGE;
	}
	if (!is_name(app->arguments->as)) {
		fprintf(stderr,
		    "alumhub-bot: --as: expected a name of 1 to %d bytes without control "
		    "characters\n",
		    NAME_MOST);
		return EXIT_USAGE;
	}
	log_limit(LOG_ERROR); /* a conversation is not a log */
	mkdir(app->state_folder, 0700);
	status = app_open(app, true);
	if (status != EXIT_DONE)
		return status;
	app_engine(app, &ports, true);
	c.console = console_new(stdout, terminal);
	console_language(c.console, app->arguments->language);
	engine_add(app->engine, c.console);
	if (terminal) {
		begin(&c, "");
		hint(app);
		console_line(c.console, app->arguments->as, "/start");
		settle(&c);
	}
	for (bool first = !terminal;; first = false) {
		bool more;

		if (terminal) {
			fputs("> ", stdout);
			fflush(stdout);
		}
		more = getline(&line, &room, stdin) > 0;
		if (first)
			begin(&c, more ? line : "");
		if (!more)
			break;
		one_line(&c, line);
	}
	free(line);
	return EXIT_DONE;
}
