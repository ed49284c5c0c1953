/* The picture or file that goes with an announcement: sent to the bot, cleaned of what it tells
 * about its maker, kept sealed under the author's key until the announcement is handed in. */
#include "compose.h"

#include <string.h>

#include "base/conf.h"
#include "base/text.h"
#include "base/words.h"
#include "core/attach.h"

extern const struct feature feature_enclose;

static const char *const steps[] = {
    "CREATE TABLE enclosed(person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " kind TEXT NOT NULL, name BLOB NOT NULL, type TEXT NOT NULL, content BLOB,"
    " changed INTEGER NOT NULL, PRIMARY KEY(person, kind)) STRICT;",
    NULL,
};
#define RETENTION "until handed in; [retention] draft days"
static const struct column columns[] = {
    {"enclosed.person", "who is writing", RETENTION, WITH_PERSON},
    {"enclosed.kind", "what it goes with", RETENTION, WITH_PERSON},
    {"enclosed.name", "what the file is called, sealed", RETENTION, KEY_GONE},
    {"enclosed.type", "what kind of file", RETENTION, WITH_PERSON},
    {"enclosed.content", "the file, sealed; none while it is on its way", RETENTION, KEY_GONE},
    {"enclosed.changed", "when, to end forgotten ones", RETENTION, WITH_PERSON},
    {0},
};
static const struct schema schema = {"enclose", steps, columns};

static struct sql set = {"INSERT OR REPLACE INTO enclosed(person, kind, name, type, content,"
			 " changed) VALUES(?, ?, ?, ?, ?, ?)"};
static struct sql get = {"SELECT name, type, content FROM enclosed WHERE person = ? AND kind = ?"
			 " AND content IS NOT NULL"};
static struct sql coming = {
    "SELECT name FROM enclosed WHERE person = ? AND kind = ? AND content IS NULL"};
static struct sql drop = {"DELETE FROM enclosed WHERE person = ? AND kind = ?"};
static struct sql prune_old = {"DELETE FROM enclosed WHERE changed < ?"};
static struct sql *const statements[] = {&set, &get, &coming, &drop, &prune_old, NULL};

enum { DAY = 86400, NAME_MOST = 60 };

static int64_t
most_kb(struct turn *t)
{
	return conf_number(t->conf, "announce", NULL, "file_kb");
}

bool
enclose_get(struct turn *t, const char *kind, struct enclosed *file)
{
	struct rows *q = db_query(t->db, &get, V(t->person->id, kind));

	if (!db_next(q))
		return false;
	file->name = unseal_person(t, t->person->id, "enclosed.name", db_blob(q, 0));
	file->type = db_text(q, 1);
	file->bytes = unseal_person_bytes(t, t->person->id, "enclosed.content", db_blob(q, 2));
	db_done(q);
	return file->name && file->bytes.bytes;
}

const char *
enclose_name(struct turn *t, const char *kind)
{
	struct enclosed file;

	return enclose_get(t, kind, &file) ? file.name : "";
}

void
enclose_drop(struct turn *t, const char *kind)
{
	db_run(t->db, &drop, V(t->person->id, kind));
}

void
enclose_show(struct turn *t, struct card *card)
{
	struct enclosed file;

	/* No key: the draft may yet change or be thrown away; the announcement's own file has one. */
	if (enclose_get(t, compose_kind(t), &file))
		card_file(card, file_new(t, file.name, file.bytes.bytes, file.bytes.length),
		    file.name, file.type, NULL);
}

/* ---- the question ---- */

void
enclose_take(struct turn *t)
{
	const struct feature *was = t->feature;

	if (t->media->kind == MEDIA_OTHER || !t->media->handle ||
	    t->media->bytes > 1024 * most_kb(t)) {
		say(t, words_n(t, "enclose.bad", most_kb(t) / 1024, NULL));
		return;
	}
	/* The bytes come in a turn that does not know the name. */
	db_run(t->db, &set,
	    V(t->person->id, compose_kind(t),
		seal_person(t, t->person->id, "enclosed.name",
		    t->media->name && t->media->name[0] ? t->media->name : "file"),
		"", VNULL, t->now));
	t->feature = &feature_enclose; /* it is the one that hears of the bytes */
	media_fetch(t, t->media->handle, arena_print(t->arena, "enclose %s", compose_kind(t)));
	t->feature = was;
	say(t, words(t, "enclose.comes", NULL));
}

void
enclose_ask(struct turn *t)
{
	const char *name = enclose_name(t, compose_kind(t));
	bool comes = db_exists(t->db, &coming, V(t->person->id, compose_kind(t)));
	struct card *card = comes || *name ? words(t, "enclose.again", NULL)
					   : words_n(t, "enclose.ask", most_kb(t) / 1024, NULL);

	if (comes) {
		choose_answer(t, card, "enclose.go_on", "go");
		choose_answer(t, card, "enclose.remove", "remove");
	} else if (*name) {
		card_paragraph(card, words(t, "enclose.so_far", "name", name, NULL));
		choose_answer(t, card, "enclose.keep", "go");
		choose_answer(t, card, "enclose.remove", "remove");
	} else {
		choose_answer(t, card, "enclose.none", "go");
	}
	say(t, card);
}

