#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/loader.h"
#include "lib/sink/pg_ddl.h"
#include "lib/sink/pg_dest_int.h"

/*
 * A partition is one transaction that also writes the partition's mark, so it
 * is there whole and once or not at all. The transaction first takes a share
 * of the attempt's own row in the table of marks: a new attempt at the
 * snapshot deletes that row, which waits for partitions under way and shuts
 * out loaders of the old attempt that are still about.
 *
 * Rows are passed on as they come: nothing in them is looked at.
 */

struct pg_loader {
	struct loader base;
	struct pgconn *conn;
	const char *meta;
	const struct table *t; /* of the partition under way; its COPY is open */
	int32_t partition;
};

/* Where marks are kept: "keyword meta.peerd_snapshot_partitions rest". */
static void
marks_sql(struct buf *sql, const char *keyword, const char *meta, const char *rest)
{
	buf_init(sql, 4 * KIB);
	buf_str_add(sql, keyword);
	buf_char(sql, ' ');
	pgconn_qualified(sql, meta, "peerd_snapshot_partitions");
	buf_str_add(sql, rest);
}

/* ---- the attempt */

bool
pg_load_announce(struct pgconn *dst, const char *meta, const char *mirror, const char *snapshot_id,
    struct err *err)
{
	struct buf sql;
	PGresult *res;

	marks_sql(&sql, "INSERT INTO", meta,
	    " (mirror_name, snapshot_id, table_index, partition, rows)"
	    " VALUES ($1, $2, -1, -1, 0)");
	res = pgconn_query(dst, err, buf_str(&sql), 2, mirror, snapshot_id);
	buf_done(&sql);
	PQclear(res);
	return res != NULL;
}

/* Take a share of the attempt's row: it is still the one being loaded. */
static bool
take_part(struct pg_loader *l, struct err *err)
{
	struct buf sql;
	PGresult *res;
	bool current;

	if (!pgconn_run(l->conn, err, "BEGIN"))
		return false;
	marks_sql(&sql, "SELECT 1 FROM", l->meta,
	    " WHERE mirror_name = $1 AND snapshot_id = $2 AND table_index = -1 FOR SHARE");
	res = pgconn_query(l->conn, err, buf_str(&sql), 2, l->base.cfg->mirror->flow_job_name,
	    l->base.cfg->snapshot_id);
	buf_done(&sql);
	if (res == NULL)
		return false;
	current = PQntuples(res) == 1;
	PQclear(res);
	return current || err_set(err, ERR_TRANSIENT, "another attempt at the snapshot has begun");
}

/* ---- marks */

static const char mark_rest[] =
    " AS p (mirror_name, snapshot_id, table_index, partition, rows)"
    " VALUES ($1, $2, $3::int, $4::int, $5::bigint)"
    " ON CONFLICT (mirror_name, snapshot_id, table_index, partition)"
    " DO UPDATE SET rows = CASE WHEN p.rows < 0 THEN EXCLUDED.rows ELSE p.rows END"
    " RETURNING rows, xmax::text <> '0'";

/*
 * Write the partition's mark. *before_r: the rows of one that was there; a
 * loader that was killed had committed it.
 */
static bool
mark(struct pg_loader *l, int64_t rows, int64_t *before_r, struct err *err)
{
	char table[16], partition[16], count[24];
	struct buf sql;
	PGresult *res;

	snprintf(table, sizeof(table), "%u", l->t->index);
	snprintf(partition, sizeof(partition), "%d", l->partition);
	snprintf(count, sizeof(count), "%lld", (long long)rows);
	marks_sql(&sql, "INSERT INTO", l->meta, mark_rest);
	res = pgconn_query(l->conn, err, buf_str(&sql), 5, l->base.cfg->mirror->flow_job_name,
	    l->base.cfg->snapshot_id, table, partition, count);
	buf_done(&sql);
	if (res == NULL)
		return false;
	*before_r = pgcell_bool(res, 0, 1) ? pgcell_i64(res, 0, 0) : LOADER_NEW;
	PQclear(res);
	return true;
}

/* ---- COPY */

