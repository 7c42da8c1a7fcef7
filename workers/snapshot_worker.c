#include <signal.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/base/proctitle.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/dest.h"
#include "lib/sink/loader.h"
#include "workers/snapshot_source.h"
#include "workers/worker.h"

/*
 * snapshot worker - copies partitions for one mirror worker
 *
 * Two ends: a connection to the source, inside the exported snapshot for as
 * long as the process lives, and the destination's loader. A partition is in
 * whole and once or not at all, that is the loader's business (loader.h).
 *
 * COPY data is passed on as it comes, gathered into larger pieces; nothing in
 * it is looked at here. It dies with its parent, at any moment, without loss.
 */

#define CONNECT_TIMEOUT (30 * USEC_PER_SEC)
#define PROGRESS_US	USEC_PER_SEC
#define LOCK_WAIT	"3s"

struct copier {
	struct event_base *loop;
	struct ipc *ipc;
	struct arena *mirror;
	PeerdWorker__SnapshotConfig *config;
	struct table **tables;
	struct pgconn *src;
	struct loader_config to;
	struct loader *dst;
	const PeerdWorker__SnapshotAssign *task;
	int64_t rows, bytes;
	usec_t progress_at;
};

static void
fail(struct copier *cp, const struct err *err)
{
	PeerdWorker__Failed msg = PEERD_WORKER__FAILED__INIT;
	PeerdWorker__Error packed = PEERD_WORKER__ERROR__INIT;

	ipc_error_pack(err, &packed);
	msg.error = &packed;
	ipc_send(cp->ipc, IPC_FAILED, 0, &msg);
	ipc_flush(cp->ipc, 2000);
	loader_close(&cp->dst);
	_exit(EX_TEMPFAIL);
}

static void
tell_warning(void *arg, const char *words)
{
	PeerdWorker__LogLine msg = PEERD_WORKER__LOG_LINE__INIT;
	struct copier *cp = arg;

	msg.level = (char *)log_level_name(LOG_LEVEL_WARN);
	msg.message = (char *)words;
	ipc_send(cp->ipc, IPC_LOG_LINE, 0, &msg);
	ipc_flush(cp->ipc, 0);
}

/* ---- one partition */

static void
tell_progress(struct copier *cp)
{
	PeerdWorker__SnapshotProgress msg = PEERD_WORKER__SNAPSHOT_PROGRESS__INIT;
	usec_t now = clock_mono_us();

	if (now - cp->progress_at < PROGRESS_US)
		return;
	cp->progress_at = now;
	msg.has_table = msg.has_rows = true;
	msg.table = cp->task->table;
	msg.rows = cp->rows;
	ipc_send(cp->ipc, IPC_SNAPSHOT_PROGRESS, 0, &msg);
	ipc_flush(cp->ipc, 0);
}

static bool
begin_out(struct pgconn *c, const char *sql, struct err *err)
{
	PGresult *res = pgconn_exec(c, err, sql);
	bool ok = res != NULL && PQresultStatus(res) == PGRES_COPY_OUT;

	if (res != NULL && !ok)
		err_set(err, ERR_PROTOCOL, "the server did not begin a COPY");
	PQclear(res);
	return ok;
}

static bool
start_out(struct copier *cp, const struct table *t, struct err *err)
{
	struct buf sql;
	bool ok, binary;

	buf_init(&sql, MIB);
	buf_str_add(&sql, "COPY (SELECT ");
	binary = loader_select(cp->dst, t, &sql);
	buf_printf(&sql, " FROM ONLY %s%s%s) TO STDOUT%s", cp->task->relation,
	    cp->task->where[0] != '\0' ? " WHERE " : "", cp->task->where,
	    binary ? " (FORMAT binary)" : "");
	ok = begin_out(cp->src, buf_str(&sql), err);
	buf_done(&sql);
	return ok || err_context(err, "source table %s", t->source_label);
}

static bool
put_chunk(struct copier *cp, struct buf *chunk, struct err *err)
{
	if (chunk->n > 0 && !loader_put(cp->dst, slice_of(chunk->p, chunk->n), err))
		return false;
	cp->bytes += (int64_t)chunk->n;
	buf_reset(chunk);
	tell_progress(cp);
	return true;
}

/* Rows from one side to the other until the source says end. */
static bool
pump(struct copier *cp, struct err *err)
{
	PGconn *src = pgconn_pq(cp->src);
	struct buf chunk;
	bool ok = true;
	char *row;
	int n;

	buf_init(&chunk, WAL_MESSAGE_MAX + COPY_CHUNK_BYTES);
	while (ok && (n = PQgetCopyData(src, &row, 0)) > 0) {
		buf_add(&chunk, row, (size_t)n);
		PQfreemem(row);
		cp->rows++;
		if (chunk.n >= COPY_CHUNK_BYTES)
			ok = put_chunk(cp, &chunk, err);
	}
	ok = ok && put_chunk(cp, &chunk, err);
	buf_done(&chunk);
	return ok;
}

static bool
copy(struct copier *cp, const struct table *t, struct err *err)
{
	int64_t sent = 0;

	if (!start_out(cp, t, err) || !pump(cp, err))
		return false;
	if (!pgconn_copy_end(cp->src, &sent, err))
		return err_context(err, "source table %s", t->source_label);
	cp->rows = sent;
	return loader_end(cp->dst, sent, err);
}

static bool
load_partition(struct copier *cp, const struct table *t, struct err *err)
{
	int64_t before;

	if (!loader_begin(cp->dst, t, cp->task->partition, &before, err))
		return false;
	if (before == LOADER_NEW)
		return copy(cp, t, err);
	cp->rows = before;
	return true;
}

