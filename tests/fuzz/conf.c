/* Any bytes as the configuration: read, or refused with the file's name and what was expected. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/conf.h"
#include "core/engine.h"
#include "../unit/every_feature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
demand(int holds)
{
	if (!holds)
		abort();
}

/* What is required or has a default is there. */
static void
complete(const struct conf *conf)
{
	for (const struct conf_key *k = engine_settings(features); k->section; k++) {
		const char *name = k->named ? conf_name(conf, k->section, 0) : NULL;

		if (k->named && !name)
			continue;
		if (!k->named && !conf_has(conf, k->section) && !k->otherwise)
			continue;
		if (k->required || k->otherwise)
			demand(k->repeat || conf_text(conf, k->section, name, k->key) != NULL);
		if (k->kind == CONF_NUMBER && conf_text(conf, k->section, name, k->key)) {
			int64_t n = conf_number(conf, k->section, name, k->key);

			demand(n >= k->least && n <= k->most);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	char *why = NULL;
	struct conf *conf;

	if (!arena)
		arena = arena_new();
	conf = conf_parse("x.ini", arena_copy(arena, data, size), engine_settings(features), &why);
	if (conf) {
		complete(conf);
		conf_free(conf);
	} else {
		demand(why && !strncmp(why, "x.ini:", 6));
	}
	free(why);
	arena_forget(arena);
	return 0;
}
