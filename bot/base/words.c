/* The catalogue: JSON read once, every entry cut into pieces, plural forms by CLDR. */
#include "base/words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <unicode/upluralrules.h>

#include "base/arena.h"
#include "base/card.h"
#include "base/memory.h"
#include "base/text.h"

/* CLDR's plural categories; a plain string has the first alone. */
enum { OTHER, ZERO, ONE, TWO, FEW, MANY, FORMS };
static const char *const form_names[FORMS] = {"other", "zero", "one", "two", "few", "many"};

struct part {
	const char *text; /* of a literal, or the name of a hole */
	unsigned style;
	bool hole;
};

struct form {
	struct part *parts;
	int count;
	const char *raw; /* NULL: the entry has no such form */
};

struct entry {
	const char *key;
	struct form *forms;
	int form_count; /* FORMS, or 1 for a plain string */
};

static bool
is_plural(const struct entry *e)
{
	return e->form_count == FORMS;
}

struct language {
	char code[8];
	struct entry *entries; /* sorted by key */
	size_t count;
	UPluralRules *rules;
};

struct words {
	struct arena *arena; /* of all entries: they come and go together */
	struct language languages[WORDS_LANGUAGES];
	int count;
};

/* ---- one string into pieces ---- */

/* The pieces of one form as they are found; a form has few. */
struct pieces {
	struct arena *arena;
	struct part *parts;
	int count, room;
};

static void
add_part(struct pieces *p, const char *text, size_t length, unsigned style, bool hole)
{
	if (!length)
		return;
	if (p->count == p->room) {
		p->room = p->room ? 2 * p->room : 16;
		p->parts = memory_resize(p->parts, (size_t)p->room * sizeof(*p->parts));
	}
	p->parts[p->count++] = (struct part){arena_copy(p->arena, text, length), style, hole};
}

