/*
 * service_int - what the files of the service share
 */
#ifndef PEERD_CONTROL_SERVICE_INT_H
#define PEERD_CONTROL_SERVICE_INT_H

#include <sys/queue.h>

#include "catalog/catalog.h"
#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/control/service.h"
#include "lib/control/supervisor.h"
#include "lib/control/uthash.h"

struct event;
struct mirror;
struct probe;

struct peer {
	UT_hash_handle hh;
	char *name;
	PeerdbPeers__Peer *config;
};

struct service {
	PeerdbRoute__FlowService_Service vtable; /* first: it is what protobuf-c hands about */
	struct service_options options;
	struct supervisor *sup;
	struct peer *peers;	/* by name, in order */
	struct mirror *mirrors; /* by name, in order */
	TAILQ_HEAD(, probe) probes;
	unsigned nprobes;
	struct event *flush;
	bool started;
	bool stopping;
	void (*start_done)(void *arg, const struct err *err);
	void *start_arg;
	void (*stop_done)(void *arg);
	void *stop_arg;
};

static inline struct service *
service_of(PeerdbRoute__FlowService_Service *vtable)
{
	return (struct service *)vtable;
}

/* The packed form, malloc'd. */
uint8_t *message_pack(const ProtobufCMessage *msg, size_t *n_r);

/* Grouped facts went to the catalog: make them durable before long. */
void service_flush_soon(struct service *svc);

/* ---- peers in memory */

struct peer *peer_find(const struct service *svc, const char *name);
/* Add or replace; takes over config. */
void peer_put(struct service *svc, PeerdbPeers__Peer *config);
void peer_remove(struct service *svc, struct peer *p);

/* Fails the call (404) and gives NULL when there is none. */
struct peer *peer_for_call(struct rpc_call *call, const char *name);

/* ---- mirrors in memory */

struct mirror *mirror_find(const struct service *svc, const char *name);
void mirror_put(struct service *svc, struct mirror *m);

/* Fails the call (404, STATUS_UNKNOWN) and gives NULL when there is none. */
struct mirror *mirror_for_call(struct rpc_call *call, const char *name);

/* ---- the vtable, by file */

typedef void service_method_fn(ProtobufCService *service, const ProtobufCMessage *input,
    ProtobufCClosure closure, void *closure_data);

/* One function for calls that differ in their messages only. */
void service_install(PeerdbRoute__FlowService_Service *v, const char *name, service_method_fn *fn);

void service_peers_install(PeerdbRoute__FlowService_Service *v);
void service_lookups_install(PeerdbRoute__FlowService_Service *v);
void service_mirrors_install(PeerdbRoute__FlowService_Service *v);
void service_changes_install(PeerdbRoute__FlowService_Service *v);
void service_status_install(PeerdbRoute__FlowService_Service *v);
void service_history_install(PeerdbRoute__FlowService_Service *v);

#endif
