#include <signal.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/base/proctitle.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/pg_ddl.h"
#include "lib/sink/pg_ddl_meta.h"
#include "workers/snapshot_source.h"
#include "workers/worker.h"

/*
 * snapshot worker - copies partitions for one mirror worker
 *
 * Two connections: the source's, inside the exported snapshot for as long as
 * the process lives, and the destination's. A partition is one destination
 * transaction that also writes the partition's mark, so it is there whole and
 * once or not at all. The transaction first takes a share of the snapshot's
 * own row: a new attempt at the snapshot replaces that row and so shuts out
 * workers of an old one that are still about.
 *
 * COPY data is passed on as it comes, gathered into larger messages; nothing
 * in it is looked at. It dies with its parent, at any moment, without loss.
 */

#define CONNECT_TIMEOUT (30 * USEC_PER_SEC)
#define PROGRESS_US	USEC_PER_SEC
#define LOCK_WAIT	"3s"

struct loader {
	struct event_base *loop;
	struct ipc *ipc;
	struct arena *mirror;
	PeerdWorker__SnapshotConfig *config;
	struct table **tables;
	struct pgconn *src, *dst;
	const char *meta;
	const PeerdWorker__SnapshotAssign *task;
	int64_t rows, bytes;
	usec_t progress_at;
};

static void
fail(struct loader *l, const struct err *err)
{
	PeerdWorker__Failed msg = PEERD_WORKER__FAILED__INIT;
	PeerdWorker__Error packed = PEERD_WORKER__ERROR__INIT;

	ipc_error_pack(err, &packed);
	msg.error = &packed;
	ipc_send(l->ipc, IPC_FAILED, 0, &msg);
	ipc_flush(l->ipc, 2000);
	_exit(EX_TEMPFAIL);
}

/* ---- one partition */

static void
tell_progress(struct loader *l)
{
	PeerdWorker__SnapshotProgress msg = PEERD_WORKER__SNAPSHOT_PROGRESS__INIT;
	usec_t now = clock_mono_us();

	if (now - l->progress_at < PROGRESS_US)
		return;
	l->progress_at = now;
	msg.has_table = msg.has_rows = true;
	msg.table = l->task->table;
	msg.rows = l->rows;
	ipc_send(l->ipc, IPC_SNAPSHOT_PROGRESS, 0, &msg);
	ipc_flush(l->ipc, 0);
}

static void
column_list(const struct table *t, bool source, struct buf *sql)
{
	uint16_t i;

	for (i = 0; i < t->ncols; i++) {
		buf_str_add(sql, i > 0 ? ", " : "");
		pgconn_ident(sql, source ? t->cols[i].name : t->cols[i].destination);
	}
}

static bool
start_copy(struct pgconn *c, const char *sql, ExecStatusType wanted, struct err *err)
{
	PGresult *res = pgconn_exec(c, err, sql);
	bool ok = res != NULL && PQresultStatus(res) == wanted;

	if (res != NULL && !ok)
		err_set(err, ERR_PROTOCOL, "the server did not begin a COPY");
	PQclear(res);
	return ok;
}

static bool
start_out(struct loader *l, const struct table *t, struct err *err)
{
	struct buf sql;
	bool ok;

	buf_init(&sql, MIB);
	buf_str_add(&sql, "COPY (SELECT ");
	column_list(t, true, &sql);
	buf_printf(&sql, " FROM ONLY %s%s%s) TO STDOUT%s", l->task->relation,
	    l->task->where[0] != '\0' ? " WHERE " : "", l->task->where,
	    t->binary ? " (FORMAT binary)" : "");
	ok = start_copy(l->src, buf_str(&sql), PGRES_COPY_OUT, err);
	buf_done(&sql);
	return ok || err_context(err, "source table %s", t->source_label);
}

