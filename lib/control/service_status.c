/*
 * How mirrors are doing: lists, status, the overview; and the instance itself.
 */
#include "lib/base/buf.h"
#include "lib/control/mirror.h"
#include "lib/control/service_int.h"
#include "lib/control/service_rows.h"
#include "lib/types/ident.h"

#define STATUS_BATCHES 100 /* newest ones in a status; the rest by CDCBatches */
#define US_PER_MS      1000.0

static int
peer_type_of(const struct service *svc, const char *name)
{
	struct peer *p = peer_find(svc, name);

	return p != NULL ? (int)p->config->type : PEERDB_PEERS__DBTYPE__DBTYPE_UNKNOWN;
}

/* ---- lists */

static PeerdbRoute__ListMirrorsItem *
list_item(struct rpc_call *call, const struct mirror *m)
{
	PeerdbRoute__ListMirrorsItem *item = arena_alloc(call->arena, sizeof(*item));

	peerdb_route__list_mirrors_item__init(item);
	item->id = m->id;
	item->workflow_id = arena_printf(call->arena, "%s-peerflow", m->name);
	item->name = m->name;
	item->source_name = m->config->source_name;
	item->source_type = peer_type_of(m->svc, m->config->source_name);
	item->destination_name = m->config->destination_name;
	item->destination_type = peer_type_of(m->svc, m->config->destination_name);
	item->created_at = (double)m->created_us / US_PER_MS;
	item->is_cdc = true;
	item->status = m->state;
	return item;
}

static void
list_mirrors(PeerdbRoute__FlowService_Service *service, const PeerdbRoute__ListMirrorsRequest *req,
    PeerdbRoute__ListMirrorsResponse_Closure closure, void *closure_data)
{
	struct service *svc = service_of(service);
	struct rpc_call *call = closure_data;
	PeerdbRoute__ListMirrorsResponse msg = PEERDB_ROUTE__LIST_MIRRORS_RESPONSE__INIT;
	struct mirror *m, *next;

	(void)req;
	(void)closure;
	msg.mirrors = arena_alloc(call->arena,
	    (HASH_COUNT(svc->mirrors) + 1) * sizeof(*msg.mirrors));
	HASH_ITER (hh, svc->mirrors, m, next)
		msg.mirrors[msg.n_mirrors++] = list_item(call, m);
	rpc_reply(&msg.base, call);
}

static void
list_mirror_names(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__ListMirrorNamesRequest *req,
    PeerdbRoute__ListMirrorNamesResponse_Closure closure, void *closure_data)
{
	struct service *svc = service_of(service);
	struct rpc_call *call = closure_data;
	PeerdbRoute__ListMirrorNamesResponse msg = PEERDB_ROUTE__LIST_MIRROR_NAMES_RESPONSE__INIT;
	struct mirror *m, *next;

	(void)req;
	(void)closure;
	msg.names = arena_alloc(call->arena, (HASH_COUNT(svc->mirrors) + 1) * sizeof(*msg.names));
	HASH_ITER (hh, svc->mirrors, m, next)
		msg.names[msg.n_names++] = m->name;
	rpc_reply(&msg.base, call);
}

/* ---- status: from memory, then ledger, batches and totals from the catalog, one after the other
 */

struct status {
	struct rpc_call *call;
	PeerdbRoute__MirrorStatusResponse msg;
	PeerdbRoute__CDCMirrorStatus cdc;
	PeerdbRoute__SnapshotStatus snapshot;
};

static const PeerdbRoute__MirrorStatusRequest *
status_request(const struct status *st)
{
	return (const PeerdbRoute__MirrorStatusRequest *)st->call->request;
}

/* The last step: memory is read now, all at once, as the mirror may have moved meanwhile. */
static void
status_finish(struct status *st)
{
	struct mirror *m = mirror_for_call(st->call, status_request(st)->flow_job_name);

	if (m == NULL)
		return;
	st->msg.flow_job_name = m->name;
	st->msg.current_flow_state = m->state;
	st->msg.created_at = rows_timestamp(st->call->arena, m->created_us);
	if (status_request(st)->include_flow_info) {
		st->cdc.config = m->config;
		st->cdc.source_type = peer_type_of(m->svc, m->config->source_name);
		st->cdc.destination_type = peer_type_of(m->svc, m->config->destination_name);
		st->msg.status_case = PEERDB_ROUTE__MIRROR_STATUS_RESPONSE__STATUS_CDC_STATUS;
		st->msg.cdc_status = &st->cdc;
	}
	rpc_reply(&st->msg.base, st->call);
}

