/*
 * Telegram's groups: the one of ops, and two that announcements are posted into. Each becomes a
 * supergroup at some moment, with another id. The old chat and the new one both say so, and whoever
 * still writes to the old one is refused and told where it went.
 */
#include "sim.h"

#include <stdlib.h>

enum { GROUPS = 3, TOLD_MS = 120000, WRITTEN_MS = 10000 };
#define SUPERGROUP (-1001000000000)

static struct group {
	int64_t id, moved_to; /* 0: not yet */
	int64_t updates[2];   /* in which the two chats said so */
	int64_t told_ms;      /* since one of them was confirmed, or a refusal came to the bot */
	bool by_refusal;
} groups[GROUPS];

static struct group *
group_of(int64_t chat)
{
	/* A room of Matrix has no such number. */
	for (int i = 0; i < GROUPS; i++)
		if (chat && (groups[i].id == chat || groups[i].moved_to == chat))
			return &groups[i];
	return NULL;
}

static void
move(void *ctx)
{
	struct group *g = ctx;

	g->moved_to = SUPERGROUP + g->id;
	sim.counts.groups_moved++;
	trace("group %lld moves to %lld", (long long)g->id, (long long)g->moved_to);
	/* Either is enough; where there are faults one of them is often lost, or both. */
	if (!fault(500000))
		g->updates[0] = telegram_group_moved(g->id, "migrate_to_chat_id", g->moved_to);
	if (!fault(500000))
		g->updates[1] = telegram_group_moved(g->moved_to, "migrate_from_chat_id", g->id);
}

void
groups_begin(void)
{
	for (int i = 0; i < GROUPS; i++) {
		groups[i] = (struct group){.id = SIM_FIRST_GROUP - i};
		agenda_add(sim.start_ms + dice_below(sim.end_ms - sim.start_ms), false, move, NULL,
		    &groups[i]);
	}
}

int64_t
groups_any(void)
{
	const struct group *g = &groups[dice_below(GROUPS)];

	return g->moved_to ? g->moved_to : g->id;
}

void
groups_confirmed(int64_t update)
{
	for (int i = 0; i < GROUPS; i++)
		if (update && !groups[i].told_ms &&
		    (groups[i].updates[0] == update || groups[i].updates[1] == update)) {
			groups[i].told_ms = sim.now_ms;
			trace("told of group %lld by update=%lld", (long long)groups[i].id,
			    (long long)update);
		}
}

void
groups_refused(const char *new_where)
{
	struct group *g = group_of(strtoll(new_where, NULL, 10));

	if (!g || g->told_ms)
		return;
	g->told_ms = sim.now_ms;
	g->by_refusal = true;
	trace("told of group %lld by a refusal", (long long)g->id);
}

/* It may not have written down what it heard just now. */
void
groups_bot_died(void)
{
	for (int i = 0; i < GROUPS; i++)
		if (groups[i].by_refusal && sim.now_ms - groups[i].told_ms < WRITTEN_MS)
			groups[i].told_ms = 0;
}

int64_t
groups_moved_to(int64_t chat, int64_t shipment)
{
	const struct group *g = group_of(chat);

	if (!g || !g->moved_to || chat != g->id)
		return 0;
	sim.counts.groups_asked++;
	trace("old group %lld shipment=%lld", (long long)chat, (long long)shipment);
	/* What was in the air when it heard of it may still come. */
	if (g->told_ms && sim.now_ms - g->told_ms > TOLD_MS)
		violated("the bot was told that group %lld moved, and writes to the old one",
		    (long long)chat);
	check_moved(shipment);
	return g->moved_to;
}
