/* Feeds as they are found: the cases of others' suites, real feeds, a series over its weeks, what was
 * derived from them: all of ../shared/data, so each test says when that is not there. */
#include "unit.h"

#include <ctype.h>
#include <jansson.h>
#include <stddef.h>

#include "base/feed_date.h"
#include "base/feed_text.h"

#include "feed_world.h"

static const char *
word(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* The rule of SOURCES.md: entities undone, tags dropped, white space collapsed. Written anew here.
 */
static void
normal(const char *from, char *to, size_t room)
{
	static const struct {
		const char *name;
		const char *text;
	} names[] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}, {"&quot;", "\""},
	    {"&nbsp;", " "}, {"&apos;", "'"}, {"\xc2\xa0", " "}, {"\xe2\x80\x82", " "},
	    {"\xe2\x80\x83", " "}, {"\xe2\x80\x89", " "}};
	char *work = strdup(from), *p, *q;
	size_t i, n = 0;

	for (p = q = work; *p;) {
		unsigned point;
		int used = 0;

		for (i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (strncmp(p, names[i].name, strlen(names[i].name)) == 0)
				break;
		if (i < sizeof(names) / sizeof(*names)) {
			*q++ = *names[i].text;
			p += strlen(names[i].name);
		} else if ((sscanf(p, "&#x%x;%n", &point, &used) == 1 && used) ||
			   (sscanf(p, "&#%u;%n", &point, &used) == 1 && used)) {
			q += feed_text_put(q, point);
			p += used;
		} else {
			*q++ = *p++;
		}
	}
	*q = 0;
	for (p = work; *p && n + 2 < room;) {
		if (*p == '<' && (isalpha((unsigned char)p[1]) || p[1] == '/' || p[1] == '!') &&
		    strchr(p, '>')) {
			p = strchr(p, '>') + 1;
			continue;
		}
		if (isspace((unsigned char)*p)) {
			if (n && to[n - 1] != ' ')
				to[n++] = ' ';
			p++;
			continue;
		}
		to[n++] = *p++;
	}
	while (n && to[n - 1] == ' ')
		n--;
	to[n] = 0;
	free(work);
}

static bool
text_agrees(const json_t *expected, const char *found)
{
	static char a[65536], b[65536];

	normal(json_string_value(expected), a, sizeof(a));
	normal(found ? found : "", b, sizeof(b));
	return strcmp(a, b) == 0;
}

/* As text, but an address without a path is the one with "/" (RFC 3986, 6.2.3). */
static bool
address_agrees(const json_t *expected, const char *found)
{
	char longer[FEED_MAX_URL + 2];

	snprintf(longer, sizeof(longer), "%s/", found ? found : "");
	return text_agrees(expected, found) || (found && text_agrees(expected, longer));
}

/* Language tags know no case (BCP 47, 2.1.1). */
static bool
language_agrees(const json_t *expected, const char *found)
{
	return found && strcasecmp(json_string_value(expected), found) == 0;
}

static bool
number_agrees(const json_t *expected, int64_t found)
{
	if (json_is_null(expected))
		return found == FEED_NONE;
	return (json_int_t)json_number_value(expected) == found;
}

/* A key of what is expected, and where it is found: a text, or a number where `agrees` is NULL. */
struct field {
	const char *key;
	bool (*agrees)(const json_t *expected, const char *found);
	size_t at;
};

static const struct field item_fields[] = {
    {"title", text_agrees, offsetof(struct feed_item, title)},
    {"link", address_agrees, offsetof(struct feed_item, link)},
    {"guid", text_agrees, offsetof(struct feed_item, guid)},
    {"enc_url", text_agrees, offsetof(struct feed_item, enclosure_url)},
    {"enc_type", text_agrees, offsetof(struct feed_item, enclosure_type)},
    {"enc_len", NULL, offsetof(struct feed_item, enclosure_bytes)},
    {"published", NULL, offsetof(struct feed_item, published_s)},
    {"duration", NULL, offsetof(struct feed_item, duration_s)},
    {"season", NULL, offsetof(struct feed_item, season)},
    {"episode", NULL, offsetof(struct feed_item, episode)},
    {0},
};
static const struct field feed_fields[] = {
    {"title", text_agrees, offsetof(struct feed, title)},
    {"link", address_agrees, offsetof(struct feed, link)},
    {"language", language_agrees, offsetof(struct feed, language)},
    {"image", text_agrees, offsetof(struct feed, image)},
    {0},
};

