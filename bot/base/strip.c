/* Metadata out of pictures and sounds, by lists of what stays. */
#include "base/strip.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

enum { TAGS_BYTES = 20, MORE = 64, PAGE_HEAD = 27, LAST_PAGE = 4 };

struct strip {
	const unsigned char *in;
	size_t length, at;
	unsigned char *out;
	size_t made;
};

static uint32_t
big32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
keep(struct strip *s, size_t from, size_t length)
{
	memcpy(s->out + s->made, s->in + from, length);
	s->made += length;
}

static bool
starts(const struct strip *s, size_t at, const char *with, size_t length)
{
	return at + length <= s->length && !memcmp(s->in + at, with, length);
}

/* ---- JPEG ---- */

/* Tables, frame, scan, restart interval, and Adobe's word on how colours are coded, without which
 * some pictures come out inverted. */
static bool
segment_stays(const struct strip *s, unsigned marker, size_t size)
{
	if (marker == 0xee)
		return size == 14 && starts(s, s->at + 4, "Adobe", 5);
	return marker == 0xdb || marker == 0xc4 || marker == 0xdd || marker == 0xda ||
	       (marker >= 0xc0 && marker <= 0xcf && marker != 0xc8 && marker != 0xcc);
}

/* The coded scan up to the next marker that is neither a stuffed byte nor a restart. */
static size_t
scan_end(const struct strip *s, size_t at)
{
	while (at + 1 < s->length &&
	       !(s->in[at] == 0xff && s->in[at + 1] != 0 && s->in[at + 1] != 0xff &&
		   (s->in[at + 1] < 0xd0 || s->in[at + 1] > 0xd7)))
		at++;
	return at;
}

static bool
strip_jpeg(struct strip *s)
{
	bool scanned = false;

	keep(s, 0, 2);
	for (s->at = 2; s->at + 4 <= s->length;) {
		unsigned marker = s->in[s->at + 1];
		size_t size = (size_t)s->in[s->at + 2] << 8 | s->in[s->at + 3], end;

		if (s->in[s->at] != 0xff)
			return false;
		if (marker == 0xff) {
			s->at++;
			continue;
		}
		if (marker == 0xd9)
			break;
		end = s->at + 2 + size;
		if (size < 2 || end > s->length)
			return false;
		if (marker == 0xda) {
			end = scan_end(s, end);
			scanned = true;
		}
		if (segment_stays(s, marker, size))
			keep(s, s->at, end - s->at);
		s->at = end;
	}
	if (!scanned)
		return false;
	memcpy(s->out + s->made, "\xff\xd9", 2);
	s->made += 2;
	return true;
}

/* ---- PNG ---- */

static bool
strip_png(struct strip *s)
{
	static const char *const kept[] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS"};
	bool ended = false;

	keep(s, 0, 8);
	for (s->at = 8; s->at + 12 <= s->length && !ended;) {
		size_t size = big32(s->in + s->at);

		if (size > s->length - s->at - 12)
			return false;
		for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
			if (starts(s, s->at + 4, kept[i], 4))
				keep(s, s->at, size + 12);
		ended = starts(s, s->at + 4, "IEND", 4);
		s->at += size + 12;
	}
	return ended;
}

/* ---- Ogg Opus ---- */

/* RFC 3533: polynomial 0x04c11db7, begun with 0, not reflected. */
static uint32_t
ogg_sum(const unsigned char *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++) {
		sum ^= (uint32_t)bytes[i] << 24;
		for (int k = 0; k < 8; k++)
			sum = sum & 0x80000000u ? sum << 1 ^ 0x04c11db7u : sum << 1;
	}
	return sum;
}

static void
put32(unsigned char *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(n >> 8 * i);
}

/* The page's length; 0: no whole page here. *ends: its packet ends in it. */
static size_t
page_length(const struct strip *s, size_t at, bool *ends)
{
	size_t count, length;

	if (at + PAGE_HEAD > s->length || memcmp(s->in + at, "OggS", 4) || s->in[at + 4])
		return 0;
	count = s->in[at + 26];
	length = PAGE_HEAD + count;
	if (at + length > s->length)
		return 0;
	*ends = count && s->in[at + length - 1] < 255;
	for (size_t i = 0; i < count; i++)
		length += s->in[at + PAGE_HEAD + i];
	return at + length <= s->length ? length : 0;
}

/* A page as it is made anew: one number for the stream, counted from 0, summed again. */
static void
page_done(struct strip *s, size_t start, uint32_t sequence)
{
	unsigned char *page = s->out + start;

	put32(page + 14, 1);
	put32(page + 18, sequence);
	put32(page + 22, 0);
	put32(page + 22, ogg_sum(page, s->made - start));
}

