/* Listening: who we are, no webhook, then one long poll after another. */
#include "telegram_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/timer.h"

enum {
	POLL_MARGIN_MS = 12000, /* what the network may add before a poll counts as deaf */
	POLL_LIMIT = 100,
	POLL_BYTES = 16 * 1024 * 1024,
	CONFLICT_LEAST_MS = 3000, /* the server holds a second conflict within 3 s back [0.8] */
	CONFLICT_JITTER_MS = 4000,
	CONFLICT_ALARM = 3,	 /* the first ones may be the end of our own last run */
	KEEPS_S = 24 * 3600,	 /* how long Telegram keeps updates */
	HEARD_EVERY_S = 3600,	 /* how fresh the remembered moment stays while there is traffic */
	HEARD_IDLE_S = 6 * 3600, /* and without */
	SILENT_WORD_S = 60,	 /* a limit that is worth a word, and worth to be remembered */
	SILENT_MOST_S = 24 * 3600,
	HASTE_MS = 500,	      /* an answer without anything new that comes sooner is no long poll */
	HASTE_PAUSE_MS = 100, /* doubled each time */
	HASTE_MOST = 5,
	POISON_TRIES = 3, /* a reply may be cut by chance; the update itself is not */
};

static const char *const json_headers[] = {"Content-Type: application/json", "Expect:", NULL};

static void poll_came(void *ctx, const struct http_answer *http);

static void
poll_send(struct telegram *tg, const char *method, int64_t timeout_ms)
{
	char label[40];
	struct http_request request = {
	    .method = "POST",
	    .url = telegram_url(tg, method),
	    .headers = json_headers,
	    .body = tg->poll_body.bytes,
	    .body_length = tg->poll_body.length,
	    .fresh = tg->fresh,
	    .timeout_ms = timeout_ms,
	    .body_max = POLL_BYTES,
	    .fn = poll_came,
	    .ctx = tg,
	};

	snprintf(label, sizeof(label), "telegram %s", method);
	request.label = label;
	tg->poll_started_ms = loop_now_ms(tg->loop);
	tg->poll_timeout_ms = timeout_ms;
	tg->fresh = false;
	tg->poll = http_send(tg->poll_lane, &request);
}

void
telegram_poll_ask(void *ctx)
{
	struct telegram *tg = ctx;
	int wait_s = tg->quick ? 0 : tg->poll_s;

	buf_clear(&tg->poll_body);
	switch (tg->phase) {
	case PHASE_ME:
		buf_string(&tg->poll_body, "{}");
		poll_send(tg, "getMe", TELEGRAM_REPLY_MS);
		break;
	case PHASE_WEBHOOK:
		buf_string(&tg->poll_body, "{\"drop_pending_updates\":false}");
		poll_send(tg, "deleteWebhook", TELEGRAM_REPLY_MS);
		break;
	case PHASE_POLL:
		tg->held = tg->base.hold;
		if (tg->held)
			return;
		telegram_body_updates(
		    &tg->poll_body, tg->offset, tg->single ? 1 : POLL_LIMIT, wait_s);
		poll_send(tg, "getUpdates", wait_s * 1000 + POLL_MARGIN_MS);
		break;
	case PHASE_OVER:
		break;
	}
}

static void
poll_later(struct telegram *tg, int64_t wait_ms)
{
	timer_start(tg->poll_timer, wait_ms);
}

static void
poll_failed(struct telegram *tg, const char *why)
{
	tg->failures++;
	tg->quick = true;
	log_event(LOG_INFO, "telegram.poll_failed", "failures=%d why=%s", tg->failures, why);
	/* A single hitch while all goes well is not worth a word. */
	if (tg->failures > 1 || tg->phase != PHASE_POLL)
		telegram_health(tg, HEALTH_DOWN, why);
	poll_later(tg, telegram_back_off_ms(tg, tg->failures));
}

/* No whole reply. A kept connection that died is no outage: api.telegram.org closes them after
 * some 39 s, and a pause each time would leave the bot deaf for a tenth of its life. */
static void
poll_lost(struct telegram *tg, const struct http_answer *http)
{
	bool late = loop_now_ms(tg->loop) - tg->poll_started_ms >= tg->poll_timeout_ms - 500;

	tg->fresh = true;
	http_lane_renew(tg->poll_lane);
	if (late && tg->phase == PHASE_POLL && !tg->quick) {
		tg->quick = true;
		telegram_health(tg, HEALTH_DEAF, "a poll did not end; a new connection is made");
		poll_later(tg, 0);
	} else if (http->reused && !late) {
		tg->quick = false;
		poll_later(tg, 0);
	} else {
		poll_failed(tg, http->outcome == HTTP_NOT_SENT ? http->cause : "no answer");
	}
}

