#include "app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/almanac.h"
#include "base/civil.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/partners.h"
#include "base/words.h"
#include "base/zone.h"
#include "store/manifest.h"
#include "store/seal.h"

#define FEATURE(name) extern const struct feature feature_##name;
#include "feature_list.h"
#undef FEATURE
#define FEATURE(name) &feature_##name,
const struct feature *const features[] = {
#include "feature_list.h"
    NULL,
};

static int
complain(int status, char *why)
{
	fprintf(stderr, "alumhub-bot: %s\n", why ? why : "failed");
	free(why);
	return status;
}

static char *
join_path(const char *a, const char *b)
{
	size_t n = strlen(a) + strlen(b) + 2;
	char *path = memory_new(n);

	snprintf(path, n, "%s/%s", a, b);
	return path;
}

/* The installed data folder, else config/ beside the binary's parent. */
static char *
content(struct app *app, const char *key, const char *name)
{
	const char *set = conf_text(app->conf, "content", NULL, key);
	char self[1024], *slash, *path;
	ssize_t n;

	if (set)
		return memory_string(set);
	path = join_path("/usr/share/alumhub-bot", name);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return path;
	self[n] = 0;
	for (int up = 0; up < 2 && (slash = strrchr(self, '/')); up++)
		*slash = 0;
	if (access(path, R_OK) || strncmp(self, "/usr", 4)) {
		char *folder = join_path(self, "config"), *beside = join_path(folder, name);

		/* build/san/alumhub-bot stands one folder deeper. */
		if (access(beside, R_OK) && (slash = strrchr(self, '/'))) {
			*slash = 0;
			free(folder);
			free(beside);
			folder = join_path(self, "config");
			beside = join_path(folder, name);
		}
		free(folder);
		if (!access(beside, R_OK)) {
			free(path);
			return beside;
		}
		free(beside);
	}
	return path;
}

/* What a value of [bot] should have been, with its line. */
static char *
wrong_value(struct app *app, const char *key, int i, const char *value, const char *expected)
{
	int line = conf_line(app->conf, "bot", NULL, key, i);
	char why[600], place[16] = "";

	if (line)
		snprintf(place, sizeof(place), ":%d", line);
	snprintf(why, sizeof(why), "%s%s: [bot] %s = %s: %s", app->arguments->config, place, key,
	    value, expected);
	return memory_string(why);
}

static char *
overrides(struct app *app)
{
	const char *text;

	zone_override_clear(app->zones);
	for (int i = 0; (text = conf_each(app->conf, "bot", "zone_override", i)); i++) {
		char zone[64], wall[40], offset[16], sign = '+';
		int hours = 0, minutes = 0, end = 0;
		struct civil civil;
		const char *bad = "expected ZONE YYYY-MM-DDTHH:MM +HH:MM";

		if (sscanf(text, "%63s %39s %15s%n", zone, wall, offset, &end) == 3 && !text[end] &&
		    civil_read(wall, &civil) &&
		    sscanf(offset, "%c%2d:%2d", &sign, &hours, &minutes) == 3 &&
		    (sign == '+' || sign == '-'))
			bad = zone_override(app->zones, zone, &civil,
			    (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60));
		if (bad)
			return wrong_value(app, "zone_override", i, text, bad);
	}
	return NULL;
}

static char *
check_days(struct app *app)
{
	const char *text, *wrong;

	for (int i = 0; (text = conf_each(app->conf, "bot", "day_override", i)); i++) {
		wrong = almanac_wrong(text);
		if (wrong)
			return wrong_value(app, "day_override", i, text, wrong);
	}
	return NULL;
}

static char *
check_languages(struct app *app)
{
	const char *const *codes = conf_list(app->conf, "bot", NULL, "languages");
	char file[40], *path, *wrong = NULL;

	/* Of the default it is the words' folder that is wrong, and they say so. */
	if (!conf_line(app->conf, "bot", NULL, "languages", 0))
		return NULL;
	for (; *codes && !wrong; codes++) {
		snprintf(file, sizeof(file), "%.30s.json", *codes);
		path = join_path(app->words_folder, file);
		if (access(path, R_OK))
			wrong = wrong_value(app, "languages", 0, *codes,
			    "expected languages that there are words of");
		free(path);
	}
	return wrong;
}

