/*
 * events - what libevent's own calls leave to the caller
 *
 * event_done() frees an event that may never have been made, and leaves NULL
 * behind, so that a half-built owner can be torn down, and twice.
 */
#ifndef PEERD_BASE_EVENTS_H
#define PEERD_BASE_EVENTS_H

#include <event2/event.h>

static inline void
event_done(struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
}

#endif
