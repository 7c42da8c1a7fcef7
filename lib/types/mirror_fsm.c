#include "lib/types/mirror_fsm.h"

#define STATES (PEERDB_FLOW__FLOW_STATUS__STATUS_MODIFYING + 1)

#define SETUP	    PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP
#define SNAPSHOT    PEERDB_FLOW__FLOW_STATUS__STATUS_SNAPSHOT
#define RUNNING	    PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING
#define PAUSING	    PEERDB_FLOW__FLOW_STATUS__STATUS_PAUSING
#define PAUSED	    PEERDB_FLOW__FLOW_STATUS__STATUS_PAUSED
#define COMPLETED   PEERDB_FLOW__FLOW_STATUS__STATUS_COMPLETED
#define RESYNC	    PEERDB_FLOW__FLOW_STATUS__STATUS_RESYNC
#define FAILED	    PEERDB_FLOW__FLOW_STATUS__STATUS_FAILED
#define TERMINATING PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATING
#define TERMINATED  PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATED

/* As the next state: the one that the phase says; as the phase: leave it. */
#define PHASE STATES
#define SAME  0

struct entry {
	bool legal;
	int next;
	int phase;
	enum mirror_action action;
};

/* clang-format off */
#define TO(next, phase, action)	{ true, (next), (phase), MIRROR_ACT_##action }

/* From any state but those of a mirror that is being dropped. */
#define RESYNCABLE [EV_RESYNC_ASKED] = TO(RESYNC, SETUP, WIND_UP)

/* What moves a mirror whose worker is at work, the same in each of its states. */
#define WORKING(self)                                         \
	[EV_RUN_ASKED] = TO(self, SAME, NONE),                \
	[EV_PAUSE_ASKED] = TO(PAUSING, SAME, DRAIN),          \
	[EV_DROP_ASKED] = TO(TERMINATING, SAME, DROP),        \
	RESYNCABLE,                                           \
	[EV_ENDED] = TO(self, SAME, RUN),                     \
	[EV_DIED] = TO(self, SAME, BACK_OFF),                 \
	[EV_FAILED] = TO(FAILED, SAME, NONE)
/* clang-format on */

