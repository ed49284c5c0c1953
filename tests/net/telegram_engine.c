/*
 * The smallest engine the Telegram transport can live with, for tests of the transport alone: every
 * message is answered by "echo: TEXT", every press by an edit. What it promises it keeps in a
 * journal, so that it may be killed at any moment.
 *
 *   telegram_engine API_ROOT TOKEN_FILE JOURNAL
 * The journal: "c CURSOR", "e EVENT", "q ID OP CHAT MESSAGE PRESS TEXT", "t ID" (trying),
 * "f ID FATE". One write and one sync a batch, as the engine has one commit.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/memory.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/timer.h"
#include "transports/telegram.h"

enum { LINE = 16384, WAITING = 0, TRYING = 1, DONE = 2 };

struct item {
	struct item *next;
	int64_t id, due_ms;
	int state, op;
	char *chat, *message, *press, *text;
};

struct known {
	struct known *next;
	char id[64];
};

static struct loop *loop;
static struct http *http;
static struct transport *tg;
static struct timer *timer;
static struct item *items, **last_item = &items;
static struct known *known[4096];
static struct arena *arena;
static struct buf journal = {.maximum = 1 << 24};
static char cursor[64];
static int journal_fd, flying;
static int64_t next_id = 1;

static struct known **
known_at(const char *id)
{
	unsigned h = 5381;
	struct known **k;

	for (const char *p = id; *p; p++)
		h = h * 33 + (unsigned char)*p;
	for (k = &known[h % 4096]; *k && strcmp((*k)->id, id); k = &(*k)->next)
		;
	return k;
}

static bool
know(const char *id)
{
	struct known **k = known_at(id);

	if (*k)
		return false;
	*k = memory_new(sizeof(**k));
	snprintf((*k)->id, sizeof((*k)->id), "%s", id);
	return true;
}

static void
commit(void)
{
	if (!journal.length)
		return;
	if (write(journal_fd, journal.bytes, journal.length) != (ssize_t)journal.length ||
	    fdatasync(journal_fd))
		abort();
	buf_clear(&journal);
}

static struct item *
item_new(
    int64_t id, int op, const char *chat, const char *message, const char *press, const char *text)
{
	struct item *i = memory_new(sizeof(*i));

	*i = (struct item){.id = id, .op = op};
	i->chat = memory_string(chat);
	i->message = memory_string(message);
	i->press = memory_string(press);
	i->text = memory_string(text);
	*last_item = i;
	last_item = &i->next;
	if (id >= next_id)
		next_id = id + 1;
	return i;
}

static struct item *
item_by(int64_t id)
{
	struct item *i = items;

	while (i && i->id != id)
		i = i->next;
	return i;
}

static void
queue(int op, const char *chat, const char *message, const char *press, const char *text)
{
	struct item *i = item_new(next_id, op, chat, message, press, text);
	char flat[LINE];

	snprintf(flat, sizeof(flat), "%s", text);
	for (char *p = flat; *p; p++)
		if (*p == '\n')
			*p = ' ';
	buf_print(
	    &journal, "q %lld %d %s %s %s %s\n", (long long)i->id, op, chat, message, press, flat);
}

static bool
chat_busy(const struct item *of)
{
	for (struct item *i = items; i && i != of; i = i->next)
		if (i->state != DONE && strcmp(i->chat, of->chat) == 0)
			return true;
	return false;
}

static void
ship(struct item *i)
{
	struct card *card = card_new(arena);
	struct shipment s = {.id = i->id,
	    .op = (enum op)i->op,
	    .where = i->chat,
	    .message = i->message,
	    .press = i->press,
	    .card = card,
	    .set = "s",
	    .notify = true};

	card_text(card, "echo: ", SPAN_BOLD);
	card_name(card, i->text);
	if (i->op == OP_SEND)
		card_choice(card, "again", "a.b", "");
	flying++;
	tg->ops->send(tg, &s);
	arena_forget(arena);
}

/* What may go now becomes "trying", durably, and then goes. */
static void
pump(void *ctx)
{
	int64_t now = loop_now_ms(loop), next = INT64_MAX;
	struct item *going[64];
	int count = 0;

	(void)ctx;
	for (struct item *i = items; i; i = i->next) {
		if (i->state != WAITING)
			continue;
		if (i->due_ms > now) {
			next = i->due_ms < next ? i->due_ms : next;
			continue;
		}
		if (flying + count < tg->slots && count < 64 && !chat_busy(i)) {
			i->state = TRYING;
			buf_print(&journal, "t %lld\n", (long long)i->id);
			going[count++] = i;
		}
	}
	commit();
	for (int k = 0; k < count; k++)
		ship(going[k]);
	if (next != INT64_MAX)
		timer_start(timer, next - now);
}

