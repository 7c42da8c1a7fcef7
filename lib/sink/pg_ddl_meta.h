/*
 * pg_ddl_meta - what peerd remembers in a Postgres destination
 *
 * Kept beside the data so that it can be written in the data's transactions.
 * In the metadata schema (_peerdb_internal, or the peer's metadata_schema):
 *
 *   peerdb_mirror_jobs(mirror_job_name PRIMARY KEY, lsn_offset, sync_batch_id,
 *       normalize_batch_id, updated_at)
 *       the checkpoint: changes up to lsn_offset are applied
 *   peerd_snapshot_partitions(mirror_name, snapshot_id, table_index, partition,
 *       rows, done_at)
 *       partitions of a snapshot whose rows are in
 *   peerd_created_tables(mirror_name, schema_name, table_name)
 *       tables a mirror created, as opposed to found
 *   peerd_stopped_tables(mirror_name, schema_name, table_name, error,
 *       error_hint, stopped_at)
 *       tables whose changes are left out, by their names here; written in the
 *       transaction that is the first to leave any out
 *
 * pg_ddl_metadata() makes all of it exist; workers of several mirrors may call
 * it at once, and a role that may not create schemas can use what exists.
 *
 * Errors: as pgconn.h.
 */
#ifndef PEERD_SINK_PG_DDL_META_H
#define PEERD_SINK_PG_DDL_META_H

#include <stdbool.h>

#include "lib/wire/lsn.h"
#include "protos/peers.pb-c.h"

struct err;
struct pgconn;

#define PG_DDL_META_SCHEMA "_peerdb_internal"

const char *pg_ddl_meta_schema(const PeerdbPeers__PostgresConfig *cfg);

bool pg_ddl_metadata(struct pgconn *dst, const char *schema, struct err *err);

/* The mirror's checkpoint; LSN_INVALID when it has none. */
bool pg_ddl_meta_checkpoint_read(struct pgconn *dst, const char *schema, const char *mirror,
    lsn_t *lsn_r, struct err *err);

/* Set the mirror's checkpoint unless it has one. */
bool pg_ddl_meta_checkpoint_init(struct pgconn *dst, const char *schema, const char *mirror,
    lsn_t lsn, struct err *err);

/* Forget checkpoint, snapshot partitions, stopped tables: the mirror starts from nothing. */
bool pg_ddl_meta_restart(struct pgconn *dst, const char *schema, const char *mirror,
    struct err *err);

/* Forget everything about a mirror. A missing schema or table is fine. */
bool pg_ddl_meta_forget(struct pgconn *dst, const char *schema, const char *mirror,
    struct err *err);

#endif
