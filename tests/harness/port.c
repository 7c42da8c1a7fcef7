#include "tests/harness/port.h"

#include <sys/socket.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "tests/harness/fail.h"

#define PORT_MIN   20000
#define PORT_COUNT 12000
#define TRIES	   500

static int
bound_socket(int type, int port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		fd_close(&fd);
	return fd;
}

static bool
free_for_tcp(int port)
{
	int fd = bound_socket(SOCK_STREAM, port);
	bool is_free = fd >= 0;

	fd_close(&fd);
	return is_free;
}

int
port_take(void)
{
	static unsigned next;

	if (next == 0)
		next = (unsigned)getpid() * 37;
	for (int i = 0; i < TRIES; i++) {
		int port = PORT_MIN + (int)(next++ % PORT_COUNT);
		int mark = bound_socket(SOCK_DGRAM, port);

		if (mark >= 0 && free_for_tcp(port))
			return port; /* the mark stays open on purpose */
		fd_close(&mark);
	}
	test_fail("no free TCP port found from %d on", PORT_MIN);
}
