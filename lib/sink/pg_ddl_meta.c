#include "lib/sink/pg_ddl_meta.h"

#include <inttypes.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pgtxn.h"
#include "lib/conn/pgtypes.h"

#define SQL_MAX (16 * KIB)

/*
 * The tables, the column that a mirror's name is in, and the definition. The
 * first is PeerDB's own; columns that peerd adds to it follow in `extra`.
 * `newest` is the column that was added last: who has it has them all.
 */
static const struct {
	const char *name;
	const char *mirror_column;
	const char *newest;
	const char *definition;
	const char *extra;
} meta_tables[] = {
	{ "peerdb_mirror_jobs", "mirror_job_name", "updated_at",
	    "mirror_job_name text PRIMARY KEY, lsn_offset bigint NOT NULL,"
	    " sync_batch_id bigint NOT NULL DEFAULT 0, normalize_batch_id bigint NOT NULL DEFAULT "
	    "0",
	    "updated_at timestamptz" },
	{ "peerd_snapshot_partitions", "mirror_name", "done_at",
	    "mirror_name text, snapshot_id text, table_index int, partition int, rows bigint,"
	    " done_at timestamptz DEFAULT now(),"
	    " PRIMARY KEY (mirror_name, snapshot_id, table_index, partition)",
	    NULL },
	{ "peerd_created_tables", "mirror_name", "table_name",
	    "mirror_name text, schema_name text, table_name text,"
	    " PRIMARY KEY (mirror_name, schema_name, table_name)",
	    NULL },
	{ "peerd_stopped_tables", "mirror_name", "stopped_at",
	    "mirror_name text, schema_name text, table_name text, error text, error_hint text,"
	    " stopped_at timestamptz DEFAULT now(),"
	    " PRIMARY KEY (mirror_name, schema_name, table_name)",
	    NULL },
};

#define META_TABLES	(sizeof(meta_tables) / sizeof(meta_tables[0]))
#define META_CHECKPOINT 0
#define META_PARTITIONS 1
#define META_STOPPED	3

const char *
pg_ddl_meta_schema(const PeerdbPeers__PostgresConfig *cfg)
{
	return cfg->metadata_schema != NULL && cfg->metadata_schema[0] != '\0'
	    ? cfg->metadata_schema
	    : PG_DDL_META_SCHEMA;
}

static bool
schema_context(const char *schema, struct err *err)
{
	return err_context(err, "metadata schema \"%s\" of the destination", schema);
}

/* ---- making */

static bool
has_column(struct pgconn *dst, const char *schema, const char *table, const char *column,
    bool *yes_r, struct err *err)
{
	PGresult *res;

	res = pgconn_query(dst, err,
	    "SELECT 1 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
	    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1"
	    " AND c.relname = $2 AND a.attname = $3 AND NOT a.attisdropped",
	    3, schema, table, column);
	if (res == NULL)
		return false;
	*yes_r = PQntuples(res) > 0;
	PQclear(res);
	return true;
}

static bool
make_table(struct pgconn *dst, const char *schema, size_t i, struct err *err)
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "CREATE TABLE IF NOT EXISTS ");
	pgconn_qualified(&sql, schema, meta_tables[i].name);
	buf_printf(&sql, " (%s)", meta_tables[i].definition);
	if (meta_tables[i].extra != NULL) {
		buf_str_add(&sql, "; ALTER TABLE ");
		pgconn_qualified(&sql, schema, meta_tables[i].name);
		buf_printf(&sql, " ADD COLUMN IF NOT EXISTS %s", meta_tables[i].extra);
	}
	return pgconn_run_buf(dst, &sql, err);
}

/* Look before asking for rights that one who only uses the tables need not have. */
static bool
make_missing_tables(struct pgconn *dst, const char *schema, struct err *err)
{
	bool there;
	size_t i;

	for (i = 0; i < META_TABLES; i++) {
		if (!has_column(dst, schema, meta_tables[i].name, meta_tables[i].newest, &there,
			err))
			return false;
		if (!there && !make_table(dst, schema, i, err))
			return false;
	}
	return true;
}

