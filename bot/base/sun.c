/* Sunset and noon by the formulas that base/sun.h names. */
#include "base/sun.h"

#include <math.h>

#include "base/civil.h"

#define DAY 86400.0

static double
radians(double degrees)
{
	return degrees * 3.14159265358979323846 / 180;
}

static double
degrees_of(double angle)
{
	return angle * 180 / 3.14159265358979323846;
}

/* What is needed of the sun at an instant. */
struct sun {
	double declination; /* radians */
	double equation_s;  /* how far a sundial is ahead of the clock */
};

static struct sun
sun_at(double unix_s)
{
	double t = (unix_s / DAY + 2440587.5 - 2451545) / 36525; /* Julian centuries since 2000 */
	double mean = radians(fmod(280.46646 + t * (36000.76983 + t * 0.0003032), 360));
	double anomaly = radians(357.52911 + t * (35999.05029 - 0.0001537 * t));
	double eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t);
	double centre = sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t)) +
			sin(2 * anomaly) * (0.019993 - 0.000101 * t) + sin(3 * anomaly) * 0.000289;
	double node = radians(125.04 - 1934.136 * t);
	double longitude = mean + radians(centre - 0.00569 - 0.00478 * sin(node));
	double tilt =
	    radians(23 + (26 + (21.448 - t * (46.815 + t * (0.00059 - t * 0.001813))) / 60) / 60 +
		    0.00256 * cos(node));
	double y = tan(tilt / 2) * tan(tilt / 2);
	double equation = y * sin(2 * mean) - 2 * eccentricity * sin(anomaly) +
			  4 * eccentricity * y * sin(anomaly) * cos(2 * mean) -
			  y * y * sin(4 * mean) / 2 -
			  5 * eccentricity * eccentricity * sin(2 * anomaly) / 4;

	return (struct sun){asin(sin(tilt) * sin(longitude)), degrees_of(equation) * 240};
}

/* The sun moves while it sinks: looked at again at the instant found, three times. */
int64_t
sun_evening(double latitude, double longitude, int64_t day, double degrees)
{
	double midnight = (double)day * DAY, at = midnight + DAY / 2 - longitude * 240;

	for (int i = 0; i < 3; i++) {
		struct sun sun = sun_at(at);
		double turn =
		    (cos(radians(90 + degrees)) - sin(radians(latitude)) * sin(sun.declination)) /
		    (cos(radians(latitude)) * cos(sun.declination));

		at = midnight + DAY / 2 - longitude * 240 - sun.equation_s +
		     degrees_of(acos(fmax(-1, fmin(1, turn)))) * 240;
	}
	return (int64_t)(at + 0.5);
}

int64_t
sun_noon(double longitude, int64_t day)
{
	double at = (double)day * DAY + DAY / 2 - longitude * 240;

	at -= sun_at(at).equation_s;
	return (int64_t)(at + 0.5);
}
