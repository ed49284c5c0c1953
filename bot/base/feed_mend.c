#include "base/feed_mend.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/feed_entity.h"
#include "base/feed_text.h"
#include "base/memory.h"

enum { MAX_ATTRIBUTES = 64, MAX_NAME = 64, FLUSH_BYTES = 16 * 1024 };

enum state { TEXT, REFERENCE, TAG, COMMENT, CDATA, INSTRUCTION, DECLARATION, AFTER };

struct feed_mend {
	feed_mend_sink *sink;
	void *context;
	enum state state;
	enum feed_problem problem;
	struct buf out;
	struct buf token; /* what began with & or < and is not decided yet */
	char quote;	  /* within TAG and DECLARATION */
	bool value;	  /* the last thing but white space in the TAG was = */
	unsigned run;	  /* the - or ] just seen that may end a COMMENT or CDATA, at most 2 */
	size_t more_at;	  /* the first > within a quoted value, plus 1 */
	char names[FEED_MAX_DEPTH][MAX_NAME + 1];
	size_t depth;
	char seen[MAX_ATTRIBUTES][MAX_NAME + 1]; /* names of the tag in hand */
	bool rooted;
};

struct feed_mend *
feed_mend_new(feed_mend_sink *sink, void *context)
{
	struct feed_mend *m = memory_new(sizeof(*m));

	m->sink = sink;
	m->context = context;
	m->out.maximum = 8 * FEED_MAX_TAG;
	m->token.maximum = FEED_MAX_TAG;
	return m;
}

void
feed_mend_free(struct feed_mend *m)
{
	if (!m)
		return;
	buf_free(&m->out);
	buf_free(&m->token);
	free(m);
}

static void
out_flush(struct feed_mend *m)
{
	if (m->out.length && m->problem == FEED_FINE &&
	    !m->sink(m->context, m->out.bytes, m->out.length))
		m->problem = FEED_NOT_A_FEED;
	buf_clear(&m->out);
}

/* What is done so far goes out before nothing more does. */
static void
refuse(struct feed_mend *m, enum feed_problem problem)
{
	out_flush(m);
	if (m->problem == FEED_FINE)
		m->problem = problem;
}

static void
out_point(struct feed_mend *m, unsigned p)
{
	char bytes[4];

	if (p == '<')
		buf_string(&m->out, "&lt;");
	else if (p == '>')
		buf_string(&m->out, "&gt;");
	else if (p == '&')
		buf_string(&m->out, "&amp;");
	else if (p == '"')
		buf_string(&m->out, "&quot;");
	else if (p >= ' ' || p == '\t' || p == '\n' || p == '\r')
		buf_add(&m->out, bytes, feed_text_put(bytes, p));
}

/* Text outside the root is no XML; inside it goes out escaped. */
static void
out_text(struct feed_mend *m, const char *text, size_t length)
{
	size_t from = 0, i;

	if (m->depth == 0)
		return;
	for (i = 0; i < length; i++)
		if (strchr("<>&\"", text[i]) && text[i]) {
			buf_add(&m->out, text + from, i - from);
			out_point(m, (unsigned char)text[i]);
			from = i + 1;
		}
	buf_add(&m->out, text + from, length - from);
	if (m->out.length >= FLUSH_BYTES)
		out_flush(m);
}

/* A value with its references: those that mean nothing keep their ampersand. */
static void
out_value(struct feed_mend *m, const char *text, size_t length)
{
	size_t i = 0, n;
	unsigned p;

	while (i < length) {
		n = text[i] == '&' ? feed_entity_read(text + i, length - i, &p) : 0;
		if (n && p) {
			out_point(m, p);
			i += n;
		} else {
			out_text(m, text + i++, 1);
		}
	}
}

static bool
is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == ':' || c == '_' || c == '-' || c == '.';
}

/* The next name into `name`; what XML does not allow becomes '_'. Returns the bytes taken. */
static size_t
name_read(const char *p, size_t length, char *name)
{
	size_t i, n = 0;

	for (i = 0; i < length && p[i] && !strchr(" \t\r\n/=>\"'", p[i]); i++)
		if (n < MAX_NAME) {
			bool first = n == 0 && (strchr("-.", p[i]) || (p[i] >= '0' && p[i] <= '9'));
			name[n++] = is_name(p[i]) && !first ? p[i] : '_';
		}
	name[n] = 0;
	return i;
}

