/*
 * http - one client's connection: requests in, replies out, blocking
 *
 * For each request in turn:
 *
 *	http_next()		HTTP_REQUEST: head and params are there
 *	http_body() ...		until it says something other than HTTP_BODY_MORE
 *	http_reply()
 *
 * The body comes decoded (chunks, Content-Encoding) in borrowed pieces that die
 * with the next call. What is left of it is read away by http_reply(), so that
 * the client is not cut off while it still sends. A connection that ended
 * inside a body is HTTP_BODY_CUT: nothing of that body may count.
 */
#ifndef PEERD_CHDBD_HTTP_H
#define PEERD_CHDBD_HTTP_H

#include <stdbool.h>

#include "lib/base/slice.h"
#include "lib/wire/http1.h"

#define HTTP_PARAMS_MAX 128

struct arena;
struct buf;
struct http;

enum http_next {
	HTTP_REQUEST,
	HTTP_GONE, /* or spoke no HTTP, and was told so */
};

enum http_body {
	HTTP_BODY_MORE,
	HTTP_BODY_END,
	HTTP_BODY_CUT,
	HTTP_BODY_BAD, /* the encoding's bytes are broken, or end too early */
};

struct http_request {
	struct http1_head head;
	struct {
		const char *name, *value;
	} params[HTTP_PARAMS_MAX]; /* of the URL */
	size_t nparams;
	struct arena *arena; /* lives for the request */
};

struct http *http_new(int fd); /* owns fd */
void http_free(struct http **h);

enum http_next http_next(struct http *h, const struct http_request **request_r);
const char *http_param(const struct http_request *r, const char *name); /* NULL when absent */

/* false: an encoding that is not known here; the body then comes as it is. */
bool http_body_known(const struct http *h);
enum http_body http_body(struct http *h, struct slice *piece_r);

/* headers: further lines, each with its CR LF. false: the client is gone. */
bool http_reply(struct http *h, int status, const char *headers, struct slice body);

#endif
