/*
 * probe - asking `peerd-worker probe` directly
 *
 * What the daemon does for one call, without a daemon: start the program with
 * a channel on fd 3, wait for HELLO, send the request, read the answer, see it
 * exit. Everything is JSON in the API's own form; texts live as long as the
 * process.
 */
#ifndef PEERD_HARNESS_PROBE_H
#define PEERD_HARNESS_PROBE_H

#include <sys/types.h>

#include "lib/base/err.h"

struct cluster;

struct probe_ask {
	const char *method;
	const char *request; /* NULL: an empty message */
	const char *peer;
	const char *destination;
	const char *mirror;
	const char *slot; /* of a known mirror */
};

struct probe_answer {
	struct err err;	      /* code NONE when it succeeded */
	const char *response; /* JSON, "" when it failed */
};

const struct probe_answer *probe_ask(const struct probe_ask *ask);

/* The same in two steps, for a question whose asker goes away before the answer. */
struct probe_run {
	int fd;
	pid_t pid;
};

struct probe_run probe_begin(const struct probe_ask *ask);
void probe_hang_up(const struct probe_run *run, int ms); /* and it ends within ms */

#define PROBE_ROLE_PASSWORD "secret-of-a-role"

/* A peer: the superuser over the socket (role NULL), or a role over TCP with that password. */
const char *probe_peer_json(const struct cluster *c, const char *name, const char *database,
    const char *role);

#endif