static size_t
space_skip(const char *p, size_t length)
{
	size_t i = 0;

	while (i < length && p[i] && strchr(" \t\r\n", p[i]))
		i++;
	return i;
}

struct value {
	size_t from, length;
	bool slash; /* it took the slash that ends the tag with it */
};

/* The value at p[*i], quoted or not, which moves behind it. Without its closing quote: the rest. */
static struct value
value_read(const char *p, size_t length, size_t *i)
{
	struct value v = {*i, 0, false};
	const char *close = NULL;
	bool quoted = *i < length && (p[*i] == '"' || p[*i] == '\'');

	if (quoted) {
		v.from++;
		close = memchr(p + v.from, p[*i], length - v.from);
		*i = close ? (size_t)(close - p) + 1 : length;
		v.length = (close ? (size_t)(close - p) : length) - v.from;
	} else {
		while (*i < length && !strchr(" \t\r\n", p[*i]))
			++*i;
		v.length = *i - v.from;
	}
	if (!close && *i == length && v.length && p[length - 1] == '/') {
		v.slash = true;
		v.length--;
	}
	return v;
}

/* The attributes behind a tag's name, each once; true when it ends in a slash. */
static bool
attributes_put(struct feed_mend *m, const char *p, size_t length)
{
	size_t n_seen = 0, i = 0, n;
	bool slash = false;

	while (i += space_skip(p + i, length - i), i < length) {
		struct value v = {0, 0, false};
		char name[MAX_NAME + 1];

		slash = p[i] == '/';
		n = name_read(p + i, length - i, name);
		i += n ? n : 1;
		if (n == 0)
			continue;
		n = space_skip(p + i, length - i);
		if (i + n < length && p[i + n] == '=') {
			i += n + 1;
			i += space_skip(p + i, length - i);
			v = value_read(p, length, &i);
			slash = v.slash;
		}
		for (n = 0; n < n_seen && strcmp(m->seen[n], name) != 0; n++)
			;
		if (n < n_seen || n_seen == MAX_ATTRIBUTES)
			continue;
		memcpy(m->seen[n_seen++], name, sizeof(name));
		buf_string(&m->out, " ");
		buf_string(&m->out, name);
		buf_string(&m->out, "=\"");
		out_value(m, p + v.from, v.length);
		buf_string(&m->out, "\"");
	}
	return slash;
}

static void
close_top(struct feed_mend *m)
{
	buf_string(&m->out, "</");
	buf_string(&m->out, m->names[--m->depth]);
	buf_string(&m->out, ">");
	if (m->depth == 0)
		m->state = AFTER;
}

