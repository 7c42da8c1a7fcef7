/*
 * http_rest - the REST face of FlowService
 *
 * Turns requests below /api/v1 and /v1 into calls (http_routes.h): the JSON
 * body, whatever its content type says, and the query and path parameters
 * together are the request message. Answers 200 with the response message, or
 * the error's own status (http_error.h).
 *
 *	/healthz	200 while the loop turns			no password
 *	/readyz		200 while the service takes calls, else 503	no password
 *	/metrics	Prometheus text (metrics.h)			open_metrics
 *
 * Everything else wants the password (http_auth.h), except over the Unix
 * socket. Without a password only addresses of the machine itself may be
 * listened on. Web pages of other origins are refused in any case: a browser
 * on the machine must not become a way in.
 *
 * Errors of http_rest_new: ERR_CONFIG, ERR_INVALID.
 */
#ifndef PEERD_CONTROL_HTTP_REST_H
#define PEERD_CONTROL_HTTP_REST_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct event_base;
struct http_limits;
struct http_rest;
struct http_server;
struct metrics_registry;
struct service;
struct tls_context;

struct http_rest_options {
	struct event_base *base;
	struct service *svc;
	struct metrics_registry *metrics;
	const char *listen;	 /* HOST:PORT; NULL: no TCP */
	const char *socket_path; /* NULL: no Unix socket */
	const char *password;	 /* NULL or "": none */
	bool open_metrics;
	struct tls_context *tls;	  /* NULL: plain; stays the caller's */
	const struct http_limits *limits; /* NULL: the default */
};

bool http_rest_new(const struct http_rest_options *options, struct http_rest **rest_r,
    struct err *err);

/* No new requests; those under way end. Calls on_quiet once none is left. */
void http_rest_stop(struct http_rest *rest, void (*on_quiet)(void *arg), void *arg);

/* Closes what is still open, abandons its calls. */
void http_rest_free(struct http_rest **rest);

uint16_t http_rest_port(const struct http_rest *rest);

#endif
