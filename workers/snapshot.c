#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/events.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/ipc/spawn.h"
#include "lib/sink/dest.h"
#include "workers/resync.h"
#include "workers/snapshot_int.h"

/*
 * The initial load, seen from the mirror worker: it holds the snapshot
 * (snapshot_source.c), has taken over the destination (dest.h), plans the
 * partitions, and hands them one by one to snapshot workers
 * (snapshot_worker.c), which it starts and outlives. When a table's
 * partitions are in, a worker builds its keys while others read on. At the
 * end the slot's position becomes the mirror's checkpoint on the destination,
 * and streaming begins there.
 *
 * A snapshot worker that dies costs its partition's work: another one does it
 * again. When the mirror worker dies, or the connection that holds the
 * snapshot, everything starts over: the slot is made anew, the tables emptied.
 */

#define DEATHS_MAX  10 /* of snapshot workers, without a partition done between */
#define PROGRESS_US USEC_PER_SEC

static void
fail(struct snapshot *sn, const struct err *err)
{
	worker_exit_failed(sn->w, err);
}

/* ---- before the load: slot, snapshot, a clean destination */

static bool
snapshot_only(const struct snapshot *sn)
{
	return sn->w->config->mirror->initial_snapshot_only;
}

/* Loaders of an earlier attempt are shut out, and what they loaded is gone. */
static bool
clean_destination(struct snapshot *sn, struct err *err)
{
	PeerdWorker__MirrorTable **defs = worker_defs(sn->w);
	bool ok;

	ok = dest_load_begin(sn->dst, sn->id, (struct dest_tables){ defs, sn->w->ntables }, err);
	free(defs);
	return ok;
}

/* The checkpoint is the last thing a load writes: with it there, only the daemon missed the end. */
static bool
already_loaded(const struct snapshot *sn, lsn_t checkpoint)
{
	return sn->w->config->phase == PEERDB_FLOW__FLOW_STATUS__STATUS_SNAPSHOT &&
	    checkpoint != LSN_INVALID;
}

/* ---- handing out work */

static void
assign(struct child *ch, const struct table *t, struct partition *p)
{
	PeerdWorker__SnapshotAssign msg = PEERD_WORKER__SNAPSHOT_ASSIGN__INIT;

	msg.has_table = msg.has_partition = msg.has_build_keys = true;
	msg.table = (int32_t)t->index;
	msg.partition = p != NULL ? p->number : -1;
	msg.relation = (char *)(p != NULL ? p->relation : "");
	msg.where = (char *)(p != NULL ? p->where : "");
	msg.build_keys = p == NULL;
	ipc_send(ch->ipc, IPC_SNAPSHOT_ASSIGN, 0, &msg);
}

static void
assign_keys(struct snapshot *sn, struct child *ch, struct load_table *lt)
{
	lt->keys = TASK_ASSIGNED;
	ch->keys = lt;
	assign(ch, lt->t, NULL);
	worker_table_state(sn->w, lt->t, PEERD_WORKER__TABLE_STATE__TABLE_INDEXING, NULL);
}

static void
assign_partition(struct snapshot *sn, struct child *ch, struct load_table *lt)
{
	struct partition *p = &sn->parts[lt->first];

	while (p->state != TASK_WAITING)
		p++;
	p->state = TASK_ASSIGNED;
	lt->waiting--;
	if (!lt->started)
		worker_table_state(sn->w, lt->t, PEERD_WORKER__TABLE_STATE__TABLE_LOADING, NULL);
	lt->started = true;
	ch->partition = p;
	ch->rows = 0;
	assign(ch, lt->t, p);
}

/*
 * Keys first: they hold up the end. Then tables in order, as many side by side
 * as the mirror says; a worker that finds nothing left in these goes ahead
 * with the next table rather than wait.
 */
