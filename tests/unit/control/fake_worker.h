/*
 * fake_worker - a peerd-worker that does what its mirror's name says
 *
 * The test program starts itself as its own worker: main() calls
 * fake_worker_main() first, which returns only in the test.
 *
 *	good	walks through setup, snapshot and three batches; stops as asked
 *	config	fails for a reason that the user must mend, until resumed
 *	crash	dies by a signal as soon as it is ready
 *	noise	writes what is no frame
 *	auth	streams, then is refused by the source, until its peer is changed
 *	table	reports a table without a name
 *
 * A probe answers by the host of its peer: "bad" fails, "gone" cannot be
 * reached, "crash" dies, all else is fine.
 */
#ifndef PEERD_TESTS_FAKE_WORKER_H
#define PEERD_TESTS_FAKE_WORKER_H

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/ipc/ipc.h"
#include "protos/route.pb-c.h"
#include "protos/worker.pb-c.h"

#define FAKE_ROWS 100

struct fake {
	struct event_base *base;
	struct ipc *ch;
	const char *name;
	uint64_t next_batch_id;
};

static inline void
fake_fail(struct fake *f, enum err_code code, const char *words, const char *sqlstate)
{
	PeerdWorker__Failed msg = PEERD_WORKER__FAILED__INIT;
	PeerdWorker__Error error;
	struct err err = ERR_INIT;

	err_set(&err, code, "%s", words);
	err_hint(&err, "mend it");
	str_copy(err.sqlstate, sizeof(err.sqlstate), sqlstate);
	ipc_error_pack(&err, &error);
	msg.error = &error;
	ipc_send(f->ch, IPC_FAILED, 0, &msg);
	ipc_flush(f->ch, 1000);
	event_base_loopexit(f->base, NULL);
}

static inline void
fake_set_up(struct fake *f)
{
	PeerdWorker__SetupDone done = PEERD_WORKER__SETUP_DONE__INIT;
	PeerdWorker__MirrorTable table = PEERD_WORKER__MIRROR_TABLE__INIT;
	PeerdWorker__MirrorTable *tables[] = { &table };

	table.source_schema = table.destination_schema = (char *)"public";
	table.source_name = strcmp(f->name, "table") == 0 ? NULL : (char *)"t";
	table.destination_name = (char *)"t";
	done.tables = tables;
	done.n_tables = 1;
	ipc_send(f->ch, IPC_SETUP_DONE, 0, &done);
}

static inline void
fake_load(struct fake *f)
{
	PeerdWorker__SnapshotPlan plan = PEERD_WORKER__SNAPSHOT_PLAN__INIT;
	PeerdWorker__SnapshotPlan__Table table = PEERD_WORKER__SNAPSHOT_PLAN__TABLE__INIT;
	PeerdWorker__SnapshotPlan__Table *tables[] = { &table };
	PeerdWorker__PartitionDone part = PEERD_WORKER__PARTITION_DONE__INIT;
	PeerdWorker__TableStateChange state = PEERD_WORKER__TABLE_STATE_CHANGE__INIT;
	PeerdWorker__SnapshotDone done = PEERD_WORKER__SNAPSHOT_DONE__INIT;

	table.source = table.destination = (char *)"public.t";
	table.has_partitions = table.has_rows_estimated = true;
	table.partitions = 2;
	table.rows_estimated = FAKE_ROWS;
	plan.tables = tables;
	plan.n_tables = 1;
	plan.snapshot_id = (char *)"s1";
	ipc_send(f->ch, IPC_SNAPSHOT_PLAN, 0, &plan);
	part.has_table = part.has_partition = part.has_rows = true;
	part.has_start_us = part.has_end_us = true;
	part.start_us = 1000000;
	part.end_us = 3000000;
	part.rows = FAKE_ROWS / 2;
	for (part.partition = 0; part.partition < 2; part.partition++)
		ipc_send(f->ch, IPC_PARTITION_DONE, 0, &part);
	part.table = 99; /* out of range: to be ignored */
	ipc_send(f->ch, IPC_PARTITION_DONE, 0, &part);
	state.source = (char *)"public.t";
	state.has_state = true;
	state.state = PEERD_WORKER__TABLE_STATE__TABLE_RUNNING;
	ipc_send(f->ch, IPC_TABLE_STATE, 0, &state);
	ipc_send(f->ch, IPC_SNAPSHOT_DONE, 0, &done);
}

static inline void
fake_stream(struct fake *f)
{
	PeerdWorker__Batch batch = PEERD_WORKER__BATCH__INIT;
	PeerdWorker__Batch__Counts counts = PEERD_WORKER__BATCH__COUNTS__INIT;
	PeerdWorker__Batch__Counts *list[] = { &counts };
	PeerdWorker__Progress progress = PEERD_WORKER__PROGRESS__INIT;

	counts.destination = (char *)"public.t";
	counts.has_inserts = counts.has_deletes = true;
	counts.inserts = 3;
	counts.deletes = 1;
	batch.has_batch_id = batch.has_rows = batch.has_end_lsn = true;
	batch.has_start_us = batch.has_end_us = true;
	batch.counts = list;
	batch.n_counts = 1;
	batch.rows = 4;
	for (int i = 0; i < 3; i++) {
		batch.batch_id = f->next_batch_id++;
		batch.end_lsn = 0x1000 + batch.batch_id;
		batch.start_us = batch.end_us = 5000000;
		ipc_send(f->ch, IPC_BATCH, 0, &batch);
	}
	progress.has_lag_bytes = progress.has_lag_us = progress.has_confirmed_lsn = true;
	progress.lag_bytes = 77;
	progress.lag_us = 5000;
	progress.confirmed_lsn = 0x2000;
	ipc_send(f->ch, IPC_PROGRESS, 0, &progress);
}

