/*
 * Dates and clock times without a zone, in the proleptic Gregorian calendar.
 * Day numbers count from 1970-01-01; the arithmetic is Howard Hinnant's "chrono-Compatible
 * Low-Level Date Algorithms". Nothing here fails: what is out of range is simply far away.
 */
#ifndef BASE_CIVIL_H
#define BASE_CIVIL_H

#include <stddef.h>
#include <stdint.h>

struct civil {
	int64_t year;
	int month, day;		  /* from 1 */
	int hour, minute, second; /* 0 in a plain date */
};

enum { CIVIL_TEXT = 32 };

int64_t civil_days(int64_t year, int month, int day);
/* The date of a day number, at 00:00. */
struct civil civil_date(int64_t days);
/* The seconds a clock at UTC would show as `c`; also how wall times are compared and added to. */
int64_t civil_seconds(const struct civil *c);
struct civil civil_from(int64_t seconds);
/* 0 is Sunday. */
int civil_weekday(int64_t days);
int civil_leap(int64_t year);
int civil_month_days(int64_t year, int month);
/* Whether such a day and time exist, in the years 1 to 9999. */
int civil_valid(const struct civil *c);
/* Reads "2027-03-27", "2027-03-27T02:00" or "2027-03-27 02:00:30", nothing more; 0 when it is not. */
int civil_read(const char *text, struct civil *c);
/* "2027-03-27T02:00:00"; returns `text`. */
char *civil_write(const struct civil *c, char text[CIVIL_TEXT]);
/* Division that rounds down, for numbers before 1970. */
int64_t civil_floor(int64_t a, int64_t b);

#endif
