/* Feeds as written here: three formats mended, refused, cleaned, told apart; bombs stood. */
#include "unit.h"

#include "base/feed_date.h"
#include "base/feed_text.h"

#include "feed_world.h"

static struct feed *
parse_from(const char *text, size_t length, const char *type, const char *url)
{
	struct feed_origin origin = {type, NULL, url};

	return feed_parse(arena, text, length, &origin);
}

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

static const struct CMUnitTest tests[] = {
    IN_ARENA(feed_reads_rss),
    IN_ARENA(feed_reads_atom),
    IN_ARENA(feed_reads_rdf),
    IN_ARENA(feed_mends_what_is_not_well_formed),
    IN_ARENA(feed_finds_itself_below_noise),
    IN_ARENA(feed_mends_a_forgotten_quote),
    IN_ARENA(feed_keeps_whole_items_of_a_cut_one),
    IN_ARENA(feed_refuses_what_is_none),
    IN_ARENA(feed_refuses_declarations),
    IN_ARENA(feed_stands_bombs),
    IN_ARENA(feed_stands_endless_names),
    IN_ARENA(feed_cleans_text),
    IN_ARENA(feed_resolves_addresses),
    IN_ARENA(feed_reads_encodings),
    IN_ARENA(feed_newest_goes_by_date),
    IN_ARENA(feed_key_survives),
    IN_ARENA(feed_reads_lengths),
    IN_ARENA(feed_reads_own_dates),
};

UNIT_RUN(tests)