static bool
start_copy(struct pg_loader *l, struct err *err)
{
	const struct table *t = l->t;
	struct buf sql;
	PGresult *res;
	bool ok;
	uint16_t i;

	buf_init(&sql, MIB);
	buf_str_add(&sql, "COPY ");
	pgconn_qualified(&sql, t->destination_schema, t->destination_name);
	for (i = 0; i < t->ncols; i++) {
		buf_str_add(&sql, i > 0 ? ", " : " (");
		pgconn_ident(&sql, t->cols[i].destination);
	}
	buf_printf(&sql, ") FROM STDIN%s", t->binary ? " (FORMAT binary)" : "");
	res = pgconn_exec(l->conn, err, buf_str(&sql));
	buf_done(&sql);
	ok = res != NULL && PQresultStatus(res) == PGRES_COPY_IN;
	if (res != NULL && !ok)
		err_set(err, ERR_PROTOCOL, "the server did not begin a COPY");
	PQclear(res);
	return ok || err_context(err, "destination table %s", t->destination_label);
}

static bool
end_copy(struct pg_loader *l, int64_t *rows_r, struct err *err)
{
	PQputCopyEnd(pgconn_pq(l->conn), NULL);
	return pgconn_copy_end(l->conn, rows_r, err) ||
	    err_context(err, "destination table %s", l->t->destination_label);
}

/* ---- the loader */

static bool
pg_select(struct loader *l, const struct table *t, struct buf *list)
{
	uint16_t i;

	(void)l;
	for (i = 0; i < t->ncols; i++) {
		buf_str_add(list, i > 0 ? ", " : "");
		pgconn_ident(list, t->cols[i].name);
	}
	return t->binary;
}

/* The mark is taken first, with a negative count, so that two loaders cannot both load it. */
static bool
pg_begin(struct loader *base, const struct table *t, int32_t partition, int64_t *before_r,
    struct err *err)
{
	struct pg_loader *l = (struct pg_loader *)base;
	int64_t before;

	l->t = t;
	l->partition = partition;
	if (!take_part(l, err) || !mark(l, -1, &before, err) ||
	    !(before == LOADER_NEW ? start_copy(l, err) : pgconn_run(l->conn, err, "ROLLBACK")))
		return false;
	*before_r = before;
	return true;
}

static bool
pg_put(struct loader *base, struct slice rows, struct err *err)
{
	struct pg_loader *l = (struct pg_loader *)base;
	PGconn *pq = pgconn_pq(l->conn);

	if (PQputCopyData(pq, (const char *)rows.p, (int)rows.n) == 1)
		return true;
	pgconn_error(pq, NULL, err);
	return err_context(err, "destination table %s", l->t->destination_label);
}

static bool
pg_end(struct loader *base, int64_t rows, struct err *err)
{
	struct pg_loader *l = (struct pg_loader *)base;
	int64_t stored = 0, before;

	if (!end_copy(l, &stored, err))
		return false;
	if (stored != rows)
		return err_set(err, ERR_BUG, "%lld rows sent to %s, %lld stored", (long long)rows,
		    l->t->destination_label, (long long)stored);
	return mark(l, rows, &before, err) && pgconn_run(l->conn, err, "COMMIT");
}

static bool
pg_build_keys(struct loader *base, const struct table *t, struct err *err)
{
	return pg_ddl_build_keys(((struct pg_loader *)base)->conn, t->def, err);
}

/* In the middle of a COPY the server is told that it is not to be completed. */
static void
pg_close(struct loader *base)
{
	struct pg_loader *l = (struct pg_loader *)base;

	if (l->conn != NULL)
		PQputCopyEnd(pgconn_pq(l->conn), "the load was given up");
	pgconn_close(&l->conn);
	free(l);
}

static const struct loader_ops pg_loader_ops = {
	.select = pg_select,
	.begin = pg_begin,
	.put = pg_put,
	.end = pg_end,
	.build_keys = pg_build_keys,
	.close = pg_close,
};

/* A partition that is told to be done must be on the disk, whatever the server's default. */
bool
pg_loader_open(const struct loader_config *cfg, struct loader **l_r, struct err *err)
{
	struct pg_loader *l = xcalloc(1, sizeof(*l));

	l->base.ops = &pg_loader_ops;
	l->base.cfg = cfg;
	l->meta = pg_ddl_meta_schema(cfg->peer->postgres_config);
	if (pgconn_open(cfg->peer->postgres_config, cfg->what, PGCONN_PLAIN, cfg->timeout, NULL,
		&l->conn, err) &&
	    pgconn_run(l->conn, err, "SET synchronous_commit = on") &&
	    pg_session_replicates(l->conn, err)) {
		*l_r = &l->base;
		return true;
	}
	pg_close(&l->base);
	return false;
}
