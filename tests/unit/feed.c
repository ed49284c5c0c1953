#include "unit.h"

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <time.h>

#include "base/arena.h"
#include "base/feed.h"
#include "base/feed_date.h"
#include "base/feed_text.h"

enum { NOW_S = 1795478400 }; /* 2026-11-24 */

static struct arena *arena;

static struct feed *
parse(const char *text)
{
	return feed_parse(arena, text, strlen(text), NULL);
}

static struct feed *
parse_from(const char *text, size_t length, const char *type, const char *url)
{
	struct feed_origin origin = {type, NULL, url};

	return feed_parse(arena, text, length, &origin);
}

static int
begin(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

#define RSS(inside) "<rss version='2.0'><channel><title>C</title>" inside "</channel></rss>"

/* ---- own inputs ---- */

static void
feed_reads_rss(void **state)
{
	struct feed *f = parse(
	    "<?xml version='1.0' encoding='UTF-8'?>"
	    "<rss version='2.0' xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'"
	    " xmlns:atom='http://www.w3.org/2005/Atom'><channel><title>Voices &amp; Roads</title>"
	    "<link>https://example.org/</link><language>ar_PS</language>"
	    "<atom:link rel='self' href='https://example.org/feed'/>"
	    "<itunes:new-feed-url>https://new.example.org/feed</itunes:new-feed-url>"
	    "<itunes:image href='https://example.org/a.jpg'/>"
	    "<image><url>https://example.org/b.jpg</url><title>not this</title>"
	    "<link>https://not.this/</link></image>"
	    "<item><title><![CDATA[One <b>bold</b> &amp; two]]></title><guid>e-1</guid>"
	    "<link>https://example.org/1</link><pubDate>Sun, 06 Nov 2022 10:00:00 +0200</pubDate>"
	    "<enclosure url='https://example.org/1.mp3?a=1&amp;b=2' type='audio/mpeg' length='12'/>"
	    "<itunes:duration>1:02:03</itunes:duration><itunes:season>2</itunes:season>"
	    "<itunes:episode>7</itunes:episode></item></channel></rss>");
	const struct feed_item *i = f->items;

	(void)state;
	assert_int_equal(f->problem, FEED_FINE);
	assert_true(f->well_formed);
	assert_string_equal(f->title, "Voices & Roads");
	assert_string_equal(f->link, "https://example.org/");
	assert_string_equal(f->language, "ar-PS");
	assert_string_equal(f->self, "https://example.org/feed");
	assert_string_equal(f->new_url, "https://new.example.org/feed");
	assert_string_equal(f->image, "https://example.org/a.jpg");
	assert_int_equal(f->count, 1);
	assert_string_equal(i->title, "One bold & two");
	assert_string_equal(i->guid, "e-1");
	assert_string_equal(i->link, "https://example.org/1");
	assert_int_equal(i->published_s, 1667721600);
	assert_string_equal(i->enclosure_url, "https://example.org/1.mp3?a=1&b=2");
	assert_string_equal(i->enclosure_type, "audio/mpeg");
	assert_int_equal(i->enclosure_bytes, 12);
	assert_int_equal(i->duration_s, 3723);
	assert_int_equal(i->season, 2);
	assert_int_equal(i->episode, 7);
}

static void
feed_reads_atom(void **state)
{
	struct feed *f = parse(
	    "<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='he' "
	    "xml:base='https://example.org/a/'>"
	    "<title type='html'>A &amp;amp; B</title><link href='/home'/>"
	    "<link rel='self' href='feed.xml'/><logo>logo.png</logo>"
	    "<entry><title>1 &lt; 2</title><id>urn:x:1</id><link rel='enclosure' type='audio/mpeg'"
	    " length='9' href='../e/1.mp3'/><link "
	    "href='1.html'/><updated>2022-01-01T00:00:00Z</updated>"
	    "<published>2021-12-31T22:00:00-02:00</published></entry>"
	    "<entry><title type='xhtml'><div "
	    "xmlns='http://www.w3.org/1999/xhtml'>x<i>y</i></div></title>"
	    "<id>urn:x:2</id><updated>2022-01-02T00:00:00Z</updated></entry></feed>");

	(void)state;
	assert_int_equal(f->problem, FEED_FINE);
	assert_string_equal(f->title, "A & B");
	assert_string_equal(f->link, "https://example.org/home");
	assert_string_equal(f->self, "https://example.org/a/feed.xml");
	assert_string_equal(f->image, "https://example.org/a/logo.png");
	assert_string_equal(f->language, "he");
	assert_int_equal(f->count, 2);
	assert_string_equal(f->items[0].title, "1 < 2");
	assert_string_equal(f->items[0].link, "https://example.org/a/1.html");
	assert_string_equal(f->items[0].enclosure_url, "https://example.org/e/1.mp3");
	assert_int_equal(f->items[0].published_s, 1640995200);
	assert_string_equal(f->items[1].title, "xy");
	assert_ptr_equal(feed_newest(f, NOW_S), &f->items[1]);
}

static void
feed_reads_rdf(void **state)
{
	struct feed *f = parse(
	    "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"
	    " xmlns='http://purl.org/rss/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/'>"
	    "<channel rdf:about='x'><title>R</title><link>http://example.org</link></channel>"
	    "<item "
	    "rdf:about='http://example.org/1'><title>I</title><link>http://example.org/1</link>"
	    "<dc:date>2004-07-08</dc:date></item></rdf:RDF>");

	(void)state;
	assert_int_equal(f->problem, FEED_FINE);
	assert_string_equal(f->title, "R");
	assert_int_equal(f->count, 1);
	assert_string_equal(f->items[0].guid, "http://example.org/1");
	assert_int_equal(f->items[0].published_s, 1089244800);
}

static void
feed_mends_what_is_not_well_formed(void **state)
{
	struct feed *f =
	    parse("\n<?xml version='1.0'?><!-- -- --><rss version=2.0><channel>junk < more & more"
		  "<title>Caf&eacute; &nbsp;&amp; R&D &bogus; a < b</title>"
		  "<item><title>one<br>two</title><guid>1</guid><description><p>x<p>y<img "
		  "src=a></description>"
		  "<enclosure url=\"http://example.org/1.mp3?a=1&b=2\" url='twice' length=5 "
		  "type=audio/mpeg />"
		  "<pubdate>Sun, 06 Nov 2022 10:00:00 GMT</pubDate>"
		  "<item><title><![CDATA[a]]b ]]></TITLE><guid>2</guid></item></b></channel></rss> "
		  "trailing");

	(void)state;
	assert_int_equal(f->problem, FEED_FINE);
	assert_false(f->well_formed);
	assert_string_equal(f->title, "Café & R&D &bogus; a < b");
	assert_int_equal(f->count, 2);
	assert_string_equal(f->items[0].title, "one two");
	assert_string_equal(f->items[0].enclosure_url, "http://example.org/1.mp3?a=1&b=2");
	assert_string_equal(f->items[0].enclosure_type, "audio/mpeg");
	assert_int_equal(f->items[0].enclosure_bytes, 5);
	assert_int_equal(f->items[0].published_s, 1667728800);
	assert_string_equal(f->items[1].title, "a]]b");
	assert_string_equal(f->items[1].guid, "2");
}

/* A server's complaint above the feed; the same above a page is still a page. */
static void
feed_finds_itself_below_noise(void **state)
{
	struct feed *f = parse("<br />\n<b>Warning</b>: include() in <i>/x.php</i> on line 3<br>"
			       "<?xml version='1.0'?>" RSS("<item><guid>1</guid></item>"));

	(void)state;
	assert_int_equal(f->problem, FEED_FINE);
	assert_int_equal(f->count, 1);
	f = parse("Warning <br><html><pre>" RSS("<item><guid>1</guid></item>") "</pre></html>");
	assert_int_equal(f->problem, FEED_NOT_A_FEED);
}

static void
feed_mends_a_forgotten_quote(void **state)
{
	struct feed *f = parse(RSS("<item><enclosure url=\"http://example.org/1.mp3><guid>1</guid>"
				   "<title>t</title></item>"));

	(void)state;
	assert_int_equal(f->count, 1);
	assert_string_equal(f->items[0].guid, "1");
	assert_string_equal(f->items[0].title, "t");
	assert_string_equal(f->items[0].enclosure_url, "http://example.org/1.mp3");
}

/* Each cut of a feed gives only whole items, and says that it was cut. */
static void
feed_keeps_whole_items_of_a_cut_one(void **state)
{
	static const char text[] = RSS("<item><title>aa</title><guid>1</guid></item>"
				       "<item><title>שלום</title><guid>2</guid></item>");
	/* Nothing is missing but the last > . */
	size_t n, first = (size_t)(strstr(text, "</item>") - text) + 6;
	size_t second = (size_t)(strstr(text + first, "</item>") - text) + 6;

	(void)state;
	for (n = 1; n < sizeof(text) - strlen("/channel></rss>") - 1; n++) {
		char *copy = malloc(n);
		struct feed *f;

		memcpy(copy, text, n);
		f = feed_parse(arena, copy, n, NULL);
		free(copy);
		assert_int_not_equal(f->problem, FEED_FINE);
		assert_int_equal(f->count, n < first ? 0 : n < second ? 1 : 2);
		assert_false(f->well_formed);
	}
	assert_int_equal(parse(text)->problem, FEED_FINE);
}

static void
feed_refuses_what_is_none(void **state)
{
	static const char *const pages[] = {
	    "<!DOCTYPE html><html><body><form action=x><input name=y><br></form></body></html>",
	    "<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>",
	    "<html><head><meta charset=utf-8><title>x</title>",
	    "{\"error\": 404}",
	    "not found",
	    "<opml version='1.0'><body/></opml>",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		struct feed *f = parse(pages[i]);
		assert_int_equal(f->problem, FEED_NOT_A_FEED);
		assert_non_null(f->why);
		assert_int_equal(f->count, 0);
	}
	assert_int_equal(parse("")->problem, FEED_EMPTY);
}

static void
feed_refuses_declarations(void **state)
{
	static const char *const bombs[] = {
	    "<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" RSS(
		"<item><title>&x;</title></item>"),
	    "<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
	    "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d "
	    "'&c;&c;&c;&c;&c;&c;&c;&c;'>]>" RSS("<item><title>&d;&d;&d;&d;</title></item>"),
	    "<!DOCTYPE rss [<!ENTITY % p SYSTEM 'http://127.0.0.1/x.dtd'> %p;]>" RSS(
		"<item><title>t</title></item>"),
	    "<!DOCTYPE rss [<!ATTLIST item title CDATA 'x'>]>" RSS("<item><title>t</title></item>"),
	    /* The same where the strict pass has failed before. */
	    "&<!DOCTYPE rss [<!ENTITY x 'y'>]>" RSS("<item><title>&x;</title></item>"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bombs) / sizeof(*bombs); i++) {
		struct feed *f = parse(bombs[i]);
		assert_int_equal(f->problem, FEED_FORBIDDEN);
		assert_int_equal(f->count, 0);
	}
	/* Netscape's old DOCTYPE names a file and declares nothing: it is not read. */
	assert_string_equal(
	    parse("<!DOCTYPE rss PUBLIC '-//Netscape Communications//DTD RSS 0.91//EN'"
		  " 'http://my.netscape.com/publish/formats/rss-0.91.dtd'>" RSS(
		      "<item><title>caf&eacute;</title></item>"))
		->items[0]
		.title,
	    "café");
}

static char *
repeated(const char *head, const char *piece, size_t bytes, const char *tail, size_t *length)
{
	size_t h = strlen(head), p = strlen(piece), n = bytes / p, i;
	char *all = malloc(h + n * p + strlen(tail) + 1);

	memcpy(all, head, h);
	for (i = 0; i < n; i++)
		memcpy(all + h + i * p, piece, p);
	memcpy(all + h + n * p, tail, strlen(tail) + 1);
	*length = h + n * p + strlen(tail);
	return all;
}

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#define OPEN "<rss><channel><item><guid>0</guid></item>"

/* Each ends soon, whatever it says; the item before it is kept where the problem allows. */
static void
feed_stands_bombs(void **state)
{
	static const struct {
		const char *name, *head, *piece, *tail;
		size_t bytes;
		enum feed_problem problem;
	} bombs[] = {
	    {"deep nesting", OPEN, "<a>", "", 1 << 20, FEED_TOO_DEEP},
	    {"deep nesting, ill-formed", OPEN "&", "<a>", "", 1 << 20, FEED_TOO_DEEP},
	    {"20 MB attribute", OPEN "<a b='", "xxxxxxxx", "'/></channel></rss>", 20 << 20,
		FEED_TOO_BIG},
	    {"15 MB attribute", OPEN "<a b='", "xxxxxxxx", "'/></channel></rss>", 15 << 20,
		FEED_TOO_BIG},
	    {"15 MB attribute, ill-formed", OPEN "&<a b='", "xxxxxxxx", "'/></channel></rss>",
		15 << 20, FEED_TOO_BIG},
	    {"endless CDATA", OPEN "<item><title><![CDATA[", "]]xxxxxx", "", 8 << 20, FEED_CUT},
	    {"endless comment", OPEN "<!--", "- - -- x", "", 4 << 20, FEED_CUT},
	    {"endless comment, well-formed", OPEN "<!--", "xxxxxxxx", "", 4 << 20, FEED_TOO_BIG},
	    {"many attributes", OPEN "<a", " b='1'", "/></channel></rss>", 256 << 10, FEED_FINE},
	    {"many <", OPEN "<title>", "<", "</title></channel></rss>", 4 << 20, FEED_FINE},
	    {"many &", OPEN "<title>", "&", "</title></channel></rss>", 4 << 20, FEED_FINE},
	    {"many quotes", OPEN, "<a b=\">", "</channel></rss>", 4 << 20, FEED_TOO_DEEP},
	    {"many quotes, flat", OPEN, "<br b=\">", "</channel></rss>", 4 << 20, FEED_FINE},
	    {"tags in a title", OPEN "<item><title>", "&lt;script &lt;!-- &amp;",
		"</title></item>"
		"</channel></rss>",
		4 << 20, FEED_FINE},
	    {"many items", OPEN, "<item/>", "</channel></rss>", 1 << 20, FEED_TOO_BIG},
	    {"bases", OPEN, "<a xml:base='http://x/yyyyyyyyyyyyyyyyyyyyyyyyyyy'/>",
		"</channel></rss>", 4 << 20, FEED_FINE},
	    {"titles", OPEN, "<item><title>0123456789012345678901234567890123456789</title></item>",
		"</channel></rss>", 4 << 20, FEED_TOO_BIG},
	    {"links", OPEN,
		"<item><link>http://example.org/01234567890123456789012345678901234567890"
		"1234567890123456789012345678901234567890123456789012345678901234567890123456789012"
		"3456789012345678901234567890123456789012345678901234567890123456789012345678901234"
		"56"
		"</link><guid>1</guid></item>",
		"</channel></rss>", 4 << 20, FEED_TOO_BIG},
	};
	size_t i, length;
	double worst = 0;

	(void)state;
	for (i = 0; i < sizeof(bombs) / sizeof(*bombs); i++) {
		char *bomb =
		    repeated(bombs[i].head, bombs[i].piece, bombs[i].bytes, bombs[i].tail, &length);
		double start = cpu_ms(), spent;
		struct feed *f = feed_parse(arena, bomb, length, NULL);

		spent = (cpu_ms() - start) / ((double)length / 1e6);
		worst = spent > worst ? spent : worst;
		if (f->problem != bombs[i].problem || spent > 1000 || getenv("FEED_VERBOSE"))
			printf("# %s: %s, %.0f ms/MB, %zu items\n", bombs[i].name,
			    feed_problem_name(f->problem), spent, f->count);
		assert_int_equal(f->problem, bombs[i].problem);
		assert_true(length > FEED_MAX_BYTES || f->count >= 1);
		/* Sanitizers make it some ten times slower than the 100 ms of the service. */
		assert_true(spent < 1000);
		free(bomb);
		arena_forget(arena);
	}
	printf("# bombs: at most %.0f ms of CPU a MB under sanitizers\n", worst);
}

/* Names never met before: expat keeps each, and must not keep 16 MB of them. */
static void
feed_stands_endless_names(void **state)
{
	size_t room = 6 << 20, n = 0, i;
	char *text = malloc(room + 64);
	struct feed *f;

	(void)state;
	n = (size_t)snprintf(text, room, "%s", OPEN);
	for (i = 0; n < room; i++)
		n += (size_t)snprintf(text + n, 64, "<n%zx/>", i);
	f = feed_parse(arena, text, n, NULL);
	assert_int_equal(f->problem, FEED_TOO_BIG);
	assert_int_equal(f->count, 1);
	free(text);
}

static void
feed_cleans_text(void **state)
{
	static const struct {
		const char *from, *to;
	} texts[] = {
	    {"a\x01"
	     "b\xe2\x80\xae"
	     "c\xe2\x80\xac\xe2\x81\xa6"
	     "d",
		"abcd"},
	    {"  a \n\t b\xc2\xa0\xe2\x80\x83 c ", "a b c"},
	    {"x<script>alert(1)</script>y<style>p{}</style>z", "xyz"},
	    {"a<!-- b --> c<br/>d", "a c d"},
	    {"1 < 2 and 3 > 2 <3", "1 < 2 and 3 > 2 <3"},
	    {"&#8217;&#x2019;&#146;&rsquo;&nope;&#0;&#xd800;", "’’’’&nope;��"},
	    {"&lt;b&gt; stays", "<b> stays"},
	    {"\xd7\xa9\xe2\x80\x8f.", "\xd7\xa9\xe2\x80\x8f."},
	    {"a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd"},
	    {"\xc2\x93q\xc2\x94", "“q”"},
	};
	char longest[4096];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_string_equal(
		    feed_text_plain(arena, texts[i].from, strlen(texts[i].from), true, 100),
		    texts[i].to);
	assert_null(feed_text_plain(arena, " <b> </b>", 9, true, 100));
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(strlen(feed_text_plain(arena, longest, sizeof(longest), true, 10)), 13);
}

static void
feed_resolves_addresses(void **state)
{
	/* The examples of RFC 3986, 5.4. */
	static const struct {
		const char *url, *whole;
	} urls[] = {
	    {"g", "http://a/b/c/g"},
	    {"./g", "http://a/b/c/g"},
	    {"g/", "http://a/b/c/g/"},
	    {"/g", "http://a/g"},
	    {"//g", "http://g"},
	    {"?y", "http://a/b/c/d;p?y"},
	    {"g?y", "http://a/b/c/g?y"},
	    {"#s", "http://a/b/c/d;p?q#s"},
	    {"g#s", "http://a/b/c/g#s"},
	    {".", "http://a/b/c/"},
	    {"./", "http://a/b/c/"},
	    {"..", "http://a/b/"},
	    {"../g", "http://a/b/g"},
	    {"../..", "http://a/"},
	    {"../../g", "http://a/g"},
	    {"../../../g", "http://a/g"},
	    {"/./g", "http://a/g"},
	    {"/../g", "http://a/g"},
	    {"g.", "http://a/b/c/g."},
	    {"..g", "http://a/b/c/..g"},
	    {"./../g", "http://a/b/g"},
	    {"g/./h", "http://a/b/c/g/h"},
	    {"g/../h", "http://a/b/c/h"},
	    {"g?y/../x", "http://a/b/c/g?y/../x"},
	    {" http://x/a b&amp;c ", "http://x/a%20b&c"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(urls) / sizeof(*urls); i++)
		assert_string_equal(
		    feed_text_url(arena, "http://a/b/c/d;p?q", urls[i].url, strlen(urls[i].url)),
		    urls[i].whole);
	assert_null(feed_text_url(arena, NULL, "javascript:alert(1)", 19));
	assert_null(feed_text_url(arena, "http://a/", "file:///etc/passwd", 18));
	assert_string_equal(feed_text_url(arena, NULL, "/rel", 4), "/rel");
}

static void
feed_reads_encodings(void **state)
{
	static const char hebrew[] = "\xf9\xec\xe5\xed";
	char text[512], wide[1024];
	size_t i, n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text),
	    "<?xml version='1.0' encoding='windows-1255'?>" RSS("<item><title>%s</title></item>"),
	    hebrew);
	assert_string_equal(parse_from(text, n, NULL, NULL)->items[0].title, "שלום");
	n = (size_t)snprintf(text, sizeof(text),
	    "<?xml version='1.0' encoding='utf-8'?>" RSS(
		"<language>he</language><item><title>%s</title></item>"),
	    hebrew);
	assert_string_equal(parse_from(text, n, NULL, NULL)->items[0].title, "שלום");
	n = (size_t)snprintf(text, sizeof(text), RSS("<item><title>%s</title></item>"), hebrew);
	assert_string_equal(
	    parse_from(text, n, "text/xml; charset=\"ISO-8859-8-I\"", NULL)->items[0].title,
	    "שלום");
	/* The header is wrong about what is plainly UTF-8; the declaration about plain ASCII. */
	n = (size_t)snprintf(text, sizeof(text), RSS("<item><title>שלום</title></item>"));
	assert_string_equal(
	    parse_from(text, n, "text/xml; charset=iso-8859-1", NULL)->items[0].title, "שלום");
	n = (size_t)snprintf(text, sizeof(text),
	    "<?xml version='1.0' encoding='UTF-16'?>" RSS("<item><title>x</title></item>"));
	assert_string_equal(parse_from(text, n, NULL, NULL)->items[0].title, "x");
	/* UTF-16 in both orders, with and without a mark. */
	for (i = 0; i < n; i++) {
		wide[2 * i] = text[i];
		wide[2 * i + 1] = 0;
	}
	assert_string_equal(parse_from(wide, 2 * n, NULL, NULL)->items[0].title, "x");
	for (i = 0; i < n; i++) {
		wide[2 * i] = 0;
		wide[2 * i + 1] = text[i];
	}
	assert_string_equal(parse_from(wide, 2 * n, NULL, NULL)->items[0].title, "x");
	/* One bad byte in UTF-8 costs one character. */
	n = (size_t)snprintf(text, sizeof(text), RSS("<item><title>שלום \xff עולם</title></item>"));
	assert_string_equal(parse_from(text, n, NULL, NULL)->items[0].title, "שלום � עולם");
	assert_false(parse_from(text, n, NULL, NULL)->well_formed);
}

