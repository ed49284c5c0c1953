/* Files in the terminal: `file NAME PATH` sends one as that person would, and its bytes come when
 * the engine asks for them. */
#ifndef TRANSPORTS_CONSOLE_FILE_H
#define TRANSPORTS_CONSOLE_FILE_H

#include <stdbool.h>

#include "core/transport.h"

enum { CONSOLE_FILES = 8 };

struct console_files {
	char path[1024]; /* that was sent last: its handle */
	int64_t asked[CONSOLE_FILES];
	int count;
};

/* Makes the event a message with that file. */
void console_file_on(struct console_files *files, struct event *event, const char *path);
/* An OP_FETCH. */
void console_file_asked(struct console_files *files, const struct shipment *shipment);
/* Delivers what was asked for since; true: something was. */
bool console_file_bring(
    struct console_files *files, struct transport *transport, const struct transport_up *up);

#endif
