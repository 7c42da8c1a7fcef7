#include "lib/sink/pg_ddl.h"

#include <inttypes.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pgtxn.h"
#include "lib/conn/pgtypes.h"
#include "lib/sink/pg_ddl_int.h"

static bool
table_context(const PeerdWorker__MirrorTable *t, struct err *err)
{
	return err_context(err, "destination table \"%s\".\"%s\"", t->destination_schema,
	    t->destination_name);
}

/* ---- what is there */

struct standing {
	char kind;	  /* pg_class.relkind; 0: nothing of that name */
	bool own_columns; /* has peerd's columns */
	bool recorded;	  /* in peerd_created_tables, for this mirror */
};

static const char standing_query[] =
    "SELECT c.relkind,"
    " ($3 = '' OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = $3)) AND"
    " ($4 = '' OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = $4)),"
    " EXISTS (SELECT FROM %s WHERE mirror_name = $5 AND schema_name = $1 AND table_name = $2)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = $1 AND c.relname = $2";

static bool
look(struct pgconn *dst, const PeerdWorker__MirrorTable *t,
    const PeerdbFlow__FlowConnectionConfigs *cfg, const char *created_tables, struct standing *s_r,
    struct err *err)
{
	struct standing s = { .kind = 0 };
	struct buf query;
	PGresult *res;

	buf_init(&query, PG_DDL_SQL_MAX);
	buf_printf(&query, standing_query, created_tables);
	res = pgconn_query(dst, err, buf_str(&query), 5, t->destination_schema, t->destination_name,
	    cfg->synced_at_col_name, cfg->soft_delete_col_name, cfg->flow_job_name);
	buf_done(&query);
	if (res == NULL)
		return false;
	if (PQntuples(res) > 0) {
		s.kind = pgcell(res, 0, 0)[0];
		s.own_columns = pgcell_bool(res, 0, 1);
		s.recorded = pgcell_bool(res, 0, 2);
	}
	PQclear(res);
	*s_r = s;
	return true;
}

/* ---- creating */

/* A collation the destination lacks is left out: values are the same, only their order differs. */
static bool
fill_column(struct pgconn *dst, const PeerdWorker__Column *c, struct pg_ddl_column *col_r,
    struct err *err)
{
	*col_r = (struct pg_ddl_column){ .column = c, .not_null = c->not_null };
	return c->collation[0] == '\0' ||
	    pgtypes_has_collation(dst, c->collation, &col_r->collate, err);
}

static bool
has_generated(const PeerdWorker__MirrorTable *t)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		if (t->columns[i]->generated[0] != '\0')
			return true;
	return false;
}

#define UNDEFINED_OBJECT "42704"

static bool
hint_create(const PeerdWorker__MirrorTable *t, struct err *err)
{
	if (err->hint[0] != '\0')
		return false;
	if (strcmp(err->sqlstate, UNDEFINED_OBJECT) == 0)
		return err_hint(err,
		    "the destination's server does not know it: exclude the column,"
		    " or upgrade the destination");
	if (has_generated(t))
		return err_hint(err,
		    "if a generated column needs a function or column that is not on"
		    " the destination, exclude that column");
	return false;
}

static bool
create_table(struct pgconn *dst, const PeerdWorker__MirrorTable *t,
    const PeerdbFlow__FlowConnectionConfigs *cfg, struct err *err)
{
	struct pg_ddl_column *cols = xcalloc(t->n_columns + 1, sizeof(*cols));
	struct buf sql;
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < t->n_columns; i++)
		ok = fill_column(dst, t->columns[i], &cols[i], err);
	if (ok) {
		buf_init(&sql, PG_DDL_SQL_MAX);
		pg_ddl_sql_create(&sql, t, cols, cfg);
		ok = pgconn_run_buf(dst, &sql, err) || hint_create(t, err);
	}
	free(cols);
	return ok;
}

static bool
record_created(struct pgconn *dst, const PeerdWorker__MirrorTable *t, const char *mirror,
    const char *created_tables, struct err *err)
{
	struct buf sql;
	PGresult *res;

	buf_init(&sql, PG_DDL_SQL_MAX);
	buf_printf(&sql,
	    "INSERT INTO %s (mirror_name, schema_name, table_name) VALUES ($1, $2, $3)"
	    " ON CONFLICT DO NOTHING",
	    created_tables);
	res = pgconn_query(dst, err, buf_str(&sql), 3, mirror, t->destination_schema,
	    t->destination_name);
	buf_done(&sql);
	PQclear(res);
	return res != NULL;
}