static void
feed_newest_goes_by_date(void **state)
{
	struct feed *f = parse(RSS("<item><title>undated</title></item>"
				   "<item><pubDate>1 Jan 2020 00:00 GMT</pubDate></item>"
				   "<item><pubDate>1 Jan 2021 00:00 GMT</pubDate></item>"
				   "<item><pubDate>1 Jan 2021 00:00 GMT</pubDate></item>"
				   "<item><pubDate>1 Jan 2199 00:00 GMT</pubDate></item>"));

	(void)state;
	assert_ptr_equal(feed_newest(f, NOW_S), &f->items[2]);
	assert_ptr_equal(feed_newest(f, 0), &f->items[4]);
	f = parse(RSS("<item><title>1</title></item><item><title>2</title></item>"));
	assert_ptr_equal(feed_newest(f, NOW_S), &f->items[0]);
	assert_null(feed_newest(parse(RSS("")), NOW_S));
}

/* The rule of feed.h, with an array for the table. */
struct seen {
	char *keys[512];
	size_t count;
};

static bool
seen_has(const struct seen *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (strcmp(s->keys[i], key) == 0)
			return true;
	return false;
}

static void
seen_add(struct seen *s, const char *key)
{
	if (key && !seen_has(s, key) && s->count < 512)
		s->keys[s->count++] = strdup(key);
}