/* One message on every network: a picture's words may be fewer than a message's. */
static bool
fits(struct turn *t)
{
	struct enclosed file;
	bool with = enclose_get(t, compose_kind(t), &file);

	for (int i = 0; i < words_count(t->words); i++) {
		const char *language = words_language(t->words, i);
		const char *text = compose_get(t, arena_print(t->arena, "text.%s", language));
		struct card *card = announce_card(t, language, text, language, t->person->org, 1);

		if (with)
			card_file(card, "", file.name, file.type, NULL);
		if (*text && !post_fits(t, card))
			return false;
	}
	return true;
}

enum next
enclose_answer(struct turn *t)
{
	if (t->media) {
		enclose_take(t);
		return AGAIN;
	}
	if (t->chosen && !strcmp(t->value, "remove")) {
		enclose_drop(t, compose_kind(t));
		return AGAIN;
	}
	if (!t->chosen || strcmp(t->value, "go")) {
		say(t, words(t, "relay.tap", NULL));
		return AGAIN;
	}
	if (db_exists(t->db, &coming, V(t->person->id, compose_kind(t)))) {
		say(t, words(t, "enclose.wait", NULL));
		return AGAIN;
	}
	if (!fits(t)) {
		say(t, words(t, "enclose.too_long", NULL));
		return AGAIN;
	}
	return NEXT;
}

/* ---- it came ---- */

static bool
begins(const struct media *m, const char *magic)
{
	size_t n = strlen(magic);

	return m->bytes >= (int64_t)n && !memcmp(m->content, magic, n);
}

/* Pictures and sound without their metadata; documents of two kinds as they are. A picture's own
 * name may tell about its maker too. */
static bool
accept(struct turn *t, const char *name, struct enclosed *file)
{
	struct stripped clean = attach_clean(t, 1024 * most_kb(t));

	if (clean.kind != STRIP_NONE)
		name = arena_print(t->arena, "alumhub.%s", clean.ending);
	else if (clean.bytes && begins(t->media, "BEGIN:VCALENDAR"))
		clean.type = "text/calendar";
	*file = (struct enclosed){name, clean.type, {clean.bytes, clean.length}};
	return file->type && strcmp(file->type, "text/plain");
}

/* No folders, no line ends, nothing that a file system or a header would read as more. */
static const char *
clean_name(struct turn *t, const char *name)
{
	const char *slash = strrchr(name, '/');
	char *out = arena_copy(
	    t->arena, slash ? slash + 1 : name, text_cut(slash ? slash + 1 : name, NAME_MOST));

	for (char *c = out; *c; c++)
		if ((unsigned char)*c < 0x20 || strchr("\\\"<>:|?*", *c))
			*c = '_';
	return *out && *out != '.' ? out : "file";
}

static void
came(struct turn *t)
{
	const char *language = language_of(t, t->subject), *kind, *name;
	struct enclosed file;
	struct rows *q;
	bool kept;

	if (!t->key || strncmp(t->key, "enclose ", 8))
		return;
	kind = t->key + 8;
	q = db_query(t->db, &coming, V(t->subject, kind));
	if (!db_next(q))
		return; /* taken away or thrown away meanwhile */
	name = unseal_person(t, t->subject, "enclosed.name", db_blob(q, 0));
	db_done(q);
	db_run(t->db, &drop, V(t->subject, kind));
	kept = name && accept(t, clean_name(t, name), &file);
	if (kept)
		db_run(t->db, &set,
		    V(t->subject, kind, seal_person(t, t->subject, "enclosed.name", file.name),
			file.type, seal_person_bytes(t, t->subject, "enclosed.content", file.bytes),
			t->now));
	tell(t, t->subject, CLASS_REPLY, 0,
	    kept ? words_in(t, language,
		       strncmp(file.type, "image/", 6) ? "enclose.kept" : "enclose.kept_clean",
		       "name", file.name, NULL)
		 : words_n_in(t, language, "enclose.bad", most_kb(t) / 1024, NULL));
}

static void
happened(struct turn *t, enum happening what)
{
	if (what == HAPPENED_MEDIA)
		came(t);
}

static void
prune(struct turn *t)
{
	db_run(
	    t->db, &prune_old, V(t->now - DAY * conf_number(t->conf, "retention", NULL, "draft")));
}

static const struct conf_key settings[] = {
    {.section = "announce",
	.key = "file_kb",
	.kind = CONF_NUMBER,
	.least = 1024,
	.most = 10240,
	.otherwise = "4096"},
    {0},
};
static const struct job jobs[] = {
    {.name = "enclose.prune", .every_s = DAY, .run = prune},
    {0},
};

const struct feature feature_enclose = {
    .name = "enclose",
    .schema = &schema,
    .statements = statements,
    .settings = settings,
    .jobs = jobs,
    .happened = happened,
};
