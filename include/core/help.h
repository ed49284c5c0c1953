/* The command table, for what lists it. */
#ifndef CORE_HELP_H
#define CORE_HELP_H

#include "core/turn.h"

/* The i-th command in menu order, NULL behind the last. */
const struct command *help_command(struct turn *t, int i);
/* Whether this person may use it. */
bool help_allowed(struct turn *t, const struct command *command);

#endif