static void
status_on_totals(void *arg, const struct err *err, const struct catalog_totals *t)
{
	struct status *st = arg;

	if (err != NULL) {
		rpc_fail(st->call, err);
		return;
	}
	st->cdc.rows_synced = t->batch_rows;
	status_finish(st);
}

static void
status_ask_totals(struct status *st)
{
	catalog_totals_get(st->call->svc->options.catalog, status_request(st)->flow_job_name,
	    status_on_totals, st);
}

static void
status_on_batches(void *arg, const struct err *err, const struct catalog_batch *rows, size_t n,
    const struct catalog_page *page)
{
	struct status *st = arg;

	(void)page;
	if (err != NULL) {
		rpc_fail(st->call, err);
		return;
	}
	st->cdc.cdc_batches = rows_batches(st->call->arena, rows, n, false);
	st->cdc.n_cdc_batches = n;
	status_ask_totals(st);
}

static void
status_ask_batches(struct status *st)
{
	const struct catalog_range range = { .limit = STATUS_BATCHES };

	if (status_request(st)->exclude_batches)
		status_ask_totals(st);
	else
		catalog_batches_list(st->call->svc->options.catalog,
		    status_request(st)->flow_job_name, &range, status_on_batches, st);
}

static void
status_on_load(void *arg, const struct err *err, const char *snapshot_id,
    const struct catalog_load_table *rows, size_t n)
{
	struct status *st = arg;
	struct mirror *m = mirror_find(st->call->svc, status_request(st)->flow_job_name);

	(void)snapshot_id;
	if (err != NULL) {
		rpc_fail(st->call, err);
		return;
	}
	st->snapshot.clones = rows_clones(st->call->arena, m, rows, n);
	st->snapshot.n_clones = m != NULL ? n : 0;
	st->cdc.snapshot_status = &st->snapshot;
	status_ask_batches(st);
}

static void
mirror_status(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__MirrorStatusRequest *req, PeerdbRoute__MirrorStatusResponse_Closure closure,
    void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct status *st = arena_zalloc(call->arena, sizeof(*st));

	(void)closure;
	if (mirror_for_call(call, req->flow_job_name) == NULL)
		return;
	st->call = call;
	peerdb_route__mirror_status_response__init(&st->msg);
	peerdb_route__cdcmirror_status__init(&st->cdc);
	peerdb_route__snapshot_status__init(&st->snapshot);
	if (!req->include_flow_info)
		status_finish(st);
	else if (req->exclude_snapshot_status)
		status_ask_batches(st);
	else
		catalog_load_list(service_of(service)->options.catalog, req->flow_job_name,
		    status_on_load, st);
}

/* ---- the overview */

