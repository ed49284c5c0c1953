/* What systemd wants to know (sd_notify). Everything here does nothing outside a unit. */
#ifndef IO_NOTIFY_H
#define IO_NOTIFY_H

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

/* A field of a journal entry: NAME in capitals, and its value. */
struct notify_field {
	const char *name;
	const char *value;
};
/* Whether standard error is the journal, so that notify_log() keeps the fields. */
int notify_journal(void);
/* One entry: a syslog priority, what happened in EVENT=, a sentence, further fields. On standard
 * error as one line when that is not the journal. */
void notify_log(int priority, const char *event, const char *message,
    const struct notify_field *fields, int field_count);

#endif
