/*
 * FlowStateChange: pause, resume, resync, terminate.
 */
#include "lib/base/log.h"
#include "lib/control/mirror.h"
#include "lib/control/service_int.h"

#define S(name) PEERDB_FLOW__FLOW_STATUS__STATUS_##name

/* What may be asked for. */
struct wish {
	int requested;
	enum mirror_event event;
	enum catalog_wanted wanted;
};

static const struct wish wishes[] = {
	{ S(RUNNING), EV_RUN_ASKED, CATALOG_WANT_RUNNING },
	{ S(PAUSED), EV_PAUSE_ASKED, CATALOG_WANT_PAUSED },
	{ S(RESYNC), EV_RESYNC_ASKED, CATALOG_WANT_RUNNING },
	{ S(TERMINATING), EV_DROP_ASKED, CATALOG_WANT_DROPPED },
	{ S(TERMINATED), EV_DROP_ASKED, CATALOG_WANT_DROPPED },
};

static const struct wish *
wish_find(int requested)
{
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (wishes[i].requested == requested)
			return &wishes[i];
	return NULL;
}

/* A resync that is under way is the one that is asked for: it goes on. */
static enum mirror_event
wish_event(const struct wish *wish, const struct mirror *m)
{
	bool loading = m->state == S(SETUP) || m->state == S(SNAPSHOT);

	return wish->event == EV_RESYNC_ASKED && m->config->resync && loading ? EV_RUN_ASKED
									      : wish->event;
}

static const PeerdbRoute__FlowStateChangeRequest *
call_change(const struct rpc_call *call)
{
	return (const PeerdbRoute__FlowStateChangeRequest *)call->request;
}

static void
change_on_done(void *arg, const struct err *err)
{
	PeerdbRoute__FlowStateChangeResponse msg = PEERDB_ROUTE__FLOW_STATE_CHANGE_RESPONSE__INIT;
	struct rpc_call *call = arg;
	struct mirror *m = mirror_find(call->svc, call_change(call)->flow_job_name);

	if (err == NULL) {
		rpc_reply(&msg.base, call);
		return;
	}
	if (m != NULL)
		call->mirror_state = (int)m->state;
	rpc_fail(call, err);
}

static bool
changes_config(const PeerdbRoute__FlowStateChangeRequest *req)
{
	return req->flow_config_update != NULL &&
	    req->flow_config_update->update_case !=
	    PEERDB_FLOW__FLOW_CONFIG_UPDATE__UPDATE__NOT_SET;
}

static void
refuse_request(struct rpc_call *call, const struct mirror *m, int requested)
{
	struct err err = ERR_INIT;

	call->mirror_state = (int)m->state;
	err_set(&err, ERR_INVALID, "illegal state change requested: %s",
	    mirror_state_name((mirror_state_t)requested));
	err_hint(&err,
	    "ask for STATUS_RUNNING, STATUS_PAUSED, STATUS_RESYNC or STATUS_TERMINATING");
	rpc_fail(call, &err);
}

static void
flow_state_change(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__FlowStateChangeRequest *req,
    PeerdbRoute__FlowStateChangeResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct mirror *m = mirror_for_call(call, req->flow_job_name);
	struct mirror_change change = { .done = change_on_done, .arg = call };
	const struct wish *wish;

	(void)service;
	(void)closure;
	if (m == NULL)
		return;
	wish = wish_find((int)req->requested_flow_state);
	if (changes_config(req)) {
		rpc_failf(call, ERR_UNIMPLEMENTED,
		    "flow_config_update is not available in this version of peerd");
		return;
	}
	if (wish == NULL) {
		refuse_request(call, m, (int)req->requested_flow_state);
		return;
	}
	log_info(&m->subject, "%s asked for by %s",
	    mirror_state_name((mirror_state_t)wish->requested), call->principal);
	change.event = wish_event(wish, m);
	change.wanted = wish->wanted;
	change.drop_stats = req->drop_mirror_stats;
	change.skip_destination_drop = req->skip_destination_drop;
	mirror_change(m, &change);
}

void
service_changes_install(PeerdbRoute__FlowService_Service *v)
{
	v->flow_state_change = flow_state_change;
}
