#include "base/feed_text.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/feed.h"
#include "base/feed_entity.h"

enum { MAX_POINTS = 1024 };

/* What is being written: white space is held back until something follows it. */
struct plain {
	char *out;
	size_t length, points, maximum;
	bool space, full;
};

size_t
feed_text_put(char *out, unsigned p)
{
	if (p < 0x80) {
		out[0] = (char)p;
		return 1;
	}
	if (p < 0x800) {
		out[0] = (char)(0xc0 | p >> 6);
		out[1] = (char)(0x80 | (p & 0x3f));
		return 2;
	}
	if (p < 0x10000) {
		out[0] = (char)(0xe0 | p >> 12);
		out[1] = (char)(0x80 | (p >> 6 & 0x3f));
		out[2] = (char)(0x80 | (p & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | p >> 18);
	out[1] = (char)(0x80 | (p >> 12 & 0x3f));
	out[2] = (char)(0x80 | (p >> 6 & 0x3f));
	out[3] = (char)(0x80 | (p & 0x3f));
	return 4;
}

/* The code point at text[*at], which moves behind it; U+FFFD for what is not UTF-8. */
static unsigned
text_get(const char *text, size_t length, size_t *at)
{
	static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)text[(*at)++];
	size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0, i;
	unsigned p = c;

	if (c < 0x80)
		return c;
	if (more == 0 || c > 0xf4 || length - *at < more)
		return 0xfffd;
	p = c & (0x3fU >> more);
	for (i = 0; i < more; i++) {
		unsigned char d = (unsigned char)text[*at + i];
		if ((d & 0xc0) != 0x80)
			return 0xfffd;
		p = p << 6 | (d & 0x3f);
	}
	*at += more;
	return p < least[more + 1] || p > 0x10ffff || (p >= 0xd800 && p < 0xe000) ? 0xfffd : p;
}

static bool
is_space(unsigned p)
{
	return p == ' ' || (p >= 9 && p <= 13) || p == 0xa0 || p == 0x1680 ||
	       (p >= 0x2000 && p <= 0x200a) || p == 0x2028 || p == 0x2029 || p == 0x202f ||
	       p == 0x205f || p == 0x3000;
}

/* Controls, embeddings, overrides, isolates, and what stands for no character. */
static bool
is_dropped(unsigned p)
{
	return p < 0x20 || (p >= 0x7f && p < 0xa0) || p == 0x200b || (p >= 0x202a && p <= 0x202e) ||
	       (p >= 0x2066 && p <= 0x206f) || p == 0xfeff || (p >= 0xfff9 && p <= 0xfffb) ||
	       (p >= 0xfdd0 && p <= 0xfdef) || (p & 0xfffe) == 0xfffe || p > 0x10ffff;
}

static void
plain_put(struct plain *w, unsigned p)
{
	if (is_space(p)) {
		w->space = true;
		return;
	}
	p = feed_entity_mapped(p);
	if (is_dropped(p) || w->full)
		return;
	if (w->points + (w->space && w->points) + 1 > w->maximum) {
		w->full = true;
		return;
	}
	if (w->space && w->points) {
		w->out[w->length++] = ' ';
		w->points++;
	}
	w->space = false;
	w->length += feed_text_put(w->out + w->length, p);
	w->points++;
}

/* What is searched for more than once and was not found once is not looked for again. */
struct gone {
	bool comment_end, tag_end, script_end;
};

static const char *
find(const char *text, const char *end, const char *what, bool *gone)
{
	size_t n = strlen(what);

	if (*gone)
		return NULL;
	for (; (size_t)(end - text) >= n; text++)
		if (strncasecmp(text, what, n) == 0)
			return text;
	*gone = true;
	return NULL;
}

static bool
tag_is(const char *tag, const char *end, const char *name)
{
	size_t n = strlen(name);

	return (size_t)(end - tag) > n && strncasecmp(tag, name, n) == 0 &&
	       strchr(" \t\r\n/>", tag[n]);
}

/* Tags that part words although no space stands there. */
static bool
tag_parts(const char *tag, const char *end)
{
	static const char *const names[] = {
	    "br", "p", "div", "li", "tr", "td", "hr", "h1", "h2", "h3"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (tag_is(tag, end, names[i]))
			return true;
	return false;
}

/* Behind the tag, comment or script that begins at `text`; NULL when this `<` is only a `<`. */
static const char *
skip_tag(const char *text, const char *end, struct gone *gone, bool *parts)
{
	const char *name = text + 1, *close = NULL;
	bool ends = name < end && *name == '/';

	*parts = false;
	if (end - text >= 4 && memcmp(text, "<!--", 4) == 0)
		close = find(text + 4, end, "-->", &gone->comment_end);
	if (close)
		return close + 3;
	name += ends;
	if (name >= end ||
	    !(((*name | 32) >= 'a' && (*name | 32) <= 'z') || *name == '!' || *name == '?'))
		return NULL;
	close = find(name, end, ">", &gone->tag_end);
	if (!close)
		return NULL;
	*parts = tag_parts(name, end);
	if (!ends && (tag_is(name, end, "script") || tag_is(name, end, "style"))) {
		const char *behind = find(close, end,
		    tag_is(name, end, "script") ? "</script" : "</style", &gone->script_end);
		behind = behind ? find(behind, end, ">", &gone->tag_end) : NULL;
		close = behind ? behind : close;
	}
	return close + 1;
}

const char *
feed_text_plain(struct arena *arena, const char *text, size_t length, bool html, size_t points)
{
	char out[MAX_POINTS * 4 + 8];
	struct plain w = {.out = out, .maximum = points < MAX_POINTS ? points : MAX_POINTS};
	size_t at = 0;
	struct gone gone = {0};

	while (at < length && !w.full) {
		unsigned p = 0;
		size_t n = 0;
		bool parts;
		const char *behind = NULL;

		if (html && text[at] == '<')
			behind = skip_tag(text + at, text + length, &gone, &parts);
		if (behind) {
			w.space |= parts;
			at = (size_t)(behind - text);
			continue;
		}
		if (html && text[at] == '&')
			n = feed_entity_read(text + at, length - at, &p);
		if (n && p) {
			at += n;
			plain_put(&w, p);
		} else {
			plain_put(&w, text_get(text, length, &at));
		}
	}
	if (w.full)
		w.length += feed_text_put(w.out + w.length, 0x2026);
	return w.length ? arena_copy(arena, w.out, w.length) : NULL;
}

char *
feed_text_base64(struct arena *arena, const char *text, size_t length, size_t *decoded)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = arena_alloc(arena, length / 4 * 3 + 4);
	unsigned bits = 0, have = 0;
	size_t i, n = 0;

	for (i = 0; i < length && text[i] != '='; i++) {
		const char *d = text[i] ? strchr(digits, text[i]) : NULL;

		if (text[i] && strchr(" \t\r\n", text[i]))
			continue;
		if (!d)
			return NULL;
		bits = bits << 6 | (unsigned)(d - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(bits >> have & 0xff);
		}
	}
	*decoded = n;
	return out;
}

/* Into `out` (three times `length` and one): trimmed, without controls, inner spaces as %20,
 * "&amp;" of a doubly escaped address undone. */
static void
url_clean(char *out, const char *text, size_t length)
{
	size_t at = 0, n = 0;

	while (length && (unsigned char)text[length - 1] <= ' ')
		length--;
	while (at < length && (unsigned char)text[at] <= ' ')
		at++;
	while (at < length) {
		size_t from = at;
		unsigned p = text_get(text, length, &at);

		if (p == ' ') {
			memcpy(out + n, "%20", 3);
			n += 3;
		} else if (p == '&' && length - at >= 4 && memcmp(text + at, "amp;", 4) == 0) {
			out[n++] = '&';
			at += 4;
		} else if (p == 0xfffd || is_space(p) || is_dropped(p)) {
			continue;
		} else {
			memcpy(out + n, text + from, at - from);
			n += at - from;
		}
	}
	out[n] = 0;
}

/* The length of "scheme:" at the beginning, 0 when there is none (RFC 3986, 3.1). */
static size_t
scheme_length(const char *url)
{
	size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

	return n && url[n] == ':' && (url[0] | 32) >= 'a' && (url[0] | 32) <= 'z' ? n + 1 : 0;
}

static bool
is_web(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* "/a/b/../c/./d" becomes "/a/c/d", in place (RFC 3986, 5.2.4). `path` begins with a slash. */
static void
path_flatten(char *path)
{
	char *in = path, *out = path;

	while (*in && *in != '?' && *in != '#') {
		size_t n = 1 + strcspn(in + 1, "/?#");
		bool last = in[n] != '/';

		if (n == 2 && in[1] == '.') {
			if (last)
				*out++ = '/';
		} else if (n == 3 && in[1] == '.' && in[2] == '.') {
			while (out > path && *--out != '/')
				;
			if (last)
				*out++ = '/';
		} else {
			memmove(out, in, n);
			out += n;
		}
		in += n;
	}
	memmove(out, in, strlen(in) + 1);
}

static char *
url_resolve(struct arena *arena, const char *base, const char *url)
{
	size_t scheme = scheme_length(base), authority, path, keep;
	char *out;

	authority = scheme + 2 + strcspn(base + scheme + 2, "/?#");
	path = authority + strcspn(base + authority, "?#");
	if (url[0] == '/' && url[1] == '/')
		return arena_print(arena, "%.*s%s", (int)scheme, base, url);
	if (url[0] == 0 || url[0] == '#')
		keep = path + strcspn(base + path, "#");
	else if (url[0] == '?')
		keep = path;
	else
		for (keep = path; keep > authority && base[keep - 1] != '/';)
			keep--;
	if (url[0] == '/')
		keep = authority;
	out = arena_print(arena, "%.*s%s%s", (int)keep, base,
	    keep == authority && url[0] != '/' && url[0] ? "/" : "", url);
	if (out[authority] == '/')
		path_flatten(out + authority);
	return out;
}

const char *
feed_text_url(struct arena *arena, const char *base, const char *text, size_t length)
{
	char clean[FEED_MAX_URL * 3 + 1];
	const char *url = clean;

	if (length > FEED_MAX_URL)
		return NULL;
	url_clean(clean, text, length);
	if (!*url || (scheme_length(url) && !is_web(url)))
		return NULL;
	if (!scheme_length(url) && base && is_web(base))
		url = url_resolve(arena, base, url);
	else
		url = arena_string(arena, url);
	return strlen(url) > FEED_MAX_URL ? NULL : url;
}

bool
feed_text_is_media(const char *type, const char *url)
{
	static const char *const ends[] = {".mp3", ".m4a", ".mp4", ".m4v", ".ogg", ".opus", ".aac",
	    ".wav", ".flac", ".mov", ".webm"};
	size_t i, n = strcspn(url, "?#");

	if (type && (strncasecmp(type, "audio/", 6) == 0 || strncasecmp(type, "video/", 6) == 0))
		return true;
	if (type && strncasecmp(type, "image/", 6) == 0)
		return false;
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (n > strlen(ends[i]) &&
		    strncasecmp(url + n - strlen(ends[i]), ends[i], strlen(ends[i])) == 0)
			return true;
	return false;
}
