/*
 * snapshot_source - what an initial load reads
 *
 * One connection to the source stands for the snapshot as long as the load
 * lasts. It is inside the snapshot that the slot begins with, exports it to the
 * snapshot workers, and holds a lock on every table: nothing rewrites a table
 * whose partitions are ranges of its blocks. When it ends, the load is to start
 * over, even if every partition was read.
 *
 *	open()		makes the slot anew (none for a mirror that only loads)
 *	refresh()	brings the tables of worker and destination to the
 *			definitions that the snapshot shows; they may have changed
 *			since setup, and the stream tells only of later changes
 *	check()		at the end: did it hold to here?
 *	close()
 *
 * Errors: ERR_CONFIG for a table that changed in a way that cannot be followed.
 */
#ifndef PEERD_WORKERS_SNAPSHOT_SOURCE_H
#define PEERD_WORKERS_SNAPSHOT_SOURCE_H

#include "lib/conn/pgslot.h"
#include "workers/worker.h"

struct snapshot_source {
	struct pgconn *conn;
	char name[64]; /* for SET TRANSACTION SNAPSHOT */
	lsn_t lsn;     /* where the slot begins */
};

bool snapshot_source_open(struct worker *w, struct snapshot_source *s, struct err *err);
bool snapshot_source_refresh(struct worker *w, struct snapshot_source *s, struct dest *dst,
    struct err *err);
bool snapshot_source_check(struct snapshot_source *s, struct err *err);
void snapshot_source_close(struct snapshot_source *s); /* an empty one is fine */

/* ACCESS SHARE on every table, held until the connection's transaction ends. */
bool snapshot_lock(struct pgconn *c, PeerdWorker__MirrorTable *const *tables, size_t n,
    struct err *err);

#endif
