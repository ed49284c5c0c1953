/*
 * The journal with fields: EVENT=name, and each name=value that an event of ours carries (a network,
 * a number, a reason of ours) as a field in capitals. Events hold no content, and what looks like a
 * secret was taken out before (base/log.h).
 */
#ifndef IO_JOURNAL_H
#define IO_JOURNAL_H

#include "base/log.h"

/* For log_to(). */
void journal_line(void *ctx, enum log_level level, const char *text);

#endif