static bool
give_work(struct snapshot *sn, struct child *ch)
{
	uint32_t i;

	for (i = 0; i < sn->w->ntables; i++) {
		struct load_table *lt = &sn->tables[i];

		if (lt->done == lt->count && lt->keys == TASK_WAITING) {
			assign_keys(sn, ch, lt);
			return true;
		}
	}
	for (i = 0; i < sn->w->ntables; i++) {
		if (sn->tables[i].waiting > 0) {
			assign_partition(sn, ch, &sn->tables[i]);
			return true;
		}
	}
	return false;
}

/* ---- the end */

/* The tables are known under their own names afterwards, to the daemon as well. */
static bool
swap_tables(struct snapshot *sn, struct err *err)
{
	PeerdWorker__MirrorTable **defs = worker_defs(sn->w);
	PeerdWorker__SetupDone msg = PEERD_WORKER__SETUP_DONE__INIT;
	uint32_t n = sn->w->ntables;
	bool ok;

	ok = resync_end(sn->dst, sn->w->config->mirror, defs, n, err);
	if (ok) {
		worker_set_tables(sn->w, defs, n);
		msg.tables = defs;
		msg.n_tables = n;
		ipc_send(sn->w->ipc, IPC_TABLES, 0, &msg);
	}
	free(defs);
	return ok;
}

/*
 * Who only loads needs no position, and nothing else that the destination knows of the mirror:
 * its drop reaches nobody. Should the daemon not hear of the end, the load begins anew, as
 * it would in any case.
 */
static bool
store_end(struct snapshot *sn, struct err *err)
{
	return snapshot_only(sn) ? dest_forget(sn->dst, err)
				 : dest_checkpoint_init(sn->dst, sn->src.lsn, err);
}

static void
children_end(struct snapshot *sn)
{
	uint32_t i;

	for (i = 0; i < sn->nchildren; i++) {
		struct child *ch = &sn->children[i];

		ipc_free(&ch->ipc);
		if (ch->pid > 0) {
			kill(ch->pid, SIGKILL);
			waitpid(ch->pid, NULL, 0);
		}
		ch->pid = 0;
	}
}

static void
snapshot_free(struct snapshot *sn)
{
	children_end(sn);
	event_done(&sn->src_readable);
	snapshot_source_close(&sn->src);
	dest_close(&sn->dst);
	free(sn->parts);
	free(sn->tables);
	free(sn);
}

static bool
all_done(const struct snapshot *sn)
{
	uint32_t i;

	for (i = 0; i < sn->w->ntables; i++)
		if (sn->tables[i].keys != TASK_DONE)
			return false;
	return true;
}

/* The snapshot ends with it; so do its children and whatever points to them. */
static void
finish(struct snapshot *sn)
{
	struct worker *w = sn->w;
	lsn_t lsn = sn->src.lsn;
	struct err err = ERR_INIT;

	if (!snapshot_source_check(&sn->src, &err) ||
	    (w->config->mirror->resync && !swap_tables(sn, &err)) || !store_end(sn, &err))
		fail(sn, &err);
	snapshot_free(sn);
	worker_snapshot_done(w, lsn);
}

/* ---- what the children say */

static void start_child(struct snapshot *sn, struct child *ch);

static void
next_task(struct child *ch)
{
	ch->partition = NULL;
	ch->keys = NULL;
	if (!give_work(ch->sn, ch) && all_done(ch->sn))
		finish(ch->sn);
}

static void
on_ready(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct child *ch = arg;

	ch->ready = true;
	next_task(ch);
}

/* Idle children may have waited for this: a table's keys, most often. */
static void
wake_idle(struct snapshot *sn)
{
	uint32_t i;

	for (i = 0; i < sn->nchildren; i++) {
		struct child *ch = &sn->children[i];

		if (ch->ready && ch->partition == NULL && ch->keys == NULL && !give_work(sn, ch))
			return;
	}
}