static const struct entry table[STATES][EV_COUNT] = {
	[SETUP] = {
		WORKING(SETUP),
		[EV_SETUP_LOADS] = TO(SNAPSHOT, SNAPSHOT, NONE),
		[EV_SETUP_STREAMS] = TO(RUNNING, RUNNING, NONE),
	},
	[SNAPSHOT] = {
		WORKING(SNAPSHOT),
		/* an interrupted load is set up anew */
		[EV_SETUP_LOADS] = TO(SNAPSHOT, SAME, NONE),
		[EV_LOAD_STREAMS] = TO(RUNNING, RUNNING, NONE),
		[EV_LOAD_COMPLETES] = TO(COMPLETED, RUNNING, NONE),
	},
	[RUNNING] = {
		WORKING(RUNNING),
	},
	/* the worker may get further before it sees the wish to pause */
	[PAUSING] = {
		[EV_RUN_ASKED] = TO(PHASE, SAME, RUN),
		[EV_PAUSE_ASKED] = TO(PAUSING, SAME, NONE),
		[EV_DROP_ASKED] = TO(TERMINATING, SAME, DROP),
		RESYNCABLE,
		[EV_SETUP_LOADS] = TO(PAUSING, SNAPSHOT, NONE),
		[EV_SETUP_STREAMS] = TO(PAUSING, RUNNING, NONE),
		[EV_LOAD_STREAMS] = TO(PAUSING, RUNNING, NONE),
		[EV_LOAD_COMPLETES] = TO(COMPLETED, RUNNING, NONE),
		[EV_ENDED] = TO(PAUSED, SAME, NONE),
		[EV_DIED] = TO(PAUSED, SAME, NONE),
		[EV_FAILED] = TO(PAUSED, SAME, NONE),
	},
	[PAUSED] = {
		[EV_RUN_ASKED] = TO(PHASE, SAME, RUN),
		[EV_PAUSE_ASKED] = TO(PAUSED, SAME, NONE),
		[EV_DROP_ASKED] = TO(TERMINATING, SAME, DROP),
		RESYNCABLE,
	},
	[FAILED] = {
		[EV_RUN_ASKED] = TO(PHASE, SAME, RUN),
		[EV_DROP_ASKED] = TO(TERMINATING, SAME, DROP),
		RESYNCABLE,
	},
	/* not to be paused: what the old worker still says would be taken for the new run's */
	[RESYNC] = {
		[EV_RUN_ASKED] = TO(RESYNC, SAME, NONE),
		[EV_RESYNC_ASKED] = TO(RESYNC, SAME, NONE),
		[EV_DROP_ASKED] = TO(TERMINATING, SAME, DROP),
		[EV_SETUP_LOADS] = TO(RESYNC, SAME, NONE),
		[EV_SETUP_STREAMS] = TO(RESYNC, SAME, NONE),
		[EV_LOAD_STREAMS] = TO(RESYNC, SAME, NONE),
		[EV_LOAD_COMPLETES] = TO(RESYNC, SAME, NONE),
		[EV_ENDED] = TO(SETUP, SETUP, RUN),
		[EV_DIED] = TO(SETUP, SETUP, RUN),
		[EV_FAILED] = TO(SETUP, SETUP, RUN),
	},
	/* nothing is left on the source: it can go though both peers be down */
	[COMPLETED] = {
		[EV_DROP_ASKED] = TO(TERMINATED, SAME, FORGET),
		RESYNCABLE,
		[EV_ENDED] = TO(COMPLETED, SAME, NONE),
		[EV_DIED] = TO(COMPLETED, SAME, NONE),
		[EV_FAILED] = TO(COMPLETED, SAME, NONE),
	},
	/* facts that the worker sent before it saw the wish still tell what is to be dropped */
	[TERMINATING] = {
		[EV_DROP_ASKED] = TO(TERMINATING, SAME, NONE),
		[EV_SETUP_LOADS] = TO(TERMINATING, SNAPSHOT, NONE),
		[EV_SETUP_STREAMS] = TO(TERMINATING, RUNNING, NONE),
		[EV_LOAD_STREAMS] = TO(TERMINATING, RUNNING, NONE),
		[EV_LOAD_COMPLETES] = TO(TERMINATING, RUNNING, NONE),
		[EV_ENDED] = TO(TERMINATING, SAME, DROP),
		[EV_DIED] = TO(TERMINATING, SAME, BACK_OFF),
		[EV_FAILED] = TO(TERMINATING, SAME, BACK_OFF),
		[EV_DROPPED] = TO(TERMINATED, SAME, FORGET),
	},
	/* the rows could not be deleted: once more */
	[TERMINATED] = {
		[EV_DROP_ASKED] = TO(TERMINATED, SAME, FORGET),
		[EV_ENDED] = TO(TERMINATED, SAME, NONE),
		[EV_DIED] = TO(TERMINATED, SAME, NONE),
		[EV_FAILED] = TO(TERMINATED, SAME, NONE),
	},
};

bool
mirror_fsm_step(mirror_state_t state, mirror_state_t phase, enum mirror_event event,
    struct mirror_step *step_r)
{
	const struct entry *e;

	if ((unsigned)state >= STATES || (unsigned)event >= EV_COUNT)
		return false;
	e = &table[state][event];
	if (!e->legal)
		return false;
	step_r->phase = e->phase == SAME ? phase : (mirror_state_t)e->phase;
	step_r->next = e->next == PHASE ? phase : (mirror_state_t)e->next;
	step_r->action = e->action;
	return true;
}

const char *
mirror_event_name(enum mirror_event event)
{
	static const char *const names[EV_COUNT] = {
#define X(name, text) [EV_##name] = (text),
		MIRROR_EVENTS(X)
#undef X
	};

	return (unsigned)event < EV_COUNT ? names[event] : "unknown";
}

const char *
mirror_state_name(mirror_state_t state)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
	    &peerdb_flow__flow_status__descriptor, (int)state);

	return v != NULL ? v->name : "STATUS_UNKNOWN";
}

bool
mirror_state_has_worker(mirror_state_t state)
{
	return state == SETUP || state == SNAPSHOT || state == RUNNING || state == PAUSING ||
	    state == TERMINATING;
}