static bool
field_agrees(const struct field *f, const json_t *expected, const void *found)
{
	const char *at = (const char *)found + f->at;

	if (f->agrees)
		return f->agrees(expected, *(const char *const *)(const void *)at);
	return number_agrees(expected, *(const int64_t *)(const void *)at);
}

/* The first key that differs, or that is none of these; NULL when all agree. */
static const char *
differs(const json_t *expected, const struct field *fields, const void *found)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)expected, key, value) {
		const struct field *f = fields;

		while (f->key && strcmp(f->key, key) != 0)
			f++;
		if (!f->key || !field_agrees(f, value, found))
			return key;
	}
	return NULL;
}

static const char *
item_differs(const json_t *expected, const struct feed_item *i)
{
	return differs(expected, item_fields, i);
}

/* What is wrong with a case, NULL when it holds whole. */
static const char *
case_differs(const json_t *c, const json_t *expect, const struct feed *f)
{
	const json_t *items = json_object_get(expect, "items");
	const json_t *count = json_object_get(c, "n_items");
	const char *wrong;
	size_t i, k;

	if (json_is_true(json_object_get(expect, "error")))
		return f->problem == FEED_FINE || f->count ? "error" : NULL;
	wrong = differs(json_object_get(expect, "feed"), feed_fields, f);
	if (wrong)
		return wrong;
	if (count && (size_t)json_integer_value(count) != f->count)
		return "n_items";
	for (i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);

		if (i >= f->count)
			return json_object_size(item) ? "items" : NULL;
		wrong = item_differs(item, &f->items[i]);
		if (wrong && word(c, "item_order"))
			for (k = 0; k < f->count && wrong; k++)
				wrong = item_differs(item, &f->items[k]) ? wrong : NULL;
		if (wrong)
			return wrong;
	}
	return NULL;
}

static bool
expects_something(const json_t *expect)
{
	const json_t *items = json_object_get(expect, "items");
	size_t i;

	if (json_object_get(expect, "error") || json_object_size(json_object_get(expect, "feed")))
		return true;
	for (i = 0; i < json_array_size(items); i++)
		if (json_object_size(json_array_get(items, i)))
			return true;
	return false;
}

static const char *
header(const json_t *c, const char *name)
{
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(c, "http_headers"), key, value) {
		if (strcasecmp(key, name) == 0)
			return json_string_value(value);
	}
	return NULL;
}

/* A document below ../shared/data/feeds, in the arena as it was found. */
static struct feed *
document(const char *name, const struct feed_origin *origin)
{
	char path[512];
	size_t length;
	char *bytes;
	struct feed *f;

	snprintf(path, sizeof(path), "../shared/data/feeds/%s", name);
	bytes = unit_read(path, &length);
	assert_non_null(bytes);
	f = feed_parse(arena, bytes, length, origin);
	free(bytes);
	return f;
}

static struct feed *
case_parse(const json_t *c, const json_t *expect)
{
	char url[600] = "";
	char *expected = json_dumps(expect, JSON_ENCODE_ANY);
	const char *location = header(c, "Content-Location");
	bool local = expected && strstr(expected, "127.0.0.1:8097") != NULL;
	struct feed_origin origin = {
	    header(c, "Content-type"), header(c, "Content-Language"), NULL};
	struct feed *f;

	if (location)
		snprintf(url, sizeof(url), "%s%s", *location == '/' ? "http://127.0.0.1:8097" : "",
		    location);
	else if (local)
		snprintf(url, sizeof(url), "http://127.0.0.1:8097/tests/x.xml");
	origin.url = *url ? url : NULL;
	f = document(word(c, "input"), &origin);
	free(expected);
	return f;
}

/* Whether the list of exceptions beside this file names it; its lines are "id: reason". */
static bool
is_exception(const char *list, const char *id)
{
	const char *p = list;
	size_t n = strlen(id);

	while ((p = strstr(p, id))) {
		if ((p == list || p[-1] == '\n') && p[n] == ':')
			return true;
		p += n;
	}
	return false;
}

