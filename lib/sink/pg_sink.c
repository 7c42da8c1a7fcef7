#include "lib/base/events.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/pg_ddl_int.h"
#include "lib/sink/pg_ddl_meta.h"
#include "lib/sink/pg_dest_int.h"
#include "lib/sink/pg_fence.h"
#include "lib/sink/pg_int.h"

#define CONNECT_TIMEOUT (30 * USEC_PER_SEC)

/* A barrier at most this often: it costs the destination one flush of its WAL. */
#define BARRIER_US (100 * USEC_PER_MSEC)

/*
 * While there is a backlog a batch is worth filling: from a thousand rows on
 * Postgres takes them several times cheaper.
 */
static const struct sink_appetite appetite = { .changes = 10000, .wait = 50 * USEC_PER_MSEC };

/* Ids below it are assigned in Postgres' own sources (FirstNormalObjectId). */
#define FIRST_USER_OID 16384

/* COPY rows are gathered in it; one row may be a gigabyte. */
#define SCRATCH_MAX (WAL_MESSAGE_MAX + 16 * MIB)

/*
 * The session that applies. Commits need not wait for the disk: the source is
 * told to forget only what a barrier has made durable. Triggers and foreign
 * keys fired on the source already. Plans go through the key's index, whatever
 * the statistics of a table that was empty a moment ago say.
 */
static const char apply_settings[] =
    "SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan; SET jit = off;"
    " SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    " SET enable_bitmapscan = off; SET enable_material = off";

/* A server or role for which commits need not wait is common: here they must. */
static const char barrier_settings[] = "SELECT set_config('synchronous_commit', 'on', false)"
				       " WHERE current_setting('synchronous_commit') = 'off'";

/*
 * A transactional message needs a commit record, which is flushed (and, where
 * the destination replicates synchronously, replicated) before the answer.
 */
static const char barrier_sql[] = "SELECT pg_logical_emit_message(true, 'peerd', '')";

/* ---- what the destination's catalog says of a table */

static const char columns_query[] =
    "SELECT a.attname, a.atttypid, t.typarray,"
    " CASE WHEN to_regoperator(format('%I.=(%s,%s)', n.nspname, b, b)) IS NOT NULL"
    "   AND n.nspname <> 'pg_catalog' THEN format('OPERATOR(%I.=)', n.nspname) ELSE '=' END"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END) "
    "d(base)"
    " JOIN pg_type bt ON bt.oid = d.base JOIN pg_namespace n ON n.oid = bt.typnamespace"
    " CROSS JOIN LATERAL (SELECT format_type(d.base, -1)) f(b)"
    " WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";

static int
find_row(const PGresult *res, const char *name)
{
	int i;

	for (i = 0; i < PQntuples(res); i++)
		if (strcmp(pgcell(res, i, 0), name) == 0)
			return i;
	return -1;
}

static bool
fill_columns(struct pg_table *pt, const PGresult *res, struct err *err)
{
	const struct table *t = pt->t;
	uint16_t i, k;
	int row;

	for (i = 0; i < t->ncols; i++) {
		row = find_row(res, t->cols[i].destination);
		if (row < 0)
			return err_set(err, ERR_CONFIG,
			    "column \"%s\" not found in destination table %s",
			    t->cols[i].destination, t->destination_label);
		pt->types[i] = (Oid)pgcell_i64(res, row, 1);
		pt->array_types[i] = (Oid)pgcell_i64(res, row, 2);
		for (k = 0; k < t->nkeys; k++) {
			if (t->keys[k] != i)
				continue;
			free(pt->equals[k]);
			pt->equals[k] = xstrdup(pgcell(res, row, 3));
		}
	}
	return true;
}

static bool
load_table(struct pg_sink *s, struct pg_table *pt, struct err *err)
{
	PGresult *res = pgconn_query(s->conn, err, columns_query, 1, pt->name);
	bool ok;

	if (res == NULL)
		return false;
	ok = fill_columns(pt, res, err);
	PQclear(res);
	return ok &&
	    (pt->t->nkeys == 0 || pg_ddl_has_unique_key(s->conn, pt->t->def, &pt->unique, err));
}

