#include "base/partners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/text.h"

struct partners {
	struct arena *arena;
	struct partner *list;
	size_t count;
};

static struct partner_text
read_text(struct partners *p, const json_t *object)
{
	struct partner_text t;

	t.en = arena_string(p->arena, json_string_value(json_object_get(object, "en")));
	t.ar = arena_string(p->arena, json_string_value(json_object_get(object, "ar")));
	t.he = arena_string(p->arena, json_string_value(json_object_get(object, "he")));
	return t;
}

static const char *
read_languages(struct partners *p, const json_t *list)
{
	struct buf b = {.maximum = 1024};
	size_t i;
	json_t *code;
	char *out;

	json_array_foreach((json_t *)(uintptr_t)list, i, code)
		if (json_is_string(code))
			buf_print(&b, "%s%s", i ? " " : "", json_string_value(code));
	out = arena_string(p->arena, b.bytes ? b.bytes : "");
	buf_free(&b);
	return out;
}

static bool
in_one_language(const json_t *text)
{
	static const char *const languages[] = {"en", "ar", "he"};
	const char *words;

	for (int i = 0; i < 3; i++)
		if ((words = json_string_value(json_object_get(text, languages[i]))) && *words)
			return true;
	return false;
}

static const char *
bad_partner(const json_t *o)
{
	static const char *const known[] = {"id", "kind", "name", "text", "site", "languages",
	    "programmes", "alumni_programme", NULL};
	const char *site = json_string_value(json_object_get(o, "site")), *key;
	const char *id = json_string_value(json_object_get(o, "id"));
	const json_t *name = json_object_get(o, "name");
	json_t *value;

	if (!json_is_object(o) || !id || !*id)
		return "expected an object with an \"id\"";
	json_object_foreach((json_t *)(uintptr_t)o, key, value) {
		int i = 0;

		while (known[i] && strcmp(known[i], key))
			i++;
		if (!known[i] && key[0] != '_')
			return "an unknown key; expected id kind name text site languages programmes alumni_programme";
	}
	if (!in_one_language(name))
		return "expected a \"name\" in en, ar or he at least";
	if (site && strncmp(site, "https://", 8))
		return "expected a \"site\" that begins with https://";
	return NULL;
}

static void
read_partner(struct partners *p, const json_t *o)
{
	struct partner *x = &p->list[p->count++];
	json_t *list = json_object_get(o, "programmes"), *each;
	const char *kind = json_string_value(json_object_get(o, "kind"));
	size_t i;

	x->id = arena_string(p->arena, json_string_value(json_object_get(o, "id")));
	x->kind = arena_string(p->arena, kind ? kind : "member");
	x->name = read_text(p, json_object_get(o, "name"));
	x->text = read_text(p, json_object_get(o, "text"));
	x->site = arena_string(p->arena, json_string_value(json_object_get(o, "site")));
	x->languages = read_languages(p, json_object_get(o, "languages"));
	x->alumni_programme = json_is_true(json_object_get(o, "alumni_programme"));
	x->programmes = arena_alloc(p->arena, (json_array_size(list) + 1) * sizeof(*x->programmes));
	json_array_foreach(list, i, each) {
		x->programmes[x->programme_count].name =
		    read_text(p, json_object_get(each, "name"));
		x->programmes[x->programme_count++].text =
		    read_text(p, json_object_get(each, "text"));
	}
}

struct partners *
partners_load(const char *path, char **why)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *o;
	struct partners *p;
	char what[700] = "";
	size_t i;

	if (!json_is_array(root)) {
		if (!root && error.line < 0)
			snprintf(what, sizeof(what),
			    "%s: cannot be read; expected a list of partners", path);
		else
			snprintf(what, sizeof(what), "%s:%d: %s", path, root ? 1 : error.line,
			    root ? "expected a list of partners" : error.text);
		*why = memory_string(what);
		json_decref(root);
		return NULL;
	}
	p = memory_new(sizeof(*p));
	p->arena = arena_new();
	p->list = memory_new((json_array_size(root) + 1) * sizeof(*p->list));
	json_array_foreach(root, i, o) {
		const char *bad = bad_partner(o);

		if (!bad && partners_find(p, json_string_value(json_object_get(o, "id"))))
			bad = "the id stands twice";
		if (bad && !what[0])
			snprintf(what, sizeof(what), "%s: partner %zu: %s", path, i + 1, bad);
		if (!bad)
			read_partner(p, o);
	}
	json_decref(root);
	if (!what[0])
		return p;
	*why = memory_string(what);
	partners_free(p);
	return NULL;
}

void
partners_free(struct partners *p)
{
	if (!p)
		return;
	arena_free(p->arena);
	free(p->list);
	free(p);
}

size_t
partners_count(const struct partners *p)
{
	return p->count;
}

const struct partner *
partners_at(const struct partners *p, size_t i)
{
	return i < p->count ? &p->list[i] : NULL;
}

const struct partner *
partners_find(const struct partners *p, const char *id)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcmp(p->list[i].id, id))
			return &p->list[i];
	return NULL;
}

const char *
partner_words(const struct partner_text *t, const char *language, const char **fell)
{
	const char *own = !strcmp(language, "ar") ? t->ar : !strcmp(language, "he") ? t->he : t->en;

	if (fell)
		*fell = NULL;
	if (own)
		return own;
	if (fell)
		*fell = t->en ? "en" : t->ar ? "ar" : t->he ? "he" : NULL;
	return t->en ? t->en : t->ar ? t->ar : t->he;
}

static bool
text_fits(struct arena *arena, const struct partner_text *t, const char *folded)
{
	const char *all[] = {t->en, t->ar, t->he};

	for (int i = 0; i < 3; i++)
		if (all[i] && strstr(text_fold(arena, all[i]), folded))
			return true;
	return false;
}

bool
partner_fits(struct arena *arena, const struct partner *p, const char *folded)
{
	if (!*folded || text_fits(arena, &p->name, folded) || text_fits(arena, &p->text, folded) ||
	    strstr(text_fold(arena, p->id), folded))
		return true;
	for (size_t i = 0; i < p->programme_count; i++)
		if (text_fits(arena, &p->programmes[i].name, folded))
			return true;
	return false;
}
