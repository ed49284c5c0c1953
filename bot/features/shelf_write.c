/* A resource is written: link, file or text, over days if need be; later changes take the same way,
 * from its preview. */
#include "shelf.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/link.h"
#include "base/text.h"
#include "base/words.h"
#include "core/attach.h"
#include "core/audit.h"
#include "core/draft.h"
#include "core/people.h"
#include "occasion.h"

static struct sql count_of = {"SELECT count(*) FROM shelf WHERE org = ?"};
static struct sql *const statements[] = {&count_of, NULL};

enum { TITLE_SCALARS = 120, ABOUT_SCALARS = 600, TEXT_SCALARS = 6000, OF_ORG_MOST = 300 };

static const struct flow write_flow;

/* ---- the draft ---- */

static const char *
drafted(struct turn *t, const char *field)
{
	return draft_get(t, SHELF_ATTACH, field);
}

static int64_t
drafted_number(struct turn *t, const char *field)
{
	return strtoll(drafted(t, field), NULL, 10);
}

static void
keep(struct turn *t, const char *field, const char *value)
{
	draft_set(t, SHELF_ATTACH, field, value);
}

static void
throw_away(struct turn *t)
{
	attach_forget(t, t->person->id, SHELF_ATTACH);
	draft_drop(t, SHELF_ATTACH);
}

/* What is written so far, as it would be shown. */
static struct resource
written(struct turn *t)
{
	const char *org = drafted(t, "org")[0] ? drafted(t, "org") : shelf_org(t);

	return (struct resource){.id = drafted_number(t, "id"),
	    .kind = (enum shelf_kind)drafted_number(t, "kind"),
	    .topic = drafted_number(t, "topic"),
	    .attachment = drafted_number(t, "attachment"),
	    .event = drafted_number(t, "event"),
	    .org = org ? org : "",
	    .language = drafted(t, "language"),
	    .title = drafted(t, "title"),
	    .about = drafted(t, "about"),
	    .body = drafted(t, "body")};
}

/* ---- begin ---- */

/* A resource that is there already, to be changed. */
static void
load(struct turn *t, const struct resource *r)
{
	keep(t, "id", shelf_key(t, r->id));
	keep(t, "org", r->org);
	keep(t, "kind", shelf_key(t, (int)r->kind));
	keep(t, "topic", shelf_key(t, r->topic));
	keep(t, "attachment", shelf_key(t, r->attachment));
	keep(t, "language", r->language);
	keep(t, "title", r->title);
	keep(t, "about", r->about);
	keep(t, "body", r->body);
	keep(t, "at", "preview");
}

static void
begin_anew(struct turn *t)
{
	struct resource r;

	throw_away(t);
	keep(t, "at", "kind");
	if (shelf_get(t, strtoll(flow_get(t, "load"), NULL, 10), &r) && shelf_owns(t, &r))
		load(t, &r);
	else
		keep(t, "event", flow_get(t, "event"));
	flow_goto(t, drafted(t, "at"));
}

static void
ask_begin(struct turn *t)
{
	struct attachment a;
	struct card *card;

	if (flow_get(t, "on")[0] && drafted(t, "at")[0]) {
		/* What was waited for has come. */
		if (!strcmp(drafted(t, "at"), "body") && drafted_number(t, "kind") == SHELF_FILE &&
		    attach_pending(t, t->person->id, SHELF_ATTACH, &a))
			flow_goto(t, "about");
		else
			flow_goto(t, drafted(t, "at"));
		return;
	}
	if (!draft_exists(t, SHELF_ATTACH)) {
		begin_anew(t);
		return;
	}
	card = words(t, "shelf.draft", NULL);
	choose_answer(t, card, "newevent.go_on", "on");
	choose_answer(t, card, "newevent.anew", "anew");
	card_same_row(card);
	say(t, card);
}

static enum next
answer_begin(struct turn *t)
{
	if (!t->chosen)
		return flow_again(t, "relay.tap");
	if (!strcmp(t->value, "anew") || !drafted(t, "at")[0])
		begin_anew(t);
	else
		flow_goto(t, drafted(t, "at"));
	return JUMPED;
}

/* ---- what it is ---- */

