/* alumhub-bot: arguments, and the command they name. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static const struct verb {
	const char *name;
	int (*run)(struct app *app);
	int (*alone)(void); /* what needs no configuration */
	const char *options;
	bool takes_file;
} verbs[] = {
    {.name = "run", .run = run_main},
    {.name = "chat", .run = chat_main, .options = "--as --language"},
    {.name = "check", .run = check_main},
    {.name = "invite", .run = invite_main, .options = "--role --org --uses --days --qr"},
    {.name = "status", .run = status_main, .options = "--json"},
    {.name = "backup", .run = backup_main, .takes_file = true},
    {.name = "restore", .run = restore_main, .takes_file = true},
    {.name = "erase", .run = erase_main},
    {.name = "load-demo", .run = demo_main, .takes_file = true},
    {.name = "egress"}, /* reads the configuration by itself, again and again */
    {.name = "schema", .alone = schema_main},
    {.name = "version", .alone = version_main},
};

enum { GIVEN_MOST = 16 };

/* What was typed. */
struct typed {
	struct arguments arguments;
	const char *command;
	const char *given[GIVEN_MOST]; /* names of options */
	int count;
	bool help;
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

static int
take_option(struct typed *t, const char *name, const char *next, int *i)
{
	const char **value = option(&t->arguments, name);

	if (t->count == GIVEN_MOST)
		return wrong("too many options: ", name);
	if (!strcmp(name, "--json"))
		t->arguments.json = true;
	else if (!value)
		return wrong("unknown option ", name);
	else if (!next)
		return wrong("expected a value behind ", name);
	else
		*value = next;
	*i += value ? 1 : 0;
	t->given[t->count++] = name;
	return EXIT_DONE;
}

static int
read_words(struct typed *t, int argc, char **argv)
{
	int status = EXIT_DONE;

	for (int i = 1; i < argc && status == EXIT_DONE; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "--help") || !strcmp(word, "-h"))
			t->help = true;
		else if (!strcmp(word, "--version"))
			t->command = "version";
		else if (word[0] == '-')
			status = take_option(t, word, argv[i + 1], &i);
		else if (!t->command)
			t->command = word;
		else if (!t->arguments.file)
			t->arguments.file = word;
		else
			status = wrong("too many words: ", word);
	}
	return status;
}

static bool
takes(const struct verb *c, const char *name)
{
	size_t length = strlen(name);

	for (const char *p = c->options; p && (p = strstr(p, name)); p += length)
		if (!p[length] || p[length] == ' ')
			return true;
	return !strcmp(name, "--config");
}

static const struct verb *
verb_named(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int
run_verb(const struct verb *c, const struct arguments *arguments)
{
	struct app app = {0};
	int status;

	if (c->alone)
		return c->alone();
	if (!c->run)
		return egress_main(arguments);
	status = app_read(&app, arguments);
	if (status == EXIT_DONE)
		status = c->run(&app);
	app_close(&app);
	return status;
}

/* Where one of the three was closed, the next file that is opened would take its number, and what is
 * printed would stand in the state. Held open the wrong way round, it fails as a closed one does. */
static bool
hold_standard(void)
{
	static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	struct typed t = {.arguments = {.config = "/etc/alumhub-bot/alumhub-bot.ini", .as = "me"}};
	const struct verb *c;
	int status;

	if (!hold_standard())
		return EXIT_FAILED;
	memory_for_json();
	memory_for_icu();
	status = read_words(&t, argc, argv);
	if (status != EXIT_DONE)
		return status;
	if (t.help)
		return fputs(usage, stdout) < 0;
	if (!t.command)
		return wrong("expected a command", "");
	c = verb_named(t.command);
	if (!c)
		return wrong("unknown command ", t.command);
	if (c->takes_file != (t.arguments.file != NULL))
		return wrong(
		    c->takes_file ? "expected one more word behind " : "no word belongs behind ",
		    t.command);
	for (int i = 0; i < t.count; i++)
		if (!takes(c, t.given[i]))
			return wrong("does not belong to this command: ", t.given[i]);
	status = run_verb(c, &t.arguments);
	/* An answer that went nowhere was not given. */
	if ((fflush(stdout) || ferror(stdout)) && status == EXIT_DONE) {
		fprintf(stderr, "alumhub-bot: standard output cannot be written\n");
		status = EXIT_FAILED;
	}
	return status;
}
