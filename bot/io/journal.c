#include "io/journal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

enum { FIELDS = 12, FIELD_BYTES = 300 };

struct fields {
	char bytes[FIELDS][FIELD_BYTES];
	struct iovec list[FIELDS + 1];
	int count;
};

static void
field(struct fields *f, const char *name, size_t name_length, const char *value, size_t length)
{
	char *at = f->bytes[f->count];
	int n;

	if (f->count == FIELDS || name_length > 60)
		return;
	n = snprintf(at, FIELD_BYTES, "%.*s=%.*s", (int)name_length, name, (int)length, value);
	/* A field's name is capitals, digits and underscores. */
	for (size_t i = 0; i < name_length; i++)
		at[i] = isalnum((unsigned char)at[i]) ? (char)toupper((unsigned char)at[i]) : '_';
	f->list[f->count].iov_base = at;
	f->list[f->count++].iov_len = n < FIELD_BYTES ? (size_t)n : FIELD_BYTES - 1;
}

/* network=telegram becomes BOT_NETWORK=telegram: never a name that the journal itself knows. */
static void
pairs(struct fields *f, const char *text)
{
	while (*text) {
		size_t word = strcspn(text, " "),
		       name = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
		char full[64];
		int n;

		if (name && name < word && text[name] == '=') {
			n = snprintf(full, sizeof(full), "bot_%.*s", (int)name, text);
			if (n > 0 && (size_t)n < sizeof(full))
				field(f, full, (size_t)n, text + name + 1, word - name - 1);
		}
		text += word + strspn(text + word, " ");
	}
}

void
journal_line(void *ctx, enum log_level level, const char *text)
{
	struct fields f = {.count = 0};
	size_t event = strcspn(text, " ");
	char priority = (char)('0' + (int)level);

	(void)ctx;
	field(&f, "MESSAGE", 7, text, strlen(text));
	field(&f, "PRIORITY", 8, &priority, 1);
	field(&f, "SYSLOG_IDENTIFIER", 17, "alumhub-bot", 11);
	field(&f, "EVENT", 5, text, event);
	pairs(&f, text + event);
	sd_journal_sendv(f.list, f.count);
}
