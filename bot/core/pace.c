/* How fast bulk messages go: in one chat what the network allows there of messages that nobody waits
 * for (TELEGRAM.md 1.10: one a second in a chat, twenty a minute in a group), and in all chats
 * together never more than its limit in any second. */
#include "core.h"

enum {
	GROUP_MS = 3000,
	WINDOW_MS =
	    1020,     /* a second, and what two messages may come nearer to each other on the way */
	LATE_MS = 50, /* so much of a pause is made up for */
	WAY_MS = 5,   /* what was picked has left by then */
};

int64_t
pace_wait(struct network *n, int64_t chat, bool group, int64_t now_ms)
{
	double rate = n->transport->per_chat_second;
	struct chat_pace *p = &n->paces[(uint64_t)chat % PACES];
	int64_t gap = rate > 0 ? (int64_t)(1000 / rate) : 0;

	if (group && gap && gap < GROUP_MS && rate <= 1)
		gap = GROUP_MS;
	if (p->chat == chat && now_ms >= p->last_ms && now_ms - p->last_ms < gap)
		return p->last_ms + gap - now_ms;
	*p = (struct chat_pace){chat, now_ms};
	return 0;
}

/* ---- all chats together ---- */

/* Evenly, a late moment made up for: so many may go now. */
static void
refill(struct pace *p, double rate, int64_t now_ms)
{
	double most = 1 + rate * LATE_MS / 1000;

	p->bucket += rate * (double)(now_ms - p->bucket_ms) / 1000;
	if (p->bucket > most || p->bucket < 0)
		p->bucket = most;
	p->bucket_ms = now_ms;
}

/* How many of the last ones are looked at: as many as may go in a second. */
static int
window(double rate)
{
	return rate < 1 ? 1 : rate > PACE_WINDOW ? 0 : (int)rate;
}

/* Whether the k-th message from now on would still be within the limit of its second. */
static bool
fits(const struct pace *p, int size, int k, int64_t now_ms)
{
	int64_t before;

	k += p->on_way;
	if (k >= size)
		return false;
	before = p->went_ms[(p->next + k) % size];
	return !before || before > now_ms || before + WINDOW_MS <= now_ms;
}

int
pace_room(struct network *n, int most, int64_t now_ms)
{
	double rate = n->transport->per_second;
	int size = window(rate), room = 0;

	if (rate <= 0)
		return most;
	refill(&n->pace, rate, now_ms);
	if (n->pace.bucket < most)
		most = (int)n->pace.bucket;
	while (room < most && (!size || fits(&n->pace, size, room, now_ms)))
		room++;
	return room;
}

void
pace_picked(struct network *n)
{
	n->pace.bucket -= 1;
	n->pace.on_way++;
}

void
pace_left(struct network *n, int64_t left_ms)
{
	struct pace *p = &n->pace;
	int size = window(n->transport->per_second);

	p->on_way--;
	if (!size || !left_ms)
		return;
	p->went_ms[p->next % size] = left_ms;
	p->next = (p->next + 1) % size;
}

int64_t
pace_until(const struct network *n, int64_t now_ms)
{
	double rate = n->transport->per_second;
	const struct pace *p = &n->pace;
	int size = window(rate);
	int64_t next = now_ms, free;

	if (rate <= 0)
		return now_ms;
	if (p->bucket < 1)
		next += 1 + (int64_t)((1 - p->bucket) * 1000 /
				      rate); /* never none: then we would spin */
	if (!size || fits(p, size, 0, next))
		return next;
	free = p->on_way < size ? p->went_ms[(p->next + p->on_way) % size] + WINDOW_MS : 0;
	return free > next ? free : next + WAY_MS;
}
