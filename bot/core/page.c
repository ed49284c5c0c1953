/* Pages that are polled: feeds and calendars. Unchanged ones cost a conditional request; what is
 * broken costs only itself. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static const char *const page_steps[] = {
    "CREATE TABLE page(name TEXT NOT NULL, key TEXT NOT NULL, url TEXT NOT NULL,"
    " moved TEXT, every INTEGER NOT NULL, due INTEGER NOT NULL, etag TEXT, modified TEXT,"
    " hash BLOB, came INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,"
    " reason TEXT NOT NULL DEFAULT '', wanted INTEGER NOT NULL DEFAULT 1,"
    " PRIMARY KEY(name, key)) STRICT, WITHOUT ROWID;",
    NULL,
};
static const struct column page_columns[] = {
    {"page.name", "what kind of page", "while configured", NOT_PERSONAL},
    {"page.key", "which one", "while configured", NOT_PERSONAL},
    {"page.url", "its configured address", "while configured", NOT_PERSONAL},
    {"page.moved", "where it moved for good", "while configured", NOT_PERSONAL},
    {"page.every", "how often it is read", "while configured", NOT_PERSONAL},
    {"page.due", "when next", "while configured", NOT_PERSONAL},
    {"page.etag", "to ask only for what is new", "while configured", NOT_PERSONAL},
    {"page.modified", "to ask only for what is new", "while configured", NOT_PERSONAL},
    {"page.hash", "to know an unchanged page", "while configured", NOT_PERSONAL},
    {"page.came", "when it last came", "while configured", NOT_PERSONAL},
    {"page.failures", "how often in a row it did not", "while configured", NOT_PERSONAL},
    {"page.reason", "why not", "while configured", NOT_PERSONAL},
    {"page.wanted", "whether it is still configured", "while configured", NOT_PERSONAL},
    {0},
};
const struct schema page_schema = {"page", page_steps, page_columns};

static struct sql want = {
    "INSERT INTO page(name, key, url, every, due) VALUES(?1, ?2, ?3, ?4, 0)"
    " ON CONFLICT(name, key) DO UPDATE SET every = ?4, wanted = 1,"
    " due = CASE WHEN url = ?3 THEN due ELSE 0 END,"
    " etag = CASE WHEN url = ?3 THEN etag END, modified = CASE WHEN url = ?3 THEN modified END,"
    " hash = CASE WHEN url = ?3 THEN hash END, moved = CASE WHEN url = ?3 THEN moved END, url = "
    "?3"};
static struct sql drop = {"DELETE FROM page WHERE name = ? AND key = ?"};
static struct sql refresh = {"UPDATE page SET due = 0, etag = NULL, modified = NULL, hash = NULL"
			     " WHERE name = ? AND key = ?"};
static struct sql due_one = {"SELECT name, key, coalesce(moved, url), etag, modified FROM page "
			     "WHERE due <= ? ORDER BY due LIMIT 1"};
static struct sql soonest = {"SELECT min(due) FROM page"};
static struct sql get = {"SELECT hash, every, failures, url FROM page WHERE name = ? AND key = ?"};
static struct sql set_due = {"UPDATE page SET due = ? WHERE name = ? AND key = ?"};
static struct sql came = {
    "UPDATE page SET came = ?, failures = 0, reason = '', due = ?, etag = ?,"
    " modified = ?, hash = ?, moved = coalesce(?, moved) WHERE name = ? AND key = ?"};
static struct sql same = {"UPDATE page SET came = ?, failures = 0, reason = '', due = ?,"
			  " moved = coalesce(?, moved) WHERE name = ? AND key = ?"};
static struct sql failures_of = {"SELECT failures FROM page WHERE name = ? AND key = ?"};
static struct sql failed = {"UPDATE page SET failures = failures + 1, reason = ?, due = ?,"
			    " hash = NULL, etag = NULL, modified = NULL, moved = NULL"
			    " WHERE name = ? AND key = ?"};
static struct sql by_name = {"SELECT name, key FROM page WHERE key = ?1 OR name = ?1"
			     " OR name || '.' || key = ?1 LIMIT 1"};
static struct sql all = {"SELECT name, key, came, failures, reason FROM page ORDER BY name, key"};
struct sql *const page_statements[] = {&want, &drop, &refresh, &due_one, &soonest, &get, &set_due,
    &came, &same, &failures_of, &failed, &by_name, &all, NULL};

enum { PAGE_MAX = 32 << 20, FETCH_LIMIT_S = 600 };

/* A fetch under way: its ticket is its place in the list plus one. */
struct page_slot {
	struct page_slot *next;
	int64_t ticket;
	char *name, *key;
};

