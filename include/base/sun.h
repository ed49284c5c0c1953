/*
 * Where the sun stands: its setting, its noon. The formulas are those of NOAA's solar calculator
 * (gml.noaa.gov/grad/solcalc), after Jean Meeus, Astronomical Algorithms, 2nd edition (1998),
 * chapters 22, 25 and 28: within a minute of the almanacs at our latitudes until 2100, at sea
 * level. Days are those of base/civil.h, degrees are north and east, instants are unix s.
 */
#ifndef BASE_SUN_H
#define BASE_SUN_H

#include <stdint.h>

/* Half the sun's disc and the air's refraction: the upper edge touches the horizon. */
#define SUN_SET 0.833
/* Three middle stars are seen: night, as religious calendars reckon it in this region. */
#define SUN_NIGHT 8.5

/* The evening of that day when the sun is so many degrees under the horizon; where it never is
 * (near the poles), the midnight or noon nearest to it. */
int64_t sun_evening(double latitude, double longitude, int64_t day, double degrees);
int64_t sun_noon(double longitude, int64_t day);

#endif
