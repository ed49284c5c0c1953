/* invite, status, erase, check, version: asked of the service when it runs, else done here. */
#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/hosts.h"
#include "base/memory.h"
#include "base/partners.h"
#include "base/words.h"
#include "core/join.h"
#include "core/people.h"
#include "io/control.h"
#include "store/db.h"
#include "store/seal.h"
#include "transports/matrix.h"

extern char **environ;

enum {
	ASK_TIMEOUT_MS = 12000, /* its watchdog would have ended it by then */
	STARTING_WAIT_MS = 2000,
	STARTING_STEP_MS = 20,
	USES_DEFAULT = 1,
	DAYS_DEFAULT = 14,
	USES_MOST = 100000,
	DAYS_MOST = 3650
};

/* ---- what is asked, in the service or here ---- */

struct question {
	struct app *app;
	const char *line;
	struct buf *reply;
	int status;
};

static void
invite_turn(struct turn *t, void *ctx)
{
	struct question *q = ctx;
	char role[32], org[128] = "";
	long long uses, days;
	const char *code, *link, *matrix;
	enum access access;

	if (sscanf(q->line, "invite %31s %lld %lld %127s", role, &uses, &days, org) < 3)
		return;
	access = people_role(role);
	code = join_make(t, access, org, uses, days);
	link = join_link(t, "telegram", code);
	matrix = join_link(t, "matrix", code);
	buf_print(q->reply, "%s\n%s\n%s", code, link ? link : "", matrix ? matrix : "");
	q->status = EXIT_DONE;
}

static void
erase_turn(struct turn *t, void *ctx)
{
	static const char *const networks[] = {"telegram", "matrix", "local"};
	struct question *q = ctx;
	char network[32] = "";
	int end = 0;
	bool known = false;

	sscanf(q->line, "erase %31[a-z]:%n", network, &end);
	for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++)
		known = known || !strcmp(network, networks[i]);
	/* A slip of the pen must not look like nobody. */
	if (!known || !end || !q->line[end])
		return;
	buf_string(q->reply,
	    people_erase_address(t, network, q->line + end) ? "erased\n" : "nobody known there\n");
	q->status = EXIT_DONE;
}

int
admin_answer(struct app *app, const char *line, struct buf *reply)
{
	struct question q = {app, line, reply, EXIT_USAGE};

	if (!strncmp(line, "status", 6)) {
		char *text = engine_status(app->engine, strstr(line, "json") != NULL);

		buf_string(reply, text);
		free(text);
		return EXIT_DONE;
	}
	if (!strncmp(line, "invite ", 7) && !engine_turn(app->engine, invite_turn, &q))
		return EXIT_FAILED;
	if (!strncmp(line, "erase ", 6)) {
		if (!engine_turn(app->engine, erase_turn, &q))
			return EXIT_FAILED;
		engine_tick(app->engine);
	}
	return q.status;
}

/* ---- asking ---- */

