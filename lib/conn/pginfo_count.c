#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pginfo.h"
#include "lib/types/ident.h"

#define COUNT_MS	30000
#define EXACT_MAX_BYTES "10737418240"

static const char size_query[] =
    "SELECT sum(pg_table_size(c.oid)) >= " EXACT_MAX_BYTES ","
    " sum(CASE WHEN c.relkind = 'r' THEN greatest(c.reltuples, 0) ELSE 0 END)::int8,"
    " EXISTS (SELECT FROM pg_attribute WHERE attrelid = r.oid AND attname = $3"
    "  AND NOT attisdropped)"
    " FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace JOIN pg_class c"
    "  ON c.oid = r.oid OR c.oid IN (SELECT relid FROM pg_partition_tree(r.oid) WHERE isleaf)"
    " WHERE n.nspname = $1 AND r.relname = $2 AND c.relkind IN ('r', 'p') GROUP BY r.oid";

/* flag: a column whose rows are left out where it is true; or NULL */
static void
write_count(struct buf *sql, const struct table_ident *t, const char *flag)
{
	buf_str_add(sql, "SELECT count(*) FROM ");
	pgconn_qualified(sql, t->schema, t->name);
	if (flag == NULL)
		return;
	buf_str_add(sql, " WHERE ");
	pgconn_ident(sql, flag);
	buf_str_add(sql, " IS NOT TRUE");
}

static bool
count_exactly(struct pgconn *c, const struct table_ident *t, const char *flag, usec_t deadline,
    int64_t *rows_r, struct err *err)
{
	int64_t left = (deadline - clock_mono_us()) / USEC_PER_MSEC;
	struct buf sql;
	PGresult *res = NULL;

	if (left <= 0)
		return err_set(err, ERR_TIMEOUT, "no time left to count");
	buf_init(&sql, 4096);
	write_count(&sql, t, flag);
	if (pgconn_run(c, err, "SET statement_timeout = %d",
		(int)(left < COUNT_MS ? left : COUNT_MS)))
		res = pgconn_exec(c, err, buf_str(&sql));
	buf_done(&sql);
	if (res == NULL)
		return false;
	*rows_r = pgcell_i64(res, 0, 0);
	PQclear(res);
	return true;
}

bool
pginfo_count_rows(struct pgconn *c, const struct table_ident *table, const char *deleted,
    usec_t deadline, int64_t *rows_r, bool *approximate_r, struct err *err)
{
	PGresult *res = pgconn_query(c, err, size_query, 3, table->schema, table->name, deleted);
	bool ok = res != NULL, approximate;
	int64_t rows;

	if (ok && PQntuples(res) == 0)
		ok = err_set(err, ERR_NOT_FOUND, "table %s.%s does not exist", table->schema,
		    table->name);
	if (ok) {
		approximate = pgcell_bool(res, 0, 0);
		rows = pgcell_i64(res, 0, 1);
		ok = approximate ||
		    count_exactly(c, table, pgcell_bool(res, 0, 2) ? deleted : NULL, deadline,
			&rows, err);
	}
	PQclear(res);
	if (!ok)
		return false;
	*rows_r = rows;
	*approximate_r = approximate;
	return true;
}