static void
on_partition_done(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	PeerdWorker__PartitionDone *done = (PeerdWorker__PartitionDone *)msg;
	struct child *ch = arg;
	struct snapshot *sn = ch->sn;
	struct worker *w = sn->w;
	struct load_table *lt;

	sn->deaths = 0;
	if (ch->keys != NULL) {
		ch->keys->keys = TASK_DONE;
		next_task(ch);
		return;
	}
	if (ch->partition == NULL)
		return;
	lt = &sn->tables[ch->partition->table];
	ch->partition->state = TASK_DONE;
	lt->done++;
	lt->rows += done->rows;
	ipc_send(sn->w->ipc, IPC_PARTITION_DONE, 0, done);
	next_task(ch);
	if (w->snapshot != NULL)
		wake_idle(sn);
}

static void
on_progress(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	const PeerdWorker__SnapshotProgress *p = (const PeerdWorker__SnapshotProgress *)msg;
	PeerdWorker__SnapshotProgress sum = PEERD_WORKER__SNAPSHOT_PROGRESS__INIT;
	struct child *ch = arg;
	struct snapshot *sn = ch->sn;
	uint32_t i;

	if (ch->partition == NULL)
		return;
	ch->rows = p->rows;
	sum.has_table = sum.has_rows = true;
	sum.table = (int32_t)ch->partition->table;
	sum.rows = sn->tables[ch->partition->table].rows;
	for (i = 0; i < sn->nchildren; i++)
		if (sn->children[i].partition != NULL &&
		    sn->children[i].partition->table == ch->partition->table)
			sum.rows += sn->children[i].rows;
	ipc_send(sn->w->ipc, IPC_SNAPSHOT_PROGRESS, 0, &sum);
}

static void
on_failed(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	const PeerdWorker__Failed *failed = (const PeerdWorker__Failed *)msg;
	struct child *ch = arg;

	if (failed->error != NULL)
		ipc_error_unpack(failed->error, &ch->err);
}

static void
on_log_line(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct child *ch = arg;

	ipc_send(ch->sn->w->ipc, IPC_LOG_LINE, 0, msg);
}

/* What the child had in hand goes back to the heap. */
static void
return_task(struct snapshot *sn, struct child *ch)
{
	if (ch->partition != NULL) {
		ch->partition->state = TASK_WAITING;
		sn->tables[ch->partition->table].waiting++;
	}
	if (ch->keys != NULL)
		ch->keys->keys = TASK_WAITING;
	ch->partition = NULL;
	ch->keys = NULL;
}

/* Whoever holds up its locks waits for ours: only letting go of the snapshot helps. */
static bool
lost_the_race(const struct err *err)
{
	return strcmp(err->sqlstate, "55P03") == 0; /* lock_not_available */
}

/*
 * A child is gone: killed, or it failed. What its own fault cannot be (the
 * snapshot is lost, a value does not fit) is the mirror's; else another one
 * takes over.
 */
static void
on_close(void *arg, const struct err *why)
{
	struct child *ch = arg;
	struct snapshot *sn = ch->sn;
	struct err err = ch->err;

	ipc_free(&ch->ipc);
	kill(ch->pid, SIGKILL);
	waitpid(ch->pid, NULL, 0);
	ch->pid = 0;
	ch->ready = false;
	return_task(sn, ch);
	if (err.code != ERR_NONE &&
	    (err_policy(err.code) != ERR_POLICY_RETRY || lost_the_race(&err)))
		fail(sn, &err);
	if (++sn->deaths > DEATHS_MAX) {
		if (err.code == ERR_NONE)
			err_set(&err, ERR_TRANSIENT, "snapshot workers die again and again");
		fail(sn, &err);
	}
	worker_log(sn->w, LOG_LEVEL_WARN, "a snapshot worker ended early, starting another%s%s",
	    err.code != ERR_NONE ? ": " : "", err.msg);
	start_child(sn, ch);
}

static const struct ipc_handler handlers[] = {
	{ IPC_READY, on_ready },
	{ IPC_PARTITION_DONE, on_partition_done },
	{ IPC_SNAPSHOT_PROGRESS, on_progress },
	{ IPC_FAILED, on_failed },
	{ IPC_LOG_LINE, on_log_line },
	{ 0, NULL },
};

/* ---- children */

