#include "workers/probe.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/ipc/ipc.h"
#include "workers/probe_int.h"

#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)
#define FLUSH_MS	5000

static const struct {
	const char *method;
	probe_fn *fn;
} methods[] = {
	{ "ValidatePeer", probe_validate_peer },
	{ "CreatePeer", probe_create_peer },
	{ "GetPeerInfo", probe_peer_info },
	{ "ValidateCDCMirror", probe_check_mirror },
	{ "CreateCDCFlow", probe_check_mirror },
	{ "GetMirrorRowCounts", probe_row_counts },
	{ "GetSchemas", probe_schemas },
	{ "GetTablesInSchema", probe_tables },
	{ "GetAllTables", probe_all_tables },
	{ "GetColumns", probe_columns },
	{ "GetPublications", probe_publications },
	{ "GetSlotInfo", probe_slots },
	{ "GetStatInfo", probe_activity },
};

/* ---- what the methods share */

bool
probe_config(const PeerdbPeers__Peer *peer, const PeerdbPeers__PostgresConfig **cfg_r,
    struct err *err)
{
	if (peer == NULL || peer->config_case == PEERDB_PEERS__PEER__CONFIG__NOT_SET)
		return err_set(err, ERR_INVALID, "the peer has no configuration");
	if (peer->type != PEERDB_PEERS__DBTYPE__POSTGRES ||
	    peer->config_case != PEERDB_PEERS__PEER__CONFIG_POSTGRES_CONFIG) {
		err_set(err, ERR_UNIMPLEMENTED, "peer \"%s\" is not a Postgres peer", peer->name);
		return err_hint(err, "only peers of type POSTGRES can be a source or be browsed");
	}
	*cfg_r = peer->postgres_config;
	return true;
}

bool
probe_open(struct probe *p, const PeerdbPeers__Peer *peer, struct pgconn **c_r, struct err *err)
{
	const PeerdbPeers__PostgresConfig *cfg;

	if (!probe_config(peer, &cfg, err))
		return false;
	return pgconn_open(cfg, "peerd probe", PGCONN_PLAIN, CONNECT_TIMEOUT, &p->intr, c_r, err) ||
	    err_context(err, "peer \"%s\"", peer->name);
}

bool
probe_open_dest(struct probe *p, const PeerdbPeers__Peer *peer,
    const PeerdbFlow__FlowConnectionConfigs *mirror, struct dest **d_r, struct err *err)
{
	const struct dest_config cfg = {
		.peer = peer,
		.mirror = mirror,
		.what = "peerd probe",
		.timeout = CONNECT_TIMEOUT,
		.intr = &p->intr,
	};

	return dest_open(&cfg, d_r, err);
}

void
probe_add_string(char ***v, size_t *n, const char *s)
{
	*v = xrealloc(*v, (*n + 1) * sizeof(**v));
	(*v)[(*n)++] = xstrdup(s);
}

/* ---- one call */

/* fd 3 is readable: nothing more was to come, so unless there is data the daemon hung up. */
static bool
daemon_listens(void *arg)
{
	char byte;
	ssize_t n = recv(*(int *)arg, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static probe_fn *
find_method(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (name != NULL && strcmp(methods[i].method, name) == 0)
			return methods[i].fn;
	return NULL;
}

static ProtobufCMessage *
message_new(const ProtobufCMessageDescriptor *desc)
{
	ProtobufCMessage *msg = xmalloc(desc->sizeof_message);

	protobuf_c_message_init(desc, msg);
	return msg;
}

/* The response, or NULL with err filled. */
static ProtobufCMessage *
run_method(struct probe *p, struct err *err)
{
	const PeerdWorker__ProbeRequest *req = p->req;
	const ProtobufCMethodDescriptor *m;
	ProtobufCMessage *in, *out;
	probe_fn *fn = find_method(req->method);

	if (fn == NULL) {
		err_set(err, ERR_UNIMPLEMENTED, "a probe cannot carry out \"%s\"",
		    req->method != NULL ? req->method : "");
		return NULL;
	}
	m = protobuf_c_service_descriptor_get_method_by_name(
	    &peerdb_route__flow_service__descriptor, req->method);
	in = protobuf_c_message_unpack(m->input, NULL, req->request.len, req->request.data);
	if (in == NULL) {
		err_set(err, ERR_PROTOCOL, "malformed request of %s", req->method);
		return NULL;
	}
	out = message_new(m->output);
	if (!fn(p, in, out, err)) {
		protobuf_c_message_free_unpacked(out, NULL);
		out = NULL;
	}
	protobuf_c_message_free_unpacked(in, NULL);
	return out;
}

static void
send_response(struct ipc *ch, uint32_t request_id, const ProtobufCMessage *out)
{
	PeerdWorker__ProbeReply reply = PEERD_WORKER__PROBE_REPLY__INIT;

	reply.has_response = true;
	reply.response.len = protobuf_c_message_get_packed_size(out);
	reply.response.data = xmalloc(reply.response.len + 1);
	protobuf_c_message_pack(out, reply.response.data);
	ipc_send(ch, IPC_PROBE_REPLY, request_id, &reply);
	free(reply.response.data);
}

static void
send_error(struct ipc *ch, uint32_t request_id, const struct err *err)
{
	PeerdWorker__ProbeReply reply = PEERD_WORKER__PROBE_REPLY__INIT;
	PeerdWorker__Error error;

	ipc_error_pack(err, &error);
	reply.error = &error;
	ipc_send(ch, IPC_PROBE_REPLY, request_id, &reply);
}

/* ---- the process */

struct session {
	struct event_base *base;
	struct ipc *ch;
	int exit_code;
};

static void
on_request(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct session *s = arg;
	int fd = ipc_fd(s->ch);
	struct probe p = {
		.req = (const PeerdWorker__ProbeRequest *)msg,
		.intr = { .fd = fd, .check = daemon_listens, .arg = &fd },
	};
	struct err err = ERR_INIT;
	ProtobufCMessage *out = run_method(&p, &err);

	if (out != NULL)
		send_response(s->ch, request_id, out);
	else
		send_error(s->ch, request_id, &err);
	if (out != NULL)
		protobuf_c_message_free_unpacked(out, NULL);
	s->exit_code = ipc_flush(s->ch, FLUSH_MS) ? 0 : EX_IOERR;
	event_base_loopbreak(s->base);
}

static void
on_close(void *arg, const struct err *why)
{
	struct session *s = arg;

	(void)why;
	event_base_loopbreak(s->base);
}

int
probe_main(void)
{
	static const struct ipc_handler handlers[] = {
		{ IPC_PROBE_REQUEST, on_request },
		{ 0, NULL },
	};
	struct session s = { .base = event_base_new(), .exit_code = EX_IOERR };
	struct ipc_callbacks cb = { .handlers = handlers, .on_close = on_close, .arg = &s };
	PeerdWorker__Hello hello = PEERD_WORKER__HELLO__INIT;
	char version[] = PEERD_VERSION;

	if (s.base == NULL)
		return EX_OSERR;
	s.ch = ipc_new(s.base, IPC_FD, 0, &cb);
	hello.version = version;
	hello.has_pid = true;
	hello.pid = getpid();
	ipc_send(s.ch, IPC_HELLO, 0, &hello);
	event_base_dispatch(s.base);
	ipc_free(&s.ch);
	event_base_free(s.base);
	return s.exit_code;
}
