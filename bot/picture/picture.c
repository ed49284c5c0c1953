/* alumhub-picture: draws one picture and ends. `alumhub-picture qr FILE.png`, the text from standard
 * input (a code in argv could be read by everybody), or `alumhub-picture bars`, from standard input
 * to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairo.h>
#include <qrencode.h>

#include "bars.h"
#include "code.h"

enum { MODULE = 12, QUIET = 4, TEXT_MOST = 2000 };

static int
draw_qr(const char *file)
{
	char text[TEXT_MOST + 1];
	size_t length = fread(text, 1, TEXT_MOST, stdin);
	QRcode *code;
	cairo_surface_t *surface;
	cairo_t *c;
	int side, status;

	text[length] = 0;
	code = length ? QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M) : NULL;
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
	if (argc == 3 && !strcmp(argv[1], "qr"))
		return draw_qr(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "bars"))
		return bars_draw();
	fputs("usage: alumhub-picture qr FILE.png <TEXT\n       alumhub-picture bars <LINES "
	      ">FILE.png\n",
	    stderr);
	return 64;
}