/* A token that was good is asked about once more before it counts as refused. */
static void
poll_refused(struct telegram *tg, int code)
{
	if (tg->phase != PHASE_ME) {
		poll_failed(tg, "the token was not taken");
		tg->phase = PHASE_ME;
		return;
	}
	tg->refused = true;
	telegram_health(tg, HEALTH_REFUSED,
	    code == 404	  ? "no such bot (404)"
	    : code == 421 ? "not served here (421)"
			  : "token refused (401)");
	/* The engine ends when no network is left; else the token may be good again. */
	poll_later(tg, TELEGRAM_REFUSED_AGAIN_MS);
}

/* 409: somebody else polls, or a webhook was set behind our back. */
static void
poll_conflict(struct telegram *tg, const struct telegram_answer *answer)
{
	tg->conflicts++;
	tg->quick = true;
	if (tg->conflicts >= CONFLICT_ALARM)
		telegram_health(tg, HEALTH_CONFLICT, "somebody else polls with this token");
	if (strstr(answer->description, "webhook"))
		tg->phase = PHASE_WEBHOOK;
	poll_later(tg, CONFLICT_LEAST_MS + telegram_random(tg, CONFLICT_JITTER_MS));
}

static struct state_row
number_row(struct telegram *tg, const char *name, int64_t number)
{
	char *key = arena_print(tg->arena, "%s:%lld", name, (long long)tg->me.id);
	char *value = arena_print(tg->arena, "%lld", (long long)number);

	return (struct state_row){key, value, strlen(value)};
}

/* A limit of polls: long ones are said, and outlive a restart. */
static void
poll_silent(struct telegram *tg, int64_t after_s)
{
	struct state_row row;

	after_s = after_s < SILENT_MOST_S ? after_s : SILENT_MOST_S;
	tg->quick = false;
	tg->silent_until_s = loop_wall_s(tg->loop) + after_s;
	if (after_s >= SILENT_WORD_S) {
		row = number_row(tg, "silent", tg->silent_until_s);
		tg->up.keep(tg->up.engine, &tg->base, &row, 1);
		telegram_health(tg, HEALTH_DOWN, "the server asked not to be polled for a while");
	}
	poll_later(tg, after_s * 1000);
}

static void
poll_no(struct telegram *tg, const struct http_answer *http, const struct telegram_answer *answer)
{
	int code = answer->whole && answer->code ? answer->code : http->status;
	int64_t after_s = telegram_json_retry_s(answer, http_retry_after_s(http));

	/* Something in front of the server may refuse too: only the server itself knows the token. */
	if (answer->whole && (code == 401 || code == 421 || code == 404)) {
		poll_refused(tg, code);
	} else if (code == 409) {
		poll_conflict(tg, answer);
	} else if (code == 429 && after_s > 0) {
		poll_silent(tg, after_s);
	} else {
		poll_failed(tg, code >= 500 ? "the server has a fault" : "an answer that is none");
	}
}

/* Telegram forgets what is older than a day: said once when contact was away for longer. */
static void
poll_well(struct telegram *tg)
{
	int64_t now = loop_wall_s(tg->loop), away_s = tg->heard_s ? now - tg->heard_s : 0;
	char detail[120] = "";

	tg->failures = tg->conflicts = 0;
	tg->quick = false;
	tg->heard_s = now;
	if (away_s > KEEPS_S) {
		snprintf(detail, sizeof(detail),
		    "no contact for %lld h: what was written more than 24 h ago is lost",
		    (long long)(away_s / 3600));
		log_event(LOG_WARNING, "telegram.away", "hours=%lld", (long long)(away_s / 3600));
		telegram_health(tg, HEALTH_LOST, detail);
	}
	telegram_health(tg, HEALTH_GOOD, detail);
}

/* Hands the batch up. False: it is not durable and must be asked for again. */
static bool
poll_deliver(struct telegram *tg, const struct telegram_updates *updates)
{
	char cursor[TELEGRAM_KEY_ROOM];
	struct state_row row;
	struct batch batch = {.events = updates->events, .event_count = updates->event_count};

	if (updates->next >= 0) {
		snprintf(cursor, sizeof(cursor), "%lld:%lld", (long long)tg->me.id,
		    (long long)updates->next);
		batch.cursor = cursor;
	}
	if (tg->heard_s - tg->heard_kept_s >= HEARD_EVERY_S) {
		row = number_row(tg, "heard", tg->heard_s);
		batch.state = &row;
		batch.state_count = 1;
	}
	if (!tg->up.came(tg->up.engine, &tg->base, &batch))
		return false;
	if (batch.state_count)
		tg->heard_kept_s = tg->heard_s;
	if (updates->next >= 0)
		tg->offset = updates->next;
	return true;
}

