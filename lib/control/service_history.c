/*
 * What a mirror has done: batches, counts, loads, log lines. All from the
 * catalog.
 */
#include "lib/control/mirror.h"
#include "lib/control/service_int.h"
#include "lib/control/service_rows.h"

#define PAGE_ROWS 100 /* when the request does not say */
#define PAGE_MAX  10000
#define US_PER_MS 1000.0

/* ---- pages */

/* -1 and 0 are both "not given". */
static struct catalog_range
range_of(int64_t before_id, int64_t after_id, int64_t limit, bool ascending)
{
	struct catalog_range range = {
		.before_id = before_id > 0 ? before_id : 0,
		.after_id = after_id > 0 ? after_id : 0,
		.limit = limit > 0 ? limit : PAGE_ROWS,
		/* the rows next to after_id are wanted, not the newest of all */
		.ascending = ascending || after_id > 0,
	};

	if (range.limit > PAGE_MAX)
		range.limit = PAGE_MAX;
	return range;
}

/*
 * The number of the page, from 1, in the order asked for: rows that come
 * before it are those skipped, or, when read backwards, those left.
 */
static int32_t
page_number(const struct catalog_page *page, size_t n, int64_t limit, bool backwards)
{
	int64_t before = backwards ? page->total - page->skipped - (int64_t)n : page->skipped;

	return (int32_t)(before / limit + 1);
}

/* ---- batches */

static struct catalog_range
batches_range(const PeerdbRoute__GetCDCBatchesRequest *req)
{
	return range_of(req->before_id, req->after_id, (int64_t)req->limit, req->ascending);
}

static void
batches_on_rows(void *arg, const struct err *err, const struct catalog_batch *rows, size_t n,
    const struct catalog_page *page)
{
	struct rpc_call *call = arg;
	const PeerdbRoute__GetCDCBatchesRequest *req = (const PeerdbRoute__GetCDCBatchesRequest *)
							   call->request;
	struct catalog_range range = batches_range(req);
	bool backwards = range.ascending && !req->ascending;
	PeerdbRoute__GetCDCBatchesResponse msg = PEERDB_ROUTE__GET_CDCBATCHES_RESPONSE__INIT;

	if (err != NULL) {
		rpc_fail(call, err);
		return;
	}
	msg.cdc_batches = rows_batches(call->arena, rows, n, backwards);
	msg.n_cdc_batches = n;
	msg.total = (int32_t)page->total;
	msg.page = page_number(page, n, range.limit, backwards);
	rpc_reply(&msg.base, call);
}

static void
get_cdcbatches(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__GetCDCBatchesRequest *req,
    PeerdbRoute__GetCDCBatchesResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct catalog_range range = batches_range(req);

	(void)closure;
	if (mirror_for_call(call, req->flow_job_name) != NULL)
		catalog_batches_list(service_of(service)->options.catalog, req->flow_job_name,
		    &range, batches_on_rows, call);
}

/* ---- counts */

static void
counts_on_rows(void *arg, const struct err *err, const struct catalog_counts *rows, size_t n)
{
	struct rpc_call *call = arg;
	PeerdbRoute__CDCTableTotalCountsResponse msg =
	    PEERDB_ROUTE__CDCTABLE_TOTAL_COUNTS_RESPONSE__INIT;
	int64_t inserts = 0, updates = 0, deletes = 0;

	if (err != NULL) {
		rpc_fail(call, err);
		return;
	}
	msg.tables_data = arena_alloc(call->arena, (n + 1) * sizeof(*msg.tables_data));
	msg.n_tables_data = n;
	for (size_t i = 0; i < n; i++) {
		PeerdbRoute__CDCTableRowCounts *t = arena_alloc(call->arena, sizeof(*t));

		peerdb_route__cdctable_row_counts__init(t);
		t->table_name = (char *)rows[i].destination;
		t->counts = rows_counts(call->arena, rows[i].inserts, rows[i].updates,
		    rows[i].deletes);
		msg.tables_data[i] = t;
		inserts += rows[i].inserts;
		updates += rows[i].updates;
		deletes += rows[i].deletes;
	}
	msg.total_data = rows_counts(call->arena, inserts, updates, deletes);
	rpc_reply(&msg.base, call);
}

static void
cdctable_total_counts(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__CDCTableTotalCountsRequest *req,
    PeerdbRoute__CDCTableTotalCountsResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;

	(void)closure;
	if (mirror_for_call(call, req->flow_job_name) != NULL)
		catalog_counts_list(service_of(service)->options.catalog, req->flow_job_name,
		    counts_on_rows, call);
}

