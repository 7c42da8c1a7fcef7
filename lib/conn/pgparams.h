/*
 * pgparams - libpq connection parameters from a peer's configuration
 *
 * Certificates that the configuration carries as text are put into anonymous
 * files (memfd) and given to libpq as /proc/self/fd paths, so nothing secret
 * touches a disk. They must stay open until the connection stands:
 * pgparams_done() closes them and wipes the values.
 *
 * Precedence: connection_string, then host/port/user/password/database, then
 * TLS fields, then the `options` map; sslmode given explicitly wins over the
 * older tls fields, which never lower what the connection string verifies.
 * Default sslmode is libpq's own ("prefer").
 *
 * Errors: ERR_CONFIG for values that cannot work, without repeating secrets.
 */
#ifndef PEERD_CONN_PGPARAMS_H
#define PEERD_CONN_PGPARAMS_H

#include <stdbool.h>

#include "protos/peers.pb-c.h"

struct err;

#define PGPARAMS_MAX   64
#define PGPARAMS_FILES 3

struct pgparams {
	const char *keys[PGPARAMS_MAX + 1];
	const char *values[PGPARAMS_MAX + 1];
	int n;
	int files[PGPARAMS_FILES];
	int nfiles;
};

/* p is initialised even on failure: call pgparams_done() in both cases. */
bool pgparams_build(struct pgparams *p, const PeerdbPeers__PostgresConfig *cfg, const char *what,
    bool replication, struct err *err);
void pgparams_done(struct pgparams *p);

/* A libpq notice processor that drops notices: a server's NOTICE is not ours to show. */
void pgparams_ignore_notice(void *arg, const char *message);

#endif
