/* What the service and the proxy may touch, told to the kernel before anything from outside is read. */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/hosts.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/sandbox.h"

enum { PATHS_MOST = 128, PORTS_MOST = 256, HTTPS = 443, NAMES = 53 };

struct paths {
	const char *list[PATHS_MOST + 1];
	int count;
};

/* Libraries, names and certificates, zones, fonts and their cache for the pictures, what the loader
 * and the allocator look at. */
static const char *const system_paths[] = {"/usr", "/lib", "/lib64", "/etc", "/proc", "/run",
    "/dev", "/var/cache/fontconfig", "/sys/devices/system/cpu", "/sys/fs/cgroup"};

static void
add(struct paths *paths, const char *path)
{
	if (path && path[0] && paths->count < PATHS_MOST)
		paths->list[paths->count++] = path;
}

static void
add_system(struct paths *paths)
{
	for (size_t i = 0; i < sizeof(system_paths) / sizeof(*system_paths); i++)
		add(paths, system_paths[i]);
}

/* The folder, because an editor puts a new file in the place of the old one. */
static char *
folder_of(const char *file)
{
	char *folder = memory_string(file), *slash = strrchr(folder, '/');

	if (slash == folder)
		slash[1] = 0;
	else if (slash)
		*slash = 0;
	else
		snprintf(folder, 2, ".");
	return folder;
}

/* The folders that systemd gave the unit, one after another behind colons. */
static void
add_unit_folders(struct paths *paths, char *folders)
{
	char *rest = NULL;

	for (char *f = strtok_r(folders, ":", &rest); f; f = strtok_r(NULL, ":", &rest))
		add(paths, f);
}

static void
add_files(struct paths *paths, const struct conf *conf, const char *section, const char *key)
{
	const char *name, *url;

	for (int i = 0; (name = conf_name(conf, section, i)); i++) {
		url = conf_text(conf, section, name, key);
		if (url && !strncmp(url, "file://", 7))
			add(paths, url + 7);
	}
}

static int
ports_of(const struct hosts *hosts, uint16_t *ports)
{
	int n = 0;

	ports[n++] = HTTPS;
	ports[n++] = NAMES;
	for (int i = 0; hosts && i < hosts_count(hosts) && n < PORTS_MOST; i++)
		ports[n++] = hosts_port(hosts, i);
	return n;
}

/* Beside the program, or one folder up, as base/picture looks for it. */
static void
picture_paths(char program[2][1100])
{
	ssize_t n = readlink("/proc/self/exe", program[0], 1000);
	char *slash;

	program[0][n > 0 ? n : 0] = program[1][0] = 0;
	slash = strrchr(program[0], '/');
	if (!slash)
		return;
	snprintf(slash, 20, "/alumhub-picture");
	snprintf(
	    program[1], 1100, "%.*s/../alumhub-picture", (int)(slash - program[0]), program[0]);
}

/* Files are confined under a unit alone: elsewhere nobody said which folders are the service's. */
void
confine_run(struct app *app)
{
	const char *given = getenv("STATE_DIRECTORY"), *more = getenv("LOGS_DIRECTORY");
	char program[2][1100];
	char *config = folder_of(app->arguments->config), *partners = folder_of(app->partners_file);
	char *state = memory_string(app->unit ? given : ""),
	     *logs = memory_string(more ? more : "");
	struct paths read = {0}, write = {0}, run = {0};
	uint16_t ports[PORTS_MOST];
	bool split = conf_has(app->conf, "egress");
	char *why = NULL;
	struct hosts *hosts = split ? NULL : egress_hosts(app->conf, &why);
	int abi;

	free(why);
	add_system(&read);
	add(&read, config);
	add(&read, partners);
	add(&read, app->words_folder);
	add_files(&read, app->conf, "podcast", "feed");
	add_files(&read, app->conf, "calendar", "url");
	add(&write, app->state_folder);
	add_unit_folders(&write, state);
	add_unit_folders(&write, logs);
	add(&write, "/tmp");
	add(&write, "/var/tmp");
	picture_paths(program);
	add(&run, program[0]);
	add(&run, program[1]);
	abi = sandbox_enter(&(struct sandbox){.files = app->unit,
	    .read = read.list,
	    .write = write.list,
	    .run = run.list,
	    .ports = ports,
	    .port_count = split ? 0 : ports_of(hosts, ports)});
	snprintf(app->sandbox, sizeof(app->sandbox),
	    abi ? "landlock %d:%s programs%s" : "no landlock", abi, app->unit ? " files," : "",
	    abi >= 4 ? split ? ", no TCP" : ", TCP ports" : "");
	log_event(LOG_NOTICE, "service.sandbox", "landlock=%d files=%d", abi, app->unit);
	free(config);
	free(partners);
	free(state);
	free(logs);
	hosts_free(hosts);
}

int
confine_egress(const char *config, const struct hosts *hosts)
{
	struct paths read = {0};
	char *folder = folder_of(config);
	uint16_t ports[PORTS_MOST];
	const char *none[] = {NULL};
	int abi;

	add_system(&read);
	add(&read, folder);
	abi = sandbox_enter(&(struct sandbox){.files = true,
	    .read = read.list,
	    .write = none,
	    .run = none,
	    .ports = ports,
	    .port_count = ports_of(hosts, ports)});
	free(folder);
	return abi;
}
