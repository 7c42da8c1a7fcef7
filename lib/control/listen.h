/*
 * listen - sockets to be found at
 *
 * HOST:PORT with a name, an IPv4 address or an IPv6 one in brackets; an empty
 * HOST or "*" is every address of the machine. A name that stands for several
 * addresses (localhost: ::1 and 127.0.0.1) is listened on at each; with PORT 0
 * the system's choice for the first is used for all.
 *
 * The sockets are non-blocking, close-on-exec and listening. Names are looked
 * up with the system's resolver, which may block: for the start only.
 *
 * Errors: ERR_INVALID for the text, ERR_CONFIG for what cannot be bound.
 */
#ifndef PEERD_CONTROL_LISTEN_H
#define PEERD_CONTROL_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define LISTEN_MAX 8

struct listen_set {
	int fds[LISTEN_MAX];
	size_t n;
	uint16_t port;
	bool loopback; /* each address is the machine's own */
};

bool listen_tcp(const char *where, struct listen_set *set_r, struct err *err);
void listen_close(struct listen_set *set);

/* Mode 0600; a socket file nobody answers on is replaced. */
bool listen_unix(const char *path, int *fd_r, struct err *err);

/* "HOST:PORT" taken apart; host_r "" for every address. */
bool listen_parse(const char *where, char *host_r, size_t size, uint16_t *port_r, struct err *err);

#endif
