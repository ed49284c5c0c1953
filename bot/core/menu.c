/* The command menus that networks show: one in each language for everybody, and a longer one in the
 * private chat of those who hold a role, for as long as they hold it. */
#include "core.h"

#include <string.h>

enum { MENU_CHAT = -2, MENU_MOST = 100 };

static struct sql accounts = {"SELECT id, network FROM account WHERE person = ? AND reachable = 1"};

struct sql *const menu_statements[] = {&accounts, NULL};

static bool
is_listed(const struct command *c, unsigned access)
{
	return !c->hidden && (!c->access || c->access & access);
}

/* What somebody with this access may do, each with its line of help in the language. */
static struct menu_entry *
entries(struct turn *t, const char *language, unsigned access)
{
	struct menu_entry *menu = arena_alloc(t->arena, (MENU_MOST + 1) * sizeof(*menu));
	const struct command *c;
	size_t n = 0;

	for (size_t i = 0; (c = route_listed(t->engine, i)) && n < MENU_MOST; i++) {
		if (!is_listed(c, access))
			continue;
		menu[n].command = c->name;
		menu[n++].description =
		    words_flat_in(t, language, arena_print(t->arena, "help.%s", c->name), NULL);
	}
	return menu;
}

static void
want(struct turn *t, struct network *n, int64_t chat, struct parcel parcel)
{
	struct wanted *w = arena_alloc(t->arena, sizeof(*w));

	w->network = n;
	w->op = OP_MENU;
	w->class = CLASS_SERVICE;
	w->chat = chat;
	w->parcel = parcel;
	outbox_want(t, w);
}

/* The transport sets only what differs from what it set last. */
static void
for_everybody(struct turn *t, struct network *n)
{
	const char *about = words_has(t->words, "bot.description") ? "bot.description" : NULL;

	for (int i = 0; i < words_count(t->words); i++) {
		const char *language = words_language(t->words, i);
		struct parcel parcel = {
		    .language = language,
		    .menu = entries(t, language, MEMBERS),
		    .description = about ? words_flat_in(t, language, about, NULL) : NULL,
		};

		want(t, n, MENU_CHAT, parcel);
		/* Whoever's language we do not speak gets the last resort. */
		if (i == 0) {
			parcel.language = "";
			want(t, n, MENU_CHAT, parcel);
		}
	}
}

void
menu_person(struct turn *t, int64_t person, bool leaving)
{
	unsigned access = leaving ? 0 : people_access(t, person);
	bool more = access & ~(unsigned)MEMBERS;
	const char *language = language_of(t, person);
	struct rows *q = db_query(t->db, &accounts, V(person));

	while (db_next(q)) {
		struct network *n = network_named(t->engine, db_text(q, 1));
		struct parcel parcel = {.language = language};

		/* The address travels with the row: the account may be gone when it is sent. */
		if (!n || !n->transport->menus ||
		    !people_address(t, db_int(q, 0), &parcel.who, &parcel.where))
			continue;
		if (more)
			parcel.menu = entries(t, language, access);
		want(t, n, db_int(q, 0), parcel);
	}
	db_done(q);
}

void
menu_happened(struct turn *t, enum happening what)
{
	struct engine *e = t->engine;

	if (what == HAPPENED_ROLES)
		menu_person(t, t->subject, false);
	else if (what == HAPPENED_LEAVING && people_access(t, t->subject) & ~(unsigned)MEMBERS)
		menu_person(t, t->subject, true);
	if (what != HAPPENED_START && what != HAPPENED_RELOAD)
		return;
	for (int i = 0; i < e->network_count; i++)
		if (e->networks[i].transport->menus)
			for_everybody(t, &e->networks[i]);
}
