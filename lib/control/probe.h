/*
 * probe - a question that only a foreign database can answer
 *
 * Runs `peerd-worker probe` for one request: ProbeRequest out, ProbeReply in,
 * exit. done is called once, unless the service goes away first (then with
 * ERR_TRANSIENT). The response is borrowed until done returns.
 *
 * Errors: what the probe found; TIMEOUT after timeout_ms (the probe is
 * killed); TRANSIENT when PROBES_MAX run already or the worker died.
 */
#ifndef PEERD_CONTROL_PROBE_H
#define PEERD_CONTROL_PROBE_H

#include <protobuf-c/protobuf-c.h>

#include "protos/flow.pb-c.h"
#include "protos/peers.pb-c.h"

struct err;
struct service;

#define PROBES_MAX	32
#define PROBE_NOT_RUN	"PROBE_NOT_RUN" /* err->reason: nobody was asked */
#define PROBE_PEER_MS	20000
#define PROBE_MIRROR_MS 60000

typedef void probe_done_fn(void *arg, const ProtobufCMessage *response, const struct err *err);

/* All borrowed during the call. */
struct probe_request {
	const char *method; /* rpc of FlowService; says the type of the response */
	const ProtobufCMessage *request;
	const PeerdbPeers__Peer *peer;
	const PeerdbPeers__Peer *destination;		 /* NULL: none */
	const PeerdbFlow__FlowConnectionConfigs *mirror; /* NULL: none but in the request */
	char *const *slots;
	size_t nslots;
	int timeout_ms;
};

void probe_run(struct service *svc, const struct probe_request *req, probe_done_fn *done,
    void *arg);
void probe_cancel_all(struct service *svc);

#endif