static const char *
table_state_name(int state)
{
	static const char *const names[] = {
		[PEERD_WORKER__TABLE_STATE__TABLE_WAITING] = "waiting",
		[PEERD_WORKER__TABLE_STATE__TABLE_LOADING] = "loading",
		[PEERD_WORKER__TABLE_STATE__TABLE_INDEXING] = "indexing",
		[PEERD_WORKER__TABLE_STATE__TABLE_RUNNING] = "running",
		[PEERD_WORKER__TABLE_STATE__TABLE_ERROR] = "error",
	};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static PeerdbRoute__TableOverview *
table_overview(struct arena *a, struct mirror *m, const PeerdWorker__MirrorTable *t)
{
	PeerdbRoute__TableOverview *o = arena_alloc(a, sizeof(*o));
	char source[IDENT_TEXT_MAX], destination[IDENT_TEXT_MAX];
	const struct mirror_load *l;

	peerdb_route__table_overview__init(o);
	ident_format(t->source_schema, t->source_name, source);
	ident_format(t->destination_schema, t->destination_name, destination);
	o->source_table = arena_strdup(a, source);
	o->destination_table = arena_strdup(a, destination);
	o->state = (char *)table_state_name((int)t->state);
	o->error = t->error;
	l = mirror_load_find(m, source);
	if (l == NULL)
		return o;
	o->rows_loaded = l->rows;
	o->rows_estimated = l->rows_estimated;
	o->partitions_completed = l->partitions_done;
	o->partitions_total = l->partitions_total;
	return o;
}

static char *
lsn_text(struct arena *a, lsn_t lsn)
{
	return arena_strdup(a, lsn != LSN_INVALID ? lsn_str(lsn) : "");
}

static PeerdbRoute__MirrorOverview *
mirror_overview_of(struct arena *a, struct mirror *m)
{
	PeerdbRoute__MirrorOverview *o = arena_alloc(a, sizeof(*o));
	size_t n = m->tables != NULL ? m->tables->n_tables : 0;

	peerdb_route__mirror_overview__init(o);
	o->name = m->name;
	o->source_name = m->config->source_name;
	o->destination_name = m->config->destination_name;
	o->status = m->state;
	o->lag_bytes = m->lag_bytes;
	o->lag_ms = m->lag_us < 0 ? -1 : m->lag_us / USEC_PER_MSEC;
	o->rows_per_second = m->rows_per_second;
	o->rows_synced = m->rows_synced;
	o->error_message = m->error.msg;
	o->error_hint = m->error.hint;
	o->worker_pid = m->child != NULL ? (int32_t)child_pid(m->child) : 0;
	o->received_lsn = lsn_text(a, m->received_lsn);
	o->confirmed_lsn = lsn_text(a, m->confirmed_lsn);
	o->tables = arena_alloc(a, (n + 1) * sizeof(*o->tables));
	for (size_t i = 0; i < n; i++)
		o->tables[o->n_tables++] = table_overview(a, m, m->tables->tables[i]);
	return o;
}

static void
mirror_overview(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__MirrorOverviewRequest *req,
    PeerdbRoute__MirrorOverviewResponse_Closure closure, void *closure_data)
{
	struct service *svc = service_of(service);
	struct rpc_call *call = closure_data;
	PeerdbRoute__MirrorOverviewResponse msg = PEERDB_ROUTE__MIRROR_OVERVIEW_RESPONSE__INIT;
	struct mirror *m, *next;

	(void)req;
	(void)closure;
	msg.mirrors = arena_alloc(call->arena,
	    (HASH_COUNT(svc->mirrors) + 1) * sizeof(*msg.mirrors));
	HASH_ITER (hh, svc->mirrors, m, next)
		msg.mirrors[msg.n_mirrors++] = mirror_overview_of(call->arena, m);
	rpc_reply(&msg.base, call);
}

/* ---- the instance */

static void
get_version(PeerdbRoute__FlowService_Service *service, const PeerdbRoute__PeerDBVersionRequest *req,
    PeerdbRoute__PeerDBVersionResponse_Closure closure, void *closure_data)
{
	PeerdbRoute__PeerDBVersionResponse msg = PEERDB_ROUTE__PEER_DBVERSION_RESPONSE__INIT;

	(void)req;
	(void)closure;
	msg.version = (char *)service_of(service)->options.version;
	rpc_reply(&msg.base, closure_data);
}

static void
get_instance_info(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__InstanceInfoRequest *req, PeerdbRoute__InstanceInfoResponse_Closure closure,
    void *closure_data)
{
	PeerdbRoute__InstanceInfoResponse msg = PEERDB_ROUTE__INSTANCE_INFO_RESPONSE__INIT;

	(void)service;
	(void)req;
	(void)closure;
	msg.status = PEERDB_ROUTE__INSTANCE_STATUS__INSTANCE_STATUS_READY;
	rpc_reply(&msg.base, closure_data);
}

void
service_status_install(PeerdbRoute__FlowService_Service *v)
{
	v->list_mirrors = list_mirrors;
	v->list_mirror_names = list_mirror_names;
	v->mirror_status = mirror_status;
	v->mirror_overview = mirror_overview;
	v->get_version = get_version;
	v->get_instance_info = get_instance_info;
}
