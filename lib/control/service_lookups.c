/*
 * What is found on a peer right now: schemas, tables, columns, publications,
 * slots, activity. Each is the same: find the peer, let a probe ask.
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
}
