/* alumhub-picture: draws one picture and ends. `alumhub-picture qr FILE.png TEXT`, or
 * `alumhub-picture bars`, from standard input to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairo.h>
#include <qrencode.h>

#include "bars.h"
#include "code.h"

enum { MODULE = 12, QUIET = 4 };

static int
draw_qr(const char *file, const char *text)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	cairo_surface_t *surface;
	cairo_t *c;
	int side, status;

	if (!code)
		return 1;
	side = (code->width + 2 * QUIET) * MODULE;
	surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, side, side);
	c = cairo_create(surface);
	cairo_set_source_rgb(c, 1, 1, 1);
	cairo_paint(c);
	code_paint(c, code, QUIET * MODULE, QUIET * MODULE, MODULE);
	status = cairo_surface_write_to_png(surface, file) != CAIRO_STATUS_SUCCESS;
	cairo_destroy(c);
	cairo_surface_destroy(surface);
	QRcode_free(code);
	return status;
}

int
main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "qr"))
		return draw_qr(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "bars"))
		return bars_draw();
	fputs("usage: alumhub-picture qr FILE.png TEXT\n       alumhub-picture bars <LINES "
	      ">FILE.png\n",
	    stderr);
	return 64;
}
