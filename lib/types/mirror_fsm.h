/*
 * mirror_fsm - the life of a mirror as a table
 *
 *	SETUP -> SNAPSHOT -> RUNNING <-> PAUSING -> PAUSED
 *	   \________\___________\____________________> FAILED -> (resumed)
 *	SNAPSHOT -> COMPLETED           any -> TERMINATING -> TERMINATED
 *	any but those two -> RESYNC (the earlier run is wound up) -> SETUP
 *
 * Pure: no clock, no descriptor, no memory. [state][event] gives the next
 * state, the phase to remember and what is to be done. The phase (SETUP,
 * SNAPSHOT or RUNNING) is how far the data is; a paused or failed mirror goes
 * on from it. RESYNC sets it back to SETUP at once; what a worker of the
 * earlier run still says counts no more. An event without an entry is illegal
 * in that state and is told to whoever caused it, never guessed.
 *
 * States are the numbers of peerdb_flow.FlowStatus, shown to users as they
 * are. Trouble that is being retried is no state: EV_DIED keeps it.
 *
 * A worker is "healthy" again, and its backoff starts anew, when a checkpoint
 * moved, a partition was finished, or it was up for a minute.
 */
#ifndef PEERD_TYPES_MIRROR_FSM_H
#define PEERD_TYPES_MIRROR_FSM_H

#include <stdbool.h>

#include "protos/flow.pb-c.h"

typedef PeerdbFlow__FlowStatus mirror_state_t;

/* X(NAME, "name in logs and state history") */
#define MIRROR_EVENTS(X)                                                              \
	X(RUN_ASKED, "run_asked")                                                     \
	X(PAUSE_ASKED, "pause_asked")                                                 \
	X(DROP_ASKED, "drop_asked")                                                   \
	X(RESYNC_ASKED, "resync_asked")                                               \
	X(SETUP_LOADS, "setup_done")	   /* tables exist, the snapshot follows */   \
	X(SETUP_STREAMS, "setup_done")	   /* tables exist, changes follow */         \
	X(LOAD_STREAMS, "snapshot_done")   /* loaded, changes follow */               \
	X(LOAD_COMPLETES, "snapshot_done") /* loaded, and that was all */             \
	X(ENDED, "worker_ended")	   /* the worker stopped as it was asked */   \
	X(DIED, "worker_died")		   /* it failed and is worth another try */   \
	X(FAILED, "worker_failed")	   /* it failed and trying again is no use */ \
	X(DROPPED, "dropped")		   /* source and destination are clean */

#define MIRROR_ACTIONS(X)                                              \
	X(NONE)                                                        \
	X(RUN)	    /* have a worker that carries on from the phase */ \
	X(DRAIN)    /* let the worker finish its batch and end */      \
	X(BACK_OFF) /* have a worker again, after a while */           \
	X(WIND_UP)  /* end the worker, whatever it is at */            \
	X(DROP)	    /* end the worker, then have one that cleans up */ \
	X(FORGET)   /* delete the mirror's rows */

enum mirror_event {
#define X(name, text) EV_##name,
	MIRROR_EVENTS(X)
#undef X
	EV_COUNT
};

enum mirror_action {
#define X(name) MIRROR_ACT_##name,
	MIRROR_ACTIONS(X)
#undef X
	MIRROR_ACT_COUNT
};

struct mirror_step {
	mirror_state_t next;
	mirror_state_t phase;
	enum mirror_action action;
};

/* False, and *step_r untouched, when the event is illegal in the state. */
bool mirror_fsm_step(mirror_state_t state, mirror_state_t phase, enum mirror_event event,
    struct mirror_step *step_r);

const char *mirror_event_name(enum mirror_event event);
const char *mirror_state_name(mirror_state_t state); /* "STATUS_RUNNING" */

/* A worker is at work, or should be. */
bool mirror_state_has_worker(mirror_state_t state);

#endif
