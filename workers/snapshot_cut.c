/*
 * The plan of a load: which relations, cut into which ranges of blocks.
 */
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/pginfo.h"
#include "workers/snapshot_int.h"
#include "workers/snapshot_plan.h"

#define WORKERS_DEFAULT	  4 /* a table */
#define WORKERS_LOCAL_MIN 2

static struct partition *
add_partition(struct snapshot *sn)
{
	if (sn->nparts == sn->parts_cap) {
		sn->parts_cap = sn->parts_cap > 0 ? sn->parts_cap * 2 : 64;
		sn->parts = xrealloc(sn->parts, sn->parts_cap * sizeof(*sn->parts));
	}
	return &sn->parts[sn->nparts++];
}

/*
 * As asked for. By default four, which overlaps the waits of remote servers; a
 * source that shares our machine gains nothing from more readers than CPUs.
 */
uint32_t
snapshot_workers_per_table(const struct snapshot *sn)
{
	const PeerdbFlow__FlowConnectionConfigs *cfg = sn->w->config->mirror;
	uint32_t n = cfg->snapshot_max_parallel_workers > 0 ? cfg->snapshot_max_parallel_workers
							    : WORKERS_DEFAULT;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cfg->has_snapshot_max_parallel_workers || !pgconn_is_local(sn->src.conn))
		return n;
	if (cpus < WORKERS_LOCAL_MIN)
		cpus = WORKERS_LOCAL_MIN;
	return n < cpus ? n : (uint32_t)cpus;
}

static void
cut_leaf(struct snapshot *sn, struct load_table *lt, const struct pginfo_leaf *leaf, bool ranges)
{
	const PeerdbFlow__FlowConnectionConfigs *cfg = sn->w->config->mirror;
	int64_t wanted = cfg->snapshot_num_rows_per_partition, per, from;
	struct partition *p;

	per = snapshot_blocks_per_partition(leaf->blocks, leaf->rows, wanted > 0 ? wanted : 1000000,
	    ranges);
	per = snapshot_even_out(leaf->blocks, per, snapshot_workers_per_table(sn));
	for (from = 0; from == 0 || from < leaf->blocks; from += per) {
		p = add_partition(sn);
		*p = (struct partition){ .table = lt->t->index, .number = (int32_t)lt->count++ };
		p->relation = arena_strdup(sn->w->mirror, leaf->relation);
		snapshot_where(from, from + per < leaf->blocks ? from + per : -1, p->where,
		    sizeof(p->where));
	}
	lt->rows_estimated += leaf->rows > 0 ? leaf->rows : 0;
}

static bool
plan_table(struct snapshot *sn, struct load_table *lt, struct err *err)
{
	struct pgconn *src = sn->src.conn;
	bool ranges = pgconn_version(src) >= 140000;
	struct pginfo_leaves leaves;
	size_t i;

	lt->first = sn->nparts;
	if (!pginfo_load_leaves(src, lt->t->relid, &leaves, err))
		return err_context(err, "source table %s", lt->t->source_label);
	for (i = 0; i < leaves.n; i++)
		cut_leaf(sn, lt, &leaves.v[i], ranges);
	pginfo_leaves_done(&leaves);
	lt->waiting = lt->count;
	return true;
}

bool
snapshot_cut(struct snapshot *sn, struct err *err)
{
	uint32_t i;

	sn->tables = xcalloc(sn->w->ntables, sizeof(*sn->tables));
	for (i = 0; i < sn->w->ntables; i++) {
		sn->tables[i].t = sn->w->tables[i];
		if (!plan_table(sn, &sn->tables[i], err))
			return false;
	}
	return true;
}

void
snapshot_tell_plan(struct snapshot *sn)
{
	PeerdWorker__SnapshotPlan msg = PEERD_WORKER__SNAPSHOT_PLAN__INIT;
	PeerdWorker__SnapshotPlan__Table *rows, **list;
	uint32_t i, n = sn->w->ntables;

	rows = xcalloc(n, sizeof(*rows));
	list = xcalloc(n, sizeof(PeerdWorker__SnapshotPlan__Table *));
	for (i = 0; i < n; i++) {
		peerd_worker__snapshot_plan__table__init(&rows[i]);
		rows[i].source = (char *)sn->tables[i].t->source_label;
		rows[i].destination = (char *)sn->tables[i].t->destination_label;
		rows[i].has_partitions = rows[i].has_rows_estimated = true;
		rows[i].partitions = (int32_t)sn->tables[i].count;
		rows[i].rows_estimated = sn->tables[i].rows_estimated;
		list[i] = &rows[i];
	}
	msg.n_tables = n;
	msg.tables = list;
	msg.snapshot_id = sn->id;
	ipc_send(sn->w->ipc, IPC_SNAPSHOT_PLAN, 0, &msg);
	free(list);
	free(rows);
}
