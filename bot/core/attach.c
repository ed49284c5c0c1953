/* Files kept with things, under the person's key and then under their own. */
#include "core/attach.h"

#include "core.h"

#include <string.h>

#include "base/document.h"

static const char *const attach_steps[] = {
    "CREATE TABLE attachment(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " person INTEGER REFERENCES person(id) ON DELETE CASCADE, ending TEXT NOT NULL,"
    " type TEXT NOT NULL, bytes INTEGER NOT NULL, slot BLOB, content BLOB NOT NULL,"
    " made INTEGER NOT NULL) STRICT;"
    "CREATE INDEX attachment_person ON attachment(person, kind);",
    NULL,
};
#define KEPT "as long as what it is attached to"
static const struct column attach_columns[] = {
    {"attachment.id", "number of a file", KEPT, NOT_PERSONAL},
    {"attachment.kind", "what it is attached to", KEPT, NOT_PERSONAL},
    {"attachment.person", "who is putting it together; nobody once it is published",
	"[retention] draft days", WITH_PERSON},
    {"attachment.ending", "what kind of file", KEPT, NOT_PERSONAL},
    {"attachment.type", "what kind of file", KEPT, NOT_PERSONAL},
    {"attachment.bytes", "how big", KEPT, NOT_PERSONAL},
    {"attachment.slot", "its own key, wrapped; overwritten first", KEPT, WHEN_DONE},
    {"attachment.content", "the file, sealed", KEPT, WHEN_DONE},
    {"attachment.made", "when, to end forgotten ones", KEPT, NOT_PERSONAL},
    {0},
};
const struct schema attach_schema = {"attach", attach_steps, attach_columns};

static struct sql add = {"INSERT INTO attachment(kind, person, ending, type, bytes, content, made)"
			 " VALUES(?, ?, ?, ?, ?, ?, ?)"};
static struct sql pending = {
    "SELECT id, bytes, ending, type FROM attachment WHERE person = ? AND kind = ?"};
static struct sql get = {"SELECT id, bytes, ending, type FROM attachment WHERE id = ?"};
static struct sql content_of = {"SELECT slot, content FROM attachment WHERE id = ?"};
static struct sql settle = {
    "UPDATE attachment SET person = NULL, slot = ?, content = ? WHERE id = ?"};
static struct sql forget = {"DELETE FROM attachment WHERE person = ? AND kind = ?"};
static struct sql wipe = {"UPDATE attachment SET slot = zeroblob(length(slot)) WHERE id = ?"};
static struct sql drop = {"DELETE FROM attachment WHERE id = ?"};
static struct sql total = {"SELECT sum(bytes) FROM attachment WHERE kind = ? AND person IS NULL"};
static struct sql prune = {"DELETE FROM attachment WHERE person IS NOT NULL AND made < ?"};
struct sql *const attach_statements[] = {
    &add, &pending, &get, &content_of, &settle, &forget, &wipe, &drop, &total, &prune, NULL};

#define PURPOSE "attachment.content"

static char *
key_of(struct turn *t, const char *kind)
{
	return arena_print(t->arena, "attach %s", kind);
}

bool
attach_ask(struct turn *t, const char *kind, int64_t most_bytes)
{
	if (!t->media || t->media->kind == MEDIA_OTHER || !t->media->handle ||
	    t->media->bytes > most_bytes)
		return false;
	media_fetch(t, t->media->handle, key_of(t, kind));
	return true;
}

bool
attach_asked(struct turn *t, const char *kind)
{
	return t->key && !strcmp(t->key, key_of(t, kind));
}

struct stripped
attach_clean(struct turn *t, int64_t most_bytes)
{
	const struct media *m = t->media;
	struct stripped clean = {0};
	struct document as;

	if (m->failed || m->bytes <= 0 || m->bytes > most_bytes)
		return clean;
	clean = strip_media(t->arena, m->content, (size_t)m->bytes);
	if (clean.kind == STRIP_NONE) {
		as = document_of(m->content, (size_t)m->bytes);
		clean = (struct stripped){.bytes = m->content,
		    .length = (size_t)m->bytes,
		    .type = as.type,
		    .ending = as.ending};
	}
	return clean;
}

bool
attach_came(struct turn *t, const char *kind, int64_t most_bytes)
{
	struct stripped clean = attach_clean(t, most_bytes);

	if (!clean.type || !people_exists(t, t->subject))
		return false;
	attach_forget(t, t->subject, kind);
	db_run(t->db, &add,
	    V(kind, t->subject, clean.ending, clean.type, (int64_t)clean.length,
		seal_person_bytes(t, t->subject, PURPOSE, (struct blob){clean.bytes, clean.length}),
		t->now));
	return true;
}

static bool
read_row(struct rows *q, struct attachment *a)
{
	bool found = db_next(q);

	if (found)
		*a = (struct attachment){.id = db_int(q, 0),
		    .bytes = db_int(q, 1),
		    .ending = db_text(q, 2),
		    .type = db_text(q, 3)};
	db_done(q);
	return found;
}

bool
attach_pending(struct turn *t, int64_t person, const char *kind, struct attachment *attachment)
{
	return read_row(db_query(t->db, &pending, V(person, kind)), attachment);
}

void
attach_forget(struct turn *t, int64_t person, const char *kind)
{
	db_run(t->db, &forget, V(person, kind));
}

bool
attach_get(struct turn *t, int64_t id, struct attachment *attachment)
{
	return read_row(db_query(t->db, &get, V(id)), attachment);
}

/* Under its own key, or still under its person's. */
static struct blob
plain_of(struct turn *t, int64_t id, int64_t person)
{
	struct rows *q = db_query(t->db, &content_of, V(id));
	struct blob slot, sealed, plain = {NULL, 0};

	if (db_next(q)) {
		slot = db_blob(q, 0);
		sealed = db_blob(q, 1);
		plain = slot.length ? seal_unbox(t->seal, t->arena, slot, id, PURPOSE, sealed)
				    : unseal_person_bytes(t, person, PURPOSE, sealed);
	}
	db_done(q);
	return plain;
}

int64_t
attach_settle(struct turn *t, const char *kind)
{
	struct attachment a;
	struct blob plain, slot;

	if (!attach_pending(t, t->person->id, kind, &a))
		return 0;
	plain = plain_of(t, a.id, t->person->id);
	if (!plain.bytes)
		return 0;
	slot = seal_slot_new(t->seal, t->arena, a.id);
	db_run(
	    t->db, &settle, V(slot, seal_box(t->seal, t->arena, slot, a.id, PURPOSE, plain), a.id));
	return a.id;
}

bool
attach_add(struct turn *t, struct card *card, int64_t id, const char *name)
{
	struct attachment a;
	struct blob plain;
	char *whole;

	if (!attach_get(t, id, &a))
		return false;
	plain = plain_of(t, id, t->person ? t->person->id : PERSON_NOBODY);
	if (!plain.bytes)
		return false;
	whole = arena_print(t->arena, "%s.%s", name, a.ending);
	card_file(card, file_new(t, whole, plain.bytes, plain.length), whole, a.type,
	    arena_print(t->arena, "attach.%lld", (long long)id));
	return true;
}

void
attach_drop(struct turn *t, int64_t id)
{
	db_run(t->db, &wipe, V(id));
	db_run(t->db, &drop, V(id));
}

int64_t
attach_total(struct turn *t, const char *kind)
{
	return db_number(t->db, &total, V(kind), 0);
}

void
attach_prune(struct turn *t)
{
	db_run(t->db, &prune, V(t->now - 86400 * conf_number(t->conf, "retention", NULL, "draft")));
}
