#include "lib/control/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

#define BACKLOG 128

bool
listen_parse(const char *where, char *host_r, size_t size, uint16_t *port_r, struct err *err)
{
	const char *colon = strrchr(where, ':');
	size_t n = colon != NULL ? (size_t)(colon - where) : 0;
	uint64_t port;

	if (colon == NULL || !str_to_u64(colon + 1, 0, 65535, &port, err)) {
		err_set(err, ERR_INVALID, "\"%s\" is not an address to listen on", where);
		return err_hint(err, "write HOST:PORT, for example 127.0.0.1:3000 or [::1]:3000");
	}
	if (n >= 2 && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	} else if (memchr(where, ':', n) != NULL) {
		err_set(err, ERR_INVALID, "\"%s\" is not an address to listen on", where);
		return err_hint(err, "put an IPv6 address in brackets: [::1]:3000");
	}
	if (n == 1 && *where == '*')
		n = 0;
	if (n >= size)
		return err_set(err, ERR_INVALID, "the host name to listen on is too long");
	memcpy(host_r, where, n);
	host_r[n] = '\0';
	*port_r = (uint16_t)port;
	return true;
}

static bool
is_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return sa->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* The port sits at the same place in both families. */
static uint16_t
port_of(const struct sockaddr *sa)
{
	return ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
}

static bool
bind_one(const struct addrinfo *ai, struct listen_set *set, struct err *err)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t len = ai->ai_addrlen;
	int fd, on = 1, why;

	memcpy(&ss, ai->ai_addr, len);
	if (set->port != 0)
		((struct sockaddr_in *)&ss)->sin_port = htons(set->port);
	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_set(err, ERR_CONFIG, "could not create a socket: %m");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, sa, len) == -1 || listen(fd, BACKLOG) == -1 ||
	    getsockname(fd, sa, &len) == -1) {
		why = errno;
		err_set(err, ERR_CONFIG, "%s", strerror(why));
		fd_close(&fd);
		errno = why;
		return false;
	}
	set->fds[set->n++] = fd;
	set->port = port_of(sa);
	set->loopback = set->loopback && is_loopback(sa);
	return true;
}

/*
 * An address family that the machine lacks is no reason to fail while another
 * works, but a port that somebody else has is.
 */
static bool
bind_all(const struct addrinfo *list, struct listen_set *set, struct err *err)
{
	for (const struct addrinfo *ai = list; ai != NULL && set->n < LISTEN_MAX; ai = ai->ai_next)
		if (!bind_one(ai, set, err) && errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT)
			return false;
	return set->n > 0;
}

bool
listen_tcp(const char *where, struct listen_set *set_r, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct listen_set set = { .loopback = true };
	struct addrinfo *list = NULL;
	char host[256], service[8];
	bool ok;
	int rc;

	if (!listen_parse(where, host, sizeof(host), &set.port, err))
		return false;
	snprintf(service, sizeof(service), "%u", set.port);
	rc = getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_CONFIG, "could not look up \"%s\" to listen on: %s", host,
		    gai_strerror(rc));
	ok = bind_all(list, &set, err);
	freeaddrinfo(list);
	if (!ok) {
		struct err why = *err;

		listen_close(&set);
		err_set(err, ERR_CONFIG, "could not listen on %s: %s", where, why.msg);
		return err_hint(err, "is another program, or another peerd, using that port?");
	}
	*set_r = set;
	return true;
}

void
listen_close(struct listen_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		fd_close(&set->fds[i]);
	set->n = 0;
}

/* Is somebody answering there? */
static bool
unix_answers(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool answers;

	answers = fd != -1 &&
	    (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN);
	fd_close(&fd);
	return answers;
}

/* Only a socket is ever removed. */
static bool
clear_stale(const struct sockaddr_un *sun, struct err *err)
{
	struct stat st;

	if (lstat(sun->sun_path, &st) == -1)
		return true;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFIG, "\"%s\" is in the way of the control socket",
		    sun->sun_path);
	if (unix_answers(sun))
		return err_set(err, ERR_CONFIG, "another peerd answers on \"%s\"", sun->sun_path);
	if (unlink(sun->sun_path) == -1)
		return err_set(err, ERR_CONFIG, "could not remove \"%s\": %m", sun->sun_path);
	return true;
}

bool
listen_unix(const char *path, int *fd_r, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (!str_copy(sun.sun_path, sizeof(sun.sun_path), path)) {
		err_set(err, ERR_CONFIG, "the path of the control socket \"%s\" is too long", path);
		return err_hint(err, "choose a state directory with a shorter path");
	}
	if (!clear_stale(&sun, err))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* nobody can connect before listen(), so the mode is right from the start */
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    chmod(path, 0600) == -1 || listen(fd, BACKLOG) == -1) {
		err_set(err, ERR_CONFIG, "could not listen on \"%s\": %m", path);
		fd_close(&fd);
		return false;
	}
	*fd_r = fd;
	return true;
}