static void
ask_kind(struct turn *t)
{
	struct card *card = words(t, "shelf.ask_kind", NULL);

	draft_at(t, SHELF_ATTACH, "kind");
	for (int i = 0; i < SHELF_KINDS; i++)
		choose_answer_text(
		    t, card, shelf_kind_name(t, (enum shelf_kind)i), shelf_key(t, i));
	say(t, card);
}

static enum next
answer_kind(struct turn *t)
{
	int64_t kind;

	if (!t->chosen || !text_number(t->value, &kind) || kind < 0 || kind >= SHELF_KINDS)
		return flow_again(t, "relay.tap");
	if (kind != drafted_number(t, "kind"))
		keep(t, "body", NULL);
	keep(t, "kind", t->value);
	/* Another kind needs another content. */
	flow_goto(t, flow_get(t, "only")[0] ? "body" : "title");
	return JUMPED;
}

static void
ask_title(struct turn *t)
{
	draft_at(t, SHELF_ATTACH, "title");
	say(t, words(t, "shelf.ask_title", NULL));
}

static enum next
answer_title(struct turn *t)
{
	if (!t->text[0] || strchr(t->text, '\n') || text_scalars(t->text) > TITLE_SCALARS)
		return flow_again(t, "story.one_line");
	keep(t, "title", t->text);
	return draft_onward(t);
}

/* ---- link, text or file ---- */

static int64_t
most_bytes(struct turn *t)
{
	return 1024 * conf_number(t->conf, "forum", NULL, "file_kb");
}

static struct card *
file_line(struct turn *t, const char *language, const struct attachment *a)
{
	return words_in(t, language, "shelf.file_is", "kind", a->ending, "kb",
	    arena_print(t->arena, "%lld", (long long)(a->bytes + 1023) / 1024), NULL);
}

/* The file that goes with what is written: a new one, or the one it had. */
static bool
file_now(struct turn *t, struct attachment *a)
{
	return attach_pending(t, t->person->id, SHELF_ATTACH, a) ||
	       attach_get(t, drafted_number(t, "attachment"), a);
}

static void
ask_file(struct turn *t)
{
	struct attachment a;
	struct card *card = words(t, "shelf.ask_file", "mb",
	    arena_print(t->arena, "%lld", (long long)(most_bytes(t) + (1 << 20) - 1) >> 20), NULL);

	if (file_now(t, &a)) {
		card_paragraph(card, file_line(t, t->language, &a));
		choose_answer(t, card, "offers.next", "next");
	}
	say(t, card);
}

static void
ask_body(struct turn *t)
{
	int64_t kind = drafted_number(t, "kind");

	draft_at(t, SHELF_ATTACH, "body");
	if (kind == SHELF_FILE)
		ask_file(t);
	else
		say(t, words(t, kind == SHELF_LINK ? "shelf.ask_link" : "shelf.ask_text", NULL));
}

static enum next
answer_file(struct turn *t)
{
	struct attachment a;

	if (t->chosen && file_now(t, &a))
		return draft_onward(t);
	if (!attach_ask(t, SHELF_ATTACH, most_bytes(t)))
		return flow_again(t, "shelf.file_bad");
	return flow_again(t, "story.media_comes");
}

static enum next
answer_body(struct turn *t)
{
	int64_t kind = drafted_number(t, "kind");
	const char *link;

	if (kind == SHELF_FILE)
		return answer_file(t);
	if (!t->text[0])
		return flow_again(t, "engine.again");
	if (kind == SHELF_LINK) {
		link = link_clean(t->arena, t->text);
		if (!link)
			return flow_again(t, "shelf.bad_link");
		keep(t, "body", link);
		return draft_onward(t);
	}
	if (text_scalars(t->text) > TEXT_SCALARS) {
		say(t, words_n(t, "story.too_long", TEXT_SCALARS, NULL));
		return AGAIN;
	}
	keep(t, "body", t->text);
	return draft_onward(t);
}

/* ---- what it is good for, about what, in which language ---- */

static void
ask_about(struct turn *t)
{
	struct card *card = words(t, "shelf.ask_about", NULL);

	draft_at(t, SHELF_ATTACH, "about");
	choose_answer(t, card, "shelf.skip", "none");
	say(t, card);
}

static enum next
answer_about(struct turn *t)
{
	if (!t->chosen && !t->text[0])
		return flow_again(t, "engine.again");
	if (text_scalars(t->text) > ABOUT_SCALARS) {
		say(t, words_n(t, "story.too_long", ABOUT_SCALARS, NULL));
		return AGAIN;
	}
	keep(t, "about", t->chosen ? NULL : t->text);
	return draft_onward(t);
}

