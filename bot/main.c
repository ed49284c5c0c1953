/* alumhub-bot: arguments, and the command they name. */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/memory.h"

static const char usage[] =
    "usage: alumhub-bot [--config FILE] COMMAND\n"
    "  run                       the service\n"
    "  chat [--as NAME] [--language en|ar|he]\n"
    "                            talk to the bot in the terminal\n"
    "  check                     check configuration, words, schema and statements\n"
    "  invite --role ROLE [--org ORG] [--uses N] [--days D] [--qr FILE.png]\n"
    "                            make a join code; ROLE: member coordinator judge safety admin\n"
    "  status [--json]           how it goes\n"
    "  backup FILE | restore FILE\n"
    "  erase                     reads NETWORK:ID lines, forgets each\n"
    "  load-demo N               N invented people into an empty state\n"
    "  schema                    what is stored: purpose, retention and eraser of each column\n"
    "  egress                    the way out of the split service: a proxy to allowed hosts\n"
    "  version\n";

static const struct {
	const char *name;
	int (*run)(struct app *app);
	bool takes_file;
} commands[] = {
    {"run", run_main, false},
    {"chat", chat_main, false},
    {"check", check_main, false},
    {"invite", invite_main, false},
    {"status", status_main, false},
    {"backup", backup_main, true},
    {"restore", restore_main, true},
    {"erase", erase_main, false},
    {"load-demo", demo_main, true},
};

static int
wrong(const char *what, const char *which)
{
	fprintf(stderr, "alumhub-bot: %s%s\n%s", what, which, usage);
	return EXIT_USAGE;
}

/* Where an option's value goes; NULL when there is no such option. */
static const char **
option(struct arguments *a, const char *name)
{
	const struct {
		const char *name;
		const char **value;
	} all[] = {{"--config", &a->config}, {"--as", &a->as}, {"--language", &a->language},
	    {"--role", &a->role}, {"--org", &a->org}, {"--uses", &a->uses}, {"--days", &a->days},
	    {"--qr", &a->qr}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(all[i].name, name))
			return all[i].value;
	return NULL;
}

int
main(int argc, char **argv)
{
	struct arguments a = {.config = "/etc/alumhub-bot/alumhub-bot.ini", .as = "me"};
	const char *command = NULL;
	struct app app = {0};

	memory_for_json();
	for (int i = 1; i < argc; i++) {
		const char **value = option(&a, argv[i]);

		if (!strcmp(argv[i], "--json"))
			a.json = true;
		else if (value && i + 1 < argc)
			*value = argv[++i];
		else if (value)
			return wrong("expected a value behind ", argv[i]);
		else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return fputs(usage, stdout) < 0;
		else if (argv[i][0] == '-')
			return wrong("unknown option ", argv[i]);
		else if (!command)
			command = argv[i];
		else if (!a.file)
			a.file = argv[i];
		else
			return wrong("too many words: ", argv[i]);
	}
	if (!command)
		return wrong("expected a command", "");
	if (!strcmp(command, "version"))
		return version_main();
	if (!strcmp(command, "schema"))
		return schema_main();
	if (!strcmp(command, "egress"))
		return egress_main(&a);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		int status;

		if (strcmp(commands[i].name, command))
			continue;
		if (commands[i].takes_file != (a.file != NULL))
			return wrong(commands[i].takes_file ? "expected one more word behind " : "no word belongs behind ",
			    command);
		status = app_read(&app, &a);
		if (status == EXIT_DONE)
			status = commands[i].run(&app);
		app_close(&app);
		return status;
	}
	return wrong("unknown command ", command);
}
