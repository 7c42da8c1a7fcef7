/*
 * pgslot - the publication and the replication slot of a mirror, on its source
 *
 * Names: what the mirror's configuration gives, else peerflow_pub_<mirror> and
 * peerflow_slot_<mirror>. Only what has its default name is peerd's own, so
 * only that is made to fit (publication) or dropped; a given publication is
 * used as it is.
 *
 * Every call is idempotent except the creation of a slot, which answers
 * ERR_EXISTS. All calls wait for the server and can be interrupted (pgconn.h).
 *
 * Errors: as pgconn.h, with the object's name in the message.
 */
#ifndef PEERD_CONN_PGSLOT_H
#define PEERD_CONN_PGSLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/clock.h"
#include "lib/wire/lsn.h"
#include "protos/flow.pb-c.h"
#include "protos/worker.pb-c.h"

struct arena;
struct err;
struct pgconn;

#define PGSLOT_PREFIX	  "peerflow_slot_"
#define PGSLOT_PUB_PREFIX "peerflow_pub_"

/* ---- names */

const char *pgslot_name(struct arena *a, const PeerdbFlow__FlowConnectionConfigs *cfg);
const char *pgslot_publication(struct arena *a, const PeerdbFlow__FlowConnectionConfigs *cfg);
bool pgslot_name_is_ours(const PeerdbFlow__FlowConnectionConfigs *cfg);
bool pgslot_publication_is_ours(const PeerdbFlow__FlowConnectionConfigs *cfg);

/* ---- publication */

/* Create it with these tables and every operation, or make the existing one so. */
bool pgslot_publication_ensure(struct pgconn *c, const char *publication,
    PeerdWorker__MirrorTable *const *tables, size_t ntables, struct err *err);
bool pgslot_publication_drop(struct pgconn *c, const char *publication, struct err *err);

/* ---- slot */

struct pgslot_state {
	bool exists;
	bool temporary;
	bool here;	 /* of the database the connection is to */
	bool lost;	 /* the server removed WAL it needs: of no use any more */
	int active_pid;	 /* its reader on the server, 0 for none */
	lsn_t confirmed; /* changes committed before this are never sent again */
	lsn_t restart;
	char plugin[64];
	char database[64];
	char wal_status[16]; /* reserved, extended, unreserved, lost; "" before Postgres 13 */
};

struct pgslot_point {
	lsn_t lsn;	   /* the slot sends what commits after this */
	char snapshot[64]; /* shows exactly what committed before it */
};

bool pgslot_read(struct pgconn *c, const char *slot, struct pgslot_state *st_r, struct err *err);

/*
 * Whether an existing slot can carry a mirror of this database; ERR_CONFIG with
 * the next step if not. A slot in use by another reader is no hindrance: that
 * may be our own, not yet noticed dead by the server.
 */
bool pgslot_usable(const char *slot, const struct pgslot_state *st, struct err *err);

/* With a snapshot: repl is a PGCONN_REPLICATION, and the snapshot lives until its next command. */
bool pgslot_create_exported(struct pgconn *repl, const char *slot, struct pgslot_point *point_r,
    struct err *err);

/* Without: c is any connection not inside a transaction that wrote. */
bool pgslot_create(struct pgconn *c, const char *slot, lsn_t *lsn_r, struct err *err);

/*
 * Drop the slot. A reader that is still attached is terminated, for it is a
 * leftover of a killed worker of ours; after `timeout` it is ERR_TRANSIENT.
 */
bool pgslot_drop(struct pgconn *c, const char *slot, usec_t timeout, struct err *err);

#endif
