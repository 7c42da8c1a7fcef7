#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"

void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool
fd_socketpair(int fds_r[2], struct err *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return err_set(err, ERR_TRANSIENT, "could not create a socket pair: %s",
		    strerror(errno));
	fds_r[0] = fds[0];
	fds_r[1] = fds[1];
	return true;
}