static void
send_config(struct snapshot *sn, struct child *ch)
{
	PeerdWorker__SnapshotConfig msg = PEERD_WORKER__SNAPSHOT_CONFIG__INIT;
	PeerdWorker__MirrorTable **defs = worker_defs(sn->w);

	msg.mirror = sn->w->config->mirror->flow_job_name;
	msg.source = sn->w->config->source;
	msg.destination = sn->w->config->destination;
	msg.snapshot_name = sn->src.name;
	msg.snapshot_id = sn->id;
	msg.n_tables = sn->w->ntables;
	msg.tables = defs;
	msg.config = sn->w->config->mirror;
	ipc_send(ch->ipc, IPC_SNAPSHOT_CONFIG, 0, &msg);
	free(defs);
}

static void
start_child(struct snapshot *sn, struct child *ch)
{
	struct ipc_callbacks cb = { .handlers = handlers, .on_close = on_close, .arg = ch };
	struct err err = ERR_INIT;
	int fd = -1;

	ch->sn = sn;
	err_clear(&ch->err);
	if (!spawn_worker(sn->w->config->worker_path, "snapshot",
		sn->w->config->mirror->flow_job_name, &ch->pid, &fd, &err))
		fail(sn, &err);
	ch->ipc = ipc_new(sn->w->loop, fd, 1, &cb);
	send_config(sn, ch);
}

static uint32_t
how_many(const struct snapshot *sn)
{
	const PeerdbFlow__FlowConnectionConfigs *cfg = sn->w->config->mirror;
	uint64_t tables, n;
	uint64_t tasks = sn->nparts > sn->w->ntables ? sn->nparts : sn->w->ntables;

	tables = cfg->snapshot_num_tables_in_parallel;
	n = (uint64_t)snapshot_workers_per_table(sn) * (tables > 0 ? tables : 1);
	n = n < tasks ? n : tasks;
	return (uint32_t)(n < CHILDREN_MAX ? n : CHILDREN_MAX);
}

/* ---- start */

static bool
prepare(struct snapshot *sn, struct err *err)
{
	snprintf(sn->id, sizeof(sn->id), "%llx-%d", (unsigned long long)clock_wall_us(),
	    (int)getpid());
	return snapshot_source_open(sn->w, &sn->src, err) && clean_destination(sn, err) &&
	    snapshot_source_refresh(sn->w, &sn->src, sn->dst, err) && snapshot_cut(sn, err);
}

/* Silent as long as it stands: what is heard of it is its end. */
static void
on_source(evutil_socket_t fd, short what, void *arg)
{
	struct snapshot *sn = arg;
	PGconn *pq = pgconn_pq(sn->src.conn);
	struct err err = ERR_INIT;

	if (PQconsumeInput(pq) == 1 && PQstatus(pq) == CONNECTION_OK)
		return;
	pgconn_error(pq, NULL, &err);
	err_context(&err, "the connection that holds the snapshot");
	fail(sn, &err);
}

static void
watch_source(struct snapshot *sn)
{
	sn->src_readable = event_new(sn->w->loop, PQsocket(pgconn_pq(sn->src.conn)),
	    EV_READ | EV_PERSIST, on_source, sn);
	event_add(sn->src_readable, NULL);
}

bool
snapshot_start(struct worker *w, struct err *err)
{
	struct snapshot *sn = xcalloc(1, sizeof(*sn));
	lsn_t lsn;
	uint32_t i;

	w->snapshot = sn;
	sn->w = w;
	if (!worker_open_dest(w, &sn->dst, err) || !dest_take_over(sn->dst, &lsn, err))
		return false;
	if (already_loaded(sn, lsn)) {
		snapshot_free(sn);
		worker_snapshot_done(w, lsn);
		return true;
	}
	if (!prepare(sn, err))
		return false;
	watch_source(sn);
	snapshot_tell_plan(sn);
	sn->nchildren = how_many(sn);
	for (i = 0; i < sn->nchildren; i++)
		start_child(sn, &sn->children[i]);
	return true;
}