static void
feed_holds_the_cases(void **state)
{
	const char *path = unit_shared("feeds/cases.jsonl");
	char *all, *line, *rest, *list;
	size_t held = 0, total = 0, held_any = 0, total_any = 0, unlisted = 0, spare = 0;

	(void)state;
	if (!path)
		skip();
	all = rest = unit_read(path, NULL);
	list = unit_read("tests/unit/feed_exceptions.txt", NULL);
	while ((line = strsep(&rest, "\n")) && *line) {
		json_t *c = json_loads(line, 0, NULL),
		       *expect = json_incref(json_object_get(c, "expect"));
		const char *file = word(c, "expect_file"), *wrong;
		char name[512];
		bool firm;

		if (file) {
			snprintf(name, sizeof(name), "../shared/data/feeds/%s", file);
			expect = json_load_file(name, 0, NULL);
		}
		if (expect) {
			firm = expects_something(expect);
			wrong = case_differs(c, expect, case_parse(c, expect));
			total_any++;
			held_any += !wrong;
			total += firm;
			held += firm && !wrong;
			if (wrong && !is_exception(list ? list : "", word(c, "id"))) {
				printf("# %s differs in %s\n", word(c, "id"), wrong);
				unlisted++;
			}
			if (!wrong && list && is_exception(list, word(c, "id"))) {
				printf("# %s is listed and holds\n", word(c, "id"));
				spare++;
			}
		}
		json_decref(expect);
		json_decref(c);
		arena_forget(arena);
	}
	printf(
	    "# cases with firm values held whole: %zu/%zu (%.1f %%); with those that only must be"
	    " read: %zu/%zu\n",
	    held, total, 100.0 * (double)held / (double)total, held_any, total_any);
	free(all);
	free(list);
	assert_int_equal(unlisted, 0);
	assert_int_equal(spare, 0);
	assert_true(held * 100 >= total * 97);
}

static void
feed_stands_every_input(void **state)
{
	const char *path = unit_shared("feeds/cases.jsonl");
	char *all, *line, *rest;
	size_t total = 0, fine = 0;

	(void)state;
	if (!path)
		skip();
	all = rest = unit_read(path, NULL);
	while ((line = strsep(&rest, "\n")) && *line) {
		json_t *c = json_loads(line, 0, NULL);
		struct feed *f = case_parse(c, NULL);

		total++;
		fine += f->problem == FEED_FINE;
		if (f->problem != FEED_FINE && getenv("FEED_VERBOSE"))
			printf("# %s: %s (%zu items)\n", word(c, "id"),
			    feed_problem_name(f->problem), f->count);
		json_decref(c);
		arena_forget(arena);
	}
	printf("# documents of the suites read without a problem: %zu/%zu\n", fine, total);
	free(all);
	assert_true(fine * 100 >= total * 97);
}

static const char *const reals[] = {"ar-kitab-alsunna", "de-baywatch-berlin",
    "de-langsam-gesprochene", "en-anchor", "en-animated-no-agenda", "en-changing-the-tide",
    "en-giantbomb", "en-launched", "en-podverse-test", "en-sentimental-garbage", "en-taverncast",
    "pl-spreaker"};

static struct feed *
real_parse(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "real/%s.xml", name);
	return document(path, NULL);
}

static void
feed_names_the_newest_of_real_ones(void **state)
{
	size_t i, right = 0;

	(void)state;
	if (!unit_shared("feeds/real/en-anchor.xml"))
		skip();
	for (i = 0; i < sizeof(reals) / sizeof(*reals); i++) {
		char path[256];
		struct feed *f = real_parse(reals[i]);
		const struct feed_item *newest = feed_newest(f, NOW_S);
		json_t *e;
		const char *wrong;

		snprintf(path, sizeof(path), "../shared/data/feeds/real/%s.expect.json", reals[i]);
		e = json_load_file(path, 0, NULL);
		assert_non_null(newest);
		wrong = item_differs(json_object_get(e, "newest"), newest);
		if (!wrong && (json_int_t)(newest - f->items) !=
				  json_integer_value(json_object_get(e, "newest_index")))
			wrong = "newest_index";
		if (!wrong && (size_t)json_integer_value(json_object_get(e, "n_items")) != f->count)
			wrong = "n_items";
		if (wrong || f->problem != FEED_FINE)
			printf("# %s: %s (%s)\n", reals[i], wrong, feed_problem_name(f->problem));
		right += !wrong && f->problem == FEED_FINE;
		json_decref(e);
		arena_forget(arena);
	}
	printf("# the newest of real feeds is right on %zu/%zu\n", right, i);
	assert_int_equal(right, i);
}

