/*
 * The dates and lengths that feeds write: RFC 822 and 2822, ISO 8601 and W3C-DTF, asctime, and what
 * Korean and Greek blogs wrote. Without a zone it is UTC. Pure.
 */
#ifndef BASE_FEED_DATE_H
#define BASE_FEED_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when it is no date or no such day; *unix_s is set only when true. */
bool feed_date_parse(const char *text, size_t length, int64_t *unix_s);
/* "3600", "20:00", "1:00:00", "PT1H2M3S" to seconds; false beyond a week and for anything else. */
bool feed_date_duration(const char *text, size_t length, int64_t *seconds);

#endif