/* How many items are new; their guids, each with a space behind, into `names`. */
static size_t
seen_new(struct seen *s, const struct feed *f, char *names, size_t room)
{
	size_t i, n = 0, used = 0;

	*names = 0;
	for (i = 0; i < f->count; i++) {
		struct feed_key k = feed_item_key(arena, &f->items[i]);

		if (!seen_has(s, k.key)) {
			n++;
			used += (size_t)snprintf(names + used, room - used, "%s ",
			    f->items[i].guid ? f->items[i].guid : f->items[i].title);
			assert_true(used < room);
		}
		seen_add(s, k.key);
		seen_add(s, k.also);
	}
	return n;
}

static void
seen_free(struct seen *s)
{
	while (s->count)
		free(s->keys[--s->count]);
}

static void
feed_key_survives(void **state)
{
	static const struct {
		const char *feed;
		size_t fresh;
	} days[] = {
	    {RSS("<item><title>A</title><guid>1</guid><enclosure "
		 "url='http://x/a.mp3?t=1'/></item>"),
		1},
	    /* Another title, date and file under the known guid. */
	    {RSS("<item><title>B</title><guid>1</guid><enclosure url='http://x/a2.mp3'/></item>"),
		0},
	    /* The guid is used again beside the first: one new one, and only once. */
	    {RSS("<item><title>C</title><guid>1</guid><enclosure url='http://x/c.mp3'/></item>"
		 "<item><title>B</title><guid>1</guid><enclosure "
		 "url='https://www.x/a2.mp3?t=9'/></item>"),
		1},
	    {RSS("<item><title>C</title><guid>1</guid><enclosure url='http://x/c.mp3'/></item>"),
		0},
	    /* Without a guid the file counts, whatever its query and the title say. */
	    {RSS("<item><title>D</title><enclosure url='http://x/d.mp3?u=1'/></item>"
		 "<item><title>E</title><enclosure url='http://x/e.mp3?u=1'/></item>"),
		2},
	    {RSS("<item><title>D2</title><enclosure url='https://x/d.mp3?u=2'/></item>"), 0},
	    /* One link for all is no identity: titles are. */
	    {RSS("<item><title>F</title><link>http://x/</link></item>"
		 "<item><title>G</title><link>http://x/</link></item>"),
		2},
	    {RSS("<item><title>F</title><link>http://x/</link></item>"
		 "<item><title>G</title><link>http://x/</link></item>"),
		0},
	};
	struct seen seen = {.count = 0};
	char names[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(days) / sizeof(*days); i++)
		assert_int_equal(
		    seen_new(&seen, parse(days[i].feed), names, sizeof(names)), days[i].fresh);
	seen_free(&seen);
}

