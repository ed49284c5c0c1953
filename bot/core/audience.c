/* Audiences: chips as one condition in SQL, so that what is counted is what is frozen. */
#include "core/audience.h"

#include "core.h"

#include <stdlib.h>
#include <string.h>

static const char *const audience_steps[] = {
    "CREATE TABLE tag(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " tag TEXT NOT NULL, PRIMARY KEY(person, tag)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX tag_tag ON tag(tag);",
    NULL,
};
static const struct column audience_columns[] = {
    {"tag.person", "who chose it or takes part", "until taken away", WITH_PERSON},
    {"tag.tag", "a topic, region, event or group that posts go to", "until taken away",
	WITH_PERSON},
    {0},
};
const struct schema audience_schema = {"audience", audience_steps, audience_columns};

static struct sql counts = {"SELECT " AUDIENCE_LANGUAGE ", p.org, " AUDIENCE_SKIP ", count(*)"
			    " FROM person p WHERE " AUDIENCE_HOLDS " GROUP BY 1, 2, 3"
			    " ORDER BY 1, 2, 3"};
static struct sql networks = {
    "SELECT network, count(*) FROM (SELECT " AUDIENCE_NETWORK " AS network FROM person p"
    " WHERE " AUDIENCE_HOLDS " AND " AUDIENCE_SKIP " = 0) GROUP BY 1 ORDER BY 1"};
static struct sql has = {
    "SELECT 1 FROM person p WHERE p.id = ?13 AND " AUDIENCE_HOLDS " AND " AUDIENCE_SKIP " = 0"};
static struct sql add = {"INSERT OR IGNORE INTO tag(person, tag) VALUES(?, ?)"};
static struct sql drop = {"DELETE FROM tag WHERE person = ? AND tag = ?"};
static struct sql get = {"SELECT 1 FROM tag WHERE person = ? AND tag = ?"};
static struct sql forget = {"DELETE FROM tag WHERE tag = ?"};
struct sql *const audience_statements[] = {
    &counts, &networks, &has, &add, &drop, &get, &forget, NULL};

enum { LISTS = 6 };

/* "a b" as ["a","b"]: ids only, so nothing in it needs an escape. */
static const char *
as_json(struct arena *arena, const char *list)
{
	struct buf b = {.maximum = 64 * 1024};
	const char *out;

	buf_add(&b, "[", 1);
	while (list && *list) {
		size_t n = strcspn(list, " ");

		if (n && !memchr(list, '"', n) && !memchr(list, '\\', n))
			buf_print(&b, "%s\"%.*s\"", b.length > 1 ? "," : "", (int)n, list);
		list += n;
		list += strspn(list, " ");
	}
	buf_add(&b, "]", 1);
	out = arena_copy(arena, b.bytes, b.length);
	buf_free(&b);
	return out;
}

void
audience_values(struct turn *t, const struct audience *a, int64_t at, struct value *values)
{
	const char *lists[LISTS] = {
	    a->orgs, a->languages, a->regions, a->topics, a->events, a->groups};
	size_t n = 0;

	for (; n < LISTS; n++)
		values[n] = value_text(as_json(t->arena, lists[n]));
	values[n++] = value_integer((int64_t)a->roles);
	values[n++] = value_text(a->consent ? a->consent : "");
	values[n++] = value_integer(a->within);
	values[n++] = value_integer(at);
	values[n++] = value_text(words_language(t->words, 0));
	values[n++] = value_text(as_json(t->arena, a->instead));
	values[n] = (struct value){.kind = VALUE_END};
}

void
audience_each(struct turn *t, const struct audience *audience, int64_t at,
    void (*each)(struct turn *t, const struct audience_count *count, void *ctx), void *ctx)
{
	struct value values[AUDIENCE_VALUES + 1];
	struct rows *q;

	audience_values(t, audience, at, values);
	q = db_query(t->db, &counts, values);
	while (db_next(q)) {
		struct audience_count count = {
		    db_text(q, 0), db_text(q, 1), (enum skip)db_int(q, 2), db_int(q, 3)};

		each(t, &count, ctx);
	}
}

void
audience_networks(struct turn *t, const struct audience *audience, int64_t at,
    void (*each)(struct turn *t, const char *network, int64_t n, void *ctx), void *ctx)
{
	struct value values[AUDIENCE_VALUES + 1];
	struct rows *q;

	audience_values(t, audience, at, values);
	q = db_query(t->db, &networks, values);
	while (db_next(q))
		each(t, db_text(q, 0), db_int(q, 1), ctx);
}

static void
add_up(struct turn *t, const struct audience_count *count, void *ctx)
{
	(void)t;
	if (count->skip == SKIP_NONE)
		*(int64_t *)ctx += count->n;
}

int64_t
audience_size(struct turn *t, const struct audience *audience, int64_t at)
{
	int64_t sum = 0;

	audience_each(t, audience, at, add_up, &sum);
	return sum;
}

bool
audience_has(struct turn *t, const struct audience *audience, int64_t at, int64_t person)
{
	struct value values[AUDIENCE_VALUES + 2];

	audience_values(t, audience, at, values);
	values[AUDIENCE_VALUES] = value_integer(person);
	values[AUDIENCE_VALUES + 1] = (struct value){.kind = VALUE_END};
	return db_exists(t->db, &has, values);
}

#define OR_NONE(list) ((list) ? (list) : "")

const char *
audience_pack(struct turn *t, const struct audience *a)
{
	return arena_print(t->arena, "%s|%s|%s|%s|%s|%s|%u|%s|%lld|%s", OR_NONE(a->orgs),
	    OR_NONE(a->languages), OR_NONE(a->regions), OR_NONE(a->topics), OR_NONE(a->events),
	    OR_NONE(a->groups), a->roles, OR_NONE(a->consent), (long long)a->within,
	    OR_NONE(a->instead));
}

static const char *
field(struct turn *t, const char **at)
{
	size_t n = strcspn(*at, "|");
	const char *out = arena_copy(t->arena, *at, n);

	*at += n + ((*at)[n] == '|');
	return out;
}

struct audience
audience_unpack(struct turn *t, const char *packed)
{
	const char *at = packed;
	struct audience a = {0};

	a.orgs = field(t, &at);
	a.languages = field(t, &at);
	a.regions = field(t, &at);
	a.topics = field(t, &at);
	a.events = field(t, &at);
	a.groups = field(t, &at);
	a.roles = (unsigned)strtoul(field(t, &at), NULL, 10);
	a.consent = field(t, &at);
	a.within = strtoll(field(t, &at), NULL, 10);
	a.instead = field(t, &at);
	return a;
}

void
audience_tag(struct turn *t, int64_t person, const char *tag, bool on)
{
	db_run(t->db, on ? &add : &drop, V(person, tag));
}

bool
audience_tagged(struct turn *t, int64_t person, const char *tag)
{
	return db_exists(t->db, &get, V(person, tag));
}

void
audience_forget(struct turn *t, const char *tag)
{
	db_run(t->db, &forget, V(tag));
}