static inline void
fake_run(struct fake *f, const PeerdWorker__Config *config)
{
	PeerdWorker__Ready ready = PEERD_WORKER__READY__INIT;
	bool load = config->mirror->do_initial_snapshot || config->mirror->resync;

	ipc_send(f->ch, IPC_READY, 0, &ready);
	if (config->phase == PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP)
		fake_set_up(f);
	if (config->phase != PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING && load)
		fake_load(f);
	if (config->mirror->initial_snapshot_only)
		event_base_loopexit(f->base, NULL);
	else
		fake_stream(f);
	ipc_flush(f->ch, 1000);
}

static inline void
fake_on_config(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	const PeerdWorker__Config *config = (const PeerdWorker__Config *)msg;
	PeerdWorker__Dropped dropped = PEERD_WORKER__DROPPED__INIT;
	bool to_b = strcmp(config->source->postgres_config->host, "mended") == 0;
	struct fake *f = arg;

	(void)request_id;
	f->name = config->name;
	f->next_batch_id = config->next_batch_id;
	if (config->task == PEERD_WORKER__TASK__TASK_DROP) {
		ipc_send(f->ch, IPC_DROPPED, 0, &dropped);
		ipc_flush(f->ch, 1000);
		event_base_loopexit(f->base, NULL);
	} else if (str_starts(f->name, "config") && !to_b) {
		fake_fail(f, ERR_CONFIG, "wal_level is \"replica\"", "55000");
	} else if (str_starts(f->name, "crash")) {
		kill(getpid(), SIGKILL);
	} else if (str_starts(f->name, "noise")) {
		if (write(IPC_FD, "this is no frame, not at all", 28) < 0)
			_exit(1);
	} else if (str_starts(f->name, "auth") && !to_b &&
	    config->phase == PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING) {
		fake_fail(f, ERR_CONFIG, "password authentication failed", "28P01");
	} else {
		fake_run(f, config);
	}
	f->name = "";
}

static inline void
fake_on_stop(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	PeerdWorker__Drained drained = PEERD_WORKER__DRAINED__INIT;
	struct fake *f = arg;

	(void)request_id;
	if (((const PeerdWorker__Stop *)msg)->pause)
		ipc_send(f->ch, IPC_DRAINED, 0, &drained);
	ipc_flush(f->ch, 1000);
	event_base_loopexit(f->base, NULL);
}

/* The counts tell what came along: the mirror's first table, its destination's host. */
static inline size_t
fake_counts(const PeerdWorker__ProbeRequest *req, uint8_t *packed)
{
	PeerdbRoute__GetMirrorRowCountsResponse counts =
	    PEERDB_ROUTE__GET_MIRROR_ROW_COUNTS_RESPONSE__INIT;
	PeerdbRoute__MirrorTableRowCounts table = PEERDB_ROUTE__MIRROR_TABLE_ROW_COUNTS__INIT;
	PeerdbRoute__MirrorTableRowCounts *list[] = { &table };

	table.source_table = req->mirror->table_mappings[0]->source_table_identifier;
	table.destination_table = req->destination->postgres_config->host;
	table.has_source_count = true;
	table.source_count = FAKE_ROWS;
	counts.n_table_counts = 1;
	counts.table_counts = list;
	return peerdb_route__get_mirror_row_counts_response__pack(&counts, packed);
}

static inline void
fake_on_probe(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	const PeerdWorker__ProbeRequest *req = (const PeerdWorker__ProbeRequest *)msg;
	const char *host = req->peer->postgres_config->host;
	PeerdWorker__ProbeReply reply = PEERD_WORKER__PROBE_REPLY__INIT;
	PeerdWorker__Error error;
	struct err err = ERR_INIT;
	struct fake *f = arg;
	uint8_t packed[1024];

	if (strcmp(host, "crash") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(host, "bad") == 0)
		err_set(&err, ERR_CONFIG, "server is too old");
	if (strcmp(host, "gone") == 0)
		err_set(&err, ERR_TRANSIENT, "connection refused");
	ipc_error_pack(&err, &error);
	reply.error = err.code != ERR_NONE ? &error : NULL;
	reply.has_response = true;
	reply.response.data = packed;
	if (strcmp(req->method, "GetMirrorRowCounts") == 0)
		reply.response.len = fake_counts(req, packed);
	ipc_send(f->ch, IPC_PROBE_REPLY, request_id, &reply);
	ipc_flush(f->ch, 1000);
	event_base_loopexit(f->base, NULL);
}

static inline void
fake_on_close(void *arg, const struct err *why)
{
	struct fake *f = arg;

	(void)why;
	ipc_free(&f->ch);
	event_base_loopexit(f->base, NULL);
}

static inline void
fake_worker_main(int argc, char **argv)
{
	static const struct ipc_handler handlers[] = {
		{ IPC_CONFIG, fake_on_config },
		{ IPC_STOP, fake_on_stop },
		{ IPC_PROBE_REQUEST, fake_on_probe },
		{ 0, NULL },
	};
	PeerdWorker__Hello hello = PEERD_WORKER__HELLO__INIT;
	struct fake f = { .name = "" };
	struct ipc_callbacks cb = { handlers, fake_on_close, NULL, &f };

	if (argc < 2 || (strcmp(argv[1], "mirror") != 0 && strcmp(argv[1], "probe") != 0))
		return;
	f.base = event_base_new();
	f.ch = ipc_new(f.base, IPC_FD, 0, &cb);
	ipc_send(f.ch, IPC_HELLO, 0, &hello);
	event_base_dispatch(f.base);
	ipc_free(&f.ch);
	event_base_free(f.base);
	exit(0);
}

#endif
