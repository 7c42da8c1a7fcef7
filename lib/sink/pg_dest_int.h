/*
 * pg_dest_int - what the files of a Postgres destination share
 *
 *	pg_dest.c	the handle and its calls (dest.h)
 *	pg_dest_check.c	will a mirror work? server, rights, names, tables to be made
 *	pg_dest_table.c	the same of a table that is there already
 *	pg_dest_type.c	may values of one type go into a column of another?
 *	pg_dest_load.c	rows of a snapshot (loader.h)
 *	pg_dest_swap.c	the end of a resync
 *
 * They put together what pg_ddl.h, pg_ddl_meta.h and pg_fence.h do.
 */
#ifndef PEERD_SINK_PG_DEST_INT_H
#define PEERD_SINK_PG_DEST_INT_H

#include <stdbool.h>

#include "lib/sink/dest.h"
#include "lib/sink/pg_ddl_meta.h"

#define PG_CHECK_TEXT_MAX (16u << 20) /* the names of a mirror's tables as one parameter */

/* One check under way. */
struct pg_check {
	struct pgconn *src, *dst;
	const PeerdbFlow__FlowConnectionConfigs *mirror;
	const char *meta_schema;
	struct dest_tables tables;
	bool again;
};

/* pg_dest_check.c */
bool pg_dest_check_name(const struct table_ident *name, struct err *err);
bool pg_check_run(const struct pg_check *ck, struct err *err);

/* pg_dest_table.c: one table that exists on the destination already */
bool pg_check_existing(const struct pg_check *ck, const PeerdWorker__MirrorTable *t,
    const char *relid, const char *sql_name, struct err *err);

/* pg_dest_load.c */
bool pg_loader_open(const struct loader_config *cfg, struct loader **l_r, struct err *err);

/* An attempt has begun: its loaders may store rows from here on. */
bool pg_load_announce(struct pgconn *dst, const char *meta, const char *mirror,
    const char *snapshot_id, struct err *err);

/* pg_dest_swap.c: see dest.h */
bool pg_discard(struct pgconn *c, const char *meta, const char *mirror,
    const struct table_ident *name, struct err *err);
bool pg_swap(struct pgconn *c, const PeerdbFlow__FlowConnectionConfigs *mirror, const char *meta,
    struct dest_tables tables, struct err *err);

/*
 * t has the suffix: will the table without it let go of its place? What is
 * there under the name after a discard is somebody else's.
 */
bool pg_check_replaced(const struct pg_check *ck, const PeerdWorker__MirrorTable *t, bool there,
    struct err *err);

/*
 * pg_dest.c: the session fires no triggers and checks no foreign keys. That
 * needs a right that a role may lack: they then fire, and must hold.
 */
bool pg_session_replicates(struct pgconn *c, struct err *err);

#endif
