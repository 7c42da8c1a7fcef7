/*
 * httpc - HTTP requests to one server
 *
 * libcurl underneath; connections are kept and used again. Two ways of use:
 * httpc_send() returns at once and its answer comes from the event loop;
 * httpc_call() waits, and stops waiting when the daemon says so (`intr`, see
 * pgconn.h). A request is a POST whose body is lent as a list of slices and
 * sent as it stands, with its Content-Length, never chunked: a body that was
 * cut short cannot be taken for a whole one.
 *
 *	httpc_new()		connects to nothing yet
 *	httpc_send()		any number at a time, each on its own connection
 *	  done()		once for each, from the event loop; may send and may free
 *	httpc_cancel()		before done(): closes the connection, no done()
 *	httpc_free()		cancels what is under way
 *
 * A request that finds its kept connection closed by the server, before any
 * byte of an answer, is sent again on a new one: the server may have seen it.
 *
 * Secrets belong in `headers` and tls, never in a URL; errors hold none.
 * Redirects are not followed: the answer says so by its status. Proxies of the
 * environment are not used.
 *
 * Errors: an answer of any status is no error here. ERR_TRANSIENT: no
 * connection, or it was cut; ERR_TIMEOUT: silence; ERR_CONFIG (with sqlstate
 * 08001): unknown host, TLS that does not fit, a server that does not speak
 * HTTP; ERR_TOO_LARGE: an answer past answer_max; ERR_CANCELLED.
 */
#ifndef PEERD_CONN_HTTPC_H
#define PEERD_CONN_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/slice.h"

struct err;
struct event_base;
struct httpc;
struct httpc_request;
struct pgconn_interrupt;

struct httpc_tls {
	bool files;		 /* the next three name files; else they are PEM text */
	const char *certificate; /* "" or NULL: none, here and below */
	const char *private_key;
	const char *root_ca; /* instead of the system's authorities */
	const char *name;    /* that the server's certificate bears, when it is not the host's */
};

/* Copied, but for loop and intr, which outlive the handle. */
struct httpc_config {
	struct event_base *loop; /* NULL: httpc_call() only */
	bool https;
	const char *host; /* a name, an IPv4 or IPv6 address */
	uint16_t port;
	struct httpc_tls tls;
	const char *const *headers; /* of every request, "Name: value"; ends with NULL */
	const char *user_agent;
	usec_t connect_timeout;
	usec_t stall_timeout; /* the longest silence of both sides */
	const struct pgconn_interrupt *intr;
};

/* Everything in it is lent until the request's end. */
struct httpc_post {
	const char *target; /* "/?query=...", percent-encoded */
	const char *header; /* one more, "Name: value"; NULL: none */
	const struct slice *body;
	size_t nbody;
	size_t answer_max; /* ceiling for the answer's body, decoded */
};

struct httpc_answer {
	int status;	   /* 0: none came */
	struct buf body;   /* decoded; what there was of it when the connection was cut */
	struct buf header; /* "name: value" and NUL, one after the other */
};

/* err: NULL when a whole answer came. Both are the callee's only until it returns. */
typedef void httpc_done_fn(void *arg, const struct httpc_answer *answer, const struct err *err);

bool httpc_new(const struct httpc_config *cfg, struct httpc **h_r, struct err *err);
void httpc_free(struct httpc **h);

/* The request is gone when done() is called. */
struct httpc_request *httpc_send(struct httpc *h, const struct httpc_post *post,
    httpc_done_fn *done, void *arg);
void httpc_cancel(struct httpc_request **rq);

/* answer_r is filled in any case, as far as an answer came: httpc_answer_done(). */
bool httpc_call(struct httpc *h, const struct httpc_post *post, struct httpc_answer *answer_r,
    struct err *err);
void httpc_answer_done(struct httpc_answer *answer);

/* The value of the last header of that name, in any case; NULL: there is none. */
const char *httpc_header(const struct httpc_answer *answer, const char *name);

/* Append text percent-encoded. */
void httpc_encode(struct buf *to, const char *text);

#endif