static bool
text_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Made not well-formed at its very beginning, a feed says the same as before. */
static void
feed_mends_without_loss(void **state)
{
	size_t i, k, same = 0, total = 0;

	(void)state;
	if (!unit_shared("feeds/real/en-anchor.xml"))
		skip();
	for (i = 0; i < sizeof(reals) / sizeof(*reals); i++) {
		char path[256], *bytes, *bad;
		size_t length;
		struct feed *a = real_parse(reals[i]), *b;

		snprintf(path, sizeof(path), "../shared/data/feeds/real/%s.xml", reals[i]);
		bytes = unit_read(path, &length);
		bad = malloc(length + 2);
		memcpy(bad, "& ", 2);
		memcpy(bad + 2, bytes, length);
		b = feed_parse(arena, bad, length + 2, NULL);
		free(bytes);
		free(bad);
		assert_false(b->well_formed);
		assert_int_equal(b->problem, FEED_FINE);
		assert_true(text_same(a->title, b->title) && text_same(a->image, b->image));
		assert_int_equal(a->count, b->count);
		for (k = 0; k < a->count; k++) {
			const struct feed_item *x = &a->items[k], *y = &b->items[k];
			bool ok = text_same(x->title, y->title) && text_same(x->link, y->link) &&
				  text_same(x->guid, y->guid) &&
				  text_same(x->enclosure_url, y->enclosure_url) &&
				  text_same(x->image, y->image) &&
				  x->published_s == y->published_s &&
				  x->duration_s == y->duration_s && x->episode == y->episode;
			if (!ok)
				printf("# %s: %s | %s\n", reals[i], x->title, y->title);
			same += ok;
			total++;
		}
		arena_forget(arena);
	}
	printf("# items of real feeds read the same when mended: %zu/%zu\n", same, total);
	assert_int_equal(same, total);
}

static void
feed_names_each_of_a_series_once(void **state)
{
	const char *path = unit_shared("feeds/series-103fm/expect.jsonl");
	struct seen seen = {.count = 0};
	char *all, *line, *rest, names[4096];
	size_t named = 0, expected = 0;

	(void)state;
	if (!path)
		skip();
	all = rest = unit_read(path, NULL);
	while ((line = strsep(&rest, "\n")) && *line) {
		json_t *c = json_loads(line, 0, NULL), *guid;
		json_t *fresh = json_object_get(c, "new_guids_never_seen");
		struct feed *f = document(word(c, "file"), NULL);
		size_t i, n;

		assert_int_equal(f->problem, FEED_FINE);
		assert_int_equal(f->count, json_integer_value(json_object_get(c, "n_items")));
		n = seen_new(&seen, f, names, sizeof(names));
		assert_int_equal(n, json_array_size(fresh));
		json_array_foreach(fresh, i, guid) {
			assert_non_null(strstr(names, json_string_value(guid)));
		}
		assert_int_equal(feed_newest(f, 0)->published_s,
		    json_integer_value(json_object_get(c, "max_published")));
		named += n;
		expected += json_array_size(fresh);
		json_decref(c);
		arena_forget(arena);
	}
	printf("# new episodes of the series named once: %zu/%zu\n", named, expected);
	seen_free(&seen);
	free(all);
}

static void
feed_reads_dates(void **state)
{
	const char *path = unit_shared("feeds/dates.jsonl");
	char *all, *line, *rest;
	size_t total = 0, held = 0;

	(void)state;
	if (!path)
		skip();
	all = rest = unit_read(path, NULL);
	while ((line = strsep(&rest, "\n")) && *line) {
		json_t *c = json_loads(line, 0, NULL), *expected = json_object_get(c, "unix");
		const char *text = word(c, "text"), *verdict = word(c, "validator");
		int64_t found = FEED_NONE;
		bool ok, is_date = feed_date_parse(text, strlen(text), &found);

		/* A verdict of "invalid" may still be a date that everybody understands. */
		if (verdict)
			ok = is_date || strncmp(verdict, "Invalid", 7) == 0;
		else
			ok = number_agrees(expected, found);
		if (!ok)
			printf("# \"%s\": %lld\n", text, (long long)found);
		total++;
		held += ok;
		json_decref(c);
	}
	printf("# dates held: %zu/%zu\n", held, total);
	free(all);
	assert_int_equal(held, total);
}

static struct feed *
derived(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "derived/%s", name);
	return document(path, NULL);
}

