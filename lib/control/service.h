/*
 * service - FlowService: every call of the API, whoever makes it
 *
 * protos/route.proto declares the calls; the service implements the generated
 * vtable once. REST, SQL mode and peerctl's socket only turn their input into
 * a request message and print the response.
 *
 *	call = rpc_begin(svc, method, request, "any user", on_done, me)
 *	... on_done(me, outcome) exactly once, maybe before rpc_begin returned
 *
 * A call that leaves the machine is answered by completion and survives its
 * client: after rpc_abandon() nothing is heard of it, but it goes on.
 *
 * For the implementation (service_*.c): protobuf-c's closures carry nothing
 * but a message, so closure_data is always the struct rpc_call. A method ends
 * with rpc_reply() (the generated closure does the same) or rpc_fail(), once.
 * What it allocates comes from call->arena, which lives as long as the call.
 *
 * The daemon keeps peers and mirrors in memory. The catalog is written first,
 * then memory; history (batches, logs, counts) is asked of the catalog.
 *
 * Order: service_new, service_start (loads the catalog, starts the mirrors),
 * calls, service_stop (stops the workers), service_free.
 */
#ifndef PEERD_CONTROL_SERVICE_H
#define PEERD_CONTROL_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "protos/route.pb-c.h"

struct arena;
struct catalog;
struct err;
struct event_base;
struct service;

/* ---- making calls */

/* What became of a call. Everything is borrowed until the completion returns. */
struct rpc_outcome {
	const ProtobufCMessage *response; /* NULL when it failed */
	const struct err *err;		  /* NULL when it succeeded */
	/* beside the error, -1 when it does not apply: */
	int mirror_state;	 /* enum FlowStatus: "currentFlowState" in the body */
	const char *status_name; /* "FAILED", "INVALID": "status" in the body; or NULL */
};

typedef void rpc_done_fn(void *arg, const struct rpc_outcome *outcome);

struct rpc_call {
	struct service *svc;
	unsigned method;	   /* index in the service's descriptor */
	ProtobufCMessage *request; /* owned */
	struct arena *arena;	   /* request lifetime */
	char principal[64];	   /* who asks, for the log */
	int mirror_state;	   /* as in rpc_outcome; set before rpc_fail() */
	const char *status_name;
	rpc_done_fn *done; /* NULL: abandoned */
	void *done_arg;
	bool *completed; /* rpc_begin()'s own, while it runs */
};

/*
 * method: an index of peerdb_route__flow_service__descriptor.methods. The
 * request is taken over (malloc'd, as protobuf_c_message_unpack and pbjson
 * make it). Returns NULL when the call is already complete.
 */
struct rpc_call *rpc_begin(struct service *svc, unsigned method, ProtobufCMessage *request,
    const char *principal, rpc_done_fn *done, void *arg);

/* The client has gone. NULL is fine. */
void rpc_abandon(struct rpc_call **call);

/* -1 when FlowService has no such method. */
int rpc_method_find(const char *name);

/* ---- inside calls */

/* Complete; look at the call no more. rpc_reply() fits where a generated closure is asked for. */
void rpc_reply(const ProtobufCMessage *response, void *call);
void rpc_fail(struct rpc_call *call, const struct err *err);
void rpc_failf(struct rpc_call *call, int err_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- the service itself */

struct service_options {
	struct event_base *base;
	struct catalog *catalog;
	const char *worker_path; /* peerd-worker */
	const char *version;	 /* what GetVersion answers */
};

struct service *service_new(const struct service_options *options);

/* Load the catalog and let every mirror go where it is wanted. done: once; err NULL on success. */
void service_start(struct service *svc, void (*done)(void *arg, const struct err *err), void *arg);

/* Stop workers and probes, by the ladder message, SIGTERM, SIGKILL. done: once, none is left. */
void service_stop(struct service *svc, void (*done)(void *arg), void *arg);

void service_free(struct service **svc);

/* ---- what metrics and health show */

/* True once started and while not stopping. */
bool service_is_ready(const struct service *svc);

struct service_mirror {
	const char *name;
	const char *source;
	const char *destination;
	int state;	   /* enum FlowStatus */
	int worker_pid;	   /* 0: none */
	bool in_trouble;   /* an error is being retried, or the mirror FAILED */
	int64_t lag_bytes; /* -1: unknown */
	int64_t lag_us;	   /* -1: unknown */
	double rows_per_second;
	int64_t rows_synced; /* changes applied, as the batches count them */
	int64_t rows_loaded; /* by the snapshot */
	uint64_t batches;
	uint64_t restarts; /* of the worker, since peerd started */
	int64_t worker_rss_bytes;
	int64_t worker_cpu_us;
	uint64_t confirmed_lsn;
};

/* Every mirror in the order of names; the view is borrowed until fn returns. */
void service_each_mirror(struct service *svc,
    void (*fn)(const struct service_mirror *mirror, void *arg), void *arg);
unsigned service_peer_count(const struct service *svc);

/* Changes applied to a destination table since peerd started; borrowed. */
struct service_table {
	const char *mirror;
	const char *destination;
	int64_t inserts;
	int64_t updates;
	int64_t deletes;
};

void service_each_table(struct service *svc,
    void (*fn)(const struct service_table *table, void *arg), void *arg);

#endif