static bool
came(void *engine, struct transport *t, const struct batch *batch)
{
	(void)engine;
	(void)t;
	for (size_t i = 0; i < batch->event_count; i++) {
		const struct event *e = &batch->events[i];

		if (!know(e->id))
			continue;
		buf_print(&journal, "e %s\n", e->id);
		if (e->kind == EVENT_MESSAGE) {
			queue(OP_SEND, e->where, "-", "-", e->text ? e->text : "media");
		} else if (e->kind == EVENT_PRESS) {
			queue(OP_ANSWER, e->where, "-", e->press, "seen");
			queue(OP_EDIT, e->where, e->message, "-", "pressed");
		}
	}
	if (batch->cursor)
		buf_print(&journal, "c %s\n", batch->cursor);
	commit();
	timer_start(timer, 0);
	return true;
}

static bool
keep(void *engine, struct transport *t, const struct state_row *state, size_t count)
{
	(void)engine;
	(void)t;
	(void)state;
	(void)count;
	return true;
}

static void
gone(void *engine, struct transport *t, int64_t id, const struct outcome *o)
{
	struct item *i = item_by(id);

	(void)engine;
	(void)t;
	flying--;
	if (!i || i->state != TRYING)
		abort(); /* a fate nobody waits for */
	i->state = o->fate == FATE_LATER ? WAITING : DONE;
	i->due_ms = loop_now_ms(loop) + (o->after_ms ? o->after_ms : 200);
	buf_print(&journal, "f %lld %d\n", (long long)id, (int)o->fate);
	commit();
	timer_start(timer, 0);
}

static void
health(void *engine, struct transport *t, enum health h, const char *detail)
{
	(void)engine;
	(void)t;
	printf("health %d %s\n", (int)h, detail);
	fflush(stdout);
}

/* One line of the journal; what was being tried when we died is in doubt and stays so. */
static void
replay(char *line)
{
	long long id = 0;
	int n = 0, at = 0;
	char chat[64], message[64], press[64], word[64];
	struct item *i;

	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "c %63s", cursor) == 1)
		return;
	if (sscanf(line, "e %63s", word) == 1)
		know(word);
	else if (sscanf(line, "q %lld %d %63s %63s %63s %n", &id, &n, chat, message, press, &at) >=
		 5)
		item_new(id, n, chat, message, press, line + at);
	else if (sscanf(line, "t %lld", &id) == 1 && (i = item_by(id)))
		i->state = TRYING;
	else if (sscanf(line, "f %lld %d", &id, &n) == 2 && (i = item_by(id)))
		i->state = n == FATE_LATER ? WAITING : DONE;
}

static void
journal_open(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[LINE];

	while (f && fgets(line, sizeof(line), f))
		if (strchr(line, '\n'))
			replay(line);
	if (f)
		fclose(f);
	journal_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (journal_fd < 0)
		abort();
	buf_string(&journal, "\n"); /* behind a line that was cut */
	for (struct item *i = items; i; i = i->next)
		if (i->state == TRYING) {
			bool again = i->op != OP_SEND;

			i->state = again ? WAITING : DONE;
			buf_print(&journal, "f %lld %d\n", (long long)i->id,
			    again ? FATE_LATER : FATE_UNCERTAIN);
		}
	commit();
}

static void
stop(void *ctx, int signal_number)
{
	(void)ctx;
	(void)signal_number;
	loop_stop(loop);
}

static void
forget_all(void)
{
	struct item *i;
	struct known *k;

	while ((i = items)) {
		items = i->next;
		free(i->chat);
		free(i->message);
		free(i->press);
		free(i->text);
		free(i);
	}
	for (int n = 0; n < 4096; n++)
		while ((k = known[n])) {
			known[n] = k->next;
			free(k);
		}
	buf_free(&journal);
	arena_free(arena);
}

int
main(int argc, char **argv)
{
	static const struct transport_up up = {NULL, came, keep, gone, health};
	struct telegram_options o = {.connections = 8};
	char token[256];
	FILE *f = argc == 4 ? fopen(argv[2], "re") : NULL;

	if (!f)
		return 64;
	o.token_length = fread(token, 1, sizeof(token), f);
	fclose(f);
	arena = arena_new();
	journal_open(argv[3]);
	o.loop = loop = loop_new();
	o.http = http = http_new(loop, NULL);
	o.api_root = argv[1];
	o.token = token;
	tg = telegram_new(&o);
	if (!tg)
		return 78;
	timer = timer_new(loop, pump, NULL);
	loop_signal(loop, SIGTERM, stop, NULL);
	tg->ops->open(tg, &up, cursor[0] ? cursor : NULL, NULL, 0);
	tg->ops->poll(tg);
	timer_start(timer, 0);
	loop_run(loop);
	tg->ops->close(tg);
	timer_free(timer);
	http_free(http);
	loop_signal(loop, SIGTERM, NULL, NULL);
	loop_free(loop);
	forget_all();
	return 0;
}