static void
tell_done(struct copier *cp, usec_t start)
{
	PeerdWorker__PartitionDone msg = PEERD_WORKER__PARTITION_DONE__INIT;

	msg.has_table = msg.has_partition = msg.has_rows = msg.has_bytes = true;
	msg.has_start_us = msg.has_end_us = true;
	msg.table = cp->task->table;
	msg.partition = cp->task->partition;
	msg.rows = cp->rows;
	msg.bytes = cp->bytes;
	msg.start_us = start;
	msg.end_us = clock_wall_us();
	msg.range = cp->task->where;
	ipc_send(cp->ipc, IPC_PARTITION_DONE, 0, &msg);
}

static void
on_assign(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct copier *cp = arg;
	usec_t start = clock_wall_us();
	struct err err = ERR_INIT;
	const struct table *t;
	bool ok;

	cp->task = (const PeerdWorker__SnapshotAssign *)msg;
	if (cp->config == NULL || cp->task->table < 0 ||
	    (size_t)cp->task->table >= cp->config->n_tables)
		bug("assignment of an unknown table");
	t = cp->tables[cp->task->table];
	cp->rows = cp->bytes = 0;
	proctitle_set("peerd-worker: snapshot %s %s partition %d%s", cp->config->mirror,
	    t->source_label, cp->task->partition, cp->task->build_keys ? " keys" : "");
	ok = cp->task->build_keys ? loader_build_keys(cp->dst, t, &err)
				  : load_partition(cp, t, &err);
	if (!ok)
		fail(cp, &err);
	proctitle_set("peerd-worker: snapshot %s idle", cp->config->mirror);
	tell_done(cp, start);
}

/* ---- life */

/* It dies with the connection that exported it: then the whole load is to start over. */
static bool
import_snapshot(struct copier *cp, struct err *err)
{
	if (pgconn_run(cp->src, err, "SET TRANSACTION SNAPSHOT '%s'", cp->config->snapshot_name))
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
lock_tables(struct copier *cp, struct err *err)
{
	return pgconn_run(cp->src, err, "SET LOCAL lock_timeout = '" LOCK_WAIT "'") &&
	    snapshot_lock(cp->src, cp->config->tables, cp->config->n_tables, err);
}

/*
 * A partition that is read again shall give its rows in the same order: a
 * destination may tell by it that it has them already.
 */
static bool
keep_order(struct copier *cp, struct err *err)
{
	return pgconn_run(cp->src, err, "SET synchronize_seqscans = off") &&
	    pgconn_run(cp->src, err, "SET max_parallel_workers_per_gather = 0");
}

static bool
open_source(struct copier *cp, const char *what, struct err *err)
{
	return pgconn_open(cp->config->source->postgres_config, what, PGCONN_PLAIN, CONNECT_TIMEOUT,
		   NULL, &cp->src, err) &&
	    keep_order(cp, err) &&
	    pgconn_run(cp->src, err, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") &&
	    import_snapshot(cp, err) && lock_tables(cp, err);
}

static bool
open_both(struct copier *cp, struct err *err)
{
	const char *what = arena_printf(cp->mirror, "peerd_%s", cp->config->mirror);

	if (!open_source(cp, what, err))
		return err_context(err, "source");
	cp->to = (struct loader_config){
		.peer = cp->config->destination,
		.mirror = cp->config->config,
		.database = PQdb(pgconn_pq(cp->src)),
		.snapshot_id = cp->config->snapshot_id,
		.what = what,
		.timeout = CONNECT_TIMEOUT,
		.on_warning = tell_warning,
		.arg = cp,
	};
	return dest_loader_open(&cp->to, &cp->dst, err) || err_context(err, "destination");
}

static void
on_config(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	size_t n = protobuf_c_message_get_packed_size(msg), i;
	PeerdWorker__Ready ready = PEERD_WORKER__READY__INIT;
	uint8_t *packed = xmalloc(n);
	struct err err = ERR_INIT;
	struct copier *cp = arg;

	protobuf_c_message_pack(msg, packed);
	cp->config = peerd_worker__snapshot_config__unpack(NULL, n, packed);
	mem_wipe(packed, n);
	free(packed);
	if (cp->config == NULL || cp->config->source == NULL || cp->config->destination == NULL ||
	    cp->config->config == NULL)
		bug("incomplete snapshot configuration");
	cp->tables = arena_zalloc(cp->mirror, (cp->config->n_tables + 1) * sizeof(struct table *));
	for (i = 0; i < cp->config->n_tables; i++)
		cp->tables[i] = table_new(cp->mirror, (uint32_t)i, cp->config->tables[i]);
	proctitle_set("peerd-worker: snapshot %s connecting", cp->config->mirror);
	if (!open_both(cp, &err))
		fail(cp, &err);
	ipc_send(cp->ipc, IPC_READY, 0, &ready);
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
	static struct copier cp;
	struct ipc_callbacks cb = { .handlers = handlers, .on_close = on_close, .arg = &cp };

	signal(SIGPIPE, SIG_IGN);
	/* while a COPY runs nobody looks at the channel; the kernel does */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() == 1)
		return EX_OSERR;
	cp.loop = event_base_new();
	cp.mirror = arena_new(64 * KIB);
	cp.ipc = ipc_new(cp.loop, IPC_FD, 0, &cb);
	event_base_dispatch(cp.loop);
	return EX_OK;
}
