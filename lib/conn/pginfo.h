/*
 * pginfo - what a Postgres server's catalog says about the tables of a mirror
 *
 * The connection's search_path must be empty (pgconn sets it), so that type
 * names come out qualified wherever the destination would not find them.
 * Nothing here writes. Servers from version 12 on.
 *
 * Messages given out are malloc'd and the caller's: free them with
 * protobuf_c_message_free_unpacked(). Their sizes are those of the source's
 * definitions.
 *
 * Errors: what the user must change is ERR_CONFIG with the statement to run as
 * hint; a table that is not there has reason SOURCE_TABLE_MISSING and its name
 * as subject. The connection's own failures are passed on.
 */
#ifndef PEERD_CONN_PGINFO_H
#define PEERD_CONN_PGINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "protos/flow.pb-c.h"
#include "protos/worker.pb-c.h"

struct err;
struct pgconn;
struct table_ident;

/* ---- definitions */

/*
 * One table as it stands on the source, with the mapping's exclusions and
 * renames applied. Refuses what cannot be mirrored: a view or another kind of
 * relation, an unlogged table, a table without a way to identify its rows, a
 * partition that does not log what its root is identified by.
 */
bool pginfo_load_table(struct pgconn *src, const PeerdbFlow__TableMapping *map,
    PeerdWorker__MirrorTable **t_r, struct err *err);

/* All tables of a mirror, appended to into->tables. On failure into is as it was. */
bool pginfo_load_tables(struct pgconn *src, const PeerdbFlow__FlowConnectionConfigs *cfg,
    PeerdWorker__SetupDone *into, struct err *err);

/*
 * Compare with the destination's table of the mapped name: a column whose type
 * is not the very same there loses `binary`, since its values must pass
 * through text. Call it for tables that existed before; a missing table or
 * column changes nothing.
 */
bool pginfo_match_destination(struct pgconn *dst, PeerdWorker__MirrorTable *t, struct err *err);

/* ---- what holds the rows */

/* A relation that has rows of its own: the table itself, or a leaf partition. */
struct pginfo_leaf {
	uint32_t relid;
	char *relation; /* quoted schema.name, for SELECT ... FROM ONLY */
	int64_t blocks; /* of the main fork, now */
	int64_t rows;	/* estimate */
};

struct pginfo_leaves {
	struct pginfo_leaf *v;
	size_t n;
};

/* The leaves of a partitioned table (none when it has no partition), else the table alone. */
bool pginfo_load_leaves(struct pgconn *src, uint32_t relid, struct pginfo_leaves *l_r,
    struct err *err);
void pginfo_leaves_done(struct pginfo_leaves *l);

/* ---- how many rows */

/*
 * Rows of one table; of a large one approximately, from the last analyze,
 * partitions together. deleted: a column that flags rows not to be counted,
 * where the table has it; or "". Ends with ERR_TIMEOUT or the server's error
 * at the deadline (monotonic), or after half a minute.
 */
bool pginfo_count_rows(struct pgconn *c, const struct table_ident *table, const char *deleted,
    usec_t deadline, int64_t *rows_r, bool *approximate_r, struct err *err);

/* ---- the server and our role on it */

struct pginfo_server {
	int version;	/* 150004 */
	char role[256]; /* current_user */
	char database[256];
	uint32_t database_oid;
	uint64_t system_identifier; /* 0 when the role may not read it */
	char wal_level[16];
	bool superuser;
	bool replication;     /* may start replication (rds_replication counts) */
	bool create_database; /* CREATE on the current database */
	bool in_recovery;
	bool hot_standby_feedback;
	int max_wal_senders;
	int wal_senders; /* running */
	int max_replication_slots;
	int replication_slots;
	char flavour[32]; /* "PostgreSQL", or the first word of version() */
};

bool pginfo_load_server(struct pgconn *c, struct pginfo_server *s_r, struct err *err);

/* Does it run what peerd can work with? side, for the words: "source", "destination". */
bool pginfo_check_server(const struct pginfo_server *s, const char *side, struct err *err);

#endif
