/*
 * pg_ddl - destination tables on Postgres
 *
 * Tables are created from what the source reported (MirrorTable): same columns
 * under their destination names, real types, collations, NOT NULL, generated
 * columns, plus peerd's own columns (synced at, soft delete) unless their
 * names are empty. No defaults, indexes or foreign keys of the source are
 * copied; the keys that changes are matched by are.
 *
 * Order: pgtypes_copy(), pg_ddl_metadata(), pg_ddl_prepare() per table, load,
 * pg_ddl_build_keys() per table. Every call may be repeated, and may be
 * interrupted anywhere: each is one transaction (the caller's, if one is open
 * on the connection). Column names in statements are the destination's.
 *
 * Errors: as pgconn.h, with the table's name as context.
 */
#ifndef PEERD_SINK_PG_DDL_H
#define PEERD_SINK_PG_DDL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/wire/lsn.h"
#include "protos/flow.pb-c.h"
#include "protos/worker.pb-c.h"

struct arena;
struct err;
struct pgconn;

/*
 * Make the table exist. An existing one is kept and gets peerd's columns if it
 * lacks them. created_r: this mirror made the table, now or in an earlier
 * interrupted attempt (remembered in the metadata schema): its keys are ours
 * to build and its rows ours to remove.
 */
bool pg_ddl_prepare(struct pgconn *dst, const PeerdWorker__MirrorTable *table,
    const PeerdbFlow__FlowConnectionConfigs *cfg, const char *meta_schema, bool with_keys,
    bool *created_r, struct err *err);

/*
 * Primary key, and a unique index on the columns changes are matched by when
 * these differ from it. Does nothing for a table that is not of our making or
 * has them.
 */
bool pg_ddl_build_keys(struct pgconn *dst, const PeerdWorker__MirrorTable *table, struct err *err);

/* Is there a valid unique index on exactly the columns changes are matched by? */
bool pg_ddl_has_unique_key(struct pgconn *dst, const PeerdWorker__MirrorTable *table, bool *yes_r,
    struct err *err);

/* default_expr: SQL for the value of rows that exist already, or NULL. */
bool pg_ddl_add_column(struct pgconn *dst, const PeerdWorker__MirrorTable *table,
    const PeerdWorker__Column *column, const char *default_expr, struct err *err);

/*
 * The constant that rows older than the column show on the source (ADD COLUMN
 * ... DEFAULT), as text; NULL when there is none.
 */
bool pg_ddl_column_default(struct pgconn *src, relid_t relid, const char *column, struct arena *a,
    char **value_r, struct err *err);

/* Empty these tables in one statement. */
bool pg_ddl_truncate_all(struct pgconn *dst, PeerdWorker__MirrorTable *const *tables,
    size_t ntables, struct err *err);

#endif
