/* The configuration file: a small reader with line numbers in every complaint. */
#include "base/conf.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { LINE_MOST = 4096 };

struct setting {
	struct setting *next;
	char *section, *name; /* name NULL for a section without one */
	const struct conf_key *key;
	char *text;
	int64_t number;
	char **list;
	int line; /* 0: a default */
};

struct section {
	struct section *next;
	char *section, *name;
	int line;
};

struct conf {
	const struct conf_key *keys;
	char *path;
	struct setting *settings, **last;
	struct section *sections, **last_section;
	int line; /* that is read; 0: none */
};

static char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *
say(const char *format, ...)
{
	struct buf b = {.maximum = 1 << 16};
	char line[6000];
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	buf_string(&b, line);
	return b.bytes;
}

static char *
trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = 0;
	return s;
}

/* A comment begins with ; or # at the line's start or after white space. */
static void
uncomment(char *s)
{
	for (char *p = s; *p; p++)
		if ((*p == ';' || *p == '#') && (p == s || isspace((unsigned char)p[-1]))) {
			*p = 0;
			return;
		}
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static const struct conf_key *
known(const struct conf *c, const char *section, const char *key)
{
	for (const struct conf_key *k = c->keys; k->section; k++)
		if (!strcmp(k->section, section) && (!key || !strcmp(k->key, key)))
			return k;
	return NULL;
}

/* ${STATE_DIRECTORY}/x, ${CREDENTIALS_DIRECTORY}/x; other paths are relative to the file. */
static char *
expand(const struct conf *c, const char *value, char **why)
{
	static const char *const variables[] = {"CREDENTIALS_DIRECTORY", "STATE_DIRECTORY"};
	const char *slash;

	for (size_t i = 0; i < 2; i++) {
		char form[40];
		const char *set;

		snprintf(form, sizeof(form), "${%s}", variables[i]);
		if (strncmp(value, form, strlen(form)))
			continue;
		set = getenv(variables[i]);
		if (!set) {
			*why = say("%s is not set in the environment", form);
			return NULL;
		}
		return say("%s%s", set, value + strlen(form));
	}
	if (strstr(value, "${")) {
		*why = say("expected ${CREDENTIALS_DIRECTORY} or ${STATE_DIRECTORY} at the "
			   "beginning, not %s",
		    value);
		return NULL;
	}
	slash = strrchr(c->path, '/');
	if (value[0] == '/' || !slash)
		return memory_string(value);
	return say("%.*s/%s", (int)(slash - c->path), c->path, value);
}

static bool
loopback(const char *host)
{
	size_t n = strcspn(host, "/:");

	if (host[0] == '[')
		return !strncmp(host, "[::1]", 5);
	return (n == 9 && !strncmp(host, "localhost", 9)) ||
	       (n == 9 && !strncmp(host, "127.0.0.1", 9));
}

static char *
check_address(const struct conf_key *k, const char *v)
{
	if (!strncmp(v, "https://", 8) && v[8])
		return NULL;
	if (!strncmp(v, "http://", 7) && loopback(v + 7))
		return NULL;
	if (k->least && !strncmp(v, "file://", 7) && v[7])
		return NULL;
	return say(
	    "expected https://…%s, or http:// for loopback only", k->least ? ", file://…" : "");
}

static char **
split(const char *text)
{
	char *copy = memory_string(text), *save = NULL;
	size_t n = 0;
	char **list = memory_new((strlen(text) / 2 + 2) * sizeof(*list));

	for (char *w = strtok_r(copy, " \t,", &save); w; w = strtok_r(NULL, " \t,", &save))
		list[n++] = memory_string(w);
	free(copy);
	return list;
}

static bool
one_of(const char *choices, const char *v)
{
	size_t n = strlen(v);

	if (!n || strchr(v, ' '))
		return false;
	for (const char *p = choices; (p = strstr(p, v)); p += n)
		if ((p == choices || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return n > 0;
	return false;
}

/* HH:MM, and the end of it; NULL when it is none. */
static const char *
time_of_day(const char *s)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(s, digits);

	if (n < 1 || n > 2 || strtol(s, NULL, 10) > 23 || s[n] != ':' ||
	    strspn(s + n + 1, digits) != 2 || s[n + 1] > '5')
		return NULL;
	return s + n + 3;
}

static bool
is_hours(const char *v)
{
	const char *end = time_of_day(v);

	if (!end || *end != '-')
		return false;
	end = time_of_day(end + 1);
	return end && !*end;
}

static bool
is_place(const char *v)
{
	size_t network = strspn(v, "abcdefghijklmnopqrstuvwxyz");

	return network && v[network] == ':' && v[network + 1] && !strchr(v, ' ');
}

/* Takes a value; NULL, or what was expected. */
static char *
take(struct conf *c, struct setting *s, const char *value)
{
	const struct conf_key *k = s->key;
	char *why = NULL, *end;

	switch (k->kind) {
	case CONF_TEXT:
		s->text = memory_string(value);
		break;
	case CONF_WORDS:
		s->text = memory_string(value);
		s->list = split(value);
		if (!s->list[0])
			return say("expected one word or more");
		break;
	case CONF_PATH:
		s->text = expand(c, value, &why);
		break;
	case CONF_NUMBER:
		s->text = memory_string(value);
		s->number = strtoll(value, &end, 10);
		if (*end || end == value || s->number < k->least || s->number > k->most)
			return say("expected a whole number from %lld to %lld", (long long)k->least,
			    (long long)k->most);
		break;
	case CONF_SWITCH:
		s->text = memory_string(value);
		s->number = one_of("on yes", value);
		if (!one_of("on off yes no", value))
			return say("expected on or off");
		break;
	case CONF_ADDRESS:
		s->text = memory_string(value);
		why = check_address(k, value);
		break;
	case CONF_ONE_OF:
		s->text = memory_string(value);
		if (!one_of(k->choices, value))
			return say("expected one of: %s", k->choices);
		break;
	case CONF_HOURS:
		s->text = memory_string(value);
		if (!is_hours(value))
			return say("expected hours of the day such as 21:00-08:00");
		break;
	case CONF_PLACE:
		s->text = memory_string(value);
		if (!is_place(value))
			return say("expected NETWORK:ID such as telegram:-1001234567890 or "
				   "matrix:!room:example.org");
		break;
	}
	return why;
}

static struct setting *
find(const struct conf *c, const char *section, const char *name, const char *key)
{
	for (struct setting *s = c->settings; s; s = s->next)
		if (!strcmp(s->section, section) && same(s->name, name) &&
		    !strcmp(s->key->key, key))
			return s;
	return NULL;
}

static char *
add(struct conf *c, const struct section *in, const struct conf_key *k, const char *value)
{
	struct setting *s = memory_new(sizeof(*s));

	s->section = memory_string(in->section);
	s->name = in->name ? memory_string(in->name) : NULL;
	s->key = k;
	s->line = c->line;
	*c->last = s;
	c->last = &s->next;
	return take(c, s, value);
}

/* What is known instead: the sections, or the keys of one. free() it. */
static char *
all_known(const struct conf *c, const char *section)
{
	struct buf list = {.maximum = 4096};

	for (const struct conf_key *k = c->keys; k->section; k++) {
		if (section && strcmp(k->section, section))
			continue;
		if (!section && known(c, k->section, NULL) != k)
			continue;
		buf_print(&list, list.length ? " %s" : "%s", section ? k->key : k->section);
	}
	return list.bytes;
}

static char *
unknown(const struct conf *c, const char *what, const char *found, const char *section)
{
	char *list = all_known(c, section);
	char *why = say("unknown %s %s; expected one of: %s", what, found, list ? list : "");

	free(list);
	return why;
}

static char *
open_section(struct conf *c, char *inside, int line)
{
	char *name = inside + strcspn(inside, " \t");
	struct section *s;
	const struct conf_key *k;

	if (*name)
		*name++ = 0;
	name = trim(name);
	k = known(c, inside, NULL);
	if (!k)
		return unknown(c, "section", inside, NULL);
	if (k->named && !*name)
		return say("expected a name: [%s NAME]", inside);
	if (!k->named && *name)
		return say("expected [%s], a section without a name", inside);
	for (s = c->sections; s; s = s->next)
		if (!strcmp(s->section, inside) && same(s->name, *name ? name : NULL))
			return say("expected [%s%s%s] once; it stands in line %d already", inside,
			    *name ? " " : "", name, s->line);
	s = memory_new(sizeof(*s));
	s->section = memory_string(inside);
	s->name = *name ? memory_string(name) : NULL;
	s->line = line;
	*c->last_section = s;
	c->last_section = &s->next;
	return NULL;
}

static char *
read_line(struct conf *c, char *line, int number)
{
	struct section *in = c->sections;
	const struct conf_key *k;
	char *equals, *key, *why, *named;

	uncomment(line);
	line = trim(line);
	if (!*line)
		return NULL;
	if (*line == '[') {
		if (line[strlen(line) - 1] != ']')
			return say("expected ] at the end of the line");
		line[strlen(line) - 1] = 0;
		return open_section(c, trim(line + 1), number);
	}
	while (in && in->next)
		in = in->next;
	equals = strchr(line, '=');
	if (!equals)
		return say("expected [section], key = value, or a comment");
	if (!in)
		return say("expected a [section] before the first key");
	*equals = 0;
	key = trim(line);
	k = known(c, in->section, key);
	if (!k)
		return unknown(c, "key", key, in->section);
	if (!k->repeat && find(c, in->section, in->name, key))
		return say("expected the key %s once", key);
	why = add(c, in, k, trim(equals + 1));
	if (!why)
		return NULL;
	named = say("%s: %s", k->key, why);
	free(why);
	return named;
}

/* Defaults, and what is required and absent, with the line of its section. */
static char *
complete(struct conf *c, int *line)
{
	struct section bare = {0};

	for (const struct conf_key *k = c->keys; k->section; k++) {
		bool any = false;

		for (struct section *s = c->sections; s; s = s->next) {
			if (strcmp(s->section, k->section))
				continue;
			any = true;
			if (find(c, s->section, s->name, k->key))
				continue;
			*line = s->line;
			if (k->required)
				return say("expected the key \"%s\" in [%s%s%s]", k->key,
				    s->section, s->name ? " " : "", s->name ? s->name : "");
			if (k->otherwise && add(c, s, k, k->otherwise))
				abort();
		}
		if (any || k->named)
			continue;
		*line = 0;
		if (k->required && !strcmp(k->section, "bot"))
			return say("expected [%s] with the key \"%s\"", k->section, k->key);
		bare.section = (char *)(uintptr_t)k->section;
		if (k->otherwise && add(c, &bare, k, k->otherwise))
			abort();
	}
	return NULL;
}

struct conf *
conf_parse(const char *path, const char *bytes, const struct conf_key *keys, char **why)
{
	struct conf *c = memory_new(sizeof(*c));
	char line[LINE_MOST + 1];
	char *bad = NULL;
	int number = 0;

	c->keys = keys;
	c->path = memory_string(path);
	c->last = &c->settings;
	c->last_section = &c->sections;
	/* Some editors put a byte order mark before the text. */
	if (!strncmp(bytes, "\xef\xbb\xbf", 3))
		bytes += 3;
	while (*bytes && !bad) {
		size_t n = strcspn(bytes, "\n");

		c->line = ++number;
		if (n > LINE_MOST) {
			bad = say("expected a line of at most %d bytes", LINE_MOST);
			break;
		}
		memcpy(line, bytes, n);
		line[n] = 0;
		bytes += n + (bytes[n] == '\n');
		bad = read_line(c, line, number);
	}
	number = bad ? number : 0;
	c->line = 0;
	if (!bad)
		bad = complete(c, &number);
	if (!bad)
		return c;
	*why = number ? say("%s:%d: %s", path, number, bad) : say("%s: %s", path, bad);
	free(bad);
	conf_free(c);
	return NULL;
}

struct conf *
conf_load(const char *path, const struct conf_key *keys, char **why)
{
	FILE *f = fopen(path, "rb");
	struct buf b = {.maximum = 1 << 20};
	char chunk[4096];
	struct conf *c;
	bool bad = !f;
	size_t n;

	while (f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&b, chunk, n);
	if (f) {
		bad = ferror(f); /* a folder opens, and cannot be read */
		fclose(f);
	}
	if (bad) {
		*why = say("%s: cannot be read; expected the configuration file", path);
		buf_free(&b);
		return NULL;
	}
	if (b.overflowed || (b.bytes && strlen(b.bytes) != b.length)) {
		*why = say("%s: expected a text file of at most 1 MB", path);
		buf_free(&b);
		return NULL;
	}
	c = conf_parse(path, b.bytes ? b.bytes : "", keys, why);
	buf_free(&b);
	return c;
}

void
conf_free(struct conf *c)
{
	struct setting *s, *next;
	struct section *x, *after;

	if (!c)
		return;
	for (s = c->settings; s; s = next) {
		next = s->next;
		for (char **w = s->list; w && *w; w++)
			free(*w);
		free(s->list);
		free(s->section);
		free(s->name);
		free(s->text);
		free(s);
	}
	for (x = c->sections; x; x = after) {
		after = x->next;
		free(x->section);
		free(x->name);
		free(x);
	}
	free(c->path);
	free(c);
}

const char *
conf_text(const struct conf *c, const char *section, const char *name, const char *key)
{
	struct setting *s = find(c, section, name, key);

	return s ? s->text : NULL;
}

int64_t
conf_number(const struct conf *c, const char *section, const char *name, const char *key)
{
	struct setting *s = find(c, section, name, key);

	return s ? s->number : 0;
}

bool
conf_switch(const struct conf *c, const char *section, const char *name, const char *key)
{
	return conf_number(c, section, name, key) != 0;
}

const char *const *
conf_list(const struct conf *c, const char *section, const char *name, const char *key)
{
	struct setting *s = find(c, section, name, key);

	return s ? (const char *const *)s->list : NULL;
}

const char *
conf_each(const struct conf *c, const char *section, const char *key, int i)
{
	for (struct setting *s = c->settings; s; s = s->next)
		if (!strcmp(s->section, section) && !strcmp(s->key->key, key) && i-- == 0)
			return s->text;
	return NULL;
}

int
conf_line(const struct conf *c, const char *section, const char *name, const char *key, int i)
{
	for (struct setting *s = c->settings; s; s = s->next)
		if (!strcmp(s->section, section) && same(s->name, name) &&
		    !strcmp(s->key->key, key) && i-- == 0)
			return s->line;
	return 0;
}

bool
conf_has(const struct conf *c, const char *section)
{
	for (struct section *s = c->sections; s; s = s->next)
		if (!strcmp(s->section, section))
			return true;
	return false;
}

const char *
conf_name(const struct conf *c, const char *section, int i)
{
	for (struct section *s = c->sections; s; s = s->next)
		if (!strcmp(s->section, section) && i-- == 0)
			return s->name;
	return NULL;
}
