/* backup and restore: a copy of the state under the state key, made while the service runs, with
 * nothing plain on its way; and the way back, which never un-erases anybody. */
#include "app.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/civil.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/erasure.h"
#include "io/control.h"
#include "store/place.h"
#include "store/scrub.h"
#include "store/seal.h"

enum { PATH_MOST = 2100, HOLD_TRIES = 50, HOLD_PAUSE_MS = 100, DAY = 86400, NAMES = 512 };
#define NAME_START "alumhub-"
#define NAME_END ".sealed"

/* Where it goes. `folder` is "" when a file was named. */
struct target {
	char file[PATH_MOST], folder[PATH_MOST];
};

struct backup {
	struct app *app;
	struct db *held;
	struct target to;
	char *why;
	int64_t bytes;
};

static int64_t
now_s(void)
{
	return (int64_t)time(NULL);
}

/* A folder gets a name with the moment in it; "folder/" is made when it is missing. */
static void
name_it(struct target *to, const char *file)
{
	struct stat st;
	struct civil at = civil_from(now_s());

	if (file[0] && file[strlen(file) - 1] == '/')
		place_folder(file);
	if (stat(file, &st) || !S_ISDIR(st.st_mode)) {
		snprintf(to->file, sizeof(to->file), "%s", file);
		return;
	}
	snprintf(to->folder, sizeof(to->folder), "%s", file);
	for (size_t n = strlen(to->folder); n > 1 && to->folder[n - 1] == '/'; n--)
		to->folder[n - 1] = 0;
	snprintf(to->file, sizeof(to->file),
	    "%.2000s/" NAME_START "%04lld%02d%02dT%02d%02d%02dZ" NAME_END, to->folder,
	    (long long)at.year, at.month, at.day, at.hour, at.minute, at.second);
}

static void
begins_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	erasure_backup_begins(t);
}

static void
made_turn(struct turn *t, void *ctx)
{
	(void)ctx;
	erasure_backup_made(t);
}

struct backup *
backup_begin(struct app *app, const char *file)
{
	struct backup *b;
	struct db *held;

	engine_turn(app->engine, begins_turn, NULL);
	held = db_hold(app->db);
	if (!held)
		return NULL;
	b = memory_new(sizeof(*b));
	*b = (struct backup){.app = app, .held = held};
	name_it(&b->to, file);
	return b;
}

static bool
read_held(void *ctx, void *bytes, size_t length, int64_t at)
{
	struct backup *b = ctx;

	return !b->app->ending && db_held_read(b->held, bytes, length, at);
}

static char *
sentence(const char *a, const char *b)
{
	size_t n = strlen(a) + strlen(b) + 3;
	char *text = memory_new(n);

	snprintf(text, n, "%s: %s", a, b);
	return text;
}

void
backup_run(void *arg)
{
	struct backup *b = arg;
	/* Of the first one: a reload frees the others while this thread runs. */
	const char *database = conf_text(b->app->first_conf, "bot", NULL, "database");
	const char *damage = db_held_damage(b->held);
	struct seal_source from = {
	    .name = database, .ctx = b, .read = read_held, .length = db_held_bytes(b->held)};

	b->bytes = from.length;
	if (damage)
		b->why = sentence(database, damage);
	else if (from.length < 0)
		b->why = sentence(database, "cannot be read");
	else
		b->why = seal_pour(b->app->seal, &from, b->to.file);
	if (!b->why)
		b->why = seal_compare(b->app->seal, b->to.file, &from);
}

static int
by_name_down(const void *a, const void *b)
{
	return -strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
is_ours(const char *name)
{
	size_t n = strlen(name);

	return n > strlen(NAME_START NAME_END) && !strncmp(name, NAME_START, strlen(NAME_START)) &&
	       !strcmp(name + n - strlen(NAME_END), NAME_END);
}

/* Of a folder: older than their retention, or too many; the newest always stays. */
static int
expire(const struct conf *conf, const char *folder)
{
	int64_t most = conf_number(conf, "ops", NULL, "backups");
	int64_t before = now_s() - DAY * conf_number(conf, "retention", NULL, "backup");
	DIR *dir = folder[0] ? opendir(folder) : NULL;
	struct dirent *e;
	char *names[NAMES], path[PATH_MOST + 260];
	struct stat st;
	int n = 0, gone = 0;

	while (dir && n < NAMES && (e = readdir(dir)))
		if (is_ours(e->d_name))
			names[n++] = memory_string(e->d_name);
	if (dir)
		closedir(dir);
	qsort(names, (size_t)n, sizeof(*names), by_name_down);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		if (i && !stat(path, &st) && (i >= most || st.st_mtime < before)) {
			scrub_unlink(path);
			gone++;
		}
		free(names[i]);
	}
	return gone;
}

