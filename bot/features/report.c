/* How an announcement goes: its stage, the report that adds up to its audience, and what can be done
 * about it. Fewer than ten people are never counted to a person (ground rule 3): then the fates are
 * named without their numbers. */
#include "announce.h"

#include <string.h>

#include "base/words.h"

enum { FEW = 10 };

const char *
announce_count(struct turn *t, const char *language, int64_t n)
{
	bool few = n > 0 && n < FEW;
	const char *number = arena_print(t->arena, "%lld", (long long)(few ? FEW : n));

	return few ? words_flat_in(t, language, "announce.few", "n", number, NULL) : number;
}

bool
announce_has_file(struct turn *t, const struct announce *a)
{
	return post_file_hash(t, a->post).length > 0;
}

const char *
announce_network(struct turn *t, const char *language, const char *network)
{
	const char *key = arena_print(t->arena, "announce.on_%s", network);

	return words_has(t->words, key) ? words_flat_in(t, language, key, NULL) : network;
}

bool
announce_at_night(struct turn *t, const struct announce *a)
{
	return a->class != CLASS_URGENT && !a->original &&
	       after_quiet_hours(t, PERSON_NOBODY, t->now) > t->now;
}

static const char *
stage_key(struct turn *t, const struct announce *a, const struct post_report *r)
{
	static const char *const stages[] = {
	    [POST_NEW] = "announce.stage_waiting",
	    [POST_FREEZING] = "announce.stage_freezing",
	    [POST_READY] = "announce.stage_ready",
	    [POST_SENDING] = "announce.stage_sending",
	    [POST_PAUSED] = "announce.stage_paused",
	    [POST_STOPPING] = "announce.stage_stopping",
	    [POST_STOPPED] = "announce.stage_stopped",
	    [POST_DONE] = "announce.stage_done",
	};

	if (a->state == ANNOUNCE_REFUSED)
		return "announce.stage_refused";
	if (a->state == ANNOUNCE_DIGESTED && !a->original)
		return "announce.stage_digested";
	if (a->state == ANNOUNCE_PLANNED)
		return a->digest ? "announce.stage_digest" : "announce.stage_planned";
	if (r->stage == POST_SENDING && announce_at_night(t, a))
		return "announce.stage_night";
	return stages[r->stage];
}

struct lines {
	struct card *card;
	const char *language;
	bool few; /* the audience is so small that numbers would tell who */
	bool recall;
};

static void
report_line(struct turn *t, const struct lines *l, const char *key, int64_t n)
{
	if (n)
		card_line(l->card, words_in(t, l->language, key, "n",
				       l->few ? announce_count(t, l->language, 1)
					      : arena_print(t->arena, "%lld", (long long)n),
				       NULL));
}

/* Of a room the text's own language. */
static const char *
language_named(struct turn *t, const struct lines *l, const char *language)
{
	if (!strncmp(language, "room.", 5))
		return words_flat_in(t, l->language, "announce.in_room", "language",
		    words_flat_in(t, language + 5, "language.name", NULL), NULL);
	return words_flat_in(
	    t, *language ? language : words_language(t->words, 0), "language.name", NULL);
}

static const char *
reason_key(const struct post_count *count)
{
	static const char *const refusals[] = {[REFUSAL_NONE] = "announce.refused_n",
	    [REFUSAL_BLOCKED] = "announce.refused_blocked",
	    [REFUSAL_GONE] = "announce.refused_gone",
	    [REFUSAL_NEVER_MET] = "announce.refused_never_met",
	    [REFUSAL_MOVED] = "announce.refused_gone",
	    [REFUSAL_BAD] = "announce.refused_bad",
	    [REFUSAL_OTHER] = "announce.refused_n"};
	static const char *const fates[] = {[POST_DELIVERED] = "announce.delivered",
	    [POST_REFUSED] = "announce.refused_n",
	    [POST_EXPIRED] = "announce.expired",
	    [POST_DOUBT] = "announce.doubt",
	    [POST_STOPPED_BEFORE] = "announce.stopped",
	    [POST_LEFT] = "announce.left"};

	if (count->fate == POST_REFUSED && count->reason >= 0 && count->reason <= REFUSAL_OTHER)
		return refusals[count->reason];
	return count->fate == POST_SKIPPED ? NULL : fates[count->fate];
}

