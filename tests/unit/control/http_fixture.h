/*
 * http_fixture - a real REST face on a free loopback port, a service that
 * does what a test says, and clients that share the server's event loop
 *
 * Everything runs in one thread: a client's wait turns the loop. The functions
 * of service.h are defined here, so the real service is not linked.
 */
#ifndef PEERD_TESTS_HTTP_FIXTURE_H
#define PEERD_TESTS_HTTP_FIXTURE_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/control/http_rest.h"
#include "lib/control/http_server.h"
#include "lib/control/metrics.h"
#include "lib/control/service.h"
#include "lib/wire/pbjson.h"

#define PASSWORD    "s3cret: with a colon"
#define AUTH	    "Authorization: Bearer " PASSWORD "\r\n"
#define DEADLINE_US (10 * USEC_PER_SEC)

/* ---- the service */

struct service {
	bool ready;
	bool pend;	  /* calls wait for fake_complete() */
	struct err fail;  /* of the next calls; code NONE: they succeed */
	int mirror_state; /* beside it */
	const char *status_name;
	struct rpc_call *waiting[16];
	unsigned nwaiting;
	unsigned calls;
	unsigned abandoned;
	char method[64];    /* of the last call */
	struct buf request; /* as JSON */
	char principal[64];
};

static struct service fake;
static struct event_base *base;
static struct http_rest *rest;
static struct metrics_registry *metrics;
static char socket_path[64];

