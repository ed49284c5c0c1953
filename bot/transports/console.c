#include "console.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/memory.h"
#include "core/transport.h"
#include "transports/console_file.h"

enum { CONSOLE_SLOTS = 64 };

/* "BiDi in Terminal Emulators" (freedesktop.org): mode 2501, the direction of each paragraph is
 * found from its text. Terminals that do not know it ignore it. */
#define DIRECTION_FOUND "\033[?2501h"
#define DIRECTION_FIXED "\033[?2501l"

struct console {
	struct transport transport;
	struct transport_up up;
	FILE *out;
	bool terminal;
	char language[8];
	int64_t lines; /* the number of the last line: event ids never repeat */
	int64_t printed[CONSOLE_SLOTS];
	int printed_count;
	struct console_files files;
};

static void
console_open(struct transport *transport, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	struct console *c = (struct console *)transport;

	(void)state;
	(void)count;
	c->up = *up;
	c->lines = cursor ? strtoll(cursor, NULL, 10) : 0;
}

static void
console_poll(struct transport *transport)
{
	struct console *c = (struct console *)transport;

	c->up.health(c->up.engine, transport, HEALTH_GOOD, "");
}

void
console_language(struct transport *transport, const char *language)
{
	struct console *c = (struct console *)transport;

	snprintf(c->language, sizeof(c->language), "%s", language ? language : "");
}

static bool
came(struct transport *transport, const char *who, const char *line, const char *path)
{
	struct console *c = (struct console *)transport;
	char id[24];
	struct event event = {.id = id,
	    .kind = EVENT_MESSAGE,
	    .who = who,
	    .where = who,
	    .text = line,
	    .language = c->language[0] ? c->language : NULL};
	struct batch batch = {.cursor = id, .events = &event, .event_count = 1};

	snprintf(id, sizeof(id), "%" PRId64, ++c->lines);
	if (path)
		console_file_on(&c->files, &event, path);
	return c->up.came(c->up.engine, transport, &batch);
}

bool
console_line(struct transport *transport, const char *who, const char *line)
{
	return came(transport, who, line, NULL);
}

bool
console_send_file(
    struct transport *transport, const char *who, const char *path, const char *caption)
{
	return came(transport, who, caption, path);
}

/* Continuation lines are indented, so that a reader always sees who speaks. At a terminal what is
 * read from the right begins on a line of its own: the terminal finds a line's direction itself. */
static void
print_text(struct console *c, const char *who, const char *text, const char *note, bool rtl)
{
	fprintf(c->out, "%s%s<%s %s", c->terminal ? "\033[1m" : "", who,
	    c->terminal ? "\033[0m" : "", note);
	if (c->terminal && rtl)
		fputs("\n  ", c->out);
	for (; *text; text++) {
		fputc(*text, c->out);
		if (*text == '\n')
			fputs("  ", c->out);
	}
	fputc('\n', c->out);
}

static void
console_send(struct transport *transport, const struct shipment *s)
{
	struct console *c = (struct console *)transport;
	struct arena *arena;
	int k = 0;

	if (c->printed_count < CONSOLE_SLOTS)
		c->printed[c->printed_count++] = s->id;
	if (s->op == OP_FETCH)
		console_file_asked(&c->files, s);
	if ((s->op != OP_SEND && s->op != OP_EDIT && s->op != OP_DELETE) || !s->where)
		return;
	arena = arena_new();
	if (s->op == OP_DELETE)
		print_text(c, s->where, "(deleted)", "", false);
	else if (s->card)
		print_text(c, s->where, card_plain(arena, s->card),
		    s->op == OP_EDIT ? "(edited) " : "", s->card->flags & CARD_RTL);
	if (s->card && s->card->file)
		fprintf(c->out, "%s< (file %s)\n", s->where, s->card->file->name);
	for (const struct choice *choice = s->card ? s->card->choices : NULL; choice;
	     choice = choice->next) {
		fprintf(c->out, "  [%d] %s", ++k, choice->label);
		if (choice->link)
			fprintf(c->out, " %s", choice->link);
		fputc('\n', c->out);
	}
	fflush(c->out);
	arena_free(arena);
}

bool
console_report(struct transport *transport)
{
	struct console *c = (struct console *)transport;
	int n = c->printed_count;
	struct outcome sent = {.fate = FATE_SENT};
	char message[24];

	c->printed_count = 0;
	for (int i = 0; i < n; i++) {
		snprintf(message, sizeof(message), "%" PRId64, c->printed[i]);
		sent.message = message;
		c->up.gone(c->up.engine, transport, c->printed[i], &sent);
	}
	return console_file_bring(&c->files, transport, &c->up) || n > 0;
}

static void
console_close(struct transport *transport)
{
	console_report(transport);
	if (((struct console *)transport)->terminal)
		fputs(DIRECTION_FIXED, ((struct console *)transport)->out);
	free(transport);
}

static const struct transport_ops console_ops = {
    .open = console_open,
    .poll = console_poll,
    .send = console_send,
    .close = console_close,
};

struct transport *
console_new(FILE *out, bool terminal)
{
	struct console *c = memory_new(sizeof(*c));

	c->transport = (struct transport){
	    .name = "local",
	    .ops = &console_ops,
	    .slots = CONSOLE_SLOTS,
	    .keeps_files = true,
	    .text_scalars = 100000,
	    .command_sign = '/',
	};
	c->out = out;
	c->terminal = terminal;
	if (terminal)
		fputs(DIRECTION_FOUND, out);
	return &c->transport;
}