static void
init_table(struct pg_table *pt, struct table *t)
{
	struct buf name;

	buf_init(&name, 1024);
	pgconn_qualified(&name, t->destination_schema, t->destination_name);
	pt->t = t;
	pt->name = buf_take(&name);
	pt->types = xcalloc(COLUMNS_MAX, sizeof(*pt->types));
	pt->array_types = xcalloc(COLUMNS_MAX, sizeof(*pt->array_types));
	pt->equals = xcalloc((size_t)t->nkeys + 1, sizeof(*pt->equals));
}

static void
done_table(struct pg_table *pt)
{
	uint16_t k;

	for (k = 0; k < pt->t->nkeys; k++)
		free(pt->equals[k]);
	free(pt->equals);
	free(pt->types);
	free(pt->array_types);
	free(pt->name);
	pg_stmt_free_all(&pt->stmts);
}

/* ---- opening */

static struct pg_table *
find_table(struct pg_sink *s, const char *schema, const char *name)
{
	const struct table *t;
	uint32_t i;

	for (i = 0; i < s->cfg->ntables; i++) {
		t = s->tables[i].t;
		if (strcmp(t->destination_schema, schema) == 0 &&
		    strcmp(t->destination_name, name) == 0)
			return &s->tables[i];
	}
	return NULL;
}

/* What an earlier worker left out, though the daemon may never have heard of it. */
static void
take_stopped(struct pg_sink *s, const PGresult *res)
{
	struct err why = ERR_INIT;
	struct pg_table *pt;
	int i;

	for (i = 0; i < PQntuples(res); i++) {
		pt = find_table(s, pgcell(res, i, 0), pgcell(res, i, 1));
		if (pt == NULL)
			continue;
		pt->stop_kept = true;
		if (pt->t->stopped)
			continue;
		err_set(&why, ERR_DATA, "%s", pgcell(res, i, 2));
		err_hint(&why, "%s", pgcell(res, i, 3));
		s->base.cb->on_table_error(s->base.cb->arg, pt->t, &why);
	}
}

static bool
read_stopped(struct pg_sink *s, struct err *err)
{
	struct buf sql;
	PGresult *res;

	buf_init(&sql, 4096);
	buf_str_add(&sql, "SELECT schema_name, table_name, error, error_hint FROM ");
	pgconn_qualified(&sql, s->meta, "peerd_stopped_tables");
	buf_str_add(&sql, " WHERE mirror_name = $1");
	res = pgconn_query(s->conn, err, buf_str(&sql), 1, s->cfg->mirror->flow_job_name);
	buf_done(&sql);
	if (res == NULL)
		return false;
	take_stopped(s, res);
	PQclear(res);
	return true;
}

static bool
open_connections(struct pg_sink *s, struct err *err)
{
	const PeerdbPeers__PostgresConfig *pg = s->cfg->peer->postgres_config;
	char what[96];

	snprintf(what, sizeof(what), "peerd_%s", s->cfg->mirror->flow_job_name);
	if (!pgconn_open(pg, what, PGCONN_PLAIN, CONNECT_TIMEOUT, s->cfg->intr, &s->conn, err) ||
	    !pgconn_open(pg, what, PGCONN_PLAIN, CONNECT_TIMEOUT, s->cfg->intr, &s->barrier, err) ||
	    !pgconn_run(s->conn, err, "%s", apply_settings) ||
	    !pgconn_run(s->barrier, err, "%s", barrier_settings))
		return false;
	s->pq = pgconn_pq(s->conn);
	return pg_session_replicates(s->conn, err) &&
	    pg_fence(s->conn, s->cfg->mirror->flow_job_name, err);
}

static void barrier_event(evutil_socket_t fd, short what, void *arg);
static void barrier_tick(evutil_socket_t fd, short what, void *arg);

