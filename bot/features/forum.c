/* /forum: for those who speak for organisations. Sessions with their materials, the shelf, the way
 * to offers and needs. Everybody else is told kindly what it is, and whom to ask. */
#include "shelf.h"

#include <stdlib.h>

#include "base/partners.h"
#include "base/text.h"
#include "core/draft.h"
#include "occasion.h"

/* Sessions are events that members do not see. */
#define SESSION " h.audience & 18 <> 0 AND h.audience & 1 = 0 AND e.cancelled = 0"
#define FROM_SESSIONS \
	"SELECT e.id, (SELECT count(*) FROM shelf s WHERE s.event = e.id)" \
	" FROM event e JOIN hosted h ON h.event = e.id WHERE" SESSION
static struct sql ahead = {FROM_SESSIONS " AND e.finish > ? ORDER BY e.start, e.id LIMIT 5"};
static struct sql over = {
    FROM_SESSIONS " AND e.finish <= ? AND EXISTS (SELECT 1 FROM shelf s"
		  " WHERE s.event = e.id) ORDER BY e.start DESC, e.id LIMIT 5"};
static struct sql materials = {"SELECT count(*) FROM shelf WHERE event = ?"};
static struct sql *const statements[] = {&ahead, &over, &materials, NULL};

/* ---- sessions ---- */

static int
add_sessions(struct turn *t, struct card *card, struct sql *which)
{
	struct rows *q = db_query(t->db, which, V(t->now));
	struct occasion o;
	int n = 0;

	while (db_next(q)) {
		const char *title;
		int64_t files = db_int(q, 1);

		if (!occasion_get(t, db_int(q, 0), &o))
			continue;
		title = occasion_title(t, t->language, &o);
		if (!n++ && which == &over)
			card_paragraph(card, words(t, "forum.sessions_over", NULL));
		card_paragraph(card, words(t, "forum.session", "title", title, "when",
					 (const char *)occasion_when(t, t->language, &o), NULL));
		if (files)
			card_line(card, words_n(t, "forum.files", files, NULL));
		choose_text(t, card,
		    text_isolate(t->arena, arena_copy(t->arena, title, text_cut(title, 40))),
		    "events.card", occasion_key(t, o.id));
	}
	return n;
}

static void
sessions(struct turn *t)
{
	struct card *card = words(t, "forum.sessions_title", NULL);

	if (!add_sessions(t, card, &ahead))
		card_paragraph(card, words(t, "forum.no_session", NULL));
	add_sessions(t, card, &over);
	choose_command(t, card, "newevent");
	choose_command(t, card, "forum");
	card_same_row(card);
	say(t, card);
}

void
forum_choose(struct turn *t, struct card *card, const struct occasion *o)
{
	bool session = o->hosted && o->audience & SHELF_FOR && !(o->audience & MEMBERS);
	int64_t n;

	if (!session || t->group || !(t->person->access & SHELF_FOR))
		return;
	n = db_number(t->db, &materials, V(o->id), 0);
	if (n)
		choose_text(t, card,
		    words_flat(t, "forum.materials_n", "n",
			arena_print(t->arena, "%lld", (long long)n), NULL),
		    "shelf.list", arena_print(t->arena, "e 0 %lld", (long long)o->id));
	else
		shelf_choose_new(t, card, o->id);
}

/* ---- /forum ---- */

static void
for_others(struct turn *t)
{
	struct card *card = words(t, "forum.for_coordinators", NULL);

	if (t->person->access & MEMBERS && partners_find(t->partners, t->person->org))
		choose(t, card, "partners.ask", "partners.ask", t->person->org);
	choose_command(t, card, "events");
	choose_command(t, card, "partners");
	card_same_row(card);
	say(t, card);
}

static void
forum(struct turn *t)
{
	struct card *card;

	if (!(t->person->access & SHELF_FOR)) {
		for_others(t);
		return;
	}
	if (t->rest[0]) {
		shelf_find(t, t->rest);
		return;
	}
	card = words(t, "forum.title", NULL);
	if (!shelf_choose(t, card))
		card_paragraph(card, words(t, "shelf.empty", NULL));
	if (draft_exists(t, SHELF_ATTACH))
		choose(t, card, "shelf.go_on", "shelf.write", "on");
	else
		shelf_choose_new(t, card, 0);
	shelf_choose_topics(t, card);
	choose(t, card, "forum.sessions", "forum.sessions", "");
	choose_command(t, card, "offers");
	card_same_row(card);
	say(t, card);
}

static const struct command commands[] = {
    {.name = "forum", .run = forum},
    {0},
};
static const struct action actions[] = {
    {"forum.sessions", SHELF_FOR, sessions},
    {0},
};

const struct feature feature_forum = {
    .name = "forum",
    .statements = statements,
    .commands = commands,
    .actions = actions,
};
