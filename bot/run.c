/* alumhub-bot run: the service. One loop, one engine, a control socket, the networks that are
 * configured. */
#include "app.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/words.h"
#include "io/control.h"
#include "io/http.h"
#include "io/journal.h"
#include "io/loop.h"
#include "io/notify.h"
#include "io/timer.h"
#include "store/manifest.h"
#include "store/seal.h"
#include "transports/matrix.h"
#include "transports/telegram.h"

enum {
	TOKEN_MOST = 4096,
	FETCH_TIMEOUT_MS = 60000,
	FETCH_REDIRECTS = 5,
	HEAD_START_MS = 50,
	LANDING_STEP_MS = 20,
	LANDING_STEPS = 150,
	BACKUP_AGAIN_MS = 200,
	BACKUP_TRIES = 600 /* long work reads the state: two minutes */
};

struct service {
	struct app *app;
	struct loop *loop;
	struct http *http;
	struct http_lane *pages;
	struct timer *timer, *watchdog;
	struct control *control;
	struct timer *landing;
	struct timer *backup_again;
	struct control_client *backup_asker; /* NULL: no backup is under way */
	struct backup *backup;
	char *backup_file;
	int backup_tries;
	int waits;
	int64_t started_ms; /* steady */
	bool soon, ready, ending, stopping;
	int status;
};

struct page_fetch {
	struct service *service;
	int64_t ticket;
};

static int64_t
now_ms(void *ctx)
{
	return loop_wall_ms(((struct service *)ctx)->loop);
}

static int64_t
steady_ms(void *ctx)
{
	return loop_now_ms(((struct service *)ctx)->loop);
}

static void
say_ready(struct service *s)
{
	if (s->ready || !engine_tried(s->app->engine))
		return;
	s->ready = true;
	if (engine_refused(s->app->engine)) {
		s->status = EXIT_REFUSED;
		loop_stop(s->loop);
		return;
	}
	memory_settle();
	notify_ready();
	log_event(LOG_NOTICE, "service.ready", "%s", "");
}

static void
tick(void *ctx)
{
	struct service *s = ctx;

	s->soon = false;
	if (s->stopping)
		return;
	say_ready(s);
	engine_tick(s->app->engine);
	if (s->ready && engine_refused(s->app->engine)) {
		s->status = EXIT_REFUSED;
		loop_stop(s->loop);
	}
}

/* People wait behind the first polls; what else is due at the start lets those go first. */
static bool
has_head_start(struct service *s)
{
	return !engine_tried(s->app->engine) && steady_ms(s) - s->started_ms < HEAD_START_MS;
}

static void
wake(void *ctx, int64_t at_ms)
{
	struct service *s = ctx;
	int64_t now = now_ms(s);

	if (s->stopping)
		return;
	if (has_head_start(s)) {
		timer_start(s->timer, HEAD_START_MS);
		return;
	}
	if (at_ms > now) {
		timer_start(s->timer, at_ms - now);
		return;
	}
	if (!s->soon) {
		s->soon = true;
		loop_soon(s->loop, tick, s);
	}
}

static void
work(void *ctx, void (*run)(void *), void (*done)(void *), void *arg)
{
	loop_work(((struct service *)ctx)->loop, run, done, arg);
}

/* ---- pages ---- */

static void
page_came(void *ctx, const struct http_answer *a)
{
	struct page_fetch *p = ctx;
	struct service *s = p->service;
	int64_t ticket = p->ticket;
	enum fetched how = FETCHED_FAILED;
	const char *cause = a->cause;
	char status[40];

	free(p);
	if (a->outcome == HTTP_REPLIED && a->status == 304) {
		how = FETCHED_SAME;
	} else if (a->outcome == HTTP_REPLIED && a->status == 200) {
		how = FETCHED_NEW;
	} else if (a->outcome == HTTP_REPLIED) {
		snprintf(status, sizeof(status), "the server answered %d", a->status);
		cause = status;
	}
	engine_fetched(s->app->engine, ticket, how, a->body, a->length,
	    http_header(a, "content-type"), http_header(a, "etag"), http_header(a, "last-modified"),
	    a->moved, cause);
}

