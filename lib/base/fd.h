/*
 * fd - file descriptors
 */
#ifndef PEERD_BASE_FD_H
#define PEERD_BASE_FD_H

#include <stdbool.h>

struct err;

void fd_close(int *fd); /* -1 is fine; *fd is -1 afterwards */

/* Two connected, close-on-exec, non-blocking stream sockets. */
bool fd_socketpair(int fds_r[2], struct err *err);

#endif