static void
feed_reads_lengths(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} lengths[] = {
	    {"3600", 3600},
	    {"20:00", 1200},
	    {" 1:00:00 ", 3600},
	    {"90:30", 5430},
	    {"12.7", 12},
	    {"PT1H2M3S", 3723},
	    {"0", 0},
	    {"", -1},
	    {"abc", -1},
	    {"-5", -1},
	    {"1:2:3:4", -1},
	    {"99999999", -1},
	    {"1:", -1},
	    {"45 min", -1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		int64_t s = -1;
		feed_date_duration(lengths[i].text, strlen(lengths[i].text), &s);
		assert_int_equal(s, lengths[i].seconds);
	}
}

/* ---- the shared data ---- */

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

/* The first key that differs, NULL when all agree. */
static const char *
item_differs(const json_t *expected, const struct feed_item *i)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)expected, key, value) {
		bool ok = false;

		if (!strcmp(key, "title"))
			ok = text_agrees(value, i->title);
		else if (!strcmp(key, "link"))
			ok = address_agrees(value, i->link);
		else if (!strcmp(key, "guid"))
			ok = text_agrees(value, i->guid);
		else if (!strcmp(key, "enc_url"))
			ok = text_agrees(value, i->enclosure_url);
		else if (!strcmp(key, "enc_type"))
			ok = text_agrees(value, i->enclosure_type);
		else if (!strcmp(key, "enc_len"))
			ok = number_agrees(value, i->enclosure_bytes);
		else if (!strcmp(key, "published"))
			ok = number_agrees(value, i->published_s);
		else if (!strcmp(key, "duration"))
			ok = number_agrees(value, i->duration_s);
		else if (!strcmp(key, "season"))
			ok = number_agrees(value, i->season);
		else if (!strcmp(key, "episode"))
			ok = number_agrees(value, i->episode);
		if (!ok)
			return key;
	}
	return NULL;
}

