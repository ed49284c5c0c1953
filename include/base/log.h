/*
 * The log: event names and numbers, never a name, an id of a person, a text or a token. To standard error, with
 * the journal's <N> priority prefix when JOURNAL_STREAM is set. Every line is redacted once more on its way out:
 * anything that looks like a bot token or an access token becomes [redacted].
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

/* log_event(LOG_INFO, "telegram.poll", "updates=%d", n): one line "event key=value …". */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What is less important than `level` is left out; LOG_NOTICE at the start. */
void log_limit(enum log_level level);
/* For tests and the simulator: lines go there instead. NULL: back to standard error. */
void log_to(void (*line)(void *ctx, enum log_level level, const char *text), void *ctx);

#endif
