#include "lib/control/service_rows.h"

#include "lib/base/arena.h"
#include "lib/control/mirror.h"

Google__Protobuf__Timestamp *
rows_timestamp(struct arena *a, usec_t us)
{
	Google__Protobuf__Timestamp *t;

	if (us == 0)
		return NULL;
	t = arena_alloc(a, sizeof(*t));
	google__protobuf__timestamp__init(t);
	t->seconds = us / USEC_PER_SEC;
	t->nanos = (int32_t)(us % USEC_PER_SEC) * 1000;
	return t;
}

static PeerdbRoute__CDCBatch *
rows_batch(struct arena *a, const struct catalog_batch *row)
{
	PeerdbRoute__CDCBatch *b = arena_alloc(a, sizeof(*b));

	peerdb_route__cdcbatch__init(b);
	b->batch_id = (int64_t)row->batch_id;
	b->start_lsn = (int64_t)row->start_lsn;
	b->end_lsn = (int64_t)row->end_lsn;
	b->num_rows = row->rows > UINT32_MAX ? UINT32_MAX : (uint32_t)row->rows;
	b->start_time = rows_timestamp(a, row->start_us);
	b->end_time = rows_timestamp(a, row->end_us);
	return b;
}

PeerdbRoute__CDCBatch **
rows_batches(struct arena *a, const struct catalog_batch *rows, size_t n, bool reverse)
{
	PeerdbRoute__CDCBatch **batches = arena_alloc(a, (n + 1) * sizeof(*batches));

	for (size_t i = 0; i < n; i++)
		batches[i] = rows_batch(a, &rows[reverse ? n - 1 - i : i]);
	return batches;
}

static PeerdbRoute__CloneTableSummary *
rows_clone(struct arena *a, struct mirror *m, const struct catalog_load_table *row)
{
	PeerdbRoute__CloneTableSummary *c = arena_alloc(a, sizeof(*c));
	const struct mirror_load *l = mirror_load_find(m, row->source);

	peerdb_route__clone_table_summary__init(c);
	c->table_name = arena_strdup(a, row->destination);
	c->source_table = arena_strdup(a, row->source);
	c->flow_job_name = m->name;
	c->mirror_name = m->name;
	c->start_time = rows_timestamp(a, row->start_us);
	c->num_partitions_completed = row->partitions_done;
	c->num_partitions_total = row->partitions_total;
	c->num_rows_synced = l != NULL && l->rows > row->rows ? l->rows : row->rows;
	if (row->partitions_done > 0)
		c->avg_time_per_partition_ms = row->busy_us / row->partitions_done / USEC_PER_MSEC;
	c->fetch_completed = row->partitions_done >= row->partitions_total;
	c->consolidate_completed = row->state == CATALOG_LOAD_DONE;
	return c;
}

PeerdbRoute__CloneTableSummary **
rows_clones(struct arena *a, struct mirror *m, const struct catalog_load_table *rows, size_t n)
{
	PeerdbRoute__CloneTableSummary **clones;

	if (m == NULL)
		return NULL;
	clones = arena_alloc(a, (n + 1) * sizeof(*clones));
	for (size_t i = 0; i < n; i++)
		clones[i] = rows_clone(a, m, &rows[i]);
	return clones;
}

PeerdbRoute__CDCRowCounts *
rows_counts(struct arena *a, int64_t inserts, int64_t updates, int64_t deletes)
{
	PeerdbRoute__CDCRowCounts *c = arena_alloc(a, sizeof(*c));

	peerdb_route__cdcrow_counts__init(c);
	c->inserts_count = inserts;
	c->updates_count = updates;
	c->deletes_count = deletes;
	c->total_count = inserts + updates + deletes;
	return c;
}
