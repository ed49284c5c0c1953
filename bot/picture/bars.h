/* Bars with their names, as a PNG on standard output (include/base/picture.h). */
#ifndef BARS_H
#define BARS_H

/* 0 when it was drawn. */
int bars_draw(void);

#endif