static size_t
hole_length(const char *s)
{
	size_t n = 1;

	while (islower((unsigned char)s[n]) || isdigit((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n > 1 && s[n] == '}' ? n + 1 : 0;
}

static void
parse_form(struct pieces *pieces, struct form *f, const char *s)
{
	static const struct {
		const char *tag;
		unsigned on, off;
	} tags[] = {{"<b>", SPAN_BOLD, 0}, {"</b>", 0, SPAN_BOLD}, {"<i>", SPAN_ITALIC, 0},
	    {"</i>", 0, SPAN_ITALIC}, {"<code>", SPAN_CODE, 0}, {"</code>", 0, SPAN_CODE}};
	enum { TAGS = sizeof(tags) / sizeof(*tags) };
	const char *from = s, *whole = s;
	unsigned style = 0;

	pieces->count = 0;
	while (*s) {
		size_t n = *s == '{' ? hole_length(s) : 0, tag = 0;

		for (; *s == '<' && tag < TAGS; tag++)
			if (!strncmp(s, tags[tag].tag, strlen(tags[tag].tag)))
				break;
		if (n) {
			add_part(pieces, from, (size_t)(s - from), style, false);
			add_part(pieces, s + 1, n - 2, style, true);
			from = s += n;
		} else if (*s == '<' && tag < TAGS) {
			add_part(pieces, from, (size_t)(s - from), style, false);
			style = (style | tags[tag].on) & ~tags[tag].off;
			from = s += strlen(tags[tag].tag);
		} else {
			s++;
		}
	}
	add_part(pieces, from, (size_t)(s - from), style, false);
	f->count = pieces->count;
	f->parts = arena_alloc(pieces->arena, (size_t)f->count * sizeof(*f->parts));
	if (f->count)
		memcpy(f->parts, pieces->parts, (size_t)f->count * sizeof(*f->parts));
	/* A form of one piece without markup is that piece. */
	f->raw = f->count == 1 && !f->parts[0].hole && !strcmp(f->parts[0].text, whole)
		     ? f->parts[0].text
		     : arena_string(pieces->arena, whole);
}

/* ---- reading ---- */

struct trouble {
	void (*say)(void *ctx, const char *what);
	void *ctx;
	char file[512]; /* that is looked at */
	int count;
};

static void
look_at(struct trouble *t, const char *folder, const char *name)
{
	snprintf(t->file, sizeof(t->file), "%s/%s.json", folder, name);
}

static char *
read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct buf b = {.maximum = 4 << 20};
	char chunk[8192];
	size_t n;

	if (!f)
		return NULL;
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&b, chunk, n);
	fclose(f);
	if (!b.bytes)
		b.bytes = memory_new(1);
	return b.bytes;
}

static int
line_of(const char *file, const char *key)
{
	char quoted[160], *bytes = read_file(file);
	const char *at;
	int line = 1;

	snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	at = bytes ? strstr(bytes, quoted) : NULL;
	for (const char *p = bytes; at && p < at; p++)
		line += *p == '\n';
	free(bytes);
	return at ? line : 0;
}

static void
complain(struct trouble *t, const char *key, const char *format, const char *a, const char *b)
{
	char what[256], whole[800];

	/* The formats are this file's own. */
	if (!strcmp(format, "missing"))
		snprintf(what, sizeof(what), "the key is missing here, it stands in %s", a);
	else if (!strcmp(format, "unknown"))
		snprintf(what, sizeof(what), "the key is not in %s", a);
	else if (!strcmp(format, "type"))
		snprintf(what, sizeof(what), "expected a string or plural forms%s%s", a, b);
	else if (!strcmp(format, "form"))
		snprintf(what, sizeof(what), "expected the plural form \"%s\"%s", a, b);
	else if (!strcmp(format, "form-unknown"))
		snprintf(what, sizeof(what), "the language has no plural form \"%s\"%s", a, b);
	else if (!strcmp(format, "hole"))
		snprintf(what, sizeof(what), "expected the hole {%s}%s", a, b);
	else if (!strcmp(format, "hole-unknown"))
		snprintf(what, sizeof(what), "the English entry has no hole {%s}%s", a, b);
	else if (!strcmp(format, "plural"))
		snprintf(what, sizeof(what), "expected %s as in English%s", a, b);
	else if (!strcmp(format, "imperative"))
		snprintf(what, sizeof(what),
		    "\"%s\" addresses one gender; a verbal noun is expected%s", a, b);
	else
		snprintf(what, sizeof(what), "%s%s%s", format, a, b);
	snprintf(whole, sizeof(whole), "%s:%d: %s: %s", t->file, line_of(t->file, key), key, what);
	t->count++;
	t->say(t->ctx, whole);
}

static bool
used_form(const char *language, int form)
{
	/* CLDR cardinal categories of the languages this bot may speak; others have one and other.
	 */
	if (!strcmp(language, "ar"))
		return true;
	if (!strcmp(language, "he"))
		return form == ONE || form == TWO || form == OTHER;
	return form == ONE || form == OTHER;
}

static void
read_entry(
    struct language *l, struct pieces *pieces, struct trouble *t, const char *key, json_t *value)
{
	struct entry *e = &l->entries[l->count++];
	const char *name;
	json_t *text;

	e->key = arena_string(pieces->arena, key);
	e->form_count = json_is_string(value) ? 1 : FORMS;
	e->forms = arena_alloc(pieces->arena, (size_t)e->form_count * sizeof(*e->forms));
	if (json_is_string(value)) {
		parse_form(pieces, &e->forms[OTHER], json_string_value(value));
		return;
	}
	if (!json_is_object(value)) {
		complain(t, key, "type", "", "");
		parse_form(pieces, &e->forms[OTHER], "");
		return;
	}
	json_object_foreach(value, name, text) {
		int i = 0;

		while (i < FORMS && strcmp(form_names[i], name))
			i++;
		if (i == FORMS || !json_is_string(text) || !used_form(l->code, i))
			complain(t, key, "form-unknown", name, "");
		else
			parse_form(pieces, &e->forms[i], json_string_value(text));
	}
	for (int i = 0; i < FORMS; i++)
		if (used_form(l->code, i) && !e->forms[i].raw) {
			complain(t, key, "form", form_names[i], "");
			parse_form(
			    pieces, &e->forms[i], e->forms[OTHER].raw ? e->forms[OTHER].raw : "");
		}
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

/* The files stand in order already; one that does not is put in order. */
static void
sort_entries(struct language *l)
{
	for (size_t i = 1; i < l->count; i++)
		if (by_key(&l->entries[i - 1], &l->entries[i]) > 0) {
			qsort(l->entries, l->count, sizeof(*l->entries), by_key);
			return;
		}
}

static bool
read_language(struct language *l, struct pieces *pieces, const char *folder, const char *code,
    struct trouble *t)
{
	json_error_t error;
	json_t *root, *value;
	const char *key;
	UErrorCode status = U_ZERO_ERROR;
	char *bytes;

	snprintf(l->code, sizeof(l->code), "%s", code);
	l->rules = uplrules_open(code, &status);
	look_at(t, folder, code);
	bytes = read_file(t->file);
	if (!bytes) {
		complain(t, code, "cannot be read; expected a file of words", "", "");
		return false;
	}
	root = json_loads(bytes, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(root)) {
		char what[700];

		snprintf(what, sizeof(what), "%s:%d: %s", t->file, root ? 1 : error.line,
		    root ? "expected one object of keys" : error.text);
		t->count++;
		t->say(t->ctx, what);
		json_decref(root);
		free(bytes);
		return false;
	}
	l->entries = arena_alloc(pieces->arena, json_object_size(root) * sizeof(*l->entries));
	json_object_foreach(root, key, value)
		if (key[0] != '_')
			read_entry(l, pieces, t, key, value);
	json_decref(root);
	free(bytes);
	sort_entries(l);
	return true;
}

static const struct entry *
find(const struct language *l, const char *key)
{
	struct entry want = {.key = key};

	if (!l->count)
		return NULL;
	return bsearch(&want, l->entries, l->count, sizeof(*l->entries), by_key);
}

/* ---- checking against English ---- */

static bool
has_hole(const struct form *f, const char *name)
{
	for (int i = 0; i < f->count; i++)
		if (f->parts[i].hole && !strcmp(f->parts[i].text, name))
			return true;
	return false;
}

static bool
has_hole_anywhere(const struct entry *e, const char *name)
{
	for (int i = 0; i < e->form_count; i++)
		if (has_hole(&e->forms[i], name))
			return true;
	return false;
}

static void
check_form(
    struct trouble *t, const struct entry *e, const struct form *f, const struct entry *english)
{
	if (!f->raw)
		return;
	if (!text_balanced(f->raw))
		complain(t, e->key, "an isolate is not closed, or there is an embedding", "", "");
	for (int i = 0; i < f->count; i++)
		if (f->parts[i].hole && strcmp(f->parts[i].text, "n") &&
		    !has_hole_anywhere(english, f->parts[i].text))
			complain(t, e->key, "hole-unknown", f->parts[i].text, "");
	for (int k = 0; k < english->forms[OTHER].count; k++) {
		const struct part *p = &english->forms[OTHER].parts[k];

		/* "one" and "two" may say the number as a word. */
		if (p->hole && strcmp(p->text, "n") && !has_hole(f, p->text))
			complain(t, e->key, "hole", p->text, "");
	}
}

static void
check_entry(struct trouble *t, const struct entry *e, const struct entry *english)
{
	if (is_plural(e) != is_plural(english))
		complain(t, e->key, "plural", is_plural(english) ? "plural forms" : "a string", "");
	for (int k = 0; k < e->form_count; k++)
		check_form(t, e, &e->forms[k], english);
}

/* Both stand in order of their keys. */
static void
check_language(
    struct trouble *t, const struct language *l, const struct language *english, const char *folder)
{
	char reference[64];
	size_t i = 0, k = 0;

	look_at(t, folder, l->code);
	snprintf(reference, sizeof(reference), "%s.json", english->code);
	while (i < l->count || k < english->count) {
		const struct entry *e = &l->entries[i], *en = &english->entries[k];
		int order = i == l->count ? 1 : k == english->count ? -1 : by_key(e, en);

		if (order < 0)
			complain(t, e->key, "unknown", reference, "");
		else if (order > 0)
			complain(t, en->key, "missing", reference, "");
		else
			check_entry(t, e, en);
		i += order <= 0;
		k += order >= 0;
	}
}

static bool
word_edge(const char *text, const char *at, size_t n)
{
	/* A letter of any script has a first byte above 0x7f or is a-z: enough for whole words. */
	unsigned char before = at > text ? (unsigned char)at[-1] : ' ',
		      after = (unsigned char)at[n];

	return !(before >= 0x80 && before != 0xa9 && before != 0xa8) && !isalnum(before) &&
	       !(after >= 0xd6 && after <= 0xdf) && !isalnum(after);
}

static void
check_imperatives(struct trouble *t, const struct words *w, const char *folder)
{
	char *bytes;
	json_t *root;

	look_at(t, folder, "imperatives");
	bytes = read_file(t->file);
	root = bytes ? json_loads(bytes, 0, NULL) : NULL;
	for (int i = 0; root && i < w->count; i++) {
		const struct language *l = &w->languages[i];
		json_t *list = json_object_get(root, l->code), *word;
		size_t k;

		look_at(t, folder, l->code);
		json_array_foreach(list, k, word) {
			const char *text = json_string_value(word);

			for (size_t e = 0; text && e < l->count; e++)
				for (int f = 0; f < l->entries[e].form_count; f++) {
					const char *raw = l->entries[e].forms[f].raw, *at;

					at = raw && strncmp(l->entries[e].key, "command.", 8)
						 ? strstr(raw, text)
						 : NULL;
					if (at && word_edge(raw, at, strlen(text)))
						complain(
						    t, l->entries[e].key, "imperative", text, "");
				}
		}
	}
	json_decref(root);
	free(bytes);
}

static struct words *
load(const char *folder, const char *const *languages, struct trouble *t)
{
	struct words *w = memory_new(sizeof(*w));
	struct pieces pieces = {.arena = arena_new()};
	const struct language *english;

	w->arena = pieces.arena;
	for (; *languages && w->count < WORDS_LANGUAGES; languages++)
		read_language(&w->languages[w->count++], &pieces, folder, *languages, t);
	free(pieces.parts);
	english = &w->languages[0];
	for (int i = 0; i < w->count; i++)
		if (!strcmp(w->languages[i].code, "en"))
			english = &w->languages[i];
	for (int i = 0; i < w->count; i++)
		if (w->languages[i].count && english->count)
			check_language(t, &w->languages[i], english, folder);
	return w;
}

static void
first_trouble(void *ctx, const char *what)
{
	char **why = ctx;

	if (!*why)
		*why = memory_string(what);
}

struct words *
words_load(const char *folder, const char *const *languages, char **why)
{
	struct trouble t = {.say = first_trouble, .ctx = why};
	struct words *w;

	*why = NULL;
	w = load(folder, languages, &t);
	if (!t.count)
		return w;
	words_free(w);
	return NULL;
}

int
words_check(const char *folder, const char *const *languages,
    void (*problem)(void *ctx, const char *what), void *ctx)
{
	struct trouble t = {.say = problem, .ctx = ctx};
	struct words *w = load(folder, languages, &t);

	check_imperatives(&t, w, folder);
	words_free(w);
	return t.count;
}

void
words_free(struct words *w)
{
	if (!w)
		return;
	for (int i = 0; i < w->count; i++)
		if (w->languages[i].rules)
			uplrules_close(w->languages[i].rules);
	arena_free(w->arena);
	free(w);
}

/* ---- saying ---- */

static const struct language *
spoken(const struct words *w, const char *code)
{
	for (int i = 0; i < w->count; i++)
		if (!strcmp(w->languages[i].code, code))
			return &w->languages[i];
	return &w->languages[0];
}

static const struct form *
form_of(const struct language *l, const struct entry *e, int64_t n)
{
	UChar name[16];
	UErrorCode status = U_ZERO_ERROR;
	int32_t length;

	if (!is_plural(e))
		return &e->forms[OTHER];
	length = uplrules_select(l->rules, (double)n, name, 16, &status);
	for (int i = 0; i < FORMS && U_SUCCESS(status); i++) {
		bool same = (size_t)length == strlen(form_names[i]);

		for (int32_t k = 0; same && k < length; k++)
			same = name[k] == (UChar)form_names[i][k];
		if (same && e->forms[i].raw)
			return &e->forms[i];
	}
	return &e->forms[OTHER];
}

static void
fill_hole(struct card *card, const struct part *p, int64_t n, const struct hole *holes)
{
	char number[24];

	for (const struct hole *h = holes; h && h->name; h++) {
		if (strcmp(h->name, p->text))
			continue;
		if (h->rich)
			card_append(card, h->rich);
		else
			card_text(card, h->value, p->style | SPAN_NAME);
		return;
	}
	if (!strcmp(p->text, "n")) {
		snprintf(number, sizeof(number), "%lld", (long long)n);
		card_text(card, number, p->style);
		return;
	}
	card_text(card, "{", 0);
	card_text(card, p->text, 0);
	card_text(card, "}", 0);
}

struct card *
words_card(const struct words *w, struct arena *arena, const char *language, const char *key,
    int64_t n, const struct hole *holes)
{
	const struct language *l = spoken(w, language);
	const struct entry *e = find(l, key);
	struct card *card = card_new(arena);
	const struct form *f;

	if (!e) {
		card_text(card, key, 0);
		return card;
	}
	f = form_of(l, e, n);
	for (int i = 0; i < f->count; i++) {
		if (f->parts[i].hole)
			fill_hole(card, &f->parts[i], n, holes);
		else
			card_text(card, f->parts[i].text, f->parts[i].style);
	}
	return card;
}

char *
words_text(const struct words *w, struct arena *arena, const char *language, const char *key,
    int64_t n, const struct hole *holes)
{
	return card_plain(arena, words_card(w, arena, language, key, n, holes));
}

const char *
words_raw(const struct words *w, const char *language, const char *key)
{
	const struct entry *e = find(spoken(w, language), key);

	return e ? e->forms[OTHER].raw : NULL;
}

bool
words_has(const struct words *w, const char *key)
{
	return find(&w->languages[0], key) != NULL;
}

bool
words_speaks(const struct words *w, const char *language)
{
	for (int i = 0; i < w->count; i++)
		if (!strcmp(w->languages[i].code, language))
			return true;
	return false;
}

int
words_count(const struct words *w)
{
	return w->count;
}

const char *
words_language(const struct words *w, int index)
{
	return w->languages[index].code;
}