bool
pg_ddl_metadata(struct pgconn *dst, const char *schema, struct err *err)
{
	struct pgtxn txn;
	bool ok;

	if (!pgtxn_begin_ddl(&txn, dst, err))
		return schema_context(schema, err);
	ok = pgtypes_make_schema(dst, schema, err) && make_missing_tables(dst, schema, err);
	return pgtxn_end(&txn, ok, err) || schema_context(schema, err);
}

/* ---- checkpoint */

bool
pg_ddl_meta_checkpoint_read(struct pgconn *dst, const char *schema, const char *mirror,
    lsn_t *lsn_r, struct err *err)
{
	struct buf sql;
	PGresult *res;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "SELECT lsn_offset FROM ");
	pgconn_qualified(&sql, schema, meta_tables[META_CHECKPOINT].name);
	buf_str_add(&sql, " WHERE mirror_job_name = $1");
	res = pgconn_query(dst, err, buf_str(&sql), 1, mirror);
	buf_done(&sql);
	if (res == NULL)
		return false;
	*lsn_r = PQntuples(res) == 1 ? (lsn_t)pgcell_i64(res, 0, 0) : LSN_INVALID;
	PQclear(res);
	return true;
}

bool
pg_ddl_meta_checkpoint_init(struct pgconn *dst, const char *schema, const char *mirror, lsn_t lsn,
    struct err *err)
{
	char offset[24];
	struct buf sql;
	PGresult *res;

	snprintf(offset, sizeof(offset), "%" PRId64, (int64_t)lsn);
	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "INSERT INTO ");
	pgconn_qualified(&sql, schema, meta_tables[META_CHECKPOINT].name);
	buf_str_add(&sql,
	    " (mirror_job_name, lsn_offset, sync_batch_id, normalize_batch_id, updated_at)"
	    " VALUES ($1, $2, 0, 0, now()) ON CONFLICT (mirror_job_name) DO NOTHING");
	res = pgconn_query(dst, err, buf_str(&sql), 2, mirror, offset);
	buf_done(&sql);
	PQclear(res);
	return res != NULL || schema_context(schema, err);
}

/* ---- forgetting */

static bool
forget_rows(struct pgconn *dst, const char *schema, size_t i, const char *mirror, struct err *err)
{
	struct buf sql;
	PGresult *res;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "DELETE FROM ");
	pgconn_qualified(&sql, schema, meta_tables[i].name);
	buf_printf(&sql, " WHERE %s = $1", meta_tables[i].mirror_column);
	res = pgconn_query(dst, err, buf_str(&sql), 1, mirror);
	buf_done(&sql);
	PQclear(res);
	return res != NULL;
}

bool
pg_ddl_meta_restart(struct pgconn *dst, const char *schema, const char *mirror, struct err *err)
{
	struct pgtxn txn;
	bool ok;

	if (!pgtxn_begin(&txn, dst, err))
		return schema_context(schema, err);
	ok = forget_rows(dst, schema, META_CHECKPOINT, mirror, err) &&
	    forget_rows(dst, schema, META_PARTITIONS, mirror, err) &&
	    forget_rows(dst, schema, META_STOPPED, mirror, err);
	return pgtxn_end(&txn, ok, err) || schema_context(schema, err);
}

static bool
forget_if_there(struct pgconn *dst, const char *schema, size_t i, const char *mirror,
    struct err *err)
{
	bool there;

	return has_column(dst, schema, meta_tables[i].name, meta_tables[i].mirror_column, &there,
		   err) &&
	    (!there || forget_rows(dst, schema, i, mirror, err));
}

bool
pg_ddl_meta_forget(struct pgconn *dst, const char *schema, const char *mirror, struct err *err)
{
	struct pgtxn txn;
	size_t i;
	bool ok = true;

	if (!pgtxn_begin(&txn, dst, err))
		return schema_context(schema, err);
	for (i = 0; ok && i < META_TABLES; i++)
		ok = forget_if_there(dst, schema, i, mirror, err);
	return pgtxn_end(&txn, ok, err) || schema_context(schema, err);
}
