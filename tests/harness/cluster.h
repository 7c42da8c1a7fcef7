/*
 * cluster - a throwaway Postgres server
 *
 * cluster_new() makes a database cluster in the temporary directory, starts it
 * on a port and socket directory of its own and returns when it answers. The
 * server is adopted by the janitor, so it survives the test that restarts it.
 * Nothing is synced to disk: the machine does not crash, only processes do.
 *
 * Over the socket everybody is let in; over TCP (localhost, 127.0.0.1, ::1) a
 * password is wanted, so that tests of passwords can fail. The superuser
 * CLUSTER_USER has the password CLUSTER_PASSWORD.
 */
#ifndef PEERD_HARNESS_CLUSTER_H
#define PEERD_HARNESS_CLUSTER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <sys/types.h>

#define CLUSTER_USER	 "postgres"
#define CLUSTER_PASSWORD "Tr0ub4dor&3 \\'\"x" /* every byte of it needs quoting */

struct cluster {
	const char *name;
	char *data;
	char *sockets;
	char *log;
	int port;
};

enum cluster_stop {
	CLUSTER_FAST,	   /* SIGINT: sessions are ended, a checkpoint is written */
	CLUSTER_IMMEDIATE, /* SIGQUIT: as if the power had failed */
};

/* settings: further lines for postgresql.conf, or NULL. */
struct cluster *cluster_new(const char *name, const char *settings);
void cluster_free(struct cluster **c); /* stops it; NULL is fine */

void cluster_start(const struct cluster *c);
void cluster_stop(const struct cluster *c, enum cluster_stop how);
void cluster_restart(const struct cluster *c, enum cluster_stop how);
pid_t cluster_pid(const struct cluster *c); /* of the postmaster; 0 when it is down */

PGconn *cluster_connect(const struct cluster *c, const char *database);

/* Connect if the server lets us; NULL while it is down or still recovering. */
PGconn *cluster_try_connect(const struct cluster *c, const char *database);

/* Some machines have no IPv6. */
bool cluster_listens_on(const struct cluster *c, const char *address);

/* kill -9 the first backend of pg_stat_activity that satisfies the condition. */
bool cluster_kill_backend(const struct cluster *c, const char *where);

/* Drop every database, slot and role the tests left; only template and postgres remain. */
void cluster_wipe(const struct cluster *c);

char *cluster_program(const char *name); /* /usr/lib/postgresql/N/bin/NAME, newest N */

#endif