static int64_t
now_ms(void *ctx)
{
	struct timespec now;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
wake(void *ctx, int64_t at_ms)
{
	(void)ctx;
	(void)at_ms;
}

int
admin_engine(struct app *app)
{
	return app_engine(
	    app, &(struct engine_ports){.ctx = app, .now_ms = now_ms, .wake = wake}, true);
}

int
admin_open(struct app *app, const char *line, struct buf *reply)
{
	const char *database = conf_text(app->conf, "bot", NULL, "database");
	int status;

	if (app->db)
		return EXIT_DONE;
	/* A wrong path must not look like a bot without people. */
	if (strncmp(line, "invite ", 7) && !access(app->state_folder, F_OK) &&
	    access(database, F_OK)) {
		buf_print(reply, "alumhub-bot: %s: expected the bot's state there\n", database);
		return EXIT_FAILED;
	}
	status = app_open(app, true);
	return status == EXIT_DONE ? admin_engine(app) : status;
}

int
admin_ask(struct app *app, const char *line, struct buf *reply)
{
	const char *database = conf_text(app->conf, "bot", NULL, "database");
	char path[1100];
	int status;

	snprintf(path, sizeof(path), "%s/control", app->state_folder);
	/* A service that starts or ends right now has its lock, and no socket. */
	for (int waited = 0;; waited += STARTING_STEP_MS) {
		status = access(path, F_OK) ? -1 : control_ask(path, line, ASK_TIMEOUT_MS, reply);
		if (status >= 0)
			return status;
		if (errno == ETIMEDOUT) {
			buf_print(reply,
			    "alumhub-bot: %s: the service does not answer; what was asked may "
			    "still be done\n",
			    path);
			return EXIT_FAILED;
		}
		if (waited >= STARTING_WAIT_MS || app->db || db_is_free(database))
			break;
		nanosleep(&(struct timespec){.tv_nsec = STARTING_STEP_MS * 1000000L}, NULL);
	}
	status = admin_open(app, line, reply);
	return status == EXIT_DONE ? admin_answer(app, line, reply) : status;
}

static int
ask_and_print(struct app *app, const char *line)
{
	struct buf reply = {.maximum = CONTROL_ASK_MAX};
	int status = admin_ask(app, line, &reply);

	fputs(reply.bytes ? reply.bytes : "", status == EXIT_DONE ? stdout : stderr);
	buf_free(&reply);
	return status;
}

int
status_main(struct app *app)
{
	return ask_and_print(app, app->arguments->json ? "status json" : "status");
}

static bool
whole_number(const char *text, long long otherwise, long long most, long long *number)
{
	char *end;

	*number = otherwise;
	if (!text)
		return true;
	*number = strtoll(text, &end, 10);
	return !*end && end != text && *number >= 1 && *number <= most;
}

/* The small second program draws, and ends: a QR code into a file, or LINES onto standard output. */
static int
draw(const char *how, const char *text, const char *file)
{
	char self[1024], *slash;
	char *argv[4];
	pid_t pid;
	int status, in[2];
	posix_spawn_file_actions_t actions;
	bool drawn;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 24);

	if (n <= 0)
		return EXIT_FAILED;
	self[n] = 0;
	slash = strrchr(self, '/');
	snprintf(slash + 1, 20, "alumhub-picture");
	if (access(self, X_OK)) {
		/* build/san/alumhub-bot: the picture program stands one folder up. */
		*slash = 0;
		slash = strrchr(self, '/');
		snprintf(slash + 1, 20, "alumhub-picture");
	}
	argv[0] = self;
	argv[1] = (char *)(uintptr_t)how;
	argv[2] = strcmp(how, "qr") ? NULL : (char *)(uintptr_t)file;
	argv[3] = NULL;
	/* The code goes in by a pipe: what stands in argv can be read by everybody. */
	if (pipe2(in, O_CLOEXEC))
		return EXIT_FAILED;
	drawn = write(in[1], text, strlen(text)) == (ssize_t)strlen(text);
	close(in[1]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	if (!argv[2])
		posix_spawn_file_actions_addopen(
		    &actions, 1, file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	drawn = drawn && !posix_spawn(&pid, self, &actions, NULL, argv, environ) &&
		waitpid(pid, &status, 0) == pid && !status;
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	if (!drawn) {
		fprintf(stderr, "alumhub-bot: %s: the picture could not be drawn\n", file);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* A poster for Matrix, whose links carry no code: the way to the bot, and what is sent there, which a
 * telephone copies from the second square. */
static int
draw_poster(const char *link, const char *typed, const char *file)
{
	char lines[600];

	snprintf(lines, sizeof(lines), "title 1\nqr %s\nfoot %s\ntitle 2\nqr %s\nfoot %s\n", link,
	    link, typed, typed);
	return draw("bars", lines, file);
}

/* The code in each network's form. `reply` is the code, its Telegram link, and what leads to the bot on
 * Matrix, a line each. */
static int
print_code(char *reply, const char *qr)
{
	char *link = strchr(reply, '\n'), *way = link ? strchr(link + 1, '\n') : NULL, matrix[100];

	if (link)
		*link++ = 0;
	if (way)
		*way++ = 0;
	snprintf(matrix, sizeof(matrix), "!start j_%s", reply);
	printf("j_%s\n", reply);
	if (link && *link)
		printf("%s\n", link);
	else
		printf("https://t.me/BOT?start=j_%s\n", reply);
	printf("%s\n", matrix);
	if (way && *way)
		printf("%s\n", way);
	if (!link || !*link)
		fprintf(stderr,
		    "alumhub-bot: the bot's name on Telegram is not known yet: it goes in the place of"
		    " BOT, and is learnt when `run` first reaches Telegram%s\n",
		    qr ? "; the picture holds the line of Matrix, which works when it is typed"
		       : "");
	if (!qr)
		return EXIT_DONE;
	if ((!link || !*link) && way && *way)
		return draw_poster(way, matrix, qr);
	return draw("qr", link && *link ? link : matrix, qr);
}

int
invite_main(struct app *app)
{
	const struct arguments *a = app->arguments;
	struct buf reply = {.maximum = 4096};
	char line[400];
	long long uses, days;
	int status;

	if (!a->role || !people_role(a->role)) {
		fprintf(stderr,
		    "alumhub-bot: --role: expected member, coordinator, judge, safety or admin\n");
		return EXIT_USAGE;
	}
	if (!whole_number(a->uses, USES_DEFAULT, USES_MOST, &uses) ||
	    !whole_number(a->days, DAYS_DEFAULT, DAYS_MOST, &days)) {
		fprintf(stderr,
		    "alumhub-bot: --uses and --days: expected whole numbers, from 1 to %d and to "
		    "%d\n",
		    USES_MOST, DAYS_MOST);
		return EXIT_USAGE;
	}
	if ((people_role(a->role) & (MEMBERS | COORDINATORS)) && !a->org) {
		fprintf(stderr, "alumhub-bot: --org: expected the id of an organisation for a %s\n",
		    a->role);
		return EXIT_USAGE;
	}
	if (a->org && !partners_find(app->partners, a->org)) {
		fprintf(stderr, "alumhub-bot: --org: expected an id that stands in %s, not %s\n",
		    app->partners_file, a->org);
		return EXIT_USAGE;
	}
	snprintf(line, sizeof(line), "invite %s %lld %lld %s", a->role, uses, days,
	    a->org ? a->org : "");
	status = admin_ask(app, line, &reply);
	if (status == EXIT_DONE && reply.bytes) {
		status = print_code(reply.bytes, a->qr);
	} else {
		fputs(reply.bytes ? reply.bytes : "", stderr);
	}
	buf_free(&reply);
	return status;
}

int
erase_main(struct app *app)
{
	char *input = NULL, line[600];
	size_t room = 0;
	int status = EXIT_DONE, one;

	for (int n = 1; getline(&input, &room, stdin) > 0; n++) {
		const char *address = input + strspn(input, " \t\r\n");
		size_t length = strlen(address);

		while (length && strchr(" \t\r\n", address[length - 1]))
			length--;
		if (!length)
			continue;
		snprintf(line, sizeof(line), "erase %.*s", (int)length, address);
		one = ask_and_print(app, line);
		if (one != EXIT_DONE)
			status = one;
		if (one == EXIT_USAGE)
			fprintf(stderr,
			    "alumhub-bot: line %d: expected NETWORK:ID, of telegram, matrix or "
			    "local\n",
			    n);
	}
	free(input);
	return status;
}

/* ---- check, schema ---- */

struct checking {
	const struct app *app;
	struct db *db;
	int wrong;
};

static void
check_words(void *ctx, const char *what)
{
	(void)ctx;
	fprintf(stderr, "alumhub-bot: %s\n", what);
}

static void
check_statement(void *ctx, struct sql *sql)
{
	struct checking *c = ctx;
	const char *why = db_check(c->db, sql);

	if (!why)
		return;
	fprintf(stderr, "alumhub-bot: %s: %s\n", why, sql->text);
	c->wrong++;
}

static void
remove_scratch(const char *folder)
{
	static const char *const names[] = {"x.db", "x.db-wal", "x.db-shm", "x.db.lock"};
	char path[80];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static void
wrong_value(struct checking *c, const char *section, const char *name, const char *key,
    const char *expected, const char * not )
{
	fprintf(stderr, "alumhub-bot: %s:%d: [%s%s%s] %s: expected %s, not %s\n",
	    c->app->arguments->config, conf_line(c->app->conf, section, name, key, 0), section,
	    name ? " " : "", name ? name : "", key, expected, not );
	c->wrong++;
}

/* Where something is to be said, on a network that is not switched on. */
static void
check_place(struct checking *c, const char *section, const char *name, const char *key)
{
	const struct conf *conf = c->app->conf;
	const char *place = conf_text(conf, section, name, key);
	char network[32] = "";

	if (!place)
		return;
	snprintf(network, sizeof(network), "%.*s", (int)strcspn(place, ":"), place);
	if ((!strcmp(network, "telegram") || !strcmp(network, "matrix")) && conf_has(conf, network))
		return;
	wrong_value(c, section, name, key, "a network that the file switches on", network);
}

static void
check_org(struct checking *c, const char *section, const char *name)
{
	const char *org = conf_text(c->app->conf, section, name, "org");

	if (org && !partners_find(c->app->partners, org))
		wrong_value(
		    c, section, name, "org", "the id of an organisation of the partners", org);
}

/* What points to something else: a place, an organisation, a text. */
static void
check_values(struct checking *c)
{
	const struct conf *conf = c->app->conf;
	const char *name, *key;

	check_place(c, "ops", NULL, "room");
	for (int i = 0; (name = conf_name(conf, "room", i)); i++) {
		check_place(c, "room", name, "address");
		check_org(c, "room", name);
	}
	for (int i = 0; (name = conf_name(conf, "calendar", i)); i++)
		check_org(c, "calendar", name);
	for (int i = 0; (name = conf_name(conf, "podcast", i)); i++) {
		key = conf_text(conf, "podcast", name, "disclaimer");
		if (key && !words_has(c->app->words, key))
			wrong_value(c, "podcast", name, "disclaimer", "a key of the words", key);
	}
}

/* Which account it is, and one way in: without them `run` ends at once. */
static void
check_matrix(struct checking *c)
{
	const struct conf *conf = c->app->conf;
	const char *user = conf_text(conf, "matrix", NULL, "user");

	if (!conf_has(conf, "matrix"))
		return;
	if (!matrix_is_user(user))
		wrong_value(c, "matrix", NULL, "user", "@name:server", user);
	if (conf_text(conf, "matrix", NULL, "access_token_file") ||
	    conf_text(conf, "matrix", NULL, "password_file"))
		return;
	fprintf(stderr, "alumhub-bot: %s: [matrix]: expected access_token_file or password_file\n",
	    c->app->arguments->config);
	c->wrong++;
}

/* Said, and not wrong: a credential comes into its place only when the service starts. */
static void
note_secret(const char *file)
{
	struct stat st;

	if (!file || stat(file, &st))
		return;
	if (st.st_mode & (S_IROTH | S_IWOTH))
		fprintf(stderr,
		    "alumhub-bot: %s: everybody on this machine may read or write it; expected mode "
		    "0600\n",
		    file);
}

static void
note_secrets(const struct app *app)
{
	note_secret(app->key_file);
	note_secret(conf_text(app->conf, "telegram", NULL, "token_file"));
	note_secret(conf_text(app->conf, "matrix", NULL, "access_token_file"));
	note_secret(conf_text(app->conf, "matrix", NULL, "password_file"));
}

/* Nothing of the state is touched: the schema is made anew in a scratch folder. */
int
check_main(struct app *app)
{
	struct checking c = {.app = app};
	struct db_options options = {.schemas = engine_schemas(features)};
	char *why = NULL;
	char folder[] = "/tmp/alumhub-check-XXXXXX", path[64];

	if (!mkdtemp(folder)) {
		fprintf(stderr, "alumhub-bot: %s: cannot be made\n", folder);
		return EXIT_FAILED;
	}
	snprintf(path, sizeof(path), "%s/x.db", folder);
	options.path = path;
	c.wrong = words_check(
	    app->words_folder, conf_list(app->conf, "bot", NULL, "languages"), check_words, NULL);
	if (db_open(&c.db, &options, &why) != DB_OK) {
		fprintf(stderr, "alumhub-bot: schema: %s\n", why);
		free(why);
		remove_scratch(folder);
		return EXIT_CONFIG;
	}
	engine_statements(features, check_statement, &c);
	check_values(&c);
	check_matrix(&c);
	note_secrets(app);
	hosts_free(egress_hosts(app->conf, &why));
	if (why) {
		fprintf(stderr, "alumhub-bot: %s: [egress] %s\n", app->arguments->config, why);
		free(why);
		c.wrong++;
	}
	db_close(c.db);
	remove_scratch(folder);
	if (!c.wrong)
		printf("configuration, words, schema and statements are right\n");
	return c.wrong ? EXIT_CONFIG : EXIT_DONE;
}

/* The sheet of what is stored, from the declarations that a test holds against the tables. */
int
schema_main(void)
{
	static const char *const erasers[] = {[NOT_PERSONAL] = "not about a person",
	    [WITH_PERSON] = "goes with the person",
	    [KEY_GONE] = "sealed; unreadable once the person's key is overwritten, and deleted",
	    [WHEN_DONE] = "emptied when done",
	    [AFTER_RETENTION] = "a job deletes it after the retention",
	    [KEYED_HASH] = "a keyed hash: tells nothing without the state key"};

	printf("| column | purpose | retention | how it ends |\n|---|---|---|---|\n");
	for (const struct schema *const *s = engine_schemas(features); *s; s++)
		for (const struct column *c = (*s)->columns; c->name; c++)
			printf("| %s | %s | %s | %s |\n", c->name, c->purpose, c->retention,
			    erasers[c->eraser]);
	return EXIT_DONE;
}
