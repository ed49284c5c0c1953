/*
 * Stands in for bot/transports/console.c: the same terminal, but everybody in it is a person on
 * Matrix, and what is printed is the plain body of what would be sent. So a played conversation
 * shows that Matrix says the same (numbers where Telegram has buttons).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/card.h"
#include "base/memory.h"
#include "core/transport.h"
#include "transports/console.h"
#include "transports/console_file.h"
#include "transports/matrix_body.h"

enum { SLOTS = 64, NAME = 80 };

struct console {
	struct transport transport;
	struct transport_up up;
	FILE *out;
	char language[8];
	int64_t lines;
	int64_t printed[SLOTS];
	int printed_count;
	struct console_files files;
};

static void
as_open(struct transport *transport, const struct transport_up *up, const char *cursor,
    const struct state_row *state, size_t count)
{
	struct console *c = (struct console *)transport;

	(void)state;
	(void)count;
	c->up = *up;
	c->lines = cursor ? strtoll(cursor, NULL, 10) : 0;
}

static void
as_poll(struct transport *transport)
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
	char id[24], user[NAME], room[NAME];
	struct event event = {.id = id,
	    .kind = EVENT_MESSAGE,
	    .who = user,
	    .where = room,
	    .text = line,
	    .language = c->language[0] ? c->language : NULL};
	struct batch batch = {.cursor = id, .events = &event, .event_count = 1};

	snprintf(user, sizeof(user), "@%s:example.org", who);
	snprintf(room, sizeof(room), "!%s:example.org", who);
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

static void
print(struct console *c, const char *room, const char *note, const char *text, const char *file)
{
	int name = (int)strcspn(room + 1, ":");
	const char *begin = text;

	fprintf(c->out, "%.*s< %s", (int)strcspn(room + 1, ":"), room + 1, note);
	for (; *text; text++) {
		/* Matrix sets the choices apart by an empty line. */
		if (strncmp(text, "\n\n[1] ", 6) == 0 || strncmp(text, "\n\n[#1] ", 7) == 0) {
			text++;
			if (file)
				fprintf(c->out, "\n%.*s< (file %s)", name, room + 1, file);
			file = NULL;
		}
		/* The terminal shows the same mark where a number would be an answer. */
		if (strncmp(text, "[#", 2) == 0 && text[2] >= '1' && text[2] <= '9' &&
		    (text == begin || text[-1] == '\n')) {
			fputc('[', c->out);
			text += 2;
		}
		fputc(*text, c->out);
		if (*text == '\n')
			fputs("  ", c->out);
	}
	fputc('\n', c->out);
	if (file)
		fprintf(c->out, "%.*s< (file %s)\n", name, room + 1, file);
}

/* The choices are lines of the body; a file is named between text and choices. */
static void
print_card(struct console *c, const struct shipment *s)
{
	json_t *content = s->op == OP_EDIT ? matrix_body_edit(s->card, s->notify, "$e")
					   : matrix_body_message(s->card, s->notify, s->reply_to);
	json_t *said = s->op == OP_EDIT ? json_object_get(content, "m.new_content") : content;

	print(c, s->where, s->op == OP_EDIT ? "(edited) " : "",
	    json_string_value(json_object_get(said, "body")),
	    s->card->file ? s->card->file->name : NULL);
	json_decref(content);
}

static void
as_send(struct transport *transport, const struct shipment *s)
{
	struct console *c = (struct console *)transport;

	if (c->printed_count < SLOTS)
		c->printed[c->printed_count++] = s->id;
	if (s->op == OP_FETCH)
		console_file_asked(&c->files, s);
	if (!s->where)
		return;
	if (s->op == OP_DELETE)
		print(c, s->where, "", "(deleted)", NULL);
	else if ((s->op == OP_SEND || s->op == OP_EDIT) && s->card)
		print_card(c, s);
	fflush(c->out);
}

bool
console_report(struct transport *transport)
{
	struct console *c = (struct console *)transport;
	int n = c->printed_count;
	char message[24];

	c->printed_count = 0;
	for (int i = 0; i < n; i++) {
		snprintf(message, sizeof(message), "$%" PRId64, c->printed[i]);
		c->up.gone(c->up.engine, transport, c->printed[i],
		    &(struct outcome){.fate = FATE_SENT, .message = message});
	}
	return console_file_bring(&c->files, transport, &c->up) || n > 0;
}

static void
as_close(struct transport *transport)
{
	console_report(transport);
	free(transport);
}

static const struct transport_ops ops = {
    .open = as_open,
    .poll = as_poll,
    .send = as_send,
    .close = as_close,
};

struct transport *
console_new(FILE *out, bool terminal)
{
	struct console *c = memory_new(sizeof(*c));

	(void)terminal;
	c->transport = (struct transport){
	    .name = "matrix",
	    .ops = &ops,
	    .slots = SLOTS,
	    .text_scalars = MATRIX_BODY_SCALARS,
	    .repeats_safely = true,
	    .command_sign = '!',
	};
	if (getenv("MATRIX_LINK"))
		snprintf(c->transport.link_start, sizeof(c->transport.link_start), "%s",
		    getenv("MATRIX_LINK"));
	c->out = out;
	return &c->transport;
}