static bool
start_in(struct loader *l, const struct table *t, struct err *err)
{
	struct buf sql;
	bool ok;

	buf_init(&sql, MIB);
	buf_str_add(&sql, "COPY ");
	pgconn_qualified(&sql, t->destination_schema, t->destination_name);
	buf_str_add(&sql, " (");
	column_list(t, false, &sql);
	buf_printf(&sql, ") FROM STDIN%s", t->binary ? " (FORMAT binary)" : "");
	ok = start_copy(l->dst, buf_str(&sql), PGRES_COPY_IN, err);
	buf_done(&sql);
	return ok || err_context(err, "destination table %s", t->destination_label);
}

static bool
put_chunk(struct loader *l, struct buf *chunk, struct err *err)
{
	if (chunk->n > 0 &&
	    PQputCopyData(pgconn_pq(l->dst), (const char *)chunk->p, (int)chunk->n) != 1)
		return pgconn_error(pgconn_pq(l->dst), NULL, err);
	l->bytes += (int64_t)chunk->n;
	buf_reset(chunk);
	tell_progress(l);
	return true;
}

/* Rows from one side to the other until the source says end. */
static bool
pump(struct loader *l, struct err *err)
{
	PGconn *src = pgconn_pq(l->src);
	struct buf chunk;
	bool ok = true;
	char *row;
	int n;

	buf_init(&chunk, WAL_MESSAGE_MAX + COPY_CHUNK_BYTES);
	while (ok && (n = PQgetCopyData(src, &row, 0)) > 0) {
		buf_add(&chunk, row, (size_t)n);
		PQfreemem(row);
		l->rows++;
		if (chunk.n >= COPY_CHUNK_BYTES)
			ok = put_chunk(l, &chunk, err);
	}
	ok = ok && put_chunk(l, &chunk, err);
	buf_done(&chunk);
	return ok;
}

/* The last result of a COPY; rows_r: the count in its command tag. */
static bool
end_copy(struct pgconn *c, int64_t *rows_r, struct err *err)
{
	PGconn *pq = pgconn_pq(c);
	bool ok = true;
	PGresult *res;

	while ((res = PQgetResult(pq)) != NULL) {
		if (PQresultStatus(res) == PGRES_COMMAND_OK)
			*rows_r = strtoll(PQcmdTuples(res), NULL, 10);
		else if (ok)
			ok = pgconn_error(pq, res, err);
		PQclear(res);
	}
	return ok;
}

static bool
copy(struct loader *l, const struct table *t, struct err *err)
{
	struct err other = ERR_INIT;
	int64_t sent = 0, stored = 0;
	bool ok;

	if (!start_in(l, t, err) || !start_out(l, t, err))
		return false;
	ok = pump(l, err);
	if (ok && !end_copy(l->src, &sent, err))
		ok = err_context(err, "source table %s", t->source_label);
	PQputCopyEnd(pgconn_pq(l->dst), ok ? NULL : "the source's side failed");
	if (!end_copy(l->dst, &stored, ok ? err : &other))
		return ok ? err_context(err, "destination table %s", t->destination_label) : false;
	if (ok && sent != stored)
		return err_set(err, ERR_BUG, "%lld rows sent to %s, %lld stored", (long long)sent,
		    t->destination_label, (long long)stored);
	l->rows = stored;
	return ok;
}

/* Take a share of the snapshot's row: it is still the one being loaded. */
static bool
take_part(struct loader *l, struct err *err)
{
	struct buf sql;
	PGresult *res;
	bool current;

	if (!pgconn_run(l->dst, err, "BEGIN"))
		return false;
	buf_init(&sql, 1024);
	buf_str_add(&sql, "SELECT 1 FROM ");
	pgconn_qualified(&sql, l->meta, "peerd_snapshot_partitions");
	buf_str_add(&sql,
	    " WHERE mirror_name = $1 AND snapshot_id = $2 AND table_index = -1 FOR SHARE");
	res = pgconn_query(l->dst, err, buf_str(&sql), 2, l->config->mirror,
	    l->config->snapshot_id);
	buf_done(&sql);
	if (res == NULL)
		return false;
	current = PQntuples(res) == 1;
	PQclear(res);
	return current || err_set(err, ERR_TRANSIENT, "another attempt at the snapshot has begun");
}

