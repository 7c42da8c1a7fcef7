/*
 * What a mirror's worker says: facts for the catalog and for memory, and the
 * events that move the mirror on.
 */
#include "lib/control/mirror.h"
#include "lib/control/mirror_counts.h"
#include "lib/control/service_int.h"
#include "lib/types/ident.h"

#define READY_MS 60000	/* from CONFIG to standing connections */
#define DROP_MS	 300000 /* from CONFIG to the end of a clean-up */

static struct mirror *
mirror_of(void *child)
{
	return child_owner_arg(child);
}

/* ---- the start of a worker */

static PeerdbPeers__Peer *
mirror_peer(const struct mirror *m, const char *name)
{
	struct peer *p = peer_find(m->svc, name);

	return p != NULL ? p->config : NULL;
}

static void
mirror_send_config(struct mirror *m)
{
	PeerdWorker__Config msg = PEERD_WORKER__CONFIG__INIT;
	bool drop = m->state == PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATING;

	msg.name = m->name;
	msg.has_task = msg.has_phase = msg.has_next_batch_id = msg.has_skip_destination_drop = true;
	msg.task = drop ? PEERD_WORKER__TASK__TASK_DROP : PEERD_WORKER__TASK__TASK_RUN;
	msg.phase = m->phase;
	msg.mirror = m->config;
	msg.source = mirror_peer(m, m->config->source_name);
	msg.destination = mirror_peer(m, m->config->destination_name);
	if (m->tables != NULL) {
		msg.tables = m->tables->tables;
		msg.n_tables = m->tables->n_tables;
	}
	msg.next_batch_id = m->next_batch_id;
	msg.skip_destination_drop = m->skip_destination_drop;
	msg.worker_path = (char *)m->svc->options.worker_path;
	ipc_send(child_channel(m->child), IPC_CONFIG, 0, &msg);
	if (drop)
		child_set_deadline(m->child, DROP_MS, "worker did not finish cleaning up in time");
	else
		child_set_deadline(m->child, READY_MS, "worker did not become ready in time");
}

static void
on_hello(void *child, uint32_t request_id, const ProtobufCMessage *msg)
{
	(void)request_id;
	(void)msg;
	mirror_send_config(mirror_of(child));
}

static void
on_ready(void *child, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct mirror *m = mirror_of(child);

	(void)request_id;
	(void)msg;
	if (m->state != PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATING)
		child_set_deadline(child, 0, NULL);
	if (err_policy(m->error.code) == ERR_POLICY_RETRY && !m->in_trouble)
		mirror_show_error(m, NULL);
}

/* ---- tables */

static void
mirror_keep_tables(struct mirror *m, const PeerdWorker__SetupDone *msg)
{
	size_t n;
	uint8_t *packed = message_pack(&msg->base, &n);

	catalog_mirror_set_tables(m->svc->options.catalog, m->name, slice_of(packed, n), NULL,
	    NULL);
	if (msg != m->tables) {
		if (m->tables != NULL)
			peerd_worker__setup_done__free_unpacked(m->tables, NULL);
		m->tables = peerd_worker__setup_done__unpack(NULL, n, packed);
	}
	free(packed);
}

/* What a worker leaves out would be missed later; better miss the worker. */
static bool
tables_are_whole(struct child *child, const PeerdWorker__SetupDone *msg)
{
	for (size_t i = 0; i < msg->n_tables; i++) {
		const PeerdWorker__MirrorTable *t = msg->tables[i];

		if (t->source_schema != NULL && t->source_name != NULL &&
		    t->destination_schema != NULL && t->destination_name != NULL)
			continue;
		child_kill(child, ERR_PROTOCOL, "worker reported a table without a name");
		return false;
	}
	return true;
}

static void
on_tables(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	const PeerdWorker__SetupDone *msg = (const PeerdWorker__SetupDone *)base;

	(void)request_id;
	if (tables_are_whole(child, msg))
		mirror_keep_tables(mirror_of(child), msg);
}

