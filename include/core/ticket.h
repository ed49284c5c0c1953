/*
 * Tickets: a question from a person to a role, answered role to role; neither side learns who the other is. Texts are
 * sealed and go with the ticket after [retention] ticket days.
 */
#ifndef CORE_TICKET_H
#define CORE_TICKET_H

#include <stdint.h>

#include "core/turn.h"

/* From t->person to everybody who holds the role for the organisation (admins when nobody does). Its number. */
int64_t ticket_open(
    struct turn *t, enum access role, const char *org, const char *topic, const char *text);

#endif
