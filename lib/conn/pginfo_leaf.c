#include "lib/conn/pginfo.h"

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"

/* For a table that is not partitioned pg_partition_tree() gives no row before Postgres 13. */
static const char leaves_query[] =
    "SELECT c.oid, format('%I.%I', n.nspname, c.relname),"
    " pg_relation_size(c.oid) / current_setting('block_size')::int8, c.relpages, c.reltuples"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND (c.oid = $1::oid OR c.oid IN"
    "  (SELECT relid FROM pg_partition_tree($1::oid::regclass) WHERE isleaf))"
    " ORDER BY n.nspname, c.relname";

/*
 * Rows now, from the density at the last vacuum or analyze, as the planner
 * reckons; -1 when there was none yet.
 */
static int64_t
scaled_rows(int64_t blocks, int64_t pages, double tuples)
{
	if (blocks == 0)
		return 0;
	if (pages <= 0 || tuples < 0)
		return -1;
	return (int64_t)(tuples / (double)pages * (double)blocks + 0.5);
}

/* The planner's guess for a table without statistics: "... rows=2550 width=44)". */
static bool
planner_rows(struct pgconn *c, const char *relation, int64_t *rows_r, struct err *err)
{
	struct buf sql;
	const char *rows;
	PGresult *res;

	buf_init(&sql, 4096);
	buf_printf(&sql, "EXPLAIN SELECT * FROM ONLY %s", relation);
	res = pgconn_exec(c, err, buf_str(&sql));
	buf_done(&sql);
	if (res == NULL)
		return false;
	rows = PQntuples(res) > 0 ? strstr(pgcell(res, 0, 0), "rows=") : NULL;
	*rows_r = rows != NULL ? strtoll(rows + 5, NULL, 10) : 0;
	PQclear(res);
	return true;
}

static bool
read_leaves(struct pgconn *c, const PGresult *res, struct pginfo_leaves *l, struct err *err)
{
	struct pginfo_leaf *leaf;
	int i;

	l->v = xcalloc((size_t)PQntuples(res) + 1, sizeof(*l->v));
	for (i = 0; i < PQntuples(res); i++) {
		leaf = &l->v[l->n++];
		leaf->relid = (uint32_t)pgcell_i64(res, i, 0);
		leaf->relation = xstrdup(pgcell(res, i, 1));
		leaf->blocks = pgcell_i64(res, i, 2);
		leaf->rows = scaled_rows(leaf->blocks, pgcell_i64(res, i, 3),
		    strtod(pgcell(res, i, 4), NULL));
		if (leaf->rows < 0 && !planner_rows(c, leaf->relation, &leaf->rows, err))
			return false;
	}
	return true;
}

bool
pginfo_load_leaves(struct pgconn *src, uint32_t relid, struct pginfo_leaves *l_r, struct err *err)
{
	struct pginfo_leaves l = { .n = 0 };
	char param[16];
	PGresult *res;
	bool ok;

	snprintf(param, sizeof(param), "%u", relid);
	res = pgconn_query(src, err, leaves_query, 1, param);
	if (res == NULL)
		return false;
	ok = read_leaves(src, res, &l, err);
	PQclear(res);
	if (ok)
		*l_r = l;
	else
		pginfo_leaves_done(&l);
	return ok;
}

void
pginfo_leaves_done(struct pginfo_leaves *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].relation);
	MEM_FREE(l->v);
	l->n = 0;
}