static char *
check_zones(struct app *app)
{
	const char *const *names = conf_list(app->conf, "bot", NULL, "time_zones");

	for (; *names; names++)
		if (!zone_find(app->zones, *names))
			return wrong_value(app, "time_zones", 0, *names, "expected names of zones");
	return NULL;
}

/* At a terminal the folders are those that the unit gives the service. */
void
app_folders(void)
{
	static const char running_credentials[] = "/run/credentials/alumhub-bot.service";

	setenv("STATE_DIRECTORY", "/var/lib/alumhub-bot", 0);
	setenv("CREDENTIALS_DIRECTORY",
	    access(running_credentials, X_OK) ? "/etc/alumhub-bot" : running_credentials, 0);
}

/* Absolute, so that what is kept as a path below it is not below the working folder too. */
static char *
folder_of(const char *database)
{
	char *here = *database == '/' ? NULL : getcwd(NULL, 0);
	char *path = here ? join_path(here, database) : memory_string(database);
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = 0;
	free(here);
	return path;
}

int
app_read(struct app *app, const struct arguments *arguments)
{
	char *why = NULL;
	const char *database;

	app->arguments = arguments;
	app->unit = getenv("STATE_DIRECTORY") != NULL;
	app_folders();
	app->conf = conf_load(arguments->config, engine_settings(features), &why);
	if (!app->conf)
		return complain(EXIT_CONFIG, why);
	app->first_conf = app->conf;
	database = conf_text(app->conf, "bot", NULL, "database");
	app->state_folder = folder_of(database);
	app->key_file = conf_text(app->conf, "bot", NULL, "key_file")
			    ? memory_string(conf_text(app->conf, "bot", NULL, "key_file"))
			    : join_path(app->state_folder, "state-key");
	app->erased_file = memory_new(strlen(database) + sizeof(".erased"));
	snprintf(app->erased_file, strlen(database) + sizeof(".erased"), "%s.erased", database);
	app->words_folder = content(app, "words", "words");
	app->partners_file = content(app, "partners", "partners.json");
	why = check_languages(app);
	if (why)
		return complain(EXIT_CONFIG, why);
	app->words =
	    words_load(app->words_folder, conf_list(app->conf, "bot", NULL, "languages"), &why);
	if (!app->words)
		return complain(EXIT_CONFIG, why);
	app->partners = partners_load(app->partners_file, &why);
	if (!app->partners)
		return complain(EXIT_CONFIG, why);
	app->zones = zones_open(NULL);
	why = check_zones(app);
	if (!why)
		why = check_days(app);
	if (!why)
		why = overrides(app);
	return why ? complain(EXIT_CONFIG, why) : EXIT_DONE;
}

int
app_open(struct app *app, bool lock)
{
	struct db_options options = {.path = conf_text(app->conf, "bot", NULL, "database"),
	    .read_only = !lock,
	    .schemas = engine_schemas(features)};
	char *why = NULL;
	bool fresh = access(options.path, F_OK) != 0;

	if (access(app->state_folder, F_OK)) {
		fprintf(stderr, "alumhub-bot: %s: expected the folder of the state to be there\n",
		    app->state_folder);
		return EXIT_CONFIG;
	}
	app->seal = seal_open(app->key_file, lock && fresh, &why);
	if (!app->seal)
		return complain(EXIT_CONFIG, why);
	if (db_open(&app->db, &options, &why) != DB_OK)
		return complain(EXIT_FAILED, why);
	return EXIT_DONE;
}

/* The one that runs: the port's own context belongs to the terminal or to the service. */
static struct app *running;

