#include "bars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cairo.h>
#include <pango/pangocairo.h>

#include "code.h"

enum {
	WIDTH = 1080,
	MARGIN = 48,
	BAR_HEIGHT = 30,
	LINES = 200,
	HEIGHT_MOST = 12000,
	ROOM = 4096,
	QR_SIDE = 520,
	QR_QUIET = 4
};

struct page {
	cairo_t *c;
	double y;
	int rtl;
};

/* The same hand for all scripts, at any weight. */
#define FONT "Noto Sans,Noto Sans Arabic,Noto Sans Hebrew "

/* A text over the whole width, in its own direction, from the side where reading begins. */
static void
aligned(struct page *p, const char *font, const char *words, double grey, double after,
    PangoAlignment side)
{
	PangoLayout *layout = pango_cairo_create_layout(p->c);
	PangoFontDescription *description = pango_font_description_from_string(font);
	int height;

	pango_layout_set_font_description(layout, description);
	pango_layout_set_width(layout, (WIDTH - 2 * MARGIN) * PANGO_SCALE);
	pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
	pango_layout_set_auto_dir(layout, FALSE);
	pango_context_set_base_dir(
	    pango_layout_get_context(layout), p->rtl ? PANGO_DIRECTION_RTL : PANGO_DIRECTION_LTR);
	pango_layout_context_changed(layout);
	pango_layout_set_alignment(layout, side);
	pango_layout_set_text(layout, words, -1);
	pango_layout_get_pixel_size(layout, NULL, &height);
	cairo_set_source_rgb(p->c, grey, grey, grey);
	cairo_move_to(p->c, MARGIN, p->y);
	pango_cairo_show_layout(p->c, layout);
	p->y += height + after;
	pango_font_description_free(description);
	g_object_unref(layout);
}

static void
text(struct page *p, const char *font, const char *words, double grey, double after)
{
	aligned(p, font, words, grey, after, p->rtl ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT);
}

static void
bar(struct page *p, const char *words)
{
	char *name;
	double percent = (double)strtol(words, &name, 10), full = WIDTH - 2 * MARGIN, length;

	percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
	length = full * percent / 100;
	text(p, FONT "20", name + (*name == ' '), 0.15, 6);
	cairo_set_source_rgb(p->c, 0.90, 0.91, 0.93);
	cairo_rectangle(p->c, MARGIN, p->y, full, BAR_HEIGHT);
	cairo_fill(p->c);
	cairo_set_source_rgb(p->c, 0.13, 0.42, 0.55);
	cairo_rectangle(p->c, p->rtl ? MARGIN + full - length : MARGIN, p->y, length, BAR_HEIGHT);
	cairo_fill(p->c);
	p->y += BAR_HEIGHT + 18;
}

/* In the middle, on a whole number of dots a square, so that every camera reads it. */
static void
square(struct page *p, const char *words)
{
	QRcode *code = QRcode_encodeString8bit(words, 0, QR_ECLEVEL_M);
	int module, side;

	if (!code)
		return;
	module = QR_SIDE / (code->width + 2 * QR_QUIET);
	module = module < 3 ? 3 : module;
	side = (code->width + 2 * QR_QUIET) * module;
	code_paint(p->c, code, (WIDTH - side) / 2 + QR_QUIET * module,
	    (int)p->y + QR_QUIET * module, module);
	p->y += side;
	QRcode_free(code);
}

static void
line(struct page *p, const char *words)
{
	if (!strncmp(words, "title ", 6))
		text(p, FONT "Bold 30", words + 6, 0, 10);
	else if (!strncmp(words, "note ", 5))
		text(p, FONT "18", words + 5, 0.35, 12);
	else if (!strncmp(words, "head ", 5)) {
		p->y += 22;
		text(p, FONT "Bold 22", words + 5, 0.1, 12);
	} else if (!strncmp(words, "bar ", 4))
		bar(p, words + 4);
	else if (!strncmp(words, "qr ", 3))
		square(p, words + 3);
	else if (!strncmp(words, "foot ", 5))
		aligned(p, FONT "18", words + 5, 0.35, 0, PANGO_ALIGN_CENTER);
}

static double
draw(cairo_surface_t *surface, char (*lines)[ROOM], int count)
{
	struct page p = {.c = cairo_create(surface), .y = MARGIN};

	p.rtl = count > 0 && !strcmp(lines[0], "rtl");
	cairo_set_source_rgb(p.c, 1, 1, 1);
	cairo_paint(p.c);
	for (int i = 0; i < count; i++)
		line(&p, lines[i]);
	cairo_destroy(p.c);
	return p.y + MARGIN;
}

static cairo_status_t
out(void *ctx, const unsigned char *bytes, unsigned length)
{
	(void)ctx;
	return fwrite(bytes, 1, length, stdout) == length ? CAIRO_STATUS_SUCCESS
							  : CAIRO_STATUS_WRITE_ERROR;
}

int
bars_draw(void)
{
	static char lines[LINES][ROOM];
	cairo_surface_t *surface;
	double height;
	int count = 0, failed;

	while (count < LINES && fgets(lines[count], ROOM, stdin)) {
		lines[count][strcspn(lines[count], "\n")] = 0;
		count++;
	}
	/* Once to learn how high it becomes, once for good. */
	surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, 16);
	height = draw(surface, lines, count);
	cairo_surface_destroy(surface);
	if (height > HEIGHT_MOST)
		return 1;
	surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, (int)height);
	draw(surface, lines, count);
	failed = cairo_surface_write_to_png_stream(surface, out, NULL) != CAIRO_STATUS_SUCCESS ||
		 fflush(stdout);
	cairo_surface_destroy(surface);
	return failed;
}
