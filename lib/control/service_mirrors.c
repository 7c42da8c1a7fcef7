/*
 * Mirrors: validate and create.
 */
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/control/mirror.h"
#include "lib/control/mirror_check.h"
#include "lib/control/peer_check.h"
#include "lib/control/probe.h"
#include "lib/control/service_int.h"
#include "lib/wire/pbutil.h"

#define NAMES_MAX 1024

typedef PeerdbFlow__FlowConnectionConfigs mirror_config_t;

/* ---- in memory */

struct mirror *
mirror_find(const struct service *svc, const char *name)
{
	struct mirror *m;

	HASH_FIND_STR(svc->mirrors, name, m);
	return m;
}

static int
mirror_order(struct mirror *a, struct mirror *b)
{
	return strcmp(a->name, b->name);
}

void
mirror_put(struct service *svc, struct mirror *m)
{
	HASH_ADD_KEYPTR_INORDER(hh, svc->mirrors, m->name, strlen(m->name), m, mirror_order);
}

struct mirror *
mirror_for_call(struct rpc_call *call, const char *name)
{
	struct mirror *m = mirror_find(call->svc, name);

	if (m != NULL)
		return m;
	call->mirror_state = PEERDB_FLOW__FLOW_STATUS__STATUS_UNKNOWN;
	rpc_failf(call, ERR_NOT_FOUND, "mirror \"%s\" does not exist", name);
	return NULL;
}

/* ---- checks without leaving the house */

static const mirror_config_t *
call_config(const struct rpc_call *call)
{
	return ((const PeerdbRoute__CreateCDCFlowRequest *)call->request)->connection_configs;
}

static bool
check_peer_of_mirror(const struct service *svc, const char *name, const char *field,
    struct peer **p_r, struct err *err)
{
	struct peer *p = peer_find(svc, name);

	if (p == NULL) {
		err_set(err, ERR_NOT_FOUND, "peer \"%s\" does not exist", name);
		return err_hint(err, "create it first, or mend %s", field);
	}
	*p_r = p;
	return peer_check_serves(p->config, err);
}

/* Two mirrors reading one slot would each lose what the other has read. */
static bool
check_slot_is_free(const struct service *svc, const mirror_config_t *c, struct err *err)
{
	char slot[MIRROR_SLOT_MAX], other[MIRROR_SLOT_MAX];
	struct mirror *m, *next;

	mirror_slot_name(c, slot);
	HASH_ITER (hh, svc->mirrors, m, next) {
		mirror_slot_name(m->config, other);
		if (strcmp(slot, other) == 0 && strcmp(m->config->source_name, c->source_name) == 0)
			return err_set(err, ERR_CONFIG,
			    "replication slot \"%s\" belongs to mirror \"%s\"", slot, m->name);
	}
	return true;
}

static bool
check_mirror_here(const struct service *svc, const mirror_config_t *c, struct peer **source_r,
    struct peer **destination_r, struct err *err)
{
	return mirror_check(c, err) &&
	    check_peer_of_mirror(svc, c->source_name, "source_name", source_r, err) &&
	    check_peer_of_mirror(svc, c->destination_name, "destination_name", destination_r,
		err) &&
	    mirror_check_destinations(c, (int)(*destination_r)->config->type, err) &&
	    check_slot_is_free(svc, c, err);
}

/*
 * All that is to be checked, ending in done: on the spot when the checks at
 * home fail, from the probe's answer otherwise.
 */
static void
check_mirror(struct rpc_call *call, probe_done_fn *done)
{
	struct peer *source, *destination;
	struct err err = ERR_INIT;
	struct probe_request req = {
		.method = "ValidateCDCMirror",
		.request = call->request,
		.timeout_ms = PROBE_MIRROR_MS,
	};

	if (!check_mirror_here(call->svc, call_config(call), &source, &destination, &err)) {
		done(call, NULL, &err);
		return;
	}
	req.peer = source->config;
	req.destination = destination->config;
	probe_run(call->svc, &req, done, call);
}

/* A source or destination that is away is the request's trouble, not peerd's. */
static void
fail_checks(struct rpc_call *call, const struct err *why)
{
	struct err err = *why;

	if (err.code == ERR_TRANSIENT && strcmp(err.reason, PROBE_NOT_RUN) != 0)
		err.code = ERR_CONFIG;
	rpc_fail(call, &err);
}

/* ---- validate */

static void
validate_on_checked(void *arg, const ProtobufCMessage *response, const struct err *err)
{
	PeerdbRoute__ValidateCDCMirrorResponse msg =
	    PEERDB_ROUTE__VALIDATE_CDCMIRROR_RESPONSE__INIT;

	(void)response;
	if (err != NULL)
		fail_checks(arg, err);
	else
		rpc_reply(&msg.base, arg);
}

static void
fail_exists(struct rpc_call *call, const struct mirror *m, const char *differs)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_EXISTS, "mirror with name %s already exists%s%s", m->name,
	    differs[0] != '\0' ? " with another configuration; what differs: " : "", differs);
	if (m->wanted == CATALOG_WANT_DROPPED)
		err_hint(&err, "it is being dropped: try again when it is gone");
	err_reason(&err, "MIRROR");
	rpc_fail(call, &err);
}

