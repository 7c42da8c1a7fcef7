#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "workers/cdc_int.h"

/* SELECT c1, c2 FROM s.t WHERE k1 = $1 AND k2 = $2 */
static void
write_query(const struct table *t, struct buf *sql)
{
	uint16_t i;

	buf_str_add(sql, "SELECT ");
	for (i = 0; i < t->ncols; i++) {
		buf_str_add(sql, i > 0 ? ", " : "");
		pgconn_ident(sql, t->cols[i].name);
	}
	buf_str_add(sql, " FROM ");
	pgconn_qualified(sql, t->source_schema, t->source_name);
	for (i = 0; i < t->nkeys; i++) {
		buf_str_add(sql, i > 0 ? " AND " : " WHERE ");
		pgconn_ident(sql, t->cols[t->keys[i]].name);
		buf_printf(sql, " = $%u", i + 1);
	}
}

static PGresult *
ask(struct cdc *c, const struct table *t, const struct row *row)
{
	int lengths[COLUMNS_MAX], formats[COLUMNS_MAX];
	struct row_value all[COLUMNS_MAX];
	const char *values[COLUMNS_MAX];
	struct buf sql;
	PGresult *res;
	uint16_t i;

	row_values(row, t->ncols, all);
	for (i = 0; i < t->nkeys; i++) {
		values[i] = (const char *)all[t->keys[i]].p;
		lengths[i] = (int)all[t->keys[i]].len;
		formats[i] = !row->text;
	}
	buf_init(&sql, MIB);
	write_query(t, &sql);
	cdc_watch_settle(c);
	res = PQexecParams(pgconn_pq(c->watch), buf_str(&sql), t->nkeys, NULL, values, lengths,
	    formats, !row->text);
	buf_done(&sql);
	return res;
}

static const struct row *
read_row(const struct table *t, const PGresult *res, bool text, struct arena *a)
{
	struct row_value values[COLUMNS_MAX];
	int i;

	for (i = 0; i < t->ncols; i++) {
		values[i].p = (const uint8_t *)PQgetvalue(res, 0, i);
		values[i].len = PQgetisnull(res, 0, i) ? ROW_NULL
						       : (uint32_t)PQgetlength(res, 0, i);
	}
	return row_new(a, LSN_INVALID, values, t->ncols, text);
}

/* A table that is not what it was any more is told of by the stream. */
bool
cdc_find_row(void *cdc, const struct table *t, const struct row *row, struct arena *a,
    const struct row **row_r, struct err *err)
{
	struct cdc *c = cdc;
	PGresult *res;
	bool ok = true;

	*row_r = NULL;
	res = ask(c, t, row);
	if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) > 0)
		*row_r = read_row(t, res, row->text, a);
	else if (PQresultStatus(res) != PGRES_TUPLES_OK)
		ok = pgconn_error(pgconn_pq(c->watch), res, err);
	PQclear(res);
	return ok || err_context(err, "looking for a row of %s on the source", t->source_label);
}