/* Every item of a cut feed is one of the whole feed, in full. */
static void
cut_holds(const char *name, size_t most)
{
	struct feed *whole = real_parse("ar-kitab-alsunna"), *f = derived(name);
	size_t i;

	assert_int_equal(f->problem, FEED_CUT);
	assert_true(f->count <= most);
	assert_true(f->count > 0);
	for (i = 0; i < f->count; i++) {
		assert_string_equal(f->items[i].title, whole->items[i].title);
		assert_string_equal(f->items[i].guid, whole->items[i].guid);
		assert_string_equal(f->items[i].enclosure_url, whole->items[i].enclosure_url);
		assert_int_equal(f->items[i].published_s, whole->items[i].published_s);
	}
}

static void
feed_holds_the_derived(void **state)
{
	struct feed *f, *wide, *narrow;
	struct seen seen = {.count = 0};
	char names[256];
	size_t i;

	(void)state;
	if (!unit_shared("feeds/derived/expect.jsonl"))
		skip();
	cut_holds("ar-kitab-cut-mid-utf8-30.xml", 14);
	cut_holds("ar-kitab-cut-mid-utf8-80.xml", 39);
	cut_holds("ar-kitab-cut-mid-attr.xml", 24);
	wide = derived("ar-kitab-utf16le-bom.xml");
	narrow = real_parse("ar-kitab-alsunna");
	assert_int_equal(wide->count, narrow->count);
	assert_string_equal(wide->title, narrow->title);
	for (i = 0; i < wide->count; i++)
		assert_string_equal(wide->items[i].title, narrow->items[i].title);
	f = derived("he-iso8859-8.xml");
	assert_string_equal(f->title, "שלום");
	assert_int_equal(f->count, 1);
	assert_int_equal(derived("html-login-page.html")->problem, FEED_NOT_A_FEED);
	f = derived("external-entity.xml");
	assert_int_equal(f->problem, FEED_FORBIDDEN);
	assert_int_equal(f->count, 0);
	f = derived("unclosed-cdata.xml");
	assert_int_equal(f->problem, FEED_CUT);
	assert_int_equal(f->count, 0);
	f = derived("nul-and-control.xml");
	assert_string_equal(f->title, "abc");
	assert_string_equal(f->items[0].title, "שלום evil");
	seen_new(&seen, parse(RSS("<item><guid>1</guid><enclosure url='http://x/1.mp3'/></item>")),
	    names, sizeof(names));
	assert_int_equal(
	    seen_new(&seen, derived("same-guid-new-enclosure.xml"), names, sizeof(names)), 0);
	seen_free(&seen);
}

static void
feed_reads_a_big_one(void **state)
{
	const char *path = unit_shared("feeds/derived/big-giantbomb-x4.xml.gz");
	size_t length = 0, n, room = 8 << 20;
	char *bytes, command[600];
	struct feed *f, *small;
	double start, spent;
	FILE *p;

	(void)state;
	if (!path)
		skip();
	snprintf(command, sizeof(command), "gzip -dc %s", path);
	p = popen(command, "r");
	bytes = malloc(room);
	while (p && (n = fread(bytes + length, 1, room - length, p)) > 0)
		length += n;
	if (p)
		pclose(p);
	start = cpu_ms();
	f = feed_parse(arena, bytes, length, NULL);
	spent = cpu_ms() - start;
	printf("# %.1f MB, %zu items: %.0f ms of CPU a MB under sanitizers, %.1f MB kept\n",
	    (double)length / 1e6, f->count, spent / ((double)length / 1e6),
	    (double)arena_used(arena) / 1e6);
	free(bytes);
	assert_int_equal(f->count, 2920);
	small = real_parse("en-giantbomb");
	assert_string_equal(feed_newest(f, NOW_S)->title, feed_newest(small, NOW_S)->title);
	assert_int_equal(
	    feed_newest(f, NOW_S)->published_s, feed_newest(small, NOW_S)->published_s);
}

static const struct CMUnitTest tests[] = {
    IN_ARENA(feed_holds_the_cases),
    IN_ARENA(feed_stands_every_input),
    IN_ARENA(feed_names_the_newest_of_real_ones),
    IN_ARENA(feed_mends_without_loss),
    IN_ARENA(feed_names_each_of_a_series_once),
    IN_ARENA(feed_reads_dates),
    IN_ARENA(feed_holds_the_derived),
    IN_ARENA(feed_reads_a_big_one),
};

UNIT_RUN(tests)
