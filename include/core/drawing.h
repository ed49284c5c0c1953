/*
 * Pictures that people ask for (base/picture.h says what their lines are): drawn as work by the small
 * program, off the loop's thread, then told. A feature names drawing_run in its works.
 */
#ifndef CORE_DRAWING_H
#define CORE_DRAWING_H

#include "core/feature.h"
#include "core/turn.h"

/* The picture of the lines that work_start was given; empty when it could not be drawn. */
struct blob drawing_run(const struct work_input *input);
/* Tells that person the card, with the picture under that name ("door.png") when there is one. */
void drawing_tell(
    struct turn *t, int64_t person, struct card *card, const char *name, struct blob png);

#endif
