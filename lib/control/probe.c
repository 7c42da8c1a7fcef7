#include "lib/control/probe.h"

#include "lib/control/service_int.h"
#include "lib/ipc/ipc.h"
#include "lib/wire/pbutil.h"
#include "protos/worker.pb-c.h"

struct probe {
	TAILQ_ENTRY(probe) entry;
	struct service *svc;
	struct child *child;
	const ProtobufCMessageDescriptor *output;
	ProtobufCMessage *request; /* PeerdWorker__ProbeRequest, until HELLO */
	int timeout_ms;
	probe_done_fn *done;
	void *arg;
};

static void
probe_free(struct probe *pr)
{
	TAILQ_REMOVE(&pr->svc->probes, pr, entry);
	pr->svc->nprobes--;
	protobuf_c_message_free_unpacked(pr->request, NULL);
	free(pr);
}

#define EXIT_MS 2000

/* The question is answered; the process has a moment to say good-bye to its servers. */
static void
probe_finish(struct probe *pr, const ProtobufCMessage *response, const struct err *err)
{
	probe_done_fn *done = pr->done;
	void *arg = pr->arg;

	child_release(&pr->child, EXIT_MS);
	probe_free(pr);
	done(arg, response, err);
}

static void
probe_on_hello(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct probe *pr = child_owner_arg(arg);

	(void)request_id;
	(void)msg;
	ipc_send(child_channel(pr->child), IPC_PROBE_REQUEST, 1, pr->request);
	child_set_deadline(pr->child, pr->timeout_ms, "no answer in time");
}

static void
probe_answer(struct probe *pr, const ProtobufCBinaryData *packed)
{
	ProtobufCMessage *response = protobuf_c_message_unpack(pr->output, NULL, packed->len,
	    packed->data);
	struct err err = ERR_INIT;

	if (response == NULL)
		err_set(&err, ERR_PROTOCOL, "the probe's answer is malformed");
	probe_finish(pr, response, response != NULL ? NULL : &err);
	protobuf_c_message_free_unpacked(response, NULL);
}

static void
probe_on_reply(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct probe *pr = child_owner_arg(arg);
	const PeerdWorker__ProbeReply *reply = (const PeerdWorker__ProbeReply *)msg;
	struct err err = ERR_INIT;

	(void)request_id;
	if (reply->error == NULL) {
		probe_answer(pr, &reply->response);
		return;
	}
	ipc_error_unpack(reply->error, &err);
	probe_finish(pr, NULL, &err);
}

static void
probe_on_end(void *arg, const struct child_end *end)
{
	struct probe *pr = arg;
	struct err err = end->why;

	pr->child = NULL;
	if (err.code == ERR_NONE)
		err_set(&err, ERR_PROTOCOL, "the probe ended without an answer");
	probe_finish(pr, NULL, &err);
}

static const struct ipc_handler probe_handlers[] = {
	{ IPC_HELLO, probe_on_hello },
	{ IPC_PROBE_REPLY, probe_on_reply },
	{ 0, NULL },
};

/* A copy of the request that lives until the probe says hello. */
static ProtobufCMessage *
probe_request_new(const struct probe_request *req)
{
	PeerdWorker__ProbeRequest msg = PEERD_WORKER__PROBE_REQUEST__INIT;
	ProtobufCMessage *copy;

	msg.method = (char *)req->method;
	msg.has_request = true;
	msg.request.data = message_pack(req->request, &msg.request.len);
	msg.peer = (PeerdbPeers__Peer *)req->peer;
	msg.destination = (PeerdbPeers__Peer *)req->destination;
	msg.mirror = (PeerdbFlow__FlowConnectionConfigs *)req->mirror;
	msg.slots = (char **)req->slots;
	msg.n_slots = req->nslots;
	copy = pb_copy(&msg.base);
	free(msg.request.data);
	return copy;
}

static struct child *
probe_start(struct probe *pr, struct err *err)
{
	const struct child_owner owner = { probe_handlers, probe_on_end, pr };
	struct child *child;

	if (pr->svc->nprobes > PROBES_MAX) {
		err_set(err, ERR_TRANSIENT, "%d checks of databases are under way already",
		    PROBES_MAX);
		err_hint(err, "try again in a moment");
		err_reason(err, PROBE_NOT_RUN);
		return NULL;
	}
	child = child_start(pr->svc->sup, "probe", NULL, 1, &owner, err);
	if (child == NULL)
		err_reason(err, PROBE_NOT_RUN);
	return child;
}

void
probe_run(struct service *svc, const struct probe_request *req, probe_done_fn *done, void *arg)
{
	const ProtobufCMethodDescriptor *method = protobuf_c_service_descriptor_get_method_by_name(
	    &peerdb_route__flow_service__descriptor, req->method);
	struct probe *pr = xcalloc(1, sizeof(*pr));
	struct err err = ERR_INIT;

	pr->svc = svc;
	pr->output = method->output;
	pr->request = probe_request_new(req);
	pr->timeout_ms = req->timeout_ms;
	pr->done = done;
	pr->arg = arg;
	TAILQ_INSERT_TAIL(&svc->probes, pr, entry);
	svc->nprobes++;
	pr->child = probe_start(pr, &err);
	if (pr->child == NULL)
		probe_finish(pr, NULL, &err);
}

void
probe_cancel_all(struct service *svc)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_TRANSIENT, "peerd is stopping");
	err_reason(&err, PROBE_NOT_RUN);
	while (!TAILQ_EMPTY(&svc->probes))
		probe_finish(TAILQ_FIRST(&svc->probes), NULL, &err);
}