/* Some page's time changed, or will if the turn holds. */
static void
look_again(struct engine *e)
{
	e->next_page_s = INT64_MIN;
}

void
page_want(struct turn *t, const char *name, const char *key, const char *url, int64_t every_s)
{
	db_run(t->db, &want, V(name, key, url, every_s));
	look_again(t->engine);
}

void
page_forget(struct turn *t, const char *name, const char *key)
{
	db_run(t->db, &drop, V(name, key));
}

void
page_refresh(struct turn *t, const char *name, const char *key)
{
	db_run(t->db, &refresh, V(name, key));
	look_again(t->engine);
	page_start(t->engine);
}

void
page_broken(struct turn *t, const struct page *page, const char *reason)
{
	db_run(t->db, &failed, V(reason, t->now + 900, page->name, page->key));
	alarm_page(t, page->name, page->key,
	    db_number(t->db, &failures_of, V(page->name, page->key), 0), reason);
	look_again(t->engine);
	log_event(LOG_WARNING, "page.broken", "page=%s.%s", page->name, page->key);
}

static const struct page_kind *
kind_of(struct engine *e, const char *name, const struct feature **feature)
{
	for (const struct feature *const *f = e->o.features; *f; f++)
		for (const struct page_kind *k = (*f)->pages; k && k->name; k++)
			if (!strcmp(k->name, name)) {
				*feature = *f;
				return k;
			}
	return NULL;
}

struct arrival {
	struct page page;
	enum fetched how;
	const char *etag, *modified, *moved, *cause;
	const struct page_kind *kind;
};

/* New bytes for the feature; it may find them broken, which counts as a failure. */
static bool
understood(struct turn *t, struct arrival *a, struct blob old_hash, const unsigned char *hash)
{
	const char *name = a->page.name, *key = a->page.key;
	int64_t failures = db_number(t->db, &failures_of, V(name, key), 0);

	if (old_hash.length == SEAL_HASH_BYTES && !memcmp(old_hash.bytes, hash, SEAL_HASH_BYTES))
		return true;
	a->kind->came(t, &a->page);
	return db_number(t->db, &failures_of, V(name, key), 0) == failures;
}

static void
arrived(struct turn *t, void *ctx)
{
	struct arrival *a = ctx;
	struct rows *q = db_query(t->db, &get, V(a->page.name, a->page.key));
	unsigned char hash[SEAL_HASH_BYTES];
	int64_t every;
	struct blob old;

	if (!db_next(q))
		return;
	old = db_blob(q, 0);
	every = db_int(q, 1);
	a->page.url = a->moved ? a->moved : db_text(q, 3);
	db_done(q);
	if (a->how == FETCHED_FAILED) {
		page_broken(t, &a->page, a->cause ? a->cause : "no answer");
		return;
	}
	if (a->how == FETCHED_SAME) {
		alarm_page(t, a->page.name, a->page.key, 0, "");
		db_run(
		    t->db, &same, V(t->now, t->now + every, a->moved, a->page.name, a->page.key));
		return;
	}
	seal_hash(t->seal, "page", a->page.bytes, a->page.length, hash);
	if (!understood(t, a, old, hash))
		return;
	alarm_page(t, a->page.name, a->page.key, 0, "");
	db_run(t->db, &came,
	    V(t->now, t->now + every, a->etag, a->modified, ((struct blob){hash, sizeof(hash)}),
		a->moved, a->page.name, a->page.key));
}

static void
arrive(struct engine *e, const char *name, const char *key, struct arrival *a)
{
	struct turn t;
	struct ours ours;
	const struct feature *feature = NULL;

	a->kind = kind_of(e, name, &feature);
	a->page.name = name;
	a->page.key = key;
	db_begin(e->db);
	e->in_transaction = true;
	turn_begin(&t, e, &ours);
	t.feature = feature;
	t.key = key;
	if (!a->kind)
		db_run(e->db, &drop, V(name, key));
	else if (!turn_run(e, &t, arrived, a))
		db_run(
		    e->db, &failed, V("the content could not be stored", t.now + 900, name, key));
	look_again(e);
	outbox_pick(e);
	engine_commit(e);
	arena_forget(e->arena);
	e->o.ports.wake(e->o.ports.ctx, 0);
}

