#include "lib/control/service_int.h"

#include <event2/event.h>

#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/control/mirror.h"
#include "lib/control/mirror_counts.h"
#include "lib/control/probe.h"
#include "lib/wire/pbutil.h"

#define CALL_ARENA_BYTES 4096

/* ---- calls */

static const ProtobufCServiceDescriptor *const service_desc =
    &peerdb_route__flow_service__descriptor;

int
rpc_method_find(const char *name)
{
	const ProtobufCMethodDescriptor *m = protobuf_c_service_descriptor_get_method_by_name(
	    service_desc, name);

	return m != NULL ? (int)(m - service_desc->methods) : -1;
}

static void
rpc_free(struct rpc_call *call)
{
	protobuf_c_message_free_unpacked(call->request, NULL);
	arena_free(&call->arena);
	free(call);
}

/* Inside rpc_begin() the call outlives its end, so that a method may still look at its request. */
static void
rpc_complete(struct rpc_call *call, const struct rpc_outcome *outcome)
{
	if (call->done != NULL)
		call->done(call->done_arg, outcome);
	if (call->completed != NULL)
		*call->completed = true;
	else
		rpc_free(call);
}

void
rpc_reply(const ProtobufCMessage *response, void *arg)
{
	struct rpc_outcome outcome = { .response = response, .mirror_state = -1 };

	rpc_complete(arg, &outcome);
}

void
rpc_fail(struct rpc_call *call, const struct err *err)
{
	struct rpc_outcome outcome = {
		.err = err,
		.mirror_state = call->mirror_state,
		.status_name = call->status_name,
	};

	rpc_complete(call, &outcome);
}

void
rpc_failf(struct rpc_call *call, int err_code, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	err_vset(&err, (enum err_code)err_code, fmt, ap);
	va_end(ap);
	rpc_fail(call, &err);
}

struct rpc_call *
rpc_begin(struct service *svc, unsigned method, ProtobufCMessage *request, const char *principal,
    rpc_done_fn *done, void *arg)
{
	struct rpc_call *call = xcalloc(1, sizeof(*call));
	bool completed = false;

	call->svc = svc;
	call->method = method;
	call->request = request;
	call->arena = arena_new(CALL_ARENA_BYTES);
	call->mirror_state = -1;
	call->done = done;
	call->done_arg = arg;
	call->completed = &completed;
	str_copy(call->principal, sizeof(call->principal), principal);
	if (service_is_ready(svc))
		protobuf_c_service_invoke_internal(&svc->vtable.base, method, request, rpc_reply,
		    call);
	else
		rpc_failf(call, ERR_TRANSIENT, "peerd is %s",
		    svc->stopping ? "stopping" : "still starting");
	call->completed = NULL;
	if (!completed)
		return call;
	rpc_free(call);
	return NULL;
}

void
rpc_abandon(struct rpc_call **callp)
{
	if (*callp != NULL)
		(*callp)->done = NULL;
	*callp = NULL;
}

/* ---- the vtable */

static void
method_unimplemented(ProtobufCService *service, const ProtobufCMessage *input,
    ProtobufCClosure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct err err = ERR_INIT;

	(void)service;
	(void)input;
	(void)closure;
	err_set(&err, ERR_UNIMPLEMENTED, "%s is not available in this version of peerd",
	    service_desc->methods[call->method].name);
	rpc_fail(call, &err);
}

/* protobuf-c itself treats the functions behind the base as an array; see invoke_internal. */
static service_method_fn **
service_methods(PeerdbRoute__FlowService_Service *v)
{
	return (service_method_fn **)(void *)(&v->base + 1);
}

void
service_install(PeerdbRoute__FlowService_Service *v, const char *name, service_method_fn *fn)
{
	service_methods(v)[rpc_method_find(name)] = fn;
}

static void
service_vtable_init(PeerdbRoute__FlowService_Service *v)
{
	protobuf_c_service_generated_init(&v->base, service_desc, NULL);
	for (unsigned i = 0; i < service_desc->n_methods; i++)
		service_methods(v)[i] = method_unimplemented;
	service_peers_install(v);
	service_lookups_install(v);
	service_mirrors_install(v);
	service_changes_install(v);
	service_status_install(v);
	service_history_install(v);
}

uint8_t *
message_pack(const ProtobufCMessage *msg, size_t *n_r)
{
	uint8_t *p = xmalloc(protobuf_c_message_get_packed_size(msg));

	*n_r = protobuf_c_message_pack(msg, p);
	return p;
}

/* ---- making facts durable */

static void
service_on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct service *svc = arg;
	struct err err = ERR_INIT;

	(void)fd;
	(void)what;
	if (!catalog_flush(svc->options.catalog, &err))
		log_error(NULL, "history could not be stored: %s", err.msg);
}

void
service_flush_soon(struct service *svc)
{
	struct timeval tv = { .tv_usec = CATALOG_FLUSH_US };

	if (!evtimer_pending(svc->flush, NULL))
		evtimer_add(svc->flush, &tv);
}

/* ---- life */

struct service *
service_new(const struct service_options *options)
{
	struct service *svc = xcalloc(1, sizeof(*svc));

	svc->options = *options;
	TAILQ_INIT(&svc->probes);
	svc->sup = supervisor_new(options->base, options->worker_path);
	svc->flush = evtimer_new(options->base, service_on_flush, svc);
	service_vtable_init(&svc->vtable);
	return svc;
}

bool
service_is_ready(const struct service *svc)
{
	return svc->started && !svc->stopping;
}

