#include "core/mine.h"

#include "core.h"

#include <stdio.h>
#include <string.h>

enum { TABLES = 96 };

static struct sql tables = {
    "SELECT m.name, f.\"from\" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f"
    " WHERE m.type = 'table' AND f.\"table\" = 'person' ORDER BY m.name, f.\"from\""};
/* What belongs to rows of one's own and names nobody else: the uses and media of a story. */
static struct sql children = {
    "SELECT m.name, f.\"from\", f.\"table\" FROM sqlite_schema m"
    " JOIN pragma_foreign_key_list(m.name) f JOIN pragma_foreign_key_list(f.\"table\") p"
    " WHERE m.type = 'table' AND p.\"table\" = 'person' AND p.\"from\" = 'person'"
    " AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(m.name) x"
    " WHERE x.\"table\" = 'person') ORDER BY 1, 2"};
static struct sql table_columns = {"SELECT name, type = 'BLOB' FROM pragma_table_info(?)"};

/* One statement for each table, kept: the schema does not change while the program runs. */
static struct sql *
select_of(struct turn *t, const char *table, const char *by, const char *parent)
{
	static struct sql made[TABLES];
	static char texts[TABLES][160];
	char text[160];
	int i = 0;

	(void)t;
	if (parent)
		snprintf(text, sizeof(text),
		    "SELECT * FROM \"%s\" WHERE \"%s\" IN (SELECT id FROM \"%s\" WHERE person = ?)",
		    table, by, parent);
	else
		snprintf(text, sizeof(text), "SELECT * FROM \"%s\" WHERE \"%s\" = ?", table, by);
	while (i < TABLES && texts[i][0] && strcmp(texts[i], text))
		i++;
	if (i == TABLES)
		return NULL;
	if (!texts[i][0]) {
		memcpy(texts[i], text, sizeof(text));
		made[i].text = texts[i];
	}
	return &made[i];
}

static void
json_text(struct buf *b, const char *s)
{
	buf_string(b, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_print(b, "\\%c", c);
		else if (c < 0x20)
			buf_print(b, "\\u%04x", c);
		else
			buf_add(b, s, 1);
	}
	buf_string(b, "\"");
}

static void
one_value(struct turn *t, struct buf *b, struct rows *q, int column, bool bytes, int64_t person,
    const char *purpose)
{
	struct blob blob = db_blob(q, column);
	struct blob plain = {NULL, 0};
	const char *own = bytes ? NULL : db_text(q, column);

	if (db_is_null(q, column)) {
		buf_string(b, "null");
		return;
	}
	/* A sealed column opens under its own name, or it is a key or a hash and only its length is
	 * told. */
	if (bytes)
		plain = unseal_person_bytes(t, person, purpose, blob);
	if (plain.bytes && !memchr(plain.bytes, 0, plain.length))
		own = arena_copy(t->arena, plain.bytes, plain.length);
	if (own && text_is_words(own)) {
		json_text(b, own);
	} else if (plain.bytes) {
		buf_string(b, "\"base64:");
		buf_base64(b, plain.bytes, plain.length);
		buf_string(b, "\"");
	} else {
		buf_print(b, "\"(%zu bytes that only the server reads)\"", blob.length);
	}
}

/* A column "table.column" that would tell the one whose row it is of others. */
static bool
of_another(struct turn *t, const char *name)
{
	for (const struct schema *const *s = engine_schemas(t->engine->o.features); *s; s++)
		for (const struct column *c = (*s)->columns; c->name; c++)
			if (c->another && !strcmp(c->name, name))
				return true;
	return false;
}

static void
rows_of(struct turn *t, struct buf *b, const char *table, const char *by, const char *parent,
    int64_t person)
{
	/* A table that names two people stands twice. */
	bool main = parent || !strcmp(by, "person") || !strcmp(table, "person");
	const char *names[40];
	bool bytes[40], another[40];
	int count = 0, n = 0;
	struct rows *q = db_query(t->db, &table_columns, V(table));
	struct sql *select = select_of(t, table, by, parent);

	for (; db_next(q) && count < 40; count++) {
		names[count] = db_text(q, 0);
		bytes[count] = db_int(q, 1);
		another[count] = strcmp(names[count], by) != 0 &&
				 of_another(t, arena_print(t->arena, "%s.%s", table, names[count]));
	}
	buf_print(b, "\"%s%s%s\": [", table, main ? "" : " by ", main ? "" : by);
	q = select ? db_query(t->db, select, V(person)) : NULL;
	while (q && db_next(q)) {
		buf_string(b, n++ ? ",\n  {" : "\n  {");
		for (int i = 0; i < count; i++) {
			buf_print(b, "%s\"%s\": ", i ? ", " : "", names[i]);
			/* Whatever stands there, and where nothing does: the same. */
			if (another[i])
				buf_string(b, "\"(would tell of others)\"");
			else
				one_value(t, b, q, i, bytes[i], person,
				    arena_print(t->arena, "%s.%s", table, names[i]));
		}
		buf_string(b, "}");
	}
	buf_string(b, "]");
}

struct blob
mine_json(struct turn *t, int64_t person)
{
	struct buf b = {.maximum = 32 << 20};
	struct rows *q = db_query(t->db, &tables, NONE);
	struct blob out;

	buf_string(&b, "{\n");
	rows_of(t, &b, "person", "id", NULL, person);
	while (db_next(q)) {
		buf_string(&b, ",\n");
		rows_of(t, &b, db_text(q, 0), db_text(q, 1), NULL, person);
	}
	q = db_query(t->db, &children, NONE);
	while (db_next(q)) {
		buf_string(&b, ",\n");
		rows_of(t, &b, db_text(q, 0), db_text(q, 1), db_text(q, 2), person);
	}
	buf_string(&b, "\n}\n");
	out = (struct blob){arena_copy(t->arena, b.bytes, b.length), b.length};
	buf_free(&b);
	return out;
}