static bool
run_sql(struct pgconn *dst, const PeerdWorker__MirrorTable *t,
    void (*write)(struct buf *, const PeerdWorker__MirrorTable *), struct err *err)
{
	struct buf sql;

	buf_init(&sql, PG_DDL_SQL_MAX);
	write(&sql, t);
	return pgconn_run_buf(dst, &sql, err);
}

static bool
add_keys(struct pgconn *dst, const PeerdWorker__MirrorTable *t, struct err *err)
{
	if (pg_ddl_has_primary(t) && !run_sql(dst, t, pg_ddl_sql_primary, err))
		return false;
	return !t->has_key || pg_ddl_key_is_primary(t) || run_sql(dst, t, pg_ddl_sql_unique, err);
}

static bool
make_table(struct pgconn *dst, const PeerdWorker__MirrorTable *t,
    const PeerdbFlow__FlowConnectionConfigs *cfg, const char *created_tables, bool with_keys,
    struct err *err)
{
	return pgtypes_make_schema(dst, t->destination_schema, err) &&
	    create_table(dst, t, cfg, err) && (!with_keys || add_keys(dst, t, err)) &&
	    record_created(dst, t, cfg->flow_job_name, created_tables, err);
}

/* ---- keeping */

static bool
keep_table(struct pgconn *dst, const PeerdWorker__MirrorTable *t,
    const PeerdbFlow__FlowConnectionConfigs *cfg, const struct standing *s, struct err *err)
{
	struct buf sql;

	if (s->kind != 'r' && s->kind != 'p') {
		err_set(err, ERR_CONFIG, "something that is not a table exists already");
		return err_hint(err, "map the source table to another name, or drop what is there");
	}
	if (s->own_columns)
		return true;
	buf_init(&sql, PG_DDL_SQL_MAX);
	pg_ddl_sql_own_columns(&sql, t, cfg);
	return pgconn_run_buf(dst, &sql, err);
}

bool
pg_ddl_prepare(struct pgconn *dst, const PeerdWorker__MirrorTable *table,
    const PeerdbFlow__FlowConnectionConfigs *cfg, const char *meta_schema, bool with_keys,
    bool *created_r, struct err *err)
{
	struct standing s;
	struct buf created_tables;
	struct pgtxn txn;
	bool ok;

	if (!pgtxn_begin_ddl(&txn, dst, err))
		return table_context(table, err);
	buf_init(&created_tables, PG_DDL_SQL_MAX);
	pgconn_qualified(&created_tables, meta_schema, "peerd_created_tables");
	ok = look(dst, table, cfg, buf_str(&created_tables), &s, err);
	if (ok && s.kind == 0)
		ok = make_table(dst, table, cfg, buf_str(&created_tables), with_keys, err);
	else if (ok)
		ok = keep_table(dst, table, cfg, &s, err);
	buf_done(&created_tables);
	if (!pgtxn_end(&txn, ok, err))
		return table_context(table, err);
	*created_r = s.kind == 0 || s.recorded;
	return true;
}

/* ---- keys */

static bool
has_primary_index(struct pgconn *dst, const PeerdWorker__MirrorTable *t, bool *yes_r,
    struct err *err)
{
	PGresult *res;

	res = pgconn_query(dst, err,
	    "SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
	    " JOIN pg_namespace n ON n.oid = c.relnamespace"
	    " WHERE n.nspname = $1 AND c.relname = $2 AND i.indisprimary",
	    2, t->destination_schema, t->destination_name);
	if (res == NULL)
		return false;
	*yes_r = PQntuples(res) > 0;
	PQclear(res);
	return true;
}

static const char unique_key_query[] =
    "SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2"
    " AND i.indisunique AND i.indisvalid AND i.indimmediate"
    " AND i.indpred IS NULL AND i.indexprs IS NULL"
    " AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\")"
    "  FROM pg_attribute a WHERE a.attrelid = i.indrelid"
    "  AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))"
    " = (SELECT array_agg(k ORDER BY k COLLATE \"C\") FROM unnest(%s) k)";

bool
pg_ddl_has_unique_key(struct pgconn *dst, const PeerdWorker__MirrorTable *table, bool *yes_r,
    struct err *err)
{
	struct buf key, query;
	PGresult *res;