/* HTML's tags without an end, and RSS's; not `link`, which RSS writes with one. */
static bool
is_void(const char *name)
{
	static const char *const names[] = {
	    "br", "img", "hr", "input", "meta", "wbr", "area", "base", "enclosure"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* An item within an item, a paragraph within a paragraph: the first was never closed. */
static void
close_same(struct feed_mend *m, const char *name)
{
	size_t i = m->depth;

	if (strcasecmp(name, "p") == 0 || strcasecmp(name, "li") == 0) {
		if (i && strcasecmp(m->names[i - 1], name) == 0)
			close_top(m);
		return;
	}
	if (strcasecmp(name, "item") != 0 && strcasecmp(name, "entry") != 0)
		return;
	while (i > 1 && strcasecmp(m->names[i - 1], name) != 0)
		i--;
	if (i > 1)
		while (m->depth >= i)
			close_top(m);
}

/* Before the root: what a broken server prints above its feed is passed over, a page is not. */
static bool
is_root(const char *name)
{
	const char *colon = strchr(name, ':'), *local = colon ? colon + 1 : name;

	return strcasecmp(local, "rss") == 0 || strcasecmp(local, "rdf") == 0 ||
	       strcasecmp(local, "feed") == 0 || strcasecmp(local, "channel") == 0 ||
	       strcasecmp(local, "html") == 0;
}

static void
tag_begin(struct feed_mend *m, const char *p, size_t length)
{
	char name[MAX_NAME + 1];
	size_t n = name_read(p, length, name);

	if (m->depth == 0 && !is_root(name))
		return;
	if (m->depth)
		close_same(m, name);
	if (m->depth == FEED_MAX_DEPTH) {
		refuse(m, FEED_TOO_DEEP);
		return;
	}
	buf_string(&m->out, "<");
	buf_string(&m->out, name);
	/* Depth first: attributes of the root are not "outside". */
	memcpy(m->names[m->depth++], name, sizeof(name));
	m->rooted = true;
	n = attributes_put(m, p + n, length - n) || is_void(name);
	buf_string(&m->out, ">");
	if (n)
		close_top(m);
}

/* Closes what was forgotten inside; an end without a beginning is left out. */
static void
tag_end(struct feed_mend *m, const char *p, size_t length)
{
	char name[MAX_NAME + 1];
	size_t i = m->depth;

	name_read(p, length, name);
	while (i && strcasecmp(m->names[i - 1], name) != 0)
		i--;
	if (i)
		while (m->depth >= i)
			close_top(m);
}

/* A whole tag stands in the token, without its > . */
static void
tag_done(struct feed_mend *m)
{
	const char *p = m->token.bytes;
	size_t n = m->token.length;

	m->state = TEXT;
	if (p[1] == '/')
		tag_end(m, p + 2, n - 2);
	else
		tag_begin(m, p + 1, n - 1);
	buf_clear(&m->token);
	m->quote = 0;
	m->more_at = 0;
	if (m->out.length >= FLUSH_BYTES)
		out_flush(m);
}

static void
reference_done(struct feed_mend *m)
{
	out_value(m, m->token.bytes, m->token.length);
	buf_clear(&m->token);
	m->state = TEXT;
}

static void byte_came(struct feed_mend *m, char c);

/* The token was no tag after all: its < is text, and what follows is read anew. */
static void
token_is_text(struct feed_mend *m)
{
	out_text(m, m->token.bytes, m->token.length);
	buf_clear(&m->token);
	m->state = TEXT;
	m->quote = 0;
	m->more_at = 0;
}

/* A value whose quote was forgotten: the tag ended at the first > in it. */
static void
quote_forgotten(struct feed_mend *m)
{
	size_t keep = m->more_at - 1, rest = m->token.length - m->more_at;
	char *behind = memory_new(rest + 1);

	memcpy(behind, m->token.bytes + m->more_at, rest);
	m->token.length = keep;
	m->token.bytes[keep] = 0;
	tag_done(m);
	/* No < stands in what is left, so this is text. */
	out_text(m, behind, rest);
	free(behind);
}

/* Decides what a token beginning with < is, as soon as that is clear. */
static bool
kind_decided(struct feed_mend *m, char c)
{
	static const char cdata[] = "<![CDATA[";
	const char *p = m->token.bytes;
	size_t n = m->token.length;

	if (n == 2 && c != '/' && c != '!' && c != '?' && !is_name(c) && !(c & 0x80)) {
		token_is_text(m);
		return true;
	}
	if (n == 2 && c == '?')
		m->state = INSTRUCTION;
	else if (n == 4 && memcmp(p, "<!--", 4) == 0)
		m->state = COMMENT;
	else if (n == 9 && memcmp(p, cdata, 9) == 0)
		m->state = CDATA;
	else if (n >= 3 && p[1] == '!' && memcmp(p, cdata, n < 9 ? n : 9) != 0 &&
		 memcmp(p, "<!--", n < 4 ? n : 4) != 0)
		m->state = DECLARATION;
	else
		return n >= 2 && p[1] == '!';
	buf_clear(&m->token);
	m->run = 0;
	m->quote = 0;
	return true;
}

static void
tag_byte(struct feed_mend *m, char c)
{
	char before = m->token.length ? m->token.bytes[m->token.length - 1] : 0;

	if (m->quote && before == '<' && m->more_at && (c == '/' || c == '!' || is_name(c))) {
		m->token.bytes[--m->token.length] = 0;
		quote_forgotten(m);
		byte_came(m, '<');
		byte_came(m, c);
		return;
	}
	if (!m->quote && c == '>') {
		tag_done(m);
		return;
	}
	if (!m->quote && c == '<') {
		token_is_text(m);
		byte_came(m, c);
		return;
	}
	buf_add(&m->token, &c, 1);
	if (m->token.overflowed) {
		refuse(m, FEED_TOO_BIG);
		return;
	}
	if (m->quote && c == '>' && !m->more_at)
		m->more_at = m->token.length;
	if (m->quote && c == m->quote) {
		m->quote = 0;
		m->more_at = 0;
	} else if (!m->quote && (c == '"' || c == '\'') && m->value) {
		m->quote = c;
	}
	if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
		m->value = c == '=';
	if (m->token.length <= 9)
		kind_decided(m, c);
}

/* CDATA's text goes out as it comes, but for the brackets that may be its end. */
static void
cdata_byte(struct feed_mend *m, char c)
{
	if (c == '>' && m->run == 2) {
		m->state = TEXT;
	} else if (c == ']' && m->run < 2) {
		m->run++;
	} else if (c == ']') {
		out_text(m, "]", 1);
	} else {
		out_text(m, "]]", m->run);
		out_text(m, &c, 1);
		m->run = 0;
	}
}

static void
declaration_byte(struct feed_mend *m, char c)
{
	if (m->quote) {
		if (c == m->quote)
			m->quote = 0;
	} else if (c == '"' || c == '\'') {
		m->quote = c;
	} else if (c == '[') {
		refuse(m, FEED_FORBIDDEN);
	} else if (c == '>') {
		m->state = TEXT;
	}
}

static void
text_byte(struct feed_mend *m, char c)
{
	if (c == '<' || c == '&') {
		buf_add(&m->token, &c, 1);
		m->state = c == '<' ? TAG : REFERENCE;
		m->value = false;
	} else {
		out_text(m, &c, 1);
	}
}

static void
byte_came(struct feed_mend *m, char c)
{
	switch (m->state) {
	case TEXT:
		text_byte(m, c);
		break;
	case REFERENCE:
		if (c == '&' || c == '<') {
			reference_done(m);
			byte_came(m, c);
			break;
		}
		buf_add(&m->token, &c, 1);
		if (c == ';' || !(is_name(c) || c == '#') || m->token.length > FEED_ENTITY_MAX + 2)
			reference_done(m);
		break;
	case TAG:
		tag_byte(m, c);
		break;
	case COMMENT:
		if (m->run == 2 && c == '>')
			m->state = TEXT;
		m->run = c != '-' ? 0 : m->run < 2 ? m->run + 1 : 2;
		break;
	case CDATA:
		cdata_byte(m, c);
		break;
	case INSTRUCTION:
		if (c == '>')
			m->state = TEXT;
		break;
	case DECLARATION:
		declaration_byte(m, c);
		break;
	case AFTER:
		break;
	}
}

enum feed_problem
feed_mend_add(struct feed_mend *m, const char *text, size_t length)
{
	size_t i = 0, run;

	while (i < length && m->problem == FEED_FINE) {
		run = i;
		if (m->state == TEXT)
			while (run < length && text[run] != '<' && text[run] != '&')
				run++;
		if (run > i)
			out_text(m, text + i, run - i);
		else
			byte_came(m, text[run++]);
		i = run;
	}
	return m->problem;
}

enum feed_problem
feed_mend_end(struct feed_mend *m)
{
	if (m->problem != FEED_FINE)
		return m->problem;
	if (m->state == REFERENCE)
		reference_done(m);
	if (m->state == TAG && m->token.length > 2 && m->token.bytes[1] == '/')
		tag_done(m);
	out_flush(m);
	if (m->problem != FEED_FINE)
		return m->problem;
	return !m->rooted ? FEED_NOT_A_FEED : m->depth ? FEED_CUT : FEED_FINE;
}