static void
on_setup_done(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	const PeerdWorker__SetupDone *msg = (const PeerdWorker__SetupDone *)base;
	struct mirror *m = mirror_of(child);

	(void)request_id;
	if (!tables_are_whole(child, msg))
		return;
	mirror_keep_tables(m, msg);
	mirror_proved_healthy(m);
	mirror_event(m,
	    m->config->do_initial_snapshot || m->config->resync ? EV_SETUP_LOADS
								: EV_SETUP_STREAMS);
}

static PeerdWorker__MirrorTable *
mirror_table_find(struct mirror *m, const char *source)
{
	struct table_ident id;
	struct err err;

	if (!ident_parse_table(source, &id, &err))
		return NULL;
	for (size_t i = 0; m->tables != NULL && i < m->tables->n_tables; i++) {
		PeerdWorker__MirrorTable *t = m->tables->tables[i];

		if (strcmp(t->source_schema, id.schema) == 0 &&
		    strcmp(t->source_name, id.name) == 0)
			return t;
	}
	return NULL;
}

static void
table_set_text(char **field, const char *text)
{
	static const PeerdWorker__MirrorTable blank = PEERD_WORKER__MIRROR_TABLE__INIT;

	if (*field != blank.error && *field != blank.error_hint)
		free(*field);
	*field = xstrdup(text);
}

static void
mirror_keep_table_error(struct mirror *m, PeerdWorker__MirrorTable *t,
    const PeerdWorker__Error *error)
{
	table_set_text(&t->error, error != NULL ? error->message : "");
	table_set_text(&t->error_hint, error != NULL ? error->hint : "");
	mirror_keep_tables(m, m->tables);
	if (error != NULL)
		mirror_note(m, LOG_LEVEL_ERROR, "table %s.%s stopped: %s%s%s", t->source_schema,
		    t->source_name, error->message, error->hint[0] != '\0' ? "; hint: " : "",
		    error->hint);
}

static void
on_table_state(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	static const enum catalog_load_state load_states[] = {
		[PEERD_WORKER__TABLE_STATE__TABLE_WAITING] = CATALOG_LOAD_WAITING,
		[PEERD_WORKER__TABLE_STATE__TABLE_LOADING] = CATALOG_LOAD_LOADING,
		[PEERD_WORKER__TABLE_STATE__TABLE_INDEXING] = CATALOG_LOAD_INDEXING,
		[PEERD_WORKER__TABLE_STATE__TABLE_RUNNING] = CATALOG_LOAD_DONE,
		[PEERD_WORKER__TABLE_STATE__TABLE_ERROR] = CATALOG_LOAD_ERROR,
	};
	const PeerdWorker__TableStateChange *msg = (const PeerdWorker__TableStateChange *)base;
	struct mirror *m = mirror_of(child);
	PeerdWorker__MirrorTable *t;

	(void)request_id;
	if (msg->source == NULL || (t = mirror_table_find(m, msg->source)) == NULL ||
	    (size_t)msg->state >= sizeof(load_states) / sizeof(load_states[0]))
		return;
	t->has_state = true;
	t->state = msg->state;
	if (msg->error != NULL || t->error[0] != '\0')
		mirror_keep_table_error(m, t, msg->error);
	if (mirror_load_find(m, msg->source) != NULL)
		catalog_load_set_state(m->svc->options.catalog, m->name, msg->source,
		    load_states[msg->state], NULL, NULL);
	service_flush_soon(m->svc);
}

/* ---- the snapshot */

static void
mirror_plan_row(struct mirror *m, size_t i, const PeerdWorker__SnapshotPlan__Table *t,
    struct catalog_load_table *row_r)
{
	struct mirror_load *l = &m->load[i];

