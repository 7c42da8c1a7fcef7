/*
 * Peers: create, change, drop, show.
 */
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/control/mirror.h"
#include "lib/control/peer_check.h"
#include "lib/control/probe.h"
#include "lib/control/service_int.h"
#include "lib/wire/pbutil.h"

#define NAMES_MAX  1024
#define VERSION_MS 5000 /* what a reader of `info` will wait for a server that is away */

/* ---- in memory */

struct peer *
peer_find(const struct service *svc, const char *name)
{
	struct peer *p;

	HASH_FIND_STR(svc->peers, name, p);
	return p;
}

static int
peer_order(struct peer *a, struct peer *b)
{
	return strcmp(a->name, b->name);
}

void
peer_put(struct service *svc, PeerdbPeers__Peer *config)
{
	struct peer *p = peer_find(svc, config->name);

	if (p != NULL) {
		peerdb_peers__peer__free_unpacked(p->config, NULL);
		p->config = config;
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->name = xstrdup(config->name);
	p->config = config;
	HASH_ADD_KEYPTR_INORDER(hh, svc->peers, p->name, strlen(p->name), p, peer_order);
}

void
peer_remove(struct service *svc, struct peer *p)
{
	HASH_DEL(svc->peers, p);
	peerdb_peers__peer__free_unpacked(p->config, NULL);
	free(p->name);
	free(p);
}

struct peer *
peer_for_call(struct rpc_call *call, const char *name)
{
	struct peer *p = peer_find(call->svc, name);

	if (p == NULL)
		rpc_failf(call, ERR_NOT_FOUND, "peer \"%s\" does not exist", name);
	return p;
}

/* ---- validate */

static const char *
peer_valid_words(struct rpc_call *call, const PeerdbPeers__Peer *peer)
{
	const char *note = peer_check_note(peer);

	return arena_printf(call->arena, "%s peer %s is valid%s%s", peer_type_name((int)peer->type),
	    peer->name, note != NULL ? "; " : "", note != NULL ? note : "");
}

/*
 * Errors of the checks before and behind the probe read alike. That a server
 * cannot be reached is no trouble of peerd's (503) but of the configuration.
 */
static void
peer_fail_validation(struct rpc_call *call, const char *name, const struct err *why)
{
	bool theirs = why->code == ERR_TRANSIENT && strcmp(why->reason, PROBE_NOT_RUN) != 0;
	struct err err = ERR_INIT;

	if (why->code == ERR_INVALID || why->code == ERR_UNIMPLEMENTED) {
		rpc_fail(call, why);
		return;
	}
	err_set(&err, theirs ? ERR_CONFIG : why->code, "%s", why->msg);
	if (!str_starts(why->msg, "failed to validate peer"))
		err_set(&err, err.code, "failed to validate peer %s: %s", name, why->msg);
	err_hint(&err, "%s", why->hint);
	err_reason(&err, why->reason[0] != '\0' ? why->reason : "SOURCE_VALIDATION_FAILED");
	str_copy(err.subjects, sizeof(err.subjects), why->subjects);
	rpc_fail(call, &err);
}

static void
peer_probe(struct rpc_call *call, const PeerdbPeers__Peer *peer, probe_done_fn *done, void *arg)
{
	PeerdbRoute__ValidatePeerRequest request = PEERDB_ROUTE__VALIDATE_PEER_REQUEST__INIT;
	const struct probe_request req = {
		.method = "ValidatePeer",
		.request = &request.base,
		.peer = peer,
		.timeout_ms = PROBE_PEER_MS,
	};

	request.peer = (PeerdbPeers__Peer *)peer;
	probe_run(call->svc, &req, done, arg);
}

static void
validate_on_probed(void *arg, const ProtobufCMessage *response, const struct err *err)
{
	struct rpc_call *call = arg;
	const PeerdbPeers__Peer *peer =
	    ((const PeerdbRoute__ValidatePeerRequest *)call->request)->peer;
	PeerdbRoute__ValidatePeerResponse msg = PEERDB_ROUTE__VALIDATE_PEER_RESPONSE__INIT;

	(void)response;
	if (err != NULL) {
		peer_fail_validation(call, peer->name, err);
		return;
	}
	msg.status = PEERDB_ROUTE__VALIDATE_PEER_STATUS__VALID;
	msg.message = (char *)peer_valid_words(call, peer);
	rpc_reply(&msg.base, call);
}

static void
validate_peer(PeerdbRoute__FlowService_Service *service,
    const PeerdbRoute__ValidatePeerRequest *req, PeerdbRoute__ValidatePeerResponse_Closure closure,
    void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct err err = ERR_INIT;

	(void)service;
	(void)closure;
	call->status_name = "INVALID";
	if (req->peer == NULL)
		rpc_failf(call, ERR_INVALID, "peer is required");
	else if (!peer_check(req->peer, &err))
		rpc_fail(call, &err);
	else
		peer_probe(call, req->peer, validate_on_probed, call);
}

/* ---- create */

/* Of one CreatePeer, in the call's arena; candidate is what will be stored. */
struct create_peer {
	struct rpc_call *call;
	PeerdbPeers__Peer *candidate;
	bool update;
};

static void
create_free(struct create_peer *cp)
{
	if (cp->candidate != NULL)
		peerdb_peers__peer__free_unpacked(cp->candidate, NULL);
	cp->candidate = NULL;
}

static void
create_fail(struct create_peer *cp, const struct err *err)
{
	create_free(cp);
	rpc_fail(cp->call, err);
}

static void
create_reply(struct create_peer *cp)
{
	const PeerdbRoute__CreatePeerRequest *req = (const PeerdbRoute__CreatePeerRequest *)
							cp->call->request;
	PeerdbRoute__CreatePeerResponse msg = PEERDB_ROUTE__CREATE_PEER_RESPONSE__INIT;
	const char *note = peer_check_note(req->peer);

	create_free(cp);
	msg.status = PEERDB_ROUTE__CREATE_PEER_STATUS__CREATED;
	if (note != NULL)
		msg.message = (char *)note;
	rpc_reply(&msg.base, cp->call);
}

static void
peer_restart_mirrors(struct service *svc, const char *name)
{
	struct mirror *m, *next;

	HASH_ITER (hh, svc->mirrors, m, next)
		if (strcmp(m->config->source_name, name) == 0 ||
		    strcmp(m->config->destination_name, name) == 0)
			mirror_restart_worker(m);
}

static void
create_on_stored(void *arg, const struct err *err)
{
	struct create_peer *cp = arg;
	struct service *svc = cp->call->svc;
	const char *name;

	if (err != NULL) {
		create_fail(cp, err);
		return;
	}
	name = arena_strdup(cp->call->arena, cp->candidate->name);
	peer_put(svc, cp->candidate);
	cp->candidate = NULL;
	log_info(NULL, "peer \"%s\" %s by %s", name, cp->update ? "changed" : "created",
	    cp->call->principal);
	if (cp->update)
		peer_restart_mirrors(svc, name);
	create_reply(cp);
}

static void
create_store(struct create_peer *cp)
{
	struct catalog *catalog = cp->call->svc->options.catalog;
	struct catalog_peer row = { .name = cp->candidate->name };
	size_t n;
	uint8_t *packed = message_pack(&cp->candidate->base, &n);

	row.type = (int32_t)cp->candidate->type;
	row.config = slice_of(packed, n);
	if (cp->update)
		catalog_peer_update(catalog, &row, create_on_stored, cp);
	else
		catalog_peer_insert(catalog, &row, create_on_stored, cp);
	mem_wipe(packed, n);
	free(packed);
}

static void
create_on_probed(void *arg, const ProtobufCMessage *response, const struct err *err)
{
	struct create_peer *cp = arg;
	const char *name = arena_strdup(cp->call->arena, cp->candidate->name);

	(void)response;
	if (err == NULL) {
		create_store(cp);
		return;
	}
	create_free(cp);
	peer_fail_validation(cp->call, name, err);
}

/* There is one of that name: the same is a success, another only with allow_update. */
static bool
create_over_existing(struct create_peer *cp, const struct peer *p,
    const PeerdbRoute__CreatePeerRequest *req, bool *same_r, struct err *err)
{
	struct buf names;

	buf_init(&names, NAMES_MAX);
	cp->update = true;
	cp->candidate = (PeerdbPeers__Peer *)pb_copy(&p->config->base);
	pb_merge(&cp->candidate->base, &req->peer->base);
	if (!req->allow_update) {
		peerdb_peers__peer__free_unpacked(cp->candidate, NULL);
		cp->candidate = (PeerdbPeers__Peer *)pb_copy(&req->peer->base);
	}
	*same_r = pb_diff(&p->config->base, &cp->candidate->base, &names);
	if (!*same_r && !req->allow_update) {
		err_set(err, ERR_EXISTS,
		    "peer \"%s\" exists already with another configuration; "
		    "what differs: %s",
		    p->name, buf_str(&names));
		err_hint(err, "set allow_update to change it");
	}
	buf_done(&names);
	return err->code == ERR_NONE;
}

static void
create_peer(PeerdbRoute__FlowService_Service *service, const PeerdbRoute__CreatePeerRequest *req,
    PeerdbRoute__CreatePeerResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct create_peer *cp = arena_zalloc(call->arena, sizeof(*cp));
	struct err err = ERR_INIT;
	struct peer *p;
	bool same = false;

	(void)closure;
	cp->call = call;
	call->status_name = "FAILED";
	if (req->peer == NULL) {
		rpc_failf(call, ERR_INVALID, "peer is required");
		return;
	}
	p = peer_find(service_of(service), req->peer->name);
	if (p == NULL)
		cp->candidate = (PeerdbPeers__Peer *)pb_copy(&req->peer->base);
	else if (!create_over_existing(cp, p, req, &same, &err)) {
		create_fail(cp, &err);
		return;
	}
	if (same)
		create_reply(cp);
	else if (!peer_check(cp->candidate, &err))
		create_fail(cp, &err);
	else if (req->disable_validation)
		create_store(cp);
	else
		peer_probe(call, cp->candidate, create_on_probed, cp);
}

/* ---- drop */

static const char *
peer_users(struct rpc_call *call, const char *name)
{
	struct mirror *m, *next;
	const char *users = NULL;

	HASH_ITER (hh, call->svc->mirrors, m, next)
		if (strcmp(m->config->source_name, name) == 0 ||
		    strcmp(m->config->destination_name, name) == 0)
			users = users == NULL ? m->name
					      : arena_printf(call->arena, "%s, %s", users, m->name);
	return users;
}

static void
drop_on_deleted(void *arg, const struct err *err)
{
	struct rpc_call *call = arg;
	const char *name = ((const PeerdbRoute__DropPeerRequest *)call->request)->peer_name;
	PeerdbRoute__DropPeerResponse msg = PEERDB_ROUTE__DROP_PEER_RESPONSE__INIT;
	struct peer *p = peer_find(call->svc, name);

	if (err != NULL) {
		rpc_fail(call, err);
		return;
	}
	log_info(NULL, "peer \"%s\" dropped by %s", name, call->principal);
	if (p != NULL)
		peer_remove(call->svc, p);
	rpc_reply(&msg.base, call);
}

static void
drop_peer(PeerdbRoute__FlowService_Service *service, const PeerdbRoute__DropPeerRequest *req,
    PeerdbRoute__DropPeerResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct err err = ERR_INIT;
	const char *users;

	(void)closure;
	if (peer_for_call(call, req->peer_name) == NULL)
		return;
	users = peer_users(call, req->peer_name);
	if (users == NULL) {
		catalog_peer_delete(service_of(service)->options.catalog, req->peer_name,
		    drop_on_deleted, call);
		return;
	}
	err_set(&err, ERR_IN_USE, "peer \"%s\" is used by mirrors: %s", req->peer_name, users);
	err_hint(&err, "drop the mirrors first");
	rpc_fail(call, &err);
}

/* ---- show */

static void
list_peers(PeerdbRoute__FlowService_Service *service, const PeerdbRoute__ListPeersRequest *req,
    PeerdbRoute__ListPeersResponse_Closure closure, void *closure_data)
{
	struct service *svc = service_of(service);
	struct rpc_call *call = closure_data;
	PeerdbRoute__ListPeersResponse msg = PEERDB_ROUTE__LIST_PEERS_RESPONSE__INIT;
	size_t n = HASH_COUNT(svc->peers);
	struct peer *p, *next;

	(void)req;
	(void)closure;
	msg.items = arena_alloc(call->arena, (n + 1) * sizeof(*msg.items));
	msg.source_items = arena_alloc(call->arena, (n + 1) * sizeof(*msg.source_items));
	HASH_ITER (hh, svc->peers, p, next) {
		PeerdbRoute__PeerListItem *item = arena_alloc(call->arena, sizeof(*item));

		peerdb_route__peer_list_item__init(item);
		item->name = p->name;
		item->type = p->config->type;
		msg.items[msg.n_items++] = item;
		if (item->type == PEERDB_PEERS__DBTYPE__POSTGRES)
			msg.source_items[msg.n_source_items++] = item;
	}
	/* each type that peerd serves is a destination */
	msg.destination_items = msg.items;
	msg.n_destination_items = msg.n_items;
	rpc_reply(&msg.base, call);
}

/* The server's version is an extra: without an answer the rest is shown all the same. */
static void
info_on_probed(void *arg, const ProtobufCMessage *response, const struct err *err)
{
	struct rpc_call *call = arg;
	const char *name = ((const PeerdbRoute__PeerInfoRequest *)call->request)->peer_name;
	const PeerdbRoute__PeerInfoResponse *found = (const PeerdbRoute__PeerInfoResponse *)
	    response;
	PeerdbRoute__PeerInfoResponse msg = PEERDB_ROUTE__PEER_INFO_RESPONSE__INIT;
	struct peer *p = peer_for_call(call, name);

	if (p == NULL)
		return;
	msg.peer = (PeerdbPeers__Peer *)pb_copy(&p->config->base);
	pb_redact(&msg.peer->base);
	if (err == NULL)
		msg.version = arena_strdup(call->arena, found->version);
	rpc_reply(&msg.base, call);
	peerdb_peers__peer__free_unpacked(msg.peer, NULL);
}

static void
get_peer_info(PeerdbRoute__FlowService_Service *service, const PeerdbRoute__PeerInfoRequest *req,
    PeerdbRoute__PeerInfoResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct peer *p = peer_for_call(call, req->peer_name);
	struct probe_request probe = {
		.method = "GetPeerInfo",
		.request = &req->base,
		.timeout_ms = VERSION_MS,
	};

	(void)closure;
	if (p == NULL)
		return;
	probe.peer = p->config;
	probe_run(service_of(service), &probe, info_on_probed, call);
}

static void
get_peer_type(PeerdbRoute__FlowService_Service *service, const PeerdbRoute__PeerInfoRequest *req,
    PeerdbRoute__PeerTypeResponse_Closure closure, void *closure_data)
{
	struct rpc_call *call = closure_data;
	struct peer *p = peer_for_call(call, req->peer_name);
	PeerdbRoute__PeerTypeResponse msg = PEERDB_ROUTE__PEER_TYPE_RESPONSE__INIT;

	(void)service;
	(void)closure;
	if (p == NULL)
		return;
	msg.peer_type = (char *)peer_type_name((int)p->config->type);
	rpc_reply(&msg.base, call);
}

void
service_peers_install(PeerdbRoute__FlowService_Service *v)
{
	v->validate_peer = validate_peer;
	v->create_peer = create_peer;
	v->drop_peer = drop_peer;
	v->list_peers = list_peers;
	v->get_peer_info = get_peer_info;
	v->get_peer_type = get_peer_type;
}