static void
service_started(struct service *svc, const struct err *err)
{
	struct mirror *m, *next;

	svc->started = err == NULL;
	svc->start_done(svc->start_arg, err);
	if (svc->started)
		HASH_ITER (hh, svc->mirrors, m, next)
			mirror_begin(m);
}

static bool
service_take_mirror(struct service *svc, const struct catalog_mirror *row, struct err *err)
{
	struct mirror *m = mirror_new(svc, row, err);

	if (m == NULL)
		return err_context(err, "mirror \"%s\"", row->name);
	mirror_put(svc, m);
	mirror_recall(m);
	return true;
}

static void
service_on_mirrors(void *arg, const struct err *failed, const struct catalog_mirror *rows, size_t n)
{
	struct service *svc = arg;
	struct err err = failed != NULL ? *failed : (struct err)ERR_INIT;
	bool ok = failed == NULL;

	for (size_t i = 0; ok && i < n; i++)
		ok = service_take_mirror(svc, &rows[i], &err);
	service_started(svc, ok ? NULL : &err);
}

static bool
service_take_peer(struct service *svc, const struct catalog_peer *row, struct err *err)
{
	PeerdbPeers__Peer *config = peerdb_peers__peer__unpack(NULL, row->config.n, row->config.p);

	if (config == NULL)
		return err_set(err, ERR_DATA, "the catalog's row of peer \"%s\" is damaged",
		    row->name);
	peer_put(svc, config);
	return true;
}

static void
service_on_peers(void *arg, const struct err *failed, const struct catalog_peer *rows, size_t n)
{
	struct service *svc = arg;
	struct err err = failed != NULL ? *failed : (struct err)ERR_INIT;
	bool ok = failed == NULL;

	for (size_t i = 0; ok && i < n; i++)
		ok = service_take_peer(svc, &rows[i], &err);
	if (ok)
		catalog_mirrors_load(svc->options.catalog, service_on_mirrors, svc);
	else
		service_started(svc, &err);
}

void
service_start(struct service *svc, void (*done)(void *arg, const struct err *err), void *arg)
{
	svc->start_done = done;
	svc->start_arg = arg;
	catalog_peers_load(svc->options.catalog, service_on_peers, svc);
}

static void
service_on_no_children(void *arg)
{
	struct service *svc = arg;

	supervisor_on_none(svc->sup, NULL, NULL);
	svc->stop_done(svc->stop_arg);
}

void
service_stop(struct service *svc, void (*done)(void *arg), void *arg)
{
	struct mirror *m, *next;

	svc->stopping = true;
	svc->stop_done = done;
	svc->stop_arg = arg;
	probe_cancel_all(svc);
	HASH_ITER (hh, svc->mirrors, m, next)
		mirror_shut(m);
	supervisor_on_none(svc->sup, service_on_no_children, svc);
}

void
service_free(struct service **svcp)
{
	struct service *svc = *svcp;
	struct mirror *m, *next_m;
	struct peer *p, *next_p;

	*svcp = NULL;
	if (svc == NULL)
		return;
	svc->stopping = true;
	probe_cancel_all(svc);
	HASH_ITER (hh, svc->mirrors, m, next_m) {
		HASH_DEL(svc->mirrors, m);
		mirror_free(&m);
	}
	HASH_ITER (hh, svc->peers, p, next_p)
		peer_remove(svc, p);
	supervisor_free(&svc->sup);
	event_free(svc->flush);
	free(svc);
}

/* ---- views */

unsigned
service_peer_count(const struct service *svc)
{
	return HASH_COUNT(svc->peers);
}

void
service_each_mirror(struct service *svc, void (*fn)(const struct service_mirror *mirror, void *arg),
    void *arg)
{
	struct mirror *m, *next;

	HASH_ITER (hh, svc->mirrors, m, next) {
		struct service_mirror view = {
			.name = m->name,
			.source = m->config->source_name,
			.destination = m->config->destination_name,
			.state = (int)m->state,
			.worker_pid = m->child != NULL ? child_pid(m->child) : 0,
			.in_trouble = m->error.code != ERR_NONE,
			.lag_bytes = m->lag_bytes,
			.lag_us = m->lag_us,
			.rows_per_second = m->rows_per_second,
			.rows_synced = m->rows_synced,
			.rows_loaded = mirror_rows_loaded(m),
			.batches = m->batches,
			.restarts = m->starts > 0 ? m->starts - 1 : 0,
			.worker_rss_bytes = m->worker_rss,
			.worker_cpu_us = m->worker_cpu_us,
			.confirmed_lsn = m->confirmed_lsn,
		};

		fn(&view, arg);
	}
}

/* mirror_counts_each() to service_each_table() */
struct table_visit {
	const char *mirror;
	void (*fn)(const struct service_table *table, void *arg);
	void *arg;
};

static void
visit_table(void *arg, const struct catalog_counts *sums)
{
	const struct table_visit *v = arg;
	const struct service_table view = {
		.mirror = v->mirror,
		.destination = sums->destination,
		.inserts = sums->inserts,
		.updates = sums->updates,
		.deletes = sums->deletes,
	};

	v->fn(&view, v->arg);
}

void
service_each_table(struct service *svc, void (*fn)(const struct service_table *table, void *arg),
    void *arg)
{
	struct table_visit v = { .fn = fn, .arg = arg };
	struct mirror *m, *next;

	HASH_ITER (hh, svc->mirrors, m, next) {
		v.mirror = m->name;
		mirror_counts_each(m->counts, visit_table, &v);
	}
}
