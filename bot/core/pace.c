/* Not too much in one chat: what the network allows there of messages that nobody waits for
 * (TELEGRAM.md 1.10: one a second in a chat, twenty a minute in a group). */
#include "core.h"

enum { GROUP_MS = 3000 };

int64_t
pace_wait(struct network *n, int64_t chat, bool group, int64_t now_ms)
{
	double rate = n->transport->per_chat_second;
	struct pace *p = &n->paces[(uint64_t)chat % PACES];
	int64_t gap = rate > 0 ? (int64_t)(1000 / rate) : 0;

	if (group && gap && gap < GROUP_MS && rate <= 1)
		gap = GROUP_MS;
	if (p->chat == chat && now_ms >= p->last_ms && now_ms - p->last_ms < gap)
		return p->last_ms + gap - now_ms;
	*p = (struct pace){chat, now_ms};
	return 0;
}
