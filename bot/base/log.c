#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_BYTES = 2048,
	SECRET_LEAST = 32, /* shorter runs of letters and digits are no token of any network */
};

static _Atomic int most = LOG_NOTICE;
static void (*sink)(void *ctx, enum log_level level, const char *text);
static void *sink_ctx;

static bool
is_token_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_' || c == '-';
}

static size_t
token_length(const char *s)
{
	size_t n = 0;

	while (is_token_byte(s[n]))
		n++;
	return n;
}

static bool
has_digit_and_letter(const char *s, size_t n)
{
	bool digit = false, letter = false;

	for (size_t i = 0; i < n; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			digit = true;
		else if (s[i] != '_' && s[i] != '-')
			letter = true;
	}
	return digit && letter;
}

/*
 * How many bytes at `s`, the start of a run, are a secret: NUMBER:LETTERS (Telegram), syt_… mat_…
 * mct_… (Synapse and its authentication service), what follows access_token= or Bearer, and any
 * long run of digits and letters.
 */
static size_t
secret_length(const char *s)
{
	size_t n = token_length(s), digits = strspn(s, "0123456789");

	if (digits >= 5 && digits == n && s[n] == ':' && token_length(s + n + 1) >= 20)
		return n + 1 + token_length(s + n + 1);
	if (n >= 12 && (!strncmp(s, "syt_", 4) || !strncmp(s, "mat_", 4) || !strncmp(s, "mct_", 4)))
		return n;
	return n >= SECRET_LEAST && has_digit_and_letter(s, n) ? n : 0;
}

/* "bot" before a token is part of Telegram's addresses, not of the token. */
static size_t
word_before_secret(const char *s)
{
	static const char *const words[] = {
	    "bot", "access_token=", "access_token:", "token=", "Bearer ", NULL};

	for (const char *const *w = words; *w; w++) {
		size_t n = strlen(*w);

		if (strncmp(s, *w, n) != 0)
			continue;
		if (w == words ? secret_length(s + n) : token_length(s + n))
			return n;
	}
	return 0;
}

static void
put(char *out, size_t room, size_t *at, const char *s, size_t n)
{
	if (n > room - 1 - *at)
		n = room - 1 - *at;
	memcpy(out + *at, s, n);
	*at += n;
	out[*at] = 0;
}

static void
redact(char *out, size_t room, const char *in)
{
	static const char hidden[] = "[redacted]";
	size_t at = 0;

	out[0] = 0;
	while (*in) {
		size_t before = word_before_secret(in), n;

		put(out, room, &at, in, before);
		in += before;
		n = secret_length(in);
		if (before && !n)
			n = token_length(in);
		if (n) {
			put(out, room, &at, hidden, sizeof(hidden) - 1);
			in += n;
			continue;
		}
		n = token_length(in);
		/* "a=bot123:…": the word before a secret may begin only where a run begins. */
		n = n ? n : 1;
		if ((unsigned char)*in < ' ' || *in == 0x7f)
			put(out, room, &at, " ", 1);
		else
			put(out, room, &at, in, n);
		in += n;
	}
}

static void
to_stderr(enum log_level level, const char *text)
{
	char line[LINE_BYTES + 16];
	int n;
	ssize_t written;

	if (getenv("JOURNAL_STREAM"))
		n = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text);
	else
		n = snprintf(line, sizeof(line), "%s\n", text);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = sizeof(line) - 1;
	/* One write a line, so that lines of two threads never mix. */
	written = write(STDERR_FILENO, line, (size_t)n);
	(void)written;
}

void
log_event(enum log_level level, const char *event, const char *format, ...)
{
	char raw[LINE_BYTES], clean[LINE_BYTES];
	va_list list;
	int n;

	if ((int)level > atomic_load_explicit(&most, memory_order_relaxed))
		return;
	n = snprintf(raw, sizeof(raw), "%s%s", event, *format ? " " : "");
	if (n < 0 || (size_t)n >= sizeof(raw))
		return;
	va_start(list, format);
	vsnprintf(raw + n, sizeof(raw) - (size_t)n, format, list);
	va_end(list);
	redact(clean, sizeof(clean), raw);
	if (sink)
		sink(sink_ctx, level, clean);
	else
		to_stderr(level, clean);
}

void
log_limit(enum log_level level)
{
	atomic_store_explicit(&most, (int)level, memory_order_relaxed);
}

void
log_to(void (*line)(void *ctx, enum log_level level, const char *text), void *ctx)
{
	sink = line;
	sink_ctx = ctx;
}