int
rpc_method_find(const char *name)
{
	const ProtobufCServiceDescriptor *d = &peerdb_route__flow_service__descriptor;

	for (unsigned i = 0; i < d->n_methods; i++)
		if (strcmp(d->methods[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void
fake_finish(struct rpc_call *call, const struct err *err)
{
	const ProtobufCServiceDescriptor *d = &peerdb_route__flow_service__descriptor;
	const ProtobufCMessageDescriptor *output = d->methods[call->method].output;
	ProtobufCMessage *response = protobuf_c_message_unpack(output, NULL, 0, NULL);
	struct rpc_outcome outcome = {
		.response = err == NULL ? response : NULL,
		.err = err,
		.mirror_state = fake.mirror_state,
		.status_name = fake.status_name,
	};

	if (call->done != NULL)
		call->done(call->done_arg, &outcome);
	protobuf_c_message_free_unpacked(response, NULL);
	protobuf_c_message_free_unpacked(call->request, NULL);
	free(call);
}

struct rpc_call *
rpc_begin(struct service *svc, unsigned method, ProtobufCMessage *request, const char *principal,
    rpc_done_fn *done, void *arg)
{
	struct rpc_call *call = xcalloc(1, sizeof(*call));

	svc->calls++;
	snprintf(svc->method, sizeof(svc->method), "%s",
	    peerdb_route__flow_service__descriptor.methods[method].name);
	snprintf(svc->principal, sizeof(svc->principal), "%s", principal);
	buf_reset(&svc->request);
	pbjson_print(request, PBJSON_PRESENT_ONLY, &svc->request);
	call->method = method;
	call->request = request;
	call->done = done;
	call->done_arg = arg;
	if (svc->pend) {
		ck_assert_uint_lt(svc->nwaiting, 16);
		svc->waiting[svc->nwaiting++] = call;
		return call;
	}
	fake_finish(call, svc->fail.code != ERR_NONE ? &svc->fail : NULL);
	return NULL;
}

void
rpc_abandon(struct rpc_call **call)
{
	if (*call == NULL)
		return;
	(*call)->done = NULL;
	*call = NULL;
	fake.abandoned++;
}

/* Complete every waiting call. */
static inline void
fake_complete(void)
{
	for (unsigned i = 0; i < fake.nwaiting; i++)
		fake_finish(fake.waiting[i], NULL);
	fake.nwaiting = 0;
}

bool
service_is_ready(const struct service *svc)
{
	return svc->ready;
}

unsigned
service_peer_count(const struct service *svc)
{
	return 2;
}

void
service_each_mirror(struct service *svc, void (*fn)(const struct service_mirror *, void *),
    void *arg)
{
	const struct service_mirror mirror = {
		.name = "orders",
		.source = "a",
		.destination = "b",
		.state = PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING,
		.worker_pid = 7,
		.lag_bytes = 4096,
		.lag_us = 1500000,
		.rows_synced = 12,
		.batches = 3,
	};

	fn(&mirror, arg);
}

void
service_each_table(struct service *svc, void (*fn)(const struct service_table *, void *), void *arg)
{
	const struct service_table table = {
		.mirror = "orders",
		.destination = "public.t",
		.inserts = 3,
		.deletes = 1,
	};

	fn(&table, arg);
}

/* ---- server */

static inline struct http_rest_options
http_options(void)
{
	return (struct http_rest_options){
		.base = base,
		.svc = &fake,
		.metrics = metrics,
		.listen = "127.0.0.1:0",
		.password = PASSWORD,
	};
}

static inline void
start_server(const struct http_rest_options *options)
{
	struct err err = ERR_INIT;

	ck_assert_msg(http_rest_new(options, &rest, &err), "%s", err.msg);
}

static inline void
http_setup_base(void)
{
	signal(SIGPIPE, SIG_IGN);
	fake = (struct service){ .ready = true, .mirror_state = -1 };
	buf_init(&fake.request, 1 << 20);
	base = event_base_new();
	metrics = metrics_registry_new();
	metrics_registry_add(metrics, metrics_of_service, &fake);
	snprintf(socket_path, sizeof(socket_path), "/tmp/peerd-test-%d.sock", (int)getpid());
}

static inline void
http_setup(void)
{
	struct http_rest_options options;

	http_setup_base();
	options = http_options();
	start_server(&options);
}

static inline void
http_teardown(void)
{
	http_rest_free(&rest);
	for (unsigned i = 0; i < fake.nwaiting; i++)
		fake.waiting[i]->done = NULL;
	fake_complete();
	metrics_registry_free(&metrics);
	buf_done(&fake.request);
	event_base_free(base);
	(void)unlink(socket_path);
}

/* ---- clients */

/* Turn the loop, for at most 5 ms when nothing happens. */
static inline void
turn(void)
{
	struct timeval tv = { .tv_usec = 5000 };

	event_base_loopexit(base, &tv);
	event_base_loop(base, EVLOOP_ONCE);
}

#define WAIT_FOR(condition)                                                                \
	do {                                                                               \
		usec_t until_ = clock_mono_us() + DEADLINE_US;                             \
		while (!(condition)) {                                                     \
			ck_assert_msg(clock_mono_us() < until_, "gave up on " #condition); \
			turn();                                                            \
		}                                                                          \
	} while (0)

struct client {
	int fd;
	bool closed;
	struct buf got;
};

static inline void
client_init(struct client *c, int fd, const struct sockaddr *sa, socklen_t len)
{
	*c = (struct client){ .fd = fd };
	buf_init(&c->got, 32 << 20);
	ck_assert_int_eq(connect(fd, sa, len), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static inline void
client_open(struct client *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };

	sin.sin_port = htons(http_rest_port(rest));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client_init(c, socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sin, sizeof(sin));
}

static inline void
client_open_unix(struct client *c)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", socket_path);
	client_init(c, socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&sun, sizeof(sun));
}

static inline void
client_close(struct client *c)
{
	close(c->fd);
	buf_done(&c->got);
}

/* Read what is there. */
static inline void
client_poll(struct client *c)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(c->fd, bytes, sizeof(bytes), 0)) > 0)
		buf_add(&c->got, bytes, (size_t)n);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		c->closed = true;
	turn();
}

/* All of it, or until the server closes. */
static inline void
client_send_n(struct client *c, const char *bytes, size_t n)
{
	usec_t until = clock_mono_us() + DEADLINE_US;
	ssize_t sent;

	while (n > 0 && !c->closed) {
		sent = send(c->fd, bytes, n, MSG_NOSIGNAL);
		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
		} else if (errno != EAGAIN) {
			return;
		}
		client_poll(c);
		ck_assert(clock_mono_us() < until);
	}
}

static inline void
client_send(struct client *c, const char *text)
{
	client_send_n(c, text, strlen(text));
}

#define CLIENT_WAIT(c, condition)                                                      \
	do {                                                                           \
		usec_t until_ = clock_mono_us() + DEADLINE_US;                         \
		while (!(condition)) {                                                 \
			ck_assert_msg(clock_mono_us() < until_,                        \
			    "gave up on " #condition ", got: %s", buf_str(&(c)->got)); \
			client_poll(c);                                                \
		}                                                                      \
	} while (0)

/* How many whole replies have arrived; no body of a test holds this. */
static inline unsigned
replies(const struct client *c)
{
	const char *p = buf_str(&c->got), *head, *length;
	unsigned n = 0;

	while ((head = strstr(p, "\r\n\r\n")) != NULL) {
		length = strstr(p, "Content-Length: ");
		if (length == NULL || length > head) {
			p = head + 4; /* 100 Continue */
			continue;
		}
		p = head + 4 + strtoul(length + 16, NULL, 10);
		if (p > buf_str(&c->got) + c->got.n)
			break;
		n++;
	}
	return n;
}

static inline int
reply_status(const struct client *c)
{
	const char *p = buf_str(&c->got);

	return strlen(p) > 12 ? (int)strtol(p + 9, NULL, 10) : 0;
}

static inline const char *
reply_body(const struct client *c)
{
	const char *p = strstr(buf_str(&c->got), "\r\n\r\n");

	return p != NULL ? p + 4 : "";
}

static inline bool
reply_has(const struct client *c, const char *text)
{
	return strstr(buf_str(&c->got), text) != NULL;
}

/* One request on a connection of its own; the reply is c->got. */
static inline int
ask(struct client *c, const char *request)
{
	client_open(c);
	client_send(c, request);
	CLIENT_WAIT(c, replies(c) >= 1);
	return reply_status(c);
}

/* A request with the password; extra: more header lines, body may be NULL. */
static inline int
call(struct client *c, const char *method, const char *target, const char *extra, const char *body)
{
	struct buf text;
	int status;

	buf_init(&text, 16 << 20);
	buf_printf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\n" AUTH "%s", method, target, extra);
	if (body != NULL)
		buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
	buf_printf(&text, "\r\n%s", body != NULL ? body : "");
	status = ask(c, buf_str(&text));
	buf_done(&text);
	return status;
}

static inline int
http_run(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

#endif
