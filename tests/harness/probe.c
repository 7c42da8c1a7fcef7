#include "tests/harness/probe.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/wire/pbjson.h"
#include "protos/route.pb-c.h"
#include "protos/worker.pb-c.h"
#include "tests/harness/cluster.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/proc.h"

#define HEADER_BYTES  20 /* lib/ipc/ipc.h draws it */
#define PROBE_REQUEST 3
#define HELLO	      32
#define PROBE_REPLY   47

/* ---- frames over a blocking socket */

static void
read_all(int fd, uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, p, n);

		if (got <= 0)
			test_fail("the probe hung up");
		p += got;
		n -= (size_t)got;
	}
}

static uint8_t *
read_frame(int fd, unsigned expected, size_t *n_r)
{
	uint8_t header[HEADER_BYTES], *payload;
	struct rbuf r = rbuf_of(slice_of(header, sizeof(header)));
	unsigned type;

	read_all(fd, header, sizeof(header));
	*n_r = rbuf_u32(&r);
	type = rbuf_u16(&r);
	if (type != expected || *n_r > IPC_FRAME_MAX)
		test_fail("the probe sent frame type %u of %zu bytes", type, *n_r);
	payload = xmalloc(*n_r + 1);
	read_all(fd, payload, *n_r);
	return payload;
}

static void
send_frame(int fd, unsigned type, const ProtobufCMessage *msg)
{
	size_t n = protobuf_c_message_get_packed_size(msg);
	uint8_t *frame = xcalloc(1, HEADER_BYTES + n);

	put_u32(frame, (uint32_t)n);
	put_u16(frame + 4, (uint16_t)type);
	put_u32(frame + 8, 1);
	put_u64(frame + 12, 1);
	protobuf_c_message_pack(msg, frame + HEADER_BYTES);
	if (write(fd, frame, HEADER_BYTES + n) != (ssize_t)(HEADER_BYTES + n))
		test_fail("could not write to the probe: %m");
	free(frame);
}

/* ---- the process */

static pid_t
start(int *fd_r)
{
	const char *program = daemon_program("peerd-worker");
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		test_fail("could not make a socket pair: %m");
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		test_fail("could not fork: %m");
	if (pid == 0) {
		dup2(fds[1], 4);
		dup2(4, 3);
		close_range(4, ~0U, 0);
		execl(program, program, "probe", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	*fd_r = fds[0];
	return pid;
}

static void
expect_clean_exit(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			test_fail("could not wait for the probe: %m");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		test_fail("the probe ended with status %#x", status);
}

/* ---- messages */

static ProtobufCMessage *
parse(const ProtobufCMessageDescriptor *desc, const char *json)
{
	ProtobufCMessage *msg;
	struct err err = ERR_INIT;

	if (json == NULL)
		return NULL;
	if (!pbjson_parse(desc, json, strlen(json), &msg, &err))
		test_fail("%s in %s", err.msg, json);
	return msg;
}

static const ProtobufCMethodDescriptor *
method_of(const char *name)
{
	const ProtobufCMethodDescriptor *m = protobuf_c_service_descriptor_get_method_by_name(
	    &peerdb_route__flow_service__descriptor, name);

	if (m == NULL)
		test_fail("no method %s", name);
	return m;
}

static void
send_request(int fd, const struct probe_ask *ask)
{
	PeerdWorker__ProbeRequest req = PEERD_WORKER__PROBE_REQUEST__INIT;
	ProtobufCMessage *in = parse(method_of(ask->method)->input,
	    ask->request != NULL ? ask->request : "{}");
	char *slot = (char *)ask->slot;

	req.method = (char *)ask->method;
	req.has_request = true;
	req.request.len = protobuf_c_message_get_packed_size(in);
	req.request.data = xmalloc(req.request.len + 1);
	protobuf_c_message_pack(in, req.request.data);
	req.peer = (PeerdbPeers__Peer *)parse(&peerdb_peers__peer__descriptor, ask->peer);
	req.destination = (PeerdbPeers__Peer *)parse(&peerdb_peers__peer__descriptor,
	    ask->destination);
	req.mirror = (PeerdbFlow__FlowConnectionConfigs *)parse(
	    &peerdb_flow__flow_connection_configs__descriptor, ask->mirror);
	req.slots = &slot;
	req.n_slots = slot != NULL;
	send_frame(fd, PROBE_REQUEST, &req.base);
}

static void
take_error(struct probe_answer *a, const PeerdWorker__Error *e)
{
	a->err.code = (enum err_code)e->code;
	snprintf(a->err.msg, sizeof(a->err.msg), "%s", e->message);
	snprintf(a->err.hint, sizeof(a->err.hint), "%s", e->hint);
	snprintf(a->err.reason, sizeof(a->err.reason), "%s", e->reason);
	snprintf(a->err.subjects, sizeof(a->err.subjects), "%s", e->subjects);
	snprintf(a->err.sqlstate, sizeof(a->err.sqlstate), "%s", e->sqlstate);
}

static void
take_response(struct probe_answer *a, const char *method, const ProtobufCBinaryData *packed)
{
	ProtobufCMessage *out = protobuf_c_message_unpack(method_of(method)->output, NULL,
	    packed->len, packed->data);
	struct buf b;

	if (out == NULL)
		test_fail("the probe's response is malformed");
	buf_init(&b, IPC_FRAME_MAX);
	pbjson_print(out, 0, &b);
	a->response = buf_take(&b);
	protobuf_c_message_free_unpacked(out, NULL);
}

struct probe_run
probe_begin(const struct probe_ask *ask)
{
	struct probe_run run;
	size_t n;

	run.pid = start(&run.fd);
	free(read_frame(run.fd, HELLO, &n));
	send_request(run.fd, ask);
	return run;
}

void
probe_hang_up(const struct probe_run *run, int ms)
{
	close(run->fd);
	if (!proc_wait_gone(run->pid, ms))
		test_fail("the probe goes on without anybody to answer");
}

const struct probe_answer *
probe_ask(const struct probe_ask *ask)
{
	struct probe_answer *a = xcalloc(1, sizeof(*a));
	struct probe_run run = probe_begin(ask);
	PeerdWorker__ProbeReply *reply;
	uint8_t *payload;
	size_t n;

	a->response = "";
	payload = read_frame(run.fd, PROBE_REPLY, &n);
	reply = peerd_worker__probe_reply__unpack(NULL, n, payload);
	if (reply == NULL)
		test_fail("the probe's reply is malformed");
	if (reply->error != NULL)
		take_error(a, reply->error);
	else
		take_response(a, ask->method, &reply->response);
	peerd_worker__probe_reply__free_unpacked(reply, NULL);
	free(payload);
	close(run.fd);
	expect_clean_exit(run.pid);
	return a;
}

const char *
probe_peer_json(const struct cluster *c, const char *name, const char *database, const char *role)
{
	return json("{'name': '%s', 'type': 'POSTGRES', 'postgres_config': {'host': '%s', "
		    "'port': %d, 'user': '%s', 'database': '%s', 'password': '%s'}}",
	    name, role != NULL ? "localhost" : c->sockets, c->port,
	    role != NULL ? role : CLUSTER_USER, database, role != NULL ? PROBE_ROLE_PASSWORD : "");
}
