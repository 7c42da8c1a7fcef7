/*
 * What is found on a peer right now: schemas, tables, columns, publications,
 * slots, activity. Each is the same: find the peer, let a probe ask. And how
 * many rows a mirror's tables have on either side.
 */
#include "lib/control/mirror.h"
#include "lib/control/probe.h"
#include "lib/control/service_int.h"
#include "lib/wire/pbfield.h"

static void
lookup_on_probed(void *arg, const ProtobufCMessage *response, const struct err *err)
{
	struct rpc_call *call = arg;

	if (err != NULL)
		rpc_fail(call, err);
	else
		rpc_reply(response, call);
}

/* Slots of mirrors on the peer that do not carry the usual name. */
static char **
lookup_slots(struct rpc_call *call, const char *peer, size_t *n_r)
{
	struct service *svc = call->svc;
	char **slots = arena_alloc(call->arena, (HASH_COUNT(svc->mirrors) + 1) * sizeof(*slots));
	struct mirror *m, *next;
	size_t n = 0;

	HASH_ITER (hh, svc->mirrors, m, next)
		if (strcmp(m->config->source_name, peer) == 0 &&
		    m->config->replication_slot_name[0] != '\0')
			slots[n++] = arena_strdup(call->arena, m->config->replication_slot_name);
	*n_r = n;
	return slots;
}

/* Any call whose request names the peer in peer_name. */
static void
lookup(ProtobufCService *service, const ProtobufCMessage *input, ProtobufCClosure closure,
    void *closure_data)
{
	struct rpc_call *call = closure_data;
	const ProtobufCFieldDescriptor *f = pbfield_find(input->descriptor, "peer_name");
	const char *name = *(char **)pbfield_at(input, f, 0);
	struct peer *p = peer_for_call(call, name);
	struct probe_request req = { .request = input, .timeout_ms = PROBE_PEER_MS };

	(void)closure;
	if (p == NULL)
		return;
	req.method = service->descriptor->methods[call->method].name;
	req.peer = p->config;
	req.slots = lookup_slots(call, name, &req.nslots);
	probe_run(call->svc, &req, lookup_on_probed, call);
}

/* ---- row counts */

static bool
maps_table(const struct mirror *m, const char *source)
{
	for (size_t i = 0; i < m->config->n_table_mappings; i++)
		if (strcmp(m->config->table_mappings[i]->source_table_identifier, source) == 0)
			return true;
	return false;
}

/* False: the call has failed. */
static bool
counts_check_tables(struct rpc_call *call, const struct mirror *m,
    const PeerdbRoute__GetMirrorRowCountsRequest *req)
{
	for (size_t i = 0; i < req->n_source_tables; i++) {
		if (maps_table(m, req->source_tables[i]))
			continue;
		rpc_failf(call, ERR_NOT_FOUND, "mirror \"%s\" has no source table \"%s\"", m->name,
		    req->source_tables[i]);
		return false;
	}
	return true;
}

static void
get_mirror_row_counts(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__GetMirrorRowCountsRequest *input,
    PeerdbRoute__GetMirrorRowCountsResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct mirror *m = mirror_for_call(call, input->flow_job_name);
	struct peer *source, *destination;
	struct probe_request req = {
		.method = "GetMirrorRowCounts",
		.request = &input->base,
		.timeout_ms = PROBE_MIRROR_MS,
	};

	(void)service;
	(void)closure;
	if (m == NULL || !counts_check_tables(call, m, input) ||
	    (source = peer_for_call(call, m->config->source_name)) == NULL ||
	    (destination = peer_for_call(call, m->config->destination_name)) == NULL)
		return;
	req.peer = source->config;
	req.destination = destination->config;
	req.mirror = m->config;
	probe_run(call->svc, &req, lookup_on_probed, call);
}

void
service_lookups_install(PeerdbRoute__FlowService_Service *v)
{
	static const char *const names[] = {
		"GetSchemas",
		"GetPublications",
		"GetTablesInSchema",
		"GetAllTables",
		"GetColumns",
		"GetSlotInfo",
		"GetStatInfo",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		service_install(v, names[i], lookup);
	v->get_mirror_row_counts = get_mirror_row_counts;
}
