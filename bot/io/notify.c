#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "io/notify.h"

enum { WAIT_MS = 200 };

/* As sd_notify does it, but that never waits for good: whoever gave us the socket may not read it. */
static void
tell(const char *what, int wait_ms)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	struct pollfd p = {.events = POLLOUT};

	if (length < 2 || length >= sizeof(to.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, length);
	if (*path == '@')
		to.sun_path[0] = 0;
	p.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p.fd < 0)
		return;
	if (!connect(p.fd, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) &&
	    send(p.fd, what, strlen(what), MSG_NOSIGNAL) < 0 && errno == EAGAIN && wait_ms > 0 &&
	    poll(&p, 1, wait_ms) > 0)
		send(p.fd, what, strlen(what), MSG_NOSIGNAL);
	close(p.fd);
}

void
notify_ready(void)
{
	tell("READY=1", WAIT_MS);
}

void
notify_status(const char *format, ...)
{
	char text[512] = "STATUS=", *p = text + strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(p, sizeof(text) - strlen(text), format, args);
	va_end(args);
	/* A newline would begin another assignment. */
	for (; *p; p++)
		if (*p == '\n')
			*p = ' ';
	tell(text, 0);
}

void
notify_reloading(void)
{
	tell("RELOADING=1", WAIT_MS);
}

void
notify_stopping(void)
{
	tell("STOPPING=1", WAIT_MS);
}

int64_t
notify_watchdog_ms(void)
{
	uint64_t usec = 0;

	return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 1000) : 0;
}

void
notify_alive(void)
{
	tell("WATCHDOG=1", 0);
}

int
notify_socket(void)
{
	return sd_listen_fds(0) == 1 ? SD_LISTEN_FDS_START : -1;
}

/* systemd names the device and inode of the stream it gave us. */
bool
notify_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	char *end;

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	device = strtoull(stream, &end, 10);
	if (*end != ':')
		return false;
	inode = strtoull(end + 1, &end, 10);
	return *end == 0 && device == st.st_dev && inode == st.st_ino;
}