static void
watch(struct pg_sink *s)
{
	struct event_base *loop = s->cfg->loop;

	PQsetnonblocking(s->pq, 1);
	PQsetnonblocking(pgconn_pq(s->barrier), 1);
	s->readable = event_new(loop, PQsocket(s->pq), EV_READ | EV_PERSIST, pg_apply_event, s);
	s->writable = event_new(loop, PQsocket(s->pq), EV_WRITE, pg_apply_event, s);
	s->barrier_readable = event_new(loop, PQsocket(pgconn_pq(s->barrier)), EV_READ | EV_PERSIST,
	    barrier_event, s);
	s->barrier_timer = event_new(loop, -1, 0, barrier_tick, s);
	event_add(s->readable, NULL);
	event_add(s->barrier_readable, NULL);
}

static bool
pg_open(struct sink *sk, lsn_t *checkpoint_r, struct err *err)
{
	struct pg_sink *s = (struct pg_sink *)sk;
	lsn_t lsn;
	uint32_t i;

	/* an older peerd may have set the mirror up */
	if (!open_connections(s, err) || !pg_ddl_metadata(s->conn, s->meta, err) ||
	    !read_stopped(s, err))
		return err_context(err, "destination");
	for (i = 0; i < s->cfg->ntables; i++)
		if (!s->tables[i].t->stopped && !load_table(s, &s->tables[i], err))
			return err_context(err, "destination");
	/* a killed worker's last commit may not be on disk, and the source is told of it now */
	if (!pg_ddl_meta_checkpoint_read(s->conn, s->meta, s->cfg->mirror->flow_job_name, &lsn,
		err) ||
	    !pgconn_run(s->barrier, err, "%s", barrier_sql))
		return err_context(err, "destination");
	s->applied_lsn = s->durable_lsn = lsn;
	watch(s);
	*checkpoint_r = lsn;
	return true;
}

/* ---- durability: a commit that waits for the disk makes all earlier ones durable too */

static void
barrier_failed(struct pg_sink *s)
{
	struct err err = ERR_INIT;

	event_del(s->barrier_readable);
	pgconn_error(pgconn_pq(s->barrier), NULL, &err);
	s->base.cb->on_error(s->base.cb->arg, &err);
}

static void
barrier_send(struct pg_sink *s)
{
	s->barrier_busy = true;
	s->barrier_lsn = s->applied_lsn;
	if (PQsendQuery(pgconn_pq(s->barrier), barrier_sql) != 1 ||
	    PQflush(pgconn_pq(s->barrier)) < 0)
		barrier_failed(s);
}

void
pg_barrier_schedule(struct pg_sink *s)
{
	static const struct timeval wait = { .tv_usec = BARRIER_US };

	if (!s->barrier_busy && s->applied_lsn > s->durable_lsn &&
	    !event_pending(s->barrier_timer, EV_TIMEOUT, NULL))
		event_add(s->barrier_timer, &wait);
}

static void
barrier_tick(evutil_socket_t fd, short what, void *arg)
{
	struct pg_sink *s = arg;

	if (!s->barrier_busy && s->applied_lsn > s->durable_lsn)
		barrier_send(s);
}

static void
barrier_event(evutil_socket_t fd, short what, void *arg)
{
	struct pg_sink *s = arg;
	PGconn *pq = pgconn_pq(s->barrier);
	bool ok = true;
	PGresult *res;

	if (PQconsumeInput(pq) != 1 || !s->barrier_busy) {
		if (PQstatus(pq) != CONNECTION_OK)
			barrier_failed(s);
		return;
	}
	while (!PQisBusy(pq)) {
		res = PQgetResult(pq);
		if (res == NULL) {
			s->barrier_busy = false;
			s->durable_lsn = s->barrier_lsn;
			s->base.cb->on_durable(s->base.cb->arg, s->durable_lsn);
			pg_barrier_schedule(s);
			return;
		}
		ok = PQresultStatus(res) == PGRES_TUPLES_OK;
		PQclear(res);
		if (!ok) {
			barrier_failed(s);
			return;
		}
	}
}

