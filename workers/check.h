/*
 * check - can this mirror work?
 *
 * Everything a mirror needs of its two servers, looked at without changing
 * anything on either: rights are read from the catalogs, no object is made to
 * try. The first thing that is missing ends the check, with one sentence and,
 * as hint, the statement that mends it.
 *
 * Order: shape (no server needed), source, destination (which knows by itself
 * what it needs, see dest.h); check_mirror() does all three. The source's
 * definitions are read on the way and given to the caller, who would ask for
 * them next.
 *
 * Errors: ERR_CONFIG for what the user must change (reason and subjects set
 * where the API has them: SOURCE_TABLE_MISSING, TABLES_NOT_IN_PUBLICATION),
 * ERR_INVALID for a malformed configuration; else as pgconn.h and dest.h.
 */
#ifndef PEERD_WORKERS_CHECK_H
#define PEERD_WORKERS_CHECK_H

#include <stdbool.h>

#include "protos/flow.pb-c.h"
#include "protos/peers.pb-c.h"
#include "protos/worker.pb-c.h"

struct dest;
struct dest_ops;
struct err;
struct pgconn;

/* Borrowed; src is a plain connection, not inside a transaction. */
struct check {
	const PeerdbFlow__FlowConnectionConfigs *mirror;
	const PeerdbPeers__PostgresConfig *source;
	struct pgconn *src;
	const struct dest_ops *kind; /* of the destination */
	struct dest *dst;
	bool again; /* setup may be repeated: a slot of the default name may be our own,
		     * and so may be rows in the destination tables */
};

/* The configuration by itself; mirror and kind are all it looks at. */
bool check_shape(const struct check *ck, struct err *err);

/* tables: appended with what the source says of them, forms chosen for the destination. */
bool check_source(const struct check *ck, PeerdWorker__SetupDone *tables, struct err *err);

/* All of it; the definitions are thrown away. */
bool check_mirror(const struct check *ck, struct err *err);

#endif