static void
fetch(void *ctx, const struct engine_fetch *f)
{
	struct service *s = ctx;
	struct page_fetch *p;
	char none_match[1100], since[200];
	const char *headers[3] = {NULL};
	int n = 0;

	if (!strncmp(f->url, "file://", 7)) {
		app_fetch_file(s->app, f);
		return;
	}
	if (f->etag && strlen(f->etag) < 1000) {
		snprintf(none_match, sizeof(none_match), "If-None-Match: %s", f->etag);
		headers[n++] = none_match;
	}
	if (f->modified && strlen(f->modified) < 100) {
		snprintf(since, sizeof(since), "If-Modified-Since: %s", f->modified);
		headers[n++] = since;
	}
	p = memory_new(sizeof(*p));
	p->service = s;
	p->ticket = f->ticket;
	http_send(s->pages, &(struct http_request){.label = "page",
				.url = f->url,
				.headers = headers,
				.redirects = FETCH_REDIRECTS,
				.timeout_ms = FETCH_TIMEOUT_MS,
				.body_max = f->body_max,
				.fn = page_came,
				.ctx = p});
}

/* ---- assembly ---- */

static char *
read_secret(const char *path, size_t *length)
{
	FILE *f = path ? fopen(path, "rb") : NULL;
	char *secret;

	if (!f)
		return NULL;
	secret = memory_new(TOKEN_MOST + 1);
	*length = fread(secret, 1, TOKEN_MOST, f);
	fclose(f);
	return secret;
}

static int
add_telegram(struct service *s)
{
	const struct conf *c = s->app->conf;
	const char *path = conf_text(c, "telegram", NULL, "token_file");
	const char *family = conf_text(c, "telegram", NULL, "ip_family");
	struct telegram_options o = {.loop = s->loop,
	    .http = s->http,
	    .api_root = conf_text(c, "telegram", NULL, "api_root"),
	    .per_second = (double)conf_number(c, "telegram", NULL, "per_second"),
	    .per_chat_second = (double)conf_number(c, "telegram", NULL, "per_chat_second"),
	    .connections = (int)conf_number(c, "telegram", NULL, "connections")};
	struct transport *t;
	char *token;

	if (!conf_has(c, "telegram"))
		return EXIT_DONE;
	o.family = !strcmp(family, "4")	  ? HTTP_IPV4
		   : !strcmp(family, "6") ? HTTP_IPV6
					  : HTTP_ANY_FAMILY;
	token = read_secret(path, &o.token_length);
	if (!token) {
		fprintf(
		    stderr, "alumhub-bot: %s: cannot be read; expected the bot's token\n", path);
		return EXIT_CONFIG;
	}
	o.token = token;
	t = telegram_new(&o);
	explicit_bzero(token, TOKEN_MOST);
	free(token);
	if (!t) {
		fprintf(stderr, "alumhub-bot: %s: expected a token like 123456:ABC…\n", path);
		return EXIT_CONFIG;
	}
	engine_add(s->app->engine, t);
	return EXIT_DONE;
}

/* What seals the rows that Matrix must remember: from the state key, the same at every start. */
static void
matrix_key(const struct seal *seal, unsigned char key[MATRIX_KEY_BYTES])
{
	_Static_assert(MATRIX_KEY_BYTES == 2 * SEAL_HASH_BYTES, "two hashes make a key");
	seal_hash(seal, "matrix.rows.1", "", 0, key);
	seal_hash(seal, "matrix.rows.2", "", 0, key + SEAL_HASH_BYTES);
}

static void
forget_secret(char *secret)
{
	if (secret)
		explicit_bzero(secret, TOKEN_MOST);
	free(secret);
}

/* False after a complaint: the file is named and cannot be read. */
static bool
matrix_secret(const struct conf *c, const char *name, const char *what, char **secret)
{
	const char *path = conf_text(c, "matrix", NULL, name);
	size_t length;

	*secret = read_secret(path, &length);
	if (!path || *secret)
		return true;
	fprintf(stderr, "alumhub-bot: %s: cannot be read; expected %s\n", path, what);
	return false;
}

/* In all languages: whoever reads it has chosen none yet. */
static const char *
in_all_languages(const struct words *words, struct arena *arena, const char *key)
{
	const char *text = "";

	for (int i = 0; i < words_count(words); i++)
		text = arena_print(arena, "%s%s%s", text, i ? " \xc2\xb7 " : "",
		    words_text(words, arena, words_language(words, i), key, 0, NULL));
	return text;
}

