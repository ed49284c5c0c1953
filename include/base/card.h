/*
 * A card: the content of one message. Flat spans of text, choices, perhaps a file. It is network-free;
 * each transport renders it. Everything lives in the arena it was made in.
 * A NAME span holds a stranger's words: renderers isolate it (FSI … PDI) and never see markup in it.
 */
#ifndef BASE_CARD_H
#define BASE_CARD_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

enum span_style {
	SPAN_BOLD = 1,
	SPAN_ITALIC = 2,
	SPAN_CODE = 4,
	SPAN_NAME = 8,
};

struct span {
	struct span *next;
	const char *text;
	const char *link; /* NULL, or an https address the text leads to */
	unsigned style;	  /* enum span_style, or-ed */
};

/* One thing to choose: a button where the network has them, a numbered line where it has not. */
struct choice {
	struct choice *next;
	const char *label;  /* may contain isolates; no markup */
	const char *action; /* "feature.verb"; NULL when it is a link */
	const char *value;  /* what the action gets in t->value; at most 200 bytes */
	const char *link;   /* an address instead of an action */
	bool same_row;	    /* beside the one before it, where the network has rows */
};

/* A file that goes with the message. The bytes lie on disk below the state folder until sent. */
struct file {
	const char *path; /* absolute or below the state folder */
	const char *name; /* what the reader sees: meeting.ics */
	const char *type; /* text/calendar; image/png; audio/mpeg … */
	const char *
	    key; /* same key, same bytes: uploaded once, then sent by the network's own id; NULL: never reuse */
};

enum card_flag {
	CARD_PROTECT = 1, /* may not be forwarded or saved, where the network can */
	CARD_QUIET = 2,	  /* makes no sound */
	CARD_PREVIEW = 4, /* the first link may unfold */
	CARD_MARKED = 16, /* says already that all of it is invented */
	CARD_SHARP = 32,  /* a plain number is an answer now, so a choice is typed as #2 */
	CARD_RTL =
	    8, /* written in a right-to-left language: buttons of a row are laid out from the right */
};

struct card {
	struct arena *arena;
	struct span *spans, *last_span;
	struct choice *choices, *last_choice;
	struct file *file;
	unsigned flags;
};

struct card *card_new(struct arena *arena);
/* Text of ours: may hold isolates, is shown as it stands. */
void card_text(struct card *card, const char *text, unsigned style);
/* A stranger's words. */
void card_name(struct card *card, const char *name);
/* A stranger's words of several lines, each isolated by itself: an isolate ends with its line. */
void card_lines(struct card *card, const char *text);
/* Words that lead to an address (https, or tg/matrix links of our own making). */
void card_link(struct card *card, const char *text, const char *address);
/* All spans, choices and the file of `more`, behind the card's own. */
void card_append(struct card *card, const struct card *more);
/* The same, on a new line or after an empty one. */
void card_line(struct card *card, const struct card *more);
void card_paragraph(struct card *card, const struct card *more);
void card_choice(struct card *card, const char *label, const char *action, const char *value);
void card_choice_link(struct card *card, const char *label, const char *address);
/* The last choice stands beside the one before it. */
void card_same_row(struct card *card);
void card_file(
    struct card *card, const char *path, const char *name, const char *type, const char *key);

/* The text alone, names isolated; links as "text (address)" when they differ. */
char *card_plain(struct arena *arena, const struct card *card);

/* For storage: packed bytes and back. unpack answers NULL on anything malformed (it is fuzzed). */
struct card_bytes {
	unsigned char *bytes;
	size_t length;
};
struct card_bytes card_pack(struct arena *arena, const struct card *card);
struct card *card_unpack(struct arena *arena, const void *bytes, size_t length);

/* Cuts a card whose text is longer than `scalars` into several of at most that length (isolates counted as
 * they will be rendered), at grapheme, span and isolate borders; choices and file go with the last.
 * NULL-terminated array. */
struct card **card_split(struct arena *arena, const struct card *card, size_t scalars);
/* The same where the text beside a file may hold less: what is longer than `caption` (0: no such limit) begins
 * beside the file and goes on in messages of its own; the file goes with the first, choices with the last. */
struct card **card_split_file(
    struct arena *arena, const struct card *card, size_t scalars, size_t caption);

#endif
