/*
 * http_server - HTTP/1.1 over TCP, TLS and a Unix socket
 *
 * Bytes and connections only: framing, keep-alive, pipelining, ceilings and
 * deadlines. What a request means is the handler's business:
 *
 *	admit(req)	the head is there: refuse by http_reply(), or return true
 *	serve(req)	the body is there too: http_reply() now or later, once
 *	gone(req)	the client left before its reply; req is over
 *
 * A request refused in admit() never has its body read, so a stranger costs
 * no more memory than a head. Requests of one connection are served in order,
 * one at a time. After http_reply() and after gone() the request is freed.
 *
 * libevent's own evhttp is not used: it reads the whole body before it asks
 * anyone, answers its own errors in HTML, and cannot cap its connections.
 *
 * Bounds: struct http_limits. Each phase of a connection has a deadline for
 * the whole of it, so feeding it byte by byte gains nothing. When all
 * connections of a kind are in use, the longest idle one makes room, else new
 * ones wait in the kernel's queue. TCP and the Unix socket count apart, so
 * peerctl gets in when strangers fill the port.
 *
 * Stopping: http_server_quiesce() closes listeners and all connections without
 * a request, lets requests under way end, and tells when none is left;
 * http_server_free() closes everything. The process must ignore SIGPIPE.
 */
#ifndef PEERD_CONTROL_HTTP_SERVER_H
#define PEERD_CONTROL_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct arena;
struct err;
struct event_base;
struct http_server;
struct tls_context;

struct http_request {
	const char *method;
	const char *path;    /* percent-encoded */
	const char *query;   /* percent-encoded; NULL: none */
	struct slice body;   /* empty in admit() */
	const char *address; /* of the client, without its port; "" over the Unix socket */
	bool local;	     /* over the Unix socket */
	struct arena *arena; /* lives as long as the request */
	void *user;	     /* the handler's */
};

struct http_handler {
	bool (*admit)(void *arg, struct http_request *req);
	void (*serve)(void *arg, struct http_request *req);
	void (*gone)(void *arg, struct http_request *req);
	/* An error of the transport itself, as a body in the handler's own form. */
	void (*refuse)(void *arg, struct http_request *req, int status, const struct err *err);
	void *arg;
};

struct http_limits {
	size_t head_bytes; /* request line and headers */
	size_t body_bytes;
	unsigned connections; /* each of: TCP, Unix socket */
	int head_ms;	      /* from the first byte (or the accept) to the end of the head */
	int body_ms;	      /* all of the body */
	int write_ms;	      /* all of the reply */
	int idle_ms;	      /* between two requests */
	int linger_ms;	      /* reading on after a refusal, so that it arrives */
};

extern const struct http_limits http_limits_default;

/* limits NULL: the default. handler is copied. */
struct http_server *http_server_new(struct event_base *base, const struct http_handler *handler,
    const struct http_limits *limits);

/* HOST:PORT as listen_parse() takes it; tls NULL: plain. The context stays the caller's. */
bool http_server_listen_tcp(struct http_server *s, const char *where, struct tls_context *tls,
    struct err *err);

/* Mode 0600. A socket that nobody answers on is replaced. */
bool http_server_listen_unix(struct http_server *s, const char *path, struct err *err);

/* The TCP port in use, of interest after HOST:0; 0 when there is none. */
uint16_t http_server_port(const struct http_server *s);
/* Every TCP address listened on is the machine's own. */
bool http_server_is_loopback(const struct http_server *s);

/* on_quiet may be NULL; it is called from the event loop, once. */
void http_server_quiesce(struct http_server *s, void (*on_quiet)(void *arg), void *arg);
void http_server_free(struct http_server **s);

/* ---- in handlers */

/* NULL when absent. */
const char *http_request_header(const struct http_request *req, const char *name);
size_t http_request_header_count(const struct http_request *req, const char *name);

/* Before http_reply(); name must live until then, the value is copied. */
void http_reply_header(struct http_request *req, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* For HEAD the body is counted, not sent. */
void http_reply(struct http_request *req, int status, const char *content_type, struct slice body);

/* ---- what metrics show */

unsigned http_server_connections(const struct http_server *s);
/* fn with every status answered so far and how often. */
void http_server_each_status(const struct http_server *s,
    void (*fn)(void *arg, int status, uint64_t count), void *arg);

#endif