int
backup_end(struct backup *b, struct buf *reply)
{
	int status = b->why ? EXIT_FAILED : EXIT_DONE, gone = 0;

	db_close(b->held);
	if (!b->why) {
		gone = expire(b->app->conf, b->to.folder);
		/* None when the service ends meanwhile. */
		if (b->app->engine)
			engine_turn(b->app->engine, made_turn, NULL);
	}
	if (b->why)
		buf_print(reply, "alumhub-bot: %s\n", b->why);
	else
		buf_print(reply, "%s: %lld bytes of state, sealed and read back%s", b->to.file,
		    (long long)b->bytes, gone ? "" : "\n");
	if (gone)
		buf_print(reply, "; %d older removed\n", gone);
	log_event(b->why ? LOG_ERROR : LOG_NOTICE, b->why ? "backup.failed" : "backup.made",
	    "bytes=%lld", (long long)b->bytes);
	free(b->why);
	free(b);
	return status;
}

/* Nobody runs: we do it ourselves. */
static int
backup_here(struct app *app, const char *file, struct buf *reply)
{
	struct backup *b = NULL;
	int status = admin_open(app, "backup", reply);

	if (status != EXIT_DONE)
		return status;
	for (int i = 0; i < HOLD_TRIES && !(b = backup_begin(app, file)); i++)
		nanosleep(&(struct timespec){.tv_nsec = HOLD_PAUSE_MS * 1000000L}, NULL);
	if (!b) {
		buf_string(
		    reply, "alumhub-bot: somebody reads the state for too long; try again\n");
		return EXIT_FAILED;
	}
	backup_run(b);
	return backup_end(b, reply);
}

/* True when the service sees it where we do: a file, or a folder that may not be there yet. */
static bool
is_below(const char *file, const char *folder)
{
	char *copy = memory_string(file), *above = realpath(folder, NULL), *in;
	size_t n = above ? strlen(above) : 0;
	bool below;

	in = realpath(dirname(copy), NULL);
	below = above && in && !strncmp(in, above, n) && (!in[n] || in[n] == '/');
	free(in);
	free(above);
	free(copy);
	return below;
}

/* `said` is what the service said of `made`: it is said of what has its name now. */
static int
carry_on(
    struct app *app, const char *made, const char *file, const struct buf *said, struct buf *reply)
{
	struct target to = {.folder = ""};
	char *why;

	name_it(&to, file);
	why = seal_carry(made, to.file);
	if (why) {
		buf_print(reply, "alumhub-bot: %s\n", why);
		free(why);
		return EXIT_FAILED;
	}
	expire(app->conf, to.folder);
	buf_string(reply, to.file);
	buf_string(reply, said->length > strlen(made) ? said->bytes + strlen(made) : "\n");
	return EXIT_DONE;
}

/* The service may write below its state alone, and its /tmp is another one: it makes the file there,
 * and we carry it on. -1: it does not answer. */
static int
ask_and_carry(struct app *app, const char *control, const char *file, struct buf *reply)
{
	char line[CONTROL_LINE_MAX];
	const char *made = line + strlen("backup ");
	struct buf said = {.maximum = CONTROL_ASK_MAX};
	int status;

	snprintf(line, sizeof(line), "backup %.1900s.carry-%d",
	    conf_text(app->conf, "bot", NULL, "database"), (int)getpid());
	status = control_ask(control, line, BACKUP_MOST_MS, &said);
	if (status == EXIT_DONE)
		status = carry_on(app, made, file, &said, reply);
	else if (status > 0)
		buf_string(reply, said.bytes ? said.bytes : "");
	buf_free(&said);
	return status;
}

int
backup_main(struct app *app)
{
	char line[CONTROL_LINE_MAX], folder[PATH_MOST] = "", control[PATH_MOST];
	const char *file = app->arguments->file, *whole = line + strlen("backup ");
	struct buf reply = {.maximum = CONTROL_ASK_MAX};
	int status = -1;

	if (file[0] != '/' && !getcwd(folder, sizeof(folder)))
		return EXIT_FAILED;
	snprintf(line, sizeof(line), "backup %s%s%.1900s", folder, *folder ? "/" : "", file);
	snprintf(control, sizeof(control), "%s/control", app->state_folder);
	if (!access(control, F_OK))
		status = is_below(whole, app->state_folder)
			     ? control_ask(control, line, BACKUP_MOST_MS, &reply)
			     : ask_and_carry(app, control, whole, &reply);
	if (status < 0)
		status = backup_here(app, whole, &reply);
	fputs(reply.bytes ? reply.bytes : "", status == EXIT_DONE ? stdout : stderr);
	buf_free(&reply);
	return status;
}

/* ---- restore ---- */

static int
complain(const char *file, const char *what)
{
	fprintf(stderr, "alumhub-bot: %s: %s\n", file, what);
	return EXIT_FAILED;
}

/* A status after a complaint. */
static int
unable(int status, char *why)
{
	fprintf(stderr, "alumhub-bot: %s\n", why);
	free(why);
	return status;
}

static void
restored_turn(struct turn *t, void *ctx)
{
	erasure_restored(t, ctx);
}

