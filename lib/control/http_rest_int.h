/*
 * http_rest_int - what the files of the REST face share
 *
 *	http_rest.c	life, and who may come in (admit)
 *	http_call.c	a request as a call of FlowService
 *	http_pages.c	/healthz, /readyz, /metrics
 */
#ifndef PEERD_CONTROL_HTTP_REST_INT_H
#define PEERD_CONTROL_HTTP_REST_INT_H

#include "lib/control/http_rest.h"
#include "lib/control/http_routes.h"
#include "lib/control/http_server.h"

struct buf;
struct event;
struct http_auth;
struct http_error_extra;
struct http_pending;
struct rpc_call;

struct http_rest {
	struct event_base *base;
	struct service *svc;
	struct metrics_registry *metrics;
	struct http_auth *auth;
	struct http_server *server;
	bool open_metrics;
	struct http_pending *held; /* refusals waiting for their time */
	unsigned nheld;
};

/* A request that waits; req->user of it. */
struct http_pending {
	struct http_rest *rest;
	struct http_request *req;
	struct rpc_call *call; /* waiting for its completion */
	struct event *delay;   /* waiting for the time of its refusal */
	struct err *refusal;
	struct http_pending *prev, *next; /* in rest->held */
};

/* A page beside the API. */
struct http_page {
	const char *path;
	bool (*is_open)(const struct http_rest *rest);
	void (*serve)(struct http_rest *rest, struct http_request *req);
};

const struct http_page *http_page_find(const char *path);

/* Answer with the call's outcome, now or later. */
void http_call_serve(struct http_rest *rest, struct http_request *req,
    const struct http_match *match);

/* ---- replies */

void http_reply_json(struct http_request *req, int status, const struct buf *body);
/* status 0: the error's own; extra may be NULL. */
void http_reply_error(struct http_request *req, int status, const struct err *err,
    const struct http_error_extra *extra);

#endif
