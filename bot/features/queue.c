/* /queue: what a coordinator's organisation has under way, and how it stands. */
#include "announce.h"

#include "base/words.h"

static struct sql under_way = {
    "SELECT a.id FROM announcement a LEFT JOIN post p ON p.id = a.post WHERE (a.state IN (0, 1)"
    " OR (a.state = 2 AND (p.stage BETWEEN 1 AND 5 OR p.ended > ?2))"
    " OR (a.state = 4 AND a.due > ?2))"
    " AND EXISTS (SELECT 1 FROM role r WHERE r.person = ?1"
    " AND ((r.role = 2 AND r.org = a.org) OR r.role = 16)) ORDER BY a.id DESC LIMIT 10"};
static struct sql *const statements[] = {&under_way, NULL};

enum { RECENT_S = 3 * 86400 };

static void
queue(struct turn *t)
{
	struct rows *q = db_query(t->db, &under_way, V(t->person->id, t->now - RECENT_S));
	struct card *card = words(t, "queue.title", NULL);
	int64_t ids[10];
	int n = 0;

	while (n < 10 && db_next(q))
		ids[n++] = db_int(q, 0);
	db_done(q);
	for (int i = 0; i < n; i++) {
		char *number = arena_print(t->arena, "%lld", (long long)ids[i]);
		struct announce a;
		struct card *line;

		if (!announce_get(t, ids[i], &a))
			continue;
		line = announce_panel(t, t->language, &a);
		line->choices = line->last_choice = NULL;
		card_paragraph(card, line);
		choose_text(t, card, words_flat(t, "queue.look", "number", number, NULL),
		    a.state == ANNOUNCE_WAITING ? "announce.approve" : "announce.panel",
		    a.state == ANNOUNCE_WAITING
			? arena_print(t->arena, "%lld", (long long)a.approval)
			: number);
	}
	say(t, n ? card : words(t, "queue.none", NULL));
}

static const struct command commands[] = {
    {.name = "queue", .access = COORDINATORS | ADMINS, .run = queue},
    {0},
};

const struct feature feature_queue = {
    .name = "queue", .statements = statements, .commands = commands};
