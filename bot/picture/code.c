#include "code.h"

void
code_paint(cairo_t *c, const QRcode *code, double x, double y, int module)
{
	cairo_set_source_rgb(c, 0, 0, 0);
	for (int row = 0; row < code->width; row++)
		for (int column = 0; column < code->width; column++)
			if (code->data[row * code->width + column] & 1)
				cairo_rectangle(
				    c, x + column * module, y + row * module, module, module);
	cairo_fill(c);
}