static const char *
feed_differs(const json_t *expected, const struct feed *f)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)expected, key, value) {
		bool ok = false;

		if (!strcmp(key, "title"))
			ok = text_agrees(value, f->title);
		else if (!strcmp(key, "link"))
			ok = address_agrees(value, f->link);
		else if (!strcmp(key, "language"))
			ok = language_agrees(value, f->language);
		else if (!strcmp(key, "image"))
			ok = text_agrees(value, f->image);
		if (!ok)
			return key;
	}
	return NULL;
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
	wrong = feed_differs(json_object_get(expect, "feed"), f);
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

static struct feed *
case_parse(const json_t *c, const json_t *expect)
{
	char path[512], url[600] = "";
	char *expected = json_dumps(expect, JSON_ENCODE_ANY);
	const char *location = header(c, "Content-Location");
	bool local = expected && strstr(expected, "127.0.0.1:8097") != NULL;
	struct feed_origin origin = {
	    header(c, "Content-type"), header(c, "Content-Language"), NULL};
	size_t length;
	char *bytes;
	struct feed *f;

	snprintf(path, sizeof(path), "../shared/data/feeds/%s", word(c, "input"));
	bytes = unit_read(path, &length);
	assert_non_null(bytes);
	if (location)
		snprintf(url, sizeof(url), "%s%s", *location == '/' ? "http://127.0.0.1:8097" : "",
		    location);
	else if (local)
		snprintf(url, sizeof(url), "http://127.0.0.1:8097/tests/x.xml");
	origin.url = *url ? url : NULL;
	f = feed_parse(arena, bytes, length, &origin);
	free(bytes);
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
	size_t length;
	char *bytes;
	struct feed *f;

	snprintf(path, sizeof(path), "../shared/data/feeds/real/%s.xml", name);
	bytes = unit_read(path, &length);
	assert_non_null(bytes);
	f = feed_parse(arena, bytes, length, NULL);
	free(bytes);
	return f;
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
		size_t i, length, n;
		char file[256], *bytes;
		struct feed *f;

		snprintf(file, sizeof(file), "../shared/data/feeds/%s", word(c, "file"));
		bytes = unit_read(file, &length);
		f = feed_parse(arena, bytes, length, NULL);
		free(bytes);
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

static void
feed_reads_own_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_s;
	} dates[] = {
	    {"Tue, 29 Feb 2000 12:00:00 +0000", 951825600},
	    {"29 Feb 2001 12:00:00 GMT", FEED_NONE},
	    {"31-Dec-2002 14:20:20 GMT", 1041344420},
	    {"Sun, 06 Nov 22 10:00:00 +0200", 1667721600},
	    {"1969-12-31T23:59:59Z", -1},
	    {"20221106T100000Z", 1667728800},
	    {"Sunday, November 6, 2022 10:00:00 EST", 1667746800},
	    {"31 Jun 2006 10:00:00 GMT", FEED_NONE},
	    {"2022-11-06T24:00:00Z", 1667779200},
	    {"tomorrow", FEED_NONE},
	    {"12", FEED_NONE},
	    {"2022-11-06T10:00:00+0200", 1667721600},
	    {"2022-310", 1667692800},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
		int64_t found = FEED_NONE;
		feed_date_parse(dates[i].text, strlen(dates[i].text), &found);
		if (found != dates[i].unix_s)
			printf("# %s: %lld\n", dates[i].text, (long long)found);
		assert_int_equal(found, dates[i].unix_s);
	}
}