static void
ask_topic(struct turn *t)
{
	struct card *card = words(t, "shelf.ask_topic", NULL);

	draft_at(t, SHELF_ATTACH, "topic");
	for (int i = 0; i < SHELF_TOPICS; i++) {
		choose_answer_text(t, card, shelf_topic(t, t->language, i), shelf_key(t, i));
		if (i % 2)
			card_same_row(card);
	}
	say(t, card);
}

static enum next
answer_topic(struct turn *t)
{
	int64_t topic;

	if (!t->chosen || !text_number(t->value, &topic) || topic < 0 || topic >= SHELF_TOPICS)
		return flow_again(t, "relay.tap");
	keep(t, "topic", t->value);
	return draft_onward(t);
}

static void
ask_language(struct turn *t)
{
	struct card *card = words(t, "shelf.ask_language", NULL);

	draft_at(t, SHELF_ATTACH, "language");
	for (int i = 0; i < words_count(t->words); i++)
		choose_answer_text(t, card, shelf_language(t, words_language(t->words, i)),
		    words_language(t->words, i));
	choose_answer(t, card, "shelf.language_other", "-");
	say(t, card);
}

static enum next
answer_language(struct turn *t)
{
	if (!t->chosen)
		return flow_again(t, "relay.tap");
	keep(t, "language", words_speaks(t->words, t->value) ? t->value : NULL);
	return draft_onward(t);
}

/* ---- preview ---- */

static void
ask_preview(struct turn *t)
{
	struct resource r = written(t), was;
	struct attachment a;
	bool file = r.kind != SHELF_FILE || file_now(t, &a);
	struct card *card;

	if (!r.title[0] || !file || (r.kind != SHELF_FILE && !r.body[0])) {
		flow_goto(t, r.title[0] ? "body" : "title");
		return;
	}
	draft_at(t, SHELF_ATTACH, "preview");
	if (r.id && shelf_get(t, r.id, &was))
		r.shared = was.shared;
	card = shelf_content(t, &r);
	if (r.kind == SHELF_FILE)
		card_paragraph(card, file_line(t, t->language, &a));
	say(t, card);
	card = words(t, "shelf.ready", NULL);
	choose_answer(t, card, r.id ? "newevent.save" : "shelf.share", "share");
	choose_answer(t, card, "newevent.change", "change");
	choose_answer(t, card, "announce.discard", "discard");
	card_same_row(card);
	say(t, card);
}

static const char *const fields[] = {"kind", "title", "body", "about", "topic", "language", NULL};

static void
ask_change(struct turn *t)
{
	draft_ask_change(t, "newevent.what_change", "shelf.field_", fields);
}

static enum next
answer_change(struct turn *t)
{
	return draft_answer_change(t, fields);
}

/* ---- onto the shelf ---- */

/* For whom it is shared: looked at now, whatever they were when they began. NULL: for nobody. */
static const char *
org_for(struct turn *t, const struct resource *r)
{
	struct resource was;
	struct occasion o;

	if (r->id)
		return shelf_get(t, r->id, &was) && shelf_owns(t, &was) ? was.org : NULL;
	if (!r->event)
		return shelf_org(t);
	return occasion_get(t, r->event, &o) && occasion_may(t, &o) ? o.org : NULL;
}

/* NULL: it fits. */
static const char *
too_much(struct turn *t, const struct resource *r)
{
	int64_t most = conf_number(t->conf, "forum", NULL, "files_mb") << 20;
	struct attachment a;

	if (!r->id && db_number(t->db, &count_of, V(r->org), 0) >= OF_ORG_MOST)
		return "shelf.too_many";
	if (r->kind == SHELF_FILE && attach_pending(t, t->person->id, SHELF_ATTACH, &a) &&
	    attach_total(t, SHELF_ATTACH) + a.bytes > most)
		return "shelf.full";
	return NULL;
}