static void
matrix_reasons(const struct words *words, struct arena *arena, const char *reasons[MATRIX_REASONS])
{
	static const char *const keys[] = {
	    [MATRIX_REASON_SWITCHED_OFF] = "leaving.switched_off",
	    [MATRIX_REASON_UNKNOWN] = "leaving.unknown",
	    [MATRIX_REASON_TOO_LARGE] = "leaving.too_large",
	    [MATRIX_REASON_PRIVATE] = "leaving.private",
	};

	for (int i = 0; i < MATRIX_REASONS; i++)
		reasons[i] = in_all_languages(words, arena, keys[i]);
}

static int
add_matrix(struct service *s)
{
	const struct conf *c = s->app->conf;
	unsigned char key[MATRIX_KEY_BYTES];
	struct transport *t = NULL;
	char *token = NULL, *password = NULL;
	const char *reasons[MATRIX_REASONS];
	struct arena *arena;
	bool good;

	if (!conf_has(c, "matrix"))
		return EXIT_DONE;
	arena = arena_new();
	matrix_reasons(s->app->words, arena, reasons);
	matrix_key(s->app->seal, key);
	good = matrix_secret(c, "access_token_file", "the bot's access token", &token) &&
	       matrix_secret(c, "password_file", "the bot's password", &password);
	if (good)
		t = matrix_new(&(struct matrix_options){.loop = s->loop,
		    .http = s->http,
		    .homeserver = conf_text(c, "matrix", NULL, "homeserver"),
		    .user = conf_text(c, "matrix", NULL, "user"),
		    .access_token = token,
		    .password = password,
		    .key = key,
		    .encryption = conf_switch(c, "matrix", NULL, "encryption"),
		    .allow_servers = conf_list(c, "matrix", NULL, "allow_servers"),
		    .reasons = reasons,
		    .per_second = (double)conf_number(c, "matrix", NULL, "per_minute") / 60});
	arena_free(arena);
	forget_secret(token);
	forget_secret(password);
	explicit_bzero(key, sizeof(key));
	if (!t) {
		if (good)
			fprintf(stderr,
			    "alumhub-bot: %s: [matrix]: expected user = @name:server and a token "
			    "or a password in access_token_file or password_file\n",
			    s->app->arguments->config);
		return EXIT_CONFIG;
	}
	engine_add(s->app->engine, t);
	return EXIT_DONE;
}

/* ---- backup ---- */

static void
backup_reply(struct service *s, int status, struct buf *reply)
{
	struct control_client *asker = s->backup_asker;

	s->backup_asker = NULL;
	free(s->backup_file);
	s->backup_file = NULL;
	control_reply(asker, status, reply->bytes ? reply->bytes : "", reply->length);
	buf_free(reply);
}

static void
backup_done(void *ctx)
{
	struct service *s = ctx;
	struct buf reply = {.maximum = CONTROL_ASK_MAX};
	int status = backup_end(s->backup, &reply);

	s->backup = NULL;
	backup_reply(s, status, &reply);
}

static void
backup_work(void *ctx)
{
	backup_run(((struct service *)ctx)->backup);
}

static void
backup_try(void *ctx)
{
	struct service *s = ctx;
	struct buf reply = {.maximum = CONTROL_ASK_MAX};

	s->backup = backup_begin(s->app, s->backup_file);
	if (s->backup) {
		loop_work(s->loop, backup_work, backup_done, s);
	} else if (++s->backup_tries < BACKUP_TRIES) {
		timer_start(s->backup_again, BACKUP_AGAIN_MS);
	} else {
		buf_string(
		    &reply, "alumhub-bot: somebody reads the state for too long; try again\n");
		backup_reply(s, EXIT_FAILED, &reply);
	}
}

static void
backup_asked(struct service *s, struct control_client *client, const char *file)
{
	static const char busy[] = "alumhub-bot: a backup is being made already\n";

	if (s->backup_asker) {
		control_reply(client, EXIT_FAILED, busy, strlen(busy));
		return;
	}
	s->backup_asker = client;
	s->backup_file = memory_string(file);
	s->backup_tries = 0;
	backup_try(s);
}

static void
asked(void *ctx, struct control_client *client, const char *line)
{
	struct service *s = ctx;
	struct buf reply = {.maximum = CONTROL_ASK_MAX};
	int status;

	if (!strncmp(line, "backup ", 7)) {
		backup_asked(s, client, line + 7);
		return;
	}
	status = admin_answer(s->app, line, &reply);
	control_reply(client, status, reply.bytes ? reply.bytes : "", reply.length);
	buf_free(&reply);
}

