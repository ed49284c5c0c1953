/*
 * The control socket: `alumhub-bot status` and its like ask the service that runs.
 * One request a connection: a line in, a status and a text back, then the end. Only the user of
 * the service can connect (mode 0600).
 */
#ifndef IO_CONTROL_H
#define IO_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

struct loop;
struct control;
struct control_client;

enum {
	CONTROL_LINE_MAX = 4096,       /* bytes of a request, without its newline */
	CONTROL_CLIENTS_MAX = 16,      /* at once; more are turned away */
	CONTROL_ASK_MAX = 1024 * 1024, /* bytes of a reply that control_ask() takes */
};

/*
 * A request came; the line has no newline and lives until the call returns. control_reply() must
 * be called once for the client, now or later: until then it waits. A client that went away in
 * the meantime makes control_reply() do nothing.
 */
typedef void control_fn(void *ctx, struct control_client *client, const char *line);

/* Listens on path; an old socket of that name is removed first (the caller holds the lock of the
 * state). NULL and errno when that fails. */
struct control *control_open(struct loop *loop, const char *path, control_fn *fn, void *ctx);
/* status is the exit status for the one who asked; text is copied. The client is gone after. */
void control_reply(struct control_client *client, int status, const char *text, size_t length);
/* Ends every client, removes the socket. NULL is ignored. */
void control_close(struct control *control);

/*
 * The other side, blocking: asks and waits up to timeout_ms. Gives the status, the text in reply
 * (give it a maximum); -1 and errno when nobody listens or the answer is not whole.
 */
int control_ask(const char *path, const char *line, int timeout_ms, struct buf *reply);

#endif