static void
totals_on_totals(void *arg, const struct err *err, const struct catalog_totals *t)
{
	struct rpc_call *call = arg;
	const PeerdbRoute__TotalRowsSyncedByMirrorRequest *req =
	    (const PeerdbRoute__TotalRowsSyncedByMirrorRequest *)call->request;
	PeerdbRoute__TotalRowsSyncedByMirrorResponse msg =
	    PEERDB_ROUTE__TOTAL_ROWS_SYNCED_BY_MIRROR_RESPONSE__INIT;

	if (err != NULL) {
		rpc_fail(call, err);
		return;
	}
	if (!req->exclude_cdc)
		msg.totalcountcdc = t->inserts + t->updates + t->deletes;
	if (!req->exclude_initial_load)
		msg.totalcountinitialload = t->snapshot_rows;
	msg.totalcount = msg.totalcountcdc + msg.totalcountinitialload;
	rpc_reply(&msg.base, call);
}

static void
total_rows_synced(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__TotalRowsSyncedByMirrorRequest *req,
    PeerdbRoute__TotalRowsSyncedByMirrorResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;

	(void)closure;
	if (mirror_for_call(call, req->flow_job_name) != NULL)
		catalog_totals_get(service_of(service)->options.catalog, req->flow_job_name,
		    totals_on_totals, call);
}

/* ---- the initial load */

static void
loads_on_rows(void *arg, const struct err *err, const char *snapshot_id,
    const struct catalog_load_table *rows, size_t n)
{
	struct rpc_call *call = arg;
	const PeerdbRoute__InitialLoadSummaryRequest *req =
	    (const PeerdbRoute__InitialLoadSummaryRequest *)call->request;
	PeerdbRoute__InitialLoadSummaryResponse msg =
	    PEERDB_ROUTE__INITIAL_LOAD_SUMMARY_RESPONSE__INIT;
	struct mirror *m;

	(void)snapshot_id;
	if (err != NULL) {
		rpc_fail(call, err);
		return;
	}
	m = mirror_for_call(call, req->parent_mirror_name);
	if (m == NULL)
		return;
	msg.tablesummaries = rows_clones(call->arena, m, rows, n);
	msg.n_tablesummaries = n;
	rpc_reply(&msg.base, call);
}

static void
initial_load_summary(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__InitialLoadSummaryRequest *req,
    PeerdbRoute__InitialLoadSummaryResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;

	(void)closure;
	if (mirror_for_call(call, req->parent_mirror_name) != NULL)
		catalog_load_list(service_of(service)->options.catalog, req->parent_mirror_name,
		    loads_on_rows, call);
}

/* ---- log lines */

static struct catalog_range
logs_range(const PeerdbRoute__ListMirrorLogsRequest *req)
{
	return range_of(req->before_id, req->after_id, req->num_per_page, false);
}

static PeerdbRoute__MirrorLog *
log_row(struct arena *a, const struct catalog_log *row)
{
	PeerdbRoute__MirrorLog *l = arena_alloc(a, sizeof(*l));

	peerdb_route__mirror_log__init(l);
	l->flow_name = (char *)row->mirror;
	l->error_message = (char *)row->message;
	l->error_type = (char *)row->level;
	l->error_timestamp = (double)row->at_us / US_PER_MS;
	l->id = (int32_t)row->id;
	return l;
}

static void
logs_on_rows(void *arg, const struct err *err, const struct catalog_log *rows, size_t n,
    const struct catalog_page *page)
{
	struct rpc_call *call = arg;
	struct catalog_range range = logs_range(
	    (const PeerdbRoute__ListMirrorLogsRequest *)call->request);
	PeerdbRoute__ListMirrorLogsResponse msg = PEERDB_ROUTE__LIST_MIRROR_LOGS_RESPONSE__INIT;

	if (err != NULL) {
		rpc_fail(call, err);
		return;
	}
	msg.errors = arena_alloc(call->arena, (n + 1) * sizeof(*msg.errors));
	msg.n_errors = n;
	for (size_t i = 0; i < n; i++)
		msg.errors[i] = log_row(call->arena, &rows[range.ascending ? n - 1 - i : i]);
	msg.total = (int32_t)page->total;
	msg.page = page_number(page, n, range.limit, range.ascending);
	rpc_reply(&msg.base, call);
}

static void
list_mirror_logs(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__ListMirrorLogsRequest *req,
    PeerdbRoute__ListMirrorLogsResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	const struct catalog_log_filter filter = {
		.mirror = req->flow_job_name,
		.level = strcmp(req->level, "all") == 0 ? "" : req->level,
		.range = logs_range(req),
	};

	(void)closure;
	if (req->page > 1)
		rpc_failf(call, ERR_UNIMPLEMENTED,
		    "page is not supported: page through the log with before_id and after_id");
	else
		catalog_logs_list(service_of(service)->options.catalog, &filter, logs_on_rows,
		    call);
}

void
service_history_install(PeerdbRoute__FlowService_Service *v)
{
	v->get_cdcbatches = get_cdcbatches;
	v->cdcbatches = get_cdcbatches;
	v->cdctable_total_counts = cdctable_total_counts;
	v->total_rows_synced_by_mirror = total_rows_synced;
	v->initial_load_summary = initial_load_summary;
	v->list_mirror_logs = list_mirror_logs;
}