/* What is in the air lands first, for three seconds at the most: each fate is better known than in
 * doubt. */
static void
end_when_landed(void *ctx)
{
	struct service *s = ctx;

	if (!engine_flying(s->app->engine) || s->waits++ > LANDING_STEPS)
		loop_stop(s->loop);
	else
		timer_start(s->landing, LANDING_STEP_MS);
}

static void
signalled(void *ctx, int number)
{
	struct service *s = ctx;

	if (number == SIGHUP) {
		notify_reloading();
		app_reload(s->app);
		notify_ready();
		return;
	}
	if (s->ending)
		return;
	notify_stopping();
	s->ending = true;
	end_when_landed(s);
}

static void
alive(void *ctx)
{
	struct service *s = ctx;

	notify_alive();
	timer_start(s->watchdog, notify_watchdog_ms() / 2);
}

static int
assemble(struct service *s)
{
	struct app *app = s->app;
	struct engine_ports ports = {.ctx = s,
	    .now_ms = now_ms,
	    .steady_ms = steady_ms,
	    .wake = wake,
	    .work = work,
	    .fetch = fetch};
	char path[1100];
	int status;

	app_engine(app, &ports, false);
	status = add_telegram(s);
	if (status == EXIT_DONE)
		status = add_matrix(s);
	if (status != EXIT_DONE)
		return status;
	snprintf(path, sizeof(path), "%s/control", app->state_folder);
	s->control = control_open(s->loop, path, asked, s);
	if (!s->control) {
		fprintf(stderr, "alumhub-bot: %s: cannot listen: %s\n", path, strerror(errno));
		return EXIT_FAILED;
	}
	loop_signal(s->loop, SIGTERM, signalled, s);
	loop_signal(s->loop, SIGINT, signalled, s);
	loop_signal(s->loop, SIGHUP, signalled, s);
	if (notify_watchdog_ms() > 0)
		alive(s);
	return EXIT_DONE;
}

int
run_main(struct app *app)
{
	struct service s = {.app = app};
	int status;

	memory_settle();
	/* A reload that comes before the loop listens has nothing to read again. */
	signal(SIGHUP, SIG_IGN);
	status = app_open(app, true);

	if (status != EXIT_DONE)
		return status;
	if (!conf_has(app->conf, "telegram") && !conf_has(app->conf, "matrix")) {
		fprintf(stderr, "alumhub-bot: %s: expected a section [telegram] or [matrix]\n",
		    app->arguments->config);
		return EXIT_CONFIG;
	}
	if (notify_journal())
		log_to(journal_line, NULL);
	s.loop = loop_new();
	s.started_ms = steady_ms(&s);
	s.http = http_new(s.loop, &(struct http_options){.user_agent = "alumhub-bot",
				      .proxy = conf_has(app->conf, "egress")
						   ? conf_text(app->conf, "egress", NULL, "socket")
						   : NULL});
	s.pages = http_lane_new(s.http,
	    &(struct http_lane_options){
		.name = "pages", .connections = 4, .public_only = true, .compressed = true});
	s.timer = timer_new(s.loop, tick, &s);
	s.watchdog = timer_new(s.loop, alive, &s);
	s.landing = timer_new(s.loop, end_when_landed, &s);
	s.backup_again = timer_new(s.loop, backup_try, &s);
	app->manifest =
	    manifest_open(conf_text(app->conf, "bot", NULL, "database"), manifest_boot_ms());
	if (!app->manifest)
		log_event(LOG_WARNING, "manifest.none", "errno=%d", errno);
	status = assemble(&s);
	if (status == EXIT_DONE) {
		confine_run(app);
		engine_start(app->engine);
		wake(&s, 0);
		loop_run(s.loop);
		status = s.status;
	}
	s.stopping = app->ending = true;
	if (s.backup_asker && !s.backup)
		backup_reply(&s, EXIT_FAILED, &(struct buf){.maximum = 1});
	control_close(s.control);
	engine_free(app->engine);
	app->engine = NULL;
	loop_signal(s.loop, SIGTERM, NULL, NULL);
	loop_signal(s.loop, SIGINT, NULL, NULL);
	loop_signal(s.loop, SIGHUP, NULL, NULL);
	timer_free(s.watchdog);
	timer_free(s.landing);
	timer_free(s.backup_again);
	timer_free(s.timer);
	http_lane_free(s.pages);
	http_free(s.http);
	loop_free(s.loop);
	return status;
}
