#include "core/erasure.h"

#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/erased.h"
#include "store/scrub.h"

static struct sql remember = {
    "INSERT OR REPLACE INTO erasure(hash, erased, serial) VALUES(?, ?, ?)"};
static struct sql prune = {"DELETE FROM erasure WHERE erased < ?"};
static struct sql last_day = {"SELECT max(erased) FROM erasure"};
static struct sql newer = {
    "SELECT hash, erased, serial FROM erasure WHERE serial > ? ORDER BY serial LIMIT 1000"};
static struct sql meta_get = {"SELECT content FROM meta WHERE name = ?"};
static struct sql meta_set = {"INSERT OR REPLACE INTO meta(name, content) VALUES(?, ?)"};
static struct sql posts_stop = {"UPDATE post SET stage = 5 WHERE stage BETWEEN 1 AND 4"};
static struct sql in_doubt = {
    "UPDATE delivery SET state = 5, body = NULL WHERE state IN (0, 1, 6)"};
struct sql *const erasure_statements[] = {
    &remember, &prune, &last_day, &newer, &meta_get, &meta_set, &posts_stop, &in_doubt, NULL};

enum { DAY = 86400, AGAIN_MS = 200, FILE_DAYS = 1 };

static int64_t
meta_number(struct db *db, const char *name)
{
	const char *text = db_string(db, &meta_get, V(name));

	return text ? strtoll(text, NULL, 10) : 0;
}

static void
meta_keep(struct turn *t, const char *name, int64_t number)
{
	db_run(t->db, &meta_set,
	    V(name, (const char *)arena_print(t->arena, "%lld", (long long)number)));
}

void
erasure_start(struct engine *e)
{
	int64_t listed = e->o.erased_file ? erased_last(e->o.erased_file) : -1;

	e->erasures = meta_number(e->db, "erasures");
	e->erasures_listed = listed > 0 ? listed : 0;
	if (e->erasures < e->erasures_listed)
		e->erasures = e->erasures_listed;
	/* A crash may have come between an erasure and its end. */
	e->wipe_ms = db_number(e->db, &last_day, NONE, 0) >= engine_now_ms(e) / 1000 - 2 * DAY
			 ? 0
			 : INT64_MAX;
}

void
erasure_remember(struct turn *t, struct blob hash)
{
	struct engine *e = t->engine;

	e->erasures++;
	db_run(t->db, &remember, V(hash, t->now / DAY * DAY, e->erasures));
	meta_keep(t, "erasures", e->erasures);
	erasure_wipe(e);
}

void
erasure_wipe(struct engine *e)
{
	e->wipe_ms = 0;
}

/* The database is the truth; what is missing in the list is added. */
static void
list_more(struct engine *e)
{
	struct erased entries[64];
	struct rows *q = db_query(e->db, &newer, V(e->erasures_listed));
	size_t n = 0;

	while (n < sizeof(entries) / sizeof(*entries) && db_next(q)) {
		struct blob hash = db_blob(q, 0);

		memcpy(entries[n].hash, hash.bytes,
		    hash.length < SEAL_HASH_BYTES ? hash.length : SEAL_HASH_BYTES);
		entries[n].day = db_int(q, 1);
		entries[n++].serial = db_int(q, 2);
	}
	db_done(q);
	if (!n)
		return;
	if (erased_add(e->o.erased_file, entries, n))
		e->erasures_listed = entries[n - 1].serial;
	else
		log_event(LOG_ERROR, "erasure.list", "errno=%d", errno);
}

void
erasure_finish(struct engine *e)
{
	int64_t now_ms = engine_now_ms(e);

	if (e->wipe_ms > now_ms || e->broken)
		return;
	db_arena(e->db, e->arena);
	if (e->o.erased_file)
		list_more(e);
	/* A reader may hold the old pages for as long as its work takes. */
	e->wipe_ms = db_checkpoint(e->db) ? INT64_MAX : now_ms + AGAIN_MS;
}

/* ---- files made for a person ---- */

static char *
files_folder(struct turn *t)
{
	return arena_print(t->arena, "%s/files", t->engine->o.state_folder);
}

void
erasure_files(struct turn *t, int64_t person)
{
	if (t->engine->o.state_folder)
		scrub_folder(
		    files_folder(t), arena_print(t->arena, "%lld-", (long long)person), INT64_MAX);
}

void
erasure_prune(struct turn *t)
{
	int64_t days = conf_number(t->conf, "retention", NULL, "backup");
	const char *database = conf_text(t->conf, "bot", NULL, "database");
	const char *name = database ? strrchr(database, '/') : NULL;

	db_run(t->db, &prune, V(t->now - days * DAY));
	if (t->engine->o.erased_file)
		erased_prune(t->engine->o.erased_file, t->now - (days + 1) * DAY);
	/* Folders are read every six hours and not with each hourly job. */
	if (!t->engine->o.state_folder || t->now / (DAY / 4) == t->engine->folders_read)
		return;
	t->engine->folders_read = t->now / (DAY / 4);
	scrub_folder(files_folder(t), "", t->now - FILE_DAYS * DAY);
	if (!name)
		return;
	/* The copy that a migration made is a backup like any other. */
	scrub_folder(t->engine->o.state_folder, arena_print(t->arena, "%s.before-", name + 1),
	    t->now - days * DAY);
	/* A backup whose way to another disk was cut short. */
	scrub_folder(t->engine->o.state_folder, arena_print(t->arena, "%s.carry-", name + 1),
	    t->now - FILE_DAYS * DAY);
}

/* ---- backup and restore ---- */

void
erasure_backup_begins(struct turn *t)
{
	meta_keep(t, "backup", t->now);
	if (!meta_number(t->db, "backup.made"))
		erasure_backup_made(t);
}

void
erasure_backup_made(struct turn *t)
{
	meta_keep(t, "backup.made", t->now);
}

struct again {
	struct turn *t;
	struct restored *restored;
};

static void
erase_again(void *ctx, const struct erased *entry)
{
	struct again *a = ctx;

	if (people_erase_hash(a->t, (struct blob){entry->hash, SEAL_HASH_BYTES}))
		a->restored->erased++;
}

void
erasure_restored(struct turn *t, struct restored *restored)
{
	struct again a = {t, restored};

	restored->made = meta_number(t->db, "backup");
	restored->listed =
	    erased_each(restored->list, meta_number(t->db, "erasures"), erase_again, &a);
	meta_keep(t, "erasures", t->engine->erasures);
	db_run(t->db, &posts_stop, NONE);
	restored->doubt = db_run(t->db, &in_doubt, NONE);
}