static void
poll_idle(struct telegram *tg)
{
	struct state_row row;

	if (tg->heard_s - tg->heard_kept_s < HEARD_IDLE_S)
		return;
	row = number_row(tg, "heard", tg->heard_s);
	if (tg->up.keep(tg->up.engine, &tg->base, &row, 1))
		tg->heard_kept_s = tg->heard_s;
}

/* What the answer says of updates was cut or is no JSON: one at a time, and if that one stays
 * unreadable, it alone is set aside. */
static bool
poll_poisoned(struct telegram *tg, const struct http_answer *http, struct telegram_updates *updates)
{
	if (tg->single && ++tg->poisoned >= POISON_TRIES)
		telegram_json_salvage(tg->arena, &tg->me, http->body, http->length, updates);
	if (updates->next < 0) {
		tg->single = true;
		poll_failed(tg, "an answer that is none");
		return false;
	}
	log_event(LOG_WARNING, "telegram.poisoned", "bytes=%zu", http->length);
	return true;
}

/* The next poll goes out at once; but a server that does not wait, or tells the same again, must
 * not make us run in a circle. */
static void
poll_next(struct telegram *tg, bool news)
{
	bool hasty = loop_now_ms(tg->loop) - tg->poll_started_ms < HASTE_MS;

	if (news || !hasty) {
		tg->haste = 0;
		telegram_poll_ask(tg);
		return;
	}
	poll_later(tg, HASTE_PAUSE_MS << tg->haste);
	tg->haste += tg->haste < HASTE_MOST;
}

static void
poll_updates(struct telegram *tg, const struct http_answer *http, struct slice result, bool whole)
{
	struct telegram_updates updates;
	int64_t before = tg->offset;
	bool waited = !tg->quick;

	telegram_json_updates(tg->arena, &tg->me, result, &updates);
	if ((!whole || updates.broken) && updates.next < 0 && !poll_poisoned(tg, http, &updates))
		return;
	/* To step over what has no number would be to lose what gets that number next. */
	if (updates.update_count && updates.next < 0) {
		poll_failed(tg, "updates without numbers");
		return;
	}
	poll_well(tg);
	tg->poisoned = 0;
	tg->single = updates.broken;
	if (!updates.update_count) {
		poll_idle(tg);
	} else if (!poll_deliver(tg, &updates)) {
		poll_later(tg, 1000);
		return;
	}
	poll_next(tg, !waited || (updates.update_count && tg->offset != before));
}

static void
poll_met(struct telegram *tg, struct slice result)
{
	struct telegram_me me = tg->me;

	if (!telegram_json_me(result, &me)) {
		poll_failed(tg, "getMe says nothing");
		return;
	}
	if (me.id == tg->me.id)
		tg->me = me;
	if (tg->me.username[0])
		snprintf(tg->base.link_start, sizeof(tg->base.link_start),
		    "https://t.me/%s?start=", tg->me.username);
	tg->refused = false;
	tg->phase = PHASE_WEBHOOK;
	telegram_poll_ask(tg);
}

/* A poll that answers nothing readable while the status says it is well. */
static bool
poll_is_no(const struct http_answer *http, const struct telegram_answer *answer)
{
	return http->status != 200 || (answer->whole && !answer->ok);
}

static void
poll_answered(struct telegram *tg, const struct http_answer *http)
{
	struct telegram_answer answer;

	telegram_json_answer(http->body, http->length, &answer);
	if (poll_is_no(http, &answer)) {
		poll_no(tg, http, &answer);
	} else if (tg->phase == PHASE_POLL) {
		poll_updates(tg, http, answer.result, answer.whole);
	} else if (!answer.whole) {
		poll_failed(tg, "an answer that is none");
	} else if (tg->phase == PHASE_ME) {
		poll_met(tg, answer.result);
	} else {
		tg->phase = PHASE_POLL;
		if (!tg->conflicts)
			poll_well(tg);
		telegram_poll_ask(tg);
	}
}

static void
poll_came(void *ctx, const struct http_answer *http)
{
	struct telegram *tg = ctx;

	tg->poll = NULL;
	if (http->outcome == HTTP_REPLIED) {
		poll_answered(tg, http);
	} else if (http->outcome == HTTP_TOO_BIG) {
		tg->single = true;
		poll_failed(tg, "an answer too big");
	} else {
		poll_lost(tg, http);
	}
	arena_forget(tg->arena);
}

void
telegram_poll_begin(struct telegram *tg)
{
	int64_t silent_s = tg->silent_until_s - loop_wall_s(tg->loop);

	telegram_health(tg, HEALTH_STARTING, "");
	tg->phase = PHASE_ME;
	if (silent_s > 0)
		poll_silent(tg, silent_s);
	else
		telegram_poll_ask(tg);
}
