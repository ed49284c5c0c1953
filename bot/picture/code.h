/* A QR code's squares on a page that is there already. */
#ifndef CODE_H
#define CODE_H

#include <cairo.h>
#include <qrencode.h>

/* Its first square at (x, y), each `module` wide; the quiet zone around is the caller's. */
void code_paint(cairo_t *c, const QRcode *code, double x, double y, int module);

#endif