static void
say_restored(const struct app *app, const struct restored *r)
{
	struct civil at = civil_from(r->made);

	printf("the state of %04lld-%02d-%02d %02d:%02d UTC is back\n", (long long)at.year,
	    at.month, at.day, at.hour, at.minute);
	if (r->listed)
		printf("%d %s erased since %s erased again\n", r->erased,
		    r->erased == 1 ? "person who was" : "people who were",
		    r->erased == 1 ? "is" : "are");
	else
		printf(
		    "there is no %s: nobody who was erased since could be erased again; where that "
		    "list is kept, put it there and restore once more\n",
		    r->list);
	printf("%lld %s waited then may have been sent since: %s in doubt and %s not sent\n",
	    (long long)r->doubt, r->doubt == 1 ? "message that" : "messages that",
	    r->doubt == 1 ? "it is" : "they are", r->doubt == 1 ? "is" : "are");
	if (conf_has(app->conf, "matrix"))
		printf("Matrix: the old keys cannot be used again; `run` makes a new device with "
		       "password_file, and people see that the bot has a new device\n");
}

/* Older than its retention, a backup may hold people whom the list no longer knows. */
static int
too_old(const struct app *app, int64_t made)
{
	int64_t days = conf_number(app->conf, "retention", NULL, "backup");
	char what[200];

	if (!made || made >= now_s() - days * DAY)
		return EXIT_DONE;
	snprintf(what, sizeof(what),
	    "is older than [retention] backup = %lld days; expected a younger "
	    "one, because who was erased since is no longer known",
	    (long long)days);
	return complain(app->arguments->file, what);
}

static void
remove_all(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal", ".lock", NULL};
	char name[PATH_MOST + 16], *slash, *copy = memory_string(path);

	for (const char *const *end = ends; *end; end++) {
		snprintf(name, sizeof(name), "%s%s", path, *end);
		scrub_unlink(name);
	}
	/* The copy that a migration made on the way. */
	slash = strrchr(copy, '/');
	if (slash) {
		*slash = 0;
		snprintf(name, sizeof(name), "%s.before-", slash + 1);
		scrub_folder(copy, name, INT64_MAX);
	}
	free(copy);
}

/* Everything is done under another name: what has the name of the state is finished. */
static int
restore_beside(struct app *app, const char *beside, struct restored *r)
{
	struct db_options options = {.path = beside, .schemas = engine_schemas(features)};
	const char *damage;
	char *why = NULL;
	int status = EXIT_DONE;

	why = seal_unfile(app->seal, app->arguments->file, beside);
	if (!why && db_open(&app->db, &options, &why) == DB_OK) {
		damage = db_held_damage(app->db);
		if (damage)
			status = complain(app->arguments->file, damage);
	}
	if (why)
		return unable(EXIT_FAILED, why);
	if (status == EXIT_DONE)
		status = admin_engine(app);
	if (status == EXIT_DONE && !engine_turn(app->engine, restored_turn, r))
		status = complain(app->arguments->file, "could not be brought up to date");
	if (status == EXIT_DONE)
		status = too_old(app, r->made);
	if (app->engine)
		engine_tick(app->engine);
	engine_free(app->engine);
	app->engine = NULL;
	/* What gets the name of the state is one file, with nothing left in a WAL. */
	if (status == EXIT_DONE && !db_checkpoint(app->db))
		status = complain(app->arguments->file, "could not be brought into one file");
	db_close(app->db);
	app->db = NULL;
	return status;
}

/* SQLite would play the WAL of another state into the one that gets this name. */
static int
expect_nothing(const char *database)
{
	static const char *const ends[] = {"", "-wal", "-journal"};
	char name[PATH_MOST + 16];

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		snprintf(name, sizeof(name), "%s%s", database, ends[i]);
		if (!access(name, F_OK))
			return complain(name,
			    "expected no state there; move it away first, with what "
			    "ends in -wal and -shm");
	}
	return EXIT_DONE;
}

static int
restore_locked(struct app *app, const char *database)
{
	struct restored r = {.list = app->erased_file};
	char beside[PATH_MOST], *why = NULL;
	int status = expect_nothing(database);

	if (status != EXIT_DONE)
		return status;
	snprintf(beside, sizeof(beside), "%.2000s.restoring", database);
	app->seal = seal_open(app->key_file, false, &why);
	if (!app->seal)
		return unable(EXIT_CONFIG, why);
	remove_all(beside);
	status = restore_beside(app, beside, &r);
	if (status == EXIT_DONE && rename(beside, database))
		status = complain(database, strerror(errno));
	remove_all(beside);
	place_sync(database);
	if (status == EXIT_DONE)
		say_restored(app, &r);
	return status;
}

int
restore_main(struct app *app)
{
	const char *database = conf_text(app->conf, "bot", NULL, "database");
	char *why = NULL;
	int lock = db_lock(database, &why), status;

	if (lock < 0)
		return unable(EXIT_FAILED, why);
	status = restore_locked(app, database);
	close(lock);
	return status;
}
