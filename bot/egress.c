/* alumhub-bot egress: the way out for a service that may open no IP socket. */
#include "app.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/hosts.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/egress.h"
#include "io/loop.h"
#include "io/notify.h"
#include "io/timer.h"

struct way_out {
	const struct arguments *arguments;
	struct conf *conf;
	struct hosts *hosts;
	struct loop *loop;
	struct egress *egress;
	struct timer *watchdog;
};

static char *
complaint(const char *key, const char *value, const char *why)
{
	struct buf b = {.maximum = 1 << 13};

	buf_print(&b, "%s: %s, not %.300s", key, why, value);
	return b.bytes;
}

/* The words of a key that may stand several times. */
static char *
allow_words(struct hosts *hosts, const struct conf *conf, const char *key, bool inside)
{
	const char *line;

	for (int i = 0; (line = conf_each(conf, "egress", key, i)); i++) {
		char *words = memory_string(line), *rest = NULL;

		for (char *w = strtok_r(words, " \t,", &rest); w;
		     w = strtok_r(NULL, " \t,", &rest)) {
			const char *why = hosts_allow(hosts, w, inside, 0);
			char *all = why ? complaint(key, w, why) : NULL;

			if (!why)
				continue;
			free(words);
			return all;
		}
		free(words);
	}
	return NULL;
}

static char *
allow_url(struct hosts *hosts, const char *key, const char *url, int family)
{
	const char *why = url ? hosts_allow_url(hosts, url, family) : NULL;

	return why ? complaint(key, url, why) : NULL;
}

static char *
allow_named(struct hosts *hosts, const struct conf *conf, const char *section, const char *key)
{
	const char *name;
	char *why = NULL;

	for (int i = 0; !why && (name = conf_name(conf, section, i)); i++)
		why = allow_url(hosts, key, conf_text(conf, section, name, key), 0);
	return why;
}

/* What the configuration itself names, and what [egress] adds. The first entry of a name counts. */
static char *
allow_all(struct hosts *hosts, const struct conf *conf)
{
	const char *family = conf_text(conf, "telegram", NULL, "ip_family");
	char *why = allow_words(hosts, conf, "private", true);

	if (!why && conf_has(conf, "telegram"))
		why = allow_url(hosts, "api_root", conf_text(conf, "telegram", NULL, "api_root"),
		    family[0] == '4'   ? 4
		    : family[0] == '6' ? 6
				       : 0);
	if (!why && conf_has(conf, "matrix"))
		why = allow_url(
		    hosts, "homeserver", conf_text(conf, "matrix", NULL, "homeserver"), 0);
	if (!why)
		why = allow_named(hosts, conf, "podcast", "feed");
	if (!why)
		why = allow_named(hosts, conf, "calendar", "url");
	if (!why)
		why = allow_words(hosts, conf, "allow", false);
	return why;
}

struct hosts *
egress_hosts(const struct conf *conf, char **why)
{
	struct hosts *hosts = hosts_new();

	*why = allow_all(hosts, conf);
	if (!*why)
		return hosts;
	hosts_free(hosts);
	return NULL;
}

/* A status after a complaint; what was read before stays when this cannot be. */
static int
configure(struct way_out *w)
{
	struct hosts *hosts = NULL;
	char *why = NULL;
	struct conf *conf = conf_load(w->arguments->config, engine_settings(features), &why);

	if (conf)
		hosts = egress_hosts(conf, &why);
	if (!hosts) {
		fprintf(stderr, "alumhub-bot: %s%s%s\n", conf ? w->arguments->config : "",
		    conf ? ": " : "", why);
		free(why);
		conf_free(conf);
		return EXIT_CONFIG;
	}
	if (w->egress)
		egress_allow(w->egress, hosts);
	hosts_free(w->hosts);
	conf_free(w->conf);
	w->hosts = hosts;
	w->conf = conf;
	return EXIT_DONE;
}

static void
say_counts(struct way_out *w)
{
	struct egress_counts c = egress_count(w->egress);

	notify_status("%d hosts allowed, %" PRId64 " connections now, %" PRId64 " opened, %" PRId64
		      " refused, %" PRId64 " turned away",
	    hosts_count(w->hosts), c.connections, c.opened, c.refused, c.turned_away);
}

static void
alive(void *ctx)
{
	struct way_out *w = ctx;

	notify_alive();
	say_counts(w);
	timer_start(w->watchdog, notify_watchdog_ms() / 2);
}

static void
signalled(void *ctx, int number)
{
	struct way_out *w = ctx;

	if (number != SIGHUP) {
		notify_stopping();
		loop_stop(w->loop);
		return;
	}
	notify_reloading();
	if (configure(w) == EXIT_DONE)
		log_event(LOG_NOTICE, "egress.reloaded", "hosts=%d", hosts_count(w->hosts));
	notify_ready();
}

static int
serve(struct way_out *w)
{
	const char *path = conf_text(w->conf, "egress", NULL, "socket");
	int fd = notify_socket();
	int abi;

	if (fd < 0)
		fd = egress_listen(path);
	if (fd >= 0)
		w->egress = egress_open(w->loop, fd, w->hosts, NULL);
	if (!w->egress) {
		fprintf(stderr, "alumhub-bot: %s: cannot listen: %s\n", path, strerror(errno));
		return EXIT_FAILED;
	}
	loop_signal(w->loop, SIGTERM, signalled, w);
	loop_signal(w->loop, SIGINT, signalled, w);
	loop_signal(w->loop, SIGHUP, signalled, w);
	if (notify_watchdog_ms() > 0)
		alive(w);
	abi = confine_egress(w->arguments->config, w->hosts);
	notify_ready();
	say_counts(w);
	log_event(LOG_NOTICE, "egress.ready", "hosts=%d landlock=%d", hosts_count(w->hosts), abi);
	loop_run(w->loop);
	return EXIT_DONE;
}

int
egress_main(const struct arguments *arguments)
{
	struct way_out w = {.arguments = arguments};
	int status;

	app_folders();
	status = configure(&w);
	if (status == EXIT_DONE) {
		w.loop = loop_new();
		w.watchdog = timer_new(w.loop, alive, &w);
		status = serve(&w);
		loop_signal(w.loop, SIGTERM, NULL, NULL);
		loop_signal(w.loop, SIGINT, NULL, NULL);
		loop_signal(w.loop, SIGHUP, NULL, NULL);
		egress_close(w.egress);
		timer_free(w.watchdog);
		loop_free(w.loop);
	}
	hosts_free(w.hosts);
	conf_free(w.conf);
	return status;
}
