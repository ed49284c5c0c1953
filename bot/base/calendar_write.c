#include "base/calendar.h"

#include <libical/ical.h>
#include <string.h>

#include "base/arena.h"

/* A day of an all-day event is a date without hour; everything else is UTC, so no zone has to be
 * explained to the reader. */
static icaltimetype
moment(const struct invitation *v, const struct civil *day, int64_t at_s)
{
	icaltimetype time;

	if (!v->all_day)
		return icaltime_from_timet_with_zone(
		    (time_t)at_s, 0, icaltimezone_get_utc_timezone());
	time = icaltime_null_date();
	time.year = (int)day->year;
	time.month = day->month;
	time.day = day->day;
	return time;
}

static void
add(icalcomponent *to, icalproperty *property)
{
	icalcomponent_add_property(to, property);
}

static icalcomponent *
event_of(const struct invitation *v)
{
	icalcomponent *e = icalcomponent_new(ICAL_VEVENT_COMPONENT);

	add(e, icalproperty_new_uid(v->uid));
	add(e, icalproperty_new_dtstamp(icaltime_from_timet_with_zone(
		   (time_t)v->stamp_s, 0, icaltimezone_get_utc_timezone())));
	add(e, icalproperty_new_dtstart(moment(v, &v->start, v->start_s)));
	add(e, icalproperty_new_dtend(moment(v, &v->end, v->end_s)));
	add(e, icalproperty_new_sequence(v->sequence));
	add(e,
	    icalproperty_new_status(v->cancelled ? ICAL_STATUS_CANCELLED : ICAL_STATUS_CONFIRMED));
	/* RFC 5546 wants one for PUBLISH and CANCEL; it is nobody's address. */
	add(e, icalproperty_new_organizer("mailto:nobody@bot.invalid"));
	add(e, icalproperty_new_summary(v->summary));
	if (v->description[0])
		add(e, icalproperty_new_description(v->description));
	if (v->location[0])
		add(e, icalproperty_new_location(v->location));
	if (v->url[0])
		add(e, icalproperty_new_url(v->url));
	return e;
}

const char *
calendar_write(struct arena *arena, const struct invitation *v)
{
	icalcomponent *all = icalcomponent_new(ICAL_VCALENDAR_COMPONENT);
	const char *text;
	char *bytes;

	add(all, icalproperty_new_version("2.0"));
	add(all, icalproperty_new_prodid("-//AlumHub//Bot//EN"));
	add(all, icalproperty_new_method(v->cancelled ? ICAL_METHOD_CANCEL : ICAL_METHOD_PUBLISH));
	icalcomponent_add_component(all, event_of(v));
	bytes = icalcomponent_as_ical_string_r(all);
	text = arena_string(arena, bytes);
	icalmemory_free_buffer(bytes);
	icalcomponent_free(all);
	return text;
}