static void
detail_line(struct turn *t, const struct post_count *count, void *ctx)
{
	struct lines *l = ctx;
	const char *key = reason_key(count);

	if (key)
		card_line(l->card,
		    words_in(t, l->language, "announce.detail", "language",
			language_named(t, l, count->language), "network",
			announce_network(t, l->language, count->network), "what",
			words_flat_in(t, l->language,
			    l->recall && count->fate == POST_DELIVERED ? "announce.taken" : key,
			    "n", arena_print(t->arena, "%lld", (long long)count->n), NULL),
			NULL));
}

static void
add_report(struct turn *t, struct lines *l, const struct announce *a, const struct post_report *r)
{
	static const char *const skips[SKIP_COUNT] = {NULL, "announce.skipped_consent",
	    "announce.skipped_blocked", "announce.skipped_paused", "announce.skipped_room"};

	l->few = r->audience < FEW;
	card_line(l->card, words_in(t, l->language, "announce.sum", "n",
			       announce_count(t, l->language, r->audience), NULL));
	report_line(t, l, l->recall ? "announce.taken" : "announce.delivered", r->delivered);
	report_line(t, l, l->recall ? "announce.not_taken" : "announce.refused_n", r->refused);
	report_line(t, l, "announce.expired", r->expired);
	report_line(t, l, "announce.doubt", r->doubt);
	report_line(t, l, "announce.stopped", r->stopped);
	report_line(t, l, "announce.left", r->left);
	for (int i = 1; i < SKIP_COUNT; i++)
		report_line(t, l, skips[i], r->skipped[i]);
	report_line(t, l, "announce.waiting", r->waiting);
	report_line(t, l, "announce.in_air", r->in_air);
	if (r->stage < POST_STOPPED || l->few)
		return;
	if (a->state == ANNOUNCE_DIGESTED)
		digest_each(t, a->id, detail_line, l);
	else
		post_each(t, a->post, detail_line, l);
}

static void
add_steering(struct turn *t, struct card *card, const char *language, const struct announce *a,
    const struct post_report *r)
{
	char *number = arena_print(t->arena, "%lld", (long long)a->id);

#define CHOICE(label, action) \
	choose_text(t, card, words_flat_in(t, language, label, NULL), action, number)
	if (a->state == ANNOUNCE_WAITING || a->state == ANNOUNCE_PLANNED)
		CHOICE("announce.withdraw", "announce.withdraw");
	if (a->state == ANNOUNCE_DIGESTED && !a->original && r->delivered + r->doubt)
		CHOICE("announce.recall", "announce.recall");
	if (a->state != ANNOUNCE_GOING)
		return;
	if (r->stage < POST_STOPPING)
		CHOICE("announce.stop", "announce.stop");
	if (r->stage == POST_READY || r->stage == POST_SENDING)
		CHOICE("announce.pause", "announce.pause");
	if (r->stage == POST_PAUSED)
		CHOICE("announce.resume", "announce.go");
	if (r->delivered && !r->of) {
		CHOICE("announce.recall", "announce.recall");
		CHOICE("announce.replace", "announce.replace");
	}
#undef CHOICE
}

struct card *
announce_panel(struct turn *t, const char *language, const struct announce *a)
{
	const struct feature *was = t->feature;
	struct post_report r = {0};
	struct lines lines = {.language = language, .recall = a->original && !a->approval};
	struct card *card;

	t->feature = &feature_announce;
	if (a->state == ANNOUNCE_DIGESTED)
		digest_report(t, a->id, &r);
	else
		post_report(t, a->post, &r);
	t->feature = was;
	card = words_in(t, language, "announce.panel", "number",
	    arena_print(t->arena, "%lld", (long long)a->id), "org",
	    announce_org(t, language, a->org), NULL);
	lines.card = card;
	card_line(card, words_in(t, language, stage_key(t, a, &r), NULL));
	if (a->original)
		card_line(
		    card, words_in(t, language,
			      lines.recall ? "announce.takes_back" : "announce.replaces", "number",
			      arena_print(t->arena, "%lld", (long long)a->original), NULL));
	if (a->state == ANNOUNCE_GOING || a->state == ANNOUNCE_DIGESTED)
		add_report(t, &lines, a, &r);
	if (lines.recall && r.refused)
		card_line(card, words_in(t, language, "announce.limits", NULL));
	add_steering(t, card, language, a, &r);
	return card;
}

const struct feature feature_report = {.name = "report"};
