#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "io/notify.h"

void
notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void
notify_status(const char *format, ...)
{
	char text[512];
	char *p;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* A newline would begin another assignment. */
	for (p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	sd_notifyf(0, "STATUS=%s", text);
}

void
notify_reloading(void)
{
	sd_notify(0, "RELOADING=1");
}

void
notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
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
	sd_notify(0, "WATCHDOG=1");
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