	buf_init(&key, PG_DDL_SQL_MAX);
	buf_init(&query, PG_DDL_SQL_MAX);
	pg_ddl_sql_key_array(&key, table);
	buf_printf(&query, unique_key_query, buf_str(&key));
	res = pgconn_query(dst, err, buf_str(&query), 2, table->destination_schema,
	    table->destination_name);
	buf_done(&query);
	buf_done(&key);
	if (res == NULL)
		return table_context(table, err);
	*yes_r = PQntuples(res) > 0;
	PQclear(res);
	return true;
}

static bool
build_primary(struct pgconn *dst, const PeerdWorker__MirrorTable *t, struct err *err)
{
	bool there;

	if (!pg_ddl_has_primary(t))
		return true;
	if (!has_primary_index(dst, t, &there, err))
		return false;
	return there || run_sql(dst, t, pg_ddl_sql_primary, err);
}

static bool
build_unique(struct pgconn *dst, const PeerdWorker__MirrorTable *t, struct err *err)
{
	bool there;

	if (!t->has_key)
		return true;
	if (!pg_ddl_has_unique_key(dst, t, &there, err))
		return false;
	return there || run_sql(dst, t, pg_ddl_sql_unique, err);
}

/*
 * The session of a killed worker may still be building, or about to commit what
 * it built: look only when it is gone.
 */
static bool
wait_for_builder(struct pgconn *dst, const PeerdWorker__MirrorTable *t, struct err *err)
{
	struct buf sql;

	buf_init(&sql, PG_DDL_SQL_MAX);
	buf_str_add(&sql, "LOCK TABLE ");
	pgconn_qualified(&sql, t->destination_schema, t->destination_name);
	buf_str_add(&sql, " IN SHARE ROW EXCLUSIVE MODE");
	return pgconn_run_buf(dst, &sql, err);
}

/* Without the lock of definitions: several tables may be sorted at once. */
bool
pg_ddl_build_keys(struct pgconn *dst, const PeerdWorker__MirrorTable *table, struct err *err)
{
	struct pgtxn txn;
	bool ok;

	if (!table->created)
		return true;
	if (!pgtxn_begin(&txn, dst, err))
		return table_context(table, err);
	ok = wait_for_builder(dst, table, err) &&
	    pgconn_run(dst, err,
		"SET LOCAL maintenance_work_mem = '512MB';"
		" SET LOCAL max_parallel_maintenance_workers = 2") &&
	    build_primary(dst, table, err) && build_unique(dst, table, err);
	return pgtxn_end(&txn, ok, err) || table_context(table, err);
}

/* ---- changes of a table */

bool
pg_ddl_add_column(struct pgconn *dst, const PeerdWorker__MirrorTable *table,
    const PeerdWorker__Column *column, const char *default_expr, struct err *err)
{
	struct pg_ddl_column col;
	struct buf sql;

	if (!fill_column(dst, column, &col, err))
		return table_context(table, err);
	col.default_expr = default_expr;
	col.not_null = column->not_null && default_expr != NULL; /* there may be rows */
	buf_init(&sql, PG_DDL_SQL_MAX);
	pg_ddl_sql_add_column(&sql, table, &col);
	return pgconn_run_buf(dst, &sql, err) || table_context(table, err);
}

/*
 * attmissingval is an array of one element, whatever the type: its text is read
 * as an array of texts to get at the element's. A partitioned table keeps none,
 * its partitions do.
 */
static const char default_query[] =
    "SELECT (attmissingval::text::text[])[1] FROM pg_attribute"
    " WHERE attrelid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid))"
    " AND attname = $2 AND atthasmissing AND NOT attisdropped ORDER BY attrelid LIMIT 1";

bool
pg_ddl_column_default(struct pgconn *src, relid_t relid, const char *column, struct arena *a,
    char **value_r, struct err *err)
{
	char text[16];
	PGresult *res;

	snprintf(text, sizeof(text), "%" PRIu32, relid);
	res = pgconn_query(src, err, default_query, 2, text, column);
	if (res == NULL)
		return err_context(err, "default of column \"%s\"", column);
	*value_r = NULL;
	if (PQntuples(res) > 0 && !PQgetisnull(res, 0, 0))
		*value_r = arena_strdup(a, pgcell(res, 0, 0));
	PQclear(res);
	return true;
}

bool
pg_ddl_truncate_all(struct pgconn *dst, PeerdWorker__MirrorTable *const *tables, size_t ntables,
    struct err *err)
{
	struct buf sql;

	if (ntables == 0)
		return true;
	buf_init(&sql, PG_DDL_SQL_MAX);
	pg_ddl_sql_truncate(&sql, tables, ntables);
	return pgconn_run_buf(dst, &sql, err) ||
	    err_context(err, "could not empty the destination tables");
}
