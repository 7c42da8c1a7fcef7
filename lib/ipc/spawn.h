/*
 * spawn - start a peerd-worker with a channel on fd 3
 *
 * fork is followed at once by exec. The child has stdin from /dev/null, its
 * parent's stderr, the channel on fd 3 and nothing else; argv says only the
 * role and the mirror's name, secrets travel over the channel. The child dies
 * with its parent's end of the socket (it sees EOF), not by a signal.
 *
 * The caller reaps pid_r (SIGCHLD) and owns fd_r.
 */
#ifndef PEERD_IPC_SPAWN_H
#define PEERD_IPC_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

/* name may be NULL (probe). */
bool spawn_worker(const char *path, const char *role, const char *name, pid_t *pid_r, int *fd_r,
    struct err *err);

#endif
