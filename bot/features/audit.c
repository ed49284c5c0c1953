/* /audit: what grave things were done of late, without a name or a word of content, and whether the
 * chain over them holds. */
#include "core/audit.h"
#include "base/civil.h"
#include "core/turn.h"

enum { SHOWN_MOST = 20 };

static void
line(struct turn *t, const struct audit_entry *entry, void *ctx)
{
	struct card *card = ctx;
	struct civil at = civil_from(entry->hour);

	card_text(card,
	    arena_print(t->arena, "\n\u2066%lld  %04lld-%02d-%02d %02d h  %s %lld  %s\u2069",
		(long long)entry->id, (long long)at.year, at.month, at.day, at.hour, entry->action,
		(long long)entry->subject, entry->actor),
	    SPAN_CODE);
}

static void
show(struct turn *t)
{
	int64_t broken_at, count = audit_verify(t, &broken_at);
	char *at = arena_print(t->arena, "%lld", (long long)broken_at);
	struct card *card = words_n(t, "audit.title", count, NULL);

	card_line(card,
	    broken_at ? words(t, "audit.broken", "at", at, NULL) : words(t, "audit.whole", NULL));
	audit_each(t, SHOWN_MOST, line, card);
	say(t, card);
}

static const struct command commands[] = {
    {.name = "audit", .access = ADMINS, .run = show},
    {0},
};

const struct feature feature_audit = {
    .name = "audit",
    .commands = commands,
};
