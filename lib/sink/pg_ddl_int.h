/*
 * pg_ddl_int - inside pg_ddl: the texts of its statements
 *
 * Pure: from messages to SQL, no server. Names are quoted, types, collations
 * and expressions come from the source's catalog and are taken as they are.
 */
#ifndef PEERD_SINK_PG_DDL_INT_H
#define PEERD_SINK_PG_DDL_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/sink/pg_ddl.h"

struct buf;

/* Statements over thousands of tables or columns stay below this. */
#define PG_DDL_SQL_MAX (8u << 20)

/* A column as it is to be on the destination. */
struct pg_ddl_column {
	const PeerdWorker__Column *column;
	bool collate; /* the destination has its collation */
	bool not_null;
	const char *default_expr; /* or NULL */
};

/* cols: one for each column of the table. */
void pg_ddl_sql_create(struct buf *sql, const PeerdWorker__MirrorTable *t,
    const struct pg_ddl_column *cols, const PeerdbFlow__FlowConnectionConfigs *cfg);
void pg_ddl_sql_add_column(struct buf *sql, const PeerdWorker__MirrorTable *t,
    const struct pg_ddl_column *col);

/* ALTER TABLE that adds peerd's own columns; nothing when both names are empty. */
void pg_ddl_sql_own_columns(struct buf *sql, const PeerdWorker__MirrorTable *t,
    const PeerdbFlow__FlowConnectionConfigs *cfg);

bool pg_ddl_has_primary(const PeerdWorker__MirrorTable *t);
bool pg_ddl_key_is_primary(const PeerdWorker__MirrorTable *t); /* in any order */
void pg_ddl_sql_primary(struct buf *sql, const PeerdWorker__MirrorTable *t);
void pg_ddl_sql_unique(struct buf *sql, const PeerdWorker__MirrorTable *t);

/* ARRAY['a', 'b']::text[], destination names of the key's columns. */
void pg_ddl_sql_key_array(struct buf *sql, const PeerdWorker__MirrorTable *t);

void pg_ddl_sql_truncate(struct buf *sql, PeerdWorker__MirrorTable *const *tables, size_t ntables);

#endif
