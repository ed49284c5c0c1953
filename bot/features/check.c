/* /check 41: whether an announcement with this number was really sent, by whom and when. */
#include "announce.h"

#include "base/clock.h"
#include "base/conf.h"
#include "base/text.h"
#include "base/zone.h"

static struct sql taken_back = {"SELECT p.op FROM announcement a JOIN post p ON p.id = a.post "
				"WHERE a.original = ? AND a.state = 2"
				" AND p.op IN (1, 2) ORDER BY a.id DESC LIMIT 1"};
static struct sql *const statements[] = {&taken_back, NULL};

static void
check(struct turn *t)
{
	const struct zone *zone =
	    zone_find(t->zones, conf_list(t->conf, "bot", NULL, "time_zones")[0]);
	struct announce a;
	struct card *card;
	int64_t number, op;

	if (!t->rest[0]) {
		say(t, words(t, "check.how", NULL));
		return;
	}
	if (!text_number(t->rest, &number) || !announce_get(t, number, &a) || a.original ||
	    (a.state != ANNOUNCE_GOING && a.state != ANNOUNCE_DIGESTED) || a.due > t->now) {
		say(t, words(t, "check.unknown", NULL));
		return;
	}
	card = words(t, "check.known", "number", arena_print(t->arena, "%lld", (long long)number),
	    "org", announce_org(t, t->language, a.org), "date",
	    zone ? clock_date(t->arena, t->language, zone, a.due) : "", NULL);
	op = db_number(t->db, &taken_back, V(number), 0);
	if (op)
		card_line(
		    card, words(t, op == OP_DELETE ? "check.recalled" : "check.replaced", NULL));
	say(t, card);
}

static const struct command commands[] = {
    {.name = "check", .run = check, .public_place = true, .hidden = true},
    {0},
};

const struct feature feature_check = {
    .name = "check", .statements = statements, .commands = commands};
