/*
 * supervisor - worker processes: started, watched, ended, reaped
 *
 * A child is one peerd-worker with its channel. The owner (a mirror, a probe)
 * hears its messages through its handlers and, once, on_end: when the process
 * is reaped and everything it said before has been delivered. The child is
 * freed after on_end returns.
 *
 * Started is not ready: the owner's handler of HELLO must end the deadline of
 * CHILD_HELLO_MS with child_set_deadline(). A child that misses one, or
 * says something malformed, is killed. One that closes its channel and does
 * not exit is taken down the ladder.
 *
 * The ladder: child_stop() after the owner has asked by message, then SIGTERM,
 * then SIGKILL, each after its own wait.
 *
 * Errors of child_start: TRANSIENT (no such program, no processes left).
 */
#ifndef PEERD_CONTROL_SUPERVISOR_H
#define PEERD_CONTROL_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

struct child;
struct event_base;
struct ipc;
struct ipc_handler;
struct supervisor;

#define CHILD_HELLO_MS 10000
#define CHILD_TERM_MS  5000 /* from SIGTERM to SIGKILL */

/* How a child ended. */
struct child_end {
	int status;	/* of waitpid */
	bool stopping;	/* child_stop() had been called */
	bool killed;	/* by us: a deadline, a malformed frame, the end of the ladder */
	struct err why; /* in words, unless it exited 0 */
};

struct child_owner {
	const struct ipc_handler *handlers; /* get the struct child as their arg */
	void (*on_end)(void *arg, const struct child_end *end);
	void *arg;
};

/* worker_path must stay. Takes over SIGCHLD. */
struct supervisor *supervisor_new(struct event_base *base, const char *worker_path);

/* Kills and reaps what is left. */
void supervisor_free(struct supervisor **sup);

/* on_none: when no child is left, maybe at once; called each time it comes to that. */
void supervisor_on_none(struct supervisor *sup, void (*on_none)(void *arg), void *arg);

struct child *child_start(struct supervisor *sup, const char *role, const char *name,
    uint64_t generation, const struct child_owner *owner, struct err *err);

void *child_owner_arg(const struct child *c);

/* NULL when the channel has closed already. */
struct ipc *child_channel(struct child *c);
pid_t child_pid(const struct child *c);

/* Kill the child after so long, with words like "did not become ready". 0: none any more. */
void child_set_deadline(struct child *c, int ms, const char *words);

/* SIGTERM after grace_ms, counted from the last call. */
void child_stop(struct child *c, int grace_ms);

void child_kill(struct child *c, enum err_code code, const char *words);

/*
 * The owner loses interest: on_end is never called. The channel closes, the
 * child has grace_ms to go by itself. NULL is fine.
 */
void child_release(struct child **c, int grace_ms);

#endif