	l->source = xstrdup(t->source != NULL ? t->source : "");
	l->destination = xstrdup(t->destination != NULL ? t->destination : "");
	l->partitions_total = t->partitions;
	l->rows_estimated = t->rows_estimated;
	*row_r = (struct catalog_load_table){
		.index = (int32_t)i,
		.source = l->source,
		.destination = l->destination,
		.partitions_total = l->partitions_total,
		.rows_estimated = l->rows_estimated,
	};
}

static void
on_snapshot_plan(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	const PeerdWorker__SnapshotPlan *msg = (const PeerdWorker__SnapshotPlan *)base;
	struct mirror *m = mirror_of(child);
	struct catalog_load_table *rows;

	(void)request_id;
	rows = xcalloc(msg->n_tables, sizeof(*rows));
	mirror_load_reset(m, msg->snapshot_id != NULL ? msg->snapshot_id : "", msg->n_tables);
	for (size_t i = 0; i < msg->n_tables; i++)
		mirror_plan_row(m, i, msg->tables[i], &rows[i]);
	catalog_load_plan(m->svc->options.catalog, m->name, m->snapshot_id, rows, m->nload, NULL,
	    NULL);
	free(rows);
}

/* The table a message is about; a worker may be wrong. */
static struct mirror_load *
mirror_load_at(struct mirror *m, int32_t index)
{
	return index >= 0 && (size_t)index < m->nload ? &m->load[index] : NULL;
}

static void
on_partition_done(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	const PeerdWorker__PartitionDone *msg = (const PeerdWorker__PartitionDone *)base;
	struct mirror *m = mirror_of(child);
	struct mirror_load *l = mirror_load_at(m, msg->table);
	const struct catalog_partition row = {
		.table = msg->table,
		.partition = msg->partition,
		.rows = msg->rows,
		.bytes = msg->bytes,
		.start_us = msg->start_us,
		.end_us = msg->end_us,
		.range = msg->range,
	};

	(void)request_id;
	if (l == NULL)
		return;
	l->partitions_done++;
	l->rows_durable += msg->rows;
	if (l->rows < l->rows_durable || l->partitions_done >= l->partitions_total)
		l->rows = l->rows_durable;
	catalog_load_partition(m->svc->options.catalog, m->name, m->snapshot_id, &row, NULL, NULL);
	service_flush_soon(m->svc);
	mirror_proved_healthy(m);
}

static void
on_snapshot_progress(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	const PeerdWorker__SnapshotProgress *msg = (const PeerdWorker__SnapshotProgress *)base;
	struct mirror_load *l = mirror_load_at(mirror_of(child), msg->table);

	(void)request_id;
	if (l != NULL && l->partitions_done < l->partitions_total)
		l->rows = msg->rows;
}

static void
on_snapshot_done(void *child, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct mirror *m = mirror_of(child);

	(void)request_id;
	(void)msg;
	mirror_proved_healthy(m);
	mirror_event(m, m->config->initial_snapshot_only ? EV_LOAD_COMPLETES : EV_LOAD_STREAMS);
}

/* ---- the stream */

static struct catalog_counts *
batch_counts(const PeerdWorker__Batch *msg)
{
	struct catalog_counts *counts = xcalloc(msg->n_counts, sizeof(*counts));

	for (size_t i = 0; i < msg->n_counts; i++) {
		const PeerdWorker__Batch__Counts *c = msg->counts[i];

		counts[i].destination = c->destination != NULL ? c->destination : "";
		counts[i].inserts = c->inserts;
		counts[i].updates = c->updates;
		counts[i].deletes = c->deletes;
	}
	return counts;
}