static void
validate_cdcmirror(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__CreateCDCFlowRequest *req,
    PeerdbRoute__ValidateCDCMirrorResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct mirror *m;

	(void)closure;
	if (req->connection_configs == NULL) {
		rpc_failf(call, ERR_INVALID, "connection_configs is required");
		return;
	}
	m = mirror_find(service_of(service), req->connection_configs->flow_job_name);
	if (m != NULL)
		fail_exists(call, m, "");
	else
		check_mirror(call, validate_on_checked);
}

/* ---- create */

static void
create_reply(struct rpc_call *call)
{
	PeerdbRoute__CreateCDCFlowResponse msg = PEERDB_ROUTE__CREATE_CDCFLOW_RESPONSE__INIT;

	msg.workflow_id = arena_printf(call->arena, "%s-peerflow",
	    call_config(call)->flow_job_name);
	rpc_reply(&msg.base, call);
}

/*
 * The same again is a success, another of that name is not. Whether its tables
 * are loaded afresh is no trait of a mirror: that ends with the load.
 */
static void
create_over_existing(struct rpc_call *call, const struct mirror *m)
{
	const PeerdbRoute__CreateCDCFlowRequest *req = (const PeerdbRoute__CreateCDCFlowRequest *)
							   call->request;
	mirror_config_t asked = *req->connection_configs;
	struct buf names;
	bool same;

	asked.has_resync = asked.resync = m->config->resync;
	buf_init(&names, NAMES_MAX);
	same = pb_diff(&m->config->base, &asked.base, &names);
	if (m->wanted == CATALOG_WANT_DROPPED)
		fail_exists(call, m, "");
	else if (same || req->attach_to_existing)
		create_reply(call);
	else
		fail_exists(call, m, buf_str(&names));
	buf_done(&names);
}

/* The new row, as the catalog has it now, becomes a mirror at work. */
static void
create_on_loaded(void *arg, const struct err *failed, const struct catalog_mirror *rows, size_t n)
{
	struct rpc_call *call = arg;
	const char *name = call_config(call)->flow_job_name;
	struct err err = failed != NULL ? *failed : (struct err)ERR_INIT;
	struct mirror *m = NULL;

	for (size_t i = 0; failed == NULL && i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			m = mirror_new(call->svc, &rows[i], &err);
	if (m == NULL) {
		rpc_fail(call, &err);
		return;
	}
	mirror_put(call->svc, m);
	log_info(&m->subject, "created by %s", call->principal);
	mirror_note(m, LOG_LEVEL_INFO, "created");
	create_reply(call);
	mirror_begin(m);
}

static void
create_on_stored(void *arg, const struct err *err)
{
	struct rpc_call *call = arg;
	struct mirror *m = mirror_find(call->svc, call_config(call)->flow_job_name);

	if (err == NULL)
		catalog_mirrors_load(call->svc->options.catalog, create_on_loaded, call);
	else if (err->code == ERR_EXISTS && m != NULL) /* made while this one was being checked */
		create_over_existing(call, m);
	else
		rpc_fail(call, err);
}

static void
create_store(struct rpc_call *call)
{
	const mirror_config_t *c = call_config(call);
	size_t n;
	uint8_t *packed = message_pack(&c->base, &n);
	const struct catalog_mirror row = {
		.name = c->flow_job_name,
		.source = c->source_name,
		.destination = c->destination_name,
		.config = slice_of(packed, n),
		.state = {
			.wanted = CATALOG_WANT_RUNNING,
			.status = PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP,
			.phase = PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP,
		},
	};

	catalog_mirror_insert(call->svc->options.catalog, &row, create_on_stored, call);
	free(packed);
}

static void
create_on_checked(void *arg, const ProtobufCMessage *response, const struct err *err)
{
	(void)response;
	if (err != NULL)
		fail_checks(arg, err);
	else
		create_store(arg);
}

/* skip_validation spares the foreign databases, not our own sense. */
static void
create_unvalidated(struct rpc_call *call)
{
	struct peer *source, *destination;
	struct err err = ERR_INIT;

	if (check_mirror_here(call->svc, call_config(call), &source, &destination, &err))
		create_store(call);
	else
		rpc_fail(call, &err);
}

static void
create_cdcflow(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__CreateCDCFlowRequest *req,
    PeerdbRoute__CreateCDCFlowResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	mirror_config_t *c = req->connection_configs;
	struct mirror *m;
	bool skip;

	(void)closure;
	if (c == NULL) {
		rpc_failf(call, ERR_INVALID, "connection_configs is required");
		return;
	}
	/* these say how to create, or are ours to say; they are no part of what is kept */
	skip = c->has_skip_validation && c->skip_validation;
	c->has_skip_validation = c->has_version = false;
	m = mirror_find(service_of(service), c->flow_job_name);
	if (m != NULL)
		create_over_existing(call, m);
	else if (skip)
		create_unvalidated(call);
	else
		check_mirror(call, create_on_checked);
}

void
service_mirrors_install(PeerdbRoute__FlowService_Service *v)
{
	v->validate_cdcmirror = validate_cdcmirror;
	v->create_cdcflow = create_cdcflow;
}