/* The comment header: no vendor's name, no comment. */
static void
put_tags(struct strip *s)
{
	static const unsigned char tags[TAGS_BYTES] = "OpusTags\4\0\0\0opus";
	size_t start = s->made;

	memset(s->out + start, 0, PAGE_HEAD + 1);
	memcpy(s->out + start, "OggS", 4);
	s->out[start + 26] = 1;
	s->out[start + PAGE_HEAD] = TAGS_BYTES;
	memcpy(s->out + start + PAGE_HEAD + 1, tags, TAGS_BYTES);
	s->made += PAGE_HEAD + 1 + TAGS_BYTES;
	page_done(s, start, 1);
}

static bool
strip_opus(struct strip *s)
{
	bool ends = false, last = false;
	size_t length = page_length(s, 0, &ends), start;
	uint32_t sequence = 2, stream;

	if (!length || !ends || !starts(s, PAGE_HEAD + s->in[26], "OpusHead", 8))
		return false;
	stream = big32(s->in + 14);
	keep(s, 0, length);
	page_done(s, 0, 0);
	for (s->at = length, ends = false; !ends; s->at += length)
		if (!(length = page_length(s, s->at, &ends)))
			return false;
	put_tags(s);
	while (!last && (length = page_length(s, s->at, &ends)) &&
	       big32(s->in + s->at + 14) == stream) {
		start = s->made;
		last = s->in[s->at + 5] & LAST_PAGE;
		keep(s, s->at, length);
		page_done(s, start, sequence++);
		s->at += length;
	}
	return sequence > 2;
}

/* ---- MP3 ---- */

/* Bytes of the frame that begins here; 0: none does. */
static size_t
frame_length(const struct strip *s, size_t at)
{
	static const int rates[2][15] = {
	    {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	    {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}};
	static const int hertz[3] = {44100, 48000, 32000};
	unsigned version, rate, sample;
	int low, per;

	if (at + 4 > s->length || s->in[at] != 0xff || (s->in[at + 1] & 0xe6) != 0xe2)
		return 0;
	version = s->in[at + 1] >> 3 & 3;
	rate = s->in[at + 2] >> 4;
	sample = s->in[at + 2] >> 2 & 3;
	if (version == 1 || rate == 0 || rate == 15 || sample == 3)
		return 0;
	low = version != 3;
	per = hertz[sample] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
	return (size_t)((low ? 72000 : 144000) * rates[low][rate] / per) + (s->in[at + 2] >> 1 & 1);
}

/* A first frame that only describes (Xing, Info, VBRI, with the encoder's name) holds no sound. */
static bool
describes(const struct strip *s, size_t at, size_t length)
{
	for (size_t i = at + 4; i + 4 <= at + length && i < at + 44; i++)
		if (starts(s, i, "Xing", 4) || starts(s, i, "Info", 4) || starts(s, i, "VBRI", 4))
			return true;
	return false;
}

static size_t
past_id3(const struct strip *s)
{
	size_t at = 0;

	while (starts(s, at, "ID3", 3) && at + 10 <= s->length)
		at += 10 +
		      ((size_t)(s->in[at + 6] & 127) << 21 | (size_t)(s->in[at + 7] & 127) << 14 |
			  (size_t)(s->in[at + 8] & 127) << 7 | (size_t)(s->in[at + 9] & 127)) +
		      (s->in[at + 5] & 16 ? 10 : 0);
	return at;
}

/* Only frames; tags before, between and behind them are not frames. */
static bool
strip_mp3(struct strip *s)
{
	size_t length, frames = 0;

	for (s->at = past_id3(s); (length = frame_length(s, s->at)) && s->at + length <= s->length;
	     s->at += length)
		if (frames++ || !describes(s, s->at, length))
			keep(s, s->at, length);
	return frames > 1 && s->made > 0;
}

static const struct {
	enum strip_kind kind;
	const char *begins;
	size_t length;
	bool (*strip)(struct strip *s);
	const char *type, *ending;
} ways[] = {
    {STRIP_JPEG, "\xff\xd8\xff", 3, strip_jpeg, "image/jpeg", "jpg"},
    {STRIP_PNG, "\x89PNG\r\n\x1a\n", 8, strip_png, "image/png", "png"},
    {STRIP_OPUS, "OggS", 4, strip_opus, "audio/ogg", "ogg"},
    {STRIP_MP3, "ID3", 3, strip_mp3, "audio/mpeg", "mp3"},
    {STRIP_MP3, "\xff", 1, strip_mp3, "audio/mpeg", "mp3"},
};

struct stripped
strip_media(struct arena *arena, const void *bytes, size_t length)
{
	struct strip s = {.in = bytes, .length = length};

	for (size_t i = 0; bytes && i < sizeof(ways) / sizeof(*ways); i++) {
		if (!starts(&s, 0, ways[i].begins, ways[i].length))
			continue;
		s.out = arena_alloc(arena, length + MORE);
		if (ways[i].strip(&s))
			return (struct stripped){
			    ways[i].kind, s.out, s.made, ways[i].type, ways[i].ending};
		break;
	}
	return (struct stripped){.kind = STRIP_NONE};
}
