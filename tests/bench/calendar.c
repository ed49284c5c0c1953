/*
 * build/bench-calendar [EVENTS]: CPU milliseconds and memory of reading a calendar of so many events
 * (5,000), a fifth of which repeat weekly, and of asking it for a year.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/arena.h"
#include "base/calendar.h"
#include "base/memory.h"
#include "base/zone.h"

enum { YEAR_S = 365 * 86400, FIRST_S = 1798761600 }; /* 2027-01-01 */

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
write_events(struct buf *b, int events)
{
	buf_string(b, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n");
	for (int i = 0; i < events; i++)
		buf_print(b,
		    "BEGIN:VEVENT\r\nUID:%d@bench\r\nDTSTAMP:20261101T000000Z\r\n"
		    "DTSTART;TZID=Asia/%s:2027%02d%02dT%02d0000\r\nDURATION:PT2H\r\n"
		    "SUMMARY:Meeting %d · مجموعة الحوار · קבוצת שיח\r\n%sEND:VEVENT\r\n",
		    i, i % 2 ? "Hebron" : "Jerusalem", 1 + i % 12, 1 + i % 28, 8 + i % 12, i,
		    i % 5 ? "" : "RRULE:FREQ=WEEKLY;COUNT=20\r\n");
	buf_string(b, "END:VCALENDAR\r\n");
}

int
main(int argc, char **argv)
{
	int events = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5000;
	struct buf b = {.maximum = 64 << 20};
	struct zones *zones = zones_open(NULL);
	struct arena *arena = arena_new();
	struct instance *instances;
	struct calendar *calendar;
	double before, parsed, asked;
	struct rusage usage;
	size_t count;

	write_events(&b, events);
	before = cpu_ms();
	calendar = calendar_parse(arena, b.bytes, b.length, zones, "Asia/Jerusalem");
	if (!calendar)
		return 1;
	parsed = cpu_ms();
	count = calendar_between(calendar, FIRST_S, FIRST_S + YEAR_S, &instances);
	asked = cpu_ms();
	getrusage(RUSAGE_SELF, &usage);
	printf("events %d bytes %zu parse_ms %.1f year_ms %.1f instances %zu memory_mb %.1f\n",
	    events, b.length, parsed - before, asked - parsed, count,
	    (double)usage.ru_maxrss / 1024);
	arena_free(arena);
	zones_close(zones);
	buf_free(&b);
	return 0;
}