static struct feed *
derived(const char *name)
{
	char path[256];
	size_t length;
	char *bytes;
	struct feed *f;

	snprintf(path, sizeof(path), "../shared/data/feeds/derived/%s", name);
	bytes = unit_read(path, &length);
	assert_non_null(bytes);
	f = feed_parse(arena, bytes, length, NULL);
	free(bytes);
	return f;
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

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

static const struct CMUnitTest tests[] = {
    T(feed_reads_rss),
    T(feed_reads_atom),
    T(feed_reads_rdf),
    T(feed_mends_what_is_not_well_formed),
    T(feed_finds_itself_below_noise),
    T(feed_mends_a_forgotten_quote),
    T(feed_keeps_whole_items_of_a_cut_one),
    T(feed_refuses_what_is_none),
    T(feed_refuses_declarations),
    T(feed_stands_bombs),
    T(feed_stands_endless_names),
    T(feed_cleans_text),
    T(feed_resolves_addresses),
    T(feed_reads_encodings),
    T(feed_newest_goes_by_date),
    T(feed_key_survives),
    T(feed_reads_lengths),
    T(feed_reads_own_dates),
    T(feed_holds_the_cases),
    T(feed_stands_every_input),
    T(feed_names_the_newest_of_real_ones),
    T(feed_mends_without_loss),
    T(feed_names_each_of_a_series_once),
    T(feed_reads_dates),
    T(feed_holds_the_derived),
    T(feed_reads_a_big_one),
};

UNIT_RUN(tests)
