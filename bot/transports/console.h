/* The terminal as a network: one line a message, several local people, for trying and for played conversations. */
#ifndef TRANSPORTS_CONSOLE_H
#define TRANSPORTS_CONSOLE_H

#include <stdbool.h>
#include <stdio.h>

struct transport;

/* `out` stays the caller's. `terminal`: prompts and colours are wanted. Freed by its close operation. */
struct transport *console_new(FILE *out, bool terminal);
/* The language hint that comes with every message; NULL: none. Copied. */
void console_language(struct transport *transport, const char *language);
/* One line that `who` typed. False: it could not be committed. */
bool console_line(struct transport *transport, const char *who, const char *line);
/* The same, with a file and perhaps words. */
bool console_send_file(
    struct transport *transport, const char *who, const char *path, const char *caption);
/* Reports what was printed since the last call; main calls it until nothing is left. True: something was. */
bool console_report(struct transport *transport);

#endif
