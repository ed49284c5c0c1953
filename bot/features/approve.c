/* /approve: what waits for a second person's yes. Each kind shows and decides its own. */
#include "core/approval.h"
#include "core/turn.h"

enum { SHOWN_MOST = 10 };

struct list {
	struct card *card;
	int count;
};

static void
line(struct turn *t, const struct approval *approval, void *ctx)
{
	struct list *list = ctx;
	char *number = arena_print(t->arena, "%lld", (long long)approval->id);
	char *what = words_flat(t, arena_print(t->arena, "approval.%s", approval->kind), NULL);

	list->count++;
	choose_text(t, list->card,
	    words_flat(t, "approve.line", "number", number, "what", what, NULL),
	    arena_print(t->arena, "%s.approve", approval->kind), number);
}

static void
approve(struct turn *t)
{
	struct list list = {.card = words(t, "approve.title", NULL)};

	approval_each(t, SHOWN_MOST, line, &list);
	say(t, list.count ? list.card : words(t, "approve.none", NULL));
}

static const struct command commands[] = {
    {.name = "approve", .access = COORDINATORS | SAFETY | ADMINS, .run = approve},
    {0},
};

const struct feature feature_approve = {
    .name = "approve",
    .commands = commands,
};