/*
 * Write the partition's mark. When it is there already, a worker that was
 * killed had committed it: *rows_r is what that one stored.
 */
static bool
mark(struct loader *l, int64_t rows, bool *before_r, int64_t *rows_r, struct err *err)
{
	char table[16], partition[16], count[24];
	struct buf sql;
	PGresult *res;

	snprintf(table, sizeof(table), "%d", l->task->table);
	snprintf(partition, sizeof(partition), "%d", l->task->partition);
	snprintf(count, sizeof(count), "%lld", (long long)rows);
	buf_init(&sql, 1024);
	buf_str_add(&sql, "INSERT INTO ");
	pgconn_qualified(&sql, l->meta, "peerd_snapshot_partitions");
	buf_str_add(&sql,
	    " AS p (mirror_name, snapshot_id, table_index, partition, rows)"
	    " VALUES ($1, $2, $3::int, $4::int, $5::bigint)"
	    " ON CONFLICT (mirror_name, snapshot_id, table_index, partition)"
	    " DO UPDATE SET rows = CASE WHEN p.rows < 0 THEN EXCLUDED.rows ELSE p.rows END"
	    " RETURNING rows, xmax::text <> '0'");
	res = pgconn_query(l->dst, err, buf_str(&sql), 5, l->config->mirror, l->config->snapshot_id,
	    table, partition, count);
	buf_done(&sql);
	if (res == NULL)
		return false;
	*rows_r = pgcell_i64(res, 0, 0);
	*before_r = pgcell_bool(res, 0, 1);
	PQclear(res);
	return true;
}

/* The mark is taken first, with a negative count, so that two workers cannot both load it. */
static bool
load_partition(struct loader *l, const struct table *t, struct err *err)
{
	int64_t rows;
	bool before;

	if (!take_part(l, err) || !mark(l, -1, &before, &rows, err))
		return false;
	if (before) {
		l->rows = rows;
		return pgconn_run(l->dst, err, "ROLLBACK");
	}
	return copy(l, t, err) && mark(l, l->rows, &before, &rows, err) &&
	    pgconn_run(l->dst, err, "COMMIT");
}

static void
tell_done(struct loader *l, usec_t start)
{
	PeerdWorker__PartitionDone msg = PEERD_WORKER__PARTITION_DONE__INIT;

	msg.has_table = msg.has_partition = msg.has_rows = msg.has_bytes = true;
	msg.has_start_us = msg.has_end_us = true;
	msg.table = l->task->table;
	msg.partition = l->task->partition;
	msg.rows = l->rows;
	msg.bytes = l->bytes;
	msg.start_us = start;
	msg.end_us = clock_wall_us();
	msg.range = l->task->where;
	ipc_send(l->ipc, IPC_PARTITION_DONE, 0, &msg);
}

static void
on_assign(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct loader *l = arg;
	usec_t start = clock_wall_us();
	struct err err = ERR_INIT;
	const struct table *t;
	bool ok;

	l->task = (const PeerdWorker__SnapshotAssign *)msg;
	if (l->config == NULL || l->task->table < 0 ||
	    (size_t)l->task->table >= l->config->n_tables)
		bug("assignment of an unknown table");
	t = l->tables[l->task->table];
	l->rows = l->bytes = 0;
	proctitle_set("peerd-worker: snapshot %s %s partition %d%s", l->config->mirror,
	    t->source_label, l->task->partition, l->task->build_keys ? " keys" : "");
	ok = l->task->build_keys ? pg_ddl_build_keys(l->dst, t->def, &err)
				 : load_partition(l, t, &err);
	if (!ok)
		fail(l, &err);
	proctitle_set("peerd-worker: snapshot %s idle", l->config->mirror);
	tell_done(l, start);
}

/* ---- life */

/* It dies with the connection that exported it: then the whole load is to start over. */
static bool
import_snapshot(struct loader *l, struct err *err)
{
	if (pgconn_run(l->src, err, "SET TRANSACTION SNAPSHOT '%s'", l->config->snapshot_name))
		return true;
	/* no such snapshot; the second from Postgres 17 on */
	if (strcmp(err->sqlstate, "22023") == 0 || strcmp(err->sqlstate, "42704") == 0)
		err->code = ERR_TRANSIENT;
	return false;
}

