/*
 * wait - follow a mirror until it is where it was sent
 *
 * On a terminal the snapshot shows as a bar a table, else as a line for each
 * tenth. A daemon that does not answer is waited for, for a while.
 */
#ifndef PEERD_CMD_PEERCTL_WAIT_H
#define PEERD_CMD_PEERCTL_WAIT_H

#include <stdbool.h>

struct ctl;

struct wait_goal {
	unsigned done;	   /* states that end it well, as 1 << FlowStatus */
	unsigned failed;   /* and badly */
	bool gone;	   /* the mirror shall disappear */
	unsigned grace_ms; /* a bad state this soon is the one to be left */
};

extern const struct wait_goal wait_created, wait_paused, wait_resumed, wait_dropped;

/* Returns the exit code. */
int wait_for(struct ctl *ctl, const char *mirror, const struct wait_goal *goal);

#endif