static void
pg_drain(struct sink *sk)
{
	barrier_tick(-1, 0, sk);
}

/* ---- batches */

static void
start_batch(evutil_socket_t fd, short what, void *arg)
{
	struct pg_sink *s = arg;

	pg_apply_start(s, s->b);
}

static void
pg_submit(struct sink *sk, struct batch *b)
{
	struct pg_sink *s = (struct pg_sink *)sk;

	if (s->phase != APPLY_IDLE)
		bug("a batch was submitted while another is applied");
	s->b = b;
	event_active(s->notify, 0, 0);
}

static void
pg_table_changed(struct sink *sk, struct table *t)
{
	struct pg_table *pt = &((struct pg_sink *)sk)->tables[t->index];
	uint16_t i;

	pg_stmt_forget(pt);
	/* a built-in type has one id everywhere; of another the server knows it when we do not */
	for (i = 0; i < t->ncols; i++) {
		if (pt->types[i] != InvalidOid)
			continue;
		if (t->cols[i].type_oid < FIRST_USER_OID)
			pt->types[i] = t->cols[i].type_oid;
		else
			pt->untyped = true;
	}
}

static bool
pg_ddl_add_column_text(struct sink *sk, struct table *t, const PeerdWorker__Column *col,
    const char *old_value, struct arena *a, const char **sql_r, struct err *err)
{
	struct pg_ddl_column c = { .column = col };
	struct buf sql;

	(void)sk;
	buf_init(&sql, PG_DDL_SQL_MAX);
	if (old_value != NULL) {
		pgconn_literal(&sql, old_value);
		c.default_expr = arena_printf(a, "%s::%s", buf_str(&sql), col->type_name);
		buf_reset(&sql);
	}
	pg_ddl_sql_add_column(&sql, t->def, &c);
	*sql_r = arena_strdup(a, buf_str(&sql));
	buf_done(&sql);
	return true;
}

static void
pg_close(struct sink *sk)
{
	struct pg_sink *s = (struct pg_sink *)sk;
	uint32_t i;

	event_done(&s->readable);
	event_done(&s->writable);
	event_done(&s->barrier_readable);
	event_done(&s->barrier_timer);
	event_done(&s->notify);
	pgconn_close(&s->conn);
	pgconn_close(&s->barrier);
	for (i = 0; i < s->cfg->ntables; i++)
		done_table(&s->tables[i]);
	pg_stmt_free_all(&s->own_stmts);
	arena_free(&s->arena);
	buf_done(&s->scratch);
	free(s->tasks.v);
	free(s->values);
	free(s->lengths);
	free(s->formats);
	free(s->tables);
	free(s);
}

static const struct sink_ops pg_sink_ops = {
	.name = "postgres",
	.open = pg_open,
	.submit = pg_submit,
	.drain = pg_drain,
	.table_changed = pg_table_changed,
	.ddl_add_column = pg_ddl_add_column_text,
	.close = pg_close,
};

struct sink *
sink_pg_new(const struct sink_config *cfg)
{
	struct pg_sink *s = xcalloc(1, sizeof(*s));
	uint32_t i;

	s->base.ops = &pg_sink_ops;
	s->base.cb = cfg->cb;
	s->base.appetite = appetite;
	s->cfg = cfg;
	s->meta = pg_ddl_meta_schema(cfg->peer->postgres_config);
	s->soft_delete = cfg->mirror->soft_delete_col_name;
	s->synced_at = cfg->mirror->synced_at_col_name;
	s->arena = arena_new(256 * KIB);
	s->notify = event_new(cfg->loop, -1, 0, start_batch, s);
	buf_init(&s->scratch, SCRATCH_MAX);
	s->tables = xcalloc(cfg->ntables, sizeof(*s->tables));
	for (i = 0; i < cfg->ntables; i++)
		init_table(&s->tables[i], cfg->tables[i]);
	return &s->base;
}
