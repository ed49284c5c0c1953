/*
 * The flows that people follow, step by step; each breaks off now and then, and faults break the
 * rest. "#2" presses the second choice of the newest message that had some ("#?" one of two), or
 * types the number where there are no buttons; "@+3 18:00" is that hour in three days; "{code}" the
 * twin's code.
 */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "core/feature.h"

#define STEPS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char survey[] =
    "{\"title\": {\"en\": \"How we meet\", \"ar\": \"كيف نلتقي\", \"he\": \"איך נפגשים\"},"
    " \"minutes\": 2, \"questions\": [{\"id\": \"where\", \"kind\": \"single\", \"group\": true,"
    " \"text\": {\"en\": \"Where do you live?\", \"ar\": \"أين السكن؟\", \"he\": \"איפה הבית?\"},"
    " \"options\": [{\"en\": \"In a town\", \"ar\": \"في مدينة\", \"he\": \"בעיר\"},"
    " {\"en\": \"In a village\", \"ar\": \"في قرية\", \"he\": \"בכפר\"}]},"
    " {\"id\": \"wish\", \"kind\": \"text\", \"text\": {\"en\": \"One wish?\","
    " \"ar\": \"أمنية واحدة؟\", \"he\": \"משאלה אחת?\"}}]}";

const char *const script_survey_asked[] = {"/survey", "#4", survey, "#1", NULL};
const char *const script_survey_agreed[] = {"/approve", "#1", "#1", NULL};
const char *const script_survey_told[] = {
    "/survey", "#1", "#1", "#?", "A WordCanary bus on Fridays", "#1", NULL};

static const struct script {
	unsigned roles; /* any of these; MEMBERS: everybody */
	const char *const *steps;
} scripts[] = {
    {MEMBERS, STEPS("/profile", "#1", "/profile", "#3")},
    {MEMBERS, STEPS("/match", "#1", "#1", "#7", "#1", "#5", "#26")},
    {MEMBERS, STEPS("/match", "#1")},
    {MEMBERS, STEPS("/events", "#2", "#1")},
    {MEMBERS, STEPS("/events", "#1", "#1", "#1")},
    {MEMBERS, STEPS("/chats", "#1", "Hello WordCanary, how was your week?", "/chats", "#2")},
    {MEMBERS, STEPS("/chats", "#1", "my number is 052-123-4567, or @someone WordCanary", "#1")},
    {MEMBERS, script_survey_told},
    {MEMBERS,
	STEPS("/profile", "#4", "/stories", "#1", "#1", "I sat in the back of the bus. WordCanary",
	    "#3", "The back", "Olive", "#1", "#2", "#3", "#5", "#1", "#1")},
    {MEMBERS,
	STEPS("/partners arava", "#1", "#1", "When is the next meeting? WordCanary", "/cancel")},
    {MEMBERS, STEPS("/safety", "#1", "asked where I live, WordCanary, again", "#1")},
    {MEMBERS, STEPS("/podcast", "#1", "#2")},
    {MEMBERS, STEPS("/pause", "#1")},
    {MEMBERS, STEPS("/language", "#3")},
    {COORDINATORS, STEPS("/announce", "#11",
		       "The bus leaves earlier: 8:00 from the north gate. AnnounceCanary", "#1",
		       "#1", "#1", "#1", "#2", "#1")},
    {COORDINATORS, STEPS("/announce", "#11", "A room has changed. AnnounceCanary", "#1", "#1", "#1",
		       "#1", "@+1 10:00", "#1")},
    {COORDINATORS, /* into both rooms of one's own organisation */
	STEPS("/announce", "#10", "#1", "#2", "#4", "#11", "Tea for all. AnnounceCanary", "#1",
	    "#1", "#1", "#1", "#2", "#1")},
    {COORDINATORS | ADMINS, STEPS("/approve", "#1", "#1")},
    {COORDINATORS | ADMINS, STEPS("/approve", "#1", "#1")},
    {COORDINATORS,
	STEPS("/newevent", "An evening | Tea and talk.", "#1", "#1", "#1", "@+3 18:00", "#3", "#1",
	    "Haifa", "PlaceCanary street 4", "#1", "#2", "#1", "#5", "#1", "#1", "#1")},
    {COORDINATORS,
	STEPS("/newevent", "A walk | Bring water.", "#1", "#1", "#1", "@+1 20:00", "#3", "#1",
	    "Haifa", "PlaceCanary gate 7", "#1", "#4", "6", "#5", "#1", "#1", "#1")},
    {COORDINATORS | ADMINS, STEPS("/round", "#1")},
    {COORDINATORS, STEPS("/tickets", "#1", "On Tuesday. WordCanary")},
    {COORDINATORS, STEPS("/offers", "#3", "#1", "A room for thirty", "#1", "@+40", "#1", "#1", "#7",
		       "25", "#1")},
    {COORDINATORS, STEPS("/stats")},
    {ADMINS, script_survey_asked},
    {ADMINS, STEPS("/stories", "#3", "#1", "A meeting that changed something", "لقاء غيّر شيئًا",
		 "מפגש ששינה משהו", "A week by the sea", "#2", "#2", "#2", "#2", "#2", "#2", "#2",
		 "#2", "@+10", "@+20", "#1")},
    {SAFETY, STEPS("/reports", "#1", "#1", "#1")},
    {JUDGES, STEPS("/judge", "#1", "#3", "#3", "#3", "#3")},
};
enum { SCRIPTS = sizeof(scripts) / sizeof(scripts[0]) };

const char *const *
script_pick(unsigned roles)
{
	for (int tries = 0; tries < 20; tries++) {
		const struct script *s = &scripts[dice_below(SCRIPTS)];

		/* What only some may do, they do more often. */
		if (roles & s->roles & ~(unsigned)MEMBERS)
			return s->steps;
		if (s->roles == MEMBERS && (tries > 3 || roles == MEMBERS))
			return s->steps;
	}
	return scripts[0].steps;
}

void
script_line(const char *step, const char *code, char *out, size_t room)
{
	int days = 0;
	char hour[16] = "";
	struct civil c;

	if (sscanf(step, "@+%d %15s", &days, hour) >= 1) {
		c = civil_from(sim.now_ms / 1000 + 7200 + days * 86400);
		snprintf(out, room, "%d/%d/%lld%s%s", c.day, c.month, (long long)c.year,
		    hour[0] ? " " : "", hour);
	} else if (!strcmp(step, "#?")) {
		snprintf(out, room, "#%d", 1 + (int)dice_below(2));
	} else if (strstr(step, "{code}")) {
		snprintf(out, room, "%.*s%s", (int)(strstr(step, "{code}") - step), step, code);
	} else {
		snprintf(out, room, "%s", step);
	}
}