static void
on_batch(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	const PeerdWorker__Batch *msg = (const PeerdWorker__Batch *)base;
	struct mirror *m = mirror_of(child);
	const struct catalog_batch row = {
		.batch_id = msg->batch_id,
		.start_lsn = msg->start_lsn,
		.end_lsn = msg->end_lsn,
		.rows = msg->rows,
		.start_us = msg->start_us,
		.end_us = msg->end_us,
	};
	struct catalog_counts *counts;

	(void)request_id;
	if (msg->batch_id < m->next_batch_id)
		return;
	counts = batch_counts(msg);
	catalog_batch_add(m->svc->options.catalog, m->name, &row, counts, msg->n_counts, NULL,
	    NULL);
	mirror_counts_add(&m->counts, counts, msg->n_counts);
	free(counts);
	service_flush_soon(m->svc);
	m->next_batch_id = msg->batch_id + 1;
	m->batches++;
	m->rows_synced += msg->rows;
	if (m->confirmed_lsn < msg->end_lsn)
		m->confirmed_lsn = msg->end_lsn;
	mirror_proved_healthy(m);
}

static void
on_progress(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	const PeerdWorker__Progress *msg = (const PeerdWorker__Progress *)base;
	struct mirror *m = mirror_of(child);
	bool moved = msg->confirmed_lsn > m->confirmed_lsn;

	(void)request_id;
	m->source_lsn = msg->source_lsn;
	m->received_lsn = msg->received_lsn;
	m->lag_bytes = msg->lag_bytes;
	m->lag_us = msg->lag_us;
	m->rows_per_second = msg->rows_per_second;
	m->worker_rss = msg->rss_bytes;
	m->worker_cpu_us = msg->cpu_us;
	if (!moved)
		return;
	m->confirmed_lsn = msg->confirmed_lsn;
	catalog_mirror_set_checkpoint(m->svc->options.catalog, m->name, m->confirmed_lsn, NULL,
	    NULL);
	service_flush_soon(m->svc);
	mirror_proved_healthy(m);
}

/* ---- words, the end */

static void
on_log_line(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	static const char *const levels[] = { "info", "warn", "error" };
	const PeerdWorker__LogLine *msg = (const PeerdWorker__LogLine *)base;
	enum log_level level = LOG_LEVEL_INFO;

	(void)request_id;
	for (int i = LOG_LEVEL_INFO; i <= LOG_LEVEL_ERROR; i++)
		if (msg->level != NULL && strcmp(msg->level, levels[i]) == 0)
			level = (enum log_level)i;
	mirror_note(mirror_of(child), level, "%s", msg->message != NULL ? msg->message : "");
}

static void
on_drained(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	struct mirror *m = mirror_of(child);
	lsn_t lsn = ((const PeerdWorker__Drained *)base)->lsn;

	(void)request_id;
	if (lsn > m->confirmed_lsn)
		m->confirmed_lsn = lsn;
}

static void
on_dropped(void *child, uint32_t request_id, const ProtobufCMessage *msg)
{
	(void)request_id;
	(void)msg;
	mirror_of(child)->dropped = true;
}

static void
on_failed(void *child, uint32_t request_id, const ProtobufCMessage *base)
{
	const PeerdWorker__Failed *msg = (const PeerdWorker__Failed *)base;
	struct mirror *m = mirror_of(child);

	(void)request_id;
	if (msg->error != NULL)
		ipc_error_unpack(msg->error, &m->failed);
	else
		err_set(&m->failed, ERR_BUG, "worker failed without saying why");
}

const struct ipc_handler mirror_handlers[] = {
	{ IPC_HELLO, on_hello },
	{ IPC_READY, on_ready },
	{ IPC_SETUP_DONE, on_setup_done },
	{ IPC_SNAPSHOT_PLAN, on_snapshot_plan },
	{ IPC_PARTITION_DONE, on_partition_done },
	{ IPC_SNAPSHOT_PROGRESS, on_snapshot_progress },
	{ IPC_TABLE_STATE, on_table_state },
	{ IPC_SNAPSHOT_DONE, on_snapshot_done },
	{ IPC_BATCH, on_batch },
	{ IPC_PROGRESS, on_progress },
	{ IPC_LOG_LINE, on_log_line },
	{ IPC_DRAINED, on_drained },
	{ IPC_DROPPED, on_dropped },
	{ IPC_FAILED, on_failed },
	{ IPC_TABLES, on_tables },
	{ 0, NULL },
};
