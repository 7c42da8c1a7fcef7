/*
 * chdbd - ClickHouse's HTTP interface over libchdb, for tests
 *
 *	CHDBD_PASSWORD=... chdbd LIBRARY DATA-DIRECTORY PORT OWNER READER
 *
 * Listens on 127.0.0.1, a thread for each connection. OWNER may do everything,
 * READER only read. Data are where they were after any end, kill -9 included.
 * SIGTERM and SIGQUIT end it once no request is under way.
 *
 * Exit codes: 0 stopped as asked, 1 could not start, 2 usage.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "tests/chdbd/engine.h"
#include "tests/chdbd/http.h"
#include "tests/chdbd/request.h"

#define EXIT_USAGE 2
#define BACKLOG	   128
#define STOP_S	   5 /* that requests under way may take to end */

static struct users users;
static int listener;

/* Requests hold it shared; who stops takes it alone, and keeps it. */
static pthread_rwlock_t at_work = PTHREAD_RWLOCK_INITIALIZER;

static void *
serve(void *arg)
{
	struct http *h = http_new((int)(intptr_t)arg);
	const struct http_request *request;
	bool keep = true;

	while (keep && http_next(h, &request) == HTTP_REQUEST) {
		pthread_rwlock_rdlock(&at_work);
		keep = request_serve(h, request, &users);
		pthread_rwlock_unlock(&at_work);
	}
	http_free(&h);
	return NULL;
}

static void *
accept_all(void *arg)
{
	const int on = 1;
	pthread_attr_t detached;
	pthread_t thread;
	int fd;

	(void)arg;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (pthread_create(&thread, &detached, serve, (void *)(intptr_t)fd) != 0)
			close(fd);
	}
	return NULL;
}

static bool
listen_on(uint16_t port, struct err *err)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(listener, BACKLOG) != 0)
		return err_set(err, ERR_CONFIG, "could not listen on port %u: %m", port);
	return true;
}

/* Wait to be asked to end; merges of the engine may be under way, as with a crash. */
static void __attribute__((noreturn)) stop(const sigset_t *signals)
{
	struct timespec until;
	int sig;

	sigwait(signals, &sig);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_S;
	pthread_rwlock_timedwrlock(&at_work, &until);
	_exit(0);
}

static bool
start(char **argv, struct err *err)
{
	const char *password = getenv("CHDBD_PASSWORD");
	pthread_t thread;
	uint64_t port;

	users = (struct users){ argv[4], argv[5], password != NULL ? password : "" };
	setenv("TZ", "UTC", 1);
	if (!str_to_u64(argv[3], 1, UINT16_MAX, &port, err) ||
	    !engine_open(argv[1], argv[2], err) || !listen_on((uint16_t)port, err))
		return false;
	if (pthread_create(&thread, NULL, accept_all, NULL) != 0)
		return err_set(err, ERR_CONFIG, "could not start a thread");
	fprintf(stderr, "chdbd: ready, engine %s on port %s\n", engine_version(), argv[3]);
	return true;
}

int
main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	sigset_t signals;

	if (argc != 6) {
		fprintf(stderr, "usage: chdbd LIBRARY DATA-DIRECTORY PORT OWNER READER\n");
		return EXIT_USAGE;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGQUIT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (!start(argv, &err)) {
		fprintf(stderr, "chdbd: %s\n", err.msg);
		return 1;
	}
	stop(&signals);
}
