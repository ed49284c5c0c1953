/* The command menus and what the bot says of itself: set only where they differ from what was set
 * last. */
#include "telegram_inside.h"

#include <stdio.h>
#include <string.h>

static uint64_t
menu_digest(const struct shipment *s)
{
	uint64_t h = telegram_hash(0, s->description);

	for (const struct menu_entry *m = s->menu; m && m->command; m++)
		h = telegram_hash(
		    telegram_hash(telegram_hash(telegram_hash(h, "\n"), m->command), "\t"),
		    m->description);
	return h;
}

struct menu_memory *
telegram_menu_memory(struct telegram *tg, const char *language)
{
	struct menu_memory *m;

	for (size_t i = 0; i < tg->menu_count; i++)
		if (strcmp(tg->menus[i].language, language) == 0)
			return &tg->menus[i];
	if (tg->menu_count == TELEGRAM_LANGUAGES || strlen(language) >= sizeof(m->language))
		return NULL;
	m = &tg->menus[tg->menu_count++];
	snprintf(m->language, sizeof(m->language), "%s", language);
	m->digest = 0;
	return m;
}

/* The menu for everybody is shown as it should be: remembered, so that a restart sets nothing. */
static void
menu_done(struct sending *g)
{
	struct telegram *tg = g->tg;
	const char *language = g->kept.language ? g->kept.language : "";
	struct menu_memory *m = g->kept.where ? NULL : telegram_menu_memory(tg, language);
	char key[TELEGRAM_KEY_ROOM], value[24];
	struct state_row row = {key, value, 0};

	if (!m)
		return;
	m->digest = menu_digest(&g->kept);
	snprintf(key, sizeof(key), "menu:%lld:%s", (long long)tg->me.id, language);
	row.length =
	    (size_t)snprintf(value, sizeof(value), "%016llx", (unsigned long long)m->digest);
	tg->up.keep(tg->up.engine, &tg->base, &row, 1);
}

bool
telegram_menu_send(struct sending *g, const struct shipment *s)
{
	struct menu_memory *m;
	bool any = s->menu && s->menu[0].command;

	telegram_send_keep(g, s);
	m = s->where ? NULL : telegram_menu_memory(g->tg, s->language ? s->language : "");
	if (m && m->digest == menu_digest(s)) {
		telegram_send_decided(g, FATE_SENT, REFUSAL_NONE);
		return true;
	}
	if (!telegram_body_menu(&g->json, s))
		return false;
	g->stage = STAGE_COMMANDS;
	telegram_send_post(g, any ? "setMyCommands" : "deleteMyCommands");
	return true;
}

bool
telegram_menu_next(struct sending *g)
{
	static const struct {
		const char *method, *key;
		size_t scalars;
	} texts[] = {
	    {"setMyDescription", "description", 512},
	    {"setMyShortDescription", "short_description", 120},
	};
	size_t i = g->stage == STAGE_COMMANDS ? 0 : 1;

	if (g->stage == STAGE_SHORT || g->kept.where || !g->kept.description ||
	    !telegram_body_describe(&g->json, &g->kept, texts[i].key, texts[i].scalars)) {
		menu_done(g);
		return false;
	}
	g->stage = i ? STAGE_SHORT : STAGE_DESCRIPTION;
	telegram_send_post(g, texts[i].method);
	return true;
}