static void
broken(void *ctx, const char *why)
{
	struct app *app = running;

	(void)ctx;
	if (why && !strcmp(why, "wrong key"))
		fprintf(stderr, "alumhub-bot: %s: expected the key that %s was made with\n",
		    app->key_file, conf_text(app->conf, "bot", NULL, "database"));
	else
		fprintf(stderr, "alumhub-bot: %s: %s; nothing that was acknowledged is lost\n",
		    conf_text(app->conf, "bot", NULL, "database"), why ? why : "cannot be written");
	fflush(NULL);
	_exit(why && !strcmp(why, "wrong key") ? EXIT_CONFIG : EXIT_FAILED);
}

int
app_engine(struct app *app, const struct engine_ports *ports, bool training)
{
	struct engine_options options = {.ports = *ports,
	    .features = features,
	    .db = app->db,
	    .seal = app->seal,
	    .words = app->words,
	    .zones = app->zones,
	    .partners = app->partners,
	    .conf = app->conf,
	    .state_folder = app->state_folder,
	    .erased_file = app->erased_file,
	    .manifest = app->manifest,
	    .sandbox = app->sandbox,
	    .training = training};

	running = app;
	options.ports.broken = broken;
	app->engine = engine_new(&options);
	return EXIT_DONE;
}

/* The configuration as it is now. What was opened with the first one keeps it: the database, the
 * key and the networks. NULL: the old one stays, and *why says what was expected. */
static struct conf *
read_again(struct app *app, char **why)
{
	struct conf *old = app->conf;
	struct conf *conf = conf_load(app->arguments->config, engine_settings(features), why);

	if (!conf)
		return NULL;
	app->conf = conf;
	*why = check_zones(app);
	if (!*why)
		*why = check_days(app);
	if (!*why)
		*why = overrides(app);
	app->conf = old;
	if (!*why)
		return conf;
	free(overrides(app));
	conf_free(conf);
	return NULL;
}

bool
app_reload(struct app *app)
{
	char *why = NULL;
	struct conf *conf = read_again(app, &why), *old = app->conf;
	struct words *words =
	    conf ? words_load(app->words_folder, conf_list(conf, "bot", NULL, "languages"), &why)
		 : NULL;
	struct partners *partners = words ? partners_load(app->partners_file, &why) : NULL;

	if (!partners) {
		log_event(LOG_ERROR, "reload.refused", "%s", why ? why : "");
		free(why);
		words_free(words);
		conf_free(conf);
		free(overrides(app));
		return false;
	}
	zones_reload(app->zones);
	app->conf = conf;
	engine_reload(app->engine, words, partners, conf);
	if (old != app->first_conf)
		conf_free(old);
	words_free(app->words);
	partners_free(app->partners);
	app->words = words;
	app->partners = partners;
	return true;
}

void
app_fetch_file(struct app *app, const struct engine_fetch *fetch)
{
	FILE *f = fopen(fetch->url + strlen("file://"), "rb");
	struct buf b = {.maximum = fetch->body_max};
	char chunk[16384];
	size_t n;

	if (!f) {
		engine_fetched(app->engine, fetch->ticket, FETCHED_FAILED, "", 0, NULL, NULL, NULL,
		    NULL, "the file cannot be read");
		return;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&b, chunk, n);
	fclose(f);
	engine_fetched(app->engine, fetch->ticket, b.overflowed ? FETCHED_FAILED : FETCHED_NEW,
	    b.bytes ? b.bytes : "", b.length, NULL, NULL, NULL, NULL,
	    b.overflowed ? "too big" : NULL);
	buf_free(&b);
}

void
app_close(struct app *app)
{
	engine_free(app->engine);
	manifest_close(app->manifest);
	db_close(app->db);
	seal_close(app->seal);
	if (app->zones)
		zones_close(app->zones);
	partners_free(app->partners);
	words_free(app->words);
	if (app->first_conf != app->conf)
		conf_free(app->first_conf);
	conf_free(app->conf);
	free(app->state_folder);
	free(app->key_file);
	free(app->erased_file);
	free(app->words_folder);
	free(app->partners_file);
}
