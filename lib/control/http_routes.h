/*
 * http_routes - which call a method and path stand for
 *
 * One table for every call of FlowService, below /api/v1 and /v1 alike. A
 * {name} in a pattern is one segment of the path and sets the request's field
 * of that name.
 */
#ifndef PEERD_CONTROL_HTTP_ROUTES_H
#define PEERD_CONTROL_HTTP_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/slice.h"

struct http_route {
	const char *rpc; /* as in FlowService */
	const char *method;
	const char *path; /* below the prefix */
};

extern const struct http_route http_routes[];
extern const size_t http_routes_count;

#define HTTP_PARAMS_MAX 2
#define HTTP_ALLOW_MAX	64

struct http_param {
	struct slice name;
	struct slice value; /* still percent-encoded */
};

struct http_match {
	const struct http_route *route; /* NULL: none of that method */
	struct http_param params[HTTP_PARAMS_MAX];
	size_t nparams;
	char allow[HTTP_ALLOW_MAX]; /* methods of the path, for 405; "": unknown path */
};

/* HEAD matches GET. */
void http_route_match(const char *method, const char *path, struct http_match *match_r);

/* The known path that looks most like this one; NULL when none does. */
const char *http_route_nearest(const char *path);

#endif