static bool
fetching(struct engine *e, const char *name, const char *key)
{
	for (struct page_slot *s = e->pages; s; s = s->next)
		if (!strcmp(s->name, name) && !strcmp(s->key, key))
			return true;
	return false;
}

void
page_poll(struct engine *e)
{
	static int64_t ticket;
	int64_t now = engine_now_ms(e) / 1000;

	for (int i = 0; page_next_s(e) <= now && i < 100; i++) {
		struct rows *q;
		struct page_slot *s;
		struct engine_fetch fetch = {.body_max = PAGE_MAX};

		db_arena(e->db, e->arena);
		look_again(e);
		db_begin(e->db);
		q = db_query(e->db, &due_one, V(now));
		if (!db_next(q)) {
			db_done(q);
			db_commit(e->db);
			return;
		}
		s = memory_new(sizeof(*s));
		s->name = memory_string(db_text(q, 0));
		s->key = memory_string(db_text(q, 1));
		fetch.url = db_text(q, 2);
		fetch.etag = db_text(q, 3);
		fetch.modified = db_text(q, 4);
		db_done(q);
		db_run(e->db, &set_due, V(now + FETCH_LIMIT_S, s->name, s->key));
		if (!engine_commit(e) || fetching(e, s->name, s->key)) {
			free(s->name);
			free(s->key);
			free(s);
			continue;
		}
		s->ticket = fetch.ticket = ++ticket;
		s->next = e->pages;
		e->pages = s;
		e->o.ports.fetch(e->o.ports.ctx, &fetch);
	}
}

void
engine_fetched(struct engine *e, int64_t ticket, enum fetched how, const void *bytes, size_t length,
    const char *content_type, const char *etag, const char *modified, const char *moved_to,
    const char *cause)
{
	struct arrival a = {
	    .how = how, .etag = etag, .modified = modified, .moved = moved_to, .cause = cause};

	for (struct page_slot **at = &e->pages; *at; at = &(*at)->next) {
		struct page_slot *s = *at;

		if (s->ticket != ticket)
			continue;
		*at = s->next;
		a.page.bytes = bytes;
		a.page.length = length;
		a.page.content_type = content_type;
		arrive(e, s->name, s->key, &a);
		free(s->name);
		free(s->key);
		free(s);
		return;
	}
}

bool
engine_page(struct engine *e, const char *name_or_key, const void *bytes, size_t length)
{
	struct rows *q;
	char name[128] = "", key[128] = "";
	struct arrival a = {.how = FETCHED_NEW};

	db_arena(e->db, e->arena);
	q = db_query(e->db, &by_name, V(name_or_key));
	if (db_next(q)) {
		snprintf(name, sizeof(name), "%s", db_text(q, 0));
		snprintf(key, sizeof(key), "%s", db_text(q, 1));
	}
	db_done(q);
	if (!name[0])
		return false;
	a.page.bytes = bytes;
	a.page.length = length;
	arrive(e, name, key, &a);
	return true;
}

void
page_start(struct engine *e)
{
	look_again(e);
	e->o.ports.wake(e->o.ports.ctx, 0);
}

int64_t
page_next_s(struct engine *e)
{
	if (!e->started || !e->o.ports.fetch)
		return INT64_MAX;
	if (e->next_page_s == INT64_MIN)
		e->next_page_s = db_number(e->db, &soonest, NONE, INT64_MAX);
	return e->next_page_s;
}

void
page_free(struct engine *e)
{
	struct page_slot *s, *next;

	for (s = e->pages; s; s = next) {
		next = s->next;
		free(s->name);
		free(s->key);
		free(s);
	}
	e->pages = NULL;
}

void
page_status(struct turn *t)
{
	struct rows *q = db_query(t->db, &all, NONE);

	while (db_next(q)) {
		int64_t ago = db_int(q, 2) ? (t->now - db_int(q, 2)) / 60 : -1;
		const char *name = arena_print(t->arena, "%s.%s", db_text(q, 0), db_text(q, 1));
		const char *text = ago < 0
				       ? arena_print(t->arena, "never came; failures %d; %s",
					     (int)db_int(q, 3), db_text(q, 4))
				       : arena_print(t->arena, "came %lld min ago; failures %d; %s",
					     (long long)ago, (int)db_int(q, 3), db_text(q, 4));

		status_line(t, name, text,
		    db_int(q, 3) < conf_number(t->conf, "ops", NULL, "feed_failures"));
	}
}
