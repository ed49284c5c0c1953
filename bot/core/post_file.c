/* A post's file: sealed in the database, below the state folder while a network still needs it. */
#include "core/post.h"

#include "core.h"
#include "store/place.h"
#include "store/scrub.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const post_file_steps[] = {
    "CREATE TABLE post_file(post INTEGER PRIMARY KEY REFERENCES post(id) ON DELETE CASCADE,"
    " name TEXT NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL) STRICT;",
    NULL,
};
#define RETENTION "3 days after the end of its post"
static const struct column post_file_columns[] = {
    {"post_file.post", "which post", RETENTION, NOT_PERSONAL},
    {"post_file.name", "what the file is called", RETENTION, NOT_PERSONAL},
    {"post_file.type", "what kind of file", RETENTION, NOT_PERSONAL},
    {"post_file.body", "the file sent to many, sealed", RETENTION, NOT_PERSONAL},
    {0},
};
const struct schema post_file_schema = {"post_file", post_file_steps, post_file_columns};

static struct sql add = {
    "INSERT OR REPLACE INTO post_file(post, name, type, body) VALUES(?, ?, ?, ?)"};
static struct sql get = {"SELECT name, type, body FROM post_file WHERE post = ?"};
/* Of the words in its place: the file that stays with them. */
static struct sql named = {
    "SELECT f.name, f.type, f.post FROM post p JOIN post_file f ON f.post = iif(p.op = 1,"
    " p.original, p.id) WHERE p.id = ?"};
static struct sql has = {"SELECT 1 FROM post_file WHERE post = ?"};
static struct sql uploaded = {"SELECT 1 FROM uploaded WHERE network = ? AND key = ?"};
struct sql *const post_file_statements[] = {&add, &get, &named, &has, &uploaded, NULL};

#define PURPOSE "post_file.body"

static const char *
key_of(struct turn *t, int64_t post)
{
	return arena_print(t->arena, "post.%lld", (long long)post);
}

static const char *
path_of(struct turn *t, int64_t post)
{
	return arena_print(
	    t->arena, "%s/files/post-%lld", t->engine->o.state_folder, (long long)post);
}

/* Its bytes; none when there is no file. */
static struct blob
open_file(struct turn *t, int64_t post, const char **name, const char **type)
{
	struct rows *q = db_query(t->db, &get, V(post));
	struct blob plain = {NULL, 0};

	if (!db_next(q))
		return plain;
	*name = db_text(q, 0);
	*type = db_text(q, 1);
	plain = seal_unbox(t->seal, t->arena, (struct blob){NULL, 0}, post, PURPOSE, db_blob(q, 2));
	db_done(q);
	return plain;
}

void
post_file(struct turn *t, int64_t post, const char *name, const char *type, struct blob bytes)
{
	db_run(t->db, &add,
	    V(post, name, type,
		seal_box(t->seal, t->arena, (struct blob){NULL, 0}, post, PURPOSE, bytes)));
}

void
post_file_copy(struct turn *t, int64_t from, int64_t to)
{
	const char *name, *type;
	struct blob bytes = open_file(t, from, &name, &type);

	if (bytes.bytes)
		post_file(t, to, name, type, bytes);
}

bool
post_has_file(struct turn *t, int64_t post)
{
	return db_exists(t->db, &has, V(post));
}

bool
post_file_uploaded(struct turn *t, int64_t post, const struct network *n)
{
	return db_exists(t->db, &uploaded, V(n->number, key_of(t, post)));
}

struct blob
post_file_hash(struct turn *t, int64_t post)
{
	const char *name, *type;
	struct blob bytes = open_file(t, post, &name, &type), all;
	struct buf b = {.maximum = 64 << 20};
	unsigned char *hash;

	if (!bytes.bytes)
		return bytes;
	hash = arena_alloc(t->arena, SEAL_HASH_BYTES);
	buf_print(&b, "%s\n%s\n", name, type);
	buf_add(&b, bytes.bytes, bytes.length);
	all = (struct blob){b.bytes, b.length};
	seal_hash(t->seal, PURPOSE, all.bytes, all.length, hash);
	buf_free(&b);
	return (struct blob){hash, SEAL_HASH_BYTES};
}

void
post_file_add(struct turn *t, int64_t post, struct card *card)
{
	struct rows *q = db_query(t->db, &named, V(post));

	if (!db_next(q))
		return;
	card_file(card, arena_print(t->arena, "files/post-%lld", (long long)db_int(q, 2)),
	    db_text(q, 0), db_text(q, 1), key_of(t, db_int(q, 2)));
	db_done(q);
}

void
post_file_lay(struct turn *t, int64_t post)
{
	const char *name, *type, *path = path_of(t, post), *part;
	struct blob bytes;
	struct stat st;
	bool whole;
	int fd;

	if (!stat(path, &st))
		return;
	bytes = open_file(t, post, &name, &type);
	if (!bytes.bytes)
		return;
	part = arena_print(t->arena, "%s.part", path);
	place_folder(arena_print(t->arena, "%s/files", t->engine->o.state_folder));
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	whole = fd >= 0 && write(fd, bytes.bytes, bytes.length) == (ssize_t)bytes.length;
	if (fd >= 0)
		close(fd);
	if (whole && !rename(part, path))
		return;
	scrub_unlink(part);
	turn_fail(t, "post: its file could not be laid below the state folder");
}

void
post_file_lift(struct turn *t, int64_t post)
{
	if (post_has_file(t, post))
		scrub_unlink(path_of(t, post));
}