/*
 * All tables at once, for as long as we live: one locked only when its turn
 * comes could find a TRUNCATE ahead of us in the queue, which waits for the
 * mirror's own lock, which waits for us. Who comes too late for that fails.
 */
static bool
lock_tables(struct loader *l, struct err *err)
{
	return pgconn_run(l->src, err, "SET LOCAL lock_timeout = '" LOCK_WAIT "'") &&
	    snapshot_lock(l->src, l->config->tables, l->config->n_tables, err);
}

static bool
open_both(struct loader *l, struct err *err)
{
	const PeerdbPeers__PostgresConfig *src = l->config->source->postgres_config;
	const PeerdbPeers__PostgresConfig *dst = l->config->destination->postgres_config;
	struct err ignored = ERR_INIT;
	char what[96];

	snprintf(what, sizeof(what), "peerd_%s", l->config->mirror);
	if (!pgconn_open(src, what, PGCONN_PLAIN, CONNECT_TIMEOUT, NULL, &l->src, err) ||
	    !pgconn_run(l->src, err, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") ||
	    !import_snapshot(l, err) || !lock_tables(l, err))
		return err_context(err, "source");
	/* a partition that is told to be done must be on the disk, whatever the server's default */
	if (!pgconn_open(dst, what, PGCONN_PLAIN, CONNECT_TIMEOUT, NULL, &l->dst, err) ||
	    !pgconn_run(l->dst, err, "SET synchronous_commit = on"))
		return err_context(err, "destination");
	/* needs a right that a role may lack: triggers and foreign keys then fire, and must hold */
	if (!pgconn_run(l->dst, &ignored, "SET session_replication_role = replica") &&
	    PQstatus(pgconn_pq(l->dst)) != CONNECTION_OK)
		return err_set(err, ERR_TRANSIENT, "destination: %s", ignored.msg);
	return true;
}

static void
on_config(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	size_t n = protobuf_c_message_get_packed_size(msg), i;
	PeerdWorker__Ready ready = PEERD_WORKER__READY__INIT;
	uint8_t *packed = xmalloc(n);
	struct err err = ERR_INIT;
	struct loader *l = arg;

	protobuf_c_message_pack(msg, packed);
	l->config = peerd_worker__snapshot_config__unpack(NULL, n, packed);
	mem_wipe(packed, n);
	free(packed);
	if (l->config == NULL || l->config->source == NULL || l->config->destination == NULL)
		bug("incomplete snapshot configuration");
	l->meta = pg_ddl_meta_schema(l->config->destination->postgres_config);
	l->tables = arena_zalloc(l->mirror, (l->config->n_tables + 1) * sizeof(struct table *));
	for (i = 0; i < l->config->n_tables; i++)
		l->tables[i] = table_new(l->mirror, (uint32_t)i, l->config->tables[i]);
	proctitle_set("peerd-worker: snapshot %s connecting", l->config->mirror);
	if (!open_both(l, &err))
		fail(l, &err);
	ipc_send(l->ipc, IPC_READY, 0, &ready);
}

static void
on_close(void *arg, const struct err *why)
{
	_exit(EX_OK);
}

static const struct ipc_handler handlers[] = {
	{ IPC_SNAPSHOT_CONFIG, on_config },
	{ IPC_SNAPSHOT_ASSIGN, on_assign },
	{ 0, NULL },
};

int
snapshot_worker_main(const char *mirror)
{
	static struct loader l;
	struct ipc_callbacks cb = { .handlers = handlers, .on_close = on_close, .arg = &l };

	signal(SIGPIPE, SIG_IGN);
	/* while a COPY runs nobody looks at the channel; the kernel does */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() == 1)
		return EX_OSERR;
	l.loop = event_base_new();
	l.mirror = arena_new(64 * KIB);
	l.ipc = ipc_new(l.loop, IPC_FD, 0, &cb);
	event_base_dispatch(l.loop);
	return EX_OK;
}
