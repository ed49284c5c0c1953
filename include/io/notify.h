/* What systemd wants to know, in the words of sd_notify(3). Everything here does nothing outside a unit, and waits
 * a fifth of a second at the most for a reader who is behind. */
#ifndef IO_NOTIFY_H
#define IO_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

void notify_ready(void);
/* Shown by `systemctl status`; never a token, a URL of Telegram or a word of a member. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Before a reload; notify_ready() after it. */
void notify_reloading(void);
void notify_stopping(void);
/* Milliseconds after which systemd kills a silent service, 0 when it does not watch. Say
 * notify_alive() about twice as often. */
int64_t notify_watchdog_ms(void);
void notify_alive(void);

/* The one socket that systemd listens on for this service; -1 when there is none. */
int notify_socket(void);

/* Whether standard error is the journal's. */
bool notify_journal(void);

#endif