static enum next
put(struct turn *t)
{
	struct resource r = written(t);
	const char *org = org_for(t, &r), *problem;
	bool is_new = !r.id;
	int64_t file;

	if (!org) {
		say(t, words(t, "engine.not_allowed", NULL));
		return DONE;
	}
	r.org = org;
	problem = too_much(t, &r);
	if (problem)
		return flow_again(t, problem);
	file = r.kind == SHELF_FILE ? attach_settle(t, SHELF_ATTACH) : 0;
	if (file || r.kind != SHELF_FILE)
		r.attachment = file;
	shelf_put(t, &r);
	throw_away(t);
	audit_unnamed(t, is_new ? "shelf.share" : "shelf.change", r.id);
	say(t, words(t, is_new ? "shelf.shared" : "newevent.saved", NULL));
	if (shelf_get(t, r.id, &r))
		shelf_show(t, &r);
	return DONE;
}

static enum next
answer_preview(struct turn *t)
{
	if (!t->chosen)
		return flow_again(t, "relay.tap");
	if (!strcmp(t->value, "change"))
		return NEXT;
	if (!strcmp(t->value, "share"))
		return put(t);
	throw_away(t);
	say(t, words(t, "announce.discarded", NULL));
	return DONE;
}

static void
kept(struct turn *t)
{
	say(t, words(t, "shelf.kept", NULL));
}

static const struct step steps[] = {
    {.name = "begin", .ask = ask_begin, .answer = answer_begin},
    {.name = "kind", .ask = ask_kind, .answer = answer_kind},
    {.name = "title", .ask = ask_title, .answer = answer_title, .takes_numbers = true},
    {.name = "body", .ask = ask_body, .answer = answer_body},
    {.name = "about", .ask = ask_about, .answer = answer_about, .takes_numbers = true},
    {.name = "topic", .ask = ask_topic, .answer = answer_topic},
    {.name = "language", .ask = ask_language, .answer = answer_language},
    {.name = "preview", .ask = ask_preview, .answer = answer_preview},
    {.name = "change", .ask = ask_change, .answer = answer_change},
    {0},
};
static const struct flow write_flow = {
    .name = "shelf.write", .access = SHELF_FOR, .steps = steps, .cancelled = kept};
static const struct flow *const flows[] = {&write_flow, NULL};

/* ---- buttons ---- */

/* The value is the session it is for, 0 for none, or "on" with what was begun. */
static void
write_pressed(struct turn *t)
{
	flow_end(t);
	flow_begin(t, &write_flow);
	if (!strcmp(t->value, "on"))
		flow_set(t, "on", "1");
	else if (strtoll(t->value, NULL, 10))
		flow_set(t, "event", t->value);
}

static void
edit_pressed(struct turn *t)
{
	flow_end(t);
	flow_begin(t, &write_flow);
	flow_set(t, "load", t->value);
}

void
shelf_choose_new(struct turn *t, struct card *card, int64_t event)
{
	struct occasion o;

	if (event ? occasion_get(t, event, &o) && occasion_may(t, &o) : shelf_org(t) != NULL)
		choose(t, card, event ? "forum.add_material" : "shelf.new", "shelf.write",
		    shelf_key(t, event));
}

static void
happened(struct turn *t, enum happening what)
{
	struct attachment a;
	const char *language;
	struct card *card;

	if (what != HAPPENED_MEDIA || !attach_asked(t, SHELF_ATTACH) ||
	    !(people_access(t, t->subject) & SHELF_FOR))
		return;
	language = language_of(t, t->subject);
	if (attach_came(t, SHELF_ATTACH, most_bytes(t)) &&
	    attach_pending(t, t->subject, SHELF_ATTACH, &a)) {
		card = file_line(t, language, &a);
		choose_text(t, card, words_flat_in(t, language, "newevent.go_on", NULL),
		    "shelf.write", "on");
	} else {
		card = words_in(t, language, "shelf.file_bad", NULL);
	}
	tell(t, t->subject, CLASS_REPLY, 0, card);
}

static const struct conf_key settings[] = {
    {.section = "forum",
	.key = "file_kb",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 16384,
	.otherwise = "5120"},
    {.section = "forum",
	.key = "files_mb",
	.kind = CONF_NUMBER,
	.least = 1,
	.most = 100000,
	.otherwise = "1024"},
    {0},
};
static const struct action actions[] = {
    {"shelf.write", SHELF_FOR, write_pressed},
    {"shelf.edit", SHELF_FOR, edit_pressed},
    {0},
};

const struct feature feature_shelf_write = {
    .name = "shelf_write",
    .statements = statements,
    .settings = settings,
    .actions = actions,
    .flows = flows,
    .happened = happened,
};
